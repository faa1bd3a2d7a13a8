/* Translation: MPLS labels.
 *
 * Pushing and popping looks at all labels that the key has, so that afterwards all of them are known. What lies behind
 * a label is not in the key: pushing hides it, popping leaves it to be parsed again (xlate_freeze.c).
 */
#include <string.h>

#include "src/xlate/act_xlate_impl.h"

#define LSE_TTL 0x000000ffu
#define LSE_BOS 0x00000100u

static bool is_mpls(rte_be16_t eth_type)
{
    return eth_type == RTE_BE16(RTE_ETHER_TYPE_MPLS) || eth_type == RTE_BE16(RTE_ETHER_TYPE_MPLSM);
}

static bool is_ip(rte_be16_t eth_type)
{
    return eth_type == RTE_BE16(RTE_ETHER_TYPE_IPV4) || eth_type == RTE_BE16(RTE_ETHER_TYPE_IPV6);
}

static void consult_labels(struct xlate_ctx *ctx)
{
    XLATE_CONSULT(ctx, eth_type, UINT16_MAX);
    if (is_mpls(ctx->flow.pkt.eth_type))
        xlate_consult_bytes(ctx, offsetof(struct flow_key, mpls_lse), sizeof ctx->flow.pkt.mpls_lse);
}

void xlate_known(struct xlate_ctx *ctx, size_t offset, size_t n)
{
    memset((uint8_t *)&ctx->written.pkt + offset, 0xff, n);
    memset((uint8_t *)&ctx->committed + offset, 0xff, n);
    memset((uint8_t *)&ctx->dirty.pkt + offset, 0, n);
    memcpy((uint8_t *)&ctx->base + offset, (uint8_t *)&ctx->flow.pkt + offset, n);
    ctx->any_written = true;
}

/* The labels are as `flow` has them now, in the packet too. */
static void labels_known(struct xlate_ctx *ctx)
{
    xlate_known(ctx, offsetof(struct flow_key, mpls_lse), sizeof ctx->flow.pkt.mpls_lse);
    xlate_known(ctx, offsetof(struct flow_key, eth_type), sizeof ctx->flow.pkt.eth_type);
}

void xlate_hide_inner(struct xlate_ctx *ctx)
{
    static const struct {
        size_t from, to;
    } inner[] = {
        {offsetof(struct flow_key, tcp_flags), offsetof(struct flow_key, ct_state)},
        {offsetof(struct flow_key, ipv6_src), offsetof(struct flow_key, mpls_lse)},
        {offsetof(struct flow_key, nd_reserved), offsetof(struct flow_key, ct_ip_proto)},
    };

    for (size_t i = 0; i < sizeof inner / sizeof inner[0]; i++) {
        size_t from = inner[i].from, n = inner[i].to - from;

        memset((uint8_t *)&ctx->flow.pkt + from, 0, n);
        xlate_known(ctx, from, n);
    }
}

/* The type of a packet that is not Ethernet is its Ethernet type. */
static void show_packet_type(struct xlate_ctx *ctx)
{
    if (ctx->flow.packet_type != PACKET_TYPE_ETHERNET)
        ctx->flow.packet_type = rte_cpu_to_be_32(PACKET_TYPE(1, rte_be_to_cpu_16(ctx->flow.pkt.eth_type)));
}

void xlate_mpls_push(struct xlate_ctx *ctx, uint16_t eth_type, uint8_t ttl)
{
    struct flow_key *flow = &ctx->flow.pkt;
    struct op_mpls op = {.eth_type = rte_cpu_to_be_16(eth_type), .lse_mask = UINT32_MAX};
    const bool tagged = xlate_vlan_present(ctx);
    uint32_t lse;

    /* The header below is to be as the actions left it before it is out of reach. */
    xlate_commit(ctx);
    consult_labels(ctx);
    if (is_mpls(flow->eth_type)) {
        /* OpenFlow 1.3.5, 5.12.1: label, TC and TTL of the label below. */
        lse = rte_be_to_cpu_32(flow->mpls_lse[0]) & ~LSE_BOS;
    } else {
        if (is_ip(flow->eth_type)) {
            XLATE_CONSULT(ctx, ip_ttl, 0xff);
            ttl = flow->ip_ttl;
        }
        lse = ttl;
    }
    if (tagged || !is_mpls(flow->eth_type)) {
        lse |= LSE_BOS;
        xlate_hide_inner(ctx);
        memset(flow->mpls_lse, 0, sizeof flow->mpls_lse);
        flow->pbb_isid = 0;
        flow->pbb_uca = 0;
        xlate_known(ctx, offsetof(struct flow_key, pbb_isid), sizeof flow->pbb_isid);
        xlate_known(ctx, offsetof(struct flow_key, pbb_uca), sizeof flow->pbb_uca);
    }
    if (tagged)
        xlate_vlan_hide(ctx);
    op.lse = rte_cpu_to_be_32(lse);
    program_builder_add(&ctx->out->program, OP_PUSH_MPLS, 0, &op, sizeof op);
    flow->mpls_lse[2] = flow->mpls_lse[1];
    flow->mpls_lse[1] = flow->mpls_lse[0];
    flow->mpls_lse[0] = op.lse;
    flow->eth_type = op.eth_type;
    labels_known(ctx);
    show_packet_type(ctx);
}

void xlate_mpls_pop(struct xlate_ctx *ctx, uint16_t eth_type)
{
    struct flow_key *flow = &ctx->flow.pkt;
    struct op_mpls op = {.eth_type = rte_cpu_to_be_16(eth_type)};

    consult_labels(ctx);
    if (!is_mpls(flow->eth_type))
        return;
    xlate_commit(ctx);
    program_builder_add(&ctx->out->program, OP_POP_MPLS, 0, &op, sizeof op);
    flow->mpls_lse[0] = flow->mpls_lse[1];
    flow->mpls_lse[1] = flow->mpls_lse[2];
    flow->mpls_lse[2] = 0;
    flow->eth_type = op.eth_type;
    labels_known(ctx);
    show_packet_type(ctx);
    ctx->unparsed |= XLATE_UNPARSED_INNER;
}

static void push_mpls(struct xlate_ctx *ctx, const struct act *act, bool last)
{
    xlate_mpls_push(ctx, (uint16_t)act_u32_of(act), 0); /* OpenFlow 1.3.5, 5.12.1 */
}

const struct act_xlate act_xlate_push_mpls = {.run = push_mpls};

static void pop_mpls(struct xlate_ctx *ctx, const struct act *act, bool last)
{
    xlate_mpls_pop(ctx, (uint16_t)act_u32_of(act));
}

const struct act_xlate act_xlate_pop_mpls = {.run = pop_mpls};

static void write_ttl(struct xlate_ctx *ctx, uint8_t ttl)
{
    struct flow_key *flow = &ctx->flow.pkt;

    flow->mpls_lse[0] = (flow->mpls_lse[0] & ~RTE_BE32(LSE_TTL)) | rte_cpu_to_be_32(ttl);
    ctx->written.pkt.mpls_lse[0] |= RTE_BE32(LSE_TTL);
    ctx->dirty.pkt.mpls_lse[0] |= RTE_BE32(LSE_TTL);
    ctx->any_written = ctx->any_dirty = true;
}

static void set_mpls_ttl(struct xlate_ctx *ctx, const struct act *act, bool last)
{
    XLATE_CONSULT(ctx, eth_type, UINT16_MAX);
    if (is_mpls(ctx->flow.pkt.eth_type))
        write_ttl(ctx, (uint8_t)act_u32_of(act));
}

const struct act_xlate act_xlate_set_mpls_ttl = {.run = set_mpls_ttl};

static void dec_mpls_ttl(struct xlate_ctx *ctx, const struct act *act, bool last)
{
    uint8_t ttl;

    XLATE_CONSULT(ctx, eth_type, UINT16_MAX);
    if (!is_mpls(ctx->flow.pkt.eth_type))
        return;
    XLATE_CONSULT(ctx, mpls_lse[0], RTE_BE32(LSE_TTL));
    ttl = rte_be_to_cpu_32(ctx->flow.pkt.mpls_lse[0]) & LSE_TTL;
    if (ttl > 1) {
        write_ttl(ctx, ttl - 1);
        return;
    }
    xlate_note(ctx, " >> MPLS decrement TTL exception");
    xlate_controller(ctx, 2 /* OFPR_INVALID_TTL */, 0, UINT16_MAX);
    xlate_reject(ctx);
}

const struct act_xlate act_xlate_dec_mpls_ttl = {.run = dec_mpls_ttl};

/* Is the label below the outermost one in the key? If not, there is no label below, but what a pop brings to light. */
static bool has_second(struct xlate_ctx *ctx)
{
    XLATE_CONSULT(ctx, eth_type, UINT16_MAX);
    if (!is_mpls(ctx->flow.pkt.eth_type))
        return false;
    XLATE_CONSULT(ctx, mpls_lse[0], RTE_BE32(LSE_BOS));
    return !(ctx->flow.pkt.mpls_lse[0] & RTE_BE32(LSE_BOS));
}

/* The TTL of label `to` becomes that of label `from`, by the operation `type`. */
static void copy_between(struct xlate_ctx *ctx, unsigned from, unsigned to, enum program_op_type type)
{
    struct flow_key *flow = &ctx->flow.pkt;
    const rte_be32_t ttl = RTE_BE32(LSE_TTL);

    XLATE_CONSULT(ctx, mpls_lse[from], ttl);
    xlate_commit(ctx);
    program_builder_add(&ctx->out->program, type, 0, NULL, 0);
    flow->mpls_lse[to] = (flow->mpls_lse[to] & ~ttl) | (flow->mpls_lse[from] & ttl);
    ctx->base.mpls_lse[to] = (ctx->base.mpls_lse[to] & ~ttl) | (flow->mpls_lse[to] & ttl);
    ctx->written.pkt.mpls_lse[to] |= ttl;
    ctx->committed.mpls_lse[to] |= ttl;
    ctx->any_written = true;
}

static void copy_ttl_in(struct xlate_ctx *ctx, const struct act *act, bool last)
{
    if (has_second(ctx)) {
        copy_between(ctx, 0, 1, OP_COPY_TTL_IN);
    } else if (is_mpls(ctx->flow.pkt.eth_type)) {
        xlate_commit(ctx);
        program_builder_add(&ctx->out->program, OP_COPY_TTL_IN, 0, NULL, 0);
    }
}

const struct act_xlate act_xlate_copy_ttl_in = {.run = copy_ttl_in};

static void copy_ttl_out(struct xlate_ctx *ctx, const struct act *act, bool last)
{
    if (has_second(ctx)) {
        copy_between(ctx, 1, 0, OP_COPY_TTL_OUT);
    } else if (is_mpls(ctx->flow.pkt.eth_type)) {
        /* From a header that is not in the key. */
        xlate_commit(ctx);
        program_builder_add(&ctx->out->program, OP_COPY_TTL_OUT, 0, NULL, 0);
        ctx->unparsed |= XLATE_UNPARSED_INNER;
    }
}

const struct act_xlate act_xlate_copy_ttl_out = {.run = copy_ttl_out};
