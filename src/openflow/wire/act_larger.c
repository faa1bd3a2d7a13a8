/* check_pkt_larger on the wire. */
#include "src/match/of_error.h"
#include "src/openflow/wire/act_codec_impl.h"

static int decode_check_larger(struct reader *r, const struct act_reading *in)
{
    struct act_check_larger *act = act_buffer_add_type(in->acts, ACT_CHECK_LARGER);
    uint16_t len = read_u16(r), ofs = read_u16(r);
    const struct field *f;
    int error = act_read_field(r, &f);

    act->len = len;
    read_skip(r, r->left <= 6 ? r->left : 6);
    return error ? error : act_make_subfield(&act->dst, f, ofs, 1);
}

static void encode_check_larger(struct act_writing *out, const struct act *act)
{
    const struct act_check_larger *a = (const struct act_check_larger *)act;
    size_t start = nicira_begin(out->buf, NXAST_CHECK_PKT_LARGER);

    of_buf_add_u16(out->buf, a->len);
    of_buf_add_u16(out->buf, a->dst.ofs);
    act_put_field(out->buf, a->dst.field);
    of_buf_add(out->buf, 2);
    act_end(out->buf, start);
}

const struct act_codec act_codec_check_larger = {
    .wires = ACT_WIRES(NICIRA(NXAST_CHECK_PKT_LARGER, OF_VERSIONS, decode_check_larger)),
    .encode = encode_check_larger,
};
