/* Tunnel ports among each other: indexes, conflicts, listeners, and which packets end at this host. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "src/net/route.h"
#include "src/tunnel/tunnel_options.h"
#include "src/tunnel/tunnel_port.h"

static struct routes *routes;
static struct tunnels *tunnels;
static struct bridge *bridge;
static char error[512];
static unsigned n_changed, n_changed_any, n_noted;
static char changed_device[16];

static struct in6_addr address(const char *s)
{
    struct in6_addr a = {.s6_addr = {[10] = 0xff, [11] = 0xff}};

    if (inet_pton(AF_INET, s, &a.s6_addr[12]) != 1)
        assert_int_equal(inet_pton(AF_INET6, s, &a), 1);
    return a;
}

static void tell_address(const char *s)
{
    struct in6_addr a = address(s);

    routes_tell_address(routes, 3, &a, strchr(s, ':') ? 64 : 120);
}

static void on_changed(void *arg, const char *device)
{
    n_changed++;
    n_changed_any += device == NULL;
    snprintf(changed_device, sizeof changed_device, "%s", device ? device : "");
}

static void port_changed(void *arg, struct bridge_port *bp, unsigned what)
{
    n_noted += what == BRIDGE_PORT_CLAIMS;
}

static struct bridge_listener listener = {.port_changed = port_changed};

static int setup(void **state)
{
    const struct routes_device device = {.ifindex = 3, .name = "br-phy", .mac = {{2, 0, 0, 0, 0, 3}}, .mtu = 1500};

    routes = routes_create();
    routes_tell_device(routes, &device);
    tell_address("192.0.2.1");
    tell_address("2001:db8::1");
    routes_told_all(routes);
    tunnels = tunnels_create(NULL, routes);
    tunnels_set_changed(tunnels, on_changed, NULL);
    bridge = bridge_create("br-int", 1, NULL);
    bridge_listen(bridge, &listener);
    n_changed = n_noted = 0;
    return 0;
}

static int teardown(void **state)
{
    bridge_destroy(bridge);
    tunnels_destroy(tunnels);
    routes_destroy(routes);
    return 0;
}

/* "vxlan remote_ip=192.0.2.2 key=1" */
static struct tunnel_config config_of(const char *description)
{
    struct tunnel_option_text options[8];
    struct tunnel_config config;
    static char words[256];
    char said[256];
    size_t n = 0;

    snprintf(words, sizeof words, "%s", description);
    const char *type = strtok(words, " ");
    for (char *word = strtok(NULL, " "); word; word = strtok(NULL, " ")) {
        char *value = strchr(word, '=');
        *value++ = '\0';
        options[n++] = (struct tunnel_option_text){word, value};
    }
    assert_int_equal(tunnel_options_parse("t", type, options, n, &config, said, sizeof said), 0);
    return config;
}

/* A port in the bridge; NULL, with the sentence in error[]. */
static struct bridge_port *add(uint32_t ofport, const char *description)
{
    struct tunnel_config config = config_of(description);
    struct bridge_port_params params = {.kind = BRIDGE_PORT_TUNNEL, .ofport = ofport};
    const char *why;
    char name[16];

    snprintf(name, sizeof name, "t%u", ofport);
    params.name = name;
    params.tunnel = tunnel_port_create(tunnels, name, &config, error, sizeof error);
    return params.tunnel ? bridge_port_add(bridge, &params, &why) : NULL;
}

static int change(struct bridge_port *bp, const char *description)
{
    struct tunnel_config config = config_of(description);

    return tunnel_port_change(bp->tunnel, &config, error, sizeof error);
}

static void test_indexes(void **state)
{
    struct bridge_port *a = add(1, "vxlan remote_ip=192.0.2.2"), *b = add(2, "vxlan remote_ip=192.0.2.3");
    uint32_t first = a->tunnel->index;

    assert_true(first >= TUNNEL_INDEX_FIRST);
    assert_int_equal(bridge_port_index(a), first);
    assert_ptr_equal(bridge_port_by_index(NULL, first), a);
    assert_ptr_equal(bridge_port_by_index(NULL, b->tunnel->index), b);
    assert_ptr_equal(tunnels_next(tunnels, 0), a);
    assert_ptr_equal(tunnels_next(tunnels, first + 1), b);
    assert_null(tunnels_next(tunnels, b->tunnel->index + 1));
    bridge_port_remove(a);
    assert_null(bridge_port_by_index(NULL, first));
    assert_ptr_equal(tunnels_next(tunnels, first), b);
    /* It is not given out again. */
    a = add(1, "vxlan remote_ip=192.0.2.2");
    assert_true(a->tunnel->index > b->tunnel->index);
}

static void test_port(void **state)
{
    struct bridge_port *a = add(1, "gre remote_ip=192.0.2.2");
    struct bridge_port_stats stats;
    struct port_status status = {0};

    bridge_port_ops(a)->get_status(a, &status);
    assert_true(status.link_up);
    assert_string_equal(status.driver, "gre");
    assert_int_equal(a->state, PORT_STATE_LIVE);
    bridge_port_count(a, true, 3, 300);
    bridge_port_count(a, false, 2, 120);
    bridge_port_stats(a, &stats);
    assert_int_equal(stats.rx_packets, 3);
    assert_int_equal(stats.rx_bytes, 300);
    assert_int_equal(stats.tx_packets, 2);
    assert_int_equal(stats.tx_bytes, 120);
    bridge_port_set_config(a, PORT_CONFIG_DOWN, PORT_CONFIG_DOWN);
    assert_int_equal(a->state, 0);
}

/* What makes two ports take the same packets, and what tells them apart. */
static void test_conflicts(void **state)
{
    static const char *const apart[] = {
        "vxlan remote_ip=192.0.2.2",
        "vxlan remote_ip=192.0.2.2 key=1",
        "vxlan remote_ip=192.0.2.2 key=flow",
        "vxlan remote_ip=192.0.2.2 local_ip=192.0.2.1",
        "vxlan remote_ip=192.0.2.2 dst_port=8472",
        "vxlan remote_ip=192.0.2.3",
        "vxlan remote_ip=2001:db8::2",
        "vxlan remote_ip=flow",
        "vxlan remote_ip=flow local_ip=flow",
        "geneve remote_ip=192.0.2.2",
        "gre remote_ip=192.0.2.2",
        "gre remote_ip=192.0.2.2 packet_type=legacy_l3",
        "gre remote_ip=192.0.2.2 packet_type=ptap",
        "erspan remote_ip=192.0.2.2",
        "srv6 remote_ip=2001:db8::2",
        "srv6 remote_ip=2001:db8::2 packet_type=ptap",
        "srv6 remote_ip=flow",
    };
    static const char *const same[] = {
        "vxlan remote_ip=192.0.2.2 key=0",
        "vxlan remote_ip=192.0.2.2 in_key=1 out_key=2",
        "vxlan remote_ip=192.0.2.2 ttl=3 csum=true",
        "vxlan remote_ip=flow local_ip=flow ttl=7",
        "gre remote_ip=192.0.2.2 key=0",
        "gre remote_ip=192.0.2.2 key=0 packet_type=ptap",
        "ip6gre remote_ip=192.0.2.2",
        "srv6 remote_ip=2001:db8::2 srv6_segs=2001:db8::2,2001:db8::3",
        "srv6 remote_ip=flow srv6_flowlabel=zero",
    };

    for (unsigned i = 0; i < RTE_DIM(apart); i++)
        assert_non_null(add(i + 1, apart[i]));
    for (unsigned i = 0; i < RTE_DIM(same); i++) {
        assert_null(add(100, same[i]));
        assert_non_null(strstr(error, "could not add network device t100 to ofproto (File exists): port t"));
    }
    assert_null(add(100, "vxlan remote_ip=192.0.2.9 exts=gbp"));
    assert_string_equal(error, "t100: VXLAN-GBP, and non-VXLAN-GBP tunnels can't be configured on the same dst_port");
    assert_non_null(add(101, "vxlan remote_ip=192.0.2.9 exts=gpe"));
    assert_null(add(100, "geneve remote_ip=192.0.2.9 dst_port=4789"));
    assert_string_equal(error,
                        "t100: UDP port 4789 is that of port t1, which is of type vxlan: choose another dst_port");
    assert_non_null(add(100, "vxlan remote_ip=192.0.2.9 dst_port=4790 exts=gbp"));
}

static void test_change(void **state)
{
    struct bridge_port *a = add(1, "vxlan remote_ip=192.0.2.2"), *b = add(2, "vxlan remote_ip=192.0.2.3");
    uint32_t index = a->tunnel->index;

    n_changed = 0;
    assert_int_equal(change(a, "vxlan remote_ip=192.0.2.2"), 0);
    assert_int_equal(n_noted, 0);
    assert_int_equal(change(a, "vxlan remote_ip=192.0.2.4 csum=true"), 0);
    assert_int_equal(n_noted, 1);
    assert_int_equal(n_changed, 0);
    assert_int_equal(a->tunnel->index, index);
    assert_true(tunnel_port_config(a)->csum);
    /* What another has: nothing changes. */
    assert_int_not_equal(change(a, "vxlan remote_ip=192.0.2.3"), 0);
    assert_int_not_equal(change(a, "vxlan remote_ip=192.0.2.4 exts=gbp"), 0);
    assert_true(tunnel_port_config(a)->csum);
    assert_int_equal(n_noted, 1);
    /* What it had is free. */
    assert_int_equal(change(b, "vxlan remote_ip=192.0.2.2"), 0);
    assert_int_equal(change(a, "vxlan remote_ip=192.0.2.3"), 0);
    /* The last one of a UDP port takes it elsewhere, or changes what it is. */
    bridge_port_remove(b);
    assert_int_equal(change(a, "vxlan remote_ip=192.0.2.3 exts=gbp"), 0);
    n_changed = 0;
    assert_int_equal(change(a, "vxlan remote_ip=192.0.2.3 dst_port=8472"), 0);
    assert_true(n_changed > 0);
    assert_int_equal(tunnels_n_listeners(tunnels), 1);
    assert_int_equal(tunnels_listener(tunnels, 0)->udp_port, 8472);
}

static void test_listeners(void **state)
{
    struct bridge_port *a = add(1, "geneve remote_ip=192.0.2.2");

    assert_int_equal(n_changed, 1);
    add(2, "geneve remote_ip=192.0.2.3");
    add(3, "vxlan remote_ip=192.0.2.3");
    add(4, "erspan remote_ip=192.0.2.3");
    add(5, "gre remote_ip=192.0.2.3");
    assert_int_equal(n_changed, 3);
    assert_int_equal(tunnels_n_listeners(tunnels), 3);
    assert_int_equal(tunnels_listener(tunnels, 0)->type, TUNNEL_GRE);
    assert_int_equal(tunnels_listener(tunnels, 0)->n_ports, 2);
    assert_int_equal(tunnels_listener(tunnels, 1)->udp_port, 4789);
    assert_int_equal(tunnels_listener(tunnels, 2)->udp_port, 6081);
    assert_int_equal(tunnels_listener(tunnels, 2)->n_ports, 2);
    bridge_port_remove(a);
    assert_int_equal(n_changed, 3);
    bridge_port_remove(bridge_port_by_ofport(bridge, 2));
    assert_int_equal(n_changed, 4);
    assert_int_equal(tunnels_n_listeners(tunnels), 2);
    /* Addresses of this host that come and go change what ends here, too. */
    tell_address("192.0.2.7");
    assert_int_equal(n_changed, 5);
    /* One of its own for each protocol that has no ports. */
    add(6, "srv6 remote_ip=2001:db8::2");
    add(7, "srv6 remote_ip=2001:db8::3");
    assert_int_equal(n_changed, 6);
    assert_int_equal(tunnels_n_listeners(tunnels), 3);
    assert_int_equal(tunnels_listener(tunnels, 0)->type, TUNNEL_GRE);
    assert_int_equal(tunnels_listener(tunnels, 1)->type, TUNNEL_SRV6);
    assert_int_equal(tunnels_listener(tunnels, 1)->n_ports, 2);
    assert_int_equal(change(bridge_port_by_ofport(bridge, 7), "srv6 remote_ip=2001:db8::4"), 0);
    bridge_port_remove(bridge_port_by_ofport(bridge, 4));
    bridge_port_remove(bridge_port_by_ofport(bridge, 5));
    assert_int_equal(tunnels_listener(tunnels, 0)->type, TUNNEL_SRV6);
    assert_int_equal(tunnels_listener(tunnels, 0)->n_ports, 2);
}

/* --- packets that end here ----------------------------------------------- */

static struct port device = {.ifname = "br-phy"};
static struct bridge_port to = {.port = &device, .mac = {{2, 0, 0, 0, 0, 3}}};
static struct flow seen;
static struct op_tunnel_pop pop;

static struct flow outer(uint8_t proto, const char *dst, uint16_t udp_port)
{
    struct flow flow = {.pkt = {.eth_dst = to.mac, .ip_proto = proto, .tp_dst = rte_cpu_to_be_16(udp_port)}};

    flow.pkt.eth_type = strchr(dst, ':') ? RTE_BE16(RTE_ETHER_TYPE_IPV6) : RTE_BE16(RTE_ETHER_TYPE_IPV4);
    assert_int_equal(inet_pton(strchr(dst, ':') ? AF_INET6 : AF_INET, dst,
                               strchr(dst, ':') ? (void *)flow.pkt.ipv6_dst : (void *)&flow.pkt.ipv4_dst),
                     1);
    return flow;
}

/* Whether the packet ends here; whatever differs in bits that were not seen makes no difference. */
static bool takes(struct flow flow)
{
    struct flow other;
    uint8_t *bytes = (uint8_t *)&other;
    struct op_tunnel_pop pop2;
    bool result;

    memset(&seen, 0, sizeof seen);
    result = tunnel_port_takes(tunnels, &to, &flow, &seen, &pop);
    for (unsigned round = 0; round < 2; round++) {
        struct flow seen2 = {0};

        for (size_t i = 0; i < sizeof other; i++)
            bytes[i] = (uint8_t)((((uint8_t *)&flow)[i] & ((uint8_t *)&seen)[i]) |
                                 ((round ? 0xff : ~((uint8_t *)&flow)[i]) & ~((uint8_t *)&seen)[i]));
        assert_int_equal(tunnel_port_takes(tunnels, &to, &other, &seen2, &pop2), result);
        if (result)
            assert_memory_equal(&pop, &pop2, sizeof pop);
    }
    return result;
}

/* VXLAN with and without next protocols on one UDP port: what has them is told when the first comes and the last goes.
 */
static void test_next_protocols(void **state)
{
    struct bridge_port *a, *b;

    add(1, "vxlan remote_ip=192.0.2.2");
    assert_true(takes(outer(IPPROTO_UDP, "192.0.2.1", 4789)));
    assert_false(pop.gpe);
    n_changed = 0;
    a = add(2, "vxlan remote_ip=192.0.2.2 key=1 exts=gpe");
    b = add(3, "vxlan remote_ip=192.0.2.2 key=2 exts=gpe packet_type=legacy_l3");
    assert_int_equal(n_changed, 1);
    assert_true(takes(outer(IPPROTO_UDP, "192.0.2.1", 4789)));
    assert_true(pop.gpe);
    bridge_port_remove(a);
    assert_int_equal(n_changed, 1);
    assert_int_equal(change(b, "vxlan remote_ip=192.0.2.2 key=2"), 0);
    assert_int_equal(n_changed, 2);
    assert_true(takes(outer(IPPROTO_UDP, "192.0.2.1", 4789)));
    assert_false(pop.gpe);
}

/* IPv4 and IPv6 in IPv6: what lies between is skipped before. */
static void test_takes_segment_routing(void **state)
{
    add(1, "gre remote_ip=flow");
    add(2, "vxlan remote_ip=flow");
    assert_false(takes(outer(IPPROTO_IPIP, "2001:db8::1", 0)));
    add(3, "srv6 remote_ip=flow");
    assert_true(takes(outer(IPPROTO_IPIP, "2001:db8::1", 0)));
    assert_int_equal(pop.type, TUNNEL_SRV6);
    assert_int_equal(pop.udp_port, 0);
    assert_true(takes(outer(IPPROTO_IPV6, "2001:db8::1", 0)));
    assert_int_equal(pop.type, TUNNEL_SRV6);
    assert_false(takes(outer(IPPROTO_IPV6, "2001:db8::9", 0)));
    assert_false(takes(outer(IPPROTO_IPIP, "192.0.2.1", 0)));
    assert_false(takes(outer(IPPROTO_IPV6, "192.0.2.1", 0)));
    struct flow flow = outer(IPPROTO_IPV6, "2001:db8::1", 0);
    flow.pkt.ip_frag = 1;
    assert_false(takes(flow));
    assert_true(takes(outer(IPPROTO_GRE, "2001:db8::1", 0)));
    assert_int_equal(pop.type, TUNNEL_GRE);
    assert_true(takes(outer(IPPROTO_UDP, "2001:db8::1", 4789)));
    assert_false(takes(outer(IPPROTO_TCP, "2001:db8::1", 4789)));
}

static void test_takes(void **state)
{
    struct flow flow = outer(IPPROTO_UDP, "192.0.2.1", 4789);

    assert_false(takes(flow)); /* nobody listens */
    assert_int_equal(seen.pkt.eth_type, 0);
    add(1, "vxlan remote_ip=flow exts=gpe");
    add(2, "gre remote_ip=flow");
    add(3, "geneve remote_ip=flow");
    assert_true(takes(flow));
    assert_int_equal(pop.type, TUNNEL_VXLAN);
    assert_true(pop.gpe);
    assert_int_equal(pop.udp_port, RTE_BE16(4789));
    assert_true(takes(outer(IPPROTO_UDP, "2001:db8::1", 6081)));
    assert_int_equal(pop.type, TUNNEL_GENEVE);
    assert_true(takes(outer(IPPROTO_GRE, "2001:db8::1", 0)));
    assert_int_equal(pop.type, TUNNEL_GRE);
    assert_int_equal(pop.udp_port, 0);

    assert_false(takes(outer(IPPROTO_UDP, "192.0.2.9", 4789)));
    assert_false(takes(outer(IPPROTO_UDP, "2001:db8::9", 4789)));
    assert_false(takes(outer(IPPROTO_UDP, "192.0.2.1", 4788)));
    assert_false(takes(outer(IPPROTO_UDP, "192.0.2.1", 0)));
    assert_false(takes(outer(IPPROTO_UDP, "192.0.2.1", 65535)));
    assert_false(takes(outer(IPPROTO_TCP, "192.0.2.1", 4789)));
    flow.pkt.ip_frag = IP_FRAG_ANY;
    assert_false(takes(flow));
    flow.pkt.ip_frag = 0;
    flow.pkt.vlan_tci[0] = RTE_BE16(VLAN_TCI_PRESENT | 5);
    assert_false(takes(flow));
    flow.pkt.vlan_tci[0] = 0;
    flow.pkt.eth_dst.addr_bytes[5] ^= 1;
    assert_false(takes(flow));
    flow = (struct flow){.pkt = {.eth_dst = to.mac, .eth_type = RTE_BE16(RTE_ETHER_TYPE_ARP), .ip_proto = 17}};
    assert_false(takes(flow));

    device.ifname[0] = 'x'; /* another device than the one that has the address */
    assert_false(takes(outer(IPPROTO_UDP, "192.0.2.1", 4789)));
    device.ifname[0] = 'b';
}

/* A UDP port is looked at as far as tells it from those that tunnels listen on. */
static void test_few_bits(void **state)
{
    add(1, "vxlan remote_ip=flow dst_port=4096");
    add(2, "vxlan remote_ip=flow dst_port=4098");
    assert_false(takes(outer(IPPROTO_UDP, "192.0.2.1", 0x8000)));
    assert_int_equal(seen.pkt.tp_dst, RTE_BE16(0x8000));
    assert_false(takes(outer(IPPROTO_UDP, "192.0.2.1", 53)));
    assert_int_equal(seen.pkt.tp_dst, RTE_BE16(0xf000));
    assert_false(takes(outer(IPPROTO_UDP, "192.0.2.1", 4097)));
    assert_int_equal(seen.pkt.tp_dst, RTE_BE16(0xffff));
    assert_int_equal(seen.pkt.ipv4_dst, 0);
    for (uint32_t port = 0; port <= UINT16_MAX; port++)
        assert_int_equal(takes(outer(IPPROTO_UDP, "192.0.2.1", (uint16_t)port)), port == 4096 || port == 4098);
}

/* Other devices of the host come and go with their addresses: who has to look hears of them by name. */
static void test_devices_that_go(void **state)
{
    const struct routes_device phy = {.ifindex = 3, .name = "br-phy", .mac = {{2, 0, 0, 0, 0, 3}}, .mtu = 1500};
    const struct routes_device other = {.ifindex = 4, .name = "eth9"};
    const struct in6_addr a = address("198.51.100.1");

    add(1, "vxlan remote_ip=192.0.2.2");
    routes_tell_device(routes, &other);
    routes_tell_address(routes, 4, &a, 120);
    n_changed = n_changed_any = 0;
    for (unsigned i = 0; i < 3; i++) {
        routes_tell_device(routes, &phy);
        tell_address("192.0.2.1");
        tell_address("2001:db8::1");
        routes_told_all(routes);
        while (routes_reclaim(routes))
            continue;
    }
    assert_int_equal(n_changed, 1);
    assert_int_equal(n_changed_any, 0);
    assert_string_equal(changed_device, "eth9");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_indexes),
        TEST(test_port),
        TEST(test_conflicts),
        TEST(test_change),
        TEST(test_listeners),
        TEST(test_takes),
        TEST(test_takes_segment_routing),
        TEST(test_few_bits),
        TEST(test_listeners),
        TEST(test_takes),
        TEST(test_devices_that_go),
        TEST(test_takes),
        TEST(test_next_protocols),
        TEST(test_listeners),
        TEST(test_takes),
        TEST(test_devices_that_go),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
