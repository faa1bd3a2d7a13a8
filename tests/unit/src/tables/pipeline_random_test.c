/* The pipeline against a plain list of rules to which the same flow_mods are applied the obvious way. */
#include "tests/lib/pipeline_bed.h"

#include <errno.h>
#include <stdlib.h>

#include "pmd/base/clock.h"
#include "tests/lib/bundles.h"
#include "tests/lib/match_sets.h"

/* --- the model ----------------------------------------------------------- */

#define MODEL_MAX RULES_MAX

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

/* --- random flow_mods ---------------------------------------------------- */

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

    set_table_limit(pipeline, 0, MAX_IN_TABLE);
    set_table_limit(pipeline, 1, MAX_IN_TABLE);
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

/* In small slices, none of which lookups see anything of. */
static int mod_in_bundle(struct pipeline *pipeline, const struct flow_mod *fm, struct model *visible)
{
    struct mod_slices *slices = NULL;
    int error;

    while ((error = pipeline_bundle_mod_slice(pipeline, fm, &slices, 1 + random_below(3))) == -EINPROGRESS)
        compare_lookups(pipeline, visible);
    assert_null(slices);
    return error;
}

static void random_bundles_happen_as_a_whole_or_not_at_all(void **state)
{
    static struct model model, next;
    static struct known known;
    struct pipeline_observer observer = observer_of(&known);
    struct pipeline *pipeline = pipeline_create(&observer);

    set_table_limit(pipeline, 0, MAX_IN_TABLE);
    set_table_limit(pipeline, 1, MAX_IN_TABLE);
    for (unsigned i = 0; i < 1500; i++) {
        next = model;
        assert_int_equal(pipeline_bundle_begin(pipeline), 0);
        assert_int_equal(pipeline_bundle_begin(pipeline), -EBUSY);
        for (unsigned n = random_below(20); n > 0; n--) {
            struct flow_mod fm;
            struct act_output acts;

            random_fm(&fm, &acts);
            assert_int_equal(mod_in_bundle(pipeline, &fm, &model), model_apply(&next, &fm, MAX_IN_TABLE));
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_flow_mods_do_what_a_plain_list_does),
        cmocka_unit_test(random_bundles_happen_as_a_whole_or_not_at_all),
    };

    clock_set_source(stopped_clock_us);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
