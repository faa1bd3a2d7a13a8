/* Entries of replies about ports, written and read: OFPMP_PORT, OFPMP_PORT_DESC. */
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
