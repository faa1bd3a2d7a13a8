/* Provider backbone bridges on the wire. */
#include "src/openflow/wire/act_codec_impl.h"

const struct act_codec act_codec_push_pbb = {
    .wires = ACT_WIRES(STANDARD(26, SINCE_OF13, act_read_u16)),
    .encode = act_put_u16,
};

const struct act_codec act_codec_pop_pbb = {
    .wires = ACT_WIRES(STANDARD(27, SINCE_OF13, act_read_plain)),
    .encode = act_put_plain,
};
