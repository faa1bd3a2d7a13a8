/* Groups: OpenFlow 1.3.5, 6.7 and 7.3.5.6 to 8. */
#include "pmd/base/clock.h"
#include "src/openflow/requests/handler.h"
#include "src/openflow/server/server_impl.h"
#include "src/tables/group.h"

int of_handle_group_mod(struct of_connection *conn, const struct of_msg *msg)
{
    int error = group_table_mod(pipeline_groups(conn->server->bridge->pipeline), &msg->group_mod);

    if (!error)
        of_async_requestforward(conn, msg);
    return error;
}

void of_reply_groups(struct of_connection *conn, const struct of_multipart_request *request, struct of_multipart *mp,
                     struct of_buf *out)
{
    struct bridge *bridge = conn->server->bridge;
    const struct group_table *table = pipeline_groups(bridge->pipeline);
    uint64_t now_ms = clock_now_ms();

    if (request->type == OF_MP_GROUP_FEATURES) {
        of_multipart_add_group_features(mp, out);
        return;
    }
    for (const struct group *group = group_table_first(table); group; group = group_table_next(table, group)) {
        if (request->group_id != OFGROUP_ALL && request->group_id != group->id)
            continue;
        if (request->type == OF_MP_GROUP)
            of_multipart_add_group(mp, out, group, now_ms - group->created_ms);
        else
            of_multipart_add_group_desc(mp, out, group);
    }
}
