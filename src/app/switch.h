/* The whole switch: what main() starts and the control socket's commands look at. Control thread only. */
#ifndef SRC_APP_SWITCH_H
#define SRC_APP_SWITCH_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "pmd/datapath.h"
#include "src/bridge/bridge.h"
#include "src/config/model.h"
#include "src/loop/loop.h"
#include "src/upcall/flows.h"

struct apply;
struct bfd_agent;
struct bond_agent;
struct stp_agent;
struct captures;
struct control;
struct ct_state;
struct evbuffer;
struct housekeeping;
struct links;
struct ofport_state;
struct options;
struct route_kernel;
struct rules_state;
struct routes;
struct of_server;
struct signals;
struct tls;
struct tunnels;
struct underlay;

/* Where bridges come from if not from the file: reload gives it the file's options, which it says to apply.h with its
 * own over them. */
struct switch_source {
    void (*set_options)(void *arg, struct config *file); /* NULL: bridges come from the file */
    void *arg;
};

struct sluice {
    struct config *config;         /* what runs, without bridges; the caller's */
    const char *config_path;       /* where it comes from */
    const struct options *options; /* of the command line */
    struct loop *loop;
    struct datapath *dp;
    struct flows *flows;
    struct bfd_agent *bfd;
    struct bond_agent *bonds;
    struct stp_agent *stp;
    struct control *control;
    struct links *links;
    struct routes *routes;
    struct route_kernel *kernel_routes; /* NULL: the kernel does not tell */
    struct underlay *underlay;
    struct tunnels *tunnels;
    struct captures *captures;
    struct housekeeping *housekeeping;
    struct signals *signals;
    struct apply *apply; /* bridges and ports as they are wanted */
    struct ofport_state *ofports;
    struct ct_state *connections; /* that outlive the process */
    struct rules_state *rules;    /* the same */
    struct switch_source source;
    struct tls *tls; /* NULL: the file has no section "tls" */
    TAILQ_HEAD(bridges, bridge) bridges;
    struct bridges removed;           /* that are being taken apart */
    struct rte_mempool *pool;         /* packets; of the control thread's NUMA node */
    struct loop_job removal, reclaim; /* of `removed`, and of what the datapath does not need any more */
    uint64_t ct_made;                 /* connections, when `reclaim` last ran */
    bool ct_limits_of_database;       /* of zones of connection tracking: nobody else may set them */
    bool cleanup;                     /* by "exit --cleanup": interfaces that outlive the switch go too */
    uint64_t started_ms;
};

size_t switch_n_bridges(const struct sluice *sw);

/* Builds the switch from the model: ports, bridges, OpenFlow servers, control socket. EAL is up. Returns 0, or -1 with
 * a sentence that says what to do in `error`; then switch_destroy() cleans up what was built. */
int switch_create(struct sluice *sw, const struct options *options, struct config *config, char *error,
                  size_t error_size);
/* Reads the file again, checks it, and changes what differs (src/app/apply.h), in the turns to come. Returns 0, or -1
 * with the faults in `report`: then nothing is changed. `done` (NULL: the log is enough) is called when all is done, or
 * when the switch ends: with a line for each change or error in `lines`, and an array `objects` of what became of what,
 * {object, bridge, port, change, ofport, detail, error}; both are its. */
typedef void reload_done_fn(void *arg, bool failed, struct evbuffer *lines, json_t *objects);
int switch_reload(struct sluice *sw, struct evbuffer *report, reload_done_fn *done, void *arg);
void switch_destroy(struct sluice *sw);

/* The OpenFlow server of a bridge; NULL before it is made, and when the switch ends. */
static inline struct of_server *switch_of(const struct bridge *bridge)
{
    return bridge->owner;
}
struct bridge *switch_bridge(const struct sluice *sw, const char *name); /* NULL: none of that name */

#endif
