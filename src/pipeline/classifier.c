#include "src/pipeline/classifier.h"

#include <stdlib.h>
#include <string.h>

#include "src/pipeline/hash.h"

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

    while ((subtable = TAILQ_FIRST(&cls->subtables)) != NULL) {
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

/* --- subtables -------------------------------------------------------------------------------------------------------
 */

struct minimask *classifier_mask(struct classifier *cls, const struct flow *mask)
{
    if (cls->n_buckets > 0) {
        uint32_t hash = minimask_hash_flow(mask);

        for (struct subtable *s = cls->buckets[hash & (cls->n_buckets - 1)]; s != NULL; s = s->hash_next) {
            if (s->mask->hash == hash && minimask_equal_flow(s->mask, mask))
                return minimask_ref(s->mask);
        }
    }
    return minimask_create(mask);
}

struct subtable *classifier_subtable(const struct classifier *cls, const struct minimask *mask)
{
    if (cls->n_buckets == 0)
        return NULL;

    struct subtable *s = cls->buckets[mask->hash & (cls->n_buckets - 1)];

    while (s != NULL && !(s->mask->hash == mask->hash && minimask_equal(s->mask, mask)))
        s = s->hash_next;
    return s;
}

static void buckets_resize(struct classifier *cls, uint32_t n_buckets)
{
    struct subtable **buckets = calloc(n_buckets, sizeof *buckets), *subtable;

    if (buckets == NULL)
        abort();
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
        if (cls->order == NULL)
            abort();
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
    struct subtable *subtable = classifier_subtable(cls, mask);

    if (subtable != NULL)
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

/* --- rules -----------------------------------------------------------------------------------------------------------
 */

void classifier_insert(struct classifier *cls, struct rule *rule)
{
    struct subtable *subtable = subtable_get(cls, rule->match->mask);
    uint16_t priority = subtable->max_priority;

    if (subtable_insert(subtable, rule)) {
        for (unsigned i = 0; i < N_TRIES; i++) {
            uint8_t value[16];

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
    struct subtable *subtable = classifier_subtable(cls, rule->match->mask);
    uint16_t priority = subtable->max_priority;

    if (subtable_remove(subtable, rule)) {
        for (unsigned i = 0; i < N_TRIES; i++) {
            uint8_t value[16];

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

static struct rule *first_visible(struct rule *rule, uint64_t version)
{
    while (rule != NULL && !rule_visible(rule, version))
        rule = rule->classifier_next;
    return rule;
}

struct rule *classifier_find(const struct classifier *cls, uint64_t version, const struct minimatch *match,
                             uint16_t priority, bool hidden)
{
    const struct subtable *subtable = classifier_subtable(cls, match->mask);
    struct rule *rule = subtable == NULL ? NULL : subtable_find(subtable, match->values);

    for (; rule != NULL && rule->priority >= priority; rule = rule->classifier_next) {
        if (rule->priority == priority && ((rule->flags & RULE_HIDDEN) != 0) == hidden && rule_visible(rule, version))
            return rule;
    }
    return NULL;
}

static bool rule_collides(const struct rule *rule, uint64_t version, uint16_t priority)
{
    return rule->priority == priority && !(rule->flags & RULE_HIDDEN) && rule_visible(rule, version);
}

bool classifier_overlaps(const struct classifier *cls, uint64_t version, const struct minimatch *match,
                         uint16_t priority)
{
    const struct subtable *subtable;
    const struct rule *rule;

    TAILQ_FOREACH (subtable, &cls->subtables, node) {
        if (!subtable_has_priority(subtable, priority))
            continue;
        if (minimask_covers(subtable->mask, match->mask)) {
            for (rule = subtable_find_wider(subtable, match); rule != NULL; rule = rule->classifier_next) {
                if (rule_collides(rule, version, priority))
                    return true;
            }
            continue;
        }
        TAILQ_FOREACH (rule, &subtable->rules, table_node) {
            if (rule_collides(rule, version, priority) && minimatch_overlaps(rule->match, match))
                return true;
        }
    }
    return false;
}

/* --- lookup ----------------------------------------------------------------------------------------------------------
 */

struct lookup {
    const struct classifier *cls;
    const uint64_t *flow; /* words */
    uint64_t *wc;         /* words, or NULL */
    struct trie_result tries[N_TRIES];
    bool trie_done[N_TRIES];
    uint8_t trie_bits[N_TRIES]; /* leading bits of the field that are in wc already, as far as is known */
};

static void wc_add_prefix(struct lookup *lookup, unsigned field, unsigned bits)
{
    uint8_t *bytes = (uint8_t *)lookup->wc + trie_places[field].offset;

    if (bits <= lookup->trie_bits[field])
        return;
    lookup->trie_bits[field] = (uint8_t)bits;
    memset(bytes, 0xff, bits / 8);
    if (bits % 8 != 0)
        bytes[bits / 8] |= (uint8_t)(0xff << (8 - bits % 8));
}

/* All the mask's bits up to `stage`. */
static void wc_add_stages(struct lookup *lookup, const struct subtable *subtable, unsigned stage)
{
    for (unsigned i = 0; i < subtable->stage_end[stage]; i++)
        lookup->wc[subtable->probes[i].word] |= subtable->probes[i].mask;
    for (unsigned i = 0; i < N_TRIES; i++) {
        if (trie_places[i].stage <= stage && subtable->plens[i] > lookup->trie_bits[i])
            lookup->trie_bits[i] = subtable->plens[i];
    }
}

/* Leading bits of the trie's field from which it is known that no rule has a matching prefix of `plen` bits; 0 if one
 * has, or if the field is not among the subtable's. */
static unsigned trie_reject_bits(const struct trie_result *result, unsigned plen)
{
    if (plen == 0 || trie_result_has(result, plen))
        return 0;
    return result->checkbits < plen ? result->checkbits : plen;
}

/* Is it known from what was consulted already that the subtable has no match? */
static bool known_to_miss(const struct lookup *lookup, const struct ranked *ranked)
{
    for (unsigned i = 0; i < N_TRIES; i++) {
        if (lookup->trie_done[i] && ranked->plens[i] > 0) {
            unsigned bits = trie_reject_bits(&lookup->tries[i], ranked->plens[i]);

            if (bits > 0 && bits <= lookup->trie_bits[i])
                return true;
        }
    }
    return false;
}

/* The subtable has no match, as its bits up to `stage` show. Adds them to wc, or, if the tries of one of the fields
 * among them show it too, fewer: of several fields, those of the one that adds least. */
static void wc_add_miss(struct lookup *lookup, const struct subtable *subtable, unsigned stage)
{
    unsigned best = N_TRIES, best_bits = 0, best_cost = 0;

    for (unsigned i = 0; i < N_TRIES; i++) {
        if (subtable->plens[i] == 0 || trie_places[i].stage > stage)
            continue;
        if (!lookup->trie_done[i]) {
            lookup->trie_done[i] = true;
            trie_lookup(&lookup->cls->tries[i], (const uint8_t *)lookup->flow + trie_places[i].offset,
                        &lookup->tries[i]);
        }

        unsigned bits = trie_reject_bits(&lookup->tries[i], subtable->plens[i]);
        unsigned cost = bits > lookup->trie_bits[i] ? bits - lookup->trie_bits[i] : 0;

        if (bits > 0 && (best == N_TRIES || cost < best_cost)) {
            best = i;
            best_bits = bits;
            best_cost = cost;
        }
    }
    if (best != N_TRIES)
        wc_add_prefix(lookup, best, best_bits);
    else
        wc_add_stages(lookup, subtable, stage);
}

static struct rule *slot_lookup(const struct lookup *lookup, const struct subtable *subtable, uint32_t hash)
{
    const struct minimask *mask = subtable->mask;
    uint32_t i = hash & (subtable->n_slots - 1);

    for (; subtable->slots[i].head != NULL; i = (i + 1) & (subtable->n_slots - 1)) {
        if (subtable->slots[i].hash == hash) {
            struct rule *rule = subtable->slots[i].head;
            uint64_t differs = 0;

            MINIMASK_FOR_EACH(word, j, mask)
            {
                differs |= (lookup->flow[word] & mask->words[j]) ^ rule->match->values[j];
            }
            if (differs == 0)
                return rule;
        }
    }
    return NULL;
}

/* The first of the rules in the subtable that have the flow's values, NULL if there are none. */
static struct rule *subtable_lookup(struct lookup *lookup, const struct subtable *subtable)
{
    uint64_t hash = HASH_BASIS;
    struct rule *rule = NULL;
    unsigned i = 0, stage;

    for (stage = 0; stage <= subtable->last_stage; stage++) {
        for (; i < subtable->stage_end[stage]; i++)
            hash = hash_add(hash, lookup->flow[subtable->probes[i].word] & subtable->probes[i].mask);
        if (stage == subtable->last_stage) {
            rule = slot_lookup(lookup, subtable, hash_finish(hash));
            break;
        }
        if (subtable->index[stage].entries != NULL && !stage_index_has(&subtable->index[stage], hash_finish(hash)))
            break;
    }
    if (lookup->wc != NULL) {
        if (rule != NULL)
            wc_add_stages(lookup, subtable, stage);
        else
            wc_add_miss(lookup, subtable, stage);
    }
    return rule;
}

struct rule *classifier_lookup(const struct classifier *cls, uint64_t version, const struct flow *flow, struct flow *wc)
{
    struct lookup lookup = {.cls = cls, .flow = (const uint64_t *)flow, .wc = (uint64_t *)wc};
    struct rule *best = NULL;
    uint64_t best_seq = 0;
    uint32_t best_rank = 0;

    for (uint32_t i = 0; i < cls->n_subtables; i++) {
        const struct ranked *ranked = &cls->order[i];
        uint32_t max_rank = (uint32_t)ranked->max_priority << 1 | 1;

        /* By the order, nothing behind it can win either. */
        if (best != NULL && (max_rank < best_rank || (max_rank == best_rank && ranked->seq > best_seq)))
            break;
        if (known_to_miss(&lookup, ranked))
            continue;

        struct rule *rule = first_visible(subtable_lookup(&lookup, ranked->subtable), version);

        if (rule == NULL)
            continue;

        uint32_t rank = rule_rank(rule);

        if (best == NULL || rank > best_rank || (rank == best_rank && ranked->seq < best_seq)) {
            best = rule;
            best_rank = rank;
            best_seq = ranked->seq;
        }
    }
    return best;
}
