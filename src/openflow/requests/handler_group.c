/* Groups: OpenFlow 1.3.5, 6.7 and 7.3.5.6 to 8. */
#include <rte_cycles.h>
#include <stdlib.h>

#include "pmd/base/clock.h"
#include "pmd/base/memory.h"
#include "src/openflow/requests/handler.h"
#include "src/openflow/server/server_impl.h"
#include "src/tables/group.h"

#define GROUPS_A_LOOK 16 /* groups told of between looks at the clock */

int of_handle_group_mod(struct of_connection *conn, const struct of_msg *msg)
{
    int error = group_table_mod(pipeline_groups(conn->server->bridge->pipeline), &msg->group_mod);

    if (!error)
        of_async_requestforward(conn, msg);
    return error;
}

/* --- statistics and descriptions, in slices ------------------------------ */

struct dump {
    struct of_task task;
    struct of_multipart mp;
    struct of_buf out;
    struct group_cursor *cursor;
};

static void dump_free(struct of_task *task)
{
    struct dump *dump = (struct dump *)task;

    group_cursor_close(dump->cursor);
    of_multipart_abort(&dump->mp);
    of_buf_free(&dump->out);
    free(dump);
}

static void add_group(const struct group *group, struct of_multipart *mp, struct of_buf *out)
{
    if (mp->type == OF_MP_GROUP)
        of_multipart_add_group(mp, out, group, clock_now_ms() - group->created_ms);
    else
        of_multipart_add_group_desc(mp, out, group);
}

static enum of_task_state dump_run(struct of_task *task, struct of_connection *conn, uint64_t deadline)
{
    struct dump *dump = (struct dump *)task;

    do {
        for (unsigned i = 0; i < GROUPS_A_LOOK; i++) {
            const struct group *group = group_cursor_next(dump->cursor);

            if (!group) {
                of_multipart_end(&dump->mp, &dump->out);
                of_connection_send(conn, &dump->out);
                return OF_TASK_DONE;
            }
            add_group(group, &dump->mp, &dump->out);
        }
        of_connection_send(conn, &dump->out);
        if (of_connection_is_behind(conn))
            return OF_TASK_BLOCKED;
    } while (rte_rdtsc() < deadline);
    return OF_TASK_MORE;
}

void of_group_dump_start(struct of_connection *conn, const struct of_msg *msg)
{
    struct dump *dump = calloc(1, sizeof *dump);

    if (!dump)
        out_of_memory("an OpenFlow request", 0);
    dump->task = (struct of_task){.run = dump_run, .free = dump_free};
    dump->cursor = group_cursor_open(pipeline_groups(conn->server->bridge->pipeline));
    of_multipart_begin(&dump->mp, conn->version, msg->xid, msg->request.type, msg->request.nx);
    of_connection_set_task(conn, &dump->task);
}

void of_reply_group(struct of_connection *conn, const struct of_multipart_request *request, struct of_multipart *mp,
                    struct of_buf *out)
{
    const struct group *group;

    if (request->type == OF_MP_GROUP_FEATURES) {
        of_multipart_add_group_features(mp, out);
        return;
    }
    group = group_table_find(pipeline_groups(conn->server->bridge->pipeline), request->group_id);
    if (group)
        add_group(group, mp, out);
}
