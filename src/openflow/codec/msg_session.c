/* Messages about the connection itself. */
#include <rte_common.h>

#include "src/openflow/codec/error_wire.h"
#include "src/openflow/codec/msg_impl.h"

#define HELLO_VERSION_BITMAP 1
#define ERROR_EXPERIMENTER 0xffff
#define ERROR_NICIRA_10 0xb0c2 /* Nicira's vendor errors of OpenFlow 1.0 */
#define ONF_BUNDLE_ERRORS 2300 /* EXT-230: experimenter error types of bundles below OpenFlow 1.4 */

/* --- HELLO (OpenFlow 1.3.5, 7.5.1) --------------------------------------- */

int decode_hello(struct reader *r, const struct of_decode_options *options, struct of_msg *msg)
{
    while (r->left >= 4) {
        uint16_t type = read_u16(r), len = read_u16(r);
        struct reader element;

        if (len < 4 || len - 4u > r->left)
            break; /* elements that make no sense are ignored, as unknown ones are */
        element = read_part(r, len - 4u);
        if (type == HELLO_VERSION_BITMAP && element.left >= 4)
            msg->hello = read_u32(&element);
        read_skip(r, RTE_MIN(r->left, (8u - len % 8) % 8));
    }
    read_skip(r, r->left);
    return 0;
}

void encode_hello(const struct of_msg *msg, struct of_buf *buf)
{
    size_t start = msg_begin(buf, OF_HELLO, msg->version, msg->xid);

    of_buf_add_u16(buf, HELLO_VERSION_BITMAP);
    of_buf_add_u16(buf, 8);
    of_buf_add_u32(buf, msg->hello);
    msg_end(buf, start);
}

/* --- ERROR (OpenFlow 1.3.5, 7.4.4) --------------------------------------- */

int decode_error(struct reader *r, const struct of_decode_options *options, struct of_msg *msg)
{
    struct of_error_msg *e = &msg->error;

    e->type = read_u16(r);
    e->code = read_u16(r);
    if (e->type == ERROR_NICIRA_10 && msg->version == OF10) {
        uint16_t type, code;

        e->experimenter = read_u32(r);
        type = read_u16(r);
        code = read_u16(r);
        if (e->experimenter == OF_EXPERIMENTER_NICIRA)
            e->error = of_error_from_vendor10(type, code);
    } else if (e->type == ERROR_EXPERIMENTER && msg->version != OF10) {
        e->experimenter = read_u32(r);
        if (e->experimenter == OF_EXPERIMENTER_ONF && e->code >= ONF_BUNDLE_ERRORS &&
            e->code <= ONF_BUNDLE_ERRORS + OFPERR_BFC_TIMEOUT - OFPERR_BFC_UNKNOWN)
            e->error = OFPERR_BFC_UNKNOWN + (e->code - ONF_BUNDLE_ERRORS);
        else if (e->experimenter == OF_EXPERIMENTER_NICIRA)
            e->error = of_error_from_nicira13(e->code);
    } else {
        e->error = of_error_from_wire(msg->version, e->type, e->code);
    }
    if (r->bad)
        return OFPERR_BRC_BAD_LEN;
    e->data = r->p;
    e->data_len = r->left;
    read_skip(r, r->left);
    return 0;
}

void encode_error(const struct of_msg *msg, struct of_buf *buf)
{
    const struct of_error_msg *e = &msg->error;
    size_t start = msg_begin(buf, OF_ERROR, msg->version, msg->xid);
    uint16_t type = e->type, code = e->code;
    bool bundle = e->error >= OFPERR_BFC_UNKNOWN && e->error <= OFPERR_BFC_TIMEOUT;

    if (msg->version == OF10 && of_error_vendor10(e->error, &type, &code)) {
        of_buf_add_u16(buf, ERROR_NICIRA_10);
        of_buf_add_u16(buf, 0);
        of_buf_add_u32(buf, OF_EXPERIMENTER_NICIRA);
        of_buf_add_u16(buf, type);
        of_buf_add_u16(buf, code);
    } else if (msg->version != OF10 && of_error_nicira13(e->error, msg->version, &code)) {
        of_buf_add_u16(buf, ERROR_EXPERIMENTER);
        of_buf_add_u16(buf, code);
        of_buf_add_u32(buf, OF_EXPERIMENTER_NICIRA);
    } else if (bundle && msg->version == OF13) {
        of_buf_add_u16(buf, ERROR_EXPERIMENTER);
        of_buf_add_u16(buf, ONF_BUNDLE_ERRORS + (e->error - OFPERR_BFC_UNKNOWN));
        of_buf_add_u32(buf, OF_EXPERIMENTER_ONF);
    } else {
        if (e->error)
            of_error_wire(e->error, msg->version, &type, &code);
        of_buf_add_u16(buf, type);
        of_buf_add_u16(buf, code);
        if (!e->error && e->experimenter)
            of_buf_add_u32(buf, e->experimenter);
    }
    of_buf_add_bytes(buf, e->data, e->data_len);
    msg_end(buf, start);
}

/* --- ECHO, configuration ------------------------------------------------- */

int decode_echo(struct reader *r, const struct of_decode_options *options, struct of_msg *msg)
{
    msg->echo.data = r->p;
    msg->echo.len = r->left;
    read_skip(r, r->left);
    return 0;
}

void encode_echo(const struct of_msg *msg, struct of_buf *buf)
{
    size_t start = msg_begin(buf, msg->type, msg->version, msg->xid);

    of_buf_add_bytes(buf, msg->echo.data, msg->echo.len);
    msg_end(buf, start);
}

#define CONFIG_INVALID_TTL 4 /* of OpenFlow 1.1 and 1.2, and of Nicira's extension to 1.0 */

int decode_get_config_reply(struct reader *r, const struct of_decode_options *options, struct of_msg *msg)
{
    uint16_t flags = read_u16(r);

    msg->config.frag = flags & 3;
    msg->config.invalid_ttl = flags & CONFIG_INVALID_TTL;
    msg->config.miss_send_len = read_u16(r);
    if (flags & ~7 && msg->type == OF_SET_CONFIG)
        return OFPERR_SCFC_BAD_FLAGS;
    return 0;
}

void encode_config(const struct of_msg *msg, struct of_buf *buf)
{
    size_t start = msg_begin(buf, msg->type, msg->version, msg->xid);

    of_buf_add_u16(buf, msg->config.frag | (msg->config.invalid_ttl ? CONFIG_INVALID_TTL : 0));
    of_buf_add_u16(buf, msg->config.miss_send_len);
    msg_end(buf, start);
}

/* --- Nicira's settings of a connection ----------------------------------- */

int decode_nx_u32(struct reader *r, const struct of_decode_options *options, struct of_msg *msg)
{
    switch (msg->type) {
    case OF_FLOW_MOD_TABLE_ID:
        msg->u32 = read_u8(r);
        read_skip(r, 7);
        return msg->u32 > 1 ? OFPERR_BRC_EPERM : 0;
    case OF_SET_CONTROLLER_ID:
        read_skip(r, 6);
        msg->u32 = read_u16(r);
        return 0;
    default:
        msg->u32 = read_u32(r);
        /* 0: OpenFlow 1.0's match, 2: NXM. */
        return msg->type == OF_SET_FLOW_FORMAT && msg->u32 != 0 && msg->u32 != 2 ? OFPERR_BRC_EPERM : 0;
    }
}

int decode_packet_in_format(struct reader *r, const struct of_decode_options *options, struct of_msg *msg)
{
    msg->u32 = read_u32(r);
    return msg->u32 > OF_PACKET_IN_NXT2 ? OFPERR_BRC_EPERM : 0;
}

void encode_nx_u32(const struct of_msg *msg, struct of_buf *buf)
{
    uint32_t cancel = msg->version == OF10 ? NXT_FLOW_MONITOR_CANCEL : ONFT_FLOW_MONITOR_CANCEL;
    uint32_t subtype = msg->type == OF_SET_FLOW_FORMAT        ? NXT_SET_FLOW_FORMAT
                       : msg->type == OF_FLOW_MOD_TABLE_ID    ? NXT_FLOW_MOD_TABLE_ID
                       : msg->type == OF_SET_PACKET_IN_FORMAT ? NXT_SET_PACKET_IN_FORMAT
                       : msg->type == OF_FLOW_MONITOR_CANCEL  ? cancel
                                                              : NXT_SET_CONTROLLER_ID;
    size_t start =
        msg_begin_vendor(buf, msg->version, msg->xid,
                         subtype == ONFT_FLOW_MONITOR_CANCEL ? OF_EXPERIMENTER_ONF : OF_EXPERIMENTER_NICIRA, subtype);

    switch (msg->type) {
    case OF_FLOW_MOD_TABLE_ID:
        of_buf_add_u8(buf, (uint8_t)msg->u32);
        of_buf_add(buf, 7);
        break;
    case OF_SET_CONTROLLER_ID:
        of_buf_add(buf, 6);
        of_buf_add_u16(buf, (uint16_t)msg->u32);
        break;
    default:
        of_buf_add_u32(buf, msg->u32);
    }
    msg_end(buf, start);
}
