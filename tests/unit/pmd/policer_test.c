/* Policers keep to their rates, of bits and of packets, for large packets and for several threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <pthread.h>
#include <rte_common.h>
#include <stdlib.h>

#include "pmd/policer.h"

#define HZ UINT64_C(2300000000)

/* Offers `pps` packets a second like `packet` for `seconds` of a clock of our own, 32 at a time. Returns how many
 * passed. */
static uint64_t offer(struct policer *policer, struct rte_mbuf *packet, double pps, double seconds)
{
    uint64_t passed = 0, bursts = (uint64_t)(pps * seconds / 32);
    struct rte_mbuf *packets[32];

    for (unsigned i = 0; i < 32; i++)
        packets[i] = packet;
    for (uint64_t n = 0; n < bursts; n++)
        passed += policer_run(policer, (uint64_t)((double)(n * 32) / pps * HZ), packets, 32);
    return passed;
}

static void assert_within(double got, double wanted, double percent)
{
    if (got < wanted * (1 - percent / 100) || got > wanted * (1 + percent / 100))
        fail_msg("%.0f instead of %.0f", got, wanted);
}

static void bits(void **state)
{
    const struct policer_config config = {.bits = 10000000, .burst_bits = 1000000};
    struct policer *policer = policer_create(&config, HZ, 0);
    struct rte_mbuf packet = {.pkt_len = 1000};

    assert_within((double)offer(policer, &packet, 5000, 10), 10000000 * 10.1 / 8000, 1);
    free(policer);
}

/* Less than the rate passes whole. */
static void below(void **state)
{
    const struct policer_config config = {
        .bits = 10000000, .burst_bits = 1000000, .packets = 2000, .burst_packets = 100};
    struct policer *policer = policer_create(&config, HZ, 0);
    struct rte_mbuf packet = {.pkt_len = 1000};

    assert_int_equal(offer(policer, &packet, 1200, 10), 1200 * 10 / 32 * 32);
    free(policer);
}

/* The stricter of the two counts, and what it drops takes nothing from the other. */
static void packets_and_bits(void **state)
{
    const struct policer_config config = {.bits = 10000000, .burst_bits = 1000000, .packets = 500, .burst_packets = 50};
    struct policer *policer = policer_create(&config, HZ, 0);
    struct rte_mbuf packet = {.pkt_len = 1000}, small = {.pkt_len = 60};

    assert_within((double)offer(policer, &packet, 5000, 10), 500 * 10.1, 1);
    free(policer);
    policer = policer_create(&config, HZ, 0);
    assert_within((double)offer(policer, &small, 100000, 10), 500 * 10.1, 1);
    free(policer);
}

/* Bytes in front that do not count. */
static void header(void **state)
{
    const struct policer_config config = {.bits = 8 * 46 * 1000, .burst_bits = 8 * 46 * 100, .header = 14};
    struct policer *policer = policer_create(&config, HZ, 0);
    struct rte_mbuf packet = {.pkt_len = 60}, shorter = {.pkt_len = 10};

    assert_within((double)offer(policer, &packet, 5000, 10), 1000 * 10.1, 1);
    /* A packet that is no longer than that costs nothing. */
    free(policer);
    policer = policer_create(&config, HZ, 0);
    assert_int_equal(offer(policer, &shorter, 5000, 1), 5000 / 32 * 32);
    free(policer);
}

/* A packet that is to be cut counts as what a wire would carry: here 40 of 1514 bytes. */
static void segments(void **state)
{
    const struct policer_config config = {.bits = 100000000, .burst_bits = 10000000};
    struct policer *policer = policer_create(&config, HZ, 0);
    struct rte_mbuf packet = {.pkt_len = 54 + 40 * 1460};

    packet.ol_flags = RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_IPV4;
    packet.l2_len = 14;
    packet.l3_len = 20;
    packet.l4_len = 20;
    packet.tso_segsz = 1460;
    assert_within((double)offer(policer, &packet, 1000, 10), 100000000 * 10.1 / 8 / (40 * 1514), 1);
    free(policer);
}

/* Those that pass are in front, and both kinds in their order. */
static void order(void **state)
{
    const struct policer_config config = {.packets = 1000, .burst_packets = 5};
    struct policer *policer = policer_create(&config, HZ, 1000);
    struct rte_mbuf all[64], *packets[64];

    for (unsigned i = 0; i < 64; i++) {
        all[i] = (struct rte_mbuf){.pkt_len = 60};
        packets[i] = &all[i];
    }
    assert_int_equal(policer_run(policer, 1000, packets, 64), 5);
    for (unsigned i = 0; i < 64; i++)
        assert_ptr_equal(packets[i], &all[i]);
    /* 3.2 ms later there is room for a few more. */
    assert_in_range(policer_run(policer, 1000 + HZ * 32 / 10000, packets, 64), 3, 4);
    free(policer);
}

/* --- threads ------------------------------------------------------------- */

static struct policer *shared;
static uint64_t passed_by[4];

static void *one_thread(void *arg)
{
    struct rte_mbuf packet = {.pkt_len = 125}, *packets[32];
    uint64_t passed = 0;

    for (unsigned i = 0; i < 32; i++)
        packets[i] = &packet;
    /* 20 s at 4 times the rate, all threads by the same clock. */
    for (uint64_t tick = 0; tick < 2500 * 4; tick++)
        passed += policer_run(shared, tick * HZ / 500, packets, 32);
    *(uint64_t *)arg = passed;
    return NULL;
}

static void threads_share(void **state)
{
    const struct policer_config config = {.bits = 8000000, .burst_bits = 800000};
    pthread_t threads[4];
    uint64_t passed = 0;

    shared = policer_create(&config, HZ, 0);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, one_thread, &passed_by[i]), 0);
    for (unsigned i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        passed += passed_by[i];
    }
    /* Threads that are behind by this clock find what the bucket has taken from those ahead: never more than the rate.
     */
    assert_true(passed <= 8000 * 20.2);
    assert_true(passed >= 8000 * 19.5);
    free(shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bits),          cmocka_unit_test(below),    cmocka_unit_test(packets_and_bits),
        cmocka_unit_test(header),        cmocka_unit_test(segments), cmocka_unit_test(order),
        cmocka_unit_test(threads_share),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
