/* Connection tracking: ct(...), ct_clear. */
#include "src/actions/act_fields.h"
#include "src/actions/act_impl.h"

static struct act_list exec_of(const struct act *act)
{
    const struct act_ct *a = (const struct act_ct *)act;

    return (struct act_list){.acts = (const struct act *)a->data, .len = a->n};
}

/* Only mark and label of the connection can be written, from what the packet has. */
static int check_exec(const struct act *act, const struct act_known *k)
{
    const struct field *written;

    if (act->type == ACT_SET_FIELD) {
        written = ((const struct act_set_field *)act)->field;
    } else if (act->type == ACT_MOVE) {
        const struct act_move *move = (const struct act_move *)act;
        int error = act_check_read(move->src.field, &k->m);

        if (error)
            return error;
        written = move->dst.field;
    } else {
        return OFPERR_BAC_BAD_ARGUMENT;
    }
    return written->id == FIELD_CT_MARK || written->id == FIELD_CT_LABEL ? 0 : OFPERR_BAC_BAD_SET_ARGUMENT;
}

static bool is_ip(const struct act_known *k)
{
    const struct flow_key *value = &k->m.value.pkt;

    return k->m.mask.pkt.eth_type == 0xffff &&
           (value->eth_type == RTE_BE16(RTE_ETHER_TYPE_IPV4) || value->eth_type == RTE_BE16(RTE_ETHER_TYPE_IPV6));
}

static int check_ct(const struct act *act, struct act_known *k)
{
    const struct act_ct *a = (const struct act_ct *)act;
    const struct act_list exec = exec_of(act);
    int error;

    if (!(a->flags & CT_COMMIT) && (a->flags & CT_FORCE || a->n > 0))
        return OFPERR_BAC_BAD_ARGUMENT;
    if (a->zone_src.field) {
        if (a->zone_src.n_bits != 16)
            return OFPERR_BAC_BAD_SET_LEN;
        error = act_check_read(a->zone_src.field, &k->m);
        if (error)
            return error;
    }
    ACT_FOR_EACH (inner, &exec) {
        error = check_exec(inner, k);
        if (error)
            return error;
    }
    return is_ip(k) ? 0 : OFPERR_BAC_MATCH_INCONSISTENT;
}

static void print_ct(struct act_printer *p, const struct act *act)
{
    const struct act_ct *a = (const struct act_ct *)act;
    const struct act_list exec = exec_of(act);
    const char *separator = "";

    fputs("ct(", p->out);
    if (a->flags & CT_COMMIT) {
        fputs(a->flags & CT_FORCE ? "commit,force" : "commit", p->out);
        separator = ",";
    }
    if (a->table != CT_NO_TABLE) {
        fprintf(p->out, "%stable=%u", separator, a->table);
        separator = ",";
    }
    if (a->zone_src.field || a->zone != 0) {
        fprintf(p->out, "%szone=", separator);
        if (a->zone_src.field)
            subfield_print(p->out, &a->zone_src);
        else
            fprintf(p->out, "%u", a->zone);
        separator = ",";
    }
    if (a->n > 0) {
        fprintf(p->out, "%sexec(", separator);
        act_print_list(p, &exec);
        fputc(')', p->out);
    }
    fputc(')', p->out);
}

static void ct_fields(const struct act *act, field_fn *fn, void *arg)
{
    const struct act_ct *a = (const struct act_ct *)act;
    const struct act_list exec = exec_of(act);

    if (a->zone_src.field)
        fn(arg, a->zone_src.field);
    act_list_each_field(&exec, fn, arg);
}

const struct act_ops act_ops_ct = {
    .name = "ct",
    .rank = ACT_RANK_CT,
    .check = check_ct,
    .print = print_ct,
    .each_field = ct_fields,
};

const struct act_ops act_ops_ct_clear = {
    .name = "ct_clear",
    .idle = true,
    .print = act_print_name,
};
