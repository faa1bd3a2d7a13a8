/* A tracker adopts the connections of another one, and stays whole whatever it is given for one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>

#include "tests/lib/ct_bed.h"
#include "tests/lib/eal.h"

/* Packets are described by how they differ from an ordinary one. */
#pragma GCC diagnostic ignored "-Woverride-init"

#define NEW (CT_STATE_TRK | CT_STATE_NEW)
#define EST (CT_STATE_TRK | CT_STATE_EST)
#define EST_RPL (CT_STATE_TRK | CT_STATE_EST | CT_STATE_RPL)
#define INV (CT_STATE_TRK | CT_STATE_INV)

#define TCP(...) ((struct ct_spec){.src = 1, .dst = 2, .sport = 4000, .dport = 80, .window = 1000, __VA_ARGS__})
#define TCP_BACK(...) ((struct ct_spec){.src = 2, .dst = 1, .sport = 80, .dport = 4000, .window = 1000, __VA_ARGS__})
#define UDP(...)                                                                                                       \
    ((struct ct_spec){.proto = IPPROTO_UDP, .src = 1, .dst = 2, .sport = 53, .dport = 5353, .len = 10, __VA_ARGS__})

#define RECORDS 64

static struct rte_mempool *pool;
static struct ct_bed before, after;
static struct ct_record records[RECORDS];

static int setup(void **state)
{
    before = ct_bed_new(pool, 1000, 1);
    after = ct_bed_new(pool, 1000, 2);
    return before.ct && after.ct ? 0 : -1;
}

static int teardown(void **state)
{
    ct_bed_free(&before);
    ct_bed_free(&after);
    return 0;
}

static void tcp_open(bool ipv6)
{
    ct_bed_commit(&before, 5, TCP(.ipv6 = ipv6, .flags = SYN, .seq = 100));
    ct_bed_look(&before, 5, TCP_BACK(.ipv6 = ipv6, .flags = SYN | ACK, .seq = 500, .ack = 101));
    ct_bed_look(&before, 5, TCP(.ipv6 = ipv6, .flags = ACK, .seq = 101, .ack = 501));
}

static unsigned save(void)
{
    uint32_t cursor = 0;
    unsigned n = 0;

    while (n < RECORDS && ct_next_record(before.ct, before.now, &cursor, UINT32_MAX, &records[n]))
        n++;
    return n;
}

static void adopt_all(unsigned n, bool exact)
{
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(ct_adopt(after.ct, after.now, &records[i], exact), CT_ADOPTED);
}

static void goes_on(void **state)
{
    const struct ct_request snat = {.commit = true, .zone = 6, .nat = CT_NAT | CT_NAT_SRC};
    const struct ct_nat_request translated = {.request = snat, .nat = {{10, 0, 0, 9}, {10, 0, 0, 9}}};
    struct ct_info one, other;
    uint32_t a = 0, b = 0;

    tcp_open(false);
    tcp_open(true);
    ct_bed_request(
        &before,
        &(struct ct_request){
            .commit = true, .mark = 7, .mark_mask = 15, .set_label = true, .label = {1, 2}, .label_mask = {255, 255}},
        &UDP());
    assert_int_equal(ct_bed_request(&before, &translated.request, &UDP()), NEW | CT_STATE_SNAT);
    assert_int_equal(save(), 4);
    before.now += 10;
    after.now = before.now;
    adopt_all(4, true);
    assert_int_equal(ct_count(after.ct), 4);
    assert_int_equal(ct_zone_count(after.ct, 5), 2);
    while (ct_next(before.ct, before.now, &a, UINT32_MAX, &one)) {
        assert_true(ct_next(after.ct, after.now, &b, UINT32_MAX, &other));
        one.bucket = other.bucket = 0;
        assert_memory_equal(&one, &other, sizeof one);
    }
    assert_int_equal(ct_bed_look(&after, 5, TCP(.flags = ACK, .seq = 101, .ack = 501, .len = 10)), EST);
    assert_int_equal(ct_bed_look(&after, 5, TCP_BACK(.ipv6 = true, .flags = ACK, .seq = 501, .ack = 101)), EST_RPL);
    assert_int_equal(ct_bed_look(&after, 5, TCP(.flags = ACK, .seq = 1000000, .ack = 501)), EST); /* no data */
    assert_int_equal(ct_bed_look(&after, 5, TCP(.flags = ACK, .seq = 1000000, .ack = 501, .len = 10)), INV);
    assert_int_equal(ct_bed_look(&after, 0, UDP(.src = 2, .dst = 1, .sport = 5353, .dport = 53)), EST_RPL);
    assert_int_equal(after.meta.mark, 7);
    assert_int_equal(after.meta.label[1], 2);
    assert_int_equal(ct_bed_look(&after, 6, UDP(.src = 2, .dst = 9, .sport = 5353, .dport = 53)), EST_RPL);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(ct_adopt(after.ct, after.now, &records[i], true), CT_ADOPT_TAKEN);
    assert_int_equal(ct_count(after.ct), 4);
    after.now += 86402; /* they time out as others do */
    ct_bed_work(&after);
    assert_int_equal(ct_count(after.ct), 0);
}

/* Far more than a window was sent since the record was made. */
static void where_windows_are_is_not_known(void **state)
{
    tcp_open(false);
    assert_int_equal(save(), 1);
    adopt_all(1, false);
    assert_int_equal(ct_bed_look(&after, 5, TCP(.flags = ACK, .seq = 5000000, .ack = 9000000, .len = 10)), EST);
    assert_int_equal(ct_bed_look(&after, 5, TCP_BACK(.flags = ACK, .seq = 9000000, .ack = 5000010, .len = 20)),
                     EST_RPL);
    assert_int_equal(ct_bed_look(&after, 5, TCP(.flags = ACK, .seq = 5000010, .ack = 9000020, .len = 10)), EST);
    assert_int_equal(ct_bed_look(&after, 5, TCP(.flags = ACK, .seq = 8000010, .ack = 9000020, .len = 10)), INV);
}

static void over_and_full(void **state)
{
    ct_bed_commit(&before, 5, UDP());
    ct_bed_commit(&before, 5, UDP(.dport = 1));
    assert_int_equal(save(), 2);
    after.now = before.now + 61;
    assert_int_equal(ct_adopt(after.ct, after.now, &records[0], true), CT_ADOPT_OVER);
    after.now = before.now;
    ct_set_zone_limit(after.ct, 5, 1);
    assert_int_equal(ct_adopt(after.ct, after.now, &records[0], true), CT_ADOPTED);
    assert_int_equal(ct_adopt(after.ct, after.now, &records[1], true), CT_ADOPT_FULL);
    assert_int_equal(ct_count(after.ct), 1);
}

/* Records with bytes changed at random, and random bytes: nothing else is hurt, and all of it ends. */
static void hostile(void **state)
{
    unsigned n, counts[CT_N_ADOPTIONS] = {0};

    srand(1);
    tcp_open(false);
    tcp_open(true);
    ct_bed_commit(&before, 5, UDP());
    n = save();
    for (unsigned i = 0; i < 100000; i++) {
        struct ct_record record = records[(unsigned)rand() % n];
        uint8_t *bytes = (uint8_t *)&record;
        struct ct_info info;
        uint32_t cursor = 0;

        for (unsigned j = 0; j < 1 + (unsigned)rand() % 8; j++)
            bytes[(unsigned)rand() % (i % 16 == 0 ? sizeof record : 48)] = (uint8_t)rand();
        counts[ct_adopt(after.ct, after.now, &record, rand() % 2)]++;
        if (i % 64 != 0)
            continue;
        ct_bed_look(&after, 5, TCP(.flags = rand() % 64, .seq = (uint32_t)rand(), .ack = 501, .len = 10));
        ct_bed_look(&after, 5, TCP_BACK(.ipv6 = true, .flags = ACK, .seq = (uint32_t)rand(), .ack = 501));
        while (ct_next(after.ct, after.now, &cursor, UINT32_MAX, &info))
            ;
        if (i % 1024 == 0)
            ct_flush_all(after.ct);
        after.now++;
        ct_bed_work(&after);
    }
    for (unsigned i = 0; i < CT_N_ADOPTIONS; i++)
        assert_true(i == CT_ADOPT_OVER || i == CT_ADOPT_FULL || counts[i] > 0);
    ct_flush_all(after.ct);
    ct_bed_work(&after);
    assert_int_equal(ct_count(after.ct), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        CASE(goes_on),
        CASE(where_windows_are_is_not_known),
        CASE(over_and_full),
        CASE(hostile),
    };

    if (test_eal_init("adopt_test") != 0 || !(pool = test_pool(255)))
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
