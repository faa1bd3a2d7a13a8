/* Actions and instructions to the wire: in the form that a version has for them, or a vendor's where it has none.
 * Control thread. */
#include <netinet/in.h>

#include "src/openflow/wire/act_wire.h"
#include "src/openflow/wire/oxm.h"
#include "src/openflow/wire/version.h"

/* Writes "type, length" and leaves the length to act_end(). */
static size_t begin(struct of_buf *buf, uint16_t type)
{
    size_t start = buf->len;

    of_buf_add_u16(buf, type);
    of_buf_add_u16(buf, 0);
    return start;
}

/* An action with a number of `bytes` (0 = none) behind its head. */
static void number(struct of_buf *buf, uint16_t type, uint32_t value, unsigned bytes)
{
    size_t start = begin(buf, type);

    if (bytes == 1)
        of_buf_add_u8(buf, (uint8_t)value);
    else if (bytes == 2)
        of_buf_add_u16(buf, (uint16_t)value);
    else
        of_buf_add_u32(buf, value);
    act_end(buf, start);
}

static void encode_clone(struct of_buf *buf, const struct act *act, uint8_t version, const struct match *match)
{
    size_t start = nicira_begin(buf, NXAST_CLONE);
    struct act_list inner;

    of_buf_add(buf, 6);
    act_nested(act, &inner);
    acts_encode(buf, &inner, version, match);
    act_end(buf, start);
}

/* --- OpenFlow 1.0 -------------------------------------------------------- */

static bool sets_whole_field(const struct act_set_field *act)
{
    for (unsigned i = 0; i < act->field->n_bytes; i++)
        if (act->mask.b[i] != 0xff)
            return false;
    return true;
}

/* What OpenFlow 1.0 has an action for is said by it, however it came; loads of Nicira's stay loads. */
static void set_of10(struct of_buf *buf, const struct act_set_field *act)
{
    static const struct {
        enum field_id id;
        uint16_t type;
        bool any_form;
    } types[] = {{FIELD_ETH_SRC, 4, true},  {FIELD_ETH_DST, 5, true}, {FIELD_IPV4_SRC, 6, true},
                 {FIELD_IPV4_DST, 7, true}, {FIELD_IP_TOS, 8, false}, {FIELD_TCP_SRC, 9, true},
                 {FIELD_TCP_DST, 10, true}, {FIELD_UDP_SRC, 9, true}, {FIELD_UDP_DST, 10, true}};

    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        bool standard = act->h.form == ACT_FORM_STANDARD && types[i].any_form && sets_whole_field(act);

        if (types[i].id == act->field->id && (act->h.form == ACT_FORM_OF10 || standard)) {
            size_t start = begin(buf, types[i].type);

            of_buf_add_bytes(buf, act->value.b, act->field->n_bytes);
            act_end(buf, start);
            return;
        }
    }
    if (act->h.form == ACT_FORM_STANDARD && act->field->id == FIELD_IP_DSCP)
        number(buf, 8, (uint32_t)act->value.b[0] << 2, 1);
    else if (act->h.form == ACT_FORM_STANDARD &&
             (act->field->id == FIELD_MPLS_LABEL || act->field->id == FIELD_MPLS_TC))
        act_encode_mpls(buf, act);
    else
        act_encode_load(buf, act);
}

static void set_ttl(struct of_buf *buf, enum field_id id, uint32_t ttl)
{
    struct act_set_field set = {.field = field_by_id(id), .value = {{(uint8_t)ttl}}, .mask = {{0xff}}};

    act_encode_load(buf, &set);
}

static void encode_of10(struct of_buf *buf, const struct act *act)
{
    size_t start;

    switch (act->type) {
    case ACT_OUTPUT:
        start = begin(buf, 0);
        of_buf_add_u16(buf, port_to_of10(((const struct act_output *)act)->port));
        of_buf_add_u16(buf, ((const struct act_output *)act)->max_len);
        act_end(buf, start);
        break;
    case ACT_ENQUEUE:
        start = begin(buf, 11);
        of_buf_add_u16(buf, port_to_of10(((const struct act_enqueue *)act)->port));
        of_buf_add(buf, 6);
        of_buf_add_u32(buf, ((const struct act_enqueue *)act)->queue);
        act_end(buf, start);
        break;
    case ACT_SET_VLAN_VID:
        number(buf, 1, act_u32_of(act), 2);
        break;
    case ACT_SET_VLAN_PCP:
        number(buf, 2, act_u32_of(act), 1);
        break;
    case ACT_POP_VLAN:
        number(buf, 3, 0, 4);
        break;
    case ACT_SET_FIELD:
        set_of10(buf, (const struct act_set_field *)act);
        break;
    case ACT_SET_IP_TTL:
        set_ttl(buf, FIELD_IP_TTL, act_u32_of(act));
        break;
    case ACT_GOTO_TABLE: {
        struct act_resubmit resubmit = {
            .h = {.type = ACT_RESUBMIT}, .in_port = OFPORT_IN_PORT, .table = (uint8_t)act_u32_of(act)};

        act_encode_nicira(buf, &resubmit.h);
        break;
    }
    case ACT_CLONE:
        encode_clone(buf, act, OF10, NULL);
        break;
    case ACT_PUSH_VLAN: /* nothing says these; what they lead to is said by other actions or lost */
    case ACT_PUSH_PBB:
    case ACT_POP_PBB:
    case ACT_ENCAP:
    case ACT_DECAP:
    case ACT_COPY_TTL_OUT:
    case ACT_COPY_TTL_IN:
    case ACT_METER:
    case ACT_CLEAR_ACTIONS:
    case ACT_WRITE_ACTIONS:
        break;
    default:
        act_encode_nicira(buf, act);
    }
}

/* --- OpenFlow 1.3 -------------------------------------------------------- */

static void put_set_field(struct of_buf *buf, const struct field *f, const uint8_t *value, uint8_t version)
{
    size_t start = begin(buf, 25);

    oxm_put_header(buf, f, version, false);
    of_buf_add_bytes(buf, value, f->n_bytes);
    act_end(buf, start);
}

static void put_set_tunnel(struct of_buf *buf, uint64_t id, uint8_t version)
{
    rte_be64_t value = rte_cpu_to_be_64(id);

    put_set_field(buf, field_by_id(FIELD_TUN_ID), (const uint8_t *)&value, version);
}

static void put_set_number(struct of_buf *buf, enum field_id id, uint32_t value, uint8_t version)
{
    const struct field *f = field_by_id(id);
    uint8_t bytes[4];

    for (unsigned i = f->n_bytes; i-- > 0; value >>= 8)
        bytes[i] = (uint8_t)value;
    put_set_field(buf, f, bytes, version);
}

/* OpenFlow 1.0 does not say of which protocol a port is; the rule's match does. */
static const struct field *port_field(const struct field *f, const struct match *match)
{
    bool src = f->id == FIELD_TCP_SRC;

    if (match && match->mask.pkt.ip_proto == 0xff && match->value.pkt.ip_proto == IPPROTO_UDP)
        return field_by_id(src ? FIELD_UDP_SRC : FIELD_UDP_DST);
    if (match && match->mask.pkt.ip_proto == 0xff && match->value.pkt.ip_proto == IPPROTO_SCTP)
        return field_by_id(src ? FIELD_SCTP_SRC : FIELD_SCTP_DST);
    return f;
}

static void set_of13(struct of_buf *buf, const struct act_set_field *act, uint8_t version, const struct match *match)
{
    const struct field *f = act->field;
    bool whole = sets_whole_field(act);

    if (act->h.form == ACT_FORM_NICIRA || (!whole && version < OF15)) {
        act_encode_load(buf, act);
        return;
    }
    if (!whole) {
        size_t start = begin(buf, 25);

        oxm_put_header(buf, f, version, true);
        of_buf_add_bytes(buf, act->value.b, f->n_bytes);
        of_buf_add_bytes(buf, act->mask.b, f->n_bytes);
        act_end(buf, start);
    } else if (act->h.form == ACT_FORM_OF10 && f->id == FIELD_IP_TOS) {
        put_set_number(buf, FIELD_IP_DSCP, act->value.b[0] >> 2, version);
    } else if (act->h.form == ACT_FORM_OF10 && (f->id == FIELD_TCP_SRC || f->id == FIELD_TCP_DST)) {
        put_set_field(buf, port_field(f, match), act->value.b, version);
    } else {
        put_set_field(buf, f, act->value.b, version);
    }
}

/* OpenFlow 1.0's VLAN actions add a tag to a packet that has none. */
static void set_vlan_of13(struct of_buf *buf, enum field_id id, uint32_t value, uint8_t version,
                          const struct match *match, bool *tagged)
{
    bool has_tag = match && match->value.pkt.vlan_tci[0] & match->mask.pkt.vlan_tci[0] & RTE_BE16(VLAN_TCI_PRESENT);

    if (!has_tag && !*tagged)
        number(buf, 17, 0x8100, 2);
    *tagged = true;
    put_set_number(buf, id, id == FIELD_VLAN_VID ? value | VLAN_TCI_PRESENT : value, version);
}

static void encode_output(struct of_buf *buf, uint32_t port, uint16_t max_len)
{
    size_t start = begin(buf, 0);

    of_buf_add_u32(buf, port);
    of_buf_add_u16(buf, max_len);
    of_buf_add(buf, 6);
    act_end(buf, start);
}

static void encode_of13(struct of_buf *buf, const struct act *act, uint8_t version, const struct match *match,
                        bool *tagged)
{
    switch (act->type) {
    case ACT_OUTPUT:
        encode_output(buf, ((const struct act_output *)act)->port, ((const struct act_output *)act)->max_len);
        break;
    case ACT_ENQUEUE: {
        struct act pop = {.type = ACT_POP_QUEUE};

        number(buf, 21, ((const struct act_enqueue *)act)->queue, 4);
        encode_output(buf, ((const struct act_enqueue *)act)->port, 0);
        act_encode_nicira(buf, &pop);
        break;
    }
    case ACT_COPY_TTL_OUT:
        number(buf, 11, 0, 4);
        break;
    case ACT_COPY_TTL_IN:
        number(buf, 12, 0, 4);
        break;
    case ACT_SET_MPLS_TTL:
        number(buf, 15, act_u32_of(act), 1);
        break;
    case ACT_DEC_MPLS_TTL:
        number(buf, 16, 0, 4);
        break;
    case ACT_PUSH_VLAN:
        number(buf, 17, act_u32_of(act), 2);
        *tagged = true;
        break;
    case ACT_POP_VLAN:
        number(buf, 18, 0, 4);
        *tagged = false;
        break;
    case ACT_PUSH_MPLS:
        number(buf, 19, act_u32_of(act), 2);
        break;
    case ACT_POP_MPLS:
        number(buf, 20, act_u32_of(act), 2);
        break;
    case ACT_SET_QUEUE:
        number(buf, 21, act_u32_of(act), 4);
        break;
    case ACT_GROUP:
        number(buf, 22, act_u32_of(act), 4);
        break;
    case ACT_SET_IP_TTL:
        number(buf, 23, act_u32_of(act), 1);
        break;
    case ACT_DEC_TTL:
        if (((const struct act_dec_ttl *)act)->n_ids)
            act_encode_nicira(buf, act);
        else
            number(buf, 24, 0, 4);
        break;
    case ACT_SET_FIELD:
        set_of13(buf, (const struct act_set_field *)act, version, match);
        break;
    case ACT_SET_VLAN_VID:
        set_vlan_of13(buf, FIELD_VLAN_VID, act_u32_of(act), version, match, tagged);
        break;
    case ACT_SET_VLAN_PCP:
        set_vlan_of13(buf, FIELD_VLAN_PCP, act_u32_of(act), version, match, tagged);
        break;
    case ACT_SET_TUNNEL:
        put_set_tunnel(buf, ((const struct act_u64 *)act)->value, version);
        break;
    case ACT_MOVE:
        if (version >= OF15)
            act_encode_copy_field(buf, (const struct act_move *)act, version);
        else
            act_encode_nicira(buf, act);
        break;
    case ACT_METER:
        if (version >= OF15) /* an instruction before */
            number(buf, 29, act_u32_of(act), 4);
        break;
    case ACT_CLONE:
        encode_clone(buf, act, version, match);
        break;
    case ACT_PUSH_PBB:
        number(buf, 26, act_u32_of(act), 2);
        break;
    case ACT_POP_PBB:
        number(buf, 27, 0, 4);
        break;
    default:
        act_encode_nicira(buf, act);
    }
}

void acts_encode(struct of_buf *buf, const struct act_list *list, uint8_t version, const struct match *match)
{
    bool tagged = false;

    ACT_FOR_EACH (act, list) {
        if (version == OF10)
            encode_of10(buf, act);
        else
            encode_of13(buf, act, version, match, &tagged);
    }
}

/* --- instructions -------------------------------------------------------- */

static bool is_instruction(const struct act *act, uint8_t version)
{
    switch (act->type) {
    case ACT_METER:
        return version < OF15;
    case ACT_STAT_TRIGGER:
    case ACT_CLEAR_ACTIONS:
    case ACT_WRITE_ACTIONS:
    case ACT_WRITE_METADATA:
    case ACT_GOTO_TABLE:
        return true;
    default:
        return false;
    }
}

static void encode_instruction(struct of_buf *buf, const struct act *act, uint8_t version, const struct match *match)
{
    size_t start;

    switch (act->type) {
    case ACT_METER:
        number(buf, 6, act_u32_of(act), 4);
        break;
    case ACT_STAT_TRIGGER:
        if (version >= OF15)
            act_encode_stat_trigger(buf, (const struct act_stat_trigger *)act);
        break;
    case ACT_CLEAR_ACTIONS:
        number(buf, 5, 0, 4);
        break;
    case ACT_GOTO_TABLE:
        number(buf, 1, act_u32_of(act), 1);
        break;
    case ACT_WRITE_METADATA:
        start = begin(buf, 2);
        of_buf_add(buf, 4);
        of_buf_add_bytes(buf, &((const struct act_metadata *)act)->value, 8);
        of_buf_add_bytes(buf, &((const struct act_metadata *)act)->mask, 8);
        act_end(buf, start);
        break;
    case ACT_WRITE_ACTIONS: {
        const struct act_bytes *bytes = (const struct act_bytes *)act;
        struct act_list inner = {(const struct act *)bytes->data, bytes->n};

        start = begin(buf, 3);
        of_buf_add(buf, 4);
        acts_encode(buf, &inner, version, match);
        act_end(buf, start);
        break;
    }
    }
}

/* All actions between the instructions are one: OpenFlow 1.5's meters may stand anywhere among them. */
static void encode_apply_actions(struct of_buf *buf, const struct act_list *list, uint8_t version,
                                 const struct match *match)
{
    size_t start = begin(buf, 4), empty;
    bool tagged = false;

    of_buf_add(buf, 4);
    empty = buf->len;
    ACT_FOR_EACH (act, list)
        if (!is_instruction(act, version))
            encode_of13(buf, act, version, match, &tagged);
    if (buf->len > empty)
        act_end(buf, start);
    else
        buf->len = start;
}

/* In the order of OpenFlow 1.3.5, 5.9. What OpenFlow 1.5 says with several meters has only the first before. */
void instructions_encode(struct of_buf *buf, const struct act_list *list, uint8_t version, const struct match *match)
{
    bool metered = false;

    if (version == OF10) {
        acts_encode(buf, list, version, match);
        return;
    }
    ACT_FOR_EACH (act, list) {
        if (act->type == ACT_METER && version < OF15 && !metered) {
            encode_instruction(buf, act, version, match);
            metered = true;
        }
    }
    encode_apply_actions(buf, list, version, match);
    ACT_FOR_EACH (act, list)
        if (act->type != ACT_METER && is_instruction(act, version))
            encode_instruction(buf, act, version, match);
}

/* --- lengths ------------------------------------------------------------- */

typedef void list_encoder(struct of_buf *buf, const struct act_list *list, uint8_t version, const struct match *match);

/* Without a match: then what OpenFlow 1.0 says of VLANs takes most. */
static size_t longest(list_encoder *encode, const struct act_list *list, uint32_t versions, struct of_buf *scratch)
{
    size_t most = 0;

    for (uint8_t version = OF10; version <= OF15; version++) {
        if (!(versions >> version & 1))
            continue;
        scratch->len = 0;
        encode(scratch, list, version, NULL);
        most = scratch->len > most ? scratch->len : most;
    }
    return most;
}

size_t acts_wire_len(const struct act_list *list, struct of_buf *scratch)
{
    return longest(acts_encode, list, OF_VERSIONS & ~(1u << OF10), scratch);
}

size_t instructions_wire_len(const struct act_list *list, struct of_buf *scratch)
{
    return longest(instructions_encode, list, OF_VERSIONS, scratch);
}
