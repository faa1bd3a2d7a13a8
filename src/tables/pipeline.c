#include "src/tables/pipeline.h"

#include <stdlib.h>

#include "pmd/base/memory.h"
#include "src/tables/change.h"
#include "src/tables/evict.h"
#include "src/tables/group.h"
#include "src/tables/learn.h"
#include "src/tables/meter.h"
#include "src/tables/rule.h"
#include "src/tables/table.h"

void pipeline_set_observer(struct pipeline *pipeline, const struct pipeline_observer *observer)
{
    pipeline->observer = !observer ? (struct pipeline_observer){0} : *observer;
}

void pipeline_set_recorder(struct pipeline *pipeline, const struct pipeline_recorder *recorder)
{
    pipeline->recorder = recorder;
}

bool pipeline_is_between(const struct pipeline *pipeline)
{
    return pipeline->phase == CHANGE_COMMITTING;
}

struct pipeline *pipeline_create(const struct pipeline_observer *observer)
{
    struct pipeline *pipeline = calloc(1, sizeof *pipeline);

    if (!pipeline)
        out_of_memory("rules, groups and meters", 0);
    pipeline_set_observer(pipeline, observer);
    LIST_INIT(&pipeline->cursors);
    LIST_INIT(&pipeline->triggers.list);
    for (unsigned i = 0; i < PIPELINE_TABLES; i++) {
        struct table_config *config = &pipeline->info[i].config;

        config->max_rules = UINT32_MAX;
        config->eviction = TABLE_EVICT_OTHER | TABLE_EVICT_IMPORTANCE | TABLE_EVICT_LIFETIME;
    }
    pipeline->max_rules = UINT32_MAX;
    expire_init(pipeline);
    pipeline->groups = group_table_create(pipeline);
    pipeline->learn = learn_state_create();
    return pipeline;
}

static void table_destroy(struct classifier *cls)
{
    struct subtable *subtable;

    TAILQ_FOREACH (subtable, &cls->subtables, node) {
        struct rule *rule, *next;

        for (rule = TAILQ_FIRST(&subtable->rules); rule; rule = next) {
            next = TAILQ_NEXT(rule, table_node);
            expire_cancel(rule);
            rule_uses_unlink(rule);
            rule->removed = true;
            rule->pipeline = NULL;
            rule_unref(rule);
        }
    }
    classifier_destroy(cls);
    free(cls);
}

/* Goes on with the end of a change that is under way, for about `budget` rules. True: none is. */
static bool end_change(struct pipeline *pipeline, size_t budget)
{
    if (pipeline->phase == CHANGE_OPEN || pipeline->phase == CHANGE_ABORTING)
        return change_abort_step(pipeline, budget);
    return pipeline->phase != CHANGE_COMMITTING || change_commit_step(pipeline, budget);
}

/* Removes about *budget rules of a table. */
static void table_clear(struct pipeline *pipeline, struct classifier *cls, unsigned *budget)
{
    struct subtable *subtable;

    while (*budget > 0 && (subtable = TAILQ_FIRST(&cls->subtables))) {
        struct rule *rule = TAILQ_FIRST(&subtable->rules);

        if (!(rule->flags & RULE_HIDDEN))
            pipeline->info[rule->table_id].n_rules--;
        rule->removed = true;
        table_unlink(pipeline, rule);
        rule->pipeline = NULL;
        rule_unref(rule);
        --*budget;
    }
}

bool pipeline_clear(struct pipeline *pipeline, unsigned most)
{
    if (!end_change(pipeline, most))
        return false;
    learn_give_up(pipeline);
    for (unsigned i = 0; i < PIPELINE_TABLES && most > 0; i++) {
        if (pipeline->tables[i])
            table_clear(pipeline, pipeline->tables[i], &most);
    }
    return most > 0 && group_table_clear(pipeline->groups, most) &&
           (!pipeline->meters || meter_table_clear(pipeline->meters, most));
}

void pipeline_destroy(struct pipeline *pipeline)
{
    pipeline->observer = (struct pipeline_observer){0};
    end_change(pipeline, SIZE_MAX);
    cursors_end(pipeline);
    for (unsigned i = 0; i < PIPELINE_TABLES; i++) {
        evict_free(&pipeline->info[i]);
        if (pipeline->tables[i])
            table_destroy(pipeline->tables[i]);
    }
    group_table_destroy(pipeline->groups);
    meter_table_destroy(pipeline->meters);
    learn_state_destroy(pipeline->learn);
    free(pipeline->added.rules);
    free(pipeline->removed.rules);
    free(pipeline->modified.rules);
    free(pipeline);
}

struct group_table *pipeline_groups(const struct pipeline *pipeline)
{
    return pipeline->groups;
}

void pipeline_set_meters(struct pipeline *pipeline, struct meter_table *meters)
{
    pipeline->meters = meters;
}

struct meter_table *pipeline_meters(const struct pipeline *pipeline)
{
    return pipeline->meters;
}

void table_link(struct pipeline *pipeline, struct rule *rule)
{
    rule_uses_link(pipeline, rule);
    classifier_insert(pipeline->tables[rule->table_id], rule);
    learn_note_linked(pipeline, rule);
    evict_enter(pipeline, rule);
    pipeline->rule_bytes += rule_memory(rule);
}

void table_unlink(struct pipeline *pipeline, struct rule *rule)
{
    pipeline->rule_bytes -= rule_memory(rule);
    evict_leave(pipeline, rule);
    learn_note_unlinked(pipeline, rule);
    rule_uses_unlink(rule);
    cursors_leave(pipeline, rule);
    expire_cancel(rule);
    classifier_remove(pipeline->tables[rule->table_id], rule);
}

struct rule *pipeline_lookup(struct pipeline *pipeline, uint8_t table_id, const struct flow *flow, struct flow *wc,
                             struct conj_trail *trail)
{
    const struct classifier *cls = table_id < PIPELINE_TABLES ? pipeline->tables[table_id] : NULL;

    return !cls ? NULL : classifier_lookup(cls, lookup_version(pipeline), flow, wc, trail);
}

void pipeline_remove_rule(struct pipeline *pipeline, struct rule *rule, enum rule_removed_reason reason)
{
    /* With a version in the past it was removed by the change whose commit is under way, which will say so. */
    if (rule->removed || rule->remove_version <= pipeline->version)
        return;
    if (!(rule->flags & RULE_HIDDEN)) {
        pipeline->info[rule->table_id].n_rules--;
        if (rule->remove_version == RULE_NEVER) {
            pipeline->info[rule->table_id].n_next--;
            pipeline->n_next--;
        }
    }
    if (rule->remove_version != RULE_NEVER)
        change_origin_gone(pipeline, rule);
    rule->removed = true;
    table_unlink(pipeline, rule);
    record_rule(pipeline, rule, false);
    if (pipeline->observer.rule_removed)
        pipeline->observer.rule_removed(pipeline->observer.arg, rule, reason);
    rule_unref(rule);
    learn_settle(pipeline);
}

void pipeline_set_max_rules(struct pipeline *pipeline, uint32_t max_rules)
{
    pipeline->max_rules = max_rules;
}

uint32_t pipeline_n_rules(const struct pipeline *pipeline, uint8_t table_id)
{
    uint32_t n = 0;

    if (table_id != TABLE_ALL)
        return pipeline->info[table_id].n_rules;
    for (unsigned i = 0; i < PIPELINE_TABLES; i++)
        n += pipeline->info[i].n_rules;
    return n;
}

void pipeline_table_stats(const struct pipeline *pipeline, uint8_t table_id, struct table_stats *stats)
{
    *stats = (struct table_stats){0};
    if (table_id < PIPELINE_TABLES) {
        const struct table_info *info = &pipeline->info[table_id];

        *stats = (struct table_stats){.active = info->n_rules, .lookups = info->lookups, .matched = info->matched};
    }
}

void pipeline_table_count(struct pipeline *pipeline, uint8_t table_id, uint64_t lookups, uint64_t matched)
{
    if (table_id < PIPELINE_TABLES) {
        pipeline->info[table_id].lookups += lookups;
        pipeline->info[table_id].matched += matched;
    }
}

const struct table_config *pipeline_table_config(const struct pipeline *pipeline, uint8_t table_id)
{
    return pipeline->peeking ? change_config(pipeline, table_id) : &pipeline->info[table_id].config;
}

void pipeline_set_table_config(struct pipeline *pipeline, uint8_t table_id, const struct table_config *config)
{
    pipeline->info[table_id].config = *config;
    evict_prepare(pipeline, table_id);
}

size_t pipeline_memory(const struct pipeline *pipeline)
{
    size_t bytes = sizeof *pipeline + pipeline->rule_bytes;

    for (unsigned i = 0; i < PIPELINE_TABLES; i++) {
        bytes += evict_memory(&pipeline->info[i]);
        if (pipeline->tables[i])
            bytes += sizeof *pipeline->tables[i] + classifier_memory(pipeline->tables[i]);
    }
    bytes += (pipeline->added.size + pipeline->removed.size + pipeline->modified.size) * sizeof(struct rule *);
    return bytes;
}
