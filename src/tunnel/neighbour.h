/* Neighbours: the MAC addresses of IP addresses on the links of bridges, for outer packets of tunnels. Control thread
 * only.
 *
 * They are learned from ARP (RFC 826) and neighbour advertisements (RFC 4861) that a bridge hands to a port with an
 * address of this host; from the kernel; and from operators (tnl/neigh/set). One that somebody watches and that is not
 * known is asked for: a request enters the bridge as received from the port that the host uses, its LOCAL mostly, again
 * after 200 and 500 ms. If nobody answers within a second it is silent, and asked again after 2, 4, 8, 8 ... seconds.
 * What is known is forgotten after neighbours_aging(); what is watched is asked for, at its address, before that.
 *
 * There are as many as are watched, and NEIGHBOURS_MAX others, of which those that were learned first make room.
 */
#ifndef SRC_TUNNEL_NEIGHBOUR_H
#define SRC_TUNNEL_NEIGHBOUR_H

#include <netinet/in.h>
#include <rte_ether.h>
#include <rte_mbuf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "src/loop/loop.h"

struct bridge;
struct bridge_port;
struct flow;
struct neighbours;
struct routes;

#define NEIGHBOURS_MAX 4096
#define NEIGHBOURS_AGING_S 900
#define NEIGHBOURS_AGING_MAX_S 3600

enum neighbour_source { NEIGHBOUR_SNOOPED, NEIGHBOUR_KERNEL, NEIGHBOUR_SET };

enum neighbour_state {
    NEIGHBOUR_ASKED, /* for less than a second */
    NEIGHBOUR_SILENT,
    NEIGHBOUR_KNOWN,
};

struct neighbour {
    const struct bridge *bridge;
    struct in6_addr ip; /* IPv4 mapped */
    struct rte_ether_addr mac;
    enum neighbour_state state;
    enum neighbour_source source; /* of the address, if it is known */
    uint64_t expires_ms;          /* if it is known */
};

struct neighbours_user {
    void *arg;
    /* Has a frame enter the bridge of `from` as received from that port. Takes it over. */
    void (*send)(void *arg, struct bridge_port *from, struct rte_mbuf *frame);
    /* Wants the kernel's word on a neighbour, which comes by neighbours_tell() if it has one. NULL: it has none. */
    void (*ask_kernel)(void *arg, const struct bridge_port *from, const struct in6_addr *ip);
};

/* `pool` for requests. `routes` knows the addresses of this host. Both outlive it. */
struct neighbours *neighbours_create(struct loop *loop, const struct routes *routes, struct rte_mempool *pool,
                                     const struct neighbours_user *user);
void neighbours_destroy(struct neighbours *neighbours); /* nobody watches; NULL is allowed */

/* --- what is learned ----------------------------------------------------- */

/* Whether packets of `flow` that are sent to `to` may say where neighbours are: ARP and neighbour discovery, to a port
 * with an address of this host. A copy of them is to be punted (PUNT_TO_NEIGHBOURS). Sets in `seen` the bits of `flow`
 * that the answer rests on. */
bool neighbours_hear(const struct neighbours *neighbours, const struct bridge_port *to, const struct flow *flow,
                     struct flow *seen);
/* Whether the packet, which came to a port of `bridge`, says where a neighbour is, and says it to this host; then it is
 * learned. Malformed packets say nothing. */
bool neighbours_snoop(struct neighbours *neighbours, struct bridge *bridge, const struct rte_mbuf *packet);
/* By somebody who knows: NEIGHBOUR_KERNEL, which counts only for those that are watched, or NEIGHBOUR_SET. */
void neighbours_tell(struct neighbours *neighbours, const struct bridge *bridge, const struct in6_addr *ip,
                     const struct rte_ether_addr *mac, enum neighbour_source source);
/* The kernel does not know it any more: whether it is still there is asked, if it was known from the kernel. */
void neighbours_doubt(struct neighbours *neighbours, const struct bridge *bridge, const struct in6_addr *ip);

/* --- who wants to know --------------------------------------------------- */

/* Interest in one neighbour; memory of its owner. */
struct neighbour_watch {
    struct bridge_port *egress;                     /* requests come from it; its bridge is the neighbour's */
    struct in6_addr from;                           /* the sender in requests, */
    struct rte_ether_addr mac;                      /* and its address */
    void (*changed)(struct neighbour_watch *watch); /* state or MAC address did; must not watch or unwatch */
    void *arg;

    const struct neighbour *neighbour; /* NULL: it watches none */
    LIST_ENTRY(neighbour_watch) node;
};

/* Returns the neighbour of that address, which is asked for if it is not known, and stays until the watch ends. */
const struct neighbour *neighbours_watch(struct neighbours *neighbours, struct neighbour_watch *watch,
                                         const struct in6_addr *ip);
void neighbours_unwatch(struct neighbours *neighbours, struct neighbour_watch *watch);

/* --- for operators ------------------------------------------------------- */

/* Those whose address is known, in no order: `position` is 0 before the first. NULL: that was all. Changes in between
 * may bring one twice, or not. */
const struct neighbour *neighbours_next(const struct neighbours *neighbours, size_t *position);
void neighbours_flush(struct neighbours *neighbours);
/* Forgets the neighbours of a bridge that is removed; nobody may watch them any more. */
void neighbours_forget_bridge(struct neighbours *neighbours, const struct bridge *bridge);
/* For how long an address is known if nothing is heard of it. */
uint32_t neighbours_aging(const struct neighbours *neighbours);
/* 1 to NEIGHBOURS_AGING_MAX_S; shorter: for those that are known, too. */
void neighbours_set_aging(struct neighbours *neighbours, uint32_t seconds);

struct neighbours_stats {
    uint64_t requests, learned, refused; /* refused: malformed, not for this host, or of one that nobody knows */
    uint32_t n, n_watched;
};
void neighbours_get_stats(const struct neighbours *neighbours, struct neighbours_stats *stats);

#endif
