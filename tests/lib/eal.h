/* A DPDK environment for unit tests: no hugepages, no devices, nothing left in the file system but an empty directory.
 *
 * Four lcores (0 to 3) that float over all CPUs the process may use, so that tests with threads run on any machine.
 */
#ifndef TESTS_UNIT_EAL_H
#define TESTS_UNIT_EAL_H

#include <rte_eal.h>
#include <rte_mbuf.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "pmd/metadata.h"

/* Starts the EAL with 64 MB. `name` is what the process is called in DPDK's messages. Returns 0, or -1. */
static inline int test_eal_init(const char *name)
{
    char lcores[1024];
    cpu_set_t cpus;
    int len = snprintf(lcores, sizeof lcores, "--lcores=(0-3)@(");

    if (sched_getaffinity(0, sizeof cpus, &cpus) != 0)
        return -1;
    for (int cpu = 0, first = 1; cpu < CPU_SETSIZE && len < (int)sizeof lcores - 8; cpu++) {
        if (CPU_ISSET(cpu, &cpus)) {
            len += snprintf(lcores + len, sizeof lcores - len, first ? "%d" : ",%d", cpu);
            first = 0;
        }
    }
    snprintf(lcores + len, sizeof lcores - len, ")");

    const char *args[] = {name,
                          "--no-huge",
                          "--no-shconf",
                          "--no-pci",
                          "-m",
                          "64",
                          "--file-prefix=sluice-test",
                          "--log-level=3",
                          "--no-telemetry",
                          lcores};
    return rte_eal_init(RTE_DIM(args), (char **)(uintptr_t)args) < 0 ? -1 : 0;
}

/* A pool of `n` mbufs as the datapath's pools are made. Each call makes a new one. NULL: no memory. */
static inline struct rte_mempool *test_pool(unsigned n)
{
    static int count;
    char name[32];

    snprintf(name, sizeof name, "test_pool_%d", count++);
    return rte_pktmbuf_pool_create(name, n, 0, PACKET_PRIV_SIZE, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
}

#endif
