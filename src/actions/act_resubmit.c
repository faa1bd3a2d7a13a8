/* Where a packet goes on: resubmit, goto_table; exit. */
#include "src/actions/act_impl.h"

static int check_resubmit(const struct act *act, struct act_known *k)
{
    const struct act_resubmit *a = (const struct act_resubmit *)act;
    const uint32_t port = a->in_port;

    if (a->with_ct && !match_is_tracked(&k->m))
        return OFPERR_BAC_MATCH_INCONSISTENT;
    return port <= OFPORT_USER_MAX || port == OFPORT_IN_PORT || port == OFPORT_LOCAL || port == OFPORT_CONTROLLER
               ? 0
               : OFPERR_BAC_BAD_OUT_PORT;
}

static void print_resubmit(struct act_printer *p, const struct act *act)
{
    const struct act_resubmit *a = (const struct act_resubmit *)act;

    if (a->table == 255 && !a->with_ct) {
        fputs("resubmit:", p->out);
        act_print_port(p, a->in_port);
        return;
    }
    fputs("resubmit(", p->out);
    if (a->in_port != OFPORT_IN_PORT)
        act_print_port(p, a->in_port);
    fputc(',', p->out);
    if (a->table != 255)
        fprintf(p->out, "%u", a->table);
    fputs(a->with_ct ? ",ct)" : ")", p->out);
}

const struct act_ops act_ops_resubmit = {
    .name = "resubmit",
    .rank = ACT_RANK_RESUBMIT,
    .bucket_only = true,
    .check = check_resubmit,
    .print = print_resubmit,
};

static int check_goto(const struct act *act, struct act_known *k)
{
    uint32_t table = act_u32_of(act);

    return table < PIPELINE_TABLES && (k->table_id == TABLE_ALL || table > k->table_id) ? 0 : OFPERR_BIC_BAD_TABLE_ID;
}

const struct act_ops act_ops_goto_table = {
    .name = "goto_table",
    .check = check_goto,
    .print = act_print_number,
};

const struct act_ops act_ops_exit = {
    .name = "exit",
    .print = act_print_name,
};
