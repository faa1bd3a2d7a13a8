/* learn on the wire: NXAST_LEARN, and NXAST_LEARN2 with limit and result; fin_timeout. */
#include "src/match/of_error.h"
#include "src/openflow/wire/act_codec_impl.h"

#define FLAGS_KNOWN (LEARN_SEND_FLOW_REM | LEARN_DELETE_LEARNED | LEARN_WRITE_RESULT)

/* The first word of a specification. */
#define SPEC_N_BITS 0x07ff
#define SPEC_DST_SHIFT 11
#define SPEC_DST 0x1800
#define SPEC_IMMEDIATE 0x2000
#define SPEC_UNKNOWN 0xc000

static int read_subfield(struct reader *r, struct subfield *sf, unsigned n_bits)
{
    const struct field *f;
    int error = act_read_field(r, &f);
    uint16_t ofs = read_u16(r);

    if (error == 0 && r->bad)
        error = OFPERR_BAC_BAD_LEN;
    return error ? error : act_make_subfield(sf, f, ofs, n_bits);
}

/* So many bytes does a number of `n_bits` take. */
static unsigned immediate_len(unsigned n_bits)
{
    return (n_bits + 15) / 16 * 2;
}

static void read_immediate(struct reader *r, union field_value *value, unsigned n_bits)
{
    unsigned len = immediate_len(n_bits), first;

    memset(value, 0, sizeof *value);
    read_copy(r, value->b + sizeof value->b - len, len);
    first = sizeof value->b - (n_bits + 7) / 8;
    memset(value->b, 0, first);
    if (n_bits % 8)
        value->b[first] &= (uint8_t)((1u << n_bits % 8) - 1);
}

static int decode_spec(struct reader *r, uint16_t head, struct learn_spec *spec)
{
    unsigned n_bits = head & SPEC_N_BITS;
    int error = 0;

    memset(spec, 0, sizeof *spec);
    spec->dst_type = (uint8_t)((head & SPEC_DST) >> SPEC_DST_SHIFT);
    spec->immediate = head & SPEC_IMMEDIATE;
    if (head & SPEC_UNKNOWN || n_bits == 0 || n_bits > 128 || spec->dst_type > LEARN_OUTPUT)
        return OFPERR_BAC_BAD_ARGUMENT;
    if (spec->immediate && spec->dst_type == LEARN_OUTPUT)
        return OFPERR_BAC_BAD_ARGUMENT;
    spec->n_bits = (uint8_t)n_bits;
    if (spec->immediate)
        read_immediate(r, &spec->value, n_bits);
    else
        error = read_subfield(r, &spec->src, n_bits);
    if (!error && spec->dst_type != LEARN_OUTPUT)
        error = read_subfield(r, &spec->dst, n_bits);
    return error == 0 && r->bad ? OFPERR_BAC_BAD_LEN : error;
}

static int decode_specs(struct reader *r, struct learn_spec *specs, uint32_t *n)
{
    for (*n = 0; r->left >= 2; ++*n) {
        uint16_t head = read_u16(r);
        int error;

        if (head == 0)
            break;
        if (*n == LEARN_SPECS_MAX)
            return OFPERR_BAC_TOO_MANY;
        error = decode_spec(r, head, &specs[*n]);
        if (error)
            return error;
    }
    for (size_t i = 0; i < r->left; i++)
        if (r->p[i])
            return OFPERR_BAC_BAD_ARGUMENT;
    read_skip(r, r->left);
    return 0;
}

static int decode_second(struct reader *r, struct act_learn *head)
{
    const struct field *f;
    uint16_t ofs;
    int error;

    head->limit = read_u32(r);
    ofs = read_u16(r);
    read_skip(r, 2);
    if (!(head->flags & LEARN_WRITE_RESULT))
        return 0;
    error = act_read_field(r, &f);
    return error ? error : act_make_subfield(&head->result_dst, f, ofs, 1);
}

static int decode_learn(struct reader *r, const struct act_reading *in)
{
    const bool second = in->wire->number == NXAST_LEARN2;
    struct learn_spec specs[LEARN_SPECS_MAX];
    struct act_learn *act, head;
    uint16_t flags;
    int error = 0;

    memset(&head, 0, sizeof head);
    head.idle_s = read_u16(r);
    head.hard_s = read_u16(r);
    head.priority = read_u16(r);
    head.cookie = read_u64(r);
    flags = read_u16(r);
    head.table_id = read_u8(r);
    read_skip(r, 1);
    head.fin_idle_s = read_u16(r);
    head.fin_hard_s = read_u16(r);
    head.flags = (uint8_t)flags;
    if (r->bad)
        return OFPERR_BAC_BAD_LEN;
    if (flags & ~FLAGS_KNOWN || head.table_id >= PIPELINE_TABLES || (!second && flags & LEARN_WRITE_RESULT))
        return OFPERR_BAC_BAD_ARGUMENT;
    if (second)
        error = decode_second(r, &head);
    if (!error)
        error = r->bad ? OFPERR_BAC_BAD_LEN : decode_specs(r, specs, &head.n_specs);
    if (error)
        return error;
    act = act_buffer_add(in->acts, ACT_LEARN, sizeof *act + head.n_specs * sizeof specs[0]);
    head.h = act->h;
    *act = head;
    if (head.n_specs > 0)
        memcpy(act->specs, specs, head.n_specs * sizeof specs[0]);
    return 0;
}

static void encode_spec(struct of_buf *buf, const struct learn_spec *spec)
{
    unsigned len = immediate_len(spec->n_bits);

    of_buf_add_u16(
        buf, (uint16_t)(spec->n_bits | spec->dst_type << SPEC_DST_SHIFT | (spec->immediate ? SPEC_IMMEDIATE : 0)));
    if (spec->immediate) {
        of_buf_add_bytes(buf, spec->value.b + sizeof spec->value.b - len, len);
    } else {
        act_put_field(buf, spec->src.field);
        of_buf_add_u16(buf, spec->src.ofs);
    }
    if (spec->dst_type != LEARN_OUTPUT) {
        act_put_field(buf, spec->dst.field);
        of_buf_add_u16(buf, spec->dst.ofs);
    }
}

static void encode_learn(struct act_writing *out, const struct act *header)
{
    const struct act_learn *act = (const struct act_learn *)header;
    struct of_buf *buf = out->buf;
    bool second = act->limit > 0 || act->flags & LEARN_WRITE_RESULT;
    size_t start = nicira_begin(buf, second ? NXAST_LEARN2 : NXAST_LEARN);

    of_buf_add_u16(buf, act->idle_s);
    of_buf_add_u16(buf, act->hard_s);
    of_buf_add_u16(buf, act->priority);
    of_buf_add_u64(buf, act->cookie);
    of_buf_add_u16(buf, act->flags);
    of_buf_add_u8(buf, act->table_id);
    of_buf_add_u8(buf, 0);
    of_buf_add_u16(buf, act->fin_idle_s);
    of_buf_add_u16(buf, act->fin_hard_s);
    if (second) {
        of_buf_add_u32(buf, act->limit);
        of_buf_add_u16(buf, act->flags & LEARN_WRITE_RESULT ? act->result_dst.ofs : 0);
        of_buf_add_u16(buf, 0);
        if (act->flags & LEARN_WRITE_RESULT)
            act_put_field(buf, act->result_dst.field);
    }
    for (uint32_t i = 0; i < act->n_specs; i++)
        encode_spec(buf, &act->specs[i]);
    act_end(buf, start);
}

const struct act_codec act_codec_learn = {
    .wires = ACT_WIRES(NICIRA(NXAST_LEARN, OF_VERSIONS, decode_learn), NICIRA(NXAST_LEARN2, OF_VERSIONS, decode_learn)),
    .encode = encode_learn,
};

/* --- fin_timeout --------------------------------------------------------- */

static int decode_fin_timeout(struct reader *r, const struct act_reading *in)
{
    struct act_fin_timeout *act = act_buffer_add_type(in->acts, ACT_FIN_TIMEOUT);

    act->idle_s = read_u16(r);
    act->hard_s = read_u16(r);
    read_skip(r, 2);
    return 0;
}

static void encode_fin_timeout(struct act_writing *out, const struct act *act)
{
    const struct act_fin_timeout *a = (const struct act_fin_timeout *)act;
    size_t start = nicira_begin(out->buf, NXAST_FIN_TIMEOUT);

    of_buf_add_u16(out->buf, a->idle_s);
    of_buf_add_u16(out->buf, a->hard_s);
    act_end(out->buf, start);
}

const struct act_codec act_codec_fin_timeout = {
    .wires = ACT_WIRES(NICIRA(NXAST_FIN_TIMEOUT, OF_VERSIONS, decode_fin_timeout)),
    .encode = encode_fin_timeout,
};
