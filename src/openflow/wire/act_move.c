/* move (copy_field), delete_field and set_tunnel on the wire. */
#include "src/match/of_error.h"
#include "src/openflow/wire/act_codec_impl.h"
#include "src/openflow/wire/oxm.h"

/* --- move: COPY_FIELD (OpenFlow 1.5.1, 7.2.6.8), before NXAST_REG_MOVE --- */

#define OFPAT_COPY_FIELD 28

static int read_part_of(struct reader *body, uint16_t n_bits, uint16_t ofs, struct subfield *sf)
{
    bool has_mask;
    size_t len;
    const struct field *f = oxm_read_header(body, &has_mask, &len);

    if (body->bad)
        return OFPERR_BAC_BAD_LEN;
    if (!f)
        return OFPERR_BAC_BAD_SET_TYPE;
    if (has_mask ||
        (!f->variable &&
         len != f->n_bytes)) /* of variable length: Open vSwitch and OVN write the longest that there could be */
        return OFPERR_BAC_BAD_SET_LEN;
    if (f->n_bytes == 0)
        return OFPERR_NXFMFC_INVALID_TLV_FIELD;
    if (n_bits == 0 || ofs + n_bits > f->n_bits)
        return OFPERR_BAC_BAD_ARGUMENT;
    *sf = (struct subfield){.field = f, .ofs = (uint8_t)ofs, .n_bits = (uint8_t)n_bits};
    return 0;
}

static int decode_copy_field(struct reader *body, const struct act_reading *in)
{
    struct act_move *act = act_buffer_add_type(in->acts, ACT_MOVE);
    uint16_t n_bits = read_u16(body), src_ofs = read_u16(body), dst_ofs = read_u16(body);
    int error;

    read_skip(body, 2);
    error = read_part_of(body, n_bits, src_ofs, &act->src);
    if (!error)
        error = read_part_of(body, n_bits, dst_ofs, &act->dst);
    read_skip(body, body->left < 8 ? body->left : 0); /* padding */
    return error;
}

static int decode_move(struct reader *r, const struct act_reading *in)
{
    struct act_move *act = act_buffer_add_type(in->acts, ACT_MOVE);
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

static void encode_copy_field(struct of_buf *buf, const struct act_move *act, uint8_t version)
{
    size_t start = act_begin(buf, OFPAT_COPY_FIELD);

    of_buf_add_u16(buf, act->src.n_bits);
    of_buf_add_u16(buf, act->src.ofs);
    of_buf_add_u16(buf, act->dst.ofs);
    of_buf_add_u16(buf, 0);
    oxm_put_header(buf, act->src.field, version, false);
    oxm_put_header(buf, act->dst.field, version, false);
    act_end(buf, start);
}

static void encode_reg_move(struct of_buf *buf, const struct act_move *act)
{
    size_t start = nicira_begin(buf, NXAST_REG_MOVE);

    of_buf_add_u16(buf, act->src.n_bits);
    of_buf_add_u16(buf, act->src.ofs);
    of_buf_add_u16(buf, act->dst.ofs);
    act_put_field(buf, act->src.field);
    act_put_field(buf, act->dst.field);
    act_end(buf, start);
}

static void encode_move(struct act_writing *out, const struct act *act)
{
    if (out->version >= OF15)
        encode_copy_field(out->buf, (const struct act_move *)act, out->version);
    else
        encode_reg_move(out->buf, (const struct act_move *)act);
}

const struct act_codec act_codec_move = {
    .wires = ACT_WIRES(STANDARD(OFPAT_COPY_FIELD, SINCE_OF15, decode_copy_field),
                       NICIRA(NXAST_REG_MOVE, OF_VERSIONS, decode_move)),
    .encode = encode_move,
};

/* --- delete_field -------------------------------------------------------- */

static int decode_delete_field(struct reader *r, const struct act_reading *in)
{
    struct act_subfield *act = act_buffer_add_type(in->acts, ACT_DELETE_FIELD);
    const struct field *f;
    int error = act_read_field(r, &f);

    read_skip(r, r->left < 16 ? r->left : 0);
    if (error)
        return error;
    return f->variable ? act_make_subfield(&act->sf, f, 0, f->n_bits) : OFPERR_BAC_BAD_ARGUMENT;
}

static void encode_delete_field(struct act_writing *out, const struct act *act)
{
    size_t start = nicira_begin(out->buf, NXAST_DELETE_FIELD);

    act_put_field(out->buf, ((const struct act_subfield *)act)->sf.field);
    of_buf_pad(out->buf, start, 24);
    act_end(out->buf, start);
}

const struct act_codec act_codec_delete_field = {
    .wires = ACT_WIRES(NICIRA(NXAST_DELETE_FIELD, OF_VERSIONS, decode_delete_field)),
    .encode = encode_delete_field,
};

/* --- set_tunnel ---------------------------------------------------------- */

static int decode_set_tunnel(struct reader *r, const struct act_reading *in)
{
    struct act_u64 *act = act_buffer_add_type(in->acts, ACT_SET_TUNNEL);
    const bool wide = in->wire->number == NXAST_SET_TUNNEL64;

    read_skip(r, wide ? 6 : 2);
    act->value = wide ? read_u64(r) : read_u32(r);
    return 0;
}

static void encode_nicira_tunnel(struct of_buf *buf, uint64_t id)
{
    const bool wide = id > UINT32_MAX;
    size_t start = nicira_begin(buf, wide ? NXAST_SET_TUNNEL64 : NXAST_SET_TUNNEL);

    of_buf_add(buf, wide ? 6 : 2);
    if (wide)
        of_buf_add_u64(buf, id);
    else
        of_buf_add_u32(buf, (uint32_t)id);
    act_end(buf, start);
}

/* Versions with set_field say it so. */
static void encode_set_tunnel(struct act_writing *out, const struct act *act)
{
    uint64_t id = ((const struct act_u64 *)act)->value;
    rte_be64_t value = rte_cpu_to_be_64(id);

    if (out->version == OF10)
        encode_nicira_tunnel(out->buf, id);
    else
        act_put_set_field(out, field_by_id(FIELD_TUN_ID), (const uint8_t *)&value);
}

const struct act_codec act_codec_set_tunnel = {
    .wires = ACT_WIRES(NICIRA(NXAST_SET_TUNNEL, OF_VERSIONS, decode_set_tunnel),
                       NICIRA(NXAST_SET_TUNNEL64, OF_VERSIONS, decode_set_tunnel)),
    .encode = encode_set_tunnel,
};
