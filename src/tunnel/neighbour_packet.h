/* The packets that tell where neighbours are: ARP over Ethernet for IPv4 (RFC 826), neighbour discovery (RFC 4861).
 * What they claim, and the requests for it. Knows no table and no bridge. Any thread.
 */
#ifndef SRC_TUNNEL_NEIGHBOUR_PACKET_H
#define SRC_TUNNEL_NEIGHBOUR_PACKET_H

#include <netinet/in.h>
#include <rte_ether.h>
#include <rte_mbuf.h>
#include <stdbool.h>
#include <stdint.h>

struct neighbour_claim {
    struct in6_addr ip; /* IPv4 mapped */
    struct in6_addr to; /* whom it was told: the address that asked; the same as `ip`, or a group: everybody */
    struct rte_ether_addr mac;
    bool has_mac;   /* false: the neighbour is there, and where it was */
    bool requested; /* an answer, or told to everybody: reason enough to learn it. Else it asks for something itself,
                     * and tells those only that know it already (RFC 826; RFC 4861, 7.2.3) */
    bool overrides; /* what was known before (RFC 4861, 7.2.5) */
};

/* False: the packet claims nothing, or is not as it should be (RFC 4861, 7.1; addresses that cannot be a neighbour's).
 * May have VLAN tags and several segments. */
bool neighbour_claim_read(const struct rte_mbuf *packet, struct neighbour_claim *claim);

#define NEIGHBOUR_REQUEST_MAX 86

/* Asks for `ip`: all neighbours, or the one that was at `known`, if that is not NULL. Returns the bytes written to
 * `frame`. */
unsigned neighbour_request_write(const struct in6_addr *ip, const struct rte_ether_addr *known,
                                 const struct in6_addr *from, const struct rte_ether_addr *mac,
                                 uint8_t frame[NEIGHBOUR_REQUEST_MAX]);

#endif
