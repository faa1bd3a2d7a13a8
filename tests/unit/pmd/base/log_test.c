/* Log lines: their form, levels, limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>
#include <cmocka.h>

#include "pmd/base/log.h"
#include "pmd/base/log_sink.h"
#include "tests/lib/group.h"
#include "tests/lib/scratch.h"

#define FLOOD 20000 /* lines; about 1.5 MB */

static char path[128];

static int setup(void **state)
{
    snprintf(path, sizeof path, "%s", scratch_path("log"));
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
    n = fread(text, 1, sizeof text - 1, f);
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

    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
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

/* DPDK warns of each size of hugepages that there is none of, though there are enough of another. */
static void a_warning_of_dpdk_that_is_no_fault_is_none(void **state)
{
    rte_log(RTE_LOG_WARNING, RTE_LOGTYPE_EAL, "EAL: No free 1048576 kB hugepages reported on node 0\n");
    assert_matches(take_log(), "^" STAMP "dpdk\\|INFO\\|EAL: No free 1048576 kB hugepages reported on node 0\n$");
    rte_log(RTE_LOG_WARNING, RTE_LOGTYPE_EAL, "EAL: No free lunch\n");
    assert_matches(take_log(), "^" STAMP "dpdk\\|WARN\\|EAL: No free lunch\n$");
    rte_log(RTE_LOG_ERR, RTE_LOGTYPE_EAL, "EAL: No free 2048 kB hugepages reported on node 0\n");
    assert_matches(take_log(), "^" STAMP "dpdk\\|ERR\\|");
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

static void levels_are_shown_as_they_were_set(void **state)
{
    assert_int_equal(log_set_level("port", "warn"), 0);
    for (int i = 0; i < LOG_N_COMPONENTS; i++)
        for (int f = 0; f < LOG_N_FACILITIES; f++)
            assert_string_equal(log_level_name(i, f), i == LOG_PORT ? "WARN" : "INFO");
    assert_int_equal(log_set_level("port", "info"), 0);
}

/* EAL's option --log-level=sluice.port:debug */
static void a_level_that_eal_sets_is_one_for_all_facilities(void **state)
{
    assert_int_equal(rte_log_set_level_pattern("sluice.port", RTE_LOG_DEBUG), 0);
    LOG_DBG(LOG_PORT, "shown");
    assert_matches(take_log(), "port\\|DBG\\|shown\n$");
    assert_string_equal(log_level_name(LOG_PORT, LOG_TO_SYSLOG), "DBG");
    assert_int_equal(log_set_level("port", "info"), 0);
    LOG_DBG(LOG_PORT, "not shown");
    assert_string_equal(take_log(), "");
}

static void the_console_and_the_file_have_levels_of_their_own(void **state)
{
    char console[4096];
    int ends[2], was = dup(STDERR_FILENO);
    ssize_t n;

    assert_int_equal(pipe(ends), 0);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    log_open(NULL);
    assert_int_equal(log_open_file(path), 0);
    log_set_facility_level(-1, LOG_TO_CONSOLE, RTE_LOG_CRIT);
    log_set_facility_level(LOG_PMD, LOG_TO_FILE, RTE_LOG_DEBUG);
    LOG_EMER(LOG_MAIN, "for both");
    LOG_ERR(LOG_MAIN, "for the file");
    LOG_DBG(LOG_MAIN, "for none");
    LOG_DBG(LOG_PMD, "a detail for the file");
    n = read(ends[0], console, sizeof console - 1);
    assert_true(n > 0);
    console[n] = 0;
    assert_matches(console, "^" STAMP "main\\|EMER\\|for both\n$");
    assert_matches(take_log(), "for both\n.*for the file\n.*a detail for the file\n$");
    log_close_console();
    LOG_EMER(LOG_MAIN, "the console is closed");
    assert_int_equal(read(ends[0], console, sizeof console), -1);
    dup2(was, STDERR_FILENO);
    close(was);
    close(ends[0]);
    assert_int_equal(log_open(path), 0);
    assert_int_equal(log_set_level("any", "info"), 0);
    take_log();
}

static void a_file_that_was_renamed_is_opened_again_under_its_name(void **state)
{
    const char *old = scratch_path("log.1");

    assert_int_equal(rename(path, old), 0);
    LOG_INFO(LOG_MAIN, "to the old one");
    assert_int_equal(log_reopen(), 0);
    LOG_INFO(LOG_MAIN, "to the new one");
    assert_matches(take_log(), "^" STAMP "main\\|INFO\\|to the new one\n$");
    unlink(old);
}

static void syslog_gets_lines_in_its_own_form(void **state)
{
    const char *name = scratch_path("devlog");
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int daemon = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    char line[4096];
    ssize_t n;

    snprintf(addr.sun_path, sizeof addr.sun_path, "%s", name);
    log_open_syslog(name, "switch"); /* no daemon yet */
    LOG_ERR(LOG_PORT, "before");
    assert_int_equal(bind(daemon, (struct sockaddr *)&addr, sizeof addr), 0);
    log_flush();
    LOG_ERR(LOG_PORT, "a\nb");
    LOG_DBG(LOG_PORT, "not shown");
    n = read(daemon, line, sizeof line - 1);
    assert_true(n > 0);
    line[n] = 0;
    assert_matches(line, "^<27>[A-Z][a-z]{2} [ 0-9]{2} [0-9:]{8} switch: ovs\\|[0-9]{5}\\|port\\|ERR\\|a b$");
    assert_int_equal(read(daemon, line, sizeof line), -1);
    /* A daemon that does not read stops nothing. */
    for (int i = 0; i < FLOOD; i++)
        LOG_INFO(LOG_MAIN, "line %d", i);
    log_open_syslog(NULL, NULL);
    log_sink_set(LOG_TO_SYSLOG, -1, false);
    close(daemon);
    unlink(name);
    take_log();
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

/* --- a reader that does not read ----------------------------------------- */

static int stderr_was;

/* What there is to read now is read, and its lines are counted. The number that a line says was lost goes to *lost. */
static unsigned read_lines(int fd, unsigned *lost)
{
    static char text[4 << 20];
    size_t have = 0;
    ssize_t n;
    unsigned lines = 0;

    for (int quiet = 0; quiet < 20;) {
        n = read(fd, text + have, sizeof text - 1 - have);
        log_flush();
        if (n > 0) {
            have += n;
            quiet = 0;
        } else {
            quiet++;
            usleep(1000);
        }
    }
    text[have] = 0;
    for (const char *line = text; *line; line = strchr(line, '\n') + 1) {
        const char *told = strstr(line, "|log|WARN|"), *end = strchr(line, '\n');

        assert_non_null(end);
        if (told && told < end)
            assert_int_equal(sscanf(told, "|log|WARN|%u lines of the log were lost", lost), 1);
        else
            lines++;
    }
    return lines;
}

static void flood_standard_error(int reader, int writer)
{
    unsigned lost = 0, lines;
    struct log_sink_stats before, after;

    alarm(20); /* a write that waits for the reader would wait for ever */
    stderr_was = dup(STDERR_FILENO);
    dup2(writer, STDERR_FILENO);
    close(writer);
    assert_int_equal(log_open(NULL), 0);
    log_sink_get_stats(&before);
    for (int i = 0; i < FLOOD; i++)
        LOG_INFO(LOG_MAIN, "line %d, which nobody reads at the moment", i);
    log_sink_get_stats(&after);
    /* What others have open is as it was. */
    assert_false(fcntl(STDERR_FILENO, F_GETFL) & O_NONBLOCK);

    fcntl(reader, F_SETFL, O_NONBLOCK);
    lines = read_lines(reader, &lost);
    dup2(stderr_was, STDERR_FILENO);
    close(stderr_was);
    assert_int_equal(log_open(path), 0);
    close(reader);
    alarm(0);
    assert_true(lost > 0);
    assert_int_equal(after.lost - before.lost, lost);
    assert_int_equal(lines + lost, FLOOD);
}

static void a_pipe_that_is_not_read_stops_nothing(void **state)
{
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    flood_standard_error(ends[0], ends[1]);
}

static void a_socket_that_is_not_read_stops_nothing(void **state)
{
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    flood_standard_error(ends[0], ends[1]);
}

static void a_terminal_that_is_not_read_stops_nothing(void **state)
{
    struct termios raw;
    int reader, writer;

    assert_int_equal(openpty(&reader, &writer, NULL, NULL, NULL), 0);
    assert_int_equal(tcgetattr(writer, &raw), 0);
    cfmakeraw(&raw);
    assert_int_equal(tcsetattr(writer, TCSANOW, &raw), 0);
    flood_standard_error(reader, writer);
}

static void a_disc_that_is_full_is_counted_and_told(void **state)
{
    struct log_sink_stats before, after;

    assert_int_equal(log_open("/dev/full"), 0);
    log_sink_get_stats(&before);
    LOG_INFO(LOG_MAIN, "one");
    LOG_INFO(LOG_MAIN, "two");
    log_sink_get_stats(&after);
    assert_int_equal(after.lost - before.lost, 2);
    assert_int_equal(log_open(path), 0);
    LOG_INFO(LOG_MAIN, "there is room again");
    log_flush();
    assert_matches(take_log(), "there is room again\n.*\\|log\\|WARN\\|2 lines of the log were lost");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_is_one_line_of_five_fields),
        cmocka_unit_test(a_long_message_is_cut_and_still_ends_its_line),
        cmocka_unit_test(dpdk_messages_come_out_in_the_same_form),
        cmocka_unit_test(a_warning_of_dpdk_that_is_no_fault_is_none),
        cmocka_unit_test(levels_are_per_component),
        cmocka_unit_test(levels_are_shown_as_they_were_set),
        cmocka_unit_test(a_level_that_eal_sets_is_one_for_all_facilities),
        cmocka_unit_test(the_console_and_the_file_have_levels_of_their_own),
        cmocka_unit_test(a_file_that_was_renamed_is_opened_again_under_its_name),
        cmocka_unit_test(syslog_gets_lines_in_its_own_form),
        cmocka_unit_test(a_limit_admits_its_burst_then_its_rate),
        cmocka_unit_test(a_limited_message_says_how_many_were_eaten),
        cmocka_unit_test(a_flood_of_dpdk_is_cut_short),
        cmocka_unit_test(a_path_that_cannot_be_opened_is_refused),
        cmocka_unit_test(a_pipe_that_is_not_read_stops_nothing),
        cmocka_unit_test(a_socket_that_is_not_read_stops_nothing),
        cmocka_unit_test(a_terminal_that_is_not_read_stops_nothing),
        cmocka_unit_test(a_disc_that_is_full_is_counted_and_told),
    };

    int failed = cmocka_run_group_tests(tests, setup, NULL);
    return group_end(failed, teardown(NULL));
}
