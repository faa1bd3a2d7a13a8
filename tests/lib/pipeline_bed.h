/* A pipeline to test: flow_mods whose only action outputs to a port, who observes its rules, random matches, and a
 * clock that stands until it is moved. */
#ifndef TESTS_LIB_PIPELINE_BED_H
#define TESTS_LIB_PIPELINE_BED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "src/tables/pipeline.h"
#include "tests/lib/match_sets.h"

#define RULES_MAX 512 /* of a test that observes them */

extern uint64_t now_ms;

uint64_t stopped_clock_us(void);

void random_seed(uint64_t seed); /* not 0 */
uint32_t random_below(uint32_t n);

bool one_in(uint32_t n);

/* --- what observers know ------------------------------------------------- */

struct known {
    struct rule *rules[RULES_MAX];
    uint32_t ports[RULES_MAX];
    unsigned n;
};

uint32_t rule_port(const struct rule *rule);

extern enum rule_removed_reason last_reason; /* of the last rule that was removed */

unsigned known_find(const struct known *known, const struct rule *rule);

struct pipeline_observer observer_of(struct known *known);

/* --- flow_mods ----------------------------------------------------------- */

extern const struct rule_filter all_rules;

void match_in_port(struct match *match, uint32_t port);

void match_ipv4_dst(struct match *match, uint32_t address, unsigned plen);

void random_match(struct match *match);

void random_flow(struct flow *flow);

void output_fm(struct flow_mod *fm, struct act_output *acts, uint32_t port);

struct rule *only_rule(struct pipeline *pipeline);

#endif
