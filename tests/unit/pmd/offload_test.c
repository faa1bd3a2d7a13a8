/* Packets that are not finished: from the kernel's header to marks and back, through actions, cut into segments. */
#include <rte_tcp.h>
#include <stdlib.h>

#include "pmd/offload.h"
#include "pmd/vnet.h"
#include "tests/lib/program_bed.h"
#include "tests/lib/unfinished.h"

#define POOL_SIZE 2047
#define TCP4 UNFINISHED_TCP4
#define TCP6_OPTIONS UNFINISHED_TCP6
#define UDP4_TAGGED UNFINISHED_UDP4_TAGGED
#define UDP6_EXTENSION UNFINISHED_UDP6

static uint8_t byte_at(uint32_t i)
{
    return unfinished_byte(i);
}

static struct rte_mbuf *large(const char *hex, uint32_t payload, uint16_t gso_size, struct virtio_net_hdr *header)
{
    return unfinished_packet(pool, hex, payload, gso_size, header);
}

static void assert_same_bytes(const struct rte_mbuf *a, const struct rte_mbuf *b)
{
    static uint8_t one[66000], two[66000];

    assert_int_equal(a->pkt_len, b->pkt_len);
    const void *left = rte_pktmbuf_read(a, 0, a->pkt_len, one), *right = rte_pktmbuf_read(b, 0, b->pkt_len, two);
    assert_memory_equal(left, right, a->pkt_len);
}

static void the_kernels_header_comes_back_as_it_was(void **state)
{
    static const struct {
        const char *hex;
        uint32_t payload;
        uint16_t gso_size;
    } cases[] = {
        {TCP4, 0, 0},           {TCP4, 100, 0},           {TCP4, 40000, 1448},    {TCP6_OPTIONS, 60000, 1428},
        {UDP4_TAGGED, 300, 0},  {UDP4_TAGGED, 5003, 500}, {UDP6_EXTENSION, 9, 0}, {UDP6_EXTENSION, 1001, 1000},
        {TCP6_OPTIONS, 100, 0},
    };

    for (size_t i = 0; i < RTE_DIM(cases); i++) {
        struct virtio_net_hdr header, back;
        struct rte_mbuf *m = large(cases[i].hex, cases[i].payload, cases[i].gso_size, &header);
        const bool ecn = cases[i].gso_size && cases[i].hex[0] && strcmp(cases[i].hex, TCP4) == 0;

        assert_true(vnet_mark(&header, 0, m));
        assert_true(offload_any(m));
        assert_true(offload_is_plain(m));
        vnet_header(m, &back);
        if (ecn) /* its TCP header has CWR */
            header.gso_type |= VIRTIO_NET_HDR_GSO_ECN;
        if (!cases[i].gso_size)
            header.hdr_len = 0;
        assert_memory_equal(&header, &back, sizeof header);
        rte_pktmbuf_free(m);
    }
}

static void a_finished_packet_has_no_header(void **state)
{
    struct virtio_net_hdr none = {0}, back;
    struct rte_mbuf *m = packet_new(pool, FRAME_TCP);

    assert_true(vnet_mark(&none, 0, m));
    assert_false(offload_any(m));
    vnet_header(m, &back);
    assert_memory_equal(&none, &back, sizeof none);
    none.flags = VIRTIO_NET_HDR_F_DATA_VALID;
    assert_true(vnet_mark(&none, 0, m));
    assert_false(offload_any(m));
    rte_pktmbuf_free(m);
}

/* A tag that the kernel took out and the port put back moves everything behind it. */
static void a_header_counts_from_before_the_tag(void **state)
{
    struct virtio_net_hdr header;
    struct rte_mbuf *m = large(UDP4_TAGGED, 5003, 500, &header);

    header.csum_start -= 4;
    assert_true(vnet_mark(&header, 4, m));
    assert_int_equal(offload_l4(m), 14 + 8 + 20);
    rte_pktmbuf_free(m);
    m = large(UDP4_TAGGED, 5003, 500, &header);
    assert_false(vnet_mark(&header, 4, m));
    rte_pktmbuf_free(m);
}

static void refuse(const char *what, struct rte_mbuf *m, const struct virtio_net_hdr *header)
{
    if (vnet_mark(header, 0, m))
        fail_msg("taken: %s", what);
    vnet_mark_malformed(m);
    assert_int_equal(m->pkt_len, 0);
    assert_int_equal(m->nb_segs, 1);
    assert_true(m->ol_flags & OFFLOAD_MALFORMED);
    assert_false(offload_any(m));
    rte_pktmbuf_free(m);
}

static void headers_that_do_not_fit_are_refused(void **state)
{
    struct virtio_net_hdr header;
    struct rte_mbuf *m;

#define REFUSE(hex, payload, gso_size_, ...)                                                                           \
    do {                                                                                                               \
        m = large(hex, payload, gso_size_, &header);                                                                   \
        __VA_ARGS__;                                                                                                   \
        refuse(#__VA_ARGS__, m, &header);                                                                              \
    } while (0)
    REFUSE(TCP4, 100, 0, header.csum_start = 200);
    REFUSE(TCP4, 100, 0, header.csum_start = 65535; header.csum_offset = 65535);
    REFUSE(TCP4, 100, 0, header.csum_offset = 119);
    REFUSE(TCP4, 40000, 1448, header.csum_start = 30000); /* in no first mbuf */
    REFUSE(TCP4, 40000, 1448, header.csum_start += 2);
    REFUSE(TCP4, 40000, 1448, header.csum_offset = 6);
    REFUSE(TCP4, 40000, 1448, header.gso_size = 0);
    REFUSE(TCP4, 40000, 1448, header.gso_size = 47);
    REFUSE(TCP4, 0, 1448, (void)0);
    REFUSE(TCP4, 40000, 1448, header.gso_type = VIRTIO_NET_HDR_GSO_TCPV6);
    REFUSE(TCP4, 40000, 1448, header.gso_type = VIRTIO_NET_HDR_GSO_UDP);
    REFUSE(TCP4, 40000, 1448, header.gso_type = 5);
    REFUSE(TCP4, 40000, 1448, header.gso_type = 0x7f);
    REFUSE(UDP4_TAGGED, 40000, 1448, header.gso_type = VIRTIO_NET_HDR_GSO_TCPV4);
    REFUSE(UDP4_TAGGED, 40000, 300, (void)0); /* 134 datagrams */
    for (size_t i = 0; i < N_FRAMES; i++) {
        for (unsigned type = 1; type < 256; type++) {
            m = packet_new(pool, frames[i]);
            header = (struct virtio_net_hdr){.gso_type = (uint8_t)type, .gso_size = 1000, .hdr_len = (uint16_t)type};
            if (vnet_mark(&header, 0, m))
                assert_true(offload_packets(m) == 1 && offload_l4(m) + m->l4_len < m->pkt_len);
            rte_pktmbuf_free(m);
        }
    }
}

/* What comes out is judged by sums from scratch; hdr_len lies in every case. */
static void random_headers_do_no_harm(void **state)
{
    unsigned taken = 0;

    srand(1);
    for (int i = 0; i < 200000; i++) {
        struct rte_mbuf *m = packet_new(pool, frames[(size_t)rand() % N_FRAMES]), *out;
        struct virtio_net_hdr header = {
            .flags = (uint8_t)(rand() % 4),
            .gso_type = (uint8_t)(rand() % 3 ? 0 : rand() % 7 | (rand() % 8 ? 0 : 0x80)),
            .hdr_len = (uint16_t)rand(),
            .gso_size = (uint16_t)(rand() % 4 ? rand() % 100 : rand()),
            .csum_start = (uint16_t)(rand() % 4 ? rand() % 80 : rand()),
            .csum_offset = (uint16_t)(rand() % 4 ? rand() % 20 : rand()),
        };
        const uint32_t len = m->pkt_len;

        if (vnet_mark(&header, 0, m)) {
            struct offload_cut cut = offload_cut_begin(m, pool);
            while ((out = offload_cut_next(&cut))) {
                assert_true(out->pkt_len <= len && out->pkt_len >= 14);
                rte_pktmbuf_free(out);
                taken++;
            }
            assert_false(cut.failed);
        } else {
            vnet_mark_malformed(m);
            rte_pktmbuf_free(m);
        }
    }
    assert_true(taken > 1000);
}

/* A checksum that no mark can say is made at once: of SCTP, and of what is inside of something. */
static void other_checksums_are_made_at_once(void **state)
{
    struct virtio_net_hdr header = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 34, .csum_offset = 8};
    struct rte_mbuf *m = packet_new(pool, FRAME_SCTP), *right = packet_new(pool, FRAME_SCTP);

    /* The frame has a byte of padding that the CRC does not cover. */
    rte_pktmbuf_trim(m, 1);
    rte_pktmbuf_trim(right, 1);
    memset(rte_pktmbuf_mtod_offset(m, void *, 42), 0x55, 4);
    assert_true(vnet_mark(&header, 0, m));
    assert_false(offload_any(m));
    assert_same_bytes(m, right);
    rte_pktmbuf_free(right);
    rte_pktmbuf_free(m);

    m = packet_new(pool, FRAME_MPLS); /* UDP behind a label */
    header = (struct virtio_net_hdr){.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 38, .csum_offset = 6};
    assert_true(vnet_mark(&header, 0, m));
    assert_false(offload_any(m));
    assert_int_equal(packet_sum(0, rte_pktmbuf_mtod_offset(m, uint8_t *, 38), m->pkt_len - 38), 0xffff);
    rte_pktmbuf_free(m);
}

struct stream {
    uint32_t n, payload, headers;
};

/* Every segment has right checksums, lengths and its place; the payloads together are the packet's. */
static struct stream check_segments(struct rte_mbuf *m, uint32_t headers, bool tcp, uint32_t first_seq,
                                    uint16_t first_id)
{
    struct stream stream = {.headers = headers};
    struct offload_cut cut = offload_cut_begin(m, pool);
    const uint32_t total = m->pkt_len, segments = offload_packets(m), longest = offload_longest(m);
    struct rte_mbuf *segment;

    while ((segment = offload_cut_next(&cut))) {
        const uint8_t *data = rte_pktmbuf_mtod(segment, const uint8_t *);
        struct packet_layers layers;

        assert_int_equal(segment->nb_segs, 1);
        assert_false(offload_any(segment));
        assert_true(segment->pkt_len <= longest);
        assert_true(packet_checksums_right(segment));
        packet_layers_find(segment, &layers);
        assert_true(layers.l4 > 0);
        if (layers.eth_type == RTE_ETHER_TYPE_IPV4)
            assert_int_equal(packet_be16(data + layers.l3 + 4), (uint16_t)(first_id + stream.n));
        if (tcp) {
            const struct rte_tcp_hdr *header = (const void *)(data + layers.l4);
            const bool last = stream.headers + stream.payload + (segment->pkt_len - headers) == total;

            assert_int_equal(rte_be_to_cpu_32(header->sent_seq), first_seq + stream.payload);
            assert_int_equal(!!(header->tcp_flags & 0x08), last); /* PSH */
            if (header->tcp_flags & 0x80)                         /* CWR */
                assert_int_equal(stream.n, 0);
        } else {
            assert_int_equal(packet_be16(data + layers.l4 + 4), segment->pkt_len - layers.l4);
        }
        for (uint32_t i = headers; i < segment->pkt_len; i++)
            assert_int_equal(data[i], byte_at(stream.payload + i - headers));
        stream.payload += segment->pkt_len - headers;
        stream.n++;
        rte_pktmbuf_free(segment);
    }
    assert_false(cut.failed);
    assert_int_equal(stream.n, segments);
    return stream;
}

static void large_packets_are_cut_into_right_ones(void **state)
{
    for (uint32_t payload = 1; payload < 65000; payload = payload * 2 + 1447) {
        for (uint16_t size = 48; size <= 1480; size = (uint16_t)(size + 358)) {
            struct virtio_net_hdr header;
            struct rte_mbuf *m = large(TCP4, payload, size, &header);

            assert_true(vnet_mark(&header, 0, m));
            assert_int_equal(check_segments(m, 54, true, 1, 0).payload, payload);
            m = large(TCP6_OPTIONS, payload, size, &header);
            assert_true(vnet_mark(&header, 0, m));
            assert_int_equal(check_segments(m, 14 + 40 + 32, true, 0xfffffff0, 0).payload, payload);
            if (payload / size >= 127)
                continue;
            m = large(UDP4_TAGGED, payload, size, &header);
            assert_true(vnet_mark(&header, 0, m));
            assert_int_equal(check_segments(m, 22 + 20 + 8, false, 0, 0).payload, payload);
            m = large(UDP6_EXTENSION, payload, size, &header);
            assert_true(vnet_mark(&header, 0, m));
            assert_int_equal(check_segments(m, 14 + 48 + 8, false, 0, 0).payload, payload);
        }
    }
}

/* As a NIC's LRO leaves them: a complete checksum, or anything. */
static void large_packets_may_come_without_a_sum(void **state)
{
    struct virtio_net_hdr header;
    struct rte_mbuf *m = large(TCP6_OPTIONS, 30000, 1400, &header);

    header.flags = 0;
    header.csum_start = header.csum_offset = 0;
    memset(rte_pktmbuf_mtod_offset(m, void *, 14 + 40 + 16), 0x5a, 2);
    assert_true(vnet_mark(&header, 0, m));
    check_segments(m, 14 + 40 + 32, true, 0xfffffff0, 0);
    m = large(TCP4, 30000, 1400, &header);
    header.flags = VIRTIO_NET_HDR_F_DATA_VALID;
    memset(rte_pktmbuf_mtod_offset(m, void *, 34 + 16), 0x5a, 2);
    assert_true(vnet_mark(&header, 0, m));
    check_segments(m, 54, true, 1, 0);
}

static void an_empty_pool_loses_the_rest_and_nothing_else(void **state)
{
    static struct rte_mbuf *hoard[POOL_SIZE];
    struct virtio_net_hdr header;
    struct rte_mbuf *m = large(TCP4, 30000, 1400, &header), *segment;
    struct offload_cut cut;
    unsigned n = 0, got = 0;

    assert_true(vnet_mark(&header, 0, m));
    while (rte_mempool_avail_count(pool) > 3)
        hoard[n++] = rte_pktmbuf_alloc(pool);
    cut = offload_cut_begin(m, pool);
    struct rte_mbuf *kept[64];
    while ((segment = offload_cut_next(&cut)))
        kept[got++] = segment;
    assert_true(cut.failed);
    assert_int_equal(got, 3);
    rte_pktmbuf_free_bulk(kept, got);
    rte_pktmbuf_free_bulk(hoard, n);
}

/* --- actions ------------------------------------------------------------- */

static void run_anew(struct rte_mbuf *m)
{
    events_clear(&events);
    run(m);
}

static void add_op(enum program_op_type type, uint32_t arg, const void *data, size_t len)
{
    program_builder_add(&builder, type, arg, data, len);
}

/* Each segment of what comes out has what the actions wrote. Programs at random: offload_actions_test.c. */
static void actions_change_all_segments(void **state)
{
    struct virtio_net_hdr header;
    const struct op_ipv4 ip = {.dst = 0x12345678, .dst_mask = UINT32_MAX, .ttl = 3, .ttl_mask = 0xff};
    const struct op_l4 l4 = {.dst = 0x4711, .dst_mask = 0xffff};
    const struct op_vlan vlan = {.tpid = RTE_BE16(0x8100), .tci = RTE_BE16(5)};
    const struct op_mpls mpls = {.lse = RTE_BE32(0x00009140), .eth_type = RTE_BE16(0x8847)};
    struct rte_mbuf *m = large(TCP4, 40000, 1400, &header);

    assert_true(vnet_mark(&header, 0, m));
    add_op(OP_SET_IPV4, 0, &ip, sizeof ip);
    add_op(OP_SET_L4, 0, &l4, sizeof l4);
    add_op(OP_PUSH_VLAN, 0, &vlan, sizeof vlan);
    add_op(OP_OUTPUT, 1, NULL, 0);
    run_anew(m);
    assert_int_equal(events.n, 1);
    m = events.list[0].m;
    events.n = 0;
    assert_true(offload_is_plain(m));
    assert_int_equal(offload_longest(m), 58 + 1400);
    check_segments(m, 58, true, 1, 0);

    m = large(TCP4, 40000, 1400, &header);
    assert_true(vnet_mark(&header, 0, m));
    program_builder_init(&builder);
    add_op(OP_PUSH_MPLS, 0, &mpls, sizeof mpls);
    add_op(OP_OUTPUT, 1, NULL, 0);
    run_anew(m);
    m = events.list[0].m;
    events.n = 0;
    assert_true(offload_segmented(m));
    assert_false(offload_is_plain(m));
    struct offload_cut cut = offload_cut_begin(m, pool);
    struct rte_mbuf *segment = offload_cut_next(&cut);
    assert_int_equal(segment->pkt_len, 58 + 1400);
    rte_pktmbuf_adj(segment, 4); /* what the label is in front of has right checksums */
    memcpy(rte_pktmbuf_mtod(segment, void *), "\2\0\0\0\0\2\2\0\0\0\0\1\x08\0", 14);
    assert_true(packet_checksums_right(segment));
    rte_pktmbuf_free(segment);
    while ((segment = offload_cut_next(&cut)))
        rte_pktmbuf_free(segment);

    m = large(TCP4, 40000, 1400, &header);
    assert_true(vnet_mark(&header, 0, m));
    program_builder_init(&builder);
    add_op(OP_SET_PROTO, IPPROTO_UDP, NULL, 0);
    add_op(OP_OUTPUT, 1, NULL, 0);
    run_anew(m);
    assert_int_equal(events.list[0].type, EVENT_DROP);
    assert_int_equal(events.list[0].arg, DROP_ACTION_MALFORMED);
}

static void controllers_get_finished_packets(void **state)
{
    struct virtio_net_hdr header;
    struct rte_mbuf *m = large(TCP4, 40000, 1400, &header);

    assert_true(vnet_mark(&header, 0, m));
    packet_meta(m)->md.in_port = 77;
    add_op(OP_OUTPUT, 1, NULL, 0);
    add_op(OP_TRUNCATE, 100, NULL, 0);
    add_op(OP_PUNT, 5, NULL, 0);
    run_anew(m);
    assert_int_equal(events.n, 1 + 29);
    assert_int_equal(events.list[0].m->pkt_len, 54 + 40000);
    assert_true(offload_segmented(events.list[0].m));
    for (unsigned i = 1; i < events.n; i++) {
        assert_int_equal(events.list[i].type, EVENT_PUNT);
        assert_int_equal(events.list[i].full_len, i < 29 ? 54 + 1400 : 54 + 40000 - 28 * 1400);
        assert_int_equal(events.list[i].m->pkt_len, 100);
        assert_int_equal(packet_meta(events.list[i].m)->md.in_port, 77);
    }
    program_builder_init(&builder);
    add_op(OP_PUNT, 5, NULL, 0);
    m = large(UDP4_TAGGED, 100, 0, &header);
    assert_true(vnet_mark(&header, 0, m));
    run_anew(m);
    assert_int_equal(events.n, 1);
    assert_true(packet_checksums_right(events.list[0].m));
}

/* A part has the bytes that it would have if the whole had been finished. */
static void a_part_is_of_the_finished_packet(void **state)
{
    struct virtio_net_hdr header;

    for (int last = 0; last < 2; last++) {
        struct rte_mbuf *m = large(TCP4, 4000, 1400, &header), *whole = packet_copy(m, pool, UINT32_MAX);

        assert_true(vnet_mark(&header, 0, m) && vnet_mark(&header, 0, whole));
        offload_finish(whole);
        assert_true(packet_checksums_right(whole));
        program_builder_init(&builder);
        add_op(OP_TRUNCATE, 80, NULL, 0);
        add_op(OP_OUTPUT, 1, NULL, 0);
        if (!last)
            add_op(OP_OUTPUT, 2, NULL, 0);
        run_anew(m);
        assert_false(offload_any(events.list[0].m));
        assert_int_equal(events.list[0].m->pkt_len, 80);
        assert_memory_equal(rte_pktmbuf_mtod(events.list[0].m, void *), rte_pktmbuf_mtod(whole, void *), 80);
        if (!last)
            assert_true(offload_segmented(events.list[1].m));
        rte_pktmbuf_free(whole);
    }
}

/* The segments are what check_pkt_larger and a meter of packets look at. */
static void what_is_measured_are_segments(void **state)
{
    struct virtio_net_hdr header;
    const struct op_larger larger = {.len = 1454, .recirc = 8}, smaller = {.len = 1453, .recirc = 8};
    struct meter_config config = {.packets = true, .n_bands = 1, .bands = {{METER_DROP_BAND, 0, 1000, 100}}};
    struct meter_counts counts;
    struct meter *meter = meter_create(&config, 1, 1000000, 0);
    struct rte_mbuf *m[8];
    uint8_t verdicts[8];
    unsigned passed = 0;

    for (int i = 0; i < 2; i++) {
        m[0] = large(TCP4, 40000, 1400, &header);
        assert_true(vnet_mark(&header, 0, m[0]));
        program_builder_init(&builder);
        add_op(OP_RECIRC_LARGER, 7, i ? &smaller : &larger, sizeof larger);
        run_anew(m[0]);
        assert_int_equal(events.list[0].type, EVENT_RECIRC);
        assert_int_equal(events.list[0].arg, i ? 8 : 7);
    }
    for (int i = 0; i < 8; i++) {
        m[i] = large(TCP4, 40000, 1400, &header);
        assert_true(vnet_mark(&header, 0, m[i]));
    }
    meter_run(meter, 0, 0, m, 8, verdicts); /* 29 segments each, 100 of burst */
    for (int i = 0; i < 8; i++)
        passed += verdicts[i] == METER_PASS;
    assert_int_equal(passed, 4);
    meter_sum(meter, &counts);
    assert_int_equal(counts.packets, 8 * 29);
    assert_int_equal(counts.bytes, 8 * (40000 + 29 * 54)); /* each segment has headers */
    assert_int_equal(counts.band_packets[0], 4 * 29);
    assert_int_equal(counts.band_bytes[0], 4 * (40000 + 29 * 54));
    free(meter);
    config.packets = false;
    config.bands[0] = (struct meter_band){METER_DROP_BAND, 0, 1000, 990}; /* three packets of 333 kbit, not of 320 */
    meter = meter_create(&config, 1, 1000000, 0);
    meter_run(meter, 0, 0, m, 4, verdicts);
    assert_int_equal(verdicts[2], METER_PASS);
    assert_int_equal(verdicts[3], METER_DROP);
    rte_pktmbuf_free_bulk(m, 8);
    free(meter);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, program_bed_setup, program_bed_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_kernels_header_comes_back_as_it_was),
        TEST(a_finished_packet_has_no_header),
        TEST(a_header_counts_from_before_the_tag),
        TEST(headers_that_do_not_fit_are_refused),
        TEST(random_headers_do_no_harm),
        TEST(other_checksums_are_made_at_once),
        TEST(large_packets_are_cut_into_right_ones),
        TEST(large_packets_may_come_without_a_sum),
        TEST(an_empty_pool_loses_the_rest_and_nothing_else),
        TEST(actions_change_all_segments),
        TEST(controllers_get_finished_packets),
        TEST(a_part_is_of_the_finished_packet),
        TEST(what_is_measured_are_segments),
    };

    if (!program_bed_init("offload_test", POOL_SIZE))
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
