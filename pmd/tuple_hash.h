/* The hash of a tuple's tables: over the non-zero words of its mask only, by pairs of 64 x 64 bit multiplications with
 * seeds drawn at start, so that nobody outside can aim packets at one bucket. The same on every CPU variant.
 */
#ifndef PMD_TUPLE_HASH_H
#define PMD_TUPLE_HASH_H

#include <rte_branch_prediction.h>
#include <rte_common.h>
#include <stdint.h>

#include "pmd/tss.h"

extern uint64_t tuple_hash_seeds[FLOW_KEY_WORDS + 1];

static __rte_always_inline uint64_t tuple_hash_mix(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* For masks of one line, `n_words` being a constant where it matters. */
static __rte_always_inline uint64_t tuple_hash_line(const struct tuple *tuple, const struct flow_key *key,
                                                    unsigned n_words)
{
    const uint64_t *k = (const uint64_t *)key, *m = (const uint64_t *)&tuple->mask;
    const uint64_t *seed = tuple_hash_seeds;
    uint64_t hash = 0;

    for (unsigned i = 0; i + 1 < n_words; i += 2) {
        unsigned a = tuple->words[i], b = tuple->words[i + 1];

        hash += tuple_hash_mix((k[a] & m[a]) ^ seed[i], (k[b] & m[b]) ^ seed[i + 1]);
    }
    if (n_words & 1) {
        unsigned a = tuple->words[n_words - 1];

        hash += tuple_hash_mix((k[a] & m[a]) ^ seed[n_words - 1], seed[n_words]);
    }
    return hash;
}

/* For masks of several lines: words of lines that the key does not use count as 0. */
static inline uint64_t tuple_hash_lines(const struct tuple *tuple, const struct flow_key *key, unsigned n_lines)
{
    const uint64_t *k = (const uint64_t *)key, *m = (const uint64_t *)&tuple->mask;
    const uint64_t *seed = tuple_hash_seeds;
    unsigned n_words = tuple->n_words, limit = n_lines * LINE_WORDS;
    uint64_t hash = 0;

    for (unsigned i = 0; i < n_words; i += 2) {
        unsigned a = tuple->words[i], b = i + 1 < n_words ? tuple->words[i + 1] : FLOW_KEY_WORDS;
        uint64_t first = a < limit ? k[a] & m[a] : 0, second = b < limit ? k[b] & m[b] : 0;

        hash += tuple_hash_mix(first ^ seed[i], second ^ seed[i + 1]);
    }
    return hash;
}

static inline uint64_t tuple_hash(const struct tuple *tuple, const struct flow_key *key, unsigned n_lines)
{
    if (likely(tuple->n_lines == 1))
        return tuple_hash_line(tuple, key, tuple->n_words);
    return tuple_hash_lines(tuple, key, n_lines);
}

/* The low half picks the bucket, the top 16 bits are the signature. */
static inline uint16_t tuple_signature(uint64_t hash)
{
    return signature_nonzero((uint16_t)(hash >> 48));
}

#endif
