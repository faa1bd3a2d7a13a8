#include "src/config/ovsdb/lacking.h"

#include <string.h>

#include "pmd/base/log.h"
#include "src/ovsdb/vswitch.h"

/* A column that is not empty, not false, not 0 and not "", or with a key: a map that has it. */
struct lacking {
    unsigned table, column;
    const char *key;
    const char *what; /* it would be; NULL: its name says it */
};

#define BRIDGE(column) VSWITCH_BRIDGE, VSWITCH_BRIDGE_##column
#define PORT(column) VSWITCH_PORT, VSWITCH_PORT_##column
#define INTERFACE(column) VSWITCH_INTERFACE, VSWITCH_INTERFACE_##column
#define CONTROLLER(column) VSWITCH_CONTROLLER, VSWITCH_CONTROLLER_##column

static const struct lacking lacking[] = {
    {BRIDGE(NETFLOW), NULL, "NetFlow"},
    {BRIDGE(SFLOW), NULL, "sFlow"},
    {BRIDGE(IPFIX), NULL, "IPFIX"},
    {BRIDGE(AUTO_ATTACH), NULL, "automatic attachment"},
    {BRIDGE(RSTP_ENABLE), NULL, "the rapid spanning tree protocol"},
    {BRIDGE(MCAST_SNOOPING_ENABLE), NULL, "multicast snooping"},
    {BRIDGE(FLOOD_VLANS), NULL, "VLANs without learning"},
    {PORT(CVLANS), NULL, "VLANs of customers (802.1ad)"},
    {PORT(PROTECTED), NULL, "protected ports"},
    {PORT(BOND_FAKE_IFACE), NULL, "interfaces of the kernel's for bonds"},
    {PORT(OTHER_CONFIG), "bond-detect-mode", "MII polling, as links are heard of at once"},
    {PORT(OTHER_CONFIG), "bond-miimon-interval", "MII polling, as links are heard of at once"},
    {PORT(OTHER_CONFIG), "lb-output-action", "another way than one hash for bonds"},
    {PORT(OTHER_CONFIG), "priority-tags", NULL},
    {PORT(OTHER_CONFIG), "qinq-ethtype", NULL},
    {INTERFACE(CFM_MPID), NULL, "CFM"},
    {INTERFACE(LLDP), "enable", "LLDP"},
    {INTERFACE(OPTIONS), "rx-flow-ctrl", NULL},
    {INTERFACE(OPTIONS), "tx-flow-ctrl", NULL},
    {INTERFACE(OPTIONS), "dpdk-vf-mac", NULL},
    {CONTROLLER(QUEUE_SIZE), NULL, "a queue of packet-ins of its own"},
};

static bool has(const struct ovsdb *db, const struct ovsdb_row *row, const struct lacking *what)
{
    const struct ovsdb_datum *datum = &row->columns[what->column];

    if (what->key)
        return ovsdb_map_string(db, row, what->column, what->key);
    if (datum->n != 1)
        return datum->n > 1;
    switch (vswitch_schema.tables[what->table].columns[what->column].key) {
    case OVSDB_BOOLEAN:
        return datum->atoms[0].boolean;
    case OVSDB_INTEGER:
        return datum->atoms[0].integer != 0;
    case OVSDB_STRING:
        return datum->atoms[0].string[0] && strcmp(datum->atoms[0].string, "off");
    default:
        return true;
    }
}

void config_note_lacking(const struct ovsdb *db, const struct ovsdb_row *row)
{
    static bool said[sizeof lacking / sizeof *lacking];

    for (size_t i = 0; i < sizeof lacking / sizeof *lacking; i++) {
        const struct lacking *what = &lacking[i];
        if (what->table != row->table || said[i] || !has(db, row, what))
            continue;
        const struct ovsdb_table *table = &vswitch_schema.tables[what->table];
        said[i] = true;
        LOG_INFO(LOG_CONFIG, "database: %s.%s%s%s: Sluice does not have %s: ignored", table->name,
                 table->columns[what->column].name, what->key ? ":" : "", what->key ? what->key : "",
                 what->what ? what->what : "that");
    }
}
