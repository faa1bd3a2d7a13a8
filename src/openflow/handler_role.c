#include "src/openflow/handler.h"
#include "src/openflow/server_impl.h"

/* There is one master: who was it before becomes a slave (OpenFlow 1.3.5, 6.3.4), and is told so from 1.4 on. */
static void become_master(struct of_connection *conn)
{
    struct of_connection *other;
    TAILQ_FOREACH (other, &conn->server->connections, node) {
        if (other == conn || other->role != OF_ROLE_MASTER)
            continue;
        other->role = OF_ROLE_SLAVE;
        of_async_role_status(other);
    }
}

int of_handle_role(struct of_connection *conn, const struct of_msg *msg)
{
    struct of_server *server = conn->server;
    const struct of_role_msg *request = &msg->role;
    bool exclusive = request->role == OF_ROLE_MASTER || request->role == OF_ROLE_SLAVE;
    if (exclusive && request->has_generation_id) {
        /* OpenFlow 1.3.5, 7.3.9: a signed distance, so that the number may wrap. */
        if (server->generation_known && (int64_t)(request->generation_id - server->generation_id) < 0)
            return OFPERR_RRFC_STALE;
        server->generation_known = true;
        server->generation_id = request->generation_id;
    }
    if (request->role != OF_ROLE_NOCHANGE) {
        conn->role = request->role;
        if (conn->role == OF_ROLE_MASTER)
            become_master(conn);
        of_server_connections_changed(server);
    }
    const struct of_msg reply = {.type = OF_ROLE_REPLY,
                                 .version = conn->version,
                                 .xid = msg->xid,
                                 .role = {.nx = request->nx,
                                          .role = conn->role,
                                          .has_generation_id = server->generation_known,
                                          .generation_id = server->generation_id}};
    of_connection_send_msg(conn, &reply);
    return 0;
}
