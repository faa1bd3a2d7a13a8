/* Parsers of actions that have a syntax of their own, for act_parse.c. Private to this folder.
 *
 * Each takes what is between the action's parentheses, which it may write to, and appends the action to `acts`. They
 * return NULL or an error sentence (malloc'ed). */
#ifndef TESTS_LIB_ACT_PARSE_IMPL_H
#define TESTS_LIB_ACT_PARSE_IMPL_H

#include "src/actions/act.h"
#include "src/match/field_text.h"
#include "tests/lib/flow_text.h"

char *encap_parse(char *text, struct act_buffer *acts);
char *decap_parse(const char *text, struct act_buffer *acts);
char *learn_parse(char *text, struct act_buffer *acts, port_parser *port_by_name, void *arg);
char *multipath_parse(char *text, struct act_buffer *acts);
char *bundle_parse(char *text, bool load, struct act_buffer *acts, port_parser *port_by_name, void *arg);

#endif
