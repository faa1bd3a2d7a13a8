/* Finds what has changed in the database, and marks the bridges and ports that it concerns. Control thread. */
#define MEM_WHAT "the database"

#include <string.h>

#include "pmd/base/log.h"
#include "pmd/base/mem.h"
#include "src/app/db/db_impl.h"
#include "src/state/rules_state.h"

/* The interface may be known: here, elsewhere, or as another row of the same name. */
static void link_interface(struct db *db, struct db_bridge *bridge, const struct ovsdb_row *row,
                           const struct ovsdb_row *interface)
{
    struct db_port *port = db_find_port(db, ovsdb_string(interface, VSWITCH_INTERFACE_NAME));

    if (port && port->bridge == bridge && ovsdb_uuid_is(&port->interface, &interface->uuid)) {
        if (!ovsdb_uuid_is(&port->port, &row->uuid))
            db_port_mark(db, port);
        port->port = row->uuid;
        port->mark = db->round;
        return;
    }
    if (port) {
        db_port_unsay(db, port);
        db_port_free(db, port);
    }
    db_port_add(db, bridge, row, interface);
}

static void link_ports(struct db *db, struct db_bridge *bridge, const struct ovsdb_row *row)
{
    struct db_port *port, *next;

    for (uint32_t i = 0; i < ovsdb_count(row, VSWITCH_BRIDGE_PORTS); i++) {
        const struct ovsdb_row *port_row = ovsdb_ref(db->ovsdb, row, VSWITCH_BRIDGE_PORTS, i);
        for (uint32_t j = 0; port_row && j < ovsdb_count(port_row, VSWITCH_PORT_INTERFACES); j++) {
            const struct ovsdb_row *interface = ovsdb_ref(db->ovsdb, port_row, VSWITCH_PORT_INTERFACES, j);
            if (interface)
                link_interface(db, bridge, port_row, interface);
        }
    }
    for (port = TAILQ_FIRST(&bridge->ports); port; port = next) {
        next = TAILQ_NEXT(port, of_bridge);
        if (port->mark == db->round)
            continue;
        db_port_unsay(db, port);
        db_port_free(db, port);
    }
}

static struct db_bridge *link_bridge(struct db *db, const struct ovsdb_row *row)
{
    struct db_bridge *bridge = db_find_bridge(db, &row->uuid);

    if (!bridge) {
        bridge = mem_calloc(1, sizeof *bridge);
        bridge->name = mem_strdup(ovsdb_string(row, VSWITCH_BRIDGE_NAME));
        bridge->row = row->uuid;
        TAILQ_INIT(&bridge->ports);
        TAILQ_INSERT_TAIL(&db->bridges, bridge, node);
        db_bridge_mark(db, bridge);
    }
    bridge->mark = db->round;
    return bridge;
}

static void link_bridges(struct db *db, const struct ovsdb_row *root, bool all)
{
    struct db_bridge *bridge, *next;

    for (uint32_t i = 0; i < ovsdb_count(root, VSWITCH_OPEN_VSWITCH_BRIDGES); i++) {
        const struct ovsdb_row *row = ovsdb_ref(db->ovsdb, root, VSWITCH_OPEN_VSWITCH_BRIDGES, i);
        if (row)
            link_bridge(db, row);
    }
    /* Names of bridges that go may be those of others that come. */
    for (bridge = TAILQ_FIRST(&db->bridges); bridge; bridge = next) {
        next = TAILQ_NEXT(bridge, node);
        if (bridge->mark == db->round)
            continue;
        db_bridge_unsay(db, bridge);
        db_bridge_free(db, bridge);
    }
    TAILQ_FOREACH (bridge, &db->bridges, node) {
        const struct ovsdb_row *row = ovsdb_find(db->ovsdb, VSWITCH_BRIDGE, &bridge->row);
        if (row && (all || ovsdb_column_changed(row, VSWITCH_BRIDGE_PORTS)))
            link_ports(db, bridge, row);
    }
}

/* A Port of several interfaces is a bond, which is said with its bridge, as LACP is. */
static void mark_interfaces(struct db *db, const struct ovsdb_row *port_row)
{
    const bool is_bond =
        ovsdb_count(port_row, VSWITCH_PORT_INTERFACES) > 1 || ovsdb_column_changed(port_row, VSWITCH_PORT_INTERFACES) ||
        ovsdb_column_changed(port_row, VSWITCH_PORT_LACP) || ovsdb_count(port_row, VSWITCH_PORT_LACP) > 0;

    for (uint32_t i = 0; i < ovsdb_count(port_row, VSWITCH_PORT_INTERFACES); i++) {
        const struct ovsdb_row *interface = ovsdb_ref(db->ovsdb, port_row, VSWITCH_PORT_INTERFACES, i);
        struct db_port *port = interface ? db_find_port(db, ovsdb_string(interface, VSWITCH_INTERFACE_NAME)) : NULL;
        if (port)
            db_port_mark(db, port);
        if (port && is_bond)
            db_bridge_mark(db, port->bridge);
    }
}

/* Ports that change what they consist of. */
static bool memberships_changed(const struct db *db)
{
    for (const struct ovsdb_row *row = ovsdb_changed(db->ovsdb, VSWITCH_PORT); row; row = ovsdb_next_changed(row))
        if (row->state == OVSDB_ROW_CHANGED && ovsdb_column_changed(row, VSWITCH_PORT_INTERFACES))
            return true;
    return false;
}

static void mark_all_bridges(struct db *db)
{
    struct db_bridge *bridge;

    TAILQ_FOREACH (bridge, &db->bridges, node)
        db_bridge_mark(db, bridge);
}

static void mark_ports_with_qos(struct db *db)
{
    struct db_port *port;

    TAILQ_FOREACH (port, &db->all, all) {
        const struct ovsdb_row *row = ovsdb_find(db->ovsdb, VSWITCH_PORT, &port->port);
        if (row && ovsdb_count(row, VSWITCH_PORT_QOS))
            db_port_mark(db, port);
    }
}

static void mark_changed(struct db *db, const struct ovsdb_row *root)
{
    const struct ovsdb_row *row;

    for (row = ovsdb_changed(db->ovsdb, VSWITCH_BRIDGE); row; row = ovsdb_next_changed(row)) {
        struct db_bridge *bridge = row->state == OVSDB_ROW_GONE ? NULL : db_find_bridge(db, &row->uuid);
        if (bridge)
            db_bridge_mark(db, bridge);
    }
    for (row = ovsdb_changed(db->ovsdb, VSWITCH_PORT); row; row = ovsdb_next_changed(row))
        if (row->state == OVSDB_ROW_CHANGED)
            mark_interfaces(db, row);
    for (row = ovsdb_changed(db->ovsdb, VSWITCH_INTERFACE); row; row = ovsdb_next_changed(row)) {
        struct db_port *port =
            row->state == OVSDB_ROW_CHANGED ? db_find_port(db, ovsdb_string(row, VSWITCH_INTERFACE_NAME)) : NULL;
        if (port)
            db_port_mark(db, port);
    }
    if (ovsdb_changed(db->ovsdb, VSWITCH_CONTROLLER) || ovsdb_changed(db->ovsdb, VSWITCH_MIRROR) ||
        ovsdb_changed(db->ovsdb, VSWITCH_FLOW_TABLE) || ovsdb_column_changed(root, VSWITCH_OPEN_VSWITCH_OTHER_CONFIG))
        mark_all_bridges(db);
    if (ovsdb_changed(db->ovsdb, VSWITCH_QOS) || ovsdb_changed(db->ovsdb, VSWITCH_QUEUE))
        mark_ports_with_qos(db);
    db->dirty_options |= ovsdb_changed(db->ovsdb, VSWITCH_SSL) ||
                         ovsdb_column_changed(root, VSWITCH_OPEN_VSWITCH_SSL) ||
                         ovsdb_column_changed(root, VSWITCH_OPEN_VSWITCH_OTHER_CONFIG);
}

static void mark_everything(struct db *db)
{
    struct db_port *port;

    mark_all_bridges(db);
    TAILQ_FOREACH (port, &db->all, all) {
        db_port_mark(db, port);
        db_port_mark_unwritten(db, port);
    }
    db->dirty_options = true;
}

/* Whether what the database says counts. */
const struct ovsdb_row *db_root(const struct db *db)
{
    if (!ovsdb_is_up(db->ovsdb) || !ovsdb_has_lock(db->ovsdb) || !ovsdb_is_whole(db->ovsdb))
        return NULL;
    return ovsdb_first(db->ovsdb, VSWITCH_OPEN_VSWITCH);
}

/* Who restarts the switch says so before, restores the rules by the .mgmt sockets, and takes it back: then misses are
 * resolved, and controllers connected to. As in Open vSwitch it counts from the start on alone. */
static void look_at_restoring(struct db *db, const struct ovsdb_row *root)
{
    const char *wait = ovsdb_map_string(db->ovsdb, root, VSWITCH_OPEN_VSWITCH_OTHER_CONFIG, "flow-restore-wait");
    bool restoring = wait && !strcmp(wait, "true") && (db->restoring || !db->began);

    if (restoring != db->restoring) {
        LOG_INFO(LOG_CONFIG, restoring
                                 ? "database: other_config:flow-restore-wait: nothing is forwarded, and no controller "
                                   "connected to, until it is taken back"
                                 : "database: rules are restored: forwarding begins");
        flows_set_waiting(db->sw->flows, restoring);
        if (restoring)
            rules_state_begin_empty(db->sw->rules);
        mark_all_bridges(db);
    }
    db->restoring = restoring;
    db->began = true;
}

void db_look(struct db *db, const struct ovsdb_row *root)
{
    bool all = !db->synced || memberships_changed(db);

    db->round++;
    if (all || ovsdb_column_changed(root, VSWITCH_OPEN_VSWITCH_BRIDGES) || ovsdb_changed(db->ovsdb, VSWITCH_BRIDGE))
        link_bridges(db, root, all);
    mark_changed(db, root);
    if (!db->synced)
        mark_everything(db);
    db_ct_zones_look(db, root);
    look_at_restoring(db, root);
    db->synced = true;
    db->next_cfg = ovsdb_integer(root, VSWITCH_OPEN_VSWITCH_NEXT_CFG, 0);
    db->unfinished = true;
    db_wake(db);
}
