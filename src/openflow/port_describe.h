/* A bridge's port as OpenFlow describes it. Control thread. */
#ifndef SRC_OPENFLOW_PORT_DESCRIBE_H
#define SRC_OPENFLOW_PORT_DESCRIBE_H

#include "src/bridge/bridge.h"
#include "src/openflow/msg.h"

void of_port_describe(const struct bridge_port *bp, struct of_port *port);

#endif
