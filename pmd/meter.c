#include "pmd/meter.h"

#include <rte_common.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/bucket.h"

struct band {
    struct bucket_rate rate;
    uint8_t verdict;
};

struct thread_counts {
    struct meter_counts counts;
} __rte_cache_aligned;

struct meter {
    unsigned n_bands, n_threads;
    uint64_t start; /* TSC */
    struct band bands[METER_BANDS_MAX];
    uint8_t by_rate[METER_BANDS_MAX]; /* the highest first */
    /* When each band's bucket will be full. Written by all threads. */
    uint64_t full_at[METER_BANDS_MAX] __rte_cache_aligned;
    struct thread_counts threads[];
};

static void band_init(struct band *band, const struct meter_config *config, const struct meter_band *from, uint64_t hz)
{
    const uint64_t rate = RTE_MAX(from->rate, 1u), burst = from->burst;

    band->verdict = from->type == METER_DROP_BAND ? METER_DROP : RTE_MIN(from->prec_level, 3);
    band->rate =
        config->packets ? bucket_rate_of_packets(hz, rate, burst) : bucket_rate_of_bits(hz, rate * 1000, burst * 1000);
    if (burst == 0)
        band->rate.burst_time = bucket_burst_ms(hz, METER_BURST_MS);
}

static void sort_by_rate(struct meter *meter, const struct meter_config *config)
{
    for (unsigned i = 0; i < meter->n_bands; i++) {
        unsigned at = i;

        for (; at > 0 && config->bands[meter->by_rate[at - 1]].rate < config->bands[i].rate; at--)
            meter->by_rate[at] = meter->by_rate[at - 1];
        meter->by_rate[at] = (uint8_t)i;
    }
}

struct meter *meter_create(const struct meter_config *config, unsigned n_threads, uint64_t tsc_hz, uint64_t now)
{
    size_t size = sizeof(struct meter) + n_threads * sizeof(struct thread_counts);
    struct meter *meter = aligned_alloc(RTE_CACHE_LINE_SIZE, size);

    if (!meter)
        return NULL;
    memset(meter, 0, size);
    meter->n_bands = RTE_MIN(config->n_bands, (unsigned)METER_BANDS_MAX);
    meter->n_threads = n_threads;
    meter->start = now;
    for (unsigned i = 0; i < meter->n_bands; i++)
        band_init(&meter->bands[i], config, &config->bands[i], tsc_hz);
    sort_by_rate(meter, config);
    return meter;
}

#define ADD(counter, n) __atomic_store_n(&(counter), (counter) + (n), __ATOMIC_RELAXED)

static void batch_run(struct meter *meter, struct meter_counts *counts, uint64_t now, struct rte_mbuf *const *packets,
                      unsigned n, uint8_t *verdicts)
{
    uint64_t decided = 0, bytes = 0, all = 0;

    for (unsigned i = 0; i < n; i++) {
        all += offload_packets(packets[i]);
        bytes += offload_bytes(packets[i]);
        verdicts[i] = METER_PASS;
    }
    ADD(counts->packets, all);
    ADD(counts->bytes, bytes);
    /* OpenFlow 1.3.5, 5.7.1: of the bands that are exceeded the one with the highest rate applies. */
    for (unsigned r = 0; r < meter->n_bands; r++) {
        unsigned b = meter->by_rate[r];
        uint64_t applied = 0;
        uint64_t exceed = bucket_take(&meter->bands[b].rate, &meter->full_at[b], now, packets, n, 0) & ~decided;

        if (exceed == 0)
            continue;
        decided |= exceed;
        bytes = 0;
        for (; exceed != 0; exceed &= exceed - 1) {
            unsigned i = (unsigned)__builtin_ctzll(exceed);

            verdicts[i] = meter->bands[b].verdict;
            bytes += offload_bytes(packets[i]);
            applied += offload_packets(packets[i]);
        }
        ADD(counts->band_packets[b], applied);
        ADD(counts->band_bytes[b], bytes);
    }
}

void meter_run(struct meter *meter, unsigned thread, uint64_t now, struct rte_mbuf *const *packets, unsigned n,
               uint8_t *verdicts)
{
    now = bucket_time(meter->start, now);
    for (unsigned i = 0; i < n; i += BUCKET_BATCH)
        batch_run(meter, &meter->threads[thread].counts, now, packets + i, RTE_MIN(n - i, (unsigned)BUCKET_BATCH),
                  verdicts + i);
}

void meter_sum(const struct meter *meter, struct meter_counts *counts)
{
    uint64_t *sum = (uint64_t *)counts;

    memset(counts, 0, sizeof *counts);
    for (unsigned t = 0; t < meter->n_threads; t++) {
        const uint64_t *from = (const uint64_t *)&meter->threads[t].counts;

        for (unsigned i = 0; i < sizeof *counts / sizeof *sum; i++)
            sum[i] += __atomic_load_n(&from[i], __ATOMIC_RELAXED);
    }
}
