/* Ports, rules and tables as OpenFlow describes them. Control thread. */
#ifndef SRC_OPENFLOW_SERVER_DESCRIBE_H
#define SRC_OPENFLOW_SERVER_DESCRIBE_H

#include "src/bridge/bridge.h"
#include "src/openflow/codec/msg.h"

void of_port_describe(const struct bridge_port *bp, struct of_port *port);
/* Describes a rule; `stats` then points to `match` and to the rule's actions. */
void of_rule_describe(const struct rule *rule, uint64_t now_ms, struct match *match, struct of_flow_stats *stats);
void of_table_describe(const struct pipeline *pipeline, uint8_t table_id, struct of_table_config *desc);

#endif
