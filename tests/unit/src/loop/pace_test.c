/* How the control thread shares its time: misses keep theirs, peers wait for few of them, and the core is not given
 * away to something that wants it for itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "src/loop/pace.h"

static void somebody_who_talks_waits_for_few_misses(void **state)
{
    assert_int_equal(pace_misses_us(0, false), PACE_MISSES_US);
    assert_int_equal(pace_misses_us(5, false), PACE_MISSES_US);
    assert_int_equal(pace_misses_us(0, true), PACE_MISSES_TALK_US);
    assert_int_equal(pace_misses_us(PACE_MISSES_TALK_US, true), PACE_MISSES_TALK_US);
}

/* Whatever requests come, one after the other without a pause. */
static void misses_keep_half_of_the_time(void **state)
{
    for (uint64_t others_us = 1; others_us <= PACE_MISSES_MOST_US; others_us++) {
        assert_true(pace_misses_us(others_us, true) >= others_us);
        assert_true(pace_misses_us(others_us, false) >= others_us);
    }
}

/* A thread that did not have its core for a second makes nobody wait for a second more. */
static void a_turn_of_misses_has_an_end(void **state)
{
    assert_int_equal(pace_misses_us(1000000, true), PACE_MISSES_MOST_US);
    assert_int_equal(pace_misses_us(UINT64_MAX / 3, false), PACE_MISSES_MOST_US);
    assert_int_equal(pace_misses_us(UINT64_MAX / 2, false), PACE_MISSES_MOST_US);
    assert_int_equal(pace_misses_us(UINT64_MAX, false), PACE_MISSES_MOST_US);
}

static void a_peer_that_is_quick_gets_the_core_each_time(void **state)
{
    struct pace_yield yield = {0};

    for (uint64_t now_us = 1000; now_us < 2000; now_us += 20) {
        assert_true(pace_may_yield(&yield, now_us));
        pace_yielded(&yield, 15, now_us);
    }
}

/* Something else computes on the core, and keeps it for 3 ms whenever it gets it. */
static void something_else_gets_a_tenth_of_the_core_at_most(void **state)
{
    struct pace_yield yield = {0};
    uint64_t now_us = 1000, given_us = 0;

    while (now_us < 10000000) {
        if (pace_may_yield(&yield, now_us)) {
            now_us += 3000;
            given_us += 3000;
            pace_yielded(&yield, 3000, now_us);
        }
        now_us += 50;
    }
    assert_in_range(given_us, 800000, 1000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(somebody_who_talks_waits_for_few_misses),
        cmocka_unit_test(misses_keep_half_of_the_time),
        cmocka_unit_test(a_turn_of_misses_has_an_end),
        cmocka_unit_test(a_peer_that_is_quick_gets_the_core_each_time),
        cmocka_unit_test(something_else_gets_a_tenth_of_the_core_at_most),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
