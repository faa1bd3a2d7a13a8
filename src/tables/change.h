/* One change of the rules, atomic to lookups and revocable until it is committed: what a flow_mod or a bundle does.
 *
 * While a change is open its rules are in the classifiers with add_version = version + 1, and rules that it removes
 * have remove_version = version + 1; the commit is an increment of the version. Afterwards observers are told and
 * removed rules taken out, which may be done in slices. Control thread only.
 */
#ifndef SRC_TABLES_CHANGE_H
#define SRC_TABLES_CHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "src/tables/table.h"

/* The version that the change's own mods look at. */
static inline uint64_t change_version(const struct pipeline *pipeline)
{
    return pipeline->version + 1;
}

void change_begin(struct pipeline *pipeline, bool in_bundle);
/* Takes over the reference to `rule`; `replaced`, visible to the change, or NULL, goes. */
void change_add(struct pipeline *pipeline, struct rule *rule, struct rule *replaced);
void change_remove(struct pipeline *pipeline, struct rule *rule);
/* For another reason than RULE_DELETED, which observers are told. */
void change_remove_for(struct pipeline *pipeline, struct rule *rule, enum rule_removed_reason reason);
/* Outside of a bundle this is done at once, unless the rule is to count anew: it must not be followed by an abort. */
void change_modify(struct pipeline *pipeline, struct rule *rule, const struct act_list *acts, uint64_t cookie,
                   bool reset_counts);
/* Takes back about `budget` rules of the change; true: that was all, no change is open any more. Lookups never saw
 * any. After the first step there is no way but on. */
bool change_abort_step(struct pipeline *pipeline, size_t budget);
/* How the table is configured for what the change adds. */
const struct table_config *change_config(const struct pipeline *pipeline, uint8_t table_id);
/* A rule is about to leave its table (a timeout, say) that the change that is open replaces: if it was modified, what
 * stands in for it goes, too. */
void change_origin_gone(struct pipeline *pipeline, const struct rule *rule);

/* The change is visible after the first step. Tells observers of about `budget` rules; true: that was all, no change is
 * open any more. */
bool change_commit_step(struct pipeline *pipeline, size_t budget);

/* Ends the change that one message made: takes it back if there was an error, which it returns, else makes it visible.
 */
int change_finish(struct pipeline *pipeline, int error);

#endif
