#include "src/openflow/requests/bundle_commit.h"

#include <errno.h>
#include <rte_cycles.h>
#include <stdlib.h>

#include "pmd/base/memory.h"
#include "src/openflow/requests/bundle_packets.h"
#include "src/openflow/requests/bundle_ports.h"
#include "src/openflow/requests/bundle_tables.h"
#include "src/openflow/requests/handler.h"
#include "src/openflow/server/server_impl.h"
#include "src/tables/group.h"
#include "src/tables/meter.h"

#define TELL_RULES 64 /* rules between looks at the clock while the flows side is told */
#define MOD_RULES 256 /* and while one message is about many */
#define MANY_RULES 1024
#define MANY_LOOKS 65536 /* rules that a message only looks at */

/* It is visible from PHASE_SEND on; PHASE_ABORT is the other way out of PHASE_PREPARE. */
enum phase { PHASE_WAIT, PHASE_PREPARE, PHASE_ABORT, PHASE_SEND, PHASE_TELL, PHASE_FORWARD, PHASE_SETTLE };

struct commit {
    struct of_task task;
    struct of_server *server;
    enum phase phase;
    struct of_bundle_store store;
    struct of_bundle_reader reader;
    struct of_bundle_ports ports;
    struct of_bundle_tables tables;
    struct of_bundle_packets packets;
    struct of_decode_options decode;
    bool single; /* one message that is about many rules, not a bundle: nobody waits for a reply */
    bool failed; /* the peer was told */
    struct {
        struct of_msg msg;
        const uint8_t *data; /* NULL: none is under way */
        size_t len;
        struct mod_slices *slices;
    } current;
    struct of_msg request; /* a bundle control: no pointers in it */
    uint64_t ticket;
};

static void let_others_go_on(struct commit *commit)
{
    if (commit->phase >= PHASE_PREPARE && commit->phase <= PHASE_TELL)
        commit->server->committing = NULL;
}

static void end_current(struct commit *commit)
{
    pipeline_mod_slices_free(commit->current.slices);
    commit->current.slices = NULL;
    if (commit->current.data)
        of_msg_free(&commit->current.msg);
    commit->current.data = NULL;
}

static void commit_free(struct of_task *task)
{
    struct commit *commit = (struct commit *)task;
    struct of_server *server = commit->server;

    end_current(commit);
    of_bundle_packets_free(&commit->packets, server);
    of_bundle_ports_free(&commit->ports);
    of_bundle_store_bury(&commit->store, &server->dead_bundles);
    free(commit);
}

/* The packet sees the switch as the messages before it have left it. */
static void hold_packet(struct commit *commit, const struct of_packet_out *out)
{
    struct of_server *server = commit->server;

    of_bundle_ports_show(&commit->ports, server);
    of_bundle_packets_add(&commit->packets, server, out);
    of_bundle_ports_hide(&commit->ports, server);
}

/* Does what can be taken back. -EINPROGRESS: not yet all of it. */
static int prepare(struct commit *commit, struct of_connection *conn)
{
    struct pipeline *pipeline = conn->server->bridge->pipeline;
    const struct of_msg *msg = &commit->current.msg;
    int error;

    switch (msg->type) {
    case OF_FLOW_MOD:
        return pipeline_bundle_mod_slice(pipeline, &msg->flow_mod, &commit->current.slices, MOD_RULES);
    case OF_GROUP_MOD:
        return group_table_mod_slice(pipeline_groups(pipeline), &msg->group_mod, MOD_RULES);
    case OF_METER_MOD:
        return meter_table_mod_slice(pipeline_meters(pipeline), &msg->meter_mod, MOD_RULES);
    case OF_PORT_MOD:
        error = of_check_port_mod(conn, &msg->port_mod);
        if (!error)
            of_bundle_ports_add(&commit->ports, &msg->port_mod);
        return error;
    case OF_TABLE_MOD:
        error = of_check_table_mod(&msg->table_mod, conn->version);
        if (error || conn->version < OF14)
            return error;
        of_bundle_tables_add(&commit->tables, conn->server, &msg->table_mod);
        return of_bundle_tables_order(&commit->tables, conn->server, MOD_RULES) ? 0 : -EINPROGRESS;
    case OF_PACKET_OUT: /* checked again: it may be about groups that the bundle makes or takes away */
        error = of_check_packet_out(conn, &msg->packet_out);
        if (!error)
            hold_packet(commit, &msg->packet_out);
        return error;
    default:
        return 0;
    }
}

static enum of_task_state fail(struct commit *commit, struct of_connection *conn, int error)
{
    struct of_buf request = {0};

    commit->phase = PHASE_ABORT;
    commit->failed = true;
    of_connection_send_error(conn, error, commit->current.data, commit->current.len);
    end_current(commit);
    if (commit->single)
        return OF_TASK_MORE;
    of_msg_encode(&commit->request, &request);
    of_connection_send_error(conn, OFPERR_BFC_MSG_FAILED, request.data, request.len);
    of_buf_free(&request);
    return OF_TASK_MORE;
}

static enum of_task_state run_abort(struct commit *commit, uint64_t deadline)
{
    do {
        if (pipeline_bundle_abort_step(commit->server->bridge->pipeline, TELL_RULES)) {
            of_bundle_packets_free(&commit->packets, commit->server);
            let_others_go_on(commit);
            commit->phase = PHASE_SETTLE;
            return OF_TASK_MORE;
        }
    } while (rte_rdtsc() < deadline);
    return OF_TASK_MORE;
}

/* All of it in this turn of the event loop. */
static void become_visible(struct commit *commit)
{
    of_bundle_packets_count(&commit->packets);
    of_bundle_ports_apply(&commit->ports, commit->server);
    pipeline_bundle_commit_step(commit->server->bridge->pipeline, 0);
    of_bundle_tables_applied(&commit->tables, commit->server);
    commit->phase = PHASE_SEND;
}

static enum of_task_state run_prepare(struct commit *commit, struct of_connection *conn, uint64_t deadline)
{
    do {
        int error = 0;
        if (!commit->current.data) {
            const uint8_t *data = of_bundle_reader_next(&commit->reader, &commit->current.len);
            if (!data) {
                become_visible(commit);
                return OF_TASK_MORE;
            }
            error = of_msg_decode(data, commit->current.len, &commit->decode, &commit->current.msg);
            if (error) /* there is nothing to free in it */
                commit->current.msg = (struct of_msg){0};
            commit->current.data = data;
        }
        if (!error)
            error = prepare(commit, conn);
        if (error && error != -EINPROGRESS)
            return fail(commit, conn, error);
        if (!error)
            end_current(commit);
    } while (rte_rdtsc() < deadline);
    return OF_TASK_MORE;
}

static enum of_task_state run_send(struct commit *commit, uint64_t deadline)
{
    while (of_bundle_packets_send(&commit->packets, commit->server)) {
        if (rte_rdtsc() >= deadline)
            return OF_TASK_MORE;
    }
    commit->phase = PHASE_TELL;
    return OF_TASK_MORE;
}

static enum of_task_state run_tell(struct commit *commit, struct of_connection *conn, uint64_t deadline)
{
    struct of_server *server = conn->server;

    do {
        server->changing = conn;
        server->changing_xid = commit->request.xid;
        bool done = pipeline_bundle_commit_step(server->bridge->pipeline, TELL_RULES);
        server->changing = NULL;
        if (done) {
            let_others_go_on(commit);
            of_vacancy_run(commit->server);
            commit->phase = PHASE_FORWARD;
            of_bundle_reader_init(&commit->reader, &commit->store);
            return OF_TASK_MORE;
        }
    } while (rte_rdtsc() < deadline);
    return OF_TASK_MORE;
}

static enum of_task_state run_forward(struct commit *commit, struct of_connection *conn, uint64_t deadline)
{
    const uint8_t *data;
    size_t len;

    while ((data = of_bundle_reader_next(&commit->reader, &len))) {
        static const uint8_t type_flow_mod = 14; /* of every version */
        struct of_msg msg;
        if (data[1] != type_flow_mod && !of_msg_decode(data, len, &commit->decode, &msg)) {
            if (msg.type == OF_GROUP_MOD || msg.type == OF_METER_MOD)
                of_async_requestforward(conn, &msg);
            of_msg_free(&msg);
        }
        if (rte_rdtsc() >= deadline)
            return OF_TASK_MORE;
    }
    if (!pipeline_settled(conn->server->bridge->pipeline))
        return OF_TASK_WAIT;
    commit->phase = PHASE_SETTLE;
    commit->ticket = flows_ticket(conn->server->flows);
    return OF_TASK_MORE;
}

static enum of_task_state commit_run(struct of_task *task, struct of_connection *conn, uint64_t deadline)
{
    struct commit *commit = (struct commit *)task;
    struct of_server *server = conn->server;
    struct of_msg reply = commit->request;

    switch (commit->phase) {
    case PHASE_WAIT:
        if (of_server_is_changing(server) || pipeline_bundle_begin(server->bridge->pipeline))
            return OF_TASK_WAIT;
        server->committing = conn;
        commit->phase = PHASE_PREPARE;
        server->abbreviated = false;
        return OF_TASK_MORE;
    case PHASE_PREPARE:
        return run_prepare(commit, conn, deadline);
    case PHASE_SEND:
        return run_send(commit, deadline);
    case PHASE_TELL:
        return run_tell(commit, conn, deadline);
    case PHASE_FORWARD:
        return run_forward(commit, conn, deadline);
    case PHASE_ABORT:
        return run_abort(commit, deadline);
    case PHASE_SETTLE:
        break;
    }
    if (commit->single || commit->failed)
        return OF_TASK_DONE;
    if (!flows_settled(server->flows, commit->ticket))
        return OF_TASK_WAIT;
    reply.bundle_control.type = OF_BUNDLE_COMMIT_REPLY;
    of_connection_send_msg(conn, &reply);
    return OF_TASK_DONE;
}

/* A connection that goes away before its rules are visible takes them along; after that there is no way back. */
static bool commit_end(struct of_task *task, struct of_connection *conn, uint64_t deadline)
{
    struct commit *commit = (struct commit *)task;

    if (commit->phase == PHASE_PREPARE)
        commit->phase = PHASE_ABORT;
    while (commit->phase >= PHASE_ABORT && commit->phase <= PHASE_TELL) {
        commit_run(task, conn, deadline);
        if (rte_rdtsc() >= deadline)
            return commit->phase >= PHASE_FORWARD;
    }
    return true;
}

static struct commit *start(struct of_connection *conn, struct of_bundle_store *store)
{
    struct commit *commit = calloc(1, sizeof *commit);

    if (!commit)
        out_of_memory("an OpenFlow request", 0);
    commit->task = (struct of_task){.run = commit_run, .end = commit_end, .free = commit_free};
    commit->server = conn->server;
    commit->decode = conn->decode;
    commit->store = *store;
    *store = (struct of_bundle_store){0};
    of_bundle_reader_init(&commit->reader, &commit->store);
    of_connection_set_task(conn, &commit->task);
    return commit;
}

void of_bundle_commit_start(struct of_connection *conn, const struct of_msg *request, struct of_bundle_store *store)
{
    start(conn, store)->request = *request;
}

/* Deletes of rules are worked off rule by rule (flow_delete.h). */
static bool is_about_many(const struct of_connection *conn, const struct of_msg *msg)
{
    const struct pipeline *pipeline = conn->server->bridge->pipeline;

    if (msg->type == OF_FLOW_MOD && !of_check_flow_mod(&msg->flow_mod)) {
        uint32_t n_rules = pipeline_n_rules(pipeline, msg->flow_mod.table_id);

        if (msg->flow_mod.command == FLOW_ADD)
            return msg->flow_mod.flags & RULE_CHECK_OVERLAP && n_rules > MANY_LOOKS;
        return msg->flow_mod.command == FLOW_MODIFY && n_rules > MANY_RULES;
    }
    if (msg->type == OF_GROUP_MOD && msg->group_mod.command != GROUP_DELETE) {
        const struct group *group = group_table_find(pipeline_groups(pipeline), msg->group_mod.group_id);
        return group && group_users(group) > MANY_RULES; /* they go over to its successor */
    }
    if (msg->type == OF_GROUP_MOD)
        return pipeline_n_rules(pipeline, TABLE_ALL) > MANY_RULES;
    if (msg->type == OF_TABLE_MOD)
        return conn->version >= OF14 && msg->table_mod.config & TABLE_EVICTION &&
               pipeline_n_rules(pipeline, msg->table_mod.table_id) > MANY_RULES;
    if (msg->type == OF_METER_MOD)
        return msg->meter_mod.command == METER_DELETE && pipeline_n_rules(pipeline, TABLE_ALL) > MANY_RULES;
    return false;
}

bool of_bundle_commit_single(struct of_connection *conn, const struct of_msg *msg, const uint8_t *data, size_t len)
{
    struct of_bundle_store store = {0};
    struct commit *commit;

    if (!is_about_many(conn, msg) || !of_bundle_store_add(&store, data, len))
        return false;
    of_bundle_store_hold(&store, msg);
    commit = start(conn, &store);
    commit->single = true;
    commit->request.xid = msg->xid;
    conn->server->bundle_bytes += commit->store.bytes;
    return true;
}
