#include "src/openflow/bundle_store.h"

#include <rte_common.h>
#include <stdlib.h>
#include <string.h>

#include "src/openflow/msg.h"

#define CHUNK_MIN 4096u
#define CHUNK_MAX (1u << 20) /* chunks double up to this */

struct of_bundle_chunk {
    struct of_bundle_chunk *next;
    size_t used, size;
    uint8_t data[] __attribute__((aligned(8)));
};

bool of_bundle_store_free_some(struct of_bundle_store *store)
{
    struct of_bundle_chunk *chunk = store->first;
    if (chunk) {
        store->first = chunk->next;
        free(chunk);
    }
    return store->first;
}

void of_bundle_store_free(struct of_bundle_store *store)
{
    while (of_bundle_store_free_some(store))
        ;
    *store = (struct of_bundle_store){0};
}

bool of_bundle_store_add(struct of_bundle_store *store, const uint8_t *message, size_t len)
{
    struct of_bundle_chunk *chunk = store->last;
    size_t need = RTE_ALIGN_CEIL(len, (size_t)8);
    if (!chunk || chunk->size - chunk->used < need) {
        size_t size = chunk ? RTE_MIN(chunk->size * 2, (size_t)CHUNK_MAX) : CHUNK_MIN;
        size = RTE_MAX(size, need);
        chunk = malloc(sizeof *chunk + size);
        if (!chunk)
            return false;
        *chunk = (struct of_bundle_chunk){.size = size};
        *(store->last ? &store->last->next : &store->first) = chunk;
        store->last = chunk;
        store->bytes += sizeof *chunk + size;
    }
    memcpy(chunk->data + chunk->used, message, len);
    chunk->used += need;
    store->n++;
    return true;
}

void of_bundle_reader_init(struct of_bundle_reader *reader, const struct of_bundle_store *store)
{
    *reader = (struct of_bundle_reader){.chunk = store->first};
}

const uint8_t *of_bundle_reader_next(struct of_bundle_reader *reader, size_t *len)
{
    while (reader->chunk && reader->at >= reader->chunk->used)
        *reader = (struct of_bundle_reader){.chunk = reader->chunk->next};
    if (!reader->chunk)
        return NULL;
    const uint8_t *message = reader->chunk->data + reader->at;
    struct of_header header;
    of_header_parse(message, &header);
    *len = header.length;
    reader->at += RTE_ALIGN_CEIL(header.length, 8);
    return message;
}
