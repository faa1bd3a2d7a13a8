/* Lookups without vector instructions: lookup_impl.h for any processor, and the variant that the others are tested
 * against. */
#include <rte_byteorder.h>
#include <stdbool.h>
#include <stdint.h>

#define LOOKUP_OPS lookup_scalar
#define LOOKUP_NAME "scalar"

extern const struct lookup_ops LOOKUP_OPS;

static bool supported(void)
{
    return true;
}

static inline bool line_differs(const void *key, const void *mask, const void *want)
{
    const uint64_t *k = key, *m = mask, *w = want;
    uint64_t differ = 0;

    for (unsigned i = 0; i < 8; i++)
        differ |= (k[i] & m[i]) ^ w[i];
    return differ != 0;
}

static inline bool head_differs(const void *key, const void *mask, const void *want)
{
    const uint64_t *k = key, *m = mask, *w = want;
    uint64_t differ = ((k[5] & m[5]) ^ w[5]) & ~rte_cpu_to_le_64(0xffffffff00000000);

    for (unsigned i = 0; i < 5; i++)
        differ |= (k[i] & m[i]) ^ w[i];
    return differ != 0;
}

static inline uint64_t line_sum(const uint64_t *key, const uint64_t *mask, const uint64_t *add)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < 8; i++) {
        uint64_t v = key[i] & mask[i];

        sum += (uint64_t)((uint32_t)v + (uint32_t)add[i]) * ((uint32_t)(v >> 32) + (uint32_t)(add[i] >> 32));
    }
    return sum;
}

#include "pmd/cache/lookup_impl.h"
