/* Translation: the queue that a packet is sent by, wherever it is sent (pmd/queue.h). */
#include "src/xlate/act_xlate_impl.h"

void xlate_queue_commit(struct xlate_ctx *ctx)
{
    if (ctx->queue == ctx->base_queue)
        return;
    program_builder_add(&ctx->out->program, OP_SET_QUEUE, ctx->queue, NULL, 0);
    ctx->base_queue = ctx->queue;
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
