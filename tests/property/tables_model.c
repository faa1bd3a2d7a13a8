/* What a bridge's tables should hold, kept as a plain list. */
#include "tests/property/tables_model.h"

#include <string.h>

static bool hits(const struct row *row, const uint64_t packet[N_COLUMNS])
{
    for (int i = 0; i < N_COLUMNS; i++) {
        if ((packet[i] ^ row->value[i]) & row->mask[i])
            return false;
    }
    return true;
}

static bool same(const struct row *a, const struct row *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

/* Some packet is in both. */
static bool overlap(const struct row *a, const struct row *b)
{
    for (int i = 0; i < N_COLUMNS; i++) {
        if ((a->value[i] ^ b->value[i]) & a->mask[i] & b->mask[i])
            return false;
    }
    return true;
}

/* Every packet of `narrow` is in `wide`. */
static bool covers(const struct row *wide, const struct row *narrow)
{
    for (int i = 0; i < N_COLUMNS; i++) {
        if ((wide->mask[i] & ~narrow->mask[i]) || ((wide->value[i] ^ narrow->value[i]) & wide->mask[i]))
            return false;
    }
    return true;
}

static bool sends_to(const struct model_acts *acts, uint32_t port)
{
    for (unsigned i = 0; i < acts->n_outputs; i++) {
        if (acts->outputs[i] == port)
            return true;
    }
    return false;
}

/* What loose and strict commands have in common. */
static bool attributes(const struct model_mod *mod, const struct model_rule *rule)
{
    return (mod->rule.table_id == TABLE_ALL || mod->rule.table_id == rule->table_id) &&
           ((mod->rule.cookie ^ rule->cookie) & mod->cookie_mask) == 0 &&
           (mod->out_port == OFPORT_ANY || sends_to(&rule->acts, mod->out_port));
}

bool model_filter(const struct model_mod *mod, const struct model_rule *rule)
{
    return attributes(mod, rule) && covers(&mod->rule.match, &rule->match);
}

static bool is_strict(const struct model_mod *mod)
{
    return mod->command == FLOW_MODIFY_STRICT || mod->command == FLOW_DELETE_STRICT;
}

static bool selects(const struct model_mod *mod, const struct model_rule *rule)
{
    if (!is_strict(mod))
        return model_filter(mod, rule);
    return attributes(mod, rule) && rule->priority == mod->rule.priority && same(&rule->match, &mod->rule.match);
}

static int add(struct model *model, const struct model_mod *mod)
{
    struct model_rule rule = mod->rule;

    if (rule.table_id == TABLE_ALL)
        rule.table_id = 0;
    if (mod->from_zero)
        rule.flags |= RULE_RESET_COUNTS; /* shown of OpenFlow 1.0's adds, too, which have no flag for it */
    if (rule.flags & RULE_CHECK_OVERLAP) {
        for (unsigned i = 0; i < model->n; i++) {
            const struct model_rule *other = &model->rules[i];

            if (other->table_id == rule.table_id && other->priority == rule.priority &&
                overlap(&other->match, &rule.match))
                return OFPERR_FMFC_OVERLAP;
        }
    }
    for (unsigned i = 0; i < model->n; i++) {
        struct model_rule *other = &model->rules[i];

        if (other->table_id == rule.table_id && other->priority == rule.priority && same(&other->match, &rule.match)) {
            rule.packets = mod->from_zero ? 0 : other->packets;
            *other = rule;
            return 0;
        }
    }
    if (model->n == MODEL_RULES)
        return OFPERR_FMFC_TABLE_FULL;
    rule.packets = 0;
    model->rules[model->n++] = rule;
    return 0;
}

static int check(const struct model_mod *mod)
{
    bool delete = mod->command == FLOW_DELETE || mod->command == FLOW_DELETE_STRICT;

    if (delete)
        return 0;
    if (mod->rule.table_id == TABLE_ALL && !mod->of10)
        return OFPERR_FMFC_BAD_TABLE_ID;
    if (mod->rule.acts.goto_table != 0 && mod->rule.acts.goto_table <= mod->rule.table_id)
        return OFPERR_BIC_BAD_TABLE_ID;
    return 0;
}

/* Nothing of what OpenFlow 1.0 can match is open. */
static bool is_exact(const struct row *row)
{
    static const uint64_t full[N_COLUMNS] = {
        [COLUMN_IN_PORT] = 0xffffffff,
        [COLUMN_ETH_SRC] = 0xffffffffffff,
        [COLUMN_ETH_DST] = 0xffffffffffff,
        [COLUMN_VLAN_VID] = 0x1fff,
        [COLUMN_VLAN_PCP] = 7,
        [COLUMN_ETH_TYPE] = 0xffff,
        [COLUMN_IP_DSCP] = 0x3f,
        [COLUMN_IP_PROTO] = 0xff,
        [COLUMN_IP_SRC] = 0xffffffff,
        [COLUMN_IP_DST] = 0xffffffff,
        [COLUMN_TP_SRC] = 0xffff,
        [COLUMN_TP_DST] = 0xffff,
    };

    for (int i = 0; i < N_COLUMNS; i++) {
        if (row->mask[i] != full[i])
            return false;
    }
    return true;
}

int model_apply(struct model *model, const struct model_mod *given)
{
    struct model_mod changed = *given;
    const struct model_mod *mod = &changed;
    int error = check(mod);
    unsigned n = 0, kept = 0;

    if (error)
        return error;
    if (mod->plain10 && is_exact(&mod->rule.match)) {
        changed.rule.priority = UINT16_MAX;
        changed.rule.exact = true;
    }
    switch (mod->command) {
    case FLOW_ADD:
        return add(model, mod);
    case FLOW_MODIFY:
    case FLOW_MODIFY_STRICT:
        for (unsigned i = 0; i < model->n; i++) {
            struct model_rule *rule = &model->rules[i];

            if (!selects(mod, rule))
                continue;
            n++;
            rule->acts = mod->rule.acts;
            if (mod->of10)
                rule->cookie = mod->rule.cookie;
            if (mod->from_zero)
                rule->packets = 0;
        }
        return n == 0 && mod->of10 ? add(model, mod) : 0;
    case FLOW_DELETE:
    case FLOW_DELETE_STRICT:
        for (unsigned i = 0; i < model->n; i++) {
            if (!selects(mod, &model->rules[i]))
                model->rules[kept++] = model->rules[i];
        }
        model->n = kept;
    }
    return 0;
}

static uint32_t rank(const struct model_rule *rule)
{
    return rule->priority * 2u + rule->exact;
}

int model_forward(struct model *model, const uint64_t packet[N_COLUMNS], uint32_t sent[MODEL_SENT])
{
    struct model_rule *path[PIPELINE_TABLES];
    uint64_t values[N_COLUMNS];
    unsigned n_path = 0, n_sent = 0;
    uint8_t table_id = 0;

    memcpy(values, packet, sizeof values);
    for (;;) {
        struct model_rule *best = NULL;
        bool tie = false;

        for (unsigned i = 0; i < model->n; i++) {
            struct model_rule *rule = &model->rules[i];

            if (rule->table_id != table_id || !hits(&rule->match, values) || (best && rank(best) > rank(rule)))
                continue;
            tie = best && rank(best) == rank(rule);
            best = rule;
        }
        if (tie)
            return -1;
        if (!best)
            break;
        path[n_path++] = best;
        for (unsigned i = 0; i < best->acts.n_outputs; i++) {
            /* OpenFlow 1.3.5, 4.5: only OFPP_IN_PORT sends back to where the packet came from. */
            if (best->acts.outputs[i] != packet[COLUMN_IN_PORT])
                sent[n_sent++] = best->acts.outputs[i];
        }
        values[COLUMN_METADATA] =
            (values[COLUMN_METADATA] & ~best->acts.metadata_mask) | (best->acts.metadata & best->acts.metadata_mask);
        if (best->acts.goto_table == 0)
            break;
        table_id = best->acts.goto_table;
    }
    for (unsigned i = 0; i < n_path; i++)
        path[i]->packets++;
    return (int)n_sent;
}
