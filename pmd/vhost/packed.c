/* Packed rings: descriptors that the guest makes available and the device overwrites when they are used. Buffers are
 * used in the order in which they came.
 *
 * The bits AVAIL and USED of a descriptor's flags are compared with a wrap counter, which changes each time round.
 */
#include "pmd/vhost/ring_impl.h"

#define AVAIL_BIT (1u << VRING_PACKED_DESC_F_AVAIL)
#define USED_BIT (1u << VRING_PACKED_DESC_F_USED)

/* A place in the ring. */
struct place {
    uint16_t slot;
    bool wrap;
};

static struct place advance(const struct vhost_ring *ring, struct place place, uint16_t slots)
{
    const uint32_t slot = (uint32_t)place.slot + slots;

    return slot >= ring->size ? (struct place){(uint16_t)(slot - ring->size), !place.wrap}
                              : (struct place){(uint16_t)slot, place.wrap};
}

/* The ring's own memory is aligned (device.c looks at that), unlike indirect tables. */
typedef uint64_t __attribute__((may_alias)) ring_word;

/* A descriptor, its words read once, the one with the flags first. */
struct desc {
    uint64_t addr;
    uint32_t len;
    uint16_t id, flags;
};

static struct desc read_desc(const struct vhost_ring *ring, uint16_t slot)
{
    const ring_word *words = (const ring_word *)&ring->packed_desc[slot];
    const uint64_t rest = __atomic_load_n(&words[1], __ATOMIC_ACQUIRE);
    const uint64_t addr = *(const volatile ring_word *)&words[0];

    return (struct desc){
        .addr = addr, .len = (uint32_t)rest, .id = (uint16_t)(rest >> 32), .flags = (uint16_t)(rest >> 48)};
}

static bool is_available(const struct desc *desc, bool wrap)
{
    return !(desc->flags & AVAIL_BIT) == !wrap && !(desc->flags & USED_BIT) == wrap;
}

/* The descriptors that follow the first of a chain: how many there are, and the buffer's id, which is the last one's.
 */
static __rte_noinline bool find_end(struct vhost_ring *ring, struct vhost_head *head)
{
    struct place place = {head->slot, head->wrap};
    struct desc desc;

    do {
        if (head->slots == ring->size || head->slots == VHOST_PIECES_MAX)
            return vhost_ring_fail(ring, VHOST_BAD_DESCRIPTOR);
        place = advance(ring, place, 1);
        desc = read_desc(ring, place.slot);
        head->slots++;
    } while (desc.flags & VRING_DESC_F_NEXT);
    head->id = desc.id;
    return true;
}

/* The buffer at `place`. False: there is none, or the ring has failed. */
static inline bool find_head(struct vhost_ring *ring, struct place place, struct vhost_head *head, uint16_t direction)
{
    const uint16_t kinds = VRING_DESC_F_NEXT | VRING_DESC_F_WRITE | VRING_DESC_F_INDIRECT;
    const struct desc desc = read_desc(ring, place.slot);

    if (!is_available(&desc, place.wrap))
        return false;
    *head = (struct vhost_head){.len = desc.len, .id = desc.id, .slot = place.slot, .slots = 1, .wrap = place.wrap};
    if (likely((desc.flags & kinds) == direction)) {
        head->at = vhost_translate(ring->map, desc.addr, desc.len);
        return true;
    }
    return !(desc.flags & VRING_DESC_F_NEXT) || find_end(ring, head);
}

static inline void prefetch_head(const struct vhost_head *head, uint16_t direction)
{
    if (head->at && direction)
        vhost_prefetch_write(head->at);
    else if (head->at)
        vhost_prefetch(head->at);
}

/* The buffers of one descriptor, from `place` on, that are there without a break until the end of the ring: nearly
 * always all there are. One compare tells whether a descriptor is such a buffer and available. */
static inline uint16_t find_plain_heads(const struct vhost_ring *ring, struct place place, struct vhost_head *heads,
                                        uint16_t n, uint16_t direction)
{
    const uint64_t mask =
        (uint64_t)(AVAIL_BIT | USED_BIT | VRING_DESC_F_NEXT | VRING_DESC_F_WRITE | VRING_DESC_F_INDIRECT) << 48;
    const uint64_t wanted = (uint64_t)((place.wrap ? AVAIL_BIT : USED_BIT) | direction) << 48;
    const uint16_t most = RTE_MIN(n, (uint16_t)(ring->size - place.slot));
    const ring_word *words = (const ring_word *)&ring->packed_desc[place.slot];
    uint16_t found;

    for (found = 0; found < most; found++, words += 2) {
        struct vhost_head *head = &heads[found];
        const uint64_t rest = __atomic_load_n(&words[1], __ATOMIC_ACQUIRE);

        if (unlikely((rest & mask) != wanted))
            break;
        head->len = (uint32_t)rest;
        head->id = (uint16_t)(rest >> 32);
        head->slot = (uint16_t)(place.slot + found);
        head->slots = 1;
        head->wrap = place.wrap;
        head->at = vhost_translate(ring->map, *(const volatile ring_word *)&words[0], head->len);
        prefetch_head(head, direction);
    }
    return found;
}

/* Looks at up to `n` buffers and returns how many there are. */
static uint16_t find_heads(struct vhost_ring *ring, struct vhost_head *heads, uint16_t n, uint16_t direction)
{
    struct place place = {ring->at, ring->avail_wrap};
    uint16_t found = find_plain_heads(ring, place, heads, n, direction);

    if (likely(found == n))
        return found;
    place = advance(ring, place, found);
    while (found < n && find_head(ring, place, &heads[found], direction)) {
        const struct vhost_head *head = &heads[found++];

        place = advance(ring, place, head->slots);
        prefetch_head(head, direction);
    }
    return ring->usable ? found : 0;
}

/* Adds the parts of a buffer. False: as vhost_pieces_add(). */
static bool add_chain(struct vhost_ring *ring, struct vhost_pieces *pieces, const struct vhost_head *head,
                      uint16_t direction)
{
    for (uint16_t i = 0; i < head->slots; i++) {
        const struct desc desc = read_desc(ring, advance(ring, (struct place){head->slot, head->wrap}, i).slot);

        if (desc.flags & VRING_DESC_F_INDIRECT) {
            if (head->slots > 1)
                return vhost_ring_fail(ring, VHOST_BAD_INDIRECT);
            return vhost_pieces_add_table(ring, pieces, desc.addr, desc.len, direction);
        }
        if ((desc.flags & VRING_DESC_F_WRITE) != direction)
            return vhost_ring_fail(ring, VHOST_BAD_DESCRIPTOR);
        if (!vhost_pieces_add(ring, pieces, desc.addr, desc.len))
            return false;
    }
    return true;
}

static uint64_t used_word(const struct vhost_head *head, uint32_t len)
{
    const uint16_t flags = (head->wrap ? AVAIL_BIT | USED_BIT : 0) | (len > 0 ? VRING_DESC_F_WRITE : 0);

    return len | (uint64_t)head->id << 32 | (uint64_t)flags << 48;
}

static inline ring_word *word_of(const struct vhost_ring *ring, uint16_t slot)
{
    return (ring_word *)&ring->packed_desc[slot] + 1;
}

static bool wants_call(struct vhost_ring *ring)
{
    uint16_t before = ring->signalled_at, flags, event;
    const bool signalled = ring->signalled;

    rte_atomic_thread_fence(__ATOMIC_SEQ_CST);
    flags = *(const volatile uint16_t *)&ring->driver_event->flags;
    if (flags == VRING_PACKED_EVENT_FLAG_DISABLE)
        return false;
    if (flags != VRING_PACKED_EVENT_FLAG_DESC || !ring->event_idx)
        return true;
    ring->signalled = true;
    ring->signalled_at = ring->at;
    if (!signalled)
        return true;
    rte_atomic_thread_fence(__ATOMIC_ACQUIRE);
    event = *(const volatile uint16_t *)&ring->driver_event->off_wrap;
    if (ring->at <= before)
        before -= ring->size;
    if (ring->avail_wrap != event >> VRING_PACKED_EVENT_F_WRAP_CTR)
        event = (event & 0x7fff) - ring->size;
    else
        event &= 0x7fff;
    return vring_need_event(event, ring->at, before);
}

/* The guest may have the buffers `heads`, of whose descriptors all but the first say so. `first`: what that is to say.
 */
static void give_used(struct vhost_ring *ring, const struct vhost_head *heads, uint16_t n, uint64_t first)
{
    const struct vhost_head *last = &heads[n - 1];
    const struct place next = advance(ring, (struct place){last->slot, last->wrap}, last->slots);

    __atomic_store_n(word_of(ring, heads[0].slot), first, __ATOMIC_RELEASE);
    if (unlikely(ring->log != NULL) && ring->log_used)
        for (uint16_t i = 0; i < n; i++)
            vhost_log(ring, ring->used_gpa + sizeof(struct vring_packed_desc) * heads[i].slot,
                      sizeof(struct vring_packed_desc));
    ring->at = next.slot;
    ring->avail_wrap = next.wrap;
    if (wants_call(ring))
        vhost_ring_call(ring);
}

static bool take_chain(struct vhost_ring *ring, const struct vhost_head *head, struct rte_mempool *pool,
                       struct vhost_taken *taken, struct rte_mbuf **packets)
{
    struct vhost_pieces pieces;
    bool whole;

    pieces.n = 0;
    pieces.len = 0;
    whole = add_chain(ring, &pieces, head, 0);
    return vhost_take_slow(ring, &pieces, whole, pool, taken, packets);
}

uint16_t vhost_packed_take(struct vhost_ring *ring, struct rte_mempool *pool, struct rte_mbuf **packets, uint16_t n)
{
    struct vhost_head heads[VHOST_BATCH];
    const uint16_t n_heads = find_heads(ring, heads, RTE_MIN(n, VHOST_BATCH), 0);
    struct vhost_taken taken;
    uint16_t used = 0;

    if (n_heads == 0 || rte_pktmbuf_alloc_bulk(pool, taken.fresh, n_heads) != 0)
        return 0;
    taken.n = taken.n_used = 0;
    taken.bytes = taken.pieces = 0;
    taken.stop = false;
    for (; used < n_heads && !vhost_taken_enough(&taken); used++) {
        if (unlikely(!vhost_take_fast(ring, &heads[used], &taken, packets)) &&
            !take_chain(ring, &heads[used], pool, &taken, packets))
            break;
        if (used > 0)
            *word_of(ring, heads[used].slot) = used_word(&heads[used], 0);
    }
    if (used > 0)
        give_used(ring, heads, used, used_word(&heads[0], 0));
    if (unlikely(taken.n_used < n_heads))
        rte_pktmbuf_free_bulk(taken.fresh + taken.n_used, n_heads - taken.n_used);
    vhost_count(ring, taken.n, taken.bytes);
    return taken.n;
}

/* Buffers that packets are being put into. One packet may take many. */
#define PUT_HEADS (VHOST_BATCH + VHOST_PIECES_MAX)
struct put {
    uint16_t n_heads, used;
    uint64_t first; /* what the first descriptor will say */
    struct vhost_head heads[PUT_HEADS];
};

static inline void set_used(struct vhost_ring *ring, struct put *put, uint16_t n, uint32_t len)
{
    const uint64_t word = used_word(&put->heads[n], len);

    if (n == 0)
        put->first = word;
    else
        *word_of(ring, put->heads[n].slot) = word;
}

/* Makes the buffer behind the ones that are known known. */
static bool find_another(struct vhost_ring *ring, struct put *put)
{
    const struct vhost_head *last = &put->heads[put->n_heads - 1];

    if (put->n_heads == PUT_HEADS ||
        !find_head(ring, advance(ring, (struct place){last->slot, last->wrap}, last->slots), &put->heads[put->n_heads],
                   VRING_DESC_F_WRITE))
        return false;
    put->n_heads++;
    return true;
}

/* Finds room for `wanted` bytes of a packet: in one buffer, or in several if the guest can merge them, with the bytes
 * in each. Returns how many it took, 0: the packet does not fit into what is available; *lost: it never will. */
static uint16_t find_room(struct vhost_ring *ring, struct put *put, uint32_t wanted, struct vhost_pieces *pieces,
                          uint32_t lens[PUT_HEADS], bool *lost)
{
    uint16_t n = 0;

    while (pieces->len < wanted) {
        const uint32_t before = pieces->len;

        if (n > 0 && !ring->mergeable) {
            *lost = true;
            return 0;
        }
        if (put->used + n == put->n_heads && !find_another(ring, put))
            return 0;
        if (!add_chain(ring, pieces, &put->heads[put->used + n], VRING_DESC_F_WRITE)) {
            *lost = ring->usable;
            return 0;
        }
        lens[n++] = RTE_MIN(pieces->len, wanted) - before;
    }
    return n;
}

/* Puts a packet into as many buffers as find_room() says. */
static __rte_noinline uint16_t put_chains(struct vhost_ring *ring, struct put *put, const struct rte_mbuf *packet,
                                          bool *lost)
{
    uint32_t lens[PUT_HEADS];
    struct vhost_pieces pieces;
    uint16_t n;

    pieces.n = 0;
    pieces.len = 0;
    *lost = false;
    n = find_room(ring, put, packet->pkt_len + ring->header_len, &pieces, lens, lost);
    ring->pieces += pieces.n;
    if (n > 0)
        vhost_scatter(ring, &pieces, packet, n);
    for (uint16_t i = 0; i < n; i++)
        set_used(ring, put, put->used + i, lens[i]);
    return n;
}

uint16_t vhost_packed_put(struct vhost_ring *ring, struct rte_mbuf **packets, uint16_t n)
{
    const uint64_t pieces = ring->pieces;
    uint32_t bytes = 0, lost_bytes = 0, most = VHOST_BATCH_BYTES;
    uint16_t done = 0, lost = 0;
    struct put put;

    put.n_heads = find_heads(ring, put.heads, RTE_MIN(n, VHOST_BATCH), VRING_DESC_F_WRITE);
    put.used = 0;
    if (put.n_heads == 0)
        return 0;
    for (; done < n && done < VHOST_BATCH && bytes < most; done++) {
        const struct rte_mbuf *packet = packets[done];
        const uint32_t len = packet->pkt_len + ring->header_len;
        const struct vhost_head *head = &put.heads[put.used];

        if (likely(put.used < put.n_heads && head->at && head->len >= len && packet->nb_segs == 1 && !ring->log)) {
            vhost_copy_out(ring, head->at, packet);
            set_used(ring, &put, put.used++, len);
        } else {
            bool is_lost;
            const uint16_t took = put_chains(ring, &put, packet, &is_lost);

            if (took == 0 && !is_lost)
                break;
            put.used += took;
            lost += is_lost;
            lost_bytes += is_lost ? packet->pkt_len : 0;
            if (ring->pieces - pieces >= VHOST_BATCH_PIECES)
                most = 0; /* this was the last */
        }
        bytes += packet->pkt_len;
    }
    if (put.used > 0)
        give_used(ring, put.heads, put.used, put.first);
    if (unlikely(lost > 0))
        vhost_add(&ring->counters.errors, lost);
    vhost_count(ring, done - lost, bytes - lost_bytes);
    return done;
}
