/* The clock of timeouts and timers. Any thread may read it; clock_set_source() is for whoever has no other thread yet.
 *
 * Budgets, which say how long something may take, are measured with the TSC instead: they are about time that passes
 * while a function runs.
 */
#ifndef PMD_BASE_CLOCK_H
#define PMD_BASE_CLOCK_H

#include <stdint.h>

/* Microseconds of CLOCK_MONOTONIC; never goes back. */
uint64_t clock_now_us(void);
/* Milliseconds of CLOCK_MONOTONIC: clock_now_us() / 1000. */
uint64_t clock_now_ms(void);

/* The first multiple of `period` after `now`, both in the same unit. What has to be done again and again, and not at
 * an exact time, is due then: a thread that has nothing else to do wakes up once for all of it. */
static inline uint64_t clock_beat(uint64_t now, uint64_t period)
{
    return (now / period + 1) * period;
}

/* Takes the time from `now_us` (microseconds, never back) from now on; NULL: from CLOCK_MONOTONIC again. Simulations
 * and tests move time on by it. */
typedef uint64_t clock_source_fn(void);
void clock_set_source(clock_source_fn *now_us);

#endif
