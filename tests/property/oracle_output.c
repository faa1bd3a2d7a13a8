/* Where the plain interpreter sends packets: ports, patch ports, NORMAL, mirrors. */
#include <string.h>

#include "tests/property/oracle_impl.h"

#define PATCH_DEPTH 12
#define PATCHED 100

void oracle_send(struct oracle *o, uint32_t port, uint8_t reason)
{
    if (o->n_sent == ORACLE_SENT) {
        o->overflow = true;
        return;
    }
    o->sent[o->n_sent++] = (struct oracle_sent){.port = port,
                                                .bridge = o->bridge,
                                                .reason = reason,
                                                .table_id = o->table_id,
                                                .cookie = o->cookie,
                                                .packet = o->p};
}

/* The port of that name, if it names the other one. */
static const struct bridge_port *peer_of(const struct oracle *o, const struct bridge_port *from)
{
    for (unsigned i = 0; i < o->n_bridges; i++) {
        const struct bridge_port *bp = bridge_port_by_name(o->bridges[i], from->patch.peer_name);

        if (bp && bp->kind == BRIDGE_PORT_PATCH && strcmp(bp->patch.peer_name, from->name) == 0)
            return bp;
    }
    return NULL;
}

/* A copy of the packet is received by the other port, and of what surrounds it nothing is left. */
static void patch_run(struct oracle *o, const struct bridge_port *from)
{
    const struct bridge_port *to = peer_of(o, from);
    struct {
        const struct bridge *bridge;
        struct oracle_packet p;
        const struct act *set[64];
        union field_value stack[64];
        unsigned n_set, n_stack;
        uint64_t cookie;
        uint8_t table_id;
        bool table_miss_rule, in_group;
        uint32_t mirrored;
    } saved;

    if (!to)
        return;
    if (o->depth == PATCH_DEPTH || ++o->n_patched > PATCHED) {
        o->overflow = true;
        return;
    }
#define MEMBERS(X) X(bridge) X(p) X(n_set) X(n_stack) X(cookie) X(table_id) X(table_miss_rule) X(in_group)
#define SAVE(member) saved.member = o->member;
    MEMBERS(SAVE)
    memcpy(saved.set, o->set, sizeof saved.set);
    memcpy(saved.stack, o->stack, sizeof saved.stack);
    saved.mirrored = o->mirrored;
    if (to->bridge != o->bridge)
        o->mirrored = 0;
    o->depth++;
    o->bridge = to->bridge;
    o->p.flow.in_port = to->ofport;
    o->p.flow.metadata = 0;
    memset(o->p.flow.reg, 0, sizeof o->p.flow.reg);
    o->n_set = o->n_stack = 0;
    o->in_group = false;
    oracle_bridge_run(o, to->ofport);
    o->depth--;
#define RESTORE(member) o->member = saved.member;
    MEMBERS(RESTORE)
    if (to->bridge != o->bridge)
        o->mirrored = saved.mirrored;
    memcpy(o->set, saved.set, sizeof saved.set);
    memcpy(o->stack, saved.stack, sizeof saved.stack);
    o->exit = o->no_set = false;
}

static void send_to_port(struct oracle *o, const struct bridge_port *bp)
{
    if (!bp || bp->config & (PORT_CONFIG_DOWN | PORT_CONFIG_NO_FWD))
        return;
    if (bp->kind == BRIDGE_PORT_PATCH)
        patch_run(o, bp);
    else
        oracle_send(o, bp->port->index, 0);
    oracle_mirrors_run(o, bp, true);
}

/* --- NORMAL -------------------------------------------------------------- */

static bool carries(const struct bridge_port *bp, uint16_t vlan)
{
    bool trunked = bp->lport->vlan.trunks[vlan / 64] >> vlan % 64 & 1;

    if (bp->lport->vlan.mode == VLAN_MODE_ACCESS)
        return vlan == bp->lport->vlan.tag;
    if (bp->lport->vlan.mode == VLAN_MODE_TRUNK)
        return trunked;
    return vlan == bp->lport->vlan.tag || trunked;
}

static bool leaves_tagged(const struct bridge_port *bp, uint16_t vlan)
{
    return vlan != 0 && bp->lport->vlan.mode != VLAN_MODE_ACCESS &&
           !(bp->lport->vlan.mode == VLAN_MODE_NATIVE_UNTAGGED && vlan == bp->lport->vlan.tag);
}

static void send_in_vlan(struct oracle *o, const struct bridge_port *bp, uint16_t vlan)
{
    struct oracle_packet saved = o->p;

    if (!leaves_tagged(bp, vlan)) {
        oracle_pop_tag(o);
    } else if (o->p.n_tags == 0) {
        oracle_push_tag(o, rte_cpu_to_be_16(vlan));
    } else {
        o->p.tags[0] = (o->p.tags[0] & RTE_BE16(0xf000)) | rte_cpu_to_be_16(vlan);
        oracle_show_tags(o);
    }
    send_to_port(o, bp);
    o->p = saved;
}

/* --- mirrors ------------------------------------------------------------- */

static const struct oracle_mirror *mirrors_of(const struct oracle *o)
{
    unsigned i = 0;

    while (o->bridges[i] != o->bridge)
        i++;
    return o->mirrors[i];
}

static const struct bridge_port *output_of(const struct oracle *o, const struct oracle_mirror *mirror)
{
    return mirror->out ? bridge_port_by_ofport(o->bridge, mirror->out) : NULL;
}

/* Is the port there for a mirror? */
bool oracle_is_output(const struct oracle *o, const struct bridge_port *bp)
{
    const struct oracle_mirror *mirrors = mirrors_of(o);

    for (unsigned i = 0; i < ORACLE_MIRRORS; i++) {
        if (output_of(o, &mirrors[i]) == bp)
            return true;
    }
    return false;
}

static bool is_plain(const struct bridge_port *bp)
{
    return bp->lport->vlan.mode == VLAN_MODE_TRUNK; /* which carry all here */
}

static uint16_t vid_of(const struct oracle *o)
{
    return o->p.n_tags > 0 ? rte_be_to_cpu_16(o->p.tags[0]) & 0xfff : 0;
}

static bool is_for_bridges(const struct rte_ether_addr *dst)
{
    static const uint8_t reserved[5] = {0x01, 0x80, 0xc2, 0, 0};

    return memcmp(dst, reserved, 5) == 0 && dst->addr_bytes[5] < 16;
}

static bool same_place(const struct oracle *o, const struct oracle_mirror *a, const struct oracle_mirror *b)
{
    const struct bridge_port *to = output_of(o, a), *also = output_of(o, b);

    if (to || also)
        return to == also;
    return a->out == 0 && b->out == 0 && a->out_vlan == b->out_vlan;
}

static void mirror_send(struct oracle *o, const struct oracle_mirror *mirror, const struct bridge_port *at,
                        uint16_t vlan)
{
    const struct bridge_port *to = output_of(o, mirror);
    const bool tagged = vid_of(o) != 0;

    if (to && is_plain(at) && is_plain(to)) {
        send_to_port(o, to);
    } else if (to) {
        send_in_vlan(o, to, vlan);
    } else if (mirror->out == 0 && vlan != mirror->out_vlan && !is_for_bridges(&o->p.flow.pkt.eth_dst)) {
        for (int same = 1; same >= 0; same--) {
            TAILQ_FOREACH (to, &o->bridge->ports, node) {
                if (carries(to, mirror->out_vlan) && !oracle_is_output(o, to) &&
                    (leaves_tagged(to, mirror->out_vlan) == tagged) == same)
                    send_in_vlan(o, to, mirror->out_vlan);
            }
        }
    }
}

/* The packet came in by `at`, or goes out by it. */
void oracle_mirrors_run(struct oracle *o, const struct bridge_port *at, bool sent)
{
    const struct oracle_mirror *mirrors = mirrors_of(o);

    for (unsigned i = 0; i < ORACLE_MIRRORS; i++) {
        const struct oracle_mirror *mirror = &mirrors[i];
        uint16_t vid = vid_of(o), vlan = vid;

        if (o->mirrored >> i & 1 || !(mirror->all || (sent ? mirror->dst : mirror->src) >> at->ofport & 1))
            continue;
        if (at->lport->vlan.mode == VLAN_MODE_ACCESS && vid != 0)
            continue;
        if (at->lport->vlan.mode != VLAN_MODE_TRUNK && vid == 0)
            vlan = at->lport->vlan.tag;
        if (!carries(at, vlan) || (mirror->vlan >= 0 && vlan != mirror->vlan))
            continue;
        o->mirrored |= UINT32_C(1) << i;
        for (unsigned j = 0; j < ORACLE_MIRRORS; j++) {
            if (same_place(o, mirror, &mirrors[j]))
                o->mirrored |= UINT32_C(1) << j;
        }
        o->n_mirrored++;
        mirror_send(o, mirror, at, vlan);
    }
}

static struct oracle_mac *find_mac(struct oracle *o, const struct rte_ether_addr *mac, uint16_t vlan)
{
    for (unsigned i = 0; i < o->n_macs; i++) {
        if (o->macs[i].bridge == o->bridge && o->macs[i].vlan == vlan && rte_is_same_ether_addr(&o->macs[i].mac, mac))
            return &o->macs[i];
    }
    return NULL;
}

static void normal(struct oracle *o)
{
    const struct bridge_port *in = bridge_port_by_ofport(o->bridge, o->p.flow.in_port), *bp;
    const struct rte_ether_addr *src = &o->p.flow.pkt.eth_src, *dst = &o->p.flow.pkt.eth_dst;
    uint16_t vid = vid_of(o), vlan = vid;
    struct oracle_mac *entry;

    if (in) {
        if (in->lport->vlan.mode == VLAN_MODE_ACCESS && vid != 0)
            return;
        if (in->lport->vlan.mode != VLAN_MODE_TRUNK && vid == 0)
            vlan = in->lport->vlan.tag;
        if (!carries(in, vlan))
            return;
    }
    if (is_for_bridges(dst))
        return;
    if (in && !rte_is_multicast_ether_addr(src)) {
        entry = find_mac(o, src, vlan);
        if (!entry)
            entry = &o->macs[o->n_macs++];
        *entry = (struct oracle_mac){o->bridge, *src, vlan, in->ofport};
    }
    entry = rte_is_multicast_ether_addr(dst) ? NULL : find_mac(o, dst, vlan);
    bp = entry ? bridge_port_by_ofport(o->bridge, entry->ofport) : NULL;
    if (bp && carries(bp, vlan)) {
        if (bp->ofport != o->p.flow.in_port && !oracle_is_output(o, bp))
            send_in_vlan(o, bp, vlan);
        return;
    }
    /* In which order is not said; this is translation's. */
    for (int same = 1; same >= 0; same--) {
        TAILQ_FOREACH (bp, &o->bridge->ports, node) {
            if (bp->ofport != o->p.flow.in_port && !(bp->config & PORT_CONFIG_NO_FLOOD) && carries(bp, vlan) &&
                !oracle_is_output(o, bp) && (leaves_tagged(bp, vlan) == (vid != 0)) == same)
                send_in_vlan(o, bp, vlan);
        }
    }
}

/* --- output -------------------------------------------------------------- */

void oracle_output(struct oracle *o, uint32_t ofport)
{
    const struct bridge_port *bp;

    switch (ofport) {
    case OFPORT_IN_PORT:
        send_to_port(o, bridge_port_by_ofport(o->bridge, o->p.flow.in_port));
        return;
    case OFPORT_NORMAL:
        normal(o);
        return;
    case OFPORT_ALL:
    case OFPORT_FLOOD:
        TAILQ_FOREACH (bp, &o->bridge->ports, node) {
            if (bp->ofport != o->p.flow.in_port && !(ofport == OFPORT_FLOOD && bp->config & PORT_CONFIG_NO_FLOOD) &&
                !oracle_is_output(o, bp))
                send_to_port(o, bp);
        }
        return;
    case OFPORT_CONTROLLER:
        oracle_send(o, OFPORT_CONTROLLER, o->in_group ? 4 : o->table_miss_rule ? 0 : 1);
        return;
    default:
        if (ofport != o->p.flow.in_port)
            send_to_port(o, bridge_port_by_ofport(o->bridge, ofport));
    }
}
