/* Datagrams in fragments: tracked and translated as the whole would be, whatever the order; and what becomes of those
 * that are not complete. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>

#include "pmd/offload.h"
#include "tests/lib/ct_bed.h"
#include "tests/lib/ct_fragments.h"
#include "tests/lib/eal.h"

#define NEW (CT_STATE_TRK | CT_STATE_NEW)
#define EST_RPL (CT_STATE_TRK | CT_STATE_EST | CT_STATE_RPL)
#define INV (CT_STATE_TRK | CT_STATE_INV)
#define PARTS_MOST 8

static struct rte_mempool *pool;
static struct ct *ct, *peer; /* peer: sees whole packets */
static struct rcu *rcus[2];
static uint32_t now;
static unsigned in_use;

static struct ct *tracker_new(unsigned i)
{
    struct ct *new;

    rcus[i] = aligned_alloc(64, RTE_ALIGN_CEIL(sizeof(struct rcu), 64));
    rcu_init(rcus[i], 1);
    new = ct_create(&(struct ct_params){.max_connections = 1000, .n_threads = 1, .rcu = rcus[i], .pool = pool});
    for (unsigned v = 0; v < 2; v++)
        ct_set_fragment_min(new, v, CT_FRAGMENT_MIN_LEAST);
    return new;
}

static int setup(void **state)
{
    in_use = rte_mempool_in_use_count(pool);
    now = 1000;
    ct = tracker_new(0);
    peer = tracker_new(1);
    return ct && peer ? 0 : -1;
}

static int teardown(void **state)
{
    ct_destroy(ct);
    ct_destroy(peer);
    for (unsigned i = 0; i < 2; i++) {
        rcu_fini(rcus[i]);
        free(rcus[i]);
    }
    assert_int_equal(rte_mempool_in_use_count(pool), in_use); /* none leaks, what was held included */
    return 0;
}

/* --- cutting and putting together ---------------------------------------- */

static struct rte_mbuf *whole_packet(const struct ct_spec *spec)
{
    struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
    static const struct metadata md;
    uint8_t *l4;

    assert_non_null(m);
    spec_to_mbuf(spec, m);
    packet_meta(m)->md = md;
    l4 = rte_pktmbuf_mtod_offset(m, uint8_t *, header_len(spec->ipv6));
    /* Octets that differ, and leave the sum as it is. */
    for (uint32_t k = 40; k + 4 <= spec->len; k += 4) {
        const uint16_t word = (uint16_t)rand();

        put16(l4 + k, word);
        put16(l4 + k + 2, (uint16_t)~word);
    }
    return m;
}

/* Cuts `len` octets at random into parts that are long enough. */
static unsigned random_parts(uint32_t len, struct part parts[PARTS_MOST])
{
    unsigned n = 0;
    uint32_t at = 0;

    while (at < len) {
        uint32_t some = 384 + 8 * (uint32_t)(rand() % 60);

        if (at + some >= len || n == PARTS_MOST - 1)
            some = len - at;
        parts[n++] = (struct part){at, some};
        at += some;
    }
    return n;
}

static uint8_t send_one(struct ct *to, const struct ct_request *request, struct rte_mbuf **m)
{
    struct ct_meta *meta = &packet_meta(*m)->ct;
    uint8_t reason = (uint8_t)packet_meta(*m)->md.ct_state;

    ct_run(to, 0, now, request, m, 1, &meta, &reason);
    return reason;
}

static uint8_t send_part(const struct ct_request *request, const struct rte_mbuf *whole, bool ipv6, struct part part,
                         uint32_t id, bool more, struct rte_mbuf **m)
{
    *m = cut(pool, whole, ipv6, part, id, more);
    return send_one(ct, request, m);
}

/* The fragments that came back are what the other tracker made of the whole. */
static void expect_whole(const struct rte_mbuf *by, const struct rte_mbuf *expected, bool ipv6, unsigned n_parts,
                         uint8_t state, uint8_t expected_reason)
{
    const uint32_t header = header_len(ipv6), extra = ipv6 ? 8 : 0;
    uint32_t at = header;
    unsigned n = 0;
    struct rte_mbuf *m;
    uint8_t reason;

    while ((m = ct_fragment_next(ct, 0, by, &reason))) {
        const uint32_t len = m->data_len - header - extra;
        const uint8_t *data = rte_pktmbuf_mtod(m, const uint8_t *);

        assert_int_equal(reason, expected_reason);
        assert_int_equal(packet_meta(m)->md.ct_state, state);
        assert_int_equal(packet_meta(m)->ct.state, state);
        assert_memory_equal(data + header + extra, rte_pktmbuf_mtod_offset(expected, const uint8_t *, at), len);
        assert_memory_equal(data + (ipv6 ? 22 : 26), rte_pktmbuf_mtod_offset(expected, const uint8_t *, ipv6 ? 22 : 26),
                            ipv6 ? 32 : 8);
        if (!ipv6)
            assert_int_equal(rte_raw_cksum(data + 14, 20), 0xffff);
        at += len;
        n++;
        rte_pktmbuf_free(m);
    }
    assert_int_equal(n, n_parts);
    assert_int_equal(at, expected->data_len);
}

/* It is what the other tracker made of the whole; but for the identification, which the other's had not. */
static void expect_same_packet(const struct rte_mbuf *m, const struct rte_mbuf *expected, bool ipv6)
{
    uint8_t bytes[2048];
    const uint8_t *data = rte_pktmbuf_read(m, 0, m->pkt_len, bytes);

    assert_int_equal(m->pkt_len, expected->pkt_len);
    if (data != bytes)
        memcpy(bytes, data, m->pkt_len);
    if (!ipv6) {
        assert_int_equal(rte_raw_cksum(bytes + 14, 20), 0xffff);
        memcpy(bytes + 18, rte_pktmbuf_mtod_offset(expected, uint8_t *, 18), 2);
        memcpy(bytes + 24, rte_pktmbuf_mtod_offset(expected, uint8_t *, 24), 2);
    }
    assert_memory_equal(bytes, rte_pktmbuf_mtod(expected, uint8_t *), m->pkt_len);
}

/* A fragment of datagram `id` that begins at octet `start` of it. */
static void expect_fragment(const struct rte_mbuf *m, const struct rte_mbuf *expected, bool ipv6, uint32_t id,
                            uint32_t start, bool last)
{
    const uint32_t header = header_len(ipv6), extra = ipv6 ? 8 : 0, len = m->pkt_len - header - extra;
    const uint8_t *data = rte_pktmbuf_mtod(m, const uint8_t *), *whole = rte_pktmbuf_mtod(expected, const uint8_t *);

    assert_int_equal(m->nb_segs, 1);
    assert_false(offload_any(m));
    assert_memory_equal(data + header + extra, whole + header + start, len);
    assert_memory_equal(data + (ipv6 ? 22 : 26), whole + (ipv6 ? 22 : 26), ipv6 ? 32 : 8);
    if (ipv6) {
        const uint8_t fragment[] = {whole[20],
                                    0,
                                    (uint8_t)(start >> 8),
                                    (uint8_t)(start | !last),
                                    (uint8_t)(id >> 24),
                                    (uint8_t)(id >> 16),
                                    (uint8_t)(id >> 8),
                                    (uint8_t)id};

        assert_int_equal(data[20], IPPROTO_FRAGMENT);
        assert_memory_equal(data + 54, fragment, sizeof fragment);
        assert_int_equal(data[18] << 8 | data[19], 8 + len);
        return;
    }
    assert_int_equal(data[18] << 8 | data[19], id & 0xffff);
    assert_int_equal(data[20] << 8 | data[21], start / 8 | (last ? 0 : 0x2000));
    assert_int_equal(data[16] << 8 | data[17], 20 + len);
    assert_int_equal(rte_raw_cksum(data + 14, 20), 0xffff);
}

/* The datagram came back as one packet, which whoever sends it may cut again. */
static void expect_joined(const struct rte_mbuf *by, struct rte_mbuf *expected, bool ipv6, uint32_t id,
                          uint32_t longest)
{
    uint8_t reason;
    struct rte_mbuf *m = ct_fragment_next(ct, 0, by, &reason), *clone, *fragment;
    uint32_t at = 0, bytes = 0, n = 0;

    assert_non_null(m);
    assert_null(ct_fragment_next(ct, 0, by, &reason));
    assert_true(offload_datagram(m));
    assert_int_equal(packet_meta(m)->md.ct_state, packet_meta(expected)->ct.state);
    assert_int_equal(m->tso_segsz, longest);
    expect_same_packet(m, expected, ipv6);
    clone = rte_pktmbuf_clone(m, pool); /* another port sends it whole */
    struct offload_cut cut = offload_cut_begin(clone, pool);
    cut.whole = true;
    cut.flat = rand() % 2;
    const bool flat = cut.flat;
    clone = offload_cut_next(&cut);
    assert_null(offload_cut_next(&cut));
    assert_false(offload_any(clone));
    assert_true(!flat || clone->nb_segs == 1);
    expect_same_packet(clone, expected, ipv6);
    rte_pktmbuf_free(clone);

    const uint32_t n_expected = offload_packets(m), bytes_expected = offload_bytes(m), most = offload_longest(m),
                   last_len = offload_shortest(m);
    cut = offload_cut_begin(m, pool);
    while ((fragment = offload_cut_next(&cut))) {
        const bool last = cut.packet == NULL;

        expect_fragment(fragment, expected, ipv6, id, at, last);
        at += fragment->pkt_len - header_len(ipv6) - (ipv6 ? 8 : 0);
        assert_int_equal(fragment->pkt_len, last ? last_len : most);
        bytes += fragment->pkt_len;
        n++;
        rte_pktmbuf_free(fragment);
    }
    assert_int_equal(at, expected->pkt_len - header_len(ipv6));
    assert_int_equal(n, n_expected);
    assert_int_equal(bytes, bytes_expected);
}

static struct ct_fragments_info info(void)
{
    struct ct_fragments_info all;

    ct_fragments_info(ct, &all);
    return all;
}

/* --- tests --------------------------------------------------------------- */

static void random_request(bool ipv6, struct ct_nat_request *request)
{
    memset(request, 0, sizeof *request);
    request->request.zone = (uint16_t)(rand() % 3);
    request->request.commit = rand() % 2;
    if (rand() % 2)
        return;
    request->request.nat = CT_NAT;
    if (request->request.commit && rand() % 2) {
        request->request.nat |= rand() % 2 ? CT_NAT_SRC : CT_NAT_DST;
        request->request.nat |= ipv6 ? CT_NAT_IPV6 : 0;
        memcpy(request->nat.min_address, ipv6 ? "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x63" : "\x0a\0\0\x63",
               ipv6 ? 16 : 4);
        memcpy(request->nat.max_address, request->nat.min_address, 16);
    }
}

/* Random datagrams whole to one tracker, in fragments in a random order to another: both say and make the same. */
static void fragments_are_tracked_as_the_whole(void **state)
{
    unsigned tracked = 0, translated = 0;

    srand(7);
    for (unsigned i = 0; i < 20000; i++) {
        static const uint8_t protos[] = {IPPROTO_UDP, IPPROTO_UDP, IPPROTO_ICMP, IPPROTO_TCP};
        struct ct_spec spec = {.ipv6 = rand() % 2,
                               .proto = protos[rand() % 4],
                               .src = 1 + (uint32_t)rand() % 3,
                               .dst = 1 + (uint32_t)rand() % 3,
                               .sport = (uint16_t)(7 + rand() % 3),
                               .dport = (uint16_t)(7 + rand() % 3),
                               .len = 700 + (uint32_t)rand() % 800,
                               .window = 2000,
                               .seq = 100};
        struct part parts[PARTS_MOST];
        struct rte_mbuf *whole, *cut_up, *m = NULL;
        struct ct_nat_request request;
        uint8_t reason = CT_HELD, expected;
        uint32_t longest = 0;
        unsigned n;

        if (spec.proto == IPPROTO_TCP)
            spec.flags = rand() % 4 ? ACK : SYN;
        if (spec.proto == IPPROTO_ICMP) {
            spec.proto = spec.ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
            spec.icmp_type = spec.ipv6 ? 128 + (uint8_t)(rand() % 2) : (uint8_t)(8 * (rand() % 2));
        }
        if (rand() % 4 == 0 && spec.proto == IPPROTO_UDP)
            spec.dst = 0x63; /* back to the translated address */
        random_request(spec.ipv6, &request);
        whole = whole_packet(&spec);
        if (rand() % 20 == 0)
            rte_pktmbuf_mtod_offset(whole, uint8_t *, whole->data_len)[-1] ^= 1; /* a wrong checksum */
        cut_up = rte_pktmbuf_copy(whole, pool, 0, UINT32_MAX);
        n = random_parts(whole->data_len - header_len(spec.ipv6), parts);
        if (n < 2) {
            rte_pktmbuf_free(whole);
            rte_pktmbuf_free(cut_up);
            continue;
        }
        for (unsigned k = 0; k + 1 < n; k++)
            longest = RTE_MAX(longest, parts[k].len);
        ct_set_send_whole(ct, i % 2);
        expected = send_one(peer, &request.request, &whole);
        for (unsigned left = n; left > 0; left--) {
            const unsigned pick = (unsigned)rand() % left;
            const struct part part = parts[pick];

            assert_int_equal(reason, CT_HELD);
            reason = send_part(&request.request, cut_up, spec.ipv6, part, i,
                               part.start + part.len + header_len(spec.ipv6) < cut_up->data_len, &m);
            parts[pick] = parts[left - 1];
        }
        assert_int_equal(reason, CT_WHOLE);
        if (i % 2 && expected == CT_REASON_NONE)
            expect_joined(m, whole, spec.ipv6, i, longest);
        else
            expect_whole(m, whole, spec.ipv6, n, packet_meta(whole)->ct.state, expected);
        tracked += !(packet_meta(whole)->ct.state & CT_STATE_INV);
        translated += (packet_meta(whole)->ct.state & (CT_STATE_SNAT | CT_STATE_DNAT)) != 0;
        rte_pktmbuf_free(whole);
        rte_pktmbuf_free(cut_up);
        if (i % 100 == 0)
            now++;
    }
    assert_true(tracked > 1000);
    assert_true(translated > 200);
    assert_true(info().ip[0].joined > 1000 && info().ip[1].joined > 1000);
    assert_int_equal(ct_count(ct), ct_count(peer));
}

static const struct ct_request look = {.zone = 3};
static const struct ct_spec udp = {.proto = IPPROTO_UDP, .src = 1, .dst = 2, .sport = 5, .dport = 6, .len = 1400};

static unsigned count_ended(enum ct_fragment_end expected)
{
    enum ct_fragment_end end;
    struct rte_mbuf *m;
    unsigned n = 0;

    while ((m = ct_fragment_ended(ct, 0, now, &end))) {
        assert_int_equal(end, expected);
        rte_pktmbuf_free(m);
        n++;
    }
    return n;
}

/* It stays ours, and is invalid. */
static void expect_refused(struct rte_mbuf *m, uint8_t reason, enum ct_reason expected)
{
    assert_int_equal(reason, expected);
    assert_int_equal(packet_meta(m)->ct.state, INV);
    rte_pktmbuf_free(m);
}

/* Fragments of which a port could not make the same ones again stay as they are. */
static void some_datagrams_stay_in_fragments(void **state)
{
    const struct part first = {0, 800}, second = {800, 608};
    struct rte_mbuf *whole = whole_packet(&udp), *m;
    struct rte_ipv4_hdr *ip;

    ct_set_send_whole(ct, true);
    m = cut(pool, whole, false, first, 1, true);
    ip = rte_pktmbuf_mtod_offset(m, void *, 14);
    ip->type_of_service = 3; /* congestion was experienced by one of them: RFC 3168, 5.3 */
    ip->hdr_checksum = 0;
    ip->hdr_checksum = rte_ipv4_cksum(ip);
    assert_int_equal(send_one(ct, &look, &m), CT_HELD);
    assert_int_equal(send_part(&look, whole, false, second, 1, false, &m), CT_WHOLE);
    expect_whole(m, whole, false, 2, NEW, CT_REASON_NONE);
    assert_int_equal(info().ip[0].joined, 0);

    /* It can be asked for while fragments are held. */
    assert_int_equal(send_one(peer, &look, &whole), CT_REASON_NONE);
    ct_set_send_whole(ct, false);
    assert_int_equal(send_part(&look, whole, false, first, 3, true, &m), CT_HELD);
    ct_set_send_whole(ct, true);
    assert_int_equal(send_part(&look, whole, false, second, 3, false, &m), CT_WHOLE);
    expect_joined(m, whole, false, 3, 800);
    assert_int_equal(info().ip[0].joined, 1);
    assert_int_equal(info().n, 0);
    rte_pktmbuf_free(whole);
}

/* A fragment with more headers: IPv4 with a VLAN tag and DF, IPv6 with two extension headers in front of its own. */
static struct rte_mbuf *cut_with_more(const struct rte_mbuf *whole, bool ipv6, struct part part, bool more)
{
    struct rte_mbuf *m = cut(pool, whole, ipv6, part, 0x12345678, more);
    const uint16_t room = ipv6 ? 8 + 24 : 4, front = ipv6 ? 54 : 12;
    struct rte_ipv4_hdr *ip;
    uint8_t *data;

    if (!rte_pktmbuf_prepend(m, room))
        fail();
    data = rte_pktmbuf_mtod(m, uint8_t *);
    ip = (void *)(data + 18);
    memmove(data, data + room, front);
    memset(data + front, 0, room);
    if (ipv6) {
        put16(data + 18, (uint16_t)(8 + room + part.len));
        data[20] = IPPROTO_HOPOPTS;
        data[54] = IPPROTO_DSTOPTS;
        data[62] = IPPROTO_FRAGMENT;
        data[63] = 2;
        return m;
    }
    put32(data + 12, 0x81000007);
    ip->fragment_offset |= RTE_BE16(RTE_IPV4_HDR_DF_FLAG);
    ip->hdr_checksum = 0;
    ip->hdr_checksum = rte_ipv4_cksum(ip);
    return m;
}

static void joined_ones_are_cut_again_as_they_came(void **state)
{
    static const struct part parts[] = {{0, 480}, {480, 480}, {960, 448}};

    ct_set_send_whole(ct, true);
    for (unsigned ipv6 = 0; ipv6 < 2; ipv6++) {
        struct ct_spec spec = udp;
        struct rte_mbuf *copies[3], *by = NULL, *m;
        uint8_t reason;

        spec.ipv6 = ipv6;
        struct rte_mbuf *whole = whole_packet(&spec);
        for (unsigned i = 0; i < 3; i++) {
            by = cut_with_more(whole, ipv6, parts[i], i < 2);
            copies[i] = rte_pktmbuf_copy(by, pool, 0, UINT32_MAX);
            assert_int_equal(send_one(ct, &look, &by), i < 2 ? CT_HELD : CT_WHOLE);
        }
        m = ct_fragment_next(ct, 0, by, &reason);
        assert_null(ct_fragment_next(ct, 0, by, &reason));
        assert_int_equal(reason, CT_REASON_NONE);
        assert_int_equal(m->pkt_len, copies[0]->pkt_len + parts[1].len + parts[2].len - (ipv6 ? 8 : 0));
        struct packet_layers layers;
        packet_layers_find(m, &layers);
        assert_false(layers.fragment);
        assert_int_equal(layers.l4, m->l2_len + m->l3_len);
        struct offload_cut again = offload_cut_begin(m, pool);
        for (unsigned i = 0; i < 3; i++) {
            struct rte_mbuf *fragment = offload_cut_next(&again);

            assert_int_equal(fragment->pkt_len, copies[i]->pkt_len);
            assert_memory_equal(rte_pktmbuf_mtod(fragment, uint8_t *), rte_pktmbuf_mtod(copies[i], uint8_t *),
                                copies[i]->pkt_len);
            rte_pktmbuf_free(fragment);
            rte_pktmbuf_free(copies[i]);
        }
        assert_null(offload_cut_next(&again));
        rte_pktmbuf_free(whole);
    }
}

static void overlapping_parts_end_their_datagram(void **state)
{
    for (unsigned ipv6 = 0; ipv6 < 2; ipv6++) {
        struct ct_spec spec = udp;
        struct rte_mbuf *whole, *m;
        uint8_t reason;

        spec.ipv6 = ipv6;
        whole = whole_packet(&spec);
        assert_int_equal(send_part(&look, whole, ipv6, (struct part){0, 400}, 1, true, &m), CT_HELD);
        assert_int_equal(send_part(&look, whole, ipv6, (struct part){800, 608}, 1, false, &m), CT_HELD);
        /* The same once more is no harm. */
        reason = send_part(&look, whole, ipv6, (struct part){0, 400}, 1, true, &m);
        expect_refused(m, reason, CT_REASON_FRAG_OVERLAP);
        assert_int_equal(count_ended(CT_FRAGMENT_OVERLAPPED), 0);
        reason = send_part(&look, whole, ipv6, (struct part){392, 408}, 1, true, &m);
        expect_refused(m, reason, CT_REASON_FRAG_OVERLAP);
        assert_int_equal(count_ended(CT_FRAGMENT_OVERLAPPED), 2);
        reason = send_part(&look, whole, ipv6, (struct part){400, 400}, 1, true, &m);
        expect_refused(m, reason, CT_REASON_FRAG_OVERLAP);
        /* Behind the end, and a second end. */
        assert_int_equal(send_part(&look, whole, ipv6, (struct part){400, 400}, 2, false, &m), CT_HELD);
        reason = send_part(&look, whole, ipv6, (struct part){800, 400}, 2, true, &m);
        expect_refused(m, reason, CT_REASON_FRAG_OVERLAP);
        assert_int_equal(count_ended(CT_FRAGMENT_OVERLAPPED), 1);
        assert_int_equal(info().n, 0);
        rte_pktmbuf_free(whole);
    }
}

static void others_fragments_are_none_of_it(void **state)
{
    struct rte_mbuf *whole = whole_packet(&udp), *m;
    const struct part first = {0, 800}, second = {800, 608};
    uint8_t reason;

    assert_int_equal(send_part(&look, whole, false, first, 1, true, &m), CT_HELD);
    assert_int_equal(send_part(&look, whole, false, second, 2, false, &m), CT_HELD);
    assert_int_equal(send_part(&(struct ct_request){.zone = 4}, whole, false, second, 1, false, &m), CT_HELD);
    m = cut(pool, whole, false, second, 1, false);
    packet_meta(m)->md.in_port = 5;
    assert_int_equal(send_one(ct, &look, &m), CT_HELD);
    m = cut(pool, whole, false, second, 1, false);
    packet_meta(m)->md.recirc_id = 5;
    assert_int_equal(send_one(ct, &look, &m), CT_HELD);
    m = cut(pool, whole, false, second, 1, false);
    rte_pktmbuf_mtod(m, uint8_t *)[14 + 12 + 3] = 9; /* another source, and the header's checksum is wrong by it */
    expect_refused(m, send_one(ct, &look, &m), CT_REASON_CHECKSUM);
    assert_int_equal(info().n, 5);
    assert_int_equal(send_part(&look, whole, false, second, 1, false, &m), CT_WHOLE);
    expect_whole(m, whole, false, 2, NEW, CT_REASON_NONE);

    /* They are late. */
    now += 15;
    assert_int_equal(count_ended(CT_FRAGMENT_LATE), 0);
    now += 1;
    reason = send_part(&look, whole, false, first, 2, true, &m);
    assert_int_equal(reason, CT_HELD); /* the second of 2 is not there any more */
    assert_int_equal(count_ended(CT_FRAGMENT_LATE), 4);
    assert_int_equal(info().ip[0].expired, 4);
    assert_int_equal(info().n, 1);
    rte_pktmbuf_free(whole);
}

static void numbers_and_sizes_are_bounded(void **state)
{
    struct rte_mbuf *whole = whole_packet(&udp), *m;
    uint32_t cursor = 0;
    struct ct_datagram_info datagram;
    uint8_t reason;

    reason = send_part(&look, whole, false, (struct part){0, 376}, 1, true, &m);
    expect_refused(m, reason, CT_REASON_FRAG_SMALL);
    reason = send_part(&look, whole, false, (struct part){0, 401}, 1, true, &m); /* not a multiple of 8 */
    expect_refused(m, reason, CT_REASON_SHORT);
    reason = send_part(&look, whole, false, (struct part){65528 - 65528 % 8, 8}, 1, false, &m); /* beyond 65535 */
    expect_refused(m, reason, CT_REASON_SHORT);
    ct_set_fragments_enabled(ct, false, false);
    reason = send_part(&look, whole, false, (struct part){0, 400}, 1, true, &m);
    expect_refused(m, reason, CT_REASON_FRAGMENT);
    ct_set_fragments_enabled(ct, false, true);

    ct_set_fragments_max(ct, 3);
    for (uint32_t id = 1; id <= 5; id++)
        assert_int_equal(send_part(&look, whole, false, (struct part){0, 800}, id, true, &m), CT_HELD);
    assert_int_equal(count_ended(CT_FRAGMENT_EVICTED), 2);
    assert_int_equal(info().n, 3);
    assert_true(ct_next_datagram(ct, &cursor, UINT32_MAX, &datagram));
    assert_int_equal(datagram.zone, 3);
    assert_int_equal(datagram.n, 1);
    assert_true(datagram.has_first);
    assert_false(datagram.has_last);
    /* The newest is complete, the oldest of before is not. */
    assert_int_equal(send_part(&look, whole, false, (struct part){800, 608}, 5, false, &m), CT_WHOLE);
    expect_whole(m, whole, false, 2, NEW, CT_REASON_NONE);
    assert_int_equal(count_ended(CT_FRAGMENT_EVICTED), 1);
    ct_set_fragments_max(ct, 0);
    reason = send_part(&look, whole, false, (struct part){0, 800}, 9, true, &m);
    assert_int_equal(reason, CT_HELD); /* another made way for it; the last one does not */
    assert_int_equal(count_ended(CT_FRAGMENT_EVICTED), 1);
    rte_pktmbuf_free(whole);
}

/* 64 KB in the shortest fragments. */
static void a_datagram_has_so_many_fragments_at_most(void **state)
{
    struct rte_mbuf *whole = whole_packet(&udp), *m;
    unsigned n = 0, held = 0;

    for (uint32_t start = 0; start + 384 <= 65528; start += 384, n++) {
        m = cut(pool, whole, false, (struct part){0, 384}, 1, true);
        put16(rte_pktmbuf_mtod(m, uint8_t *) + 20, (uint16_t)(start / 8 | 0x2000));
        put16(rte_pktmbuf_mtod(m, uint8_t *) + 24, 0);
        struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod_offset(m, void *, 14);
        ip->hdr_checksum = 0;
        ip->hdr_checksum = rte_ipv4_cksum(ip);
        held += send_one(ct, &look, &m) == CT_HELD;
    }
    assert_int_equal(n, 170);
    assert_int_equal(held, 170);
    rte_pktmbuf_free(whole);
}

static void shared_packets_are_copied(void **state)
{
    struct rte_mbuf *whole = whole_packet(&udp), *first = cut(pool, whole, false, (struct part){0, 800}, 1, true), *m;
    struct ct_nat_request request = {.request = {.commit = true, .nat = CT_NAT | CT_NAT_SRC}};
    uint8_t before[900];

    request.nat.min_address[0] = request.nat.max_address[0] = 11;
    rte_mbuf_refcnt_update(first, 1); /* a port sends it */
    memcpy(before, rte_pktmbuf_mtod(first, uint8_t *), first->data_len);
    m = first;
    assert_int_equal(send_one(ct, &request.request, &m), CT_HELD);
    assert_int_equal(send_part(&request.request, whole, false, (struct part){800, 608}, 1, false, &m), CT_WHOLE);
    send_one(peer, &request.request, &whole);
    expect_whole(m, whole, false, 2, NEW | CT_STATE_SNAT, CT_REASON_NONE);
    assert_int_equal(rte_mbuf_refcnt_read(first), 1);
    assert_memory_equal(before, rte_pktmbuf_mtod(first, uint8_t *), first->data_len);
    rte_pktmbuf_free(first);
    rte_pktmbuf_free(whole);
}

/* Random octets as fragments: nothing is read or kept that should not be (what counts are the sanitizers). */
static void random_fragments_do_no_harm(void **state)
{
    srand(11);
    for (unsigned i = 0; i < 50000; i++) {
        struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
        const uint16_t len = (uint16_t)(60 + rand() % 900);
        const bool ipv6 = rand() % 2;
        static const struct metadata md;
        uint8_t *data = (uint8_t *)rte_pktmbuf_append(m, len), reason;

        for (unsigned k = 0; k < 80 && k < len; k++)
            data[k] = (uint8_t)(rand() % 3 ? rand() % 4 : rand());
        put16(data + 12, ipv6 ? RTE_ETHER_TYPE_IPV6 : RTE_ETHER_TYPE_IPV4);
        data[14] = ipv6 ? 0x60 : 0x45;
        put16(data + (ipv6 ? 18 : 16), (uint16_t)(len - (ipv6 ? 54 : 14) - (rand() % 4 ? 0 : rand() % 30)));
        if (ipv6) {
            data[20] = IPPROTO_FRAGMENT;
            memset(data + 22, 0, 32);
        } else {
            struct rte_ipv4_hdr *ip = (void *)(data + 14);

            memset(data + 26, 0, 8);
            ip->hdr_checksum = 0;
            ip->hdr_checksum = rte_ipv4_cksum(ip);
        }
        packet_meta(m)->md = md;
        const struct rte_mbuf *by = m;
        ct_set_send_whole(ct, rand() % 2);
        reason = send_one(ct, &look, &m);
        if (reason == CT_WHOLE) {
            struct rte_mbuf *back;

            while ((back = ct_fragment_next(ct, 0, by, &reason)))
                rte_pktmbuf_free(back);
        } else if (reason != CT_HELD) {
            rte_pktmbuf_free(m);
        }
        enum ct_fragment_end end;
        while ((m = ct_fragment_ended(ct, 0, now, &end)))
            rte_pktmbuf_free(m);
        now += rand() % 100 == 0;
    }
    assert_true(info().ip[0].completed + info().ip[1].completed + info().ip[0].expired > 100);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(fragments_are_tracked_as_the_whole),
        TEST(some_datagrams_stay_in_fragments),
        TEST(joined_ones_are_cut_again_as_they_came),
        TEST(overlapping_parts_end_their_datagram),
        TEST(others_fragments_are_none_of_it),
        TEST(numbers_and_sizes_are_bounded),
        TEST(a_datagram_has_so_many_fragments_at_most),
        TEST(shared_packets_are_copied),
        TEST(random_fragments_do_no_harm),
    };

    if (test_eal_init("fragments_test") != 0)
        return 77;
    pool = test_pool(4095);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
