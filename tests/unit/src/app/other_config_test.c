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

/* "key=value" words, up to NULL, as pairs. `copies` is where they are kept. */
#define WORDS_MAX 48
struct words {
    char copies[WORDS_MAX][128];
    struct other_config_pair items[WORDS_MAX];
    struct other_config_pairs pairs;
};

static const struct other_config_pairs *split(struct words *words, const char *const *from)
{
    size_t n = 0;

    for (; from && from[n]; n++) {
        snprintf(words->copies[n], sizeof words->copies[n], "%s", from[n]);
        char *equals = strchr(words->copies[n], '=');
        *equals = 0;
        words->items[n] = (struct other_config_pair){words->copies[n], equals + 1};
    }
    words->pairs = (struct other_config_pairs){words->items, n};
    return &words->pairs;
}

/* The model for them. */
static struct config *derive(const struct other_config_machine *machine, const char *const *from)
{
    static struct words words;
    struct config *config = config_default();

    told[0] = 0;
    other_config_apply(split(&words, from), machine, config, note, NULL);
    return config;
}

/* What is told of `now`, of a switch that was started with `at_start`; NULL: with a file. */
static const char *told_of(const char *const *now, const char *const *at_start)
{
    static struct words words, started;

    told[0] = 0;
    other_config_note(split(&words, now), at_start ? split(&started, at_start) : NULL, note, NULL);
    return told;
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})
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
        DERIVE(&machine, "pmd-maxsleep=0", "flow-limit=200000", "max-idle=700", "emc-insert-inv-prob=0");

    assert_int_equal(config->pmd.max_sleep_us, 0);
    assert_int_equal(config->pmd.megaflow_limit, 200000);
    assert_int_equal(config->pmd.max_idle_ms, 700);
    assert_int_equal(config->pmd.emc_entries, 0);
    assert_string_equal(told, "");
    config_free(config);
    config = DERIVE(&machine, "pmd-maxsleep=10001", "flow-limit=many", "max-idle=1", "emc-insert-inv-prob=100");
    assert_in_range(config->pmd.max_sleep_us, 1, 1000);
    assert_int_equal(config->pmd.megaflow_limit, 1000000);
    assert_true(config->pmd.emc_entries > 0);
    assert_non_null(strstr(told, "pmd-maxsleep=10001 is not a number from 0 to 10000"));
    assert_non_null(strstr(told, "flow-limit=many is not a number"));
    assert_non_null(strstr(told, "max-idle=1 is not a number from 500"));
    config_free(config);
}

static void what_has_no_effect_is_told(void **state)
{
    const char *const *nothing = WORDS();

    assert_non_null(strstr(told_of(WORDS("hw-offload=true"), nothing), "hw-offload=true has no effect: "));
    assert_non_null(strstr(told_of(WORDS("n-handler-threads=4"), nothing), "n-handler-threads=4 has no effect: "));
    assert_non_null(strstr(told_of(WORDS("vlan-limit=1"), nothing), "vlan-limit=1 has no effect: "));
    /* What is so anyway, what has an effect at once, and keys of others. */
    assert_string_equal(told_of(WORDS("userspace-tso-enable=false", "dpdk-init=try", "tc-policy=none", "vlan-limit=0",
                                      "vlan-limit=2", "tx-flush-interval=0", "max-idle=1000", "flow-limit=5000",
                                      "pmd-maxsleep=10", "bundle-idle-timeout=3", "stats-update-interval=10000",
                                      "flow-restore-wait=true", "ovn-chassis-idx-x=y"),
                                nothing),
                        "");
}

static void what_waits_for_a_restart_is_told(void **state)
{
    const char *const *now = WORDS("dpdk-lcore-mask=2", "dpdk-extra=--no-pci");

    assert_string_equal(told_of(now, now), "");
    assert_string_equal(told_of(WORDS("dpdk-lcore-mask=4", "dpdk-extra=--no-pci"), now),
                        "other_config:dpdk-lcore-mask=4 has an effect after a restart\n");
    assert_string_equal(told_of(WORDS("dpdk-extra=--no-pci"), now),
                        "other_config:dpdk-lcore-mask= has an effect after a restart\n");
    /* This one does not wait for any, unless the cores are the file's. */
    assert_string_equal(told_of(WORDS("pmd-cpu-mask=4", "dpdk-lcore-mask=2", "dpdk-extra=--no-pci"), now), "");
    assert_string_equal(told_of(WORDS("pmd-cpu-mask=4"), NULL),
                        "other_config:pmd-cpu-mask has no effect: cores and memory are those of the file\n");
    assert_string_equal(told_of(WORDS("dpdk-socket-mem=512"), NULL),
                        "other_config:dpdk-socket-mem has no effect: cores and memory are those of the file\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_words_there_is_a_thread_on_each_node_that_sleeps),
        cmocka_unit_test(masks_choose_cores),
        cmocka_unit_test(words_of_dpdk_become_arguments_of_eal),
        cmocka_unit_test(threads_are_as_they_are_asked_to_be),
        cmocka_unit_test(what_has_no_effect_is_told),
        cmocka_unit_test(what_waits_for_a_restart_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
