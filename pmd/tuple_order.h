/* The order in which one poll-mode thread tries the tuples: the ones that were hit most lately first. That thread's
 * alone.
 */
#ifndef PMD_TUPLE_ORDER_H
#define PMD_TUPLE_ORDER_H

#include <stdint.h>

#include "pmd/tss.h"

struct tuple_order {
    uint64_t generation; /* of the list it was made from; the pointers in refs[] are valid only while it is current */
    uint32_t n;
    uint32_t limit;
    struct tuple_ref *refs, *spare;
    uint32_t *hits; /* by slot */
    uint32_t *at;   /* scratch, by slot: index + 1 in the new list */
};

int tuple_order_init(struct tuple_order *order, uint32_t mask_limit);
void tuple_order_fini(struct tuple_order *order);

/* Takes over the tuples of `list`, keeping the order of those it knew. O(tuples). */
void tuple_order_follow(struct tuple_order *order, const struct tuple_list *list);
/* Moves tuples with more hits forward and lets old hits fade. O(tuples); call it about every millisecond. */
void tuple_order_rank(struct tuple_order *order);

#endif
