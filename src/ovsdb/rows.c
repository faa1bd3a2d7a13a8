/* The copy of the database's rows, by UUID, and which of them have changed since the user was told last. */
#include <stdlib.h>

#include "pmd/base/hash.h"
#include "pmd/base/log.h"
#include "pmd/base/memory.h"
#include "src/ovsdb/ovsdb_impl.h"

struct slot {
    struct ovsdb_row *row;
    uint32_t hash;
};

static const struct open_hash_type slot_type = {sizeof(struct slot), offsetof(struct slot, hash)};

static uint32_t hash_of(const struct ovsdb_uuid *uuid)
{
    return hash_finish(hash_add(hash_add(HASH_BASIS, uuid->hi), uuid->lo));
}

static struct slot *find_slot(const struct ovsdb_rows *rows, const struct ovsdb_uuid *uuid)
{
    uint32_t hash = hash_of(uuid), mask;
    struct slot *slots;

    for (unsigned a = 0; (slots = open_hash_array(&rows->by_uuid, a, &mask)); a++)
        for (uint32_t i = hash & mask; slots[i].row; i = (i + 1) & mask)
            if (slots[i].hash == hash && ovsdb_uuid_is(&slots[i].row->uuid, uuid))
                return &slots[i];
    return NULL;
}

struct ovsdb_row *ovsdb_rows_find(const struct ovsdb *db, unsigned table, const struct ovsdb_uuid *uuid)
{
    struct slot *slot = find_slot(&db->rows[table], uuid);

    return slot ? slot->row : NULL;
}

static void row_free(const struct ovsdb *db, struct ovsdb_row *row)
{
    unsigned n = db->params.schema->tables[row->table].n_columns;

    for (unsigned i = 0; i < n; i++)
        ovsdb_datum_clear(&db->bound[row->table].kinds[i], &row->columns[i]);
    free(row);
}

/* Puts it where the user finds it. */
static void note(struct ovsdb *db, struct ovsdb_row *row, enum ovsdb_row_state state)
{
    if (row->state == OVSDB_ROW_SAME)
        TAILQ_INSERT_TAIL(&db->rows[row->table].changed, row, changed_node);
    row->state = state;
}

struct ovsdb_row *ovsdb_rows_insert(struct ovsdb *db, unsigned table, const struct ovsdb_uuid *uuid)
{
    const struct ovsdb_table *schema = &db->params.schema->tables[table];
    size_t size = sizeof(struct ovsdb_row) + schema->n_columns * sizeof(struct ovsdb_datum);
    struct ovsdb_row *row = calloc(1, size);
    uint32_t hash = hash_of(uuid);

    if (!row)
        out_of_memory("a row of the database", size);
    row->uuid = *uuid;
    row->table = table;
    for (unsigned i = 0; i < schema->n_columns; i++) {
        bool exists = db->bound[table].columns >> i & 1;
        if (exists && schema->columns[i].access != OVSDB_WRITE)
            ovsdb_datum_default(&db->bound[table].kinds[i], &row->columns[i]);
        if (schema->columns[i].access != OVSDB_WRITE)
            row->changed |= UINT64_C(1) << i;
    }
    *(struct slot *)open_hash_insert(&db->rows[table].by_uuid, slot_type, hash) = (struct slot){row, hash};
    TAILQ_INSERT_TAIL(&db->rows[table].all, row, node);
    note(db, row, OVSDB_ROW_NEW);
    return row;
}

void ovsdb_rows_remove(struct ovsdb *db, struct ovsdb_row *row)
{
    struct ovsdb_rows *rows = &db->rows[row->table];

    open_hash_remove(&rows->by_uuid, slot_type, find_slot(rows, &row->uuid));
    TAILQ_REMOVE(&rows->all, row, node);
    note(db, row, OVSDB_ROW_GONE);
    if (row->told)
        return;
    TAILQ_REMOVE(&rows->changed, row, changed_node); /* it came and went */
    row_free(db, row);
}

void ovsdb_rows_note(struct ovsdb *db, struct ovsdb_row *row, unsigned column)
{
    if (db->params.schema->tables[row->table].columns[column].access != OVSDB_READ)
        return;
    row->changed |= UINT64_C(1) << column;
    note(db, row, row->state == OVSDB_ROW_NEW ? OVSDB_ROW_NEW : OVSDB_ROW_CHANGED);
}

void ovsdb_row_know(const struct ovsdb *db, struct ovsdb_row *row, unsigned column)
{
    if (row->written_epoch != db->written_epoch)
        row->written = 0;
    row->written_epoch = db->written_epoch;
    row->written |= UINT64_C(1) << column;
}

bool ovsdb_row_knows(const struct ovsdb *db, const struct ovsdb_row *row, unsigned column)
{
    return row->written_epoch == db->written_epoch && row->written >> column & 1;
}

void ovsdb_rows_remove_unseen(struct ovsdb *db)
{
    for (unsigned t = 0; t < db->params.schema->n_tables; t++) {
        struct ovsdb_row *row, *next;
        for (row = TAILQ_FIRST(&db->rows[t].all); row; row = next) {
            next = TAILQ_NEXT(row, node);
            if (row->seen != db->copy)
                ovsdb_rows_remove(db, row);
        }
    }
}

bool ovsdb_rows_have_changed(const struct ovsdb *db)
{
    for (unsigned t = 0; t < db->params.schema->n_tables; t++)
        if (!TAILQ_EMPTY(&db->rows[t].changed))
            return true;
    return false;
}

void ovsdb_rows_told(struct ovsdb *db)
{
    for (unsigned t = 0; t < db->params.schema->n_tables; t++) {
        struct ovsdb_row_list *changed = &db->rows[t].changed;
        struct ovsdb_row *row;
        while ((row = TAILQ_FIRST(changed))) {
            TAILQ_REMOVE(changed, row, changed_node);
            if (row->state == OVSDB_ROW_GONE) {
                row_free(db, row);
                continue;
            }
            row->state = OVSDB_ROW_SAME;
            row->changed = 0;
            row->told = true;
        }
    }
}

void ovsdb_rows_init(struct ovsdb *db)
{
    for (unsigned t = 0; t < db->params.schema->n_tables; t++) {
        TAILQ_INIT(&db->rows[t].all);
        TAILQ_INIT(&db->rows[t].changed);
    }
}

void ovsdb_rows_free(struct ovsdb *db)
{
    ovsdb_rows_told(db); /* frees those that are gone */
    for (unsigned t = 0; t < db->params.schema->n_tables; t++) {
        struct ovsdb_row *row;
        while ((row = TAILQ_FIRST(&db->rows[t].all))) {
            TAILQ_REMOVE(&db->rows[t].all, row, node);
            row_free(db, row);
        }
        open_hash_free(&db->rows[t].by_uuid, slot_type);
    }
}

/* --- for the user -------------------------------------------------------- */

const struct ovsdb_row *ovsdb_first(const struct ovsdb *db, unsigned table)
{
    return TAILQ_FIRST(&db->rows[table].all);
}

const struct ovsdb_row *ovsdb_find(const struct ovsdb *db, unsigned table, const struct ovsdb_uuid *uuid)
{
    return ovsdb_rows_find(db, table, uuid);
}

const struct ovsdb_row *ovsdb_changed(const struct ovsdb *db, unsigned table)
{
    return TAILQ_FIRST(&db->rows[table].changed);
}

const struct ovsdb_row *ovsdb_next_changed(const struct ovsdb_row *row)
{
    return TAILQ_NEXT(row, changed_node);
}

const char *ovsdb_map_string(const struct ovsdb *db, const struct ovsdb_row *row, unsigned column, const char *key)
{
    const union ovsdb_atom *value = ovsdb_datum_find(&db->bound[row->table].kinds[column], &row->columns[column], key);

    return value ? value->string : NULL;
}

const struct ovsdb_row *ovsdb_ref(const struct ovsdb *db, const struct ovsdb_row *row, unsigned column, uint32_t i)
{
    const struct ovsdb_table *table = &db->params.schema->tables[row->table];
    const struct ovsdb_column *def = &table->columns[column];
    const union ovsdb_atom *atoms = row->columns[column].atoms;
    const struct ovsdb_uuid *uuid = def->value == OVSDB_UUID ? &atoms[i * 2 + 1].uuid : &atoms[i].uuid;
    const struct ovsdb_row *to = def->ref >= 0 ? ovsdb_rows_find(db, (unsigned)def->ref, uuid) : NULL;
    char from_text[OVSDB_UUID_LEN + 1], to_text[OVSDB_UUID_LEN + 1];

    if (to || def->ref < 0)
        return to;
    ovsdb_uuid_format(&row->uuid, from_text);
    ovsdb_uuid_format(uuid, to_text);
    LOG_WARN_RL(LOG_OVSDB, "%s: %s of row %s of table %s refers to row %s of table %s, which does not exist: ignored",
                db->remote, def->name, from_text, table->name, to_text, db->params.schema->tables[def->ref].name);
    return NULL;
}
