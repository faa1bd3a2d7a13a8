/* The exact-match cache: hash of the full key -> megaflow, as signatures. One per poll-mode thread, which alone touches
 * it.
 *
 * 8 bytes a flow instead of a whole key. A hit is confirmed by comparing the packet with the megaflow, which is right
 * because megaflows agree where they overlap; an entry of a megaflow that is gone fails that check. Lookups are in
 * lookup_impl.h.
 */
#ifndef PMD_EMC_H
#define PMD_EMC_H

#include <rte_common.h>
#include <stdint.h>

#include "pmd/hugemem.h"
#include "pmd/signature.h"

struct emc_bucket {
    uint16_t signature[BUCKET_WAYS];
    uint32_t id[BUCKET_WAYS];
    uint8_t used; /* ways that were hit since the hand came by (CLOCK) */
    uint8_t hand; /* the way to look at next */
    uint8_t unused[14];
} __attribute__((aligned(64)));

_Static_assert(sizeof(struct emc_bucket) == 64, "a bucket is one cache line");

struct emc {
    struct emc_bucket *buckets;
    uint32_t mask;     /* number of buckets - 1 */
    uint32_t capacity; /* entries; 0 = there is no cache */
    uint32_t n_used;
    uint32_t random;
    struct hugemem memory;
};

/* `entries` is rounded up to a power of two; 0: no cache. Returns 0 or -ENOMEM. Control thread. */
int emc_init(struct emc *emc, uint32_t entries, int socket);
void emc_fini(struct emc *emc);

static inline struct emc_bucket *emc_bucket(const struct emc *emc, uint32_t hash)
{
    return &emc->buckets[hash & emc->mask];
}

static inline uint16_t emc_signature(uint32_t hash)
{
    return signature_nonzero((uint16_t)(hash >> 16));
}

/* Remembers that packets with this hash go to megaflow `id`. A free way is always taken; in a full bucket only one in
 * EMC_REPLACE_ONE_IN asks for a way, and gets one that was not hit lately: a scan of flows of one packet each cannot
 * flush flows that come back. */
#define EMC_REPLACE_ONE_IN 8
void emc_insert(struct emc *emc, uint32_t hash, uint32_t id);

#endif
