/* Transactions (RFC 7047, 4.1.3): what differs from what was written before, as text, from the first column on. */
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <stdio.h>
#include <string.h>

#include "pmd/base/log.h"
#include "pmd/base/memory.h"
#include "src/ovsdb/ovsdb_impl.h"

static struct evbuffer *new_buffer(void)
{
    struct evbuffer *buffer = evbuffer_new();

    if (!buffer)
        out_of_memory("a transaction", 0);
    return buffer;
}

void ovsdb_txns_init(struct ovsdb *db)
{
    for (unsigned i = 0; i < OVSDB_N_PURPOSES; i++)
        db->txns[i] =
            (struct ovsdb_txn){.db = db, .text = new_buffer(), .row_text = new_buffer(), .mutations = new_buffer()};
}

static void drain(struct ovsdb_txn *txn)
{
    struct evbuffer *buffers[] = {txn->text, txn->row_text, txn->mutations};

    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
        evbuffer_drain(buffers[i], evbuffer_get_length(buffers[i]));
    txn->table = NULL;
}

void ovsdb_txns_free(struct ovsdb *db)
{
    for (unsigned i = 0; i < OVSDB_N_PURPOSES; i++) {
        struct ovsdb_txn *txn = &db->txns[i];
        evbuffer_free(txn->text);
        evbuffer_free(txn->row_text);
        evbuffer_free(txn->mutations);
    }
}

/* --- what differs -------------------------------------------------------- */

/* Ends the operation at hand. */
static void end_operation(struct ovsdb_txn *txn)
{
    char uuid[OVSDB_UUID_LEN + 1];

    if (!txn->table)
        return;
    ovsdb_uuid_format(&txn->uuid, uuid);
    if (evbuffer_get_length(txn->row_text)) {
        evbuffer_add_printf(txn->text,
                            ",{\"op\":\"update\",\"table\":\"%s\",\"where\":[[\"_uuid\",\"==\",[\"uuid\",\"%s\"]]],"
                            "\"row\":{",
                            txn->table->name, uuid);
        evbuffer_add_buffer(txn->text, txn->row_text);
        evbuffer_add(txn->text, "}}", 2);
    }
    if (evbuffer_get_length(txn->mutations)) {
        evbuffer_add_printf(txn->text,
                            ",{\"op\":\"mutate\",\"table\":\"%s\",\"where\":[[\"_uuid\",\"==\",[\"uuid\",\"%s\"]]],"
                            "\"mutations\":[",
                            txn->table->name, uuid);
        evbuffer_add_buffer(txn->text, txn->mutations);
        evbuffer_add(txn->text, "]}", 2);
    }
    txn->table = NULL;
}

static void begin_operation(struct ovsdb_txn *txn, const struct ovsdb_row *row)
{
    const struct ovsdb_table *table = &txn->db->params.schema->tables[row->table];

    if (txn->table == table && ovsdb_uuid_is(&txn->uuid, &row->uuid))
        return;
    end_operation(txn);
    txn->table = table;
    txn->uuid = row->uuid;
}

/* Whether the map has the key of `pair` with the same value. */
static bool has_pair(const struct ovsdb_kind *kind, const struct ovsdb_datum *map, const union ovsdb_atom *pair)
{
    const union ovsdb_atom *value = ovsdb_datum_find(kind, map, pair[0].string);

    if (!value)
        return false;
    return kind->value == OVSDB_STRING ? !strcmp(value->string, pair[1].string) : value->integer == pair[1].integer;
}

static uint32_t count_missing(const struct ovsdb_kind *kind, const struct ovsdb_datum *of, const struct ovsdb_datum *in)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < of->n; i++)
        n += !has_pair(kind, in, &of->atoms[i * 2]);
    return n;
}

/* Pairs of `of` that are not in `in`: the keys as a set, or the pairs as a map. */
static void write_missing(struct evbuffer *out, const struct ovsdb_kind *kind, const struct ovsdb_datum *of,
                          const struct ovsdb_datum *in, bool keys_only)
{
    bool first = true;

    evbuffer_add_printf(out, "[\"%s\",[", keys_only ? "set" : "map");
    for (uint32_t i = 0; i < of->n; i++) {
        const union ovsdb_atom *pair = &of->atoms[i * 2];
        if (has_pair(kind, in, pair))
            continue;
        evbuffer_add_printf(out, "%s%s", first ? "" : ",", keys_only ? "" : "[");
        first = false;
        ovsdb_atom_write(out, OVSDB_STRING, &pair[0]);
        if (keys_only)
            continue;
        evbuffer_add(out, ",", 1);
        ovsdb_atom_write(out, kind->value, &pair[1]);
        evbuffer_add(out, "]", 1);
    }
    evbuffer_add(out, "]]", 2);
}

static void add_mutation(struct ovsdb_txn *txn, const char *column, const char *mutator)
{
    evbuffer_add_printf(txn->mutations, "%s[\"%s\",\"%s\",", evbuffer_get_length(txn->mutations) ? "," : "", column,
                        mutator);
}

/* A map of which most stays as it is is mutated: that is shorter, and "insert" alone does not replace a value. Returns
 * false for one of which most differs. */
static bool mutate_map(struct ovsdb_txn *txn, const char *column, const struct ovsdb_kind *kind,
                       const struct ovsdb_datum *old, const struct ovsdb_datum *new)
{
    uint32_t gone = count_missing(kind, old, new), come = count_missing(kind, new, old);

    if ((gone + come) * 2 > new->n)
        return false;
    if (gone) {
        add_mutation(txn, column, "delete");
        write_missing(txn->mutations, kind, old, new, true);
        evbuffer_add(txn->mutations, "]", 1);
    }
    if (come) {
        add_mutation(txn, column, "insert");
        write_missing(txn->mutations, kind, new, old, false);
        evbuffer_add(txn->mutations, "]", 1);
    }
    return true;
}

void ovsdb_txn_write(struct ovsdb_txn *txn, const struct ovsdb_row *row, unsigned column,
                     const struct ovsdb_datum *value)
{
    struct ovsdb *db = txn->db;
    struct ovsdb_row *own = (struct ovsdb_row *)row; /* users see rows as constant */
    const struct ovsdb_bound *bound = &db->bound[row->table];
    const struct ovsdb_kind *kind = &bound->kinds[column];
    struct ovsdb_datum *old = &own->columns[column];
    uint64_t bit = UINT64_C(1) << column;

    if (txn->state != OVSDB_TXN_OPEN || !(bound->columns & bit) || row->state == OVSDB_ROW_GONE)
        return;
    bool known = ovsdb_row_knows(db, own, column);
    if (known && ovsdb_datum_equal(kind, old, value))
        return;
    const struct ovsdb_column *def = &db->params.schema->tables[row->table].columns[column];
    begin_operation(txn, row);
    if (!known || kind->key != OVSDB_STRING || kind->value == OVSDB_NONE ||
        !mutate_map(txn, def->name, kind, old, value)) {
        evbuffer_add_printf(txn->row_text, "%s\"%s\":", evbuffer_get_length(txn->row_text) ? "," : "", def->name);
        ovsdb_datum_write(txn->row_text, kind, value);
    }
    ovsdb_datum_clear(kind, old);
    ovsdb_datum_copy(kind, old, value);
    ovsdb_row_know(db, own, column);
}

void ovsdb_txn_write_string(struct ovsdb_txn *txn, const struct ovsdb_row *row, unsigned column, const char *value)
{
    union ovsdb_atom atom = {.string = (char *)value};
    const struct ovsdb_datum datum = {.n = value != NULL, .atoms = &atom};

    ovsdb_txn_write(txn, row, column, &datum);
}

void ovsdb_txn_write_integer(struct ovsdb_txn *txn, const struct ovsdb_row *row, unsigned column, int64_t value)
{
    union ovsdb_atom atom = {.integer = value};
    const struct ovsdb_datum datum = {.n = 1, .atoms = &atom};

    ovsdb_txn_write(txn, row, column, &datum);
}

void ovsdb_txn_write_boolean(struct ovsdb_txn *txn, const struct ovsdb_row *row, unsigned column, bool value)
{
    union ovsdb_atom atom = {.boolean = value};
    const struct ovsdb_datum datum = {.n = 1, .atoms = &atom};

    ovsdb_txn_write(txn, row, column, &datum);
}

/* --- to the server and back ---------------------------------------------- */

struct ovsdb_txn *ovsdb_txn_begin(struct ovsdb *db, enum ovsdb_purpose purpose)
{
    struct ovsdb_txn *txn = &db->txns[purpose];

    if (txn->state != OVSDB_TXN_NONE || !ovsdb_is_up(db) || !ovsdb_has_lock(db))
        return NULL;
    txn->state = OVSDB_TXN_OPEN;
    return txn;
}

bool ovsdb_txn_commit(struct ovsdb_txn *txn, ovsdb_done_fn *done, void *arg)
{
    struct ovsdb *db = txn->db;
    bool sends = txn->state == OVSDB_TXN_OPEN && ovsdb_has_lock(db);

    end_operation(txn);
    if (!sends || !evbuffer_get_length(txn->text)) {
        if (!sends)
            db->written_epoch++;
        drain(txn);
        txn->state = OVSDB_TXN_NONE;
        return false;
    }
    struct evbuffer *out = bufferevent_get_output(db->bev);
    txn->id = db->next_id++;
    txn->done = done;
    txn->arg = arg;
    txn->state = OVSDB_TXN_SENT;
    evbuffer_add_printf(out, "{\"id\":%llu,\"method\":\"transact\",\"params\":[\"%s\"", (unsigned long long)txn->id,
                        db->params.schema->name);
    if (db->params.lock)
        evbuffer_add_printf(out, ",{\"op\":\"assert\",\"lock\":\"%s\"}", db->params.lock);
    evbuffer_add_buffer(out, txn->text);
    evbuffer_add(out, "]}", 2);
    return true;
}

/* What is in the columns is known no more. */
static void finish(struct ovsdb_txn *txn, const char *error)
{
    ovsdb_done_fn *done = txn->done;

    drain(txn);
    txn->state = OVSDB_TXN_NONE;
    if (error)
        txn->db->written_epoch++;
    if (done)
        done(txn->arg, error);
}

/* What was sent may have been done or not. */
void ovsdb_txns_lose(struct ovsdb *db, const char *why)
{
    db->written_epoch++;
    for (unsigned i = 0; i < OVSDB_N_PURPOSES; i++) {
        struct ovsdb_txn *txn = &db->txns[i];
        if (txn->state == OVSDB_TXN_OPEN)
            txn->state = OVSDB_TXN_LOST;
        else if (txn->state == OVSDB_TXN_SENT)
            finish(txn, why);
    }
}

/* The first error of the operations, NULL: none. */
static const json_t *find_error(const json_t *result)
{
    for (size_t i = 0; i < json_array_size(result); i++)
        if (json_is_string(json_object_get(json_array_get(result, i), "error")))
            return json_array_get(result, i);
    return NULL;
}

bool ovsdb_txns_reply(struct ovsdb *db, uint64_t id, const json_t *result, const json_t *error)
{
    const json_t *fault = find_error(result);
    const char *details = json_string_value(json_object_get(fault, "details"));
    char text[512];

    for (unsigned i = 0; i < OVSDB_N_PURPOSES; i++) {
        struct ovsdb_txn *txn = &db->txns[i];
        if (txn->state != OVSDB_TXN_SENT || txn->id != id)
            continue;
        if (fault || !json_is_array(result)) {
            const char *word = json_string_value(fault ? json_object_get(fault, "error") : error);
            snprintf(text, sizeof text, "%s%s%s", word ? word : "no result", details ? ": " : "",
                     details ? details : "");
            LOG_WARN_RL(LOG_OVSDB, "%s: the database refuses a transaction: %s", db->remote, text);
            finish(txn, text);
        } else {
            finish(txn, NULL);
        }
        return true;
    }
    return false;
}
