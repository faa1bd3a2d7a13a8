/* What the poll-mode thread looks up and sends. */
#include <sys/mman.h>

#include "pmd/base/clock.h"
#include "pmd/poll/datapath_impl.h"
#include "pmd/poll/poll_thread.h"
#include "tests/lib/datapath_bed.h"

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

/* A thread's counters of a megaflow are of 32 bits. */
static void more_bytes_than_32_bits_are_counted(void **state)
{
    const uint32_t before = UINT32_MAX - 89;
    struct megaflow_stats stats = {0};
    uint32_t number;

    start();
    struct megaflow *mf = install(1, 0x0b000000, 0xff000000, program_output(2));
    __atomic_store_n(&dp->megaflows.counters[0][mf->id].bytes, before, __ATOMIC_RELAXED);
    assert_false(datapath_megaflow_stats(dp, mf, &stats));
    for (uint32_t i = 0; i < 3; i++) {
        send_packet(1, packet_make(0x0b000000, i));
        WAIT_FOR(receive(2, &number));
    }
    WAIT_FOR((datapath_megaflow_stats(dp, mf, &stats), stats.packets == 3));
    assert_true(stats.bytes == before + 3 * 60ull);
    program_gone(datapath_megaflow_remove(dp, mf));
    stop();
}

static void assert_resident(const struct hugemem *mem)
{
    unsigned char resident[1024];
    size_t n_pages = (mem->size + 4095) / 4096;

    if (mem->kind != HUGEMEM_MAPPED)
        return;
    assert_true(n_pages <= sizeof resident);
    assert_int_equal(mincore(mem->ptr, mem->size, resident), 0);
    for (size_t i = 0; i < n_pages; i++)
        assert_true(resident[i] & 1);
}

/* A page that comes when a packet needs it makes a long turn. */
static void a_poll_mode_thread_has_its_memory_before_its_first_packet(void **state)
{
    const struct poll_thread *thread;

    start();
    datapath_synchronize(dp); /* it runs */
    send_packet(1, packet_make(0x0a000001, 1));
    rte_pktmbuf_free(next_miss());
    thread = dp->threads[0];
    assert_resident(&thread->memory);
    assert_resident(&thread->counters_memory);
    assert_resident(&thread->ports_memory);
    assert_resident(&thread->emc.memory);
    assert_resident(&thread->order.guess_memory);
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
    struct megaflow_stats stats = {0};
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

/* Seven of ten packets are the dominant megaflow's; of the others each has another way: sent, dropped for two reasons
 * in one burst, sent twice. */
static void what_a_dominant_megaflow_leaves_goes_its_own_ways(void **state)
{
    enum { ROUNDS = 20, EACH = 6 }; /* of EACH x 10 packets, a burst */
    uint32_t number;

    start();
    struct megaflow *mf = install(1, 0x0b000000, 0xff000000, program_output(2));
    install(1, 0x0a000001, UINT32_MAX, program_output(3));
    install(1, 0x0a000002, UINT32_MAX, program_two(OP_OUTPUT, 3, OP_OUTPUT, 3));
    struct megaflow *policy = install(1, 0x0a000003, 0xffffffff, program_drop(DROP_POLICY));
    install(1, 0x0a000010, 0xfffffff0, program_drop(DROP_NO_RULE));
    for (uint32_t round = 0; round < ROUNDS; round++) {
        struct rte_mbuf *burst[10 * EACH];

        for (uint32_t i = 0; i < RTE_DIM(burst); i++) {
            static const uint32_t others[] = {0x0a000001, 0x0a000002, 0x0a000003};
            uint32_t flow = i % 10 < 7 ? 0x0b000000 + i : others[i % 10 - 7];

            burst[i] = packet_make(i % 20 == 19 ? 0x0a000010 : flow, round * RTE_DIM(burst) + i);
        }
        assert_int_equal(rte_ring_sp_enqueue_bulk(ports[0]->in, (void **)burst, RTE_DIM(burst), NULL), RTE_DIM(burst));
        for (uint32_t i = 0; i < RTE_DIM(burst); i++) {
            if (i % 10 >= 7)
                continue;
            WAIT_FOR(receive(2, &number));
            assert_int_equal(number, round * RTE_DIM(burst) + i);
        }
        for (uint32_t i = 0; i < 3 * EACH; i++)
            WAIT_FOR(receive(3, &number));
    }
    WAIT_FOR(drops(DROP_POLICY) + drops(DROP_NO_RULE) == ROUNDS * EACH);
    assert_int_equal(drops(DROP_POLICY), ROUNDS * EACH / 2);
    struct megaflow_stats stats = {0};
    assert_true(datapath_megaflow_stats(dp, mf, &stats));
    assert_int_equal(stats.packets, ROUNDS * EACH * 7);
    assert_int_equal(stats.bytes, ROUNDS * EACH * 7 * PACKET_LEN);
    assert_false(datapath_megaflow_stats(dp, mf, &stats));
    stats = (struct megaflow_stats){0};
    assert_true(datapath_megaflow_stats(dp, policy, &stats));
    assert_int_equal(stats.packets, ROUNDS * EACH / 2);
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
    struct megaflow_stats mf_stats = {0};
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

/* What has come out of port 2 since: as much as that adds up to 10 with what was dropped. */
static bool ten_are_done(uint32_t *passed, enum drop_reason reason, uint64_t before)
{
    uint32_t number;

    while (receive(2, &number))
        ++*passed;
    return *passed + drops(reason) - before == 10;
}

/* Three packets pass at once, and then one a second; what is dropped is counted for its port, and the rest goes on. */
static void policed(enum port_way way, unsigned policed_port, enum drop_reason reason)
{
    const struct policer_config strict = {.packets = 1, .burst_packets = 3}, none = {0};
    const uint64_t before = drops(reason), start_s = clock_now_us() / 1000000;
    struct datapath_port_stats port;
    uint32_t number, passed = 3;

    assert_int_equal(datapath_port_police(dp, &ports[policed_port - 1]->port, way, &strict), 0);
    for (uint32_t i = 0; i < 10; i++)
        send_packet(1, packet_make(5, i));
    for (uint32_t i = 0; i < 3; i++) {
        WAIT_FOR(receive(2, &number));
        assert_int_equal(number, i);
    }
    WAIT_FOR(ten_are_done(&passed, reason, before));
    assert_true(passed <= 3 + clock_now_us() / 1000000 + 1 - start_s && passed < 10);
    const uint64_t dropped = 10 - passed;
    datapath_port_stats(dp, policed_port, &port);
    assert_int_equal(port.drops[reason], dropped);
    assert_int_equal(port.tx_dropped, way == PORT_OUT ? dropped : 0);
    datapath_port_stats(dp, 1, &port);
    assert_int_equal(port.rx_packets % 20, 10);
    assert_int_equal(port.rx_bytes, port.rx_packets * PACKET_LEN);
    /* Another rate, and none, while packets pass. */
    assert_int_equal(datapath_port_police(dp, &ports[policed_port - 1]->port, way, &strict), 0);
    assert_int_equal(datapath_port_police(dp, &ports[policed_port - 1]->port, way, &none), 0);
    for (uint32_t i = 0; i < 10; i++)
        send_packet(1, packet_make(5, i));
    for (uint32_t i = 0; i < 10; i++) {
        WAIT_FOR(receive(2, &number));
        assert_int_equal(number, i);
    }
    assert_int_equal(drops(reason), before + dropped);
}

static void ports_are_policed_both_ways(void **state)
{
    start();
    install(1, 5, UINT32_MAX, program_output(2));
    policed(PORT_IN, 1, DROP_RX_POLICED);
    policed(PORT_OUT, 2, DROP_TX_POLICED);
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

/* Punts of recirculated packets, whether their own program writes metadata or only sends. */
static void punts_have_their_metadata(void **state)
{
    const struct op_meta first = {.pkt_mark = 0xcafe, .pkt_mark_mask = UINT32_MAX};
    const struct op_meta second = {.pkt_mark = 0x1111, .pkt_mark_mask = 0x00ff};
    struct program_builder builder;
    struct rte_mbuf *punts[2];
    int error;

    start();
    program_builder_init(&builder);
    program_builder_add(&builder, OP_SET_META, 0, &first, sizeof first);
    program_builder_add(&builder, OP_RECIRC, 9, NULL, 0);
    install(1, 5, UINT32_MAX, program_intern(programs, &builder));
    struct flow_key key, mask = {.in_port = UINT32_MAX, .recirc_id = UINT32_MAX};
    flow_key_parse(punts[0] = packet_make(5, 0), 1, &key);
    rte_pktmbuf_free(punts[0]);
    key.recirc_id = 9;
    program_builder_init(&builder);
    program_builder_add(&builder, OP_PUNT, 1, NULL, 0);
    program_builder_add(&builder, OP_SET_META, 0, &second, sizeof second);
    program_builder_add(&builder, OP_PUNT, 2, NULL, 0);
    assert_non_null(datapath_megaflow_install(dp, &key, &mask, program_intern(programs, &builder), &error));

    send_packet(1, packet_make(5, 0));
    for (unsigned i = 0; i < 2; i++) {
        punts[i] = next_miss();
        assert_int_equal(packet_meta(punts[i])->punt_id, i + 1);
        assert_int_equal(packet_meta(punts[i])->md.in_port, 1);
        assert_int_equal(packet_meta(punts[i])->md.recirc_id, 9);
        assert_int_equal(packet_meta(punts[i])->md.depth, 1);
        assert_int_equal(packet_meta(punts[i])->md.pkt_mark, i == 0 ? 0xcafe : 0xca11);
        rte_pktmbuf_free(punts[i]);
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
    assert_int_equal(packet_meta(m)->md.recirc_id, 9);
    assert_int_equal(packet_meta(m)->md.pkt_mark, 0xcafe);
    assert_int_equal(packet_meta(m)->md.depth, 1);
    struct flow_key key, mask = {.in_port = UINT32_MAX, .recirc_id = UINT32_MAX, .pkt_mark = UINT32_MAX};
    key_of(m, &key);
    key.pkt_mark = 0xcafe;
    assert_non_null(datapath_megaflow_install(dp, &key, &mask, program_output(2), &error));
    packet_meta(m)->program =
        datapath_megaflow_lookup(dp, &key) ? megaflow_program(datapath_megaflow_lookup(dp, &key)) : NULL;
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

/* Also what is sent at the end of the turn, after queues that had nothing. */
static void cycles_are_counted_of_every_stage_that_runs(void **state)
{
    struct pmd_stats stats;
    uint32_t number;

    start();
    install(1, 5, UINT32_MAX, program_output(2));
    for (uint32_t i = 0; i < 100; i++) {
        send_packet(1, packet_make(5, i));
        WAIT_FOR(receive(2, &number));
    }
    datapath_pmd_stats(dp, 0, &stats);
    assert_true(stats.stage_cycles[PMD_STAGE_RX] > 0);
    assert_true(stats.stage_cycles[PMD_STAGE_PARSE] > 0);
    assert_true(stats.stage_cycles[PMD_STAGE_ACTIONS] > 0);
    assert_true(stats.stage_cycles[PMD_STAGE_TX] > 0);
    stop();
}

/* Behind recirculation 9, for the sources that agree with `src` in the bits of `src_mask`, and have the destination
 * address `eth_dst`. */
static struct megaflow *install_behind(uint32_t src, uint32_t src_mask, uint8_t eth_dst, struct program *program)
{
    struct flow_key key, mask = mask_src(src_mask);
    struct rte_mbuf *m = packet_make(src, 0);
    struct megaflow *mf;
    int error;

    flow_key_parse(m, 1, &key);
    rte_pktmbuf_free(m);
    key.recirc_id = 9;
    key.eth_dst.addr_bytes[5] = eth_dst;
    mask.eth_dst.addr_bytes[5] = 0xff;
    mf = datapath_megaflow_install(dp, &key, &mask, program, &error);
    assert_non_null(mf);
    return mf;
}

static uint8_t last_of_eth_dst(void)
{
    struct rte_mbuf *m = packet_make(0, 0);
    const uint8_t octet = rte_pktmbuf_mtod(m, const uint8_t *)[5];

    rte_pktmbuf_free(m);
    return octet;
}

/* In one burst, as what one packet of it finds must not be another one's. */
static void send_burst(const uint32_t *sources, uint32_t n)
{
    struct rte_mbuf *burst[64];

    for (uint32_t i = 0; i < n; i++)
        burst[i] = packet_make(sources[i], i);
    assert_int_equal(rte_ring_sp_enqueue_bulk(ports[0]->in, (void **)burst, n, NULL), n);
}

/* Whatever the last packet took that came the same way: even sources go to port 2, odd ones to port 3. */
static void packets_that_come_again_take_their_own_megaflow(void **state)
{
    const uint8_t eth_dst = last_of_eth_dst();
    struct program_builder builder;
    uint32_t sources[64], number;

    start();
    program_builder_init(&builder);
    program_builder_add(&builder, OP_RECIRC, 9, NULL, 0);
    install(1, 0x0b000000, 0xff000000, program_intern(programs, &builder));
    struct megaflow *even = install_behind(0x0b000000, 0xff000001, eth_dst, program_output(2));
    struct megaflow *odd = install_behind(0x0b000001, 0xff000001, eth_dst, program_output(3));
    for (unsigned round = 0; round < 40; round++) {
        /* All even, all odd, in turn, and all kinds of runs. */
        for (unsigned i = 0; i < 64; i++)
            sources[i] = 0x0b000100 + 2 * i + (round % 4 < 2 ? round % 2 : (i >> (round % 6)) & 1);
        send_burst(sources, 64);
        for (unsigned i = 0; i < 64; i++) {
            WAIT_FOR(receive(sources[i] & 1 ? 3 : 2, &number));
            assert_int_equal(number, i);
        }
    }
    struct megaflow_stats of_even = {0}, of_odd = {0};
    datapath_megaflow_stats(dp, even, &of_even);
    datapath_megaflow_stats(dp, odd, &of_odd);
    assert_int_equal(of_even.packets + of_odd.packets, 40 * 64);

    program_gone(datapath_megaflow_set_program(dp, odd, program_output(1)));
    program_gone(datapath_megaflow_remove(dp, even));
    datapath_synchronize(dp);
    send_burst((const uint32_t[]){0x0b000001, 0x0b000002}, 2);
    WAIT_FOR(receive(1, &number));
    struct rte_mbuf *miss = next_miss();
    assert_int_equal(packet_meta(miss)->md.recirc_id, 9);
    assert_int_equal(packet_number(miss), 1);
    rte_pktmbuf_free(miss);
    stop();
}

/* A program that changes them makes another key of them. */
static void packets_that_come_again_changed_are_parsed_again(void **state)
{
    static const struct op_eth eth = {.dst = {{2, 0, 0, 0, 0, 9}}, .dst_mask = {{255, 255, 255, 255, 255, 255}}};
    const uint8_t eth_dst = last_of_eth_dst();
    struct program_builder as_it_is, changed;
    uint32_t sources[64], number;

    start();
    program_builder_init(&as_it_is);
    program_builder_add(&as_it_is, OP_RECIRC, 9, NULL, 0);
    program_builder_init(&changed);
    program_builder_add(&changed, OP_SET_ETH, 0, &eth, sizeof eth);
    program_builder_add(&changed, OP_RECIRC, 9, NULL, 0);
    struct megaflow *mf = install(1, 0x0b000000, 0xff000000, program_intern(programs, &as_it_is));
    install_behind(0, 0, eth_dst, program_output(2));
    install_behind(0, 0, 9, program_output(3));
    for (unsigned round = 0; round < 4; round++) {
        for (unsigned i = 0; i < 64; i++)
            sources[i] = 0x0b000000 + i;
        send_burst(sources, 64);
        for (unsigned i = 0; i < 64; i++)
            WAIT_FOR(receive(round % 2 == 0 ? 2 : 3, &number));
        program_gone(
            datapath_megaflow_set_program(dp, mf, program_intern(programs, round % 2 == 0 ? &changed : &as_it_is)));
        datapath_synchronize(dp);
    }
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_classifier_and_the_cache_agree_on_overlapping_masks),
        cmocka_unit_test(more_bytes_than_32_bits_are_counted),
        cmocka_unit_test(a_poll_mode_thread_has_its_memory_before_its_first_packet),
        cmocka_unit_test(a_dominant_megaflow_takes_only_its_own),
        cmocka_unit_test(what_a_dominant_megaflow_leaves_goes_its_own_ways),
        cmocka_unit_test(a_port_program_takes_all_the_port_receives),
        cmocka_unit_test(runts_leave_the_rest_of_the_burst_alone),
        cmocka_unit_test(ports_are_policed_both_ways),
        cmocka_unit_test(what_a_port_does_not_take_is_dropped_by_name),
        cmocka_unit_test(several_outputs_get_a_copy_each),
        cmocka_unit_test(punts_have_their_metadata),
        cmocka_unit_test(recirculated_packets_are_looked_up_with_their_id_and_mark),
        cmocka_unit_test(packets_that_come_again_take_their_own_megaflow),
        cmocka_unit_test(packets_that_come_again_changed_are_parsed_again),
        cmocka_unit_test(cycles_are_counted_of_every_stage_that_runs),
    };

    if (test_eal_init("datapath_test") != 0)
        return 1;
    pool = test_pool(8191);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
