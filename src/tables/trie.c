#include "src/tables/trie.h"

#include <rte_byteorder.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/memory.h"

/* A path-compressed binary trie. A node stands for the prefix that its ancestors' bits and its own spell; it has 1 to
 * 32 bits of its own, left-aligned, and more than one child, or rules, or a full segment of 32 bits. */
struct trie_node {
    uint32_t bits;
    uint32_t n_rules; /* with exactly this prefix */
    uint32_t child[2];
    uint32_t n_bits;
};

void trie_init(struct trie *trie, unsigned width)
{
    *trie = (struct trie){.width = width, .n_nodes = 1};
}

void trie_destroy(struct trie *trie)
{
    free(trie->nodes);
    trie_init(trie, trie->width);
}

size_t trie_memory(const struct trie *trie)
{
    return trie->size * sizeof *trie->nodes;
}

/* 32 bits from bit `ofs` on, left-aligned; past the end they are anything. */
static uint32_t value_bits(const uint8_t *value, unsigned ofs)
{
    uint64_t bits;

    memcpy(&bits, value + ofs / 8, sizeof bits);
    return (uint32_t)(rte_be_to_cpu_64(bits) << ofs % 8 >> 32);
}

static unsigned common_bits(uint32_t a, uint32_t b, unsigned max)
{
    unsigned n = a == b ? 32 : (unsigned)__builtin_clz(a ^ b);

    return n < max ? n : max;
}

static uint32_t leading(uint32_t bits, unsigned n)
{
    return n == 0 ? 0 : bits & (UINT32_MAX << (32 - n));
}

static uint32_t node_create(struct trie *trie, uint32_t bits, unsigned n_bits)
{
    uint32_t index = trie->free_list;

    if (index != 0) {
        trie->free_list = trie->nodes[index].child[0];
    } else {
        if (trie->n_nodes >= trie->size) {
            trie->size = trie->size < 8 ? 8 : trie->size + trie->size / 2;
            trie->nodes = realloc(trie->nodes, trie->size * sizeof *trie->nodes);
            if (!trie->nodes)
                out_of_memory("rules, groups and meters", 0);
        }
        index = trie->n_nodes++;
    }
    trie->nodes[index] = (struct trie_node){.bits = leading(bits, n_bits), .n_bits = n_bits};
    return index;
}

static void node_free(struct trie *trie, uint32_t index)
{
    trie->nodes[index].child[0] = trie->free_list;
    trie->free_list = index;
}

/* Where the index of a node is kept: the root or a child of `parent`. Not a pointer, since the array may move. */
static void link_set(struct trie *trie, uint32_t parent, unsigned side, uint32_t index)
{
    if (parent == 0)
        trie->root = index;
    else
        trie->nodes[parent].child[side] = index;
}

void trie_insert(struct trie *trie, const uint8_t *value, unsigned plen)
{
    uint32_t parent = 0, index = trie->root;
    uint32_t bits = value_bits(value, 0);
    unsigned side = 0, ofs = 0;

    for (;;) {
        unsigned left = plen - ofs;

        if (index == 0) {
            index = node_create(trie, bits, left < 32 ? left : 32);
            link_set(trie, parent, side, index);
        }

        struct trie_node *node = &trie->nodes[index];
        unsigned same = common_bits(bits, node->bits, left < node->n_bits ? left : node->n_bits);

        if (same < node->n_bits) {
            /* Splits the node at the first bit that differs, or where the new prefix ends. */
            uint32_t upper = node_create(trie, node->bits, same);

            node = &trie->nodes[index];
            trie->nodes[upper].child[node->bits << same >> 31] = index;
            node->bits <<= same;
            node->n_bits -= same;
            link_set(trie, parent, side, upper);
            index = upper;
        }
        ofs += same;
        if (ofs == plen) {
            trie->nodes[index].n_rules++;
            return;
        }
        parent = index;
        bits = value_bits(value, ofs);
        side = bits >> 31;
        index = trie->nodes[index].child[side];
    }
}

/* Frees or merges the node if it no longer has a reason to exist. Returns what stands in its place. */
static uint32_t node_tidy(struct trie *trie, uint32_t index)
{
    struct trie_node *node = &trie->nodes[index];

    if (node->n_rules > 0 || (node->child[0] != 0 && node->child[1] != 0))
        return index;

    uint32_t child = node->child[0] != 0 ? node->child[0] : node->child[1];

    if (child == 0) {
        node_free(trie, index);
        return 0;
    }

    struct trie_node *below = &trie->nodes[child];

    if (node->n_bits + below->n_bits > 32)
        return index;
    below->bits = node->bits | below->bits >> node->n_bits;
    below->n_bits += node->n_bits;
    node_free(trie, index);
    return child;
}

void trie_remove(struct trie *trie, const uint8_t *value, unsigned plen)
{
    uint32_t path[129];
    unsigned sides[129];
    unsigned depth = 0, ofs = 0, side = 0;
    uint32_t index = trie->root;

    for (;;) {
        path[depth] = index;
        sides[depth++] = side;
        ofs += trie->nodes[index].n_bits;
        if (ofs == plen)
            break;
        side = value_bits(value, ofs) >> 31;
        index = trie->nodes[index].child[side];
    }
    trie->nodes[index].n_rules--;
    while (depth-- > 0) {
        uint32_t now = node_tidy(trie, path[depth]);

        if (now == path[depth])
            break;
        link_set(trie, depth > 0 ? path[depth - 1] : 0, sides[depth], now);
    }
    if (trie->root == 0)
        trie_destroy(trie);
}

void trie_lookup(const struct trie *trie, const uint8_t *value, struct trie_result *result)
{
    uint32_t index = trie->root;
    unsigned ofs = 0;

    result->plens[0] = result->plens[1] = 0;
    while (index != 0) {
        const struct trie_node *node = &trie->nodes[index];
        unsigned same = common_bits(value_bits(value, ofs), node->bits, node->n_bits);

        ofs += same;
        if (same < node->n_bits) {
            result->checkbits = ofs + 1;
            return;
        }
        if (node->n_rules > 0)
            result->plens[(ofs - 1) / 64] |= UINT64_C(1) << (ofs - 1) % 64;
        if (node->child[0] == 0 && node->child[1] == 0)
            break;
        index = node->child[value_bits(value, ofs) >> 31];
        if (index == 0)
            ofs++; /* the bit that showed that there is no such child */
    }
    result->checkbits = ofs;
}
