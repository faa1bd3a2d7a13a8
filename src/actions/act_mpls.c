/* MPLS labels: push_mpls, pop_mpls, and their TTL. */
#include <inttypes.h>

#include "src/actions/act_impl.h"

static int check_push(const struct act *act, struct act_known *k)
{
    uint32_t eth_type = act_u32_of(act);

    if (eth_type != RTE_ETHER_TYPE_MPLS && eth_type != RTE_ETHER_TYPE_MPLSM)
        return OFPERR_BAC_BAD_ARGUMENT;
    act_known_hide(k, ACT_PUSH_MPLS);
    act_known_set_eth_type(k, (uint16_t)eth_type);
    return 0;
}

const struct act_ops act_ops_push_mpls = {
    .name = "push_mpls",
    .rank = ACT_RANK_PUSH_MPLS,
    .check = check_push,
    .print = act_print_eth_type,
};

/* The action says what comes to light. It is what a push has hidden, if that is of this type. */
static int check_pop(const struct act *act, struct act_known *k)
{
    const uint16_t eth_type = (uint16_t)act_u32_of(act);
    const struct act_hidden *hidden;

    if (!act_known_is_mpls(k))
        return OFPERR_BAC_MATCH_INCONSISTENT;
    hidden = act_known_pop(k, ACT_PUSH_MPLS);
    if (hidden &&
        (hidden->n_tags > 0 ? act_is_vlan_type(eth_type)
                            : hidden->eth_type_mask == UINT16_MAX && hidden->eth_type == rte_cpu_to_be_16(eth_type))) {
        act_known_reveal(k, hidden);
        return 0;
    }
    act_known_set_eth_type(k, eth_type);
    k->anything |= act_is_vlan_type(eth_type);
    return 0;
}

const struct act_ops act_ops_pop_mpls = {
    .name = "pop_mpls",
    .rank = ACT_RANK_POP_MPLS,
    .check = check_pop,
    .print = act_print_eth_type,
};

static void print_set_ttl(struct act_printer *p, const struct act *act)
{
    fprintf(p->out, "set_mpls_ttl(%" PRIu32 ")", act_u32_of(act));
}

const struct act_ops act_ops_set_mpls_ttl = {
    .name = "set_mpls_ttl",
    .rank = ACT_RANK_SET,
    .check = act_check_is_mpls,
    .print = print_set_ttl,
};

const struct act_ops act_ops_dec_mpls_ttl = {
    .name = "dec_mpls_ttl",
    .rank = ACT_RANK_DEC_MPLS_TTL,
    .check = act_check_is_mpls,
    .print = act_print_name,
};
