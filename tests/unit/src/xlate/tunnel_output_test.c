/* What is sent to tunnel ports as one program, what rests on what, and every way in which it cannot be sent. */
#include <arpa/inet.h>

#include "src/match/tlv_map.h"
#include "src/xlate/punt.h"
#include "tests/lib/bed_tunnel.h"

/* --- one program --------------------------------------------------------- */

static void tables_of_the_outer_bridge_decide(void **state)
{
    add_tunnel(10, "vxlan remote_ip=192.0.2.2 key=7");
    bed_add(&bed, "in_port=1,actions=output:10");
    add_outer("in_port=LOCAL,udp,nw_src=192.0.2.1,nw_dst=192.0.2.2,tp_dst=4789,dl_dst=" THEIRS ",actions=output:1");
    matches(xlated(UDP), PUSH ",7");
    matches(program_text, "*vni=0x7*");
    EXPECT_MASK("recirc_id(0),in_port(1),eth_type(0x0800),ipv4(tos=0/0x3)");
    assert_string_equal(notes, " -> output to native tunnel\n -> tunneling to 192.0.2.2 via br-phy\n"
                               " -> tunneling from " OURS " 192.0.2.1 to " THEIRS " 192.0.2.2\nbridge br-phy\n");
    assert_int_equal(out.deps.n_bridges, 2);
    assert_int_equal(out.deps.n_rules, 2);
    assert_int_equal(out.deps.n_crossings, 1);
}

static void actions_behind_get_the_packet_as_it_was(void **state)
{
    add_tunnel(10, "vxlan remote_ip=192.0.2.2");
    bed_add(&bed, "in_port=1,actions=set_field:02:00:00:00:00:aa->eth_dst,output:10,output:2");
    add_outer("priority=40000,ip,actions=load:9->NXM_NX_IP_TTL[],output:1,output:2");
    matches(xlated(UDP), "set(eth(dst=02:00:00:00:00:aa)),clone(" PUSH ",set(ipv4(ttl=9)),7,8),2");
    EXPECT_MASK("recirc_id(0),in_port(1),eth_type(0x0800),ipv4(tos=0/0x3)");
}

static void what_sends_nowhere_leaves_nothing(void **state)
{
    add_tunnel(10, "vxlan remote_ip=192.0.2.2");
    bed_add(&bed, "in_port=1,actions=output:10,output:2");
    assert_string_equal(xlated(UDP), "2");
    bed_add(&bed, "priority=40000,in_port=1,actions=output:10");
    assert_string_equal(xlated(UDP), "drop");
    assert_int_equal(out.drop_reason, DROP_NO_RULE);
}

static void registers_and_tunnel_fields_stay_behind(void **state)
{
    add_tunnel(10, "vxlan remote_ip=192.0.2.2 key=flow");
    bed_add(&bed, "in_port=1,actions=load:7->NXM_NX_REG0[],set_field:5->tun_id,write_metadata:3,goto_table:1");
    bed_add(&bed, "table=1,actions=output:10,resubmit(,2)");
    bed_add(&bed, "table=2,reg0=7,tun_id=5,metadata=3,actions=output:2");
    add_outer("reg0=0,tun_id=0,metadata=0,actions=load:1->NXM_NX_REG0[],output:1");
    matches(xlated(UDP), "clone(" PUSH ",7),2");
    matches(program_text, "*vni=0x5*");
}

static void tags_are_the_inner_packets(void **state)
{
    add_tunnel(10, "vxlan remote_ip=192.0.2.2");
    bed_add(&bed, "in_port=1,actions=push_vlan:0x8100,set_field:4101->vlan_vid,output:10");
    add_outer("vlan_tci=0,actions=push_vlan:0x8100,set_field:4106->vlan_vid,output:1");
    matches(xlated(UDP), "push_vlan(vid=5,pcp=0)," PUSH ",push_vlan(vid=10,pcp=0),7");
    /* One that the packet brought along: it is no tag of the outer packet, either. */
    bed_add(&bed, "priority=40000,in_port=1,actions=output:10");
    matches(xlated(UDP ",dl_vlan=9"), PUSH ",push_vlan(vid=10,pcp=0),7");
}

/* --- what the outer headers say ------------------------------------------ */

static void congestion_bits_are_always_inherited(void **state)
{
    add_tunnel(10, "vxlan remote_ip=192.0.2.2");
    bed_add(&bed, "in_port=1,actions=output:10");
    add_outer("actions=output:1");
    xlated(UDP ",nw_tos=32,nw_ecn=1");
    assert_int_equal(outer_tos(), 1);
    EXPECT_MASK("recirc_id(0),in_port(1),eth_type(0x0800),ipv4(tos=0x1/0x3)");
    /* Congestion inside is not told outside. */
    xlated(UDP ",nw_ecn=3");
    assert_int_equal(outer_tos(), 2);
    xlated("in_port=1,arp");
    assert_int_equal(outer_tos(), 0);
    assert_int_equal(outer_ttl(), 64);
    EXPECT_MASK("recirc_id(0),in_port(1),eth_type(0x0806)");
}

static void what_is_inherited_is_consulted(void **state)
{
    add_tunnel(10, "vxlan remote_ip=192.0.2.2 tos=inherit ttl=inherit");
    bed_add(&bed, "in_port=1,actions=output:10");
    add_outer("actions=output:1");
    xlated(UDP ",nw_tos=32,nw_ecn=1");
    assert_int_equal(outer_tos(), 33);
    assert_int_equal(outer_ttl(), 9);
    EXPECT_MASK("recirc_id(0),in_port(1),eth_type(0x0800),ipv4(tos=0x21,ttl=9)");
    xlated("in_port=1,arp");
    assert_int_equal(outer_ttl(), 64);
}

static void actions_say_where_to(void **state)
{
    add_tunnel(10, "geneve remote_ip=flow key=flow");
    bed_add(&bed, "in_port=1,actions=set_field:192.0.2.2->tun_dst,set_field:0x1234567->tun_id,output:10");
    bed_add(&bed, "in_port=2,actions=set_field:2001:db8::2->tun_ipv6_dst,output:10");
    add_outer("actions=output:1");
    matches(xlated(UDP), "tnl_push(*dst=192.0.2.2,*geneve(vni=0x234567)),mtu(1500)),7");
    matches(xlated("in_port=2,arp"), "tnl_push(*ipv6(src=2001:db8::1,dst=2001:db8::2,*geneve(vni=0x0)),mtu(1500)),7");
}

static void options_that_are_set_go_out(void **state)
{
    const struct tlv_map maps[] = {{.class = 0x102, .type = 0x80, .len = 4, .index = 0},
                                   {.class = 0x103, .type = 1, .len = 8, .index = 1}};

    assert_int_equal(tlv_map_mod(TLV_ADD, maps, 2), 0);
    add_tunnel(10, "geneve remote_ip=192.0.2.2");
    bed_add(&bed, "in_port=1,actions=set_field:0x10002->tun_metadata0,output:10");
    bed_add(&bed, "in_port=2,actions=set_field:1->tun_metadata1,set_field:5->tun_metadata0,delete_field:tun_metadata0,"
                  "output:10");
    add_outer("actions=output:1");
    matches(xlated(UDP), "*geneve(crit,vni=0x0,options({class=0x102,type=0x80,len=4,0x10002}))*");
    EXPECT_MASK("recirc_id(0),in_port(1),eth_type(0x0800),ipv4(tos=0/0x3)");
    matches(xlated("in_port=2,arp"), "*geneve(vni=0x0,options({class=0x103,type=0x1,len=8,0x1}))*");
    assert_int_equal(bed_mod(&bed, FLOW_DELETE, ""), 0);
}

static void groups_of_vxlan(void **state)
{
    add_tunnel(10, "vxlan remote_ip=192.0.2.2 exts=gbp");
    bed_add(&bed, "in_port=1,actions=set_field:291->tun_gbp_id,output:10");
    add_outer("actions=output:1");
    matches(xlated(UDP), "*vxlan(flags=0x88000123,vni=0x0)*");
}

static void frames_for_tunnels_without_ethernet(void **state)
{
    add_tunnel(10, "gtpu remote_ip=192.0.2.2 key=9");
    bed_add(&bed, "in_port=1,actions=output:10");
    add_outer("actions=output:1");
    matches(xlated(UDP), "*type=110,*teid=0x9*,7");
    assert_true(push_of()->flags & TUNNEL_PUSH_NO_ETH);
    /* It carries IP and nothing else. */
    assert_string_equal(xlated("in_port=1,arp"), "drop");
    assert_int_equal(out.drop_reason, DROP_TUNNEL_HEADER);
}

/* The outer packet is what it will be parsed as: the list is an extension header, what is inside is its protocol. */
static void segments_are_ways(void **state)
{
    add_tunnel(10, "srv6 remote_ip=2001:db8::2 ttl=9");
    add_tunnel(11, "srv6 remote_ip=flow srv6_segs=2001:db8::2,fd00::3 srv6_flowlabel=zero");
    bed_add(&bed, "in_port=1,actions=output:10");
    bed_add(&bed, "in_port=2,actions=set_field:2001:db8::2->tun_ipv6_dst,output:11");
    bed_add(&bed, "in_port=3,actions=set_field:2001:db8::9->tun_ipv6_dst,output:11");
    add_outer("ipv6,nw_proto=4,nw_ttl=9,ipv6_src=2001:db8::1,ipv6_dst=2001:db8::2,actions=output:1");
    add_outer("ipv6,nw_proto=41,nw_ttl=64,ipv6_label=0,ipv6_exthdr=0x20,actions=output:2");
    matches(xlated(UDP), "tnl_push(*,type=112,eth(*),ipv6(src=2001:db8::1,dst=2001:db8::2,label=0,proto=43,tclass=0x0,"
                         "hlimit=9),srv6(segments_left=0,segs(2001:db8::2))),label(copy),mtu(1500)),7");
    assert_true(push_of()->flags & TUNNEL_PUSH_NO_ETH);
    matches(xlated("in_port=2,ipv6,ipv6_src=fd00::1,ipv6_dst=fd00::2"),
            "tnl_push(*,srv6(segments_left=1,segs(2001:db8::2,fd00::3))),mtu(1500)),8");
    /* Neither another way than that to `tun_dst`, nor anything but IP. */
    assert_string_equal(xlated("in_port=2,arp"), "drop");
    assert_int_equal(out.drop_reason, DROP_TUNNEL_HEADER);
    set_neighbour("2001:db8::9");
    turns();
    assert_string_equal(xlated("in_port=3,ip"), "drop");
    assert_int_equal(out.drop_reason, DROP_TUNNEL_HEADER);
}

/* A copied or computed label differs from packet to packet as UDP's source port does. */
static void who_looks_at_the_label_gets_it(void **state)
{
    add_tunnel(10, "srv6 remote_ip=2001:db8::2");
    add_tunnel(11, "srv6 remote_ip=2001:db8::2 srv6_flowlabel=zero key=1");
    bed_add(&bed, "in_port=1,actions=output:10");
    bed_add(&bed, "in_port=2,actions=output:11");
    add_outer("priority=1,actions=output:1");
    add_outer("ipv6,ipv6_label=5,actions=output:2");
    matches(xlated("in_port=1,ipv6,ipv6_label=5"), "tnl_push(*),recirc(*)");
    EXPECT_MASK("recirc_id(0),in_port(1),eth_type(0x86dd),ipv6(tclass=0/0x3)");
    assert_non_null(strstr(notes, " -> the tables look at the flow label, which is not known here\n"));
    matches(xlated("in_port=2,ipv6,ipv6_label=5"), "tnl_push(*),7");
    EXPECT_MASK("recirc_id(0),in_port(2),eth_type(0x86dd),ipv6(tclass=0/0x3)");
}

static void the_mark_chooses_and_is_seen(void **state)
{
    const struct in6_addr prefix = address("203.0.113.0"), gateway = address("192.0.2.2");

    assert_int_equal(routes_add(routes, &prefix, 96 + 24, 5, ROUTE_TABLE_MAIN, "br-phy", &gateway, &in6addr_any), 0);
    turns();
    add_tunnel(10, "vxlan remote_ip=203.0.113.2 egress_pkt_mark=5");
    add_tunnel(11, "vxlan remote_ip=203.0.113.2 key=1");
    bed_add(&bed, "in_port=1,actions=output:10");
    bed_add(&bed, "in_port=2,actions=output:11");
    bed_add(&bed, "in_port=3,actions=set_field:5->pkt_mark,output:11");
    add_outer("pkt_mark=5,actions=output:1");
    matches(xlated(UDP), "tnl_push(*),7");
    assert_string_equal(xlated("in_port=2,arp"), "drop");
    assert_int_equal(out.drop_reason, DROP_TUNNEL_NO_ROUTE);
    matches(xlated("in_port=3,arp"), "tnl_push(*),7");
}

static void tell_path(const char *gateway)
{
    struct route_told route = {.prefix = address("203.0.113.0"), .length = 96 + 24, .ifindex = 7, .weight = 1};

    route.gateway = address(gateway);
    routes_tell_route(routes, &route);
}

static unsigned next_hops_in_deps(void)
{
    unsigned n = 0;

    for (unsigned i = 0; i < out.deps.n_others; i++)
        n += out.deps.others[i].kind == XLATE_DEP_NEXT_HOP;
    return n;
}

/* The packet comes back with a hash, whose last bit says by which path it goes. */
static void several_paths_are_chosen_among_by_a_hash(void **state)
{
    struct xlate_in again = {.bridge = bed.bridge};
    const struct program_op *op;

    tell_path("192.0.2.2");
    tell_path("192.0.2.3");
    set_neighbour("192.0.2.2");
    set_neighbour_mac("192.0.2.3", 3);
    turns();
    add_tunnel(10, "vxlan remote_ip=203.0.113.2");
    bed_add(&bed, "in_port=1,actions=output:10,output:2");
    add_outer("nw_dst=203.0.113.2,ip,actions=output:1");
    matches(xlated(UDP), "clone(hash(*),recirc(*)),2");
    EXPECT_MASK("recirc_id(0),in_port(1),eth_type(0x0800),ipv4(tos=0/0x3)"); /* congestion, as of any tunnel */
    op = (const struct program_op *)out.program.ops;
    assert_int_equal(op->type, OP_CLONE);
    for (op = (const void *)op->data; op->type != OP_RECIRC;)
        op = program_op_next(op);
    parse_flow(UDP, &again.flow);
    again.flow.in_port = 1;
    again.flow.pkt.in_port = bridge_port_index(bridge_port_by_ofport(bed.bridge, 1));
    again.flow.pkt.recirc_id = op->arg;
    for (uint32_t slot = 0; slot < 2; slot++) {
        again.flow.pkt.dp_hash = 0xfffffff0 | slot;
        matches(translate_in(&again), slot ? "tnl_push(*dst=02:00:00:00:01:03,*dst=203.0.113.2,*),7"
                                           : "tnl_push(*dst=02:00:00:00:01:0c,*dst=203.0.113.2,*),7");
        assert_int_equal(out.wc.pkt.dp_hash, 1);
        /* On the number of paths, and on its own. */
        assert_int_equal(next_hops_in_deps(), 2);
    }
}

static void packets_are_cut_short_inside(void **state)
{
    add_tunnel(10, "erspan remote_ip=192.0.2.2 key=1 erspan_ver=1 erspan_idx=5");
    bed_add(&bed, "in_port=1,actions=output(port=10,max_len=64),output:2");
    add_outer("actions=output:1,output:2");
    matches(xlated(UDP), "clone(trunc(64),tnl_push(*),7,8),2");
}

static void senders_are_told_if_the_port_says_so(void **state)
{
    const struct punt *punt;
    struct flow_key key = {0};

    add_tunnel(10, "vxlan remote_ip=192.0.2.2 key=3 icmp_too_big=true");
    add_tunnel(11, "vxlan remote_ip=192.0.2.2 key=4");
    bed_add(&bed, "in_port=1,actions=output:10");
    bed_add(&bed, "in_port=2,actions=output:11");
    add_outer("actions=output:1");
    xlated(UDP);
    punt = punt_get(push_of()->too_big);
    assert_non_null(punt);
    assert_int_equal(punt->kind, PUNT_TOO_BIG);
    assert_int_equal(punt->in_port, 10);
    assert_int_equal(punt->max_len, 1500 - 36);
    recirc_tun_apply(&key, punt->tun, punt->tun_set);
    assert_int_equal(key.tun_id, rte_cpu_to_be_64(3));
    assert_int_equal(key.tun_ipv4_src, inet_addr("192.0.2.2"));
    assert_int_equal(key.tun_ipv4_dst, inet_addr("192.0.2.1"));
    xlated("in_port=2,arp");
    assert_int_equal(push_of()->too_big, 0);
}

/* --- refusals ------------------------------------------------------------ */

static void refused(const char *packet, enum drop_reason reason, const char *note)
{
    assert_string_equal(xlated(packet), "drop");
    assert_int_equal(out.drop_reason, reason);
    assert_false(out.error);
    if (!strstr(notes, note))
        fail_msg("no '%s' in: %s", note, notes);
}

static void every_reason_has_a_name(void **state)
{
    add_tunnel(10, "vxlan remote_ip=flow key=flow");
    add_tunnel(11, "vxlan remote_ip=203.0.113.9");
    add_tunnel(12, "vxlan remote_ip=192.0.2.2 local_ip=192.0.2.77");
    add_tunnel(13, "vxlan remote_ip=198.51.100.9");
    for (unsigned i = 0; i < 4; i++)
        bed_add(&bed, "in_port=%u,actions=output:%u", i + 1, i + 10);
    add_outer("actions=output:1");
    refused("in_port=1,arp", DROP_TUNNEL_NO_REMOTE, " >> no remote address");
    assert_int_equal(out.deps.n_others, 1); /* the port */
    refused("in_port=2,arp", DROP_TUNNEL_NO_ROUTE, " >> native tunnel routing failed\n");
    refused("in_port=3,arp", DROP_TUNNEL_NOT_OURS, " >> native tunnel routing failed\n");
    refused("in_port=4,arp", DROP_TUNNEL_NO_BRIDGE, " >> native tunnel routing failed\n");
    assert_int_equal(out.deps.others[1].kind, XLATE_DEP_NEXT_HOP);
}

static void a_neighbour_is_waited_for(void **state)
{
    const struct program_op *op;
    const struct punt *punt;

    add_tunnel(10, "vxlan remote_ip=192.0.2.9");
    bed_add(&bed, "in_port=1,actions=output:10,output:2");
    add_outer("actions=output:1");
    /* Only the tunnel waits. */
    matches(xlated(UDP), "userspace(*),2");
    assert_true(out.waits_for != 0);
    matches(notes, " -> output to native tunnel\n -> tunneling to 192.0.2.9 via br-phy\n"
                   " -> neighbor cache miss for 192.0.2.9 on bridge br-phy, sending ARP request\n");
    op = (const struct program_op *)out.program.ops;
    punt = punt_get(op->arg);
    assert_int_equal(punt->kind, PUNT_TO_NEXT_HOP);
    assert_non_null(recirc_get(punt->recirc_id));
    set_neighbour("192.0.2.9");
    turns();
    matches(xlated(UDP), "clone(tnl_push(*),7),2");
    assert_int_equal(out.waits_for, 0);
}

static void a_neighbour_that_is_silent(void **state)
{
    add_tunnel(10, "vxlan remote_ip=192.0.2.9");
    bed_add(&bed, "in_port=1,actions=output:10");
    add_outer("actions=output:1");
    xlated(UDP);
    pass(1200);
    refused(UDP, DROP_TUNNEL_UNREACHABLE, " >> 192.0.2.9 on bridge br-phy does not answer\n");
}

/* --- tunnels in tunnels -------------------------------------------------- */

static void tunnels_may_go_through_tunnels(void **state)
{
    add_tunnel(10, "vxlan remote_ip=192.0.2.2 key=1");
    add_tunnel_to(phy, 20, "geneve remote_ip=2001:db8::2 key=2");
    bed_add(&bed, "in_port=1,actions=output:10");
    add_outer("ip,actions=output:20");
    add_outer("ipv6,actions=output:1");
    matches(xlated(UDP ",nw_ecn=1"), "tnl_push(*type=4,*),tnl_push(*type=5,*,tclass=0x1,*),7");
}

static void loops_end(void **state)
{
    add_tunnel_to(phy, 20, "vxlan remote_ip=192.0.2.2");
    add_tunnel(10, "vxlan remote_ip=192.0.2.2 key=1");
    bed_add(&bed, "in_port=1,actions=output:10");
    add_outer("actions=output:20,output:1");
    /* The outer packet of 20 is for 20, too: that copy ends. */
    matches(xlated(UDP), PUSH ",clone(" PUSH ",7),7");
    assert_non_null(strstr(notes, " >> tunnels in tunnels go round\n"));
    add_outer("priority=40000,actions=output:20");
    refused(UDP, DROP_TUNNEL_LOOP, " >> tunnels in tunnels go round\n");
}

static void not_back_to_our_own_address(void **state)
{
    struct bridge_port *in = add_tunnel(10, "vxlan remote_ip=flow key=flow");

    add_tunnel(11, "geneve remote_ip=flow");
    bed_add(&bed, "in_port=10,actions=output:11");
    add_outer("actions=output:1");
    /* tun_dst is still what the packet came to. */
    assert_string_equal(came_in(in, "arp,tun_src=192.0.2.2,tun_dst=192.0.2.1"), "drop");
    assert_int_equal(out.drop_reason, DROP_TUNNEL_LOOP);
    assert_non_null(strstr(notes, " >> Not tunneling to our own address\n"));
    bed_add(&bed, "priority=40000,in_port=10,actions=move:NXM_NX_TUN_IPV4_SRC[]->NXM_NX_TUN_IPV4_DST[],output:11");
    matches(came_in(in, "arp,tun_src=192.0.2.2,tun_dst=192.0.2.1"), "tnl_push(*dst=192.0.2.2,*),7");
}

/* --- the source port ----------------------------------------------------- */

/* It differs from packet to packet: tables that look at it see the outer packet itself. */
static void who_looks_at_the_source_port_gets_it(void **state)
{
    struct xlate_in in = {.bridge = phy, .elsewhere = true};
    const struct program_op *op;
    const struct recirc *recirc;

    add_tunnel(10, "vxlan remote_ip=192.0.2.2");
    bed_add(&bed, "in_port=1,actions=output:10");
    add_outer("priority=1,actions=output:1");
    add_outer("udp,tp_src=40000,actions=output:2");
    matches(xlated(UDP), PUSH ",recirc(*)");
    EXPECT_MASK("recirc_id(0),in_port(1),eth_type(0x0800),ipv4(tos=0/0x3)");
    /* Rules that were looked at are counted when they are looked at again. */
    assert_int_equal(out.deps.n_rules, 1);
    op = (const struct program_op *)(out.program.ops + out.program.len - 8);
    assert_int_equal(op->type, OP_RECIRC);
    recirc = recirc_get(op->arg);
    assert_ptr_equal(recirc->state.bridge, phy);
    assert_int_equal(recirc->state.in_port, OFPORT_LOCAL);
    parse_flow("in_port=1,udp,nw_dst=192.0.2.2,tp_src=40000,tp_dst=4789", &in.flow);
    in.flow.pkt.recirc_id = op->arg;
    in.flow.in_port = OFPORT_LOCAL;
    assert_string_equal(translate_in(&in), "8");
    in.flow.pkt.tp_src = rte_cpu_to_be_16(40001);
    assert_string_equal(translate_in(&in), "7");
    assert_int_equal(bed_mod(&(struct bed){.bridge = phy}, FLOW_DELETE, "udp,tp_src=40000"), 0);
    matches(xlated(UDP), PUSH ",7");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(tables_of_the_outer_bridge_decide, tunnel_setup, tunnel_teardown),
        cmocka_unit_test_setup_teardown(actions_behind_get_the_packet_as_it_was, tunnel_setup, tunnel_teardown),
        cmocka_unit_test_setup_teardown(what_sends_nowhere_leaves_nothing, tunnel_setup, tunnel_teardown),
        cmocka_unit_test_setup_teardown(registers_and_tunnel_fields_stay_behind, tunnel_setup, tunnel_teardown),
        cmocka_unit_test_setup_teardown(tags_are_the_inner_packets, tunnel_setup, tunnel_teardown),
        cmocka_unit_test_setup_teardown(congestion_bits_are_always_inherited, tunnel_setup, tunnel_teardown),
        cmocka_unit_test_setup_teardown(what_is_inherited_is_consulted, tunnel_setup, tunnel_teardown),
        cmocka_unit_test_setup_teardown(actions_say_where_to, tunnel_setup, tunnel_teardown),
        cmocka_unit_test_setup_teardown(options_that_are_set_go_out, tunnel_setup, tunnel_teardown),
        cmocka_unit_test_setup_teardown(groups_of_vxlan, tunnel_setup, tunnel_teardown),
        cmocka_unit_test_setup_teardown(frames_for_tunnels_without_ethernet, tunnel_setup, tunnel_teardown),
        cmocka_unit_test_setup_teardown(segments_are_ways, tunnel_setup, tunnel_teardown),
        cmocka_unit_test_setup_teardown(who_looks_at_the_label_gets_it, tunnel_setup, tunnel_teardown),
        cmocka_unit_test_setup_teardown(the_mark_chooses_and_is_seen, tunnel_setup, tunnel_teardown),
        cmocka_unit_test_setup_teardown(several_paths_are_chosen_among_by_a_hash, tunnel_setup, tunnel_teardown),
        cmocka_unit_test_setup_teardown(packets_are_cut_short_inside, tunnel_setup, tunnel_teardown),
        cmocka_unit_test_setup_teardown(senders_are_told_if_the_port_says_so, tunnel_setup, tunnel_teardown),
        cmocka_unit_test_setup_teardown(every_reason_has_a_name, tunnel_setup, tunnel_teardown),
        cmocka_unit_test_setup_teardown(a_neighbour_is_waited_for, tunnel_setup, tunnel_teardown),
        cmocka_unit_test_setup_teardown(a_neighbour_that_is_silent, tunnel_setup, tunnel_teardown),
        cmocka_unit_test_setup_teardown(tunnels_may_go_through_tunnels, tunnel_setup, tunnel_teardown),
        cmocka_unit_test_setup_teardown(loops_end, tunnel_setup, tunnel_teardown),
        cmocka_unit_test_setup_teardown(not_back_to_our_own_address, tunnel_setup, tunnel_teardown),
        cmocka_unit_test_setup_teardown(who_looks_at_the_source_port_gets_it, tunnel_setup, tunnel_teardown),
    };

    if (test_eal_init("tunnel_output_test") != 0)
        return 77;
    pool = test_pool(8191);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
