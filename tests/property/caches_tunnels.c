/* Tunnels in the rounds that have them: the last bridge is the one that outer packets leave by, the others have tunnel
 * ports, and packets come out of tunnels, too. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "src/loop/loop.h"
#include "src/match/tlv_map.h"
#include "src/net/route.h"
#include "src/tunnel/neighbour.h"
#include "src/tunnel/next_hop.h"
#include "src/tunnel/tunnel_options.h"
#include "src/tunnel/tunnel_port.h"
#include "src/xlate/punt.h"
#include "tests/property/caches_impl.h"

static struct loop *loop;
static struct routes *routes;
static struct neighbours *neighbours;
static struct next_hops *hops;
static struct tunnels *tunnels;
static struct bridge_port *ports[3];

#define DEVICE_INDEX 7

static struct in6_addr address(const char *s)
{
    struct in6_addr a = {.s6_addr = {[10] = 0xff, [11] = 0xff}};

    if (inet_pton(AF_INET, s, &a.s6_addr[12]) != 1)
        assert_int_equal(inet_pton(AF_INET6, s, &a), 1);
    return a;
}

static void on_send(void *arg, struct bridge_port *from, struct rte_mbuf *frame)
{
    rte_pktmbuf_free(frame);
}

static void on_changed(void *arg, uint64_t id)
{
    flows_note_next_hop(caches.bed.flows, id);
}

static void on_go(void *arg, struct rte_mbuf *packet)
{
    rte_pktmbuf_free(packet);
}

static bool is_wanted(void *arg, uint64_t id)
{
    return true;
}

static void tell(const char *ip, const char *prefix, uint8_t length)
{
    const struct in6_addr a = address(ip);
    const struct route_told route = {.prefix = address(prefix), .length = length, .ifindex = DEVICE_INDEX};

    routes_tell_address(routes, DEVICE_INDEX, &a, length);
    routes_tell_route(routes, &route);
}

static void neighbour_set(const char *ip, uint8_t mac)
{
    const struct in6_addr a = address(ip);

    neighbours_tell(neighbours, caches.bridges[caches.n_bridges - 1], &a,
                    &(struct rte_ether_addr){{2, 0, 0, 0, 0, mac}}, NEIGHBOUR_SET);
}

static void turns(void)
{
    while (loop_turn(loop) == 0)
        continue;
}

static struct bridge_port *tunnel_add(struct bridge *bridge, uint32_t ofport, const char *type,
                                      const struct tunnel_option_text *options, size_t n)
{
    struct bridge_port_params params = {.kind = BRIDGE_PORT_TUNNEL, .ofport = ofport};
    struct tunnel_config config;
    struct bridge_port *bp;
    char name[32], error[256];
    const char *why;

    snprintf(name, sizeof name, "%s%u", type, ofport);
    assert_int_equal(tunnel_options_parse(name, type, options, n, &config, error, sizeof error), 0);
    params.name = name;
    params.tunnel = tunnel_port_create(tunnels, name, &config, error, sizeof error);
    assert_non_null(params.tunnel);
    bp = bridge_port_add(bridge, &params, &why);
    assert_non_null(bp);
    return bp;
}

static void ports_add(void)
{
    static const struct tunnel_option_text any[] = {
        {"remote_ip", "flow"}, {"key", "flow"}, {"tos", "inherit"}, {"ttl", "inherit"}};
    static const struct tunnel_option_text one[] = {{"remote_ip", "192.0.2.2"}, {"key", "7"}};
    static const struct tunnel_option_text sum[] = {{"remote_ip", "2001:db8::2"}, {"key", "flow"}, {"csum", "true"}};

    ports[0] = tunnel_add(caches.bridges[0], 5, "geneve", any, RTE_DIM(any));
    ports[1] = tunnel_add(caches.bridges[1], 3, "vxlan", one, RTE_DIM(one));
    ports[2] = tunnel_add(caches.bridges[1], 5, "gre", sum, RTE_DIM(sum));
}

/* The host's own port of the outer bridge, whose interface has the addresses. */
static void local_add(struct bridge *bridge)
{
    struct fake_port *fake = fake_port_create(1024);
    const char *why;

    fake->port.ops = bed_ops();
    snprintf(fake->port.ifname, sizeof fake->port.ifname, "%.15s", bridge->name);
    assert_int_equal(datapath_port_add(caches.bed.dp, &fake->port), 0);
    assert_non_null(bridge_port_add(
        bridge,
        &(struct bridge_port_params){
            .port = &fake->port, .name = bridge->name, .ofport = OFPORT_LOCAL, .kind = BRIDGE_PORT_INTERNAL},
        &why));
}

/* What random rules leave goes through tunnels. */
static void rules_add(void)
{
    struct bed outer = {.bridge = caches.bridges[1]};

    bed_add(&caches.bed,
            "priority=0,actions=set_field:192.0.2.2->tun_dst,move:NXM_OF_ETH_DST[0..7]->NXM_NX_TUN_ID[0..7],"
            "output:5,output:1");
    bed_add(&outer, "priority=0,actions=output:LOCAL,NORMAL");
    /* Half of the source ports of outer packets. */
    if (random_one_in(4))
        bed_add(&outer, "priority=1,udp,udp_src=0x4000/0x4000,actions=output:2");
}

void tunnels_create_all(void)
{
    static const struct tlv_map maps[] = {{.class = 0x102, .type = 0x80, .len = 4, .index = 0},
                                          {.class = 0x103, .type = 1, .len = 8, .index = 1}};
    const struct neighbours_user neighbours_user = {.send = on_send};
    const struct next_hops_user user = {.changed = on_changed, .go = on_go, .wanted = is_wanted};
    struct bridge *outer = caches.bridges[caches.n_bridges - 1];
    struct routes_device device = {.ifindex = DEVICE_INDEX, .mac = {{2, 0, 0, 0, 0, 3}}, .mtu = 1500};

    assert_int_equal(tlv_map_mod(TLV_ADD, maps, RTE_DIM(maps)), 0);
    loop = loop_create();
    routes = routes_create();
    local_add(outer);
    snprintf(device.name, sizeof device.name, "%.15s", outer->name);
    neighbours = neighbours_create(loop, routes, caches.pool, &neighbours_user);
    hops = next_hops_create(loop, routes, neighbours, &user);
    next_hops_attach(hops, outer);
    routes_tell_device(routes, &device);
    tell("192.0.2.1", "192.0.2.0", 96 + 24);
    tell("2001:db8::1", "2001:db8::", 64);
    routes_told_all(routes);
    turns();
    neighbour_set("192.0.2.2", 1);
    neighbour_set("192.0.2.3", 2);
    neighbour_set("2001:db8::2", 1);
    tunnels = tunnels_create(caches.bed.dp, routes);
    ports_add();
    flows_set_tunnels(caches.bed.flows, tunnels, hops);
    rules_add();
}

void tunnels_destroy_ports(void)
{
    flows_set_tunnels(caches.bed.flows, NULL, NULL);
    next_hops_destroy(hops);
}

void tunnels_destroy_all(void)
{
    neighbours_destroy(neighbours);
    tunnels_destroy(tunnels);
    routes_destroy(routes);
    loop_destroy(loop);
    assert_int_equal(tlv_map_mod(TLV_CLEAR, NULL, 0), 0);
    hops = NULL;
    tunnels = NULL;
}

void tunnels_change(void)
{
    static const char *const ips[] = {"192.0.2.2", "192.0.2.3", "2001:db8::2"};

    neighbour_set(ips[random_below(3)], (uint8_t)(1 + random_below(3)));
    turns();
}

void tunnels_to(struct xlate_in *in)
{
    if (!caches.tunnels)
        return;
    in->tunnels = tunnels;
    in->hops = hops;
}

struct bridge_port *tunnels_receive(struct packet_meta *meta)
{
    static const rte_be32_t addresses[] = {RTE_BE32(0xc0000201), RTE_BE32(0xc0000202), RTE_BE32(0xc0000203)};
    struct tunnel_meta *tun = &meta->tun;

    memset(tun, 0, sizeof *tun);
    meta->md.tun_lines = 2;
    tun->id = rte_cpu_to_be_64(random_below(3));
    tun->ipv4_src = addresses[1 + random_below(2)];
    tun->ipv4_dst = addresses[0];
    tun->tp_src = (rte_be16_t)random_below(65536);
    tun->tp_dst = RTE_BE16(6081);
    tun->flags = (uint8_t)random_below(2);
    tun->gbp_id = (uint16_t)random_below(2);
    tun->tos = (uint8_t)random_below(4);
    tun->ttl = 64;
    tun->options[3] = (uint8_t)random_below(3);
    tun->options[11] = (uint8_t)random_below(2);
    return ports[random_below(RTE_DIM(ports))];
}

struct bridge_port *tunnels_outer_packet(struct rte_mbuf *m)
{
    const struct bridge_port *local = caches.bridges[1]->local;
    static const uint8_t packet[60] = {
        0,    0,    0,    0,    0, 0,  2,    0, 0,  0,  0, 1, 0x08, 0x00,                     /* Ethernet */
        0x45, 0,    0,    46,   0, 0,  0x40, 0, 64, 17, 0, 0, 192,  0,    2, 2, 192, 0, 2, 1, /* IPv4 */
        0x9c, 0x40, 0x17, 0xc1, 0, 26, 0,    0,                                               /* UDP to 6081 */
    };
    uint8_t *data = rte_pktmbuf_mtod(m, uint8_t *);

    memcpy(data, packet, sizeof packet);
    memcpy(data, &local->mac, sizeof local->mac);
    data[36] = (uint8_t)(random_one_in(8) ? 0x11 : 0x17);
    m->data_len = sizeof packet;
    m->pkt_len = sizeof packet;
    return bridge_port_by_ofport(caches.bridges[1], 1 + random_below(2));
}
