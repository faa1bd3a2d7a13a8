#include "src/app/pool.h"

#include <rte_common.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ether.h>
#include <rte_mbuf.h>
#include <rte_mbuf_pool_ops.h>
#include <stdio.h>
#include <string.h>

#include "pmd/base/log.h"
#include "pmd/metadata.h"
#include "src/app/cores.h"
#include "src/app/hugepages.h"

/* mbufs that each lcore keeps to itself. */
#define CACHE 256
/* On the way between threads: transmit buffers, parked packets, packets to controllers. */
#define IN_FLIGHT 8192
/* The rest of what DPDK allocates: rings, device state, caches. */
#define OTHER_MB 48

static struct rte_mempool *pools[HUGEPAGES_NODES_MAX];
static struct rte_mempool *first_pool;

uint32_t pool_mbufs(const struct config *config)
{
    uint64_t n = IN_FLIGHT, threads = config->pmd.n_cores;

    if (config->dpdk.mbufs)
        return config->dpdk.mbufs;
    /* A cache may hold half as many again. */
    n += (threads + 1) * (CACHE + CACHE / 2) + threads * config->pmd.miss_ring;
    for (size_t b = 0; b < config->n_bridges; b++) {
        for (size_t p = 0; p < config->bridges[b].n_ports; p++) {
            const struct config_port *port = &config->bridges[b].ports[p];
            if (config_port_is_virtual(port))
                continue;
            if (port->type == CONFIG_PORT_DPDK)
                n += (uint64_t)port->rx_queues * port->rx_descriptors + threads * port->tx_descriptors;
            else
                n += port->rx_queues * 64;
        }
    }
    /* One less than a power of two packs a ring best. */
    return RTE_MIN(rte_align64pow2(n + 1) - 1, (uint64_t)UINT32_MAX);
}

uint32_t pool_mbuf_size(const struct config *config)
{
    uint32_t frame = config_largest_mtu(config) + RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN + 2 * RTE_VLAN_HLEN;

    if (config->dpdk.mbuf_size)
        return config->dpdk.mbuf_size;
    /* NICs are told the size of a buffer in kilobytes, rounded down. */
    return RTE_ALIGN_CEIL(frame, 1024);
}

static uint32_t data_room(const struct config *config)
{
    return RTE_MIN(pool_mbuf_size(config) + RTE_PKTMBUF_HEADROOM, (uint32_t)UINT16_MAX);
}

static uint32_t element_size(const struct config *config)
{
    return sizeof(struct rte_mbuf) + PACKET_PRIV_SIZE + data_room(config);
}

uint32_t pool_memory_mb(const struct config *config)
{
    /* With the pool's own ring, and what is lost at the ends of pages. */
    uint64_t each = rte_mempool_calc_obj_size(element_size(config), 0, NULL) + 32;

    return (each * pool_mbufs(config) >> 20) * 51 / 50 + OTHER_MB;
}

/* As rte_pktmbuf_pool_create(), which cannot be told that on ordinary pages an mbuf may go over the end of one: with
 * room for one packet a page, a pool would take twice the memory. */
static struct rte_mempool *create_pool(const char *name, const struct config *config, int node)
{
    struct rte_pktmbuf_pool_private private = {.mbuf_data_room_size = data_room(config),
                                               .mbuf_priv_size = PACKET_PRIV_SIZE};
    unsigned flags = rte_eal_has_hugepages() ? 0 : RTE_MEMPOOL_F_NO_IOVA_CONTIG;
    struct rte_mempool *pool =
        rte_mempool_create_empty(name, pool_mbufs(config), element_size(config), CACHE, sizeof private, node, flags);
    int rc;

    if (!pool)
        return NULL;
    rc = rte_mempool_set_ops_byname(pool, rte_mbuf_best_mempool_ops(), NULL);
    if (rc == 0) {
        rte_pktmbuf_pool_init(pool, &private);
        rc = rte_mempool_populate_default(pool);
    }
    if (rc < 0) {
        rte_mempool_free(pool);
        rte_errno = -rc;
        return NULL;
    }
    rte_mempool_obj_iter(pool, rte_pktmbuf_init, NULL);
    return pool;
}

static struct rte_mempool *create_on(int node, const struct config *config, char *error, size_t error_size)
{
    struct rte_mempool *pool;
    char name[32];

    snprintf(name, sizeof name, "packets_%d", node);
    pool = create_pool(name, config, node);
    if (!pool) {
        pool = create_pool(name, config, SOCKET_ID_ANY);
        if (pool)
            LOG_WARN(LOG_MAIN, "the packets of NUMA node %d are in another node's memory, which is slower", node);
    }
    if (!pool)
        snprintf(error, error_size,
                 "no memory for %u packets of %u bytes on NUMA node %d (%s): lower dpdk.mbufs, or give DPDK %u MB by "
                 "more hugepages or by \"-m\" in dpdk.eal_args",
                 pool_mbufs(config), pool_mbuf_size(config), node, rte_strerror(rte_errno), pool_memory_mb(config));
    return pool;
}

struct rte_mempool *pool_create(const struct config *config, char *error, size_t error_size)
{
    for (size_t i = 0; i < config->pmd.n_cores; i++) {
        int node = cores_node(config->pmd.cores[i]);

        if (node >= HUGEPAGES_NODES_MAX || pools[node])
            continue;
        pools[node] = create_on(node, config, error, error_size);
        if (!pools[node]) {
            pool_destroy();
            return NULL;
        }
        if (!first_pool)
            first_pool = pools[node];
        LOG_INFO(LOG_MAIN, "%u packet buffers of %u bytes on NUMA node %d", pool_mbufs(config), pool_mbuf_size(config),
                 node);
    }
    if (!first_pool)
        snprintf(error, error_size, "pmd.cores: needs at least one core");
    return first_pool;
}

struct rte_mempool *pool_for_devargs(const char *devargs)
{
    char path[128];
    int node = -1;
    FILE *f;

    if (!devargs || strchr(devargs, '/'))
        return first_pool;
    snprintf(path, sizeof path, "/sys/bus/pci/devices/%.*s/numa_node", (int)RTE_MIN(strcspn(devargs, ","), (size_t)32),
             devargs);
    f = fopen(path, "re");
    if (f) {
        if (fscanf(f, "%d", &node) != 1)
            node = -1;
        fclose(f);
    }
    return node >= 0 && node < HUGEPAGES_NODES_MAX && pools[node] ? pools[node] : first_pool;
}

void pool_destroy(void)
{
    for (int node = 0; node < HUGEPAGES_NODES_MAX; node++) {
        rte_mempool_free(pools[node]);
        pools[node] = NULL;
    }
    first_pool = NULL;
}
