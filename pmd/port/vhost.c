/* PORT_VHOST_USER: a VM's virtio-net device, straight on librte_vhost.
 *
 * Three kinds of thread meet here. The control thread creates and destroys ports. DPDK's vhost thread reports peers
 * (connections) and their queues through the callbacks at the end. Poll-mode threads move packets. What a poll-mode
 * thread needs is published in `vid` and the queue maps; while it is inside librte_vhost it holds its queue's `busy`
 * lock, and the vhost thread waits for those locks before it lets go of a peer's memory.
 *
 * A virtio queue pair i has ring 2i, which the guest receives from, and ring 2i + 1, which it sends to.
 */
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <rte_common.h>
#include <rte_spinlock.h>
#include <rte_vhost.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "pmd/base/log.h"
#include "pmd/port/backend.h"
#include "pmd/port/vhost_socket.h"

/* A restarted VM may connect before the end of the old one's connection was noticed. */
#define PEERS_MAX 4
#define PAIRS_MAX 128 /* librte_vhost's limit */
#define RINGS_MAX (2 * PAIRS_MAX)
#define RING_TO_GUEST 0
#define RING_FROM_GUEST 1
/* librte_vhost moves no more at once. */
#define VHOST_BURST 32

/* Not offered: with any of these a guest would hand over packets without checksums or larger than the MTU. */
#define FEATURES_OFF                                                                                                   \
    (1ULL << VIRTIO_NET_F_CSUM | 1ULL << VIRTIO_NET_F_GUEST_CSUM | 1ULL << VIRTIO_NET_F_HOST_TSO4 |                    \
     1ULL << VIRTIO_NET_F_HOST_TSO6 | 1ULL << VIRTIO_NET_F_HOST_ECN | 1ULL << VIRTIO_NET_F_HOST_UFO |                  \
     1ULL << VIRTIO_NET_F_GUEST_TSO4 | 1ULL << VIRTIO_NET_F_GUEST_TSO6 | 1ULL << VIRTIO_NET_F_GUEST_ECN |              \
     1ULL << VIRTIO_NET_F_GUEST_UFO)

struct vhost_peer {
    int vid; /* -1: free */
    bool running;
    bool enabled[RINGS_MAX];
};

/* One per queue and direction, written by the poll-mode thread that has the queue. */
struct vhost_queue {
    rte_spinlock_t busy;
    uint16_t turn; /* rx: which of its rings is next */
    uint64_t packets, bytes;
} __attribute__((aligned(64)));

struct vhost_port {
    /* Published to poll-mode threads: */
    int vid;                              /* the peer in use, -1 = none */
    uint16_t n_rx_rings[PORT_QUEUES_MAX]; /* rings that each rx queue serves */
    uint16_t rx_rings[PORT_QUEUES_MAX][PAIRS_MAX];
    int tx_ring[PORT_QUEUES_MAX]; /* -1: none is enabled */
    struct rte_mempool *pool;
    struct vhost_queue rx[PORT_QUEUES_MAX];
    struct vhost_queue tx[PORT_QUEUES_MAX];

    struct port *port;
    struct vhost_port *next;
    struct vhost_peer peers[PEERS_MAX]; /* under `ports_lock`, like the publishing */
    int numa_node;
    uint16_t mtu;
    struct rte_ether_addr mac;
    bool client;
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
};

/* The ports, for callbacks to find theirs; never held over a call into librte_vhost that waits for callbacks. */
static pthread_mutex_t ports_lock = PTHREAD_MUTEX_INITIALIZER;
static struct vhost_port *ports;

/* Poll-mode threads from here. */

static void count(struct vhost_queue *q, struct rte_mbuf **packets, uint16_t n)
{
    uint64_t bytes = 0;

    for (uint16_t i = 0; i < n; i++)
        bytes += packets[i]->pkt_len;
    __atomic_store_n(&q->packets, q->packets + n, __ATOMIC_RELAXED);
    __atomic_store_n(&q->bytes, q->bytes + bytes, __ATOMIC_RELAXED);
}

/* In turn from the rings that this queue serves, so that a busy one does not shut out the others. */
static uint16_t drain_rings(struct vhost_port *v, int vid, uint16_t queue, struct rte_mbuf **packets, uint16_t n)
{
    struct vhost_queue *q = &v->rx[queue];
    uint16_t n_rings = __atomic_load_n(&v->n_rx_rings[queue], __ATOMIC_RELAXED), got = 0;

    for (uint16_t i = 0; i < n_rings && got < n; i++) {
        uint16_t ring, wanted, more;

        q->turn = q->turn + 1 < n_rings ? q->turn + 1 : 0;
        ring = __atomic_load_n(&v->rx_rings[queue][q->turn], __ATOMIC_RELAXED);
        do {
            wanted = RTE_MIN(n - got, VHOST_BURST);
            more = rte_vhost_dequeue_burst(vid, ring, v->pool, packets + got, wanted);
            got += more;
        } while (more == VHOST_BURST && got < n);
    }
    return got;
}

static uint16_t vhost_rx_burst(struct port *port, uint16_t queue, struct rte_mbuf **packets, uint16_t n)
{
    struct vhost_port *v = port->priv;
    struct vhost_queue *q = &v->rx[queue];
    uint16_t got = 0;
    int vid;

    if (__atomic_load_n(&v->vid, __ATOMIC_RELAXED) < 0 || !rte_spinlock_trylock(&q->busy))
        return 0;
    vid = __atomic_load_n(&v->vid, __ATOMIC_RELAXED);
    if (vid >= 0)
        got = drain_rings(v, vid, queue, packets, n);
    rte_spinlock_unlock(&q->busy);
    if (got)
        count(q, packets, got);
    return got;
}

static uint16_t fill_ring(int vid, int ring, struct rte_mbuf **packets, uint16_t n)
{
    uint16_t sent = 0, more;

    /* As long as the guest makes room it is given more. */
    do {
        more = rte_vhost_enqueue_burst(vid, ring, packets + sent, RTE_MIN(n - sent, VHOST_BURST));
        sent += more;
    } while (more && sent < n);
    return sent;
}

static uint16_t vhost_tx_burst(struct port *port, uint16_t queue, struct rte_mbuf **packets, uint16_t n)
{
    struct vhost_port *v = port->priv;
    struct vhost_queue *q = &v->tx[queue];
    uint16_t sent = 0;
    int vid, ring;

    if (__atomic_load_n(&v->vid, __ATOMIC_RELAXED) < 0 || !rte_spinlock_trylock(&q->busy))
        return 0;
    vid = __atomic_load_n(&v->vid, __ATOMIC_RELAXED);
    ring = __atomic_load_n(&v->tx_ring[queue], __ATOMIC_RELAXED);
    if (vid >= 0 && ring >= 0)
        sent = fill_ring(vid, ring, packets, n);
    rte_spinlock_unlock(&q->busy);
    if (sent) {
        count(q, packets, sent);
        rte_pktmbuf_free_bulk(packets, sent); /* the guest has copies */
    }
    return sent;
}

/* Publishing a peer: vhost thread, under ports_lock. */

static void publish_rings(struct vhost_port *v, const struct vhost_peer *peer)
{
    uint16_t enabled[PAIRS_MAX], n_enabled = 0, n_rings[PORT_QUEUES_MAX] = {0};

    for (uint16_t pair = 0; pair < PAIRS_MAX; pair++) {
        uint16_t queue = pair % v->port->n_rxq;

        if (peer->enabled[2 * pair + RING_TO_GUEST])
            enabled[n_enabled++] = 2 * pair + RING_TO_GUEST;
        /* A guest may use more pairs than the port has queues. */
        if (peer->enabled[2 * pair + RING_FROM_GUEST])
            __atomic_store_n(&v->rx_rings[queue][n_rings[queue]++], 2 * pair + RING_FROM_GUEST, __ATOMIC_RELAXED);
    }
    for (uint16_t queue = 0; queue < v->port->n_rxq; queue++)
        __atomic_store_n(&v->n_rx_rings[queue], n_rings[queue], __ATOMIC_RELAXED);
    for (uint16_t queue = 0; queue < v->port->n_txq; queue++)
        __atomic_store_n(&v->tx_ring[queue], n_enabled ? enabled[queue % n_enabled] : -1, __ATOMIC_RELAXED);
}

/* Waits for the poll-mode threads to come out of librte_vhost: one burst at most. Without threads nobody is in it. */
static void wait_until_idle(struct vhost_port *v)
{
    for (uint16_t queue = 0; queue < v->port->n_rxq; queue++) {
        rte_spinlock_lock(&v->rx[queue].busy);
        rte_spinlock_unlock(&v->rx[queue].busy);
    }
    for (uint16_t queue = 0; queue < v->port->n_txq; queue++) {
        rte_spinlock_lock(&v->tx[queue].busy);
        rte_spinlock_unlock(&v->tx[queue].busy);
    }
}

/* Makes `peer` (NULL: none) the one that packets go to and come from. */
static void publish_peer(struct vhost_port *v, const struct vhost_peer *peer)
{
    __atomic_store_n(&v->vid, -1, __ATOMIC_RELEASE);
    wait_until_idle(v);
    if (peer) {
        publish_rings(v, peer);
        __atomic_store_n(&v->vid, peer->vid, __ATOMIC_RELEASE);
    }
    __atomic_store_n(&v->port->link_up, peer, __ATOMIC_RELAXED);
    port_notify(v->port);
}

/* Callbacks: DPDK's vhost thread, or the control thread within rte_vhost_driver_unregister(). */

static struct vhost_port *port_of(int vid)
{
    char path[PATH_MAX];

    if (rte_vhost_get_ifname(vid, path, sizeof path) < 0)
        return NULL;
    for (struct vhost_port *v = ports; v; v = v->next)
        if (!strcmp(v->path, path))
            return v;
    return NULL;
}

static struct vhost_peer *peer_of(struct vhost_port *v, int vid)
{
    for (int i = 0; v && i < PEERS_MAX; i++)
        if (v->peers[i].vid == vid)
            return &v->peers[i];
    return NULL;
}

static int on_connection(int vid)
{
    struct vhost_port *v;
    struct vhost_peer *peer;

    pthread_mutex_lock(&ports_lock);
    v = port_of(vid);
    peer = peer_of(v, -1);
    if (peer)
        *peer = (struct vhost_peer){.vid = vid};
    pthread_mutex_unlock(&ports_lock);
    if (v && !peer)
        LOG_WARN_RL(LOG_PORT, "%s: a connection was refused: %d others are open on %s", v->port->name, PEERS_MAX,
                    v->path);
    return peer ? 0 : -1;
}

static void on_disconnection(int vid)
{
    struct vhost_peer *peer;

    pthread_mutex_lock(&ports_lock);
    peer = peer_of(port_of(vid), vid);
    if (peer)
        peer->vid = -1;
    pthread_mutex_unlock(&ports_lock);
}

static void tell_about_peer(struct vhost_port *v, const struct vhost_peer *peer)
{
    uint16_t mtu, pairs = 0;

    for (int pair = 0; pair < PAIRS_MAX; pair++)
        pairs += peer->enabled[2 * pair + RING_FROM_GUEST];
    LOG_RL(LOG_PORT, RTE_LOG_INFO, "%s: a VM is connected, %u queue pairs enabled, memory on numa node %d",
           v->port->name, pairs, v->numa_node);
    if (rte_vhost_get_mtu(peer->vid, &mtu) == 0 && mtu > v->mtu)
        LOG_WARN_RL(LOG_PORT, "%s: the VM was told mtu %u, the port has %u: longer packets to it are dropped",
                    v->port->name, mtu, v->mtu);
}

static int on_device_ready(int vid)
{
    struct vhost_port *v;
    struct vhost_peer *peer;

    /* Guests need not wake anybody: the rings are polled. (Not possible in on_ring_state: the ring is locked there.) */
    for (uint16_t ring = 0; ring < rte_vhost_get_vring_num(vid); ring++)
        rte_vhost_enable_guest_notification(vid, ring, 0);

    pthread_mutex_lock(&ports_lock);
    v = port_of(vid);
    peer = peer_of(v, vid);
    if (peer) {
        peer->running = true;
        v->numa_node = rte_vhost_get_numa_node(vid);
        publish_peer(v, peer);
        tell_about_peer(v, peer);
    }
    pthread_mutex_unlock(&ports_lock);
    return peer ? 0 : -1;
}

static void on_device_gone(int vid)
{
    struct vhost_port *v;
    struct vhost_peer *peer, *other = NULL;

    pthread_mutex_lock(&ports_lock);
    v = port_of(vid);
    peer = peer_of(v, vid);
    if (peer) {
        peer->running = false;
        for (int i = 0; i < PEERS_MAX; i++)
            if (v->peers[i].vid >= 0 && v->peers[i].running)
                other = &v->peers[i];
        if (v->vid == vid)
            publish_peer(v, other);
    }
    pthread_mutex_unlock(&ports_lock);
}

/* The ring's own lock is held by librte_vhost: a poll-mode thread inside rte_vhost_enqueue_burst() may be waiting for
 * it, so this must not wait for poll-mode threads. */
static int on_ring_state(int vid, uint16_t ring, int enable)
{
    struct vhost_port *v;
    struct vhost_peer *peer;

    pthread_mutex_lock(&ports_lock);
    v = port_of(vid);
    peer = peer_of(v, vid);
    if (peer && ring < RINGS_MAX) {
        peer->enabled[ring] = enable;
        if (v->vid == vid)
            publish_rings(v, peer);
    }
    pthread_mutex_unlock(&ports_lock);
    return 0;
}

static const struct rte_vhost_device_ops callbacks = {
    .new_device = on_device_ready,
    .destroy_device = on_device_gone,
    .vring_state_changed = on_ring_state,
    .new_connection = on_connection,
    .destroy_connection = on_disconnection,
};

/* Control thread from here. */

static int vhost_set_admin_up(struct port *port, bool up)
{
    __atomic_store_n(&port->admin_up, up, __ATOMIC_RELAXED);
    port_notify(port);
    return 0;
}

static int vhost_set_mtu(struct port *port, uint16_t mtu)
{
    struct vhost_port *v = port->priv;

    v->mtu = mtu;
    __atomic_store_n(&port->max_len, port_frame_len(mtu), __ATOMIC_RELAXED);
    port_notify(port);
    return 0;
}

static void vhost_get_status(struct port *port, struct port_status *status)
{
    struct vhost_port *v = port->priv;

    pthread_mutex_lock(&ports_lock);
    port->numa_node = v->numa_node;
    pthread_mutex_unlock(&ports_lock);
    *status = (struct port_status){
        .link_up = __atomic_load_n(&port->link_up, __ATOMIC_RELAXED),
        .full_duplex = true,
        .mtu = v->mtu,
        .mac = v->mac,
        .rx_queues = port->n_rxq,
        .tx_queues = port->n_txq,
        .numa_node = port->numa_node,
    };
    snprintf(status->driver, sizeof status->driver, "vhost-user (%s)", v->client ? "client" : "server");
}

/* Of the peer in use, by the keys that Open vSwitch has for it. */
static void describe_peer(int vid, port_describe_fn *put, void *arg)
{
    struct rte_vhost_vring ring;
    char key[32], text[24];
    uint64_t features;
    uint16_t n = rte_vhost_get_vring_num(vid);

    if (rte_vhost_get_negotiated_features(vid, &features) == 0) {
        snprintf(text, sizeof text, "0x%016" PRIx64, features);
        put(arg, "features", text);
    }
    snprintf(text, sizeof text, "%u", n);
    put(arg, "num_of_vrings", text);
    for (uint16_t i = 0; i < n; i++) {
        if (rte_vhost_get_vhost_vring(vid, i, &ring) < 0)
            continue;
        snprintf(key, sizeof key, "vring_%u_size", i);
        snprintf(text, sizeof text, "%u", ring.size);
        put(arg, key, text);
    }
}

static void vhost_describe(struct port *port, port_describe_fn *put, void *arg)
{
    struct vhost_port *v = port->priv;
    char text[16];

    put(arg, "mode", v->client ? "client" : "server");
    put(arg, "socket", v->path);
    snprintf(text, sizeof text, "%u", v->mtu);
    put(arg, "mtu", text);
    pthread_mutex_lock(&ports_lock);
    put(arg, "status", v->vid >= 0 ? "connected" : "disconnected");
    if (v->vid >= 0)
        describe_peer(v->vid, put, arg);
    pthread_mutex_unlock(&ports_lock);
}

static void vhost_get_stats(struct port *port, struct port_stats *stats)
{
    struct vhost_port *v = port->priv;

    memset(stats, 0, sizeof *stats);
    for (uint16_t queue = 0; queue < port->n_rxq; queue++) {
        stats->rx_packets += __atomic_load_n(&v->rx[queue].packets, __ATOMIC_RELAXED);
        stats->rx_bytes += __atomic_load_n(&v->rx[queue].bytes, __ATOMIC_RELAXED);
    }
    for (uint16_t queue = 0; queue < port->n_txq; queue++) {
        stats->tx_packets += __atomic_load_n(&v->tx[queue].packets, __ATOMIC_RELAXED);
        stats->tx_bytes += __atomic_load_n(&v->tx[queue].bytes, __ATOMIC_RELAXED);
    }
}

static void forget(struct vhost_port *v)
{
    pthread_mutex_lock(&ports_lock);
    for (struct vhost_port **link = &ports; *link; link = &(*link)->next) {
        if (*link == v) {
            *link = v->next;
            break;
        }
    }
    pthread_mutex_unlock(&ports_lock);
    port_free(v->port);
    free(v);
}

static void vhost_destroy(struct port *port)
{
    struct vhost_port *v = port->priv;

    /* Closes the connections, by way of the callbacks, and removes the socket file that it made. */
    if (rte_vhost_driver_unregister(v->path) < 0)
        LOG_WARN(LOG_PORT, "%s: librte_vhost does not know %s any more", port->name, v->path);
    forget(v);
}

static const struct port_ops vhost_ops = {
    .rx_burst = vhost_rx_burst,
    .tx_burst = vhost_tx_burst,
    .set_admin_up = vhost_set_admin_up,
    .set_mtu = vhost_set_mtu,
    .get_status = vhost_get_status,
    .get_stats = vhost_get_stats,
    .describe = vhost_describe,
    .destroy = vhost_destroy,
};

static struct vhost_port *vhost_alloc(const struct port_params *params, char *error, size_t error_size)
{
    struct vhost_port *v = aligned_alloc(_Alignof(struct vhost_port), sizeof *v);

    if (!v) {
        port_error(error, error_size, "out of memory");
        return NULL;
    }
    memset(v, 0, sizeof *v);
    v->port = port_alloc(params, &vhost_ops, params->rx_queues, params->tx_queues, error, error_size);
    if (!v->port) {
        free(v);
        return NULL;
    }
    v->port->priv = v;
    v->pool = params->pool;
    v->vid = -1;
    for (int i = 0; i < PEERS_MAX; i++)
        v->peers[i].vid = -1;
    v->numa_node = -1;
    v->mtu = params->mtu;
    v->client = params->vhost_client;
    snprintf(v->path, sizeof v->path, "%s", params->path);
    if (params->has_mac)
        v->mac = params->mac;
    else
        port_default_mac(params->name, &v->mac);
    return v;
}

static bool driver_start(const struct vhost_port *v)
{
    uint64_t flags = RTE_VHOST_USER_NET_COMPLIANT_OL_FLAGS | (v->client ? RTE_VHOST_USER_CLIENT : 0);

    if (rte_vhost_driver_register(v->path, flags) < 0)
        return false;
    if (rte_vhost_driver_disable_features(v->path, FEATURES_OFF) == 0 &&
        rte_vhost_driver_callback_register(v->path, &callbacks) == 0 && rte_vhost_driver_start(v->path) == 0)
        return true;
    rte_vhost_driver_unregister(v->path);
    return false;
}

static const struct vhost_port *path_user(const char *path)
{
    for (const struct vhost_port *v = ports; v; v = v->next)
        if (path && !strcmp(v->path, path))
            return v;
    return NULL;
}

static bool is_connected(struct vhost_port *v)
{
    bool connected = false;

    pthread_mutex_lock(&ports_lock);
    for (int i = 0; i < PEERS_MAX; i++)
        connected |= v->peers[i].vid >= 0;
    pthread_mutex_unlock(&ports_lock);
    return connected;
}

void port_restore_sockets(void)
{
    for (struct vhost_port *v = ports; v; v = v->next) {
        if (v->client || is_connected(v) || !vhost_socket_is_missing(v->path))
            continue;
        rte_vhost_driver_unregister(v->path);
        if (driver_start(v))
            LOG_WARN(LOG_PORT, "%s: the socket %s was removed: made again", v->port->name, v->path);
        else
            LOG_ERR_RL(LOG_PORT,
                       "%s: the socket %s was removed, and librte_vhost does not make it again: see what it "
                       "logged",
                       v->port->name, v->path);
    }
}

struct port *vhost_create(const struct port_params *params, char *error, size_t error_size)
{
    const struct vhost_port *other = path_user(params->path);
    struct vhost_port *v;

    if (other)
        return port_error(error, error_size, "path %s is already used by port %s", params->path, other->port->name);
    if (!(params->vhost_client ? vhost_socket_check_client : vhost_socket_prepare_server)(params->path, error,
                                                                                          error_size))
        return NULL;
    v = vhost_alloc(params, error, error_size);
    if (!v)
        return NULL;
    pthread_mutex_lock(&ports_lock);
    v->next = ports;
    ports = v;
    pthread_mutex_unlock(&ports_lock);
    if (!driver_start(v)) {
        forget(v);
        return port_error(error, error_size, "path %s: librte_vhost does not take it: see what it logged",
                          params->path);
    }
    return v->port;
}
