#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "pmd/base/log.h"
#include "src/app/options.h"

#define WORDS_MAX 32

/* Parses "program word word ...". */
static int parse(enum options_source source, const char *line, struct options *o)
{
    static char copy[1024];
    static char *argv[WORDS_MAX + 1];
    int argc = 0;

    snprintf(copy, sizeof copy, "%s", line);
    for (char *word = strtok(copy, " "); word && argc < WORDS_MAX; word = strtok(NULL, " "))
        argv[argc++] = word;
    argv[argc] = NULL;
    return options_parse(source, argc, argv, o);
}

/* The levels are a list that grows; strings that were put together stay, as in the program. */
static int forget(void **state)
{
    return log_set_level("any", "info");
}

static void the_name_of_the_program_is_the_dialect(void **state)
{
    assert_int_equal(options_source_of("ovs-vswitchd"), OPTIONS_DATABASE);
    assert_int_equal(options_source_of("/usr/sbin/ovs-vswitchd"), OPTIONS_DATABASE);
    assert_int_equal(options_source_of("./sluiced"), OPTIONS_JSON);
    assert_int_equal(options_source_of("/opt/ovs-vswitchd/sluiced"), OPTIONS_JSON);
}

/* The line by which ovs-ctl starts the daemon. */
static void the_line_of_ovs_ctl_is_understood(void **state)
{
    struct options o;

    assert_int_equal(parse(OPTIONS_DATABASE,
                           "ovs-vswitchd unix:/run/x/db.sock -vconsole:emer -vsyslog:err -vfile:info --mlockall "
                           "--no-chdir --log-file=/var/log/x.log --pidfile=/run/x/v.pid --detach --monitor "
                           "--user openvswitch:hugetlbfs --no-self-confinement",
                           &o),
                     -1);
    assert_string_equal(o.remote, "unix:/run/x/db.sock");
    assert_string_equal(o.program, "ovs-vswitchd");
    assert_true(o.daemon.detach && o.daemon.monitor && o.daemon.mlockall && o.daemon.no_chdir);
    assert_string_equal(o.daemon.pidfile, "/run/x/v.pid");
    assert_string_equal(o.daemon.user, "openvswitch:hugetlbfs");
    assert_string_equal(o.log_file, "/var/log/x.log");
    assert_false(o.self_confinement);
    assert_int_equal(o.n_levels, 3);
    assert_string_equal(log_level_name(LOG_PORT, LOG_TO_CONSOLE), "EMER");
    assert_string_equal(log_level_name(LOG_PORT, LOG_TO_SYSLOG), "ERR");
    assert_string_equal(log_level_name(LOG_PORT, LOG_TO_FILE), "INFO");
    free(o.levels);
}

static void directories_come_from_the_environment(void **state)
{
    struct options o;
    char path[128], expected[128];

    setenv("OVS_RUNDIR", "/tmp/r", 1);
    setenv("OVS_LOGDIR", "/tmp/l", 1);
    setenv("OVS_SYSCONFDIR", "/tmp/s", 1);
    assert_int_equal(parse(OPTIONS_DATABASE, "ovs-vswitchd --pidfile --log-file", &o), -1);
    assert_string_equal(o.remote, "unix:/tmp/r/db.sock");
    assert_string_equal(o.daemon.pidfile, "/tmp/r/ovs-vswitchd.pid");
    assert_string_equal(o.log_file, "/tmp/l/ovs-vswitchd.log");
    assert_string_equal(o.db_dir, "/tmp/s/openvswitch");
    assert_true(o.self_confinement);
    options_control_path(&o, o.run_dir, path, sizeof path);
    snprintf(expected, sizeof expected, "/tmp/r/ovs-vswitchd.%d.ctl", getpid());
    assert_string_equal(path, expected);
    /* A name without a directory is one there. */
    assert_int_equal(parse(OPTIONS_DATABASE, "ovs-vswitchd --pidfile=a.pid --log-file=a.log --unixctl=a.ctl", &o), -1);
    assert_string_equal(o.daemon.pidfile, "/tmp/r/a.pid");
    assert_string_equal(o.log_file, "/tmp/l/a.log");
    options_control_path(&o, o.run_dir, path, sizeof path);
    assert_string_equal(path, "/tmp/r/a.ctl");
    unsetenv("OVS_RUNDIR");
    unsetenv("OVS_LOGDIR");
    unsetenv("OVS_SYSCONFDIR");
    assert_int_equal(parse(OPTIONS_DATABASE, "ovs-vswitchd", &o), -1);
    assert_string_equal(o.remote, "unix:/var/run/openvswitch/db.sock");
    assert_string_equal(o.db_dir, "/etc/openvswitch");
    assert_null(o.daemon.pidfile);
    assert_null(o.log_file);
}

static void tls_options_are_those_of_open_vswitch(void **state)
{
    struct options o;

    assert_int_equal(
        parse(OPTIONS_DATABASE, "ovs-vswitchd -p k -c c -C a --bootstrap-ca-cert=b --peer-ca-cert=d ssl:h:1", &o), -1);
    assert_string_equal(o.private_key, "k");
    assert_string_equal(o.certificate, "c");
    assert_string_equal(o.ca_cert, "a");
    assert_string_equal(o.bootstrap_ca_cert, "b");
    assert_string_equal(o.peer_ca_cert, "d");
    assert_string_equal(o.remote, "ssl:h:1");
}

static void sluiced_takes_a_file_and_the_options_of_a_daemon(void **state)
{
    struct options o;
    char path[512], here[256];

    assert_non_null(getcwd(here, sizeof here));
    assert_int_equal(parse(OPTIONS_JSON, "sluiced --detach --pidfile=p.pid -v -vfile:off c.json", &o), -1);
    snprintf(path, sizeof path, "%s/c.json", here);
    assert_string_equal(o.config_path, path); /* read again when the working directory is another */
    snprintf(path, sizeof path, "%s/p.pid", here);
    assert_string_equal(o.daemon.pidfile, path);
    assert_string_equal(log_level_name(LOG_PORT, LOG_TO_CONSOLE), "DBG");
    assert_string_equal(log_level_name(LOG_PORT, LOG_TO_FILE), "OFF");
    assert_non_null(o.syslog); /* or nobody would hear of anything */
    options_control_path(&o, "/run/sluice", path, sizeof path);
    assert_string_equal(path, "/run/sluice/sluiced.ctl");
    free(o.levels);
    assert_int_equal(parse(OPTIONS_JSON, "sluiced --check c.json", &o), -1);
    assert_true(o.check);
    assert_string_equal(o.config_path, "c.json");
    assert_null(o.syslog);
    /* The configuration's level comes between; -v counts. */
    assert_int_equal(parse(OPTIONS_JSON, "sluiced -vport:err --syslog-method=unix:/x c.json", &o), -1);
    assert_string_equal(o.syslog, "/x");
    log_set_level("any", "info");
    options_set_levels(&o);
    assert_string_equal(log_level_name(LOG_PORT, LOG_TO_FILE), "ERR");
    free(o.levels);
}

static void a_daemon_with_a_log_file_shows_only_what_is_wrong(void **state)
{
    struct options o;

    log_set_level("any", "info");
    assert_int_equal(parse(OPTIONS_DATABASE, "ovs-vswitchd --detach", &o), -1);
    options_set_levels(&o);
    assert_string_equal(log_level_name(LOG_PORT, LOG_TO_CONSOLE), "INFO");
    assert_int_equal(parse(OPTIONS_DATABASE, "ovs-vswitchd --detach --log-file -vbridge:dbg", &o), -1);
    options_set_levels(&o);
    assert_string_equal(log_level_name(LOG_PORT, LOG_TO_CONSOLE), "WARN");
    assert_string_equal(log_level_name(LOG_BRIDGE, LOG_TO_CONSOLE), "DBG");
    assert_string_equal(log_level_name(LOG_PORT, LOG_TO_FILE), "INFO");
    log_set_level("any", "info");
    free(o.levels);
}

static void faults_have_an_exit_status(void **state)
{
    static const char *const json[] = {"sluiced",
                                       "sluiced a b",
                                       "sluiced --remote a",
                                       "sluiced -vloud a",
                                       "sluiced -C ca a",
                                       "sluiced --log-file a",
                                       "sluiced --syslog-method=udp:1:2 a"};
    static const char *const database[] = {"ovs-vswitchd a b", "ovs-vswitchd --check", "ovs-vswitchd -vport:pmd",
                                           "ovs-vswitchd --syslog-target=1.2.3.4:5", "ovs-vswitchd --pidfile a b"};
    struct options o;

    for (size_t i = 0; i < sizeof json / sizeof *json; i++)
        if (parse(OPTIONS_JSON, json[i], &o) != 2)
            fail_msg("%s: taken", json[i]);
    for (size_t i = 0; i < sizeof database / sizeof *database; i++)
        if (parse(OPTIONS_DATABASE, database[i], &o) != 1)
            fail_msg("%s: taken", database[i]);
    assert_int_equal(parse(OPTIONS_DATABASE, "ovs-vswitchd --version", &o), 0);
    assert_int_equal(parse(OPTIONS_JSON, "sluiced --help", &o), 0);
}

/* ovs-ctl takes the last word of the only line with "Open vSwitch", and the end of the first line. */
static void the_version_reads_as_a_version_of_open_vswitch(void **state)
{
    struct options o;
    char text[256], *line;
    int major = 0, minor = 0;

    assert_int_equal(parse(OPTIONS_DATABASE, "ovs-vswitchd", &o), -1);
    options_version(&o, text, sizeof text);
    line = strchr(text, '\n');
    assert_non_null(line);
    assert_null(strstr(line, "Open vSwitch"));
    assert_non_null(strstr(line, "Sluice "));
    *line = 0;
    assert_int_equal(sscanf(strrchr(text, ' '), "%d.%d", &major, &minor), 2);
    assert_true(major >= 3);
    assert_int_equal(strncmp(text, "ovs-vswitchd (Open vSwitch) ", 28), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(the_name_of_the_program_is_the_dialect, forget),
        cmocka_unit_test_teardown(the_line_of_ovs_ctl_is_understood, forget),
        cmocka_unit_test_teardown(directories_come_from_the_environment, forget),
        cmocka_unit_test_teardown(tls_options_are_those_of_open_vswitch, forget),
        cmocka_unit_test_teardown(sluiced_takes_a_file_and_the_options_of_a_daemon, forget),
        cmocka_unit_test_teardown(a_daemon_with_a_log_file_shows_only_what_is_wrong, forget),
        cmocka_unit_test_teardown(faults_have_an_exit_status, forget),
        cmocka_unit_test_teardown(the_version_reads_as_a_version_of_open_vswitch, forget),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
