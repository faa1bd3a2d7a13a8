/* A poll-mode thread: its state and the steps of its loop.
 *
 *   poll_thread.c  the loop: turns, quiescence, sleep, the millisecond tick
 *   poll_burst.c   a burst: parse, look up, group by megaflow, run programs
 *   poll_pop.c     a burst that comes out of a tunnel
 *   poll_lookup.c  the caches and the classifier, in order
 *   poll_miss.c    packets to and from the control thread, unresolved flows
 *   poll_tx.c      buffers per output port, sending
 *   poll_aside.c   captures and policers of ports that have some
 *
 * The thread alone writes it, with these exceptions: the control thread fills and empties its ends of the rings, sets
 * `stop` and what clears the statistics, and zeroes a megaflow's counters before its id is given out again.
 */
#ifndef PMD_POLL_POLL_THREAD_H
#define PMD_POLL_POLL_THREAD_H

#include <rte_cycles.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#include "pmd/action/execute.h"
#include "pmd/cache/emc.h"
#include "pmd/cache/tuple_order.h"
#include "pmd/poll/datapath_impl.h"
#include "pmd/poll/pending.h"
#include "pmd/tunnel/pop.h"

#define BURST 64
#define RECIRC_DEPTH_MAX 8
#define RECIRC_MOST 1024 /* packets at a time: of datagrams in fragments, many more than came with the burst */
#define GROUP_PLACES 256
#define EXPECTED_BITS 12

/* Stage times are taken in one non-empty burst of so many, and multiplied. */
#define STAGE_SAMPLE 16

/* The packets of a burst that one megaflow matched. */
struct burst_group {
    struct megaflow_slot *slot;
    uint32_t n;
    uint32_t bytes;
    uint32_t longest; /* bytes of the longest packet */
    bool young;       /* see megaflow_young() */
    struct rte_mbuf *packets[BURST];
};

struct tx_buffer {
    uint32_t n;
    uint32_t longest; /* bytes of the longest packet */
    bool listed;      /* in tx_dirty */
    struct rte_mbuf *packets[BURST];
};

struct port_counters {
    uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes;
    uint64_t drops[DROP_N_REASONS];
} __rte_cache_aligned;

/* Punts of a port in the tick `tick`. */
struct punt_window {
    uint32_t tick;
    uint32_t n;
};

struct poll_thread {
    /* Set at start. */
    struct datapath *dp;
    unsigned index, lcore;
    int core; /* the control thread's: where it runs */
    int socket;
    const struct lookup_ops *lookup;
    struct megaflow_slot *slots;
    struct megaflow_counters *megaflow_counters;
    struct megaflow_rare *megaflow_rare;
    struct port_counters *port_counters;
    struct tx_buffer *tx;
    struct rte_ring *up, *down;
    struct rte_ring *protocols; /* to the control thread: punts with PUNT_ID_PROTOCOL */
    uint32_t punt_room;         /* entries of `up` that punts may use */
    uint32_t cycles_per_us;
    struct action_sink sink;

    /* Time. */
    uint64_t now; /* TSC at the start of this turn */
    /* The thread's processor time at that TSC: the difference between the two is what others got of the core. */
    uint64_t mark_tsc, mark_ns;
    bool mark_due; /* not before it is known whether this turn was long: that is measured from the last mark */
    uint64_t next_tick;
    uint32_t tick;
    uint32_t ct_now; /* seconds, for connection tracking: of the last tick */

    /* Quiescence. */
    uint64_t published; /* the last token published */
    uint64_t observed;  /* != published: a report is under way */
    uint64_t observe_at;
    uint32_t owed; /* packets in `down` when it was observed, still to be run */

    /* The burst in hand. */
    bool sampling;
    uint32_t sample_in;    /* non-empty bursts until the next sample */
    uint32_t tx_sample_in; /* turns with something to send at their end until the next sample */
    uint64_t stage_start;
    const struct poll_entry *sampled; /* whose packets they are; NULL: of several queues */
    uint32_t n_groups;
    uint8_t group_places[GROUP_PLACES]; /* by the low bits of a megaflow's id: its place in groups[], to be verified */
    struct megaflow_slot *dominant[IN_PORT_PLACES]; /* took at least half of the port's burst before; or NULL */
    /* What packets took that came again, by where they were on their way: a guess for the next ones. */
    struct megaflow_slot *expected[1u << EXPECTED_BITS];
    struct metadata context; /* of the packets in hand, before a program runs on them */
    bool keys_held;          /* keys[] and n_lines[] are still needed while a program runs */
    uint8_t n_lines[BURST];
    uint32_t hashes[BURST];
    struct megaflow_slot *found[BURST];
    struct flow_key keys[BURST] __rte_cache_aligned;
    struct burst_group groups[BURST] __rte_cache_aligned;
    struct ct_meta tracked[BURST] __rte_cache_aligned; /* what was found out about packets, before they have it */

    /* Packets that recirculate, and ports with something in their buffer. */
    uint32_t n_recirc;
    uint32_t n_parsed; /* of them, from the first on, have their bytes' part of keys[] and n_lines[] still there */
    struct rte_mbuf *recirc[RECIRC_MOST];
    uint32_t n_popped;        /* and those that came out of tunnels */
    uint32_t n_popped_parsed; /* as n_parsed */
    struct rte_mbuf *popped[BURST];
    struct tunnel_cache tunnel_cache;
    uint32_t n_tx_dirty;
    uint32_t tx_dirty[PORT_MAX];

    bool wake; /* something was put in `up` this turn */
    uint32_t idle_turns;
    uint32_t sleep_us;

    struct emc emc;
    struct tuple_order order;
    struct pending pending;
    struct punt_window punts[IN_PORT_PLACES], protocol_punts[IN_PORT_PLACES];

    struct poll_counters counters __rte_cache_aligned;
    struct drop_counters drops;

    /* Written by the control thread. */
    uint32_t stop __rte_cache_aligned;
    uint32_t surplus;          /* it has nothing to poll, and no core of its own */
    int pin;                   /* the core to run on; -1: as it was launched */
    uint32_t clear_longest;    /* counts requests to forget the longest turn */
    uint64_t preempted_before; /* what preemptions() said at the last clear */

    /* The thread's again, seldom written. */
    uint32_t cleared; /* its answer to clear_longest */
    pid_t tid;        /* 0: not running yet; the control thread reads it */
    uint32_t running; /* it polls */
    struct hugemem memory, counters_memory, ports_memory;
};

/* Control thread, before the start and after the end. NULL: out of memory. */
struct poll_thread *poll_thread_create(struct datapath *dp, unsigned index, unsigned lcore);
void poll_thread_destroy(struct poll_thread *thread);

/* Runs until thread->stop; for rte_eal_remote_launch. */
int poll_thread_main(void *thread);

/* --- poll_burst.c: each takes the packets over --------------------------- */

/* Packets as received from a port. */
void burst_received(struct poll_thread *thread, uint32_t in_port, struct rte_mbuf **packets, unsigned n);
/* Packets whose struct packet_meta says where they stand: recirculated, or parked until now. n <= BURST. */
void burst_again(struct poll_thread *thread, struct rte_mbuf **packets, unsigned n);
/* Runs `program` on a packet that has its struct packet_meta. */
void burst_run_one(struct poll_thread *thread, const struct program *program, struct rte_mbuf *packet);
void poll_sink_init(struct poll_thread *thread);
/* Drops the fragments whose datagrams will not be complete. */
void poll_drop_fragments(struct poll_thread *thread);

/* --- poll_lookup.c ------------------------------------------------------- */

/* For the keys in hand. They return the packets that were found, with thread->found[] filled in. */

/* Packets that `slot`, the port's dominant megaflow, matches: one compare each, no hash. found[] is left alone if those
 * are all of the `n`. */
uint64_t lookup_dominant(struct poll_thread *thread, struct megaflow_slot *slot, unsigned n);
/* Packets that come again, each compared with the megaflow that the last one with its recirculation id, port and
 * ct_state took: no hash. *whole: what took all of the `n`, found[] left alone then; or NULL. */
uint64_t lookup_expected(struct poll_thread *thread, unsigned n, struct megaflow_slot **whole);
/* The same where of the keys only the first line is complete: the megaflow that took all of the `n`, if that is all it
 * looks at. NULL: complete them. */
struct megaflow_slot *lookup_expected_line(struct poll_thread *thread, unsigned n);
/* For packets that came out of one tunnel, behind headers like `recent`, and whose keys have what they say themselves:
 * whether `slot` matches all of them. `one_line`: all keys have one line. Completes the keys that it has to. */
bool lookup_popped(struct poll_thread *thread, const struct megaflow_slot *slot, const struct tunnel_recent *recent,
                   struct rte_mbuf *const *packets, unsigned n, bool one_line);
/* Has the next packets compared with what those in `found` were found by otherwise. */
void lookup_expect(struct poll_thread *thread, uint64_t found);
/* Sets out a lookup of those in `todo`: what it will need first is on its way. */
void lookup_begin(struct poll_thread *thread, uint64_t todo);
/* The lookup, in the exact-match cache and the tuples. */
uint64_t lookup_caches(struct poll_thread *thread, uint64_t todo);

/* --- poll_miss.c --------------------------------------------------------- */

/* The packet matched nothing: to the control thread with it, or behind the first of its flow. Its metadata is in
 * thread->context. */
void miss_packet(struct poll_thread *thread, const struct flow_key *key, unsigned n_lines, struct rte_mbuf *packet);
/* If the packet's flow is unresolved, parks it there and returns true. */
bool miss_park_behind(struct poll_thread *thread, const struct flow_key *key, unsigned n_lines,
                      struct rte_mbuf *packet);
/* To the control thread with a packet that a program punts, by the ring that its id says. */
void miss_punt(struct poll_thread *thread, uint32_t punt_id, struct rte_mbuf *packet, uint16_t full_len);
/* Runs packets that came back, and those parked behind them, until about two bursts are done. Returns how many came
 * back. */
unsigned miss_poll_down(struct poll_thread *thread);
/* Drops what is parked behind flows whose packet did not come back. */
void miss_expire(struct poll_thread *thread);
/* Wakes the control thread if it sleeps. */
void miss_wake(struct poll_thread *thread);
void miss_drop_all(struct poll_thread *thread);

/* --- poll_tx.c ----------------------------------------------------------- */

/* Sends packets (at most BURST) to a port, now or by the end of the turn. `longest` is the length of the longest.
 * Whether the port exists, is up and takes that length is looked at once a batch, when it is sent. */
void tx_packets(struct poll_thread *thread, uint32_t port, struct rte_mbuf **packets, unsigned n, uint32_t longest);
static inline void tx_packet(struct poll_thread *thread, uint32_t port, struct rte_mbuf *packet)
{
    struct tx_buffer *buffer = &thread->tx[port % PORT_MAX];

    if (unlikely(port >= PORT_MAX || buffer->n == 0 || buffer->n == BURST)) {
        tx_packets(thread, port, &packet, 1, packet->pkt_len);
        return;
    }
    buffer->packets[buffer->n++] = packet;
    buffer->longest = RTE_MAX(buffer->longest, packet->pkt_len);
}
void tx_flush_all(struct poll_thread *thread);

/* Frees packets and counts them under `reason`, for the thread and for `port`. */
void poll_drop(struct poll_thread *thread, enum drop_reason reason, uint32_t port, struct rte_mbuf **packets,
               unsigned n);

/* --- poll_aside.c: for ports with struct port.asides ----------------------*/

/* Packets that were received. Returns how many go on, from the first; the others were dropped, n <= BURST. */
unsigned aside_received(struct poll_thread *thread, struct port *port, uint32_t in_port, struct rte_mbuf **packets,
                        unsigned n);
/* The same for packets that are handed to the port with this index. */
unsigned aside_sending(struct poll_thread *thread, struct port *port, uint32_t index, struct rte_mbuf **packets,
                       unsigned n);

/* Adds the cycles since the last stage ended to `stage`. */
static inline void stage_end(struct poll_thread *thread, enum pmd_stage stage)
{
    if (__builtin_expect(thread->sampling, 0)) {
        uint64_t now = rte_rdtsc();

        COUNT(thread->counters.stage_cycles[stage], (now - thread->stage_start) * STAGE_SAMPLE);
        if (thread->sampled)
            COUNT(thread->sampled->port->rx[thread->sampled->queue].cycles, (now - thread->stage_start) * STAGE_SAMPLE);
        thread->stage_start = now;
    }
}

#endif
