#include <stdlib.h>

#include "pmd/base/log.h"
#include "src/openflow/codec/msg_impl.h"

/* Nothing may follow the header. */
static int decode_empty(struct reader *r, const struct of_decode_options *options, struct of_msg *msg)
{
    return 0;
}

static void encode_empty(const struct of_msg *msg, struct of_buf *buf)
{
    msg_end(buf, msg_begin(buf, msg->type, msg->version, msg->xid));
}

#define VERSIONS 4
#define NO -1

/* Every message: name, its number in 1.0, 1.3, 1.4, 1.5, how it is read and written. */
static const struct kind {
    const char *name;
    int8_t wire[VERSIONS];
    msg_decoder *decode;
    msg_encoder *encode;
} kinds[OF_N_MSG_TYPES] = {
    [OF_HELLO] = {"hello", {0, 0, 0, 0}, decode_hello, encode_hello},
    [OF_ERROR] = {"error", {1, 1, 1, 1}, decode_error, encode_error},
    [OF_ECHO_REQUEST] = {"echo_request", {2, 2, 2, 2}, decode_echo, encode_echo},
    [OF_ECHO_REPLY] = {"echo_reply", {3, 3, 3, 3}, decode_echo, encode_echo},
    [OF_EXPERIMENTER] = {"experimenter", {4, 4, 4, 4}, NULL, NULL},
    [OF_FEATURES_REQUEST] = {"features_request", {5, 5, 5, 5}, decode_empty, encode_empty},
    [OF_FEATURES_REPLY] = {"features_reply", {6, 6, 6, 6}, decode_features, encode_features},
    [OF_GET_CONFIG_REQUEST] = {"get_config_request", {7, 7, 7, 7}, decode_empty, encode_empty},
    [OF_GET_CONFIG_REPLY] = {"get_config_reply", {8, 8, 8, 8}, decode_get_config_reply, encode_config},
    [OF_SET_CONFIG] = {"set_config", {9, 9, 9, 9}, decode_get_config_reply, encode_config},
    [OF_PACKET_IN] = {"packet_in", {10, 10, 10, 10}, decode_packet_in, encode_packet_in},
    [OF_FLOW_REMOVED] = {"flow_removed", {11, 11, 11, 11}, decode_flow_removed, encode_flow_removed},
    [OF_PORT_STATUS] = {"port_status", {12, 12, 12, 12}, decode_port_status, encode_port_status},
    [OF_PACKET_OUT] = {"packet_out", {13, 13, 13, 13}, decode_packet_out, encode_packet_out},
    [OF_FLOW_MOD] = {"flow_mod", {14, 14, 14, 14}, decode_flow_mod, encode_flow_mod},
    [OF_GROUP_MOD] = {"group_mod", {NO, 15, 15, 15}, decode_group_mod, encode_group_mod},
    [OF_PORT_MOD] = {"port_mod", {15, 16, 16, 16}, decode_port_mod, encode_port_mod},
    [OF_TABLE_MOD] = {"table_mod", {NO, 17, 17, 17}, decode_table_mod, encode_table_mod},
    [OF_MULTIPART_REQUEST] = {"multipart_request",
                              {16, 18, 18, 18},
                              decode_multipart_request,
                              encode_multipart_request},
    [OF_MULTIPART_REPLY] = {"multipart_reply", {17, 19, 19, 19}, decode_multipart_reply, encode_multipart_reply},
    [OF_BARRIER_REQUEST] = {"barrier_request", {18, 20, 20, 20}, decode_empty, encode_empty},
    [OF_BARRIER_REPLY] = {"barrier_reply", {19, 21, 21, 21}, decode_empty, encode_empty},
    [OF_QUEUE_GET_CONFIG_REQUEST] = {"queue_get_config_request",
                                     {20, 22, NO, NO},
                                     decode_queue_get_config_request,
                                     encode_queue_get_config},
    [OF_QUEUE_GET_CONFIG_REPLY] = {"queue_get_config_reply",
                                   {21, 23, NO, NO},
                                   decode_queue_get_config_reply,
                                   encode_queue_get_config},
    [OF_ROLE_REQUEST] = {"role_request", {NO, 24, 24, 24}, decode_role, encode_role},
    [OF_ROLE_REPLY] = {"role_reply", {NO, 25, 25, 25}, decode_role, encode_role},
    [OF_GET_ASYNC_REQUEST] = {"get_async_request", {NO, 26, 26, 26}, decode_empty, encode_empty},
    [OF_GET_ASYNC_REPLY] = {"get_async_reply", {NO, 27, 27, 27}, decode_async, encode_async},
    [OF_SET_ASYNC] = {"set_async", {NO, 28, 28, 28}, decode_async, encode_async},
    [OF_METER_MOD] = {"meter_mod", {NO, 29, 29, 29}, decode_meter_mod, encode_meter_mod},
    [OF_ROLE_STATUS] = {"role_status", {NO, NO, 30, 30}, decode_role_status, encode_role_status},
    [OF_TABLE_STATUS] = {"table_status", {NO, NO, 31, 31}, decode_table_status, encode_table_status},
    [OF_REQUESTFORWARD] = {"requestforward", {NO, NO, 32, 32}, decode_requestforward, encode_requestforward},
    [OF_BUNDLE_CONTROL] = {"bundle_control", {NO, NO, 33, 33}, decode_bundle_control, encode_bundle_control},
    [OF_BUNDLE_ADD] = {"bundle_add", {NO, NO, 34, 34}, decode_bundle_add, encode_bundle_add},
    [OF_CONTROLLER_STATUS] = {"controller_status",
                              {NO, NO, NO, 35},
                              decode_controller_status,
                              encode_controller_status},
    [OF_SET_FLOW_FORMAT] = {"set_flow_format", {NO, NO, NO, NO}, NULL, encode_nx_u32},
    [OF_FLOW_MOD_TABLE_ID] = {"flow_mod_table_id", {NO, NO, NO, NO}, NULL, encode_nx_u32},
    [OF_SET_PACKET_IN_FORMAT] = {"set_packet_in_format", {NO, NO, NO, NO}, NULL, encode_nx_u32},
    [OF_SET_CONTROLLER_ID] = {"set_controller_id", {NO, NO, NO, NO}, NULL, encode_nx_u32},
    [OF_RESUME] = {"resume", {NO, NO, NO, NO}, NULL, encode_nx_resume},
    [OF_CT_FLUSH_ZONE] = {"ct_flush_zone", {NO, NO, NO, NO}, NULL, encode_ct_flush_zone},
    [OF_CT_FLUSH] = {"ct_flush", {NO, NO, NO, NO}, NULL, encode_ct_flush},
    [OF_TLV_TABLE_MOD] = {"tlv_table_mod", {NO, NO, NO, NO}, NULL, encode_tlv},
    [OF_TLV_TABLE_REQUEST] = {"tlv_table_request", {NO, NO, NO, NO}, NULL, encode_tlv},
    [OF_TLV_TABLE_REPLY] = {"tlv_table_reply", {NO, NO, NO, NO}, NULL, encode_tlv},
    [OF_FLOW_MONITOR_CANCEL] = {"flow_monitor_cancel", {NO, NO, NO, NO}, NULL, encode_nx_u32},
};

/* Vendor messages, and what they are another form of. `of10`: only there. */
static const struct vendor_kind {
    uint32_t vendor, subtype;
    enum of_msg_type type;
    msg_decoder *decode;
    bool of10;
} vendor_kinds[] = {
    {OF_EXPERIMENTER_NICIRA, NXT_ROLE_REQUEST, OF_ROLE_REQUEST, decode_nx_role, false},
    {OF_EXPERIMENTER_NICIRA, NXT_ROLE_REPLY, OF_ROLE_REPLY, decode_nx_role, false},
    {OF_EXPERIMENTER_NICIRA, NXT_SET_FLOW_FORMAT, OF_SET_FLOW_FORMAT, decode_nx_u32, true},
    {OF_EXPERIMENTER_NICIRA, NXT_FLOW_MOD, OF_FLOW_MOD, decode_nx_flow_mod, true},
    {OF_EXPERIMENTER_NICIRA, NXT_FLOW_REMOVED, OF_FLOW_REMOVED, decode_nx_flow_removed, true},
    {OF_EXPERIMENTER_NICIRA, NXT_FLOW_MOD_TABLE_ID, OF_FLOW_MOD_TABLE_ID, decode_nx_u32, true},
    {OF_EXPERIMENTER_NICIRA, NXT_SET_PACKET_IN_FORMAT, OF_SET_PACKET_IN_FORMAT, decode_packet_in_format, false},
    {OF_EXPERIMENTER_NICIRA, NXT_PACKET_IN, OF_PACKET_IN, decode_nx_packet_in, false},
    {OF_EXPERIMENTER_NICIRA, NXT_PACKET_IN2, OF_PACKET_IN, decode_nx_packet_in2, false},
    {OF_EXPERIMENTER_NICIRA, NXT_SET_ASYNC_CONFIG, OF_SET_ASYNC, decode_nx_async, false},
    {OF_EXPERIMENTER_NICIRA, NXT_SET_CONTROLLER_ID, OF_SET_CONTROLLER_ID, decode_nx_u32, false},
    {OF_EXPERIMENTER_NICIRA, NXT_RESUME, OF_RESUME, decode_nx_resume, false},
    {OF_EXPERIMENTER_NICIRA, NXT_CT_FLUSH_ZONE, OF_CT_FLUSH_ZONE, decode_ct_flush_zone, false},
    {OF_EXPERIMENTER_NICIRA, NXT_CT_FLUSH, OF_CT_FLUSH, decode_ct_flush, false},
    {OF_EXPERIMENTER_NICIRA, NXT_TLV_TABLE_MOD, OF_TLV_TABLE_MOD, decode_tlv_mod, false},
    {OF_EXPERIMENTER_NICIRA, NXT_TLV_TABLE_REQUEST, OF_TLV_TABLE_REQUEST, decode_tlv_request, false},
    {OF_EXPERIMENTER_NICIRA, NXT_TLV_TABLE_REPLY, OF_TLV_TABLE_REPLY, decode_tlv_reply, false},
    {OF_EXPERIMENTER_NICIRA, NXT_FLOW_MONITOR_CANCEL, OF_FLOW_MONITOR_CANCEL, decode_nx_u32, true},
    {OF_EXPERIMENTER_ONF, ONFT_FLOW_MONITOR_CANCEL, OF_FLOW_MONITOR_CANCEL, decode_nx_u32, false},
    {OF_EXPERIMENTER_ONF, ONFT_BUNDLE_CONTROL, OF_BUNDLE_CONTROL, decode_bundle_control, false},
    {OF_EXPERIMENTER_ONF, ONFT_BUNDLE_ADD, OF_BUNDLE_ADD, decode_bundle_add, false},
};

const char *of_msg_type_name(enum of_msg_type type)
{
    return type < OF_N_MSG_TYPES ? kinds[type].name : "unknown";
}

/* The column of a version. HELLO and ERROR are read whatever the version is: they are the same in all. */
static unsigned column(uint8_t version)
{
    switch (version) {
    case OF10:
        return 0;
    case OF14:
        return 2;
    case OF15:
        return 3;
    default:
        return 1;
    }
}

/* -1 = the version has no such message. */
static int wire_type_of(enum of_msg_type type, uint8_t version)
{
    return kinds[type].wire[column(version)];
}

#define WIRE_TYPES 64

/* The inverse of kinds[].wire, + 1. */
static uint8_t type_by_wire[VERSIONS][WIRE_TYPES];

__attribute__((constructor)) static void fill_types(void)
{
    for (unsigned v = 0; v < VERSIONS; v++)
        for (int i = OF_N_MSG_TYPES; i-- > 0;)
            if (kinds[i].name && kinds[i].wire[v] != NO)
                type_by_wire[v][kinds[i].wire[v]] = (uint8_t)(i + 1);
}

int msg_type_of_wire(uint8_t wire_type, uint8_t version)
{
    return wire_type < WIRE_TYPES ? type_by_wire[column(version)][wire_type] - 1 : -1;
}

/* --- framing ------------------------------------------------------------- */

int of_header_parse(const uint8_t *data, struct of_header *header)
{
    struct reader r = reader_of(data, OF_HEADER_LEN);

    header->version = read_u8(&r);
    header->type = read_u8(&r);
    header->length = read_u16(&r);
    header->xid = read_u32(&r);
    return header->length < OF_HEADER_LEN ? OFPERR_BRC_BAD_LEN : 0;
}

uint8_t of_version_negotiate(uint32_t ours, uint32_t theirs)
{
    uint32_t both = ours & theirs & ~1u;

    return both ? (uint8_t)(31 - __builtin_clz(both)) : 0;
}

uint8_t of_hello_negotiate(uint32_t ours, const struct of_msg *hello)
{
    uint8_t highest = of_version_negotiate(ours, ours);
    uint8_t smaller = hello->version < highest ? hello->version : highest;

    return hello->hello ? of_version_negotiate(ours, hello->hello) : of_version_negotiate(ours, 1u << smaller);
}

static size_t begin_raw(struct of_buf *buf, uint8_t wire_type, uint8_t version, uint32_t xid)
{
    size_t start = buf->len;

    of_buf_add_u8(buf, version);
    of_buf_add_u8(buf, wire_type);
    of_buf_add_u16(buf, 0);
    of_buf_add_u32(buf, xid);
    return start;
}

size_t msg_begin(struct of_buf *buf, enum of_msg_type type, uint8_t version, uint32_t xid)
{
    return begin_raw(buf, (uint8_t)wire_type_of(type, version), version, xid);
}

size_t msg_begin_vendor(struct of_buf *buf, uint8_t version, uint32_t xid, uint32_t vendor, uint32_t subtype)
{
    size_t start = begin_raw(buf, 4, version, xid);

    of_buf_add_u32(buf, vendor);
    of_buf_add_u32(buf, subtype);
    return start;
}

void msg_end(struct of_buf *buf, size_t start)
{
    if (buf->len - start > UINT16_MAX) {
        LOG_ERR_RL(LOG_OPENFLOW, "a message of type %u and %zu bytes was not sent: no message can be that long",
                   buf->data[start + 1], buf->len - start);
        buf->len = start;
        return;
    }
    of_buf_set_u16(buf, start + 2, (uint16_t)(buf->len - start));
}

/* --- decoding and encoding ----------------------------------------------- */

static int decode_vendor(struct reader *r, const struct of_decode_options *options, struct of_msg *msg)
{
    uint32_t vendor = read_u32(r), subtype;

    if (r->bad)
        return OFPERR_BRC_BAD_LEN;
    if (vendor != OF_EXPERIMENTER_NICIRA && vendor != OF_EXPERIMENTER_ONF)
        return OFPERR_BRC_BAD_EXPERIMENTER;
    subtype = read_u32(r);
    if (r->bad)
        return OFPERR_BRC_BAD_LEN;
    for (size_t i = 0; i < sizeof vendor_kinds / sizeof vendor_kinds[0]; i++) {
        const struct vendor_kind *k = &vendor_kinds[i];

        if (k->vendor == vendor && k->subtype == subtype && (!k->of10 || msg->version == OF10)) {
            msg->type = k->type;
            return k->decode(r, options, msg);
        }
    }
    return OFPERR_BRC_BAD_EXP_TYPE;
}

static int decode_body(struct reader *r, uint8_t wire_type, const struct of_decode_options *options, struct of_msg *msg)
{
    int type = msg_type_of_wire(wire_type, msg->version);

    if (type < 0)
        return OFPERR_BRC_BAD_TYPE;
    msg->type = type;
    if (type != OF_HELLO && type != OF_ERROR && !(msg->version < 32 && OF_VERSIONS >> msg->version & 1))
        return OFPERR_BRC_BAD_VERSION;
    if (type == OF_EXPERIMENTER)
        return decode_vendor(r, options, msg);
    return kinds[type].decode(r, options, msg);
}

int of_msg_decode(const uint8_t *data, size_t len, const struct of_decode_options *options, struct of_msg *msg)
{
    static const struct of_decode_options no_options;
    struct of_header header;
    struct reader r;
    int error;

    memset(msg, 0, sizeof *msg);
    if (len < OF_HEADER_LEN || of_header_parse(data, &header) || header.length != len)
        return OFPERR_BRC_BAD_LEN;
    msg->version = header.version;
    msg->xid = header.xid;
    r = reader_of(data + OF_HEADER_LEN, len - OF_HEADER_LEN);
    error = decode_body(&r, header.type, options ? options : &no_options, msg);
    if (!error && (r.bad || r.left))
        error = OFPERR_BRC_BAD_LEN;
    if (error)
        of_msg_free(msg);
    return error;
}

void of_msg_free(struct of_msg *msg)
{
    act_buffer_free(&msg->acts);
    if (msg->type == OF_GROUP_MOD) {
        free(msg->group_mod.buckets);
        msg->group_mod.buckets = NULL;
        msg->group_mod.n_buckets = 0;
    }
    if (msg->type == OF_FEATURES_REPLY) {
        free(msg->features.ports);
        msg->features.ports = NULL;
        msg->features.n_ports = 0;
    }
}

void of_msg_encode(const struct of_msg *msg, struct of_buf *out)
{
    if (kinds[msg->type].encode)
        kinds[msg->type].encode(msg, out);
}

void of_error_encode(enum of_error error, uint8_t version, const uint8_t *request, size_t len, struct of_buf *out)
{
    struct of_header header = {.xid = 0};
    struct of_msg msg = {.type = OF_ERROR, .version = version};

    if (len >= OF_HEADER_LEN)
        of_header_parse(request, &header);
    msg.xid = header.xid;
    msg.error.error = error;
    msg.error.data = request;
    msg.error.data_len = len < 64 ? len : 64;
    encode_error(&msg, out);
}

void of_hello_encode(uint32_t versions, uint32_t xid, struct of_buf *out)
{
    struct of_msg msg = {.type = OF_HELLO, .version = of_version_negotiate(versions, versions), .xid = xid};

    msg.hello = versions;
    encode_hello(&msg, out);
}
