/* Misses, changes and statistics, with a poll-mode thread that forwards. */

#include "src/tables/group.h"
#include "src/xlate/punt.h"
#include "src/xlate/xlate.h"
#include "tests/lib/bed_traffic.h"
#include "tests/lib/own_time.h"

static const struct flow from_controller = {.in_port = OFPORT_CONTROLLER};

static struct rte_mbuf *udp(uint8_t src, uint8_t dst, uint32_t ip_dst, uint16_t port)
{
    struct rte_mbuf *m = bed_udp();
    uint8_t *p = rte_pktmbuf_mtod(m, uint8_t *);

    p[5] = dst;
    p[11] = p[29] = src;
    for (int i = 0; i < 4; i++)
        p[30 + i] = (uint8_t)(ip_dst >> (24 - 8 * i));
    p[36] = (uint8_t)(port >> 8);
    p[37] = (uint8_t)port;
    return m;
}

/* A packet of the flow that most tests are about leaves by port `to`. */
static void expect_way(uint32_t from, uint16_t tp_dst, uint32_t to)
{
    send_to(from, udp(1, 2, 0x0a000002, tp_dst));
    expect_out(to);
}

/* As above, to another Ethernet address. */
static void expect_way_of(uint32_t from, uint8_t dst, uint16_t tp_dst, uint32_t to)
{
    send_to(from, udp(1, dst, 0x0a000002, tp_dst));
    expect_out(to);
}

/* Packets to `n` ports from `first` on leave by port `to`. */
static void expect_ways(uint32_t from, uint8_t dst, unsigned first, unsigned n, uint32_t to)
{
    for (unsigned sent = 0, some; sent < n; sent += some) {
        some = RTE_MIN(n - sent, 32u);
        for (unsigned i = 0; i < some; i++)
            send_to(from, udp(1, dst, 0x0a000002, (uint16_t)(first + sent + i)));
        for (unsigned i = 0; i < some; i++)
            expect_out(to);
    }
}

/* Packets of a flood that nobody waits for. */
static void free_out(uint32_t port)
{
    struct rte_mbuf *m;

    while ((m = receive(port, 2)))
        rte_pktmbuf_free(m);
}

static struct flows_stats stats(void)
{
    struct flows_stats s;

    flows_get_stats(bed.flows, &s);
    return s;
}

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
        flows_refresh_stats(bed.flows, 0);
    }
    assert_int_equal(rule->packets, packets);
}

static void first_packet_and_the_rest_go_the_same_way(void **state)
{
    bed_add(&bed, "cookie=1,in_port=1,actions=output:2");
    for (int i = 0; i < 8; i++)
        send_to(1, udp(1, 2, 0x0a000002, 80));
    for (int i = 0; i < 8; i++)
        expect_out(2);
    assert_int_equal(stats().installed, 1);
    expect_count(1, 8);
    assert_int_equal(find_rule(1)->bytes, 480);
}

static void rules_count_once_for_each_packet(void **state)
{
    struct table_stats t;

    bed_add(&bed, "cookie=1,table=0,actions=resubmit(,1),resubmit(,1)");
    bed_add(&bed, "cookie=2,table=1,actions=output:2");
    for (int i = 0; i < 10; i++)
        send_to(1, udp(1, 2, 0x0a000002, 80));
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
    send_to(1, udp(1, 2, 0x0a000002, 80));
    expect_nothing(2);
    assert_int_equal(stats().n_megaflows, 1);
}

static void added_rule_takes_over_what_it_matches(void **state)
{
    bed_add(&bed, "cookie=1,in_port=1,ip,nw_dst=10.0.0.0/16,actions=output:2");
    bed_add(&bed, "cookie=1,in_port=3,actions=output:2");
    expect_way(1, 80, 2);
    expect_way(3, 80, 2);
    bed_settle(&bed);
    uint64_t before = stats().revalidated;
    bed_add(&bed, "cookie=2,priority=40000,in_port=1,ip,nw_dst=10.0.0.0/24,actions=output:4");
    bed_settle(&bed);
    assert_int_equal(stats().revalidated - before, 1);
    expect_way(1, 80, 4);
    expect_way(3, 80, 2);
    /* Lower than the one hit: nothing to do. */
    before = stats().revalidated;
    bed_add(&bed, "cookie=3,priority=1,actions=output:5");
    bed_settle(&bed);
    assert_int_equal(stats().revalidated - before, 0);
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
    assert_int_equal(stats().n_megaflows, 1);
    assert_int_equal(bed_mod(&bed, FLOW_MODIFY, "in_port=3,actions=push_vlan:0x8100,output:4"), 0);
    bed_settle(&bed);
    assert_int_equal(stats().n_megaflows, 0);
    expect_way(3, 80, 4);
    assert_int_equal(stats().n_megaflows, 0);
    flows_set_slow_ops(bed.flows, 0);
    assert_false(flows_purge(bed.flows, &position, 100));
    expect_way(3, 80, 4);
    expect_way(1, 80, 2);
    assert_int_equal(stats().n_megaflows, 2);
}

static void modified_rule_swaps_the_program(void **state)
{
    bed_add(&bed, "cookie=1,in_port=1,actions=output:2");
    expect_way(1, 80, 2);
    assert_int_equal(bed_mod(&bed, FLOW_MODIFY, "in_port=1,actions=output:3"), 0);
    bed_settle(&bed);
    expect_way(1, 80, 3);
    assert_int_equal(stats().changed, 1);
    assert_int_equal(stats().deleted_changed, 0);
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
        for (int i = 0; i < 5; i++)
            expect_way(1, 80, 2);
        bed_mod(&bed, how == 1 ? FLOW_ADD : FLOW_MODIFY, "reset_counts,cookie=7,in_port=1,actions=output:3");
        bed_settle(&bed);
        flows_refresh_stats(bed.flows, 0);
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
    assert_int_equal(stats().n_megaflows, N);
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
    send_to(2, udp(2, 1, 0x0a000002, 80));
    expect_out(1);
    expect_way(1, 80, 2);
    expect_nothing(3);
    /* Host 2 moves to port 3, and back: both its first packets must be seen. */
    send_to(3, udp(2, 1, 0x0a000002, 80));
    expect_out(1);
    bed_settle(&bed);
    expect_way(1, 80, 3);
    send_to(2, udp(2, 1, 0x0a000002, 80));
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
    send_to(2, udp(2, 1, 0x0a000002, 80));
    expect_out(1);
    bed_settle(&bed);
    flows_refresh_stats(bed.flows, 0);
    usleep(5000);
    host = mac_table_next(bed.bridge->macs, &position);
    before = host->seen_ms;
    send_to(2, udp(2, 1, 0x0a000002, 80));
    expect_out(1);
    bridge_port_set_config(bridge_port_by_ofport(bed.bridge, 3), PORT_CONFIG_NO_FLOOD, PORT_CONFIG_NO_FLOOD);
    bed_settle(&bed);
    assert_true(host->seen_ms > before);
}

static void port_changes(void **state)
{
    bed_add(&bed, "in_port=1,actions=flood");
    send_to(1, udp(1, 2, 0x0a000002, 80));
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
    for (int i = 0; i < 300 && stats().n_megaflows > 0; i++) {
        bed_turn(&bed);
        usleep(10000);
    }
    assert_int_equal(stats().n_megaflows, 0);
    assert_int_equal(stats().deleted_idle, 1);
    expect_way(1, 80, 2);
}

static void full_datapath_still_forwards(void **state)
{
    bed_destroy(&bed);
    bed_create(&bed, pool, &(struct bed_params){.start = true, .megaflow_limit = 16});
    bed_add(&bed, "udp,actions=move:NXM_OF_UDP_DST[]->NXM_NX_REG0[0..15],output:2");
    for (uint16_t i = 0; i < 64; i++)
        expect_way(1, i, 2);
    assert_int_equal(stats().n_megaflows, 16);
    assert_int_equal(stats().refused_limit, 48);
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
    assert_true(stats().refused_limit > 500);
    /* At first, and after each that went, some looks at 64 follow each other closely; then it is one candidate a miss.
     */
    assert_in_range(stats().evict_looked, 64, stats().refused_limit + 64 * 8 * (1 + stats().evicted));

    /* They are idle a second later, and go one by one. */
    usleep(1100000);
    for (uint16_t i = 0; i < 64; i++)
        expect_way(1, 2000 + i, 2);
    assert_true(stats().evicted + stats().deleted_idle > 0);
}

/* However many megaflows a bridge has, forgetting it takes no long turn. */
static void a_bridge_is_forgotten_a_few_megaflows_at_a_time(void **state)
{
    enum { MANY = 500, STEP = 50 };
    unsigned steps = 1;

    bed_add(&bed, "udp,actions=move:NXM_OF_UDP_DST[]->NXM_NX_REG0[0..15],output:2");
    expect_ways(1, 2, 0, MANY, 2);
    assert_int_equal(stats().n_megaflows, MANY);
    for (; stats().n_megaflows > 0; steps++) {
        uint32_t before = stats().n_megaflows;

        bool done = flows_forget_bridge(bed.flows, bed.bridge, STEP);
        assert_in_range(stats().n_megaflows, before < STEP ? 0 : before - STEP, before);
        assert_true(!done || stats().n_megaflows == 0);
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
            send_to(1, udp(1, 2, 0x0a010203, (uint16_t)i));
            expect_out(2 + i % 4);
        }
    }
    assert_true(stats().n_masks <= 8);
    assert_true(datapath_n_masks(bed.dp) <= 8);
    assert_true(stats().masks_merged > 0);
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
    flows_packet_out(bed.flows, bed.bridge, udp(1, 2, 0x0a000002, 80), &from_controller, &list);
    struct rte_mbuf *m = receive(3, 2000);
    assert_non_null(m);
    assert_int_equal(rte_pktmbuf_mtod(m, uint8_t *)[5], 0x0a);
    rte_pktmbuf_free(m);
    act_buffer_free(&acts);
}

/* A megaflow for each of 500 destination ports. */
static void make_megaflows(void)
{
    bed_add(&bed, "table=0,priority=1,udp,actions=move:NXM_OF_UDP_DST[]->NXM_NX_REG0[0..15],output:2");
    for (uint16_t i = 0; i < 500; i++)
        expect_way(1, i, 2);
}

static void many_adds_are_one_sweep(void **state)
{
    make_megaflows();
    bed_settle(&bed);
    uint64_t before = stats().revalidated;
    for (int i = 0; i < 2000; i++)
        bed_add(&bed, "table=0,priority=2,udp,tp_dst=%d,actions=output:3", 490 + i);
    bed_settle(&bed);
    /* Ten of the megaflows meet a new rule; the others are not touched. */
    assert_int_equal(stats().revalidated - before, 10);
    expect_way(1, 489, 2);
    expect_way(1, 491, 3);
}

static uint64_t revalidated_since(uint64_t before)
{
    bed_settle(&bed);
    return stats().revalidated - before;
}

/* Not those of other ports, of the same bridge or the same rules. */
static void a_port_that_changes_has_its_own_megaflows_translated_again(void **state)
{
    struct bridge_port *two = bridge_port_by_ofport(bed.bridge, 2), *three = bridge_port_by_ofport(bed.bridge, 3);

    bed_add(&bed, "in_port=1,udp,actions=move:NXM_OF_UDP_DST[]->NXM_NX_REG0[0..15],output:NXM_NX_REG0[0..3]");
    bed_add(&bed, "in_port=4,actions=bundle(eth_src,0,active_backup,ofport,members:3,5)");
    for (uint16_t i = 0; i < 20; i++) {
        expect_way(1, (uint16_t)(i << 4 | 2), 2);
        expect_way(1, (uint16_t)(i << 4 | 3), 3);
    }
    expect_way(4, 80, 3);
    bed_settle(&bed);
    uint64_t before = stats().revalidated;
    /* A link matters to who asks whether it is up. */
    bridge_note_port(two, BRIDGE_PORT_LINK);
    assert_int_equal(revalidated_since(before), 0);
    bridge_note_port(three, BRIDGE_PORT_LINK);
    assert_int_equal(revalidated_since(before), 1);
    before = stats().revalidated;
    bridge_port_set_config(two, PORT_CONFIG_NO_FWD, PORT_CONFIG_NO_FWD);
    assert_int_equal(revalidated_since(before), 20);
    send_to(1, udp(1, 2, 0x0a000002, 2));
    expect_nothing(2);
    expect_way(1, 3, 3);
    bridge_port_set_config(two, 0, PORT_CONFIG_NO_FWD);
    bed_settle(&bed);
    expect_way(1, 2, 2);
    /* What comes in by a port is its own, too. */
    before = stats().revalidated;
    bridge_port_set_config(bridge_port_by_ofport(bed.bridge, 4), PORT_CONFIG_NO_RECV, PORT_CONFIG_NO_RECV);
    assert_int_equal(revalidated_since(before), 1);
    send_to(4, udp(1, 2, 0x0a000002, 80));
    expect_nothing(3);
}

/* --- what many depend on -------------------------------------------------
 *
 * A change marks a few thousand paths or megaflows at once; beyond that it is left to a sweep, which goes in slices.
 */

#define MANY 4200

/* However slow the machine is, megaflows that are not used stay. */
static int patient_setup(void **state)
{
    bed_create(&bed, pool, &(struct bed_params){.start = true, .idle_ms = 600000});
    return 0;
}

/* The change before left it to a sweep. */
static void expect_sweep(void)
{
    assert_true(stats().pending_changes > 0);
}

static void a_port_and_an_address_that_many_rest_on(void **state)
{
    struct bridge_port *two = bridge_port_by_ofport(bed.bridge, 2);

    for (uint16_t i = 0; i < MANY; i++)
        bed_add(&bed, "in_port=1,udp,tp_dst=%u,actions=output:2", i);
    expect_ways(1, 2, 0, MANY, 2);
    bed_settle(&bed);
    uint64_t before = stats().revalidated;
    bridge_port_set_config(two, PORT_CONFIG_NO_FWD, PORT_CONFIG_NO_FWD);
    expect_sweep();
    assert_int_equal(revalidated_since(before), MANY);
    send_to(1, udp(1, 2, 0x0a000002, MANY - 1));
    expect_nothing(2);
    bridge_port_set_config(two, 0, PORT_CONFIG_NO_FWD);
    bed_settle(&bed);

    bed_add(&bed, "in_port=3,udp,actions=move:NXM_OF_UDP_DST[]->NXM_NX_REG0[0..15],NORMAL");
    bed_add(&bed, "in_port=4,actions=NORMAL");
    bed_add(&bed, "in_port=5,actions=NORMAL");
    send_to(4, udp(9, 0xff, 0x0a000002, 1));
    expect_out(1);
    for (uint32_t port = 2; port <= 5; port++)
        free_out(port);
    expect_ways(3, 9, 0, MANY, 4);
    bed_settle(&bed);
    before = stats().revalidated;
    /* 02:..:09 moves. */
    send_to(5, udp(9, 0xff, 0x0a000002, 1));
    expect_out(4);
    assert_true(revalidated_since(before) >= MANY);
    for (uint32_t port = 1; port <= 5; port++)
        free_out(port);
    expect_way_of(3, 9, MANY - 1, 5);
}

static void add_group(enum group_command command, uint32_t id, uint8_t type, const char *const *outputs,
                      const struct bucket *watch)
{
    struct bucket buckets[2];
    struct act_buffer acts[2];
    struct group_mod mod = {.command = command, .group_id = id, .type = type, .buckets = buckets};

    for (; outputs[mod.n_buckets]; mod.n_buckets++) {
        unsigned i = mod.n_buckets;

        act_buffer_init(&acts[i]);
        assert_null(actions_parse(outputs[i], &acts[i], NULL, NULL));
        buckets[i] = watch ? watch[i] : (struct bucket){.watch_port = OFPORT_ANY, .watch_group = OFGROUP_ANY};
        buckets[i].id = i;
        buckets[i].acts = act_buffer_list(&acts[i]);
    }
    assert_int_equal(group_table_mod(pipeline_groups(bed.bridge->pipeline), &mod), 0);
    for (unsigned i = 0; i < mod.n_buckets; i++)
        act_buffer_free(&acts[i]);
}

#define OUTPUTS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void a_rule_and_a_group_that_many_rest_on(void **state)
{
    add_group(GROUP_ADD, 1, GROUP_INDIRECT, OUTPUTS("output:2"), NULL);
    bed_add(&bed, "table=0,in_port=1,actions=resubmit(,1)");
    for (uint16_t i = 0; i < MANY; i++)
        bed_add(&bed, "table=1,udp,tp_dst=%u,actions=group:1", i);
    expect_ways(1, 2, 0, MANY, 2);
    bed_settle(&bed);
    uint64_t before = stats().revalidated;
    add_group(GROUP_MODIFY, 1, GROUP_INDIRECT, OUTPUTS("output:3"), NULL);
    expect_sweep();
    assert_int_equal(revalidated_since(before), MANY);
    expect_way(1, 0, 3);
    expect_way(1, MANY - 1, 3);
    bed_settle(&bed);
    before = stats().revalidated;
    assert_int_equal(bed_mod(&bed, FLOW_MODIFY, "table=0,in_port=1,actions=output:5,resubmit(,1)"), 0);
    expect_sweep();
    assert_int_equal(revalidated_since(before), MANY);
    expect_way(1, 0, 5);
    expect_out(3);
    bed_settle(&bed);
    before = stats().revalidated;
    bed_add(&bed, "table=0,in_port=1,actions=output:4,resubmit(,1)");
    expect_sweep();
    assert_int_equal(revalidated_since(before), MANY);
    expect_way(1, MANY - 1, 4);
    expect_out(3);
    bed_settle(&bed);
    assert_int_equal(bed_mod(&bed, FLOW_DELETE, "table=0,actions=drop"), 0);
    expect_sweep();
    bed_settle(&bed);
    send_to(1, udp(1, 2, 0x0a000002, MANY - 1));
    expect_nothing(4);
}

/* Those that were translated by the first change are behind the others by the second. */
static void one_path_is_marked_again_while_it_is_worked_off(void **state)
{
    bed_add(&bed, "udp,actions=move:NXM_OF_UDP_DST[]->NXM_NX_REG0[0..15],output:2");
    expect_ways(1, 2, 0, 2 * MANY, 2);
    bed_settle(&bed);
    uint64_t before = stats().revalidated;
    assert_int_equal(
        bed_mod(&bed, FLOW_MODIFY,
                "udp,actions=move:NXM_OF_UDP_DST[]->NXM_NX_REG0[0..15],mod_dl_src:02:00:00:00:00:99,output:2"),
        0);
    while (stats().revalidated - before < MANY + 100)
        flows_run_revalidate(bed.flows, 10);
    assert_in_range(stats().revalidated - before, MANY, 2 * MANY - 1);
    assert_int_equal(bed_mod(&bed, FLOW_MODIFY, "udp,actions=move:NXM_OF_UDP_DST[]->NXM_NX_REG0[0..15],output:4"), 0);
    expect_sweep();
    bed_settle(&bed);
    for (uint16_t i = 0; i < 2 * MANY; i += 100)
        expect_way(1, i, 4);
}

/* A group hears of the ports that it watches by the megaflows that went through it. So neither a port's link nor a new
 * group leads to a look at all groups. */
static void groups_that_watch_cost_a_change_nothing(void **state)
{
    enum { GROUPS = 10000 };
    const struct bucket watch[] = {{.watch_port = 2, .watch_group = OFGROUP_ANY},
                                   {.watch_port = OFPORT_ANY, .watch_group = 1}};
    uint64_t start = own_us(), half = 0, all, link;

    add_group(GROUP_ADD, 1, GROUP_FF, OUTPUTS("output:3"),
              &(struct bucket){.watch_port = 3, .watch_group = OFGROUP_ANY});
    for (uint32_t id = 2; id <= GROUPS; id++) {
        add_group(GROUP_ADD, id, GROUP_FF, OUTPUTS("output:2", "group:1"), watch);
        half = id == GROUPS / 2 ? own_us() - start : half;
    }
    all = own_us() - start;
    bed_add(&bed, "in_port=1,actions=group:77");
    expect_way(1, 80, 2);
    bed_settle(&bed);
    start = own_us();
    bridge_port_set_config(bridge_port_by_ofport(bed.bridge, 2), PORT_CONFIG_DOWN, PORT_CONFIG_DOWN);
    link = own_us() - start;
    print_message("%u groups made in %lu us, the first half in %lu; a link: %lu us\n", GROUPS, all, half, link);
    assert_true(all < 300000 * OWN_TIME_FACTOR);
    assert_true(link < 200 * OWN_TIME_FACTOR);
    bed_settle(&bed);
    expect_way(1, 80, 3);
    /* What the second bucket watches goes, and comes back. */
    add_group(GROUP_MODIFY, 1, GROUP_FF, OUTPUTS("output:4"),
              &(struct bucket){.watch_port = OFPORT_USER_MAX, .watch_group = OFGROUP_ANY});
    bed_settle(&bed);
    send_to(1, udp(1, 2, 0x0a000002, 80));
    expect_nothing(3);
    add_group(GROUP_MODIFY, 1, GROUP_FF, OUTPUTS("output:4"),
              &(struct bucket){.watch_port = 4, .watch_group = OFGROUP_ANY});
    bed_settle(&bed);
    expect_way(1, 80, 4);
}

/* Turns that free what is out of use. A virtual machine may be taken off its core in the middle of any of them, and the
 * time of that counts as the thread's own: so one or two long turns say nothing, but few turns for all of it do. */
struct slices {
    unsigned n, n_long;
    uint64_t longest_us;
};

static void slice_add(struct slices *slices, uint64_t us)
{
    slices->n++;
    slices->n_long += us >= 2000 * OWN_TIME_FACTOR;
    slices->longest_us = RTE_MAX(slices->longest_us, us);
}

static void expect_slices(const struct slices *slices)
{
    print_message("%u slices, the longest %lu us\n", slices->n, slices->longest_us);
    assert_true(slices->n >= 30);
    assert_in_range(slices->n_long, 0, 2);
}

/* 65536 numbers of punts are out of use: they go a few at a time. */
static void punts_out_of_use_go_in_slices(void **state)
{
    struct slices slices = {0}, of_bridge = {0};
    struct punt punt;

    memset(&punt, 0, sizeof punt);
    punt.bridge = bed.bridge;
    for (punt.cookie = 1; punt_count() < 65000; punt.cookie++)
        assert_true(punt_intern(&punt, NULL) != UINT32_MAX);
    while (punt_count() > 0) {
        const uint32_t before = punt_count();
        uint64_t start = own_us();

        flows_run_count(bed.flows, 100);
        uint64_t us = own_us() - start;
        if (punt_count() < before)
            slice_add(&slices, us);
        else
            usleep(1000);
    }
    expect_slices(&slices);

    /* So do those of a bridge that goes, of which nothing is known from the first step on. */
    for (punt.cookie = 1; punt_count() < 65000; punt.cookie++)
        assert_true(punt_intern(&punt, NULL) != UINT32_MAX);
    uint32_t last = punt_intern(&punt, NULL);
    assert_non_null(punt_get(last));
    for (bool first = true, done = false; !done; first = false) {
        uint64_t start = own_us();

        done = flows_forget_bridge(bed.flows, bed.bridge, 128);
        slice_add(&of_bridge, own_us() - start);
        assert_null(punt_get(last));
        assert_true(!first || punt_count() > 60000);
    }
    assert_int_equal(punt_count(), 0);
    expect_slices(&of_bridge);
}

/* 500 megaflows, and rules of one mask so often that there is an index for it. */
static void make_index(void)
{
    make_megaflows();
    for (int i = 0; i < 3; i++) {
        bed_add(&bed, "table=0,priority=2,in_port=1,udp,tp_dst=%d,actions=output:3", 2000 + i);
        bed_settle(&bed);
    }
    assert_int_equal(stats().n_rule_indexes, 1);
}

static void an_index_tells_what_a_rule_meets(void **state)
{
    make_index();
    uint64_t revalidated = stats().revalidated, indexed = stats().rules_indexed;
    for (int i = 0; i < 100; i++) {
        bed_add(&bed, "table=0,priority=2,in_port=1,udp,tp_dst=%d,actions=output:3", 490 + i);
        bed_settle(&bed);
    }
    assert_int_equal(stats().rules_indexed - indexed, 100);
    assert_int_equal(stats().revalidated - revalidated, 10);
    expect_way(1, 489, 2);
    expect_way(1, 491, 3);
    /* Megaflows that came and went since: port 491's is gone, 700's is new. */
    expect_way(1, 700, 2);
    bed_add(&bed, "table=0,priority=3,in_port=1,udp,tp_dst=700,actions=output:4");
    bed_add(&bed, "table=0,priority=3,in_port=1,udp,tp_dst=491,actions=output:4");
    /* Of lower priority than what was hit, on another port, in another table: met, and still not affected. */
    revalidated = stats().revalidated;
    bed_settle(&bed);
    assert_int_equal(stats().revalidated - revalidated, 2);
    bed_add(&bed, "table=0,priority=0,in_port=1,udp,tp_dst=5,actions=output:5");
    bed_add(&bed, "table=0,priority=3,in_port=2,udp,tp_dst=5,actions=output:5");
    bed_add(&bed, "table=1,priority=3,in_port=1,udp,tp_dst=5,actions=output:5");
    bed_settle(&bed);
    assert_int_equal(stats().revalidated - revalidated, 2);
    expect_way(1, 700, 4);
    expect_way(1, 491, 4);
    expect_way(1, 5, 2);
}

static void an_index_knows_what_it_cannot_tell(void **state)
{
    make_index();
    /* The key of this megaflow says port 9; table 1 sees port 600. */
    bed_add(&bed, "table=0,priority=9,in_port=1,udp,tp_dst=9,actions=set_field:600->udp_dst,resubmit(,1)");
    bed_add(&bed, "table=1,priority=1,actions=output:4");
    bed_settle(&bed);
    expect_way(1, 9, 4);
    bed_add(&bed, "table=1,priority=2,in_port=1,udp,tp_dst=600,actions=output:5");
    bed_settle(&bed);
    expect_way(1, 9, 5);
}

/* So many that they are not looked at one by one. */
static void an_index_tells_of_tables_that_no_changed_packet_came_to(void **state)
{
    make_index();
    for (int i = 0; i < 80; i++)
        bed_add(&bed, "table=0,priority=9,in_port=1,udp,tp_dst=%d,actions=set_field:600->udp_dst,resubmit(,1)",
                700 + i);
    bed_add(&bed, "table=1,priority=1,actions=output:4");
    expect_ways(1, 2, 700, 80, 4);
    bed_settle(&bed);
    uint64_t indexed = stats().rules_indexed;
    bed_add(&bed, "table=0,priority=2,in_port=1,udp,tp_dst=7,actions=output:3");
    assert_int_equal(stats().rules_indexed, indexed + 1);
    bed_settle(&bed);
    expect_way(1, 7, 3);
    bed_add(&bed, "table=1,priority=2,in_port=1,udp,tp_dst=600,actions=output:5");
    assert_int_equal(stats().rules_indexed, indexed + 1);
    bed_settle(&bed);
    expect_way(1, 700, 5);
    expect_way(1, 779, 5);
}

static void a_barrier_waits_for_what_changed_only(void **state)
{
    make_index();
    /* What misses left under way. */
    datapath_synchronize(bed.dp);
    datapath_token(bed.dp);
    datapath_synchronize(bed.dp);
    bed_add(&bed, "table=0,priority=2,in_port=1,udp,tp_dst=3000,actions=output:3");
    assert_true(flows_settled(bed.flows, flows_ticket(bed.flows)));
    bed_add(&bed, "table=0,priority=2,in_port=1,udp,tp_dst=7,actions=output:3");
    uint64_t ticket = flows_ticket(bed.flows);
    assert_false(flows_settled(bed.flows, ticket));
    /* A barrier behind it waits for it, though it has no change of its own. */
    bed_add(&bed, "table=0,priority=2,in_port=1,udp,tp_dst=3001,actions=output:3");
    assert_true(flows_ticket(bed.flows) > ticket);
    assert_false(flows_settled(bed.flows, flows_ticket(bed.flows)));
    bed_settle(&bed);
    expect_way(1, 7, 3);
}

static struct rte_mbuf *mpls_udp(void)
{
    struct rte_mbuf *m = udp(1, 2, 0x0a000002, 80);
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
#define PATIENT(name) cmocka_unit_test_setup_teardown(name, patient_setup, bed_teardown)
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
        TEST(many_adds_are_one_sweep),
        TEST(a_port_that_changes_has_its_own_megaflows_translated_again),
        PATIENT(a_port_and_an_address_that_many_rest_on),
        PATIENT(a_rule_and_a_group_that_many_rest_on),
        PATIENT(one_path_is_marked_again_while_it_is_worked_off),
        PATIENT(groups_that_watch_cost_a_change_nothing),
        TEST(punts_out_of_use_go_in_slices),
        TEST(an_index_tells_what_a_rule_meets),
        TEST(an_index_knows_what_it_cannot_tell),
        TEST(an_index_tells_of_tables_that_no_changed_packet_came_to),
        TEST(a_barrier_waits_for_what_changed_only),
        TEST(recirculated_packets_go_on),
    };

    if (test_eal_init("flows_test") != 0)
        return 77;
    pool = test_pool(8191);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
