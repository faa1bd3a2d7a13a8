/* Two ports and a poll-mode thread that hands packets from each to the other: the ports' own test, without caches,
 * rules or a control side. tests/system/ports_test.sh drives it.
 *
 *   port-cross [-q QUEUES] [-m MTU] [-t THREADS] PORT PORT -- [EAL ARGUMENTS]
 *   PORT: "client:/path/to.sock", "server:/path/to.sock", "tap:IFNAME" or DPDK device arguments
 *
 * Prints "event NAME up|down" as it happens, "cycles N.N a packet" and each port's counters at the end. SIGTERM ends
 * it.
 */
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_lcore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/log.h"
#include "pmd/metadata.h"
#include "pmd/port.h"
#include "tests/lib/open_port.h"

enum { BURST = 32, THREADS_MAX = 4 };

static struct port *ports[2];
static unsigned n_threads = 1;
static volatile sig_atomic_t stop;

struct counts {
    uint64_t packets, busy_cycles, dropped;
} __attribute__((aligned(64)));

static struct counts counts[THREADS_MAX];

static void on_signal(int sig)
{
    stop = 1;
}

static uint16_t cross(struct port *in, uint16_t rxq, struct port *out, unsigned thread)
{
    struct rte_mbuf *packets[BURST];
    uint16_t got = in->ops->rx_burst(in, rxq, packets, BURST), txq = thread % out->n_txq, sent;

    if (!got)
        return 0;
    if (out->tx_shared)
        rte_spinlock_lock(&out->tx_lock[txq]);
    sent = out->ops->tx_burst(out, txq, packets, got);
    if (out->tx_shared)
        rte_spinlock_unlock(&out->tx_lock[txq]);
    rte_pktmbuf_free_bulk(packets + sent, got - sent);
    counts[thread].dropped += got - sent;
    return got;
}

static int poll_ports(void *arg)
{
    unsigned thread = (uintptr_t)arg;

    while (!stop) {
        for (int p = 0; p < 2; p++) {
            for (uint16_t q = thread; q < ports[p]->n_rxq; q += n_threads) {
                uint64_t start = rte_rdtsc();
                uint16_t got = cross(ports[p], q, ports[!p], thread);
                if (got) {
                    counts[thread].packets += got;
                    counts[thread].busy_cycles += rte_rdtsc() - start;
                }
            }
        }
    }
    return 0;
}

static void report(void *arg, struct port *port)
{
    struct port_status status;

    port->ops->get_status(port, &status);
    printf("event %s %s\n", port->name, status.link_up ? "up" : "down");
}

static struct port *make(const char *name, char *spec, struct port_params params)
{
    char error[512];
    struct port *port;

    params.name = name;
    if (!strncmp(spec, "client:", 7) || !strncmp(spec, "server:", 7)) {
        params.type = PORT_VHOST_USER;
        params.vhost_client = spec[0] == 'c';
        params.path = spec + 7;
    } else if (!strncmp(spec, "tap:", 4)) {
        params.type = PORT_TAP;
        params.ifname = spec + 4;
    } else {
        params.type = PORT_DPDK;
        params.devargs = spec;
    }
    port = open_port(&params, error, sizeof error);
    if (!port)
        fprintf(stderr, "%s: %s\n", name, error);
    return port;
}

static void print_counters(const struct port *port)
{
    struct port_stats s;

    port->ops->get_stats((struct port *)port, &s);
    printf("port %s rx %lu packets %lu bytes, tx %lu packets %lu bytes, missed %lu\n", port->name, s.rx_packets,
           s.rx_bytes, s.tx_packets, s.tx_bytes, s.rx_missed);
}

static void run(void)
{
    struct counts sum = {0};
    unsigned thread = 0, lcore;

    RTE_LCORE_FOREACH_WORKER(lcore)
    {
        if (thread < n_threads)
            rte_eal_remote_launch(poll_ports, (void *)(uintptr_t)thread++, lcore);
    }
    n_threads = thread;
    printf("ready\n");
    while (!stop) {
        struct pollfd fd = {.fd = port_event_fd(), .events = POLLIN};
        poll(&fd, 1, 1000);
        port_poll_events(report, NULL);
        port_poll_some(UINT_MAX, report, NULL);
    }
    rte_eal_mp_wait_lcore();
    for (thread = 0; thread < n_threads; thread++) {
        sum.packets += counts[thread].packets;
        sum.busy_cycles += counts[thread].busy_cycles;
        sum.dropped += counts[thread].dropped;
    }
    printf("cycles %.1f a packet, %lu packets, %lu dropped\n",
           sum.packets ? (double)sum.busy_cycles / sum.packets : 0.0, sum.packets, sum.dropped);
}

int main(int argc, char **argv)
{
    struct port_params params = {.rx_queues = 1, .mtu = 1500};
    char *specs[2];
    int option;

    setvbuf(stdout, NULL, _IOLBF, 0);
    while ((option = getopt(argc, argv, "+q:m:t:")) != -1) {
        if (option == 'q')
            params.rx_queues = atoi(optarg);
        else if (option == 'm')
            params.mtu = atoi(optarg);
        else if (option == 't')
            n_threads = atoi(optarg);
        else
            return 2;
    }
    argc -= optind + 2;
    argv += optind + 2;
    if (argc < 1 || n_threads < 1 || n_threads > THREADS_MAX)
        return 2;
    specs[0] = argv[-2];
    specs[1] = argv[-1];
    log_open(NULL);
    /* argv[0] is the "--", in the place of the program's name. */
    if (rte_eal_init(argc, argv) < 0)
        return 1;
    signal(SIGTERM, on_signal);
    signal(SIGINT, on_signal);
    signal(SIGPIPE, SIG_IGN);

    params.tx_queues = n_threads;
    params.pool =
        rte_pktmbuf_pool_create("mbufs", 16383, 256, PACKET_PRIV_SIZE, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
    if (!params.pool) {
        fprintf(stderr, "no memory for packets\n");
        return 1;
    }
    ports[0] = make("a", specs[0], params);
    ports[1] = ports[0] ? make("b", specs[1], params) : NULL;
    if (ports[1])
        run();
    for (int p = 0; p < 2; p++) {
        if (ports[p]) {
            print_counters(ports[p]);
            port_destroy(ports[p]);
        }
    }
    printf("mbufs in use: %u\n", rte_mempool_in_use_count(params.pool));
    rte_mempool_free(params.pool);
    rte_eal_cleanup();
    return ports[1] ? 0 : 1;
}
