/* The masks that megaflows are installed under, kept few: lookups cost a probe for each. Control thread only.
 *
 * What a translation found holds for every narrower class of packets, so any mask with more bits will do. Below the
 * soft limit a mask is taken as it is. From there on an existing mask that covers it is preferred, the one with the
 * fewest bits more; if there is none, its union with the nearest mask is made. The last place is for the mask of all
 * bits, which covers everything.
 */
#ifndef SRC_UPCALL_MASK_POOL_H
#define SRC_UPCALL_MASK_POOL_H

#include "pmd/key.h"

#define MASK_POOL_HEADS 1024
#define MASK_POOL_CACHE 256

struct mask_entry {
    struct flow_key mask;
    struct mask_entry *next;
    uint32_t hash;
    uint32_t n; /* megaflows */
    uint32_t index;
};

struct mask_pool {
    struct mask_entry **entries;
    struct mask_entry *heads[MASK_POOL_HEADS];
    struct mask_entry *last; /* the answer before */
    uint32_t n, soft_limit, limit;
    uint64_t generation; /* changes with the set of entries */
    /* Answers for masks that were merged. */
    struct mask_memo {
        struct flow_key want;
        struct mask_entry *entry;
        uint64_t generation;
    } * memo;
};

int mask_pool_init(struct mask_pool *pool, uint32_t limit);
void mask_pool_fini(struct mask_pool *pool);

/* The mask to install under, with one more megaflow counted. *merged: it is wider than what was asked for. NULL: out of
 * memory. */
struct mask_entry *mask_pool_get(struct mask_pool *pool, const struct flow_key *want, bool *merged);
/* An existing mask that covers `want`, used by a megaflow already, other than `not`; NULL if there is none. Counted as
 * mask_pool_get does. */
struct mask_entry *mask_pool_get_existing(struct mask_pool *pool, const struct flow_key *want,
                                          const struct mask_entry * not );
void mask_pool_put(struct mask_pool *pool, struct mask_entry *entry);

#endif
