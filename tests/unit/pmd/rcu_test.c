/* Grace periods and tokens. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>

#include "pmd/rcu.h"
#include "tests/lib/eal.h"

static struct rcu rcu;

static void a_token_waits_for_readers_that_are_online(void **state)
{
    rcu_init(&rcu, 2);
    assert_true(rcu_passed(&rcu, rcu_token(&rcu)));

    rcu_online(&rcu, 0, rcu_observe(&rcu));
    uint64_t token = rcu_token(&rcu);
    assert_false(rcu_passed(&rcu, token));
    /* What was observed before the token does not count, whenever it is published. */
    uint64_t before = rcu_observe(&rcu);
    uint64_t later = rcu_token(&rcu);
    rcu_publish(&rcu, 0, before);
    assert_true(rcu_passed(&rcu, token));
    assert_false(rcu_passed(&rcu, later));
    rcu_offline(&rcu, 0);
    assert_true(rcu_passed(&rcu, later));

    /* Who comes online with what it published last holds up the tokens drawn meanwhile. */
    token = rcu_token(&rcu);
    rcu_online(&rcu, 0, before);
    assert_false(rcu_passed(&rcu, token));
    rcu_publish(&rcu, 0, rcu_observe(&rcu));
    assert_true(rcu_passed(&rcu, token));
}

static void a_sleeper_with_packets_in_its_inbox_holds_up_tokens(void **state)
{
    struct rte_ring *inbox = rte_ring_create("inbox", 8, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
    void *item;

    rcu_init(&rcu, 1);
    rcu.readers[0].inbox = inbox;
    uint64_t token = rcu_token(&rcu);
    assert_true(rcu_passed(&rcu, token));
    rte_ring_enqueue(inbox, &rcu);
    assert_false(rcu_passed(&rcu, token));
    rcu_online(&rcu, 0, RCU_FIRST_TOKEN);
    rte_ring_dequeue(inbox, &item);
    assert_false(rcu_passed(&rcu, token));
    rcu_publish(&rcu, 0, rcu_observe(&rcu));
    assert_true(rcu_passed(&rcu, token));
    rte_ring_free(inbox);
}

static void what_was_touched_is_settled_by_a_token(void **state)
{
    rcu_init(&rcu, 1);
    rcu_online(&rcu, 0, rcu_observe(&rcu));
    assert_true(rcu_settled(&rcu));
    rcu_touch(&rcu);
    assert_false(rcu_settled(&rcu));
    rcu_publish(&rcu, 0, rcu_observe(&rcu));
    assert_false(rcu_settled(&rcu));
    rcu_token(&rcu);
    assert_false(rcu_settled(&rcu));
    /* Later tokens, which nothing was touched before, do not hold it up. */
    uint64_t observed = rcu_observe(&rcu);
    rcu_token(&rcu);
    rcu_publish(&rcu, 0, observed);
    assert_true(rcu_settled(&rcu));
}

static unsigned freed;

static void count_freed(void *ptr)
{
    freed++;
}

static void count_and_defer(void *ptr)
{
    freed++;
    rcu_defer(&rcu, count_freed, NULL);
}

/* Calls rcu_reclaim() until nothing is due; returns the most deferred calls that one of them made. */
static unsigned reclaim_all(void)
{
    unsigned most = 0;
    bool more;

    do {
        unsigned before = freed;

        more = rcu_reclaim(&rcu);
        most = RTE_MAX(most, freed - before);
    } while (more);
    return most;
}

static void deferred_calls_wait_for_a_grace_period(void **state)
{
    rcu_init(&rcu, 1);
    rcu_online(&rcu, 0, rcu_observe(&rcu));
    for (unsigned i = 0; i < 1000; i++)
        rcu_defer(&rcu, i == 500 ? count_and_defer : count_freed, NULL);
    rcu_reclaim(&rcu);
    rcu_reclaim(&rcu);
    assert_int_equal(freed, 0);
    rcu_defer(&rcu, count_freed, NULL);
    rcu_publish(&rcu, 0, rcu_observe(&rcu));
    reclaim_all();
    assert_int_equal(freed, 1000);
    rcu_reclaim(&rcu);
    assert_int_equal(freed, 1000);
    rcu_offline(&rcu, 0);
    reclaim_all();
    assert_int_equal(freed, 1002);
    rcu_defer(&rcu, count_and_defer, NULL);
    rcu_fini(&rcu);
    assert_int_equal(freed, 1004);
}

/* However long a reader takes: what was deferred meanwhile is not called in one go. */
static void a_reclaim_makes_a_bounded_number_of_calls(void **state)
{
    enum { N = 100000 };

    freed = 0;
    rcu_init(&rcu, 1);
    rcu_online(&rcu, 0, rcu_observe(&rcu));
    for (unsigned i = 0; i < N; i++)
        rcu_defer(&rcu, count_freed, NULL);
    assert_false(rcu_reclaim(&rcu));
    for (unsigned i = 0; i < N; i++)
        rcu_defer(&rcu, count_freed, NULL);
    rcu_offline(&rcu, 0);
    assert_in_range(reclaim_all(), 1, 1024);
    assert_int_equal(freed, 2 * N);
    rcu_fini(&rcu);
}

/* --- a writer that poisons what it replaced, a reader that looks --------- */

static uint32_t *shared;
static uint32_t stop, poisoned_seen;

static void poison(void *ptr)
{
    __atomic_store_n((uint32_t *)ptr, 0xdead, __ATOMIC_RELAXED);
    free(ptr);
}

static void *reader_main(void *arg)
{
    uint64_t seen = RCU_FIRST_TOKEN;

    rcu_online(&rcu, 0, seen);
    for (unsigned turn = 0; !__atomic_load_n(&stop, __ATOMIC_RELAXED); turn++) {
        uint64_t token = rcu_observe(&rcu);
        const uint32_t *value = __atomic_load_n(&shared, __ATOMIC_ACQUIRE);

        for (unsigned i = 0; i < 50; i++)
            poisoned_seen += __atomic_load_n(value, __ATOMIC_RELAXED) != 1;
        rcu_publish(&rcu, 0, token);
        seen = token;
        if (turn % 64 == 0) {
            rcu_offline(&rcu, 0);
            rcu_online(&rcu, 0, seen);
        }
    }
    rcu_offline(&rcu, 0);
    return NULL;
}

static void a_reader_never_sees_what_was_freed(void **state)
{
    pthread_t thread;

    rcu_init(&rcu, 1);
    shared = malloc(sizeof *shared);
    *shared = 1;
    assert_int_equal(pthread_create(&thread, NULL, reader_main, NULL), 0);
    for (unsigned i = 0; i < 200000; i++) {
        uint32_t *next = malloc(sizeof *next), *old = shared;

        *next = 1;
        __atomic_store_n(&shared, next, __ATOMIC_RELEASE);
        rcu_defer(&rcu, poison, old);
        rcu_reclaim(&rcu);
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    pthread_join(thread, NULL);
    rcu_fini(&rcu);
    free(shared);
    assert_int_equal(poisoned_seen, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_waits_for_readers_that_are_online),
        cmocka_unit_test(a_sleeper_with_packets_in_its_inbox_holds_up_tokens),
        cmocka_unit_test(what_was_touched_is_settled_by_a_token),
        cmocka_unit_test(deferred_calls_wait_for_a_grace_period),
        cmocka_unit_test(a_reclaim_makes_a_bounded_number_of_calls),
        cmocka_unit_test(a_reader_never_sees_what_was_freed),
    };

    if (test_eal_init("rcu_test") != 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
