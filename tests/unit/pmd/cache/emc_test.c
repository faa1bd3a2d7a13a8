/* The exact-match cache. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/cache/emc.h"
#include "pmd/cache/lookup.h"
#include "tests/lib/eal.h"

#define N_MEGAFLOWS 4096

static struct megaflow_table megaflows;
static struct flow_key mask;

static void key_numbered(struct flow_key *key, uint32_t number)
{
    memset(key, 0, sizeof *key);
    key->ipv4_dst = number;
}

static int setup(void **state)
{
    struct rcu rcu;

    rcu_init(&rcu, 0);
    mask = (struct flow_key){.ipv4_dst = UINT32_MAX};
    assert_int_equal(megaflow_table_init(&megaflows, N_MEGAFLOWS), 0);
    for (uint32_t i = 0; i < N_MEGAFLOWS; i++) {
        struct megaflow *mf = megaflow_alloc(&megaflows, &rcu);
        struct flow_key key;

        key_numbered(&key, i);
        assert_int_equal(megaflow_set_key(mf, &key, &mask, 1), 0);
        megaflow_publish(mf);
    }
    return 0;
}

static int teardown(void **state)
{
    megaflow_table_fini(&megaflows);
    return 0;
}

static struct megaflow_slot *look_up(const struct lookup_ops *ops, struct emc *emc, uint32_t number, uint32_t hash)
{
    static struct flow_key key;
    const uint8_t n_lines = 1;
    struct megaflow_slot *found = NULL;
    const struct lookup lookup = {.slots = megaflows.slots,
                                  .megaflows = megaflows.megaflows,
                                  .keys = &key,
                                  .n_lines = &n_lines,
                                  .hashes = &hash,
                                  .found = &found};

    key_numbered(&key, number);
    return ops->emc(&lookup, emc, 1) != 0 ? found : NULL;
}

static void with_every_variant(void (*check)(const struct lookup_ops *ops))
{
    for (unsigned i = 0; lookup_variants[i]; i++) {
        if (lookup_variants[i]->supported())
            check(lookup_variants[i]);
    }
}

static uint32_t hash_of(uint32_t number)
{
    return (number + 1) * 0x9e3779b1u;
}

static void check_hits(const struct lookup_ops *ops)
{
    struct emc emc;

    assert_int_equal(emc_init(&emc, 10000, SOCKET_ID_ANY), 0);
    assert_in_range(emc.capacity, 10000, 10000 + EMC_WAYS);
    for (uint32_t i = 0; i < N_MEGAFLOWS; i++) {
        assert_null(look_up(ops, &emc, i, hash_of(i)));
        emc_insert(&emc, hash_of(i), i);
        assert_ptr_equal(look_up(ops, &emc, i, hash_of(i)), &megaflows.slots[i]);
    }
    assert_int_equal(emc.n_used, N_MEGAFLOWS);
    /* An entry says nothing that the megaflow does not confirm. */
    for (uint32_t i = 0; i < N_MEGAFLOWS; i++)
        assert_null(look_up(ops, &emc, i + 1, hash_of(i)));
    /* One that is gone is no hit, and its way is free again. */
    megaflows.slots[7].alive = 0;
    assert_null(look_up(ops, &emc, 7, hash_of(7)));
    assert_int_equal(emc.n_used, N_MEGAFLOWS - 1);
    megaflows.slots[7].alive = 1;
    assert_null(look_up(ops, &emc, 7, hash_of(7)));
    emc_fini(&emc);
}

static void a_hit_is_what_the_megaflow_confirms(void **state)
{
    with_every_variant(check_hits);
}

/* Packets that a NIC's hash does not tell apart: as many as there are ways are all found. */
static void check_ties(const struct lookup_ops *ops)
{
    struct emc emc;

    assert_int_equal(emc_init(&emc, 64, SOCKET_ID_ANY), 0);
    for (uint32_t i = 0; i < EMC_WAYS; i++) {
        emc_insert(&emc, 0x12345678, i);
        emc_insert(&emc, 0x12345678, i);
    }
    assert_int_equal(emc.n_used, EMC_WAYS);
    for (uint32_t i = 0; i < EMC_WAYS; i++)
        assert_ptr_equal(look_up(ops, &emc, i, 0x12345678), &megaflows.slots[i]);
    emc_fini(&emc);
}

static void all_ways_with_the_signature_are_tried(void **state)
{
    with_every_variant(check_ties);
}

/* Flows that come back keep their place against ten times as many that do not. */
static void a_scan_does_not_flush_the_cache(void **state)
{
    const struct lookup_ops *ops = lookup_best();

    enum { ACTIVE = 512 };
    unsigned hits = 0, lookups = 0;
    struct emc emc;

    assert_int_equal(emc_init(&emc, 1024, SOCKET_ID_ANY), 0);
    for (uint32_t round = 0; round < 200; round++) {
        for (uint32_t i = 0; i < ACTIVE; i++) {
            bool hit = look_up(ops, &emc, i, hash_of(i));

            if (!hit)
                emc_insert(&emc, hash_of(i), i);
            if (round >= 10) {
                lookups++;
                hits += hit;
            }
            for (uint32_t scan = 0; scan < 10; scan++)
                emc_insert(&emc, hash_of((uint32_t)rand() | 0x10000), N_MEGAFLOWS - 1);
        }
    }
    assert_true(hits > lookups * 9 / 10);
    emc_fini(&emc);
}

/* A new set of flows gets in although the cache is full of old ones. */
static void flows_that_stopped_make_room(void **state)
{
    const struct lookup_ops *ops = lookup_best();
    unsigned hits = 0;
    struct emc emc;

    assert_int_equal(emc_init(&emc, 1024, SOCKET_ID_ANY), 0);
    for (uint32_t i = 0; i < 2000; i++)
        emc_insert(&emc, hash_of(i), i);
    for (uint32_t i = 0; i < 2000; i++)
        look_up(ops, &emc, i, hash_of(i));
    for (uint32_t round = 0; round < 100; round++) {
        for (uint32_t i = 2000; i < 2700; i++) {
            if (!look_up(ops, &emc, i, hash_of(i)))
                emc_insert(&emc, hash_of(i), i);
        }
    }
    for (uint32_t i = 2000; i < 2700; i++)
        hits += look_up(ops, &emc, i, hash_of(i)) != NULL;
    assert_true(hits > 600);
    emc_fini(&emc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_hit_is_what_the_megaflow_confirms, setup, teardown),
        cmocka_unit_test_setup_teardown(all_ways_with_the_signature_are_tried, setup, teardown),
        cmocka_unit_test_setup_teardown(a_scan_does_not_flush_the_cache, setup, teardown),
        cmocka_unit_test_setup_teardown(flows_that_stopped_make_room, setup, teardown),
    };

    if (test_eal_init("emc_test") != 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
