/* What the event loop runs for megaflows: misses, revalidation, counting, expiry. */
#include <event2/event.h>
#include <stdlib.h>

#include "pmd/base/clock.h"
#include "pmd/base/memory.h"
#include "src/loop/loop.h"
#include "src/upcall/flows_impl.h"

#define MISS_STEP 8        /* packets between two looks at the clock */
#define PROTOCOL_STEP 1024 /* packets of a turn: some 2 ms */
#define REVALIDATE_BUDGET_US 200
#define SETTLE_BUDGET_US 500
#define COUNT_BUDGET_US 100
#define ADVANCE_US 1000 /* between looks at what waits for the datapath */
#define INDEX_AGE_MS 1000

struct flows_jobs {
    struct flows *flows;
    struct loop_job protocols, misses, settle, revalidate, count, triggers, expiry;
    struct loop_timer index_age;
    struct event *event; /* packets are there, after datapath_miss_arm() */
};

static void on_miss(evutil_socket_t fd, short what, void *arg)
{
    datapath_miss_ack(arg);
}

/* Before timers: a session that is about to expire hears first of all packets that have come, unless there are more
 * than are sent but to do harm. */
static unsigned run_protocols(void *arg, uint64_t budget_us)
{
    return flows_run_protocols(arg, PROTOCOL_STEP) >= PROTOCOL_STEP ? LOOP_MORE : 0;
}

static unsigned run_misses(void *arg, uint64_t budget_us)
{
    return flows_run_misses(arg, MISS_STEP) == MISS_STEP ? LOOP_MORE : 0;
}

static bool misses_may_sleep(void *arg)
{
    struct flows *flows = arg;

    datapath_miss_arm(flows->dp);
    return flows_run_misses(flows, MISS_STEP) + flows_run_protocols(flows, PROTOCOL_STEP) == 0;
}

static unsigned run_settle(void *arg, uint64_t budget_us)
{
    flows_run_settle(arg, budget_us);
    return 0;
}

static uint64_t settle_due_us(void *arg)
{
    const struct flows *flows = arg;

    return flows->settling ? 0 : UINT64_MAX;
}

static unsigned run_revalidate(void *arg, uint64_t budget_us)
{
    return flows_run_revalidate(arg, budget_us) ? 0 : LOOP_MORE;
}

static uint64_t revalidate_due_us(void *arg)
{
    const struct flows *flows = arg;

    if (flows->active || !TAILQ_EMPTY(&flows->todo))
        return 0;
    if (flows->pending || !STAILQ_EMPTY(&flows->tickets) || flows->n_dying > 0 || !TAILQ_EMPTY(&flows->forgotten))
        return ADVANCE_US;
    return UINT64_MAX;
}

static unsigned run_count(void *arg, uint64_t budget_us)
{
    flows_run_count(arg, budget_us);
    return 0;
}

static uint64_t count_due_us(void *arg)
{
    const struct flows *flows = arg;
    uint64_t now = clock_now_ms();

    if (flows->counting || flows->freeing_ids || flows->count_wanted > flows->count_pass || flows->count_due_ms <= now)
        return 0;
    return (flows->count_due_ms - now) * 1000;
}

static unsigned run_triggers(void *arg, uint64_t budget_us)
{
    flows_run_triggers(arg);
    return 0;
}

static uint64_t triggers_due_us(void *arg)
{
    const struct flows *flows = arg;

    return flows->triggering ? 0 : UINT64_MAX;
}

static unsigned run_expiry(void *arg, uint64_t budget_us)
{
    flows_run_expiry(arg);
    return 0;
}

static uint64_t expiry_due_us(void *arg)
{
    const struct flows *flows = arg;

    return flows->expiring ? 0 : UINT64_MAX;
}

static void age_indexes(void *arg)
{
    struct flows_jobs *jobs = arg;

    rule_index_age(jobs->flows, clock_now_ms());
    loop_timer_beat(&jobs->index_age, INDEX_AGE_MS * 1000);
}

int flows_join_loop(struct flows *flows, struct loop *loop)
{
    struct flows_jobs *jobs = calloc(1, sizeof *jobs);

    if (!jobs)
        out_of_memory("the event loop", sizeof *jobs);
    flows->jobs = jobs;
    jobs->flows = flows;
    jobs->event = event_new(loop_base(loop), datapath_miss_fd(flows->dp), EV_READ | EV_PERSIST, on_miss, flows->dp);
    if (!jobs->event || event_add(jobs->event, NULL))
        return -1;
    jobs->protocols =
        (struct loop_job){.name = "protocols", .phase = LOOP_REQUESTS, .arg = flows, .run = run_protocols};
    jobs->misses = (struct loop_job){
        .name = "misses", .phase = LOOP_SHARE, .arg = flows, .run = run_misses, .may_sleep = misses_may_sleep};
    jobs->settle = (struct loop_job){.name = "learned rules",
                                     .phase = LOOP_CHANGES,
                                     .budget_us = SETTLE_BUDGET_US,
                                     .arg = flows,
                                     .run = run_settle,
                                     .due_us = settle_due_us};
    jobs->revalidate = (struct loop_job){.name = "revalidation",
                                         .phase = LOOP_CHANGES,
                                         .budget_us = REVALIDATE_BUDGET_US,
                                         .arg = flows,
                                         .run = run_revalidate,
                                         .due_us = revalidate_due_us};
    jobs->count = (struct loop_job){.name = "counting",
                                    .phase = LOOP_UPKEEP,
                                    .budget_us = COUNT_BUDGET_US,
                                    .arg = flows,
                                    .run = run_count,
                                    .due_us = count_due_us};
    jobs->triggers = (struct loop_job){
        .name = "stat triggers", .phase = LOOP_UPKEEP, .arg = flows, .run = run_triggers, .due_us = triggers_due_us};
    jobs->expiry = (struct loop_job){
        .name = "rule expiry", .phase = LOOP_UPKEEP, .arg = flows, .run = run_expiry, .due_us = expiry_due_us};
    loop_add(loop, &jobs->protocols);
    loop_add(loop, &jobs->misses);
    loop_add(loop, &jobs->settle);
    loop_add(loop, &jobs->revalidate);
    loop_add(loop, &jobs->count);
    loop_add(loop, &jobs->triggers);
    loop_add(loop, &jobs->expiry);
    loop_timer_init(&jobs->index_age, loop, "index ageing", age_indexes, jobs);
    loop_timer_beat(&jobs->index_age, INDEX_AGE_MS * 1000);
    return 0;
}

void flows_jobs_free(struct flows_jobs *jobs)
{
    if (!jobs)
        return;
    loop_remove(&jobs->protocols);
    loop_remove(&jobs->misses);
    loop_remove(&jobs->settle);
    loop_remove(&jobs->revalidate);
    loop_remove(&jobs->count);
    loop_remove(&jobs->triggers);
    loop_remove(&jobs->expiry);
    loop_timer_cancel(&jobs->index_age);
    if (jobs->event)
        event_free(jobs->event);
    free(jobs);
}
