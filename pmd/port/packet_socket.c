#include "pmd/port/packet_socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <rte_common.h>
#include <rte_ether.h>
#include <rte_memcpy.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "pmd/offload.h"
#include "pmd/vnet.h"

#ifndef PACKET_FANOUT_FLAG_IGNORE_OUTGOING
#define PACKET_FANOUT_FLAG_IGNORE_OUTGOING 0x4000 /* Linux 5.10 */
#endif

/* A ring is that long, whatever its frames are. */
#define RING_SIZE (2u << 20)
#define FRAME_MIN 2048u
#define FRAME_MAX 16384u
/* In front of a packet in a frame, with an Ethernet header and tags behind it: generous. */
#define FRAME_OVERHEAD 128u
/* For packets that are longer than a frame, and for what a device has not sent yet. The kernel doubles it. */
#define SOCKET_BUFFER (8 << 20)
/* The most segments of a packet, and the most pieces of memory and packets of one call that sends. */
#define SEGMENTS_MAX 64
#define PARTS_MAX 256
#define SEND_MAX 64

static int set_option(int fd, int option, int value)
{
    return setsockopt(fd, SOL_PACKET, option, &value, sizeof value) < 0 ? -errno : 0;
}

/* As large as this process may make it: without CAP_NET_ADMIN net.core.rmem_max and wmem_max are the limit. */
static void set_buffer(int fd, int force, int option)
{
    int size = SOCKET_BUFFER;

    if (setsockopt(fd, SOL_SOCKET, force, &size, sizeof size) < 0)
        setsockopt(fd, SOL_SOCKET, option, &size, sizeof size);
}

/* A socket hears of every interface from when it has a protocol, so it gets one as it is bound. */
static int bind_to(int fd, int ifindex, uint16_t protocol)
{
    struct sockaddr_ll address = {
        .sll_family = AF_PACKET,
        .sll_protocol = htons(protocol),
        .sll_ifindex = ifindex,
    };

    return bind(fd, (struct sockaddr *)&address, sizeof address) < 0 ? -errno : 0;
}

static int open_socket(void)
{
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    return fd < 0 ? -errno : fd;
}

static int map_ring(struct packet_ring *ring, uint16_t mtu)
{
    ring->frame_size = RTE_MIN(RTE_MAX(rte_align32pow2(mtu + FRAME_OVERHEAD), FRAME_MIN), FRAME_MAX);
    ring->n_frames = RING_SIZE / ring->frame_size;
    struct tpacket_req request = {
        .tp_block_size = 4 * FRAME_MAX,
        .tp_block_nr = RING_SIZE / (4 * FRAME_MAX),
        .tp_frame_size = ring->frame_size,
        .tp_frame_nr = ring->n_frames,
    };

    if (setsockopt(ring->fd, SOL_PACKET, PACKET_RX_RING, &request, sizeof request) < 0)
        return -errno;
    void *frames = mmap(NULL, RING_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring->fd, 0);
    if (frames == MAP_FAILED)
        return -errno;
    ring->frames = frames;
    return 0;
}

static int join_promiscuous(int fd, int ifindex)
{
    struct packet_mreq request = {.mr_ifindex = ifindex, .mr_type = PACKET_MR_PROMISC};

    return setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &request, sizeof request) < 0 ? -errno : 0;
}

int packet_ring_open(struct packet_ring *ring, int ifindex, uint16_t mtu, bool promiscuous)
{
    int rc;

    *ring = (struct packet_ring){.fd = open_socket()};
    if (ring->fd < 0) {
        rc = ring->fd;
        ring->fd = -1;
        return rc;
    }
    rc = set_option(ring->fd, PACKET_VERSION, TPACKET_V2);
    if (rc == 0)
        rc = set_option(ring->fd, PACKET_VNET_HDR, 1);
    if (rc == 0)
        rc = set_option(ring->fd, PACKET_COPY_THRESH, 1); /* not 0: what a frame is too short for waits in the queue */
    if (rc == 0)
        rc = map_ring(ring, mtu);
    set_buffer(ring->fd, SO_RCVBUFFORCE, SO_RCVBUF);
    if (rc == 0) {
        /* Before Linux 4.20 they come and are passed over. */
        set_option(ring->fd, PACKET_IGNORE_OUTGOING, 1);
        rc = bind_to(ring->fd, ifindex, ETH_P_ALL);
    }
    if (rc == 0 && promiscuous)
        rc = join_promiscuous(ring->fd, ifindex);
    if (rc < 0)
        packet_ring_close(ring);
    return rc;
}

void packet_ring_unmap(struct packet_ring *ring)
{
    if (ring->frames)
        munmap(ring->frames, RING_SIZE);
    ring->frames = NULL;
}

void packet_ring_close(struct packet_ring *ring)
{
    packet_ring_unmap(ring);
    if (ring->fd >= 0)
        close(ring->fd);
    *ring = (struct packet_ring){.fd = -1};
}

/* The kernel chooses the group's id: one made of process and interface may be another switch's. */
int packet_rings_spread(const struct packet_ring *rings, unsigned n)
{
    static const int kinds[] = {PACKET_FANOUT_HASH | PACKET_FANOUT_FLAG_IGNORE_OUTGOING, PACKET_FANOUT_HASH};
    int kind = 0, group = 0, rc = -EINVAL;
    socklen_t size = sizeof group;

    for (unsigned i = 0; i < RTE_DIM(kinds) && rc == -EINVAL; i++) {
        kind = kinds[i];
        rc = set_option(rings[0].fd, PACKET_FANOUT, (kind | PACKET_FANOUT_FLAG_UNIQUEID) << 16);
    }
    if (rc == 0 && getsockopt(rings[0].fd, SOL_PACKET, PACKET_FANOUT, &group, &size) < 0)
        rc = -errno;
    for (unsigned i = 1; i < n && rc == 0; i++)
        rc = set_option(rings[i].fd, PACKET_FANOUT, (group & 0xffff) | kind << 16);
    return rc;
}

static struct tpacket2_hdr *frame_at(const struct packet_ring *ring)
{
    return (struct tpacket2_hdr *)(ring->frames + (size_t)ring->next * ring->frame_size);
}

bool packet_ring_ready(const struct packet_ring *ring)
{
    return ring->fd >= 0 && (__atomic_load_n(&frame_at(ring)->tp_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER);
}

static void frame_done(struct packet_ring *ring)
{
    __atomic_store_n(&frame_at(ring)->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
    ring->next = ring->next + 1 == ring->n_frames ? 0 : ring->next + 1;
}

static void copy_in(struct rte_mbuf *packet, const uint8_t *data)
{
    for (struct rte_mbuf *m = packet; m; m = m->next) {
        rte_memcpy(rte_pktmbuf_mtod(m, void *), data, m->data_len);
        data += m->data_len;
    }
}

/* From the socket's queue. False: it was not there. */
static bool fetch(int fd, struct rte_mbuf *packet)
{
    struct virtio_net_hdr header; /* as the one in the frame */
    struct iovec parts[SEGMENTS_MAX + 1] = {{&header, sizeof header}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 1};
    ssize_t len;

    for (struct rte_mbuf *m = packet; m; m = m->next)
        parts[message.msg_iovlen++] = (struct iovec){rte_pktmbuf_mtod(m, void *), m->data_len};
    len = recvmsg(fd, &message, 0);
    if (len < 0 && errno == ENETDOWN) /* said once after the interface went down, in place of a packet */
        len = recvmsg(fd, &message, 0);
    return len == (ssize_t)(sizeof header + packet->pkt_len);
}

/* The kernel takes the outermost tag out of what an interface receives. */
static bool put_tag_back(struct rte_mbuf *packet, const struct tpacket2_hdr *frame, uint32_t status)
{
    uint16_t type = status & TP_STATUS_VLAN_TPID_VALID ? frame->tp_vlan_tpid : RTE_ETHER_TYPE_VLAN;
    const rte_be16_t tag[2] = {rte_cpu_to_be_16(type), rte_cpu_to_be_16(frame->tp_vlan_tci)};
    uint8_t *data = (uint8_t *)rte_pktmbuf_prepend(packet, sizeof tag);

    if (!data)
        return false;
    memmove(data, data + sizeof tag, 2 * RTE_ETHER_ADDR_LEN);
    memcpy(data + 2 * RTE_ETHER_ADDR_LEN, tag, sizeof tag);
    return true;
}

static bool is_outgoing(const struct tpacket2_hdr *frame)
{
    const struct sockaddr_ll *address = (const void *)((const uint8_t *)frame + TPACKET_ALIGN(sizeof *frame));

    return address->sll_pkttype == PACKET_OUTGOING;
}

/* In front of the packet. */
static const struct virtio_net_hdr *frame_header(const struct tpacket2_hdr *frame)
{
    return (const void *)((const uint8_t *)frame + frame->tp_mac - sizeof(struct virtio_net_hdr));
}

bool packet_ring_take(struct packet_ring *ring, struct rte_mempool *pool, struct rte_mbuf **packet)
{
    const struct tpacket2_hdr *frame = frame_at(ring);
    uint32_t status = __atomic_load_n(&frame->tp_status, __ATOMIC_ACQUIRE);
    bool whole = true;

    while ((status & TP_STATUS_USER) && is_outgoing(frame)) {
        frame_done(ring);
        frame = frame_at(ring);
        status = __atomic_load_n(&frame->tp_status, __ATOMIC_ACQUIRE);
    }
    if (!(status & TP_STATUS_USER))
        return false;
    *packet = packet_alloc(pool, frame->tp_len, SEGMENTS_MAX);
    if (!*packet)
        return false;
    if (status & TP_STATUS_COPY)
        whole = fetch(ring->fd, *packet);
    else if (frame->tp_snaplen == frame->tp_len)
        copy_in(*packet, (const uint8_t *)frame + frame->tp_mac);
    else
        whole = false;
    if (whole && (status & TP_STATUS_VLAN_VALID))
        whole = put_tag_back(*packet, frame, status);
    if (!whole) {
        rte_pktmbuf_free(*packet);
        *packet = NULL;
    } else if (!vnet_mark(frame_header(frame), status & TP_STATUS_VLAN_VALID ? sizeof(struct rte_vlan_hdr) : 0,
                          *packet)) {
        vnet_mark_malformed(*packet);
    }
    frame_done(ring);
    return true;
}

uint32_t packet_ring_missed(const struct packet_ring *ring)
{
    struct tpacket_stats stats = {0};
    socklen_t size = sizeof stats;

    if (ring->fd < 0 || getsockopt(ring->fd, SOL_PACKET, PACKET_STATISTICS, &stats, &size) < 0)
        return 0;
    return stats.tp_drops;
}

int packet_sender_open(int ifindex)
{
    int fd = open_socket(), rc;

    if (fd < 0)
        return fd;
    set_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF);
    rc = set_option(fd, PACKET_VNET_HDR, 1);
    if (rc == 0)
        rc = bind_to(fd, ifindex, 0);
    if (rc == 0)
        return fd;
    close(fd);
    return rc;
}

void packet_sender_set_priority(int fd, uint32_t priority)
{
    setsockopt(fd, SOL_SOCKET, SO_PRIORITY, &priority, sizeof priority);
}

/* What one call sends: of each packet its header and its segments. */
struct batch {
    struct mmsghdr messages[SEND_MAX];
    struct virtio_net_hdr headers[SEND_MAX];
    struct iovec parts[PARTS_MAX];
};

/* Returns how many packets there is room for: at least one, as a packet has at most SEGMENTS_MAX segments, or 0 if the
 * first has more. */
static unsigned batch_fill(struct batch *batch, struct rte_mbuf *const *packets, unsigned n)
{
    unsigned used = 0, i;

    for (i = 0; i < n && i < SEND_MAX && packets[i]->nb_segs <= SEGMENTS_MAX; i++) {
        const unsigned n_parts = 1u + packets[i]->nb_segs;

        if (used + n_parts > PARTS_MAX)
            break;
        vnet_header(packets[i], &batch->headers[i]);
        batch->messages[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &batch->parts[used], .msg_iovlen = n_parts}};
        batch->parts[used++] = (struct iovec){&batch->headers[i], sizeof batch->headers[i]};
        for (const struct rte_mbuf *m = packets[i]; m; m = m->next)
            batch->parts[used++] = (struct iovec){rte_pktmbuf_mtod(m, void *), m->data_len};
    }
    return i;
}

unsigned packet_sender_send(int fd, struct rte_mbuf *const *packets, unsigned n, int *error)
{
    struct batch batch;
    unsigned sent = 0;

    while (sent < n) {
        const unsigned wanted = batch_fill(&batch, packets + sent, n - sent);
        const int took = wanted > 0 ? sendmmsg(fd, batch.messages, wanted, MSG_DONTWAIT) : -1;

        if (took <= 0) {
            *error = wanted > 0 ? errno : EMSGSIZE;
            break;
        }
        sent += (unsigned)took;
    }
    return sent;
}
