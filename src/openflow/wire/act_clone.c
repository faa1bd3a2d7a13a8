/* clone(...) on the wire: a list in the list. */
#include "src/match/of_error.h"
#include "src/openflow/wire/act_codec_impl.h"

static int decode_clone(struct reader *body, const struct act_reading *in)
{
    struct act_buffer inner;
    struct act_bytes *act;
    int error;

    if (in->depth == ACT_NESTED_MAX)
        return OFPERR_BAC_TOO_MANY;
    act_buffer_init(&inner);
    read_skip(body, 6);
    error = body->bad ? OFPERR_BAC_BAD_LEN : act_list_decode(body, in->version, in->depth + 1, &inner);
    if (!error) {
        act = act_buffer_add(in->acts, ACT_CLONE, sizeof *act + inner.len);
        act->n = (uint32_t)inner.len;
        if (inner.len)
            memcpy(act->data, inner.data, inner.len);
    }
    act_buffer_free(&inner);
    return error;
}

static void encode_clone(struct act_writing *out, const struct act *act)
{
    size_t start = nicira_begin(out->buf, NXAST_CLONE);
    struct act_list inner;

    of_buf_add(out->buf, 6);
    act_nested(act, &inner);
    acts_encode(out->buf, &inner, out->version, out->match);
    act_end(out->buf, start);
}

const struct act_codec act_codec_clone = {
    .wires = ACT_WIRES(NICIRA(NXAST_CLONE, OF_VERSIONS, decode_clone)),
    .encode = encode_clone,
};
