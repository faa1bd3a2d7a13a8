#include "src/tables/change.h"

#include <stdlib.h>

#include "pmd/base/clock.h"
#include "pmd/base/memory.h"
#include "pmd/datapath.h"
#include "src/tables/evict.h"
#include "src/tables/group.h"
#include "src/tables/learn.h"
#include "src/tables/meter.h"
#include "src/tables/rule.h"
#include "src/tables/rule_use.h"

#define VEC_KEEP 1024 /* entries of a vector that are kept for the next change */

static void vec_push(struct rule_vec *vec, struct rule *rule)
{
    if (vec->n == vec->size) {
        vec->size = vec->size == 0 ? 16 : vec->size * 2;
        vec->rules = realloc(vec->rules, vec->size * sizeof *vec->rules);
        if (!vec->rules)
            out_of_memory("rules, groups and meters", 0);
    }
    vec->rules[vec->n++] = rule_ref(rule);
}

/* `n_told`: so many references were given up already. */
static void vec_clear(struct rule_vec *vec, size_t *n_told)
{
    for (size_t i = *n_told; i < vec->n; i++)
        rule_unref(vec->rules[i]);
    vec->n = 0;
    *n_told = 0;
    if (vec->size > VEC_KEEP) {
        free(vec->rules);
        *vec = (struct rule_vec){0};
    }
}

static void change_end(struct pipeline *pipeline)
{
    vec_clear(&pipeline->added, &pipeline->n_told_added);
    vec_clear(&pipeline->removed, &pipeline->n_told_removed);
    vec_clear(&pipeline->modified, &pipeline->n_told_modified);
    pipeline->phase = CHANGE_NONE;
}

static bool is_pending(const struct pipeline *pipeline, const struct rule *rule)
{
    return rule->add_version > pipeline->version;
}

static void count_next(struct pipeline *pipeline, const struct rule *rule, int delta)
{
    if (rule->flags & RULE_HIDDEN)
        return;
    pipeline->info[rule->table_id].n_next += (uint32_t)delta;
    pipeline->n_next += (uint32_t)delta;
}

/* Out of its table for good. */
static void drop(struct pipeline *pipeline, struct rule *rule)
{
    rule->removed = true;
    table_unlink(pipeline, rule);
    rule_unref(rule);
}

void change_begin(struct pipeline *pipeline, bool in_bundle)
{
    pipeline->phase = CHANGE_OPEN;
    pipeline->in_bundle = in_bundle;
    pipeline->removing = NULL;
}

/* Takes back a rule that the change itself added. Nobody but the change has ever seen it. */
static void drop_pending(struct pipeline *pipeline, struct rule *rule)
{
    rule->origin = NULL;
    drop(pipeline, rule);
}

void change_add(struct pipeline *pipeline, struct rule *rule, struct rule *replaced)
{
    rule->add_version = change_version(pipeline);
    rule->remove_version = RULE_NEVER;
    if (replaced) {
        count_next(pipeline, replaced, -1);
        if (is_pending(pipeline, replaced)) {
            rule->origin = replaced->origin;
            if (!(rule->flags & RULE_FROM_ZERO)) {
                rule->packets = replaced->packets;
                rule->bytes = replaced->bytes;
            }
            rule->flags |= replaced->flags & RULE_FROM_ZERO;
            drop_pending(pipeline, replaced);
        } else {
            rule->origin = replaced;
            replaced->remove_version = change_version(pipeline);
            evict_leave(pipeline, replaced);
            vec_push(&pipeline->removed, replaced);
        }
    }
    table_link(pipeline, rule);
    count_next(pipeline, rule, 1);
    vec_push(&pipeline->added, rule);
}

void change_remove(struct pipeline *pipeline, struct rule *rule)
{
    change_remove_for(pipeline, rule, RULE_DELETED);
}

void change_remove_for(struct pipeline *pipeline, struct rule *rule, enum rule_removed_reason reason)
{
    rule->removed_for = (uint8_t)reason;
    if (rule->origin) /* that is what goes when the rule of the change does */
        rule->origin->removed_for = (uint8_t)reason;
    count_next(pipeline, rule, -1);
    if (is_pending(pipeline, rule)) {
        drop_pending(pipeline, rule);
    } else {
        rule->remove_version = change_version(pipeline);
        evict_leave(pipeline, rule);
        vec_push(&pipeline->removed, rule);
    }
}

static void set_acts(struct pipeline *pipeline, struct rule *rule, const struct act_list *acts)
{
    pipeline->rule_bytes -= rule_memory(rule);
    rule_uses_unlink(rule);
    rule_set_acts(rule, acts);
    rule_uses_link(pipeline, rule);
    pipeline->rule_bytes += rule_memory(rule);
}

static void set_cookie(struct pipeline *pipeline, struct rule *rule, uint64_t cookie)
{
    learn_note_cookie(pipeline, rule, cookie);
    rule->cookie = cookie;
}

void change_modify(struct pipeline *pipeline, struct rule *rule, const struct act_list *acts, uint64_t cookie,
                   bool reset)
{
    if (is_pending(pipeline, rule)) {
        set_acts(pipeline, rule, acts);
        set_cookie(pipeline, rule, cookie);
        if (reset) {
            rule->flags |= RULE_FROM_ZERO;
            rule->packets = rule->bytes = 0;
        }
    } else if (pipeline->in_bundle || reset) {
        /* What megaflows have counted so far and will count by the old actions goes with the old rule. */
        struct rule *shadow = rule_create_like(rule, acts);

        shadow->pipeline = pipeline;
        shadow->table_id = rule->table_id;
        shadow->priority = rule->priority;
        shadow->idle_timeout_s = rule->idle_timeout_s;
        shadow->hard_timeout_s = rule->hard_timeout_s;
        shadow->importance = rule->importance;
        shadow->cookie = cookie;
        shadow->created_ms = rule->created_ms;
        shadow->flags = rule->flags | RULE_SHADOW | (reset ? RULE_FROM_ZERO : 0);
        change_add(pipeline, shadow, rule);
    } else {
        set_acts(pipeline, rule, acts);
        set_cookie(pipeline, rule, cookie);
        rule->modified_ms = clock_now_ms();
        evict_update(rule);
        vec_push(&pipeline->modified, rule);
    }
}

const struct table_config *change_config(const struct pipeline *pipeline, uint8_t table_id)
{
    const struct table_info *info = &pipeline->info[table_id];

    return info->next_config ? info->next_config : &info->config;
}

static void forget_config(struct table_info *info)
{
    free(info->next_config);
    info->next_config = NULL;
}

/* Only these members belong to bundles; the others may have changed since the bundle was opened. */
static void take_config(struct table_info *info)
{
    if (!info->next_config)
        return;
    info->config.config = info->next_config->config;
    info->config.eviction = info->next_config->eviction;
    info->config.vacancy_down = info->next_config->vacancy_down;
    info->config.vacancy_up = info->next_config->vacancy_up;
    forget_config(info);
}

/* Works off `vec` from *n_told on. Returns false if the budget was used up before its end. */
static bool work_off(struct pipeline *pipeline, struct rule_vec *vec, size_t *n_told, size_t *budget,
                     void (*fn)(struct pipeline *pipeline, struct rule *rule))
{
    while (*n_told < vec->n) {
        struct rule *rule = vec->rules[*n_told];

        if (*budget == 0)
            return false;
        --*budget;
        fn(pipeline, rule);
        ++*n_told;
        rule_unref(rule);
    }
    return true;
}

/* Nobody but the change has ever seen it. */
static void take_back_added(struct pipeline *pipeline, struct rule *rule)
{
    if (!rule->removed)
        drop_pending(pipeline, rule);
}

static void take_back_removed(struct pipeline *pipeline, struct rule *rule)
{
    rule->remove_version = RULE_NEVER;
    if (!rule->removed)
        evict_enter(pipeline, rule);
}

/* Lookups see the version before the change all the time. */
bool change_abort_step(struct pipeline *pipeline, size_t budget)
{
    pipeline->phase = CHANGE_ABORTING;
    if (!work_off(pipeline, &pipeline->added, &pipeline->n_told_added, &budget, take_back_added) ||
        !work_off(pipeline, &pipeline->removed, &pipeline->n_told_removed, &budget, take_back_removed))
        return false;
    if (!group_table_abort(pipeline->groups, &budget) ||
        (pipeline->meters && !meter_table_abort(pipeline->meters, &budget)))
        return false;
    pipeline->n_next = pipeline_n_rules(pipeline, TABLE_ALL);
    for (unsigned i = 0; i < PIPELINE_TABLES; i++) {
        pipeline->info[i].n_next = pipeline->info[i].n_rules;
        forget_config(&pipeline->info[i]);
    }
    if (pipeline->meters && !meter_table_end(pipeline->meters, &budget))
        return false;
    change_end(pipeline);
    return true;
}

void change_origin_gone(struct pipeline *pipeline, const struct rule *rule)
{
    struct rule *shadow = classifier_find(pipeline->tables[rule->table_id], change_version(pipeline), rule->match,
                                          rule->priority, rule->flags & RULE_HIDDEN);

    if (!shadow || shadow->origin != rule || !(shadow->flags & RULE_SHADOW))
        return;
    count_next(pipeline, shadow, -1);
    drop_pending(pipeline, shadow);
}

/* To others a modified rule is the one that it was: its age, use and version go over. */
static void inherit(struct rule *rule, const struct rule *origin)
{
    rule->used_ms = origin->used_ms;
    rule->add_version = origin->add_version;
    rule->modified_ms = clock_now_ms();
    evict_update(rule);
}

/* OpenFlow 1.3.5, 6.4: counters are copied unless OFPFF_RESET_COUNTS. */
static void go_on_with_counts(struct pipeline *pipeline, struct rule *rule, struct rule *origin)
{
    rule->packets += origin->packets;
    rule->bytes += origin->bytes;
    if (pipeline->observer.rule_goes_on)
        pipeline->observer.rule_goes_on(pipeline->observer.arg, rule, origin);
}

static void tell_added(struct pipeline *pipeline, struct rule *rule)
{
    struct rule *origin = rule->origin;

    rule->origin = NULL;
    if (rule->removed)
        return;
    if (origin && origin->removed) /* it timed out while the bundle was open */
        origin = NULL;
    if (origin) {
        if (!(rule->flags & RULE_FROM_ZERO))
            go_on_with_counts(pipeline, rule, origin);
        if (rule->flags & RULE_SHADOW)
            inherit(rule, origin);
        record_rule(pipeline, origin, false);
        drop(pipeline, origin);
    }
    rule->flags &= (uint16_t) ~(RULE_FROM_ZERO | RULE_SHADOW);
    expire_schedule(pipeline, rule);
    record_rule(pipeline, rule, true);
    if (pipeline->observer.rule_added)
        pipeline->observer.rule_added(pipeline->observer.arg, rule, origin);
}

static void tell_removed(struct pipeline *pipeline, struct rule *rule)
{
    if (rule->removed || rule->remove_version == RULE_NEVER)
        return;
    record_rule(pipeline, rule, false);
    drop(pipeline, rule);
    if (pipeline->observer.rule_removed)
        pipeline->observer.rule_removed(pipeline->observer.arg, rule, rule->removed_for);
}

static void tell_modified(struct pipeline *pipeline, struct rule *rule)
{
    if (rule->removed)
        return;
    record_rule(pipeline, rule, true);
    if (pipeline->observer.rule_modified)
        pipeline->observer.rule_modified(pipeline->observer.arg, rule);
}

bool change_commit_step(struct pipeline *pipeline, size_t budget)
{
    if (pipeline->phase == CHANGE_OPEN) {
        pipeline->phase = CHANGE_COMMITTING;
        pipeline->version++;
        for (unsigned i = 0; i < PIPELINE_TABLES; i++) {
            pipeline->info[i].n_rules = pipeline->info[i].n_next;
            take_config(&pipeline->info[i]);
        }
    }
    if (!group_table_commit(pipeline->groups, &budget) ||
        (pipeline->meters && !meter_table_commit(pipeline->meters, &budget)))
        return false;
    if (!work_off(pipeline, &pipeline->added, &pipeline->n_told_added, &budget, tell_added) ||
        !work_off(pipeline, &pipeline->removed, &pipeline->n_told_removed, &budget, tell_removed) ||
        !work_off(pipeline, &pipeline->modified, &pipeline->n_told_modified, &budget, tell_modified))
        return false;
    if (pipeline->meters && !meter_table_end(pipeline->meters, &budget))
        return false;
    change_end(pipeline);
    return true;
}

int change_finish(struct pipeline *pipeline, int error)
{
    if (error != 0)
        change_abort_step(pipeline, SIZE_MAX);
    else
        change_commit_step(pipeline, SIZE_MAX);
    learn_settle(pipeline);
    return error;
}
