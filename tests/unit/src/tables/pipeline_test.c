/* What rules of a pipeline live through: timeouts, limits, cursors, references, the end. */
#include "tests/lib/pipeline_bed.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>

#include "pmd/base/big_array.h"
#include "pmd/base/clock.h"
#include "pmd/datapath.h"
#include "src/match/field.h"
#include "tests/lib/bundles.h"

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
        assert_int_equal(bundle_mod(pipeline, &fm), 0);
        assert_int_equal(known.n, 1);
        now_ms += 11000;
        assert_int_equal(pipeline_expire(pipeline, now_ms, 10), 1);
        assert_int_equal(last_reason, RULE_HARD_TIMEOUT);
        assert_int_equal(known.n, 0);
        assert_int_equal(pipeline_n_rules(pipeline, 0), 0);
        if (commit)
            bundle_commit(pipeline);
        else
            bundle_abort(pipeline);
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
    return bundle ? bundle_mod(pipeline, &fm) : pipeline_flow_mod(pipeline, &fm);
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
        assert_int_equal(bundle_mod(pipeline, &fm), 0);
        for (uint32_t i = 20; i < 30; i++)
            assert_int_equal(add_numbered(pipeline, i, true), 0);
        assert_int_equal(add_numbered(pipeline, 30, true), OFPERR_FMFC_TABLE_FULL);
        bundle_abort(pipeline);
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
        assert_int_equal(bundle ? bundle_mod(pipeline, &fm) : pipeline_flow_mod(pipeline, &fm), 0);
    }
    if (bundle)
        bundle_commit(pipeline);
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
