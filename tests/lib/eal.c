#include "tests/lib/eal.h"

int test_eal_init(const char *name)
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

struct rte_mempool *test_pool(unsigned n)
{
    static int count;
    char name[32];

    snprintf(name, sizeof name, "test_pool_%d", count++);
    return rte_pktmbuf_pool_create(name, n, 0, PACKET_PRIV_SIZE, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
}
