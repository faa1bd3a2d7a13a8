/* Which tables and columns of a database its user knows, as constant tables; what the server at hand has of them is
 * found out when it is connected to (ovsdb_bind()).
 */
#ifndef SRC_OVSDB_SCHEMA_H
#define SRC_OVSDB_SCHEMA_H

#include <stdbool.h>
#include <stdint.h>

#include "src/ovsdb/value.h"

#define OVSDB_TABLES_MAX 32
#define OVSDB_COLUMNS_MAX 64 /* of a table: rows have a bit for each */

enum ovsdb_access {
    OVSDB_READ,      /* monitored */
    OVSDB_WRITE,     /* never read: what is in it is what this client wrote */
    OVSDB_READ_ONCE, /* read when a row comes, then written */
};

struct ovsdb_column {
    const char *name;
    uint8_t key, value; /* enum ovsdb_type */
    uint8_t access;     /* enum ovsdb_access */
    int8_t ref;         /* UUIDs are those of rows of this table of the schema; -1: of none that is in it */
};

struct ovsdb_table {
    const char *name;
    const struct ovsdb_column *columns;
    unsigned n_columns;
};

struct ovsdb_schema {
    const char *name; /* of the database */
    const struct ovsdb_table *tables;
    unsigned n_tables;
};

/* What a server has of a table. */
struct ovsdb_bound {
    uint64_t columns; /* a bit for each that it has; 0: it does not have the table either */
    struct ovsdb_kind kinds[OVSDB_COLUMNS_MAX];
};

/* Fills bound[table] from the reply to "get_schema" (RFC 7047, 3.2). Columns that are not there, or are of another
 * type, are left out, with a line in the log. False: `json` is no schema. */
bool ovsdb_bind(const struct ovsdb_schema *schema, const json_t *json, struct ovsdb_bound *bound);
/* As if the server had no column at all. */
void ovsdb_unbind(const struct ovsdb_schema *schema, struct ovsdb_bound *bound);

#endif
