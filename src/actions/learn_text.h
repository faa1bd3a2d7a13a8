/* The learn action as text. Control thread. */
#ifndef SRC_ACTIONS_LEARN_TEXT_H
#define SRC_ACTIONS_LEARN_TEXT_H

#include "src/actions/act.h"
#include "src/match/field_text.h"

/* What is between the parentheses of learn(...), which is written to. Appends to `acts`; NULL or an error sentence. */
char *learn_parse(char *text, struct act_buffer *acts, port_parser *port_by_name, void *arg);
/* "learn(table=1,...)" */
void learn_print(FILE *out, const struct act_learn *learn, port_namer *port_name, void *arg);

#endif
