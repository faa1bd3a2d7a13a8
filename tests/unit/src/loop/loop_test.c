/* The event loop: timers, phases, how long it sleeps, what it accounts for, and jobs and timers that
 * come and go while it runs. The test sets the clock; nothing sleeps but where it is about sleeping. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <rte_common.h>
#include <rte_cycles.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "pmd/base/clock.h"
#include "pmd/base/priority.h"
#include "src/loop/loop.h"
#include "src/loop/pace.h"
#include "tests/lib/eal.h"

static uint64_t now_us;
static struct loop *loop;
static int usual; /* priority of this process */

static uint64_t test_clock(void)
{
    return now_us;
}

static int setup(void **state)
{
    now_us = 1000000;
    clock_set_source(test_clock);
    loop = loop_create();
    return loop ? 0 : -1;
}

static int teardown(void **state)
{
    loop_destroy(loop);
    clock_set_source(NULL);
    return 0;
}

static const struct loop_account *account(const char *name)
{
    const struct loop_account *found = loop_accounts(loop);

    while (found && strcmp(found->name, name))
        found = found->next;
    assert_non_null(found);
    return found;
}

/* --- timers in the loop -------------------------------------------------- */

static char trace[256];

static void note(const char *what)
{
    strncat(trace, what, sizeof trace - strlen(trace) - 1);
}

struct noter {
    const char *text;
    struct loop_timer timer;
    struct loop_timer *cancels, *sets; /* when it is called */
    struct loop_job *removes;
    uint64_t in_us;
    bool frees; /* itself */
};

static void on_noter(void *arg)
{
    struct noter *noter = arg;

    note(noter->text);
    if (noter->cancels)
        loop_timer_cancel(noter->cancels);
    if (noter->sets)
        loop_timer_in(noter->sets, noter->in_us);
    if (noter->removes)
        loop_remove(noter->removes);
    if (noter->frees)
        free(noter);
}

static void noter_at(struct noter *noter, const char *text, uint64_t due_us)
{
    noter->text = text;
    loop_timer_init(&noter->timer, loop, "noter", on_noter, noter);
    loop_timer_at(&noter->timer, due_us);
}

/* As the loop does, but the sleep takes no time. */
static void run_until(uint64_t end_us)
{
    while (now_us < end_us) {
        uint64_t us = loop_turn(loop);
        now_us = RTE_MIN(us > end_us - now_us ? end_us : now_us + us, end_us);
    }
    loop_turn(loop);
}

static void timers_fire_when_the_clock_says_so(void **state)
{
    struct noter a = {0}, b = {0}, c = {0};

    trace[0] = '\0';
    noter_at(&a, "a", 1000500);
    noter_at(&b, "b", 1000200);
    noter_at(&c, "c", 1000500);
    assert_int_equal(loop_turn(loop), 200);
    assert_string_equal(trace, "");
    now_us += 199;
    assert_int_equal(loop_turn(loop), 1);
    assert_string_equal(trace, "");
    now_us++;
    assert_int_equal(loop_turn(loop), 300);
    assert_string_equal(trace, "b");
    assert_false(loop_timer_is_set(&b.timer));
    now_us += 1000; /* late */
    assert_true(loop_turn(loop) > 1000000);
    assert_string_equal(trace, "bac");
    assert_int_equal(account("noter")->runs, 3);
    /* Set anew instead of the old time. */
    loop_timer_in(&a.timer, 100);
    loop_timer_in(&a.timer, 300);
    run_until(now_us + 299);
    assert_string_equal(trace, "bac");
    run_until(now_us + 1);
    assert_string_equal(trace, "baca");
}

static void timers_of_one_beat_come_in_one_turn(void **state)
{
    struct noter a = {0}, b = {0}, c = {0};

    trace[0] = '\0';
    noter_at(&a, "a", 0);
    noter_at(&b, "b", 0);
    noter_at(&c, "c", 0);
    now_us = 1000013;
    loop_timer_beat(&a.timer, 1000);
    now_us += 400;
    loop_timer_beat(&b.timer, 1000);
    loop_timer_beat(&c.timer, 3000);
    assert_int_equal(loop_turn(loop), 587);
    now_us += 587;
    loop_timer_beat(&a.timer, 1000); /* at a beat: not at this one */
    assert_int_equal(loop_turn(loop), 1000);
    assert_string_equal(trace, "b");
    now_us += 1000;
    loop_turn(loop);
    assert_string_equal(trace, "bca");
}

static void a_callback_may_take_out_and_set_others_and_itself(void **state)
{
    struct noter a = {0}, b = {0}, c = {0}, d = {0}, *e = calloc(1, sizeof *e);

    trace[0] = '\0';
    noter_at(&a, "a", 1000100);
    noter_at(&b, "b", 1000100);
    noter_at(&c, "c", 1000100);
    noter_at(&d, "d", 1000100);
    noter_at(e, "e", 1000100);
    a.cancels = &b.timer; /* which is due now */
    c.sets = &c.timer;    /* at once: that is not this turn */
    d.sets = &a.timer;
    d.in_us = 50;
    e->frees = true;
    now_us = 1000100;
    assert_int_equal(loop_turn(loop), 1);
    assert_string_equal(trace, "acde");
    c.sets = NULL;
    now_us = 1000150;
    loop_turn(loop);
    assert_string_equal(trace, "acdeca");
    loop_timer_cancel(&b.timer); /* one that is not set */
    assert_false(loop_timer_is_set(&b.timer));
}

static void slow(void *arg)
{
    uint64_t end = rte_rdtsc() + rte_get_tsc_hz() / 1000000 * 200;

    while (rte_rdtsc() < end)
        ;
    ++*(unsigned *)arg;
}

/* Requests do not wait for all of them. */
static void many_timers_that_are_due_are_worked_off_in_several_turns(void **state)
{
    struct loop_timer timers[10];
    unsigned fired = 0, turns = 0;

    for (size_t i = 0; i < RTE_DIM(timers); i++) {
        loop_timer_init(&timers[i], loop, "slow", slow, &fired);
        loop_timer_in(&timers[i], 0);
    }
    for (; fired < RTE_DIM(timers); turns++) {
        uint64_t us = loop_turn(loop);
        assert_true(fired > turns); /* each turn does one at least */
        assert_true(fired == RTE_DIM(timers) || us == 0);
    }
    assert_true(turns >= RTE_DIM(timers) / 2);
    assert_true(account("slow")->longest_us >= 200);
}

/* --- jobs ---------------------------------------------------------------- */

struct test_job {
    struct loop_job job;
    const char *text;
    unsigned result;
    uint64_t due_us, budget_us;
    unsigned runs, more_runs; /* runs that say LOOP_MORE */
    struct loop_job *removes, *adds;
    bool frees; /* itself */
};

static unsigned run_test_job(void *arg, uint64_t budget_us)
{
    struct test_job *test = arg;
    unsigned result = test->result;

    note(test->text);
    test->runs++;
    test->budget_us = budget_us;
    if (test->more_runs > 0 && test->more_runs-- > 0)
        result |= LOOP_MORE;
    if (test->removes)
        loop_remove(test->removes);
    if (test->adds)
        loop_add(loop, test->adds);
    test->adds = test->removes = NULL;
    if (test->frees)
        free(test);
    return result;
}

static uint64_t due_of_test_job(void *arg)
{
    const struct test_job *test = arg;

    return test->due_us;
}

static void prepare(struct test_job *test, const char *text, enum loop_phase phase)
{
    test->text = text;
    test->due_us = UINT64_MAX;
    test->job = (struct loop_job){
        .name = text, .phase = phase, .budget_us = 77, .arg = test, .run = run_test_job, .due_us = due_of_test_job};
}

static void add(struct test_job *test, const char *text, enum loop_phase phase)
{
    prepare(test, text, phase);
    loop_add(loop, &test->job);
}

static void phases_come_in_their_order_however_jobs_were_added(void **state)
{
    struct test_job share = {0}, requests = {0}, upkeep = {0}, changes = {0}, reclaim = {0}, second = {0};
    struct noter timer = {0};

    trace[0] = '\0';
    add(&share, "s", LOOP_SHARE);
    add(&reclaim, "l", LOOP_RECLAIM);
    add(&upkeep, "u", LOOP_UPKEEP);
    add(&requests, "r", LOOP_REQUESTS);
    add(&changes, "c", LOOP_CHANGES);
    add(&second, "R", LOOP_REQUESTS);
    noter_at(&timer, "t", now_us);
    loop_turn(loop);
    assert_string_equal(trace, "rRctuls");
    assert_int_equal(requests.budget_us, 77);
    loop_turn(loop);
    assert_string_equal(trace, "rRctulsrRculs");
}

static void what_jobs_return_bounds_the_sleep(void **state)
{
    struct test_job job = {0};
    struct noter timer = {0};

    add(&job, "j", LOOP_UPKEEP);
    assert_true(loop_turn(loop) > UINT64_C(1000000000000));
    job.result = LOOP_SOON;
    assert_int_equal(loop_turn(loop), LOOP_SOON_US);
    job.result = LOOP_WAITING | LOOP_SOON;
    assert_int_equal(loop_turn(loop), LOOP_WAITING_US);
    job.result = LOOP_MORE;
    assert_int_equal(loop_turn(loop), 0);
    job.result = LOOP_ANSWERED;
    job.due_us = 5000;
    assert_int_equal(loop_turn(loop), 5000);
    noter_at(&timer, "", now_us + 3000);
    assert_int_equal(loop_turn(loop), 3000);
    job.due_us = 0;
    assert_int_equal(loop_turn(loop), 0);
    job.due_us = UINT64_MAX;
    job.result = 0;
    loop_kick(loop); /* before the requests of this turn: that is what it was for */
    assert_int_equal(loop_turn(loop), 3000);
}

static void a_long_wait_is_looked_at_less_and_less_often(void **state)
{
    struct test_job job = {0};
    uint64_t us;

    add(&job, "j", LOOP_REQUESTS);
    job.result = LOOP_WAITING;
    assert_int_equal(loop_turn(loop), LOOP_WAITING_US);
    usleep(2000);
    us = loop_turn(loop);
    assert_in_range(us, 500, LOOP_SOON_US);
    usleep(4 * LOOP_SOON_US);
    assert_int_equal(loop_turn(loop), LOOP_SOON_US);
    /* The next peer's wait is a new one, and so is one after a pause. */
    job.result = LOOP_WAITING | LOOP_ANSWERED;
    assert_in_range(loop_turn(loop), LOOP_WAITING_US, LOOP_WAITING_US + 100);
    usleep(2000);
    job.result = 0;
    loop_turn(loop);
    job.result = LOOP_WAITING;
    assert_int_equal(loop_turn(loop), LOOP_WAITING_US);
}

static unsigned kick(void *arg, uint64_t budget_us)
{
    if (*(bool *)arg)
        loop_kick(loop);
    return 0;
}

static void a_kick_keeps_the_loop_awake_for_a_turn(void **state)
{
    bool kicks = true;
    struct loop_job job = {.name = "kicks", .phase = LOOP_CHANGES, .arg = &kicks, .run = kick};

    loop_add(loop, &job);
    assert_int_equal(loop_turn(loop), 0);
    kicks = false;
    assert_true(loop_turn(loop) > 0);
}

/* An answer, and a next request that is there by then. */
static void requests_are_served_twice_where_there_is_more_to_do(void **state)
{
    struct test_job requests = {0}, busy = {0};

    add(&requests, "r", LOOP_REQUESTS);
    add(&busy, "b", LOOP_UPKEEP);
    requests.result = LOOP_ANSWERED;
    loop_turn(loop);
    assert_int_equal(requests.runs, 1); /* the loop would sleep anyway */
    busy.result = LOOP_MORE;
    loop_turn(loop);
    assert_int_equal(requests.runs, 2);
    loop_turn(loop);
    assert_int_equal(requests.runs, 4);
    requests.result = 0;
    loop_turn(loop);
    assert_int_equal(requests.runs, 5);
}

/* What one pass through the requests left to do is not forgotten by the second. */
static void more_of_the_first_pass_counts(void **state)
{
    struct test_job requests = {0}, busy = {0};

    add(&requests, "r", LOOP_REQUESTS);
    add(&busy, "b", LOOP_UPKEEP);
    busy.more_runs = 1;
    loop_turn(loop);
    requests.result = LOOP_ANSWERED;
    requests.more_runs = 1;
    assert_int_equal(loop_turn(loop), 0);
    assert_int_equal(requests.runs, 3);
}

static void work_without_end_gets_its_share(void **state)
{
    struct test_job share = {0}, requests = {0};
    uint64_t start = rte_rdtsc();

    add(&share, "s", LOOP_SHARE);
    add(&requests, "r", LOOP_REQUESTS);
    share.more_runs = 3;
    while (share.runs < 4)
        loop_turn(loop);
    assert_int_equal(loop_turn(loop) > 0, true);
    assert_int_equal(share.runs, 5);

    share.result = LOOP_MORE;
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(loop_turn(loop), 0);
    assert_true(share.runs > 100);
    /* Each turn had its end, though the work had none. */
    assert_true(us_since(start) < 20 * 20 * PACE_MISSES_MOST_US);
}

static void jobs_come_and_go_while_the_loop_walks(void **state)
{
    struct test_job a = {0}, b = {0}, c = {0}, d = {0}, e = {0}, *f = calloc(1, sizeof *f);

    trace[0] = '\0';
    add(&a, "a", LOOP_CHANGES);
    add(&b, "b", LOOP_CHANGES);
    add(&c, "c", LOOP_CHANGES);
    add(f, "f", LOOP_CHANGES);
    prepare(&d, "d", LOOP_CHANGES);
    prepare(&e, "e", LOOP_RECLAIM);
    a.removes = &b.job; /* the next one */
    a.adds = &d.job;
    c.removes = &c.job; /* itself */
    c.adds = &e.job;    /* in a later phase: this turn */
    loop_turn(loop);
    assert_string_equal(trace, "acfe");
    loop_turn(loop);
    assert_string_equal(trace, "acfeafde");
    loop_remove(&b.job); /* one that is not registered */
    /* It may be gone when its run is over. */
    f->removes = &f->job;
    f->frees = true;
    loop_turn(loop);
    loop_turn(loop);
    assert_string_equal(trace, "acfeafdeafdeade");
    /* The last and the first of a phase, from elsewhere. */
    struct noter timer = {.removes = &e.job};
    noter_at(&timer, "t", now_us);
    loop_turn(loop);
    assert_string_equal(trace, "acfeafdeafdeadeadt");
}

/* A job that takes itself out and in again does not keep the walk from its end. */
static void a_job_added_in_its_phase_runs_in_the_next_turn(void **state)
{
    struct test_job a = {0};

    trace[0] = '\0';
    add(&a, "a", LOOP_UPKEEP);
    for (unsigned i = 1; i <= 3; i++) {
        a.removes = a.adds = &a.job;
        loop_turn(loop);
        assert_int_equal(a.runs, i);
    }
}

/* --- accounts ------------------------------------------------------------ */

static unsigned spin(void *arg, uint64_t budget_us)
{
    uint64_t end = rte_rdtsc() + rte_get_tsc_hz() / 1000000 * *(uint64_t *)arg;

    while (rte_rdtsc() < end)
        ;
    return 0;
}

static unsigned doze(void *arg, uint64_t budget_us)
{
    usleep(*(useconds_t *)arg);
    return 0;
}

static void accounts_tell_long_from_interrupted(void **state)
{
    uint64_t spin_us = 3000;
    useconds_t doze_us = 4000;
    struct loop_job spins = {.name = "spins", .phase = LOOP_UPKEEP, .arg = &spin_us, .run = spin};
    struct loop_job same = {.name = "spins", .phase = LOOP_CHANGES, .arg = &spin_us, .run = spin};
    struct loop_job dozes = {.name = "dozes", .phase = LOOP_RECLAIM, .arg = &doze_us, .run = doze};

    loop_add(loop, &spins);
    loop_add(loop, &same);
    loop_add(loop, &dozes);
    for (int i = 0; i < 5; i++)
        loop_turn(loop);
    /* One name, one account. */
    assert_int_equal(account("spins")->runs, 10);
    assert_int_equal(account("dozes")->runs, 5);
    assert_int_equal(loop_turns(loop)->runs, 5);
    assert_true(account("spins")->longest_us >= 3000);
    assert_true(account("spins")->longest_own_us <= account("spins")->longest_us);
    assert_true(tsc_to_us(account("spins")->total_tsc) >= 30000);
    assert_true(account("dozes")->longest_us >= 4000);
    assert_true(account("dozes")->longest_own_us < 2500);
    assert_true(loop_turns(loop)->longest_us >= 10000);
    assert_true(loop_turns(loop)->longest_own_us <= loop_turns(loop)->longest_us - 3000);

    loop_clear_longest(loop);
    assert_int_equal(account("spins")->longest_us, 0);
    assert_int_equal(account("spins")->longest_own_us, 0);
    assert_int_equal(account("spins")->runs, 10);
    assert_int_equal(loop_turns(loop)->longest_us, 0);
    assert_int_equal(loop_turns(loop)->runs, 5);
    loop_remove(&spins);
    assert_int_equal(account("spins")->runs, 10);
    spin_us = 0;
    loop_turn(loop);
    assert_true(account("spins")->longest_us < 3000);
}

/* --- running ------------------------------------------------------------- */

static bool work; /* for who_asks_before_a_sleep_keeps_the_loop_awake */
static unsigned asked;

static bool ask(void *arg)
{
    asked++;
    if (asked == 3)
        loop_stop(loop);
    return !work;
}

static void who_asks_before_a_sleep_keeps_the_loop_awake(void **state)
{
    struct test_job job = {0};
    uint64_t start;

    clock_set_source(NULL);
    prepare(&job, "j", LOOP_SHARE);
    job.job.may_sleep = ask;
    job.due_us = 3600000000; /* it would sleep for an hour */
    loop_add(loop, &job.job);
    work = true;
    asked = 0;
    start = rte_rdtsc();
    loop_run(loop);
    assert_int_equal(asked, 3);
    assert_int_equal(job.runs, 3);
    assert_true(us_since(start) < 10000000);
}

static struct loop_timer periodic;
static uint64_t periodic_due, periodic_latest;
static unsigned periods;

static void on_period(void *arg)
{
    periodic_latest = RTE_MAX(periodic_latest, clock_now_us() - periodic_due);
    assert_true(clock_now_us() >= periodic_due);
    if (++periods == 20) {
        loop_stop(loop);
        return;
    }
    periodic_due = clock_now_us() + 700 * periods;
    loop_timer_at(&periodic, periodic_due);
}

/* By the real clock: neither too early nor with a turn that only finds out that it is too early. */
static void the_loop_sleeps_until_a_timer_is_due(void **state)
{
    struct timespec before, after;

    clock_set_source(NULL);
    loop_timer_init(&periodic, loop, "periodic", on_period, NULL);
    periodic_due = clock_now_us() + 500;
    loop_timer_at(&periodic, periodic_due);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
    loop_run(loop);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
    assert_int_equal(periods, 20);
    assert_in_range(loop_turns(loop)->runs, 20, 45);
    assert_true((after.tv_sec - before.tv_sec) * 1000000000 + after.tv_nsec - before.tv_nsec < 40000000);
}

static int pipe_fd[2];

static void on_pipe(evutil_socket_t fd, short what, void *arg)
{
    char byte;

    assert_int_equal(read(fd, &byte, 1), 1);
    note(&(char[]){byte, 0}[0]);
    if (byte == 'x')
        loop_stop(loop);
}

static unsigned write_x(void *arg, uint64_t budget_us)
{
    ++*(unsigned *)arg;
    note("w");
    assert_int_equal(write(pipe_fd[1], "x", 1), 1);
    return 0;
}

/* Sockets are looked at before the jobs of a turn, and end a sleep. */
static void sockets_end_a_sleep(void **state)
{
    unsigned runs = 0;
    struct loop_job job = {.name = "writes", .phase = LOOP_UPKEEP, .arg = &runs, .run = write_x};

    trace[0] = '\0';
    assert_int_equal(pipe(pipe_fd), 0);
    struct event *event = event_new(loop_base(loop), pipe_fd[0], EV_READ | EV_PERSIST, on_pipe, NULL);
    assert_int_equal(event_add(event, NULL), 0);
    assert_int_equal(write(pipe_fd[1], "a", 1), 1);
    loop_add(loop, &job);
    loop_run(loop);
    assert_string_equal(trace, "awx");
    event_free(event);
    close(pipe_fd[0]);
    close(pipe_fd[1]);
}

static unsigned write_answer(void *arg, uint64_t budget_us)
{
    unsigned *runs = arg;

    return ++*runs == 1 && write(pipe_fd[1], "u", 1) == 1 ? LOOP_ANSWERED | LOOP_UNSENT : 0;
}

/* What a job has left for the sockets to do is done before the turn goes on. */
static void unsent_answers_go_out_at_once(void **state)
{
    unsigned runs = 0;
    struct loop_job answers = {.name = "answers", .phase = LOOP_REQUESTS, .arg = &runs, .run = write_answer};
    struct test_job changes = {0};

    trace[0] = '\0';
    assert_int_equal(pipe(pipe_fd), 0);
    struct event *event = event_new(loop_base(loop), pipe_fd[0], EV_READ | EV_PERSIST, on_pipe, NULL);
    assert_int_equal(event_add(event, NULL), 0);
    loop_add(loop, &answers);
    add(&changes, "c", LOOP_CHANGES);
    loop_turn(loop);
    assert_string_equal(trace, "uc");
    event_free(event);
    close(pipe_fd[0]);
    close(pipe_fd[1]);
}

static unsigned without_end(void *arg, uint64_t budget_us)
{
    return LOOP_MORE;
}

static void assert_priority(int steps)
{
    errno = 0;
    assert_int_equal(getpriority(PRIO_PROCESS, 0), usual + steps);
    assert_int_equal(errno, 0);
}

static void *note_priority(void *arg)
{
    priority_inherit_usual();
    *(int *)arg = getpriority(PRIO_PROCESS, 0);
    return NULL;
}

/* Only as long as there is more to do; threads that are made meanwhile do not keep it. */
static void peers_get_the_core_before_work_without_end(void **state)
{
    struct loop_job misses = {.name = "misses", .phase = LOOP_SHARE, .run = without_end};
    pthread_t thread;
    int priority = 0;

    loop_turn(loop);
    assert_priority(0);
    loop_add(loop, &misses);
    loop_turn(loop);
    assert_priority(PRIORITY_STEPS);
    assert_int_equal(pthread_create(&thread, NULL, note_priority, &priority), 0);
    pthread_join(thread, NULL);
    assert_int_equal(priority, usual);
    loop_remove(&misses);
    loop_turn(loop);
    assert_priority(0);
}

/* An operator's renice(1) counts, whenever it comes. */
static void a_priority_that_somebody_gives_the_thread_stays(void **state)
{
    struct loop_job misses = {.name = "misses", .phase = LOOP_SHARE, .run = without_end};

    assert_int_equal(setpriority(PRIO_PROCESS, 0, usual + 2), 0);
    loop_add(loop, &misses);
    loop_turn(loop);
    assert_priority(2 + PRIORITY_STEPS);
    assert_int_equal(setpriority(PRIO_PROCESS, 0, usual + 1), 0);
    loop_remove(&misses);
    loop_turn(loop);
    assert_priority(1);
    loop_add(loop, &misses);
    loop_turn(loop);
    assert_priority(1 + PRIORITY_STEPS);
    loop_remove(&misses);
    loop_turn(loop);
    assert_priority(1);
    assert_int_equal(setpriority(PRIO_PROCESS, 0, usual), 0);
}

/* As for a user who may not raise a priority. */
static void a_priority_that_cannot_be_raised_is_not_lowered(void **state)
{
    if (fork() == 0) {
        struct rlimit none = {0};
        priority_init();
        if (setrlimit(RLIMIT_NICE, &none) || setuid(65534))
            _exit(2);
        _exit(priority_lower(true) || getpriority(PRIO_PROCESS, 0) != usual);
    }
    int status;
    wait(&status);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(timers_fire_when_the_clock_says_so),
        TEST(timers_of_one_beat_come_in_one_turn),
        TEST(a_callback_may_take_out_and_set_others_and_itself),
        TEST(many_timers_that_are_due_are_worked_off_in_several_turns),
        TEST(phases_come_in_their_order_however_jobs_were_added),
        TEST(what_jobs_return_bounds_the_sleep),
        TEST(a_long_wait_is_looked_at_less_and_less_often),
        TEST(a_kick_keeps_the_loop_awake_for_a_turn),
        TEST(requests_are_served_twice_where_there_is_more_to_do),
        TEST(more_of_the_first_pass_counts),
        TEST(work_without_end_gets_its_share),
        TEST(jobs_come_and_go_while_the_loop_walks),
        TEST(a_job_added_in_its_phase_runs_in_the_next_turn),
        TEST(accounts_tell_long_from_interrupted),
        TEST(who_asks_before_a_sleep_keeps_the_loop_awake),
        TEST(the_loop_sleeps_until_a_timer_is_due),
        TEST(sockets_end_a_sleep),
        TEST(unsent_answers_go_out_at_once),
        TEST(peers_get_the_core_before_work_without_end),
        TEST(a_priority_that_somebody_gives_the_thread_stays),
        TEST(a_priority_that_cannot_be_raised_is_not_lowered),
    };

    if (test_eal_init("loop_test") != 0)
        return 1;
    usual = getpriority(PRIO_PROCESS, 0);
    priority_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
