/* The tracker follows TCP, UDP, ICMP, SCTP and others, in zones, over time, within limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>

#include "pmd/ct/tracker_impl.h"
#include "tests/lib/ct_bed.h"
#include "tests/lib/eal.h"

/* Packets are described by how they differ from an ordinary one. */
#pragma GCC diagnostic ignored "-Woverride-init"

#define NEW (CT_STATE_TRK | CT_STATE_NEW)
#define EST (CT_STATE_TRK | CT_STATE_EST)
#define EST_RPL (CT_STATE_TRK | CT_STATE_EST | CT_STATE_RPL)
#define REL (CT_STATE_TRK | CT_STATE_REL)
#define REL_RPL (CT_STATE_TRK | CT_STATE_REL | CT_STATE_RPL)
#define INV (CT_STATE_TRK | CT_STATE_INV)

static struct rte_mempool *pool;
static struct ct_bed bed;

static int setup(void **state)
{
    bed = ct_bed_new(pool, 1000, 1);
    return bed.ct ? 0 : -1;
}

static int teardown(void **state)
{
    ct_bed_free(&bed);
    return 0;
}

#define TCP(...) ((struct ct_spec){.src = 1, .dst = 2, .sport = 4000, .dport = 80, .window = 1000, __VA_ARGS__})
#define TCP_BACK(...) ((struct ct_spec){.src = 2, .dst = 1, .sport = 80, .dport = 4000, .window = 1000, __VA_ARGS__})
#define UDP(...)                                                                                                       \
    ((struct ct_spec){.proto = IPPROTO_UDP, .src = 1, .dst = 2, .sport = 53, .dport = 5353, .len = 10, __VA_ARGS__})

/* SYN, SYN and ACK, ACK: 101 and 501 come next. */
static void tcp_open(bool ipv6)
{
    assert_int_equal(ct_bed_look(&bed, 0, TCP(.ipv6 = ipv6, .flags = SYN, .seq = 100)), NEW);
    assert_int_equal(ct_bed_commit(&bed, 0, TCP(.ipv6 = ipv6, .flags = SYN, .seq = 100)), NEW);
    assert_int_equal(ct_bed_look(&bed, 0, TCP_BACK(.ipv6 = ipv6, .flags = SYN | ACK, .seq = 500, .ack = 101)), EST_RPL);
    assert_int_equal(ct_bed_look(&bed, 0, TCP(.ipv6 = ipv6, .flags = ACK, .seq = 101, .ack = 501)), EST);
}

/* Seconds until the only connection there is times out; -1: there is none. */
static int64_t left(void)
{
    struct ct_info info;
    uint32_t cursor = 0;

    return ct_next(bed.ct, bed.now, &cursor, UINT32_MAX, &info) ? (int64_t)info.left : -1;
}

static void tcp_opens_and_closes(void **state)
{
    for (int ipv6 = 0; ipv6 < 2; ipv6++) {
        tcp_open(ipv6);
        assert_int_equal(left(), 86400);
        assert_int_equal(ct_bed_look(&bed, 0, TCP(.ipv6 = ipv6, .flags = ACK | PSH, .seq = 101, .ack = 501, .len = 10)),
                         EST);
        assert_int_equal(ct_bed_look(&bed, 0, TCP_BACK(.ipv6 = ipv6, .flags = ACK, .seq = 501, .ack = 111)), EST_RPL);
        assert_int_equal(ct_bed_look(&bed, 0, TCP(.ipv6 = ipv6, .flags = ACK | FIN, .seq = 111, .ack = 501)), EST);
        assert_int_equal(left(), 900);
        assert_int_equal(ct_bed_look(&bed, 0, TCP_BACK(.ipv6 = ipv6, .flags = ACK | FIN, .seq = 501, .ack = 112)),
                         EST_RPL);
        assert_int_equal(left(), 45);
        assert_int_equal(ct_bed_look(&bed, 0, TCP(.ipv6 = ipv6, .flags = ACK, .seq = 112, .ack = 502)), EST);
        assert_int_equal(left(), 30);
        /* The ports are used again. */
        assert_int_equal(ct_bed_commit(&bed, 0, TCP(.ipv6 = ipv6, .flags = SYN, .seq = 90000)), NEW);
        assert_int_equal(left(), 30);
        ct_flush_zone(bed.ct, 0);
        assert_int_equal(left(), -1);
    }
}

static void tcp_out_of_window(void **state)
{
    tcp_open(false);
    assert_int_equal(ct_bed_look(&bed, 0, TCP(.flags = ACK, .seq = 200000, .ack = 501, .len = 10)), INV);
    assert_int_equal(bed.reason, CT_REASON_TCP_WINDOW);
    assert_int_equal(ct_bed_look(&bed, 0, TCP(.flags = ACK, .seq = 101, .ack = 900000)), INV);
    assert_int_equal(ct_bed_look(&bed, 0, TCP_BACK(.flags = RST, .seq = 600)), INV); /* RFC 5961, 3.2 */
    assert_int_equal(left(), 86400);
    assert_int_equal(ct_bed_look(&bed, 0, TCP(.flags = ACK, .seq = 1101, .ack = 501, .len = 1)), INV);
    assert_int_equal(ct_bed_look(&bed, 0, TCP(.flags = ACK, .seq = 101, .ack = 501, .len = 1000)), EST);
    assert_int_equal(ct_bed_look(&bed, 0, TCP_BACK(.flags = RST, .seq = 501)), EST_RPL);
    assert_int_equal(left(), 30);

    ct_set_tcp_window_check(bed.ct, false);
    assert_int_equal(ct_bed_look(&bed, 0, TCP(.flags = ACK, .seq = 200000, .ack = 501, .len = 10)), EST);
}

static void tcp_window_scale(void **state)
{
    ct_bed_commit(&bed, 0, TCP(.flags = SYN, .seq = 100, .scale = 1 + 7));
    ct_bed_look(&bed, 0, TCP_BACK(.flags = SYN | ACK, .seq = 500, .ack = 101, .scale = 1 + 3));
    ct_bed_look(&bed, 0, TCP(.flags = ACK, .seq = 101, .ack = 501, .window = 1000));
    /* 1000 << 7 octets from 501 on. */
    assert_int_equal(ct_bed_look(&bed, 0, TCP_BACK(.flags = ACK, .seq = 501 + 128000 - 9, .ack = 101, .len = 10)), INV);
    assert_int_equal(ct_bed_look(&bed, 0, TCP_BACK(.flags = ACK, .seq = 501 + 128000 - 10, .ack = 101, .len = 10)),
                     EST_RPL);
}

static void tcp_picked_up(void **state)
{
    assert_int_equal(ct_bed_commit(&bed, 0, TCP(.flags = SYN | ACK)), INV); /* cannot begin anything */
    assert_int_equal(bed.reason, CT_REASON_NO_CONNECTION);
    assert_int_equal(ct_bed_commit(&bed, 0, TCP(.flags = ACK, .seq = 7000, .ack = 9000, .len = 100)), NEW);
    assert_int_equal(ct_bed_look(&bed, 0, TCP_BACK(.flags = ACK, .seq = 9000, .ack = 7100, .len = 1000)), EST_RPL);
    assert_int_equal(ct_bed_look(&bed, 0, TCP(.flags = ACK, .seq = 7100, .ack = 10000)), EST);
    assert_int_equal(left(), 86400);
}

static void tcp_flags(void **state)
{
    static const uint8_t bad[] = {0, FIN, PSH, SYN | FIN, SYN | RST, SYN | PSH, RST | FIN};

    for (size_t i = 0; i < RTE_DIM(bad); i++) {
        assert_int_equal(ct_bed_commit(&bed, 0, TCP(.flags = bad[i])), INV);
        assert_int_equal(bed.reason, CT_REASON_TCP_FLAGS);
    }
    assert_int_equal(ct_count(bed.ct), 0);
}

static void udp(void **state)
{
    for (int ipv6 = 0; ipv6 < 2; ipv6++) {
        const struct ct_spec spec = UDP(.ipv6 = ipv6);

        assert_int_equal(ct_bed_look(&bed, 0, spec), NEW);
        assert_int_equal(ct_bed_look(&bed, 0, spec_back(spec)), NEW);
        assert_int_equal(ct_bed_commit(&bed, 0, spec), NEW);
        assert_int_equal(ct_bed_look(&bed, 0, spec), NEW); /* nobody has answered yet */
        assert_int_equal(ct_bed_look(&bed, 0, spec), NEW);
        assert_int_equal(left(), 60);
        assert_int_equal(ct_bed_look(&bed, 0, spec_back(spec)), EST_RPL);
        assert_int_equal(left(), 30);
        assert_int_equal(ct_bed_look(&bed, 0, spec), EST);
        assert_int_equal(bed.meta.tp_src, RTE_BE16(53)); /* of the direction that began */
        assert_int_equal(bed.meta.tp_dst, RTE_BE16(5353));
        assert_int_equal(bed.meta.proto, IPPROTO_UDP);
        if (!ipv6)
            assert_int_equal(bed.meta.src, RTE_BE32(0x0a000001));
        else
            assert_int_equal(bed.meta.src6[15], 1);
        ct_flush_zone(bed.ct, 0);
    }
}

static void to_itself(void **state)
{
    const struct ct_spec spec = UDP(.dst = 1, .dport = 53);

    assert_int_equal(ct_bed_commit(&bed, 0, spec), NEW);
    assert_int_equal(ct_bed_look(&bed, 0, spec), NEW);
    assert_int_equal(ct_count(bed.ct), 1);
    bed.now += 100;
    ct_bed_work(&bed);
    assert_int_equal(ct_count(bed.ct), 0);
    assert_int_equal(ct_bed_look(&bed, 0, spec), NEW);
}

static void icmp(void **state)
{
    for (int ipv6 = 0; ipv6 < 2; ipv6++) {
        struct ct_spec request = {.ipv6 = ipv6,
                                  .proto = ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP,
                                  .src = 1,
                                  .dst = 2,
                                  .sport = 77,
                                  .icmp_type = ipv6 ? 128 : 8};
        struct ct_spec reply = spec_back(request);

        reply.icmp_type = ipv6 ? 129 : 0;
        assert_int_equal(ct_bed_commit(&bed, 0, reply), INV);
        assert_int_equal(bed.reason, CT_REASON_NO_CONNECTION);
        assert_int_equal(ct_bed_commit(&bed, 0, request), NEW);
        assert_int_equal(ct_bed_look(&bed, 0, request), NEW);
        assert_int_equal(left(), 60);
        assert_int_equal(ct_bed_look(&bed, 0, reply), EST_RPL);
        assert_int_equal(left(), 30);
        assert_int_equal(ct_bed_look(&bed, 0, request), EST);
        assert_int_equal(bed.meta.tp_src, rte_cpu_to_be_16(ipv6 ? 128 : 8));
        /* The other side's requests are others, whatever their identifier. */
        request = spec_back(request);
        assert_int_equal(ct_bed_look(&bed, 0, request), NEW);
        request.icmp_type = ipv6 ? 135 : 5; /* a neighbour solicitation, a redirect of nothing */
        assert_int_equal(ct_bed_look(&bed, 0, request), INV);
        ct_flush_zone(bed.ct, 0);
    }
}

static void icmp_errors(void **state)
{
    for (int ipv6 = 0; ipv6 < 2; ipv6++) {
        const struct ct_spec there = UDP(.ipv6 = ipv6), back = spec_back(there), other = UDP(.ipv6 = ipv6, .dport = 9);
        struct ct_spec error = {.ipv6 = ipv6,
                                .proto = ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP,
                                .src = 9, /* a router on the way */
                                .dst = 1,
                                .icmp_type = ipv6 ? 1 : 3,
                                .icmp_code = ipv6 ? 4 : 3,
                                .quoted = &there};

        assert_int_equal(ct_bed_look(&bed, 0, error), INV);
        assert_int_equal(bed.reason, CT_REASON_UNRELATED);
        ct_bed_commit(&bed, 0, there);
        assert_int_equal(ct_bed_look(&bed, 0, error), REL_RPL);
        assert_int_equal(bed.meta.tp_src, RTE_BE16(53));
        error.quoted = &other;
        assert_int_equal(ct_bed_look(&bed, 0, error), INV);
        error.quoted = &back;
        assert_int_equal(ct_bed_look(&bed, 0, error), INV); /* not to who sent the packet that it quotes */
        error.dst = 2;
        assert_int_equal(ct_bed_look(&bed, 0, error), REL);
        assert_int_equal(left(), 60); /* errors keep nothing alive */
        ct_flush_zone(bed.ct, 0);
    }
}

/* What an error quotes is found behind the same headers as what came. */
static void icmp_errors_about_packets_with_extension_headers(void **state)
{
    static const uint8_t extensions[] = {IPPROTO_HOPOPTS, IPPROTO_DSTOPTS, IPPROTO_ROUTING, IPPROTO_AH};

    for (size_t i = 0; i < sizeof extensions; i++) {
        const struct ct_spec there = UDP(.ipv6 = true, .extension = extensions[i]);
        const struct ct_spec error = {.ipv6 = true,
                                      .proto = IPPROTO_ICMPV6,
                                      .src = 9,
                                      .dst = 1,
                                      .icmp_type = 1,
                                      .icmp_code = 4,
                                      .quoted = &there};

        assert_int_equal(ct_bed_commit(&bed, 0, there), NEW);
        assert_int_equal(bed.meta.tp_src, RTE_BE16(53));
        assert_int_equal(ct_bed_look(&bed, 0, error), REL_RPL);
        ct_flush_zone(bed.ct, 0);
    }
}

static void sctp(void **state)
{
    const struct ct_spec there = {.proto = IPPROTO_SCTP, .src = 1, .dst = 2, .sport = 4000, .dport = 132};
    struct ct_spec spec = there;

#define SCTP_THERE(...)                                                                                                \
    (spec = (struct ct_spec){.proto = IPPROTO_SCTP, .src = 1, .dst = 2, .sport = 4000, .dport = 132, __VA_ARGS__})
#define SCTP_BACK(...) (SCTP_THERE(__VA_ARGS__), spec_back(spec))
    assert_int_equal(ct_bed_commit(&bed, 0, SCTP_THERE(.chunk = 1, .init_tag = 0xaa)), NEW);
    assert_int_equal(ct_bed_look(&bed, 0, SCTP_BACK(.chunk = 2, .tag = 0xbad, .init_tag = 0xbb)), INV);
    assert_int_equal(bed.reason, CT_REASON_SCTP_TAG);
    assert_int_equal(ct_bed_look(&bed, 0, SCTP_BACK(.chunk = 2, .tag = 0xaa, .init_tag = 0xbb)), EST_RPL);
    assert_int_equal(ct_bed_look(&bed, 0, SCTP_THERE(.chunk = 0, .tag = 0xbb)), EST);
    assert_int_equal(ct_bed_look(&bed, 0, SCTP_THERE(.chunk = 0, .tag = 0xaa)), INV);
    assert_int_equal(ct_bed_look(&bed, 0, SCTP_BACK(.chunk = 6, .tag = 0xbad)), INV);
    assert_int_equal(ct_bed_look(&bed, 0, SCTP_BACK(.chunk = 6, .tag = 0xbb, .chunk_flags = 1)), EST_RPL);
    assert_int_equal(left(), 30);
    assert_int_equal(ct_bed_commit(&bed, 0, SCTP_THERE(.chunk = 1, .init_tag = 0xcc)), NEW);
    assert_int_equal(ct_bed_look(&bed, 0, SCTP_BACK(.chunk = 2, .tag = 0xcc, .init_tag = 0xdd)), EST_RPL);
}

static void others_by_address(void **state)
{
    const struct ct_spec gre = {.proto = 47, .src = 1, .dst = 2};

    assert_int_equal(ct_bed_commit(&bed, 0, gre), NEW);
    assert_int_equal(ct_bed_look(&bed, 0, gre), NEW);
    assert_int_equal(ct_bed_look(&bed, 0, spec_back(gre)), EST_RPL);
    assert_int_equal(ct_bed_look(&bed, 0, gre), EST);
    assert_int_equal(ct_bed_look(&bed, 0, (struct ct_spec){.proto = 50, .src = 1, .dst = 2}), NEW);
}

static void bad_packets(void **state)
{
    const struct ct_request request = {.commit = true};
    const struct ct_spec spec = UDP(.len = 20);
    struct ct_meta *meta = &bed.meta;
    uint8_t *data = rte_pktmbuf_mtod(bed.m, uint8_t *);
    static const struct {
        uint16_t at;
        uint8_t bits;
        enum ct_reason reason;
    } faults[] = {{14 + 8, 1, CT_REASON_CHECKSUM},                                      /* TTL */
                  {14 + 20, 1, CT_REASON_CHECKSUM},                                     /* a port */
                  {14 + 47, 1, CT_REASON_CHECKSUM},                                     /* the last byte */
                  {14 + 6, 0x20, CT_REASON_CHECKSUM},                                   /* it were a fragment */
                  {14 + 7, 1, CT_REASON_CHECKSUM},    {14 + 24, 0x10, CT_REASON_SHORT}, /* length of UDP */
                  {14 + 0, 0x10, CT_REASON_SHORT},    {12, 1, CT_REASON_NOT_IP}};

    for (size_t i = 0; i < RTE_DIM(faults); i++) {
        spec_to_mbuf(&spec, bed.m);
        data[faults[i].at] ^= faults[i].bits;
        bed.reason = 0;
        ct_run(bed.ct, 0, bed.now, &request, &bed.m, 1, &meta, &bed.reason);
        assert_int_equal(bed.meta.state, INV);
        assert_int_equal(bed.reason, faults[i].reason);
    }
    /* Cut short anywhere. */
    for (uint16_t len = 14; len < 14 + 48; len++) {
        spec_to_mbuf(&spec, bed.m);
        bed.m->data_len = len;
        bed.m->pkt_len = len;
        bed.reason = 0;
        ct_run(bed.ct, 0, bed.now, &request, &bed.m, 1, &meta, &bed.reason);
        assert_int_equal(bed.meta.state, INV);
    }
    assert_int_equal(ct_count(bed.ct), 0);

    /* What the device says of checksums counts. */
    spec_to_mbuf(&spec, bed.m);
    data[14 + 47] ^= 1;
    bed.m->ol_flags = RTE_MBUF_F_RX_L4_CKSUM_GOOD;
    ct_run(bed.ct, 0, bed.now, &request, &bed.m, 1, &meta, &bed.reason);
    assert_int_equal(bed.meta.state, NEW);
}

static void zones(void **state)
{
    assert_int_equal(ct_bed_commit(&bed, 5, UDP()), NEW);
    assert_int_equal(ct_bed_commit(&bed, 65535, UDP()), NEW);
    assert_int_equal(ct_bed_look(&bed, 6, UDP()), NEW);
    assert_int_equal(ct_zone_count(bed.ct, 5), 1);
    assert_int_equal(ct_zone_count(bed.ct, 6), 0);
    ct_flush_zone(bed.ct, 5);
    assert_int_equal(ct_zone_count(bed.ct, 5), 0);
    assert_int_equal(ct_bed_look(&bed, 5, UDP()), NEW);
    assert_int_equal(ct_bed_look(&bed, 65535, spec_back(UDP())), EST_RPL);
    assert_int_equal(ct_count(bed.ct), 2);
    ct_bed_work(&bed);
    assert_int_equal(ct_count(bed.ct), 1);
    ct_flush_all(bed.ct);
    assert_int_equal(ct_bed_look(&bed, 65535, UDP()), NEW);
}

static void marks_and_labels(void **state)
{
    struct ct_request request = {.commit = true, .mark = 0x1234, .mark_mask = 0xffff, .set_label = true};
    const struct ct_spec spec = UDP();
    uint8_t label[CT_LABEL_LEN] = {0};

    request.label[15] = 0xff;
    request.label_mask[15] = 0x0f;
    label[15] = 0x0f;
    assert_int_equal(ct_bed_request(&bed, &request, &spec), NEW);
    assert_int_equal(bed.meta.mark, 0x1234);
    assert_int_equal(ct_bed_look(&bed, 0, spec_back(spec)), EST_RPL);
    assert_int_equal(bed.meta.mark, 0x1234);
    assert_memory_equal(bed.meta.label, label, sizeof label);

    request = (struct ct_request){.commit = true, .mark = 0xabcd0000, .mark_mask = 0xff000000, .set_label = true};
    request.label[0] = 0x80;
    request.label_mask[0] = 0xff;
    label[0] = 0x80;
    ct_bed_request(&bed, &request, &spec);
    ct_bed_look(&bed, 0, spec);
    assert_int_equal(bed.meta.mark, 0xab001234);
    assert_memory_equal(bed.meta.label, label, sizeof label);
}

static void force(void **state)
{
    const struct ct_spec spec = UDP(), back = spec_back(spec);

    ct_bed_commit(&bed, 0, spec);
    assert_int_equal(ct_bed_commit(&bed, 0, back), EST_RPL);
    assert_int_equal(ct_bed_request(&bed, &(struct ct_request){.commit = true, .force = true}, &spec), EST);
    assert_int_equal(ct_bed_request(&bed, &(struct ct_request){.commit = true, .force = true}, &back), NEW);
    assert_int_equal(ct_bed_look(&bed, 0, spec), EST_RPL);
    assert_int_equal(ct_bed_look(&bed, 0, back), EST);
    ct_bed_work(&bed);
    assert_int_equal(ct_count(bed.ct), 1);
}

/* Another packet of the zone's only connection, if that is still there. */
static bool goes_on(uint16_t zone)
{
    ct_bed_look(&bed, zone, UDP());
    ct_bed_work(&bed);
    return ct_zone_count(bed.ct, zone) == 1;
}

static void timeouts_of_zone(uint16_t zone, uint32_t seconds[CT_N_TIMEOUTS])
{
    memcpy(seconds, bed.ct->zone_policies[zone]->seconds, CT_N_TIMEOUTS * sizeof *seconds);
}

static void timeouts(void **state)
{
    uint32_t seconds[CT_N_TIMEOUTS];

    ct_bed_commit(&bed, 0, UDP());
    bed.now += 60;
    assert_true(goes_on(0));
    bed.now += 60;
    assert_true(goes_on(0));
    bed.now += 61;
    assert_false(goes_on(0));

    ct_set_zone_timeouts(bed.ct, 9, (const uint32_t[CT_N_TIMEOUTS]){[CT_UDP_FIRST] = 5});
    ct_bed_commit(&bed, 9, UDP());
    ct_bed_commit(&bed, 8, UDP());
    bed.now += 6;
    assert_false(goes_on(9));
    assert_true(goes_on(8));

    /* A zone's other timeouts are the default's, also when that changes; so are all that it gives back. */
    timeouts_of_zone(9, seconds);
    assert_int_equal(seconds[CT_TCP_ESTABLISHED], 86400);
    seconds[CT_TCP_ESTABLISHED] = 7200;
    seconds[CT_UDP_FIRST] = 40;
    ct_set_default_timeouts(bed.ct, seconds);
    timeouts_of_zone(9, seconds);
    assert_int_equal(seconds[CT_TCP_ESTABLISHED], 7200);
    assert_int_equal(seconds[CT_UDP_FIRST], 5);
    ct_set_zone_timeouts(bed.ct, 9, (const uint32_t[CT_N_TIMEOUTS]){0});
    timeouts_of_zone(9, seconds);
    assert_int_equal(seconds[CT_UDP_FIRST], 40);
}

/* The wheel comes to a connection within a second of its end, whenever that was decided. */
static void wheel_is_exact(void **state)
{
    tcp_open(false);
    for (unsigned i = 0; i < 3000; i++) {
        bed.now++;
        ct_bed_work(&bed);
        assert_int_equal(ct_count(bed.ct), 1);
    }
    ct_bed_look(&bed, 0, TCP_BACK(.flags = RST, .seq = 501)); /* 86400 become 30 */
    for (unsigned i = 0; i < 30; i++) {
        bed.now++;
        ct_bed_work(&bed);
        assert_int_equal(ct_count(bed.ct), 1);
    }
    bed.now += 2;
    ct_bed_work(&bed);
    assert_int_equal(ct_count(bed.ct), 0);
}

/* What timed out is found by nothing, and counts until the interval is over. */
static void sweep_interval(void **state)
{
    ct_bed_work(&bed);
    ct_set_sweep_interval(bed.ct, 99001); /* as 100 s */
    bed.now++;
    ct_bed_commit(&bed, 0, UDP());
    ct_bed_work(&bed);
    bed.now += 62;
    ct_bed_work(&bed);
    assert_int_equal(ct_count(bed.ct), 1);
    assert_int_equal(ct_bed_look(&bed, 0, UDP()), NEW);
    assert_int_equal(left(), -1);
    bed.now += 36;
    ct_bed_work(&bed);
    assert_int_equal(ct_count(bed.ct), 1);
    bed.now++;
    ct_bed_work(&bed);
    assert_int_equal(ct_count(bed.ct), 0);
}

static void rates(void **state)
{
    struct ct_rates rates;

    ct_rates(bed.ct, bed.now, &rates);
    assert_int_equal(rates.seconds, 0);
    ct_bed_commit(&bed, 0, UDP());
    ct_bed_commit(&bed, 0, UDP(.dport = 1));
    bed.now += 4;
    ct_rates(bed.ct, bed.now, &rates);
    assert_int_equal(rates.seconds, 4);
    assert_true(rates.created == 0.5 && rates.removed == 0);
    ct_flush_all(bed.ct);
    ct_bed_work(&bed);
    bed.now += 4; /* 8 s since the first sample, which stays */
    ct_rates(bed.ct, bed.now, &rates);
    assert_int_equal(rates.seconds, 8);
    assert_true(rates.created == 0.25 && rates.removed == 0.25);
    bed.now += 5; /* only what is newer than the second sample */
    ct_rates(bed.ct, bed.now, &rates);
    assert_int_equal(rates.seconds, 5);
    assert_true(rates.created == 0 && rates.removed == 0);
}

static void limits(void **state)
{
    ct_set_zone_limit(bed.ct, 3, 5);
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(ct_bed_commit(&bed, 3, UDP(.sport = i)), NEW);
        assert_int_equal(bed.reason, i < 5 ? CT_REASON_NONE : CT_REASON_ZONE_LIMIT);
    }
    assert_int_equal(ct_bed_look(&bed, 3, UDP(.sport = 9)), NEW);
    ct_flush_zone(bed.ct, 3);
    assert_int_equal(ct_bed_commit(&bed, 3, UDP(.sport = 9)), NEW);
    assert_int_equal(bed.reason, CT_REASON_NONE);
    ct_bed_work(&bed);

    ct_set_max(bed.ct, 100);
    for (unsigned i = 0; i < 200; i++) {
        ct_bed_commit(&bed, 0, UDP(.sport = i));
        assert_int_equal(bed.reason, i < 99 ? CT_REASON_NONE : CT_REASON_TABLE_FULL);
    }
    assert_int_equal(ct_bed_look(&bed, 0, spec_back(UDP(.sport = 98))), EST_RPL);
    struct ct_stats stats;
    ct_stats(bed.ct, &stats);
    assert_int_equal(stats.reasons[CT_REASON_TABLE_FULL], 101);
    assert_int_equal(stats.reasons[CT_REASON_ZONE_LIMIT], 5);
}

/* A flood of first segments fills the table. Connections that are there go on, and new ones get their turn when what
 * the flood left has timed out. */
static void a_flood_of_syns(void **state)
{
    struct ct_stats stats;

    ct_set_max(bed.ct, 100);
    tcp_open(false);
    for (unsigned second = 0; second < 120; second++) {
        for (uint32_t i = 0; i < 50; i++)
            ct_bed_commit(&bed, 0, TCP(.src = 3 + i, .sport = (uint16_t)second, .flags = SYN));
        assert_int_equal(ct_bed_look(&bed, 0, TCP(.flags = ACK, .seq = 101, .ack = 501)), EST);
        assert_int_equal(ct_bed_look(&bed, 0, TCP_BACK(.flags = ACK, .seq = 501, .ack = 101)), EST_RPL);
        bed.now++;
        ct_bed_work(&bed);
    }
    ct_stats(bed.ct, &stats);
    assert_true(stats.created > 300);
    assert_int_equal(stats.created + stats.reasons[CT_REASON_TABLE_FULL], 1 + 120 * 50);
    bed.now += 31;
    ct_bed_work(&bed);
    assert_int_equal(ct_count(bed.ct), 1);
}

/* Every number and every entry of the directory comes back, in a table that is full all the time. */
static void used_again(void **state)
{
    for (unsigned round = 0; round < 100; round++) {
        for (unsigned i = 0; i < 1000; i++) {
            ct_bed_commit(&bed, 0, UDP(.ipv6 = i & 1, .sport = i, .dport = round));
            assert_int_equal(bed.reason, CT_REASON_NONE);
        }
        for (unsigned i = 0; i < 1000; i++)
            assert_int_equal(ct_bed_look(&bed, 0, spec_back(UDP(.ipv6 = i & 1, .sport = i, .dport = round))), EST_RPL);
        bed.now += 31 + round % 3 * 200;
        ct_bed_work(&bed);
        assert_int_equal(ct_count(bed.ct), 0);
        assert_int_equal(ct_zone_count(bed.ct, 0), 0);
    }
    struct ct_stats stats;
    ct_stats(bed.ct, &stats);
    assert_int_equal(stats.created, 100000);
    assert_int_equal(stats.removed, 100000);
}

/* A number is not another connection's while a thread may still hold it. */
static void grace_period(void **state)
{
    struct ct_stats stats;

    rcu_online(bed.rcu, 0, rcu_observe(bed.rcu));
    ct_set_max(bed.ct, 1000);
    for (unsigned i = 0; i < 1000; i++)
        ct_bed_commit(&bed, 0, UDP(.sport = i));
    bed.now += 100;
    for (unsigned i = 0; i < 1000; i++)
        ct_work(bed.ct, bed.now, 100);
    assert_int_equal(ct_count(bed.ct), 0); /* taken out, not free */
    ct_stats(bed.ct, &stats);
    assert_int_equal(stats.removed, 1000);
    for (unsigned i = 0; i < 1000; i++) {
        assert_int_equal(ct_bed_commit(&bed, 0, UDP(.sport = i, .dport = 7)), NEW);
        assert_int_equal(bed.reason, CT_REASON_NONE);
    }
    rcu_publish(bed.rcu, 0, rcu_observe(bed.rcu));
    ct_bed_work(&bed);
    rcu_offline(bed.rcu, 0);
    assert_int_equal(ct_count(bed.ct), 1000);
}

static void all_are_shown(void **state)
{
    bool seen[300] = {false};
    struct ct_info info;
    uint32_t cursor = 0;
    unsigned n = 0;

    for (unsigned i = 0; i < 300; i++)
        ct_bed_commit(&bed, (uint16_t)i, UDP(.sport = i, .ipv6 = i & 1));
    for (;;) {
        if (ct_next(bed.ct, bed.now, &cursor, 7, &info)) {
            assert_false(seen[info.zone]);
            seen[info.zone] = true;
            assert_int_equal(rte_be_to_cpu_16(info.orig.sport), info.zone);
            assert_int_equal(info.reply.dport, info.orig.sport);
            assert_memory_equal(info.reply.src, info.orig.dst, 16);
            n++;
        } else if (cursor == 0) {
            break;
        }
    }
    assert_int_equal(n, 300);
}

/* The first packets of a connection in one burst, with the same action. */
static void zones_have_the_default_limit(void **state)
{
    ct_set_default_limit(bed.ct, 2);
    ct_set_zone_limit(bed.ct, 1, 3);
    for (uint16_t zone = 0; zone < 2; zone++) {
        for (unsigned i = 0; i < 5; i++) {
            assert_int_equal(ct_bed_commit(&bed, zone, UDP(.sport = 1 + i)), NEW);
            assert_int_equal(bed.reason, i < 2u + zone ? CT_REASON_NONE : CT_REASON_ZONE_LIMIT);
        }
    }
    assert_false(ct_zone_has_limit(bed.ct, 0));
    assert_true(ct_zone_has_limit(bed.ct, 1));
    ct_unset_zone_limit(bed.ct, 1);
    assert_int_equal(ct_zone_limit(bed.ct, 1), 2);
    ct_set_default_limit(bed.ct, 0);
    ct_bed_commit(&bed, 1, UDP(.sport = 9));
    assert_int_equal(bed.reason, CT_REASON_NONE);
}

static unsigned count_all(void)
{
    struct ct_info info;
    uint32_t cursor = 0;
    unsigned n = 0;

    while (ct_next(bed.ct, bed.now, &cursor, UINT32_MAX, &info))
        n++;
    return n;
}

/* UDP from 1 to 3 ports to 1 to 3 ports in two zones, over IPv4 and IPv6. */
static void commit_many(void)
{
    for (unsigned i = 0; i < 36; i++)
        ct_bed_commit(&bed, (uint16_t)(i / 18),
                      UDP(.ipv6 = i / 9 & 1, .sport = (uint16_t)(1 + i % 9 / 3), .dport = (uint16_t)(11 + i % 3)));
    assert_int_equal(count_all(), 36);
}

static void flushed_by_what_they_are(void **state)
{
    static const struct {
        struct ct_match match;
        unsigned left;
    } flushes[] = {
        {{.proto = IPPROTO_UDP, .orig = {.sport = RTE_BE16(2)}}, 24},
        {{.proto = IPPROTO_UDP, .orig = {.sport = RTE_BE16(2)}, .in_zone = true, .zone = 1}, 30},
        {{.proto = IPPROTO_UDP, .ip_version = 4, .orig = {.src = {10, 0, 0, 1}}, .reply = {.sport = RTE_BE16(13)}}, 30},
        {{.proto = IPPROTO_UDP, .ip_version = 4, .orig = {.src = {10, 0, 0, 2}}}, 36}, /* nobody began from there */
        {{.proto = IPPROTO_TCP}, 36},
        {{.in_zone = true, .zone = 1}, 18},
        {{.zone = 0}, 0},
        /* Whole tuples are those of either direction, of zone 0 if none is given. */
        {{.proto = IPPROTO_UDP,
          .ip_version = 4,
          .orig = {.src = {10, 0, 0, 2}, .dst = {10, 0, 0, 1}, .sport = RTE_BE16(12), .dport = RTE_BE16(3)}},
         35},
        {{.mark = 1, .mark_mask = 1}, 36},
        {{.mark = 0, .mark_mask = 1}, 0},
        {{.label = {[15] = 1}, .label_mask = {[15] = 1}}, 36},
    };

    for (size_t i = 0; i < RTE_DIM(flushes); i++) {
        commit_many();
        ct_flush_matching(bed.ct, bed.now, &flushes[i].match);
        assert_int_equal(count_all(), flushes[i].left);
        ct_flush_all(bed.ct);
        ct_bed_work(&bed);
    }
}

/* More than are looked at in one go: the rest in ct_work(). */
static void flushed_by_and_by(void **state)
{
    const struct ct_match match = {.proto = IPPROTO_UDP, .ip_version = 4};

    ct_bed_free(&bed);
    bed = ct_bed_new(pool, 60000, 1);
    for (unsigned i = 0; i < 50000; i++)
        ct_bed_commit(&bed, 0, UDP(.src = 1 + (i >> 15), .sport = (uint16_t)(i & 0x7fff), .ipv6 = i % 5 == 0));
    ct_flush_matching(bed.ct, bed.now, &match);
    assert_true(count_all() > 10000);
    ct_bed_work(&bed);
    assert_int_equal(count_all(), 10000);
    assert_int_equal(ct_count(bed.ct), 10000);
}

static void one_burst(void **state)
{
    const struct ct_request request = {.commit = true};
    struct rte_mbuf *packets[40];
    struct ct_meta metas[40], *to[40];
    uint8_t reasons[40] = {0};

    for (unsigned i = 0; i < 40; i++) {
        const struct ct_spec spec = UDP(.sport = i / 4);
        const struct ct_spec sent = i & 1 ? spec_back(spec) : spec;

        packets[i] = rte_pktmbuf_alloc(pool);
        spec_to_mbuf(&sent, packets[i]);
        to[i] = &metas[i];
    }
    ct_run(bed.ct, 0, bed.now, &request, packets, 40, to, reasons);
    for (unsigned i = 0; i < 40; i++)
        assert_int_equal(metas[i].state, i % 4 == 0 ? NEW : i & 1 ? EST_RPL : EST);
    assert_int_equal(ct_count(bed.ct), 10);
    rte_pktmbuf_free_bulk(packets, 40);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(tcp_opens_and_closes),
        CASE(tcp_out_of_window),
        CASE(tcp_window_scale),
        CASE(tcp_picked_up),
        CASE(tcp_flags),
        CASE(udp),
        CASE(to_itself),
        CASE(icmp),
        CASE(icmp_errors),
        CASE(icmp_errors_about_packets_with_extension_headers),
        CASE(sctp),
        CASE(others_by_address),
        CASE(bad_packets),
        CASE(zones),
        CASE(marks_and_labels),
        CASE(force),
        CASE(timeouts),
        CASE(wheel_is_exact),
        CASE(sweep_interval),
        CASE(rates),
        CASE(limits),
        CASE(a_flood_of_syns),
        CASE(used_again),
        CASE(grace_period),
        CASE(all_are_shown),
        CASE(one_burst),
        CASE(zones_have_the_default_limit),
        CASE(flushed_by_what_they_are),
        CASE(flushed_by_and_by),
    };

    if (test_eal_init("ct_test") != 0 || !(pool = test_pool(255)))
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
