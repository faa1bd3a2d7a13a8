#include "src/app/housekeeping.h"

#include <event2/event.h>
#include <stdlib.h>

#include "pmd/base/clock.h"
#include "pmd/base/log.h"
#include "src/app/links.h"
#include "src/app/notify.h"
#include "src/app/run_dir.h"
#include "src/app/switch.h"
#include "src/net/acceptor.h"

#define INTERVAL_US 500000     /* between two looks */
#define LOADS_US 10000000      /* loads of receive queues are of one to two of these */
#define PORTS_US 100           /* of looks at ports at once */
#define PORTS_AT_ONCE 4        /* between looks at the time */
#define RUN_DIR_PAUSE_US 20000 /* without deletions in run_dir: whoever deletes it has come to the end */
#define RUN_DIR_WAIT_MS 500    /* for such a pause */

struct housekeeping {
    struct sluice *sw;
    struct event *port_event, *run_dir_event;
    struct loop_job ports;
    uint64_t ports_due_us; /* the next round of looks at ports; 0: one is under way */
    struct loop_timer run_dir, threads, loads, log, watchdog;
    uint64_t watchdog_us; /* between two notes to systemd; 0 = it wants none */
    unsigned n_late;      /* poll-mode threads that do not come round */
    bool deleting;        /* run_dir's timer waits for the end of a deletion */
    uint64_t deleting_ms; /* since then */
};

/* --- ports --------------------------------------------------------------- */

static void on_port(evutil_socket_t fd, short what, void *arg)
{
    port_poll_events(links_port_changed, NULL);
}

/* For the link state of devices that report no changes, and of which the kernel does not: all ports in turn. */
static unsigned look_after_ports(void *arg, uint64_t budget_us)
{
    struct housekeeping *hk = arg;
    uint64_t now = clock_now_us(), deadline = now + budget_us;
    bool more = true;

    if (now < hk->ports_due_us)
        return 0;
    hk->ports_due_us = 0;
    while (more && clock_now_us() < deadline)
        more = port_poll_some(PORTS_AT_ONCE, links_port_changed, NULL);
    if (more)
        return LOOP_MORE;
    hk->ports_due_us = clock_beat(now, INTERVAL_US);
    return 0;
}

static uint64_t ports_due_us(void *arg)
{
    const struct housekeeping *hk = arg;
    uint64_t now = clock_now_us();

    return now < hk->ports_due_us ? hk->ports_due_us - now : 0;
}

/* --- the directory of sockets -------------------------------------------- */

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

/* Not persistent: it stays readable until the timer has read it. */
static void on_run_dir(evutil_socket_t fd, short what, void *arg)
{
    struct housekeeping *hk = arg;

    hk->deleting = true;
    hk->deleting_ms = clock_now_ms();
    loop_timer_in(&hk->run_dir, 0);
}

/* Besides what is reported it looks once in a while: for a file system without inotify, a lock that was taken over. */
static void look_after_run_dir(void *arg)
{
    struct housekeeping *hk = arg;
    bool changed = run_dir_changed();

    if (changed && !hk->deleting) {
        on_run_dir(-1, 0, hk);
        return;
    }
    if (changed && clock_now_ms() - hk->deleting_ms < RUN_DIR_WAIT_MS) {
        loop_timer_in(&hk->run_dir, RUN_DIR_PAUSE_US);
        return;
    }
    hk->deleting = false;
    restore_run_dir(hk->sw);
    loop_timer_beat(&hk->run_dir, INTERVAL_US);
    if (hk->run_dir_event)
        event_add(hk->run_dir_event, NULL);
}

/* --- threads, log, systemd ----------------------------------------------- */

static void look_after_threads(void *arg)
{
    struct housekeeping *hk = arg;

    hk->n_late = datapath_watch(hk->sw->dp, clock_now_ms());
    loop_timer_beat(&hk->threads, INTERVAL_US);
}

static void mark_loads(void *arg)
{
    struct housekeeping *hk = arg;

    datapath_rx_mark(hk->sw->dp);
    loop_timer_beat(&hk->loads, LOADS_US);
}

static void flush_log(void *arg)
{
    struct housekeeping *hk = arg;

    log_flush();
    loop_timer_beat(&hk->log, INTERVAL_US);
}

/* systemd restarts the service if this does not come: because this thread hangs, or a poll-mode thread does. */
static void feed_watchdog(void *arg)
{
    struct housekeeping *hk = arg;

    if (!hk->n_late)
        notify("WATCHDOG=1");
    loop_timer_in(&hk->watchdog, hk->watchdog_us);
}

/* --- all of it ----------------------------------------------------------- */

static void start_timers(struct housekeeping *hk, struct loop *loop)
{
    hk->ports = (struct loop_job){
        .name = "port status",
        .phase = LOOP_UPKEEP,
        .budget_us = PORTS_US,
        .arg = hk,
        .run = look_after_ports,
        .due_us = ports_due_us,
    };
    loop_add(loop, &hk->ports);
    loop_timer_init(&hk->run_dir, loop, "run_dir", look_after_run_dir, hk);
    loop_timer_init(&hk->threads, loop, "poll-mode threads", look_after_threads, hk);
    loop_timer_init(&hk->loads, loop, "loads", mark_loads, hk);
    loop_timer_init(&hk->log, loop, "log", flush_log, hk);
    loop_timer_in(&hk->run_dir, 0);
    loop_timer_in(&hk->threads, 0);
    loop_timer_in(&hk->loads, 0);
    loop_timer_in(&hk->log, 0);
    hk->watchdog_us = notify_watchdog_us() / 2;
    if (hk->watchdog_us) {
        loop_timer_init(&hk->watchdog, loop, "watchdog", feed_watchdog, hk);
        loop_timer_in(&hk->watchdog, hk->watchdog_us);
    }
}

/* False: an event could not be made. */
static bool watch_descriptors(struct housekeeping *hk, struct event_base *base)
{
    hk->port_event = event_new(base, port_event_fd(), EV_READ | EV_PERSIST, on_port, hk);
    if (!hk->port_event || event_add(hk->port_event, NULL))
        return false;
    if (run_dir_fd() < 0)
        return true;
    hk->run_dir_event = event_new(base, run_dir_fd(), EV_READ, on_run_dir, hk);
    return hk->run_dir_event && !event_add(hk->run_dir_event, NULL);
}

struct housekeeping *housekeeping_create(struct sluice *sw)
{
    struct housekeeping *hk = calloc(1, sizeof *hk);

    if (!hk)
        return NULL;
    hk->sw = sw;
    if (!watch_descriptors(hk, loop_base(sw->loop))) {
        housekeeping_destroy(hk);
        return NULL;
    }
    start_timers(hk, sw->loop);
    return hk;
}

void housekeeping_destroy(struct housekeeping *hk)
{
    if (!hk)
        return;
    loop_remove(&hk->ports);
    loop_timer_cancel(&hk->run_dir);
    loop_timer_cancel(&hk->threads);
    loop_timer_cancel(&hk->loads);
    loop_timer_cancel(&hk->log);
    loop_timer_cancel(&hk->watchdog);
    if (hk->port_event)
        event_free(hk->port_event);
    if (hk->run_dir_event)
        event_free(hk->run_dir_event);
    free(hk);
}
