/* What whoever sends a packet that is too long for a tunnel is told: "fragmentation needed" of ICMP (RFC 792, 1191) or
 * "packet too big" of ICMPv6 (RFC 4443, 3.2). Any thread; no state.
 */
#ifndef SRC_TUNNEL_TOO_BIG_H
#define SRC_TUNNEL_TOO_BIG_H

#include <rte_mbuf.h>
#include <stdbool.h>
#include <stdint.h>

/* Makes of `packet`, which does not fit, the message to its sender. It is one of the packet's own addressee, as the
 * switch has no address where the packet comes from, behind the tags that the packet has. `room`: bytes that would fit,
 * from the Ethernet header on if `tags`, which count then, else from the IP header on. False, and the packet is as it
 * was: its sender is not to be told (RFC 1122, 3.2.2; RFC 4443, 2.4 (e)), it may be cut into fragments, or it is not
 * IP. */
bool too_big_answer(struct rte_mbuf *packet, uint16_t room, bool tags);

#endif
