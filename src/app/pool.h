/* The packet pools: how many mbufs of what size the model needs, and one pool a NUMA node with poll-mode cores. Control
 * thread, at start and end. */
#ifndef SRC_APP_POOL_H
#define SRC_APP_POOL_H

#include <rte_mempool.h>
#include <stdint.h>

#include "src/config/model.h"

/* mbufs of one pool, and bytes of packet data in an mbuf, headroom not counted. */
uint32_t pool_mbufs(const struct config *config);
uint32_t pool_mbuf_size(const struct config *config);

/* Memory that one pool takes, and that goes to what DPDK allocates besides, in MB. */
uint32_t pool_memory_mb(const struct config *config);

/* Makes the pools. Returns that of the first poll-mode core's node, or NULL with a sentence in `error`. EAL up. */
struct rte_mempool *pool_create(const struct config *config, char *error, size_t error_size);

/* The pool for a port with these devargs (NULL for one without): that of a PCI device's own node if there is one. */
struct rte_mempool *pool_for_devargs(const char *devargs);

/* Frees the pools; every port is gone. */
void pool_destroy(void);

#endif
