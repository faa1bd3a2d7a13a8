/* PORT_SYSTEM: a network interface that the kernel has, by its name: one end of a veth pair, a NIC with a driver of the
 * kernel's, a bond.
 *
 * The port takes what the interface receives and sends by it; addresses on the interface are the kernel's and stay in
 * use. An interface that is deleted leaves the port behind: it is down until there is one of that name again, and then
 * opens its sockets anew, while poll-mode threads go on polling it. So each queue has a lock, which nobody ever waits
 * for in the poll loop: a queue that is being opened is empty, and takes nothing.
 *
 * The interface is made up by whoever made it, not by the port; only OFPPC_PORT_DOWN takes it down, and up again.
 */
#include <errno.h>
#include <linux/sockios.h>
#include <rte_common.h>
#include <rte_spinlock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/log.h"
#include "pmd/offload.h"
#include "pmd/port/backend.h"
#include "pmd/port/interface.h"
#include "pmd/port/packet_opener.h"
#include "pmd/port/packet_socket.h"
#include "pmd/queue.h"

/* A burst ends at the packet that reaches it: large segments are long to copy. */
#define BURST_BYTES 65536

struct system_rx {
    rte_spinlock_t busy;
    struct packet_ring ring;
    struct rte_mempool *pool;
    uint64_t packets, bytes, cut; /* cut: not whole, dropped */

    /* Control thread. */
    uint64_t taken_before; /* packets and cut ones, as of the last look */
    uint32_t dropped;      /* by the kernel since then */
} __attribute__((aligned(64)));

struct system_tx {
    rte_spinlock_t busy;
    int fd;            /* -1: closed */
    uint32_t priority; /* of the socket, as it was set last */
    uint64_t packets, bytes, errors;
} __attribute__((aligned(64)));

struct system {
    struct system_rx rx[PORT_QUEUES_MAX];
    struct system_tx tx[PORT_QUEUES_MAX];

    /* Control thread. */
    uint64_t missed;          /* by the kernel, as far as it was asked */
    uint16_t mtu_wanted, mtu; /* wanted: 0 = the interface's own */
    struct interface_facts facts;
    bool has_facts; /* of the interface as it is since it came up */
    bool has_mac;
    struct rte_ether_addr mac;
    struct packet_opening *opening; /* NULL: none is under way */
    int open_error;                 /* said in the log: why the interface could not be opened */
};

/* Poll-mode threads from here. */

static void add(uint64_t *counter, uint64_t n)
{
    __atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

static uint16_t receive(struct system_rx *q, struct rte_mbuf **packets, uint16_t n)
{
    uint64_t bytes = 0;
    uint16_t got = 0;

    while (got < n && bytes < BURST_BYTES && packet_ring_take(&q->ring, q->pool, &packets[got])) {
        if (packets[got])
            bytes += packets[got++]->pkt_len;
        else
            add(&q->cut, 1);
    }
    add(&q->packets, got);
    add(&q->bytes, bytes);
    return got;
}

static uint16_t system_rx_burst(struct port *port, uint16_t queue, struct rte_mbuf **packets, uint16_t n)
{
    struct system *system = port->priv;
    struct system_rx *q = &system->rx[queue];
    uint16_t got = 0;

    if (!rte_spinlock_trylock(&q->busy))
        return 0;
    if (packet_ring_ready(&q->ring))
        got = receive(q, packets, n);
    rte_spinlock_unlock(&q->busy);
    return got;
}

/* The first packet that the kernel does not take may come before what it tells of the interface. */
static void found_down(struct port *port)
{
    if (!__atomic_load_n(&port->link_up, __ATOMIC_RELAXED))
        return;
    __atomic_store_n(&port->link_up, false, __ATOMIC_RELAXED);
    port_notify(port);
}

/* Whether the error is about the packet, which is gone then, and not about the interface. */
static bool is_packets_fault(int error)
{
    return error == EMSGSIZE || error == EINVAL;
}

/* Returns how many packets are done with: sent, or not to be sent. With less than `n`, *error is why. */
static uint16_t transmit(struct system_tx *q, struct rte_mbuf **packets, uint16_t n, int *error)
{
    uint64_t bytes = 0;
    unsigned done = 0, sent = 0, took;
    while (done < n) {
        took = packet_sender_send(q->fd, packets + done, n - done, error);
        for (unsigned i = 0; i < took; i++)
            bytes += packets[done + i]->pkt_len;
        sent += took;
        done += took;
        if (done == n || !is_packets_fault(*error))
            break;
        add(&q->errors, 1);
        done++;
    }
    add(&q->packets, sent);
    add(&q->bytes, bytes);
    return (uint16_t)done;
}

/* How many packets from the first on are of its queue. */
static uint16_t count_alike(struct rte_mbuf **packets, uint16_t n)
{
    const uint32_t queue = packet_queue(packets[0]);
    uint16_t i = 1;

    while (i < n && packet_queue(packets[i]) == queue)
        i++;
    return i;
}

static void set_priority(struct system_tx *q, uint32_t priority)
{
    if (priority != q->priority)
        packet_sender_set_priority(q->fd, priority);
    q->priority = priority;
}

/* As transmit(), with the queue of each packet as the socket's priority, by which the kernel finds the class. */
static __rte_noinline uint16_t transmit_by_queue(struct system_tx *q, struct rte_mbuf **packets, uint16_t n, int *error)
{
    uint16_t done = 0, wanted, took;

    do {
        const uint32_t queue = packet_queue(packets[done]);

        set_priority(q, queue > 0 && queue <= PORT_CLASS_QUEUE_MAX ? PORT_SCHEDULER_MAJOR | (queue + 1) : 0);
        wanted = count_alike(packets + done, n - done);
        took = transmit(q, packets + done, wanted, error);
        done += took;
    } while (took == wanted && done < n);
    return done;
}

static uint16_t system_tx_burst(struct port *port, uint16_t queue, struct rte_mbuf **packets, uint16_t n)
{
    struct system *system = port->priv;
    struct system_tx *q = &system->tx[queue];
    uint16_t done = 0;
    int error = 0;

    if (!rte_spinlock_trylock(&q->busy))
        return 0;
    if (q->fd >= 0 && unlikely(__atomic_load_n(&port->classful, __ATOMIC_RELAXED))) {
        done = transmit_by_queue(q, packets, n, &error);
    } else if (q->fd >= 0) {
        set_priority(q, 0); /* nobody has classes any more */
        done = transmit(q, packets, n, &error);
    }
    rte_spinlock_unlock(&q->busy);
    if (done < n && (error == ENETDOWN || error == ENXIO))
        found_down(port);
    if (done)
        rte_pktmbuf_free_bulk(packets, done); /* the kernel has copies */
    return done;
}

/* Control thread from here. */

static void note_missed(struct port *port)
{
    struct system *system = port->priv;

    for (uint16_t q = 0; q < port->n_rxq; q++) {
        uint32_t n = packet_ring_missed(&system->rx[q].ring);

        system->missed += n;
        system->rx[q].dropped += n;
    }
}

/* Whether the kernel drops what there is room for: none of the ring was used since the last look, and it is empty. */
static bool is_stuck(struct system_rx *rx)
{
    uint64_t taken = __atomic_load_n(&rx->packets, __ATOMIC_RELAXED) + __atomic_load_n(&rx->cut, __ATOMIC_RELAXED);
    bool stuck = rx->dropped > 0 && taken == rx->taken_before && rte_spinlock_trylock(&rx->busy);

    if (stuck) {
        stuck = rx->ring.fd >= 0 && !packet_ring_ready(&rx->ring);
        rte_spinlock_unlock(&rx->busy);
    }
    rx->taken_before = taken;
    rx->dropped = 0;
    return stuck;
}

/* Gives the queues other rings and closes those that they had. */
static void give_rings(struct port *port, struct packet_ring *rings)
{
    struct system *system = port->priv;

    note_missed(port);
    for (uint16_t q = 0; q < port->n_rxq; q++) {
        struct system_rx *rx = &system->rx[q];
        struct packet_ring old = rx->ring;

        rte_spinlock_lock(&rx->busy);
        rx->ring = rings[q];
        rte_spinlock_unlock(&rx->busy);
        packet_ring_close_later(&old);
    }
}

static void give_senders(struct port *port, const int *senders)
{
    struct system *system = port->priv;

    for (uint16_t q = 0; q < port->n_txq; q++) {
        struct system_tx *tx = &system->tx[q];
        int old = tx->fd;

        rte_spinlock_lock(&tx->busy);
        tx->fd = senders[q];
        tx->priority = 0;
        rte_spinlock_unlock(&tx->busy);
        packet_sender_close_later(old);
    }
}

/* 0 or a negative errno. */
static int open_senders(struct port *port, int ifindex)
{
    int senders[PORT_QUEUES_MAX], rc = 0;
    uint16_t n = 0;

    for (; n < port->n_txq; n++) {
        senders[n] = packet_sender_open(ifindex);
        if (senders[n] < 0) {
            rc = senders[n];
            break;
        }
    }
    if (rc == 0)
        give_senders(port, senders);
    for (uint16_t q = 0; rc < 0 && q < n; q++)
        packet_sender_close_later(senders[q]);
    return rc;
}

/* 0 or a negative errno. */
static int write_flag(const char *ifname, bool up)
{
    struct ifreq ifr = {0};
    int rc = interface_ioctl(ifname, SIOCGIFFLAGS, &ifr);

    if (rc < 0 || !!(ifr.ifr_flags & IFF_UP) == up)
        return rc;
    ifr.ifr_flags = (short)(up ? ifr.ifr_flags | IFF_UP : ifr.ifr_flags & ~IFF_UP);
    return interface_ioctl(ifname, SIOCSIFFLAGS, &ifr);
}

/* Sets the MTU if one is wanted, and reads what it is. 0 or a negative errno. */
static int settle_mtu(struct port *port, const char *ifname)
{
    struct system *system = port->priv;
    struct ifreq ifr = {.ifr_mtu = system->mtu_wanted};
    int rc = system->mtu_wanted ? interface_ioctl(ifname, SIOCSIFMTU, &ifr) : 0;

    if (rc == 0)
        rc = interface_ioctl(ifname, SIOCGIFMTU, &ifr);
    if (rc < 0)
        return rc;
    system->mtu = (uint16_t)RTE_MIN(ifr.ifr_mtu, UINT16_MAX - RTE_ETHER_HDR_LEN);
    __atomic_store_n(&port->max_len, port_frame_len(system->mtu), __ATOMIC_RELAXED);
    return 0;
}

/* Finds the interface by its name. The port works on it when the rings are open, too. 0 or a negative errno; -ENODEV:
 * there is none. */
static int open_interface(struct port *port)
{
    struct system *system = port->priv;
    int ifindex = interface_index(port->ifname), rc;

    if (ifindex == 0)
        return -ENODEV;
    rc = settle_mtu(port, port->ifname);
    if (rc == 0)
        rc = open_senders(port, ifindex);
    if (rc < 0)
        return rc;
    system->opening = packet_opening_start(port, ifindex, system->mtu, port->n_rxq);
    if (!system->opening)
        return -ENOMEM;
    if (!port->admin_up)
        write_flag(port->ifname, false);
    system->has_facts = false;
    /* Not by the name again: that may be another interface's by now. */
    port->ifindex = ifindex;
    port->lost = false;
    return 0;
}

static const char *advice(int error)
{
    switch (error) {
    case EPERM:
    case EACCES:
        return "a system port needs CAP_NET_RAW, and CAP_NET_ADMIN to set an MTU: run sluiced as root or give it "
               "those capabilities";
    case ENOMEM:
    case ENOBUFS:
        return "a receive queue takes 2 MB of the kernel's memory: free some, or lower rx_queues";
    case ENOPROTOOPT:
    case EAFNOSUPPORT:
        return "the kernel lacks packet sockets (CONFIG_PACKET): \"modprobe af_packet\"";
    default:
        return "see the kernel's log";
    }
}

/* Said once. */
static void say_error(struct port *port, int rc)
{
    struct system *system = port->priv;

    if (rc < 0 && rc != system->open_error && rc != -ENODEV)
        LOG_ERR(LOG_PORT, "%s: interface %s: %s: %s", port->name, port->ifname, strerror(-rc), advice(-rc));
    system->open_error = rc;
}

/* A packet for which the kernel can make no header, such as large ones of SCTP, costs a ring the frame that it was to
 * lie in, and the kernel waits for that frame for ever (tpacket_rcv(), as of Linux 6.18). Other rings go on. */
static void replace_stuck_rings(struct port *port)
{
    struct system *system = port->priv;
    bool stuck = false;

    note_missed(port);
    for (uint16_t q = 0; q < port->n_rxq; q++)
        stuck |= is_stuck(&system->rx[q]);
    if (!stuck || system->opening)
        return;
    LOG_WARN(LOG_PORT,
             "%s: the kernel received a large packet on %s that it cannot hand on, and nothing since: opening it again",
             port->name, port->ifname);
    system->opening = packet_opening_start(port, port->ifindex, system->mtu, port->n_rxq);
}

static void interface_returned(struct port *port)
{
    LOG_INFO(LOG_PORT, "%s: the interface %s is there again", port->name, port->ifname);
    port_scheduling_renew(port);
}

static void try_again(struct port *port)
{
    int rc = open_interface(port);

    if (rc == 0)
        interface_returned(port);
    else
        say_error(port, rc);
}

/* Takes what was being opened, if it is. */
static void finish_opening(struct port *port)
{
    struct system *system = port->priv;
    struct packet_opened opened;

    if (!system->opening || !packet_opening_finish(system->opening, &opened))
        return;
    system->opening = NULL;
    system->facts = opened.facts;
    system->has_facts = true;
    say_error(port, opened.error);
    if (opened.error)
        port->lost = true; /* to be tried again */
    else if (opened.n > 0)
        give_rings(port, opened.rings);
}

/* The speed may be another one since the link is up again. */
static void refresh_facts(struct port *port)
{
    struct system *system = port->priv;

    if (port->kernel_down)
        system->has_facts = false;
    else if (!system->has_facts && !system->opening)
        system->opening = packet_opening_start(port, port->ifindex, system->mtu, 0);
}

/* The interface is gone: its rings are no use, nor are those that are being opened. */
static void give_up_rings(struct port *port)
{
    struct system *system = port->priv;
    struct packet_ring none[PORT_QUEUES_MAX];

    if (system->opening)
        packet_opening_abandon(system->opening);
    system->opening = NULL;
    if (system->rx[0].ring.fd < 0)
        return;
    for (uint16_t q = 0; q < port->n_rxq; q++)
        none[q] = (struct packet_ring){.fd = -1};
    give_rings(port, none);
}

/* The interface may have been renamed since. Empty: it is gone. */
static void name_now(const struct port *port, char ifname[IFNAMSIZ])
{
    if (!interface_name(port->ifindex, ifname))
        ifname[0] = 0;
}

/* The kernel tells of it, too; but it may have been deleted while it was being opened. */
static void found_gone(struct port *port)
{
    LOG_INFO(LOG_PORT, "%s: the interface %s was deleted: the port is down until there is one of that name again",
             port->name, port->ifname);
    port->lost = true;
}

static void look_at_interface(struct port *port, struct port_status *status)
{
    struct system *system = port->priv;
    char ifname[IFNAMSIZ];
    struct ifreq ifr = {0};

    name_now(port, ifname);
    if (!*ifname) {
        found_gone(port);
        return;
    }
    if (interface_ioctl(ifname, SIOCGIFFLAGS, &ifr) == 0) {
        port->if_down = !(ifr.ifr_flags & IFF_UP);
        port->kernel_down = port->if_down || !(ifr.ifr_flags & IFF_RUNNING);
    }
    status->link_up = !port->kernel_down;
    refresh_facts(port);
    if (interface_ioctl(ifname, SIOCGIFMTU, &ifr) == 0 && ifr.ifr_mtu != system->mtu) {
        system->mtu = (uint16_t)RTE_MIN(ifr.ifr_mtu, UINT16_MAX - RTE_ETHER_HDR_LEN);
        __atomic_store_n(&port->max_len, port_frame_len(system->mtu), __ATOMIC_RELAXED);
    }
    if (!system->has_mac && interface_ioctl(ifname, SIOCGIFHWADDR, &ifr) == 0)
        memcpy(&system->mac, ifr.ifr_hwaddr.sa_data, RTE_ETHER_ADDR_LEN);
}

static void system_get_status(struct port *port, struct port_status *status)
{
    struct system *system = port->priv;

    *status = (struct port_status){.numa_node = -1, .driver = "system"};
    finish_opening(port);
    if (port->lost) {
        give_up_rings(port);
        try_again(port);
    }
    if (!port->lost)
        look_at_interface(port, status);
    if (status->link_up)
        replace_stuck_rings(port);
    status->link_up &= system->rx[0].ring.fd >= 0;
    status->speed_mbps = system->facts.speed_mbps;
    status->full_duplex = system->facts.full_duplex;
    status->described = system->facts.driver[0] != 0;
    status->mtu = system->mtu;
    status->mac = system->mac;
    status->rx_queues = port->n_rxq;
    status->tx_queues = port->n_txq;
    __atomic_store_n(&port->link_up, status->link_up, __ATOMIC_RELAXED);
}

static int system_set_mtu(struct port *port, uint16_t mtu)
{
    struct system *system = port->priv;
    char ifname[IFNAMSIZ];
    int rc = 0;

    system->mtu_wanted = mtu;
    name_now(port, ifname);
    if (*ifname && !port->lost)
        rc = settle_mtu(port, ifname);
    port_notify(port);
    return rc == -ENODEV ? 0 : rc; /* set when the interface is there */
}

static int system_set_admin_up(struct port *port, bool up)
{
    char ifname[IFNAMSIZ];
    int rc = 0;

    name_now(port, ifname);
    if (*ifname && !port->lost)
        rc = write_flag(ifname, up);
    if (rc < 0 && rc != -ENODEV)
        return rc;
    __atomic_store_n(&port->admin_up, up, __ATOMIC_RELAXED);
    port_notify(port);
    return 0;
}

static void system_get_stats(struct port *port, struct port_stats *stats)
{
    struct system *system = port->priv;

    memset(stats, 0, sizeof *stats);
    note_missed(port);
    stats->rx_missed = system->missed;
    for (uint16_t q = 0; q < port->n_rxq; q++) {
        stats->rx_packets += __atomic_load_n(&system->rx[q].packets, __ATOMIC_RELAXED);
        stats->rx_bytes += __atomic_load_n(&system->rx[q].bytes, __ATOMIC_RELAXED);
        stats->rx_missed += __atomic_load_n(&system->rx[q].cut, __ATOMIC_RELAXED);
    }
    for (uint16_t q = 0; q < port->n_txq; q++) {
        stats->tx_packets += __atomic_load_n(&system->tx[q].packets, __ATOMIC_RELAXED);
        stats->tx_bytes += __atomic_load_n(&system->tx[q].bytes, __ATOMIC_RELAXED);
        stats->tx_errors += __atomic_load_n(&system->tx[q].errors, __ATOMIC_RELAXED);
    }
}

static void system_describe(struct port *port, port_describe_fn *put, void *arg)
{
    const struct system *system = port->priv;

    interface_describe(&system->facts, put, arg);
}

static void system_count(struct port *port, port_count_fn *put, void *arg)
{
    if (port->ifindex != 0 && !port->lost)
        interface_count(port->ifindex, put, arg);
}

static void system_free(struct port *port)
{
    struct system *system = port->priv;

    if (system->opening)
        packet_opening_abandon(system->opening);
    for (uint16_t q = 0; q < port->n_rxq; q++)
        packet_ring_close_later(&system->rx[q].ring);
    for (uint16_t q = 0; q < port->n_txq; q++)
        packet_sender_close_later(system->tx[q].fd);
    free(system);
    port_free(port);
}

static const struct port_ops system_ops = {
    .rx_burst = system_rx_burst,
    .tx_burst = system_tx_burst,
    .set_admin_up = system_set_admin_up,
    .set_mtu = system_set_mtu,
    .get_status = system_get_status,
    .get_stats = system_get_stats,
    .describe = system_describe,
    .count = system_count,
    .schedule = port_set_scheduling,
    .scheduled = port_scheduling_result,
    .destroy = system_free,
};

static struct system *system_alloc(const struct port_params *params)
{
    struct system *system = aligned_alloc(_Alignof(struct system), sizeof *system);

    if (!system)
        return NULL;
    memset(system, 0, sizeof *system);
    system->mtu_wanted = params->mtu;
    system->mtu = params->mtu ? params->mtu : RTE_ETHER_MTU;
    system->facts.full_duplex = true;
    system->has_mac = params->has_mac;
    system->mac = params->mac;
    if (!params->has_mac)
        port_default_mac(params->name, &system->mac);
    for (uint16_t q = 0; q < PORT_QUEUES_MAX; q++) {
        system->rx[q].pool = params->pool;
        system->rx[q].ring.fd = -1;
        system->tx[q].fd = -1;
    }
    return system;
}

struct port *system_create(const struct port_params *params, char *error, size_t error_size)
{
    struct port *port;
    int rc;

    if (!interface_name_valid(params->ifname))
        return port_error(
            error, error_size,
            "ifname \"%s\": an interface name has 1 to %d characters, none of them a blank or one of / : %%",
            params->ifname ? params->ifname : "", IFNAMSIZ - 1);
    port = port_alloc(params, &system_ops, params->rx_queues, params->tx_queues, error, error_size);
    if (!port)
        return NULL;
    port->priv = system_alloc(params);
    if (!port->priv) {
        port_free(port);
        return port_error(error, error_size, "out of memory");
    }
    port->offloads = true;
    port->takes = OFFLOAD_TAKES_ALL;
    snprintf(port->ifname, sizeof port->ifname, "%s", params->ifname);
    rc = open_interface(port);
    if (rc == -ENODEV) {
        LOG_ERR(LOG_PORT, "%s: there is no interface %s: the port is down until there is one", port->name,
                port->ifname);
        port->lost = true;
    } else if (rc < 0) {
        system_free(port);
        return port_error(error, error_size, "interface %s: %s: %s", params->ifname, strerror(-rc), advice(-rc));
    }
    return port;
}
