/* The body of every lookup variant. The file that includes it defines line_differs(key, mask, want): whether the 64
 * bytes of `key` under `mask` are anything but `want`; head_differs(), the same of the first MEGAFLOW_HEAD bytes (all
 * 64 may be read); and LOOKUP_OPS, the name of its struct lookup_ops.
 */
#include <rte_branch_prediction.h>
#include <rte_prefetch.h>

#include "pmd/lookup.h"
#include "pmd/tuple_hash.h"

static bool rest_matches(const struct megaflow *mf, const struct flow_key *key, unsigned n_lines)
{
    const uint64_t *k = (const uint64_t *)key, *m = mf->mask;

    if ((((k[5] & m[5] & megaflow_tail_half()) ^ mf->tail[0]) | ((k[6] & m[6]) ^ mf->tail[1]) |
         ((k[7] & m[7]) ^ mf->tail[2])) != 0)
        return false;
    /* Lines that the key does not use count as 0. */
    if (mf->key_lines > n_lines)
        return false;
    n_lines = RTE_MIN(n_lines, (unsigned)mf->mask_lines);
    for (unsigned line = 1; line < n_lines; line++) {
        if (line_differs(k + line * LINE_WORDS, mf->mask + line * LINE_WORDS, mf->more + (line - 1) * LINE_WORDS))
            return false;
    }
    return true;
}

static __rte_always_inline bool matches(const struct megaflow *mf, const struct flow_key *key, unsigned n_lines)
{
    if (unlikely(!megaflow_alive(mf)) || head_differs(key, mf->mask, mf))
        return false;
    return likely(mf->head_only) || rest_matches(mf, key, n_lines);
}

static __rte_always_inline void prefetch_megaflow(const struct lookup *lookup, uint32_t id)
{
    const struct megaflow *mf = &lookup->slots[id];

    rte_prefetch0(mf);
    if (lookup->counters != NULL)
        rte_prefetch0_write(&lookup->counters[id]);
}

static uint64_t lookup_same(const struct lookup *lookup, const struct megaflow *mf, unsigned n)
{
    uint64_t hits = 0;

    if (!megaflow_alive(mf))
        return 0;
    if (likely(mf->head_only)) {
        for (unsigned i = 0; i < n; i++)
            hits |= (uint64_t)!head_differs(&lookup->keys[i], mf->mask, mf) << i;
        return hits;
    }
    for (unsigned i = 0; i < n; i++)
        hits |= (uint64_t)matches(mf, &lookup->keys[i], lookup->n_lines[i]) << i;
    return hits;
}

static uint64_t lookup_emc(const struct lookup *lookup, struct emc *emc, uint64_t todo)
{
    uint8_t candidates[LOOKUP_BURST_MAX];
    uint64_t hits = 0, maybe = 0;

    FOR_EACH_BIT (i, todo) {
        uint32_t hash = lookup->hashes[i];
        const struct emc_bucket *bucket = emc_bucket(emc, hash);
        uint32_t ways = signature_ways(bucket->signature, emc_signature(hash));

        candidates[i] = (uint8_t)ways;
        if (likely(ways != 0)) {
            prefetch_megaflow(lookup, bucket->id[__builtin_ctz(ways)]);
            maybe |= 1ull << i;
        }
    }
    FOR_EACH_BIT (i, maybe) {
        struct emc_bucket *bucket = emc_bucket(emc, lookup->hashes[i]);

        for (uint32_t ways = candidates[i]; ways != 0; ways &= ways - 1) {
            uint32_t way = (uint32_t)__builtin_ctz(ways);
            struct megaflow *mf = &lookup->slots[bucket->id[way]];

            if (likely(matches(mf, &lookup->keys[i], lookup->n_lines[i]))) {
                lookup->found[i] = mf;
                hits |= 1ull << i;
                if (!(bucket->used & (1u << way)))
                    bucket->used |= (uint8_t)(1u << way);
                break;
            }
            if (!megaflow_alive(mf) && bucket->signature[way] != 0) {
                bucket->signature[way] = 0;
                __atomic_store_n(&emc->n_used, emc->n_used - 1, __ATOMIC_RELAXED);
            }
        }
    }
    return hits;
}

/* Hashes of the packets in `todo`, buckets prefetched. Specialised by the number of words for masks of one line. */
#define HASH_ALL(HASH)                                                                                                 \
    FOR_EACH_BIT (i, todo) {                                                                                           \
        hashes[i] = HASH;                                                                                              \
        rte_prefetch0(&buckets[(uint32_t)hashes[i] & mask]);                                                           \
    }                                                                                                                  \
    break

static __rte_always_inline void hash_all(const struct lookup *lookup, const struct tuple *tuple, uint64_t todo,
                                         const struct tuple_bucket *buckets, uint32_t mask, uint64_t *hashes)
{
    const struct flow_key *keys = lookup->keys;

    switch (tuple->n_lines == 1 ? tuple->n_words : 0) {
    case 1:
        HASH_ALL(tuple_hash_line(tuple, &keys[i], 1));
    case 2:
        HASH_ALL(tuple_hash_line(tuple, &keys[i], 2));
    case 3:
        HASH_ALL(tuple_hash_line(tuple, &keys[i], 3));
    case 4:
        HASH_ALL(tuple_hash_line(tuple, &keys[i], 4));
    case 5:
        HASH_ALL(tuple_hash_line(tuple, &keys[i], 5));
    case 6:
        HASH_ALL(tuple_hash_line(tuple, &keys[i], 6));
    case 7:
        HASH_ALL(tuple_hash_line(tuple, &keys[i], 7));
    case 8:
        HASH_ALL(tuple_hash_line(tuple, &keys[i], 8));
    default:
        HASH_ALL(tuple_hash(tuple, &keys[i], lookup->n_lines[i]));
    }
}

/* Looks through the home bucket (its candidates are given) and, if entries passed by it, further on. */
static __rte_always_inline struct megaflow *probe(const struct lookup *lookup, const struct tuple_bucket *buckets,
                                                  uint32_t mask, uint64_t hash, uint32_t ways, uint64_t i)
{
    for (uint32_t d = 0;;
         ways = signature_ways(buckets[((uint32_t)hash + d) & mask].signature, tuple_signature(hash))) {
        const struct tuple_bucket *bucket = &buckets[((uint32_t)hash + d) & mask];

        for (; ways != 0; ways &= ways - 1) {
            uint32_t id = __atomic_load_n(&bucket->id[__builtin_ctz(ways)], __ATOMIC_RELAXED);
            struct megaflow *mf = &lookup->slots[id];

            if (likely(matches(mf, &lookup->keys[i], lookup->n_lines[i])))
                return mf;
        }
        if (likely(__atomic_load_n(&bucket->passed_by, __ATOMIC_ACQUIRE) == 0) || ++d == TSS_MAX_PROBE)
            return NULL;
    }
}

/* The candidates in a home bucket; the first megaflow of them is on its way. False: nothing to confirm. */
static __rte_always_inline bool candidates_of(const struct lookup *lookup, const struct tuple_bucket *bucket,
                                              uint64_t hash, uint8_t *candidates)
{
    uint32_t ways = signature_ways(bucket->signature, tuple_signature(hash));

    *candidates = (uint8_t)ways;
    if (ways != 0) {
        prefetch_megaflow(lookup, __atomic_load_n(&bucket->id[__builtin_ctz(ways)], __ATOMIC_RELAXED));
        return true;
    }
    return unlikely(__atomic_load_n(&bucket->passed_by, __ATOMIC_RELAXED) != 0);
}

static uint64_t lookup_tuple(const struct lookup *lookup, const struct tuple *tuple, uint64_t todo)
{
    uint64_t hashes[LOOKUP_BURST_MAX];
    uint8_t candidates[LOOKUP_BURST_MAX];
    uint64_t hits = 0, maybe = 0;
    uint32_t mask;
    const struct tuple_bucket *buckets = tuple_table(tuple, &mask);

    hash_all(lookup, tuple, todo, buckets, mask, hashes);
    FOR_EACH_BIT (i, todo) {
        if (candidates_of(lookup, &buckets[(uint32_t)hashes[i] & mask], hashes[i], &candidates[i]))
            maybe |= 1ull << i;
    }
    FOR_EACH_BIT (i, maybe) {
        struct megaflow *mf = probe(lookup, buckets, mask, hashes[i], candidates[i], i);

        if (mf != NULL) {
            lookup->found[i] = mf;
            hits |= 1ull << i;
        }
    }
    return hits;
}

static uint64_t lookup_tuples(const struct lookup *lookup, const struct tuple *const *tuples, uint64_t todo)
{
    struct {
        const struct tuple_bucket *buckets;
        uint64_t hash;
        uint32_t mask;
        uint8_t candidates;
    } at[LOOKUP_BURST_MAX];
    uint64_t hits = 0, maybe = 0;

    FOR_EACH_BIT (i, todo) {
        at[i].buckets = tuple_table(tuples[i], &at[i].mask);
        at[i].hash = tuple_hash(tuples[i], &lookup->keys[i], lookup->n_lines[i]);
        rte_prefetch0(&at[i].buckets[(uint32_t)at[i].hash & at[i].mask]);
    }
    FOR_EACH_BIT (i, todo) {
        if (candidates_of(lookup, &at[i].buckets[(uint32_t)at[i].hash & at[i].mask], at[i].hash, &at[i].candidates))
            maybe |= 1ull << i;
    }
    FOR_EACH_BIT (i, maybe) {
        struct megaflow *mf = probe(lookup, at[i].buckets, at[i].mask, at[i].hash, at[i].candidates, i);

        if (mf != NULL) {
            lookup->found[i] = mf;
            hits |= 1ull << i;
        }
    }
    return hits;
}

const struct lookup_ops LOOKUP_OPS = {
    .name = LOOKUP_NAME,
    .supported = supported,
    .same = lookup_same,
    .emc = lookup_emc,
    .tuple = lookup_tuple,
    .tuples = lookup_tuples,
};
