#include "tests/lib/pipeline_bed.h"

#include <string.h>

#include "tests/lib/match_sets.h"

uint64_t now_ms = 1000000;
enum rule_removed_reason last_reason;
const struct rule_filter all_rules = {.table_id = TABLE_ALL, .out_port = OFPORT_ANY, .out_group = OFGROUP_ANY};

static uint64_t rng = 7;

uint64_t stopped_clock_us(void)
{
    return now_ms * 1000;
}

void random_seed(uint64_t seed)
{
    rng = seed;
}

uint32_t random_below(uint32_t n)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return (uint32_t)((rng >> 16) % n);
}

bool one_in(uint32_t n)
{
    return random_below(n) == 0;
}

/* --- what observers know ------------------------------------------------- */

uint32_t rule_port(const struct rule *rule)
{
    return ((const struct act_output *)rule->acts.acts)->port;
}

unsigned known_find(const struct known *known, const struct rule *rule)
{
    for (unsigned i = 0; i < known->n; i++) {
        if (known->rules[i] == rule)
            return i;
    }
    fail_msg("a rule that was never added");
    return 0;
}

static void known_forget(struct known *known, struct rule *rule)
{
    unsigned i = known_find(known, rule);

    assert_true(rule->removed);
    known->n--;
    known->rules[i] = known->rules[known->n];
    known->ports[i] = known->ports[known->n];
}

static void on_added(void *arg, struct rule *rule, struct rule *replaced)
{
    struct known *known = arg;

    assert_false(rule->removed);
    if (replaced) {
        struct match a, b;

        rule_match(rule, &a);
        rule_match(replaced, &b);
        assert_true(match_equal(&a, &b));
        assert_int_equal(rule->priority, replaced->priority);
        known_forget(known, replaced);
    }
    known->ports[known->n] = rule_port(rule);
    known->rules[known->n++] = rule;
}

static void on_modified(void *arg, struct rule *rule)
{
    struct known *known = arg;

    known->ports[known_find(known, rule)] = rule_port(rule);
}

static void on_removed(void *arg, struct rule *rule, enum rule_removed_reason reason)
{
    last_reason = reason;
    known_forget(arg, rule);
}

struct pipeline_observer observer_of(struct known *known)
{
    return (struct pipeline_observer){
        .arg = known, .rule_added = on_added, .rule_modified = on_modified, .rule_removed = on_removed};
}

/* --- flow_mods ----------------------------------------------------------- */

void match_in_port(struct match *match, uint32_t port)
{
    match->value.in_port = port;
    match->mask.in_port = UINT32_MAX;
}

void match_ipv4_dst(struct match *match, uint32_t address, unsigned plen)
{
    match->value.pkt.eth_type = rte_cpu_to_be_16(0x0800);
    match->mask.pkt.eth_type = 0xffff;
    match->mask.pkt.ipv4_dst = plen == 0 ? 0 : rte_cpu_to_be_32(UINT32_MAX << (32 - plen));
    match->value.pkt.ipv4_dst = rte_cpu_to_be_32(address) & match->mask.pkt.ipv4_dst;
}

void random_match(struct match *match)
{
    memset(match, 0, sizeof *match);
    if (one_in(2))
        match_in_port(match, 1 + random_below(3));
    if (one_in(2))
        match_ipv4_dst(match, 0x0a000000 | 1u << random_below(24), random_below(5) * 8);
    if (one_in(4)) {
        match->mask.pkt.tp_dst = 0xffff;
        match->value.pkt.tp_dst = rte_cpu_to_be_16((uint16_t)random_below(3));
    }
}

void random_flow(struct flow *flow)
{
    memset(flow, 0, sizeof *flow);
    flow->in_port = random_below(4);
    flow->pkt.eth_type = rte_cpu_to_be_16(0x0800);
    flow->pkt.ipv4_dst = rte_cpu_to_be_32(0x0a000000 | 1u << random_below(24));
    flow->pkt.tp_dst = rte_cpu_to_be_16((uint16_t)random_below(3));
}

void output_fm(struct flow_mod *fm, struct act_output *acts, uint32_t port)
{
    *acts = (struct act_output){.h = {.type = ACT_OUTPUT, .len = sizeof *acts}, .port = port};
    *fm = (struct flow_mod){
        .command = FLOW_ADD,
        .priority = 100,
        .out_port = OFPORT_ANY,
        .out_group = OFGROUP_ANY,
        .acts = {.acts = &acts->h, .len = sizeof *acts},
    };
}

struct rule *only_rule(struct pipeline *pipeline)
{
    struct rule_cursor *cursor = rule_cursor_open(pipeline, &all_rules);
    struct rule *rule = rule_cursor_next(cursor);

    assert_non_null(rule);
    assert_null(rule_cursor_next(cursor));
    rule_cursor_close(cursor);
    return rule;
}
