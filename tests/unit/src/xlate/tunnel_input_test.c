/* What comes for the host out of tunnels, and what rules see of it. */
#include <arpa/inet.h>

#include "src/match/tlv_map.h"
#include "src/xlate/punt.h"
#include "tests/lib/bed_tunnel.h"

/* --- the way in ---------------------------------------------------------- */

static const char *arrive(const char *packet)
{
    struct xlate_in in = {.bridge = phy};

    parse_flow(packet, &in.flow);
    in.flow.pkt.in_port = 7;
    return translate_in(&in);
}

#define OUTER "in_port=1,udp,nw_dst=192.0.2.1,dl_src=" THEIRS ",dl_dst=" OURS ",tp_dst=4789,tp_src=40000"

static void what_is_for_the_host_is_popped(void **state)
{
    add_tunnel(10, "vxlan remote_ip=192.0.2.2");
    add_outer("in_port=1,actions=output:LOCAL");
    assert_string_equal(arrive(OUTER), "tnl_pop(4789)");
    assert_string_equal(arrive("in_port=1,udp,nw_dst=192.0.2.1,dl_dst=" OURS ",tp_dst=4790"), "6");
    assert_string_equal(arrive("in_port=1,udp,nw_dst=192.0.2.5,dl_dst=" OURS ",tp_dst=4789"), "6");
    add_outer("priority=40000,in_port=1,actions=output:LOCAL,output:2");
    assert_string_equal(arrive(OUTER), "clone(tnl_pop(4789)),8");
}

/* Segments that are left are the poll-mode threads' matter. */
static void segment_routing_is_popped(void **state)
{
    add_tunnel(10, "srv6 remote_ip=2001:db8::2");
    add_outer("in_port=1,actions=output:LOCAL");
    assert_string_equal(arrive("in_port=1,ipv6,nw_proto=4,ipv6_dst=2001:db8::1,dl_dst=" OURS), "tnl_pop(43)");
    assert_string_equal(arrive("in_port=1,ipv6,nw_proto=41,ipv6_dst=2001:db8::1,dl_dst=" OURS), "tnl_pop(43)");
    assert_string_equal(arrive("in_port=1,ipv6,nw_proto=41,ipv6_dst=2001:db8::7,dl_dst=" OURS), "6");
    assert_string_equal(arrive("in_port=1,ipv6,nw_proto=47,ipv6_dst=2001:db8::1,dl_dst=" OURS), "6");
    assert_string_equal(arrive("in_port=1,ip,nw_proto=41,nw_dst=192.0.2.1,dl_dst=" OURS), "6");
}

static void marks_go_in_with_the_packet(void **state)
{
    struct bridge_port *in = add_tunnel(10, "vxlan remote_ip=192.0.2.2");

    add_outer("in_port=1,actions=set_field:3->pkt_mark,output:LOCAL");
    assert_string_equal(arrive(OUTER), "set(skb_mark(0x3)),tnl_pop(4789)");
    bed_add(&bed, "in_port=10,pkt_mark=3,actions=output:2");
    assert_string_equal(came_in(in, "arp,pkt_mark=3"), "2");
    assert_non_null(strstr(mask_text, "skb_mark(0x3)"));
}

static void neighbours_hear_what_is_said_to_the_host(void **state)
{
    add_outer("in_port=1,actions=output:LOCAL");
    assert_string_equal(arrive("in_port=1,arp,dl_dst=" OURS), "6"); /* no tunnel wants to know */
    add_tunnel(10, "vxlan remote_ip=192.0.2.2");
    matches(arrive("in_port=1,arp,dl_dst=" OURS), "userspace(protocol,*),6");
    assert_string_equal(arrive("in_port=1,tcp,dl_dst=" OURS), "6");
}

static void rules_match_on_what_outer_headers_said(void **state)
{
    struct bridge_port *in = add_tunnel(10, "geneve remote_ip=flow key=flow");

    bed_add(&bed, "in_port=10,tun_id=5,tun_src=192.0.2.2,tun_flags=+oam,actions=output:2");
    bed_add(&bed, "priority=1,actions=output:3");
    assert_string_equal(came_in(in, "arp,tun_id=5,tun_src=192.0.2.2,tun_dst=192.0.2.1,tun_flags=+oam"), "2");
    matches(mask_text, "tunnel(tun_id=0x5,src=192.0.2.2,*),recirc_id(0),in_port(*)");
    assert_null(strstr(mask_text, "dst="));
    assert_string_equal(came_in(in, "arp,tun_id=6"), "3");
    assert_int_equal(out.deps.n_crossings, 1);
    assert_int_equal(out.deps.crossings[0].what, XLATE_CROSSED_RX);
    /* Others have no tunnel, and no bit of it in their masks. */
    assert_string_equal(xlated("in_port=1,arp"), "3");
    EXPECT_MASK("recirc_id(0),in_port(1)");
}

/* What was written goes round with the program, the rest with the packet. */
static void tunnel_fields_come_back(void **state)
{
    struct bridge_port *in = add_tunnel(10, "geneve remote_ip=flow key=flow");
    struct xlate_in again = {.bridge = bed.bridge};
    const struct program_op *op;
    uint32_t id;

    bed_add(&bed, "in_port=10,mpls,actions=set_field:192.0.2.9->tun_dst,pop_mpls:0x0800,dec_ttl,goto_table:1");
    bed_add(&bed, "table=1,tun_id=5,tun_dst=192.0.2.9,actions=output:2");
    came_in(in, "mpls,mpls_bos=1,tun_id=5,tun_dst=192.0.2.1,tun_src=192.0.2.2");
    op = (const struct program_op *)(out.program.ops + out.program.len - 8);
    assert_int_equal(op->type, OP_RECIRC);
    id = op->arg;
    /* Of another flow: the same state. */
    came_in(in, "mpls,mpls_bos=1,tun_id=6,tun_dst=192.0.2.1,tun_src=192.0.2.3");
    op = (const struct program_op *)(out.program.ops + out.program.len - 8);
    assert_int_equal(op->arg, id);
    parse_flow("ip,nw_ttl=5,tun_id=5,tun_dst=192.0.2.1,tun_src=192.0.2.2", &again.flow);
    again.flow.in_port = 10;
    again.flow.pkt.in_port = bridge_port_index(in);
    again.flow.pkt.recirc_id = id;
    matches(translate_in(&again), "set(ipv4(ttl=4)),2");
    matches(mask_text, "tunnel(tun_id=0x5),*");
}

/* A controller is told of the packet's tunnel: punts hold what was written. */
static void punts_hold_what_was_written(void **state)
{
    struct bridge_port *in = add_tunnel(10, "geneve remote_ip=flow key=flow");
    const struct punt *punt;
    uint32_t id;

    bed_add(&bed, "in_port=10,actions=set_field:192.0.2.9->tun_dst,controller");
    came_in(in, "arp,tun_id=5,tun_src=192.0.2.2");
    id = ((const struct program_op *)out.program.ops)->arg;
    came_in(in, "arp,tun_id=6,tun_src=192.0.2.3");
    assert_int_equal(((const struct program_op *)out.program.ops)->arg, id);
    punt = punt_get(id);
    struct flow_key key = {.tun_id = 5};
    recirc_tun_apply(&key, punt->tun, punt->tun_set);
    assert_int_equal(key.tun_id, 5);
    assert_int_equal(key.tun_ipv4_dst, inet_addr("192.0.2.9"));
}

/* --- what a header hides ------------------------------------------------- */

static void labels_are_off_before_a_tunnel_looks(void **state)
{
    add_tunnel(10, "vxlan remote_ip=192.0.2.2");
    bed_add(&bed, "mpls,actions=pop_mpls:0x0800,output:10");
    add_outer("actions=output:1");
    matches(xlated("in_port=1,mpls,mpls_bos=1"), "pop_mpls(*),recirc(*)");
}

/* --- packets without Ethernet header ------------------------------------- */

static const char *came_in_as(const struct bridge_port *from, uint8_t flags, const char *packet)
{
    struct xlate_in in = {.bridge = bed.bridge};

    parse_flow(packet, &in.flow);
    in.flow.in_port = from->ofport;
    in.flow.pkt.in_port = bridge_port_index(from);
    in.flow.pkt.tun_flags = flags;
    return translate_in(&in);
}

static void a_port_for_both_tells_packets_from_frames(void **state)
{
    struct bridge_port *both = add_tunnel(10, "gre remote_ip=192.0.2.2 packet_type=ptap");
    struct bridge_port *no_frames = add_tunnel(11, "gre remote_ip=192.0.2.3 packet_type=legacy_l3");

    bed_add(&bed, "priority=9,packet_type=(1,0x800),actions=output:2");
    bed_add(&bed, "priority=8,packet_type=(0,0),actions=output:3");
    assert_string_equal(came_in_as(both, TUN_FLAG_NO_ETHERNET, "ip"), "2");
    assert_non_null(strstr(mask_text, "packet_type(ns=1,id=0x800)"));
    assert_string_equal(came_in_as(both, TUN_FLAG_NO_ETHERNET, "ipv6"), "drop");
    assert_string_equal(came_in_as(both, 0, "ip"), "3");
    assert_non_null(strstr(mask_text, "packet_type(ns=0,id=0)"));
    /* Where all come without one, all are seen as frames. */
    assert_string_equal(came_in_as(no_frames, TUN_FLAG_NO_ETHERNET, "ip"), "3");
    assert_null(strstr(mask_text, "packet_type"));
    /* It can get a header, and then be sent as a frame. */
    bed_add(&bed, "priority=10,packet_type=(1,0x800),actions=encap(ethernet),"
                  "set_field:02:00:00:00:00:05->eth_dst,output:2");
    matches(came_in_as(both, TUN_FLAG_NO_ETHERNET, "ip"), "set(eth(*dst=02:00:00:00:00:05*)),2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_for_the_host_is_popped, tunnel_setup, tunnel_teardown),
        cmocka_unit_test_setup_teardown(segment_routing_is_popped, tunnel_setup, tunnel_teardown),
        cmocka_unit_test_setup_teardown(marks_go_in_with_the_packet, tunnel_setup, tunnel_teardown),
        cmocka_unit_test_setup_teardown(neighbours_hear_what_is_said_to_the_host, tunnel_setup, tunnel_teardown),
        cmocka_unit_test_setup_teardown(rules_match_on_what_outer_headers_said, tunnel_setup, tunnel_teardown),
        cmocka_unit_test_setup_teardown(tunnel_fields_come_back, tunnel_setup, tunnel_teardown),
        cmocka_unit_test_setup_teardown(punts_hold_what_was_written, tunnel_setup, tunnel_teardown),
        cmocka_unit_test_setup_teardown(labels_are_off_before_a_tunnel_looks, tunnel_setup, tunnel_teardown),
        cmocka_unit_test_setup_teardown(a_port_for_both_tells_packets_from_frames, tunnel_setup, tunnel_teardown),
    };

    if (test_eal_init("tunnel_input_test") != 0)
        return 77;
    pool = test_pool(8191);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
