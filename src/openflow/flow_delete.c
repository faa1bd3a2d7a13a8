#include "src/openflow/flow_delete.h"

#include <rte_cycles.h>
#include <stdlib.h>

#include "src/openflow/server_impl.h"

#define RULES_AT_ONCE 1024 /* tables of no more are gone through in one step */
#define PLACES_A_LOOK 64   /* rules looked at between looks at the clock */

struct flow_delete {
    struct of_task task;
    struct rule_cursor *cursor;
};

static void delete_free(struct of_task *task)
{
    rule_cursor_close(((struct flow_delete *)task)->cursor);
    free(task);
}

static enum of_task_state delete_run(struct of_task *task, struct of_connection *conn, uint64_t deadline)
{
    struct rule_cursor *cursor = ((struct flow_delete *)task)->cursor;
    do {
        struct rule *rule = NULL;
        enum rule_cursor_state state = rule_cursor_look(cursor, PLACES_A_LOOK, &rule);
        if (rule)
            pipeline_remove_rule(conn->server->bridge->pipeline, rule, RULE_DELETED);
        else if (state == RULE_CURSOR_END)
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
        abort();
    delete->task = (struct of_task){.run = delete_run, .free = delete_free};
    delete->cursor = rule_cursor_open(pipeline, &filter);
    of_connection_set_task(conn, &delete->task);
    return true;
}
