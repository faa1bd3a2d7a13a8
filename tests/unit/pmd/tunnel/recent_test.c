/* What a thread remembers of outer headers makes no difference but of speed. */
#include "tests/unit/pmd/tunnel/golden_packets.h"
#include "tests/unit/pmd/tunnel/tunnel_bed.h"

static struct tunnel_cache warm;

static int setup(void **state)
{
    memset(&warm, 0, sizeof warm);
    if (tunnel_bed_setup(state) != 0)
        return -1;
    FOR_EACH_GOLDEN(g)
    add_tunnel(&g->out, TUNNEL + (uint32_t)(g - goldens));
    return 0;
}

static enum drop_reason pop(const struct golden *g, struct tunnel_cache *known, struct rte_mbuf *m)
{
    const struct op_tunnel_pop op = pop_of(&g->out, g->gpe);

    return tunnel_pop(tunnels, known, &op, m);
}

static bool is_remembered(const struct tunnel_cache *cache)
{
    for (unsigned i = 0; i < TUNNEL_RECENTS; i++) {
        if (cache->recent[i].generation != 0 || cache->other[i].generation != 0)
            return true;
    }
    return false;
}

/* `a` and `b` came out of a tunnel alike. */
static void assert_alike(struct rte_mbuf *a, struct rte_mbuf *b)
{
    struct flow_key one, two;

    assert_int_equal(a->pkt_len, b->pkt_len);
    assert_memory_equal(rte_pktmbuf_mtod(a, void *), rte_pktmbuf_mtod(b, void *), a->pkt_len);
    memset(&one, 0, sizeof one);
    memset(&two, 0, sizeof two);
    assert_int_equal(packet_meta_to_key(packet_meta(a), &one, 1), packet_meta_to_key(packet_meta(b), &two, 1));
    assert_memory_equal(&one, &two, sizeof one);
    assert_int_equal(packet_meta(a)->md.in_port, packet_meta(b)->md.in_port);
    assert_int_equal(packet_meta(a)->md.tun_lines, packet_meta(b)->md.tun_lines);
}

/* As part of a burst: what is taken off by what is remembered is as `b`, which came out one by one. */
static bool assert_same_in_burst(const struct golden *g, const uint8_t *data, uint32_t len, enum drop_reason reason,
                                 struct rte_mbuf *b)
{
    const struct op_tunnel_pop op = pop_of(&g->out, g->gpe);
    struct rte_mbuf *m = packet_of(data, len);
    const struct tunnel_recent *recent = tunnel_recent_find(tunnels, &warm, &op, m);
    uint16_t end;
    bool fits;

    fits = recent && tunnel_recent_fits(recent, &op, &m, 1, &end);
    if (fits) {
        assert_int_equal(reason, DROP_N_REASONS);
        tunnel_recent_take_off(recent, m, end);
        tunnel_recent_write_meta(recent, m);
        assert_alike(m, b);
    }
    rte_pktmbuf_free(m);
    return fits;
}

/* The same packet by a thread that remembers and by one that knows nothing. */
static bool assert_same(const struct golden *g, const uint8_t *data, uint32_t len, uint32_t changed)
{
    static struct tunnel_cache cold;
    struct rte_mbuf *a = packet_of(data, len), *b = packet_of(data, len);
    enum drop_reason reason;
    bool in_burst;

    memset(&cold, 0, sizeof cold);
    reason = pop(g, &cold, b);
    in_burst = assert_same_in_burst(g, data, len, reason, b);
    if (pop(g, &warm, a) != reason)
        fail_msg("%s, byte %u changed: %s by memory", g->name, changed, drop_reason_name(reason));
    if (reason == DROP_N_REASONS)
        assert_alike(a, b);
    rte_pktmbuf_free(a);
    rte_pktmbuf_free(b);
    return in_burst;
}

/* Makes checksums right again that a change broke: of IPv4, and of UDP or GRE if `all`. */
static void fix(const struct golden *g, uint8_t *data, uint32_t len, bool all)
{
    const bool ipv4 = g->out.dst[0] == 0;
    uint8_t *ip = data + 14, *l4 = ip + (ipv4 ? 20 : 40);
    const uint32_t l4_len = len - (uint32_t)(l4 - data);
    uint16_t sum;

    if (ipv4) {
        ip[10] = ip[11] = 0;
        sum = (uint16_t)~packet_sum(0, ip, 20);
        ip[10] = (uint8_t)(sum >> 8);
        ip[11] = (uint8_t)sum;
    }
    if (!all || !g->out.csum)
        return;
    if (g->out.type == TUNNEL_GRE) {
        l4[4] = l4[5] = 0;
        sum = (uint16_t)~packet_sum(0, l4, l4_len);
        l4[4] = (uint8_t)(sum >> 8);
        l4[5] = (uint8_t)sum;
    } else {
        l4[6] = l4[7] = 0;
        sum = packet_sum(IPPROTO_UDP + l4_len, ip + (ipv4 ? 12 : 8), ipv4 ? 8 : 32);
        sum = (uint16_t)~packet_sum(sum, l4, l4_len);
        l4[6] = (uint8_t)(sum >> 8);
        l4[7] = (uint8_t)sum;
    }
}

/* Whether the packet is taken off in a burst, too, the second time. */
static bool warm_up(const struct golden *g)
{
    memset(&warm, 0, sizeof warm);
    assert_same(g, g->outer, g->outer_len, 0);
    return assert_same(g, g->outer, g->outer_len, 0);
}

/* Frames in VXLAN, Geneve and GRE are, whatever else their headers have; the rest is not. Those with congestion to be
 * told inwards are taken off one by one. */
static void common_headers_are_remembered(void **state)
{
    FOR_EACH_GOLDEN(g)
    {
        const bool frame = g->out.eth_type == RTE_BE16(0x6558) && g->out.type <= TUNNEL_GRE;

        const bool in_burst = warm_up(g);
        if (is_remembered(&warm) != (frame && g->out.options_len <= 24) ||
            in_burst != (is_remembered(&warm) && !(g->out.tos & 1)))
            fail_msg("%s", g->name);
    }
}

/* Each byte of the headers, and some behind, at several values, its checksums as they come out or made right. */
static void no_byte_makes_a_difference(void **state)
{
    static const uint8_t changes[] = {0x01, 0x02, 0x13, 0x40, 0x80};

    FOR_EACH_GOLDEN(g)
    {
        warm_up(g);
        for (uint32_t at = 0; at < RTE_MIN(g->outer_len, g->outer_len - g->popped_len + 40); at++) {
            for (unsigned i = 0; i < 3 * RTE_DIM(changes); i++) {
                uint8_t data[2048];

                memcpy(data, g->outer, g->outer_len);
                data[at] ^= changes[i / 3];
                if (i % 3 != 0)
                    fix(g, data, g->outer_len, i % 3 == 2);
                assert_same(g, data, g->outer_len, at);
                assert_same(g, data, g->outer_len, at); /* if it was remembered itself */
                assert_same(g, g->outer, g->outer_len, at);
            }
        }
    }
}

static void neither_does_length(void **state)
{
    FOR_EACH_GOLDEN(g)
    {
        uint8_t padded[2048] = {0};

        memcpy(padded, g->outer, g->outer_len);
        warm_up(g);
        for (uint32_t len = 14; len < g->outer_len + 20; len++)
            assert_same(g, padded, len, len);
    }
}

/* Other lengths and sources, and all of RFC 6040's combinations. */
static void packets_of_a_flow_differ(void **state)
{
    FOR_EACH_GOLDEN(g)
    {
        const bool ipv4 = g->out.dst[0] == 0;
        struct op_tunnel_push push;

        assert_true(tunnel_header_write(&g->out, &push));
        if (g->out.eth_type != RTE_BE16(0x6558))
            continue;
        warm_up(g);
        for (unsigned i = 0; i < 64; i++) {
            struct rte_mbuf *m = packet_of(g->inner, g->inner_len);
            uint8_t *data;

            assert_non_null(rte_pktmbuf_append(m, (uint16_t)(i % 7 * 50)));
            push.index = i;
            push.src_first = (uint16_t)(40000 + i);
            push.src_n = 1;
            assert_int_equal(tunnel_push(m, &push, 0), DROP_N_REASONS);
            data = rte_pktmbuf_mtod(m, uint8_t *);
            if (ipv4)
                data[15] = (uint8_t)((data[15] & 0xfc) | i % 4);
            else
                data[15] = (uint8_t)((data[15] & 0xcf) | i % 4 << 4);
            fix(g, data, m->pkt_len, false);
            assert_same(g, data, m->pkt_len, i);
            rte_pktmbuf_free(m);
        }
    }
}

/* Tunnels and the table of options change under what is remembered. */
static void changes_are_noticed(void **state)
{
    static const struct tunnel_option moved[] = {{.class = 0x0102, .type = 0x80, .len = 4, .offset = 8}};

    FOR_EACH_GOLDEN(g)
    {
        warm_up(g);
        assert_int_equal(tunnel_table_set_options(tunnels, moved, 1), 0);
        assert_same(g, g->outer, g->outer_len, 0);
        assert_int_equal(tunnel_table_set_options(tunnels, NULL, 0), 0);
        assert_same(g, g->outer, g->outer_len, 0);
        assert_int_equal(tunnel_table_set_options(tunnels, tunnel_options, TUNNEL_N_OPTIONS), 0);
        assert_same(g, g->outer, g->outer_len, 0);
    }
    for (uint32_t i = 0; i < RTE_DIM(goldens); i++)
        tunnel_table_remove(tunnels, TUNNEL + i);
    FOR_EACH_GOLDEN(g)
    assert_same(g, g->outer, g->outer_len, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, tunnel_bed_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(common_headers_are_remembered), TEST(no_byte_makes_a_difference), TEST(neither_does_length),
        TEST(packets_of_a_flow_differ),      TEST(changes_are_noticed),
    };

    if (!tunnel_bed_init("tunnel_recent"))
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
