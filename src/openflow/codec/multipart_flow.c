/* Entries of replies about flow entries, written and read: OFPMP_FLOW, NXST_FLOW, OFPMP_AGGREGATE; in OpenFlow 1.5
 * OFPMP_FLOW_DESC, OFPMP_FLOW_STATS, OFPMP_AGGREGATE_STATS. */
#include "src/openflow/codec/msg_impl.h"
#include "src/openflow/wire/act_wire.h"
#include "src/openflow/wire/layout.h"
#include "src/openflow/wire/oxm.h"
#include "src/openflow/wire/oxs.h"

#define FLAGS_WIRE 0x1f /* the flags of a rule that messages have */

#define MEMBER(member, width) LAYOUT(struct of_flow_stats, member, width)

/* --- up to OpenFlow 1.4: a head, what the forms differ in, a tail -------- */

static const struct layout head[] = {MEMBER(duration_s, 4),     MEMBER(duration_ns, 4),    MEMBER(priority, 2),
                                     MEMBER(idle_timeout_s, 2), MEMBER(hard_timeout_s, 2), LAYOUT_END};
static const struct layout middle10[] = {LAYOUT_PAD(6), LAYOUT_END};
static const struct layout middle13[] = {MEMBER(flags, 2), LAYOUT_PAD(4), LAYOUT_END};
static const struct layout middle14[] = {MEMBER(flags, 2), MEMBER(importance, 2), LAYOUT_PAD(2), LAYOUT_END};
static const struct layout tail[] = {MEMBER(cookie, 8), MEMBER(packets, 8), MEMBER(bytes, 8), LAYOUT_END};

static const struct layout *middle_of(uint8_t version)
{
    return version == OF10 ? middle10 : version == OF13 ? middle13 : middle14;
}

/* NXST_FLOW: seconds plus one, 0 = unknown. */
static uint16_t age_to_wire(int32_t age)
{
    return age < 0 ? 0 : age < UINT16_MAX - 1 ? (uint16_t)(age + 1) : UINT16_MAX;
}

static int32_t age_from_wire(uint16_t age)
{
    return age ? age - 1 : -1;
}

static void put_flow(struct of_buf *buf, uint8_t version, bool nx, const struct of_flow_stats *f)
{
    bool of10 = version == OF10;
    size_t len_at = 0;

    of_buf_add_u16(buf, 0);
    of_buf_add_u8(buf, f->table_id);
    of_buf_add_u8(buf, 0);
    if (of10 && !nx)
        match10_encode(buf, f->match);
    layout_put(buf, head, f);
    if (nx) {
        len_at = buf->len;
        of_buf_add_u16(buf, 0);
        of_buf_add_u16(buf, age_to_wire(f->idle_age_s));
        of_buf_add_u16(buf, age_to_wire(f->hard_age_s));
    } else {
        layout_put(buf, middle_of(version), f);
    }
    layout_put(buf, tail, f);
    if (nx)
        of_buf_set_u16(buf, len_at, (uint16_t)nxm_match_encode(buf, f->match, 0, 0));
    else if (!of10)
        oxm_match_encode(buf, f->match, version);
    instructions_encode(buf, &f->acts, version, f->match);
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

static const struct layout desc15[] = {LAYOUT_PAD(4),       MEMBER(table_id, 1),       LAYOUT_PAD(1),
                                       MEMBER(priority, 2), MEMBER(idle_timeout_s, 2), MEMBER(hard_timeout_s, 2),
                                       MEMBER(flags, 2),    MEMBER(importance, 2),     MEMBER(cookie, 8),
                                       LAYOUT_END};
static const struct layout stats15[] = {LAYOUT_PAD(4), MEMBER(table_id, 1), MEMBER(reason, 1), MEMBER(priority, 2),
                                        LAYOUT_END};

static void put_flow15(struct of_buf *buf, enum of_multipart_type type, const struct of_flow_stats *f)
{
    const struct oxs_stats stats = {
        .present = OXS_DURATION | (f->idle_age_s < 0 ? 0 : OXS_IDLE_TIME) |
                   (f->packets == UINT64_MAX ? 0 : OXS_PACKET_COUNT) | (f->bytes == UINT64_MAX ? 0 : OXS_BYTE_COUNT),
        .duration_s = f->duration_s,
        .duration_ns = f->duration_ns,
        .idle_s = (uint32_t)f->idle_age_s,
        .packets = f->packets,
        .bytes = f->bytes,
    };

    layout_put(buf, type == OF_MP_FLOW ? desc15 : stats15, f);
    oxm_match_encode(buf, f->match, OF15);
    oxs_encode(buf, &stats);
    if (type == OF_MP_FLOW)
        instructions_encode(buf, &f->acts, OF15, f->match);
}

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

/* --- entries of any version ---------------------------------------------- */

void of_multipart_add_flow(struct of_multipart *mp, struct of_buf *out, const struct of_flow_stats *flow)
{
    size_t at = mp->part.len;
    struct of_flow_stats wire = *flow;

    wire.flags &= FLAGS_WIRE;
    if (mp->version >= OF15)
        put_flow15(&mp->part, mp->type, &wire);
    else
        put_flow(&mp->part, mp->version, mp->nx, &wire);
    of_buf_set_u16(&mp->part, at, (uint16_t)(mp->part.len - at));
    multipart_entry_end(mp, out, at);
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
    return multipart_advance(reply, &r);
}

/* --- aggregates ---------------------------------------------------------- */

static const struct layout aggregate[] = {LAYOUT(struct of_aggregate, packets, 8),
                                          LAYOUT(struct of_aggregate, bytes, 8), LAYOUT(struct of_aggregate, flows, 4),
                                          LAYOUT_PAD(4), LAYOUT_END};

void of_multipart_add_aggregate(struct of_multipart *mp, struct of_buf *out, const struct of_aggregate *a)
{
    size_t at = mp->part.len;

    if (mp->version >= OF15) {
        const struct oxs_stats stats = {.present = OXS_FLOW_COUNT | OXS_PACKET_COUNT | OXS_BYTE_COUNT,
                                        .flows = a->flows,
                                        .packets = a->packets,
                                        .bytes = a->bytes};

        oxs_encode(&mp->part, &stats);
    } else {
        layout_put(&mp->part, aggregate, a);
    }
    multipart_entry_end(mp, out, at);
}

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
    return multipart_advance(reply, &r);
}
