/* AF_PACKET sockets on one network interface of the kernel's (packet(7)), for system.c.
 *
 * What is received lies in a ring that the kernel and this process share (TPACKET_V2): to find it empty is a load, and
 * to take a packet a copy. A frame of the ring is as long as packets of the MTU need; a packet that is longer is
 * fetched from the socket's queue, whole. Packets are sent by system calls that take many: a ring to send by was no
 * faster, and needs one copy more.
 *
 * Opening and closing: any thread; to open and to close a ring, and to close a sender, takes tens of milliseconds
 * (packet_opener.h). The rest: who holds the queue.
 */
#ifndef PMD_PORT_PACKET_SOCKET_H
#define PMD_PORT_PACKET_SOCKET_H

#include <rte_mbuf.h>
#include <stdbool.h>
#include <stdint.h>

struct packet_ring {
    int fd; /* -1: closed */
    uint8_t *frames;
    uint32_t frame_size, n_frames;
    uint32_t next; /* the frame to look at */
};

/* Hears from now on what the interface receives, and nothing that it sends; promiscuously if `promiscuous`, for as long
 * as the ring is open. `mtu` decides how long a frame of the ring is. 0 or a negative errno. */
int packet_ring_open(struct packet_ring *ring, int ifindex, uint16_t mtu, bool promiscuous);
void packet_ring_close(struct packet_ring *ring);
/* The part of packet_ring_close() that takes no time. */
void packet_ring_unmap(struct packet_ring *ring);

/* Spreads what the interface receives over the `n` rings, by flow. 0 or a negative errno. */
int packet_rings_spread(const struct packet_ring *rings, unsigned n);

/* Whether there is something to take. */
bool packet_ring_ready(const struct packet_ring *ring);

/* Takes the next packet, VLAN tag included, into mbufs of `pool`, marked as pmd/offload.h says if it is not finished
 * (vnet.h). Returns false if there is none or the pool is empty; with true, *packet is NULL if the kernel could not
 * keep all of it, which counts as missed. */
bool packet_ring_take(struct packet_ring *ring, struct rte_mempool *pool, struct rte_mbuf **packet);

/* Packets that the kernel dropped since this was asked last, as the ring or the socket's queue was full. */
uint32_t packet_ring_missed(const struct packet_ring *ring);

/* A socket to send by, which receives nothing. Its descriptor or a negative errno. */
int packet_sender_open(int ifindex);

/* What the kernel's scheduler makes of packets that are sent from then on (socket(7), SO_PRIORITY). */
void packet_sender_set_priority(int fd, uint32_t priority);

/* Sends packets in order, also such as are not finished but plain; they stay the caller's. Returns how many the kernel
 * took; with less than `n`, *error is the errno about the next. */
unsigned packet_sender_send(int fd, struct rte_mbuf *const *packets, unsigned n, int *error);

#endif
