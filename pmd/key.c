/* The parser for everything that pmd/key_inline.h does not take.
 *
 * Only the first FLOW_KEY_WINDOW bytes of a packet are looked at, whether it is in one segment or in many, so that
 * segmentation never shows in the key. What each malformed header does:
 *   - VLAN tag, LLC/SNAP, MPLS label, PBB tag, NSH cut short: eth_type names it, nothing behind is parsed.
 *   - IPv4 with a wrong version, IHL < 5, IHL past the total length, total length past the packet; IPv6 with a wrong
 *     version, payload length past the packet; either cut short: eth_type only.
 *   - IPv6 extension header cut short, or past the window: ip_proto names it, its flag and all behind it are not set.
 *   - TCP with a data offset < 5 or past the IP payload; any L4 header cut short: ip_proto only.
 * Bytes behind the IP length (padding) are ignored. The length of UDP is not looked at: nothing in the key depends on
 * it, and first fragments and jumbograms have one that does not fit.
 */
#include <rte_common.h>
#include <rte_prefetch.h>

#include "pmd/key.h"
#include "pmd/ipv6_exthdr.h"
#include "pmd/key_inline.h"

#define ETH_HEADER_LEN 14
#define ETH_TYPE_MIN 0x0600
#define ND_SOLICIT 135
#define ND_ADVERT 136
#define ND_OPTION_SLLA 1
#define ND_OPTION_TLLA 2

struct key_reader {
    const uint8_t *data;
    uint32_t avail; /* bytes of data[] */
    uint32_t len;   /* bytes of the packet */
};

static inline bool has(const struct key_reader *r, uint32_t offset, uint32_t n)
{
    return offset + n <= r->avail;
}

static inline uint16_t host16(const struct key_reader *r, uint32_t offset)
{
    return rte_be_to_cpu_16(flow_key_load16(r->data + offset));
}

/* RFC 4861, 4.3, 4.4 and 4.6.1. An option of length 0 or past the end, and a second link-layer address, invalidate the
 * options (as in OVS), not the message. */
static void parse_nd(const struct key_reader *r, uint32_t offset, uint32_t end, struct flow_key *key)
{
    const uint8_t type = r->data[offset];
    const uint8_t wanted = type == ND_SOLICIT ? ND_OPTION_SLLA : ND_OPTION_TLLA;
    struct rte_ether_addr *lla = type == ND_SOLICIT ? &key->arp_sha : &key->arp_tha;

    if (!has(r, offset, 24) || offset + 24 > end)
        return;
    key->nd_reserved = flow_key_load32(r->data + offset + 4);
    memcpy(key->nd_target, r->data + offset + 8, 16);

    for (offset += 24; offset + 8 <= end && has(r, offset, 8);) {
        const uint32_t len = r->data[offset + 1] * 8;
        if (len == 0 || offset + len > end)
            goto invalid;
        if (r->data[offset] == wanted && len == 8) {
            if (key->nd_options_type != 0)
                goto invalid;
            key->nd_options_type = wanted;
            memcpy(lla, r->data + offset + 2, sizeof *lla);
        }
        offset += len;
    }
    return;
invalid:
    key->nd_options_type = 0;
    memset(lla, 0, sizeof *lla);
}

/* `end` is where the IP payload ends. */
static void parse_l4(const struct key_reader *r, uint32_t offset, uint32_t end, bool ipv6, struct flow_key *key,
                     struct packet_layers *layers)
{
    const uint8_t *l4 = r->data + offset;
    const uint32_t room = RTE_MIN(end, r->avail) - offset;

    switch (key->ip_proto) {
    case IPPROTO_TCP:
        if (room < 20 || l4[12] >> 4 < 5 || offset + (l4[12] >> 4) * 4 > end)
            return;
        key->tcp_flags = flow_key_load16(l4 + 12) & RTE_BE16(0x0fff);
        break;
    case IPPROTO_UDP:
        if (room < 8)
            return;
        break;
    case IPPROTO_SCTP:
        if (room < 12)
            return;
        break;
    case IPPROTO_ICMP:
        if (ipv6 || room < 8)
            return;
        break;
    case IPPROTO_ICMPV6:
        if (!ipv6 || room < 4)
            return;
        break;
    default:
        return;
    }
    layers->l4 = offset;
    if (key->ip_proto == IPPROTO_ICMP || key->ip_proto == IPPROTO_ICMPV6) {
        key->tp_src = rte_cpu_to_be_16(l4[0]);
        key->tp_dst = rte_cpu_to_be_16(l4[1]);
        if (ipv6 && (l4[0] == ND_SOLICIT || l4[0] == ND_ADVERT) && l4[1] == 0)
            parse_nd(r, offset, end, key);
    } else {
        key->tp_src = flow_key_load16(l4);
        key->tp_dst = flow_key_load16(l4 + 2);
    }
}

static void parse_ipv4(const struct key_reader *r, uint32_t offset, struct flow_key *key, struct packet_layers *layers)
{
    const uint8_t *ip = r->data + offset;

    if (!has(r, offset, 20))
        return;
    const uint32_t header_len = (ip[0] & 0xf) * 4;
    const uint32_t total_len = host16(r, offset + 2);
    if (ip[0] >> 4 != 4 || header_len < 20 || header_len > total_len || offset + total_len > r->len ||
        !has(r, offset, header_len))
        return;

    layers->l3 = offset;
    layers->ip_proto = ip[9];
    key->ipv4_src = flow_key_load32(ip + 12);
    key->ipv4_dst = flow_key_load32(ip + 16);
    key->ip_proto = ip[9];
    key->ip_tos = ip[1];
    key->ip_ttl = ip[8];
    const uint16_t fragment = host16(r, offset + 6) & 0x3fff; /* RFC 791, 3.1: MF and the offset */
    if (fragment != 0) {
        key->ip_frag = IP_FRAG_ANY;
        layers->fragment = true;
        if ((fragment & 0x1fff) != 0) {
            key->ip_frag |= IP_FRAG_LATER;
            layers->later_fragment = true;
            return;
        }
    }
    parse_l4(r, offset + header_len, offset + total_len, false, key, layers);
}

/* The places of RFC 8200, 4.1 that a header can take in the recommended order. Destination options have two. */
enum { PLACE_NONE, PLACE_HOP, PLACE_DEST, PLACE_ROUTER, PLACE_FRAG, PLACE_AUTH, PLACE_ESP, PLACE_DEST_FINAL };

struct exthdr_order {
    uint16_t flags; /* for the key: IPV6_EH_* */
    uint16_t met;   /* IPV6_EH_* of all headers so far */
    uint8_t last;   /* PLACE_* */
    uint8_t n_dest;
};

static uint8_t exthdr_place(uint16_t flag)
{
    switch (flag) {
    case IPV6_EH_HOP:
        return PLACE_HOP;
    case IPV6_EH_DEST:
        return PLACE_DEST;
    case IPV6_EH_ROUTER:
        return PLACE_ROUTER;
    case IPV6_EH_FRAG:
        return PLACE_FRAG;
    case IPV6_EH_AUTH:
        return PLACE_AUTH;
    default:
        return PLACE_ESP;
    }
}

/* OpenFlow 1.3.5, 7.2.3.8: UNSEQ if the chain is no subsequence of the recommended order, UNREP if a header repeats
 * that should not (two of destination options are fine); HOP only if it comes first. */
static void exthdr_note(struct exthdr_order *order, uint16_t flag)
{
    uint8_t place = exthdr_place(flag);
    bool repeated = (order->met & flag) != 0;

    if (flag == IPV6_EH_DEST) {
        if (order->last >= PLACE_DEST)
            place = PLACE_DEST_FINAL;
        repeated = ++order->n_dest > 2;
    }
    if (place < order->last)
        order->flags |= IPV6_EH_UNSEQ;
    if (repeated)
        order->flags |= IPV6_EH_UNREP;
    if (flag != IPV6_EH_HOP || order->met == 0)
        order->flags |= flag;
    order->met |= flag;
    order->last = RTE_MAX(order->last, place);
}

/* Returns whether something of it can be parsed behind this header: not in a later fragment. */
static bool parse_fragment(const uint8_t *header, struct flow_key *key, struct packet_layers *layers)
{
    const uint16_t offset_flags = rte_be_to_cpu_16(flow_key_load16(header + 2));

    /* An atomic fragment (RFC 6946) is a whole packet. */
    if ((offset_flags & 0xfff9) == 0)
        return true;
    key->ip_frag = IP_FRAG_ANY;
    layers->fragment = true;
    if ((offset_flags & 0xfff8) == 0)
        return true;
    key->ip_frag |= IP_FRAG_LATER;
    layers->later_fragment = true;
    key->ip_proto = IPPROTO_FRAGMENT;
    return false;
}

/* The one walk over extension headers, from `offset` on: what others have to know of them it leaves in `layers`. Leaves
 * key->ip_proto at the last header's number. Returns where that header is, 0 if there is nothing to parse behind it. */
static uint32_t parse_exthdrs(const struct key_reader *r, uint32_t offset, uint32_t end, struct flow_key *key,
                              struct packet_layers *layers)
{
    const uint32_t limit = RTE_MIN(end, r->avail);
    struct exthdr_order order = {0};
    uint16_t flag;

    while ((flag = ipv6_exthdr_flag(key->ip_proto)) != 0) {
        const uint8_t *header = r->data + offset, proto = key->ip_proto;

        if (offset + 8 > limit || offset + ipv6_exthdr_len(proto, header) > limit) {
            layers->cut = true;
            offset = 0;
            break;
        }
        exthdr_note(&order, flag);
        layers->naming = (uint8_t)offset;
        key->ip_proto = header[0];
        if (proto == IPPROTO_ROUTING && header[3] != 0)
            layers->routed = true;
        if (proto == IPPROTO_FRAGMENT && !parse_fragment(header, key, layers)) {
            offset = 0;
            break;
        }
        offset += ipv6_exthdr_len(proto, header);
    }
    if (key->ip_proto == IPPROTO_ESP) {
        exthdr_note(&order, IPV6_EH_ESP);
        offset = 0;
    } else if (key->ip_proto == IPPROTO_NONE) {
        order.flags |= IPV6_EH_NONEXT;
        offset = 0;
    }
    key->ipv6_exthdr = order.flags;
    return offset;
}

static void parse_ipv6(const struct key_reader *r, uint32_t offset, struct flow_key *key, struct packet_layers *layers)
{
    const uint8_t *ip = r->data + offset;

    if (!has(r, offset, 40))
        return;
    const uint32_t end = offset + 40 + host16(r, offset + 4);
    if (ip[0] >> 4 != 6 || end > r->len)
        return;

    const uint32_t first = rte_be_to_cpu_32(flow_key_load32(ip));
    layers->l3 = offset;
    memcpy(key->ipv6_src, ip + 8, 16);
    memcpy(key->ipv6_dst, ip + 24, 16);
    key->ipv6_label = rte_cpu_to_be_32(first & 0xfffff);
    key->ip_tos = first >> 20;
    key->ip_ttl = ip[7];
    key->ip_proto = ip[6];
    const uint32_t l4 = parse_exthdrs(r, offset + 40, end, key, layers);
    layers->ip_proto = key->ip_proto;
    if (l4 != 0)
        parse_l4(r, l4, end, true, key, layers);
}

/* ARP and RARP for IPv4 over Ethernet (RFC 826, RFC 903). */
static void parse_arp(const struct key_reader *r, uint32_t offset, struct flow_key *key, struct packet_layers *layers)
{
    const uint8_t *arp = r->data + offset;

    if (!has(r, offset, 28) || host16(r, offset) != 1 || host16(r, offset + 2) != RTE_ETHER_TYPE_IPV4 || arp[4] != 6 ||
        arp[5] != 4)
        return;
    layers->l3 = offset;
    const uint16_t op = host16(r, offset + 6);
    if (op < 256)
        key->ip_proto = op;
    memcpy(&key->arp_sha, arp + 8, 6);
    key->ipv4_src = flow_key_load32(arp + 14);
    memcpy(&key->arp_tha, arp + 18, 6);
    key->ipv4_dst = flow_key_load32(arp + 24);
}

static void parse_mpls(const struct key_reader *r, uint32_t offset, struct flow_key *key, struct packet_layers *layers)
{
    for (unsigned i = 0; i < RTE_DIM(key->mpls_lse) && has(r, offset, 4); i++, offset += 4) {
        if (i == 0)
            layers->mpls = offset;
        key->mpls_lse[i] = flow_key_load32(r->data + offset);
        if (r->data[offset + 2] & 1) /* bottom of stack: RFC 3032, 2.1 */
            return;
    }
}

/* The I-TAG of IEEE 802.1Q, 9.7: I-PCP, I-DEI, UCA, reserved, I-SID. */
static void parse_pbb(const struct key_reader *r, uint32_t offset, struct flow_key *key, struct packet_layers *layers)
{
    if (!has(r, offset, 4))
        return;
    layers->pbb = offset;
    const uint32_t tag = flow_key_load32(r->data + offset);
    key->pbb_isid = tag & RTE_BE32(0x00ffffff);
    key->pbb_uca = (tag & RTE_BE32(0x08000000)) != 0;
}

/* RFC 8300, 2.2 to 2.5. The header has to be whole; other versions are not known. */
static void parse_nsh(const struct key_reader *r, uint32_t offset, struct flow_key *key, struct packet_layers *layers)
{
    const uint8_t *nsh = r->data + offset;

    if (!has(r, offset, 8))
        return;
    const uint16_t first = host16(r, offset);
    const uint32_t len = (first & 0x3f) * 4;
    if (first >> 14 != 0 || len < 8 || !has(r, offset, len) || ((nsh[2] & 0xf) == 1 && len != 24))
        return;
    layers->nsh = offset;
    key->nsh.flags = first >> 12 & 3;
    key->nsh.ttl = first >> 6 & 0x3f;
    key->nsh.mdtype = nsh[2] & 0xf;
    key->nsh.np = nsh[3];
    key->nsh.path = flow_key_load32(nsh + 4);
    if (key->nsh.mdtype == 1)
        memcpy(key->nsh.context, nsh + 8, sizeof key->nsh.context);
}

/* Behind a length: LLC and SNAP with OUI 0 name an EtherType (RFC 1042), anything else none. */
static uint16_t parse_llc(const struct key_reader *r, uint32_t *offset)
{
    static const uint8_t snap[6] = {0xaa, 0xaa, 0x03, 0, 0, 0};

    if (!has(r, *offset, 8) || memcmp(r->data + *offset, snap, sizeof snap) != 0)
        return ETH_TYPE_NONE;
    const uint16_t type = host16(r, *offset + 6);
    if (type < ETH_TYPE_MIN)
        return ETH_TYPE_NONE;
    *offset += 8;
    return type;
}

/* `key` and `layers` are all zero. Needs a whole Ethernet header. */
static void parse_frame(const struct key_reader *r, unsigned max_tags, struct flow_key *key,
                        struct packet_layers *layers)
{
    uint32_t offset = ETH_HEADER_LEN;
    uint16_t type = host16(r, 12);

    memcpy(&key->eth_dst, r->data, 12);
    for (unsigned i = 0;
         i < max_tags && (type == RTE_ETHER_TYPE_VLAN || type == RTE_ETHER_TYPE_QINQ) && has(r, offset, 4);
         i++, offset += 4) {
        if (i == 0)
            layers->vlan = offset - 2;
        if (i < FLOW_KEY_TAGS)
            key->vlan_tci[i] = flow_key_load16(r->data + offset) | RTE_BE16(VLAN_TCI_PRESENT);
        type = host16(r, offset + 2);
    }
    if (type < ETH_TYPE_MIN)
        type = parse_llc(r, &offset);
    key->eth_type = rte_cpu_to_be_16(type);
    layers->eth_type = type;

    switch (type) {
    case RTE_ETHER_TYPE_IPV4:
        parse_ipv4(r, offset, key, layers);
        break;
    case RTE_ETHER_TYPE_IPV6:
        parse_ipv6(r, offset, key, layers);
        break;
    case RTE_ETHER_TYPE_ARP:
    case RTE_ETHER_TYPE_RARP:
        parse_arp(r, offset, key, layers);
        break;
    case RTE_ETHER_TYPE_MPLS:
    case RTE_ETHER_TYPE_MPLSM:
        parse_mpls(r, offset, key, layers);
        break;
    case ETH_TYPE_NSH:
        parse_nsh(r, offset, key, layers);
        break;
    case ETH_TYPE_PBB:
        parse_pbb(r, offset, key, layers);
        break;
    }
}

/* In lines: one memset of it all becomes "rep stos", which takes longer than the parsing. */
static inline void key_clear(struct flow_key *key, unsigned n_lines)
{
    for (unsigned line = 0; line < n_lines; line++)
        memset((uint8_t *)key + line * FLOW_KEY_LINE, 0, FLOW_KEY_LINE);
}

static inline unsigned lines_used(const struct flow_key *key, unsigned n_lines)
{
    const uint64_t *words = (const uint64_t *)key;

    for (unsigned line = n_lines - 1; line > 0; line--) {
        uint64_t any = 0;
        for (unsigned i = 0; i < 8; i++)
            any |= words[line * 8 + i];
        if (any != 0)
            return line + 1;
    }
    return 1;
}

unsigned flow_key_parse_general(const struct rte_mbuf *m, uint32_t in_port, struct flow_key *key)
{
    uint8_t buffer[FLOW_KEY_WINDOW];
    struct packet_layers layers = {0};
    struct key_reader r = {.avail = RTE_MIN(m->pkt_len, (uint32_t)FLOW_KEY_WINDOW), .len = m->pkt_len};

    key_clear(key, FLOW_KEY_PACKET_LINES);
    if (r.len < ETH_HEADER_LEN)
        return 0;
    r.data = rte_pktmbuf_read(m, 0, r.avail, buffer);
    key->in_port = in_port;
    parse_frame(&r, FLOW_KEY_TAGS, key, &layers);
    return lines_used(key, FLOW_KEY_PACKET_LINES);
}

#if RTE_BYTE_ORDER == RTE_LITTLE_ENDIAN
unsigned flow_key_store_gre(const uint8_t *eth, const uint8_t *ip, uint32_t in_port, uint64_t tag_type,
                            struct flow_key *key)
{
    uint64_t *words = (uint64_t *)key;

    words[0] = in_port;
    words[1] = flow_key_load64(eth);
    words[2] = flow_key_load32(eth + 8) | tag_type;
    words[3] = (uint64_t)flow_key_load32(ip + 12) << 32;
    words[4] = flow_key_load32(ip + 16);
    words[5] = IPPROTO_GRE | (uint32_t)ip[1] << 8 | (uint32_t)ip[8] << 16;
    words[6] = words[7] = 0;
    return 1;
}

/* IPv6 with TCP, UDP or GRE right behind the header, behind at most one tag; as flow_key_parse_inline for IPv4. */
static unsigned parse_ipv6_line(const struct rte_mbuf *m, uint32_t in_port, struct flow_key *key)
{
    const uint8_t *eth = rte_pktmbuf_mtod(m, const uint8_t *);
    uint32_t l2_len = ETH_HEADER_LEN;
    uint16_t tci = 0;

    if (m->data_len < 18 + 40 + 8) /* a tag's bytes more than most need: short ones go the general way */
        return 0;
    uint16_t eth_type = flow_key_load16(eth + 12);
    if (eth_type == RTE_BE16(RTE_ETHER_TYPE_VLAN) || eth_type == RTE_BE16(RTE_ETHER_TYPE_QINQ)) {
        tci = flow_key_load16(eth + 14) | RTE_BE16(VLAN_TCI_PRESENT);
        eth_type = flow_key_load16(eth + 16);
        l2_len = 18;
    }
    const uint8_t *ip = eth + l2_len, *l4 = ip + 40;
    const uint32_t first = rte_be_to_cpu_32(flow_key_load32(ip));
    const uint32_t payload_len = rte_be_to_cpu_16(flow_key_load16(ip + 4));
    const uint32_t proto = ip[6];
    uint64_t tcp_flags = 0;
    uint32_t l4_len = 8;

    if (eth_type != RTE_BE16(RTE_ETHER_TYPE_IPV6) || first >> 28 != 6)
        return 0;
    if (proto == IPPROTO_TCP) {
        if (m->data_len < l2_len + 40 + 20)
            return 0;
        l4_len = (l4[12] >> 4) * 4;
        tcp_flags = flow_key_load16(l4 + 12) & RTE_BE16(0x0fff);
        if (l4_len < 20)
            return 0;
    } else if (proto == IPPROTO_GRE) {
        l4_len = 0;
    } else if (proto != IPPROTO_UDP) {
        return 0;
    }
    if (payload_len < l4_len || l2_len + 40 + payload_len > m->pkt_len)
        return 0;

    uint64_t *words = (uint64_t *)key;
    words[0] = in_port;
    words[1] = flow_key_load64(eth);
    words[2] = flow_key_load32(eth + 8) | (uint64_t)eth_type << 32 | (uint64_t)tci << 48;
    words[3] = tcp_flags << 16;
    words[4] = l4_len != 0 ? (uint64_t)flow_key_load32(l4) << 32 : 0;
    words[5] = proto | (first >> 20 & 0xff) << 8 | (uint32_t)ip[7] << 16;
    words[6] = words[7] = 0;
    words[8] = flow_key_load64(ip + 8);
    words[9] = flow_key_load64(ip + 16);
    words[10] = flow_key_load64(ip + 24);
    words[11] = flow_key_load64(ip + 32);
    words[12] = words[13] = words[14] = 0;
    words[15] = (uint64_t)rte_cpu_to_be_32(first & 0xfffff) << 32;
    return (words[8] | words[9] | words[10] | words[11] | words[15]) != 0 ? 2 : 1;
}
#else
static unsigned parse_ipv6_line(const struct rte_mbuf *m, uint32_t in_port, struct flow_key *key)
{
    return 0;
}
#endif

__rte_noinline unsigned flow_key_parse_slow(const struct rte_mbuf *m, uint32_t in_port, struct flow_key *key)
{
    unsigned n_lines = parse_ipv6_line(m, in_port, key);

    return n_lines != 0 ? n_lines : flow_key_parse_general(m, in_port, key);
}

unsigned flow_key_parse(const struct rte_mbuf *m, uint32_t in_port, struct flow_key *key)
{
    key_clear(key, FLOW_KEY_LINES);
    return flow_key_parse_inline(m, in_port, key);
}

#define PREFETCH_AHEAD 4

void flow_key_parse_burst(struct rte_mbuf *const *m, unsigned n, uint32_t in_port, struct flow_key *keys,
                          uint8_t *n_lines)
{
    for (unsigned i = 0; i < n && i < PREFETCH_AHEAD; i++)
        rte_prefetch0(rte_pktmbuf_mtod(m[i], const void *));
    for (unsigned i = 0; i < n; i++) {
        if (i + PREFETCH_AHEAD < n)
            rte_prefetch0(rte_pktmbuf_mtod(m[i + PREFETCH_AHEAD], const void *));
        n_lines[i] = flow_key_parse_inline(m[i], in_port, &keys[i]);
    }
}

uint32_t flow_key_hash(const struct flow_key *key, unsigned n_lines)
{
    return flow_key_hash_inline(key, n_lines);
}

unsigned flow_key_lines_used(const struct flow_key *key)
{
    return lines_used(key, FLOW_KEY_LINES);
}

/* TCP or UDP in IPv4 (options too) or right behind an IPv6 header, behind at most one tag. */
static bool layers_find_line(const struct key_reader *r, unsigned max_tags, struct packet_layers *layers)
{
    uint32_t offset = ETH_HEADER_LEN, l4, end, l4_len = 8;
    uint16_t type = host16(r, 12);
    uint8_t proto;

    if (type == RTE_ETHER_TYPE_VLAN || type == RTE_ETHER_TYPE_QINQ) {
        if (max_tags == 0 || !has(r, offset, 4))
            return false;
        layers->vlan = 12;
        type = host16(r, offset + 2);
        offset += 4;
    }
    if (!has(r, offset, 20 + 8))
        return false;
    const uint8_t *ip = r->data + offset;
    if (type == RTE_ETHER_TYPE_IPV4) {
        const uint32_t header_len = (ip[0] & 0xf) * 4;
        if (ip[0] >> 4 != 4 || header_len < 20 || (host16(r, offset + 6) & 0x3fff) != 0)
            return false;
        l4 = offset + header_len;
        end = offset + host16(r, offset + 2);
        proto = ip[9];
    } else if (type == RTE_ETHER_TYPE_IPV6) {
        if (ip[0] >> 4 != 6)
            return false;
        l4 = offset + 40;
        end = l4 + host16(r, offset + 4);
        proto = ip[6];
    } else {
        return false;
    }
    if (proto == IPPROTO_TCP) {
        if (!has(r, l4, 20))
            return false;
        l4_len = (r->data[l4 + 12] >> 4) * 4;
        if (l4_len < 20)
            return false;
    } else if (proto != IPPROTO_UDP || !has(r, l4, 8)) {
        return false;
    }
    if (l4 + l4_len > end || end > r->len)
        return false;
    layers->eth_type = type;
    layers->l3 = offset;
    layers->l4 = l4;
    layers->ip_proto = proto;
    return true;
}

void packet_layers_find_behind(const struct rte_mbuf *m, unsigned max_tags, struct packet_layers *layers)
{
    const struct key_reader r = {.data = rte_pktmbuf_mtod(m, const uint8_t *),
                                 .avail = RTE_MIN(m->data_len, FLOW_KEY_WINDOW),
                                 .len = m->pkt_len};
    struct flow_key key;

    memset(layers, 0, sizeof *layers);
    if (r.avail < ETH_HEADER_LEN || layers_find_line(&r, max_tags, layers))
        return;
    memset(layers, 0, sizeof *layers);
    key_clear(&key, FLOW_KEY_PACKET_LINES);
    parse_frame(&r, max_tags, &key, layers);
}
