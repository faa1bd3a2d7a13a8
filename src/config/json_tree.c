#include "src/config/json_tree.h"

#include <errno.h>
#include <string.h>

#include "pmd/base/mem.h"

/* Walks text that jansson has accepted; every step is still checked against `end`, so that a difference in opinion with
 * jansson ends the scan instead of reading on. */
struct scanner {
    const char *at;
    const char *end;
    unsigned line;
};

static void skip_space(struct scanner *s)
{
    while (s->at < s->end && strchr(" \t\r\n", *s->at) && *s->at) {
        if (*s->at == '\n')
            s->line++;
        s->at++;
    }
}

static bool skip_char(struct scanner *s, char c)
{
    skip_space(s);
    if (s->at == s->end || *s->at != c)
        return false;
    s->at++;
    return true;
}

/* From the opening quote to behind the closing one. */
static bool skip_string(struct scanner *s)
{
    if (!skip_char(s, '"'))
        return false;
    while (s->at < s->end && *s->at != '"')
        s->at += *s->at == '\\' ? 2 : 1;
    if (s->at >= s->end)
        return false;
    s->at++;
    return true;
}

/* Numbers and literals. */
static bool skip_word(struct scanner *s)
{
    const char *start = s->at;

    while (s->at < s->end && *s->at && !strchr(" \t\r\n,:[]{}\"", *s->at))
        s->at++;
    return s->at > start;
}

static bool scan_key(struct scanner *s, struct json_node *node)
{
    skip_space(s);
    node->key_line = s->line;

    const char *start = s->at;
    if (!skip_string(s))
        return false;
    json_t *decoded = json_loadb(start, s->at - start, JSON_DECODE_ANY, NULL);
    node->key = mem_strdup(decoded ? json_string_value(decoded) : "?");
    json_decref(decoded);
    return skip_char(s, ':');
}

static bool scan_value(struct scanner *s, struct json_node *node);

static bool scan_members(struct scanner *s, struct json_node *node, bool is_object, char close)
{
    size_t room = 0;

    s->at++;
    if (skip_char(s, close))
        return true;
    do {
        if (node->n_children == room) {
            room = room ? room * 2 : 4;
            node->children = mem_realloc(node->children, room, sizeof *node->children);
        }
        struct json_node *child = &node->children[node->n_children++];
        memset(child, 0, sizeof *child);
        if (is_object && !scan_key(s, child))
            return false;
        if (!scan_value(s, child))
            return false;
    } while (skip_char(s, ','));
    return skip_char(s, close);
}

static bool scan_value(struct scanner *s, struct json_node *node)
{
    skip_space(s);
    node->line = s->line;
    if (s->at == s->end)
        return false;
    switch (*s->at) {
    case '{':
        return scan_members(s, node, true, '}');
    case '[':
        return scan_members(s, node, false, ']');
    case '"':
        return skip_string(s);
    default:
        return skip_word(s);
    }
}

/* Finds keys given twice; jansson's object keeps the last value of each. */
static void mark_repeated(struct json_node *node)
{
    json_t *last = json_object();

    for (size_t i = 0; i < node->n_children; i++) {
        struct json_node *child = &node->children[i];
        const json_t *before = json_object_get(last, child->key);

        if (before) {
            struct json_node *earlier = &node->children[json_integer_value(before)];

            earlier->superseded = true;
            child->previous_line = earlier->key_line;
        }
        json_object_set_new(last, child->key, json_integer(i));
    }
    json_decref(last);
}

static bool link_values(struct json_node *node, const json_t *value)
{
    node->value = value;
    if (json_is_object(value)) {
        mark_repeated(node);
    } else if (json_is_array(value)) {
        if (json_array_size(value) != node->n_children)
            return false;
    } else if (node->n_children) {
        return false;
    }
    for (size_t i = 0; i < node->n_children; i++) {
        struct json_node *child = &node->children[i];

        child->parent = node;
        if (child->superseded)
            continue;
        value = json_is_object(node->value) ? json_object_get(node->value, child->key) : json_array_get(node->value, i);
        if (!value || !link_values(child, value))
            return false;
    }
    return true;
}

int json_tree_parse(const char *text, size_t len, struct json_tree **out, json_error_t *error)
{
    json_t *json = json_loadb(text, len, JSON_DECODE_ANY, error);

    if (!json)
        return -EINVAL;

    struct json_tree *tree = mem_calloc(1, sizeof *tree);
    struct scanner s = {text, text + len, 1};
    tree->json = json;
    if (!scan_value(&s, &tree->root) || !link_values(&tree->root, json)) {
        error->line = s.line;
        snprintf(error->text, sizeof error->text, "not understood");
        json_tree_free(tree);
        return -EINVAL;
    }
    *out = tree;
    return 0;
}

static bool is_plain_key(const char *key)
{
    return key[0] && key[strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")] == '\0';
}

/* Long keys are cut: the line says where they are. */
#define KEY_SHOWN 40

static void print_path(const struct json_node *node, FILE *out)
{
    if (!node->parent)
        return;
    print_path(node->parent, out);
    if (!node->key)
        fprintf(out, "[%zu]", (size_t)(node - node->parent->children));
    else if (is_plain_key(node->key) && strlen(node->key) <= KEY_SHOWN)
        fprintf(out, "%s%s", node->parent->parent ? "." : "", node->key);
    else {
        fprintf(out, "[\"");
        /* Not cut within a UTF-8 character. */
        for (const char *c = node->key; *c && (c < node->key + KEY_SHOWN || (*c & 0xc0) == 0x80); c++)
            fputc((unsigned char)*c < 0x20 || *c == 0x7f || *c == '"' ? '?' : *c, out);
        fprintf(out, "%s\"]", strlen(node->key) > KEY_SHOWN ? "..." : "");
    }
}

char *json_node_path(const struct json_node *node)
{
    char *path = NULL;
    size_t size;
    FILE *out = mem_stream(&path, &size);

    print_path(node, out);
    mem_stream_end(out);
    return path;
}

static const struct json_node *find_member(const struct json_node *node, const char *key, size_t len)
{
    for (size_t i = 0; i < node->n_children; i++) {
        const struct json_node *child = &node->children[i];

        if (child->key && !child->superseded && strlen(child->key) == len && memcmp(child->key, key, len) == 0)
            return child;
    }
    return NULL;
}

const struct json_node *json_tree_find(const struct json_tree *tree, const char *path)
{
    const struct json_node *node = &tree->root;

    while (*path) {
        const struct json_node *next = NULL;

        if (*path == '[') {
            char *rest;
            size_t index = strtoul(path + 1, &rest, 10);

            if (json_is_array(node->value) && index < node->n_children)
                next = &node->children[index];
            path = *rest ? rest + 1 : rest;
        } else {
            path += *path == '.';
            size_t len = strcspn(path, ".[");

            next = find_member(node, path, len);
            path += len;
        }
        if (!next)
            break;
        node = next;
    }
    return node;
}

static void free_children(struct json_node *node)
{
    for (size_t i = 0; i < node->n_children; i++) {
        free_children(&node->children[i]);
        free(node->children[i].key);
    }
    free(node->children);
}

void json_tree_free(struct json_tree *tree)
{
    if (!tree)
        return;
    free_children(&tree->root);
    json_decref(tree->json);
    free(tree);
}
