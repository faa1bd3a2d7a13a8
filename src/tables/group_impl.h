/* The inside of a group table, for group*.c alone. */
#ifndef SRC_TABLES_GROUP_IMPL_H
#define SRC_TABLES_GROUP_IMPL_H

#include "src/tables/group.h"

struct group_table {
    struct pipeline *pipeline;
    struct group **hash;
    uint32_t hash_size; /* a power of two */
    uint32_t n;
    uint32_t n_metering; /* with meters */
    uint64_t visit;
    TAILQ_HEAD(, group) groups;

    /* Of the change that is open, with a reference to each: groups that it adds, and those it takes away. */
    struct group **staged;
    size_t n_staged, staged_size;
    size_t n_done; /* of them, by the commit or abort that is under way */
    struct group *recount_at;
    unsigned recount_pass;
    struct rule_uses orphans; /* of deleted groups, by rules that go with them */
};

static inline bool group_visible(const struct group *group, uint64_t version)
{
    return group->add_version <= version && version < group->remove_version;
}

struct group *group_create(const struct group_mod *mod);
/* Takes the reference over. `replaced`, visible to the change, or NULL, goes. */
void group_stage_add(struct group_table *table, struct group *group, struct group *replaced);
void group_stage_remove(struct group_table *table, struct group *group);

/* Checks a group as `mod` describes it. Returns 0, or an enum of_error that says why it cannot be. */
int group_check(struct group_table *table, const struct group_mod *mod);
/* Fills in the slots of a select group. */
void group_make_slots(struct group *group);

#endif
