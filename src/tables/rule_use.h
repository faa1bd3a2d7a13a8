/* Which rules use a group, a meter or tunnel options, or have their statistics watched: links between a rule that is in
 * its table and what its actions name, and counts of the options (tlv_map.h). Control thread only.
 */
#ifndef SRC_TABLES_RULE_USE_H
#define SRC_TABLES_RULE_USE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "src/tables/pipeline.h"

struct rule_use {
    LIST_ENTRY(rule_use) node; /* of what is used */
    struct rule_uses *of;
    struct rule_use *next; /* of the rule */
    struct rule *rule;
};

/* The uses of one group or meter. */
struct rule_uses {
    LIST_HEAD(, rule_use) list;
    uint32_t n;
};

/* All of them go over to `to`, each for one of *budget. False: that was not enough; the next call goes on. */
bool rule_uses_move(struct rule_uses *from, struct rule_uses *to, size_t *budget);

/* The change that is open removes the rules that have them, each use for one of *budget. False: that was not enough;
 * the next call goes on, and is to be the next of the change. */
bool rule_uses_remove(struct pipeline *pipeline, const struct rule_uses *uses, enum rule_removed_reason reason,
                      size_t *budget);

/* Does what the actions name exist? Returns 0 or an enum of_error. */
int rule_uses_check(struct pipeline *pipeline, const struct act_list *acts);
void rule_uses_link(struct pipeline *pipeline, struct rule *rule);
void rule_uses_unlink(struct rule *rule);

#endif
