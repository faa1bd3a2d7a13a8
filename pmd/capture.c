/* Captures: filters and counters for poll-mode threads, and a ring of slots from each to the reader. */
#include "pmd/capture.h"

#include <rte_cycles.h>
#include <stdlib.h>
#include <string.h>

#define RING_BYTES (4u << 20) /* of each thread; touched as it fills */
#define PAGE 4096
#define SLOTS_MIN 64
#define SLOTS_MAX 65536

struct slot {
    uint64_t tsc;
    uint32_t full_len;
    uint16_t len;
    uint8_t way;
    uint8_t data[];
};

/* One for each poll-mode thread, which alone writes `counts` and `head`; the reader alone writes `tail`. */
struct lane {
    struct capture_counts counts __rte_cache_aligned;
    uint32_t head;
    uint32_t tail __rte_cache_aligned;
    uint8_t *slots;
};

struct capture {
    struct capture *next; /* of the same port; read by poll-mode threads */
    bool ways[CAPTURE_N_WAYS];
    bool filtered;
    uint32_t snaplen;
    uint32_t slot_size, n_slots; /* a power of two */
    unsigned n_threads;
    struct flow_key value, mask;
    struct port *port; /* control thread; NULL: not attached */
    struct lane lanes[];
};

/* --- control thread ------------------------------------------------------ */

static bool any_bit(const struct flow_key *mask)
{
    static const struct flow_key zero;

    return memcmp(mask, &zero, FLOW_KEY_PACKET_LINES * FLOW_KEY_LINE) != 0;
}

static bool make_slots(struct capture *capture)
{
    uint32_t n = RING_BYTES / capture->slot_size;

    n = RTE_MIN(RTE_MAX(n, (uint32_t)SLOTS_MIN), (uint32_t)SLOTS_MAX);
    capture->n_slots = rte_align32prevpow2(n);
    for (unsigned i = 0; i < capture->n_threads; i++) {
        capture->lanes[i].slots = calloc(capture->n_slots, capture->slot_size);
        if (!capture->lanes[i].slots)
            return false;
    }
    return true;
}

struct capture *capture_create(const struct capture_params *params)
{
    size_t size = RTE_ALIGN_CEIL(sizeof(struct capture) + params->n_threads * sizeof(struct lane), 64);
    struct capture *capture = params->snaplen <= CAPTURE_SNAPLEN_MAX ? aligned_alloc(64, size) : NULL;

    if (!capture)
        return NULL;
    memset(capture, 0, size);
    memcpy(capture->ways, params->ways, sizeof capture->ways);
    capture->filtered = any_bit(&params->mask);
    capture->value = params->value;
    capture->mask = params->mask;
    capture->snaplen = params->snaplen;
    capture->n_threads = params->n_threads;
    capture->slot_size = (uint32_t)RTE_ALIGN_CEIL(sizeof(struct slot) + params->snaplen, sizeof(uint64_t));
    if (params->snaplen && !make_slots(capture)) {
        capture_destroy(capture);
        return NULL;
    }
    return capture;
}

void capture_destroy(struct capture *capture)
{
    if (!capture)
        return;
    for (unsigned i = 0; i < capture->n_threads; i++)
        free(capture->lanes[i].slots);
    free(capture);
}

void capture_attach(struct capture *capture, struct port *port)
{
    capture->port = port;
    capture->next = port->captures;
    __atomic_store_n(&port->captures, capture, __ATOMIC_RELEASE);
    __atomic_store_n(&port->asides, port->asides | PORT_ASIDE_CAPTURES, __ATOMIC_RELEASE);
}

void capture_detach(struct capture *capture)
{
    if (!capture->port)
        return;
    struct port *port = capture->port;
    struct capture **at = &port->captures;
    while (*at != capture)
        at = &(*at)->next;
    /* Its own `next` stays, for threads that are looking at it. */
    __atomic_store_n(at, capture->next, __ATOMIC_RELEASE);
    if (!port->captures)
        __atomic_store_n(&port->asides, (uint8_t)(port->asides & ~PORT_ASIDE_CAPTURES), __ATOMIC_RELAXED);
    capture->port = NULL;
}

bool capture_attached(const struct capture *capture)
{
    return capture->port != NULL;
}

void capture_detach_all(struct port *port)
{
    while (port->captures)
        capture_detach(port->captures);
}

void capture_counts(const struct capture *capture, struct capture_counts *counts)
{
    memset(counts, 0, sizeof *counts);
    for (unsigned i = 0; i < capture->n_threads; i++) {
        const struct capture_counts *lane = &capture->lanes[i].counts;
        for (unsigned way = 0; way < CAPTURE_N_WAYS; way++) {
            counts->ways[way].packets += __atomic_load_n(&lane->ways[way].packets, __ATOMIC_RELAXED);
            counts->ways[way].bytes += __atomic_load_n(&lane->ways[way].bytes, __ATOMIC_RELAXED);
        }
        counts->copied += __atomic_load_n(&lane->copied, __ATOMIC_RELAXED);
        counts->lost += __atomic_load_n(&lane->lost, __ATOMIC_RELAXED);
    }
}

void capture_prefault(struct capture *capture)
{
    for (unsigned i = 0; i < capture->n_threads; i++) {
        uint8_t *slots = capture->lanes[i].slots;
        for (size_t at = 0; slots && at < (size_t)capture->n_slots * capture->slot_size; at += PAGE)
            __atomic_fetch_or(&slots[at], 0, __ATOMIC_RELAXED);
    }
}

/* --- the ring ------------------------------------------------------------ */

static struct slot *slot_at(const struct capture *capture, const struct lane *lane, uint32_t i)
{
    return (struct slot *)(lane->slots + (size_t)(i & (capture->n_slots - 1)) * capture->slot_size);
}

bool capture_next(struct capture *capture, unsigned thread, struct captured *copy)
{
    const struct lane *lane = &capture->lanes[thread];

    if (!lane->slots || lane->tail == __atomic_load_n(&lane->head, __ATOMIC_ACQUIRE))
        return false;
    const struct slot *slot = slot_at(capture, lane, lane->tail);
    *copy = (struct captured){slot->tsc, (enum capture_way)slot->way, slot->len, slot->full_len, slot->data};
    return true;
}

void capture_done(struct capture *capture, unsigned thread)
{
    struct lane *lane = &capture->lanes[thread];

    __atomic_store_n(&lane->tail, lane->tail + 1, __ATOMIC_RELEASE);
}

static void copy_bytes(uint8_t *to, const struct rte_mbuf *packet, uint32_t len)
{
    for (; len > 0 && packet; packet = packet->next) {
        uint32_t part = RTE_MIN(len, (uint32_t)packet->data_len);
        memcpy(to, rte_pktmbuf_mtod(packet, const uint8_t *), part);
        to += part;
        len -= part;
    }
}

static bool put_copy(struct capture *capture, struct lane *lane, enum capture_way way, uint64_t tsc,
                     const struct rte_mbuf *packet)
{
    if (lane->head - __atomic_load_n(&lane->tail, __ATOMIC_ACQUIRE) == capture->n_slots)
        return false;
    struct slot *slot = slot_at(capture, lane, lane->head);
    slot->tsc = tsc;
    slot->way = (uint8_t)way;
    slot->full_len = packet->pkt_len;
    slot->len = (uint16_t)RTE_MIN(capture->snaplen, packet->pkt_len);
    copy_bytes(slot->data, packet, slot->len);
    __atomic_store_n(&lane->head, lane->head + 1, __ATOMIC_RELEASE);
    return true;
}

/* --- poll-mode threads --------------------------------------------------- */

static bool passes(const struct capture *capture, const struct rte_mbuf *packet)
{
    struct flow_key key;

    if (!capture->filtered)
        return true;
    if (!flow_key_parse(packet, 0, &key))
        return false;
    const uint64_t *k = (const uint64_t *)&key, *v = (const uint64_t *)&capture->value,
                   *m = (const uint64_t *)&capture->mask;
    uint64_t differ = 0;
    for (unsigned i = 0; i < FLOW_KEY_PACKET_LINES * FLOW_KEY_LINE / sizeof *k; i++)
        differ |= (k[i] ^ v[i]) & m[i];
    return differ == 0;
}

#define ADD(counter, n) __atomic_store_n(&(counter), (counter) + (n), __ATOMIC_RELAXED)

static void look(struct capture *capture, enum capture_way way, unsigned thread, uint64_t tsc,
                 struct rte_mbuf *const *packets, unsigned n)
{
    struct lane *lane = &capture->lanes[thread];

    for (unsigned i = 0; i < n; i++) {
        if (!passes(capture, packets[i]))
            continue;
        ADD(lane->counts.ways[way].packets, 1);
        ADD(lane->counts.ways[way].bytes, packets[i]->pkt_len);
        if (!capture->snaplen)
            continue;
        if (put_copy(capture, lane, way, tsc, packets[i]))
            ADD(lane->counts.copied, 1);
        else
            ADD(lane->counts.lost, 1);
    }
}

void capture_packets(const struct port *port, enum capture_way way, unsigned thread, struct rte_mbuf *const *packets,
                     unsigned n)
{
    uint64_t tsc = rte_rdtsc();

    for (struct capture *capture = __atomic_load_n(&port->captures, __ATOMIC_ACQUIRE); capture;
         capture = __atomic_load_n(&capture->next, __ATOMIC_ACQUIRE))
        if (capture->ways[way])
            look(capture, way, thread, tsc, packets, n);
}
