/* What the threads counted, summed for the control thread. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "pmd/poll/poll_thread.h"

/* All that was ever counted under the index, tx_dropped left out. */
static void port_sum(const struct datapath *dp, uint32_t index, struct datapath_port_stats *stats)
{
    memset(stats, 0, sizeof *stats);
    for (unsigned i = 0; i < dp->n_threads; i++) {
        const struct port_counters *counters = &dp->threads[i]->port_counters[index];

        stats->rx_packets += COUNTED(counters->rx_packets);
        stats->rx_bytes += COUNTED(counters->rx_bytes);
        stats->tx_packets += COUNTED(counters->tx_packets);
        stats->tx_bytes += COUNTED(counters->tx_bytes);
        for (unsigned r = 0; r < DROP_N_REASONS; r++)
            stats->drops[r] += COUNTED(counters->drops[r]);
    }
}

void datapath_port_stats_begin(struct datapath *dp, uint32_t index)
{
    port_sum(dp, index, &dp->port_bases[index]);
}

_Static_assert(sizeof(struct datapath_port_stats) % sizeof(uint64_t) == 0, "all counters are 64 bits wide");

void datapath_port_stats(const struct datapath *dp, uint32_t index, struct datapath_port_stats *stats)
{
    if (index >= PORT_MAX) {
        memset(stats, 0, sizeof *stats);
        return;
    }
    port_sum(dp, index, stats);
    for (unsigned i = 0; i < sizeof *stats / sizeof(uint64_t); i++)
        ((uint64_t *)stats)[i] -= ((const uint64_t *)&dp->port_bases[index])[i];
    stats->tx_dropped = stats->drops[DROP_TX_QUEUE_FULL] + stats->drops[DROP_TX_PORT_DOWN] +
                        stats->drops[DROP_TX_NO_PORT] + stats->drops[DROP_TX_OVERSIZE] + stats->drops[DROP_TX_POLICED];
}

/* All counters of struct poll_counters are 64 bits wide. */
static void counters_read(const struct poll_counters *from, struct poll_counters *to)
{
    const uint64_t *source = (const uint64_t *)from;
    uint64_t *target = (uint64_t *)to;

    for (unsigned i = 0; i < sizeof *from / sizeof *source; i++)
        target[i] = COUNTED(source[i]);
}

/* How often the kernel took the core from the thread (proc(5), nonvoluntary_ctxt_switches). */
static uint64_t preemptions(const struct poll_thread *thread)
{
    pid_t tid = __atomic_load_n(&thread->tid, __ATOMIC_RELAXED);
    uint64_t n = 0;
    char path[64], line[128];

    snprintf(path, sizeof path, "/proc/self/task/%d/status", (int)tid);
    FILE *file = tid ? fopen(path, "re") : NULL;

    if (!file)
        return 0;
    while (fgets(line, sizeof line, file))
        if (sscanf(line, "nonvoluntary_ctxt_switches: %" SCNu64, &n) == 1)
            break;
    fclose(file);
    return n;
}

void datapath_pmd_stats(const struct datapath *dp, unsigned index, struct pmd_stats *stats)
{
    const struct poll_thread *thread = dp->threads[index];
    struct poll_counters now, total;

    counters_read(&thread->counters, &now);
    total = now;
    for (unsigned i = 0; i < sizeof total / sizeof(uint64_t); i++)
        ((uint64_t *)&total)[i] -= ((const uint64_t *)&dp->cleared[index])[i];

    *stats = (struct pmd_stats){
        .core = (unsigned)thread->core,
        .surplus = thread->surplus,
        .numa_node = thread->socket,
        .cycles_busy = total.cycles_busy,
        .cycles_idle = total.cycles_idle,
        .cycles_asleep = total.cycles_asleep,
        .polls = total.polls,
        .polls_busy = total.polls_busy,
        .rx_packets = total.rx_packets,
        .rx_batches = total.rx_batches,
        .port_program_hits = total.port_program_hits,
        .emc_hits = total.emc_hits,
        .tss_hits = total.tss_hits,
        .tss_lookups = total.tss_lookups,
        .misses = total.misses,
        .parked = total.parked,
        .tx_packets = total.tx_packets,
        .tx_batches = total.tx_batches,
        .groups = total.groups,
        .longest_turn = now.longest_turn,
        .longest_own_turn = now.longest_own_turn,
        .long_turns = total.long_turns,
        .preempted = preemptions(thread) - thread->preempted_before,
        .emc_capacity = thread->emc.capacity,
        .emc_used = COUNTED(thread->emc.n_used),
        .n_rxqs = dp->poll_lists[index]->n,
    };
    memcpy(stats->stage_cycles, total.stage_cycles, sizeof stats->stage_cycles);
    stats->stage_cycles[PMD_STAGE_IDLE] = total.cycles_idle;
}

void datapath_pmd_stats_clear(struct datapath *dp)
{
    for (unsigned i = 0; i < dp->n_threads; i++) {
        counters_read(&dp->threads[i]->counters, &dp->cleared[i]);
        dp->threads[i]->preempted_before = preemptions(dp->threads[i]);
        __atomic_store_n(&dp->threads[i]->clear_longest, dp->threads[i]->clear_longest + 1, __ATOMIC_RELAXED);
    }
}

unsigned datapath_pmd_rxqs(const struct datapath *dp, unsigned thread, uint32_t *ports, uint16_t *queues, unsigned n)
{
    const struct poll_list *list = dp->poll_lists[thread];
    unsigned count = RTE_MIN(n, list->n);

    for (unsigned i = 0; i < count; i++) {
        ports[i] = list->entries[i].in_port;
        queues[i] = list->entries[i].queue;
    }
    return count;
}

void datapath_drops(const struct datapath *dp, struct drop_counters *sum)
{
    *sum = dp->drops;
    for (unsigned i = 0; i < dp->n_threads; i++) {
        for (unsigned r = 0; r < DROP_N_REASONS; r++)
            sum->packets[r] += COUNTED(dp->threads[i]->drops.packets[r]);
    }
}
