/* Translation: Provider Backbone Bridges.
 *
 * A push puts a header in front of the whole frame, VLAN tags included, and so hides all of it but the addresses, which
 * both have. A pop leaves everything to be parsed again (xlate_freeze.c).
 */
#include <string.h>

#include "src/xlate/act_xlate_impl.h"

#define ISID 0x00ffffff
#define PCP_SHIFT 29

static bool is_pbb(struct xlate_ctx *ctx)
{
    XLATE_CONSULT(ctx, eth_type, UINT16_MAX);
    return ctx->flow.pkt.eth_type == RTE_BE16(ETH_TYPE_PBB);
}

/* OpenFlow 1.3.5, 5.12.1: the I-SID of a PBB header below, the priority of a VLAN tag. */
static rte_be32_t new_tag(struct xlate_ctx *ctx)
{
    rte_be32_t tag = 0;

    if (is_pbb(ctx)) {
        XLATE_CONSULT(ctx, pbb_isid, RTE_BE32(ISID));
        tag = ctx->flow.pkt.pbb_isid;
    }
    if (xlate_vlan_present(ctx)) {
        XLATE_CONSULT(ctx, vlan_tci[0], RTE_BE16(0xe000));
        tag |= rte_cpu_to_be_32((uint32_t)rte_be_to_cpu_16(ctx->flow.pkt.vlan_tci[0]) >> 13 << PCP_SHIFT);
    }
    return tag;
}

static void push_pbb(struct xlate_ctx *ctx, const struct act *act, bool last)
{
    struct flow_key *flow = &ctx->flow.pkt;
    struct op_pbb op = {.eth_type = rte_cpu_to_be_16((uint16_t)act_u32_of(act))};

    xlate_commit(ctx);
    op.tag = new_tag(ctx);
    program_builder_add(&ctx->out->program, OP_PUSH_PBB, 0, &op, sizeof op);
    xlate_vlan_hide(ctx);
    xlate_hide_inner(ctx);
    memset(flow->mpls_lse, 0, sizeof flow->mpls_lse);
    flow->eth_type = op.eth_type;
    flow->pbb_isid = op.tag & RTE_BE32(ISID);
    flow->pbb_uca = 0;
    xlate_known(ctx, offsetof(struct flow_key, mpls_lse), sizeof flow->mpls_lse);
    xlate_known(ctx, offsetof(struct flow_key, eth_type), sizeof flow->eth_type);
    xlate_known(ctx, offsetof(struct flow_key, pbb_isid), sizeof flow->pbb_isid);
    xlate_known(ctx, offsetof(struct flow_key, pbb_uca), sizeof flow->pbb_uca);
}

const struct act_xlate act_xlate_push_pbb = {.run = push_pbb, .ethernet_only = true};

static void pop_pbb(struct xlate_ctx *ctx, const struct act *act, bool last)
{
    if (!is_pbb(ctx))
        return;
    xlate_commit(ctx);
    program_builder_add(&ctx->out->program, OP_POP_PBB, 0, NULL, 0);
    ctx->unparsed |= XLATE_UNPARSED_INNER | XLATE_UNPARSED_ETH;
}

const struct act_xlate act_xlate_pop_pbb = {.run = pop_pbb, .sees = ACT_SEES_ETHERNET, .ethernet_only = true};
