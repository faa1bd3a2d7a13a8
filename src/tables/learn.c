/* The learn action: rules that are taught, their limits, and their end with the rule that taught them. */
#include "src/tables/learn.h"

#include <stdlib.h>
#include <string.h>

#include "pmd/base/clock.h"
#include "pmd/base/hash.h"
#include "pmd/base/memory.h"
#include "pmd/datapath.h"
#include "src/tables/change.h"
#include "src/tables/evict.h"
#include "src/tables/rule.h"
#include "src/tables/table.h"

/* Rules taught while a bundle is open. Beyond, the megaflow will teach them again. */
#define LATER_MAX 4096
/* Rules that delete_learned takes away in the turn in which their owner goes: some 2 ms. */
#define SETTLE_AT_ONCE 1024
#define LOOKS 8 /* rules that are looked at for one that is taken away */

/* What is known of a cookie in a table. Entries stay until the pipeline ends: there are as many as learn actions. */
struct learn_key {
    struct learn_key *next;
    uint64_t cookie;
    uint8_t table_id;
    bool counted;      /* n_rules is right */
    bool queued;       /* in `dead` */
    uint32_t n_rules;  /* with the cookie, in the table */
    uint32_t n_owners; /* rules whose learn actions have delete_learned */
};

struct later {
    struct rule *rule;
    uint32_t limit;
    uint64_t used_ms;
};

struct learn_state {
    struct learn_key **buckets;
    uint32_t n_keys, n_buckets; /* power of two */
    uint32_t n_counted;
    struct learn_key **dead; /* that lost the last owner */
    uint32_t n_dead, dead_size;
    struct rule_cursor *cursor; /* finds the rules of the last dead key; NULL: it has, or is not begun */
    struct later *later;
    uint32_t n_later, later_size;
    bool settling; /* the change that is open, or being committed, takes away what was learned */
    bool given_up; /* nothing is taken away any more */
};

struct learn_state *learn_state_create(void)
{
    struct learn_state *state = calloc(1, sizeof *state);

    if (!state)
        out_of_memory("rules, groups and meters", 0);
    return state;
}

void learn_state_destroy(struct learn_state *state)
{
    for (uint32_t i = 0; i < state->n_buckets; i++) {
        struct learn_key *key;

        while ((key = state->buckets[i])) {
            state->buckets[i] = key->next;
            free(key);
        }
    }
    for (uint32_t i = 0; i < state->n_later; i++)
        rule_unref(state->later[i].rule);
    if (state->cursor)
        rule_cursor_close(state->cursor);
    free(state->buckets);
    free(state->dead);
    free(state->later);
    free(state);
}

/* --- keys ---------------------------------------------------------------- */

static uint32_t key_hash(uint8_t table_id, uint64_t cookie)
{
    return hash_finish(hash_add(hash_add(HASH_BASIS, cookie), table_id));
}

static struct learn_key *key_find(const struct learn_state *state, uint8_t table_id, uint64_t cookie)
{
    struct learn_key *key;

    if (state->n_keys == 0)
        return NULL;
    key = state->buckets[key_hash(table_id, cookie) & (state->n_buckets - 1)];
    while (key && (key->cookie != cookie || key->table_id != table_id))
        key = key->next;
    return key;
}

static void keys_grow(struct learn_state *state)
{
    uint32_t n_buckets = state->n_buckets > 0 ? state->n_buckets * 2 : 16;
    struct learn_key **buckets = calloc(n_buckets, sizeof(struct learn_key *));

    if (!buckets)
        out_of_memory("rules, groups and meters", 0);
    for (uint32_t i = 0; i < state->n_buckets; i++) {
        struct learn_key *key;

        while ((key = state->buckets[i])) {
            struct learn_key **bucket = &buckets[key_hash(key->table_id, key->cookie) & (n_buckets - 1)];

            state->buckets[i] = key->next;
            key->next = *bucket;
            *bucket = key;
        }
    }
    free(state->buckets);
    state->buckets = buckets;
    state->n_buckets = n_buckets;
}

static struct learn_key *key_get(struct learn_state *state, uint8_t table_id, uint64_t cookie)
{
    struct learn_key *key = key_find(state, table_id, cookie), **bucket;

    if (key)
        return key;
    if (state->n_keys == state->n_buckets)
        keys_grow(state);
    key = calloc(1, sizeof *key);
    if (!key)
        out_of_memory("rules, groups and meters", 0);
    key->cookie = cookie;
    key->table_id = table_id;
    bucket = &state->buckets[key_hash(table_id, cookie) & (state->n_buckets - 1)];
    key->next = *bucket;
    *bucket = key;
    state->n_keys++;
    return key;
}

/* --- counts -------------------------------------------------------------- */

static void count(struct pipeline *pipeline, const struct rule *rule, uint64_t cookie, int delta)
{
    struct learn_state *state = pipeline->learn;
    struct learn_key *key;

    if (state->n_counted == 0 || rule->flags & RULE_HIDDEN)
        return;
    key = key_find(state, rule->table_id, cookie);
    if (key && key->counted)
        key->n_rules += (uint32_t)delta;
}

void learn_note_linked(struct pipeline *pipeline, const struct rule *rule)
{
    count(pipeline, rule, rule->cookie, 1);
}

void learn_note_unlinked(struct pipeline *pipeline, const struct rule *rule)
{
    count(pipeline, rule, rule->cookie, -1);
}

void learn_note_cookie(struct pipeline *pipeline, const struct rule *rule, uint64_t cookie)
{
    count(pipeline, rule, rule->cookie, -1);
    count(pipeline, rule, cookie, 1);
}

/* Calls `fn` for the rules of the table with the cookie. */
static void for_each_rule(struct pipeline *pipeline, const struct learn_key *key,
                          void (*fn)(struct pipeline *pipeline, struct rule *rule, void *arg), void *arg)
{
    const struct subtable *subtable;

    if (!pipeline->tables[key->table_id])
        return;
    TAILQ_FOREACH (subtable, &pipeline->tables[key->table_id]->subtables, node) {
        struct rule *rule;

        TAILQ_FOREACH (rule, &subtable->rules, table_node) {
            if (rule->cookie == key->cookie && !(rule->flags & RULE_HIDDEN))
                fn(pipeline, rule, arg);
        }
    }
}

static void add_one(struct pipeline *pipeline, struct rule *rule, void *arg)
{
    ++*(uint32_t *)arg;
}

static uint32_t n_rules(struct pipeline *pipeline, uint8_t table_id, uint64_t cookie)
{
    struct learn_key *key = key_get(pipeline->learn, table_id, cookie);

    if (!key->counted) {
        key->n_rules = 0;
        for_each_rule(pipeline, key, add_one, &key->n_rules);
        key->counted = true;
        pipeline->learn->n_counted++;
    }
    return key->n_rules;
}

/* --- learning ------------------------------------------------------------ */

static struct rule *find_rule(const struct pipeline *pipeline, const struct rule *taught)
{
    const struct classifier *cls = pipeline->tables[taught->table_id];

    return !cls ? NULL : classifier_find(cls, lookup_version(pipeline), taught->match, taught->priority, false);
}

static bool is_room(struct pipeline *pipeline, const struct rule *taught, uint32_t limit)
{
    const struct table_info *info = &pipeline->info[taught->table_id];

    return ((info->n_next < info->config.max_rules && pipeline->n_next < pipeline->max_rules) ||
            (info->config.config & TABLE_EVICTION && evict_choose(pipeline, taught->table_id, taught->importance))) &&
           (limit == 0 || n_rules(pipeline, taught->table_id, taught->cookie) < limit);
}

enum learn_result pipeline_would_learn(struct pipeline *pipeline, const struct rule *taught, uint32_t limit)
{
    const struct rule *rule = find_rule(pipeline, taught);

    if (rule)
        return act_lists_equal(&rule->acts, &taught->acts) ? LEARN_KEPT : LEARN_CHANGED;
    return is_room(pipeline, taught, limit) ? LEARN_CHANGED : LEARN_REFUSED;
}

/* `old`, of the same match and priority, gets other actions: OpenFlow's MODIFY_STRICT. It is replaced, as translation
 * may be running its actions. */
static void change(struct pipeline *pipeline, const struct rule *taught, struct rule *old)
{
    const struct rule *like = old ? old : taught;
    struct rule *rule = rule_create_like(taught, &taught->acts);
    uint64_t now = clock_now_ms();

    rule->pipeline = pipeline;
    rule->table_id = taught->table_id;
    rule->priority = taught->priority;
    rule->cookie = like->cookie;
    rule->idle_timeout_s = like->idle_timeout_s;
    rule->hard_timeout_s = like->hard_timeout_s;
    rule->importance = like->importance;
    rule->flags = like->flags | (taught->flags & RULE_LEARNED);
    rule->created_ms = old ? old->created_ms : now;
    rule->modified_ms = rule->used_ms = now;
    change_begin(pipeline, false);
    if (!old)
        table_make_room(pipeline, rule); /* there is, or the caller would have refused */
    change_add(pipeline, rule, old);
    change_finish(pipeline, 0);
}

static void learn_later(struct learn_state *state, const struct rule *taught, uint32_t limit, uint64_t used_ms)
{
    if (state->n_later == LATER_MAX)
        return;
    if (state->n_later == state->later_size) {
        state->later_size = state->later_size > 0 ? state->later_size * 2 : 16;
        state->later = realloc(state->later, state->later_size * sizeof *state->later);
        if (!state->later)
            out_of_memory("rules, groups and meters", 0);
    }
    state->later[state->n_later++] =
        (struct later){.rule = rule_ref((struct rule *)(uintptr_t)taught), .limit = limit, .used_ms = used_ms};
}

static void refresh(struct rule *rule, uint64_t used_ms)
{
    if (rule->flags & RULE_LEARNED && used_ms > rule->modified_ms)
        rule->modified_ms = used_ms;
    rule_note_used(rule, used_ms);
    evict_update(rule);
}

void pipeline_learn_refresh(struct pipeline *pipeline, const struct rule *taught, uint64_t used_ms)
{
    struct rule *rule = find_rule(pipeline, taught);

    if (rule && act_lists_equal(&rule->acts, &taught->acts))
        refresh(rule, used_ms);
}

bool learn_rules_equal(const struct rule *a, const struct rule *b)
{
    const struct minimask *mask = a->match->mask;

    return a->table_id == b->table_id && a->priority == b->priority && a->cookie == b->cookie && a->flags == b->flags &&
           a->idle_timeout_s == b->idle_timeout_s && a->hard_timeout_s == b->hard_timeout_s &&
           minimask_equal(mask, b->match->mask) &&
           memcmp(a->match->values, b->match->values, mask->n_words * sizeof a->match->values[0]) == 0 &&
           act_lists_equal(&a->acts, &b->acts);
}

enum learn_result pipeline_learn(struct pipeline *pipeline, const struct rule *taught, uint32_t limit, uint64_t used_ms)
{
    enum learn_result result = pipeline_would_learn(pipeline, taught, limit);
    struct rule *rule = find_rule(pipeline, taught);

    if (result == LEARN_KEPT) {
        refresh(rule, used_ms);
    } else if (result == LEARN_CHANGED && pipeline->phase != CHANGE_NONE) {
        learn_later(pipeline->learn, taught, limit, used_ms);
    } else if (result == LEARN_CHANGED) {
        change(pipeline, taught, rule);
    }
    return result;
}

/* --- delete_learned ------------------------------------------------------ */

static bool owns(const struct act *act)
{
    return act->type == ACT_LEARN && ((const struct act_learn *)act)->flags & LEARN_DELETE_LEARNED;
}

static void own(struct learn_state *state, const struct act_list *acts)
{
    ACT_FOR_EACH (act, acts) {
        const struct act_learn *learn = (const struct act_learn *)act;
        struct act_list inner;

        if (act_nested(act, &inner))
            own(state, &inner);
        else if (owns(act))
            key_get(state, learn->table_id, learn->cookie)->n_owners++;
    }
}

void learn_note_acts(struct pipeline *pipeline, const struct rule *rule)
{
    own(pipeline->learn, &rule->acts);
}

static void bury(struct learn_state *state, struct learn_key *key)
{
    if (key->queued || state->given_up)
        return;
    if (state->n_dead == state->dead_size) {
        state->dead_size = state->dead_size > 0 ? state->dead_size * 2 : 16;
        state->dead = realloc(state->dead, state->dead_size * sizeof(struct learn_key *));
        if (!state->dead)
            out_of_memory("rules, groups and meters", 0);
    }
    key->queued = true;
    state->dead[state->n_dead++] = key;
}

static void disown(struct learn_state *state, const struct act_list *acts, bool was_visible)
{
    ACT_FOR_EACH (act, acts) {
        const struct act_learn *learn = (const struct act_learn *)act;
        struct learn_key *key;
        struct act_list inner;

        if (act_nested(act, &inner))
            disown(state, &inner, was_visible);
        if (!owns(act))
            continue;
        key = key_find(state, learn->table_id, learn->cookie);
        if (--key->n_owners == 0 && was_visible)
            bury(state, key);
    }
}

void learn_forget_acts(struct pipeline *pipeline, const struct rule *rule)
{
    /* A rule that never became visible leaves nothing behind. */
    if (pipeline->learn->n_keys > 0)
        disown(pipeline->learn, &rule->acts, rule->add_version <= pipeline->version);
}

static void learn_postponed(struct pipeline *pipeline)
{
    struct learn_state *state = pipeline->learn;
    struct later *later = state->later;
    uint32_t n = state->n_later;

    state->later = NULL;
    state->n_later = state->later_size = 0;
    for (uint32_t i = 0; i < n; i++) {
        pipeline_learn(pipeline, later[i].rule, later[i].limit, later[i].used_ms);
        rule_unref(later[i].rule);
    }
    free(later);
}

/* Opens the change that takes away what a dead key's rules have learned. False: there is none. */
static bool begin_next(struct pipeline *pipeline)
{
    struct learn_state *state = pipeline->learn;

    while (state->n_dead > 0) {
        struct learn_key *key = state->dead[--state->n_dead];
        const struct rule_filter filter = {.table_id = key->table_id,
                                           .cookie = key->cookie,
                                           .cookie_mask = UINT64_MAX,
                                           .out_port = OFPORT_ANY,
                                           .out_group = OFGROUP_ANY};

        key->queued = false;
        if (key->n_owners > 0)
            continue;
        state->settling = true;
        change_begin(pipeline, false);
        state->cursor = rule_cursor_open_change(pipeline, &filter, false);
        return true;
    }
    return false;
}

/* False: *budget was not enough. */
static bool remove_learned(struct pipeline *pipeline, size_t *budget)
{
    struct rule_cursor **cursor = &pipeline->learn->cursor;

    while (*cursor && *budget > 0) {
        struct rule *rule = NULL;

        --*budget;
        if (rule_cursor_look(*cursor, LOOKS, &rule) == RULE_CURSOR_END) {
            rule_cursor_close(*cursor);
            *cursor = NULL;
        } else if (rule) {
            change_remove(pipeline, rule);
        }
    }
    return !*cursor;
}

bool pipeline_settle_step(struct pipeline *pipeline, size_t budget)
{
    struct learn_state *state = pipeline->learn;

    while (state->settling || pipeline->phase == CHANGE_NONE) {
        if (!state->settling && !begin_next(pipeline)) {
            learn_postponed(pipeline);
            return true;
        }
        /* Rules that go by this may be owners in their turn. */
        if (!remove_learned(pipeline, &budget) || !change_commit_step(pipeline, budget))
            return false;
        state->settling = false;
    }
    return true;
}

bool pipeline_settled(const struct pipeline *pipeline)
{
    return !pipeline->learn->settling && pipeline->learn->n_dead == 0;
}

void learn_settle(struct pipeline *pipeline)
{
    const struct pipeline_observer *observer = &pipeline->observer;

    /* What is queued while others are worked off waits for its turn. */
    if (pipeline->phase != CHANGE_NONE)
        return;
    if (!pipeline_settle_step(pipeline, observer->to_settle ? SETTLE_AT_ONCE : SIZE_MAX))
        observer->to_settle(observer->arg);
}

void learn_give_up(struct pipeline *pipeline)
{
    struct learn_state *state = pipeline->learn;

    if (state->cursor)
        rule_cursor_close(state->cursor);
    state->cursor = NULL;
    state->settling = false;
    state->given_up = true;
    state->n_dead = 0;
}
