/* The codec's parts: one decoder and one encoder per message, wired up by the tables in msg.c. Private to the codec.
 *
 * A decoder reads the body (what follows the header, or the vendor's subtype) and returns 0 or an enum of_error; what
 * it leaves unread is an error of the caller's (OFPERR_BRC_BAD_LEN). An encoder writes a whole message.
 */
#ifndef SRC_OPENFLOW_CODEC_MSG_IMPL_H
#define SRC_OPENFLOW_CODEC_MSG_IMPL_H

#include "src/openflow/codec/msg.h"
#include "src/openflow/wire/wire.h"

typedef int msg_decoder(struct reader *r, const struct of_decode_options *options, struct of_msg *msg);
typedef void msg_encoder(const struct of_msg *msg, struct of_buf *buf);

/* Bytes that surely suffice for whatever surrounds the one long part of a message or entry (actions, a packet): heads
 * and a match of all fields. */
#define MSG_AROUND_MAX 2048u

/* -1 = the version has no such message. */
int msg_type_of_wire(uint8_t wire_type, uint8_t version);

/* Frames: where the message starts is returned, and its length patched at the end. */
size_t msg_begin(struct of_buf *buf, enum of_msg_type type, uint8_t version, uint32_t xid);
size_t msg_begin_vendor(struct of_buf *buf, uint8_t version, uint32_t xid, uint32_t vendor, uint32_t subtype);
/* One that is too long for a message is taken back, and logged: whoever made it has not seen to its parts. */
void msg_end(struct of_buf *buf, size_t start);

/* Vendor messages: subtypes. */
enum {
    NXT_ROLE_REQUEST = 10,
    NXT_ROLE_REPLY = 11,
    NXT_SET_FLOW_FORMAT = 12,
    NXT_FLOW_MOD = 13,
    NXT_FLOW_REMOVED = 14,
    NXT_FLOW_MOD_TABLE_ID = 15,
    NXT_SET_PACKET_IN_FORMAT = 16,
    NXT_PACKET_IN = 17,
    NXT_SET_ASYNC_CONFIG = 19,
    NXT_SET_CONTROLLER_ID = 20,
    NXT_TLV_TABLE_MOD = 24,
    NXT_TLV_TABLE_REQUEST = 25,
    NXT_TLV_TABLE_REPLY = 26,
    NXT_CT_FLUSH_ZONE = 29,
    NXT_CT_FLUSH = 32,
    NXT_FLOW_MONITOR_CANCEL = 21,
    NXT_FLOW_MONITOR_PAUSED = 22,
    NXT_FLOW_MONITOR_RESUMED = 23,
    NXT_RESUME = 28,
    NXT_PACKET_IN2 = 30,
    ONFT_FLOW_MONITOR_CANCEL = 1870,
    ONFT_FLOW_MONITOR_PAUSED = 1871,
    ONFT_FLOW_MONITOR_RESUMED = 1872,
    ONFT_BUNDLE_CONTROL = 2300,
    ONFT_BUNDLE_ADD = 2301,
};

/* msg_session.c */
msg_decoder decode_hello, decode_error, decode_echo, decode_get_config_reply, decode_nx_u32, decode_packet_in_format;
msg_encoder encode_hello, encode_error, encode_echo, encode_config, encode_nx_u32;
/* msg_ct.c */
msg_decoder decode_ct_flush_zone, decode_ct_flush;
msg_encoder encode_ct_flush_zone, encode_ct_flush;
/* msg_tlv.c */
msg_decoder decode_tlv_mod, decode_tlv_request, decode_tlv_reply;
msg_encoder encode_tlv;
/* msg_async.c */
msg_decoder decode_async, decode_nx_async;
msg_encoder encode_async;
/* msg_port.c */
/* OFPQT_*, and OFPQDPT_* of OpenFlow 1.4. */
#define OF_QUEUE_MIN_RATE 1
#define OF_QUEUE_MAX_RATE 2
msg_decoder decode_features, decode_port_status, decode_port_mod, decode_queue_get_config_request,
    decode_queue_get_config_reply;
msg_encoder encode_features, encode_port_status, encode_port_mod, encode_queue_get_config;
void port_encode(struct of_buf *buf, uint8_t version, const struct of_port *port);
/* Returns false if malformed. */
bool port_decode(struct reader *r, uint8_t version, struct of_port *port);
uint32_t port_read(struct reader *r, uint8_t version); /* a number of 2 or 4 bytes */
void port_put(struct of_buf *buf, uint8_t version, uint32_t port);
/* msg_table.c */
/* Reads the description of a table, as messages and replies have it. Returns 0 or an enum of_error. */
int table_desc_read(struct reader *r, struct of_table_config *config);
msg_decoder decode_table_mod, decode_table_status;
msg_encoder encode_table_mod, encode_table_status;
/* msg_packet.c */
msg_decoder decode_packet_in, decode_nx_packet_in, decode_packet_out;
msg_encoder encode_packet_in, encode_packet_out;
/* Can a packet that a controller sends have come in there? */
bool packet_out_port_is_valid(uint32_t port);
bool packet_in_has_only_pipeline_fields(const struct match *fields);
/* msg_packet_in2.c */
msg_decoder decode_nx_packet_in2, decode_nx_resume;
msg_encoder encode_nx_packet_in2, encode_nx_resume;
/* msg_flow.c */
msg_decoder decode_flow_mod, decode_nx_flow_mod;
msg_encoder encode_flow_mod;
/* msg_flow_removed.c */
msg_decoder decode_flow_removed, decode_nx_flow_removed;
msg_encoder encode_flow_removed;
/* msg_controller.c */
/* Reads the description of a controller, as messages and replies have it. False: it is malformed. */
bool controller_status_read(struct reader *r, struct of_controller_status *status);
msg_decoder decode_role, decode_role_status, decode_nx_role, decode_controller_status, decode_requestforward;
msg_encoder encode_role, encode_role_status, encode_controller_status, encode_requestforward;
/* msg_group.c */
msg_decoder decode_group_mod;
msg_encoder encode_group_mod;
/* msg_meter.c */
msg_decoder decode_meter_mod;
msg_encoder encode_meter_mod;
/* msg_bundle.c */
msg_decoder decode_bundle_control, decode_bundle_add;
msg_encoder encode_bundle_control, encode_bundle_add;
/* multipart_request.c; multipart_reply.c, entries of replies with their families */
msg_decoder decode_multipart_request, decode_multipart_reply;
msg_encoder encode_multipart_request, encode_multipart_reply;
/* The entry of `mp` that begins at `at` is whole. If the part is too long with it, all before it goes to `out`. One
 * that is too long for any part is left out, and logged. */
void multipart_entry_end(struct of_multipart *mp, struct of_buf *out, size_t at);
/* The head of a request or reply behind the OpenFlow header, up to the body. */
void multipart_put_head(struct of_buf *buf, enum of_multipart_type type, bool nx, uint8_t version, bool more);

#endif
