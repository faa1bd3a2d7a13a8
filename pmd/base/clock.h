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

/* Takes the time from `now_us` (microseconds, never back) from now on; NULL: from CLOCK_MONOTONIC again. Simulations
 * and tests move time on by it. */
typedef uint64_t clock_source_fn(void);
void clock_set_source(clock_source_fn *now_us);

#endif
