/* Kinds of OpenFlow ports, and what differs between them on the control side: link state, counters, configuration. How
 * packets are sent to each kind is translation's (src/xlate/xlate_output.c). Control thread only.
 */
#ifndef SRC_BRIDGE_PORT_KIND_H
#define SRC_BRIDGE_PORT_KIND_H

#include <stdbool.h>
#include <stdint.h>

#include "pmd/port.h"

struct bridge_port;
struct bridge_port_stats;

enum bridge_port_kind {
    BRIDGE_PORT_DEVICE,   /* a port of the datapath: a NIC, a virtual machine, a TAP */
    BRIDGE_PORT_INTERNAL, /* a network interface of the host's that belongs to the switch */
    BRIDGE_PORT_PATCH,    /* patch.h */
    BRIDGE_PORT_TUNNEL,   /* bridge_tunnel.h */
    BRIDGE_PORT_N_KINDS,
};

/* What went through a port that has no device, from the counters of megaflows. */
struct bridge_port_crossed {
    uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes;
};

struct bridge_port_ops {
    const char *name;
    /* Fills in link, speed, MTU and address, which are the port's last ones when it is called. */
    void (*get_status)(const struct bridge_port *bp, struct port_status *status);
    /* Adds to *stats, whose duration is set. */
    void (*get_stats)(const struct bridge_port *bp, struct bridge_port_stats *stats);
    /* What is wrong with the port, for operators; NULL: nothing. */
    const char *(*error)(const struct bridge_port *bp);
    /* OFPPC_PORT_DOWN was set or cleared. */
    void (*set_admin_up)(struct bridge_port *bp, bool up);
};

const struct bridge_port_ops *bridge_port_ops(const struct bridge_port *bp);
/* Whether packets are sent to the port within translation, so that it has no device. */
bool bridge_port_is_virtual(const struct bridge_port *bp);
/* Packets that went through the port; nothing if it has a device, or is gone (NULL). */
void bridge_port_count(struct bridge_port *bp, bool rx, uint64_t packets, uint64_t bytes);

#endif
