/* Segments that are merged for a guest: cut again they are what they were, byte for byte and in their order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <rte_tcp.h>
#include <stdlib.h>

#include "pmd/offload.h"
#include "pmd/offload_merge.h"
#include "pmd/vnet.h"
#include "tests/lib/eal.h"
#include "tests/lib/packets.h"
#include "tests/lib/unfinished.h"

#define POOL_SIZE 4095
#define BURST 64
#define MSS 1000

static struct rte_mempool *pool;

static int teardown(void **state)
{
    return rte_mempool_avail_count(pool) == POOL_SIZE ? 0 : -1;
}

/* What goes out for a packet, finished; returns how many. */
static unsigned cut(struct rte_mbuf *m, struct rte_mbuf **out)
{
    struct offload_cut cut = offload_cut_begin(m, pool);
    unsigned n = 0;

    while ((m = offload_cut_next(&cut)))
        out[n++] = m;
    assert_false(cut.failed);
    return n;
}

/* The segments of a stream's `payload` bytes; `port` instead of the source port of `hex`. */
static unsigned segments(const char *hex, uint32_t payload, uint16_t port, struct rte_mbuf **out)
{
    struct virtio_net_hdr header;
    struct rte_mbuf *m = unfinished_packet(pool, hex, payload, MSS, &header);
    const rte_be16_t be = rte_cpu_to_be_16(port);

    memcpy(rte_pktmbuf_mtod_offset(m, void *, header.csum_start), &be, sizeof be);
    /* The first flags are ACK alone: others are not merged. */
    rte_pktmbuf_mtod_offset(m, struct rte_tcp_hdr *, header.csum_start)->tcp_flags = RTE_TCP_ACK_FLAG;
    assert_true(vnet_mark(&header, 0, m));
    return cut(m, out);
}

static uint32_t bytes_of(const struct rte_mbuf *m, uint8_t *data)
{
    const void *at = rte_pktmbuf_read(m, 0, m->pkt_len, data);

    if (at != data)
        memcpy(data, at, m->pkt_len);
    return m->pkt_len;
}

/* The packets of one connection or of none: those that have the same source port where TCP's would be. */
static uint16_t port_of(const struct rte_mbuf *m)
{
    const uint8_t *data = rte_pktmbuf_mtod(m, const uint8_t *);

    return packet_be16(data + (data[12] == 0x86 ? 14 + 40 : 14 + 20));
}

/* Merges copies of `packets` and compares what is cut of them with the packets. Returns how many there were merged. */
static unsigned merge_and_compare(struct rte_mbuf **packets, unsigned n, uint8_t takes)
{
    static uint8_t one[3000], two[3000];
    struct rte_mbuf *merged[BURST], *again[4 * BURST];
    unsigned n_merged, n_again = 0;

    for (unsigned i = 0; i < n; i++)
        assert_non_null(merged[i] = packet_copy_behind(packets[i], pool, 0));
    n_merged = offload_merge(merged, n, takes);
    for (unsigned i = 0; i < n_merged; i++) {
        if (offload_segmented(merged[i]))
            assert_true(offload_is_plain(merged[i]));
        n_again += cut(merged[i], again + n_again);
    }
    assert_int_equal(n_again, n);
    for (unsigned i = 0; i < n; i++) { /* each connection for itself */
        unsigned k = 0;

        while (!again[k] || port_of(again[k]) != port_of(packets[i]))
            assert_true(++k < n_again);
        assert_int_equal(bytes_of(packets[i], one), bytes_of(again[k], two));
        assert_memory_equal(one, two, packets[i]->pkt_len);
        rte_pktmbuf_free(again[k]);
        again[k] = NULL;
    }
    return n_merged;
}

static void segments_become_one_packet(void **state)
{
    static const char *const hex[] = {UNFINISHED_TCP4, UNFINISHED_TCP6};

    for (unsigned v6 = 0; v6 < 2; v6++) {
        struct rte_mbuf *packets[BURST];
        const unsigned n = segments(hex[v6], 20 * MSS + 1, 1000, packets);

        assert_int_equal(n, 21);
        assert_int_equal(merge_and_compare(packets, n, OFFLOAD_TAKES_ALL), 1);
        /* Not for a port that does not take it. */
        assert_int_equal(merge_and_compare(packets, n, OFFLOAD_TAKES_CHECKSUM), n);
        assert_int_equal(
            merge_and_compare(packets, n, OFFLOAD_TAKES_CHECKSUM | (v6 ? OFFLOAD_TAKES_TCP4 : OFFLOAD_TAKES_TCP6)), n);
        rte_pktmbuf_free_bulk(packets, n);
    }
}

static void connections_side_by_side(void **state)
{
    struct rte_mbuf *packets[BURST], *one[BURST], *two[BURST];
    unsigned n = segments(UNFINISHED_TCP4, 10 * MSS, 1000, one);

    assert_int_equal(segments(UNFINISHED_TCP4, 10 * MSS, 1001, two), n);
    for (unsigned i = 0; i < n; i++) {
        packets[2 * i] = one[i];
        packets[2 * i + 1] = two[i];
    }
    assert_int_equal(merge_and_compare(packets, 2 * n, OFFLOAD_TAKES_ALL), 2);
    rte_pktmbuf_free_bulk(packets, 2 * n);
}

/* A byte of the packet is another one; `right`: and its checksums are made anew. */
static void change(struct rte_mbuf *m, uint32_t at, uint8_t value, bool right)
{
    *rte_pktmbuf_mtod_offset(m, uint8_t *, at) ^= value;
    if (right)
        packet_fill_checksums(m);
}

/* Ten segments of which the fifth is changed: into how many packets they are merged. */
static void what_does_not_fit_stays_apart(void **state)
{
    static const struct {
        uint32_t at;
        uint8_t value;
        bool right;
        unsigned merged;
    } cases[] = {
        {14 + 20 + 20 + 500, 1, false, 3},         /* payload: a wrong checksum is left to the guest to see */
        {14 + 20 + 20 + 500, 1, true, 1},          /* payload */
        {14 + 10, 1, false, 3},                    /* IPv4's checksum */
        {14 + 1, 0x03, true, 3},                   /* congestion experienced */
        {14 + 8, 1, true, 3},                      /* TTL */
        {14 + 5, 0x80, true, 3},                   /* identification */
        {14 + 6, 0x40, true, 3},                   /* may be fragmented */
        {0, 2, true, 3},                           /* Ethernet address */
        {14 + 20 + 4, 1, true, 3},                 /* sequence number */
        {14 + 20 + 8, 1, true, 3},                 /* acknowledgement */
        {14 + 20 + 14, 1, true, 3},                /* window */
        {14 + 20 + 13, RTE_TCP_PSH_FLAG, true, 2}, /* ends a packet */
        {14 + 20 + 13, RTE_TCP_FIN_FLAG, true, 3},
        {14 + 20 + 13, RTE_TCP_ECE_FLAG, true, 3},
    };

    for (unsigned i = 0; i < RTE_DIM(cases); i++) {
        struct rte_mbuf *packets[BURST];
        const unsigned n = segments(UNFINISHED_TCP4, 10 * MSS, 1000, packets);

        change(packets[4], cases[i].at, cases[i].value, cases[i].right);
        assert_int_equal(merge_and_compare(packets, n, OFFLOAD_TAKES_ALL), cases[i].merged);
        rte_pktmbuf_free_bulk(packets, n);
    }
}

static void packets_that_others_have_are_left_alone(void **state)
{
    struct rte_mbuf *packets[BURST];
    const unsigned n = segments(UNFINISHED_TCP4, 3 * MSS, 1000, packets);

    rte_mbuf_refcnt_update(packets[1], 1);
    assert_int_equal(offload_merge(packets, n, OFFLOAD_TAKES_ALL), 3);
    assert_int_equal(packets[0]->nb_segs, 1);
    rte_mbuf_refcnt_update(packets[1], -1);
    rte_pktmbuf_free_bulk(packets, n);
}

/* SEED and ROUNDS. */
static void any_burst_is_what_it_was(void **state)
{
    static const char *const hex[] = {UNFINISHED_TCP4, UNFINISHED_TCP6};
    const char *seed = getenv("SEED"), *text = getenv("ROUNDS");
    const int rounds = text ? atoi(text) : 2000;
    unsigned merged = 0, all = 0;

    srand(seed ? (unsigned)atoi(seed) : 5);
    for (int round = 0; round < rounds; round++) {
        struct rte_mbuf *streams[4][BURST], *packets[BURST];
        unsigned n[4], at[4] = {0}, total = 0;

        for (unsigned s = 0; s < 4; s++)
            n[s] = segments(hex[rand() % 2], (uint32_t)(rand() % (14 * MSS) + 1), (uint16_t)(1000 + s), streams[s]);
        for (unsigned left = n[0] + n[1] + n[2] + n[3]; left > 0; left--) {
            unsigned s = (unsigned)rand() % 4;

            while (at[s] == n[s])
                s = (s + 1) % 4;
            struct rte_mbuf *m = streams[s][at[s]++];
            if (rand() % 8 == 0) /* not the ports: the test tells streams apart by them */
                change(m, (uint32_t)(rand() % 2 ? 14 + rand() % 18 : 14 + 20 + 24 + rand() % 40) % m->data_len,
                       (uint8_t)(1 << rand() % 8), false);
            packets[total++] = m;
        }
        merged += merge_and_compare(packets, total, OFFLOAD_TAKES_ALL);
        all += total;
        rte_pktmbuf_free_bulk(packets, total);
    }
    assert_true(merged < all * 3 / 4);
    assert_true(merged > all / 20);
}

#define TEST(name) cmocka_unit_test_teardown(name, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(segments_become_one_packet),    TEST(connections_side_by_side),
        TEST(what_does_not_fit_stays_apart), TEST(packets_that_others_have_are_left_alone),
        TEST(any_burst_is_what_it_was),
    };

    if (test_eal_init("offload_merge_test") != 0)
        return 1;
    pool = test_pool(POOL_SIZE);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
