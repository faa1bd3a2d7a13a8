#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "pmd/base/log.h"
#include "src/app/vlog.h"

static char error[256];

static void assert_levels(enum log_component component, const char *console, const char *syslog, const char *file)
{
    assert_string_equal(log_level_name(component, LOG_TO_CONSOLE), console);
    assert_string_equal(log_level_name(component, LOG_TO_SYSLOG), syslog);
    assert_string_equal(log_level_name(component, LOG_TO_FILE), file);
}

static int all_info(void **state)
{
    return log_set_level("any", "info");
}

static void words_come_in_any_order_and_with_any_separator(void **state)
{
    static const char *const specs[] = {"port:file:warn", "file:warn:port", "warn,port,file", "port file warn"};

    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        all_info(state);
        assert_int_equal(vlog_set(specs[i], error, sizeof error), 0);
        assert_levels(LOG_PORT, "INFO", "INFO", "WARN");
        assert_levels(LOG_PMD, "INFO", "INFO", "INFO");
    }
}

static void what_is_left_out_means_all_and_dbg(void **state)
{
    assert_int_equal(vlog_set("console:emer", error, sizeof error), 0);
    assert_int_equal(vlog_set("syslog:err", error, sizeof error), 0);
    assert_levels(LOG_MAIN, "EMER", "ERR", "INFO");
    assert_levels(LOG_OPENFLOW, "EMER", "ERR", "INFO");
    assert_int_equal(vlog_set("ANY:any:off", error, sizeof error), 0);
    assert_levels(LOG_FLOWS, "OFF", "OFF", "OFF");
    assert_int_equal(vlog_set("flows", error, sizeof error), 0);
    assert_levels(LOG_FLOWS, "DBG", "DBG", "DBG");
    assert_levels(LOG_MAIN, "OFF", "OFF", "OFF");
}

static void modules_of_open_vswitch_stand_for_components(void **state)
{
    assert_int_equal(vlog_set("vconn", error, sizeof error), 0);
    assert_levels(LOG_OPENFLOW, "DBG", "DBG", "DBG");
    assert_int_equal(vlog_set("ofproto_dpif:file:warn", error, sizeof error), 0);
    assert_levels(LOG_PIPELINE, "INFO", "INFO", "WARN");
    assert_int_equal(vlog_set("dpif_netdev:err", error, sizeof error), 0);
    assert_levels(LOG_PMD, "ERR", "ERR", "ERR");
    assert_int_equal(vlog_set("PATTERN:file:%m", error, sizeof error), 0);
    assert_levels(LOG_PMD, "ERR", "ERR", "ERR");
}

static void a_fault_changes_nothing_and_is_said(void **state)
{
    assert_int_equal(vlog_set("port:loud", error, sizeof error), -1);
    assert_non_null(strstr(error, "no destination, level, or module \"loud\""));
    assert_int_equal(vlog_set("nonsense", error, sizeof error), -1);
    assert_int_equal(vlog_set("port:pmd:dbg", error, sizeof error), -1);
    assert_string_equal(error, "cannot specify multiple modules");
    assert_int_equal(vlog_set("file:console:dbg", error, sizeof error), -1);
    assert_int_equal(vlog_set("port:dbg:warn", error, sizeof error), -1);
    assert_levels(LOG_PORT, "INFO", "INFO", "INFO");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(words_come_in_any_order_and_with_any_separator, all_info),
        cmocka_unit_test_setup(what_is_left_out_means_all_and_dbg, all_info),
        cmocka_unit_test_setup(modules_of_open_vswitch_stand_for_components, all_info),
        cmocka_unit_test_setup(a_fault_changes_nothing_and_is_said, all_info),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
