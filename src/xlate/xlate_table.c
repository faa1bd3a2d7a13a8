/* Translation: actions by which a packet goes on in another table, or nowhere. */
#include "src/xlate/act_xlate_impl.h"

static void resubmit(struct xlate_ctx *ctx, const struct act *act, bool last)
{
    const struct act_resubmit *a = (const struct act_resubmit *)act;
    const uint8_t table_id = a->table == 255 ? ctx->table_id : a->table;
    const uint32_t in_port = a->in_port == OFPORT_IN_PORT ? ctx->flow.in_port : a->in_port;

    if (a->with_ct)
        xlate_table_by_connection(ctx, table_id, in_port, last);
    else
        xlate_table(ctx, table_id, in_port, last);
}

const struct act_xlate act_xlate_resubmit = {.run = resubmit};

static void goto_table(struct xlate_ctx *ctx, const struct act *act, bool last)
{
    ctx->goto_table = (int)act_u32_of(act);
}

const struct act_xlate act_xlate_goto_table = {.run = goto_table};

/* Not named exit(), which is the library's. */
static void stop(struct xlate_ctx *ctx, const struct act *act, bool last)
{
    ctx->exit = true;
}

const struct act_xlate act_xlate_exit = {.run = stop, .sees = ACT_SEES_NOTHING};
