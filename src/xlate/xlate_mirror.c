/* Translation: what mirrors send (src/bridge/mirror.h), as further outputs of the program.
 *
 * A packet comes to a mirror as it enters the bridge, or as it leaves by a port, and as it is then. It goes to each
 * place once, whatever else becomes of it: also behind a recirculation, and if several mirrors send there. Another
 * bridge has mirrors of its own.
 */
#include <string.h>

#include "src/xlate/xlate_ctx.h"

/* A packet on `at`, which the mirror wants. */
struct mirrored {
    const struct mirror *mirror;
    const struct lport *at;
    bool as_it_is; /* whatever its VLAN: it goes with the tag that it has, or without one */
    uint16_t vlan; /* that it is in, if not as_it_is */
};

/* False: it is in a VLAN that the Port or the mirror does not take. Only bits that decide are consulted: a mirror
 * from a trunk to a trunk makes no megaflow narrower. */
static bool find_vlan(struct xlate_ctx *ctx, struct mirrored *m)
{
    const struct mirror *mirror = m->mirror;

    m->as_it_is = ctx->flow.packet_type != PACKET_TYPE_ETHERNET ||
                  (mirror->out && port_vlan_is_plain(&m->at->vlan) && port_vlan_is_plain(&mirror->out->vlan));
    if (m->as_it_is && !mirror->selects_vlans)
        return true;
    if (ctx->flow.packet_type != PACKET_TYPE_ETHERNET)
        return mirror->vlans[0] & 1;
    if (port_vlan_admit(&m->at->vlan, xlate_vlan_vid(ctx), &m->vlan) != PORT_VLAN_ADMITTED)
        return false;
    return !mirror->selects_vlans || mirror->vlans[m->vlan / 64] >> m->vlan % 64 & 1;
}

static bool has_patch(const struct lport *to)
{
    const struct bond_member *m;

    if (!to->bond)
        return to->member->kind == BRIDGE_PORT_PATCH;
    TAILQ_FOREACH (m, &to->bond->members, node) {
        if (((const struct bridge_port *)m->port)->kind == BRIDGE_PORT_PATCH)
            return true;
    }
    return false;
}

/* There is no way to send a part of a packet through a patch port, and a mirror must not send more than it may. */
static bool can_cut(struct xlate_ctx *ctx, const struct mirror *mirror)
{
    if (mirror->snaplen == 0 || !has_patch(mirror->out))
        return true;
    xlate_note(ctx, " >> mirror %s: %s is a patch port, which takes whole packets only: nothing is sent", mirror->name,
               mirror->output_port);
    return false;
}

static void send_to_port(struct xlate_ctx *ctx, const struct mirrored *m)
{
    const struct mirror *mirror = m->mirror;

    if (!can_cut(ctx, mirror))
        return;
    xlate_note(ctx, " -> mirror %s sends it to %s", mirror->name, mirror->output_port);
    if (m->as_it_is)
        xlate_output_lport(ctx, mirror->out, xlate_vlan_vid(ctx), mirror->snaplen);
    else
        xlate_send_in_vlan(ctx, mirror->out, m->vlan, mirror->snaplen);
}

static bool carries(const struct xlate_ctx *ctx, const struct lport *to, uint16_t vlan)
{
    return port_vlan_carries(&to->vlan, vlan) && !to->mirrors.output && xlate_lport_sends(to);
}

/* What other switches take for theirs is not to come from here (IEEE 802.1Q, 8.6.3). */
static void send_to_vlan(struct xlate_ctx *ctx, const struct mirrored *m)
{
    const struct mirror *mirror = m->mirror;

    xlate_consult_bytes(ctx, offsetof(struct flow_key, eth_dst), RTE_ETHER_ADDR_LEN);
    if (m->vlan == mirror->output_vlan || xlate_is_reserved(&ctx->flow.pkt.eth_dst))
        return;
    xlate_note(ctx, " -> mirror %s sends it to VLAN %d", mirror->name, mirror->output_vlan);
    xlate_flood_in_vlan(ctx, (uint16_t)mirror->output_vlan, carries, mirror->snaplen);
}

static void mirror_one(struct xlate_ctx *ctx, const struct mirrored *m)
{
    const struct mirror *mirror = m->mirror;
    const uint16_t place = ctx->bridge_place;
    const uint32_t before = ctx->keep_len;

    ctx->mirrored |= mirror->alike;
    if (mirror->out)
        send_to_port(ctx, m);
    else if (mirror->output_vlan != MIRROR_NO_VLAN && ctx->flow.packet_type == PACKET_TYPE_ETHERNET)
        send_to_vlan(ctx, m);
    if (ctx->keep_len != before)
        xlate_deps_add_crossing(&ctx->out->deps, place, XLATE_CROSSED_MIRROR, mirror->id);
}

/* Mirrors may send to ports that others mirror: what these took meanwhile is in ctx->mirrored. */
static void mirror_to(struct xlate_ctx *ctx, const struct lport *at, uint32_t wanted)
{
    for (unsigned i = 0; i < MIRRORS_MAX && wanted >> i; i++) {
        struct mirrored m = {.at = at};

        if (!((wanted & ~ctx->mirrored) >> i & 1) || ctx->out->error)
            continue;
        m.mirror = ctx->bridge->mirrors->at[i];
        if (find_vlan(ctx, &m))
            mirror_one(ctx, &m);
    }
}

void xlate_mirror_received(struct xlate_ctx *ctx)
{
    const struct bridge_port *bp = xlate_has_mirrors(ctx) ? xlate_entry_port(ctx) : NULL;

    if (bp)
        mirror_to(ctx, bp->lport, bp->lport->mirrors.received);
}

void xlate_mirror_sent(struct xlate_ctx *ctx, const struct bridge_port *bp)
{
    if (bp->lport->mirrors.sent)
        mirror_to(ctx, bp->lport, bp->lport->mirrors.sent);
}
