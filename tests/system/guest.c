/* A guest without a virtual machine: virtio-user on a vhost-user socket, joined to a TAP in the network namespace it is
 * started in. One thread, which sleeps until either side has a packet, so that several of them share one core with
 * everything else that runs there. scripts/guest starts it and gives the TAP its addresses.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

enum { BURST = 32, MAX_QUEUES = 8, FRAME_MAX = 9216, MBUFS_PER_QUEUE = 1024, RING_SIZE = 256, TX_RETRIES = 50 };

struct guest {
    const char *tap_name;
    const char *socket_path;
    const char *mac;
    bool server;  /* own the socket and wait for the switch; else connect to the switch's socket */
    bool no_huge; /* guest memory in one memfd of ordinary pages */
    unsigned queues;
    unsigned mem_mb;
    int tap_fds[MAX_QUEUES];
    int rx_event_fds[MAX_QUEUES]; /* the switch writes here when it has put packets on the queue */
    struct rte_mempool *pool;
};

static volatile sig_atomic_t stop;

static void on_signal(int sig)
{
    stop = 1;
}

static int tap_open(struct guest *g)
{
    for (unsigned q = 0; q < g->queues; q++) {
        struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI | (g->queues > 1 ? IFF_MULTI_QUEUE : 0)};
        snprintf(ifr.ifr_name, sizeof ifr.ifr_name, "%s", g->tap_name);
        g->tap_fds[q] = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
        if (g->tap_fds[q] < 0 || ioctl(g->tap_fds[q], TUNSETIFF, &ifr) < 0) {
            fprintf(stderr, "guest: cannot make TAP %s: %s\n", g->tap_name, strerror(errno));
            return -1;
        }
    }
    return 0;
}

/* In client mode virtio-user gives up at once when the socket is missing, so wait for the switch to make it. */
static void wait_for_socket(const struct guest *g)
{
    while (!stop && !g->server && access(g->socket_path, W_OK) < 0)
        usleep(20 * 1000);
}

static int start_eal(struct guest *g, char *argv0)
{
    char vdev[512], mem[16];
    int n = snprintf(vdev, sizeof vdev, "--vdev=net_virtio_user0,path=%s,queues=%u,queue_size=%d", g->socket_path,
                     g->queues, RING_SIZE);

    if (g->server)
        n += snprintf(vdev + n, sizeof vdev - n, ",server=1");
    if (g->mac)
        n += snprintf(vdev + n, sizeof vdev - n, ",mac=%s", g->mac);
    if ((size_t)n >= sizeof vdev)
        return -1;
    snprintf(mem, sizeof mem, "%u", g->mem_mb);

    /* vhost-user passes at most 8 memory regions: hugepages must come as one file (--single-file-segments), and so
     * must ordinary pages, which --no-huge takes from one memfd. --no-huge excludes --in-memory in DPDK 22.11, and
     * --no-shconf is what else keeps it from leaving files in the runtime directory. */
    char *argv[] = {
        argv0, "--lcores=0@0", "--iova-mode=va", "--no-pci", "--no-telemetry", "-m", mem, vdev, NULL, NULL, NULL, NULL};
    int argc = 8;
    if (g->no_huge) {
        argv[argc++] = "--no-huge";
        argv[argc++] = "--no-shconf";
    } else {
        argv[argc++] = "--in-memory";
        argv[argc++] = "--single-file-segments";
    }
    if (rte_eal_init(argc, argv) < 0) {
        fprintf(stderr, "guest: EAL failed: %s\n", rte_strerror(rte_errno));
        return -1;
    }
    if (rte_eth_dev_count_avail() != 1) {
        fprintf(stderr, "guest: no vhost-user peer on %s\n", g->socket_path);
        return -1;
    }
    return 0;
}

static int start_port(struct guest *g)
{
    struct rte_eth_conf conf = {.intr_conf.rxq = 1};

    g->pool = rte_pktmbuf_pool_create("guest", g->queues * MBUFS_PER_QUEUE, 64, 0, RTE_PKTMBUF_HEADROOM + FRAME_MAX,
                                      SOCKET_ID_ANY);
    if (!g->pool || rte_eth_dev_configure(0, g->queues, g->queues, &conf) < 0)
        goto fail;
    for (unsigned q = 0; q < g->queues; q++) {
        if (rte_eth_rx_queue_setup(0, q, RING_SIZE, SOCKET_ID_ANY, NULL, g->pool) < 0 ||
            rte_eth_tx_queue_setup(0, q, RING_SIZE, SOCKET_ID_ANY, NULL) < 0)
            goto fail;
    }
    if (rte_eth_dev_start(0) < 0)
        goto fail;
    for (unsigned q = 0; q < g->queues; q++) {
        g->rx_event_fds[q] = rte_eth_dev_rx_intr_ctl_q_get_fd(0, q);
        if (g->rx_event_fds[q] < 0)
            goto fail;
    }
    return 0;
fail:
    fprintf(stderr, "guest: cannot start virtio-user: %s\n", rte_strerror(rte_errno));
    return -1;
}

static unsigned switch_to_tap(struct guest *g, unsigned q)
{
    struct rte_mbuf *pkts[BURST];
    unsigned n = rte_eth_rx_burst(0, q, pkts, BURST);

    for (unsigned i = 0; i < n; i++) {
        /* A TAP that is down or full loses the packet, as a NIC would. */
        if (pkts[i]->nb_segs == 1 && write(g->tap_fds[q], rte_pktmbuf_mtod(pkts[i], void *), pkts[i]->data_len) < 0)
            continue;
    }
    rte_pktmbuf_free_bulk(pkts, n);
    return n;
}

static unsigned tap_to_switch(struct guest *g, unsigned q)
{
    struct rte_mbuf *pkts[BURST];
    unsigned n = 0, sent = 0;

    while (n < BURST) {
        struct rte_mbuf *m = rte_pktmbuf_alloc(g->pool);
        if (!m)
            break;
        ssize_t len = read(g->tap_fds[q], rte_pktmbuf_mtod(m, void *), FRAME_MAX);
        if (len <= 0) {
            rte_pktmbuf_free(m);
            break;
        }
        m->data_len = m->pkt_len = len;
        pkts[n++] = m;
    }
    for (int tries = 0; sent < n && tries < TX_RETRIES; tries++) {
        sent += rte_eth_tx_burst(0, q, pkts + sent, n - sent);
        if (sent < n)
            usleep(20);
    }
    if (sent < n)
        rte_pktmbuf_free_bulk(pkts + sent, n - sent);
    return n;
}

static unsigned move_packets(struct guest *g)
{
    unsigned n = 0;

    for (unsigned q = 0; q < g->queues; q++)
        n += switch_to_tap(g, q) + tap_to_switch(g, q);
    return n;
}

static void run(struct guest *g)
{
    int ep = epoll_create1(EPOLL_CLOEXEC);

    for (unsigned q = 0; q < g->queues; q++) {
        struct epoll_event on_tap = {.events = EPOLLIN, .data.fd = -1};
        struct epoll_event on_switch = {.events = EPOLLIN, .data.fd = g->rx_event_fds[q]};
        if (epoll_ctl(ep, EPOLL_CTL_ADD, g->tap_fds[q], &on_tap) < 0 ||
            epoll_ctl(ep, EPOLL_CTL_ADD, g->rx_event_fds[q], &on_switch) < 0) {
            fprintf(stderr, "guest: epoll: %s\n", strerror(errno));
            return;
        }
    }
    while (!stop) {
        if (move_packets(g) > 0)
            continue;
        for (unsigned q = 0; q < g->queues; q++)
            rte_eth_dev_rx_intr_enable(0, q);
        /* A packet that came before the interrupt was on would not wake us, hence one more look. */
        if (move_packets(g) == 0) {
            struct epoll_event ev[2 * MAX_QUEUES];
            int n = epoll_wait(ep, ev, RTE_DIM(ev), 100);
            uint64_t count;
            for (int i = 0; i < n; i++)
                if (ev[i].data.fd >= 0 && read(ev[i].data.fd, &count, sizeof count) < 0)
                    continue;
        }
        for (unsigned q = 0; q < g->queues; q++)
            rte_eth_dev_rx_intr_disable(0, q);
    }
    close(ep);
}

static int parse_args(struct guest *g, int argc, char **argv)
{
    static const struct option options[] = {
        {"tap", required_argument, NULL, 't'},    {"socket", required_argument, NULL, 's'},
        {"mac", required_argument, NULL, 'a'},    {"queues", required_argument, NULL, 'q'},
        {"memory", required_argument, NULL, 'm'}, {"server", no_argument, NULL, 'S'},
        {"no-huge", no_argument, NULL, 'H'},      {0},
    };
    int c;

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (c) {
        case 't':
            g->tap_name = optarg;
            break;
        case 's':
            g->socket_path = optarg;
            break;
        case 'a':
            g->mac = optarg;
            break;
        case 'q':
            g->queues = strtoul(optarg, NULL, 10);
            break;
        case 'm':
            g->mem_mb = strtoul(optarg, NULL, 10);
            break;
        case 'S':
            g->server = true;
            break;
        case 'H':
            g->no_huge = true;
            break;
        default:
            return -1;
        }
    }
    if (!g->socket_path || g->queues < 1 || g->queues > MAX_QUEUES)
        return -1;
    return 0;
}

int main(int argc, char **argv)
{
    struct guest g = {.tap_name = "eth0", .queues = 1, .mem_mb = 64};

    if (parse_args(&g, argc, argv) < 0) {
        fprintf(stderr,
                "usage: %s --socket PATH [--server] [--tap NAME] [--mac MAC] [--queues 1-%d] [--memory MB] "
                "[--no-huge]\n",
                argv[0], MAX_QUEUES);
        return 2;
    }
    if (tap_open(&g) < 0)
        return 1;
    wait_for_socket(&g);
    if (start_eal(&g, argv[0]) < 0 || start_port(&g) < 0)
        return 1;
    signal(SIGTERM, on_signal);
    signal(SIGINT, on_signal);
    run(&g);
    rte_eth_dev_stop(0);
    rte_eth_dev_close(0);
    rte_eal_cleanup();
    return 0;
}
