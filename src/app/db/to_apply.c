/* Says to apply.h what the database asks for: the options of the switch, a bridge, a port. Control thread. */
#define MEM_WHAT "the database"

#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "pmd/base/log.h"
#include "pmd/base/mem.h"
#include "src/app/db/db_impl.h"
#include "src/app/db/start.h"
#include "src/app/options.h"
#include "src/config/json.h"
#include "src/config/ovsdb/to_model.h"

#define STATISTICS_MS_LEAST 5000L
#define STATISTICS_MS_MOST 86400000L

/* The options of the file that was read, and over them those of the database. */
void db_set_options(void *arg, struct config *file)
{
    struct db *db = arg;
    const struct ovsdb_row *root = ovsdb_first(db->ovsdb, VSWITCH_OPEN_VSWITCH);

    if (root)
        config_from_open_vswitch(db->ovsdb, root, file);
    apply_set_options(db_apply(db), file);
    db->applying = true;
}

/* How often statistics are written; Open vSwitch has the same least interval. */
static void take_intervals(struct db *db, const struct ovsdb_row *root)
{
    const char *text = ovsdb_map_string(db->ovsdb, root, VSWITCH_OPEN_VSWITCH_OTHER_CONFIG, "stats-update-interval");
    long ms = text ? strtol(text, NULL, 10) : 0;

    db->statistics_ticks =
        (unsigned)RTE_MIN(RTE_MAX(ms, STATISTICS_MS_LEAST), STATISTICS_MS_MOST) / (DB_TICK_US / 1000);
}

void db_say_options(struct db *db)
{
    struct config_faults faults = {0};
    struct config *file = NULL;

    db->dirty_options = false;
    db_note_other_config(db->sw->options, db_root(db));
    take_intervals(db, db_root(db));
    if (!db->sw->config_path) {
        file = db_start_model(db->sw->options, db_root(db));
        db_set_options(db, file);
        config_free(file);
        return;
    }
    if (config_load_file(db->sw->config_path, &file, &faults))
        LOG_WARN(LOG_CONFIG, "database: TLS and other_config wait until %s has no fault", db->sw->config_path);
    else
        db_set_options(db, file);
    config_faults_clear(&faults);
    config_free(file);
}

static bool has_bridges_mac(const struct db *db, const struct db_port *port)
{
    const struct ovsdb_row *row = ovsdb_find(db->ovsdb, VSWITCH_PORT, &port->port);

    return !strcmp(port->name, port->bridge->name) || (row && ovsdb_boolean(row, VSWITCH_PORT_FAKE_BRIDGE, false));
}

static bool check_sockets(const struct db *db, const struct db_bridge *bridge, char *fault, size_t size)
{
    size_t len = strlen(db->sw->config->run_dir) + strlen(bridge->name) + strlen("/.snoop");

    if (len < sizeof((struct sockaddr_un *)NULL)->sun_path)
        return true;
    snprintf(fault, size,
             "bridge %s: the path of its socket in %s would have %zu bytes, %zu are the limit: choose a shorter name",
             bridge->name, db->sw->config->run_dir, len, sizeof((struct sockaddr_un *)NULL)->sun_path - 1);
    return false;
}

static struct config *wanted_bridge(const struct db *db, const struct db_bridge *bridge, const struct config *running,
                                    char *fault, size_t size)
{
    const struct ovsdb_row *row = ovsdb_find(db->ovsdb, VSWITCH_BRIDGE, &bridge->row);

    if (!row || !check_sockets(db, bridge, fault, size))
        return NULL;
    return config_from_bridge(db->ovsdb, row, running, !db->restoring, fault, size);
}

/* `running`: with the TLS files that the database may have. */
static void say_bridge(struct db *db, struct db_bridge *bridge, const struct config *running)
{
    char fault[512] = "its row is gone";
    struct config *config = wanted_bridge(db, bridge, running, fault, sizeof fault);
    struct db_port *port;

    bridge->dirty = false;
    free(bridge->fault);
    bridge->fault = config ? NULL : mem_strdup(fault);
    if (!config) {
        LOG_WARN_RL(LOG_CONFIG, "database: %s", fault);
        db_bridge_unsay(db, bridge);
        return;
    }
    apply_set_bridge(db_apply(db), &config->bridges[0]);
    db->applying = true;
    TAILQ_FOREACH (port, &bridge->ports, of_bridge)
        if (!bridge->said || has_bridges_mac(db, port))
            db_port_mark(db, port);
    bridge->said = true;
    config_free(config);
}

void db_say_bridges(struct db *db)
{
    const struct ovsdb_row *root = ovsdb_first(db->ovsdb, VSWITCH_OPEN_VSWITCH);
    struct config running = {.run_dir = db->sw->options->self_confinement ? db->sw->config->run_dir : NULL};
    struct db_bridge *bridge;

    db->dirty_bridges = false;
    if (db->sw->config->tls.private_key)
        running.tls.private_key = mem_strdup(db->sw->config->tls.private_key);
    config_from_open_vswitch(db->ovsdb, root, &running);
    TAILQ_FOREACH (bridge, &db->bridges, node)
        if (bridge->dirty)
            say_bridge(db, bridge, &running);
    free(running.tls.private_key);
    free(running.tls.certificate);
    free(running.tls.ca_certificate);
}

/* Nothing comes of the port. */
static void refuse_port(struct db *db, struct db_port *port, const char *fault)
{
    db_port_unsay(db, port);
    db_port_set_result(db, port, -1, fault);
}

/* Whether the port is an interface that the kernel has. */
static bool is_kernels(const struct ovsdb_row *interface, const struct config_port *wanted)
{
    const char *type = ovsdb_string(interface, VSWITCH_INTERFACE_TYPE);

    return wanted->type == CONFIG_PORT_SYSTEM || (type && !strcmp(type, "afxdp"));
}

void db_say_port(struct db *db, struct db_port *port)
{
    const struct ovsdb_row *bridge = ovsdb_find(db->ovsdb, VSWITCH_BRIDGE, &port->bridge->row);
    const struct ovsdb_row *row = ovsdb_find(db->ovsdb, VSWITCH_PORT, &port->port);
    const struct ovsdb_row *interface = ovsdb_find(db->ovsdb, VSWITCH_INTERFACE, &port->interface);
    char fault[512];

    db_port_clean(db, port);
    db_port_set_absent(db, port, false);
    if (!bridge || !row || !interface || !port->bridge->said) {
        refuse_port(db, port, port->bridge->fault ? port->bridge->fault : "its bridge could not be made: see the log");
        return;
    }
    struct config *config =
        config_from_interface(db->ovsdb, bridge, row, interface, db->sw->config->run_dir, fault, sizeof fault);
    if (!config) {
        refuse_port(db, port, fault);
        return;
    }
    struct config_port *wanted = &config->bridges[0].ports[0];
    db_port_set_absent(db, port, is_kernels(interface, wanted) && !if_nametoindex(port->name));
    if (port->absent) {
        snprintf(fault, sizeof fault, "could not open network device %s (No such device)", port->name);
        refuse_port(db, port, fault);
    } else {
        int64_t last = ovsdb_integer(interface, VSWITCH_INTERFACE_OFPORT, 0);
        wanted->ofport_last = last > 0 && last <= CONFIG_OFPORT_MAX ? (uint32_t)last : 0;
        apply_set_port(db_apply(db), port->bridge->name, wanted);
        port->said = db->applying = true;
    }
    config_free(config);
}
