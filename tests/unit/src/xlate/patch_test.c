/* Patch ports: what goes through them, both ways, and what changes when one of a pair does. Bridge br0 has ports 1 to 5
 * and patch port 10, br1 has patch port 20 and one of the fake ports: 5. */
#include "src/xlate/punt.h"
#include "tests/lib/bed_xlate.h"

static struct bridge *other;

static struct bridge_port *add_patch(struct bridge *bridge, const char *name, uint32_t ofport, const char *peer)
{
    const char *error = NULL;
    struct bridge_port *bp = bridge_port_add(
        bridge, &(struct bridge_port_params){.kind = BRIDGE_PORT_PATCH, .name = name, .ofport = ofport, .peer = peer},
        &error);

    if (!bp)
        fail_msg("%s: %s", name, error);
    return bp;
}

static void add_device(struct bridge *bridge, const char *name, uint32_t ofport)
{
    const char *error;
    struct fake_port *fake = fake_port_create(1024);

    fake->port.ops = bed_ops();
    assert_int_equal(datapath_port_add(bed.dp, &fake->port), 0);
    assert_non_null(bridge_port_add(
        bridge, &(struct bridge_port_params){.port = &fake->port, .name = name, .ofport = ofport}, &error));
}

/* A rule of the second bridge. */
static void add_other(const char *text)
{
    struct bed second = {.bridge = other};

    bed_add(&second, "%s", text);
}

static int setup(void **state)
{
    xlate_setup(state);
    other = bridge_create("br1", 2, bed.dp);
    flows_attach(bed.flows, other);
    add_device(other, "q1", 1); /* datapath port 6 */
    add_device(other, "q2", 2); /* 7 */
    add_patch(bed.bridge, "pa", 10, "pb");
    add_patch(other, "pb", 20, "pa");
    return 0;
}

static int teardown(void **state)
{
    bed_forget_bridge(&bed, other);
    bridge_destroy(other);
    return xlate_teardown(state);
}

#define UDP "in_port=1,udp,nw_dst=10.0.0.1,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:02,vlan_tci=0"

static void tables_of_the_peer_decide(void **state)
{
    bed_add(&bed, "in_port=1,actions=output:10");
    add_other("in_port=20,udp,nw_dst=10.0.0.1,actions=output:1");
    EXPECT(UDP, "6");
    EXPECT_MASK("recirc_id(0),in_port(1),eth_type(0x0800),ipv4(dst=10.0.0.1,proto=17,frag=no)");
    assert_int_equal(out.deps.n_bridges, 2);
    assert_int_equal(out.deps.n_rules, 2);
}

/* clone() isolates: what the peer's bridge makes of the packet, and its registers, are its own. */
static void each_bridge_has_its_own_packet(void **state)
{
    bed_add(&bed, "in_port=1,actions=load:7->NXM_NX_REG0[],set_field:02:00:00:00:00:aa->eth_dst,"
                  "write_metadata:5,goto_table:1");
    bed_add(&bed, "table=1,reg0=7,metadata=5,actions=output:10,output:2,resubmit(,2)");
    bed_add(&bed, "table=2,reg0=7,metadata=5,nw_dst=10.0.0.1,ip,actions=output:3");
    add_other("reg0=0,metadata=0,dl_dst=02:00:00:00:00:aa,ip,actions=set_field:10.0.0.9->nw_dst,load:9->NXM_NX_REG0[],"
              "output:1,output:2");
    EXPECT(UDP, "set(eth(dst=02:00:00:00:00:aa)),clone(set(ipv4(dst=10.0.0.9)),6,7),2,3");
}

static void the_action_set_is_the_bridges_own(void **state)
{
    bed_add(&bed, "in_port=1,actions=write_actions(output:2),goto_table:1");
    bed_add(&bed, "table=1,actions=output:10");
    add_other("actions=write_actions(output:1)");
    EXPECT(UDP, "6,2");
}

/* A packet that came through a patch port does not go back by it, but by IN_PORT. */
static void the_peer_is_the_input_port(void **state)
{
    bed_add(&bed, "in_port=1,actions=output:10");
    bed_add(&bed, "in_port=10,actions=output:3");
    add_other("actions=output:20,output:1");
    EXPECT(UDP, "6");
    add_other("priority=40000,actions=in_port,output:1");
    EXPECT(UDP, "3,6");
}

static void normal_learns_on_both_sides(void **state)
{
    const struct rte_ether_addr src = {{2, 0, 0, 0, 0, 1}};

    bed_add(&bed, "actions=NORMAL");
    add_other("actions=NORMAL");
    EXPECT(UDP, "2,3,4,5,6,7");
    assert_int_equal(out.deps.n_learned, 2);
    assert_int_equal(mac_table_lookup(bed.bridge->macs, &src, 0)->lport, 1);
    assert_int_equal(mac_table_lookup(other->macs, &src, 0)->lport, 20);
}

static void configuration_of_both_ports_counts(void **state)
{
    struct bridge_port *pa = bridge_port_by_name(bed.bridge, "pa"), *pb = bridge_port_by_name(other, "pb");

    bed_add(&bed, "in_port=1,actions=output:10");
    add_other("actions=output:1");
    EXPECT(UDP, "6");
    bridge_port_set_config(pa, PORT_CONFIG_NO_FWD, PORT_CONFIG_NO_FWD);
    EXPECT(UDP, "drop");
    assert_int_equal(out.drop_reason, DROP_OUTPUT_DOWN);
    bridge_port_set_config(pa, 0, PORT_CONFIG_NO_FWD);
    bridge_port_set_config(pb, PORT_CONFIG_NO_RECV, PORT_CONFIG_NO_RECV);
    EXPECT(UDP, "drop");
    assert_int_equal(out.drop_reason, DROP_INPUT_REFUSED);
}

static void pairs_find_each_other_by_name(void **state)
{
    struct bridge_port *pa = bridge_port_by_name(bed.bridge, "pa"), *pb = bridge_port_by_name(other, "pb"), *third;

    bed_add(&bed, "in_port=1,actions=output:10");
    add_other("actions=output:1");
    assert_int_equal(pa->state, PORT_STATE_LIVE);
    assert_null(bridge_port_ops(pa)->error(pa));
    bridge_port_remove(pb);
    assert_int_equal(pa->state, PORT_STATE_LINK_DOWN);
    assert_string_equal(bridge_port_ops(pa)->error(pa), "peer not found");
    EXPECT(UDP, "drop");
    assert_int_equal(out.drop_reason, DROP_PATCH_NO_PEER);
    /* It has to name this one. */
    third = add_patch(other, "pb", 21, "px");
    assert_null(pa->patch.peer);
    bridge_port_remove(third);
    third = add_patch(other, "pb", 22, "pa");
    assert_ptr_equal(pa->patch.peer, third);
    assert_int_equal(pa->state, PORT_STATE_LIVE);
    EXPECT(UDP, "6");
    /* Nobody is his own peer. */
    third = add_patch(other, "self", 23, "self");
    assert_null(third->patch.peer);
}

static void loops_end(void **state)
{
    add_patch(bed.bridge, "pc", 11, "pd");
    add_patch(other, "pd", 21, "pc");
    bed_add(&bed, "in_port=1,actions=output:2,output:10");
    bed_add(&bed, "in_port=11,actions=output:10");
    add_other("in_port=20,actions=output:21");
    EXPECT(UDP, "drop");
    assert_int_equal(out.drop_reason, DROP_PATCH_LOOP);
    /* NORMAL in both, and three cables between them: more ways than there is time for. */
    add_patch(bed.bridge, "pe", 12, "pf");
    add_patch(other, "pf", 22, "pe");
    bed_add(&bed, "priority=40000,actions=NORMAL");
    add_other("priority=40000,actions=NORMAL");
    EXPECT(UDP, "drop");
    assert_true(out.drop_reason == DROP_PATCH_LOOP || out.drop_reason == DROP_XLATE_LOOP);
}

/* Behind the label there is what only the datapath can parse: the peer's tables see it after a recirculation. */
static void recirculation_goes_on_in_its_bridge(void **state)
{
    struct xlate_in in = {.bridge = other, .elsewhere = true};
    const struct program_op *op;
    const struct recirc *recirc;

    bed_add(&bed, "in_port=1,actions=output:10");
    add_other("mpls,actions=load:3->NXM_NX_REG1[],pop_mpls:0x0800,dec_ttl,output:2");
    actions_of("in_port=1,mpls,mpls_label=3,mpls_bos=1");
    op = (const struct program_op *)(out.program.ops + out.program.len - 8);
    assert_int_equal(op->type, OP_RECIRC);
    recirc = recirc_get(op->arg);
    assert_ptr_equal(recirc->state.bridge, other);
    assert_int_equal(recirc->state.in_port, 20);
    assert_int_equal(recirc->state.reg[1], rte_cpu_to_be_32(3));
    parse_flow("in_port=1,ip,nw_ttl=5", &in.flow);
    in.flow.pkt.recirc_id = op->arg;
    in.flow.in_port = 20;
    xlate(&in, &out);
    format_out(&in.flow);
    assert_string_equal(program_text, "set(ipv4(ttl=4)),7");
    /* A label popped before the patch port: freezing, in the first bridge. */
    bed_add(&bed, "priority=40000,mpls,actions=pop_mpls:0x0800,output:10");
    actions_of("in_port=1,mpls,mpls_label=3,mpls_bos=1");
    op = (const struct program_op *)(out.program.ops + out.program.len - 8);
    assert_int_equal(op->type, OP_RECIRC);
    assert_ptr_equal(recirc_get(op->arg)->state.bridge, bed.bridge);
}

static void packet_ins_are_the_second_bridges(void **state)
{
    const struct program_op *op;

    bed_add(&bed, "in_port=1,actions=output:10");
    add_other("cookie=9,actions=load:4->NXM_NX_REG2[],controller");
    actions_of(UDP);
    op = (const struct program_op *)out.program.ops;
    assert_int_equal(op->type, OP_PUNT);
    assert_ptr_equal(punt_get(op->arg)->bridge, other);
    assert_int_equal(punt_get(op->arg)->in_port, 20);
    assert_int_equal(punt_get(op->arg)->cookie, 9);
}

/* --- with packets -------------------------------------------------------- */

static int setup_running(void **state)
{
    xlate_setup_running(state);
    other = bridge_create("br1", 2, bed.dp);
    flows_attach(bed.flows, other);
    add_device(other, "q1", 1);
    add_device(other, "q2", 2);
    add_patch(bed.bridge, "pa", 10, "pb");
    add_patch(other, "pb", 20, "pa");
    return 0;
}

static void expect_at(struct fake_port *fake)
{
    uint64_t end = clock_now_ms() + 2000;
    struct rte_mbuf *m;

    while (rte_ring_sc_dequeue(fake->out, (void **)&m) != 0) {
        assert_true(clock_now_ms() < end);
        bed_turn(&bed);
    }
    rte_pktmbuf_free(m);
}

static struct fake_port *device_of(struct bridge *bridge, uint32_t ofport)
{
    return (struct fake_port *)bridge_port_by_ofport(bridge, ofport)->port;
}

static void changes_in_the_second_bridge_reach_megaflows_of_the_first(void **state)
{
    struct fake_port *one = device_of(other, 1), *two = device_of(other, 2);
    struct bed second = {.bridge = other};

    bed_add(&bed, "in_port=1,actions=output:10");
    add_other("cookie=1,priority=10,actions=output:1");
    send_to(1, bed_udp());
    expect_at(one);
    add_other("priority=20,udp,actions=output:2");
    bed_settle(&bed);
    send_to(1, bed_udp());
    expect_at(two);
    assert_int_equal(bed_mod(&second, FLOW_DELETE, "udp"), 0);
    bed_settle(&bed);
    send_to(1, bed_udp());
    expect_at(one);
    assert_int_equal(bed_mod(&second, FLOW_MODIFY, "actions=output:2"), 0);
    bed_settle(&bed);
    send_to(1, bed_udp());
    expect_at(two);
    /* A port of the second bridge. */
    bridge_port_set_config(bridge_port_by_ofport(other, 2), PORT_CONFIG_NO_FWD, PORT_CONFIG_NO_FWD);
    bed_settle(&bed);
    send_to(1, bed_udp());
    usleep(20000);
    bed_turn(&bed);
    assert_int_equal(rte_ring_count(two->out), 0);
    /* And an address that moves there. */
    assert_int_equal(bed_mod(&second, FLOW_MODIFY, "actions=NORMAL"), 0);
    bridge_port_set_config(bridge_port_by_ofport(other, 2), 0, PORT_CONFIG_NO_FWD);
    mac_table_learn(other->macs, &(struct rte_ether_addr){{2}}, 0, 1, clock_now_ms());
    bed_settle(&bed);
    struct rte_mbuf *m = bed_udp();
    rte_pktmbuf_mtod(m, uint8_t *)[11] = 1;
    send_to(1, m);
    expect_at(one);
    mac_table_learn(other->macs, &(struct rte_ether_addr){{2}}, 0, 2, clock_now_ms());
    bed_settle(&bed);
    m = bed_udp();
    rte_pktmbuf_mtod(m, uint8_t *)[11] = 1;
    send_to(1, m);
    expect_at(two);
}

static void both_bridges_count(void **state)
{
    struct fake_port *one = device_of(other, 1);
    struct bridge_port_stats a, b;
    struct table_stats t;

    bed_add(&bed, "in_port=1,actions=output:10,output:10");
    add_other("actions=output:1");
    for (int i = 0; i < 3; i++)
        send_to(1, bed_udp());
    for (int i = 0; i < 6; i++)
        expect_at(one);
    for (int i = 0; i < 1000; i++) {
        bed_count(&bed);
        bridge_port_stats(bridge_port_by_ofport(other, 20), &b);
        if (b.rx_packets == 6)
            break;
        usleep(1000);
    }
    bridge_port_stats(bridge_port_by_ofport(bed.bridge, 10), &a);
    assert_int_equal(a.tx_packets, 6);
    assert_int_equal(a.tx_bytes, 360);
    assert_int_equal(a.rx_packets, 0);
    assert_int_equal(b.rx_packets, 6);
    assert_int_equal(b.rx_bytes, 360);
    assert_int_equal(b.tx_packets, 0);
    pipeline_table_stats(bed.bridge->pipeline, 0, &t);
    assert_int_equal(t.lookups, 3);
    pipeline_table_stats(other->pipeline, 0, &t);
    assert_int_equal(t.lookups, 6);
}

static void a_bridge_that_goes_takes_its_megaflows_along(void **state)
{
    struct flows_stats stats;

    bed_add(&bed, "in_port=1,actions=output:10,output:2");
    bed_add(&bed, "in_port=3,actions=output:2");
    add_other("actions=load:1->NXM_NX_REG0[],output:1");
    send_to(1, bed_udp());
    expect_out(2);
    send_to(3, bed_udp());
    expect_out(2);
    while (!TAILQ_EMPTY(&other->ports))
        bridge_port_remove(TAILQ_FIRST(&other->ports));
    bed_forget_bridge(&bed, other);
    bridge_destroy(other);
    flows_get_stats(bed.flows, &stats);
    assert_int_equal(stats.n_megaflows, 1);
    send_to(1, bed_udp());
    expect_out(2);
    bed_count(&bed);
    other = bridge_create("br1", 2, bed.dp);
    flows_attach(bed.flows, other);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define RUNNING(name) cmocka_unit_test_setup_teardown(name, setup_running, teardown)
    const struct CMUnitTest tests[] = {
        TEST(tables_of_the_peer_decide),
        TEST(each_bridge_has_its_own_packet),
        TEST(the_action_set_is_the_bridges_own),
        TEST(the_peer_is_the_input_port),
        TEST(normal_learns_on_both_sides),
        TEST(configuration_of_both_ports_counts),
        TEST(pairs_find_each_other_by_name),
        TEST(loops_end),
        TEST(recirculation_goes_on_in_its_bridge),
        TEST(packet_ins_are_the_second_bridges),
        RUNNING(changes_in_the_second_bridge_reach_megaflows_of_the_first),
        RUNNING(both_bridges_count),
        RUNNING(a_bridge_that_goes_takes_its_megaflows_along),
    };

    if (test_eal_init("patch_test") != 0)
        return 77;
    pool = test_pool(8191);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
