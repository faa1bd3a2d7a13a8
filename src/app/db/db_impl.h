/* The parts of src/app/db/db.h for each other. Control thread. */
#ifndef SRC_APP_DB_DB_IMPL_H
#define SRC_APP_DB_DB_IMPL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "src/app/apply.h"
#include "src/app/db/db.h"
#include "src/app/db/egress.h"
#include "src/app/switch.h"
#include "src/loop/loop.h"
#include "src/ovsdb/ovsdb.h"
#include "src/ovsdb/vswitch.h"

#define DB_NAME_BUCKETS 4096
#define DB_TICK_US 500000 /* between looks at what changes by itself */

/* What was last seen of a port's state, to find out in little time that nothing has changed. */
struct db_seen {
    bool exists, link_up, admin_up, full_duplex, described;
    uint16_t mtu;
    int ifindex;
    uint32_t speed_mbps;
    uint64_t link_resets;
    struct rte_ether_addr mac;
    /* BFD */
    bool has_bfd, forwarding;
    uint8_t state, remote_state, diag, remote_diag;
    uint64_t flap_count;
    struct egress egress;
    bool bonded, has_lacp, lacp_current, has_stp;
    uint8_t stp_state, stp_role;
    struct rte_ether_addr bond_active; /* of its bond */
};

/* An interface of a Port of a bridge, which is one port. */
struct db_port {
    struct db_bridge *bridge;
    char *name;
    struct ovsdb_uuid port, interface; /* rows */
    uint32_t mark;                     /* the round that found it in the database */
    bool said;                         /* to apply.h */
    bool dirty, unwritten;             /* in that list */
    bool absent;                       /* a network interface of the kernel's that is not there */
    int64_t ofport;                    /* 0: not known yet, -1: there is none */
    char *error;                       /* NULL: none */
    struct db_seen seen;
    LIST_ENTRY(db_port) by_name;
    TAILQ_ENTRY(db_port) of_bridge, all, dirty_node, unwritten_node, absent_node;
};
TAILQ_HEAD(db_ports, db_port);

struct db_bridge {
    char *name;
    struct ovsdb_uuid row;
    uint32_t mark;
    bool said, dirty;
    char *fault; /* why it is not said; NULL: it is, or was not tried yet */
    struct db_ports ports;
    TAILQ_ENTRY(db_bridge) node;
};

/* A walk through all ports, a few at a time, that fills a transaction. */
struct db_walk {
    bool active;
    struct ovsdb_txn *txn; /* NULL: not begun */
    struct db_port *next;  /* NULL: bridges come, and then the end */
};

enum { DB_WALK_STATUS, DB_WALK_STATISTICS, DB_N_WALKS };

struct db_ct_zones;

struct db {
    struct sluice *sw;
    struct ovsdb *ovsdb;
    struct apply_listener listener;
    struct loop_job job;
    struct loop_timer tick;
    bool awake; /* there may be something to do */
    TAILQ_HEAD(db_bridges, db_bridge) bridges;
    struct db_ports all, dirty, unwritten, absent;
    LIST_HEAD(db_bucket, db_port) by_name[DB_NAME_BUCKETS];
    uint32_t round;
    int64_t next_cfg;
    bool synced; /* all of the database was looked at since it was connected to and locked */
    bool dirty_bridges, dirty_options;
    bool applying;            /* apply.h has not said yet that it is done */
    bool unfinished;          /* cur_cfg is to be written */
    bool told_ready;          /* the first such transaction was answered */
    bool rewrite;             /* a transaction failed: all is to be written again, with the next tick */
    struct ovsdb_txn *config; /* that is being filled */
    struct db_walk walks[DB_N_WALKS];
    unsigned ticks, statistics_ticks; /* until statistics are written, and between */
    bool restoring;                   /* other_config:flow-restore-wait, until it is taken back for the first time */
    bool began;                       /* the first state of the database was looked at */
    struct db_ct_zones *ct_zones;
};

/* There may be something to do. */
static inline void db_wake(struct db *db)
{
    db->awake = true;
}

static inline struct apply *db_apply(const struct db *db)
{
    return db->sw->apply;
}

/* objects.c. Names and rows that are not known: NULL. */
struct db_port *db_find_port(struct db *db, const char *name);
struct db_bridge *db_find_bridge(const struct db *db, const struct ovsdb_uuid *row);
/* Has the port, or bridge, compared with its rows and said to apply.h. */
void db_port_mark(struct db *db, struct db_port *port);
void db_bridge_mark(struct db *db, struct db_bridge *bridge);
/* It is being said: takes the mark off. */
void db_port_clean(struct db *db, struct db_port *port);
/* Has the port's result written to the database; takes that mark off. */
void db_port_mark_unwritten(struct db *db, struct db_port *port);
void db_port_written(struct db *db, struct db_port *port);
/* Notes the result of apply.h: `ofport` -1 is no port; `error` is copied, NULL: none. */
void db_port_set_result(struct db *db, struct db_port *port, int64_t ofport, const char *error);
/* An absent port waits for the kernel to have its interface. */
void db_port_set_absent(struct db *db, struct db_port *port, bool absent);
/* Adds the port of an interface to a bridge, marked. */
void db_port_add(struct db *db, struct db_bridge *bridge, const struct ovsdb_row *row,
                 const struct ovsdb_row *interface);
/* Has apply.h take the port away, or the bridge with its ports, which are marked, if they were said to it. */
void db_port_unsay(struct db *db, struct db_port *port);
void db_bridge_unsay(struct db *db, struct db_bridge *bridge);
void db_port_free(struct db *db, struct db_port *port);
void db_bridge_free(struct db *db, struct db_bridge *bridge);

/* changes.c */
/* The row of the switch; NULL as long as nothing of the database counts: no whole copy is here, or no lock held. */
const struct ovsdb_row *db_root(const struct db *db);
/* Marks what has changed, or everything after a connection was lost. Called from the database client's callbacks. */
void db_look(struct db *db, const struct ovsdb_row *root);

/* to_apply.c: each says one thing to apply.h, and takes its mark off. */
void db_say_options(struct db *db);
void db_say_bridges(struct db *db);
void db_say_port(struct db *db, struct db_port *port);
/* As switch_source.set_options: the options of the file that was read, and over them those of the database. */
void db_set_options(void *db, struct config *file);

/* ct_zones.c: timeouts of connections by zone (tables CT_Zone and CT_Timeout_Policy). */
struct db_ct_zones *db_ct_zones_create(void);
void db_ct_zones_destroy(struct db_ct_zones *zones);
/* In the callback of the database: looks whether they may be others now. */
void db_ct_zones_look(struct db *db, const struct ovsdb_row *root);
/* Says some of them to the tracker. False: there is nothing left to say. */
bool db_ct_zones_step(struct db *db, const struct ovsdb_row *root);

/* status.c */
/* Writes what a port is. */
void db_write_port(struct db *db, struct ovsdb_txn *txn, struct db_port *port);
/* The row of the switch and those of bridges. */
void db_write_switch(struct db *db, struct ovsdb_txn *txn, const struct ovsdb_row *root);
void db_write_bridge(struct db *db, struct ovsdb_txn *txn, const struct db_bridge *bridge);
/* Load, memory, processes and disks of the machine, or nothing, as other_config has it (machine.c). */
void db_write_machine(const struct db *db, struct ovsdb_txn *txn, const struct ovsdb_row *root);
/* Writes what changes by itself: a port's status if it has changed, its counters, a bridge's controllers. */
void db_write_changes(struct db *db, struct ovsdb_txn *txn, struct db_port *port);
void db_write_statistics(struct db *db, struct ovsdb_txn *txn, const struct db_port *port);
void db_write_controllers(struct db *db, struct ovsdb_txn *txn, const struct db_bridge *bridge);

/* services.c: what mirrors of a bridge have sent. */
void db_write_mirrors(struct db *db, struct ovsdb_txn *txn, const struct db_bridge *bridge);

#endif
