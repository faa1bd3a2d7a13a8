/* PORT_VHOST_USER: a VM's virtio-net device, by pmd/vhost/.
 *
 * Three kinds of thread meet here. The control thread creates and destroys ports. The thread of vhost-user sockets
 * gives the port's rings to a guest and takes them away again. Poll-mode threads move packets: they enter a ring, which
 * that thread waits for before it changes anything of it, and never wait for the thread themselves.
 *
 * A virtio queue pair i has ring 2i, which the guest receives from, and ring 2i + 1, which it sends to.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <rte_arp.h>
#include <rte_common.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/account.h"
#include "pmd/base/log.h"
#include "pmd/offload.h"
#include "pmd/port/backend.h"
#include "pmd/port/vhost_socket.h"
#include "pmd/vhost/endpoint.h"

#define RING_TO_GUEST 0
#define RING_FROM_GUEST 1
/* A queue that serves more rings than this looks at the others in its next turns, and no turn copies more than this. */
#define RINGS_A_TURN 8
#define TURN_BYTES VHOST_BATCH_BYTES
/* Less than the buffers that drivers offer: so many smaller ones are not worth a turn. */
#define BUFFER_MIN 512

/* One per receive queue, written by the poll-mode thread that has it. */
struct vhost_rx_queue {
    uint16_t turn; /* which of its rings is next */
} __attribute__((aligned(64)));

struct vhost_port {
    /* Published to poll-mode threads by the thread of the sockets: */
    bool running;
    bool rarp;                            /* a packet of `rarp_mac` is to be received: the guest has moved here */
    uint16_t n_rx_rings[PORT_QUEUES_MAX]; /* rings that each rx queue serves */
    uint16_t rx_rings[PORT_QUEUES_MAX][VHOST_PAIRS_MAX];
    int tx_ring[PORT_QUEUES_MAX]; /* -1: none is enabled */
    struct rte_ether_addr rarp_mac;
    int numa_node;
    uint16_t n_rings;  /* no ring of a higher number was ever used */
    uint64_t features; /* negotiated */

    struct rte_mempool *pool;
    struct vhost_endpoint *endpoint;
    struct vhost_rx_queue rx[PORT_QUEUES_MAX];
    struct vhost_ring rings[VHOST_RINGS_MAX];

    /* Control thread. */
    struct port *port;
    struct vhost_port *next;
    uint16_t mtu;
    struct rte_ether_addr mac;
    bool client;
    char *path;
};

static struct vhost_port *ports; /* control thread only */

/* Poll-mode threads from here. */

static void leave(struct vhost_port *v, struct vhost_ring *ring)
{
    const bool failed = !ring->usable;

    vhost_ring_leave(ring);
    if (unlikely(failed))
        vhost_endpoint_look(v->endpoint);
}

/* What the ring has cost until now, in bytes. */
static uint64_t cost(const struct vhost_ring *ring)
{
    return ring->counters.bytes + VHOST_PIECE_BYTES * ring->pieces;
}

/* Up to `n` packets; *bytes goes up by what they cost. */
static uint16_t drain_ring(struct vhost_port *v, struct vhost_ring *ring, struct rte_mbuf **packets, uint16_t n,
                           uint32_t *bytes)
{
    uint16_t got = 0, more;
    uint64_t before;

    if (!vhost_ring_enter(ring))
        return 0;
    before = cost(ring);
    do {
        more = vhost_ring_take(ring, v->pool, packets + got, n - got);
        got += more;
    } while (more == VHOST_BATCH && got < n && *bytes + cost(ring) - before < TURN_BYTES);
    *bytes += (uint32_t)(cost(ring) - before);
    leave(v, ring);
    return got;
}

/* In turn from the rings that this queue serves, so that a busy one does not shut out the others. */
static uint16_t drain_rings(struct vhost_port *v, uint16_t queue, struct rte_mbuf **packets, uint16_t n)
{
    struct vhost_rx_queue *q = &v->rx[queue];
    const uint16_t n_rings = __atomic_load_n(&v->n_rx_rings[queue], __ATOMIC_RELAXED);
    const uint16_t n_looks = RTE_MIN(n_rings, RINGS_A_TURN);
    uint32_t bytes = 0;
    uint16_t got = 0;

    for (uint16_t i = 0; i < n_looks && got < n && bytes < TURN_BYTES; i++) {
        q->turn = q->turn + 1 < n_rings ? q->turn + 1 : 0;
        const uint16_t ring = __atomic_load_n(&v->rx_rings[queue][q->turn], __ATOMIC_RELAXED);

        got += drain_ring(v, &v->rings[ring], packets + got, n - got, &bytes);
    }
    return got;
}

static uint16_t receive_rarp(struct vhost_port *v, struct rte_mbuf **packets)
{
    if (!__atomic_exchange_n(&v->rarp, false, __ATOMIC_ACQUIRE))
        return 0;
    packets[0] = rte_net_make_rarp_packet(v->pool, &v->rarp_mac);
    return packets[0] ? 1 : 0;
}

static uint16_t vhost_rx_burst(struct port *port, uint16_t queue, struct rte_mbuf **packets, uint16_t n)
{
    struct vhost_port *v = port->priv;
    uint16_t got = 0;

    if (unlikely(queue == 0 && __atomic_load_n(&v->rarp, __ATOMIC_RELAXED)))
        got = receive_rarp(v, packets);
    if (!__atomic_load_n(&v->running, __ATOMIC_RELAXED))
        return got;
    return got + drain_rings(v, queue, packets + got, n - got);
}

static uint16_t fill_ring(struct vhost_port *v, struct vhost_ring *ring, struct rte_mbuf **packets, uint16_t n)
{
    uint16_t sent = 0, more;
    uint64_t bytes, pieces;

    if (!vhost_ring_enter(ring))
        return 0;
    bytes = ring->counters.bytes;
    pieces = ring->pieces;
    /* As long as the guest makes room it is given more, unless that is in crumbs. */
    do {
        more = vhost_ring_put(ring, packets + sent, n - sent);
        sent += more;
    } while (more && sent < n &&
             ring->pieces - pieces < VHOST_BATCH_PIECES + (ring->counters.bytes - bytes) / BUFFER_MIN);
    leave(v, ring);
    return sent;
}

static uint16_t vhost_tx_burst(struct port *port, uint16_t queue, struct rte_mbuf **packets, uint16_t n)
{
    struct vhost_port *v = port->priv;
    uint16_t sent = 0;
    int ring;

    if (!__atomic_load_n(&v->running, __ATOMIC_RELAXED))
        return 0;
    ring = __atomic_load_n(&v->tx_ring[queue], __ATOMIC_RELAXED);
    if (ring >= 0)
        sent = fill_ring(v, &v->rings[ring], packets, n);
    if (sent)
        rte_pktmbuf_free_bulk(packets, sent); /* the guest has copies */
    return sent;
}

/* Thread of the sockets, or the control thread within vhost_endpoint_close(). */

static void publish_rings(struct vhost_port *v)
{
    uint16_t enabled[VHOST_PAIRS_MAX], n_enabled = 0, n_rings[PORT_QUEUES_MAX] = {0}, last = 0;

    for (uint16_t pair = 0; pair < VHOST_PAIRS_MAX; pair++) {
        const uint16_t queue = pair % v->port->n_rxq;
        const uint16_t to = 2 * pair + RING_TO_GUEST, from = 2 * pair + RING_FROM_GUEST;

        if (v->rings[to].usable)
            enabled[n_enabled++] = to;
        /* A guest may use more pairs than the port has queues. */
        if (v->rings[from].usable)
            __atomic_store_n(&v->rx_rings[queue][n_rings[queue]++], from, __ATOMIC_RELAXED);
        if (v->rings[to].usable || v->rings[from].usable)
            last = from;
    }
    for (uint16_t queue = 0; queue < v->port->n_rxq; queue++)
        __atomic_store_n(&v->n_rx_rings[queue], n_rings[queue], __ATOMIC_RELAXED);
    for (uint16_t queue = 0; queue < v->port->n_txq; queue++)
        __atomic_store_n(&v->tx_ring[queue], n_enabled ? enabled[queue % n_enabled] : -1, __ATOMIC_RELAXED);
    __atomic_store_n(&v->n_rings, RTE_MAX(v->n_rings, last + 1), __ATOMIC_RELAXED);
}

static void tell_about_guest(struct vhost_port *v, const struct vhost_guest *guest)
{
    const uint16_t mtu = __atomic_load_n(&v->mtu, __ATOMIC_RELAXED);

    LOG_RL(LOG_PORT, RTE_LOG_INFO, "%s: the driver of a VM runs, %s rings, memory on numa node %d", v->port->name,
           guest->features & 1ull << VIRTIO_F_RING_PACKED ? "packed" : "split", guest->numa_node);
    if (guest->mtu > mtu)
        LOG_WARN_RL(LOG_PORT, "%s: the VM was told mtu %u, the port has %u: longer packets to it are dropped",
                    v->port->name, guest->mtu, mtu);
}

/* The offloads that the guest's driver has said it takes. Without VIRTIO_NET_F_GUEST_ECN a segment must not say that it
 * was congested, and without either of the two for UDP none is taken. */
static uint8_t taken(uint64_t features)
{
    const uint64_t ecn = 1ull << VIRTIO_NET_F_GUEST_ECN, udp = VHOST_GUEST_USO;
    const uint64_t tcp4 = 1ull << VIRTIO_NET_F_GUEST_TSO4 | ecn, tcp6 = 1ull << VIRTIO_NET_F_GUEST_TSO6 | ecn;

    if (!(features & 1ull << VIRTIO_NET_F_GUEST_CSUM))
        return OFFLOAD_TAKES_CHAINS;
    return (uint8_t)(OFFLOAD_TAKES_CHAINS | OFFLOAD_TAKES_CHECKSUM |
                     ((features & tcp4) == tcp4 ? OFFLOAD_TAKES_TCP4 : 0) |
                     ((features & tcp6) == tcp6 ? OFFLOAD_TAKES_TCP6 : 0) |
                     ((features & udp) == udp ? OFFLOAD_TAKES_UDP : 0));
}

static void on_change(void *arg, const struct vhost_guest *guest)
{
    struct vhost_port *v = arg;
    const bool was_running = v->running;

    publish_rings(v);
    if (guest->has_rarp) {
        v->rarp_mac = guest->mac;
        __atomic_store_n(&v->rarp, true, __ATOMIC_RELEASE);
    }
    __atomic_store_n(&v->features, guest->features, __ATOMIC_RELAXED);
    __atomic_store_n(&v->port->takes, taken(guest->features), __ATOMIC_RELAXED);
    __atomic_store_n(&v->running, guest->running, __ATOMIC_RELAXED);
    __atomic_store_n(&v->numa_node, guest->numa_node, __ATOMIC_RELAXED);
    __atomic_store_n(&v->port->link_up, guest->running, __ATOMIC_RELAXED);
    if (guest->running && !was_running)
        tell_about_guest(v, guest);
    port_notify(v->port);
}

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

    __atomic_store_n(&v->mtu, mtu, __ATOMIC_RELAXED);
    __atomic_store_n(&port->max_len, port_frame_len(mtu), __ATOMIC_RELAXED);
    port_notify(port);
    return 0;
}

static void vhost_get_status(struct port *port, struct port_status *status)
{
    struct vhost_port *v = port->priv;

    port->numa_node = __atomic_load_n(&v->numa_node, __ATOMIC_RELAXED);
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

/* Describes the guest by the keys that Open vSwitch has for it. */
static void describe_guest(const struct vhost_port *v, port_describe_fn *put, void *arg)
{
    const uint16_t n = __atomic_load_n(&v->n_rings, __ATOMIC_RELAXED);
    char key[32], text[24];

    snprintf(text, sizeof text, "0x%016" PRIx64, __atomic_load_n(&v->features, __ATOMIC_RELAXED));
    put(arg, "features", text);
    snprintf(text, sizeof text, "%u", n);
    put(arg, "num_of_vrings", text);
    for (uint16_t i = 0; i < n; i++) {
        snprintf(key, sizeof key, "vring_%u_size", i);
        snprintf(text, sizeof text, "%u", __atomic_load_n(&v->rings[i].size, __ATOMIC_RELAXED));
        put(arg, key, text);
    }
}

static void vhost_describe(struct port *port, port_describe_fn *put, void *arg)
{
    struct vhost_port *v = port->priv;
    const bool running = __atomic_load_n(&v->running, __ATOMIC_RELAXED);
    char text[16];

    put(arg, "mode", v->client ? "client" : "server");
    put(arg, "socket", v->path);
    snprintf(text, sizeof text, "%u", v->mtu);
    put(arg, "mtu", text);
    put(arg, "status", running ? "connected" : "disconnected");
    if (running)
        describe_guest(v, put, arg);
}

static void vhost_get_stats(struct port *port, struct port_stats *stats)
{
    struct vhost_port *v = port->priv;
    const uint16_t n = __atomic_load_n(&v->n_rings, __ATOMIC_RELAXED);

    memset(stats, 0, sizeof *stats);
    for (uint16_t i = 0; i < n; i++) {
        const struct vhost_ring_counters *counters = &v->rings[i].counters;
        const bool from_guest = i % 2 == RING_FROM_GUEST;

        *(from_guest ? &stats->rx_packets : &stats->tx_packets) +=
            __atomic_load_n(&counters->packets, __ATOMIC_RELAXED);
        *(from_guest ? &stats->rx_bytes : &stats->tx_bytes) += __atomic_load_n(&counters->bytes, __ATOMIC_RELAXED);
        *(from_guest ? &stats->rx_errors : &stats->tx_errors) += __atomic_load_n(&counters->errors, __ATOMIC_RELAXED);
    }
    stats->peer_faults = vhost_endpoint_faults(v->endpoint);
}

/* By the names that Open vSwitch has for what librte_vhost counts; "rx" is from the guest. */
static void vhost_count(struct port *port, port_count_fn *put, void *arg)
{
    struct vhost_port *v = port->priv;
    const uint16_t n = __atomic_load_n(&v->n_rings, __ATOMIC_RELAXED);

    for (uint16_t i = 0; i < n; i++) {
        const struct vhost_ring_counters *counters = &v->rings[i].counters;
        const struct {
            const char *name;
            const uint64_t *value;
        } counts[] = {
            {"good_packets", &counters->packets},
            {"good_bytes", &counters->bytes},
            {"errors", &counters->errors},
            {"guest_notifications", &counters->calls},
        };
        char name[48];

        for (size_t c = 0; c < RTE_DIM(counts); c++) {
            snprintf(name, sizeof name, "%s_q%u_%s", i % 2 == RING_FROM_GUEST ? "rx" : "tx", i / 2, counts[c].name);
            put(arg, name, __atomic_load_n(counts[c].value, __ATOMIC_RELAXED));
        }
    }
}

static void free_port(struct vhost_port *v)
{
    port_free(v->port);
    free(v->path);
    free(v);
}

static void vhost_destroy(struct port *port)
{
    struct vhost_port *v = port->priv;

    for (struct vhost_port **link = &ports; *link; link = &(*link)->next) {
        if (*link == v) {
            *link = v->next;
            break;
        }
    }
    vhost_endpoint_close(v->endpoint);
    free_port(v);
}

static const struct port_ops vhost_ops = {
    .rx_burst = vhost_rx_burst,
    .tx_burst = vhost_tx_burst,
    .set_admin_up = vhost_set_admin_up,
    .set_mtu = vhost_set_mtu,
    .get_status = vhost_get_status,
    .get_stats = vhost_get_stats,
    .describe = vhost_describe,
    .count = vhost_count,
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
    v->path = strdup(params->path);
    v->port = port_alloc(params, &vhost_ops, params->rx_queues, params->tx_queues, error, error_size);
    if (!v->port || !v->path) {
        free(v->path);
        free(v);
        return NULL;
    }
    v->port->priv = v;
    v->port->offloads = params->vhost_offloads;
    v->port->merges = params->vhost_gro;
    v->pool = params->pool;
    v->numa_node = -1;
    v->mtu = params->mtu;
    v->client = params->vhost_client;
    if (params->has_mac)
        v->mac = params->mac;
    else
        port_default_mac(params->name, &v->mac);
    return v;
}

static const struct vhost_port *path_user(const char *path)
{
    for (const struct vhost_port *v = ports; v; v = v->next)
        if (path && !strcmp(v->path, path))
            return v;
    return NULL;
}

void port_restore_sockets(void)
{
    for (struct vhost_port *v = ports; v; v = v->next) {
        if (v->client || !vhost_socket_is_missing(v->path) || vhost_endpoint_is_connected(v->endpoint))
            continue;
        if (vhost_endpoint_listen_again(v->endpoint))
            LOG_WARN(LOG_PORT, "%s: the socket %s was removed: made again", v->port->name, v->path);
        else
            LOG_ERR_RL(LOG_PORT, "%s: the socket %s was removed, and cannot be made again: %s", v->port->name, v->path,
                       strerror(errno));
    }
}

/* False: a sentence in `error`. */
static bool find_access(const struct port_access *wanted, struct vhost_access *access, char *error, size_t error_size)
{
    *access = (struct vhost_access){.mode = wanted->mode, .uid = (uid_t)-1, .gid = (gid_t)-1};
    if (wanted->owner && account_find_user(wanted->owner, &access->uid) < 0) {
        port_error(error, error_size, "socket_owner: there is no user %s in /etc/passwd", wanted->owner);
        return false;
    }
    if (wanted->group && account_find_group(wanted->group, &access->gid) < 0) {
        port_error(error, error_size, "socket_group: there is no group %s in /etc/group", wanted->group);
        return false;
    }
    return true;
}

bool port_set_access(struct port *port, const struct port_access *wanted, char *error, size_t error_size)
{
    struct vhost_port *v = port->priv;
    struct vhost_access access;

    return find_access(wanted, &access, error, error_size) &&
           vhost_endpoint_set_access(v->endpoint, &access, error, error_size);
}

struct port *vhost_create(const struct port_params *params, char *error, size_t error_size)
{
    struct vhost_access access;
    const struct vhost_port *other = path_user(params->path);
    struct vhost_port *v;

    if (other)
        return port_error(error, error_size, "path %s is already used by port %s", params->path, other->port->name);
    if (!(params->vhost_client ? vhost_socket_check_client : vhost_socket_prepare_server)(params->path, error,
                                                                                          error_size) ||
        !find_access(&params->access, &access, error, error_size))
        return NULL;
    v = vhost_alloc(params, error, error_size);
    if (!v)
        return NULL;
    const struct vhost_endpoint_params endpoint = {
        .name = v->port->name,
        .path = v->path,
        .client = v->client,
        .access = access,
        .features = vhost_device_features(params->vhost_offloads),
        .rings = v->rings,
        .changed = on_change,
        .arg = v,
    };
    v->endpoint = vhost_endpoint_open(&endpoint, error, error_size);
    if (!v->endpoint) {
        free_port(v);
        return NULL;
    }
    v->next = ports;
    ports = v;
    return v->port;
}
