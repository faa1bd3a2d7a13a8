#include "src/openflow/server/server.h"

#include <errno.h>
#include <rte_cycles.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "pmd/base/clock.h"
#include "src/openflow/server/server_impl.h"

#define TICK_MS 100
#define BUDGET_US 100 /* of requests, a turn */
#define BUNDLE_IDLE_MS 10000
#define SCRATCH_SIZE 65536 /* a message's or packet's length has 16 bits */
#define SPIN_US 50         /* how long a wait for the datapath keeps the loop from sleeping */

static uint64_t us_to_tsc(uint64_t us)
{
    return us * rte_get_tsc_hz() / 1000000;
}

void of_server_kick(struct of_server *server)
{
    loop_kick(server->loop);
}

void of_server_connections_changed(struct of_server *server)
{
    server->changed = true;
    of_server_kick(server);
}

static void on_tick(void *arg)
{
    struct of_server *server = arg;
    struct of_connection *conn;
    uint64_t now_ms = clock_now_ms();

    loop_timer_beat(&server->tick, TICK_MS * 1000);
    TAILQ_FOREACH (conn, &server->connections, node)
        of_connection_tick(conn, now_ms);
    of_fail_mode_run(server, now_ms);
}

/* OpenFlow 1.0's table miss goes to the controllers, later versions drop it: the bridge does it if one wants it. */
static void update_table_miss(struct of_server *server)
{
    struct bridge *bridge = server->bridge;
    const struct of_connection *conn;
    bool wanted = false;

    TAILQ_FOREACH (conn, &server->connections, node)
        wanted |= of_async_wants_misses(conn);
    if (bridge->of10_table_miss == wanted)
        return;
    bridge->of10_table_miss = wanted;
    bridge_note(bridge);
}

static int open_sockets(struct of_server *server, const struct of_server_params *params, char *error, size_t error_size)
{
    if (params->mgmt_path) {
        char target[512];
        snprintf(target, sizeof target, "punix:%s", params->mgmt_path);
        if (of_listener_open(server, target, OF_KIND_MGMT, error, error_size))
            return -1;
    }
    if (params->snoop_path) {
        char target[512];
        snprintf(target, sizeof target, "punix:%s", params->snoop_path);
        if (of_listener_open(server, target, OF_KIND_SNOOP, error, error_size))
            return -1;
    }
    for (size_t i = 0; i < params->n_listen; i++)
        if (of_listener_open(server, params->listen[i], OF_KIND_LISTEN, error, error_size))
            return -1;
    for (size_t i = 0; i < params->n_controllers; i++)
        if (of_controller_add(server, &params->controllers[i], error, error_size))
            return -1;
    return 0;
}

static void set_limits(struct of_server *server, const struct of_server_params *params)
{
    server->versions = params->versions ? params->versions & OF_VERSIONS : OF_VERSIONS;
    server->bundle_bytes_max = params->bundle_bytes_max ? params->bundle_bytes_max : OF_BUNDLE_BYTES;
    server->bundle_idle_ms = params->bundle_idle_ms ? params->bundle_idle_ms : BUNDLE_IDLE_MS;
    of_limits_set(&server->limits, params->inactivity_probe_ms, params->packet_in_rate, params->packet_in_burst);
}

static unsigned run_job(void *arg, uint64_t budget_us)
{
    return of_server_run(arg, budget_us);
}

static void join_loop(struct of_server *server)
{
    server->job = (struct loop_job){
        .name = "openflow", .phase = LOOP_REQUESTS, .budget_us = BUDGET_US, .arg = server, .run = run_job};
    loop_add(server->loop, &server->job);
    loop_timer_init(&server->tick, server->loop, "openflow timeouts", on_tick, server);
    loop_timer_beat(&server->tick, TICK_MS * 1000);
}

/* --- events of the bridge ------------------------------------------------ */

static void port_added(void *arg, struct bridge_port *bp)
{
    of_async_port_status(arg, bp, OF_PORT_ADD);
}

static void port_removed(void *arg, struct bridge_port *bp)
{
    of_async_port_status(arg, bp, OF_PORT_DELETE);
}

static void port_changed(void *arg, struct bridge_port *bp, unsigned what)
{
    if (what & (BRIDGE_PORT_LINK | BRIDGE_PORT_CONFIG))
        of_async_port_status(arg, bp, OF_PORT_MODIFY);
}

static void listen_to_bridge(struct of_server *server)
{
    server->listener = (struct bridge_listener){
        .arg = server, .port_added = port_added, .port_removed = port_removed, .port_changed = port_changed};
    bridge_listen(server->bridge, &server->listener);
}

struct of_server *of_server_create(const struct of_server_params *params, char *error, size_t error_size)
{
    struct of_server *server = calloc(1, sizeof *server);

    if (!server) {
        snprintf(error, error_size, "out of memory");
        return NULL;
    }
    server->loop = params->loop;
    server->base = loop_base(params->loop);
    server->bridge = params->bridge;
    server->flows = params->flows;
    server->requests = params->requests;
    server->pool = params->pool;
    server->tls = params->tls;
    set_limits(server, params);
    server->auxiliary_connections = params->auxiliary_connections;
    server->fail_mode.alone_ms = clock_now_ms();
    server->fail_mode.mode = params->bridge->fail_mode;
    TAILQ_INIT(&server->listeners);
    TAILQ_INIT(&server->controllers);
    TAILQ_INIT(&server->connections);
    listen_to_bridge(server);
    join_loop(server);
    server->scratch = malloc(SCRATCH_SIZE);
    server->packet = malloc(SCRATCH_SIZE);
    if (!server->scratch || !server->packet) {
        snprintf(error, error_size, "out of memory");
    } else if (getrandom(server->continuation_id, sizeof server->continuation_id, 0) < 0) {
        snprintf(error, error_size, "no random numbers: %s", strerror(errno));
    } else if (!open_sockets(server, params, error, error_size)) {
        of_fail_mode_run(server, clock_now_ms());
        return server;
    }
    of_server_destroy(server);
    return NULL;
}

void of_server_close(struct of_server *server)
{
    struct of_connection *conn;

    if (server->closed)
        return;
    server->closed = true;
    loop_timer_cancel(&server->tick);
    bridge_unlisten(server->bridge, &server->listener);
    of_listeners_close(server);
    of_controllers_free(server);
    TAILQ_FOREACH (conn, &server->connections, node)
        of_connection_close(conn, "");
}

bool of_server_is_over(const struct of_server *server)
{
    return server->closed && TAILQ_EMPTY(&server->connections) && !server->dead_bundles.first &&
           !server->fail_mode.flush;
}

void of_server_destroy(struct of_server *server)
{
    if (!server)
        return;
    of_server_close(server);
    of_connections_reap(server, UINT64_MAX);
    server->requests->run(server, UINT64_MAX);
    while (server->fail_mode.flush > FLUSH_WAIT)
        of_fail_mode_flush(server, UINT64_MAX);
    loop_remove(&server->job);
    free(server->scratch);
    free(server->packet);
    free(server);
}

/* Connections over a version that is not to be spoken any more. */
static void close_other_versions(struct of_server *server)
{
    struct of_connection *conn;

    TAILQ_FOREACH (conn, &server->connections, node)
        if (conn->bev && conn->version && !(server->versions >> conn->version & 1))
            of_connection_close(conn, "its version of OpenFlow is not among the bridge's protocols any more");
}

int of_server_change(struct of_server *server, const struct of_server_params *was,
                     const struct of_server_params *wanted, char *error, size_t error_size)
{
    unsigned auxiliary = server->auxiliary_connections;
    const bool had_controllers = !TAILQ_EMPTY(&server->controllers);

    if (wanted->auxiliary_connections != was->auxiliary_connections) {
        server->auxiliary_connections = wanted->auxiliary_connections;
        of_controllers_keep(server, NULL, 0);
    }
    bool opened = !of_listeners_open_new(server, wanted->listen, wanted->n_listen, error, error_size) &&
                  !of_controllers_add_new(server, wanted->controllers, wanted->n_controllers, error, error_size);
    const struct of_server_params *now = opened ? wanted : was;
    if (!opened && server->auxiliary_connections != auxiliary) {
        server->auxiliary_connections = auxiliary;
        of_controllers_keep(server, NULL, 0);
        of_controllers_add_new(server, was->controllers, was->n_controllers, NULL, 0);
    }

    if (was->n_controllers == 0) /* what counts is the time that they could be connected to */
        server->fail_mode.alone_ms = clock_now_ms();
    of_listeners_keep(server, now->listen, now->n_listen);
    of_controllers_keep(server, now->controllers, now->n_controllers);
    set_limits(server, now);
    close_other_versions(server);
    if (opened)
        of_fail_mode_changed(server, was->restoring ? now->n_controllers > 0 : had_controllers);
    of_server_connections_changed(server);
    return opened ? 0 : -1;
}

void of_server_reconnect(struct of_server *server, const char *why)
{
    struct of_connection *conn;

    TAILQ_FOREACH (conn, &server->connections, node)
        if (conn->bev && !of_connection_is_tool(conn))
            of_connection_close(conn, why);
}

void of_server_set_tls(struct of_server *server, struct tls *tls)
{
    server->tls = tls;
}

unsigned of_server_run(struct of_server *server, uint64_t budget_us)
{
    struct of_connection *conn, *first;
    uint64_t now = rte_rdtsc(), deadline = now + us_to_tsc(budget_us);
    bool more = of_connections_reap(server, deadline), waiting = false;

    more |= server->requests->run(server, deadline);
    more |= of_fail_mode_flush(server, deadline);
    server->running = true;
    if (server->changed && !server->closed) {
        server->changed = false;
        update_table_miss(server);
        of_fail_mode_run(server, clock_now_ms());
    }
    TAILQ_FOREACH (conn, &server->connections, node) {
        enum of_task_state state = of_connection_run(conn, deadline);
        if (conn->bev)
            more |= of_monitors_run(conn, deadline);
        of_connection_flush(conn);
        more |= state == OF_TASK_MORE || (state == OF_TASK_BLOCKED && !of_connection_is_behind(conn));
        waiting |= state == OF_TASK_WAIT;
    }
    /* What later ones had to tell earlier ones. */
    TAILQ_FOREACH (conn, &server->connections, node)
        of_connection_flush(conn);
    server->running = false;
    /* Whoever was first is last next time, so that all get their share of the budget. */
    if (more && (first = TAILQ_FIRST(&server->connections))) {
        TAILQ_REMOVE(&server->connections, first, node);
        TAILQ_INSERT_TAIL(&server->connections, first, node);
    }
    of_vacancy_run(server);
    if (!waiting)
        server->waiting_since = 0;
    else if (!server->waiting_since)
        server->waiting_since = now;
    if (more || (waiting && now - server->waiting_since < us_to_tsc(SPIN_US)))
        of_server_kick(server);
    bool served = server->served;
    server->served = false;
    return (more || waiting ? LOOP_WAITING : 0) | (served ? LOOP_ANSWERED : 0);
}

bool of_server_is_learning_switch(const struct of_server *server)
{
    return of_fail_mode_is_learning_switch(server);
}

uint64_t of_server_tls_refused(const struct of_server *server)
{
    return server->tls_refused;
}

static const char *role_name(enum of_role role)
{
    switch (role) {
    case OF_ROLE_MASTER:
        return "master";
    case OF_ROLE_SLAVE:
        return "slave";
    case OF_ROLE_EQUAL:
    case OF_ROLE_NOCHANGE:
        break;
    }
    return "other";
}

struct for_each {
    void (*fn)(void *arg, const struct of_connection_info *info);
    void *arg;
};

static void tell_waiting(void *arg, const char *target, const struct of_link *link)
{
    const struct for_each *to = arg;
    struct of_connection_info info = {.target = target,
                                      .state = "backoff",
                                      .role = role_name(OF_ROLE_EQUAL),
                                      .is_controller = true,
                                      .is_configured = true};

    of_link_describe(link, &info);
    to->fn(to->arg, &info);
}

void of_server_for_each_connection(struct of_server *server,
                                   void (*fn)(void *arg, const struct of_connection_info *info), void *arg)
{
    struct for_each to = {fn, arg};
    const struct of_connection *conn;

    TAILQ_FOREACH (conn, &server->connections, node) {
        if (!conn->bev)
            continue;
        struct of_connection_info info = {
            .target = conn->name,
            .state = conn->version ? "active" : "connecting",
            .role = role_name(conn->role),
            .version = conn->version,
            .is_controller = !of_connection_is_tool(conn),
            .is_configured = conn->kind == OF_KIND_CONTROLLER,
            .last_error = "",
            .changed_ms = conn->changed_ms,
            .backlog = of_connection_backlog(conn),
            .backlog_max = conn->backlog_max,
            .counts = conn->counts,
        };
        if (conn->link)
            of_link_describe(conn->link, &info);
        fn(arg, &info);
    }
    of_controllers_for_each_waiting(server, tell_waiting, &to);
}
