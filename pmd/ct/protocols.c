#include "pmd/ct/protocols.h"

#include <netinet/in.h>

enum plain_state plain_next(uint8_t proto, enum plain_state state, enum conn_direction direction, bool *still_new)
{
    *still_new = false;
    if (state == PLAIN_CLOSED)
        return state;
    if (direction == CONN_REPLY)
        return PLAIN_BOTH;
    /* Until there is a reply, nobody has agreed to the connection. */
    *still_new = state != PLAIN_BOTH;
    if (state != PLAIN_FIRST || proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6)
        return state;
    return PLAIN_SINGLE;
}

enum ct_timeout plain_timeout(uint8_t proto, enum plain_state state)
{
    if (state == PLAIN_CLOSED)
        return CT_TCP_CLOSE;
    if (proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6)
        return state == PLAIN_FIRST ? CT_ICMP_FIRST : CT_ICMP_REPLY;
    return state == PLAIN_FIRST ? CT_UDP_FIRST : state == PLAIN_SINGLE ? CT_UDP_SINGLE : CT_UDP_MULTIPLE;
}

/* RFC 9260, 8.5: a packet has the tag that its receiver chose in its INIT or INIT ACK; an INIT has 0. With the bit T,
 * ABORT and SHUTDOWN COMPLETE have the sender's instead (8.5.1). */
bool sctp_update(uint64_t tags[2], enum conn_direction direction, const struct sctp_packet *packet)
{
    const enum conn_direction other = !direction;
    const bool reflected = sctp_ends(packet) && packet->chunk_flags & 1;
    const uint64_t wanted = tags[reflected ? other : direction];

    if (packet->chunk == SCTP_INIT) {
        if (packet->tag != 0)
            return false;
        tags[other] = packet->init_tag;
        return true;
    }
    if (packet->tag == 0 || (wanted != 0 && packet->tag != wanted))
        return false;
    if (!reflected)
        tags[direction] = packet->tag;
    if (packet->chunk == SCTP_INIT_ACK)
        tags[other] = packet->init_tag;
    return true;
}
