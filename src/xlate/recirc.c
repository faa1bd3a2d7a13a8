#include "src/xlate/recirc.h"

#include <stdlib.h>
#include <string.h>

#include "pmd/base/intern.h"
#include "pmd/base/memory.h"

/* What precedes the actions of a segment. */
struct segment {
    uint64_t cookie;
    uint8_t table_id, table_miss, packet_out, zero;
    uint32_t len; /* of the actions */
};

/* An interned content: this, then the stack, the segments, the action set. */
struct frozen {
    struct recirc_state state;
    uint32_t segments_len, set_len;
};

static struct intern_table table = {.limit = 65536};
/* A bridge that is being forgotten: NULL, or nothing of it is known any more. */
static const struct bridge *forgotten;
static uint32_t forget_at;

static uint8_t *append(struct act_buffer *buffer, size_t len)
{
    if (buffer->len + len > buffer->size) {
        buffer->size = (buffer->len + len) * 2;
        buffer->data = realloc(buffer->data, buffer->size);
        if (!buffer->data)
            out_of_memory("the bookkeeping of megaflows", 0);
    }
    buffer->len += len;
    return buffer->data + buffer->len - len;
}

void recirc_add_segment(struct act_buffer *segments, const struct recirc_origin *origin, const struct act_list *list)
{
    struct segment head = {.cookie = origin->cookie,
                           .table_id = origin->table_id,
                           .table_miss = origin->table_miss,
                           .packet_out = origin->packet_out,
                           .len = (uint32_t)list->len};
    uint8_t *p;

    if (list->len == 0)
        return;
    p = append(segments, sizeof head + list->len);
    memcpy(p, &head, sizeof head);
    memcpy(p + sizeof head, list->acts, list->len);
}

uint32_t recirc_intern(const struct recirc_state *state, const union field_value *stack,
                       const struct act_buffer *segments, const struct act_buffer *set)
{
    struct frozen head;
    struct act_buffer content = {0};
    uint32_t id;

    memset(&head, 0, sizeof head);
    head.state = *state;
    head.segments_len = (uint32_t)segments->len;
    head.set_len = (uint32_t)set->len;
    memcpy(append(&content, sizeof head), &head, sizeof head);
    if (state->n_stack > 0)
        memcpy(append(&content, state->n_stack * sizeof *stack), stack, state->n_stack * sizeof *stack);
    if (segments->len > 0)
        memcpy(append(&content, segments->len), segments->data, segments->len);
    if (set->len > 0)
        memcpy(append(&content, set->len), set->data, set->len);
    id = intern_add(&table, content.data, content.len);
    free(content.data);
    return id;
}

static bool of_bridge(const void *content, const void *bridge)
{
    return ((const struct frozen *)content)->state.bridge == bridge;
}

const struct recirc *recirc_get(uint32_t id)
{
    static struct recirc recirc;
    const struct interned *item = intern_get(&table, id);
    const struct frozen *head;

    if (!item || (forgotten && of_bridge(item->content, forgotten)))
        return NULL;
    head = (const struct frozen *)item->content;
    recirc.state = head->state;
    recirc.segments_len = head->segments_len;
    recirc.set_len = head->set_len;
    recirc.stack = (const union field_value *)(head + 1);
    recirc.segments = (const uint8_t *)(recirc.stack + head->state.n_stack);
    recirc.set.acts = (const struct act *)(recirc.segments + head->segments_len);
    recirc.set.len = head->set_len;
    return &recirc;
}

void recirc_for_each_segment(const struct recirc *recirc,
                             void (*fn)(void *arg, const struct recirc_origin *origin, const struct act_list *list,
                                        bool last),
                             void *arg)
{
    const uint8_t *p = recirc->segments, *end = p + recirc->segments_len;

    while (p < end) {
        const struct segment *head = (const struct segment *)p;
        struct act_list list = {.acts = (const struct act *)(head + 1), .len = head->len};
        struct recirc_origin origin = {.cookie = head->cookie,
                                       .table_id = head->table_id,
                                       .table_miss = head->table_miss,
                                       .packet_out = head->packet_out};

        p += sizeof *head + head->len;
        fn(arg, &origin, &list, p == end);
    }
}

bool recirc_forget_bridge(const struct bridge *bridge, unsigned most)
{
    forgotten = intern_remove_some(&table, &forget_at, most, of_bridge, bridge) ? NULL : bridge;
    return !forgotten;
}

uint32_t recirc_count(void)
{
    return table.n;
}

void recirc_sweep_begin(void)
{
    intern_sweep_begin(&table);
}

void recirc_mark(uint32_t id)
{
    intern_mark(&table, id);
}

bool recirc_sweep_some(unsigned most)
{
    return intern_sweep_some(&table, most);
}
