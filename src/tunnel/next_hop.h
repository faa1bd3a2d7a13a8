/* Next hops: where a tunnel's outer packets go, from route, addresses and neighbours together. Control thread only.
 *
 * Translation asks by what decides it: destination, the source address that the port prescribes, packet mark. The
 * answer is an object with a number, on which the megaflow then depends (XLATE_DEP_NEXT_HOP). When routes, addresses,
 * interfaces, bridges' ports or neighbours change, the next hops that this concerns are decided again, in slices; those
 * that come out differently are told, and only their megaflows are translated again.
 */
#ifndef SRC_TUNNEL_NEXT_HOP_H
#define SRC_TUNNEL_NEXT_HOP_H

#include <netinet/in.h>
#include <rte_ether.h>
#include <rte_mbuf.h>
#include <stdbool.h>
#include <stdint.h>

#include "src/net/route.h"

struct bridge_port;
struct next_hops;

struct next_hop_query {
    struct in6_addr to, from; /* IPv4 mapped; from ::, any address of this host's */
    uint32_t mark;
};

enum next_hop_state {
    NEXT_HOP_READY,
    NEXT_HOP_NO_ROUTE,
    NEXT_HOP_NOT_OURS,   /* `from` is no address of this host */
    NEXT_HOP_NO_BRIDGE,  /* the route's device is no port of a bridge */
    NEXT_HOP_ASKING,     /* the neighbour was asked and has not answered yet: packets wait, next_hop_wait() */
    NEXT_HOP_UNREACHABLE /* nor did it for a second: dropped, until it is asked again after some seconds */
};

struct next_hop {
    uint64_t id; /* never given out twice */
    enum next_hop_state state;
    struct bridge_port *egress;  /* outer packets enter its bridge as if it had received them: LOCAL, mostly */
    struct in6_addr source, via; /* via: whose MAC address it is, the gateway's or the destination's */
    struct rte_ether_addr src_mac, dst_mac;
    uint16_t mtu; /* of the device, 0: not known */
    char device[IFNAMSIZ];
};

/* The next hop, decided if it is new. Asks for the neighbour's address if that is not known. Valid until the loop's
 * next turn. NULL: there are too many (65 536). */
const struct next_hop *next_hop_find(struct next_hops *hops, const struct next_hop_query *query);
/* Has `packet` wait for a next hop that is NEXT_HOP_ASKING; `go` gets it when that has changed, to be looked up like a
 * miss once more. False: too many packets wait for it, or for all: the packet stays the caller's. */
bool next_hop_wait(struct next_hops *hops, uint64_t id, struct rte_mbuf *packet);

#endif
