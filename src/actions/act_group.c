/* group and meter: what a rule hands its packets to. */
#include "src/actions/act_impl.h"

static int check_group(const struct act *act, struct act_known *k)
{
    return act_u32_of(act) <= 0xffffff00u ? 0 : OFPERR_BAC_BAD_OUT_GROUP;
}

static struct act_ref group_ref(const struct act *act)
{
    return (struct act_ref){ACT_REF_GROUP, act_u32_of(act)};
}

const struct act_ops act_ops_group = {
    .name = "group",
    .rank = ACT_RANK_GROUP,
    .check = check_group,
    .print = act_print_number,
    .ref = group_ref,
};

static struct act_ref meter_ref(const struct act *act)
{
    return (struct act_ref){ACT_REF_METER, act_u32_of(act)};
}

const struct act_ops act_ops_meter = {
    .name = "meter",
    .rank = ACT_RANK_METER,
    .print = act_print_number,
    .ref = meter_ref,
};
