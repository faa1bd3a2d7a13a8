/* Captures: filters, counters, rings of copies, and ports that come and go under them. */
#include "pmd/capture.h"

#include "tests/lib/datapath_bed.h"

static struct capture_params params = {.ways = {true, true}, .snaplen = 60, .n_threads = 1};

static struct capture_params only_flow(uint32_t flow)
{
    struct capture_params filtered = params;

    filtered.value.ipv4_src = rte_cpu_to_be_32(flow);
    filtered.mask.ipv4_src = RTE_BE32(0xffffffff);
    return filtered;
}

static void hand(struct port *port, enum capture_way way, uint32_t flow, uint32_t number)
{
    struct rte_mbuf *packet = packet_make(flow, number);

    capture_packets(port, way, 0, &packet, 1);
    rte_pktmbuf_free(packet);
}

static uint64_t seen(const struct capture *capture, enum capture_way way)
{
    struct capture_counts counts;

    capture_counts(capture, &counts);
    assert_int_equal(counts.ways[way].bytes, counts.ways[way].packets * PACKET_LEN);
    return counts.ways[way].packets;
}

static void a_filter_decides_what_is_counted_and_copied(void **state)
{
    struct port port = {0};
    const struct capture_params filtered = only_flow(7);
    struct capture *all = capture_create(&params), *some = capture_create(&filtered);
    struct captured copy;

    capture_attach(all, &port);
    capture_attach(some, &port);
    for (uint32_t i = 0; i < 10; i++)
        hand(&port, i % 2 ? CAPTURE_OUT : CAPTURE_IN, i < 4 ? 7 : 8, i);
    assert_int_equal(seen(all, CAPTURE_IN), 5);
    assert_int_equal(seen(all, CAPTURE_OUT), 5);
    assert_int_equal(seen(some, CAPTURE_IN), 2);
    for (uint32_t i = 0; i < 4; i++) {
        uint32_t number;
        assert_true(capture_next(some, 0, &copy));
        memcpy(&number, copy.data + 42, sizeof number);
        assert_int_equal(number, i);
        assert_int_equal(copy.way, i % 2 ? CAPTURE_OUT : CAPTURE_IN);
        assert_int_equal(copy.len, 60);
        capture_done(some, 0);
    }
    assert_false(capture_next(some, 0, &copy));
    capture_detach(all);
    hand(&port, CAPTURE_IN, 7, 0);
    assert_int_equal(seen(all, CAPTURE_IN), 5);
    assert_int_equal(seen(some, CAPTURE_IN), 3);
    capture_detach_all(&port);
    assert_null(port.captures);
    assert_false(capture_attached(some));
    capture_destroy(all);
    capture_destroy(some);
}

static void a_full_ring_loses_copies_and_counts_them(void **state)
{
    struct capture_params wide = params;
    struct port port = {0};
    struct capture_counts counts;
    struct captured copy;
    uint64_t taken = 0;

    wide.snaplen = CAPTURE_SNAPLEN_MAX;
    struct capture *capture = capture_create(&wide);
    capture_attach(capture, &port);
    for (uint32_t i = 0; i < 1000; i++)
        hand(&port, CAPTURE_IN, 1, i);
    capture_counts(capture, &counts);
    assert_int_equal(counts.copied + counts.lost, 1000);
    assert_in_range(counts.copied, 32, 999);
    for (; capture_next(capture, 0, &copy); capture_done(capture, 0), taken++)
        assert_int_equal(copy.len, PACKET_LEN);
    assert_int_equal(taken, counts.copied);
    hand(&port, CAPTURE_IN, 1, 0);
    assert_true(capture_next(capture, 0, &copy));
    capture_detach(capture);
    capture_destroy(capture);
}

static void segments_are_copied_as_one(void **state)
{
    struct rte_mbuf *head = packet_make(1, 2), *tail = packet_make(3, 4);
    struct port port = {0};
    struct capture_params wide = params;
    struct captured copy;

    wide.snaplen = 90;
    struct capture *capture = capture_create(&wide);
    capture_attach(capture, &port);
    assert_int_equal(rte_pktmbuf_chain(head, tail), 0);
    capture_packets(&port, CAPTURE_OUT, 0, &head, 1);
    assert_true(capture_next(capture, 0, &copy));
    assert_int_equal(copy.len, 90);
    assert_int_equal(copy.full_len, 2 * PACKET_LEN);
    assert_memory_equal(copy.data, rte_pktmbuf_mtod(head, void *), PACKET_LEN);
    assert_memory_equal(copy.data + PACKET_LEN, rte_pktmbuf_mtod(head->next, void *), 90 - PACKET_LEN);
    rte_pktmbuf_free(head);
    capture_detach(capture);
    capture_destroy(capture);
}

static void impossible_lengths_are_refused(void **state)
{
    struct capture_params wide = params;

    wide.snaplen = CAPTURE_SNAPLEN_MAX + 1;
    assert_null(capture_create(&wide));
}

static void a_running_port_is_looked_at_both_ways(void **state)
{
    struct program *program;
    struct capture_params two = params;
    uint32_t number, got = 0;
    int error;

    start();
    two.n_threads = datapath_n_threads(dp);
    two.snaplen = 0;
    struct capture *in = capture_create(&two), *out = capture_create(&two);
    capture_attach(in, &ports[0]->port);
    capture_attach(out, &ports[1]->port);
    program = program_output(2);
    struct flow_key key = {.in_port = 1}, mask = {.in_port = UINT32_MAX};
    assert_non_null(datapath_megaflow_install(dp, &key, &mask, program, &error));
    for (uint32_t i = 0; i < 200; i++)
        send_packet(1, packet_make(i, i));
    WAIT_FOR((got += receive(2, &number)) == 200);
    assert_int_equal(seen(in, CAPTURE_IN), 200);
    assert_int_equal(seen(in, CAPTURE_OUT), 0);
    assert_int_equal(seen(out, CAPTURE_OUT), 200);

    /* A port that is removed takes its captures off; they stay the caller's. */
    datapath_port_remove(dp, &ports[0]->port);
    ports[0] = NULL;
    assert_false(capture_attached(in));
    capture_detach(in);
    capture_detach(out);
    uint64_t token = datapath_token(dp);
    WAIT_FOR(datapath_passed(dp, token));
    capture_destroy(in);
    capture_destroy(out);
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_filter_decides_what_is_counted_and_copied),
        cmocka_unit_test(a_full_ring_loses_copies_and_counts_them),
        cmocka_unit_test(segments_are_copied_as_one),
        cmocka_unit_test(impossible_lengths_are_refused),
        cmocka_unit_test(a_running_port_is_looked_at_both_ways),
    };

    if (test_eal_init("capture_test") != 0)
        return 1;
    pool = test_pool(8191);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
