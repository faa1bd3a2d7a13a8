#include "pmd/offload.h"

#include <netinet/in.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_tcp.h>
#include <rte_udp.h>
#include <string.h>

#include "pmd/checksum.h"
#include "pmd/ipv6_exthdr.h"
#include "pmd/metadata.h"
#include "pmd/queue.h"

/* DPDK's librte_gso does not know IPv6, makes packets of two mbufs, which drivers take only if they are asked to
 * beforehand, and leaves checksums to the device. */

#define TCP_CWR 0x80
#define TCP_LAST_FLAGS 0x09 /* FIN, PSH */
#define SEGMENTS_MAX 64     /* mbufs of one segment */

/* Where the first IP header is, that of a tunnel if it is in front of l2_len; 0: none behind an Ethernet header and
 * tags. */
static uint32_t first_ip(const struct rte_mbuf *m, uint32_t l2_len)
{
    const uint8_t *type = rte_pktmbuf_mtod_offset(m, const uint8_t *, offsetof(struct rte_ether_hdr, ether_type));
    uint16_t eth_type = 0;

    for (uint32_t at = RTE_ETHER_HDR_LEN; at <= l2_len; at += sizeof(struct rte_vlan_hdr)) {
        eth_type = (uint16_t)(type[0] << 8 | type[1]);
        if (eth_type == RTE_ETHER_TYPE_IPV4 || eth_type == RTE_ETHER_TYPE_IPV6)
            return at;
        if (eth_type != RTE_ETHER_TYPE_VLAN && eth_type != RTE_ETHER_TYPE_QINQ)
            return 0;
        type += sizeof(struct rte_vlan_hdr);
    }
    return 0;
}

bool offload_is_plain(const struct rte_mbuf *m)
{
    return m->l2_len != 0 && first_ip(m, m->l2_len) == m->l2_len;
}

static bool is_tcp(const struct rte_mbuf *m)
{
    return (m->ol_flags & OFFLOAD_CHECKSUM) == RTE_MBUF_F_TX_TCP_CKSUM;
}

static uint16_t fold(uint32_t sum)
{
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

uint16_t packet_sum_of(const struct rte_mbuf *m, uint32_t at, uint32_t end)
{
    uint16_t sum = 0;

    if (likely(end <= m->data_len))
        return checksum_sum(rte_pktmbuf_mtod_offset(m, const void *, at), end - at);
    rte_raw_cksum_mbuf(m, at, end - at, &sum);
    return sum;
}

static uint32_t checksum_offset(bool tcp)
{
    return tcp ? offsetof(struct rte_tcp_hdr, cksum) : offsetof(struct rte_udp_hdr, dgram_cksum);
}

/* The IP header of segment `n`, which has `len` bytes from there on. */
static void write_ip(struct rte_mbuf *segment, uint32_t l2_len, uint32_t len, uint32_t n)
{
    struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod_offset(segment, struct rte_ipv4_hdr *, l2_len);

    if (ip->version_ihl >> 4 == 6) {
        struct rte_ipv6_hdr *ip6 = (void *)ip;

        ip6->payload_len = rte_cpu_to_be_16((uint16_t)(len - sizeof *ip6));
        return;
    }
    ip->total_length = rte_cpu_to_be_16((uint16_t)len);
    ip->packet_id = rte_cpu_to_be_16((uint16_t)(rte_be_to_cpu_16(ip->packet_id) + n));
    ip->hdr_checksum = 0;
    ip->hdr_checksum = (uint16_t)~rte_raw_cksum(ip, (ip->version_ihl & 0xf) * 4u);
}

/* Over the TCP or UDP header, whose checksum field holds the pseudo-header's sum, and what is behind it. */
static void write_checksum(struct rte_mbuf *m, uint32_t l4, bool tcp)
{
    uint8_t *field = rte_pktmbuf_mtod_offset(m, uint8_t *, l4 + checksum_offset(tcp));
    uint16_t sum = (uint16_t)~packet_sum_of(m, l4, m->pkt_len);

    if (!tcp && sum == 0) /* RFC 768: 0 says that there is none */
        sum = 0xffff;
    memcpy(field, &sum, sizeof sum);
}

/* --- outer headers ------------------------------------------------------- */

#define GRE_CHECKSUM 0x80 /* in the first byte: the checksum is behind the first word */

/* The pseudo-header's sum of what is behind the IP header at `l3`, with that header's addresses. */
static uint16_t sum_of_addresses(const uint8_t *ip)
{
    return ip[0] >> 4 == 4 ? rte_raw_cksum(ip + 12, 8) : rte_raw_cksum(ip + 8, 32);
}

static void write_outer_udp(struct rte_mbuf *m, uint32_t l3, uint32_t l4)
{
    struct rte_udp_hdr *udp = rte_pktmbuf_mtod_offset(m, struct rte_udp_hdr *, l4);
    uint32_t sum;

    udp->dgram_len = rte_cpu_to_be_16((uint16_t)(m->pkt_len - l4));
    if (udp->dgram_cksum == 0)
        return;
    udp->dgram_cksum = 0;
    sum = sum_of_addresses(rte_pktmbuf_mtod_offset(m, uint8_t *, l3)) + RTE_BE16(IPPROTO_UDP) + udp->dgram_len;
    sum = fold(sum + packet_sum_of(m, l4, m->pkt_len));
    udp->dgram_cksum = sum == 0xffff ? 0xffff : (uint16_t)~sum;
}

static void write_outer_gre(struct rte_mbuf *m, uint32_t l4)
{
    uint8_t *gre = rte_pktmbuf_mtod_offset(m, uint8_t *, l4);
    uint16_t sum;

    if (!(gre[0] & GRE_CHECKSUM))
        return;
    memset(gre + 4, 0, 2);
    sum = (uint16_t)~packet_sum_of(m, l4, m->pkt_len);
    memcpy(gre + 4, &sum, sizeof sum);
}

/* Whether the outer IP header that the EtherType at `l3` speaks of is there: rules can write that type in front of
 * anything. It ends in front of `l2_len`, and says that the packet of `len` bytes is all its own; 0, as the kernel does
 * it, for more than the field holds. */
static bool has_outer_ip(const struct rte_mbuf *m, uint32_t l3, uint32_t l2_len, uint32_t len)
{
    const uint8_t *ip = rte_pktmbuf_mtod_offset(m, const uint8_t *, l3);
    uint32_t header = sizeof(struct rte_ipv6_hdr), said;

    if (l3 + sizeof(struct rte_ipv4_hdr) > l2_len)
        return false;
    if (ip[0] >> 4 == 4) {
        header = (ip[0] & 0xf) * 4u;
        said = (uint32_t)(ip[2] << 8 | ip[3]);
        len -= l3;
    } else {
        said = (uint32_t)(ip[4] << 8 | ip[5]);
        len -= l3 + header;
    }
    return (ip[0] >> 4 == 4 || ip[0] >> 4 == 6) && header >= sizeof(struct rte_ipv4_hdr) && l3 + header <= l2_len &&
           (said == 0 || said == (len & 0xffff));
}

/* The headers of a tunnel, if there are some among the first `l2_len` bytes, of a packet of `len` bytes: lengths and
 * identification of segment `n`, and the checksums that they have. What is inside is finished. */
static void write_outer(struct rte_mbuf *m, uint32_t l2_len, uint32_t len, uint32_t n)
{
    const uint32_t l3 = first_ip(m, l2_len);
    const uint8_t *ip = rte_pktmbuf_mtod_offset(m, uint8_t *, l3);
    uint32_t l4;
    uint8_t proto;

    if (likely(l3 == 0 || l3 == l2_len) || !has_outer_ip(m, l3, l2_len, len))
        return;
    write_ip(m, l3, m->pkt_len - l3, n);
    proto = ip[0] >> 4 == 4 ? ip[9] : ip[6];
    l4 = l3 + (ip[0] >> 4 == 4 ? (ip[0] & 0xf) * 4u : (uint32_t)sizeof(struct rte_ipv6_hdr));
    while (ip[0] >> 4 == 6 && (ipv6_exthdr_flag(proto) & (IPV6_EH_HOP | IPV6_EH_DEST)) && l4 + 8 <= l2_len) {
        const uint8_t *header = ip + (l4 - l3);

        l4 += ipv6_exthdr_len(proto, header);
        proto = header[0];
    }
    if (proto == IPPROTO_UDP && l4 + sizeof(struct rte_udp_hdr) <= l2_len)
        write_outer_udp(m, l3, l4);
    else if (proto == IPPROTO_GRE && l4 + 6 <= l2_len)
        write_outer_gre(m, l4);
}

void offload_finish(struct rte_mbuf *m)
{
    if (m->ol_flags & OFFLOAD_CHECKSUM)
        write_checksum(m, offload_l4(m), is_tcp(m));
    if (offload_segmented(m) &&
        !offload_datagram(m)) /* else an outer checksum is that of the finished packet already */
        write_outer(m, m->l2_len, m->pkt_len, 0);
    m->ol_flags &= ~(uint64_t)OFFLOAD_ANY;
}

struct rte_mbuf *offload_copy_start(struct rte_mbuf *m, struct rte_mempool *pool, uint32_t len)
{
    struct rte_mbuf *whole = packet_copy(m, pool, UINT32_MAX), *start;

    if (!whole)
        return NULL;
    offload_finish(whole);
    start = packet_copy(whole, pool, len);
    rte_pktmbuf_free(whole);
    return start;
}

struct rte_mbuf *packet_alloc(struct rte_mempool *pool, uint32_t len, uint16_t segments)
{
    struct rte_mbuf *packet = rte_pktmbuf_alloc(pool), *last = packet;

    if (!packet)
        return NULL;
    packet->pkt_len = len;
    for (;;) {
        const uint16_t part = (uint16_t)RTE_MIN(len, (uint32_t)rte_pktmbuf_tailroom(last));

        last->data_len = part;
        len -= part;
        if (len == 0)
            return packet;
        last->next = packet->nb_segs < segments ? rte_pktmbuf_alloc(pool) : NULL;
        if (!last->next) {
            rte_pktmbuf_free(packet);
            return NULL;
        }
        last = last->next;
        packet->nb_segs++;
    }
}

/* --- cutting ------------------------------------------------------------- */

/* Where in a packet of several mbufs something is read or written. */
struct cursor {
    struct rte_mbuf *m;
    uint32_t offset;
};

static struct cursor cursor_at(struct rte_mbuf *m, uint32_t offset)
{
    while (offset >= m->data_len && m->next) {
        offset -= m->data_len;
        m = m->next;
    }
    return (struct cursor){m, offset};
}

static void copy(struct cursor *to, struct cursor *from, uint32_t len)
{
    while (len > 0) {
        const uint32_t part = RTE_MIN(len, RTE_MIN(to->m->data_len - to->offset, from->m->data_len - from->offset));

        if (part > 0)
            memcpy(rte_pktmbuf_mtod_offset(to->m, void *, to->offset),
                   rte_pktmbuf_mtod_offset(from->m, void *, from->offset), part);
        len -= part;
        to->offset += part;
        from->offset += part;
        if (to->offset == to->m->data_len && to->m->next)
            *to = (struct cursor){to->m->next, 0};
        if (from->offset == from->m->data_len && from->m->next)
            *from = (struct cursor){from->m->next, 0};
    }
}

struct rte_mbuf *packet_copy_behind(struct rte_mbuf *m, struct rte_mempool *pool, uint16_t room)
{
    struct rte_mbuf *packet = packet_alloc(pool, room + m->pkt_len, SEGMENTS_MAX);

    if (!packet || !rte_pktmbuf_adj(packet, room)) {
        rte_pktmbuf_free(packet);
        return NULL;
    }
    struct cursor to = cursor_at(packet, 0), from = cursor_at(m, 0);
    copy(&to, &from, m->pkt_len);
    packet->ol_flags |= m->ol_flags & ~(RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL);
    packet->tx_offload = m->tx_offload;
    packet->hash = m->hash;
    packet->vlan_tci = m->vlan_tci;
    packet->vlan_tci_outer = m->vlan_tci_outer;
    if (m->priv_size >= PACKET_PRIV_SIZE && packet->priv_size >= PACKET_PRIV_SIZE)
        packet_meta_copy(packet_meta(packet), packet_meta(m));
    return packet;
}

/* The pseudo-header's sum for a shorter packet. */
static uint16_t pseudo_sum(uint16_t sum, uint32_t len_before, uint32_t len)
{
    const uint32_t before = ~rte_cpu_to_be_32(len_before), after = rte_cpu_to_be_32(len);

    return fold(sum + (before & 0xffff) + (before >> 16) + (after & 0xffff) + (after >> 16));
}

/* RFC 9293, 3.1: each segment's place in the stream. CWR belongs to the first (RFC 3168, 6.1.2), FIN and PSH to the
 * last.
 */
static void write_tcp(const struct offload_cut *cut, struct rte_tcp_hdr *tcp, uint32_t payload_before, bool last)
{
    tcp->sent_seq = rte_cpu_to_be_32(rte_be_to_cpu_32(tcp->sent_seq) + payload_before);
    if (cut->done > 0)
        tcp->tcp_flags &= (uint8_t)~TCP_CWR;
    if (!last)
        tcp->tcp_flags &= (uint8_t)~TCP_LAST_FLAGS;
}

/* `part` bytes of payload from cut->at on are behind the headers of `segment` already. */
static void write_headers(const struct offload_cut *cut, struct rte_mbuf *segment, uint32_t headers, uint32_t part)
{
    const struct rte_mbuf *m = cut->packet;
    const uint32_t l4 = offload_l4(m);
    const bool tcp = is_tcp(m);
    void *header = rte_pktmbuf_mtod_offset(segment, void *, l4);
    uint8_t *field = (uint8_t *)header + checksum_offset(tcp);
    uint16_t sum;

    write_ip(segment, m->l2_len, segment->pkt_len - m->l2_len, cut->done);
    if (tcp)
        write_tcp(cut, header, cut->at - headers, cut->at + part == m->pkt_len);
    else
        ((struct rte_udp_hdr *)header)->dgram_len = rte_cpu_to_be_16((uint16_t)(segment->pkt_len - l4));
    memcpy(&sum, field, sizeof sum);
    sum = pseudo_sum(sum, m->pkt_len - l4, segment->pkt_len - l4);
    memcpy(field, &sum, sizeof sum);
    write_checksum(segment, l4, tcp);
    write_outer(segment, m->l2_len, m->pkt_len, cut->done);
}

struct offload_cut offload_cut_begin(struct rte_mbuf *m, struct rte_mempool *pool)
{
    return (struct offload_cut){.packet = m, .pool = pool};
}

static void cut_end(struct offload_cut *cut)
{
    rte_pktmbuf_free(cut->packet);
    cut->packet = NULL;
}

/* Where the IPv6 header at `ip`, or one of the extension headers behind it up to `end`, names what is at `end`. */
static uint8_t *naming_field(uint8_t *ip, uint32_t end)
{
    uint32_t at = sizeof(struct rte_ipv6_hdr);
    uint8_t *field = &ip[offsetof(struct rte_ipv6_hdr, proto)];

    while (at + 8 <= end && ipv6_exthdr_flag(*field) != 0) {
        const uint32_t len = ipv6_exthdr_len(*field, ip + at);

        field = ip + at;
        at += len;
    }
    return field;
}

/* RFC 8200, 4.5: the fragment header, for which there is room behind l3_len, and what speaks of it. */
static void write_ipv6_fragment(const struct rte_mbuf *m, struct rte_mbuf *fragment, uint32_t start, bool last)
{
    uint8_t *ip = rte_pktmbuf_mtod_offset(fragment, uint8_t *, m->l2_len), *naming = naming_field(ip, m->l3_len);
    struct rte_ipv6_hdr *ip6 = (void *)ip;
    const uint32_t id = (uint32_t)m->vlan_tci_outer << 16 | m->vlan_tci;
    uint8_t *header = ip + m->l3_len;

    header[0] = *naming;
    header[1] = 0;
    header[2] = (uint8_t)(start >> 8);
    header[3] = (uint8_t)(start | !last);
    for (unsigned i = 0; i < 4; i++)
        header[4 + i] = (uint8_t)(id >> (24 - 8 * i));
    *naming = IPPROTO_FRAGMENT;
    ip6->payload_len = rte_cpu_to_be_16((uint16_t)(fragment->pkt_len - m->l2_len - sizeof *ip6));
}

/* RFC 791, 3.2. The header has no options. */
static void write_ipv4_fragment(const struct rte_mbuf *m, struct rte_mbuf *fragment, uint32_t start, bool last)
{
    struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod_offset(fragment, struct rte_ipv4_hdr *, m->l2_len);
    const uint16_t df = rte_be_to_cpu_16(ip->fragment_offset) & RTE_IPV4_HDR_DF_FLAG;

    ip->fragment_offset = rte_cpu_to_be_16((uint16_t)(df | start / 8 | (last ? 0 : RTE_IPV4_HDR_MF_FLAG)));
    write_ip(fragment, m->l2_len, fragment->pkt_len - m->l2_len, 0);
}

/* The packet itself, or a copy if somebody else has its data, too. */
static struct rte_mbuf *finish_whole(struct offload_cut *cut)
{
    struct rte_mbuf *m = cut->packet;

    if (cut->flat || ((m->ol_flags & OFFLOAD_CHECKSUM) && (rte_mbuf_refcnt_read(m) != 1 || !RTE_MBUF_DIRECT(m)))) {
        m = packet_copy(cut->packet, cut->pool, UINT32_MAX);
        cut->failed = !m;
        cut_end(cut);
    }
    cut->packet = NULL;
    if (m)
        offload_finish(m);
    return m;
}

struct rte_mbuf *offload_cut_next(struct offload_cut *cut)
{
    struct rte_mbuf *m = cut->packet, *segment;

    if (!m)
        return NULL;
    if (!offload_segmented(m) || (cut->whole && offload_datagram(m)))
        return finish_whole(cut);

    const uint32_t headers = offload_l4(m) + m->l4_len, room = offload_fragment_header(m);
    if (cut->at == 0)
        cut->at = headers;
    const uint32_t part = RTE_MIN((uint32_t)m->tso_segsz, m->pkt_len - cut->at);
    segment = packet_alloc(cut->pool, headers + room + part, SEGMENTS_MAX);
    if (!segment) {
        cut->failed = true;
        cut_end(cut);
        return NULL;
    }
    struct cursor to = cursor_at(segment, 0), head = cursor_at(m, 0), payload = cursor_at(m, cut->at);
    copy(&to, &head, headers);
    to.offset += room; /* headers lie in the first mbuf */
    copy(&to, &payload, part);
    if (!offload_datagram(m))
        write_headers(cut, segment, headers, part);
    else if (m->ol_flags & RTE_MBUF_F_TX_IPV6)
        write_ipv6_fragment(m, segment, cut->at - headers, cut->at + part == m->pkt_len);
    else
        write_ipv4_fragment(m, segment, cut->at - headers, cut->at + part == m->pkt_len);
    packet_queue_copy(segment, m);
    if (m->priv_size >= PACKET_PRIV_SIZE && segment->priv_size >= PACKET_PRIV_SIZE)
        packet_meta_copy(packet_meta(segment), packet_meta(m));
    cut->at += part;
    cut->done++;
    if (cut->at >= m->pkt_len)
        cut_end(cut);
    return segment;
}
