/* A bed in which packets described as matches are translated, without and with a poll-mode thread. */
#ifndef TESTS_UNIT_BED_XLATE_H
#define TESTS_UNIT_BED_XLATE_H

#include "src/actions/act_check.h"
#include "src/xlate/xlate.h"
#include "tests/lib/bed_traffic.h"

extern struct xlate_out out;
extern char program_text[4096]; /* what actions_of() returned last */
extern char *mask_text;         /* and the bits that it rests on */

int xlate_setup(void **state);

int xlate_setup_running(void **state);

int xlate_teardown(void **state);

void parse_flow(const char *text, struct flow *flow);

void translate_packet(const char *packet, bool side_effects);

/* Writes program_text and mask_text of what `flow` was translated to. */
void format_out(const struct flow *flow);

/* Translates a packet. Returns the program as OVS prints actions. */
const char *actions_of(const char *packet);

#define EXPECT(packet, actions) assert_string_equal(actions_of(packet), actions)
#define EXPECT_MASK(text) assert_string_equal(mask_text, text)

/* What act_list_check() says of the actions of a rule; -1: they cannot be parsed. */
int check_actions(const char *match_text, const char *actions);

#endif
