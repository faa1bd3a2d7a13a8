/* Priority classifier over struct flow: tuple space search with one subtable per distinct mask, staged lookups and
 * prefix tries.
 *
 * The answer is that of a total order: the highest priority wins; between rules of equal priority an exact match of
 * OpenFlow 1.0 over others (all have priority 65535), a controller's over one of the switch's own, then (OpenFlow
 * leaves that open) the one whose mask has been in the table longer. The order between two rules never changes while
 * both exist, so that a change to a third rule cannot change the answer between them. Control thread only; rules are
 * owned by the caller.
 */
#ifndef SRC_TABLES_CLASSIFIER_H
#define SRC_TABLES_CLASSIFIER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "src/tables/subtable.h"
#include "src/tables/trie.h"

struct conj_trail;

TAILQ_HEAD(subtable_list, subtable);

/* What a lookup needs of a subtable to pass it over, side by side in memory. */
struct ranked {
    struct subtable *subtable;
    uint64_t seq;
    uint16_t max_priority;
    uint8_t plens[N_TRIES];
};

struct subtable_slot {
    struct subtable *subtable; /* NULL: empty */
    uint32_t hash;             /* of its mask */
};

#define SUBTABLE_SLOT_TYPE                                                                                             \
    ((struct open_hash_type){.slot_size = sizeof(struct subtable_slot),                                                \
                             .hash_at = offsetof(struct subtable_slot, hash)})

struct classifier {
    struct ranked *order; /* by descending max_priority, then ascending seq */
    uint32_t n_subtables, order_size;
    struct open_hash by_mask; /* struct subtable_slot */
    uint64_t next_seq;
    struct subtable_list subtables; /* by ascending seq */
    struct trie tries[N_TRIES];
};

void classifier_init(struct classifier *cls);
void classifier_destroy(struct classifier *cls); /* rules are left alone, their links void */

/* A reference to the one copy of this mask that the rules of the classifier share. */
struct minimask *classifier_mask(struct classifier *cls, const struct flow *mask);

/* `rule` has match, priority, flags and versions set, and its mask is from classifier_mask. */
void classifier_insert(struct classifier *cls, struct rule *rule);
void classifier_remove(struct classifier *cls, struct rule *rule);

/* The winning rule among those visible at `version`; NULL. If `wc` is not NULL every bit of `flow` that the answer
 * depended on is set there. Rules with conjunctions are clauses: `trail` (conjunction.h) tells of those that had a part
 * in the answer; where it is NULL they match nothing. */
struct rule *classifier_lookup(const struct classifier *cls, uint64_t version, const struct flow *flow, struct flow *wc,
                               struct conj_trail *trail);
/* The rule with the same match, priority and RULE_HIDDEN flag. */
struct rule *classifier_find(const struct classifier *cls, uint64_t version, const struct minimatch *match,
                             uint16_t priority, bool hidden);

size_t classifier_memory(const struct classifier *cls); /* bytes, without the rules */

#endif
