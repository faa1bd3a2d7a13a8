#include "pmd/ct/tcp.h"

#include <rte_common.h>

/* Sequence numbers are compared modulo 2^32 (RFC 9293, 3.4). */
static bool at_least(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) >= 0;
}

bool tcp_flags_good(uint8_t flags)
{
    if (flags & TCP_SYN)
        return !(flags & (TCP_RST | TCP_FIN)) && (flags & TCP_ACK || !(flags & (TCP_PSH | TCP_URG)));
    /* Every segment behind the first SYN acknowledges, but for resets. */
    return flags & TCP_ACK || (flags & TCP_RST && !(flags & (TCP_FIN | TCP_PSH | TCP_URG)));
}

bool tcp_may_begin(const struct tcp_segment *segment)
{
    return (segment->flags & (TCP_SYN | TCP_ACK)) != (TCP_SYN | TCP_ACK);
}

/* Behind the segment's last octet; SYN and FIN count as one each. */
static uint32_t segment_end(const struct tcp_segment *segment)
{
    return segment->seq + segment->len + ((segment->flags & TCP_SYN) != 0) + ((segment->flags & TCP_FIN) != 0);
}

static uint16_t scaled_down(uint32_t window, uint8_t scale)
{
    return scale > TCP_SCALE_MAX ? (uint16_t)RTE_MIN(window, UINT32_C(65535))
                                 : (uint16_t)RTE_MIN((window + (1u << scale) - 1) >> scale, UINT32_C(65535));
}

void tcp_begin(struct tcp_connection *connection, const struct tcp_segment *segment)
{
    const bool syn = segment->flags & TCP_SYN;
    struct tcp_side *from = &connection->side[CONN_ORIG], *to = &connection->side[CONN_REPLY];

    *from = (struct tcp_side){
        .peer = TCP_PEER_SENT, .scale = syn ? segment->scale : TCP_SCALE_UNKNOWN, .next = segment_end(segment)};
    from->limit = from->next + 1;
    from->window = RTE_MAX(scaled_down(segment->window, from->scale), 1);
    *to = (struct tcp_side){.scale = syn ? TCP_SCALE_NONE : TCP_SCALE_UNKNOWN, .window = 1};
}

static unsigned shift_of(const struct tcp_side *side, const struct tcp_side *other)
{
    return tcp_window_shift(side->scale, other->scale);
}

/* The SYN of a side that has sent nothing tells whether windows are scaled. */
static void learn_scale(struct tcp_side *from, struct tcp_side *to, const struct tcp_segment *segment)
{
    from->scale = TCP_SCALE_NONE;
    if (to->scale > TCP_SCALE_MAX)
        return;
    if (segment->scale <= TCP_SCALE_MAX) {
        from->scale = segment->scale;
        return;
    }
    to->window = (uint16_t)RTE_MIN((uint32_t)to->window << to->scale, UINT32_C(65535));
    to->scale = TCP_SCALE_NONE;
}

static bool limit_is_known(const struct tcp_side *side)
{
    return side->limit != 0 || side->peer != TCP_PEER_SILENT;
}

/* The first segment of a side. Returns whether its acknowledgement is still to be looked at: not if the connection is
 * picked up in the middle of it. */
static bool first_of_side(struct tcp_side *from, const struct tcp_side *to, const struct tcp_segment *segment)
{
    const uint32_t end = segment_end(segment), offered = (uint32_t)to->window << shift_of(to, from);
    const bool known = limit_is_known(from);

    from->next = segment->seq;
    from->peer = TCP_PEER_SENT;
    if (known && !at_least(end + RTE_MAX(offered, 1u), from->limit))
        return true;
    from->limit = end + RTE_MAX(offered, 1u);
    return false;
}

static bool reset_is_exact(const struct tcp_side *from, const struct tcp_segment *segment)
{
    return segment->seq - from->next + 1 <= 2;
}

struct bounds {
    uint32_t seq, end, ack; /* as they are compared */
    bool acks;              /* it acknowledges something */
    bool check_ack;
};

static bool in_window(const struct tcp_side *from, const struct tcp_side *to, const struct tcp_segment *segment,
                      const struct bounds *bounds)
{
    const unsigned from_shift = shift_of(from, to), to_shift = shift_of(to, from);
    const int32_t behind = bounds->check_ack ? (int32_t)(to->next - bounds->ack) : 0;

    return at_least(from->limit, bounds->end) &&
           at_least(bounds->seq, from->next - ((uint32_t)to->window << to_shift)) && behind >= -TCP_ACK_SLACK &&
           behind <= (int32_t)(TCP_ACK_SLACK << RTE_MIN(from_shift, 14u)) &&
           (!(segment->flags & TCP_RST) || reset_is_exact(from, segment));
}

/* A connection that was picked up, or is being closed, may be a full window off: both ends forget it at times of their
 * own. */
static bool near_window(const struct tcp_side *from, const struct tcp_side *to, const struct bounds *bounds)
{
    return (to->peer == TCP_PEER_SILENT || to->peer >= TCP_PEER_CLOSED || from->peer >= TCP_PEER_CLOSED) &&
           at_least(from->limit + TCP_ACK_SLACK, bounds->end) && at_least(bounds->seq, from->next - TCP_ACK_SLACK);
}

static void take_in(struct tcp_side *from, struct tcp_side *to, const struct tcp_segment *segment,
                    const struct bounds *bounds)
{
    const unsigned shift = segment->flags & TCP_SYN ? 0 : shift_of(from, to);
    const uint32_t offered = (uint32_t)segment->window << shift;

    from->window =
        RTE_MAX(from->window, segment->flags & TCP_SYN ? scaled_down(segment->window, from->scale) : segment->window);
    if (!at_least(from->next, bounds->end))
        from->next = bounds->end;
    /* How far a side may send that has sent nothing only an acknowledgement tells. */
    if (to->peer == TCP_PEER_SILENT && !bounds->acks)
        return;
    if (!limit_is_known(to) || at_least(bounds->ack + offered, to->limit))
        to->limit = bounds->ack + RTE_MAX(offered, 1u);
}

static void move_on(struct tcp_side *from, struct tcp_side *to, const struct tcp_segment *segment)
{
    if (segment->flags & TCP_FIN)
        from->peer = RTE_MAX(from->peer, TCP_PEER_CLOSING);
    if (segment->flags & TCP_ACK) {
        if (to->peer == TCP_PEER_SENT)
            to->peer = TCP_PEER_ESTABLISHED;
        else if (to->peer == TCP_PEER_CLOSING)
            to->peer = TCP_PEER_CLOSED;
    }
    if (segment->flags & TCP_RST)
        from->peer = to->peer = TCP_PEER_RESET;
}

enum tcp_verdict tcp_update(struct tcp_connection *connection, enum conn_direction direction,
                            const struct tcp_segment *segment, bool check_window)
{
    struct tcp_connection changed = *connection;
    struct tcp_side *from = &changed.side[direction], *to = &changed.side[!direction];
    struct bounds bounds = {.seq = segment->seq, .end = segment_end(segment), .ack = segment->ack, .check_ack = true};

    if (!tcp_flags_good(segment->flags))
        return TCP_BAD_FLAGS;
    if ((segment->flags & (TCP_SYN | TCP_ACK)) == TCP_SYN) {
        if (from->peer >= TCP_PEER_CLOSED && to->peer >= TCP_PEER_CLOSED)
            return TCP_REOPENED;
        if (direction == CONN_ORIG && from->peer == TCP_PEER_SENT && to->peer == TCP_PEER_SILENT) {
            tcp_begin(connection, segment); /* with another sequence number, maybe */
            return TCP_AGAIN;
        }
    }
    if (from->peer == TCP_PEER_SILENT) {
        if (segment->flags & TCP_SYN)
            learn_scale(from, to, segment);
        bounds.check_ack = first_of_side(from, to, segment);
    }
    /* A segment without ACK, and a reset of some stacks, acknowledges nothing. */
    bounds.acks = segment->flags & TCP_ACK && !(segment->ack == 0 && segment->flags & TCP_RST);
    if (!bounds.acks)
        bounds.ack = to->next;
    /* One without data takes no room: keep-alives and late acknowledgements are all right. */
    if (bounds.seq == bounds.end)
        bounds.seq = bounds.end = from->next;

    if (check_window && !in_window(from, to, segment, &bounds) && !near_window(from, to, &bounds))
        return TCP_BAD_WINDOW;
    take_in(from, to, segment, &bounds);
    move_on(from, to, segment);
    *connection = changed;
    return (segment->flags & (TCP_SYN | TCP_ACK)) == TCP_SYN && from->peer == TCP_PEER_SENT ? TCP_AGAIN : TCP_FITS;
}

enum ct_timeout tcp_timeout(const struct tcp_connection *connection)
{
    const uint8_t a = connection->side[0].peer, b = connection->side[1].peer;
    const uint8_t less = RTE_MIN(a, b), more = RTE_MAX(a, b);

    if (more == TCP_PEER_RESET || less >= TCP_PEER_CLOSED)
        return CT_TCP_CLOSE;
    if (less == TCP_PEER_SILENT)
        return CT_TCP_SYN_SENT;
    if (less >= TCP_PEER_CLOSING)
        return CT_TCP_TIME_WAIT;
    if (less < TCP_PEER_ESTABLISHED)
        return CT_TCP_SYN_RECV;
    return more >= TCP_PEER_CLOSING ? CT_TCP_FIN_WAIT : CT_TCP_ESTABLISHED;
}

const char *tcp_peer_name(enum tcp_peer peer)
{
    static const char *const names[] = {"CLOSED", "SYN_SENT", "ESTABLISHED", "CLOSING", "FIN_WAIT_2", "TIME_WAIT"};

    return names[peer];
}

const char *tcp_state_name(const struct tcp_connection *connection)
{
    return tcp_peer_name(RTE_MAX(connection->side[0].peer, connection->side[1].peer));
}
