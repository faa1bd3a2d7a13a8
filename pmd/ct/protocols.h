/* What packets of UDP, ICMP, SCTP and other protocols do to a connection; TCP is in tcp.h.
 *
 * The state of these is bits 0 to 3 of a connection's word. Pure functions; any thread.
 */
#ifndef PMD_CT_PROTOCOLS_H
#define PMD_CT_PROTOCOLS_H

#include <stdbool.h>
#include <stdint.h>

#include "pmd/ct.h"
#include "pmd/ct/conn.h"

enum plain_state {
    PLAIN_FIRST,  /* one packet, of ICMP any number of requests */
    PLAIN_SINGLE, /* several, of one direction */
    PLAIN_BOTH,   /* of both directions */
    PLAIN_CLOSED  /* SCTP: shut down or aborted */
};

/* Packet of an SCTP association (RFC 9260): the common header's tag, and the first chunk. */
struct sctp_packet {
    rte_be32_t tag;
    rte_be32_t init_tag; /* INIT, INIT ACK: the tag that packets to its sender are to have */
    uint8_t chunk, chunk_flags;
};
#define SCTP_DATA 0
#define SCTP_INIT 1
#define SCTP_INIT_ACK 2
#define SCTP_ABORT 6
#define SCTP_SHUTDOWN_COMPLETE 14

/* The next state, and whether the connection is still new: it is until there was a reply. */
enum plain_state plain_next(uint8_t proto, enum plain_state state, enum conn_direction direction, bool *still_new);
enum ct_timeout plain_timeout(uint8_t proto, enum plain_state state);

/* Checks the tag against `tags` (what each direction has to have), and learns from the packet. */
bool sctp_update(uint64_t tags[2], enum conn_direction direction, const struct sctp_packet *packet);
static inline bool sctp_ends(const struct sctp_packet *packet)
{
    return packet->chunk == SCTP_ABORT || packet->chunk == SCTP_SHUTDOWN_COMPLETE;
}

#endif
