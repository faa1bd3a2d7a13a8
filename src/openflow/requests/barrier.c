#include "src/openflow/requests/barrier.h"

#include <stdlib.h>

#include "pmd/base/memory.h"
#include "src/openflow/server/server_impl.h"

#define STATS_MAX_AGE_MS 20 /* counters in a reply are not older, but for the time that summing them up takes */

struct barrier {
    struct of_task task;
    bool settled; /* the rules are; then it has a ticket for the datapath */
    uint64_t ticket;
    uint32_t xid;
};

static void free_task(struct of_task *task)
{
    free(task);
}

static struct of_task *new_task(size_t size,
                                enum of_task_state (*run)(struct of_task *, struct of_connection *, uint64_t))
{
    struct of_task *task = calloc(1, size);

    if (!task)
        out_of_memory("an OpenFlow request", 0);
    *task = (struct of_task){.run = run, .free = free_task};
    return task;
}

static enum of_task_state barrier_run(struct of_task *task, struct of_connection *conn, uint64_t deadline)
{
    struct barrier *barrier = (struct barrier *)task;

    if (!barrier->settled && !pipeline_settled(conn->server->bridge->pipeline))
        return OF_TASK_WAIT;
    if (!barrier->settled)
        barrier->ticket = flows_ticket(conn->server->flows);
    barrier->settled = true;
    if (!flows_settled(conn->server->flows, barrier->ticket))
        return OF_TASK_WAIT;
    const struct of_msg reply = {.type = OF_BARRIER_REPLY, .version = conn->version, .xid = barrier->xid};
    of_connection_send_msg(conn, &reply);
    return OF_TASK_DONE;
}

void of_barrier_start(struct of_connection *conn, uint32_t xid)
{
    struct barrier *barrier = (struct barrier *)new_task(sizeof *barrier, barrier_run);

    barrier->xid = xid;
    of_connection_set_task(conn, &barrier->task);
}

static enum of_task_state commit_wait_run(struct of_task *task, struct of_connection *conn, uint64_t deadline)
{
    return of_server_is_changing(conn->server) ? OF_TASK_WAIT : OF_TASK_DONE;
}

void of_wait_for_commit(struct of_connection *conn)
{
    of_connection_set_task(conn, new_task(sizeof(struct of_task), commit_wait_run));
}

struct count {
    struct of_task task;
    uint64_t pass;
};

static enum of_task_state count_wait_run(struct of_task *task, struct of_connection *conn, uint64_t deadline)
{
    const struct count *count = (const struct count *)task;

    return flows_counted(conn->server->flows, count->pass) ? OF_TASK_DONE : OF_TASK_WAIT;
}

bool of_wait_for_counters(struct of_connection *conn)
{
    struct flows *flows = conn->server->flows;
    uint64_t pass = flows_count(flows, STATS_MAX_AGE_MS);

    if (flows_counted(flows, pass))
        return false;
    struct count *count = (struct count *)new_task(sizeof *count, count_wait_run);
    count->pass = pass;
    of_connection_set_task(conn, &count->task);
    return true;
}
