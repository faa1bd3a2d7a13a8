/* Unresolved flows of one poll-mode thread: those whose first packet is with the control thread, and the packets that
 * came behind it and wait in order. That thread's alone; bounded; nothing allocates after init.
 *
 * Flows are told apart by the hash of their key: two flows with one hash wait for each other, which is harmless.
 */
#ifndef PMD_POLL_PENDING_H
#define PMD_POLL_PENDING_H

#include <rte_branch_prediction.h>
#include <rte_mbuf.h>
#include <stdint.h>

#include "pmd/port.h"

#define PENDING_NONE UINT16_MAX
#define PENDING_FLOWS_MAX 16384
/* Packets parked behind one flow. The largest datagram is 56 fragments over the least MTU that dpctl/ipf-set-min-frag
 * has without being told otherwise, and 120 over 576 bytes: behind ct(table=) all of them come at once. */
#define PENDING_PARK_MAX 128

/* Arrays by in_port: of each port a place, behind these places that tunnels share, whose indexes have no end. */
#define IN_PORT_PLACES (2 * PORT_MAX)
static inline uint32_t in_port_place(uint32_t in_port)
{
    return likely(in_port < PORT_MAX) ? in_port : PORT_MAX + in_port % PORT_MAX;
}

struct pending_flow {
    struct rte_mbuf *packet; /* the one that is away; only to be compared */
    uint64_t since;          /* TSC */
    uint32_t hash;
    uint32_t in_port;
    uint16_t first, last, n_parked;
    uint16_t next;         /* same chain of the hash table; or free */
    uint16_t older, newer; /* by `since` */
};

struct pending_parked {
    struct rte_mbuf *packet;
    uint16_t next;
};

struct pending {
    uint16_t n_flows, n_free;
    uint16_t n_parked, n_parked_free;
    uint16_t free, parked_free;
    uint16_t oldest, newest;
    uint16_t *heads; /* hash table of n_flows chains, n_flows a power of two */
    struct pending_flow *flows;
    struct pending_parked *parked;
    /* The control thread reads these two of ports that were removed. */
    uint16_t in_flight[IN_PORT_PLACES]; /* flows of a port */
    uint16_t waiting[IN_PORT_PLACES];   /* parked packets of a port */
};

/* `n_flows`: power of two up to PENDING_FLOWS_MAX. Returns 0 or -ENOMEM. */
int pending_init(struct pending *pending, unsigned n_flows);
void pending_fini(struct pending *pending);

static inline unsigned pending_count(const struct pending *pending)
{
    return pending->n_flows - pending->n_free;
}

/* The slot of the flow with this hash, or PENDING_NONE. */
uint16_t pending_find(const struct pending *pending, uint32_t hash, uint32_t in_port);
/* A slot for a new flow: it is now in flight. A port may hold as many slots as are free, so that one port leaves half
 * of them to others, and two leave a third: -EDQUOT. -ENOSPC: none is free. */
int pending_add(struct pending *pending, uint32_t hash, uint32_t in_port, struct rte_mbuf *packet, uint64_t now);
/* Parks `packet` behind the flow. False: too many wait already, for this flow, this port or on the whole. */
bool pending_park(struct pending *pending, uint16_t slot, struct rte_mbuf *packet);
/* Frees the slot; the parked packets, at most PENDING_PARK_MAX, go to `packets` in order. Returns how many. */
unsigned pending_release(struct pending *pending, uint16_t slot, struct rte_mbuf **packets);
/* Whether `slot` (as it came back with `packet`) is still that packet's. */
static inline bool pending_is(const struct pending *pending, uint16_t slot, const struct rte_mbuf *packet)
{
    return slot < pending->n_flows && pending->flows[slot].packet == packet;
}
/* Whether a flow or packet of the port is here. Any thread. */
static inline bool pending_has_port(const struct pending *pending, uint32_t port)
{
    return __atomic_load_n(&pending->in_flight[port], __ATOMIC_ACQUIRE) != 0 ||
           __atomic_load_n(&pending->waiting[port], __ATOMIC_ACQUIRE) != 0;
}
/* TSC cycles in a clock of 32 bits, to be compared by difference: it wraps within hours. */
static inline uint32_t pending_clock(uint64_t tsc)
{
    return (uint32_t)(tsc >> 12);
}
/* Whether a flow has been unresolved since before `clock` (of pending_clock()). */
static inline bool pending_before(const struct pending *pending, uint32_t clock)
{
    return pending->oldest != PENDING_NONE &&
           (int32_t)(clock - pending_clock(pending->flows[pending->oldest].since)) >= 0;
}
/* The oldest unresolved flow if it is older than `before` (TSC), else PENDING_NONE. */
static inline uint16_t pending_stale(const struct pending *pending, uint64_t before)
{
    uint16_t slot = pending->oldest;

    return slot != PENDING_NONE && pending->flows[slot].since < before ? slot : PENDING_NONE;
}

#endif
