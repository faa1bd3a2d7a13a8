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

/* --- statistics and descriptions ----------------------------------------- */

static void add_group(const struct group *group, struct of_multipart *mp, struct of_buf *out)
{
    if (mp->type == OF_MP_GROUP)
        of_multipart_add_group(mp, out, group, clock_now_ms() - group->created_ms);
    else
        of_multipart_add_group_desc(mp, out, group);
}

static void *open_groups(struct of_connection *conn)
{
    return group_cursor_open(pipeline_groups(conn->server->bridge->pipeline));
}

static bool add_next_group(struct of_connection *conn, void *cursor, struct of_multipart *mp, struct of_buf *out)
{
    const struct group *group = group_cursor_next(cursor);

    if (group)
        add_group(group, mp, out);
    return group;
}

static void close_groups(void *cursor)
{
    group_cursor_close(cursor);
}

const struct of_listing_kind of_list_groups = {open_groups, add_next_group, close_groups};

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
