/* Connection tracking on the wire. There is none yet: what needs it is refused. */
#include "src/match/of_error.h"
#include "src/openflow/wire/act_codec_impl.h"

static int decode_unsupported(struct reader *r, const struct act_reading *in)
{
    return OFPERR_BAC_CT_UNSUPPORTED;
}

const struct act_codec act_codec_ct_clear = {
    .wires = ACT_WIRES(NICIRA(NXAST_CT_CLEAR, OF_VERSIONS, act_read_plain),
                       NICIRA(NXAST_CT, OF_VERSIONS, decode_unsupported),
                       NICIRA(NXAST_NAT, OF_VERSIONS, decode_unsupported)),
    .encode = act_put_plain,
};
