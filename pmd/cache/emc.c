#include "pmd/cache/emc.h"

#include <errno.h>
#include <string.h>

int emc_init(struct emc *emc, uint32_t entries, int socket)
{
    memset(emc, 0, sizeof *emc);
    if (entries == 0)
        return 0;
    emc->n_buckets = (entries + EMC_WAYS - 1) / EMC_WAYS;
    emc->capacity = emc->n_buckets * EMC_WAYS;
    emc->random = 0x9e3779b9;
    emc->memory = hugemem_alloc(emc->n_buckets * sizeof *emc->buckets, socket);
    emc->buckets = emc->memory.ptr;
    return emc->buckets ? 0 : -ENOMEM;
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
    for (unsigned i = 0; i < EMC_WAYS; i++) {
        unsigned way = (bucket->hand + i) % EMC_WAYS;

        if (!(bucket->used & (1u << way))) {
            bucket->hand = (uint8_t)((way + 1) % EMC_WAYS);
            return (int)way;
        }
    }
    bucket->used = 0;
    return -1;
}

static void emc_set(struct emc_bucket *bucket, unsigned way, uint8_t signature, uint32_t id)
{
    uint32_t bytes = rte_cpu_to_le_32(id);

    bucket->signature[way] = signature;
    memcpy(bucket->id + 3 * way, &bytes, 3);
    bucket->used &= (uint16_t) ~(1u << way);
}

void emc_insert(struct emc *emc, uint32_t hash, uint32_t id)
{
    struct emc_bucket *bucket = emc_bucket(emc, hash);
    uint8_t signature = emc_signature(hash);
    uint32_t free = emc_ways(bucket, 0);

    for (uint32_t same = emc_ways(bucket, signature); same != 0; same &= same - 1) {
        if (emc_id(bucket, (uint32_t)__builtin_ctz(same)) == id)
            return;
    }
    if (free != 0) {
        emc_set(bucket, (unsigned)__builtin_ctz(free), signature, id);
        __atomic_store_n(&emc->n_used, emc->n_used + 1, __ATOMIC_RELAXED);
    } else if (emc_random(emc) % EMC_REPLACE_ONE_IN == 0) {
        int way = emc_victim(bucket);

        if (way >= 0)
            emc_set(bucket, (unsigned)way, signature, id);
    }
}
