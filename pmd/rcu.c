#include "pmd/rcu.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pmd/base/memory.h"

void rcu_init(struct rcu *rcu, unsigned n_readers)
{
    memset(rcu, 0, sizeof *rcu);
    rcu->token = RCU_FIRST_TOKEN;
    rcu->n_readers = n_readers;
}

#define CHUNK_ITEMS 255
#define RECLAIM_ITEMS 512 /* calls of one rcu_reclaim() */
#define WAIT_US 10
#define WAITS_MAX 10000

struct rcu_chunk {
    struct rcu_chunk *next;
    uint32_t n, done; /* items, those that were called */
    struct rcu_deferred {
        void (*fn)(void *);
        void *ptr;
    } items[CHUNK_ITEMS];
};

/* Makes up to `most` of the calls, which may defer others: those go to the fresh batch. True: there are more. */
static bool batch_run(struct rcu_batch *batch, uint32_t most)
{
    struct rcu_chunk *chunk;

    while ((chunk = batch->first)) {
        while (chunk->done < chunk->n) {
            const struct rcu_deferred item = chunk->items[chunk->done];

            if (most-- == 0)
                return true;
            chunk->done++;
            item.fn(item.ptr);
        }
        batch->first = chunk->next;
        free(chunk);
    }
    batch->last = NULL;
    return false;
}

static void fresh_to_waiting(struct rcu *rcu)
{
    rcu->waiting = rcu->fresh;
    rcu->fresh = (struct rcu_batch){0};
}

void rcu_fini(struct rcu *rcu)
{
    while (rcu->waiting.first || rcu->fresh.first) {
        batch_run(&rcu->waiting, UINT32_MAX);
        fresh_to_waiting(rcu);
    }
}

uint64_t rcu_token(struct rcu *rcu)
{
    /* Sequentially consistent: what the caller unpublished before is visible to whoever comes online unseen. */
    uint64_t token = __atomic_add_fetch(&rcu->token, 1, __ATOMIC_SEQ_CST);

    if (rcu->touched) {
        rcu->touched = false;
        rcu->settle_token = token;
    }
    return token;
}

bool rcu_reader_passed(const struct rcu *rcu, unsigned i, uint64_t token)
{
    const struct rcu_reader *reader = &rcu->readers[i];

    /* In this order: if the inbox is empty, what it held was taken by the reader while online, and its `seen` tells
     * whether that was worked off. */
    bool empty = !reader->inbox || rte_ring_empty(reader->inbox);
    uint64_t seen;

    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    seen = __atomic_load_n(&reader->seen, __ATOMIC_SEQ_CST);
    return seen == RCU_OFFLINE ? empty : seen >= token;
}

bool rcu_passed(const struct rcu *rcu, uint64_t token)
{
    for (unsigned i = 0; i < rcu->n_readers; i++)
        if (!rcu_reader_passed(rcu, i, token))
            return false;
    return true;
}

bool rcu_settled(const struct rcu *rcu)
{
    return !rcu->touched && rcu_passed(rcu, rcu->settle_token);
}

/* There is no memory to remember the call. A grace period is some ten microseconds, so it is waited for. */
static void call_after_grace_period(struct rcu *rcu, void (*fn)(void *), void *ptr)
{
    uint64_t token = rcu_token(rcu);

    for (unsigned waits = 0; !rcu_passed(rcu, token); waits++) {
        if (waits == WAITS_MAX)
            out_of_memory("deferred frees", sizeof(struct rcu_chunk));
        usleep(WAIT_US);
    }
    fn(ptr);
}

void rcu_defer(struct rcu *rcu, void (*fn)(void *), void *ptr)
{
    struct rcu_batch *batch = &rcu->fresh;
    struct rcu_chunk *chunk = batch->last;

    if (!chunk || chunk->n == CHUNK_ITEMS) {
        chunk = malloc(sizeof *chunk);
        if (!chunk) {
            call_after_grace_period(rcu, fn, ptr);
            return;
        }
        chunk->next = NULL;
        chunk->n = chunk->done = 0;
        *(batch->last != NULL ? &batch->last->next : &batch->first) = chunk;
        batch->last = chunk;
    }
    chunk->items[chunk->n++] = (struct rcu_deferred){fn, ptr};
    rcu_touch(rcu);
}

bool rcu_reclaim(struct rcu *rcu)
{
    if (rcu->waiting.first) {
        if (!rcu->waiting_due && !rcu_passed(rcu, rcu->waiting_token))
            return false;
        rcu->waiting_due = batch_run(&rcu->waiting, RECLAIM_ITEMS);
        if (rcu->waiting_due)
            return true;
    }
    if (!rcu->fresh.first)
        return false;
    fresh_to_waiting(rcu);
    rcu->waiting_token = rcu_token(rcu);
    if (rcu_passed(rcu, rcu->waiting_token))
        rcu->waiting_due = batch_run(&rcu->waiting, RECLAIM_ITEMS);
    return rcu->waiting_due;
}
