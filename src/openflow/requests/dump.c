#include "src/openflow/requests/dump.h"

#include <rte_cycles.h>
#include <stdlib.h>

#include "pmd/base/clock.h"
#include "pmd/base/memory.h"
#include "src/openflow/server/describe.h"
#include "src/openflow/server/server_impl.h"

#define RULES_A_LOOK 32   /* rules told of between looks at the clock */
#define PLACES_A_LOOK 256 /* rules looked at, if few are asked for */

struct dump {
    struct of_task task;
    struct of_multipart mp;
    struct of_buf out;
    struct rule_cursor *cursor;
    struct of_aggregate aggregate;
};

static void dump_free(struct of_task *task)
{
    struct dump *dump = (struct dump *)task;

    rule_cursor_close(dump->cursor);
    of_multipart_abort(&dump->mp);
    of_buf_free(&dump->out);
    free(dump);
}

static void add_flow(struct dump *dump, const struct rule *rule, uint64_t now_ms)
{
    struct of_flow_stats stats;
    struct match match;

    of_rule_describe(rule, now_ms, &match, &stats);
    of_multipart_add_flow(&dump->mp, &dump->out, &stats);
}

static enum of_task_state finish(struct dump *dump, struct of_connection *conn)
{
    if (dump->mp.type == OF_MP_AGGREGATE)
        of_multipart_add_aggregate(&dump->mp, &dump->out, &dump->aggregate);
    of_multipart_end(&dump->mp, &dump->out);
    of_connection_send(conn, &dump->out);
    return OF_TASK_DONE;
}

static enum of_task_state dump_run(struct of_task *task, struct of_connection *conn, uint64_t deadline)
{
    struct dump *dump = (struct dump *)task;
    uint64_t now_ms = clock_now_ms();

    do {
        for (int i = 0; i < RULES_A_LOOK; i++) {
            struct rule *rule = NULL;
            enum rule_cursor_state state = rule_cursor_look(dump->cursor, PLACES_A_LOOK, &rule);
            if (state == RULE_CURSOR_END)
                return finish(dump, conn);
            if (state == RULE_CURSOR_MORE)
                break;
            if (dump->mp.type != OF_MP_AGGREGATE) {
                add_flow(dump, rule, now_ms);
            } else {
                dump->aggregate.flows++;
                dump->aggregate.packets += rule->packets;
                dump->aggregate.bytes += rule->bytes;
            }
        }
        of_connection_send(conn, &dump->out);
        if (of_connection_is_behind(conn))
            return OF_TASK_BLOCKED;
    } while (rte_rdtsc() < deadline);
    return OF_TASK_MORE;
}

void of_dump_start(struct of_connection *conn, const struct of_msg *msg)
{
    struct bridge *bridge = conn->server->bridge;
    struct dump *dump = calloc(1, sizeof *dump);

    if (!dump)
        out_of_memory("an OpenFlow request", 0);
    dump->task = (struct of_task){.run = dump_run, .free = dump_free};
    dump->cursor = rule_cursor_open(bridge->pipeline, &msg->request.filter);
    of_multipart_begin(&dump->mp, conn->version, msg->xid, msg->request.type, msg->request.nx);
    of_connection_set_task(conn, &dump->task);
}
