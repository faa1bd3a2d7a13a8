/* Token buckets over all poll-mode threads together, without locks: meters (meter.h) and policers (policer.h) are made
 * of them.
 *
 * A bucket is one number, the time at which it will be full again. Threads move it on by compare-and-swap, once for a
 * burst of packets. Times are parts of a TSC cycle since some start; 2^58 cycles are years.
 */
#ifndef PMD_BUCKET_H
#define PMD_BUCKET_H

#include <rte_common.h>
#include <rte_mbuf.h>
#include <stdint.h>

#include "pmd/offload.h"

#define BUCKET_TIME_SHIFT 6
/* The time that a byte takes has so many fractional bits: at high rates it is less than a cycle. */
#define BUCKET_BYTE_SHIFT 20
#define BUCKET_BATCH 64 /* packets; bits of a word */
/* A bucket holds at least so much of the rate: a thread that does not run for a moment must not lose what is due. */
#define BUCKET_LEAST_MS 5

struct bucket_rate {
    uint64_t packet_time; /* that a packet takes at this rate; 0: it is the bytes that count */
    uint64_t byte_time;   /* << BUCKET_BYTE_SHIFT */
    uint64_t burst_time;  /* to fill the bucket */
};

/* `rate` packets, or bits, a second, of which the bucket holds `burst`; `hz` is the clock. A rate of 0 is taken for 1.
 */
struct bucket_rate bucket_rate_of_packets(uint64_t hz, uint64_t rate, uint64_t burst);
struct bucket_rate bucket_rate_of_bits(uint64_t hz, uint64_t rate, uint64_t burst);
/* burst_time of a bucket that holds what is due in so many milliseconds. */
uint64_t bucket_burst_ms(uint64_t hz, unsigned ms);

/* What a clock since `start` says at `tsc`; clocks of cores may differ a little. */
static inline uint64_t bucket_time(uint64_t start, uint64_t tsc)
{
    return tsc > start ? (tsc - start) << BUCKET_TIME_SHIFT : 0;
}

/* `header`: bytes of each packet that do not count. A packet that is not cut into segments yet counts as them. */
static inline uint64_t bucket_time_of(const struct bucket_rate *rate, const struct rte_mbuf *packet, uint32_t header)
{
    if (rate->packet_time != 0)
        return rate->packet_time * offload_packets(packet);
    uint64_t bytes = offload_bytes(packet);
    if (header > 0)
        bytes -= RTE_MIN(bytes, (uint64_t)header * offload_packets(packet));
    return (uint64_t)((__uint128_t)rate->byte_time * bytes >> BUCKET_BYTE_SHIFT);
}

/* Takes from the bucket what the `n` packets (at most BUCKET_BATCH) need at time `now`, and returns those that exceed
 * it. A packet is in bounds if the bucket is not empty, whatever its length: so the rate is kept for packets longer
 * than the bucket, too. */
static inline uint64_t bucket_take(const struct bucket_rate *rate, uint64_t *bucket, uint64_t now,
                                   struct rte_mbuf *const *packets, unsigned n, uint32_t header)
{
    uint64_t before = __atomic_load_n(bucket, __ATOMIC_RELAXED), full_at, exceed;

    do {
        uint64_t start = RTE_MAX(before, now);

        full_at = start;
        exceed = 0;
        for (unsigned i = 0; i < n; i++) {
            if (full_at - now < rate->burst_time)
                full_at += bucket_time_of(rate, packets[i], header);
            else
                exceed |= UINT64_C(1) << i;
        }
        if (full_at == start)
            break;
    } while (!__atomic_compare_exchange_n(bucket, &before, full_at, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    return exceed;
}

#endif
