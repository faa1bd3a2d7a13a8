#include "src/app/db/db.h"

#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "pmd/base/clock.h"
#include "pmd/base/hash.h"
#include "pmd/base/log.h"
#include "pmd/base/mem.h"
#include "src/app/daemon.h"
#include "src/app/db/db_impl.h"
#include "src/app/db/features.h"
#include "src/app/db/start.h"
#include "src/app/notify.h"
#include "src/app/options.h"
#include "src/config/json.h"
#include "src/config/ovsdb/to_model.h"

#define STEP_US 500      /* of the event loop at once */
#define TICK_US 500000   /* between looks at what changes by itself */
#define ABSENT_LOOKS 200 /* at interfaces that are not there, with each tick: a system call each */
#define STATISTICS_MS_LEAST 5000L
#define STATISTICS_MS_MOST 86400000L

static void wake(struct db *db)
{
    db->awake = true;
}

static struct apply *apply_of(const struct db *db)
{
    return db->sw->apply;
}

/* --- bridges and ports of the database ----------------------------------- */

static struct db_bucket *bucket_of(struct db *db, const char *name)
{
    uint64_t hash = HASH_BASIS;

    for (; *name; name++)
        hash = hash_add(hash, (uint8_t)*name);
    return &db->by_name[hash_finish(hash) % DB_NAME_BUCKETS];
}

static struct db_port *find_port(struct db *db, const char *name)
{
    struct db_port *port;

    LIST_FOREACH (port, bucket_of(db, name), by_name)
        if (!strcmp(port->name, name))
            return port;
    return NULL;
}

static struct db_bridge *find_bridge(const struct db *db, const struct ovsdb_uuid *row)
{
    struct db_bridge *bridge;

    TAILQ_FOREACH (bridge, &db->bridges, node)
        if (ovsdb_uuid_is(&bridge->row, row))
            return bridge;
    return NULL;
}

static void mark_dirty(struct db *db, struct db_port *port)
{
    if (!port->dirty)
        TAILQ_INSERT_TAIL(&db->dirty, port, dirty_node);
    port->dirty = true;
}

static void mark_unwritten(struct db *db, struct db_port *port)
{
    if (!port->unwritten)
        TAILQ_INSERT_TAIL(&db->unwritten, port, unwritten_node);
    port->unwritten = true;
}

static void mark_bridge(struct db *db, struct db_bridge *bridge)
{
    bridge->dirty = db->dirty_bridges = true;
}

static void clean(struct db *db, struct db_port *port)
{
    if (port->dirty)
        TAILQ_REMOVE(&db->dirty, port, dirty_node);
    port->dirty = false;
}

static void written(struct db *db, struct db_port *port)
{
    if (port->unwritten)
        TAILQ_REMOVE(&db->unwritten, port, unwritten_node);
    port->unwritten = false;
}

static void set_absent(struct db *db, struct db_port *port, bool absent)
{
    if (port->absent)
        TAILQ_REMOVE(&db->absent, port, absent_node);
    if (absent)
        TAILQ_INSERT_TAIL(&db->absent, port, absent_node);
    port->absent = absent;
}

static void set_result(struct db *db, struct db_port *port, int64_t ofport, const char *error)
{
    free(port->error);
    port->error = error ? mem_strdup(error) : NULL;
    port->ofport = ofport;
    mark_unwritten(db, port);
}

/* apply.h is to take it away. */
static void unsay_port(struct db *db, struct db_port *port)
{
    if (!port->said)
        return;
    apply_remove_port(apply_of(db), port->bridge->name, port->name);
    port->said = false;
    db->applying = true;
}

static void free_port(struct db *db, struct db_port *port)
{
    for (int i = 0; i < DB_N_WALKS; i++)
        if (db->walks[i].next == port)
            db->walks[i].next = TAILQ_NEXT(port, all);
    clean(db, port);
    written(db, port);
    set_absent(db, port, false);
    LIST_REMOVE(port, by_name);
    TAILQ_REMOVE(&port->bridge->ports, port, of_bridge);
    TAILQ_REMOVE(&db->all, port, all);
    free(port->error);
    free(port->name);
    free(port);
}

static void free_bridge(struct db *db, struct db_bridge *bridge)
{
    while (!TAILQ_EMPTY(&bridge->ports))
        free_port(db, TAILQ_FIRST(&bridge->ports));
    TAILQ_REMOVE(&db->bridges, bridge, node);
    free(bridge->name);
    free(bridge->fault);
    free(bridge);
}

/* Takes its ports along. */
static void unsay_bridge(struct db *db, struct db_bridge *bridge)
{
    struct db_port *port;

    if (!bridge->said)
        return;
    apply_remove_bridge(apply_of(db), bridge->name);
    bridge->said = false;
    db->applying = true;
    TAILQ_FOREACH (port, &bridge->ports, of_bridge) {
        port->said = false;
        mark_dirty(db, port);
    }
}

static void add_port(struct db *db, struct db_bridge *bridge, const struct ovsdb_row *row,
                     const struct ovsdb_row *interface)
{
    struct db_port *port = mem_calloc(1, sizeof *port);

    *port = (struct db_port){
        .bridge = bridge,
        .name = mem_strdup(ovsdb_string(interface, VSWITCH_INTERFACE_NAME)),
        .port = row->uuid,
        .interface = interface->uuid,
        .mark = db->round,
    };
    LIST_INSERT_HEAD(bucket_of(db, port->name), port, by_name);
    TAILQ_INSERT_TAIL(&bridge->ports, port, of_bridge);
    TAILQ_INSERT_TAIL(&db->all, port, all);
    mark_dirty(db, port);
}

/* --- what the database has, compared with what it had -------------------- */

/* The interface may be known: here, elsewhere, or as another row of the same name. */
static void link_interface(struct db *db, struct db_bridge *bridge, const struct ovsdb_row *row,
                           const struct ovsdb_row *interface)
{
    struct db_port *port = find_port(db, ovsdb_string(interface, VSWITCH_INTERFACE_NAME));

    if (port && port->bridge == bridge && ovsdb_uuid_is(&port->interface, &interface->uuid)) {
        if (!ovsdb_uuid_is(&port->port, &row->uuid))
            mark_dirty(db, port);
        port->port = row->uuid;
        port->mark = db->round;
        return;
    }
    if (port) {
        unsay_port(db, port);
        free_port(db, port);
    }
    add_port(db, bridge, row, interface);
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
        unsay_port(db, port);
        free_port(db, port);
    }
}

static struct db_bridge *link_bridge(struct db *db, const struct ovsdb_row *row)
{
    struct db_bridge *bridge = find_bridge(db, &row->uuid);

    if (!bridge) {
        bridge = mem_calloc(1, sizeof *bridge);
        bridge->name = mem_strdup(ovsdb_string(row, VSWITCH_BRIDGE_NAME));
        bridge->row = row->uuid;
        TAILQ_INIT(&bridge->ports);
        TAILQ_INSERT_TAIL(&db->bridges, bridge, node);
        mark_bridge(db, bridge);
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
        unsay_bridge(db, bridge);
        free_bridge(db, bridge);
    }
    TAILQ_FOREACH (bridge, &db->bridges, node) {
        const struct ovsdb_row *row = ovsdb_find(db->ovsdb, VSWITCH_BRIDGE, &bridge->row);
        if (row && (all || ovsdb_column_changed(row, VSWITCH_BRIDGE_PORTS)))
            link_ports(db, bridge, row);
    }
}

static void mark_interfaces(struct db *db, const struct ovsdb_row *port_row)
{
    for (uint32_t i = 0; i < ovsdb_count(port_row, VSWITCH_PORT_INTERFACES); i++) {
        const struct ovsdb_row *interface = ovsdb_ref(db->ovsdb, port_row, VSWITCH_PORT_INTERFACES, i);
        struct db_port *port = interface ? find_port(db, ovsdb_string(interface, VSWITCH_INTERFACE_NAME)) : NULL;
        if (port)
            mark_dirty(db, port);
    }
}

/* Ports that are new, and those that change what they consist of. */
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
        mark_bridge(db, bridge);
}

static void mark_changed(struct db *db, const struct ovsdb_row *root)
{
    const struct ovsdb_row *row;

    for (row = ovsdb_changed(db->ovsdb, VSWITCH_BRIDGE); row; row = ovsdb_next_changed(row)) {
        struct db_bridge *bridge = row->state == OVSDB_ROW_GONE ? NULL : find_bridge(db, &row->uuid);
        if (bridge)
            mark_bridge(db, bridge);
    }
    for (row = ovsdb_changed(db->ovsdb, VSWITCH_PORT); row; row = ovsdb_next_changed(row))
        if (row->state == OVSDB_ROW_CHANGED)
            mark_interfaces(db, row);
    for (row = ovsdb_changed(db->ovsdb, VSWITCH_INTERFACE); row; row = ovsdb_next_changed(row)) {
        struct db_port *port =
            row->state == OVSDB_ROW_CHANGED ? find_port(db, ovsdb_string(row, VSWITCH_INTERFACE_NAME)) : NULL;
        if (port)
            mark_dirty(db, port);
    }
    if (ovsdb_changed(db->ovsdb, VSWITCH_CONTROLLER) || ovsdb_changed(db->ovsdb, VSWITCH_FLOW_TABLE) ||
        ovsdb_column_changed(root, VSWITCH_OPEN_VSWITCH_OTHER_CONFIG))
        mark_all_bridges(db);
    db->dirty_options |= ovsdb_changed(db->ovsdb, VSWITCH_SSL) ||
                         ovsdb_column_changed(root, VSWITCH_OPEN_VSWITCH_SSL) ||
                         ovsdb_column_changed(root, VSWITCH_OPEN_VSWITCH_OTHER_CONFIG);
}

static void mark_everything(struct db *db)
{
    struct db_port *port;

    mark_all_bridges(db);
    TAILQ_FOREACH (port, &db->all, all) {
        mark_dirty(db, port);
        mark_unwritten(db, port);
    }
    db->dirty_options = true;
}

/* Whether what the database says counts. */
static const struct ovsdb_row *root_of(const struct db *db)
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
        mark_all_bridges(db);
    }
    db->restoring = restoring;
    db->began = true;
}

static void look(struct db *db, const struct ovsdb_row *root)
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
    wake(db);
}

/* --- saying it to apply.h ------------------------------------------------ */

/* The options of the file that was read, and over them those of the database. */
static void set_options(void *arg, struct config *file)
{
    struct db *db = arg;
    const struct ovsdb_row *root = ovsdb_first(db->ovsdb, VSWITCH_OPEN_VSWITCH);

    if (root)
        config_from_open_vswitch(db->ovsdb, root, file);
    apply_set_options(apply_of(db), file);
    db->applying = true;
}

/* How often statistics are written; Open vSwitch has the same least interval. */
static void take_intervals(struct db *db, const struct ovsdb_row *root)
{
    const char *text = ovsdb_map_string(db->ovsdb, root, VSWITCH_OPEN_VSWITCH_OTHER_CONFIG, "stats-update-interval");
    long ms = text ? strtol(text, NULL, 10) : 0;

    db->statistics_ticks = (unsigned)RTE_MIN(RTE_MAX(ms, STATISTICS_MS_LEAST), STATISTICS_MS_MOST) / (TICK_US / 1000);
}

static void say_options(struct db *db)
{
    struct config_faults faults = {0};
    struct config *file = NULL;

    db->dirty_options = false;
    db_note_other_config(db->sw->options, root_of(db));
    take_intervals(db, root_of(db));
    if (!db->sw->config_path) {
        file = db_start_model(db->sw->options, root_of(db));
        set_options(db, file);
        config_free(file);
        return;
    }
    if (config_load_file(db->sw->config_path, &file, &faults))
        LOG_WARN(LOG_CONFIG, "database: TLS and other_config wait until %s has no fault", db->sw->config_path);
    else
        set_options(db, file);
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
        unsay_bridge(db, bridge);
        return;
    }
    apply_set_bridge(apply_of(db), &config->bridges[0]);
    db->applying = true;
    TAILQ_FOREACH (port, &bridge->ports, of_bridge)
        if (!bridge->said || has_bridges_mac(db, port))
            mark_dirty(db, port);
    bridge->said = true;
    config_free(config);
}

static void say_bridges(struct db *db)
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
    unsay_port(db, port);
    set_result(db, port, -1, fault);
}

/* Whether the port is an interface that the kernel has. */
static bool is_kernels(const struct ovsdb_row *interface, const struct config_port *wanted)
{
    const char *type = ovsdb_string(interface, VSWITCH_INTERFACE_TYPE);

    return wanted->type == CONFIG_PORT_SYSTEM || (type && !strcmp(type, "afxdp"));
}

static void say_port(struct db *db, struct db_port *port)
{
    const struct ovsdb_row *bridge = ovsdb_find(db->ovsdb, VSWITCH_BRIDGE, &port->bridge->row);
    const struct ovsdb_row *row = ovsdb_find(db->ovsdb, VSWITCH_PORT, &port->port);
    const struct ovsdb_row *interface = ovsdb_find(db->ovsdb, VSWITCH_INTERFACE, &port->interface);
    char fault[512];

    clean(db, port);
    set_absent(db, port, false);
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
    set_absent(db, port, is_kernels(interface, wanted) && !if_nametoindex(port->name));
    if (port->absent) {
        snprintf(fault, sizeof fault, "could not open network device %s (No such device)", port->name);
        refuse_port(db, port, fault);
    } else {
        int64_t last = ovsdb_integer(interface, VSWITCH_INTERFACE_OFPORT, 0);
        wanted->ofport_last = last > 0 && last <= CONFIG_OFPORT_MAX ? (uint32_t)last : 0;
        apply_set_port(apply_of(db), port->bridge->name, wanted);
        port->said = db->applying = true;
    }
    config_free(config);
}

static void on_result(void *arg, const struct apply_result *result)
{
    struct db *db = arg;
    struct db_port *port = result->object == APPLY_PORT ? find_port(db, result->port) : NULL;

    if (!port || !port->said || strcmp(port->bridge->name, result->bridge) || result->change == APPLY_REMOVED)
        return;
    set_result(db, port, result->ofport ? (int64_t)result->ofport : -1, result->error);
    wake(db);
}

static void on_idle(void *arg)
{
    struct db *db = arg;

    db->applying = false;
    wake(db);
}

/* --- telling the database ------------------------------------------------ */

static void on_written(void *arg, const char *error)
{
    struct db *db = arg;

    db->rewrite |= error != NULL;
    wake(db);
}

/* The database knows what became of what it asked for: so may who waits for the start. */
static void on_config_written(void *arg, const char *error)
{
    struct db *db = arg;

    on_written(arg, error);
    if (error || db->told_ready || db->sw->config_path)
        return;
    db->told_ready = true;
    daemonize_complete();
    notify("READY=1");
}

/* One port, or the end. False: not now. */
static bool write_config(struct db *db, const struct ovsdb_row *root)
{
    struct db_port *port = TAILQ_FIRST(&db->unwritten);
    const struct db_bridge *bridge;

    if (!db->config)
        db->config = ovsdb_txn_begin(db->ovsdb, OVSDB_CONFIG);
    if (!db->config)
        return false;
    if (port) {
        written(db, port);
        db_write_port(db, db->config, port);
        return true;
    }
    TAILQ_FOREACH (bridge, &db->bridges, node)
        db_write_bridge(db, db->config, bridge);
    db_write_switch(db, db->config, root);
    ovsdb_txn_commit(db->config, on_config_written, db);
    db->config = NULL;
    db->unfinished = false;
    return true;
}

/* One port, or the bridges and the end. */
static void run_walk(struct db *db, int i, const struct ovsdb_row *root)
{
    static const enum ovsdb_purpose purposes[] = {OVSDB_STATUS, OVSDB_STATISTICS};
    struct db_walk *walk = &db->walks[i];
    struct db_port *port = walk->next;
    const struct db_bridge *bridge;

    if (!walk->txn)
        walk->txn = ovsdb_txn_begin(db->ovsdb, purposes[i]);
    if (!walk->txn) {
        walk->active = false; /* the one before is not answered yet */
    } else if (port) {
        walk->next = TAILQ_NEXT(port, all);
        if (i == DB_WALK_STATUS)
            db_write_changes(db, walk->txn, port);
        else
            db_write_statistics(db, walk->txn, port);
    } else {
        TAILQ_FOREACH (bridge, &db->bridges, node)
            if (i == DB_WALK_STATISTICS)
                db_write_controllers(db, walk->txn, bridge);
        if (i == DB_WALK_STATISTICS)
            db_write_machine(db, walk->txn, root);
        ovsdb_txn_commit(walk->txn, on_written, db);
        *walk = (struct db_walk){0};
    }
}

static void start_walk(struct db *db, int i)
{
    struct db_walk *walk = &db->walks[i];

    if (walk->active)
        return;
    walk->active = true;
    walk->next = TAILQ_FIRST(&db->all);
}

/* What was begun is for a connection that is no more. */
static void give_up(struct db *db)
{
    if (db->config)
        ovsdb_txn_commit(db->config, NULL, NULL);
    db->config = NULL;
    for (int i = 0; i < DB_N_WALKS; i++) {
        if (db->walks[i].txn)
            ovsdb_txn_commit(db->walks[i].txn, NULL, NULL);
        db->walks[i] = (struct db_walk){0};
    }
    db->synced = false;
}

/* --- the order of things ------------------------------------------------- */

/* The next thing to do. False: nothing, until something happens. */
static bool step(struct db *db, const struct ovsdb_row *root)
{
    if (db->dirty_options)
        say_options(db);
    else if (db_ct_zones_step(db, root))
        return true;
    else if (db->dirty_bridges)
        say_bridges(db);
    else if (!TAILQ_EMPTY(&db->dirty))
        say_port(db, TAILQ_FIRST(&db->dirty));
    else if (db->applying)
        return false;
    else if (db->unfinished || db->config || !TAILQ_EMPTY(&db->unwritten))
        return write_config(db, root);
    else if (db->walks[DB_WALK_STATUS].active)
        run_walk(db, DB_WALK_STATUS, root);
    else if (db->walks[DB_WALK_STATISTICS].active)
        run_walk(db, DB_WALK_STATISTICS, root);
    else
        return false;
    return true;
}

static unsigned run(void *arg, uint64_t budget_us)
{
    struct db *db = arg;
    const struct ovsdb_row *root = db->synced && db->awake ? root_of(db) : NULL;
    uint64_t deadline = clock_now_us() + budget_us;

    while (root && clock_now_us() < deadline)
        if (!step(db, root)) {
            db->awake = false;
            return 0;
        }
    return root ? LOOP_MORE : 0;
}

static uint64_t due_us(void *arg)
{
    const struct db *db = arg;

    return db->awake && db->synced && root_of(db) ? 0 : UINT64_MAX;
}

/* Interfaces of the kernel's that were missing and are there now. */
static void find_absent(struct db *db)
{
    struct db_port *port, *last = TAILQ_LAST(&db->absent, db_ports);

    for (int i = 0; i < ABSENT_LOOKS && last; i++) {
        port = TAILQ_FIRST(&db->absent);
        set_absent(db, port, true); /* to the end of the list */
        if (if_nametoindex(port->name))
            mark_dirty(db, port);
        if (port == last)
            return;
    }
}

static void on_tick(void *arg)
{
    struct db *db = arg;
    struct db_port *port;

    loop_timer_in(&db->tick, TICK_US);
    if (!db->synced)
        return;
    find_absent(db);
    if (db->rewrite)
        TAILQ_FOREACH (port, &db->all, all)
            mark_unwritten(db, port);
    db->unfinished |= db->rewrite;
    db->rewrite = false;
    start_walk(db, DB_WALK_STATUS);
    if (db->ticks > 0) {
        db->ticks--;
    } else {
        db->ticks = db->statistics_ticks - 1;
        start_walk(db, DB_WALK_STATISTICS);
    }
    wake(db);
}

static void on_changed(void *arg, struct ovsdb *ovsdb)
{
    struct db *db = arg;
    const struct ovsdb_row *root = root_of(db);

    if (root)
        look(db, root);
}

static void on_status(void *arg, struct ovsdb *ovsdb)
{
    struct db *db = arg;
    const struct ovsdb_row *root = root_of(db);

    if (!ovsdb_is_up(ovsdb) || !ovsdb_has_lock(ovsdb))
        give_up(db);
    else if (root && !db->synced)
        look(db, root);
}

/* --- creation ------------------------------------------------------------ */

struct db *db_create(struct sluice *sw, char *error, size_t error_size)
{
    struct db *db = mem_calloc(1, sizeof *db);
    const struct ovsdb_params params = {
        .base = loop_base(sw->loop),
        .remote = sw->config->ovsdb.remote,
        .schema = &vswitch_schema,
        .lock = VSWITCH_LOCK,
        .tls = sw->tls,
        .changed = on_changed,
        .status = on_status,
        .arg = db,
    };

    db->sw = sw;
    db->ct_zones = db_ct_zones_create();
    TAILQ_INIT(&db->bridges);
    TAILQ_INIT(&db->all);
    TAILQ_INIT(&db->dirty);
    TAILQ_INIT(&db->unwritten);
    TAILQ_INIT(&db->absent);
    db->listener = (struct apply_listener){.arg = db, .result = on_result, .idle = on_idle};
    apply_listen(sw->apply, &db->listener);
    db->job = (struct loop_job){
        .name = "database",
        .phase = LOOP_CHANGES,
        .budget_us = STEP_US,
        .arg = db,
        .run = run,
        .due_us = due_us,
    };
    loop_add(sw->loop, &db->job);
    loop_timer_init(&db->tick, sw->loop, "database status", on_tick, db);
    loop_timer_in(&db->tick, TICK_US);
    db->ovsdb = ovsdb_create(&params, error, error_size);
    sw->source = (struct switch_source){.set_options = set_options, .arg = db};
    if (db->ovsdb) {
        features_log();
        return db;
    }
    db_destroy(db);
    return NULL;
}

void db_destroy(struct db *db)
{
    if (!db)
        return;
    db->sw->source = (struct switch_source){0};
    apply_unlisten(db->sw->apply, &db->listener);
    while (!TAILQ_EMPTY(&db->bridges))
        free_bridge(db, TAILQ_FIRST(&db->bridges));
    ovsdb_destroy(db->ovsdb);
    db_ct_zones_destroy(db->ct_zones);
    loop_remove(&db->job);
    loop_timer_cancel(&db->tick);
    free(db);
}
