/* What split.c, packed.c and ring.c share: pieces of guest memory, and copying between them and mbufs. */
#ifndef PMD_VHOST_RING_IMPL_H
#define PMD_VHOST_RING_IMPL_H

#include <linux/virtio_net.h>
#include <rte_ether.h>
#include <rte_memcpy.h>
#include <rte_prefetch.h>
#include <string.h>

#include "pmd/offload.h"
#include "pmd/vnet.h"
#include "pmd/vhost/ring.h"

uint16_t vhost_split_take(struct vhost_ring *ring, struct rte_mempool *pool, struct rte_mbuf **packets, uint16_t n);
uint16_t vhost_split_put(struct vhost_ring *ring, struct rte_mbuf **packets, uint16_t n);
uint16_t vhost_packed_take(struct vhost_ring *ring, struct rte_mempool *pool, struct rte_mbuf **packets, uint16_t n);
uint16_t vhost_packed_put(struct vhost_ring *ring, struct rte_mbuf **packets, uint16_t n);

/* The longest header that is negotiated: with the number of buffers. */
#define VHOST_HEADER_MAX sizeof(struct virtio_net_hdr_mrg_rxbuf)

/* A part of a packet in guest memory. */
struct vhost_piece {
    uint8_t *at;
    uint32_t len;
    uint64_t gpa;
};

/* The parts of one packet, in order. */
struct vhost_pieces {
    uint32_t n;
    uint32_t len; /* of all */
    struct vhost_piece piece[VHOST_PIECES_MAX];
};

/* What is next in a ring, looked at before its packets are moved, so that what they need is on its way into the cache.
 */
struct vhost_head {
    uint8_t *at; /* the whole buffer, if it is one descriptor of one region; else NULL */
    uint32_t len;
    uint16_t id;
    uint16_t slot, slots; /* packed: where its descriptors are, and how many */
    bool wrap;            /* packed: of the first of them */
};

/* Guest memory, wherever it lies. Volatile: read once. */
typedef uint64_t __attribute__((may_alias, aligned(1))) vhost_word;

static inline struct vring_desc vhost_read_desc(const struct vring_desc *desc)
{
    const volatile vhost_word *words = (const volatile vhost_word *)desc;
    const uint64_t addr = words[0], rest = words[1];

    return (struct vring_desc){
        .addr = addr, .len = (uint32_t)rest, .flags = (uint16_t)(rest >> 32), .next = (uint16_t)(rest >> 48)};
}

/* The ring is not used any more. Returns false. */
bool vhost_ring_fail(struct vhost_ring *ring, enum vhost_fault fault);

/* Adds the `len` bytes at `gpa`. False: the ring has failed, or the packet has too many pieces for this packet
 * (pieces->n is VHOST_PIECES_MAX). */
bool vhost_pieces_add(struct vhost_ring *ring, struct vhost_pieces *pieces, uint64_t gpa, uint32_t len);

/* Adds the descriptors of an indirect table of `len` bytes at `gpa`, which are `direction` (VRING_DESC_F_WRITE or 0).
 * False: as vhost_pieces_add(). */
bool vhost_pieces_add_table(struct vhost_ring *ring, struct vhost_pieces *pieces, uint64_t gpa, uint32_t len,
                            uint16_t direction);

/* A packet that the guest sent. NULL: none can be made of it, which is counted, or the pool is empty: *again is true if
 * it is to be tried again. */
struct rte_mbuf *vhost_gather(struct vhost_ring *ring, const struct vhost_pieces *pieces, struct rte_mempool *pool,
                              bool *again);

/* Copies a packet with its header to the guest; the pieces have room for it. */
void vhost_scatter(struct vhost_ring *ring, const struct vhost_pieces *pieces, const struct rte_mbuf *packet,
                   uint16_t n_buffers);

/* Notes that `len` bytes from `gpa` on were written. */
void vhost_log(const struct vhost_ring *ring, uint64_t gpa, uint64_t len);

/* Wakes the guest. */
void vhost_ring_call(struct vhost_ring *ring);

static inline void vhost_count(struct vhost_ring *ring, uint16_t n, uint64_t bytes)
{
    __atomic_store_n(&ring->counters.packets, ring->counters.packets + n, __ATOMIC_RELAXED);
    __atomic_store_n(&ring->counters.bytes, ring->counters.bytes + bytes, __ATOMIC_RELAXED);
}

static inline void vhost_add(uint64_t *counter, uint64_t n)
{
    __atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

/* The start of what the guest sent: its header and up to 52 bytes of the packet. */
static inline void vhost_prefetch(const uint8_t *at)
{
    rte_prefetch0(at);
    rte_prefetch0(at + 63);
}

/* A line that will be written: it is to be this core's alone. Without -mprfchw the compiler makes a prefetch for
 * reading of __builtin_prefetch(at, 1), and the write still has to wait until the guest's core has given the line up.
 * Processors that do not know the instruction take it for none. */
static inline void vhost_prefetch_line(const void *at)
{
#ifdef __x86_64__
    asm volatile("prefetchw %0" : : "m"(*(const volatile uint8_t *)at));
#else
    __builtin_prefetch(at, 1);
#endif
}

/* The start of what the guest is to receive, as vhost_prefetch(). */
static inline void vhost_prefetch_write(const uint8_t *at)
{
    vhost_prefetch_line(at);
    vhost_prefetch_line(at + 63);
}

/* A received packet of one piece, with its header in front, into an mbuf that has room for it. An empty mbuf comes of
 * one whose header does not fit it. */
static inline void vhost_copy_in(const struct vhost_ring *ring, struct rte_mbuf *packet, const uint8_t *from,
                                 uint32_t len)
{
    struct virtio_net_hdr header;

    rte_memcpy(rte_pktmbuf_mtod(packet, void *), from + ring->header_len, len);
    packet->data_len = (uint16_t)len;
    packet->pkt_len = len;
    if (!ring->offloads)
        return;
    memcpy(&header, from, sizeof header);
    if (unlikely(header.flags | header.gso_type) && !vnet_mark(&header, 0, packet))
        vnet_mark_malformed(packet);
}

/* Packets that are being taken: mbufs are there for all, and those that were not needed go back. */
struct vhost_taken {
    struct rte_mbuf *fresh[VHOST_BATCH];
    uint16_t n_used, n;
    uint32_t bytes, pieces;
    bool stop; /* no more in this call */
};

static inline bool vhost_taken_enough(const struct vhost_taken *taken)
{
    return taken->stop || taken->bytes >= VHOST_BATCH_BYTES || taken->pieces >= VHOST_BATCH_PIECES;
}

/* The packet behind `head` if it has a buffer of its own and fits into one mbuf. False: it is for vhost_take_slow(). */
static inline bool vhost_take_fast(struct vhost_ring *ring, const struct vhost_head *head, struct vhost_taken *taken,
                                   struct rte_mbuf **packets)
{
    struct rte_mbuf *packet = taken->fresh[taken->n_used];
    const uint32_t len = head->len - ring->header_len;

    if (unlikely(!head->at || head->len < ring->header_len + (uint32_t)RTE_ETHER_HDR_LEN ||
                 len > rte_pktmbuf_tailroom(packet)))
        return false;
    vhost_copy_in(ring, packet, head->at, len);
    packets[taken->n++] = packet;
    taken->n_used++;
    taken->bytes += len;
    taken->pieces++;
    return true;
}

/* The packet that `pieces` are. `whole`: it was read to its end. False: it stays in the ring. */
bool vhost_take_slow(struct vhost_ring *ring, const struct vhost_pieces *pieces, bool whole, struct rte_mempool *pool,
                     struct vhost_taken *taken, struct rte_mbuf **packets);

/* A packet of one mbuf to one piece, which has room for it and its header. */
static inline void vhost_copy_out(const struct vhost_ring *ring, uint8_t *to, const struct rte_mbuf *packet)
{
    struct virtio_net_hdr_mrg_rxbuf header = {.num_buffers = 1};

    if (unlikely(packet->ol_flags & OFFLOAD_ANY))
        vnet_header(packet, &header.hdr);
    if (likely(ring->header_len == sizeof header))
        memcpy(to, &header, sizeof header);
    else
        memcpy(to, &header, sizeof header.hdr);
    rte_memcpy(to + ring->header_len, rte_pktmbuf_mtod(packet, const void *), packet->data_len);
}

#endif
