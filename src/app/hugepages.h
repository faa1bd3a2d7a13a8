/* Hugepages: what each NUMA node has free, against what Sluice wants there, and the command that mends it. Control
 * thread, at start. */
#ifndef SRC_APP_HUGEPAGES_H
#define SRC_APP_HUGEPAGES_H

#include <stdbool.h>
#include <stdint.h>

#define HUGEPAGES_NODES_MAX 32

/* `sysfs` is "/sys" but in tests. `need_mb[node]` is what is wanted on each node, in MB. Says each thing that is not as
 * it should be by `tell`, one sentence a call, with the command to fix it. Returns whether the free pages of all nodes
 * together suffice: DPDK can then run on them, if slower where a node lacks its own. */
bool hugepages_check(const char *sysfs, const uint32_t need_mb[HUGEPAGES_NODES_MAX],
                     void (*tell)(void *arg, const char *sentence), void *arg);

/* Free ones of all sizes and nodes, in MB. */
uint64_t hugepages_free_mb(const char *sysfs);

#endif
