/* Connection tracking: ct(...), ct_clear, and nat(...) inside ct. */
#include <arpa/inet.h>

#include "src/actions/act_fields.h"
#include "src/actions/act_impl.h"

static struct act_list exec_of(const struct act *act)
{
    const struct act_ct *a = (const struct act_ct *)act;

    return (struct act_list){.acts = (const struct act *)a->data, .len = a->n};
}

static int check_inner_nat(const struct act_nat *nat, const struct act_known *k)
{
    const rte_be16_t eth_type = RTE_BE16(nat->ip_version == 6 ? RTE_ETHER_TYPE_IPV6 : RTE_ETHER_TYPE_IPV4);

    return nat->ip_version == 0 || k->m.value.pkt.eth_type == eth_type ? 0 : OFPERR_BAC_MATCH_INCONSISTENT;
}

/* Only mark and label of the connection can be written, from what the packet has. */
static int check_exec(const struct act *act, const struct act_known *k)
{
    const struct field *written;

    if (act->type == ACT_NAT)
        return check_inner_nat((const struct act_nat *)act, k);
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

/* Without commit nothing but nat makes sense inside. */
static bool needs_commit(const struct act_list *inner)
{
    ACT_FOR_EACH (act, inner) {
        if (act->type != ACT_NAT)
            return true;
    }
    return false;
}

static int check_ct(const struct act *act, struct act_known *k)
{
    const struct act_ct *a = (const struct act_ct *)act;
    const struct act_list exec = exec_of(act);
    int error;

    if (!(a->flags & CT_COMMIT) && (a->flags & CT_FORCE || needs_commit(&exec)))
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

/* --- text ---------------------------------------------------------------- */

static void print_address(struct act_printer *p, const struct act_nat *nat, const uint8_t *address)
{
    const bool brackets = nat->ip_version == 6 && nat->min_port != 0;
    char text[INET6_ADDRSTRLEN];

    inet_ntop(nat->ip_version == 6 ? AF_INET6 : AF_INET, address, text, sizeof text);
    fprintf(p->out, brackets ? "[%s]" : "%s", text);
}

static void print_range(struct act_printer *p, const struct act_nat *nat)
{
    static const uint8_t zeros[16];

    fputs(nat->flags & NAT_SRC ? "src" : "dst", p->out);
    if (nat->ip_version != 0) {
        fputc('=', p->out);
        print_address(p, nat, nat->min_address);
    }
    if (nat->ip_version != 0 && memcmp(nat->max_address, zeros, sizeof zeros) != 0 &&
        memcmp(nat->max_address, nat->min_address, sizeof zeros) != 0) {
        fputc('-', p->out);
        print_address(p, nat, nat->max_address);
    }
    if (nat->min_port != 0)
        fprintf(p->out, ":%u", nat->min_port);
    if (nat->min_port != 0 && nat->max_port > nat->min_port)
        fprintf(p->out, "-%u", nat->max_port);
}

static void print_nat(struct act_printer *p, const struct act *act)
{
    const struct act_nat *nat = (const struct act_nat *)act;

    fputs("nat", p->out);
    if (!(nat->flags & (NAT_SRC | NAT_DST)))
        return;
    fputc('(', p->out);
    print_range(p, nat);
    fputs(nat->flags & NAT_PERSISTENT ? ",persistent" : "", p->out);
    fputs(nat->flags & NAT_HASH ? ",hash" : "", p->out);
    fputs(nat->flags & NAT_RANDOM ? ",random)" : ")", p->out);
}

/* nat(...) that comes first stands beside exec(...), which the rest is in. */
static void print_inner(struct act_printer *p, struct act_list inner, const char *separator)
{
    if (inner.len > 0 && inner.acts->type == ACT_NAT) {
        fputs(separator, p->out);
        print_nat(p, inner.acts);
        inner.len -= inner.acts->len;
        inner.acts = (const struct act *)((const uint8_t *)inner.acts + inner.acts->len);
        separator = ",";
    }
    if (inner.len == 0)
        return;
    fprintf(p->out, "%sexec(", separator);
    act_print_list(p, &inner);
    fputc(')', p->out);
}

static void print_ct(struct act_printer *p, const struct act *act)
{
    const struct act_ct *a = (const struct act_ct *)act;
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
    if (a->alg != 0) {
        fprintf(p->out, "%salg=%s", separator, a->alg == CT_ALG_FTP ? "ftp" : "tftp");
        separator = ",";
    }
    print_inner(p, exec_of(act), separator);
    fputc(')', p->out);
}

/* --- rows ---------------------------------------------------------------- */

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

/* Anywhere but in ct(). */
static int check_nat(const struct act *act, struct act_known *k)
{
    return OFPERR_BAC_BAD_ARGUMENT;
}

const struct act_ops act_ops_nat = {
    .name = "nat",
    .check = check_nat,
    .print = print_nat,
};
