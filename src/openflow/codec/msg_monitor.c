#include "src/openflow/codec/msg_monitor.h"

#include "src/openflow/codec/msg_impl.h"
#include "src/openflow/wire/act_wire.h"
#include "src/openflow/wire/oxm.h"

/* Nicira's flags are OpenFlow 1.4's up to OFPFMF_INSTRUCTIONS; NXFMF_OWN has own changes told in full. */
#define NX_FLAGS 0x3fu
#define STANDARD_FLAGS 0x7fu

/* Events as Nicira and ONF number them: ADDED, DELETED, MODIFIED, ABBREV. */
static uint16_t event_to_nx(enum of_monitor_event event)
{
    switch (event) {
    case OF_MONITOR_EV_REMOVED:
        return 1;
    case OF_MONITOR_EV_MODIFIED:
        return 2;
    case OF_MONITOR_EV_ABBREV:
        return 3;
    default:
        return 0;
    }
}

/* --- requests ------------------------------------------------------------ */

/* NXST_FLOW_MONITOR, with a port of 2 bytes and NXM; ONF's has one of 4 and a match of OpenFlow 1.3. */
static int read_extension(struct reader *r, uint8_t version, struct of_monitor_request *rq)
{
    uint16_t match_len, flags;
    bool nx = version == OF10;

    rq->id = read_u32(r);
    flags = read_u16(r);
    if (nx)
        rq->out_port = port_from_of10(read_u16(r));
    match_len = read_u16(r);
    if (!nx)
        rq->out_port = read_u32(r);
    rq->table_id = read_u8(r);
    read_skip(r, nx ? 5 : 3);
    if (r->bad)
        return OFPERR_BRC_BAD_LEN;
    if (flags & ~NX_FLAGS || !(flags & (OF_MONITOR_ADD | OF_MONITOR_REMOVED | OF_MONITOR_MODIFY | OF_MONITOR_INITIAL)))
        return OFPERR_MOFC_BAD_FLAGS;
    rq->flags = flags;
    return nx ? nxm_match_decode(r, match_len, &rq->match, NULL, NULL) : oxm_match_decode(r, &rq->match);
}

static int read_standard(struct reader *r, struct of_monitor_request *rq)
{
    uint16_t flags;

    rq->id = read_u32(r);
    rq->out_port = read_u32(r);
    rq->out_group = read_u32(r);
    flags = read_u16(r);
    rq->table_id = read_u8(r);
    rq->command = read_u8(r);
    if (r->bad)
        return OFPERR_BRC_BAD_LEN;
    if (rq->command > OF_MONITOR_CMD_DELETE)
        return OFPERR_MOFC_BAD_COMMAND;
    if (flags & ~STANDARD_FLAGS)
        return OFPERR_MOFC_BAD_FLAGS;
    rq->flags = flags;
    return oxm_match_decode(r, &rq->match);
}

int of_monitor_request_next(uint8_t version, struct of_bytes *body, struct of_monitor_request *rq)
{
    struct reader r = reader_of(body->data, body->len);
    int error;

    if (r.left == 0)
        return 0;
    memset(rq, 0, sizeof *rq);
    match_init_all(&rq->match);
    rq->out_group = OFGROUP_ANY;
    error = version >= OF14 ? read_standard(&r, rq) : read_extension(&r, version, rq);
    if (error || r.bad)
        return error ? -error : -OFPERR_BRC_BAD_LEN;
    body->data = r.p;
    body->len = r.left;
    return 1;
}

/* --- updates ------------------------------------------------------------- */

static void put_extension(struct of_buf *buf, uint8_t version, const struct rule *rule, const struct match *match,
                          uint8_t reason)
{
    size_t len_at;

    of_buf_add_u16(buf, reason);
    of_buf_add_u16(buf, rule->priority);
    of_buf_add_u16(buf, rule->idle_timeout_s);
    of_buf_add_u16(buf, rule->hard_timeout_s);
    len_at = buf->len;
    of_buf_add_u16(buf, 0);
    of_buf_add_u8(buf, rule->table_id);
    of_buf_add_u8(buf, 0);
    of_buf_add_u64(buf, rule->cookie);
    if (version == OF10) {
        of_buf_set_u16(buf, len_at, (uint16_t)nxm_match_encode(buf, match, 0, 0));
    } else {
        size_t at = buf->len;

        oxm_match_encode(buf, match, version);
        of_buf_set_u16(buf, len_at, (uint16_t)(buf->data[at + 2] << 8 | buf->data[at + 3]));
    }
}

static void put_standard(struct of_buf *buf, uint8_t version, const struct rule *rule, const struct match *match,
                         uint8_t reason)
{
    of_buf_add_u8(buf, rule->table_id);
    of_buf_add_u8(buf, reason);
    of_buf_add_u16(buf, rule->idle_timeout_s);
    of_buf_add_u16(buf, rule->hard_timeout_s);
    of_buf_add_u16(buf, rule->priority);
    of_buf_add(buf, 4);
    of_buf_add_u64(buf, rule->cookie);
    oxm_match_encode(buf, match, version);
}

void of_multipart_add_monitor_rule(struct of_multipart *mp, struct of_buf *out, enum of_monitor_event event,
                                   const struct rule *rule, enum rule_removed_reason reason, bool with_acts)
{
    struct of_buf *buf = &mp->part;
    size_t at = buf->len;
    uint8_t wire_reason = event == OF_MONITOR_EV_REMOVED ? (uint8_t)reason : 0;
    struct match match;

    rule_match(rule, &match);
    of_buf_add_u16(buf, 0);
    of_buf_add_u16(buf, mp->version >= OF14 ? (uint16_t)event : event_to_nx(event));
    if (mp->version >= OF14)
        put_standard(buf, mp->version, rule, &match, wire_reason);
    else
        put_extension(buf, mp->version, rule, &match, wire_reason > RULE_GROUP_DELETED ? RULE_DELETED : wire_reason);
    if (with_acts)
        instructions_encode(buf, &rule->acts, mp->version, &match);
    of_buf_set_u16(buf, at, (uint16_t)(buf->len - at));
    multipart_entry_end(mp, out, at);
}

void of_multipart_add_monitor_abbrev(struct of_multipart *mp, struct of_buf *out, uint32_t xid)
{
    size_t at = mp->part.len;

    of_buf_add_u16(&mp->part, 8);
    of_buf_add_u16(&mp->part, mp->version >= OF14 ? OF_MONITOR_EV_ABBREV : event_to_nx(OF_MONITOR_EV_ABBREV));
    of_buf_add_u32(&mp->part, xid);
    multipart_entry_end(mp, out, at);
}

void of_monitor_pause_encode(struct of_buf *buf, uint8_t version, enum of_monitor_event event)
{
    bool paused = event == OF_MONITOR_EV_PAUSED;
    struct of_multipart mp;
    size_t start;

    if (version >= OF14) {
        of_multipart_begin(&mp, version, 0, OF_MP_FLOW_MONITOR, false);
        of_buf_add_u16(&mp.part, 8);
        of_buf_add_u16(&mp.part, event);
        of_buf_add(&mp.part, 4);
        of_multipart_end(&mp, buf);
        return;
    }
    if (version == OF10)
        start = msg_begin_vendor(buf, version, 0, OF_EXPERIMENTER_NICIRA,
                                 paused ? NXT_FLOW_MONITOR_PAUSED : NXT_FLOW_MONITOR_RESUMED);
    else
        start = msg_begin_vendor(buf, version, 0, OF_EXPERIMENTER_ONF,
                                 paused ? ONFT_FLOW_MONITOR_PAUSED : ONFT_FLOW_MONITOR_RESUMED);
    msg_end(buf, start);
}
