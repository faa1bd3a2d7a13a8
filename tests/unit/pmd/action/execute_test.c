/* Where packets go: copies, shared data, truncation, drops. What operations do to headers is in action_test.c. */
#include <stdlib.h>

#include "pmd/action/packet.h"
#include "pmd/tunnel.h"
#include "tests/lib/eal.h"
#include "tests/lib/program_bed.h"

#define POOL_SIZE 1023

static struct rte_mempool *empty;

#define ADD(type, arg) program_builder_add(&builder, type, arg, NULL, 0)

static void add_new_mac(void)
{
    const struct op_eth op = {.dst = {{0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa}},
                              .dst_mask = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}};

    program_builder_add(&builder, OP_SET_ETH, 0, &op, sizeof op);
}

static bool has_new_mac(const struct rte_mbuf *m)
{
    return rte_pktmbuf_mtod(m, const uint8_t *)[5] == 0xaa;
}

static void assert_event(unsigned i, enum event_type type, uint32_t arg)
{
    assert_true(i < events.n);
    assert_int_equal(events.list[i].type, type);
    assert_int_equal(events.list[i].arg, arg);
}

static void outputs_share_one_packet(void **state)
{
    struct rte_mbuf *m = packet_new(pool, FRAME_TCP);

    ADD(OP_OUTPUT, 1);
    ADD(OP_OUTPUT, 2);
    ADD(OP_OUTPUT, 3);
    run(m);
    assert_int_equal(events.n, 3);
    for (unsigned i = 0; i < 3; i++) {
        assert_event(i, EVENT_OUTPUT, i + 1);
        assert_ptr_equal(events.list[i].m, m);
    }
    assert_int_equal(rte_mbuf_refcnt_read(m), 3);
}

static void output_before_a_change_is_a_copy(void **state)
{
    struct rte_mbuf *m = packet_new(pool, FRAME_TCP);

    packet_meta(m)->md.in_port = 77;
    ADD(OP_OUTPUT, 1);
    add_new_mac();
    ADD(OP_OUTPUT, 2);
    ADD(OP_OUTPUT, 3);
    run(m);
    assert_int_equal(events.n, 3);
    assert_ptr_not_equal(events.list[0].m, m);
    assert_false(has_new_mac(events.list[0].m));
    assert_int_equal(packet_meta(events.list[0].m)->md.in_port, 77);
    assert_ptr_equal(events.list[1].m, m);
    assert_ptr_equal(events.list[2].m, m);
    assert_true(has_new_mac(m));
    assert_int_equal(rte_pktmbuf_headroom(events.list[0].m), RTE_PKTMBUF_HEADROOM);
}

static void packets_in_segments_are_copied(void **state)
{
    struct rte_mbuf *m = packet_split(pool, packet_new(pool, FRAME_TCP), 20);

    ADD(OP_OUTPUT, 1);
    ADD(OP_OUTPUT, 2);
    run(m);
    assert_int_equal(events.n, 2);
    assert_ptr_not_equal(events.list[0].m, m);
    assert_int_equal(events.list[0].m->nb_segs, 1);
    assert_true(packet_checksums_right(events.list[0].m));
    assert_ptr_equal(events.list[1].m, m);
}

static void truncation_is_for_the_next_output_alone(void **state)
{
    struct rte_mbuf *m = packet_new(pool, FRAME_TCP);
    const uint32_t len = m->pkt_len;

    ADD(OP_TRUNCATE, 20);
    ADD(OP_OUTPUT, 1);
    ADD(OP_OUTPUT, 2);
    ADD(OP_TRUNCATE, 1000);
    ADD(OP_OUTPUT, 3);
    ADD(OP_TRUNCATE, 30);
    ADD(OP_OUTPUT, 4);
    run(m);
    assert_int_equal(events.n, 4);
    assert_int_equal(events.list[0].m->pkt_len, 20);
    assert_int_equal(events.list[1].m->pkt_len, len);
    assert_int_equal(events.list[2].m->pkt_len, len);
    assert_int_equal(events.list[3].m->pkt_len, 30);
}

static void the_last_output_is_cut_in_place(void **state)
{
    struct rte_mbuf *m = packet_new(pool, FRAME_TCP);

    ADD(OP_TRUNCATE, 20);
    ADD(OP_OUTPUT, 1);
    run(m);
    assert_ptr_equal(events.list[0].m, m);
    assert_int_equal(m->pkt_len, 20);
    assert_int_equal(m->data_len, 20);
}

static void segments_are_cut(void **state)
{
    ADD(OP_TRUNCATE, 25);
    ADD(OP_OUTPUT, 1);
    run(packet_split(pool, packet_new(pool, FRAME_TCP), 10));
    assert_int_equal(events.list[0].m->pkt_len, 25);
    rte_mbuf_sanity_check(events.list[0].m, 1);
}

static void a_punt_owns_its_packet_and_knows_its_length(void **state)
{
    struct rte_mbuf *m = packet_new(pool, FRAME_TCP);
    const uint32_t len = m->pkt_len;

    ADD(OP_OUTPUT, 1);
    ADD(OP_TRUNCATE, 16);
    ADD(OP_PUNT, 5);
    ADD(OP_OUTPUT, 2);
    ADD(OP_PUNT, 6);
    run(m);
    assert_int_equal(events.n, 4);
    assert_event(1, EVENT_PUNT, 5);
    assert_int_equal(events.list[1].m->pkt_len, 16);
    assert_int_equal(events.list[1].full_len, len);
    assert_event(3, EVENT_PUNT, 6);
    assert_int_equal(events.list[3].m->pkt_len, len);
    for (unsigned i = 1; i < 4; i += 2)
        assert_int_equal(rte_mbuf_refcnt_read(events.list[i].m), 1);
    assert_int_equal(rte_mbuf_refcnt_read(m), 2);
}

static void a_lone_punt_gets_the_packet_itself(void **state)
{
    struct rte_mbuf *m = packet_new(pool, FRAME_TCP);

    ADD(OP_PUNT, 5);
    run(m);
    assert_int_equal(events.n, 1);
    assert_ptr_equal(events.list[0].m, m);
}

static void every_operation_is_run(void **state)
{
    for (enum program_op_type type = 0; type < OP_N_TYPES; type++) {
        const bool by_interpreter = program_ops[type].emits || type == OP_TRUNCATE || type == OP_SET_META ||
                                    type == OP_CT_CLEAR || type == OP_TUNNEL_PUSH;

        if (by_interpreter == (action_runs[type] != NULL))
            fail_msg("operation %d has no function to run it, or one that is never called", type);
    }
}

/* What was sent before an operation stays as it was: the operation says `changes` if it writes to the packet. */
static void no_operation_reaches_what_was_sent_before(void **state)
{
    for (enum program_op_type type = 0; type < OP_N_TYPES; type++) {
        for (size_t frame = 0; frame < N_FRAMES; frame++) {
            struct rte_mbuf *m = packet_new(pool, frames[frame]);
            const uint32_t len = m->pkt_len;
            uint8_t before[512], after[512], operand[sizeof(struct op_tunnel_push)];

            if ((!action_runs[type] && type != OP_TUNNEL_PUSH) || len > sizeof before) {
                rte_pktmbuf_free(m);
                continue;
            }
            memcpy(before, rte_pktmbuf_read(m, 0, len, after), len);
            memset(operand, 0xff, sizeof operand);
            operand[0] = type == OP_PUSH_NSH ? 8 : 0xff;
            if (type == OP_TUNNEL_PUSH)
                op_tunnel_push_make((void *)operand, (const uint8_t[16]){0});
            program_builder_init(&builder);
            ADD(OP_OUTPUT, 1);
            program_builder_add(&builder, type, 0xffff, program_ops[type].data_len > 0 ? operand : NULL,
                                program_ops[type].data_len);
            ADD(OP_OUTPUT, 2);
            run(m);
            assert_event(0, EVENT_OUTPUT, 1);
            assert_int_equal(events.list[0].m->pkt_len, len);
            assert_memory_equal(rte_pktmbuf_read(events.list[0].m, 0, len, after), before, len);
            events_clear(&events);
        }
    }
}

static void recirculation_ends_the_program(void **state)
{
    struct rte_mbuf *m = packet_new(pool, FRAME_TCP);
    const struct op_meta meta = {.pkt_mark = 0xff, .pkt_mark_mask = 0x0f};

    packet_meta(m)->md.pkt_mark = 0x30;
    program_builder_add(&builder, OP_SET_META, 0, &meta, sizeof meta);
    ADD(OP_RECIRC, 9);
    run(m);
    assert_int_equal(events.n, 1);
    assert_event(0, EVENT_RECIRC, 9);
    assert_ptr_equal(events.list[0].m, m);
    assert_int_equal(packet_meta(m)->md.pkt_mark, 0x3f);
}

/* Drops every second packet, and says of the others that they are new. */
static unsigned n_tracked;

static void track(void *arg, const struct ct_request *request, struct rte_mbuf *const *m, unsigned n, uint8_t *results)
{
    for (unsigned i = 0; i < n; i++) {
        packet_meta(m[i])->ct = (struct ct_meta){.zone = request->zone, .state = CT_STATE_TRK | CT_STATE_NEW};
        packet_meta(m[i])->md.ct_state = CT_STATE_TRK | CT_STATE_NEW;
        results[i] = n_tracked++ & 1 ? DROP_CT_ZONE_LIMIT : DROP_N_REASONS;
    }
}

static void tracked(bool first)
{
    const struct op_ct ct = {.request = {.zone = 7}};
    struct rte_mbuf *packets[70];

    program_builder_init(&builder);
    n_tracked = 0;
    events.sink.ct = track;
    if (!first)
        ADD(OP_TRUNCATE, 60);
    program_builder_add(&builder, OP_CT, 0, &ct, sizeof ct);
    ADD(OP_CLONE, 8);
    ADD(OP_RECIRC, 9);
    ADD(OP_CT_CLEAR, 0);
    ADD(OP_RECIRC, 10);
    for (unsigned i = 0; i < RTE_DIM(packets); i++) {
        packets[i] = packet_new(pool, FRAME_TCP);
        packet_meta(packets[i])->md = (struct metadata){.in_port = i};
    }
    struct program *program = program_intern(table, &builder);
    program_execute(program, packets, RTE_DIM(packets), &events.sink);
    if (program_unref(table, program))
        free(program);
    assert_int_equal(n_tracked, 70);
    assert_int_equal(events.n, 35 * 3);
    for (unsigned i = 0, n_dropped = 0, n_sent = 0; i < events.n; i++) {
        const struct packet_meta *meta = packet_meta(events.list[i].m);

        if (events.list[i].type == EVENT_DROP) {
            assert_int_equal(events.list[i].arg, DROP_CT_ZONE_LIMIT);
            assert_int_equal(meta->md.in_port, 1 + 2 * n_dropped++);
            continue;
        }
        assert_int_equal(events.list[i].type, EVENT_RECIRC);
        assert_int_equal(meta->md.in_port, n_sent / 2 * 2);
        assert_int_equal(events.list[i].arg, n_sent & 1 ? 10 : 9);
        assert_int_equal(meta->md.ct_state, n_sent & 1 ? 0 : CT_STATE_TRK | CT_STATE_NEW);
        if (!(n_sent & 1))
            assert_int_equal(meta->ct.zone, 7);
        n_sent++;
    }
    events_clear(&events);
}

static void packets_are_tracked(void **state)
{
    tracked(true);
    tracked(false);
}

/* A sink that holds every first fragment, and has a datagram of two complete with every second one. Packets whose
 * in_port is odd are fragments. */
static struct rte_mbuf *held[4];
static unsigned n_held, n_given;
static uint8_t fragment_result;

static void track_fragments(void *arg, const struct ct_request *request, struct rte_mbuf *const *m, unsigned n,
                            uint8_t *results)
{
    for (unsigned i = 0; i < n; i++) {
        results[i] = ACTION_OK;
        if (packet_meta(m[i])->md.in_port & 1) {
            held[n_held++] = m[i];
            results[i] = n_held == 2 ? ACTION_WHOLE : ACTION_HELD;
        }
    }
}

static struct rte_mbuf *give_fragment(void *arg, const struct rte_mbuf *by, uint8_t *result)
{
    assert_ptr_equal(by, held[1]);
    *result = fragment_result;
    if (n_given == n_held)
        return NULL;
    return held[n_given++];
}

static unsigned fragments_run(bool first, bool sends, uint8_t result)
{
    const struct op_ct ct = {.request = {.zone = 7}};
    struct rte_mbuf *packets[4];

    program_builder_init(&builder);
    n_held = n_given = 0;
    fragment_result = result;
    events.sink.ct = track_fragments;
    events.sink.fragment = give_fragment;
    if (!first)
        ADD(OP_OUTPUT, 1);
    program_builder_add(&builder, OP_CT, 0, &ct, sizeof ct);
    if (sends)
        ADD(OP_OUTPUT, 2);
    if (sends)
        ADD(OP_OUTPUT, 3);
    for (unsigned i = 0; i < RTE_DIM(packets); i++) {
        packets[i] = packet_new(pool, FRAME_TCP);
        packet_meta(packets[i])->md = (struct metadata){.in_port = i};
    }
    struct program *program = program_intern(table, &builder);
    program_execute(program, packets, RTE_DIM(packets), &events.sink);
    if (program_unref(table, program))
        free(program);
    assert_int_equal(n_given, 2);
    return events.n;
}

static unsigned count_events(enum event_type type, uint32_t arg)
{
    unsigned n = 0;

    for (unsigned i = 0; i < events.n; i++)
        n += events.list[i].type == type && events.list[i].arg == arg;
    return n;
}

/* What is behind ct() is done with each fragment of a datagram once it is complete; each ends once. */
static void fragments_go_on_when_they_are_whole(void **state)
{
    const unsigned before = rte_mempool_in_use_count(pool);

    for (unsigned first = 0; first < 2; first++) {
        assert_int_equal(fragments_run(first, true, ACTION_OK), 8 + (first ? 0 : 4));
        assert_int_equal(count_events(EVENT_OUTPUT, 2), 4);
        assert_int_equal(count_events(EVENT_OUTPUT, 3), 4);
        events_clear(&events);
        /* The datagram is not to go on. */
        assert_int_equal(fragments_run(first, true, DROP_NAT_EXHAUSTED), 4 + 2 + (first ? 0 : 4));
        assert_int_equal(count_events(EVENT_DROP, DROP_NAT_EXHAUSTED), 2);
        assert_int_equal(count_events(EVENT_OUTPUT, 3), 2);
        events_clear(&events);
        /* Nothing sends them behind it: dropped, unless something did before. */
        fragments_run(first, false, ACTION_OK);
        assert_int_equal(count_events(EVENT_DROP, DROP_POLICY), first ? 4 : 0);
        assert_int_equal(count_events(EVENT_OUTPUT, 1), first ? 0 : 4);
        events_clear(&events);
    }
    assert_int_equal(rte_mempool_in_use_count(pool), before);
}

static void what_is_sent_nowhere_is_dropped(void **state)
{
    run(packet_new(pool, FRAME_TCP));
    add_new_mac();
    run(packet_new(pool, FRAME_TCP));
    program_builder_init(&builder);
    ADD(OP_DROP, DROP_XLATE_LOOP);
    run(packet_new(pool, FRAME_TCP));
    program_builder_init(&builder);
    ADD(OP_OUTPUT, 1);
    ADD(OP_DROP, DROP_ACTION_TTL);
    run(packet_new(pool, FRAME_TCP));
    assert_int_equal(events.n, 5);
    assert_event(0, EVENT_DROP, DROP_POLICY);
    assert_event(1, EVENT_DROP, DROP_POLICY);
    assert_event(2, EVENT_DROP, DROP_XLATE_LOOP);
    assert_event(3, EVENT_OUTPUT, 1);
    assert_event(4, EVENT_DROP, DROP_ACTION_TTL);
}

static void changes_behind_the_last_output_are_not_made(void **state)
{
    struct rte_mbuf *m = packet_new(pool, FRAME_TCP);

    ADD(OP_OUTPUT, 1);
    add_new_mac();
    run(m);
    assert_int_equal(events.n, 1);
    assert_ptr_equal(events.list[0].m, m);
    assert_false(has_new_mac(m));
}

static void a_packet_that_others_hold_is_not_changed(void **state)
{
    struct rte_mbuf *m = packet_new(pool, FRAME_TCP);

    rte_mbuf_refcnt_update(m, 1);
    add_new_mac();
    ADD(OP_OUTPUT, 1);
    run(m);
    assert_false(has_new_mac(m));
    assert_true(has_new_mac(events.list[0].m));
    assert_int_equal(rte_mbuf_refcnt_read(m), 1);
    rte_pktmbuf_free(m);
}

static void a_clone_is_not_changed(void **state)
{
    struct rte_mbuf *m = packet_new(pool, FRAME_TCP), *clone = rte_pktmbuf_clone(m, pool);

    add_new_mac();
    ADD(OP_OUTPUT, 1);
    run(clone);
    assert_false(has_new_mac(m));
    assert_true(has_new_mac(events.list[0].m));
    rte_pktmbuf_free(m);
}

static void an_empty_pool_drops(void **state)
{
    events_init(&events, empty);
    ADD(OP_OUTPUT, 1);
    add_new_mac();
    ADD(OP_OUTPUT, 2);
    run(packet_new(pool, FRAME_TCP));
    assert_int_equal(events.n, 1);
    assert_event(0, EVENT_DROP, DROP_NO_MBUF);

    struct rte_mbuf *m = packet_new(pool, FRAME_TCP);
    rte_mbuf_refcnt_update(m, 1);
    program_builder_init(&builder);
    add_new_mac();
    ADD(OP_OUTPUT, 2);
    run(m);
    assert_event(1, EVENT_DROP, DROP_NO_MBUF);
    rte_pktmbuf_free(m);

    /* What needs no copy goes on. */
    program_builder_init(&builder);
    ADD(OP_OUTPUT, 1);
    ADD(OP_OUTPUT, 2);
    run(packet_new(pool, FRAME_TCP));
    assert_event(3, EVENT_OUTPUT, 2);
}

static void meters_pass_or_drop(void **state)
{
    ADD(OP_METER, 1);
    ADD(OP_OUTPUT, 2);
    run(packet_new(pool, FRAME_TCP));
    events.verdict = METER_DROP;
    run(packet_new(pool, FRAME_TCP));
    assert_int_equal(events.n_metered, 2);
    assert_int_equal(events.n, 2);
    assert_event(0, EVENT_OUTPUT, 2);
    assert_event(1, EVENT_DROP, DROP_METER);
}

/* AF11 becomes AF12 and AF13, and stays there; code points without drop precedence stay (OpenFlow 1.3.5, 7.3.4.5). */
static void meters_remark(void **state)
{
    static const struct {
        uint8_t tos, levels, expected;
    } cases[] = {{0x28, 1, 0x30}, {0x28, 2, 0x38}, {0x29, 3, 0x39}, {0x38, 1, 0x38}, {0x88, 1, 0x90},
                 {0x00, 1, 0x00}, {0xb8, 1, 0xb8}, {0x20, 1, 0x20}, {0xc0, 1, 0xc0}};

    ADD(OP_METER, 1);
    ADD(OP_OUTPUT, 2);
    for (size_t i = 0; i < RTE_DIM(cases); i++) {
        struct rte_mbuf *m = packet_new(pool, FRAME_TCP);

        ((struct rte_ipv4_hdr *)(rte_pktmbuf_mtod(m, uint8_t *) + 14))->type_of_service = cases[i].tos;
        events.verdict = cases[i].levels;
        run(m);
        assert_event(i, EVENT_OUTPUT, 2);
        m = events.list[i].m;
        assert_int_equal(rte_pktmbuf_mtod(m, uint8_t *)[15], cases[i].expected);
    }
}

/* What a clone does is not seen behind it; a clone that ends the program has the packet itself. */
static void clones_work_on_copies(void **state)
{
    struct rte_mbuf *m = packet_new(pool, FRAME_TCP);

    program_builder_add(&builder, OP_CLONE, sizeof(struct program_op), NULL, 0);
    const uint32_t clone = builder.len - sizeof(struct program_op);
    add_new_mac();
    ADD(OP_OUTPUT, 1);
    ((struct program_op *)(builder.ops + clone))->arg = builder.len - clone - sizeof(struct program_op);
    ADD(OP_OUTPUT, 2);
    program_builder_add(&builder, OP_CLONE, 2 * sizeof(struct program_op), NULL, 0);
    ADD(OP_OUTPUT, 3);
    ADD(OP_RECIRC, 7);
    run(m);
    assert_int_equal(events.n, 4);
    assert_event(0, EVENT_OUTPUT, 1);
    assert_event(1, EVENT_OUTPUT, 2);
    assert_event(2, EVENT_OUTPUT, 3);
    assert_event(3, EVENT_RECIRC, 7);
    assert_memory_not_equal(rte_pktmbuf_mtod(events.list[0].m, void *), rte_pktmbuf_mtod(m, void *), 12);
    assert_ptr_equal(events.list[3].m, m);
}

/* A meter may remark the packet: what went out before it is not shared with it. */
static void a_meter_counts_as_a_change(void **state)
{
    ADD(OP_OUTPUT, 1);
    ADD(OP_METER, 1);
    ADD(OP_OUTPUT, 2);
    run(packet_new(pool, FRAME_TCP));
    assert_int_equal(events.n, 2);
    assert_ptr_not_equal(events.list[0].m, events.list[1].m);
}

static void packets_keep_their_order(void **state)
{
    struct rte_mbuf *packets[8];

    ADD(OP_OUTPUT, 1);
    add_new_mac();
    ADD(OP_OUTPUT, 2);
    for (unsigned i = 0; i < 8; i++) {
        packets[i] = packet_new(pool, FRAME_TCP);
        packet_meta(packets[i])->md.in_port = i;
    }
    struct program *program = program_intern(table, &builder);
    program_execute(program, packets, 8, &events.sink);
    assert_int_equal(events.n, 16);
    for (unsigned i = 0; i < 16; i++) {
        assert_event(i, EVENT_OUTPUT, 1 + i % 2);
        assert_int_equal(packet_meta(events.list[i].m)->md.in_port, i / 2);
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, program_bed_setup, program_bed_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(outputs_share_one_packet),
        TEST(output_before_a_change_is_a_copy),
        TEST(packets_in_segments_are_copied),
        TEST(truncation_is_for_the_next_output_alone),
        TEST(the_last_output_is_cut_in_place),
        TEST(segments_are_cut),
        TEST(a_punt_owns_its_packet_and_knows_its_length),
        TEST(a_lone_punt_gets_the_packet_itself),
        TEST(every_operation_is_run),
        TEST(no_operation_reaches_what_was_sent_before),
        TEST(recirculation_ends_the_program),
        TEST(packets_are_tracked),
        TEST(fragments_go_on_when_they_are_whole),
        TEST(what_is_sent_nowhere_is_dropped),
        TEST(changes_behind_the_last_output_are_not_made),
        TEST(a_packet_that_others_hold_is_not_changed),
        TEST(a_clone_is_not_changed),
        TEST(an_empty_pool_drops),
        TEST(meters_pass_or_drop),
        TEST(meters_remark),
        TEST(clones_work_on_copies),
        TEST(a_meter_counts_as_a_change),
        TEST(packets_keep_their_order),
    };
    struct rte_mbuf *last = NULL;

    if (!program_bed_init("execute_test", POOL_SIZE))
        return 1;
    empty = test_pool(1);
    if (!empty || !(last = rte_pktmbuf_alloc(empty)))
        return 1;
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rte_pktmbuf_free(last);
    program_table_destroy(table);
    return failed;
}
