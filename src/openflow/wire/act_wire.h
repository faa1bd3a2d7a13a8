/* Actions and instructions to and from the wire. For wire/ and codec/ alone. */
#ifndef SRC_OPENFLOW_WIRE_ACT_WIRE_H
#define SRC_OPENFLOW_WIRE_ACT_WIRE_H

#include "src/actions/act.h"
#include "src/openflow/wire/buf.h"
#include "src/openflow/wire/wire.h"

/* Reads the actions that fill `r` and appends them to `acts`. Returns 0 or an enum of_error. Whether they fit a match
 * is act_list_check()'s. */
int acts_decode(struct reader *r, uint8_t version, struct act_buffer *acts);

/* Instructions that fill `r`; OpenFlow 1.1 and later. The list is in the order of execution. */
int instructions_decode(struct reader *r, uint8_t version, struct act_buffer *acts);

/* Writes what `version` can express. `match` (of the rule; NULL if there is none) decides where later versions split an
 * OpenFlow 1.0 action. */
void acts_encode(struct of_buf *buf, const struct act_list *list, uint8_t version, const struct match *match);
/* Instructions; in OpenFlow 1.0 plain actions. */
void instructions_encode(struct of_buf *buf, const struct act_list *list, uint8_t version, const struct match *match);

/* The most bytes that the list takes in a version from OpenFlow 1.3 on as the actions of a bucket, and in any as a
 * rule's. `scratch` is emptied and used. */
size_t acts_wire_len(const struct act_list *list, struct of_buf *scratch);
size_t instructions_wire_len(const struct act_list *list, struct of_buf *scratch);

/* Has the version a standard action, or an instruction, of this number? All numbers are below ACT_NUMBERS. */
#define ACT_NUMBERS 64
bool act_number_known(uint8_t version, uint16_t number);
bool instruction_number_known(uint8_t version, uint16_t number);

#endif
