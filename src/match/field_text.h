/* Values of fields as text: what a match and a set_field have in common. Control thread. */
#ifndef SRC_MATCH_FIELD_TEXT_H
#define SRC_MATCH_FIELD_TEXT_H

#include <stdio.h>

#include "src/match/field.h"

typedef bool port_parser(void *arg, const char *text, uint32_t *ofport);
typedef const char *port_namer(void *arg, uint32_t ofport);

/* Parses "value" or "value/mask" in the field's style. The mask is all ones if none is written; value bits outside the
 * mask are cleared. Returns NULL or an error sentence (malloc'ed). */
char *field_value_parse(const struct field *field, const char *text, port_parser *port_by_name, void *arg,
                        union field_value *value, union field_value *mask);

/* Writes "value" or, where the mask is not all ones, "value/mask". */
void field_value_print(FILE *out, const struct field *field, const union field_value *value,
                       const union field_value *mask, port_namer *port_name, void *arg);

/* "[0..15]", "[3]" or "[]" behind the NXM or OXM name. */
void subfield_print(FILE *out, const struct subfield *sf);

/* "LOCAL" and the like, a name, or the number. */
void port_print(FILE *out, uint32_t ofport, port_namer *port_name, void *arg);
bool port_parse(const char *text, port_parser *port_by_name, void *arg, uint32_t *ofport);

/* "in_port,eth_type,ipv4_dst/0xffffff00": the parts of the flow key that the mask looks at. To be freed. */
char *flow_mask_format(const struct flow_key *mask);

#endif
