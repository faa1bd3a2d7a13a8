#include "pmd/emc.h"

#include <errno.h>
#include <string.h>

int emc_init(struct emc *emc, uint32_t entries, int socket)
{
    memset(emc, 0, sizeof *emc);
    if (entries == 0)
        return 0;
    emc->capacity = rte_align32pow2(RTE_MAX(entries, (uint32_t)BUCKET_WAYS));
    emc->mask = emc->capacity / BUCKET_WAYS - 1;
    emc->random = 0x9e3779b9;
    emc->memory = hugemem_alloc((size_t)(emc->mask + 1) * sizeof *emc->buckets, socket);
    emc->buckets = emc->memory.ptr;
    return emc->buckets != NULL ? 0 : -ENOMEM;
}

void emc_fini(struct emc *emc)
{
    hugemem_free(&emc->memory);
}

static uint32_t emc_random(struct emc *emc)
{
    uint32_t x = emc->random; /* xorshift32 */

    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return emc->random = x;
}

/* A way of a full bucket that may go, or -1: all were hit since the last time. */
static int emc_victim(struct emc_bucket *bucket)
{
    for (unsigned i = 0; i < BUCKET_WAYS; i++) {
        unsigned way = (bucket->hand + i) % BUCKET_WAYS;

        if (!(bucket->used & (1u << way))) {
            bucket->hand = (way + 1) % BUCKET_WAYS;
            return (int)way;
        }
    }
    bucket->used = 0;
    return -1;
}

void emc_insert(struct emc *emc, uint32_t hash, uint32_t id)
{
    struct emc_bucket *bucket = emc_bucket(emc, hash);
    uint16_t signature = emc_signature(hash);
    uint32_t free = signature_ways(bucket->signature, 0);
    int way;

    for (uint32_t same = signature_ways(bucket->signature, signature); same != 0; same &= same - 1) {
        if (bucket->id[__builtin_ctz(same)] == id)
            return;
    }
    if (free != 0) {
        way = __builtin_ctz(free);
        __atomic_store_n(&emc->n_used, emc->n_used + 1, __ATOMIC_RELAXED);
    } else {
        if (emc_random(emc) % EMC_REPLACE_ONE_IN != 0)
            return;
        way = emc_victim(bucket);
        if (way < 0)
            return;
    }
    bucket->signature[way] = signature;
    bucket->id[way] = id;
    bucket->used &= (uint8_t) ~(1u << way);
}
