/* note on the wire. */
#include "src/openflow/wire/act_codec_impl.h"

static int decode_note(struct reader *r, const struct act_reading *in)
{
    struct act_bytes *act = act_buffer_add(in->acts, ACT_NOTE, sizeof *act + r->left);

    act->n = (uint32_t)r->left;
    read_copy(r, act->data, r->left);
    return 0;
}

static void encode_note(struct act_writing *out, const struct act *act)
{
    const struct act_bytes *a = (const struct act_bytes *)act;
    size_t start = nicira_begin(out->buf, NXAST_NOTE);

    of_buf_add_bytes(out->buf, a->data, a->n);
    act_end(out->buf, start);
}

const struct act_codec act_codec_note = {
    .wires = ACT_WIRES(NICIRA(NXAST_NOTE, OF_VERSIONS, decode_note)),
    .encode = encode_note,
};
