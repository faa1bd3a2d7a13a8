/* The whole switch: what main() starts and the control socket's commands look at. Control thread only. */
#ifndef SRC_APP_SWITCH_H
#define SRC_APP_SWITCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "pmd/datapath.h"
#include "src/app/pace.h"
#include "src/bridge/bridge.h"
#include "src/config/model.h"
#include "src/upcall/flows.h"

struct captures;
struct event;
struct event_base;
struct evbuffer;
struct control;
struct links;
struct options;
struct of_server;
struct tls;

struct sluice {
    struct config *config;         /* what runs; the caller's */
    const char *config_path;       /* where it comes from */
    const struct options *options; /* of the command line */
    struct event_base *base;
    struct datapath *dp;
    struct flows *flows;
    struct control *control;
    struct links *links;
    struct captures *captures;
    struct tls *tls; /* NULL: the file has no section "tls" */
    TAILQ_HEAD(bridges, bridge) bridges;
    struct bridges removed;   /* that are being taken apart */
    struct rte_mempool *pool; /* packets; of the control thread's NUMA node */
    struct event *miss_event, *port_event, *wakeup, *alarm, *sigterm, *sigint, *sighup;
    struct event *run_dir_event, *run_dir_timer, *watchdog;
    uint64_t run_dir_ms; /* when something in run_dir was deleted, of what run_dir_timer waits for */
    unsigned n_late;     /* poll-mode threads that do not come round */
    int alarm_fd;        /* of `alarm` */
    bool alarm_set;
    bool exiting;
    uint64_t started_ms;
    /* The event loop itself. */
    bool polled;         /* the sockets were looked at since the last turn */
    bool busy;           /* the last turn left something to do */
    uint64_t misses_tsc; /* when the loop last turned from misses, or sleep, to everything else */
    uint64_t talk_tsc;   /* when a peer was last served, or waited for */
    struct pace_yield yield;
    uint64_t turns, longest_turn_us;
    uint64_t longest_turn_own_us; /* without what others got of the core meanwhile */
    uint64_t mark_tsc, mark_ns;   /* the thread's processor time at that TSC, not much older than a millisecond */
};

/* Builds the switch from the model: ports, bridges, OpenFlow servers, control socket. EAL is up. Returns 0, or -1 with
 * a sentence that says what to do in `error`; then switch_destroy() cleans up what was built. */
int switch_create(struct sluice *sw, const struct options *options, struct config *config, char *error,
                  size_t error_size);
/* Reads the file again, checks it, and changes what differs (src/app/apply.h). Appends a line for each change, or
 * fault, to `report`, and logs it. Returns 0, or -1: then nothing was changed, or what `report` says could not be. */
int switch_reload(struct sluice *sw, struct evbuffer *report);
/* The event loop; returns when sw->exiting was set ("exit", SIGTERM, SIGINT). */
void switch_run(struct sluice *sw);
void switch_destroy(struct sluice *sw);

/* The OpenFlow server of a bridge; NULL before it is made, and when the switch ends. */
static inline struct of_server *switch_of(const struct bridge *bridge)
{
    return bridge->owner;
}
struct bridge *switch_bridge(const struct sluice *sw, const char *name); /* NULL: none of that name */

#endif
