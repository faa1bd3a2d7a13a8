#include "pmd/poll/poll_thread.h"

#include <errno.h>
#include <rte_ethdev.h>
#include <rte_eal.h>
#include <rte_pause.h>
#include <sched.h>
#include <sys/prctl.h>
#include <time.h>

#include "pmd/base/log.h"
#include "pmd/base/prefault.h"

/* Microseconds between two reports of quiescence: a token passes within about twice that. */
#define REPORT_US 10
/* Empty turns before a thread that may sleep does. */
#define IDLE_TURNS 256
/* How long one sleeps that has nothing to poll: it may get packets from the control thread still. */
#define SURPLUS_SLEEP_US 1000u

/* Entries of the ring for protocols: what comes while the control thread is at something else, for 10 ms at most. */
#define PROTOCOL_RING 1024

/* Turns are looked at more closely from here on: rarely, as it takes a system call. */
#define SUSPECT_US 20
#define LONG_US 50

static void report_begin(struct poll_thread *thread)
{
    uint64_t token = rcu_observe(&thread->dp->rcu);

    if (token == thread->published)
        return;
    thread->observed = token;
    thread->owed = rte_ring_count(thread->down);
}

/* At the end of a turn: nothing is in hand, tx buffers are empty. */
static void report_end(struct poll_thread *thread)
{
    if (thread->owed > 0)
        return;
    rcu_publish(&thread->dp->rcu, thread->index, thread->observed);
    thread->published = thread->observed;
    thread->observe_at = thread->now + (uint64_t)REPORT_US * thread->cycles_per_us;
}

static __rte_noinline unsigned received_aside(struct poll_thread *thread, const struct poll_entry *entry,
                                              struct rte_mbuf **packets, unsigned n)
{
    const unsigned kept = aside_received(thread, entry->port, entry->in_port, packets, n);

    if (kept > 0)
        burst_received(thread, entry->in_port, packets, kept);
    return n;
}

static unsigned poll_rxq(struct poll_thread *thread, const struct poll_entry *entry)
{
    struct rte_mbuf *packets[BURST];
    unsigned n;

    thread->sampling = thread->sample_in == 0;
    if (unlikely(thread->sampling)) {
        thread->sampled = entry;
        thread->stage_start = rte_rdtsc();
    }
    if (likely(entry->ethdev_id != UINT16_MAX))
        n = rte_eth_rx_burst(entry->ethdev_id, entry->queue, packets, BURST);
    else
        n = entry->port->ops->rx_burst(entry->port, entry->queue, packets, BURST);
    if (n == 0) {
        thread->sampling = false;
        return 0;
    }
    thread->sample_in = thread->sampling ? STAGE_SAMPLE - 1 : thread->sample_in - 1;
    stage_end(thread, PMD_STAGE_RX);
    COUNT(thread->counters.rx_packets, n);
    COUNT(thread->counters.rx_batches, 1);
    if (unlikely(__atomic_load_n(&entry->port->asides, __ATOMIC_RELAXED) != 0))
        return received_aside(thread, entry, packets, n);
    burst_received(thread, entry->in_port, packets, n);
    return n;
}

static unsigned poll_rxqs(struct poll_thread *thread)
{
    const struct poll_list *list = __atomic_load_n(&thread->dp->poll_lists[thread->index], __ATOMIC_ACQUIRE);
    unsigned n = 0;

    for (uint32_t i = 0; i < list->n; i++) {
        if (likely(__atomic_load_n(&list->entries[i].port->admin_up, __ATOMIC_RELAXED)))
            n += poll_rxq(thread, &list->entries[i]);
    }
    return n;
}

static uint64_t processor_ns(void)
{
    struct timespec time;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static void mark_time(struct poll_thread *thread)
{
    /* In this order: it is on return from the system call that the kernel likes to give the core away. */
    thread->mark_tsc = rte_rdtsc();
    thread->mark_ns = processor_ns();
    thread->mark_due = false;
}

/* A turn of so many cycles took long: what of it was the thread's own? The last mark is at most about a millisecond
 * old: the clock has moved on by more than the thread ran since only if others had the core, as good as always in this
 * turn. */
static uint64_t own_cycles(struct poll_thread *thread, uint64_t cycles)
{
    uint64_t tsc = thread->mark_tsc, ns = thread->mark_ns;

    mark_time(thread);
    uint64_t clock = thread->mark_tsc - tsc, ran = (thread->mark_ns - ns) * thread->cycles_per_us / 1000;
    uint64_t away = clock > ran ? clock - ran : 0;
    return cycles > away ? cycles - away : 0;
}

static void note_long_turn(struct poll_thread *thread, uint64_t cycles)
{
    struct poll_counters *counters = &thread->counters;
    uint64_t own = own_cycles(thread, cycles);

    if (cycles > counters->longest_turn)
        __atomic_store_n(&counters->longest_turn, cycles, __ATOMIC_RELAXED);
    if (own > counters->longest_own_turn)
        __atomic_store_n(&counters->longest_own_turn, own, __ATOMIC_RELAXED);
    if (own > (uint64_t)LONG_US * thread->cycles_per_us)
        COUNT(counters->long_turns, 1);
}

/* Does what is due once a millisecond. */
static void tick(struct poll_thread *thread)
{
    uint32_t clear = __atomic_load_n(&thread->clear_longest, __ATOMIC_RELAXED);

    thread->next_tick = thread->now + 1000ull * thread->cycles_per_us;
    thread->tick++;
    thread->ct_now = datapath_seconds();
    tuple_order_rank(&thread->order);
    miss_expire(thread);
    poll_drop_fragments(thread);
    thread->mark_due = true;
    if (unlikely(clear != thread->cleared)) {
        __atomic_store_n(&thread->counters.longest_turn, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&thread->counters.longest_own_turn, 0, __ATOMIC_RELAXED);
        thread->cleared = clear;
    }
}

/* Whether the last queue's burst was a sample says nothing of these packets: they are of all the turn's queues. */
static void send_gathered(struct poll_thread *thread)
{
    thread->sampling = thread->tx_sample_in == 0;
    if (unlikely(thread->sampling)) {
        thread->sampled = NULL;
        thread->stage_start = rte_rdtsc();
    }
    tx_flush_all(thread);
    stage_end(thread, PMD_STAGE_TX);
    thread->tx_sample_in = thread->sampling ? STAGE_SAMPLE - 1 : thread->tx_sample_in - 1;
    thread->sampling = false;
}

static void turn(struct poll_thread *thread)
{
    struct poll_counters *counters = &thread->counters;
    unsigned down = 0, received;

    if (thread->observed == thread->published && thread->now >= thread->observe_at)
        report_begin(thread);
    if (!rte_ring_empty(thread->down)) {
        down = miss_poll_down(thread);
        thread->owed -= RTE_MIN(thread->owed, down);
    }
    received = poll_rxqs(thread);
    if (thread->n_tx_dirty > 0)
        send_gathered(thread);
    if (thread->wake)
        miss_wake(thread);
    if (thread->observed != thread->published)
        report_end(thread);
    if (unlikely(thread->now >= thread->next_tick))
        tick(thread);

    uint64_t end = rte_rdtsc(), cycles = end - thread->now;
    COUNT(counters->polls, 1);
    if (down + received > 0) {
        COUNT(counters->polls_busy, 1);
        COUNT(counters->cycles_busy, cycles);
        thread->idle_turns = 0;
        thread->sleep_us = 0;
    } else {
        COUNT(counters->cycles_idle, cycles);
        thread->idle_turns++;
    }
    if (unlikely(cycles > (uint64_t)SUSPECT_US * thread->cycles_per_us)) {
        note_long_turn(thread, cycles);
    } else if (unlikely(thread->mark_due)) {
        mark_time(thread);
    } else if (unlikely(cycles > counters->longest_turn)) {
        __atomic_store_n(&counters->longest_turn, cycles, __ATOMIC_RELAXED);
        if (cycles > counters->longest_own_turn)
            __atomic_store_n(&counters->longest_own_turn, cycles, __ATOMIC_RELAXED);
    }
    thread->now = end;
}

/* Longer each time, up to the configured most. The thread holds nothing meanwhile. */
static void sleep_some(struct poll_thread *thread, uint32_t most)
{
    struct timespec time = {0};

    thread->sleep_us = RTE_MIN(most, thread->sleep_us == 0 ? 1 : 2 * thread->sleep_us);
    time.tv_sec = thread->sleep_us / 1000000;
    time.tv_nsec = (long)(thread->sleep_us % 1000000) * 1000;
    rcu_offline(&thread->dp->rcu, thread->index);
    nanosleep(&time, NULL);
    rcu_online(&thread->dp->rcu, thread->index, thread->published);

    mark_time(thread);
    COUNT(thread->counters.cycles_asleep, thread->mark_tsc - thread->now);
    thread->now = thread->mark_tsc;
}

/* By the thread itself, so that it is memory of its own NUMA node. */
static void prefault_all(const struct poll_thread *thread)
{
    prefault(&thread->memory);
    prefault(&thread->counters_memory);
    prefault(&thread->ports_memory);
    prefault(&thread->emc.memory);
    prefault(&thread->order.guess_memory);
}

/* If the control thread says later to run elsewhere it finds the thread's number, and does it itself. */
static void pin(const struct poll_thread *thread)
{
    int core = __atomic_load_n(&thread->pin, __ATOMIC_SEQ_CST);
    cpu_set_t set;

    if (core < 0)
        return;
    CPU_ZERO(&set);
    CPU_SET(core, &set);
    sched_setaffinity(0, sizeof set, &set);
}

static uint32_t longest_sleep(const struct poll_thread *thread)
{
    uint32_t most = __atomic_load_n(&thread->dp->params.max_sleep_us, __ATOMIC_RELAXED);

    return unlikely(__atomic_load_n(&thread->surplus, __ATOMIC_RELAXED)) ? RTE_MAX(most, SURPLUS_SLEEP_US) : most;
}

int poll_thread_main(void *arg)
{
    struct poll_thread *thread = arg;
    uint32_t most;

    /* The kernel rounds sleeps up by 50 us otherwise. */
    prctl(PR_SET_TIMERSLACK, 1000ul);
    __atomic_store_n(&thread->tid, rte_gettid(), __ATOMIC_SEQ_CST);
    pin(thread);
    prefault_all(thread);
    mark_time(thread);
    thread->ct_now = datapath_seconds();
    thread->now = thread->next_tick = thread->observe_at = rte_rdtsc();
    thread->published = thread->observed = RCU_FIRST_TOKEN;
    rcu_online(&thread->dp->rcu, thread->index, thread->published);
    LOG_DBG(LOG_PMD, "poll-mode thread %u runs on lcore %u, lookups by %s", thread->index, thread->lcore,
            thread->lookup->name);
    __atomic_store_n(&thread->running, 1, __ATOMIC_RELAXED);

    while (!__atomic_load_n(&thread->stop, __ATOMIC_RELAXED)) {
        turn(thread);
        if (unlikely(thread->idle_turns >= IDLE_TURNS)) {
            most = longest_sleep(thread);
            if (most > 0 && thread->observed == thread->published && rte_ring_empty(thread->down))
                sleep_some(thread, most);
            else
                rte_pause();
        }
    }
    rcu_offline(&thread->dp->rcu, thread->index);
    return 0;
}

struct poll_thread *poll_thread_create(struct datapath *dp, unsigned index, unsigned lcore)
{
    int socket = (int)rte_lcore_to_socket_id(lcore);
    struct hugemem memory = hugemem_alloc(sizeof(struct poll_thread), socket);
    struct poll_thread *thread = memory.ptr;
    uint32_t ring = dp->params.miss_ring, limit = dp->params.megaflow_limit;
    char name[RTE_RING_NAMESIZE];

    if (!thread)
        return NULL;
    thread->memory = memory;
    thread->dp = dp;
    thread->index = index;
    thread->lcore = lcore;
    thread->core = (int)lcore;
    thread->pin = -1;
    thread->socket = socket;
    thread->lookup = dp->lookup;
    thread->slots = dp->megaflows.slots;
    thread->cycles_per_us = (uint32_t)RTE_MAX(1u, rte_get_tsc_hz() / 1000000);
    poll_sink_init(thread);

    /* Half of `up` for misses, of which at most `ring` are away at once, half for punts. `down` has room for all misses
     * and as many packets of the control thread's own. */
    thread->punt_room = ring;
    snprintf(name, sizeof name, "sluice_up_%u", index);
    thread->up = rte_ring_create(name, 2 * ring, socket, RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);
    snprintf(name, sizeof name, "sluice_protocols_%u", index);
    thread->protocols = rte_ring_create(name, PROTOCOL_RING, socket, RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);
    snprintf(name, sizeof name, "sluice_down_%u", index);
    thread->down = rte_ring_create(name, 2 * ring, socket, RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);
    thread->counters_memory =
        hugemem_alloc((size_t)limit * (sizeof *thread->megaflow_counters + sizeof *thread->megaflow_rare), socket);
    thread->megaflow_counters = thread->counters_memory.ptr;
    thread->megaflow_rare = (void *)(thread->megaflow_counters + limit);
    thread->ports_memory = hugemem_alloc(PORT_MAX * (sizeof *thread->port_counters + sizeof *thread->tx), socket);
    thread->port_counters = thread->ports_memory.ptr;
    thread->tx = (void *)(thread->port_counters + PORT_MAX);
    if (!thread->up || !thread->protocols || !thread->down || !thread->megaflow_counters || !thread->ports_memory.ptr ||
        emc_init(&thread->emc, dp->params.emc_entries, socket) != 0 ||
        tuple_order_init(&thread->order, dp->params.mask_limit, limit, socket) != 0 ||
        pending_init(&thread->pending, RTE_MIN(ring, (uint32_t)PENDING_FLOWS_MAX)) != 0) {
        poll_thread_destroy(thread);
        return NULL;
    }
    return thread;
}

static void ring_drain_free(struct rte_ring *ring)
{
    struct rte_mbuf *packet;

    while (ring && rte_ring_sc_dequeue(ring, (void **)&packet) == 0)
        rte_pktmbuf_free(packet);
    rte_ring_free(ring);
}

void poll_thread_destroy(struct poll_thread *thread)
{
    struct hugemem memory = thread->memory;

    if (thread->pending.flows)
        miss_drop_all(thread);
    ring_drain_free(thread->up);
    ring_drain_free(thread->protocols);
    ring_drain_free(thread->down);
    emc_fini(&thread->emc);
    tuple_order_fini(&thread->order);
    pending_fini(&thread->pending);
    hugemem_free(&thread->counters_memory);
    hugemem_free(&thread->ports_memory);
    hugemem_free(&memory);
}
