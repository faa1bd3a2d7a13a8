#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "src/app/other_config.h"

static char told[4096];

static void note(void *arg, const char *sentence)
{
    snprintf(told + strlen(told), sizeof told - strlen(told), "%s\n", sentence);
}

static int one_node(int core)
{
    return 0;
}

static int two_nodes(int core)
{
    return core >= 4;
}

/* Cores 0 to n - 1, all of which may be used. */
static struct other_config_machine machine_of(int n, int (*node_of)(int core))
{
    struct other_config_machine machine = {.node_of = node_of};

    for (int core = 0; core < n; core++) {
        CPU_SET(core, &machine.cores.online);
        CPU_SET(core, &machine.cores.allowed);
    }
    return machine;
}

/* The model for "key=value" words, up to NULL. */
static struct config *derive(const struct other_config_machine *machine, const char *const *words)
{
    static char copies[16][128];
    struct other_config_pair pairs[16];
    struct config *config = config_default();
    size_t n = 0;

    told[0] = 0;
    for (; words && words[n]; n++) {
        snprintf(copies[n], sizeof copies[n], "%s", words[n]);
        char *equals = strchr(copies[n], '=');
        *equals = 0;
        pairs[n] = (struct other_config_pair){copies[n], equals + 1};
    }
    other_config_apply(pairs, n, machine, config, note, NULL);
    return config;
}

#define DERIVE(machine, ...) derive(machine, (const char *const[]){__VA_ARGS__, NULL})

static void assert_cores(struct config *config, int control, size_t n, const int *cores)
{
    assert_int_equal(config->control.core, control);
    assert_int_equal(config->pmd.n_cores, n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(config->pmd.cores[i], cores[i]);
    config_free(config);
}

#define ASSERT_CORES(config, control, ...)                                                                             \
    assert_cores(config, control, sizeof((int[]){__VA_ARGS__}) / sizeof(int), (int[]){__VA_ARGS__})

static void without_words_there_is_a_thread_on_each_node_that_sleeps(void **state)
{
    struct other_config_machine machine = machine_of(2, one_node);
    struct config *config = derive(&machine, NULL);

    assert_in_range(config->pmd.max_sleep_us, 1, 1000);
    assert_false(config->dpdk.hugepages);
    assert_int_equal(config->dpdk.n_eal_args, 0);
    assert_true(config->dpdk.mbufs > 0);
    assert_string_equal(told, "");
    ASSERT_CORES(config, CONFIG_CORE_NONE, 1);
    machine = machine_of(8, two_nodes);
    machine.hugepages = true;
    config = derive(&machine, NULL);
    assert_true(config->dpdk.hugepages);
    ASSERT_CORES(config, CONFIG_CORE_NONE, 3, 7);
    machine = machine_of(1, one_node);
    ASSERT_CORES(derive(&machine, NULL), CONFIG_CORE_NONE, 0);
}

static void masks_choose_cores(void **state)
{
    struct other_config_machine machine = machine_of(8, two_nodes);

    ASSERT_CORES(DERIVE(&machine, "pmd-cpu-mask=0x6", "dpdk-lcore-mask=0x1"), 0, 1, 2);
    ASSERT_CORES(DERIVE(&machine, "pmd-cpu-mask=F0"), CONFIG_CORE_NONE, 4, 5, 6, 7);
    /* The control thread's core is not a default one. */
    ASSERT_CORES(DERIVE(&machine, "dpdk-lcore-mask=80"), 7, 3, 6);
    assert_string_equal(told, "");
    /* Both on one core: the poll-mode thread has it. */
    ASSERT_CORES(DERIVE(&machine, "pmd-cpu-mask=1", "dpdk-lcore-mask=1"), CONFIG_CORE_NONE, 0);
    ASSERT_CORES(DERIVE(&machine, "pmd-cpu-mask=0x104"), CONFIG_CORE_NONE, 2);
    assert_non_null(strstr(told, "pmd-cpu-mask=0x104: this process may not run on cores 8"));
    ASSERT_CORES(DERIVE(&machine, "pmd-cpu-mask=0x100"), CONFIG_CORE_NONE, 3, 7);
    assert_non_null(strstr(told, "the default is used"));
    ASSERT_CORES(DERIVE(&machine, "pmd-cpu-mask=0xg"), CONFIG_CORE_NONE, 3, 7);
    assert_non_null(strstr(told, "0xg is no mask of cores"));
    ASSERT_CORES(DERIVE(&machine, "pmd-cpu-mask="), CONFIG_CORE_NONE, 3, 7);
}

static void words_of_dpdk_become_arguments_of_eal(void **state)
{
    static const char *const wanted[] = {"--socket-mem",  "1024,0", "--huge-dir", "/dev/huge",
                                         "--file-prefix", "a b",    "--no-pci",   "--vdev=x"};
    struct other_config_machine machine = machine_of(2, one_node);
    struct config *config = DERIVE(&machine, "dpdk-init=true", "dpdk-socket-mem=1024,0", "dpdk-hugepage-dir=/dev/huge",
                                   "dpdk-extra=--file-prefix 'a b' -l 0-1  --lcores=1 --no-pci --\"vdev=x\"");

    assert_int_equal(config->dpdk.n_eal_args, sizeof wanted / sizeof *wanted);
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        assert_string_equal(config->dpdk.eal_args[i], wanted[i]);
    assert_true(config->dpdk.hugepages); /* asked for: it will be said that there are none */
    assert_non_null(strstr(told, "-l is not used"));
    assert_non_null(strstr(told, "--lcores=1 is not used"));
    config_free(config);
    config = DERIVE(&machine, "dpdk-alloc-mem=512", "dpdk-extra=--no-huge");
    assert_int_equal(config->dpdk.n_eal_args, 2);
    assert_string_equal(config->dpdk.eal_args[0], "-m");
    assert_false(config->dpdk.hugepages);
    config_free(config);
}

static void threads_are_as_they_are_asked_to_be(void **state)
{
    struct other_config_machine machine = machine_of(2, one_node);
    struct config *config =
        DERIVE(&machine, "pmd-maxsleep=0", "flow-limit=200000", "emc-insert-inv-prob=0", "smc-enable=true");

    assert_int_equal(config->pmd.max_sleep_us, 0);
    assert_int_equal(config->pmd.megaflow_limit, 200000);
    assert_int_equal(config->pmd.emc_entries, 0);
    assert_string_equal(told, "");
    config_free(config);
    config = DERIVE(&machine, "pmd-maxsleep=10001", "flow-limit=many", "emc-insert-inv-prob=100", "hw-offload=true",
                    "userspace-tso-enable=false");
    assert_in_range(config->pmd.max_sleep_us, 1, 1000);
    assert_int_equal(config->pmd.megaflow_limit, 1000000);
    assert_true(config->pmd.emc_entries > 0);
    assert_non_null(strstr(told, "pmd-maxsleep=10001 is not a number from 0 to 10000"));
    assert_non_null(strstr(told, "flow-limit=many is not a number"));
    assert_non_null(strstr(told, "hw-offload=true has no effect"));
    assert_null(strstr(told, "userspace-tso-enable"));
    config_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_words_there_is_a_thread_on_each_node_that_sleeps),
        cmocka_unit_test(masks_choose_cores),
        cmocka_unit_test(words_of_dpdk_become_arguments_of_eal),
        cmocka_unit_test(threads_are_as_they_are_asked_to_be),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
