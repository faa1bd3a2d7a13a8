/* OFPP_NORMAL: what a learning switch with VLANs does with the packet. Part of translation. */
#include <string.h>

#include "pmd/base/clock.h"
#include "src/xlate/xlate_ctx.h"

/* A gratuitous ARP packet that went out of a bond does not come back later than that. */
#define ARP_LOCK_MS 5000

/* The VLAN that a packet with this VLAN id is in; -1 if the port does not take it. */
static int classify(struct xlate_ctx *ctx, const struct bridge_port *in, uint16_t vid)
{
    uint16_t vlan = vid;

    if (!in)
        return vid;
    switch (port_vlan_admit(&in->lport->vlan, vid, &vlan)) {
    case PORT_VLAN_ADMITTED:
        return vlan;
    case PORT_VLAN_TAGGED_ON_ACCESS:
        xlate_note(ctx,
                   " >>>> dropping VLAN %u tagged packet received on port %s configured as VLAN %u access port <<<<",
                   vid, in->name, in->lport->vlan.tag);
        return -1;
    case PORT_VLAN_NOT_CARRIED:
        return -1;
    }
    return -1;
}

/* Gives the packet the tag of `vlan`, or none. */
static void set_tag(struct xlate_ctx *ctx, uint16_t vlan, bool tagged)
{
    bool present = xlate_vlan_present(ctx);

    if (!tagged) {
        if (present)
            xlate_vlan_pop(ctx);
    } else if (!present) {
        xlate_vlan_push(ctx, RTE_ETHER_TYPE_VLAN, rte_cpu_to_be_16(vlan));
    } else if (xlate_vlan_vid(ctx) != vlan) {
        xlate_vlan_set(ctx, rte_cpu_to_be_16(vlan), RTE_BE16(0x0fff));
    }
}

/* The packet is to be as it was afterwards. A tag of its own that is popped cannot be pushed again, as its TPID and DEI
 * are not in the key: a copy of the packet loses it. */
struct tag_change {
    bool copy;
    struct xlate_vlans saved;
    struct xlate_clone clone;
};

static void change_begin(struct xlate_ctx *ctx, struct tag_change *change, uint16_t vlan, bool tagged)
{
    change->copy = !tagged && xlate_vlan_present(ctx);
    if (change->copy)
        xlate_clone_begin(ctx, &change->clone);
    else
        change->saved = ctx->vlans;
    set_tag(ctx, vlan, tagged);
}

static void change_end(struct xlate_ctx *ctx, const struct tag_change *change)
{
    if (change->copy)
        xlate_clone_end(ctx, &change->clone);
    else
        xlate_vlan_restore(ctx, &change->saved);
}

void xlate_send_in_vlan(struct xlate_ctx *ctx, const struct lport *to, uint16_t vlan, uint32_t max_len)
{
    struct tag_change change;

    change_begin(ctx, &change, vlan, port_vlan_leaves_tagged(&to->vlan, vlan));
    xlate_output_lport(ctx, to, vlan, max_len);
    change_end(ctx, &change);
}

/* OpenFlow's NO_FLOOD; of a bond if one of its members has it. */
static bool refuses_floods(const struct lport *to)
{
    const struct bond_member *m;

    if (!to->bond)
        return to->member->config & PORT_CONFIG_NO_FLOOD;
    TAILQ_FOREACH (m, &to->bond->members, node) {
        if (((const struct bridge_port *)m->port)->config & PORT_CONFIG_NO_FLOOD)
            return true;
    }
    return false;
}

static bool floods_to(const struct xlate_ctx *ctx, const struct lport *to, uint16_t vlan)
{
    const struct bridge_port *in = bridge_port_by_ofport(ctx->bridge, ctx->flow.in_port);

    return (!in || to != in->lport) && !refuses_floods(to) && xlate_lport_sends(to) &&
           port_vlan_carries(&to->vlan, vlan) && !to->mirrors.output;
}

void xlate_flood_in_vlan(struct xlate_ctx *ctx, uint16_t vlan, xlate_takes *takes, uint32_t max_len)
{
    struct tag_change change;
    bool as_it_is = xlate_vlan_vid(ctx) != 0;
    const struct lport *to;

    xlate_dep(ctx, XLATE_DEP_PORTS, 0);
    xlate_dep_bonds(ctx);
    /* Ports that get the packet as it is go first: then the tag changes once, and never back. */
    for (int pass = 0; pass < 2; pass++) {
        bool tagged = pass == 0 ? as_it_is : !as_it_is, changed = false;

        TAILQ_FOREACH (to, &ctx->bridge->lports, node) {
            if (ctx->out->error)
                break;
            if (!takes(ctx, to, vlan) || port_vlan_leaves_tagged(&to->vlan, vlan) != tagged)
                continue;
            if (!changed)
                change_begin(ctx, &change, vlan, tagged);
            changed = true;
            xlate_output_lport(ctx, to, vlan, max_len);
        }
        if (changed)
            change_end(ctx, &change);
    }
}

static void flood(struct xlate_ctx *ctx, uint16_t vlan)
{
    xlate_flood_in_vlan(ctx, vlan, floods_to, 0);
    xlate_why(ctx, DROP_FLOOD_NOWHERE);
}

static void learn(struct xlate_ctx *ctx, const struct bridge_port *in, uint16_t vlan)
{
    const struct rte_ether_addr *src = &ctx->flow.pkt.eth_src;
    bool may_return;

    if (!in || rte_is_multicast_ether_addr(src))
        return;
    xlate_dep(ctx, XLATE_DEP_MAC, xlate_mac_number(src, vlan));
    xlate_note_learned(ctx, src, vlan, in->lport->id);
    may_return = xlate_bond_may_return(ctx, in->lport);
    ctx->out->deps.no_news |= may_return; /* each of them renews the lock */
    if (!ctx->in->side_effects)
        return;
    if (mac_table_learn(ctx->bridge->macs, src, vlan, in->lport->id, clock_now_ms())) {
        xlate_note(ctx, " -> learned that " XLATE_MAC_FMT " is on port %s in VLAN %u", RTE_ETHER_ADDR_BYTES(src),
                   lport_name(in->lport), vlan);
    }
    if (may_return)
        mac_table_lock(ctx->bridge->macs, src, vlan, clock_now_ms() + ARP_LOCK_MS);
}

bool xlate_is_reserved(const struct rte_ether_addr *mac)
{
    static const uint8_t reserved[5] = {0x01, 0x80, 0xc2, 0x00, 0x00};

    return memcmp(mac->addr_bytes, reserved, sizeof reserved) == 0 && mac->addr_bytes[5] < 0x10;
}

void xlate_normal(struct xlate_ctx *ctx)
{
    const struct rte_ether_addr *dst = &ctx->flow.pkt.eth_dst;
    const struct bridge_port *in = xlate_in_port(ctx);
    const struct mac_entry *entry;
    const struct lport *to;
    int vlan;

    xlate_consult_bytes(ctx, offsetof(struct flow_key, eth_dst), 2 * RTE_ETHER_ADDR_LEN);
    vlan = classify(ctx, in, xlate_vlan_vid(ctx));
    if (vlan < 0) {
        xlate_note(ctx, " >> disallowed VLAN VID for this input port, dropping");
        xlate_why(ctx, DROP_NORMAL_VLAN);
        return;
    }
    if (!ctx->bridge->forward_bpdu && xlate_is_reserved(dst)) {
        xlate_note(ctx, " -> packet has reserved destination MAC, dropping");
        xlate_why(ctx, DROP_NORMAL_RESERVED);
        return;
    }
    if (in && !xlate_bond_admits(ctx, in, (uint16_t)vlan))
        return;
    learn(ctx, in, (uint16_t)vlan);
    if (rte_is_multicast_ether_addr(dst)) {
        xlate_note(ctx, " -> multicast destination, flooding");
        flood(ctx, (uint16_t)vlan);
        return;
    }
    xlate_dep(ctx, XLATE_DEP_MAC, xlate_mac_number(dst, (uint16_t)vlan));
    entry = mac_table_lookup(ctx->bridge->macs, dst, (uint16_t)vlan);
    to = entry ? bridge_lport_by_id(ctx->bridge, entry->lport) : NULL;
    if (!to || !port_vlan_carries(&to->vlan, (uint16_t)vlan)) {
        xlate_note(ctx, " -> no learned MAC for destination, flooding");
        flood(ctx, (uint16_t)vlan);
    } else if (to->mirrors.output) {
        xlate_note(ctx, " -> learned port is a mirror port, dropping");
        xlate_why(ctx, DROP_MIRROR_PORT);
    } else if (in && to == in->lport) {
        xlate_note(ctx, " -> learned port is input port, dropping");
        xlate_why(ctx, DROP_OUTPUT_INPUT);
    } else {
        xlate_note(ctx, " -> forwarding to learned port");
        xlate_send_in_vlan(ctx, to, (uint16_t)vlan, 0);
    }
}
