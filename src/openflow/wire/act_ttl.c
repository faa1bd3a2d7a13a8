/* The TTL of IP, and copies of it, on the wire. */
#include "src/match/of_error.h"
#include "src/openflow/wire/act_codec_impl.h"

const struct act_codec act_codec_copy_ttl_out = {
    .wires = ACT_WIRES(STANDARD(11, SINCE_OF13, act_read_plain)),
    .encode = act_put_plain,
};

const struct act_codec act_codec_copy_ttl_in = {
    .wires = ACT_WIRES(STANDARD(12, SINCE_OF13, act_read_plain)),
    .encode = act_put_plain,
};

/* OpenFlow 1.0 has it as a load. */
static void encode_set_ip_ttl(struct act_writing *out, const struct act *act)
{
    const struct act_set_field load = {
        .field = field_by_id(FIELD_IP_TTL), .value = {{(uint8_t)act_u32_of(act)}}, .mask = {{0xff}}};

    if (out->version == OF10)
        act_put_load(out->buf, &load);
    else
        act_put_u8(out, act);
}

const struct act_codec act_codec_set_ip_ttl = {
    .wires = ACT_WIRES(STANDARD(23, SINCE_OF13, act_read_u8)),
    .encode = encode_set_ip_ttl,
};

static int decode_dec_ttl_ids(struct reader *r, const struct act_reading *in)
{
    uint16_t n = read_u16(r);
    struct act_dec_ttl *act;

    read_skip(r, 4);
    if (n * 2u > r->left || r->left - n * 2u >= 8)
        return OFPERR_BAC_BAD_LEN;
    act = act_buffer_add(in->acts, ACT_DEC_TTL, sizeof *act + n * 2u);
    act->n_ids = n;
    act->with_ids = 1;
    for (unsigned i = 0; i < n; i++)
        act->ids[i] = read_u16(r);
    read_skip(r, r->left);
    return 0;
}

static void encode_dec_ttl(struct act_writing *out, const struct act *act)
{
    const struct act_dec_ttl *a = (const struct act_dec_ttl *)act;
    size_t start;

    if (!a->with_ids) {
        act_put_plain(out, act);
        return;
    }
    start = nicira_begin(out->buf, NXAST_DEC_TTL_CNT_IDS);
    of_buf_add_u16(out->buf, a->n_ids);
    of_buf_add(out->buf, 4);
    for (unsigned i = 0; i < a->n_ids; i++)
        of_buf_add_u16(out->buf, a->ids[i]);
    act_end(out->buf, start);
}

const struct act_codec act_codec_dec_ttl = {
    .wires = ACT_WIRES(STANDARD(24, SINCE_OF13, act_read_plain),
                       NICIRA_FOR_STANDARD(NXAST_DEC_TTL, OF_VERSIONS, act_read_plain),
                       NICIRA(NXAST_DEC_TTL_CNT_IDS, OF_VERSIONS, decode_dec_ttl_ids)),
    .encode = encode_dec_ttl,
};
