/* Conjunctive matches (ovs-fields(7)): rules whose actions are conjunction(id,k/n) are clauses. A packet that matches a
 * clause for each k of 1 .. n, all of the same priority, matches the conjunction: its conj_id becomes id and the table
 * is searched once more, for the rule that says what to do.
 *
 * A trail is what one search remembers. Control thread only.
 */
#ifndef SRC_TABLES_CONJUNCTION_H
#define SRC_TABLES_CONJUNCTION_H

#include <stdbool.h>
#include <stdint.h>

#include "src/actions/act.h"

struct rule;

/* A clause that matched and that nothing was decided about yet. */
struct conj_open {
    struct rule *rule;
    uint64_t seq; /* of its subtable */
};

struct conj_trail {
    /* What the answer depended on besides the rule found. */
    struct rule **clauses; /* those of no lower priority */
    unsigned n_clauses, clauses_size;
    bool found;        /* by the conjunction `id` of clauses of `priority` */
    bool failed;       /* some conjunction was complete, but no rule matched its id */
    uint16_t priority; /* of the clauses */
    uint32_t id;

    /* The search's own. */
    struct conj_open *open;
    unsigned n_open, open_size;
    uint32_t *complete;
    unsigned complete_size;
    struct conj_count *counts;      /* by hash of id and n */
    uint32_t n_counts, counts_size; /* powers of two: in use now, allocated */
};

void conj_trail_init(struct conj_trail *trail);
void conj_trail_free(struct conj_trail *trail);
/* A search begins. Memory is kept from one to the next. */
void conj_trail_start(struct conj_trail *trail);
void conj_trail_push(struct conj_trail *trail, struct rule *rule, uint64_t seq);
/* Highest priority of an open clause; -1: there is none. */
int conj_trail_top(const struct conj_trail *trail);
/* Notes the open clauses of this priority, and puts the ids that they make complete into `complete`, lowest first.
 * Returns how many. */
unsigned conj_trail_complete(struct conj_trail *trail, uint16_t priority);

#endif
