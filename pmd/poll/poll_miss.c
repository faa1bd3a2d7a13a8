/* Packets between a poll-mode thread and the control thread: misses and punts go into the ring `up`, punts for the
 * switch's own protocols into the ring `protocols`, resolved packets come back by the ring `down`. Packets of a flow
 * that is being resolved are parked meanwhile. Poll-mode threads. */
#include <unistd.h>

#include "pmd/poll/poll_thread.h"

/* A flow whose packet has not come back after this is given up: the control thread lost it. */
#define STALE_MS 2000
/* Given up at most so many a tick: one turn stays short. */
#define STALE_PER_TICK 32
/* Packets taken from the ring at a time, and packets run a turn, by the last of which PENDING_PARK_MAX more may be
 * parked: the turn is to stay short. */
#define DOWN_BURST 8
#define DOWN_TURN BURST
/* Packets for protocols that a port may bring in a tick, which is a millisecond. A session needs less than one; a port
 * that is flooded with them takes a share of the ring, and of the control thread's time, and no more. */
#define PROTOCOL_PORT_QUOTA 32

/* Fills in all but the metadata, and what only some packets have. */
static struct packet_meta *meta_fill(struct poll_thread *thread, struct rte_mbuf *packet, enum packet_origin origin,
                                     uint32_t hash)
{
    struct packet_meta *meta = packet_meta(packet);

    meta->hash = hash;
    meta->thread = (uint16_t)thread->index;
    meta->pending = PACKET_NOT_PENDING;
    meta->origin = (uint8_t)origin;
    meta->rx_tsc = thread->now;
    meta->program = NULL;
    meta->drop_reason = DROP_XLATE_ERROR;
    return meta;
}

static void park(struct poll_thread *thread, uint16_t slot, struct rte_mbuf *packet)
{
    if (pending_park(&thread->pending, slot, packet))
        COUNT(thread->counters.parked, 1);
    else
        poll_drop(thread, DROP_MISS_PENDING_FULL, thread->context.in_port, &packet, 1);
}

bool miss_park_behind(struct poll_thread *thread, const struct flow_key *key, unsigned n_lines, struct rte_mbuf *packet)
{
    uint32_t hash = flow_key_hash(key, n_lines);
    uint16_t slot = pending_find(&thread->pending, hash, key->in_port);

    if (slot == PENDING_NONE || !pending_park(&thread->pending, slot, packet))
        return false;
    meta_fill(thread, packet, PACKET_MISS, hash)->md = thread->context;
    COUNT(thread->counters.parked, 1);
    return true;
}

void miss_packet(struct poll_thread *thread, const struct flow_key *key, unsigned n_lines, struct rte_mbuf *packet)
{
    uint32_t hash = flow_key_hash(key, n_lines), in_port = key->in_port;
    uint16_t slot = pending_find(&thread->pending, hash, in_port);

    COUNT(thread->counters.misses, 1);
    meta_fill(thread, packet, PACKET_MISS, hash)->md = thread->context;
    if (slot != PENDING_NONE) {
        park(thread, slot, packet);
        return;
    }
    int added = pending_add(&thread->pending, hash, in_port, packet, thread->now);
    if (added < 0) {
        poll_drop(thread, added == -EDQUOT ? DROP_MISS_PORT_QUOTA : DROP_MISS_RING_FULL, in_port, &packet, 1);
        return;
    }
    packet_meta(packet)->pending = (uint16_t)added;
    if (rte_ring_sp_enqueue(thread->up, packet) != 0) {
        struct rte_mbuf *none[PENDING_PARK_MAX];

        pending_release(&thread->pending, (uint16_t)added, none);
        poll_drop(thread, DROP_MISS_RING_FULL, in_port, &packet, 1);
        return;
    }
    thread->wake = true;
}

/* The port's window, for the tick of now. */
static struct punt_window *window_of(const struct poll_thread *thread, struct punt_window *windows, uint32_t in_port)
{
    struct punt_window *window = &windows[in_port_place(in_port)];

    if (window->tick != thread->tick)
        *window = (struct punt_window){.tick = thread->tick};
    return window;
}

/* Its metadata is there: the program uses it. False: the ring is full. */
static bool punt_by(struct poll_thread *thread, struct rte_ring *ring, uint32_t punt_id, struct rte_mbuf *packet,
                    uint16_t full_len)
{
    struct packet_meta *meta = meta_fill(thread, packet, PACKET_PUNT, 0);

    meta->punt_id = punt_id;
    meta->full_len = full_len;
    if (rte_ring_sp_enqueue(ring, packet) != 0)
        return false;
    thread->wake = true;
    return true;
}

static void punt_to_protocol(struct poll_thread *thread, uint32_t punt_id, struct rte_mbuf *packet, uint16_t full_len)
{
    uint32_t in_port = thread->context.in_port;
    struct punt_window *window = window_of(thread, thread->protocol_punts, in_port);

    if (window->n >= PROTOCOL_PORT_QUOTA || !punt_by(thread, thread->protocols, punt_id, packet, full_len))
        poll_drop(thread, DROP_PROTOCOL_LIMIT, in_port, &packet, 1);
    else
        window->n++;
}

void miss_punt(struct poll_thread *thread, uint32_t punt_id, struct rte_mbuf *packet, uint16_t full_len)
{
    uint32_t in_port = thread->context.in_port;
    uint32_t used = rte_ring_count(thread->up);
    uint32_t room = used < thread->punt_room ? thread->punt_room - used : 0;
    struct punt_window *window;

    if (unlikely(punt_id & PUNT_ID_PROTOCOL)) {
        punt_to_protocol(thread, punt_id, packet, full_len);
        return;
    }
    window = window_of(thread, thread->punts, in_port);
    if (room > 0 && window->n >= room)
        poll_drop(thread, DROP_MISS_PORT_QUOTA, in_port, &packet, 1);
    else if (room == 0 || !punt_by(thread, thread->up, punt_id, packet, full_len))
        poll_drop(thread, DROP_MISS_RING_FULL, in_port, &packet, 1);
    else
        window->n++;
}

/* The port was removed since the packet came, and so it is of those that wait behind it. */
static bool homeless(const struct packet_meta *meta)
{
    return !meta->program && meta->drop_reason == DROP_BRIDGE_UNKNOWN;
}

/* Returns how many packets it ran or looked up. */
static unsigned returned(struct poll_thread *thread, struct rte_mbuf *packet)
{
    struct packet_meta *meta = packet_meta(packet);
    struct rte_mbuf *parked[PENDING_PARK_MAX];
    unsigned n_parked = 0;

    if (pending_is(&thread->pending, meta->pending, packet))
        n_parked = pending_release(&thread->pending, meta->pending, parked);
    if (unlikely(homeless(meta))) {
        poll_drop(thread, DROP_BRIDGE_UNKNOWN, meta->md.in_port, parked, n_parked);
        poll_drop(thread, DROP_BRIDGE_UNKNOWN, meta->md.in_port, &packet, 1);
        return 1 + n_parked;
    }
    if (meta->program)
        burst_run_one(thread, meta->program, packet);
    else
        poll_drop(thread, meta->drop_reason < DROP_N_REASONS ? meta->drop_reason : DROP_XLATE_ERROR, meta->md.in_port,
                  &packet, 1);
    for (unsigned i = 0; i < n_parked; i += BURST)
        burst_again(thread, parked + i, RTE_MIN(n_parked - i, (unsigned)BURST));
    return 1 + n_parked;
}

unsigned miss_poll_down(struct poll_thread *thread)
{
    struct rte_mbuf *packets[DOWN_BURST];
    unsigned total = 0, done = 0, n, i;

    do {
        /* Those that are not run any more stay in the ring. */
        n = rte_ring_dequeue_burst_start(thread->down, (void **)packets, DOWN_BURST, NULL);
        for (i = 0; i < n; i++) {
            rte_prefetch0(packet_meta(packets[i]));
            rte_prefetch0(rte_pktmbuf_mtod(packets[i], void *));
        }
        for (i = 0; i < n && done < DOWN_TURN; i++)
            done += returned(thread, packets[i]);
        rte_ring_dequeue_finish(thread->down, i);
        total += i;
    } while (i == DOWN_BURST && done < DOWN_TURN);
    return total;
}

void miss_expire(struct poll_thread *thread)
{
    uint64_t age = (uint64_t)thread->cycles_per_us * 1000 * STALE_MS;
    struct rte_mbuf *parked[PENDING_PARK_MAX];

    for (unsigned i = 0; i < STALE_PER_TICK; i++) {
        uint16_t slot = pending_stale(&thread->pending, thread->now > age ? thread->now - age : 0);

        if (slot == PENDING_NONE)
            return;
        uint32_t in_port = thread->pending.flows[slot].in_port;
        unsigned n = pending_release(&thread->pending, slot, parked);
        poll_drop(thread, DROP_MISS_PENDING_STALE, in_port, parked, n);
    }
}

void miss_wake(struct poll_thread *thread)
{
    static const uint64_t one = 1;

    thread->wake = false;
    /* What was put in the ring is visible before the flag is read: the control thread sets it, then looks at the ring
     * once more. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (__atomic_load_n(&thread->dp->miss_armed, __ATOMIC_RELAXED) == 0 ||
        __atomic_exchange_n(&thread->dp->miss_armed, 0, __ATOMIC_SEQ_CST) == 0)
        return;
    if (write(thread->dp->miss_fd, &one, sizeof one) < 0)
        return; /* full: it is readable already */
}

void miss_drop_all(struct poll_thread *thread)
{
    struct rte_mbuf *parked[PENDING_PARK_MAX];

    while (thread->pending.oldest != PENDING_NONE)
        rte_pktmbuf_free_bulk(parked, pending_release(&thread->pending, thread->pending.oldest, parked));
}
