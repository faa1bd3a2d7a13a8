/* Unfinished packets (pmd/offload.h) into tunnels and out of them: what leaves, and what comes out, is byte for byte
 * what it would be if every packet had been finished, and cut into segments, where it was made. */
#include <rte_udp.h>

#include "pmd/vnet.h"
#include "tests/lib/unfinished.h"
#include "tests/unit/pmd/tunnel/tunnel_bed.h"

#define TEB 0x6558
#define PACKETS 64 /* of one that is cut */

static const uint8_t option[] = {0x01, 0x02, 0x03, 1, 0xaa, 0xbb, 0xcc, 0xdd};

static const struct kind {
    const char *name;
    struct tunnel_out out;
    bool l3; /* carries packets without Ethernet header */
} kinds[] = {
    {"VXLAN", {.type = TUNNEL_VXLAN, .udp_dst = RTE_BE16(4789)}, false},
    {"VXLAN-GPE", {.type = TUNNEL_VXLAN, .gpe = true, .udp_dst = RTE_BE16(4790)}, true},
    {"Geneve",
     {.type = TUNNEL_GENEVE, .udp_dst = RTE_BE16(6081), .options = option, .options_len = sizeof option},
     false},
    {"Geneve of IP", {.type = TUNNEL_GENEVE, .udp_dst = RTE_BE16(6081)}, true},
    {"GRE", {.type = TUNNEL_GRE, .has_key = true}, false},
    {"GRE of IP with sequence numbers", {.type = TUNNEL_GRE, .seq = true}, true},
    {"ERSPAN I", {.type = TUNNEL_ERSPAN}, false},
    {"ERSPAN II", {.type = TUNNEL_ERSPAN, .erspan_ver = 1, .erspan = 5}, false},
    {"ERSPAN III", {.type = TUNNEL_ERSPAN, .erspan_ver = 2}, false},
    {"GTP-U", {.type = TUNNEL_GTPU, .udp_dst = RTE_BE16(2152)}, true},
    {"SRv6", {.type = TUNNEL_SRV6, .label = TUNNEL_LABEL_HASH}, true},
};

static const struct inner {
    const char *hex;
    uint16_t eth_type;
    uint32_t payload;
    uint16_t gso_size;
} inners[] = {
    {UNFINISHED_TCP4, 0x0800, 0, 0},        {UNFINISHED_TCP4, 0x0800, 301, 0},
    {UNFINISHED_TCP4, 0x0800, 40000, 1400}, {UNFINISHED_TCP6, 0x86dd, 300, 0},
    {UNFINISHED_TCP6, 0x86dd, 7001, 1000},  {UNFINISHED_UDP4, 0x0800, 33, 0},
    {UNFINISHED_UDP4, 0x0800, 5003, 500},   {UNFINISHED_UDP4_TAGGED, 0x0800, 300, 0},
    {UNFINISHED_UDP6, 0x86dd, 9, 0},        {UNFINISHED_UDP6, 0x86dd, 1001, 1000},
};

/* A kind over one family, with checksums or without. */
struct tunnel {
    const struct kind *kind;
    bool ipv6, csum;
};

/* SRv6 goes over IPv6 alone, and has no checksum of its own. */
static struct tunnel tunnel_of(unsigned i)
{
    const struct kind *kind = &kinds[i / 4];
    const bool srv6 = kind->out.type == TUNNEL_SRV6;

    return (struct tunnel){kind, i & 1 || srv6, i & 2 && !srv6};
}

#define FOR_EACH_TUNNEL(t)                                                                                             \
    for (unsigned i_ = 0; i_ < 4 * RTE_DIM(kinds); i_++)                                                               \
        for (struct tunnel t = tunnel_of(i_), *once_ = &t; once_; once_ = NULL)
#define FOR_EACH_INNER(in) for (const struct inner *in = inners; in < inners + RTE_DIM(inners); in++)

static uint32_t next_index = TUNNEL;

/* --- packets ------------------------------------------------------------- */

/* Packets in order. */
struct row {
    struct rte_mbuf *m[PACKETS];
    unsigned n;
};

static void row_add(struct row *row, struct rte_mbuf *m)
{
    assert_true(row->n < PACKETS);
    row->m[row->n++] = m;
}

static void row_free(struct row *row)
{
    rte_pktmbuf_free_bulk(row->m, row->n);
    row->n = 0;
}

/* As a port that takes no unfinished packets has them finished. Takes `m`. */
static void finish_into(struct row *row, struct rte_mbuf *m)
{
    struct offload_cut cut = offload_cut_begin(m, pool);
    struct rte_mbuf *packet;

    while ((packet = offload_cut_next(&cut))) {
        assert_false(offload_any(packet));
        row_add(row, packet);
    }
    assert_false(cut.failed);
}

static struct row finished(struct rte_mbuf *m)
{
    struct row row = {.n = 0};

    finish_into(&row, m);
    return row;
}

static struct rte_mbuf *inner_packet(const struct inner *in, struct virtio_net_hdr *header)
{
    return unfinished_packet(pool, in->hex, in->payload, in->gso_size, header);
}

static struct rte_mbuf *marked_packet(const struct inner *in)
{
    struct virtio_net_hdr header;
    struct rte_mbuf *m = inner_packet(in, &header);

    assert_true(vnet_mark(&header, 0, m));
    assert_true(offload_any(m));
    return m;
}

static void assert_rows_equal(const char *what, const struct row *got, const struct row *wanted, uint32_t from)
{
    static uint8_t one[66000], two[66000];

    if (got->n != wanted->n)
        fail_msg("%s: %u packets for %u", what, got->n, wanted->n);
    for (unsigned i = 0; i < got->n; i++) {
        const uint32_t len = got->m[i]->pkt_len;
        const uint8_t *a = rte_pktmbuf_read(got->m[i], 0, len, one);
        const uint8_t *b = rte_pktmbuf_read(wanted->m[i], 0, RTE_MIN(len, wanted->m[i]->pkt_len), two);

        if (len != wanted->m[i]->pkt_len)
            fail_msg("%s: packet %u has %u bytes for %u", what, i, len, wanted->m[i]->pkt_len);
        for (uint32_t k = from; k < len; k++) {
            if (a[k] != b[k])
                fail_msg("%s: packet %u, byte %u: %02x for %02x", what, i, k, a[k], b[k]);
        }
    }
}

/* --- tunnels ------------------------------------------------------------- */

static struct tunnel_out out_of(const struct tunnel *t, uint16_t inner_type)
{
    static const uint8_t addresses[2][2][16] = {{{[10] = 0xff, 0xff, 10, 1, 0, 1}, {[10] = 0xff, 0xff, 10, 1, 0, 2}},
                                                {{0xfd, [15] = 1}, {0xfd, [15] = 2}}};
    struct tunnel_out out = t->kind->out;

    out.eth_dst = (struct rte_ether_addr){{2, 0, 0, 0, 0, 8}};
    out.eth_src = (struct rte_ether_addr){{2, 0, 0, 0, 0, 7}};
    out.key = RTE_BE64(77);
    out.ttl = 64;
    out.df = true;
    out.csum = t->csum;
    out.eth_type = rte_cpu_to_be_16(t->kind->l3 ? inner_type : TEB);
    memcpy(out.src, addresses[t->ipv6][0], 16);
    memcpy(out.dst, addresses[t->ipv6][1], 16);
    return out;
}

/* By a tunnel that is new, so that sequence numbers are from 0. */
static struct op_tunnel_push push_into(const struct tunnel *t, uint16_t inner_type)
{
    const struct tunnel_out out = out_of(t, inner_type);

    return push_of(&out, next_index++);
}

static enum drop_reason pop(const struct tunnel *t, struct rte_mbuf *m)
{
    const struct tunnel_out *out = &t->kind->out;
    const struct op_tunnel_pop op = pop_of(out, out->gpe);

    add_tunnel(out, TUNNEL + (uint32_t)out->type);
    return tunnel_pop(tunnels, &cache, &op, m);
}

/* Time stamps differ. */
static void clear_time(const struct op_tunnel_push *push, struct rte_mbuf *m)
{
    if (push->type == TUNNEL_ERSPAN && push->header[push->own] >> 4 == 2)
        memset(rte_pktmbuf_mtod_offset(m, void *, push->own + 4), 0, 4);
}

static void run_push(struct row *row, struct rte_mbuf *m, const struct op_tunnel_push *push)
{
    static struct events events;

    run_program(m, OP_TUNNEL_PUSH, push, sizeof *push, &events);
    for (unsigned i = 0; i < events.n; i++) {
        assert_int_equal(events.list[i].type, EVENT_OUTPUT);
        clear_time(push, events.list[i].m);
        finish_into(row, events.list[i].m);
    }
}

/* The outer headers by themselves: lengths and checksums from scratch, and a checksum where there is to be one. */
static void assert_outer_right(const char *what, const struct tunnel *t, const struct op_tunnel_push *push,
                               const struct rte_mbuf *m)
{
    static uint8_t buffer[66000];
    const uint8_t *data = rte_pktmbuf_read(m, 0, m->pkt_len, buffer);
    const uint32_t len = m->pkt_len - push->l4;
    const bool udp = t->kind->out.udp_dst != 0, gre = t->kind->out.type == TUNNEL_GRE;

    if (!(udp && t->ipv6 && !t->csum) && !packet_checksums_right(m)) /* 0 over IPv6 is only for tunnels */
        fail_msg("%s: a checksum of the outer headers is wrong", what);
    assert_int_equal(packet_be16(data + push->l3 + (t->ipv6 ? 4 : 2)), t->ipv6 ? len : m->pkt_len - push->l3);
    if (udp) {
        assert_int_equal(packet_be16(data + push->l4 + 4), len);
        assert_int_equal(packet_be16(data + push->l4 + 6) != 0, t->csum);
    }
    if (gre && t->csum)
        assert_int_equal(packet_sum(0, data + push->l4, len), 0xffff);
}

static const char *name_of(const struct tunnel *t, const struct inner *in)
{
    static char name[128];

    snprintf(name, sizeof name, "%s over IPv%c%s, inner %u", t->kind->name, t->ipv6 ? '6' : '4',
             t->csum ? " with checksums" : "", (unsigned)(in - inners));
    return name;
}

/* --- the way out --------------------------------------------------------- */

static void what_is_pushed_unfinished_is_as_pushed_finished(void **state)
{
    FOR_EACH_TUNNEL(t)
    {
        FOR_EACH_INNER(in)
        {
            const char *name = name_of(&t, in);
            struct op_tunnel_push push = push_into(&t, in->eth_type), again = push;
            struct row inside = finished(marked_packet(in)), wanted = {.n = 0}, got = {.n = 0};

            again.index = next_index++;
            for (unsigned i = 0; i < inside.n; i++)
                run_push(&wanted, packet_copy(inside.m[i], pool, UINT32_MAX), &push);
            run_push(&got, marked_packet(in), &again);
            assert_rows_equal(name, &got, &wanted, 0);
            for (unsigned i = 0; i < got.n; i++) {
                assert_outer_right(name, &t, &push, got.m[i]);
                assert_int_equal(pop(&t, got.m[i]), DROP_N_REASONS);
            }
            if (!t.kind->l3)
                assert_rows_equal(name, &got, &inside, 0);
            for (unsigned i = 0; i < got.n; i++)
                assert_true(packet_checksums_right(got.m[i]));
            row_free(&inside);
            row_free(&wanted);
            row_free(&got);
        }
    }
}

/* Of the longest segment. */
static void the_mtu_is_that_of_segments(void **state)
{
    static struct events events;

    for (int less = 0; less < 2; less++) {
        const struct tunnel t = {&kinds[0], false, false};
        struct op_tunnel_push push = push_into(&t, 0x0800);
        unsigned sent = 0;

        push.mtu = (uint16_t)(push.len - push.l3 + 54 + 1400 - less);
        run_program(marked_packet(&inners[2]), OP_TUNNEL_PUSH, &push, sizeof push, &events);
        assert_int_equal(events.n, 29);
        for (unsigned i = 0; i < events.n; i++)
            sent += events.list[i].type == EVENT_OUTPUT;
        assert_int_equal(sent, less ? 1 : 29); /* the last one is shorter */
        events_clear(&events);
    }
}

/* --- the way in ---------------------------------------------------------- */

/* As the kernel leaves them where a segment of its own tunnel is not finished: of UDP the pseudo-header's sum for one
 * to be cut, else the checksum that the finished packet has; of GRE 0, or so. */
static void write_kernels_checksum(const struct tunnel *t, const struct inner *in, const struct op_tunnel_push *push,
                                   struct rte_mbuf *m, const struct rte_mbuf *whole)
{
    const bool udp = t->kind->out.udp_dst != 0, gre = t->kind->out.type == TUNNEL_GRE;
    const uint32_t at = push->l4 + (udp ? 6 : 4);
    uint8_t *data = rte_pktmbuf_mtod(m, uint8_t *);

    if (!t->csum || (!udp && !gre))
        return;
    if (in->gso_size == 0) {
        memcpy(data + at, rte_pktmbuf_mtod_offset(whole, uint8_t *, at), 2);
    } else if (udp) {
        const uint16_t sum =
            packet_sum(IPPROTO_UDP + m->pkt_len - push->l4, data + push->l3 + (t->ipv6 ? 8 : 12), t->ipv6 ? 32 : 8);

        data[at] = (uint8_t)(sum >> 8);
        data[at + 1] = (uint8_t)sum;
    } else {
        memset(data + at, 0, 2);
    }
}

/* What a packet socket receives from the kernel's own tunnel, marked. */
static struct rte_mbuf *kernels_packet(const struct tunnel *t, const struct inner *in,
                                       const struct op_tunnel_push *push)
{
    struct virtio_net_hdr header;
    struct rte_mbuf *m = inner_packet(in, &header), *whole = marked_packet(in);
    struct row row = {.n = 0};
    const uint32_t before = m->pkt_len;

    offload_finish(whole);
    run_push(&row, whole, push);
    run_push(&row, m, push);
    write_kernels_checksum(t, in, push, row.m[1], row.m[0]);
    header.csum_start = (uint16_t)(header.csum_start + row.m[1]->pkt_len - before);
    m = row.m[1];
    rte_pktmbuf_free(row.m[0]);
    assert_true(vnet_mark(&header, 0, m));
    return m;
}

/* The kernel has segments and checksums of what is inside left for later in tunnels of frames and of IP packets, and no
 * IPv6 extension headers with them. */
static bool kernel_makes(const struct tunnel *t, const struct inner *in)
{
    return (t->kind->out.type <= TUNNEL_GRE || t->kind->out.type == TUNNEL_SRV6) && !t->kind->out.seq &&
           in->hex != inners[8].hex;
}

static void what_the_kernel_leaves_unfinished_comes_out_so(void **state)
{
    FOR_EACH_TUNNEL(t)
    {
        FOR_EACH_INNER(in)
        {
            const char *name = name_of(&t, in);
            const struct op_tunnel_push push = push_into(&t, in->eth_type);
            struct row inside, got;
            struct rte_mbuf *m;

            if (!kernel_makes(&t, in))
                continue;
            inside = finished(marked_packet(in));
            m = kernels_packet(&t, in, &push);
            assert_int_equal(offload_segmented(m), in->gso_size != 0);
            if (pop(&t, m) != DROP_N_REASONS)
                fail_msg("%s is dropped", name);
            assert_true(offload_any(m) && offload_is_plain(m));
            got = finished(m);
            if (!t.kind->l3)
                assert_rows_equal(name, &got, &inside, 0);
            for (unsigned i = 0; i < got.n; i++)
                assert_true(packet_checksums_right(got.m[i]));
            row_free(&inside);
            row_free(&got);
        }
    }
}

/* Sent on to a port that has to have them finished, with the outer headers on. */
static void what_the_kernel_leaves_unfinished_is_cut_with_right_outer_headers(void **state)
{
    FOR_EACH_TUNNEL(t)
    {
        FOR_EACH_INNER(in)
        {
            const char *name = name_of(&t, in);
            const struct op_tunnel_push push = push_into(&t, in->eth_type);
            struct row inside, got;

            if (!kernel_makes(&t, in))
                continue;
            inside = finished(marked_packet(in));
            got = finished(kernels_packet(&t, in, &push));
            assert_int_equal(got.n, inside.n);
            for (unsigned i = 0; i < got.n; i++) {
                assert_outer_right(name, &t, &push, got.m[i]);
                assert_int_equal(pop(&t, got.m[i]), DROP_N_REASONS);
            }
            if (!t.kind->l3)
                assert_rows_equal(name, &got, &inside, 0);
            row_free(&inside);
            row_free(&got);
        }
    }
}

/* In one piece, as controllers and mirrors of a part get it. */
static void a_large_one_in_one_piece_has_right_outer_checksums(void **state)
{
    FOR_EACH_TUNNEL(t)
    {
        const struct inner *in = &inners[4];
        const struct op_tunnel_push push = push_into(&t, in->eth_type);
        struct rte_mbuf *m;

        if (!kernel_makes(&t, in))
            continue;
        m = kernels_packet(&t, in, &push);
        offload_finish(m);
        assert_false(offload_any(m));
        assert_outer_right(name_of(&t, in), &t, &push, m);
        assert_int_equal(pop(&t, m), DROP_N_REASONS);
        assert_true(packet_checksums_right(m));
        rte_pktmbuf_free(m);
    }
}

/* A header that names a place where no IP header ends is refused for segments, and a checksum is made there. */
static void what_is_inside_has_to_fit(void **state)
{
    const struct tunnel t = {&kinds[0], false, false};

    for (unsigned what = 0; what < 5; what++) {
        const struct inner *in = &inners[2];
        const struct op_tunnel_push push = push_into(&t, in->eth_type);
        struct virtio_net_hdr header;
        struct rte_mbuf *m = inner_packet(in, &header);
        struct row row = {.n = 0};
        uint8_t *ip;

        run_push(&row, m, &push);
        m = row.m[0];
        ip = rte_pktmbuf_mtod_offset(m, uint8_t *, push.len + 14);
        header.csum_start = (uint16_t)(header.csum_start + push.len + (what == 0 ? 2 : 0));
        ip[0] = what == 1 ? 0x46 : ip[0];
        ip[2] ^= what == 2; /* length */
        ip[9] = what == 3 ? IPPROTO_UDP : ip[9];
        ip[10] ^= what == 4; /* checksum */
        assert_false(vnet_mark(&header, 0, m));
        rte_pktmbuf_free(m);
    }
}

/* What a device said of the outer checksums is not true of those inside. */
static void checked_is_what_is_outside(void **state)
{
    const uint64_t flags[] = {RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD, RTE_MBUF_F_RX_L4_CKSUM_BAD};

    FOR_EACH_TUNNEL(t)
    {
        const struct inner *in = &inners[1];
        const struct op_tunnel_push push = push_into(&t, in->eth_type);

        if (t.csum)
            continue;
        for (unsigned i = 0; i < 2 * RTE_DIM(flags); i++) { /* the second is remembered */
            struct row row = {.n = 0};

            run_push(&row, marked_packet(in), &push);
            row.m[0]->ol_flags |= flags[i / 2];
            assert_int_equal(pop(&t, row.m[0]), DROP_N_REASONS);
            assert_false(row.m[0]->ol_flags & (RTE_MBUF_F_RX_IP_CKSUM_MASK | RTE_MBUF_F_RX_L4_CKSUM_MASK));
            row_free(&row);
        }
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, tunnel_bed_setup, tunnel_bed_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_pushed_unfinished_is_as_pushed_finished),
        TEST(the_mtu_is_that_of_segments),
        TEST(what_the_kernel_leaves_unfinished_comes_out_so),
        TEST(what_the_kernel_leaves_unfinished_is_cut_with_right_outer_headers),
        TEST(a_large_one_in_one_piece_has_right_outer_checksums),
        TEST(what_is_inside_has_to_fit),
        TEST(checked_is_what_is_outside),
    };

    if (!tunnel_bed_init("tunnel_unfinished"))
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
