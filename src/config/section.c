#include "src/config/section.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/mem.h"
#include "src/config/model.h"

const struct config_key *config_key_find(const struct config_section *section, const char *name)
{
    for (size_t i = 0; i < section->n_keys; i++)
        if (strcmp(section->keys[i].name, name) == 0)
            return &section->keys[i];
    return NULL;
}

#define NAME_MAX_LEN 32 /* longer than any key: what is longer resembles none */

/* OVS spells some names with dashes, and people differ about capitals. */
static char fold(char c)
{
    return c == '-' ? '_' : tolower((unsigned char)c);
}

/* Edits (insert, delete, replace a character; swap two neighbours) from one name to the other. */
static unsigned edit_distance(const char *a, const char *b)
{
    size_t la = strlen(a), lb = strlen(b);
    unsigned d[NAME_MAX_LEN + 1][NAME_MAX_LEN + 1];

    if (la > NAME_MAX_LEN || lb > NAME_MAX_LEN)
        return UINT_MAX;
    for (size_t i = 0; i <= la; i++) {
        for (size_t j = 0; j <= lb; j++) {
            if (i == 0 || j == 0) {
                d[i][j] = i + j;
                continue;
            }
            unsigned best = d[i - 1][j - 1] + (fold(a[i - 1]) != fold(b[j - 1]));

            if (d[i - 1][j] + 1 < best)
                best = d[i - 1][j] + 1;
            if (d[i][j - 1] + 1 < best)
                best = d[i][j - 1] + 1;
            if (i > 1 && j > 1 && fold(a[i - 1]) == fold(b[j - 2]) && fold(a[i - 2]) == fold(b[j - 1]) &&
                d[i - 2][j - 2] + 1 < best)
                best = d[i - 2][j - 2] + 1;
            d[i][j] = best;
        }
    }
    return d[la][lb];
}

/* "queues" for "rx_queues", "mac_address" for "mac". */
static bool contains_other(const char *a, const char *b)
{
    return (strlen(a) >= 3 && strstr(b, a)) || (strlen(b) >= 3 && strstr(a, b));
}

const struct config_key *config_key_nearest(const struct config_section *section, const char *name)
{
    const struct config_key *nearest = NULL;
    unsigned best = strlen(name) < 6 ? 2 : strlen(name) / 3 + 1;

    for (size_t i = 0; i < section->n_keys; i++) {
        unsigned distance = edit_distance(name, section->keys[i].name);

        if (distance < best) {
            nearest = &section->keys[i];
            best = distance;
        }
    }
    for (size_t i = 0; i < section->n_keys && !nearest; i++)
        if (strlen(name) <= NAME_MAX_LEN && contains_other(name, section->keys[i].name))
            nearest = &section->keys[i];
    return nearest;
}

const struct config_section *config_key_elsewhere(const struct config_section *root, const char *name)
{
    if (config_key_find(root, name))
        return root;
    for (size_t i = 0; i < root->n_keys; i++) {
        const struct config_section *below = root->keys[i].section;
        const struct config_section *found = below ? config_key_elsewhere(below, name) : NULL;

        if (found)
            return found;
    }
    return NULL;
}

const struct config_choice *config_choice_of(const struct config_key *key, int value)
{
    for (const struct config_choice *choice = key->choices; choice->name; choice++)
        if (choice->value == value)
            return choice;
    return NULL;
}

static void expect_int(const struct config_key *key, char *text, size_t size)
{
    const char *kind = key->power_of_two ? "a power of two" : "an integer";

    if (key->zero)
        snprintf(text, size, "0 or %s from %d to %d", kind, key->min, key->max);
    else
        snprintf(text, size, "%s from %d to %d", kind, key->min, key->max);
    if (key->unit) {
        size_t used = strlen(text);

        snprintf(text + used, size - used, " (%s)", key->unit);
    }
}

static void expect_choice(const struct config_key *key, char *text, size_t size)
{
    size_t used = 0;

    text[0] = '\0';
    for (const struct config_choice *choice = key->choices; choice->name && used < size; choice++) {
        const char *before = choice == key->choices ? "" : choice[1].name ? ", " : " or ";

        used += snprintf(text + used, size - used, "%s\"%s\"", before, choice->name);
    }
}

void config_key_expect(const struct config_key *key, char *text, size_t size)
{
    switch (key->type) {
    case KEY_BOOL:
        snprintf(text, size, "true or false");
        break;
    case KEY_INT:
        expect_int(key, text, size);
        break;
    case KEY_ENUM:
        expect_choice(key, text, size);
        break;
    case KEY_STRING:
        snprintf(text, size, "a string");
        break;
    case KEY_INTS:
        snprintf(text, size, "a list of integers from %d to %d (%s)", key->min, key->max, key->unit);
        break;
    case KEY_STRINGS:
        snprintf(text, size, "a list of strings");
        break;
    case KEY_OFPORT:
        snprintf(text, size, "an integer from 1 to %d or \"LOCAL\"", CONFIG_OFPORT_MAX);
        break;
    case KEY_DATAPATH_ID:
        snprintf(text, size, "a string of 16 hexadecimal digits other than zero");
        break;
    case KEY_MAC:
        snprintf(text, size, "a string such as \"02:00:00:00:00:01\"");
        break;
    case KEY_SECTION:
        snprintf(text, size, "an object");
        break;
    case KEY_SECTIONS:
        snprintf(text, size, key->section->shorthand ? "a list of strings or objects" : "a list of objects");
        break;
    }
}

void config_section_set_defaults(const struct config_section *section, void *base)
{
    for (size_t i = 0; i < section->n_keys; i++) {
        const struct config_key *key = &section->keys[i];
        void *field = (char *)base + key->offset;

        switch (key->type) {
        case KEY_BOOL:
            *(bool *)field = key->default_int;
            break;
        case KEY_INT:
        case KEY_ENUM:
            *(int *)field = key->default_int;
            break;
        case KEY_STRING:
            *(char **)field = key->default_string ? mem_strdup(key->default_string) : NULL;
            break;
        case KEY_SECTION:
            config_section_set_defaults(key->section, field);
            break;
        case KEY_INTS:
        case KEY_STRINGS:
        case KEY_OFPORT:
        case KEY_DATAPATH_ID:
        case KEY_MAC:
        case KEY_SECTIONS:
            break;
        }
    }
}

void *config_section_append(const struct config_section *section, void **items, size_t *count)
{
    *items = mem_realloc(*items, *count + 1, section->size);

    void *item = (char *)*items + *count * section->size;
    memset(item, 0, section->size);
    config_section_set_defaults(section, item);
    (*count)++;
    return item;
}

void config_section_remove(const struct config_section *section, void *items, size_t *count, size_t index)
{
    char *item = (char *)items + index * section->size;

    config_section_clear(section, item);
    (*count)--;
    memmove(item, item + section->size, (*count - index) * section->size);
}

static bool strings_same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool element_same(const struct config_key *key, const void *a, const void *b, size_t i)
{
    switch (key->type) {
    case KEY_STRINGS:
        return strings_same(((char *const *)a)[i], ((char *const *)b)[i]);
    case KEY_SECTIONS:
        return config_section_same(key->section, (const char *)a + i * key->section->size,
                                   (const char *)b + i * key->section->size);
    default:
        return ((const int *)a)[i] == ((const int *)b)[i];
    }
}

bool config_key_same(const struct config_key *key, const void *a, const void *b)
{
    const void *va = (const char *)a + key->offset, *vb = (const char *)b + key->offset;

    switch (key->type) {
    case KEY_BOOL:
        return *(const bool *)va == *(const bool *)vb;
    case KEY_INT:
    case KEY_ENUM:
        return *(const int *)va == *(const int *)vb;
    case KEY_OFPORT:
        return *(const uint32_t *)va == *(const uint32_t *)vb;
    case KEY_DATAPATH_ID:
        return *(const uint64_t *)va == *(const uint64_t *)vb;
    case KEY_MAC:
        return memcmp(va, vb, 6) == 0;
    case KEY_STRING:
        return strings_same(*(char *const *)va, *(char *const *)vb);
    case KEY_SECTION:
        return config_section_same(key->section, va, vb);
    case KEY_INTS:
    case KEY_STRINGS:
    case KEY_SECTIONS:
        break;
    }

    const size_t n = *(const size_t *)((const char *)a + key->count_offset);
    if (n != *(const size_t *)((const char *)b + key->count_offset))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!element_same(key, *(void *const *)va, *(void *const *)vb, i))
            return false;
    return true;
}

bool config_section_same(const struct config_section *section, const void *a, const void *b)
{
    for (size_t i = 0; i < section->n_keys; i++)
        if (!config_key_same(&section->keys[i], a, b))
            return false;
    return true;
}

unsigned config_section_diff(const struct config_section *section, const void *a, const void *b)
{
    unsigned parts = 0;

    for (size_t i = 0; i < section->n_keys; i++) {
        const struct config_key *key = &section->keys[i];
        const char *va = (const char *)a + key->offset, *vb = (const char *)b + key->offset;

        if (key->type == KEY_SECTION)
            parts |= config_section_diff(key->section, va, vb);
        else if (key->part && !config_key_same(key, a, b))
            parts |= key->part;
    }
    return parts;
}

static void clear_key(const struct config_key *key, void *base)
{
    void *field = (char *)base + key->offset;
    const size_t *count = (const size_t *)((char *)base + key->count_offset);

    switch (key->type) {
    case KEY_STRINGS:
        for (size_t j = 0; j < *count; j++)
            free((*(char ***)field)[j]);
        free(*(void **)field);
        break;
    case KEY_SECTIONS:
        for (size_t j = 0; j < *count; j++)
            config_section_clear(key->section, *(char **)field + j * key->section->size);
        free(*(void **)field);
        break;
    case KEY_STRING:
    case KEY_INTS:
        free(*(void **)field);
        break;
    case KEY_SECTION:
        config_section_clear(key->section, field);
        break;
    case KEY_BOOL:
    case KEY_INT:
    case KEY_ENUM:
    case KEY_OFPORT:
    case KEY_DATAPATH_ID:
    case KEY_MAC:
        break;
    }
}

void config_section_clear(const struct config_section *section, void *base)
{
    for (size_t i = 0; i < section->n_keys; i++)
        clear_key(&section->keys[i], base);
}

static char *copy_text(const char *text)
{
    return text ? mem_strdup(text) : NULL;
}

/* A list of `n` elements of `size` bytes; those that own something still share it with `from`. */
static void *copy_list(const void *from, size_t n, size_t size)
{
    void *to = n ? mem_calloc(n, size) : NULL;

    if (n)
        memcpy(to, from, n * size);
    return to;
}

/* `base` is a plain copy of another struct: copies what the key's field points to, so that `base` owns it. */
static void own_key(const struct config_key *key, void *base)
{
    void *field = (char *)base + key->offset;
    const size_t *count = (const size_t *)((char *)base + key->count_offset);
    char **strings;

    switch (key->type) {
    case KEY_STRINGS:
        strings = copy_list(*(void **)field, *count, sizeof *strings);
        for (size_t j = 0; j < *count; j++)
            strings[j] = copy_text(strings[j]);
        *(char ***)field = strings;
        break;
    case KEY_SECTIONS:
        *(void **)field = copy_list(*(void **)field, *count, key->section->size);
        for (size_t j = 0; j < *count; j++) {
            void *element = *(char **)field + j * key->section->size;

            for (size_t i = 0; i < key->section->n_keys; i++)
                own_key(&key->section->keys[i], element);
        }
        break;
    case KEY_STRING:
        *(char **)field = copy_text(*(char **)field);
        break;
    case KEY_INTS:
        *(void **)field = copy_list(*(void **)field, *count, sizeof(int));
        break;
    case KEY_SECTION:
        for (size_t i = 0; i < key->section->n_keys; i++)
            own_key(&key->section->keys[i], field);
        break;
    case KEY_BOOL:
    case KEY_INT:
    case KEY_ENUM:
    case KEY_OFPORT:
    case KEY_DATAPATH_ID:
    case KEY_MAC:
        break;
    }
}

void config_section_copy(const struct config_section *section, void *to, const void *from)
{
    memcpy(to, from, section->size);
    for (size_t i = 0; i < section->n_keys; i++)
        own_key(&section->keys[i], to);
}

static size_t field_size(const struct config_key *key)
{
    switch (key->type) {
    case KEY_BOOL:
        return sizeof(bool);
    case KEY_INT:
    case KEY_ENUM:
        return sizeof(int);
    case KEY_OFPORT:
        return sizeof(uint32_t);
    case KEY_DATAPATH_ID:
        return sizeof(uint64_t);
    case KEY_MAC:
        return 6;
    case KEY_STRING:
    case KEY_INTS:
    case KEY_STRINGS:
    case KEY_SECTIONS:
        return sizeof(void *);
    case KEY_SECTION:
        break;
    }
    return key->section->size;
}

static bool is_list(const struct config_key *key)
{
    return key->type == KEY_INTS || key->type == KEY_STRINGS || key->type == KEY_SECTIONS;
}

void config_section_assign(const struct config_section *section, void *to, const void *from, unsigned parts)
{
    for (size_t i = 0; i < section->n_keys; i++) {
        const struct config_key *key = &section->keys[i];
        char *field = (char *)to + key->offset;
        const char *other = (const char *)from + key->offset;

        if (key->type == KEY_SECTION) {
            config_section_assign(key->section, field, other, parts);
            continue;
        }
        if (!(key->part & parts))
            continue;
        clear_key(key, to);
        memcpy(field, other, field_size(key));
        if (is_list(key))
            memcpy((char *)to + key->count_offset, (const char *)from + key->count_offset, sizeof(size_t));
        own_key(key, to);
    }
}
