/* Lookups with 64-byte vectors (AVX-512 F, BW and VL): lookup_impl.h compiled for processors that have them.
 * lookup_best() picks the variant at start. */
#include <immintrin.h>
#include <rte_cpuflags.h>
#include <stdbool.h>
#include <stdint.h>

#define LOOKUP_OPS lookup_avx512
#define LOOKUP_NAME "avx512"

extern const struct lookup_ops LOOKUP_OPS;

static bool supported(void)
{
    return rte_cpu_get_flag_enabled(RTE_CPUFLAG_AVX512F) > 0 && rte_cpu_get_flag_enabled(RTE_CPUFLAG_AVX512BW) > 0 &&
           rte_cpu_get_flag_enabled(RTE_CPUFLAG_AVX512VL) > 0;
}

static inline bool line_differs(const void *key, const void *mask, const void *want)
{
    /* want ^ (key & mask) in one operation: 0x78 is its truth table. */
    __m512i differ =
        _mm512_ternarylogic_epi64(_mm512_load_si512(want), _mm512_load_si512(key), _mm512_load_si512(mask), 0x78);

    return _mm512_test_epi64_mask(differ, differ) != 0;
}

static inline bool head_differs(const void *key, const void *mask, const void *want)
{
    __m512i differ =
        _mm512_ternarylogic_epi64(_mm512_load_si512(want), _mm512_load_si512(key), _mm512_load_si512(mask), 0x78);

    return _mm512_mask_test_epi32_mask(0x07ff, differ, differ) != 0; /* 11 of 16 words of 4 bytes */
}

static inline uint64_t line_sum(const uint64_t *key, const uint64_t *mask, const uint64_t *add)
{
    __m512i v = _mm512_and_si512(_mm512_load_si512(key), _mm512_load_si512(mask));

    v = _mm512_add_epi32(v, _mm512_load_si512(add));
    v = _mm512_mul_epu32(v, _mm512_srli_epi64(v, 32));
    /* Not _mm512_reduce_add_epi64(), which adds the last two as signed numbers. */
    const __m256i half = _mm256_add_epi64(_mm512_castsi512_si256(v), _mm512_extracti64x4_epi64(v, 1));
    const __m128i quarter = _mm_add_epi64(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));

    return (uint64_t)_mm_cvtsi128_si64(quarter) + (uint64_t)_mm_extract_epi64(quarter, 1);
}

#include "pmd/cache/lookup_impl.h"
