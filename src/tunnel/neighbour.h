/* Neighbours: the MAC addresses of IP addresses on the links of bridges, for outer packets of tunnels. Control thread
 * only.
 *
 * They are learned from ARP replies (RFC 826), gratuitous ones, and neighbour advertisements (RFC 4861) that a bridge
 * hands to a port with an address of this host, and from the outer headers of packets that come out of tunnels; from
 * the kernel's neighbour table (rtnetlink); and by operators (tnl/arp/set). One that is needed and not known is asked
 * for: an ARP request or a neighbour solicitation enters the bridge as from its LOCAL port.
 */
#ifndef SRC_TUNNEL_NEIGHBOUR_H
#define SRC_TUNNEL_NEIGHBOUR_H

#include <netinet/in.h>
#include <rte_ether.h>
#include <rte_mbuf.h>
#include <stdbool.h>
#include <stdint.h>

struct bridge;
struct neighbours;

enum neighbour_source { NEIGHBOUR_SNOOPED, NEIGHBOUR_KERNEL, NEIGHBOUR_SET };

struct neighbour {
    const struct bridge *bridge;
    struct in6_addr ip; /* IPv4 mapped */
    struct rte_ether_addr mac;
    enum neighbour_source source;
    uint64_t expires_ms; /* 0: never */
};

/* Whether the packet, which came to a port of `bridge`, says where a neighbour is; then it is learned. Malformed
 * packets say nothing. */
bool neighbours_snoop(struct neighbours *neighbours, struct bridge *bridge, const struct rte_mbuf *packet);

#endif
