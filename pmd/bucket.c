#include "pmd/bucket.h"

/* A second of this clock, as buckets tell time. */
static __uint128_t second_of(uint64_t hz)
{
    return (__uint128_t)hz << BUCKET_TIME_SHIFT;
}

uint64_t bucket_burst_ms(uint64_t hz, unsigned ms)
{
    return (uint64_t)(second_of(hz) * RTE_MAX(ms, (unsigned)BUCKET_LEAST_MS) / 1000);
}

static uint64_t burst_time(uint64_t hz, uint64_t rate, uint64_t burst)
{
    const __uint128_t most = UINT64_MAX / 4, time = second_of(hz) * burst / rate;

    return RTE_MAX(time > most ? (uint64_t)most : (uint64_t)time, bucket_burst_ms(hz, 0));
}

struct bucket_rate bucket_rate_of_packets(uint64_t hz, uint64_t rate, uint64_t burst)
{
    rate = RTE_MAX(rate, UINT64_C(1));
    return (struct bucket_rate){
        .packet_time = RTE_MAX((uint64_t)(second_of(hz) / rate), UINT64_C(1)),
        .burst_time = burst_time(hz, rate, burst),
    };
}

struct bucket_rate bucket_rate_of_bits(uint64_t hz, uint64_t rate, uint64_t burst)
{
    rate = RTE_MAX(rate, UINT64_C(1));
    return (struct bucket_rate){
        .byte_time = RTE_MAX((uint64_t)((second_of(hz) * 8 << BUCKET_BYTE_SHIFT) / rate), UINT64_C(1)),
        .burst_time = burst_time(hz, rate, burst),
    };
}
