/* Translation: encap and decap, and what packets that are not Ethernet are made of (PACKET_TYPE in flow.h). */
#include <string.h>

#include "src/xlate/act_xlate_impl.h"

#define ETH_TYPE_BRIDGED 0x6558 /* a whole frame (RFC 7637, 3.2) */
#define NSH_TTL 63
#define NSH_SERVICE_INDEX 255

static void fail(struct xlate_ctx *ctx, const char *text)
{
    xlate_fail(ctx, DROP_XLATE_ERROR, text);
}

static void set_packet_type(struct xlate_ctx *ctx, uint32_t type)
{
    ctx->flow.packet_type = rte_cpu_to_be_32(type);
    ctx->any_written = true;
}

static bool is_ethernet(const struct xlate_ctx *ctx)
{
    return ctx->flow.packet_type == PACKET_TYPE_ETHERNET;
}

/* A header in front of the whole frame, which it hides. */
static void push_eth(struct xlate_ctx *ctx)
{
    struct flow_key *flow = &ctx->flow.pkt;

    xlate_commit(ctx);
    program_builder_add(&ctx->out->program, OP_PUSH_ETH, ETH_TYPE_BRIDGED, NULL, 0);
    xlate_vlan_hide(ctx);
    xlate_hide_inner(ctx);
    memset(&flow->eth_dst, 0, sizeof flow->eth_dst);
    memset(&flow->eth_src, 0, sizeof flow->eth_src);
    flow->eth_type = RTE_BE16(ETH_TYPE_BRIDGED);
    memset(flow->mpls_lse, 0, sizeof flow->mpls_lse);
    flow->pbb_isid = 0;
    flow->pbb_uca = 0;
    xlate_known(ctx, offsetof(struct flow_key, eth_dst), 2 * RTE_ETHER_ADDR_LEN + sizeof flow->eth_type);
    xlate_known(ctx, offsetof(struct flow_key, mpls_lse), sizeof flow->mpls_lse);
    xlate_known(ctx, offsetof(struct flow_key, pbb_isid), sizeof flow->pbb_isid);
    xlate_known(ctx, offsetof(struct flow_key, pbb_uca), sizeof flow->pbb_uca);
}

/* The next protocol that says what the packet is now; 0 = none does. */
static uint8_t next_protocol(struct xlate_ctx *ctx)
{
    if (is_ethernet(ctx))
        return NSH_NP_ETHERNET;
    XLATE_CONSULT(ctx, eth_type, UINT16_MAX);
    switch (rte_be_to_cpu_16(ctx->flow.pkt.eth_type)) {
    case RTE_ETHER_TYPE_IPV4:
        return NSH_NP_IPV4;
    case RTE_ETHER_TYPE_IPV6:
        return NSH_NP_IPV6;
    case ETH_TYPE_NSH:
        return NSH_NP_NSH;
    case RTE_ETHER_TYPE_MPLS:
        return NSH_NP_MPLS;
    default:
        return 0;
    }
}

static uint16_t type_of_protocol(uint8_t np)
{
    switch (np) {
    case NSH_NP_IPV4:
        return RTE_ETHER_TYPE_IPV4;
    case NSH_NP_IPV6:
        return RTE_ETHER_TYPE_IPV6;
    case NSH_NP_NSH:
        return ETH_TYPE_NSH;
    case NSH_NP_MPLS:
        return RTE_ETHER_TYPE_MPLS;
    default:
        return 0;
    }
}

static void encap_nsh(struct xlate_ctx *ctx, const struct act_encap *act)
{
    struct flow_key_nsh nsh = {.ttl = NSH_TTL,
                               .mdtype = act->md_type ? act->md_type : 1,
                               .np = next_protocol(ctx),
                               .path = RTE_BE32(NSH_SERVICE_INDEX)};
    struct op_push_nsh op = {.len = 8 + (nsh.mdtype == 1 ? 16 : act->tlvs_len)};
    const uint16_t first = NSH_TTL << 6 | op.len / 4;

    if (nsh.np == 0) {
        fail(ctx, "encap(nsh) of a packet that NSH has no number for");
        return;
    }
    op.header[0] = first >> 8;
    op.header[1] = (uint8_t)first;
    op.header[2] = nsh.mdtype;
    op.header[3] = nsh.np;
    memcpy(op.header + 4, &nsh.path, 4);
    if (nsh.mdtype == 2)
        memcpy(op.header + 8, act->tlvs, act->tlvs_len);
    if (is_ethernet(ctx)) {
        push_eth(ctx);
    } else {
        xlate_commit(ctx);
        xlate_hide_inner(ctx);
    }
    program_builder_add(&ctx->out->program, OP_PUSH_NSH, 0, &op, sizeof op);
    ctx->flow.pkt.nsh = nsh;
    ctx->flow.pkt.eth_type = RTE_BE16(ETH_TYPE_NSH);
    memset(ctx->flow.pkt.mpls_lse, 0, sizeof ctx->flow.pkt.mpls_lse);
    xlate_known(ctx, offsetof(struct flow_key, nsh), sizeof nsh);
    xlate_known(ctx, offsetof(struct flow_key, eth_type), sizeof ctx->flow.pkt.eth_type);
    xlate_known(ctx, offsetof(struct flow_key, mpls_lse), sizeof ctx->flow.pkt.mpls_lse);
    set_packet_type(ctx, PACKET_TYPE(1, ETH_TYPE_NSH));
}

static void encap(struct xlate_ctx *ctx, const struct act *header, bool last)
{
    const struct act_encap *act = (const struct act_encap *)header;

    switch (act->packet_type) {
    case PACKET_TYPE_ETHERNET:
        if (is_ethernet(ctx))
            fail(ctx, "encap(ethernet) of an Ethernet packet");
        else
            set_packet_type(ctx, PACKET_TYPE_ETHERNET); /* the header is there */
        break;
    case PACKET_TYPE(1, ETH_TYPE_NSH):
        encap_nsh(ctx, act);
        break;
    case PACKET_TYPE(1, RTE_ETHER_TYPE_MPLS):
    case PACKET_TYPE(1, RTE_ETHER_TYPE_MPLSM):
        if (is_ethernet(ctx))
            push_eth(ctx);
        xlate_mpls_push(ctx, (uint16_t)act->packet_type, 64);
        set_packet_type(ctx, act->packet_type);
        break;
    }
}

const struct act_xlate act_xlate_encap = {.run = encap};

static void decap_eth(struct xlate_ctx *ctx)
{
    struct flow_key *flow = &ctx->flow.pkt;

    if (xlate_vlan_present(ctx)) {
        fail(ctx, "decap of a packet with a VLAN tag");
        return;
    }
    XLATE_CONSULT(ctx, eth_type, UINT16_MAX);
    if (flow->eth_type == RTE_BE16(ETH_TYPE_NONE)) {
        fail(ctx, "decap of a frame without an Ethernet type");
        return;
    }
    memset(&flow->eth_dst, 0, sizeof flow->eth_dst);
    memset(&flow->eth_src, 0, sizeof flow->eth_src);
    memset((uint8_t *)&ctx->written.pkt + offsetof(struct flow_key, eth_dst), 0xff, 2 * RTE_ETHER_ADDR_LEN);
    memset((uint8_t *)&ctx->dirty.pkt + offsetof(struct flow_key, eth_dst), 0xff, 2 * RTE_ETHER_ADDR_LEN);
    ctx->any_dirty = true;
    set_packet_type(ctx, PACKET_TYPE(1, rte_be_to_cpu_16(flow->eth_type)));
}

/* An Ethernet packet comes to light. */
static void reveal_frame(struct xlate_ctx *ctx)
{
    program_builder_add(&ctx->out->program, OP_POP_ETH, 0, NULL, 0);
    ctx->unparsed |= XLATE_UNPARSED_INNER | XLATE_UNPARSED_ETH;
    set_packet_type(ctx, PACKET_TYPE_ETHERNET);
}

static void decap_nsh(struct xlate_ctx *ctx)
{
    struct flow_key *flow = &ctx->flow.pkt;
    uint16_t type;

    XLATE_CONSULT(ctx, nsh.np, UINT8_MAX);
    type = type_of_protocol(flow->nsh.np);
    if (type == 0 && flow->nsh.np != NSH_NP_ETHERNET) {
        fail(ctx, "decap of an NSH with an unknown next protocol");
        return;
    }
    xlate_commit(ctx);
    program_builder_add(&ctx->out->program, OP_POP_NSH, type, NULL, 0);
    if (type == 0) {
        reveal_frame(ctx);
        return;
    }
    flow->eth_type = rte_cpu_to_be_16(type);
    xlate_known(ctx, offsetof(struct flow_key, eth_type), sizeof flow->eth_type);
    ctx->unparsed |= XLATE_UNPARSED_INNER;
    set_packet_type(ctx, PACKET_TYPE(1, type));
}

static void decap_mpls(struct xlate_ctx *ctx, uint32_t becomes)
{
    if (becomes >> 16 == 1) {
        xlate_mpls_pop(ctx, (uint16_t)becomes);
        set_packet_type(ctx, becomes);
    } else if (becomes == PACKET_TYPE_ETHERNET) {
        xlate_mpls_pop(ctx, ETH_TYPE_BRIDGED);
        reveal_frame(ctx);
    } else {
        fail(ctx, "decap of an MPLS label without saying what is behind");
    }
}

static void decap(struct xlate_ctx *ctx, const struct act *act, bool last)
{
    switch (rte_be_to_cpu_32(ctx->flow.packet_type)) {
    case PACKET_TYPE_ETHERNET:
        decap_eth(ctx);
        break;
    case PACKET_TYPE(1, ETH_TYPE_NSH):
        decap_nsh(ctx);
        break;
    case PACKET_TYPE(1, RTE_ETHER_TYPE_MPLS):
    case PACKET_TYPE(1, RTE_ETHER_TYPE_MPLSM):
        decap_mpls(ctx, act_u32_of(act));
        break;
    default:
        fail(ctx, "decap of a packet that has no header to take away");
    }
}

const struct act_xlate act_xlate_decap = {.run = decap};

static void dec_nsh_ttl(struct xlate_ctx *ctx, const struct act *act, bool last)
{
    if (!xlate_has_field(ctx, field_by_id(FIELD_NSH_TTL)))
        return;
    XLATE_CONSULT(ctx, nsh.ttl, UINT8_MAX);
    if (ctx->flow.pkt.nsh.ttl > 1) {
        ctx->flow.pkt.nsh.ttl--;
        ctx->written.pkt.nsh.ttl = ctx->dirty.pkt.nsh.ttl = UINT8_MAX;
        ctx->any_written = ctx->any_dirty = true;
        return;
    }
    xlate_note(ctx, " >> NSH decrement TTL exception");
    xlate_controller(ctx, 2 /* OFPR_INVALID_TTL */, 0, UINT16_MAX);
    xlate_reject(ctx);
}

const struct act_xlate act_xlate_dec_nsh_ttl = {.run = dec_nsh_ttl};
