/* PORT_TAP: a network interface of the kernel's whose other end is a port.
 *
 * On the tun device directly, not on DPDK's tap driver, which looks the interface up by name for everything it does:
 * here the interface can be moved into a network namespace or renamed and stays a working port. A queue is a
 * descriptor; the kernel lets any thread write to it, so every poll-mode thread has a tx queue without a lock.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <poll.h>
#include <rte_common.h>
#include <rte_cycles.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "pmd/base/log.h"
#include "pmd/port/backend.h"
#include "pmd/offload.h"
#include "pmd/port/interface.h"
#include "pmd/port/tap_elsewhere.h"
#include "pmd/port/worker.h"
#include "pmd/vnet.h"

#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

/* Segments of one packet: 64 kB in mbufs of 2 kB, or of 1 kB. */
#define SEGMENTS_MAX 72
/* A burst ends at the packet that reaches it: large ones are long to copy. */
#define BURST_BYTES 65536
/* A packet is at most that long: what the kernel's stack makes one of. */
#define PACKET_MAX (65536 + 256)
/* An empty queue is a system call to find out: it is asked no more often than this. */
#define EMPTY_PAUSE_US 20

struct tap_rx {
    int fd;
    uint16_t n_segments; /* that a packet of the MTU's length needs */
    uint16_t n_before;   /* that the last packet needed */
    uint16_t n_ready;    /* mbufs in `ready` */
    uint64_t ask_again;  /* TSC */
    struct rte_mempool *pool;
    struct rte_mbuf *ready[SEGMENTS_MAX]; /* the next packet goes there */
    uint8_t *spill;                       /* and what it has more, PACKET_MAX bytes */
    uint64_t packets, bytes, missed;
} __attribute__((aligned(64)));

struct tap_tx {
    int fd; /* one of the receive queues' */
    uint64_t packets, bytes, errors;
} __attribute__((aligned(64)));

struct tap {
    struct tap_rx rx[PORT_QUEUES_MAX];
    struct tap_tx tx[PORT_QUEUES_MAX];
    uint64_t pause; /* EMPTY_PAUSE_US in TSC cycles */
    uint32_t room;  /* bytes of a packet in one mbuf */
    uint16_t n_fds;
    uint16_t mtu;
    bool persistent;
    bool elsewhere; /* in another namespace when the port was made */
    struct tap_place place;
    struct rte_ether_addr mac;
    struct interface_facts facts;
    char ifname[IFNAMSIZ];
};

/* Poll-mode threads from here. */

static void add(uint64_t *counter, uint64_t n)
{
    __atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

/* Fills `ready` up. False: the pool is empty. */
static bool prepare(struct tap_rx *q)
{
    uint16_t n = RTE_MAX(__atomic_load_n(&q->n_segments, __ATOMIC_RELAXED), q->n_before);

    if (q->n_ready >= n)
        return true;
    if (rte_pktmbuf_alloc_bulk(q->pool, q->ready + q->n_ready, n - q->n_ready) != 0) {
        add(&q->missed, 1);
        return false;
    }
    q->n_ready = n;
    return true;
}

/* Makes a packet of the first mbufs of `ready`, `len` bytes are in them. */
static struct rte_mbuf *take_packet(struct tap_rx *q, uint32_t len)
{
    struct rte_mbuf *packet = q->ready[0], *last = packet;
    uint16_t used = 1;

    packet->pkt_len = len;
    for (;;) {
        uint32_t part = RTE_MIN(len, rte_pktmbuf_tailroom(last));
        last->data_len = part;
        len -= part;
        if (!len)
            break;
        last->next = q->ready[used++];
        last = last->next;
    }
    packet->nb_segs = used;
    q->n_ready -= used;
    memmove(q->ready, q->ready + used, q->n_ready * sizeof q->ready[0]);
    return packet;
}

/* Adds the `len` bytes that are in q->spill to the packet. False: the pool is empty, the packet is gone. */
static bool add_spill(struct tap_rx *q, struct rte_mbuf *packet, uint32_t len)
{
    struct rte_mbuf *more = packet_alloc(q->pool, len, (uint16_t)(SEGMENTS_MAX - packet->nb_segs));
    const uint8_t *from = q->spill;

    if (!more) {
        rte_pktmbuf_free(packet);
        return false;
    }
    for (struct rte_mbuf *m = more; m; m = m->next) {
        memcpy(rte_pktmbuf_mtod(m, void *), from, m->data_len);
        from += m->data_len;
    }
    rte_pktmbuf_chain(packet, more);
    return true;
}

/* A packet of the kernel's stack may be 64 kB long or a few bytes, and an iovec is dear: as many mbufs are held out as
 * the last packet took, and one buffer for whatever is longer. */
static struct rte_mbuf *read_packet(struct tap_rx *q)
{
    struct virtio_net_hdr header;
    struct iovec parts[SEGMENTS_MAX + 2] = {{&header, sizeof header}};
    struct rte_mbuf *packet;
    uint32_t room = 0, len;
    ssize_t got;

    if (!prepare(q))
        return NULL;
    for (uint16_t i = 0; i < q->n_ready; i++) {
        parts[1 + i] = (struct iovec){rte_pktmbuf_mtod(q->ready[i], void *), rte_pktmbuf_tailroom(q->ready[i])};
        room += rte_pktmbuf_tailroom(q->ready[i]);
    }
    parts[1 + q->n_ready] = (struct iovec){q->spill, PACKET_MAX};
    got = readv(q->fd, parts, q->n_ready + 2);
    if (got <= (ssize_t)sizeof header)
        return NULL;
    len = (uint32_t)got - sizeof header;
    packet = take_packet(q, RTE_MIN(len, room));
    if (len > room && !add_spill(q, packet, len - room)) {
        add(&q->missed, 1);
        return NULL;
    }
    q->n_before = packet->nb_segs;
    if (!vnet_mark(&header, 0, packet))
        vnet_mark_malformed(packet);
    return packet;
}

static uint16_t tap_rx_burst(struct port *port, uint16_t queue, struct rte_mbuf **packets, uint16_t n)
{
    struct tap *tap = port->priv;
    struct tap_rx *q = &tap->rx[queue];
    uint64_t bytes = 0;
    uint16_t got = 0;

    if (rte_rdtsc() < q->ask_again)
        return 0;
    while (got < n && bytes < BURST_BYTES && (packets[got] = read_packet(q)))
        bytes += packets[got++]->pkt_len;
    if (got < n && bytes < BURST_BYTES)
        q->ask_again = rte_rdtsc() + tap->pause;
    if (got) {
        add(&q->packets, got);
        add(&q->bytes, bytes);
    }
    return got;
}

static ssize_t write_packet(int fd, const struct rte_mbuf *packet)
{
    struct virtio_net_hdr header;
    struct iovec parts[SEGMENTS_MAX + 1] = {{&header, sizeof header}};
    int n = 1;

    vnet_header(packet, &header);
    for (const struct rte_mbuf *m = packet; m; m = m->next) {
        if (n == SEGMENTS_MAX + 1) {
            errno = EMSGSIZE;
            return -1;
        }
        parts[n++] = (struct iovec){rte_pktmbuf_mtod(m, void *), m->data_len};
    }
    return writev(fd, parts, n);
}

/* The first packet that the kernel does not take may come before what it tells of the interface. */
static void found_down(struct port *port)
{
    if (!__atomic_load_n(&port->link_up, __ATOMIC_RELAXED))
        return;
    __atomic_store_n(&port->link_up, false, __ATOMIC_RELAXED);
    port_notify(port);
}

static uint16_t tap_tx_burst(struct port *port, uint16_t queue, struct rte_mbuf **packets, uint16_t n)
{
    struct tap *tap = port->priv;
    struct tap_tx *q = &tap->tx[queue];
    uint64_t bytes = 0;
    uint16_t done = 0, sent = 0;

    for (; done < n; done++) {
        if (write_packet(q->fd, packets[done]) >= 0) {
            bytes += packets[done]->pkt_len;
            sent++;
        } else if (errno == EINVAL || errno == EMSGSIZE) {
            add(&q->errors, 1); /* this packet's fault */
        } else {
            if (errno == EIO)
                found_down(port);
            break; /* EAGAIN: full */
        }
    }
    if (sent) {
        add(&q->packets, sent);
        add(&q->bytes, bytes);
    }
    if (done)
        rte_pktmbuf_free_bulk(packets, done); /* the kernel has copies */
    return done;
}

/* Control thread from here. */

/* How many mbufs a frame with two VLAN tags takes. */
static uint16_t segments_for(const struct tap *tap, uint16_t mtu)
{
    return (port_frame_len(mtu) + 2 * sizeof(struct rte_vlan_hdr) + tap->room - 1) / tap->room;
}

static int tap_set_mtu(struct port *port, uint16_t mtu)
{
    struct tap *tap = port->priv;
    struct ifreq ifr = {.ifr_mtu = mtu};
    int rc;

    if (segments_for(tap, mtu) > SEGMENTS_MAX)
        return -EINVAL;
    rc = interface_ioctl(tap->ifname, SIOCSIFMTU, &ifr);
    /* In another namespace it is for those who moved it there to set. */
    if (rc < 0 && rc != -ENODEV)
        return rc;
    tap->mtu = mtu;
    for (uint16_t q = 0; q < port->n_rxq; q++)
        __atomic_store_n(&tap->rx[q].n_segments, segments_for(tap, mtu), __ATOMIC_RELAXED);
    __atomic_store_n(&port->max_len, port_frame_len(mtu), __ATOMIC_RELAXED);
    port_notify(port);
    return 0;
}

/* The kernel sees it as a pulled cable. */
static int tap_set_admin_up(struct port *port, bool up)
{
    struct tap *tap = port->priv;
    int carrier = up;

    if (ioctl(tap->rx[0].fd, TUNSETCARRIER, &carrier) < 0)
        return -errno;
    __atomic_store_n(&port->admin_up, up, __ATOMIC_RELAXED);
    port_notify(port);
    return 0;
}

/* A tun descriptor is writable while the interface is up, in whatever namespace that is. */
static bool interface_up(struct port *port)
{
    struct tap *tap = port->priv;
    struct pollfd fd = {.fd = tap->rx[0].fd, .events = POLLOUT};

    if (poll(&fd, 1, 0) < 0)
        return false;
    if ((fd.revents & POLLERR) && !port->lost) {
        port->lost = true;
        LOG_INFO(LOG_PORT, "%s: the interface %s was deleted: \"sluicectl reload\" makes it again", port->name,
                 tap->ifname);
    }
    return fd.revents & POLLOUT;
}

static void tap_get_status(struct port *port, struct port_status *status)
{
    struct tap *tap = port->priv;

    *status = (struct port_status){
        .link_up = interface_up(port),
        .speed_mbps = tap->facts.speed_mbps,
        .full_duplex = tap->facts.full_duplex,
        .mtu = tap->mtu,
        .mac = tap->mac,
        .rx_queues = port->n_rxq,
        .tx_queues = port->n_txq,
        .numa_node = -1,
        .driver = "tap",
    };
    __atomic_store_n(&port->link_up, status->link_up, __ATOMIC_RELAXED);
}

static void tap_get_stats(struct port *port, struct port_stats *stats)
{
    const struct tap *tap = port->priv;

    memset(stats, 0, sizeof *stats);
    for (uint16_t q = 0; q < port->n_rxq; q++) {
        stats->rx_packets += __atomic_load_n(&tap->rx[q].packets, __ATOMIC_RELAXED);
        stats->rx_bytes += __atomic_load_n(&tap->rx[q].bytes, __ATOMIC_RELAXED);
        stats->rx_missed += __atomic_load_n(&tap->rx[q].missed, __ATOMIC_RELAXED);
    }
    for (uint16_t q = 0; q < port->n_txq; q++) {
        stats->tx_packets += __atomic_load_n(&tap->tx[q].packets, __ATOMIC_RELAXED);
        stats->tx_bytes += __atomic_load_n(&tap->tx[q].bytes, __ATOMIC_RELAXED);
        stats->tx_errors += __atomic_load_n(&tap->tx[q].errors, __ATOMIC_RELAXED);
    }
}

static void tap_describe(struct port *port, port_describe_fn *put, void *arg)
{
    const struct tap *tap = port->priv;

    interface_describe(&tap->facts, put, arg);
}

static void tap_count(struct port *port, port_count_fn *put, void *arg)
{
    if (port->ifindex != 0 && !port->lost && !port->moved)
        interface_count(port->ifindex, put, arg);
}

/* Its descriptors are closed, or somebody else's. */
static void tap_free(struct tap *tap)
{
    for (uint16_t q = 0; q < tap->n_fds; q++) {
        if (tap->rx[q].n_ready)
            rte_pktmbuf_free_bulk(tap->rx[q].ready, tap->rx[q].n_ready);
        free(tap->rx[q].spill);
    }
    free(tap);
}

static void tap_close(struct tap *tap)
{
    for (uint16_t q = 0; q < tap->n_fds; q++)
        close(tap->rx[q].fd);
    tap_free(tap);
}

/* Descriptors that the worker closes: with the last one of it the kernel deletes the interface. */
struct closing {
    struct port_closing closing; /* first */
    uint16_t n_fds;
    int fds[PORT_QUEUES_MAX];
};

static void close_descriptors(struct worker_job *job)
{
    const struct closing *closing = (struct closing *)job;

    for (uint16_t i = 0; i < closing->n_fds; i++)
        close(closing->fds[i]);
}

static void tap_destroy(struct port *port)
{
    struct tap *tap = port->priv;
    struct closing *closing = malloc(sizeof *closing);

    if (tap->persistent && port->discard)
        ioctl(tap->rx[0].fd, TUNSETPERSIST, 0);
    if (closing) {
        closing->n_fds = tap->n_fds;
        for (uint16_t q = 0; q < tap->n_fds; q++)
            closing->fds[q] = tap->rx[q].fd;
        port_close_later(&closing->closing, port, close_descriptors);
        tap_free(tap);
    } else {
        tap_close(tap);
    }
    port_free(port);
}

static const struct port_ops tap_ops = {
    .rx_burst = tap_rx_burst,
    .tx_burst = tap_tx_burst,
    .set_admin_up = tap_set_admin_up,
    .set_mtu = tap_set_mtu,
    .get_status = tap_get_status,
    .get_stats = tap_get_stats,
    .describe = tap_describe,
    .count = tap_count,
    .schedule = port_set_scheduling,
    .scheduled = port_scheduling_result,
    .destroy = tap_destroy,
};

static void attach_error(const char *ifname, int error_number, char *error, size_t error_size)
{
    const char *advice;

    switch (error_number) {
    case EPERM:
    case EACCES:
        advice = "a TAP port needs CAP_NET_ADMIN: run sluiced as root or give it that capability";
        break;
    case ENOENT:
    case ENXIO:
    case ENODEV:
        advice = "the kernel has no tun driver: \"modprobe tun\"";
        break;
    case EBUSY:
        advice = "another process uses that interface: end it or choose another ifname";
        break;
    case EINVAL:
        advice = "an interface of that name exists and is not a multi-queue TAP: choose another ifname or delete it";
        break;
    default:
        advice = "see the kernel's log";
    }
    port_error(error, error_size, "interface %s: %s: %s", ifname, strerror(error_number), advice);
}

/* The kernel's stack may leave checksums and the cutting of large packets to whoever the packets go to. */
static bool set_offloads(const struct tap *tap, int fd, char *error, size_t error_size)
{
    static const unsigned long offloads = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
    int size = sizeof(struct virtio_net_hdr);

    if (ioctl(fd, TUNSETVNETHDRSZ, &size) < 0) {
        port_error(error, error_size, "interface %s: the kernel's tun driver has no offloads: %s", tap->ifname,
                   strerror(errno));
        return false;
    }
    /* Segments of UDP: Linux 6.2. Without any the stack finishes its packets itself. */
    if (ioctl(fd, TUNSETOFFLOAD, offloads | TUN_F_USO4 | TUN_F_USO6) < 0 && ioctl(fd, TUNSETOFFLOAD, offloads) < 0)
        LOG_WARN(LOG_PORT, "interface %s: no offloads (%s): slower", tap->ifname, strerror(errno));
    return true;
}

/* A descriptor, or a negative errno. */
static int open_here(const char *ifname, short flags)
{
    struct ifreq ifr = {.ifr_flags = flags};
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC), rc;

    if (fd < 0)
        return -errno;
    snprintf(ifr.ifr_name, sizeof ifr.ifr_name, "%s", ifname);
    if (ioctl(fd, TUNSETIFF, &ifr) == 0)
        return fd;
    rc = -errno;
    close(fd);
    return rc;
}

/* One more queue of the interface; the first one makes it. */
static bool attach_queue(struct tap *tap, char *error, size_t error_size)
{
    const short flags = IFF_TAP | IFF_NO_PI | IFF_MULTI_QUEUE | IFF_VNET_HDR;
    int fd = tap->elsewhere ? tap_elsewhere_open(&tap->place, flags) : open_here(tap->ifname, flags);

    if (fd < 0) {
        attach_error(tap->ifname, -fd, error, error_size);
        return false;
    }
    tap->rx[tap->n_fds].spill = malloc(PACKET_MAX);
    tap->rx[tap->n_fds++].fd = fd;
    if (!tap->rx[tap->n_fds - 1].spill) {
        port_error(error, error_size, "out of memory");
        return false;
    }
    return set_offloads(tap, fd, error, error_size);
}

static bool set_address(struct tap *tap, const struct port_params *params, char *error, size_t error_size)
{
    struct ifreq ifr = {.ifr_hwaddr.sa_family = ARPHRD_ETHER};

    if (params->has_mac && !tap->elsewhere) {
        memcpy(ifr.ifr_hwaddr.sa_data, &params->mac, RTE_ETHER_ADDR_LEN);
        if (ioctl(tap->rx[0].fd, SIOCSIFHWADDR, &ifr) < 0) {
            port_error(error, error_size, "interface %s: mac: %s", tap->ifname, strerror(errno));
            return false;
        }
    }
    if (ioctl(tap->rx[0].fd, SIOCGIFHWADDR, &ifr) == 0)
        memcpy(&tap->mac, ifr.ifr_hwaddr.sa_data, RTE_ETHER_ADDR_LEN);
    return true;
}

static int set_up(const struct tap *tap)
{
    struct ifreq ifr = {0};
    int rc = interface_ioctl(tap->ifname, SIOCGIFFLAGS, &ifr);

    if (rc < 0)
        return rc;
    ifr.ifr_flags |= IFF_UP;
    return interface_ioctl(tap->ifname, SIOCSIFFLAGS, &ifr);
}

/* Whether a persistent interface is up, is for those to say who use it. */
static bool interface_setup(struct tap *tap, const struct port_params *params, char *error, size_t error_size)
{
    struct ifreq ifr = {.ifr_mtu = params->mtu};
    int rc;

    if (segments_for(tap, params->mtu) > SEGMENTS_MAX) {
        port_error(error, error_size, "mtu is %u: too long for mbufs of %u bytes: raise dpdk.mbuf_size", params->mtu,
                   tap->room);
        return false;
    }
    for (uint16_t q = 0; q < params->rx_queues; q++)
        if (!attach_queue(tap, error, error_size))
            return false;
    if (!set_address(tap, params, error, error_size))
        return false;
    if (tap->elsewhere) { /* the rest is for those to say who moved it there */
        tap->persistent = true;
        return true;
    }
    rc = interface_ioctl(tap->ifname, SIOCSIFMTU, &ifr);
    if (rc == 0 && !params->persistent)
        rc = set_up(tap);
    if (rc == 0 && params->persistent && ioctl(tap->rx[0].fd, TUNSETPERSIST, 1) < 0)
        rc = -errno;
    if (rc < 0)
        port_error(error, error_size, "interface %s: mtu %u and up: %s", tap->ifname, params->mtu, strerror(-rc));
    tap->persistent = params->persistent;
    if (rc == 0 && params->persistent && params->label && tap_elsewhere_label(tap->ifname, params->label) < 0)
        LOG_INFO(LOG_PORT,
                 "%s: the interface gets no alias (%s): moved to a network namespace, it is not found again "
                 "there after a restart",
                 params->name, strerror(errno));
    return rc == 0;
}

/* Whether the interface is in another namespace: there is none here, and one there that has the port's label. */
static void find(struct tap *tap, const struct port_params *params)
{
    if (!params->persistent || !params->label || if_nametoindex(tap->ifname) != 0 ||
        !tap_elsewhere_find(params->label, &tap->place))
        return;
    tap->elsewhere = true;
    tap->mtu = tap->place.mtu;
    LOG_INFO(LOG_PORT, "%s: the interface is in the network namespace of %s, as %s", params->name, tap->place.netns,
             tap->place.ifname);
}

static void note_interface(struct port *port, const struct tap *tap)
{
    if (!tap->elsewhere) {
        port_set_interface(port, tap->ifname);
        return;
    }
    snprintf(port->ifname, sizeof port->ifname, "%s", tap->ifname);
    port->ifindex = tap->place.ifindex; /* which it keeps if it comes back */
    port->moved = true;
    port->max_len = port_frame_len(tap->mtu);
}

struct port *tap_create(const struct port_params *params, char *error, size_t error_size)
{
    struct tap *tap;
    struct port *port = NULL;

    if (!interface_name_valid(params->ifname))
        return port_error(
            error, error_size,
            "ifname \"%s\": an interface name has 1 to %d characters, none of them a blank or one of / : %%",
            params->ifname ? params->ifname : "", IFNAMSIZ - 1);
    tap = aligned_alloc(_Alignof(struct tap), sizeof *tap);
    if (!tap)
        return port_error(error, error_size, "out of memory");
    memset(tap, 0, sizeof *tap);
    snprintf(tap->ifname, sizeof tap->ifname, "%s", params->ifname);
    tap->room = rte_pktmbuf_data_room_size(params->pool) - RTE_PKTMBUF_HEADROOM;
    tap->mtu = params->mtu;
    tap->pause = rte_get_tsc_hz() / 1000000 * EMPTY_PAUSE_US;
    find(tap, params);
    if (interface_setup(tap, params, error, error_size))
        port = port_alloc(params, &tap_ops, params->rx_queues, params->tx_queues, error, error_size);
    if (!port) {
        tap_close(tap);
        return NULL;
    }
    for (uint16_t q = 0; q < port->n_rxq; q++) {
        tap->rx[q].pool = params->pool;
        tap->rx[q].n_segments = segments_for(tap, tap->mtu);
    }
    for (uint16_t q = 0; q < port->n_txq; q++)
        tap->tx[q].fd = tap->rx[q % tap->n_fds].fd;
    port->priv = tap;
    port->offloads = true;
    port->takes = OFFLOAD_TAKES_ALL;
    note_interface(port, tap);
    tap->facts.full_duplex = true;
    if (!tap->elsewhere)
        interface_read_facts(tap->ifname, &tap->facts);
    return port;
}
