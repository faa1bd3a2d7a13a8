/* Which route is taken for an address, what is left when the kernel stops telling of something, and what the kernel
 * itself tells of the loopback interface. */
#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "src/net/route.h"
#include "src/net/route_kernel.h"

static struct routes *routes;
static char text[256];

static struct in6_addr address(const char *s)
{
    struct in6_addr a = {.s6_addr = {[10] = 0xff, [11] = 0xff}};

    if (inet_pton(AF_INET, s, &a.s6_addr[12]) != 1)
        assert_int_equal(inet_pton(AF_INET6, s, &a), 1);
    return a;
}

static const char *format(const struct in6_addr *a, char *to)
{
    bool v4 = IN6_IS_ADDR_V4MAPPED(a);

    return inet_ntop(v4 ? AF_INET : AF_INET6, &a->s6_addr[v4 ? 12 : 0], to, INET6_ADDRSTRLEN);
}

static uint8_t bits(const char *of, unsigned length)
{
    return (uint8_t)(strchr(of, ':') ? length : 96 + length);
}

/* "DEVICE via GATEWAY from SOURCE", or "none". */
static const char *way(uint32_t mark, const char *to)
{
    char gateway[INET6_ADDRSTRLEN], source[INET6_ADDRSTRLEN];
    const struct route_query query = {.to = address(to), .mark = mark};
    struct route route;

    if (!routes_lookup(routes, &query, &route))
        return "none";
    snprintf(text, sizeof text, "%s via %s from %s%s", route.device, format(&route.gateway, gateway),
             format(&route.source, source),
             route.local  ? " local"
             : route.user ? " user"
                          : "");
    return text;
}

static void tell_device(int ifindex, const char *name, uint16_t mtu)
{
    struct routes_device device = {.ifindex = ifindex, .mac = {{2, 0, 0, 0, 0, (uint8_t)ifindex}}, .mtu = mtu};

    snprintf(device.name, sizeof device.name, "%s", name);
    routes_tell_device(routes, &device);
}

/* Whether the link of a device of tell_all() is up. */
static void tell_carrier(int ifindex, const char *name, bool up)
{
    struct routes_device device = {
        .ifindex = ifindex, .mac = {{2, 0, 0, 0, 0, (uint8_t)ifindex}}, .mtu = 1500, .no_carrier = !up};

    snprintf(device.name, sizeof device.name, "%s", name);
    routes_tell_device(routes, &device);
}

static void tell_address(int ifindex, const char *a, unsigned length)
{
    struct in6_addr to = address(a);

    routes_tell_address(routes, ifindex, &to, bits(a, length));
}

static void tell_route(const char *prefix, unsigned length, int ifindex, const char *gateway, uint32_t metric)
{
    struct route_told told = {
        .prefix = address(prefix), .length = bits(prefix, length), .ifindex = ifindex, .metric = metric};

    if (gateway)
        told.gateway = address(gateway);
    routes_tell_route(routes, &told);
}

static void tell_local(const char *prefix, int ifindex)
{
    struct route_told told = {.prefix = address(prefix), .length = 128, .ifindex = ifindex, .local = true};

    routes_tell_route(routes, &told);
}

/* Two interfaces, as a host has them. */
static void tell_all(void)
{
    tell_device(7, "eth0", 1500);
    tell_device(8, "eth1", 1500);
    tell_address(7, "10.0.0.5", 24);
    tell_address(7, "10.0.0.6", 16);
    tell_address(8, "192.168.1.1", 24);
    tell_address(8, "fd00::1", 64);
    tell_route("10.0.0.0", 24, 7, NULL, 0);
    tell_route("192.168.1.0", 24, 8, NULL, 0);
    tell_route("0.0.0.0", 0, 7, "10.0.0.1", 100);
    tell_route("fd00::", 64, 8, NULL, 0);
    tell_route("::", 0, 8, "fd00::ff", 0);
    tell_local("10.0.0.5", 7);
    routes_told_all(routes);
}

static int set_up(void **state)
{
    routes = routes_create();
    tell_all();
    return 0;
}

static int tear_down(void **state)
{
    routes_destroy(routes);
    return 0;
}

static void the_longest_prefix_counts(void **state)
{
    assert_string_equal(way(0, "10.0.0.9"), "eth0 via :: from 10.0.0.5");
    assert_string_equal(way(0, "10.0.0.5"), "eth0 via :: from 10.0.0.5 local");
    assert_string_equal(way(0, "192.168.1.77"), "eth1 via :: from 192.168.1.1");
    assert_string_equal(way(0, "8.8.8.8"), "eth0 via 10.0.0.1 from 10.0.0.5");
    assert_string_equal(way(0, "fd00::9"), "eth1 via :: from fd00::1");
    assert_string_equal(way(0, "2001:db8::1"), "eth1 via fd00::ff from fd00::1");
    assert_string_equal(way(1, "10.0.0.9"), "none");
}

static void of_one_prefix_the_lowest_metric_counts(void **state)
{
    tell_route("0.0.0.0", 0, 8, "192.168.1.254", 50);
    assert_string_equal(way(0, "8.8.8.8"), "eth1 via 192.168.1.254 from 192.168.1.1");
    tell_all();
    tell_all();
    assert_string_equal(way(0, "8.8.8.8"), "eth0 via 10.0.0.1 from 10.0.0.5");
    tell_route("0.0.0.0", 0, 8, "192.168.1.254", 150);
    assert_string_equal(way(0, "8.8.8.8"), "eth0 via 10.0.0.1 from 10.0.0.5");
}

/* What a reading did not bring is gone at its end, not before. */
static void what_is_not_told_again_is_gone(void **state)
{
    struct route route;
    size_t position = 0;
    unsigned n = 0;

    tell_device(7, "eth0", 1500);
    tell_address(7, "10.0.0.5", 24);
    tell_route("10.0.0.0", 24, 7, NULL, 0);
    assert_string_equal(way(0, "192.168.1.77"), "eth1 via :: from 192.168.1.1");
    routes_told_all(routes);
    assert_string_equal(way(0, "192.168.1.77"), "none");
    assert_string_equal(way(0, "10.0.0.5"), "eth0 via :: from 10.0.0.5");
    while (routes_next(routes, &position, &route))
        n++;
    assert_int_equal(n, 1);
    while (routes_reclaim(routes))
        continue;
    assert_string_equal(way(0, "10.0.0.9"), "eth0 via :: from 10.0.0.5");
    tell_all();
    assert_string_equal(way(0, "192.168.1.77"), "eth1 via :: from 192.168.1.1");
}

/* A route without an address to send from leads nowhere, until there is one. */
static void a_route_needs_an_address(void **state)
{
    tell_route("172.16.0.0", 12, 8, NULL, 0);
    assert_string_equal(way(0, "172.16.0.1"), "eth0 via 10.0.0.1 from 10.0.0.5");
    tell_address(8, "172.16.0.2", 12);
    assert_string_equal(way(0, "172.16.0.1"), "eth1 via :: from 172.16.0.2");
}

static int add(const char *prefix, unsigned length, uint32_t mark, const char *device, const char *gateway)
{
    struct in6_addr p = address(prefix), g = gateway ? address(gateway) : in6addr_any;

    return routes_add(routes, &p, bits(prefix, length), mark, ROUTE_TABLE_MAIN, device, &g, &in6addr_any);
}

static bool take_out(const char *prefix, unsigned length, uint32_t mark)
{
    struct in6_addr p = address(prefix);

    return routes_remove(routes, &p, bits(prefix, length), mark, ROUTE_TABLE_MAIN);
}

static void operators_routes_go_before(void **state)
{
    int lo = (int)if_nametoindex("lo");

    tell_device(lo, "lo", 1500);
    tell_address(lo, "127.0.0.1", 8);
    assert_int_equal(add("10.0.0.0", 8, 0, "nosuch", NULL), -ENODEV);
    assert_int_equal(add("10.0.0.0", 8, 0, "lo", NULL), -EADDRNOTAVAIL);
    assert_int_equal(add("10.0.0.99", 8, 0, "lo", "127.0.0.2"), 0);
    assert_string_equal(way(0, "10.0.0.9"), "lo via 127.0.0.2 from 127.0.0.1 user");
    assert_string_equal(way(0, "10.0.0.5"), "eth0 via :: from 10.0.0.5 local");
    assert_int_equal(add("10.0.0.0", 8, 0, "lo", "127.0.0.3"), 0);
    assert_string_equal(way(0, "10.0.0.9"), "lo via 127.0.0.3 from 127.0.0.1 user");
    assert_int_equal(add("10.0.0.0", 8, 5, "lo", "127.0.0.4"), 0);
    assert_string_equal(way(5, "10.9.9.9"), "lo via 127.0.0.4 from 127.0.0.1 user");
    assert_false(take_out("10.0.0.0", 9, 0));
    assert_true(take_out("10.0.0.0", 8, 0));
    assert_false(take_out("10.0.0.0", 8, 0));
    assert_string_equal(way(0, "10.0.0.9"), "eth0 via :: from 10.0.0.5");
    assert_string_equal(way(5, "10.9.9.9"), "lo via 127.0.0.4 from 127.0.0.1 user");
}

/* Tables grow and shrink under way; lookups take what is left. */
static void many_routes(void **state)
{
    char prefix[32];

    for (unsigned i = 0; i < 50000; i++) {
        snprintf(prefix, sizeof prefix, "20.%u.%u.0", i >> 8 & 255, i & 255);
        tell_route(prefix, 24, 7, "10.0.0.2", i);
    }
    assert_string_equal(way(0, "20.3.4.5"), "eth0 via 10.0.0.2 from 10.0.0.5");
    tell_all();
    assert_string_equal(way(0, "20.3.4.5"), "eth0 via 10.0.0.2 from 10.0.0.5");
    tell_all();
    assert_string_equal(way(0, "20.3.4.5"), "eth0 via 10.0.0.1 from 10.0.0.5");
    unsigned steps = 1;
    while (routes_reclaim(routes))
        steps++;
    assert_in_range(steps, 500, 1000);
    assert_string_equal(way(0, "10.0.0.9"), "eth0 via :: from 10.0.0.5");
}

static void the_kernel_tells(void **state)
{
    struct event_base *base = event_base_new();
    struct route_kernel *kernel = route_kernel_open(base, routes, true);
    const struct timeval limit = {.tv_sec = 5};

    assert_non_null(kernel);
    event_base_loopexit(base, &limit);
    for (int i = 0; i < 1000 && strcmp(way(0, "127.0.0.1"), "lo via :: from 127.0.0.1 local"); i++)
        assert_int_equal(event_base_loop(base, EVLOOP_ONCE), 0);
    assert_string_equal(way(0, "127.0.0.1"), "lo via :: from 127.0.0.1 local");
    assert_string_not_equal(way(0, "192.168.1.77"), "eth1 via :: from 192.168.1.1");
    route_kernel_close(kernel);
    event_base_free(base);
}

/* --disable-system-route: no routes of the kernel's, but what operators' routes need. */
static void the_kernel_tells_of_devices_alone(void **state)
{
    struct event_base *base = event_base_new();
    struct route_kernel *kernel = route_kernel_open(base, routes, false);
    const struct timeval limit = {.tv_sec = 5};
    struct routes_device device;

    assert_non_null(kernel);
    event_base_loopexit(base, &limit);
    for (int i = 0; i < 1000 && routes_find_device(routes, "eth1", &device); i++)
        assert_int_equal(event_base_loop(base, EVLOOP_ONCE), 0);
    assert_true(routes_find_device(routes, "lo", &device));
    assert_int_equal(device.ifindex, if_nametoindex("lo"));
    struct in6_addr localhost = address("127.0.0.1");
    assert_true(routes_has_address(routes, "lo", &localhost));
    assert_string_equal(way(0, "127.0.0.1"), "none");
    assert_int_equal(add("127.0.0.0", 8, 0, "lo", NULL), 0);
    assert_string_equal(way(0, "127.0.0.9"), "lo via :: from 127.0.0.1 user");
    route_kernel_close(kernel);
    event_base_free(base);
}

/* --- devices, addresses, changes ----------------------------------------- */

static char heard[4096];

static void on_change(void *arg, const struct routes_change *change)
{
    static const char *const what[] = {"route", "address", "device"};
    char prefix[INET6_ADDRSTRLEN];
    size_t n = strlen(heard);

    snprintf(heard + n, sizeof heard - n, "%s %s/%u %s\n", what[change->what], format(&change->prefix, prefix),
             change->length, change->device);
}

static const char *heard_since(void)
{
    static char copy[sizeof heard];

    strcpy(copy, heard);
    heard[0] = '\0';
    return copy;
}

static void each_change_is_told_once(void **state)
{
    struct routes_listener listener = {.changed = on_change};

    routes_listen(routes, &listener);
    tell_all();
    tell_all();
    assert_string_equal(heard_since(), "");
    tell_route("30.0.0.0", 8, 8, NULL, 0);
    assert_string_equal(heard_since(), "route 30.0.0.0/104 \n");
    /* Of a device without gateways the network is concerned, else all. */
    tell_device(9, "eth2", 1500);
    assert_string_equal(heard_since(), "device ::/128 eth2\n");
    tell_address(9, "30.0.0.1", 8);
    assert_string_equal(heard_since(), "address 30.0.0.1/104 eth2\n");
    tell_route("40.0.0.0", 8, 9, "30.0.0.9", 0);
    assert_string_equal(heard_since(), "route 40.0.0.0/104 \n");
    tell_address(9, "30.0.0.2", 8);
    assert_string_equal(heard_since(), "address ::/0 eth2\n");
    tell_device(9, "eth3", 1500);
    assert_string_equal(heard_since(), "device ::/128 eth2\ndevice ::/128 eth3\n");
    tell_device(9, "eth3", 9000);
    assert_string_equal(heard_since(), "device ::/128 eth3\n");
    /* Gone is told when it is gone from lookups. */
    tell_all();
    tell_all();
    assert_string_equal(heard_since(), "");
    assert_string_equal(way(0, "40.0.0.1"), "eth0 via 10.0.0.1 from 10.0.0.5");
    while (routes_reclaim(routes))
        continue;
    assert_non_null(strstr(heard, "route 40.0.0.0/104 \n"));
    assert_non_null(strstr(heard, "route 30.0.0.0/104 \n"));
    assert_non_null(strstr(heard, "device ::/128 eth3\n"));
    heard_since();
    /* One that is back before it was freed. */
    tell_all();
    tell_route("30.0.0.0", 8, 8, NULL, 0);
    tell_all();
    tell_all();
    heard_since();
    tell_route("30.0.0.0", 8, 8, NULL, 0);
    assert_string_equal(heard_since(), "route 30.0.0.0/104 \n");
    routes_unlisten(routes, &listener);
}

static void devices_are_found_by_name(void **state)
{
    struct in6_addr mine = address("192.168.1.1"), a;
    struct routes_device device;
    char name[IFNAMSIZ];
    size_t position = 0;
    unsigned n = 0;

    assert_true(routes_find_device(routes, "eth1", &device));
    assert_int_equal(device.ifindex, 8);
    assert_int_equal(device.mtu, 1500);
    assert_int_equal(device.mac.addr_bytes[5], 8);
    assert_string_equal(routes_device_name(routes, 8), "eth1");
    assert_null(routes_device_name(routes, 77));
    assert_true(routes_has_address(routes, "eth1", &mine));
    assert_false(routes_has_address(routes, "eth0", &mine));
    assert_true(routes_has_address(routes, NULL, &mine));
    assert_true(routes_has_address(routes, "eth1", NULL));
    tell_device(8, "eth9", 1500);
    assert_false(routes_find_device(routes, "eth1", &device));
    assert_true(routes_has_address(routes, "eth9", &mine));
    assert_false(routes_has_address(routes, "eth1", NULL));
    assert_string_equal(way(0, "192.168.1.77"), "eth9 via :: from 192.168.1.1");
    while (routes_next_address(routes, &position, &a, name))
        n++;
    assert_int_equal(n, 4);
}

/* That the kernel's route prefers, or the operator's names. */
static void a_route_may_have_a_source(void **state)
{
    struct in6_addr prefix = address("10.0.0.0"), none = in6addr_any, other = address("10.0.0.6");
    struct route_told told = {
        .prefix = address("50.0.0.0"), .length = 104, .ifindex = 8, .source = address("10.0.0.6")};

    routes_tell_route(routes, &told);
    assert_string_equal(way(0, "50.0.0.1"), "eth1 via :: from 10.0.0.6");
    assert_int_equal(routes_add(routes, &prefix, 120, 0, ROUTE_TABLE_MAIN, "eth0", &none, &none), 0);
    assert_string_equal(way(0, "10.0.0.9"), "eth0 via :: from 10.0.0.5 user");
    assert_int_equal(routes_add(routes, &prefix, 120, 0, ROUTE_TABLE_MAIN, "eth0", &none, &other), 0);
    assert_string_equal(way(0, "10.0.0.9"), "eth0 via :: from 10.0.0.6 user");
    assert_int_equal(routes_add(routes, &prefix, 120, 0, ROUTE_TABLE_MAIN, "eth1", &none, &other), -EADDRNOTAVAIL);
}

/* --- rules --------------------------------------------------------------- */

static void tell_in(uint32_t table, const char *prefix, unsigned length, const char *gateway)
{
    struct route_told told = {.prefix = address(prefix),
                              .length = bits(prefix, length),
                              .ifindex = 8,
                              .table = table,
                              .gateway = address(gateway)};

    routes_tell_route(routes, &told);
}

static void tell_rule(uint32_t priority, uint32_t table, const char *from, unsigned length)
{
    struct route_rule rule;

    memset(&rule, 0, sizeof rule);
    rule.priority = priority;
    rule.table = table;
    if (from) {
        rule.from = address(from);
        rule.from_length = bits(from, length);
        rule.ipv6 = strchr(from, ':') != NULL;
    }
    routes_tell_rule(routes, &rule);
}

static void tell_standard_rules(void)
{
    tell_rule(0, ROUTE_TABLE_LOCAL, NULL, 0);
    tell_rule(32766, ROUTE_TABLE_MAIN, NULL, 0);
    tell_rule(32767, ROUTE_TABLE_DEFAULT, NULL, 0);
}

/* As way(), of packets from an address that is prescribed. */
static const char *way_from(const char *from, const char *to)
{
    const struct route_query query = {.to = address(to), .from = address(from)};
    char gateway[INET6_ADDRSTRLEN];
    struct route route;

    if (!routes_lookup(routes, &query, &route))
        return "none";
    snprintf(text, sizeof text, "%s via %s table %u", route.device, format(&route.gateway, gateway), route.table);
    return text;
}

static void rules_say_which_table_is_asked(void **state)
{
    struct route_rule rule;

    tell_in(100, "0.0.0.0", 0, "192.168.1.100");
    tell_in(100, "10.0.0.0", 24, "192.168.1.101");
    tell_in(ROUTE_TABLE_DEFAULT, "0.0.0.0", 0, "192.168.1.102");
    assert_string_equal(way(0, "8.8.8.8"), "eth0 via 10.0.0.1 from 10.0.0.5");
    /* Those of a reading count at its end. */
    tell_rule(50, 100, "10.0.0.5", 32);
    assert_string_equal(way_from("10.0.0.5", "8.8.8.8"), "eth0 via 10.0.0.1 table 254");
    tell_standard_rules();
    tell_all();
    assert_string_equal(way_from("10.0.0.5", "8.8.8.8"), "eth1 via 192.168.1.100 table 100");
    assert_string_equal(way_from("10.0.0.5", "10.0.0.9"), "eth1 via 192.168.1.101 table 100");
    assert_string_equal(way_from("10.0.0.6", "8.8.8.8"), "eth0 via 10.0.0.1 table 254");
    assert_string_equal(way(0, "8.8.8.8"), "eth0 via 10.0.0.1 from 10.0.0.5");
    /* Local addresses go before all of it, and IPv6 has rules of its own. */
    assert_string_equal(way_from("10.0.0.5", "10.0.0.5"), "eth0 via :: table 255");
    assert_string_equal(way(0, "2001:db8::1"), "eth1 via fd00::ff from fd00::1");

    /* A mark, part of it, and a destination. */
    memset(&rule, 0, sizeof rule);
    rule.table = 100;
    rule.priority = 10;
    rule.mark = 0x10;
    rule.mark_mask = 0xf0;
    rule.to = address("8.0.0.0");
    rule.to_length = 96 + 8;
    routes_tell_rule(routes, &rule);
    tell_in(100, "0.0.0.0", 0, "192.168.1.100");
    tell_standard_rules();
    tell_all();
    assert_string_equal(way(0x13, "8.8.8.8"), "eth1 via 192.168.1.100 from 192.168.1.1");
    assert_string_equal(way(0x23, "8.8.8.8"), "none");
    assert_string_equal(way(0x13, "9.9.9.9"), "none");
    /* The reading before had no rule for 10.0.0.5 any more. */
    assert_string_equal(way_from("10.0.0.5", "8.8.8.8"), "eth0 via 10.0.0.1 table 254");
    assert_true(routes_want_table(routes, ROUTE_TABLE_MAIN));
    assert_false(routes_want_table(routes, 100));
    tell_rule(1, 100, NULL, 0);
    assert_true(routes_want_table(routes, 100));
}

static void rules_can_do_more_than_ask_a_table(void **state)
{
    struct route_told told = {.prefix = address("9.0.0.0"), .length = 96 + 8, .table = 100, .verdict = ROUTE_REFUSED};
    struct route_rule rule;

    tell_in(100, "0.0.0.0", 0, "192.168.1.100");
    memset(&rule, 0, sizeof rule);
    rule.table = 100;
    rule.priority = 10;
    rule.suppress = true; /* of table 100 all but its default route */
    routes_tell_rule(routes, &rule);
    tell_standard_rules();
    tell_all();
    assert_string_equal(way(0, "9.9.9.9"), "eth0 via 10.0.0.1 from 10.0.0.5");
    routes_tell_route(routes, &told);
    assert_string_equal(way(0, "9.9.9.9"), "none");
    told.verdict = ROUTE_THROW;
    routes_tell_route(routes, &told);
    assert_string_equal(way(0, "9.9.9.9"), "eth0 via 10.0.0.1 from 10.0.0.5");

    rule.suppress = false;
    rule.action = ROUTE_RULE_GOTO;
    rule.target = 30;
    routes_tell_rule(routes, &rule);
    rule.priority = 20;
    rule.action = ROUTE_RULE_REFUSE;
    routes_tell_rule(routes, &rule);
    tell_standard_rules();
    tell_all();
    assert_string_equal(way(0, "9.9.9.9"), "eth0 via 10.0.0.1 from 10.0.0.5");
    rule.priority = 30;
    rule.never = true;
    routes_tell_rule(routes, &rule);
    tell_standard_rules();
    tell_all();
    assert_string_equal(way(0, "9.9.9.9"), "eth0 via 10.0.0.1 from 10.0.0.5");
    rule.invert = true;
    routes_tell_rule(routes, &rule);
    tell_standard_rules();
    tell_all();
    assert_string_equal(way(0, "9.9.9.9"), "none");
    tell_all();
    assert_string_equal(way(0, "9.9.9.9"), "eth0 via 10.0.0.1 from 10.0.0.5");
}

static void operators_have_rules_and_tables(void **state)
{
    struct in6_addr prefix = address("9.0.0.0"), gateway = address("192.168.1.77");
    struct route_rule rule;

    memset(&rule, 0, sizeof rule);
    rule.table = 7;
    rule.from = address("192.168.1.1");
    rule.from_length = 128;
    assert_int_equal(routes_add(routes, &prefix, 96 + 8, 0, 7, "eth1", &gateway, &in6addr_any), 0);
    assert_string_equal(way_from("192.168.1.1", "9.9.9.9"), "eth0 via 10.0.0.1 table 254");
    assert_true(routes_add_rule(routes, &rule));
    assert_int_equal(routes_rule(routes, 2)->priority, 32765);
    assert_true(routes_rule(routes, 2)->user);
    assert_string_equal(way_from("192.168.1.1", "9.9.9.9"), "eth1 via 192.168.1.77 table 7");
    tell_all(); /* what the kernel says does not touch it */
    assert_string_equal(way_from("192.168.1.1", "9.9.9.9"), "eth1 via 192.168.1.77 table 7");
    rule.table = 8;
    assert_false(routes_remove_rule(routes, &rule));
    rule.table = 7;
    assert_true(routes_remove_rule(routes, &rule));
    assert_string_equal(way_from("192.168.1.1", "9.9.9.9"), "eth0 via 10.0.0.1 table 254");
    assert_false(routes_remove(routes, &prefix, 96 + 8, 0, ROUTE_TABLE_MAIN));
    assert_true(routes_remove(routes, &prefix, 96 + 8, 0, 7));
}

/* --- several paths ------------------------------------------------------- */

static void tell_path(const char *gateway, uint32_t weight)
{
    struct route_told told = {
        .prefix = address("50.0.0.0"), .length = 104, .ifindex = 8, .gateway = address(gateway), .weight = weight};

    routes_tell_route(routes, &told);
}

/* How many of the slots have that gateway. */
static unsigned slots_of(const char *gateway, uint32_t *n_slots)
{
    struct route_query query = {.to = address("50.0.0.9")};
    const struct in6_addr a = address(gateway);
    struct route route;
    unsigned n = 0;

    do {
        assert_true(routes_lookup(routes, &query, &route));
        n += IN6_ARE_ADDR_EQUAL(&route.gateway, &a);
    } while (++query.slot < route.n_slots);
    *n_slots = route.n_slots;
    return n;
}

static void several_paths_share_packets_by_weight(void **state)
{
    uint32_t n_slots;

    tell_path("192.168.1.10", 1);
    assert_int_equal(slots_of("192.168.1.10", &n_slots), 1);
    assert_int_equal(n_slots, 1);
    tell_path("192.168.1.11", 1);
    assert_int_equal(slots_of("192.168.1.10", &n_slots), 1);
    assert_int_equal(slots_of("192.168.1.11", &n_slots), 1);
    assert_int_equal(n_slots, 2);
    tell_path("192.168.1.11", 3);
    assert_int_equal(slots_of("192.168.1.10", &n_slots), 1);
    assert_int_equal(slots_of("192.168.1.11", &n_slots), 3);
    assert_int_equal(n_slots, 4);
    tell_path("192.168.1.12", 1);
    assert_int_equal(slots_of("192.168.1.10", &n_slots), 13);
    assert_int_equal(slots_of("192.168.1.11", &n_slots), 39);
    assert_int_equal(slots_of("192.168.1.12", &n_slots), 12);
    assert_int_equal(n_slots, ROUTE_SLOTS_MAX);
    /* Two readings without two of them. */
    for (unsigned i = 0; i < 2; i++) {
        tell_path("192.168.1.11", 3);
        tell_all();
    }
    assert_int_equal(slots_of("192.168.1.11", &n_slots), 1);
    assert_int_equal(n_slots, 1);
}

/* RFC 5549: the source is the preferred one, or an address of the device. */
static void ipv4_may_go_by_an_ipv6_router(void **state)
{
    struct route_told told = {
        .prefix = address("70.0.0.0"), .length = 104, .ifindex = 8, .gateway = address("fd00::9"), .table = 0};
    const struct in6_addr router = address("fd00::9");
    struct in6_addr from;
    char text_of[INET6_ADDRSTRLEN];

    routes_tell_route(routes, &told);
    assert_string_equal(way(0, "70.0.0.1"), "eth1 via fd00::9 from 192.168.1.1");
    told.source = address("10.0.0.5");
    routes_tell_route(routes, &told);
    assert_string_equal(way(0, "70.0.0.1"), "eth1 via fd00::9 from 10.0.0.5");
    assert_true(routes_source_for(routes, "eth1", &router, &from));
    assert_string_equal(format(&from, text_of), "fd00::1");
    assert_false(routes_source_for(routes, "eth0", &router, &from));
    assert_false(routes_source_for(routes, "none", &router, &from));
    /* No address of the family. */
    tell_device(9, "eth2", 1500);
    tell_address(9, "fd01::1", 64);
    told =
        (struct route_told){.prefix = address("71.0.0.0"), .length = 104, .ifindex = 9, .gateway = address("fd01::9")};
    routes_tell_route(routes, &told);
    assert_string_equal(way(0, "71.0.0.1"), "eth0 via 10.0.0.1 from 10.0.0.5");
}

/* The second way is by another device, with a higher metric or as one of several paths. */
static void a_link_that_is_down_is_the_last_choice(void **state)
{
    struct route_told path = {.prefix = address("50.0.0.0"), .length = 104, .gateway = address("192.168.1.10")};
    struct routes_listener listener = {.changed = on_change};
    uint32_t n_slots;

    tell_route("60.0.0.0", 8, 8, "192.168.1.10", 10);
    tell_route("60.0.0.0", 8, 7, "10.0.0.1", 20);
    path.weight = 1;
    path.ifindex = 8;
    routes_tell_route(routes, &path);
    path.ifindex = 7;
    path.gateway = address("10.0.0.1");
    routes_tell_route(routes, &path);
    assert_string_equal(way(0, "60.0.0.1"), "eth1 via 192.168.1.10 from 192.168.1.1");
    assert_int_equal(slots_of("192.168.1.10", &n_slots), 1);
    assert_int_equal(n_slots, 2);
    routes_listen(routes, &listener);
    tell_carrier(8, "eth1", false);
    assert_string_equal(heard_since(), "device ::/0 eth1\n");
    assert_string_equal(way(0, "60.0.0.1"), "eth0 via 10.0.0.1 from 10.0.0.5");
    assert_int_equal(slots_of("10.0.0.1", &n_slots), 1);
    assert_int_equal(n_slots, 1);
    /* Nothing is better than a link that is down: a shorter prefix is not, and all are down. */
    assert_string_equal(way(0, "192.168.1.77"), "eth1 via :: from 192.168.1.1");
    tell_carrier(7, "eth0", false);
    assert_string_equal(way(0, "60.0.0.1"), "eth1 via 192.168.1.10 from 192.168.1.1");
    assert_int_equal(slots_of("10.0.0.1", &n_slots), 1);
    assert_int_equal(n_slots, 2);
    tell_carrier(7, "eth0", true);
    tell_carrier(8, "eth1", true);
    assert_string_equal(way(0, "60.0.0.1"), "eth1 via 192.168.1.10 from 192.168.1.1");
    routes_unlisten(routes, &listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_longest_prefix_counts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(of_one_prefix_the_lowest_metric_counts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_not_told_again_is_gone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_route_needs_an_address, set_up, tear_down),
        cmocka_unit_test_setup_teardown(operators_routes_go_before, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_routes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_kernel_tells, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_kernel_tells_of_devices_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(each_change_is_told_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(devices_are_found_by_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_route_may_have_a_source, set_up, tear_down),
        cmocka_unit_test_setup_teardown(rules_say_which_table_is_asked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(rules_can_do_more_than_ask_a_table, set_up, tear_down),
        cmocka_unit_test_setup_teardown(operators_have_rules_and_tables, set_up, tear_down),
        cmocka_unit_test_setup_teardown(several_paths_share_packets_by_weight, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_link_that_is_down_is_the_last_choice, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ipv4_may_go_by_an_ipv6_router, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
