#include "src/actions/act_ops.h"

#define ACT_ROW(TYPE, name, args) [ACT_##TYPE] = &act_ops_##name,
const struct act_ops *const act_ops[ACT_N_TYPES] = {ACT_TYPES(ACT_ROW)};

#define ACT_SIZE(TYPE, name, args) [ACT_##TYPE] = sizeof(args),
const uint16_t act_sizes[ACT_N_TYPES] = {ACT_TYPES(ACT_SIZE)};
