/* Translation: the queue that a packet is sent by, wherever it is sent (pmd/queue.h). */
#include "src/xlate/act_xlate_impl.h"

void xlate_queue_commit(struct xlate_ctx *ctx)
{
    if (ctx->queue == ctx->base_queue)
        return;
    program_builder_add(&ctx->out->program, OP_SET_QUEUE, ctx->queue, NULL, 0);
    ctx->base_queue = ctx->queue;
}

static struct subfield dscp_field(void)
{
    const struct field *field = field_by_id(FIELD_IP_DSCP);

    return (struct subfield){field, 0, field->n_bits};
}

bool xlate_queue_mark(struct xlate_ctx *ctx, const struct bridge_port *bp, uint32_t *before)
{
    const struct subfield field = dscp_field();
    const int dscp = port_qos_dscp(bp, ctx->queue);

    if (dscp < 0 || !xlate_has_field(ctx, field.field))
        return false;
    *before = xlate_read(ctx, &field);
    if (*before == (uint32_t)dscp)
        return false;
    xlate_write_number(ctx, &field, (uint32_t)dscp);
    return true;
}

void xlate_queue_unmark(struct xlate_ctx *ctx, uint32_t before)
{
    const struct subfield field = dscp_field();

    xlate_write_number(ctx, &field, before);
}

static void set_queue(struct xlate_ctx *ctx, const struct act *act, bool last)
{
    ctx->queue = act_u32_of(act);
}

const struct act_xlate act_xlate_set_queue = {.run = set_queue, .sees = ACT_SEES_NOTHING};

static void pop_queue(struct xlate_ctx *ctx, const struct act *act, bool last)
{
    ctx->queue = 0;
}

const struct act_xlate act_xlate_pop_queue = {.run = pop_queue, .sees = ACT_SEES_NOTHING};
