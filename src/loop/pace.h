/* How the control thread shares its time between packets that miss, which may be without end, and everybody else. Pure
 * arithmetic on microseconds; control thread.
 */
#ifndef SRC_LOOP_PACE_H
#define SRC_LOOP_PACE_H

#include <stdbool.h>
#include <stdint.h>

#define PACE_MISSES_US 200      /* of misses between two looks at the sockets while nobody talks to the switch */
#define PACE_MISSES_TALK_US 15  /* the same while somebody does */
#define PACE_MISSES_MOST_US 600 /* the most, whatever everybody else took */
#define PACE_TALK_US 1000       /* for so long after its last request a peer is expected to go on */

/* Returns for how many microseconds to work off misses now. Everything else took `others_us` since their last turn.
 * `talking`: a request is under way or was answered less than PACE_TALK_US ago.
 *
 * Misses get as long as everything else took: half of the time, whatever requests come. */
uint64_t pace_misses_us(uint64_t others_us, bool talking);

/* Giving the core away for a moment. A peer on the thread's own core that has got an answer can read it only once the
 * kernel lets it run, which it does a few milliseconds later if the thread goes on with misses. */
struct pace_yield {
    uint64_t again_us; /* not before then */
};

/* Whether to call sched_yield() at the time `now_us`. */
bool pace_may_yield(const struct pace_yield *yield, uint64_t now_us);
/* Notes that the core was away for `took_us`, until `now_us`. A peer takes a few microseconds and waits for its next
 * answer. What takes longer is something else that wants the core: then the thread keeps it for ten times as long. */
void pace_yielded(struct pace_yield *yield, uint64_t took_us, uint64_t now_us);

#endif
