#include "src/bridge/port_kind.h"

#include <stdio.h>

#include "src/bridge/bridge.h"

/* --- ports of the datapath ----------------------------------------------- */

/* A device that could not be opened has no link. */
static void device_status(const struct bridge_port *bp, struct port_status *status)
{
    if (bp->port)
        bp->port->ops->get_status(bp->port, status);
}

/* Dropped before the pipeline decided on them. */
static uint64_t dropped_on_the_way_in(const struct datapath_port_stats *counted)
{
    static const enum drop_reason reasons[] = {
        DROP_MISS_RING_FULL, DROP_MISS_PORT_QUOTA, DROP_MISS_PENDING_FULL, DROP_MISS_PENDING_STALE,
        DROP_RX_RUNT,        DROP_CONTROL_BACKLOG, DROP_RX_POLICED,
    };
    uint64_t n = 0;

    for (size_t i = 0; i < RTE_DIM(reasons); i++)
        n += counted->drops[reasons[i]];
    return n;
}

static void device_stats(const struct bridge_port *bp, struct bridge_port_stats *stats)
{
    struct port_stats device = {0};
    struct datapath_port_stats counted = {0};

    if (!bp->port)
        return;
    bp->port->ops->get_stats(bp->port, &device);
    datapath_port_stats(bp->bridge->dp, bp->port->index, &counted);
    /* Some devices do not count, or not everything. */
    stats->rx_packets = RTE_MAX(device.rx_packets, counted.rx_packets);
    stats->rx_bytes = RTE_MAX(device.rx_bytes, counted.rx_bytes);
    stats->tx_packets = RTE_MAX(device.tx_packets, counted.tx_packets);
    stats->tx_bytes = RTE_MAX(device.tx_bytes, counted.tx_bytes);
    stats->rx_dropped = device.rx_missed + dropped_on_the_way_in(&counted);
    stats->tx_dropped = counted.tx_dropped;
    stats->rx_errors = device.rx_errors;
    stats->tx_errors = device.tx_errors;
    stats->peer_faults = device.peer_faults;
}

static void device_set_admin_up(struct bridge_port *bp, bool up)
{
    if (bp->port)
        bp->port->ops->set_admin_up(bp->port, up);
}

static const char *device_error(const struct bridge_port *bp)
{
    if (!bp->port)
        return "could not be opened";
    if (!bp->port->lost)
        return NULL;
    return bp->port->type == PORT_SYSTEM ? "its network interface is not there" : "its network interface was deleted";
}

/* --- patch ports --------------------------------------------------------- */

static void patch_status(const struct bridge_port *bp, struct port_status *status)
{
    status->link_up = bp->patch.peer != NULL;
    snprintf(status->driver, sizeof status->driver, "patch");
}

static const char *patch_error(const struct bridge_port *bp)
{
    return bp->patch.peer ? NULL : "peer not found";
}

/* --- tunnel ports -------------------------------------------------------- */

/* Whether packets reach the other end is a matter of routes, and differs from packet to packet. */
static void tunnel_status(const struct bridge_port *bp, struct port_status *status)
{
    status->link_up = true;
    snprintf(status->driver, sizeof status->driver, "%s", bp->tunnel->type);
}

static const char *tunnel_error(const struct bridge_port *bp)
{
    return NULL;
}

/* --- all without a device ------------------------------------------------ */

static void virtual_stats(const struct bridge_port *bp, struct bridge_port_stats *stats)
{
    stats->rx_packets = bp->crossed.rx_packets;
    stats->rx_bytes = bp->crossed.rx_bytes;
    stats->tx_packets = bp->crossed.tx_packets;
    stats->tx_bytes = bp->crossed.tx_bytes;
}

static void virtual_set_admin_up(struct bridge_port *bp, bool up)
{
}

bool bridge_port_is_virtual(const struct bridge_port *bp)
{
    return bp->kind == BRIDGE_PORT_PATCH || bp->kind == BRIDGE_PORT_TUNNEL;
}

void bridge_port_count(struct bridge_port *bp, bool rx, uint64_t packets, uint64_t bytes)
{
    if (!bp || !bridge_port_is_virtual(bp))
        return;
    *(rx ? &bp->crossed.rx_packets : &bp->crossed.tx_packets) += packets;
    *(rx ? &bp->crossed.rx_bytes : &bp->crossed.tx_bytes) += bytes;
}

const struct bridge_port_ops *bridge_port_ops(const struct bridge_port *bp)
{
    static const struct bridge_port_ops ops[BRIDGE_PORT_N_KINDS] = {
        [BRIDGE_PORT_DEVICE] = {"device", device_status, device_stats, device_error, device_set_admin_up},
        [BRIDGE_PORT_INTERNAL] = {"internal", device_status, device_stats, device_error, device_set_admin_up},
        [BRIDGE_PORT_PATCH] = {"patch", patch_status, virtual_stats, patch_error, virtual_set_admin_up},
        [BRIDGE_PORT_TUNNEL] = {"tunnel", tunnel_status, virtual_stats, tunnel_error, virtual_set_admin_up},
    };

    return &ops[bp->kind];
}
