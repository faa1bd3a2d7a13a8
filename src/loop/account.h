/* How long the parts of the loop take, by the clock and of the thread's own processor time. Control thread; needs the
 * EAL, whose TSC it reads.
 *
 * The own time tells what took long from what was interrupted. Asking for it is a system call, so it is asked for at
 * most about once a millisecond: what took less than that counts as the thread's own, and of what took longer the own
 * time is known to about a millisecond.
 */
#ifndef SRC_LOOP_ACCOUNT_H
#define SRC_LOOP_ACCOUNT_H

#include <stdint.h>

/* What is done under one name: the runs of all jobs, or timers, that have it. */
struct loop_account {
    const char *name;
    uint64_t runs, total_tsc;
    uint64_t longest_us;     /* of a run, by the clock */
    uint64_t longest_own_us; /* of a run, by the thread's own processor time */
    struct loop_account *next;
};

/* A moment by both clocks. */
struct moment {
    uint64_t tsc, own_ns;
};

#define MOMENT_US 1000 /* so old it may be at the beginning of a run */

uint64_t tsc_to_us(uint64_t tsc);
/* Microseconds since the TSC was `tsc`. */
uint64_t us_since(uint64_t tsc);
struct moment moment_now(void);
/* Makes `*moment` one that is not much more than MOMENT_US before `tsc`, which is about now. */
void moment_follow(struct moment *moment, uint64_t tsc);
/* Processor time of the thread since the moment, in microseconds. A system call. */
uint64_t moment_own_us(const struct moment *moment);

/* A run that began at the TSC `start` and is over. `moment` was there before it began (moment_follow). Returns the TSC
 * of now. */
uint64_t account_note(struct loop_account *account, struct moment *moment, uint64_t start);

#endif
