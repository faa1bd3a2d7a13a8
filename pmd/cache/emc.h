/* The exact-match cache: hash of the full key -> megaflow, as signatures. One per poll-mode thread, which alone touches
 * it.
 *
 * About 4 bytes a flow instead of a whole key. A hit is confirmed by comparing the packet with the megaflow, which is
 * right because megaflows agree where they overlap; an entry of a megaflow that is gone fails that check. Lookups are
 * in lookup_impl.h.
 */
#ifndef PMD_CACHE_EMC_H
#define PMD_CACHE_EMC_H

#include <rte_byteorder.h>
#include <rte_common.h>
#include <stdint.h>
#include <string.h>

#include "pmd/base/hugemem.h"
#include "pmd/cache/signature.h"

#define EMC_WAYS 15
#define EMC_ID_BITS 24

/* As many flows to a line as fit: with many flows each packet brings a line of them. The signature only has to keep
 * most lookups from a second megaflow. */
struct emc_bucket {
    uint8_t signature[EMC_WAYS + 1]; /* the last one is none */
    uint8_t id[EMC_WAYS * 3];        /* little-endian */
    uint8_t hand;                    /* the way to look at next (CLOCK); the last id is read as four bytes */
    uint16_t used;                   /* ways that were hit since the hand came by */
} __attribute__((aligned(64)));

_Static_assert(sizeof(struct emc_bucket) == 64, "a bucket is one cache line");

struct emc {
    struct emc_bucket *buckets;
    uint32_t n_buckets;
    uint32_t capacity; /* entries; 0 = there is no cache */
    uint32_t n_used;
    uint32_t random;
    struct hugemem memory;
};

/* At least `entries`; 0: no cache. Returns 0 or -ENOMEM. Control thread. */
int emc_init(struct emc *emc, uint32_t entries, int socket);
void emc_fini(struct emc *emc);

/* By the hash's upper bits; the signature is the lower ones. */
static inline struct emc_bucket *emc_bucket(const struct emc *emc, uint32_t hash)
{
    return &emc->buckets[((uint64_t)hash * emc->n_buckets) >> 32];
}

/* Never 0, which is an empty way. */
static inline uint8_t emc_signature(uint32_t hash)
{
    uint8_t signature = (uint8_t)hash;

    return signature != 0 ? signature : 1;
}

/* The ways that have the signature, as bits. */
static inline uint32_t emc_ways(const struct emc_bucket *bucket, uint8_t signature)
{
    return signature_ways_16(bucket->signature, signature) & ((1u << EMC_WAYS) - 1);
}

static inline uint32_t emc_id(const struct emc_bucket *bucket, uint32_t way)
{
    uint32_t id;

    memcpy(&id, bucket->id + 3 * way, sizeof id);
    return rte_le_to_cpu_32(id) & ((1u << EMC_ID_BITS) - 1);
}

/* Remembers that packets with this hash go to megaflow `id`. A free way is always taken; in a full bucket only one in
 * EMC_REPLACE_ONE_IN asks for a way, and gets one that was not hit lately: a scan of flows of one packet each cannot
 * flush flows that come back. */
#define EMC_REPLACE_ONE_IN 8
void emc_insert(struct emc *emc, uint32_t hash, uint32_t id);

#endif
