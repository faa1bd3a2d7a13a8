/* Eviction of rules from full tables. Control thread only. */
#ifndef SRC_PIPELINE_EVICT_H
#define SRC_PIPELINE_EVICT_H

#include "src/pipeline/table.h"

/* The rule of the table, as the open change has it, that goes first; NULL if none may go for one of `importance`. Looks
 * at all of the table's rules. */
struct rule *evict_choose(const struct pipeline *pipeline, uint8_t table_id, uint16_t importance);

#endif
