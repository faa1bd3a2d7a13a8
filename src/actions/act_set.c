/* Writing fields: set_field with its older forms (load, mod_dl_src ...), move, delete_field, set_tunnel. */
#include <inttypes.h>
#include <string.h>

#include "src/actions/act_impl.h"

/* --- set_field ----------------------------------------------------------- */

/* A field that says what is behind it: the packet is taken for something else from here on. */
static int check_retype(const struct act_set_field *a, struct act_known *k)
{
    const unsigned last = a->field->n_bytes - 1u;
    int error;

    if (a->h.form != ACT_FORM_STANDARD || a->mask.b[0] != UINT8_MAX || a->mask.b[last] != UINT8_MAX)
        return OFPERR_BAC_BAD_SET_ARGUMENT;
    error = act_check_read(a->field, &k->m);
    if (error)
        return error;
    k->n_hidden = 0;
    if (a->field->id == FIELD_ETH_TYPE)
        act_known_set_eth_type(k, (uint16_t)(a->value.b[0] << 8 | a->value.b[1]));
    else
        field_set(a->field, &k->m.value, &a->value, NULL);
    return 0;
}

/* Fields that others depend on: their value is known from now on. */
static void note_written(const struct act_set_field *a, struct act_known *k)
{
    const rte_be16_t present = RTE_BE16(VLAN_TCI_PRESENT);
    struct flow value, mask;

    if (a->field->id == FIELD_ICMPV6_TYPE) {
        field_set(a->field, &k->m.value, &a->value, &a->mask);
        field_set(a->field, &k->m.mask, &a->mask, &a->mask);
    }
    if (a->field->id != FIELD_VLAN_TCI)
        return;
    memset(&value, 0, sizeof value);
    memset(&mask, 0, sizeof mask);
    field_set(a->field, &value, &a->value, NULL);
    field_set(a->field, &mask, &a->mask, NULL);
    if (mask.pkt.vlan_tci[0] & value.pkt.vlan_tci[0] & present)
        act_known_set_tags(k, RTE_MAX(k->n_tags, 1u));
    else if (mask.pkt.vlan_tci[0] & present)
        act_known_set_tags(k, k->n_tags > 0 ? k->n_tags - 1 : 0);
}

static int check_set_field(const struct act *act, struct act_known *k)
{
    const struct act_set_field *a = (const struct act_set_field *)act;
    int error;

    /* OpenFlow 1.0.2, 5.2.4: its set actions do nothing to packets that lack the field. */
    if (act->form == ACT_FORM_OF10)
        return 0;
    if (a->field->retypes)
        return check_retype(a, k);
    error = act_check_write(a->field, &k->m);
    if (error == 0)
        note_written(a, k);
    return error;
}

/* OpenFlow 1.0's names: mod_dl_src and so on. */
static const struct {
    enum field_id id;
    const char *name;
} of10_names[] = {
    {FIELD_ETH_SRC, "mod_dl_src"},  {FIELD_ETH_DST, "mod_dl_dst"}, {FIELD_IPV4_SRC, "mod_nw_src"},
    {FIELD_IPV4_DST, "mod_nw_dst"}, {FIELD_IP_TOS, "mod_nw_tos"},  {FIELD_TCP_SRC, "mod_tp_src"},
    {FIELD_TCP_DST, "mod_tp_dst"},  {FIELD_UDP_SRC, "mod_tp_src"}, {FIELD_UDP_DST, "mod_tp_dst"},
};

static const char *of10_name(enum field_id id)
{
    for (size_t i = 0; i < sizeof of10_names / sizeof of10_names[0]; i++) {
        if (of10_names[i].id == id)
            return of10_names[i].name;
    }
    return NULL;
}

static void print_load(struct act_printer *p, const struct act_set_field *a)
{
    const struct field *f = a->field;
    struct subfield sf = {f, 0, f->n_bits};
    unsigned __int128 value = 0, mask = 0;

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
    fprintf(p->out, "load:%#" PRIx64 "->", (uint64_t)value);
    subfield_print(p->out, &sf);
}

static void print_set_field(struct act_printer *p, const struct act *act)
{
    const struct act_set_field *a = (const struct act_set_field *)act;
    const char *name = act->form == ACT_FORM_OF10 ? of10_name(a->field->id) : NULL;

    if (act->form == ACT_FORM_NICIRA) {
        print_load(p, a);
        return;
    }
    fprintf(p->out, "%s:", name ? name : "set_field");
    field_value_print(p->out, a->field, &a->value, &a->mask, p->port_name, p->arg);
    if (!name)
        fprintf(p->out, "->%s", a->field->name);
}

static void set_field_field(const struct act *act, field_fn *fn, void *arg)
{
    fn(arg, ((const struct act_set_field *)act)->field);
}

const struct act_ops act_ops_set_field = {
    .name = "set_field",
    .rank = ACT_RANK_SET,
    .check = check_set_field,
    .print = print_set_field,
    .each_field = set_field_field,
};

/* --- move ---------------------------------------------------------------- */

static int check_move(const struct act *act, struct act_known *k)
{
    const struct act_move *a = (const struct act_move *)act;
    int error = act_check_read(a->src.field, &k->m);

    return error ? error : act_check_write(a->dst.field, &k->m);
}

static void print_move(struct act_printer *p, const struct act *act)
{
    const struct act_move *a = (const struct act_move *)act;

    fputs("move:", p->out);
    subfield_print(p->out, &a->src);
    fputs("->", p->out);
    subfield_print(p->out, &a->dst);
}

static void move_fields(const struct act *act, field_fn *fn, void *arg)
{
    fn(arg, ((const struct act_move *)act)->src.field);
    fn(arg, ((const struct act_move *)act)->dst.field);
}

const struct act_ops act_ops_move = {
    .name = "move",
    .rank = ACT_RANK_SET,
    .check = check_move,
    .print = print_move,
    .each_field = move_fields,
};

/* --- delete_field -------------------------------------------------------- */

static void print_delete_field(struct act_printer *p, const struct act *act)
{
    fprintf(p->out, "delete_field:%s", ((const struct act_subfield *)act)->sf.field->name);
}

static void delete_field_field(const struct act *act, field_fn *fn, void *arg)
{
    fn(arg, ((const struct act_subfield *)act)->sf.field);
}

const struct act_ops act_ops_delete_field = {
    .name = "delete_field",
    .rank = ACT_RANK_SET,
    .print = print_delete_field,
    .each_field = delete_field_field,
};

/* --- set_tunnel ---------------------------------------------------------- */

static void print_set_tunnel(struct act_printer *p, const struct act *act)
{
    uint64_t id = ((const struct act_u64 *)act)->value;

    fprintf(p->out, "set_tunnel%s:%#" PRIx64, id > UINT32_MAX ? "64" : "", id);
}

const struct act_ops act_ops_set_tunnel = {
    .name = "set_tunnel",
    .rank = ACT_RANK_SET,
    .print = print_set_tunnel,
};
