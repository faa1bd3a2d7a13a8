/* Meters within bundles: invisible before the commit, gone without a trace after an abort, and what becomes of rules.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "src/match/of_error.h"
#include "src/tables/group.h"
#include "src/tables/meter.h"
#include "src/tables/table.h"
#include "tests/lib/rules.h"
#include "tests/lib/bundles.h"

/* --- the datapath's meters, as a stand-in -------------------------------- */

#define SLOTS 512
static struct meter_slot {
    bool used, removed; /* removed: used until it is forgotten */
    uint32_t rate;
    uint64_t packets;
} slots[SLOTS];

int datapath_meter_add(struct datapath *dp, const struct meter_config *config, uint32_t *index)
{
    for (uint32_t i = 0; i < SLOTS; i++) {
        if (!slots[i].used) {
            slots[i] = (struct meter_slot){.used = true, .rate = config->bands[0].rate};
            *index = i;
            return 0;
        }
    }
    return -ENOSPC;
}

int datapath_meter_set(struct datapath *dp, uint32_t index, const struct meter_config *config)
{
    assert_true(slots[index].used);
    slots[index] = (struct meter_slot){.used = true, .rate = config->bands[0].rate};
    return 0;
}

void datapath_meter_remove(struct datapath *dp, uint32_t index)
{
    assert_true(slots[index].used && !slots[index].removed);
    slots[index].removed = true;
}

void datapath_meter_forget(struct datapath *dp, uint32_t index)
{
    assert_true(slots[index].removed);
    slots[index] = (struct meter_slot){0};
}

void datapath_meter_counts(const struct datapath *dp, uint32_t index, struct meter_counts *counts)
{
    assert_true(slots[index].used);
    *counts = (struct meter_counts){.packets = slots[index].packets};
}

static unsigned n_slots(void)
{
    unsigned n = 0;

    for (unsigned i = 0; i < SLOTS; i++)
        n += slots[i].used;
    return n;
}

/* --- a pipeline over them ------------------------------------------------ */

static struct pipeline *pipeline;
static unsigned n_removed, n_meter_deleted, n_told;

static void rule_removed(void *arg, struct rule *rule, enum rule_removed_reason reason)
{
    n_removed++;
    n_meter_deleted += reason == RULE_METER_DELETED;
}

static void meters_changed(void *arg)
{
    n_told++;
}

static int setup(void **state)
{
    static const struct pipeline_observer observer = {.rule_removed = rule_removed, .meters_changed = meters_changed};

    memset(slots, 0, sizeof slots);
    pipeline = pipeline_create(&observer);
    pipeline_set_meters(pipeline, meter_table_create(pipeline, NULL));
    n_removed = n_meter_deleted = n_told = 0;
    return 0;
}

static int teardown(void **state)
{
    pipeline_destroy(pipeline);
    assert_int_equal(n_slots(), 0);
    return 0;
}

static struct meter_table *table(void)
{
    return pipeline_meters(pipeline);
}

static int meter_with(enum meter_command command, uint32_t id, uint32_t rate, enum meter_band_type type)
{
    const struct meter_mod mod = {.command = command,
                                  .flags = METER_PKTPS,
                                  .meter_id = id,
                                  .n_bands = 1,
                                  .bands = {{.type = type, .rate = rate, .prec_level = 1}}};

    return meter_table_mod(table(), &mod);
}

static int meter(enum meter_command command, uint32_t id, uint32_t rate)
{
    return meter_with(command, id, rate, METER_DROP_BAND);
}

static int rule(bool in_bundle, enum flow_mod_command command, uint16_t priority, const char *actions)
{
    return rule_mod(pipeline, in_bundle, command, priority, actions);
}

static unsigned n_meters(void)
{
    struct meter_cursor *cursor = meter_cursor_open(table());
    unsigned n = 0;

    while (meter_cursor_next(cursor))
        n++;
    meter_cursor_close(cursor);
    return n;
}

static uint32_t rate_of(uint32_t id)
{
    const struct meter_entry *entry = meter_table_find(table(), id);

    assert_non_null(entry);
    assert_int_equal(entry->bands[0].rate, slots[entry->index].rate);
    return entry->bands[0].rate;
}

static void begin(void)
{
    assert_int_equal(pipeline_bundle_begin(pipeline), 0);
}

static void meters_and_rules_become_visible_together(void **state)
{
    begin();
    assert_int_equal(rule(true, FLOW_ADD, 5, "meter:1,output:1"), OFPERR_BAC_BAD_METER);
    assert_int_equal(meter(METER_MODIFY, 1, 10), OFPERR_MMFC_UNKNOWN_METER);
    assert_int_equal(meter(METER_ADD, 1, 10), 0);
    assert_int_equal(meter(METER_ADD, 1, 10), OFPERR_MMFC_METER_EXISTS);
    assert_int_equal(meter(METER_MODIFY, 1, 0), OFPERR_MMFC_BAD_RATE);
    assert_int_equal(meter(METER_MODIFY, 1, 20), 0);
    assert_int_equal(rule(true, FLOW_ADD, 5, "meter:1,output:1"), 0);
    assert_null(meter_table_find(table(), 1));
    assert_int_equal(n_meters(), 0);
    assert_int_equal(pipeline_n_rules(pipeline, 0), 0);
    bundle_commit(pipeline);
    assert_int_equal(rate_of(1), 20);
    assert_int_equal(meter_table_find(table(), 1)->users.n, 1);
    assert_int_equal(pipeline_n_rules(pipeline, 0), 1);
}

static void an_abort_leaves_nothing(void **state)
{
    struct meter_counts counts;

    assert_int_equal(meter(METER_ADD, 1, 10), 0);
    assert_int_equal(meter(METER_ADD, 2, 20), 0);
    assert_int_equal(rule(false, FLOW_ADD, 5, "meter:1,output:1"), 0);
    slots[meter_table_find(table(), 1)->index].packets = 7;
    begin();
    assert_int_equal(meter(METER_MODIFY, 1, 11), 0);
    assert_int_equal(meter(METER_MODIFY, 1, 12), 0);
    assert_int_equal(meter(METER_DELETE, 1, 0), 0);
    assert_int_equal(meter(METER_ADD, 1, 13), 0);
    assert_int_equal(meter(METER_MODIFY, 1, 14), 0);
    assert_int_equal(rule(true, FLOW_ADD, 6, "meter:1,output:1"), 0);
    assert_int_equal(meter(METER_ADD, 3, 30), 0);
    assert_int_equal(meter(METER_DELETE, OFMETER_ALL, 0), 0);
    assert_int_equal(meter(METER_ADD, 4, 40), 0);
    assert_int_equal(n_meters(), 2);
    assert_int_equal(rate_of(1), 10);
    bundle_abort(pipeline);
    assert_int_equal(n_meters(), 2);
    assert_int_equal(n_slots(), 2);
    assert_int_equal(rate_of(1), 10);
    assert_int_equal(rate_of(2), 20);
    meter_table_counts(table(), meter_table_find(table(), 1), &counts);
    assert_int_equal(counts.packets, 7);
    assert_int_equal(meter_table_find(table(), 1)->users.n, 1);
    assert_int_equal(pipeline_n_rules(pipeline, 0), 1);
    assert_int_equal(n_removed, 0);
    assert_int_equal(n_told, 0);
    assert_int_equal(meter(METER_DELETE, 1, 0), 0);
    assert_int_equal(n_meter_deleted, 1);
}

static void a_deleted_meter_takes_its_rules_along(void **state)
{
    assert_int_equal(meter(METER_ADD, 1, 10), 0);
    assert_int_equal(rule(false, FLOW_ADD, 5, "meter:1,output:1"), 0);
    assert_int_equal(rule(false, FLOW_ADD, 6, "output:1"), 0);
    begin();
    assert_int_equal(rule(true, FLOW_MODIFY, 0, "meter:1,output:2"), 0); /* both */
    assert_int_equal(rule(true, FLOW_ADD, 7, "meter:1"), 0);
    assert_int_equal(meter(METER_MODIFY, 1, 11), 0);
    assert_int_equal(meter(METER_DELETE, 1, 0), 0);
    assert_int_equal(rule(true, FLOW_ADD, 8, "meter:1"), OFPERR_BAC_BAD_METER);
    assert_int_equal(meter(METER_ADD, 1, 12), 0);
    assert_int_equal(rule(true, FLOW_ADD, 8, "meter:1"), 0);
    assert_int_equal(pipeline_n_rules(pipeline, 0), 2);
    bundle_commit(pipeline);
    assert_int_equal(pipeline_n_rules(pipeline, 0), 1);
    assert_int_equal(n_removed, 2);
    assert_int_equal(n_meter_deleted, 2);
    assert_int_equal(rate_of(1), 12);
    assert_int_equal(n_slots(), 1);
    assert_int_equal(meter_table_find(table(), 1)->users.n, 1);
}

/* A group with one bucket of these actions. */
static int group(enum group_command command, const char *actions)
{
    struct act_buffer acts;
    struct bucket bucket = {.watch_port = OFPORT_ANY, .watch_group = OFGROUP_ANY};
    const struct group_mod mod = {
        .command = command, .group_id = 1, .type = GROUP_ALL, .buckets = &bucket, .n_buckets = 1};
    int error;

    act_buffer_init(&acts);
    assert_null(actions_parse(actions, &acts, NULL, NULL));
    bucket.acts = act_buffer_list(&acts);
    error = group_table_mod(pipeline_groups(pipeline), &mod);
    act_buffer_free(&acts);
    return error;
}

/* Whatever action of a bucket names a meter: the meter has to be there, and who goes through the group hears of it. */
static void buckets_name_meters_that_there_are(void **state)
{
    static const char *const forms[] = {"meter:1,output:1", "controller(meter_id=1)"};

    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        unsigned told = n_told;

        assert_int_equal(group(GROUP_ADD, forms[i]), OFPERR_BAC_BAD_METER);
        assert_int_equal(meter(METER_ADD, 1, 10), 0);
        assert_int_equal(group(GROUP_ADD, forms[i]), 0);
        assert_int_equal(n_told, told);
        assert_int_equal(meter(METER_DELETE, 1, 0), 0);
        assert_int_equal(n_told, told + 1);
        assert_int_equal(group(GROUP_DELETE, "drop"), 0);
    }
}

/* A bucket keeps naming a meter that went; what remarks is looked at by later tables. */
static void who_depends_on_meters_is_told(void **state)
{
    assert_int_equal(meter(METER_ADD, 1, 10), 0);
    assert_int_equal(meter(METER_MODIFY, 1, 11), 0);
    assert_int_equal(n_told, 0);
    assert_int_equal(meter_with(METER_MODIFY, 1, 10, METER_DSCP_BAND), 0);
    assert_int_equal(n_told, 1);
    assert_int_equal(meter_with(METER_MODIFY, 1, 10, METER_DSCP_BAND), 0);
    assert_int_equal(n_told, 1);
    assert_int_equal(meter(METER_MODIFY, 1, 11), 0);
    assert_int_equal(n_told, 2);

    begin();
    assert_int_equal(group(GROUP_ADD, "meter:1,output:1"), 0);
    bundle_commit(pipeline);
    assert_int_equal(n_told, 2);
    begin();
    assert_int_equal(meter(METER_DELETE, 1, 0), 0);
    assert_int_equal(meter(METER_ADD, 1, 12), 0);
    assert_int_equal(n_told, 2);
    bundle_commit(pipeline);
    assert_int_equal(n_told, 3);
}

/* A million rules may use a meter, and all meters may be deleted at once; the datapath's indices go back a few at a
 * time, too. */
static void meters_and_their_rules_go_a_few_at_a_time(void **state)
{
    enum { METERS = 500, RULES = 1000, STEP = 50 };
    const struct meter_mod delete_all = {.command = METER_DELETE, .meter_id = OFMETER_ALL};
    unsigned slices = 1, before;
    int error;

    for (uint32_t i = 1; i <= METERS; i++)
        assert_int_equal(meter(METER_ADD, i, 10), 0);
    for (uint16_t i = 1; i <= RULES; i++)
        assert_int_equal(rule(false, FLOW_ADD, i, "meter:3,output:1"), 0);
    begin();
    for (; (error = meter_table_mod_slice(table(), &delete_all, STEP)) != 0; slices++) {
        assert_int_equal(error, -EINPROGRESS);
        assert_true(pipeline->removed.n <= slices * STEP);
    }
    assert_int_equal(slices, (METERS + RULES) / STEP);
    assert_int_equal(n_slots(), METERS);
    before = METERS;
    for (bool done = false; !done; before = n_slots()) {
        done = pipeline_bundle_commit_step(pipeline, STEP);
        assert_true(n_slots() + STEP >= before);
    }
    assert_int_equal(n_slots(), 0);
    assert_int_equal(n_meter_deleted, RULES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(meters_and_their_rules_go_a_few_at_a_time, setup, teardown),
        cmocka_unit_test_setup_teardown(meters_and_rules_become_visible_together, setup, teardown),
        cmocka_unit_test_setup_teardown(an_abort_leaves_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_deleted_meter_takes_its_rules_along, setup, teardown),
        cmocka_unit_test_setup_teardown(buckets_name_meters_that_there_are, setup, teardown),
        cmocka_unit_test_setup_teardown(who_depends_on_meters_is_told, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
