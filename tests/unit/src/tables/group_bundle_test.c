/* Groups within bundles: invisible before the commit, gone without a trace after an abort, and what becomes of rules.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "src/match/field.h"
#include "src/tables/group.h"
#include "src/tables/rule_use.h"
#include "src/tables/table.h"
#include "tests/lib/own_time.h"
#include "tests/lib/rules.h"
#include "tests/lib/bundles.h"

static struct pipeline *pipeline;
static unsigned n_added, n_removed, n_group_deleted, n_groups_told;

static void rule_added(void *arg, struct rule *rule, struct rule *replaced)
{
    n_added++;
}

static void rule_removed(void *arg, struct rule *rule, enum rule_removed_reason reason)
{
    n_removed++;
    n_group_deleted += reason == RULE_GROUP_DELETED;
}

static void group_changed(void *arg, struct group *group)
{
    n_groups_told++;
}

static int setup(void **state)
{
    static const struct pipeline_observer observer = {
        .rule_added = rule_added, .rule_removed = rule_removed, .group_changed = group_changed};

    pipeline = pipeline_create(&observer);
    n_added = n_removed = n_group_deleted = n_groups_told = 0;
    return 0;
}

static int teardown(void **state)
{
    pipeline_destroy(pipeline);
    return 0;
}

static struct group_table *table(void)
{
    return pipeline_groups(pipeline);
}

/* An "all" group with one bucket of these actions. */
static int group(enum group_command command, uint32_t id, const char *actions)
{
    struct act_buffer acts;
    struct bucket bucket = {.watch_port = OFPORT_ANY, .watch_group = OFGROUP_ANY};
    struct group_mod mod = {.command = command, .group_id = id, .type = GROUP_ALL};
    int error;

    act_buffer_init(&acts);
    if (actions) {
        assert_null(actions_parse(actions, &acts, NULL, NULL));
        bucket.acts = act_buffer_list(&acts);
        bucket.id = command == GROUP_INSERT_BUCKET ? 77 : 0;
        mod.buckets = &bucket;
        mod.n_buckets = 1;
        mod.command_bucket_id = BUCKET_ID_LAST;
    }
    error = group_table_mod(table(), &mod);
    act_buffer_free(&acts);
    return error;
}

static int rule(bool in_bundle, enum flow_mod_command command, uint16_t priority, const char *actions)
{
    return rule_mod(pipeline, in_bundle, command, priority, actions);
}

static uint32_t first_output(uint32_t id)
{
    const struct group *found = group_table_find(table(), id);

    assert_non_null(found);
    return ((const struct act_output *)found->buckets[0].acts.acts)->port;
}

static unsigned n_groups(void)
{
    struct group_cursor *cursor = group_cursor_open(table());
    unsigned n = 0;

    while (group_cursor_next(cursor))
        n++;
    group_cursor_close(cursor);
    return n;
}

static void begin(void)
{
    assert_int_equal(pipeline_bundle_begin(pipeline), 0);
}

static void groups_and_rules_become_visible_together(void **state)
{
    begin();
    assert_int_equal(rule(true, FLOW_ADD, 5, "group:1"), OFPERR_BAC_BAD_OUT_GROUP);
    assert_int_equal(group(GROUP_ADD, 1, "output:2"), 0);
    assert_int_equal(rule(true, FLOW_ADD, 5, "group:1"), 0);
    assert_int_equal(group(GROUP_ADD, 1, "output:3"), OFPERR_GMFC_GROUP_EXISTS);
    assert_int_equal(group(GROUP_ADD, 2, "group:1"), 0);
    assert_int_equal(group(GROUP_DELETE, 1, NULL), OFPERR_GMFC_CHAINED_GROUP);
    assert_null(group_table_find(table(), 1));
    assert_int_equal(n_groups(), 0);
    assert_int_equal(pipeline_n_rules(pipeline, 0), 0);
    bundle_commit(pipeline);
    assert_int_equal(first_output(1), 2);
    assert_int_equal(n_groups(), 2);
    assert_int_equal(group_users(group_table_find(table(), 1)), 2);
    assert_int_equal(pipeline_n_rules(pipeline, 0), 1);
    assert_int_equal(n_added, 1);
}

/* A group of the bundle is replaced in the bundle: the rules that use it go over however many they are. */
static void rules_of_a_group_that_is_replaced_take_no_time(void **state)
{
    enum { N = 60000, TIMES = 60 };
    uint64_t start;

    begin();
    assert_int_equal(group(GROUP_ADD, 1, "output:2"), 0);
    for (unsigned i = 1; i <= N; i++)
        assert_int_equal(rule(true, FLOW_ADD, (uint16_t)i, "group:1"), 0);
    start = own_us();
    for (unsigned i = 0; i < TIMES; i++)
        assert_int_equal(group(GROUP_MODIFY, 1, i % 2 ? "output:3" : "output:4"), 0);
    assert_in_range(own_us() - start, 0, 10000 * OWN_TIME_FACTOR);
    bundle_commit(pipeline);
    assert_int_equal(first_output(1), 3);
    assert_int_equal(group_users(group_table_find(table(), 1)), N);
    assert_int_equal(group(GROUP_DELETE, 1, NULL), 0);
    assert_int_equal(pipeline_n_rules(pipeline, 0), 0);
    begin(); /* the same, taken back */
    assert_int_equal(group(GROUP_ADD, 1, "output:2"), 0);
    assert_int_equal(rule(true, FLOW_ADD, 1, "group:1"), 0);
    assert_int_equal(group(GROUP_MODIFY, 1, "output:3"), 0);
    bundle_abort(pipeline);
    assert_int_equal(n_groups(), 0);
    assert_int_equal(pipeline_n_rules(pipeline, 0), 0);
}

static void an_abort_leaves_nothing(void **state)
{
    assert_int_equal(group(GROUP_ADD, 1, "output:2"), 0);
    assert_int_equal(group(GROUP_ADD, 3, "group:1"), 0);
    assert_int_equal(rule(false, FLOW_ADD, 5, "group:1"), 0);
    assert_int_equal(n_groups_told, 2); /* who looked for them knows better now */
    begin();
    assert_int_equal(group(GROUP_MODIFY, 1, "output:3"), 0);
    assert_int_equal(group(GROUP_INSERT_BUCKET, 1, "output:4"), 0);
    assert_int_equal(rule(true, FLOW_ADD, 6, "group:1"), 0);
    assert_int_equal(group(GROUP_DELETE, 3, NULL), 0);
    assert_int_equal(group(GROUP_DELETE, 1, NULL), 0);
    assert_int_equal(group(GROUP_ADD, 1, "output:5"), 0);
    assert_int_equal(group(GROUP_ADD, 9, "group:1"), 0);
    assert_int_equal(first_output(1), 2);
    bundle_abort(pipeline);
    assert_int_equal(first_output(1), 2);
    assert_int_equal(n_groups(), 2);
    assert_int_equal(group_users(group_table_find(table(), 1)), 2);
    assert_int_equal(pipeline_n_rules(pipeline, 0), 1);
    assert_int_equal(n_removed, 0);
    assert_int_equal(n_groups_told, 2);
    assert_int_equal(group(GROUP_DELETE, 1, NULL), OFPERR_GMFC_CHAINED_GROUP);
    assert_int_equal(rule(false, FLOW_DELETE, 5, "drop"), 0);
    assert_int_equal(n_removed, 1);
    assert_int_equal(n_group_deleted, 0);
}

static void a_modified_group_keeps_its_rules(void **state)
{
    assert_int_equal(group(GROUP_ADD, 1, "output:2"), 0);
    assert_int_equal(rule(false, FLOW_ADD, 5, "group:1"), 0);
    group_table_find(table(), 1)->packets = 7;
    begin();
    assert_int_equal(rule(true, FLOW_ADD, 6, "group:1"), 0);
    assert_int_equal(group(GROUP_INSERT_BUCKET, 1, "output:4"), 0);
    assert_int_equal(rule(true, FLOW_ADD, 7, "group:1"), 0);
    bundle_commit(pipeline);
    assert_int_equal(group_users(group_table_find(table(), 1)), 3);
    assert_int_equal(group_table_find(table(), 1)->n_buckets, 2);
    assert_int_equal(group_table_find(table(), 1)->packets, 7);
    assert_true(n_groups_told >= 1);
    assert_int_equal(n_removed, 0);
    assert_int_equal(group(GROUP_DELETE, 1, NULL), 0);
    assert_int_equal(n_group_deleted, 3);
    assert_int_equal(pipeline_n_rules(pipeline, 0), 0);
}

static void a_deleted_group_takes_its_rules_along(void **state)
{
    assert_int_equal(group(GROUP_ADD, 1, "output:2"), 0);
    assert_int_equal(rule(false, FLOW_ADD, 5, "group:1"), 0);
    assert_int_equal(rule(false, FLOW_ADD, 6, "output:1"), 0);
    begin();
    assert_int_equal(rule(true, FLOW_MODIFY, 0, "group:1"), 0); /* both */
    assert_int_equal(rule(true, FLOW_ADD, 7, "group:1"), 0);
    assert_int_equal(group(GROUP_MODIFY, 1, "output:3"), 0);
    assert_int_equal(group(GROUP_DELETE, OFGROUP_ALL, NULL), 0);
    assert_int_equal(rule(true, FLOW_ADD, 8, "group:1"), OFPERR_BAC_BAD_OUT_GROUP);
    assert_int_equal(group(GROUP_ADD, 1, "output:9"), 0);
    assert_int_equal(rule(true, FLOW_ADD, 8, "group:1"), 0);
    assert_int_equal(pipeline_n_rules(pipeline, 0), 2);
    bundle_commit(pipeline);
    assert_int_equal(pipeline_n_rules(pipeline, 0), 1);
    assert_int_equal(n_removed, 2);
    assert_int_equal(n_group_deleted, 2);
    assert_int_equal(first_output(1), 9);
    assert_int_equal(group_users(group_table_find(table(), 1)), 1);
}

/* Groups, or rules that use one, may be very many: a commit makes them visible at once, and does the rest, as an abort
 * does all, in steps. */
static void many_are_committed_and_taken_back_a_few_at_a_time(void **state)
{
    enum { MANY = 500, STEP = 10 };
    unsigned steps;

    for (uint32_t i = 1; i <= MANY; i++)
        assert_int_equal(group(GROUP_ADD, i, "output:1"), 0);
    for (uint16_t i = 1; i <= MANY; i++)
        assert_int_equal(rule(false, FLOW_ADD, i, "group:1"), 0);
    begin();
    for (uint32_t i = 1; i <= MANY; i++)
        assert_int_equal(group(GROUP_MODIFY, i, "output:2"), 0);
    n_groups_told = 0;
    assert_false(pipeline_bundle_commit_step(pipeline, 0));
    for (uint32_t i = 1; i <= MANY; i++)
        assert_int_equal(first_output(i), 2);
    for (steps = 1; !pipeline_bundle_commit_step(pipeline, STEP); steps++)
        assert_in_range(n_groups_told, 0, steps * STEP);
    assert_in_range(steps, 3 * MANY / STEP, 3 * MANY / STEP + 2); /* old groups, new ones, and uses */
    assert_int_equal(n_groups_told, 2 * MANY);
    assert_int_equal(group_users(group_table_find(table(), 1)), MANY);

    begin();
    for (uint32_t i = 1; i <= MANY; i++)
        assert_int_equal(group(GROUP_MODIFY, i, "output:3"), 0);
    for (steps = 1; !pipeline_bundle_abort_step(pipeline, STEP); steps++)
        assert_int_equal(first_output(MANY), 2);
    assert_in_range(steps, MANY / STEP, 5 * MANY / STEP);
    assert_int_equal(first_output(1), 2);
    assert_int_equal(group_users(group_table_find(table(), 1)), MANY);
    assert_int_equal(group(GROUP_DELETE, OFGROUP_ALL, NULL), 0);
    assert_int_equal(pipeline_n_rules(pipeline, 0), 0);
}

/* One slice of a delete. True: there is more of it. */
static bool delete_slice(uint32_t id, size_t most)
{
    const struct group_mod mod = {.command = GROUP_DELETE, .group_id = id};
    int error = group_table_mod_slice(table(), &mod, most);

    assert_true(error == 0 || error == -EINPROGRESS);
    return error != 0;
}

/* Slice by slice until the end. Each takes a few rules, of those there were and of those that the bundle has made. */
static void delete_in_slices(uint32_t id, unsigned at_least)
{
    enum { SLICE = 64 };
    unsigned slices = 1;

    for (bool more = true; more; slices += more) {
        size_t removed = pipeline->removed.n;
        uint32_t left = pipeline->n_next;
        more = delete_slice(id, SLICE);
        assert_true(pipeline->removed.n <= removed + SLICE);
        assert_true(pipeline->n_next + SLICE >= left);
    }
    assert_true(slices >= at_least / SLICE);
}

/* A million rules may use a group, and all groups may be deleted at once. */
static void rules_of_a_deleted_group_go_a_few_at_a_time(void **state)
{
    enum { OLD = 1000, NEW = 300 };

    assert_int_equal(group(GROUP_ADD, 1, "output:1"), 0);
    for (uint16_t i = 1; i <= OLD; i++)
        assert_int_equal(rule(false, FLOW_ADD, i, "group:1,group:1"), 0);
    begin();
    assert_int_equal(group(GROUP_MODIFY, 1, "output:2"), 0);
    for (uint16_t i = 1; i <= NEW; i++)
        assert_int_equal(rule(true, FLOW_ADD, OLD + i, "group:1,group:1"), 0);
    /* A rule has two uses; one that the bundle made goes with both. Its end does not come: first among the new rules,
     * then among those that there were. */
    assert_true(delete_slice(1, 50));
    assert_int_equal(pipeline->n_next, OLD + NEW - 50);
    assert_true(delete_slice(1, 2 * NEW));
    assert_true(pipeline->removed.n > 0);
    /* The rule that would be next goes by itself. */
    pipeline_remove_rule(pipeline, pipeline->remove_next->rule, RULE_HARD_TIMEOUT);
    assert_true(delete_slice(1, 50));
    bundle_abort(pipeline);
    assert_int_equal(pipeline_n_rules(pipeline, 0), OLD - 1);
    assert_int_equal(first_output(1), 1);
    assert_int_equal(n_group_deleted, 0);

    begin();
    assert_int_equal(group(GROUP_MODIFY, 1, "output:2"), 0);
    for (uint16_t i = 1; i <= NEW; i++)
        assert_int_equal(rule(true, FLOW_ADD, OLD + i, "group:1,group:1"), 0);
    delete_in_slices(1, NEW + 2 * (OLD - 1));
    assert_int_equal(pipeline->n_next, 0);
    assert_int_equal(pipeline_n_rules(pipeline, 0), OLD - 1);
    bundle_commit(pipeline);
    assert_int_equal(pipeline_n_rules(pipeline, 0), 0);
    assert_int_equal(n_groups(), 0);
    assert_int_equal(n_group_deleted, OLD - 1);
    n_group_deleted = 0;

    /* Many groups, each with few rules or none. */
    for (uint32_t i = 1; i <= OLD; i++)
        assert_int_equal(group(GROUP_ADD, i, "output:1"), 0);
    for (uint16_t i = 1; i <= NEW; i++)
        assert_int_equal(rule(false, FLOW_ADD, i, "group:7"), 0);
    begin();
    delete_in_slices(OFGROUP_ALL, OLD + NEW);
    bundle_commit(pipeline);
    assert_int_equal(n_groups(), 0);
    assert_int_equal(n_group_deleted, NEW);
}

/* A dump goes on over changes: what is there all the time is met once, replaced or not. */
static void cursors_last_over_changes(void **state)
{
    struct group_cursor *cursor;
    unsigned met[4] = {0};
    struct group *found;

    for (uint32_t id = 1; id <= 300; id++)
        assert_int_equal(group(GROUP_ADD, id, "output:2"), 0);
    for (unsigned round = 0; round < 4; round++) {
        cursor = group_cursor_open(table());
        for (unsigned n = 1; (found = group_cursor_next(cursor)); n++) {
            met[round]++;
            if (n != 100)
                continue;
            begin(); /* the last one met, the next one, one behind it */
            assert_int_equal(group(GROUP_MODIFY, found->id, "output:3"), 0);
            assert_int_equal(group(GROUP_MODIFY, found->id + 1, "output:3"), 0);
            assert_int_equal(group(round == 1 ? GROUP_DELETE : GROUP_MODIFY, found->id + 2 + round, "output:3"), 0);
            assert_int_equal(group(GROUP_ADD, 1000 + round, "output:3"), 0);
            if (round & 2)
                bundle_abort(pipeline);
            else
                bundle_commit(pipeline);
        }
        group_cursor_close(cursor);
    }
    assert_int_equal(met[0], 301);
    assert_int_equal(met[1], 301); /* one more was there, one went, one came */
    assert_int_equal(met[2], 301);
    assert_int_equal(met[3], 301);
    cursor = group_cursor_open(table());
    group_cursor_next(cursor);
    assert_int_equal(group(GROUP_DELETE, OFGROUP_ALL, NULL), 0);
    assert_null(group_cursor_next(cursor));
    group_cursor_close(cursor);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(groups_and_rules_become_visible_together, setup, teardown),
        cmocka_unit_test_setup_teardown(rules_of_a_group_that_is_replaced_take_no_time, setup, teardown),
        cmocka_unit_test_setup_teardown(an_abort_leaves_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_modified_group_keeps_its_rules, setup, teardown),
        cmocka_unit_test_setup_teardown(many_are_committed_and_taken_back_a_few_at_a_time, setup, teardown),
        cmocka_unit_test_setup_teardown(a_deleted_group_takes_its_rules_along, setup, teardown),
        cmocka_unit_test_setup_teardown(rules_of_a_deleted_group_go_a_few_at_a_time, setup, teardown),
        cmocka_unit_test_setup_teardown(cursors_last_over_changes, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
