/* Eviction of rules from full tables. Control thread only.
 *
 * A table that may evict, or might once, has a heap of the rules that it has as the open change leaves it: to choose
 * one, to add and to remove one takes steps by the logarithm of their number. What rules are ordered by is read from
 * them, so whoever changes that says so (evict_update).
 */
#ifndef SRC_TABLES_EVICT_H
#define SRC_TABLES_EVICT_H

#include "src/tables/table.h"

/* The table, as the open change has it, may evict from now on, or by other factors: looks at all of its rules, each
 * look for one of *budget. True: that was all; false: the next call goes on, whatever happens to rules until then. */
bool evict_prepare_slice(struct pipeline *pipeline, uint8_t table_id, size_t *budget);
/* All at once. */
void evict_prepare(struct pipeline *pipeline, uint8_t table_id);
/* The rule of the table, as the open change has it, that goes first; NULL if none may go for one of `importance`. */
struct rule *evict_choose(struct pipeline *pipeline, uint8_t table_id, uint16_t importance);

/* The rule is in its table as the open change has it; is no longer; will go earlier or later than before. */
void evict_enter(struct pipeline *pipeline, struct rule *rule);
void evict_leave(struct pipeline *pipeline, struct rule *rule);
void evict_update(struct rule *rule);

void evict_free(struct table_info *info);
size_t evict_memory(const struct table_info *info); /* bytes */

#endif
