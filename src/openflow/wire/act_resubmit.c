/* resubmit, goto_table and exit on the wire. */
#include "src/match/of_error.h"
#include "src/openflow/wire/act_codec_impl.h"

static int decode_resubmit(struct reader *r, const struct act_reading *in)
{
    struct act_resubmit *act = act_buffer_add_type(in->acts, ACT_RESUBMIT);
    const bool with_table = in->wire->number != NXAST_RESUBMIT;

    act->in_port = port_from_of10(read_u16(r));
    act->table = with_table ? read_u8(r) : 255;
    act->with_ct = in->wire->number == NXAST_RESUBMIT_TABLE_CT;
    read_skip(r, with_table ? 3 : 4);
    return 0;
}

static uint16_t number_of(const struct act_resubmit *act)
{
    if (act->with_ct)
        return NXAST_RESUBMIT_TABLE_CT;
    return act->table == 255 ? NXAST_RESUBMIT : NXAST_RESUBMIT_TABLE;
}

static void encode_resubmit(struct act_writing *out, const struct act *act)
{
    const struct act_resubmit *a = (const struct act_resubmit *)act;
    const uint16_t number = number_of(a);
    size_t start = nicira_begin(out->buf, number);

    of_buf_add_u16(out->buf, port_to_of10(a->in_port));
    of_buf_add_u8(out->buf, number == NXAST_RESUBMIT ? 0 : a->table);
    of_buf_add(out->buf, 3);
    act_end(out->buf, start);
}

const struct act_codec act_codec_resubmit = {
    .wires = ACT_WIRES(NICIRA(NXAST_RESUBMIT, OF_VERSIONS, decode_resubmit),
                       NICIRA(NXAST_RESUBMIT_TABLE, OF_VERSIONS, decode_resubmit),
                       NICIRA(NXAST_RESUBMIT_TABLE_CT, OF_VERSIONS, decode_resubmit)),
    .encode = encode_resubmit,
};

const struct act_codec act_codec_exit = {
    .wires = ACT_WIRES(NICIRA(NXAST_EXIT, OF_VERSIONS, act_read_plain)),
    .encode = act_put_plain,
};

static int decode_goto(struct reader *body, const struct act_reading *in)
{
    struct act_u32 *act = act_buffer_add_type(in->acts, ACT_GOTO_TABLE);

    act->value = read_u8(body);
    read_skip(body, 3);
    return act->value >= PIPELINE_TABLES ? OFPERR_BIC_BAD_TABLE_ID : 0;
}

/* OpenFlow 1.0 comes nearest by a resubmit. */
static void encode_goto_of10(struct act_writing *out, const struct act *act)
{
    const struct act_resubmit resubmit = {
        .h = {.type = ACT_RESUBMIT}, .in_port = OFPORT_IN_PORT, .table = (uint8_t)act_u32_of(act)};

    if (out->version == OF10)
        act_encode(out, &resubmit.h);
}

static void encode_goto(struct act_writing *out, const struct act *act)
{
    size_t start = act_begin(out->buf, 1);

    of_buf_add_u8(out->buf, (uint8_t)act_u32_of(act));
    act_end(out->buf, start);
}

const struct act_codec act_codec_goto_table = {
    .encode = encode_goto_of10,
    .instruction = {.number = 1, .versions = SINCE_OF13, .decode = decode_goto, .encode = encode_goto},
};
