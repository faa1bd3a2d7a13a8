/* The heap of timers against a model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "src/loop/timers.h"

#define TIMERS 300
#define STEPS 200000

static struct timers heap;
static struct timer set[TIMERS];
static struct {
    uint64_t due, order; /* order 0: not set */
} model[TIMERS];

/* Which is due first, by looking at all of them. TIMERS: none is set. */
static unsigned model_first(void)
{
    unsigned first = TIMERS;

    for (unsigned i = 0; i < TIMERS; i++)
        if (model[i].order && (first == TIMERS || model[i].due < model[first].due ||
                               (model[i].due == model[first].due && model[i].order < model[first].order)))
            first = i;
    return first;
}

static void check_heap(void)
{
    for (uint32_t place = 1; place <= heap.n; place++) {
        assert_int_equal(heap.heap[place]->place, place);
        assert_true(place == 1 || heap.heap[place / 2]->due_us <= heap.heap[place]->due_us);
    }
}

static void timers_come_in_the_order_in_which_they_are_due(void **state)
{
    uint64_t order = 0, now = 0, popped = 0;

    srand(7);
    for (unsigned step = 0; step < STEPS; step++) {
        unsigned i = (unsigned)rand() % TIMERS, first;
        switch (rand() % 4) {
        case 0:
        case 1:
            model[i].due = now + (unsigned)rand() % 50;
            model[i].order = ++order;
            timers_set(&heap, &set[i], model[i].due);
            break;
        case 2:
            model[i].order = 0;
            timers_cancel(&heap, &set[i]);
            break;
        case 3:
            now += (unsigned)rand() % 3;
            first = model_first();
            assert_int_equal(timers_next_us(&heap), first == TIMERS ? UINT64_MAX : model[first].due);
            if (first == TIMERS || model[first].due > now) {
                assert_null(timers_pop(&heap, now));
            } else {
                assert_ptr_equal(timers_pop(&heap, now), &set[first]);
                model[first].order = 0;
                popped++;
            }
        }
        if (step % 1000 == 0)
            check_heap();
    }
    assert_true(popped > STEPS / 20);
    timers_fini(&heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_come_in_the_order_in_which_they_are_due),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
