/* Replies as a client reads them. The layouts are here once more, so that an entry that the switch writes wrongly is
 * not read wrongly by the same row. */
#include "tests/lib/of_replies.h"

#include <string.h>

#include "src/openflow/codec/msg_impl.h"
#include "src/openflow/codec/table_features.h"
#include "src/openflow/wire/act_wire.h"
#include "src/openflow/wire/layout.h"
#include "src/openflow/wire/oxm.h"
#include "src/openflow/wire/oxs.h"

/* Takes what `r` has read off the body of a reply: 1, or -1 if it ran over the end. */
static int advance(struct of_multipart_reply *reply, const struct reader *r)
{
    if (r->bad)
        return -1;
    reply->body.len = r->left;
    reply->body.data = r->p;
    return 1;
}

/* --- flows, up to OpenFlow 1.4: a head, what the forms differ in, a tail - */

#define FLOW(member, width) LAYOUT(struct of_flow_stats, member, width)

static const struct layout head[] = {FLOW(duration_s, 4),     FLOW(duration_ns, 4),    FLOW(priority, 2),
                                     FLOW(idle_timeout_s, 2), FLOW(hard_timeout_s, 2), LAYOUT_END};
static const struct layout middle10[] = {LAYOUT_PAD(6), LAYOUT_END};
static const struct layout middle13[] = {FLOW(flags, 2), LAYOUT_PAD(4), LAYOUT_END};
static const struct layout middle14[] = {FLOW(flags, 2), FLOW(importance, 2), LAYOUT_PAD(2), LAYOUT_END};
static const struct layout tail[] = {FLOW(cookie, 8), FLOW(packets, 8), FLOW(bytes, 8), LAYOUT_END};

static const struct layout *middle_of(uint8_t version)
{
    return version == OF10 ? middle10 : version == OF13 ? middle13 : middle14;
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
        error = match10_decode(r, match, NULL);
    layout_read(r, head, f);
    if (nx) {
        match_len = read_u16(r);
        f->idle_age_s = age_from_wire(read_u16(r));
        f->hard_age_s = age_from_wire(read_u16(r));
    } else {
        layout_read(r, middle_of(version), f);
    }
    layout_read(r, tail, f);
    if (error || r->bad)
        return -1;
    if (nx)
        error = nxm_match_decode(r, match_len, match, NULL, NULL);
    else if (!of10)
        error = oxm_match_decode(r, match);
    if (!error)
        error = of10 ? acts_decode(r, version, acts) : instructions_decode(r, version, acts);
    return error ? -1 : 0;
}

/* --- OpenFlow 1.5.1, 7.3.5.2 and 3 --------------------------------------- */

static const struct layout desc15[] = {
    LAYOUT_PAD(4),           FLOW(table_id, 1), LAYOUT_PAD(1),       FLOW(priority, 2), FLOW(idle_timeout_s, 2),
    FLOW(hard_timeout_s, 2), FLOW(flags, 2),    FLOW(importance, 2), FLOW(cookie, 8),   LAYOUT_END};
static const struct layout stats15[] = {LAYOUT_PAD(4), FLOW(table_id, 1), FLOW(reason, 1), FLOW(priority, 2),
                                        LAYOUT_END};

static int read_flow15(struct reader *r, enum of_multipart_type type, struct of_flow_stats *f, struct match *match,
                       struct act_buffer *acts)
{
    struct oxs_stats stats;

    layout_read(r, type == OF_MP_FLOW ? desc15 : stats15, f);
    if (r->bad || oxm_match_decode(r, match) || oxs_decode(r, &stats))
        return -1;
    f->duration_s = stats.duration_s;
    f->duration_ns = stats.duration_ns;
    f->idle_age_s = stats.present & OXS_IDLE_TIME ? (int32_t)(stats.idle_s & INT32_MAX) : -1;
    f->packets = stats.present & OXS_PACKET_COUNT ? stats.packets : UINT64_MAX;
    f->bytes = stats.present & OXS_BYTE_COUNT ? stats.bytes : UINT64_MAX;
    return type == OF_MP_FLOW && instructions_decode(r, OF15, acts) ? -1 : 0;
}

int of_multipart_next_flow(uint8_t version, struct of_multipart_reply *reply, struct of_flow_stats *flow,
                           struct match *match, struct act_buffer *acts)
{
    struct reader r = reader_of(reply->body.data, reply->body.len), peek = r, entry;
    int error;

    if (r.left == 0)
        return 0;
    memset(flow, 0, sizeof *flow);
    flow->idle_age_s = flow->hard_age_s = -1;
    acts->len = 0;
    entry = read_part(&r, read_u16(&peek));
    if (version >= OF15)
        error = read_flow15(&entry, reply->type, flow, match, acts);
    else
        error = read_flow(&entry, version, reply->nx, flow, match, acts);
    if (error || entry.bad || entry.left)
        return -1;
    flow->match = match;
    flow->acts = act_buffer_list(acts);
    return advance(reply, &r);
}

/* --- aggregates ---------------------------------------------------------- */

static const struct layout aggregate[] = {LAYOUT(struct of_aggregate, packets, 8),
                                          LAYOUT(struct of_aggregate, bytes, 8), LAYOUT(struct of_aggregate, flows, 4),
                                          LAYOUT_PAD(4), LAYOUT_END};

int of_multipart_next_aggregate(uint8_t version, struct of_multipart_reply *reply, struct of_aggregate *a)
{
    struct reader r = reader_of(reply->body.data, reply->body.len);

    if (r.left == 0)
        return 0;
    if (version >= OF15) {
        struct oxs_stats stats;

        if (oxs_decode(&r, &stats))
            return -1;
        *a = (struct of_aggregate){.packets = stats.packets, .bytes = stats.bytes, .flows = stats.flows};
    } else {
        layout_read(&r, aggregate, a);
    }
    return advance(reply, &r);
}

/* --- tables -------------------------------------------------------------- */

#define TABLE(member) LAYOUT(struct of_table_stats, member, sizeof(((struct of_table_stats *)0)->member))

static const struct layout id[] = {TABLE(table_id), LAYOUT_PAD(3), LAYOUT_END};
static const struct layout sizes10[] = {LAYOUT_PAD(4), TABLE(max_entries), LAYOUT_END};
static const struct layout table_counters[] = {TABLE(active), TABLE(lookups), TABLE(matched), LAYOUT_END};

static void read_table(struct reader *r, uint8_t version, struct of_table_stats *t)
{
    layout_read(r, id, t);
    if (version == OF10) {
        read_copy(r, t->name, sizeof t->name);
        t->name[sizeof t->name - 1] = '\0';
        layout_read(r, sizes10, t);
    }
    layout_read(r, table_counters, t);
}

int of_multipart_next_table(uint8_t version, struct of_multipart_reply *reply, struct of_table_stats *t)
{
    struct reader r = reader_of(reply->body.data, reply->body.len);

    if (r.left == 0)
        return 0;
    memset(t, 0, sizeof *t);
    if (reply->type != OF_MP_TABLE_FEATURES)
        read_table(&r, version, t);
    else if (table_features_decode(&r, version, t))
        return -1;
    return advance(reply, &r);
}

int of_multipart_next_table_desc(struct of_multipart_reply *reply, struct of_table_config *config)
{
    struct reader r = reader_of(reply->body.data, reply->body.len);

    if (r.left == 0)
        return 0;
    return table_desc_read(&r, config) ? -1 : advance(reply, &r);
}

/* --- controllers --------------------------------------------------------- */

int of_multipart_next_controller(struct of_multipart_reply *reply, struct of_controller_status *s)
{
    struct reader r = reader_of(reply->body.data, reply->body.len);

    if (r.left == 0)
        return 0;
    return controller_status_read(&r, s) ? advance(reply, &r) : -1;
}

/* --- ports --------------------------------------------------------------- */

#define PROPERTY_ETHERNET 0 /* OFPPSPT_ETHERNET */
#define PORT(member) LAYOUT(struct of_port_stats, member, sizeof(((struct of_port_stats *)0)->member))

static const struct layout port_counters[] = {PORT(rx_packets), PORT(tx_packets), PORT(rx_bytes),
                                              PORT(tx_bytes),   PORT(rx_dropped), PORT(tx_dropped),
                                              PORT(rx_errors),  PORT(tx_errors),  LAYOUT_END};
static const struct layout ethernet[] = {PORT(rx_frame_err), PORT(rx_over_err), PORT(rx_crc_err), PORT(collisions),
                                         LAYOUT_END};
static const struct layout duration[] = {PORT(duration_s), PORT(duration_ns), LAYOUT_END};
static const struct layout head14[] = {LAYOUT_PAD(4), PORT(port_no), PORT(duration_s), PORT(duration_ns), LAYOUT_END};

static bool read_port14(struct reader *r, struct of_port_stats *p)
{
    struct reader peek = *r, entry = read_part(r, read_u16(&peek)), value;
    uint16_t type;
    int more;

    layout_read(&entry, head14, p);
    layout_read(&entry, port_counters, p);
    p->rx_frame_err = p->rx_over_err = p->rx_crc_err = p->collisions = UINT64_MAX;
    while ((more = read_property(&entry, &type, &value)) > 0) {
        if (type != PROPERTY_ETHERNET)
            continue;
        read_skip(&value, 4);
        layout_read(&value, ethernet, p);
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
    memset(p, 0, sizeof *p);
    if (version >= OF14)
        return read_port14(&r, p) ? advance(reply, &r) : -1;
    p->port_no = port_read(&r, version);
    read_skip(&r, version == OF10 ? 6 : 4);
    layout_read(&r, port_counters, p);
    layout_read(&r, ethernet, p);
    if (version != OF10)
        layout_read(&r, duration, p);
    return advance(reply, &r);
}

int of_multipart_next_port_desc(uint8_t version, struct of_multipart_reply *reply, struct of_port *port)
{
    struct reader r = reader_of(reply->body.data, reply->body.len);

    if (r.left == 0)
        return 0;
    return port_decode(&r, version, port) ? advance(reply, &r) : -1;
}

/* --- requests for flow monitors ------------------------------------------ */

#define NX_FLAGS 0x3fu /* Nicira's are OpenFlow 1.4's up to OFPFMF_INSTRUCTIONS */

void of_monitor_request_encode(struct of_buf *buf, uint8_t version, const struct of_monitor_request *rq)
{
    bool nx = version == OF10;
    size_t len_at;

    of_buf_add_u32(buf, rq->id);
    if (version >= OF14) {
        of_buf_add_u32(buf, rq->out_port);
        of_buf_add_u32(buf, rq->out_group);
        of_buf_add_u16(buf, rq->flags);
        of_buf_add_u8(buf, rq->table_id);
        of_buf_add_u8(buf, rq->command);
        oxm_match_encode(buf, &rq->match, version);
        return;
    }
    of_buf_add_u16(buf, rq->flags & NX_FLAGS);
    if (nx)
        of_buf_add_u16(buf, port_to_of10(rq->out_port));
    len_at = buf->len;
    of_buf_add_u16(buf, 0);
    if (!nx)
        of_buf_add_u32(buf, rq->out_port);
    of_buf_add_u8(buf, rq->table_id);
    of_buf_add(buf, nx ? 5 : 3);
    if (nx) {
        of_buf_set_u16(buf, len_at, (uint16_t)nxm_match_encode(buf, &rq->match, 0, 0));
    } else {
        size_t at = buf->len;

        oxm_match_encode(buf, &rq->match, version);
        of_buf_set_u16(buf, len_at, (uint16_t)(buf->data[at + 2] << 8 | buf->data[at + 3]));
    }
}
