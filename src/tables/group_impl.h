/* The inside of a group table, for group*.c alone. */
#ifndef SRC_TABLES_GROUP_IMPL_H
#define SRC_TABLES_GROUP_IMPL_H

#include <stddef.h>

#include "pmd/base/open_hash.h"
#include "src/tables/group.h"

/* The groups of one number: the versions of it that there are. */
struct group_slot {
    struct group *head; /* NULL: empty. Linked by hash_next */
    uint32_t hash;
};

#define GROUP_SLOT_TYPE                                                                                                \
    ((struct open_hash_type){.slot_size = sizeof(struct group_slot), .hash_at = offsetof(struct group_slot, hash)})

struct group_table {
    struct pipeline *pipeline;
    struct open_hash hash; /* struct group_slot */
    uint32_t n_metering;   /* with meters */
    uint64_t visit;
    TAILQ_HEAD(, group) groups; /* in the order they came; one that replaces another is in its place */
    LIST_HEAD(, group_cursor) cursors;

    /* Groups that the open change adds or takes away, with a reference to each. */
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
