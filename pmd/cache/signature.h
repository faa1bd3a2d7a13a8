/* Comparing a signature with all of a bucket's at once. Signature 0 is an empty way.
 */
#ifndef PMD_CACHE_SIGNATURE_H
#define PMD_CACHE_SIGNATURE_H

#include <stdint.h>

/* ThreadSanitizer wants to see atomic loads. */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SIGNATURE_ATOMIC
#endif
#endif
#if defined(__SANITIZE_THREAD__) || !defined(__SSE2__)
#define SIGNATURE_ATOMIC
#endif
#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* Entries in a bucket of a tuple's hash table, each with a 16-bit signature and a 32-bit value. */
#define BUCKET_WAYS 8

/* The ways of `signatures` that are equal to `wanted`, as bits. The other side may be writing one of them: the caller
 * confirms what it finds. */
static inline uint32_t signature_ways(const uint16_t signatures[BUCKET_WAYS], uint16_t wanted)
{
#ifndef SIGNATURE_ATOMIC
    __m128i equal = _mm_cmpeq_epi16(_mm_load_si128((const __m128i *)signatures), _mm_set1_epi16((short)wanted));
    return (uint32_t)_mm_movemask_epi8(_mm_packs_epi16(equal, _mm_setzero_si128()));
#else
    uint32_t ways = 0;

    for (unsigned w = 0; w < BUCKET_WAYS; w++)
        ways |= (uint32_t)(__atomic_load_n(&signatures[w], __ATOMIC_RELAXED) == wanted) << w;
    return ways;
#endif
}

/* Returns the places among sixteen bytes, aligned to 16, that are equal to `wanted`, as bits. No other thread writes
 * them. */
static inline uint32_t signature_ways_16(const uint8_t signatures[16], uint8_t wanted)
{
#ifdef __SSE2__
    __m128i equal = _mm_cmpeq_epi8(_mm_load_si128((const __m128i *)signatures), _mm_set1_epi8((char)wanted));
    return (uint32_t)_mm_movemask_epi8(equal);
#else
    uint32_t ways = 0;

    for (unsigned w = 0; w < 16; w++)
        ways |= (uint32_t)(signatures[w] == wanted) << w;
    return ways;
#endif
}

static inline uint16_t signature_nonzero(uint16_t s)
{
    return s != 0 ? s : 1;
}

#endif
