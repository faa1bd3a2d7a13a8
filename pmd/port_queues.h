/* The queues of a port: packets of each are counted, and may be policed. That packets of one go before those of another
 * is a matter of who sends them: of the kernel's scheduler (port_ops.schedule), if the port is an interface of its.
 *
 * Made by the control thread, which replaces them as a whole; freed after a grace period. Poll-mode threads look at
 * them once a packet that is sent, of ports that have some (struct port.asides).
 */
#ifndef PMD_PORT_QUEUES_H
#define PMD_PORT_QUEUES_H

#include <rte_mbuf.h>
#include <stdbool.h>
#include <stdint.h>

#include "pmd/policer.h"

struct port_queue_config {
    uint32_t id;
    struct policer_config limit; /* without rates: none */
};

struct port_queue_counts {
    uint64_t packets, bytes; /* handed to the port */
    uint64_t dropped;        /* above the limit */
};

struct port_queues;

/* Queues by ascending id, the first of which is 0: packets of queues that are not among them are counted there. What
 * queues of `before` (NULL: none) have counted goes on. NULL: out of memory. To be freed with port_queues_free(). */
struct port_queues *port_queues_create(const struct port_queue_config *configs, unsigned n, unsigned n_threads,
                                       const struct port_queues *before, uint64_t tsc_hz, uint64_t now);
void port_queues_free(void *queues);

/* When the queue was made, TSC. */
uint64_t port_queues_since(const struct port_queues *queues, unsigned i);
void port_queues_sum(const struct port_queues *queues, unsigned i, struct port_queue_counts *counts);

/* As policer_run(), each packet by its queue. Poll-mode thread `thread`. */
unsigned port_queues_run(struct port_queues *queues, unsigned thread, uint64_t now, struct rte_mbuf **packets,
                         unsigned n);

#endif
