/* Packets that wait for the control thread's answer on their flow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>

#include "pmd/poll/pending.h"

static struct pending pending;

/* Packets are only passed around. */
static struct rte_mbuf *packet(uintptr_t number)
{
    return (struct rte_mbuf *)(0x1000 + number * 64);
}

static int setup(void **state)
{
    return pending_init(&pending, 64);
}

static int teardown(void **state)
{
    pending_fini(&pending);
    return 0;
}

static void parked_packets_come_out_in_order(void **state)
{
    enum { FLOWS = 256 };
    struct rte_mbuf *out[PENDING_PARK_MAX];

    pending_fini(&pending);
    assert_int_equal(pending_init(&pending, FLOWS), 0); /* so that one port may park as many */
    /* Hashes that share a chain. */
    int a = pending_add(&pending, 5, 1, packet(0), 100), b = pending_add(&pending, 5 + FLOWS, 1, packet(1), 101);

    assert_true(a >= 0 && b >= 0);
    assert_int_equal(pending_find(&pending, 5, 1), a);
    assert_int_equal(pending_find(&pending, 5 + FLOWS, 1), b);
    assert_int_equal(pending_find(&pending, 5, 2), PENDING_NONE);
    assert_int_equal(pending_find(&pending, 6, 1), PENDING_NONE);
    for (unsigned i = 0; i < PENDING_PARK_MAX; i++) {
        assert_true(pending_park(&pending, (uint16_t)a, packet(100 + i)));
        if (i < 10)
            assert_true(pending_park(&pending, (uint16_t)b, packet(200 + i)));
    }
    assert_false(pending_park(&pending, (uint16_t)a, packet(999)));
    assert_true(pending_is(&pending, (uint16_t)a, packet(0)));
    assert_false(pending_is(&pending, (uint16_t)a, packet(1)));
    assert_false(pending_is(&pending, PENDING_NONE, packet(0)));

    assert_int_equal(pending_release(&pending, (uint16_t)a, out), PENDING_PARK_MAX);
    for (unsigned i = 0; i < PENDING_PARK_MAX; i++)
        assert_ptr_equal(out[i], packet(100 + i));
    assert_int_equal(pending_find(&pending, 5, 1), PENDING_NONE);
    assert_false(pending_is(&pending, (uint16_t)a, packet(0)));
    assert_int_equal(pending_release(&pending, (uint16_t)b, out), 10);
    assert_ptr_equal(out[9], packet(209));
    assert_int_equal(pending_count(&pending), 0);
}

static void a_port_may_hold_as_many_slots_as_are_free(void **state)
{
    unsigned per_port[3] = {0};

    while (pending_add(&pending, per_port[0], 1, packet(0), 0) >= 0)
        per_port[0]++;
    assert_int_equal(pending_add(&pending, 1000, 1, packet(0), 0), -EDQUOT);
    assert_int_equal(per_port[0], 32);
    while (pending_add(&pending, 1000 + per_port[1], 2, packet(0), 0) >= 0)
        per_port[1]++;
    assert_int_equal(per_port[1], 16);
    while (pending_add(&pending, 2000 + per_port[2], 3, packet(0), 0) >= 0)
        per_port[2]++;
    assert_int_equal(per_port[2], 8);
    /* What comes back makes room for the next. */
    struct rte_mbuf *out[PENDING_PARK_MAX];
    assert_int_equal(pending_release(&pending, pending_find(&pending, 0, 1), out), 0);
    assert_true(pending_add(&pending, 2001, 3, packet(0), 0) >= 0);

    uint32_t port = 4;
    int slot;
    while ((slot = pending_add(&pending, 5000 + port, port, packet(0), 0)) >= 0)
        port++;
    assert_int_equal(slot, -ENOSPC);
}

static void parked_packets_of_a_port_are_limited(void **state)
{
    unsigned n = 0;

    for (uint32_t flow = 0; flow < 8; flow++) {
        int slot = pending_add(&pending, flow, 1, packet(0), 0);

        assert_true(slot >= 0);
        while (pending_park(&pending, (uint16_t)slot, packet(1)))
            n++;
    }
    /* Of 128 places a port may have as many as are free. */
    assert_int_equal(n, 64);
    int other = pending_add(&pending, 100, 2, packet(0), 0);
    assert_true(pending_park(&pending, (uint16_t)other, packet(1)));
}

static void the_oldest_is_stale_first(void **state)
{
    struct rte_mbuf *out[PENDING_PARK_MAX];
    int slots[5];

    assert_int_equal(pending_stale(&pending, UINT64_MAX), PENDING_NONE);
    for (unsigned i = 0; i < 5; i++)
        slots[i] = pending_add(&pending, i, 1, packet(i), 100 + i);
    assert_int_equal(pending_stale(&pending, 100), PENDING_NONE);
    assert_int_equal(pending_stale(&pending, 101), slots[0]);
    pending_release(&pending, (uint16_t)slots[2], out);
    pending_release(&pending, (uint16_t)slots[0], out);
    assert_int_equal(pending_stale(&pending, 200), slots[1]);
    pending_release(&pending, (uint16_t)slots[1], out);
    assert_int_equal(pending_stale(&pending, 200), slots[3]);
    pending_release(&pending, (uint16_t)slots[4], out);
    pending_release(&pending, (uint16_t)slots[3], out);
    assert_int_equal(pending_stale(&pending, 200), PENDING_NONE);
}

/* Against a plain model, with everything mixed. */
static void slots_and_places_are_never_lost(void **state)
{
    struct rte_mbuf *out[PENDING_PARK_MAX];
    unsigned parked[64] = {0};
    bool used[64] = {0};

    for (unsigned step = 0; step < 200000; step++) {
        uint32_t port = 1 + (unsigned)rand() % 4, hash = (unsigned)rand() % 300;
        uint16_t slot = pending_find(&pending, hash, port);

        if (slot == PENDING_NONE) {
            int added = pending_add(&pending, hash, port, packet(hash), step);

            if (added >= 0) {
                assert_false(used[added]);
                used[added] = true;
                parked[added] = 0;
            }
        } else if (rand() % 3 != 0) {
            parked[slot] += pending_park(&pending, slot, packet(step));
        } else {
            assert_int_equal(pending_release(&pending, slot, out), parked[slot]);
            used[slot] = false;
        }
    }
    while (pending.oldest != PENDING_NONE)
        pending_release(&pending, pending.oldest, out);
    assert_int_equal(pending.n_free, 64);
    assert_int_equal(pending.n_parked_free, 128);
    for (uint32_t port = 0; port < PORT_MAX; port++) {
        assert_int_equal(pending.in_flight[port], 0);
        assert_int_equal(pending.waiting[port], 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(parked_packets_come_out_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(a_port_may_hold_as_many_slots_as_are_free, setup, teardown),
        cmocka_unit_test_setup_teardown(parked_packets_of_a_port_are_limited, setup, teardown),
        cmocka_unit_test_setup_teardown(the_oldest_is_stale_first, setup, teardown),
        cmocka_unit_test_setup_teardown(slots_and_places_are_never_lost, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
