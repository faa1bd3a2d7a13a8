#include "pmd/offload.h"

#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_tcp.h>
#include <rte_udp.h>
#include <string.h>

#include "pmd/metadata.h"

/* DPDK's librte_gso does not know IPv6, makes packets of two mbufs, which drivers take only if they are asked to
 * beforehand, and leaves checksums to the device. */

#define TCP_CWR 0x80
#define TCP_LAST_FLAGS 0x09 /* FIN, PSH */
#define SEGMENTS_MAX 64     /* mbufs of one segment */

bool offload_is_plain(const struct rte_mbuf *m)
{
    const uint8_t *type = rte_pktmbuf_mtod_offset(m, const uint8_t *, offsetof(struct rte_ether_hdr, ether_type));
    const uint32_t tags = m->l2_len - RTE_ETHER_HDR_LEN;

    if (m->l2_len < RTE_ETHER_HDR_LEN || tags % sizeof(struct rte_vlan_hdr) != 0)
        return false;
    for (uint32_t i = 0; i < tags; i += sizeof(struct rte_vlan_hdr), type += sizeof(struct rte_vlan_hdr)) {
        const uint16_t tpid = type[0] << 8 | type[1];

        if (tpid != RTE_ETHER_TYPE_VLAN && tpid != RTE_ETHER_TYPE_QINQ)
            return false;
    }
    const uint16_t eth_type = type[0] << 8 | type[1];
    return eth_type == RTE_ETHER_TYPE_IPV4 || eth_type == RTE_ETHER_TYPE_IPV6;
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

static uint32_t checksum_offset(bool tcp)
{
    return tcp ? offsetof(struct rte_tcp_hdr, cksum) : offsetof(struct rte_udp_hdr, dgram_cksum);
}

/* Over the TCP or UDP header, whose checksum field holds the pseudo-header's sum, and what is behind it. */
static void write_checksum(struct rte_mbuf *m, uint32_t l4, bool tcp)
{
    uint8_t *field = rte_pktmbuf_mtod_offset(m, uint8_t *, l4 + checksum_offset(tcp));
    uint16_t sum = 0;

    rte_raw_cksum_mbuf(m, l4, m->pkt_len - l4, &sum);
    sum = (uint16_t)~sum;
    if (!tcp && sum == 0) /* RFC 768: 0 says that there is none */
        sum = 0xffff;
    memcpy(field, &sum, sizeof sum);
}

void offload_finish(struct rte_mbuf *m)
{
    if (m->ol_flags & OFFLOAD_CHECKSUM)
        write_checksum(m, offload_l4(m), is_tcp(m));
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

/* --- cutting --------------------------------------------------------------------------------------------------------
 */

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
    if (m->priv_size >= PACKET_PRIV_SIZE && packet->priv_size >= PACKET_PRIV_SIZE)
        packet_meta_copy(packet_meta(packet), packet_meta(m));
    return packet;
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

/* The packet itself, or a copy if somebody else has its data, too. */
static struct rte_mbuf *finish_whole(struct offload_cut *cut)
{
    struct rte_mbuf *m = cut->packet;

    if (offload_any(m) && (rte_mbuf_refcnt_read(m) != 1 || !RTE_MBUF_DIRECT(m))) {
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
    if (!offload_segmented(m))
        return finish_whole(cut);

    const uint32_t headers = offload_l4(m) + m->l4_len;
    if (cut->at == 0)
        cut->at = headers;
    const uint32_t part = RTE_MIN((uint32_t)m->tso_segsz, m->pkt_len - cut->at);
    segment = packet_alloc(cut->pool, headers + part, SEGMENTS_MAX);
    if (!segment) {
        cut->failed = true;
        cut_end(cut);
        return NULL;
    }
    struct cursor to = cursor_at(segment, 0), head = cursor_at(m, 0), payload = cursor_at(m, cut->at);
    copy(&to, &head, headers);
    copy(&to, &payload, part);
    write_headers(cut, segment, headers, part);
    if (m->priv_size >= PACKET_PRIV_SIZE && segment->priv_size >= PACKET_PRIV_SIZE)
        packet_meta_copy(packet_meta(segment), packet_meta(m));
    cut->at += part;
    cut->done++;
    if (cut->at >= m->pkt_len)
        cut_end(cut);
    return segment;
}
