/* The TTL of IP, and copies of it to and from MPLS labels. */
#include "src/actions/act_impl.h"

static int check_ttl(const struct act *act, struct act_known *k)
{
    return act_check_read(field_by_id(FIELD_IP_TTL), &k->m);
}

const struct act_ops act_ops_set_ip_ttl = {
    .name = "mod_nw_ttl",
    .rank = ACT_RANK_SET,
    .check = check_ttl,
    .print = act_print_number,
};

static void print_dec_ttl(struct act_printer *p, const struct act *act)
{
    const struct act_dec_ttl *a = (const struct act_dec_ttl *)act;

    fputs("dec_ttl", p->out);
    if (!a->with_ids)
        return;
    fputc('(', p->out);
    for (unsigned i = 0; i < a->n_ids; i++)
        fprintf(p->out, "%s%u", i ? "," : "", a->ids[i]);
    fputc(')', p->out);
}

const struct act_ops act_ops_dec_ttl = {
    .name = "dec_ttl",
    .rank = ACT_RANK_DEC_TTL,
    .check = check_ttl,
    .print = print_dec_ttl,
};

const struct act_ops act_ops_copy_ttl_out = {
    .name = "copy_ttl_out",
    .rank = ACT_RANK_COPY_TTL_OUT,
    .check = act_check_is_mpls,
    .print = act_print_name,
};

const struct act_ops act_ops_copy_ttl_in = {
    .name = "copy_ttl_in",
    .rank = ACT_RANK_COPY_TTL_IN,
    .check = act_check_is_mpls,
    .print = act_print_name,
};
