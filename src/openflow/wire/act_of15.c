/* COPY_FIELD (OpenFlow 1.5.1, 7.2.6.8), which earlier versions have as NXAST_REG_MOVE. */
#include "src/match/of_error.h"
#include "src/openflow/wire/act_wire.h"
#include "src/openflow/wire/oxm.h"
#include "src/openflow/wire/version.h"

#define OFPAT_COPY_FIELD 28

static int read_subfield(struct reader *body, uint16_t n_bits, uint16_t ofs, struct subfield *sf)
{
    bool has_mask;
    size_t len;
    const struct field *f = oxm_read_header(body, &has_mask, &len);

    if (body->bad)
        return OFPERR_BAC_BAD_LEN;
    if (!f)
        return OFPERR_BAC_BAD_SET_TYPE;
    if (has_mask || len != f->n_bytes)
        return OFPERR_BAC_BAD_SET_LEN;
    if (n_bits == 0 || ofs + n_bits > f->n_bits)
        return OFPERR_BAC_BAD_ARGUMENT;
    *sf = (struct subfield){.field = f, .ofs = (uint8_t)ofs, .n_bits = (uint8_t)n_bits};
    return 0;
}

int act_decode_copy_field(struct reader *body, struct act_buffer *acts)
{
    struct act_move *act = act_buffer_add(acts, ACT_MOVE, sizeof *act);
    uint16_t n_bits = read_u16(body), src_ofs = read_u16(body), dst_ofs = read_u16(body);
    int error;

    read_skip(body, 2);
    error = read_subfield(body, n_bits, src_ofs, &act->src);
    if (!error)
        error = read_subfield(body, n_bits, dst_ofs, &act->dst);
    read_skip(body, body->left < 8 ? body->left : 0); /* padding */
    return error;
}

void act_encode_copy_field(struct of_buf *buf, const struct act_move *act, uint8_t version)
{
    size_t start = buf->len;

    of_buf_add_u16(buf, OFPAT_COPY_FIELD);
    of_buf_add_u16(buf, 0);
    of_buf_add_u16(buf, act->src.n_bits);
    of_buf_add_u16(buf, act->src.ofs);
    of_buf_add_u16(buf, act->dst.ofs);
    of_buf_add_u16(buf, 0);
    oxm_put_header(buf, act->src.field, version, false);
    oxm_put_header(buf, act->dst.field, version, false);
    act_end(buf, start);
}
