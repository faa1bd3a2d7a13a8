/* What a next hop is: route, port, neighbour. */
#include <string.h>

#include "pmd/base/hash.h"
#include "src/tunnel/next_hop_impl.h"

/* --- the bridge's port --------------------------------------------------- */

static bool is_way_out(const struct bridge_port *bp)
{
    return bp->kind == BRIDGE_PORT_DEVICE || bp->kind == BRIDGE_PORT_INTERNAL;
}

/* LOCAL of the bridge that is called so, else a port that is, or whose interface is. */
static struct bridge_port *port_of_device(const struct next_hops *hops, const char *device)
{
    struct bridge_port *bp;
    const struct outlet *outlet;

    TAILQ_FOREACH (outlet, &hops->outlets, node)
        if (!strcmp(outlet->bridge->name, device) && outlet->bridge->local)
            return outlet->bridge->local;
    TAILQ_FOREACH (outlet, &hops->outlets, node)
        if ((bp = bridge_port_by_name(outlet->bridge, device)) && is_way_out(bp))
            return bp;
    TAILQ_FOREACH (outlet, &hops->outlets, node)
        TAILQ_FOREACH (bp, &outlet->bridge->ports, node)
            if (bp->port && !strcmp(bp->port->ifname, device))
                return bp;
    return NULL;
}

/* Most leave by the same few devices. */
struct bridge_port *next_hops_port_of(struct next_hops *hops, const char *device)
{
    uint64_t hash = HASH_BASIS;

    for (const char *c = device; *c; c++)
        hash = hash_add(hash, (uint8_t)*c);
    struct cached *cached = &hops->cached[hash_finish(hash) % NEXT_HOP_PORTS_CACHED];
    if (cached->ports_changed != hops->ports_changed || strcmp(cached->device, device) != 0) {
        strcpy(cached->device, device);
        cached->ports_changed = hops->ports_changed;
        cached->egress = port_of_device(hops, device);
    }
    return cached->egress;
}

struct outlet *next_hops_outlet(const struct next_hops *hops, const struct bridge *bridge)
{
    struct outlet *outlet;

    TAILQ_FOREACH (outlet, &hops->outlets, node)
        if (outlet->bridge == bridge)
            break;
    return outlet;
}

/* --- deciding ------------------------------------------------------------ */

static bool is_set(const struct in6_addr *address)
{
    return !IN6_IS_ADDR_UNSPECIFIED(address);
}

static bool is_group(const struct in6_addr *ip)
{
    return IN6_IS_ADDR_V4MAPPED(ip) ? ip->s6_addr[12] >> 4 == 0xe : IN6_IS_ADDR_MULTICAST(ip);
}

/* RFC 1112, 6.4; RFC 2464, 7. */
static struct rte_ether_addr group_mac(const struct in6_addr *ip)
{
    const uint8_t *last = &ip->s6_addr[12];

    if (IN6_IS_ADDR_V4MAPPED(ip))
        return (struct rte_ether_addr){{0x01, 0x00, 0x5e, last[1] & 0x7f, last[2], last[3]}};
    return (struct rte_ether_addr){{0x33, 0x33, last[0], last[1], last[2], last[3]}};
}

/* All but the neighbour. NEXT_HOP_READY: that is to be found. */
static void decide_way(struct next_hops *hops, const struct next_hop_query *query, struct next_hop *next)
{
    const struct route_query question = {
        .to = query->to, .from = query->from, .mark = query->mark, .slot = query->path ? query->path - 1 : 0};
    struct routes_device device = {.ifindex = 0};
    struct route route;

    if (is_set(&query->from) && !routes_has_address(hops->routes, NULL, &query->from)) {
        next->state = NEXT_HOP_NOT_OURS;
        return;
    }
    if (!routes_lookup(hops->routes, &question, &route) || route.local) {
        next->state = NEXT_HOP_NO_ROUTE;
        return;
    }
    if (route.n_slots > 1 && query->path == 0) {
        next->state = NEXT_HOP_SEVERAL;
        next->n_slots = route.n_slots;
        return;
    }
    memcpy(next->device, route.device, sizeof next->device);
    next->source = is_set(&query->from) ? query->from : route.source;
    next->via = is_set(&route.gateway) && !is_group(&query->to) ? route.gateway : query->to;
    next->egress = next_hops_port_of(hops, next->device);
    if (!next->egress) {
        next->state = NEXT_HOP_NO_BRIDGE;
        return;
    }
    routes_find_device(hops->routes, route.device, &device);
    next->mtu = device.mtu;
    next->src_mac = rte_is_zero_ether_addr(&device.mac) ? next->egress->mac : device.mac;
    next->state = NEXT_HOP_READY;
}

/* Who asks for the neighbour: an IPv6 router of IPv4 packets is asked from an IPv6 address of the device. */
static struct in6_addr asked_from(const struct next_hops *hops, const struct next_hop *next)
{
    struct in6_addr from = next->source;

    if (IN6_IS_ADDR_V4MAPPED(&next->via) != IN6_IS_ADDR_V4MAPPED(&from) &&
        !routes_source_for(hops->routes, next->device, &next->via, &from))
        from = in6addr_any;
    return from;
}

static bool watches(const struct hop *hop, const struct next_hop *next, const struct in6_addr *from)
{
    const struct neighbour_watch *watch = &hop->watch;

    return watch->neighbour && watch->egress == next->egress && IN6_ARE_ADDR_EQUAL(&watch->neighbour->ip, &next->via) &&
           IN6_ARE_ADDR_EQUAL(&watch->from, from) && rte_is_same_ether_addr(&watch->mac, &next->src_mac);
}

void next_hop_end_watch(struct next_hops *hops, struct hop *hop)
{
    if (hop->watch.neighbour)
        neighbours_unwatch(hops->neighbours, &hop->watch);
}

static void on_neighbour(struct neighbour_watch *watch)
{
    next_hop_doubt(watch->arg, (struct hop *)((char *)watch - offsetof(struct hop, watch)));
}

static void watch_neighbour(struct next_hops *hops, struct hop *hop, const struct next_hop *next)
{
    const struct in6_addr from = asked_from(hops, next);

    if (watches(hop, next, &from))
        return;
    next_hop_end_watch(hops, hop);
    hop->watch = (struct neighbour_watch){
        .egress = next->egress, .from = from, .mac = next->src_mac, .changed = on_neighbour, .arg = hops};
    neighbours_watch(hops->neighbours, &hop->watch, &next->via);
}

static void decide_neighbour(struct next_hops *hops, struct hop *hop, struct next_hop *next)
{
    static const enum next_hop_state state[] = {
        [NEIGHBOUR_ASKED] = NEXT_HOP_ASKING,
        [NEIGHBOUR_SILENT] = NEXT_HOP_UNREACHABLE,
        [NEIGHBOUR_KNOWN] = NEXT_HOP_READY,
    };
    const struct neighbour *neighbour;

    watch_neighbour(hops, hop, next);
    neighbour = hop->watch.neighbour;
    next->state = state[neighbour->state];
    if (next->state == NEXT_HOP_READY)
        next->dst_mac = neighbour->mac;
}

void next_hop_leave_by(struct hop *hop, struct outlet *outlet)
{
    if (hop->outlet == outlet)
        return;
    if (hop->outlet)
        LIST_REMOVE(hop, here);
    hop->outlet = outlet;
    if (outlet)
        LIST_INSERT_HEAD(&outlet->leaving, hop, here);
}

void next_hop_decide(struct next_hops *hops, struct hop *hop)
{
    struct next_hop next = {
        .id = hop->pub.id, .udp_first = hops->udp_first, .udp_n = (uint16_t)(hops->udp_last - hops->udp_first + 1)};

    hop->doubtful = false;
    decide_way(hops, &hop->query, &next);
    if (next.state == NEXT_HOP_READY && !is_group(&next.via))
        decide_neighbour(hops, hop, &next);
    else
        next_hop_end_watch(hops, hop);
    if (next.state == NEXT_HOP_READY && is_group(&next.via))
        next.dst_mac = group_mac(&next.via);
    next_hop_leave_by(hop, next.egress ? next_hops_outlet(hops, next.egress->bridge) : NULL);
    hop->pub = next;
}

static bool differs(const struct next_hop *a, const struct next_hop *b)
{
    return a->state != b->state || a->n_slots != b->n_slots || a->egress != b->egress || a->mtu != b->mtu ||
           a->udp_first != b->udp_first || a->udp_n != b->udp_n || !IN6_ARE_ADDR_EQUAL(&a->source, &b->source) ||
           !IN6_ARE_ADDR_EQUAL(&a->via, &b->via) || !rte_is_same_ether_addr(&a->src_mac, &b->src_mac) ||
           !rte_is_same_ether_addr(&a->dst_mac, &b->dst_mac) || strcmp(a->device, b->device) != 0;
}

void next_hop_decide_again(struct next_hops *hops, struct hop *hop)
{
    const struct next_hop before = hop->pub;

    next_hop_decide(hops, hop);
    hops->stats.decided++;
    if (differs(&before, &hop->pub)) {
        hops->stats.changed++;
        hop->untold = true;
    }
    if (hop->untold || (hop->n_waiting > 0 && hop->pub.state != NEXT_HOP_ASKING))
        next_hop_todo(hops, hop);
}
