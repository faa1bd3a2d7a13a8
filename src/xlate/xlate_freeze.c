/* Translation: stopping where the packet has to be parsed again, and going on behind the recirculation. */
#include <string.h>

#include "src/xlate/act_xlate_impl.h"
#include "src/xlate/recirc.h"

static void add_segment(struct xlate_ctx *ctx, const struct act_list *list)
{
    const struct recirc_origin origin = {.cookie = ctx->cookie,
                                         .table_id = ctx->table_id,
                                         .table_miss = xlate_in_table_miss(ctx),
                                         .packet_out = ctx->packet_out && !ctx->rule};

    recirc_add_segment(&ctx->frozen, &origin, list);
}

void xlate_freeze(struct xlate_ctx *ctx, const struct act *act, const struct act_list *list)
{
    struct act_list rest = {.acts = act};

    rest.len = (size_t)((const uint8_t *)list->acts + list->len - (const uint8_t *)act);
    add_segment(ctx, &rest);
    ctx->freezing = true;
}

void xlate_freeze_group(struct xlate_ctx *ctx, const struct act *act, uint32_t basis)
{
    struct act_list one = {.acts = act, .len = act->len};

    add_segment(ctx, &one);
    ctx->freezing = true;
    ctx->freeze_hash = true;
    ctx->freeze_basis = basis;
}

void xlate_freeze_entry(struct xlate_ctx *ctx)
{
    act_buffer_free(&ctx->frozen);
    act_buffer_free(&ctx->paused);
    act_buffer_init(&ctx->frozen);
    act_buffer_init(&ctx->paused);
    ctx->freeze_hash = ctx->freeze_larger = ctx->ct_resumes = false;
    ctx->exit = ctx->no_set = ctx->in_set = ctx->in_group = false;
    ctx->goto_table = -1;
    ctx->n_set = ctx->n_stack = 0;
    ctx->freezing = ctx->freeze_entry = true;
}

/* check_pkt_larger: the datapath knows how long the packet is. */
static void check_larger(struct xlate_ctx *ctx, const struct act *header, bool last)
{
    const struct act_check_larger *act = (const struct act_check_larger *)header;

    if (ctx->in->trace) {
        xlate_note(ctx, " -> the length is not known here: taken for no more than %u bytes", act->len);
        xlate_write_number(ctx, &act->dst, 0);
        return;
    }
    ctx->freezing = ctx->freeze_larger = true;
    ctx->larger_len = act->len;
    ctx->larger_dst = act->dst;
}

const struct act_xlate act_xlate_check_larger = {.run = check_larger, .sees = ACT_SEES_ETHERNET};

void xlate_freeze_pause(struct xlate_ctx *ctx, const struct act_controller *act)
{
    if (ctx->in->trace) {
        xlate_controller_action(ctx, act);
        xlate_note(ctx, " -> waits for the controller; what follows is as if it resumed the packet unchanged");
        return;
    }
    ctx->freezing = true;
    memcpy(act_buffer_add(&ctx->paused, act->h.type, act->h.len), act, act->h.len);
    ctx->paused_cookie = ctx->cookie;
    ctx->paused_table_id = ctx->table_id;
}

void xlate_save_tunnel(const struct xlate_ctx *ctx, uint8_t tun[RECIRC_TUN_LEN], uint8_t set[RECIRC_TUN_LEN])
{
    const uint8_t *flow = (const uint8_t *)&ctx->flow.pkt + offsetof(struct flow_key, tun_id);
    const uint8_t *written = (const uint8_t *)&ctx->written.pkt + offsetof(struct flow_key, tun_id);

    memcpy(set, written, RECIRC_TUN_LEN);
    for (size_t i = 0; i < RECIRC_TUN_LEN; i++)
        tun[i] = flow[i] & set[i];
}

/* Interns what is left to do; 0: there are too many. */
static uint32_t intern(struct xlate_ctx *ctx, const struct act_buffer *set)
{
    struct recirc_state state;

    memset(&state, 0, sizeof state);
    state.bridge = ctx->bridge;
    state.in_port = ctx->flow.in_port;
    state.in_phy_port = ctx->flow.in_phy_port;
    state.in_set = ctx->in_set;
    state.in_group = ctx->in_group;
    state.hashed = ctx->freeze_hash;
    state.entering = ctx->freeze_entry;
    state.bond = ctx->freeze_bond;
    state.max_len = ctx->freeze_max_len;
    state.mirrored = ctx->mirrored;
    state.queue = ctx->queue;
    xlate_save_tunnel(ctx, state.tun, state.tun_set);
    state.metadata = ctx->flow.metadata;
    state.packet_type = ctx->flow.packet_type;
    memcpy(state.reg, ctx->flow.reg, sizeof state.reg);
    state.n_stack = ctx->n_stack;
    return recirc_intern(&state, ctx->stack, &ctx->frozen, set);
}

/* The operation that looks the packet up again, by its length as one or another. */
static void emit_larger(struct xlate_ctx *ctx, uint32_t id, uint32_t larger_id)
{
    struct op_larger op = {.len = ctx->larger_len, .recirc = larger_id};
    struct program_builder *b = &ctx->out->program;

    xlate_commit(ctx);
    program_builder_add(b, OP_RECIRC_LARGER, id, &op, sizeof op);
    ctx->keep_len = b->len;
    ctx->keep_ops = b->n_ops;
}

/* The packet goes to the controller, with what is left to do. */
static void emit_pause(struct xlate_ctx *ctx, uint32_t id)
{
    struct act_buffer paused = ctx->paused;

    act_buffer_init(&ctx->paused);
    xlate_punt(ctx, (const struct act_controller *)paused.data, ctx->paused_cookie, ctx->paused_table_id, id);
    act_buffer_free(&paused);
}

void xlate_mark_settle(struct xlate_ctx *ctx)
{
    struct op_meta op = {.pkt_mark = ctx->flow.pkt.pkt_mark & ctx->written.pkt.pkt_mark,
                         .pkt_mark_mask = ctx->written.pkt.pkt_mark};

    if (op.pkt_mark_mask != 0)
        program_builder_add(&ctx->out->program, OP_SET_META, 0, &op, sizeof op);
}

void xlate_freeze_finish(struct xlate_ctx *ctx)
{
    bool by_length = ctx->freeze_larger;
    uint32_t id, larger_id = 0;
    struct act_buffer set;

    ctx->freeze_larger = false;
    act_buffer_init(&set);
    for (unsigned i = 0; i < ctx->n_set; i++)
        memcpy(act_buffer_add(&set, ctx->set[i]->type, ctx->set[i]->len), ctx->set[i], ctx->set[i]->len);
    if (by_length) {
        xlate_write_number(ctx, &ctx->larger_dst, 1);
        larger_id = intern(ctx, &set);
        xlate_write_number(ctx, &ctx->larger_dst, 0);
    }
    id = intern(ctx, &set);
    act_buffer_free(&set);
    ctx->freeze_entry = false;
    if (id == 0 || (by_length && larger_id == 0)) {
        xlate_fail(ctx, DROP_XLATE_ERROR, "too many different recirculations are in use");
        return;
    }
    if (ctx->paused.len > 0) {
        emit_pause(ctx, id);
        return;
    }
    if (ctx->ct_resumes)
        xlate_ct_tell(ctx, id);
    else
        xlate_note(ctx, " -> recirculated as 0x%x", id);
    xlate_ct_settle(ctx);
    if (ctx->freeze_hash) {
        xlate_commit(ctx);
        program_builder_add(&ctx->out->program, OP_HASH, ctx->freeze_basis, NULL, 0);
        ctx->freeze_hash = false;
    }
    xlate_mark_settle(ctx);
    if (by_length)
        emit_larger(ctx, id, larger_id);
    else
        xlate_emit(ctx, OP_RECIRC, id);
}

static void run_segment(void *arg, const struct recirc_origin *origin, const struct act_list *list, bool last)
{
    struct xlate_ctx *ctx = arg;

    if (ctx->freezing) {
        /* Frozen anew before it was this segment's turn. */
        recirc_add_segment(&ctx->frozen, origin, list);
        return;
    }
    if (ctx->exit)
        return;
    ctx->table_id = origin->table_id;
    ctx->cookie = origin->cookie;
    ctx->table_miss = origin->table_miss;
    ctx->packet_out = origin->packet_out;
    ctx->entered = true;
    ctx->goto_table = -1;
    if (list->len > 0)
        xlate_acts(ctx, list, last);
    if (ctx->goto_table >= 0 && !ctx->exit && !ctx->freezing)
        xlate_table(ctx, (uint8_t)ctx->goto_table, ctx->flow.in_port, last);
}

static bool has_bits(const uint8_t tun[RECIRC_TUN_LEN])
{
    static const uint8_t none[RECIRC_TUN_LEN];

    return memcmp(tun, none, sizeof none) != 0;
}

/* What was written there; the rest the packet brought back. */
static void thaw_tunnel(struct xlate_ctx *ctx, const struct recirc *recirc)
{
    const struct recirc_state *state = &recirc->state;

    recirc_tun_apply(&ctx->flow.pkt, state->tun, state->tun_set);
    recirc_tun_apply(&ctx->written.pkt, state->tun_set, state->tun_set);
    /* Packets that came out of no tunnel have zeros anyway. */
    ctx->any_written |= has_bits(xlate_from_tunnel(ctx->in) ? state->tun_set : state->tun);
}

void xlate_thaw(struct xlate_ctx *ctx)
{
    const struct recirc *recirc = ctx->in->resume ? ctx->in->resume : recirc_get(ctx->in->flow.pkt.recirc_id);
    struct act_list set;

    if (!recirc || recirc->state.bridge != ctx->bridge) {
        xlate_fail(ctx, DROP_XLATE_ERROR, "unknown recirculation");
        return;
    }
    if (recirc->state.entering) {
        ctx->entry = recirc->state.in_port;
        ctx->elsewhere = true;
    }
    ctx->flow.in_port = recirc->state.in_port;
    ctx->flow.in_phy_port = recirc->state.in_phy_port;
    ctx->flow.metadata = recirc->state.metadata;
    ctx->flow.packet_type = recirc->state.packet_type;
    /* A controller may have put another packet in its place. */
    if (ctx->in->resume &&
        recirc->state.packet_type != rte_cpu_to_be_32(PACKET_TYPE(1, rte_be_to_cpu_16(ctx->flow.pkt.eth_type))))
        ctx->flow.packet_type = PACKET_TYPE_ETHERNET;
    memcpy(ctx->flow.reg, recirc->state.reg, sizeof ctx->flow.reg);
    thaw_tunnel(ctx, recirc);
    ctx->n_stack = recirc->state.n_stack;
    memcpy(ctx->stack, recirc->stack, ctx->n_stack * sizeof ctx->stack[0]);
    set = recirc->set;
    ACT_FOR_EACH (act, &set) {
        if (ctx->n_set < XLATE_ACTION_SET_MAX)
            ctx->set[ctx->n_set++] = act;
    }
    ctx->in_set = recirc->state.in_set;
    ctx->in_group = recirc->state.in_group;
    ctx->hashed = recirc->state.hashed;
    ctx->mirrored = recirc->state.mirrored;
    /* A packet that recirculated has it; one that somebody else kept meanwhile may not. */
    ctx->queue = recirc->state.queue;
    ctx->base_queue = ctx->in->resume ? 0 : ctx->queue;
    xlate_show_action_set(ctx);
    if (recirc->state.entering)
        xlate_bridge(ctx);
    else if (recirc->state.bond)
        xlate_bond_resume(ctx, &recirc->state);
    else
        recirc_for_each_segment(recirc, run_segment, ctx);
    /* The action set is no table's. */
    ctx->table_id = 0;
    ctx->cookie = UINT64_MAX;
    ctx->table_miss = ctx->packet_out = false;
}
