/* Roles of controllers: OFPT_ROLE_REQUEST (OpenFlow 1.3.5, 6.3.4) and Nicira's in OpenFlow 1.0. Control thread. */
#include "src/openflow/requests/handler.h"
#include "src/openflow/server/server_impl.h"

/* There is one master: who was it before becomes a slave (OpenFlow 1.3.5, 6.3.4), and is told so from 1.4 on. */
static void become_master(struct of_connection *conn)
{
    struct of_connection *other;

    TAILQ_FOREACH (other, &conn->server->connections, node) {
        if (other->role != OF_ROLE_MASTER || of_channel_is_same(other, conn))
            continue;
        other->role = OF_ROLE_SLAVE;
        of_async_role_status(other);
        of_async_controller_status(other, OF_CSR_ROLE);
    }
}

static bool is_id_of_other(const struct of_connection *conn, uint16_t short_id)
{
    const struct of_connection *other;

    TAILQ_FOREACH (other, &conn->server->connections, node)
        if (!of_channel_is_same(other, conn) && other->bev && other->short_id == short_id)
            return true;
    return false;
}

/* OpenFlow 1.5.1, 7.3.8: 0 leaves the id as it is. */
static void set_short_id(struct of_connection *conn, uint16_t short_id)
{
    if (short_id == 0 || short_id == conn->short_id)
        return;
    conn->short_id = short_id;
    of_async_controller_status(conn, OF_CSR_SHORT_ID);
}

int of_handle_role(struct of_connection *conn, const struct of_msg *msg)
{
    struct of_server *server = conn->server;
    const struct of_role_msg *request = &msg->role;
    bool exclusive = request->role == OF_ROLE_MASTER || request->role == OF_ROLE_SLAVE;

    if (request->short_id && is_id_of_other(conn, request->short_id))
        return OFPERR_RRFC_ID_IN_USE;
    if (exclusive && request->has_generation_id) {
        /* OpenFlow 1.3.5, 7.3.9: a signed distance, so that the number may wrap. */
        if (server->generation_known && (int64_t)(request->generation_id - server->generation_id) < 0)
            return OFPERR_RRFC_STALE;
        server->generation_known = true;
        server->generation_id = request->generation_id;
    }
    set_short_id(conn, request->short_id);
    if (request->role != OF_ROLE_NOCHANGE) {
        bool changes = conn->role != request->role;
        conn->role = request->role;
        if (conn->role == OF_ROLE_MASTER)
            become_master(conn);
        of_server_connections_changed(server);
        if (changes)
            of_async_controller_status(conn, OF_CSR_ROLE);
    }
    const struct of_msg reply = {.type = OF_ROLE_REPLY,
                                 .version = conn->version,
                                 .xid = msg->xid,
                                 .role = {.nx = request->nx,
                                          .role = conn->role,
                                          .short_id = conn->short_id,
                                          .has_generation_id = server->generation_known,
                                          .generation_id = server->generation_id}};
    of_connection_send_msg(conn, &reply);
    return 0;
}
