/* sample on the wire: three forms, each with more to say. */
#include "src/match/of_error.h"
#include "src/openflow/wire/act_codec_impl.h"

static int decode_sample(struct reader *r, const struct act_reading *in)
{
    const uint16_t subtype = in->wire->number;
    struct act_sample *act = act_buffer_add_type(in->acts, ACT_SAMPLE);
    uint16_t port;

    act->probability = read_u16(r);
    act->collector_set = read_u32(r);
    act->obs_domain = read_u32(r);
    act->obs_point = read_u32(r);
    act->port = OFPORT_ANY;
    if (subtype != NXAST_SAMPLE) {
        port = read_u16(r);
        act->direction = read_u8(r);
        read_skip(r, 5);
        act->port = port_from_of10(port);
    }
    if (subtype == NXAST_SAMPLE2)
        act->direction = SAMPLE_ANY;
    return act->direction <= SAMPLE_EGRESS && (r->bad || act->probability > 0) ? 0 : OFPERR_BAC_BAD_ARGUMENT;
}

static void encode_sample(struct act_writing *out, const struct act *header)
{
    const struct act_sample *act = (const struct act_sample *)header;
    struct of_buf *buf = out->buf;
    uint16_t subtype = act->direction != SAMPLE_ANY ? NXAST_SAMPLE3
                       : act->port != OFPORT_ANY    ? NXAST_SAMPLE2
                                                    : NXAST_SAMPLE;
    size_t start = nicira_begin(buf, subtype);

    of_buf_add_u16(buf, act->probability);
    of_buf_add_u32(buf, act->collector_set);
    of_buf_add_u32(buf, act->obs_domain);
    of_buf_add_u32(buf, act->obs_point);
    if (subtype != NXAST_SAMPLE) {
        of_buf_add_u16(buf, port_to_of10(act->port));
        of_buf_add_u8(buf, act->direction);
        of_buf_add(buf, 5);
    }
    act_end(buf, start);
}

const struct act_codec act_codec_sample = {
    .wires =
        ACT_WIRES(NICIRA(NXAST_SAMPLE, OF_VERSIONS, decode_sample), NICIRA(NXAST_SAMPLE2, OF_VERSIONS, decode_sample),
                  NICIRA(NXAST_SAMPLE3, OF_VERSIONS, decode_sample)),
    .encode = encode_sample,
};
