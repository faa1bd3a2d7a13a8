/* Packets into tunnels and out of them, through the lookups of a poll-mode thread. */
#include "pmd/tunnel.h"
#include "pmd/tunnel/push.h"
#include "tests/lib/datapath_bed.h"

#define TUNNEL 5000
#define VNI 77

static const struct tunnel_out headers = {.type = TUNNEL_VXLAN,
                                          .df = true,
                                          .src = {[10] = 0xff, 0xff, 10, 0, 0, 1},
                                          .dst = {[10] = 0xff, 0xff, 10, 0, 0, 2},
                                          .ttl = 64,
                                          .udp_dst = RTE_BE16(4789),
                                          .key = RTE_BE64(VNI),
                                          .eth_type = RTE_BE16(0x6558)};

static struct program_builder builder;

static struct program *program_push(uint32_t port)
{
    struct op_tunnel_push push;

    assert_true(tunnel_header_write(&headers, &push));
    program_builder_init(&builder);
    program_builder_add(&builder, OP_TUNNEL_PUSH, 0, &push, sizeof push);
    program_builder_add(&builder, OP_OUTPUT, port, NULL, 0);
    return program_intern(programs, &builder);
}

static struct program *program_pop(void)
{
    const struct op_tunnel_pop pop = {.type = TUNNEL_VXLAN, .udp_port = RTE_BE16(4789)};

    program_builder_init(&builder);
    program_builder_add(&builder, OP_TUNNEL_POP, 0, &pop, sizeof pop);
    return program_intern(programs, &builder);
}

static void add_tunnel(uint32_t index)
{
    const struct tunnel_in in = {.type = TUNNEL_VXLAN,
                                 .any_remote = true,
                                 .any_local = true,
                                 .has_key = true,
                                 .key = RTE_BE64(VNI),
                                 .udp_port = RTE_BE16(4789)};

    assert_int_equal(datapath_tunnel_add(dp, &in, index), 0);
    datapath_synchronize(dp);
}

/* What port 1 receives goes into the tunnel and out of port 2, what port 3 receives comes out of it. */
static void start_tunnels(uint32_t miss_ring)
{
    start_with(1, 1024, miss_ring, 20);
    install(1, 0, 0, program_push(2));
    install(3, 0, 0, program_pop());
}

/* A packet with `n` headers of tunnels in front. */
static struct rte_mbuf *wrap(struct rte_mbuf *m, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        send_packet(1, m);
        WAIT_FOR(rte_ring_sc_dequeue(ports[1]->out, (void **)&m) == 0);
    }
    return m;
}

static struct megaflow *install_tunnel(uint32_t in_port, uint32_t recirc_id, rte_be64_t tun_id, rte_be64_t tun_id_mask,
                                       struct program *program)
{
    const struct flow_key key = {.in_port = in_port, .recirc_id = recirc_id, .tun_id = tun_id};
    const struct flow_key mask = {.in_port = UINT32_MAX, .recirc_id = UINT32_MAX, .tun_id = tun_id_mask};
    int error = 0;
    struct megaflow *mf = datapath_megaflow_install(dp, &key, &mask, program, &error);

    assert_non_null(mf);
    return mf;
}

/* Port 1 into the tunnel, which leaves by port 2 and is plugged into port 3, and out of it back to port 1. */
static void packets_come_out_as_they_went_in(void **state)
{
    struct megaflow_stats stats = {0};
    struct rte_mbuf *m;
    uint32_t number;

    start_tunnels(256);
    add_tunnel(TUNNEL);
    struct megaflow *inside = install_tunnel(TUNNEL, 0, 0, 0, program_output(1));
    for (uint32_t i = 0; i < 500; i++)
        send_packet(1, packet_make(i % 7, i));
    for (uint32_t i = 0; i < 500; i++) {
        WAIT_FOR(rte_ring_sc_dequeue(ports[1]->out, (void **)&m) == 0);
        assert_int_equal(m->pkt_len, PACKET_LEN + 50);
        send_packet(3, m);
    }
    for (uint32_t i = 0; i < 500; i++) {
        WAIT_FOR(receive(1, &number));
        assert_int_equal(number, i);
    }
    datapath_megaflow_stats(dp, inside, &stats);
    assert_int_equal(stats.packets, 500);
    assert_int_equal(stats.bytes, 500 * PACKET_LEN);
    stop();
}

/* What the headers said goes with a miss, decides lookups, and is still there after a recirculation. */
static void what_outer_headers_said_stays_with_the_packet(void **state)
{
    const struct op_meta mark = {.pkt_mark = 3, .pkt_mark_mask = UINT32_MAX};
    struct flow_key key;
    uint32_t number;

    start_tunnels(256);
    add_tunnel(TUNNEL);
    send_packet(3, wrap(packet_make(1, 1), 1));
    struct rte_mbuf *miss = next_miss();
    assert_int_equal(packet_meta(miss)->md.in_port, TUNNEL);
    assert_int_equal(packet_meta(miss)->md.recirc_id, 0);
    assert_int_equal(packet_number(miss), 1);
    const unsigned n_lines = flow_key_parse(miss, TUNNEL, &key);
    assert_int_equal(packet_meta_to_key(packet_meta(miss), &key, n_lines), 4);
    assert_true(key.tun_id == RTE_BE64(VNI));
    assert_true(key.tun_ipv4_src == RTE_BE32(0x0a000001) && key.tun_ipv4_dst == RTE_BE32(0x0a000002));

    /* The program that comes back with it, which sends it round, and what it is looked up with then. */
    program_builder_init(&builder);
    program_builder_add(&builder, OP_SET_META, 0, &mark, sizeof mark);
    program_builder_add(&builder, OP_RECIRC, 9, NULL, 0);
    struct program *around = program_intern(programs, &builder);
    install_tunnel(TUNNEL, 9, RTE_BE64(VNI + 1), UINT64_MAX, program_output(2));
    install_tunnel(TUNNEL, 9, RTE_BE64(VNI), UINT64_MAX, program_output(1));
    packet_meta(miss)->program = around;
    datapath_miss_return(dp, miss);
    WAIT_FOR(receive(1, &number));
    assert_int_equal(number, 1);

    install_tunnel(TUNNEL, 0, 0, 0, program_ref(around));
    send_packet(3, wrap(packet_make(1, 2), 1));
    WAIT_FOR(receive(1, &number));
    assert_int_equal(number, 2);
    stop();
}

static void tunnels_come_and_go(void **state)
{
    uint32_t number;

    start_tunnels(256);
    install_tunnel(TUNNEL, 0, 0, 0, program_output(1));
    install_tunnel(TUNNEL + 1, 0, 0, 0, program_output(2));
    send_packet(3, wrap(packet_make(1, 1), 1));
    WAIT_FOR(drops(DROP_TUNNEL_UNKNOWN) == 1);
    for (uint32_t i = 0; i < 2; i++) {
        add_tunnel(TUNNEL + i);
        send_packet(3, wrap(packet_make(1, i), 1));
        WAIT_FOR(receive(1 + i, &number));
        assert_int_equal(number, i);
        datapath_tunnel_remove(dp, TUNNEL + i);
        datapath_synchronize(dp);
        send_packet(3, wrap(packet_make(1, 1), 1));
        WAIT_FOR(drops(DROP_TUNNEL_UNKNOWN) == 2 + i);
    }
    stop();
}

/* A tunnel whose packets end at this host's tunnel again, and again. */
static void tunnels_in_tunnels_have_an_end(void **state)
{
    uint32_t number;

    start_tunnels(256);
    add_tunnel(TUNNEL);
    struct rte_mbuf *twice = wrap(packet_make(1, 2), 2), *often = wrap(packet_make(1, 3), 9);
    struct megaflow *mf = install_tunnel(TUNNEL, 0, 0, 0, program_pop());
    send_packet(3, often);
    WAIT_FOR(drops(DROP_RECIRC_LIMIT) == 1);

    /* What is innermost is no tunnel's: it has no checksum. */
    send_packet(3, twice);
    WAIT_FOR(drops(DROP_TUNNEL_CHECKSUM) == 1);
    program_gone(datapath_megaflow_set_program(dp, mf, program_output(2)));
    datapath_synchronize(dp);
    send_packet(3, wrap(packet_make(1, 4), 1));
    WAIT_FOR(receive(2, &number));
    assert_int_equal(number, 4);
    stop();
}

/* More flows miss than one tunnel may have unresolved, and a port still has its share. */
static void tunnels_have_a_share_of_the_misses(void **state)
{
    struct rte_mbuf *misses[64];
    unsigned n = 0;

    start_tunnels(32);
    add_tunnel(TUNNEL);
    for (uint32_t i = 0; i < 40; i++)
        send_packet(3, wrap(packet_make(i, i), 1));
    WAIT_FOR(drops(DROP_MISS_PORT_QUOTA) == 24);
    send_packet(2, packet_make(1, 1));
    WAIT_FOR((n += datapath_miss_dequeue(dp, misses + n, 64 - n)) == 17);
    assert_int_equal(packet_meta(misses[16])->md.in_port, 2);
    for (unsigned i = 0; i < n; i++) {
        packet_meta(misses[i])->drop_reason = DROP_POLICY;
        datapath_miss_return(dp, misses[i]);
    }
    WAIT_FOR(drops(DROP_POLICY) == 17);
    stop();
}

/* --- bursts ------------------------------------------------------------- */

#define N_BURST 32

/* Outer headers of GRE or VXLAN with a key, put in front as a sender would. */
static struct rte_mbuf *wrapped(struct rte_mbuf *m, enum tunnel_type type, uint32_t key, uint16_t source)
{
    struct tunnel_out out = headers;
    struct op_tunnel_push push;

    out.type = type;
    out.has_key = true;
    out.udp_dst = type == TUNNEL_GRE ? 0 : headers.udp_dst;
    out.key = rte_cpu_to_be_64(key);
    assert_true(tunnel_header_write(&out, &push));
    push.src_first = source;
    push.src_n = 1;
    assert_int_equal(tunnel_push(m, &push, 0), DROP_N_REASONS);
    return m;
}

/* An IPv6 packet in the place of packet_make(). */
static struct rte_mbuf *packet_make_ipv6(uint32_t number)
{
    struct rte_mbuf *m = packet_make(0, 0);
    uint8_t *p = (uint8_t *)rte_pktmbuf_append(m, 20) - PACKET_LEN;

    memset(p + 12, 0, 68);
    memcpy(p + 12, "\x86\xdd\x60\0\0\0\0\x1a\x11\x40\xfd", 11);
    p[38] = 0xfd;
    p[59] = 26;
    memcpy(p + 62, &number, sizeof number);
    return m;
}

static void send_burst(struct rte_mbuf *const *burst, unsigned n)
{
    assert_int_equal(rte_ring_sp_enqueue_bulk(ports[2]->in, (void *const *)burst, n, NULL), n);
}

/* A burst of one tunnel in one go, so that the thread takes it as one. */
static void send_alike(enum tunnel_type type, uint32_t key, uint32_t first)
{
    struct rte_mbuf *burst[N_BURST];

    for (uint32_t i = 0; i < N_BURST; i++)
        burst[i] = wrapped(packet_make(first + i, first + i), type, key, (uint16_t)(40000 + i));
    send_burst(burst, N_BURST);
}

static void assert_received(unsigned port, uint32_t first, uint32_t n)
{
    uint32_t number;

    for (uint32_t i = 0; i < n; i++) {
        WAIT_FOR(receive(port, &number));
        assert_int_equal(number, first + i);
    }
}

static void start_bursts(enum tunnel_type type)
{
    const struct op_tunnel_pop pop = {.type = (uint8_t)type, .udp_port = type == TUNNEL_GRE ? 0 : headers.udp_dst};
    struct tunnel_in in = {
        .type = (uint8_t)type, .any_remote = true, .any_local = true, .has_key = true, .udp_port = pop.udp_port};

    start_with(1, 1024, 256, 20);
    program_builder_init(&builder);
    program_builder_add(&builder, OP_TUNNEL_POP, 0, &pop, sizeof pop);
    install(3, 0, 0, program_intern(programs, &builder));
    for (uint32_t i = 0; i < 2; i++) {
        in.key = rte_cpu_to_be_64(VNI + i);
        assert_int_equal(datapath_tunnel_add(dp, &in, TUNNEL + i), 0);
    }
}

static void assert_counted(struct megaflow *mf, uint64_t packets)
{
    struct megaflow_stats stats = {0};

    datapath_megaflow_stats(dp, mf, &stats);
    assert_int_equal(stats.packets, packets);
    assert_int_equal(stats.bytes, packets * PACKET_LEN);
}

static void bursts_come_out_in_order_and_counted(void **state)
{
    static const enum tunnel_type types[] = {TUNNEL_GRE, TUNNEL_VXLAN};

    for (unsigned t = 0; t < RTE_DIM(types); t++) {
        start_bursts(types[t]);
        struct megaflow *mf = install_tunnel(TUNNEL, 0, RTE_BE64(VNI), UINT64_MAX, program_output(1));
        for (uint32_t i = 0; i < 8; i++)
            send_alike(types[t], VNI, i * N_BURST);
        assert_received(1, 0, 8 * N_BURST);
        assert_counted(mf, 8 * N_BURST);
        stop();
    }
}

enum oddity {
    OTHER_TUNNEL,
    BAD_CHECKSUM,
    BAD_LENGTH,
    CUT_SHORT,
    BAD_FLAG,
    N_NOT_TAKEN,
    PADDED = N_NOT_TAKEN,
    IPV6,
    N_ODDITIES
};

/* A packet that is not such as those of send_alike(). */
static struct rte_mbuf *odd_packet(enum oddity oddity, uint32_t number)
{
    struct rte_mbuf *m = oddity == IPV6 ? packet_make_ipv6(number) : packet_make(number, number);
    uint8_t *data;

    m = wrapped(m, TUNNEL_GRE, VNI + (oddity == OTHER_TUNNEL), 0);
    data = rte_pktmbuf_mtod(m, uint8_t *);
    if (oddity == BAD_CHECKSUM)
        data[24] ^= 1;
    else if (oddity == BAD_LENGTH)
        data[17] ^= 1;
    else if (oddity == CUT_SHORT)
        assert_int_equal(rte_pktmbuf_trim(m, PACKET_LEN - 5), 0);
    else if (oddity == BAD_FLAG)
        data[34] |= 0x08;
    else if (oddity == PADDED)
        assert_non_null(rte_pktmbuf_append(m, 9));
    return m;
}

/* The next packet out of port 1. */
static void assert_next(uint32_t number, uint32_t len, uint32_t at)
{
    struct rte_mbuf *m;

    WAIT_FOR(rte_ring_sc_dequeue(ports[0]->out, (void **)&m) == 0);
    assert_int_equal(m->pkt_len, len);
    assert_memory_equal(rte_pktmbuf_mtod_offset(m, const uint8_t *, at), &number, sizeof number);
    rte_pktmbuf_free(m);
}

/* The bursts before have the thread expect that all packets are such as theirs; in the third one is not. */
static void what_is_unlike_in_a_burst_is_seen(void **state)
{
    const uint32_t odd = 11;
    struct megaflow_stats stats = {0};
    struct rte_mbuf *burst[N_BURST];

    start_bursts(TUNNEL_GRE);
    struct megaflow *mf = install_tunnel(TUNNEL, 0, 0, 0, program_output(1));
    install_tunnel(TUNNEL + 1, 0, 0, 0, program_output(2));
    for (enum oddity oddity = 0; oddity < N_ODDITIES; oddity++) {
        send_alike(TUNNEL_GRE, VNI, 0);
        send_alike(TUNNEL_GRE, VNI, N_BURST);
        assert_received(1, 0, 2 * N_BURST);
        for (uint32_t i = 0; i < N_BURST; i++)
            burst[i] = i == odd ? odd_packet(oddity, i) : wrapped(packet_make(i, i), TUNNEL_GRE, VNI, 0);
        send_burst(burst, N_BURST);
        for (uint32_t i = 0; i < N_BURST; i++) {
            if (i == odd && oddity == IPV6)
                assert_next(i, PACKET_LEN + 20, 62);
            else if (i != odd || oddity == PADDED)
                assert_next(i, PACKET_LEN, 42);
        }
    }
    assert_received(2, odd, 1);
    WAIT_FOR(drops(DROP_TUNNEL_CHECKSUM) == 1 && drops(DROP_TUNNEL_VERSION) == 1);
    WAIT_FOR(drops(DROP_TUNNEL_LENGTH) + drops(DROP_TUNNEL_TRUNCATED) == 2);
    datapath_megaflow_stats(dp, mf, &stats);
    assert_int_equal(stats.packets, 3 * N_ODDITIES * N_BURST - N_NOT_TAKEN);
    assert_int_equal(stats.bytes, stats.packets * PACKET_LEN + 20);
    stop();
}

/* The megaflow that is expected behind the tunnel looks at more than the packets share, or not at what they have. */
static void megaflows_behind_a_tunnel_match_what_they_look_at(void **state)
{
    struct flow_key key = {.in_port = TUNNEL, .eth_type = RTE_BE16(RTE_ETHER_TYPE_IPV4)};
    struct flow_key mask = {.in_port = UINT32_MAX, .recirc_id = UINT32_MAX, .eth_type = UINT16_MAX};
    int error = 0;

    start_bursts(TUNNEL_VXLAN);
    /* Half of the source ports outside. */
    key.tun_tp_src = RTE_BE16(0);
    mask.tun_tp_src = RTE_BE16(1);
    assert_non_null(datapath_megaflow_install(dp, &key, &mask, program_output(1), &error));
    key.tun_tp_src = RTE_BE16(1);
    assert_non_null(datapath_megaflow_install(dp, &key, &mask, program_output(2), &error));
    for (unsigned round = 0; round < 3; round++) {
        send_alike(TUNNEL_VXLAN, VNI, 0);
        for (uint32_t i = 0; i < N_BURST; i++)
            assert_received(1 + i % 2, i, 1);
    }
    /* A mark that the packets do not have, and a tunnel that is another's. */
    struct flow_key other = {.in_port = TUNNEL + 1, .pkt_mark = 5};
    struct flow_key other_mask = {.in_port = UINT32_MAX, .recirc_id = UINT32_MAX, .pkt_mark = UINT32_MAX};
    assert_non_null(datapath_megaflow_install(dp, &other, &other_mask, program_output(1), &error));
    other.pkt_mark = 0;
    other.tun_id = RTE_BE64(VNI);
    other_mask.tun_id = UINT64_MAX;
    assert_non_null(datapath_megaflow_install(dp, &other, &other_mask, program_output(1), &error));
    other.tun_id = RTE_BE64(VNI + 1);
    assert_non_null(datapath_megaflow_install(dp, &other, &other_mask, program_output(2), &error));
    for (unsigned round = 0; round < 3; round++) {
        send_alike(TUNNEL_VXLAN, VNI + 1, 0);
        assert_received(2, 0, N_BURST);
    }
    stop();
}

/* A megaflow that is replaced by one that changes packets, by one that recirculates, by none. */
static void programs_behind_a_tunnel_change(void **state)
{
    static const struct op_eth eth = {.dst = {{2, 0, 0, 0, 0, 9}}, .dst_mask = {{255, 255, 255, 255, 255, 255}}};
    struct rte_mbuf *m;

    start_bursts(TUNNEL_GRE);
    struct megaflow *mf = install_tunnel(TUNNEL, 0, 0, 0, program_output(1));
    send_alike(TUNNEL_GRE, VNI, 0);
    send_alike(TUNNEL_GRE, VNI, N_BURST);
    assert_received(1, 0, 2 * N_BURST);

    program_builder_init(&builder);
    program_builder_add(&builder, OP_SET_ETH, 0, &eth, sizeof eth);
    program_builder_add(&builder, OP_OUTPUT, 2, NULL, 0);
    program_gone(datapath_megaflow_set_program(dp, mf, program_intern(programs, &builder)));
    datapath_synchronize(dp);
    send_alike(TUNNEL_GRE, VNI, 0);
    for (uint32_t i = 0; i < N_BURST; i++) {
        WAIT_FOR(rte_ring_sc_dequeue(ports[1]->out, (void **)&m) == 0);
        assert_memory_equal(rte_pktmbuf_mtod(m, void *), &eth.dst, sizeof eth.dst);
        assert_int_equal(packet_number(m), i);
        rte_pktmbuf_free(m);
    }

    program_builder_init(&builder);
    program_builder_add(&builder, OP_RECIRC, 9, NULL, 0);
    program_gone(datapath_megaflow_set_program(dp, mf, program_intern(programs, &builder)));
    install_tunnel(TUNNEL, 9, RTE_BE64(VNI), UINT64_MAX, program_output(1));
    datapath_synchronize(dp);
    send_alike(TUNNEL_GRE, VNI, 0);
    assert_received(1, 0, N_BURST);

    program_gone(datapath_megaflow_remove(dp, mf));
    datapath_synchronize(dp);
    send_alike(TUNNEL_GRE, VNI, 0);
    for (uint32_t i = 0; i < 16; i++) { /* as many as one tunnel may have unresolved */
        m = next_miss();
        struct flow_key key;
        const unsigned n_lines = flow_key_parse(m, TUNNEL, &key);

        assert_int_equal(packet_meta_to_key(packet_meta(m), &key, n_lines), 4);
        assert_true(key.tun_id == RTE_BE64(VNI) && key.in_port == TUNNEL && key.recirc_id == 0);
        packet_meta(m)->drop_reason = DROP_POLICY;
        datapath_miss_return(dp, m);
    }
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packets_come_out_as_they_went_in),
        cmocka_unit_test(what_outer_headers_said_stays_with_the_packet),
        cmocka_unit_test(tunnels_come_and_go),
        cmocka_unit_test(tunnels_in_tunnels_have_an_end),
        cmocka_unit_test(tunnels_have_a_share_of_the_misses),
        cmocka_unit_test(bursts_come_out_in_order_and_counted),
        cmocka_unit_test(what_is_unlike_in_a_burst_is_seen),
        cmocka_unit_test(megaflows_behind_a_tunnel_match_what_they_look_at),
        cmocka_unit_test(programs_behind_a_tunnel_change),
    };

    if (test_eal_init("datapath_tunnel") != 0)
        return 1;
    pool = test_pool(8191);
    return pool ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
