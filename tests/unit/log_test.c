#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "pmd/log.h"
#include "tests/unit/scratch.h"

static const char *path;

static int setup(void **state)
{
    path = scratch_path("log");
    return log_open(path);
}

static int teardown(void **state)
{
    log_open(NULL);
    return unlink(path);
}

/* The whole log file; it is emptied for the next test. */
static const char *take_log(void)
{
    static char text[65536];
    FILE *f = fopen(path, "r");
    size_t n;

    assert_non_null(f);
    n = fread(text, 1, sizeof(text) - 1, f);
    text[n] = 0;
    fclose(f);
    assert_int_equal(truncate(path, 0), 0);
    return text;
}

static void assert_matches(const char *text, const char *pattern)
{
    regex_t re;

    assert_int_equal(regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB), 0);
    if (regexec(&re, text, 0, NULL, 0))
        fail_msg("\"%s\" does not match \"%s\"", text, pattern);
    regfree(&re);
}

#define STAMP "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z\\|[0-9]{5}\\|"

static void a_message_is_one_line_of_five_fields(void **state)
{
    LOG_WARN(LOG_PORT, "port %s has %d queues\n", "p1", 2);
    assert_matches(take_log(), "^" STAMP "port\\|WARN\\|port p1 has 2 queues\n$");
    LOG_ERR(LOG_OPENFLOW, "a\nb\033[31mc");
    assert_matches(take_log(), "^" STAMP "openflow\\|ERR\\|a b \\[31mc\n$");
}

static void a_long_message_is_cut_and_still_ends_its_line(void **state)
{
    char text[5000];
    const char *log;

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = 0;
    LOG_INFO(LOG_MAIN, "%s", text);
    log = take_log();
    assert_in_range(strlen(log), 1000, 3000);
    assert_int_equal(log[strlen(log) - 1], '\n');
}

static void dpdk_messages_come_out_in_the_same_form(void **state)
{
    rte_log(RTE_LOG_ERR, RTE_LOGTYPE_EAL, "EAL: no memory\n");
    assert_matches(take_log(), "^" STAMP "dpdk\\|ERR\\|EAL: no memory\n$");
}

static void levels_are_per_component(void **state)
{
    LOG_DBG(LOG_FLOWS, "not shown");
    assert_string_equal(take_log(), "");
    assert_int_equal(log_set_level("flows", "dbg"), 0);
    LOG_DBG(LOG_FLOWS, "shown");
    LOG_DBG(LOG_PMD, "not shown");
    assert_matches(take_log(), "^" STAMP "flows\\|DBG\\|shown\n$");
    assert_int_equal(log_set_level("any", "off"), 0);
    LOG_ERR(LOG_FLOWS, "not shown");
    LOG_ERR(LOG_MAIN, "not shown");
    assert_string_equal(take_log(), "");
    assert_int_equal(log_set_level("any", "info"), 0);
    assert_int_equal(log_set_level("nonsense", "info"), -ENOENT);
    assert_int_equal(log_set_level("pmd", "loud"), -EINVAL);
}

static void count_level(void *arg, const char *component, const char *level)
{
    if (!strcmp(level, !strcmp(component, "port") ? "warn" : "info"))
        ++*(int *)arg;
}

static void levels_are_shown_by_the_names_they_are_set_by(void **state)
{
    int right = 0;

    assert_int_equal(log_set_level("port", "warn"), 0);
    log_show_levels(count_level, &right);
    assert_int_equal(right, LOG_N_COMPONENTS);
    assert_int_equal(log_set_level("port", "info"), 0);
}

static void a_limit_admits_its_burst_then_its_rate(void **state)
{
    struct log_limit limit = LOG_LIMIT_INIT(10, 7);
    uint32_t suppressed, shown = 0;
    uint64_t start = 123456;

    for (int i = 0; i < 100; i++)
        shown += log_limit_admit(&limit, start, &suppressed);
    assert_int_equal(shown, 10);
    /* 60000 / 7 = 8571.4 ms a message. */
    assert_false(log_limit_admit(&limit, start + 8571, &suppressed));
    assert_true(log_limit_admit(&limit, start + 8572, &suppressed));
    assert_int_equal(suppressed, 91);
    assert_false(log_limit_admit(&limit, start + 8573, &suppressed));

    /* Asked every 10 ms over an hour, it stays at the rate and gives out no more. */
    shown = 0;
    for (uint64_t ms = 8572; ms < 8572 + 3600 * 1000; ms += 10)
        shown += log_limit_admit(&limit, start + ms, &suppressed);
    assert_in_range(shown, 7 * 60 - 2, 7 * 60);

    /* A long silence fills it up to the burst and no further. */
    shown = 0;
    for (int i = 0; i < 100; i++)
        shown += log_limit_admit(&limit, start + 100000 * 1000, &suppressed);
    assert_int_equal(shown, 10);
}

static void a_limited_message_says_how_many_were_eaten(void **state)
{
    struct log_limit limit = LOG_LIMIT_INIT(1, 60000);

    log_write_limited(LOG_PMD, RTE_LOG_WARNING, &limit, "once");
    limit.per_minute = 0;
    log_write_limited(LOG_PMD, RTE_LOG_WARNING, &limit, "twice");
    log_write_limited(LOG_PMD, RTE_LOG_DEBUG, &limit, "below the level: costs nothing");
    assert_matches(take_log(), "^" STAMP "pmd\\|WARN\\|once\n$");
    limit.tokens = 1;
    log_write_limited(LOG_PMD, RTE_LOG_WARNING, &limit, "thrice");
    assert_matches(take_log(), "\\|thrice \\(1 more like this not shown\\)\n$");
}

static void a_flood_of_dpdk_is_cut_short(void **state)
{
    const char *log;
    unsigned lines = 0;

    for (int i = 0; i < 5000; i++)
        rte_log(RTE_LOG_ERR, RTE_LOGTYPE_EAL, "EAL: a peer's nonsense %d\n", i);
    for (log = take_log(); *log; log++)
        lines += *log == '\n';
    assert_in_range(lines, 100, 300);
    LOG_INFO(LOG_MAIN, "our own");
    assert_matches(take_log(), "our own");
}

static void a_path_that_cannot_be_opened_is_refused(void **state)
{
    assert_int_equal(log_open("/nonexistent/dir/log"), -ENOENT);
    LOG_INFO(LOG_MAIN, "still there");
    assert_matches(take_log(), "still there");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_is_one_line_of_five_fields),
        cmocka_unit_test(a_long_message_is_cut_and_still_ends_its_line),
        cmocka_unit_test(dpdk_messages_come_out_in_the_same_form),
        cmocka_unit_test(levels_are_per_component),
        cmocka_unit_test(levels_are_shown_by_the_names_they_are_set_by),
        cmocka_unit_test(a_limit_admits_its_burst_then_its_rate),
        cmocka_unit_test(a_limited_message_says_how_many_were_eaten),
        cmocka_unit_test(a_flood_of_dpdk_is_cut_short),
        cmocka_unit_test(a_path_that_cannot_be_opened_is_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
