#include "src/ovsdb/schema.h"

#include <string.h>

#include "pmd/base/log.h"

static const char *const type_names[] = {
    [OVSDB_INTEGER] = "integer",
    [OVSDB_BOOLEAN] = "boolean",
    [OVSDB_STRING] = "string",
    [OVSDB_UUID] = "uuid",
};

/* "string", or {"type": "string", ...}; NULL: neither. */
static const char *base_type(const json_t *json)
{
    return json_string_value(json_is_object(json) ? json_object_get(json, "type") : json);
}

static bool is_type(const json_t *json, enum ovsdb_type type)
{
    const char *name = base_type(json);

    return type == OVSDB_NONE ? !json : name && !strcmp(name, type_names[type]);
}

/* `json` is a <type> of RFC 7047, 3.2. False: not of the kind that it should be. */
static bool bind_type(const struct ovsdb_column *column, const json_t *json, struct ovsdb_kind *kind)
{
    const json_t *key = json_is_object(json) ? json_object_get(json, "key") : json;
    const json_t *min = json_object_get(json, "min"), *max = json_object_get(json, "max");

    if (!is_type(key, column->key) || !is_type(json_object_get(json, "value"), column->value))
        return false;
    kind->required = !min || json_integer_value(min) > 0;
    kind->many = json_is_string(max) || json_integer_value(max) > 1;
    return true;
}

static void bind_table(const struct ovsdb_table *table, const json_t *columns, struct ovsdb_bound *bound)
{
    for (unsigned i = 0; i < table->n_columns; i++) {
        const struct ovsdb_column *column = &table->columns[i];
        const json_t *type = json_object_get(json_object_get(columns, column->name), "type");
        if (!type) {
            LOG_INFO(LOG_OVSDB, "the database's schema has no column %s.%s: it is left out", table->name, column->name);
            continue;
        }
        if (!bind_type(column, type, &bound->kinds[i])) {
            LOG_WARN(LOG_OVSDB, "the database's schema has another type for %s.%s: the column is left out", table->name,
                     column->name);
            continue;
        }
        bound->columns |= UINT64_C(1) << i;
    }
}

void ovsdb_unbind(const struct ovsdb_schema *schema, struct ovsdb_bound *bound)
{
    for (unsigned t = 0; t < schema->n_tables; t++) {
        const struct ovsdb_table *table = &schema->tables[t];
        bound[t].columns = 0;
        for (unsigned i = 0; i < table->n_columns; i++)
            bound[t].kinds[i] = (struct ovsdb_kind){.key = table->columns[i].key, .value = table->columns[i].value};
    }
}

bool ovsdb_bind(const struct ovsdb_schema *schema, const json_t *json, struct ovsdb_bound *bound)
{
    const json_t *tables = json_object_get(json, "tables");

    ovsdb_unbind(schema, bound);
    if (!json_is_object(tables))
        return false;
    for (unsigned t = 0; t < schema->n_tables; t++) {
        const json_t *table = json_object_get(tables, schema->tables[t].name);
        if (table)
            bind_table(&schema->tables[t], json_object_get(table, "columns"), &bound[t]);
        else
            LOG_INFO(LOG_OVSDB, "the database's schema has no table %s", schema->tables[t].name);
    }
    return true;
}
