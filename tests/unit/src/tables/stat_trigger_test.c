/* The stat_trigger instruction: over the wire and back, what is refused, and which rules are told of when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "src/openflow/wire/act_wire.h"
#include "src/match/of_error.h"
#include "src/openflow/codec/msg.h"
#include "src/tables/pipeline.h"
#include "src/tables/stat_trigger.h"
#include "tests/lib/bundles.h"

/* --- the wire ------------------------------------------------------------ */

#define DURATION                                                                                                       \
    "8002"                                                                                                             \
    "0008"                                                                                                             \
    "00000002"                                                                                                         \
    "1dcd6500" /* 2.5 s */
#define PACKETS                                                                                                        \
    "8002"                                                                                                             \
    "0808"                                                                                                             \
    "0000000000000064"
#define BYTES                                                                                                          \
    "8002"                                                                                                             \
    "0a08"                                                                                                             \
    "0000000000001000"
#define FLOWS                                                                                                          \
    "8002"                                                                                                             \
    "0604"                                                                                                             \
    "00000001"
#define OTHER                                                                                                          \
    "8002"                                                                                                             \
    "2604"                                                                                                             \
    "00000001"
#define EXPERIMENT                                                                                                     \
    "ffff"                                                                                                             \
    "0008"                                                                                                             \
    "00002320"                                                                                                         \
    "00000000"

static int decode(uint8_t version, const char *hex, struct act_buffer *acts)
{
    uint8_t bytes[256];
    size_t n = strlen(hex) / 2;
    struct reader r;

    for (size_t i = 0; i < n; i++) {
        const char digits[3] = {hex[2 * i], hex[2 * i + 1], 0};
        bytes[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
    r = reader_of(bytes, n);
    return instructions_decode(&r, version, acts);
}

static void instructions(void **state)
{
    static const struct {
        uint8_t version;
        const char *hex;
        int error;
        const char *text;
    } cases[] = {
        {OF15,
         "0007"
         "0020"
         "00000001"
         "0000"
         "0010" PACKETS "00000000"
         "00000000",
         OFPERR_BIC_BAD_LEN, NULL},
        {OF15,
         "0007"
         "0018"
         "00000001"
         "0000"
         "0010" PACKETS,
         0, "stat_trigger(packets=100,periodic)"},
        {OF15,
         "0007"
         "0018"
         "00000000"
         "0000"
         "0010" DURATION,
         0, "stat_trigger(duration=2.5)"},
        {OF15,
         "0007"
         "0028"
         "00000003"
         "0000"
         "001c" PACKETS BYTES "00000000",
         0, "stat_trigger(packets=100,bytes=4096,periodic,only_first)"},
        {OF15,
         "0007"
         "0018"
         "00000004"
         "0000"
         "0010" PACKETS,
         OFPERR_BIC_UNSUP_INST, NULL},
        {OF15,
         "0007"
         "0010"
         "00000000"
         "0000"
         "0004"
         "00000000",
         OFPERR_BIC_UNSUP_INST, NULL},
        {OF15,
         "0007"
         "0018"
         "00000000"
         "0000"
         "000c" FLOWS "00000000",
         OFPERR_BIC_UNSUP_INST, NULL},
        {OF15,
         "0007"
         "0018"
         "00000000"
         "0000"
         "000c" OTHER "00000000",
         OFPERR_BIC_UNSUP_INST, NULL},
        {OF15,
         "0007"
         "0018"
         "00000000"
         "0000"
         "0010"
         "8002"
         "0008"
         "ffffffff"
         "3b9aca00",
         OFPERR_BIC_UNSUP_INST, NULL},
        {OF15,
         "0007"
         "0018"
         "00000000"
         "0000"
         "0010" EXPERIMENT,
         OFPERR_BIC_UNSUP_INST, NULL},
        {OF15,
         "0007"
         "0018"
         "00000000"
         "0000"
         "0010"
         "8002"
         "0804"
         "00000064"
         "00000000",
         OFPERR_BIC_BAD_LEN, NULL},
        {OF15,
         "0007"
         "0018"
         "00000000"
         "0000"
         "0040" PACKETS,
         OFPERR_BIC_BAD_LEN, NULL},
        {OF15,
         "0007"
         "0008"
         "00000000",
         OFPERR_BIC_BAD_LEN, NULL},
        {OF14,
         "0007"
         "0018"
         "00000001"
         "0000"
         "0010" PACKETS,
         OFPERR_BIC_UNKNOWN_INST, NULL},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct act_buffer acts, again;
        struct act_list list, list_again;
        struct of_buf buf = {0};
        struct reader r;
        char *text;

        act_buffer_init(&acts);
        act_buffer_init(&again);
        assert_string_equal(of_error_name(decode(cases[i].version, cases[i].hex, &acts)),
                            of_error_name(cases[i].error));
        if (cases[i].text) {
            list = act_buffer_list(&acts);
            text = act_list_format(&list, NULL, NULL);
            assert_string_equal(text, cases[i].text);
            free(text);
            instructions_encode(&buf, &list, OF15, NULL);
            r = reader_of(buf.data, buf.len);
            assert_int_equal(instructions_decode(&r, OF15, &again), 0);
            list_again = act_buffer_list(&again);
            assert_true(act_lists_equal(&list, &list_again));
            buf.len = 0;
            instructions_encode(&buf, &list, OF13, NULL);
            assert_int_equal(buf.len, 0);
        }
        of_buf_free(&buf);
        act_buffer_free(&acts);
        act_buffer_free(&again);
    }
}

/* --- the rules ----------------------------------------------------------- */

static struct pipeline *pipeline;
static struct rule *rule;
static unsigned n_told;

static void rule_triggered(void *arg, struct rule *which)
{
    n_told += which == rule;
}

static void rule_added(void *arg, struct rule *added, struct rule *replaced)
{
    rule = added;
}

static int setup(void **state)
{
    static const struct pipeline_observer observer = {.rule_added = rule_added, .rule_triggered = rule_triggered};

    pipeline = pipeline_create(&observer);
    n_told = 0;
    return 0;
}

static int teardown(void **state)
{
    pipeline_destroy(pipeline);
    return 0;
}

static void mod(enum flow_mod_command command, uint32_t flags, uint32_t present, uint64_t duration_s, uint64_t packets,
                uint64_t bytes)
{
    struct act_buffer acts;
    struct flow_mod fm = {.command = command, .out_port = OFPORT_ANY, .out_group = OFGROUP_ANY};
    struct act_stat_trigger *trigger;

    act_buffer_init(&acts);
    trigger = act_buffer_add(&acts, ACT_STAT_TRIGGER, sizeof *trigger);
    trigger->flags = flags;
    trigger->present = present;
    trigger->thresholds[STAT_DURATION] = duration_s * 1000000000;
    trigger->thresholds[STAT_PACKETS] = packets;
    trigger->thresholds[STAT_BYTES] = bytes;
    fm.acts = act_buffer_list(&acts);
    match_init_all(&fm.match);
    assert_int_equal(pipeline_flow_mod(pipeline, &fm), 0);
    act_buffer_free(&acts);
}

/* One pass; returns how often the rule was told of. */
static unsigned pass(uint64_t now_ms)
{
    n_told = 0;
    pipeline_triggers_begin(pipeline);
    while (pipeline_triggers_run(pipeline, now_ms, 1))
        ;
    return n_told;
}

static unsigned pass_with(uint64_t packets, uint64_t bytes)
{
    rule->packets = packets;
    rule->bytes = bytes;
    return pass(rule->created_ms);
}

#define WATCH(threshold) (1u << (threshold))

static void thresholds_are_told_once_or_at_each_multiple(void **state)
{
    mod(FLOW_ADD, 0, WATCH(STAT_PACKETS) | WATCH(STAT_BYTES), 0, 10, 1000);
    assert_int_equal(pass_with(9, 999), 0);
    assert_int_equal(pass_with(10, 999), 1);
    assert_int_equal(pass_with(30, 999), 0);
    assert_int_equal(pass_with(30, 1000), 1);
    assert_int_equal(pass_with(300, 10000), 0);

    mod(FLOW_MODIFY, STAT_TRIGGER_PERIODIC, WATCH(STAT_PACKETS), 0, 10, 0);
    assert_int_equal(pass_with(300, 0), 1); /* it is there already */
    assert_int_equal(pass_with(309, 0), 0);
    assert_int_equal(pass_with(310, 0), 1);
    assert_int_equal(pass_with(345, 0), 1);
    assert_int_equal(pass_with(345, 0), 0);
    assert_int_equal(pass_with(0, 0), 0); /* counted anew */
    assert_int_equal(pass_with(10, 0), 1);

    mod(FLOW_MODIFY, STAT_TRIGGER_ONLY_FIRST, WATCH(STAT_PACKETS) | WATCH(STAT_BYTES), 0, 100, 1000);
    assert_int_equal(pass_with(99, 1000), 1);
    assert_int_equal(pass_with(1000, 10000), 0);
}

static void times_are_thresholds(void **state)
{
    mod(FLOW_ADD, STAT_TRIGGER_PERIODIC, WATCH(STAT_DURATION), 2, 0, 0);
    assert_int_equal(pass(rule->created_ms + 1999), 0);
    assert_int_equal(pass(rule->created_ms + 2000), 1);
    assert_int_equal(pass(rule->created_ms + 3500), 0);
    assert_int_equal(pass(rule->created_ms + 4100), 1);
}

static void who_goes_is_not_watched(void **state)
{
    const struct flow_mod all = {
        .command = FLOW_DELETE, .table_id = TABLE_ALL, .out_port = OFPORT_ANY, .out_group = OFGROUP_ANY};
    struct flow_mod fm = all;

    mod(FLOW_ADD, 0, WATCH(STAT_PACKETS), 0, 1, 0);
    pipeline_triggers_begin(pipeline);
    match_init_all(&fm.match);
    assert_int_equal(pipeline_flow_mod(pipeline, &fm), 0);
    assert_false(pipeline_triggers_run(pipeline, 0, 1));
    /* A bundle's rule is watched once it is visible. */
    assert_int_equal(pipeline_bundle_begin(pipeline), 0);
    fm.command = FLOW_ADD;
    fm.table_id = 0;
    struct act_buffer acts;
    act_buffer_init(&acts);
    ((struct act_stat_trigger *)act_buffer_add(&acts, ACT_STAT_TRIGGER, sizeof(struct act_stat_trigger)))->present =
        WATCH(STAT_PACKETS);
    fm.acts = act_buffer_list(&acts);
    assert_int_equal(bundle_mod(pipeline, &fm), 0);
    act_buffer_free(&acts);
    assert_int_equal(pass(0), 0);
    bundle_commit(pipeline);
    assert_int_equal(pass(0), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(instructions),
        cmocka_unit_test_setup_teardown(thresholds_are_told_once_or_at_each_multiple, setup, teardown),
        cmocka_unit_test_setup_teardown(times_are_thresholds, setup, teardown),
        cmocka_unit_test_setup_teardown(who_goes_is_not_watched, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
