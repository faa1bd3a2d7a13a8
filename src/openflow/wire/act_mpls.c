/* MPLS labels on the wire. */
#include "src/openflow/wire/act_codec_impl.h"

const struct act_codec act_codec_push_mpls = {
    .wires = ACT_WIRES(STANDARD(19, SINCE_OF13, act_read_u16),
                       NICIRA_FOR_STANDARD(NXAST_PUSH_MPLS, OF_VERSIONS, act_read_u16)),
    .encode = act_put_u16,
};

const struct act_codec act_codec_pop_mpls = {
    .wires = ACT_WIRES(STANDARD(20, SINCE_OF13, act_read_u16),
                       NICIRA_FOR_STANDARD(NXAST_POP_MPLS, OF_VERSIONS, act_read_u16)),
    .encode = act_put_u16,
};

const struct act_codec act_codec_set_mpls_ttl = {
    .wires = ACT_WIRES(STANDARD(15, SINCE_OF13, act_read_u8),
                       NICIRA_FOR_STANDARD(NXAST_SET_MPLS_TTL, OF_VERSIONS, act_read_u8)),
    .encode = act_put_u8,
};

const struct act_codec act_codec_dec_mpls_ttl = {
    .wires = ACT_WIRES(STANDARD(16, SINCE_OF13, act_read_plain),
                       NICIRA_FOR_STANDARD(NXAST_DEC_MPLS_TTL, OF_VERSIONS, act_read_plain)),
    .encode = act_put_plain,
};
