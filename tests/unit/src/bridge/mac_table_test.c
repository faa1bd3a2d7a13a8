/* The MAC table, also against a plain array. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "src/bridge/mac_table.h"
#include "src/match/flow.h"

static struct rte_ether_addr mac_of(uint32_t n)
{
    return (struct rte_ether_addr){
        .addr_bytes = {2, 0, (uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n}};
}

static bool learn(struct mac_table *table, uint32_t n, uint16_t vlan, uint32_t lport, uint64_t now_ms)
{
    struct rte_ether_addr mac = mac_of(n);

    return mac_table_learn(table, &mac, vlan, lport, now_ms);
}

/* The port, or OFPORT_NONE. */
static uint32_t port_of(const struct mac_table *table, uint32_t n, uint16_t vlan)
{
    struct rte_ether_addr mac = mac_of(n);
    const struct mac_entry *entry = mac_table_lookup(table, &mac, vlan);

    if (!entry)
        return OFPORT_NONE;
    assert_true(rte_is_same_ether_addr(&entry->mac, &mac));
    assert_int_equal(entry->vlan, vlan);
    return entry->lport;
}

static void addresses_are_learned_and_move(void **state)
{
    struct mac_table *table = mac_table_create(10, 300);

    assert_int_equal(port_of(table, 1, 0), OFPORT_NONE);
    assert_true(learn(table, 1, 0, 5, 0));
    assert_false(learn(table, 1, 0, 5, 10));
    assert_int_equal(port_of(table, 1, 0), 5);
    assert_true(learn(table, 1, 0, 6, 20));
    assert_int_equal(port_of(table, 1, 0), 6);
    assert_int_equal(mac_table_size(table), 1);
    mac_table_destroy(table);
}

static void vlans_are_apart(void **state)
{
    struct mac_table *table = mac_table_create(10, 300);

    assert_true(learn(table, 1, 10, 5, 0));
    assert_true(learn(table, 1, 20, 6, 0));
    assert_int_equal(port_of(table, 1, 10), 5);
    assert_int_equal(port_of(table, 1, 20), 6);
    assert_int_equal(port_of(table, 1, 0), OFPORT_NONE);
    mac_table_destroy(table);
}

static void group_addresses_are_never_learned(void **state)
{
    struct mac_table *table = mac_table_create(10, 300);
    struct rte_ether_addr multicast = {{1, 0, 0x5e, 0, 0, 1}}, broadcast = {{255, 255, 255, 255, 255, 255}};

    assert_false(mac_table_learn(table, &multicast, 0, 1, 0));
    assert_false(mac_table_learn(table, &broadcast, 0, 1, 0));
    assert_int_equal(mac_table_size(table), 0);
    mac_table_destroy(table);
}

static unsigned n_gone;
static struct mac_entry last_gone;

static void changed(void *arg, const struct mac_entry *entry)
{
    if (mac_table_lookup(arg, &entry->mac, entry->vlan))
        return;
    n_gone++;
    last_gone = *entry;
}

static void what_is_not_seen_ages(void **state)
{
    struct mac_table *table = mac_table_create(10, 300);
    struct rte_ether_addr one = mac_of(1);

    mac_table_set_changed(table, changed, table);
    learn(table, 1, 0, 5, 0);
    learn(table, 2, 0, 5, 1000);
    learn(table, 3, 0, 5, 2000);
    mac_table_touch(table, &one, 0, 6, 150000); /* not where it is: no sign of life of it there */
    assert_int_equal(mac_table_expire(table, 299999, UINT_MAX), 0);
    assert_int_equal(mac_table_expire(table, 300000, UINT_MAX), 1);
    assert_int_equal(n_gone, 1);
    assert_true(rte_is_same_ether_addr(&last_gone.mac, &one));

    struct rte_ether_addr two = mac_of(2);

    mac_table_touch(table, &two, 0, 5, 300000);
    assert_int_equal(mac_table_expire(table, 302000, UINT_MAX), 1);
    assert_int_equal(port_of(table, 2, 0), 5);
    assert_int_equal(port_of(table, 3, 0), OFPORT_NONE);
    assert_int_equal(mac_table_expire(table, 599999, UINT_MAX), 0);
    assert_int_equal(mac_table_expire(table, 600000, UINT_MAX), 1);
    mac_table_destroy(table);
}

static void one_port_cannot_push_out_the_others(void **state)
{
    struct mac_table *table = mac_table_create(100, 300);

    n_gone = 0;
    mac_table_set_changed(table, changed, table);
    for (uint32_t i = 0; i < 10; i++)
        learn(table, i, 0, 1, i);
    for (uint32_t i = 1000; i < 6000; i++)
        assert_true(learn(table, i, 0, 2, i));
    assert_int_equal(mac_table_size(table), 100);
    assert_int_equal(n_gone, 5000 - 90);
    for (uint32_t i = 0; i < 10; i++)
        assert_int_equal(port_of(table, i, 0), 1);
    for (uint32_t i = 5910; i < 6000; i++) /* those seen last */
        assert_int_equal(port_of(table, i, 0), 2);

    /* A newcomer takes from the port that has most. */
    learn(table, 7000, 0, 3, 7000);
    assert_int_equal(last_gone.lport, 2);
    assert_int_equal(port_of(table, 5910, 0), OFPORT_NONE);
    assert_int_equal(port_of(table, 7000, 0), 3);
    mac_table_destroy(table);
}

static void a_port_can_be_forgotten(void **state)
{
    struct mac_table *table = mac_table_create(100, 300);

    size_t position = 0;

    for (uint32_t i = 0; i < 50; i++)
        learn(table, i, 0, 1 + i % 2, i);
    mac_table_flush(table, 1);
    assert_int_equal(mac_table_size(table), 25);
    for (size_t i = 0; i < 25; i++)
        assert_int_equal(mac_table_next(table, &position)->lport, 2);
    assert_null(mac_table_next(table, &position));
    mac_table_flush(table, OFPORT_ANY);
    assert_int_equal(mac_table_size(table), 0);
    position = 0;
    assert_null(mac_table_next(table, &position));
    assert_true(learn(table, 1, 0, 1, 100));
    mac_table_destroy(table);
}

/* What takes as long as there are addresses is done some at a time; nobody finds one of them meanwhile. */
static void many_addresses_go_a_few_at_a_time(void **state)
{
    enum { MANY = 1000, STEP = 100 };
    struct mac_table *table = mac_table_create(MANY, 300), *grave = NULL;
    struct rte_ether_addr seven = mac_of(7);
    unsigned steps;

    mac_table_set_changed(table, changed, table);
    for (uint32_t i = 0; i < MANY; i++)
        learn(table, i, 0, 1 + i % 2, i);
    n_gone = 0;
    mac_table_flush(table, 1);
    assert_int_equal(mac_table_size(table), MANY / 2);
    for (uint32_t i = 0; i < MANY; i++)
        assert_int_equal(port_of(table, i, 0), i % 2 ? 2 : OFPORT_NONE);

    /* Learned again before it was taken out: it is new, and stays. What is new has room. */
    mac_table_touch(table, &seven, 0, 2, 5000);
    assert_true(learn(table, 6, 0, 1, 5000));
    assert_true(learn(table, MANY, 0, 1, 5000));
    assert_int_equal(mac_table_size(table), MANY / 2 + 2);
    for (steps = 1; !mac_table_settle(table, STEP); steps++)
        ;
    assert_int_equal(steps, MANY / 2 / STEP);
    assert_int_equal(port_of(table, 6, 0), 1);
    assert_int_equal(mac_table_size(table), MANY / 2 + 2);
    assert_int_equal(n_gone, 0);

    /* Ageing, likewise. */
    assert_int_equal(mac_table_expire(table, 304999, STEP), STEP);
    assert_int_equal(n_gone, STEP);
    assert_int_equal(mac_table_size(table), MANY / 2 + 2 - STEP);
    mac_table_bury(table, &grave);
    for (steps = 1; !mac_table_free_some(&grave, STEP); steps++)
        ;
    assert_int_equal(steps, 5);
    assert_null(grave);
}

/* Against an array, at random. */
static void random_use_agrees_with_a_plain_array(void **state)
{
    enum { MACS = 64, PORTS = 5, SIZE = 40 };
    struct mac_table *table = mac_table_create(SIZE, 300);
    struct {
        uint32_t lport;
        uint64_t seen_ms;
    } model[MACS] = {0};
    unsigned n = 0, seed = 3;

    for (uint64_t now = 1; now < 200000; now++) {
        uint32_t i = (uint32_t)rand_r(&seed) % MACS, lport = 1 + (uint32_t)rand_r(&seed) % PORTS;
        bool changes = model[i].lport != lport;

        if (rand_r(&seed) % 50 == 0)
            mac_table_settle(table, (unsigned)rand_r(&seed) % 3);
        if (rand_r(&seed) % 1000 == 0) {
            mac_table_flush(table, lport);
            for (uint32_t j = 0; j < MACS; j++) {
                if (model[j].lport == lport) {
                    model[j].lport = 0;
                    n--;
                }
            }
            continue;
        }
        if (model[i].lport == 0 && n == SIZE) {
            unsigned per_port[PORTS + 1] = {0}, most = 0;
            uint64_t oldest = UINT64_MAX;
            uint32_t victim = 0;

            for (uint32_t j = 0; j < MACS; j++) {
                if (model[j].lport > 0 && ++per_port[model[j].lport] > most)
                    most = per_port[model[j].lport];
            }
            learn(table, i, 0, lport, now);
            for (uint32_t j = 0; j < MACS; j++) { /* the oldest of whichever fullest port was picked */
                if (model[j].lport > 0 && per_port[model[j].lport] == most && port_of(table, j, 0) == OFPORT_NONE) {
                    assert_int_equal(oldest, UINT64_MAX);
                    oldest = model[j].seen_ms;
                    victim = j;
                }
            }
            assert_true(oldest != UINT64_MAX);
            for (uint32_t j = 0; j < MACS; j++)
                assert_true(model[j].lport != model[victim].lport || model[j].seen_ms >= oldest);
            model[victim].lport = 0;
        } else {
            assert_int_equal(learn(table, i, 0, lport, now), changes);
            n += model[i].lport == 0;
        }
        model[i].lport = lport;
        model[i].seen_ms = now;
        for (uint32_t j = 0; j < MACS; j++)
            assert_int_equal(port_of(table, j, 0), model[j].lport);
        assert_int_equal(mac_table_size(table), n);
    }
    mac_table_destroy(table);
}

static void static_entries_stay_where_they_were_put(void **state)
{
    struct mac_table *table = mac_table_create(4, 300);
    struct rte_ether_addr one = mac_of(1), two = mac_of(2), group = {.addr_bytes = {1}};
    struct mac_table_stats st;

    learn(table, 1, 0, 5, 0);
    assert_true(mac_table_set_static(table, &one, 0, 6));
    assert_int_equal(port_of(table, 1, 0), 6);
    assert_false(learn(table, 1, 0, 7, 10));
    mac_table_touch(table, &one, 0, 6, 20);
    assert_int_equal(mac_table_expire(table, 1000000000, 100), 0);
    mac_table_flush(table, OFPORT_ANY);
    mac_table_flush(table, 6);
    assert_int_equal(port_of(table, 1, 0), 6);
    /* They leave room for what is learned, which pushes out only its like. */
    assert_false(mac_table_set_static(table, &group, 0, 6));
    assert_true(mac_table_set_static(table, &two, 0, 6));
    for (uint32_t n = 10; n < 20; n++)
        learn(table, n, 0, 5, n);
    two = mac_of(3);
    assert_true(mac_table_set_static(table, &two, 0, 8));
    two = mac_of(4);
    assert_false(mac_table_set_static(table, &two, 0, 8));
    assert_int_equal(port_of(table, 19, 0), 5);
    assert_int_equal(port_of(table, 2, 0), 6);
    mac_table_get_stats(table, &st);
    assert_int_equal(st.entries, 4);
    assert_int_equal(st.statics, 3);
    /* Those of a port that goes go with it. */
    mac_table_forget_port(table, 6);
    assert_int_equal(port_of(table, 1, 0), OFPORT_NONE);
    assert_int_equal(port_of(table, 2, 0), OFPORT_NONE);
    assert_int_equal(port_of(table, 3, 0), 8);
    assert_true(learn(table, 1, 0, 9, 0));
    assert_false(mac_table_remove_static(table, &one, 0));
    two = mac_of(3);
    assert_true(mac_table_remove_static(table, &two, 0));
    assert_int_equal(port_of(table, 3, 0), OFPORT_NONE);
    assert_int_equal(mac_table_size(table), 2);
    mac_table_destroy(table);
}

static void what_happens_is_counted(void **state)
{
    struct mac_table *table = mac_table_create(2, 300);
    struct mac_table_stats st;

    learn(table, 1, 0, 5, 0);
    learn(table, 2, 0, 5, 0);
    learn(table, 2, 0, 6, 0);
    learn(table, 3, 0, 6, 0);
    mac_table_get_stats(table, &st);
    assert_int_equal(st.learned, 3);
    assert_int_equal(st.moved, 1);
    assert_int_equal(st.evicted, 1);
    assert_int_equal(st.expired, 0);
    assert_int_equal(st.max_entries, 2);
    assert_int_equal(mac_table_expire(table, 300000, 100), 2);
    mac_table_get_stats(table, &st);
    assert_int_equal(st.expired, 2);
    assert_int_equal(st.entries, 0);
    mac_table_clear_stats(table);
    mac_table_get_stats(table, &st);
    assert_int_equal(st.learned + st.moved + st.evicted + st.expired, 0);
    mac_table_destroy(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_learned_and_move),
        cmocka_unit_test(vlans_are_apart),
        cmocka_unit_test(group_addresses_are_never_learned),
        cmocka_unit_test(what_is_not_seen_ages),
        cmocka_unit_test(one_port_cannot_push_out_the_others),
        cmocka_unit_test(a_port_can_be_forgotten),
        cmocka_unit_test(many_addresses_go_a_few_at_a_time),
        cmocka_unit_test(random_use_agrees_with_a_plain_array),
        cmocka_unit_test(static_entries_stay_where_they_were_put),
        cmocka_unit_test(what_happens_is_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
