#include "pmd/port_queues.h"

#include <rte_common.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/queue.h"

#define BATCH 64

struct queue {
    uint32_t id;
    uint64_t since;
    struct policer *policer;         /* NULL: no limit */
    struct port_queue_counts before; /* by earlier objects */
};

struct port_queues {
    unsigned n, n_threads;
    struct port_queue_counts *counts; /* of each thread n_stride, in cache lines of its own */
    unsigned n_stride;
    struct queue queues[];
};

static unsigned find(const struct port_queues *queues, uint32_t id)
{
    unsigned low = 0, high = queues->n;

    while (low < high) {
        unsigned middle = (low + high) / 2;

        if (queues->queues[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < queues->n && queues->queues[low].id == id ? low : 0;
}

static void take_over(struct queue *queue, const struct port_queues *before)
{
    unsigned i = before ? find(before, queue->id) : 0;

    if (!before || before->queues[i].id != queue->id)
        return;
    queue->since = before->queues[i].since;
    port_queues_sum(before, i, &queue->before);
}

struct port_queues *port_queues_create(const struct port_queue_config *configs, unsigned n, unsigned n_threads,
                                       const struct port_queues *before, uint64_t tsc_hz, uint64_t now)
{
    /* Lines of 64 bytes hold 8 numbers; 8 queues of 3 numbers are whole lines. */
    const unsigned stride = RTE_ALIGN_CEIL(n, 8u);
    const size_t size = (size_t)n_threads * stride * sizeof(struct port_queue_counts);
    struct port_queues *queues = calloc(1, sizeof *queues + n * sizeof queues->queues[0]);

    if (!queues)
        return NULL;
    queues->counts = aligned_alloc(RTE_CACHE_LINE_SIZE, RTE_ALIGN_CEIL(size, (size_t)RTE_CACHE_LINE_SIZE));
    if (!queues->counts) {
        free(queues);
        return NULL;
    }
    memset(queues->counts, 0, size);
    queues->n = n;
    queues->n_stride = stride;
    queues->n_threads = n_threads;
    for (unsigned i = 0; i < n; i++) {
        struct queue *queue = &queues->queues[i];

        *queue = (struct queue){.id = configs[i].id, .since = now};
        take_over(queue, before);
        if (!configs[i].limit.bits && !configs[i].limit.packets)
            continue;
        queue->policer = policer_create(&configs[i].limit, tsc_hz, now);
        if (!queue->policer) {
            port_queues_free(queues);
            return NULL;
        }
    }
    return queues;
}

void port_queues_free(void *arg)
{
    struct port_queues *queues = arg;

    if (!queues)
        return;
    for (unsigned i = 0; i < queues->n; i++)
        free(queues->queues[i].policer);
    free(queues->counts);
    free(queues);
}

uint64_t port_queues_since(const struct port_queues *queues, unsigned i)
{
    return queues->queues[i].since;
}

#define COUNTED(counter) __atomic_load_n(&(counter), __ATOMIC_RELAXED)
#define ADD(counter, n) __atomic_store_n(&(counter), (counter) + (n), __ATOMIC_RELAXED)

void port_queues_sum(const struct port_queues *queues, unsigned i, struct port_queue_counts *counts)
{
    *counts = queues->queues[i].before;
    for (unsigned t = 0; t < queues->n_threads; t++) {
        const struct port_queue_counts *of = &queues->counts[t * queues->n_stride + i];

        counts->packets += COUNTED(of->packets);
        counts->bytes += COUNTED(of->bytes);
        counts->dropped += COUNTED(of->dropped);
    }
}

unsigned port_queues_run(struct port_queues *queues, unsigned thread, uint64_t now, struct rte_mbuf **packets,
                         unsigned n)
{
    struct port_queue_counts *counts = &queues->counts[thread * queues->n_stride];
    struct rte_mbuf *dropped[BATCH];
    unsigned kept = 0, n_dropped = 0;

    for (unsigned i = 0; i < n; i++) {
        const uint32_t id = packet_queue(packets[i]);
        const unsigned at = id == 0 ? 0 : find(queues, id);
        struct policer *policer = queues->queues[at].policer;

        if (policer && policer_run(policer, now, &packets[i], 1) == 0) {
            ADD(counts[at].dropped, 1);
            dropped[n_dropped++] = packets[i];
            continue;
        }
        ADD(counts[at].packets, 1);
        ADD(counts[at].bytes, packets[i]->pkt_len);
        packets[kept++] = packets[i];
    }
    memcpy(packets + kept, dropped, n_dropped * sizeof dropped[0]);
    return kept;
}
