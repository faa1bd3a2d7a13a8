#include "src/loop/pace.h"

#include <rte_common.h>

/* A sched_yield() that took so long gave the core to somebody else; then it is not given away for a while. */
#define YIELD_LONG_US 100
#define YIELD_REST 10 /* times what a long one took */

uint64_t pace_misses_us(uint64_t others_us, bool talking)
{
    uint64_t least = talking ? PACE_MISSES_TALK_US : PACE_MISSES_US;

    if (others_us >= PACE_MISSES_MOST_US)
        return PACE_MISSES_MOST_US;
    return RTE_MIN(RTE_MAX(others_us, least), (uint64_t)PACE_MISSES_MOST_US);
}

bool pace_may_yield(const struct pace_yield *yield, uint64_t now_us)
{
    return now_us >= yield->again_us;
}

void pace_yielded(struct pace_yield *yield, uint64_t took_us, uint64_t now_us)
{
    if (took_us > YIELD_LONG_US)
        yield->again_us = now_us + YIELD_REST * took_us;
}
