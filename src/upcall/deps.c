#include "src/upcall/deps.h"

#include <rte_jhash.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/memory.h"
#include "src/upcall/flows_impl.h"

static uint32_t deps_hash(const struct bridge *bridge, const struct xlate_deps *deps)
{
    uint32_t hash = (uint32_t)((uintptr_t)bridge >> 6);

    for (unsigned i = 0; i < deps->n_rules; i++)
        hash = rte_jhash_3words(hash, (uint32_t)(uintptr_t)deps->rules[i],
                                (uint32_t)((uint64_t)(uintptr_t)deps->rules[i] >> 32), 0);
    for (unsigned i = 0; i < deps->n_clauses; i++)
        hash = rte_jhash_2words(hash, (uint32_t)((uintptr_t)deps->clauses[i] >> 4), 0);
    for (unsigned i = 0; i < deps->n_visits; i++)
        hash = rte_jhash_2words(hash, visit_pack(&deps->visits[i]), 0);
    for (unsigned i = 0; i < deps->n_groups; i++)
        hash = rte_jhash_3words(hash, (uint32_t)(uintptr_t)deps->groups[i].group, deps->groups[i].bucket, 0);
    return hash;
}

static bool path_is(const struct path *path, uint32_t hash, const struct bridge *bridge, const struct xlate_deps *deps)
{
    if (path->hash != hash || path->bridge != bridge || path->n_rules != deps->n_rules ||
        path->n_clauses != deps->n_clauses || path->n_visits != deps->n_visits || path->n_groups != deps->n_groups)
        return false;
    for (unsigned i = 0; i < deps->n_rules; i++) {
        if (path->rules[i].rule != deps->rules[i])
            return false;
    }
    for (unsigned i = 0; i < deps->n_clauses; i++) {
        if (path->rules[path->n_rules + i].rule != deps->clauses[i])
            return false;
    }
    for (unsigned i = 0; i < deps->n_visits; i++) {
        if (path->visits[i] != visit_pack(&deps->visits[i]))
            return false;
    }
    for (unsigned i = 0; i < deps->n_groups; i++) {
        if (path->groups[i].group != deps->groups[i].group || path->groups[i].bucket != deps->groups[i].bucket)
            return false;
    }
    return true;
}

static struct path *path_create(struct bridge *bridge, const struct xlate_deps *deps, uint32_t hash)
{
    size_t rules = (deps->n_rules + deps->n_clauses) * sizeof(struct rule_dependent);
    size_t groups = deps->n_groups * sizeof(struct group_dependent);
    struct path *path = malloc(sizeof *path + rules + groups + deps->n_visits * sizeof path->visits[0]);

    if (!path)
        out_of_memory("the bookkeeping of megaflows", 0);
    memset(path, 0, sizeof *path);
    path->bridge = bridge;
    path->hash = hash;
    TAILQ_INIT(&path->list[0]);
    TAILQ_INIT(&path->list[1]);
    path->n_rules = deps->n_rules;
    path->n_clauses = deps->n_clauses;
    path->n_visits = deps->n_visits;
    path->n_groups = deps->n_groups;
    path->groups = (struct group_dependent *)((uint8_t *)path->rules + rules);
    path->visits = (uint32_t *)((uint8_t *)path->groups + groups);
    for (unsigned i = 0; i < deps->n_rules + deps->n_clauses; i++) {
        struct rule_dependent *link = &path->rules[i];

        link->rule = rule_ref(i < deps->n_rules ? deps->rules[i] : deps->clauses[i - deps->n_rules]);
        link->path = path;
        LIST_INSERT_HEAD(&link->rule->dependents, link, node);
        link->rule->n_dependents++;
    }
    for (unsigned i = 0; i < deps->n_visits; i++)
        path->visits[i] = visit_pack(&deps->visits[i]);
    for (unsigned i = 0; i < deps->n_groups; i++) {
        struct group_dependent *link = &path->groups[i];

        link->group = group_ref(deps->groups[i].group);
        link->bucket = deps->groups[i].bucket;
        link->path = path;
        LIST_INSERT_HEAD(&link->group->dependents, link, node);
    }
    return path;
}

struct path *path_get(struct flows *flows, struct bridge *bridge, const struct xlate_deps *deps)
{
    uint32_t hash = deps_hash(bridge, deps);
    struct path **bucket = &flows->paths[hash & (flows->n_path_buckets - 1)], *path;

    for (path = *bucket; path; path = path->hash_next) {
        if (path_is(path, hash, bridge, deps))
            return path;
    }
    path = path_create(bridge, deps, hash);
    path->hash_next = *bucket;
    *bucket = path;
    rule_index_path(flows, path, false);
    return path;
}

void path_attach(struct path *path, struct mf_record *record)
{
    record->path = path;
    record->side = !path->todo_side;
    path->n_records++;
    TAILQ_INSERT_TAIL(&path->list[record->side], record, path_node);
}

void path_detach(struct path *path, struct mf_record *record)
{
    TAILQ_REMOVE(&path->list[record->side], record, path_node);
    path->n_detached++;
}

struct mf_record *path_todo(const struct path *path)
{
    return TAILQ_FIRST(&path->list[path->todo_side]);
}

/* The rule is removed, and the last path is gone: its counters are final. */
static void rule_end(struct flows *flows, struct rule *rule)
{
    struct rule_dependent *watch = LIST_FIRST(&rule->dependents);

    if (!watch)
        return;
    LIST_REMOVE(watch, node);
    if (watch->successor) {
        watch->successor->packets += rule->packets - watch->packets;
        watch->successor->bytes += rule->bytes - watch->bytes;
        rule_note_used(watch->successor, rule->used_ms);
        rule_unref(watch->successor);
    } else if (flows->rule_gone) {
        flows->rule_gone(flows->rule_gone_arg, watch->bridge, rule, watch->reason);
    }
    free(watch);
    rule_unref(rule);
}

static void unlink_rule(struct flows *flows, struct rule_dependent *link)
{
    struct rule *rule = link->rule;

    LIST_REMOVE(link, node);
    if (--rule->n_dependents == 0)
        rule_end(flows, rule);
    rule_unref(rule);
}

static void credit_group(struct group *group, uint32_t bucket, uint64_t packets, uint64_t bytes)
{
    if (bucket == XLATE_GROUP_ITSELF) {
        group->packets += packets;
        group->bytes += bytes;
    } else if (bucket != XLATE_GROUP_LATER) {
        group->buckets[bucket].packets += packets;
        group->buckets[bucket].bytes += bytes;
    }
}

static void credit_all(struct path *path)
{
    for (uint32_t i = 0; i < path->n_rules; i++) {
        struct rule *rule = path->rules[i].rule;

        rule->packets += path->packets;
        rule->bytes += path->bytes;
        rule_note_used(rule, path->used_ms);
    }
    for (uint32_t i = 0; i < path->n_visits; i++) {
        struct xlate_visit visit = visit_unpack(path->visits[i]);

        if (!visit.uncounted)
            pipeline_table_count(path->bridge->pipeline, visit.table_id, path->packets,
                                 visit.has_rule ? path->packets : 0);
    }
    for (uint32_t i = 0; i < path->n_groups; i++)
        credit_group(path->groups[i].group, path->groups[i].bucket, path->packets, path->bytes);
    path->packets = path->bytes = 0;
}

void path_flush_credits(struct flows *flows)
{
    struct path *path;

    while ((path = TAILQ_FIRST(&flows->credits))) {
        TAILQ_REMOVE(&flows->credits, path, credit_node);
        path->credit_queued = false;
        credit_all(path);
    }
}

void rule_collect(struct flows *flows, struct rule *rule)
{
    const struct rule_dependent *link;
    struct mf_record *record;
    bool dying = false;

    LIST_FOREACH (link, &rule->dependents, node) {
        for (unsigned side = 0; link->path && side < 2; side++) {
            TAILQ_FOREACH (record, &link->path->list[side], path_node)
                record_count(flows, record);
        }
        dying |= link->path && link->path->n_detached > 0;
    }
    if (dying) {
        TAILQ_FOREACH (record, &flows->dying, path_node)
            record_count(flows, record);
    }
    path_flush_credits(flows);
}

void path_release(struct flows *flows, struct path *path)
{
    struct path **p = &flows->paths[path->hash & (flows->n_path_buckets - 1)];

    path->n_detached--;
    if (--path->n_records > 0)
        return;
    if (path->credit_queued) {
        TAILQ_REMOVE(&flows->credits, path, credit_node);
        credit_all(path);
    }
    if (path->todo_seq)
        TAILQ_REMOVE(&flows->todo, path, todo_node);
    while (*p != path)
        p = &(*p)->hash_next;
    *p = path->hash_next;
    rule_index_path(flows, path, true);
    for (uint32_t i = 0; i < path->n_rules + path->n_clauses; i++)
        unlink_rule(flows, &path->rules[i]);
    for (uint32_t i = 0; i < path->n_groups; i++) {
        LIST_REMOVE(&path->groups[i], node);
        group_unref(path->groups[i].group);
    }
    free(path);
}

void path_credit(struct flows *flows, struct path *path, uint64_t packets, uint64_t bytes, uint64_t used_ms)
{
    if (path->n_visits == 0 && path->n_groups == 0)
        return;
    path->packets += packets;
    path->bytes += bytes;
    if (used_ms > path->used_ms)
        path->used_ms = used_ms;
    if (!path->credit_queued) {
        TAILQ_INSERT_TAIL(&flows->credits, path, credit_node);
        path->credit_queued = true;
    }
}

void deps_credit(struct bridge *bridge, const struct xlate_deps *deps, uint64_t packets, uint64_t bytes,
                 uint64_t used_ms)
{
    for (unsigned i = 0; i < deps->n_rules; i++) {
        deps->rules[i]->packets += packets;
        deps->rules[i]->bytes += bytes;
        rule_note_used(deps->rules[i], used_ms);
    }
    for (unsigned i = 0; i < deps->n_visits; i++) {
        if (!deps->visits[i].uncounted)
            pipeline_table_count(bridge->pipeline, deps->visits[i].table_id, packets,
                                 deps->visits[i].has_rule ? packets : 0);
    }
    for (unsigned i = 0; i < deps->n_groups; i++)
        credit_group(deps->groups[i].group, deps->groups[i].bucket, packets, bytes);
}

static void queue_path(struct flows *flows, struct path *path)
{
    if (path->todo_seq)
        return;
    path->todo_seq = ++flows->todo_seq;
    TAILQ_INSERT_TAIL(&flows->todo, path, todo_node);
}

void path_mark(struct flows *flows, struct path *path)
{
    uint8_t clean = !path->todo_side;
    struct mf_record *record;

    if (TAILQ_EMPTY(&path->list[clean]))
        return;
    if (TAILQ_EMPTY(&path->list[path->todo_side])) {
        path->todo_side = clean;
    } else {
        /* Marked again while it is worked off: the others were done since, this costs less than that did. */
        TAILQ_FOREACH (record, &path->list[clean], path_node)
            record->side = path->todo_side;
        TAILQ_CONCAT(&path->list[path->todo_side], &path->list[clean], path_node);
    }
    queue_path(flows, path);
}

bool record_marked(const struct mf_record *record)
{
    return record->side == record->path->todo_side;
}

void record_mark(struct flows *flows, struct mf_record *record)
{
    struct path *path = record->path;

    if (record_marked(record))
        return;
    TAILQ_REMOVE(&path->list[record->side], record, path_node);
    record->side = path->todo_side;
    TAILQ_INSERT_TAIL(&path->list[record->side], record, path_node);
    queue_path(flows, path);
}

void rule_mark_dependents(struct flows *flows, struct rule *rule)
{
    struct rule_dependent *link;

    LIST_FOREACH (link, &rule->dependents, node) {
        if (link->path)
            path_mark(flows, link->path);
    }
}

void group_mark_dependents(struct flows *flows, struct group *group)
{
    struct group_dependent *link;

    LIST_FOREACH (link, &group->dependents, node)
        path_mark(flows, link->path);
}

static struct rule_dependent *watch_add(struct rule *rule)
{
    struct rule_dependent *watch = calloc(1, sizeof *watch);

    if (!watch)
        out_of_memory("the bookkeeping of megaflows", 0);
    watch->rule = rule_ref(rule);
    LIST_INSERT_HEAD(&rule->dependents, watch, node);
    return watch;
}

void rule_watch_gone(struct flows *flows, struct bridge *bridge, struct rule *rule, enum rule_removed_reason reason)
{
    struct rule_dependent *watch = watch_add(rule);

    watch->bridge = bridge;
    watch->reason = reason;
    if (rule->n_dependents == 0)
        rule_end(flows, rule);
}

void rule_watch_replaced(struct flows *flows, struct rule *rule, struct rule *successor)
{
    struct rule_dependent *watch;

    /* Counted anew (OFPFF_RESET_COUNTS): what the old rule still gets is not the new one's. */
    if (rule->n_dependents == 0 || successor->packets < rule->packets)
        return;
    watch = watch_add(rule);
    watch->successor = rule_ref(successor);
    watch->packets = rule->packets;
    watch->bytes = rule->bytes;
}
