/* Misses, changes and statistics, with a poll-mode thread that forwards. */

#include "src/tables/group.h"
#include "src/xlate/punt.h"
#include "src/xlate/xlate.h"
#include "tests/lib/bed_traffic.h"
#include "tests/lib/own_time.h"

static const struct flow from_controller = {.in_port = OFPORT_CONTROLLER};

static struct rule *find_rule(uint64_t cookie)
{
    struct rule_filter filter = {.table_id = TABLE_ALL,
                                 .cookie = cookie,
                                 .cookie_mask = UINT64_MAX,
                                 .out_port = OFPORT_ANY,
                                 .out_group = OFGROUP_ANY};
    struct rule_cursor *cursor = rule_cursor_open(bed.bridge->pipeline, &filter);
    struct rule *rule = rule_cursor_next(cursor);

    rule_cursor_close(cursor);
    return rule;
}

/* Counts come a little after the packets. */
static void expect_count(uint64_t cookie, uint64_t packets)
{
    struct rule *rule = find_rule(cookie);

    assert_non_null(rule);
    for (int i = 0; i < 1000 && rule->packets < packets; i++) {
        usleep(1000);
        bed_count(&bed);
    }
    assert_int_equal(rule->packets, packets);
}

static void first_packet_and_the_rest_go_the_same_way(void **state)
{
    bed_add(&bed, "cookie=1,in_port=1,actions=output:2");
    for (int i = 0; i < 8; i++)
        send_to(1, bed_udp_of(1, 2, 0x0a000002, 80));
    for (int i = 0; i < 8; i++)
        expect_out(2);
    assert_int_equal(bed_flows_stats().installed, 1);
    expect_count(1, 8);
    assert_int_equal(find_rule(1)->bytes, 480);
}

static void rules_count_once_for_each_packet(void **state)
{
    struct table_stats t;

    bed_add(&bed, "cookie=1,table=0,actions=resubmit(,1),resubmit(,1)");
    bed_add(&bed, "cookie=2,table=1,actions=output:2");
    for (int i = 0; i < 10; i++)
        send_to(1, bed_udp_of(1, 2, 0x0a000002, 80));
    for (int i = 0; i < 20; i++)
        expect_out(2);
    expect_count(1, 10);
    expect_count(2, 10);
    pipeline_table_stats(bed.bridge->pipeline, 1, &t);
    assert_int_equal(t.lookups, 20);
    assert_int_equal(t.matched, 20);
}

static void removed_rule(void **state)
{
    bed_add(&bed, "cookie=1,in_port=1,actions=output:2");
    expect_way(1, 80, 2);
    assert_int_equal(bed_mod(&bed, FLOW_DELETE, "in_port=1"), 0);
    bed_settle(&bed);
    send_to(1, bed_udp_of(1, 2, 0x0a000002, 80));
    expect_nothing(2);
    assert_int_equal(bed_flows_stats().n_megaflows, 1);
}

static void added_rule_takes_over_what_it_matches(void **state)
{
    bed_add(&bed, "cookie=1,in_port=1,ip,nw_dst=10.0.0.0/16,actions=output:2");
    bed_add(&bed, "cookie=1,in_port=3,actions=output:2");
    expect_way(1, 80, 2);
    expect_way(3, 80, 2);
    bed_settle(&bed);
    uint64_t before = bed_flows_stats().revalidated;
    bed_add(&bed, "cookie=2,priority=40000,in_port=1,ip,nw_dst=10.0.0.0/24,actions=output:4");
    bed_settle(&bed);
    assert_int_equal(bed_flows_stats().revalidated - before, 1);
    expect_way(1, 80, 4);
    expect_way(3, 80, 2);
    /* Lower than the one hit: nothing to do. */
    before = bed_flows_stats().revalidated;
    bed_add(&bed, "cookie=3,priority=1,actions=output:5");
    bed_settle(&bed);
    assert_int_equal(bed_flows_stats().revalidated - before, 0);
}

/* Packets go the same way, without a megaflow; a megaflow that gets the operation goes. */
static void slow_operations_have_no_megaflow(void **state)
{
    uint32_t position = 0;

    flows_set_slow_ops(bed.flows, UINT64_C(1) << OP_POP_VLAN | UINT64_C(1) << OP_PUSH_VLAN);
    bed_add(&bed, "cookie=1,in_port=1,actions=push_vlan:0x8100,output:2");
    bed_add(&bed, "cookie=2,in_port=3,actions=output:2");
    for (int i = 0; i < 3; i++)
        expect_way(1, 80, 2);
    expect_way(3, 80, 2);
    expect_count(1, 3);
    assert_int_equal(bed_flows_stats().n_megaflows, 1);
    assert_int_equal(bed_mod(&bed, FLOW_MODIFY, "in_port=3,actions=push_vlan:0x8100,output:4"), 0);
    bed_settle(&bed);
    assert_int_equal(bed_flows_stats().n_megaflows, 0);
    expect_way(3, 80, 4);
    assert_int_equal(bed_flows_stats().n_megaflows, 0);
    flows_set_slow_ops(bed.flows, 0);
    assert_false(flows_purge(bed.flows, &position, 100));
    expect_way(3, 80, 4);
    expect_way(1, 80, 2);
    assert_int_equal(bed_flows_stats().n_megaflows, 2);
}

static void modified_rule_swaps_the_program(void **state)
{
    bed_add(&bed, "cookie=1,in_port=1,actions=output:2");
    expect_way(1, 80, 2);
    assert_int_equal(bed_mod(&bed, FLOW_MODIFY, "in_port=1,actions=output:3"), 0);
    bed_settle(&bed);
    expect_way(1, 80, 3);
    assert_int_equal(bed_flows_stats().changed, 1);
    assert_int_equal(bed_flows_stats().deleted_changed, 0);
    expect_count(1, 2);
}

static void replaced_rule_hands_on_what_is_counted_late(void **state)
{
    bed_add(&bed, "cookie=1,in_port=1,actions=output:2");
    for (int i = 0; i < 5; i++)
        expect_way(1, 80, 2);
    bed_add(&bed, "cookie=2,in_port=1,actions=output:3");
    bed_settle(&bed);
    expect_way(1, 80, 3);
    expect_count(2, 6);
}

/* However many rules have taken its place by the time that its megaflows are looked at. */
static void counts_go_past_rules_that_were_replaced_too(void **state)
{
    bed_add(&bed, "cookie=1,in_port=1,actions=output:2");
    for (int i = 0; i < 5; i++)
        expect_way(1, 80, 2);
    for (int cookie = 2; cookie < 50; cookie++)
        bed_add(&bed, "cookie=%d,in_port=1,actions=output:3", cookie);
    expect_count(49, 5); /* nothing was translated again yet */
    bed_settle(&bed);
    expect_way(1, 80, 3);
    expect_count(49, 6);
}

struct gone {
    unsigned n;
    uint64_t cookie, packets;
    enum rule_removed_reason reason;
};

static void note_gone(void *arg, struct bridge *bridge, struct rule *rule, enum rule_removed_reason reason)
{
    struct gone *gone = arg;

    gone->n++;
    gone->cookie = rule->cookie;
    gone->packets = rule->packets;
    gone->reason = reason;
}

static void rule_is_gone_when_its_count_is_final(void **state)
{
    struct gone gone = {0};

    flows_set_rule_gone(bed.flows, note_gone, &gone);
    bed_add(&bed, "cookie=1,in_port=1,actions=output:2");
    for (int i = 0; i < 5; i++)
        expect_way(1, 80, 2);
    bed_mod(&bed, FLOW_DELETE, "in_port=1");
    for (int i = 0; i < 1000 && gone.n == 0; i++)
        bed_turn(&bed);
    assert_int_equal(gone.n, 1);
    assert_int_equal(gone.cookie, 1);
    assert_int_equal(gone.packets, 5);
    assert_int_equal(gone.reason, RULE_DELETED);
    bed_add(&bed, "cookie=2,in_port=4,actions=output:2");
    bed_mod(&bed, FLOW_DELETE, "in_port=4");
    assert_int_equal(gone.n, 2);
    assert_int_equal(gone.cookie, 2);
}

/* The last of a row of rules, each of which took the place of the one before, is not done with until what the first
 * one's megaflows counted is its. */
static void rule_is_gone_when_it_has_the_counts_of_those_before(void **state)
{
    struct gone gone = {0};

    flows_set_rule_gone(bed.flows, note_gone, &gone);
    bed_add(&bed, "cookie=1,in_port=1,actions=output:2");
    for (int i = 0; i < 5; i++)
        expect_way(1, 80, 2);
    bed_add(&bed, "cookie=2,in_port=1,actions=output:3");
    bed_add(&bed, "cookie=3,in_port=1,actions=output:3");
    bed_mod(&bed, FLOW_DELETE, "in_port=1");
    assert_int_equal(gone.n, 0);
    for (int i = 0; i < 1000 && gone.n == 0; i++)
        bed_turn(&bed);
    assert_int_equal(gone.n, 1);
    assert_int_equal(gone.cookie, 3);
    assert_int_equal(gone.packets, 5);
}

/* By a rule in its place (1), by the same with other actions (2): what was counted before is nobody's. */
static void what_counts_anew_has_nothing_of_before(void **state)
{
    for (int how = 1; how <= 2; how++) {
        bed_add(&bed, "cookie=%d,in_port=1,actions=output:2", how);
        bed_settle(&bed); /* the second time a megaflow is there, which drops */
        for (int i = 0; i < 5; i++)
            expect_way(1, 80, 2);
        bed_mod(&bed, how == 1 ? FLOW_ADD : FLOW_MODIFY, "reset_counts,cookie=7,in_port=1,actions=output:3");
        bed_settle(&bed);
        bed_count(&bed);
        assert_int_equal(find_rule(how == 1 ? 7 : how)->packets, 0);
        expect_way(1, 80, 3);
        expect_count(how == 1 ? 7 : how, 1);
        bed_mod(&bed, FLOW_DELETE, "in_port=1");
        bed_settle(&bed);
    }
}

/* A rule that many megaflows rest on is replaced, modified and deleted without a look at each of them. */
static void counts_of_many_megaflows_take_no_time(void **state)
{
    const char *actions = "move:NXM_OF_UDP_DST[]->NXM_NX_REG0[0..15],output:2";
    enum { N = 12000, TIMES = 80 };
    uint64_t start;

    bed_add(&bed, "cookie=1,udp,actions=%s", actions);
    expect_ways(1, 2, 1, N, 2);
    bed_settle(&bed);
    assert_int_equal(bed_flows_stats().n_megaflows, N);
    start = own_us();
    for (int i = 0; i < TIMES; i++) {
        bed_mod(&bed, FLOW_ADD, "cookie=2,udp,actions=output:2");
        bed_mod(&bed, FLOW_MODIFY, "reset_counts,udp,actions=output:3");
    }
    bed_mod(&bed, FLOW_DELETE, "udp");
    assert_in_range(own_us() - start, 0, 10000 * OWN_TIME_FACTOR);
    bed_settle(&bed);
}

static void moved_address_is_followed(void **state)
{
    bed_add(&bed, "actions=NORMAL");
    expect_way(1, 80, 2);
    expect_out(3);
    send_to(2, bed_udp_of(2, 1, 0x0a000002, 80));
    expect_out(1);
    expect_way(1, 80, 2);
    expect_nothing(3);
    /* Host 2 moves to port 3, and back: both its first packets must be seen. */
    send_to(3, bed_udp_of(2, 1, 0x0a000002, 80));
    expect_out(1);
    bed_settle(&bed);
    expect_way(1, 80, 3);
    send_to(2, bed_udp_of(2, 1, 0x0a000002, 80));
    expect_out(1);
    bed_settle(&bed);
    expect_way(1, 80, 2);
}

/* What else than a pass over the counters counts a packet keeps the address it came from, too. */
static void a_revalidation_keeps_addresses(void **state)
{
    const struct mac_entry *host;
    size_t position = 0;
    uint64_t before;

    bed_add(&bed, "actions=NORMAL");
    send_to(2, bed_udp_of(2, 1, 0x0a000002, 80));
    expect_out(1);
    bed_settle(&bed);
    bed_count(&bed);
    usleep(5000);
    host = mac_table_next(bed.bridge->macs, &position);
    before = host->seen_ms;
    send_to(2, bed_udp_of(2, 1, 0x0a000002, 80));
    expect_out(1);
    bridge_port_set_config(bridge_port_by_ofport(bed.bridge, 3), PORT_CONFIG_NO_FLOOD, PORT_CONFIG_NO_FLOOD);
    bed_settle(&bed);
    assert_true(host->seen_ms > before);
}

static void port_changes(void **state)
{
    bed_add(&bed, "in_port=1,actions=flood");
    send_to(1, bed_udp_of(1, 2, 0x0a000002, 80));
    for (uint32_t i = 2; i <= 5; i++)
        expect_out(i);
    bridge_port_set_config(bridge_port_by_ofport(bed.bridge, 3), PORT_CONFIG_NO_FLOOD, PORT_CONFIG_NO_FLOOD);
    bed_settle(&bed);
    expect_way(1, 80, 2);
    expect_out(4);
    expect_nothing(3);
}

static void idle_megaflows_go(void **state)
{
    bed_destroy(&bed);
    bed_create(&bed, pool, &(struct bed_params){.start = true, .idle_ms = 50});
    bed_add(&bed, "actions=output:2");
    expect_way(1, 80, 2);
    for (int i = 0; i < 300 && bed_flows_stats().n_megaflows > 0; i++) {
        bed_turn(&bed);
        usleep(10000);
    }
    assert_int_equal(bed_flows_stats().n_megaflows, 0);
    assert_int_equal(bed_flows_stats().deleted_idle, 1);
    expect_way(1, 80, 2);
}

static void full_datapath_still_forwards(void **state)
{
    bed_destroy(&bed);
    bed_create(&bed, pool, &(struct bed_params){.start = true, .megaflow_limit = 16});
    bed_add(&bed, "udp,actions=move:NXM_OF_UDP_DST[]->NXM_NX_REG0[0..15],output:2");
    for (uint16_t i = 0; i < 64; i++)
        expect_way(1, i, 2);
    assert_int_equal(bed_flows_stats().n_megaflows, 16);
    assert_int_equal(bed_flows_stats().refused_limit, 48);
}

/* Where no megaflow is idle there is none to make room: looking again for each packet would take longer than to forward
 * it. */
static void nobody_keeps_looking_for_an_idle_megaflow(void **state)
{
    bed_destroy(&bed);
    bed_create(&bed, pool, &(struct bed_params){.start = true, .megaflow_limit = 16});
    bed_add(&bed, "udp,actions=move:NXM_OF_UDP_DST[]->NXM_NX_REG0[0..15],output:2");
    for (uint16_t i = 0; i < 1016; i++)
        expect_way(1, i, 2);
    /* On a slow machine some are idle meanwhile. */
    assert_true(bed_flows_stats().refused_limit > 500);
    /* At first, and after each that went, some looks at 64 follow each other closely; then it is one candidate a miss.
     */
    assert_in_range(bed_flows_stats().evict_looked, 64,
                    bed_flows_stats().refused_limit + 64 * 8 * (1 + bed_flows_stats().evicted));

    /* They are idle a second later, and go one by one. */
    usleep(1100000);
    for (uint16_t i = 0; i < 64; i++)
        expect_way(1, 2000 + i, 2);
    assert_true(bed_flows_stats().evicted + bed_flows_stats().deleted_idle > 0);
}

/* However many megaflows a bridge has, forgetting it takes no long turn. */
static void a_bridge_is_forgotten_a_few_megaflows_at_a_time(void **state)
{
    enum { MANY = 500, STEP = 50 };
    unsigned steps = 1;

    bed_add(&bed, "udp,actions=move:NXM_OF_UDP_DST[]->NXM_NX_REG0[0..15],output:2");
    expect_ways(1, 2, 0, MANY, 2);
    assert_int_equal(bed_flows_stats().n_megaflows, MANY);
    for (; bed_flows_stats().n_megaflows > 0; steps++) {
        uint32_t before = bed_flows_stats().n_megaflows;

        bool done = flows_forget_bridge(bed.flows, bed.bridge, STEP);
        assert_in_range(bed_flows_stats().n_megaflows, before < STEP ? 0 : before - STEP, before);
        assert_true(!done || bed_flows_stats().n_megaflows == 0);
    }
    assert_in_range(steps, MANY / STEP, MANY);
    /* The last of them counts until no thread sees it any more. */
    while (!flows_forget_bridge(bed.flows, bed.bridge, STEP))
        ;
    assert_true(flows_forget_bridge(bed.flows, bed.bridge, STEP));
}

static void masks_stay_few(void **state)
{
    bed_destroy(&bed);
    bed_create(&bed, pool, &(struct bed_params){.start = true, .mask_limit = 8});
    for (int i = 1; i <= 30; i++) {
        /* A table for each prefix length, so that every length is a mask of its own. */
        bed_add(&bed, "table=0,priority=100,udp,tp_dst=%d,actions=goto_table:%d", i, i);
        bed_add(&bed, "table=%d,ip,nw_dst=10.1.2.3/%d,actions=output:%d", i, i, 2 + i % 4);
    }
    for (int round = 0; round < 2; round++) {
        for (int i = 1; i <= 30; i++) {
            send_to(1, bed_udp_of(1, 2, 0x0a010203, (uint16_t)i));
            expect_out(2 + i % 4);
        }
    }
    assert_true(bed_flows_stats().n_masks <= 8);
    assert_true(datapath_n_masks(bed.dp) <= 8);
    assert_true(bed_flows_stats().masks_merged > 0);
}

struct got {
    unsigned n;
    struct packet_in last;
};

static void note_packet_in(void *arg, struct packet_in *packet_in)
{
    struct got *got = arg;

    got->n++;
    got->last = *packet_in;
    rte_pktmbuf_free(packet_in->packet);
}

static void controllers_get_packets(void **state)
{
    struct got got = {0};

    flows_set_packet_in(bed.flows, note_packet_in, &got);
    bed_add(&bed, "cookie=5,in_port=1,actions=load:7->NXM_NX_REG1[],controller:77,output:2");
    for (int i = 0; i < 3; i++)
        expect_way(1, 80, 2);
    for (int i = 0; i < 1000 && got.n < 3; i++) {
        bed_turn(&bed);
        usleep(100);
    }
    assert_int_equal(got.n, 3);
    assert_int_equal(got.last.cookie, 5);
    assert_int_equal(got.last.reason, 1);
    assert_int_equal(got.last.max_len, 77);
    assert_int_equal(got.last.full_len, 60);
    assert_int_equal(got.last.flow.in_port, 1);
    assert_int_equal(got.last.flow.reg[1], rte_cpu_to_be_32(7));
}

static void packets_from_controllers_go_out(void **state)
{
    struct act_buffer acts;
    struct act_list list;

    act_buffer_init(&acts);
    assert_null(actions_parse("set_field:02:00:00:00:00:0a->eth_dst,output:3", &acts, NULL, NULL));
    list = act_buffer_list(&acts);
    flows_packet_out(bed.flows, bed.bridge, bed_udp_of(1, 2, 0x0a000002, 80), &from_controller, &list);
    struct rte_mbuf *m = receive(3, 2000);
    assert_non_null(m);
    assert_int_equal(rte_pktmbuf_mtod(m, uint8_t *)[5], 0x0a);
    rte_pktmbuf_free(m);
    act_buffer_free(&acts);
}

/* OpenFlow 1.3.5, 6.2: what was sent before the barrier is done when it is answered. */
static void a_barrier_waits_for_packets_from_controllers(void **state)
{
    struct act_buffer acts;
    struct act_list list;

    act_buffer_init(&acts);
    assert_null(actions_parse("output:3", &acts, NULL, NULL));
    list = act_buffer_list(&acts);
    for (unsigned i = 0; i < 200; i++) {
        flows_packet_out(bed.flows, bed.bridge, bed_udp_of(1, 2, 0x0a000002, 80), &from_controller, &list);
        uint64_t ticket = flows_ticket(bed.flows);
        while (!flows_settled(bed.flows, ticket))
            usleep(10);
        struct rte_mbuf *m = receive(3, 0);
        assert_non_null(m);
        rte_pktmbuf_free(m);
    }
    act_buffer_free(&acts);
}

static struct rte_mbuf *mpls_udp(void)
{
    struct rte_mbuf *m = bed_udp_of(1, 2, 0x0a000002, 80);
    uint8_t *p;

    assert_non_null(rte_pktmbuf_prepend(m, 4));
    p = rte_pktmbuf_mtod(m, uint8_t *);
    memmove(p, p + 4, 12);
    memcpy(p + 12, (uint8_t[]){0x88, 0x47, 0, 0x01, 0x01, 0x40}, 6);
    return m;
}

static void recirculated_packets_go_on(void **state)
{
    struct act_buffer acts;
    struct act_list list;
    struct rte_mbuf *m;

    bed_add(&bed, "table=0,in_port=1,mpls,actions=pop_mpls:0x0800,resubmit(,1),output:4");
    bed_add(&bed, "table=1,ip,nw_dst=10.0.0.2,actions=dec_ttl,output:3");
    send_to(1, mpls_udp());
    m = receive(3, 2000);
    assert_non_null(m);
    assert_int_equal(rte_pktmbuf_pkt_len(m), 60);
    assert_int_equal(rte_pktmbuf_mtod(m, uint8_t *)[22], 63);
    rte_pktmbuf_free(m);
    expect_out(4);

    /* One that a controller sends came in on no port. */
    act_buffer_init(&acts);
    assert_null(actions_parse("pop_mpls:0x0800,dec_ttl,output:5", &acts, NULL, NULL));
    list = act_buffer_list(&acts);
    flows_packet_out(bed.flows, bed.bridge, mpls_udp(), &from_controller, &list);
    expect_out(5);
    act_buffer_free(&acts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, bed_setup, bed_teardown)
        TEST(first_packet_and_the_rest_go_the_same_way),
        TEST(rules_count_once_for_each_packet),
        TEST(removed_rule),
        TEST(added_rule_takes_over_what_it_matches),
        TEST(slow_operations_have_no_megaflow),
        TEST(modified_rule_swaps_the_program),
        TEST(replaced_rule_hands_on_what_is_counted_late),
        TEST(counts_go_past_rules_that_were_replaced_too),
        TEST(rule_is_gone_when_its_count_is_final),
        TEST(rule_is_gone_when_it_has_the_counts_of_those_before),
        TEST(what_counts_anew_has_nothing_of_before),
        TEST(counts_of_many_megaflows_take_no_time),
        TEST(moved_address_is_followed),
        TEST(a_revalidation_keeps_addresses),
        TEST(port_changes),
        TEST(idle_megaflows_go),
        TEST(full_datapath_still_forwards),
        TEST(nobody_keeps_looking_for_an_idle_megaflow),
        TEST(a_bridge_is_forgotten_a_few_megaflows_at_a_time),
        TEST(masks_stay_few),
        TEST(controllers_get_packets),
        TEST(packets_from_controllers_go_out),
        TEST(a_barrier_waits_for_packets_from_controllers),
        TEST(recirculated_packets_go_on),
    };

    if (test_eal_init("flows_test") != 0)
        return 77;
    pool = test_pool(8191);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
