#include <stdlib.h>
#include <string.h>

#include "pmd/base/memory.h"

#include "src/actions/act.h"

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

struct act_list act_buffer_list(const struct act_buffer *buffer)
{
    return (struct act_list){.acts = (const struct act *)buffer->data, .len = buffer->len};
}

bool act_nested(const struct act *act, struct act_list *inner)
{
    const struct act_bytes *bytes = (const struct act_bytes *)act;

    if (act->type != ACT_WRITE_ACTIONS && act->type != ACT_CLONE)
        return false;
    *inner = (struct act_list){.acts = (const struct act *)bytes->data, .len = bytes->n};
    return true;
}

bool act_lists_equal(const struct act_list *a, const struct act_list *b)
{
    return a->len == b->len && (a->len == 0 || memcmp(a->acts, b->acts, a->len) == 0);
}

static bool bundle_outputs_to(const struct act_bundle *bundle, uint32_t ofport)
{
    for (uint32_t i = 0; i < bundle->n_members; i++) {
        if (bundle->members[i] == ofport && !bundle->dst.field)
            return true;
    }
    return false;
}

bool act_list_outputs_to(const struct act_list *list, uint32_t ofport)
{
    ACT_FOR_EACH (act, list) {
        struct act_list inner;

        if (act_nested(act, &inner) && act_list_outputs_to(&inner, ofport))
            return true;
        switch (act->type) {
        case ACT_OUTPUT:
            if (((const struct act_output *)act)->port == ofport)
                return true;
            break;
        case ACT_OUTPUT_TRUNC:
            if (((const struct act_output_trunc *)act)->port == ofport)
                return true;
            break;
        case ACT_BUNDLE:
            if (bundle_outputs_to((const struct act_bundle *)act, ofport))
                return true;
            break;
        case ACT_ENQUEUE:
            if (((const struct act_enqueue *)act)->port == ofport)
                return true;
            break;
        case ACT_CONTROLLER:
            if (ofport == OFPORT_CONTROLLER)
                return true;
            break;
        default:
            break;
        }
    }
    return false;
}

bool act_list_uses_group(const struct act_list *list, uint32_t group)
{
    ACT_FOR_EACH (act, list) {
        struct act_list inner;

        if (act->type == ACT_GROUP && ((const struct act_u32 *)act)->value == group)
            return true;
        if (act_nested(act, &inner) && act_list_uses_group(&inner, group))
            return true;
    }
    return false;
}

bool act_list_is_clause(const struct act_list *list)
{
    ACT_FOR_EACH (act, list) {
        if (act->type == ACT_CONJUNCTION)
            return true;
    }
    return false;
}

enum act_rank act_rank(const struct act *act)
{
    static const uint8_t ranks[ACT_N_TYPES] = {
        [ACT_COPY_TTL_IN] = ACT_RANK_COPY_TTL_IN,
        [ACT_POP_VLAN] = ACT_RANK_POP_VLAN,
        [ACT_POP_MPLS] = ACT_RANK_POP_MPLS,
        [ACT_POP_PBB] = ACT_RANK_POP_PBB,
        [ACT_DECAP] = ACT_RANK_DECAP,
        [ACT_ENCAP] = ACT_RANK_ENCAP,
        [ACT_PUSH_MPLS] = ACT_RANK_PUSH_MPLS,
        [ACT_PUSH_PBB] = ACT_RANK_PUSH_PBB,
        [ACT_PUSH_VLAN] = ACT_RANK_PUSH_VLAN,
        [ACT_COPY_TTL_OUT] = ACT_RANK_COPY_TTL_OUT,
        [ACT_DEC_TTL] = ACT_RANK_DEC_TTL,
        [ACT_DEC_MPLS_TTL] = ACT_RANK_DEC_MPLS_TTL,
        [ACT_DEC_NSH_TTL] = ACT_RANK_DEC_NSH_TTL,
        [ACT_SET_FIELD] = ACT_RANK_SET,
        [ACT_MOVE] = ACT_RANK_SET,
        [ACT_SET_VLAN_VID] = ACT_RANK_SET,
        [ACT_SET_VLAN_PCP] = ACT_RANK_SET,
        [ACT_SET_IP_TTL] = ACT_RANK_SET,
        [ACT_SET_MPLS_TTL] = ACT_RANK_SET,
        [ACT_SET_TUNNEL] = ACT_RANK_SET,
        [ACT_DELETE_FIELD] = ACT_RANK_SET,
        [ACT_SET_QUEUE] = ACT_RANK_QUEUE,
        [ACT_METER] = ACT_RANK_METER,
        [ACT_GROUP] = ACT_RANK_GROUP,
        [ACT_OUTPUT] = ACT_RANK_OUTPUT,
        [ACT_OUTPUT_REG] = ACT_RANK_OUTPUT,
        [ACT_CONTROLLER] = ACT_RANK_OUTPUT,
        [ACT_ENQUEUE] = ACT_RANK_OUTPUT,
        [ACT_RESUBMIT] = ACT_RANK_RESUBMIT,
    };

    return ranks[act->type];
}
