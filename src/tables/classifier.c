#include "src/tables/classifier.h"

#include <stdlib.h>
#include <string.h>

#include "pmd/base/hash.h"
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
    free(cls->buckets);
}

size_t classifier_memory(const struct classifier *cls)
{
    size_t bytes = cls->order_size * sizeof *cls->order + cls->n_buckets * sizeof *cls->buckets;
    const struct subtable *subtable;

    for (unsigned i = 0; i < N_TRIES; i++)
        bytes += trie_memory(&cls->tries[i]);
    TAILQ_FOREACH (subtable, &cls->subtables, node)
        bytes += subtable_memory(subtable);
    return bytes;
}

/* --- subtables ----------------------------------------------------------- */

struct minimask *classifier_mask(struct classifier *cls, const struct flow *mask)
{
    uint64_t map = flow_map(mask);

    if (cls->n_buckets > 0) {
        uint32_t hash = flow_hash(mask, map);

        for (struct subtable *s = cls->buckets[hash & (cls->n_buckets - 1)]; s; s = s->hash_next) {
            if (s->mask->hash == hash && minimask_equal_flow(s->mask, mask, map))
                return minimask_ref(s->mask);
        }
    }
    return minimask_create(mask);
}

static struct subtable *find_subtable(const struct classifier *cls, const struct minimask *mask)
{
    if (cls->n_buckets == 0)
        return NULL;

    struct subtable *s = cls->buckets[mask->hash & (cls->n_buckets - 1)];

    while (s && !(s->mask->hash == mask->hash && minimask_equal(s->mask, mask)))
        s = s->hash_next;
    return s;
}

static void buckets_resize(struct classifier *cls, uint32_t n_buckets)
{
    struct subtable **buckets = calloc(n_buckets, sizeof *buckets), *subtable;

    if (!buckets)
        out_of_memory("rules, groups and meters", 0);
    TAILQ_FOREACH (subtable, &cls->subtables, node) {
        struct subtable **bucket = &buckets[subtable->mask->hash & (n_buckets - 1)];

        subtable->hash_next = *bucket;
        *bucket = subtable;
    }
    free(cls->buckets);
    cls->buckets = buckets;
    cls->n_buckets = n_buckets;
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
    if (cls->n_subtables >= cls->n_buckets) {
        buckets_resize(cls, cls->n_buckets == 0 ? 4 : cls->n_buckets * 2);
    } else {
        struct subtable **bucket = &cls->buckets[mask->hash & (cls->n_buckets - 1)];

        subtable->hash_next = *bucket;
        *bucket = subtable;
    }
    order_insert(cls, subtable);
    return subtable;
}

static void subtable_drop(struct classifier *cls, struct subtable *subtable)
{
    struct subtable **link = &cls->buckets[subtable->mask->hash & (cls->n_buckets - 1)];

    while (*link != subtable)
        link = &(*link)->hash_next;
    *link = subtable->hash_next;
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
