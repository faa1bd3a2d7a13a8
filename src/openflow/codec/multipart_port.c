/* Entries of replies about ports and their queues: OFPMP_PORT, OFPMP_PORT_DESC, OFPMP_QUEUE, OFPMP_QUEUE_DESC. */
#include "src/openflow/codec/msg_impl.h"
#include "src/openflow/wire/layout.h"

#define PROPERTY_ETHERNET 0 /* OFPPSPT_ETHERNET */

#define MEMBER(member) LAYOUT(struct of_port_stats, member, sizeof(((struct of_port_stats *)0)->member))

static const struct layout counters[] = {MEMBER(rx_packets), MEMBER(tx_packets), MEMBER(rx_bytes),
                                         MEMBER(tx_bytes),   MEMBER(rx_dropped), MEMBER(tx_dropped),
                                         MEMBER(rx_errors),  MEMBER(tx_errors),  LAYOUT_END};
static const struct layout ethernet[] = {MEMBER(rx_frame_err), MEMBER(rx_over_err), MEMBER(rx_crc_err),
                                         MEMBER(collisions), LAYOUT_END};
static const struct layout duration[] = {MEMBER(duration_s), MEMBER(duration_ns), LAYOUT_END};
static const struct layout head14[] = {LAYOUT_PAD(4), MEMBER(port_no), MEMBER(duration_s), MEMBER(duration_ns),
                                       LAYOUT_END};

/* --- statistics ---------------------------------------------------------- */

static void put_stats14(struct of_buf *buf, const struct of_port_stats *p)
{
    size_t start = buf->len, property;

    layout_put(buf, head14, p);
    layout_put(buf, counters, p);
    property = buf->len;
    of_buf_add_u16(buf, PROPERTY_ETHERNET);
    of_buf_add(buf, 6);
    layout_put(buf, ethernet, p);
    of_buf_set_u16(buf, property + 2, (uint16_t)(buf->len - property));
    of_buf_set_u16(buf, start, (uint16_t)(buf->len - start));
}

void of_multipart_add_port(struct of_multipart *mp, struct of_buf *out, const struct of_port_stats *p)
{
    struct of_buf *buf = &mp->part;
    size_t at = buf->len;

    if (mp->version >= OF14) {
        put_stats14(buf, p);
    } else {
        port_put(buf, mp->version, p->port_no);
        of_buf_add(buf, mp->version == OF10 ? 6 : 4);
        layout_put(buf, counters, p);
        layout_put(buf, ethernet, p);
        if (mp->version != OF10)
            layout_put(buf, duration, p);
    }
    multipart_entry_end(mp, out, at);
}

/* --- descriptions -------------------------------------------------------- */

void of_multipart_add_port_desc(struct of_multipart *mp, struct of_buf *out, const struct of_port *port)
{
    size_t at = mp->part.len;

    port_encode(&mp->part, mp->version, port);
    multipart_entry_end(mp, out, at);
}

/* --- queues -------------------------------------------------------------- */

#define QUEUE_MEMBER(member) LAYOUT(struct of_queue, member, sizeof(((struct of_queue *)0)->member))

static const struct layout queue_counters[] = {QUEUE_MEMBER(queue_id), QUEUE_MEMBER(tx_bytes), QUEUE_MEMBER(tx_packets),
                                               QUEUE_MEMBER(tx_errors), LAYOUT_END};
static const struct layout queue_duration[] = {QUEUE_MEMBER(duration_s), QUEUE_MEMBER(duration_ns), LAYOUT_END};

void of_multipart_add_queue(struct of_multipart *mp, struct of_buf *out, const struct of_queue *queue)
{
    struct of_buf *buf = &mp->part;
    size_t at = buf->len;

    if (mp->version >= OF14)
        of_buf_add(buf, 8);
    port_put(buf, mp->version, queue->port_no);
    if (mp->version == OF10)
        of_buf_add(buf, 2);
    layout_put(buf, queue_counters, queue);
    if (mp->version != OF10)
        layout_put(buf, queue_duration, queue);
    if (mp->version >= OF14)
        of_buf_set_u16(buf, at, (uint16_t)(buf->len - at));
    multipart_entry_end(mp, out, at);
}

/* OpenFlow 1.4.1, 7.3.5.8. */
static void put_rate(struct of_buf *buf, uint16_t type, uint16_t rate)
{
    if (rate == OF_QUEUE_RATE_NONE)
        return;
    of_buf_add_u16(buf, type);
    of_buf_add_u16(buf, 8);
    of_buf_add_u16(buf, rate);
    of_buf_add(buf, 2);
}

void of_multipart_add_queue_desc(struct of_multipart *mp, struct of_buf *out, const struct of_queue *queue)
{
    struct of_buf *buf = &mp->part;
    size_t at = buf->len;

    port_put(buf, mp->version, queue->port_no);
    of_buf_add_u32(buf, queue->queue_id);
    of_buf_add(buf, 8);
    put_rate(buf, OF_QUEUE_MIN_RATE, queue->min_rate);
    put_rate(buf, OF_QUEUE_MAX_RATE, queue->max_rate);
    of_buf_set_u16(buf, at + 8, (uint16_t)(buf->len - at));
    multipart_entry_end(mp, out, at);
}
