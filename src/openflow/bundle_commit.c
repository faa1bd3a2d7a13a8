#include "src/openflow/bundle_commit.h"

#include <errno.h>
#include <rte_cycles.h>
#include <stdlib.h>

#include "src/openflow/handler.h"
#include "src/openflow/server_impl.h"
#include "src/pipeline/meter.h"

#define TELL_RULES 64 /* rules between looks at the clock while the flows side is told */

enum phase { PHASE_WAIT, PHASE_RULES, PHASE_TELL, PHASE_REST, PHASE_FREE, PHASE_SETTLE };

struct commit {
    struct of_task task;
    struct of_server *server;
    enum phase phase;
    struct of_bundle_store store;
    struct of_bundle_reader reader;
    struct of_decode_options decode;
    struct of_msg request; /* a bundle control: no pointers in it */
    uint64_t ticket;
};

static void let_others_go_on(struct commit *commit)
{
    if (commit->phase == PHASE_RULES || commit->phase == PHASE_TELL)
        commit->server->committing = NULL;
}

/* A connection that goes away before its rules are visible takes them along; after that there is no way back. */
static void commit_free(struct of_task *task)
{
    struct commit *commit = (struct commit *)task;
    struct pipeline *pipeline = commit->server->bridge->pipeline;
    if (commit->phase == PHASE_RULES)
        pipeline_bundle_abort(pipeline);
    else if (commit->phase == PHASE_TELL)
        pipeline_bundle_commit(pipeline);
    let_others_go_on(commit);
    commit->server->bundle_bytes -= commit->store.bytes;
    of_bundle_store_free(&commit->store);
    free(commit);
}

static int decode_next(struct commit *commit, struct of_msg *msg, const uint8_t **data, size_t *len)
{
    *data = of_bundle_reader_next(&commit->reader, len);
    return *data ? of_msg_decode(*data, *len, &commit->decode, msg) : 0;
}

/* Of port_mods and packet_outs only whether they are still possible: they have no next version to
 * work on. */
static int prepare(struct of_connection *conn, const struct of_msg *msg)
{
    if (msg->type == OF_FLOW_MOD)
        return pipeline_bundle_mod(conn->server->bridge->pipeline, &msg->flow_mod);
    if (msg->type == OF_GROUP_MOD)
        return group_table_mod(pipeline_groups(conn->server->bridge->pipeline), &msg->group_mod);
    if (msg->type == OF_METER_MOD)
        return meter_table_mod(pipeline_meters(conn->server->bridge->pipeline), &msg->meter_mod);
    if (msg->type == OF_PORT_MOD)
        return of_check_port_mod(conn, &msg->port_mod);
    if (msg->type == OF_PACKET_OUT) /* of groups that the bundle makes, for example */
        return of_check_packet_out(conn, &msg->packet_out);
    return 0;
}

static enum of_task_state fail(struct commit *commit, struct of_connection *conn, int error, const uint8_t *data,
                               size_t len)
{
    struct of_buf request = {0};
    pipeline_bundle_abort(conn->server->bridge->pipeline);
    let_others_go_on(commit);
    commit->phase = PHASE_SETTLE;
    of_connection_send_error(conn, error, data, len);
    of_msg_encode(&commit->request, &request);
    of_connection_send_error(conn, OFPERR_BFC_MSG_FAILED, request.data, request.len);
    of_buf_free(&request);
    return OF_TASK_DONE;
}

static enum of_task_state run_rules(struct commit *commit, struct of_connection *conn, uint64_t deadline)
{
    do {
        struct of_msg msg;
        const uint8_t *data;
        size_t len = 0;
        int error = decode_next(commit, &msg, &data, &len);
        if (!data) {
            commit->phase = PHASE_TELL;
            return OF_TASK_MORE;
        }
        if (!error) {
            error = prepare(conn, &msg);
            of_msg_free(&msg);
        }
        if (error)
            return fail(commit, conn, error, data, len);
    } while (rte_rdtsc() < deadline);
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
            commit->phase = PHASE_REST;
            of_bundle_reader_init(&commit->reader, &commit->store);
            return OF_TASK_MORE;
        }
    } while (rte_rdtsc() < deadline);
    return OF_TASK_MORE;
}

static enum of_task_state run_rest(struct commit *commit, struct of_connection *conn, uint64_t deadline)
{
    const uint8_t *data;
    size_t len;
    while ((data = of_bundle_reader_next(&commit->reader, &len))) {
        static const uint8_t type_flow_mod = 14; /* of every version */
        struct of_msg msg;
        int error = 0;
        if (data[1] != type_flow_mod && !of_msg_decode(data, len, &commit->decode, &msg)) {
            if (msg.type == OF_PORT_MOD)
                error = of_handle_port_mod(conn, &msg);
            else if (msg.type == OF_PACKET_OUT)
                error = of_handle_packet_out(conn, &msg);
            else if (msg.type == OF_GROUP_MOD || msg.type == OF_METER_MOD)
                of_async_requestforward(conn, &msg);
            of_msg_free(&msg);
        }
        if (error) /* a port that went away since the check */
            of_connection_send_error(conn, error, data, len);
        if (rte_rdtsc() >= deadline)
            return OF_TASK_MORE;
    }
    commit->phase = PHASE_FREE;
    commit->ticket = flows_ticket(conn->server->bridge->flows);
    return OF_TASK_MORE;
}

static enum of_task_state commit_run(struct of_task *task, struct of_connection *conn, uint64_t deadline)
{
    struct commit *commit = (struct commit *)task;
    struct of_server *server = conn->server;
    struct of_msg reply = commit->request;
    switch (commit->phase) {
    case PHASE_WAIT:
        if (server->committing || pipeline_bundle_begin(server->bridge->pipeline))
            return OF_TASK_WAIT;
        server->committing = conn;
        commit->phase = PHASE_RULES;
        server->abbreviated = false;
        return OF_TASK_MORE;
    case PHASE_RULES:
        return run_rules(commit, conn, deadline);
    case PHASE_TELL:
        return run_tell(commit, conn, deadline);
    case PHASE_REST:
        return run_rest(commit, conn, deadline);
    case PHASE_FREE:
        while (of_bundle_store_free_some(&commit->store)) {
            if (rte_rdtsc() >= deadline)
                return OF_TASK_MORE;
        }
        commit->phase = PHASE_SETTLE;
        return OF_TASK_MORE;
    case PHASE_SETTLE:
        break;
    }
    if (!flows_settled(server->bridge->flows, commit->ticket))
        return OF_TASK_WAIT;
    reply.bundle_control.type = OF_BUNDLE_COMMIT_REPLY;
    of_connection_send_msg(conn, &reply);
    return OF_TASK_DONE;
}

void of_bundle_commit_start(struct of_connection *conn, const struct of_msg *request, struct of_bundle_store *store)
{
    struct commit *commit = calloc(1, sizeof *commit);
    if (!commit)
        abort();
    commit->task = (struct of_task){.run = commit_run, .free = commit_free};
    commit->server = conn->server;
    commit->request = *request;
    commit->decode = conn->decode;
    commit->store = *store;
    *store = (struct of_bundle_store){0};
    of_bundle_reader_init(&commit->reader, &commit->store);
    of_connection_set_task(conn, &commit->task);
}
