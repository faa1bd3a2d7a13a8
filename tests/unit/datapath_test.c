#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <poll.h>
#include <rte_cycles.h>
#include <unistd.h>

#include "pmd/datapath.h"
#include "tests/unit/eal.h"
#include "tests/unit/fake_port.h"

#define N_PORTS 3
#define PATIENCE_US 5000000
#define PACKET_LEN 60

static struct rte_mempool *pool;
static struct datapath *dp;
static struct fake_port *ports[N_PORTS];
static struct program_table *programs;

/* --- the frame around each test --- */

static void start_with(unsigned n_threads, uint32_t emc_entries, uint32_t miss_ring, uint32_t max_sleep_us)
{
    const unsigned lcores[] = {1, 2};
    const struct datapath_params params = {
        .n_threads = n_threads,
        .lcores = lcores,
        .emc_entries = emc_entries,
        .megaflow_limit = 1000,
        .mask_limit = 16,
        .miss_ring = miss_ring,
        .max_sleep_us = max_sleep_us,
        .pool = pool,
    };
    char error[200];

    dp = datapath_create(&params, error, sizeof error);
    assert_non_null(dp);
    programs = program_table_create();
    for (unsigned i = 0; i < N_PORTS; i++) {
        ports[i] = fake_port_create(4096);
        assert_int_equal(datapath_port_add(dp, &ports[i]->port), 0);
        assert_int_equal(ports[i]->port.index, i + 1);
    }
    assert_int_equal(datapath_start(dp), 0);
}

/* With short sleeps, so that the tests get on where CPUs are few. */
static void start(void)
{
    start_with(1, 1024, 256, 20);
}

static void stop(void)
{
    datapath_destroy(dp);
    for (unsigned i = 0; i < N_PORTS; i++) {
        if (ports[i] != NULL)
            fake_port_free(ports[i]);
    }
    program_table_destroy(programs);
    assert_int_equal(rte_mempool_in_use_count(pool), 0);
}

/* Waits until `condition` holds, with the datapath's housekeeping. */
#define WAIT_FOR(condition)                                                                                            \
    do {                                                                                                               \
        unsigned waited_ = 0;                                                                                          \
        while (!(condition)) {                                                                                         \
            assert_true(waited_ < PATIENCE_US);                                                                        \
            datapath_reclaim(dp);                                                                                      \
            usleep(50);                                                                                                \
            waited_ += 50;                                                                                             \
        }                                                                                                              \
    } while (0)

/* --- packets --- */

/* UDP from `flow` (its source address), numbered by `number` behind the headers. */
static struct rte_mbuf *packet_make(uint32_t flow, uint32_t number)
{
    struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
    uint8_t *p;

    assert_non_null(m);
    p = (uint8_t *)rte_pktmbuf_append(m, PACKET_LEN);
    memset(p, 0, PACKET_LEN);
    p[12] = 0x08; /* IPv4 */
    p[14] = 0x45;
    p[17] = PACKET_LEN - 14;
    p[22] = 64;
    p[23] = 17; /* UDP */
    p[26] = (uint8_t)(flow >> 24);
    p[27] = (uint8_t)(flow >> 16);
    p[28] = (uint8_t)(flow >> 8);
    p[29] = (uint8_t)flow;
    p[37] = 53;
    p[39] = PACKET_LEN - 34;
    memcpy(p + 42, &number, sizeof number);
    return m;
}

static uint32_t packet_number(const struct rte_mbuf *m)
{
    uint32_t number;

    memcpy(&number, rte_pktmbuf_mtod_offset(m, const uint8_t *, 42), sizeof number);
    return number;
}

static void send_packet(unsigned port, struct rte_mbuf *m)
{
    assert_int_equal(rte_ring_sp_enqueue(ports[port - 1]->in, m), 0);
}

static bool receive(unsigned port, uint32_t *number)
{
    struct rte_mbuf *m;

    if (rte_ring_sc_dequeue(ports[port - 1]->out, (void **)&m) != 0)
        return false;
    *number = packet_number(m);
    rte_pktmbuf_free(m);
    return true;
}

static struct program *program_output(uint32_t port)
{
    struct program_builder builder;

    program_builder_init(&builder);
    program_builder_add(&builder, OP_OUTPUT, port, NULL, 0);
    return program_intern(programs, &builder);
}

static struct program *program_two(enum program_op_type a, uint32_t a_arg, enum program_op_type b, uint32_t b_arg)
{
    struct program_builder builder;

    program_builder_init(&builder);
    program_builder_add(&builder, a, a_arg, NULL, 0);
    program_builder_add(&builder, b, b_arg, NULL, 0);
    return program_intern(programs, &builder);
}

static void program_gone(struct program *program)
{
    if (program_unref(programs, program))
        datapath_defer(dp, free, program);
}

static struct rte_mbuf *next_miss(void)
{
    struct rte_mbuf *m;

    WAIT_FOR(datapath_miss_dequeue(dp, &m, 1) == 1);
    return m;
}

static void key_of(struct rte_mbuf *m, struct flow_key *key)
{
    assert_true(flow_key_parse(m, packet_meta(m)->in_port, key) >= 1);
    key->recirc_id = packet_meta(m)->recirc_id;
}

/* Matches in_port, recirc_id and the IPv4 source under `src_mask`. */
static struct flow_key mask_src(uint32_t src_mask)
{
    struct flow_key mask = {.in_port = UINT32_MAX, .recirc_id = UINT32_MAX, .ipv4_src = rte_cpu_to_be_32(src_mask)};

    mask.eth_type = src_mask != 0 ? UINT16_MAX : 0;
    return mask;
}

static struct megaflow *install(uint32_t in_port, uint32_t src, uint32_t src_mask, struct program *program)
{
    struct flow_key mask = mask_src(src_mask);
    struct flow_key key = {
        .in_port = in_port, .eth_type = RTE_BE16(RTE_ETHER_TYPE_IPV4), .ipv4_src = rte_cpu_to_be_32(src)};
    int error = 0;
    struct megaflow *mf = datapath_megaflow_install(dp, &key, &mask, program, &error);

    assert_non_null(mf);
    return mf;
}

static uint64_t drops(enum drop_reason reason)
{
    struct drop_counters sum;

    datapath_drops(dp, &sum);
    return sum.packets[reason];
}

/* --- tests --- */

static void a_missed_packet_and_those_behind_it_leave_in_order(void **state)
{
    enum { N = 16 };
    uint32_t number;

    start();
    for (uint32_t i = 0; i < N; i++)
        send_packet(1, packet_make(7, i));
    struct rte_mbuf *m = next_miss();
    assert_int_equal(packet_meta(m)->in_port, 1);
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

    struct megaflow_stats mf_stats;
    WAIT_FOR((datapath_megaflow_stats(dp, mf, &mf_stats), mf_stats.packets == 2 * N - 1));
    assert_int_equal(mf_stats.bytes, (2 * N - 1) * 60);
    assert_true(datapath_now_ms() - mf_stats.used_ms < 1000);

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

static void the_classifier_and_the_cache_agree_on_overlapping_masks(void **state)
{
    uint32_t number;

    start();
    /* Two tuples, and no megaflow that takes half of the packets: then the exact-match cache is in use. */
    struct megaflow *narrow = install(1, 0x0a000001, UINT32_MAX, program_output(2));
    struct megaflow *wide = install(1, 0x0b000000, 0xff000000, program_output(3));
    install(1, 0x0c000000, 0xff000000, program_output(1));
    for (unsigned round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < 100; i++) {
            send_packet(1, packet_make(0x0a000001, i));
            send_packet(1, packet_make(0x0b000000 + i, i));
            send_packet(1, packet_make(0x0c000000 + i, i));
        }
        for (uint32_t i = 0; i < 100; i++) {
            for (unsigned port = 1; port <= 3; port++) {
                WAIT_FOR(receive(port, &number));
                assert_int_equal(number, i);
            }
        }
    }
    struct pmd_stats stats;
    WAIT_FOR((datapath_pmd_stats(dp, 0, &stats), stats.emc_hits + stats.tss_hits == 900));
    assert_true(stats.emc_hits >= 300);
    assert_true(stats.emc_used >= 100);

    /* What the cache remembers of a megaflow that is gone must not be used. */
    program_gone(datapath_megaflow_remove(dp, wide));
    datapath_synchronize(dp);
    send_packet(1, packet_make(0x0b000005, 1));
    rte_pktmbuf_free(next_miss());
    program_gone(datapath_megaflow_remove(dp, narrow));
    stop();
}

/* Bursts that one megaflow takes have a way of their own; it must see what changes. */
static void a_dominant_megaflow_takes_only_its_own(void **state)
{
    uint32_t number;

    start();
    struct megaflow *mf = install(1, 0x0b000000, 0xff000000, program_output(2));
    install(1, 0x0a000001, UINT32_MAX, program_output(3));
    for (uint32_t i = 0; i < 500; i++) {
        send_packet(1, packet_make(0x0b000000 + i, i));
        if (i % 5 == 4)
            send_packet(1, packet_make(0x0a000001, i));
    }
    for (uint32_t i = 0; i < 500; i++) {
        WAIT_FOR(receive(2, &number));
        assert_int_equal(number, i);
    }
    for (uint32_t i = 4; i < 500; i += 5) {
        WAIT_FOR(receive(3, &number));
        assert_int_equal(number, i);
    }
    struct megaflow_stats stats;
    datapath_megaflow_stats(dp, mf, &stats);
    assert_int_equal(stats.packets, 500);
    assert_int_equal(stats.bytes, 500 * PACKET_LEN);
    program_gone(datapath_megaflow_set_program(dp, mf, program_output(3)));
    datapath_synchronize(dp);
    send_packet(1, packet_make(0x0b000001, 1));
    WAIT_FOR(receive(3, &number));
    program_gone(datapath_megaflow_remove(dp, mf));
    datapath_synchronize(dp);
    send_packet(1, packet_make(0x0b000001, 1));
    rte_pktmbuf_free(next_miss());
    stop();
}

static void a_port_program_takes_all_the_port_receives(void **state)
{
    uint32_t number;

    start();
    struct megaflow *mf = install(1, 0, 0, program_output(3));
    struct rte_mbuf *runt = rte_pktmbuf_alloc(pool);
    rte_pktmbuf_append(runt, 13);
    send_packet(1, packet_make(1, 1));
    send_packet(1, runt);
    send_packet(1, packet_make(2, 2));
    WAIT_FOR(receive(3, &number));
    assert_int_equal(number, 1);
    WAIT_FOR(receive(3, &number));
    assert_int_equal(number, 2);
    assert_int_equal(drops(DROP_RX_RUNT), 1);
    struct pmd_stats stats;
    datapath_pmd_stats(dp, 0, &stats);
    assert_int_equal(stats.port_program_hits, 2);
    assert_int_equal(stats.tss_hits, 0);
    struct megaflow_stats mf_stats;
    datapath_megaflow_stats(dp, mf, &mf_stats);
    assert_int_equal(mf_stats.packets, 2);
    assert_int_equal(mf_stats.bytes, 120);

    /* Other ports do not run it, nor this one once it is removed. */
    send_packet(2, packet_make(3, 3));
    rte_pktmbuf_free(next_miss());
    program_gone(datapath_megaflow_remove(dp, mf));
    datapath_synchronize(dp);
    send_packet(1, packet_make(4, 4));
    rte_pktmbuf_free(next_miss());
    stop();
}

static void runts_leave_the_rest_of_the_burst_alone(void **state)
{
    uint32_t number;

    start();
    install(1, 5, UINT32_MAX, program_output(2));
    for (uint32_t i = 0; i < 50; i++) {
        struct rte_mbuf *runt = rte_pktmbuf_alloc(pool);
        rte_pktmbuf_append(runt, 1 + i % 13);
        send_packet(1, runt);
        send_packet(1, packet_make(5, i));
    }
    for (uint32_t i = 0; i < 50; i++) {
        WAIT_FOR(receive(2, &number));
        assert_int_equal(number, i);
    }
    WAIT_FOR(drops(DROP_RX_RUNT) == 50);
    struct datapath_port_stats port;
    datapath_port_stats(dp, 1, &port);
    assert_int_equal(port.drops[DROP_RX_RUNT], 50);
    assert_int_equal(port.rx_packets, 100);
    stop();
}

static void what_a_port_does_not_take_is_dropped_by_name(void **state)
{
    struct datapath_port_stats port;

    start();
    struct megaflow *mf = install(1, 5, UINT32_MAX, program_output(2));
    __atomic_store_n(&ports[1]->refuse, 1, __ATOMIC_RELAXED);
    send_packet(1, packet_make(5, 0));
    WAIT_FOR(drops(DROP_TX_QUEUE_FULL) == 1);
    __atomic_store_n(&ports[1]->port.link_up, false, __ATOMIC_RELAXED);
    send_packet(1, packet_make(5, 0));
    WAIT_FOR(drops(DROP_TX_PORT_DOWN) == 1);
    __atomic_store_n(&ports[1]->port.admin_up, false, __ATOMIC_RELAXED);
    send_packet(1, packet_make(5, 0));
    WAIT_FOR(drops(DROP_TX_PORT_DOWN) == 2);
    __atomic_store_n(&ports[1]->port.admin_up, true, __ATOMIC_RELAXED);
    __atomic_store_n(&ports[1]->port.max_len, 56, __ATOMIC_RELAXED);
    struct rte_mbuf *tagged = packet_make(5, 0);
    send_packet(1, tagged);
    WAIT_FOR(drops(DROP_TX_OVERSIZE) == 1);
    datapath_port_stats(dp, 2, &port);
    assert_int_equal(port.tx_dropped, 4);
    assert_int_equal(port.tx_packets, 0);

    program_gone(datapath_megaflow_set_program(dp, mf, program_output(77)));
    send_packet(1, packet_make(5, 0));
    WAIT_FOR(drops(DROP_TX_NO_PORT) == 1);
    struct program_builder builder;
    program_builder_init(&builder);
    program_gone(datapath_megaflow_set_program(dp, mf, program_intern(programs, &builder)));
    datapath_synchronize(dp);
    send_packet(1, packet_make(5, 0));
    WAIT_FOR(drops(DROP_POLICY) == 1);
    datapath_port_stats(dp, 1, &port);
    assert_int_equal(port.drops[DROP_POLICY], 1);
    stop();
}

static void several_outputs_get_a_copy_each(void **state)
{
    uint32_t number;

    start();
    install(1, 5, UINT32_MAX, program_two(OP_OUTPUT, 2, OP_OUTPUT, 3));
    for (uint32_t i = 0; i < 100; i++)
        send_packet(1, packet_make(5, i));
    for (uint32_t i = 0; i < 100; i++) {
        WAIT_FOR(receive(2, &number));
        assert_int_equal(number, i);
        WAIT_FOR(receive(3, &number));
        assert_int_equal(number, i);
    }
    stop();
}

static void recirculated_packets_are_looked_up_with_their_id_and_mark(void **state)
{
    const struct op_meta meta = {.pkt_mark = 0xcafe, .pkt_mark_mask = UINT32_MAX};
    struct program_builder builder;
    uint32_t number;
    int error;

    start();
    program_builder_init(&builder);
    program_builder_add(&builder, OP_SET_META, 0, &meta, sizeof meta);
    program_builder_add(&builder, OP_RECIRC, 9, NULL, 0);
    install(1, 5, UINT32_MAX, program_intern(programs, &builder));

    send_packet(1, packet_make(5, 0));
    struct rte_mbuf *m = next_miss();
    assert_int_equal(packet_meta(m)->recirc_id, 9);
    assert_int_equal(packet_meta(m)->pkt_mark, 0xcafe);
    assert_int_equal(packet_meta(m)->recirc_depth, 1);
    struct flow_key key, mask = {.in_port = UINT32_MAX, .recirc_id = UINT32_MAX, .pkt_mark = UINT32_MAX};
    key_of(m, &key);
    key.pkt_mark = 0xcafe;
    assert_non_null(datapath_megaflow_install(dp, &key, &mask, program_output(2), &error));
    packet_meta(m)->program =
        datapath_megaflow_lookup(dp, &key) != NULL ? megaflow_program(datapath_megaflow_lookup(dp, &key)) : NULL;
    datapath_miss_return(dp, m);
    for (uint32_t i = 1; i < 100; i++)
        send_packet(1, packet_make(5, i));
    for (uint32_t i = 0; i < 100; i++) {
        WAIT_FOR(receive(2, &number));
        assert_int_equal(number, i);
    }

    /* A loop ends. */
    program_builder_init(&builder);
    program_builder_add(&builder, OP_RECIRC, 10, NULL, 0);
    struct program *loop = program_intern(programs, &builder);
    install(1, 6, UINT32_MAX, loop);
    key.recirc_id = 10;
    mask.pkt_mark = 0;
    assert_non_null(datapath_megaflow_install(dp, &key, &mask, program_ref(loop), &error));
    send_packet(1, packet_make(6, 0));
    WAIT_FOR(drops(DROP_RECIRC_LIMIT) == 1);
    stop();
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
    assert_int_equal(packet_meta(m)->in_port, 1);
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
        uint32_t in_port = packet_meta(m)->in_port;
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
    uint32_t number;

    start();
    for (uint32_t i = 0; i < 100; i++)
        send_packet(1, packet_make(7, i));
    struct rte_mbuf *m = next_miss();
    WAIT_FOR(drops(DROP_MISS_PENDING_FULL) == 100 - 33);
    struct megaflow *mf = install(1, 7, UINT32_MAX, program_output(2));
    packet_meta(m)->program = megaflow_program(mf);
    datapath_miss_return(dp, m);
    for (uint32_t i = 0; i < 33; i++) {
        WAIT_FOR(receive(2, &number));
        assert_int_equal(number, i);
    }
    stop();
}

/* After a token has passed, no packet runs the program that was replaced before: packets that were sent into the port
 * before the change may come out of either port, those after the token only out of the new one. */
static void after_a_token_no_packet_runs_the_old_program(void **state)
{
    uint32_t number, sent = 0, stale = 0;

    start_with(1, 1024, 256, 0);
    struct program *to[2] = {program_output(2), program_output(3)};
    struct megaflow *mf = install(1, 5, UINT32_MAX, program_ref(to[0]));
    uint64_t until = datapath_now_ms() + 1500;
    for (unsigned change = 1; change <= 100 || (change <= 20000 && datapath_now_ms() < until); change++) {
        unsigned now = change & 1;

        for (unsigned i = 0; i < 40; i++)
            send_packet(1, packet_make(5, ++sent));
        program_gone(datapath_megaflow_set_program(dp, mf, program_ref(to[now])));
        uint64_t token = datapath_token(dp);
        while (!datapath_passed(dp, token))
            sched_yield();
        /* All that the old program decided has been sent: the ring of its port holds it by now. */
        while (receive(3 - now, &number))
            ;
        uint32_t boundary = sent;
        for (unsigned i = 0; i < 40; i++)
            send_packet(1, packet_make(5, ++sent));
        do {
            while (receive(3 - now, &number))
                stale++;
            WAIT_FOR(receive(2 + now, &number));
        } while (number != sent);
        assert_true(number > boundary);
        datapath_reclaim(dp);
    }
    assert_int_equal(stale, 0);
    stop();
}

/* The same for packets that were handed back: they run before the token passes, also on a thread that sleeps. */
static void a_token_covers_returned_packets(void **state)
{
    uint32_t number;

    for (unsigned sleep_us = 0; sleep_us <= 2000; sleep_us += 2000) {
        start_with(1, 1024, 256, sleep_us);
        struct program *program = program_output(2);
        for (uint32_t i = 0; i < 200; i++) {
            datapath_inject(dp, packet_make(1, i), 1, program);
            datapath_inject(dp, packet_make(1, i), 1, program);
            datapath_synchronize(dp);
            assert_true(receive(2, &number));
            assert_int_equal(number, i);
            assert_true(receive(2, &number));
            assert_int_equal(number, i);
        }
        program_gone(program);
        stop();
    }
}

static void a_sleeping_thread_loses_nothing(void **state)
{
    uint32_t number;
    struct pmd_stats stats;

    start_with(1, 1024, 256, 500);
    install(1, 5, UINT32_MAX, program_output(2));
    for (uint32_t i = 0; i < 50; i++) {
        usleep(3000);
        send_packet(1, packet_make(5, i));
        WAIT_FOR(receive(2, &number));
        assert_int_equal(number, i);
    }
    datapath_pmd_stats(dp, 0, &stats);
    assert_true(stats.cycles_asleep > 0);
    stop();
}

static void ports_are_spread_and_leave_after_a_grace_period(void **state)
{
    uint32_t number, in_ports[8];
    uint16_t queues[8];

    start_with(2, 1024, 256, 20);
    assert_int_equal(datapath_pmd_rxqs(dp, 0, in_ports, queues, 8) + datapath_pmd_rxqs(dp, 1, in_ports, queues, 8),
                     N_PORTS);
    struct pmd_stats stats[2];
    datapath_pmd_stats(dp, 0, &stats[0]);
    datapath_pmd_stats(dp, 1, &stats[1]);
    assert_true(stats[0].n_rxqs >= 1 && stats[1].n_rxqs >= 1);

    install(1, 5, UINT32_MAX, program_output(2));
    install(3, 5, UINT32_MAX, program_output(2));
    for (uint32_t i = 0; i < 100; i++) {
        send_packet(1, packet_make(5, i));
        send_packet(3, packet_make(5, i));
    }
    for (uint32_t i = 0; i < 200; i++)
        WAIT_FOR(receive(2, &number));

    unsigned destroyed = fake_ports_destroyed;
    datapath_port_remove(dp, &ports[1]->port);
    ports[1] = NULL;
    assert_null(datapath_port(dp, 2));
    /* Its index is taken until the grace period is over. */
    assert_int_equal(fake_ports_destroyed, destroyed);
    struct fake_port *other = fake_port_create(64);
    assert_int_equal(datapath_port_add(dp, &other->port), 0);
    assert_int_equal(other->port.index, 4);
    WAIT_FOR(fake_ports_destroyed == destroyed + 1);
    send_packet(1, packet_make(5, 0));
    WAIT_FOR(drops(DROP_TX_NO_PORT) == 1);
    ports[1] = fake_port_create(64);
    assert_int_equal(datapath_port_add(dp, &ports[1]->port), 0);
    assert_int_equal(ports[1]->port.index, 2);
    datapath_port_remove(dp, &other->port);
    WAIT_FOR(fake_ports_destroyed == destroyed + 2);
    stop();
}

static void limits_and_duplicates_are_refused(void **state)
{
    struct flow_key key = {.in_port = 1}, mask = mask_src(UINT32_MAX);
    struct program *program;
    int error;

    start();
    program = program_output(2);
    for (uint32_t i = 0; i < 1000; i++) {
        key.ipv4_src = i + 1;
        assert_non_null(datapath_megaflow_install(dp, &key, &mask, program_ref(program), &error));
        assert_null(datapath_megaflow_install(dp, &key, &mask, program, &error));
        assert_int_equal(error, -EEXIST);
    }
    assert_int_equal(datapath_n_megaflows(dp), 1000);
    key.ipv4_src = 0;
    assert_null(datapath_megaflow_install(dp, &key, &mask, program, &error));
    assert_int_equal(error, -ENOSPC);
    key.ipv4_src = 77;
    struct megaflow *mf = datapath_megaflow_lookup(dp, &key);
    assert_non_null(mf);
    uint32_t id = megaflow_id(mf);
    assert_ptr_equal(datapath_megaflow(dp, id), mf);
    program_gone(datapath_megaflow_remove(dp, mf));
    assert_null(datapath_megaflow(dp, id));
    assert_null(datapath_megaflow_lookup(dp, &key));

    /* Its place is free again after a grace period. */
    key.ipv4_src = 0;
    WAIT_FOR(datapath_megaflow_install(dp, &key, &mask, program, &error) != NULL);
    program_ref(program);

    for (uint32_t id_gone = 100; id_gone < 115; id_gone++)
        program_gone(datapath_megaflow_remove(dp, datapath_megaflow(dp, id_gone)));
    for (uint32_t i = 0; i < 15; i++) {
        mask = mask_src(UINT32_MAX << i << 1);
        WAIT_FOR(datapath_megaflow_install(dp, &key, &mask, program, &error) != NULL);
        program_ref(program);
    }
    struct flow_key other = {.eth_type = UINT16_MAX};
    assert_null(datapath_megaflow_install(dp, &key, &other, program, &error));
    assert_int_equal(error, -EMLINK);
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_missed_packet_and_those_behind_it_leave_in_order),
        cmocka_unit_test(other_flows_of_a_wide_megaflow_stay_in_order),
        cmocka_unit_test(the_classifier_and_the_cache_agree_on_overlapping_masks),
        cmocka_unit_test(a_dominant_megaflow_takes_only_its_own),
        cmocka_unit_test(a_port_program_takes_all_the_port_receives),
        cmocka_unit_test(runts_leave_the_rest_of_the_burst_alone),
        cmocka_unit_test(what_a_port_does_not_take_is_dropped_by_name),
        cmocka_unit_test(several_outputs_get_a_copy_each),
        cmocka_unit_test(recirculated_packets_are_looked_up_with_their_id_and_mark),
        cmocka_unit_test(punts_and_injected_packets_pass_through),
        cmocka_unit_test(the_descriptor_wakes_the_control_thread),
        cmocka_unit_test(a_flooding_port_leaves_room_for_another),
        cmocka_unit_test(too_many_behind_one_flow_are_dropped),
        cmocka_unit_test(after_a_token_no_packet_runs_the_old_program),
        cmocka_unit_test(a_token_covers_returned_packets),
        cmocka_unit_test(a_sleeping_thread_loses_nothing),
        cmocka_unit_test(ports_are_spread_and_leave_after_a_grace_period),
        cmocka_unit_test(limits_and_duplicates_are_refused),
    };
    if (test_eal_init("datapath_test") != 0)
        return 1;
    pool = test_pool(8191);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
