/* Do actions fit together and fit the match of their rule? Control thread. */
#ifndef SRC_PIPELINE_ACT_CHECK_H
#define SRC_PIPELINE_ACT_CHECK_H

#include "src/pipeline/act.h"

/* Walks the list as a packet of `match` would and checks each action's prerequisites with what earlier actions did to
 * the packet (a pushed tag satisfies those of set_field:...->vlan_vid). OpenFlow 1.0's set actions
 * are let through: they do nothing to packets without the field. `table_id`: goto_table must lead
 * further (TABLE_ALL = not checked). Returns 0 or an enum of_error. */
int act_list_check(const struct act_list *list, const struct match *match, uint8_t table_id);

#endif
