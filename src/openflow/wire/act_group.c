/* group and meter on the wire. */
#include "src/openflow/wire/act_codec_impl.h"

const struct act_codec act_codec_group = {
    .wires =
        ACT_WIRES(STANDARD(22, SINCE_OF13, act_read_u32), NICIRA_FOR_STANDARD(NXAST_GROUP, OF_VERSIONS, act_read_u32)),
    .encode = act_put_u32,
};

static void encode_meter_instruction(struct act_writing *out, const struct act *act)
{
    size_t start = act_begin(out->buf, 6);

    of_buf_add_u32(out->buf, act_u32_of(act));
    act_end(out->buf, start);
}

/* An instruction up to OpenFlow 1.4, an action since. */
const struct act_codec act_codec_meter = {
    .wires = ACT_WIRES(STANDARD(29, SINCE_OF15, act_read_u32)),
    .encode = act_put_u32,
    .instruction =
        {
            .number = 6,
            .versions = UNTIL_OF14,
            .before = true,
            .decode = act_read_u32,
            .encode = encode_meter_instruction,
        },
};
