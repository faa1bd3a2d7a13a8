/* What operations do to headers, with every checksum recomputed from scratch. */
#include <rte_tcp.h>
#include <stdlib.h>

#include "pmd/tunnel.h"
#include "tests/lib/program_bed.h"

#define POOL_SIZE 2047
#define MASK_6                                                                                                         \
    {                                                                                                                  \
        {                                                                                                              \
            0xff, 0xff, 0xff, 0xff, 0xff, 0xff                                                                         \
        }                                                                                                              \
    }
#define MASK_16                                                                                                        \
    {                                                                                                                  \
        255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255                                 \
    }

/* Runs one operation on `m`; returns the packet that comes out, or NULL and *reason. */
static struct rte_mbuf *apply_to(struct rte_mbuf *m, enum program_op_type type, const void *data, size_t len,
                                 enum drop_reason *reason)
{
    events_clear(&events);
    program_builder_init(&builder);
    program_builder_add(&builder, type, 0, data, len);
    program_builder_add(&builder, OP_OUTPUT, 1, NULL, 0);
    run(m);
    assert_int_equal(events.n, 1);
    if (events.list[0].type == EVENT_OUTPUT)
        return events.list[0].m;
    *reason = events.list[0].arg;
    return NULL;
}

#define MUST(frame, type, ...) must(packet_new(pool, frame), frame, type, &(__VA_ARGS__), sizeof(__VA_ARGS__))
static const struct flow_key *must(struct rte_mbuf *m, const char *frame, enum program_op_type type, const void *data,
                                   size_t len)
{
    static struct flow_key key;
    enum drop_reason reason;
    struct rte_mbuf *out = apply_to(m, type, data, len, &reason);

    if (!out || !packet_checksums_right(out))
        print_message("frame %s\n", frame);
    assert_non_null(out);
    assert_true(packet_checksums_right(out));
    assert_true(flow_key_parse(out, 0, &key) > 0);
    return &key;
}

#define ASSERT_DROPS(frame, why, type, ...)                                                                            \
    do {                                                                                                               \
        enum drop_reason reason_;                                                                                      \
        assert_null(apply_to(packet_new(pool, frame), type, &(__VA_ARGS__), sizeof(__VA_ARGS__), &reason_));           \
        assert_int_equal(reason_, why);                                                                                \
    } while (0)

static bool is_in(const char *frame, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(list[i], frame) == 0)
            return true;
    }
    return false;
}

#define IS_IN(frame, ...)                                                                                              \
    is_in(frame, (const char *const[]){__VA_ARGS__}, sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *))

static void frames_begin_with_right_checksums(void **state)
{
    for (size_t i = 0; i < N_FRAMES; i++) {
        struct rte_mbuf *m = packet_new(pool, frames[i]);
        assert_true(packet_checksums_right(m));
        struct packet_layers layers;
        packet_layers_find(m, &layers);
        if (layers.eth_type == 0x0800 && layers.l4 != 0 && (layers.ip_proto == 6 || layers.ip_proto == 17) &&
            !IS_IN(frames[i], FRAME_FIRST_FRAGMENT, FRAME_UDP_NO_CHECKSUM)) {
            const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod_offset(m, void *, layers.l3);
            assert_int_equal(rte_ipv4_udptcp_cksum_verify(ip, rte_pktmbuf_mtod_offset(m, void *, layers.l4)), 0);
        }
        rte_pktmbuf_free(m);
    }
}

static void vlan_tags_come_and_go(void **state)
{
    for (size_t i = 0; i < N_FRAMES; i++) {
        struct flow_key before, after;
        struct rte_mbuf *m = packet_new(pool, frames[i]);
        flow_key_parse(m, 0, &before);
        const struct op_vlan push = {.tpid = RTE_BE16(0x88a8), .tci = RTE_BE16(0x6064)};

        if (before.vlan_tci[1] == 0) {
            after = *must(m, frames[i], OP_PUSH_VLAN, &push, sizeof push);
            assert_int_equal(after.vlan_tci[0], RTE_BE16(0x7064));
            assert_int_equal(after.vlan_tci[1], before.vlan_tci[0]);
            assert_memory_equal(rte_pktmbuf_mtod_offset(events.list[0].m, void *, 12), "\x88\xa8\x60\x64", 4);
            m = events.list[0].m;
            events.n = 0;
            after = *must(m, frames[i], OP_POP_VLAN, NULL, 0);
            assert_memory_equal(&after, &before, sizeof after);
        } else {
            rte_pktmbuf_free(m);
        }
        uint8_t data[1024];
        const size_t len = packet_from_hex(frames[i], data);
        after = *must(packet_new(pool, frames[i]), frames[i], OP_POP_VLAN, NULL, 0);
        assert_int_equal(after.vlan_tci[0], before.vlan_tci[1]);
        assert_int_equal(events.list[0].m->pkt_len, len - (before.vlan_tci[0] ? 4 : 0));
        assert_int_equal(after.tp_src, before.tp_src);
    }
}

static void vlan_tags_change(void **state)
{
    const struct op_vlan vid = {.tci = RTE_BE16(0xffff), .tci_mask = RTE_BE16(0x0fff)};

    assert_int_equal(MUST(FRAME_VLAN_TCP, OP_SET_VLAN, vid)->vlan_tci[0], RTE_BE16(0xbfff));
    const struct flow_key *key = MUST(FRAME_QINQ_UDP, OP_SET_VLAN, vid);
    assert_int_equal(key->vlan_tci[0], RTE_BE16(0x1fff));
    assert_int_equal(key->vlan_tci[1], RTE_BE16(0xf0c8));
    ASSERT_DROPS(FRAME_UDP, DROP_ACTION_MALFORMED, OP_SET_VLAN, vid);
}

/* The program's operation is its argument. */
static struct rte_mbuf *must_set(const char *frame, enum program_op_type type, uint32_t arg, struct flow_key *key)
{
    events_clear(&events);
    program_builder_init(&builder);
    program_builder_add(&builder, type, arg, NULL, 0);
    program_builder_add(&builder, OP_OUTPUT, 7, NULL, 0);
    run(packet_new(pool, frame));
    assert_int_equal(events.n, 1);
    assert_int_equal(events.list[0].type, EVENT_OUTPUT);
    assert_true(flow_key_parse(events.list[0].m, 0, key) > 0);
    return events.list[0].m;
}

static void types_of_what_is_behind_are_set(void **state)
{
    struct flow_key key;

    must_set(FRAME_QINQ_UDP, OP_SET_TYPE, 0x1234, &key);
    assert_int_equal(key.eth_type, RTE_BE16(0x1234));
    assert_int_equal(key.vlan_tci[1], RTE_BE16(0xf0c8));
    assert_int_equal(key.ipv4_dst, 0);
    must_set(FRAME_ARP, OP_SET_TYPE, 0x8035, &key);
    assert_int_equal(key.eth_type, RTE_BE16(0x8035));

    /* The header's checksum follows, and the one of what was behind it, as far as that has one. */
    const struct rte_mbuf *m = must_set(FRAME_VLAN_TCP, OP_SET_PROTO, 99, &key);
    assert_int_equal(key.ip_proto, 99);
    assert_int_equal(key.tp_dst, 0);
    assert_true(packet_checksums_right(m));
    m = must_set(MACS "86dd" IP6("0013", "00") "1100010400000000 0035 1f90 000b ffff 616263", OP_SET_PROTO, 99, &key);
    assert_int_equal(key.ip_proto, 99);
    /* In the last extension header also where nothing behind it is parsed; a mobility header is none of them. */
    m = must_set(MACS "86dd" IP6("0010", "00") "3200010400000000 0102030405060708", OP_SET_PROTO, 99, &key);
    assert_int_equal(rte_pktmbuf_mtod(m, uint8_t *)[54], 99);
    m = must_set(MACS "86dd" IP6("0008", "87") "3b00000000000000", OP_SET_PROTO, 99, &key);
    assert_int_equal(rte_pktmbuf_mtod(m, uint8_t *)[20], 99);
    m = must_set(FRAME_VLAN_TCP, OP_SET_PROTO, 6, &key);
    assert_int_equal(key.tp_dst, RTE_BE16(0x50));
    assert_true(packet_checksums_right(m));
}

static void pushes_need_head_room(void **state)
{
    const struct op_vlan vlan = {.tpid = RTE_BE16(0x8100)};
    const struct op_mpls mpls = {.eth_type = RTE_BE16(0x8847)};
    enum drop_reason reason;

    for (unsigned i = 0; i < 2; i++) {
        struct rte_mbuf *m = packet_new(pool, FRAME_UDP);
        memmove((uint8_t *)m->buf_addr + 3, rte_pktmbuf_mtod(m, void *), m->data_len);
        m->data_off = 3;
        assert_null(i == 0 ? apply_to(m, OP_PUSH_VLAN, &vlan, sizeof vlan, &reason)
                           : apply_to(m, OP_PUSH_MPLS, &mpls, sizeof mpls, &reason));
        assert_int_equal(reason, DROP_ACTION_NO_ROOM);
    }
}

static void labels_come_and_go_in_front_of_the_tags(void **state)
{
    const struct op_mpls push = {.lse = RTE_BE32(0x00abc13f), .eth_type = RTE_BE16(0x8848)};

    for (size_t i = 0; i < N_FRAMES; i++) {
        struct flow_key before, after;
        struct rte_mbuf *m = packet_new(pool, frames[i]);
        rte_be16_t type;
        flow_key_parse(m, 0, &before);
        memcpy(&type, rte_pktmbuf_mtod_offset(m, void *, 12), sizeof type);
        if (IS_IN(frames[i], FRAME_SNAP, FRAME_LLC)) {
            rte_pktmbuf_free(m);
            ASSERT_DROPS(frames[i], DROP_ACTION_MALFORMED, OP_PUSH_MPLS, push);
            continue;
        }
        after = *must(m, frames[i], OP_PUSH_MPLS, &push, sizeof push);
        assert_int_equal(after.eth_type, RTE_BE16(0x8848));
        assert_int_equal(after.mpls_lse[0], push.lse);
        assert_int_equal(after.vlan_tci[0], 0);
        m = events.list[0].m;
        events.n = 0;
        const struct op_mpls pop = {.eth_type = type};
        after = *must(m, frames[i], OP_POP_MPLS, &pop, sizeof pop);
        assert_memory_equal(&after, &before, sizeof after);
    }
    const struct op_mpls pop = {.eth_type = RTE_BE16(0x0800)};
    assert_int_equal(MUST(FRAME_MPLS, OP_POP_MPLS, pop)->tp_src, RTE_BE16(0x35));
    const struct op_mpls again = {.eth_type = RTE_BE16(0x8847)};
    assert_int_equal(MUST(FRAME_VLAN_MPLS, OP_POP_MPLS, again)->mpls_lse[0], RTE_BE32(0x000c8140));
    ASSERT_DROPS(FRAME_UDP, DROP_ACTION_MALFORMED, OP_POP_MPLS, pop);
}

static void what_a_pop_shortens_is_padded(void **state)
{
    const struct op_vlan vlan = {.tpid = RTE_BE16(0x8100), .tci = RTE_BE16(7)};
    enum drop_reason reason;

    for (uint32_t len = 58; len < 68; len++) {
        struct rte_mbuf *m = packet_new(pool, FRAME_UDP);
        const uint16_t n = (uint16_t)(len - 4 - m->pkt_len);
        char *padding = rte_pktmbuf_append(m, n);
        memset(padding, 0, n);
        memset(padding + n, 0xee, rte_pktmbuf_tailroom(m));
        m = apply_to(m, OP_PUSH_VLAN, &vlan, sizeof vlan, &reason);
        events.n = 0;
        m = apply_to(m, OP_POP_VLAN, NULL, 0, &reason);
        assert_int_equal(m->pkt_len, len < 60 || len >= 64 ? len - 4 : 60);
        for (uint32_t i = 46; i < m->pkt_len; i++)
            assert_int_equal(rte_pktmbuf_mtod(m, uint8_t *)[i], 0);
    }
}

static void labels_change(void **state)
{
    const struct op_mpls ttl = {.lse = RTE_BE32(0x3f), .lse_mask = RTE_BE32(0xff)};

    assert_int_equal(MUST(FRAME_MPLS, OP_SET_MPLS, ttl)->mpls_lse[0], RTE_BE32(0x0006413f));
    const struct flow_key *key = MUST(FRAME_VLAN_MPLS, OP_SET_MPLS, ttl);
    assert_int_equal(key->mpls_lse[0], RTE_BE32(0x0006403f));
    assert_int_equal(key->mpls_lse[1], RTE_BE32(0x000c8140));
    ASSERT_DROPS(FRAME_UDP, DROP_ACTION_MALFORMED, OP_SET_MPLS, ttl);
}

static void ethernet_addresses_change_under_a_mask(void **state)
{
    const struct op_eth op = {.dst = MASK_6, .dst_mask = {{0, 0, 0, 0, 0, 0xf0}}, .src = {{4}}, .src_mask = MASK_6};

    for (size_t i = 0; i < N_FRAMES; i++) {
        const struct flow_key *key = MUST(frames[i], OP_SET_ETH, op);
        assert_memory_equal(&key->eth_dst, "\x02\0\0\0\0\xf2", 6);
        assert_memory_equal(&key->eth_src, "\x04\0\0\0\0\0", 6);
    }
}

static void ipv4_fields_change(void **state)
{
    const struct op_ipv4 op = {.src = RTE_BE32(0xc0a80163),
                               .src_mask = UINT32_MAX,
                               .dst = RTE_BE32(0xff00ff00),
                               .dst_mask = RTE_BE32(0xff0000ff),
                               .tos = 0x03,
                               .tos_mask = 0x03,
                               .ttl = 63,
                               .ttl_mask = 0xff};

    for (size_t i = 0; i < N_FRAMES; i++) {
        if (!strstr(frames[i], "0a000001 0a000002 ") || IS_IN(frames[i], FRAME_MPLS)) {
            ASSERT_DROPS(frames[i], DROP_ACTION_MALFORMED, OP_SET_IPV4, op);
            continue;
        }
        const struct flow_key *key = MUST(frames[i], OP_SET_IPV4, op);
        assert_int_equal(key->ipv4_src, RTE_BE32(0xc0a80163));
        assert_int_equal(key->ipv4_dst, RTE_BE32(0xff000000));
        assert_int_equal(key->ip_tos, 0xbb);
        assert_int_equal(key->ip_ttl, 63);
    }
}

static uint16_t be16_at(const struct rte_mbuf *m, uint32_t offset)
{
    return packet_be16(rte_pktmbuf_mtod_offset(m, const uint8_t *, offset));
}

static void udp_without_a_checksum_stays_without(void **state)
{
    const struct op_ipv4 op = {.src = RTE_BE32(0xc0a80163), .src_mask = UINT32_MAX};
    const struct op_l4 ports = {.src = RTE_BE16(1), .src_mask = UINT16_MAX};

    MUST(FRAME_UDP_NO_CHECKSUM, OP_SET_IPV4, op);
    assert_int_equal(be16_at(events.list[0].m, 14 + 20 + 6), 0);
    MUST(FRAME_UDP_NO_CHECKSUM, OP_SET_L4, ports);
    assert_int_equal(be16_at(events.list[0].m, 14 + 20 + 6), 0);
}

/* Over all source ports the checksum takes every value but 0, and 0xffff in its place. */
static void udp_checksum_never_becomes_zero(void **state)
{
    unsigned all_ones = 0;

    for (unsigned port = 0; port <= 0xffff; port++) {
        const struct op_l4 op = {.src = rte_cpu_to_be_16(port), .src_mask = UINT16_MAX};
        MUST(FRAME_UDP, OP_SET_L4, op);
        all_ones += be16_at(events.list[0].m, 14 + 20 + 6) == 0xffff;
    }
    assert_true(all_ones >= 1);
}

#define SCTP6_FIRST_FRAGMENT                                                                                           \
    MACS "86dd" IP6("001c", "00") "2c00010400000000 8400000100000001 1234 0050 deadbeef 00000000"

/* The first fragment has the header whose checksum covers the whole datagram: it moves by the difference. */
static void fragments(void **state)
{
    const struct op_ipv4 op = {.src = RTE_BE32(0x0a000003), .src_mask = UINT32_MAX};
    const struct op_l4 ports = {.src = RTE_BE16(0x36), .src_mask = UINT16_MAX};
    uint8_t later[1024];
    const size_t len = packet_from_hex(FRAME_LATER_FRAGMENT, later);

    MUST(FRAME_FIRST_FRAGMENT, OP_SET_IPV4, op);
    assert_int_equal(be16_at(events.list[0].m, 14 + 20 + 6), 0xabcd - 2);
    MUST(FRAME_FIRST_FRAGMENT, OP_SET_L4, ports);
    assert_int_equal(be16_at(events.list[0].m, 14 + 20 + 6), 0xabcd - 1);
    MUST(FRAME_LATER_FRAGMENT, OP_SET_IPV4, op);
    assert_memory_equal(rte_pktmbuf_mtod_offset(events.list[0].m, uint8_t *, 34), later + 34, len - 34);
    ASSERT_DROPS(FRAME_LATER_FRAGMENT, DROP_ACTION_MALFORMED, OP_SET_L4, ports);
    ASSERT_DROPS(SCTP6_FIRST_FRAGMENT, DROP_ACTION_MALFORMED, OP_SET_L4, ports); /* its CRC is over the others, too */
    ASSERT_DROPS(MACS "0800" IP4("0020", "2000", "84") "1234 0050 deadbeef 00000000", DROP_ACTION_MALFORMED, OP_SET_L4,
                 ports);
}

static void ipv6_fields_change(void **state)
{
    const struct op_ipv6 op = {.src = {0xfd, [15] = 0x77},
                               .src_mask = MASK_16,
                               .dst = {[15] = 0xff},
                               .dst_mask = {[15] = 0xf0},
                               .label = RTE_BE32(0xfff),
                               .label_mask = RTE_BE32(0xff),
                               .tos = 0x03,
                               .tos_mask = 0x0f,
                               .ttl = 63,
                               .ttl_mask = 0xff};
    const struct op_ipv6 ttl = {.ttl = 63, .ttl_mask = 0xff};

    for (size_t i = 0; i < N_FRAMES; i++) {
        if (!strstr(frames[i], "86dd")) {
            ASSERT_DROPS(frames[i], DROP_ACTION_MALFORMED, OP_SET_IPV6, op);
            continue;
        }
        const struct flow_key *key = MUST(frames[i], OP_SET_IPV6, op);
        assert_memory_equal(key->ipv6_src, op.src, 16);
        assert_int_equal(key->ipv6_dst[15], 0xf2);
        assert_int_equal(key->ipv6_dst[0], 0x20);
        assert_int_equal(key->ipv6_label, RTE_BE32(0x123ff));
        assert_int_equal(key->ip_tos, 0xb3);
        assert_int_equal(key->ip_ttl, 63);
        assert_int_equal(MUST(frames[i], OP_SET_IPV6, ttl)->ip_ttl, 63);
    }
}

/* A packet whose L4 header the parser cannot see would go out with a wrong checksum. */
static void addresses_do_not_change_over_an_unseen_checksum(void **state)
{
    const struct op_ipv4 src4 = {.src_mask = UINT32_MAX}, ttl4 = {.ttl_mask = 0xff};
    const struct op_ipv6 src6 = {.src_mask = MASK_16};

    ASSERT_DROPS(MACS "0800" IP4("001c", "2000", "06") "0102030405060708", DROP_ACTION_MALFORMED, OP_SET_IPV4, src4);
    MUST(MACS "0800" IP4("001c", "2000", "06") "0102030405060708", OP_SET_IPV4, ttl4);
    ASSERT_DROPS(MACS "86dd" IP6("0008", "3c") "1102000000000000", DROP_ACTION_MALFORMED, OP_SET_IPV6, src6);
    MUST(MACS "86dd" IP6("0000", "3b"), OP_SET_IPV6, src6);
}

static void ports_change(void **state)
{
    const struct op_l4 op = {
        .src = RTE_BE16(0xffff), .src_mask = RTE_BE16(0x00ff), .dst = RTE_BE16(443), .dst_mask = UINT16_MAX};

    for (size_t i = 0; i < N_FRAMES; i++) {
        struct packet_layers layers;
        struct flow_key before;
        struct rte_mbuf *m = packet_new(pool, frames[i]);
        packet_layers_find(m, &layers);
        flow_key_parse(m, 0, &before);
        if (layers.l4 == 0 || (layers.ip_proto != 6 && layers.ip_proto != 17 && layers.ip_proto != 132)) {
            rte_pktmbuf_free(m);
            ASSERT_DROPS(frames[i], DROP_ACTION_MALFORMED, OP_SET_L4, op);
            continue;
        }
        const struct flow_key *key = must(m, frames[i], OP_SET_L4, &op, sizeof op);
        assert_int_equal(key->tp_src, before.tp_src | RTE_BE16(0xff));
        assert_int_equal(key->tp_dst, RTE_BE16(443));
        assert_int_equal(key->tcp_flags, before.tcp_flags);
    }
}

static void icmp_types_change(void **state)
{
    const struct op_icmp op = {.type = 3, .type_mask = 0xff, .code = 1, .code_mask = 0xff};

    for (size_t i = 0; i < N_FRAMES; i++) {
        if (!IS_IN(frames[i], FRAME_ICMP, FRAME_ICMP6, FRAME_NS, FRAME_NA)) {
            ASSERT_DROPS(frames[i], DROP_ACTION_MALFORMED, OP_SET_ICMP, op);
            continue;
        }
        const struct flow_key *key = MUST(frames[i], OP_SET_ICMP, op);
        assert_int_equal(key->tp_src, RTE_BE16(3));
        assert_int_equal(key->tp_dst, RTE_BE16(1));
    }
}

/* An echo reply of zeros has no pseudo-header that would make the sum anything but zero. */
static void the_checksum_of_icmp_zeros_is_all_ones(void **state)
{
    const struct op_icmp op = {.type_mask = 0xff, .code_mask = 0xff};

    MUST(MACS "0800" IP4("001c", "0000", "01") "08 00 0000 0000 0000", OP_SET_ICMP, op);
    MUST(MACS "0800" IP4("001c", "0000", "01") "00 00 0000 0000 0000", OP_SET_ICMP, op);
    MUST(MACS "0800" IP4("001c", "0000", "01") "08 00 0000 ffff 0000", OP_SET_ICMP, op);
}

static void arp_fields_change(void **state)
{
    const struct op_arp op = {.op = RTE_BE16(2),
                              .op_mask = UINT16_MAX,
                              .spa = RTE_BE32(0x0a0000ff),
                              .spa_mask = RTE_BE32(0xff),
                              .tpa = RTE_BE32(0x01020304),
                              .tpa_mask = UINT32_MAX,
                              .sha = {{6}},
                              .sha_mask = MASK_6,
                              .tha = {{8}},
                              .tha_mask = {{0xff}}};

    const struct flow_key *key = MUST(FRAME_ARP, OP_SET_ARP, op);

    assert_int_equal(key->ip_proto, 2);
    assert_int_equal(key->ipv4_src, RTE_BE32(0x0a0000ff));
    assert_int_equal(key->ipv4_dst, RTE_BE32(0x01020304));
    assert_memory_equal(&key->arp_sha, "\x06\0\0\0\0\0", 6);
    assert_memory_equal(&key->arp_tha, "\x08\0\0\0\0\x03", 6);
    ASSERT_DROPS(FRAME_UDP, DROP_ACTION_MALFORMED, OP_SET_ARP, op);
    ASSERT_DROPS(FRAME_UDP6, DROP_ACTION_MALFORMED, OP_SET_ARP, op);
    ASSERT_DROPS(FRAME_MPLS, DROP_ACTION_MALFORMED, OP_SET_ARP, op);
}

static void nd_fields_change(void **state)
{
    const struct op_nd op = {.target = {0xfd, [15] = 1},
                             .target_mask = MASK_16,
                             .sll = {{6, 1}},
                             .sll_mask = MASK_6,
                             .tll = {{8, 1}},
                             .tll_mask = MASK_6};

    const struct flow_key *key = MUST(FRAME_NS, OP_SET_ND, op);

    assert_memory_equal(key->nd_target, op.target, 16);
    assert_memory_equal(&key->arp_sha, "\x06\x01\0\0\0\0", 6);
    key = MUST(FRAME_NA, OP_SET_ND, op);
    assert_memory_equal(key->nd_target, op.target, 16);
    assert_memory_equal(&key->arp_tha, "\x08\x01\0\0\0\0", 6);
    /* Without the option only the target changes. */
    key = MUST(MACS "86dd" IP6("0018", "3a") "87 00 0000 00000000" TARGET, OP_SET_ND, op);
    assert_memory_equal(key->nd_target, op.target, 16);
    ASSERT_DROPS(FRAME_ICMP6, DROP_ACTION_MALFORMED, OP_SET_ND, op);
    ASSERT_DROPS(FRAME_ICMP, DROP_ACTION_MALFORMED, OP_SET_ND, op);
    ASSERT_DROPS(MACS "86dd" IP6("0010", "3a") "87 00 0000 00000000 fe80000000000000", DROP_ACTION_MALFORMED, OP_SET_ND,
                 op);
}

/* Headers in several segments are gathered first. */
static void segmented_packets_change_as_whole_ones(void **state)
{
    const struct op_l4 op = {.dst = RTE_BE16(443), .dst_mask = UINT16_MAX};

    for (uint32_t split = 1; split < 80; split++) {
        static const char *const list[] = {FRAME_TCP, FRAME_SCTP, FRAME_TCP6_OPTIONS, FRAME_QINQ_UDP};
        for (unsigned i = 0; i < 4; i++) {
            struct rte_mbuf *m = packet_split(pool, packet_new(pool, list[i]), split);
            assert_int_equal(must(m, list[i], OP_SET_L4, &op, sizeof op)->tp_dst, RTE_BE16(443));
        }
    }
}

static uint64_t random_next(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

/* The first of many protocols without a checksum: one that has it would find other bytes in its place. */
#define NO_CHECKSUM_PROTO 61

static void builder_add_random(uint64_t *seed)
{
    static const rte_be16_t types[] = {RTE_BE16(0x0800), RTE_BE16(0x86dd), RTE_BE16(0x8847), RTE_BE16(0x0806)};
    const enum program_op_type type = random_next(seed) % OP_N_TYPES;
    uint64_t data[(sizeof(struct op_tunnel_push) + 7) / 8] = {0};

    for (unsigned i = 0; i < 16; i++)
        data[i] = random_next(seed) & (random_next(seed) % 3 == 0 ? 0 : UINT64_MAX);
    if (type == OP_PUSH_VLAN)
        ((struct op_vlan *)data)->tpid = random_next(seed) % 2 ? RTE_BE16(0x8100) : RTE_BE16(0x88a8);
    if (type == OP_PUSH_MPLS)
        ((struct op_mpls *)data)->eth_type = RTE_BE16(0x8847);
    if (type == OP_TUNNEL_PUSH)
        op_tunnel_push_make((void *)data, (const uint8_t *)(const uint64_t[]){data[0], data[1]});
    if (type == OP_CT || type == OP_CT_NAT)
        op_ct_make_valid((uint8_t *)data);
    if (type == OP_PUSH_NSH)
        ((struct op_push_nsh *)data)->len = (uint8_t)(random_next(seed) % (NSH_PUSH_MAX / 4 + 1) * 4);
    if (type == OP_POP_MPLS)
        ((struct op_mpls *)data)->eth_type = types[random_next(seed) % RTE_DIM(types)];
    const uint32_t arg = type == OP_DROP        ? random_next(seed) % DROP_N_REASONS
                         : type == OP_CLONE     ? 0
                         : type == OP_SET_PROTO ? NO_CHECKSUM_PROTO + random_next(seed) % 30
                                                : random_next(seed) % 100;
    const uint32_t at = builder.len;
    const size_t len = program_ops[type].data_len;
    program_builder_add(&builder, type, arg, len > 0 ? data : NULL, len);
    if (type == OP_CLONE && random_next(seed) % 2) {
        const uint32_t start = builder.len;
        builder_add_random(seed);
        ((struct program_op *)(builder.ops + at))->arg = builder.len - start;
    }
}

/* A changed field never leaves a wrong checksum, whatever came before it; no mbuf gets lost. (A label popped off what
 * was no such packet, or types that turn an ICMPv6 message into ND, change what the bytes mean, not their checksums.)
 */
static void random_programs_keep_checksums_right(void **state)
{
    uint64_t seed = 88172645463325252ull;

    for (unsigned round = 0; round < 30000; round++) {
        struct rte_mbuf *m = packet_new(pool, frames[random_next(&seed) % N_FRAMES]);
        bool truncates = false, popped = false;

        if (random_next(&seed) % 4 == 0)
            m = packet_split(pool, m, 1 + random_next(&seed) % 60);
        const bool shared = random_next(&seed) % 8 == 0;
        if (shared)
            rte_pktmbuf_refcnt_update(m, 1);
        program_builder_init(&builder);
        for (unsigned n = random_next(&seed) % 8; n > 0; n--)
            builder_add_random(&seed);
        for (const uint8_t *at = builder.ops; at < builder.ops + builder.len;
             at += ((const struct program_op *)at)->len) { /* those of clones included */
            const uint16_t type = ((const struct program_op *)at)->type;

            popped |= type == OP_POP_ETH;
            /* A tag in a packet without an Ethernet header is in the middle of something. */
            truncates |= type == OP_TRUNCATE || (popped && type == OP_PUSH_VLAN);
        }
        run(m);
        assert_true(events.n > 0);
        for (unsigned i = 0; i < events.n; i++) {
            rte_mbuf_sanity_check(events.list[i].m, 1);
            if (!truncates && !(events.list[i].type == EVENT_DROP && events.list[i].arg == DROP_ACTION_MALFORMED))
                assert_true(packet_checksums_right(events.list[i].m));
        }
        events_clear(&events);
        if (shared)
            rte_pktmbuf_free(m);
        assert_int_equal(rte_mempool_avail_count(pool), POOL_SIZE);
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, program_bed_setup, program_bed_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(frames_begin_with_right_checksums),
        TEST(vlan_tags_come_and_go),
        TEST(vlan_tags_change),
        TEST(pushes_need_head_room),
        TEST(types_of_what_is_behind_are_set),
        TEST(labels_come_and_go_in_front_of_the_tags),
        TEST(what_a_pop_shortens_is_padded),
        TEST(labels_change),
        TEST(ethernet_addresses_change_under_a_mask),
        TEST(ipv4_fields_change),
        TEST(udp_without_a_checksum_stays_without),
        TEST(udp_checksum_never_becomes_zero),
        TEST(fragments),
        TEST(ipv6_fields_change),
        TEST(addresses_do_not_change_over_an_unseen_checksum),
        TEST(ports_change),
        TEST(icmp_types_change),
        TEST(the_checksum_of_icmp_zeros_is_all_ones),
        TEST(arp_fields_change),
        TEST(nd_fields_change),
        TEST(segmented_packets_change_as_whole_ones),
        TEST(random_programs_keep_checksums_right),
    };

    if (!program_bed_init("action_test", POOL_SIZE))
        return 1;
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    program_table_destroy(table);
    return failed;
}
