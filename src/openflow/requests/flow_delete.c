#include "src/openflow/requests/flow_delete.h"

#include <rte_cycles.h>
#include <stdlib.h>

#include "pmd/base/memory.h"
#include "src/openflow/server/server_impl.h"

#define RULES_AT_ONCE 1024 /* tables of no more are gone through in one step */
#define PLACES_A_LOOK 64   /* rules looked at between looks at the clock */

struct flow_delete {
    struct of_task task;
    struct rule_cursor *cursor;
    uint64_t version; /* rules of a later one have come since */
};

static void delete_free(struct of_task *task)
{
    rule_cursor_close(((struct flow_delete *)task)->cursor);
    free(task);
}

static enum of_task_state delete_run(struct of_task *task, struct of_connection *conn, uint64_t deadline)
{
    struct flow_delete *delete = (struct flow_delete *)task;

    /* A rule that a commit modifies is to be had only when that is done. */
    if (conn->server->committing)
        return OF_TASK_WAIT;
    do {
        struct rule *rule = NULL;
        enum rule_cursor_state state = rule_cursor_look(delete->cursor, PLACES_A_LOOK, &rule);
        if (rule && rule->add_version <= delete->version)
            pipeline_remove_rule(conn->server->bridge->pipeline, rule, RULE_DELETED);
        else if (!rule && state == RULE_CURSOR_END)
            return OF_TASK_DONE;
    } while (rte_rdtsc() < deadline);
    return OF_TASK_MORE;
}

bool of_flow_delete_start(struct of_connection *conn, const struct flow_mod *fm)
{
    struct pipeline *pipeline = conn->server->bridge->pipeline;

    if (fm->command != FLOW_DELETE || pipeline_n_rules(pipeline, fm->table_id) <= RULES_AT_ONCE)
        return false;
    const struct rule_filter filter = {
        .table_id = fm->table_id,
        .match = &fm->match,
        .cookie = fm->cookie,
        .cookie_mask = fm->cookie_mask,
        .out_port = fm->out_port,
        .out_group = fm->out_group,
    };
    struct flow_delete *delete = calloc(1, sizeof *delete);
    if (!delete)
        out_of_memory("an OpenFlow request", 0);
    delete->task = (struct of_task){.run = delete_run, .free = delete_free};
    delete->cursor = rule_cursor_open(pipeline, &filter);
    delete->version = pipeline_version(pipeline);
    of_connection_set_task(conn, &delete->task);
    return true;
}
