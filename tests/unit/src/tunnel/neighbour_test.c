/* Neighbours: which packets say where one is, when one is asked for, and what a flood does. Time is the test's. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "pmd/base/clock.h"
#include "src/bridge/bridge.h"
#include "src/match/flow.h"
#include "src/net/route.h"
#include "src/tunnel/neighbour.h"
#include "src/tunnel/neighbour_packet.h"
#include "tests/lib/eal.h"

static struct rte_mempool *pool;
static struct loop *loop;
static struct routes *routes;
static struct bridge *bridge;
static struct neighbours *neighbours;
static struct neighbour_watch watch;
static uint64_t now_us;
static unsigned n_changed, n_kernel;

/* The last request that was sent, and how many. */
static uint8_t sent[256];
static unsigned sent_len, n_sent;

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

static void on_send(void *arg, struct bridge_port *from, struct rte_mbuf *frame)
{
    assert_ptr_equal(from, bridge->local);
    sent_len = rte_pktmbuf_pkt_len(frame);
    memcpy(sent, rte_pktmbuf_mtod(frame, void *), sent_len);
    n_sent++;
    rte_pktmbuf_free(frame);
}

static void on_ask_kernel(void *arg, const struct bridge_port *from, const struct in6_addr *ip)
{
    n_kernel++;
}

static void on_changed(struct neighbour_watch *w)
{
    assert_ptr_equal(w, &watch);
    n_changed++;
}

static int set_up_all(void **state)
{
    if (test_eal_init("neighbour_test"))
        return -1;
    pool = test_pool(255);
    return pool ? 0 : -1;
}

static int set_up(void **state)
{
    const struct neighbours_user user = {.send = on_send, .ask_kernel = on_ask_kernel};
    const struct bridge_port_params local = {.kind = BRIDGE_PORT_INTERNAL, .name = "br0", .ofport = OFPORT_LOCAL};
    struct routes_device device = {.ifindex = 7, .name = "br0", .mac = ours, .mtu = 1500};
    struct in6_addr ip = address("10.0.0.1"), ip6 = address("fd00::1");
    const char *error;

    now_us = 1000000000;
    clock_set_source(test_clock);
    loop = loop_create();
    routes = routes_create();
    routes_tell_device(routes, &device);
    routes_tell_address(routes, 7, &ip, 120);
    routes_tell_address(routes, 7, &ip6, 64);
    routes_told_all(routes);
    bridge = bridge_create("br0", 1, NULL);
    assert_non_null(bridge_port_add(bridge, &local, &error));
    neighbours = neighbours_create(loop, routes, pool, &user);
    watch = (struct neighbour_watch){.egress = bridge->local, .from = ip, .mac = ours, .changed = on_changed};
    n_changed = n_sent = n_kernel = 0;
    return 0;
}

static int tear_down(void **state)
{
    if (watch.neighbour)
        neighbours_unwatch(neighbours, &watch);
    neighbours_destroy(neighbours);
    bridge_destroy(bridge);
    routes_destroy(routes);
    loop_destroy(loop);
    clock_set_source(NULL);
    assert_int_equal(rte_mempool_in_use_count(pool), 0);
    return 0;
}

static void pass(uint64_t ms)
{
    for (uint64_t end = now_us + ms * 1000; now_us < end; now_us += 10000)
        loop_turn(loop);
    loop_turn(loop);
}

static void watch_it(const char *ip)
{
    struct in6_addr a = address(ip);

    watch.from = address(strchr(ip, ':') ? "fd00::1" : "10.0.0.1");
    neighbours_watch(neighbours, &watch, &a);
}

/* --- packets ------------------------------------------------------------- */

static uint8_t frame[600];
static size_t frame_len;

static bool snoop(void)
{
    struct rte_mbuf *m = rte_pktmbuf_alloc(pool);

    memcpy(rte_pktmbuf_append(m, (uint16_t)frame_len), frame, frame_len);
    bool learned = neighbours_snoop(neighbours, bridge, m);
    rte_pktmbuf_free(m);
    return learned;
}

static void arp(unsigned op, const char *sender, const struct rte_ether_addr *mac, const char *target)
{
    struct in6_addr from = address(sender), to = address(target);
    uint8_t *at = frame + 14;

    memset(frame, 0, sizeof frame);
    memset(frame, 0xff, 6);
    memcpy(frame + 6, mac, 6);
    memcpy(frame + 12, "\x08\x06", 2);
    memcpy(at, "\0\1\x08\0\6\4\0", 7);
    at[7] = (uint8_t)op;
    memcpy(at + 8, mac, 6);
    memcpy(at + 14, &from.s6_addr[12], 4);
    memcpy(at + 24, &to.s6_addr[12], 4);
    frame_len = 42;
}

static uint16_t sum(const uint8_t *data, size_t len, uint32_t start)
{
    for (size_t i = 0; i < len; i++)
        start += i % 2 ? data[i] : (uint32_t)data[i] << 8;
    while (start >> 16)
        start = (start & 0xffff) + (start >> 16);
    return (uint16_t)start;
}

/* Writes the checksum of what is in `frame`. */
static void check_nd(void)
{
    uint8_t *ip = frame + 14, *nd = ip + 40;
    size_t len = (size_t)(ip[4] << 8 | ip[5]);

    nd[2] = nd[3] = 0;
    uint16_t s = (uint16_t)~sum(nd, len, (uint32_t)sum(ip + 8, 32, (uint32_t)len + 58));
    nd[2] = (uint8_t)(s >> 8);
    nd[3] = (uint8_t)s;
}

static void advert(const char *target, const struct rte_ether_addr *mac, uint8_t flags, const char *to)
{
    struct in6_addr t = address(target), dst = address(to);
    uint8_t *ip = frame + 14, *nd = ip + 40;

    memset(frame, 0, sizeof frame);
    memcpy(frame + 12, "\x86\xdd", 2);
    ip[0] = 0x60;
    ip[5] = mac ? 32 : 24;
    ip[6] = 58;
    ip[7] = 255;
    memcpy(ip + 8, &t, 16);
    memcpy(ip + 24, &dst, 16);
    nd[0] = 136;
    nd[4] = flags;
    memcpy(nd + 8, &t, 16);
    if (mac) {
        nd[24] = 2;
        nd[25] = 1;
        memcpy(nd + 26, mac, 6);
    }
    frame_len = 54 + ip[5];
    check_nd();
}

/* "MAC" of the neighbour, or "none". */
static const char *known(const char *ip)
{
    static char text[32];
    struct in6_addr a = address(ip);
    const struct neighbour *n;
    size_t position = 0;

    while ((n = neighbours_next(neighbours, &position)))
        if (IN6_ARE_ADDR_EQUAL(&n->ip, &a)) {
            snprintf(text, sizeof text, RTE_ETHER_ADDR_PRT_FMT, RTE_ETHER_ADDR_BYTES(&n->mac));
            return text;
        }
    return "none";
}

#define THEIRS "02:00:00:00:01:01"

static void answers_are_learned(void **state)
{
    arp(2, "10.0.0.9", &theirs, "10.0.0.1");
    assert_true(snoop());
    assert_string_equal(known("10.0.0.9"), THEIRS);
    advert("fd00::9", &theirs, 0x60, "fd00::1");
    assert_true(snoop());
    assert_string_equal(known("fd00::9"), THEIRS);
    /* To everybody. */
    arp(2, "10.0.0.10", &theirs, "10.0.0.10");
    assert_true(snoop());
    arp(1, "10.0.0.11", &theirs, "10.0.0.11");
    assert_true(snoop());
    advert("fd00::a", &theirs, 0x20, "ff02::1");
    assert_true(snoop());
    /* Behind a tag. */
    arp(2, "10.0.0.12", &theirs, "10.0.0.1");
    memmove(frame + 16, frame + 12, 30);
    memcpy(frame + 12, "\x81\x00\x00\x05", 4);
    frame_len += 4;
    assert_true(snoop());
    assert_string_equal(known("10.0.0.12"), THEIRS);
}

static void what_others_are_told_is_not_learned(void **state)
{
    arp(2, "10.0.0.9", &theirs, "10.0.0.2");
    assert_false(snoop());
    advert("fd00::9", &theirs, 0x60, "fd00::2");
    assert_false(snoop());
    /* Nor what is asked of this host, unless it is of interest. */
    arp(1, "10.0.0.9", &theirs, "10.0.0.1");
    assert_false(snoop());
    watch_it("10.0.0.9");
    assert_true(snoop());
    assert_string_equal(known("10.0.0.9"), THEIRS);
    /* Nor about this host. */
    arp(2, "10.0.0.1", &theirs, "10.0.0.1");
    assert_false(snoop());
    assert_string_equal(known("10.0.0.1"), "none");
}

/* Each byte, changed, of which the answer depends. */
static void malformed_packets_say_nothing(void **state)
{
    static const struct {
        unsigned at;
        uint8_t is;
    } of_arp[] = {{15, 2}, {16, 0}, {18, 5}, {19, 16}, {21, 3}, {22, 1}, {28, 0}, {28, 127}, {28, 224}, {28, 255}},
      of_nd[] = {{20, 59}, {21, 254}, {54, 137}, {55, 1}, {62, 0xff}, {79, 0}, {79, 2}, {80, 1}};

    for (size_t i = 0; i < sizeof of_arp / sizeof *of_arp; i++) {
        arp(2, "10.0.0.9", &theirs, "10.0.0.1");
        frame[of_arp[i].at] = of_arp[i].is;
        assert_false(snoop());
    }
    for (size_t i = 0; i < sizeof of_nd / sizeof *of_nd; i++) {
        advert("fd00::9", &theirs, 0x60, "fd00::1");
        frame[of_nd[i].at] = of_nd[i].is;
        check_nd();
        assert_false(snoop());
    }
    advert("fd00::9", &theirs, 0x60, "fd00::1");
    frame[57] ^= 1; /* the checksum */
    assert_false(snoop());
    advert("fd00::9", &theirs, 0x60, "ff02::1"); /* solicited, by a group */
    assert_false(snoop());
    advert("fd00::9", &theirs, 0x60, "fd00::1");
    frame[19] = 33; /* longer than the packet */
    check_nd();
    assert_false(snoop());
    /* Cut at every byte. */
    for (size_t len = 14; len < 86; len++) {
        advert("fd00::9", &theirs, 0x60, "fd00::1");
        frame_len = len;
        assert_false(snoop());
        arp(2, "10.0.0.9", &theirs, "10.0.0.1");
        if (len < 42) {
            frame_len = len;
            assert_false(snoop());
        }
    }
    struct neighbours_stats stats;
    neighbours_get_stats(neighbours, &stats);
    assert_int_equal(stats.n, 0);
    assert_int_equal(stats.learned, 0);
}

/* RFC 4861, 7.2.5 */
static void an_advertisement_may_be_weak(void **state)
{
    static const struct rte_ether_addr other = {{2, 0, 0, 0, 1, 2}};

    advert("fd00::9", &theirs, 0x60, "fd00::1");
    assert_true(snoop());
    advert("fd00::9", &other, 0x40, "fd00::1");
    assert_false(snoop());
    assert_string_equal(known("fd00::9"), THEIRS);
    advert("fd00::9", &other, 0x60, "fd00::1");
    assert_true(snoop());
    assert_string_equal(known("fd00::9"), "02:00:00:00:01:02");
    /* Without an address it says that the neighbour is there. */
    pass(800000);
    advert("fd00::9", NULL, 0x40, "fd00::1");
    assert_true(snoop());
    pass(800000);
    assert_string_equal(known("fd00::9"), "02:00:00:00:01:02");
    advert("fd00::8", NULL, 0x40, "fd00::1");
    assert_false(snoop());
}

static bool hears(const struct bridge_port *to, struct flow flow, struct flow *seen)
{
    memset(seen, 0, sizeof *seen);
    return neighbours_hear(neighbours, to, &flow, seen);
}

/* Of packets to ports with an address: ARP and neighbour discovery; who looks, looks at no more than that takes. */
static void it_is_known_which_packets_may_say_something(void **state)
{
    const struct bridge_port_params params = {.kind = BRIDGE_PORT_INTERNAL, .name = "p1", .ofport = 1};
    struct flow arp_flow = {.pkt = {.eth_type = RTE_BE16(0x0806)}}, v4 = {.pkt = {.eth_type = RTE_BE16(0x0800)}};
    struct flow nd = {.pkt = {.eth_type = RTE_BE16(0x86dd), .ip_proto = 58, .tp_src = RTE_BE16(136)}};
    struct flow seen, nothing = {.in_port = 0};
    const char *error;
    const struct bridge_port *bp = bridge_port_add(bridge, &params, &error);

    assert_false(hears(bp, arp_flow, &seen));
    assert_memory_equal(&seen, &nothing, sizeof seen);
    assert_true(hears(bridge->local, arp_flow, &seen));
    assert_int_equal(seen.pkt.eth_type, UINT16_MAX);
    assert_int_equal(seen.pkt.ip_proto, 0);
    assert_false(hears(bridge->local, v4, &seen));
    assert_int_equal(seen.pkt.ip_proto, 0);
    assert_true(hears(bridge->local, nd, &seen));
    assert_int_equal(seen.pkt.tp_src, UINT16_MAX);
    nd.pkt.tp_src = RTE_BE16(135);
    assert_true(hears(bridge->local, nd, &seen));
    nd.pkt.tp_src = RTE_BE16(134);
    assert_false(hears(bridge->local, nd, &seen));
    nd.pkt.ip_proto = 17;
    assert_false(hears(bridge->local, nd, &seen));
    assert_int_equal(seen.pkt.tp_src, 0);
}

/* --- requests ------------------------------------------------------------ */

static void requests_are_as_they_have_to_be(void **state)
{
    static const uint8_t want[42] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0,  0, 0, 0, 7, 8, 6, 0, 1, 8, 0,  6, 4, 0,
                                     1,    2,    0,    0,    0,    0,    7, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 9};
    static const uint8_t want6[86] = {0x33, 0x33, 0xff, 0,    0,    9, 2, 0, 0,    0, 0, 7, 0x86, 0xdd, 0x60, 0, 0, 0,
                                      0,    32,   58,   255,  0xfd, 0, 0, 0, 0,    0, 0, 0, 0,    0,    0,    0, 0, 0,
                                      0,    1,    0xff, 2,    0,    0, 0, 0, 0,    0, 0, 0, 0,    1,    0xff, 0, 0, 9,
                                      135,  0,    0x82, 0xa9, 0,    0, 0, 0, 0xfd, 0, 0, 0, 0,    0,    0,    0, 0, 0,
                                      0,    0,    0,    0,    0,    9, 1, 1, 2,    0, 0, 0, 0,    7};

    watch_it("10.0.0.9");
    assert_int_equal(n_sent, 0); /* not from within the call */
    pass(0);
    assert_int_equal(sent_len, sizeof want);
    assert_memory_equal(sent, want, sizeof want);
    neighbours_unwatch(neighbours, &watch);
    watch_it("fd00::9");
    pass(0);
    assert_int_equal(sent_len, sizeof want6);
    /* The checksum is the independent one of check_nd(). */
    memcpy(frame, want6, sizeof want6);
    check_nd();
    assert_memory_equal(sent, frame, sizeof want6);
}

static void who_does_not_answer_is_silent_after_a_second(void **state)
{
    watch_it("10.0.0.9");
    assert_int_equal(watch.neighbour->state, NEIGHBOUR_ASKED);
    pass(150);
    assert_int_equal(n_sent, 1);
    assert_int_equal(n_kernel, 1);
    pass(150);
    assert_int_equal(n_sent, 2);
    pass(300);
    assert_int_equal(n_sent, 3);
    pass(380);
    assert_int_equal(watch.neighbour->state, NEIGHBOUR_ASKED);
    pass(40);
    assert_int_equal(watch.neighbour->state, NEIGHBOUR_SILENT);
    assert_int_equal(n_changed, 1);
    /* Again after 2, 4, 8, 8 seconds. */
    pass(1900);
    assert_int_equal(n_sent, 3);
    pass(200);
    assert_int_equal(n_sent, 4);
    pass(4000);
    assert_int_equal(n_sent, 5);
    pass(80000);
    assert_int_equal(n_sent, 15);
    assert_int_equal(n_changed, 1);
    arp(2, "10.0.0.9", &theirs, "10.0.0.1");
    assert_true(snoop());
    assert_int_equal(n_changed, 2);
    assert_int_equal(watch.neighbour->state, NEIGHBOUR_KNOWN);
    /* Nobody wants to know any more. */
    neighbours_unwatch(neighbours, &watch);
    watch_it("10.0.0.8");
    neighbours_unwatch(neighbours, &watch);
    n_sent = 0;
    pass(10000);
    assert_int_equal(n_sent, 0);
}

static void an_address_ages(void **state)
{
    arp(2, "10.0.0.9", &theirs, "10.0.0.1");
    assert_true(snoop());
    pass(899000);
    assert_string_equal(known("10.0.0.9"), THEIRS);
    pass(2000);
    assert_string_equal(known("10.0.0.9"), "none");
    /* One that is watched is asked before, and stays if it answers. */
    watch_it("10.0.0.9");
    assert_true(snoop());
    n_changed = n_sent = 0;
    pass(896000);
    assert_int_equal(n_sent, 0);
    pass(1500);
    assert_int_equal(n_sent, 1);
    assert_memory_equal(sent, &theirs, 6);
    assert_true(snoop());
    pass(890000);
    assert_int_equal(n_sent, 1);
    assert_int_equal(n_changed, 0);
    /* It is asked three times at its address, three times everybody, and then it is silent. */
    pass(9500);
    assert_int_equal(n_sent, 4);
    pass(600);
    assert_int_equal(watch.neighbour->state, NEIGHBOUR_ASKED);
    pass(1000);
    assert_int_equal(n_sent, 7);
    assert_int_equal(watch.neighbour->state, NEIGHBOUR_SILENT);
    assert_int_equal(n_changed, 2);
}

static void aging_can_be_set(void **state)
{
    arp(2, "10.0.0.9", &theirs, "10.0.0.1");
    assert_true(snoop());
    assert_int_equal(neighbours_aging(neighbours), 900);
    neighbours_set_aging(neighbours, 5);
    pass(4900);
    assert_string_equal(known("10.0.0.9"), THEIRS);
    pass(200);
    assert_string_equal(known("10.0.0.9"), "none");
    /* What an operator said ages, too, but while it is of use. */
    struct in6_addr ip = address("10.0.0.9");
    neighbours_tell(neighbours, bridge, &ip, &theirs, NEIGHBOUR_SET);
    pass(5100);
    assert_string_equal(known("10.0.0.9"), "none");
    watch_it("10.0.0.9");
    neighbours_tell(neighbours, bridge, &ip, &theirs, NEIGHBOUR_SET);
    n_sent = 0;
    pass(60000);
    assert_string_equal(known("10.0.0.9"), THEIRS);
    assert_int_equal(n_sent, 0);
    neighbours_flush(neighbours);
    assert_string_equal(known("10.0.0.9"), "none");
    assert_int_equal(watch.neighbour->state, NEIGHBOUR_ASKED);
}

/* The kernel's word counts for those that are of interest, until somebody else has spoken. */
static void the_kernel_is_believed_with_care(void **state)
{
    static const struct rte_ether_addr other = {{2, 0, 0, 0, 1, 2}};
    struct in6_addr ip = address("10.0.0.9");

    neighbours_tell(neighbours, bridge, &ip, &theirs, NEIGHBOUR_KERNEL);
    assert_string_equal(known("10.0.0.9"), "none");
    watch_it("10.0.0.9");
    neighbours_tell(neighbours, bridge, &ip, &theirs, NEIGHBOUR_KERNEL);
    assert_string_equal(known("10.0.0.9"), THEIRS);
    assert_int_equal(n_changed, 1);
    pass(100);
    n_sent = 0;
    /* It forgets it: asked at once, and silent in four seconds. */
    neighbours_doubt(neighbours, bridge, &ip);
    pass(100);
    assert_int_equal(n_sent, 1);
    assert_int_equal(n_changed, 1);
    pass(4100);
    assert_int_equal(watch.neighbour->state, NEIGHBOUR_SILENT);
    arp(2, "10.0.0.9", &theirs, "10.0.0.1");
    assert_true(snoop());
    neighbours_tell(neighbours, bridge, &ip, &other, NEIGHBOUR_KERNEL);
    assert_string_equal(known("10.0.0.9"), THEIRS);
    neighbours_doubt(neighbours, bridge, &ip);
    pass(5000);
    assert_string_equal(known("10.0.0.9"), THEIRS);
}

/* Neither grows the table nor takes from it what is needed. */
static void a_flood_changes_nothing(void **state)
{
    struct neighbours_stats stats;
    char ip[32];

    watch_it("10.0.0.9");
    arp(2, "10.0.0.9", &theirs, "10.0.0.1");
    assert_true(snoop());
    for (unsigned i = 0; i < 100000; i++) {
        snprintf(ip, sizeof ip, "11.%u.%u.%u", i >> 16, i >> 8 & 255, i & 255);
        arp(2, ip, &theirs, "10.0.0.1");
        assert_true(snoop());
    }
    neighbours_get_stats(neighbours, &stats);
    assert_int_equal(stats.n, NEIGHBOURS_MAX + 1);
    assert_int_equal(stats.n_watched, 1);
    assert_string_equal(known("10.0.0.9"), THEIRS);
    assert_string_equal(known("11.1.134.159"), THEIRS);
    assert_string_equal(known("11.0.0.1"), "none");
    neighbours_forget_bridge(neighbours, bridge);
    neighbours_get_stats(neighbours, &stats);
    assert_int_equal(stats.n, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(answers_are_learned, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_others_are_told_is_not_learned, set_up, tear_down),
        cmocka_unit_test_setup_teardown(malformed_packets_say_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_advertisement_may_be_weak, set_up, tear_down),
        cmocka_unit_test_setup_teardown(it_is_known_which_packets_may_say_something, set_up, tear_down),
        cmocka_unit_test_setup_teardown(requests_are_as_they_have_to_be, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_does_not_answer_is_silent_after_a_second, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_address_ages, set_up, tear_down),
        cmocka_unit_test_setup_teardown(aging_can_be_set, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_kernel_is_believed_with_care, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_flood_changes_nothing, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, set_up_all, NULL);
}
