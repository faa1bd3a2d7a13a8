#include "pmd/tunnel/push.h"

#include <netinet/in.h>
#include <rte_cycles.h>
#include <rte_ip.h>
#include <rte_udp.h>
#include <string.h>

#include "pmd/checksum.h"
#include "pmd/key_inline.h"
#include "pmd/offload.h"
#include "pmd/select_hash.h"
#include "pmd/tunnel/wire.h"

/* The source ports of who gives no range: 32768 to 65535. */
#define SRC_FIRST 0x8000
#define SRC_N 0x8000

/* The next sequence number of each tunnel. Two whose indexes are a multiple of SEQUENCES apart share one: the receiver
 * of each sees gaps, but no number twice. */
#define SEQUENCES 65536
static uint32_t sequences[SEQUENCES];

/* The identification of packets that may be fragmented: of each thread its own row, begun at different places. */
static __thread uint16_t next_ip_id;
static __thread bool ip_id_begun;

static __rte_noinline uint16_t ip_id(void)
{
    if (unlikely(!ip_id_begun)) {
        next_ip_id = (uint16_t)(rte_rdtsc() >> 4);
        ip_id_begun = true;
    }
    return next_ip_id++;
}

/* --- the source port ----------------------------------------------------- */

static inline bool has_ports(uint8_t proto)
{
    return proto == IPPROTO_TCP || proto == IPPROTO_UDP || proto == IPPROTO_SCTP;
}

/* In one line: IPv4 without options that is no fragment, and IPv6 without extension headers, behind at most one tag. */
static inline uint32_t flow_hash(const struct rte_mbuf *m)
{
    const uint8_t *eth = rte_pktmbuf_mtod(m, const uint8_t *), *ip = eth + RTE_ETHER_HDR_LEN;
    rte_be16_t type;

    if (unlikely(m->data_len < 18 + 20 + 4))
        return select_hash_packet(m, 0);
    type = flow_key_load16(eth + 12);
    if (type == RTE_BE16(RTE_ETHER_TYPE_VLAN)) {
        type = flow_key_load16(eth + 16);
        ip += 4;
    }
    if (likely(type == RTE_BE16(RTE_ETHER_TYPE_IPV4) && ip[0] == 0x45 &&
               (flow_key_load16(ip + 6) & RTE_BE16(0x3fff)) == 0)) {
        const uint64_t ports = has_ports(ip[9]) ? flow_key_load32(ip + 20) : 0;

        return flow_key_crc(flow_key_crc(FLOW_KEY_HASH_SEED, flow_key_load64(ip + 12)), ports << 8 | ip[9]);
    }
    if (type == RTE_BE16(RTE_ETHER_TYPE_IPV6) && m->data_len >= 18 + 40 + 4 && has_ports(ip[6])) {
        uint32_t hash = flow_key_crc(FLOW_KEY_HASH_SEED, (uint64_t)flow_key_load32(ip + 40) << 8 | ip[6]);

        for (unsigned at = 8; at < 40; at += 8)
            hash = flow_key_crc(hash, flow_key_load64(ip + at));
        return hash;
    }
    return select_hash_packet(m, 0);
}

static inline rte_be16_t source_port(const struct rte_mbuf *m, const struct op_tunnel_push *push)
{
    const uint32_t first = push->src_n != 0 ? push->src_first : SRC_FIRST, n = push->src_n != 0 ? push->src_n : SRC_N;

    return rte_cpu_to_be_16((uint16_t)(first + ((uint64_t)flow_hash(m) * n >> 32)));
}

/* --- the flow label ------------------------------------------------------ */

/* Of addresses, protocol and, if they are at once behind the header of a packet that is whole, ports of an IP packet
 * whose first `len` bytes are there. */
static uint32_t ip_hash(const uint8_t *ip, uint32_t len)
{
    uint32_t hash = FLOW_KEY_HASH_SEED, l4;
    uint8_t proto;

    if (len >= 20 && ip[0] >> 4 == 4) {
        l4 = (flow_key_load16(ip + 6) & RTE_BE16(0x3fff)) == 0 ? (ip[0] & 0xf) * 4 : UINT16_MAX;
        proto = ip[9];
        hash = flow_key_crc(hash, flow_key_load64(ip + 12));
    } else if (len >= 40 && ip[0] >> 4 == 6) {
        l4 = 40;
        proto = ip[6];
        for (unsigned at = 8; at < 40; at += 8)
            hash = flow_key_crc(hash, flow_key_load64(ip + at));
    } else {
        return 0;
    }
    return flow_key_crc(hash,
                        (has_ports(proto) && l4 + 4 <= len ? (uint64_t)flow_key_load32(ip + l4) << 8 : 0) | proto);
}

/* A hash is never 0, which says that there is no label (RFC 6437, 3). */
static void write_label(const struct rte_mbuf *m, const struct op_tunnel_push *push, uint8_t *header)
{
    const uint8_t *inner = header + push->len;
    const uint32_t len = m->data_len - push->len;
    uint32_t label = 0;

    if (push->flags & TUNNEL_PUSH_LABEL_HASH)
        label = ip_hash(inner, len) % 0xfffff + 1;
    else if (push->flags & TUNNEL_PUSH_LABEL_COPY && len >= 4 && inner[0] >> 4 == 6)
        label = rte_be_to_cpu_32(flow_key_load32(inner)) & 0xfffff;
    header[push->l3 + 1] |= (uint8_t)(label >> 16);
    header[push->l3 + 2] = (uint8_t)(label >> 8);
    header[push->l3 + 3] = (uint8_t)label;
}

/* --- what differs from packet to packet ---------------------------------- */

static inline void write_ip(uint8_t *ip, const struct op_tunnel_push *push, uint32_t len)
{
    struct rte_ipv4_hdr *ip4 = (void *)ip;
    uint32_t sum;

    if (push->flags & TUNNEL_PUSH_IPV6) {
        ((struct rte_ipv6_hdr *)(void *)ip)->payload_len = rte_cpu_to_be_16((uint16_t)(len - 40));
        return;
    }
    ip4->total_length = rte_cpu_to_be_16((uint16_t)len);
    sum = (uint32_t)ip4->hdr_checksum + ip4->total_length;
    if (unlikely(!(ip4->fragment_offset & RTE_BE16(0x4000)))) { /* one that is never cut needs none: RFC 6864, 4.1 */
        ip4->packet_id = ip_id();
        sum += ip4->packet_id;
    }
    ip4->hdr_checksum = (uint16_t)~checksum_fold(sum);
}

/* Over what is behind `l4`; the field holds 0. Where the checksum inside is left for later, which makes the sum of all
 * that it covers the complement of what its field holds now, nothing of that is looked at. */
static uint16_t sum_from(const struct rte_mbuf *m, uint32_t l4)
{
    const uint32_t inside = offload_l4(m);
    uint16_t pseudo;

    if (likely(!offload_any(m)))
        return packet_sum_of(m, l4, m->pkt_len);
    pseudo = flow_key_load16(rte_pktmbuf_mtod_offset(m, const uint8_t *, inside + offload_field(m)));
    return checksum_fold((uint32_t)packet_sum_of(m, l4, inside) + (uint16_t)~pseudo);
}

static void write_udp_checksum(struct rte_mbuf *m, const struct op_tunnel_push *push, uint8_t *header)
{
    struct rte_udp_hdr *udp = (void *)(header + push->l4);
    const uint8_t *ip = header + push->l3;
    const uint32_t addresses = push->flags & TUNNEL_PUSH_IPV6 ? checksum_sum(ip + 8, 32) : checksum_sum(ip + 12, 8);
    const uint32_t pseudo = addresses + RTE_BE16(IPPROTO_UDP) + udp->dgram_len;
    const uint16_t sum = (uint16_t)~checksum_fold(pseudo + sum_from(m, push->l4));

    udp->dgram_cksum = sum == 0 ? UINT16_MAX : sum;
}

static uint32_t next_sequence(const struct op_tunnel_push *push)
{
    return __atomic_fetch_add(&sequences[push->index % SEQUENCES], 1, __ATOMIC_RELAXED);
}

/* The sequence number is the last word of GRE's header; of GTP-U's it is behind the first eight bytes. */
static void write_sequence(const struct op_tunnel_push *push, uint8_t *header)
{
    const uint32_t sequence = rte_cpu_to_be_32(next_sequence(push));

    if (push->type == TUNNEL_GTPU) {
        const rte_be16_t low = rte_cpu_to_be_16((uint16_t)rte_be_to_cpu_32(sequence));

        memcpy(header + push->own + GTPU_LEN, &low, sizeof low);
    } else if (push->type == TUNNEL_ERSPAN) {
        memcpy(header + push->l4 + GRE_LEN, &sequence, sizeof sequence);
    } else {
        memcpy(header + push->len - 4, &sequence, sizeof sequence);
    }
}

/* Type III has the time in units of 100 us. */
static void write_time(const struct op_tunnel_push *push, uint8_t *header)
{
    uint8_t *erspan = header + push->own;

    if (erspan[0] >> 4 == 2) {
        const rte_be32_t time = rte_cpu_to_be_32((uint32_t)(rte_rdtsc() / (rte_get_tsc_hz() / 10000)));

        memcpy(erspan + 4, &time, sizeof time);
    }
}

static __rte_noinline void write_rare(struct rte_mbuf *m, const struct op_tunnel_push *push, uint8_t *header)
{
    if (push->flags & TUNNEL_PUSH_SEQ)
        write_sequence(push, header);
    if (push->type == TUNNEL_ERSPAN)
        write_time(push, header);
    if (push->type == TUNNEL_GTPU) {
        const rte_be16_t len = rte_cpu_to_be_16((uint16_t)(m->pkt_len - push->own - GTPU_LEN));

        memcpy(header + push->own + 2, &len, sizeof len);
    } else if (push->type == TUNNEL_SRV6) {
        write_label(m, push, header);
    }
    if (push->flags & TUNNEL_PUSH_CSUM)
        tunnel_push_checksum(m, push);
}

void tunnel_push_checksum(struct rte_mbuf *m, const struct op_tunnel_push *push)
{
    uint8_t *header = rte_pktmbuf_mtod(m, uint8_t *);

    if (push->type == TUNNEL_GRE) {
        const uint16_t sum = (uint16_t)~sum_from(m, push->l4);

        memcpy(header + push->l4 + GRE_LEN, &sum, sizeof sum);
    } else {
        write_udp_checksum(m, push, header);
    }
}

/* --- the operation ------------------------------------------------------- */

bool tunnel_push_keeps(const struct rte_mbuf *m, const struct op_tunnel_push *push)
{
    /* Segments need headers of their own. */
    return !offload_segmented(m) && m->l2_len + push->len <= OFFLOAD_L2_MAX;
}

/* As memcpy(), of 32 bytes or more, without a call: what is copied twice is the same. */
static inline void copy_header(uint8_t *to, const uint8_t *from, uint32_t len)
{
    for (uint32_t at = 0; at + 16 < len; at += 16)
        memcpy(to + at, from + at, 16);
    memcpy(to + len - 16, from + len - 16, 16);
}

static __rte_always_inline void push_line(struct rte_mbuf *m, const struct op_tunnel_push *push, bool udp)
{
    const rte_be16_t src = udp ? source_port(m, push) : 0;
    uint8_t *header = (uint8_t *)m->buf_addr + m->data_off - push->len;

    m->data_off = (uint16_t)(m->data_off - push->len);
    m->data_len = (uint16_t)(m->data_len + push->len);
    m->pkt_len += push->len;
    copy_header(header, push->header, push->len);
    write_ip(header + push->l3, push, m->pkt_len - push->l3);
    if (udp) {
        struct rte_udp_hdr *outer = (void *)(header + push->l4);

        outer->src_port = src;
        outer->dgram_len = rte_cpu_to_be_16((uint16_t)(m->pkt_len - push->l4));
    }
}

void tunnel_push_line(struct rte_mbuf *m, const struct op_tunnel_push *push)
{
    if (push->type != TUNNEL_GRE)
        push_line(m, push, true);
    else
        push_line(m, push, false);
}

enum drop_reason tunnel_push(struct rte_mbuf *m, const struct op_tunnel_push *push, uint32_t payload)
{
    const uint32_t len = m->pkt_len - payload + push->len - push->l3; /* from the IP header on */
    const bool udp = tunnel_is_udp(push->type);
    uint8_t *header;

    if (unlikely(len > (push->mtu != 0 ? push->mtu : UINT16_MAX)))
        return DROP_TUNNEL_MTU;
    const rte_be16_t src = udp ? source_port(m, push) : 0;
    if (unlikely(offload_any(m)))
        m->l2_len = m->l2_len - payload + push->len;
    if (payload != 0)
        rte_pktmbuf_adj(m, (uint16_t)payload);
    header = (uint8_t *)rte_pktmbuf_prepend(m, push->len);
    memcpy(header, push->header, push->len);
    write_ip(header + push->l3, push, len);
    if (udp) {
        struct rte_udp_hdr *outer = (void *)(header + push->l4);

        outer->src_port = src;
        outer->dgram_len = rte_cpu_to_be_16((uint16_t)(m->pkt_len - push->l4));
    }
    if (unlikely((push->flags & (TUNNEL_PUSH_CSUM | TUNNEL_PUSH_SEQ)) || push->type >= TUNNEL_ERSPAN))
        write_rare(m, push, header);
    return DROP_N_REASONS;
}
