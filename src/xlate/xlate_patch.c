/* Translation: on into another bridge, through a patch port, or with a tunnel's outer packet (xlate_tunnel.c).
 *
 * A copy of the packet goes there, as it is by then. The tables of that bridge see it as received by the peer, with
 * nothing of what surrounded it: registers, metadata, tunnel, stack and action set are empty. What becomes of the copy
 * is nothing to the actions that follow in this bridge.
 */
#include <string.h>

#include "src/xlate/xlate_ctx.h"

/* What belongs to the bridge that the packet is in, and is not the packet's own (xlate_clone.c). */
#define MEMBERS(X)                                                                                                     \
    X(bridge), X(bridge_place), X(elsewhere), X(entry), X(entered), X(all_ports_of), X(rule), X(cookie), X(table_id),  \
        X(depth), X(trace_depth), X(table_miss), X(in_set), X(packet_out), X(hashed)

static void clear_surroundings(struct xlate_ctx *ctx)
{
    struct flow *flow = &ctx->flow;

    flow->metadata = 0;
    memset(flow->reg, 0, sizeof flow->reg);
    flow->actset_output = OFPORT_UNSET;
    flow->conj_id = 0;
    memset(&flow->pkt.tun_id, 0, RECIRC_TUN_LEN);
    memset(&ctx->written.pkt.tun_id, 0xff, RECIRC_TUN_LEN);
    ctx->any_written = true;
    ctx->n_stack = 0;
}

void xlate_leave_bridge(struct xlate_ctx *ctx, struct xlate_left *left)
{
    left->mirrored = ctx->mirrored;
#define SAVE(member) left->member = ctx->member
    MEMBERS(SAVE);
#undef SAVE
}

/* Mirrors that took the packet in another bridge than this one were that bridge's. */
void xlate_return_to_bridge(struct xlate_ctx *ctx, const struct xlate_left *left)
{
    if (ctx->bridge != left->bridge)
        ctx->mirrored = left->mirrored;
#define RESTORE(member) ctx->member = left->member
    MEMBERS(RESTORE);
#undef RESTORE
}

void xlate_enter_bridge(struct xlate_ctx *ctx, const struct bridge_port *to)
{
    clear_surroundings(ctx);
    xlate_ct_leave(ctx);
    if (ctx->bridge != to->bridge)
        ctx->mirrored = 0;
    ctx->bridge = to->bridge;
    ctx->bridge_place = xlate_deps_add_bridge(&ctx->out->deps, to->bridge);
    ctx->entry = ctx->flow.in_port = ctx->flow.in_phy_port = to->ofport;
    ctx->elsewhere = true;
    ctx->entered = false;
    ctx->all_ports_of = NULL;
    ctx->rule = NULL;
    ctx->cookie = UINT64_MAX;
    ctx->table_id = 0;
    ctx->depth++;
    ctx->trace_depth = 0;
    ctx->table_miss = ctx->in_set = ctx->in_group = ctx->packet_out = ctx->hashed = false;
    if (ctx->in->trace && ctx->in->trace->bridge)
        ctx->in->trace->bridge(ctx->in->trace->arg, to->bridge);
}

void xlate_patch(struct xlate_ctx *ctx, const struct bridge_port *from)
{
    const struct bridge_port *to = from->patch.peer;
    struct xlate_clone clone;
    struct xlate_left left;

    if (!to) {
        xlate_note(ctx, " >> %s has no peer: there is no patch port %s that names it", from->name,
                   from->patch.peer_name);
        xlate_why(ctx, DROP_PATCH_NO_PEER);
        return;
    }
    if (ctx->depth >= XLATE_MAX_DEPTH) {
        xlate_fail(ctx, DROP_PATCH_LOOP, "over max translation depth 64, through patch ports");
        return;
    }
    xlate_leave_bridge(ctx, &left);
    xlate_clone_begin(ctx, &clone);
    xlate_deps_add_crossing(&ctx->out->deps, ctx->bridge_place, XLATE_CROSSED_TX, from->ofport);
    xlate_enter_bridge(ctx, to);
    xlate_deps_add_crossing(&ctx->out->deps, ctx->bridge_place, XLATE_CROSSED_RX, to->ofport);
    xlate_bridge(ctx);
    xlate_clone_end(ctx, &clone);
    xlate_return_to_bridge(ctx, &left);
}
