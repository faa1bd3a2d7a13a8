/* Quiescent-state reclamation between the control thread (the one writer) and the poll-mode threads (readers).
 *
 * The scheme of rte_rcu_qsbr with one difference: a reader's report comes in two halves. It observes the token, then
 * works off what had been handed to it until then (its inbox), sends what it decided, and publishes what it observed.
 * So a token that has passed covers packets under way as well as pointers: what a barrier needs. A reader that is
 * offline (asleep, not started) holds up no token, unless its inbox holds something.
 */
#ifndef PMD_RCU_H
#define PMD_RCU_H

#include <rte_common.h>
#include <rte_ring.h>
#include <stdbool.h>
#include <stdint.h>

#define RCU_READERS_MAX 64
#define RCU_OFFLINE 0
#define RCU_FIRST_TOKEN 1

/* On a line of its own: each reader writes one. */
struct rcu_reader {
    uint64_t seen; /* the last token published, or RCU_OFFLINE */
    const struct rte_ring *inbox;
} __rte_cache_aligned;

struct rcu_chunk;

/* Deferred calls that fall due together, in the order in which they were made. In chunks, so that none is moved. */
struct rcu_batch {
    struct rcu_chunk *first, *last;
};

struct rcu {
    uint64_t token __rte_cache_aligned; /* read by all, written by the control thread */
    unsigned n_readers;
    struct rcu_reader readers[RCU_READERS_MAX];

    /* Control thread: what was deferred since the last token, and what waits for `waiting_token`. */
    struct rcu_batch fresh, waiting;
    uint64_t waiting_token;
    bool waiting_due; /* it has passed, and not all calls have been made */

    /* Control thread: something was replaced or handed over since the last token; else: the token that covers all that
     * was. */
    bool touched;
    uint64_t settle_token;
};

void rcu_init(struct rcu *rcu, unsigned n_readers);
/* Runs everything deferred; no reader may be online. */
void rcu_fini(struct rcu *rcu);

/* Control thread. */
uint64_t rcu_token(struct rcu *rcu);
bool rcu_passed(const struct rcu *rcu, uint64_t token);
bool rcu_reader_passed(const struct rcu *rcu, unsigned reader, uint64_t token);
/* Calls fn(ptr) a grace period later. Without memory for that it waits for the grace period and calls at once: what
 * `ptr` is must be out of the readers' sight already. */
void rcu_defer(struct rcu *rcu, void (*fn)(void *), void *ptr);
/* Notes that something was replaced or removed that readers decide by, or that a packet was handed to a reader.
 * rcu_defer() notes it by itself. */
static inline void rcu_touch(struct rcu *rcu)
{
    rcu->touched = true;
}
/* True if a token that covers everything touched has passed: a new one would tell nothing more. */
bool rcu_settled(const struct rcu *rcu);
/* Makes calls that are due, some hundred at most. True: there are more. */
bool rcu_reclaim(struct rcu *rcu);

/* --- readers ------------------------------------------------------------- */

/* From here on the reader may hold pointers. `seen` is what it published last: tokens drawn while it was offline wait
 * for its next report, because its inbox may hold packets from before. */
static inline void rcu_online(struct rcu *rcu, unsigned reader, uint64_t seen)
{
    __atomic_store_n(&rcu->readers[reader].seen, seen, __ATOMIC_SEQ_CST);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static inline uint64_t rcu_observe(const struct rcu *rcu)
{
    return __atomic_load_n(&rcu->token, __ATOMIC_ACQUIRE);
}

/* The reader holds nothing from before rcu_observe() returned `observed`. */
static inline void rcu_publish(struct rcu *rcu, unsigned reader, uint64_t observed)
{
    __atomic_store_n(&rcu->readers[reader].seen, observed, __ATOMIC_RELEASE);
}

static inline void rcu_offline(struct rcu *rcu, unsigned reader)
{
    __atomic_store_n(&rcu->readers[reader].seen, RCU_OFFLINE, __ATOMIC_RELEASE);
}

#endif
