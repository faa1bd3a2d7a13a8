/* struct datapath: what the control thread's half of the datapath (datapath*.c) shares with the poll-mode threads.
 */
#ifndef PMD_POLL_DATAPATH_IMPL_H
#define PMD_POLL_DATAPATH_IMPL_H

#include <rte_common.h>
#include <rte_ring.h>

#include "pmd/cache/lookup.h"
#include "pmd/cache/megaflow.h"
#include "pmd/cache/tss.h"
#include "pmd/datapath.h"
#include "pmd/rcu.h"

struct poll_thread;
struct tunnel_table;

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

/* Indices of removed ports become free in rounds: a token passes, what was in the threads' rings by then is taken out,
 * and then no thread may keep a packet that names the index. See datapath_port.c. */
enum drain_phase { DRAIN_IDLE, DRAIN_TOKEN, DRAIN_RINGS };

struct drain {
    enum drain_phase phase;
    uint64_t token;
    uint64_t taken[DATAPATH_THREADS_MAX]; /* what dp->taken[] has to reach */
};

/* A removed port, until its index is free. */
struct leaving {
    struct port *port; /* NULL: its device is closed */
    uint64_t token;    /* when it has passed, the device may be closed */
    bool is_there;
    bool closed;
    bool forgotten; /* nothing of the control thread names the index */
    bool in_round;  /* and the round under way has not met a packet that does */
};

/* A receive queue on its way: no thread polls it. */
struct queue_move {
    struct poll_entry entry;
    unsigned to;
};

#define QUEUE_MOVES 16 /* at once */

struct datapath {
    /* Published by the control thread, read by poll-mode threads under RCU. */
    struct port *ports[PORT_MAX];                   /* by index */
    struct megaflow_slot *port_megaflows[PORT_MAX]; /* a megaflow that matches all packets of the port as received */
    struct poll_list *poll_lists[DATAPATH_THREADS_MAX];
    struct meter **meters; /* by index; NULL: none */
    struct ct *ct;
    struct tunnel_table *tunnels;
    const struct lookup_ops *lookup;
    bool offloads; /* there may be packets that are not finished: some port takes and brings them, or has */
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
    struct queue_move moves[QUEUE_MOVES]; /* once the token has passed */
    unsigned n_moves;
    uint64_t move_token;
    uint64_t start_token;                /* threads that are not started yet are then */
    bool unbalanced;                     /* queues may have to move */
    bool isolate;                        /* queues that ask for a core have it to themselves */
    bool isolated[DATAPATH_THREADS_MAX]; /* threads that have such queues */
    uint64_t busy_marks[DATAPATH_THREADS_MAX][2];
    uint64_t rx_marks[2];                 /* TSC of the last two calls of datapath_rx_mark(); 0: none */
    uint32_t meter_next;                  /* index to try first */
    bool *meters_leaving;                 /* by index: it was removed, and is not free yet */
    unsigned miss_turn;                   /* the thread whose ring is taken from first */
    uint64_t taken[DATAPATH_THREADS_MAX]; /* packets taken from each thread's ring, ever */
    struct leaving leaving[PORT_MAX];     /* by index */
    uint32_t n_leaving;
    struct drain drain;
    struct datapath_port_stats *port_bases; /* by index: what the threads had counted when the port was added */
    /* For datapath_watch(): the token that each thread is to report, when it reported last, whether it is late. */
    uint64_t watch_token[DATAPATH_THREADS_MAX], watch_ms[DATAPATH_THREADS_MAX];
    bool watch_late[DATAPATH_THREADS_MAX];
    struct drop_counters drops;
    struct poll_counters cleared[DATAPATH_THREADS_MAX]; /* what datapath_pmd_stats_clear() found */
};

/* --- datapath.c ---------------------------------------------------------- */

/* One more thread, on the next lcore; datapath_start() launches it. 0 or -ENOMEM. */
int datapath_add_thread(struct datapath *dp);

/* --- datapath_port.c ----------------------------------------------------- */

/* Moves indices of removed ports on to where they are free. */
bool datapath_ports_reclaim(struct datapath *dp); /* true: there is more */
/* Closes what was removed and is not closed yet. */
void datapath_ports_free(struct datapath *dp);
/* A packet that names the index of a removed port was taken from a ring and goes back to its thread: the index is not
 * free in this round. */
void datapath_port_seen(struct datapath *dp, uint32_t index);

/* Receive queues that the thread polls, or is to. */
unsigned datapath_n_queues(const struct datapath *dp, unsigned thread);
/* Takes the queue in the i-th place from one thread, to be given to another. False: there is no memory. */
bool datapath_queue_leave(struct datapath *dp, unsigned from, uint32_t i, unsigned to);
/* Gives the queues that are on their way to their threads. */
void datapath_queues_arrive(struct datapath *dp);

/* --- datapath_queues.c --------------------------------------------------- */

/* The thread that is to poll the queue: on the core that was asked for, or by the plan, or else with the fewest queues
 * among those of the port's NUMA node if there are any. */
unsigned datapath_thread_for(const struct datapath *dp, const struct port *port, uint16_t queue);
/* Begins moves of queues that are not where they should be: so many at a time that it takes a few milliseconds at
 * most, with as many ports as there may be. */
void datapath_balance(struct datapath *dp);
/* Ports, threads or what is asked for have changed. */
void datapath_queues_changed(struct datapath *dp);
/* A port was removed. */
void datapath_queues_gone(struct datapath *dp, const struct port *port);
/* Threads have changed: what datapath_rebalance() planned is void. */
void datapath_forget_plan(struct datapath *dp);

/* --- datapath_cores.c ---------------------------------------------------- */

/* Goes on with what datapath_set_cores() began. */
void datapath_cores_reclaim(struct datapath *dp);

/* --- datapath_stats.c ---------------------------------------------------- */

/* A port's counters are 0 from here on. The threads write them, so they are not cleared but subtracted. */
void datapath_port_stats_begin(struct datapath *dp, uint32_t index);

/* Counters have one writer; a reader must see whole values. */
#define COUNT(counter, add) __atomic_store_n(&(counter), (counter) + (add), __ATOMIC_RELAXED)
#define COUNTED(counter) __atomic_load_n(&(counter), __ATOMIC_RELAXED)

#endif
