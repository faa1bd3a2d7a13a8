/* Bundles: OpenFlow 1.4.1, 7.3.9; the same as messages of ONF's (EXT-230) below OpenFlow 1.4. */
#include "src/openflow/codec/msg_impl.h"

#define BUNDLE_PROPERTY_TIME 1 /* OpenFlow 1.5: of a commit that is scheduled, which its flags say as well */

static int decode_properties(struct reader *r, const struct of_msg *msg)
{
    struct reader value;
    uint16_t type;
    int more;

    while ((more = read_property(r, &type, &value)) > 0) {
        if (type != BUNDLE_PROPERTY_TIME || msg->version < OF15)
            return property_unknown(type);
    }
    return more < 0 ? OFPERR_BPC_BAD_LEN : 0;
}

int decode_bundle_control(struct reader *r, const struct of_decode_options *options, struct of_msg *msg)
{
    msg->bundle_control.bundle_id = read_u32(r);
    msg->bundle_control.type = read_u16(r);
    msg->bundle_control.flags = read_u16(r);
    if (r->bad)
        return OFPERR_BRC_BAD_LEN;
    if (msg->version >= OF14)
        return decode_properties(r, msg);
    read_skip(r, r->left);
    return 0;
}

static size_t begin(const struct of_msg *msg, struct of_buf *buf)
{
    if (msg->version >= OF14)
        return msg_begin(buf, msg->type, msg->version, msg->xid);
    return msg_begin_vendor(buf, msg->version, msg->xid, OF_EXPERIMENTER_ONF,
                            msg->type == OF_BUNDLE_CONTROL ? ONFT_BUNDLE_CONTROL : ONFT_BUNDLE_ADD);
}

void encode_bundle_control(const struct of_msg *msg, struct of_buf *buf)
{
    size_t start = begin(msg, buf);

    of_buf_add_u32(buf, msg->bundle_control.bundle_id);
    of_buf_add_u16(buf, msg->bundle_control.type);
    of_buf_add_u16(buf, msg->bundle_control.flags);
    msg_end(buf, start);
}

/* Whether the message changes the switch. An experimenter's message is an NXT_FLOW_MOD of OpenFlow 1.0 at best. */
static bool can_be_bundled(uint8_t wire_type, uint8_t version)
{
    switch (msg_type_of_wire(wire_type, version)) {
    case OF_FLOW_MOD:
    case OF_GROUP_MOD:
    case OF_METER_MOD:
    case OF_PORT_MOD:
    case OF_TABLE_MOD:
    case OF_PACKET_OUT:
        return true;
    case OF_EXPERIMENTER:
        return version == OF10;
    default:
        return false;
    }
}

int decode_bundle_add(struct reader *r, const struct of_decode_options *options, struct of_msg *msg)
{
    struct of_bundle_add *add = &msg->bundle_add;
    struct of_header inner;

    add->bundle_id = read_u32(r);
    read_skip(r, 2);
    add->flags = read_u16(r);
    if (r->bad)
        return OFPERR_BRC_BAD_LEN;
    if (r->left < OF_HEADER_LEN)
        return OFPERR_BFC_MSG_BAD_LEN;
    if (of_header_parse(r->p, &inner) || inner.length > r->left)
        return OFPERR_BFC_MSG_BAD_LEN;
    if (inner.xid != msg->xid)
        return OFPERR_BFC_MSG_BAD_XID;
    if (inner.version != msg->version || !can_be_bundled(inner.type, inner.version))
        return OFPERR_BFC_MSG_UNSUP;
    add->msg = r->p;
    add->msg_len = inner.length;
    read_skip(r, r->left); /* properties, behind padding */
    return 0;
}

void encode_bundle_add(const struct of_msg *msg, struct of_buf *buf)
{
    size_t start = begin(msg, buf);

    of_buf_add_u32(buf, msg->bundle_add.bundle_id);
    of_buf_add_u16(buf, 0);
    of_buf_add_u16(buf, msg->bundle_add.flags);
    of_buf_add_bytes(buf, msg->bundle_add.msg, msg->bundle_add.msg_len);
    msg_end(buf, start);
}
