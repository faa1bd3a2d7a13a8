/* The learn action from text: what is between the parentheses of learn(...). */
#include "tests/lib/text/act_parse_impl.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/memory.h"
#include "src/match/key_value.h"

#define DEFAULT_PRIORITY 0x8000

struct parse {
    struct act_learn head;
    struct learn_spec specs[LEARN_SPECS_MAX];
    port_parser *port_by_name;
    void *arg;
};

/* Takes numbers and flags. False: it is another key. */
static bool take_attribute(struct act_learn *head, const char *key, const char *value, char **error)
{
    struct {
        const char *name;
        uint64_t max;
        void *to;
        unsigned bytes;
    } numbers[] = {
        {"idle_timeout", UINT16_MAX, &head->idle_s, 2},     {"hard_timeout", UINT16_MAX, &head->hard_s, 2},
        {"priority", UINT16_MAX, &head->priority, 2},       {"fin_idle_timeout", UINT16_MAX, &head->fin_idle_s, 2},
        {"table", PIPELINE_TABLES - 1, &head->table_id, 1}, {"fin_hard_timeout", UINT16_MAX, &head->fin_hard_s, 2},
        {"cookie", UINT64_MAX, &head->cookie, 8},           {"limit", UINT32_MAX, &head->limit, 4}};

    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        uint64_t n;

        if (strcmp(numbers[i].name, key))
            continue;
        if (text_to_u64(value, numbers[i].max, &n))
            memcpy(numbers[i].to, &n, numbers[i].bytes);
        else
            *error = text_error("learn: %s=%s: not a number up to %" PRIu64, key, value, numbers[i].max);
        return true;
    }
    if (!strcmp(key, "send_flow_rem"))
        head->flags |= LEARN_SEND_FLOW_REM;
    else if (!strcmp(key, "delete_learned"))
        head->flags |= LEARN_DELETE_LEARNED;
    else
        return false;
    return true;
}

/* A field's value, left-aligned, becomes a number that is right-aligned. */
static void set_value(struct learn_spec *spec, const union field_value *value)
{
    unsigned n = spec->dst.field->n_bytes;

    memset(&spec->value, 0, sizeof spec->value);
    memcpy(spec->value.b + sizeof spec->value.b - n, value->b, n);
}

static bool all_ones(const union field_value *mask, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (mask->b[i] != 0xff)
            return false;
    return true;
}

static char *set_number(struct learn_spec *spec, const char *text)
{
    unsigned bits = spec->dst.n_bits;
    uint64_t n;

    if (!text_to_u64(text, bits >= 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1, &n))
        return text_error("learn: %s: not a number of %u bits", text, bits);
    for (unsigned i = sizeof spec->value.b; i-- > 8; n >>= 8)
        spec->value.b[i] = (uint8_t)n;
    spec->immediate = true;
    return NULL;
}

static char *set_source(struct learn_spec *spec, const char *text)
{
    char *error = subfield_parse(text, &spec->src);

    if (!error && spec->src.n_bits != spec->dst.n_bits)
        error = text_error("learn: %s: %u bits for %u", text, spec->src.n_bits, spec->dst.n_bits);
    return error;
}

/* "field=value", "field=source", "field" */
static char *parse_match(struct parse *p, struct learn_spec *spec, const char *key, const char *value)
{
    union field_value v, mask;
    char *error = subfield_parse(key, &spec->dst);
    bool whole;

    if (error)
        return error;
    whole = spec->dst.n_bits == spec->dst.field->n_bits;
    if (!*value) {
        spec->src = spec->dst;
        return NULL;
    }
    if (whole) {
        error = field_value_parse(spec->dst.field, value, p->port_by_name, p->arg, &v, &mask);
        if (!error && all_ones(&mask, spec->dst.field->n_bytes)) {
            set_value(spec, &v);
            spec->immediate = true;
            return NULL;
        }
        free(error);
    } else if (*value >= '0' && *value <= '9') {
        return set_number(spec, value);
    }
    return set_source(spec, value);
}

static char *parse_load(struct learn_spec *spec, char *value)
{
    char *arrow = strstr(value, "->"), *error;

    if (!arrow)
        return text_error("learn: load:%s: no ->", value);
    *arrow = '\0';
    spec->dst_type = LEARN_LOAD;
    error = subfield_parse(arrow + 2, &spec->dst);
    if (error)
        return error;
    return *value >= '0' && *value <= '9' ? set_number(spec, value) : set_source(spec, value);
}

static char *parse_spec(struct parse *p, struct learn_spec *spec, const char *key, char *value)
{
    char *error;

    memset(spec, 0, sizeof *spec);
    if (!strcmp(key, "load")) {
        error = parse_load(spec, value);
    } else if (!strcmp(key, "output")) {
        spec->dst_type = LEARN_OUTPUT;
        error = subfield_parse(value, &spec->src);
    } else {
        error = parse_match(p, spec, key, value);
    }
    spec->n_bits = spec->dst_type == LEARN_OUTPUT ? spec->src.n_bits : spec->dst.n_bits;
    return error;
}

static char *parse_result(struct act_learn *head, const char *value)
{
    char *error = subfield_parse(value, &head->result_dst);

    head->flags |= LEARN_WRITE_RESULT;
    if (!error && head->result_dst.n_bits != 1)
        error = text_error("learn: result_dst=%s: not one bit", value);
    return error;
}

char *learn_parse(char *text, struct act_buffer *acts, port_parser *port_by_name, void *arg)
{
    struct parse *p = calloc(1, sizeof *p);
    char *key, *value, *error = NULL;
    struct act_learn *act;

    if (!p)
        out_of_memory("rules, groups and meters", 0);
    p->port_by_name = port_by_name;
    p->arg = arg;
    p->head.priority = DEFAULT_PRIORITY;
    p->head.table_id = 1;
    while (!error && key_value_next(&text, &key, &value)) {
        if (!strcmp(key, "result_dst"))
            error = parse_result(&p->head, value);
        else if (take_attribute(&p->head, key, value, &error))
            continue;
        else if (p->head.n_specs == LEARN_SPECS_MAX)
            error = text_error("learn: over %u specifications", LEARN_SPECS_MAX);
        else
            error = parse_spec(p, &p->specs[p->head.n_specs++], key, value);
    }
    if (!error) {
        act = act_buffer_add(acts, ACT_LEARN, sizeof *act + p->head.n_specs * sizeof p->specs[0]);
        p->head.h = act->h;
        p->head.h.form = ACT_FORM_NICIRA;
        *act = p->head;
        memcpy(act->specs, p->specs, p->head.n_specs * sizeof p->specs[0]);
    }
    free(p);
    return error;
}
