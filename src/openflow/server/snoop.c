#include "src/openflow/server/snoop.h"

#include "src/openflow/server/server_impl.h"

#define SNOOP_BACKLOG (1u << 20) /* bytes unread above which a listener gets no more */

void of_snoop(struct of_connection *conn, const void *messages, size_t len)
{
    struct of_server *server = conn->server;
    struct of_connection *to;
    struct of_buf copy = {0};

    if (conn->kind != OF_KIND_CONTROLLER || !server->n_connections[OF_KIND_SNOOP])
        return;
    TAILQ_FOREACH (to, &server->connections, node) {
        if (to->kind != OF_KIND_SNOOP || !of_connection_is_ready(to))
            continue;
        if (of_connection_backlog(to) > SNOOP_BACKLOG) {
            to->counts.async_dropped++;
            continue;
        }
        of_buf_add_bytes(&copy, messages, len);
        of_connection_send(to, &copy);
    }
    of_buf_free(&copy);
}
