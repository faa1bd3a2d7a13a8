/* Translation: looking at fields and writing them. */
#include <netinet/in.h>
#include <string.h>

#include "src/xlate/xlate_ctx.h"

void xlate_consult(struct xlate_ctx *ctx, const struct flow *bits)
{
    uint64_t *wc = (uint64_t *)&ctx->out->wc.pkt;
    const uint64_t *seen = (const uint64_t *)&bits->pkt, *written = (const uint64_t *)&ctx->written.pkt;

    for (size_t i = 0; i < sizeof(struct flow_key) / 8; i++)
        wc[i] |= seen[i] & ~written[i];
}

void xlate_consult_bytes(struct xlate_ctx *ctx, size_t offset, size_t n)
{
    uint8_t *wc = (uint8_t *)&ctx->out->wc.pkt + offset;
    const uint8_t *written = (const uint8_t *)&ctx->written.pkt + offset;

    for (size_t i = 0; i < n; i++)
        wc[i] |= (uint8_t)~written[i];
}

static bool is_of_ethernet(const struct field *field)
{
    return field->id >= FIELD_ETH_DST && field->id <= FIELD_VLAN_PCP;
}

bool xlate_has_field(struct xlate_ctx *ctx, const struct field *field)
{
    struct flow seen;
    bool has;

    if (field->prereq == PREREQ_NONE)
        return ctx->flow.packet_type == PACKET_TYPE_ETHERNET || !is_of_ethernet(field);
    memset(&seen, 0, sizeof seen);
    has = field_prereq_holds(field, &ctx->flow, &seen);
    xlate_consult(ctx, &seen);
    if (has && field->prereq >= PREREQ_ND && field->prereq <= PREREQ_ND_ADVERT) {
        /* RFC 4861, 4.3 and 4.4: the code is 0, or it is not neighbour discovery. */
        XLATE_CONSULT(ctx, tp_dst, UINT16_MAX);
        has = ctx->flow.pkt.tp_dst == 0;
    }
    if (has && (field->id == FIELD_ND_SLL || field->id == FIELD_ND_TLL)) {
        XLATE_CONSULT(ctx, nd_options_type, 0xff);
        has = ctx->flow.pkt.nd_options_type == (field->id == FIELD_ND_SLL ? 1 : 2);
    }
    if (has && field->id >= FIELD_NSH_C1 && field->id <= FIELD_NSH_C4) {
        XLATE_CONSULT(ctx, nsh.mdtype, 0xff);
        has = ctx->flow.pkt.nsh.mdtype == 1;
    }
    return has;
}

static bool is_vlan(const struct field *field)
{
    return field->id == FIELD_VLAN_TCI || field->id == FIELD_VLAN_VID || field->id == FIELD_VLAN_PCP;
}

/* `value` and `mask` hold the bits of vlan_tci[0] that are to be written. */
static void set_vlan_field(struct xlate_ctx *ctx, const struct field *field, rte_be16_t value, rte_be16_t mask)
{
    if (field->id == FIELD_VLAN_TCI) {
        xlate_vlan_set_tci(ctx, value, mask);
    } else if (xlate_vlan_present(ctx)) {
        /* OFPVID_PRESENT is not for actions to change: push_vlan and pop_vlan do that. */
        mask &= (rte_be16_t)~RTE_BE16(VLAN_TCI_PRESENT);
        xlate_vlan_set(ctx, value & mask, mask);
    }
}

/* Bits of `field` were written in ctx->flow. */
static void mark_written(struct xlate_ctx *ctx, const struct field *field, const union field_value *mask)
{
    if (field->offset >= sizeof(struct flow_key)) {
        ctx->any_written |= field->id == FIELD_IN_PORT || field->id == FIELD_IN_PORT_OXM;
        return;
    }
    /* Which address the option holds, and what is behind the label, follows from it. */
    if (field->id == FIELD_ND_OPTIONS_TYPE || field->id == FIELD_MPLS_BOS)
        ctx->unparsed |= XLATE_UNPARSED_INNER;
    field_set(field, &ctx->written, mask, mask);
    field_set(field, &ctx->dirty, mask, mask);
    ctx->any_written = ctx->any_dirty = true;
}

/* Makes the packet one of another kind: its Ethernet type, or the protocol of IP. */
static void set_type(struct xlate_ctx *ctx, const struct field *field, const union field_value *value)
{
    const struct flow_key *flow = &ctx->flow.pkt;

    if (ctx->flow.packet_type != PACKET_TYPE_ETHERNET && field->id == FIELD_ETH_TYPE)
        return;
    xlate_commit(ctx);
    field_set(field, &ctx->flow, value, NULL);
    if (field->id == FIELD_ETH_TYPE)
        program_builder_add(&ctx->out->program, OP_SET_TYPE, rte_be_to_cpu_16(flow->eth_type), NULL, 0);
    else
        program_builder_add(&ctx->out->program, OP_SET_PROTO, flow->ip_proto, NULL, 0);
    xlate_known(ctx, field->offset, field->container);
    ctx->unparsed |= XLATE_UNPARSED_INNER;
}

void xlate_set_field(struct xlate_ctx *ctx, const struct field *field, const union field_value *value,
                     const union field_value *mask)
{
    if (!xlate_has_field(ctx, field))
        return;
    if (field->retypes) {
        set_type(ctx, field, value);
        return;
    }
    if (is_vlan(field)) {
        struct flow v, m;

        memset(&v, 0, sizeof v);
        memset(&m, 0, sizeof m);
        field_set(field, &v, value, mask);
        field_set(field, &m, mask, mask);
        set_vlan_field(ctx, field, v.pkt.vlan_tci[0], m.pkt.vlan_tci[0]);
        return;
    }
    field_set(field, &ctx->flow, value, mask);
    mark_written(ctx, field, mask);
}

static void consult_subfield(struct xlate_ctx *ctx, const struct subfield *sf)
{
    struct flow seen;

    if (sf->field->offset >= sizeof(struct flow_key))
        return;
    memset(&seen, 0, sizeof seen);
    subfield_mask(sf, &seen);
    xlate_consult(ctx, &seen);
}

/* Writes a right-aligned value. */
void xlate_write_value(struct xlate_ctx *ctx, const struct subfield *sf, const union field_value *value)
{
    struct flow mask;

    if (!xlate_has_field(ctx, sf->field))
        return;
    memset(&mask, 0, sizeof mask);
    subfield_mask(sf, &mask);
    if (is_vlan(sf->field)) {
        struct flow v;

        memset(&v, 0, sizeof v);
        subfield_set(sf, &v, value);
        set_vlan_field(ctx, sf->field, v.pkt.vlan_tci[0], mask.pkt.vlan_tci[0]);
    } else {
        union field_value bits;

        subfield_set(sf, &ctx->flow, value);
        field_get(sf->field, &mask, &bits);
        mark_written(ctx, sf->field, &bits);
    }
}

void xlate_write_number(struct xlate_ctx *ctx, const struct subfield *sf, uint32_t number)
{
    union field_value value;

    memset(&value, 0, sizeof value);
    for (unsigned i = sizeof value.b; i-- > sizeof value.b - 4; number >>= 8)
        value.b[i] = (uint8_t)number;
    xlate_write_value(ctx, sf, &value);
}

void xlate_read_value(struct xlate_ctx *ctx, const struct subfield *src, union field_value *value)
{
    consult_subfield(ctx, src);
    subfield_get(src, &ctx->flow, value);
}

uint32_t xlate_read(struct xlate_ctx *ctx, const struct subfield *src)
{
    union field_value value;

    if (!xlate_has_field(ctx, src->field))
        return 0;
    consult_subfield(ctx, src);
    subfield_get(src, &ctx->flow, &value);
    return (uint32_t)value.b[12] << 24 | (uint32_t)value.b[13] << 16 | (uint32_t)value.b[14] << 8 | value.b[15];
}
