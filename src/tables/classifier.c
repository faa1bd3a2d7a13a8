#include "src/tables/classifier.h"

#include <stdlib.h>
#include <string.h>

#include "pmd/base/memory.h"

void classifier_init(struct classifier *cls)
{
    *cls = (struct classifier){0};
    TAILQ_INIT(&cls->subtables);
    for (unsigned i = 0; i < N_TRIES; i++)
        trie_init(&cls->tries[i], trie_places[i].bytes * 8);
}

void classifier_destroy(struct classifier *cls)
{
    struct subtable *subtable;

    while ((subtable = TAILQ_FIRST(&cls->subtables))) {
        TAILQ_REMOVE(&cls->subtables, subtable, node);
        subtable_destroy(subtable);
    }
    for (unsigned i = 0; i < N_TRIES; i++)
        trie_destroy(&cls->tries[i]);
    free(cls->order);
    open_hash_free(&cls->by_mask, SUBTABLE_SLOT_TYPE);
}

size_t classifier_memory(const struct classifier *cls)
{
    size_t bytes = cls->order_size * sizeof *cls->order + open_hash_memory(&cls->by_mask, SUBTABLE_SLOT_TYPE);
    const struct subtable *subtable;

    for (unsigned i = 0; i < N_TRIES; i++)
        bytes += trie_memory(&cls->tries[i]);
    TAILQ_FOREACH (subtable, &cls->subtables, node)
        bytes += subtable_memory(subtable);
    return bytes;
}

/* --- subtables ----------------------------------------------------------- */

/* The slot of the subtable whose mask has this hash and is what `equal` says; NULL. */
static struct subtable_slot *slot_find(const struct classifier *cls, uint32_t hash,
                                       bool (*equal)(const struct minimask *mask, const void *arg), const void *arg)
{
    struct subtable_slot *slots;
    uint32_t last;

    for (unsigned n = 0; (slots = open_hash_array(&cls->by_mask, n, &last)); n++) {
        for (uint32_t i = hash & last; slots[i].subtable; i = (i + 1) & last) {
            if (slots[i].hash == hash && equal(slots[i].subtable->mask, arg))
                return &slots[i];
        }
    }
    return NULL;
}

static bool is_mask(const struct minimask *mask, const void *arg)
{
    return mask == arg || minimask_equal(mask, arg);
}

static struct subtable *find_subtable(const struct classifier *cls, const struct minimask *mask)
{
    const struct subtable_slot *slot = slot_find(cls, mask->hash, is_mask, mask);

    return slot ? slot->subtable : NULL;
}

struct flow_mask {
    const struct flow *flow;
    uint64_t map; /* flow_map() of it */
};

static bool is_flow_mask(const struct minimask *mask, const void *arg)
{
    const struct flow_mask *wanted = arg;

    return minimask_equal_flow(mask, wanted->flow, wanted->map);
}

struct minimask *classifier_mask(struct classifier *cls, const struct flow *mask)
{
    const struct flow_mask wanted = {.flow = mask, .map = flow_map(mask)};
    const struct subtable_slot *slot = slot_find(cls, flow_hash(mask, wanted.map), is_flow_mask, &wanted);

    return slot ? minimask_ref(slot->subtable->mask) : minimask_create(mask);
}

/* Place in `order` of the first subtable that does not come before (priority, seq). */
static uint32_t order_find(const struct classifier *cls, uint16_t priority, uint64_t seq)
{
    uint32_t low = 0, high = cls->n_subtables;

    while (low < high) {
        uint32_t mid = (low + high) / 2;
        const struct ranked *at = &cls->order[mid];

        if (at->max_priority > priority || (at->max_priority == priority && at->seq < seq))
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static void order_insert(struct classifier *cls, struct subtable *subtable)
{
    if (cls->n_subtables == cls->order_size) {
        cls->order_size = cls->order_size == 0 ? 4 : cls->order_size * 2;
        cls->order = realloc(cls->order, cls->order_size * sizeof *cls->order);
        if (!cls->order)
            out_of_memory("rules, groups and meters", 0);
    }

    struct ranked *at = &cls->order[order_find(cls, subtable->max_priority, subtable->seq)];

    memmove(at + 1, at, (size_t)(&cls->order[cls->n_subtables] - at) * sizeof *at);
    cls->n_subtables++;
    *at = (struct ranked){.subtable = subtable, .seq = subtable->seq, .max_priority = subtable->max_priority};
    memcpy(at->plens, subtable->plens, sizeof at->plens);
}

/* `priority`: by which it is in the order now; its max_priority may have changed since. */
static void order_remove(struct classifier *cls, const struct subtable *subtable, uint16_t priority)
{
    struct ranked *at = &cls->order[order_find(cls, priority, subtable->seq)];

    cls->n_subtables--;
    memmove(at, at + 1, (size_t)(&cls->order[cls->n_subtables] - at) * sizeof *at);
}

static struct subtable *subtable_get(struct classifier *cls, struct minimask *mask)
{
    struct subtable *subtable = find_subtable(cls, mask);

    if (subtable)
        return subtable;
    subtable = subtable_create(mask, cls->next_seq++);
    TAILQ_INSERT_TAIL(&cls->subtables, subtable, node);
    *(struct subtable_slot *)open_hash_insert(&cls->by_mask, SUBTABLE_SLOT_TYPE, mask->hash) =
        (struct subtable_slot){.subtable = subtable, .hash = mask->hash};
    order_insert(cls, subtable);
    return subtable;
}

static void subtable_drop(struct classifier *cls, struct subtable *subtable)
{
    open_hash_remove(&cls->by_mask, SUBTABLE_SLOT_TYPE, slot_find(cls, subtable->mask->hash, is_mask, subtable->mask));
    TAILQ_REMOVE(&cls->subtables, subtable, node);
    subtable_destroy(subtable);
}

/* --- rules --------------------------------------------------------------- */

void classifier_insert(struct classifier *cls, struct rule *rule)
{
    struct subtable *subtable = subtable_get(cls, rule->match->mask);
    uint16_t priority = subtable->max_priority;

    if (subtable_insert(subtable, rule)) {
        for (unsigned i = 0; i < N_TRIES; i++) {
            uint8_t value[TRIE_VALUE_LEN];

            if (subtable->plens[i] > 0) {
                trie_place_value(&trie_places[i], rule->match, value);
                trie_insert(&cls->tries[i], value, subtable->plens[i]);
            }
        }
    }
    if (subtable->max_priority != priority) {
        order_remove(cls, subtable, priority);
        order_insert(cls, subtable);
    }
}

void classifier_remove(struct classifier *cls, struct rule *rule)
{
    struct subtable *subtable = find_subtable(cls, rule->match->mask);
    uint16_t priority = subtable->max_priority;

    if (subtable_remove(subtable, rule)) {
        for (unsigned i = 0; i < N_TRIES; i++) {
            uint8_t value[TRIE_VALUE_LEN];

            if (subtable->plens[i] > 0) {
                trie_place_value(&trie_places[i], rule->match, value);
                trie_remove(&cls->tries[i], value, subtable->plens[i]);
            }
        }
    }
    if (subtable->n_rules == 0) {
        order_remove(cls, subtable, priority);
        subtable_drop(cls, subtable);
    } else if (subtable->max_priority != priority) {
        order_remove(cls, subtable, priority);
        order_insert(cls, subtable);
    }
}

struct rule *classifier_find(const struct classifier *cls, uint64_t version, const struct minimatch *match,
                             uint16_t priority, bool hidden)
{
    const struct subtable *subtable = find_subtable(cls, match->mask);
    struct rule *rule = !subtable ? NULL : subtable_find(subtable, match->values);

    for (; rule && rule->priority >= priority; rule = rule->classifier_next) {
        if (rule->priority == priority && ((rule->flags & RULE_HIDDEN) != 0) == hidden && rule_visible(rule, version))
            return rule;
    }
    return NULL;
}
