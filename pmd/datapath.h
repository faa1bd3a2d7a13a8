/* The datapath: poll-mode threads, ports, caches and rings, as the control thread sees them.
 *
 * One datapath a process. Every function is for the control thread unless it says otherwise; it is the only writer of
 * all shared structures, poll-mode threads read them under RCU (pmd/rcu.h).
 */
#ifndef PMD_DATAPATH_H
#define PMD_DATAPATH_H

#include <rte_mbuf.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>

#include "pmd/ct.h"
#include "pmd/drop.h"
#include "pmd/key.h"
#include "pmd/meter.h"
#include "pmd/metadata.h"
#include "pmd/policer.h"
#include "pmd/port_queues.h"
#include "pmd/port.h"
#include "pmd/program.h"

#define DATAPATH_THREADS_MAX 64

struct datapath;

struct datapath_params {
    unsigned n_threads;       /* that run from the start on */
    unsigned max_threads;     /* that datapath_set_cores() may make of it; 0: as many */
    const unsigned *lcores;   /* lcore ids to launch on, one each, for max_threads */
    uint32_t emc_entries;     /* per thread; rounded up to a power of two; 0 = no exact-match cache */
    uint32_t megaflow_limit;  /* most megaflows at once */
    uint32_t mask_limit;      /* most tuples at once (hard) */
    uint32_t max_connections; /* most tracked connections */
    uint32_t miss_ring;       /* entries of each thread's ring, power of two */
    uint32_t max_sleep_us;    /* longest sleep of an idle thread; 0 = never */
    struct rte_mempool *pool; /* for copies of packets */
};

/* Returns NULL with a sentence in `error`. Threads run from datapath_start() on. */
struct datapath *datapath_create(const struct datapath_params *params, char *error, size_t error_size);
int datapath_start(struct datapath *dp);
/* Stops the threads (joins them), frees everything but the ports. NULL is allowed. */
void datapath_destroy(struct datapath *dp);
/* Those that there are; one that has no core any more stays, without receive queues. */
unsigned datapath_n_threads(const struct datapath *dp);
unsigned datapath_max_threads(const struct datapath *dp);                /* that there may be */
void datapath_set_max_sleep(struct datapath *dp, uint32_t max_sleep_us); /* as in struct datapath_params */

/* --- cores --------------------------------------------------------------- */

/* From now on there is one poll-mode thread on each of these cores. Threads whose core is among them stay; others move
 * to a core that has none, new ones are made where there are too few, and those that are left over get no packets any
 * more and sleep on the cores `idle`. Receive queues follow while all threads go on: a queue is polled by one thread at
 * a time, and what it receives in between waits with its device. datapath_reclaim() does it, step by step. Returns 0,
 * or -1 with a sentence in `error`: then nothing was changed. */
int datapath_set_cores(struct datapath *dp, const int *cores, unsigned n, const cpu_set_t *idle, char *error,
                       size_t error_size);
/* That is not done yet: datapath_reclaim() has to be called every few milliseconds. */
bool datapath_is_moving(const struct datapath *dp);
/* --- receive queues ------------------------------------------------------ */

/* Asks for a poll-mode thread by its core for each receive queue: -1, or a core that has none, is any thread. For a
 * port that was added. Queues move as for datapath_set_cores(). */
void datapath_port_cores(struct datapath *dp, struct port *port, const int *cores, unsigned n);
/* Whether a poll-mode thread has that core. */
bool datapath_polls_on(const struct datapath *dp, int core);
/* Whether threads that were asked for get no other queues (the default), as long as there are other threads. */
void datapath_isolate(struct datapath *dp, bool isolate);
/* Spreads all queues that ask for no core by the cycles that they took, heaviest first, from now on until threads
 * change; new queues go where there are fewest. False: there is no memory. */
bool datapath_rebalance(struct datapath *dp);
bool datapath_thread_isolated(const struct datapath *dp, unsigned thread);
/* To be called at regular times: loads are of the time since the call before the last one. */
void datapath_rx_mark(struct datapath *dp);
/* The share of a thread's time, 0 to 1, that what came by the queue took; negative: not known yet. */
double datapath_rx_share(const struct datapath *dp, const struct port *port, uint16_t queue);
/* The same of all that the thread does besides waiting. */
double datapath_busy_share(const struct datapath *dp, unsigned thread);

/* Whether the kernel's thread of that number is a poll-mode thread. */
bool datapath_is_thread(const struct datapath *dp, pid_t tid);

/* --- RCU ----------------------------------------------------------------- */

/* A point in time: once datapath_passed(dp, token) is true, every poll-mode thread has since been at a point where it
 * held no pointer to shared structures, had sent everything it had decided on before, and had run every packet that was
 * returned to it before the token was taken. What a barrier waits for. Never blocks. */
uint64_t datapath_token(struct datapath *dp);
bool datapath_passed(struct datapath *dp, uint64_t token);
/* True if waiting for a new token would tell nothing: nothing was replaced, removed, returned or injected since the
 * last token that has passed, so no thread holds anything that was decided before the latest change. */
bool datapath_settled(struct datapath *dp);
/* Tells the datapath of a change that it cannot see: the next datapath_settled() waits for a token. */
void datapath_touch(struct datapath *dp);
/* Takes a token and waits until it has passed: blocks, so for start, shutdown and tests only. */
void datapath_synchronize(struct datapath *dp);
/* Calls fn(ptr) from datapath_reclaim() once no poll-mode thread can see `ptr` any more. */
void datapath_defer(struct datapath *dp, void (*fn)(void *), void *ptr);
/* Whether the poll-mode threads come round: returns how many have not reported a quiescent state for DATAPATH_LATE_MS
 * though they were asked to, and logs when one begins and ceases to be so. Call it about twice a second. */
#define DATAPATH_LATE_MS 2000
unsigned datapath_watch(struct datapath *dp, uint64_t now_ms);
/* Frees what no poll-mode thread can see any more, a bounded part at a time. Call it once a turn of the event loop,
 * when every miss that was dequeued has been returned. True: there is more. */
bool datapath_reclaim(struct datapath *dp);

/* --- ports --------------------------------------------------------------- */

/* Adds a started port: gives it an index (the lowest free one, from 1; stored in port->index) and spreads its receive
 * queues over the threads (those of its NUMA node first, then the least loaded). Its counters start at 0. Returns 0,
 * -ENOSPC (there are PORT_MAX - 1 ports) or -EAGAIN (no index is free yet, but those of removed ports will be). On an
 * error nothing was changed. */
int datapath_port_add(struct datapath *dp, struct port *port);
/* Takes the port out of the datapath and calls port_destroy() after a grace period (datapath_reclaim): from then
 * on, and when port_is_closing() says so too, its device and name may be used again. Its index stays taken until
 * datapath_port_forget(), because megaflows and packets name it. Misses of the port that are under way are dropped
 * (DROP_BRIDGE_UNKNOWN). Ports are closed one a call of datapath_reclaim(), as the kernel may take long for it. */
void datapath_port_remove(struct datapath *dp, struct port *port);
/* Whether port_destroy() was called for a port that was removed and had this index. */
bool datapath_port_closed(const struct datapath *dp, uint32_t index);
/* To be called once for each removed port, when the caller has nothing left that names the index: no megaflow matches
 * it, no program sends to it, no packet is kept to be injected with it. The index is given out again when packets under
 * way in the threads and rings do not name it either (datapath_reclaim). */
void datapath_port_forget(struct datapath *dp, uint32_t index);
struct port *datapath_port(const struct datapath *dp, uint32_t index); /* NULL if there is none */
/* Removed ports whose index is not free yet. While there are some, datapath_reclaim() has to be called every few
 * milliseconds. */
uint32_t datapath_n_ports_leaving(const struct datapath *dp);

/* Has the port drop what comes in, or goes out, above these rates (DROP_RX_POLICED, DROP_TX_POLICED); without any, what
 * it had ends. Buckets are full at first. Returns 0, or -ENOMEM (nothing changed). */
int datapath_port_police(struct datapath *dp, struct port *port, enum port_way way,
                         const struct policer_config *config);

/* Has the port count, and limit, what goes out by its queues; n 0: it has none any more. See pmd/port_queues.h. Returns
 * 0, or -ENOMEM (nothing changed). */
int datapath_port_set_queues(struct datapath *dp, struct port *port, const struct port_queue_config *configs,
                             unsigned n);

/* Per-port counters of the datapath (what the device cannot know), since the port was added. Summed over the threads.
 */
struct datapath_port_stats {
    uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes;
    uint64_t tx_dropped;            /* all reasons */
    uint64_t drops[DROP_N_REASONS]; /* by reason; in-port for reasons on the way in, out-port for DROP_TX_* */
};
void datapath_port_stats(const struct datapath *dp, uint32_t index, struct datapath_port_stats *stats);

/* --- megaflows ----------------------------------------------------------- */

/* Key and mask in whole lines, and the program. An installed megaflow never changes but for its program. Megaflows may
 * overlap; then they must agree. */
struct megaflow;

uint32_t megaflow_id(const struct megaflow *mf); /* dense: 0 .. megaflow_limit - 1; reused after a grace period */
const struct flow_key *megaflow_key(const struct megaflow *mf, struct flow_key *copy); /* masked; FLOW_KEY_LINES */
const struct flow_key *megaflow_mask(const struct megaflow *mf);                       /* FLOW_KEY_LINES, shared */
const struct program *megaflow_program(const struct megaflow *mf);

/* Installs; takes over one reference to `program` on success. `key` need not be masked. Returns NULL and *error =
 * -EEXIST (same mask, same masked key), -ENOSPC (megaflow_limit), -EMLINK (mask_limit: a new tuple would be needed),
 * -ENOMEM. */
struct megaflow *datapath_megaflow_install(struct datapath *dp, const struct flow_key *key, const struct flow_key *mask,
                                           struct program *program, int *error);
/* Replaces the program (takes over the reference); returns the old one, which a thread may still be running: unref and
 * defer its free. */
struct program *datapath_megaflow_set_program(struct datapath *dp, struct megaflow *mf, struct program *program);
/* Removes; the program's reference goes back to the caller (as above). The id is reused after a grace period. Read its
 * statistics before or after with datapath_megaflow_stats until datapath_passed(token taken after the removal). */
struct program *datapath_megaflow_remove(struct datapath *dp, struct megaflow *mf);
/* Which megaflow a packet with this key would hit (any one); NULL if it would miss. */
struct megaflow *datapath_megaflow_lookup(const struct datapath *dp, const struct flow_key *key);
uint32_t datapath_n_megaflows(const struct datapath *dp);
uint32_t datapath_n_masks(const struct datapath *dp);
/* The i-th tuple's mask and number of megaflows, i < datapath_n_masks(). */
const struct flow_key *datapath_mask(const struct datapath *dp, uint32_t i, uint32_t *n_megaflows);

/* Totals since install, over all threads. */
struct megaflow_stats {
    uint64_t packets, bytes;
    uint64_t used_ms; /* clock_now_ms() of the call that found the last packets; 0 = none came */
};
/* Brings `stats`, all 0 at install, up to date. True: there were packets since. To be called at least once for 2^32
 * packets. Control thread. */
bool datapath_megaflow_stats(const struct datapath *dp, const struct megaflow *mf, struct megaflow_stats *stats);

/* --- meters -------------------------------------------------------------- */

#define DATAPATH_METERS_MAX 65536

/* *index is what OP_METER names. Returns 0, -ENOSPC (all are in use, or removed and not forgotten yet) or -ENOMEM. */
int datapath_meter_add(struct datapath *dp, const struct meter_config *config, uint32_t *index);
/* Replaces the meter's configuration; measuring and counters start anew. Returns 0, or -ENOMEM (nothing changed). */
int datapath_meter_set(struct datapath *dp, uint32_t index, const struct meter_config *config);
/* Programs that still name the meter let every packet pass. Its index stays taken until datapath_meter_forget(). */
void datapath_meter_remove(struct datapath *dp, uint32_t index);
/* To be called once for each removed meter, when no program that names the index can run any more. */
void datapath_meter_forget(struct datapath *dp, uint32_t index);
void datapath_meter_counts(const struct datapath *dp, uint32_t index, struct meter_counts *counts);

/* --- connection tracking ------------------------------------------------- */

/* The tracker. datapath_reclaim() does its work: while datapath_ct_busy(), call that every tenth of a second. */
struct ct *datapath_ct(const struct datapath *dp);
bool datapath_ct_busy(const struct datapath *dp);
/* The time of ct_next() and others that want one. Any thread. */
uint32_t datapath_seconds(void);

/* --- misses, punts and packets from the control thread ------------------- */

/* Takes up to `n` packets (misses and punts, packet_meta(m) says which) in turn from all threads' rings. Misses of
 * ports that were removed are not among them: they are sent back to be dropped. 0: the rings are empty. */
unsigned datapath_miss_dequeue(struct datapath *dp, struct rte_mbuf **packets, unsigned n);
/* Takes up to `n` packets for protocols that the switch speaks itself (PUNT_ID_PROTOCOL), which no flood of misses and
 * other punts delays. 0: there are none. */
unsigned datapath_protocol_dequeue(struct datapath *dp, struct rte_mbuf **packets, unsigned n);
/* Hands a miss back: the thread that missed runs meta->program on it (NULL: drops it under meta->drop_reason), then
 * looks up the packets of the flow that it parked meanwhile. Holds a reference-free pointer: the caller keeps the
 * program alive until a token taken after this call has passed. If the ring back is full the packet is dropped
 * (DROP_CONTROL_BACKLOG) but its slot is freed. */
void datapath_miss_return(struct datapath *dp, struct rte_mbuf *packet);
/* A packet that the control thread made (packet-out, NORMAL flood, probe): thread 0 runs `program` on it; in_port only
 * for accounting. Same lifetime rule. */
void datapath_inject(struct datapath *dp, struct rte_mbuf *packet, uint32_t in_port, const struct program *program);
/* As datapath_inject(), for a packet of a protocol that the switch speaks itself: an eighth of the ring is kept for
 * these. */
void datapath_inject_protocol(struct datapath *dp, struct rte_mbuf *packet, const struct program *program);
/* A descriptor that is readable once a thread put a packet in one of its rings after datapath_miss_arm(). The loop:
 * dequeue until empty, arm, dequeue once more, then sleep on the descriptor. */
int datapath_miss_fd(const struct datapath *dp);
void datapath_miss_arm(struct datapath *dp);
void datapath_miss_ack(struct datapath *dp); /* drains the descriptor */

/* --- what the threads did ------------------------------------------------ */

enum pmd_stage {
    PMD_STAGE_RX,
    PMD_STAGE_PARSE,
    PMD_STAGE_EMC,
    PMD_STAGE_TSS,
    PMD_STAGE_ACTIONS,
    PMD_STAGE_TX,
    PMD_STAGE_IDLE,
    PMD_N_STAGES
};

struct pmd_stats {
    unsigned core;
    bool surplus; /* it has no core of its own: see datapath_set_cores() */
    int numa_node;
    uint64_t cycles_busy, cycles_idle, cycles_asleep; /* TSC cycles */
    uint64_t stage_cycles[PMD_N_STAGES];
    uint64_t polls, polls_busy;
    uint64_t rx_packets, rx_batches;                             /* batches: non-empty bursts */
    uint64_t port_program_hits, emc_hits, tss_hits, tss_lookups; /* lookups: tuples probed for all hits and misses */
    uint64_t misses, parked;
    uint64_t tx_packets, tx_batches;
    uint64_t groups;           /* programs run; rx_packets / groups = packets a run */
    uint64_t longest_turn;     /* TSC cycles of the longest turn of the loop since the last clear */
    uint64_t longest_own_turn; /* the same without what the kernel or the host gave to others meanwhile */
    uint64_t long_turns;       /* turns of more than 50 us by that measure */
    uint64_t preempted; /* times the kernel gave the core to something else: what it took counts as cycles here */
    uint32_t emc_capacity, emc_used;
    uint32_t n_rxqs;
};
void datapath_pmd_stats(const struct datapath *dp, unsigned thread, struct pmd_stats *stats);
void datapath_pmd_stats_clear(struct datapath *dp);
/* Receive queues of a thread, as (port index, queue). Returns how many were written. */
unsigned datapath_pmd_rxqs(const struct datapath *dp, unsigned thread, uint32_t *ports, uint16_t *queues, unsigned n);

/* Sum over all threads, the control thread's own included. */
void datapath_drops(const struct datapath *dp, struct drop_counters *sum);
/* Counts a drop by the control thread. */
void datapath_count_drop(struct datapath *dp, enum drop_reason reason, uint64_t packets);

#endif
