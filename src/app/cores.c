#include "src/app/cores.h"

#include <errno.h>
#include <numa.h>
#include <rte_common.h>
#include <rte_config.h>
#include <stdio.h>
#include <string.h>

#include "pmd/base/log.h"
#include "pmd/datapath.h"

/* "0-3,8" */
static void parse_set(const char *text, cpu_set_t *set)
{
    int first, last, n;

    CPU_ZERO(set);
    while (sscanf(text, "%d%n", &first, &n) == 1) {
        text += n;
        last = first;
        if (*text == '-' && sscanf(text + 1, "%d%n", &last, &n) == 1)
            text += 1 + n;
        for (int core = first; core <= last && core >= 0 && core < CPU_SETSIZE; core++)
            CPU_SET(core, set);
        if (*text++ != ',')
            break;
    }
}

int cores_read(struct cores *cores)
{
    char text[1024] = "";
    FILE *f = fopen("/sys/devices/system/cpu/online", "re");

    if (sched_getaffinity(0, sizeof cores->allowed, &cores->allowed) != 0) {
        int rc = -errno;
        if (f)
            fclose(f);
        return rc;
    }
    if (f && fgets(text, sizeof text, f))
        parse_set(text, &cores->online);
    else
        cores->online = cores->allowed;
    if (f)
        fclose(f);
    return 0;
}

void cores_format(const cpu_set_t *set, char *text, size_t size)
{
    size_t len = 0;

    *text = 0;
    for (int core = 0; core < CPU_SETSIZE && len < size; core++) {
        int last = core;

        if (!CPU_ISSET(core, set))
            continue;
        while (last + 1 < CPU_SETSIZE && CPU_ISSET(last + 1, set))
            last++;
        len += snprintf(text + len, size - len, last > core ? "%s%d-%d" : "%s%d", len ? "," : "", core, last);
        core = last;
    }
}

static int check_core(const char *key, int core, const struct cores *cores, char *error, size_t error_size)
{
    char set[512];

    if (core < 0 || core >= CPU_SETSIZE || !CPU_ISSET(core, &cores->online)) {
        cores_format(&cores->online, set, sizeof set);
        snprintf(error, error_size, "%s: core %d does not exist: this machine has cores %s", key, core, set);
        return -1;
    }
    if (!CPU_ISSET(core, &cores->allowed)) {
        cores_format(&cores->allowed, set, sizeof set);
        snprintf(error, error_size,
                 "%s: this process may not run on core %d, only on %s: see taskset, the container's cpuset, or "
                 "CPUAffinity= and AllowedCPUs= of the service",
                 key, core, set);
        return -1;
    }
    return 0;
}

int cores_check(const struct config *config, const struct cores *cores, char *error, size_t error_size)
{
    char key[32];

    for (size_t i = 0; i < config->pmd.n_cores; i++) {
        snprintf(key, sizeof key, "pmd.cores[%zu]", i);
        if (check_core(key, config->pmd.cores[i], cores, error, error_size) != 0)
            return -1;
    }
    if (config->control.core == CONFIG_CORE_NONE)
        return 0;
    return check_core("control.core", config->control.core, cores, error, error_size);
}

/* Gives `core` an lcore: its own number, or the highest that is free. -1: all are taken. */
static int take_lcore(int core, bool taken[RTE_MAX_LCORE])
{
    int lcore = core;

    if (lcore >= RTE_MAX_LCORE || taken[lcore])
        for (lcore = RTE_MAX_LCORE - 1; lcore >= 0 && taken[lcore]; lcore--)
            continue;
    if (lcore >= 0)
        taken[lcore] = true;
    return lcore;
}

const struct cores *cores_at_start(void)
{
    static struct cores cores;
    static bool known;
    int rc = known ? 0 : cores_read(&cores);

    if (rc)
        LOG_ERR(LOG_MAIN, "cannot find out which cores this process may use: %s", strerror(-rc));
    known = true;
    return &cores;
}

static bool polls_on(const struct config *config, int core)
{
    for (size_t i = 0; i < config->pmd.n_cores; i++)
        if (config->pmd.cores[i] == core)
            return true;
    return false;
}

cpu_set_t cores_of_control(const struct config *config, const struct cores *cores)
{
    cpu_set_t set = cores->allowed;

    if (config->control.core != CONFIG_CORE_NONE && !polls_on(config, config->control.core)) {
        CPU_ZERO(&set);
        CPU_SET(config->control.core, &set);
        return set;
    }
    for (size_t i = 0; i < config->pmd.n_cores; i++)
        CPU_CLR(config->pmd.cores[i], &set);
    return CPU_COUNT(&set) ? set : cores->allowed;
}

/* Lcores that get a core of their own later, as many as there is room for; until then they float over `set`. */
static void add_spare(const struct config *config, const struct cores *cores, bool taken[RTE_MAX_LCORE],
                      const char *set, char *lcores, size_t size)
{
    size_t n = config->pmd.n_cores, len = 0;

    for (int core = 0; core < CPU_SETSIZE && n < DATAPATH_THREADS_MAX; core++) {
        char word[600];

        if (!CPU_ISSET(core, &cores->allowed) || polls_on(config, core))
            continue;
        int lcore = take_lcore(core, taken), word_len = snprintf(word, sizeof word, ",%d@(%s)", lcore, set);
        if (lcore < 0 || len + (size_t)word_len >= size)
            return;
        strcpy(lcores + len, word);
        len += (size_t)word_len;
        n++;
    }
}

int cores_to_lcores(const struct config *config, const struct cores *cores, char *lcores, size_t size,
                    unsigned *main_lcore, char *error, size_t error_size)
{
    bool taken[RTE_MAX_LCORE] = {false};
    cpu_set_t control = cores_of_control(config, cores);
    char set[512];
    size_t len = 0;
    int lcore, first = 0;

    for (size_t i = 0; i < config->pmd.n_cores && len < size; i++) {
        lcore = take_lcore(config->pmd.cores[i], taken);
        if (lcore < 0)
            break;
        len += snprintf(lcores + len, size - len, "%d@%d,", lcore, config->pmd.cores[i]);
    }
    while (!CPU_ISSET(first, &control))
        first++;
    lcore = take_lcore(first, taken);
    if (lcore < 0) {
        snprintf(error, error_size,
                 "pmd.cores: DPDK here knows %d lcores, one of them for the control thread: use fewer", RTE_MAX_LCORE);
        return -1;
    }
    *main_lcore = lcore;
    cores_format(&control, set, sizeof set);
    if (len < size)
        len += snprintf(lcores + len, size - len, "%d@(%s)", lcore, set);
    if (config->pmd.cores_change && len < size)
        add_spare(config, cores, taken, set, lcores + len, size - len);
    if (len >= size) {
        snprintf(error, error_size, "pmd.cores: too many");
        return -1;
    }
    return 0;
}

int cores_node(int core)
{
    int node = numa_available() < 0 ? 0 : numa_node_of_cpu(core);

    return RTE_MAX(node, 0);
}
