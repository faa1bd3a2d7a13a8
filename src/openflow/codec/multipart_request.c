/* MULTIPART_REQUEST (STATS_REQUEST of OpenFlow 1.0), and what requests and replies have in common. */
#include "src/openflow/codec/msg_impl.h"
#include "src/openflow/wire/oxm.h"

#define MP_EXPERIMENTER 0xffff
#define NXST_FLOW 0
#define NXST_AGGREGATE 1
#define NXST_FLOW_MONITOR 2
#define ONFST_FLOW_MONITOR 1870
#define MP_MORE 1 /* OFPMPF_REQ_MORE, OFPMPF_REPLY_MORE */
#define NO -1

/* Numbers in 1.0, 1.3, 1.4, 1.5. OpenFlow 1.0 has PORT_DESC from Open vSwitch, as later versions number it. */
static const int8_t numbers[OF_N_MP_TYPES][4] = {
    [OF_MP_DESC] = {0, 0, 0, 0},
    [OF_MP_FLOW] = {1, 1, 1, 1},
    [OF_MP_AGGREGATE] = {2, 2, 2, 2},
    [OF_MP_TABLE] = {3, 3, 3, 3},
    [OF_MP_PORT] = {4, 4, 4, 4},
    [OF_MP_QUEUE] = {5, 5, 5, 5},
    [OF_MP_GROUP] = {NO, 6, 6, 6},
    [OF_MP_GROUP_DESC] = {NO, 7, 7, 7},
    [OF_MP_GROUP_FEATURES] = {NO, 8, 8, 8},
    [OF_MP_METER] = {NO, 9, 9, 9},
    [OF_MP_METER_CONFIG] = {NO, 10, 10, 10},
    [OF_MP_METER_FEATURES] = {NO, 11, 11, 11},
    [OF_MP_TABLE_FEATURES] = {NO, 12, 12, 12},
    [OF_MP_PORT_DESC] = {13, 13, 13, 13},
    [OF_MP_TABLE_DESC] = {NO, NO, 14, 14},
    [OF_MP_QUEUE_DESC] = {NO, NO, 15, 15},
    [OF_MP_FLOW_MONITOR] = {NO, NO, 16, 16},
    [OF_MP_FLOW_STATS] = {NO, NO, NO, 17},
    [OF_MP_CONTROLLER_STATUS] = {NO, NO, NO, 18},
    [OF_MP_BUNDLE_FEATURES] = {NO, NO, NO, 19},
};

static unsigned column(uint8_t version)
{
    return version == OF10 ? 0 : version == OF13 ? 1 : version == OF14 ? 2 : 3;
}

/* Type numbers, -1 = the version has no such part. */
static int wire_type_of(enum of_multipart_type type, uint8_t version)
{
    return numbers[type][column(version)];
}

static int type_of_wire(uint16_t wire_type, uint8_t version)
{
    for (int i = 0; i < OF_N_MP_TYPES; i++)
        if (numbers[i][column(version)] == (int)wire_type)
            return i;
    return -1;
}

void multipart_put_head(struct of_buf *buf, enum of_multipart_type type, bool nx, uint8_t version, bool more)
{
    of_buf_add_u16(buf, nx ? MP_EXPERIMENTER : (uint16_t)wire_type_of(type, version));
    of_buf_add_u16(buf, more ? MP_MORE : 0);
    if (version != OF10)
        of_buf_add(buf, 4);
    if (nx) {
        of_buf_add_u32(buf, version == OF10 ? OF_EXPERIMENTER_NICIRA : OF_EXPERIMENTER_ONF);
        of_buf_add_u32(buf, version != OF10              ? ONFST_FLOW_MONITOR
                            : type == OF_MP_FLOW_MONITOR ? NXST_FLOW_MONITOR
                            : type == OF_MP_FLOW         ? NXST_FLOW
                                                         : NXST_AGGREGATE);
        if (version == OF10)
            of_buf_add(buf, 4);
    }
}

/* Type and flags; for Nicira's, also what follows up to the body. */
static int read_head(struct reader *r, uint8_t version, enum of_multipart_type *type, bool *nx, bool *more)
{
    uint16_t wire = read_u16(r), flags = read_u16(r);
    uint32_t vendor, subtype;
    int known;

    *more = flags & MP_MORE;
    if (version != OF10)
        read_skip(r, 4);
    if (r->bad)
        return OFPERR_BRC_BAD_LEN;
    if (wire != MP_EXPERIMENTER) {
        known = type_of_wire(wire, version);
        if (known < 0)
            return OFPERR_BRC_BAD_MULTIPART;
        *type = known;
        return 0;
    }
    vendor = read_u32(r);
    subtype = read_u32(r);
    if (version == OF10 && vendor == OF_EXPERIMENTER_NICIRA)
        read_skip(r, 4);
    if (r->bad)
        return OFPERR_BRC_BAD_LEN;
    *nx = true;
    *type = OF_MP_FLOW_MONITOR;
    if (vendor == OF_EXPERIMENTER_ONF)
        return version == OF13 && subtype == ONFST_FLOW_MONITOR ? 0 : OFPERR_BRC_BAD_EXP_TYPE;
    if (vendor != OF_EXPERIMENTER_NICIRA)
        return OFPERR_BRC_BAD_EXPERIMENTER;
    if (version != OF10 || subtype > NXST_FLOW_MONITOR)
        return OFPERR_BRC_BAD_EXP_TYPE;
    if (subtype != NXST_FLOW_MONITOR)
        *type = subtype == NXST_FLOW ? OF_MP_FLOW : OF_MP_AGGREGATE;
    return 0;
}

/* --- filters of flow and aggregate statistics ---------------------------- */

static int decode_filter(struct reader *r, uint8_t version, struct of_multipart_request *rq)
{
    struct rule_filter *f = &rq->filter;
    uint16_t match_len;
    int error = 0;

    f->out_group = OFGROUP_ANY;
    if (rq->nx) {
        f->out_port = port_from_of10(read_u16(r));
        match_len = read_u16(r);
        f->table_id = read_u8(r);
        read_skip(r, 3);
        error = nxm_match_decode(r, match_len, &rq->match, &f->cookie, &f->cookie_mask);
    } else if (version == OF10) {
        error = match10_decode(r, &rq->match, NULL);
        f->table_id = read_u8(r);
        read_skip(r, 1);
        f->out_port = port_from_of10(read_u16(r));
    } else {
        f->table_id = read_u8(r);
        read_skip(r, 3);
        f->out_port = read_u32(r);
        f->out_group = read_u32(r);
        read_skip(r, 4);
        f->cookie = read_u64(r);
        f->cookie_mask = read_u64(r);
        error = r->bad ? OFPERR_BRC_BAD_LEN : oxm_match_decode(r, &rq->match);
    }
    f->match = &rq->match;
    return error;
}

static void encode_filter(struct of_buf *buf, uint8_t version, const struct of_multipart_request *rq)
{
    const struct rule_filter *f = &rq->filter;

    if (rq->nx) {
        size_t len_at;

        of_buf_add_u16(buf, port_to_of10(f->out_port));
        len_at = buf->len;
        of_buf_add(buf, 2);
        of_buf_add_u8(buf, f->table_id);
        of_buf_add(buf, 3);
        of_buf_set_u16(buf, len_at, (uint16_t)nxm_match_encode(buf, &rq->match, f->cookie, f->cookie_mask));
    } else if (version == OF10) {
        match10_encode(buf, &rq->match);
        of_buf_add_u8(buf, f->table_id);
        of_buf_add_u8(buf, 0);
        of_buf_add_u16(buf, port_to_of10(f->out_port));
    } else {
        of_buf_add_u8(buf, f->table_id);
        of_buf_add(buf, 3);
        of_buf_add_u32(buf, f->out_port);
        of_buf_add_u32(buf, f->out_group);
        of_buf_add(buf, 4);
        of_buf_add_u64(buf, f->cookie);
        of_buf_add_u64(buf, f->cookie_mask);
        oxm_match_encode(buf, &rq->match, version);
    }
}

/* --- requests ------------------------------------------------------------ */

/* A port and, of queues, a queue. */
static void decode_port_queue(struct reader *r, uint8_t version, struct of_multipart_request *rq)
{
    rq->port_no = port_read(r, version);
    if (rq->type == OF_MP_PORT)
        read_skip(r, version == OF10 ? 6 : 4);
    else if (version == OF10)
        read_skip(r, 2);
    if (rq->type != OF_MP_PORT)
        rq->queue_id = read_u32(r);
}

static void encode_port_queue(struct of_buf *buf, uint8_t version, const struct of_multipart_request *rq)
{
    port_put(buf, version, rq->port_no);
    if (rq->type == OF_MP_PORT)
        of_buf_add(buf, version == OF10 ? 6 : 4);
    else if (version == OF10)
        of_buf_add(buf, 2);
    if (rq->type != OF_MP_PORT)
        of_buf_add_u32(buf, rq->queue_id);
}

int decode_multipart_request(struct reader *r, const struct of_decode_options *options, struct of_msg *msg)
{
    struct of_multipart_request *rq = &msg->request;
    int error = read_head(r, msg->version, &rq->type, &rq->nx, &rq->more);

    rq->port_no = OFPORT_ANY;
    rq->queue_id = rq->meter_id = UINT32_MAX;
    rq->group_id = 0xfffffffc;
    if (error)
        return error;
    switch (rq->type) {
    case OF_MP_FLOW:
    case OF_MP_FLOW_STATS:
    case OF_MP_AGGREGATE:
        return decode_filter(r, msg->version, rq);
    case OF_MP_PORT:
    case OF_MP_QUEUE:
    case OF_MP_QUEUE_DESC:
        decode_port_queue(r, msg->version, rq);
        return 0;
    case OF_MP_GROUP_DESC:
        if (msg->version < OF15)
            return 0;
        /* fallthrough */
    case OF_MP_GROUP:
        rq->group_id = read_u32(r);
        read_skip(r, 4);
        return 0;
    case OF_MP_METER:
    case OF_MP_METER_CONFIG:
        rq->meter_id = read_u32(r);
        read_skip(r, 4);
        return 0;
    case OF_MP_TABLE_FEATURES:
    case OF_MP_FLOW_MONITOR:
        rq->body.data = r->p;
        rq->body.len = r->left;
        read_skip(r, r->left);
        return 0;
    case OF_MP_PORT_DESC:
        if (msg->version >= OF15) {
            rq->port_no = read_u32(r);
            read_skip(r, 4);
        }
        return 0;
    case OF_MP_BUNDLE_FEATURES:
        rq->bundle_flags = read_u32(r);
        read_skip(r, 4);
        read_skip(r, r->bad ? 0 : r->left); /* properties: of scheduled commits */
        return 0;
    default: /* no body */
        return 0;
    }
}

void encode_multipart_request(const struct of_msg *msg, struct of_buf *buf)
{
    const struct of_multipart_request *rq = &msg->request;
    size_t start = msg_begin(buf, OF_MULTIPART_REQUEST, msg->version, msg->xid);

    multipart_put_head(buf, rq->type, rq->nx, msg->version, rq->more);
    switch (rq->type) {
    case OF_MP_FLOW:
    case OF_MP_FLOW_STATS:
    case OF_MP_AGGREGATE:
        encode_filter(buf, msg->version, rq);
        break;
    case OF_MP_PORT:
    case OF_MP_QUEUE:
    case OF_MP_QUEUE_DESC:
        encode_port_queue(buf, msg->version, rq);
        break;
    case OF_MP_GROUP_DESC:
        if (msg->version < OF15)
            break;
        /* fallthrough */
    case OF_MP_GROUP:
        of_buf_add_u32(buf, rq->group_id);
        of_buf_add(buf, 4);
        break;
    case OF_MP_METER:
    case OF_MP_METER_CONFIG:
        of_buf_add_u32(buf, rq->meter_id);
        of_buf_add(buf, 4);
        break;
    case OF_MP_TABLE_FEATURES:
    case OF_MP_FLOW_MONITOR:
        of_buf_add_bytes(buf, rq->body.data, rq->body.len);
        break;
    case OF_MP_PORT_DESC:
        if (msg->version >= OF15) {
            of_buf_add_u32(buf, rq->port_no);
            of_buf_add(buf, 4);
        }
        break;
    case OF_MP_BUNDLE_FEATURES:
        of_buf_add_u32(buf, rq->bundle_flags);
        of_buf_add(buf, 4);
        break;
    default:
        break;
    }
    msg_end(buf, start);
}

/* --- replies as a whole: the entries are read one by one ----------------- */

int decode_multipart_reply(struct reader *r, const struct of_decode_options *options, struct of_msg *msg)
{
    struct of_multipart_reply *reply = &msg->reply;
    int error = read_head(r, msg->version, &reply->type, &reply->nx, &reply->more);

    if (error)
        return error;
    reply->body.data = r->p;
    reply->body.len = r->left;
    read_skip(r, r->left);
    return 0;
}

void encode_multipart_reply(const struct of_msg *msg, struct of_buf *buf)
{
    size_t start = msg_begin(buf, OF_MULTIPART_REPLY, msg->version, msg->xid);

    multipart_put_head(buf, msg->reply.type, msg->reply.nx, msg->version, msg->reply.more);
    of_buf_add_bytes(buf, msg->reply.body.data, msg->reply.body.len);
    msg_end(buf, start);
}
