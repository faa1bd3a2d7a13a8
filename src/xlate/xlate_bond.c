/* Translation: packets to and from bonds (src/bridge/bond.h).
 *
 * Where the member depends on the flow (BOND_BY_FLOW), the datapath computes a hash of it and looks the packet up
 * again, as for a select group: megaflows in front of that stay as wide as rules make them, and those behind have 8
 * bits of the hash. Where it depends on the source address, NORMAL has looked at that anyway; mirrors have not.
 */
#include <rte_arp.h>
#include <string.h>

#include "pmd/base/clock.h"
#include "pmd/select_hash.h"
#include "src/xlate/xlate_ctx.h"

/* The packet is sent by the member for its hash, and counted for the bucket. */
static void output_by_hash(struct xlate_ctx *ctx, const struct lport *to, uint32_t hash, uint32_t max_len)
{
    const struct bond_member *m = bond_choose(to->bond, hash, ctx->in->side_effects || !ctx->in->trace);

    xlate_dep(ctx, XLATE_DEP_BOND, to->id);
    if (!m) {
        xlate_why(ctx, DROP_BOND_NO_MEMBER);
        return;
    }
    xlate_note(ctx, " -> bond %s: hash %u is with member %s", to->bond->name, hash % BOND_BUCKETS, m->name);
    xlate_deps_add_crossing(&ctx->out->deps, ctx->bridge_place, XLATE_CROSSED_BOND,
                            (to->id - LPORT_BOND_FIRST) << 8 | hash % BOND_BUCKETS);
    xlate_output_port(ctx, m->port, max_len);
}

/* Nothing of what surrounds the packet counts any more: equal packets of different rules share what is behind. */
static void forget_surroundings(struct xlate_ctx *ctx)
{
    memset(ctx->flow.reg, 0, sizeof ctx->flow.reg);
    ctx->flow.metadata = 0;
    ctx->n_stack = 0;
    ctx->in_set = ctx->in_group = false;
}

static void output_by_flow(struct xlate_ctx *ctx, const struct lport *to, uint32_t max_len)
{
    const uint32_t basis = to->bond->config.basis;
    const bool in_set = ctx->in_set;
    struct xlate_clone clone;

    xlate_dep(ctx, XLATE_DEP_BOND, to->id);
    if (ctx->in->trace || ctx->in->acts.acts || ctx->in->resume) {
        /* There is one packet, so its hash is known here. */
        output_by_hash(ctx, to, select_hash(&ctx->flow.pkt, basis), max_len);
        return;
    }
    xlate_clone_begin(ctx, &clone);
    forget_surroundings(ctx);
    ctx->freezing = ctx->freeze_hash = true;
    ctx->freeze_basis = basis;
    ctx->freeze_bond = to->id;
    ctx->freeze_max_len = max_len;
    xlate_clone_end(ctx, &clone);
    ctx->freeze_bond = ctx->freeze_max_len = 0;
    ctx->in_set = in_set;
}

void xlate_bond_resume(struct xlate_ctx *ctx, const struct recirc_state *state)
{
    const struct lport *to = bridge_lport_by_id(ctx->bridge, state->bond);

    ctx->hashed = false;
    if (!to) {
        ctx->out->deps.no_news = true;
        xlate_why(ctx, DROP_BOND_NO_MEMBER);
        return;
    }
    XLATE_CONSULT(ctx, dp_hash, BOND_BUCKETS - 1);
    output_by_hash(ctx, to, ctx->flow.pkt.dp_hash, state->max_len);
}

static void output_bond(struct xlate_ctx *ctx, const struct lport *to, uint16_t vlan, uint32_t max_len)
{
    const struct bond *bond = to->bond;

    switch (bond_way(bond)) {
    case BOND_NOWHERE:
        break;
    case BOND_ACTIVE:
        xlate_dep(ctx, XLATE_DEP_BOND, to->id);
        xlate_output_port(ctx, bond->active->port, max_len);
        return;
    case BOND_BY_SOURCE:
        xlate_consult_bytes(ctx, offsetof(struct flow_key, eth_src), RTE_ETHER_ADDR_LEN);
        output_by_hash(ctx, to, bond_hash_source(&ctx->flow.pkt.eth_src, vlan, bond->config.basis), max_len);
        return;
    case BOND_BY_FLOW:
        output_by_flow(ctx, to, max_len);
        return;
    }
    xlate_dep(ctx, XLATE_DEP_BOND, to->id);
    xlate_note(ctx, " >> bond %s: no member may be used", bond->name);
    xlate_why(ctx, DROP_BOND_NO_MEMBER);
}

void xlate_output_lport(struct xlate_ctx *ctx, const struct lport *to, uint16_t vlan, uint32_t max_len)
{
    if (to->bond)
        output_bond(ctx, to, vlan, max_len);
    else
        xlate_output_port(ctx, to->member, max_len);
}

bool xlate_lport_sends(const struct lport *to)
{
    return to->bond ? bond_way(to->bond) != BOND_NOWHERE : xlate_port_sends(to->member);
}

void xlate_dep_bonds(struct xlate_ctx *ctx)
{
    const struct lport *bond;

    for (bond = bridge_last_bond(ctx->bridge); bond; bond = lport_previous_bond(bond))
        xlate_dep(ctx, XLATE_DEP_BOND, bond->id);
}

/* --- from bonds ---------------------------------------------------------- */

/* A station says that it is here now, as after a migration. */
static bool is_gratuitous_arp(struct xlate_ctx *ctx)
{
    const struct flow_key *key = &ctx->flow.pkt;

    XLATE_CONSULT(ctx, eth_type, UINT16_MAX);
    if (key->eth_type != RTE_BE16(RTE_ETHER_TYPE_ARP) || !rte_is_broadcast_ether_addr(&key->eth_dst))
        return false;
    XLATE_CONSULT(ctx, ip_proto, UINT8_MAX); /* the ARP operation */
    if (key->ip_proto == RTE_ARP_OP_REPLY)
        return true;
    if (key->ip_proto != RTE_ARP_OP_REQUEST)
        return false;
    XLATE_CONSULT(ctx, ipv4_src, UINT32_MAX);
    XLATE_CONSULT(ctx, ipv4_dst, UINT32_MAX);
    return key->ipv4_src == key->ipv4_dst;
}

/* Was the packet sent by this switch, and came back over another member? */
static bool came_back(struct xlate_ctx *ctx, const struct lport *in, uint16_t vlan)
{
    const struct rte_ether_addr *src = &ctx->flow.pkt.eth_src;
    const struct mac_entry *entry;

    xlate_dep(ctx, XLATE_DEP_MAC, xlate_mac_number(src, vlan));
    entry = mac_table_lookup(ctx->bridge->macs, src, vlan);
    if (!entry || entry->lport == in->id)
        return false;
    if (!is_gratuitous_arp(ctx))
        return true;
    if (entry->locked_until_ms <= clock_now_ms())
        return false;
    ctx->out->deps.no_news = true; /* that the lock ends */
    return true;
}

bool xlate_bond_admits(struct xlate_ctx *ctx, const struct bridge_port *bp, uint16_t vlan)
{
    const struct lport *in = bp->lport;

    if (!in->bond)
        return true;
    xlate_dep(ctx, XLATE_DEP_BOND, in->id);
    switch (bond_admits(in->bond, bp, rte_is_multicast_ether_addr(&ctx->flow.pkt.eth_dst))) {
    case BOND_ACCEPT:
        return true;
    case BOND_DROP:
        xlate_note(ctx, " -> bonding refused admissibility, dropping");
        break;
    case BOND_DROP_IF_MOVED:
        if (!came_back(ctx, in, vlan))
            return true;
        xlate_note(ctx, " -> SLB bond thinks this packet looped back, dropping");
        break;
    }
    xlate_why(ctx, DROP_BOND_REFUSED);
    return false;
}

static bool has_slb(const struct bridge *bridge)
{
    const struct lport *lport;

    for (lport = bridge_last_bond(bridge); lport; lport = lport_previous_bond(lport)) {
        if (lport->bond->config.mode == BOND_BALANCE_SLB)
            return true;
    }
    return false;
}

bool xlate_bond_may_return(struct xlate_ctx *ctx, const struct lport *in)
{
    return !in->bond && has_slb(ctx->bridge) && is_gratuitous_arp(ctx);
}
