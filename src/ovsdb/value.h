/* What a column of an OVSDB row holds (RFC 7047, 5.1): a set of atoms, or a map from atoms to atoms, in order. A column
 * of one value is a set of one. Control thread only; memory that is missing ends the process.
 */
#ifndef SRC_OVSDB_VALUE_H
#define SRC_OVSDB_VALUE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct evbuffer;

struct ovsdb_uuid {
    uint64_t hi, lo; /* numbers: the text is the digits of one behind those of the other */
};

#define OVSDB_UUID_LEN 36

/* Real numbers are left out: no column of the databases that Sluice knows has them. */
enum ovsdb_type { OVSDB_NONE, OVSDB_INTEGER, OVSDB_BOOLEAN, OVSDB_STRING, OVSDB_UUID };

/* What a column may hold. `value` is OVSDB_NONE for sets. */
struct ovsdb_kind {
    uint8_t key, value; /* enum ovsdb_type */
    bool required;      /* at least one: an absent one is 0, false, "" */
    bool many;          /* more than one: updates carry what differs instead of the new value */
};

union ovsdb_atom {
    int64_t integer;
    bool boolean;
    char *string;
    struct ovsdb_uuid uuid;
};

/* All zero = empty. `atoms` are keys in ascending order, with each key's value behind it in maps. What else there is to
 * know is in the struct ovsdb_kind of its column. */
struct ovsdb_datum {
    uint32_t n; /* keys */
    union ovsdb_atom *atoms;
};

bool ovsdb_uuid_parse(const char *text, size_t len, struct ovsdb_uuid *uuid);
void ovsdb_uuid_format(const struct ovsdb_uuid *uuid, char text[OVSDB_UUID_LEN + 1]);
static inline bool ovsdb_uuid_is(const struct ovsdb_uuid *a, const struct ovsdb_uuid *b)
{
    return a->hi == b->hi && a->lo == b->lo;
}

void ovsdb_datum_clear(const struct ovsdb_kind *kind, struct ovsdb_datum *datum);
bool ovsdb_datum_equal(const struct ovsdb_kind *kind, const struct ovsdb_datum *a, const struct ovsdb_datum *b);
void ovsdb_datum_copy(const struct ovsdb_kind *kind, struct ovsdb_datum *to, const struct ovsdb_datum *from);
/* What a column has where nothing is said of it. */
void ovsdb_datum_default(const struct ovsdb_kind *kind, struct ovsdb_datum *datum);

/* The value that `json` stands for. False: it is none of this kind; then *datum is empty. */
bool ovsdb_datum_parse(const struct ovsdb_kind *kind, const json_t *json, struct ovsdb_datum *datum);
/* Changes *datum by a difference as in "modify" of update2 (ovsdb-server(7), 4.1.14): an element of a set that is there
 * goes, one that is not there comes; a pair of a map that is there goes, any other is set. */
void ovsdb_datum_apply(const struct ovsdb_kind *kind, struct ovsdb_datum *datum, const struct ovsdb_datum *diff);

/* For building: adds one element, or sets a pair. Text is copied. */
void ovsdb_datum_add_string(struct ovsdb_datum *datum, const char *string);
void ovsdb_datum_put_string(struct ovsdb_datum *map, const char *key, const char *value);
void ovsdb_datum_put_integer(struct ovsdb_datum *map, const char *key, int64_t value);

/* The value of the key in a map of strings; NULL: not there. */
const union ovsdb_atom *ovsdb_datum_find(const struct ovsdb_kind *kind, const struct ovsdb_datum *map, const char *key);

/* Adds the value as JSON. */
void ovsdb_datum_write(struct evbuffer *out, const struct ovsdb_kind *kind, const struct ovsdb_datum *datum);
void ovsdb_atom_write(struct evbuffer *out, enum ovsdb_type type, const union ovsdb_atom *atom);

#endif
