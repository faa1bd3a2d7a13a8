/* What a key of the configuration is, and what can be done with the tables that describe them (src/config/keys.h)
 * without knowing the keys: names, defaults, release. Constant data and functions without state; any thread.
 */
#ifndef SRC_CONFIG_SECTION_H
#define SRC_CONFIG_SECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "src/config/format.h"

enum config_key_type {                  /* and the C type of the field in the model */
                       KEY_BOOL,        /* bool */
                       KEY_INT,         /* int */
                       KEY_ENUM,        /* an enum */
                       KEY_STRING,      /* char * */
                       KEY_INTS,        /* int * and size_t */
                       KEY_STRINGS,     /* char ** and size_t */
                       KEY_OFPORT,      /* uint32_t */
                       KEY_DATAPATH_ID, /* uint64_t */
                       KEY_MAC,         /* uint8_t[6] */
                       KEY_SECTION,     /* a struct */
                       KEY_SECTIONS,    /* struct * and size_t */
};

/* What a changed value takes while the switch runs. */
enum config_change {
    CHANGE_RESTART, /* cannot be: the switch has to be started again */
    CHANGE_LIVE,
    CHANGE_REPLACE, /* the element it is in is taken away and made again */
};

struct config_choice {
    const char *name; /* NULL ends the list */
    int value;
    const char *doc;
};

struct config_section;

struct config_key {
    const char *name;
    enum config_key_type type;
    size_t offset;       /* of the field in its struct */
    size_t count_offset; /* lists: of the number of elements */
    bool required;
    enum config_change change; /* KEY_SECTION: that of its keys counts */
    unsigned part;             /* CHANGE_LIVE: what of the switch it is (enum config_part); 0: it names the element */
    unsigned kinds;            /* sections with kinds: bit set of the kinds it applies to, 0: all */
    unsigned required_kinds;   /* and of those that cannot do without it */

    int min, max;     /* KEY_INT and the elements of KEY_INTS */
    const char *zero; /* what 0 means where it is allowed although it is below min; NULL: not allowed */
    bool power_of_two;
    size_t min_items, max_items; /* lists */
    const struct config_choice *choices;
    const struct config_format *format;   /* KEY_STRING and the elements of KEY_STRINGS; NULL: anything */
    bool or_integer;                      /* KEY_STRING: an integer is taken as its digits */
    const struct config_section *section; /* KEY_SECTION, KEY_SECTIONS */

    int default_int;            /* KEY_BOOL, KEY_INT, KEY_ENUM */
    const char *default_string; /* KEY_STRING; NULL: none */
    const char *default_doc;    /* what happens without the key where that is no plain value; NULL: the value */

    const char *unit;    /* "microseconds"; NULL: a plain number */
    const char *doc;     /* Markdown, one paragraph */
    const char *example; /* JSON text of the value */
};

struct config_section {
    const char *title; /* "bridges[].ports[]"; "" for the whole file */
    const char *doc;   /* Markdown, one paragraph */
    size_t size;       /* of the struct */
    const struct config_key *keys;
    size_t n_keys;                      /* at most 64 */
    const struct config_key *shorthand; /* the KEY_STRING that a plain string in place of an object is; NULL: none */
    const struct config_key *kind; /* the KEY_ENUM whose value is the kind of the element; NULL: the section has none */
};

/* The key of that name, or NULL. */
const struct config_key *config_key_find(const struct config_section *section, const char *name);

/* The key a person who wrote `name` probably meant, or NULL if none is near. */
const struct config_key *config_key_nearest(const struct config_section *section, const char *name);

/* The section at or below `root` that has a key of that name, or NULL. */
const struct config_section *config_key_elsewhere(const struct config_section *root, const char *name);

/* The choice with that value; NULL if there is none. */
const struct config_choice *config_choice_of(const struct config_key *key, int value);

/* "must be an integer from 68 to 9710 (bytes)": what a value of this key has to be, for faults and documents. */
void config_key_expect(const struct config_key *key, char *text, size_t size);

/* Fills a zeroed struct of the section with the defaults, sections within it included. */
void config_section_set_defaults(const struct config_section *section, void *base);

/* Appends an element with the defaults of the section to a list, and returns it. */
void *config_section_append(const struct config_section *section, void **items, size_t *count);

/* Takes an element out of a list and frees what it owns. */
void config_section_remove(const struct config_section *section, void *items, size_t *count, size_t index);

/* Whether two structs of the section say the same under the key, or under all keys. */
bool config_key_same(const struct config_key *key, const void *a, const void *b);
bool config_section_same(const struct config_section *section, const void *a, const void *b);

/* A bit set of enum config_part: what differs between two structs of the section. Keys without a part are left out. */
unsigned config_section_diff(const struct config_section *section, const void *a, const void *b);

/* Fills an uninitialised struct of the section with copies of all that `from` owns. */
void config_section_copy(const struct config_section *section, void *to, const void *from);

/* Takes over the values of those keys that belong to one of `parts`, as copies. */
void config_section_assign(const struct config_section *section, void *to, const void *from, unsigned parts);

/* Frees what a struct of the section owns, not the struct itself. */
void config_section_clear(const struct config_section *section, void *base);

#endif
