/* Operations on matches: which one covers or overlaps another, and whether a flow hits it. Any thread; no state. */
#include <string.h>

#include "src/match/field.h"

#define WORDS(flow) ((const uint64_t *)(flow))

void match_init_all(struct match *match)
{
    memset(match, 0, sizeof *match);
}

void match_set_exact(struct match *match, const struct field *field, const union field_value *value)
{
    field_set(field, &match->value, value, NULL);
    field_mask_all(field, &match->mask);
}

void match_set_masked(struct match *match, const struct field *field, const union field_value *value,
                      const union field_value *mask)
{
    union field_value kept;
    bool all = true;

    for (unsigned i = 0; i < field->n_bytes; i++) {
        kept.b[i] = value->b[i] & mask->b[i];
        all &= mask->b[i] == 0xff;
    }
    if (all) {
        match_set_exact(match, field, value);
        return;
    }
    field_set(field, &match->value, &kept, NULL);
    if (field->id == FIELD_IN_PORT) /* its container is wider than the field: no partial masks */
        field_mask_all(field, &match->mask);
    else
        field_set(field, &match->mask, mask, NULL);
}

void match_imply_eth_type(struct match *match)
{
    const uint32_t type = rte_be_to_cpu_32(match->value.packet_type);

    if (type >> 16 != 1)
        return;
    match->value.pkt.eth_type = rte_cpu_to_be_16((uint16_t)type);
    match->mask.pkt.eth_type = UINT16_MAX;
}

void match_normalize(struct match *match)
{
    uint64_t *value = (uint64_t *)&match->value;

    for (unsigned i = 0; i < FLOW_WORDS; i++)
        value[i] &= WORDS(&match->mask)[i];
}

void flow_mask_or(struct flow *dst, const struct flow *src)
{
    uint64_t *d = (uint64_t *)dst;

    for (unsigned i = 0; i < FLOW_WORDS; i++)
        d[i] |= WORDS(src)[i];
}
