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
