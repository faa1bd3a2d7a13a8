/* See bed_tunnel.h. */
#include <arpa/inet.h>
#include <fnmatch.h>

#include "src/match/tlv_map.h"
#include "src/tunnel/tunnel_options.h"
#include "src/xlate/punt.h"
#include "tests/lib/bed_tunnel.h"

struct loop *loop;
struct routes *routes;
struct neighbours *neighbours;
struct next_hops *hops;
struct tunnels *tunnels;
struct bridge *phy;
char notes[4096];
uint64_t now_us;

static uint64_t test_clock(void)
{
    return now_us;
}

struct in6_addr address(const char *s)
{
    struct in6_addr a = {.s6_addr = {[10] = 0xff, [11] = 0xff}};

    if (inet_pton(AF_INET, s, &a.s6_addr[12]) != 1)
        assert_int_equal(inet_pton(AF_INET6, s, &a), 1);
    return a;
}

void tell_device(int ifindex, const char *name)
{
    struct routes_device device = {.ifindex = ifindex, .mac = {{2, 0, 0, 0, 0, 6}}, .mtu = 1500};

    snprintf(device.name, sizeof device.name, "%s", name);
    routes_tell_device(routes, &device);
}

void tell_address(int ifindex, const char *ip)
{
    const struct in6_addr a = address(ip);

    routes_tell_address(routes, ifindex, &a, strchr(ip, ':') ? 64 : 96 + 24);
}

void tell_route(const char *prefix, unsigned length, int ifindex, bool local)
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

void set_neighbour_mac(const char *ip, uint8_t last)
{
    const struct in6_addr a = address(ip);

    neighbours_tell(neighbours, phy, &a, &(struct rte_ether_addr){{2, 0, 0, 0, 1, last}}, NEIGHBOUR_SET);
}

void set_neighbour(const char *ip)
{
    set_neighbour_mac(ip, 0x0c);
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

void turns(void)
{
    while (loop_turn(loop) == 0)
        continue;
}

void pass(uint64_t ms)
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
struct bridge_port *add_tunnel_to(struct bridge *bridge, uint32_t ofport, const char *description)
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

struct bridge_port *add_tunnel(uint32_t ofport, const char *description)
{
    return add_tunnel_to(bed.bridge, ofport, description);
}

/* A rule of br-phy. */
void add_outer(const char *text)
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

int tunnel_setup(void **state)
{
    now_us = 1000000000;
    clock_set_source(test_clock);
    xlate_setup(state);
    setup_around();
    return 0;
}

int tunnel_setup_running(void **state)
{
    xlate_setup_running(state);
    setup_around();
    return 0;
}
int tunnel_teardown(void **state)
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
const char *translate_in(struct xlate_in *in)
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

const char *xlated(const char *packet)
{
    struct xlate_in in = {.bridge = bed.bridge};

    parse_flow(packet, &in.flow);
    return translate_in(&in);
}

/* A packet that came out of the tunnel. */
const char *came_in(const struct bridge_port *from, const char *packet)
{
    struct xlate_in in = {.bridge = bed.bridge};

    parse_flow(packet, &in.flow);
    in.flow.in_port = from->ofport;
    in.flow.pkt.in_port = bridge_port_index(from);
    return translate_in(&in);
}

/* With the wildcards of a shell: * and ?. */
void matches(const char *text, const char *pattern)
{
    if (fnmatch(pattern, text, 0) != 0)
        fail_msg("'%s' is not like '%s'", text, pattern);
}

const struct op_tunnel_push *push_of(void)
{
    PROGRAM_FOR_EACH (op, &out.program) {
        if (op->type == OP_TUNNEL_PUSH)
            return (const void *)op->data;
    }
    fail_msg("no OP_TUNNEL_PUSH: %s", program_text);
    return NULL;
}

/* The TOS of the outer header. */
uint8_t outer_tos(void)
{
    const struct op_tunnel_push *push = push_of();

    return push->header[push->l3 + 1];
}

uint8_t outer_ttl(void)
{
    const struct op_tunnel_push *push = push_of();

    return push->header[push->l3 + 8];
}
