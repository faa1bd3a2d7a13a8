#include "pmd/policer.h"

#include <stdlib.h>
#include <string.h>

#include "pmd/bucket.h"

#define BUCKETS 2 /* of bits, of packets */

struct policer {
    uint64_t start; /* TSC */
    uint32_t header;
    unsigned n;
    struct bucket_rate rates[BUCKETS];
    /* Written by all threads. */
    uint64_t full_at[BUCKETS] __rte_cache_aligned;
};

struct policer *policer_create(const struct policer_config *config, uint64_t tsc_hz, uint64_t now)
{
    struct policer *policer = aligned_alloc(RTE_CACHE_LINE_SIZE, sizeof *policer);

    if (!policer)
        return NULL;
    memset(policer, 0, sizeof *policer);
    policer->start = now;
    policer->header = config->header;
    if (config->bits)
        policer->rates[policer->n++] = bucket_rate_of_bits(tsc_hz, config->bits, config->burst_bits);
    if (config->packets)
        policer->rates[policer->n++] = bucket_rate_of_packets(tsc_hz, config->packets, config->burst_packets);
    return policer;
}

/* Moves the packets in the bit set `out` behind the others. Returns how many others there are. */
static unsigned set_apart(struct rte_mbuf **packets, unsigned n, uint64_t out)
{
    struct rte_mbuf *behind[BUCKET_BATCH];
    unsigned kept = 0, n_behind = 0;

    for (unsigned i = 0; i < n; i++) {
        if (out >> i & 1)
            behind[n_behind++] = packets[i];
        else
            packets[kept++] = packets[i];
    }
    memcpy(packets + kept, behind, n_behind * sizeof behind[0]);
    return kept;
}

/* What one bucket drops takes nothing from the next. */
unsigned policer_run(struct policer *policer, uint64_t now, struct rte_mbuf **packets, unsigned n)
{
    const uint64_t time = bucket_time(policer->start, now);

    for (unsigned b = 0; b < policer->n && n > 0; b++) {
        uint64_t exceed = bucket_take(&policer->rates[b], &policer->full_at[b], time, packets, n, policer->header);

        if (exceed != 0)
            n = set_apart(packets, n, exceed);
    }
    return n;
}
