/* The event loop of the control thread: sockets, jobs, timers. It knows none of the parts that it runs; they register
 * their jobs and timers with it, at any time. Control thread only; needs the EAL, whose TSC it reads.
 *
 * One turn: the sockets that are ready, then the jobs phase by phase. If a job has more to do the next turn follows at
 * once, otherwise the loop sleeps until a socket is ready or a job or timer is due. A run of a job stays within its
 * budget, and that of a timer is short: nothing takes longer than 10 ms. How long each takes is accounted for by name.
 *
 * Jobs and timers are memory of their owners, zeroed at first. They may be added, set and taken out while the loop runs
 * others, and by themselves; one that was taken out may be freed at once.
 */
#ifndef SRC_LOOP_LOOP_H
#define SRC_LOOP_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "src/loop/account.h"
#include "src/loop/timers.h"

struct event_base;
struct loop;

/* What comes first in a turn. Timers that are due come between LOOP_CHANGES and LOOP_UPKEEP. */
enum loop_phase {
    LOOP_REQUESTS, /* what peers asked for; twice in a turn if they had answers and may have the next request ready */
    LOOP_CHANGES,  /* what changes take: revalidation */
    LOOP_UPKEEP,   /* counting, expiry: what is always there to be done */
    LOOP_RECLAIM,  /* memory and numbers that are free again */
    LOOP_SHARE,    /* work that may be without end: in small steps for the share of the time that pace.h gives it */
    LOOP_N_PHASES
};

/* What a run returns, or-ed. */
#define LOOP_MORE 0x01     /* there is more to do at once. Of LOOP_SHARE: another step */
#define LOOP_WAITING 0x02  /* a peer's request waits for the datapath, or has more to do: see LOOP_WAITING_US */
#define LOOP_SOON 0x04     /* to be run within a millisecond */
#define LOOP_ANSWERED 0x08 /* a peer may have something to read */
#define LOOP_UNSENT 0x10   /* ... once the loop has looked at the sockets, which it does at once then */

/* How soon a job that waits is run again, at first; the longer it waits, the longer the pauses, up to LOOP_SOON_US. */
#define LOOP_WAITING_US 20
#define LOOP_SOON_US 1000

struct loop_job {
    const char *name; /* in listings; jobs of one name are one account. Not copied */
    enum loop_phase phase;
    uint64_t budget_us; /* for run() */
    void *arg;
    /* Does something, for about `budget_us`. */
    unsigned (*run)(void *arg, uint64_t budget_us);
    /* In how many microseconds it wants to be run again; 0 = at once. Asked after every turn. NULL: run() says it all.
     */
    uint64_t (*due_us)(void *arg);
    /* Before the loop sleeps: has work that comes end the sleep, and looks once more. False: there is work. NULL: it
     * takes nothing. */
    bool (*may_sleep)(void *arg);

    /* The loop's. */
    struct loop *loop; /* NULL: not registered */
    struct loop_account *account;
    uint64_t walk; /* it runs in later ones */
    TAILQ_ENTRY(loop_job) node;
};

typedef void loop_timer_fn(void *arg);

struct loop_timer {
    struct timer timer;
    struct loop *loop;
    struct loop_account *account;
    loop_timer_fn *fn;
    void *arg;
};

/* NULL with errno. */
struct loop *loop_create(void);
/* The last of all: jobs and timers that are still registered are not touched, nor to be taken out after it. NULL is
 * allowed. */
void loop_destroy(struct loop *loop);
/* For sockets and signals. Their callbacks run in turns, and while the loop sleeps, before the jobs. */
struct event_base *loop_base(const struct loop *loop);

/* Turns until loop_stop(), which may come first. */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);
/* One turn, without a sleep. Returns how long the loop might sleep then, in microseconds; 0: there is more to do. */
uint64_t loop_turn(struct loop *loop);
/* Another turn is wanted without a sleep before it: there is something for jobs of LOOP_REQUESTS. */
void loop_kick(struct loop *loop);

/* The job runs from the next turn on. */
void loop_add(struct loop *loop, struct loop_job *job);
/* One that is not registered stays so. */
void loop_remove(struct loop_job *job);

/* Before anything else is done with the timer. `name` as a job's. */
void loop_timer_init(struct loop_timer *timer, struct loop *loop, const char *name, loop_timer_fn *fn, void *arg);
/* Calls fn(arg) once, when clock_now_us() has come to `due_us`, or in `us` microseconds; instead of the time that it
 * was set for before; UINT64_MAX: never. By a timer's own callback, or another's: not before the next turn. */
void loop_timer_at(struct loop_timer *timer, uint64_t due_us);
void loop_timer_in(struct loop_timer *timer, uint64_t us);
/* At the next beat of that period (clock_beat()): for a timer that sets itself again and again, and may come earlier
 * the first time. */
void loop_timer_beat(struct loop_timer *timer, uint64_t period_us);
void loop_timer_cancel(struct loop_timer *timer);
static inline bool loop_timer_is_set(const struct loop_timer *timer)
{
    return timer->timer.place != 0;
}

/* The turns as a whole, without the sleeps. */
const struct loop_account *loop_turns(const struct loop *loop);
/* The accounts of jobs and timers, in no order; the next of one is account->next. One more, "sockets", is of the
 * callbacks of loop_base(): of those that ran while the loop slept only those that took a millisecond or more. */
const struct loop_account *loop_accounts(const struct loop *loop);
/* The longest runs are 0 again, those of the turns too. */
void loop_clear_longest(struct loop *loop);

#endif
