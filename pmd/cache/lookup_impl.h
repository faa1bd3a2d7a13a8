/* The body of every lookup variant. The file that includes it defines line_differs(key, mask, want): whether the 64
 * bytes of `key` under `mask` are anything but `want`; head_differs(), the same of the first MEGAFLOW_HEAD bytes (all
 * 64 may be read); line_sum(key, mask, add): a line's part of tuple_hash(), as tuple_hash_line(); and LOOKUP_OPS, the
 * name of its struct lookup_ops.
 */
#include <rte_branch_prediction.h>
#include <rte_prefetch.h>

#include "pmd/cache/lookup.h"
#include "pmd/cache/tuple_hash.h"

/* The words of the first line that are behind the head. */
static __rte_always_inline bool tail_differs(const struct megaflow *mf, const uint64_t *k, const uint64_t *m)
{
    return (((k[5] & m[5] & megaflow_tail_half()) ^ mf->tail[0]) | ((k[6] & m[6]) ^ mf->tail[1]) |
            ((k[7] & m[7]) ^ mf->tail[2])) != 0;
}

static bool rest_matches(const struct lookup *lookup, const struct megaflow_slot *slot, const struct flow_key *key,
                         unsigned n_lines)
{
    const struct megaflow *mf = &lookup->megaflows[megaflow_index(lookup->slots, slot)];
    const uint64_t *k = (const uint64_t *)key, *m = slot->mask;

    if (tail_differs(mf, k, m))
        return false;
    /* Lines that the key does not use count as 0. */
    if (slot->key_lines > n_lines)
        return false;
    n_lines = RTE_MIN(n_lines, (unsigned)slot->mask_lines);
    for (unsigned line = 1; line < n_lines; line++) {
        if (line_differs(k + line * LINE_WORDS, m + line * LINE_WORDS, mf->more + (line - 1) * LINE_WORDS))
            return false;
    }
    return true;
}

static __rte_always_inline bool matches(const struct lookup *lookup, const struct megaflow_slot *slot, uint64_t i)
{
    const struct flow_key *key = &lookup->keys[i];

    if (unlikely(!megaflow_alive(slot)) || head_differs(key, slot->mask, slot))
        return false;
    return likely(slot->head_only) || rest_matches(lookup, slot, key, lookup->n_lines[i]);
}

static __rte_always_inline void prefetch_megaflow(const struct lookup *lookup, uint32_t id)
{
    rte_prefetch0(&lookup->slots[id]);
    if (lookup->counters)
        rte_prefetch0_write(&lookup->counters[id]);
}

static uint64_t lookup_same(const struct lookup *lookup, const struct megaflow_slot *slot, unsigned n)
{
    uint64_t hits = 0;

    if (!megaflow_alive(slot))
        return 0;
    if (likely(slot->head_only)) {
        for (unsigned i = 0; i < n; i++)
            hits |= (uint64_t)!head_differs(&lookup->keys[i], slot->mask, slot) << i;
        return hits;
    }
    for (unsigned i = 0; i < n; i++)
        hits |= (uint64_t)matches(lookup, slot, i) << i;
    return hits;
}

static uint64_t lookup_same_line(const struct lookup *lookup, const struct megaflow_slot *slot, unsigned n)
{
    const struct megaflow *mf = &lookup->megaflows[megaflow_index(lookup->slots, slot)];
    uint64_t hits = 0;

    if (!megaflow_alive(slot))
        return 0;
    for (unsigned i = 0; i < n; i++) {
        const struct flow_key *key = &lookup->keys[i];
        const bool differs = head_differs(key, slot->mask, slot) ||
                             (!slot->head_only && tail_differs(mf, (const uint64_t *)key, slot->mask));

        hits |= (uint64_t)!differs << i;
    }
    return hits;
}

static uint64_t lookup_guess(const struct lookup *lookup, struct megaflow_slot *const *guess, unsigned n)
{
    uint64_t hits = 0;

    for (unsigned i = 0; i < n; i++) {
        struct megaflow_slot *slot = guess[i];

        if (!slot || !matches(lookup, slot, i))
            continue;
        lookup->found[i] = slot;
        hits |= 1ull << i;
    }
    return hits;
}

static __rte_always_inline struct megaflow_slot *emc_slot(const struct lookup *lookup, const struct emc_bucket *bucket,
                                                          uint32_t ways)
{
    return &lookup->slots[emc_id(bucket, (uint32_t)__builtin_ctz(ways))];
}

static __rte_always_inline void emc_hit(struct emc_bucket *bucket, uint32_t ways)
{
    uint16_t way = (uint16_t)(ways & -ways);

    if (!(bucket->used & way))
        bucket->used |= way;
}

/* Takes out the first of `ways` if its megaflow is gone. */
static __rte_noinline void emc_miss(struct emc *emc, struct emc_bucket *bucket, const struct megaflow_slot *slot,
                                    uint32_t ways)
{
    uint32_t way = (uint32_t)__builtin_ctz(ways);

    if (!megaflow_alive(slot) && bucket->signature[way] != 0) {
        bucket->signature[way] = 0;
        __atomic_store_n(&emc->n_used, emc->n_used - 1, __ATOMIC_RELAXED);
    }
}

static uint64_t lookup_emc(const struct lookup *lookup, struct emc *emc, uint64_t todo)
{
    uint16_t candidates[LOOKUP_BURST_MAX];
    uint64_t hits = 0, maybe = 0;

    FOR_EACH_BIT (i, todo) {
        uint32_t hash = lookup->hashes[i];
        const struct emc_bucket *bucket = emc_bucket(emc, hash);
        uint32_t ways = emc_ways(bucket, emc_signature(hash));

        candidates[i] = (uint16_t)ways;
        if (likely(ways != 0)) {
            prefetch_megaflow(lookup, emc_id(bucket, (uint32_t)__builtin_ctz(ways)));
            maybe |= 1ull << i;
        }
    }
    FOR_EACH_BIT (i, maybe) {
        struct emc_bucket *bucket = emc_bucket(emc, lookup->hashes[i]);

        for (uint32_t ways = candidates[i]; ways != 0; ways &= ways - 1) {
            struct megaflow_slot *slot = emc_slot(lookup, bucket, ways);

            if (likely(matches(lookup, slot, i))) {
                lookup->found[i] = slot;
                hits |= 1ull << i;
                emc_hit(bucket, ways);
                break;
            }
            emc_miss(emc, bucket, slot, ways);
        }
    }
    return hits;
}

/* tuple_hash() */
static __rte_always_inline uint64_t hash_of(const struct tuple *tuple, const struct flow_key *key, unsigned n_lines)
{
    const uint64_t *k = (const uint64_t *)key, *m = (const uint64_t *)&tuple->mask;
    const struct tuple_hash_secret *secret = &tuple_hash_secret;
    uint64_t sum = line_sum(k, m, secret->add) - secret->zero[0];

    if (unlikely(tuple->n_lines > 1)) {
        n_lines = RTE_MIN(n_lines, (unsigned)tuple->n_lines);
        for (unsigned line = 1; line < n_lines; line++) {
            unsigned w = line * LINE_WORDS;

            sum += line_sum(k + w, m + w, secret->add + w) - secret->zero[line];
        }
    }
    return tuple_hash_finish(sum);
}

/* Where a packet is looked for in a tuple's table. */
struct probe {
    const struct tuple_bucket *buckets;
    uint64_t hash;
    struct megaflow_slot *first; /* the first candidate of the home bucket, or NULL */
    uint32_t mask;
};

static __rte_always_inline const struct tuple_bucket *probe_home(const struct probe *probe)
{
    return &probe->buckets[(uint32_t)probe->hash & probe->mask];
}

/* Sets out the first candidate, which is on its way then. False: the tuple does not have the packet. */
static __rte_always_inline bool probe_start(const struct lookup *lookup, struct probe *probe)
{
    const struct tuple_bucket *bucket = probe_home(probe);
    uint32_t ways = signature_ways(bucket->signature, tuple_signature(probe->hash));

    probe->first = NULL;
    if (ways == 0)
        return unlikely(__atomic_load_n(&bucket->passed_by, __ATOMIC_ACQUIRE) != 0);
    uint32_t id = __atomic_load_n(&bucket->id[__builtin_ctz(ways)], __ATOMIC_RELAXED);
    prefetch_megaflow(lookup, id);
    probe->first = &lookup->slots[id];
    return true;
}

/* All candidates: of the home bucket and, if entries passed by it, further on. */
static __rte_noinline struct megaflow_slot *probe_all(const struct lookup *lookup, const struct probe *probe,
                                                      uint64_t i)
{
    for (uint32_t d = 0; d < TSS_MAX_PROBE; d++) {
        const struct tuple_bucket *bucket = &probe->buckets[((uint32_t)probe->hash + d) & probe->mask];
        uint32_t ways = signature_ways(bucket->signature, tuple_signature(probe->hash));

        for (; ways != 0; ways &= ways - 1) {
            uint32_t id = __atomic_load_n(&bucket->id[__builtin_ctz(ways)], __ATOMIC_RELAXED);
            struct megaflow_slot *slot = &lookup->slots[id];

            if (matches(lookup, slot, i))
                return slot;
        }
        if (__atomic_load_n(&bucket->passed_by, __ATOMIC_ACQUIRE) == 0)
            break;
    }
    return NULL;
}

/* Hashes are known and home buckets on their way. */
static __rte_always_inline uint64_t probe_burst(const struct lookup *lookup, struct probe *probes, uint64_t todo)
{
    uint64_t hits = 0, maybe = 0;

    FOR_EACH_BIT (i, todo)
        maybe |= (uint64_t)probe_start(lookup, &probes[i]) << i;
    FOR_EACH_BIT (i, maybe) {
        struct megaflow_slot *slot = probes[i].first;

        if (unlikely(!slot || !matches(lookup, slot, i))) {
            slot = probe_all(lookup, &probes[i], i);
            if (!slot)
                continue;
        }
        lookup->found[i] = slot;
        hits |= 1ull << i;
    }
    return hits;
}

static uint64_t lookup_tuple(const struct lookup *lookup, const struct tuple *tuple, uint64_t todo)
{
    struct probe probes[LOOKUP_BURST_MAX];
    uint32_t mask;
    const struct tuple_bucket *buckets = tuple_table(tuple, &mask);

    FOR_EACH_BIT (i, todo) {
        probes[i].hash = hash_of(tuple, &lookup->keys[i], lookup->n_lines[i]);
        probes[i].buckets = buckets;
        probes[i].mask = mask;
        rte_prefetch0(probe_home(&probes[i]));
    }
    return probe_burst(lookup, probes, todo);
}

static uint64_t lookup_tuples(const struct lookup *lookup, const struct tuple *const *tuples, uint64_t todo)
{
    struct probe probes[LOOKUP_BURST_MAX];

    FOR_EACH_BIT (i, todo) {
        probes[i].buckets = tuple_table(tuples[i], &probes[i].mask);
        probes[i].hash = hash_of(tuples[i], &lookup->keys[i], lookup->n_lines[i]);
        rte_prefetch0(probe_home(&probes[i]));
    }
    return probe_burst(lookup, probes, todo);
}

const struct lookup_ops LOOKUP_OPS = {
    .name = LOOKUP_NAME,
    .supported = supported,
    .same = lookup_same,
    .same_line = lookup_same_line,
    .guessed = lookup_guess,
    .emc = lookup_emc,
    .tuple = lookup_tuple,
    .tuples = lookup_tuples,
};
