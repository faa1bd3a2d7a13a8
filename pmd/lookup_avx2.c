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

static inline bool line_differs(const uint64_t *key, const uint64_t *mask, const uint64_t *want)
{
    const __m256i *k = (const __m256i *)key, *m = (const __m256i *)mask, *w = (const __m256i *)want;
    __m256i low = _mm256_xor_si256(_mm256_and_si256(_mm256_load_si256(k), _mm256_load_si256(m)), _mm256_load_si256(w));
    __m256i high = _mm256_xor_si256(_mm256_and_si256(_mm256_load_si256(k + 1), _mm256_load_si256(m + 1)),
                                    _mm256_load_si256(w + 1));
    __m256i differ = _mm256_or_si256(low, high);

    return !_mm256_testz_si256(differ, differ);
}

#include "pmd/lookup_impl.h"
