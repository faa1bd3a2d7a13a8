#include "src/loop/loop.h"

#include <event2/event.h>
#include <rte_common.h>
#include <rte_cycles.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/clock.h"
#include "pmd/base/memory.h"
#include "pmd/base/priority.h"
#include "src/loop/alarm.h"
#include "src/loop/pace.h"

#define SHARE_OWN_MOST_US 2000 /* of the thread's own time, after which a turn does not go on with LOOP_SHARE */
#define SHARE_STEP_MOST_US 100 /* that a step takes at most, if nothing else gets the core meanwhile */
#define TIMERS_BUDGET_US 100   /* a turn, and at least one of them */
#define EVENTS_US 1000         /* of sockets, where there are more than this */
#define WAITED_PART 4          /* a wait goes on for this part of what it took so far before it is looked at again */

TAILQ_HEAD(jobs, loop_job);

struct loop {
    struct event_base *base;
    struct alarm alarm;
    struct jobs jobs[LOOP_N_PHASES];
    struct loop_job *next; /* of the walk under way */
    uint64_t walk;         /* through the jobs of a phase, since the start */
    struct timers timers;
    bool firing;        /* timers are run: */
    uint64_t firing_us; /* those that were due at that time */
    bool stopped;
    bool kicked;
    bool polled;        /* the sockets were looked at since the last turn */
    bool busy;          /* the last turn left something to do */
    uint64_t share_tsc; /* when the loop last turned from LOOP_SHARE, or sleep, to everything else */
    uint64_t talk_tsc;  /* when a peer was last served, or waited for */
    uint64_t wait_tsc;  /* since when peers wait without being served; 0: none does */
    struct pace_yield yield;
    bool lowered; /* the thread's priority */
    struct loop_account *accounts, *sockets, turns;
    struct moment turn_moment, job_moment; /* before the turn, and before the job, that is under way */
    uint64_t turns_us;                     /* that turns took since turn_moment */
};

/* --- accounts ------------------------------------------------------------ */

static struct loop_account *account_of(struct loop *loop, const char *name)
{
    struct loop_account *account;

    for (account = loop->accounts; account; account = account->next)
        if (!strcmp(account->name, name))
            return account;
    account = calloc(1, sizeof *account);
    if (!account)
        out_of_memory("the event loop", sizeof *account);
    account->name = name;
    account->next = loop->accounts;
    loop->accounts = account;
    return account;
}

const struct loop_account *loop_accounts(const struct loop *loop)
{
    return loop->accounts;
}

const struct loop_account *loop_turns(const struct loop *loop)
{
    return &loop->turns;
}

void loop_clear_longest(struct loop *loop)
{
    struct loop_account *account;

    for (account = loop->accounts; account; account = account->next)
        account->longest_us = account->longest_own_us = 0;
    loop->turns.longest_us = loop->turns.longest_own_us = 0;
}

static uint64_t begin(struct loop *loop)
{
    uint64_t start = rte_rdtsc();

    moment_follow(&loop->job_moment, start);
    return start;
}

/* Charges sockets with the time that the thread took since the last turn while it was asleep otherwise. */
static void note_sleep(struct loop *loop)
{
    uint64_t own_us = moment_own_us(&loop->turn_moment);
    struct loop_account *sockets = loop->sockets;

    if (own_us < loop->turns_us + EVENTS_US)
        return;
    own_us -= loop->turns_us;
    sockets->longest_us = RTE_MAX(sockets->longest_us, own_us);
    sockets->longest_own_us = RTE_MAX(sockets->longest_own_us, own_us);
}

static uint64_t begin_turn(struct loop *loop)
{
    if (us_since(loop->turn_moment.tsc) > MOMENT_US) {
        note_sleep(loop);
        loop->turn_moment = loop->job_moment = moment_now();
        loop->turns_us = 0;
    }
    return rte_rdtsc();
}

static void end_turn(struct loop *loop, uint64_t start)
{
    uint64_t end = account_note(&loop->turns, &loop->turn_moment, start);

    loop->turns_us = loop->turn_moment.tsc > start ? 0 : loop->turns_us + tsc_to_us(end - start);
}

/* --- jobs ---------------------------------------------------------------- */

void loop_add(struct loop *loop, struct loop_job *job)
{
    job->loop = loop;
    job->account = account_of(loop, job->name);
    job->walk = loop->walk;
    TAILQ_INSERT_TAIL(&loop->jobs[job->phase], job, node);
}

void loop_remove(struct loop_job *job)
{
    struct loop *loop = job->loop;

    if (!loop)
        return;
    if (loop->next == job)
        loop->next = TAILQ_NEXT(job, node);
    TAILQ_REMOVE(&loop->jobs[job->phase], job, node);
    job->loop = NULL;
}

/* The job may be gone after it. */
static unsigned run_job(struct loop *loop, struct loop_job *job)
{
    struct loop_account *account = job->account;
    uint64_t start = begin(loop);
    unsigned result = job->run(job->arg, job->budget_us);

    account_note(account, &loop->job_moment, start);
    return result;
}

static unsigned run_phase(struct loop *loop, enum loop_phase phase)
{
    uint64_t walk = ++loop->walk;
    unsigned results = 0;

    for (struct loop_job *job = TAILQ_FIRST(&loop->jobs[phase]); job; job = loop->next) {
        loop->next = TAILQ_NEXT(job, node);
        if (job->walk < walk)
            results |= run_job(loop, job);
    }
    return results;
}

static bool may_sleep(struct loop *loop, enum loop_phase phase)
{
    bool may = true;

    for (struct loop_job *job = TAILQ_FIRST(&loop->jobs[phase]); job; job = loop->next) {
        struct loop_account *account = job->account;

        loop->next = TAILQ_NEXT(job, node);
        if (!job->may_sleep)
            continue;
        uint64_t start = begin(loop);
        may &= job->may_sleep(job->arg);
        account_note(account, &loop->job_moment, start);
    }
    return may;
}

/* --- timers -------------------------------------------------------------- */

void loop_timer_init(struct loop_timer *timer, struct loop *loop, const char *name, loop_timer_fn *fn, void *arg)
{
    *timer = (struct loop_timer){.loop = loop, .account = account_of(loop, name), .fn = fn, .arg = arg};
}

void loop_timer_at(struct loop_timer *timer, uint64_t due_us)
{
    struct loop *loop = timer->loop;

    if (due_us == UINT64_MAX) {
        loop_timer_cancel(timer);
        return;
    }
    if (loop->firing && due_us <= loop->firing_us)
        due_us = loop->firing_us + 1;
    timers_set(&loop->timers, &timer->timer, due_us);
}

void loop_timer_in(struct loop_timer *timer, uint64_t us)
{
    loop_timer_at(timer, clock_now_us() + us);
}

void loop_timer_beat(struct loop_timer *timer, uint64_t period_us)
{
    loop_timer_at(timer, clock_beat(clock_now_us(), period_us));
}

void loop_timer_cancel(struct loop_timer *timer)
{
    if (loop_timer_is_set(timer))
        timers_cancel(&timer->loop->timers, &timer->timer);
}

/* The timer may be gone after it. Returns the TSC of then. */
static uint64_t fire(struct loop *loop, struct loop_timer *timer)
{
    struct loop_account *account = timer->account;
    uint64_t start = begin(loop);

    timer->fn(timer->arg);
    return account_note(account, &loop->job_moment, start);
}

static void run_timers(struct loop *loop)
{
    uint64_t start = rte_rdtsc(), end = start;
    struct timer *timer;

    loop->firing = true;
    loop->firing_us = clock_now_us();
    while (tsc_to_us(end - start) < TIMERS_BUDGET_US && (timer = timers_pop(&loop->timers, loop->firing_us)))
        end = fire(loop, container_of(timer, struct loop_timer, timer));
    loop->firing = false;
}

/* --- turns --------------------------------------------------------------- */

/* Looks at the sockets without waiting. Where their callbacks make each other active, this has an end all the same. */
static void poll_sockets(struct loop *loop)
{
    uint64_t start = begin(loop);

    alarm_within(&loop->alarm, EVENTS_US);
    event_base_loop(loop->base, EVLOOP_NONBLOCK);
    account_note(loop->sockets, &loop->job_moment, start);
}

/* Lets peers on this core read their answers. False: it would cost more than it is worth. */
static bool give_way(struct loop *loop)
{
    uint64_t hz_us = rte_get_tsc_hz() / 1000000, start = rte_rdtsc(), end;

    if (!pace_may_yield(&loop->yield, start / hz_us))
        return false;
    sched_yield();
    end = rte_rdtsc();
    pace_yielded(&loop->yield, (end - start) / hz_us, end / hz_us);
    return true;
}

static void note_wait(struct loop *loop, unsigned results)
{
    if (!(results & LOOP_WAITING))
        loop->wait_tsc = 0;
    else if (!loop->wait_tsc || results & LOOP_ANSWERED)
        loop->wait_tsc = rte_rdtsc();
}

/* Goes on with what peers asked for. Twice if need be: who reads an answer often has the next request ready at once. */
static unsigned serve(struct loop *loop)
{
    unsigned more = 0, results = 0;

    for (int pass = 0; pass < 2; pass++) {
        if (!loop->polled)
            poll_sockets(loop);
        loop->polled = loop->kicked = false;
        results = run_phase(loop, LOOP_REQUESTS);
        more |= results & LOOP_MORE;
        if (results & LOOP_UNSENT)
            poll_sockets(loop);
        if (results & (LOOP_ANSWERED | LOOP_WAITING))
            loop->talk_tsc = rte_rdtsc();
        note_wait(loop, results);
        if (!(results & LOOP_ANSWERED) || !loop->busy || !give_way(loop))
            break;
    }
    return results | more;
}

/* While misses are without end. A peer on this core that has a request ready, or an answer to read, gets the core at
 * once from a thread of lower priority; among equals it waits until the kernel finds that this one had its turn, which
 * may be milliseconds. */
static void give_peers_priority(struct loop *loop, bool lower)
{
    if (lower != loop->lowered && priority_lower(lower))
        loop->lowered = lower;
}

/* Goes on with LOOP_SHARE for its share of the time. A step that took long was interrupted, mostly: that is not its
 * time, unless the thread's processor time says that it was its own, as where the kernel has to find pages for a table
 * that grows. */
static unsigned share(struct loop *loop)
{
    bool talking = us_since(loop->talk_tsc) < PACE_TALK_US;
    uint64_t hz_us = rte_get_tsc_hz() / 1000000, most = SHARE_STEP_MOST_US * hz_us, spent = 0, took;
    uint64_t budget = pace_misses_us(us_since(loop->share_tsc), talking) * hz_us;
    unsigned results;

    do {
        uint64_t start = rte_rdtsc();
        results = run_phase(loop, LOOP_SHARE);
        took = rte_rdtsc() - start;
        spent += RTE_MIN(took, most);
    } while (results & LOOP_MORE && spent < budget &&
             (took <= most || moment_own_us(&loop->turn_moment) < SHARE_OWN_MOST_US));
    give_peers_priority(loop, results & LOOP_MORE);
    loop->share_tsc = rte_rdtsc();
    return results;
}

/* Until a job or timer is due. */
static uint64_t due_us(struct loop *loop)
{
    uint64_t next = timers_next_us(&loop->timers), now = clock_now_us(), us = next > now ? next - now : 0;
    struct loop_job *job;

    for (enum loop_phase phase = 0; phase < LOOP_N_PHASES; phase++)
        TAILQ_FOREACH (job, &loop->jobs[phase], node)
            if (us && job->due_us)
                us = RTE_MIN(us, job->due_us(job->arg));
    return us;
}

/* Mostly a peer waits for a grace period, which takes some ten microseconds. Where it takes longer a poll-mode thread
 * lacks its core, and gets it back the later the more often this thread wakes up meanwhile. */
static uint64_t waiting_us(const struct loop *loop)
{
    const uint64_t waited = loop->wait_tsc ? us_since(loop->wait_tsc) : 0;

    return RTE_MIN(RTE_MAX(waited / WAITED_PART, (uint64_t)LOOP_WAITING_US), (uint64_t)LOOP_SOON_US);
}

static uint64_t sleep_us(struct loop *loop, unsigned results)
{
    uint64_t us = due_us(loop);

    if (results & LOOP_WAITING)
        us = RTE_MIN(us, waiting_us(loop));
    if (results & LOOP_SOON)
        us = RTE_MIN(us, (uint64_t)LOOP_SOON_US);
    return us;
}

/* One turn. Returns how long the loop may sleep for sockets: 0 = there is more to do. */
static uint64_t turn(struct loop *loop)
{
    uint64_t start = begin_turn(loop), us;
    unsigned results = serve(loop) | run_phase(loop, LOOP_CHANGES);

    run_timers(loop);
    for (enum loop_phase phase = LOOP_UPKEEP; phase < LOOP_SHARE; phase++)
        results |= run_phase(loop, phase);
    results |= share(loop);
    loop->busy = results & LOOP_MORE;
    us = loop->busy ? 0 : sleep_us(loop, results);
    end_turn(loop, start);
    return us;
}

uint64_t loop_turn(struct loop *loop)
{
    uint64_t us = turn(loop);

    return loop->kicked ? 0 : us;
}

/* Returns after the sockets were looked at, or at once if there is work for LOOP_SHARE that came since the last look,
 * or the loop is to stop. */
static void sleep_for_sockets(struct loop *loop, uint64_t us)
{
    if (!may_sleep(loop, LOOP_SHARE) || loop->stopped)
        return;
    alarm_within(&loop->alarm, us);
    event_base_loop(loop->base, loop->kicked ? EVLOOP_NONBLOCK : EVLOOP_ONCE);
    loop->polled = true;
    loop->share_tsc = rte_rdtsc();
}

void loop_run(struct loop *loop)
{
    loop->share_tsc = loop->talk_tsc = rte_rdtsc();
    loop->turn_moment = loop->job_moment = moment_now();
    while (!loop->stopped) {
        uint64_t us = turn(loop);
        if (us)
            sleep_for_sockets(loop, us);
    }
}

void loop_stop(struct loop *loop)
{
    loop->stopped = true;
    event_base_loopbreak(loop->base);
}

void loop_kick(struct loop *loop)
{
    loop->kicked = true;
}

/* --- making -------------------------------------------------------------- */

struct event_base *loop_base(const struct loop *loop)
{
    return loop->base;
}

struct loop *loop_create(void)
{
    struct loop *loop = calloc(1, sizeof *loop);

    if (!loop)
        return NULL;
    for (enum loop_phase phase = 0; phase < LOOP_N_PHASES; phase++)
        TAILQ_INIT(&loop->jobs[phase]);
    loop->turns.name = "turns";
    loop->sockets = account_of(loop, "sockets");
    loop->turn_moment = loop->job_moment = moment_now();
    loop->alarm.fd = -1;
    loop->base = event_base_new();
    if (loop->base && !alarm_init(&loop->alarm, loop->base))
        return loop;
    loop_destroy(loop);
    return NULL;
}

void loop_destroy(struct loop *loop)
{
    struct loop_account *account;

    if (!loop)
        return;
    give_peers_priority(loop, false);
    timers_fini(&loop->timers);
    while ((account = loop->accounts)) {
        loop->accounts = account->next;
        free(account);
    }
    alarm_fini(&loop->alarm);
    if (loop->base)
        event_base_free(loop->base);
    free(loop);
}
