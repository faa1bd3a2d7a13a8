/* Translation: writing what the actions changed into the program, one operation for each header. */
#include <netinet/in.h>
#include <string.h>

#include "src/xlate/xlate_ctx.h"

#define IS(key, type_) ((key)->eth_type == RTE_BE16(RTE_ETHER_TYPE_##type_))

/* What there is to write: `need` is what has to be, `may` what can be. A field that needs a bit written is written with
 * all bits that are known, so that people read whole values. */
struct writes {
    struct flow_key need, may;
};

static bool any(const void *bits, size_t n)
{
    const uint8_t *b = bits;
    uint8_t sum = 0;

    for (size_t i = 0; i < n; i++)
        sum |= b[i];
    return sum;
}

#define NEEDS(w, field) any(&(w)->need.field, sizeof(w)->need.field)
#define MASK(w, field) (NEEDS(w, field) ? (w)->may.field : 0)
#define COPY_MASKED(op, member, mask_member, key, w, field)                                                            \
    do {                                                                                                               \
        if (NEEDS(w, field)) {                                                                                         \
            memcpy(&(op)->member, &(key)->field, sizeof(op)->member);                                                  \
            memcpy(&(op)->mask_member, &(w)->may.field, sizeof(op)->mask_member);                                      \
        }                                                                                                              \
    } while (0)

static void commit_eth(struct program_builder *b, const struct flow_key *key, const struct writes *w)
{
    struct op_eth op;

    if (!NEEDS(w, eth_dst) && !NEEDS(w, eth_src))
        return;
    memset(&op, 0, sizeof op);
    COPY_MASKED(&op, dst, dst_mask, key, w, eth_dst);
    COPY_MASKED(&op, src, src_mask, key, w, eth_src);
    program_builder_add(b, OP_SET_ETH, 0, &op, sizeof op);
}

static void commit_mpls(struct program_builder *b, const struct flow_key *key, const struct writes *w)
{
    if (w->need.mpls_lse[0]) {
        struct op_mpls op = {.lse = key->mpls_lse[0], .lse_mask = w->may.mpls_lse[0]};

        program_builder_add(b, OP_SET_MPLS, 0, &op, sizeof op);
    }
}

static void commit_nsh(struct program_builder *b, const struct flow_key *key, const struct writes *w)
{
    struct op_nsh op;

    if (key->eth_type != RTE_BE16(ETH_TYPE_NSH) || !NEEDS(w, nsh))
        return;
    memset(&op, 0, sizeof op);
    COPY_MASKED(&op, flags, flags_mask, key, w, nsh.flags);
    COPY_MASKED(&op, ttl, ttl_mask, key, w, nsh.ttl);
    COPY_MASKED(&op, path, path_mask, key, w, nsh.path);
    COPY_MASKED(&op, context, context_mask, key, w, nsh.context);
    program_builder_add(b, OP_SET_NSH, 0, &op, sizeof op);
}

static void commit_pbb(struct program_builder *b, const struct flow_key *key, const struct writes *w)
{
    const uint32_t uca = 0x08000000;
    struct op_pbb op = {.tag = key->pbb_isid | (key->pbb_uca ? rte_cpu_to_be_32(uca) : 0),
                        .tag_mask = MASK(w, pbb_isid) | (w->need.pbb_uca ? rte_cpu_to_be_32(uca) : 0)};

    if (op.tag_mask)
        program_builder_add(b, OP_SET_PBB, 0, &op, sizeof op);
}

static void commit_ipv4(struct program_builder *b, const struct flow_key *key, const struct writes *w)
{
    struct op_ipv4 op;

    if (!(w->need.ipv4_src | w->need.ipv4_dst | w->need.ip_tos | w->need.ip_ttl))
        return;
    memset(&op, 0, sizeof op);
    COPY_MASKED(&op, src, src_mask, key, w, ipv4_src);
    COPY_MASKED(&op, dst, dst_mask, key, w, ipv4_dst);
    COPY_MASKED(&op, tos, tos_mask, key, w, ip_tos);
    COPY_MASKED(&op, ttl, ttl_mask, key, w, ip_ttl);
    program_builder_add(b, OP_SET_IPV4, 0, &op, sizeof op);
}

static void commit_ipv6(struct program_builder *b, const struct flow_key *key, const struct writes *w)
{
    struct op_ipv6 op;

    if (!NEEDS(w, ipv6_src) && !NEEDS(w, ipv6_dst) && !(w->need.ipv6_label | w->need.ip_tos | w->need.ip_ttl))
        return;
    memset(&op, 0, sizeof op);
    COPY_MASKED(&op, src, src_mask, key, w, ipv6_src);
    COPY_MASKED(&op, dst, dst_mask, key, w, ipv6_dst);
    COPY_MASKED(&op, label, label_mask, key, w, ipv6_label);
    COPY_MASKED(&op, tos, tos_mask, key, w, ip_tos);
    COPY_MASKED(&op, ttl, ttl_mask, key, w, ip_ttl);
    program_builder_add(b, OP_SET_IPV6, 0, &op, sizeof op);
}

static void commit_arp(struct program_builder *b, const struct flow_key *key, const struct writes *w)
{
    struct op_arp op;

    if (!(w->need.ip_proto | w->need.ipv4_src | w->need.ipv4_dst) && !NEEDS(w, arp_sha) && !NEEDS(w, arp_tha))
        return;
    memset(&op, 0, sizeof op);
    op.op = rte_cpu_to_be_16(key->ip_proto);
    /* The key has the low byte; a whole value sets the high one, too. */
    op.op_mask = MASK(w, ip_proto) == UINT8_MAX ? UINT16_MAX : rte_cpu_to_be_16(MASK(w, ip_proto));
    COPY_MASKED(&op, spa, spa_mask, key, w, ipv4_src);
    COPY_MASKED(&op, tpa, tpa_mask, key, w, ipv4_dst);
    COPY_MASKED(&op, sha, sha_mask, key, w, arp_sha);
    COPY_MASKED(&op, tha, tha_mask, key, w, arp_tha);
    program_builder_add(b, OP_SET_ARP, 0, &op, sizeof op);
}

static void commit_icmp(struct program_builder *b, const struct flow_key *key, const struct writes *w)
{
    struct op_icmp op = {.type = (uint8_t)rte_be_to_cpu_16(key->tp_src),
                         .type_mask = (uint8_t)rte_be_to_cpu_16(MASK(w, tp_src)),
                         .code = (uint8_t)rte_be_to_cpu_16(key->tp_dst),
                         .code_mask = (uint8_t)rte_be_to_cpu_16(MASK(w, tp_dst))};

    if (op.type_mask | op.code_mask)
        program_builder_add(b, OP_SET_ICMP, 0, &op, sizeof op);
}

static void commit_nd(struct program_builder *b, const struct flow_key *key, const struct writes *w)
{
    struct op_nd op;

    if (!NEEDS(w, nd_target) && !NEEDS(w, arp_sha) && !NEEDS(w, arp_tha) && !NEEDS(w, nd_reserved) &&
        !NEEDS(w, nd_options_type))
        return;
    memset(&op, 0, sizeof op);
    COPY_MASKED(&op, reserved, reserved_mask, key, w, nd_reserved);
    COPY_MASKED(&op, option, option_mask, key, w, nd_options_type);
    COPY_MASKED(&op, target, target_mask, key, w, nd_target);
    COPY_MASKED(&op, sll, sll_mask, key, w, arp_sha);
    COPY_MASKED(&op, tll, tll_mask, key, w, arp_tha);
    program_builder_add(b, OP_SET_ND, 0, &op, sizeof op);
}

static void commit_l4(struct program_builder *b, const struct flow_key *key, const struct writes *w)
{
    if (key->ip_proto == IPPROTO_ICMPV6) {
        /* Before the type: it says whether there is a target. */
        commit_nd(b, key, w);
        commit_icmp(b, key, w);
    } else if (key->ip_proto == IPPROTO_ICMP) {
        commit_icmp(b, key, w);
    } else if (w->need.tp_src | w->need.tp_dst) {
        struct op_l4 op = {
            .src = key->tp_src, .dst = key->tp_dst, .src_mask = MASK(w, tp_src), .dst_mask = MASK(w, tp_dst)};

        program_builder_add(b, OP_SET_L4, 0, &op, sizeof op);
    }
}

/* The bits that the program has to set, and notes that it did. */
static void take_dirty(struct xlate_ctx *ctx, struct writes *w)
{
    const uint64_t *flow = (const uint64_t *)&ctx->flow.pkt, *wc = (const uint64_t *)&ctx->out->wc.pkt;
    uint64_t *base = (uint64_t *)&ctx->base, *committed = (uint64_t *)&ctx->committed;
    uint64_t *dirty = (uint64_t *)&ctx->dirty.pkt, *need = (uint64_t *)&w->need;

    w->may = ctx->dirty.pkt;
    for (size_t i = 0; i < sizeof(struct flow_key) / 8; i++) {
        /* A bit of `base` is known if the program set it or if the megaflow has it exactly. */
        uint64_t known = committed[i] | wc[i];

        need[i] = dirty[i] & ~(known & ~(base[i] ^ flow[i]));
        committed[i] |= dirty[i];
        base[i] = (base[i] & ~dirty[i]) | (flow[i] & dirty[i]);
        dirty[i] = 0;
    }
    ctx->any_dirty = false;
}

static void commit_headers(struct xlate_ctx *ctx)
{
    struct program_builder *b = &ctx->out->program;
    const struct flow_key *key = &ctx->flow.pkt;
    struct writes w;

    if (!ctx->any_dirty)
        return;
    take_dirty(ctx, &w);
    commit_eth(b, key, &w);
    commit_mpls(b, key, &w);
    commit_pbb(b, key, &w);
    commit_nsh(b, key, &w);
    if (IS(key, IPV4)) {
        commit_ipv4(b, key, &w);
        commit_l4(b, key, &w);
    } else if (IS(key, IPV6)) {
        commit_ipv6(b, key, &w);
        commit_l4(b, key, &w);
    } else if (IS(key, ARP) || IS(key, RARP)) {
        commit_arp(b, key, &w);
    }
}

void xlate_commit(struct xlate_ctx *ctx)
{
    xlate_queue_commit(ctx);
    /* Headers are found behind two tags at most: change them while there are the fewest. */
    if (ctx->vlans.n > ctx->base_vlans.n) {
        commit_headers(ctx);
        xlate_vlan_commit(ctx);
    } else {
        xlate_vlan_commit(ctx);
        commit_headers(ctx);
    }
}

void xlate_emit(struct xlate_ctx *ctx, enum program_op_type type, uint32_t arg)
{
    struct program_builder *b = &ctx->out->program;

    xlate_commit(ctx);
    program_builder_add(b, type, arg, NULL, 0);
    ctx->keep_len = b->len;
    ctx->keep_ops = b->n_ops;
}
