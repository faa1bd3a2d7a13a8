#include "pmd/ct/directory.h"

/* Entries a bucket for which the directory is made: two per connection. One in ten buckets is full then. */
#define ENTRIES_PER_BUCKET 7

bool directory_init(struct ct_directory *directory, uint32_t connections)
{
    directory->n_buckets = (uint32_t)((2 * (uint64_t)connections + ENTRIES_PER_BUCKET - 1) / ENTRIES_PER_BUCKET) +
                           BUCKETS_PROBED; /* so many different ones are there */
    if (!ct_memory_reserve(&directory->memory, directory->n_buckets * sizeof(struct ct_bucket)))
        return false;
    directory->buckets = (struct ct_bucket *)(void *)directory->memory.base;
    return true;
}

void directory_fini(struct ct_directory *directory)
{
    ct_memory_free(&directory->memory);
}

static bool bucket_put(struct ct_bucket *bucket, uint16_t signature, uint32_t entry)
{
    for (unsigned i = 0; i < BUCKET_ENTRIES; i++) {
        uint32_t free = 0;

        if (__atomic_load_n(&bucket->entry[i], __ATOMIC_RELAXED) != 0 ||
            !__atomic_compare_exchange_n(&bucket->entry[i], &free, ENTRY_CLAIMED, false, __ATOMIC_ACQUIRE,
                                         __ATOMIC_RELAXED))
            continue;
        __atomic_store_n(&bucket->signature[i], signature, __ATOMIC_RELAXED);
        __atomic_store_n(&bucket->entry[i], entry, __ATOMIC_RELEASE);
        return true;
    }
    return false;
}

/* The first `n` buckets of a hash have one entry less that passed them. */
static void passed_back(struct ct_directory *directory, uint64_t hash, unsigned n)
{
    uint32_t bucket = directory_home(directory, hash);

    for (; n > 0; n--, bucket = directory_next(directory, bucket))
        __atomic_fetch_sub(&directory->buckets[bucket].passed, 1, __ATOMIC_RELAXED);
}

bool directory_insert(struct ct_directory *directory, uint64_t hash, uint32_t entry)
{
    uint32_t bucket = directory_home(directory, hash);

    for (unsigned n = 0; n < BUCKETS_PROBED; n++, bucket = directory_next(directory, bucket)) {
        if (bucket_put(&directory->buckets[bucket], (uint16_t)hash, entry))
            return true;
        /* Before the entry is seen, so that lookups come as far. */
        __atomic_fetch_add(&directory->buckets[bucket].passed, 1, __ATOMIC_RELEASE);
    }
    passed_back(directory, hash, BUCKETS_PROBED);
    return false;
}

void directory_remove(struct ct_directory *directory, uint64_t hash, uint32_t entry)
{
    uint32_t bucket = directory_home(directory, hash);

    for (unsigned n = 0; n < BUCKETS_PROBED; n++, bucket = directory_next(directory, bucket)) {
        struct ct_bucket *b = &directory->buckets[bucket];

        for (unsigned i = 0; i < BUCKET_ENTRIES; i++) {
            if (__atomic_load_n(&b->entry[i], __ATOMIC_RELAXED) != entry)
                continue;
            __atomic_store_n(&b->entry[i], 0, __ATOMIC_RELEASE);
            passed_back(directory, hash, n);
            return;
        }
    }
}
