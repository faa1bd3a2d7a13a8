/* Packets for tunnels while a poll-mode thread forwards: neighbours and ports change, packets wait. */
#include "src/match/tlv_map.h"
#include "src/xlate/punt.h"
#include "tests/lib/bed_tunnel.h"

static struct fake_port *outer_device(uint32_t ofport)
{
    return (struct fake_port *)bridge_port_by_ofport(phy, ofport)->port;
}

/* The next packet there; NULL: none comes. */
static struct rte_mbuf *next_at(struct fake_port *fake, unsigned ms)
{
    const uint64_t end = clock_now_ms() + ms;
    struct rte_mbuf *m;

    while (rte_ring_sc_dequeue(fake->out, (void **)&m) != 0) {
        if (clock_now_ms() >= end)
            return NULL;
        bed_turn(&bed);
        turns();
    }
    return m;
}

static void expect_outer_to(struct fake_port *fake, const char *mac)
{
    struct rte_mbuf *m = next_at(fake, 2000);

    assert_non_null(m);
    assert_memory_equal(rte_pktmbuf_mtod(m, void *), mac, RTE_ETHER_ADDR_LEN);
    rte_pktmbuf_free(m);
}

static void arrives_at(uint32_t ofport)
{
    send_to(ofport, bed_udp());
}

/* A packet is counted after it was sent. */
static void expect_sent_by(const struct bridge_port *bp, uint64_t n)
{
    const uint64_t end = clock_now_ms() + 2000;
    struct bridge_port_stats stats;

    do {
        bed_turn(&bed);
        bed_count(&bed);
        bridge_port_stats(bp, &stats);
    } while (stats.tx_packets < n && clock_now_ms() < end);
    assert_int_equal(stats.tx_packets, n);
}

static void megaflows_follow_neighbours_and_ports(void **state)
{
    const struct in6_addr far = address("192.0.2.2");
    struct bridge_port *tunnel = add_tunnel(10, "vxlan remote_ip=192.0.2.2");
    struct flows_stats before, after;

    bed_add(&bed, "in_port=1,actions=output:10");
    bed_add(&bed, "in_port=2,actions=output:3");
    add_outer("actions=output:1");
    arrives_at(2);
    arrives_at(1);
    expect_outer_to(outer_device(1), "\x02\0\0\0\x01\x0c");
    bed_settle(&bed);
    flows_get_stats(bed.flows, &before);
    neighbours_tell(neighbours, phy, &far, &(struct rte_ether_addr){{2, 0, 0, 0, 9, 9}}, NEIGHBOUR_SET);
    turns();
    bed_settle(&bed);
    flows_get_stats(bed.flows, &after);
    assert_int_equal(after.revalidated - before.revalidated, 1);
    arrives_at(1);
    expect_outer_to(outer_device(1), "\x02\0\0\0\x09\x09");
    expect_sent_by(tunnel, 2);
    bridge_port_remove(tunnel);
    bed_settle(&bed);
    arrives_at(1);
    assert_null(next_at(outer_device(1), 100));
}

/* It is sent once, by the tunnel alone; what else it was sent to had it before. */
static void a_packet_that_waited_is_sent(void **state)
{
    struct rte_mbuf *m;

    add_tunnel(10, "vxlan remote_ip=192.0.2.9");
    bed_add(&bed, "in_port=1,actions=output:10,output:2");
    add_outer("actions=output:1");
    arrives_at(1);
    m = next_at(bed.fake[2], 2000);
    assert_non_null(m);
    rte_pktmbuf_free(m);
    assert_null(next_at(outer_device(1), 50));
    set_neighbour("192.0.2.9");
    expect_outer_to(outer_device(1), "\x02\0\0\0\x01\x0c");
    assert_null(next_at(outer_device(1), 50));
    assert_null(next_at(bed.fake[2], 1));
    arrives_at(1);
    expect_outer_to(outer_device(1), "\x02\0\0\0\x01\x0c");
}

static uint64_t dropped(enum drop_reason reason)
{
    struct drop_counters sum;

    datapath_drops(bed.dp, &sum);
    return sum.packets[reason];
}

static void send_to_a_neighbour_that_is_asked(uint32_t ofport)
{
    char text[64];

    snprintf(text, sizeof text, "vxlan remote_ip=192.0.2.%u", ofport);
    add_tunnel(ofport, text);
    snprintf(text, sizeof text, "in_port=1,actions=output:%u", ofport);
    bed_add(&bed, text);
    bed_settle(&bed);
    for (unsigned i = 0; i < NEXT_HOP_WAIT_MAX + 20; i++) {
        arrives_at(1);
        bed_turn(&bed);
        turns();
    }
    for (unsigned i = 0; i < 20 && dropped(DROP_TUNNEL_WAIT_FULL) == 0; i++) {
        bed_turn(&bed);
        turns();
    }
}

/* Others that come meanwhile are dropped, by a name of their own. A neighbour is waited for for a second, which may
 * pass too soon where others have the core: then there is another one. */
static void no_more_wait_than_there_is_room_for(void **state)
{
    add_outer("actions=output:1");
    for (uint32_t ofport = 20; ofport < 40 && dropped(DROP_TUNNEL_WAIT_FULL) == 0; ofport++)
        send_to_a_neighbour_that_is_asked(ofport);
    assert_int_not_equal(dropped(DROP_TUNNEL_WAIT_FULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(megaflows_follow_neighbours_and_ports, tunnel_setup_running, tunnel_teardown),
        cmocka_unit_test_setup_teardown(a_packet_that_waited_is_sent, tunnel_setup_running, tunnel_teardown),
        cmocka_unit_test_setup_teardown(no_more_wait_than_there_is_room_for, tunnel_setup_running, tunnel_teardown),
    };

    if (test_eal_init("tunnel_traffic_test") != 0)
        return 77;
    pool = test_pool(8191);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
