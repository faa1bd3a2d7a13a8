/* The learn action: rules that packets make (ovs-actions(7)). Control thread only.
 *
 * Translation makes the rule that a packet teaches, as a rule that is in no table, and with side effects has the
 * pipeline take it over. What was taught stays with the megaflow, which teaches it again as long as it has packets.
 */
#ifndef SRC_TABLES_LEARN_H
#define SRC_TABLES_LEARN_H

#include <stdbool.h>
#include <stdint.h>

#include "src/actions/act.h"
#include "src/tables/pipeline.h"

/* The rule as `flow` teaches it, with one reference. */
struct rule *learn_rule(struct pipeline *pipeline, const struct act_learn *learn, const struct flow *flow);

enum learn_result {
    LEARN_REFUSED, /* the limit is reached, or the table is full */
    LEARN_KEPT,    /* the rule was there: its timeouts start anew */
    LEARN_CHANGED  /* a rule was added or has other actions; while a bundle is open: will be when that is done */
};

/* Adds a copy of `taught`, or gives the rule of its match and priority its actions. Rules may go by it: those that the
 * caller still needs it must hold references to. */
enum learn_result pipeline_learn(struct pipeline *pipeline, const struct rule *taught, uint32_t limit,
                                 uint64_t used_ms);
/* Starts the timeouts of the taught rule anew if pipeline_learn() would return LEARN_KEPT; else does nothing. */
void pipeline_learn_refresh(struct pipeline *pipeline, const struct rule *taught, uint64_t used_ms);
/* Teaches `b` what `a` teaches? */
bool learn_rules_equal(const struct rule *a, const struct rule *b);
/* Returns what pipeline_learn() would return, and changes nothing. */
enum learn_result pipeline_would_learn(struct pipeline *pipeline, const struct rule *taught, uint32_t limit);

/* --- for the files that implement pipeline.h ----------------------------- */

/* Counts of rules by table and cookie, for limits, and of the rules that hold on to what they taught (delete_learned).
 */
struct learn_state;
struct learn_state *learn_state_create(void);
void learn_state_destroy(struct learn_state *state);

/* The rule is in its table; is about to leave it; its cookie is about to change. */
void learn_note_linked(struct pipeline *pipeline, struct rule *rule);
void learn_note_unlinked(struct pipeline *pipeline, struct rule *rule);
void learn_note_cookie(struct pipeline *pipeline, struct rule *rule, uint64_t cookie);
/* The rule has these actions now; no longer. */
void learn_note_acts(struct pipeline *pipeline, const struct rule *rule);
void learn_forget_acts(struct pipeline *pipeline, const struct rule *rule);

#endif
