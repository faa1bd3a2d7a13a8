/* Bonds as their users see them: who may send, who is active, what is taken, and how load is spread. Time is an
 * argument. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "src/bridge/bond.h"

#define MEMBERS 3

static int ports[MEMBERS]; /* their addresses stand for ports */
static struct bond *bond;
static unsigned n_changed, n_announced;
static uint64_t now;

static void changed(void *arg)
{
    n_changed++;
}

static void announce(void *arg)
{
    n_announced++;
}

static void delayed(void *arg)
{
}

static struct rte_ether_addr mac_of(int i)
{
    return (struct rte_ether_addr){{2, 0, 0, 0, 0, (uint8_t)(i + 1)}};
}

static void create(const struct bond_config *config, int n)
{
    const struct bond_user user = {NULL, changed, delayed, announce};
    char name[16];

    now = 1000;
    bond = bond_create("bond0", config, &user, now);
    for (int i = 0; i < n; i++) {
        const struct rte_ether_addr mac = mac_of(i);

        snprintf(name, sizeof name, "p%d", i + 1);
        bond_join(bond, &ports[i], name, &mac, true, now);
    }
    n_changed = n_announced = 0;
}

static int teardown(void **state)
{
    if (bond)
        bond_destroy(bond);
    bond = NULL;
    return 0;
}

static void link_of(int i, bool up)
{
    const struct rte_ether_addr mac = mac_of(i);

    bond_set_up(bond, &ports[i], up, &mac, now);
}

/* Goes on to `until`, with what is due on the way. */
static void run_to(uint64_t until)
{
    while (bond_due_ms(bond) <= until) {
        assert_true(bond_due_ms(bond) >= now);
        now = bond_due_ms(bond);
        bond_run(bond, now);
    }
    now = until;
}

static const char *active(void)
{
    return bond->active ? bond->active->name : "";
}

static bool is_enabled(int i)
{
    const struct bond_member *m;

    TAILQ_FOREACH (m, &bond->members, node)
        if (m->port == &ports[i])
            return m->enabled;
    return false;
}

static unsigned buckets_of(int i)
{
    unsigned n = 0;

    for (unsigned b = 0; b < BOND_BUCKETS; b++)
        n += bond->buckets[b].member && bond->buckets[b].member->port == &ports[i];
    return n;
}

static void the_active_member_fails_over_and_stays(void **state)
{
    create(&(struct bond_config){.mode = BOND_ACTIVE_BACKUP}, 2);
    assert_string_equal(active(), "p1");
    assert_int_equal(bond_way(bond), BOND_ACTIVE);
    link_of(0, false);
    assert_string_equal(active(), "p2");
    assert_true(n_changed > 0);
    assert_int_equal(n_announced, 1);
    /* The one that comes back waits. */
    link_of(0, true);
    assert_string_equal(active(), "p2");
    assert_true(is_enabled(0));
    link_of(1, false);
    link_of(0, false);
    assert_string_equal(active(), "");
    assert_int_equal(bond_way(bond), BOND_NOWHERE);
    assert_true(rte_is_zero_ether_addr(&bond->active_mac));
    link_of(1, true);
    assert_string_equal(active(), "p2");
}

static void a_primary_takes_over_when_it_can(void **state)
{
    struct bond_config config = {.mode = BOND_ACTIVE_BACKUP, .primary = "p2"};

    create(&config, 2);
    assert_string_equal(active(), "p2");
    link_of(1, false);
    assert_string_equal(active(), "p1");
    link_of(1, true);
    assert_string_equal(active(), "p2");
    strcpy(config.primary, "p1");
    bond_configure(bond, &config, now);
    assert_string_equal(active(), "p1");
}

static void delays_are_kept_unless_nothing_else_is_up(void **state)
{
    create(&(struct bond_config){.mode = BOND_ACTIVE_BACKUP, .up_delay_ms = 5000, .down_delay_ms = 200}, 2);
    link_of(0, false);
    assert_true(is_enabled(0));
    assert_string_equal(active(), "p1");
    /* A flap within the delay is none. */
    run_to(now + 100);
    link_of(0, true);
    run_to(now + 10000);
    assert_true(is_enabled(0));
    assert_string_equal(active(), "p1");

    link_of(0, false);
    run_to(now + 199);
    assert_string_equal(active(), "p1");
    run_to(now + 1);
    assert_string_equal(active(), "p2");
    assert_false(is_enabled(0));
    link_of(0, true);
    run_to(now + 4999);
    assert_false(is_enabled(0));
    run_to(now + 1);
    assert_true(is_enabled(0));

    /* With no other member the rest of the delay is skipped. */
    link_of(0, false);
    link_of(1, false);
    run_to(now + 200);
    assert_string_equal(active(), "");
    link_of(1, true);
    assert_string_equal(active(), "p2");
    assert_true(is_enabled(1));
}

static void operators_choose(void **state)
{
    create(&(struct bond_config){.mode = BOND_BALANCE_SLB}, 2);
    assert_null(bond_find(bond, "p9"));
    assert_false(bond_make_active(bond, bond_find(bond, "p1"), now));
    assert_true(bond_make_active(bond, bond_find(bond, "p2"), now));
    assert_string_equal(active(), "p2");
    bond_enable(bond, bond_find(bond, "p2"), false, now);
    assert_string_equal(active(), "p1");
    assert_int_equal(buckets_of(1), 0);
    /* It stays so, until its link changes. */
    run_to(now + 60000);
    assert_false(is_enabled(1));
    link_of(1, true);
    assert_false(is_enabled(1));
    link_of(1, false);
    link_of(1, true);
    assert_true(is_enabled(1));
    bond_migrate(bond, 7, bond_find(bond, "p2"));
    assert_ptr_equal(bond_choose(bond, 7, false), bond_find(bond, "p2"));
    assert_ptr_equal(bond_choose(bond, 7 + BOND_BUCKETS, false), bond_find(bond, "p2"));
}

static void buckets_are_spread_and_used_ones_stay(void **state)
{
    create(&(struct bond_config){.mode = BOND_BALANCE_SLB, .rebalance_ms = 10000}, 2);
    assert_int_equal(buckets_of(0), 128);
    assert_int_equal(buckets_of(1), 128);
    for (uint32_t b = 0; b < 20; b++)
        bond_choose(bond, b, true);
    unsigned used = 0;
    for (unsigned b = 0; b < 20; b++)
        used += bond->buckets[b].member->port == &ports[0];

    link_of(1, false);
    assert_int_equal(buckets_of(0), 256);
    link_of(1, true);
    /* The 20 that flows are with stay where they went to; the others are shared again. */
    for (unsigned b = 0; b < 20; b++)
        assert_ptr_equal(bond->buckets[b].member->port, &ports[0]);
    assert_int_equal(buckets_of(0), 20 + 118);
    assert_true(used > 0 && used < 20);

    const struct rte_ether_addr mac = mac_of(2);
    bond_join(bond, &ports[2], "p3", &mac, true, now);
    assert_true(buckets_of(2) >= 70);
    bond_leave(bond, &ports[2], now);
    assert_int_equal(buckets_of(0) + buckets_of(1), 256);
    bond_leave(bond, &ports[0], now);
    bond_leave(bond, &ports[1], now);
    assert_int_equal(bond_way(bond), BOND_NOWHERE);
    assert_null(bond_choose(bond, 3, true));
}

static void loads_are_balanced(void **state)
{
    create(&(struct bond_config){.mode = BOND_BALANCE_SLB, .rebalance_ms = 10000}, 2);
    for (unsigned b = 0; b < BOND_BUCKETS; b++)
        bond_migrate(bond, (uint8_t)b, bond_find(bond, "p1"));
    for (unsigned b = 0; b < 8; b++)
        bond_account(bond, (uint8_t)b, 1000000);
    n_changed = 0;
    run_to(now + 9999);
    assert_int_equal(buckets_of(1), 0);
    run_to(now + 1);
    assert_true(n_changed > 0);
    unsigned loaded = 0;
    for (unsigned b = 0; b < 8; b++)
        loaded += bond->buckets[b].member->port == &ports[1];
    assert_int_equal(loaded, 4);
    assert_int_equal(bond->buckets[0].bytes, 500000);

    /* Balanced as it is: nothing moves any more, and the past is forgotten. */
    n_changed = 0;
    run_to(now + 300000);
    assert_int_equal(n_changed, 0);
    assert_int_equal(bond->buckets[0].bytes, 0);
}

static void small_differences_do_not_matter(void **state)
{
    create(&(struct bond_config){.mode = BOND_BALANCE_SLB, .rebalance_ms = 10000}, 2);
    for (unsigned b = 0; b < 4; b++)
        bond_migrate(bond, (uint8_t)b, bond_find(bond, b < 2 ? "p1" : "p2"));
    /* Less than 100 kB. */
    bond_account(bond, 0, 50000);
    bond_account(bond, 1, 49000);
    run_to(now + 10000);
    assert_ptr_equal(bond->buckets[0].member->port, &ports[0]);
    assert_ptr_equal(bond->buckets[1].member->port, &ports[0]);
    /* Less than a 32nd of 10 MB. */
    bond_account(bond, 0, 5100000);
    bond_account(bond, 1, 5100000);
    bond_account(bond, 2, 5000000);
    bond_account(bond, 3, 5000000);
    run_to(now + 10000);
    assert_ptr_equal(bond->buckets[1].member->port, &ports[0]);
    /* One flow that is all the load cannot be shared. */
    bond_account(bond, 0, 100000000);
    run_to(now + 10000);
    assert_ptr_equal(bond->buckets[0].member->port, &ports[0]);
}

static void balancing_helps_whatever_the_loads(void **state)
{
    unsigned seed = 1;

    for (int round = 0; round < 300; round++) {
        uint64_t before[MEMBERS] = {0}, after[MEMBERS] = {0}, most_before = 0, most_after = 0;

        create(&(struct bond_config){.mode = BOND_BALANCE_SLB, .rebalance_ms = 1000}, MEMBERS);
        for (unsigned b = 0; b < BOND_BUCKETS; b++) {
            bond_account(bond, (uint8_t)b, rand_r(&seed) % 4 ? 0 : (uint64_t)rand_r(&seed) % 5000000);
            before[(int *)bond->buckets[b].member->port - ports] += bond->buckets[b].bytes;
        }
        run_to(now + 1000);
        for (unsigned b = 0; b < BOND_BUCKETS; b++)
            after[(int *)bond->buckets[b].member->port - ports] += bond->buckets[b].bytes;
        for (int i = 0; i < MEMBERS; i++) {
            most_before = before[i] > most_before ? before[i] : most_before;
            most_after = after[i] > most_after ? after[i] : most_after;
        }
        assert_true(most_after <= most_before / 2);
        bond_destroy(bond);
        bond = NULL;
    }
}

static void lacp_says_whether_a_bond_works(void **state)
{
    struct bond_config config = {.mode = BOND_BALANCE_TCP, .rebalance_ms = 10000};

    create(&config, 2);
    assert_int_equal(bond_way(bond), BOND_NOWHERE); /* without LACP it cannot be */
    assert_int_equal(bond_admits(bond, &ports[0], false), BOND_DROP);
    bond_set_lacp(bond, BOND_LACP_CONFIGURED, now);
    assert_int_equal(bond_way(bond), BOND_NOWHERE);
    assert_int_equal(bond_admits(bond, &ports[0], false), BOND_DROP);
    bond_set_lacp(bond, BOND_LACP_NEGOTIATED, now);
    assert_int_equal(bond_way(bond), BOND_BY_FLOW);
    assert_int_equal(bond_admits(bond, &ports[0], true), BOND_ACCEPT);
    assert_int_equal(bond_admits(bond, &ports[1], true), BOND_ACCEPT);
    assert_false(bond_announces(bond));
    link_of(1, false);
    assert_int_equal(bond_admits(bond, &ports[1], false), BOND_DROP);
    link_of(1, true);

    bond_set_lacp(bond, BOND_LACP_CONFIGURED, now);
    config.fallback = true;
    bond_configure(bond, &config, now);
    assert_int_equal(bond_way(bond), BOND_ACTIVE);
    assert_int_equal(bond_admits(bond, &ports[0], false), BOND_ACCEPT);
    assert_int_equal(bond_admits(bond, &ports[1], false), BOND_DROP);
    assert_true(bond_announces(bond));
    assert_false(bond_is_balanced(bond));
}

static void what_is_taken_depends_on_the_mode(void **state)
{
    struct bond_config config = {.mode = BOND_ACTIVE_BACKUP};
    int stranger;

    create(&config, 2);
    assert_int_equal(bond_admits(bond, &ports[0], true), BOND_ACCEPT);
    assert_int_equal(bond_admits(bond, &ports[1], false), BOND_DROP);
    assert_int_equal(bond_admits(bond, &stranger, false), BOND_DROP);
    config.mode = BOND_BALANCE_SLB;
    bond_configure(bond, &config, now);
    assert_int_equal(bond_admits(bond, &ports[0], true), BOND_DROP_IF_MOVED);
    assert_int_equal(bond_admits(bond, &ports[1], true), BOND_DROP);
    assert_int_equal(bond_admits(bond, &ports[1], false), BOND_DROP_IF_MOVED);
    config.all_members_active = true;
    bond_configure(bond, &config, now);
    assert_int_equal(bond_admits(bond, &ports[1], true), BOND_DROP_IF_MOVED);
}

static void sources_are_spread_by_address_vlan_and_basis(void **state)
{
    unsigned by_vlan = 0, by_basis = 0, seen[BOND_BUCKETS] = {0}, used = 0;

    for (unsigned i = 0; i < 1000; i++) {
        const struct rte_ether_addr mac = {{2, 0, 0, 0, (uint8_t)(i >> 8), (uint8_t)i}};
        uint32_t hash = bond_hash_source(&mac, 5, 1);

        assert_int_equal(hash, bond_hash_source(&mac, 5, 1));
        by_vlan += hash % BOND_BUCKETS != bond_hash_source(&mac, 6, 1) % BOND_BUCKETS;
        by_basis += hash % BOND_BUCKETS != bond_hash_source(&mac, 5, 2) % BOND_BUCKETS;
        used += seen[hash % BOND_BUCKETS]++ == 0;
    }
    assert_true(by_vlan > 900 && by_basis > 900 && used > 240);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(the_active_member_fails_over_and_stays, teardown),
        cmocka_unit_test_teardown(a_primary_takes_over_when_it_can, teardown),
        cmocka_unit_test_teardown(delays_are_kept_unless_nothing_else_is_up, teardown),
        cmocka_unit_test_teardown(operators_choose, teardown),
        cmocka_unit_test_teardown(buckets_are_spread_and_used_ones_stay, teardown),
        cmocka_unit_test_teardown(loads_are_balanced, teardown),
        cmocka_unit_test_teardown(small_differences_do_not_matter, teardown),
        cmocka_unit_test_teardown(balancing_helps_whatever_the_loads, teardown),
        cmocka_unit_test_teardown(lacp_says_whether_a_bond_works, teardown),
        cmocka_unit_test_teardown(what_is_taken_depends_on_the_mode, teardown),
        cmocka_unit_test(sources_are_spread_by_address_vlan_and_basis),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
