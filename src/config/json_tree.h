/* A JSON text as a tree whose values know the line they stand on, which jansson's do not. The text is parsed by
 * jansson; a small scanner then walks the same text, known to be well-formed, for the lines and for keys that are given
 * twice (of which jansson keeps the last). Control thread only.
 */
#ifndef SRC_CONFIG_JSON_TREE_H
#define SRC_CONFIG_JSON_TREE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct json_node {
    const struct json_node *parent; /* NULL: the root */
    char *key;                      /* in an object: decoded, UTF-8; else NULL */
    unsigned key_line;
    unsigned line;              /* where the value starts */
    bool superseded;            /* the same key comes again later in the object; `value` is NULL then */
    unsigned previous_line;     /* line of an earlier occurrence of the key, 0: there is none */
    const json_t *value;        /* borrowed from the tree */
    struct json_node *children; /* of an object or array, in the order of the text */
    size_t n_children;
};

struct json_tree {
    json_t *json;
    struct json_node root;
};

/* Parses `len` bytes. Returns 0 and a tree to be freed, or -EINVAL with the line and what is wrong. Any JSON value may
 * be the root. */
int json_tree_parse(const char *text, size_t len, struct json_tree **tree, json_error_t *error);

/* The path of a node, "bridges[0].ports[2].devargs"; "" for the root. The caller frees it. */
char *json_node_path(const struct json_node *node);

/* The node of such a path, or the nearest one above it that there is. */
const struct json_node *json_tree_find(const struct json_tree *tree, const char *path);

void json_tree_free(struct json_tree *tree);

#endif
