/* learn, which adds a rule for what packets teach, and fin_timeout. */
#include <inttypes.h>
#include <string.h>

#include "src/actions/act_impl.h"

#define DEFAULT_PRIORITY 0x8000

/* --- checks -------------------------------------------------------------- */

/* Do the fields that learn copies exist in the packets that its rule matches, and does the rule that it makes meet its
 * own prerequisites? */

/* A field that cannot be masked is matched as a whole. */
static bool can_match(const struct subfield *dst)
{
    return dst->field->maskable != FIELD_MASK_NONE || (dst->ofs == 0 && dst->n_bits == dst->field->n_bits);
}

static int check_learn(const struct act *act, struct act_known *k)
{
    const struct act_learn *learn = (const struct act_learn *)act;
    const struct match *m = &k->m;
    struct match taught;

    match_init_all(&taught);
    for (uint32_t i = 0; i < learn->n_specs; i++) {
        const struct learn_spec *spec = &learn->specs[i];
        int error = spec->immediate ? 0 : act_check_read(spec->src.field, m);

        if (error == 0 && spec->dst_type == LEARN_MATCH) {
            error = can_match(&spec->dst) ? act_check_read(spec->dst.field, &taught) : OFPERR_BAC_BAD_ARGUMENT;
            /* What is given satisfies prerequisites of what follows. */
            if (spec->immediate) {
                subfield_set(&spec->dst, &taught.value, &spec->value);
                subfield_mask(&spec->dst, &taught.mask);
            }
        } else if (error == 0 && spec->dst_type == LEARN_LOAD) {
            error = act_check_write(spec->dst.field, &taught);
        }
        if (error != 0)
            return error;
    }
    if (learn->flags & LEARN_WRITE_RESULT)
        return act_check_write(learn->result_dst.field, m);
    return 0;
}

/* --- text ---------------------------------------------------------------- */

static void print_number(FILE *out, const union field_value *value)
{
    unsigned i = 0;

    while (i < sizeof value->b - 1 && !value->b[i])
        i++;
    fprintf(out, "0x%x", value->b[i]);
    while (++i < sizeof value->b)
        fprintf(out, "%02x", value->b[i]);
}

static void print_match(struct act_printer *p, const struct learn_spec *spec)
{
    const struct subfield *dst = &spec->dst;
    const struct field *f = dst->field;
    FILE *out = p->out;

    if (spec->immediate && dst->n_bits == f->n_bits) {
        union field_value value, mask;

        memset(&value, 0, sizeof value);
        memset(&mask, 0xff, sizeof mask);
        memcpy(value.b, spec->value.b + sizeof spec->value.b - f->n_bytes, f->n_bytes);
        fprintf(out, "%s=", f->name);
        if (f->id == FIELD_ETH_TYPE) { /* not as in a match: that has four digits */
            fprintf(out, "%#x", value.b[0] << 8 | value.b[1]);
            return;
        }
        field_value_print(out, f, &value, &mask, p->port_name, p->arg);
        return;
    }
    subfield_print(out, dst);
    if (spec->immediate) {
        fputc('=', out);
        print_number(out, &spec->value);
    } else if (spec->src.field != dst->field || spec->src.ofs != dst->ofs) {
        fputc('=', out);
        subfield_print(out, &spec->src);
    }
}

static void print_spec(struct act_printer *p, const struct learn_spec *spec)
{
    FILE *out = p->out;

    fputc(',', out);
    switch ((enum learn_dst)spec->dst_type) {
    case LEARN_MATCH:
        print_match(p, spec);
        break;
    case LEARN_LOAD:
        fputs("load:", out);
        if (spec->immediate)
            print_number(out, &spec->value);
        else
            subfield_print(out, &spec->src);
        fputs("->", out);
        subfield_print(out, &spec->dst);
        break;
    case LEARN_OUTPUT:
        fputs("output:", out);
        subfield_print(out, &spec->src);
        break;
    }
}

static void print_learn(struct act_printer *p, const struct act *act)
{
    const struct act_learn *learn = (const struct act_learn *)act;
    FILE *out = p->out;

    fprintf(out, "learn(table=%u", learn->table_id);
    if (learn->idle_s)
        fprintf(out, ",idle_timeout=%u", learn->idle_s);
    if (learn->hard_s)
        fprintf(out, ",hard_timeout=%u", learn->hard_s);
    if (learn->fin_idle_s)
        fprintf(out, ",fin_idle_timeout=%u", learn->fin_idle_s);
    if (learn->fin_hard_s)
        fprintf(out, ",fin_hard_timeout=%u", learn->fin_hard_s);
    if (learn->priority != DEFAULT_PRIORITY)
        fprintf(out, ",priority=%u", learn->priority);
    if (learn->flags & LEARN_SEND_FLOW_REM)
        fputs(",send_flow_rem", out);
    if (learn->flags & LEARN_DELETE_LEARNED)
        fputs(",delete_learned", out);
    if (learn->cookie)
        fprintf(out, ",cookie=%#" PRIx64, learn->cookie);
    if (learn->limit)
        fprintf(out, ",limit=%" PRIu32, learn->limit);
    if (learn->flags & LEARN_WRITE_RESULT) {
        fputs(",result_dst=", out);
        subfield_print(out, &learn->result_dst);
    }
    for (uint32_t i = 0; i < learn->n_specs; i++)
        print_spec(p, &learn->specs[i]);
    fputc(')', out);
}

static void learn_fields(const struct act *act, field_fn *fn, void *arg)
{
    const struct act_learn *learn = (const struct act_learn *)act;

    if (learn->result_dst.field)
        fn(arg, learn->result_dst.field);
    for (uint32_t i = 0; i < learn->n_specs; i++) {
        if (learn->specs[i].src.field)
            fn(arg, learn->specs[i].src.field);
        if (learn->specs[i].dst.field)
            fn(arg, learn->specs[i].dst.field);
    }
}

const struct act_ops act_ops_learn = {
    .name = "learn",
    .check = check_learn,
    .print = print_learn,
    .each_field = learn_fields,
};

/* --- fin_timeout --------------------------------------------------------- */

static int check_fin_timeout(const struct act *act, struct act_known *k)
{
    return act_check_read(field_by_id(FIELD_TCP_FLAGS), &k->m);
}

static void print_fin_timeout(struct act_printer *p, const struct act *act)
{
    const struct act_fin_timeout *a = (const struct act_fin_timeout *)act;

    fputs("fin_timeout(", p->out);
    if (a->idle_s)
        fprintf(p->out, "idle_timeout=%u%s", a->idle_s, a->hard_s ? "," : "");
    if (a->hard_s)
        fprintf(p->out, "hard_timeout=%u", a->hard_s);
    fputc(')', p->out);
}

const struct act_ops act_ops_fin_timeout = {
    .name = "fin_timeout",
    .check = check_fin_timeout,
    .print = print_fin_timeout,
};
