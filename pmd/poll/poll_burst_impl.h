/* What the files of a burst's way share: poll_burst.c, poll_pop.c, which takes it out of a tunnel, and poll_track.c,
 * which has it tracked. Poll-mode threads. */
#ifndef PMD_POLL_POLL_BURST_IMPL_H
#define PMD_POLL_POLL_BURST_IMPL_H

#include "pmd/poll/poll_thread.h"

static inline uint32_t id_of(const struct poll_thread *thread, const struct megaflow_slot *slot)
{
    return megaflow_index(thread->slots, slot);
}

static inline const struct program *program_of(const struct megaflow_slot *slot)
{
    return __atomic_load_n(&slot->program, __ATOMIC_ACQUIRE);
}

/* Whether packets that hit may belong to a flow that is unresolved: they must wait behind its first then. A megaflow is
 * there as soon as the control thread has installed it, the first packet comes back a little later, and if the megaflow
 * is wide, those of other flows later still. But a flow that missed after the megaflow's first hit is not its own. */
static inline bool megaflow_young(const struct poll_thread *thread, uint32_t id)
{
    return unlikely(pending_count(&thread->pending) > 0) &&
           (thread->megaflow_counters[id].packets == 0 ||
            pending_before(&thread->pending, thread->megaflow_rare[id].born));
}

/* Counts packets that took `slot`. */
static inline void account(struct poll_thread *thread, const struct megaflow_slot *slot, uint32_t packets,
                           uint32_t bytes)
{
    uint32_t id = id_of(thread, slot);
    struct megaflow_counters *counters = &thread->megaflow_counters[id];

    if (unlikely(counters->packets == 0))
        thread->megaflow_rare[id].born = pending_clock(thread->now);
    COUNT(counters->bytes, bytes);
    if (unlikely(counters->bytes < bytes))
        __atomic_store_n(&thread->megaflow_rare[id].byte_wraps, thread->megaflow_rare[id].byte_wraps + 1,
                         __ATOMIC_RELEASE);
    /* Last: who sees these packets sees their bytes. */
    __atomic_store_n(&counters->packets, counters->packets + packets, __ATOMIC_RELEASE);
}

/* --- poll_pop.c ---------------------------------------------------------- */

/* Runs `pop` on packets that agree in thread->context and, in keys[], need nothing any more, if all of them come out of
 * one tunnel and go on by its dominant megaflow, which sends them: nothing is written to their private areas. False: it
 * did nothing. */
bool pop_burst(struct poll_thread *thread, const struct op_tunnel_pop *pop, struct rte_mbuf **packets, unsigned n);

/* --- poll_track.c -------------------------------------------------------- */

/* Whether track_burst() may have the packets: they are tracked for the first time, and none is a fragment, which the
 * tracker keeps. */
bool track_can_take(const struct poll_thread *thread, struct rte_mbuf *const *packets, unsigned n);
/* Runs PROGRAM_TRACK, the program of `slot`, on a burst whose keys are in hand. Where it goes on by one megaflow, which
 * looks at nothing but the key's first line, it is sent at once: nothing is written to the packets' private areas. */
void track_burst(struct poll_thread *thread, struct megaflow_slot *slot, const struct program *program,
                 struct rte_mbuf **packets, unsigned n);
/* For groups whose programs begin by tracking, in different zones: what the tracker will need of their packets is on
 * its way before the first of them runs. */
void track_prefetch_groups(struct poll_thread *thread);
void track_sink_ct(void *arg, const struct ct_request *request, struct rte_mbuf *const *packets, unsigned n,
                   uint8_t *verdicts);
struct rte_mbuf *track_sink_fragment(void *arg, const struct rte_mbuf *by, uint8_t *result);

#endif
