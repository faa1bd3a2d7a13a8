/* What is done with the packets of some ports besides (struct port.asides): captures look at them, queues count them,
 * policers drop what is above a rate. A capture sees what came in before a policer, and what goes out behind one.
 * Poll-mode threads. */
#include "pmd/capture.h"
#include "pmd/policer.h"
#include "pmd/port_queues.h"
#include "pmd/poll/poll_thread.h"

static unsigned police(struct port *port, enum port_way way, struct rte_mbuf **packets, unsigned n)
{
    struct policer *policer = __atomic_load_n(&port->policers[way], __ATOMIC_ACQUIRE);

    return policer ? policer_run(policer, rte_rdtsc(), packets, n) : n;
}

static unsigned queue(const struct poll_thread *thread, struct port *port, struct rte_mbuf **packets, unsigned n)
{
    struct port_queues *queues = __atomic_load_n(&port->queues, __ATOMIC_ACQUIRE);

    return queues ? port_queues_run(queues, thread->index, rte_rdtsc(), packets, n) : n;
}

/* Packets that a policer drops were received by the port nevertheless. */
static void drop_received(struct poll_thread *thread, uint32_t in_port, struct rte_mbuf **packets, unsigned n)
{
    struct port_counters *counters = &thread->port_counters[in_port];
    uint64_t bytes = 0;

    for (unsigned i = 0; i < n; i++)
        bytes += packets[i]->pkt_len;
    COUNT(counters->rx_packets, n);
    COUNT(counters->rx_bytes, bytes);
    poll_drop(thread, DROP_RX_POLICED, in_port, packets, n);
}

unsigned aside_received(struct poll_thread *thread, struct port *port, uint32_t in_port, struct rte_mbuf **packets,
                        unsigned n)
{
    unsigned kept;

    capture_packets(port, CAPTURE_IN, thread->index, packets, n);
    kept = police(port, PORT_IN, packets, n);
    if (kept < n)
        drop_received(thread, in_port, packets + kept, n - kept);
    return kept;
}

unsigned aside_sending(struct poll_thread *thread, struct port *port, uint32_t index, struct rte_mbuf **packets,
                       unsigned n)
{
    unsigned kept = police(port, PORT_OUT, packets, n);

    if (kept > 0)
        kept = queue(thread, port, packets, kept);
    if (kept < n)
        poll_drop(thread, DROP_TX_POLICED, index, packets + kept, n - kept);
    if (kept > 0)
        capture_packets(port, CAPTURE_OUT, thread->index, packets, kept);
    return kept;
}
