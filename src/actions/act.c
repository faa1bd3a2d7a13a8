#include <stdlib.h>
#include <string.h>

#include "pmd/base/memory.h"

#include "src/actions/act_ops.h"

void act_buffer_init(struct act_buffer *buffer)
{
    memset(buffer, 0, sizeof *buffer);
}

void act_buffer_free(struct act_buffer *buffer)
{
    free(buffer->data);
    act_buffer_init(buffer);
}

void *act_buffer_add(struct act_buffer *buffer, enum act_type type, size_t len)
{
    struct act *act;

    len = (len + 7) & ~(size_t)7;
    if (buffer->size - buffer->len < len) {
        size_t size = buffer->size * 2 > buffer->len + len ? buffer->size * 2 : buffer->len + len + 64;
        uint8_t *data = realloc(buffer->data, size);

        if (!data)
            out_of_memory("rules, groups and meters", 0);
        buffer->data = data;
        buffer->size = size;
    }
    act = (struct act *)(buffer->data + buffer->len);
    memset(act, 0, len);
    act->type = type;
    act->len = (uint32_t)len;
    buffer->len += len;
    return act;
}

void *act_buffer_add_type(struct act_buffer *buffer, enum act_type type)
{
    return act_buffer_add(buffer, type, act_sizes[type]);
}

struct act_list act_buffer_list(const struct act_buffer *buffer)
{
    return (struct act_list){.acts = (const struct act *)buffer->data, .len = buffer->len};
}

bool act_nested(const struct act *act, struct act_list *inner)
{
    const struct act_bytes *bytes = (const struct act_bytes *)act;

    if (!act_ops[act->type]->nested)
        return false;
    *inner = (struct act_list){.acts = (const struct act *)bytes->data, .len = bytes->n};
    return true;
}

bool act_lists_equal(const struct act_list *a, const struct act_list *b)
{
    return a->len == b->len && (a->len == 0 || memcmp(a->acts, b->acts, a->len) == 0);
}

bool act_list_outputs_to(const struct act_list *list, uint32_t ofport)
{
    ACT_FOR_EACH (act, list) {
        const struct act_ops *ops = act_ops[act->type];
        struct act_list inner;

        if (act_nested(act, &inner) && act_list_outputs_to(&inner, ofport))
            return true;
        if (ops->outputs_to && ops->outputs_to(act, ofport))
            return true;
    }
    return false;
}

struct act_ref act_ref(const struct act *act)
{
    const struct act_ops *ops = act_ops[act->type];

    return ops->ref ? ops->ref(act) : (struct act_ref){ACT_REF_NONE, 0};
}

bool act_list_uses_group(const struct act_list *list, uint32_t group)
{
    ACT_FOR_EACH (act, list) {
        struct act_ref ref = act_ref(act);
        struct act_list inner;

        if (ref.type == ACT_REF_GROUP && ref.id == group)
            return true;
        if (act_nested(act, &inner) && act_list_uses_group(&inner, group))
            return true;
    }
    return false;
}

enum act_rank act_rank(const struct act *act)
{
    return act_ops[act->type]->rank;
}

bool act_fits_write_actions(const struct act *act)
{
    return act_rank(act) != ACT_RANK_NONE && !act_ops[act->type]->bucket_only;
}

bool act_fits_bucket(const struct act *act)
{
    return act_rank(act) != ACT_RANK_NONE || act_ops[act->type]->idle;
}
