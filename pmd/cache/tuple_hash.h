/* The hash of a tuple's tables, over the masked key: sums of 32 x 32 bit products (NH, RFC 4418) with numbers drawn at
 * start, so that nobody outside can aim packets at one bucket, and one multiplication more that spreads the sum over
 * all bits. The same on every CPU variant; lines that a key does not use count as 0 and add nothing.
 * Any thread, once the control thread has made a tuple.
 */
#ifndef PMD_CACHE_TUPLE_HASH_H
#define PMD_CACHE_TUPLE_HASH_H

#include <rte_common.h>
#include <stdint.h>

#include "pmd/cache/tss.h"

struct tuple_hash_secret {
    uint64_t add[FLOW_KEY_WORDS] __attribute__((aligned(64))); /* two numbers of 32 bits for each word */
    uint64_t zero[FLOW_KEY_LINES];                             /* what a line of zeros would sum up to */
    uint64_t finish[2];
};

extern struct tuple_hash_secret tuple_hash_secret;

static __rte_always_inline uint64_t tuple_hash_mix(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static __rte_always_inline uint64_t tuple_hash_finish(uint64_t sum)
{
    return tuple_hash_mix(sum ^ tuple_hash_secret.finish[0], tuple_hash_secret.finish[1]);
}

/* A line's part of the sum. */
static inline uint64_t tuple_hash_line(const uint64_t *key, const uint64_t *mask, unsigned line)
{
    const uint64_t *add = &tuple_hash_secret.add[line * LINE_WORDS];
    uint64_t sum = 0;

    for (unsigned w = 0; w < LINE_WORDS; w++) {
        uint64_t v = key[line * LINE_WORDS + w] & mask[line * LINE_WORDS + w];
        uint32_t low = (uint32_t)v + (uint32_t)add[w], high = (uint32_t)(v >> 32) + (uint32_t)(add[w] >> 32);

        sum += (uint64_t)low * high;
    }
    return sum;
}

static inline uint64_t tuple_hash(const struct tuple *tuple, const struct flow_key *key, unsigned n_lines)
{
    const uint64_t *k = (const uint64_t *)key, *m = (const uint64_t *)&tuple->mask;
    uint64_t sum = 0;

    for (unsigned line = 0; line < RTE_MIN((unsigned)tuple->n_lines, n_lines); line++)
        sum += tuple_hash_line(k, m, line) - tuple_hash_secret.zero[line];
    return tuple_hash_finish(sum);
}

/* The low half picks the bucket, the top 16 bits are the signature. */
static inline uint16_t tuple_signature(uint64_t hash)
{
    return signature_nonzero((uint16_t)(hash >> 48));
}

#endif
