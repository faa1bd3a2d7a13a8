#define MEM_WHAT "the database"

#include "src/app/db/db.h"

#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/clock.h"
#include "pmd/base/log.h"
#include "pmd/base/mem.h"
#include "src/app/daemon.h"
#include "src/app/db/db_impl.h"
#include "src/app/db/features.h"
#include "src/app/notify.h"
#include "src/state/rules_state.h"

#define STEP_US 500      /* of the event loop at once */
#define ABSENT_LOOKS 200 /* at interfaces that are not there, with each tick: a system call each */

/* --- what became of it --------------------------------------------------- */

static void on_result(void *arg, const struct apply_result *result)
{
    struct db *db = arg;
    struct db_port *port = result->object == APPLY_PORT ? db_find_port(db, result->port) : NULL;

    if (!port || !port->said || strcmp(port->bridge->name, result->bridge) || result->change == APPLY_REMOVED)
        return;
    db_port_set_result(db, port, result->ofport ? (int64_t)result->ofport : -1, result->error);
    db_wake(db);
}

static void on_idle(void *arg)
{
    struct db *db = arg;

    db->applying = false;
    db_wake(db);
}

/* --- telling the database ------------------------------------------------ */

static void on_written(void *arg, const char *error)
{
    struct db *db = arg;

    db->rewrite |= error != NULL;
    db_wake(db);
}

/* The database knows what became of what it asked for: so may who waits for the start. */
static void on_config_written(void *arg, const char *error)
{
    struct db *db = arg;

    on_written(arg, error);
    if (!error)
        rules_state_started(db->sw->rules);
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
        db_port_written(db, port);
        db_write_port(db, db->config, port);
        return true;
    }
    TAILQ_FOREACH (bridge, &db->bridges, node) {
        db_write_bridge(db, db->config, bridge);
        db_write_mirrors(db, db->config, bridge);
    }
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
            if (i == DB_WALK_STATISTICS) {
                db_write_controllers(db, walk->txn, bridge);
                db_write_mirrors(db, walk->txn, bridge);
            }
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

/* Gives up what was begun on a connection that is gone. */
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
        db_say_options(db);
    else if (db_ct_zones_step(db, root))
        return true;
    else if (db->dirty_bridges)
        db_say_bridges(db);
    else if (!TAILQ_EMPTY(&db->dirty))
        db_say_port(db, TAILQ_FIRST(&db->dirty));
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
    const struct ovsdb_row *root = db->synced && db->awake ? db_root(db) : NULL;
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

    return db->awake && db->synced && db_root(db) ? 0 : UINT64_MAX;
}

/* Interfaces of the kernel's that were missing and are there now. */
static void find_absent(struct db *db)
{
    struct db_port *port, *last = TAILQ_LAST(&db->absent, db_ports);

    for (int i = 0; i < ABSENT_LOOKS && last; i++) {
        port = TAILQ_FIRST(&db->absent);
        db_port_set_absent(db, port, true); /* to the end of the list */
        if (if_nametoindex(port->name))
            db_port_mark(db, port);
        if (port == last)
            return;
    }
}

static void on_tick(void *arg)
{
    struct db *db = arg;
    struct db_port *port;

    loop_timer_beat(&db->tick, DB_TICK_US);
    if (!db->synced)
        return;
    find_absent(db);
    if (db->rewrite)
        TAILQ_FOREACH (port, &db->all, all)
            db_port_mark_unwritten(db, port);
    db->unfinished |= db->rewrite;
    db->rewrite = false;
    start_walk(db, DB_WALK_STATUS);
    if (db->ticks > 0) {
        db->ticks--;
    } else {
        db->ticks = db->statistics_ticks - 1;
        start_walk(db, DB_WALK_STATISTICS);
    }
    db_wake(db);
}

static void on_changed(void *arg, struct ovsdb *ovsdb)
{
    struct db *db = arg;
    const struct ovsdb_row *root = db_root(db);

    if (root)
        db_look(db, root);
}

static void on_status(void *arg, struct ovsdb *ovsdb)
{
    struct db *db = arg;
    const struct ovsdb_row *root = db_root(db);

    if (!ovsdb_is_up(ovsdb) || !ovsdb_has_lock(ovsdb))
        give_up(db);
    else if (root && !db->synced)
        db_look(db, root);
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
    loop_timer_beat(&db->tick, DB_TICK_US);
    db->ovsdb = ovsdb_create(&params, error, error_size);
    sw->source = (struct switch_source){.set_options = db_set_options, .arg = db};
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
        db_bridge_free(db, TAILQ_FIRST(&db->bridges));
    ovsdb_destroy(db->ovsdb);
    db_ct_zones_destroy(db->ct_zones);
    loop_remove(&db->job);
    loop_timer_cancel(&db->tick);
    free(db);
}
