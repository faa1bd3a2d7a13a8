/* The datapath as a whole: creates and starts the poll-mode threads, stops and frees them; grace periods. Ports,
 * megaflows, misses, meters and statistics are in datapath_*.c. Control thread. */
#include "pmd/datapath.h"

#include <errno.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "pmd/base/log.h"
#include "pmd/queue.h"
#include "pmd/poll/datapath_impl.h"
#include "pmd/poll/poll_thread.h"

#define CT_BUDGET_US 100

static bool params_good(const struct datapath_params *params, char *error, size_t error_size)
{
    if (params->n_threads == 0 || RTE_MAX(params->n_threads, params->max_threads) > DATAPATH_THREADS_MAX)
        snprintf(error, error_size, "%u poll-mode threads asked for: 1 to %u are possible",
                 RTE_MAX(params->n_threads, params->max_threads), DATAPATH_THREADS_MAX);
    else if (params->miss_ring < 8 || params->miss_ring > 65536 || (params->miss_ring & (params->miss_ring - 1)) != 0)
        snprintf(error, error_size, "a miss ring of %u entries: a power of two from 8 to 65536 is needed",
                 params->miss_ring);
    else if (params->megaflow_limit == 0 || params->mask_limit == 0)
        snprintf(error, error_size, "limits of megaflows and masks must be at least 1");
    else if (params->max_connections == 0 || params->max_connections > CT_CONNECTIONS_MAX)
        snprintf(error, error_size, "a limit of %u connections: 1 to %u are possible", params->max_connections,
                 CT_CONNECTIONS_MAX);
    else
        return true;
    return false;
}

struct datapath *datapath_create(const struct datapath_params *params, char *error, size_t error_size)
{
    struct datapath *dp;

    if (!params_good(params, error, error_size))
        return NULL;
    if (packet_queue_init() < 0) {
        snprintf(error, error_size, "no flag of packets is left: a driver of DPDK's has taken all of them");
        return NULL;
    }
    dp = aligned_alloc(RTE_CACHE_LINE_SIZE, sizeof *dp);
    if (!dp) {
        snprintf(error, error_size, "out of memory for the datapath");
        return NULL;
    }
    memset(dp, 0, sizeof *dp);
    dp->params = *params;
    dp->isolate = true;
    dp->params.lcores = NULL;
    dp->params.max_threads = RTE_MAX(params->n_threads, params->max_threads);
    memcpy(dp->lcores, params->lcores, dp->params.max_threads * sizeof dp->lcores[0]);
    dp->lookup = lookup_best();
    dp->meters = calloc(DATAPATH_METERS_MAX, sizeof(struct meter *));
    dp->meters_leaving = calloc(DATAPATH_METERS_MAX, sizeof *dp->meters_leaving);
    dp->port_bases = calloc(PORT_MAX, sizeof *dp->port_bases);
    dp->miss_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    rcu_init(&dp->rcu, dp->params.max_threads);
    dp->tunnels = tunnel_table_create(&dp->rcu);
    if (dp->miss_fd < 0 || !dp->meters || !dp->meters_leaving || !dp->port_bases || !dp->tunnels ||
        megaflow_table_init(&dp->megaflows, params->megaflow_limit) != 0 ||
        tss_init(&dp->tss, &dp->rcu, &dp->megaflows, params->mask_limit) != 0) {
        snprintf(error, error_size, "out of memory for %u megaflows: lower the limit or give more memory",
                 params->megaflow_limit);
        datapath_destroy(dp);
        return NULL;
    }
    const struct ct_params ct = {.max_connections = params->max_connections,
                                 .n_threads = dp->params.max_threads,
                                 .rcu = &dp->rcu,
                                 .pool = params->pool};
    dp->ct = ct_create(&ct);
    if (!dp->ct) {
        snprintf(error, error_size, "no address space for %u connections: lower conntrack.max_connections",
                 params->max_connections);
        datapath_destroy(dp);
        return NULL;
    }
    while (dp->n_threads < params->n_threads) {
        if (datapath_add_thread(dp) != 0) {
            snprintf(error, error_size,
                     "out of memory for poll-mode thread %u with a cache of %u entries and %u megaflows: lower the "
                     "limits or give more memory",
                     dp->n_threads, params->emc_entries, params->megaflow_limit);
            datapath_destroy(dp);
            return NULL;
        }
    }
    LOG_INFO(LOG_PMD, "%u poll-mode threads, %u megaflows at most, lookups by %s", dp->n_threads,
             params->megaflow_limit, dp->lookup->name);
    return dp;
}

int datapath_add_thread(struct datapath *dp)
{
    const unsigned i = dp->n_threads;

    dp->poll_lists[i] = calloc(1, sizeof *dp->poll_lists[i]);
    dp->threads[i] = dp->poll_lists[i] ? poll_thread_create(dp, i, dp->lcores[i]) : NULL;
    if (!dp->threads[i]) {
        free(dp->poll_lists[i]);
        return -ENOMEM;
    }
    dp->megaflows.counters[i] = dp->threads[i]->megaflow_counters;
    dp->megaflows.rare[i] = dp->threads[i]->megaflow_rare;
    dp->n_threads = dp->megaflows.n_counters = i + 1;
    return 0;
}

int datapath_start(struct datapath *dp)
{
    for (unsigned i = dp->n_started; i < dp->n_threads; i++) {
        dp->rcu.readers[i].inbox = dp->threads[i]->down;
        int error = rte_eal_remote_launch(poll_thread_main, dp->threads[i], dp->lcores[i]);

        if (error != 0)
            return error;
        dp->n_started = i + 1;
    }
    return 0;
}

static void threads_stop(struct datapath *dp)
{
    for (unsigned i = 0; i < dp->n_started; i++)
        __atomic_store_n(&dp->threads[i]->stop, 1, __ATOMIC_RELAXED);
    for (unsigned i = 0; i < dp->n_started; i++) {
        rte_eal_wait_lcore(dp->lcores[i]);
        dp->rcu.readers[i].inbox = NULL;
    }
    dp->n_started = 0;
}

void datapath_destroy(struct datapath *dp)
{
    if (!dp)
        return;
    threads_stop(dp);
    rcu_fini(&dp->rcu);
    for (unsigned i = 0; i < dp->n_threads; i++) {
        poll_thread_destroy(dp->threads[i]);
        free(dp->poll_lists[i]);
    }
    if (dp->tss.list)
        tss_fini(&dp->tss);
    megaflow_table_fini(&dp->megaflows);
    for (uint32_t i = 0; dp->meters && i < DATAPATH_METERS_MAX; i++)
        free(dp->meters[i]);
    free(dp->meters);
    free(dp->meters_leaving);
    ct_destroy(dp->ct);
    tunnel_table_destroy(dp->tunnels);
    datapath_ports_free(dp);
    free(dp->port_bases);
    if (dp->miss_fd >= 0)
        close(dp->miss_fd);
    free(dp);
}

unsigned datapath_n_threads(const struct datapath *dp)
{
    return dp->n_threads;
}

unsigned datapath_max_threads(const struct datapath *dp)
{
    return dp->params.max_threads;
}

void datapath_set_max_sleep(struct datapath *dp, uint32_t max_sleep_us)
{
    __atomic_store_n(&dp->params.max_sleep_us, max_sleep_us, __ATOMIC_RELAXED);
}

uint64_t datapath_token(struct datapath *dp)
{
    return rcu_token(&dp->rcu);
}

bool datapath_passed(struct datapath *dp, uint64_t token)
{
    return rcu_passed(&dp->rcu, token);
}

bool datapath_settled(struct datapath *dp)
{
    return rcu_settled(&dp->rcu);
}

void datapath_touch(struct datapath *dp)
{
    rcu_touch(&dp->rcu);
}

void datapath_synchronize(struct datapath *dp)
{
    uint64_t token = rcu_token(&dp->rcu);

    while (!rcu_passed(&dp->rcu, token))
        usleep(10);
}

void datapath_defer(struct datapath *dp, void (*fn)(void *), void *ptr)
{
    rcu_defer(&dp->rcu, fn, ptr);
}

bool datapath_reclaim(struct datapath *dp)
{
    bool more = rcu_reclaim(&dp->rcu);

    more |= megaflow_reclaim(&dp->megaflows, &dp->rcu);
    more |= tss_reclaim(&dp->tss);
    if (ct_is_used(dp->ct))
        more |= ct_work(dp->ct, datapath_seconds(), CT_BUDGET_US);
    if (datapath_is_moving(dp))
        datapath_cores_reclaim(dp);
    if (dp->n_leaving > 0)
        more |= datapath_ports_reclaim(dp);
    return more;
}
