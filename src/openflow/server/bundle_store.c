#include "src/openflow/server/bundle_store.h"

#include <rte_common.h>
#include <stdlib.h>
#include <string.h>

#include "src/actions/act_fields.h"
#include "src/match/tlv_map.h"
#include "src/openflow/codec/msg.h"
#include "src/tables/group.h"

#define CHUNK_MIN 4096u
#define CHUNK_MAX (1u << 20) /* chunks double up to this */

struct of_bundle_chunk {
    struct of_bundle_chunk *next;
    size_t used, size;
    uint8_t data[] __attribute__((aligned(8)));
};

void of_bundle_store_bury(struct of_bundle_store *store, struct of_bundle_store *dead)
{
    tlv_map_count_fields(store->options, -1);
    if (store->first) {
        *(dead->last ? &dead->last->next : &dead->first) = store->first;
        dead->last = store->last;
        dead->bytes += store->bytes;
    }
    *store = (struct of_bundle_store){0};
}

size_t of_bundle_store_free_some(struct of_bundle_store *store)
{
    size_t freed = 0;

    while (store->first && freed < CHUNK_MAX / 2) {
        struct of_bundle_chunk *chunk = store->first;
        freed += sizeof *chunk + chunk->size;
        store->first = chunk->next;
        free(chunk);
    }
    if (!store->first)
        store->last = NULL;
    store->bytes -= freed;
    return freed;
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

static uint64_t options_of_group(const struct group_mod *gm)
{
    uint64_t options = 0;

    for (unsigned i = 0; i < gm->selection.n_fields; i++)
        options |= tlv_map_fields_of(gm->selection.fields[i]);
    for (size_t i = 0; i < gm->n_buckets; i++)
        options |= act_list_options(&gm->buckets[i].acts);
    return options;
}

void of_bundle_store_hold(struct of_bundle_store *store, const struct of_msg *msg)
{
    uint64_t options = 0;

    if (msg->type == OF_FLOW_MOD)
        options = tlv_map_fields(&msg->flow_mod.match.mask) | act_list_options(&msg->flow_mod.acts);
    else if (msg->type == OF_GROUP_MOD)
        options = options_of_group(&msg->group_mod);
    else if (msg->type == OF_PACKET_OUT)
        options = tlv_map_fields(&msg->packet_out.flow) | act_list_options(&msg->packet_out.acts);
    options &= ~store->options;
    tlv_map_count_fields(options, 1);
    store->options |= options;
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
