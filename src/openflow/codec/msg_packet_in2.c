/* NXT_PACKET_IN2, the packet-in of properties, and NXT_RESUME, by which a controller gives back what it got in one. */
#include "src/openflow/codec/msg_impl.h"
#include "src/openflow/wire/oxm.h"

enum {
    NXPINT_PACKET,
    NXPINT_FULL_LEN,
    NXPINT_BUFFER_ID,
    NXPINT_TABLE_ID,
    NXPINT_COOKIE,
    NXPINT_REASON,
    NXPINT_METADATA,
    NXPINT_USERDATA,
    NXPINT_CONTINUATION
};

/* One property. OFPERR_BPC_BAD_TYPE: not a known one. */
static int decode_property(uint16_t type, struct reader *value, struct of_packet_in *pin)
{
    switch (type) {
    case NXPINT_PACKET:
        pin->data = value->p;
        pin->data_len = value->left;
        if (!pin->total_len)
            pin->total_len = (uint16_t)value->left;
        return 0;
    case NXPINT_FULL_LEN:
        pin->total_len = (uint16_t)read_u32(value);
        return 0;
    case NXPINT_BUFFER_ID:
        pin->buffer_id = read_u32(value);
        return 0;
    case NXPINT_TABLE_ID:
        pin->table_id = read_u8(value);
        return 0;
    case NXPINT_COOKIE:
        read_skip(value, 4);
        pin->cookie = read_u64(value);
        return 0;
    case NXPINT_REASON:
        pin->reason = read_u8(value);
        return 0;
    case NXPINT_METADATA:
        return oxm_decode(value, &pin->fields, NULL, NULL);
    case NXPINT_USERDATA:
        pin->userdata = value->p;
        pin->userdata_len = value->left;
        return 0;
    case NXPINT_CONTINUATION:
        read_skip(value, 4);
        pin->continuation = (struct of_bytes){value->p, value->left};
        return 0;
    default:
        return OFPERR_BPC_BAD_TYPE;
    }
}

static int decode_properties(struct reader *r, bool loose, struct of_packet_in *pin)
{
    struct reader value;
    uint16_t type;
    int more, error;

    pin->format = OF_PACKET_IN_NXT2;
    pin->buffer_id = OF_NO_BUFFER;
    pin->cookie = UINT64_MAX;
    while ((more = read_property(r, &type, &value)) > 0) {
        error = decode_property(type, &value, pin);
        if (error && !(loose && error == OFPERR_BPC_BAD_TYPE))
            return error;
        if (value.bad)
            return OFPERR_BRC_BAD_LEN;
    }
    return more < 0 ? OFPERR_BRC_BAD_LEN : 0;
}

int decode_nx_packet_in2(struct reader *r, const struct of_decode_options *options, struct of_msg *msg)
{
    return decode_properties(r, true, &msg->packet_in);
}

int decode_nx_resume(struct reader *r, const struct of_decode_options *options, struct of_msg *msg)
{
    int error = decode_properties(r, false, &msg->packet_in);
    uint32_t in_port;

    if (error)
        return error;
    if (!packet_in_has_only_pipeline_fields(&msg->packet_in.fields))
        return OFPERR_BRC_PIPELINE_FIELDS_ONLY;
    in_port = msg->packet_in.fields.value.in_port;
    return in_port == OFPORT_NONE || packet_out_port_is_valid(in_port) ? 0 : OFPERR_BRC_BAD_PORT;
}

/* --- encoding ------------------------------------------------------------ */

static void put_property(struct of_buf *buf, uint16_t type, unsigned pad, const void *value, size_t len)
{
    size_t start = buf->len;

    of_buf_add_u16(buf, type);
    of_buf_add_u16(buf, (uint16_t)(4 + pad + len));
    of_buf_add(buf, pad);
    of_buf_add_bytes(buf, value, len);
    of_buf_pad(buf, start, 8);
}

static size_t at_most(size_t len, size_t *room)
{
    size_t n = len < *room ? len : *room;

    *room -= n;
    return n;
}

static void encode(const struct of_msg *msg, uint32_t subtype, struct of_buf *buf)
{
    const struct of_packet_in *pin = &msg->packet_in;
    size_t start = msg_begin_vendor(buf, msg->version, msg->xid, OF_EXPERIMENTER_NICIRA, subtype), at;
    rte_be32_t full_len = rte_cpu_to_be_32(pin->total_len), buffer_id = rte_cpu_to_be_32(pin->buffer_id);
    rte_be64_t cookie = rte_cpu_to_be_64(pin->cookie);
    uint8_t reason = of_packet_in_reason(pin->reason, msg->version);

    /* A continuation, and userdata, which come with the rule, have to come back whole; the packet makes room. */
    size_t room = OF_PACKET_IN2_MAX, continuation_len = at_most(pin->continuation.len, &room);
    size_t userdata_len = at_most(pin->userdata_len, &room), packet_len = at_most(pin->data_len, &room);

    put_property(buf, NXPINT_PACKET, 0, pin->data, packet_len);
    if (pin->total_len != packet_len)
        put_property(buf, NXPINT_FULL_LEN, 0, &full_len, 4);
    if (pin->buffer_id != OF_NO_BUFFER)
        put_property(buf, NXPINT_BUFFER_ID, 0, &buffer_id, 4);
    put_property(buf, NXPINT_TABLE_ID, 0, &pin->table_id, 1);
    if (pin->cookie != UINT64_MAX)
        put_property(buf, NXPINT_COOKIE, 4, &cookie, 8);
    put_property(buf, NXPINT_REASON, 0, &reason, 1);
    at = buf->len;
    of_buf_add_u16(buf, NXPINT_METADATA);
    of_buf_add_u16(buf, 0);
    oxm_encode(buf, &pin->fields, OXM_NXM, 0, 0);
    of_buf_set_u16(buf, at + 2, (uint16_t)(buf->len - at));
    of_buf_pad(buf, at, 8);
    if (userdata_len)
        put_property(buf, NXPINT_USERDATA, 0, pin->userdata, userdata_len);
    if (pin->continuation.data)
        put_property(buf, NXPINT_CONTINUATION, 4, pin->continuation.data, continuation_len);
    msg_end(buf, start);
}

void encode_nx_packet_in2(const struct of_msg *msg, struct of_buf *buf)
{
    encode(msg, NXT_PACKET_IN2, buf);
}

void encode_nx_resume(const struct of_msg *msg, struct of_buf *buf)
{
    encode(msg, NXT_RESUME, buf);
}
