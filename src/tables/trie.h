/* Prefix tries: which prefix lengths of a value some rule has, and how many leading bits that answer depends on.
 *
 * A lookup table in front of the classifier's subtables: a subtable whose prefix length is not among those that match
 * cannot hold a matching rule, which is known from fewer bits than its mask has. Control thread only; nodes live in one
 * array that the trie owns.
 */
#ifndef SRC_TABLES_TRIE_H
#define SRC_TABLES_TRIE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct trie_node;

struct trie {
    struct trie_node *nodes; /* [0] is not used: index 0 says "none" */
    uint32_t n_nodes, size;
    uint32_t free_list;
    uint32_t root;
    unsigned width; /* bits of a value, at most 128 */
};

struct trie_result {
    uint64_t plens[2];  /* bit n - 1: some rule's prefix of n bits matches */
    unsigned checkbits; /* any value that agrees on so many leading bits has the same plens */
};

/* Values are big-endian. So many bytes from the start of one can be read, whatever the width. */
#define TRIE_VALUE_LEN 24

void trie_init(struct trie *trie, unsigned width);
void trie_destroy(struct trie *trie);
/* Counts one more (one less) rule with the first `plen` > 0 bits of `value`. */
void trie_insert(struct trie *trie, const uint8_t *value, unsigned plen);
void trie_remove(struct trie *trie, const uint8_t *value, unsigned plen);
void trie_lookup(const struct trie *trie, const uint8_t *value, struct trie_result *result);
size_t trie_memory(const struct trie *trie); /* bytes */

static inline bool trie_result_has(const struct trie_result *result, unsigned plen)
{
    return result->plens[(plen - 1) / 64] >> (plen - 1) % 64 & 1;
}

#endif
