/* Tunnel ports: what is sent to them as one program, what rests on what, and every way in which it cannot be sent.
 * Bridge br0 has ports 1 to 5 and the tunnel ports; br-phy has a port of the host's, LOCAL, and two others (datapath
 * ports 6, 7 and 8). The neighbour 192.0.2.2 is known and behind port 1 of br-phy. */
#include <arpa/inet.h>
#include <fnmatch.h>

#include "src/match/tlv_map.h"
#include "src/net/route.h"
#include "src/tunnel/neighbour.h"
#include "src/tunnel/next_hop.h"
#include "src/tunnel/tunnel_options.h"
#include "src/tunnel/tunnel_port.h"
#include "src/xlate/punt.h"
#include "tests/lib/bed_xlate.h"

#define OURS "02:00:00:00:00:06"
#define THEIRS "02:00:00:00:01:02"

static struct loop *loop;
static struct routes *routes;
static struct neighbours *neighbours;
static struct next_hops *hops;
static struct tunnels *tunnels;
static struct bridge *phy;
static char notes[4096];
static uint64_t now_us;

/* --- the bed ------------------------------------------------------------- */

static uint64_t test_clock(void)
{
    return now_us;
}

static struct in6_addr address(const char *s)
{
    struct in6_addr a = {.s6_addr = {[10] = 0xff, [11] = 0xff}};

    if (inet_pton(AF_INET, s, &a.s6_addr[12]) != 1)
        assert_int_equal(inet_pton(AF_INET6, s, &a), 1);
    return a;
}

static void tell_device(int ifindex, const char *name)
{
    struct routes_device device = {.ifindex = ifindex, .mac = {{2, 0, 0, 0, 0, 6}}, .mtu = 1500};

    snprintf(device.name, sizeof device.name, "%s", name);
    routes_tell_device(routes, &device);
}

static void tell_address(int ifindex, const char *ip)
{
    const struct in6_addr a = address(ip);

    routes_tell_address(routes, ifindex, &a, strchr(ip, ':') ? 64 : 96 + 24);
}

static void tell_route(const char *prefix, unsigned length, int ifindex, bool local)
{
    const struct route_told route = {.prefix = address(prefix),
                                     .length = (uint8_t)(strchr(prefix, ':') ? length : 96 + length),
                                     .ifindex = ifindex,
                                     .local = local};

    routes_tell_route(routes, &route);
}

static void tell_host(void)
{
    tell_device(7, "br-phy");
    tell_device(8, "eth9");
    tell_address(7, "192.0.2.1");
    tell_address(7, "2001:db8::1");
    tell_address(8, "198.51.100.1");
    tell_route("192.0.2.0", 24, 7, false);
    tell_route("192.0.2.1", 32, 7, true);
    tell_route("2001:db8::", 64, 7, false);
    tell_route("198.51.100.0", 24, 8, false);
    routes_told_all(routes);
}

static void set_neighbour_mac(const char *ip, uint8_t last)
{
    const struct in6_addr a = address(ip);

    neighbours_tell(neighbours, phy, &a, &(struct rte_ether_addr){{2, 0, 0, 0, 1, last}}, NEIGHBOUR_SET);
}

static void set_neighbour(const char *ip)
{
    set_neighbour_mac(ip, 2);
}

static void on_send(void *arg, struct bridge_port *from, struct rte_mbuf *frame)
{
    rte_pktmbuf_free(frame);
}

static void on_changed(void *arg, uint64_t id)
{
    flows_note_next_hop(bed.flows, id);
}

static void on_go(void *arg, struct rte_mbuf *packet)
{
    flows_go_on(bed.flows, packet);
}

static bool is_wanted(void *arg, uint64_t id)
{
    return true;
}

static void turns(void)
{
    while (loop_turn(loop) == 0)
        continue;
}

static void pass(uint64_t ms)
{
    for (uint64_t end = now_us + ms * 1000; now_us < end; now_us += 10000)
        turns();
    turns();
}

static void add_device(const char *name, uint32_t ofport, enum bridge_port_kind kind)
{
    struct fake_port *fake = fake_port_create(1024);
    const char *error;

    fake->port.ops = bed_ops();
    if (kind == BRIDGE_PORT_INTERNAL)
        snprintf(fake->port.ifname, sizeof fake->port.ifname, "%s", name);
    assert_int_equal(datapath_port_add(bed.dp, &fake->port), 0);
    assert_non_null(bridge_port_add(
        phy, &(struct bridge_port_params){.port = &fake->port, .name = name, .ofport = ofport, .kind = kind}, &error));
}

/* "vxlan remote_ip=192.0.2.2 key=1" */
static struct bridge_port *add_tunnel_to(struct bridge *bridge, uint32_t ofport, const char *description)
{
    struct bridge_port_params params = {.kind = BRIDGE_PORT_TUNNEL, .ofport = ofport};
    struct tunnel_option_text options[8];
    char words[256], name[16], said[256];
    struct tunnel_config config;
    const char *why;
    size_t n = 0;

    snprintf(words, sizeof words, "%s", description);
    snprintf(name, sizeof name, "t%u", ofport);
    const char *type = strtok(words, " ");
    for (char *word = strtok(NULL, " "); word; word = strtok(NULL, " ")) {
        char *value = strchr(word, '=');
        *value++ = '\0';
        options[n++] = (struct tunnel_option_text){word, value};
    }
    assert_int_equal(tunnel_options_parse("t", type, options, n, &config, said, sizeof said), 0);
    params.name = name;
    params.tunnel = tunnel_port_create(tunnels, name, &config, said, sizeof said);
    assert_non_null(params.tunnel);
    return bridge_port_add(bridge, &params, &why);
}

static struct bridge_port *add_tunnel(uint32_t ofport, const char *description)
{
    return add_tunnel_to(bed.bridge, ofport, description);
}

/* A rule of br-phy. */
static void add_outer(const char *text)
{
    struct bed outer = {.bridge = phy};

    bed_add(&outer, "%s", text);
}

static void setup_around(void)
{
    const struct neighbours_user neighbours_user = {.send = on_send};
    const struct next_hops_user user = {.changed = on_changed, .go = on_go, .wanted = is_wanted};

    loop = loop_create();
    routes = routes_create();
    phy = bridge_create("br-phy", 2, bed.dp);
    flows_attach(bed.flows, phy);
    add_device("br-phy", OFPORT_LOCAL, BRIDGE_PORT_INTERNAL); /* 6 */
    add_device("q1", 1, BRIDGE_PORT_DEVICE);                  /* 7 */
    add_device("q2", 2, BRIDGE_PORT_DEVICE);                  /* 8 */
    neighbours = neighbours_create(loop, routes, pool, &neighbours_user);
    hops = next_hops_create(loop, routes, neighbours, &user);
    next_hops_attach(hops, phy);
    tell_host();
    turns();
    set_neighbour("192.0.2.2");
    set_neighbour("2001:db8::2");
    tunnels = tunnels_create(bed.dp, routes);
    flows_set_tunnels(bed.flows, tunnels, hops);
    flows_set_neighbours(bed.flows, neighbours);
}

static int setup(void **state)
{
    now_us = 1000000000;
    clock_set_source(test_clock);
    xlate_setup(state);
    setup_around();
    return 0;
}

static int teardown(void **state)
{
    tlv_map_mod(TLV_CLEAR, NULL, 0);
    bed_forget_bridge(&bed, phy);
    next_hops_destroy(hops);
    bridge_destroy(phy);
    neighbours_destroy(neighbours);
    xlate_teardown(state);
    tunnels_destroy(tunnels);
    routes_destroy(routes);
    loop_destroy(loop);
    clock_set_source(NULL);
    return 0;
}

/* --- translating --------------------------------------------------------- */

static void on_table(void *arg, unsigned depth, uint8_t table_id, const struct rule *rule, const struct flow *flow)
{
}

static void on_action(void *arg, unsigned depth, const char *text)
{
}

static void on_note(void *arg, unsigned depth, const char *text)
{
    snprintf(notes + strlen(notes), sizeof notes - strlen(notes), "%s\n", text);
}

static void on_bridge(void *arg, const struct bridge *bridge)
{
    snprintf(notes + strlen(notes), sizeof notes - strlen(notes), "bridge %s\n", bridge->name);
}

static void on_action_set(void *arg)
{
}

static const struct xlate_trace trace = {
    .table = on_table, .action = on_action, .note = on_note, .bridge = on_bridge, .action_set = on_action_set};

/* Translates `in`, whose flow is there, without and with trace. Returns the program. */
static const char *translate_in(struct xlate_in *in)
{
    in->tunnels = tunnels;
    in->hops = hops;
    in->neighbours = neighbours;
    notes[0] = '\0';
    in->trace = &trace;
    xlate(in, &out);
    in->trace = NULL;
    in->side_effects = true;
    xlate(in, &out);
    format_out(&in->flow);
    return program_text;
}

static const char *xlated(const char *packet)
{
    struct xlate_in in = {.bridge = bed.bridge};

    parse_flow(packet, &in.flow);
    return translate_in(&in);
}

/* A packet that came out of the tunnel. */
static const char *came_in(const struct bridge_port *from, const char *packet)
{
    struct xlate_in in = {.bridge = bed.bridge};

    parse_flow(packet, &in.flow);
    in.flow.in_port = from->ofport;
    in.flow.pkt.in_port = bridge_port_index(from);
    return translate_in(&in);
}

/* With the wildcards of a shell: * and ?. */
static void matches(const char *text, const char *pattern)
{
    if (fnmatch(pattern, text, 0) != 0)
        fail_msg("'%s' is not like '%s'", text, pattern);
}

/* What follows the output to the tunnel in brackets, of VXLAN to 192.0.2.2. */
#define PUSH                                                                                                           \
    "tnl_push(tnl_port(*),header(size=50,type=vxlan,eth(dst=" THEIRS ",src=" OURS ",dl_type=0x0800),"                  \
    "ipv4(src=192.0.2.1,dst=192.0.2.2,proto=17,tos=*,ttl=*,frag=0x4000),udp(src=0,dst=4789,csum=0x0),"                 \
    "vxlan(flags=0x8000000,vni=*)),mtu(1500))"
#define UDP "in_port=1,udp,nw_src=10.0.0.9,nw_dst=10.0.0.1,nw_ttl=9,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:02"

static const struct op_tunnel_push *push_of(void)
{
    PROGRAM_FOR_EACH (op, &out.program) {
        if (op->type == OP_TUNNEL_PUSH)
            return (const void *)op->data;
    }
    fail_msg("no OP_TUNNEL_PUSH: %s", program_text);
    return NULL;
}

/* The TOS of the outer header. */
static uint8_t outer_tos(void)
{
    const struct op_tunnel_push *push = push_of();

    return push->header[push->l3 + 1];
}

static uint8_t outer_ttl(void)
{
    const struct op_tunnel_push *push = push_of();

    return push->header[push->l3 + 8];
}

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
    matches(xlated(UDP), "*geneve(crit,vni=0x0,options({class=0x102,type=0x80,len=4,0x00010002}))*");
    EXPECT_MASK("recirc_id(0),in_port(1),eth_type(0x0800),ipv4(tos=0/0x3)");
    matches(xlated("in_port=2,arp"), "*geneve(vni=0x0,options({class=0x103,type=0x1,len=8,0x0000000000000001}))*");
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
    matches(xlated(UDP), "*type=gtpu,*teid=0x9*,7");
    assert_true(push_of()->flags & TUNNEL_PUSH_NO_ETH);
    /* It carries IP and nothing else. */
    assert_string_equal(xlated("in_port=1,arp"), "drop");
    assert_int_equal(out.drop_reason, DROP_TUNNEL_HEADER);
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
                                           : "tnl_push(*dst=02:00:00:00:01:02,*dst=203.0.113.2,*),7");
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
    matches(xlated(UDP ",nw_ecn=1"), "tnl_push(*type=vxlan*),tnl_push(*type=geneve,*,tclass=0x1,*),7");
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
    assert_string_equal(arrive(OUTER), "tnl_pop(vxlan,4789)");
    assert_string_equal(arrive("in_port=1,udp,nw_dst=192.0.2.1,dl_dst=" OURS ",tp_dst=4790"), "6");
    assert_string_equal(arrive("in_port=1,udp,nw_dst=192.0.2.5,dl_dst=" OURS ",tp_dst=4789"), "6");
    add_outer("priority=40000,in_port=1,actions=output:LOCAL,output:2");
    assert_string_equal(arrive(OUTER), "clone(tnl_pop(vxlan,4789)),8");
}

static void marks_go_in_with_the_packet(void **state)
{
    struct bridge_port *in = add_tunnel(10, "vxlan remote_ip=192.0.2.2");

    add_outer("in_port=1,actions=set_field:3->pkt_mark,output:LOCAL");
    assert_string_equal(arrive(OUTER), "set(skb_mark(0x3)),tnl_pop(vxlan,4789)");
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
    assert_true(out.deps.crossings[0].rx);
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

/* --- with packets -------------------------------------------------------- */

static int setup_running(void **state)
{
    xlate_setup_running(state);
    setup_around();
    return 0;
}

static struct fake_port *outer_device(uint32_t ofport)
{
    return (struct fake_port *)bridge_port_by_ofport(phy, ofport)->port;
}

/* The next packet there; NULL: none comes. */
static struct rte_mbuf *next_at(struct fake_port *fake, unsigned ms)
{
    const uint64_t end = clock_now_ms() + ms;
    struct rte_mbuf *m;

    while (rte_ring_sc_dequeue(fake->out, (void **)&m) != 0) {
        if (clock_now_ms() >= end)
            return NULL;
        bed_turn(&bed);
        turns();
    }
    return m;
}

static void expect_outer_to(struct fake_port *fake, const char *mac)
{
    struct rte_mbuf *m = next_at(fake, 2000);

    assert_non_null(m);
    assert_memory_equal(rte_pktmbuf_mtod(m, void *), mac, RTE_ETHER_ADDR_LEN);
    rte_pktmbuf_free(m);
}

static void arrives_at(uint32_t ofport)
{
    send_to(ofport, bed_udp());
}

/* A packet is counted after it was sent. */
static void expect_sent_by(const struct bridge_port *bp, uint64_t n)
{
    const uint64_t end = clock_now_ms() + 2000;
    struct bridge_port_stats stats;

    do {
        bed_turn(&bed);
        flows_refresh_stats(bed.flows, 0);
        bridge_port_stats(bp, &stats);
    } while (stats.tx_packets < n && clock_now_ms() < end);
    assert_int_equal(stats.tx_packets, n);
}

static void megaflows_follow_neighbours_and_ports(void **state)
{
    const struct in6_addr far = address("192.0.2.2");
    struct bridge_port *tunnel = add_tunnel(10, "vxlan remote_ip=192.0.2.2");
    struct flows_stats before, after;

    bed_add(&bed, "in_port=1,actions=output:10");
    bed_add(&bed, "in_port=2,actions=output:3");
    add_outer("actions=output:1");
    arrives_at(2);
    arrives_at(1);
    expect_outer_to(outer_device(1), "\x02\0\0\0\x01\x02");
    bed_settle(&bed);
    flows_get_stats(bed.flows, &before);
    neighbours_tell(neighbours, phy, &far, &(struct rte_ether_addr){{2, 0, 0, 0, 9, 9}}, NEIGHBOUR_SET);
    turns();
    bed_settle(&bed);
    flows_get_stats(bed.flows, &after);
    assert_int_equal(after.revalidated - before.revalidated, 1);
    arrives_at(1);
    expect_outer_to(outer_device(1), "\x02\0\0\0\x09\x09");
    expect_sent_by(tunnel, 2);
    bridge_port_remove(tunnel);
    bed_settle(&bed);
    arrives_at(1);
    assert_null(next_at(outer_device(1), 100));
}

/* It is sent once, by the tunnel alone; what else it was sent to had it before. */
static void a_packet_that_waited_is_sent(void **state)
{
    struct rte_mbuf *m;

    add_tunnel(10, "vxlan remote_ip=192.0.2.9");
    bed_add(&bed, "in_port=1,actions=output:10,output:2");
    add_outer("actions=output:1");
    arrives_at(1);
    m = next_at(bed.fake[2], 2000);
    assert_non_null(m);
    rte_pktmbuf_free(m);
    assert_null(next_at(outer_device(1), 50));
    set_neighbour("192.0.2.9");
    expect_outer_to(outer_device(1), "\x02\0\0\0\x01\x02");
    assert_null(next_at(outer_device(1), 50));
    assert_null(next_at(bed.fake[2], 1));
    arrives_at(1);
    expect_outer_to(outer_device(1), "\x02\0\0\0\x01\x02");
}

static uint64_t dropped(enum drop_reason reason)
{
    struct drop_counters sum;

    datapath_drops(bed.dp, &sum);
    return sum.packets[reason];
}

static void send_to_a_neighbour_that_is_asked(uint32_t ofport)
{
    char text[64];

    snprintf(text, sizeof text, "vxlan remote_ip=192.0.2.%u", ofport);
    add_tunnel(ofport, text);
    snprintf(text, sizeof text, "in_port=1,actions=output:%u", ofport);
    bed_add(&bed, text);
    bed_settle(&bed);
    for (unsigned i = 0; i < NEXT_HOP_WAIT_MAX + 20; i++) {
        arrives_at(1);
        bed_turn(&bed);
        turns();
    }
    for (unsigned i = 0; i < 20 && dropped(DROP_TUNNEL_WAIT_FULL) == 0; i++) {
        bed_turn(&bed);
        turns();
    }
}

/* Others that come meanwhile are dropped, by a name of their own. A neighbour is waited for for a second, which may
 * pass too soon where others have the core: then there is another one. */
static void no_more_wait_than_there_is_room_for(void **state)
{
    add_outer("actions=output:1");
    for (uint32_t ofport = 20; ofport < 40 && dropped(DROP_TUNNEL_WAIT_FULL) == 0; ofport++)
        send_to_a_neighbour_that_is_asked(ofport);
    assert_int_not_equal(dropped(DROP_TUNNEL_WAIT_FULL), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define RUNNING(name) cmocka_unit_test_setup_teardown(name, setup_running, teardown)
    const struct CMUnitTest tests[] = {
        TEST(tables_of_the_outer_bridge_decide),
        TEST(actions_behind_get_the_packet_as_it_was),
        TEST(what_sends_nowhere_leaves_nothing),
        TEST(registers_and_tunnel_fields_stay_behind),
        TEST(tags_are_the_inner_packets),
        TEST(congestion_bits_are_always_inherited),
        TEST(what_is_inherited_is_consulted),
        TEST(actions_say_where_to),
        TEST(options_that_are_set_go_out),
        TEST(groups_of_vxlan),
        TEST(frames_for_tunnels_without_ethernet),
        TEST(the_mark_chooses_and_is_seen),
        TEST(several_paths_are_chosen_among_by_a_hash),
        TEST(packets_are_cut_short_inside),
        TEST(senders_are_told_if_the_port_says_so),
        TEST(every_reason_has_a_name),
        TEST(a_neighbour_is_waited_for),
        TEST(a_neighbour_that_is_silent),
        TEST(tunnels_may_go_through_tunnels),
        TEST(loops_end),
        TEST(not_back_to_our_own_address),
        TEST(who_looks_at_the_source_port_gets_it),
        TEST(what_is_for_the_host_is_popped),
        TEST(marks_go_in_with_the_packet),
        TEST(neighbours_hear_what_is_said_to_the_host),
        TEST(rules_match_on_what_outer_headers_said),
        TEST(tunnel_fields_come_back),
        TEST(punts_hold_what_was_written),
        TEST(labels_are_off_before_a_tunnel_looks),
        RUNNING(megaflows_follow_neighbours_and_ports),
        RUNNING(a_packet_that_waited_is_sent),
        RUNNING(no_more_wait_than_there_is_room_for),
    };

    if (test_eal_init("tunnel_output_test") != 0)
        return 77;
    pool = test_pool(8191);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
