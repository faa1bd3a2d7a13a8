/* The table of tunnel options: NXT_TLV_TABLE_MOD and _REQUEST. */
#include "pmd/key.h"
#include "src/openflow/requests/handler.h"
#include "src/openflow/server/server_impl.h"

int of_handle_tlv_mod(struct of_connection *conn, const struct of_msg *msg)
{
    const struct of_tlv_table *t = &msg->tlv_table;

    int error = tlv_map_mod(t->command, t->maps, t->n);

    if (!error)
        flows_note_tunnel_options(conn->server->flows);
    return error;
}

int of_handle_tlv_request(struct of_connection *conn, const struct of_msg *msg)
{
    struct of_msg reply = {.type = OF_TLV_TABLE_REPLY, .version = msg->version, .xid = msg->xid};

    reply.tlv_table.max_space = TUN_METADATA_LEN;
    reply.tlv_table.max_fields = TLV_MAPS_MAX;
    reply.tlv_table.n = tlv_map_list(reply.tlv_table.maps);
    of_connection_send_msg(conn, &reply);
    return 0;
}
