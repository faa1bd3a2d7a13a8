/* Split rings: a table of descriptors, a ring of those that the guest makes available and one of those that are used.
 * Buffers are used in the order in which they came. */
#include "pmd/vhost/ring_impl.h"

static uint16_t avail_at(const struct vhost_ring *ring, uint16_t at)
{
    return *(const volatile uint16_t *)&ring->avail->ring[at & (ring->size - 1)];
}

/* How many buffers are available. */
static uint16_t ahead(struct vhost_ring *ring)
{
    const uint16_t n = (uint16_t)(__atomic_load_n(&ring->avail->idx, __ATOMIC_ACQUIRE) - ring->at);

    if (likely(n <= ring->size))
        return n;
    vhost_ring_fail(ring, VHOST_BAD_INDEX);
    return 0;
}

/* Looks at the next `n` buffers, each of which is `direction` (VRING_DESC_F_WRITE or 0). */
static bool find_heads(struct vhost_ring *ring, struct vhost_head *heads, uint16_t n, uint16_t direction)
{
    for (uint16_t i = 0; i < n; i++) {
        heads[i].id = avail_at(ring, ring->at + i);
        if (unlikely(heads[i].id >= ring->size))
            return vhost_ring_fail(ring, VHOST_BAD_DESCRIPTOR);
        rte_prefetch0(&ring->desc[heads[i].id]);
    }
    for (uint16_t i = 0; i < n; i++) {
        const struct vring_desc desc = vhost_read_desc(&ring->desc[heads[i].id]);

        heads[i].len = desc.len;
        heads[i].at = desc.flags == direction ? vhost_translate(ring->map, desc.addr, desc.len) : NULL;
        if (heads[i].at && direction)
            vhost_prefetch_write(heads[i].at);
        else if (heads[i].at)
            vhost_prefetch(heads[i].at);
    }
    return true;
}

/* Adds the chain that starts with descriptor `id`. False: as vhost_pieces_add(). */
static bool add_chain(struct vhost_ring *ring, struct vhost_pieces *pieces, uint16_t id, uint16_t direction)
{
    for (uint32_t steps = 0; steps < VHOST_PIECES_MAX; steps++) {
        if (id >= ring->size || steps >= ring->size)
            return vhost_ring_fail(ring, VHOST_BAD_DESCRIPTOR);
        const struct vring_desc desc = vhost_read_desc(&ring->desc[id]);

        if (desc.flags & VRING_DESC_F_INDIRECT) {
            if (desc.flags & VRING_DESC_F_NEXT)
                return vhost_ring_fail(ring, VHOST_BAD_INDIRECT);
            return vhost_pieces_add_table(ring, pieces, desc.addr, desc.len, direction);
        }
        if ((desc.flags & VRING_DESC_F_WRITE) != direction)
            return vhost_ring_fail(ring, VHOST_BAD_DESCRIPTOR);
        if (!vhost_pieces_add(ring, pieces, desc.addr, desc.len))
            return false;
        if (!(desc.flags & VRING_DESC_F_NEXT))
            return true;
        id = desc.next;
    }
    return false;
}

/* Writes the `n`th entry that the guest will find in the used ring. */
static inline void set_used(struct vhost_ring *ring, uint16_t n, uint16_t id, uint32_t len)
{
    const uint16_t i = (uint16_t)(ring->at + n) & (ring->size - 1);

    ring->used->ring[i] = (struct vring_used_elem){.id = id, .len = len};
}

static __rte_noinline void log_used(const struct vhost_ring *ring, uint16_t from, uint16_t n)
{
    for (uint16_t i = 0; i < n; i++)
        vhost_log(ring,
                  ring->used_gpa + offsetof(struct vring_used, ring) +
                      sizeof(struct vring_used_elem) * ((uint16_t)(from + i) & (ring->size - 1)),
                  sizeof(struct vring_used_elem));
    vhost_log(ring, ring->used_gpa, offsetof(struct vring_used, ring));
}

static bool wants_call(struct vhost_ring *ring)
{
    const uint16_t before = ring->signalled_at;
    const bool signalled = ring->signalled;

    rte_atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (!ring->event_idx)
        return !(*(const volatile uint16_t *)&ring->avail->flags & VRING_AVAIL_F_NO_INTERRUPT);
    ring->signalled = true;
    ring->signalled_at = ring->at;
    return !signalled || vring_need_event(*(const volatile uint16_t *)&ring->avail->ring[ring->size], ring->at, before);
}

/* Tells the guest that the next `n` buffers are used. */
static void give_used(struct vhost_ring *ring, uint16_t n)
{
    const uint16_t from = ring->at;

    ring->at += n;
    __atomic_store_n(&ring->used->idx, ring->at, __ATOMIC_RELEASE);
    if (unlikely(ring->log != NULL) && ring->log_used)
        log_used(ring, from, n);
    if (wants_call(ring))
        vhost_ring_call(ring);
}

static bool take_chain(struct vhost_ring *ring, uint16_t id, struct rte_mempool *pool, struct vhost_taken *taken,
                       struct rte_mbuf **packets)
{
    struct vhost_pieces pieces;
    bool whole;

    pieces.n = 0;
    pieces.len = 0;
    whole = add_chain(ring, &pieces, id, 0);
    return vhost_take_slow(ring, &pieces, whole, pool, taken, packets);
}

uint16_t vhost_split_take(struct vhost_ring *ring, struct rte_mempool *pool, struct rte_mbuf **packets, uint16_t n)
{
    const uint16_t n_heads = RTE_MIN(RTE_MIN(ahead(ring), n), VHOST_BATCH);
    struct vhost_head heads[VHOST_BATCH];
    struct vhost_taken taken;
    uint16_t used = 0;

    if (n_heads == 0 || !find_heads(ring, heads, n_heads, 0) || rte_pktmbuf_alloc_bulk(pool, taken.fresh, n_heads) != 0)
        return 0;
    taken.n = taken.n_used = 0;
    taken.bytes = taken.pieces = 0;
    taken.stop = false;
    for (; used < n_heads && !vhost_taken_enough(&taken); used++) {
        if (unlikely(!vhost_take_fast(ring, &heads[used], &taken, packets)) &&
            !take_chain(ring, heads[used].id, pool, &taken, packets))
            break;
        set_used(ring, used, heads[used].id, 0);
    }
    if (used > 0)
        give_used(ring, used);
    if (unlikely(taken.n_used < n_heads))
        rte_pktmbuf_free_bulk(taken.fresh + taken.n_used, n_heads - taken.n_used);
    vhost_count(ring, taken.n, taken.bytes);
    return taken.n;
}

/* Finds room for `wanted` bytes of a packet: in one chain, or in several if the guest can merge them. Returns how many
 * it took, 0: the packet does not fit into what is available; *lost: it never will. */
static uint16_t find_room(struct vhost_ring *ring, uint16_t used, uint16_t n_ahead, uint32_t wanted,
                          struct vhost_pieces *pieces, bool *lost)
{
    uint16_t n = 0;

    while (pieces->len < wanted) {
        const uint32_t before = pieces->len;

        if (n > 0 && !ring->mergeable) {
            *lost = true;
            return 0;
        }
        if (used + n >= n_ahead)
            return 0;
        const uint16_t id = avail_at(ring, ring->at + used + n);

        if (!add_chain(ring, pieces, id, VRING_DESC_F_WRITE)) {
            *lost = ring->usable;
            return 0;
        }
        set_used(ring, used + n, id, RTE_MIN(pieces->len, wanted) - before);
        n++;
    }
    return n;
}

/* Puts a packet into as many chains as find_room() says. */
static __rte_noinline uint16_t put_chains(struct vhost_ring *ring, uint16_t used, uint16_t n_ahead,
                                          const struct rte_mbuf *packet, bool *lost)
{
    struct vhost_pieces pieces;
    uint16_t n;

    pieces.n = 0;
    pieces.len = 0;
    *lost = false;
    n = find_room(ring, used, n_ahead, packet->pkt_len + ring->header_len, &pieces, lost);
    ring->pieces += pieces.n;
    if (n > 0)
        vhost_scatter(ring, &pieces, packet, n);
    return n;
}

uint16_t vhost_split_put(struct vhost_ring *ring, struct rte_mbuf **packets, uint16_t n)
{
    const uint16_t n_ahead = ahead(ring), n_heads = RTE_MIN(RTE_MIN(n_ahead, n), VHOST_BATCH);
    const uint64_t pieces = ring->pieces;
    struct vhost_head heads[VHOST_BATCH];
    uint32_t bytes = 0, lost_bytes = 0, most = VHOST_BATCH_BYTES;
    uint16_t used = 0, done = 0, lost = 0;

    if (n_heads == 0 || !find_heads(ring, heads, n_heads, VRING_DESC_F_WRITE))
        return 0;
    for (; done < n && done < VHOST_BATCH && bytes < most; done++) {
        const struct rte_mbuf *packet = packets[done];
        const uint32_t len = packet->pkt_len + ring->header_len;
        const struct vhost_head *head = used < n_heads ? &heads[used] : NULL;

        if (likely(head && head->at && head->len >= len && packet->nb_segs == 1 && !ring->log)) {
            vhost_copy_out(ring, head->at, packet);
            set_used(ring, used++, head->id, len);
        } else {
            bool is_lost;
            const uint16_t took = put_chains(ring, used, n_ahead, packet, &is_lost);

            if (took == 0 && !is_lost)
                break;
            used += took;
            lost += is_lost;
            lost_bytes += is_lost ? packet->pkt_len : 0;
            if (ring->pieces - pieces >= VHOST_BATCH_PIECES)
                most = 0; /* this was the last */
        }
        bytes += packet->pkt_len;
    }
    if (used > 0)
        give_used(ring, used);
    if (unlikely(lost > 0))
        vhost_add(&ring->counters.errors, lost);
    vhost_count(ring, done - lost, bytes - lost_bytes);
    return done;
}
