/* TCP as a tracker between the two ends sees it: which segments fit the connection, and what state it is in.
 *
 * RFC 9293 (states, 3.3.2; acceptability, 3.10.7.4) and RFC 5961, 3.2 (resets), seen from the middle: a segment's data
 * has to lie in what the receiver has offered, and its acknowledgement near what the other side has sent (G. van
 * Rooij, Real Stateful TCP Packet Filtering in IP Filter). Pure functions on a struct tcp_connection; any thread.
 */
#ifndef PMD_CT_TCP_H
#define PMD_CT_TCP_H

#include <stdbool.h>
#include <stdint.h>

#include "pmd/ct.h"
#include "pmd/ct/conn.h"

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_PSH 0x08
#define TCP_ACK 0x10
#define TCP_URG 0x20

/* What one end has done. The order counts. */
enum tcp_peer {
    TCP_PEER_SILENT,      /* sent nothing */
    TCP_PEER_SENT,        /* sent, and nothing of it was acknowledged */
    TCP_PEER_ESTABLISHED, /* something it sent was acknowledged */
    TCP_PEER_CLOSING,     /* sent a FIN */
    TCP_PEER_CLOSED,      /* which was acknowledged */
    TCP_PEER_RESET        /* one of the ends has sent a RST */
};

/* Octets that an acknowledgement may be from what the other side has sent: a full window without scale, and a segment.
 */
#define TCP_ACK_SLACK (65535 + 1500)

#define TCP_SCALE_NONE 0x1f    /* there was no option, or no SYN yet */
#define TCP_SCALE_UNKNOWN 0x1e /* the connection was there before it was tracked */
#define TCP_SCALE_MAX 14       /* RFC 7323, 2.3 */

struct tcp_side {
    uint8_t peer;    /* enum tcp_peer */
    uint8_t scale;   /* 0 to 14, or TCP_SCALE_* */
    uint16_t window; /* the greatest that it offered, in its scale */
    uint32_t next;   /* behind the last octet that it sent */
    uint32_t limit;  /* behind the last octet that it may send; 0: not known */
};

struct tcp_connection {
    struct tcp_side side[2]; /* by enum conn_direction: as a sender */
};

struct tcp_segment {
    uint32_t seq, ack;
    uint32_t len; /* of its data */
    uint16_t window;
    uint8_t flags;
    uint8_t scale; /* the option of a SYN; TCP_SCALE_NONE: there is none */
};

enum tcp_verdict {
    TCP_FITS,
    TCP_AGAIN,    /* the first SYN once more: the connection is still new */
    TCP_REOPENED, /* a SYN on a connection that is over: this begins another */
    TCP_BAD_FLAGS,
    TCP_BAD_WINDOW
};

/* Whether a segment's flags can go together. */
bool tcp_flags_good(uint8_t flags);
/* Whether it can be the first of a connection: a SYN, or one of a connection that is established already. */
bool tcp_may_begin(const struct tcp_segment *segment);
void tcp_begin(struct tcp_connection *connection, const struct tcp_segment *segment);
/* A segment of the side `direction`. The connection is changed only by what fits. */
enum tcp_verdict tcp_update(struct tcp_connection *connection, enum conn_direction direction,
                            const struct tcp_segment *segment, bool check_window);
enum ct_timeout tcp_timeout(const struct tcp_connection *connection);
/* For people, the state of the side that is further, as Open vSwitch calls it: SYN_SENT, ESTABLISHED ... */
const char *tcp_state_name(const struct tcp_connection *connection);
const char *tcp_peer_name(enum tcp_peer peer);

/* A connection as its words hold it. A side's window word is what its own segments say: its `next`, and the other
 * side's `limit`. */
static inline void tcp_load(struct tcp_connection *connection, uint64_t state, const uint64_t window[2])
{
    for (unsigned d = 0; d < 2; d++) {
        struct tcp_side *side = &connection->side[d];

        side->peer = state >> CONN_PEER_SHIFT(d) & 0xf;
        side->scale = state >> CONN_SCALE_SHIFT(d) & 0x1f;
        side->window = (uint16_t)(state >> CONN_WINDOW_SHIFT(d));
        side->next = (uint32_t)window[d];
        side->limit = (uint32_t)(window[!d] >> 32);
    }
}

static inline void tcp_store(const struct tcp_connection *connection, uint64_t *state, uint64_t window[2])
{
    const struct tcp_side *a = &connection->side[0], *b = &connection->side[1];

    *state = (*state & CONN_FLAGS) | (uint64_t)a->peer << CONN_PEER_SHIFT(0) | (uint64_t)b->peer << CONN_PEER_SHIFT(1) |
             (uint64_t)a->scale << CONN_SCALE_SHIFT(0) | (uint64_t)b->scale << CONN_SCALE_SHIFT(1) |
             (uint64_t)a->window << CONN_WINDOW_SHIFT(0) | (uint64_t)b->window << CONN_WINDOW_SHIFT(1);
    window[0] = a->next | (uint64_t)b->limit << 32;
    window[1] = b->next | (uint64_t)a->limit << 32;
}

/* By how many bits the windows of the side with `scale` are shifted. Both sides have to have offered to (RFC
 * 7323, 2.2).
 */
static inline unsigned tcp_window_shift(uint8_t scale, uint8_t other)
{
    if (scale == TCP_SCALE_UNKNOWN)
        return TCP_SCALE_MAX;
    return scale <= TCP_SCALE_MAX && other <= TCP_SCALE_MAX ? scale : 0;
}

/* As tcp_update() with the words as they are, of a segment that is in the window of a connection whose two sides are
 * established, and neither opens nor ends it. False, and nothing is changed: it is another one. */
static inline bool tcp_update_established(uint64_t *state, uint64_t window[2], enum conn_direction direction,
                                          const struct tcp_segment *segment)
{
    const unsigned other = !direction;
    const uint8_t scale = *state >> CONN_SCALE_SHIFT(direction) & 0x1f;
    const uint8_t other_scale = *state >> CONN_SCALE_SHIFT(other) & 0x1f;
    const unsigned shift = tcp_window_shift(scale, other_scale);
    const uint32_t next = (uint32_t)window[direction], limit = (uint32_t)(window[other] >> 32);
    const uint32_t other_limit = (uint32_t)(window[direction] >> 32), offered = (uint32_t)segment->window << shift;
    const uint32_t reach = (uint32_t)(uint16_t)(*state >> CONN_WINDOW_SHIFT(other))
                           << tcp_window_shift(other_scale, scale);
    const int32_t behind = (int32_t)((uint32_t)window[other] - segment->ack);
    const uint32_t seq = segment->len != 0 ? segment->seq : next, end = seq + segment->len;

    if ((*state & 0xff) != (TCP_PEER_ESTABLISHED | TCP_PEER_ESTABLISHED << 4) ||
        (segment->flags & (TCP_SYN | TCP_FIN | TCP_RST | TCP_ACK)) != TCP_ACK || (int32_t)(limit - end) < 0 ||
        (int32_t)(seq - (next - reach)) < 0 || behind < -TCP_ACK_SLACK || behind > (int32_t)(TCP_ACK_SLACK << shift))
        return false;
    if ((uint16_t)(*state >> CONN_WINDOW_SHIFT(direction)) < segment->window)
        *state = (*state & ~(UINT64_C(0xffff) << CONN_WINDOW_SHIFT(direction))) | (uint64_t)segment->window
                                                                                      << CONN_WINDOW_SHIFT(direction);
    window[direction] =
        ((int32_t)(end - next) > 0 ? end : next) |
        (uint64_t)((int32_t)(segment->ack + offered - other_limit) >= 0 ? segment->ack + (offered > 1 ? offered : 1)
                                                                        : other_limit)
            << 32;
    return true;
}

#endif
