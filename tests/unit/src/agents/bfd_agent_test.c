/* BFD on ports of a switch that forwards: who takes its packets, what they lead to, and what goes on beside them. */
#include "src/agents/bfd_agent.h"
#include "src/proto/bfd_frame.h"
#include "src/xlate/punt.h"
#include "tests/lib/bed_xlate.h"

static struct loop *loop;
static struct bfd_agent *agent;

static const struct bfd_agent_config fast = {.enable = true,
                                             .session = {.min_tx_us = 60000, .min_rx_us = 60000, .mult = 5}};

static struct bridge_port *port(uint32_t ofport)
{
    return bridge_port_by_ofport(bed.bridge, ofport);
}

static int setup(void **state)
{
    xlate_setup_running(state);
    loop = loop_create();
    agent = bfd_agent_create(loop, bed.flows, pool);
    return 0;
}

static int teardown(void **state)
{
    xlate_teardown(state);
    bfd_agent_destroy(agent);
    loop_destroy(loop);
    assert_int_equal(rte_mempool_in_use_count(pool), 0);
    return 0;
}

static struct bfd_status status(uint32_t ofport)
{
    struct bfd_status st = {0};

    assert_true(bfd_agent_status(port(ofport), &st));
    return st;
}

/* One turn; what leaves one of the two ports comes in by the other, if the cable is whole. */
static void turn(uint32_t one, uint32_t two, bool whole)
{
    struct rte_mbuf *m;

    bed_turn(&bed);
    loop_turn(loop);
    for (int i = 0; i < 2; i++) {
        while (rte_ring_sc_dequeue(bed.fake[i ? two : one]->out, (void **)&m) == 0) {
            if (whole)
                send_to(i ? one : two, m);
            else
                rte_pktmbuf_free(m);
        }
    }
    usleep(100);
}

#define WAIT_FOR(condition, whole)                                                                                     \
    for (uint64_t end_ = clock_now_ms() + 10000; !(condition);) {                                                      \
        assert_true(clock_now_ms() < end_);                                                                            \
        turn(1, 2, whole);                                                                                             \
    }

static uint64_t drops(enum drop_reason reason)
{
    struct drop_counters counters;

    datapath_drops(bed.dp, &counters);
    return counters.packets[reason];
}

static bool is_live(uint32_t ofport)
{
    return port(ofport)->state & PORT_STATE_LIVE;
}

static void two_ports_find_and_lose_each_other(void **state)
{
    struct flows_stats stats;

    bed_add(&bed, "priority=1,actions=drop");
    assert_true(is_live(1));
    bfd_agent_set(agent, port(1), &fast);
    bfd_agent_set(agent, port(2), &fast);
    assert_false(is_live(1));
    WAIT_FOR(status(1).state == BFD_UP && status(2).state == BFD_UP, true);
    assert_true(is_live(1) && is_live(2));
    assert_true(status(1).forwarding);
    flows_get_stats(bed.flows, &stats);
    assert_true(stats.protocol_sent >= 4 && stats.punts >= 4);
    assert_int_equal(stats.packet_ins, 0);

    assert_int_equal(bfd_agent_override(agent, "p1", 0), 1);
    assert_false(is_live(1));
    assert_int_equal(bfd_agent_override(agent, NULL, -1), 2);
    assert_true(is_live(1));
    assert_int_equal(bfd_agent_override(agent, "p9", 1), 0);

    WAIT_FOR(status(1).state != BFD_UP && status(2).state != BFD_UP, false);
    assert_false(is_live(1) || is_live(2));
    WAIT_FOR(status(1).state == BFD_UP && status(2).state == BFD_UP, true);

    /* Who ends a session tells the other end, and the port is as any other. */
    bfd_agent_set(agent, port(2), &(struct bfd_agent_config){.enable = false});
    assert_true(is_live(2));
    WAIT_FOR(status(1).state == BFD_DOWN, true);
    assert_int_equal(status(1).remote_diag, BFD_DIAG_ADMIN_DOWN);
    assert_false(bfd_agent_status(port(2), &(struct bfd_status){0}));
}

/* What a frame of the session on port 1 has, with changes. */
static struct rte_mbuf *frame(uint8_t ttl, uint8_t version)
{
    const struct bfd_frame addresses = {
        {0, 0x23, 0x20, 0, 0, 1}, {2, 0, 0, 0, 0, 9}, {169, 254, 1, 1}, {169, 254, 1, 0}, 50000};
    uint8_t packet[BFD_PACKET_LEN] = {(uint8_t)(version << 5), BFD_DOWN << 6, 3, BFD_PACKET_LEN, 0, 0, 0, 7};
    struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
    uint8_t *bytes = (uint8_t *)rte_pktmbuf_append(m, BFD_FRAME_LEN);

    packet[14] = packet[18] = 1;
    bfd_frame_build(&addresses, packet, bytes);
    bytes[22] = ttl;
    return m;
}

static void frames_that_are_faulty_are_counted(void **state)
{
    bfd_agent_set(agent, port(1), &fast);
    send_to(1, frame(254, 1));
    send_to(1, frame(255, 2));
    WAIT_FOR(drops(DROP_PROTOCOL_FAULTY) == 2, false);
    assert_int_equal(status(1).faults[BFD_FAULT_TTL], 1);
    /* The checksum was made for the TTL; the other frame is whole. */
    assert_int_equal(status(1).faults[BFD_FAULT_VERSION], 1);
    assert_int_equal(status(1).state, BFD_DOWN);
    /* A tag in front of it does not matter. */
    struct rte_mbuf *m = frame(255, 1);
    uint8_t *bytes = (uint8_t *)rte_pktmbuf_prepend(m, 4);
    memmove(bytes, bytes + 4, 12);
    memcpy(bytes + 12, "\x81\x00\x00\x05", 4);
    send_to(1, m);
    WAIT_FOR(status(1).state == BFD_INIT, false);
}

static const char *punts_to(void)
{
    const struct program_op *op = (const struct program_op *)out.program.ops;
    const struct punt *punt = op->type == OP_PUNT ? punt_get(op->arg) : NULL;

    if (!punt)
        return NULL;
    assert_true(punt->kind == PUNT_TO_PROTOCOL && op->arg & PUNT_ID_PROTOCOL);
    assert_ptr_equal(punt->bridge, bed.bridge);
    return bridge_port_by_ofport(punt->bridge, punt->in_port)->name;
}

static void only_what_is_its_own_is_taken(void **state)
{
    struct bfd_agent_config config = fast;

    bed_add(&bed, "priority=1,actions=output:3");
    /* No session: rules alone, which look at nothing. */
    EXPECT("in_port=1,udp,tp_dst=3784", "3");
    EXPECT_MASK("recirc_id(0),in_port(1)");
    bfd_agent_set(agent, port(1), &config);
    actions_of("in_port=1,udp,tp_dst=3784,nw_ttl=255");
    assert_string_equal(punts_to(), "p1");
    EXPECT_MASK("recirc_id(0),in_port(1),eth_type(0x0800),ipv4(proto=17,frag=no),udp(dst=3784)");
    EXPECT("in_port=2,udp,tp_dst=3784", "3");
    /* Of other ports of UDP the highest bit that differs. */
    EXPECT("in_port=1,udp,tp_dst=3785", "3");
    EXPECT_MASK("recirc_id(0),in_port(1),eth_type(0x0800),ipv4(proto=17,frag=no),udp(dst=0x1/0x1)");
    EXPECT("in_port=1,udp,tp_dst=53", "3");
    EXPECT_MASK("recirc_id(0),in_port(1),eth_type(0x0800),ipv4(proto=17,frag=no),udp(dst=0/0x800)");
    EXPECT("in_port=1,tcp,tp_dst=3784", "3");
    EXPECT_MASK("recirc_id(0),in_port(1),eth_type(0x0800),ipv4(proto=6,frag=no)");
    EXPECT("in_port=1,udp6,tp_dst=3784", "3");
    EXPECT("in_port=1,arp", "3");
    EXPECT_MASK("recirc_id(0),in_port(1),eth_type(0x0806)");

    config.ip_src = RTE_BE32(0xc0000201);
    bfd_agent_set(agent, port(1), &config);
    EXPECT("in_port=1,udp,tp_dst=3784,nw_dst=192.0.2.2", "3");
    actions_of("in_port=1,udp,tp_dst=3784,nw_dst=192.0.2.1");
    assert_string_equal(punts_to(), "p1");
    config = fast;
    config.remote_dst = (struct rte_ether_addr){{2, 0, 0, 0, 0, 5}};
    bfd_agent_set(agent, port(1), &config);
    EXPECT("in_port=1,udp,tp_dst=3784,dl_dst=02:00:00:00:00:04", "3");
    actions_of("in_port=1,udp,tp_dst=3784,dl_dst=02:00:00:00:00:05");
    assert_string_equal(punts_to(), "p1");
    config = fast;
    config.check_tnl_key = true;
    bfd_agent_set(agent, port(1), &config);
    EXPECT("in_port=1,udp,tp_dst=3784,tun_id=7", "3");
    actions_of("in_port=1,udp,tp_dst=3784");
    assert_string_equal(punts_to(), "p1");
}

/* Megaflows of before the session must not go on with its packets, nor those of the session afterwards. */
static void megaflows_follow_what_is_taken(void **state)
{
    bed_add(&bed, "priority=1,actions=output:3");
    send_to(1, frame(255, 1));
    expect_out(3);
    bfd_agent_set(agent, port(1), &fast);
    bed_settle(&bed);
    send_to(1, frame(255, 1));
    WAIT_FOR(status(1).state == BFD_INIT, false);
    expect_nothing(3);
    bfd_agent_set(agent, port(1), &(struct bfd_agent_config){.enable = false});
    bed_settle(&bed);
    send_to(1, frame(255, 1));
    expect_out(3);
}

/* A packet that is under way when the port goes, and its session, is dropped by name. */
static void a_port_that_goes_takes_its_session_along(void **state)
{
    bfd_agent_set(agent, port(1), &fast);
    bfd_agent_set(agent, port(2), &fast);
    WAIT_FOR(status(1).state == BFD_UP && status(2).state == BFD_UP, true);
    bridge_port_remove(port(1));
    bed_settle(&bed);
    for (int i = 0; i < 100; i++) {
        bed_turn(&bed);
        loop_turn(loop);
    }
    assert_true(bfd_agent_status(port(2), &(struct bfd_status){0}));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(two_ports_find_and_lose_each_other),
        TEST(frames_that_are_faulty_are_counted),
        TEST(only_what_is_its_own_is_taken),
        TEST(megaflows_follow_what_is_taken),
        TEST(a_port_that_goes_takes_its_session_along),
    };

    if (test_eal_init("bfd_agent_test") != 0)
        return 1;
    pool = test_pool(8191);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
