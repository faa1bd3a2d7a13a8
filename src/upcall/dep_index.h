/* What megaflows depend on besides rules and groups ({kind, a, b}, struct xlate_dep), and who depends on it: ports and
 * links lead to paths (deps.h), as those of a path were decided alike; MAC addresses lead to megaflows. Control thread
 * only.
 */
#ifndef SRC_UPCALL_DEP_INDEX_H
#define SRC_UPCALL_DEP_INDEX_H

#include <sys/queue.h>

#include "src/xlate/xlate.h"

struct flows;
struct dep_node;

struct dep_link {
    LIST_ENTRY(dep_link) node;
    struct dep_node *at;
    void *owner; /* a path, or a megaflow's record: dep_is_of_record() */
};

struct dep_node {
    struct dep_node *next;
    LIST_HEAD(, dep_link) links;
    struct xlate_dep dep;
    uint32_t hash;
    uint32_t n; /* links */
};

struct dep_index {
    struct dep_node **buckets;
    uint32_t n_buckets; /* power of two */
};

static inline bool dep_is_of_record(const struct xlate_dep *dep)
{
    return dep->kind == XLATE_DEP_MAC;
}

static inline bool dep_same(const struct xlate_dep *a, const struct xlate_dep *b)
{
    return a->kind == b->kind && a->a == b->a && a->b == b->b;
}

int dep_index_init(struct dep_index *index, uint32_t n_buckets);
void dep_index_fini(struct dep_index *index);
/* Has `owner` depend on `dep` from now on, by way of `link`. */
void dep_link_add(struct dep_index *index, struct dep_link *link, const struct xlate_dep *dep, void *owner);
void dep_link_remove(struct dep_index *index, struct dep_link *link);
/* Does anything depend on {kind, a, b}? */
bool dep_index_has(const struct dep_index *index, const struct xlate_dep *dep);
/* Marks the megaflows that depend on {kind, a, b}, which changed, at once or by the next sweep. */
void dep_changed(struct flows *flows, enum xlate_dep_kind kind, const void *a, uint64_t b);

#endif
