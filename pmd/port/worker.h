/* Threads for what the kernel takes long for, while it waits for grace periods of its own. The control thread gives
 * them jobs and looks whether they are done; it never waits for one while the switch runs.
 */
#ifndef PMD_PORT_WORKER_H
#define PMD_PORT_WORKER_H

#include <stdbool.h>

enum worker_pool {
    /* Opening and closing TAPs, some 16 ms for the kernel to delete one, with a lock that every change of an interface
     * needs; and devices of DPDK, which is not made for two threads that add and remove devices. So one thread. */
    WORKER_DEVICES,
    /* Opening and closing the rings of packet sockets, some 15 and 40 ms. Who waits at the same time waits for the same
     * grace period: up to 32 threads, so that many ports take little longer than one. */
    WORKER_SOCKETS,
    WORKER_N_POOLS
};

/* Memory of the caller's, zeroed at first but for run() and `detached`; it stays until the job is done. */
struct worker_job {
    void (*run)(struct worker_job *job); /* on a thread of the pool */
    bool detached;                       /* run() may free it; nobody asks worker_done() */
    /* The pool's. */
    struct worker_job *next;
    bool done;
};

/* Control thread. Urgent jobs go before all that are not. If no thread can be started, runs the job at once. */
void worker_post(enum worker_pool pool, struct worker_job *job, bool urgent);
/* Any thread. What run() wrote is visible then. */
bool worker_done(const struct worker_job *job);
/* Waits until all jobs are done, or for `seconds`; 0: as long as it takes. At the end of the process, and of tests. */
void worker_wait(enum worker_pool pool, unsigned seconds);

#endif
