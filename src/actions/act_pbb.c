/* Provider backbone bridges (IEEE 802.1Q I-TAG): push_pbb, pop_pbb. */
#include "src/actions/act_impl.h"

static int check_push(const struct act *act, struct act_known *k)
{
    if (act_u32_of(act) != ETH_TYPE_PBB)
        return OFPERR_BAC_BAD_ARGUMENT;
    act_known_hide(k, ACT_PUSH_PBB);
    act_known_set_eth_type(k, ETH_TYPE_PBB);
    return 0;
}

const struct act_ops act_ops_push_pbb = {
    .name = "push_pbb",
    .rank = ACT_RANK_PUSH_PBB,
    .check = check_push,
    .print = act_print_eth_type,
};

static int check_pop(const struct act *act, struct act_known *k)
{
    const struct act_hidden *hidden;

    if (k->m.mask.pkt.eth_type != 0xffff || k->m.value.pkt.eth_type != RTE_BE16(ETH_TYPE_PBB))
        return OFPERR_BAC_MATCH_INCONSISTENT;
    hidden = act_known_pop(k, ACT_PUSH_PBB);
    if (hidden) {
        act_known_reveal(k, hidden);
        return 0;
    }
    k->m.mask.pkt.eth_type = k->m.value.pkt.eth_type = 0;
    k->anything = true;
    return 0;
}

const struct act_ops act_ops_pop_pbb = {
    .name = "pop_pbb",
    .rank = ACT_RANK_POP_PBB,
    .check = check_pop,
    .print = act_print_name,
};
