/* Next hops: what they are made of, who is told what when that changes, and the packets that wait. Time is the test's.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "pmd/base/clock.h"
#include "src/bridge/bridge.h"
#include "src/net/route.h"
#include "src/tunnel/neighbour.h"
#include "src/tunnel/next_hop.h"
#include "tests/lib/eal.h"

#define MOST_TOLD 70000

static struct rte_mempool *pool;
static struct loop *loop;
static struct routes *routes;
static struct bridge *phy, *other;
static struct neighbours *neighbours;
static struct next_hops *hops;
static uint64_t now_us, told[MOST_TOLD];
static unsigned n_told, n_sent, n_gone;
static struct rte_mbuf *gone[256];
static bool wanted;

static const struct rte_ether_addr ours = {{2, 0, 0, 0, 0, 7}}, theirs = {{2, 0, 0, 0, 1, 1}};

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

static uint8_t bits(const char *of, unsigned length)
{
    return (uint8_t)(strchr(of, ':') ? length : 96 + length);
}

static void on_send(void *arg, struct bridge_port *from, struct rte_mbuf *frame)
{
    n_sent++;
    rte_pktmbuf_free(frame);
}

static void on_changed(void *arg, uint64_t id)
{
    assert_true(n_told < MOST_TOLD);
    told[n_told++] = id;
}

static void on_go(void *arg, struct rte_mbuf *packet)
{
    if (n_gone < sizeof gone / sizeof *gone)
        gone[n_gone] = packet;
    n_gone++;
    rte_pktmbuf_free(packet);
}

static bool is_wanted(void *arg, uint64_t id)
{
    return wanted;
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

/* --- what the kernel tells ----------------------------------------------- */

static void tell_device(int ifindex, const char *name, uint16_t mtu)
{
    struct routes_device device = {.ifindex = ifindex, .mac = ours, .mtu = mtu};

    snprintf(device.name, sizeof device.name, "%s", name);
    routes_tell_device(routes, &device);
}

static void tell_address(int ifindex, const char *ip, unsigned length)
{
    struct in6_addr a = address(ip);

    routes_tell_address(routes, ifindex, &a, bits(ip, length));
}

static void tell_route(const char *prefix, unsigned length, int ifindex, const char *gateway)
{
    struct route_told route = {.prefix = address(prefix), .length = bits(prefix, length), .ifindex = ifindex};

    if (gateway)
        route.gateway = address(gateway);
    routes_tell_route(routes, &route);
}

static void tell_local(const char *ip, int ifindex)
{
    struct route_told route = {.prefix = address(ip), .length = 128, .ifindex = ifindex, .local = true};

    routes_tell_route(routes, &route);
}

static void tell_all_but_routes(void)
{
    tell_device(7, "br-phy", 1500);
    tell_device(8, "eth9", 9000);
    tell_device(9, "veth0", 1500);
    tell_address(7, "10.0.0.1", 16);
    tell_address(7, "fd00::1", 64);
    tell_address(8, "172.16.0.1", 24);
    tell_local("10.0.0.1", 7);
    tell_local("172.16.0.1", 8);
    tell_route("10.0.0.0", 16, 7, NULL);
    tell_route("fd00::", 64, 7, NULL);
    tell_route("172.16.0.0", 24, 8, NULL);
}

static void read_on(void)
{
    routes_told_all(routes);
    while (routes_reclaim(routes))
        continue;
}

static struct bridge_port *add_port(struct bridge *bridge, const char *name, uint32_t ofport)
{
    const struct bridge_port_params params = {.kind = BRIDGE_PORT_INTERNAL, .name = name, .ofport = ofport};
    struct bridge_port *bp;
    const char *error;

    bp = bridge_port_add(bridge, &params, &error);
    assert_non_null(bp);
    return bp;
}

static int set_up_all(void **state)
{
    if (test_eal_init("next_hop_test"))
        return -1;
    pool = test_pool(5000);
    return pool ? 0 : -1;
}

static int set_up(void **state)
{
    const struct neighbours_user neighbours_user = {.send = on_send};
    const struct next_hops_user user = {.changed = on_changed, .go = on_go, .wanted = is_wanted};

    now_us = 1000000000;
    clock_set_source(test_clock);
    loop = loop_create();
    routes = routes_create();
    phy = bridge_create("br-phy", 1, NULL);
    other = bridge_create("br-other", 2, NULL);
    neighbours = neighbours_create(loop, routes, pool, &neighbours_user);
    hops = next_hops_create(loop, routes, neighbours, &user);
    next_hops_attach(hops, phy);
    next_hops_attach(hops, other);
    add_port(phy, "br-phy", OFPORT_LOCAL);
    tell_all_but_routes();
    tell_route("0.0.0.0", 0, 7, "10.0.0.254");
    read_on();
    turns();
    n_told = n_sent = n_gone = 0;
    wanted = true;
    return 0;
}

static int tear_down(void **state)
{
    next_hops_destroy(hops);
    neighbours_destroy(neighbours);
    bridge_destroy(phy);
    bridge_destroy(other);
    routes_destroy(routes);
    loop_destroy(loop);
    clock_set_source(NULL);
    assert_int_equal(rte_mempool_in_use_count(pool), 0);
    return 0;
}

static const struct next_hop *find(const char *to, const char *from, uint32_t mark)
{
    struct next_hop_query query = {.to = address(to), .from = from ? address(from) : in6addr_any, .mark = mark};

    return next_hop_find(hops, &query);
}

static void set_neighbour(const char *ip, const struct rte_ether_addr *mac)
{
    struct in6_addr a = address(ip);

    neighbours_tell(neighbours, phy, &a, mac, NEIGHBOUR_SET);
}

static struct next_hops_stats stats(void)
{
    struct next_hops_stats st;

    next_hops_get_stats(hops, &st);
    return st;
}

static bool is_address(const struct in6_addr *a, const char *s)
{
    struct in6_addr want = address(s);

    return IN6_ARE_ADDR_EQUAL(a, &want);
}

/* --- one next hop -------------------------------------------------------- */

static void it_is_made_of_route_port_and_neighbour(void **state)
{
    const struct next_hop *hop = find("10.0.5.5", NULL, 0);

    assert_int_equal(hop->state, NEXT_HOP_ASKING);
    assert_ptr_equal(hop->egress, phy->local);
    assert_int_equal(n_sent, 0);
    turns();
    assert_int_equal(n_sent, 1);
    set_neighbour("10.0.5.5", &theirs);
    hop = find("10.0.5.5", NULL, 0);
    assert_int_equal(hop->state, NEXT_HOP_READY);
    assert_true(is_address(&hop->source, "10.0.0.1"));
    assert_true(is_address(&hop->via, "10.0.5.5"));
    assert_memory_equal(&hop->src_mac, &ours, sizeof ours);
    assert_memory_equal(&hop->dst_mac, &theirs, sizeof theirs);
    assert_int_equal(hop->mtu, 1500);
    assert_string_equal(hop->device, "br-phy");
    turns();
    assert_int_equal(n_told, 1);
    assert_int_equal(told[0], hop->id);

    hop = find("8.8.8.8", NULL, 0);
    assert_true(is_address(&hop->via, "10.0.0.254"));
    hop = find("fd00::5", NULL, 0);
    assert_true(is_address(&hop->source, "fd00::1"));
    assert_int_equal(hop->state, NEXT_HOP_ASKING);
}

static void it_may_lead_nowhere(void **state)
{
    assert_int_equal(find("2001:db8::1", NULL, 0)->state, NEXT_HOP_NO_ROUTE);
    assert_int_equal(find("10.0.5.5", NULL, 3)->state, NEXT_HOP_NO_ROUTE);
    assert_int_equal(find("10.0.0.1", NULL, 0)->state, NEXT_HOP_NO_ROUTE);
    assert_int_equal(find("10.0.5.5", "10.0.0.2", 0)->state, NEXT_HOP_NOT_OURS);
    assert_int_equal(find("172.16.0.9", NULL, 0)->state, NEXT_HOP_NO_BRIDGE);
    assert_string_equal(find("172.16.0.9", NULL, 0)->device, "eth9");
    turns();
    assert_int_equal(n_sent, 0);
    /* A prescribed source may be another device's. */
    assert_true(is_address(&find("10.0.5.5", "172.16.0.1", 0)->source, "172.16.0.1"));
    pass(1100);
    assert_int_equal(find("10.0.5.5", "172.16.0.1", 0)->state, NEXT_HOP_UNREACHABLE);
}

static void a_group_needs_no_neighbour(void **state)
{
    static const struct rte_ether_addr mac = {{0x01, 0x00, 0x5e, 0x01, 0x02, 0x03}};
    const struct next_hop *hop;

    hop = find("239.129.2.3", NULL, 0);
    assert_int_equal(hop->state, NEXT_HOP_READY);
    assert_true(is_address(&hop->source, "10.0.0.1"));
    assert_true(is_address(&hop->via, "239.129.2.3"));
    assert_memory_equal(&hop->dst_mac, &mac, sizeof mac);
    turns();
    assert_int_equal(n_sent, 0);
}

/* LOCAL of the bridge of that name, then a port of that name, and it follows when they come and go. */
static void the_port_is_found_by_the_device(void **state)
{
    uint64_t id = find("172.16.0.9", NULL, 0)->id, near = find("10.0.5.5", NULL, 0)->id;

    struct bridge_port *bp = add_port(other, "eth9", 3);
    turns();
    assert_int_equal(n_told, 1);
    assert_int_equal(told[0], id);
    assert_ptr_equal(find("172.16.0.9", NULL, 0)->egress, bp);
    bridge_port_remove(bp);
    assert_int_equal(find("172.16.0.9", NULL, 0)->state, NEXT_HOP_NO_BRIDGE);
    turns();
    assert_int_equal(n_told, 2);
    assert_int_equal(told[1], id);
    add_port(other, "p1", 4);
    turns();
    assert_int_equal(n_told, 2);
    /* One that took its place. */
    bp = add_port(other, "br-phy", 5);
    turns();
    assert_int_equal(n_told, 2);
    bridge_port_remove(phy->local);
    turns();
    assert_int_equal(n_told, 3);
    assert_int_equal(told[2], near);
    assert_ptr_equal(find("10.0.5.5", NULL, 0)->egress, bp);
}

/* --- changes ------------------------------------------------------------- */

static void only_what_came_out_differently_is_told(void **state)
{
    uint64_t a = find("10.0.5.5", NULL, 0)->id, b = find("8.8.8.8", NULL, 0)->id, c = find("9.9.9.9", NULL, 0)->id;

    set_neighbour("10.0.5.5", &theirs);
    set_neighbour("10.0.0.254", &theirs);
    set_neighbour("10.0.0.253", &theirs);
    turns();
    n_told = 0;
    /* A reading that brings what the last one brought. */
    tell_all_but_routes();
    tell_route("0.0.0.0", 0, 7, "10.0.0.254");
    read_on();
    turns();
    assert_int_equal(n_told, 0);
    uint64_t decided = stats().decided;
    /* A better route for one of them. */
    tell_route("9.9.0.0", 16, 7, "10.0.0.253");
    turns();
    assert_int_equal(n_told, 1);
    assert_int_equal(told[0], c);
    assert_int_equal(stats().decided, decided + 1);
    assert_true(is_address(&find("9.9.9.9", NULL, 0)->via, "10.0.0.253"));
    /* It goes again: the next reading brings it no more. */
    for (int i = 0; i < 2; i++) {
        tell_all_but_routes();
        tell_route("0.0.0.0", 0, 7, "10.0.0.254");
        read_on();
    }
    turns();
    assert_int_equal(n_told, 2);
    assert_int_equal(told[1], c);
    /* Interfaces and addresses of other hosts' concern nobody. */
    decided = stats().decided;
    tell_device(20, "veth77", 1500);
    tell_address(20, "fe80::77", 64);
    tell_route("fe80::", 64, 20, NULL);
    turns();
    assert_int_equal(stats().decided, decided);
    /* The gateway's address concerns those that go by it. */
    static const struct rte_ether_addr moved = {{2, 0, 0, 0, 1, 9}};
    set_neighbour("10.0.0.254", &moved);
    turns();
    assert_int_equal(n_told, 4);
    assert_true((told[2] == b && told[3] == c) || (told[2] == c && told[3] == b));
    /* The device's MTU concerns all that leave by it. */
    tell_device(7, "br-phy", 1400);
    turns();
    assert_int_equal(n_told, 7);
    assert_int_equal(find("10.0.5.5", NULL, 0)->mtu, 1400);
    assert_int_equal(find("10.0.5.5", NULL, 0)->id, a);
}

static void tell_path(const char *gateway)
{
    struct route_told route = {.prefix = address("50.0.0.0"), .length = 104, .ifindex = 7, .weight = 1};

    route.gateway = address(gateway);
    routes_tell_route(routes, &route);
}

static const struct next_hop *find_path(uint32_t slot)
{
    struct next_hop_query query = {.to = address("50.0.0.9"), .path = 1 + slot};

    return next_hop_find(hops, &query);
}

/* Who uses one path does not hear of another; who asked how many there are hears when that changes. */
static void several_paths_are_next_hops_of_their_own(void **state)
{
    uint64_t all, first;

    tell_path("10.0.0.10");
    tell_path("10.0.0.11");
    set_neighbour("10.0.0.10", &theirs);
    assert_int_equal(find("50.0.0.9", NULL, 0)->state, NEXT_HOP_SEVERAL);
    assert_int_equal(find("50.0.0.9", NULL, 0)->n_slots, 2);
    all = find("50.0.0.9", NULL, 0)->id;
    first = find_path(0)->id;
    assert_true(is_address(&find_path(0)->via, "10.0.0.10"));
    assert_true(is_address(&find_path(1)->via, "10.0.0.11"));
    assert_int_equal(find_path(0)->state, NEXT_HOP_READY);
    assert_int_equal(find_path(1)->state, NEXT_HOP_ASKING);
    turns();
    n_told = 0;
    set_neighbour("10.0.0.10", &ours);
    turns();
    assert_int_equal(n_told, 1);
    assert_int_equal(told[0], first);
    /* One goes: what is left is the only one, for all. */
    n_told = 0;
    for (unsigned i = 0; i < 2; i++) {
        tell_all_but_routes();
        tell_path("10.0.0.11");
        read_on();
    }
    turns();
    assert_int_equal(n_told, 2);
    assert_true((told[0] == all && told[1] == first) || (told[0] == first && told[1] == all));
    assert_true(is_address(&find("50.0.0.9", NULL, 0)->via, "10.0.0.11"));
}

static void rules_decide_by_the_source(void **state)
{
    struct next_hop_query query = {.to = address("8.8.8.8"), .from = address("172.16.0.1")};
    struct in6_addr prefix = address("8.8.0.0"), gateway = address("10.0.0.99");
    const uint64_t id = next_hop_find(hops, &query)->id, other_id = find("8.8.8.8", NULL, 0)->id;
    struct route_rule rule;

    memset(&rule, 0, sizeof rule);
    rule.from = query.from;
    rule.from_length = 128;
    rule.table = 9;
    assert_int_equal(routes_add(routes, &prefix, 96 + 16, 0, 9, "br-phy", &gateway, &in6addr_any), 0);
    assert_true(routes_add_rule(routes, &rule));
    turns();
    assert_int_equal(n_told, 1);
    assert_int_equal(told[0], id);
    assert_true(is_address(&next_hop_find(hops, &query)->via, "10.0.0.99"));
    assert_true(is_address(&find("8.8.8.8", NULL, 0)->via, "10.0.0.254"));
    assert_int_equal(find("8.8.8.8", NULL, 0)->id, other_id);
}

static void an_operators_route_counts_at_once(void **state)
{
    struct in6_addr prefix = address("8.8.0.0"), gateway = address("10.0.0.253");
    uint64_t id = find("8.8.8.8", NULL, 0)->id;

    assert_int_equal(
        routes_add(routes, &prefix, bits("8.8.0.0", 16), 0, ROUTE_TABLE_MAIN, "br-phy", &gateway, &in6addr_any), 0);
    assert_true(is_address(&find("8.8.8.8", NULL, 0)->via, "10.0.0.253"));
    turns();
    assert_int_equal(n_told, 1);
    assert_int_equal(told[0], id);
    /* From an address of its own. */
    struct in6_addr source = address("172.16.0.1");
    assert_int_equal(routes_add(routes, &prefix, bits("8.8.0.0", 16), 0, ROUTE_TABLE_MAIN, "br-phy", &gateway, &source),
                     -EADDRNOTAVAIL);
    tell_address(7, "10.0.0.77", 16);
    source = address("10.0.0.77");
    assert_int_equal(routes_add(routes, &prefix, bits("8.8.0.0", 16), 0, ROUTE_TABLE_MAIN, "br-phy", &gateway, &source),
                     0);
    assert_true(is_address(&find("8.8.8.8", NULL, 0)->source, "10.0.0.77"));
    assert_true(routes_remove(routes, &prefix, bits("8.8.0.0", 16), 0, ROUTE_TABLE_MAIN));
    turns();
    assert_int_equal(n_told, 3);
    assert_true(is_address(&find("8.8.8.8", NULL, 0)->via, "10.0.0.254"));
}

/* 10 000 of them: of what comes out the same nothing is told, and a turn stays short. */
static void many_are_decided_in_slices(void **state)
{
    char ip[32];

    for (unsigned i = 0; i < 10000; i++) {
        snprintf(ip, sizeof ip, "20.0.%u.%u", i >> 8, i & 255);
        find(ip, NULL, 0);
    }
    set_neighbour("10.0.0.254", &theirs);
    clock_set_source(NULL);
    turns();
    assert_int_equal(n_told, 10000);
    n_told = 0;
    /* The default route is another. */
    tell_all_but_routes();
    tell_route("0.0.0.0", 0, 7, "10.0.0.253");
    loop_clear_longest(loop);
    uint64_t began = clock_now_us();
    read_on();
    turns();
    printf("10 000 next hops by another gateway: %.1f ms\n", (double)(clock_now_us() - began) / 1000);
    assert_int_equal(n_told, 10000);
    /* Nothing of theirs. */
    n_told = 0;
    began = clock_now_us();
    tell_route("30.0.0.0", 8, 7, "10.0.0.253");
    turns();
    printf("10 000 next hops, none of them concerned: %.1f ms\n", (double)(clock_now_us() - began) / 1000);
    assert_int_equal(n_told, 0);
    clock_set_source(test_clock);
}

static void what_nobody_wants_is_forgotten(void **state)
{
    uint64_t id = find("10.0.5.5", NULL, 0)->id;

    pass(120000);
    assert_int_equal(stats().n, 1);
    assert_int_equal(find("10.0.5.5", NULL, 0)->id, id);
    wanted = false;
    pass(50000);
    assert_int_equal(find("10.0.5.5", NULL, 0)->id, id);
    pass(61000);
    assert_int_equal(stats().n, 0);
    n_sent = 0;
    pass(20000);
    assert_int_equal(n_sent, 0);
    assert_int_not_equal(find("10.0.5.5", NULL, 0)->id, id);
}

static void there_is_a_bound(void **state)
{
    char ip[32];

    for (unsigned i = 0; i < NEXT_HOPS_MAX; i++) {
        snprintf(ip, sizeof ip, "20.%u.%u.%u", i >> 16, i >> 8 & 255, i & 255);
        assert_non_null(find(ip, NULL, 0));
    }
    assert_null(find("30.0.0.1", NULL, 0));
    pass(2000);
    assert_null(find("30.0.0.1", NULL, 0));
    wanted = false;
    assert_non_null(find("30.0.0.1", NULL, 0));
    assert_int_equal(stats().n, NEXT_HOPS_MAX);
}

/* --- packets that wait --------------------------------------------------- */

static struct rte_mbuf *packet(void)
{
    struct rte_mbuf *m = rte_pktmbuf_alloc(pool);

    assert_non_null(m);
    return m;
}

static void packets_wait_for_the_answer(void **state)
{
    uint64_t id = find("10.0.5.5", NULL, 0)->id;
    struct rte_mbuf *first = packet(), *second = packet();

    assert_true(next_hop_wait(hops, id, first));
    assert_true(next_hop_wait(hops, id, second));
    turns();
    assert_int_equal(n_gone, 0);
    set_neighbour("10.0.5.5", &theirs);
    assert_int_equal(n_gone, 0);
    turns();
    assert_int_equal(n_gone, 2);
    assert_ptr_equal(gone[0], first);
    assert_ptr_equal(gone[1], second);
    /* One that was on its way meanwhile does not wait; nor does one whose next hop nobody knows. */
    assert_true(next_hop_wait(hops, id, packet()));
    assert_true(next_hop_wait(hops, id + 1000, packet()));
    turns();
    assert_int_equal(n_gone, 4);
    /* A neighbour that does not answer: its packets come back, to be dropped by what is decided then. */
    id = find("10.0.5.6", NULL, 0)->id;
    assert_true(next_hop_wait(hops, id, packet()));
    pass(900);
    assert_int_equal(n_gone, 4);
    pass(150);
    assert_int_equal(n_gone, 5);
    assert_int_equal(find("10.0.5.6", NULL, 0)->state, NEXT_HOP_UNREACHABLE);
    assert_int_equal(stats().n_waiting, 0);
}

static void not_too_many_wait(void **state)
{
    struct rte_mbuf *m = packet();
    char ip[32];

    for (unsigned i = 0; i < NEXT_HOPS_WAIT_MAX / NEXT_HOP_WAIT_MAX; i++) {
        snprintf(ip, sizeof ip, "10.0.6.%u", i);
        uint64_t id = find(ip, NULL, 0)->id;
        for (unsigned k = 0; k < NEXT_HOP_WAIT_MAX; k++)
            assert_true(next_hop_wait(hops, id, packet()));
        assert_false(next_hop_wait(hops, id, m));
    }
    assert_false(next_hop_wait(hops, find("10.0.7.1", NULL, 0)->id, m));
    rte_pktmbuf_free(m);
    assert_int_equal(stats().n_waiting, NEXT_HOPS_WAIT_MAX);
    assert_int_equal(stats().not_waited, NEXT_HOPS_WAIT_MAX / NEXT_HOP_WAIT_MAX + 1);
    /* The rest is freed with the next hops (tear_down). */
    bridge_port_remove(phy->local);
    loop_turn(loop);
    assert_true(n_gone >= NEXT_HOP_WAIT_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_is_made_of_route_port_and_neighbour, set_up, tear_down),
        cmocka_unit_test_setup_teardown(it_may_lead_nowhere, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_group_needs_no_neighbour, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_port_is_found_by_the_device, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_what_came_out_differently_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(several_paths_are_next_hops_of_their_own, set_up, tear_down),
        cmocka_unit_test_setup_teardown(rules_decide_by_the_source, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_operators_route_counts_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_are_decided_in_slices, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_nobody_wants_is_forgotten, set_up, tear_down),
        cmocka_unit_test_setup_teardown(there_is_a_bound, set_up, tear_down),
        cmocka_unit_test_setup_teardown(packets_wait_for_the_answer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(not_too_many_wait, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, set_up_all, NULL);
}
