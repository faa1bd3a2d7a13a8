/* What a flow_mod does to the tables, by itself or in a bundle: finds the rules it is about, checks it, and adds,
 * changes or removes rules by way of change.h. Control thread. */
#include <errno.h>
#include <stdlib.h>

#include "pmd/base/clock.h"
#include "pmd/base/log.h"
#include "pmd/base/memory.h"
#include "pmd/datapath.h"
#include "src/tables/change.h"
#include "src/tables/evict.h"
#include "src/tables/rule.h"
#include "src/tables/rule_use.h"
#include "src/tables/select.h"

#define FLAGS_KNOWN                                                                                                    \
    (RULE_SEND_FLOW_REM | RULE_CHECK_OVERLAP | RULE_RESET_COUNTS | RULE_NO_PKT_COUNTS | RULE_NO_BYT_COUNTS |           \
     RULE_HIDDEN | RULE_FROM_ZERO | RULE_EXACT)
#define RESETS (RULE_RESET_COUNTS | RULE_FROM_ZERO)

#define LOOKS 8 /* rules that a cursor looks at for one of the budget */

/* Rules that a modify or delete is about. They are collected before the first is changed, with a reference to each. */
struct selection {
    struct rule **rules;
    size_t n, size;
};

static void selection_add(struct selection *selection, struct rule *rule)
{
    if (selection->n == selection->size) {
        selection->size = selection->size == 0 ? 8 : selection->size * 2;
        selection->rules = realloc(selection->rules, selection->size * sizeof *selection->rules);
        if (!selection->rules)
            out_of_memory("rules, groups and meters", 0);
    }
    selection->rules[selection->n++] = rule_ref(rule);
}

/* A flow_mod that is worked off: it looks through the tables, then changes the rules that it found. */
struct mod_slices {
    struct rule_cursor *cursor; /* NULL: all was looked at */
    bool overlaps;              /* it looks for rules that overlap with the one to be added */
    struct selection selection;
    size_t at;
};

static void select_strict(const struct pipeline *pipeline, const struct flow_mod *fm, const struct rule_filter *filter,
                          struct selection *selection)
{
    unsigned first = fm->table_id == TABLE_ALL ? 0 : fm->table_id;
    unsigned last = fm->table_id == TABLE_ALL ? PIPELINE_TABLES - 1 : fm->table_id;
    struct selector selector;

    selector_init(&selector, filter, fm->flags & RULE_HIDDEN);
    for (unsigned i = first; i <= last; i++) {
        const struct classifier *cls = pipeline->tables[i];
        struct rule *rule = !cls ? NULL
                                 : classifier_find(cls, change_version(pipeline), selector.match, fm->priority,
                                                   fm->flags & RULE_HIDDEN);

        if (rule && selector_takes_attributes(&selector, rule))
            selection_add(selection, rule);
    }
    selector_free(&selector);
}

struct rule *pipeline_find_rule(const struct pipeline *pipeline, uint8_t table_id, const struct match *match,
                                uint16_t priority)
{
    const struct rule_filter filter = {
        .table_id = table_id, .match = match, .out_port = OFPORT_ANY, .out_group = OFGROUP_ANY};
    const struct classifier *cls = pipeline->tables[table_id];
    struct selector selector;
    struct rule *rule;

    if (!cls)
        return NULL;
    selector_init(&selector, &filter, false);
    rule = classifier_find(cls, pipeline->version, selector.match, priority, false);
    selector_free(&selector);
    return rule;
}

static struct mod_slices *slices_create(void)
{
    struct mod_slices *slices = calloc(1, sizeof *slices);

    if (!slices)
        out_of_memory("rules, groups and meters", 0);
    return slices;
}

static struct mod_slices *select_rules(struct pipeline *pipeline, const struct flow_mod *fm)
{
    bool delete = fm->command == FLOW_DELETE || fm->command == FLOW_DELETE_STRICT;

    /* OpenFlow 1.3.5, 6.4: out_port and out_group only restrict deletes. */
    struct rule_filter filter = {
        .table_id = fm->table_id,
        .match = &fm->match,
        .cookie = fm->cookie,
        .cookie_mask = fm->cookie_mask,
        .out_port = delete ? fm->out_port : OFPORT_ANY,
        .out_group = delete ? fm->out_group : OFGROUP_ANY,
    };
    struct mod_slices *slices = slices_create();

    if (fm->command == FLOW_MODIFY_STRICT || fm->command == FLOW_DELETE_STRICT)
        select_strict(pipeline, fm, &filter, &slices->selection);
    else
        slices->cursor = rule_cursor_open_change(pipeline, &filter, fm->flags & RULE_HIDDEN);
    return slices;
}

static struct mod_slices *select_overlaps(struct pipeline *pipeline, const struct flow_mod *fm)
{
    uint8_t table_id = fm->table_id == TABLE_ALL ? 0 : fm->table_id;
    struct mod_slices *slices = slices_create();

    slices->overlaps = true;
    slices->cursor = rule_cursor_open_overlaps(pipeline, table_id, &fm->match, fm->priority);
    return slices;
}

void pipeline_mod_slices_free(struct mod_slices *slices)
{
    if (!slices)
        return;
    for (; slices->at < slices->selection.n; slices->at++)
        rule_unref(slices->selection.rules[slices->at]);
    free(slices->selection.rules);
    if (slices->cursor)
        rule_cursor_close(slices->cursor);
    free(slices);
}

static void slices_end(struct mod_slices **slices)
{
    pipeline_mod_slices_free(*slices);
    *slices = NULL;
}

/* Collects rules. False: *budget was not enough. */
static bool slices_look(struct mod_slices *slices, size_t *budget)
{
    while (slices->cursor && *budget > 0) {
        struct rule *rule = NULL;

        --*budget;
        if (rule_cursor_look(slices->cursor, LOOKS, &rule) == RULE_CURSOR_END) {
            rule_cursor_close(slices->cursor);
            slices->cursor = NULL;
        } else if (rule) {
            selection_add(&slices->selection, rule);
        }
    }
    return !slices->cursor;
}

struct classifier *table_get(struct pipeline *pipeline, uint8_t table_id)
{
    if (!pipeline->tables[table_id]) {
        pipeline->tables[table_id] = malloc(sizeof *pipeline->tables[table_id]);
        if (!pipeline->tables[table_id])
            out_of_memory("rules, groups and meters", 0);
        classifier_init(pipeline->tables[table_id]);
    }
    return pipeline->tables[table_id];
}

static bool is_bridge_full(const struct pipeline *pipeline)
{
    if (pipeline->n_next < pipeline->max_rules)
        return false;
    LOG_WARN_RL(LOG_PIPELINE,
                "there are %u rules, as many as max_rules of the bridge allows: further ones are refused; raise it if "
                "they are meant and there is memory for them",
                pipeline->n_next);
    return true;
}

int table_make_room(struct pipeline *pipeline, const struct rule *rule)
{
    const struct table_config *config = change_config(pipeline, rule->table_id);
    struct rule *victim;

    if (pipeline->info[rule->table_id].n_next < config->max_rules && !is_bridge_full(pipeline))
        return 0;
    victim = config->config & TABLE_EVICTION ? evict_choose(pipeline, rule->table_id, rule->importance) : NULL;
    if (!victim)
        return OFPERR_FMFC_TABLE_FULL;
    change_remove_for(pipeline, victim, RULE_EVICTED);
    return 0;
}

/* `old`: the rule that would be replaced, or NULL. */
static int refuse_add(struct pipeline *pipeline, const struct flow_mod *fm, const struct rule *rule,
                      const struct rule *old)
{
    if (pipeline->info[rule->table_id].config.disabled)
        return OFPERR_FMFC_BAD_TABLE_ID;
    return old || fm->flags & RULE_HIDDEN ? 0 : table_make_room(pipeline, rule);
}

/* OpenFlow 1.3.5, 6.4: overlaps are looked for on request, first, and what is identical overlaps. */
static int refuse_overlap(struct pipeline *pipeline, const struct flow_mod *fm, struct mod_slices **slices,
                          size_t budget)
{
    bool found;

    if (!(fm->flags & RULE_CHECK_OVERLAP))
        return 0;
    if (!*slices)
        *slices = select_overlaps(pipeline, fm);
    for (; (*slices)->cursor && (*slices)->selection.n == 0; budget--) {
        size_t step = 1;

        if (budget == 0)
            return -EINPROGRESS;
        slices_look(*slices, &step);
    }
    found = (*slices)->selection.n > 0;
    slices_end(slices);
    return found ? OFPERR_FMFC_OVERLAP : 0;
}

/* OpenFlow 1.3.5, 6.4: a rule of the same match and priority is replaced. */
static int add_rule(struct pipeline *pipeline, const struct flow_mod *fm)
{
    uint8_t table_id = fm->table_id == TABLE_ALL ? 0 : fm->table_id;
    struct classifier *cls = table_get(pipeline, table_id);
    struct rule *rule = rule_create(classifier_mask(cls, &fm->match.mask), &fm->match.value, &fm->acts);

    rule->table_id = table_id;
    rule->priority = fm->priority;
    rule->importance = fm->importance;

    struct rule *old =
        classifier_find(cls, change_version(pipeline), rule->match, fm->priority, fm->flags & RULE_HIDDEN);
    int error = refuse_add(pipeline, fm, rule, old);

    if (error != 0) {
        rule_unref(rule);
        return error;
    }
    rule->pipeline = pipeline;
    rule->cookie = fm->cookie;
    rule->idle_timeout_s = fm->idle_timeout_s;
    rule->hard_timeout_s = fm->hard_timeout_s;
    rule->flags = fm->flags | (fm->flags & RESETS ? RULE_FROM_ZERO : 0);
    rule->created_ms = rule->modified_ms = rule->used_ms = clock_now_ms();
    change_add(pipeline, rule, old);
    return 0;
}

/* OpenFlow 1.3.5, 6.4: "goto_table" must lead to a later table, 5.9. */
static int check_goto(const struct pipeline *pipeline, const struct flow_mod *fm)
{
    uint8_t table_id = fm->table_id == TABLE_ALL ? 0 : fm->table_id;

    ACT_FOR_EACH (act, &fm->acts) {
        if (act->type == ACT_GOTO_TABLE) {
            uint32_t target = ((const struct act_u32 *)act)->value;

            if (target <= table_id || target >= PIPELINE_TABLES || pipeline->info[target].config.disabled)
                return OFPERR_BIC_BAD_TABLE_ID;
        }
    }
    return 0;
}

/* recirc_id and dp_hash are the switch's own: packets of tables 0 and up have what translation last asked for. As in
 * Open vSwitch a rule may only say that the packet is as received. */
static bool matches_internals(const struct match *match)
{
    const struct flow_key *value = &match->value.pkt, *mask = &match->mask.pkt;

    return value->recirc_id != 0 || (mask->recirc_id != 0 && mask->recirc_id != UINT32_MAX) || mask->dp_hash != 0;
}

static int check(struct pipeline *pipeline, const struct flow_mod *fm)
{
    int error;

    if (fm->flags & ~FLAGS_KNOWN)
        return OFPERR_FMFC_BAD_FLAGS;

    switch (fm->command) {
    case FLOW_ADD:
    case FLOW_MODIFY:
    case FLOW_MODIFY_STRICT:
        if (fm->table_id == TABLE_ALL && !fm->modify_adds)
            return OFPERR_FMFC_BAD_TABLE_ID;
        if (matches_internals(&fm->match))
            return OFPERR_BRC_EPERM;
        error = check_goto(pipeline, fm);
        return error != 0 ? error : rule_uses_check(pipeline, &fm->acts);
    case FLOW_DELETE:
    case FLOW_DELETE_STRICT:
        return 0;
    }
    return OFPERR_FMFC_BAD_COMMAND;
}

static void change_rule(struct pipeline *pipeline, const struct flow_mod *fm, struct rule *rule)
{
    bool new_cookie = fm->modify_cookie && fm->cookie != UINT64_MAX;

    if (fm->command == FLOW_DELETE || fm->command == FLOW_DELETE_STRICT)
        change_remove(pipeline, rule);
    else
        change_modify(pipeline, rule, &fm->acts, new_cookie ? fm->cookie : rule->cookie, fm->flags & RESETS);
}

/* *any: there were rules to be changed, said when all were. */
static int change_rules(struct pipeline *pipeline, const struct flow_mod *fm, struct mod_slices **slices,
                        size_t *budget, bool *any)
{
    struct selection *selection;

    if (!*slices)
        *slices = select_rules(pipeline, fm);
    if (!slices_look(*slices, budget))
        return -EINPROGRESS;
    for (selection = &(*slices)->selection; (*slices)->at < selection->n; --*budget) {
        struct rule *rule = selection->rules[(*slices)->at];

        if (*budget == 0)
            return -EINPROGRESS;
        /* It may have timed out since it was selected. */
        if (!rule->removed && rule_visible(rule, change_version(pipeline)))
            change_rule(pipeline, fm, rule);
        (*slices)->at++;
        rule_unref(rule);
    }
    *any = selection->n > 0;
    slices_end(slices);
    return 0;
}

static bool adds_if_none(const struct flow_mod *fm)
{
    return fm->command <= FLOW_MODIFY_STRICT && fm->modify_adds && fm->cookie_mask == 0;
}

/* Works on the open change. */
static int apply(struct pipeline *pipeline, const struct flow_mod *fm, struct mod_slices **slices, size_t budget)
{
    int error = !*slices ? check(pipeline, fm) : 0;
    bool any = false;

    if (error == 0 && fm->command != FLOW_ADD && !(*slices && (*slices)->overlaps)) {
        error = change_rules(pipeline, fm, slices, &budget, &any);
        if (any || !adds_if_none(fm))
            return error;
    }
    if (error == 0)
        error = refuse_overlap(pipeline, fm, slices, budget);
    return error != 0 ? error : add_rule(pipeline, fm);
}

int pipeline_flow_mod(struct pipeline *pipeline, const struct flow_mod *fm)
{
    struct mod_slices *slices = NULL;

    if (pipeline->phase != CHANGE_NONE)
        return OFPERR_FMFC_EPERM;
    change_begin(pipeline, false);
    return change_finish(pipeline, apply(pipeline, fm, &slices, SIZE_MAX));
}

int pipeline_take_over_rule(struct pipeline *pipeline, const struct flow_mod *fm, uint64_t created_ms)
{
    struct flow_mod plain = *fm;
    int error;

    if (pipeline->phase != CHANGE_NONE)
        return OFPERR_FMFC_EPERM;
    plain.flags &= (uint16_t)~RULE_LEARNED;
    change_begin(pipeline, false);
    error = check(pipeline, &plain);
    if (error == 0)
        error = add_rule(pipeline, &plain);
    if (error == 0) {
        struct rule *rule = pipeline->added.rules[pipeline->added.n - 1];

        rule->flags |= fm->flags & RULE_LEARNED;
        rule->created_ms = created_ms;
    }
    return change_finish(pipeline, error);
}

int pipeline_bundle_begin(struct pipeline *pipeline)
{
    if (pipeline->phase != CHANGE_NONE)
        return -EBUSY;
    change_begin(pipeline, true);
    return 0;
}

int pipeline_bundle_mod_slice(struct pipeline *pipeline, const struct flow_mod *fm, struct mod_slices **slices,
                              size_t budget)
{
    if (pipeline->phase != CHANGE_OPEN)
        return OFPERR_FMFC_EPERM;
    return apply(pipeline, fm, slices, budget);
}

void pipeline_bundle_table_config(struct pipeline *pipeline, uint8_t table_id, const struct table_config *config)
{
    struct table_info *info = &pipeline->info[table_id];

    if (!info->next_config)
        info->next_config = malloc(sizeof *info->next_config);
    if (!info->next_config)
        out_of_memory("rules, groups and meters", 0);
    *info->next_config = *config;
}

bool pipeline_bundle_order_slice(struct pipeline *pipeline, uint8_t table_id, size_t *budget)
{
    return evict_prepare_slice(pipeline, table_id, budget);
}

bool pipeline_bundle_commit_step(struct pipeline *pipeline, size_t budget)
{
    bool done = change_commit_step(pipeline, budget);

    learn_settle(pipeline);
    return done;
}

void pipeline_bundle_peek(struct pipeline *pipeline, bool peek)
{
    pipeline->peeking = peek && pipeline->phase == CHANGE_OPEN;
}

uint64_t pipeline_version(const struct pipeline *pipeline)
{
    return pipeline->version;
}

bool pipeline_bundle_abort_step(struct pipeline *pipeline, size_t budget)
{
    bool done = change_abort_step(pipeline, budget);

    if (done)
        learn_settle(pipeline);
    return done;
}
