#include "src/control/commands.h"

void commands_register(struct sluice *sw)
{
    commands_register_ports(sw->control, sw);
    commands_register_controllers(sw->control, sw);
    commands_register_pmd(sw->control, sw);
    commands_register_flows(sw->control, sw);
    commands_register_trace(sw->control, sw);
    commands_register_capture(sw->control, sw);
    commands_register_conntrack(sw->control, sw);
    commands_register_fdb(sw->control, sw);
    commands_register_bfd(sw->control, sw);
    commands_register_bond(sw->control, sw);
    commands_register_lacp(sw->control, sw);
    commands_register_stp(sw->control, sw);
    commands_register_daemon(sw->control, sw);
    commands_register_dpctl(sw->control, sw);
    commands_register_dpif_netdev(sw->control, sw);
    commands_register_upcall(sw->control, sw);
    commands_register_ofproto(sw->control, sw);
    commands_register_dpdk(sw->control, sw);
    commands_register_memory(sw->control, sw);
    commands_register_metrics(sw->control, sw);
    commands_register_route(sw->control, sw);
    commands_register_neighbour(sw->control, sw);
    commands_register_tunnel(sw->control, sw);
    commands_register_qos(sw->control, sw);
}
