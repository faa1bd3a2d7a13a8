/* Translation: actions that work on a copy of the packet. */
#include <string.h>

#include "src/xlate/act_xlate_impl.h"

/* What both the packet and its copy have; X(member), for struct xlate_ctx and struct xlate_clone. */
#define MEMBERS(X)                                                                                                     \
    X(flow), X(written), X(dirty), X(base), X(committed), X(any_written), X(any_dirty), X(untracked), X(unparsed),     \
        X(in_group), X(queue), X(base_queue), X(vlans), X(base_vlans), X(n_set), X(n_stack), X(frozen)

void xlate_clone_begin(struct xlate_ctx *ctx, struct xlate_clone *clone)
{
    struct program_builder *b = &ctx->out->program;

    /* What is pending is for those behind the clone, too. */
    xlate_commit(ctx);
#define SAVE(member) clone->member = ctx->member
    MEMBERS(SAVE);
    memcpy(clone->set, ctx->set, ctx->n_set * sizeof ctx->set[0]);
    memcpy(clone->stack, ctx->stack, ctx->n_stack * sizeof ctx->stack[0]);
    clone->at = b->len;
    clone->n_ops = b->n_ops;
    clone->keep_len = ctx->keep_len;
    clone->keep_ops = ctx->keep_ops;
    ctx->n_set = 0;
    act_buffer_init(&ctx->frozen);
    program_builder_add(b, OP_CLONE, 0, NULL, 0);
}

/* Do the operations leave the packet as it is? Then they need no copy of their own. */
static bool only_sends(const struct program_op *op, const struct program_op *end)
{
    for (; op < end; op = program_op_next(op)) {
        if (op->type != OP_OUTPUT && op->type != OP_PUNT && op->type != OP_TRUNCATE && op->type != OP_CLONE)
            return false;
    }
    return true;
}

/* The program behind the clone; there are operations in it that send. */
static void close_program(struct xlate_ctx *ctx, const struct xlate_clone *clone)
{
    struct program_builder *b = &ctx->out->program;
    struct program_op *head = (struct program_op *)(b->ops + clone->at);
    const uint8_t *inside = head->data;

    b->len = ctx->keep_len;
    b->n_ops = ctx->keep_ops;
    if (!only_sends((const void *)inside, (const void *)(b->ops + b->len))) {
        head->arg = (uint32_t)(b->ops + b->len - inside);
        return;
    }
    memmove(head, inside, (size_t)(b->ops + b->len - inside));
    b->len -= sizeof *head;
    b->n_ops--;
    ctx->keep_len = b->len;
    ctx->keep_ops = b->n_ops;
}

void xlate_clone_end(struct xlate_ctx *ctx, const struct xlate_clone *clone)
{
    struct program_builder *b = &ctx->out->program;

    if (ctx->freezing && !ctx->out->error)
        xlate_freeze_finish(ctx);
    act_buffer_free(&ctx->frozen);
    if (ctx->keep_len > clone->at && !b->overflow) {
        close_program(ctx, clone);
    } else if (!b->overflow) {
        b->len = clone->at;
        b->n_ops = clone->n_ops;
    }
#define RESTORE(member) ctx->member = clone->member
    MEMBERS(RESTORE);
    memcpy(ctx->set, clone->set, clone->n_set * sizeof ctx->set[0]);
    memcpy(ctx->stack, clone->stack, clone->n_stack * sizeof ctx->stack[0]);
    ctx->freezing = ctx->freeze_hash = ctx->freeze_larger = false;
    ctx->goto_table = -1;
    /* The clone's end is not the packet's. */
    if (!ctx->out->error)
        ctx->exit = ctx->no_set = false;
}

static void clone_action(struct xlate_ctx *ctx, const struct act *act, bool last)
{
    struct xlate_clone clone;
    struct act_list list;
    bool in_set = ctx->in_set;

    act_nested(act, &list);
    xlate_clone_begin(ctx, &clone);
    xlate_acts(ctx, &list, true);
    if (!ctx->freezing)
        xlate_action_set(ctx);
    xlate_clone_end(ctx, &clone);
    ctx->in_set = in_set;
}

const struct act_xlate act_xlate_clone = {.run = clone_action};
