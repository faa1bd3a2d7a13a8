#include "pmd/base/open_hash.h"

#include <stdlib.h>
#include <string.h>

#include "pmd/base/big_array.h"
#include "pmd/base/memory.h"

#define SIZE_MIN 4
#define AT_ONCE 256 /* slots: so few are moved in one go */
#define STEP 16     /* slots of the old array that an operation looks at, and on to the end of the last cluster */
#define STEP_READY (64u << 10) /* bytes that an operation gets memory for */

static void *slot_at(void *slots, struct open_hash_type type, uint32_t i)
{
    return (uint8_t *)slots + (size_t)i * type.slot_size;
}

static bool is_empty(const void *slot)
{
    return *(const uint64_t *)slot == 0;
}

static uint32_t hash_of(const void *slot, struct open_hash_type type)
{
    return *(const uint32_t *)((const uint8_t *)slot + type.hash_at);
}

static size_t bytes_of(struct open_hash_type type, uint32_t size)
{
    return (size_t)size * type.slot_size;
}

/* The empty slot where probing for the hash ends. */
static void *find_room(void *slots, uint32_t size, struct open_hash_type type, uint32_t value)
{
    uint32_t i = value & (size - 1);

    while (!is_empty(slot_at(slots, type, i)))
        i = (i + 1) & (size - 1);
    return slot_at(slots, type, i);
}

static void move_slot(struct open_hash *hash, struct open_hash_type type, void *slot)
{
    memcpy(find_room(hash->slots, hash->size, type, hash_of(slot, type)), slot, type.slot_size);
    memset(slot, 0, type.slot_size);
}

static void resize_end(struct open_hash *hash, struct open_hash_type type)
{
    struct open_hash_resize *resize = hash->resize;

    if (!resize)
        return;
    big_array_free(resize->old, bytes_of(type, resize->old_size));
    big_array_free(resize->next, bytes_of(type, resize->next_size));
    free(resize);
    hash->resize = NULL;
}

void open_hash_free(struct open_hash *hash, struct open_hash_type type)
{
    resize_end(hash, type);
    big_array_free(hash->slots, bytes_of(type, hash->size));
    *hash = (struct open_hash){0};
}

size_t open_hash_memory(const struct open_hash *hash, struct open_hash_type type)
{
    const struct open_hash_resize *resize = hash->resize;
    size_t bytes = bytes_of(type, hash->size);

    if (resize)
        bytes += sizeof *resize + bytes_of(type, resize->old_size) + resize->ready;
    return bytes;
}

/* The next array has memory: it takes over. */
static void resize_switch(struct open_hash *hash, struct open_hash_type type)
{
    struct open_hash_resize *resize = hash->resize;

    resize->old = hash->slots;
    resize->old_size = resize->left = hash->size;
    hash->slots = resize->next;
    hash->size = resize->next_size;
    resize->next = NULL;
    resize->next_size = 0;
    resize->ready = 0;
    /* From the start of a cluster on: there is an empty slot, as at most three quarters of them are used. */
    resize->cursor = 0;
    while (!is_empty(slot_at(resize->old, type, resize->cursor)))
        resize->cursor++;
}

static void resize_step(struct open_hash *hash, struct open_hash_type type, uint32_t most)
{
    struct open_hash_resize *resize = hash->resize;

    if (!resize)
        return;
    if (!resize->old) {
        size_t bytes = bytes_of(type, resize->next_size);

        resize->ready = big_array_ready(resize->next, bytes, resize->ready, STEP_READY);
        if (resize->ready == bytes)
            resize_switch(hash, type);
        return;
    }
    for (uint32_t looked_at = 0; resize->left > 0; looked_at++) {
        void *slot = slot_at(resize->old, type, resize->cursor);

        if (looked_at >= most && is_empty(slot))
            return;
        if (!is_empty(slot))
            move_slot(hash, type, slot);
        resize->cursor = (resize->cursor + 1) & (resize->old_size - 1);
        resize->left--;
    }
    resize_end(hash, type);
}

static void resize_finish(struct open_hash *hash, struct open_hash_type type)
{
    while (hash->resize)
        resize_step(hash, type, UINT32_MAX);
}

static void resize_begin(struct open_hash *hash, struct open_hash_type type, uint32_t size)
{
    struct open_hash_resize *resize = calloc(1, sizeof *resize);

    if (!resize)
        out_of_memory("rules, groups and meters", 0);
    resize->next = big_array_get(bytes_of(type, size));
    resize->next_size = size;
    hash->resize = resize;
    if (size <= AT_ONCE)
        resize_finish(hash, type);
}

void *open_hash_insert(struct open_hash *hash, struct open_hash_type type, uint32_t value)
{
    if (hash->size == 0) {
        hash->slots = big_array_get(bytes_of(type, SIZE_MIN));
        hash->size = SIZE_MIN;
    }
    resize_step(hash, type, STEP);
    if (hash->used >= hash->size / 4 * 3 && !hash->resize)
        resize_begin(hash, type, hash->size * 2);
    hash->used++;
    return find_room(hash->slots, hash->size, type, value);
}

/* Closes the gap: moves back what a probe would otherwise no longer reach. */
static void close_gap(void *slots, uint32_t size, struct open_hash_type type, uint32_t hole)
{
    uint32_t mask = size - 1;

    for (uint32_t i = (hole + 1) & mask; !is_empty(slot_at(slots, type, i)); i = (i + 1) & mask) {
        void *slot = slot_at(slots, type, i);

        if (((i - hash_of(slot, type)) & mask) >= ((i - hole) & mask)) {
            memcpy(slot_at(slots, type, hole), slot, type.slot_size);
            hole = i;
        }
    }
    memset(slot_at(slots, type, hole), 0, type.slot_size);
}

void open_hash_remove(struct open_hash *hash, struct open_hash_type type, void *slot)
{
    size_t at = (size_t)((uint8_t *)slot - (uint8_t *)hash->slots);
    const struct open_hash_resize *resize = hash->resize;

    if (at < bytes_of(type, hash->size))
        close_gap(hash->slots, hash->size, type, (uint32_t)(at / type.slot_size));
    else
        close_gap(resize->old, resize->old_size, type,
                  (uint32_t)((size_t)((uint8_t *)slot - (uint8_t *)resize->old) / type.slot_size));
    hash->used--;
    resize_step(hash, type, STEP);
    if (hash->used < hash->size / 8 && hash->size > SIZE_MIN && !hash->resize)
        resize_begin(hash, type, hash->size / 2);
}
