/* The order in which one poll-mode thread tries the tuples: first the two where packets with the same hash were found
 * before (guesses, a byte each), then the ones that were hit most lately. That thread's alone.
 */
#ifndef PMD_CACHE_TUPLE_ORDER_H
#define PMD_CACHE_TUPLE_ORDER_H

#include <rte_prefetch.h>
#include <stdint.h>

#include "pmd/base/hugemem.h"
#include "pmd/cache/tss.h"

#define TUPLE_GUESS_SLOTS 255
#define TUPLE_GUESSES 2

struct tuple_order {
    uint64_t generation; /* of the list it was made from; the pointers in refs[] are valid only while it is current */
    uint32_t n;
    uint32_t limit;
    struct tuple_ref *refs, *spare;
    uint32_t *hits;         /* by slot */
    uint32_t *at;           /* scratch, by slot: index + 1 in the new list */
    struct tuple **by_slot; /* as refs[]; NULL if the slot has no tuple */

    /* By hash, the later one first: slot + 1, 0 = no idea; slots from TUPLE_GUESS_SLOTS on are not guessed. Two, so
     * that two flows with one place do not push each other out, which would cost a probe of half the tuples. */
    uint8_t (*guess)[TUPLE_GUESSES];
    uint32_t guess_mask;
    struct hugemem guess_memory;
};

/* `n_flows`: for about so many flows guesses are good. Returns 0 or -ENOMEM. */
int tuple_order_init(struct tuple_order *order, uint32_t mask_limit, uint32_t n_flows, int socket);
void tuple_order_fini(struct tuple_order *order);

/* Takes over the tuples of `list`, keeping the order of those it knew. O(tuples). */
void tuple_order_follow(struct tuple_order *order, const struct tuple_list *list);
/* Moves tuples with more hits forward and lets old hits fade. O(tuples); call it about every millisecond. */
void tuple_order_rank(struct tuple_order *order);

static inline void tuple_guess_prefetch(const struct tuple_order *order, uint32_t hash)
{
    rte_prefetch0(&order->guess[hash & order->guess_mask]);
}

/* The `which`-th, below TUPLE_GUESSES. NULL: no idea. */
static inline const struct tuple *tuple_guess(const struct tuple_order *order, uint32_t hash, unsigned which)
{
    uint32_t guess = order->guess[hash & order->guess_mask][which];

    return guess != 0 ? order->by_slot[guess - 1] : NULL;
}

static inline void tuple_guess_learn(struct tuple_order *order, uint32_t hash, uint32_t slot)
{
    uint8_t *guess = order->guess[hash & order->guess_mask];

    if (slot >= TUPLE_GUESS_SLOTS || guess[0] == slot + 1)
        return;
    guess[1] = guess[0];
    guess[0] = (uint8_t)(slot + 1);
}

#endif
