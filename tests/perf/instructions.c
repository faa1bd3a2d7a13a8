/* The fast path on fixed bursts, for callgrind to count: no clock, no other thread, no device.
 *
 *   valgrind --tool=callgrind --collect-atstart=no --toggle-collect=measured build/tests/perf/instructions CASE
 *
 * The frame around measured() warms the caches up first. Prints the packets that were counted and the variant of the
 * lookups; tests/perf/counts.py divides. The cases are at the end of the file.
 */
#include <errno.h>
#include <rte_ip.h>
#include <rte_tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/datapath.h"
#include "pmd/poll/poll_thread.h"
#include "pmd/tunnel/push.h"
#include "tests/lib/eal.h"

#define FLOWS 1024
#define NETWORKS 64
#define ROUNDS 4
#define FRAME_LEN 60
#define IN_PORT 1
#define OUT_PORT 2

static struct rte_mbuf *packets[FLOWS];
static struct datapath *dp;
static struct program_table *programs;

static void fail(const char *what)
{
    fprintf(stderr, "instructions: %s\n", what);
    exit(1);
}

/* --- ports that take everything; the packets stay the program's ---------- */

static uint16_t receive_nothing(struct port *port, uint16_t queue, struct rte_mbuf **burst, uint16_t n)
{
    return 0;
}

static uint16_t send_nowhere(struct port *port, uint16_t queue, struct rte_mbuf **burst, uint16_t n)
{
    return n;
}

static const struct port_ops ops = {.rx_burst = receive_nothing, .tx_burst = send_nowhere};

void port_destroy(struct port *port)
{
}

static void add_port(void)
{
    static struct port ports[2];
    static unsigned n;
    struct port *port = &ports[n++];

    *port = (struct port){.ops = &ops,
                          .ethdev_id = UINT16_MAX,
                          .n_rxq = 1,
                          .n_txq = 1,
                          .admin_up = true,
                          .link_up = true,
                          .max_len = 1514,
                          .numa_node = -1};
    if (datapath_port_add(dp, port) != 0)
        fail("no room for a port");
}

/* --- traffic ------------------------------------------------------------- */

static void make_packets(struct rte_mempool *pool)
{
    static const uint8_t head[] = {2,    0, 0, 0,  0, 2, 2, 0, 0,  0,  0, 1, 8, 0,
                                   0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17, 0, 0, 10};

    for (unsigned i = 0; i < FLOWS; i++) {
        packets[i] = rte_pktmbuf_alloc(pool);
        if (!packets[i])
            fail("no memory for packets");
        uint8_t *data = (uint8_t *)rte_pktmbuf_append(packets[i], FRAME_LEN);

        memset(data, 0, FRAME_LEN);
        memcpy(data, head, sizeof head);
        data[28] = (uint8_t)(i >> 8); /* 10.0.i.i */
        data[29] = (uint8_t)i;
        data[30] = 11;
        data[32] = (uint8_t)(i % NETWORKS); /* 11.0.i.1 */
        data[33] = 1;
        data[34] = 4; /* ports */
        data[36] = (uint8_t)(i >> 8);
        data[37] = (uint8_t)i;
        data[39] = 26; /* UDP length */
    }
}

/* --- megaflows ----------------------------------------------------------- */

static struct flow_key narrow_mask(void)
{
    return (struct flow_key){.in_port = UINT32_MAX,
                             .recirc_id = UINT32_MAX,
                             .eth_type = UINT16_MAX,
                             .ipv4_src = UINT32_MAX,
                             .ipv4_dst = UINT32_MAX,
                             .tp_src = UINT16_MAX,
                             .tp_dst = UINT16_MAX,
                             .ip_proto = UINT8_MAX};
}

static void install(const struct flow_key *key, const struct flow_key *mask, struct program *program)
{
    int error = 0;

    if (!datapath_megaflow_install(dp, key, mask, program_ref(program), &error) && error != -EEXIST)
        fail("cannot install a megaflow");
}

static void install_port(struct program *program)
{
    const struct flow_key key = {.in_port = IN_PORT};
    const struct flow_key mask = {.in_port = UINT32_MAX, .recirc_id = UINT32_MAX};

    install(&key, &mask, program);
}

static void install_wildcard(struct program *program)
{
    const struct flow_key key = {
        .in_port = IN_PORT, .eth_type = RTE_BE16(RTE_ETHER_TYPE_IPV4), .ipv4_dst = RTE_BE32(0x0b000000)};
    const struct flow_key mask = {
        .in_port = UINT32_MAX, .recirc_id = UINT32_MAX, .eth_type = UINT16_MAX, .ipv4_dst = RTE_BE32(0xff000000)};

    install(&key, &mask, program);
}

/* Packets come round once, with a mark, before `program` has them. */
static void install_recirculation(struct program *program)
{
    const struct op_meta mark = {.pkt_mark = 1, .pkt_mark_mask = UINT32_MAX};
    const struct flow_key key = {.in_port = IN_PORT, .recirc_id = 1, .pkt_mark = 1};
    const struct flow_key mask = {.in_port = UINT32_MAX, .recirc_id = UINT32_MAX, .pkt_mark = UINT32_MAX};
    struct program_builder builder;

    program_builder_init(&builder);
    program_builder_add(&builder, OP_SET_META, 0, &mark, sizeof mark);
    program_builder_add(&builder, OP_RECIRC, 1, NULL, 0);
    install_wildcard(program_intern(programs, &builder));
    install(&key, &mask, program);
}

static void install_network(uint32_t network, struct program *program)
{
    const struct flow_key mask = {
        .in_port = UINT32_MAX, .recirc_id = UINT32_MAX, .eth_type = UINT16_MAX, .ipv4_dst = RTE_BE32(0xffffff00)};
    const struct flow_key key = {.in_port = IN_PORT,
                                 .eth_type = RTE_BE16(RTE_ETHER_TYPE_IPV4),
                                 .ipv4_dst = rte_cpu_to_be_32(0x0b000000 | network << 8)};

    install(&key, &mask, program);
}

/* A megaflow for each destination network. */
static void install_networks(struct program *program)
{
    for (uint32_t i = 0; i < NETWORKS; i++)
        install_network(i, program);
}

static void install_each(struct program *program, unsigned n_masks)
{
    for (unsigned i = 0; i < FLOWS; i++) {
        struct flow_key key, mask = narrow_mask();

        memset(&key, 0, sizeof key);
        flow_key_parse(packets[i], IN_PORT, &key);
        mask.eth_src.addr_bytes[5] = (uint8_t)(i % n_masks);
        install(&key, &mask, program);
    }
}

static void install_exact(struct program *program)
{
    install_each(program, 1);
}

static void install_tuples(struct program *program)
{
    install_each(program, 8);
}

/* --- tunnels ------------------------------------------------------------- */

#define TUNNEL TUNNEL_INDEX_FIRST
#define VXLAN_HEADERS 50
#define OVN_HEADERS 58 /* Geneve with an option of 4 bytes, and a checksum */
#define GRE_HEADERS 42 /* with a key */

static struct op_tunnel_push headers(int32_t len)
{
    static const uint8_t option[] = {0x01, 0x02, 0x80, 1, 0, 1, 0, 2};
    struct tunnel_out out = {.type = TUNNEL_VXLAN,
                             .df = true,
                             .src = {[10] = 0xff, 0xff, 10, 0, 0, 1},
                             .dst = {[10] = 0xff, 0xff, 10, 0, 0, 2},
                             .ttl = 64,
                             .udp_dst = RTE_BE16(4789),
                             .key = RTE_BE64(42),
                             .eth_type = RTE_BE16(0x6558)};
    struct op_tunnel_push push;

    if (len == OVN_HEADERS) {
        out.type = TUNNEL_GENEVE;
        out.udp_dst = RTE_BE16(6081);
        out.csum = true;
        out.options = option;
        out.options_len = sizeof option;
    } else if (len == GRE_HEADERS) {
        out.type = TUNNEL_GRE;
        out.udp_dst = 0;
        out.has_key = true;
    }
    if (!tunnel_header_write(&out, &push) || push.len != len)
        fail("no outer headers");
    return push;
}

static void install_headers(int32_t len, bool change)
{
    static const struct op_eth eth = {.dst = {{2, 0, 0, 0, 0, 9}}, .dst_mask = {{255, 255, 255, 255, 255, 255}}};
    const struct op_tunnel_push push = headers(len);
    struct program_builder builder;

    program_builder_init(&builder);
    if (change)
        program_builder_add(&builder, OP_SET_ETH, 0, &eth, sizeof eth);
    program_builder_add(&builder, OP_TUNNEL_PUSH, 0, &push, sizeof push);
    program_builder_add(&builder, OP_OUTPUT, OUT_PORT, NULL, 0);
    install_wildcard(program_intern(programs, &builder));
}

static void install_push(struct program *program)
{
    install_headers(VXLAN_HEADERS, false);
}

static void install_push_ovn(struct program *program)
{
    install_headers(OVN_HEADERS, false);
}

static void install_change_push(struct program *program)
{
    install_headers(VXLAN_HEADERS, true);
}

/* The packets as they come out of install_headers(). */
static void install_taken(int32_t len, struct program *program)
{
    static const struct tunnel_option option = {.class = 0x0102, .type = 0x80, .len = 4, .offset = 0};
    const struct op_tunnel_push push = headers(len);
    const rte_be16_t port = len == VXLAN_HEADERS ? RTE_BE16(4789) : len == OVN_HEADERS ? RTE_BE16(6081) : 0;
    const struct op_tunnel_pop pop = {.type = push.type, .udp_port = port};
    const struct tunnel_in in = {
        .type = push.type, .any_key = true, .any_remote = true, .any_local = true, .udp_port = port};
    const struct flow_key key = {.in_port = TUNNEL};
    const struct flow_key mask = {.in_port = UINT32_MAX, .recirc_id = UINT32_MAX, .eth_type = 0};
    const struct flow_key gre = {.in_port = IN_PORT, .eth_type = RTE_BE16(RTE_ETHER_TYPE_IPV4), .ip_proto = 47};
    const struct flow_key gre_mask = {
        .in_port = UINT32_MAX, .recirc_id = UINT32_MAX, .eth_type = UINT16_MAX, .ip_proto = UINT8_MAX};
    struct program_builder builder;

    for (unsigned i = 0; i < FLOWS; i++)
        tunnel_push(packets[i], &push, 0);
    if (datapath_tunnel_add(dp, &in, TUNNEL) != 0 || datapath_tunnel_options_set(dp, &option, 1) != 0)
        fail("no tunnel");
    program_builder_init(&builder);
    program_builder_add(&builder, OP_TUNNEL_POP, 0, &pop, sizeof pop);
    if (len == GRE_HEADERS) /* with the outer headers looked at */
        install(&gre, &gre_mask, program_intern(programs, &builder));
    else
        install_port(program_intern(programs, &builder));
    install(&key, &mask, program);
}

static void install_pop(struct program *program)
{
    install_taken(VXLAN_HEADERS, program);
}

static void install_pop_ovn(struct program *program)
{
    install_taken(OVN_HEADERS, program);
}

static void install_pop_gre(struct program *program)
{
    install_taken(GRE_HEADERS, program);
}

/* The port keeps the packets: as they were before they went through. */
static void restore(int32_t len)
{
    for (unsigned i = 0; i < FLOWS && len != 0; i++) {
        packets[i]->data_off = (uint16_t)(packets[i]->data_off - len);
        packets[i]->data_len = (uint16_t)(packets[i]->data_len + len);
        packets[i]->pkt_len = packets[i]->data_len;
    }
}

/* --- connections --------------------------------------------------------- */

static void swap_directions(void)
{
    for (unsigned i = 0; i < FLOWS; i++) {
        uint8_t *data = rte_pktmbuf_mtod(packets[i], uint8_t *);
        uint8_t side[4];

        memcpy(side, data + 26, 4); /* addresses */
        memcpy(data + 26, data + 30, 4);
        memcpy(data + 30, side, 4);
        memcpy(side, data + 34, 2); /* ports */
        memcpy(data + 34, data + 36, 2);
        memcpy(data + 36, side, 2);
    }
}

/* Every packet is tracked as `request` has it, in one of `zones` zones that its number says. */
static void track_all(struct ct_request request, unsigned zones)
{
    for (unsigned zone = 0; zone < zones; zone++) {
        struct rte_mbuf *of_zone[FLOWS];
        struct ct_meta *metas[FLOWS];
        uint8_t reasons[FLOWS] = {0};
        unsigned n = 0;

        for (unsigned i = zone; i < FLOWS; i += zones) {
            of_zone[n] = packets[i];
            metas[n++] = &packet_meta(packets[i])->ct;
        }
        request.zone = (uint16_t)zone;
        ct_run(dp->ct, 0, 0, &request, of_zone, n, metas, reasons);
    }
}

/* Each packet is of a connection then whose both sides have sent. */
static void make_connections(unsigned zones)
{
    for (unsigned i = 0; i < FLOWS; i++) {
        struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod_offset(packets[i], struct rte_ipv4_hdr *, RTE_ETHER_HDR_LEN);

        ip->hdr_checksum = rte_ipv4_cksum(ip);
    }
    track_all((struct ct_request){.commit = true}, zones);
    swap_directions();
    track_all((struct ct_request){.commit = false}, zones);
    for (unsigned i = 0; i < FLOWS; i++) {
        if (packet_meta(packets[i])->ct.state != (CT_STATE_TRK | CT_STATE_EST | CT_STATE_RPL))
            fail("no connection");
    }
    swap_directions();
}

/* What ct(table=1,zone=...) becomes; it goes on as `recirc_id`. */
static struct program *track_program(uint16_t zone, uint32_t recirc_id)
{
    const struct op_ct track = {.request = {.zone = zone}};
    struct program_builder builder;

    program_builder_init(&builder);
    program_builder_add(&builder, OP_CT, 0, &track, sizeof track);
    program_builder_add(&builder, OP_RECIRC, recirc_id, NULL, 0);
    return program_intern(programs, &builder);
}

/* A rule on ct_state=+trk+est-new or +trk+new-est behind ct(). */
static void install_behind(uint32_t recirc_id, uint16_t ct_state, struct program *program)
{
    const struct flow_key key = {.in_port = IN_PORT,
                                 .recirc_id = recirc_id,
                                 .eth_type = RTE_BE16(RTE_ETHER_TYPE_IPV4),
                                 .ct_state = CT_STATE_TRK | ct_state};
    const struct flow_key mask = {.in_port = UINT32_MAX,
                                  .recirc_id = UINT32_MAX,
                                  .eth_type = UINT16_MAX,
                                  .ct_state = CT_STATE_TRK | CT_STATE_EST | CT_STATE_NEW};

    install(&key, &mask, program);
}

static void install_track(struct program *program)
{
    make_connections(1);
    install_wildcard(track_program(0, 1));
    install_behind(1, CT_STATE_EST, program);
}

/* --- TCP connections from their first packet to their last --------------- */

#define SYN RTE_TCP_SYN_FLAG
#define ACK RTE_TCP_ACK_FLAG
#define PSH RTE_TCP_PSH_FLAG
#define FIN RTE_TCP_FIN_FLAG
/* Opened, four packets of 6 octets, closed: who sends, flags, sequence and acknowledgement numbers. */
static const struct {
    uint8_t side, flags, seq, ack, len;
} steps[] = {{0, SYN, 0, 0, 0},         {1, SYN | ACK, 0, 1, 0}, {0, ACK, 1, 1, 0},        {0, PSH | ACK, 1, 1, 6},
             {1, PSH | ACK, 1, 7, 6},   {0, PSH | ACK, 7, 7, 6}, {1, PSH | ACK, 7, 13, 6}, {0, FIN | ACK, 13, 13, 0},
             {1, FIN | ACK, 13, 14, 0}, {0, ACK, 14, 14, 0}};
#define LIVES (FLOWS / RTE_DIM(steps))

static void make_tcp(struct rte_mbuf *m, unsigned life, unsigned step)
{
    struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod_offset(m, struct rte_ipv4_hdr *, RTE_ETHER_HDR_LEN);
    struct rte_tcp_hdr *tcp = (void *)(ip + 1);
    const uint8_t side = steps[step].side;
    const rte_be32_t client = rte_cpu_to_be_32(0x0a000000 | life), server = RTE_BE32(0x0b000001);

    ip->total_length = rte_cpu_to_be_16((uint16_t)(sizeof *ip + sizeof *tcp + steps[step].len));
    ip->next_proto_id = IPPROTO_TCP;
    ip->src_addr = side ? server : client;
    ip->dst_addr = side ? client : server;
    ip->hdr_checksum = 0;
    ip->hdr_checksum = rte_ipv4_cksum(ip);
    memset(tcp, 0, sizeof *tcp);
    tcp->src_port = side ? RTE_BE16(80) : RTE_BE16(4000);
    tcp->dst_port = side ? RTE_BE16(4000) : RTE_BE16(80);
    tcp->sent_seq = rte_cpu_to_be_32(1000u + 1000u * side + steps[step].seq);
    tcp->recv_ack = steps[step].flags & ACK ? rte_cpu_to_be_32(2000u - 1000u * side + steps[step].ack) : 0;
    tcp->data_off = 5 << 4;
    tcp->tcp_flags = steps[step].flags;
    tcp->rx_win = RTE_BE16(60000);
    tcp->cksum = rte_ipv4_udptcp_cksum(ip, tcp);
}

/* ct(table=1), and behind it a rule that commits what is new. All connections at a time take each step; what is left of
 * the packets are acknowledgements. */
static void install_lives(struct program *program)
{
    const struct op_ct commit = {.request = {.commit = true}};
    const struct flow_key key = {.in_port = IN_PORT, .eth_type = RTE_BE16(RTE_ETHER_TYPE_IPV4)};
    const struct flow_key mask = {.in_port = UINT32_MAX, .recirc_id = UINT32_MAX, .eth_type = UINT16_MAX};
    struct program_builder builder;

    /* The tracker's clock begins: it stands still here. */
    track_all((struct ct_request){.commit = false}, 1);
    for (unsigned i = 0; i < FLOWS; i++)
        make_tcp(packets[i], i % LIVES, RTE_MIN(i / LIVES, RTE_DIM(steps) - 1));
    program_builder_init(&builder);
    program_builder_add(&builder, OP_CT, 0, &commit, sizeof commit);
    program_builder_add(&builder, OP_OUTPUT, OUT_PORT, NULL, 0);
    install(&key, &mask, track_program(0, 1));
    install_behind(1, CT_STATE_NEW, program_intern(programs, &builder));
    install_behind(1, CT_STATE_EST, program);
}

/* A zone for each of 64 networks: a burst has a packet of each. */
static void install_track_zones(struct program *program)
{
    make_connections(NETWORKS);
    for (unsigned i = 0; i < NETWORKS; i++) {
        install_network(i, track_program((uint16_t)i, 1 + i));
        install_behind(1 + i, CT_STATE_EST, program);
    }
}

/* --- counting ------------------------------------------------------------ */

/* Named by --toggle-collect. */
__attribute__((noinline)) void measured(struct poll_thread *thread);

void measured(struct poll_thread *thread)
{
    for (unsigned i = 0; i < FLOWS; i += BURST) {
        burst_received(thread, IN_PORT, &packets[i], BURST);
        tx_flush_all(thread);
    }
}

static struct program *make_program(bool change)
{
    static const struct op_eth eth = {.dst = {{2, 0, 0, 0, 0, 9}}, .dst_mask = {{255, 255, 255, 255, 255, 255}}};
    struct program_builder builder;

    program_builder_init(&builder);
    if (change)
        program_builder_add(&builder, OP_SET_ETH, 0, &eth, sizeof eth);
    program_builder_add(&builder, OP_OUTPUT, OUT_PORT, NULL, 0);
    return program_intern(programs, &builder);
}

static const struct {
    const char *name;
    void (*install)(struct program *program);
    uint32_t emc_entries;
    bool change;
    int32_t taken; /* bytes that packets are shorter by when they leave */
} cases[] = {
    {"port", install_port, 8192, false},                 /* no parsing */
    {"wildcard", install_wildcard, 8192, false},         /* parsing and one compare */
    {"groups", install_networks, 8192, false},           /* 64 megaflows, several packets each */
    {"emc", install_tuples, 8192, false},                /* exact-match cache in front of eight tuples */
    {"exact", install_exact, 8192, false},               /* a megaflow for every packet, one tuple */
    {"tuple", install_exact, 0, false},                  /* no exact-match cache, one tuple */
    {"tuples", install_tuples, 0, false},                /* no exact-match cache, eight tuples */
    {"change", install_wildcard, 8192, true},            /* a program that changes packets */
    {"push", install_push, 8192, false, -VXLAN_HEADERS}, /* into a tunnel */
    {"pop", install_pop, 8192, false, VXLAN_HEADERS},    /* out of one, and looked up again */
    {"push-ovn", install_push_ovn, 8192, false, -OVN_HEADERS},
    {"pop-ovn", install_pop_ovn, 8192, false, OVN_HEADERS},
    {"pop-gre", install_pop_gre, 8192, false, GRE_HEADERS}, /* outer headers are parsed, too */
    {"change-push", install_change_push, 8192, false, -VXLAN_HEADERS},
    {"track", install_track, 8192, false},             /* of an established connection, and looked up again */
    {"track-zones", install_track_zones, 8192, false}, /* each packet of a burst in another zone */
    {"track-lives", install_lives, 8192, false},       /* TCP connections that are opened, used and closed */
    {"again", install_recirculation, 8192, false},     /* metadata is written, then the packet looked up again */
};

int main(int argc, char **argv)
{
    const unsigned lcore = 1;
    unsigned c = 0;
    char error[200];

    while (argc == 2 && c < RTE_DIM(cases) && strcmp(cases[c].name, argv[1]) != 0)
        c++;
    if (argc != 2 || c == RTE_DIM(cases))
        fail("give a case: see the table of cases");
    if (test_eal_init("instructions") != 0)
        fail("no EAL");
    struct rte_mempool *pool = test_pool(FLOWS + 256);
    const struct datapath_params params = {.n_threads = 1,
                                           .lcores = &lcore,
                                           .emc_entries = cases[c].emc_entries,
                                           .megaflow_limit = 4096,
                                           .mask_limit = 16,
                                           .max_connections = 2 * FLOWS,
                                           .miss_ring = 256,
                                           .pool = pool};
    if (!pool)
        fail("no memory");
    dp = datapath_create(&params, error, sizeof error);
    if (!dp)
        fail(error);
    make_packets(pool);
    add_port();
    add_port();
    programs = program_table_create();
    cases[c].install(make_program(cases[c].change));

    struct poll_thread *thread = dp->threads[0];
    /* The last round is counted. As many as the cache needs to have admitted all flows. */
    for (unsigned i = 0; i < ROUNDS; i++) {
        for (unsigned k = 0; k < FLOWS; k += BURST) {
            burst_received(thread, IN_PORT, &packets[k], BURST);
            tx_flush_all(thread);
        }
        restore(cases[c].taken);
        while (ct_work(dp->ct, 0, 1000)) /* the control thread's part, which is not counted */
            ;
    }
    measured(thread);
    if (thread->counters.misses > 0)
        fail("packets missed");
    printf("%u packets, %s\n", FLOWS, dp->lookup->name);
    return 0;
}
