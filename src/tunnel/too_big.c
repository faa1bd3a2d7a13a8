#include "src/tunnel/too_big.h"

#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <string.h>

#include "pmd/key.h"

#define ICMP_LEN 8
#define IPV4_LEN 20
#define IPV6_LEN 40
/* Bytes of a whole message, at most (RFC 1812, 4.3.2.3; RFC 4443, 2.4 (c)). */
#define IPV4_MOST 576
#define IPV6_MOST 1280
/* DSCP of messages about the network: CS6. */
#define TOS 0xc0
#define TTL 64

/* --- who is not told ----------------------------------------------------- */

static bool is_one_host_ipv4(rte_be32_t address)
{
    const uint8_t first = (uint8_t)(rte_be_to_cpu_32(address) >> 24);

    return first != 0 && first != 127 && first < 224;
}

static bool is_error_ipv4(uint8_t type)
{
    switch (type) {
    case ICMP_DEST_UNREACH:
    case ICMP_SOURCE_QUENCH:
    case ICMP_REDIRECT:
    case ICMP_TIME_EXCEEDED:
    case ICMP_PARAMETERPROB:
        return true;
    default:
        return false;
    }
}

static bool tells_ipv4(const struct rte_mbuf *m, const struct packet_layers *layers)
{
    const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod_offset(m, const struct rte_ipv4_hdr *, layers->l3);

    if (!(ip->fragment_offset & RTE_BE16(RTE_IPV4_HDR_DF_FLAG)) || layers->later_fragment)
        return false;
    if (layers->ip_proto == IPPROTO_ICMP &&
        (layers->l4 == 0 || is_error_ipv4(*rte_pktmbuf_mtod_offset(m, const uint8_t *, layers->l4))))
        return false;
    return is_one_host_ipv4(ip->src_addr) && is_one_host_ipv4(ip->dst_addr);
}

static bool is_one_host_ipv6(const uint8_t address[16])
{
    static const uint8_t unspecified[16];

    return address[0] != 0xff && memcmp(address, unspecified, sizeof unspecified) != 0;
}

static bool tells_ipv6(const struct rte_mbuf *m, const struct packet_layers *layers)
{
    const struct rte_ipv6_hdr *ip = rte_pktmbuf_mtod_offset(m, const struct rte_ipv6_hdr *, layers->l3);

    if (layers->later_fragment || layers->cut)
        return false;
    if (layers->ip_proto == IPPROTO_ICMPV6) {
        const uint8_t *type = rte_pktmbuf_mtod_offset(m, const uint8_t *, layers->l4);

        if (layers->l4 == 0 || !(*type & ICMP6_INFOMSG_MASK) || *type == ND_REDIRECT)
            return false;
    }
    return is_one_host_ipv6(ip->src_addr) && is_one_host_ipv6(ip->dst_addr);
}

/* --- the message --------------------------------------------------------- */

/* Cuts the packet to what the message quotes: at most `most` bytes from the IP header on, all in the first segment. */
static void cut(struct rte_mbuf *m, uint32_t most)
{
    if (m->next) {
        rte_pktmbuf_free(m->next);
        m->next = NULL;
        m->nb_segs = 1;
    }
    m->data_len = (uint16_t)RTE_MIN((uint32_t)m->data_len, most);
    m->pkt_len = m->data_len;
}

/* Room for the headers of the message, behind the Ethernet header and tags of `l3` bytes, which go to the front, with
 * the addresses the other way round. Returns where they begin. */
static uint8_t *open_up(struct rte_mbuf *m, uint32_t l3, uint16_t headers)
{
    uint8_t *data = (uint8_t *)rte_pktmbuf_prepend(m, headers);
    struct rte_ether_addr sender;

    memmove(data, data + headers, l3);
    memcpy(&sender, data + RTE_ETHER_ADDR_LEN, sizeof sender);
    memmove(data + RTE_ETHER_ADDR_LEN, data, RTE_ETHER_ADDR_LEN);
    memcpy(data, &sender, sizeof sender);
    return data + l3;
}

static void answer_ipv4(struct rte_mbuf *m, uint32_t l3, uint16_t mtu)
{
    const struct rte_ipv4_hdr *old = rte_pktmbuf_mtod_offset(m, const struct rte_ipv4_hdr *, l3);
    struct rte_ipv4_hdr ip = {.version_ihl = 0x45,
                              .type_of_service = TOS,
                              .time_to_live = TTL,
                              .next_proto_id = IPPROTO_ICMP,
                              .src_addr = old->dst_addr,
                              .dst_addr = old->src_addr};
    const rte_be16_t mtu_be = rte_cpu_to_be_16(mtu);
    uint8_t icmp[ICMP_LEN] = {ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED};
    uint8_t *p;
    uint16_t sum;

    cut(m, l3 + IPV4_MOST - IPV4_LEN - ICMP_LEN);
    p = open_up(m, l3, IPV4_LEN + ICMP_LEN);
    memcpy(icmp + 6, &mtu_be, sizeof mtu_be);
    memcpy(p + IPV4_LEN, icmp, sizeof icmp);
    sum = (uint16_t)~rte_raw_cksum(p + IPV4_LEN, m->data_len - l3 - IPV4_LEN);
    memcpy(p + IPV4_LEN + 2, &sum, sizeof sum);
    ip.total_length = rte_cpu_to_be_16((uint16_t)(m->data_len - l3));
    ip.hdr_checksum = rte_ipv4_cksum(&ip);
    memcpy(p, &ip, sizeof ip);
}

static void answer_ipv6(struct rte_mbuf *m, uint32_t l3, uint16_t mtu)
{
    const struct rte_ipv6_hdr *old = rte_pktmbuf_mtod_offset(m, const struct rte_ipv6_hdr *, l3);
    struct rte_ipv6_hdr ip = {
        .vtc_flow = rte_cpu_to_be_32(UINT32_C(6) << 28 | TOS << 20), .proto = IPPROTO_ICMPV6, .hop_limits = TTL};
    const rte_be32_t mtu_be = rte_cpu_to_be_32(mtu);
    uint8_t icmp[ICMP_LEN] = {ICMP6_PACKET_TOO_BIG};
    uint8_t *p;
    uint16_t sum;

    memcpy(ip.src_addr, old->dst_addr, sizeof ip.src_addr);
    memcpy(ip.dst_addr, old->src_addr, sizeof ip.dst_addr);
    cut(m, l3 + IPV6_MOST - IPV6_LEN - ICMP_LEN);
    p = open_up(m, l3, IPV6_LEN + ICMP_LEN);
    ip.payload_len = rte_cpu_to_be_16((uint16_t)(m->data_len - l3 - IPV6_LEN));
    memcpy(p, &ip, sizeof ip);
    memcpy(icmp + 4, &mtu_be, sizeof mtu_be);
    memcpy(p + IPV6_LEN, icmp, sizeof icmp);
    sum = rte_ipv6_udptcp_cksum((const void *)p, p + IPV6_LEN);
    memcpy(p + IPV6_LEN + 2, &sum, sizeof sum);
}

bool too_big_answer(struct rte_mbuf *m, uint16_t room, bool tags)
{
    struct packet_layers layers;
    bool ipv4, told;

    packet_layers_find(m, &layers);
    ipv4 = layers.eth_type == RTE_ETHER_TYPE_IPV4;
    if (layers.l3 == 0 || layers.mpls || layers.pbb || layers.nsh || (!ipv4 && layers.eth_type != RTE_ETHER_TYPE_IPV6))
        return false;
    if (rte_is_multicast_ether_addr(rte_pktmbuf_mtod(m, const struct rte_ether_addr *)))
        return false;
    told = ipv4 ? tells_ipv4(m, &layers) : tells_ipv6(m, &layers);
    if (!told || (tags && room <= layers.l3) || rte_pktmbuf_headroom(m) < IPV6_LEN + ICMP_LEN)
        return false;
    room -= tags ? layers.l3 : 0;
    if (ipv4)
        answer_ipv4(m, layers.l3, room);
    else
        answer_ipv6(m, layers.l3, room);
    return true;
}
