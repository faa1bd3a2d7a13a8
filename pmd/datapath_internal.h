/* struct datapath: what the control thread's half of the datapath (datapath*.c) shares with the poll-mode threads.
 */
#ifndef PMD_DATAPATH_INTERNAL_H
#define PMD_DATAPATH_INTERNAL_H

#include <rte_common.h>
#include <rte_ring.h>

#include "pmd/datapath.h"
#include "pmd/lookup.h"
#include "pmd/megaflow.h"
#include "pmd/rcu.h"
#include "pmd/tss.h"

struct poll_thread;

/* The receive queues of one thread. Replaced as a whole. */
struct poll_list {
    uint32_t n;
    struct poll_entry {
        struct port *port;
        uint32_t in_port;
        uint16_t ethdev_id; /* UINT16_MAX: through port->ops */
        uint16_t queue;
    } entries[];
};

/* What a poll-mode thread counts; all of 64 bits. */
struct poll_counters {
    uint64_t cycles_busy, cycles_idle, cycles_asleep;
    uint64_t stage_cycles[PMD_N_STAGES];
    uint64_t polls, polls_busy;
    uint64_t rx_packets, rx_batches;
    uint64_t port_program_hits, emc_hits, tss_hits, tss_lookups;
    uint64_t misses, parked;
    uint64_t tx_packets, tx_batches;
    uint64_t groups;
    uint64_t longest_turn;
    uint64_t longest_own_turn;
    uint64_t long_turns;
};

struct datapath {
    /* Published by the control thread, read by poll-mode threads under RCU. */
    struct port *ports[PORT_MAX];                   /* by index */
    struct megaflow_slot *port_megaflows[PORT_MAX]; /* a megaflow that matches all packets of the port as received */
    struct poll_list *poll_lists[DATAPATH_THREADS_MAX];
    struct meter **meters; /* by index; NULL: none */
    const struct lookup_ops *lookup;
    int miss_fd;
    struct rcu rcu;
    struct tss tss;

    /* Set by the control thread before it sleeps, taken back by the poll-mode thread that wakes it. */
    uint32_t miss_armed __rte_cache_aligned;

    /* Control thread. */
    struct megaflow_table megaflows __rte_cache_aligned;
    struct datapath_params params;
    unsigned lcores[DATAPATH_THREADS_MAX];
    struct poll_thread *threads[DATAPATH_THREADS_MAX];
    unsigned n_threads;
    unsigned n_started;
    uint32_t meter_next;         /* index to try first */
    unsigned miss_turn;          /* the thread whose ring is taken from first */
    bool port_leaving[PORT_MAX]; /* the index is not free yet */
    struct drop_counters drops;
    struct poll_counters cleared[DATAPATH_THREADS_MAX]; /* what datapath_pmd_stats_clear() found */
};

/* Counters have one writer; a reader must see whole values. */
#define COUNT(counter, add) __atomic_store_n(&(counter), (counter) + (add), __ATOMIC_RELAXED)
#define COUNTED(counter) __atomic_load_n(&(counter), __ATOMIC_RELAXED)

#endif
