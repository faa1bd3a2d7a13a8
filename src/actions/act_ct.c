/* Connection tracking. */
#include "src/actions/act_impl.h"

const struct act_ops act_ops_ct_clear = {
    .name = "ct_clear",
    .idle = true,
    .print = act_print_name,
};
