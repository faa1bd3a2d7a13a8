/* set_field on the wire, with its older forms: OpenFlow 1.0's set actions, Nicira's loads. */
#include <netinet/in.h>

#include "src/match/of_error.h"
#include "src/openflow/wire/act_codec_impl.h"
#include "src/openflow/wire/oxm.h"

typedef unsigned __int128 u128;

#define OFPAT_SET_FIELD 25

/* --- OpenFlow 1.0 (OpenFlow 1.0.2, 5.2.4) -------------------------------- */

/* What sets which field, and what is written so. The ports of TCP, UDP and SCTP are set alike. */
static const struct {
    enum field_id id;
    uint16_t type;
    uint8_t pad;
    bool any_form; /* a set_field of the whole field is written so, too */
} of10_sets[] = {
    {FIELD_ETH_SRC, 4, 6, true},  {FIELD_ETH_DST, 5, 6, true}, {FIELD_IPV4_SRC, 6, 0, true},
    {FIELD_IPV4_DST, 7, 0, true}, {FIELD_IP_TOS, 8, 3, false}, {FIELD_TCP_SRC, 9, 2, true},
    {FIELD_TCP_DST, 10, 2, true}, {FIELD_UDP_SRC, 9, 2, true}, {FIELD_UDP_DST, 10, 2, true},
};

/* The first row of a type is the field that it sets. */
static int decode_of10(struct reader *body, const struct act_reading *in)
{
    struct act_set_field *act = act_buffer_add_type(in->acts, ACT_SET_FIELD);
    unsigned i = 0;

    while (of10_sets[i].type != in->wire->number)
        i++;
    act->field = field_by_id(of10_sets[i].id);
    read_copy(body, act->value.b, act->field->n_bytes);
    memset(act->mask.b, 0xff, act->field->n_bytes);
    read_skip(body, of10_sets[i].pad);
    return body->bad || field_value_valid(act->field, &act->value) ? 0 : OFPERR_BAC_BAD_ARGUMENT;
}

static bool sets_whole_field(const struct act_set_field *act)
{
    for (unsigned i = 0; i < act->field->n_bytes; i++)
        if (act->mask.b[i] != 0xff)
            return false;
    return true;
}

/* NXAST_SET_MPLS_LABEL or NXAST_SET_MPLS_TC. */
static void put_mpls(struct of_buf *buf, const struct act_set_field *act)
{
    bool label = act->field->id == FIELD_MPLS_LABEL;
    size_t start = nicira_begin(buf, label ? NXAST_SET_MPLS_LABEL : NXAST_SET_MPLS_TC);

    of_buf_add(buf, label ? 2 : 0);
    of_buf_add_bytes(buf, act->value.b, act->field->n_bytes);
    act_end(buf, start);
}

static void put_of10(struct of_buf *buf, uint16_t type, const void *value, size_t len)
{
    size_t start = act_begin(buf, type);

    of_buf_add_bytes(buf, value, len);
    act_end(buf, start);
}

/* What OpenFlow 1.0 has an action for is said by it, however it came; loads of Nicira's stay loads. */
static void encode_of10(struct of_buf *buf, const struct act_set_field *act)
{
    const enum field_id id = act->field->id;
    const bool standard = act->h.form == ACT_FORM_STANDARD;

    for (size_t i = 0; i < sizeof of10_sets / sizeof of10_sets[0]; i++) {
        bool as_whole = standard && of10_sets[i].any_form && sets_whole_field(act);

        if (of10_sets[i].id == id && (act->h.form == ACT_FORM_OF10 || as_whole)) {
            put_of10(buf, of10_sets[i].type, act->value.b, act->field->n_bytes);
            return;
        }
    }
    if (standard && id == FIELD_IP_DSCP) {
        uint8_t tos = (uint8_t)(act->value.b[0] << 2);

        put_of10(buf, 8, &tos, 1);
    } else if (standard && (id == FIELD_MPLS_LABEL || id == FIELD_MPLS_TC)) {
        put_mpls(buf, act);
    } else {
        act_put_load(buf, act);
    }
}

/* --- set_field (OpenFlow 1.3.5, 7.2.5; 1.5.1, 7.2.6.7) ------------------- */

static int decode_set_field(struct reader *body, const struct act_reading *in)
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
    if (has_mask && in->version < OF15)
        return OFPERR_BAC_BAD_SET_TYPE;
    if (!f->writable && !f->retypes)
        return OFPERR_BAC_BAD_SET_TYPE;
    act = act_buffer_add_type(in->acts, ACT_SET_FIELD);
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

void act_put_set_field(struct act_writing *out, const struct field *f, const uint8_t *value)
{
    size_t start = act_begin(out->buf, OFPAT_SET_FIELD);

    oxm_put_header(out->buf, f, out->version, false);
    of_buf_add_bytes(out->buf, value, f->n_bytes);
    act_end(out->buf, start);
}

void act_put_set_number(struct act_writing *out, enum field_id id, uint32_t value)
{
    const struct field *f = field_by_id(id);
    uint8_t bytes[4];

    for (unsigned i = f->n_bytes; i-- > 0; value >>= 8)
        bytes[i] = (uint8_t)value;
    act_put_set_field(out, f, bytes);
}

static void put_masked(struct act_writing *out, const struct act_set_field *act)
{
    size_t start = act_begin(out->buf, OFPAT_SET_FIELD);

    oxm_put_header(out->buf, act->field, out->version, true);
    of_buf_add_bytes(out->buf, act->value.b, act->field->n_bytes);
    of_buf_add_bytes(out->buf, act->mask.b, act->field->n_bytes);
    act_end(out->buf, start);
}

static const struct field *port_field(const struct field *f, const struct match *match)
{
    bool src = f->id == FIELD_TCP_SRC;

    if (match && match->mask.pkt.ip_proto == 0xff && match->value.pkt.ip_proto == IPPROTO_UDP)
        return field_by_id(src ? FIELD_UDP_SRC : FIELD_UDP_DST);
    if (match && match->mask.pkt.ip_proto == 0xff && match->value.pkt.ip_proto == IPPROTO_SCTP)
        return field_by_id(src ? FIELD_SCTP_SRC : FIELD_SCTP_DST);
    return f;
}

static void encode_of13(struct act_writing *out, const struct act_set_field *act)
{
    const struct field *f = act->field;
    const bool whole = sets_whole_field(act), of10 = act->h.form == ACT_FORM_OF10;

    /* OpenFlow 1.5 has set_field with a mask; clients do not take NXAST_REG_LOAD in it. */
    if (out->version < OF15 && (act->h.form == ACT_FORM_NICIRA || !whole))
        act_put_load(out->buf, act);
    else if (!whole)
        put_masked(out, act);
    else if (of10 && f->id == FIELD_IP_TOS)
        act_put_set_number(out, FIELD_IP_DSCP, act->value.b[0] >> 2);
    else if (of10 && (f->id == FIELD_TCP_SRC || f->id == FIELD_TCP_DST))
        act_put_set_field(out, port_field(f, out->match), act->value.b);
    else
        act_put_set_field(out, f, act->value.b);
}

/* --- Nicira's ------------------------------------------------------------ */

static void set_bits(struct act_set_field *act, u128 value, unsigned ofs, unsigned n_bits)
{
    u128 mask = (n_bits >= 128 ? ~(u128)0 : ((u128)1 << n_bits) - 1) << ofs;

    value <<= ofs;
    for (unsigned i = act->field->n_bytes; i-- > 0; value >>= 8, mask >>= 8) {
        act->value.b[i] = (uint8_t)value;
        act->mask.b[i] = (uint8_t)mask;
    }
}

static int decode_load(struct reader *r, const struct act_reading *in)
{
    struct act_set_field *act = act_buffer_add_type(in->acts, ACT_SET_FIELD);
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

static int decode_load2(struct reader *r, const struct act_reading *in)
{
    struct act_set_field *act = act_buffer_add_type(in->acts, ACT_SET_FIELD);
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

/* A field as a whole, with zeroes around its value. */
static int decode_nicira_set(struct reader *r, const struct act_reading *in, enum field_id id, unsigned pad_before,
                             unsigned pad_behind)
{
    struct act_set_field *act = act_buffer_add_type(in->acts, ACT_SET_FIELD);

    act->field = field_by_id(id);
    read_skip(r, pad_before);
    read_copy(r, act->value.b, act->field->n_bytes);
    read_skip(r, pad_behind);
    memset(act->mask.b, 0xff, act->field->n_bytes);
    return field_value_valid(act->field, &act->value) ? 0 : OFPERR_BAC_BAD_ARGUMENT;
}

static int decode_mpls_label(struct reader *r, const struct act_reading *in)
{
    return decode_nicira_set(r, in, FIELD_MPLS_LABEL, 2, 0);
}

static int decode_mpls_tc(struct reader *r, const struct act_reading *in)
{
    return decode_nicira_set(r, in, FIELD_MPLS_TC, 0, 5);
}

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

void act_put_load(struct of_buf *buf, const struct act_set_field *act)
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

/* --- the row ------------------------------------------------------------- */

static void encode_set_field(struct act_writing *out, const struct act *act)
{
    if (out->version == OF10)
        encode_of10(out->buf, (const struct act_set_field *)act);
    else
        encode_of13(out, (const struct act_set_field *)act);
}

const struct act_codec act_codec_set_field = {
    .wires = ACT_WIRES(STANDARD(OFPAT_SET_FIELD, SINCE_OF13, decode_set_field), OF10_FORM(4, decode_of10),
                       OF10_FORM(5, decode_of10), OF10_FORM(6, decode_of10), OF10_FORM(7, decode_of10),
                       OF10_FORM(8, decode_of10), OF10_FORM(9, decode_of10), OF10_FORM(10, decode_of10),
                       NICIRA(NXAST_REG_LOAD, OF_VERSIONS, decode_load),
                       NICIRA_FOR_STANDARD(NXAST_REG_LOAD2, OF_VERSIONS, decode_load2),
                       NICIRA_FOR_STANDARD(NXAST_SET_MPLS_LABEL, OF_VERSIONS, decode_mpls_label),
                       NICIRA_FOR_STANDARD(NXAST_SET_MPLS_TC, OF_VERSIONS, decode_mpls_tc)),
    .encode = encode_set_field,
};
