#include "src/openflow/port_describe.h"

#include <rte_common.h>
#include <stdio.h>
#include <string.h>

static uint32_t speed_feature(uint32_t mbps)
{
    static const struct {
        uint32_t mbps, feature;
    } speeds[] = {
        {10, OF_PF_10MB_FD},    {100, OF_PF_100MB_FD},  {1000, OF_PF_1GB_FD},
        {10000, OF_PF_10GB_FD}, {40000, OF_PF_40GB_FD}, {100000, OF_PF_100GB_FD},
    };
    for (size_t i = 0; i < RTE_DIM(speeds); i++)
        if (speeds[i].mbps == mbps)
            return speeds[i].feature;
    return 0; /* OpenFlow 1.3.5, 7.2.1: a speed of no bit is told by curr_speed alone */
}

void of_port_describe(const struct bridge_port *bp, struct of_port *port)
{
    struct port_status status = {0};
    *port = (struct of_port){.port_no = bp->ofport, .config = bp->config, .state = bp->state};
    snprintf(port->name, sizeof port->name, "%.16s", bp->name);
    memcpy(port->hw_addr, bp->mac.addr_bytes, sizeof port->hw_addr);
    if (!bp->port)
        return;
    bp->port->ops->get_status(bp->port, &status);
    port->curr_speed = port->max_speed = RTE_MIN(status.speed_mbps, UINT32_MAX / 1000) * 1000;
    port->curr = port->supported = speed_feature(status.speed_mbps);
}
