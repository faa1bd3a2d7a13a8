/* Datagrams that go on whole: the fragments' mbufs in a chain, with the headers of the first, marked so that a port
 * they do not fit cuts them again (pmd/offload.h). Poll-mode threads. */
#include <rte_ip.h>
#include <string.h>

#include "pmd/ct/fragments.h"
#include "pmd/ipv6_exthdr.h"
#include "pmd/key.h"
#include "pmd/offload.h"

#define IPV6_LEN sizeof(struct rte_ipv6_hdr)
#define FRAGMENT_HEADER_LEN 8

static uint8_t *ip_of(const struct fragment *fragment)
{
    return rte_pktmbuf_mtod_offset(fragment->m, uint8_t *, fragment->l3);
}

/* Where the fragment's part of the datagram begins in its packet; 0: not where it can be joined to others. */
static uint32_t data_of(const struct fragment *fragment, bool ipv6)
{
    const uint8_t *ip = ip_of(fragment);
    const uint32_t ip_len = (uint32_t)(ipv6 ? IPV6_LEN + ip[4] * 256u + ip[5] : ip[2] * 256u + ip[3]);
    const uint32_t data = fragment->l3 + ip_len - fragment->len;

    /* Padding behind several mbufs was left there; a mbuf of the chain is not empty. */
    return fragment->l3 + ip_len == fragment->m->pkt_len && data < fragment->m->data_len ? data : 0;
}

/* The type of service or traffic class, ECN included. */
static uint16_t class_of(const struct fragment *fragment, bool ipv6)
{
    const uint8_t *ip = ip_of(fragment);

    return ipv6 ? (uint16_t)(ip[0] << 8 | ip[1]) & 0x0ff0 : ip[1];
}

/* Whether the fragments can be had again from the whole. */
static bool can_join(const struct fragment *const *parts, const struct datagram *whole)
{
    const bool ipv6 = whole->key.ipv6;
    const uint32_t data = data_of(parts[0], ipv6), headers = data - parts[0]->l3;
    uint32_t mbufs = 0;

    if (whole->n < 2 || data == 0 || parts[0]->l3 > OFFLOAD_L2_MAX || headers > OFFLOAD_L3_MAX ||
        (!ipv6 && headers != sizeof(struct rte_ipv4_hdr)) ||
        headers - (ipv6 ? IPV6_LEN + FRAGMENT_HEADER_LEN : 0) + whole->total > UINT16_MAX)
        return false;
    for (unsigned i = 0; i < whole->n; i++) {
        if (data_of(parts[i], ipv6) == 0 || class_of(parts[i], ipv6) != class_of(parts[0], ipv6))
            return false;
        mbufs += parts[i]->m->nb_segs;
    }
    return mbufs <= OFFLOAD_CHAIN_MAX;
}

/* Takes the fragment header out, which ends where the data begins. Returns the length of the headers that stay. */
static uint16_t take_fragment_header(struct rte_mbuf *m, uint16_t l3, uint32_t data, uint32_t total)
{
    uint8_t *start = rte_pktmbuf_mtod(m, uint8_t *), *ip = start + l3, *naming = &ip[6];
    const uint32_t header = data - FRAGMENT_HEADER_LEN, headers = header - l3;
    const uint32_t payload_len = headers - (uint32_t)IPV6_LEN + total;

    for (uint32_t at = IPV6_LEN; at + FRAGMENT_HEADER_LEN <= headers;) {
        const uint32_t len = ipv6_exthdr_len(*naming, ip + at);

        naming = ip + at;
        at += len;
    }
    *naming = start[header];
    ip[4] = (uint8_t)(payload_len >> 8);
    ip[5] = (uint8_t)payload_len;
    memmove(start + FRAGMENT_HEADER_LEN, start, header);
    rte_pktmbuf_adj(m, FRAGMENT_HEADER_LEN);
    return (uint16_t)headers;
}

static void write_ipv4(struct rte_mbuf *m, uint16_t l3, uint32_t total)
{
    struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod_offset(m, struct rte_ipv4_hdr *, l3);

    ip->total_length = rte_cpu_to_be_16((uint16_t)(sizeof *ip + total));
    ip->fragment_offset &= RTE_BE16(RTE_IPV4_HDR_DF_FLAG);
    ip->hdr_checksum = 0;
    ip->hdr_checksum = rte_ipv4_cksum(ip);
}

/* What offload.h says of a datagram. The checksums were looked at. */
static void mark(struct rte_mbuf *m, const struct datagram *whole, uint16_t l2_len, uint16_t l3_len, uint16_t part)
{
    m->ol_flags &= ~(RTE_MBUF_F_RX_L4_CKSUM_MASK | RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IPV6);
    m->ol_flags |=
        OFFLOAD_DATAGRAM | RTE_MBUF_F_RX_L4_CKSUM_GOOD | (whole->key.ipv6 ? RTE_MBUF_F_TX_IPV6 : RTE_MBUF_F_TX_IPV4);
    m->l2_len = l2_len;
    m->l3_len = l3_len;
    m->l4_len = 0;
    m->tso_segsz = part;
    if (!whole->key.ipv6)
        return;
    const uint32_t id = rte_be_to_cpu_32(whole->key.id);
    m->vlan_tci = (uint16_t)id;
    m->vlan_tci_outer = (uint16_t)(id >> 16);
}

bool fragments_chain(const struct fragment *const *parts, const struct datagram *whole)
{
    const bool ipv6 = whole->key.ipv6;
    struct rte_mbuf *m = parts[0]->m, *last = rte_pktmbuf_lastseg(m);
    uint16_t longest = 0, l3_len = sizeof(struct rte_ipv4_hdr);

    if (!can_join(parts, whole))
        return false;
    if (ipv6)
        l3_len = take_fragment_header(m, parts[0]->l3, data_of(parts[0], true), whole->total);
    else
        write_ipv4(m, parts[0]->l3, whole->total);
    for (unsigned i = 0; i + 1 < whole->n; i++)
        longest = RTE_MAX(longest, parts[i]->len);
    mark(m, whole, parts[0]->l3, l3_len, longest);
    for (unsigned i = 1; i < whole->n; i++) {
        struct rte_mbuf *part = parts[i]->m;

        rte_pktmbuf_adj(part, (uint16_t)data_of(parts[i], ipv6));
        last->next = part;
        last = rte_pktmbuf_lastseg(part);
        m->nb_segs = (uint16_t)(m->nb_segs + part->nb_segs);
        m->pkt_len += part->pkt_len;
    }
    return true;
}
