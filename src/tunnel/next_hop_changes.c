/* What changes of routes, addresses, devices and bridges' ports, and which next hops that concerns. */
#define MEM_WHAT "next hops"

#include <stdio.h>
#include <stdlib.h>

#include "pmd/base/mem.h"
#include "src/tunnel/next_hop_impl.h"

/* --- what is noted ------------------------------------------------------- */

static void note(struct next_hops *hops, const struct in6_addr *prefix, uint8_t length, const char *device)
{
    struct next_hop_changes *noted = &hops->noted;

    if (noted->n == NEXT_HOP_CHANGES) {
        noted->all = true;
        return;
    }
    struct next_hop_change *change = &noted->change[noted->n++];
    *change = (struct next_hop_change){.prefix = *prefix, .length = length};
    snprintf(change->device, sizeof change->device, "%s", device);
}

void next_hops_note_route(void *arg, const struct routes_change *change)
{
    note(arg, &change->prefix, change->length, change->device);
}

/* Only devices of the kernel's have routes. */
static void note_device(struct next_hops *hops, const char *device)
{
    struct routes_device found;

    if (*device && routes_find_device(hops->routes, device, &found))
        note(hops, &in6addr_any, 128, device);
}

static void note_port(const struct outlet *outlet, const struct bridge_port *bp)
{
    struct next_hops *hops = outlet->hops;

    hops->ports_changed++;
    note_device(hops, bp->name);
    if (bp == outlet->bridge->local)
        note_device(hops, outlet->bridge->name);
    if (bp->port)
        note_device(hops, bp->port->ifname);
}

static void on_port_added(void *arg, struct bridge_port *bp)
{
    note_port(arg, bp);
}

/* It may have a device now, or another one. */
static void on_port_changed(void *arg, struct bridge_port *bp, unsigned what)
{
    if (what & BRIDGE_PORT_LINK)
        note_port(arg, bp);
}

/* Nothing may name the port from now on. */
static void on_port_removed(void *arg, struct bridge_port *bp)
{
    struct outlet *outlet = arg;
    struct hop *hop, *next;

    for (hop = LIST_FIRST(&outlet->leaving); hop; hop = next) {
        next = LIST_NEXT(hop, here);
        if (hop->pub.egress != bp)
            continue;
        next_hop_end_watch(outlet->hops, hop);
        next_hop_leave_by(hop, NULL);
        hop->pub.egress = NULL;
        hop->pub.state = NEXT_HOP_NO_BRIDGE;
        hop->untold = true;
        next_hop_doubt(outlet->hops, hop);
    }
    outlet->hops->ports_changed++;
}

static bool is_within(const struct in6_addr *address, const struct next_hop_change *change)
{
    unsigned whole = change->length / 8, rest = change->length % 8;

    return memcmp(address, &change->prefix, whole) == 0 &&
           (rest == 0 || (address->s6_addr[whole] ^ change->prefix.s6_addr[whole]) >> (8 - rest) == 0);
}

static bool concerns(const struct next_hop_changes *changes, const struct hop *hop)
{
    if (changes->all)
        return true;
    for (unsigned i = 0; i < changes->n; i++) {
        const struct next_hop_change *change = &changes->change[i];

        if (is_within(&hop->query.to, change) ||
            (!IN6_IS_ADDR_UNSPECIFIED(&hop->query.from) && is_within(&hop->query.from, change)) ||
            (!IN6_IS_ADDR_UNSPECIFIED(&hop->pub.source) && is_within(&hop->pub.source, change)) ||
            (*change->device && !strcmp(change->device, hop->pub.device)))
            return true;
    }
    return false;
}

bool next_hops_have_changes(const struct next_hop_changes *changes)
{
    return changes->n > 0 || changes->all;
}

bool next_hops_begin_walk(struct next_hops *hops)
{
    if (!next_hops_have_changes(&hops->noted))
        return false;
    hops->walked = hops->noted;
    hops->noted.n = 0;
    hops->noted.all = false;
    hops->walk = TAILQ_FIRST(&hops->all);
    return hops->walk;
}

void next_hops_walk_on(struct next_hops *hops)
{
    struct hop *hop = hops->walk;

    hops->walk = TAILQ_NEXT(hop, node);
    if (concerns(&hops->walked, hop))
        next_hop_decide_again(hops, hop);
}

/* --- bridges ------------------------------------------------------------- */

void next_hops_attach(struct next_hops *hops, struct bridge *bridge)
{
    struct outlet *outlet = mem_calloc(1, sizeof *outlet);
    struct bridge_port *bp;

    outlet->hops = hops;
    outlet->bridge = bridge;
    outlet->listener = (struct bridge_listener){
        .arg = outlet, .port_added = on_port_added, .port_removed = on_port_removed, .port_changed = on_port_changed};
    LIST_INIT(&outlet->leaving);
    TAILQ_INSERT_TAIL(&hops->outlets, outlet, node);
    bridge_listen(bridge, &outlet->listener);
    TAILQ_FOREACH (bp, &bridge->ports, node)
        note_port(outlet, bp);
}

static void free_outlet(struct next_hops *hops, struct outlet *outlet)
{
    bridge_unlisten(outlet->bridge, &outlet->listener);
    TAILQ_REMOVE(&hops->outlets, outlet, node);
    free(outlet);
}

void next_hops_detach(struct next_hops *hops, struct bridge *bridge)
{
    free_outlet(hops, next_hops_outlet(hops, bridge));
    neighbours_forget_bridge(hops->neighbours, bridge);
}
