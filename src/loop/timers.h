/* Timers by the time at which they are due: a binary heap. Control thread.
 *
 * It knows no clock: whoever uses it says what time it is. The memory of a timer is its owner's, who takes it out
 * before it is freed; the heap holds pointers. */
#ifndef SRC_LOOP_TIMERS_H
#define SRC_LOOP_TIMERS_H

#include <stdint.h>

struct timer {
    uint64_t due_us;
    uint64_t order; /* of those that are due at the same time, the one that was set first comes first */
    uint32_t place; /* in the heap, from 1; 0 = not set, as of zeroed memory */
};

struct timers {
    struct timer **heap; /* heap[0] is not used */
    uint32_t n, room;
    uint64_t order;
};

/* Sets the timer, or sets it anew. */
void timers_set(struct timers *timers, struct timer *timer, uint64_t due_us);
/* A timer that is not set stays so. */
void timers_cancel(struct timers *timers, struct timer *timer);
/* Takes out and returns the timer that is due first; NULL: none is due at `now_us`. */
struct timer *timers_pop(struct timers *timers, uint64_t now_us);
/* When the next one is due; UINT64_MAX: none is set. */
uint64_t timers_next_us(const struct timers *timers);
/* Timers that are set are forgotten; they are not touched. */
void timers_fini(struct timers *timers);

#endif
