#include "src/upcall/deps.h"

#include <stdlib.h>
#include <string.h>

#include "pmd/base/hash.h"
#include "pmd/base/memory.h"
#include "src/upcall/flows_impl.h"

/* Those of `deps` that paths have. */
static unsigned count_links(const struct xlate_deps *deps)
{
    unsigned n = 0;

    for (unsigned i = 0; i < deps->n_others; i++)
        n += !dep_is_of_record(&deps->others[i]);
    return n;
}

static uint32_t deps_hash(const struct xlate_deps *deps)
{
    uint64_t hash = HASH_BASIS;

    for (unsigned i = 0; i < deps->n_bridges; i++)
        hash = hash_add(hash, (uintptr_t)deps->bridges[i]);
    for (unsigned i = 0; i < deps->n_rules; i++)
        hash = hash_add(hash, (uintptr_t)deps->rules[i]);
    for (unsigned i = 0; i < deps->n_clauses; i++)
        hash = hash_add(hash, (uintptr_t)deps->clauses[i]);
    for (unsigned i = 0; i < deps->n_visits; i++) {
        uint64_t visit;

        memcpy(&visit, &deps->visits[i], sizeof visit);
        hash = hash_add(hash, visit);
    }
    for (unsigned i = 0; i < deps->n_crossings; i++)
        hash = hash_add(hash, (uint64_t)deps->crossings[i].bridge << 48 | (uint64_t)deps->crossings[i].what << 32 |
                                  deps->crossings[i].id);
    for (unsigned i = 0; i < deps->n_groups; i++)
        hash = hash_add(hash_add(hash, (uintptr_t)deps->groups[i].group), deps->groups[i].bucket);
    for (unsigned i = 0; i < deps->n_others; i++) {
        const struct xlate_dep *dep = &deps->others[i];

        if (!dep_is_of_record(dep))
            hash = hash_add(hash_add(hash, (uintptr_t)dep->a), dep->b << 8 | dep->kind);
    }
    return hash_finish(hash);
}

static bool links_are(const struct path *path, const struct xlate_deps *deps)
{
    unsigned link = 0;

    for (unsigned i = 0; i < deps->n_others; i++) {
        if (dep_is_of_record(&deps->others[i]))
            continue;
        if (link == path->n_links || !dep_same(&path->links[link++].at->dep, &deps->others[i]))
            return false;
    }
    return link == path->n_links;
}

/* Arrays that are empty may be NULL. */
static bool same(const void *a, const void *b, size_t size)
{
    return size == 0 || memcmp(a, b, size) == 0;
}

static bool path_is(const struct path *path, uint32_t hash, const struct xlate_deps *deps)
{
    if (path->hash != hash || path->n_bridges != deps->n_bridges || path->n_rules != deps->n_rules ||
        path->n_clauses != deps->n_clauses || path->n_visits != deps->n_visits || path->n_groups != deps->n_groups ||
        path->n_crossings != deps->n_crossings)
        return false;
    for (unsigned i = 0; i < deps->n_bridges; i++) {
        if (path->bridges[i] != deps->bridges[i])
            return false;
    }
    for (unsigned i = 0; i < deps->n_rules; i++) {
        if (path->rules[i].rule != deps->rules[i])
            return false;
    }
    for (unsigned i = 0; i < deps->n_clauses; i++) {
        if (path->rules[path->n_rules + i].rule != deps->clauses[i])
            return false;
    }
    if (!same(path->visits, deps->visits, deps->n_visits * sizeof deps->visits[0]) ||
        !same(path->crossings, deps->crossings, deps->n_crossings * sizeof deps->crossings[0]))
        return false;
    for (unsigned i = 0; i < deps->n_groups; i++) {
        if (path->groups[i].group != deps->groups[i].group || path->groups[i].bucket != deps->groups[i].bucket)
            return false;
    }
    return links_are(path, deps);
}

/* The watch of a rule that is out of its table, or NULL. It is the first of the rule's dependents. */
static struct rule_watch *watch_of(const struct rule *rule)
{
    struct rule_dependent *first = LIST_FIRST(&rule->dependents);

    return first && !first->path ? (struct rule_watch *)first : NULL;
}

static void dependent_insert(struct rule_dependent *link)
{
    struct rule_watch *watch = watch_of(link->rule);

    if (watch)
        LIST_INSERT_AFTER(&watch->dependent, link, node);
    else
        LIST_INSERT_HEAD(&link->rule->dependents, link, node);
    link->rule->n_dependents++;
}

static void link_rules(struct path *path, const struct xlate_deps *deps)
{
    for (unsigned i = 0; i < deps->n_rules + deps->n_clauses; i++) {
        struct rule_dependent *link = &path->rules[i];

        link->rule = rule_ref(i < deps->n_rules ? deps->rules[i] : deps->clauses[i - deps->n_rules]);
        link->path = path;
        dependent_insert(link);
    }
}

static void link_groups(struct path *path, const struct xlate_deps *deps)
{
    for (unsigned i = 0; i < deps->n_groups; i++) {
        struct group_dependent *link = &path->groups[i];

        link->group = group_ref(deps->groups[i].group);
        link->bucket = deps->groups[i].bucket;
        link->path = path;
        LIST_INSERT_HEAD(&link->group->dependents, link, node);
        link->group->n_dependents++;
    }
}

static void link_others(struct flows *flows, struct path *path, const struct xlate_deps *deps)
{
    unsigned link = 0;

    for (unsigned i = 0; i < deps->n_others; i++) {
        if (!dep_is_of_record(&deps->others[i]))
            dep_link_add(&flows->deps, &path->links[link++], &deps->others[i], path);
    }
}

static void *copy(void *to, const void *from, size_t size)
{
    return size ? memcpy(to, from, size) : to;
}

static struct path *path_create(struct flows *flows, const struct xlate_deps *deps, uint32_t hash)
{
    unsigned n_links = count_links(deps);
    size_t rules = (deps->n_rules + deps->n_clauses) * sizeof(struct rule_dependent);
    size_t groups = deps->n_groups * sizeof(struct group_dependent), links = n_links * sizeof(struct dep_link);
    size_t bridges = deps->n_bridges * sizeof(struct bridge *), visits = deps->n_visits * sizeof(struct xlate_visit);
    size_t crossings = deps->n_crossings * sizeof(struct xlate_crossing);
    struct path *path = malloc(sizeof *path + rules + groups + links + bridges + visits + crossings);

    if (!path)
        out_of_memory("the bookkeeping of megaflows", 0);
    memset(path, 0, sizeof *path);
    path->hash = hash;
    TAILQ_INIT(&path->list[0]);
    TAILQ_INIT(&path->list[1]);
    path->n_rules = deps->n_rules;
    path->n_clauses = deps->n_clauses;
    path->n_visits = deps->n_visits;
    path->n_groups = deps->n_groups;
    path->n_bridges = (uint16_t)deps->n_bridges;
    path->n_links = (uint16_t)n_links;
    path->groups = (struct group_dependent *)((uint8_t *)path->rules + rules);
    path->links = (struct dep_link *)((uint8_t *)path->groups + groups);
    path->bridges = copy((uint8_t *)path->links + links, deps->bridges, bridges);
    path->n_crossings = (uint16_t)deps->n_crossings;
    path->crossings = copy((uint8_t *)path->links + links + bridges + visits, deps->crossings, crossings);
    path->visits = copy((uint8_t *)path->bridges + bridges, deps->visits, visits);
    link_rules(path, deps);
    link_groups(path, deps);
    link_others(flows, path, deps);
    return path;
}

struct path *path_get(struct flows *flows, const struct xlate_deps *deps)
{
    uint32_t hash = deps_hash(deps);
    struct path **bucket = &flows->paths[hash & (flows->n_path_buckets - 1)], *path;

    for (path = *bucket; path; path = path->hash_next) {
        if (path_is(path, hash, deps))
            return path;
    }
    path = path_create(flows, deps, hash);
    path->hash_next = *bucket;
    *bucket = path;
    rule_index_path(flows, path, false);
    return path;
}

bool path_has_bridge(const struct path *path, const struct bridge *bridge)
{
    for (unsigned i = 0; i < path->n_bridges; i++) {
        if (path->bridges[i] == bridge)
            return true;
    }
    return false;
}

bool path_rests_on(const struct path *path, const struct xlate_dep *dep)
{
    for (unsigned i = 0; i < path->n_links; i++) {
        if (dep_same(&path->links[i].at->dep, dep))
            return true;
    }
    return false;
}

void path_attach(struct path *path, struct mf_record *record)
{
    record->path = path;
    record->side = !path->todo_side;
    path->n_records++;
    path->n_list[record->side]++;
    TAILQ_INSERT_TAIL(&path->list[record->side], record, path_node);
}

void path_detach(struct path *path, struct mf_record *record)
{
    TAILQ_REMOVE(&path->list[record->side], record, path_node);
    path->n_list[record->side]--;
    path->n_detached++;
}

struct mf_record *path_todo(const struct path *path)
{
    return TAILQ_FIRST(&path->list[path->todo_side]);
}

/* One dependent less. The last one of a removed rule makes its counters final, and may be the last thing that its
 * successor waited for. The caller holds a reference to the rule. */
static void dependent_end(struct flows *flows, struct rule *rule)
{
    struct rule *held = NULL;
    struct rule_watch *watch;

    while (--rule->n_dependents == 0 && (watch = watch_of(rule))) {
        struct rule *successor = watch->successor;

        LIST_REMOVE(&watch->dependent, node);
        if (!successor && flows->rule_gone)
            flows->rule_gone(flows->rule_gone_arg, watch->bridge, rule, watch->reason);
        free(watch);
        rule_unref(rule);
        if (held)
            rule_unref(held);
        held = successor;
        if (!successor)
            return;
        rule = successor;
    }
    if (held)
        rule_unref(held);
}

static void unlink_rule(struct flows *flows, struct rule_dependent *link)
{
    LIST_REMOVE(link, node);
    dependent_end(flows, link->rule);
    rule_unref(link->rule);
}

static void watch_succeed(struct rule_watch *watch, struct rule *successor)
{
    watch->successor = rule_ref(successor);
    successor->n_dependents++;
}

/* Which rule gets what is counted for `rule`. Successors of successors become the first one's own, so that the way does
 * not get longer with each rule that is replaced. */
static struct rule *rule_credited(struct flows *flows, struct rule *rule)
{
    struct rule_watch *watch = watch_of(rule), *next;

    if (!watch || !watch->successor)
        return rule;
    while ((next = watch_of(watch->successor)) && next->successor) {
        struct rule *between = watch->successor;

        watch_succeed(watch, next->successor);
        dependent_end(flows, between);
        rule_unref(between);
    }
    return watch->successor;
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

static void credit_table(struct bridge *bridge, const struct xlate_visit *visit, uint64_t packets)
{
    if (bridge && !visit->uncounted)
        pipeline_table_count(bridge->pipeline, visit->table_id, packets, visit->has_rule ? packets : 0);
}

static void credit_crossing(struct bridge *bridge, const struct xlate_crossing *crossing, uint64_t packets,
                            uint64_t bytes)
{
    struct lport *bond;

    if (!bridge)
        return;
    if (crossing->what == XLATE_CROSSED_MIRROR) {
        mirror_count(bridge, crossing->id, packets, bytes);
        return;
    }
    if (crossing->what != XLATE_CROSSED_BOND) {
        bridge_port_count(bridge_port_by_ofport(bridge, crossing->id), crossing->what == XLATE_CROSSED_RX, packets,
                          bytes);
        return;
    }
    bond = bridge_lport_by_id(bridge, LPORT_BOND_FIRST + (crossing->id >> 8));
    if (bond)
        bond_account(bond->bond, (uint8_t)crossing->id, bytes);
}

static void credit_all(struct flows *flows, struct path *path)
{
    for (uint32_t i = 0; i < path->n_rules; i++) {
        struct rule *rule = rule_credited(flows, path->rules[i].rule);

        rule->packets += path->packets;
        rule->bytes += path->bytes;
        rule_note_used(rule, path->used_ms);
    }
    for (uint32_t i = 0; i < path->n_visits; i++)
        credit_table(path->bridges[path->visits[i].bridge], &path->visits[i], path->packets);
    for (uint32_t i = 0; i < path->n_crossings; i++)
        credit_crossing(path->bridges[path->crossings[i].bridge], &path->crossings[i], path->packets, path->bytes);
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
        credit_all(flows, path);
    }
}

void path_release(struct flows *flows, struct path *path)
{
    struct path **p = &flows->paths[path->hash & (flows->n_path_buckets - 1)];

    path->n_detached--;
    if (--path->n_records > 0)
        return;
    if (path->credit_queued) {
        TAILQ_REMOVE(&flows->credits, path, credit_node);
        credit_all(flows, path);
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
        path->groups[i].group->n_dependents--;
        group_unref(path->groups[i].group);
    }
    for (uint32_t i = 0; i < path->n_links; i++)
        dep_link_remove(&flows->deps, &path->links[i]);
    free(path);
}

void path_credit(struct flows *flows, struct path *path, uint64_t packets, uint64_t bytes, uint64_t used_ms)
{
    if (path->n_visits == 0 && path->n_groups == 0 && path->n_crossings == 0)
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

void deps_credit(const struct xlate_deps *deps, uint64_t packets, uint64_t bytes, uint64_t used_ms)
{
    for (unsigned i = 0; i < deps->n_rules; i++) {
        deps->rules[i]->packets += packets;
        deps->rules[i]->bytes += bytes;
        rule_note_used(deps->rules[i], used_ms);
    }
    for (unsigned i = 0; i < deps->n_visits; i++)
        credit_table(deps->bridges[deps->visits[i].bridge], &deps->visits[i], packets);
    for (unsigned i = 0; i < deps->n_crossings; i++)
        credit_crossing(deps->bridges[deps->crossings[i].bridge], &deps->crossings[i], packets, bytes);
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
    } else if (marks_take(flows, path->n_list[clean])) {
        /* Marked again while it is worked off: the others were done since. */
        TAILQ_FOREACH (record, &path->list[clean], path_node)
            record->side = path->todo_side;
        TAILQ_CONCAT(&path->list[path->todo_side], &path->list[clean], path_node);
        path->n_list[path->todo_side] += path->n_list[clean];
        path->n_list[clean] = 0;
    } else {
        change_batch_add_owner(changes_pending(flows), path);
        return;
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
    path->n_list[record->side]--;
    record->side = path->todo_side;
    path->n_list[record->side]++;
    TAILQ_INSERT_TAIL(&path->list[record->side], record, path_node);
    queue_path(flows, path);
}

void rule_mark_dependents(struct flows *flows, struct rule *rule)
{
    struct rule_dependent *link;

    if (!marks_take(flows, rule->n_dependents)) {
        change_batch_add_owner(changes_pending(flows), rule);
        return;
    }
    LIST_FOREACH (link, &rule->dependents, node) {
        if (link->path)
            path_mark(flows, link->path);
    }
}

void group_mark_dependents(struct flows *flows, struct group *group)
{
    struct group_dependent *link;

    if (!marks_take(flows, group->n_dependents)) {
        change_batch_add_owner(changes_pending(flows), group);
        return;
    }
    LIST_FOREACH (link, &group->dependents, node)
        path_mark(flows, link->path);
}

static struct rule_watch *watch_add(struct rule *rule)
{
    struct rule_watch *watch = calloc(1, sizeof *watch);

    if (!watch)
        out_of_memory("the bookkeeping of megaflows", 0);
    watch->dependent.rule = rule_ref(rule);
    LIST_INSERT_HEAD(&rule->dependents, &watch->dependent, node);
    return watch;
}

void rule_watch_gone(struct flows *flows, struct bridge *bridge, struct rule *rule, enum rule_removed_reason reason)
{
    struct rule_watch *watch;

    if (rule->n_dependents == 0) {
        if (flows->rule_gone)
            flows->rule_gone(flows->rule_gone_arg, bridge, rule, reason);
        return;
    }
    watch = watch_add(rule);
    watch->bridge = bridge;
    watch->reason = reason;
}

void rule_watch_replaced(struct rule *rule, struct rule *successor)
{
    if (rule->n_dependents > 0)
        watch_succeed(watch_add(rule), successor);
}
