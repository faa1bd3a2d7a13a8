/* Lookups: which rule wins, and which bits of the flow that rested on. */
#include <stdlib.h>
#include <string.h>

#include "pmd/base/hash.h"
#include "src/tables/classifier.h"
#include "src/tables/conjunction.h"

struct table_lookup {
    const struct classifier *cls;
    const uint64_t *flow; /* words */
    uint64_t *wc;         /* words, or NULL */
    struct trie_result tries[N_TRIES];
    bool trie_done[N_TRIES];
    uint8_t trie_bits[N_TRIES]; /* leading bits of the field that are in wc already, as far as is known */
};

static void wc_add_prefix(struct table_lookup *lookup, unsigned field, unsigned bits)
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
static void wc_add_stages(struct table_lookup *lookup, const struct subtable *subtable, unsigned stage)
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
static bool known_to_miss(const struct table_lookup *lookup, const struct ranked *ranked)
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
static void wc_add_miss(struct table_lookup *lookup, const struct subtable *subtable, unsigned stage)
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

static struct rule *slot_lookup(const struct table_lookup *lookup, const struct subtable *subtable, uint32_t hash)
{
    const struct minimask *mask = subtable->mask;
    const struct value_slot *slots;
    uint32_t last;

    for (unsigned n = 0; (slots = open_hash_array(&subtable->slots, n, &last)); n++) {
        for (uint32_t i = hash & last; slots[i].head; i = (i + 1) & last) {
            struct rule *rule = slots[i].head;
            uint64_t differs = 0;

            if (slots[i].hash != hash)
                continue;
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
static struct rule *subtable_lookup(struct table_lookup *lookup, const struct subtable *subtable)
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
        if (subtable->indexed[stage] && !stage_index_find(&subtable->index[stage], hash_finish(hash)))
            break;
    }
    if (lookup->wc) {
        if (rule)
            wc_add_stages(lookup, subtable, stage);
        else
            wc_add_miss(lookup, subtable, stage);
    }
    return rule;
}

/* --- the search ---------------------------------------------------------- */

/* The best rule so far that has actions of its own. */
struct best {
    struct rule *rule;
    uint32_t rank;
    uint64_t seq;
};

static struct rule *first_visible(struct rule *rule, uint64_t version)
{
    while (rule && !rule_visible(rule, version))
        rule = rule->classifier_next;
    return rule;
}

/* `rule` and those behind it, of the subtable `seq`, match. A clause is set aside where there is a trail. */
static void take(struct best *best, struct conj_trail *trail, struct rule *rule, uint64_t seq, uint64_t version)
{
    uint32_t rank;

    while (rule && rule->conjunctive && !trail)
        rule = first_visible(rule->classifier_next, version);
    if (!rule)
        return;
    if (rule->conjunctive) {
        conj_trail_push(trail, rule, seq);
        return;
    }
    rank = rule_rank(rule);
    if (!best->rule || rank > best->rank || (rank == best->rank && seq < best->seq))
        *best = (struct best){rule, rank, seq};
}

/* Clauses of priority `priority` do not make up a conjunction: what is behind them in their subtables counts. */
static void give_up(struct best *best, struct conj_trail *trail, uint16_t priority, uint64_t version)
{
    unsigned n = trail->n_open;

    trail->n_open = 0;
    for (unsigned i = 0; i < n; i++) {
        struct conj_open open = trail->open[i];

        if (open.rule->priority != priority)
            trail->open[trail->n_open++] = open;
        else
            take(best, trail, first_visible(open.rule->classifier_next, version), open.seq, version);
    }
}

static struct rule *search(struct table_lookup *lookup, uint64_t version, struct conj_trail *trail);

/* The rule of the conjunction that the clauses of `priority` make up; NULL. */
static struct rule *conclude(const struct table_lookup *lookup, struct conj_trail *trail, uint16_t priority,
                             uint64_t version)
{
    unsigned n = conj_trail_complete(trail, priority);

    for (unsigned i = 0; i < n; i++) {
        struct flow flow;
        struct table_lookup second = {.cls = lookup->cls, .flow = (const uint64_t *)&flow, .wc = lookup->wc};
        struct rule *rule;

        memcpy(&flow, lookup->flow, sizeof flow);
        flow.conj_id = trail->complete[i];
        rule = search(&second, version, NULL);
        if (rule) {
            trail->found = true;
            trail->priority = priority;
            trail->id = trail->complete[i];
            return rule;
        }
        trail->failed = true;
    }
    return NULL;
}

/* Decides clauses of higher priority than both `best` and `than`. */
static struct rule *settle(const struct table_lookup *lookup, struct best *best, struct conj_trail *trail, int than,
                           uint64_t version)
{
    while (trail->n_open > 0) {
        int priority = conj_trail_top(trail);
        struct rule *rule;

        if (priority <= than || (best->rule && priority <= best->rule->priority))
            break;
        rule = conclude(lookup, trail, (uint16_t)priority, version);
        if (rule)
            return rule;
        give_up(best, trail, (uint16_t)priority, version);
    }
    return NULL;
}

static struct rule *search(struct table_lookup *lookup, uint64_t version, struct conj_trail *trail)
{
    const struct classifier *cls = lookup->cls;
    struct best best = {0};
    struct rule *rule;

    for (uint32_t i = 0; i < cls->n_subtables; i++) {
        const struct ranked *ranked = &cls->order[i];
        uint32_t max_rank = rule_rank_most(ranked->max_priority);

        /* Before anything is looked at that may not matter. */
        if (trail && trail->n_open > 0) {
            rule = settle(lookup, &best, trail, ranked->max_priority, version);
            if (rule)
                return rule;
        }
        /* By the order, nothing behind it can win either. */
        if (best.rule && (max_rank < best.rank || (max_rank == best.rank && ranked->seq > best.seq)))
            break;
        if (known_to_miss(lookup, ranked))
            continue;
        take(&best, trail, first_visible(subtable_lookup(lookup, ranked->subtable), version), ranked->seq, version);
    }
    if (trail && trail->n_open > 0) {
        rule = settle(lookup, &best, trail, -1, version);
        if (rule)
            return rule;
    }
    return best.rule;
}

struct rule *classifier_lookup(const struct classifier *cls, uint64_t version, const struct flow *flow, struct flow *wc,
                               struct conj_trail *trail)
{
    struct table_lookup lookup = {.cls = cls, .flow = (const uint64_t *)flow, .wc = (uint64_t *)wc};

    if (trail)
        conj_trail_start(trail);
    return search(&lookup, version, trail);
}
