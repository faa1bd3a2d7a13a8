/* Translation: lists of actions. What an action means is known to its row (act_xlate_impl.h). */
#include <stdlib.h>

#include "src/xlate/act_xlate_impl.h"

#define ACT_ROW(TYPE, name, args) [ACT_##TYPE] = &act_xlate_##name,
const struct act_xlate *const act_xlates[ACT_N_TYPES] = {ACT_TYPES(ACT_ROW)};

static void trace_action(struct xlate_ctx *ctx, const struct act *act)
{
    const struct xlate_trace *trace = ctx->in->trace;
    struct act_list one = {.acts = act, .len = act->len};
    char *text;

    if (!trace)
        return;
    text = act_list_format(&one, NULL, NULL);
    trace->action(trace->arg, ctx->trace_depth, text ? text : "?");
    free(text);
}

void xlate_reject(struct xlate_ctx *ctx)
{
    ctx->exit = ctx->no_set = true;
    ctx->out->drop_reason = DROP_ACTION_TTL;
}

/* Does the action look at what is `unparsed`? */
static bool needs_parse(struct xlate_ctx *ctx, const struct act *act)
{
    const struct act_xlate *row = act_xlates[act->type];
    enum act_sees sees = row->sees_of ? row->sees_of(ctx, act) : row->sees;

    switch (sees) {
    case ACT_SEES_PACKET:
        return true;
    case ACT_SEES_HEADERS:
        return ctx->unparsed & (XLATE_UNPARSED_INNER | XLATE_UNPARSED_ETH);
    case ACT_SEES_ETHERNET:
        return ctx->unparsed & XLATE_UNPARSED_ETH;
    case ACT_SEES_NOTHING:
        return false;
    }
    return true;
}

static void run(struct xlate_ctx *ctx, const struct act *act, bool last)
{
    const struct act_xlate *row = act_xlates[act->type];

    if (row->ethernet_only && ctx->flow.packet_type != PACKET_TYPE_ETHERNET)
        return;
    if (row->run)
        row->run(ctx, act, last);
}

/* Is this the last action that does something, the action set included? */
static bool is_last(const struct xlate_ctx *ctx, const struct act *act, const struct act_list *list, bool last)
{
    return last && ctx->n_set == 0 && (const uint8_t *)act + act->len == (const uint8_t *)list->acts + list->len;
}

void xlate_acts(struct xlate_ctx *ctx, const struct act_list *list, bool last)
{
    if (list->len == 0 && ctx->in->trace)
        ctx->in->trace->action(ctx->in->trace->arg, ctx->trace_depth, "drop");
    ACT_FOR_EACH (act, list) {
        if (ctx->unparsed && needs_parse(ctx, act)) {
            xlate_freeze(ctx, act, list);
            return;
        }
        if (ctx->in->trace)
            trace_action(ctx, act);
        run(ctx, act, is_last(ctx, act, list, last));
        if (ctx->freezing) {
            const struct act *next = (const struct act *)((const uint8_t *)act + act->len);

            xlate_freeze(ctx, next, list);
            return;
        }
        if (ctx->exit)
            return;
    }
}
