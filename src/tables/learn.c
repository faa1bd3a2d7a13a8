/* The learn action: rules that are taught, their limits, and their end with the rule that taught them. */
#include "src/tables/learn.h"

#include <stdlib.h>
#include <string.h>

#include "pmd/base/clock.h"
#include "pmd/base/hash.h"
#include "pmd/base/memory.h"
#include "pmd/base/open_hash.h"
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

/* How far the rules with a key's cookie are counted. A key that no limit asked about is not. */
enum counting { COUNT_NONE, COUNT_WAITS, COUNT_RUNS, COUNT_DONE };

/* What is known of a cookie in a table. It is there while a learn action of a rule names it, or counted rules have it.
 */
struct learn_key {
    SLIST_ENTRY(learn_key) dead_node, count_node;
    uint64_t cookie;
    uint8_t table_id;
    uint8_t counting;  /* enum counting */
    bool queued;       /* in `dead` */
    uint32_t n_rules;  /* with the cookie, in the table: those with rule->learn_counted */
    uint32_t n_owners; /* learn actions of rules that have delete_learned */
    uint32_t n_limits; /* learn actions of rules that have a limit */
};
SLIST_HEAD(learn_keys, learn_key);

struct key_slot {
    struct learn_key *key;
    uint32_t hash;
};
#define KEY_SLOT_TYPE ((struct open_hash_type){sizeof(struct key_slot), offsetof(struct key_slot, hash)})

struct later {
    struct rule *rule;
    uint32_t limit;
    uint64_t used_ms;
};

struct learn_state {
    struct open_hash keys;
    uint32_t n_counting;        /* keys that are counted, or will be */
    struct learn_keys waiting;  /* to be counted; all of a table in one walk over its rules */
    struct learn_keys walked;   /* by the walk under way */
    struct rule_cursor *walk;   /* over the rules of the table of `walked`; NULL: none */
    struct learn_keys dead;     /* that lost the last owner */
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
    struct key_slot *slots;
    uint32_t mask;

    for (unsigned n = 0; (slots = open_hash_array(&state->keys, n, &mask)); n++) {
        for (uint32_t i = 0; i <= mask; i++)
            free(slots[i].key);
    }
    for (uint32_t i = 0; i < state->n_later; i++)
        rule_unref(state->later[i].rule);
    if (state->cursor)
        rule_cursor_close(state->cursor);
    if (state->walk)
        rule_cursor_close(state->walk);
    open_hash_free(&state->keys, KEY_SLOT_TYPE);
    free(state->later);
    free(state);
}

/* --- keys ---------------------------------------------------------------- */

static uint32_t key_hash(uint8_t table_id, uint64_t cookie)
{
    return hash_finish(hash_add(hash_add(HASH_BASIS, cookie), table_id));
}

static struct key_slot *slot_find(const struct learn_state *state, uint8_t table_id, uint64_t cookie)
{
    uint32_t hash = key_hash(table_id, cookie), mask;
    struct key_slot *slots;

    for (unsigned n = 0; (slots = open_hash_array(&state->keys, n, &mask)); n++) {
        for (uint32_t i = hash & mask; slots[i].key; i = (i + 1) & mask) {
            if (slots[i].hash == hash && slots[i].key->cookie == cookie && slots[i].key->table_id == table_id)
                return &slots[i];
        }
    }
    return NULL;
}

static struct learn_key *key_find(const struct learn_state *state, uint8_t table_id, uint64_t cookie)
{
    const struct key_slot *slot = slot_find(state, table_id, cookie);

    return !slot ? NULL : slot->key;
}

static struct learn_key *key_get(struct learn_state *state, uint8_t table_id, uint64_t cookie)
{
    struct learn_key *key = key_find(state, table_id, cookie);
    struct key_slot *slot;

    if (key)
        return key;
    key = calloc(1, sizeof *key);
    if (!key)
        out_of_memory("rules, groups and meters", sizeof *key);
    key->cookie = cookie;
    key->table_id = table_id;
    slot = open_hash_insert(&state->keys, KEY_SLOT_TYPE, key_hash(table_id, cookie));
    *slot = (struct key_slot){.key = key, .hash = key_hash(table_id, cookie)};
    return key;
}

/* One use of the key less. */
static void key_put(struct learn_state *state, struct learn_key *key)
{
    if (key->n_owners > 0 || key->n_limits > 0 || key->n_rules > 0 || key->queued || key->counting == COUNT_WAITS ||
        key->counting == COUNT_RUNS)
        return;
    if (key->counting == COUNT_DONE)
        state->n_counting--;
    open_hash_remove(&state->keys, KEY_SLOT_TYPE, slot_find(state, key->table_id, key->cookie));
    free(key);
}

/* --- counts -------------------------------------------------------------- */

static void count(struct learn_state *state, struct rule *rule, uint64_t cookie)
{
    struct learn_key *key;

    if (state->n_counting == 0 || rule->learn_counted || rule->flags & RULE_HIDDEN)
        return;
    key = key_find(state, rule->table_id, cookie);
    if (!key || key->counting == COUNT_NONE)
        return;
    rule->learn_counted = true;
    key->n_rules++;
}

static void uncount(struct learn_state *state, struct rule *rule)
{
    struct learn_key *key;

    if (!rule->learn_counted)
        return;
    key = key_find(state, rule->table_id, rule->cookie);
    rule->learn_counted = false;
    key->n_rules--;
    key_put(state, key);
}

void learn_note_linked(struct pipeline *pipeline, struct rule *rule)
{
    count(pipeline->learn, rule, rule->cookie);
}

void learn_note_unlinked(struct pipeline *pipeline, struct rule *rule)
{
    uncount(pipeline->learn, rule);
}

void learn_note_cookie(struct pipeline *pipeline, struct rule *rule, uint64_t cookie)
{
    uncount(pipeline->learn, rule);
    count(pipeline->learn, rule, cookie);
}

/* The limit of a learn action asks how many rules have the key's cookie. */
static void want_count(struct learn_state *state, struct learn_key *key)
{
    if (key->counting != COUNT_NONE)
        return;
    key->counting = COUNT_WAITS;
    state->n_counting++;
    SLIST_INSERT_HEAD(&state->waiting, key, count_node);
}

static void begin_walk(struct pipeline *pipeline)
{
    struct learn_state *state = pipeline->learn;
    const struct rule_filter filter = {
        .table_id = SLIST_FIRST(&state->waiting)->table_id, .out_port = OFPORT_ANY, .out_group = OFGROUP_ANY};
    struct learn_keys others = SLIST_HEAD_INITIALIZER(others);
    struct learn_key *key;

    while ((key = SLIST_FIRST(&state->waiting))) {
        bool mine = key->table_id == filter.table_id;

        SLIST_REMOVE_HEAD(&state->waiting, count_node);
        key->counting = mine ? COUNT_RUNS : COUNT_WAITS;
        SLIST_INSERT_HEAD(mine ? &state->walked : &others, key, count_node);
    }
    state->waiting = others;
    state->walk = rule_cursor_open_linked(pipeline, &filter);
}

static void end_walk(struct learn_state *state)
{
    struct learn_key *key;

    rule_cursor_close(state->walk);
    state->walk = NULL;
    while ((key = SLIST_FIRST(&state->walked))) {
        SLIST_REMOVE_HEAD(&state->walked, count_node);
        key->counting = COUNT_DONE;
    }
}

/* Counts the rules that wait for it, looking at LOOKS of them for one of *budget. False: that was not enough. */
static bool count_step(struct pipeline *pipeline, size_t *budget)
{
    struct learn_state *state = pipeline->learn;

    while (*budget > 0 && (state->walk || !SLIST_EMPTY(&state->waiting))) {
        enum rule_cursor_state at = RULE_CURSOR_MORE;

        --*budget;
        if (!state->walk)
            begin_walk(pipeline);
        for (unsigned i = 0; i < LOOKS && at != RULE_CURSOR_END; i++) {
            struct rule *rule = NULL;

            at = rule_cursor_look(state->walk, 1, &rule);
            if (at == RULE_CURSOR_FOUND)
                count(state, rule, rule->cookie);
        }
        if (at == RULE_CURSOR_END)
            end_walk(state);
    }
    return !state->walk && SLIST_EMPTY(&state->waiting);
}

/* Counts what is to be counted at once if the rules are few, else leaves it to pipeline_settle_step(). */
static void count_now(struct pipeline *pipeline)
{
    const struct pipeline_observer *observer = &pipeline->observer;
    size_t budget = observer->to_settle ? SETTLE_AT_ONCE : SIZE_MAX;

    if (!pipeline->learn->walk && !count_step(pipeline, &budget))
        observer->to_settle(observer->arg);
}

/* While its rules are being counted, a cookie has no room: packets teach again after that. */
static bool below_limit(struct pipeline *pipeline, const struct rule *taught, uint32_t limit)
{
    struct learn_key *key = key_get(pipeline->learn, taught->table_id, taught->cookie);

    if (key->counting == COUNT_NONE) {
        want_count(pipeline->learn, key);
        count_now(pipeline);
    }
    return key->counting == COUNT_DONE && key->n_rules < limit;
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
           (limit == 0 || below_limit(pipeline, taught, limit));
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

/* The learn action `act` if its rule uses a key: owns what is learned, or has a limit. Else NULL. */
static const struct act_learn *uses_key(const struct act *act)
{
    const struct act_learn *learn = (const struct act_learn *)act;

    return act->type == ACT_LEARN && (learn->flags & LEARN_DELETE_LEARNED || learn->limit > 0) ? learn : NULL;
}

static void own(struct learn_state *state, const struct act_list *acts)
{
    ACT_FOR_EACH (act, acts) {
        const struct act_learn *learn = uses_key(act);
        struct learn_key *key;
        struct act_list inner;

        if (act_nested(act, &inner))
            own(state, &inner);
        if (!learn)
            continue;
        key = key_get(state, learn->table_id, learn->cookie);
        if (learn->flags & LEARN_DELETE_LEARNED)
            key->n_owners++;
        if (learn->limit > 0) {
            key->n_limits++;
            want_count(state, key);
        }
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
    key->queued = true;
    SLIST_INSERT_HEAD(&state->dead, key, dead_node);
}

static void disown(struct learn_state *state, const struct act_list *acts, bool was_visible)
{
    ACT_FOR_EACH (act, acts) {
        const struct act_learn *learn = uses_key(act);
        struct learn_key *key;
        struct act_list inner;

        if (act_nested(act, &inner))
            disown(state, &inner, was_visible);
        if (!learn)
            continue;
        key = key_find(state, learn->table_id, learn->cookie);
        if (learn->limit > 0)
            key->n_limits--;
        if (learn->flags & LEARN_DELETE_LEARNED && --key->n_owners == 0 && was_visible)
            bury(state, key);
        key_put(state, key);
    }
}

void learn_forget_acts(struct pipeline *pipeline, const struct rule *rule)
{
    /* A rule that never became visible leaves nothing behind. */
    if (pipeline->learn->keys.used > 0)
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

    struct learn_key *key;

    while ((key = SLIST_FIRST(&state->dead))) {
        const struct rule_filter filter = {.table_id = key->table_id,
                                           .cookie = key->cookie,
                                           .cookie_mask = UINT64_MAX,
                                           .out_port = OFPORT_ANY,
                                           .out_group = OFGROUP_ANY};

        SLIST_REMOVE_HEAD(&state->dead, dead_node);
        key->queued = false;
        if (key->n_owners > 0)
            continue;
        key_put(state, key);
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

/* Goes on with what was learned and has to go. False: there is more than `budget` was enough for. */
static bool settle(struct pipeline *pipeline, size_t budget)
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

bool pipeline_settle_step(struct pipeline *pipeline, size_t budget)
{
    return count_step(pipeline, &budget) && settle(pipeline, budget);
}

bool pipeline_settled(const struct pipeline *pipeline)
{
    return !pipeline->learn->settling && SLIST_EMPTY(&pipeline->learn->dead);
}

void learn_settle(struct pipeline *pipeline)
{
    const struct pipeline_observer *observer = &pipeline->observer;

    count_now(pipeline);
    /* What is queued while others are worked off waits for its turn. */
    if (pipeline->phase != CHANGE_NONE)
        return;
    if (!settle(pipeline, observer->to_settle ? SETTLE_AT_ONCE : SIZE_MAX))
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
    SLIST_INIT(&state->dead);
}
