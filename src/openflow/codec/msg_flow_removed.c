/* FLOW_REMOVED (OpenFlow 1.0.2, 5.4.2; 1.3.5, 7.4.2; 1.5.1, 7.4.2), NXT_FLOW_REMOVED. */
#include "src/openflow/codec/msg_impl.h"
#include "src/openflow/wire/layout.h"
#include "src/openflow/wire/oxm.h"
#include "src/openflow/wire/oxs.h"

#define MEMBER(member, width) LAYOUT(struct of_flow_removed, member, width)

static const struct layout head[] = {
    MEMBER(cookie, 8),     MEMBER(priority, 2),    MEMBER(reason, 1),         MEMBER(table_id, 1),
    MEMBER(duration_s, 4), MEMBER(duration_ns, 4), MEMBER(idle_timeout_s, 2), LAYOUT_END};
static const struct layout tail[] = {MEMBER(packets, 8), MEMBER(bytes, 8), LAYOUT_END};
static const struct layout head15[] = {
    MEMBER(table_id, 1),       MEMBER(reason, 1), MEMBER(priority, 2), MEMBER(idle_timeout_s, 2),
    MEMBER(hard_timeout_s, 2), MEMBER(cookie, 8), LAYOUT_END};

static enum rule_removed_reason reason_for(enum rule_removed_reason reason, uint8_t version)
{
    if (version == OF10 && reason > RULE_DELETED)
        return RULE_DELETED;
    return version < OF14 && reason > RULE_GROUP_DELETED ? RULE_DELETED : reason;
}

/* --- reading ------------------------------------------------------------- */

static int decode10(struct reader *r, struct of_flow_removed *fr)
{
    int error = match10_decode(r, &fr->match, NULL);

    layout_read(r, head, fr);
    fr->table_id = 0; /* padding, as is the next */
    read_skip(r, 2);
    layout_read(r, tail, fr);
    return error;
}

static int decode15(struct reader *r, struct of_flow_removed *fr)
{
    struct oxs_stats stats;
    int error;

    layout_read(r, head15, fr);
    error = r->bad ? OFPERR_BRC_BAD_LEN : oxm_match_decode(r, &fr->match);
    if (!error)
        error = oxs_decode(r, &stats);
    if (error)
        return error;
    fr->duration_s = stats.duration_s;
    fr->duration_ns = stats.duration_ns;
    fr->packets = stats.present & OXS_PACKET_COUNT ? stats.packets : UINT64_MAX;
    fr->bytes = stats.present & OXS_BYTE_COUNT ? stats.bytes : UINT64_MAX;
    return 0;
}

int decode_flow_removed(struct reader *r, const struct of_decode_options *options, struct of_msg *msg)
{
    struct of_flow_removed *fr = &msg->flow_removed;
    int error;

    if (msg->version == OF10) {
        error = decode10(r, fr);
    } else if (msg->version >= OF15) {
        error = decode15(r, fr);
    } else {
        layout_read(r, head, fr);
        fr->hard_timeout_s = read_u16(r);
        layout_read(r, tail, fr);
        error = r->bad ? OFPERR_BRC_BAD_LEN : oxm_match_decode(r, &fr->match);
    }
    if (error)
        return error;
    return fr->reason > RULE_EVICTED ? OFPERR_BRC_BAD_LEN : 0;
}

int decode_nx_flow_removed(struct reader *r, const struct of_decode_options *options, struct of_msg *msg)
{
    struct of_flow_removed *fr = &msg->flow_removed;
    uint16_t match_len;

    fr->nxm = true;
    layout_read(r, head, fr);
    fr->table_id -= fr->table_id > 0; /* plus one; 0 = not told */
    match_len = read_u16(r);
    layout_read(r, tail, fr);
    if (r->bad || fr->reason > RULE_EVICTED)
        return OFPERR_BRC_BAD_LEN;
    return nxm_match_decode(r, match_len, &fr->match, NULL, NULL);
}

/* --- writing ------------------------------------------------------------- */

static void encode15(struct of_buf *buf, const struct of_flow_removed *fr)
{
    const struct oxs_stats stats = {.present = OXS_DURATION | (fr->packets == UINT64_MAX ? 0 : OXS_PACKET_COUNT) |
                                               (fr->bytes == UINT64_MAX ? 0 : OXS_BYTE_COUNT),
                                    .duration_s = fr->duration_s,
                                    .duration_ns = fr->duration_ns,
                                    .packets = fr->packets,
                                    .bytes = fr->bytes};

    layout_put(buf, head15, fr);
    oxm_match_encode(buf, &fr->match, OF15);
    oxs_encode(buf, &stats);
}

static void encode_nx(struct of_buf *buf, struct of_flow_removed *fr)
{
    size_t len_at;

    fr->table_id++;
    layout_put(buf, head, fr);
    len_at = buf->len;
    of_buf_add_u16(buf, 0);
    layout_put(buf, tail, fr);
    of_buf_set_u16(buf, len_at, (uint16_t)nxm_match_encode(buf, &fr->match, 0, 0));
}

void encode_flow_removed(const struct of_msg *msg, struct of_buf *buf)
{
    struct of_flow_removed fr = msg->flow_removed;
    bool of10 = msg->version == OF10, nxm = of10 && fr.nxm;
    size_t start = nxm ? msg_begin_vendor(buf, OF10, msg->xid, OF_EXPERIMENTER_NICIRA, NXT_FLOW_REMOVED)
                       : msg_begin(buf, OF_FLOW_REMOVED, msg->version, msg->xid);

    fr.reason = reason_for(fr.reason, msg->version);
    if (nxm) {
        encode_nx(buf, &fr);
    } else if (msg->version >= OF15) {
        encode15(buf, &fr);
    } else {
        if (of10) {
            match10_encode(buf, &fr.match);
            fr.table_id = 0;
        }
        layout_put(buf, head, &fr);
        of_buf_add_u16(buf, of10 ? 0 : fr.hard_timeout_s);
        layout_put(buf, tail, &fr);
        if (!of10)
            oxm_match_encode(buf, &fr.match, msg->version);
    }
    msg_end(buf, start);
}
