#include "src/openflow/bundle_commit.h"

#include <errno.h>
#include <rte_cycles.h>
#include <stdlib.h>

#include "src/openflow/bundle_packets.h"
#include "src/openflow/bundle_ports.h"
#include "src/openflow/handler.h"
#include "src/openflow/server_impl.h"
#include "src/pipeline/meter.h"

#define TELL_RULES 64 /* rules between looks at the clock while the flows side is told */

/* It is visible from PHASE_SEND on. */
enum phase { PHASE_WAIT, PHASE_PREPARE, PHASE_SEND, PHASE_TELL, PHASE_FORWARD, PHASE_FREE, PHASE_SETTLE };

struct commit {
    struct of_task task;
    struct of_server *server;
    enum phase phase;
    struct of_bundle_store store;
    struct of_bundle_reader reader;
    struct of_bundle_ports ports;
    struct of_bundle_packets packets;
    struct of_decode_options decode;
    struct of_msg request; /* a bundle control: no pointers in it */
    uint64_t ticket;
};

static void let_others_go_on(struct commit *commit)
{
    if (commit->phase >= PHASE_PREPARE && commit->phase <= PHASE_TELL)
        commit->server->committing = NULL;
}

/* A connection that goes away before its rules are visible takes them along; after that there is no way back. */
static void commit_free(struct of_task *task)
{
    struct commit *commit = (struct commit *)task;
    struct of_server *server = commit->server;
    if (commit->phase == PHASE_PREPARE) {
        pipeline_bundle_abort(server->bridge->pipeline);
    } else if (commit->phase == PHASE_SEND || commit->phase == PHASE_TELL) {
        while (of_bundle_packets_send(&commit->packets, server))
            ;
        pipeline_bundle_commit(server->bridge->pipeline);
    }
    of_bundle_packets_free(&commit->packets, server);
    of_bundle_ports_free(&commit->ports);
    let_others_go_on(commit);
    server->bundle_bytes -= commit->store.bytes;
    of_bundle_store_free(&commit->store);
    free(commit);
}

static int decode_next(struct commit *commit, struct of_msg *msg, const uint8_t **data, size_t *len)
{
    *data = of_bundle_reader_next(&commit->reader, len);
    return *data ? of_msg_decode(*data, *len, &commit->decode, msg) : 0;
}

/* The packet sees the switch as the messages before it have left it. */
static void hold_packet(struct commit *commit, const struct of_packet_out *out)
{
    struct of_server *server = commit->server;
    of_bundle_ports_show(&commit->ports, server);
    of_bundle_packets_add(&commit->packets, server, out);
    of_bundle_ports_hide(&commit->ports, server);
}

/* Does what can be taken back. */
static int prepare(struct commit *commit, struct of_connection *conn, const struct of_msg *msg)
{
    struct pipeline *pipeline = conn->server->bridge->pipeline;
    int error;
    switch (msg->type) {
    case OF_FLOW_MOD:
        return pipeline_bundle_mod(pipeline, &msg->flow_mod);
    case OF_GROUP_MOD:
        return group_table_mod(pipeline_groups(pipeline), &msg->group_mod);
    case OF_METER_MOD:
        return meter_table_mod(pipeline_meters(pipeline), &msg->meter_mod);
    case OF_PORT_MOD:
        error = of_check_port_mod(conn, &msg->port_mod);
        if (!error)
            of_bundle_ports_add(&commit->ports, &msg->port_mod);
        return error;
    case OF_PACKET_OUT: /* checked again: it may be about groups that the bundle makes or takes away */
        error = of_check_packet_out(conn, &msg->packet_out);
        if (!error)
            hold_packet(commit, &msg->packet_out);
        return error;
    default:
        return 0;
    }
}

static enum of_task_state fail(struct commit *commit, struct of_connection *conn, int error, const uint8_t *data,
                               size_t len)
{
    struct of_buf request = {0};
    pipeline_bundle_abort(conn->server->bridge->pipeline);
    of_bundle_packets_free(&commit->packets, conn->server);
    let_others_go_on(commit);
    commit->phase = PHASE_SETTLE;
    of_connection_send_error(conn, error, data, len);
    of_msg_encode(&commit->request, &request);
    of_connection_send_error(conn, OFPERR_BFC_MSG_FAILED, request.data, request.len);
    of_buf_free(&request);
    return OF_TASK_DONE;
}

/* All of it in this turn of the event loop. */
static void become_visible(struct commit *commit)
{
    of_bundle_packets_count(&commit->packets);
    of_bundle_ports_apply(&commit->ports, commit->server);
    pipeline_bundle_commit_step(commit->server->bridge->pipeline, 0);
    commit->phase = PHASE_SEND;
}

static enum of_task_state run_prepare(struct commit *commit, struct of_connection *conn, uint64_t deadline)
{
    do {
        struct of_msg msg;
        const uint8_t *data;
        size_t len = 0;
        int error = decode_next(commit, &msg, &data, &len);
        if (!data) {
            become_visible(commit);
            return OF_TASK_MORE;
        }
        if (!error) {
            error = prepare(commit, conn, &msg);
            of_msg_free(&msg);
        }
        if (error)
            return fail(commit, conn, error, data, len);
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
