/* The outer headers of a packet that are like none before.
 *
 * Everything is checked before anything is changed. What a header of a packet announces has to be there; what lies
 * behind the end that the outer IP and UDP headers say is padding and goes.
 */
#include <netinet/in.h>
#include <rte_branch_prediction.h>
#include <rte_ip.h>
#include <rte_udp.h>
#include <string.h>

#include "pmd/checksum.h"
#include "pmd/ipv6_exthdr.h"
#include "pmd/key_inline.h"
#include "pmd/offload.h"
#include "pmd/tunnel/pop_impl.h"
#include "pmd/tunnel/wire.h"

#define ECN_CE 3

/* OK if the packet has `n` bytes more. */
static inline enum drop_reason need(const struct outer *o, uint32_t n)
{
    return likely(o->at + n <= o->avail) ? OK : DROP_TUNNEL_TRUNCATED;
}

/* --- Ethernet, IP, UDP --------------------------------------------------- */

static const uint8_t mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};

static enum drop_reason parse_ipv4(struct outer *o)
{
    const uint8_t *ip = o->data + o->at;

    if (need(o, 20) != OK)
        return DROP_TUNNEL_TRUNCATED;
    const uint32_t header_len = (ip[0] & 0xf) * 4, total_len = be16(ip + 2);
    if (ip[0] >> 4 != 4 || header_len < 20 || total_len < header_len)
        return DROP_TUNNEL_LENGTH;
    if (o->at + total_len > o->end || need(o, header_len) != OK)
        return DROP_TUNNEL_TRUNCATED;
    if ((be16(ip + 6) & 0x3fff) != 0)
        return DROP_TUNNEL_FRAGMENT;
    if ((o->m->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK) != RTE_MBUF_F_RX_IP_CKSUM_GOOD &&
        rte_raw_cksum(ip, header_len) != 0xffff)
        return DROP_TUNNEL_CHECKSUM;
    o->end = o->at + total_len;
    o->proto = ip[9];
    o->at += header_len;
    memcpy(o->claim.remote, mapped_prefix, sizeof mapped_prefix);
    memcpy(o->claim.remote + 12, ip + 12, 4);
    memcpy(o->claim.local, mapped_prefix, sizeof mapped_prefix);
    memcpy(o->claim.local + 12, ip + 16, 4);
    o->meta->ipv4_src = flow_key_load32(ip + 12);
    o->meta->ipv4_dst = flow_key_load32(ip + 16);
    o->meta->tos = ip[1];
    o->meta->ttl = ip[8];
    return OK;
}

/* Extension headers that this host may pass over: those of a destination. Others are not for a tunnel. */
static enum drop_reason skip_exthdrs(struct outer *o)
{
    while (ipv6_exthdr_flag(o->proto) & (IPV6_EH_HOP | IPV6_EH_DEST)) {
        if (need(o, 8) != OK)
            return DROP_TUNNEL_TRUNCATED;
        const uint8_t *header = o->data + o->at;
        o->at += ipv6_exthdr_len(o->proto, header);
        o->proto = header[0];
    }
    return o->proto == IPPROTO_FRAGMENT ? DROP_TUNNEL_FRAGMENT : OK;
}

static enum drop_reason parse_ipv6(struct outer *o)
{
    const uint8_t *ip = o->data + o->at;

    if (need(o, 40) != OK)
        return DROP_TUNNEL_TRUNCATED;
    const uint32_t payload_len = be16(ip + 4);
    if (ip[0] >> 4 != 6)
        return DROP_TUNNEL_LENGTH;
    if (o->at + 40 + payload_len > o->end)
        return DROP_TUNNEL_TRUNCATED;
    o->proto = ip[6];
    o->at += 40;
    o->end = o->at + payload_len;
    memcpy(o->claim.remote, ip + 8, 16);
    memcpy(o->claim.local, ip + 24, 16);
    memcpy(o->meta->ipv6_src, ip + 8, 16);
    memcpy(o->meta->ipv6_dst, ip + 24, 16);
    o->meta->tos = (uint8_t)(be32(ip) >> 20);
    o->meta->ttl = ip[7];
    o->ipv6 = true;
    return likely(o->proto == IPPROTO_UDP || o->proto == IPPROTO_GRE) ? OK : skip_exthdrs(o);
}

static enum drop_reason parse_ip(struct outer *o)
{
    uint32_t type_at = 12;
    uint16_t type;

    if (o->avail < RTE_ETHER_HDR_LEN)
        return DROP_TUNNEL_TRUNCATED;
    type = be16(o->data + type_at);
    while (unlikely(type == RTE_ETHER_TYPE_VLAN || type == RTE_ETHER_TYPE_QINQ)) {
        type_at += 4;
        if (type_at > 20 || type_at + 2 > o->avail)
            return DROP_TUNNEL_TRUNCATED;
        type = be16(o->data + type_at);
    }
    o->at = o->l3 = type_at + 2;
    if (likely(type == RTE_ETHER_TYPE_IPV4))
        return parse_ipv4(o);
    return type == RTE_ETHER_TYPE_IPV6 ? parse_ipv6(o) : DROP_TUNNEL_TRUNCATED;
}

/* The sum of the packet from `at` to its end. */
static uint16_t sum_from(const struct outer *o, uint32_t at)
{
    return packet_sum_of(o->m, at, o->end);
}

/* The outer UDP checksum is left to be written. */
static bool checksum_is_due(const struct outer *o)
{
    return unlikely(offload_any(o->m)) && offload_l4(o->m) == o->l4;
}

/* The packet is unfinished, itself or what is inside: the outer checksum is not there yet, or is that of the finished
 * packet. Nobody can have broken it on a link. */
static bool checksum_is_open(const struct outer *o)
{
    return unlikely(offload_any(o->m)) && offload_l4(o->m) >= o->l4;
}

static __rte_noinline bool udp_checksum_right(const struct outer *o)
{
    const void *ip = o->data + o->l3;
    uint32_t pseudo;

    if ((o->m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_GOOD || checksum_is_open(o))
        return true;
    /* As the pseudo-header has it: what is behind the IP header, without padding. */
    if (o->ipv6) {
        struct rte_ipv6_hdr header = {.proto = IPPROTO_UDP,
                                      .payload_len = rte_cpu_to_be_16((uint16_t)(o->end - o->l4))};

        memcpy(header.src_addr, o->claim.remote, 16);
        memcpy(header.dst_addr, o->claim.local, 16);
        pseudo = rte_ipv6_phdr_cksum(&header, 0);
    } else {
        pseudo = rte_ipv4_phdr_cksum(ip, 0);
    }
    return checksum_fold(pseudo + sum_from(o, o->l4)) == 0xffff;
}

/* Over IPv6 a checksum of 0 is allowed for tunnels (RFC 6935). */
static enum drop_reason parse_udp(struct outer *o)
{
    const uint8_t *udp = o->data + o->at;

    if (need(o, 8) != OK)
        return DROP_TUNNEL_TRUNCATED;
    const uint32_t len = be16(udp + 4);
    if (len < 8 || o->at + len != o->end)
        return DROP_TUNNEL_LENGTH;
    if (unlikely((udp[6] | udp[7]) != 0) && !udp_checksum_right(o))
        return DROP_TUNNEL_CHECKSUM;
    o->meta->tp_src = flow_key_load16(udp);
    o->meta->tp_dst = flow_key_load16(udp + 2);
    o->at += 8;
    return OK;
}

/* --- tunnel headers ------------------------------------------------------ */

static void set_key(struct outer *o, uint32_t key)
{
    o->claim.key = o->meta->id = rte_cpu_to_be_64(key);
}

static enum drop_reason parse_gpe(struct outer *o, const uint8_t *p)
{
    static const uint16_t types[] = {[GPE_IPV4] = RTE_ETHER_TYPE_IPV4,
                                     [GPE_IPV6] = RTE_ETHER_TYPE_IPV6,
                                     [GPE_ETHERNET] = ETH_TYPE_TEB,
                                     [GPE_NSH] = ETH_TYPE_NSH,
                                     [GPE_MPLS] = RTE_ETHER_TYPE_MPLS};

    /* Without a next protocol it is a frame; a message of operations has its own format. */
    if (p[0] & VXLAN_GPE_VERSION)
        return DROP_TUNNEL_VERSION;
    if (p[0] & VXLAN_OAM)
        o->meta->flags = TUN_FLAG_OAM;
    if (!(p[0] & VXLAN_GPE))
        return OK;
    if (p[3] >= RTE_DIM(types) || types[p[3]] == 0)
        return DROP_TUNNEL_PAYLOAD;
    o->payload = types[p[3]];
    return OK;
}

static enum drop_reason parse_vxlan(struct outer *o, bool gpe)
{
    const uint8_t *p = o->data + o->at;

    if (need(o, VXLAN_LEN) != OK)
        return DROP_TUNNEL_TRUNCATED;
    if (!(p[0] & VXLAN_VNI))
        return DROP_TUNNEL_VERSION;
    o->at += VXLAN_LEN;
    set_key(o, be32(p + 4) >> 8);
    o->payload = ETH_TYPE_TEB;
    if (unlikely(gpe)) {
        const enum drop_reason reason = parse_gpe(o, p);

        if (reason != OK || p[0] & VXLAN_GPE)
            return reason;
    }
    if (unlikely(p[0] & VXLAN_GBP)) {
        o->meta->gbp_id = be16(p + 2);
        o->meta->gbp_flags = p[1] & VXLAN_GBP_FLAGS;
    }
    return OK;
}

/* An option's value goes where the table says. Lines of the key are cleared when the first goes there. */
static void put_option(struct outer *o, const struct tunnel_option *option, const uint8_t *value)
{
    const uint16_t n_lines = option->offset + option->len > FLOW_KEY_LINE ? 3 : 2;

    if (o->n_lines < n_lines) {
        memset(o->meta->options + (o->n_lines - 1) * FLOW_KEY_LINE, 0, (n_lines - o->n_lines) * FLOW_KEY_LINE);
        o->n_lines = n_lines;
    }
    memcpy(o->meta->options + option->offset, value, option->len);
}

static __rte_noinline enum drop_reason parse_options(struct outer *o, const struct tunnel_options *options,
                                                     uint32_t end)
{
    while (o->at < end) {
        const uint8_t *p = o->data + o->at;
        const uint32_t len = (p[3] & 0x1f) * 4;
        const struct tunnel_option *option;

        if (o->at + GENEVE_OPTION_LEN + len > end) /* options are whole words, so the option's head is there */
            return DROP_TUNNEL_OPTION;
        option = tunnel_options_find(options, be16(p), p[2]);
        if (option && option->len == len)
            put_option(o, option, p + GENEVE_OPTION_LEN);
        else if (!option && (p[2] & GENEVE_OPTION_CRITICAL))
            return DROP_TUNNEL_OPTION;
        o->at += GENEVE_OPTION_LEN + len;
    }
    return OK;
}

static enum drop_reason parse_geneve(struct outer *o, const struct tunnel_table *table)
{
    const uint8_t *p = o->data + o->at;

    if (need(o, GENEVE_LEN) != OK)
        return DROP_TUNNEL_TRUNCATED;
    const uint32_t options_len = (p[0] & GENEVE_OPTIONS) * 4;
    if (p[0] >> 6 != 0)
        return DROP_TUNNEL_VERSION;
    if (need(o, GENEVE_LEN + options_len) != OK)
        return DROP_TUNNEL_TRUNCATED;
    set_key(o, be32(p + 4) >> 8);
    o->payload = be16(p + 2);
    if (p[1] & GENEVE_OAM)
        o->meta->flags = TUN_FLAG_OAM;
    o->at += GENEVE_LEN;
    if (options_len == 0)
        return OK;
    return parse_options(o, tunnel_table_options(table), o->at + options_len);
}

/* The header; *sequence is whether a sequence number was there, which ERSPAN has to have. */
static enum drop_reason parse_gre(struct outer *o, bool *sequence)
{
    const uint8_t *p = o->data + o->at;

    if (need(o, GRE_LEN) != OK)
        return DROP_TUNNEL_TRUNCATED;
    const uint16_t flags = be16(p);
    if (flags & ~GRE_KNOWN)
        return DROP_TUNNEL_VERSION;
    const uint32_t len = GRE_LEN + 4u * (!!(flags & GRE_CHECKSUM) + !!(flags & GRE_KEY) + !!(flags & GRE_SEQUENCE));
    if (need(o, len) != OK)
        return DROP_TUNNEL_TRUNCATED;
    if (flags & GRE_CHECKSUM && !checksum_is_open(o) && sum_from(o, o->at) != 0xffff)
        return DROP_TUNNEL_CHECKSUM;
    if (flags & GRE_KEY)
        set_key(o, be32(p + GRE_LEN + (flags & GRE_CHECKSUM ? 4 : 0)));
    o->payload = be16(p + 2);
    *sequence = flags & GRE_SEQUENCE;
    o->at += len;
    return OK;
}

static enum drop_reason parse_erspan2(struct outer *o)
{
    const uint8_t *p = o->data + o->at;

    if (need(o, ERSPAN2_LEN) != OK)
        return DROP_TUNNEL_TRUNCATED;
    if (p[0] >> 4 != 1)
        return DROP_TUNNEL_VERSION;
    set_key(o, be16(p + 2) & ERSPAN_SESSION);
    o->meta->erspan = rte_cpu_to_be_32(1u << TUN_ERSPAN_VER_SHIFT | (be32(p + 4) & TUN_ERSPAN_IDX_MASK));
    o->at += ERSPAN2_LEN;
    return OK;
}

static enum drop_reason parse_erspan3(struct outer *o)
{
    const uint8_t *p = o->data + o->at;

    if (need(o, ERSPAN3_LEN) != OK)
        return DROP_TUNNEL_TRUNCATED;
    if (p[0] >> 4 != 2)
        return DROP_TUNNEL_VERSION;
    const uint16_t last = be16(p + 10);
    const uint32_t len = ERSPAN3_LEN + (last & 1 ? ERSPAN3_SUBHEADER_LEN : 0);
    if (need(o, len) != OK)
        return DROP_TUNNEL_TRUNCATED;
    set_key(o, be16(p + 2) & ERSPAN_SESSION);
    o->meta->erspan = rte_cpu_to_be_32(2u << TUN_ERSPAN_VER_SHIFT | (last >> 3 & 1u) << TUN_ERSPAN_DIR_SHIFT |
                                       (last >> 4 & 0x3fu) << TUN_ERSPAN_HWID_SHIFT);
    o->at += len;
    return OK;
}

/* One listener has both: the type of the payload tells them apart. */
static enum drop_reason parse_gre_or_erspan(struct outer *o, const struct op_tunnel_pop *pop)
{
    enum drop_reason reason;
    bool sequence;

    reason = parse_gre(o, &sequence);
    if (reason != OK)
        return reason;
    const uint16_t proto = o->payload;
    if (proto != ETH_TYPE_ERSPAN && proto != ETH_TYPE_ERSPAN3)
        return pop->type == TUNNEL_GRE ? OK : DROP_TUNNEL_PAYLOAD;
    o->claim.type = TUNNEL_ERSPAN;
    o->payload = ETH_TYPE_TEB;
    if (proto == ETH_TYPE_ERSPAN3)
        return parse_erspan3(o);
    return sequence ? parse_erspan2(o) : OK; /* type I has neither sequence number nor header */
}

/* 5.2.1: length in words, contents, type of the next. */
static enum drop_reason skip_gtpu_extensions(struct outer *o, uint8_t next)
{
    while (next != 0) {
        if (need(o, 4) != OK)
            return DROP_TUNNEL_TRUNCATED;
        const uint32_t len = o->data[o->at] * 4u;
        if (len == 0)
            return DROP_TUNNEL_LENGTH;
        if (need(o, len) != OK)
            return DROP_TUNNEL_TRUNCATED;
        next = o->data[o->at + len - 1];
        o->at += len;
    }
    return OK;
}

static enum drop_reason parse_gtpu(struct outer *o)
{
    const uint8_t *p = o->data + o->at;
    enum drop_reason reason;

    if (need(o, GTPU_LEN) != OK)
        return DROP_TUNNEL_TRUNCATED;
    const uint8_t flags = p[0];
    if ((flags & GTPU_VERSION_MASK) != GTPU_VERSION)
        return DROP_TUNNEL_VERSION;
    if (o->at + GTPU_LEN + be16(p + 2) != o->end)
        return DROP_TUNNEL_LENGTH;
    set_key(o, be32(p + 4));
    o->meta->gtpu_flags = flags;
    o->meta->gtpu_msgtype = p[1];
    o->at += GTPU_LEN;
    if (p[1] != GTPU_TPDU) { /* echo and its like: the header is all that rules can tell of it */
        o->payload = 0;
        return OK;
    }
    if (flags & GTPU_MORE) {
        if (need(o, GTPU_MORE_LEN) != OK)
            return DROP_TUNNEL_TRUNCATED;
        o->at += GTPU_MORE_LEN;
        reason = flags & GTPU_EXTENSION ? skip_gtpu_extensions(o, p[GTPU_LEN + 3]) : OK;
        if (reason != OK)
            return reason;
    }
    if (need(o, 1) != OK)
        return DROP_TUNNEL_TRUNCATED;
    switch (o->data[o->at] >> 4) {
    case 4:
        o->payload = RTE_ETHER_TYPE_IPV4;
        return OK;
    case 6:
        o->payload = RTE_ETHER_TYPE_IPV6;
        return OK;
    default:
        return DROP_TUNNEL_PAYLOAD;
    }
}

/* One routing header: a list of segments that has been gone through. */
static enum drop_reason parse_segments(struct outer *o)
{
    const uint8_t *p = o->data + o->at;

    if (need(o, SRV6_LEN) != OK)
        return DROP_TUNNEL_TRUNCATED;
    const uint32_t len = (p[1] + 1) * 8u;
    if (p[2] != SRV6_ROUTING_TYPE)
        return DROP_TUNNEL_VERSION;
    if (p[3] != 0)
        return DROP_TUNNEL_SEGMENTS;
    if (SRV6_LEN + (p[4] + 1u) * SRV6_SEGMENT_LEN > len)
        return DROP_TUNNEL_LENGTH;
    if (need(o, len) != OK)
        return DROP_TUNNEL_TRUNCATED;
    o->proto = p[0];
    o->at += len;
    return skip_exthdrs(o);
}

/* RFC 8986, 4.4 to 4.8, decapsulation: the last segment of the list, or a packet without one (5.1: of a list of one
 * segment it may be left out). */
static enum drop_reason parse_srv6(struct outer *o)
{
    while (o->proto == IPPROTO_ROUTING) {
        const enum drop_reason reason = parse_segments(o);

        if (reason != OK)
            return reason;
    }
    if (o->proto != IPPROTO_IPIP && o->proto != IPPROTO_IPV6)
        return DROP_TUNNEL_PAYLOAD;
    if (need(o, 1) != OK)
        return DROP_TUNNEL_TRUNCATED;
    if (!o->ipv6 || o->data[o->at] >> 4 != (o->proto == IPPROTO_IPIP ? 4 : 6))
        return DROP_TUNNEL_PAYLOAD;
    o->payload = o->proto == IPPROTO_IPIP ? RTE_ETHER_TYPE_IPV4 : RTE_ETHER_TYPE_IPV6;
    return OK;
}

static enum drop_reason parse_own(struct outer *o, const struct op_tunnel_pop *pop, const struct tunnel_table *table)
{
    enum drop_reason reason;

    if (pop->type == TUNNEL_GRE || pop->type == TUNNEL_ERSPAN)
        return o->proto == IPPROTO_GRE ? parse_gre_or_erspan(o, pop) : DROP_TUNNEL_UNKNOWN;
    if (o->proto != IPPROTO_UDP)
        return pop->type == TUNNEL_SRV6 ? parse_srv6(o) : DROP_TUNNEL_UNKNOWN;
    reason = parse_udp(o);
    if (reason != OK)
        return reason;
    switch (pop->type) {
    case TUNNEL_VXLAN:
        return parse_vxlan(o, pop->gpe);
    case TUNNEL_GENEVE:
        return parse_geneve(o, table);
    case TUNNEL_GTPU:
        return parse_gtpu(o);
    default:
        return DROP_TUNNEL_UNKNOWN;
    }
}

/* --- what was inside ----------------------------------------------------- */

/* Takes off what lies behind the end. */
static void trim(struct outer *o)
{
    struct rte_mbuf *m = o->m, *segment = m;
    uint32_t left = o->end;

    if (likely(m->pkt_len == left))
        return;
    m->pkt_len = left;
    while (segment->data_len < left) {
        left -= segment->data_len;
        segment = segment->next;
    }
    segment->data_len = (uint16_t)left;
    if (segment->next) {
        uint16_t n = 0;

        rte_pktmbuf_free(segment->next);
        segment->next = NULL;
        for (segment = m; segment; segment = segment->next)
            n++;
        m->nb_segs = n;
    }
}

/* Brings the outer congestion mark into the inner packet (RFC 6040). A packet that is no IP, or not whole, has none. */
enum drop_reason pop_combine_ecn(struct rte_mbuf *m, uint8_t outer)
{
    struct packet_layers layers;

    packet_layers_find(m, &layers);
    if (layers.l3 == 0 || (layers.eth_type != RTE_ETHER_TYPE_IPV4 && layers.eth_type != RTE_ETHER_TYPE_IPV6))
        return OK;
    uint8_t *ip = rte_pktmbuf_mtod_offset(m, uint8_t *, layers.l3);
    const bool ipv4 = layers.eth_type == RTE_ETHER_TYPE_IPV4;
    uint8_t *field = ip + 1;
    const uint8_t shift = ipv4 ? 0 : 4, inner = *field >> shift & ECN_MASK;
    const uint16_t before = flow_key_load16(ip);

    if (inner == 0)
        return outer == ECN_CE ? DROP_TUNNEL_ECN : OK;
    if (inner == ECN_CE || outer == inner)
        return OK;
    *field = (uint8_t)((*field & ~(ECN_MASK << shift)) | outer << shift);
    if (ipv4) {
        struct rte_ipv4_hdr *ip4 = (void *)ip;

        ip4->hdr_checksum = checksum_update(ip4->hdr_checksum, checksum_delta16(before, flow_key_load16(ip)));
    }
    return OK;
}

/* The outer headers go. What the marks of an unfinished packet tell of them is done with; what they tell of headers
 * inside stays true. */
static void take_off(struct outer *o, uint32_t len)
{
    struct rte_mbuf *m = o->m;

    m->ol_flags &= ~(uint64_t)TUNNEL_POP_CHECKED;
    if (unlikely(offload_any(m))) {
        if (checksum_is_due(o))
            m->ol_flags &= ~(uint64_t)OFFLOAD_ANY;
        else
            m->l2_len -= len;
    }
    rte_pktmbuf_adj(m, (uint16_t)len);
}

static void write_ethernet(struct rte_mbuf *m, uint16_t type)
{
    uint8_t *eth = rte_pktmbuf_mtod(m, uint8_t *);

    memset(eth, 0, 12);
    eth[12] = (uint8_t)(type >> 8);
    eth[13] = (uint8_t)type;
}

/* A large packet whose marks are of the outer headers, or of none that lie inside, cannot be taken apart. */
static bool marks_fit(const struct outer *o)
{
    const struct rte_mbuf *m = o->m;

    if (likely(!offload_any(m)))
        return true;
    return checksum_is_due(o) ? !offload_segmented(m) : m->l2_len >= o->at;
}

enum drop_reason pop_parse(const struct tunnel_table *table, struct tunnel_cache *cache,
                           const struct op_tunnel_pop *pop, struct rte_mbuf *m)
{
    struct packet_meta *packet = packet_meta(m);
    struct outer o = {.m = m,
                      .data = rte_pktmbuf_mtod(m, const uint8_t *),
                      .avail = RTE_MIN(m->data_len, TUNNEL_POP_WINDOW),
                      .end = m->pkt_len,
                      .claim = {.type = pop->type, .udp_port = pop->udp_port},
                      .meta = &packet->tun,
                      .n_lines = 1};
    const uint32_t generation = tunnel_table_generation(table);
    enum drop_reason reason;

    if (unlikely(offload_datagram(m))) /* what is inside was not cut, and is not to be */
        offload_finish(m);
    memset(o.meta, 0, FLOW_KEY_LINE);
    reason = parse_ip(&o);
    if (unlikely(reason != OK))
        return reason;
    o.avail = RTE_MIN(o.avail, o.end);
    o.l4 = o.at;
    reason = parse_own(&o, pop, table);
    if (unlikely(reason != OK))
        return reason;
    if (o.payload != 0 && o.payload < ETH_TYPE_LEAST)
        return DROP_TUNNEL_PAYLOAD;
    if (o.payload == ETH_TYPE_TEB && unlikely(o.at + RTE_ETHER_HDR_LEN > o.end))
        return DROP_TUNNEL_TRUNCATED;
    o.claim.payload = o.payload == ETH_TYPE_TEB ? TUNNEL_L2 : TUNNEL_L3;
    const uint32_t index = tunnel_table_find(table, &cache->memo, &o.claim);
    if (unlikely(index == 0))
        return DROP_TUNNEL_UNKNOWN;
    if (unlikely(!marks_fit(&o)))
        return DROP_RX_OFFLOAD;

    pop_remember(&o, cache, pop, generation, index);
    trim(&o);
    if (likely(o.payload == ETH_TYPE_TEB)) {
        take_off(&o, o.at);
    } else {
        take_off(&o, o.at - RTE_ETHER_HDR_LEN);
        write_ethernet(m, o.payload);
        o.meta->flags |= TUN_FLAG_NO_ETHERNET;
    }
    packet->md.in_port = index;
    packet->md.tun_lines = o.n_lines;
    if (unlikely((o.meta->tos & 1) != 0)) /* ECT(1), CE */
        return pop_combine_ecn(m, o.meta->tos & ECN_MASK);
    return OK;
}
