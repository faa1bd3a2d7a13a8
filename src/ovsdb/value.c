#include "src/ovsdb/value.h"

#include <event2/buffer.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/memory.h"

/* --- UUIDs --------------------------------------------------------------- */

static int digit_of(char ch)
{
    if (ch >= '0' && ch <= '9')
        return ch - '0';
    if (ch >= 'a' && ch <= 'f')
        return ch - 'a' + 10;
    if (ch >= 'A' && ch <= 'F')
        return ch - 'A' + 10;
    return -1;
}

bool ovsdb_uuid_parse(const char *text, size_t len, struct ovsdb_uuid *uuid)
{
    unsigned n = 0;

    *uuid = (struct ovsdb_uuid){0};
    if (len != OVSDB_UUID_LEN)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (i == 8 || i == 13 || i == 18 || i == 23) {
            if (text[i] != '-')
                return false;
            continue;
        }
        int digit = digit_of(text[i]);
        if (digit < 0)
            return false;
        uint64_t *half = n++ < 16 ? &uuid->hi : &uuid->lo;
        *half = *half << 4 | (unsigned)digit;
    }
    return true;
}

void ovsdb_uuid_format(const struct ovsdb_uuid *uuid, char text[OVSDB_UUID_LEN + 1])
{
    snprintf(text, OVSDB_UUID_LEN + 1, "%08" PRIx64 "-%04" PRIx64 "-%04" PRIx64 "-%04" PRIx64 "-%012" PRIx64,
             uuid->hi >> 32, uuid->hi >> 16 & 0xffff, uuid->hi & 0xffff, uuid->lo >> 48,
             uuid->lo & UINT64_C(0xffffffffffff));
}

/* --- atoms --------------------------------------------------------------- */

static int compare_u64(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int atom_compare(enum ovsdb_type type, const union ovsdb_atom *a, const union ovsdb_atom *b)
{
    switch (type) {
    case OVSDB_INTEGER:
        return (a->integer > b->integer) - (a->integer < b->integer);
    case OVSDB_BOOLEAN:
        return a->boolean - b->boolean;
    case OVSDB_STRING:
        return strcmp(a->string, b->string);
    case OVSDB_UUID:
        return a->uuid.hi != b->uuid.hi ? compare_u64(a->uuid.hi, b->uuid.hi) : compare_u64(a->uuid.lo, b->uuid.lo);
    case OVSDB_NONE:
        break;
    }
    return 0;
}

static char *copy_text(const char *text)
{
    char *copy = strdup(text);

    if (!copy)
        out_of_memory("a text of the database", strlen(text));
    return copy;
}

static union ovsdb_atom *resize_atoms(union ovsdb_atom *atoms, size_t n)
{
    union ovsdb_atom *resized = reallocarray(atoms, n, sizeof *atoms);

    if (!resized)
        out_of_memory("values of the database", n * sizeof *atoms);
    return resized;
}

static union ovsdb_atom atom_copy(enum ovsdb_type type, const union ovsdb_atom *atom)
{
    return type == OVSDB_STRING ? (union ovsdb_atom){.string = copy_text(atom->string)} : *atom;
}

static void atom_free(enum ovsdb_type type, union ovsdb_atom *atom)
{
    if (type == OVSDB_STRING)
        free(atom->string);
}

static bool parse_uuid(const json_t *json, struct ovsdb_uuid *uuid)
{
    const char *tag = json_string_value(json_array_get(json, 0));
    const json_t *text = json_array_get(json, 1);

    return json_array_size(json) == 2 && tag && !strcmp(tag, "uuid") && json_is_string(text) &&
           ovsdb_uuid_parse(json_string_value(text), json_string_length(text), uuid);
}

static bool atom_parse(enum ovsdb_type type, const json_t *json, union ovsdb_atom *atom)
{
    switch (type) {
    case OVSDB_INTEGER:
        atom->integer = json_integer_value(json);
        return json_is_integer(json);
    case OVSDB_BOOLEAN:
        atom->boolean = json_is_true(json);
        return json_is_boolean(json);
    case OVSDB_STRING:
        /* jansson refuses NUL in a string. */
        if (!json_is_string(json))
            return false;
        atom->string = copy_text(json_string_value(json));
        return true;
    case OVSDB_UUID:
        return parse_uuid(json, &atom->uuid);
    case OVSDB_NONE:
        break;
    }
    return false;
}

static void write_string(struct evbuffer *out, const char *string)
{
    json_t *json = json_string(string);
    char *dump = json_dumps(json, JSON_ENCODE_ANY);

    /* What is not UTF-8 the server would take for a broken connection. */
    if (dump)
        evbuffer_add(out, dump, strlen(dump));
    else
        evbuffer_add_printf(out, "\"(text that is not UTF-8)\"");
    free(dump);
    json_decref(json);
}

void ovsdb_atom_write(struct evbuffer *out, enum ovsdb_type type, const union ovsdb_atom *atom)
{
    char text[OVSDB_UUID_LEN + 1];

    switch (type) {
    case OVSDB_INTEGER:
        evbuffer_add_printf(out, "%" PRId64, atom->integer);
        break;
    case OVSDB_BOOLEAN:
        evbuffer_add_printf(out, "%s", atom->boolean ? "true" : "false");
        break;
    case OVSDB_STRING:
        write_string(out, atom->string);
        break;
    case OVSDB_UUID:
        ovsdb_uuid_format(&atom->uuid, text);
        evbuffer_add_printf(out, "[\"uuid\",\"%s\"]", text);
        break;
    case OVSDB_NONE:
        break;
    }
}

/* --- elements ------------------------------------------------------------ */

static bool is_map(const struct ovsdb_kind *kind)
{
    return kind->value != OVSDB_NONE;
}

static unsigned stride(const struct ovsdb_kind *kind)
{
    return is_map(kind) ? 2 : 1;
}

static void element_free(const struct ovsdb_kind *kind, union ovsdb_atom *element)
{
    atom_free(kind->key, element);
    if (is_map(kind))
        atom_free(kind->value, element + 1);
}

static void element_copy(const struct ovsdb_kind *kind, union ovsdb_atom *to, const union ovsdb_atom *from)
{
    to[0] = atom_copy(kind->key, &from[0]);
    if (is_map(kind))
        to[1] = atom_copy(kind->value, &from[1]);
}

void ovsdb_datum_clear(const struct ovsdb_kind *kind, struct ovsdb_datum *datum)
{
    bool strings = kind->key == OVSDB_STRING || kind->value == OVSDB_STRING;

    for (uint32_t i = 0; i < datum->n && strings; i++)
        element_free(kind, &datum->atoms[i * stride(kind)]);
    free(datum->atoms);
    *datum = (struct ovsdb_datum){0};
}

bool ovsdb_datum_equal(const struct ovsdb_kind *kind, const struct ovsdb_datum *a, const struct ovsdb_datum *b)
{
    if (a->n != b->n)
        return false;
    for (uint32_t i = 0; i < a->n; i++) {
        const union ovsdb_atom *x = &a->atoms[i * stride(kind)], *y = &b->atoms[i * stride(kind)];
        if (atom_compare(kind->key, x, y) || (is_map(kind) && atom_compare(kind->value, x + 1, y + 1)))
            return false;
    }
    return true;
}

void ovsdb_datum_copy(const struct ovsdb_kind *kind, struct ovsdb_datum *to, const struct ovsdb_datum *from)
{
    *to = (struct ovsdb_datum){.n = from->n};
    if (!from->n)
        return;
    to->atoms = resize_atoms(NULL, (size_t)from->n * stride(kind));
    for (uint32_t i = 0; i < from->n; i++)
        element_copy(kind, &to->atoms[i * stride(kind)], &from->atoms[i * stride(kind)]);
}

void ovsdb_datum_default(const struct ovsdb_kind *kind, struct ovsdb_datum *datum)
{
    *datum = (struct ovsdb_datum){0};
    if (!kind->required)
        return;
    *datum = (struct ovsdb_datum){.n = 1, .atoms = resize_atoms(NULL, stride(kind))};
    const union ovsdb_atom zero = {0}, none = {.string = (char[]){""}};
    const union ovsdb_atom pair[2] = {kind->key == OVSDB_STRING ? none : zero,
                                      kind->value == OVSDB_STRING ? none : zero};
    element_copy(kind, datum->atoms, pair);
}

/* --- JSON ---------------------------------------------------------------- */

static int compare_elements(const void *a, const void *b, void *kind)
{
    return atom_compare(((const struct ovsdb_kind *)kind)->key, a, b);
}

/* Puts the keys into order. False: one is there twice. A server mostly sends them in order. */
static bool sort(const struct ovsdb_kind *kind, struct ovsdb_datum *datum)
{
    for (int pass = 0; pass < 2; pass++) {
        int order = -1;
        for (uint32_t i = 1; i < datum->n && order < 0; i++)
            order = atom_compare(kind->key, &datum->atoms[(i - 1) * stride(kind)], &datum->atoms[i * stride(kind)]);
        if (order < 0)
            return true;
        if (!pass)
            qsort_r(datum->atoms, datum->n, stride(kind) * sizeof *datum->atoms, compare_elements, (void *)kind);
    }
    return false;
}

static bool parse_element(const struct ovsdb_kind *kind, const json_t *json, union ovsdb_atom *element)
{
    if (!is_map(kind))
        return atom_parse(kind->key, json, element);
    if (json_array_size(json) != 2 || !atom_parse(kind->key, json_array_get(json, 0), element))
        return false;
    if (atom_parse(kind->value, json_array_get(json, 1), element + 1))
        return true;
    atom_free(kind->key, element);
    return false;
}

bool ovsdb_datum_parse(const struct ovsdb_kind *kind, const json_t *json, struct ovsdb_datum *datum)
{
    const char *tag = json_string_value(json_array_get(json, 0));
    const json_t *list = json_array_get(json, 1);
    bool tagged = tag && json_array_size(json) == 2 && !strcmp(tag, is_map(kind) ? "map" : "set");

    *datum = (struct ovsdb_datum){0};
    if ((is_map(kind) && !tagged) || (tagged && !json_is_array(list)))
        return false;
    size_t n = tagged ? json_array_size(list) : 1;
    if ((kind->required && !n) || (!kind->many && n > 1))
        return false;
    if (!n)
        return true;
    datum->atoms = resize_atoms(NULL, n * stride(kind));
    for (size_t i = 0; i < n; i++, datum->n++)
        if (!parse_element(kind, tagged ? json_array_get(list, i) : json, &datum->atoms[i * stride(kind)]))
            break;
    if (datum->n == n && sort(kind, datum))
        return true;
    ovsdb_datum_clear(kind, datum);
    return false;
}

void ovsdb_datum_write(struct evbuffer *out, const struct ovsdb_kind *kind, const struct ovsdb_datum *datum)
{
    if (!is_map(kind) && datum->n == 1) {
        ovsdb_atom_write(out, kind->key, datum->atoms);
        return;
    }
    evbuffer_add_printf(out, "[\"%s\",[", is_map(kind) ? "map" : "set");
    for (uint32_t i = 0; i < datum->n; i++) {
        const union ovsdb_atom *element = &datum->atoms[i * stride(kind)];
        evbuffer_add_printf(out, "%s%s", i ? "," : "", is_map(kind) ? "[" : "");
        ovsdb_atom_write(out, kind->key, element);
        if (!is_map(kind))
            continue;
        evbuffer_add(out, ",", 1);
        ovsdb_atom_write(out, kind->value, element + 1);
        evbuffer_add(out, "]", 1);
    }
    evbuffer_add(out, "]]", 2);
}

/* --- changes ------------------------------------------------------------- */

/* Where the key is, or belongs. */
static uint32_t find_place(const struct ovsdb_kind *kind, const struct ovsdb_datum *datum, const union ovsdb_atom *key,
                           bool *found)
{
    uint32_t low = 0, high = datum->n;

    *found = false;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = atom_compare(kind->key, &datum->atoms[middle * stride(kind)], key);
        *found |= !order;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Takes the atoms of `element` over. */
static void insert_at(const struct ovsdb_kind *kind, struct ovsdb_datum *datum, uint32_t at,
                      const union ovsdb_atom *element)
{
    size_t size = stride(kind) * sizeof *datum->atoms;

    if (!datum->n || !(datum->n & (datum->n - 1))) /* a power of two: there may be no room behind it */
        datum->atoms = resize_atoms(datum->atoms, (size_t)(datum->n ? datum->n * 2 : 1) * stride(kind));
    union ovsdb_atom *place = &datum->atoms[at * stride(kind)];
    memmove(place + stride(kind), place, (datum->n - at) * size);
    memcpy(place, element, size);
    datum->n++;
}

static void remove_at(const struct ovsdb_kind *kind, struct ovsdb_datum *datum, uint32_t at)
{
    union ovsdb_atom *place = &datum->atoms[at * stride(kind)];

    element_free(kind, place);
    datum->n--;
    memmove(place, place + stride(kind), (datum->n - at) * stride(kind) * sizeof *place);
}

/* Makes room as insert_at() expects it: up to the next power of two. */
static void pad(const struct ovsdb_kind *kind, struct ovsdb_datum *datum)
{
    uint32_t room = 1;

    if (!datum->n)
        return;
    while (room < datum->n)
        room *= 2;
    datum->atoms = resize_atoms(datum->atoms, (size_t)room * stride(kind));
}

void ovsdb_datum_apply(const struct ovsdb_kind *kind, struct ovsdb_datum *datum, const struct ovsdb_datum *diff)
{
    pad(kind, datum);
    for (uint32_t i = 0; i < diff->n; i++) {
        const union ovsdb_atom *element = &diff->atoms[i * stride(kind)];
        union ovsdb_atom copy[2];
        bool found;
        uint32_t at = find_place(kind, datum, element, &found);
        union ovsdb_atom *place = found ? &datum->atoms[at * stride(kind)] : NULL;
        if (found && (!is_map(kind) || !atom_compare(kind->value, place + 1, element + 1))) {
            remove_at(kind, datum, at);
        } else if (found) {
            atom_free(kind->value, place + 1);
            place[1] = atom_copy(kind->value, element + 1);
        } else {
            element_copy(kind, copy, element);
            insert_at(kind, datum, at, copy);
        }
    }
}

/* --- building ------------------------------------------------------------ */

static const struct ovsdb_kind strings = {.key = OVSDB_STRING, .many = true};
static const struct ovsdb_kind string_to_string = {.key = OVSDB_STRING, .value = OVSDB_STRING, .many = true};
static const struct ovsdb_kind string_to_integer = {.key = OVSDB_STRING, .value = OVSDB_INTEGER, .many = true};

static void put(const struct ovsdb_kind *kind, struct ovsdb_datum *datum, const char *key, union ovsdb_atom value)
{
    const union ovsdb_atom wanted[2] = {{.string = (char *)key}, value};
    union ovsdb_atom copy[2];
    bool found;
    uint32_t at = find_place(kind, datum, wanted, &found);

    if (found)
        remove_at(kind, datum, at);
    pad(kind, datum);
    element_copy(kind, copy, wanted);
    insert_at(kind, datum, at, copy);
}

void ovsdb_datum_add_string(struct ovsdb_datum *datum, const char *string)
{
    put(&strings, datum, string, (union ovsdb_atom){0});
}

void ovsdb_datum_put_string(struct ovsdb_datum *map, const char *key, const char *value)
{
    put(&string_to_string, map, key, (union ovsdb_atom){.string = (char *)value});
}

void ovsdb_datum_put_integer(struct ovsdb_datum *map, const char *key, int64_t value)
{
    put(&string_to_integer, map, key, (union ovsdb_atom){.integer = value});
}

const union ovsdb_atom *ovsdb_datum_find(const struct ovsdb_kind *kind, const struct ovsdb_datum *map, const char *key)
{
    const union ovsdb_atom wanted = {.string = (char *)key};
    bool found;
    uint32_t at = find_place(kind, map, &wanted, &found);

    return found ? &map->atoms[at * stride(kind) + 1] : NULL;
}
