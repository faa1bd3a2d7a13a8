/* Actions and instructions from the wire, of every version, to the internal form. Vendor actions are in act_nicira.c.
 * Control thread. */
#include "src/match/of_error.h"
#include "src/openflow/wire/act_wire.h"
#include "src/openflow/wire/oxm.h"
#include "src/openflow/wire/version.h"

#define OFPAT_EXPERIMENTER 0xffff

static struct act_u32 *add_u32(struct act_buffer *acts, enum act_type type, uint32_t value)
{
    struct act_u32 *act = act_buffer_add(acts, type, sizeof *act);

    act->value = value;
    return act;
}

static struct act *add_plain(struct act_buffer *acts, enum act_type type)
{
    return act_buffer_add(acts, type, sizeof(struct act));
}

static void add_output(struct act_buffer *acts, uint32_t port, uint16_t max_len)
{
    struct act_output *act = act_buffer_add(acts, ACT_OUTPUT, sizeof *act);

    act->port = port;
    act->max_len = max_len; /* means nothing for other ports, but is told as it was given */
}

/* --- OpenFlow 1.0 (OpenFlow 1.0.2, 5.2.4) -------------------------------- */

static int set_of10(struct act_buffer *acts, enum field_id id, struct reader *body, unsigned pad)
{
    const struct field *f = field_by_id(id);
    struct act_set_field *act = act_buffer_add(acts, ACT_SET_FIELD, sizeof *act);

    act->h.form = ACT_FORM_OF10;
    act->field = f;
    read_copy(body, act->value.b, f->n_bytes);
    memset(act->mask.b, 0xff, f->n_bytes);
    read_skip(body, pad);
    return body->bad || field_value_valid(f, &act->value) ? 0 : OFPERR_BAC_BAD_ARGUMENT;
}

static int decode_of10(struct reader *body, uint16_t type, struct act_buffer *acts)
{
    switch (type) {
    case 0: { /* OUTPUT */
        uint32_t port = port_from_of10(read_u16(body));

        add_output(acts, port, read_u16(body));
        return 0;
    }
    case 1: { /* SET_VLAN_VID */
        struct act_u32 *act = add_u32(acts, ACT_SET_VLAN_VID, read_u16(body));

        act->h.form = ACT_FORM_OF10;
        read_skip(body, 2);
        return act->value > 0xfff ? OFPERR_BAC_BAD_ARGUMENT : 0;
    }
    case 2: { /* SET_VLAN_PCP */
        struct act_u32 *act = add_u32(acts, ACT_SET_VLAN_PCP, read_u8(body));

        act->h.form = ACT_FORM_OF10;
        read_skip(body, 3);
        return act->value > 7 ? OFPERR_BAC_BAD_ARGUMENT : 0;
    }
    case 3: /* STRIP_VLAN */
        add_plain(acts, ACT_POP_VLAN)->form = ACT_FORM_OF10;
        read_skip(body, 4);
        return 0;
    case 4:
        return set_of10(acts, FIELD_ETH_SRC, body, 6);
    case 5:
        return set_of10(acts, FIELD_ETH_DST, body, 6);
    case 6:
        return set_of10(acts, FIELD_IPV4_SRC, body, 0);
    case 7:
        return set_of10(acts, FIELD_IPV4_DST, body, 0);
    case 8:
        return set_of10(acts, FIELD_IP_TOS, body, 3);
    case 9:
        return set_of10(acts, FIELD_TCP_SRC, body, 2);
    case 10:
        return set_of10(acts, FIELD_TCP_DST, body, 2);
    case 11: { /* ENQUEUE */
        struct act_enqueue *act = act_buffer_add(acts, ACT_ENQUEUE, sizeof *act);

        act->port = port_from_of10(read_u16(body));
        read_skip(body, 6);
        act->queue = read_u32(body);
        return 0;
    }
    default:
        return OFPERR_BAC_BAD_TYPE;
    }
}

/* --- OpenFlow 1.3 (OpenFlow 1.3.5, 7.2.5) -------------------------------- */

static int decode_set_field(struct reader *body, uint8_t version, struct act_buffer *acts)
{
    const struct field *f;
    struct act_set_field *act;
    bool has_mask;
    size_t len;
    int error;

    f = oxm_read_header(body, &has_mask, &len);
    if (!f)
        return body->bad ? OFPERR_BAC_BAD_SET_LEN : OFPERR_BAC_BAD_SET_TYPE;
    if (len > body->left)
        return OFPERR_BAC_BAD_SET_LEN;
    if (has_mask && version < OF15)
        return OFPERR_BAC_BAD_SET_TYPE;
    if (!f->writable && !f->retypes)
        return OFPERR_BAC_BAD_SET_TYPE;
    act = act_buffer_add(acts, ACT_SET_FIELD, sizeof *act);
    act->field = f;
    error = oxm_read_value(body, f, has_mask, len, &act->value, &act->mask);
    if (error == OFPERR_BMC_BAD_LEN)
        return OFPERR_BAC_BAD_SET_LEN;
    if (error)
        return error == OFPERR_BMC_BAD_VALUE ? OFPERR_BAC_BAD_SET_ARGUMENT : error;
    for (unsigned i = 0; i < f->n_bytes; i++) /* OpenFlow 1.5.1, 7.2.6.7 */
        if (act->value.b[i] & ~act->mask.b[i])
            return OFPERR_BAC_BAD_SET_MASK;
    if (f->id == FIELD_VLAN_VID) /* a tag does not vanish by being renumbered */
        act->value.b[0] |= VLAN_TCI_PRESENT >> 8;
    if (body->left >= 8) /* more behind it than padding */
        return OFPERR_BAC_BAD_SET_LEN;
    read_skip(body, body->left);
    return field_value_valid(f, &act->value) ? 0 : OFPERR_BAC_BAD_SET_ARGUMENT;
}

static int u16_act(struct reader *body, enum act_type type, struct act_buffer *acts)
{
    add_u32(acts, type, read_u16(body));
    read_skip(body, 2);
    return 0;
}

static int u8_act(struct reader *body, enum act_type type, struct act_buffer *acts)
{
    add_u32(acts, type, read_u8(body));
    read_skip(body, 3);
    return 0;
}

static int plain_act(struct reader *body, enum act_type type, struct act_buffer *acts)
{
    add_plain(acts, type);
    read_skip(body, 4);
    return 0;
}

static int decode_of13(struct reader *body, uint16_t type, uint8_t version, struct act_buffer *acts)
{
    switch (type) {
    case 0: { /* OUTPUT */
        uint32_t port = read_u32(body);

        add_output(acts, port, read_u16(body));
        read_skip(body, 6);
        return 0;
    }
    case 11:
        return plain_act(body, ACT_COPY_TTL_OUT, acts);
    case 12:
        return plain_act(body, ACT_COPY_TTL_IN, acts);
    case 15:
        return u8_act(body, ACT_SET_MPLS_TTL, acts);
    case 16:
        return plain_act(body, ACT_DEC_MPLS_TTL, acts);
    case 17:
        return u16_act(body, ACT_PUSH_VLAN, acts);
    case 18:
        return plain_act(body, ACT_POP_VLAN, acts);
    case 19:
        return u16_act(body, ACT_PUSH_MPLS, acts);
    case 20:
        return u16_act(body, ACT_POP_MPLS, acts);
    case 21:
        add_u32(acts, ACT_SET_QUEUE, read_u32(body));
        return 0;
    case 22:
        add_u32(acts, ACT_GROUP, read_u32(body));
        return 0;
    case 23:
        return u8_act(body, ACT_SET_IP_TTL, acts);
    case 24:
        act_buffer_add(acts, ACT_DEC_TTL, sizeof(struct act_dec_ttl));
        read_skip(body, 4);
        return 0;
    case 25:
        return decode_set_field(body, version, acts);
    case 26:
        return u16_act(body, ACT_PUSH_PBB, acts);
    case 27:
        return plain_act(body, ACT_POP_PBB, acts);
    case 28:
        return version < OF15 ? OFPERR_BAC_BAD_TYPE : act_decode_copy_field(body, acts);
    case 29:
        add_u32(acts, ACT_METER, read_u32(body));
        return version < OF15 ? OFPERR_BAC_BAD_TYPE : 0;
    default:
        return OFPERR_BAC_BAD_TYPE;
    }
}

/* --- lists --------------------------------------------------------------- */

static int decode_list(struct reader *r, uint8_t version, unsigned depth, struct act_buffer *acts);

static int decode_clone(struct reader *body, uint8_t version, unsigned depth, struct act_buffer *acts)
{
    struct act_buffer inner;
    struct act_bytes *act;
    int error;

    if (depth == ACT_NESTED_MAX)
        return OFPERR_BAC_TOO_MANY;
    act_buffer_init(&inner);
    read_skip(body, 6);
    error = body->bad ? OFPERR_BAC_BAD_LEN : decode_list(body, version, depth + 1, &inner);
    if (!error) {
        act = act_buffer_add(acts, ACT_CLONE, sizeof *act + inner.len);
        act->h.form = ACT_FORM_NICIRA;
        act->n = (uint32_t)inner.len;
        if (inner.len)
            memcpy(act->data, inner.data, inner.len);
    }
    act_buffer_free(&inner);
    return error;
}

static int decode_experimenter(struct reader *body, uint8_t version, unsigned depth, struct act_buffer *acts)
{
    uint32_t experimenter = read_u32(body);
    uint16_t subtype;

    if (body->bad)
        return OFPERR_BAC_BAD_LEN;
    if (experimenter != OF_EXPERIMENTER_NICIRA)
        return OFPERR_BAC_BAD_EXPERIMENTER;
    subtype = read_u16(body);
    if (body->bad)
        return OFPERR_BAC_BAD_LEN;
    if ((subtype == NXAST_ENCAP || subtype == NXAST_DECAP) && version == OF10) /* as ovs-ofctl has them */
        return OFPERR_BAC_BAD_EXP_TYPE;
    if (subtype == NXAST_WRITE_METADATA && version != OF10) /* an instruction there */
        return OFPERR_BAC_BAD_EXP_TYPE;
    if (subtype == NXAST_CLONE)
        return decode_clone(body, version, depth, acts);
    return act_decode_nicira(body, subtype, acts);
}

static int decode_list(struct reader *r, uint8_t version, unsigned depth, struct act_buffer *acts)
{
    while (r->left > 0) {
        uint16_t type = read_u16(r), len = read_u16(r);
        struct reader body;
        int error;

        if (r->bad || len < 8 || len % 8 || len - 4u > r->left)
            return OFPERR_BAC_BAD_LEN;
        body = read_part(r, len - 4u);
        if (type == OFPAT_EXPERIMENTER)
            error = decode_experimenter(&body, version, depth, acts);
        else if (version == OF10)
            error = decode_of10(&body, type, acts);
        else
            error = decode_of13(&body, type, version, acts);
        if (error)
            return error;
        if (body.bad || body.left)
            return OFPERR_BAC_BAD_LEN;
    }
    return 0;
}

int acts_decode(struct reader *r, uint8_t version, struct act_buffer *acts)
{
    return decode_list(r, version, 0, acts);
}

/* --- instructions (OpenFlow 1.3.5, 7.2.4) -------------------------------- */

enum {
    INST_GOTO_TABLE = 1,
    INST_WRITE_METADATA,
    INST_WRITE_ACTIONS,
    INST_APPLY_ACTIONS,
    INST_CLEAR_ACTIONS,
    INST_METER,
    INST_STAT_TRIGGER, /* OpenFlow 1.5 */
    INST_N
};
#define INST_EXPERIMENTER 0xffff

static int split_instructions(struct reader *r, uint8_t version, struct reader bodies[INST_N])
{
    while (r->left > 0) {
        uint16_t type = read_u16(r), len = read_u16(r);

        if (r->bad || len < 8 || len % 8 || len - 4u > r->left)
            return OFPERR_BIC_BAD_LEN;
        if (type == INST_EXPERIMENTER)
            return OFPERR_BIC_BAD_EXPERIMENTER;
        if (version >= OF15 && type == INST_METER) /* an action there */
            return OFPERR_BIC_UNSUP_INST;
        if (type == 0 || type >= (version >= OF15 ? INST_N : INST_STAT_TRIGGER))
            return OFPERR_BIC_UNKNOWN_INST;
        if (bodies[type].p)
            return OFPERR_BIC_DUP_INST;
        bodies[type] = read_part(r, len - 4u);
    }
    return 0;
}

static int decode_write_actions(struct reader *body, uint8_t version, struct act_buffer *acts)
{
    struct act_buffer inner;
    struct act_list list;
    int error;

    act_buffer_init(&inner);
    read_skip(body, 4);
    error = acts_decode(body, version, &inner);
    list = act_buffer_list(&inner);
    ACT_FOR_EACH (act, &list) {
        if (!error && !act_fits_write_actions(act))
            error = OFPERR_BAC_BAD_TYPE;
    }
    if (!error) {
        struct act_bytes *act = act_buffer_add(acts, ACT_WRITE_ACTIONS, sizeof *act + inner.len);

        act->n = (uint32_t)inner.len;
        if (inner.len)
            memcpy(act->data, inner.data, inner.len);
    }
    act_buffer_free(&inner);
    return error;
}

static void decode_write_metadata(struct reader *body, struct act_buffer *acts)
{
    struct act_metadata *act = act_buffer_add(acts, ACT_WRITE_METADATA, sizeof *act);

    read_skip(body, 4);
    act->value = rte_cpu_to_be_64(read_u64(body));
    act->mask = rte_cpu_to_be_64(read_u64(body));
}

int instructions_decode(struct reader *r, uint8_t version, struct act_buffer *acts)
{
    struct reader bodies[INST_N] = {{NULL, 0, false}};
    int error = split_instructions(r, version, bodies);

    if (error)
        return error;
    if (bodies[INST_METER].p)
        add_u32(acts, ACT_METER, read_u32(&bodies[INST_METER]));
    if (bodies[INST_STAT_TRIGGER].p) {
        error = act_decode_stat_trigger(&bodies[INST_STAT_TRIGGER], acts);
        if (error)
            return error;
    }
    if (bodies[INST_APPLY_ACTIONS].p) {
        read_skip(&bodies[INST_APPLY_ACTIONS], 4);
        error = acts_decode(&bodies[INST_APPLY_ACTIONS], version, acts);
        if (error)
            return error;
    }
    if (bodies[INST_CLEAR_ACTIONS].p) {
        add_plain(acts, ACT_CLEAR_ACTIONS);
        read_skip(&bodies[INST_CLEAR_ACTIONS], 4);
    }
    if (bodies[INST_WRITE_ACTIONS].p) {
        error = decode_write_actions(&bodies[INST_WRITE_ACTIONS], version, acts);
        if (error)
            return error;
    }
    if (bodies[INST_WRITE_METADATA].p)
        decode_write_metadata(&bodies[INST_WRITE_METADATA], acts);
    if (bodies[INST_GOTO_TABLE].p) {
        uint8_t table = read_u8(&bodies[INST_GOTO_TABLE]);

        read_skip(&bodies[INST_GOTO_TABLE], 3);
        add_u32(acts, ACT_GOTO_TABLE, table);
        if (table >= PIPELINE_TABLES)
            return OFPERR_BIC_BAD_TABLE_ID;
    }
    for (int i = 0; i < INST_N; i++)
        if (bodies[i].bad || bodies[i].left)
            return OFPERR_BIC_BAD_LEN;
    return 0;
}
