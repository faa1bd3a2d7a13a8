/* The keys of the configuration, described once. Validation, defaults, docs/configuration.md and the JSON Schema are
 * all derived from these tables: a new key is a field in src/config/model.h and an entry in src/config/keys*.c.
 * Constant data; any thread.
 */
#ifndef SRC_CONFIG_KEYS_H
#define SRC_CONFIG_KEYS_H

#include "src/config/section.h"

/* The whole file; every other section hangs below it. */
extern const struct config_section config_root;
extern const struct config_section config_section_bridge;
extern const struct config_section config_section_port;
extern const struct config_section config_section_bfd;
extern const struct config_section config_section_bond;
extern const struct config_section config_section_port_stp;
extern const struct config_section config_section_stp;
extern const struct config_section config_section_qos;
extern const struct config_section config_section_tunnel;

/* The parts of the switch that keys with CHANGE_LIVE belong to: what has to be done when one of them changes. */
enum config_part {
    CONFIG_PART_LOG = 1 << 0,
    CONFIG_PART_TLS = 1 << 1,
    CONFIG_PART_SLEEP = 1 << 2, /* of poll-mode threads */
    CONFIG_PART_MEGAFLOWS = 1 << 12,
    CONFIG_PART_CONNTRACK = 1 << 13,
    CONFIG_PART_ISOLATE = 1 << 15,
    CONFIG_PART_CORES = 1 << 14, /* of poll-mode threads; a file says them for good */
    /* bridges */
    CONFIG_PART_DATAPATH_ID = 1 << 3,
    CONFIG_PART_CONNECTIONS = 1 << 4,
    CONFIG_PART_MACS = 1 << 5,
    CONFIG_PART_MAX_RULES = 1 << 6,
    CONFIG_PART_TABLES = 1 << 7,
    CONFIG_PART_BONDS = 1 << 15,
    CONFIG_PART_KEEP_RULES = 1 << 12,
    CONFIG_PART_MIRRORS = 1 << 16,
    CONFIG_PART_BPDU = 1 << 20,
    CONFIG_PART_DESCRIPTION = 1 << 21,
    /* ports */
    CONFIG_PART_OFPORT = 1 << 8,
    CONFIG_PART_MTU = 1 << 9,
    CONFIG_PART_VLANS = 1 << 10,
    CONFIG_PART_FLOOD = 1 << 11,
    CONFIG_PART_BFD = 1 << 12,
    CONFIG_PART_TUNNEL = 1 << 13,
    CONFIG_PART_RX_CORES = 1 << 15,
    CONFIG_PART_LACP = 1 << 16,
    CONFIG_PART_STP = 1 << 17,    /* of bridges, too */
    CONFIG_PART_SOCKET = 1 << 14, /* who may connect to it */
    CONFIG_PART_POLICING = 1 << 18,
    CONFIG_PART_QOS = 1 << 19,
};

#endif
