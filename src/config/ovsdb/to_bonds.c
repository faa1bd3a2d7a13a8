/* Ports of Open vSwitch's database that have several interfaces, or speak LACP: bonds. Control thread. */
#include <string.h>
#include <strings.h>

#include "pmd/base/log.h"
#include "pmd/base/mem.h"
#include "src/config/keys.h"
#include "src/config/ovsdb/to_model_impl.h"

static void take_mode(const struct ovsdb_row *row, struct config_bond *bond)
{
    const struct config_key *key = config_key_find(&config_section_bond, "mode");
    const char *mode = ovsdb_string(row, VSWITCH_PORT_BOND_MODE);

    if (!mode || !mode[0])
        return;
    for (const struct config_choice *choice = key->choices; choice->name; choice++) {
        if (!strcmp(choice->name, mode)) {
            bond->mode = (enum config_bond_mode)choice->value;
            return;
        }
    }
    LOG_WARN_RL(LOG_CONFIG, "database: port %s: bond_mode %s is not known: active-backup is taken", bond->name, mode);
}

static bool speaks_lacp(const struct ovsdb_row *row)
{
    const char *lacp = ovsdb_string(row, VSWITCH_PORT_LACP);

    return lacp && (!strcmp(lacp, "active") || !strcmp(lacp, "passive"));
}

static bool is_true(const struct ovsdb *db, const struct ovsdb_row *row, const char *key)
{
    const char *text = ovsdb_map_string(db, row, VSWITCH_PORT_OTHER_CONFIG, key);

    return text && !strcmp(text, "true");
}

static void take_lacp(const struct ovsdb *db, const struct ovsdb_row *row, struct config_bond *bond)
{
    const char *lacp = ovsdb_string(row, VSWITCH_PORT_LACP);
    const char *time = ovsdb_map_string(db, row, VSWITCH_PORT_OTHER_CONFIG, "lacp-time");

    if (!speaks_lacp(row)) {
        if (lacp && lacp[0] && strcmp(lacp, "off"))
            LOG_WARN_RL(LOG_CONFIG, "database: port %s: lacp %s is not known: off is taken", bond->name, lacp);
        return;
    }
    bond->lacp = !strcmp(lacp, "active") ? CONFIG_LACP_ACTIVE : CONFIG_LACP_PASSIVE;
    bond->lacp_time = time && !strcasecmp(time, "fast") ? CONFIG_LACP_FAST : CONFIG_LACP_SLOW;
    config_take_mac(ovsdb_map_string(db, row, VSWITCH_PORT_OTHER_CONFIG, "lacp-system-id"), bond->lacp_system_id);
    config_take_number(db, row, VSWITCH_PORT_OTHER_CONFIG, "lacp-system-priority", &config_section_bond,
                       "lacp_system_priority", &bond->lacp_system_priority);
    bond->lacp_fallback_ab = is_true(db, row, "lacp-fallback-ab");
}

static void take_member(const struct ovsdb_row *interface, struct config_bond *bond)
{
    bond->members = mem_realloc(bond->members, bond->n_members + 1, sizeof *bond->members);
    bond->members[bond->n_members++] = mem_strdup(ovsdb_string(interface, VSWITCH_INTERFACE_NAME));
}

static void take_bond(const struct ovsdb *db, const struct ovsdb_row *row, struct config_bridge *bridge)
{
    const struct config_section *section = &config_section_bond;
    struct config_bond *bond = config_section_append(section, (void **)&bridge->bonds, &bridge->n_bonds);
    const char *primary = ovsdb_map_string(db, row, VSWITCH_PORT_OTHER_CONFIG, "bond-primary");

    bond->name = mem_strdup(ovsdb_string(row, VSWITCH_PORT_NAME));
    for (uint32_t i = 0; i < ovsdb_count(row, VSWITCH_PORT_INTERFACES); i++) {
        const struct ovsdb_row *interface = ovsdb_ref(db, row, VSWITCH_PORT_INTERFACES, i);

        if (interface)
            take_member(interface, bond);
    }
    take_mode(row, bond);
    bond->updelay = config_fit(section, "updelay", ovsdb_integer(row, VSWITCH_PORT_BOND_UPDELAY, 0));
    bond->downdelay = config_fit(section, "downdelay", ovsdb_integer(row, VSWITCH_PORT_BOND_DOWNDELAY, 0));
    config_take_number(db, row, VSWITCH_PORT_OTHER_CONFIG, "bond-rebalance-interval", section, "rebalance_interval",
                       &bond->rebalance_interval);
    config_take_number(db, row, VSWITCH_PORT_OTHER_CONFIG, "bond-hash-basis", section, "hash_basis", &bond->hash_basis);
    bond->all_members_active = is_true(db, row, "all-members-active");
    take_lacp(db, row, bond);
    bond->primary = primary ? mem_strdup(primary) : NULL;
}

void config_take_bonds(const struct ovsdb *db, const struct ovsdb_row *row, struct config_bridge *bridge)
{
    for (uint32_t i = 0; i < ovsdb_count(row, VSWITCH_BRIDGE_PORTS); i++) {
        const struct ovsdb_row *port = ovsdb_ref(db, row, VSWITCH_BRIDGE_PORTS, i);

        if (port && (ovsdb_count(port, VSWITCH_PORT_INTERFACES) > 1 || speaks_lacp(port)))
            take_bond(db, port, bridge);
    }
}
