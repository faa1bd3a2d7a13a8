/* PACKET_IN in its five forms, PACKET_OUT. */
#include "src/openflow/codec/msg_impl.h"
#include "src/openflow/wire/act_wire.h"
#include "src/openflow/wire/oxm.h"

/* Bytes of a packet that surely fit a message beside everything else. */
#define DATA_MAX (UINT16_MAX - MSG_AROUND_MAX)

static size_t data_len(const struct of_packet_in *pin)
{
    return pin->data_len < DATA_MAX ? pin->data_len : DATA_MAX;
}

uint8_t of_packet_in_reason(uint8_t reason, uint8_t version)
{
    if (reason == OF_REASON_MISS_RULE)
        return version < OF13 ? OF_REASON_ACTION : OF_REASON_NO_MATCH;
    return version < OF14 && reason > OF_REASON_INVALID_TTL ? OF_REASON_ACTION : reason;
}

/* Fields that surround a packet. */
static bool is_pipeline_field(enum field_id id)
{
    return id == FIELD_IN_PORT || id == FIELD_IN_PORT_OXM || id == FIELD_METADATA || id == FIELD_PKT_MARK ||
           (id >= FIELD_REG0 && id <= FIELD_REG15) || (id >= FIELD_TUN_ID && id <= FIELD_CT_LABEL);
}

static bool is_connection_field(enum field_id id)
{
    return id >= FIELD_CT_NW_PROTO && id <= FIELD_CT_TP_DST;
}

static void set_exact(struct match *fields, enum field_id id, const struct flow *flow)
{
    union field_value value;

    field_get(field_by_id(id), flow, &value);
    match_set_exact(fields, field_by_id(id), &value);
}

/* The connection that a tracked packet is of, as its first packet had addresses and ports. The Ethernet type says what
 * the addresses are. */
static void add_connection(const struct flow *flow, struct match *fields)
{
    static const enum field_id v4[] = {FIELD_CT_NW_SRC, FIELD_CT_NW_DST, FIELD_CT_NW_PROTO, FIELD_CT_TP_SRC,
                                       FIELD_CT_TP_DST};
    static const enum field_id v6[] = {FIELD_CT_IPV6_SRC, FIELD_CT_IPV6_DST, FIELD_CT_NW_PROTO, FIELD_CT_TP_SRC,
                                       FIELD_CT_TP_DST};
    bool is_v4 = flow->pkt.eth_type == RTE_BE16(RTE_ETHER_TYPE_IPV4);
    bool is_v6 = flow->pkt.eth_type == RTE_BE16(RTE_ETHER_TYPE_IPV6);

    if (!flow->pkt.ct_state)
        return;
    set_exact(fields, FIELD_ETH_TYPE, flow);
    if ((!is_v4 && !is_v6) || !flow->pkt.ct_ip_proto || flow->pkt.ct_state & CT_STATE_INV)
        return;
    for (size_t i = 0; i < sizeof v4 / sizeof *v4; i++)
        set_exact(fields, is_v4 ? v4[i] : v6[i], flow);
}

void of_packet_in_fields(const struct flow *flow, struct match *fields)
{
    match_init_all(fields);
    fields->value.in_port = flow->in_port;
    fields->mask.in_port = UINT32_MAX;
    for (int id = 0; id < FIELD_N; id++) {
        const struct field *f = field_by_id(id);
        union field_value v;

        if (!is_pipeline_field(id) || id == FIELD_IN_PORT || id == FIELD_IN_PORT_OXM || field_is_wild(f, flow))
            continue;
        field_get(f, flow, &v);
        match_set_exact(fields, f, &v);
    }
    add_connection(flow, fields);
}

bool packet_in_has_only_pipeline_fields(const struct match *fields)
{
    struct flow allowed;

    memset(&allowed, 0, sizeof allowed);
    for (int id = 0; id < FIELD_N; id++)
        if (is_pipeline_field(id) || is_connection_field(id) || (id == FIELD_ETH_TYPE && fields->mask.pkt.ct_state))
            field_mask_all(field_by_id(id), &allowed);
    for (size_t i = 0; i < sizeof allowed; i++)
        if (((const uint8_t *)&fields->mask)[i] & ~((const uint8_t *)&allowed)[i])
            return false;
    return true;
}

/* --- the standard messages (OpenFlow 1.0.2, 5.4.1; 1.3.5, 7.4.1) --------- */

static int take_data(struct reader *r, struct of_packet_in *pin)
{
    if (r->bad)
        return OFPERR_BRC_BAD_LEN;
    pin->data = r->p;
    pin->data_len = r->left;
    read_skip(r, r->left);
    return 0;
}

int decode_packet_in(struct reader *r, const struct of_decode_options *options, struct of_msg *msg)
{
    struct of_packet_in *pin = &msg->packet_in;
    int error;

    pin->buffer_id = read_u32(r);
    pin->total_len = read_u16(r);
    match_init_all(&pin->fields);
    if (msg->version == OF10) {
        pin->fields.value.in_port = port_from_of10(read_u16(r));
        pin->fields.mask.in_port = UINT32_MAX;
        pin->reason = read_u8(r);
        read_skip(r, 1);
        pin->cookie = UINT64_MAX;
        return take_data(r, pin);
    }
    pin->reason = read_u8(r);
    pin->table_id = read_u8(r);
    pin->cookie = read_u64(r);
    error = oxm_match_decode(r, &pin->fields);
    read_skip(r, 2);
    return error ? error : take_data(r, pin);
}

static void encode_standard(const struct of_msg *msg, struct of_buf *buf)
{
    const struct of_packet_in *pin = &msg->packet_in;
    size_t start = msg_begin(buf, OF_PACKET_IN, msg->version, msg->xid);

    of_buf_add_u32(buf, pin->buffer_id);
    of_buf_add_u16(buf, pin->total_len);
    if (msg->version == OF10) {
        of_buf_add_u16(buf, port_to_of10(pin->fields.value.in_port));
        of_buf_add_u8(buf, of_packet_in_reason(pin->reason, OF10));
        of_buf_add_u8(buf, 0);
    } else {
        of_buf_add_u8(buf, of_packet_in_reason(pin->reason, msg->version));
        of_buf_add_u8(buf, pin->table_id);
        of_buf_add_u64(buf, pin->cookie);
        oxm_match_encode(buf, &pin->fields, msg->version);
        of_buf_add(buf, 2);
    }
    of_buf_add_bytes(buf, pin->data, data_len(pin));
    msg_end(buf, start);
}

/* --- Nicira's ------------------------------------------------------------ */

int decode_nx_packet_in(struct reader *r, const struct of_decode_options *options, struct of_msg *msg)
{
    struct of_packet_in *pin = &msg->packet_in;
    uint16_t match_len;
    int error;

    pin->format = OF_PACKET_IN_NXT;
    pin->buffer_id = read_u32(r);
    pin->total_len = read_u16(r);
    pin->reason = read_u8(r);
    pin->table_id = read_u8(r);
    pin->cookie = read_u64(r);
    match_len = read_u16(r);
    read_skip(r, 6);
    error = nxm_match_decode(r, match_len, &pin->fields, NULL, NULL);
    read_skip(r, 2);
    return error ? error : take_data(r, pin);
}

static void encode_nxt(const struct of_msg *msg, struct of_buf *buf)
{
    const struct of_packet_in *pin = &msg->packet_in;
    size_t start = msg_begin_vendor(buf, msg->version, msg->xid, OF_EXPERIMENTER_NICIRA, NXT_PACKET_IN), len_at, len;

    of_buf_add_u32(buf, pin->buffer_id);
    of_buf_add_u16(buf, pin->total_len);
    of_buf_add_u8(buf, of_packet_in_reason(pin->reason, msg->version));
    of_buf_add_u8(buf, pin->table_id);
    of_buf_add_u64(buf, pin->cookie);
    len_at = buf->len;
    of_buf_add(buf, 8);
    len = nxm_match_encode(buf, &pin->fields, 0, 0);
    of_buf_set_u16(buf, len_at, (uint16_t)len);
    of_buf_add(buf, 2);
    of_buf_add_bytes(buf, pin->data, data_len(pin));
    msg_end(buf, start);
}

void encode_packet_in(const struct of_msg *msg, struct of_buf *buf)
{
    switch (msg->packet_in.format) {
    case OF_PACKET_IN_STANDARD:
        encode_standard(msg, buf);
        break;
    case OF_PACKET_IN_NXT:
        encode_nxt(msg, buf);
        break;
    case OF_PACKET_IN_NXT2:
        encode_nx_packet_in2(msg, buf);
        break;
    }
}

/* --- PACKET_OUT (OpenFlow 1.3.5, 7.3.7) ---------------------------------- */

/* OpenFlow 1.3.5, 7.3.7: a port of the switch, or one that stands for no port. Ports that may come later are let
 * through, as by Open vSwitch. */
bool packet_out_port_is_valid(uint32_t port)
{
    return (port >= 1 && port <= OFPORT_USER_MAX) || port == OFPORT_LOCAL || port == OFPORT_CONTROLLER ||
           port == OFPORT_ANY; /* OFPP_NONE of OpenFlow 1.0 */
}

/* OpenFlow 1.5.1, 7.3.6: the match says what surrounds the packet; of that the port must be there. */
static int decode_metadata(struct reader *r, struct flow *flow)
{
    struct match match;
    int error = oxm_match_decode(r, &match);

    if (error)
        return error;
    if (!packet_in_has_only_pipeline_fields(&match))
        return OFPERR_BRC_PIPELINE_FIELDS_ONLY;
    *flow = match.value;
    flow->pkt.eth_type = 0; /* the packet's own counts */
    return match.mask.in_port ? 0 : OFPERR_BRC_BAD_PORT;
}

int decode_packet_out(struct reader *r, const struct of_decode_options *options, struct of_msg *msg)
{
    struct of_packet_out *po = &msg->packet_out;
    struct reader actions;
    uint16_t len;
    int error = 0;

    po->buffer_id = read_u32(r);
    if (msg->version < OF15)
        po->flow.in_port = port_read(r, msg->version);
    len = read_u16(r);
    if (msg->version >= OF15) {
        read_skip(r, 2);
        error = r->bad ? OFPERR_BRC_BAD_LEN : decode_metadata(r, &po->flow);
    } else if (msg->version != OF10) {
        read_skip(r, 6);
    }
    if (error)
        return error;
    actions = read_part(r, len);
    if (r->bad)
        return OFPERR_BRC_BAD_LEN;
    if (po->flow.in_port == OFPORT_NONE) /* which no version has a meaning for, and libraries leave there */
        po->flow.in_port = OFPORT_ANY;
    if (!packet_out_port_is_valid(po->flow.in_port))
        return OFPERR_BRC_BAD_PORT;
    error = acts_decode(&actions, msg->version, &msg->acts);
    if (error)
        return error;
    po->acts = act_buffer_list(&msg->acts);
    po->data = r->p;
    po->data_len = r->left;
    if (po->buffer_id == OF_NO_BUFFER)
        read_skip(r, r->left);
    else if (r->left) /* either a buffer or a packet */
        return OFPERR_BRC_BAD_LEN;
    return 0;
}

void encode_packet_out(const struct of_msg *msg, struct of_buf *buf)
{
    const struct of_packet_out *po = &msg->packet_out;
    size_t start = msg_begin(buf, OF_PACKET_OUT, msg->version, msg->xid), len_at, at, room;

    of_buf_add_u32(buf, po->buffer_id);
    if (msg->version < OF15)
        port_put(buf, msg->version, po->flow.in_port);
    len_at = buf->len;
    if (msg->version >= OF15) {
        struct match match;

        of_buf_add(buf, 4);
        of_packet_in_fields(&po->flow, &match);
        oxm_match_encode(buf, &match, msg->version);
    } else {
        of_buf_add(buf, msg->version == OF10 ? 2 : 8);
    }
    at = buf->len;
    acts_encode(buf, &po->acts, msg->version, NULL);
    of_buf_set_u16(buf, len_at, (uint16_t)(buf->len - at));
    room = UINT16_MAX - (buf->len - start);
    of_buf_add_bytes(buf, po->data, po->data_len < room ? po->data_len : room);
    msg_end(buf, start);
}
