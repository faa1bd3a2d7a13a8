/* What the start says of hugepages, on made-up machines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "src/app/hugepages.h"
#include "tests/lib/scratch.h"

static const char *sysfs;
static char told[4096];

static void note(void *arg, const char *sentence)
{
    strncat(told, sentence, sizeof told - strlen(told) - 2);
    strcat(told, "\n");
}

static void put(const char *directory, unsigned kb, const char *file, unsigned value)
{
    char command[512];

    snprintf(command, sizeof command, "mkdir -p %s/%s/hugepages-%ukB && echo %u > %s/%s/hugepages-%ukB/%s", sysfs,
             directory, kb, value, sysfs, directory, kb, file);
    assert_int_equal(system(command), 0);
}

static void node(unsigned n, unsigned kb, unsigned reserved, unsigned available)
{
    char directory[128];

    snprintf(directory, sizeof directory, "devices/system/node/node%u/hugepages", n);
    put(directory, kb, "nr_hugepages", reserved);
    put(directory, kb, "free_hugepages", available);
}

static int fresh(void **state)
{
    char command[128];

    snprintf(command, sizeof command, "rm -rf %s && mkdir %s", sysfs, sysfs);
    told[0] = 0;
    return system(command);
}

static bool check(uint32_t node0, uint32_t node1)
{
    uint32_t need[HUGEPAGES_NODES_MAX] = {node0, node1};

    return hugepages_check(sysfs, need, note, NULL);
}

static void enough_is_not_talked_about(void **state)
{
    node(0, 2048, 512, 256);
    node(1, 2048, 512, 512);
    assert_true(check(512, 1024));
    assert_string_equal(told, "");
}

static void a_node_that_lacks_some_gets_the_command(void **state)
{
    node(0, 2048, 1024, 1024);
    node(1, 2048, 100, 10);
    /* Node 0 can help out: it runs, but it is said. 101 MB more are 51 pages more. */
    assert_true(check(100, 121));
    assert_non_null(strstr(told, "NUMA node 1 has 20 MB of free hugepages, 121 MB are needed: echo 151 > "));
    assert_non_null(strstr(told, "node1/hugepages/hugepages-2048kB/nr_hugepages"));
    assert_null(strstr(told, "node 0"));
}

static void too_few_in_all_is_a_no(void **state)
{
    node(0, 2048, 8, 4);
    node(1, 2048, 0, 0);
    assert_false(check(100, 100));
    assert_non_null(strstr(told, "echo 54 > "));
    assert_non_null(strstr(told, "echo 50 > "));
}

static void pages_of_all_sizes_count(void **state)
{
    node(0, 2048, 0, 0);
    node(0, 1048576, 2, 1);
    assert_true(check(1024, 0));
    assert_string_equal(told, "");
    assert_false(check(1026, 0));
    assert_non_null(strstr(told, "echo 1 > "));
    assert_non_null(strstr(told, "hugepages-2048kB"));
}

static void a_kernel_without_nodes_has_them_elsewhere(void **state)
{
    put("kernel/mm/hugepages", 2048, "nr_hugepages", 50);
    put("kernel/mm/hugepages", 2048, "free_hugepages", 50);
    assert_true(check(100, 0));
    assert_false(check(102, 0));
    assert_non_null(strstr(told, "kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"));
}

static void a_kernel_without_any_is_said_to_be(void **state)
{
    assert_false(check(1, 0));
    assert_non_null(strstr(told, "no hugepages"));
}

static int setup(void **state)
{
    sysfs = scratch_dir();
    return 0;
}

static void free_ones_of_all_sizes_add_up(void **state)
{
    assert_int_equal(hugepages_free_mb(sysfs), 0);
    put("kernel/mm/hugepages", 2048, "free_hugepages", 100);
    put("kernel/mm/hugepages", 1048576, "free_hugepages", 2);
    assert_int_equal(hugepages_free_mb(sysfs), 200 + 2048);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(enough_is_not_talked_about, fresh),
        cmocka_unit_test_setup(a_node_that_lacks_some_gets_the_command, fresh),
        cmocka_unit_test_setup(too_few_in_all_is_a_no, fresh),
        cmocka_unit_test_setup(pages_of_all_sizes_count, fresh),
        cmocka_unit_test_setup(a_kernel_without_nodes_has_them_elsewhere, fresh),
        cmocka_unit_test_setup(a_kernel_without_any_is_said_to_be, fresh),
        cmocka_unit_test_setup(free_ones_of_all_sizes_add_up, fresh),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
