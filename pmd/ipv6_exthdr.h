/* Which headers of IPv6 are extension headers that another one follows, and how long they are (RFC 8200, 4; RFC 4302,
 * 2.2): the one list of them. The parser of keys (pmd/key.c) walks over those of a packet; others only walk over what
 * it does not parse, such as packets quoted by ICMP. Pure functions; any thread. */
#ifndef PMD_IPV6_EXTHDR_H
#define PMD_IPV6_EXTHDR_H

#include <netinet/in.h>

#include "pmd/key.h"

/* Its flag in struct flow_key; 0: it is none. Mobility headers (RFC 6275, 6.1) are none to Open vSwitch. */
static inline uint16_t ipv6_exthdr_flag(uint8_t proto)
{
    switch (proto) {
    case IPPROTO_HOPOPTS:
        return IPV6_EH_HOP;
    case IPPROTO_DSTOPTS:
        return IPV6_EH_DEST;
    case IPPROTO_ROUTING:
        return IPV6_EH_ROUTER;
    case IPPROTO_FRAGMENT:
        return IPV6_EH_FRAG;
    case IPPROTO_AH:
        return IPV6_EH_AUTH;
    default:
        return 0;
    }
}

/* In bytes, of an extension header whose first two bytes are there. */
static inline uint32_t ipv6_exthdr_len(uint8_t proto, const uint8_t *header)
{
    if (proto == IPPROTO_FRAGMENT)
        return 8;
    if (proto == IPPROTO_AH) /* in 4-byte units, minus 2 */
        return (header[1] + 2) * 4u;
    return (header[1] + 1) * 8u;
}

#endif
