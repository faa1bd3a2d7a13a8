/* Which fields actions name. Control thread. */
#ifndef SRC_ACTIONS_ACT_FIELDS_H
#define SRC_ACTIONS_ACT_FIELDS_H

#include <stdint.h>

#include "src/actions/act_ops.h"

/* Calls `fn` for each field that an action of the list reads or writes by name, lists inside actions included. */
void act_list_each_field(const struct act_list *list, field_fn *fn, void *arg);

/* Counts the tunnel options that the actions use (tlv_map.h): `delta` is 1 as they enter a table, -1 as they leave. */
void act_list_count_options(const struct act_list *list, int delta);
/* Returns the tunnel options that the actions use as a bit set, for tlv_map_count_fields(). */
uint64_t act_list_options(const struct act_list *list);

#endif
