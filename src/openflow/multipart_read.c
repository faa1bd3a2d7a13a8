/* The entries of a reply, as a client reads them. */
#include "src/openflow/act_wire.h"
#include "src/openflow/msg_codec.h"
#include "src/openflow/multipart_table.h"
#include "src/openflow/oxm.h"

/* Takes what `r` has read off the body: 1, or -1 if it ran over the end. */
static int advance(struct of_multipart_reply *reply, const struct reader *r)
{
    if (r->bad)
        return -1;
    reply->body.len = r->left;
    reply->body.data = r->p;
    return 1;
}

static int32_t age_from_wire(uint16_t age)
{
    return age ? age - 1 : -1;
}

static int read_flow(struct reader *r, uint8_t version, bool nx, struct of_flow_stats *f, struct match *match,
                     struct act_buffer *acts)
{
    bool of10 = version == OF10;
    uint16_t match_len = 0;
    int error = 0;

    read_skip(r, 2);
    f->table_id = read_u8(r);
    read_skip(r, 1);
    if (of10 && !nx)
        error = match10_decode(r, match);
    f->duration_s = read_u32(r);
    f->duration_ns = read_u32(r);
    f->priority = read_u16(r);
    f->idle_timeout_s = read_u16(r);
    f->hard_timeout_s = read_u16(r);
    f->idle_age_s = f->hard_age_s = -1;
    if (nx) {
        match_len = read_u16(r);
        f->idle_age_s = age_from_wire(read_u16(r));
        f->hard_age_s = age_from_wire(read_u16(r));
    } else if (of10) {
        read_skip(r, 6);
    } else {
        f->flags = read_u16(r);
        f->importance = read_u16(r);
        read_skip(r, 2);
    }
    f->cookie = read_u64(r);
    f->packets = read_u64(r);
    f->bytes = read_u64(r);
    if (r->bad)
        return -1;
    if (nx)
        error = nxm_match_decode(r, match_len, match, NULL, NULL);
    else if (!of10)
        error = oxm_match_decode(r, match);
    if (!error)
        error = of10 ? acts_decode(r, version, acts) : instructions_decode(r, version, acts);
    return error || r->bad || r->left ? -1 : 1;
}

int of_multipart_next_flow(uint8_t version, struct of_multipart_reply *reply, struct of_flow_stats *flow,
                           struct match *match, struct act_buffer *acts)
{
    struct reader r = reader_of(reply->body.data, reply->body.len), peek = r, entry;

    if (r.left == 0)
        return 0;
    memset(flow, 0, sizeof(*flow));
    acts->len = 0;
    entry = read_part(&r, read_u16(&peek));
    if (r.bad || read_flow(&entry, version, reply->nx, flow, match, acts) < 0)
        return -1;
    flow->match = match;
    flow->acts = act_buffer_list(acts);
    return advance(reply, &r);
}

int of_multipart_next_aggregate(uint8_t version, struct of_multipart_reply *reply, struct of_aggregate *a)
{
    struct reader r = reader_of(reply->body.data, reply->body.len);

    if (r.left == 0)
        return 0;
    a->packets = read_u64(&r);
    a->bytes = read_u64(&r);
    a->flows = read_u32(&r);
    read_skip(&r, 4);
    return advance(reply, &r);
}

static void read_table_stats(struct reader *r, uint8_t version, struct of_table_stats *t)
{
    t->table_id = read_u8(r);
    read_skip(r, 3);
    if (version == OF10) {
        read_copy(r, t->name, sizeof(t->name));
        t->name[sizeof(t->name) - 1] = '\0';
        read_skip(r, 4);
        t->max_entries = read_u32(r);
    }
    t->active = read_u32(r);
    t->lookups = read_u64(r);
    t->matched = read_u64(r);
}

int of_multipart_next_table(uint8_t version, struct of_multipart_reply *reply, struct of_table_stats *t)
{
    struct reader r = reader_of(reply->body.data, reply->body.len), entry, peek = r;

    if (r.left == 0)
        return 0;
    memset(t, 0, sizeof(*t));
    switch (reply->type) {
    case OF_MP_TABLE_FEATURES:
        if (!table_features_decode(&r, t))
            return -1;
        break;
    case OF_MP_TABLE_DESC:
        entry = read_part(&r, read_u16(&peek));
        read_skip(&entry, 2);
        t->table_id = read_u8(&entry);
        read_skip(&entry, 1);
        t->config = read_u32(&entry);
        if (entry.bad)
            return -1;
        break;
    default:
        read_table_stats(&r, version, t);
    }
    return advance(reply, &r);
}

static void read_port_counters(struct reader *r, struct of_port_stats *p)
{
    p->rx_packets = read_u64(r);
    p->tx_packets = read_u64(r);
    p->rx_bytes = read_u64(r);
    p->tx_bytes = read_u64(r);
    p->rx_dropped = read_u64(r);
    p->tx_dropped = read_u64(r);
    p->rx_errors = read_u64(r);
    p->tx_errors = read_u64(r);
}

static void read_ethernet_counters(struct reader *r, struct of_port_stats *p)
{
    p->rx_frame_err = read_u64(r);
    p->rx_over_err = read_u64(r);
    p->rx_crc_err = read_u64(r);
    p->collisions = read_u64(r);
}

static bool read_port14(struct reader *r, struct of_port_stats *p)
{
    struct reader peek = *r, entry = read_part(r, read_u16(&peek)), value;
    uint16_t type;
    int more;

    read_skip(&entry, 4);
    p->port_no = read_u32(&entry);
    p->duration_s = read_u32(&entry);
    p->duration_ns = read_u32(&entry);
    read_port_counters(&entry, p);
    p->rx_frame_err = p->rx_over_err = p->rx_crc_err = p->collisions = UINT64_MAX;
    while ((more = read_property(&entry, &type, &value)) > 0) {
        if (type != 0)
            continue;
        read_skip(&value, 4);
        read_ethernet_counters(&value, p);
        if (value.bad)
            return false;
    }
    return more == 0;
}

int of_multipart_next_port(uint8_t version, struct of_multipart_reply *reply, struct of_port_stats *p)
{
    struct reader r = reader_of(reply->body.data, reply->body.len);

    if (r.left == 0)
        return 0;
    memset(p, 0, sizeof(*p));
    if (version >= OF14)
        return read_port14(&r, p) ? advance(reply, &r) : -1;
    p->port_no = port_read(&r, version);
    read_skip(&r, version == OF10 ? 6 : 4);
    read_port_counters(&r, p);
    read_ethernet_counters(&r, p);
    if (version != OF10) {
        p->duration_s = read_u32(&r);
        p->duration_ns = read_u32(&r);
    }
    return advance(reply, &r);
}

int of_multipart_next_port_desc(uint8_t version, struct of_multipart_reply *reply, struct of_port *port)
{
    struct reader r = reader_of(reply->body.data, reply->body.len);

    if (r.left == 0)
        return 0;
    return port_decode(&r, version, port) ? advance(reply, &r) : -1;
}
