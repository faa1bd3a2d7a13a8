/* Rules whose statistics are watched: the stat_trigger instruction (OpenFlow 1.5.1, 5.9 and 7.2.5). Control thread
 * only.
 */
#ifndef SRC_TABLES_STAT_TRIGGER_H
#define SRC_TABLES_STAT_TRIGGER_H

#include <stdbool.h>
#include <stdint.h>

#include "src/tables/rule_use.h"

/* Statistics are fresh: a pass over all rules with thresholds begins. */
void pipeline_triggers_begin(struct pipeline *pipeline);
/* Goes on with it: of at most `budget` rules. The observer's rule_triggered is called for those that crossed a
 * threshold since the last pass. Returns true if there are more. */
bool pipeline_triggers_run(struct pipeline *pipeline, uint64_t now_ms, unsigned budget);

/* For rule_use.c: a link that watches the rule, from scratch; freed with free(). */
struct rule_use *stat_trigger_watch(const struct act *act);

#endif
