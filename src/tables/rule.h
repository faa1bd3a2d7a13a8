/* Making and freeing rules: rule, packed match and actions are one block of memory. Control thread only. */
#ifndef SRC_TABLES_RULE_H
#define SRC_TABLES_RULE_H

#include <stdbool.h>
#include <stddef.h>

#include "src/match/minimatch.h"
#include "src/tables/pipeline.h"

/* Makes a rule with one reference and no versions set. Takes over the reference to `mask`; `value` need not be masked.
 * The actions are copied. */
struct rule *rule_create(struct minimask *mask, const struct flow *value, const struct act_list *acts);
/* Makes a rule with the match of `rule` and other actions; everything else is zero. */
struct rule *rule_create_like(const struct rule *rule, const struct act_list *acts);
/* Replaces the actions by a copy of `acts`. */
void rule_set_acts(struct rule *rule, const struct act_list *acts);
/* Bytes of heap that the rule takes, as the allocator sees it. */
size_t rule_memory(const struct rule *rule);
/* Milliseconds at which it is to be removed by what is known now; UINT64_MAX = never. */
uint64_t rule_deadline_ms(const struct rule *rule);
uint64_t rule_hard_deadline_ms(const struct rule *rule);

#endif
