/* The bridges and ports that the database has: found by name or row, in the lists of what is left to be done with them,
 * said to apply.h or not any more. Control thread. */
#define MEM_WHAT "the database"

#include <stdlib.h>
#include <string.h>

#include "pmd/base/hash.h"
#include "pmd/base/mem.h"
#include "src/app/db/db_impl.h"

static struct db_bucket *bucket_of(struct db *db, const char *name)
{
    uint64_t hash = HASH_BASIS;

    for (; *name; name++)
        hash = hash_add(hash, (uint8_t)*name);
    return &db->by_name[hash_finish(hash) % DB_NAME_BUCKETS];
}

struct db_port *db_find_port(struct db *db, const char *name)
{
    struct db_port *port;

    LIST_FOREACH (port, bucket_of(db, name), by_name)
        if (!strcmp(port->name, name))
            return port;
    return NULL;
}

struct db_bridge *db_find_bridge(const struct db *db, const struct ovsdb_uuid *row)
{
    struct db_bridge *bridge;

    TAILQ_FOREACH (bridge, &db->bridges, node)
        if (ovsdb_uuid_is(&bridge->row, row))
            return bridge;
    return NULL;
}

void db_port_mark(struct db *db, struct db_port *port)
{
    if (!port->dirty)
        TAILQ_INSERT_TAIL(&db->dirty, port, dirty_node);
    port->dirty = true;
}

void db_port_mark_unwritten(struct db *db, struct db_port *port)
{
    if (!port->unwritten)
        TAILQ_INSERT_TAIL(&db->unwritten, port, unwritten_node);
    port->unwritten = true;
}

void db_bridge_mark(struct db *db, struct db_bridge *bridge)
{
    bridge->dirty = db->dirty_bridges = true;
}

void db_port_clean(struct db *db, struct db_port *port)
{
    if (port->dirty)
        TAILQ_REMOVE(&db->dirty, port, dirty_node);
    port->dirty = false;
}

void db_port_written(struct db *db, struct db_port *port)
{
    if (port->unwritten)
        TAILQ_REMOVE(&db->unwritten, port, unwritten_node);
    port->unwritten = false;
}

void db_port_set_absent(struct db *db, struct db_port *port, bool absent)
{
    if (port->absent)
        TAILQ_REMOVE(&db->absent, port, absent_node);
    if (absent)
        TAILQ_INSERT_TAIL(&db->absent, port, absent_node);
    port->absent = absent;
}

void db_port_set_result(struct db *db, struct db_port *port, int64_t ofport, const char *error)
{
    free(port->error);
    port->error = error ? mem_strdup(error) : NULL;
    port->ofport = ofport;
    db_port_mark_unwritten(db, port);
}

/* apply.h is to take it away. */
void db_port_unsay(struct db *db, struct db_port *port)
{
    if (!port->said)
        return;
    apply_remove_port(db_apply(db), port->bridge->name, port->name);
    port->said = false;
    db->applying = true;
}

void db_port_free(struct db *db, struct db_port *port)
{
    for (int i = 0; i < DB_N_WALKS; i++)
        if (db->walks[i].next == port)
            db->walks[i].next = TAILQ_NEXT(port, all);
    db_port_clean(db, port);
    db_port_written(db, port);
    db_port_set_absent(db, port, false);
    LIST_REMOVE(port, by_name);
    TAILQ_REMOVE(&port->bridge->ports, port, of_bridge);
    TAILQ_REMOVE(&db->all, port, all);
    free(port->error);
    free(port->name);
    free(port);
}

void db_bridge_free(struct db *db, struct db_bridge *bridge)
{
    while (!TAILQ_EMPTY(&bridge->ports))
        db_port_free(db, TAILQ_FIRST(&bridge->ports));
    TAILQ_REMOVE(&db->bridges, bridge, node);
    free(bridge->name);
    free(bridge->fault);
    free(bridge);
}

/* Takes its ports along. */
void db_bridge_unsay(struct db *db, struct db_bridge *bridge)
{
    struct db_port *port;

    if (!bridge->said)
        return;
    apply_remove_bridge(db_apply(db), bridge->name);
    bridge->said = false;
    db->applying = true;
    TAILQ_FOREACH (port, &bridge->ports, of_bridge) {
        port->said = false;
        db_port_mark(db, port);
    }
}

void db_port_add(struct db *db, struct db_bridge *bridge, const struct ovsdb_row *row,
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
    db_port_mark(db, port);
}
