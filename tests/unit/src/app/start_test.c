/* Cores, EAL words, pools and run_dir at the start. */
#include <errno.h>
#include <rte_common.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "src/config/model.h"
#include "src/app/cores.h"
#include "src/app/eal.h"
#include "src/app/pool.h"
#include "src/app/run_dir.h"
#include "tests/lib/group.h"
#include "tests/lib/scratch.h"

static char error[1024];

/* A model with these poll-mode cores (up to -1) and EAL arguments (up to NULL). */
static struct config *model(const int *cores, const char *const *eal_args)
{
    struct config *config = config_default();

    while (cores[config->pmd.n_cores] >= 0)
        config->pmd.n_cores++;
    config->pmd.cores = malloc(config->pmd.n_cores * sizeof(int));
    memcpy(config->pmd.cores, cores, config->pmd.n_cores * sizeof(int));
    config->dpdk.eal_args = calloc(16, sizeof(char *));
    for (; eal_args && *eal_args; eal_args++)
        config->dpdk.eal_args[config->dpdk.n_eal_args++] = strdup(*eal_args);
    return config;
}

/* A machine with cores 0-7 of which the process may use 0-3. */
static struct cores machine(void)
{
    struct cores cores;

    CPU_ZERO(&cores.online);
    CPU_ZERO(&cores.allowed);
    for (int core = 0; core < 8; core++)
        CPU_SET(core, &cores.online);
    for (int core = 0; core < 4; core++)
        CPU_SET(core, &cores.allowed);
    return cores;
}

static void sets_are_written_as_ranges(void **state)
{
    cpu_set_t set;
    char text[64];

    CPU_ZERO(&set);
    cores_format(&set, text, sizeof text);
    assert_string_equal(text, "");
    CPU_SET(0, &set);
    CPU_SET(1, &set);
    CPU_SET(2, &set);
    CPU_SET(9, &set);
    CPU_SET(1022, &set);
    CPU_SET(1023, &set);
    cores_format(&set, text, sizeof text);
    assert_string_equal(text, "0-2,9,1022-1023");
}

static void this_machine_can_be_read(void **state)
{
    struct cores cores;

    assert_int_equal(cores_read(&cores), 0);
    assert_true(CPU_COUNT(&cores.allowed) > 0);
    for (int core = 0; core < CPU_SETSIZE; core++)
        assert_true(CPU_ISSET(core, &cores.online) || !CPU_ISSET(core, &cores.allowed));
}

static void a_core_that_cannot_be_had_is_named_with_what_there_is(void **state)
{
    struct cores cores = machine();
    struct config *config = model((int[]){1, 9, -1}, NULL);

    assert_int_equal(cores_check(config, &cores, error, sizeof error), -1);
    assert_string_equal(error, "pmd.cores[1]: core 9 does not exist: this machine has cores 0-7");
    config->pmd.cores[1] = 5;
    assert_int_equal(cores_check(config, &cores, error, sizeof error), -1);
    assert_non_null(strstr(error, "pmd.cores[1]: this process may not run on core 5, only on 0-3"));
    config->pmd.cores[1] = 2;
    assert_int_equal(cores_check(config, &cores, error, sizeof error), 0);
    config->control.core = 100000;
    assert_int_equal(cores_check(config, &cores, error, sizeof error), -1);
    assert_non_null(strstr(error, "control.core: core 100000 does not exist"));
    config_free(config);
}

static void assert_lcores(struct config *config, const struct cores *cores, const char *lcores, unsigned main_lcore)
{
    char text[256];
    unsigned lcore;

    assert_int_equal(cores_to_lcores(config, cores, text, sizeof text, &lcore, error, sizeof error), 0);
    assert_string_equal(text, lcores);
    assert_int_equal(lcore, main_lcore);
    config_free(config);
}

static void lcores_have_the_numbers_of_their_cores(void **state)
{
    struct cores cores = machine();
    struct config *config = model((int[]){1, 2, -1}, NULL);

    config->control.core = 3;
    assert_lcores(config, &cores, "1@1,2@2,3@(3)", 3);
    /* Unpinned, the control thread keeps off the poll-mode cores ... */
    assert_lcores(model((int[]){0, 2, -1}, NULL), &cores, "0@0,2@2,1@(1,3)", 1);
    /* ... unless there are no others. */
    assert_lcores(model((int[]){0, 1, 2, 3, -1}, NULL), &cores, "0@0,1@1,2@2,3@3,127@(0-3)", 127);
    /* DPDK has fewer lcores than some machines have cores. */
    CPU_SET(300, &cores.allowed);
    assert_lcores(model((int[]){300, -1}, NULL), &cores, "127@300,0@(0-3)", 0);
}

static void cores_that_may_poll_later_have_an_lcore_each(void **state)
{
    struct cores cores = machine();
    struct config *config = model((int[]){1, -1}, NULL);

    config->pmd.cores_change = true;
    assert_lcores(config, &cores, "1@1,0@(0,2-3),127@(0,2-3),2@(0,2-3),3@(0,2-3)", 0);
}

/* The arguments behind those about lcores, joined by blanks. */
static const char *args_of(struct config *config, bool hugepages)
{
    static char text[1024];
    struct cores cores = machine();
    struct eal_args args;

    assert_int_equal(eal_args_build(config, &cores, hugepages, 300, &args, error, sizeof error), 0);
    assert_string_equal(args.argv[1], "--lcores");
    assert_null(args.argv[args.argc]);
    text[0] = 0;
    for (int i = 5; i < args.argc; i++) {
        strcat(text, args.argv[i]);
        strcat(text, " ");
    }
    eal_args_free(&args);
    config_free(config);
    return text;
}

static const int one_core[] = {1, -1};

static void by_default_nothing_is_left_behind_and_no_device_is_taken(void **state)
{
    assert_string_equal(
        args_of(model(one_core, NULL), true),
        "--log-level=lib.vhost.config:warning --log-level=lib.telemetry:error --no-telemetry --in-memory "
        "--file-prefix=sluice --allow=ffff:ff:1f.7 ");
}

static void what_the_operator_says_is_kept(void **state)
{
    const char *const given[] = {"--no-pci", "--huge-dir", "/mnt/h", "--file-prefix=x", "-m", "512", NULL};

    assert_string_equal(
        args_of(model(one_core, given), true),
        "--log-level=lib.vhost.config:warning --log-level=lib.telemetry:error --no-telemetry --no-pci --huge-dir "
        "/mnt/h --file-prefix=x -m 512 ");
}

static void telemetry_is_for_those_who_ask_for_it(void **state)
{
    const char *const given[] = {"--telemetry", NULL};
    struct config *config = model(one_core, NULL);

    config->dpdk.telemetry = true;
    assert_null(strstr(args_of(config, true), "--no-telemetry"));
    assert_null(strstr(args_of(model(one_core, given), true), "--no-telemetry"));
}

static void ordinary_pages_leave_out_what_needs_hugepages(void **state)
{
    const char *const given[] = {"--no-pci", "--in-memory",         "--socket-mem",  "1024,0", "-m",
                                 "512",      "--huge-unlink=never", "--file-prefix", "x",      "--socket-limit=1",
                                 NULL};
    const char *const attached[] = {"--no-pci", "--file-prefix=x", "-m64", NULL};

    assert_string_equal(
        args_of(model(one_core, given), false),
        "--log-level=lib.vhost.config:warning --log-level=lib.telemetry:error --no-telemetry --no-huge --no-shconf -m "
        "512 --no-pci --file-prefix x ");
    /* Never less than what the pools take. */
    assert_string_equal(
        args_of(model(one_core, attached), false),
        "--log-level=lib.vhost.config:warning --log-level=lib.telemetry:error --no-telemetry --no-huge --no-shconf -m "
        "300 --no-pci --file-prefix=x ");
}

static void too_many_arguments_are_refused(void **state)
{
    struct config *config = model(one_core, NULL);
    struct cores cores = machine();
    struct eal_args args;

    free(config->dpdk.eal_args);
    config->dpdk.eal_args = calloc(EAL_ARGS_MAX, sizeof(char *));
    for (int i = 0; i < EAL_ARGS_MAX; i++)
        config->dpdk.eal_args[config->dpdk.n_eal_args++] = strdup("--no-pci");
    assert_int_equal(eal_args_build(config, &cores, true, 1, &args, error, sizeof error), -1);
    assert_non_null(strstr(error, "more than"));
    config_free(config);
}

static void the_pool_grows_with_the_model(void **state)
{
    struct config *config = model(one_core, NULL);
    struct config_bridge *bridge = config_add_bridge(config);
    uint32_t mbufs = pool_mbufs(config), mb = pool_memory_mb(config);
    struct config_port *port;

    assert_int_equal(pool_mbuf_size(config), 2048);
    for (int i = 0; i < 8; i++) {
        port = config_add_port(bridge);
        port->type = CONFIG_PORT_DPDK;
        port->rx_queues = 4;
        port->mtu = 1500;
    }
    assert_in_range(pool_mbufs(config), 2 * mbufs, 5 * mbufs);
    assert_true(pool_mbufs(config) >= 8 * (4 + 1) * 1024 + 8192);
    assert_true(pool_memory_mb(config) > mb);
    assert_int_equal(pool_mbuf_size(config), 2048);

    /* A whole frame with two tags and a checksum fits into one mbuf. */
    port->mtu = 9000;
    assert_int_equal(pool_mbuf_size(config), 9216);
    config->dpdk.mbuf_size = 4096;
    config->dpdk.mbufs = 5000;
    assert_int_equal(pool_mbuf_size(config), 4096);
    assert_int_equal(pool_mbufs(config), 5000);
    config_free(config);
}

static const char *base;

static const char *in_base(const char *name)
{
    static char path[256];

    snprintf(path, sizeof path, "%s/%s", base, name);
    return path;
}

static void a_run_dir_is_made_and_goes(void **state)
{
    const char *path = in_base("a/b");

    assert_int_equal(run_dir_create(path, error, sizeof error), 0);
    assert_int_equal(access(path, W_OK), 0);
    run_dir_remove(path);
    assert_int_equal(access(path, F_OK), -1);
    rmdir(in_base("a"));
}

static void a_run_dir_with_others_files_stays(void **state)
{
    const char *path = in_base("kept");
    char file[300];
    FILE *f;

    assert_int_equal(mkdir(path, 0755), 0);
    snprintf(file, sizeof file, "%s/other", path);
    f = fopen(file, "w");
    fclose(f);
    assert_int_equal(run_dir_create(path, error, sizeof error), 0);
    run_dir_remove(path);
    assert_int_equal(access(file, F_OK), 0);
    unlink(file);
    rmdir(path);
}

static void a_second_process_is_refused(void **state)
{
    const char *path = in_base("taken");
    int status;
    pid_t child;

    assert_int_equal(run_dir_create(path, error, sizeof error), 0);
    child = fork();
    if (child == 0) {
        char pid[32];
        snprintf(pid, sizeof pid, "process %d)", getppid());
        _exit(run_dir_create(path, error, sizeof error) == -1 && strstr(error, pid) ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    run_dir_remove(path);
}

static void a_shared_run_dir_is_left_to_the_others(void **state)
{
    const char *path = in_base("shared");

    assert_int_equal(run_dir_share(path, error, sizeof error), 0);
    assert_int_equal(run_dir_restore(path, error, sizeof error), 0);
    assert_int_equal(rmdir(path), 0); /* nothing of ours is in it */
    assert_int_equal(run_dir_restore(path, error, sizeof error), 1);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(mkdir(path, 0755), 0);
    assert_int_equal(run_dir_restore(path, error, sizeof error), 1); /* another one: sockets are not in it */
    assert_int_equal(run_dir_restore(path, error, sizeof error), 0);
    run_dir_remove(path);
    assert_int_equal(access(path, F_OK), 0);
    rmdir(path);
}

static void a_run_dir_that_cannot_be_is_explained(void **state)
{
    assert_int_equal(run_dir_create("/proc/sluice", error, sizeof error), -1);
    assert_non_null(strstr(error, "run_dir /proc/sluice: "));
    assert_non_null(strstr(error, "install -d"));
    assert_int_equal(run_dir_create("/dev/null", error, sizeof error), -1);
    assert_non_null(strstr(error, "not a directory"));
}

static double processor_ticks_a_second(void)
{
    struct timespec before, after;
    uint64_t ticks, best = UINT64_MAX;

    /* What comes between the two readings makes it more. */
    for (int i = 0; i < 3; i++) {
        clock_gettime(CLOCK_MONOTONIC_RAW, &before);
        const uint64_t start = rte_rdtsc();
        clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){.tv_nsec = 50000000}, NULL);
        clock_gettime(CLOCK_MONOTONIC_RAW, &after);
        ticks = (uint64_t)((double)(rte_rdtsc() - start) * 1e9 /
                           ((after.tv_sec - before.tv_sec) * 1e9 + (after.tv_nsec - before.tv_nsec)));
        best = RTE_MIN(best, ticks);
    }
    return best;
}

/* Last: DPDK is there from then on. */
static void dpdk_starts_and_knows_how_fast_the_processor_counts(void **state)
{
    struct cores cores;
    int first = 0;

    assert_int_equal(cores_read(&cores), 0);
    while (!CPU_ISSET(first, &cores.allowed))
        first++;
    struct config *config = model((int[]){first, -1}, (const char *[]){"--no-telemetry", "-m", "16", NULL});
    config->dpdk.hugepages = false;
    config->dpdk.mbufs = 64;
    assert_int_equal(eal_start(config, error, sizeof error), 0);
    const double own = processor_ticks_a_second();
    assert_true(rte_get_tsc_hz() > own * 0.98 && rte_get_tsc_hz() < own * 1.02);
    /* Others that sleep, sleep. */
    struct timespec before, after;
    clock_gettime(CLOCK_MONOTONIC, &before);
    assert_int_equal(nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL), 0);
    clock_gettime(CLOCK_MONOTONIC, &after);
    assert_true((after.tv_sec - before.tv_sec) * 1000000000 + (after.tv_nsec - before.tv_nsec) >= 100000000);
    assert_int_equal(nanosleep(&(struct timespec){.tv_nsec = -1}, NULL), -1);
    assert_int_equal(errno, EINVAL);
    config_free(config);
    rte_eal_cleanup();
}

static int setup(void **state)
{
    base = scratch_dir();
    return 0;
}

static int teardown(void **state)
{
    return rmdir(base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sets_are_written_as_ranges),
        cmocka_unit_test(this_machine_can_be_read),
        cmocka_unit_test(a_core_that_cannot_be_had_is_named_with_what_there_is),
        cmocka_unit_test(lcores_have_the_numbers_of_their_cores),
        cmocka_unit_test(cores_that_may_poll_later_have_an_lcore_each),
        cmocka_unit_test(by_default_nothing_is_left_behind_and_no_device_is_taken),
        cmocka_unit_test(what_the_operator_says_is_kept),
        cmocka_unit_test(telemetry_is_for_those_who_ask_for_it),
        cmocka_unit_test(ordinary_pages_leave_out_what_needs_hugepages),
        cmocka_unit_test(too_many_arguments_are_refused),
        cmocka_unit_test(the_pool_grows_with_the_model),
        cmocka_unit_test(a_run_dir_is_made_and_goes),
        cmocka_unit_test(a_run_dir_with_others_files_stays),
        cmocka_unit_test(a_second_process_is_refused),
        cmocka_unit_test(a_shared_run_dir_is_left_to_the_others),
        cmocka_unit_test(a_run_dir_that_cannot_be_is_explained),
        cmocka_unit_test(dpdk_starts_and_knows_how_fast_the_processor_counts),
    };

    int failed = cmocka_run_group_tests(tests, setup, NULL);
    return group_end(failed, teardown(NULL));
}
