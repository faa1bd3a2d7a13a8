/* One virtio ring of a guest's network device: the device's side of split rings (VIRTIO 1.2, 2.7) and packed rings
 * (2.8).
 *
 * Poll-mode threads take packets from rings that the guest sends by and put packets into rings that it receives by.
 * The thread of vhost-user sockets sets rings up and stops them. While either is at a ring it holds `busy`: see
 * vhost_ring_enter() and vhost_ring_stop().
 *
 * Everything in the rings and behind them is the guest's, who may change it at any time: what decides is read once,
 * into a variable, and checked there. A ring that breaks the rules is not used any more (vhost_ring_fail()); it is the
 * socket's thread that ends the connection. What one call does is bounded by bytes and by descriptors, too.
 */
#ifndef PMD_VHOST_RING_H
#define PMD_VHOST_RING_H

#include <linux/virtio_ring.h>
#include <pthread.h>
#include <rte_common.h>
#include <rte_mbuf.h>
#include <rte_pause.h>
#include <rte_spinlock.h>
#include <stdbool.h>
#include <stdint.h>

#include "pmd/vhost/memory.h"

#define VHOST_RING_SIZE_MAX 32768
/* Packets that a call moves at most. */
#define VHOST_BATCH 32
/* A call ends with the packet that reaches this many bytes, or descriptors: copying more takes too long for the others.
 */
#define VHOST_BATCH_BYTES 65536
#define VHOST_BATCH_PIECES 512
/* What looking at a part of a packet costs, in bytes that could be copied in the same time. */
#define VHOST_PIECE_BYTES (VHOST_BATCH_BYTES / VHOST_BATCH_PIECES)
/* Descriptors of one packet. The kernel's driver uses up to 19, DPDK's one for each mbuf. */
#define VHOST_PIECES_MAX 128
#define VHOST_PACKET_MAX (65535 + 14 + 8) /* bytes, without the header of virtio */

/* Why a ring is not used any more. */
enum vhost_fault {
    VHOST_FINE,
    VHOST_BAD_INDEX,      /* the available index is further ahead than the ring has room */
    VHOST_BAD_DESCRIPTOR, /* one that is not in the table, or a chain without an end, or with the wrong direction */
    VHOST_BAD_ADDRESS,    /* of memory that the guest has not passed */
    VHOST_BAD_INDIRECT,   /* an indirect table in an indirect table, or of a size that is no multiple of 16 */
    VHOST_MEMORY_CUT,     /* the file of the memory is shorter than it was */
    VHOST_HELD_UP,        /* the eventfd that the guest is woken by blocks */
};
const char *vhost_fault_text(enum vhost_fault fault);

/* Written by who holds the ring. */
struct vhost_ring_counters {
    uint64_t packets, bytes;
    uint64_t errors; /* packets that are too short or too long, or whose header does not fit them */
    uint64_t calls;  /* times that the guest was woken */
};

struct vhost_ring {
    /* What poll-mode threads need for every packet. */
    rte_spinlock_t busy;
    bool stopped; /* the socket's thread has the ring or wants it */
    bool usable;  /* set up, enabled and started, and no fault */
    bool packed, event_idx, mergeable, offloads;
    uint8_t header_len;
    bool avail_wrap; /* packed */
    bool signalled;  /* `signalled_at` is valid */
    uint16_t size;
    uint16_t at;           /* split: the next entry of the available ring, counting on; packed: the next descriptor */
    uint16_t signalled_at; /* as `at`: where the guest was last asked whether it wants to be woken */
    int call_fd;           /* -1: the guest never wants to be woken */
    const struct vhost_map *map;
    union {
        struct {
            const struct vring_desc *desc;
            const struct vring_avail *avail;
            struct vring_used *used;
        };
        struct {
            struct vring_packed_desc *packed_desc;
            const struct vring_packed_desc_event *driver_event;
            struct vring_packed_desc_event *device_event;
        };
    };
    struct vhost_ring_counters counters;
    uint64_t pieces; /* parts of packets that were looked at one by one */

    /* Dirty pages are noted here while the guest migrates. */
    const struct vhost_map *log; /* NULL: they are not */
    uint64_t used_gpa;           /* of the used ring, or of packed descriptors */
    bool log_used;
    enum vhost_fault fault;

    /* Whether the thread that has the ring waits for the guest: vhost_ring_watch(). */
    pthread_t caller;
    uint32_t calling;      /* odd while `caller` wakes the guest */
    uint32_t calling_seen; /* by vhost_ring_watch() */
} __attribute__((aligned(64)));

/* Enters the ring if it can be used: false, or true until vhost_ring_leave(). Waits for no more than another poll-mode
 * thread's call. */
static inline bool vhost_ring_enter(struct vhost_ring *ring)
{
    while (!rte_spinlock_trylock(&ring->busy)) {
        if (__atomic_load_n(&ring->stopped, __ATOMIC_RELAXED))
            return false;
        rte_pause();
    }
    if (likely(ring->usable))
        return true;
    rte_spinlock_unlock(&ring->busy);
    return false;
}

static inline void vhost_ring_leave(struct vhost_ring *ring)
{
    rte_spinlock_unlock(&ring->busy);
}

/* Takes the ring from the poll-mode threads and gives it back. Socket's thread. */
void vhost_ring_stop(struct vhost_ring *ring);
void vhost_ring_go(struct vhost_ring *ring);

/* A guest shares the flags of its eventfd with the switch, so it can fill it and make it blocking at any time: the
 * thread that wakes the guest waits in write() then. This interrupts a thread that has been there since the last call
 * (SIGURG, which nobody else uses); the ring fails. Call it every few milliseconds. Socket's thread. */
void vhost_ring_watch(struct vhost_ring *ring);

/* Within vhost_ring_enter(). Up to `n` packets, at most VHOST_BATCH, that the guest has sent, into mbufs of `pool`. */
uint16_t vhost_ring_take(struct vhost_ring *ring, struct rte_mempool *pool, struct rte_mbuf **packets, uint16_t n);
/* Within vhost_ring_enter(). Copies a prefix of `packets` to the guest, at most VHOST_BATCH, and returns how many. They
 * stay the caller's. */
uint16_t vhost_ring_put(struct vhost_ring *ring, struct rte_mbuf **packets, uint16_t n);

#endif
