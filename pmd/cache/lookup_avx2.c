/* Lookups with 32-byte vectors (AVX2): lookup_impl.h compiled for processors that have them. lookup_best() picks the
 * variant at start. */
#include <immintrin.h>
#include <rte_cpuflags.h>
#include <stdbool.h>
#include <stdint.h>

#define LOOKUP_OPS lookup_avx2
#define LOOKUP_NAME "avx2"

extern const struct lookup_ops LOOKUP_OPS;

static bool supported(void)
{
    return rte_cpu_get_flag_enabled(RTE_CPUFLAG_AVX2) > 0;
}

static inline __m256i half_difference(const __m256i *key, const __m256i *mask, const __m256i *want)
{
    return _mm256_xor_si256(_mm256_and_si256(_mm256_load_si256(key), _mm256_load_si256(mask)), _mm256_load_si256(want));
}

static inline bool line_differs(const void *key, const void *mask, const void *want)
{
    const __m256i *k = key, *m = mask, *w = want;
    __m256i differ = _mm256_or_si256(half_difference(k, m, w), half_difference(k + 1, m + 1, w + 1));

    return !_mm256_testz_si256(differ, differ);
}

static inline bool head_differs(const void *key, const void *mask, const void *want)
{
    const __m256i *k = key, *m = mask, *w = want;
    __m256i head = _mm256_setr_epi32(-1, -1, -1, 0, 0, 0, 0, 0); /* 12 bytes behind the first 32 */
    __m256i low = half_difference(k, m, w), high = half_difference(k + 1, m + 1, w + 1);

    return !(_mm256_testz_si256(low, low) & _mm256_testz_si256(high, head));
}

static inline __m256i half_products(const uint64_t *key, const uint64_t *mask, const uint64_t *add)
{
    __m256i v = _mm256_and_si256(_mm256_load_si256((const __m256i *)key), _mm256_load_si256((const __m256i *)mask));

    v = _mm256_add_epi32(v, _mm256_load_si256((const __m256i *)add));
    return _mm256_mul_epu32(v, _mm256_srli_epi64(v, 32));
}

static inline uint64_t line_sum(const uint64_t *key, const uint64_t *mask, const uint64_t *add)
{
    __m256i four = _mm256_add_epi64(half_products(key, mask, add), half_products(key + 4, mask + 4, add + 4));
    __m128i two = _mm_add_epi64(_mm256_castsi256_si128(four), _mm256_extracti128_si256(four, 1));

    return (uint64_t)_mm_cvtsi128_si64(two) + (uint64_t)_mm_extract_epi64(two, 1);
}

#include "pmd/cache/lookup_impl.h"
