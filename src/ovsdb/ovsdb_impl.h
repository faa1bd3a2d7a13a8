/* The parts of an OVSDB client, for each other (src/ovsdb/ovsdb.h is for its users). Control thread. */
#ifndef SRC_OVSDB_OVSDB_IMPL_H
#define SRC_OVSDB_OVSDB_IMPL_H

#include "pmd/base/open_hash.h"
#include "src/net/backoff.h"
#include "src/net/jsonrpc.h"
#include "src/net/target.h"
#include "src/ovsdb/ovsdb.h"

struct bufferevent;
struct event;
struct evbuffer;

TAILQ_HEAD(ovsdb_row_list, ovsdb_row);

struct ovsdb_rows {
    struct open_hash by_uuid;
    struct ovsdb_row_list all, changed;
};

struct ovsdb_txn {
    struct ovsdb *db;
    enum { OVSDB_TXN_NONE, OVSDB_TXN_OPEN, OVSDB_TXN_LOST, OVSDB_TXN_SENT } state;
    struct evbuffer *text;      /* operations, each with a comma before it */
    struct evbuffer *row_text;  /* columns of the operation at hand: a row of "update" */
    struct evbuffer *mutations; /* and maps of which few pairs differ: for "mutate" */
    const struct ovsdb_table *table;
    struct ovsdb_uuid uuid; /* of the row of the operation at hand; table NULL: none */
    uint64_t id;            /* of the request */
    ovsdb_done_fn *done;
    void *arg;
};

/* Where the walk through table-updates (RFC 7047, 4.1.6; ovsdb-server(7), 4.1.14) has got to. */
struct ovsdb_walk {
    bool active;
    bool initial;  /* the reply to the request, not a notification */
    bool in_table; /* between rows of `table`; else between tables */
    int table;
    bool first;     /* no element yet, so no comma */
    size_t at, end; /* in the message */
};

enum ovsdb_phase { OVSDB_WAITING, OVSDB_CONNECTING, OVSDB_GET_SCHEMA, OVSDB_COPYING, OVSDB_UP };

struct ovsdb {
    struct ovsdb_params params;
    char *remote;
    struct config_target target;
    enum ovsdb_phase phase;
    bool has_lock;
    bool update2;         /* monitor_cond is known to the server; the older "monitor" is asked for if not */
    bool torn;            /* an update was copied in part */
    bool heard;           /* something came since the probe's timer ran last */
    bool probing;         /* an echo is unanswered */
    char last_error[256]; /* why the last attempt failed: said once */

    struct bufferevent *bev;
    struct backoff backoff;
    struct event *retry, *probe, *step;
    uint64_t next_id, schema_id, lock_id, monitor_id;

    /* What was received: the message at hand from its beginning, and more. */
    char *in;
    size_t in_len, in_room;
    struct jsonrpc_scanner scanner;
    size_t message; /* length of the message that is being walked through */
    struct ovsdb_walk walk;

    struct ovsdb_bound bound[OVSDB_TABLES_MAX];
    struct ovsdb_rows rows[OVSDB_TABLES_MAX];
    uint32_t copy;          /* number of the copy that is being made: rows that are not seen in it are gone */
    uint32_t written_epoch; /* what was written in another is not known to be there */
    struct ovsdb_txn txns[OVSDB_N_PURPOSES];
};

/* client.c */
/* Closes, says why in the log, and tries again later. */
void ovsdb_fail(struct ovsdb *db, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* rows.c */
void ovsdb_rows_init(struct ovsdb *db);
void ovsdb_rows_free(struct ovsdb *db);
struct ovsdb_row *ovsdb_rows_find(const struct ovsdb *db, unsigned table, const struct ovsdb_uuid *uuid);
/* A new one, with defaults. */
struct ovsdb_row *ovsdb_rows_insert(struct ovsdb *db, unsigned table, const struct ovsdb_uuid *uuid);
void ovsdb_rows_remove(struct ovsdb *db, struct ovsdb_row *row);
/* The column is what it was not. */
void ovsdb_rows_note(struct ovsdb *db, struct ovsdb_row *row, unsigned column);
/* The column is known to hold in the database what it holds here, so that it need not be written. */
void ovsdb_row_know(const struct ovsdb *db, struct ovsdb_row *row, unsigned column);
bool ovsdb_row_knows(const struct ovsdb *db, const struct ovsdb_row *row, unsigned column);
/* Removes the rows that the copy which is whole now has not seen. */
void ovsdb_rows_remove_unseen(struct ovsdb *db);
bool ovsdb_rows_have_changed(const struct ovsdb *db);
/* The user has been told. */
void ovsdb_rows_told(struct ovsdb *db);

/* update.c */
/* Begins a walk through the table-updates that are between `at` and `end` of the message at hand. False: no object. */
bool ovsdb_walk_start(struct ovsdb *db, size_t at, size_t end, bool initial);
/* Goes on for `budget_us`. Returns 1: done; 0: there is more; -1 with what is wrong in `error`. */
int ovsdb_walk_run(struct ovsdb *db, uint64_t budget_us, char *error, size_t error_size);

/* txn.c */
void ovsdb_txns_init(struct ovsdb *db);
void ovsdb_txns_free(struct ovsdb *db);
/* The connection is gone. */
void ovsdb_txns_lose(struct ovsdb *db, const char *why);
/* The answer to request `id`, if it is a transaction. False: it is none. */
bool ovsdb_txns_reply(struct ovsdb *db, uint64_t id, const json_t *result, const json_t *error);

#endif
