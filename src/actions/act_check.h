/* Do actions fit together and fit the match of their rule? What each type asks for is in its row (act_ops.h). Control
 * thread. */
#ifndef SRC_ACTIONS_ACT_CHECK_H
#define SRC_ACTIONS_ACT_CHECK_H

#include "src/actions/act.h"

/* Walks the list as a packet of `match` would and checks each action's prerequisites with what earlier actions did to
 * the packet (a pushed tag satisfies those of set_field:...->vlan_vid). OpenFlow 1.0's set actions are let through:
 * they do nothing to packets without the field. `table_id`: goto_table must lead further (TABLE_ALL = not checked).
 * Returns 0 or an enum of_error. */
int act_list_check(const struct act_list *list, const struct match *match, uint8_t table_id);

/* As act_list_check(), for actions that a controller resumes: nothing is known of the packets, so that prerequisites
 * are not looked at. */
int act_list_check_unmatched(const struct act_list *list);
/* As act_list_check_unmatched(), for a group's bucket, which is an action set: what that cannot run is
 * OFPERR_BAC_BAD_TYPE. */
int act_list_check_bucket(const struct act_list *list);

/* May a packet of `match` be read, or written, at this field? 0 or an enum of_error. */
int act_check_read(const struct field *field, const struct match *match);
int act_check_write(const struct field *field, const struct match *match);

#endif
