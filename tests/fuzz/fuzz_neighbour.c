/* Neighbours that hear any packets at any time. Input, again and again: how much time passes (1 byte), how to cut the
 * packet in two (1 byte), its length (2 bytes), the packet. What is learned is an address that a host can have, for a
 * host's IP address; a bound holds, and the neighbour that somebody waits for is not lost but by time. Buffers are
 * exactly as long as their data, so that ASan sees every byte too far. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/clock.h"
#include "src/bridge/bridge.h"
#include "src/match/flow.h"
#include "src/net/route.h"
#include "src/tunnel/neighbour.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/segment.h"
#include "tests/lib/eal.h"

#define HEAD_ROOM 8

static struct rte_mempool *pool;
static struct loop *loop;
static struct routes *routes;
static struct bridge *bridge;
static uint64_t now_us = 1000000;

static uint64_t fuzz_clock(void)
{
    return now_us;
}

static struct in6_addr address(const char *s)
{
    struct in6_addr a = {.s6_addr = {[10] = 0xff, [11] = 0xff}};

    CHECK(inet_pton(AF_INET, s, &a.s6_addr[12]) == 1 || inet_pton(AF_INET6, s, &a) == 1);
    return a;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    const struct bridge_port_params local = {.kind = BRIDGE_PORT_INTERNAL, .name = "br0", .ofport = OFPORT_LOCAL};
    struct routes_device device = {.ifindex = 7, .name = "br0", .mtu = 1500};
    struct in6_addr ip = address("10.0.0.1"), ip6 = address("fd00::1");
    const char *error;

    CHECK(test_eal_init("fuzz_neighbour") == 0);
    pool = test_pool(255);
    clock_set_source(fuzz_clock);
    loop = loop_create();
    routes = routes_create();
    routes_tell_device(routes, &device);
    routes_tell_address(routes, 7, &ip, 120);
    routes_tell_address(routes, 7, &ip6, 64);
    routes_told_all(routes);
    bridge = bridge_create("br0", 1, NULL);
    CHECK(pool && bridge_port_add(bridge, &local, &error));
    return 0;
}

static struct rte_mbuf *packet_new(const uint8_t *data, size_t len, size_t cut)
{
    size_t first = cut > 0 && cut < len ? cut : len;
    struct rte_mbuf *m = segment_new(pool, data, first, HEAD_ROOM);

    if (first < len)
        CHECK(rte_pktmbuf_chain(m, segment_new(pool, data + first, len - first, HEAD_ROOM)) == 0);
    return m;
}

static void on_send(void *arg, struct bridge_port *from, struct rte_mbuf *frame)
{
    struct neighbours *neighbours = *(struct neighbours **)arg;

    /* A request of the switch's own teaches it nothing. */
    CHECK(!neighbours_snoop(neighbours, bridge, frame));
    rte_pktmbuf_free(frame);
}

static void on_changed(struct neighbour_watch *watch)
{
}

static void check(const struct neighbours *neighbours)
{
    struct neighbours_stats stats;
    const struct neighbour *n;
    size_t position = 0;

    neighbours_get_stats(neighbours, &stats);
    CHECK(stats.n <= NEIGHBOURS_MAX + 2 && stats.n_watched == 2);
    while ((n = neighbours_next(neighbours, &position))) {
        CHECK(rte_is_unicast_ether_addr(&n->mac) && !rte_is_zero_ether_addr(&n->mac));
        CHECK(!IN6_IS_ADDR_MULTICAST(&n->ip) && !IN6_IS_ADDR_UNSPECIFIED(&n->ip));
        CHECK(!IN6_IS_ADDR_V4MAPPED(&n->ip) || (n->ip.s6_addr[12] != 0 && n->ip.s6_addr[12] < 224));
        CHECK(!routes_has_address(routes, NULL, &n->ip));
        CHECK(n->expires_ms + 1000 > now_us / 1000);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct neighbours *neighbours;
    const struct neighbours_user user = {.arg = &neighbours, .send = on_send};
    struct in6_addr v4 = address("10.0.0.9"), v6 = address("fd00::9");
    struct neighbour_watch watch4 = {
        .egress = bridge->local, .from = address("10.0.0.1"), .mac = {{2, 0, 0, 0, 0, 7}}, .changed = on_changed};
    struct neighbour_watch watch6 = watch4;

    watch6.from = address("fd00::1");
    neighbours = neighbours_create(loop, routes, pool, &user);
    neighbours_watch(neighbours, &watch4, &v4);
    neighbours_watch(neighbours, &watch6, &v6);
    while (size >= 4) {
        size_t len = RTE_MIN((size_t)(data[2] << 8 | data[3]) % 2048, size - 4);
        struct rte_mbuf *m = packet_new(data + 4, len, data[1]);

        now_us += (uint64_t)data[0] * data[0] * 100000;
        loop_turn(loop);
        neighbours_snoop(neighbours, bridge, m);
        rte_pktmbuf_free(m);
        check(neighbours);
        data += 4 + len;
        size -= 4 + len;
    }
    neighbours_unwatch(neighbours, &watch4);
    neighbours_unwatch(neighbours, &watch6);
    neighbours_destroy(neighbours);
    CHECK(rte_mempool_in_use_count(pool) == 0);
    return 0;
}
