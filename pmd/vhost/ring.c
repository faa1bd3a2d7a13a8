#include "pmd/vhost/ring.h"

#include <errno.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "pmd/offload.h"
#include "pmd/vhost/ring_impl.h"

#define LOG_PAGE 4096

const char *vhost_fault_text(enum vhost_fault fault)
{
    static const char *const texts[] = {
        [VHOST_FINE] = "fine",
        [VHOST_BAD_INDEX] = "an available index that is ahead of the ring",
        [VHOST_BAD_DESCRIPTOR] = "a descriptor or a chain of descriptors that cannot be",
        [VHOST_BAD_ADDRESS] = "a descriptor of memory that it had not passed",
        [VHOST_BAD_INDIRECT] = "an indirect table that cannot be",
        [VHOST_MEMORY_CUT] = "memory whose file was cut short",
        [VHOST_HELD_UP] = "an eventfd to wake it by that blocks",
    };

    return texts[fault];
}

/* --- threads that wake guests -------------------------------------------- */

static void on_sigurg(int sig)
{
}

/* Without SA_RESTART: a system call that waits comes back. */
static void install_handler(void)
{
    struct sigaction action = {.sa_handler = on_sigurg};

    sigemptyset(&action.sa_mask);
    sigaction(SIGURG, &action, NULL);
}

void vhost_ring_watch(struct vhost_ring *ring)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    const uint32_t calling = __atomic_load_n(&ring->calling, __ATOMIC_ACQUIRE);

    if (unlikely(calling % 2 == 1 && calling == ring->calling_seen)) {
        pthread_once(&once, install_handler);
        pthread_kill(ring->caller, SIGURG);
    }
    ring->calling_seen = calling;
}

void vhost_ring_call(struct vhost_ring *ring)
{
    int rc;

    if (ring->call_fd < 0)
        return;
    vhost_add(&ring->counters.calls, 1);
    ring->caller = pthread_self();
    __atomic_store_n(&ring->calling, ring->calling + 1, __ATOMIC_RELEASE);
    rc = eventfd_write(ring->call_fd, 1);
    __atomic_store_n(&ring->calling, ring->calling + 1, __ATOMIC_RELEASE);
    /* If the counter is full the guest is awake. */
    if (unlikely(rc != 0 && errno == EINTR))
        vhost_ring_fail(ring, VHOST_HELD_UP);
}

/* --- whose the ring is --------------------------------------------------- */

/* A poll-mode thread's call is over in some microseconds, unless it waits for the guest or has lost its core. */
void vhost_ring_stop(struct vhost_ring *ring)
{
    static const struct timespec ms = {.tv_nsec = 1000000};
    int spins = 10000;

    __atomic_store_n(&ring->stopped, true, __ATOMIC_RELAXED);
    while (!rte_spinlock_trylock(&ring->busy)) {
        if (spins-- > 0) {
            rte_pause();
            continue;
        }
        nanosleep(&ms, NULL);
        vhost_ring_watch(ring);
    }
}

void vhost_ring_go(struct vhost_ring *ring)
{
    __atomic_store_n(&ring->stopped, false, __ATOMIC_RELAXED);
    rte_spinlock_unlock(&ring->busy);
}

bool vhost_ring_fail(struct vhost_ring *ring, enum vhost_fault fault)
{
    ring->usable = false;
    __atomic_store_n(&ring->fault, fault, __ATOMIC_RELEASE);
    return false;
}

/* Where a file was cut short there are zeros now, and nothing that is written there reaches the guest. */
static bool memory_is_whole(struct vhost_ring *ring)
{
    if (likely(!__atomic_load_n(&ring->map->broken, __ATOMIC_RELAXED) &&
               !(ring->log && __atomic_load_n(&ring->log->broken, __ATOMIC_RELAXED))))
        return true;
    return vhost_ring_fail(ring, VHOST_MEMORY_CUT);
}

uint16_t vhost_ring_take(struct vhost_ring *ring, struct rte_mempool *pool, struct rte_mbuf **packets, uint16_t n)
{
    if (unlikely(!memory_is_whole(ring)))
        return 0;
    return ring->packed ? vhost_packed_take(ring, pool, packets, n) : vhost_split_take(ring, pool, packets, n);
}

uint16_t vhost_ring_put(struct vhost_ring *ring, struct rte_mbuf **packets, uint16_t n)
{
    if (unlikely(!memory_is_whole(ring)))
        return 0;
    return ring->packed ? vhost_packed_put(ring, packets, n) : vhost_split_put(ring, packets, n);
}

bool vhost_pieces_add(struct vhost_ring *ring, struct vhost_pieces *pieces, uint64_t gpa, uint32_t len)
{
    /* An empty one costs as much to look at as any, so it counts. */
    do {
        uint32_t part = len;
        uint8_t *at = len > 0 ? vhost_translate_part(ring->map, gpa, &part) : NULL;

        if (len > 0 && !at)
            return vhost_ring_fail(ring, VHOST_BAD_ADDRESS);
        if (pieces->n == VHOST_PIECES_MAX)
            return false;
        pieces->piece[pieces->n++] = (struct vhost_piece){at, part, gpa};
        /* The sum of 128 lengths of up to 2^32 bytes: what is too long stays too long. */
        pieces->len = (uint32_t)RTE_MIN((uint64_t)pieces->len + part, (uint64_t)UINT32_MAX);
        gpa += part;
        len -= part;
    } while (len > 0);
    return true;
}

bool vhost_pieces_add_table(struct vhost_ring *ring, struct vhost_pieces *pieces, uint64_t gpa, uint32_t len,
                            uint16_t direction)
{
    const struct vring_desc *table = (const struct vring_desc *)vhost_translate(ring->map, gpa, len);
    const uint32_t n = len / sizeof *table;
    uint32_t next = 0;

    if (!table)
        return vhost_ring_fail(ring, VHOST_BAD_ADDRESS);
    if (n == 0 || len % sizeof *table != 0)
        return vhost_ring_fail(ring, VHOST_BAD_INDIRECT);
    for (uint32_t steps = 0; steps < VHOST_PIECES_MAX; steps++) {
        const struct vring_desc desc = vhost_read_desc(&table[next]);
        const uint16_t flags = ring->packed ? desc.next : desc.flags;

        if (flags & VRING_DESC_F_INDIRECT)
            return vhost_ring_fail(ring, VHOST_BAD_INDIRECT);
        if ((flags & VRING_DESC_F_WRITE) != direction)
            return vhost_ring_fail(ring, VHOST_BAD_DESCRIPTOR);
        if (!vhost_pieces_add(ring, pieces, desc.addr, desc.len))
            return false;
        /* Packed: they follow each other, and there are no others (VIRTIO 1.2, 2.8.7). */
        if (ring->packed ? next + 1 == n : !(flags & VRING_DESC_F_NEXT))
            return true;
        next = ring->packed ? next + 1 : desc.next;
        if (next >= n)
            return vhost_ring_fail(ring, VHOST_BAD_DESCRIPTOR);
    }
    return false;
}

void vhost_log(const struct vhost_ring *ring, uint64_t gpa, uint64_t len)
{
    const struct vhost_region *bits = &ring->log->regions[0];

    if (len == 0)
        return;
    for (uint64_t page = gpa / LOG_PAGE; page <= (gpa + len - 1) / LOG_PAGE; page++)
        if (page / 8 < bits->size)
            __atomic_fetch_or(bits->host + page / 8, (uint8_t)(1 << page % 8), __ATOMIC_RELAXED);
}

/* --- packets of several pieces ------------------------------------------- */

struct position {
    const struct vhost_piece *piece;
    uint32_t offset;
};

/* Up to `len` bytes that are in one piece. */
static uint8_t *next_part(struct position *position, uint32_t len, uint32_t *part)
{
    uint8_t *at;

    while (position->offset == position->piece->len)
        *position = (struct position){position->piece + 1, 0};
    at = position->piece->at + position->offset;
    *part = RTE_MIN(len, position->piece->len - position->offset);
    position->offset += *part;
    return at;
}

static void read_bytes(struct position *from, void *to, uint32_t len)
{
    uint32_t part;

    for (uint8_t *at = to; len > 0; at += part, len -= part) {
        const uint8_t *source = next_part(from, len, &part);

        memcpy(at, source, part);
    }
}

static void write_bytes(const struct vhost_ring *ring, struct position *to, const void *from, uint32_t len)
{
    uint32_t part;

    for (const uint8_t *at = from; len > 0; at += part, len -= part) {
        uint8_t *target = next_part(to, len, &part);

        memcpy(target, at, part);
        if (unlikely(ring->log != NULL))
            vhost_log(ring, to->piece->gpa + to->offset - part, part);
    }
}

struct rte_mbuf *vhost_gather(struct vhost_ring *ring, const struct vhost_pieces *pieces, struct rte_mempool *pool,
                              bool *again)
{
    struct position from = {.piece = pieces->piece};
    struct virtio_net_hdr_mrg_rxbuf header;
    struct rte_mbuf *packet;

    *again = false;
    if (pieces->len < ring->header_len + (uint32_t)RTE_ETHER_HDR_LEN ||
        pieces->len > ring->header_len + (uint32_t)VHOST_PACKET_MAX) {
        vhost_add(&ring->counters.errors, 1);
        return NULL;
    }
    packet = packet_alloc(pool, pieces->len - ring->header_len, VHOST_PIECES_MAX);
    if (!packet) {
        *again = true;
        return NULL;
    }
    read_bytes(&from, &header, ring->header_len);
    for (struct rte_mbuf *m = packet; m; m = m->next)
        read_bytes(&from, rte_pktmbuf_mtod(m, void *), m->data_len);
    if (ring->offloads && (header.hdr.flags | header.hdr.gso_type) && !vnet_mark(&header.hdr, 0, packet))
        vnet_mark_malformed(packet);
    return packet;
}

bool vhost_take_slow(struct vhost_ring *ring, const struct vhost_pieces *pieces, bool whole, struct rte_mempool *pool,
                     struct vhost_taken *taken, struct rte_mbuf **packets)
{
    struct rte_mbuf *packet = NULL;
    bool again = false;

    ring->pieces += pieces->n;
    if (whole)
        packet = vhost_gather(ring, pieces, pool, &again);
    else if (ring->usable)
        vhost_add(&ring->counters.errors, 1);
    if (again || !ring->usable) {
        taken->stop = true;
        return false;
    }
    taken->pieces += pieces->n;
    if (packet) {
        packets[taken->n++] = packet;
        taken->bytes += packet->pkt_len;
    }
    return true;
}

void vhost_scatter(struct vhost_ring *ring, const struct vhost_pieces *pieces, const struct rte_mbuf *packet,
                   uint16_t n_buffers)
{
    struct virtio_net_hdr_mrg_rxbuf header = {.num_buffers = n_buffers};
    struct position to = {.piece = pieces->piece};

    vnet_header(packet, &header.hdr);
    write_bytes(ring, &to, &header, ring->header_len);
    for (const struct rte_mbuf *m = packet; m; m = m->next)
        write_bytes(ring, &to, rte_pktmbuf_mtod(m, const void *), m->data_len);
}
