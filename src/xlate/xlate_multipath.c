/* Translation: multipath and bundle, which choose by a hash over header fields (ovs-actions(7)). The bits that are
 * hashed are consulted: each of their values has a megaflow. */
#include <netinet/in.h>
#include <string.h>

#include "pmd/base/hash.h"
#include "src/xlate/act_xlate_impl.h"

#define HRW_LINKS_MAX 64

#define IS(ctx, type_) ((ctx)->flow.pkt.eth_type == RTE_BE16(RTE_ETHER_TYPE_##type_))

static uint64_t add_bytes(struct xlate_ctx *ctx, uint64_t hash, size_t offset, size_t n)
{
    const uint8_t *bytes = (const uint8_t *)&ctx->flow.pkt + offset;
    uint64_t words[2] = {0};

    xlate_consult_bytes(ctx, offset, n);
    memcpy(words, bytes, n);
    hash = hash_add(hash, words[0]);
    return n > 8 ? hash_add(hash, words[1]) : hash;
}

/* Gives the same when `a` and `b` are exchanged, so that both directions of a flow hash alike. */
static uint64_t add_either(struct xlate_ctx *ctx, uint64_t hash, size_t a, size_t b, size_t n)
{
    const uint8_t *x = (const uint8_t *)&ctx->flow.pkt + a, *y = (const uint8_t *)&ctx->flow.pkt + b;
    uint8_t both[16] = {0};
    uint64_t words[2];

    xlate_consult_bytes(ctx, a, n);
    xlate_consult_bytes(ctx, b, n);
    for (size_t i = 0; i < n; i++)
        both[i] = x[i] ^ y[i];
    memcpy(words, both, sizeof words);
    hash = hash_add(hash, words[0]);
    return n > 8 ? hash_add(hash, words[1]) : hash;
}

#define ADD(ctx, hash, field)                                                                                          \
    add_bytes(ctx, hash, offsetof(struct flow_key, field), sizeof((struct flow_key *)0)->field)
#define ADD_EITHER(ctx, hash, src, dst)                                                                                \
    add_either(ctx, hash, offsetof(struct flow_key, src), offsetof(struct flow_key, dst),                              \
               sizeof((struct flow_key *)0)->src)

static uint64_t hash_addresses(struct xlate_ctx *ctx, uint64_t hash, bool src, bool dst)
{
    XLATE_CONSULT(ctx, eth_type, UINT16_MAX);
    if (IS(ctx, IPV4)) {
        if (src && dst)
            return ADD_EITHER(ctx, hash, ipv4_src, ipv4_dst);
        return src ? ADD(ctx, hash, ipv4_src) : ADD(ctx, hash, ipv4_dst);
    }
    if (IS(ctx, IPV6)) {
        if (src && dst)
            return ADD_EITHER(ctx, hash, ipv6_src, ipv6_dst);
        return src ? ADD(ctx, hash, ipv6_src) : ADD(ctx, hash, ipv6_dst);
    }
    return hash;
}

static uint64_t hash_ports(struct xlate_ctx *ctx, uint64_t hash, bool udp)
{
    uint8_t proto = ctx->flow.pkt.ip_proto;

    if (!IS(ctx, IPV4) && !IS(ctx, IPV6))
        return hash;
    hash = ADD(ctx, hash, ip_proto);
    if (proto == IPPROTO_TCP || proto == IPPROTO_SCTP || (udp && proto == IPPROTO_UDP))
        hash = ADD_EITHER(ctx, hash, tp_src, tp_dst);
    return hash;
}

/* Hashes the packet as the actions so far have made it. */
static uint32_t hash_packet(struct xlate_ctx *ctx, uint8_t fields, uint16_t basis)
{
    uint64_t hash = hash_add(HASH_BASIS, basis);

    switch ((enum hash_fields)fields) {
    case HASH_ETH_SRC:
        hash = ADD(ctx, hash, eth_src);
        break;
    case HASH_SYMMETRIC_L4:
        hash = ADD_EITHER(ctx, hash, eth_src, eth_dst);
        hash = hash_add(hash, xlate_vlan_vid(ctx));
        hash = ADD(ctx, hash, eth_type);
        hash = hash_addresses(ctx, hash, true, true);
        hash = hash_ports(ctx, hash, false);
        break;
    case HASH_SYMMETRIC_L3L4:
    case HASH_SYMMETRIC_L3L4_UDP:
        hash = hash_addresses(ctx, hash, true, true);
        hash = hash_ports(ctx, hash, fields == HASH_SYMMETRIC_L3L4_UDP);
        break;
    case HASH_NW_SRC:
        hash = hash_addresses(ctx, hash, true, false);
        break;
    case HASH_NW_DST:
        hash = hash_addresses(ctx, hash, false, true);
        break;
    case HASH_SYMMETRIC_L3:
        hash = hash_addresses(ctx, hash, true, true);
        break;
    case HASH_N_FIELDS:
        break;
    }
    return hash_finish(hash);
}

static uint32_t weigh(uint32_t hash, uint32_t link)
{
    return hash_finish(hash_add(hash_add(HASH_BASIS, hash), link));
}

/* --- links --------------------------------------------------------------- */

static uint32_t link_hrw(uint32_t hash, uint32_t n)
{
    uint32_t best = 0, best_weight = 0;

    for (uint32_t link = 0; link < n; link++) {
        uint32_t weight = weigh(hash, link);

        if (link == 0 || weight > best_weight) {
            best = link;
            best_weight = weight;
        }
    }
    return best;
}

static uint32_t link_iter_hash(uint32_t hash, uint32_t n, uint32_t arg)
{
    uint32_t modulo = arg, link, i = 0;

    if (modulo < n || modulo / 2 > n) {
        for (modulo = 1; modulo < n; modulo *= 2)
            ;
    }
    do {
        link = weigh(hash, ++i) % modulo;
    } while (link >= n);
    return link;
}

static uint32_t choose_link(const struct act_multipath *act, uint32_t hash)
{
    uint32_t n = act->max_link + 1u;

    switch ((enum multipath_algorithm)act->algorithm) {
    case MULTIPATH_THRESHOLD:
        return n == 1 ? 0 : hash / (UINT32_MAX / n + 1);
    case MULTIPATH_HRW:
        return n <= HRW_LINKS_MAX ? link_hrw(hash, n) : hash % n;
    case MULTIPATH_ITER_HASH:
        return link_iter_hash(hash, n, act->arg);
    case MULTIPATH_MODULO_N:
    case MULTIPATH_N:
        break;
    }
    return hash % n;
}

static void multipath(struct xlate_ctx *ctx, const struct act *header, bool last)
{
    const struct act_multipath *act = (const struct act_multipath *)header;
    uint32_t link = choose_link(act, hash_packet(ctx, act->fields, act->basis));

    xlate_note(ctx, " -> link %u", link);
    xlate_write_number(ctx, &act->dst, link);
}

const struct act_xlate act_xlate_multipath = {.run = multipath};

/* --- members ------------------------------------------------------------- */

static bool is_live(struct xlate_ctx *ctx, uint32_t ofport)
{
    const struct bridge_port *bp = bridge_port_by_ofport(ctx->bridge, ofport);

    xlate_dep(ctx, XLATE_DEP_LINK, ofport);
    return bp && bp->state & PORT_STATE_LIVE;
}

/* OFPORT_ANY: none is live. */
static uint32_t choose_member(struct xlate_ctx *ctx, const struct act_bundle *act)
{
    uint32_t hash = act->algorithm == BUNDLE_HRW ? hash_packet(ctx, act->fields, act->basis) : 0;
    uint32_t best = OFPORT_ANY, best_weight = 0;

    for (uint32_t i = 0; i < act->n_members; i++) {
        uint32_t weight = weigh(hash, i);

        if (!is_live(ctx, act->members[i]))
            continue;
        if (act->algorithm == BUNDLE_ACTIVE_BACKUP)
            return act->members[i];
        if (best == OFPORT_ANY || weight > best_weight) {
            best = act->members[i];
            best_weight = weight;
        }
    }
    return best;
}

static void bundle(struct xlate_ctx *ctx, const struct act *header, bool last)
{
    const struct act_bundle *act = (const struct act_bundle *)header;
    uint32_t ofport = choose_member(ctx, act);

    if (ofport == OFPORT_ANY)
        xlate_note(ctx, " -> no member is live");
    else
        xlate_note(ctx, " -> member %u", ofport);
    if (act->dst.field)
        xlate_write_number(ctx, &act->dst, ofport & UINT16_MAX);
    else if (ofport == OFPORT_ANY)
        xlate_why(ctx, DROP_OUTPUT_DOWN);
    else
        xlate_output(ctx, ofport, 0, last);
}

const struct act_xlate act_xlate_bundle = {.run = bundle};
