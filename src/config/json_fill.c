#include "src/config/json_fill.h"

#include <string.h>

#include "pmd/base/mem.h"
#include "src/config/model.h"

static void add_fault(struct config_faults *faults, const struct json_node *node, unsigned line, const char *text)
{
    char *path = json_node_path(node);

    config_faults_add(faults, line, path, "%s", text);
    free(path);
}

/* A value as a person would name it, long strings cut. */
static void describe(const json_t *value, char *text, size_t size)
{
    switch (json_typeof(value)) {
    case JSON_STRING: {
        const char *s = json_string_value(value);
        int len = strlen(s);

        if (len > 60)
            for (len = 57; len > 0 && (s[len] & 0xc0) == 0x80; len--)
                ;
        snprintf(text, size, "\"%.*s%s\"", len, s, s[len] ? "..." : "");
        break;
    }
    case JSON_INTEGER:
        snprintf(text, size, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        break;
    case JSON_REAL: {
        char *real = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));

        snprintf(text, size, "%s", real ? real : "a fraction");
        free(real);
        break;
    }
    case JSON_TRUE:
        snprintf(text, size, "true");
        break;
    case JSON_FALSE:
        snprintf(text, size, "false");
        break;
    case JSON_NULL:
        snprintf(text, size, "null");
        break;
    case JSON_OBJECT:
        snprintf(text, size, "an object");
        break;
    case JSON_ARRAY:
        snprintf(text, size, "a list");
        break;
    }
}

static void add_expected(struct config_faults *faults, const struct json_node *node, const char *expected)
{
    char text[1024], got[128];

    describe(node->value, got, sizeof got);
    snprintf(text, sizeof text, "must be %s, not %s", expected, got);
    add_fault(faults, node, node->line, text);
}

static void add_wrong_value(struct config_faults *faults, const struct json_node *node, const struct config_key *key)
{
    char expected[512];

    config_key_expect(key, expected, sizeof expected);
    add_expected(faults, node, expected);
}

/* "VALUE: WHY", for values of the right type that break their format. */
static void add_malformed(struct config_faults *faults, const struct json_node *node, const char *why)
{
    char text[1024], got[128];

    describe(node->value, got, sizeof got);
    snprintf(text, sizeof text, "%s %s", got, why);
    add_fault(faults, node, node->line, text);
}

static void add_unknown(struct config_faults *faults, const struct json_node *node,
                        const struct config_section *section, const struct config_section *root)
{
    const struct config_key *near = config_key_nearest(section, node->key);
    const struct config_section *elsewhere = config_key_elsewhere(root, node->key);
    char text[1024];

    if (elsewhere && elsewhere->title[0]) {
        snprintf(text, sizeof text, "unknown key here; it belongs in %s", elsewhere->title);
    } else if (elsewhere) {
        snprintf(text, sizeof text, "unknown key here; it belongs at the top of the file");
    } else if (near) {
        snprintf(text, sizeof text, "unknown key; did you mean \"%s\"?", near->name);
    } else {
        size_t used = snprintf(text, sizeof text, "unknown key; the keys here are");

        for (size_t i = 0; i < section->n_keys && used < sizeof text; i++)
            used += snprintf(text + used, sizeof text - used, "%s %s", i ? "," : "", section->keys[i].name);
    }
    add_fault(faults, node, node->key_line, text);
}

static bool int_in_range(const struct config_key *key, json_int_t value)
{
    if (value == 0 && key->zero)
        return true;
    if (value < key->min || value > key->max)
        return false;
    return !key->power_of_two || (value & (value - 1)) == 0;
}

static void fill_int(const struct config_key *key, const struct json_node *node, int *field,
                     struct config_faults *faults)
{
    bool usable = json_is_integer(node->value) && int_in_range(key, json_integer_value(node->value));

    *field = usable ? json_integer_value(node->value) : CONFIG_UNUSABLE;
    if (!usable)
        add_wrong_value(faults, node, key);
}

static void fill_enum(const struct config_key *key, const struct json_node *node, int *field,
                      struct config_faults *faults)
{
    const char *name = json_string_value(node->value);

    for (const struct config_choice *choice = key->choices; name && choice->name; choice++) {
        if (strcmp(choice->name, name) == 0) {
            *field = choice->value;
            return;
        }
    }
    *field = CONFIG_UNUSABLE;
    add_wrong_value(faults, node, key);
}

static void fill_string(const struct config_key *key, const struct json_node *node, char **field,
                        struct config_faults *faults)
{
    const char *value = json_string_value(node->value);
    char why[512], digits[24];

    if (key->or_integer && json_is_integer(node->value)) {
        snprintf(digits, sizeof digits, "%" JSON_INTEGER_FORMAT, json_integer_value(node->value));
        value = digits;
    }
    if (!value) {
        add_expected(faults, node, key->or_integer ? "a string or an integer" : "a string");
        return;
    }
    free(*field);
    *field = NULL;
    if (key->format && key->format->check(value, why, sizeof why) != 0)
        add_malformed(faults, node, why);
    else
        *field = mem_strdup(value);
}

static void fill_ofport(const struct config_key *key, const struct json_node *node, uint32_t *field,
                        struct config_faults *faults)
{
    json_int_t value = json_integer_value(node->value);

    if (json_is_string(node->value) && strcmp(json_string_value(node->value), "LOCAL") == 0)
        *field = CONFIG_OFPORT_LOCAL;
    else if (json_is_integer(node->value) && value >= 1 && value <= CONFIG_OFPORT_MAX)
        *field = value;
    else
        add_wrong_value(faults, node, key);
}

static void fill_datapath_id(const struct config_key *key, const struct json_node *node, uint64_t *field,
                             struct config_faults *faults)
{
    const char *value = json_string_value(node->value);

    if (!value || config_parse_datapath_id(value, field) != 0)
        add_wrong_value(faults, node, key);
}

static void fill_mac(const struct config_key *key, const struct json_node *node, uint8_t *field,
                     struct config_faults *faults)
{
    const char *value = json_string_value(node->value);
    char why[512];

    if (!value)
        add_wrong_value(faults, node, key);
    else if (config_parse_mac(value, field, why, sizeof why) != 0)
        add_malformed(faults, node, why);
}

/* Whether the node is a list of a length that the key allows. */
static bool check_list(const struct config_key *key, const struct json_node *node, struct config_faults *faults)
{
    char text[128];

    if (!json_is_array(node->value)) {
        add_wrong_value(faults, node, key);
        return false;
    }
    if (node->n_children < key->min_items || node->n_children > key->max_items) {
        snprintf(text, sizeof text, "must have %zu to %zu elements, not %zu", key->min_items, key->max_items,
                 node->n_children);
        add_fault(faults, node, node->line, text);
        return false;
    }
    return true;
}

static void fill_ints(const struct config_key *key, const struct json_node *node, int **items, size_t *count,
                      struct config_faults *faults)
{
    char expected[128];

    snprintf(expected, sizeof expected, "an integer from %d to %d", key->min, key->max);
    *items = mem_realloc(*items, node->n_children, sizeof **items);
    for (*count = 0; *count < node->n_children; (*count)++) {
        const struct json_node *child = &node->children[*count];
        bool good = json_is_integer(child->value) && int_in_range(key, json_integer_value(child->value));

        (*items)[*count] = good ? json_integer_value(child->value) : CONFIG_UNUSABLE;
        if (!good)
            add_expected(faults, child, expected);
    }
}

static void fill_section(const struct config_section *section, const struct json_node *node, void *base,
                         struct config_faults *faults, const struct config_section *root);

static void fill_value(const struct config_key *key, const struct json_node *node, void *base,
                       struct config_faults *faults, const struct config_section *root)
{
    void *field = (char *)base + key->offset;
    size_t *count = (size_t *)((char *)base + key->count_offset);

    switch (key->type) {
    case KEY_BOOL:
        if (json_is_boolean(node->value))
            *(bool *)field = json_is_true(node->value);
        else
            add_wrong_value(faults, node, key);
        break;
    case KEY_INT:
        fill_int(key, node, field, faults);
        break;
    case KEY_ENUM:
        fill_enum(key, node, field, faults);
        break;
    case KEY_STRING:
        fill_string(key, node, field, faults);
        break;
    case KEY_OFPORT:
        fill_ofport(key, node, field, faults);
        break;
    case KEY_DATAPATH_ID:
        fill_datapath_id(key, node, field, faults);
        break;
    case KEY_MAC:
        fill_mac(key, node, field, faults);
        break;
    case KEY_INTS:
        if (check_list(key, node, faults))
            fill_ints(key, node, field, count, faults);
        break;
    case KEY_STRINGS:
        if (!check_list(key, node, faults))
            break;
        *(char ***)field = mem_calloc(node->n_children, sizeof(char *));
        for (*count = 0; *count < node->n_children; (*count)++)
            fill_string(key, &node->children[*count], &(*(char ***)field)[*count], faults);
        break;
    case KEY_SECTION:
        fill_section(key->section, node, field, faults, root);
        break;
    case KEY_SECTIONS:
        if (!check_list(key, node, faults))
            break;
        for (size_t i = 0; i < node->n_children; i++)
            fill_section(key->section, &node->children[i], config_section_append(key->section, field, count), faults,
                         root);
        break;
    }
}

/* Reports keys that are missing from the object, and keys that its kind does not have. */
static void check_presence(const struct config_section *section, const struct json_node *node, const void *base,
                           const struct json_node *const given[], struct config_faults *faults)
{
    int kind = section->kind ? *(const int *)((const char *)base + section->kind->offset) : 0;
    const struct config_choice *choice = section->kind ? config_choice_of(section->kind, kind) : NULL;
    char text[256];

    for (size_t i = 0; i < section->n_keys; i++) {
        const struct config_key *key = &section->keys[i];

        if (given[i]) {
            if (choice && key->kinds && !(key->kinds & 1u << kind)) {
                snprintf(text, sizeof text, "does not apply to a port of type \"%s\": remove it, or change the type",
                         choice->name);
                add_fault(faults, given[i], given[i]->key_line, text);
            }
        } else if (key->required) {
            snprintf(text, sizeof text, "\"%s\" is missing: add it, for example \"%s\": %s", key->name, key->name,
                     key->example);
            add_fault(faults, node, node->line, text);
        } else if (choice && key->required_kinds & 1u << kind) {
            snprintf(text, sizeof text, "\"%s\" is missing: a port of type \"%s\" needs it, for example \"%s\": %s",
                     key->name, choice->name, key->name, key->example);
            add_fault(faults, node, node->line, text);
        }
    }
}

static void fill_section(const struct config_section *section, const struct json_node *node, void *base,
                         struct config_faults *faults, const struct config_section *root)
{
    const struct json_node *given[64] = {NULL};
    char text[64];

    if (section->shorthand && json_is_string(node->value)) {
        fill_value(section->shorthand, node, base, faults, root);
        return;
    }
    if (!json_is_object(node->value)) {
        add_expected(faults, node, section->shorthand ? "a string or an object" : "an object");
        return;
    }
    for (size_t i = 0; i < node->n_children; i++) {
        const struct json_node *child = &node->children[i];
        const struct config_key *key = config_key_find(section, child->key);

        if (child->previous_line) {
            snprintf(text, sizeof text, "given again, before on line %u: remove one of them", child->previous_line);
            add_fault(faults, child, child->key_line, text);
        }
        if (child->superseded)
            continue;
        if (!key) {
            add_unknown(faults, child, section, root);
            continue;
        }
        given[key - section->keys] = child;
        fill_value(key, child, base, faults, root);
    }
    check_presence(section, node, base, given, faults);
}

void config_json_fill(const struct config_section *section, const struct json_node *node, void *base,
                      struct config_faults *faults)
{
    fill_section(section, node, base, faults, section);
}
