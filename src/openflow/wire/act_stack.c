/* push and pop on the wire. */
#include "src/match/of_error.h"
#include "src/openflow/wire/act_codec_impl.h"

static int decode_stack(struct reader *r, const struct act_reading *in)
{
    struct act_subfield *act = act_buffer_add_type(in->acts, in->type);
    uint16_t ofs = read_u16(r), n_bits;
    const struct field *f;
    int error = act_read_field(r, &f);

    n_bits = read_u16(r);
    read_skip(r, r->left < 8 ? r->left : 6);
    return error ? error : act_make_subfield(&act->sf, f, ofs, n_bits);
}

static void put_stack(struct of_buf *buf, uint16_t subtype, const struct subfield *sf)
{
    size_t start = nicira_begin(buf, subtype);

    of_buf_add_u16(buf, sf->ofs);
    act_put_field(buf, sf->field);
    of_buf_add_u16(buf, sf->n_bits);
    of_buf_add(buf, 6);
    act_end(buf, start);
}

static void encode_push(struct act_writing *out, const struct act *act)
{
    put_stack(out->buf, NXAST_STACK_PUSH, &((const struct act_subfield *)act)->sf);
}

const struct act_codec act_codec_stack_push = {
    .wires = ACT_WIRES(NICIRA(NXAST_STACK_PUSH, OF_VERSIONS, decode_stack)),
    .encode = encode_push,
};

static void encode_pop(struct act_writing *out, const struct act *act)
{
    put_stack(out->buf, NXAST_STACK_POP, &((const struct act_subfield *)act)->sf);
}

const struct act_codec act_codec_stack_pop = {
    .wires = ACT_WIRES(NICIRA(NXAST_STACK_POP, OF_VERSIONS, decode_stack)),
    .encode = encode_pop,
};
