/* Writes what follows from the key tables: docs/configuration.md, config/sluice.schema.json and the manual page
 * sluice.json(5). A program of the build, not installed. `ninja -C build config-docs` refreshes the first two, and a
 * test compares them; the page is made by the build.
 *
 *   config-docgen schema OUTPUT
 *   config-docgen markdown TEMPLATE SAMPLES OUTPUT
 *   config-docgen man TEMPLATE OUTPUT
 *
 * The template is Markdown, or a manual page, in which a line "@keys@" stands for all keys and in Markdown
 * "@sample NAME@" for SAMPLES/NAME.json.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/mem.h"
#include "src/config/keys.h"
#include "src/config/model.h"

/* The program has no log. */
void out_of_memory(const char *what, size_t size)
{
    fprintf(stderr, "out of memory for %s (%zu bytes)\n", what, size);
    exit(1);
}

static json_t *schema_of(const struct config_section *section);

static json_t *int_schema(const struct config_key *key)
{
    if (key->power_of_two) {
        json_t *powers = json_array();

        if (key->zero)
            json_array_append_new(powers, json_integer(0));
        for (long power = 1; power <= key->max; power *= 2)
            if (power >= key->min)
                json_array_append_new(powers, json_integer(power));
        return json_pack("{s:o}", "enum", powers);
    }
    json_t *range = json_pack("{s:s, s:i, s:i}", "type", "integer", "minimum", key->min, "maximum", key->max);

    return key->zero ? json_pack("{s:[{s:i}, o]}", "anyOf", "const", 0, range) : range;
}

static json_t *string_schema(const struct config_format *format)
{
    json_t *schema = json_pack("{s:s}", "type", "string");

    if (format && format->pattern)
        json_object_set_new(schema, "pattern", json_string(format->pattern));
    return schema;
}

static json_t *choice_schema(const struct config_key *key)
{
    json_t *names = json_array();

    for (const struct config_choice *choice = key->choices; choice->name; choice++)
        json_array_append_new(names, json_string(choice->name));
    return json_pack("{s:o}", "enum", names);
}

static json_t *list_schema(const struct config_key *key, json_t *items)
{
    json_t *schema =
        json_pack("{s:s, s:o, s:I}", "type", "array", "items", items, "maxItems", (json_int_t)key->max_items);

    if (key->min_items)
        json_object_set_new(schema, "minItems", json_integer(key->min_items));
    return schema;
}

static json_t *value_schema(const struct config_key *key)
{
    switch (key->type) {
    case KEY_BOOL:
        return json_pack("{s:s}", "type", "boolean");
    case KEY_INT:
        return int_schema(key);
    case KEY_ENUM:
        return choice_schema(key);
    case KEY_STRING:
        if (key->or_integer)
            return json_pack("{s:[o, {s:s}]}", "anyOf", string_schema(key->format), "type", "integer");
        return string_schema(key->format);
    case KEY_INTS:
        return list_schema(key, int_schema(key));
    case KEY_STRINGS:
        return list_schema(key, string_schema(key->format));
    case KEY_OFPORT:
        return json_pack("{s:[{s:s}, {s:s, s:i, s:i}]}", "anyOf", "const", "LOCAL", "type", "integer", "minimum", 1,
                         "maximum", CONFIG_OFPORT_MAX);
    case KEY_DATAPATH_ID:
        return json_pack("{s:s, s:s}", "type", "string", "pattern", "^[0-9a-fA-F]{16}$");
    case KEY_MAC:
        return json_pack("{s:s, s:s}", "type", "string", "pattern", "^[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}$");
    case KEY_SECTION:
        return schema_of(key->section);
    case KEY_SECTIONS:
        if (key->section->shorthand)
            return list_schema(key, json_pack("{s:[o, o]}", "anyOf", string_schema(key->section->shorthand->format),
                                              schema_of(key->section)));
        return list_schema(key, schema_of(key->section));
    }
    return NULL;
}

/* The default where it is a plain value, else NULL. */
static json_t *default_value(const struct config_key *key)
{
    if (key->required || key->default_doc)
        return NULL;
    switch (key->type) {
    case KEY_BOOL:
        return json_boolean(key->default_int);
    case KEY_INT:
        return json_integer(key->default_int);
    case KEY_ENUM:
        return json_string(config_choice_of(key, key->default_int)->name);
    case KEY_STRING:
        return key->default_string ? json_string(key->default_string) : NULL;
    default:
        return NULL;
    }
}

/* "If the element is of this kind, it needs these keys and has none of those." */
static json_t *kind_schema(const struct config_section *section, const struct config_choice *choice)
{
    json_t *required = json_array(), *excluded = json_object();

    for (size_t i = 0; i < section->n_keys; i++) {
        const struct config_key *key = &section->keys[i];

        if (key->required_kinds & 1u << choice->value)
            json_array_append_new(required, json_string(key->name));
        if (key->kinds && !(key->kinds & 1u << choice->value))
            json_object_set_new(excluded, key->name, json_false());
    }
    return json_pack("{s:{s:{s:{s:s}}, s:[s]}, s:{s:o, s:o}}", "if", "properties", section->kind->name, "const",
                     choice->name, "required", section->kind->name, "then", "required", required, "properties",
                     excluded);
}

static json_t *schema_of(const struct config_section *section)
{
    json_t *properties = json_object(), *required = json_array();

    for (size_t i = 0; i < section->n_keys; i++) {
        const struct config_key *key = &section->keys[i];
        json_t *value = value_schema(key), *fallback = default_value(key);

        json_object_set_new(value, "description", json_string(key->doc));
        if (fallback)
            json_object_set_new(value, "default", fallback);
        json_object_set_new(properties, key->name, value);
        if (key->required)
            json_array_append_new(required, json_string(key->name));
    }

    json_t *schema = json_pack("{s:s, s:o, s:o, s:b}", "type", "object", "properties", properties, "required", required,
                               "additionalProperties", 0);
    if (section->kind) {
        json_t *kinds = json_array();

        for (const struct config_choice *choice = section->kind->choices; choice->name; choice++)
            json_array_append_new(kinds, kind_schema(section, choice));
        json_object_set_new(schema, "allOf", kinds);
    }
    return schema;
}

static int write_schema(FILE *out)
{
    json_t *schema = json_pack("{s:s, s:s}", "$schema", "https://json-schema.org/draft/2020-12/schema", "title",
                               "Configuration of sluiced");

    json_object_update_new(schema, schema_of(&config_root));
    int result = json_dumpf(schema, out, JSON_INDENT(2));
    json_decref(schema);
    fputc('\n', out);
    return result;
}

#define PAGE_WIDTH 118

#define NO_BREAK '\001' /* stands for a space at which no line ends */

static void write_word(const char *word, FILE *out)
{
    for (; *word; word++)
        fputc(*word == NO_BREAK ? ' ' : *word, out);
}

/* A paragraph with lines broken between words, but not within backticks; every line but the first is indented.
 * `column` is where the first one starts. `text` is taken over. */
static void write_wrapped(char *text, unsigned indent, unsigned column, FILE *out)
{
    bool in_code = false, first = true;
    char *rest;

    for (char *c = text; *c; c++) {
        in_code ^= *c == '`';
        if (in_code && *c == ' ')
            *c = NO_BREAK;
    }
    for (char *word = strtok_r(text, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        if (!first && column + 1 + strlen(word) > PAGE_WIDTH) {
            fprintf(out, "\n%*s", indent, "");
            column = indent;
        } else if (!first) {
            fputc(' ', out);
            column++;
        }
        write_word(word, out);
        column += strlen(word);
        first = false;
    }
    fputc('\n', out);
    free(text);
}

static void write_type(const struct config_key *key, FILE *out)
{
    char expected[512];

    config_key_expect(key, expected, sizeof expected);
    if (key->type == KEY_STRING && key->format)
        fprintf(out, "a string: %s", key->format->doc);
    else if (key->type == KEY_STRINGS && key->format)
        fprintf(out, "a list of strings, each %s", key->format->doc);
    else if (key->type == KEY_ENUM)
        fprintf(out, "one of the values below");
    else
        fprintf(out, "%s", expected);
}

static void write_default(const struct config_key *key, FILE *out)
{
    json_t *value = default_value(key);

    if (key->required) {
        fprintf(out, "; required");
    } else if (key->required_kinds) {
        fprintf(out, "; required there");
    } else if (value) {
        char *text = json_dumps(value, JSON_ENCODE_ANY);

        fprintf(out, "; default `%s`", text);
        free(text);
    } else if (key->default_doc) {
        fprintf(out, "; default: %s", key->default_doc);
    }
    json_decref(value);
}

static void write_kinds(const struct config_section *section, const struct config_key *key, FILE *out)
{
    const char *between = "";

    fprintf(out, "; only for `%s`", section->kind->name);
    for (const struct config_choice *choice = section->kind->choices; choice->name; choice++) {
        if (!(key->kinds & 1u << choice->value))
            continue;
        fprintf(out, "%s `\"%s\"`", between, choice->name);
        between = " and";
    }
}

/* Describes a key in Markdown. malloc'ed. */
static char *describe_key(const struct config_section *section, const struct config_key *key)
{
    char *text = NULL;
    size_t size;
    FILE *paragraph = mem_stream(&text, &size);

    write_type(key, paragraph);
    if (key->kinds)
        write_kinds(section, key, paragraph);
    write_default(key, paragraph);
    fprintf(paragraph, ". %s", key->doc);
    if (key->zero)
        fprintf(paragraph, " `0`: %s.", key->zero);
    if (key->type != KEY_SECTION && key->change == CHANGE_RESTART)
        fprintf(paragraph, " A change takes a restart.");
    if (key->type != KEY_SECTION && key->change == CHANGE_LIVE && key->part)
        fprintf(paragraph, " Can be changed at run time.");
    if (key->change == CHANGE_REPLACE)
        fprintf(paragraph, " With another value the port is removed and added again.");
    if (key->section)
        fprintf(paragraph, " Its keys: [`%s`](#%s).", key->section->title, key->name);
    else
        fprintf(paragraph, " Example: `\"%s\": %s`.", key->name, key->example);
    fclose(paragraph);
    return text;
}

static void write_key(const struct config_section *section, const struct config_key *key, FILE *out)
{
    char *about = describe_key(section, key), *text = mem_asprintf("* **`%s`** - %s", key->name, about);

    free(about);
    write_wrapped(text, 2, 0, out);

    for (const struct config_choice *choice = key->choices; choice && choice->name; choice++) {
        text = mem_asprintf("* `\"%s\"`: %s", choice->name, choice->doc);
        fprintf(out, "  ");
        write_wrapped(text, 4, 2, out);
    }
}

static void write_section(const struct config_section *section, const char *name, FILE *out)
{
    if (section->title[0])
        fprintf(out, "<a name=\"%s\"></a>\n### `%s`\n\n", name, section->title);
    else
        fprintf(out, "### The top of the file\n\n");
    fprintf(out, "%s\n\n", section->doc);
    for (size_t i = 0; i < section->n_keys; i++)
        write_key(section, &section->keys[i], out);
    fputc('\n', out);
    for (size_t i = 0; i < section->n_keys; i++)
        if (section->keys[i].section)
            write_section(section->keys[i].section, section->keys[i].name, out);
}

/* Text in Markdown as one of a manual page: code is bold, of a link only its text is left. */
static void write_roff(const char *text, FILE *out)
{
    bool in_code = false;

    for (; *text; text++) {
        if (*text == '`')
            fputs((in_code = !in_code) ? "\\fB" : "\\fR", out);
        else if (*text == '[' && strstr(text, "](") && text[1] == '`')
            continue;
        else if (!strncmp(text, "](", 2))
            text = strchr(text, ')');
        else if (*text == '-')
            fputs("\\-", out);
        else if (*text == '\\')
            fputs("\\e", out);
        else if (*text != '*')
            fputc(*text, out);
    }
    fputc('\n', out);
}

static void write_man_key(const struct config_section *section, const struct config_key *key, FILE *out)
{
    char *text = describe_key(section, key);

    fprintf(out, ".TP\n.B %s\n", key->name);
    write_roff(text, out);
    free(text);
    for (const struct config_choice *choice = key->choices; choice && choice->name; choice++) {
        fprintf(out, ".br\n\\fB\"%s\"\\fR: ", choice->name);
        write_roff(choice->doc, out);
    }
}

static void write_man_section(const struct config_section *section, FILE *out)
{
    fprintf(out, ".SS %s\n", section->title[0] ? section->title : "The top of the file");
    write_roff(section->doc, out);
    for (size_t i = 0; i < section->n_keys; i++)
        write_man_key(section, &section->keys[i], out);
    for (size_t i = 0; i < section->n_keys; i++)
        if (section->keys[i].section)
            write_man_section(section->keys[i].section, out);
}

static int write_sample(const char *samples, const char *name, FILE *out)
{
    char *path, line[1024];
    FILE *in;

    path = mem_asprintf("%s/%s.json", samples, name);
    in = fopen(path, "r");
    if (!in)
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
    free(path);
    if (!in)
        return -ENOENT;
    fprintf(out, "```json\n");
    while (fgets(line, sizeof line, in))
        fputs(line, out);
    fprintf(out, "```\n");
    fclose(in);
    return 0;
}

/* `samples` NULL: a manual page. */
static int write_page(const char *template, const char *samples, FILE *out)
{
    char line[1024], name[64];
    FILE *in = fopen(template, "r");
    int result = 0;

    if (!in) {
        fprintf(stderr, "%s: %s\n", template, strerror(errno));
        return -ENOENT;
    }
    while (result == 0 && fgets(line, sizeof line, in)) {
        if (strcmp(line, "@keys@\n") == 0 && !samples)
            write_man_section(&config_root, out);
        else if (strcmp(line, "@keys@\n") == 0)
            write_section(&config_root, "", out);
        else if (samples && sscanf(line, "@sample %63[^@]@", name) == 1)
            result = write_sample(samples, name, out);
        else
            fputs(line, out);
    }
    fclose(in);
    return result;
}

int main(int argc, char **argv)
{
    bool schema = argc == 3 && strcmp(argv[1], "schema") == 0;
    bool markdown = argc == 5 && strcmp(argv[1], "markdown") == 0;
    bool man = argc == 4 && strcmp(argv[1], "man") == 0;

    if (!schema && !markdown && !man) {
        fprintf(stderr,
                "usage: config-docgen schema OUTPUT | markdown TEMPLATE SAMPLES OUTPUT | man TEMPLATE OUTPUT\n");
        return 2;
    }

    FILE *out = fopen(argv[argc - 1], "w");
    if (!out) {
        fprintf(stderr, "%s: %s\n", argv[argc - 1], strerror(errno));
        return 1;
    }
    int result = schema ? write_schema(out) : write_page(argv[2], markdown ? argv[3] : NULL, out);
    if (fclose(out) != 0)
        result = -EIO;
    return result == 0 ? 0 : 1;
}
