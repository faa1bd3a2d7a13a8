/* OFPT_PORT_MOD: checks a change of a port's configuration, and applies it. Control thread. */
#include <string.h>

#include "src/openflow/requests/handler.h"
#include "src/openflow/server/server_impl.h"

#define CONFIG_KNOWN                                                                                                   \
    (PORT_CONFIG_DOWN | PORT_CONFIG_NO_RECV | PORT_CONFIG_NO_FWD | PORT_CONFIG_NO_PACKET_IN | PORT_CONFIG_NO_FLOOD)

int of_check_port_mod(const struct of_connection *conn, const struct of_port_mod *mod)
{
    const struct bridge_port *bp = bridge_port_by_ofport(conn->server->bridge, mod->port_no);

    if (!bp)
        return OFPERR_PMFC_BAD_PORT;
    if (memcmp(mod->hw_addr, bp->mac.addr_bytes, sizeof mod->hw_addr))
        return OFPERR_PMFC_BAD_HW_ADDR;
    if (mod->mask & ~CONFIG_KNOWN)
        return OFPERR_PMFC_BAD_CONFIG;
    return 0;
}

/* What a port advertises is its device's or its VM's affair: `advertise` is without effect. */
int of_handle_port_mod(struct of_connection *conn, const struct of_msg *msg)
{
    const struct of_port_mod *mod = &msg->port_mod;
    int error = of_check_port_mod(conn, mod);

    if (error)
        return error;
    bridge_port_set_config(bridge_port_by_ofport(conn->server->bridge, mod->port_no), mod->config, mod->mask);
    return 0;
}
