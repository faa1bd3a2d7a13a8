/* Translation: the action set (OpenFlow 1.3.5, 5.10), and metadata, which rules write as they write the set. */
#include <string.h>

#include "src/xlate/act_xlate_impl.h"

void xlate_show_action_set(struct xlate_ctx *ctx)
{
    ctx->flow.actset_output = OFPORT_UNSET;
    for (unsigned i = 0; i < ctx->n_set; i++) {
        if (ctx->set[i]->type == ACT_GROUP) {
            ctx->flow.actset_output = OFPORT_UNSET;
            return;
        }
        if (ctx->set[i]->type == ACT_OUTPUT)
            ctx->flow.actset_output = ((const struct act_output *)ctx->set[i])->port;
    }
}

static void clear_actions(struct xlate_ctx *ctx, const struct act *act, bool last)
{
    ctx->n_set = 0;
    xlate_show_action_set(ctx);
}

const struct act_xlate act_xlate_clear_actions = {.run = clear_actions, .sees = ACT_SEES_NOTHING};

static void write_actions(struct xlate_ctx *ctx, const struct act *nested, bool last)
{
    struct act_list list;

    act_nested(nested, &list);
    ACT_FOR_EACH (act, &list) {
        if (ctx->n_set == XLATE_ACTION_SET_MAX) {
            xlate_fail(ctx, DROP_XLATE_ERROR, "over 256 actions in the action set");
            return;
        }
        ctx->set[ctx->n_set++] = act;
    }
    xlate_show_action_set(ctx);
}

const struct act_xlate act_xlate_write_actions = {.run = write_actions, .sees = ACT_SEES_NOTHING};

static void write_metadata(struct xlate_ctx *ctx, const struct act *act, bool last)
{
    const struct act_metadata *a = (const struct act_metadata *)act;

    ctx->flow.metadata = (ctx->flow.metadata & ~a->mask) | (a->value & a->mask);
}

const struct act_xlate act_xlate_write_metadata = {.run = write_metadata, .sees = ACT_SEES_NOTHING};

/* --- running it ---------------------------------------------------------- */

/* Appends those of one rank. Returns how many. */
static unsigned collect(const struct act *const *set, unsigned n_set, enum act_rank wanted, struct act_buffer *list)
{
    const struct act *final = NULL;
    unsigned n = 0;

    for (unsigned i = 0; i < n_set; i++) {
        if (act_rank(set[i]) != wanted)
            continue;
        n++;
        final = set[i];
        if (wanted == ACT_RANK_SET)
            memcpy(act_buffer_add(list, final->type, final->len), final, final->len);
    }
    if (final && wanted != ACT_RANK_SET)
        memcpy(act_buffer_add(list, final->type, final->len), final, final->len);
    return n;
}

void xlate_order_set(const struct act *const *set, unsigned n, struct act_buffer *list)
{
    size_t start = list->len;

    for (enum act_rank r = ACT_RANK_NONE + 1; r < ACT_RANK_GROUP; r++)
        collect(set, n, r, list);
    /* A group takes the place of an output; without either the packet is dropped. */
    for (enum act_rank r = ACT_RANK_GROUP; r <= ACT_RANK_CT; r++) {
        if (collect(set, n, r, list) > 0)
            return;
    }
    list->len = start;
}

void xlate_action_set(struct xlate_ctx *ctx)
{
    struct act_buffer buffer;
    struct act_list list;
    bool exits = ctx->exit;

    if (ctx->no_set || ctx->n_set == 0)
        return;
    act_buffer_init(&buffer);
    xlate_order_set(ctx->set, ctx->n_set, &buffer);
    ctx->n_set = 0;
    ctx->in_set = true;
    ctx->exit = false;
    list = act_buffer_list(&buffer);
    if (ctx->in->trace)
        ctx->in->trace->action_set(ctx->in->trace->arg);
    xlate_acts(ctx, &list, true);
    ctx->exit |= exits;
    act_buffer_free(&buffer);
}
