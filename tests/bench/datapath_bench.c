/* Cycles per packet of one poll-mode thread, with megaflows installed directly: the fast path with nothing above it.
 *
 *   datapath_bench EAL-ARGS -- PCAP CASE [emc=ENTRIES] [masks=N] [seconds=S]
 *
 * PCAP is received over and over (net_pcap, infinite_rx) by the thread on lcore 1 and sent to a port that discards.
 * CASE: port (one megaflow on in_port), wild (one on the destination's first byte), exact (one for each 5-tuple in
 * PCAP, spread over N masks), vxlan, geneve, gre (as wild, into a tunnel), vxlan-pop, geneve-pop, gre-pop (all packets
 * of the port out of a tunnel, and what was inside as port), attack (as wild, and as exact for other destinations,
 * which drop), parked (none: every packet is a miss that is handed straight back).
 */
#include <errno.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_mbuf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pmd/datapath.h"
#include "pmd/tunnel.h"
#include "tests/lib/open_port.h"

#define PCAP_FILE_HEADER 24
#define PCAP_RECORD_HEADER 16
#define WILD_NET 0x0b000000
#define DATA_ROOM (RTE_PKTMBUF_HEADROOM + 896)

struct options {
    const char *pcap;
    const char *what;
    uint32_t emc, masks, flows;
    double seconds;
};

static void fail(const char *what)
{
    fprintf(stderr, "datapath_bench: %s\n", what);
    exit(1);
}

static void options_read(int argc, char **argv, struct options *options)
{
    *options = (struct options){.emc = 1 << 20, .masks = 1, .seconds = 2};
    if (argc < 3)
        fail("arguments: EAL-ARGS -- PCAP CASE [emc=ENTRIES] [masks=N] [seconds=S]");
    options->pcap = argv[1];
    options->what = argv[2];
    for (int i = 3; i < argc; i++) {
        if (sscanf(argv[i], "emc=%u", &options->emc) != 1 && sscanf(argv[i], "masks=%u", &options->masks) != 1 &&
            sscanf(argv[i], "seconds=%lf", &options->seconds) != 1)
            fail("unknown argument");
    }
}

/* --- megaflows ----------------------------------------------------------- */

static struct flow_key mask_exact(uint32_t variant)
{
    struct flow_key mask = {.in_port = UINT32_MAX,
                            .recirc_id = UINT32_MAX,
                            .eth_type = UINT16_MAX,
                            .ipv4_src = UINT32_MAX,
                            .ipv4_dst = UINT32_MAX,
                            .tp_src = UINT16_MAX,
                            .tp_dst = UINT16_MAX,
                            .ip_proto = UINT8_MAX,
                            .ip_frag = UINT8_MAX};

    /* Any bits will do to make it another mask. */
    memcpy(mask.eth_src.addr_bytes, &variant, sizeof variant);
    return mask;
}

static struct program *program_output(struct program_table *table, uint32_t port)
{
    struct program_builder builder;

    program_builder_init(&builder);
    program_builder_add(&builder, OP_OUTPUT, port, NULL, 0);
    return program_intern(table, &builder);
}

static struct program *program_drop(struct program_table *table)
{
    struct program_builder builder;

    program_builder_init(&builder);
    program_builder_add(&builder, OP_DROP, DROP_POLICY, NULL, 0);
    return program_intern(table, &builder);
}

static void install(struct datapath *dp, const struct flow_key *key, const struct flow_key *mask,
                    struct program *program)
{
    int error = 0;

    if (!datapath_megaflow_install(dp, key, mask, program_ref(program), &error) && error != -EEXIST)
        fail(strerror(-error));
}

/* The keys of the packets in the capture. */
static struct flow_key *keys_read(const struct options *options, struct rte_mempool *pool, uint32_t in_port)
{
    FILE *file = fopen(options->pcap, "rb");
    struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
    struct flow_key *keys = aligned_alloc(64, options->flows * sizeof *keys);
    uint32_t record[PCAP_RECORD_HEADER / 4];

    if (!file || !m || !keys || fseek(file, PCAP_FILE_HEADER, SEEK_SET) != 0)
        fail("cannot read the capture");
    for (uint32_t i = 0; i < options->flows && fread(record, sizeof record, 1, file) == 1; i++) {
        uint32_t len = record[2];

        if (len > 256 || fread(rte_pktmbuf_mtod(m, void *), len, 1, file) != 1)
            fail("cannot read the capture: packets of at most 256 bytes");
        m->pkt_len = m->data_len = (uint16_t)len;
        memset(&keys[i], 0, sizeof keys[i]);
        flow_key_parse(m, in_port, &keys[i]);
    }
    rte_pktmbuf_free(m);
    fclose(file);
    return keys;
}

/* In another order than the packets come in: megaflows that are used together are not neighbours. */
static void install_exact(struct datapath *dp, const struct options *options, struct rte_mempool *pool,
                          uint32_t in_port, struct program *program)
{
    bool attack = strcmp(options->what, "attack") == 0;
    struct flow_key *keys = keys_read(options, pool, in_port);
    uint64_t random = 1;

    for (uint32_t left = options->flows; left > 0; left--) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        struct flow_key *key = &keys[(random >> 33) % left];
        struct flow_key mask = mask_exact(flow_key_hash(key, 1) % options->masks);

        if (!attack || (key->ipv4_dst & RTE_BE32(0xff000000)) != RTE_BE32(WILD_NET))
            install(dp, key, &mask, program);
        *key = keys[left - 1];
    }
    free(keys);
}

static void install_wild(struct datapath *dp, uint32_t in_port, struct program *program)
{
    const struct flow_key key = {
        .in_port = in_port, .eth_type = RTE_BE16(RTE_ETHER_TYPE_IPV4), .ipv4_dst = RTE_BE32(WILD_NET)};
    const struct flow_key mask = {
        .in_port = UINT32_MAX, .recirc_id = UINT32_MAX, .eth_type = UINT16_MAX, .ipv4_dst = RTE_BE32(0xff000000)};

    install(dp, &key, &mask, program);
}

/* --- tunnels ------------------------------------------------------------- */

static const struct {
    const char *push, *pop;
    enum tunnel_type type;
    rte_be16_t udp_port;
} tunnels[] = {{"vxlan", "vxlan-pop", TUNNEL_VXLAN, RTE_BE16(4789)},
               {"geneve", "geneve-pop", TUNNEL_GENEVE, RTE_BE16(6081)},
               {"gre", "gre-pop", TUNNEL_GRE, 0}};

static struct program *program_push(struct program_table *table, unsigned t, uint32_t port)
{
    const struct tunnel_out out = {.type = tunnels[t].type,
                                   .df = true,
                                   .has_key = true,
                                   .src = {[10] = 0xff, 0xff, 10, 201, 0, 1},
                                   .dst = {[10] = 0xff, 0xff, 10, 201, 0, 2},
                                   .ttl = 64,
                                   .udp_dst = tunnels[t].udp_port,
                                   .key = RTE_BE64(42),
                                   .eth_type = RTE_BE16(0x6558)};
    struct op_tunnel_push push;
    struct program_builder builder;

    if (!tunnel_header_write(&out, &push))
        fail("no outer headers");
    program_builder_init(&builder);
    program_builder_add(&builder, OP_TUNNEL_PUSH, 0, &push, sizeof push);
    program_builder_add(&builder, OP_OUTPUT, port, NULL, 0);
    return program_intern(table, &builder);
}

static void install_pop(struct datapath *dp, struct program_table *table, unsigned t, uint32_t in_port,
                        struct program *program)
{
    const struct op_tunnel_pop pop = {.type = (uint8_t)tunnels[t].type, .udp_port = tunnels[t].udp_port};
    const struct tunnel_in in = {.type = (uint8_t)tunnels[t].type,
                                 .has_key = true,
                                 .key = RTE_BE64(42),
                                 .remote = {[10] = 0xff, 0xff, 10, 201, 0, 2},
                                 .any_local = true,
                                 .udp_port = tunnels[t].udp_port};
    const struct flow_key mask = {.in_port = UINT32_MAX, .recirc_id = UINT32_MAX, .eth_type = UINT16_MAX};
    struct flow_key key = {.in_port = TUNNEL_INDEX_FIRST, .eth_type = RTE_BE16(RTE_ETHER_TYPE_IPV4)};
    struct program_builder builder;

    if (datapath_tunnel_add(dp, &in, TUNNEL_INDEX_FIRST) != 0)
        fail("no tunnel");
    install(dp, &key, &mask, program);
    key.in_port = in_port;
    program_builder_init(&builder);
    program_builder_add(&builder, OP_TUNNEL_POP, 0, &pop, sizeof pop);
    install(dp, &key, &mask, program_intern(table, &builder));
}

/* False: the case is of no tunnel. */
static bool install_tunnel(struct datapath *dp, const struct options *options, struct program_table *table,
                           uint32_t in_port, uint32_t out_port, struct program *program)
{
    for (unsigned t = 0; t < RTE_DIM(tunnels); t++) {
        if (strcmp(options->what, tunnels[t].push) == 0) {
            install_wild(dp, in_port, program_push(table, t, out_port));
            return true;
        }
        if (strcmp(options->what, tunnels[t].pop) == 0) {
            install_pop(dp, table, t, in_port, program);
            return true;
        }
    }
    return false;
}

static void install_all(struct datapath *dp, const struct options *options, struct rte_mempool *pool, uint32_t in_port,
                        struct program *program, struct program *drop)
{
    struct flow_key key = {.in_port = in_port, .eth_type = RTE_BE16(RTE_ETHER_TYPE_IPV4)};
    struct flow_key mask = {.in_port = UINT32_MAX, .recirc_id = UINT32_MAX};

    if (strcmp(options->what, "port") == 0) {
        install(dp, &key, &mask, program);
    } else if (strcmp(options->what, "wild") == 0) {
        install_wild(dp, in_port, program);
    } else if (strcmp(options->what, "attack") == 0) {
        install_wild(dp, in_port, program);
        install_exact(dp, options, pool, in_port, drop);
    } else if (strcmp(options->what, "exact") == 0) {
        uint64_t start = rte_rdtsc();

        install_exact(dp, options, pool, in_port, program);
        printf("%u megaflows, %u masks, %.0f ns each to install\n", datapath_n_megaflows(dp), datapath_n_masks(dp),
               (double)(rte_rdtsc() - start) * 1e9 / (double)rte_get_tsc_hz() / datapath_n_megaflows(dp));
    }
}

/* --- running ------------------------------------------------------------- */

/* Cycles per packet in windows so short that some have no interruption in them. */
#define WINDOW_MS 2
#define WINDOWS_MAX 100000
static double windows[WINDOWS_MAX];
static unsigned n_windows;

static void window_end(const struct datapath *dp)
{
    static struct pmd_stats last;
    struct pmd_stats now;

    datapath_pmd_stats(dp, 0, &now);
    if (now.rx_packets > last.rx_packets && n_windows < WINDOWS_MAX && last.rx_packets > 0)
        windows[n_windows++] =
            (double)(now.cycles_busy - last.cycles_busy) / (double)(now.rx_packets - last.rx_packets);
    last = now;
}

static int compare(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static void control_turns(struct datapath *dp, const struct program *program, double seconds)
{
    uint64_t until = rte_rdtsc() + (uint64_t)(seconds * (double)rte_get_tsc_hz());
    uint64_t window = rte_get_tsc_hz() * WINDOW_MS / 1000, window_at = rte_rdtsc() + window;
    struct rte_mbuf *packets[64];

    n_windows = 0;
    while (rte_rdtsc() < until) {
        if (rte_rdtsc() >= window_at) {
            window_end(dp);
            window_at = rte_rdtsc() + window;
        }
        unsigned n = datapath_miss_dequeue(dp, packets, RTE_DIM(packets));

        for (unsigned i = 0; i < n; i++) {
            packet_meta(packets[i])->program = program;
            datapath_miss_return(dp, packets[i]);
        }
        datapath_reclaim(dp);
        if (n == 0)
            usleep(200);
    }
}

static void print_stats(const struct datapath *dp, const struct options *options)
{
    static const char *const stages[] = {"rx", "parse", "emc", "tss", "actions", "tx"};
    struct pmd_stats s;

    datapath_pmd_stats(dp, 0, &s);
    double packets = (double)RTE_MAX(s.rx_packets, 1u);
    qsort(windows, n_windows, sizeof windows[0], compare);
    printf("%s %s emc=%u masks=%u: %.1f cycles/packet (best tenth %.1f, median %.1f), %.2f Mpps, %.1f a burst, %.2f a "
           "run;",
           options->what, strrchr(options->pcap, '/') ? strrchr(options->pcap, '/') + 1 : options->pcap, options->emc,
           options->masks, (double)s.cycles_busy / packets, windows[n_windows / 10], windows[n_windows / 2],
           packets / options->seconds / 1e6, packets / (double)RTE_MAX(s.rx_batches, 1u),
           packets / (double)RTE_MAX(s.groups, 1u));
    for (unsigned i = 0; i < RTE_DIM(stages); i++)
        printf(" %s %.1f", stages[i], (double)s.stage_cycles[i] / packets);
    printf("; port %.0f%% emc %.0f%% tss %.0f%% (%.2f lookups a packet) misses %.1f%%, longest turn %.0f us\n",
           100 * (double)s.port_program_hits / packets, 100 * (double)s.emc_hits / packets,
           100 * (double)s.tss_hits / packets, (double)s.tss_lookups / packets, 100 * (double)s.misses / packets,
           (double)s.longest_turn * 1e6 / (double)rte_get_tsc_hz());
}

static struct port *port_open(const char *name, const char *devargs, struct rte_mempool *pool)
{
    char error[300];
    const struct port_params params = {
        .type = PORT_DPDK, .name = name, .devargs = devargs, .rx_queues = 1, .tx_queues = 1, .mtu = 1500, .pool = pool};
    struct port *port = open_port(&params, error, sizeof error);

    if (!port)
        fail(error);
    return port;
}

static uint32_t count_packets(const char *pcap)
{
    FILE *file = fopen(pcap, "rb");
    uint32_t record[PCAP_RECORD_HEADER / 4], n = 0;

    if (!file || fseek(file, PCAP_FILE_HEADER, SEEK_SET) != 0)
        fail("cannot read the capture");
    while (fread(record, sizeof record, 1, file) == 1 && fseek(file, record[2], SEEK_CUR) == 0)
        n++;
    fclose(file);
    return n;
}

int main(int argc, char **argv)
{
    struct options options;
    char devargs[512], error[300];
    const unsigned lcore = 1;
    int used = rte_eal_init(argc, argv);

    if (used < 0)
        fail("no EAL");
    options_read(argc - used, argv + used, &options);
    options.flows = count_packets(options.pcap);
    /* net_pcap keeps every packet of the file in an mbuf. */
    struct rte_mempool *pool =
        rte_pktmbuf_pool_create("bench", options.flows + 8192, 512, PACKET_PRIV_SIZE, DATA_ROOM, SOCKET_ID_ANY);
    if (!pool)
        fail("no memory for packets: give more with -m");

    const struct datapath_params params = {.n_threads = 1,
                                           .lcores = &lcore,
                                           .emc_entries = options.emc,
                                           .megaflow_limit = options.flows + 16,
                                           .mask_limit = options.masks + 16,
                                           .max_connections = 1000,
                                           .miss_ring = 2048,
                                           .pool = pool};
    struct datapath *dp = datapath_create(&params, error, sizeof error);
    if (!dp)
        fail(error);
    snprintf(devargs, sizeof devargs, "net_pcap0,rx_pcap=%s,infinite_rx=1", options.pcap);
    struct port *in = port_open("in", devargs, pool), *out = port_open("out", "net_null0,no-rx=1", pool);
    struct program_table *programs = program_table_create();
    struct program *program = NULL;

    if (datapath_port_add(dp, out) != 0 || datapath_port_add(dp, in) != 0)
        fail("no room for ports");
    program = program_output(programs, out->index);
    if (!install_tunnel(dp, &options, programs, in->index, out->index, program))
        install_all(dp, &options, pool, in->index, program, program_drop(programs));
    if (datapath_start(dp) != 0)
        fail("no lcore 1: give --lcores 0@0,1@1");
    control_turns(dp, program, 1);
    datapath_pmd_stats_clear(dp);
    control_turns(dp, program, options.seconds);
    print_stats(dp, &options);
    fflush(stdout);
    datapath_destroy(dp);
    return 0;
}
