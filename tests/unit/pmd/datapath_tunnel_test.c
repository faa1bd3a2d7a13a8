/* Packets into tunnels and out of them, through the lookups of a poll-mode thread. */
#include "pmd/tunnel.h"
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packets_come_out_as_they_went_in),
        cmocka_unit_test(what_outer_headers_said_stays_with_the_packet),
        cmocka_unit_test(tunnels_come_and_go),
        cmocka_unit_test(tunnels_in_tunnels_have_an_end),
        cmocka_unit_test(tunnels_have_a_share_of_the_misses),
    };

    if (test_eal_init("datapath_tunnel") != 0)
        return 1;
    pool = test_pool(8191);
    return pool ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
