/* Translation: output to tunnel ports, and packets whose tunnel ends here.
 *
 * Behind OP_TUNNEL_PUSH the packet is the outer one, of which everything is known but the UDP source port, or SRv6's
 * flow label. It goes on through the tables of the bridge that it leaves by, within the same translation, as through a
 * patch port: one program, one lookup. Should those tables look at what is not known, which differs from packet to
 * packet, the outer packet is looked up for itself, behind a recirculation.
 *
 * What the outer headers take from the packet is consulted. Metadata of the tunnel that the packet itself came out of
 * is still the flow's, as in Open vSwitch: a port whose options say `flow` sends it on.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "pmd/select_hash.h"
#include "src/match/tlv_map.h"
#include "src/tunnel/neighbour.h"
#include "src/tunnel/next_hop.h"
#include "src/tunnel/tunnel_port.h"
#include "src/xlate/act_xlate_impl.h"
#include "src/xlate/punt.h"
#include "src/xlate/recirc.h"

#define ECN_MASK 0x03
#define ECN_ECT_0 0x02
#define ECN_CE 0x03

/* --- what the outer headers say ------------------------------------------ */

/* All that is made of port and flow. */
struct outer {
    const struct tunnel_config *config;
    struct tunnel_out out;
    struct next_hop_query query;
    uint32_t max_len; /* of the packet inside; 0: all of it */
    uint8_t options[TLV_OPTIONS_LEN_MAX];
};

static bool is_ipv4(const struct in6_addr *address)
{
    return IN6_IS_ADDR_V4MAPPED(address);
}

static bool is_given(const struct in6_addr *address)
{
    return !IN6_IS_ADDR_UNSPECIFIED(address);
}

static const char *address_text(const struct in6_addr *address, char text[INET6_ADDRSTRLEN])
{
    if (is_ipv4(address))
        return inet_ntop(AF_INET, address->s6_addr + 12, text, INET6_ADDRSTRLEN);
    return inet_ntop(AF_INET6, address, text, INET6_ADDRSTRLEN);
}

/* The one of a flow's two addresses that is set. */
static struct in6_addr address_of(rte_be32_t ipv4, const uint8_t ipv6[16])
{
    struct in6_addr address;

    memcpy(&address, ipv6, sizeof address);
    if (ipv4) {
        memset(&address, 0, sizeof address);
        address.s6_addr[10] = address.s6_addr[11] = 0xff;
        memcpy(address.s6_addr + 12, &ipv4, sizeof ipv4);
    }
    return address;
}

static struct in6_addr flow_remote(struct xlate_ctx *ctx)
{
    XLATE_CONSULT(ctx, tun_ipv4_dst, UINT32_MAX);
    xlate_consult_bytes(ctx, offsetof(struct flow_key, tun_ipv6_dst), 16);
    return address_of(ctx->flow.pkt.tun_ipv4_dst, ctx->flow.pkt.tun_ipv6_dst);
}

static struct in6_addr flow_local(struct xlate_ctx *ctx)
{
    XLATE_CONSULT(ctx, tun_ipv4_src, UINT32_MAX);
    xlate_consult_bytes(ctx, offsetof(struct flow_key, tun_ipv6_src), 16);
    return address_of(ctx->flow.pkt.tun_ipv4_src, ctx->flow.pkt.tun_ipv6_src);
}

static bool is_ip(struct xlate_ctx *ctx)
{
    XLATE_CONSULT(ctx, eth_type, UINT16_MAX);
    return ctx->flow.pkt.eth_type == RTE_BE16(RTE_ETHER_TYPE_IPV4) ||
           ctx->flow.pkt.eth_type == RTE_BE16(RTE_ETHER_TYPE_IPV6);
}

/* ECN is always inherited; congestion that was met inside is not told outside (RFC 3168, 9.1.1: full functionality). */
static void take_tos(struct xlate_ctx *ctx, const struct tunnel_config *config, struct tunnel_out *out)
{
    uint8_t tos = ctx->flow.pkt.ip_tos;

    out->tos = config->tos;
    out->ttl = config->ttl;
    if (!is_ip(ctx))
        return;
    XLATE_CONSULT(ctx, ip_tos, ECN_MASK);
    if (config->tos_inherit) {
        XLATE_CONSULT(ctx, ip_tos, (uint8_t)~ECN_MASK);
        out->tos = tos & (uint8_t)~ECN_MASK;
    }
    out->tos |= (tos & ECN_MASK) == ECN_CE ? ECN_ECT_0 : tos & ECN_MASK;
    if (config->ttl_inherit) {
        XLATE_CONSULT(ctx, ip_ttl, UINT8_MAX);
        out->ttl = ctx->flow.pkt.ip_ttl;
    }
}

/* As many bits as the header has room for. */
static rte_be64_t key_mask(enum tunnel_type type)
{
    switch (type) {
    case TUNNEL_VXLAN:
    case TUNNEL_GENEVE:
        return rte_cpu_to_be_64(0xffffff);
    case TUNNEL_ERSPAN:
        return rte_cpu_to_be_64(0x3ff);
    default:
        return rte_cpu_to_be_64(UINT32_MAX);
    }
}

static void take_key(struct xlate_ctx *ctx, const struct tunnel_config *config, struct tunnel_out *out)
{
    out->has_key = config->out_key_given || config->out_key_flow;
    out->key = config->out_key;
    if (config->out_key_flow) {
        XLATE_CONSULT(ctx, tun_id, key_mask(config->type));
        out->key = ctx->flow.pkt.tun_id & key_mask(config->type);
    }
}

static void take_erspan(struct xlate_ctx *ctx, const struct tunnel_config *config, struct tunnel_out *out)
{
    const uint32_t flow = rte_be_to_cpu_32(ctx->flow.pkt.tun_erspan);
    const uint32_t ver_mask = UINT32_C(0xf) << TUN_ERSPAN_VER_SHIFT, dir_mask = UINT32_C(1) << TUN_ERSPAN_DIR_SHIFT;
    const uint32_t hwid_mask = UINT32_C(0x3f) << TUN_ERSPAN_HWID_SHIFT;
    const uint32_t mask = (config->erspan_ver_flow ? ver_mask : 0) | (config->erspan_dir_flow ? dir_mask : 0) |
                          (config->erspan_hwid_flow ? hwid_mask : 0) |
                          (config->erspan_idx_flow ? (uint32_t)TUN_ERSPAN_IDX_MASK : 0);
    const uint32_t fixed =
        (uint32_t)config->erspan_ver << TUN_ERSPAN_VER_SHIFT | (uint32_t)config->erspan_dir << TUN_ERSPAN_DIR_SHIFT |
        (uint32_t)config->erspan_hwid << TUN_ERSPAN_HWID_SHIFT | (config->erspan_idx & TUN_ERSPAN_IDX_MASK);

    XLATE_CONSULT(ctx, tun_erspan, rte_cpu_to_be_32(mask));
    out->erspan = (fixed & ~mask) | (flow & mask);
    out->erspan_ver = (out->erspan & ver_mask) >> TUN_ERSPAN_VER_SHIFT;
}

static void take_geneve(struct xlate_ctx *ctx, struct outer *outer)
{
    struct flow seen;

    memset(&seen, 0, sizeof seen);
    XLATE_CONSULT(ctx, tun_flags, TUN_FLAG_OAM);
    outer->out.oam = ctx->flow.pkt.tun_flags & TUN_FLAG_OAM;
    outer->out.options = outer->options;
    outer->out.options_len = (uint8_t)tlv_map_options_write(&ctx->flow, &seen, outer->options);
    xlate_consult(ctx, &seen);
}

/* Takes what only one type of tunnel has. */
static void take_own(struct xlate_ctx *ctx, struct outer *outer)
{
    const struct tunnel_config *config = outer->config;
    struct tunnel_out *out = &outer->out;

    switch (config->type) {
    case TUNNEL_VXLAN:
        if (config->gbp) {
            XLATE_CONSULT(ctx, tun_gbp_id, UINT16_MAX);
            XLATE_CONSULT(ctx, tun_gbp_flags, UINT8_MAX);
            out->gbp_id = ctx->flow.pkt.tun_gbp_id;
            out->gbp_flags = ctx->flow.pkt.tun_gbp_flags;
        }
        break;
    case TUNNEL_GENEVE:
        take_geneve(ctx, outer);
        break;
    case TUNNEL_ERSPAN:
        take_erspan(ctx, config, out);
        break;
    case TUNNEL_GTPU:
        XLATE_CONSULT(ctx, tun_gtpu_flags, UINT8_MAX);
        XLATE_CONSULT(ctx, tun_gtpu_msgtype, UINT8_MAX);
        out->gtpu_flags = ctx->flow.pkt.tun_gtpu_flags;
        out->gtpu_msgtype = ctx->flow.pkt.tun_gtpu_msgtype;
        break;
    case TUNNEL_SRV6:
        out->label = config->label;
        out->n_segments = config->n_segments;
        out->segments = &config->segments[0].s6_addr;
        break;
    case TUNNEL_GRE:
    case TUNNEL_N_TYPES:
        break;
    }
}

/* The type of what is inside; 0x6558 are whole frames. */
static rte_be16_t payload_type(struct xlate_ctx *ctx, const struct tunnel_config *config)
{
    const bool frame = ctx->flow.packet_type == PACKET_TYPE_ETHERNET;

    if (config->payload == TUNNEL_L2 || (config->payload == TUNNEL_ANY && frame))
        return RTE_BE16(RTE_ETHER_TYPE_TEB);
    XLATE_CONSULT(ctx, eth_type, UINT16_MAX);
    return ctx->flow.pkt.eth_type;
}

void xlate_tunnel_entered(struct xlate_ctx *ctx)
{
    const struct bridge_port *bp = xlate_entry_port(ctx);

    if (!bp || bp->kind != BRIDGE_PORT_TUNNEL || tunnel_port_config(bp)->payload != TUNNEL_ANY)
        return;
    XLATE_CONSULT(ctx, tun_flags, TUN_FLAG_NO_ETHERNET);
    if (!(ctx->flow.pkt.tun_flags & TUN_FLAG_NO_ETHERNET))
        return;
    XLATE_CONSULT(ctx, eth_type, UINT16_MAX);
    ctx->flow.packet_type = rte_cpu_to_be_32(PACKET_TYPE(1, rte_be_to_cpu_16(ctx->flow.pkt.eth_type)));
}

static void outer_init(struct xlate_ctx *ctx, const struct tunnel_config *config, struct outer *outer)
{
    struct tunnel_out *out = &outer->out;

    memset(out, 0, sizeof *out);
    memset(&outer->query, 0, sizeof outer->query);
    outer->config = config;
    out->type = config->type;
    out->csum = config->csum;
    out->df = config->df;
    out->seq = config->seq;
    out->gbp = config->gbp;
    out->gpe = config->gpe;
    out->udp_dst = rte_cpu_to_be_16(config->dst_port);
    out->eth_type = payload_type(ctx, config);
    take_tos(ctx, config, out);
    take_key(ctx, config, out);
    take_own(ctx, outer);
    outer->query.to = config->remote_flow ? flow_remote(ctx) : config->remote;
    outer->query.from = config->local_flow ? flow_local(ctx) : config->local;
    outer->query.mark = config->has_egress_mark ? config->egress_mark : xlate_pkt_mark(ctx);
}

static void use_hop(struct outer *outer, const struct next_hop *hop)
{
    struct tunnel_out *out = &outer->out;

    out->eth_dst = hop->dst_mac;
    out->eth_src = hop->src_mac;
    memcpy(out->dst, &outer->query.to, sizeof out->dst);
    memcpy(out->src, is_given(&outer->query.from) ? &outer->query.from : &hop->source, sizeof out->src);
}

/* --- refusals ------------------------------------------------------------ */

static void refuse(struct xlate_ctx *ctx, enum drop_reason reason, const char *text)
{
    xlate_note(ctx, " >> %s", text);
    xlate_why(ctx, reason);
}

/* Is it sent to the address that it came out of a tunnel at? */
static bool to_ourselves(struct xlate_ctx *ctx, const struct in6_addr *to)
{
    const struct flow_key *key = &ctx->in->flow.pkt;
    struct in6_addr ours;

    if (key->in_port < TUNNEL_INDEX_FIRST || ctx->n_tunnels > 0)
        return false;
    /* The address that the packet came with, whatever was written to the field since. */
    ctx->out->wc.pkt.tun_ipv4_dst = UINT32_MAX;
    memset(ctx->out->wc.pkt.tun_ipv6_dst, 0xff, sizeof key->tun_ipv6_dst);
    ours = address_of(key->tun_ipv4_dst, key->tun_ipv6_dst);
    return is_given(&ours) && IN6_ARE_ADDR_EQUAL(&ours, to);
}

/* An outer packet that goes into its own tunnel never ends; one that goes into another does not, soon. */
static bool goes_round(const struct xlate_ctx *ctx, const struct bridge_port *bp)
{
    for (unsigned i = 0; i < ctx->n_tunnels; i++) {
        if (ctx->tunnels[i] == bp)
            return true;
    }
    return ctx->n_tunnels == XLATE_TUNNELS_MAX || ctx->depth >= XLATE_MAX_DEPTH;
}

/* --- packets that wait --------------------------------------------------- */

static void put_truncate(struct xlate_ctx *ctx, const struct outer *outer)
{
    if (outer->max_len != 0)
        program_builder_add(&ctx->out->program, OP_TRUNCATE, outer->max_len, NULL, 0);
}

static void put_punt(struct xlate_ctx *ctx, const struct punt *punt)
{
    const uint32_t id = punt_intern(punt, NULL);

    if (id == UINT32_MAX)
        xlate_note(ctx, " >> too many different packets are for the control thread");
    else
        xlate_emit(ctx, OP_PUNT, id);
}

/* The packet, as it is now, with this output and nothing else left to do: of all of it, or of its first `max_len`
 * bytes. `hashed`: it comes back with a hash. 0: too many. */
static uint32_t freeze_output(struct xlate_ctx *ctx, const struct bridge_port *bp, uint32_t max_len, bool hashed)
{
    const struct act_output whole = {.h = {.type = ACT_OUTPUT, .len = sizeof whole}, .port = bp->ofport};
    const struct act_output_trunc cut = {
        .h = {.type = ACT_OUTPUT_TRUNC, .len = sizeof cut}, .port = bp->ofport, .max_len = max_len};
    const struct act *output = max_len != 0 ? &cut.h : &whole.h;
    const struct act_list list = {.acts = output, .len = output->len};
    const struct recirc_origin nowhere = {.cookie = UINT64_MAX};
    struct recirc_state state;
    struct act_buffer segments, set;
    uint32_t id;

    memset(&state, 0, sizeof state);
    state.bridge = ctx->bridge;
    state.in_port = OFPORT_ANY;
    state.packet_type = ctx->flow.packet_type;
    state.hashed = hashed;
    state.queue = ctx->queue;
    state.mirrored = ctx->mirrored | bp->lport->mirrors.sent; /* these take it in this translation */
    xlate_save_tunnel(ctx, state.tun, state.tun_set);
    act_buffer_init(&segments);
    act_buffer_init(&set);
    recirc_add_segment(&segments, &nowhere, &list);
    id = recirc_intern(&state, NULL, &segments, &set);
    act_buffer_free(&segments);
    return id;
}

/* The control thread keeps the packet until the neighbour has answered (src/upcall/punts.c). */
static void wait_for(struct xlate_ctx *ctx, const struct bridge_port *bp, const struct outer *outer,
                     const struct next_hop *hop)
{
    struct punt punt;

    ctx->out->waits_for = hop->id;
    memset(&punt, 0, sizeof punt);
    punt.kind = PUNT_TO_NEXT_HOP;
    punt.bridge = ctx->bridge;
    punt.in_port = bp->ofport;
    punt.pkt_mark = xlate_pkt_mark(ctx);
    xlate_save_tunnel(ctx, punt.tun, punt.tun_set);
    punt.recirc_id = freeze_output(ctx, bp, 0, false);
    xlate_why(ctx, DROP_TUNNEL_WAIT_FULL);
    if (punt.recirc_id == 0)
        return;
    xlate_commit(ctx);
    put_truncate(ctx, outer);
    put_punt(ctx, &punt);
}

/* --- several paths ------------------------------------------------------- */

/* Other than those of select groups, whose numbers are theirs. */
#define PATHS_BASIS UINT32_C(0x70617468)

/* The packet comes back with a hash of its flow: megaflows for each path, behind one that is as wide as the rules. */
static void spread(struct xlate_ctx *ctx, const struct bridge_port *bp, const struct outer *outer)
{
    const uint32_t id = freeze_output(ctx, bp, outer->max_len, true);
    struct xlate_clone clone;

    if (id == 0) {
        xlate_fail(ctx, DROP_XLATE_ERROR, "too many different recirculations are in use");
        return;
    }
    xlate_clone_begin(ctx, &clone);
    xlate_ct_settle(ctx);
    xlate_commit(ctx);
    program_builder_add(&ctx->out->program, OP_HASH, PATHS_BASIS, NULL, 0);
    xlate_mark_settle(ctx);
    xlate_emit(ctx, OP_RECIRC, id);
    xlate_clone_end(ctx, &clone);
}

/* The next hop by one of several paths. NULL: not in this translation, or there are too many. */
static const struct next_hop *one_of(struct xlate_ctx *ctx, const struct bridge_port *bp, struct outer *outer,
                                     uint32_t n_slots)
{
    uint32_t hash;

    if (ctx->hashed) {
        hash = ctx->flow.pkt.dp_hash;
        XLATE_CONSULT(ctx, dp_hash, n_slots - 1);
        ctx->hashed = false;
    } else if (ctx->in->trace || ctx->in->acts.acts || ctx->in->resume) {
        hash = select_hash(&ctx->flow.pkt, PATHS_BASIS); /* of this one packet */
    } else {
        spread(ctx, bp, outer);
        return NULL;
    }
    outer->query.path = 1 + (hash & (n_slots - 1));
    xlate_note(ctx, " -> the route has several paths: slot %u of %u", outer->query.path - 1, n_slots);
    return next_hop_find(ctx->in->hops, &outer->query);
}

/* --- the outer packet ---------------------------------------------------- */

/* A point of a translation: what comes after it can be taken back. */
struct point {
    uint32_t len, keep_len;
    uint16_t n_ops, keep_ops;
    struct xlate_deps_point deps;
    bool untracked;
    uint32_t mirrored;
    struct flow flow;
};

static void point_set(const struct xlate_ctx *ctx, struct point *point)
{
    const struct program_builder *b = &ctx->out->program;

    point->len = b->len;
    point->n_ops = b->n_ops;
    point->keep_len = ctx->keep_len;
    point->keep_ops = ctx->keep_ops;
    point->deps = xlate_deps_point(&ctx->out->deps);
    point->untracked = ctx->untracked;
    point->mirrored = ctx->mirrored;
    point->flow = ctx->flow;
}

static void take_back_to(struct xlate_ctx *ctx, const struct point *point)
{
    struct program_builder *b = &ctx->out->program;

    b->len = point->len;
    b->n_ops = point->n_ops;
    ctx->keep_len = point->keep_len;
    ctx->keep_ops = point->keep_ops;
    xlate_deps_uncount(&ctx->out->deps, &point->deps);
    ctx->untracked = point->untracked;
    ctx->mirrored = point->mirrored;
    ctx->flow = point->flow;
}

/* The message to the sender comes out of the tunnel as if from the other end. */
static void set_back(const struct outer *outer, struct punt *punt)
{
    struct flow_key key;

    memset(&key, 0, sizeof key);
    key.tun_id = outer->out.key;
    key.tun_ttl = outer->config->ttl;
    if (is_ipv4(&outer->query.to)) {
        memcpy(&key.tun_ipv4_src, outer->out.dst + 12, sizeof key.tun_ipv4_src);
        memcpy(&key.tun_ipv4_dst, outer->out.src + 12, sizeof key.tun_ipv4_dst);
    } else {
        memcpy(key.tun_ipv6_src, outer->out.dst, sizeof key.tun_ipv6_src);
        memcpy(key.tun_ipv6_dst, outer->out.src, sizeof key.tun_ipv6_dst);
    }
    memcpy(punt->tun, recirc_tun(&key), sizeof punt->tun);
    memset(punt->tun_set, 0xff, sizeof punt->tun_set);
}

/* The punt of packets that do not fit; 0: there are too many, or nobody is to be told. */
static uint32_t too_big_punt(struct xlate_ctx *ctx, const struct bridge_port *bp, const struct outer *outer,
                             const struct next_hop *hop, const struct op_tunnel_push *push)
{
    const uint16_t headers = push->len - push->l3;
    struct punt punt;
    uint32_t id;

    if (!outer->config->icmp_too_big || hop->mtu <= headers)
        return 0;
    memset(&punt, 0, sizeof punt);
    punt.kind = PUNT_TOO_BIG;
    punt.bridge = ctx->bridge;
    punt.in_port = bp->ofport;
    punt.max_len = hop->mtu - headers;
    punt.table_id = !(push->flags & TUNNEL_PUSH_NO_ETH);
    set_back(outer, &punt);
    id = punt_intern(&punt, NULL);
    return id == UINT32_MAX ? 0 : id;
}

static void put_push(struct xlate_ctx *ctx, const struct bridge_port *bp, const struct outer *outer,
                     const struct next_hop *hop, struct op_tunnel_push *push)
{
    put_truncate(ctx, outer);
    push->too_big = too_big_punt(ctx, bp, outer, hop, push);
    push->mtu = hop->mtu;
    push->src_first = hop->udp_first;
    push->src_n = hop->udp_n;
    push->index = bridge_port_index(bp);
    program_builder_add(&ctx->out->program, OP_TUNNEL_PUSH, 0, push, sizeof *push);
}

/* Behind the outer IP header and those that extend it. */
static uint8_t outer_proto(const struct tunnel_out *out)
{
    if (tunnel_is_udp((uint8_t)out->type))
        return IPPROTO_UDP;
    if (out->type != TUNNEL_SRV6)
        return IPPROTO_GRE;
    return out->eth_type == RTE_BE16(RTE_ETHER_TYPE_IPV4) ? IPPROTO_IPIP : IPPROTO_IPV6;
}

static bool label_differs(const struct tunnel_out *out)
{
    return out->type == TUNNEL_SRV6 && out->label != TUNNEL_LABEL_ZERO;
}

/* The flow becomes the outer packet's, and known but for the source port of UDP and the flow label of SRv6. */
static void become_outer(struct xlate_ctx *ctx, const struct outer *outer)
{
    const struct tunnel_out *out = &outer->out;
    const bool udp = tunnel_is_udp((uint8_t)out->type);
    const uint32_t in_port = ctx->flow.pkt.in_port, recirc_id = ctx->flow.pkt.recirc_id;
    const uint32_t marked = outer->config->has_egress_mark ? UINT32_MAX : ctx->written.pkt.pkt_mark;
    struct flow_key *key = &ctx->flow.pkt;

    memset(key, 0, sizeof *key);
    key->in_port = in_port;
    key->recirc_id = recirc_id;
    key->pkt_mark = outer->query.mark;
    key->eth_dst = out->eth_dst;
    key->eth_src = out->eth_src;
    if (is_ipv4((const struct in6_addr *)out->dst)) {
        key->eth_type = RTE_BE16(RTE_ETHER_TYPE_IPV4);
        memcpy(&key->ipv4_src, out->src + 12, sizeof key->ipv4_src);
        memcpy(&key->ipv4_dst, out->dst + 12, sizeof key->ipv4_dst);
    } else {
        key->eth_type = RTE_BE16(RTE_ETHER_TYPE_IPV6);
        memcpy(key->ipv6_src, out->src, sizeof key->ipv6_src);
        memcpy(key->ipv6_dst, out->dst, sizeof key->ipv6_dst);
    }
    key->ip_proto = outer_proto(out);
    key->ipv6_exthdr = out->type == TUNNEL_SRV6 ? IPV6_EH_ROUTER : 0;
    key->ip_tos = out->tos;
    key->ip_ttl = out->ttl;
    key->tp_dst = udp ? out->udp_dst : 0;
    ctx->flow.packet_type = PACKET_TYPE_ETHERNET;
    ctx->base = *key;
    memset(&ctx->written.pkt, 0xff, sizeof ctx->written.pkt);
    memset(&ctx->committed, 0xff, sizeof ctx->committed);
    memset(&ctx->dirty, 0, sizeof ctx->dirty);
    ctx->written.pkt.tp_src = ctx->committed.tp_src = udp ? 0 : UINT16_MAX;
    if (label_differs(out))
        ctx->written.pkt.ipv6_label = ctx->committed.ipv6_label = 0;
    ctx->written.pkt.pkt_mark = marked;
    ctx->any_written = true;
    ctx->any_dirty = false;
    ctx->unparsed = 0;
    /* Tags would be those of the packet inside: as if all of them had been popped. */
    ctx->vlans.n = ctx->base_vlans.n = 0;
    ctx->vlans.n_taken = FLOW_KEY_TAGS;
}

/* The tables of the outer bridge are left for when the packet comes back. */
static void look_up_again(struct xlate_ctx *ctx, const struct outer *outer, const struct point *point)
{
    xlate_note(ctx, " -> the tables look at the %s, which is not known here",
               label_differs(&outer->out) ? "flow label" : "source port");
    take_back_to(ctx, point);
    become_outer(ctx, outer);
    xlate_freeze_entry(ctx);
}

/* Goes through the bridge of `egress`. */
static void go_on(struct xlate_ctx *ctx, const struct outer *outer, const struct bridge_port *egress)
{
    const rte_be16_t seen = ctx->out->wc.pkt.tp_src;
    const rte_be32_t seen_label = ctx->out->wc.pkt.ipv6_label;
    struct point point;

    /* Consulted from here on is the outer packet's. */
    ctx->out->wc.pkt.tp_src = 0;
    ctx->out->wc.pkt.ipv6_label = 0;
    xlate_ct_leave(ctx);
    become_outer(ctx, outer);
    xlate_enter_bridge(ctx, egress);
    point_set(ctx, &point);
    xlate_bridge(ctx);
    if ((ctx->out->wc.pkt.tp_src != 0 || ctx->out->wc.pkt.ipv6_label != 0) && !ctx->out->error)
        look_up_again(ctx, outer, &point);
    ctx->out->wc.pkt.tp_src = seen;
    ctx->out->wc.pkt.ipv6_label = seen_label;
}

static void send_outer(struct xlate_ctx *ctx, const struct bridge_port *bp, struct outer *outer,
                       const struct next_hop *hop)
{
    struct op_tunnel_push push;
    struct xlate_clone clone;
    struct xlate_left left;

    memset(&push, 0, sizeof push);
    use_hop(outer, hop);
    if (!tunnel_header_write(&outer->out, &push)) {
        refuse(ctx, DROP_TUNNEL_HEADER, "native tunnel header build failed");
        return;
    }
    xlate_leave_bridge(ctx, &left);
    xlate_clone_begin(ctx, &clone);
    xlate_deps_add_crossing(&ctx->out->deps, ctx->bridge_place, XLATE_CROSSED_TX, bp->ofport);
    put_push(ctx, bp, outer, hop, &push);
    ctx->tunnels[ctx->n_tunnels++] = bp;
    go_on(ctx, outer, hop->egress);
    ctx->n_tunnels--;
    xlate_clone_end(ctx, &clone);
    xlate_return_to_bridge(ctx, &left);
}

/* --- output -------------------------------------------------------------- */

static void note_way(struct xlate_ctx *ctx, const struct next_hop *hop)
{
    char via[INET6_ADDRSTRLEN];

    xlate_note(ctx, " -> tunneling to %s via %s", address_text(&hop->via, via), hop->egress->name);
}

static void note_hop(struct xlate_ctx *ctx, const struct outer *outer, const struct next_hop *hop)
{
    char from[INET6_ADDRSTRLEN], via[INET6_ADDRSTRLEN];

    xlate_note(ctx, " -> tunneling from " XLATE_MAC_FMT " %s to " XLATE_MAC_FMT " %s",
               RTE_ETHER_ADDR_BYTES(&hop->src_mac),
               address_text(is_given(&outer->query.from) ? &outer->query.from : &hop->source, from),
               RTE_ETHER_ADDR_BYTES(&hop->dst_mac), address_text(&hop->via, via));
}

static void go_by_hop(struct xlate_ctx *ctx, const struct bridge_port *bp, struct outer *outer,
                      const struct next_hop *hop)
{
    char via[INET6_ADDRSTRLEN];

    switch (hop->state) {
    case NEXT_HOP_NO_ROUTE:
        refuse(ctx, DROP_TUNNEL_NO_ROUTE, "native tunnel routing failed");
        break;
    case NEXT_HOP_NOT_OURS:
        refuse(ctx, DROP_TUNNEL_NOT_OURS, "native tunnel routing failed");
        xlate_note(ctx, " >> its local address is none of this host's");
        break;
    case NEXT_HOP_NO_BRIDGE:
        refuse(ctx, DROP_TUNNEL_NO_BRIDGE, "native tunnel routing failed");
        xlate_note(ctx, " >> the route's device %s is no port of a bridge", hop->device);
        break;
    case NEXT_HOP_ASKING:
        note_way(ctx, hop);
        xlate_note(ctx, " -> neighbor cache miss for %s on bridge %s, sending %s request", address_text(&hop->via, via),
                   hop->egress->bridge->name, is_ipv4(&hop->via) ? "ARP" : "ND");
        wait_for(ctx, bp, outer, hop);
        break;
    case NEXT_HOP_UNREACHABLE:
        note_way(ctx, hop);
        xlate_note(ctx, " >> %s on bridge %s does not answer", address_text(&hop->via, via), hop->egress->bridge->name);
        xlate_why(ctx, DROP_TUNNEL_UNREACHABLE);
        break;
    case NEXT_HOP_SEVERAL: /* one of them was chosen */
        break;
    case NEXT_HOP_READY:
        note_way(ctx, hop);
        note_hop(ctx, outer, hop);
        send_outer(ctx, bp, outer, hop);
        break;
    }
}

static void rest_on(struct xlate_ctx *ctx, const struct next_hop *hop)
{
    xlate_deps_add(&ctx->out->deps, &(struct xlate_dep){.kind = XLATE_DEP_NEXT_HOP, .b = hop->id});
}

void xlate_tunnel(struct xlate_ctx *ctx, const struct bridge_port *bp, uint32_t max_len)
{
    const struct next_hop *hop;
    struct outer outer;

    outer_init(ctx, tunnel_port_config(bp), &outer);
    outer.max_len = max_len;
    if (!is_given(&outer.query.to)) {
        refuse(ctx, DROP_TUNNEL_NO_REMOTE, "no remote address: the port has remote_ip=flow, and tun_dst is not set");
        return;
    }
    if (to_ourselves(ctx, &outer.query.to)) {
        refuse(ctx, DROP_TUNNEL_LOOP, "Not tunneling to our own address");
        return;
    }
    if (goes_round(ctx, bp)) {
        refuse(ctx, DROP_TUNNEL_LOOP, "tunnels in tunnels go round");
        return;
    }
    xlate_note(ctx, " -> output to native tunnel");
    hop = ctx->in->hops ? next_hop_find(ctx->in->hops, &outer.query) : NULL;
    if (!hop) {
        ctx->out->deps.no_news = true;
        refuse(ctx, DROP_TUNNEL_NO_ROUTE, "native tunnel routing failed");
        return;
    }
    rest_on(ctx, hop);
    if (hop->state == NEXT_HOP_SEVERAL) {
        hop = one_of(ctx, bp, &outer, hop->n_slots);
        if (!hop)
            return;
        rest_on(ctx, hop);
    }
    go_by_hop(ctx, bp, &outer, hop);
}

/* --- the way in ---------------------------------------------------------- */

/* What the packet has with it goes on with the one inside. */
static void emit_pop(struct xlate_ctx *ctx, const struct op_tunnel_pop *pop)
{
    struct program_builder *b = &ctx->out->program;
    struct xlate_clone clone;

    xlate_clone_begin(ctx, &clone);
    xlate_ct_settle(ctx);
    xlate_mark_settle(ctx);
    program_builder_add(b, OP_TUNNEL_POP, 0, pop, sizeof *pop);
    ctx->keep_len = b->len;
    ctx->keep_ops = b->n_ops;
    xlate_clone_end(ctx, &clone);
}

bool xlate_tunnel_ends(struct xlate_ctx *ctx, const struct bridge_port *bp)
{
    struct op_tunnel_pop pop;
    struct flow seen;
    bool takes;

    if (!ctx->in->tunnels)
        return false;
    memset(&seen, 0, sizeof seen);
    memset(&pop, 0, sizeof pop);
    takes = tunnel_port_takes(ctx->in->tunnels, bp, &ctx->flow, &seen, &pop);
    xlate_consult(ctx, &seen);
    if (takes)
        emit_pop(ctx, &pop);
    return takes;
}

void xlate_tell_neighbours(struct xlate_ctx *ctx, const struct bridge_port *bp)
{
    struct punt punt;
    struct flow seen;
    bool hear;

    if (!ctx->in->neighbours || !ctx->in->tunnels || tunnels_n_listeners(ctx->in->tunnels) == 0)
        return;
    memset(&seen, 0, sizeof seen);
    hear = neighbours_hear(ctx->in->neighbours, bp, &ctx->flow, &seen);
    xlate_consult(ctx, &seen);
    if (!hear)
        return;
    memset(&punt, 0, sizeof punt);
    punt.kind = PUNT_TO_NEIGHBOURS;
    punt.bridge = ctx->bridge;
    put_punt(ctx, &punt);
}
