/* Sending: packets gather in a buffer per output port and go out in bursts at the end of a turn. What a port does not
 * take is dropped under a reason. Poll-mode threads. */
#include <rte_ethdev.h>

#include "pmd/offload.h"
#include "pmd/offload_merge.h"
#include "pmd/poll/poll_thread.h"

/* A port that takes only part of a burst is tried again so often while it makes progress. */
#define TX_RETRIES 8

void poll_drop(struct poll_thread *thread, enum drop_reason reason, uint32_t port, struct rte_mbuf **packets,
               unsigned n)
{
    COUNT(thread->drops.packets[reason], n);
    if (port < PORT_MAX)
        COUNT(thread->port_counters[port].drops[reason], n);
    rte_pktmbuf_free_bulk(packets, n);
}

static __rte_always_inline uint16_t port_tx(struct port *port, uint16_t queue, struct rte_mbuf **packets, uint16_t n)
{
    return port->ethdev_id != UINT16_MAX ? rte_eth_tx_burst(port->ethdev_id, queue, packets, n)
                                         : port->ops->tx_burst(port, queue, packets, n);
}

/* Whether a packet of `len` bytes with the headers of `packet` is longer than the port sends. max_len leaves room for
 * two tags. */
static bool oversize(const struct rte_mbuf *packet, uint32_t len, uint32_t max_len)
{
    static const uint32_t tag_len = 4;

    if (len <= max_len)
        return false;
    for (uint32_t at = 12; at <= 16 && at + 2 <= packet->data_len; at += tag_len) {
        rte_be16_t type = *rte_pktmbuf_mtod_offset(packet, const unaligned_uint16_t *, at);

        if (type != RTE_BE16(RTE_ETHER_TYPE_VLAN) && type != RTE_BE16(RTE_ETHER_TYPE_QINQ))
            break;
        len -= tag_len;
    }
    return len > max_len;
}

static unsigned drop_oversize(struct poll_thread *thread, uint32_t index, uint32_t max_len, struct rte_mbuf **packets,
                              unsigned n)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < n; i++) {
        struct rte_mbuf *packet = packets[i];

        if (oversize(packet, offload_longest(packet), max_len))
            poll_drop(thread, DROP_TX_OVERSIZE, index, &packet, 1);
        else
            packets[kept++] = packet;
    }
    return kept;
}

/* The port is there and up, and takes the packets as they are. */
static __rte_always_inline void transmit(struct poll_thread *thread, struct port *port, uint16_t n_txq, uint32_t index,
                                         struct rte_mbuf **packets, unsigned n)
{
    unsigned sent = 0, took;
    uint64_t bytes = 0;
    uint16_t queue = (uint16_t)(thread->index % n_txq);
    rte_spinlock_t *lock = __atomic_load_n(&port->tx_shared, __ATOMIC_RELAXED) ? &port->tx_lock[queue] : NULL;

    if (unlikely(__atomic_load_n(&port->asides, __ATOMIC_RELAXED) != 0)) {
        n = aside_sending(thread, port, index, packets, n);
        if (n == 0)
            return;
    }
    for (unsigned i = 0; i < n; i++)
        bytes += packets[i]->pkt_len;
    if (lock)
        rte_spinlock_lock(lock);
    unsigned tries = TX_RETRIES;
    do {
        took = port_tx(port, queue, packets + sent, (uint16_t)(n - sent));
        sent += took;
    } while (unlikely(sent < n) && took > 0 && --tries > 0);
    if (lock)
        rte_spinlock_unlock(lock);

    if (unlikely(sent < n)) {
        for (unsigned i = sent; i < n; i++)
            bytes -= packets[i]->pkt_len;
        poll_drop(thread, __atomic_load_n(&port->link_up, __ATOMIC_RELAXED) ? DROP_TX_QUEUE_FULL : DROP_TX_PORT_DOWN,
                  index, packets + sent, n - sent);
    }
    COUNT(thread->port_counters[index].tx_packets, sent);
    COUNT(thread->port_counters[index].tx_bytes, bytes);
    COUNT(thread->counters.tx_packets, sent);
    COUNT(thread->counters.tx_batches, 1);
}

static bool any_marked(struct rte_mbuf *const *packets, unsigned n)
{
    uint64_t flags = 0;

    for (unsigned i = 0; i < n; i++)
        flags |= packets[i]->ol_flags;
    return flags & OFFLOAD_ANY;
}

static bool takes(const struct port *port, const struct rte_mbuf *packet)
{
    return !offload_any(packet) || (!offload_datagram(packet) &&
                                    (offload_needs(packet) & ~__atomic_load_n(&port->takes, __ATOMIC_RELAXED)) == 0 &&
                                    offload_is_plain(packet));
}

/* A datagram that came in fragments goes out whole if it fits the port's MTU. */
static struct offload_cut cut_for(const struct port *port, struct rte_mbuf *packet, struct rte_mempool *pool)
{
    struct offload_cut cut = offload_cut_begin(packet, pool);

    if (likely(!offload_datagram(packet)))
        return cut;
    cut.flat = !(__atomic_load_n(&port->takes, __ATOMIC_RELAXED) & OFFLOAD_TAKES_CHAINS);
    cut.whole = !oversize(packet, packet->pkt_len, __atomic_load_n(&port->max_len, __ATOMIC_RELAXED)) &&
                (cut.flat ? packet->pkt_len + RTE_PKTMBUF_HEADROOM <= rte_pktmbuf_data_room_size(pool)
                          : packet->nb_segs <= OFFLOAD_CHAIN_MAX);
    return cut;
}

/* Finishes the packets that the port does not take, and sends all of them in order. */
static __rte_noinline void transmit_finished(struct poll_thread *thread, struct port *port, uint16_t n_txq,
                                             uint32_t index, struct rte_mbuf **packets, unsigned n)
{
    struct rte_mbuf *finished[BURST];
    unsigned n_finished = 0;

    for (unsigned i = 0; i < n; i++) {
        struct offload_cut cut = {0};
        struct rte_mbuf *packet = packets[i];

        if (!takes(port, packet)) {
            cut = cut_for(port, packet, thread->sink.pool);
            packet = offload_cut_next(&cut);
        }
        for (; packet; packet = offload_cut_next(&cut)) {
            finished[n_finished++] = packet;
            if (n_finished == BURST) {
                transmit(thread, port, n_txq, index, finished, n_finished);
                n_finished = 0;
            }
        }
        if (cut.failed) {
            COUNT(thread->drops.packets[DROP_NO_MBUF], 1);
            COUNT(thread->port_counters[index].drops[DROP_NO_MBUF], 1);
        }
    }
    if (n_finished > 0)
        transmit(thread, port, n_txq, index, finished, n_finished);
}

static void port_send(struct poll_thread *thread, uint32_t index, struct rte_mbuf **packets, unsigned n,
                      uint32_t longest)
{
    struct port *port = __atomic_load_n(&thread->dp->ports[index], __ATOMIC_ACQUIRE);

    if (unlikely(!port)) {
        poll_drop(thread, DROP_TX_NO_PORT, index, packets, n);
        return;
    }
    uint16_t n_txq = __atomic_load_n(&port->n_txq, __ATOMIC_RELAXED);
    if (unlikely(n_txq == 0 || !__atomic_load_n(&port->admin_up, __ATOMIC_RELAXED))) {
        poll_drop(thread, DROP_TX_PORT_DOWN, index, packets, n);
        return;
    }
    uint32_t max_len = __atomic_load_n(&port->max_len, __ATOMIC_RELAXED);
    if (unlikely(longest > max_len)) {
        n = drop_oversize(thread, index, max_len, packets, n);
        if (n == 0)
            return;
    }

    if (unlikely(__atomic_load_n(&thread->dp->offloads, __ATOMIC_RELAXED))) {
        if (unlikely(port->merges))
            n = offload_merge(packets, n, __atomic_load_n(&port->takes, __ATOMIC_RELAXED));
        if (any_marked(packets, n)) {
            transmit_finished(thread, port, n_txq, index, packets, n);
            return;
        }
    }
    transmit(thread, port, n_txq, index, packets, n);
}

static void tx_flush(struct poll_thread *thread, uint32_t index)
{
    struct tx_buffer *buffer = &thread->tx[index];
    unsigned n = buffer->n;

    buffer->n = 0;
    port_send(thread, index, buffer->packets, n, buffer->longest);
}

void tx_flush_all(struct poll_thread *thread)
{
    for (uint32_t i = 0; i < thread->n_tx_dirty; i++) {
        uint32_t index = thread->tx_dirty[i];

        thread->tx[index].listed = false;
        if (thread->tx[index].n > 0)
            tx_flush(thread, index);
    }
    thread->n_tx_dirty = 0;
}

void tx_packets(struct poll_thread *thread, uint32_t index, struct rte_mbuf **packets, unsigned n, uint32_t longest)
{
    struct tx_buffer *buffer;

    if (unlikely(index >= PORT_MAX)) {
        poll_drop(thread, DROP_TX_NO_PORT, index, packets, n);
        return;
    }
    buffer = &thread->tx[index];
    if (buffer->n + n > BURST || n == BURST) {
        if (buffer->n > 0)
            tx_flush(thread, index);
        if (n == BURST) {
            port_send(thread, index, packets, n, longest);
            return;
        }
    }
    if (buffer->n == 0) {
        buffer->longest = 0;
        if (!buffer->listed) {
            buffer->listed = true;
            thread->tx_dirty[thread->n_tx_dirty++] = index;
        }
    }
    for (unsigned i = 0; i < n; i++)
        buffer->packets[buffer->n + i] = packets[i];
    buffer->n += n;
    buffer->longest = RTE_MAX(buffer->longest, longest);
}
