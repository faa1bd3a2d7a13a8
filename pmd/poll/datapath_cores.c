/* Which cores poll-mode threads run on, while they run: threads move, are made or lose their core, and receive queues
 * follow. Threads are never ended: packets that are parked with one, and what it counted, stay where they are. */
#include <rte_common.h>
#include <sched.h>
#include <stdio.h>

#include "pmd/base/log.h"
#include "pmd/poll/poll_thread.h"

#define NONE (-1)

/* --- threads ------------------------------------------------------------- */

static bool all_run(const struct datapath *dp)
{
    for (unsigned t = 0; t < dp->n_threads; t++)
        if (!__atomic_load_n(&dp->threads[t]->running, __ATOMIC_RELAXED))
            return false;
    return true;
}

static bool some_wait_to_start(const struct datapath *dp)
{
    return dp->n_started > 0 && dp->n_started < dp->n_threads;
}

bool datapath_is_thread(const struct datapath *dp, pid_t tid)
{
    for (unsigned t = 0; t < dp->n_threads; t++)
        if (__atomic_load_n(&dp->threads[t]->tid, __ATOMIC_RELAXED) == tid)
            return true;
    return false;
}

bool datapath_is_moving(const struct datapath *dp)
{
    return dp->n_started > 0 && (some_wait_to_start(dp) || dp->unbalanced);
}

static void run_on(const struct poll_thread *thread, const cpu_set_t *set)
{
    pid_t tid = __atomic_load_n(&thread->tid, __ATOMIC_SEQ_CST);

    if (tid)
        sched_setaffinity(tid, sizeof *set, set);
}

/* Once more: whoever moved the process's other threads meanwhile may have taken one for theirs that was just launched.
 */
static void pin_again(const struct datapath *dp)
{
    for (unsigned t = 0; t < dp->n_threads; t++) {
        cpu_set_t set;

        if (dp->threads[t]->pin < 0 || dp->threads[t]->surplus)
            continue;
        CPU_ZERO(&set);
        CPU_SET(dp->threads[t]->pin, &set);
        run_on(dp->threads[t], &set);
    }
}

void datapath_cores_reclaim(struct datapath *dp)
{
    if (some_wait_to_start(dp) && rcu_passed(&dp->rcu, dp->start_token))
        datapath_start(dp);
    if (!all_run(dp))
        return;
    if (dp->n_moves > 0) {
        if (!rcu_passed(&dp->rcu, dp->move_token))
            return;
        datapath_queues_arrive(dp);
    }
    datapath_balance(dp);
    if (!dp->unbalanced)
        pin_again(dp);
}

/* Threads have a transmit queue each as long as there are enough. Who sends with a lock must not meet one who began
 * without: so new threads start a grace period later. */
static void share_transmit_queues(struct datapath *dp)
{
    for (uint32_t i = 1; i < PORT_MAX; i++)
        if (dp->ports[i] && dp->ports[i]->n_txq < dp->n_threads)
            __atomic_store_n(&dp->ports[i]->tx_shared, true, __ATOMIC_RELAXED);
    rcu_touch(&dp->rcu);
    dp->start_token = rcu_token(&dp->rcu);
}

/* The lcore with that number comes next, if it is left. */
static void choose_lcore(struct datapath *dp, int core)
{
    for (unsigned i = dp->n_threads; i < dp->params.max_threads; i++) {
        if (dp->lcores[i] != (unsigned)core)
            continue;
        dp->lcores[i] = dp->lcores[dp->n_threads];
        dp->lcores[dp->n_threads] = (unsigned)core;
    }
}

static void give_core(struct poll_thread *thread, int core)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(core, &set);
    thread->core = core;
    __atomic_store_n(&thread->surplus, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&thread->pin, core, __ATOMIC_SEQ_CST);
    run_on(thread, &set);
}

/* It still runs what was parked with it. */
static void take_core(struct poll_thread *thread, const cpu_set_t *idle)
{
    __atomic_store_n(&thread->surplus, 1, __ATOMIC_RELAXED);
    run_on(thread, idle);
}

/* --- who runs where ------------------------------------------------------ */

struct plan {
    const int *cores;
    unsigned n;
    int core_of[DATAPATH_THREADS_MAX]; /* by thread: a place in cores[], or NONE */
    int thread_of[DATAPATH_THREADS_MAX];
};

static void join(struct plan *plan, unsigned thread, unsigned core)
{
    plan->core_of[thread] = (int)core;
    plan->thread_of[core] = (int)thread;
}

static void keep_who_may_stay(struct plan *plan, const struct datapath *dp)
{
    for (unsigned t = 0; t < dp->n_threads; t++)
        for (unsigned c = 0; c < plan->n; c++)
            if (plan->thread_of[c] == NONE && plan->core_of[t] == NONE && dp->threads[t]->core == plan->cores[c])
                join(plan, t, c);
}

/* Packets of the control thread go out by the first thread: it always has a core, another's if need be. */
static void give_the_first_a_core(struct plan *plan)
{
    unsigned c = 0;

    if (plan->core_of[0] != NONE)
        return;
    while (c + 1 < plan->n && plan->thread_of[c] != NONE)
        c++;
    if (plan->thread_of[c] != NONE)
        plan->core_of[plan->thread_of[c]] = NONE;
    join(plan, 0, c);
}

/* A thread that has none: one that has queues to poll rather than one that slept. There are enough. */
static unsigned thread_for(const struct plan *plan, const struct datapath *dp)
{
    int found = NONE;

    for (unsigned t = 0; t < dp->n_threads; t++)
        if (plan->core_of[t] == NONE && (found == NONE || dp->threads[found]->surplus))
            found = (int)t;
    return (unsigned)found;
}

static bool somebody_runs_on(const struct datapath *dp, int core)
{
    for (unsigned t = 0; t < dp->n_threads; t++)
        if (dp->threads[t]->core == core)
            return true;
    return false;
}

/* One more, whose memory is near a core that nobody runs on. */
static bool make_thread(struct datapath *dp, const int *cores, unsigned n)
{
    for (unsigned c = 0; c < n; c++)
        if (!somebody_runs_on(dp, cores[c]))
            choose_lcore(dp, cores[c]);
    if (datapath_add_thread(dp) != 0)
        return false;
    dp->threads[dp->n_threads - 1]->surplus = 1; /* until it is given a core */
    return true;
}

int datapath_set_cores(struct datapath *dp, const int *cores, unsigned n, const cpu_set_t *idle, char *error,
                       size_t error_size)
{
    struct plan plan = {.cores = cores, .n = n};

    if (n == 0 || n > dp->params.max_threads) {
        snprintf(error, error_size, "%u poll-mode threads asked for: 1 to %u are possible without a restart", n,
                 dp->params.max_threads);
        return -1;
    }
    while (dp->n_threads < n && make_thread(dp, cores, n))
        continue;
    share_transmit_queues(dp);
    if (dp->n_threads < n) {
        snprintf(error, error_size, "out of memory for poll-mode thread %u", dp->n_threads);
        return -1;
    }
    for (unsigned i = 0; i < DATAPATH_THREADS_MAX; i++)
        plan.core_of[i] = plan.thread_of[i] = NONE;
    keep_who_may_stay(&plan, dp);
    give_the_first_a_core(&plan);
    for (unsigned c = 0; c < n; c++)
        if (plan.thread_of[c] == NONE)
            join(&plan, thread_for(&plan, dp), c);
    for (unsigned t = 0; t < dp->n_threads; t++) {
        if (plan.core_of[t] == NONE)
            take_core(dp->threads[t], idle);
        else
            give_core(dp->threads[t], cores[plan.core_of[t]]);
    }
    datapath_forget_plan(dp);
    datapath_queues_changed(dp);
    return 0;
}
