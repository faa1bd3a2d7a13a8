/* A client of an OVSDB server (RFC 7047): a copy of the rows it is asked for, kept up to date, and transactions.
 *
 * Control thread only. Whatever a server sends, or does, ends in a line of the log and a new connection, never in more.
 * A client connects again by itself, after 1 s and up to 8 s. A new connection compares what the database has then with
 * the copy, so that its user learns of differences alone; meanwhile the copy is what it was.
 *
 * Messages are worked off a few hundred microseconds at a time, from the event loop. So between callbacks an update may
 * have been copied in part: rows are to be looked at in the callbacks, or when ovsdb_is_whole().
 */
#ifndef SRC_OVSDB_OVSDB_H
#define SRC_OVSDB_OVSDB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "src/ovsdb/schema.h"
#include "src/ovsdb/value.h"

struct event_base;
struct ovsdb;
struct ovsdb_txn;
struct tls;

#define OVSDB_PORT 6640 /* of IANA, where a remote has none */

struct ovsdb_params {
    struct event_base *base;
    const char *remote;                /* unix:PATH, tcp:IP[:PORT] or ssl:IP[:PORT] */
    const struct ovsdb_schema *schema; /* constant */
    const char *lock;                  /* that writers hold; NULL: none. Lives as long as the client. */
    struct tls *tls;                   /* the caller's; for ssl: */
    unsigned probe_ms;                 /* an idle connection is asked for an answer; 0: 5000, but never with unix: */
    /* The copy has changed, or is whole for the first time: ovsdb_changed() has what. */
    void (*changed)(void *arg, struct ovsdb *db);
    /* The connection (with a whole copy), or the lock, was got or lost. May be NULL. */
    void (*status)(void *arg, struct ovsdb *db);
    void *arg;
};

/* Starts to connect, from the event loop. NULL with a sentence in `error`: the remote is none. */
struct ovsdb *ovsdb_create(const struct ovsdb_params *params, char *error, size_t error_size);
/* Not from a callback. Transactions under way are given up without a word. */
void ovsdb_destroy(struct ovsdb *db);

/* Connected, and the copy is what the database has. */
bool ovsdb_is_up(const struct ovsdb *db);
/* The copy is what the database was at some moment: no update has been copied in part. */
bool ovsdb_is_whole(const struct ovsdb *db);
/* Nobody else holds the lock; true, too, if there is none to hold. */
bool ovsdb_has_lock(const struct ovsdb *db);

/* --- rows ---------------------------------------------------------------- */

enum ovsdb_row_state {
    OVSDB_ROW_SAME,    /* since the last callback */
    OVSDB_ROW_NEW,     /* `changed` has all columns that are read */
    OVSDB_ROW_CHANGED, /* `changed` has those that are not what they were */
    OVSDB_ROW_GONE,    /* with what it was last; freed after the callback */
};

struct ovsdb_row {
    struct ovsdb_uuid uuid;
    uint64_t changed; /* a bit for each column, by its number in the schema */
    uint8_t state;    /* enum ovsdb_row_state */
    uint8_t table;    /* its number in the schema */
    /* The rest but `columns` is the client's. */
    bool told; /* of to the user */
    uint32_t seen;
    uint32_t written_epoch;
    uint64_t written;
    TAILQ_ENTRY(ovsdb_row) node, changed_node;
    struct ovsdb_datum columns[];
};

/* The first of a table, by `node` the others, new ones last; NULL: there is none. */
const struct ovsdb_row *ovsdb_first(const struct ovsdb *db, unsigned table);
const struct ovsdb_row *ovsdb_find(const struct ovsdb *db, unsigned table, const struct ovsdb_uuid *uuid);
/* The first row of a table that has changed since the last callback, gone ones among them, and the next. */
const struct ovsdb_row *ovsdb_changed(const struct ovsdb *db, unsigned table);
const struct ovsdb_row *ovsdb_next_changed(const struct ovsdb_row *row);
static inline bool ovsdb_column_changed(const struct ovsdb_row *row, unsigned column)
{
    return row->changed >> column & 1;
}

/* What a column of the right type holds; of sets, the first. Empty is NULL, or `otherwise`. */
static inline const char *ovsdb_string(const struct ovsdb_row *row, unsigned column)
{
    return row->columns[column].n ? row->columns[column].atoms[0].string : NULL;
}
static inline int64_t ovsdb_integer(const struct ovsdb_row *row, unsigned column, int64_t otherwise)
{
    return row->columns[column].n ? row->columns[column].atoms[0].integer : otherwise;
}
static inline bool ovsdb_boolean(const struct ovsdb_row *row, unsigned column, bool otherwise)
{
    return row->columns[column].n ? row->columns[column].atoms[0].boolean : otherwise;
}
/* Elements, or pairs. */
static inline uint32_t ovsdb_count(const struct ovsdb_row *row, unsigned column)
{
    return row->columns[column].n;
}
/* Returns the value of a key in a map from strings to strings; NULL: no such key. */
const char *ovsdb_map_string(const struct ovsdb *db, const struct ovsdb_row *row, unsigned column, const char *key);
/* The row that the i-th UUID is of (in maps, the i-th value); NULL with a line in the log: there is none. */
const struct ovsdb_row *ovsdb_ref(const struct ovsdb *db, const struct ovsdb_row *row, unsigned column, uint32_t i);

/* --- transactions -------------------------------------------------------- */

/* What a transaction is for; one of each purpose may be under way. */
enum ovsdb_purpose { OVSDB_CONFIG, OVSDB_STATUS, OVSDB_STATISTICS, OVSDB_N_PURPOSES };

/* Ends a transaction: `error` is NULL, or why nothing of it was done; then nothing is known of what is in the columns
 * and the next one writes them again, differ or not. */
typedef void ovsdb_done_fn(void *arg, const char *error);

/* Begins to collect what is to be written. NULL: not now, as there is no connection, lock or earlier answer. */
struct ovsdb_txn *ovsdb_txn_begin(struct ovsdb *db, enum ovsdb_purpose purpose);
/* Adds a column, unless it has this value since an earlier transaction; *value stays the caller's. What is written of
 * one row in a row is one operation. Columns that the server does not have are left out. */
void ovsdb_txn_write(struct ovsdb_txn *txn, const struct ovsdb_row *row, unsigned column,
                     const struct ovsdb_datum *value);
/* As ovsdb_txn_write(), for a column of at most one value; the string NULL is none. */
void ovsdb_txn_write_string(struct ovsdb_txn *txn, const struct ovsdb_row *row, unsigned column, const char *value);
void ovsdb_txn_write_integer(struct ovsdb_txn *txn, const struct ovsdb_row *row, unsigned column, int64_t value);
void ovsdb_txn_write_boolean(struct ovsdb_txn *txn, const struct ovsdb_row *row, unsigned column, bool value);
/* Sends it; `done` comes later, from the event loop. False: nothing differs, and `done` does not come; so, too, if the
 * connection or the lock was lost since it began: what is to be written is written after the next callback. */
bool ovsdb_txn_commit(struct ovsdb_txn *txn, ovsdb_done_fn *done, void *arg);

#endif
