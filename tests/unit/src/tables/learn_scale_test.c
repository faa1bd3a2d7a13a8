/* Learn actions with many rules: nothing that they ask for takes the control thread long at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "src/tables/learn.h"
#include "src/tables/pipeline.h"
#include "tests/lib/bundles.h"
#include "tests/lib/flow_text.h"
#include "tests/lib/own_time.h"

#define RULES 300000
#define KEYS 300000
#define KEYS_A_RULE 100
/* A walk over all rules in one turn takes 3 ms where they are in the order of their addresses, and 30 elsewhere. */
#define BOUND_US (1500 * OWN_TIME_FACTOR)
#define GROWTH_US (2500 * OWN_TIME_FACTOR) /* a table that doubles at once takes 5 ms at 131072 keys, then 10 */
/* Something else may have had the core within the thread's own time, which happens in a virtual machine. */
#define TRIES 3

static struct pipeline *pipeline;
static bool to_settle;

static void note_to_settle(void *arg)
{
    to_settle = true;
}

static int setup(void **state)
{
    const struct pipeline_observer observer = {.to_settle = note_to_settle};

    pipeline = pipeline_create(&observer);
    to_settle = false;
    return 0;
}

static int teardown(void **state)
{
    pipeline_destroy(pipeline);
    return 0;
}

static void mod(const char *text, int command)
{
    struct act_buffer acts;
    struct flow_mod fm;
    char *error;

    act_buffer_init(&acts);
    error = flow_mod_parse(text, &fm, &acts, NULL, NULL);

    if (error)
        fail_msg("%s: %s", text, error);
    fm.command = (uint8_t)command;
    fm.out_port = OFPORT_ANY;
    fm.out_group = OFGROUP_ANY;
    assert_int_equal(pipeline_flow_mod(pipeline, &fm), 0);
    act_buffer_free(&acts);
}

/* Adds `n` rules to table 4 with the cookie, of in_ports from `first` on. */
static void fill(uint64_t cookie, uint32_t first, uint32_t n)
{
    struct act_buffer acts;
    struct flow_mod fm;

    act_buffer_init(&acts);
    assert_null(flow_mod_parse("table=4,in_port=1,actions=drop", &fm, &acts, NULL, NULL));
    fm.cookie = cookie;
    for (uint32_t i = 0; i < n; i++) {
        fm.match.value.in_port = first + i;
        assert_int_equal(pipeline_flow_mod(pipeline, &fm), 0);
    }
    act_buffer_free(&acts);
}

/* What would come of it if a packet taught a rule of table 4 with the cookie, with that limit. */
static enum learn_result teach(uint64_t cookie, uint32_t limit)
{
    struct act_buffer acts;
    enum learn_result result;
    struct flow flow = {.in_port = 0xffffff};
    struct flow_mod fm;
    struct rule *rule;

    act_buffer_init(&acts);
    assert_null(flow_mod_parse("actions=learn(table=4,NXM_OF_ETH_SRC[])", &fm, &acts, NULL, NULL));
    ((struct act_learn *)acts.data)->cookie = cookie;
    rule = learn_rule(pipeline, (const struct act_learn *)acts.data, &flow);
    result = pipeline_would_learn(pipeline, rule, limit);
    rule_unref(rule);
    act_buffer_free(&acts);
    return result;
}

static uint64_t longer(uint64_t longest, uint64_t since)
{
    uint64_t us = own_us() - since;

    return us > longest ? us : longest;
}

/* Counts the rules with the cookie for a new rule that has a limit. Returns the longest turn, in microseconds. */
static uint64_t count_for_a_rule(uint64_t cookie, uint32_t limit)
{
    uint64_t longest, start = own_us();
    bool done = false;
    char text[128];

    snprintf(text, sizeof text, "in_port=%u,actions=learn(table=4,cookie=%u,limit=%u,NXM_OF_ETH_SRC[])",
             (unsigned)cookie, (unsigned)cookie, limit);
    mod(text, FLOW_ADD);
    longest = longer(0, start);
    while (!done) {
        start = own_us();
        done = pipeline_settle_step(pipeline, 256);
        longest = longer(longest, start);
    }
    start = own_us();
    assert_int_equal(teach(cookie, limit), LEARN_REFUSED);
    longest = longer(longest, start);
    assert_int_equal(teach(cookie, limit + 1), LEARN_CHANGED);
    return longest;
}

static void the_rules_of_a_cookie_are_counted_in_slices(void **state)
{
    uint64_t longest = UINT64_MAX;

    for (unsigned i = 0; i < TRIES; i++)
        fill(i, i << 20, RULES / TRIES);
    for (unsigned i = 0; i < TRIES && longest > BOUND_US; i++)
        longest = count_for_a_rule(i, RULES / TRIES);
    assert_in_range(longest, 0, BOUND_US);
}

/* A packet-out may ask for a cookie that no rule's learn action names. */
static void a_packet_alone_may_ask(void **state)
{
    uint64_t start, longest = UINT64_MAX;

    for (unsigned i = 0; i < TRIES; i++)
        fill(i, i << 20, RULES / TRIES);
    for (unsigned i = 0; i < TRIES && longest > BOUND_US; i++) {
        start = own_us();
        teach(i, RULES / TRIES + 1);
        longest = longer(0, start);
        while (!pipeline_settle_step(pipeline, 256)) {
        }
        assert_int_equal(teach(i, RULES / TRIES), LEARN_REFUSED);
        assert_int_equal(teach(i, RULES / TRIES + 1), LEARN_CHANGED);
    }
    assert_in_range(longest, 0, BOUND_US);
}

/* Rules come, go and change their cookie while others are being counted, on either side of where the walk is. */
static void what_changes_meanwhile_is_counted_once(void **state)
{
    unsigned steps = 0;

    fill(1, 1, 20000);
    fill(2, 30000, 20000);
    mod("table=4,dl_vlan=7,cookie=1,actions=drop", FLOW_ADD); /* another subtable */
    mod("in_port=1,actions=learn(table=4,cookie=1,limit=20000,NXM_OF_ETH_SRC[])", FLOW_ADD);
    mod("in_port=2,actions=learn(table=4,cookie=2,limit=20000,NXM_OF_ETH_SRC[])", FLOW_ADD);
    assert_true(to_settle);
    assert_int_equal(teach(1, 1000000), LEARN_REFUSED); /* nobody knows yet */
    for (unsigned i = 0; !pipeline_settle_step(pipeline, 100); i++, steps++) {
        char text[64];

        if (i >= 40)
            continue;
        fill(1, 200000 + i, 1);
        snprintf(text, sizeof text, "table=4,in_port=%u,actions=drop", i + 1);
        mod(text, FLOW_DELETE);
        snprintf(text, sizeof text, "table=4,in_port=%u,actions=drop", 30000 + i);
        mod(text, FLOW_DELETE);
        if (i == 20) { /* a rule of a bundle that is taken back */
            assert_int_equal(pipeline_bundle_begin(pipeline), 0);
            bundle_abort(pipeline);
        }
    }
    assert_in_range(steps, 40, 1000);
    /* 20000 + 1 + 40 - 40 and 20000 - 40. */
    assert_int_equal(teach(1, 20001), LEARN_REFUSED);
    assert_int_equal(teach(1, 20002), LEARN_CHANGED);
    assert_int_equal(teach(2, 19960), LEARN_REFUSED);
    assert_int_equal(teach(2, 19961), LEARN_CHANGED);
    mod("table=4,actions=drop", FLOW_DELETE);
    assert_int_equal(teach(1, 1), LEARN_CHANGED);
    fill(2, 0, 1);
    assert_int_equal(teach(2, 1), LEARN_REFUSED);
}

/* Adds rules with many learn actions each, all of other cookies. Returns the longest that one of them took. */
static uint64_t add_keys(void)
{
    struct act_buffer acts;
    uint64_t longest = 0;
    struct flow_mod fm;

    act_buffer_init(&acts);
    assert_null(
        flow_mod_parse("in_port=1,actions=learn(delete_learned,table=4,NXM_OF_ETH_SRC[])", &fm, &acts, NULL, NULL));
    for (uint32_t i = 1, len = (uint32_t)fm.acts.len; i < KEYS_A_RULE; i++) {
        void *act = act_buffer_add(&acts, ACT_LEARN, len);

        memcpy(act, acts.data, len);
    }
    fm.acts = act_buffer_list(&acts);
    for (uint32_t i = 0; i < KEYS / KEYS_A_RULE; i++) {
        uint32_t n = 0;
        uint64_t start;

        ACT_FOR_EACH (act, &fm.acts)
            ((struct act_learn *)(uintptr_t)act)->cookie = i * KEYS_A_RULE + n++;
        fm.match.value.in_port = i;
        start = own_us();
        assert_int_equal(pipeline_flow_mod(pipeline, &fm), 0);
        longest = longer(longest, start);
    }
    act_buffer_free(&acts);
    return longest;
}

static void the_table_of_cookies_grows_in_steps(void **state)
{
    uint64_t longest = UINT64_MAX;

    for (unsigned i = 0; i < TRIES && longest > GROWTH_US; i++) {
        longest = add_keys();
        teardown(state);
        setup(state);
    }
    assert_in_range(longest, 0, GROWTH_US);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(the_rules_of_a_cookie_are_counted_in_slices),
        TEST(a_packet_alone_may_ask),
        TEST(what_changes_meanwhile_is_counted_once),
        TEST(the_table_of_cookies_grows_in_steps),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
