/* Actions as text, in the syntax of ovs-actions(7). The inverse of act_parse.c. Control thread. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/memory.h"
#include "src/actions/act_encap_text.h"
#include "src/actions/learn_text.h"
#include "src/actions/multipath_text.h"
#include "src/match/field_text.h"

struct printer {
    FILE *out;
    port_namer *port_name;
    void *arg;
};

static void print_list(struct printer *p, const struct act_list *list);

static void print_port(struct printer *p, uint32_t port)
{
    port_print(p->out, port, p->port_name, p->arg);
}

static void print_output(struct printer *p, const struct act_output *a)
{
    if (a->port == OFPORT_CONTROLLER) {
        fprintf(p->out, "CONTROLLER:%u", a->max_len);
        return;
    }
    if (a->port < OFPORT_MAX)
        fputs("output:", p->out);
    print_port(p, a->port);
}

static const char *reason_name(uint8_t reason)
{
    static const char *const names[] = {"no_match", "action", "invalid_ttl", "action_set", "group", "packet_out"};

    return reason < sizeof names / sizeof names[0] ? names[reason] : "unknown";
}

static void print_controller(struct printer *p, const struct act_controller *a)
{
    const char *comma = "";

    fputs("controller(", p->out);
    if (a->reason != 1) {
        fprintf(p->out, "reason=%s", reason_name(a->reason));
        comma = ",";
    }
    if (a->max_len != UINT16_MAX) {
        fprintf(p->out, "%smax_len=%u", comma, a->max_len);
        comma = ",";
    }
    if (a->controller_id) {
        fprintf(p->out, "%sid=%u", comma, a->controller_id);
        comma = ",";
    }
    if (a->userdata_len) {
        fprintf(p->out, "%suserdata=", comma);
        for (unsigned i = 0; i < a->userdata_len; i++)
            fprintf(p->out, "%s%02x", i ? "." : "", a->userdata[i]);
        comma = ",";
    }
    if (a->pause) {
        fprintf(p->out, "%spause", comma);
        comma = ",";
    }
    if (a->meter_id)
        fprintf(p->out, "%smeter_id=%u", comma, a->meter_id);
    fputc(')', p->out);
}

/* OpenFlow 1.0's names: mod_dl_src and so on. */
static const struct {
    enum field_id id;
    const char *name;
} old_names[] = {
    {FIELD_ETH_SRC, "mod_dl_src"},  {FIELD_ETH_DST, "mod_dl_dst"}, {FIELD_IPV4_SRC, "mod_nw_src"},
    {FIELD_IPV4_DST, "mod_nw_dst"}, {FIELD_IP_TOS, "mod_nw_tos"},  {FIELD_TCP_SRC, "mod_tp_src"},
    {FIELD_TCP_DST, "mod_tp_dst"},  {FIELD_UDP_SRC, "mod_tp_src"}, {FIELD_UDP_DST, "mod_tp_dst"},
};

static void print_load(struct printer *p, const struct act_set_field *a)
{
    const struct field *f = a->field;
    struct subfield sf = {f, 0, f->n_bits};
    unsigned __int128 value = 0, mask = 0;
    uint64_t n;

    for (unsigned i = 0; i < f->n_bytes; i++) {
        value = value << 8 | a->value.b[i];
        mask = mask << 8 | a->mask.b[i];
    }
    if (f->n_bits < 128)
        mask &= ((unsigned __int128)1 << f->n_bits) - 1;
    while (mask && !(mask & 1)) {
        mask >>= 1;
        value >>= 1;
        sf.ofs++;
    }
    for (sf.n_bits = 0; mask & 1; mask >>= 1)
        sf.n_bits++;
    n = (uint64_t)value;
    fprintf(p->out, "load:%#" PRIx64 "->", n);
    subfield_print(p->out, &sf);
}

static void print_set_field(struct printer *p, const struct act_set_field *a)
{
    if (a->h.form == ACT_FORM_NICIRA) {
        print_load(p, a);
        return;
    }
    if (a->h.form == ACT_FORM_OF10)
        for (size_t i = 0; i < sizeof old_names / sizeof old_names[0]; i++)
            if (old_names[i].id == a->field->id) {
                fprintf(p->out, "%s:", old_names[i].name);
                field_value_print(p->out, a->field, &a->value, &a->mask, p->port_name, p->arg);
                return;
            }
    fputs("set_field:", p->out);
    field_value_print(p->out, a->field, &a->value, &a->mask, p->port_name, p->arg);
    fprintf(p->out, "->%s", a->field->name);
}

static void print_resubmit(struct printer *p, const struct act_resubmit *a)
{
    if (a->table == 255 && !a->with_ct) {
        fputs("resubmit:", p->out);
        print_port(p, a->in_port);
        return;
    }
    fputs("resubmit(", p->out);
    if (a->in_port != OFPORT_IN_PORT)
        print_port(p, a->in_port);
    fputc(',', p->out);
    if (a->table != 255)
        fprintf(p->out, "%u", a->table);
    fputs(a->with_ct ? ",ct)" : ")", p->out);
}

static void print_bytes(struct printer *p, const struct act_bytes *a)
{
    fputs("note:", p->out);
    for (uint32_t i = 0; i < a->n; i++)
        fprintf(p->out, "%s%02x", i ? "." : "", a->data[i]);
}

static void print_dec_ttl(struct printer *p, const struct act_dec_ttl *a)
{
    fputs("dec_ttl", p->out);
    for (unsigned i = 0; i < a->n_ids; i++)
        fprintf(p->out, "%c%u", i ? ',' : '(', a->ids[i]);
    if (a->n_ids)
        fputc(')', p->out);
}

static void print_fin_timeout(struct printer *p, const struct act_fin_timeout *a)
{
    fputs("fin_timeout(", p->out);
    if (a->idle_s)
        fprintf(p->out, "idle_timeout=%u%s", a->idle_s, a->hard_s ? "," : "");
    if (a->hard_s)
        fprintf(p->out, "hard_timeout=%u", a->hard_s);
    fputc(')', p->out);
}

static void print_sample(struct printer *p, const struct act_sample *a)
{
    static const char *const directions[] = {"", ",ingress", ",egress"};

    fprintf(p->out,
            "sample(probability=%u,collector_set_id=%" PRIu32 ",obs_domain_id=%" PRIu32 ",obs_point_id=%" PRIu32,
            a->probability, a->collector_set, a->obs_domain, a->obs_point);
    if (a->port != OFPORT_ANY) {
        fputs(",sampling_port=", p->out);
        print_port(p, a->port);
    }
    fprintf(p->out, "%s)", directions[a->direction]);
}

static void print_stat_trigger(FILE *out, const struct act_stat_trigger *a)
{
    static const char *const names[] = {"duration", "idle_time", "packets", "bytes"};
    const char *comma = "";

    fputs("stat_trigger(", out);
    for (unsigned i = 0; i < STAT_N_THRESHOLDS; i++) {
        if (!(a->present >> i & 1))
            continue;
        fprintf(out, "%s%s=", comma, names[i]);
        if (i <= STAT_IDLE_TIME)
            fprintf(out, "%g", (double)a->thresholds[i] / 1e9);
        else
            fprintf(out, "%" PRIu64, a->thresholds[i]);
        comma = ",";
    }
    if (a->flags & STAT_TRIGGER_PERIODIC)
        fputs(",periodic", out);
    if (a->flags & STAT_TRIGGER_ONLY_FIRST)
        fputs(",only_first", out);
    fputc(')', out);
}

static void print_act(struct printer *p, const struct act *act)
{
    FILE *out = p->out;

    switch (act->type) {
    case ACT_OUTPUT:
        print_output(p, (const struct act_output *)act);
        break;
    case ACT_OUTPUT_REG:
        fputs("output:", out);
        subfield_print(out, &((const struct act_output_reg *)act)->src);
        break;
    case ACT_CONTROLLER:
        print_controller(p, (const struct act_controller *)act);
        break;
    case ACT_ENQUEUE:
        fputs("enqueue:", out);
        print_port(p, ((const struct act_enqueue *)act)->port);
        fprintf(out, ":%" PRIu32, ((const struct act_enqueue *)act)->queue);
        break;
    case ACT_SET_QUEUE:
        fprintf(out, "set_queue:%" PRIu32, act_u32_of(act));
        break;
    case ACT_POP_QUEUE:
        fputs("pop_queue", out);
        break;
    case ACT_GROUP:
        fprintf(out, "group:%" PRIu32, act_u32_of(act));
        break;
    case ACT_SET_FIELD:
        print_set_field(p, (const struct act_set_field *)act);
        break;
    case ACT_MOVE:
        fputs("move:", out);
        subfield_print(out, &((const struct act_move *)act)->src);
        fputs("->", out);
        subfield_print(out, &((const struct act_move *)act)->dst);
        break;
    case ACT_PUSH_VLAN:
        fprintf(out, "push_vlan:0x%04" PRIx32, act_u32_of(act));
        break;
    case ACT_POP_VLAN:
        fputs(act->form == ACT_FORM_OF10 ? "strip_vlan" : "pop_vlan", out);
        break;
    case ACT_SET_VLAN_VID:
        fprintf(out, "mod_vlan_vid:%" PRIu32, act_u32_of(act));
        break;
    case ACT_SET_VLAN_PCP:
        fprintf(out, "mod_vlan_pcp:%" PRIu32, act_u32_of(act));
        break;
    case ACT_PUSH_MPLS:
        fprintf(out, "push_mpls:0x%04" PRIx32, act_u32_of(act));
        break;
    case ACT_POP_MPLS:
        fprintf(out, "pop_mpls:0x%04" PRIx32, act_u32_of(act));
        break;
    case ACT_PUSH_PBB:
        fprintf(out, "push_pbb:0x%04" PRIx32, act_u32_of(act));
        break;
    case ACT_POP_PBB:
        fputs("pop_pbb", out);
        break;
    case ACT_SET_MPLS_TTL:
        fprintf(out, "set_mpls_ttl(%" PRIu32 ")", act_u32_of(act));
        break;
    case ACT_DEC_MPLS_TTL:
        fputs("dec_mpls_ttl", out);
        break;
    case ACT_SET_IP_TTL:
        fprintf(out, "mod_nw_ttl:%" PRIu32, act_u32_of(act));
        break;
    case ACT_DEC_TTL:
        print_dec_ttl(p, (const struct act_dec_ttl *)act);
        break;
    case ACT_COPY_TTL_OUT:
        fputs("copy_ttl_out", out);
        break;
    case ACT_COPY_TTL_IN:
        fputs("copy_ttl_in", out);
        break;
    case ACT_ENCAP:
        encap_print(out, (const struct act_encap *)act);
        break;
    case ACT_DECAP:
        decap_print(out, act_u32_of(act));
        break;
    case ACT_DEC_NSH_TTL:
        fputs("dec_nsh_ttl", out);
        break;
    case ACT_DELETE_FIELD:
        fprintf(out, "delete_field:%s", ((const struct act_subfield *)act)->sf.field->name);
        break;
    case ACT_RESUBMIT:
        print_resubmit(p, (const struct act_resubmit *)act);
        break;
    case ACT_NOTE:
        print_bytes(p, (const struct act_bytes *)act);
        break;
    case ACT_EXIT:
        fputs("exit", out);
        break;
    case ACT_STACK_PUSH:
    case ACT_STACK_POP:
        fputs(act->type == ACT_STACK_PUSH ? "push:" : "pop:", out);
        subfield_print(out, &((const struct act_subfield *)act)->sf);
        break;
    case ACT_SET_TUNNEL: {
        uint64_t id = ((const struct act_u64 *)act)->value;

        fprintf(out, "set_tunnel%s:%#" PRIx64, id > UINT32_MAX ? "64" : "", id);
        break;
    }
    case ACT_FIN_TIMEOUT:
        print_fin_timeout(p, (const struct act_fin_timeout *)act);
        break;
    case ACT_OUTPUT_TRUNC:
        fputs("output(port=", out);
        print_port(p, ((const struct act_output_trunc *)act)->port);
        fprintf(out, ",max_len=%" PRIu32 ")", ((const struct act_output_trunc *)act)->max_len);
        break;
    case ACT_CLONE: {
        struct act_list inner;

        act_nested(act, &inner);
        fputs("clone(", out);
        print_list(p, &inner);
        fputc(')', out);
        break;
    }
    case ACT_SAMPLE:
        print_sample(p, (const struct act_sample *)act);
        break;
    case ACT_CHECK_LARGER:
        fprintf(out, "check_pkt_larger(%u)->", ((const struct act_check_larger *)act)->len);
        subfield_print(out, &((const struct act_check_larger *)act)->dst);
        break;
    case ACT_MULTIPATH:
        multipath_print(out, (const struct act_multipath *)act);
        break;
    case ACT_BUNDLE:
        bundle_print(out, (const struct act_bundle *)act, p->port_name, p->arg);
        break;
    case ACT_CT_CLEAR:
        fputs("ct_clear", out);
        break;
    case ACT_LEARN:
        learn_print(out, (const struct act_learn *)act, p->port_name, p->arg);
        break;
    case ACT_CONJUNCTION: {
        const struct act_conjunction *a = (const struct act_conjunction *)act;

        fprintf(out, "conjunction(%" PRIu32 ",%u/%u)", a->id, a->clause, a->n_clauses);
        break;
    }
    case ACT_METER:
        fprintf(out, "meter:%" PRIu32, act_u32_of(act));
        break;
    case ACT_STAT_TRIGGER:
        print_stat_trigger(out, (const struct act_stat_trigger *)act);
        break;
    case ACT_CLEAR_ACTIONS:
        fputs("clear_actions", out);
        break;
    case ACT_WRITE_ACTIONS: {
        const struct act_bytes *a = (const struct act_bytes *)act;
        struct act_list inner = {(const struct act *)a->data, a->n};

        fputs("write_actions(", out);
        if (inner.len)
            print_list(p, &inner);
        else
            fputs("drop", out);
        fputc(')', out);
        break;
    }
    case ACT_WRITE_METADATA: {
        const struct act_metadata *a = (const struct act_metadata *)act;

        fprintf(out, "write_metadata:%#" PRIx64, rte_be_to_cpu_64(a->value));
        if (a->mask != UINT64_MAX)
            fprintf(out, "/%#" PRIx64, rte_be_to_cpu_64(a->mask));
        break;
    }
    case ACT_GOTO_TABLE:
        fprintf(out, "goto_table:%" PRIu32, act_u32_of(act));
        break;
    }
}

static void print_list(struct printer *p, const struct act_list *list)
{
    const char *comma = "";

    ACT_FOR_EACH (act, list) {
        fputs(comma, p->out);
        print_act(p, act);
        comma = ",";
    }
}

char *act_list_format(const struct act_list *list, port_namer *port_name, void *arg)
{
    char *text = NULL;
    size_t len;
    struct printer p = {open_memstream(&text, &len), port_name, arg};

    if (!p.out)
        out_of_memory("rules, groups and meters", 0);
    if (list->len)
        print_list(&p, list);
    else
        fputs("drop", p.out);
    if (fclose(p.out))
        out_of_memory("rules, groups and meters", 0);
    return text;
}
