#include "pmd/rcu.h"

#include <rte_debug.h>
#include <stdlib.h>
#include <string.h>

void rcu_init(struct rcu *rcu, unsigned n_readers)
{
    memset(rcu, 0, sizeof *rcu);
    rcu->token = RCU_FIRST_TOKEN;
    rcu->n_readers = n_readers;
}

static void batch_run(struct rcu_batch *batch)
{
    /* A callback may defer something else, which goes to the fresh batch: take the items out first. */
    struct rcu_batch due = *batch;

    *batch = (struct rcu_batch){0};
    for (uint32_t i = 0; i < due.n; i++)
        due.items[i].fn(due.items[i].ptr);
    free(due.items);
}

void rcu_fini(struct rcu *rcu)
{
    while (rcu->waiting.n > 0 || rcu->fresh.n > 0) {
        batch_run(&rcu->waiting);
        batch_run(&rcu->fresh);
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

bool rcu_passed(const struct rcu *rcu, uint64_t token)
{
    for (unsigned i = 0; i < rcu->n_readers; i++) {
        const struct rcu_reader *reader = &rcu->readers[i];
        /* In this order: if the inbox is empty, what it held was taken by the reader while online, and its `seen`
         * tells whether that was worked off. */
        bool empty = reader->inbox == NULL || rte_ring_empty(reader->inbox);
        uint64_t seen;

        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        seen = __atomic_load_n(&reader->seen, __ATOMIC_SEQ_CST);
        if (seen == RCU_OFFLINE ? !empty : seen < token)
            return false;
    }
    return true;
}

bool rcu_settled(const struct rcu *rcu)
{
    return !rcu->touched && rcu_passed(rcu, rcu->settle_token);
}

void rcu_defer(struct rcu *rcu, void (*fn)(void *), void *ptr)
{
    struct rcu_batch *batch = &rcu->fresh;

    if (batch->n == batch->room) {
        uint32_t room = RTE_MAX(64u, 2 * batch->room);
        struct rcu_deferred *items = realloc(batch->items, room * sizeof *items);

        if (items == NULL)
            rte_panic("out of memory for %u deferred frees\n", room);
        batch->items = items;
        batch->room = room;
    }
    batch->items[batch->n++] = (struct rcu_deferred){fn, ptr};
    rcu_touch(rcu);
}

void rcu_reclaim(struct rcu *rcu)
{
    if (rcu->waiting.n > 0) {
        if (!rcu_passed(rcu, rcu->waiting_token))
            return;
        batch_run(&rcu->waiting);
    }
    if (rcu->fresh.n > 0) {
        rcu->waiting = rcu->fresh;
        rcu->fresh = (struct rcu_batch){0};
        rcu->waiting_token = rcu_token(rcu);
        if (rcu_passed(rcu, rcu->waiting_token))
            batch_run(&rcu->waiting);
    }
}
