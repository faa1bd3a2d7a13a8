/* The control thread's ends of the rings. */
#include <string.h>
#include <unistd.h>

#include "pmd/poll/poll_thread.h"

static unsigned take(struct datapath *dp, struct rte_mbuf **packets, unsigned n)
{
    unsigned total = 0, share = RTE_MAX(1u, n / dp->n_threads);

    /* First a fair share from each thread, then whatever there is. */
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < dp->n_threads && total < n; i++) {
            struct poll_thread *thread = dp->threads[(dp->miss_turn + i) % dp->n_threads];
            unsigned want = round == 0 ? RTE_MIN(share, n - total) : n - total;
            unsigned got = rte_ring_sc_dequeue_burst(thread->up, (void **)(packets + total), want, NULL);

            dp->taken[thread->index] += got;
            total += got;
        }
    }
    dp->miss_turn = (dp->miss_turn + 1) % dp->n_threads;
    return total;
}

/* What the rules of a removed port's bridge say of its packets is of no interest any more, and must not be installed.
 * The thread has to get them back, as packets wait behind them. */
static unsigned send_back_homeless(struct datapath *dp, struct rte_mbuf **packets, unsigned n)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < n; i++) {
        struct packet_meta *meta = packet_meta(packets[i]);

        if (meta->origin == PACKET_PUNT || meta->md.in_port >= PORT_MAX || !dp->leaving[meta->md.in_port].is_there) {
            packets[kept++] = packets[i];
            continue;
        }
        datapath_port_seen(dp, meta->md.in_port);
        meta->drop_reason = DROP_BRIDGE_UNKNOWN;
        meta->program = NULL;
        datapath_miss_return(dp, packets[i]);
    }
    return kept;
}

unsigned datapath_miss_dequeue(struct datapath *dp, struct rte_mbuf **packets, unsigned n)
{
    unsigned total, kept;

    do {
        total = kept = take(dp, packets, n);
        if (dp->n_leaving > 0)
            kept = send_back_homeless(dp, packets, total);
    } while (kept == 0 && total > 0);
    return kept;
}

unsigned datapath_protocol_dequeue(struct datapath *dp, struct rte_mbuf **packets, unsigned n)
{
    unsigned total = 0;

    for (unsigned i = 0; i < dp->n_threads && total < n; i++)
        total += rte_ring_sc_dequeue_burst(dp->threads[i]->protocols, (void **)(packets + total), n - total, NULL);
    return total;
}

/* `down` has room for all misses that can be away at once and as many injected packets again (see poll_thread_create):
 * a return fails only if packets are injected faster than they run. The flow that waits for the packet is then given up
 * by its thread when it is stale. */
static void send_down(struct datapath *dp, unsigned index, struct rte_mbuf *packet)
{
    rcu_touch(&dp->rcu);
    if (index < dp->n_threads && rte_ring_sp_enqueue(dp->threads[index]->down, packet) == 0)
        return;
    datapath_count_drop(dp, DROP_CONTROL_BACKLOG, 1);
    rte_pktmbuf_free(packet);
}

void datapath_miss_return(struct datapath *dp, struct rte_mbuf *packet)
{
    send_down(dp, packet_meta(packet)->thread, packet);
}

/* `kept`: entries of the ring that others are to have. */
static void inject(struct datapath *dp, struct rte_mbuf *packet, uint32_t in_port, const struct program *program,
                   uint32_t kept)
{
    struct packet_meta *meta = packet_meta(packet);

    memset(meta, 0, sizeof *meta);
    meta->md.in_port = in_port;
    meta->pending = PACKET_NOT_PENDING;
    meta->program = program;
    meta->drop_reason = DROP_POLICY;
    if (rte_ring_free_count(dp->threads[0]->down) <= kept) {
        datapath_count_drop(dp, DROP_CONTROL_BACKLOG, 1);
        rte_pktmbuf_free(packet);
        return;
    }
    send_down(dp, 0, packet);
}

/* Half of the ring is for misses on their way back, an eighth for protocols. */
void datapath_inject(struct datapath *dp, struct rte_mbuf *packet, uint32_t in_port, const struct program *program)
{
    inject(dp, packet, in_port, program, dp->params.miss_ring + dp->params.miss_ring / 4);
}

void datapath_inject_protocol(struct datapath *dp, struct rte_mbuf *packet, const struct program *program)
{
    inject(dp, packet, 0, program, dp->params.miss_ring);
}

int datapath_miss_fd(const struct datapath *dp)
{
    return dp->miss_fd;
}

void datapath_miss_arm(struct datapath *dp)
{
    /* Before the caller looks at the rings once more (see miss_wake). */
    __atomic_store_n(&dp->miss_armed, 1, __ATOMIC_SEQ_CST);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void datapath_miss_ack(struct datapath *dp)
{
    uint64_t count;

    while (read(dp->miss_fd, &count, sizeof count) > 0)
        ;
}

void datapath_count_drop(struct datapath *dp, enum drop_reason reason, uint64_t packets)
{
    if ((unsigned)reason < DROP_N_REASONS)
        dp->drops.packets[reason] += packets;
}
