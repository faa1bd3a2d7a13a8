/* What Sluice knows of the database Open_vSwitch (ovs-vswitchd.conf.db(5)): the rows below are all that is asked for
 * and all that is written. A new table or column is a row here.
 *
 * X(symbol, "name", key type, value type, access, table that UUIDs are of)
 */
#ifndef SRC_OVSDB_VSWITCH_H
#define SRC_OVSDB_VSWITCH_H

#include "src/ovsdb/schema.h"

#define VSWITCH_LOCK "ovs_vswitchd"

#define VSWITCH_OPEN_VSWITCH_COLUMNS(X)                                                                                \
    X(BRIDGES, "bridges", UUID, NONE, READ, VSWITCH_BRIDGE)                                                            \
    X(DATAPATHS, "datapaths", STRING, UUID, READ, VSWITCH_DATAPATH)                                                    \
    X(SSL, "ssl", UUID, NONE, READ, VSWITCH_SSL)                                                                       \
    X(OTHER_CONFIG, "other_config", STRING, STRING, READ, -1)                                                          \
    X(NEXT_CFG, "next_cfg", INTEGER, NONE, READ, -1)                                                                   \
    X(CUR_CFG, "cur_cfg", INTEGER, NONE, READ_ONCE, -1)                                                                \
    X(STATISTICS, "statistics", STRING, STRING, WRITE, -1)                                                             \
    X(DATAPATH_TYPES, "datapath_types", STRING, NONE, WRITE, -1)                                                       \
    X(IFACE_TYPES, "iface_types", STRING, NONE, WRITE, -1)                                                             \
    X(DPDK_INITIALIZED, "dpdk_initialized", BOOLEAN, NONE, WRITE, -1)                                                  \
    X(DPDK_VERSION, "dpdk_version", STRING, NONE, WRITE, -1)

#define VSWITCH_BRIDGE_COLUMNS(X)                                                                                      \
    X(NAME, "name", STRING, NONE, READ, -1)                                                                            \
    X(DATAPATH_TYPE, "datapath_type", STRING, NONE, READ, -1)                                                          \
    X(PORTS, "ports", UUID, NONE, READ, VSWITCH_PORT)                                                                  \
    X(CONTROLLER, "controller", UUID, NONE, READ, VSWITCH_CONTROLLER)                                                  \
    X(PROTOCOLS, "protocols", STRING, NONE, READ, -1)                                                                  \
    X(FAIL_MODE, "fail_mode", STRING, NONE, READ, -1)                                                                  \
    X(FLOW_TABLES, "flow_tables", INTEGER, UUID, READ, VSWITCH_FLOW_TABLE)                                             \
    X(OTHER_CONFIG, "other_config", STRING, STRING, READ, -1)                                                          \
    X(MIRRORS, "mirrors", UUID, NONE, READ, VSWITCH_MIRROR)                                                            \
    X(NETFLOW, "netflow", UUID, NONE, READ, -1)                                                                        \
    X(SFLOW, "sflow", UUID, NONE, READ, -1)                                                                            \
    X(IPFIX, "ipfix", UUID, NONE, READ, -1)                                                                            \
    X(AUTO_ATTACH, "auto_attach", UUID, NONE, READ, -1)                                                                \
    X(STP_ENABLE, "stp_enable", BOOLEAN, NONE, READ, -1)                                                               \
    X(RSTP_ENABLE, "rstp_enable", BOOLEAN, NONE, READ, -1)                                                             \
    X(MCAST_SNOOPING_ENABLE, "mcast_snooping_enable", BOOLEAN, NONE, READ, -1)                                         \
    X(FLOOD_VLANS, "flood_vlans", INTEGER, NONE, READ, -1)                                                             \
    X(STATUS, "status", STRING, STRING, WRITE, -1)                                                                     \
    X(DATAPATH_ID, "datapath_id", STRING, NONE, WRITE, -1)                                                             \
    X(DATAPATH_VERSION, "datapath_version", STRING, NONE, WRITE, -1)

#define VSWITCH_PORT_COLUMNS(X)                                                                                        \
    X(NAME, "name", STRING, NONE, READ, -1)                                                                            \
    X(INTERFACES, "interfaces", UUID, NONE, READ, VSWITCH_INTERFACE)                                                   \
    X(TAG, "tag", INTEGER, NONE, READ, -1)                                                                             \
    X(TRUNKS, "trunks", INTEGER, NONE, READ, -1)                                                                       \
    X(CVLANS, "cvlans", INTEGER, NONE, READ, -1)                                                                       \
    X(VLAN_MODE, "vlan_mode", STRING, NONE, READ, -1)                                                                  \
    X(QOS, "qos", UUID, NONE, READ, VSWITCH_QOS)                                                                       \
    X(MAC, "mac", STRING, NONE, READ, -1)                                                                              \
    X(BOND_MODE, "bond_mode", STRING, NONE, READ, -1)                                                                  \
    X(BOND_UPDELAY, "bond_updelay", INTEGER, NONE, READ, -1)                                                           \
    X(BOND_DOWNDELAY, "bond_downdelay", INTEGER, NONE, READ, -1)                                                       \
    X(BOND_FAKE_IFACE, "bond_fake_iface", BOOLEAN, NONE, READ, -1)                                                     \
    X(LACP, "lacp", STRING, NONE, READ, -1)                                                                            \
    X(FAKE_BRIDGE, "fake_bridge", BOOLEAN, NONE, READ, -1)                                                             \
    X(PROTECTED, "protected", BOOLEAN, NONE, READ, -1)                                                                 \
    X(OTHER_CONFIG, "other_config", STRING, STRING, READ, -1)                                                          \
    X(STATUS, "status", STRING, STRING, WRITE, -1)                                                                     \
    X(STATISTICS, "statistics", STRING, INTEGER, WRITE, -1)                                                            \
    X(BOND_ACTIVE_SLAVE, "bond_active_slave", STRING, NONE, WRITE, -1)

#define VSWITCH_INTERFACE_COLUMNS(X)                                                                                   \
    X(NAME, "name", STRING, NONE, READ, -1)                                                                            \
    X(TYPE, "type", STRING, NONE, READ, -1)                                                                            \
    X(OPTIONS, "options", STRING, STRING, READ, -1)                                                                    \
    X(MAC, "mac", STRING, NONE, READ, -1)                                                                              \
    X(OFPORT_REQUEST, "ofport_request", INTEGER, NONE, READ, -1)                                                       \
    X(MTU_REQUEST, "mtu_request", INTEGER, NONE, READ, -1)                                                             \
    X(INGRESS_POLICING_RATE, "ingress_policing_rate", INTEGER, NONE, READ, -1)                                         \
    X(INGRESS_POLICING_BURST, "ingress_policing_burst", INTEGER, NONE, READ, -1)                                       \
    X(INGRESS_POLICING_KPKTS_RATE, "ingress_policing_kpkts_rate", INTEGER, NONE, READ, -1)                             \
    X(INGRESS_POLICING_KPKTS_BURST, "ingress_policing_kpkts_burst", INTEGER, NONE, READ, -1)                           \
    X(BFD, "bfd", STRING, STRING, READ, -1)                                                                            \
    X(CFM_MPID, "cfm_mpid", INTEGER, NONE, READ, -1)                                                                   \
    X(LLDP, "lldp", STRING, STRING, READ, -1)                                                                          \
    X(OTHER_CONFIG, "other_config", STRING, STRING, READ, -1)                                                          \
    X(OFPORT, "ofport", INTEGER, NONE, READ_ONCE, -1)                                                                  \
    X(ERROR, "error", STRING, NONE, READ_ONCE, -1)                                                                     \
    X(ADMIN_STATE, "admin_state", STRING, NONE, WRITE, -1)                                                             \
    X(LINK_STATE, "link_state", STRING, NONE, WRITE, -1)                                                               \
    X(LINK_SPEED, "link_speed", INTEGER, NONE, WRITE, -1)                                                              \
    X(LINK_RESETS, "link_resets", INTEGER, NONE, WRITE, -1)                                                            \
    X(DUPLEX, "duplex", STRING, NONE, WRITE, -1)                                                                       \
    X(MAC_IN_USE, "mac_in_use", STRING, NONE, WRITE, -1)                                                               \
    X(IFINDEX, "ifindex", INTEGER, NONE, WRITE, -1)                                                                    \
    X(MTU, "mtu", INTEGER, NONE, WRITE, -1)                                                                            \
    X(STATUS, "status", STRING, STRING, WRITE, -1)                                                                     \
    X(LACP_CURRENT, "lacp_current", BOOLEAN, NONE, WRITE, -1)                                                          \
    X(BFD_STATUS, "bfd_status", STRING, STRING, WRITE, -1)                                                             \
    X(STATISTICS, "statistics", STRING, INTEGER, WRITE, -1)

#define VSWITCH_CONTROLLER_COLUMNS(X)                                                                                  \
    X(TARGET, "target", STRING, NONE, READ, -1)                                                                        \
    X(TYPE, "type", STRING, NONE, READ, -1)                                                                            \
    X(MAX_BACKOFF, "max_backoff", INTEGER, NONE, READ, -1)                                                             \
    X(INACTIVITY_PROBE, "inactivity_probe", INTEGER, NONE, READ, -1)                                                   \
    X(CONNECTION_MODE, "connection_mode", STRING, NONE, READ, -1)                                                      \
    X(ENABLE_ASYNC_MESSAGES, "enable_async_messages", BOOLEAN, NONE, READ, -1)                                         \
    X(QUEUE_SIZE, "controller_queue_size", INTEGER, NONE, READ, -1)                                                    \
    X(RATE_LIMIT, "controller_rate_limit", INTEGER, NONE, READ, -1)                                                    \
    X(BURST_LIMIT, "controller_burst_limit", INTEGER, NONE, READ, -1)                                                  \
    X(OTHER_CONFIG, "other_config", STRING, STRING, READ, -1)                                                          \
    X(IS_CONNECTED, "is_connected", BOOLEAN, NONE, WRITE, -1)                                                          \
    X(ROLE, "role", STRING, NONE, WRITE, -1)                                                                           \
    X(STATUS, "status", STRING, STRING, WRITE, -1)

#define VSWITCH_SSL_COLUMNS(X)                                                                                         \
    X(PRIVATE_KEY, "private_key", STRING, NONE, READ, -1)                                                              \
    X(CERTIFICATE, "certificate", STRING, NONE, READ, -1)                                                              \
    X(CA_CERT, "ca_cert", STRING, NONE, READ, -1)                                                                      \
    X(BOOTSTRAP_CA_CERT, "bootstrap_ca_cert", BOOLEAN, NONE, READ, -1)

#define VSWITCH_FLOW_TABLE_COLUMNS(X)                                                                                  \
    X(NAME, "name", STRING, NONE, READ, -1)                                                                            \
    X(FLOW_LIMIT, "flow_limit", INTEGER, NONE, READ, -1)                                                               \
    X(OVERFLOW_POLICY, "overflow_policy", STRING, NONE, READ, -1)                                                      \
    X(GROUPS, "groups", STRING, NONE, READ, -1)

#define VSWITCH_MIRROR_COLUMNS(X)                                                                                      \
    X(NAME, "name", STRING, NONE, READ, -1)                                                                            \
    X(SELECT_ALL, "select_all", BOOLEAN, NONE, READ, -1)                                                               \
    X(SELECT_SRC_PORT, "select_src_port", UUID, NONE, READ, VSWITCH_PORT)                                              \
    X(SELECT_DST_PORT, "select_dst_port", UUID, NONE, READ, VSWITCH_PORT)                                              \
    X(SELECT_VLAN, "select_vlan", INTEGER, NONE, READ, -1)                                                             \
    X(OUTPUT_PORT, "output_port", UUID, NONE, READ, VSWITCH_PORT)                                                      \
    X(OUTPUT_VLAN, "output_vlan", INTEGER, NONE, READ, -1)                                                             \
    X(SNAPLEN, "snaplen", INTEGER, NONE, READ, -1)                                                                     \
    X(STATISTICS, "statistics", STRING, INTEGER, WRITE, -1)

#define VSWITCH_QOS_COLUMNS(X)                                                                                         \
    X(TYPE, "type", STRING, NONE, READ, -1)                                                                            \
    X(QUEUES, "queues", INTEGER, UUID, READ, VSWITCH_QUEUE)                                                            \
    X(OTHER_CONFIG, "other_config", STRING, STRING, READ, -1)

#define VSWITCH_QUEUE_COLUMNS(X)                                                                                       \
    X(DSCP, "dscp", INTEGER, NONE, READ, -1)                                                                           \
    X(OTHER_CONFIG, "other_config", STRING, STRING, READ, -1)

#define VSWITCH_DATAPATH_COLUMNS(X)                                                                                    \
    X(DATAPATH_VERSION, "datapath_version", STRING, NONE, WRITE, -1)                                                   \
    X(CAPABILITIES, "capabilities", STRING, STRING, WRITE, -1)                                                         \
    X(CT_ZONES, "ct_zones", INTEGER, UUID, READ, VSWITCH_CT_ZONE)                                                      \
    X(CT_ZONE_DEFAULT_LIMIT, "ct_zone_default_limit", INTEGER, NONE, READ, -1)

#define VSWITCH_CT_ZONE_COLUMNS(X)                                                                                     \
    X(TIMEOUT_POLICY, "timeout_policy", UUID, NONE, READ, VSWITCH_CT_TIMEOUT_POLICY)                                   \
    X(LIMIT, "limit", INTEGER, NONE, READ, -1)

#define VSWITCH_CT_TIMEOUT_POLICY_COLUMNS(X) X(TIMEOUTS, "timeouts", STRING, INTEGER, READ, -1)

/* Y(symbol, "name") */
#define VSWITCH_TABLES(Y)                                                                                              \
    Y(OPEN_VSWITCH, "Open_vSwitch")                                                                                    \
    Y(BRIDGE, "Bridge")                                                                                                \
    Y(PORT, "Port")                                                                                                    \
    Y(INTERFACE, "Interface")                                                                                          \
    Y(CONTROLLER, "Controller")                                                                                        \
    Y(SSL, "SSL")                                                                                                      \
    Y(FLOW_TABLE, "Flow_Table")                                                                                        \
    Y(MIRROR, "Mirror")                                                                                                \
    Y(QOS, "QoS")                                                                                                      \
    Y(QUEUE, "Queue")                                                                                                  \
    Y(DATAPATH, "Datapath")                                                                                            \
    Y(CT_ZONE, "CT_Zone")                                                                                              \
    Y(CT_TIMEOUT_POLICY, "CT_Timeout_Policy")

enum vswitch_table {
#define Y(symbol, name) VSWITCH_##symbol,
    VSWITCH_TABLES(Y)
#undef Y
        VSWITCH_N_TABLES
};

/* VSWITCH_BRIDGE_NAME and so on: numbers of columns in their table. */
#define X_BRIDGE(symbol, ...) VSWITCH_BRIDGE_##symbol,
#define X_CONTROLLER(symbol, ...) VSWITCH_CONTROLLER_##symbol,
#define X_CT_TIMEOUT_POLICY(symbol, ...) VSWITCH_CT_TIMEOUT_POLICY_##symbol,
#define X_CT_ZONE(symbol, ...) VSWITCH_CT_ZONE_##symbol,
#define X_DATAPATH(symbol, ...) VSWITCH_DATAPATH_##symbol,
#define X_FLOW_TABLE(symbol, ...) VSWITCH_FLOW_TABLE_##symbol,
#define X_INTERFACE(symbol, ...) VSWITCH_INTERFACE_##symbol,
#define X_MIRROR(symbol, ...) VSWITCH_MIRROR_##symbol,
#define X_OPEN_VSWITCH(symbol, ...) VSWITCH_OPEN_VSWITCH_##symbol,
#define X_PORT(symbol, ...) VSWITCH_PORT_##symbol,
#define X_QOS(symbol, ...) VSWITCH_QOS_##symbol,
#define X_QUEUE(symbol, ...) VSWITCH_QUEUE_##symbol,
#define X_SSL(symbol, ...) VSWITCH_SSL_##symbol,
#define Y(symbol, name) enum vswitch_##symbol{VSWITCH_##symbol##_COLUMNS(X_##symbol) VSWITCH_##symbol##_N};
VSWITCH_TABLES(Y)
#undef Y
#undef X_BRIDGE
#undef X_CONTROLLER
#undef X_CT_TIMEOUT_POLICY
#undef X_CT_ZONE
#undef X_DATAPATH
#undef X_FLOW_TABLE
#undef X_INTERFACE
#undef X_MIRROR
#undef X_OPEN_VSWITCH
#undef X_PORT
#undef X_QOS
#undef X_QUEUE
#undef X_SSL

extern const struct ovsdb_schema vswitch_schema;

#endif
