/* The inside of struct of_server, for this folder and src/openflow/requests/. Control thread. */
#ifndef SRC_OPENFLOW_SERVER_SERVER_IMPL_H
#define SRC_OPENFLOW_SERVER_SERVER_IMPL_H

#include "src/loop/loop.h"
#include "src/openflow/server/bundle_store.h"
#include "src/openflow/server/connection.h"
#include "src/openflow/server/controller.h"
#include "src/openflow/server/fail_mode.h"
#include "src/openflow/server/listener.h"
#include "src/openflow/server/server.h"
#include "src/openflow/server/vacancy.h"

struct of_server {
    struct loop *loop;
    struct event_base *base;
    struct loop_job job;
    struct loop_timer tick; /* timeouts and probes */
    struct bridge *bridge;
    struct bridge_listener listener;
    struct flows *flows;
    const struct of_request_ops *requests;
    struct rte_mempool *pool;
    struct tls *tls;         /* NULL: no ssl: or pssl: is configured */
    struct of_limits limits; /* of controllers that connected to a listener */
    uint32_t versions;       /* that its connections may speak: a bit for each */
    unsigned auxiliary_connections;
    struct of_listeners listeners;
    struct of_controllers controllers;
    struct of_connections connections;
    unsigned n_connections[OF_N_KINDS]; /* by enum of_connection_kind, closed ones until they are freed */
    size_t bundle_bytes;                /* held by all bundles, dead ones as well */
    size_t bundle_bytes_max;
    uint32_t bundle_idle_ms;
    struct of_bundle_store dead_bundles;
    uint8_t *scratch;            /* 64 KB: the message being handled */
    uint8_t *packet;             /* 64 KB: the packet of the packet-in being sent */
    uint8_t continuation_id[16]; /* random: continuations of others, or of an earlier life, are stale */
    uint64_t waiting_since;      /* rte_rdtsc: a request waits for the datapath; 0 = none */
    bool running;                /* of_server_run() */
    bool changed;                /* of_server_connections_changed was called */
    bool closed;                 /* of_server_close() was called */
    bool served;                 /* a request was worked off since the last of_server_run() */

    /* Whose bundle commit is under way: flow_mods of all others wait. */
    struct of_connection *committing;

    uint64_t tls_refused; /* connections */

    /* Whose request changes rules right now, and its xid; NULL: nobody's. `abbreviated`: it was told so. */
    struct of_connection *changing;
    uint32_t changing_xid;
    bool abbreviated;

    bool generation_known; /* OpenFlow 1.3.5, 6.3.6 */
    uint64_t generation_id;

    struct of_fail_mode fail_mode;
    struct of_vacancy vacancy;
};

/* A change of rules is being worked off in slices: messages about rules wait for its end. */
static inline bool of_server_is_changing(const struct of_server *server)
{
    return server->committing || server->fail_mode.flush || !pipeline_settled(server->bridge->pipeline);
}

/* Another turn of the event loop is wanted at once. */
void of_server_kick(struct of_server *server);
/* A connection came up, went, or asked for other asynchronous messages: fail mode and the table-miss rule may change.
 */
void of_server_connections_changed(struct of_server *server);

#endif
