/* The pipeline against a plain list of rules to which the same flow_mods are applied the obvious way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "pmd/base/clock.h"
#include "pmd/datapath.h"
#include "pmd/base/big_array.h"
#include "src/match/field.h"
#include "src/tables/pipeline.h"

static uint64_t now_ms = 1000000;

static uint64_t stopped_clock_us(void)
{
    return now_ms * 1000;
}

static uint64_t rng = 7;

static uint32_t random_below(uint32_t n)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return (uint32_t)((rng >> 16) % n);
}

static bool one_in(uint32_t n)
{
    return random_below(n) == 0;
}

/* --- the model ----------------------------------------------------------- */

#define MODEL_MAX 512

struct model_rule {
    uint8_t table_id;
    uint16_t priority;
    struct match match;
    uint64_t cookie;
    uint32_t port; /* what its only action outputs to */
    uint16_t idle_timeout_s, importance, flags;
    uint64_t packets;
};

struct model {
    struct model_rule rules[MODEL_MAX];
    unsigned n;
};

static bool model_identical(const struct model_rule *rule, const struct flow_mod *fm, uint8_t table_id)
{
    return rule->table_id == table_id && rule->priority == fm->priority && match_equal(&rule->match, &fm->match);
}

static bool model_selected(const struct model_rule *rule, const struct flow_mod *fm)
{
    bool delete = fm->command == FLOW_DELETE || fm->command == FLOW_DELETE_STRICT;

    if (fm->table_id != TABLE_ALL && rule->table_id != fm->table_id)
        return false;
    if ((rule->cookie ^ fm->cookie) & fm->cookie_mask)
        return false;
    if (delete &&fm->out_port != OFPORT_ANY && fm->out_port != rule->port)
        return false;
    if (delete &&fm->out_group != OFGROUP_ANY)
        return false;
    if (fm->command == FLOW_MODIFY_STRICT || fm->command == FLOW_DELETE_STRICT)
        return model_identical(rule, fm, rule->table_id);
    return match_covers(&fm->match, &rule->match);
}

static uint32_t fm_port(const struct flow_mod *fm)
{
    return ((const struct act_output *)fm->acts.acts)->port;
}

static int model_add(struct model *model, const struct flow_mod *fm, unsigned max_rules)
{
    uint8_t table_id = fm->table_id == TABLE_ALL ? 0 : fm->table_id;
    struct model_rule *rule = NULL;
    uint64_t packets = 0;
    unsigned in_table = 0;
    bool overlaps = false;

    for (unsigned i = 0; i < model->n; i++) {
        if (model->rules[i].table_id != table_id)
            continue;
        in_table++;
        if (model_identical(&model->rules[i], fm, table_id))
            rule = &model->rules[i];
        overlaps |= model->rules[i].priority == fm->priority && match_overlaps(&model->rules[i].match, &fm->match);
    }
    if (fm->flags & RULE_CHECK_OVERLAP && overlaps)
        return OFPERR_FMFC_OVERLAP;
    if (!rule) {
        if (in_table >= max_rules)
            return OFPERR_FMFC_TABLE_FULL;
        rule = &model->rules[model->n++];
    } else if (!(fm->flags & RULE_RESET_COUNTS)) {
        packets = rule->packets;
    }
    *rule = (struct model_rule){
        .table_id = table_id,
        .priority = fm->priority,
        .match = fm->match,
        .cookie = fm->cookie,
        .port = fm_port(fm),
        .idle_timeout_s = fm->idle_timeout_s,
        .importance = fm->importance,
        .flags = fm->flags,
        .packets = packets,
    };
    return 0;
}

static int model_apply(struct model *model, const struct flow_mod *fm, unsigned max_rules)
{
    unsigned n = 0;

    if (fm->command == FLOW_ADD)
        return fm->table_id == TABLE_ALL && !fm->modify_adds ? (int)OFPERR_FMFC_BAD_TABLE_ID
                                                             : model_add(model, fm, max_rules);
    if (fm->command == FLOW_DELETE || fm->command == FLOW_DELETE_STRICT) {
        for (unsigned i = 0; i < model->n; i++) {
            if (!model_selected(&model->rules[i], fm))
                model->rules[n++] = model->rules[i];
        }
        model->n = n;
        return 0;
    }
    if (fm->table_id == TABLE_ALL && !fm->modify_adds)
        return OFPERR_FMFC_BAD_TABLE_ID;
    for (unsigned i = 0; i < model->n; i++) {
        struct model_rule *rule = &model->rules[i];

        if (!model_selected(rule, fm))
            continue;
        n++;
        rule->port = fm_port(fm);
        if (fm->modify_cookie && fm->cookie != UINT64_MAX)
            rule->cookie = fm->cookie;
        if (fm->flags & RULE_RESET_COUNTS)
            rule->packets = 0;
    }
    return n == 0 && fm->modify_adds && fm->cookie_mask == 0 ? model_add(model, fm, max_rules) : 0;
}

/* --- what observers know ------------------------------------------------- */

struct known {
    struct rule *rules[MODEL_MAX];
    uint32_t ports[MODEL_MAX];
    unsigned n;
};

static uint32_t rule_port(const struct rule *rule)
{
    return ((const struct act_output *)rule->acts.acts)->port;
}

static unsigned known_find(const struct known *known, const struct rule *rule)
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

static enum rule_removed_reason last_reason;

static void on_removed(void *arg, struct rule *rule, enum rule_removed_reason reason)
{
    last_reason = reason;
    known_forget(arg, rule);
}

static struct pipeline_observer observer_of(struct known *known)
{
    return (struct pipeline_observer){
        .arg = known, .rule_added = on_added, .rule_modified = on_modified, .rule_removed = on_removed};
}

/* --- random flow_mods ---------------------------------------------------- */

static const struct rule_filter all_rules = {.table_id = TABLE_ALL, .out_port = OFPORT_ANY, .out_group = OFGROUP_ANY};

static void match_in_port(struct match *match, uint32_t port)
{
    match->value.in_port = port;
    match->mask.in_port = UINT32_MAX;
}

static void match_ipv4_dst(struct match *match, uint32_t address, unsigned plen)
{
    match->value.pkt.eth_type = rte_cpu_to_be_16(0x0800);
    match->mask.pkt.eth_type = 0xffff;
    match->mask.pkt.ipv4_dst = plen == 0 ? 0 : rte_cpu_to_be_32(UINT32_MAX << (32 - plen));
    match->value.pkt.ipv4_dst = rte_cpu_to_be_32(address) & match->mask.pkt.ipv4_dst;
}

static void random_match(struct match *match)
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

static void random_flow(struct flow *flow)
{
    memset(flow, 0, sizeof *flow);
    flow->in_port = random_below(4);
    flow->pkt.eth_type = rte_cpu_to_be_16(0x0800);
    flow->pkt.ipv4_dst = rte_cpu_to_be_32(0x0a000000 | 1u << random_below(24));
    flow->pkt.tp_dst = rte_cpu_to_be_16((uint16_t)random_below(3));
}

/* `acts` must live as long as the flow_mod. */
static void output_fm(struct flow_mod *fm, struct act_output *acts, uint32_t port)
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

static void random_fm(struct flow_mod *fm, struct act_output *acts)
{
    uint32_t command = random_below(10);

    output_fm(fm, acts, 1 + random_below(4));
    fm->command = command < 6 ? FLOW_ADD : (enum flow_mod_command)(command - 5);
    fm->table_id = one_in(8) ? TABLE_ALL : (uint8_t)random_below(2);
    fm->priority = (uint16_t)random_below(3);
    fm->cookie = one_in(10) ? UINT64_MAX : random_below(4);
    fm->idle_timeout_s = (uint16_t)random_below(3);
    fm->importance = (uint16_t)random_below(3);
    random_match(&fm->match);
    if (one_in(4))
        fm->flags |= RULE_CHECK_OVERLAP;
    if (one_in(4))
        fm->flags |= RULE_RESET_COUNTS;
    if (one_in(2))
        fm->flags |= RULE_SEND_FLOW_REM;
    if (one_in(3))
        fm->modify_adds = fm->modify_cookie = true;
    if (fm->command != FLOW_ADD && one_in(3))
        fm->cookie_mask = 1 + random_below(3);
    if (one_in(3))
        fm->out_port = 1 + random_below(4);
    if (one_in(12))
        fm->out_group = 1;
}

/* --- comparison ---------------------------------------------------------- */

static struct model_rule *model_find(struct model *model, const struct rule *rule)
{
    struct match match;

    rule_match(rule, &match);
    for (unsigned i = 0; i < model->n; i++) {
        if (model->rules[i].table_id == rule->table_id && model->rules[i].priority == rule->priority &&
            match_equal(&model->rules[i].match, &match))
            return &model->rules[i];
    }
    fail_msg("a rule that the model does not have");
    return NULL;
}

static void compare(struct pipeline *pipeline, struct model *model, const struct known *known)
{
    struct rule_cursor *cursor = rule_cursor_open(pipeline, &all_rules);
    struct rule *rule;
    unsigned n = 0;

    for (; (rule = rule_cursor_next(cursor)); n++) {
        const struct model_rule *expected = model_find(model, rule);

        assert_int_equal(rule_port(rule), expected->port);
        assert_int_equal(rule->cookie, expected->cookie);
        assert_int_equal(rule->idle_timeout_s, expected->idle_timeout_s);
        assert_int_equal(rule->importance, expected->importance);
        assert_int_equal(rule->flags, expected->flags);
        assert_int_equal(rule->packets, expected->packets);
        assert_int_equal(known->ports[known_find(known, rule)], expected->port);
    }
    rule_cursor_close(cursor);
    assert_int_equal(n, model->n);
    assert_int_equal(n, known->n);
    assert_int_equal(n, pipeline_n_rules(pipeline, TABLE_ALL));
}

static void compare_lookups(struct pipeline *pipeline, struct model *model)
{
    for (unsigned i = 0; i < 5; i++) {
        uint8_t table_id = (uint8_t)random_below(2);
        int best = -1;
        struct flow flow;

        random_flow(&flow);

        struct rule *rule = pipeline_lookup(pipeline, table_id, &flow, NULL, NULL);

        for (unsigned j = 0; j < model->n; j++) {
            if (model->rules[j].table_id == table_id && model->rules[j].priority > best &&
                match_hits(&model->rules[j].match, &flow))
                best = model->rules[j].priority;
        }
        if (!rule) {
            assert_int_equal(best, -1);
        } else {
            assert_int_equal(best, rule->priority);
            assert_true(match_hits(&model_find(model, rule)->match, &flow));
        }
    }
}

/* Traffic hits some rules. */
static void count_packets(struct pipeline *pipeline, struct model *model)
{
    struct rule_cursor *cursor = rule_cursor_open(pipeline, &all_rules);
    struct rule *rule;

    while ((rule = rule_cursor_next(cursor))) {
        if (one_in(4)) {
            rule->packets++;
            model_find(model, rule)->packets++;
        }
    }
    rule_cursor_close(cursor);
}

#define MAX_IN_TABLE 60

static void random_flow_mods_do_what_a_plain_list_does(void **state)
{
    static struct model model;
    static struct known known;
    struct pipeline_observer observer = observer_of(&known);
    struct pipeline *pipeline = pipeline_create(&observer);
    unsigned refused = 0;

    pipeline_set_table_limit(pipeline, 0, MAX_IN_TABLE);
    pipeline_set_table_limit(pipeline, 1, MAX_IN_TABLE);
    for (unsigned i = 0; i < 20000; i++) {
        struct flow_mod fm;
        struct act_output acts;

        random_fm(&fm, &acts);

        int error = pipeline_flow_mod(pipeline, &fm);

        assert_int_equal(error, model_apply(&model, &fm, MAX_IN_TABLE));
        refused += error != 0;
        if (i % 8 == 0) {
            compare(pipeline, &model, &known);
            compare_lookups(pipeline, &model);
            count_packets(pipeline, &model);
        }
    }
    assert_true(refused > 100);
    pipeline_destroy(pipeline);
    known.n = 0;
    model.n = 0;
}

static void random_bundles_happen_as_a_whole_or_not_at_all(void **state)
{
    static struct model model, next;
    static struct known known;
    struct pipeline_observer observer = observer_of(&known);
    struct pipeline *pipeline = pipeline_create(&observer);

    pipeline_set_table_limit(pipeline, 0, MAX_IN_TABLE);
    pipeline_set_table_limit(pipeline, 1, MAX_IN_TABLE);
    for (unsigned i = 0; i < 1500; i++) {
        next = model;
        assert_int_equal(pipeline_bundle_begin(pipeline), 0);
        assert_int_equal(pipeline_bundle_begin(pipeline), -EBUSY);
        for (unsigned n = random_below(20); n > 0; n--) {
            struct flow_mod fm;
            struct act_output acts;

            random_fm(&fm, &acts);
            assert_int_equal(pipeline_bundle_mod(pipeline, &fm), model_apply(&next, &fm, MAX_IN_TABLE));
            if (one_in(5)) {
                compare(pipeline, &model, &known);
                compare_lookups(pipeline, &model);
                assert_int_equal(pipeline_flow_mod(pipeline, &fm), OFPERR_FMFC_EPERM);
            }
        }
        if (one_in(3)) {
            while (!pipeline_bundle_abort_step(pipeline, 1 + random_below(3)))
                compare_lookups(pipeline, &model);
        } else {
            bool done = pipeline_bundle_commit_step(pipeline, 1);

            while (!done) {
                compare_lookups(pipeline, &next);
                done = pipeline_bundle_commit_step(pipeline, 1 + random_below(3));
            }
            model = next;
        }
        compare(pipeline, &model, &known);
        compare_lookups(pipeline, &model);
        count_packets(pipeline, &model);
    }
    pipeline_destroy(pipeline);
    known.n = 0;
}

static struct rule *only_rule(struct pipeline *pipeline)
{
    struct rule_cursor *cursor = rule_cursor_open(pipeline, &all_rules);
    struct rule *rule = rule_cursor_next(cursor);

    assert_non_null(rule);
    assert_null(rule_cursor_next(cursor));
    rule_cursor_close(cursor);
    return rule;
}

static void a_rule_may_time_out_while_a_bundle_replaces_or_modifies_it(void **state)
{
    static const enum flow_mod_command commands[] = {FLOW_ADD, FLOW_MODIFY, FLOW_DELETE};

    for (unsigned i = 0; i < 6; i++) {
        struct known known = {0};
        struct pipeline_observer observer = observer_of(&known);
        struct pipeline *pipeline = pipeline_create(&observer);
        struct flow_mod fm;
        struct act_output acts;
        bool commit = i < 3;

        output_fm(&fm, &acts, 1);
        fm.hard_timeout_s = 10;
        assert_int_equal(pipeline_flow_mod(pipeline, &fm), 0);

        output_fm(&fm, &acts, 2);
        fm.command = commands[i % 3];
        pipeline_bundle_begin(pipeline);
        assert_int_equal(pipeline_bundle_mod(pipeline, &fm), 0);
        assert_int_equal(known.n, 1);
        now_ms += 11000;
        assert_int_equal(pipeline_expire(pipeline, now_ms, 10), 1);
        assert_int_equal(last_reason, RULE_HARD_TIMEOUT);
        assert_int_equal(known.n, 0);
        assert_int_equal(pipeline_n_rules(pipeline, 0), 0);
        if (commit)
            pipeline_bundle_commit(pipeline);
        else
            pipeline_bundle_abort(pipeline);
        assert_int_equal(known.n, commit && commands[i % 3] == FLOW_ADD);
        assert_int_equal(pipeline_n_rules(pipeline, 0), known.n);
        if (known.n == 1)
            assert_int_equal(rule_port(only_rule(pipeline)), 2);
        pipeline_destroy(pipeline);
    }
}

static void rules_time_out_when_they_should(void **state)
{
    struct known known = {0};
    struct pipeline_observer observer = observer_of(&known);
    struct pipeline *pipeline = pipeline_create(&observer);
    struct flow_mod fm;
    struct act_output acts;

    output_fm(&fm, &acts, 1);
    fm.idle_timeout_s = 5;
    fm.hard_timeout_s = 12;
    pipeline_flow_mod(pipeline, &fm);

    struct rule *rule = only_rule(pipeline);
    uint64_t start = now_ms;

    for (; now_ms < start + 8000; now_ms += 100) {
        rule->used_ms = now_ms;
        assert_int_equal(pipeline_expire(pipeline, now_ms, 10), 0);
    }
    uint64_t used = rule->used_ms;

    while (pipeline_expire(pipeline, now_ms, 10) == 0)
        now_ms += 10;
    assert_in_range(now_ms, start + 12000, start + 12200);
    assert_int_equal(last_reason, RULE_HARD_TIMEOUT);
    assert_true(now_ms < used + 5000);

    /* Longer than the wheel. */
    fm.idle_timeout_s = 2000;
    fm.hard_timeout_s = 0;
    start = now_ms;
    pipeline_flow_mod(pipeline, &fm);
    while (pipeline_expire(pipeline, now_ms, 10) == 0)
        now_ms += 50;
    assert_in_range(now_ms, start + 2000000, start + 2000200);
    assert_int_equal(last_reason, RULE_IDLE_TIMEOUT);

    /* Nobody looked for a day. */
    pipeline_flow_mod(pipeline, &fm);
    now_ms += 86400000;
    assert_int_equal(pipeline_expire(pipeline, now_ms, 10), 1);

    /* Not more than asked for; the rest at the next call. */
    for (uint32_t i = 0; i < 30; i++) {
        match_in_port(&fm.match, i);
        pipeline_flow_mod(pipeline, &fm);
    }
    now_ms += 3000000;
    assert_int_equal(pipeline_expire(pipeline, now_ms, 20), 20);
    assert_int_equal(pipeline_expire(pipeline, now_ms, 20), 10);
    assert_int_equal(known.n, 0);

    /* fin_timeout shortens. */
    pipeline_flow_mod(pipeline, &fm);
    rule = only_rule(pipeline);
    pipeline_reduce_timeouts(pipeline, rule, 3, 0);
    assert_int_equal(rule->idle_timeout_s, 3);
    assert_int_equal(rule->hard_timeout_s, 0);
    now_ms += 3200;
    assert_int_equal(pipeline_expire(pipeline, now_ms, 20), 1);
    pipeline_destroy(pipeline);
}

/* A rule for one port, in a table of its own every time. */
static int add_numbered(struct pipeline *pipeline, uint32_t number, bool bundle)
{
    struct act_output output;
    struct flow_mod fm;

    output_fm(&fm, &output, 1);
    fm.command = FLOW_ADD;
    fm.table_id = (uint8_t)(number % 3);
    fm.priority = 5;
    match_in_port(&fm.match, number);
    return bundle ? pipeline_bundle_mod(pipeline, &fm) : pipeline_flow_mod(pipeline, &fm);
}

static void a_bridge_takes_no_more_rules_than_it_may(void **state)
{
    struct pipeline *pipeline = pipeline_create(NULL);
    struct flow_mod fm = {
        .command = FLOW_DELETE, .table_id = TABLE_ALL, .out_port = OFPORT_ANY, .out_group = OFGROUP_ANY};
    struct table_config config;

    pipeline_set_max_rules(pipeline, 10);
    for (uint32_t i = 0; i < 10; i++)
        assert_int_equal(add_numbered(pipeline, i, false), 0);
    assert_int_equal(add_numbered(pipeline, 10, false), OFPERR_FMFC_TABLE_FULL);
    assert_int_equal(add_numbered(pipeline, 3, false), 0); /* takes the place of another */
    /* A bundle that is given up leaves the account as it was. */
    for (unsigned round = 0; round < 2; round++) {
        assert_int_equal(pipeline_bundle_begin(pipeline), 0);
        assert_int_equal(pipeline_bundle_mod(pipeline, &fm), 0);
        for (uint32_t i = 20; i < 30; i++)
            assert_int_equal(add_numbered(pipeline, i, true), 0);
        assert_int_equal(add_numbered(pipeline, 30, true), OFPERR_FMFC_TABLE_FULL);
        pipeline_bundle_abort(pipeline);
        assert_int_equal(add_numbered(pipeline, 10, false), OFPERR_FMFC_TABLE_FULL);
    }
    /* A table that evicts makes room in itself. */
    config = *pipeline_table_config(pipeline, 1);
    config.config |= TABLE_EVICTION;
    pipeline_set_table_config(pipeline, 1, &config);
    assert_int_equal(add_numbered(pipeline, 31, false), 0);
    assert_int_equal(pipeline_n_rules(pipeline, TABLE_ALL), 10);
    assert_int_equal(add_numbered(pipeline, 30, false), OFPERR_FMFC_TABLE_FULL);
    assert_int_equal(pipeline_flow_mod(pipeline, &fm), 0);
    for (uint32_t i = 0; i < 10; i++)
        assert_int_equal(add_numbered(pipeline, i, false), 0);
    pipeline_set_max_rules(pipeline, 5); /* nothing that is there goes */
    assert_int_equal(pipeline_n_rules(pipeline, TABLE_ALL), 10);
    assert_int_equal(add_numbered(pipeline, 11, false), OFPERR_FMFC_TABLE_FULL);
    pipeline_destroy(pipeline);
}

static void malformed_flow_mods_are_refused(void **state)
{
    struct pipeline *pipeline = pipeline_create(NULL);
    struct flow_mod fm;
    struct act_output acts;
    struct act_u32 to = {.h = {.type = ACT_GOTO_TABLE, .len = sizeof to}, .value = 3};

    output_fm(&fm, &acts, 1);
    fm.acts = (struct act_list){.acts = &to.h, .len = sizeof to};
    fm.table_id = 3;
    assert_int_equal(pipeline_flow_mod(pipeline, &fm), OFPERR_BIC_BAD_TABLE_ID);
    fm.table_id = 4;
    assert_int_equal(pipeline_flow_mod(pipeline, &fm), OFPERR_BIC_BAD_TABLE_ID);
    fm.table_id = 2;
    assert_int_equal(pipeline_flow_mod(pipeline, &fm), 0);
    to.value = 255;
    assert_int_equal(pipeline_flow_mod(pipeline, &fm), OFPERR_BIC_BAD_TABLE_ID);

    output_fm(&fm, &acts, 1);
    fm.flags = 0x80;
    assert_int_equal(pipeline_flow_mod(pipeline, &fm), OFPERR_FMFC_BAD_FLAGS);
    fm.flags = 0;
    fm.command = 17;
    assert_int_equal(pipeline_flow_mod(pipeline, &fm), OFPERR_FMFC_BAD_COMMAND);
    assert_int_equal(pipeline_n_rules(pipeline, TABLE_ALL), 1);
    pipeline_destroy(pipeline);
}

static void hidden_rules_are_the_switch_s_own(void **state)
{
    struct pipeline *pipeline = pipeline_create(NULL);
    struct flow_mod fm, del;
    struct flow flow = {0};
    struct act_output acts, none;

    output_fm(&fm, &acts, OFPORT_NORMAL);
    fm.flags = RULE_HIDDEN;
    pipeline_flow_mod(pipeline, &fm);
    assert_int_equal(pipeline_n_rules(pipeline, TABLE_ALL), 0);

    output_fm(&del, &none, 1);
    del.command = FLOW_DELETE;
    del.table_id = TABLE_ALL;
    pipeline_flow_mod(pipeline, &del);

    struct rule *hidden = pipeline_lookup(pipeline, 0, &flow, NULL, NULL);

    assert_non_null(hidden);

    /* A controller's rule of the same match and priority does not replace it, but precedes it. */
    fm.flags = 0;
    pipeline_flow_mod(pipeline, &fm);
    assert_int_equal(pipeline_n_rules(pipeline, 0), 1);
    assert_ptr_not_equal(only_rule(pipeline), hidden);
    assert_ptr_equal(pipeline_lookup(pipeline, 0, &flow, NULL, NULL), only_rule(pipeline));

    pipeline_flow_mod(pipeline, &del);
    assert_ptr_equal(pipeline_lookup(pipeline, 0, &flow, NULL, NULL), hidden);

    /* So does one of another mask, although that came later. */
    match_in_port(&fm.match, flow.in_port);
    pipeline_flow_mod(pipeline, &fm);
    assert_ptr_equal(pipeline_lookup(pipeline, 0, &flow, NULL, NULL), only_rule(pipeline));
    flow.in_port++;
    assert_ptr_equal(pipeline_lookup(pipeline, 0, &flow, NULL, NULL), hidden);
    pipeline_flow_mod(pipeline, &del);
    del.flags = RULE_HIDDEN;
    pipeline_flow_mod(pipeline, &del);
    assert_null(pipeline_lookup(pipeline, 0, &flow, NULL, NULL));
    pipeline_destroy(pipeline);
}

static void cursors_meet_every_lasting_rule_once(void **state)
{
    for (unsigned round = 0; round < 300; round++) {
        struct pipeline *pipeline = pipeline_create(NULL);
        struct flow_mod fm;
        struct act_output acts;
        unsigned lasting = 0, met = 0, steps = 0;
        struct rule *rule;

        for (unsigned i = 0; i < 60; i++) {
            output_fm(&fm, &acts, 1);
            fm.table_id = (uint8_t)random_below(3);
            random_match(&fm.match);
            pipeline_flow_mod(pipeline, &fm);
        }

        struct rule_cursor *cursor = rule_cursor_open(pipeline, &all_rules);

        /* Rules with cookie 1 are those that come or go meanwhile; packets counts the visits. */
        struct rule_cursor *setup = rule_cursor_open(pipeline, &all_rules);
        while ((rule = rule_cursor_next(setup))) {
            rule->cookie = one_in(2);
            lasting += rule->cookie == 0;
        }
        rule_cursor_close(setup);

        for (bool more = true; more; steps++) {
            rule = rule_cursor_next(cursor);
            more = rule;
            if (more && rule->cookie == 0) {
                assert_int_equal(rule->packets++, 0);
                met++;
            }
            output_fm(&fm, &acts, 1);
            fm.table_id = one_in(10) ? TABLE_ALL : (uint8_t)random_below(3);
            random_match(&fm.match);
            if (one_in(2)) {
                fm.command = FLOW_DELETE;
                fm.cookie = fm.cookie_mask = 1;
            } else {
                fm.priority = 101;
                fm.cookie = 1;
            }
            if (steps < 200)
                pipeline_flow_mod(pipeline, &fm);
        }
        assert_int_equal(met, lasting);
        rule_cursor_close(cursor);
        pipeline_destroy(pipeline);
    }
}

static void a_reference_keeps_a_rule_beyond_its_pipeline(void **state)
{
    struct pipeline *pipeline = pipeline_create(NULL);
    struct flow_mod fm;
    struct act_output acts;

    output_fm(&fm, &acts, 9);
    pipeline_flow_mod(pipeline, &fm);

    struct rule *rule = rule_ref(only_rule(pipeline));

    fm.command = FLOW_DELETE;
    pipeline_flow_mod(pipeline, &fm);
    assert_true(rule->removed);
    pipeline_destroy(pipeline);
    assert_int_equal(rule_port(rule), 9);
    rule_unref(rule);
}

#define MANY 100000

static void add_many(struct pipeline *pipeline, bool bundle)
{
    struct flow_mod fm;
    struct act_output acts;

    output_fm(&fm, &acts, 2);
    match_in_port(&fm.match, 1);
    if (bundle)
        pipeline_bundle_begin(pipeline);
    for (uint32_t i = 0; i < MANY; i++) {
        match_ipv4_dst(&fm.match, 0x0a000000 + i, 32);
        assert_int_equal(bundle ? pipeline_bundle_mod(pipeline, &fm) : pipeline_flow_mod(pipeline, &fm), 0);
    }
    if (bundle)
        pipeline_bundle_commit(pipeline);
}

static void many_rules_take_little_memory_and_give_it_back(void **state)
{
    struct pipeline *pipeline = pipeline_create(NULL);
    size_t empty = pipeline_memory(pipeline);
    struct mallinfo2 before = mallinfo2();

    for (unsigned i = 0; i < 2; i++) {
        struct flow_mod fm;
        struct act_output acts;

        add_many(pipeline, i == 1);
        assert_int_equal(pipeline_n_rules(pipeline, 0), MANY);

        struct mallinfo2 full = mallinfo2();
        size_t heap = full.uordblks + full.hblkhd - before.uordblks - before.hblkhd + big_arrays_mapped();
        size_t own = pipeline_memory(pipeline) - empty;

        assert_true(own < MANY * UINT64_C(500));
        if (full.uordblks != before.uordblks) { /* else it is not glibc's allocator */
            assert_true(heap < MANY * UINT64_C(500));
            assert_in_range(heap, own - own / 8, own + own / 8);
        }
        output_fm(&fm, &acts, 2);
        fm.command = FLOW_DELETE;
        fm.table_id = TABLE_ALL;
        pipeline_flow_mod(pipeline, &fm);
        assert_int_equal(pipeline_n_rules(pipeline, TABLE_ALL), 0);
        assert_true(pipeline_memory(pipeline) < empty + 10000);
    }
    pipeline_destroy(pipeline);
}

static void a_pipeline_is_cleared_a_few_rules_at_a_time(void **state)
{
    enum { STEP = 1000 };
    struct pipeline *pipeline = pipeline_create(NULL);
    unsigned steps = 1;

    add_many(pipeline, false);
    for (uint32_t left = pipeline_n_rules(pipeline, TABLE_ALL); !pipeline_clear(pipeline, STEP); steps++) {
        assert_in_range(left - pipeline_n_rules(pipeline, TABLE_ALL), 1, STEP);
        left = pipeline_n_rules(pipeline, TABLE_ALL);
    }
    assert_int_equal(pipeline_n_rules(pipeline, TABLE_ALL), 0);
    assert_in_range(steps, MANY / STEP, MANY / STEP + 2);
    pipeline_destroy(pipeline);
}

static void a_cursor_ends_with_its_pipeline(void **state)
{
    struct pipeline *pipeline = pipeline_create(NULL);
    struct rule_cursor *cursor;

    add_many(pipeline, false);
    cursor = rule_cursor_open(pipeline, &all_rules);
    assert_non_null(rule_cursor_next(cursor));
    pipeline_destroy(pipeline);
    assert_null(rule_cursor_next(cursor));
    rule_cursor_close(cursor);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_flow_mods_do_what_a_plain_list_does),
        cmocka_unit_test(random_bundles_happen_as_a_whole_or_not_at_all),
        cmocka_unit_test(a_rule_may_time_out_while_a_bundle_replaces_or_modifies_it),
        cmocka_unit_test(rules_time_out_when_they_should),
        cmocka_unit_test(malformed_flow_mods_are_refused),
        cmocka_unit_test(a_bridge_takes_no_more_rules_than_it_may),
        cmocka_unit_test(hidden_rules_are_the_switch_s_own),
        cmocka_unit_test(cursors_meet_every_lasting_rule_once),
        cmocka_unit_test(a_reference_keeps_a_rule_beyond_its_pipeline),
        cmocka_unit_test(many_rules_take_little_memory_and_give_it_back),
        cmocka_unit_test(a_pipeline_is_cleared_a_few_rules_at_a_time),
        cmocka_unit_test(a_cursor_ends_with_its_pipeline),
    };

    clock_set_source(stopped_clock_us);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
