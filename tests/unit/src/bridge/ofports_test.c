/* Which OpenFlow port numbers ports get: the rules one by one, then all of them under random use against a simple
 * model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "src/bridge/ofports.h"
#include "src/match/flow.h"

#define HOUR OFPORTS_REST_MS

static int holders[70000];
static void *displaced;

static uint32_t take(struct ofports *ofports, unsigned holder, uint32_t request, uint32_t last, uint64_t now_ms)
{
    return ofports_take(ofports, &holders[holder], request, last, now_ms, &displaced);
}

static void numbers_count_up_and_rest_for_an_hour(void **state)
{
    struct ofports *ofports = ofports_create();

    for (uint32_t i = 1; i <= 3; i++)
        assert_int_equal(take(ofports, i, OFPORT_NONE, OFPORT_NONE, 0), i);
    ofports_give_back(ofports, 2, true, 0);
    assert_int_equal(take(ofports, 4, OFPORT_NONE, OFPORT_NONE, 1), 4);
    /* Whoever had it may have it back at once. */
    assert_int_equal(take(ofports, 2, OFPORT_NONE, 2, 1), 2);
    ofports_give_back(ofports, 2, true, 1);
    /* What was never seen need not rest. */
    assert_int_equal(take(ofports, 5, OFPORT_NONE, OFPORT_NONE, 1), 5);
    ofports_give_back(ofports, 5, false, 1);
    for (uint32_t i = 6; i <= OFPORTS_AUTO_MAX; i++)
        assert_int_equal(take(ofports, i, OFPORT_NONE, OFPORT_NONE, 1), i);
    assert_int_equal(take(ofports, 5, OFPORT_NONE, OFPORT_NONE, 1), 5);
    /* None is left but the one that rests, then none at all. */
    assert_int_equal(take(ofports, 2, OFPORT_NONE, OFPORT_NONE, 1), 2);
    assert_int_equal(take(ofports, 40000, OFPORT_NONE, OFPORT_NONE, 1), OFPORT_NONE);
    ofports_give_back(ofports, 9, true, 20);
    ofports_give_back(ofports, 7, true, 30);
    assert_int_equal(take(ofports, 7, OFPORT_NONE, OFPORT_NONE, 40), 9);
    ofports_give_back(ofports, 7, true, 30);
    assert_int_equal(take(ofports, 9, OFPORT_NONE, OFPORT_NONE, 30 + HOUR), 7);
    ofports_free(ofports);
}

static void who_asks_gets_it(void **state)
{
    struct ofports *ofports = ofports_create();

    assert_int_equal(take(ofports, 1, OFPORT_NONE, OFPORT_NONE, 0), 1);
    assert_int_equal(take(ofports, 2, 1, OFPORT_NONE, 0), 1);
    assert_ptr_equal(displaced, &holders[1]);
    assert_int_equal(take(ofports, 1, OFPORT_NONE, OFPORT_NONE, 0), 2);
    /* The first that asked keeps it. */
    assert_int_equal(take(ofports, 3, 1, OFPORT_NONE, 0), 3);
    assert_null(displaced);
    ofports_set_requested(ofports, 1, false);
    assert_int_equal(take(ofports, 4, 1, OFPORT_NONE, 0), 1);
    assert_ptr_equal(displaced, &holders[2]);
    assert_int_equal(take(ofports, 5, OFPORT_USER_MAX, OFPORT_NONE, 0), OFPORT_USER_MAX);
    assert_int_equal(take(ofports, 6, OFPORT_LOCAL, OFPORT_NONE, 0), OFPORT_LOCAL);
    assert_int_equal(take(ofports, 7, OFPORT_LOCAL, 12, 0), OFPORT_NONE);
    ofports_give_back(ofports, OFPORT_LOCAL, true, 0);
    assert_int_equal(take(ofports, 7, OFPORT_LOCAL, OFPORT_NONE, 0), OFPORT_LOCAL);
    ofports_free(ofports);
}

/* --- under random use ---------------------------------------------------- */

#define N_HOLDERS 400
#define N_NUMBERS 600 /* that are asked for, or were had before */

struct model {
    uint32_t number[N_HOLDERS]; /* OFPORT_NONE: none */
    bool requested[N_HOLDERS];
    uint64_t freed_ms[OFPORTS_AUTO_MAX + 1];
    bool rests[OFPORTS_AUTO_MAX + 1];
};

static int holder_of(const struct model *model, uint32_t number)
{
    for (int i = 0; i < N_HOLDERS; i++)
        if (model->number[i] == number)
            return i;
    return -1;
}

static void check_take(struct model *model, struct ofports *ofports, int who, uint32_t request, uint32_t last,
                       uint64_t now_ms)
{
    int had_request = request == OFPORT_NONE ? -1 : holder_of(model, request);
    int had_last = last == OFPORT_NONE ? -1 : holder_of(model, last);
    uint32_t got = take(ofports, (unsigned)who, request, last, now_ms);

    assert_int_not_equal(got, OFPORT_NONE);
    if (displaced) {
        int moved = (int)((int *)displaced - holders);

        assert_int_equal(got, request);
        assert_int_equal(model->number[moved], got);
        assert_false(model->requested[moved]);
        model->number[moved] = OFPORT_NONE;
    }
    assert_int_equal(holder_of(model, got), -1);
    if (request != OFPORT_NONE && (had_request < 0 || !model->requested[had_request])) {
        assert_int_equal(got, request);
    } else if (last != OFPORT_NONE && had_last < 0) {
        assert_int_equal(got, last);
    } else {
        assert_true(got <= OFPORTS_AUTO_MAX);
        assert_true(!model->rests[got] || now_ms - model->freed_ms[got] >= HOUR);
    }
    model->number[who] = got;
    model->requested[who] = got == request;
    if (got <= OFPORTS_AUTO_MAX)
        model->rests[got] = false;
}

static void two_ports_never_have_one_number(void **state)
{
    struct ofports *ofports = ofports_create();
    struct model *model = calloc(1, sizeof *model);
    uint64_t now_ms = 0;

    assert_non_null(model);
    srandom(7);
    for (int round = 0; round < 60000; round++) {
        int who = (int)(random() % N_HOLDERS);
        uint32_t number = model->number[who];

        now_ms += (uint64_t)(random() % 1000);
        if (number == OFPORT_NONE) {
            uint32_t request = random() % 3 ? OFPORT_NONE : (uint32_t)(1 + random() % N_NUMBERS);
            uint32_t last = random() % 3 ? OFPORT_NONE : (uint32_t)(1 + random() % N_NUMBERS);

            check_take(model, ofports, who, request, last, now_ms);
            continue;
        }
        model->rests[number] = random() % 4;
        model->freed_ms[number] = now_ms;
        model->number[who] = OFPORT_NONE;
        ofports_give_back(ofports, number, model->rests[number], now_ms);
    }
    free(model);
    ofports_free(ofports);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_count_up_and_rest_for_an_hour),
        cmocka_unit_test(who_asks_gets_it),
        cmocka_unit_test(two_ports_never_have_one_number),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
