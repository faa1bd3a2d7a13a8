/* Meters measure what passes, over all threads, at any rate. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <pthread.h>
#include <rte_cycles.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/meter.h"

#define HZ UINT64_C(2300000000)

/* Offers `pps` packets a second of `bytes` bytes for `seconds` of a clock of our own, in bursts, by two threads in
 * turn. Returns how many passed. */
static uint64_t offer(struct meter *meter, double pps, uint32_t bytes, double seconds, unsigned burst)
{
    struct rte_mbuf packet = {.pkt_len = bytes}, *packets[64];
    uint64_t passed = 0, bursts = (uint64_t)(pps * seconds / burst);

    for (unsigned i = 0; i < burst; i++)
        packets[i] = &packet;
    for (uint64_t n = 0; n < bursts; n++) {
        uint8_t verdicts[64];

        meter_run(meter, n & 1, (uint64_t)((double)(n * burst) / pps * HZ), packets, burst, verdicts);
        for (unsigned i = 0; i < burst; i++)
            passed += verdicts[i] == METER_PASS;
    }
    return passed;
}

static void assert_within(double got, double wanted, double percent)
{
    if (got < wanted * (1 - percent / 100) || got > wanted * (1 + percent / 100))
        fail_msg("%.0f instead of %.0f", got, wanted);
}

static void packets_per_second(void **state)
{
    static const uint32_t rates[] = {1000, 10000, 333333, 1000000, 5000000};

    for (size_t i = 0; i < RTE_DIM(rates); i++) {
        const struct meter_config config = {
            .packets = true, .n_bands = 1, .bands = {{.type = METER_DROP_BAND, .rate = rates[i]}}};

        for (unsigned burst = 1; burst <= 32; burst *= 32) {
            struct meter *meter = meter_create(&config, 2, HZ, 0);
            double seconds = rates[i] < 100000 ? 10 : 2;
            uint64_t passed = offer(meter, rates[i] * 1.7, 60, seconds, burst);
            struct meter_counts counts;

            assert_within(passed, rates[i] * (seconds + METER_BURST_MS / 1000.0), 0.3);
            meter_sum(meter, &counts);
            assert_int_equal(counts.packets, passed + counts.band_packets[0]);
            assert_int_equal(counts.bytes, 60 * counts.packets);
            assert_int_equal(counts.band_bytes[0], 60 * counts.band_packets[0]);
            free(meter);
        }
    }
}

static void less_than_the_rate_passes_whole(void **state)
{
    const struct meter_config config = {
        .packets = true, .n_bands = 1, .bands = {{.type = METER_DROP_BAND, .rate = 100000, .burst = 600}}};
    struct meter *meter = meter_create(&config, 2, HZ, 0);

    assert_int_equal(offer(meter, 99000, 60, 1, 32), 99000 / 32 * 32);
    free(meter);
}

static void kilobits_per_second(void **state)
{
    static const struct {
        uint32_t rate, bytes;
    } cases[] = {{100, 1500}, {1000, 64}, {1000000, 1500}, {40000000, 9000}};

    for (size_t i = 0; i < RTE_DIM(cases); i++) {
        const struct meter_config config = {
            .n_bands = 1, .bands = {{.type = METER_DROP_BAND, .rate = cases[i].rate, .burst = cases[i].rate / 10}}};
        struct meter *meter = meter_create(&config, 2, HZ, 0);
        double pps = cases[i].rate * 1000.0 / 8 / cases[i].bytes;
        double seconds = pps < 1000 ? 100 : pps < 100000 ? 10 : 1;
        uint64_t passed = offer(meter, pps * 3, cases[i].bytes, seconds, 1);

        assert_within((double)passed, pps * (seconds + 0.1), 1);
        free(meter);
    }
}

static void bursts(void **state)
{
    const struct meter_config config = {
        .packets = true, .n_bands = 1, .bands = {{.type = METER_DROP_BAND, .rate = 1000, .burst = 10}}};
    struct meter *meter = meter_create(&config, 1, HZ, 1000);
    struct rte_mbuf packet = {.pkt_len = 60}, *packets[64];
    uint8_t verdicts[64];

    for (unsigned i = 0; i < 64; i++)
        packets[i] = &packet;
    /* A clock that is behind the one that the meter was made by. */
    meter_run(meter, 0, 900, packets, 64, verdicts);
    for (unsigned i = 0; i < 64; i++)
        assert_int_equal(verdicts[i], i < 10 ? METER_PASS : METER_DROP);
    /* 3 ms later there is room for three, a minute later for ten. */
    meter_run(meter, 0, 1000 + HZ * 3 / 1000 + HZ / 100000, packets, 64, verdicts);
    assert_int_equal(verdicts[2], METER_PASS);
    assert_int_equal(verdicts[3 + 1], METER_DROP);
    meter_run(meter, 0, 1000 + HZ * 60, packets, 64, verdicts);
    assert_int_equal(verdicts[9], METER_PASS);
    assert_int_equal(verdicts[10], METER_DROP);
    free(meter);
}

/* Of the exceeded bands the one with the highest rate applies, whatever the order they were given in. */
static void bands(void **state)
{
    const struct meter_config config = {.packets = true,
                                        .n_bands = 2,
                                        .bands = {{.type = METER_DSCP_BAND, .rate = 100, .prec_level = 1, .burst = 4},
                                                  {.type = METER_DROP_BAND, .rate = 200, .burst = 8}}};
    struct meter *meter = meter_create(&config, 1, HZ, 0);
    struct rte_mbuf packet = {.pkt_len = 100}, *packets[16];
    struct meter_counts counts;
    uint8_t verdicts[16];

    for (unsigned i = 0; i < 16; i++)
        packets[i] = &packet;
    meter_run(meter, 0, 0, packets, 16, verdicts);
    for (unsigned i = 0; i < 16; i++)
        assert_int_equal(verdicts[i], i < 4 ? METER_PASS : i < 8 ? 1 : METER_DROP);
    meter_sum(meter, &counts);
    assert_int_equal(counts.packets, 16);
    assert_int_equal(counts.band_packets[0], 4);
    assert_int_equal(counts.band_packets[1], 8);
    assert_int_equal(counts.band_bytes[1], 800);
    free(meter);
}

static struct meter *shared;
static uint64_t until;

static void *hammer(void *index)
{
    struct rte_mbuf packet = {.pkt_len = 60},
                    *packets[8] = {&packet, &packet, &packet, &packet, &packet, &packet, &packet, &packet};
    uint64_t passed = 0, now;

    while ((now = rte_rdtsc()) < until) {
        uint8_t verdicts[8];

        meter_run(shared, (unsigned)(uintptr_t)index, now, packets, 8, verdicts);
        for (unsigned i = 0; i < 8; i++)
            passed += verdicts[i] == METER_PASS;
    }
    return (void *)(uintptr_t)passed;
}

/* Packets that three threads got through in half a second. */
static uint64_t share_the_rate(void)
{
    const struct meter_config config = {
        .packets = true, .n_bands = 1, .bands = {{.type = METER_DROP_BAND, .rate = 1000000}}};
    uint64_t hz = rte_get_tsc_hz(), start = rte_rdtsc();
    struct meter_counts counts;
    uint64_t passed = 0;
    pthread_t threads[3];

    if (hz == 0)
        hz = HZ;
    shared = meter_create(&config, 3, hz, start);
    until = start + hz / 2;
    for (uintptr_t i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, hammer, (void *)i), 0);
    for (unsigned i = 0; i < 3; i++) {
        void *result;

        pthread_join(threads[i], &result);
        passed += (uintptr_t)result;
    }
    meter_sum(shared, &counts);
    assert_int_equal(counts.packets - counts.band_packets[0], passed);
    free(shared);
    return passed;
}

/* Threads that did not run for a while lose nothing but what is above the burst: if none of them ran for most of the
 * time, it is tried again. */
static void threads_share_the_rate(void **state)
{
    uint64_t passed = 0;

    for (int tries = 0; tries < 10 && passed < 1000000 * 0.3; tries++) {
        passed = share_the_rate();
        assert_true(passed <= 1000000 * 0.55 * 1.01);
    }
    assert_true(passed >= 1000000 * 0.3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packets_per_second),
        cmocka_unit_test(less_than_the_rate_passes_whole),
        cmocka_unit_test(kilobits_per_second),
        cmocka_unit_test(bursts),
        cmocka_unit_test(bands),
        cmocka_unit_test(threads_share_the_rate),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
