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
int test_eal_init(const char *name);

/* A pool of `n` mbufs as the datapath's pools are made. Each call makes a new one. NULL: no memory. */
struct rte_mempool *test_pool(unsigned n);

#endif
