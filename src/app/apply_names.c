/* Maps from names to objects, for bridges, ports and claims (apply_impl.h). Control thread. */
#define MEM_WHAT "bridges and ports"

#include <stdlib.h>
#include <string.h>

#include "pmd/base/hash.h"
#include "pmd/base/mem.h"
#include "pmd/base/open_hash.h"
#include "src/app/apply_impl.h"

struct name {
    void *value;
    char text[];
};

struct slot {
    struct name *name; /* NULL: empty */
    uint32_t hash;
};

struct name_map {
    struct open_hash hash;
};

static const struct open_hash_type type = {sizeof(struct slot), offsetof(struct slot, hash)};

static uint32_t hash_text(const char *text)
{
    uint64_t hash = HASH_BASIS;

    for (const char *c = text; *c; c++)
        hash = hash_add(hash, (unsigned char)*c);
    return hash_finish(hash);
}

struct name_map *name_map_create(void)
{
    return mem_calloc(1, sizeof(struct name_map));
}

static void free_names(const struct name_map *map)
{
    struct slot *slots;
    uint32_t mask;

    for (unsigned i = 0; (slots = open_hash_array(&map->hash, i, &mask)); i++)
        for (uint32_t j = 0; j <= mask; j++)
            free(slots[j].name);
}

void name_map_free(struct name_map *map)
{
    if (!map)
        return;
    free_names(map);
    open_hash_free(&map->hash, type);
    free(map);
}

static struct slot *find_slot(const struct name_map *map, const char *name)
{
    uint32_t hash = hash_text(name), mask;
    struct slot *slots;

    for (unsigned i = 0; (slots = open_hash_array(&map->hash, i, &mask)); i++)
        for (uint32_t at = hash & mask; slots[at].name; at = (at + 1) & mask)
            if (slots[at].hash == hash && strcmp(slots[at].name->text, name) == 0)
                return &slots[at];
    return NULL;
}

void *name_map_find(const struct name_map *map, const char *name)
{
    const struct slot *slot = find_slot(map, name);

    return slot ? slot->name->value : NULL;
}

void name_map_put(struct name_map *map, const char *name, void *value)
{
    size_t size = strlen(name) + 1;
    struct name *entry = mem_calloc(1, sizeof *entry + size);
    uint32_t hash = hash_text(name);
    struct slot *slot = open_hash_insert(&map->hash, type, hash);

    entry->value = value;
    memcpy(entry->text, name, size);
    *slot = (struct slot){entry, hash};
}

void name_map_remove(struct name_map *map, const char *name)
{
    struct slot *slot = find_slot(map, name);
    struct name *entry = slot->name;

    open_hash_remove(&map->hash, type, slot);
    free(entry);
}
