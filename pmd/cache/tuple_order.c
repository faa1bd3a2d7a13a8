#include "pmd/cache/tuple_order.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* With more tuples than this a full sort would make one turn of the loop too long: a few passes a time do. */
#define SORT_MAX 64
#define PASSES 4

/* Places for guesses: enough that three flows seldom share one, not so many that they leave the cache for nothing. */
#define PLACES_MAX (1u << 21)

int tuple_order_init(struct tuple_order *order, uint32_t mask_limit, uint32_t n_flows, int socket)
{
    uint32_t n_places = rte_align32pow2(RTE_MIN(n_flows, PLACES_MAX));

    memset(order, 0, sizeof *order);
    order->generation = UINT64_MAX;
    order->limit = mask_limit;
    order->refs = calloc(mask_limit, sizeof *order->refs);
    order->spare = calloc(mask_limit, sizeof *order->spare);
    order->hits = calloc(mask_limit, sizeof *order->hits);
    order->at = calloc(mask_limit, sizeof *order->at);
    order->by_slot = calloc(RTE_MAX(mask_limit, (uint32_t)TUPLE_GUESS_SLOTS), sizeof *order->by_slot);
    order->guess_memory = hugemem_alloc(n_places * sizeof *order->guess, socket);
    order->guess = order->guess_memory.ptr;
    order->guess_mask = n_places - 1;
    if (!order->refs || !order->spare || !order->hits || !order->at || !order->by_slot || !order->guess) {
        tuple_order_fini(order);
        return -ENOMEM;
    }
    return 0;
}

void tuple_order_fini(struct tuple_order *order)
{
    free(order->refs);
    free(order->spare);
    free(order->hits);
    free(order->at);
    free(order->by_slot);
    hugemem_free(&order->guess_memory);
    memset(order, 0, sizeof *order);
}

void tuple_order_follow(struct tuple_order *order, const struct tuple_list *list)
{
    struct tuple_ref *refs = order->spare;
    uint32_t n = 0;

    for (uint32_t i = 0; i < list->n; i++)
        order->at[list->refs[i].slot] = i + 1;
    for (uint32_t i = 0; i < order->n; i++) {
        uint32_t slot = order->refs[i].slot, at = order->at[slot];

        if (at != 0 && list->refs[at - 1].serial == order->refs[i].serial) {
            refs[n++] = order->refs[i];
            order->at[slot] = 0;
        }
    }
    for (uint32_t i = 0; i < list->n; i++) {
        uint32_t slot = list->refs[i].slot;

        if (order->at[slot] != 0) {
            refs[n++] = list->refs[i];
            order->hits[slot] = 0;
            order->at[slot] = 0;
        }
    }
    for (uint32_t i = 0; i < order->n; i++)
        order->by_slot[order->refs[i].slot] = NULL;
    for (uint32_t i = 0; i < n; i++)
        order->by_slot[refs[i].slot] = refs[i].tuple;
    order->spare = order->refs;
    order->refs = refs;
    order->n = n;
    order->generation = list->generation;
}

void tuple_order_rank(struct tuple_order *order)
{
    struct tuple_ref *refs = order->refs;
    uint32_t *hits = order->hits;
    uint32_t passes = order->n <= SORT_MAX ? order->n : PASSES;
    bool moved = true;

    for (uint32_t pass = 0; pass < passes && moved; pass++) {
        moved = false;
        for (uint32_t i = order->n - 1; i > 0 && order->n > 1; i--) {
            if (hits[refs[i].slot] > hits[refs[i - 1].slot]) {
                struct tuple_ref ref = refs[i];

                refs[i] = refs[i - 1];
                refs[i - 1] = ref;
                moved = true;
            }
        }
    }
    for (uint32_t i = 0; i < order->n; i++)
        hits[refs[i].slot] -= hits[refs[i].slot] / 4;
}
