/* Nicira's actions that choose, cut and copy: what they make of packets, and which bits that rests on. */
#include "tests/lib/bed_xlate.h"

static void translate_flow(const struct flow *flow)
{
    struct xlate_in in = {.bridge = bed.bridge, .flow = *flow};

    xlate(&in, &out);
}

static void output_is_cut_for_one_port(void **state)
{
    bed_add(&bed, "in_port=1,actions=output(port=2,max_len=100),output:3,output(port=in_port,max_len=14)");
    bed_add(&bed, "in_port=2,actions=output(port=2,max_len=100),output(port=9,max_len=20)");
    bed_add(&bed, "in_port=3,actions=set_field:02:00:00:00:00:09->eth_dst,output(port=1,max_len=50)");
    EXPECT("in_port=1", "trunc(100),2,3,trunc(14),1");
    assert_int_equal(out.wc.pkt.eth_type, 0);
    EXPECT("in_port=2", "drop");
    EXPECT("in_port=3", "set(eth(dst=02:00:00:00:00:09)),trunc(50),1");
}

static void a_clone_leaves_the_packet_alone(void **state)
{
    bed_add(&bed, "in_port=1,actions=load:7->NXM_NX_REG0[],push:NXM_NX_REG0[],"
                  "clone(set_field:02:00:00:00:00:09->eth_dst,pop:NXM_NX_REG1[],load:9->NXM_NX_REG0[],output:2,exit),"
                  "pop:NXM_NX_REG2[],output:3,resubmit(,1)");
    bed_add(&bed, "table=1,reg0=7,reg1=0,reg2=7,actions=output:4");
    EXPECT("in_port=1,dl_dst=02:00:00:00:00:01", "clone(set(eth(dst=02:00:00:00:00:09)),2),3,4");
    /* One that only sends needs no copy; the action set of a clone is its own. */
    bed_add(&bed, "in_port=2,actions=clone(output:1,resubmit(,2)),write_actions(output:5)");
    bed_add(&bed, "table=2,actions=write_actions(set_field:02:00:00:00:00:07->eth_src,output:4)");
    EXPECT("in_port=2", "clone(1,set(eth(src=02:00:00:00:00:07)),4),5");
    bed_add(&bed, "in_port=3,actions=clone(output:1,clone(output:2)),output:4");
    EXPECT("in_port=3", "1,2,4");
}

static void actions_that_only_take_note(void **state)
{
    bed_add(&bed, "in_port=1,actions=sample(probability=65535,collector_set_id=1),ct_clear,note:01,output:2");
    EXPECT("in_port=1", "2");
}

/* --- choosing ------------------------------------------------------------ */

static uint64_t rng = 7;

static uint32_t random_u32(void)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return (uint32_t)(rng >> 16);
}

/* Looks like a TCP packet. */
static void random_flow(struct flow *flow)
{
    memset(flow, 0, sizeof *flow);
    flow->in_port = 1;
    flow->pkt.in_port = 1;
    flow->pkt.eth_type = random_u32() % 2 ? RTE_BE16(RTE_ETHER_TYPE_IPV4) : RTE_BE16(RTE_ETHER_TYPE_IPV6);
    for (unsigned i = 0; i < 6; i++) {
        flow->pkt.eth_src.addr_bytes[i] = (uint8_t)random_u32();
        flow->pkt.eth_dst.addr_bytes[i] = (uint8_t)random_u32();
    }
    if (flow->pkt.eth_type == RTE_BE16(RTE_ETHER_TYPE_IPV4)) {
        flow->pkt.ipv4_src = random_u32();
        flow->pkt.ipv4_dst = random_u32();
    } else {
        for (unsigned i = 0; i < 16; i++) {
            flow->pkt.ipv6_src[i] = (uint8_t)random_u32();
            flow->pkt.ipv6_dst[i] = (uint8_t)random_u32();
        }
    }
    flow->pkt.ip_proto = (uint8_t[]){6, 17, 132}[random_u32() % 3];
    flow->pkt.tp_src = (rte_be16_t)random_u32();
    flow->pkt.tp_dst = (rte_be16_t)random_u32();
    flow->pkt.ip_ttl = (uint8_t)random_u32();
    if (random_u32() % 2)
        flow->pkt.vlan_tci[0] = RTE_BE16(VLAN_TCI_PRESENT) | rte_cpu_to_be_16((uint16_t)(random_u32() & 0xfff));
}

static void swap(void *a, void *b, size_t n)
{
    uint8_t *x = a, *y = b;

    for (size_t i = 0; i < n; i++) {
        uint8_t byte = x[i];

        x[i] = y[i];
        y[i] = byte;
    }
}

static uint32_t link_of(const struct flow *flow)
{
    translate_flow(flow);
    return rte_be_to_cpu_32(out.final.reg[0]);
}

/* Bits that the megaflow does not have do not matter. */
static void expect_mask_to_suffice(const struct flow *flow, uint32_t link)
{
    struct flow other, wc;

    wc = out.wc;
    for (unsigned i = 0; i < 4; i++) {
        const uint64_t *keep = (const uint64_t *)&wc.pkt, *from = (const uint64_t *)&flow->pkt;
        uint64_t *to = (uint64_t *)&other.pkt;

        random_flow(&other);
        for (size_t w = 0; w < sizeof other.pkt / 8; w++)
            to[w] = (to[w] & ~keep[w]) | (from[w] & keep[w]);
        assert_int_equal(link_of(&other), link);
    }
}

static void multipaths_spread_and_rest_on_what_they_hash(void **state)
{
    static const char *const fields[] = {"eth_src",      "symmetric_l4", "symmetric_l3l4", "symmetric_l3l4+udp",
                                         "symmetric_l3", "nw_src",       "nw_dst"};
    static const char *const algorithms[] = {"modulo_n", "hash_threshold", "hrw", "iter_hash"};

    for (unsigned f = 0; f < 7; f++) {
        for (unsigned a = 0; a < 4; a++) {
            unsigned counts[5] = {0};

            bed_add(&bed, "actions=multipath(%s,%u,%s,5,9,NXM_NX_REG0[])", fields[f], a, algorithms[a]);
            for (unsigned i = 0; i < 1000; i++) {
                struct flow flow;
                uint32_t link;

                random_flow(&flow);
                link = link_of(&flow);
                assert_true(link < 5);
                counts[link]++;
                if (i % 10 == 0)
                    expect_mask_to_suffice(&flow, link);
                if (strncmp(fields[f], "symmetric", 9) == 0) {
                    swap(&flow.pkt.eth_src, &flow.pkt.eth_dst, 6);
                    swap(&flow.pkt.ipv4_src, &flow.pkt.ipv4_dst, 4);
                    swap(&flow.pkt.ipv6_src, &flow.pkt.ipv6_dst, 16);
                    swap(&flow.pkt.tp_src, &flow.pkt.tp_dst, 2);
                    assert_int_equal(link_of(&flow), link);
                }
            }
            for (unsigned i = 0; i < 5; i++) {
                if (counts[i] < 130 || counts[i] > 270)
                    fail_msg("%s %s: link %u has %u of 1000", fields[f], algorithms[a], i, counts[i]);
            }
        }
    }
}

static void the_hash_is_of_the_fields_that_are_named(void **state)
{
    struct flow flow;

    random_flow(&flow);
    flow.pkt.eth_type = RTE_BE16(RTE_ETHER_TYPE_IPV4);
    flow.pkt.ip_proto = 17;
    bed_add(&bed, "actions=multipath(eth_src,0,modulo_n,5,0,NXM_NX_REG0[])");
    translate_flow(&flow);
    assert_int_equal(out.wc.pkt.eth_type, 0);
    assert_int_equal(out.wc.pkt.eth_dst.addr_bytes[0], 0);
    bed_add(&bed, "actions=multipath(symmetric_l3l4,0,modulo_n,5,0,NXM_NX_REG0[])");
    translate_flow(&flow);
    assert_int_equal(out.wc.pkt.ipv4_src, UINT32_MAX);
    assert_int_equal(out.wc.pkt.tp_src, 0); /* not for UDP */
    assert_int_equal(out.wc.pkt.eth_src.addr_bytes[0], 0);
    bed_add(&bed, "actions=multipath(symmetric_l3l4+udp,0,modulo_n,5,0,NXM_NX_REG0[])");
    translate_flow(&flow);
    assert_int_equal(out.wc.pkt.tp_src, UINT16_MAX);
    /* What was written is known. */
    bed_add(&bed, "actions=set_field:02:00:00:00:00:01->eth_src,multipath(eth_src,0,modulo_n,5,0,NXM_NX_REG0[])");
    translate_flow(&flow);
    assert_int_equal(out.wc.pkt.eth_src.addr_bytes[0], 0);
}

/* With highest random weight a link that comes takes its share of each, and no flow moves between others. */
static void hrw_moves_no_more_than_it_must(void **state)
{
    struct flow flows[500];
    uint32_t before[500];
    unsigned moved = 0;

    bed_add(&bed, "actions=multipath(symmetric_l4,0,hrw,4,0,NXM_NX_REG0[])");
    for (unsigned i = 0; i < 500; i++) {
        random_flow(&flows[i]);
        before[i] = link_of(&flows[i]);
    }
    bed_add(&bed, "actions=multipath(symmetric_l4,0,hrw,5,0,NXM_NX_REG0[])");
    for (unsigned i = 0; i < 500; i++) {
        uint32_t link = link_of(&flows[i]);

        assert_true(link == before[i] || link == 4);
        moved += link != before[i];
    }
    assert_in_range(moved, 60, 140);
}

static void bundles_choose_among_live_members(void **state)
{
    struct bridge_port *p2 = bridge_port_by_ofport(bed.bridge, 2), *p3 = bridge_port_by_ofport(bed.bridge, 3);
    unsigned counts[6] = {0};

    bed_add(&bed, "in_port=1,actions=bundle(eth_src,0,active_backup,ofport,members:9,2,3)");
    EXPECT("in_port=1", "2");
    assert_int_equal(out.wc.pkt.eth_src.addr_bytes[0], 0);
    bridge_port_set_config(p2, PORT_CONFIG_DOWN, PORT_CONFIG_DOWN);
    EXPECT("in_port=1", "3");
    bridge_port_set_config(p3, PORT_CONFIG_DOWN, PORT_CONFIG_DOWN);
    EXPECT("in_port=1", "drop");
    bed_add(&bed, "in_port=1,actions=bundle_load(eth_src,0,hrw,ofport,NXM_NX_REG0[],members:2,3),output:4");
    EXPECT("in_port=1", "4");
    assert_int_equal(out.final.reg[0], RTE_BE32(0xffff));
    bridge_port_set_config(p2, 0, PORT_CONFIG_DOWN);
    bridge_port_set_config(p3, 0, PORT_CONFIG_DOWN);
    bed_add(&bed, "in_port=1,actions=bundle_load(eth_src,0,hrw,ofport,NXM_NX_REG0[],members:2,3,5)");
    for (unsigned i = 0; i < 900; i++) {
        struct flow flow;
        uint32_t port;

        random_flow(&flow);
        port = link_of(&flow);
        assert_true(port == 2 || port == 3 || port == 5);
        counts[port]++;
        expect_mask_to_suffice(&flow, port);
    }
    assert_in_range(counts[2], 220, 380);
    assert_in_range(counts[3], 220, 380);
}

/* --- by length ----------------------------------------------------------- */

static void expect_length_to_leave_by(unsigned len, bool tagged, uint32_t port)
{
    struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
    uint8_t *p = rte_pktmbuf_mtod(m, uint8_t *);

    memset(p, 0, len);
    p[0] = p[6] = 2;
    p[12] = tagged ? 0x81 : 0x88;
    p[13] = tagged ? 0x00 : 0xb5;
    m->data_len = (uint16_t)len;
    m->pkt_len = len;
    memset(packet_meta(m), 0, sizeof *packet_meta(m));
    send_to(1, m);
    m = receive(port, 2000);
    if (!m)
        fail_msg("a packet of %u bytes did not leave by port %u", len, port);
    assert_int_equal(m->pkt_len, len);
    rte_pktmbuf_free(m);
}

static void long_packets_are_told_from_short_ones(void **state)
{
    bed_add(&bed, "in_port=1,actions=load:5->NXM_NX_REG1[],check_pkt_larger(200)->NXM_NX_REG0[3],resubmit(,1)");
    bed_add(&bed, "table=1,reg0=8,reg1=5,actions=output:2");
    bed_add(&bed, "table=1,reg0=0,reg1=5,actions=output:3");
    for (int i = 0; i < 2; i++) {
        expect_length_to_leave_by(60, false, 3);
        expect_length_to_leave_by(200, false, 3);
        expect_length_to_leave_by(201, false, 2);
        expect_length_to_leave_by(204, true, 3); /* the tag does not count */
        expect_length_to_leave_by(205, true, 2);
        expect_length_to_leave_by(1000, false, 2);
    }
    /* In a clone, and what follows goes on with the packet as it was. */
    bed_add(&bed, "in_port=1,actions=clone(check_pkt_larger(100)->NXM_NX_REG0[0],resubmit(,2)),output:5");
    bed_add(&bed, "table=2,reg0=1,actions=output:2");
    bed_add(&bed, "table=2,reg0=0,actions=output:3");
    bed_settle(&bed);
    expect_length_to_leave_by(150, false, 2);
    expect_length_to_leave_by(90, false, 3);
    assert_int_equal(rte_ring_count(bed.fake[5]->out), 2);
}

/* --- flow_mods ----------------------------------------------------------- */

static void bad_arguments_are_refused(void **state)
{
    assert_int_equal(check_actions("", "output(port=2,max_len=14)"), 0);
    assert_int_equal(check_actions("", "output(port=2,max_len=13)"), OFPERR_BAC_BAD_ARGUMENT);
    assert_int_equal(check_actions("", "output(port=controller,max_len=100)"), OFPERR_BAC_BAD_OUT_PORT);
    assert_int_equal(check_actions("", "output(port=NORMAL,max_len=100)"), OFPERR_BAC_BAD_OUT_PORT);
    assert_int_equal(check_actions("", "clone(set_field:80->tcp_dst)"), OFPERR_BAC_MATCH_INCONSISTENT);
    assert_int_equal(check_actions("", "clone(conjunction(1,1/2))"), OFPERR_BAC_BAD_CONJUNCTION);
    assert_int_equal(check_actions("", "clone(push_mpls:0x8847),set_mpls_ttl:3"), OFPERR_BAC_MATCH_INCONSISTENT);
    assert_int_equal(check_actions("", "multipath(eth_src,0,modulo_n,8,0,NXM_NX_REG0[0..2])"), 0);
    assert_int_equal(check_actions("", "multipath(eth_src,0,modulo_n,9,0,NXM_NX_REG0[0..2])"), OFPERR_BAC_BAD_ARGUMENT);
    assert_int_equal(check_actions("", "multipath(eth_src,0,modulo_n,2,0,OXM_OF_ETH_TYPE[])"),
                     OFPERR_BAC_BAD_SET_ARGUMENT);
    assert_int_equal(check_actions("", "multipath(eth_dst,0,modulo_n,2,0,NXM_NX_REG0[])"), -1);
    assert_int_equal(check_actions("", "multipath(eth_src,0,modulo_n,0,0,NXM_NX_REG0[])"), -1);
    assert_int_equal(check_actions("", "bundle(eth_src,0,hrw,ofport,members:2,controller)"), OFPERR_BAC_BAD_OUT_PORT);
    assert_int_equal(check_actions("", "bundle_load(eth_src,0,hrw,ofport,NXM_NX_REG0[0..14],members:2)"),
                     OFPERR_BAC_BAD_ARGUMENT);
    assert_int_equal(check_actions("", "check_pkt_larger(100)->NXM_NX_REG0[5]"), 0);
    assert_int_equal(check_actions("", "check_pkt_larger(100)->OXM_OF_METADATA[5]"), 0);
    assert_int_equal(check_actions("", "check_pkt_larger(100)->NXM_NX_REG0[5..6]"), OFPERR_BAC_BAD_SET_ARGUMENT);
    assert_int_equal(check_actions("", "check_pkt_larger(100)->NXM_OF_ETH_SRC[0]"), OFPERR_BAC_BAD_SET_ARGUMENT);
    assert_int_equal(check_actions("", "check_pkt_larger(100)->NXM_OF_IN_PORT[0]"), OFPERR_BAC_BAD_SET_ARGUMENT);
    assert_int_equal(check_actions("", "check_pkt_larger(100)"), -1);
    assert_int_equal(check_actions("", "sample(collector_set_id=1)"), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, xlate_setup, xlate_teardown)
        TEST(output_is_cut_for_one_port),
        TEST(a_clone_leaves_the_packet_alone),
        TEST(actions_that_only_take_note),
        TEST(multipaths_spread_and_rest_on_what_they_hash),
        TEST(the_hash_is_of_the_fields_that_are_named),
        TEST(hrw_moves_no_more_than_it_must),
        TEST(bundles_choose_among_live_members),
        cmocka_unit_test_setup_teardown(long_packets_are_told_from_short_ones, xlate_setup_running, xlate_teardown),
        cmocka_unit_test(bad_arguments_are_refused),
    };

    if (test_eal_init("nicira_test") != 0)
        return 77;
    pool = test_pool(1023);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
