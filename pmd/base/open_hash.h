/* Slots with open addressing and linear probing, that grow and shrink a few at a time: no operation takes long, however
 * many there are.
 *
 * A slot has 8 or 16 bytes, is empty if its first 8 are zero, and holds its hash. While a table is resized it has two
 * arrays: what is looked for may be in either. What was in the old one is moved cluster by cluster, each up to the next
 * empty slot, so that probing stays right in both. Control thread only; aborts on out of memory.
 */
#ifndef PMD_BASE_OPEN_HASH_H
#define PMD_BASE_OPEN_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct open_hash_resize;

/* All zero = empty. */
struct open_hash {
    void *slots;
    struct open_hash_resize *resize; /* NULL: none under way */
    uint32_t size;                   /* of `slots`: a power of two, 0 before the first */
    uint32_t used;                   /* in both arrays */
};

struct open_hash_resize {
    void *old; /* being emptied; NULL: not yet */
    void *next;
    uint32_t old_size, next_size;
    uint32_t cursor, left; /* of `old`: the next to look at, how many there are */
    size_t ready;          /* bytes of `next` that have memory */
};

/* What a slot looks like: constants where it is used. */
struct open_hash_type {
    uint8_t slot_size; /* bytes, 8 or 16 */
    uint8_t hash_at;   /* where its uint32_t hash is */
};

void open_hash_free(struct open_hash *hash, struct open_hash_type type);
/* An empty slot for an element with this hash, which must be filled before the next call. Slots found before are void.
 */
void *open_hash_insert(struct open_hash *hash, struct open_hash_type type, uint32_t value);
/* Empties a slot that was found since the last insert or remove. */
void open_hash_remove(struct open_hash *hash, struct open_hash_type type, void *slot);
size_t open_hash_memory(const struct open_hash *hash, struct open_hash_type type); /* bytes */

/* The arrays that an element may be in, for (unsigned i = 0; (slots = open_hash_array(hash, i, &mask)) != NULL; i++):
 * `mask` is the array's size - 1. */
static inline void *open_hash_array(const struct open_hash *hash, unsigned i, uint32_t *mask)
{
    if (i == 0 && hash->size > 0) {
        *mask = hash->size - 1;
        return hash->slots;
    }
    if (i == 1 && hash->resize && hash->resize->old) {
        *mask = hash->resize->old_size - 1;
        return hash->resize->old;
    }
    return NULL;
}

#endif
