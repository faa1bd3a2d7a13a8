/* Segment routing over IPv6 (RFC 8754, 8986): lists of segments on their way, what is no list, flow labels. Golden
 * packets that need nothing else are pushed and popped by tunnel_test.c. */
#include "tests/unit/pmd/tunnel/golden_packets.h"
#include "tests/unit/pmd/tunnel/tunnel_bed.h"

#define IP 14
#define LIST (IP + 40) /* where the routing header is */

static int setup(void **state)
{
    static const struct tunnel_in in = {
        .type = TUNNEL_SRV6, .payload = TUNNEL_L3, .any_remote = true, .any_local = true};

    return tunnel_bed_setup(state) == 0 ? tunnel_table_add(tunnels, &in, TUNNEL) : -1;
}

/* --- packets ------------------------------------------------------------- */

static uint8_t *data_of(struct rte_mbuf *m)
{
    return rte_pktmbuf_mtod(m, uint8_t *);
}

static enum drop_reason pop(struct rte_mbuf *m)
{
    const struct op_tunnel_pop op = {.type = TUNNEL_SRV6};

    return tunnel_pop(tunnels, &cache, &op, m);
}

static const struct golden *golden(const char *name)
{
    FOR_EACH_GOLDEN(g)
    {
        if (strcmp(g->name, name) == 0)
            return g;
    }
    fail_msg("no golden packet %s", name);
    return NULL;
}

static void assert_bytes(const char *name, struct rte_mbuf *m, const uint8_t *data, uint32_t len)
{
    if (m->pkt_len != len || memcmp(data_of(m), data, len) != 0)
        fail_msg("%s: other bytes", name);
}

/* The operation makes room for headers that are longer than what is in front. Takes `m`. */
static struct rte_mbuf *pushed(const struct op_tunnel_push *push, struct rte_mbuf *m)
{
    static struct events events;

    run_program(m, OP_TUNNEL_PUSH, push, sizeof *push, &events);
    assert_int_equal(events.n, 1);
    assert_int_equal(events.list[0].type, EVENT_OUTPUT);
    return events.list[0].m;
}

/* Frees it. */
static void assert_pops(const struct golden *g, struct rte_mbuf *m)
{
    const enum drop_reason reason = pop(m);

    if (reason != DROP_N_REASONS)
        fail_msg("%s: %s", g->name, drop_reason_name(reason));
    assert_bytes(g->name, m, g->popped, g->popped_len);
    assert_int_equal(packet_meta(m)->md.in_port, TUNNEL);
    rte_pktmbuf_free(m);
}

/* Puts `n` bytes at `at`, and has the outer header count them. */
static void insert(struct rte_mbuf *m, uint32_t at, const uint8_t *bytes, uint32_t n)
{
    uint8_t *data;

    assert_non_null(rte_pktmbuf_append(m, (uint16_t)n));
    data = data_of(m);
    memmove(data + at + n, data + at, m->pkt_len - at - n);
    memcpy(data + at, bytes, n);
    data[IP + 5] = (uint8_t)(data[IP + 5] + n);
}

/* --- lists --------------------------------------------------------------- */

static void a_list_goes_out_last_segment_first(void **state)
{
    for (const struct golden *g = goldens_under_way; g < goldens_under_way + RTE_DIM(goldens_under_way); g++) {
        const struct op_tunnel_push push = push_of(&g->out, 0);
        struct rte_mbuf *m = pushed(&push, packet_of(g->inner, g->inner_len));

        assert_bytes(g->name, m, g->outer, g->outer_len);
        rte_pktmbuf_free(m);
    }
}

/* This host is no node on the way of others. */
static void segments_that_are_left_have_a_reason(void **state)
{
    for (const struct golden *g = goldens_under_way; g < goldens_under_way + RTE_DIM(goldens_under_way); g++) {
        for (uint8_t left = g->out.n_segments - 1; left > 0; left--) {
            struct rte_mbuf *m = packet_of(g->outer, g->outer_len);

            data_of(m)[LIST + 3] = left;
            assert_int_equal(pop(m), DROP_TUNNEL_SEGMENTS);
            assert_int_equal(m->pkt_len, g->outer_len);
            rte_pktmbuf_free(m);
        }
    }
}

static void the_last_segment_takes_the_packet_out(void **state)
{
    for (const struct golden *g = goldens_under_way; g < goldens_under_way + RTE_DIM(goldens_under_way); g++) {
        struct rte_mbuf *m = packet_of(g->outer, g->outer_len);

        data_of(m)[LIST + 3] = 0;
        assert_pops(g, m);
        /* With something behind the list. */
        m = packet_of(g->outer, g->outer_len);
        insert(m, LIST + 8 + 16 * g->out.n_segments, (const uint8_t[8]){5, 6}, 8);
        data_of(m)[LIST + 1]++;
        data_of(m)[LIST + 3] = 0;
        assert_pops(g, m);
    }
}

/* RFC 8986, 5.1: a list of one segment need not be there. */
static void a_list_of_one_segment_may_be_left_out(void **state)
{
    static const char *const names[] = {"SRv6 of IPv4", "SRv6 of IPv6"};

    for (unsigned i = 0; i < RTE_DIM(names); i++) {
        const struct golden *g = golden(names[i]);
        struct rte_mbuf *m = packet_of(g->outer, g->outer_len);
        uint8_t *data = data_of(m);

        data[IP + 6] = data[LIST];
        data[IP + 5] = (uint8_t)(data[IP + 5] - 24);
        memmove(data + LIST, data + LIST + 24, m->pkt_len - LIST - 24);
        rte_pktmbuf_trim(m, 24);
        assert_pops(g, m);
    }
}

static void options_for_the_destination_are_passed_over(void **state)
{
    static const uint8_t before[] = {IPPROTO_ROUTING, 0, 1, 4, 0, 0, 0, 0},
                         behind[] = {IPPROTO_IPIP, 0, 1, 4, 0, 0, 0, 0};
    const struct golden *g = golden("SRv6 of IPv4");
    struct rte_mbuf *m = packet_of(g->outer, g->outer_len);

    insert(m, LIST, before, sizeof before);
    data_of(m)[IP + 6] = IPPROTO_DSTOPTS;
    assert_pops(g, m);
    m = packet_of(g->outer, g->outer_len);
    insert(m, LIST + 24, behind, sizeof behind);
    data_of(m)[LIST] = IPPROTO_DSTOPTS;
    assert_pops(g, m);
    /* Two lists, of which the second is done with, too. */
    m = packet_of(g->outer, g->outer_len);
    insert(m, LIST, g->outer + LIST, 24);
    data_of(m)[LIST] = IPPROTO_ROUTING;
    assert_pops(g, m);
}

static void malformed_headers_have_a_reason_each(void **state)
{
    static const struct {
        uint32_t at;
        uint8_t value;
        enum drop_reason reason;
    } faults[] = {
        {IP + 6, IPPROTO_IPIP, DROP_TUNNEL_PAYLOAD}, /* there is a list */
        {IP + 6, IPPROTO_GRE, DROP_TUNNEL_PAYLOAD},
        {IP + 6, IPPROTO_FRAGMENT, DROP_TUNNEL_FRAGMENT},
        {LIST, IPPROTO_IPV6, DROP_TUNNEL_PAYLOAD}, /* it is IPv4 */
        {LIST, 143, DROP_TUNNEL_PAYLOAD},          /* a frame */
        {LIST, IPPROTO_NONE, DROP_TUNNEL_PAYLOAD},
        {LIST, IPPROTO_FRAGMENT, DROP_TUNNEL_FRAGMENT},
        {LIST + 1, 200, DROP_TUNNEL_TRUNCATED},
        {LIST + 1, 1, DROP_TUNNEL_LENGTH}, /* too short for its list */
        {LIST + 2, 0, DROP_TUNNEL_VERSION},
        {LIST + 2, 3, DROP_TUNNEL_VERSION}, /* RPL's (RFC 6554) */
        {LIST + 3, 1, DROP_TUNNEL_SEGMENTS},
        {LIST + 3, 255, DROP_TUNNEL_SEGMENTS},
        {LIST + 4, 1, DROP_TUNNEL_LENGTH},
        {LIST + 4, 255, DROP_TUNNEL_LENGTH},
        {LIST + 24, 0x55, DROP_TUNNEL_PAYLOAD},
    };
    const struct golden *g = golden("SRv6 of IPv4");

    for (unsigned i = 0; i < RTE_DIM(faults); i++) {
        struct rte_mbuf *m = packet_of(g->outer, g->outer_len);
        enum drop_reason reason;

        data_of(m)[faults[i].at] = faults[i].value;
        reason = pop(m);
        if (reason != faults[i].reason)
            fail_msg("byte %u = 0x%x: %s for %s", faults[i].at, faults[i].value, drop_reason_name(reason),
                     drop_reason_name(faults[i].reason));
        assert_int_equal(m->pkt_len, g->outer_len);
        rte_pktmbuf_free(m);
    }
}

static void congestion_is_told_inwards(void **state)
{
    const struct golden *g = golden("SRv6 of IPv6");
    struct rte_mbuf *m = packet_of(g->outer, g->outer_len);

    data_of(m)[IP + 1] |= 0x30;        /* CE */
    data_of(m)[LIST + 24 + 1] |= 0x20; /* ECT(0) */
    assert_int_equal(pop(m), DROP_N_REASONS);
    assert_int_equal(data_of(m)[IP + 1] & 0x30, 0x30);
    rte_pktmbuf_free(m);
    m = packet_of(g->outer, g->outer_len);
    data_of(m)[IP + 1] |= 0x30;
    assert_int_equal(pop(m), DROP_TUNNEL_ECN);
    rte_pktmbuf_free(m);
}

static void headers_that_do_not_fit_are_refused(void **state)
{
    static const uint8_t seven[7][16] = {{0xfd, [15] = 2}};
    const struct golden *g = golden("SRv6 of IPv4");
    struct op_tunnel_push push;
    struct tunnel_out out = g->out;

    out.eth_type = RTE_BE16(0x6558); /* a frame */
    assert_false(tunnel_header_write(&out, &push));
    out.eth_type = RTE_BE16(0x0806);
    assert_false(tunnel_header_write(&out, &push));
    out = g->out;
    out.segments = seven;
    out.n_segments = TUNNEL_SEGMENTS_MAX;
    assert_true(tunnel_header_write(&out, &push));
    out.n_segments++;
    assert_false(tunnel_header_write(&out, &push));
    out.n_segments = 1;
    out.dst[15] = 3; /* not where the list begins */
    assert_false(tunnel_header_write(&out, &push));
    out = g->out;
    memcpy(out.dst, (const uint8_t[16]){[10] = 0xff, 0xff, 192, 0, 2, 2}, sizeof out.dst);
    assert_false(tunnel_header_write(&out, &push));
}

/* --- flow labels --------------------------------------------------------- */

static uint32_t label_of(const struct op_tunnel_push *push, const uint8_t *inner, uint32_t len)
{
    struct rte_mbuf *m = pushed(push, packet_of(inner, len));
    const uint8_t *ip = data_of(m) + IP;
    const uint32_t label = (uint32_t)(ip[1] & 0xf) << 16 | (uint32_t)packet_be16(ip + 2);
    assert_int_equal(ip[0] << 4 | ip[1] >> 4, 0x600 | 0x2a); /* the rest of the word is as it was */
    rte_pktmbuf_free(m);
    return label;
}

static int compare(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

/* Of a flow all packets have one label, of many flows nearly all have their own, and none is 0. */
static void expect_spread(const struct op_tunnel_push *push, uint8_t *inner, uint32_t len, uint32_t at, uint32_t other)
{
    static uint32_t labels[4096];
    unsigned n = 1;

    for (unsigned i = 0; i < RTE_DIM(labels); i++) {
        inner[at] = (uint8_t)(i >> 8);
        inner[at + 1] = (uint8_t)i;
        labels[i] = label_of(push, inner, len);
        assert_in_range(labels[i], 1, 0xfffff);
        inner[other] ^= 0x55;
        assert_int_equal(label_of(push, inner, len), labels[i]);
    }
    qsort(labels, RTE_DIM(labels), sizeof *labels, compare);
    for (unsigned i = 1; i < RTE_DIM(labels); i++)
        n += labels[i] != labels[i - 1];
    assert_true(n > RTE_DIM(labels) - RTE_DIM(labels) / 50);
}

static void flows_are_spread_over_labels(void **state)
{
    const struct golden *v4 = golden("SRv6 of IPv4"), *v6 = golden("SRv6 of IPv6");
    struct golden hashed = *v4;
    uint8_t inner[256];

    hashed.out.label = TUNNEL_LABEL_HASH;
    hashed.out.tos = 0x2a;
    const struct op_tunnel_push push = push_of(&hashed.out, 0);
    memcpy(inner, v4->inner, v4->inner_len);
    expect_spread(&push, inner, v4->inner_len, IP + 20, IP + 8); /* source port; TTL */
    expect_spread(&push, inner, v4->inner_len, IP + 18, IP + 1); /* address; TOS */
    /* A fragment, of which only the first would have ports. */
    inner[IP + 6] = 0x20;
    const uint32_t label = label_of(&push, inner, v4->inner_len);
    inner[IP + 20] ^= 0xff;
    assert_int_equal(label_of(&push, inner, v4->inner_len), label);
    inner[IP + 9] = IPPROTO_TCP;
    assert_int_not_equal(label_of(&push, inner, v4->inner_len), label);
    memcpy(inner, v6->inner, 12);
    memcpy(inner + 12, v6->inner + 16, v6->inner_len - 16); /* without its tag */
    expect_spread(&push, inner, v6->inner_len - 4, IP + 40, IP + 7);
    expect_spread(&push, inner, v6->inner_len - 4, IP + 38, IP + 3);
}

static void the_label_inside_is_copied(void **state)
{
    const struct golden *g = golden("SRv6 of IPv4");
    struct golden copied = *g;
    uint8_t inner[256];

    copied.out.tos = 0x2a;
    const struct op_tunnel_push push = push_of(&copied.out, 0);
    memcpy(inner, g->inner, g->inner_len);
    assert_int_equal(label_of(&push, inner, g->inner_len), 0);
    memcpy(inner + IP, (const uint8_t[]){0x6f, 0xf1, 0x23, 0x45}, 4);
    assert_int_equal(label_of(&push, inner, g->inner_len), 0x12345);
}

/* --- text ---------------------------------------------------------------- */

static const char *text_of(const struct golden *g)
{
    static char text[1024];
    static struct program_builder builder;
    const struct op_tunnel_push push = push_of(&g->out, 0);
    const struct op_tunnel_pop op = {.type = TUNNEL_SRV6};

    program_builder_init(&builder);
    program_builder_add(&builder, OP_TUNNEL_PUSH, 0, &push, sizeof push);
    program_builder_add(&builder, OP_TUNNEL_POP, 0, &op, sizeof op);
    struct program *program = program_intern(table, &builder);
    program_format(program, NULL, NULL, text, sizeof text);
    if (program_unref(table, program))
        free(program);
    return text;
}

static void programs_are_written_as_open_vswitch_writes_them(void **state)
{
    assert_string_equal(text_of(golden("SRv6 without a label")),
                        "tnl_push(tnl_port(0),header(size=78,type=112,eth(dst=02:00:00:00:00:02,src=02:00:00:00:00:01,"
                        "dl_type=0x86dd),ipv6(src=fd00::1,dst=fd00::2,label=0,proto=43,tclass=0x0,hlimit=64),"
                        "srv6(segments_left=0,segs(fd00::2)))),tnl_pop(43)");
    assert_non_null(strstr(text_of(&goldens_under_way[1]),
                           ",srv6(segments_left=2,segs(fd00::2,2001:db8:1::3,2001:db8:2::4))),label(copy))"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, tunnel_bed_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_list_goes_out_last_segment_first),
        TEST(segments_that_are_left_have_a_reason),
        TEST(the_last_segment_takes_the_packet_out),
        TEST(a_list_of_one_segment_may_be_left_out),
        TEST(options_for_the_destination_are_passed_over),
        TEST(malformed_headers_have_a_reason_each),
        TEST(congestion_is_told_inwards),
        TEST(headers_that_do_not_fit_are_refused),
        TEST(flows_are_spread_over_labels),
        TEST(the_label_inside_is_copied),
        TEST(programs_are_written_as_open_vswitch_writes_them),
    };

    if (!tunnel_bed_init("srv6"))
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
