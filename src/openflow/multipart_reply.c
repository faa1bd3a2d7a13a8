/* The writer of replies that may need more than one message. */
#include "src/openflow/act_wire.h"
#include "src/openflow/msg_codec.h"
#include "src/openflow/multipart_table.h"
#include "src/openflow/oxm.h"

static void part_begin(struct of_multipart *mp)
{
    msg_begin(&mp->part, OF_MULTIPART_REPLY, mp->version, mp->xid);
    multipart_put_head(&mp->part, mp->type, mp->nx, mp->version, false);
}

void of_multipart_begin(struct of_multipart *mp, uint8_t version, uint32_t xid, enum of_multipart_type type, bool nx)
{
    memset(mp, 0, sizeof(*mp));
    mp->version = version;
    mp->xid = xid;
    mp->type = type;
    mp->nx = nx;
    part_begin(mp);
}

void multipart_entry_end(struct of_multipart *mp, struct of_buf *out, size_t at)
{
    struct of_buf entry = {NULL, 0, 0};

    if (mp->part.len <= UINT16_MAX)
        return;
    of_buf_add_bytes(&entry, mp->part.data + at, mp->part.len - at);
    mp->part.len = at;
    of_buf_set_u16(&mp->part, OF_HEADER_LEN + 2, 1); /* more follows */
    msg_end(&mp->part, 0);
    of_buf_add_bytes(out, mp->part.data, mp->part.len);
    mp->part.len = 0;
    part_begin(mp);
    of_buf_add_bytes(&mp->part, entry.data, entry.len);
    of_buf_free(&entry);
}

void of_multipart_end(struct of_multipart *mp, struct of_buf *out)
{
    msg_end(&mp->part, 0);
    of_buf_add_bytes(out, mp->part.data, mp->part.len);
    of_buf_free(&mp->part);
}

void of_multipart_abort(struct of_multipart *mp)
{
    of_buf_free(&mp->part);
}

static void put_text(struct of_buf *buf, const char *text, size_t width)
{
    char *to = of_buf_add(buf, width);

    if (text)
        memcpy(to, text, strnlen(text, width - 1));
}

void of_multipart_add_desc(struct of_multipart *mp, struct of_buf *out, const struct of_desc *desc)
{
    size_t at = mp->part.len;

    put_text(&mp->part, desc->mfr_desc, 256);
    put_text(&mp->part, desc->hw_desc, 256);
    put_text(&mp->part, desc->sw_desc, 256);
    put_text(&mp->part, desc->serial_num, 32);
    put_text(&mp->part, desc->dp_desc, 256);
    multipart_entry_end(mp, out, at);
}

/* --- flows ----------------------------------------------------------------------------------------------------------
 */

/* NXST_FLOW: seconds plus one, 0 = unknown. */
static uint16_t age_to_wire(int32_t age)
{
    return age < 0 ? 0 : age < UINT16_MAX - 1 ? (uint16_t)(age + 1) : UINT16_MAX;
}

static void put_flow(struct of_buf *buf, const struct of_multipart *mp, const struct of_flow_stats *f)
{
    bool of10 = mp->version == OF10;
    size_t len_at = 0;

    of_buf_add_u16(buf, 0);
    of_buf_add_u8(buf, f->table_id);
    of_buf_add_u8(buf, 0);
    if (of10 && !mp->nx)
        match10_encode(buf, f->match);
    of_buf_add_u32(buf, f->duration_s);
    of_buf_add_u32(buf, f->duration_ns);
    of_buf_add_u16(buf, f->priority);
    of_buf_add_u16(buf, f->idle_timeout_s);
    of_buf_add_u16(buf, f->hard_timeout_s);
    if (mp->nx) {
        len_at = buf->len;
        of_buf_add_u16(buf, 0);
        of_buf_add_u16(buf, age_to_wire(f->idle_age_s));
        of_buf_add_u16(buf, age_to_wire(f->hard_age_s));
    } else if (of10) {
        of_buf_add(buf, 6);
    } else {
        of_buf_add_u16(buf, f->flags & 0x1f);
        of_buf_add_u16(buf, mp->version >= OF14 ? f->importance : 0);
        of_buf_add(buf, 2);
    }
    of_buf_add_u64(buf, f->cookie);
    of_buf_add_u64(buf, f->packets);
    of_buf_add_u64(buf, f->bytes);
    if (mp->nx)
        of_buf_set_u16(buf, len_at, (uint16_t)nxm_match_encode(buf, f->match, 0, 0));
    else if (!of10)
        oxm_match_encode(buf, f->match, mp->version);
    instructions_encode(buf, &f->acts, mp->version, f->match);
}

void of_multipart_add_flow(struct of_multipart *mp, struct of_buf *out, const struct of_flow_stats *flow)
{
    size_t at = mp->part.len;

    put_flow(&mp->part, mp, flow);
    of_buf_set_u16(&mp->part, at, (uint16_t)(mp->part.len - at));
    multipart_entry_end(mp, out, at);
}

void of_multipart_add_aggregate(struct of_multipart *mp, struct of_buf *out, const struct of_aggregate *a)
{
    size_t at = mp->part.len;

    of_buf_add_u64(&mp->part, a->packets);
    of_buf_add_u64(&mp->part, a->bytes);
    of_buf_add_u32(&mp->part, a->flows);
    of_buf_add_u32(&mp->part, 0);
    multipart_entry_end(mp, out, at);
}

/* --- tables ---------------------------------------------------------------------------------------------------------
 */

static void put_table_stats(struct of_buf *buf, uint8_t version, const struct of_table_stats *t)
{
    of_buf_add_u8(buf, t->table_id);
    of_buf_add(buf, 3);
    if (version == OF10) {
        of_buf_add_bytes(buf, t->name, sizeof(t->name));
        of_buf_add_u32(buf, 0x3fffff); /* OFPFW_ALL: every field can be wildcarded */
        of_buf_add_u32(buf, t->max_entries);
    }
    of_buf_add_u32(buf, t->active);
    of_buf_add_u64(buf, t->lookups);
    of_buf_add_u64(buf, t->matched);
}

void of_multipart_add_table(struct of_multipart *mp, struct of_buf *out, const struct of_table_stats *table)
{
    struct of_buf *buf = &mp->part;
    size_t at = buf->len;

    switch (mp->type) {
    case OF_MP_TABLE_FEATURES:
        table_features_encode(buf, mp->version, table);
        break;
    case OF_MP_TABLE_DESC:
        of_buf_add_u16(buf, 8);
        of_buf_add_u8(buf, table->table_id);
        of_buf_add_u8(buf, 0);
        of_buf_add_u32(buf, table->config);
        break;
    default:
        put_table_stats(buf, mp->version, table);
    }
    multipart_entry_end(mp, out, at);
}

/* --- ports ----------------------------------------------------------------------------------------------------------
 */

static void put_port_counters(struct of_buf *buf, const struct of_port_stats *p)
{
    of_buf_add_u64(buf, p->rx_packets);
    of_buf_add_u64(buf, p->tx_packets);
    of_buf_add_u64(buf, p->rx_bytes);
    of_buf_add_u64(buf, p->tx_bytes);
    of_buf_add_u64(buf, p->rx_dropped);
    of_buf_add_u64(buf, p->tx_dropped);
    of_buf_add_u64(buf, p->rx_errors);
    of_buf_add_u64(buf, p->tx_errors);
}

static void put_ethernet_counters(struct of_buf *buf, const struct of_port_stats *p)
{
    of_buf_add_u64(buf, p->rx_frame_err);
    of_buf_add_u64(buf, p->rx_over_err);
    of_buf_add_u64(buf, p->rx_crc_err);
    of_buf_add_u64(buf, p->collisions);
}

void of_multipart_add_port(struct of_multipart *mp, struct of_buf *out, const struct of_port_stats *p)
{
    struct of_buf *buf = &mp->part;
    size_t at = buf->len;

    if (mp->version >= OF14) {
        of_buf_add_u16(buf, 80 + 40);
        of_buf_add(buf, 2);
        of_buf_add_u32(buf, p->port_no);
        of_buf_add_u32(buf, p->duration_s);
        of_buf_add_u32(buf, p->duration_ns);
        put_port_counters(buf, p);
        of_buf_add_u16(buf, 0); /* OFPPSPT_ETHERNET */
        of_buf_add_u16(buf, 40);
        of_buf_add(buf, 4);
        put_ethernet_counters(buf, p);
    } else {
        port_put(buf, mp->version, p->port_no);
        of_buf_add(buf, mp->version == OF10 ? 6 : 4);
        put_port_counters(buf, p);
        put_ethernet_counters(buf, p);
        if (mp->version != OF10) {
            of_buf_add_u32(buf, p->duration_s);
            of_buf_add_u32(buf, p->duration_ns);
        }
    }
    multipart_entry_end(mp, out, at);
}

void of_multipart_add_port_desc(struct of_multipart *mp, struct of_buf *out, const struct of_port *port)
{
    size_t at = mp->part.len;

    port_encode(&mp->part, mp->version, port);
    multipart_entry_end(mp, out, at);
}
