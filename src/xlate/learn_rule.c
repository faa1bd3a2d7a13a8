/* The learn action: the rule that a packet makes. */
#include "src/actions/act_check.h"
#include "src/tables/classifier.h"
#include "src/tables/learn.h"
#include "src/tables/rule.h"
#include "src/tables/table.h"

typedef unsigned __int128 u128;

static u128 number(const union field_value *value)
{
    u128 n = 0;

    for (unsigned i = 0; i < sizeof value->b; i++)
        n = n << 8 | value->b[i];
    return n;
}

static void add_load(struct act_buffer *acts, const struct subfield *dst, u128 value)
{
    struct act_set_field *act = act_buffer_add(acts, ACT_SET_FIELD, sizeof *act);
    u128 mask = (dst->n_bits >= 128 ? ~(u128)0 : ((u128)1 << dst->n_bits) - 1) << dst->ofs;

    act->h.form = ACT_FORM_NICIRA;
    act->field = dst->field;
    value <<= dst->ofs;
    for (unsigned i = act->field->n_bytes; i-- > 0; value >>= 8, mask >>= 8) {
        act->value.b[i] = (uint8_t)(value & mask);
        act->mask.b[i] = (uint8_t)mask;
    }
}

static void add_output(struct act_buffer *acts, uint32_t port)
{
    bool reserved = port == OFPORT_IN_PORT || port == OFPORT_FLOOD || port == OFPORT_LOCAL || port == OFPORT_ALL;
    struct act_output *act;

    if (!reserved && (port == OFPORT_NONE || port > OFPORT_USER_MAX))
        return;
    act = act_buffer_add(acts, ACT_OUTPUT, sizeof *act);
    act->port = port;
}

static void fill(const struct act_learn *learn, const struct flow *flow, struct match *match, struct act_buffer *acts)
{
    match_init_all(match);
    if (learn->fin_idle_s > 0 || learn->fin_hard_s > 0) {
        struct act_fin_timeout *fin = act_buffer_add(acts, ACT_FIN_TIMEOUT, sizeof *fin);

        fin->h.form = ACT_FORM_NICIRA;
        fin->idle_s = learn->fin_idle_s;
        fin->hard_s = learn->fin_hard_s;
    }
    for (uint32_t i = 0; i < learn->n_specs; i++) {
        const struct learn_spec *spec = &learn->specs[i];
        union field_value value = spec->value;

        if (!spec->immediate)
            subfield_get(&spec->src, flow, &value);
        switch ((enum learn_dst)spec->dst_type) {
        case LEARN_MATCH:
            subfield_set(&spec->dst, &match->value, &value);
            subfield_mask(&spec->dst, &match->mask);
            break;
        case LEARN_LOAD:
            add_load(acts, &spec->dst, number(&value));
            break;
        case LEARN_OUTPUT:
            add_output(acts, ofport_of_value((uint32_t)number(&value)));
            break;
        }
    }
    match_normalize(match);
}

struct rule *learn_rule(struct pipeline *pipeline, const struct act_learn *learn, const struct flow *flow)
{
    struct classifier *cls = table_get(pipeline, learn->table_id);
    struct act_buffer acts;
    struct act_list list;
    struct match match;
    struct rule *rule;

    act_buffer_init(&acts);
    fill(learn, flow, &match, &acts);
    list = act_buffer_list(&acts);
    rule = rule_create(classifier_mask(cls, &match.mask), &match.value, &list);
    act_buffer_free(&acts);
    rule->table_id = learn->table_id;
    rule->priority = learn->priority;
    rule->cookie = learn->cookie;
    rule->idle_timeout_s = learn->idle_s;
    rule->hard_timeout_s = learn->hard_s;
    rule->flags = RULE_LEARNED | (learn->flags & LEARN_SEND_FLOW_REM ? RULE_SEND_FLOW_REM : 0);
    return rule;
}
