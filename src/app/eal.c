#include "src/app/eal.h"

#include <errno.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_common.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "pmd/base/log.h"
#include "src/app/hugepages.h"
#include "src/app/pool.h"

/* Arguments of EAL that have no sense on ordinary pages. */
static const struct {
    const char *name;
    bool has_value;
} hugepage_options[] = {
    {"--in-memory", false}, {"--huge-dir", true},     {"--huge-unlink", false}, {"--single-file-segments", false},
    {"--socket-mem", true}, {"--socket-limit", true}, {"--legacy-mem", false},  {"--match-allocations", false},
    {"-m", true},
};

static bool add(struct eal_args *args, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool add(struct eal_args *args, const char *format, ...)
{
    va_list list;
    int rc;

    if (args->argc == EAL_ARGS_MAX)
        return false;
    va_start(list, format);
    rc = vasprintf(&args->argv[args->argc], format, list);
    va_end(list);
    if (rc < 0)
        return false;
    args->argv[++args->argc] = NULL;
    return true;
}

void eal_args_free(struct eal_args *args)
{
    for (int i = 0; i < args->argc; i++)
        free(args->argv[i]);
    args->argc = 0;
}

/* "--name", "--name=value", "-n value" and "-nvalue" are all ways to give an option. */
static bool is_option(const char *word, const char *name)
{
    size_t len = strlen(name);

    if (strncmp(word, name, len))
        return false;
    return name[1] == '-' ? word[len] == 0 || word[len] == '=' : true;
}

/* Whether the operator gave one of the options (a list that ends with NULL). */
static bool given(const struct config *config, const char *const *names)
{
    for (size_t i = 0; i < config->dpdk.n_eal_args; i++)
        for (const char *const *name = names; *name; name++)
            if (is_option(config->dpdk.eal_args[i], *name))
                return true;
    return false;
}

/* How many words of eal_args from `i` are an option that wants hugepages; 0: none. */
static size_t hugepage_words(const struct config *config, size_t i)
{
    const char *word = config->dpdk.eal_args[i];

    for (size_t o = 0; o < RTE_DIM(hugepage_options); o++) {
        if (!is_option(word, hugepage_options[o].name))
            continue;
        return hugepage_options[o].has_value && !strcmp(word, hugepage_options[o].name) ? 2 : 1;
    }
    return 0;
}

/* The MB of "-m" among eal_args; 0: not given. */
static uint32_t memory_asked_for(const struct config *config)
{
    for (size_t i = 0; i < config->dpdk.n_eal_args; i++) {
        const char *word = config->dpdk.eal_args[i];

        if (!strcmp(word, "-m") && i + 1 < config->dpdk.n_eal_args)
            return strtoul(config->dpdk.eal_args[i + 1], NULL, 10);
        if (!strncmp(word, "-m", 2))
            return strtoul(word + 2, NULL, 10);
    }
    return 0;
}

static bool add_operators(struct eal_args *args, const struct config *config, bool hugepages)
{
    for (size_t i = 0, skip; i < config->dpdk.n_eal_args; i += skip) {
        skip = hugepages ? 0 : hugepage_words(config, i);
        if (skip)
            continue;
        if (!add(args, "%s", config->dpdk.eal_args[i]))
            return false;
        skip = 1;
    }
    return true;
}

static bool add_memory(struct eal_args *args, const struct config *config, bool hugepages, uint32_t memory_mb)
{
    static const char *const files[] = {"--in-memory",  "--huge-dir",  "--huge-unlink",
                                        "--legacy-mem", "--no-shconf", NULL};

    if (!hugepages)
        return add(args, "--no-huge") && add(args, "--no-shconf") && add(args, "-m") &&
               add(args, "%u", RTE_MAX(memory_mb, memory_asked_for(config)));
    /* Nothing is left behind when the process is killed. */
    return given(config, files) || add(args, "--in-memory");
}

int eal_args_build(const struct config *config, const struct cores *cores, bool hugepages, uint32_t memory_mb,
                   struct eal_args *args, char *error, size_t error_size)
{
    static const char *const prefix[] = {"--file-prefix", NULL};
    static const char *const telemetry[] = {"--telemetry", "--no-telemetry", NULL};
    static const char *const pci[] = {"-a", "--allow", "-b", "--block", "--no-pci", NULL};
    char lcores[16384];
    unsigned main_lcore;
    bool ok;

    *args = (struct eal_args){0};
    if (cores_to_lcores(config, cores, lcores, sizeof lcores, &main_lcore, error, error_size) != 0)
        return -1;
    ok = add(args, "sluiced") && add(args, "--lcores") && add(args, "%s", lcores) && add(args, "--main-lcore") &&
         add(args, "%u", main_lcore);
    /* A hundred lines for every VM that connects are for those who ask for them. */
    ok = ok && add(args, "--log-level=lib.vhost.config:warning");
    /* It warns of each start that sockets of its old protocol are not made. */
    ok = ok && add(args, "--log-level=lib.telemetry:error");
    if (!config->dpdk.telemetry && !given(config, telemetry))
        ok = ok && add(args, "--no-telemetry");
    ok = ok && add_memory(args, config, hugepages, memory_mb);
    if (!given(config, prefix))
        ok = ok && add(args, "--file-prefix=sluice");
    /* Only devices that are ports are taken, when they become ports: none at the start. */
    if (!given(config, pci))
        ok = ok && add(args, "--allow=ffff:ff:1f.7");
    ok = ok && add_operators(args, config, hugepages);
    if (ok)
        return 0;
    snprintf(error, error_size, "dpdk.eal_args: more than %d arguments", EAL_ARGS_MAX);
    eal_args_free(args);
    return -1;
}

static void tell(void *arg, const char *sentence)
{
    LOG_WARN(LOG_MAIN, "%s", sentence);
}

/* The memory that is wanted on each node with a pool, in MB; returns the sum. */
static uint32_t memory_needs(const struct config *config, uint32_t need_mb[HUGEPAGES_NODES_MAX])
{
    uint32_t sum = 0, asked = memory_asked_for(config);

    memset(need_mb, 0, HUGEPAGES_NODES_MAX * sizeof *need_mb);
    for (size_t i = 0; i < config->pmd.n_cores; i++)
        need_mb[cores_node(config->pmd.cores[i]) % HUGEPAGES_NODES_MAX] = pool_memory_mb(config);
    for (int node = 0; node < HUGEPAGES_NODES_MAX; node++)
        sum += need_mb[node];
    if (asked > sum) {
        need_mb[cores_node(config->pmd.cores[0]) % HUGEPAGES_NODES_MAX] += asked - sum;
        sum = asked;
    }
    return sum;
}

static bool hugepages_usable(const struct config *config, const uint32_t need_mb[HUGEPAGES_NODES_MAX])
{
    if (!config->dpdk.hugepages) {
        LOG_INFO(LOG_MAIN, "running on ordinary pages, as dpdk.hugepages says: slower than hugepages");
        return false;
    }
    if (hugepages_check("/sys", need_mb, tell, NULL))
        return true;
    LOG_WARN(LOG_MAIN,
             "not enough hugepages: running on ordinary pages, which is slower, and physical NICs may not work; "
             "the lines above say how to have them (\"dpdk\": {\"hugepages\": false} silences this)");
    return false;
}

/* A vhost-user port takes a dozen descriptors a queue pair. More than enough must do: some limits are in the billions.
 */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < 65536) {
        limit.rlim_cur = RTE_MIN(limit.rlim_max, (rlim_t)65536);
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* --- how fast the processor's clock counts ------------------------------- */

/* Where neither the processor nor the kernel tells it (AMD, most virtual machines), rte_eal_init() reads both clocks,
 * sleeps for a tenth of a second, reads them again, and rounds the quotient to 10 MHz. A fiftieth of a second gives the
 * same number: the two readings of a pair are tens of nanoseconds apart. The tenth was a third of the time from exec()
 * to the first packet, and there is no option for it. */
#define DPDK_SLEEPS_NS 100000000
#define ENOUGH_NS 20000000

static __thread bool dpdk_starts;

/* In the place of the C library's, for all that the program is linked with. */
int nanosleep(const struct timespec *wanted, struct timespec *left)
{
    const struct timespec enough = {.tv_nsec = ENOUGH_NS};
    const bool is_calibration = dpdk_starts && wanted->tv_sec == 0 && wanted->tv_nsec == DPDK_SLEEPS_NS;
    const int rc = clock_nanosleep(CLOCK_REALTIME, 0, is_calibration ? &enough : wanted, left);

    if (rc == 0)
        return 0;
    errno = rc;
    return -1;
}

static int init_eal(int argc, char **argv)
{
    int rc;

    dpdk_starts = true;
    rc = rte_eal_init(argc, argv);
    dpdk_starts = false;
    return rc;
}

int eal_start(const struct config *config, char *error, size_t error_size)
{
    static struct eal_args args; /* DPDK keeps pointers to the words */
    char *argv[EAL_ARGS_MAX + 1];
    uint32_t need_mb[HUGEPAGES_NODES_MAX], sum_mb;
    struct cores cores;
    int rc = cores_read(&cores);

    if (rc < 0) {
        snprintf(error, error_size, "cannot find out which cores this process may use: %s", strerror(-rc));
        return -1;
    }
    if (cores_check(config, &cores, error, error_size) != 0)
        return -1;
    raise_descriptor_limit();
    sum_mb = memory_needs(config, need_mb);
    if (eal_args_build(config, &cores, hugepages_usable(config, need_mb), sum_mb, &args, error, error_size) != 0)
        return -1;
    memcpy(argv, args.argv, sizeof argv); /* DPDK moves them about */
    if (init_eal(args.argc, argv) >= 0)
        return 0;
    snprintf(error, error_size, "DPDK did not start: %s: see the lines of module dpdk before this one%s",
             rte_strerror(rte_errno), config->dpdk.n_eal_args ? ", and check dpdk.eal_args" : "");
    return -1;
}
