/* When what is wanted is applied: at once, whoever says it, and when in a turn of the event loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "src/app/apply.h"
#include "src/app/switch.h"
#include "src/config/model.h"
#include "src/loop/loop.h"
#include "tests/lib/eal.h"

static struct sluice sw;
static struct loop_timer timer;

static int setup(void **state)
{
    sw = (struct sluice){.loop = loop_create()};
    if (!sw.loop)
        return -1;
    sw.apply = apply_create(&sw);
    return 0;
}

static int teardown(void **state)
{
    apply_destroy(sw.apply);
    loop_destroy(sw.loop);
    return 0;
}

static void say(void)
{
    struct config *config = config_default();

    apply_set_options(sw.apply, config);
    config_free(config);
}

static unsigned run_and_say(void *arg, uint64_t budget_us)
{
    say();
    return 0;
}

static void say_by_timer(void *arg)
{
    say();
}

/* The database's job comes behind the one that applies, and so do timers: who waits for the next event, by which that
 * one runs again, waits for up to half a second. */
static void what_comes_late_in_a_turn_is_begun_in_the_next(void **state)
{
    struct loop_job later = {.name = "later", .phase = LOOP_CHANGES, .run = run_and_say};

    assert_int_not_equal(loop_turn(sw.loop), 0);
    loop_add(sw.loop, &later);
    assert_int_equal(loop_turn(sw.loop), 0);
    loop_remove(&later);
}

static void what_a_timer_says_is_begun_in_the_next_turn(void **state)
{
    loop_timer_init(&timer, sw.loop, "timer", say_by_timer, NULL);
    loop_timer_in(&timer, 0);
    assert_int_equal(loop_turn(sw.loop), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_comes_late_in_a_turn_is_begun_in_the_next, setup, teardown),
        cmocka_unit_test_setup_teardown(what_a_timer_says_is_begun_in_the_next_turn, setup, teardown),
    };

    if (test_eal_init("apply_test") != 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
