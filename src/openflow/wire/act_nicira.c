/* Nicira's actions: ovs-actions(7); the layouts are those that ovs-ofctl sends. Control thread. */
#include "src/match/of_error.h"
#include "src/openflow/wire/act_wire.h"
#include "src/openflow/wire/oxm.h"
#include "src/openflow/wire/version.h"

/* Properties of NXAST_CONTROLLER2. */
enum { NXAC2_MAX_LEN, NXAC2_CONTROLLER_ID, NXAC2_REASON, NXAC2_USERDATA, NXAC2_PAUSE, NXAC2_METER_ID };

typedef unsigned __int128 u128;

/* --- decoding ------------------------------------------------------------ */

int act_read_field(struct reader *r, const struct field **f)
{
    bool has_mask;
    size_t len;

    *f = oxm_read_header(r, &has_mask, &len);
    if (r->bad)
        return OFPERR_BAC_BAD_LEN;
    if (!*f || has_mask || (!(*f)->variable && len != (*f)->n_bytes))
        return OFPERR_BAC_BAD_ARGUMENT;
    return (*f)->n_bytes ? 0 : OFPERR_NXFMFC_INVALID_TLV_FIELD;
}

int act_make_subfield(struct subfield *sf, const struct field *f, unsigned ofs, unsigned n_bits)
{
    if (n_bits == 0 || ofs + n_bits > f->n_bits)
        return OFPERR_BAC_BAD_ARGUMENT;
    *sf = (struct subfield){.field = f, .ofs = (uint8_t)ofs, .n_bits = (uint8_t)n_bits};
    return 0;
}

static int decode_resubmit(struct reader *r, bool with_table, struct act_buffer *acts)
{
    struct act_resubmit *act = act_buffer_add(acts, ACT_RESUBMIT, sizeof *act);

    act->in_port = port_from_of10(read_u16(r));
    act->table = with_table ? read_u8(r) : 255;
    read_skip(r, with_table ? 3 : 4);
    return 0;
}

static int decode_move(struct reader *r, struct act_buffer *acts)
{
    struct act_move *act = act_buffer_add(acts, ACT_MOVE, sizeof *act);
    uint16_t n_bits = read_u16(r), src_ofs = read_u16(r), dst_ofs = read_u16(r);
    const struct field *src, *dst;
    int error = act_read_field(r, &src);

    if (!error)
        error = act_read_field(r, &dst);
    if (!error)
        error = act_make_subfield(&act->src, src, src_ofs, n_bits);
    if (!error)
        error = act_make_subfield(&act->dst, dst, dst_ofs, n_bits);
    read_skip(r, r->left < 8 ? r->left : 0); /* experimenter headers leave padding */
    return error;
}

static void set_bits(struct act_set_field *act, u128 value, unsigned ofs, unsigned n_bits)
{
    u128 mask = (n_bits >= 128 ? ~(u128)0 : ((u128)1 << n_bits) - 1) << ofs;

    value <<= ofs;
    for (unsigned i = act->field->n_bytes; i-- > 0; value >>= 8, mask >>= 8) {
        act->value.b[i] = (uint8_t)value;
        act->mask.b[i] = (uint8_t)mask;
    }
}

static int decode_load(struct reader *r, struct act_buffer *acts)
{
    struct act_set_field *act = act_buffer_add(acts, ACT_SET_FIELD, sizeof *act);
    uint16_t ofs_nbits = read_u16(r);
    unsigned ofs = ofs_nbits >> 6, n_bits = (ofs_nbits & 63) + 1u;
    struct subfield sf;
    uint64_t value;
    int error = act_read_field(r, &act->field);

    value = read_u64(r);
    if (!error)
        error = act_make_subfield(&sf, act->field, ofs, n_bits);
    if (error)
        return error;
    if (n_bits < 64 && value >> n_bits)
        return OFPERR_BAC_BAD_ARGUMENT;
    set_bits(act, value, ofs, n_bits);
    return 0;
}

/* A field's entry with value and perhaps mask, as set_field has it, right behind the subtype. */
static int decode_load2(struct reader *r, struct act_buffer *acts)
{
    struct act_set_field *act = act_buffer_add(acts, ACT_SET_FIELD, sizeof *act);
    bool has_mask;
    size_t len;
    int error;

    act->field = oxm_read_header(r, &has_mask, &len);
    if (!act->field)
        return r->bad ? OFPERR_BAC_BAD_LEN : OFPERR_BAC_BAD_SET_TYPE;
    if (len > r->left)
        return OFPERR_BAC_BAD_SET_LEN;
    error = oxm_read_value(r, act->field, has_mask, len, &act->value, &act->mask);
    if (error == OFPERR_BMC_BAD_LEN)
        return OFPERR_BAC_BAD_SET_LEN;
    if (error)
        return error == OFPERR_BMC_BAD_VALUE ? OFPERR_BAC_BAD_SET_ARGUMENT : error;
    for (unsigned i = 0; i < act->field->n_bytes; i++)
        if (act->value.b[i] & ~act->mask.b[i])
            return OFPERR_BAC_BAD_SET_ARGUMENT;
    read_skip(r, r->left < 8 ? r->left : 0);
    return field_value_valid(act->field, &act->value) ? 0 : OFPERR_BAC_BAD_SET_ARGUMENT;
}

static int decode_output_reg(struct reader *r, bool second, struct act_buffer *acts)
{
    struct act_output_reg *act = act_buffer_add(acts, ACT_OUTPUT_REG, sizeof *act);
    uint16_t ofs_nbits = read_u16(r);
    const struct field *f;
    int error;

    if (second)
        act->max_len = read_u16(r);
    error = act_read_field(r, &f);
    if (!second)
        act->max_len = read_u16(r);
    read_skip(r, second && r->left < 8 ? r->left : 6);
    return error ? error : act_make_subfield(&act->src, f, ofs_nbits >> 6, (ofs_nbits & 63) + 1u);
}

static int decode_stack(struct reader *r, enum act_type type, struct act_buffer *acts)
{
    struct act_subfield *act = act_buffer_add(acts, type, sizeof *act);
    uint16_t ofs = read_u16(r), n_bits;
    const struct field *f;
    int error = act_read_field(r, &f);

    n_bits = read_u16(r);
    read_skip(r, r->left < 8 ? r->left : 6);
    return error ? error : act_make_subfield(&act->sf, f, ofs, n_bits);
}

static int decode_delete_field(struct reader *r, struct act_buffer *acts)
{
    struct act_subfield *act = act_buffer_add(acts, ACT_DELETE_FIELD, sizeof *act);
    const struct field *f;
    int error = act_read_field(r, &f);

    read_skip(r, r->left < 16 ? r->left : 0);
    if (error)
        return error;
    return f->variable ? act_make_subfield(&act->sf, f, 0, f->n_bits) : OFPERR_BAC_BAD_ARGUMENT;
}

static int decode_note(struct reader *r, struct act_buffer *acts)
{
    struct act_bytes *act = act_buffer_add(acts, ACT_NOTE, sizeof *act + r->left);

    act->n = (uint32_t)r->left;
    read_copy(r, act->data, r->left);
    return 0;
}

static int decode_dec_ttl_ids(struct reader *r, struct act_buffer *acts)
{
    uint16_t n = read_u16(r);
    struct act_dec_ttl *act;

    read_skip(r, 4);
    if (n == 0 || n * 2u > r->left || r->left - n * 2u >= 8)
        return OFPERR_BAC_BAD_LEN;
    act = act_buffer_add(acts, ACT_DEC_TTL, sizeof *act + n * 2u);
    act->n_ids = n;
    for (unsigned i = 0; i < n; i++)
        act->ids[i] = read_u16(r);
    read_skip(r, r->left);
    return 0;
}

static int decode_controller(struct reader *r, struct act_buffer *acts)
{
    struct act_controller *act = act_buffer_add(acts, ACT_CONTROLLER, sizeof *act);

    act->max_len = read_u16(r);
    act->controller_id = read_u16(r);
    act->reason = read_u8(r);
    read_skip(r, 1);
    return act->reason < OF_N_REASONS ? 0 : OFPERR_BAC_BAD_ARGUMENT;
}

static int decode_controller2(struct reader *r, struct act_buffer *acts)
{
    struct act_controller head = {.max_len = UINT16_MAX, .reason = OF_REASON_ACTION}, *act;
    struct reader userdata = {NULL, 0, false}, value;
    uint16_t type;
    int more;

    read_skip(r, 6);
    while ((more = read_property(r, &type, &value)) > 0) {
        switch (type) {
        case NXAC2_MAX_LEN:
            head.max_len = read_u16(&value);
            break;
        case NXAC2_CONTROLLER_ID:
            head.controller_id = read_u16(&value);
            break;
        case NXAC2_REASON:
            head.reason = read_u8(&value);
            break;
        case NXAC2_USERDATA:
            userdata = value;
            break;
        case NXAC2_PAUSE:
            head.pause = 1;
            break;
        case NXAC2_METER_ID:
            head.meter_id = read_u32(&value);
            break;
        default:
            return OFPERR_BAC_BAD_ARGUMENT;
        }
        if (value.bad)
            return OFPERR_BAC_BAD_LEN;
    }
    if (more < 0)
        return OFPERR_BAC_BAD_LEN;
    if (head.reason >= OF_N_REASONS)
        return OFPERR_BAC_BAD_ARGUMENT;
    act = act_buffer_add(acts, ACT_CONTROLLER, sizeof *act + userdata.left);
    head.h = act->h;
    *act = head;
    act->userdata_len = (uint16_t)userdata.left;
    if (userdata.left)
        memcpy(act->userdata, userdata.p, userdata.left);
    return 0;
}

static int decode_set(struct reader *r, enum field_id id, unsigned pad_before, unsigned pad_behind,
                      struct act_buffer *acts)
{
    struct act_set_field *act = act_buffer_add(acts, ACT_SET_FIELD, sizeof *act);

    act->field = field_by_id(id);
    read_skip(r, pad_before);
    read_copy(r, act->value.b, act->field->n_bytes);
    read_skip(r, pad_behind);
    memset(act->mask.b, 0xff, act->field->n_bytes);
    return field_value_valid(act->field, &act->value) ? 0 : OFPERR_BAC_BAD_ARGUMENT;
}

static int decode_u32(struct reader *r, enum act_type type, unsigned bytes, unsigned pad, struct act_buffer *acts)
{
    struct act_u32 *act = act_buffer_add(acts, type, sizeof *act);

    if (bytes == 1)
        act->value = read_u8(r);
    else if (bytes == 2)
        act->value = read_u16(r);
    else if (bytes == 4)
        act->value = read_u32(r);
    read_skip(r, pad);
    return 0;
}

static int decode_plain(struct reader *r, enum act_type type, size_t size, struct act_buffer *acts)
{
    act_buffer_add(acts, type, size);
    read_skip(r, 6);
    return 0;
}

static int decode_check_larger(struct reader *r, struct act_buffer *acts)
{
    struct act_check_larger *act = act_buffer_add(acts, ACT_CHECK_LARGER, sizeof *act);
    uint16_t len = read_u16(r), ofs = read_u16(r);
    const struct field *f;
    int error = act_read_field(r, &f);

    act->len = len;
    read_skip(r, r->left <= 6 ? r->left : 6);
    return error ? error : act_make_subfield(&act->dst, f, ofs, 1);
}

static int decode_one(struct reader *r, uint16_t subtype, struct act_buffer *acts)
{
    switch (subtype) {
    case NXAST_RESUBMIT:
        return decode_resubmit(r, false, acts);
    case NXAST_RESUBMIT_TABLE:
        return decode_resubmit(r, true, acts);
    case NXAST_SET_TUNNEL:
    case NXAST_SET_TUNNEL64: {
        struct act_u64 *act = act_buffer_add(acts, ACT_SET_TUNNEL, sizeof *act);

        read_skip(r, subtype == NXAST_SET_TUNNEL ? 2 : 6);
        act->value = subtype == NXAST_SET_TUNNEL ? read_u32(r) : read_u64(r);
        return 0;
    }
    case NXAST_SET_QUEUE:
        read_skip(r, 2);
        return decode_u32(r, ACT_SET_QUEUE, 4, 0, acts);
    case NXAST_POP_QUEUE:
        return decode_plain(r, ACT_POP_QUEUE, sizeof(struct act), acts);
    case NXAST_REG_MOVE:
        return decode_move(r, acts);
    case NXAST_REG_LOAD:
        return decode_load(r, acts);
    case NXAST_REG_LOAD2:
        return decode_load2(r, acts);
    case NXAST_NOTE:
        return decode_note(r, acts);
    case NXAST_OUTPUT_REG:
    case NXAST_OUTPUT_REG2:
        return decode_output_reg(r, subtype == NXAST_OUTPUT_REG2, acts);
    case NXAST_EXIT:
        return decode_plain(r, ACT_EXIT, sizeof(struct act), acts);
    case NXAST_DEC_TTL:
        return decode_plain(r, ACT_DEC_TTL, sizeof(struct act_dec_ttl), acts);
    case NXAST_DEC_TTL_CNT_IDS:
        return decode_dec_ttl_ids(r, acts);
    case NXAST_FIN_TIMEOUT: {
        struct act_fin_timeout *act = act_buffer_add(acts, ACT_FIN_TIMEOUT, sizeof *act);

        act->idle_s = read_u16(r);
        act->hard_s = read_u16(r);
        read_skip(r, 2);
        return 0;
    }
    case NXAST_CONJUNCTION: {
        struct act_conjunction *act = act_buffer_add(acts, ACT_CONJUNCTION, sizeof *act);
        uint8_t clause = read_u8(r);

        act->n_clauses = read_u8(r);
        act->id = read_u32(r);
        act->clause = clause + 1;
        return act->n_clauses >= 2 && act->n_clauses <= 64 && clause < act->n_clauses ? 0 : OFPERR_BAC_BAD_CONJUNCTION;
    }
    case NXAST_OUTPUT_TRUNC: {
        struct act_output_trunc *act = act_buffer_add(acts, ACT_OUTPUT_TRUNC, sizeof *act);

        act->port = port_from_of10(read_u16(r));
        act->max_len = read_u32(r);
        return 0;
    }
    case NXAST_SAMPLE:
    case NXAST_SAMPLE2:
    case NXAST_SAMPLE3:
        return act_decode_sample(r, subtype, acts);
    case NXAST_CHECK_PKT_LARGER:
        return decode_check_larger(r, acts);
    case NXAST_MULTIPATH:
        return act_decode_multipath(r, acts);
    case NXAST_BUNDLE:
    case NXAST_BUNDLE_LOAD:
        return act_decode_bundle(r, subtype == NXAST_BUNDLE_LOAD, acts);
    case NXAST_CT_CLEAR:
        return decode_plain(r, ACT_CT_CLEAR, sizeof(struct act), acts);
    case NXAST_CT: /* there is no connection tracking yet */
    case NXAST_NAT:
    case NXAST_RESUBMIT_TABLE_CT:
        return OFPERR_BAC_CT_UNSUPPORTED;
    case NXAST_LEARN:
    case NXAST_LEARN2:
        return act_decode_learn(r, subtype == NXAST_LEARN2, acts);
    case NXAST_CONTROLLER:
        return decode_controller(r, acts);
    case NXAST_CONTROLLER2:
        return decode_controller2(r, acts);
    case NXAST_WRITE_METADATA: {
        struct act_metadata *act = act_buffer_add(acts, ACT_WRITE_METADATA, sizeof *act);

        read_skip(r, 6);
        act->value = rte_cpu_to_be_64(read_u64(r));
        act->mask = rte_cpu_to_be_64(read_u64(r));
        return 0;
    }
    case NXAST_PUSH_MPLS:
        return decode_u32(r, ACT_PUSH_MPLS, 2, 4, acts);
    case NXAST_POP_MPLS:
        return decode_u32(r, ACT_POP_MPLS, 2, 4, acts);
    case NXAST_SET_MPLS_TTL:
        return decode_u32(r, ACT_SET_MPLS_TTL, 1, 5, acts);
    case NXAST_DEC_MPLS_TTL:
        return decode_plain(r, ACT_DEC_MPLS_TTL, sizeof(struct act), acts);
    case NXAST_SET_MPLS_LABEL:
        return decode_set(r, FIELD_MPLS_LABEL, 2, 0, acts);
    case NXAST_SET_MPLS_TC:
        return decode_set(r, FIELD_MPLS_TC, 0, 5, acts);
    case NXAST_STACK_PUSH:
        return decode_stack(r, ACT_STACK_PUSH, acts);
    case NXAST_STACK_POP:
        return decode_stack(r, ACT_STACK_POP, acts);
    case NXAST_ENCAP:
        return act_decode_encap(r, acts);
    case NXAST_DECAP:
        return act_decode_decap(r, acts);
    case NXAST_DEC_NSH_TTL:
        return decode_plain(r, ACT_DEC_NSH_TTL, sizeof(struct act), acts);
    case NXAST_DELETE_FIELD:
        return decode_delete_field(r, acts);
    case NXAST_GROUP:
        read_skip(r, 2);
        return decode_u32(r, ACT_GROUP, 4, 0, acts);
    default:
        return OFPERR_BAC_BAD_EXP_TYPE;
    }
}

/* Those that standard actions of other versions stand for: they are written as what the version has. */
static bool has_standard_form(uint16_t subtype)
{
    switch (subtype) {
    case NXAST_SET_QUEUE:
    case NXAST_DEC_TTL:
    case NXAST_PUSH_MPLS:
    case NXAST_POP_MPLS:
    case NXAST_SET_MPLS_TTL:
    case NXAST_DEC_MPLS_TTL:
    case NXAST_SET_MPLS_LABEL:
    case NXAST_SET_MPLS_TC:
    case NXAST_GROUP:
    case NXAST_WRITE_METADATA:
    case NXAST_REG_LOAD2:
        return true;
    default:
        return false;
    }
}

int act_decode_nicira(struct reader *body, uint16_t subtype, struct act_buffer *acts)
{
    size_t start = acts->len;
    int error = decode_one(body, subtype, acts);

    if (error)
        return error;
    ((struct act *)(acts->data + start))->form = has_standard_form(subtype) ? ACT_FORM_STANDARD : ACT_FORM_NICIRA;
    return 0;
}

/* --- encoding ------------------------------------------------------------ */

size_t nicira_begin(struct of_buf *buf, uint16_t subtype)
{
    size_t start = buf->len;

    of_buf_add_u16(buf, 0xffff);
    of_buf_add_u16(buf, 0);
    of_buf_add_u32(buf, OF_EXPERIMENTER_NICIRA);
    of_buf_add_u16(buf, subtype);
    return start;
}

void act_end(struct of_buf *buf, size_t start)
{
    of_buf_pad(buf, start, 8);
    of_buf_set_u16(buf, start + 2, (uint16_t)(buf->len - start));
}

void act_put_field(struct of_buf *buf, const struct field *f)
{
    oxm_put_header(buf, f, OXM_NXM, false);
}

/* Where `act` sets one run of bits, and of no more than 64: NXAST_REG_LOAD. */
static bool one_run(const struct act_set_field *act, unsigned *ofs, unsigned *n_bits, uint64_t *value)
{
    u128 v = 0, m = 0;

    for (unsigned i = 0; i < act->field->n_bytes; i++) {
        v = v << 8 | act->value.b[i];
        m = m << 8 | act->mask.b[i];
    }
    if (act->field->n_bits < 128)
        m &= ((u128)1 << act->field->n_bits) - 1;
    v &= m;
    *ofs = *n_bits = 0;
    if (!m)
        return false;
    for (; !(m & 1); m >>= 1, v >>= 1)
        ++*ofs;
    for (; m & 1; m >>= 1)
        ++*n_bits;
    *value = (uint64_t)v;
    return m == 0 && *n_bits <= 64;
}

void act_encode_load(struct of_buf *buf, const struct act_set_field *act)
{
    unsigned ofs, n_bits;
    uint64_t value;
    size_t start;

    /* The header of an experimenter's field does not fit the older one. */
    if (!act->field->experimenter && one_run(act, &ofs, &n_bits, &value)) {
        start = nicira_begin(buf, NXAST_REG_LOAD);
        of_buf_add_u16(buf, (uint16_t)(ofs << 6 | (n_bits - 1)));
        act_put_field(buf, act->field);
        of_buf_add_u64(buf, value);
    } else {
        bool has_mask = false;

        for (unsigned i = 0; i < act->field->n_bytes; i++)
            has_mask |= act->mask.b[i] != 0xff;
        start = nicira_begin(buf, NXAST_REG_LOAD2);
        oxm_put_header(buf, act->field, OXM_NXM, has_mask);
        of_buf_add_bytes(buf, act->value.b, act->field->n_bytes);
        if (has_mask)
            of_buf_add_bytes(buf, act->mask.b, act->field->n_bytes);
    }
    act_end(buf, start);
}

void act_encode_mpls(struct of_buf *buf, const struct act_set_field *act)
{
    bool label = act->field->id == FIELD_MPLS_LABEL;
    size_t start = nicira_begin(buf, label ? NXAST_SET_MPLS_LABEL : NXAST_SET_MPLS_TC);

    of_buf_add(buf, label ? 2 : 0);
    of_buf_add_bytes(buf, act->value.b, act->field->n_bytes);
    act_end(buf, start);
}

static void put_property(struct of_buf *buf, uint16_t type, const void *value, uint16_t len)
{
    size_t start = buf->len;

    of_buf_add_u16(buf, type);
    of_buf_add_u16(buf, 4 + len);
    of_buf_add_bytes(buf, value, len);
    of_buf_pad(buf, start, 8);
}

static void encode_controller(struct of_buf *buf, const struct act_controller *act)
{
    uint16_t max_len = rte_cpu_to_be_16(act->max_len), id = rte_cpu_to_be_16(act->controller_id);
    uint32_t meter_id = rte_cpu_to_be_32(act->meter_id);
    size_t start;

    if (!act->userdata_len && !act->pause && !act->meter_id) {
        start = nicira_begin(buf, NXAST_CONTROLLER);
        of_buf_add_u16(buf, act->max_len);
        of_buf_add_u16(buf, act->controller_id);
        of_buf_add_u8(buf, act->reason);
        of_buf_add_u8(buf, 0);
        act_end(buf, start);
        return;
    }
    start = nicira_begin(buf, NXAST_CONTROLLER2);
    of_buf_add(buf, 6);
    if (act->max_len != UINT16_MAX)
        put_property(buf, NXAC2_MAX_LEN, &max_len, 2);
    if (act->controller_id)
        put_property(buf, NXAC2_CONTROLLER_ID, &id, 2);
    if (act->reason != OF_REASON_ACTION)
        put_property(buf, NXAC2_REASON, &act->reason, 1);
    if (act->userdata_len)
        put_property(buf, NXAC2_USERDATA, act->userdata, act->userdata_len);
    if (act->pause)
        put_property(buf, NXAC2_PAUSE, NULL, 0);
    if (act->meter_id)
        put_property(buf, NXAC2_METER_ID, &meter_id, 4);
    act_end(buf, start);
}

static void encode_output_reg(struct of_buf *buf, const struct act_output_reg *act)
{
    uint16_t ofs_nbits = (uint16_t)(act->src.ofs << 6 | (act->src.n_bits - 1));
    size_t start = nicira_begin(buf, act->src.field->experimenter ? NXAST_OUTPUT_REG2 : NXAST_OUTPUT_REG);

    of_buf_add_u16(buf, ofs_nbits);
    if (act->src.field->experimenter) {
        of_buf_add_u16(buf, act->max_len);
        act_put_field(buf, act->src.field);
        act_end(buf, start);
        return;
    }
    act_put_field(buf, act->src.field);
    of_buf_add_u16(buf, act->max_len);
    of_buf_add(buf, 6);
    act_end(buf, start);
}

static void encode_move(struct of_buf *buf, const struct act_move *act)
{
    size_t start = nicira_begin(buf, NXAST_REG_MOVE);

    of_buf_add_u16(buf, act->src.n_bits);
    of_buf_add_u16(buf, act->src.ofs);
    of_buf_add_u16(buf, act->dst.ofs);
    act_put_field(buf, act->src.field);
    act_put_field(buf, act->dst.field);
    act_end(buf, start);
}

static void encode_stack(struct of_buf *buf, const struct act_subfield *act)
{
    size_t start = nicira_begin(buf, act->h.type == ACT_STACK_PUSH ? NXAST_STACK_PUSH : NXAST_STACK_POP);

    of_buf_add_u16(buf, act->sf.ofs);
    act_put_field(buf, act->sf.field);
    of_buf_add_u16(buf, act->sf.n_bits);
    of_buf_add(buf, 6);
    act_end(buf, start);
}

static void encode_resubmit(struct of_buf *buf, const struct act_resubmit *act)
{
    size_t start = nicira_begin(buf, act->table == 255 ? NXAST_RESUBMIT : NXAST_RESUBMIT_TABLE);

    of_buf_add_u16(buf, port_to_of10(act->in_port));
    of_buf_add_u8(buf, act->table == 255 ? 0 : act->table);
    of_buf_add(buf, 3);
    act_end(buf, start);
}

static void encode_dec_ttl(struct of_buf *buf, const struct act_dec_ttl *act)
{
    size_t start = nicira_begin(buf, act->n_ids ? NXAST_DEC_TTL_CNT_IDS : NXAST_DEC_TTL);

    of_buf_add_u16(buf, act->n_ids);
    of_buf_add(buf, 4);
    for (unsigned i = 0; i < act->n_ids; i++)
        of_buf_add_u16(buf, act->ids[i]);
    act_end(buf, start);
}

/* A subtype, `pad` zeroes, and a number of `bytes`. */
static void encode_number(struct of_buf *buf, uint16_t subtype, unsigned pad, uint64_t number, unsigned bytes)
{
    size_t start = nicira_begin(buf, subtype);

    of_buf_add(buf, pad);
    switch (bytes) {
    case 1:
        of_buf_add_u8(buf, (uint8_t)number);
        break;
    case 2:
        of_buf_add_u16(buf, (uint16_t)number);
        break;
    case 4:
        of_buf_add_u32(buf, (uint32_t)number);
        break;
    case 8:
        of_buf_add_u64(buf, number);
        break;
    }
    act_end(buf, start);
}

void act_encode_nicira(struct of_buf *buf, const struct act *act)
{
    size_t start;

    switch (act->type) {
    case ACT_OUTPUT_REG:
        encode_output_reg(buf, (const struct act_output_reg *)act);
        break;
    case ACT_CONTROLLER:
        encode_controller(buf, (const struct act_controller *)act);
        break;
    case ACT_SET_QUEUE:
        encode_number(buf, NXAST_SET_QUEUE, 2, act_u32_of(act), 4);
        break;
    case ACT_POP_QUEUE:
        encode_number(buf, NXAST_POP_QUEUE, 6, 0, 0);
        break;
    case ACT_GROUP:
        encode_number(buf, NXAST_GROUP, 2, act_u32_of(act), 4);
        break;
    case ACT_SET_FIELD:
        act_encode_load(buf, (const struct act_set_field *)act);
        break;
    case ACT_MOVE:
        encode_move(buf, (const struct act_move *)act);
        break;
    case ACT_PUSH_MPLS:
    case ACT_POP_MPLS:
        start = nicira_begin(buf, act->type == ACT_PUSH_MPLS ? NXAST_PUSH_MPLS : NXAST_POP_MPLS);
        of_buf_add_u16(buf, (uint16_t)act_u32_of(act));
        of_buf_add(buf, 4);
        act_end(buf, start);
        break;
    case ACT_SET_MPLS_TTL:
        encode_number(buf, NXAST_SET_MPLS_TTL, 0, act_u32_of(act), 1);
        break;
    case ACT_DEC_MPLS_TTL:
        encode_number(buf, NXAST_DEC_MPLS_TTL, 6, 0, 0);
        break;
    case ACT_DEC_TTL:
        encode_dec_ttl(buf, (const struct act_dec_ttl *)act);
        break;
    case ACT_RESUBMIT:
        encode_resubmit(buf, (const struct act_resubmit *)act);
        break;
    case ACT_NOTE:
        start = nicira_begin(buf, NXAST_NOTE);
        of_buf_add_bytes(buf, ((const struct act_bytes *)act)->data, ((const struct act_bytes *)act)->n);
        act_end(buf, start);
        break;
    case ACT_EXIT:
        encode_number(buf, NXAST_EXIT, 6, 0, 0);
        break;
    case ACT_STACK_PUSH:
    case ACT_STACK_POP:
        encode_stack(buf, (const struct act_subfield *)act);
        break;
    case ACT_ENCAP:
        act_encode_encap(buf, (const struct act_encap *)act);
        break;
    case ACT_DECAP:
        act_encode_decap(buf, (const struct act_u32 *)act);
        break;
    case ACT_DEC_NSH_TTL:
        encode_number(buf, NXAST_DEC_NSH_TTL, 6, 0, 0);
        break;
    case ACT_DELETE_FIELD:
        start = nicira_begin(buf, NXAST_DELETE_FIELD);
        act_put_field(buf, ((const struct act_subfield *)act)->sf.field);
        of_buf_pad(buf, start, 24);
        act_end(buf, start);
        break;
    case ACT_SET_TUNNEL: {
        uint64_t id = ((const struct act_u64 *)act)->value;

        if (id > UINT32_MAX)
            encode_number(buf, NXAST_SET_TUNNEL64, 6, id, 8);
        else
            encode_number(buf, NXAST_SET_TUNNEL, 2, id, 4);
        break;
    }
    case ACT_FIN_TIMEOUT:
        start = nicira_begin(buf, NXAST_FIN_TIMEOUT);
        of_buf_add_u16(buf, ((const struct act_fin_timeout *)act)->idle_s);
        of_buf_add_u16(buf, ((const struct act_fin_timeout *)act)->hard_s);
        act_end(buf, start);
        break;
    case ACT_OUTPUT_TRUNC:
        start = nicira_begin(buf, NXAST_OUTPUT_TRUNC);
        of_buf_add_u16(buf, port_to_of10(((const struct act_output_trunc *)act)->port));
        of_buf_add_u32(buf, ((const struct act_output_trunc *)act)->max_len);
        act_end(buf, start);
        break;
    case ACT_SAMPLE:
        act_encode_sample(buf, (const struct act_sample *)act);
        break;
    case ACT_CHECK_LARGER:
        start = nicira_begin(buf, NXAST_CHECK_PKT_LARGER);
        of_buf_add_u16(buf, ((const struct act_check_larger *)act)->len);
        of_buf_add_u16(buf, ((const struct act_check_larger *)act)->dst.ofs);
        act_put_field(buf, ((const struct act_check_larger *)act)->dst.field);
        of_buf_add(buf, 2);
        act_end(buf, start);
        break;
    case ACT_MULTIPATH:
        act_encode_multipath(buf, (const struct act_multipath *)act);
        break;
    case ACT_BUNDLE:
        act_encode_bundle(buf, (const struct act_bundle *)act);
        break;
    case ACT_CT_CLEAR:
        encode_number(buf, NXAST_CT_CLEAR, 6, 0, 0);
        break;
    case ACT_LEARN:
        act_encode_learn(buf, (const struct act_learn *)act);
        break;
    case ACT_CONJUNCTION:
        start = nicira_begin(buf, NXAST_CONJUNCTION);
        of_buf_add_u8(buf, ((const struct act_conjunction *)act)->clause - 1);
        of_buf_add_u8(buf, ((const struct act_conjunction *)act)->n_clauses);
        of_buf_add_u32(buf, ((const struct act_conjunction *)act)->id);
        act_end(buf, start);
        break;
    case ACT_WRITE_METADATA:
        start = nicira_begin(buf, NXAST_WRITE_METADATA);
        of_buf_add(buf, 6);
        of_buf_add_u64(buf, rte_be_to_cpu_64(((const struct act_metadata *)act)->value));
        of_buf_add_u64(buf, rte_be_to_cpu_64(((const struct act_metadata *)act)->mask));
        act_end(buf, start);
        break;
    default:
        break;
    }
}
