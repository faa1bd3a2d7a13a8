/* Translation: what rules make of packets, and which bits of a packet the answer rests on. */
#include "src/xlate/punt.h"
#include "src/xlate/recirc.h"
#include "tests/lib/bed_xlate.h"

static void outputs(void **state)
{
    bed_add(&bed, "in_port=1,actions=output:2,output:1,in_port,output:9,output:3");
    bed_add(&bed, "in_port=2,actions=all");
    bed_add(&bed, "in_port=3,actions=flood");
    bed_add(&bed, "in_port=4,actions=load:2->NXM_NX_REG1[0..15],output:NXM_NX_REG1[0..15],enqueue:3:7");
    bed_add(&bed, "in_port=5,actions=local,note:01.02");
    bridge_port_set_config(bridge_port_by_ofport(bed.bridge, 5), PORT_CONFIG_NO_FLOOD, PORT_CONFIG_NO_FLOOD);
    bridge_port_set_config(bridge_port_by_ofport(bed.bridge, 4), PORT_CONFIG_NO_FWD, PORT_CONFIG_NO_FWD);
    EXPECT("in_port=1", "2,1,3");
    EXPECT_MASK("recirc_id(0),in_port(1)");
    EXPECT("in_port=2", "1,3,5");
    EXPECT("in_port=3", "1,2");
    EXPECT("in_port=4", "2,set(skb_priority(0x7)),3");
    EXPECT("in_port=5", "drop");
    assert_int_equal(out.drop_reason, DROP_OUTPUT_UNKNOWN); /* there is no LOCAL port */
    bridge_port_set_config(bridge_port_by_ofport(bed.bridge, 1), PORT_CONFIG_NO_RECV, PORT_CONFIG_NO_RECV);
    EXPECT("in_port=1", "drop");
}

static void tables(void **state)
{
    bed_add(&bed, "table=0,in_port=1,actions=resubmit(,1),output:5,resubmit(7,0)");
    bed_add(&bed, "table=0,in_port=7,actions=output:4");
    bed_add(&bed, "table=1,ip,nw_dst=10.0.0.0/8,actions=output:2");
    bed_add(&bed, "table=1,priority=1,actions=output:3");
    EXPECT("in_port=1,ip,nw_dst=10.1.2.3", "2,5,4");
    EXPECT_MASK("recirc_id(0),in_port(1),eth_type(0x0800),ipv4(dst=10.0.0.0/8)");
    assert_int_equal(out.deps.n_visits, 3);
    assert_int_equal(out.deps.n_rules, 3);
    EXPECT("in_port=1,arp", "3,5,4");
    EXPECT("in_port=2", "drop");
    assert_int_equal(out.deps.n_rules, 0);
    bed_add(&bed, "table=0,in_port=2,actions=write_metadata:0x5,goto_table:10");
    bed_add(&bed, "table=10,metadata=5,actions=output:1");
    EXPECT("in_port=2", "1");
}

static void loops_end(void **state)
{
    bed_add(&bed, "table=0,actions=output:2,resubmit(,1)");
    bed_add(&bed, "table=1,actions=resubmit(,0)");
    EXPECT("in_port=1", "drop");
    assert_true(out.error);
    assert_int_equal(out.drop_reason, DROP_XLATE_LOOP);
    bed_add(&bed, "table=0,in_port=3,actions=resubmit(,2),resubmit(,2),resubmit(,2)");
    for (int i = 2; i < 12; i++) {
        bed_add(&bed, "table=%d,actions=resubmit(,%d),resubmit(,%d),resubmit(,%d)", i, i + 1, i + 1, i + 1);
    }
    EXPECT("in_port=3", "drop");
}

static void written_bits_are_not_consulted(void **state)
{
    bed_add(&bed, "table=0,in_port=1,actions=set_field:02:00:00:00:00:09->eth_dst,resubmit(,1)");
    bed_add(&bed, "table=1,dl_dst=02:00:00:00:00:09,actions=output:2");
    EXPECT("in_port=1,dl_dst=02:00:00:00:00:01,dl_src=02:00:00:00:00:02", "set(eth(dst=02:00:00:00:00:09)),2");
    EXPECT_MASK("recirc_id(0),in_port(1)");
    /* Parts of a field: the written half is known, the other is not. */
    bed_add(&bed, "table=0,in_port=2,ip,actions=load:0x0a00->NXM_OF_IP_DST[16..31],resubmit(,2)");
    bed_add(&bed, "table=2,ip,nw_dst=10.0.1.0/24,actions=output:3");
    EXPECT("in_port=2,ip,nw_dst=1.2.1.4", "set(ipv4(dst=10.0.0.0/255.255.0.0)),3");
    EXPECT_MASK("recirc_id(0),in_port(2),eth_type(0x0800),ipv4(dst=0.0.1.0/0.0.255.0)");
}

static void moves_consult_their_source(void **state)
{
    bed_add(&bed, "in_port=1,udp,actions=move:NXM_OF_UDP_SRC[]->NXM_OF_UDP_DST[],output:2");
    EXPECT("in_port=1,udp,tp_src=53,tp_dst=99", "set(l4(dst=53)),2");
    EXPECT_MASK("recirc_id(0),in_port(1),eth_type(0x0800),ipv4(proto=17,frag=no),udp(src=53)");
    bed_add(&bed, "in_port=2,actions=push:NXM_OF_ETH_SRC[],push:NXM_OF_ETH_DST[],pop:NXM_OF_ETH_SRC[],"
                  "pop:NXM_OF_ETH_DST[],in_port");
    EXPECT("in_port=2,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:02",
           "set(eth(src=02:00:00:00:00:02,dst=02:00:00:00:00:01)),2");
}

static void sets_that_change_nothing_are_left_out(void **state)
{
    bed_add(&bed, "in_port=1,dl_dst=02:00:00:00:00:09,actions=set_field:02:00:00:00:00:09->eth_dst,output:2,"
                  "set_field:02:00:00:00:00:08->eth_dst,output:3,set_field:02:00:00:00:00:08->eth_dst,output:4,"
                  "set_field:02:00:00:00:00:01->eth_dst");
    EXPECT("in_port=1,dl_dst=02:00:00:00:00:09", "2,set(eth(dst=02:00:00:00:00:08)),3,4");
}

static void fields_without_header_are_not_set(void **state)
{
    bed_add_unchecked(&bed, "set_field:1.2.3.4->ip_dst,set_field:80->tcp_dst,set_field:5->vlan_vid,dec_ttl,output:2");
    EXPECT("in_port=1,arp", "2");
    EXPECT("in_port=1,udp,nw_ttl=9,ip_frag=no", "set(ipv4(dst=1.2.3.4,ttl=8)),2");
    EXPECT("in_port=1,tcp,nw_ttl=9,ip_frag=no", "set(ipv4(dst=1.2.3.4,ttl=8)),set(l4(dst=80)),2");
    EXPECT("in_port=1,tcp,nw_ttl=9,ip_frag=later", "set(ipv4(dst=1.2.3.4,ttl=8)),2");
}

/* set-frags normal: tables see no fragment's ports or ICMP type, actions do; nx-match: tables see the first one's. */
static void fragments(void **state)
{
    bed_add(&bed, "priority=9,udp,tp_dst=53,actions=output:2");
    bed_add(&bed, "priority=9,icmp,icmp_type=8,actions=output:2");
    bed_add(&bed, "priority=9,icmp6,icmp_type=128,actions=output:2");
    bed_add(&bed, "priority=8,sctp,tp_src=0,tp_dst=0,actions=output:4");
    bed_add(&bed, "priority=8,tcp,actions=move:NXM_OF_TCP_SRC[]->NXM_NX_REG0[0..15],resubmit(,1)");
    bed_add(&bed, "priority=1,actions=output:3");
    bed_add(&bed, "table=1,priority=2,tcp,tp_dst=80,actions=output:1");
    bed_add(&bed, "table=1,priority=1,reg0=7,actions=output:4");
    EXPECT("in_port=1,udp,tp_dst=53", "2");
    EXPECT_MASK("recirc_id(0),in_port(1),eth_type(0x0800),ipv4(proto=17,frag=no),udp(dst=53)");
    EXPECT("in_port=1,udp,tp_dst=53,ip_frag=first", "3");
    EXPECT_MASK("recirc_id(0),in_port(1),eth_type(0x0800),ipv4(proto=17,frag=first)");
    EXPECT("in_port=1,udp,ip_frag=later", "3");
    EXPECT("in_port=1,icmp,icmp_type=8", "2");
    EXPECT("in_port=1,icmp,icmp_type=8,ip_frag=first", "3");
    EXPECT("in_port=1,icmp6,icmp_type=128,ip_frag=first", "3");
    EXPECT("in_port=1,sctp,tp_src=7,tp_dst=9,ip_frag=first", "4");
    EXPECT("in_port=1,sctp,tp_src=7,tp_dst=9", "3");
    EXPECT("in_port=1,tcp,tp_src=7,tp_dst=80,ip_frag=first", "4");
    bed.bridge->frag_mode = BRIDGE_FRAG_MATCH;
    EXPECT("in_port=1,udp,tp_dst=53,ip_frag=first", "2");
    EXPECT("in_port=1,udp,ip_frag=later", "3");
    EXPECT("in_port=2,tcp,tp_src=7,tp_dst=80,ip_frag=first", "1");
    bed.bridge->frag_mode = BRIDGE_FRAG_NORMAL;
}

static void vlan_tags(void **state)
{
    bed_add(&bed, "table=0,in_port=1,actions=push_vlan:0x8100,set_field:4101->vlan_vid,output:2,pop_vlan,output:3");
    bed_add(&bed, "table=0,in_port=2,vlan_tci=0x1000/0x1000,actions=pop_vlan,output:1");
    bed_add(&bed, "table=0,in_port=3,actions=mod_vlan_vid:7,output:1");
    bed_add(&bed, "table=0,in_port=4,vlan_tci=0x1000/0x1000,actions=strip_vlan,resubmit(,1)");
    bed_add(&bed, "table=0,in_port=5,actions=push_vlan:0x88a8,resubmit(,1)");
    bed_add(&bed, "table=1,dl_vlan=9,actions=output:1");
    bed_add(&bed, "table=1,priority=1,actions=output:2");
    EXPECT("in_port=1,vlan_tci=0", "push_vlan(vid=5,pcp=0),2,pop_vlan,3");
    EXPECT("in_port=1,dl_vlan=9,dl_vlan_pcp=3", "push_vlan(vid=5,pcp=3),2,pop_vlan,3");
    EXPECT("in_port=2,dl_vlan=9,dl_vlan_pcp=3", "pop_vlan,1");
    assert_int_equal(out.wc.pkt.vlan_tci[0], RTE_BE16(VLAN_TCI_PRESENT));
    assert_int_equal(out.wc.pkt.vlan_tci[1], RTE_BE16(VLAN_TCI_PRESENT));
    EXPECT("in_port=2,vlan_tci=0", "drop");
    EXPECT("in_port=3,vlan_tci=0", "push_vlan(vid=7,pcp=0),1");
    EXPECT("in_port=3,dl_vlan=9,dl_vlan_pcp=3", "set(vlan(vid=7)),1");
    EXPECT("in_port=4,dl_vlan=9", "pop_vlan,2");
    /* The pushed tag is a copy: table 1 looks at what it was copied from. */
    EXPECT("in_port=5,dl_vlan=9,dl_vlan_pcp=2", "push_vlan(tpid=0x88a8,vid=9,pcp=2),1");
}

static void inner_vlan_tag_becomes_the_outer(void **state)
{
    struct xlate_in in = {.bridge = bed.bridge};

    bed_add_unchecked(&bed, "pop_vlan,output:1,resubmit(,1)");
    bed_add(&bed, "table=1,dl_vlan=9,actions=output:2,pop_vlan,output:3,resubmit(,2)");
    bed_add(&bed, "table=1,priority=1,actions=output:5");
    bed_add(&bed, "table=2,actions=resubmit(,3)");
    bed_add(&bed, "table=3,vlan_tci=0,actions=output:4");
    EXPECT("in_port=2,vlan_tci=0", "1,5");
    parse_flow("in_port=2,dl_vlan=5,ip", &in.flow);
    in.flow.pkt.vlan_tci[1] = RTE_BE16(VLAN_TCI_PRESENT | 9);
    xlate(&in, &out);
    format_out(&in.flow);
    assert_string_equal(program_text, "pop_vlan,1,pop_vlan,3,4");
    assert_int_equal(out.wc.pkt.vlan_tci[0], RTE_BE16(VLAN_TCI_PRESENT));
    assert_int_equal(out.wc.pkt.vlan_tci[1], UINT16_MAX);
    assert_int_equal(out.wc.pkt.eth_type, UINT16_MAX);
    /* A third tag comes to light only when the packet is parsed again. */
    in.flow.pkt.eth_type = RTE_BE16(0x8100);
    xlate(&in, &out);
    assert_int_equal(((const struct program_op *)(out.program.ops + out.program.len - 8))->type, OP_RECIRC);
}

static void ttl(void **state)
{
    const struct punt *punt;
    const struct program_op *op;

    bed_add(&bed, "table=0,cookie=0x77,ip,actions=dec_ttl(3,4),output:2");
    bed_add(&bed, "table=0,cookie=0x77,ipv6,actions=dec_ttl,output:2");
    EXPECT("in_port=1,ip,nw_ttl=64", "set(ipv4(ttl=63)),2");
    EXPECT_MASK("recirc_id(0),in_port(1),eth_type(0x0800),ipv4(ttl=64)");
    EXPECT("in_port=1,ipv6,nw_ttl=2", "set(ipv6(hlimit=1)),2");
    actions_of("in_port=1,ip,nw_ttl=1");
    assert_int_equal(out.program.n_ops, 2);
    op = (const struct program_op *)out.program.ops;
    assert_int_equal(op->type, OP_PUNT);
    punt = punt_get(op->arg);
    assert_int_equal(punt->reason, 2);
    assert_int_equal(punt->controller_id, 3);
    assert_int_equal(punt->cookie, 0x77);
    assert_int_equal(punt->in_port, 1);
}

static void action_set(void **state)
{
    /* OpenFlow 1.3.5, 5.10: the order is that of the kinds; the last of a kind counts. */
    bed_add(&bed, "table=0,in_port=1,actions=write_actions(output:2,push_vlan:0x8100,set_field:4101->vlan_vid),"
                  "goto_table:1");
    bed_add(&bed, "table=1,actions=write_actions(output:3)");
    EXPECT("in_port=1,vlan_tci=0", "push_vlan(vid=5,pcp=0),3");
    bed_add(&bed, "table=0,in_port=2,actions=write_actions(output:3),goto_table:2");
    bed_add(&bed, "table=2,actions=clear_actions");
    EXPECT("in_port=2", "drop");
    bed_add(&bed, "table=0,in_port=3,actions=write_actions(output:1),goto_table:3");
    bed_add(&bed, "table=3,actions=output:2,exit,output:4");
    EXPECT("in_port=3", "2,1");
}

static uint32_t first_punt(void)
{
    const struct program_op *op = (const struct program_op *)out.program.ops;

    for (unsigned i = 0; i < out.program.n_ops; i++) {
        if (op->type == OP_PUNT)
            return op->arg;
        op = (const struct program_op *)((const uint8_t *)op + op->len);
    }
    return UINT32_MAX;
}

static void controllers(void **state)
{
    const struct punt *punt;

    assert_string_equal(actions_of("in_port=4"), "drop");
    bed.bridge->of10_table_miss = true;
    actions_of("in_port=4");
    punt = punt_get(first_punt());
    assert_int_equal(punt->reason, 0);
    assert_int_equal(punt->cookie, UINT64_MAX);
    bridge_port_set_config(bridge_port_by_ofport(bed.bridge, 4), PORT_CONFIG_NO_PACKET_IN, PORT_CONFIG_NO_PACKET_IN);
    assert_string_equal(actions_of("in_port=4"), "drop");

    bed_add(&bed, "table=0,in_port=1,cookie=0x9,actions=load:5->NXM_NX_REG2[],write_metadata:0x123,goto_table:4");
    bed_add(&bed, "table=4,cookie=0x8,ip,actions=controller:99");
    bed_add(&bed, "table=4,priority=0,cookie=0x7,actions=controller");
    actions_of("in_port=1,ip");
    punt = punt_get(first_punt());
    assert_int_equal(punt->reason, 1);
    assert_int_equal(punt->cookie, 8);
    assert_int_equal(punt->table_id, 4);
    assert_int_equal(punt->max_len, 99);
    assert_int_equal(punt->metadata, rte_cpu_to_be_64(0x123));
    assert_int_equal(punt->reg[2], rte_cpu_to_be_32(5));
    actions_of("in_port=1,arp");
    punt = punt_get(first_punt());
    assert_int_equal(punt->reason, PUNT_MISS_RULE);
    assert_int_equal(punt->cookie, 7);

    bed_add(&bed, "table=0,in_port=2,actions=write_actions(controller)");
    actions_of("in_port=2");
    assert_int_equal(punt_get(first_punt())->reason, 3);
}

static void mpls(void **state)
{
    const struct recirc *recirc;
    const struct program_op *op;
    struct xlate_in in = {.bridge = bed.bridge};

    bed_add(&bed, "table=0,in_port=1,ip,actions=push_mpls:0x8847,set_field:17->mpls_label,output:2");
    EXPECT("in_port=1,ip,nw_ttl=9", "push_mpls(label=0,tc=0,ttl=9,bos=1,eth_type=0x8847),set(mpls(label=17)),2");
    /* An inner header that nobody looks at needs no second parse. */
    bed_add(&bed, "table=0,in_port=2,mpls,actions=pop_mpls:0x0800,output:2,in_port");
    EXPECT("in_port=2,mpls,mpls_label=3,mpls_bos=1", "pop_mpls(eth_type=0x800),2");

    bed_add(&bed, "table=0,in_port=3,mpls,actions=load:7->NXM_NX_REG3[],resubmit(,1),output:1");
    bed_add(&bed, "table=1,cookie=0x5,mpls,actions=pop_mpls:0x0800,output:4,dec_ttl,output:2");
    actions_of("in_port=3,mpls,mpls_label=3,mpls_bos=1");
    op = (const struct program_op *)(out.program.ops + out.program.len - 8);
    assert_int_equal(op->type, OP_RECIRC);
    recirc = recirc_get(op->arg);
    assert_non_null(recirc);
    assert_int_equal(recirc->state.reg[3], rte_cpu_to_be_32(7));
    parse_flow("in_port=3,ip,nw_ttl=5", &in.flow);
    in.flow.pkt.recirc_id = op->arg;
    xlate(&in, &out);
    format_out(&in.flow);
    assert_string_equal(program_text, "set(ipv4(ttl=4)),2,1");
}

static void normal_learns_and_forwards(void **state)
{
    bed_add(&bed, "actions=NORMAL");
    EXPECT("in_port=1,vlan_tci=0,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:02", "2,3,4,5");
    assert_int_equal(out.deps.n_learned, 1);
    EXPECT("in_port=2,vlan_tci=0,dl_src=02:00:00:00:00:02,dl_dst=02:00:00:00:00:01", "1");
    EXPECT("in_port=1,vlan_tci=0,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:02", "2");
    /* Behind the same port. */
    EXPECT("in_port=1,vlan_tci=0,dl_src=02:00:00:00:00:03,dl_dst=02:00:00:00:00:01", "drop");
    /* Another VLAN knows nothing of it. */
    EXPECT("in_port=2,dl_vlan=5,dl_src=02:00:00:00:00:02,dl_dst=02:00:00:00:00:01", "1,3,4,5");
    EXPECT("in_port=2,vlan_tci=0,dl_src=02:00:00:00:00:02,dl_dst=ff:ff:ff:ff:ff:ff", "1,3,4,5");
    EXPECT("in_port=2,vlan_tci=0,dl_src=02:00:00:00:00:02,dl_dst=01:80:c2:00:00:0e", "drop");
    /* A group address is nobody's source. */
    EXPECT("in_port=2,vlan_tci=0,dl_src=03:00:00:00:00:07,dl_dst=02:00:00:00:00:01", "1");
    assert_int_equal(out.deps.n_learned, 0);
    EXPECT("in_port=1,vlan_tci=0,dl_src=02:00:00:00:00:01,dl_dst=03:00:00:00:00:07", "2,3,4,5");
}

static void normal_knows_vlan_modes(void **state)
{
    struct bridge_port *access = bridge_port_by_ofport(bed.bridge, 1), *trunk = bridge_port_by_ofport(bed.bridge, 2),
                       *native = bridge_port_by_ofport(bed.bridge, 3), *tagged = bridge_port_by_ofport(bed.bridge, 4),
                       *other = bridge_port_by_ofport(bed.bridge, 5);

    access->lport->vlan.mode = VLAN_MODE_ACCESS;
    access->lport->vlan.tag = 7;
    memset(trunk->lport->vlan.trunks, 0, sizeof trunk->lport->vlan.trunks);
    trunk->lport->vlan.trunks[0] = 1 << 7 | 1 << 8;
    native->lport->vlan.mode = VLAN_MODE_NATIVE_UNTAGGED;
    native->lport->vlan.tag = 7;
    tagged->lport->vlan.mode = VLAN_MODE_NATIVE_TAGGED;
    tagged->lport->vlan.tag = 7;
    other->lport->vlan.mode = VLAN_MODE_ACCESS;
    other->lport->vlan.tag = 9;
    bed_add(&bed, "actions=NORMAL");
    EXPECT("in_port=1,vlan_tci=0,dl_dst=ff:ff:ff:ff:ff:ff", "3,push_vlan(vid=7,pcp=0),2,4");
    EXPECT("in_port=2,dl_vlan=7,dl_vlan_pcp=1,dl_dst=ff:ff:ff:ff:ff:ff", "4,pop_vlan,1,3");
    EXPECT("in_port=2,dl_vlan=6,dl_dst=ff:ff:ff:ff:ff:ff", "drop");
    EXPECT("in_port=1,dl_vlan=8,dl_dst=ff:ff:ff:ff:ff:ff", "drop");
    /* A tag on an access port is wrong even if it is its own VLAN; a priority tag is none. */
    EXPECT("in_port=1,dl_vlan=7,dl_dst=ff:ff:ff:ff:ff:ff", "drop");
    EXPECT("in_port=1,dl_vlan=0,dl_vlan_pcp=3,dl_dst=ff:ff:ff:ff:ff:ff", "clone(pop_vlan,3),set(vlan(vid=7)),2,4");
    EXPECT("in_port=3,dl_vlan=9,dl_dst=ff:ff:ff:ff:ff:ff", "4,pop_vlan,5");
    EXPECT("in_port=5,vlan_tci=0,dl_dst=ff:ff:ff:ff:ff:ff", "push_vlan(vid=9,pcp=0),3,4");
    /* What follows NORMAL gets the packet with the tag it came with. */
    bed_add(&bed, "priority=40000,in_port=2,ip,actions=NORMAL,output:5");
    EXPECT("in_port=2,ip,dl_vlan=7,dl_vlan_pcp=1,dl_dst=ff:ff:ff:ff:ff:ff", "4,clone(pop_vlan,1,3),5");
}

static void drops_have_reasons(void **state)
{
    struct bridge_port *access = bridge_port_by_ofport(bed.bridge, 4);

#define EXPECT_DROP(packet, reason)                                                                                    \
    do {                                                                                                               \
        EXPECT(packet, "drop");                                                                                        \
        assert_string_equal(drop_reason_name(out.drop_reason), reason);                                                \
    } while (0)
    EXPECT_DROP("in_port=1", "no_rule");
    bed_add(&bed, "in_port=1,actions=drop");
    bed_add(&bed, "in_port=1,ip,priority=39999,actions=goto_table:3");
    bed_add(&bed, "in_port=1,arp,priority=40000,actions=output:1");
    bed_add(&bed, "in_port=1,tcp,priority=40000,actions=output:77,output:1");
    bed_add(&bed, "in_port=1,udp,priority=40000,actions=output:3");
    bed_add(&bed, "in_port=2,actions=flood");
    bed_add(&bed, "in_port=4,actions=NORMAL");
    EXPECT_DROP("in_port=1,vlan_tci=0,dl_type=0x1234", "policy");
    EXPECT_DROP("in_port=1,ip", "no_rule");
    EXPECT_DROP("in_port=1,arp", "output_input");
    EXPECT_DROP("in_port=1,tcp", "output_unknown");
    bridge_port_set_config(bridge_port_by_ofport(bed.bridge, 3), PORT_CONFIG_DOWN, PORT_CONFIG_DOWN);
    EXPECT_DROP("in_port=1,udp", "output_down");
    EXPECT_DROP("in_port=3,udp", "input_refused");
    access->lport->vlan.mode = VLAN_MODE_ACCESS;
    access->lport->vlan.tag = 7;
    EXPECT_DROP("in_port=4,dl_vlan=8", "normal_vlan");
    EXPECT_DROP("in_port=4,vlan_tci=0,dl_dst=01:80:c2:00:00:00", "normal_reserved");
    for (uint32_t i = 1; i <= 5; i++)
        bridge_port_set_config(bridge_port_by_ofport(bed.bridge, i), PORT_CONFIG_NO_FLOOD, PORT_CONFIG_NO_FLOOD);
    EXPECT_DROP("in_port=2", "flood_nowhere");
    EXPECT_DROP("in_port=4,vlan_tci=0,dl_dst=ff:ff:ff:ff:ff:ff", "flood_nowhere");
}

static void normal_forwards_what_is_for_bridges_if_it_is_told_to(void **state)
{
    bed_add(&bed, "actions=NORMAL");
    EXPECT("in_port=1,vlan_tci=0,dl_dst=01:80:c2:00:00:0e", "drop");
    bridge_set_forward_bpdu(bed.bridge, true);
    EXPECT("in_port=1,vlan_tci=0,dl_dst=01:80:c2:00:00:0e", "2,3,4,5");
    bridge_set_forward_bpdu(bed.bridge, false);
    EXPECT("in_port=1,vlan_tci=0,dl_dst=01:80:c2:00:00:0e", "drop");
}

/* Each port marks what goes out by its own queue of that number; what is behind gets the packet as it was. */
static void queues_mark_packets(void **state)
{
    struct qos_queue queues[] = {{.id = 0, .dscp = 10}, {.id = 7, .dscp = 46}, {.id = 8, .dscp = -1}};
    struct bridge_port_qos qos = {.wanted = {.type = QOS_HTB, .n_queues = 3, .queues = queues}};
    struct bridge_port *bp = bridge_port_by_ofport(bed.bridge, 2);

    bp->qos = &qos;
    bed_add(&bed, "table=0,in_port=1,actions=set_queue:7,output:2,output:3");
    bed_add(&bed, "table=0,in_port=3,actions=set_queue:8,output:2,output:1");
    bed_add(&bed, "table=0,in_port=4,actions=output:2");
    bed_add(&bed, "table=0,in_port=5,actions=enqueue:2:7");
    EXPECT("in_port=1,ip,nw_tos=8", "set(skb_priority(0x7)),set(ipv4(tos=0xb8/0xfc)),2,set(ipv4(tos=0x8/0xfc)),3");
    EXPECT("in_port=1,ip,nw_tos=184", "set(skb_priority(0x7)),2,3");
    EXPECT("in_port=1,arp", "set(skb_priority(0x7)),2,3");
    EXPECT("in_port=3,ip,nw_tos=8", "set(skb_priority(0x8)),2,1");
    EXPECT("in_port=4,ip,nw_tos=8", "2");
    EXPECT("in_port=5,ipv6,nw_tos=0", "set(skb_priority(0x7)),set(ipv6(tclass=0xb8/0xfc)),2");
    bp->qos = NULL;
}

static void packet_out_runs_its_actions(void **state)
{
    struct xlate_in in = {.bridge = bed.bridge};
    struct act_buffer acts;

    bed_add(&bed, "in_port=1,actions=output:3");
    act_buffer_init(&acts);
    assert_null(actions_parse("output:2,output:1,TABLE", &acts, NULL, NULL));
    parse_flow("in_port=1", &in.flow);
    in.acts = act_buffer_list(&acts);
    xlate(&in, &out);
    format_out(&in.flow);
    assert_string_equal(program_text, "2,3");
    acts.len = 0;
    assert_null(actions_parse("controller", &acts, NULL, NULL));
    in.acts = act_buffer_list(&acts);
    xlate(&in, &out);
    assert_int_equal(punt_get(first_punt())->reason, 5);
    act_buffer_free(&acts);
}

struct lines {
    char text[4096];
    size_t len;
};

static void line(struct lines *lines, unsigned indent, const char *text)
{
    lines->len +=
        (size_t)snprintf(lines->text + lines->len, sizeof lines->text - lines->len, "%*s%s\n", (int)indent, "", text);
}

static void trace_table(void *arg, unsigned depth, uint8_t table_id, const struct rule *rule, const struct flow *flow)
{
    char text[32];

    snprintf(text, sizeof text, "%u. %s", table_id, rule ? "rule" : "No match.");
    line(arg, depth, text);
}

static void trace_text(void *arg, unsigned depth, const char *text)
{
    line(arg, depth, text);
}

static void trace_action_set(void *arg)
{
    line(arg, 0, "--. Executing action set:");
}

static void trace_tells_the_way(void **state)
{
    struct lines lines = {0};
    struct xlate_trace trace = {
        .arg = &lines, .table = trace_table, .action = trace_text, .note = trace_text, .action_set = trace_action_set};
    struct xlate_in in = {.bridge = bed.bridge, .trace = &trace};

    bed_add(&bed, "table=0,in_port=1,actions=resubmit(,1),output:1,resubmit(,2)");
    bed_add(&bed, "table=1,actions=NORMAL");
    parse_flow("in_port=1,vlan_tci=0,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:02", &in.flow);
    xlate(&in, &out);
    assert_string_equal(lines.text, "0. rule\n"
                                    "resubmit(,1)\n"
                                    " 1. rule\n"
                                    " NORMAL\n"
                                    "  -> no learned MAC for destination, flooding\n"
                                    "output:1\n"
                                    " >> skipping output to input port\n"
                                    "resubmit(,2)\n"
                                    "2. No match.\n"
                                    "drop\n");
}

/* Translates what goes on behind the last `recirc(0x..)` of program_text, tracked as `ct` says. */
static const char *behind(const char *packet, const char *ct)
{
    static char flow[512];
    const char *recirc = strrchr(program_text, 'x');

    assert_non_null(recirc);
    struct xlate_in in = {.bridge = bed.bridge};
    snprintf(flow, sizeof flow, "%s,%s", packet, ct);
    parse_flow(flow, &in.flow);
    in.flow.pkt.recirc_id = (uint32_t)strtoul(recirc + 1, NULL, 16);
    xlate(&in, &out);
    format_out(&in.flow);
    return program_text;
}

static const char *cut_recirc(const char *text)
{
    static char copy[512];

    snprintf(copy, sizeof copy, "%s", text);
    for (char *at = copy; (at = strstr(at, "recirc(0x")); at++)
        memmove(at + 7, strchr(at, ')'), strlen(strchr(at, ')')) + 1);
    return copy;
}

static void connections(void **state)
{
    bed_add(&bed, "table=0,in_port=1,udp,actions=load:7->NXM_NX_REG1[],ct(table=1,zone=3)");
    bed_add(&bed, "table=0,in_port=2,udp,actions=ct(table=1),resubmit(,2)");
    bed_add(&bed, "table=0,in_port=3,udp,actions=load:0x10009->NXM_NX_REG1[],ct(commit,force,zone=NXM_NX_REG1[0..15],"
                  "exec(set_field:0x10/0xf0->ct_mark,move:NXM_NX_REG1[]->NXM_NX_CT_LABEL[0..31]))");
    bed_add(&bed, "table=0,in_port=4,udp,actions=set_field:9.9.9.9->ip_src,ct(commit),output:1,ct(table=1)");
    bed_add(&bed, "table=1,ct_state=+new+trk,udp,actions=ct(commit),output:2");
    bed_add(&bed, "table=1,ct_state=+est+trk,ct_mark=5,actions=output:NXM_NX_REG1[]");
    bed_add(&bed, "table=1,ct_state=+rel+trk,udp,ct_nw_src=10.0.0.1,actions=ct_clear,resubmit(,2)");
    bed_add(&bed, "table=2,priority=2,ct_state=-trk,ct_mark=0,actions=output:3");
    bed_add(&bed, "table=2,priority=1,actions=output:4");

    assert_string_equal(cut_recirc(actions_of("in_port=1,udp")), "ct(zone=3),recirc()");
    EXPECT_MASK("recirc_id(0),in_port(1),eth_type(0x0800),ipv4(proto=17,frag=no)");
    behind("in_port=1,udp", "ct_state=trk|new");
    assert_string_equal(program_text, "ct(commit),2");
    assert_non_null(strstr(mask_text, "ct_state(+new"));

    actions_of("in_port=1,udp");
    assert_string_equal(behind("in_port=1,udp", "ct_state=trk|est,ct_mark=5"), "drop"); /* reg1 is 7: no such port */
    actions_of("in_port=1,udp");
    assert_string_equal(behind("in_port=1,udp", "ct_state=trk|est,ct_mark=6"), "drop");
    actions_of("in_port=1,udp");
    assert_string_equal(behind("in_port=1,udp", "ct_state=trk|rel,ct_nw_src=10.0.0.1"), "3");
    assert_non_null(strstr(mask_text, "ct_state("));

    /* The packet itself goes on as one that is not tracked. */
    assert_string_equal(cut_recirc(actions_of("in_port=2,udp")), "ct,clone(recirc()),3");
    EXPECT("in_port=3,udp", "ct(force_commit,zone=9,mark=0x10/0xf0,label=0x10009/0xffffffff)");
    assert_string_equal(cut_recirc(actions_of("in_port=4,udp")), "set(ipv4(src=9.9.9.9)),ct(commit),1,ct,recirc()");

    bed_add(&bed, "table=1,priority=40000,ct_zone=26,actions=output:3");
    actions_of("in_port=1,udp");
    assert_string_equal(behind("in_port=1,udp", "ct_state=trk|new,ct_zone=26"), "3");
    assert_non_null(strstr(mask_text, "ct_zone(0x1a)"));
}

/* What ct(nat) has made of addresses and ports only the datapath knows: actions that look at them, or write them, come
 * behind another lookup. Others do not. */
static void translated_addresses_are_looked_up_again(void **state)
{
    static const char nat[] = "ct(nat),";
    static const struct {
        const char *acts, *expected;
    } rows[] = {
        {"output:2", "ct(nat),2"},
        {"dec_ttl,output:2", "ct(nat),set(ipv4(ttl=63)),2"},
        {"mod_nw_tos:32,mod_vlan_vid:5,output:2", "ct(nat),set(ipv4(tos=0x20/0xfc)),push_vlan(vid=5,pcp=0),2"},
        {"set_field:00:00:00:00:00:05->eth_dst,load:1->NXM_NX_REG0[],output:2",
         "ct(nat),set(eth(dst=00:00:00:00:00:05)),2"},
        {"NORMAL", "ct(nat),1,2,4,5"},
        {"ct(commit,zone=2),output:2", "ct(nat),ct(commit,zone=2),2"},
        {"set_field:9.9.9.9->ip_src,output:2", "ct(nat),ct_clear,recirc()"},
        {"set_field:10.0.0.1->ip_dst,output:2", "ct(nat),ct_clear,recirc()"},
        {"set_field:7->udp_dst,output:2", "ct(nat),ct_clear,recirc()"},
        {"move:NXM_OF_IP_SRC[]->NXM_NX_REG0[],output:2", "ct(nat),ct_clear,recirc()"},
        {"push:NXM_OF_UDP_SRC[],output:2", "ct(nat),ct_clear,recirc()"},
        {"output:2,resubmit(,1)", "ct(nat),2,ct_clear,recirc()"},
        {"ct(zone=NXM_OF_UDP_SRC[]),output:2", "ct(nat),ct_clear,recirc()"},
        {"ct(commit,exec(move:NXM_OF_IP_SRC[]->NXM_NX_CT_MARK[])),output:2", "ct(nat),ct_clear,recirc()"},
        {"clone(output:1,resubmit(,1)),output:2", "ct(nat),ct_clear,recirc()"},
    };

    for (unsigned i = 0; i < RTE_DIM(rows); i++) {
        char rule[256];

        snprintf(rule, sizeof rule, "table=0,priority=%u,in_port=3,udp,actions=%s%s", i + 10, nat, rows[i].acts);
        bed_add(&bed, rule);
        assert_string_equal(cut_recirc(actions_of("in_port=3,udp,nw_src=10.0.0.9,nw_dst=10.0.0.1,tp_src=5,tp_dst=7,"
                                                  "nw_ttl=64,dl_dst=02:00:00:00:00:02")),
                            rows[i].expected);
    }
    /* Behind it the packet is what it has become. */
    bed_add(&bed, "table=0,priority=100,in_port=3,udp,nw_dst=10.0.0.1,actions=ct(nat),mod_nw_dst:10.0.0.1,output:2");
    actions_of("in_port=3,udp,nw_dst=10.0.0.1");
    assert_string_equal(behind("in_port=3,udp,nw_dst=10.0.0.7", "ct_state=0"), "set(ipv4(dst=10.0.0.1)),2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, xlate_setup, xlate_teardown)
        TEST(outputs),
        TEST(tables),
        TEST(loops_end),
        TEST(written_bits_are_not_consulted),
        TEST(moves_consult_their_source),
        TEST(sets_that_change_nothing_are_left_out),
        TEST(fields_without_header_are_not_set),
        TEST(fragments),
        TEST(vlan_tags),
        TEST(inner_vlan_tag_becomes_the_outer),
        TEST(ttl),
        TEST(action_set),
        TEST(controllers),
        TEST(mpls),
        TEST(connections),
        TEST(translated_addresses_are_looked_up_again),
        TEST(normal_learns_and_forwards),
        TEST(normal_knows_vlan_modes),
        TEST(drops_have_reasons),
        TEST(normal_forwards_what_is_for_bridges_if_it_is_told_to),
        TEST(queues_mark_packets),
        TEST(packet_out_runs_its_actions),
        TEST(trace_tells_the_way),
    };

    if (test_eal_init("xlate_test") != 0)
        return 77;
    pool = test_pool(2047);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
