/* The instructions that write for later (OpenFlow 1.3.5, 7.2.4): clear_actions, write_actions, write_metadata. */
#include "src/match/of_error.h"
#include "src/openflow/wire/act_codec_impl.h"

static void encode_clear_actions(struct act_writing *out, const struct act *act)
{
    size_t start = act_begin(out->buf, 5);

    act_end(out->buf, start);
}

const struct act_codec act_codec_clear_actions = {
    .instruction = {.number = 5, .versions = SINCE_OF13, .decode = act_read_plain, .encode = encode_clear_actions},
};

static int decode_write_actions(struct reader *body, const struct act_reading *in)
{
    struct act_buffer inner;
    struct act_list list;
    int error;

    act_buffer_init(&inner);
    read_skip(body, 4);
    error = acts_decode(body, in->version, &inner);
    list = act_buffer_list(&inner);
    ACT_FOR_EACH (act, &list) {
        if (!error && !act_fits_write_actions(act))
            error = OFPERR_BAC_BAD_TYPE;
    }
    if (!error) {
        struct act_bytes *act = act_buffer_add(in->acts, ACT_WRITE_ACTIONS, sizeof *act + inner.len);

        act->n = (uint32_t)inner.len;
        if (inner.len)
            memcpy(act->data, inner.data, inner.len);
    }
    act_buffer_free(&inner);
    return error;
}

static void encode_write_actions(struct act_writing *out, const struct act *act)
{
    size_t start = act_begin(out->buf, 3);
    struct act_list inner;

    of_buf_add(out->buf, 4);
    act_nested(act, &inner);
    acts_encode(out->buf, &inner, out->version, out->match);
    act_end(out->buf, start);
}

const struct act_codec act_codec_write_actions = {
    .instruction = {.number = 3,
                    .versions = SINCE_OF13,
                    .decode = decode_write_actions,
                    .encode = encode_write_actions},
};

/* --- write_metadata ------------------------------------------------------ */

/* In OpenFlow 1.0 an action of Nicira's, which later versions read, too. */

static int decode_write_metadata(struct reader *body, const struct act_reading *in)
{
    struct act_metadata *act = act_buffer_add_type(in->acts, ACT_WRITE_METADATA);

    read_skip(body, in->wire ? 6 : 4);
    act->value = rte_cpu_to_be_64(read_u64(body));
    act->mask = rte_cpu_to_be_64(read_u64(body));
    return 0;
}

static void put_metadata(struct of_buf *buf, size_t start, size_t pad, const struct act *act)
{
    of_buf_add(buf, pad);
    of_buf_add_bytes(buf, &((const struct act_metadata *)act)->value, 8);
    of_buf_add_bytes(buf, &((const struct act_metadata *)act)->mask, 8);
    act_end(buf, start);
}

static void encode_nicira_metadata(struct act_writing *out, const struct act *act)
{
    put_metadata(out->buf, nicira_begin(out->buf, NXAST_WRITE_METADATA), 6, act);
}

static void encode_write_metadata(struct act_writing *out, const struct act *act)
{
    put_metadata(out->buf, act_begin(out->buf, 2), 4, act);
}

const struct act_codec act_codec_write_metadata = {
    .wires = ACT_WIRES(NICIRA_FOR_STANDARD(NXAST_WRITE_METADATA, OF_VERSIONS, decode_write_metadata)),
    .encode = encode_nicira_metadata,
    .instruction = {.number = 2,
                    .versions = SINCE_OF13,
                    .decode = decode_write_metadata,
                    .encode = encode_write_metadata},
};
