#include "pmd/offload_merge.h"

#include <netinet/in.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_tcp.h>
#include <string.h>

#include "pmd/checksum.h"
#include "pmd/offload.h"

/* Connections that are merged side by side; of further ones packets stay as they are. */
#define OPEN_MAX 8
#define MERGED_MAX 65535 /* bytes from the IP header on */

/* A segment, or several that were merged. */
struct segment {
    struct rte_mbuf *m;
    const uint8_t *ip;
    uint16_t l2_len, l3_len, l4_len;
    uint16_t payload; /* of each but the last */
    uint32_t next;    /* sequence number behind it */
    uint16_t parts;
    bool v6, closed; /* closed: nothing may follow, as it was the last of its kind */
};

static const struct rte_tcp_hdr *tcp_of(const struct segment *s)
{
    return (const void *)(s->ip + s->l3_len);
}

static bool is_ours(const struct rte_mbuf *m)
{
    return m->nb_segs == 1 && rte_mbuf_refcnt_read(m) == 1 && RTE_MBUF_DIRECT(m) && !offload_any(m);
}

/* Where the IP header of an Ethernet frame is, behind up to two tags; its type. 0: there is none. */
static uint16_t find_ip(const struct rte_mbuf *m, rte_be16_t *type)
{
    const uint8_t *data = rte_pktmbuf_mtod(m, const uint8_t *);

    for (uint16_t at = RTE_ETHER_HDR_LEN; at <= RTE_ETHER_HDR_LEN + 2 * sizeof(struct rte_vlan_hdr);
         at += sizeof(struct rte_vlan_hdr)) {
        if (m->data_len < at)
            return 0;
        memcpy(type, data + at - 2, sizeof *type);
        if (*type != RTE_BE16(RTE_ETHER_TYPE_VLAN) && *type != RTE_BE16(RTE_ETHER_TYPE_QINQ))
            return at;
    }
    return 0;
}

/* The IP header, which says that it carries TCP and ends with the packet. */
static bool read_ip(struct segment *s, rte_be16_t type)
{
    const struct rte_ipv4_hdr *ip4 = (const void *)s->ip;
    const struct rte_ipv6_hdr *ip6 = (const void *)s->ip;
    const uint32_t len = s->m->data_len - s->l2_len;

    s->v6 = type == RTE_BE16(RTE_ETHER_TYPE_IPV6);
    if (s->v6) {
        s->l3_len = sizeof *ip6;
        return len >= sizeof *ip6 && ip6->proto == IPPROTO_TCP &&
               rte_be_to_cpu_16(ip6->payload_len) == len - sizeof *ip6;
    }
    s->l3_len = sizeof *ip4;
    return type == RTE_BE16(RTE_ETHER_TYPE_IPV4) && len >= sizeof *ip4 && ip4->version_ihl == 0x45 &&
           ip4->next_proto_id == IPPROTO_TCP && (ip4->fragment_offset & RTE_BE16(0x3fff)) == 0 &&
           rte_be_to_cpu_16(ip4->total_length) == len && checksum_sum(ip4, sizeof *ip4) == UINT16_MAX;
}

/* The pseudo-header's sum for `len` bytes of TCP. */
static uint16_t pseudo_sum(const struct segment *s, uint32_t len)
{
    const uint32_t addresses = s->v6 ? checksum_sum(s->ip + 8, 32) : checksum_sum(s->ip + 12, 8);
    const uint32_t be_len = rte_cpu_to_be_32(len);

    return checksum_fold(addresses + RTE_BE16(IPPROTO_TCP) + (be_len & 0xffff) + (be_len >> 16));
}

/* False: the packet stays as it is. */
static bool read_segment(struct rte_mbuf *m, uint8_t takes, struct segment *s)
{
    const struct rte_tcp_hdr *tcp;
    rte_be16_t type = 0;
    uint32_t len;

    *s = (struct segment){.m = m, .parts = 1};
    if (!is_ours(m) || (s->l2_len = find_ip(m, &type)) == 0)
        return false;
    s->ip = rte_pktmbuf_mtod_offset(m, const uint8_t *, s->l2_len);
    if (!read_ip(s, type) || !(takes & (s->v6 ? OFFLOAD_TAKES_TCP6 : OFFLOAD_TAKES_TCP4)))
        return false;
    len = m->data_len - s->l2_len - s->l3_len;
    tcp = tcp_of(s);
    if (len < sizeof *tcp)
        return false;
    s->l4_len = (uint16_t)((tcp->data_off >> 4) * 4);
    if (s->l4_len < sizeof *tcp || s->l4_len >= len || (tcp->tcp_flags & ~RTE_TCP_PSH_FLAG) != RTE_TCP_ACK_FLAG)
        return false;
    s->payload = (uint16_t)(len - s->l4_len);
    s->next = rte_be_to_cpu_32(tcp->sent_seq) + s->payload;
    s->closed = tcp->tcp_flags & RTE_TCP_PSH_FLAG;
    return true;
}

static bool has_same_addresses(const struct segment *a, const struct segment *b)
{
    return a->v6 == b->v6 && (a->v6 ? memcmp(a->ip + 8, b->ip + 8, 32) : memcmp(a->ip + 12, b->ip + 12, 8)) == 0;
}

static bool is_same_connection(const struct segment *a, const struct segment *b)
{
    return has_same_addresses(a, b) && memcmp(tcp_of(a), tcp_of(b), 4) == 0;
}

/* The headers of `b` but for lengths, identification and checksums, and its place in the stream. */
static bool is_next(const struct segment *a, const struct segment *b)
{
    const struct rte_tcp_hdr *one = tcp_of(a), *two = tcp_of(b);
    const struct rte_ipv4_hdr *ip_a = (const void *)a->ip, *ip_b = (const void *)b->ip;

    if (a->closed || a->l2_len != b->l2_len || a->l4_len != b->l4_len || a->next != rte_be_to_cpu_32(two->sent_seq) ||
        b->payload > a->payload || a->m->pkt_len - a->l2_len + b->payload > MERGED_MAX ||
        memcmp(a->ip - a->l2_len, b->ip - b->l2_len, a->l2_len) != 0)
        return false;
    if (one->recv_ack != two->recv_ack || one->rx_win != two->rx_win || one->tcp_urp != two->tcp_urp ||
        one->data_off != two->data_off || memcmp(one + 1, two + 1, a->l4_len - sizeof *one) != 0)
        return false;
    if (a->v6)
        return memcmp(a->ip, b->ip, 4) == 0 && a->ip[7] == b->ip[7];
    return ip_a->type_of_service == ip_b->type_of_service && ip_a->time_to_live == ip_b->time_to_live &&
           ip_a->fragment_offset == ip_b->fragment_offset &&
           (uint16_t)(rte_be_to_cpu_16(ip_a->packet_id) + a->parts) == rte_be_to_cpu_16(ip_b->packet_id);
}

static bool checksum_is_right(const struct segment *s)
{
    const uint32_t len = s->l4_len + s->payload;

    return checksum_fold((uint32_t)pseudo_sum(s, len) + checksum_sum(tcp_of(s), len)) == UINT16_MAX;
}

/* `b` is the next of `a` and belongs to it from now on. */
static void append(struct segment *a, const struct segment *b)
{
    struct rte_tcp_hdr *tcp = (void *)(uintptr_t)tcp_of(a);
    struct rte_mbuf *last = rte_pktmbuf_lastseg(a->m);

    tcp->tcp_flags |= tcp_of(b)->tcp_flags;
    a->next = b->next;
    a->closed = b->closed || b->payload < a->payload;
    a->parts++;
    rte_pktmbuf_adj(b->m, (uint16_t)(b->l2_len + b->l3_len + b->l4_len));
    last->next = b->m;
    a->m->nb_segs++;
    a->m->pkt_len += b->m->pkt_len;
}

/* Lengths and marks of what was merged. */
static void seal(const struct segment *s)
{
    struct rte_tcp_hdr *tcp = (void *)(uintptr_t)tcp_of(s);
    const uint32_t len = s->m->pkt_len - s->l2_len;

    if (s->parts == 1)
        return;
    if (s->v6) {
        struct rte_ipv6_hdr *ip = (void *)(uintptr_t)s->ip;

        ip->payload_len = rte_cpu_to_be_16((uint16_t)(len - sizeof *ip));
    } else {
        struct rte_ipv4_hdr *ip = (void *)(uintptr_t)s->ip;

        ip->total_length = rte_cpu_to_be_16((uint16_t)len);
        ip->hdr_checksum = 0;
        ip->hdr_checksum = (uint16_t)~checksum_sum(ip, sizeof *ip);
    }
    tcp->cksum = pseudo_sum(s, len - s->l3_len);
    s->m->ol_flags |=
        RTE_MBUF_F_TX_TCP_CKSUM | RTE_MBUF_F_TX_TCP_SEG | (s->v6 ? RTE_MBUF_F_TX_IPV6 : RTE_MBUF_F_TX_IPV4);
    s->m->tx_offload = 0;
    s->m->l2_len = s->l2_len;
    s->m->l3_len = s->l3_len;
    s->m->l4_len = s->l4_len;
    s->m->tso_segsz = s->payload;
}

/* The open connection of the segment, or NULL. */
static struct segment *find(struct segment *open, unsigned n, const struct segment *s)
{
    for (unsigned i = 0; i < n; i++)
        if (is_same_connection(&open[i], s))
            return &open[i];
    return NULL;
}

/* Closes the connections between the addresses of a packet that is not merged: later packets must not overtake it.
 * Ports are not looked at, as some packets have none. */
static void close_between(struct segment *open, unsigned n, const struct rte_mbuf *m)
{
    struct segment s = {0};
    rte_be16_t type = 0;

    s.l2_len = find_ip(m, &type);
    s.v6 = type == RTE_BE16(RTE_ETHER_TYPE_IPV6);
    if (s.l2_len == 0 || m->data_len < s.l2_len + (s.v6 ? sizeof(struct rte_ipv6_hdr) : sizeof(struct rte_ipv4_hdr)))
        return;
    s.ip = rte_pktmbuf_mtod_offset(m, const uint8_t *, s.l2_len);
    for (unsigned i = 0; i < n; i++)
        open[i].closed = open[i].closed || has_same_addresses(&open[i], &s);
}

unsigned offload_merge(struct rte_mbuf **packets, unsigned n, uint8_t takes)
{
    struct segment open[OPEN_MAX];
    unsigned n_open = 0, kept = 0;

    if (!(takes & (OFFLOAD_TAKES_TCP4 | OFFLOAD_TAKES_TCP6)))
        return n;
    for (unsigned i = 0; i < n; i++) {
        struct segment s, *before;

        packets[kept] = packets[i];
        if (!read_segment(packets[i], takes, &s)) {
            close_between(open, n_open, packets[i]);
            kept++;
            continue;
        }
        before = find(open, n_open, &s);
        if (before && is_next(before, &s) && checksum_is_right(&s) &&
            (before->parts > 1 || checksum_is_right(before))) {
            append(before, &s);
            continue;
        }
        kept++;
        if (before) {
            seal(before);
            *before = s;
        } else if (n_open < OPEN_MAX) {
            open[n_open++] = s;
        }
    }
    for (unsigned i = 0; i < n_open; i++)
        seal(&open[i]);
    return kept;
}
