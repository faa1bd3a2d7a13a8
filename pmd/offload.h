/* Packets that are not finished: without their transport checksum, or to be cut into segments.
 *
 * A kernel hands packets of its TCP and UDP sockets over like that (struct virtio_net_hdr, pmd/vnet.h), the host's by
 * a TAP or a packet socket, a guest's by its rings, and takes them back. So they travel through the datapath as they
 * are, marked as DPDK marks packets to send:
 *
 *   ol_flags      RTE_MBUF_F_TX_TCP_CKSUM or _UDP_CKSUM: the checksum field of the TCP or UDP header holds the sum of
 *                 the pseudo-header alone, not complemented. RTE_MBUF_F_TX_TCP_SEG or _UDP_SEG besides: the packet
 *                 stands for its segments, each with a part of the payload.
 *   l2_len        bytes in front of the IP header, whatever they are: who adds or removes some keeps it right. Outer
 *                 headers of a tunnel may be among them: the kernel hands over segments of TCP inside of its tunnels
 *   l3_len        of the IP header with its options or extension headers: TCP or UDP is behind it
 *   l4_len, tso_segsz   with a _SEG flag: of the TCP or UDP header, and of the payload of each segment but the last
 *
 * So do datagrams that came in fragments and that the tracker put together (pmd/ct/fragments.h), whose checksum is
 * there. They go out whole by ports whose MTU they fit, else in fragments again:
 *
 *   ol_flags      OFFLOAD_DATAGRAM, and RTE_MBUF_F_TX_IPV4 or _IPV6
 *   l2_len, l3_len   as above; IPv6: the fragment header is not in the packet, its place is behind l3_len
 *   tso_segsz     the longest fragment's part of the data, a multiple of 8
 *   vlan_tci, vlan_tci_outer   IPv6: the low and the high half of the identification
 *
 * As in virtio, and not as DPDK's drivers want it, the length in the pseudo-header is that of the whole packet also for
 * one that is to be cut. Such a packet counts as one, its length is that of the whole; what a link's MTU or a meter of
 * packets looks at are its segments. Headers lie in the first mbuf.
 *
 * Ports that take such packets say so (struct port); for the others poll_tx.c finishes them. Packets that leave the
 * poll-mode thread for a controller are finished as well.
 */
#ifndef PMD_OFFLOAD_H
#define PMD_OFFLOAD_H

#include <rte_branch_prediction.h>
#include <rte_mbuf.h>
#include <stdbool.h>
#include <stdint.h>

#define OFFLOAD_CHECKSUM RTE_MBUF_F_TX_L4_MASK
/* DPDK has no flag for it; no driver is asked for what this one means to it, and none sees it. */
#define OFFLOAD_DATAGRAM RTE_MBUF_F_TX_MACSEC
#define OFFLOAD_SEGMENT (RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_UDP_SEG | OFFLOAD_DATAGRAM)
#define OFFLOAD_ANY (OFFLOAD_CHECKSUM | OFFLOAD_SEGMENT)

/* l2_len and l3_len go no further: fields of an mbuf. */
#define OFFLOAD_L2_MAX 127
#define OFFLOAD_L3_MAX 511

/* An empty packet that came with a header of the kernel's that does not fit it is marked so by its port: it is dropped
 * under DROP_RX_OFFLOAD. */
#define OFFLOAD_MALFORMED RTE_MBUF_F_RX_L4_CKSUM_BAD

/* What a port takes (struct port): packets without a checksum, and those to be cut besides. */
#define OFFLOAD_TAKES_CHECKSUM 1
#define OFFLOAD_TAKES_TCP4 2
#define OFFLOAD_TAKES_TCP6 4
#define OFFLOAD_TAKES_UDP 8
#define OFFLOAD_TAKES_CHAINS 16 /* packets of several mbufs, OFFLOAD_CHAIN_MAX of them at least */
#define OFFLOAD_TAKES_ALL 31
#define OFFLOAD_CHAIN_MAX 64

static inline bool offload_any(const struct rte_mbuf *m)
{
    return (m->ol_flags & OFFLOAD_ANY) != 0;
}

static inline bool offload_segmented(const struct rte_mbuf *m)
{
    return (m->ol_flags & OFFLOAD_SEGMENT) != 0;
}

static inline bool offload_datagram(const struct rte_mbuf *m)
{
    return (m->ol_flags & OFFLOAD_DATAGRAM) != 0;
}

/* What a port has to offer to take the packet as it is. Call it if offload_any() says so, but not of a datagram. */
static inline uint8_t offload_needs(const struct rte_mbuf *m)
{
    if (!offload_segmented(m))
        return OFFLOAD_TAKES_CHECKSUM;
    if (m->ol_flags & RTE_MBUF_F_TX_UDP_SEG)
        return OFFLOAD_TAKES_CHECKSUM | OFFLOAD_TAKES_UDP;
    return OFFLOAD_TAKES_CHECKSUM | (m->ol_flags & RTE_MBUF_F_TX_IPV4 ? OFFLOAD_TAKES_TCP4 : OFFLOAD_TAKES_TCP6);
}

/* Where the TCP or UDP header is. */
static inline uint32_t offload_l4(const struct rte_mbuf *m)
{
    return m->l2_len + m->l3_len;
}

/* Where in that header the checksum is: of TCP and of UDP. */
static inline uint32_t offload_field(const struct rte_mbuf *m)
{
    return (m->ol_flags & OFFLOAD_CHECKSUM) == RTE_MBUF_F_TX_TCP_CKSUM ? 16 : 6;
}

/* Bytes that each fragment of a datagram has and the whole has not: the fragment header of IPv6. */
static inline uint32_t offload_fragment_header(const struct rte_mbuf *m)
{
    return offload_datagram(m) && (m->ol_flags & RTE_MBUF_F_TX_IPV6) ? 8 : 0;
}

/* Bytes of the longest packet that goes out for `m`, if it is cut. */
static inline uint32_t offload_longest(const struct rte_mbuf *m)
{
    const uint32_t longest = offload_l4(m) + m->l4_len + m->tso_segsz + offload_fragment_header(m);

    if (!offload_segmented(m))
        return m->pkt_len;
    return offload_datagram(m) || longest < m->pkt_len ? longest : m->pkt_len;
}

/* How many packets go out for `m`. */
static inline uint32_t offload_packets(const struct rte_mbuf *m)
{
    const uint32_t headers = offload_l4(m) + m->l4_len;

    return offload_segmented(m) ? (m->pkt_len - headers + m->tso_segsz - 1) / m->tso_segsz : 1;
}

/* Bytes of the last of them, the shortest. */
static inline uint32_t offload_shortest(const struct rte_mbuf *m)
{
    return m->pkt_len - (offload_packets(m) - 1) * m->tso_segsz + offload_fragment_header(m);
}

/* Bytes of all of them: each has headers of its own. */
static inline uint32_t offload_bytes(const struct rte_mbuf *m)
{
    const uint32_t n = offload_packets(m);

    return m->pkt_len + (n - 1) * (offload_l4(m) + m->l4_len) + n * offload_fragment_header(m);
}

/* The sum (pmd/checksum.h) of the packet from `at`, an even place, to `end`. */
uint16_t packet_sum_of(const struct rte_mbuf *m, uint32_t at, uint32_t end);

/* Nothing but an Ethernet header and VLAN tags is in front of the IP header: what the kernel can cut up. */
bool offload_is_plain(const struct rte_mbuf *m);

/* Writes the checksum and takes the marks off. A packet that is to be cut stays in one piece, as its receiver would
 * have made it of the segments. The first mbuf's data are the caller's alone. */
void offload_finish(struct rte_mbuf *m);

/* `len` bytes from the start of the finished packet, which stays as it is: a copy. NULL: the pool is empty. */
struct rte_mbuf *offload_copy_start(struct rte_mbuf *m, struct rte_mempool *pool, uint32_t len);

/* The packets that go out for one, one by one. */
struct offload_cut {
    struct rte_mbuf *packet;
    struct rte_mempool *pool;
    uint32_t at;   /* bytes of the packet that are worked off */
    uint32_t done; /* segments */
    bool whole;    /* set by the caller behind offload_cut_begin(): a datagram stays whole, ... */
    bool flat;     /* ... and becomes one mbuf, in which it has room */
    bool failed;   /* the pool was empty: what was left of the packet is lost */
};

/* `m` belongs to the cut from now on. */
struct offload_cut offload_cut_begin(struct rte_mbuf *m, struct rte_mempool *pool);
/* The next finished packet, the caller's, with a copy of the metadata; NULL: that was all. */
struct rte_mbuf *offload_cut_next(struct offload_cut *cut);

/* A packet of `len` bytes, not written, of as many mbufs as that takes. NULL: the pool is empty, or it takes more than
 * `segments` mbufs. */
struct rte_mbuf *packet_alloc(struct rte_mempool *pool, uint32_t len, uint16_t segments);

/* A copy with its metadata and its marks, that has room for `room` bytes in front. NULL: the pool is empty. */
struct rte_mbuf *packet_copy_behind(struct rte_mbuf *m, struct rte_mempool *pool, uint16_t room);

#endif
