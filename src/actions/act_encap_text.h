/* Text of encap and decap, for act_parse.c and act_format.c. Control thread. */
#ifndef SRC_ACTIONS_ACT_ENCAP_TEXT_H
#define SRC_ACTIONS_ACT_ENCAP_TEXT_H

#include <stdio.h>

#include "src/actions/act.h"

/* What is in the parentheses, which may be written into. Return NULL or an error sentence (malloc'ed). */
char *encap_parse(char *text, struct act_buffer *acts);
char *decap_parse(const char *text, struct act_buffer *acts);
void encap_print(FILE *out, const struct act_encap *act);
void decap_print(FILE *out, uint32_t becomes);

#endif
