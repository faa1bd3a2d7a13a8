/* Packets on their way to the control thread and back: order, fairness, bounds. */
#include "pmd/base/clock.h"
#include "pmd/poll/pending.h"
#include "tests/lib/datapath_bed.h"

#include <poll.h>

static void a_missed_packet_and_those_behind_it_leave_in_order(void **state)
{
    enum { N = 60 }; /* as many as a large datagram has fragments, which all come at once behind ct(table=) */
    uint32_t number;

    start();
    for (uint32_t i = 0; i < N; i++)
        send_packet(1, packet_make(7, i));
    struct rte_mbuf *m = next_miss();
    assert_int_equal(packet_meta(m)->md.in_port, 1);
    assert_int_equal(packet_meta(m)->origin, PACKET_MISS);
    assert_int_equal(packet_number(m), 0);

    struct pmd_stats stats;
    WAIT_FOR((datapath_pmd_stats(dp, 0, &stats), stats.parked == N - 1));
    struct megaflow *mf = install(1, 7, UINT32_MAX, program_output(2));
    /* These hit already, and must not overtake. */
    for (uint32_t i = N; i < 2 * N; i++)
        send_packet(1, packet_make(7, i));
    WAIT_FOR((datapath_pmd_stats(dp, 0, &stats), stats.rx_packets == 2 * N));
    packet_meta(m)->program = megaflow_program(mf);
    datapath_miss_return(dp, m);
    for (uint32_t i = 0; i < 2 * N; i++) {
        WAIT_FOR(receive(2, &number));
        assert_int_equal(number, i);
    }
    struct rte_mbuf *another;
    assert_int_equal(datapath_miss_dequeue(dp, &another, 1), 0);

    struct megaflow_stats mf_stats = {0};
    WAIT_FOR((datapath_megaflow_stats(dp, mf, &mf_stats), mf_stats.packets == 2 * N - 1));
    assert_int_equal(mf_stats.bytes, (2 * N - 1) * 60);
    assert_true(clock_now_ms() - mf_stats.used_ms < 1000);

    struct datapath_port_stats port;
    datapath_port_stats(dp, 1, &port);
    assert_int_equal(port.rx_packets, 2 * N);
    assert_int_equal(port.rx_bytes, 2 * N * 60);
    datapath_port_stats(dp, 2, &port);
    assert_int_equal(port.tx_packets, 2 * N);
    assert_int_equal(port.tx_bytes, 2 * N * 60);
    program_gone(datapath_megaflow_remove(dp, mf));
    stop();
}

/* Installs a megaflow that takes flows 8 and 9, both of which are unresolved, and hands the packets back one after the
 * other. */
static void wide_megaflow_keeps_order(uint32_t src, uint32_t src_mask)
{
    uint32_t number, at8 = 0, at9 = 0;

    start();
    for (uint32_t i = 0; i < 5; i++) {
        send_packet(1, packet_make(8, 800 + i));
        send_packet(1, packet_make(9, 900 + i));
    }
    struct rte_mbuf *first8 = next_miss(), *first9 = next_miss();
    assert_int_equal(packet_number(first8), 800);
    assert_int_equal(packet_number(first9), 900);
    struct megaflow *mf = install(1, src, src_mask, program_output(2));
    packet_meta(first8)->program = packet_meta(first9)->program = megaflow_program(mf);
    datapath_miss_return(dp, first8);
    for (uint32_t i = 5; i < 15; i++) {
        send_packet(1, packet_make(8, 800 + i));
        send_packet(1, packet_make(9, 900 + i));
    }
    while (at8 < 15) {
        WAIT_FOR(receive(2, &number));
        assert_int_equal(number, 800 + at8++);
    }
    datapath_miss_return(dp, first9);
    while (at9 < 15) {
        WAIT_FOR(receive(2, &number));
        assert_int_equal(number, 900 + at9++);
    }
    stop();
}

static void other_flows_of_a_wide_megaflow_stay_in_order(void **state)
{
    wide_megaflow_keeps_order(8, 0xfffffffe);
    wide_megaflow_keeps_order(0, 0); /* a port program */
}

static void punts_and_injected_packets_pass_through(void **state)
{
    uint32_t number;

    start();
    install(1, 5, UINT32_MAX, program_two(OP_PUNT, 42, OP_OUTPUT, 2));
    send_packet(1, packet_make(5, 3));
    struct rte_mbuf *m = next_miss();
    assert_int_equal(packet_meta(m)->origin, PACKET_PUNT);
    assert_int_equal(packet_meta(m)->punt_id, 42);
    assert_int_equal(packet_meta(m)->md.in_port, 1);
    assert_int_equal(packet_number(m), 3);
    WAIT_FOR(receive(2, &number));
    struct program *program = program_output(3);
    datapath_inject(dp, m, 1, program);
    WAIT_FOR(receive(3, &number));
    assert_int_equal(number, 3);
    datapath_synchronize(dp);
    program_gone(program);
    stop();
}

/* Misses and other punts that nobody takes fill their ring; what is for protocols has its own. */
static void a_flood_does_not_delay_packets_for_protocols(void **state)
{
    struct rte_mbuf *m;
    unsigned n = 0;

    start_with(1, 1024, 64, 20);
    install(2, 5, UINT32_MAX, program_two(OP_PUNT, 7, OP_DROP, DROP_POLICY));
    install(2, 6, UINT32_MAX, program_two(OP_PUNT, PUNT_ID_PROTOCOL | 9, OP_DROP, DROP_POLICY));
    for (uint32_t i = 0; i < 1000; i++) {
        send_packet(1, packet_make(100 + i, i));
        send_packet(2, packet_make(5, i));
    }
    WAIT_FOR(drops(DROP_MISS_PORT_QUOTA) + drops(DROP_MISS_RING_FULL) > 1000);
    send_packet(2, packet_make(6, 12345));
    WAIT_FOR(datapath_protocol_dequeue(dp, &m, 1) == 1);
    assert_int_equal(packet_number(m), 12345);
    assert_int_equal(packet_meta(m)->origin, PACKET_PUNT);
    assert_int_equal(packet_meta(m)->punt_id, PUNT_ID_PROTOCOL | 9);
    rte_pktmbuf_free(m);

    /* A port that is flooded with them leaves room for others. */
    for (uint32_t i = 0; i < 2000; i++)
        send_packet(2, packet_make(6, i));
    WAIT_FOR(drops(DROP_PROTOCOL_LIMIT) > 500);
    install(3, 6, UINT32_MAX, program_two(OP_PUNT, PUNT_ID_PROTOCOL | 10, OP_DROP, DROP_POLICY));
    send_packet(3, packet_make(6, 54321));
    for (bool found = false; !found; n++) {
        WAIT_FOR(datapath_protocol_dequeue(dp, &m, 1) == 1);
        found = packet_number(m) == 54321;
        rte_pktmbuf_free(m);
    }
    assert_true(n < 1024);
    while (datapath_protocol_dequeue(dp, &m, 1))
        rte_pktmbuf_free(m);
    stop();
}

/* Packets-out without end leave room for those of protocols. */
static void packets_out_leave_room_for_protocols(void **state)
{
    struct program *program;
    uint32_t number;

    start_with(1, 1024, 64, 20);
    program = program_output(2);
    datapath_synchronize(dp);
    for (uint32_t i = 0; i < 20000 && drops(DROP_CONTROL_BACKLOG) < 100; i++)
        datapath_inject(dp, packet_make(1, i), 1, program);
    if (drops(DROP_CONTROL_BACKLOG) >= 100) {
        uint64_t before = drops(DROP_CONTROL_BACKLOG);

        for (uint32_t i = 0; i < 16; i++)
            datapath_inject_protocol(dp, packet_make(1, 777), program);
        assert_int_equal(drops(DROP_CONTROL_BACKLOG), before);
    }
    WAIT_FOR(receive(2, &number) && number == 777);
    datapath_synchronize(dp);
    program_gone(program);
    stop();
}

static void the_descriptor_wakes_the_control_thread(void **state)
{
    struct pollfd fd;

    start();
    fd = (struct pollfd){.fd = datapath_miss_fd(dp), .events = POLLIN};
    send_packet(1, packet_make(1, 0));
    rte_pktmbuf_free(next_miss());
    assert_int_equal(poll(&fd, 1, 0), 0);
    for (uint32_t i = 0; i < 200; i++) {
        struct rte_mbuf *m;

        datapath_miss_arm(dp);
        assert_int_equal(datapath_miss_dequeue(dp, &m, 1), 0);
        send_packet(1, packet_make(1000 + i, 0));
        assert_int_equal(poll(&fd, 1, 5000), 1);
        datapath_miss_ack(dp);
        assert_int_equal(poll(&fd, 1, 0), 0);
        assert_int_equal(datapath_miss_dequeue(dp, &m, 1), 1);
        packet_meta(m)->program = NULL;
        packet_meta(m)->drop_reason = DROP_XLATE_LOOP;
        datapath_miss_return(dp, m);
    }
    WAIT_FOR(drops(DROP_XLATE_LOOP) == 200);
    stop();
}

static void a_flooding_port_leaves_room_for_another(void **state)
{
    struct rte_mbuf *m;

    start_with(1, 1024, 64, 20);
    for (uint32_t i = 0; i < 1000; i++)
        send_packet(1, packet_make(i, i));
    WAIT_FOR(drops(DROP_MISS_PORT_QUOTA) == 1000 - 32);
    send_packet(2, packet_make(5000, 5000));
    unsigned n = 0;
    do {
        m = next_miss();
        n++;
        uint32_t in_port = packet_meta(m)->md.in_port;
        rte_pktmbuf_free(m);
        if (in_port == 2)
            break;
    } while (true);
    assert_int_equal(n, 33);
    struct datapath_port_stats port;
    datapath_port_stats(dp, 1, &port);
    assert_int_equal(port.drops[DROP_MISS_PORT_QUOTA], 1000 - 32);

    /* Nobody returns them: what is parked behind is dropped in time, and the flows miss anew. */
    send_packet(2, packet_make(5000, 5001));
    WAIT_FOR(drops(DROP_MISS_PENDING_STALE) == 1);
    send_packet(2, packet_make(5000, 5002));
    m = next_miss();
    assert_int_equal(packet_number(m), 5002);
    rte_pktmbuf_free(m);
    stop();
}

static void too_many_behind_one_flow_are_dropped(void **state)
{
    enum { SENT = 200, KEPT = 1 + PENDING_PARK_MAX };
    uint32_t number;

    start();
    for (uint32_t i = 0; i < SENT; i++)
        send_packet(1, packet_make(7, i));
    struct rte_mbuf *m = next_miss();
    WAIT_FOR(drops(DROP_MISS_PENDING_FULL) == SENT - KEPT);
    struct megaflow *mf = install(1, 7, UINT32_MAX, program_output(2));
    packet_meta(m)->program = megaflow_program(mf);
    datapath_miss_return(dp, m);
    for (uint32_t i = 0; i < KEPT; i++) {
        WAIT_FOR(receive(2, &number));
        assert_int_equal(number, i);
    }
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_missed_packet_and_those_behind_it_leave_in_order),
        cmocka_unit_test(other_flows_of_a_wide_megaflow_stay_in_order),
        cmocka_unit_test(punts_and_injected_packets_pass_through),
        cmocka_unit_test(a_flood_does_not_delay_packets_for_protocols),
        cmocka_unit_test(packets_out_leave_room_for_protocols),
        cmocka_unit_test(the_descriptor_wakes_the_control_thread),
        cmocka_unit_test(a_flooding_port_leaves_room_for_another),
        cmocka_unit_test(too_many_behind_one_flow_are_dropped),
    };

    if (test_eal_init("datapath_miss_test") != 0)
        return 1;
    pool = test_pool(8191);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
