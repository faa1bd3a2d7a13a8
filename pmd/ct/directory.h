/* The directory: finds a connection by the hash of either of its tuples. Any thread, without locks.
 *
 * Buckets of one line with ten entries: a signature of 16 bits, and the connection's number with the direction. An
 * entry that finds its bucket full goes into one of the next; each bucket that it passed counts it, so that a lookup
 * goes on only where it may have to.
 */
#ifndef PMD_CT_DIRECTORY_H
#define PMD_CT_DIRECTORY_H

#ifdef __SSE2__
#include <emmintrin.h>
#endif
#include <rte_branch_prediction.h>
#include <rte_prefetch.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pmd/ct/memory.h"

#define BUCKET_ENTRIES 10
#define BUCKETS_PROBED 16 /* an entry is so far from its bucket at most */

struct ct_bucket {
    uint16_t signature[BUCKET_ENTRIES];
    uint8_t passed; /* entries that are in a later bucket as this one was full; at most 10 * BUCKETS_PROBED */
    uint8_t zero[3];
    uint32_t entry[BUCKET_ENTRIES]; /* number << 1 | direction; 0: free */
};
_Static_assert(sizeof(struct ct_bucket) == 64, "one line");

#define ENTRY_CLAIMED UINT32_MAX /* being written */
#define ENTRY_ID(entry) ((entry) >> 1)
#define ENTRY_DIRECTION(entry) ((entry)&1)

struct ct_directory {
    struct ct_memory memory;
    struct ct_bucket *buckets;
    uint32_t n_buckets;
};

/* Control thread. For entries of so many connections. False: out of memory. */
bool directory_init(struct ct_directory *directory, uint32_t connections);
void directory_fini(struct ct_directory *directory);

/* Makes an entry: number << 1 | direction. False: there is no room near its bucket. */
bool directory_insert(struct ct_directory *directory, uint64_t hash, uint32_t entry);
/* Takes it out, if it is there. By its owner: the thread that made it, until it was published, the one that ended its
 * connection, until the control thread has news of that, or the control thread. */
void directory_remove(struct ct_directory *directory, uint64_t hash, uint32_t entry);

static inline uint32_t directory_home(const struct ct_directory *directory, uint64_t hash)
{
    return (uint32_t)((hash >> 32) * directory->n_buckets >> 32);
}

static inline uint32_t directory_next(const struct ct_directory *directory, uint32_t bucket)
{
    return bucket + 1 == directory->n_buckets ? 0 : bucket + 1;
}

static inline void directory_prefetch(const struct ct_directory *directory, uint64_t hash)
{
    rte_prefetch0(&directory->buckets[directory_home(directory, hash)]);
}

/* Entries whose signature agrees, as bits. They may be free. */
static inline uint32_t bucket_match(const struct ct_bucket *bucket, uint16_t signature)
{
#ifdef __SSE2__
    const __m128i wanted = _mm_set1_epi16((short)signature);
    const __m128i first = _mm_cmpeq_epi16(_mm_loadu_si128((const __m128i *)(const void *)bucket->signature), wanted);
    const uint32_t eight = (uint32_t)_mm_movemask_epi8(_mm_packs_epi16(first, _mm_setzero_si128()));

    return eight | (uint32_t)(bucket->signature[8] == signature) << 8 |
           (uint32_t)(bucket->signature[9] == signature) << 9;
#else
    uint32_t found = 0;

    for (unsigned i = 0; i < BUCKET_ENTRIES; i++)
        found |= (uint32_t)(bucket->signature[i] == signature) << i;
    return found;
#endif
}

static inline uint32_t bucket_entry(const struct ct_bucket *bucket, unsigned i)
{
    return __atomic_load_n(&bucket->entry[i], __ATOMIC_ACQUIRE);
}

static inline bool entry_is_used(uint32_t entry)
{
    return entry != 0 && entry != ENTRY_CLAIMED;
}

/* Goes through the entries of a hash that may be meant, in their order: for (walk = walk_begin(...); walk_next(&walk,
 * &entry);) */
struct directory_walk {
    const struct ct_directory *directory;
    uint32_t bucket, left; /* buckets still to go to */
    uint32_t found;        /* entries of the bucket in hand that are still to be looked at */
    uint16_t signature;
};

static inline struct directory_walk walk_begin(const struct ct_directory *directory, uint64_t hash)
{
    const uint32_t home = directory_home(directory, hash);

    return (struct directory_walk){.directory = directory,
                                   .bucket = home,
                                   .left = BUCKETS_PROBED - 1,
                                   .found = bucket_match(&directory->buckets[home], (uint16_t)hash),
                                   .signature = (uint16_t)hash};
}

static inline bool walk_next(struct directory_walk *walk, uint32_t *entry)
{
    for (;;) {
        const struct ct_bucket *bucket = &walk->directory->buckets[walk->bucket];

        while (walk->found != 0) {
            *entry = bucket_entry(bucket, (unsigned)__builtin_ctz(walk->found));
            walk->found &= walk->found - 1;
            if (entry_is_used(*entry))
                return true;
        }
        if (likely(__atomic_load_n(&bucket->passed, __ATOMIC_RELAXED) == 0) || walk->left-- == 0)
            return false;
        walk->bucket = directory_next(walk->directory, walk->bucket);
        walk->found = bucket_match(&walk->directory->buckets[walk->bucket], walk->signature);
    }
}

#endif
