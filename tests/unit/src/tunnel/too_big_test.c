/* Messages to senders of packets that are too long for a tunnel: what they say, and who gets none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "src/tunnel/too_big.h"
#include "tests/lib/eal.h"
#include "tests/lib/packets.h"

static struct rte_mempool *pool;

/* The packet, with more behind it so that it has `len` bytes; what its headers say of lengths follows. */
static struct rte_mbuf *long_packet(const char *hex, uint32_t len, unsigned l3, bool ipv4)
{
    struct rte_mbuf *m = packet_new(pool, hex);
    uint8_t *data = rte_pktmbuf_mtod(m, uint8_t *);
    const uint16_t ip_len = (uint16_t)(len - l3 - (ipv4 ? 0 : 40));
    const rte_be16_t ip_len_be = rte_cpu_to_be_16(ip_len);

    memset(rte_pktmbuf_append(m, (uint16_t)(len - m->pkt_len)), 'x', len - m->pkt_len);
    memcpy(data + l3 + (ipv4 ? 2 : 4), &ip_len_be, sizeof ip_len_be);
    packet_fill_checksums(m);
    return m;
}

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)packet_be16(p) << 16 | packet_be16(p + 2);
}

#define DF_UDP MACS "0800" IP4("0020", "4000", "11") "0035 1f90 000c ffff 01020304"
#define DF_UDP_QINQ MACS "88a8 0064 8100 e0c8 0800" IP4("0020", "4000", "11") "0035 1f90 000c ffff 01020304"

static void ipv4_is_told_the_mtu_that_it_has(void **state)
{
    struct rte_mbuf *m = long_packet(DF_UDP, 1514, 14, true);
    uint8_t quoted[256], *data;

    memcpy(quoted, rte_pktmbuf_mtod_offset(m, uint8_t *, 14), sizeof quoted);
    assert_true(too_big_answer(m, 1464, true));
    data = rte_pktmbuf_mtod(m, uint8_t *);
    /* Back to where it came from, from where it was to go. */
    assert_memory_equal(data, "\x02\0\0\0\0\x01\x02\0\0\0\0\x02\x08\0", 14);
    assert_int_equal(be32(data + 14 + 12), 0x0a000002);
    assert_int_equal(be32(data + 14 + 16), 0x0a000001);
    assert_int_equal(m->pkt_len, 14 + 576);
    assert_int_equal(packet_be16(data + 16), 576);
    assert_int_equal(data[34], 3);
    assert_int_equal(data[35], 4);
    assert_int_equal(packet_be16(data + 34 + 6), 1464 - 14);
    assert_memory_equal(data + 42, quoted, sizeof quoted);
    assert_int_equal(packet_sum(0, data + 14, 20), 0xffff);
    assert_int_equal(packet_sum(0, data + 34, m->pkt_len - 34), 0xffff);
    rte_pktmbuf_free(m);
}

static void tags_stay_and_take_room(void **state)
{
    struct rte_mbuf *m = long_packet(DF_UDP_QINQ, 200, 22, true);
    uint8_t *data;

    assert_true(too_big_answer(m, 164, true));
    data = rte_pktmbuf_mtod(m, uint8_t *);
    assert_memory_equal(data + 12, "\x88\xa8\0\x64\x81\0\xe0\xc8\x08\0\x45", 11);
    assert_int_equal(packet_be16(data + 22 + 20 + 6), 164 - 22);
    assert_int_equal(m->pkt_len, 200 + 28);
    rte_pktmbuf_free(m);
    /* Where they do not go into the tunnel, they take none. */
    m = long_packet(DF_UDP_QINQ, 200, 22, true);
    assert_true(too_big_answer(m, 164, false));
    assert_int_equal(packet_be16(rte_pktmbuf_mtod_offset(m, uint8_t *, 22 + 20 + 6)), 164);
    rte_pktmbuf_free(m);
}

static void ipv6_is_told(void **state)
{
    struct rte_mbuf *m = long_packet(FRAME_TCP6, 1514, 14, false);
    uint8_t *data;

    assert_true(too_big_answer(m, 1464, true));
    data = rte_pktmbuf_mtod(m, uint8_t *);
    assert_int_equal(m->pkt_len, 14 + 1280);
    assert_int_equal(data[14] >> 4, 6);
    assert_int_equal(data[14 + 6], IPPROTO_ICMPV6);
    assert_int_equal(data[14 + 8 + 15], 2);  /* from its addressee */
    assert_int_equal(data[14 + 24 + 15], 1); /* to its sender */
    assert_int_equal(data[54], 2);
    assert_int_equal(be32(data + 58), 1450);
    assert_true(packet_checksums_right(m));
    rte_pktmbuf_free(m);
}

/* Of a chain the first segment is quoted. */
static void segments_are_cut_off(void **state)
{
    struct rte_mbuf *m = packet_split(pool, long_packet(DF_UDP, 1000, 14, true), 300);

    assert_true(m->nb_segs > 1);
    assert_true(too_big_answer(m, 900, true));
    assert_int_equal(m->nb_segs, 1);
    assert_int_equal(m->pkt_len, 300 + 28);
    assert_int_equal(packet_sum(0, rte_pktmbuf_mtod_offset(m, uint8_t *, 34), m->pkt_len - 34), 0xffff);
    rte_pktmbuf_free(m);
}

static void who_gets_none(void **state)
{
    static const char *const hex[] = {
        FRAME_UDP, /* may be cut */
        FRAME_ARP,
        FRAME_MPLS,
        FRAME_LLC,
        FRAME_SNAP,
        MACS "0800" IP4("0024", "6001", "06") "01020304050607080910111213141516", /* a later fragment */
        MACS "0800" IP4("001f", "4000", "01") "03 04 0000 00000500 616263",       /* an error itself */
        MACS "0800" IP4("001f", "4000", "01") "05 00 0000 0a000009 616263",
        MACS "0800 45b8002000004000 40110000 00000000 0a000002 0035 1f90 000c ffff 01020304", /* nobody */
        MACS "0800 45b8002000004000 40110000 0a000001 e0000001 0035 1f90 000c ffff 01020304", /* many */
        MACS "0800 45b8002000004000 40110000 7f000001 0a000002 0035 1f90 000c ffff 01020304",
        "ffffffffffff 020000000001 0800" IP4("0020", "4000", "11") "0035 1f90 000c ffff 01020304",
        MACS "86dd" IP6("0008", "3a") "01 00 0000 00000000", /* an error */
        MACS "86dd" IP6("0008", "3a") "89 00 0000 00000000", /* a redirect */
        MACS "86dd 60000000 0008 11 40 00000000000000000000000000000000 20010db8000000000000000000000002"
             "0035 1f90 0008 ffff",
        MACS "86dd 60000000 0008 11 40 20010db8000000000000000000000002 ff020000000000000000000000000001"
             "0035 1f90 0008 ffff",
    };

    for (size_t i = 0; i < sizeof hex / sizeof *hex; i++) {
        struct rte_mbuf *m = packet_new(pool, hex[i]);
        uint8_t before[256];
        const uint32_t len = m->pkt_len;

        memcpy(before, rte_pktmbuf_mtod(m, void *), len);
        if (too_big_answer(m, 1400, true))
            fail_msg("%s: answered", hex[i]);
        assert_int_equal(m->pkt_len, len);
        assert_memory_equal(rte_pktmbuf_mtod(m, void *), before, len);
        rte_pktmbuf_free(m);
    }
}

/* An answer is none to answer. */
static void no_packet_makes_it_fail(void **state)
{
    srandom(1);
    for (unsigned round = 0; round < 20000; round++) {
        struct rte_mbuf *m = packet_new(pool, frames[random() % N_FRAMES]);
        uint8_t *data = rte_pktmbuf_mtod(m, uint8_t *);

        for (long n = random() % 8; n > 0; n--)
            data[random() % m->data_len] = (uint8_t)random();
        if (random() % 4 == 0)
            rte_pktmbuf_trim(m, (uint16_t)(random() % m->data_len));
        if (m->data_len >= RTE_ETHER_HDR_LEN && too_big_answer(m, (uint16_t)random(), random() % 2)) {
            assert_true(m->pkt_len <= 14 + 8 + 1280);
            assert_false(too_big_answer(m, 1000, true));
        }
        rte_pktmbuf_free(m);
    }
    assert_int_equal(rte_mempool_in_use_count(pool), 0);
}

static int set_up_all(void **state)
{
    if (test_eal_init("too_big_test"))
        return -1;
    pool = test_pool(1023);
    return pool ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ipv4_is_told_the_mtu_that_it_has),
        cmocka_unit_test(tags_stay_and_take_room),
        cmocka_unit_test(ipv6_is_told),
        cmocka_unit_test(segments_are_cut_off),
        cmocka_unit_test(who_gets_none),
        cmocka_unit_test(no_packet_makes_it_fail),
    };

    return cmocka_run_group_tests(tests, set_up_all, NULL);
}
