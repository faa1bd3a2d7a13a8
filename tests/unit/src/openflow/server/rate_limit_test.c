/* The token bucket of packet-ins: its rate, its burst, and clocks that stand still or jump. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "src/openflow/server/rate_limit.h"

static unsigned take_all(struct of_rate_limit *limit, uint32_t rate, uint32_t burst, uint64_t now_ms)
{
    unsigned n = 0;

    while (n < 100000 && of_rate_limit_take(limit, rate, burst, now_ms))
        n++;
    return n;
}

static void gives_the_burst_then_the_rate(void **state)
{
    struct of_rate_limit limit;
    unsigned n = 0;

    of_rate_limit_init(&limit, 25, 1000);
    assert_int_equal(take_all(&limit, 333, 25, 1000), 25);
    for (uint64_t ms = 1001; ms <= 11000; ms++)
        n += take_all(&limit, 333, 25, ms);
    assert_int_equal(n, 3330);
    assert_int_equal(take_all(&limit, 333, 25, UINT64_MAX), 25);
}

static void a_clock_that_goes_back_gives_nothing(void **state)
{
    struct of_rate_limit limit;

    of_rate_limit_init(&limit, 5, 1000);
    assert_int_equal(take_all(&limit, 100, 5, 900), 5);
    assert_int_equal(take_all(&limit, 100, 5, 800), 0);
}

static void no_rate_is_no_limit(void **state)
{
    struct of_rate_limit limit;

    of_rate_limit_init(&limit, 1, 0);
    assert_int_equal(take_all(&limit, 0, 1, 0), 100000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_the_burst_then_the_rate),
        cmocka_unit_test(a_clock_that_goes_back_gives_nothing),
        cmocka_unit_test(no_rate_is_no_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
