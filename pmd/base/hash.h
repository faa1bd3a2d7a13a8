/* Hashing of 64-bit words for the tables of the control side: a multiply-and-fold step a word, so that hashes of
 * prefixes of a word sequence come for free. Values are process-local and not to be stored.
 */
#ifndef PMD_BASE_HASH_H
#define PMD_BASE_HASH_H

#include <stdint.h>

#define HASH_BASIS UINT64_C(0x9e3779b97f4a7c15)

static inline uint64_t hash_add(uint64_t hash, uint64_t word)
{
    unsigned __int128 product = (unsigned __int128)(hash ^ word) * UINT64_C(0xd6e8feb86659fd93);

    return (uint64_t)product ^ (uint64_t)(product >> 64) ^ hash >> 29;
}

static inline uint32_t hash_finish(uint64_t hash)
{
    hash *= UINT64_C(0xff51afd7ed558ccd);
    return (uint32_t)(hash >> 32);
}

#endif
