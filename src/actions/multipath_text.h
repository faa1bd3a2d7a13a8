/* multipath, bundle and bundle_load as text. Control thread. */
#ifndef SRC_ACTIONS_MULTIPATH_TEXT_H
#define SRC_ACTIONS_MULTIPATH_TEXT_H

#include "src/actions/act.h"
#include "src/match/field_text.h"

/* What is between the parentheses, which is written to. Append to `acts`; NULL or an error sentence. */
char *multipath_parse(char *text, struct act_buffer *acts);
char *bundle_parse(char *text, bool load, struct act_buffer *acts, port_parser *port_by_name, void *arg);

void multipath_print(FILE *out, const struct act_multipath *act);
void bundle_print(FILE *out, const struct act_bundle *act, port_namer *port_name, void *arg);

#endif
