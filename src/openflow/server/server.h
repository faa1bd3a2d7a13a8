/* The OpenFlow side of one bridge: listeners, connections to controllers, requests, bundles, barriers, asynchronous
 * messages.
 *
 * Control thread only; sockets are libevent bufferevents on the loop's event_base, and the loop runs the server's job.
 * Requests of one connection are worked off in order; a request that takes long (a dump, a bundle, a barrier that waits
 * for the datapath) is worked off in slices by of_server_run() and holds up only its own connection.
 */
#ifndef SRC_OPENFLOW_SERVER_SERVER_H
#define SRC_OPENFLOW_SERVER_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "src/bridge/bridge.h"
#include "src/openflow/codec/msg.h"
#include "src/upcall/flows.h"

struct loop;
struct of_request_ops;
struct rte_mempool;
struct of_server;
struct tls;

#define OF_BUNDLE_BYTES ((size_t)1 << 30) /* that all bundles of a bridge may hold, if nothing else was said */

/* A controller to connect to, and what holds on connections to it in place of what struct of_server_params says. */
struct of_controller_params {
    const char *target;      /* "tcp:127.0.0.1:6653", "unix:/path" */
    uint32_t max_backoff_ms; /* 0 = 8000 */
    uint32_t inactivity_probe_ms, packet_in_rate, packet_in_burst;
    uint8_t dscp; /* of packets to it, by TCP */
    bool quiet;   /* no asynchronous messages unless the controller asks for them by OFPT_SET_ASYNC */
};

struct of_server_params {
    struct loop *loop;
    struct bridge *bridge;                 /* the server listens to its events */
    struct flows *flows;                   /* barriers, packet-outs and counters */
    const struct of_request_ops *requests; /* what is done with messages: &of_requests */
    struct rte_mempool *pool;              /* for packet-outs */
    struct tls *tls;                       /* for "ssl:" and "pssl:"; outlives the server. NULL = none of those */
    const char *mgmt_path;                 /* <run_dir>/<bridge>.mgmt; NULL = none */
    const char *snoop_path;                /* <run_dir>/<bridge>.snoop; NULL = none */
    const char *const *listen;             /* "ptcp:6654:127.0.0.1", "punix:/path" */
    size_t n_listen;
    const struct of_controller_params *controllers;
    size_t n_controllers;
    /* Somebody brings rules of before, and controllers are left out until that is done: what is configured then finds
     * those rules. */
    bool restoring;
    unsigned auxiliary_connections; /* to each controller, at most OF_AUXILIARY_MAX */
    size_t bundle_bytes_max;        /* that open bundles may hold; 0 = OF_BUNDLE_BYTES */
    uint32_t bundle_idle_ms;        /* without a message until an open bundle is discarded; 0 = 10 s */
    /* For controllers that connect to `listen`. */
    uint32_t packet_in_rate;      /* packet-ins a second to each; 0 = no limit */
    uint32_t packet_in_burst;     /* 0 = a quarter of that */
    uint32_t inactivity_probe_ms; /* 0 = never probe */
    uint32_t versions;            /* that are spoken: 1 << OF13 and so on; 0 = all */
};

/* Opens the listeners and starts to connect. NULL with a sentence that says what to do in `error`. */
struct of_server *of_server_create(const struct of_server_params *params, char *error, size_t error_size);
/* Changes listeners, controllers, limits and versions from those of `was` to those of `wanted`: what is new is opened,
 * what is gone is closed with its connections, so are connections over a version that is gone, the rest goes on. Takes
 * over bridge->fail_mode, too, which the caller may have changed. All rules, groups and meters go when controllers are
 * configured where there were none, or none any more, and when the mode of a bridge without controllers changes.
 * Another number of auxiliary connections closes those to all controllers, which are made again. Returns 0, or -1 with
 * a sentence in `error`: then those of `was` go on. */
int of_server_change(struct of_server *server, const struct of_server_params *was,
                     const struct of_server_params *wanted, char *error, size_t error_size);
/* Closes the connections of all controllers, configured or not, because what was said at their start does not hold any
 * more, or an operator asks for it; who made them makes them again. Those of tools stay. `why` goes to the log. */
void of_server_reconnect(struct of_server *server, const char *why);
/* Sets the keys of connections that are made from now on, as in struct of_server_params. */
void of_server_set_tls(struct of_server *server, struct tls *tls);
/* Closes listeners and connections and removes sockets that it made; the bridge's events are not heard any more. What
 * is left, a bundle of a million messages or half of a commit, the loop takes away in slices. */
void of_server_close(struct of_server *server);
/* Whether nothing is left of what of_server_close() began. */
bool of_server_is_over(const struct of_server *server);
/* Closes it if need be, and frees it: at once, however much is left. */
void of_server_destroy(struct of_server *server);

/* Goes on with requests that are under way, for about `budget_us`; a job of the loop. Returns LOOP_WAITING if
 * something wants the next turn soon (a barrier waiting, a dump half written to a connection that can take more),
 * LOOP_ANSWERED if a request was worked off since the last call. */
unsigned of_server_run(struct of_server *server, uint64_t budget_us);

/* Asynchronous messages. packet_in takes the packet over; a connection that is behind (bounded queue) loses packet-ins,
 * counted under DROP_PACKET_IN_LIMIT, never the rest. */
void of_server_packet_in(struct of_server *server, struct packet_in *packet_in);
void of_server_rule_gone(struct of_server *server, struct rule *rule, enum rule_removed_reason reason);
/* The rule's statistics crossed a threshold. */
void of_server_rule_triggered(struct of_server *server, struct rule *rule);
/* A rule came, changed or went; for flow monitors. */
void of_server_rule_changed(struct of_server *server, enum flows_rule_change change, struct rule *rule,
                            enum rule_removed_reason reason);

/* No controller is connected and fail_mode is standalone: the bridge got a rule for that, and nobody took it away. */
bool of_server_is_learning_switch(const struct of_server *server);
/* Connections that came to nothing because of TLS: no certificate of the authority, a plain peer, and the like. */
uint64_t of_server_tls_refused(const struct of_server *server);

struct of_counts {
    uint64_t rx_messages, tx_messages, errors_sent;
    uint64_t packet_ins;         /* sent */
    uint64_t packet_ins_limited; /* not sent: above the rate */
    uint64_t packet_ins_dropped; /* not sent: the peer does not read as fast */
    uint64_t async_dropped;      /* other asynchronous messages, for the same reason */
};

/* A connection, or one that the switch would like to have, for "sluicectl bridges" and "controllers". */
struct of_connection_info {
    const char *target;     /* "tcp:127.0.0.1:6653" or the peer's name */
    const char *state;      /* "active", "connecting", "backoff" */
    const char *role;       /* "master", "slave", "other" (equal) */
    const char *last_error; /* why there was no connection last; "" = there was or is one */
    uint8_t version;
    uint8_t auxiliary_id;
    bool is_controller; /* configured or accepted on listen; false: mgmt */
    bool is_configured;
    uint64_t changed_ms;           /* when it came up or went down, by clock_now_ms() */
    uint64_t backlog, backlog_max; /* bytes that wait to be sent: now, and the most of this connection */
    struct of_counts counts;       /* of earlier connections to the target too */
};
void of_server_for_each_connection(struct of_server *server,
                                   void (*fn)(void *arg, const struct of_connection_info *info), void *arg);

#endif
