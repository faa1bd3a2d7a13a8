/* conjunction on the wire. */
#include "src/match/of_error.h"
#include "src/openflow/wire/act_codec_impl.h"

static int decode_conjunction(struct reader *r, const struct act_reading *in)
{
    struct act_conjunction *act = act_buffer_add_type(in->acts, ACT_CONJUNCTION);
    uint8_t clause = read_u8(r);

    act->n_clauses = read_u8(r);
    act->id = read_u32(r);
    act->clause = clause + 1;
    return act->n_clauses >= 2 && act->n_clauses <= 64 && clause < act->n_clauses ? 0 : OFPERR_BAC_BAD_CONJUNCTION;
}

static void encode_conjunction(struct act_writing *out, const struct act *act)
{
    const struct act_conjunction *a = (const struct act_conjunction *)act;
    size_t start = nicira_begin(out->buf, NXAST_CONJUNCTION);

    of_buf_add_u8(out->buf, a->clause - 1);
    of_buf_add_u8(out->buf, a->n_clauses);
    of_buf_add_u32(out->buf, a->id);
    act_end(out->buf, start);
}

const struct act_codec act_codec_conjunction = {
    .wires = ACT_WIRES(NICIRA(NXAST_CONJUNCTION, OF_VERSIONS, decode_conjunction)),
    .encode = encode_conjunction,
};
