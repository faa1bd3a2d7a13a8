/* From the "table-updates" of monitor replies and notifications to the copy of the rows: RFC 7047, 4.1.6, and
 * ovsdb-server(7), 4.1.12 to 4.1.14, for update2.
 *
 * A database's first copy may be megabytes in one message. The message is taken apart at the rows, each of which is
 * parsed and copied for itself, so that the walk can stop between any two of them.
 */
#include <stdio.h>
#include <string.h>

#include "pmd/base/clock.h"
#include "src/ovsdb/ovsdb_impl.h"

#define ROW_MAX (4u << 20) /* bytes: one row is worked off at once. A bridge of 20 000 ports has 1 MB. */

struct fault {
    char *text;
    size_t size;
};

static int set_fault(struct fault *fault, const char *what, const char *where, const char *name)
{
    snprintf(fault->text, fault->size, "%s%s%s", what, where, name);
    return -1;
}

/* --- one row ------------------------------------------------------------- */

/* Gives the column its value, or changes it by a difference. */
static bool set_column(struct ovsdb *db, struct ovsdb_row *row, unsigned i, const json_t *json, bool is_diff)
{
    const struct ovsdb_kind *kind = &db->bound[row->table].kinds[i];
    struct ovsdb_datum *datum = &row->columns[i], value;

    if (json) {
        struct ovsdb_kind loose = *kind;
        loose.required &= !(is_diff && kind->many); /* the difference of two sets may be of any size */
        if (!ovsdb_datum_parse(&loose, json, &value))
            return false;
    } else {
        ovsdb_datum_default(kind, &value);
    }
    if (is_diff && kind->many) {
        ovsdb_datum_apply(kind, datum, &value);
        if (value.n)
            ovsdb_rows_note(db, row, i);
    } else if (!ovsdb_datum_equal(kind, datum, &value)) {
        struct ovsdb_datum old = *datum;
        *datum = value;
        value = old;
        ovsdb_rows_note(db, row, i);
    }
    ovsdb_datum_clear(kind, &value);
    return true;
}

/* The server has no such column; the one before it may have had it. */
static void forget_column(struct ovsdb *db, struct ovsdb_row *row, unsigned i)
{
    if (!row->columns[i].n)
        return;
    ovsdb_datum_clear(&db->bound[row->table].kinds[i], &row->columns[i]);
    ovsdb_rows_note(db, row, i);
}

/* `whole`: columns that are not in `json` have their defaults; else they stay as they are. */
static int set_columns(struct ovsdb *db, struct ovsdb_row *row, const json_t *json, bool whole, bool is_diff,
                       struct fault *fault)
{
    const struct ovsdb_table *table = &db->params.schema->tables[row->table];
    size_t known = 0;

    for (unsigned i = 0; i < table->n_columns; i++) {
        if (table->columns[i].access == OVSDB_WRITE)
            continue;
        if (!(db->bound[row->table].columns >> i & 1)) {
            forget_column(db, row, i);
            continue;
        }
        const json_t *value = json_object_get(json, table->columns[i].name);
        known += value != NULL;
        if ((value || whole) && !set_column(db, row, i, value, is_diff))
            return set_fault(fault, "a value of the wrong type in column ", table->columns[i].name, " of a row");
        if (value && table->columns[i].access == OVSDB_READ_ONCE)
            ovsdb_row_know(db, row, i);
    }
    if (known == json_object_size(json))
        return 0;
    return set_fault(fault, "a column that was not asked for in table ", table->name, "");
}

/* The row is one that the database has: in a copy of all, or after an "insert". */
static int insert_row(struct ovsdb *db, unsigned table, const struct ovsdb_uuid *uuid, const json_t *json, bool whole,
                      struct fault *fault)
{
    struct ovsdb_row *row = ovsdb_rows_find(db, table, uuid);

    if (!row)
        row = ovsdb_rows_insert(db, table, uuid);
    row->seen = db->copy;
    return set_columns(db, row, json, whole, false, fault);
}

static int modify_row(struct ovsdb *db, unsigned table, const struct ovsdb_uuid *uuid, const json_t *json,
                      struct fault *fault)
{
    struct ovsdb_row *row = ovsdb_rows_find(db, table, uuid);

    if (!row)
        return set_fault(fault, "a change of a row that does not exist in table ",
                         db->params.schema->tables[table].name, "");
    return set_columns(db, row, json, false, true, fault);
}

static int delete_row(struct ovsdb *db, unsigned table, const struct ovsdb_uuid *uuid, struct fault *fault)
{
    struct ovsdb_row *row = ovsdb_rows_find(db, table, uuid);

    if (!row)
        return set_fault(fault, "the end of a row that does not exist in table ", db->params.schema->tables[table].name,
                         "");
    ovsdb_rows_remove(db, row);
    return 0;
}

/* <row-update2> */
static int apply_update2(struct ovsdb *db, unsigned table, const struct ovsdb_uuid *uuid, const json_t *json,
                         struct fault *fault)
{
    const json_t *modify = json_object_get(json, "modify"), *insert = json_object_get(json, "insert");

    if (!insert)
        insert = json_object_get(json, "initial");
    if (json_is_object(insert))
        return insert_row(db, table, uuid, insert, true, fault);
    if (json_is_object(modify))
        return modify_row(db, table, uuid, modify, fault);
    if (json_object_get(json, "delete"))
        return delete_row(db, table, uuid, fault);
    return set_fault(fault, "an update of a kind that is not known in table ", db->params.schema->tables[table].name,
                     "");
}

/* <row-update>: "new" has the columns that have changed, or all of a row that is new. */
static int apply_update(struct ovsdb *db, unsigned table, const struct ovsdb_uuid *uuid, const json_t *json,
                        struct fault *fault)
{
    const json_t *new = json_object_get(json, "new"), *old = json_object_get(json, "old");

    if (json_is_object(new))
        return insert_row(db, table, uuid, new, !old, fault);
    if (json_is_object(old))
        return delete_row(db, table, uuid, fault);
    return set_fault(fault, "an update of a kind that is not known in table ", db->params.schema->tables[table].name,
                     "");
}

static int apply_row(struct ovsdb *db, unsigned table, const char *uuid_text, size_t uuid_len, const char *text,
                     size_t len, struct fault *fault)
{
    struct ovsdb_uuid uuid;

    if (!ovsdb_uuid_parse(uuid_text, uuid_len, &uuid))
        return set_fault(fault, "a row that has no UUID in table ", db->params.schema->tables[table].name, "");
    if (len > ROW_MAX)
        return set_fault(fault, "a row that is too large in table ", db->params.schema->tables[table].name, "");
    json_t *json = json_loadb(text, len, 0, NULL);
    if (!json)
        return set_fault(fault, "no JSON in a row of table ", db->params.schema->tables[table].name, "");
    int rc = db->update2 ? apply_update2(db, table, &uuid, json, fault) : apply_update(db, table, &uuid, json, fault);
    json_decref(json);
    return rc;
}

/* --- the walk ------------------------------------------------------------ */

static int find_table(const struct ovsdb *db, const char *name, size_t len)
{
    const struct ovsdb_schema *schema = db->params.schema;

    for (unsigned t = 0; t < schema->n_tables; t++)
        if (strlen(schema->tables[t].name) == len && !memcmp(schema->tables[t].name, name, len))
            return (int)t;
    return -1;
}

/* Steps into the object that is the value at hand. */
static bool enter(struct ovsdb *db)
{
    struct ovsdb_walk *walk = &db->walk;

    if (walk->at >= walk->end || db->in[walk->at] != '{')
        return false;
    walk->at++;
    walk->first = true;
    return true;
}

bool ovsdb_walk_start(struct ovsdb *db, size_t at, size_t end, bool initial)
{
    size_t begin = (size_t)(jsonrpc_skip_space(db->in + at, db->in + end) - db->in);

    db->walk = (struct ovsdb_walk){.initial = initial, .at = begin, .end = end};
    db->walk.active = enter(db);
    return db->walk.active;
}

/* A part of the message: no copy of it. */
struct piece {
    const char *text;
    size_t len;
};

/* The next name of the object that the walk is in, and puts the walk at its value. Returns 1; 0: the object ends here;
 * -1: this is no object. */
static int next_name(struct ovsdb *db, struct piece *name)
{
    struct ovsdb_walk *walk = &db->walk;
    const char *end = db->in + walk->end, *at = jsonrpc_skip_space(db->in + walk->at, end);

    if (at < end && *at == '}') {
        walk->at = (size_t)(at + 1 - db->in);
        return 0;
    }
    if (!walk->first) {
        if (at == end || *at != ',')
            return -1;
        at = jsonrpc_skip_space(at + 1, end);
    }
    const char *name_end = at < end && *at == '"' ? jsonrpc_skip_value(at, end) : NULL;
    if (!name_end)
        return -1;
    *name = (struct piece){at + 1, (size_t)(name_end - at) - 2};
    at = jsonrpc_skip_space(name_end, end);
    if (at == end || *at != ':')
        return -1;
    walk->at = (size_t)(jsonrpc_skip_space(at + 1, end) - db->in);
    walk->first = false;
    return 1;
}

/* One table begins or ends, or one row. Returns as ovsdb_walk_run(). */
static int step(struct ovsdb *db, struct fault *fault)
{
    struct ovsdb_walk *walk = &db->walk;
    struct piece name;
    int rc = next_name(db, &name);

    if (rc < 0)
        return set_fault(fault, "no JSON in an update", "", "");
    if (!rc && !walk->in_table)
        return jsonrpc_skip_space(db->in + walk->at, db->in + walk->end) == db->in + walk->end
                   ? 1
                   : set_fault(fault, "something behind the end of an update", "", "");
    if (!rc) {
        walk->in_table = false;
        walk->first = false;
        return 0;
    }
    if (!walk->in_table) {
        walk->table = find_table(db, name.text, name.len);
        if (walk->table < 0)
            return set_fault(fault, "a table that was not asked for", "", "");
        walk->in_table = true;
        return enter(db) ? 0 : set_fault(fault, "no rows in an update", "", "");
    }
    const char *text = db->in + walk->at, *end = jsonrpc_skip_value(text, db->in + walk->end);
    if (!end)
        return set_fault(fault, "no JSON in an update", "", "");
    walk->at = (size_t)(end - db->in);
    return apply_row(db, (unsigned)walk->table, name.text, name.len, text, (size_t)(end - text), fault);
}

int ovsdb_walk_run(struct ovsdb *db, uint64_t budget_us, char *error, size_t error_size)
{
    uint64_t deadline = clock_now_us() + budget_us; /* not the TSC, whose frequency is known when EAL is up */
    struct fault fault = {error, error_size};
    int rc;

    do
        rc = step(db, &fault);
    while (!rc && clock_now_us() < deadline);
    if (rc)
        db->walk.active = false;
    return rc;
}
