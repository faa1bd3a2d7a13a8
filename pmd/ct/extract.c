#include "pmd/ct/extract.h"

#include <netinet/in.h>
#include <rte_ip.h>
#include <rte_tcp.h>

#include "pmd/base/hash.h"
#include "pmd/checksum.h"
#include "pmd/ipv6_exthdr.h"
#include "pmd/key_inline.h"
#include "pmd/offload.h"

#define ICMP_HEADER_LEN 8
#define ICMP_QUOTED_L4 8 /* octets behind the IP header that an error quotes at least (RFC 792) */

static inline uint64_t hash_end(uint64_t hash)
{
    return hash * UINT64_C(0xff51afd7ed558ccd) ^ hash >> 32;
}

uint64_t conn_key_hash(const struct conn_key *key, uint64_t seed)
{
    uint64_t words[6], hash;

    memcpy(words, key, sizeof words);
    hash = hash_add(hash_add(seed, words[0]), words[1]);
    if (key->ipv6) {
        for (unsigned i = 2; i < 6; i++)
            hash = hash_add(hash, words[i]);
    }
    return hash_end(hash);
}

/* The first two words of an IPv4 packet's key, in registers: what was just stored in smaller parts the processor cannot
 * load as a word before the stores are done. `addresses`: where the IP header has them; ports follow. */
struct key_words {
    uint64_t word[2];
};

static __rte_always_inline struct key_words key_words_ipv4(const uint8_t *addresses, uint16_t zone, uint8_t proto)
{
    struct key_words words = {{0, flow_key_load32(addresses + 8)}};

    memcpy(&words.word[0], addresses, sizeof words.word[0]);
#if RTE_BYTE_ORDER == RTE_LITTLE_ENDIAN
    words.word[1] |= (uint64_t)zone << 32 | (uint64_t)proto << 48;
#else
    words.word[1] = words.word[1] << 32 | (uint64_t)zone << 16 | (uint64_t)proto << 8;
#endif
    return words;
}
_Static_assert(offsetof(struct conn_key, zone) == 12 && offsetof(struct conn_key, proto) == 14, "as in the words");

static __rte_always_inline uint64_t key_words_hash(const struct key_words *words, uint64_t seed)
{
    return hash_end(hash_add(hash_add(seed, words->word[0]), words->word[1]));
}

/* The type of an answer to an ICMP request and the other way; -1: it is none of these. */
static int icmp_counterpart(uint8_t proto, uint8_t type)
{
    if (proto == IPPROTO_ICMPV6)
        return type == 128 ? 129 : type == 129 ? 128 : -1;
    switch (type) {
    case 0:
        return 8;
    case 8:
        return 0;
    case 13:
    case 15:
        return type + 1;
    case 14:
    case 16:
        return type - 1;
    default:
        return -1;
    }
}

static bool icmp_is_error(uint8_t proto, uint8_t type)
{
    /* RFC 792; RFC 4443, 2.1 */
    return proto == IPPROTO_ICMPV6 ? type >= 1 && type <= 4
                                   : type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
}

void conn_key_reverse(const struct conn_key *key, struct conn_key *reverse)
{
    *reverse = *key;
    reverse->tuple.src = key->tuple.dst;
    reverse->tuple.dst = key->tuple.src;
    if (key->ipv6) {
        memcpy(reverse->address[0], key->address[1], 16);
        memcpy(reverse->address[1], key->address[0], 16);
    }
    if (key->proto == IPPROTO_ICMP || key->proto == IPPROTO_ICMPV6) {
        reverse->tuple.dport = (rte_be16_t)icmp_counterpart(key->proto, (uint8_t)key->tuple.dport);
    } else {
        reverse->tuple.sport = key->tuple.dport;
        reverse->tuple.dport = key->tuple.sport;
    }
}

/* --- parts of a packet --------------------------------------------------- */

/* Where the headers are that count here. */
struct place {
    struct rte_mbuf *m;
    uint32_t l3, l4, end; /* offsets; `end` of the IP packet, whose padding does not count */
    uint8_t proto;
    bool ipv6, routed;
};

static const uint8_t *at(const struct place *place, uint32_t offset)
{
    return rte_pktmbuf_mtod_offset(place->m, const uint8_t *, offset);
}

/* `n` octets from `offset` on are of the packet, and in the first segment. */
static bool has(const struct place *place, uint32_t offset, uint32_t n)
{
    return offset + n <= place->end && offset + n <= place->m->data_len;
}

/* Whether the header's checksum is right, or was verified by the device. */
static inline bool ipv4_checksum_good(const struct rte_mbuf *m, const uint8_t *ip, uint32_t header_len)
{
    if ((m->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK) == RTE_MBUF_F_RX_IP_CKSUM_GOOD)
        return true;
    return (likely(header_len == 20) ? checksum_sum(ip, 20) : checksum_sum(ip, header_len)) == 0xffff;
}

static enum ct_reason find_ipv4(struct place *place, struct rte_mbuf *m, uint32_t l3)
{
    const uint8_t *ip = rte_pktmbuf_mtod_offset(m, const uint8_t *, l3);
    const uint32_t header_len = (ip[0] & 0xf) * 4u, total_len = rte_be_to_cpu_16(flow_key_load16(ip + 2));

    if (ip[0] >> 4 != 4 || header_len < 20 || total_len < header_len || l3 + total_len > m->pkt_len ||
        l3 + header_len > m->data_len)
        return CT_REASON_SHORT;
    if ((flow_key_load16(ip + 6) & RTE_BE16(0x3fff)) != 0)
        return CT_REASON_FRAGMENT;
    if (!ipv4_checksum_good(m, ip, header_len))
        return CT_REASON_CHECKSUM;
    *place = (struct place){.m = m, .l3 = l3, .l4 = l3 + header_len, .end = l3 + total_len, .proto = ip[9]};
    return CT_REASON_NONE;
}

static enum ct_reason find_other(struct place *place, struct rte_mbuf *m)
{
    struct packet_layers layers;

    packet_layers_find(m, &layers);
    if (layers.eth_type == RTE_ETHER_TYPE_IPV4 && layers.l3 != 0)
        return find_ipv4(place, m, layers.l3);
    if (layers.eth_type != RTE_ETHER_TYPE_IPV6)
        return layers.eth_type == RTE_ETHER_TYPE_IPV4 ? CT_REASON_SHORT : CT_REASON_NOT_IP;
    if (layers.l3 == 0 || layers.cut)
        return CT_REASON_SHORT;
    if (layers.fragment)
        return CT_REASON_FRAGMENT;

    const uint8_t *ip = rte_pktmbuf_mtod_offset(m, const uint8_t *, layers.l3);
    *place = (struct place){.m = m,
                            .l3 = layers.l3,
                            .l4 = layers.l4,
                            .end = layers.l3 + 40u + rte_be_to_cpu_16(flow_key_load16(ip + 4)),
                            .proto = layers.ip_proto,
                            .ipv6 = true,
                            .routed = layers.routed};
    if (place->end > m->pkt_len)
        return CT_REASON_SHORT;
    return CT_REASON_NONE;
}

static enum ct_reason find(struct place *place, struct rte_mbuf *m)
{
    const uint8_t *eth = rte_pktmbuf_mtod(m, const uint8_t *);

    if (likely(m->data_len >= 14 + 20 && flow_key_load16(eth + 12) == RTE_BE16(RTE_ETHER_TYPE_IPV4)))
        return find_ipv4(place, m, 14);
    return find_other(place, m);
}

/* The sum over the packet from L4 on, with the pseudo-header if the protocol has one: all ones if it is right. The
 * packet says so then, as if its device had verified it: it may be tracked in several zones. */
static bool checksum_good(const struct place *place, bool pseudo)
{
    const uint32_t len = place->end - place->l4;
    const uint64_t flags = place->m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK;
    uint16_t sum;
    uint32_t all;

    /* What the kernel left unfinished has no checksum yet. */
    if (flags == RTE_MBUF_F_RX_L4_CKSUM_GOOD || offload_any(place->m))
        return true;
    if (flags == RTE_MBUF_F_RX_L4_CKSUM_BAD)
        return false;
    if (likely(place->end <= place->m->data_len))
        sum = checksum_sum(at(place, place->l4), len);
    else if (rte_raw_cksum_mbuf(place->m, place->l4, len, &sum) != 0)
        return false;
    all = sum;
    if (pseudo) {
        all += checksum_sum(at(place, place->l3 + (place->ipv6 ? 8 : 12)), place->ipv6 ? 32 : 8);
        all += rte_cpu_to_be_16((uint16_t)len) + rte_cpu_to_be_16(place->proto);
    }
    all = (all & 0xffff) + (all >> 16);
    all = (all & 0xffff) + (all >> 16);
    if (all != 0xffff)
        return false;
    place->m->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_GOOD;
    return true;
}

static void put_addresses(struct conn_key *key, const uint8_t *ip, bool ipv6)
{
    key->ipv6 = ipv6;
    if (ipv6)
        memcpy(key->address, ip + 8, sizeof key->address);
    else
        memcpy(&key->tuple.src, ip + 12, 8);
}

static void put_ports(struct conn_key *key, const uint8_t *l4)
{
    key->tuple.sport = flow_key_load16(l4);
    key->tuple.dport = flow_key_load16(l4 + 2);
}

/* --- TCP, UDP, SCTP ------------------------------------------------------ */

static uint8_t window_scale(const uint8_t *option, const uint8_t *end)
{
    while (option < end && option[0] != 0) { /* RFC 9293, 3.2 */
        if (option[0] == 1) {
            option++;
            continue;
        }
        if (option + 1 >= end || option[1] < 2 || option + option[1] > end)
            break;
        if (option[0] == 3 && option[1] == 3)
            return RTE_MIN(option[2], TCP_SCALE_MAX);
        option += option[1];
    }
    return TCP_SCALE_NONE;
}

static enum ct_reason take_tcp(const struct place *place, struct ct_packet *packet)
{
    const uint8_t *tcp = at(place, place->l4);
    uint32_t header_len;

    if (!has(place, place->l4, 20))
        return CT_REASON_SHORT;
    header_len = (tcp[12] >> 4) * 4u;
    if (header_len < 20 || !has(place, place->l4, header_len))
        return CT_REASON_SHORT;
    if (!checksum_good(place, true))
        return CT_REASON_CHECKSUM;
    put_ports(&packet->key, tcp);
    packet->tcp = (struct tcp_segment){.seq = rte_be_to_cpu_32(flow_key_load32(tcp + 4)),
                                       .ack = rte_be_to_cpu_32(flow_key_load32(tcp + 8)),
                                       .len = place->end - place->l4 - header_len,
                                       .window = rte_be_to_cpu_16(flow_key_load16(tcp + 14)),
                                       .flags = tcp[13] & 0x3f,
                                       .scale = TCP_SCALE_NONE};
    if (packet->tcp.flags & TCP_SYN)
        packet->tcp.scale = window_scale(tcp + 20, tcp + header_len);
    return tcp_flags_good(packet->tcp.flags) ? CT_REASON_NONE : CT_REASON_TCP_FLAGS;
}

/* A datagram that ends before the IP packet does. By value, so that the caller's stays in registers. */
static __rte_noinline enum ct_reason take_shorter_udp(struct place place, uint32_t len, struct ct_packet *packet)
{
    const uint8_t *udp = at(&place, place.l4);

    if (len < 8 || len > place.end - place.l4)
        return CT_REASON_SHORT;
    place.end = place.l4 + len;
    if ((flow_key_load16(udp + 6) != 0 || place.ipv6) && !checksum_good(&place, true))
        return CT_REASON_CHECKSUM;
    put_ports(&packet->key, udp);
    return CT_REASON_NONE;
}

static enum ct_reason take_udp(const struct place *place, struct ct_packet *packet)
{
    const uint8_t *udp = at(place, place->l4);
    uint32_t len;

    if (!has(place, place->l4, 8))
        return CT_REASON_SHORT;
    len = rte_be_to_cpu_16(flow_key_load16(udp + 4));
    if (unlikely(len != place->end - place->l4))
        return take_shorter_udp(*place, len, packet);
    /* No checksum (RFC 768); in IPv6 there has to be one (RFC 8200, 8.1). */
    if ((flow_key_load16(udp + 6) != 0 || place->ipv6) && !checksum_good(place, true))
        return CT_REASON_CHECKSUM;
    put_ports(&packet->key, udp);
    return CT_REASON_NONE;
}

static enum ct_reason take_sctp(const struct place *place, struct ct_packet *packet)
{
    const uint8_t *sctp = at(place, place->l4);

    if (!has(place, place->l4, 16)) /* the common header, and one of a chunk */
        return CT_REASON_SHORT;
    put_ports(&packet->key, sctp);
    packet->sctp = (struct sctp_packet){.tag = flow_key_load32(sctp + 4), .chunk = sctp[12], .chunk_flags = sctp[13]};
    if (packet->sctp.chunk == SCTP_INIT || packet->sctp.chunk == SCTP_INIT_ACK) {
        if (!has(place, place->l4, 20))
            return CT_REASON_SHORT;
        packet->sctp.init_tag = flow_key_load32(sctp + 16);
    }
    return CT_REASON_NONE;
}

/* --- ICMP ---------------------------------------------------------------- */

/* Ports, or ICMP identifier and type, of a packet that an error quotes. */
static enum ct_reason take_quoted_l4(const struct place *place, uint32_t l4, uint8_t proto, struct conn_key *key)
{
    const uint8_t *data = at(place, l4);

    key->proto = proto;
    switch (proto) {
    case IPPROTO_TCP:
    case IPPROTO_UDP:
    case IPPROTO_SCTP:
        if (!has(place, l4, ICMP_QUOTED_L4))
            return CT_REASON_SHORT;
        put_ports(key, data);
        return CT_REASON_NONE;
    case IPPROTO_ICMP:
    case IPPROTO_ICMPV6:
        if (!has(place, l4, ICMP_QUOTED_L4))
            return CT_REASON_SHORT;
        if (icmp_counterpart(proto, data[0]) < 0)
            return CT_REASON_UNRELATED;
        key->tuple.sport = flow_key_load16(data + 4);
        key->tuple.dport = data[0];
        return CT_REASON_NONE;
    default:
        return CT_REASON_NONE;
    }
}

/* Walks over the extension headers of a quoted packet. Returns where what follows them begins, 0 if it is not quoted.
 * The sender of the error saw no fragments, or has no ports to quote. */
static uint32_t skip_extensions(const struct place *place, uint32_t offset, uint8_t *proto)
{
    while (*proto != IPPROTO_FRAGMENT && ipv6_exthdr_flag(*proto) != 0) {
        const uint8_t *header = at(place, offset);

        if (!has(place, offset, 8))
            return 0;
        offset += ipv6_exthdr_len(*proto, header);
        *proto = header[0];
    }
    return offset;
}

/* An error is of the connection that the packet it quotes is of, and goes to where that came from. */
static enum ct_reason take_error(const struct place *place, struct ct_packet *packet)
{
    const uint32_t quoted = place->l4 + ICMP_HEADER_LEN;
    const uint8_t *ip = at(place, quoted);
    struct conn_key key = {.zone = packet->key.zone};
    enum ct_reason reason;
    uint8_t proto;
    uint32_t l4;

    if (!has(place, quoted, place->ipv6 ? 40 : 20) || ip[0] >> 4 != (place->ipv6 ? 6 : 4))
        return CT_REASON_SHORT;
    if (place->ipv6) {
        proto = ip[6];
        l4 = skip_extensions(place, quoted + 40, &proto);
    } else {
        if ((ip[0] & 0xf) < 5 || (flow_key_load16(ip + 6) & RTE_BE16(0x1fff)) != 0)
            return CT_REASON_SHORT;
        proto = ip[9];
        l4 = quoted + (ip[0] & 0xf) * 4u;
    }
    if (l4 == 0)
        return CT_REASON_SHORT;
    put_addresses(&key, ip, place->ipv6);
    /* Whoever sent the quoted packet is who the error is for. */
    if (place->ipv6 ? memcmp(key.address[0], packet->key.address[1], 16) != 0 : key.tuple.src != packet->key.tuple.dst)
        return CT_REASON_UNRELATED;
    reason = take_quoted_l4(place, l4, proto, &key);
    if (reason == CT_REASON_NONE) {
        conn_key_reverse(&key, &packet->key);
        packet->related = true;
        packet->quoted_l3 = (uint16_t)quoted;
        packet->quoted_l4 = (uint16_t)l4;
    }
    return reason;
}

static enum ct_reason take_icmp(const struct place *place, struct ct_packet *packet)
{
    const uint8_t *icmp = at(place, place->l4);

    if (!has(place, place->l4, ICMP_HEADER_LEN))
        return CT_REASON_SHORT;
    if (!checksum_good(place, place->ipv6))
        return CT_REASON_CHECKSUM;
    if (icmp_is_error(place->proto, icmp[0]))
        return take_error(place, packet);
    if (icmp_counterpart(place->proto, icmp[0]) < 0)
        return CT_REASON_ICMP_TYPE;
    packet->key.tuple.sport = flow_key_load16(icmp + 4);
    packet->key.tuple.dport = icmp[0];
    packet->icmp_code = icmp[1];
    return CT_REASON_NONE;
}

static enum ct_reason take(const struct place *place, struct ct_packet *packet)
{
    switch (place->proto) {
    case IPPROTO_TCP:
        return place->l4 != 0 ? take_tcp(place, packet) : CT_REASON_SHORT;
    case IPPROTO_UDP:
        return place->l4 != 0 ? take_udp(place, packet) : CT_REASON_SHORT;
    case IPPROTO_SCTP:
        return place->l4 != 0 ? take_sctp(place, packet) : CT_REASON_SHORT;
    case IPPROTO_ICMP:
    case IPPROTO_ICMPV6:
        if ((place->proto == IPPROTO_ICMPV6) != place->ipv6)
            return CT_REASON_ICMP_TYPE;
        return place->l4 != 0 ? take_icmp(place, packet) : CT_REASON_SHORT;
    default:
        return CT_REASON_NONE; /* by its addresses */
    }
}

static inline void take_all(const struct place *place, uint64_t seed, struct ct_packet *packet)
{
    packet->key.proto = packet->proto = place->proto;
    packet->routed = place->routed;
    packet->l3 = (uint16_t)place->l3;
    packet->l4 = (uint16_t)place->l4;
    packet->end = place->end;
    put_addresses(&packet->key, at(place, place->l3), place->ipv6);
    packet->reason = (uint8_t)take(place, packet);
    if (likely(packet->reason == CT_REASON_NONE))
        packet->hash = conn_key_hash(&packet->key, seed);
}

static inline void packet_init(struct ct_packet *packet, uint16_t zone)
{
    packet->key = (struct conn_key){.zone = zone};
    packet->related = false;
    packet->icmp_code = 0;
}

/* Whether it is an IPv4 packet of `proto` without tags, options or fragments, whose header is in order; `l4` octets
 * behind that are in the first segment. */
static __rte_always_inline bool is_simple(const struct rte_mbuf *m, uint8_t proto, uint32_t l4, uint32_t *total_len)
{
    const uint8_t *eth = rte_pktmbuf_mtod(m, const uint8_t *), *ip = eth + 14;

    if (unlikely(m->data_len < 14 + 20 + l4) || flow_key_load16(eth + 12) != RTE_BE16(RTE_ETHER_TYPE_IPV4) ||
        ip[0] != 0x45 || ip[9] != proto || (flow_key_load16(ip + 6) & RTE_BE16(0x3fff)) != 0)
        return false;
    *total_len = rte_be_to_cpu_16(flow_key_load16(ip + 2));
    return 14 + *total_len <= m->pkt_len && ipv4_checksum_good(m, ip, 20);
}

static __rte_always_inline void take_simple(const uint8_t *ip, uint8_t proto, uint32_t total_len, uint16_t zone,
                                            uint64_t seed, struct ct_packet *packet)
{
    const struct key_words words = key_words_ipv4(ip + 12, zone, proto);

    memcpy(&packet->key, &words, sizeof words);
    memset(packet->key.address, 0, sizeof packet->key.address);
    packet->hash = key_words_hash(&words, seed);
    packet->reason = CT_REASON_NONE;
    packet->related = packet->routed = false;
    packet->icmp_code = 0;
    packet->proto = proto;
    packet->l3 = 14;
    packet->l4 = 14 + 20;
    packet->end = 14 + total_len;
}

/* Most UDP packets in a straight line: those whose checksum need not be computed. False: it is none of these, or not in
 * order. */
static __rte_always_inline bool extract_simple(const struct rte_mbuf *m, uint16_t zone, uint64_t seed,
                                               struct ct_packet *packet)
{
    const uint8_t *ip = rte_pktmbuf_mtod_offset(m, const uint8_t *, 14), *udp = ip + 20;
    uint32_t total_len, udp_len;

    if (!is_simple(m, IPPROTO_UDP, 8, &total_len))
        return false;
    udp_len = rte_be_to_cpu_16(flow_key_load16(udp + 4));
    if (udp_len < 8 || udp_len + 20 != total_len ||
        (flow_key_load16(udp + 6) != 0 && (m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) != RTE_MBUF_F_RX_L4_CKSUM_GOOD))
        return false;
    take_simple(ip, IPPROTO_UDP, total_len, zone, seed, packet);
    return true;
}

/* The same of TCP segments but SYNs, whose options count. */
static __rte_noinline bool extract_simple_tcp(struct rte_mbuf *m, uint16_t zone, uint64_t seed,
                                              struct ct_packet *packet)
{
    const uint8_t *ip = rte_pktmbuf_mtod_offset(m, const uint8_t *, 14), *tcp = ip + 20;
    uint32_t total_len, header_len;

    if (!is_simple(m, IPPROTO_TCP, 20, &total_len))
        return false;
    header_len = (tcp[12] >> 4) * 4u;
    if (header_len < 20 || 20 + header_len > total_len || 14 + total_len > m->data_len || tcp[13] & TCP_SYN ||
        !tcp_flags_good(tcp[13] & 0x3f) ||
        !checksum_good(&(struct place){.m = m, .l3 = 14, .l4 = 34, .end = 14 + total_len, .proto = IPPROTO_TCP}, true))
        return false;
    take_simple(ip, IPPROTO_TCP, total_len, zone, seed, packet);
    packet->tcp = (struct tcp_segment){.seq = rte_be_to_cpu_32(flow_key_load32(tcp + 4)),
                                       .ack = rte_be_to_cpu_32(flow_key_load32(tcp + 8)),
                                       .len = total_len - 20 - header_len,
                                       .window = rte_be_to_cpu_16(flow_key_load16(tcp + 14)),
                                       .flags = tcp[13] & 0x3f,
                                       .scale = TCP_SCALE_NONE};
    return true;
}

void ct_extract(struct rte_mbuf *m, uint16_t zone, uint64_t seed, struct ct_packet *packet)
{
    struct place place;

    if (likely(extract_simple(m, zone, seed, packet)) || extract_simple_tcp(m, zone, seed, packet))
        return;
    packet_init(packet, zone);
    packet->reason = (uint8_t)find(&place, m);
    if (unlikely(packet->reason != CT_REASON_NONE))
        return;
    take_all(&place, seed, packet);
}

/* Whether ports follow the IP header. */
static bool has_ports(uint8_t proto)
{
    return proto == IPPROTO_UDP || proto == IPPROTO_TCP || proto == IPPROTO_SCTP;
}

uint64_t ct_extract_hash(const struct rte_mbuf *m, uint16_t zone, uint64_t seed)
{
    const uint8_t *eth = rte_pktmbuf_mtod(m, const uint8_t *), *ip = eth + 14;
    struct conn_key key = {.zone = zone};

    if (m->data_len < 14 + 40 + 4)
        return 0;
    if (flow_key_load16(eth + 12) == RTE_BE16(RTE_ETHER_TYPE_IPV4)) {
        if (ip[0] != 0x45 || !has_ports(ip[9]) || (flow_key_load16(ip + 6) & RTE_BE16(0x3fff)) != 0)
            return 0;
        const struct key_words words = key_words_ipv4(ip + 12, zone, ip[9]);

        return key_words_hash(&words, seed);
    }
    if (flow_key_load16(eth + 12) == RTE_BE16(RTE_ETHER_TYPE_IPV6) && has_ports(ip[6])) {
        key.proto = ip[6];
        key.ipv6 = 1;
        memcpy(key.address, ip + 8, sizeof key.address);
        memcpy(&key.tuple.sport, ip + 40, 4);
        return conn_key_hash(&key, seed);
    }
    return 0;
}

/* --- datagrams in fragments ---------------------------------------------- */

/* Where the IPv6 packet at `l3` has its fragment header; 0: it has none that is whole and in the first segment. */
static uint32_t fragment_header(const struct rte_mbuf *m, uint32_t l3, uint32_t end)
{
    const uint8_t *data = rte_pktmbuf_mtod(m, const uint8_t *);
    uint32_t offset = l3 + 40;
    uint8_t proto = data[l3 + 6];

    end = RTE_MIN(end, (uint32_t)m->data_len);
    while (offset + 8 <= end) {
        if (proto == IPPROTO_FRAGMENT)
            return offset;
        if (ipv6_exthdr_flag(proto) == 0)
            return 0;
        const uint32_t len = ipv6_exthdr_len(proto, data + offset);
        proto = data[offset];
        offset += len;
    }
    return 0;
}

static enum ct_reason find_ipv6_fragment(const struct rte_mbuf *m, struct fragment_place *place)
{
    const uint8_t *data = rte_pktmbuf_mtod(m, const uint8_t *), *ip = data + place->l3;
    uint32_t header;
    uint16_t bits;

    place->ip_len = (uint16_t)RTE_MIN(40u + rte_be_to_cpu_16(flow_key_load16(ip + 4)), (uint32_t)UINT16_MAX);
    header = fragment_header(m, place->l3, place->l3 + place->ip_len);
    if (header == 0 || place->l3 + place->ip_len > m->pkt_len)
        return CT_REASON_SHORT;
    bits = rte_be_to_cpu_16(flow_key_load16(data + header + 2));
    memcpy(place->key.address, ip + 8, sizeof place->key.address);
    place->key.id = flow_key_load32(data + header + 4);
    place->key.ipv6 = 1;
    place->start = bits & 0xfff8;
    place->more = bits & 1;
    place->data = (uint16_t)(header + 8);
    return CT_REASON_NONE;
}

static enum ct_reason find_ipv4_fragment(const struct rte_mbuf *m, struct fragment_place *place)
{
    const uint8_t *ip = rte_pktmbuf_mtod_offset(m, const uint8_t *, place->l3);
    const uint32_t header_len = (ip[0] & 0xf) * 4u;
    const uint16_t bits = rte_be_to_cpu_16(flow_key_load16(ip + 6));

    place->ip_len = rte_be_to_cpu_16(flow_key_load16(ip + 2));
    if (place->l3 + header_len > m->data_len || place->l3 + place->ip_len > m->pkt_len)
        return CT_REASON_SHORT;
    if (!ipv4_checksum_good(m, ip, header_len))
        return CT_REASON_CHECKSUM;
    memcpy(place->key.address[0], ip + 12, 4);
    memcpy(place->key.address[1], ip + 16, 4);
    place->key.id = rte_be_to_cpu_16(flow_key_load16(ip + 4));
    place->key.proto = ip[9];
    place->start = (bits & 0x1fffu) * 8;
    place->more = bits & 0x2000;
    place->data = (uint16_t)(place->l3 + header_len);
    return CT_REASON_NONE;
}

enum ct_reason fragment_find(const struct rte_mbuf *m, struct fragment_place *place)
{
    struct packet_layers layers;
    enum ct_reason reason;

    memset(place, 0, sizeof *place);
    packet_layers_find(m, &layers);
    if (!layers.fragment || layers.l3 == 0)
        return CT_REASON_SHORT;
    /* What the kernel left unfinished it does not cut. */
    if (offload_any(m))
        return CT_REASON_FRAGMENT;
    place->l3 = layers.l3;
    reason = layers.eth_type == RTE_ETHER_TYPE_IPV6 ? find_ipv6_fragment(m, place) : find_ipv4_fragment(m, place);
    if (reason != CT_REASON_NONE)
        return reason;
    place->len = place->l3 + place->ip_len - place->data;
    /* RFC 791, 3.2: a datagram has 65535 octets at most; all fragments but the last, multiples of 8. */
    if (place->len == 0 || (place->more && place->len % 8 != 0) || place->start + place->len > UINT16_MAX)
        return CT_REASON_SHORT;
    return CT_REASON_NONE;
}

/* `sum`: of all from `data` on. */
static bool datagram_checksum_good(const struct place *place, uint32_t data, uint32_t sum)
{
    const uint32_t len = place->end - place->l4;

    switch (place->proto) {
    case IPPROTO_UDP:
        if (!place->ipv6 && has(place, place->l4, 8) && flow_key_load16(at(place, place->l4 + 6)) == 0)
            return true;
        break;
    case IPPROTO_TCP:
    case IPPROTO_ICMPV6:
    case IPPROTO_ICMP:
        break;
    default:
        return true;
    }
    /* Extension headers behind that of the fragment. */
    if (place->l4 > data)
        sum += (uint16_t)~checksum_sum(at(place, data), place->l4 - data);
    if (place->proto != IPPROTO_ICMP) {
        sum += checksum_sum(at(place, place->l3 + (place->ipv6 ? 8 : 12)), place->ipv6 ? 32 : 8);
        sum += rte_cpu_to_be_16((uint16_t)len) + rte_cpu_to_be_16(place->proto);
    }
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return sum == 0xffff;
}

static enum ct_reason find_datagram(struct place *place, struct rte_mbuf *first, uint32_t len, uint32_t sum)
{
    struct fragment_place where;
    struct packet_layers layers;
    const enum ct_reason reason = fragment_find(first, &where);

    if (reason != CT_REASON_NONE)
        return reason;
    packet_layers_find(first, &layers);
    *place = (struct place){.m = first,
                            .l3 = where.l3,
                            .l4 = where.key.ipv6 ? layers.l4 : where.data,
                            .end = where.data + len,
                            .proto = layers.ip_proto,
                            .ipv6 = where.key.ipv6,
                            .routed = layers.routed};
    /* The headers have to be in the first fragment (RFC 8200, 4.5); protocols that are followed by addresses have none.
     */
    if (layers.cut || place->l4 > place->end)
        return CT_REASON_SHORT;
    return place->l4 == 0 || datagram_checksum_good(place, where.data, sum) ? CT_REASON_NONE : CT_REASON_CHECKSUM;
}

void ct_extract_datagram(struct rte_mbuf *first, uint32_t len, uint32_t sum, uint16_t zone, uint64_t seed,
                         struct ct_packet *packet)
{
    const uint64_t flags = first->ol_flags;
    struct place place = {0};

    packet_init(packet, zone);
    packet->reason = (uint8_t)find_datagram(&place, first, len, sum);
    if (packet->reason != CT_REASON_NONE)
        return;
    /* It was verified, and a single packet cannot tell. */
    first->ol_flags = (flags & ~RTE_MBUF_F_RX_L4_CKSUM_MASK) | RTE_MBUF_F_RX_L4_CKSUM_GOOD;
    take_all(&place, seed, packet);
    first->ol_flags = flags;
}
