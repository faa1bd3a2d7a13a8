/* Connection tracking: NXT_CT_FLUSH_ZONE, NXT_CT_FLUSH. */
#include "pmd/datapath.h"
#include "src/bridge/bridge.h"
#include "src/openflow/requests/handler.h"
#include "src/openflow/server/server_impl.h"

/* Zones are of all bridges together, as in Open vSwitch. */
int of_handle_ct_flush_zone(struct of_connection *conn, const struct of_msg *msg)
{
    ct_flush_zone(datapath_ct(conn->server->bridge->dp), (uint16_t)msg->u32);
    return 0;
}

int of_handle_ct_flush(struct of_connection *conn, const struct of_msg *msg)
{
    ct_flush_matching(datapath_ct(conn->server->bridge->dp), datapath_seconds(), &msg->ct_flush);
    return 0;
}
