#include "src/app/switch.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <inttypes.h>
#include <rte_cycles.h>
#include <rte_lcore.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "pmd/base/clock.h"
#include "pmd/base/log.h"
#include "pmd/base/memory.h"
#include "src/app/apply.h"
#include "src/app/captures.h"
#include "src/app/links.h"
#include "src/app/notify.h"
#include "src/app/options.h"
#include "src/app/pool.h"
#include "src/app/run_dir.h"
#include "src/net/acceptor.h"
#include "src/net/control.h"
#include "src/net/tls.h"
#include "src/openflow/server/server.h"

#define MISS_STEP 8              /* packets between two looks at the clock */
#define MISS_OWN_MOST_US 2000    /* of the thread's own time, after which a turn does not go on with misses */
#define MISS_STEP_MOST_US 100    /* that these take at most, if nothing else gets the core meanwhile */
#define REVALIDATE_BUDGET_US 200 /* a turn */
#define TIMERS_BUDGET_US 100     /* a turn */
#define REQUESTS_BUDGET_US 100   /* a turn and bridge */
#define RECLAIM_STEP 256         /* addresses freed in a turn, of a bridge */
#define HOUSEKEEPING_MS 500      /* link state of devices that report no changes, and of which the kernel does not */
#define RUN_DIR_PAUSE_MS 20      /* without deletions in run_dir: whoever deletes it has come to the end */
#define RUN_DIR_WAIT_MS 500      /* for such a pause */
#define EVENTS_MS 1              /* of sockets, where there are more than this */
#define BARRIER_POLL_US 20       /* between looks at a grace period that somebody waits for */
#define ALARM_BELOW_US 10000     /* sleeps shorter than that are timed precisely */

struct bridge *switch_bridge(const struct sluice *sw, const char *name)
{
    struct bridge *br;

    TAILQ_FOREACH (br, &sw->bridges, node)
        if (!strcmp(br->name, name))
            return br;
    return NULL;
}

/* --- events -------------------------------------------------------------- */

static void on_miss(evutil_socket_t fd, short what, void *arg)
{
    struct sluice *sw = arg;

    datapath_miss_ack(sw->dp);
}

static void on_port(evutil_socket_t fd, short what, void *arg)
{
    port_poll_events(links_port_changed, arg);
}

/* Ends event_base_loop(), which by itself goes on as long as callbacks make each other active. */
static void on_wakeup(evutil_socket_t fd, short what, void *arg)
{
    struct sluice *sw = arg;

    event_base_loopbreak(sw->base);
}

static void on_alarm(evutil_socket_t fd, short what, void *arg)
{
    struct sluice *sw = arg;
    uint64_t times;

    if (read(fd, &times, sizeof times) < 0)
        return;
    sw->alarm_set = false;
    event_base_loopbreak(sw->base);
}

/* libevent's own timers take the time from a clock that moves every few milliseconds; precise ones would cost a system
 * call each time the loop sleeps, however long. */
static void wake_up_in(struct sluice *sw, uint64_t us)
{
    if (us < ALARM_BELOW_US) {
        const struct itimerspec time = {.it_value.tv_nsec = (long)us * 1000};
        sw->alarm_set = timerfd_settime(sw->alarm_fd, 0, &time, NULL) == 0;
    } else {
        const struct timeval tv = {.tv_sec = us / 1000000, .tv_usec = us % 1000000};
        evtimer_add(sw->wakeup, &tv);
    }
}

static void on_signal(evutil_socket_t number, short what, void *arg)
{
    struct sluice *sw = arg;

    LOG_INFO(LOG_MAIN, "%s: stopping", number == SIGTERM ? "SIGTERM" : "SIGINT");
    sw->exiting = true;
}

static void on_hangup(evutil_socket_t number, short what, void *arg)
{
    struct evbuffer *report = evbuffer_new();

    LOG_INFO(LOG_MAIN, "SIGHUP: reading %s again", ((struct sluice *)arg)->config_path);
    if (report) {
        switch_reload(arg, report);
        evbuffer_free(report);
    }
}

/* Makes run_dir and the sockets there again if they are gone. */
static void restore_run_dir(struct sluice *sw)
{
    static struct log_limit limit = LOG_LIMIT_INIT(2, 2);
    char error[1024];
    int rc = run_dir_restore(sw->config->run_dir, error, sizeof error);

    if (rc > 0)
        LOG_WARN(LOG_MAIN, "run_dir %s was removed: made again", sw->config->run_dir);
    if (rc < 0)
        log_write_limited(LOG_MAIN, RTE_LOG_ERR, &limit, "run_dir was removed: nobody can connect there: %s", error);
    else
        acceptors_restore();
    port_restore_sockets();
}

static void on_run_dir_timer(evutil_socket_t fd, short what, void *arg)
{
    static const struct timeval pause = {.tv_usec = RUN_DIR_PAUSE_MS * 1000};
    struct sluice *sw = arg;

    if (run_dir_changed() && clock_now_ms() - sw->run_dir_ms < RUN_DIR_WAIT_MS) {
        evtimer_add(sw->run_dir_timer, &pause);
        return;
    }
    restore_run_dir(sw);
    event_add(sw->run_dir_event, NULL);
}

/* Not persistent: it stays readable until the timer has read it. */
static void on_run_dir(evutil_socket_t fd, short what, void *arg)
{
    static const struct timeval at_once = {0};
    struct sluice *sw = arg;

    sw->run_dir_ms = clock_now_ms();
    evtimer_add(sw->run_dir_timer, &at_once);
}

/* For what nothing reports: a file system without inotify, a lock that was taken over. */
static void look_after_run_dir(struct sluice *sw)
{
    if (evtimer_pending(sw->run_dir_timer, NULL))
        return;
    if (run_dir_changed())
        on_run_dir(-1, 0, sw);
    else
        restore_run_dir(sw);
}

/* systemd restarts the service if this does not come: because this thread hangs, or a poll-mode thread does. */
static void on_watchdog(evutil_socket_t fd, short what, void *arg)
{
    struct sluice *sw = arg;

    if (!sw->n_late)
        notify("WATCHDOG=1");
}

static int create_watchdog(struct sluice *sw)
{
    uint64_t us = notify_watchdog_us() / 2;
    const struct timeval tv = {.tv_sec = (time_t)(us / 1000000), .tv_usec = (suseconds_t)(us % 1000000)};

    sw->watchdog = event_new(sw->base, -1, EV_PERSIST, on_watchdog, sw);
    return sw->watchdog && (!us || !event_add(sw->watchdog, &tv)) ? 0 : -1;
}

/* libevent writes to standard error otherwise, which may wait for who reads it. */
static void libevent_log(int severity, const char *message)
{
    if (severity >= EVENT_LOG_WARN)
        LOG_WARN_RL(LOG_MAIN, "libevent: %s", message);
}

static void packet_in(void *arg, struct packet_in *pin)
{
    if (switch_of(pin->bridge)) {
        of_server_packet_in(switch_of(pin->bridge), pin);
        return;
    }
    rte_pktmbuf_free(pin->packet);
}

static void rule_gone(void *arg, struct bridge *bridge, struct rule *rule, enum rule_removed_reason reason)
{
    if (switch_of(bridge))
        of_server_rule_gone(switch_of(bridge), rule, reason);
}

static void rule_triggered(void *arg, struct bridge *bridge, struct rule *rule)
{
    if (switch_of(bridge))
        of_server_rule_triggered(switch_of(bridge), rule);
}

static void rule_changed(void *arg, struct bridge *bridge, enum flows_rule_change change, struct rule *rule,
                         enum rule_removed_reason reason)
{
    if (switch_of(bridge))
        of_server_rule_changed(switch_of(bridge), change, rule, reason);
}

/* --- the loop ------------------------------------------------------------ */

/* What a turn found out. */
struct turn {
    bool more;     /* the next one follows at once */
    bool waiting;  /* a request waits for the datapath, or has more to do */
    bool answered; /* a peer may have something to read */
};

static uint64_t us_since(uint64_t tsc)
{
    return (rte_rdtsc() - tsc) / (rte_get_tsc_hz() / 1000000);
}

/* Looks at the sockets without waiting. */
static void poll_events(struct sluice *sw)
{
    if (!sw->alarm_set)
        wake_up_in(sw, EVENTS_MS * 1000);
    event_base_loop(sw->base, EVLOOP_NONBLOCK);
}

/* Goes on with what peers asked for. */
static void run_requests(struct sluice *sw, struct turn *turn)
{
    struct bridge *br;

    turn->waiting = turn->answered = false;
    TAILQ_FOREACH (br, &sw->bridges, node) {
        struct of_server *of = switch_of(br);
        if (!of)
            continue;
        turn->waiting |= of_server_run(of, REQUESTS_BUDGET_US);
        turn->answered |= of_server_served(of);
    }
    turn->more |= control_run(sw->control, REQUESTS_BUDGET_US);
    if (control_served(sw->control)) {
        turn->answered = true;
        poll_events(sw); /* writes the answer */
    }
}

/* Lets peers on this core read their answers. False: it would cost more than it is worth. */
static bool give_way(struct sluice *sw)
{
    uint64_t hz_us = rte_get_tsc_hz() / 1000000, start = rte_rdtsc(), end;

    if (!pace_may_yield(&sw->yield, start / hz_us))
        return false;
    sched_yield();
    end = rte_rdtsc();
    pace_yielded(&sw->yield, (end - start) / hz_us, end / hz_us);
    return true;
}

/* Twice if need be: who reads an answer often has the next request ready at once. */
static void serve(struct sluice *sw, struct turn *turn)
{
    for (int pass = 0; pass < 2; pass++) {
        if (!sw->polled)
            poll_events(sw);
        sw->polled = false;
        run_requests(sw, turn);
        if (turn->answered || turn->waiting)
            sw->talk_tsc = rte_rdtsc();
        if (!turn->answered || !sw->busy || !give_way(sw))
            return;
    }
}

static uint64_t thread_ns(void)
{
    struct timespec time;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

/* Of the thread's processor time, what it took since a moment not much more than a millisecond before this turn. */
static uint64_t own_us(const struct sluice *sw)
{
    return (thread_ns() - sw->mark_ns) / 1000;
}

/* Works off misses for their share of the time. A step that took long was interrupted, mostly: that is not their
 * time, unless the thread's processor time says that it was its own, as where the kernel has to find pages for a table
 * that grows. False: no packet is left. */
static bool run_misses(struct sluice *sw)
{
    bool talking = us_since(sw->talk_tsc) < PACE_TALK_US, left;
    uint64_t budget_us = pace_misses_us(us_since(sw->misses_tsc), talking), spent_us = 0, took_us;

    do {
        uint64_t start = rte_rdtsc();
        left = flows_run_misses(sw->flows, MISS_STEP) == MISS_STEP;
        took_us = us_since(start);
        spent_us += RTE_MIN(took_us, (uint64_t)MISS_STEP_MOST_US);
    } while (left && spent_us < budget_us && (took_us <= MISS_STEP_MOST_US || own_us(sw) < MISS_OWN_MOST_US));
    sw->misses_tsc = rte_rdtsc();
    return left;
}

/* Frees some of what bridges do not need any more, and bridges themselves. True: there is more. */
static bool reclaim(struct sluice *sw)
{
    bool more = apply_run_removed(sw);
    struct bridge *br;

    TAILQ_FOREACH (br, &sw->bridges, node)
        more |= !bridge_reclaim(br, RECLAIM_STEP);
    return more | datapath_reclaim(sw->dp);
}

/* One turn. Returns how long the loop may sleep for sockets, in microseconds: 0 = there is more to do. */
static uint64_t turn(struct sluice *sw)
{
    struct turn turn = {0};

    serve(sw, &turn);
    turn.more |= !flows_run_revalidate(sw->flows, REVALIDATE_BUDGET_US);
    flows_run_timers(sw->flows, TIMERS_BUDGET_US);
    turn.more |= reclaim(sw);
    turn.more |= run_misses(sw);
    sw->busy = turn.more;
    if (turn.more)
        return 0;
    uint64_t us = flows_next_ms(sw->flows) * UINT64_C(1000);
    if (turn.waiting)
        us = RTE_MIN(us, (uint64_t)BARRIER_POLL_US);
    return RTE_MIN(us, (uint64_t)HOUSEKEEPING_MS * 1000);
}

/* Returns after the sockets were looked at, or at once if there are packets that came since the last look. */
static void sleep_for_events(struct sluice *sw, uint64_t us)
{
    datapath_miss_arm(sw->dp);
    if (flows_run_misses(sw->flows, MISS_STEP))
        return;
    wake_up_in(sw, us);
    event_base_loop(sw->base, EVLOOP_ONCE);
    sw->polled = true;
    sw->misses_tsc = rte_rdtsc();
}

static void mark_time(struct sluice *sw)
{
    sw->mark_tsc = rte_rdtsc();
    sw->mark_ns = thread_ns();
}

/* What of it the thread itself took is known to a millisecond, as its processor time is not looked at more often. */
static void note_turn(struct sluice *sw, uint64_t start)
{
    uint64_t took_us = us_since(start), own_us = took_us;

    if (took_us >= 1000) {
        own_us = RTE_MIN(took_us, (thread_ns() - sw->mark_ns) / 1000);
        mark_time(sw);
    }
    sw->longest_turn_us = RTE_MAX(sw->longest_turn_us, took_us);
    sw->longest_turn_own_us = RTE_MAX(sw->longest_turn_own_us, own_us);
    sw->turns++;
}

void switch_run(struct sluice *sw)
{
    uint64_t hz = rte_get_tsc_hz(), housekeeping = 0;

    sw->misses_tsc = sw->talk_tsc = rte_rdtsc();
    while (!sw->exiting) {
        uint64_t start = rte_rdtsc();
        if (start - sw->mark_tsc > hz / 1000)
            mark_time(sw);
        uint64_t us = turn(sw);
        if (start - housekeeping > hz / 1000 * HOUSEKEEPING_MS) {
            housekeeping = start;
            port_poll_events(links_port_changed, sw);
            look_after_run_dir(sw);
            sw->n_late = datapath_watch(sw->dp, clock_now_ms());
            log_flush();
        }
        note_turn(sw, start);
        if (us)
            sleep_for_events(sw, us);
    }
}

/* --- building it from the model ------------------------------------------ */

static int create_datapath(struct sluice *sw, char *error, size_t size)
{
    const struct config_pmd *pmd = &sw->config->pmd;
    unsigned lcores[DATAPATH_THREADS_MAX], n = 0, lcore;

    RTE_LCORE_FOREACH_WORKER(lcore)
    if (n < DATAPATH_THREADS_MAX)
        lcores[n++] = lcore;
    const struct datapath_params params = {
        .n_threads = n,
        .lcores = lcores,
        .emc_entries = pmd->emc_entries,
        .megaflow_limit = pmd->megaflow_limit,
        .mask_limit = pmd->max_masks,
        .miss_ring = pmd->miss_ring,
        .max_sleep_us = pmd->max_sleep_us,
        .pool = sw->pool,
    };
    sw->dp = datapath_create(&params, error, size);
    if (!sw->dp)
        return -1;
    const struct flows_params flows = {
        .dp = sw->dp,
        .megaflow_limit = pmd->megaflow_limit,
        .mask_limit = pmd->max_masks,
    };
    sw->flows = flows_create(&flows);
    if (!sw->flows) {
        snprintf(error, size, "out of memory for %d megaflows: lower pmd.megaflow_limit", pmd->megaflow_limit);
        return -1;
    }
    flows_set_packet_in(sw->flows, packet_in, sw);
    flows_set_rule_gone(sw->flows, rule_gone, sw);
    flows_set_rule_triggered(sw->flows, rule_triggered, sw);
    flows_set_rule_changed(sw->flows, rule_changed, sw);
    return 0;
}

static int create_events(struct sluice *sw, char *error, size_t size)
{
    sw->miss_event = event_new(sw->base, datapath_miss_fd(sw->dp), EV_READ | EV_PERSIST, on_miss, sw);
    sw->port_event = event_new(sw->base, port_event_fd(), EV_READ | EV_PERSIST, on_port, sw);
    sw->wakeup = evtimer_new(sw->base, on_wakeup, sw);
    sw->alarm_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    sw->alarm = event_new(sw->base, sw->alarm_fd, EV_READ | EV_PERSIST, on_alarm, sw);
    sw->sigterm = evsignal_new(sw->base, SIGTERM, on_signal, sw);
    sw->sigint = evsignal_new(sw->base, SIGINT, on_signal, sw);
    sw->sighup = evsignal_new(sw->base, SIGHUP, on_hangup, sw);
    sw->run_dir_event = event_new(sw->base, run_dir_fd(), EV_READ, on_run_dir, sw);
    sw->run_dir_timer = evtimer_new(sw->base, on_run_dir_timer, sw);
    if (sw->alarm_fd < 0 || !sw->miss_event || !sw->port_event || !sw->wakeup || !sw->alarm || !sw->sigterm ||
        !sw->sigint || !sw->sighup || !sw->run_dir_event || !sw->run_dir_timer || create_watchdog(sw) ||
        (run_dir_fd() >= 0 && event_add(sw->run_dir_event, NULL)) || event_add(sw->miss_event, NULL) ||
        event_add(sw->port_event, NULL) || event_add(sw->alarm, NULL) || event_add(sw->sigterm, NULL) ||
        event_add(sw->sigint, NULL) || event_add(sw->sighup, NULL)) {
        snprintf(error, size, "cannot set up the event loop: %s", strerror(errno));
        return -1;
    }
    sw->links = links_create(sw);
    sw->captures = captures_create(sw->base, sw->dp);
    return 0;
}

static int create_control(struct sluice *sw, char *error, size_t size)
{
    char path[4096];

    options_control_path(sw->options, sw->config->run_dir, path, sizeof path);
    sw->control = control_create(sw->base, path, error, size);
    if (!sw->control)
        return -1;
    return 0;
}

static int create_tls(struct sluice *sw, char *error, size_t size)
{
    const struct config_tls *config = &sw->config->tls;
    const struct tls_files files = {{
        [TLS_PRIVATE_KEY] = config->private_key,
        [TLS_CERTIFICATE] = config->certificate,
        [TLS_CA_CERTIFICATE] = config->ca_certificate,
    }};
    struct tls_fault fault;

    if (!config->private_key)
        return 0;
    sw->tls = tls_create(&files, &fault);
    if (!sw->tls)
        snprintf(error, size, "TLS: %s", fault.text);
    return sw->tls ? 0 : -1;
}

/* What the memory went to, for the last line before the end. */
static void describe_holdings(void *arg, char *text, size_t size)
{
    const struct sluice *sw = arg;
    const struct bridge *br;
    uint64_t n_rules = 0;

    TAILQ_FOREACH (br, &sw->bridges, node)
        n_rules += pipeline_n_rules(br->pipeline, TABLE_ALL);
    snprintf(text, size, "It holds %" PRIu64 " rules and %u megaflows.", n_rules,
             sw->dp ? datapath_n_megaflows(sw->dp) : 0);
}

int switch_create(struct sluice *sw, const struct options *options, struct config *config, char *error,
                  size_t error_size)
{
    memset(sw, 0, sizeof *sw);
    TAILQ_INIT(&sw->bridges);
    TAILQ_INIT(&sw->removed);
    sw->options = options;
    sw->config_path = options->config_path;
    sw->config = config;
    sw->started_ms = clock_now_ms();
    event_set_log_callback(libevent_log);
    memory_init();
    out_of_memory_set_report(describe_holdings, sw);
    sw->base = event_base_new();
    if (!sw->base) {
        snprintf(error, error_size, "cannot set up the event loop: %s", strerror(errno));
        return -1;
    }
    sw->pool = pool_create(config, error, error_size);
    if (!sw->pool || create_datapath(sw, error, error_size) || create_events(sw, error, error_size) ||
        create_tls(sw, error, error_size))
        return -1;
    for (size_t i = 0; i < config->n_bridges; i++)
        if (apply_bridge(sw, &config->bridges[i], error, error_size))
            return -1;
    if (datapath_start(sw->dp)) {
        snprintf(error, error_size, "cannot start the poll-mode threads");
        return -1;
    }
    /* The control socket comes last: who waits for it finds everything else there. */
    return create_control(sw, error, error_size);
}

static void free_event(struct event *event)
{
    if (event)
        event_free(event);
}

void switch_destroy(struct sluice *sw)
{
    struct bridge *br;

    out_of_memory_set_report(NULL, NULL);
    control_destroy(sw->control);
    links_destroy(sw->links);
    captures_destroy(sw->captures);
    TAILQ_FOREACH (br, &sw->bridges, node) {
        of_server_destroy(switch_of(br));
        br->owner = NULL;
        while (!TAILQ_EMPTY(&br->ports))
            bridge_port_remove(TAILQ_FIRST(&br->ports));
    }
    if (sw->dp) {
        datapath_synchronize(sw->dp);
        while (datapath_reclaim(sw->dp))
            ;
    }
    flows_destroy(sw->flows);
    TAILQ_CONCAT(&sw->bridges, &sw->removed, node);
    while ((br = TAILQ_FIRST(&sw->bridges))) {
        TAILQ_REMOVE(&sw->bridges, br, node);
        bridge_destroy(br);
    }
    datapath_destroy(sw->dp);
    free_event(sw->miss_event);
    free_event(sw->port_event);
    free_event(sw->wakeup);
    free_event(sw->alarm);
    if (sw->alarm_fd > 0)
        close(sw->alarm_fd);
    free_event(sw->sigterm);
    free_event(sw->sigint);
    free_event(sw->sighup);
    free_event(sw->run_dir_event);
    free_event(sw->run_dir_timer);
    free_event(sw->watchdog);
    tls_free(sw->tls);
    if (sw->base)
        event_base_free(sw->base);
    pool_destroy();
}
