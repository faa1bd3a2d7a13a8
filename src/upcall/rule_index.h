/* Which megaflows does an added rule meet? Answered without walking them all. Control thread only.
 *
 * An index belongs to one mask of rules. In it megaflows are hashed by those bits of their keys that both this mask and
 * their own have: what a rule meets under a mask of megaflows is one chain. Rules come with few masks at a time: an
 * index is made when a mask comes again, by the sweep that is due anyway, and goes when it is not used.
 */
#ifndef SRC_UPCALL_RULE_INDEX_H
#define SRC_UPCALL_RULE_INDEX_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "pmd/key.h"

#define RULE_INDEXES 8
#define REWRITTEN_SLOTS 4096
#define RULE_INDEX_WORDS (sizeof(struct flow_key) / 8)

struct flows;
struct bridge;
struct path;
struct rule;
struct mf_record;

/* A mask over the words of the flow key. */
struct rule_index_mask {
    uint64_t words[RULE_INDEX_WORDS];
    uint8_t used[RULE_INDEX_WORDS]; /* the numbers of those that are not 0 */
    uint32_t n_used;
};

struct rule_index {
    struct rule_index_mask mask;
    uint64_t used_ms;
    uint32_t covered;      /* megaflows with lower ids are in it */
    uint32_t n_heads;      /* power of two */
    uint32_t *heads;       /* ids + 1 */
    uint32_t *next, *prev; /* by id: ids + 1; prev 0: the head points to it */
};

struct rule_indexes {
    struct rule_index *all[RULE_INDEXES];
    uint32_t n;
    /* Masks that were asked for and have no index, the oldest is overwritten. */
    struct rule_index_wish {
        struct rule_index_mask mask;
        uint64_t serial; /* the batch that the rule went to */
        bool again;      /* and one of a later batch: worth an index */
    } wishes[RULE_INDEXES];
    uint32_t wish_next;
    /* Paths that looked a table up with a packet that was changed before: what rules those meet, the key does not say.
     */
    LIST_HEAD(, path) rewriting;
    uint32_t n_rewriting;
    /* How many such lookups there were in each table, by a hash of bridge and table: mostly none at all. */
    uint32_t rewritten[REWRITTEN_SLOTS];
};

void rule_indexes_fini(struct flows *flows);

/* Marks the megaflows that the rule, just added, may affect. False: not known here, the rule has to go to the batch
 * with this serial. */
bool rule_index_mark(struct flows *flows, struct bridge *bridge, const struct rule *rule, uint64_t serial);

/* Megaflows come and go. */
void rule_index_insert(struct flows *flows, const struct mf_record *record);
void rule_index_remove(struct flows *flows, const struct mf_record *record);
void rule_index_path(struct flows *flows, struct path *path, bool gone);

/* A sweep begins, looks at the megaflows with ids below `end`, is over. */
void rule_index_sweep_begin(struct flows *flows);
void rule_index_sweep_to(struct flows *flows, uint32_t end);
void rule_index_sweep_end(struct flows *flows);

/* Frees those that were not used lately. */
void rule_index_age(struct flows *flows, uint64_t now_ms);

/* Bytes of all of them, for "caches". */
size_t rule_index_memory(const struct flows *flows);

#endif
