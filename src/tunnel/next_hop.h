/* Next hops: where a tunnel's outer packets go, from route, addresses and neighbours together. Control thread only.
 *
 * Translation asks by what decides it: destination, the source address that the port prescribes, packet mark, and among
 * several paths of a route by which. The answer is an object with a number, on which the megaflow then depends
 * (XLATE_DEP_NEXT_HOP). When routes, addresses, interfaces, bridges' ports or neighbours change, the next hops that
 * this may concern are decided again, in slices; those that come out differently are told, and only their megaflows are
 * translated again. One that nobody asked for or depended on for a minute is forgotten.
 */
#ifndef SRC_TUNNEL_NEXT_HOP_H
#define SRC_TUNNEL_NEXT_HOP_H

#include <netinet/in.h>
#include <rte_ether.h>
#include <rte_mbuf.h>
#include <stdbool.h>
#include <stdint.h>

#include "src/net/route.h"

struct bridge;
struct bridge_port;
struct loop;
struct neighbours;
struct next_hops;

#define NEXT_HOPS_MAX 65536
#define NEXT_HOP_WAIT_MAX 128 /* packets for one: more than the largest datagram has fragments */
#define NEXT_HOPS_WAIT_MAX 4096

struct next_hop_query {
    struct in6_addr to, from; /* IPv4 mapped; from ::, any address of this host's */
    uint32_t mark;
    uint32_t path; /* 0: whichever there is; 1 + slot: of several (NEXT_HOP_SEVERAL), that of the slot */
};

enum next_hop_state {
    NEXT_HOP_READY,
    NEXT_HOP_SEVERAL,    /* the route has several paths: ask for one of n_slots, by a hash of the packet */
    NEXT_HOP_NO_ROUTE,   /* or the address is one of this host's */
    NEXT_HOP_NOT_OURS,   /* `from` is no address of this host */
    NEXT_HOP_NO_BRIDGE,  /* the route's device is no port of a bridge */
    NEXT_HOP_ASKING,     /* the neighbour was asked and has not answered yet: packets wait, next_hop_wait() */
    NEXT_HOP_UNREACHABLE /* nor did it for a second: dropped, until it is asked again after some seconds */
};

struct next_hop {
    uint64_t id; /* never given out twice; never 0 */
    enum next_hop_state state;
    struct bridge_port *egress;  /* outer packets enter its bridge as if it had received them: LOCAL, mostly */
    struct in6_addr source, via; /* via: whose MAC address it is, the gateway's or the destination's */
    struct rte_ether_addr src_mac, dst_mac;
    uint16_t mtu; /* of the device, 0: not known */
    char device[IFNAMSIZ];
    uint32_t n_slots;          /* NEXT_HOP_SEVERAL; a power of two */
    uint16_t udp_first, udp_n; /* the UDP source ports that outer packets may have, host order; the same for all */
};

struct next_hops_user {
    void *arg;
    /* The next hop came out differently. */
    void (*changed)(void *arg, uint64_t id);
    /* Gets a packet back that waited, in order: its next hop is not NEXT_HOP_ASKING any more. */
    void (*go)(void *arg, struct rte_mbuf *packet);
    /* Whether anything depends on the next hop. */
    bool (*wanted)(void *arg, uint64_t id);
};

/* Listens to `routes`, and watches `neighbours`; both outlive it. All that the user is told comes from the loop, never
 * from within calls. */
struct next_hops *next_hops_create(struct loop *loop, struct routes *routes, struct neighbours *neighbours,
                                   const struct next_hops_user *user);
void next_hops_destroy(struct next_hops *hops); /* before bridges; frees packets that wait. NULL is allowed */

/* Next hops may leave by the bridge from now on: right after it was made. */
void next_hops_attach(struct next_hops *hops, struct bridge *bridge);
/* Before it is destroyed, after its ports were removed. */
void next_hops_detach(struct next_hops *hops, struct bridge *bridge);

/* The next hop, decided if it is new. Asks for the neighbour's address if that is not known. Valid until the loop's
 * next turn. NULL: there are too many. */
const struct next_hop *next_hop_find(struct next_hops *hops, const struct next_hop_query *query);
/* Has `packet` wait for a next hop that is NEXT_HOP_ASKING. If it is so no more, or was forgotten, `packet` comes back
 * soon. False: too many packets wait for it, or for all: the packet stays the caller's. */
bool next_hop_wait(struct next_hops *hops, uint64_t id, struct rte_mbuf *packet);

/* --- for operators and tests --------------------------------------------- */

#define NEXT_HOPS_UDP_FIRST 32768
#define NEXT_HOPS_UDP_LAST 61000

/* Both 1 to 65535. Concerns all next hops. */
void next_hops_set_udp_range(struct next_hops *hops, uint16_t first, uint16_t last);
void next_hops_udp_range(const struct next_hops *hops, uint16_t *first, uint16_t *last);

/* The port by which outer packets leave whose route has this device; NULL: there is none. */
struct bridge_port *next_hops_port_of(struct next_hops *hops, const char *device);

struct next_hops_stats {
    uint32_t n, n_waiting;           /* next hops; packets */
    uint64_t decided, changed, told; /* decided again, thereof with another result; told: to the user */
    uint64_t waited, not_waited;     /* packets that waited, and those for which there was no room */
};
void next_hops_get_stats(const struct next_hops *hops, struct next_hops_stats *stats);
/* All of them, in no order; *position is 0 before the first. NULL: that was all. Changes in between may bring one
 * twice, or not. */
const struct next_hop *next_hops_next(const struct next_hops *hops, size_t *position, struct next_hop_query *query);

#endif
