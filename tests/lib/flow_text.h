/* Actions and whole flow_mods from text, in ovs-ofctl(8)'s syntax, for tests and fuzzers: the switch itself only gets
 * them by OpenFlow. */
#ifndef TESTS_LIB_FLOW_TEXT_H
#define TESTS_LIB_FLOW_TEXT_H

#include "src/actions/act.h"
#include "src/actions/flow_mod.h"

/* "set_field:1->reg0,resubmit(,1),output:2", instructions included; "drop" or "" is nothing. Appends to `acts`.
 * `port_by_name` may be NULL. Returns NULL or an error sentence (malloc'ed). */
char *actions_parse(const char *text, struct act_buffer *acts,
                    bool (*port_by_name)(void *arg, const char *name, uint32_t *ofport), void *arg);

/* "NXM_NX_REG0[0..15]", "reg0[3]", "eth_src". Returns NULL or an error sentence (malloc'ed). */
char *subfield_parse(const char *text, struct subfield *sf);

/* "table=1,priority=5,cookie=0x7,udp,actions=output:2". The command is FLOW_ADD unless the caller changes it; without
 * a table it is table 0. fm->acts lies in `acts`, which the caller initialises and frees. Actions are checked against
 * the match. */
char *flow_mod_parse(const char *text, struct flow_mod *fm, struct act_buffer *acts,
                     bool (*port_by_name)(void *arg, const char *name, uint32_t *ofport), void *arg);

#endif
