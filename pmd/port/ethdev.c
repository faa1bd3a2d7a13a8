/* PORT_DPDK: a DPDK Ethernet device, physical or virtual.
 *
 * The worker opens and closes devices, which takes from a millisecond to seconds; as DPDK is not made for two threads
 * that add and remove devices, nobody else does. What the control thread asks of a device that is open goes on
 * meanwhile. */
#include <errno.h>
#include <inttypes.h>
#include <rte_bus.h>
#include <rte_common.h>
#include <rte_dev.h>
#include <rte_devargs.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_version.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pmd/base/log.h"
#include "pmd/base/memory.h"
#include "pmd/offload.h"
#include "pmd/port/backend.h"
#include "pmd/port/ethdev_buffers.h"

#define RX_DESCRIPTORS 1024
#define TX_DESCRIPTORS 1024
/* Frames of a ring of net_af_packet's, and as many again that come while they are looked at. */
#define STRANGERS_MOST 1024
/* net_tap holds one mbuf a descriptor and reads one packet at a time into them. */
#define TAP_DESCRIPTORS 64

#define RSS_HASHES (RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP | RTE_ETH_RSS_SCTP)

struct ethdev {
    bool probed; /* the device came with the port and goes with it */
    bool started;
    bool scatter;  /* takes frames longer than one mbuf */
    uint32_t room; /* bytes of a frame that fit into one mbuf */
    uint16_t n_rxd, n_txd;
    uint16_t mtu;
    bool has_mac;
    struct rte_ether_addr mac; /* asked for; shown where the device cannot carry it */
    char driver[32];
};

/* Devices that are ports now. The worker's. */
static bool in_use[RTE_MAX_ETHPORTS];

static uint16_t ethdev_rx_burst(struct port *port, uint16_t queue, struct rte_mbuf **packets, uint16_t n)
{
    return rte_eth_rx_burst(port->ethdev_id, queue, packets, n);
}

static uint16_t ethdev_tx_burst(struct port *port, uint16_t queue, struct rte_mbuf **packets, uint16_t n)
{
    return rte_eth_tx_burst(port->ethdev_id, queue, packets, n);
}

static int ethdev_set_admin_up(struct port *port, bool up)
{
    int rc = up ? rte_eth_dev_set_link_up(port->ethdev_id) : rte_eth_dev_set_link_down(port->ethdev_id);

    /* A device without a link to switch is only held by the datapath. */
    if (rc < 0 && rc != -ENOTSUP)
        return rc;
    __atomic_store_n(&port->admin_up, up, __ATOMIC_RELAXED);
    port_notify(port);
    return 0;
}

static int ethdev_set_mtu(struct port *port, uint16_t mtu)
{
    struct ethdev *dev = port->priv;
    int rc;

    /* A longer frame than an mbuf holds needs a receive mode that is chosen before the start. */
    if (!dev->scatter && port_frame_len(mtu) + 2 * RTE_VLAN_HLEN > dev->room)
        return -EBUSY;
    rc = rte_eth_dev_set_mtu(port->ethdev_id, mtu);
    if (rc < 0)
        return rc;
    dev->mtu = mtu;
    __atomic_store_n(&port->max_len, port_frame_len(mtu), __ATOMIC_RELAXED);
    port_notify(port);
    return 0;
}

static void ethdev_get_status(struct port *port, struct port_status *status)
{
    struct ethdev *dev = port->priv;
    struct rte_eth_link link = {0};

    memset(status, 0, sizeof *status);
    if (rte_eth_link_get_nowait(port->ethdev_id, &link) == 0) {
        /* Drivers on an interface of the kernel's look at it by name, or never. */
        status->link_up = link.link_status == RTE_ETH_LINK_UP && !port->kernel_down && !port->lost;
        status->full_duplex = link.link_duplex == RTE_ETH_LINK_FULL_DUPLEX;
        status->speed_mbps = link.link_speed == RTE_ETH_SPEED_NUM_UNKNOWN ? 0 : link.link_speed;
    }
    __atomic_store_n(&port->link_up, status->link_up, __ATOMIC_RELAXED);
    if (dev->has_mac || rte_eth_macaddr_get(port->ethdev_id, &status->mac) != 0)
        status->mac = dev->mac;
    status->mtu = dev->mtu;
    status->rx_queues = port->n_rxq;
    status->tx_queues = port->n_txq;
    status->numa_node = port->numa_node;
    memcpy(status->driver, dev->driver, sizeof status->driver);
}

static void describe_number(port_describe_fn *put, void *arg, const char *key, uint32_t number)
{
    char text[16];

    snprintf(text, sizeof text, "%u", number);
    put(arg, key, text);
}

static void describe_bus(const struct rte_device *device, port_describe_fn *put, void *arg)
{
    const char *more = rte_dev_bus_info(device);
    char text[256];

    snprintf(text, sizeof text, "bus_name=%s%s%s", rte_bus_name(rte_dev_bus(device)), more ? ", " : "",
             more ? more : "");
    put(arg, "bus_info", text);
}

static void ethdev_describe(struct port *port, port_describe_fn *put, void *arg)
{
    const struct ethdev *dev = port->priv;
    struct rte_eth_dev_info info;
    struct rte_eth_link link = {0};
    char text[64];

    if (rte_eth_dev_info_get(port->ethdev_id, &info) != 0)
        return;
    put(arg, "driver_name", info.driver_name);
    describe_number(put, arg, "port_no", port->ethdev_id);
    describe_number(put, arg, "min_rx_bufsize", info.min_rx_bufsize);
    describe_number(put, arg, "max_rx_pktlen", port->max_len);
    describe_number(put, arg, "max_rx_queues", info.max_rx_queues);
    describe_number(put, arg, "max_tx_queues", info.max_tx_queues);
    describe_number(put, arg, "max_mac_addrs", info.max_mac_addrs);
    describe_number(put, arg, "max_hash_mac_addrs", info.max_hash_mac_addrs);
    describe_number(put, arg, "max_vfs", info.max_vfs);
    describe_number(put, arg, "max_vmdq_pools", info.max_vmdq_pools);
    describe_number(put, arg, "n_rxq", port->n_rxq);
    describe_number(put, arg, "n_txq", port->n_txq);
    describe_number(put, arg, "n_rxq_desc", dev->n_rxd);
    describe_number(put, arg, "n_txq_desc", dev->n_txd);
    put(arg, "if_type", "6"); /* ethernetCsmacd (RFC 2863) */
    snprintf(text, sizeof text, "%s %s", rte_version(), info.driver_name);
    put(arg, "if_descr", text);
    describe_bus(info.device, put, arg);
    if (rte_eth_link_get_nowait(port->ethdev_id, &link) == 0)
        put(arg, "link_speed", rte_eth_link_speed_to_str(link.link_speed));
}

static void ethdev_get_stats(struct port *port, struct port_stats *stats)
{
    struct rte_eth_stats eth;

    memset(stats, 0, sizeof *stats);
    if (rte_eth_stats_get(port->ethdev_id, &eth) != 0)
        return;
    *stats = (struct port_stats){
        .rx_packets = eth.ipackets,
        .rx_bytes = eth.ibytes,
        .rx_errors = eth.ierrors,
        .rx_missed = eth.imissed + eth.rx_nombuf,
        .tx_packets = eth.opackets,
        .tx_bytes = eth.obytes,
        .tx_errors = eth.oerrors,
    };
}

/* DPDK's interrupt thread. */
static int ethdev_interrupt(uint16_t id, enum rte_eth_event_type type, void *arg, void *result)
{
    struct port *port = arg;

    if (type == RTE_ETH_EVENT_INTR_RMV)
        LOG_ERR(LOG_PORT, "%s: the device was removed: take the port out of the configuration", port->name);
    port_notify(port);
    return 0;
}

static void callbacks_register(struct port *port)
{
    rte_eth_dev_callback_register(port->ethdev_id, RTE_ETH_EVENT_INTR_LSC, ethdev_interrupt, port);
    rte_eth_dev_callback_register(port->ethdev_id, RTE_ETH_EVENT_INTR_RMV, ethdev_interrupt, port);
}

static void callback_unregister(struct port *port, enum rte_eth_event_type type)
{
    /* -EAGAIN while the interrupt thread is in it. */
    while (rte_eth_dev_callback_unregister(port->ethdev_id, type, ethdev_interrupt, port) == -EAGAIN)
        usleep(100);
}

/* Whether a port of this process uses another function of the same device. */
static bool siblings_in_use(uint16_t id)
{
    uint16_t sibling;

    RTE_ETH_FOREACH_DEV_SIBLING(sibling, id)
    {
        if (sibling != id && in_use[sibling])
            return true;
    }
    return false;
}

static void device_release(struct ethdev *dev, uint16_t id)
{
    struct rte_eth_dev_info info;
    bool remove = dev->probed && !siblings_in_use(id) && rte_eth_dev_info_get(id, &info) == 0;

    if (dev->started)
        rte_eth_dev_stop(id);
    in_use[id] = false;
    if (!remove)
        return;
    rte_eth_dev_close(id);
    if (rte_dev_remove(info.device) < 0)
        LOG_WARN(LOG_PORT, "device %s could not be detached: %s", dev->driver, rte_strerror(rte_errno));
}

/* A device that the worker closes. */
struct closing {
    struct port_closing closing; /* first */
    struct ethdev *dev;
    uint16_t id;
};

static void close_device(struct worker_job *job)
{
    struct closing *closing = (struct closing *)job;

    device_release(closing->dev, closing->id);
    free(closing->dev);
}

static void ethdev_destroy(struct port *port)
{
    struct closing *closing = malloc(sizeof *closing);

    if (!closing)
        out_of_memory("a port", sizeof *closing);
    callback_unregister(port, RTE_ETH_EVENT_INTR_LSC);
    callback_unregister(port, RTE_ETH_EVENT_INTR_RMV);
    closing->dev = port->priv;
    closing->id = port->ethdev_id;
    port_close_later(&closing->closing, port, close_device);
    port_free(port);
}

static const struct port_ops ethdev_ops = {
    .rx_burst = ethdev_rx_burst,
    .tx_burst = ethdev_tx_burst,
    .set_admin_up = ethdev_set_admin_up,
    .set_mtu = ethdev_set_mtu,
    .get_status = ethdev_get_status,
    .get_stats = ethdev_get_stats,
    .describe = ethdev_describe,
    .destroy = ethdev_destroy,
};

/* The device that `devargs` names, if it was probed. */
static uint16_t device_find(const char *devargs)
{
    struct rte_dev_iterator iterator;
    uint16_t id;

    RTE_ETH_FOREACH_MATCHING_DEV(id, devargs, &iterator)
    {
        rte_eth_iterator_cleanup(&iterator);
        return id;
    }
    return RTE_MAX_ETHPORTS;
}

/* The kernel driver of a PCI device; false if there is no such device. An empty name: bound to none. */
static bool pci_driver(const char *address, char *driver, size_t size)
{
    char path[128], target[256];
    ssize_t n;

    snprintf(path, sizeof path, "/sys/bus/pci/devices/%s", address);
    if (access(path, F_OK) != 0)
        return false;
    snprintf(path, sizeof path, "/sys/bus/pci/devices/%s/driver", address);
    n = readlink(path, target, sizeof target - 1);
    target[n > 0 ? n : 0] = 0;
    snprintf(driver, size, "%s", strrchr(target, '/') ? strrchr(target, '/') + 1 : "");
    return true;
}

bool port_has_xdp(void)
{
    int fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);

    if (fd >= 0)
        close(fd);
    return fd >= 0 || errno != EAFNOSUPPORT;
}

static struct port *probe_error(const struct port_params *params, int rc, char *error, size_t error_size)
{
    unsigned domain, bus, device, function;
    char address[24], driver[64];

    if (sscanf(params->devargs, "%x:%x:%x.%u", &domain, &bus, &device, &function) != 4) {
        if (rc == -ENODEV || rc == -EFAULT) /* no bus knows the name */
            return port_error(error, error_size,
                              "DPDK has no driver for \"%s\": a virtual device is named after its driver with a number "
                              "(net_pcap0, net_af_packet1), a PCI device is written as 0000:3b:00.0",
                              params->devargs);
        /* -1 is a driver's "no" and not EPERM, whatever strerror makes of it. */
        return port_error(
            error, error_size,
            "DPDK could not create the device \"%s\"%s%s: see what its driver logged, check its arguments",
            params->devargs, rc == -1 ? "" : ": ", rc == -1 ? "" : rte_strerror(-rc));
    }
    snprintf(address, sizeof address, "%04x:%02x:%02x.%u", domain, bus, device, function);
    if (!pci_driver(address, driver, sizeof driver))
        return port_error(error, error_size, "there is no PCI device %s: see \"dpdk-devbind.py --status-dev net\"",
                          address);
    if (!strcmp(driver, "vfio-pci") || !strcmp(driver, "uio_pci_generic") || !strcmp(driver, "igb_uio"))
        return port_error(error, error_size,
                          "DPDK could not take the PCI device %s (%s): see what its driver logged; is --no-pci among "
                          "dpdk.eal_args, or /dev/vfio not accessible?",
                          address, rte_strerror(-rc));
    return port_error(error, error_size,
                      "the PCI device %s is bound to %s, not to a driver that DPDK can use: "
                      "\"modprobe vfio-pci; dpdk-devbind.py --bind=vfio-pci %s\"",
                      address, *driver ? driver : "no driver", address);
}

/* Finds or makes the device. Returns its id, or RTE_MAX_ETHPORTS with a sentence in `error`. */
static uint16_t device_acquire(const struct port_params *params, struct ethdev *dev, char *error, size_t error_size)
{
    uint16_t id = device_find(params->devargs);
    int rc;

    if (id == RTE_MAX_ETHPORTS) {
        rc = rte_dev_probe(params->devargs);
        if (rc < 0) {
            probe_error(params, rc, error, error_size);
            return RTE_MAX_ETHPORTS;
        }
        dev->probed = true;
        id = device_find(params->devargs);
    }
    if (id == RTE_MAX_ETHPORTS) {
        port_error(error, error_size, "\"%s\" is not an Ethernet device, or more than %d are in use", params->devargs,
                   RTE_MAX_ETHPORTS);
    } else if (in_use[id]) {
        port_error(error, error_size, "the device \"%s\" is already used by another port", params->devargs);
        id = RTE_MAX_ETHPORTS;
    }
    return id;
}

/* What the device is to be set up as. */
struct setup {
    struct rte_eth_dev_info info;
    struct rte_eth_conf conf;
    uint16_t n_rxq, n_txq, n_rxd, n_txd;
    int socket;
};

static void setup_queues(struct setup *setup, const struct port_params *params, bool tap)
{
    setup->n_rxq = RTE_MIN(params->rx_queues, RTE_MAX(setup->info.max_rx_queues, 1));
    setup->n_txq = RTE_MIN(params->tx_queues, RTE_MAX(setup->info.max_tx_queues, 1));
    setup->n_rxd = params->rx_descriptors ? params->rx_descriptors : RX_DESCRIPTORS;
    setup->n_txd = params->tx_descriptors ? params->tx_descriptors : TX_DESCRIPTORS;
    if (tap) {
        /* net_tap wants as many of one as of the other. */
        setup->n_rxq = setup->n_txq = RTE_MIN(RTE_MAX(setup->n_rxq, setup->n_txq), setup->info.max_rx_queues);
        setup->n_rxd = setup->n_txd = TAP_DESCRIPTORS;
    }
}

/* Receive side scaling as far as the device goes. A tap's queues are chosen by the kernel. */
static void setup_rss(struct setup *setup, bool tap)
{
    uint64_t hashes = setup->info.flow_type_rss_offloads & RSS_HASHES;

    if (tap || !hashes)
        return;
    setup->conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
    setup->conf.rx_adv_conf.rss_conf.rss_hf = hashes;
    setup->conf.rxmode.offloads |= setup->info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_RSS_HASH;
}

/* Segmented packets are asked for only when there can be some: drivers have faster paths without them. */
static void setup_segments(struct setup *setup, struct ethdev *dev, uint16_t mtu)
{
    if (port_frame_len(mtu) + 2 * RTE_VLAN_HLEN <= dev->room)
        return;
    setup->conf.rxmode.offloads |= setup->info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_SCATTER;
    setup->conf.txmode.offloads |= setup->info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
    dev->scatter = setup->conf.rxmode.offloads & RTE_ETH_RX_OFFLOAD_SCATTER;
}

static bool device_configure(uint16_t id, struct setup *setup, const struct port_params *params, struct ethdev *dev,
                             char *error, size_t error_size)
{
    bool tap = !strcmp(setup->info.driver_name, "net_tap");
    int rc;

    setup_queues(setup, params, tap);
    setup_rss(setup, tap);
    setup_segments(setup, dev, params->mtu);
    setup->conf.rxmode.mtu = params->mtu;
    setup->conf.intr_conf.lsc = !!(*setup->info.dev_flags & RTE_ETH_DEV_INTR_LSC);
    setup->conf.intr_conf.rmv = !!(*setup->info.dev_flags & RTE_ETH_DEV_INTR_RMV);
    setup->socket = rte_eth_dev_socket_id(id);

    if (setup->conf.rxmode.mtu < setup->info.min_mtu || setup->conf.rxmode.mtu > setup->info.max_mtu) {
        port_error(error, error_size, "mtu is %u: the device takes %u to %u", params->mtu, setup->info.min_mtu,
                   setup->info.max_mtu);
        return false;
    }
    rc = rte_eth_dev_configure(id, setup->n_rxq, setup->n_txq, &setup->conf);
    if (rc < 0) {
        port_error(error, error_size, "the device refused %u rx and %u tx queues with mtu %u: %s", setup->n_rxq,
                   setup->n_txq, params->mtu, rte_strerror(-rc));
        return false;
    }
    rte_eth_dev_adjust_nb_rx_tx_desc(id, &setup->n_rxd, &setup->n_txd);
    return true;
}

/* Says why the receive queues have no buffers; false: that is not the reason. `free` is what the pool had before. */
static bool explain_buffers(const struct setup *setup, const struct port_params *params, unsigned free, char *error,
                            size_t error_size)
{
    uint64_t wanted = ethdev_buffers_wanted(params->devargs, setup->n_rxq, setup->n_rxd);

    if (wanted <= free)
        return false;
    port_error(error, error_size,
               "the device keeps %" PRIu64
               " packet buffers for itself, and %u of %u are free: set dpdk.mbufs to %" PRIu64
               " or more (takes a restart)",
               wanted, free, params->pool->size, params->pool->size + wanted);
    return true;
}

static bool device_start(uint16_t id, struct setup *setup, const struct port_params *params, struct ethdev *dev,
                         char *error, size_t error_size)
{
    struct rte_eth_rxconf rxconf = setup->info.default_rxconf;
    struct rte_eth_txconf txconf = setup->info.default_txconf;
    unsigned free = rte_mempool_avail_count(params->pool);
    int rc = 0;

    rxconf.offloads = setup->conf.rxmode.offloads;
    txconf.offloads = setup->conf.txmode.offloads;
    for (uint16_t q = 0; q < setup->n_rxq && rc == 0; q++)
        rc = rte_eth_rx_queue_setup(id, q, setup->n_rxd, setup->socket, &rxconf, params->pool);
    if (rc < 0) {
        if (!explain_buffers(setup, params, free, error, error_size))
            port_error(error, error_size, "receive queues of %u descriptors: %s%s", setup->n_rxd, rte_strerror(-rc),
                       rc == -ENOMEM ? ": give DPDK more memory" : " (see what its driver logged)");
        return false;
    }
    for (uint16_t q = 0; q < setup->n_txq && rc == 0; q++)
        rc = rte_eth_tx_queue_setup(id, q, setup->n_txd, setup->socket, &txconf);
    if (rc == 0)
        rc = rte_eth_dev_start(id);
    if (rc < 0) {
        /* Drivers of NICs fill their queues here. */
        if (!explain_buffers(setup, params, free, error, error_size))
            port_error(error, error_size, "the device does not start: %s (see what its driver logged)",
                       rte_strerror(-rc));
        return false;
    }
    dev->started = true;
    return true;
}

/* Sets what a device may refuse and be of use still. */
static void device_tune(uint16_t id, const struct port_params *params, struct ethdev *dev)
{
    int rc = rte_eth_promiscuous_enable(id);

    if (rc < 0 && rc != -ENOTSUP)
        LOG_WARN(LOG_PORT, "%s: promiscuous mode: %s: packets for other stations may not arrive", params->name,
                 rte_strerror(-rc));
    rte_eth_stats_reset(id);
    port_default_mac(params->name, &dev->mac);
    if (!params->has_mac)
        return;
    dev->mac = params->mac;
    rc = rte_eth_dev_default_mac_addr_set(id, &dev->mac);
    dev->has_mac = rc < 0;
    if (rc < 0)
        LOG_WARN(LOG_PORT, "%s: the device keeps its own address (%s)", params->name, rte_strerror(-rc));
}

/* DPDK's packet socket hears all interfaces of the host until it is bound to its own. What it heard waits in its rings,
 * and is of no port. */
static void drop_strangers(uint16_t id, const struct setup *setup)
{
    struct rte_mbuf *packets[32];
    uint16_t n;

    if (strcmp(setup->info.driver_name, "net_af_packet") != 0)
        return;
    for (uint16_t q = 0; q < setup->n_rxq; q++) {
        for (unsigned left = STRANGERS_MOST; left > 0; left -= RTE_MIN(left, n)) {
            n = rte_eth_rx_burst(id, q, packets, RTE_DIM(packets));
            rte_pktmbuf_free_bulk(packets, n);
            if (n == 0)
                break;
        }
    }
}

static bool device_setup(uint16_t id, struct setup *setup, const struct port_params *params, struct ethdev *dev,
                         char *error, size_t error_size)
{
    int rc = rte_eth_dev_info_get(id, &setup->info);

    if (rc < 0) {
        port_error(error, error_size, "the device does not say what it can do: %s", rte_strerror(-rc));
        return false;
    }
    snprintf(dev->driver, sizeof dev->driver, "%s", setup->info.driver_name);
    dev->mtu = params->mtu;
    dev->room = rte_pktmbuf_data_room_size(params->pool) - RTE_PKTMBUF_HEADROOM;
    if (!device_configure(id, setup, params, dev, error, error_size) ||
        !device_start(id, setup, params, dev, error, error_size))
        return false;
    dev->n_rxd = setup->n_rxd;
    dev->n_txd = setup->n_txd;
    drop_strangers(id, setup);
    device_tune(id, params, dev);
    if (setup->n_rxq != params->rx_queues)
        LOG_INFO(LOG_PORT, "%s: %u rx queues wanted, %u used: what %s has", params->name, params->rx_queues,
                 setup->n_rxq, dev->driver);
    return true;
}

/* Devices that work on an interface of the kernel's which is there before them: "net_af_packet0,iface=eth0". */
static void find_interface(struct port *port, const char *driver, const char *devargs)
{
    static const char *const drivers[] = {"net_af_packet", "net_af_xdp", "net_pcap"};
    const char *argument = strstr(devargs, ",iface=");
    char ifname[PORT_IFNAME_SIZE];

    if (!argument)
        return;
    argument += strlen(",iface=");
    size_t len = strcspn(argument, ",");
    if (len >= sizeof ifname)
        return;
    snprintf(ifname, sizeof ifname, "%.*s", (int)len, argument);
    for (size_t i = 0; i < RTE_DIM(drivers); i++) {
        if (strcmp(driver, drivers[i]) == 0)
            port_set_interface(port, ifname);
    }
}

struct port *ethdev_create(const struct port_params *params, char *error, size_t error_size)
{
    struct ethdev *dev = calloc(1, sizeof *dev);
    struct port *port = NULL;
    struct setup setup = {0};
    uint16_t id;

    if (!dev)
        return port_error(error, error_size, "out of memory");
    if (!params->devargs || !*params->devargs) {
        free(dev);
        return port_error(error, error_size, "devargs is missing: a PCI address or a virtual device");
    }
    /* The driver finds out late, and does not say it. */
    if (!strncmp(params->devargs, "net_af_xdp", strlen("net_af_xdp")) && !port_has_xdp()) {
        free(dev);
        return port_error(error, error_size,
                          "the kernel has no AF_XDP (CONFIG_XDP_SOCKETS): make it a port of type system, which works "
                          "on the same interface");
    }
    id = device_acquire(params, dev, error, error_size);
    if (id == RTE_MAX_ETHPORTS) {
        free(dev);
        return NULL;
    }
    in_use[id] = true;
    if (device_setup(id, &setup, params, dev, error, error_size))
        port = port_alloc(params, &ethdev_ops, setup.n_rxq, setup.n_txq, error, error_size);
    if (!port) {
        device_release(dev, id);
        free(dev);
        return NULL;
    }
    port->priv = dev;
    port->ethdev_id = id;
    port->takes = setup.conf.txmode.offloads & RTE_ETH_TX_OFFLOAD_MULTI_SEGS ? OFFLOAD_TAKES_CHAINS : 0;
    port->numa_node = setup.socket == SOCKET_ID_ANY ? -1 : setup.socket;
    find_interface(port, dev->driver, params->devargs);
    callbacks_register(port);
    return port;
}
