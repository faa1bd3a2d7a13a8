/* VLAN tags: push_vlan, pop_vlan (strip_vlan), and OpenFlow 1.0's mod_vlan_vid and mod_vlan_pcp. */
#include "src/actions/act_impl.h"

static int check_push(const struct act *act, struct act_known *k)
{
    if (!act_is_vlan_type(act_u32_of(act)))
        return OFPERR_BAC_BAD_ARGUMENT;
    act_known_set_tags(k, k->n_tags + 1);
    return 0;
}

const struct act_ops act_ops_push_vlan = {
    .name = "push_vlan",
    .rank = ACT_RANK_PUSH_VLAN,
    .check = check_push,
    .print = act_print_eth_type,
};

/* OpenFlow 1.0's does nothing to a packet without a tag. */
static int check_pop(const struct act *act, struct act_known *k)
{
    if (act->form != ACT_FORM_OF10 && k->n_tags == 0)
        return OFPERR_BAC_MATCH_INCONSISTENT;
    act_known_set_tags(k, k->n_tags > 0 ? k->n_tags - 1 : 0);
    return 0;
}

static void print_pop(struct act_printer *p, const struct act *act)
{
    fputs(act->form == ACT_FORM_OF10 ? "strip_vlan" : "pop_vlan", p->out);
}

const struct act_ops act_ops_pop_vlan = {
    .name = "pop_vlan",
    .rank = ACT_RANK_POP_VLAN,
    .check = check_pop,
    .print = print_pop,
};

/* Adds a tag where there is none. */
static int check_set(const struct act *act, struct act_known *k)
{
    act_known_set_tags(k, RTE_MAX(k->n_tags, 1u));
    return 0;
}

const struct act_ops act_ops_set_vlan_vid = {
    .name = "mod_vlan_vid",
    .rank = ACT_RANK_SET,
    .check = check_set,
    .print = act_print_number,
};

const struct act_ops act_ops_set_vlan_pcp = {
    .name = "mod_vlan_pcp",
    .rank = ACT_RANK_SET,
    .check = check_set,
    .print = act_print_number,
};
