/* The inside of a group table, for group*.c alone. */
#ifndef SRC_PIPELINE_GROUP_IMPL_H
#define SRC_PIPELINE_GROUP_IMPL_H

#include "src/pipeline/group.h"

struct group_table {
    struct pipeline *pipeline;
    struct group **hash;
    uint32_t hash_size; /* a power of two */
    uint32_t n;
    uint32_t n_watching; /* groups with watch ports or groups */
    uint64_t visit;
    TAILQ_HEAD(, group) groups;
};

/* Of a group as `mod` describes it: 0, or why it cannot be. */
int group_check(struct group_table *table, const struct group_mod *mod);
/* Fills in the slots of a select group. */
void group_make_slots(struct group *group);

#endif
