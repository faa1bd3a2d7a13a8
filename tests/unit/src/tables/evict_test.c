/* Which rule goes when a table is full: the same as a look at all of them says, and found without it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <time.h>

#include "pmd/base/clock.h"
#include "pmd/datapath.h"
#include "src/tables/evict.h"
#include "src/tables/rule.h"
#include "tests/lib/bundles.h"

static uint64_t now_ms;

static uint64_t stopped_clock_us(void)
{
    return now_ms * 1000;
}

static uint64_t random_state;

static uint32_t random_below(uint32_t n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 16) % n;
}

static struct act_output output = {.h = {.type = ACT_OUTPUT, .len = sizeof output}, .port = 2};

static struct flow_mod fm_of(enum flow_mod_command command, uint32_t n)
{
    struct flow_mod fm = {.command = command,
                          .priority = 100,
                          .out_port = OFPORT_ANY,
                          .out_group = OFGROUP_ANY,
                          .acts = {.acts = &output.h, .len = sizeof output}};

    fm.match.value.pkt.eth_type = RTE_BE16(0x0800);
    fm.match.mask.pkt.eth_type = UINT16_MAX;
    fm.match.value.pkt.ipv4_dst = rte_cpu_to_be_32(0x0a000000 + n);
    fm.match.mask.pkt.ipv4_dst = UINT32_MAX;
    if (n % 3 == 0) {
        fm.match.value.in_port = 1;
        fm.match.mask.in_port = UINT32_MAX;
    }
    return fm;
}

static void configure(struct pipeline *pipeline, uint32_t max_rules, uint32_t factors)
{
    struct table_config config = *pipeline_table_config(pipeline, 0);

    config.max_rules = max_rules;
    config.config = TABLE_EVICTION;
    config.eviction = factors;
    pipeline_set_table_config(pipeline, 0, &config);
}

/* < 0: `a` goes first; 0: either may (OpenFlow 1.4.1, 6.10, and among equals the least recently used, the oldest). */
static int compare(const struct rule *a, const struct rule *b, uint32_t factors)
{
    uint64_t keys[][2] = {
        {factors & TABLE_EVICT_IMPORTANCE ? a->importance : 0, factors & TABLE_EVICT_IMPORTANCE ? b->importance : 0},
        {factors & TABLE_EVICT_LIFETIME ? rule_deadline_ms(a) : 0,
         factors & TABLE_EVICT_LIFETIME ? rule_deadline_ms(b) : 0},
        {a->used_ms, b->used_ms},
        {a->add_version, b->add_version},
    };

    for (unsigned i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (keys[i][0] != keys[i][1])
            return keys[i][0] < keys[i][1] ? -1 : 1;
    }
    return 0;
}

/* The rules of table 0 as the open change, or else everybody, has them. */
static size_t all_rules(const struct pipeline *pipeline, struct rule **rules)
{
    const struct classifier *cls = pipeline->tables[0];
    const struct subtable *subtable;
    struct rule *rule;
    size_t n = 0;

    if (!cls)
        return 0;
    TAILQ_FOREACH (subtable, &cls->subtables, node) {
        TAILQ_FOREACH (rule, &subtable->rules, table_node) {
            if (rule_visible(rule, pipeline->version + 1) && !(rule->flags & RULE_HIDDEN))
                rules[n++] = rule;
        }
    }
    return n;
}

static void same_as_by_looking_at_all(struct pipeline *pipeline)
{
    static struct rule *rules[4096];
    uint16_t importance = (uint16_t)random_below(4);
    uint32_t factors = pipeline_table_config(pipeline, 0)->eviction;
    struct rule *first = NULL, *chosen = evict_choose(pipeline, 0, importance);
    size_t n = all_rules(pipeline, rules);

    for (size_t i = 0; i < n; i++) {
        if (!first || compare(rules[i], first, factors) < 0)
            first = rules[i];
    }
    if (first && factors & TABLE_EVICT_IMPORTANCE && first->importance > importance)
        first = NULL;
    assert_int_equal(!first, !chosen);
    if (first)
        assert_int_equal(compare(first, chosen, factors), 0);
}

static void random_mod(struct pipeline *pipeline, bool in_bundle)
{
    static const enum flow_mod_command commands[] = {FLOW_ADD,    FLOW_ADD,           FLOW_ADD,          FLOW_ADD,
                                                     FLOW_MODIFY, FLOW_MODIFY_STRICT, FLOW_DELETE_STRICT};
    struct flow_mod fm = fm_of(commands[random_below(7)], random_below(300));

    fm.importance = (uint16_t)random_below(4);
    fm.idle_timeout_s = random_below(3) == 0 ? (uint16_t)(1 + random_below(30)) : 0;
    fm.hard_timeout_s = random_below(3) == 0 ? (uint16_t)(1 + random_below(30)) : 0;
    fm.flags = random_below(20) == 0 ? RULE_HIDDEN : 0;
    if (in_bundle)
        bundle_mod(pipeline, &fm);
    else
        pipeline_flow_mod(pipeline, &fm);
}

static void random_bundle(struct pipeline *pipeline)
{
    assert_int_equal(pipeline_bundle_begin(pipeline), 0);
    for (unsigned i = random_below(60); i > 0; i--) {
        random_mod(pipeline, true);
        same_as_by_looking_at_all(pipeline);
    }
    if (random_below(2) == 0)
        bundle_abort(pipeline);
    else
        while (!pipeline_bundle_commit_step(pipeline, 5))
            same_as_by_looking_at_all(pipeline);
}

/* What traffic and the clock do to one rule. */
static void random_use(struct pipeline *pipeline)
{
    static struct rule *rules[4096];
    size_t n = all_rules(pipeline, rules);
    struct rule *rule = n > 0 ? rules[random_below((uint32_t)n)] : NULL;

    if (!rule)
        return;
    if (random_below(10) == 0)
        pipeline_reduce_timeouts(pipeline, rule, (uint16_t)random_below(10), (uint16_t)random_below(10));
    else
        rule_note_used(rule, now_ms - random_below(1000));
}

static void the_rule_that_goes_is_the_first_of_all(void **state)
{
    struct pipeline *pipeline;

    random_state = 11;
    now_ms = 1000000;
    pipeline = pipeline_create(NULL);
    configure(pipeline, 100, 0);
    for (unsigned i = 0; i < 20000; i++) {
        now_ms += random_below(20);
        if (random_below(500) == 0)
            configure(pipeline, 50 + random_below(100), random_below(8));
        else if (random_below(50) == 0)
            random_bundle(pipeline);
        else if (random_below(2) == 0)
            random_use(pipeline);
        else
            random_mod(pipeline, false);
        if (random_below(20) == 0)
            pipeline_expire(pipeline, now_ms, 10);
        same_as_by_looking_at_all(pipeline);
    }
    pipeline_destroy(pipeline);
}

static unsigned n_slices;

/* A bundle that has table 0 evict by `factors`, and the order made slice by slice. Rules come, go and are used
 * meanwhile. Returns after `most` slices, or when it is done (true). */
static bool order_in_slices(struct pipeline *pipeline, uint32_t factors, unsigned most)
{
    enum { SLICE = 16 };
    struct table_config config = *pipeline_table_config(pipeline, 0);
    unsigned slices = 0;

    config.config = TABLE_EVICTION;
    config.eviction = factors;
    assert_int_equal(pipeline_bundle_begin(pipeline), 0);
    for (unsigned i = 0; i < 20; i++)
        random_mod(pipeline, true); /* before it, of which the order takes account */
    pipeline_bundle_table_config(pipeline, 0, &config);
    for (size_t budget = SLICE; !pipeline_bundle_order_slice(pipeline, 0, &budget); budget = SLICE) {
        assert_int_equal(budget, 0);
        now_ms += random_below(20);
        n_slices++;
        if (++slices == most)
            return false;
        random_use(pipeline);
        if (random_below(3) == 0)
            pipeline_expire(pipeline, now_ms, 1);
    }
    return true;
}

static void a_large_table_is_ordered_in_slices(void **state)
{
    unsigned n_aborted = 0, n_committed = 0;

    random_state = 5;
    now_ms = 1000000;
    for (unsigned round = 0; round < 100; round++) {
        struct pipeline *pipeline = pipeline_create(NULL);

        for (unsigned i = 0; i < 600; i++)
            random_mod(pipeline, false);
        for (unsigned i = 0; i < 10; i++) {
            bool done = order_in_slices(pipeline, random_below(8), 1 + random_below(60));
            if (done && random_below(3) != 0) {
                bundle_commit(pipeline);
                same_as_by_looking_at_all(pipeline);
                n_committed++;
            } else {
                bundle_abort(pipeline);
                n_aborted++;
            }
            for (unsigned j = 0; j < 30; j++)
                random_mod(pipeline, false);
        }
        configure(pipeline, 1000, random_below(8));
        same_as_by_looking_at_all(pipeline);
        pipeline_destroy(pipeline);
    }
    assert_true(n_aborted > 100 && n_committed > 100 && n_slices > 5000);
}

static double thread_s(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

/* Seconds for `n` rules more in a full table of `full`. */
static double seconds_to_add(uint32_t full, uint32_t n)
{
    struct pipeline *pipeline = pipeline_create(NULL);
    double start, least = 1e9;
    uint32_t next = 0;

    configure(pipeline, full, TABLE_EVICT_LIFETIME | TABLE_EVICT_IMPORTANCE);
    for (uint32_t end = full; next < end; now_ms++) {
        struct flow_mod fm = fm_of(FLOW_ADD, next++);

        fm.importance = (uint16_t)random_below(100);
        assert_int_equal(pipeline_flow_mod(pipeline, &fm), 0);
    }
    for (unsigned round = 0; round < 3; round++) {
        start = thread_s();
        for (uint32_t i = 0; i < n; i++) {
            struct flow_mod fm = fm_of(FLOW_ADD, next++);

            fm.importance = (uint16_t)(100 + round); /* no less than what is there */
            assert_int_equal(pipeline_flow_mod(pipeline, &fm), 0);
        }
        least = RTE_MIN(least, thread_s() - start);
    }
    assert_int_equal(pipeline_n_rules(pipeline, 0), full);
    pipeline_destroy(pipeline);
    return least;
}

/* A look at all of them would take a hundred times as long in a table a hundred times as large. */
static void a_large_table_takes_little_longer(void **state)
{
    double small = seconds_to_add(1000, 500), large = seconds_to_add(100000, 500);

    assert_true(large < 30 * small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rule_that_goes_is_the_first_of_all),
        cmocka_unit_test(a_large_table_is_ordered_in_slices),
        cmocka_unit_test(a_large_table_takes_little_longer),
    };

    clock_set_source(stopped_clock_us);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
