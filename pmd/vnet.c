#include "pmd/vnet.h"

#include <netinet/in.h>
#include <rte_hash_crc.h>
#include <rte_ip.h>
#include <rte_sctp.h>
#include <rte_tcp.h>
#include <rte_udp.h>
#include <string.h>

#include "pmd/key.h"
#include "pmd/offload.h"

#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

#define TCP_CWR 0x80
/* The kernel makes no smaller segments (its least TCP MSS), and no more datagrams at once. */
#define TCP_SEGMENT_MIN 48
#define UDP_SEGMENTS_MAX 128
/* The kernel cuts what is behind more tags than keys have. */
#define TAGS_MAX 8

static uint8_t *at(const struct rte_mbuf *packet, uint32_t offset)
{
    return rte_pktmbuf_mtod_offset(packet, uint8_t *, offset);
}

/* RFC 9260, 6.8. DPDK's CRC reads words where they are: it gets them where they may be. */
static uint32_t crc32c(const struct rte_mbuf *packet, uint32_t offset)
{
    uint32_t crc = 0xffffffff, left = packet->pkt_len - offset;
    uint64_t words[32];

    while (left > 0) {
        const uint32_t part = RTE_MIN(left, (uint32_t)sizeof words);
        const void *data = rte_pktmbuf_read(packet, offset, part, words);

        if (data != words)
            memcpy(words, data, part);
        crc = rte_hash_crc(words, part, crc);
        offset += part;
        left -= part;
    }
    return ~crc;
}

/* A checksum of `start` and all behind it, at `field`, which holds what goes in besides. */
static void finish_here(struct rte_mbuf *packet, uint32_t start, uint32_t field)
{
    uint16_t sum = 0;

    rte_raw_cksum_mbuf(packet, start, packet->pkt_len - start, &sum);
    sum = (uint16_t)~sum;
    memcpy(at(packet, field), &sum, sizeof sum);
}

static void finish_sctp(struct rte_mbuf *packet, uint32_t start)
{
    struct rte_sctp_hdr *sctp = (void *)at(packet, start);
    uint32_t crc;

    sctp->cksum = 0;
    crc = rte_cpu_to_le_32(crc32c(packet, start));
    memcpy(&sctp->cksum, &crc, sizeof crc);
}

/* Marks the checksum of the packet's TCP or UDP header. False: not with these headers. */
static bool mark_checksum(struct rte_mbuf *packet, const struct packet_layers *layers)
{
    const bool ip = layers->eth_type == RTE_ETHER_TYPE_IPV4 || layers->eth_type == RTE_ETHER_TYPE_IPV6;

    if (!ip || layers->l4 == 0 || layers->fragment || layers->l3 > OFFLOAD_L2_MAX ||
        layers->l4 - layers->l3 > OFFLOAD_L3_MAX)
        return false;
    if (layers->ip_proto == IPPROTO_TCP)
        packet->ol_flags |= RTE_MBUF_F_TX_TCP_CKSUM;
    else if (layers->ip_proto == IPPROTO_UDP)
        packet->ol_flags |= RTE_MBUF_F_TX_UDP_CKSUM;
    else
        return false;
    packet->ol_flags |= layers->eth_type == RTE_ETHER_TYPE_IPV4 ? RTE_MBUF_F_TX_IPV4 : RTE_MBUF_F_TX_IPV6;
    packet->l2_len = layers->l3;
    packet->l3_len = (uint16_t)(layers->l4 - layers->l3);
    return true;
}

/* Tunnels without UDP: what is behind extension headers, as segment routing has them, is such a protocol, too. */
static bool carries_packets(uint8_t proto)
{
    return proto == IPPROTO_GRE || proto == IPPROTO_IPIP || proto == IPPROTO_IPV6;
}

/* A TCP or UDP header at `start` is behind the outer headers of a tunnel. */
static bool is_of_inside(const struct rte_mbuf *packet, uint32_t start, const struct packet_layers *layers)
{
    const bool ip = layers->eth_type == RTE_ETHER_TYPE_IPV4 || layers->eth_type == RTE_ETHER_TYPE_IPV6;

    return ip && layers->l3 != 0 && !layers->fragment && start % 2 == 0 &&
           start > layers->l3 + sizeof(struct rte_ipv4_hdr) && start <= packet->data_len &&
           (layers->ip_proto == IPPROTO_UDP ? start > layers->l4 : carries_packets(layers->ip_proto));
}

/* The length of the IPv4 header that ends at `end`, not before `least`; 0: there is none. Its length, its checksum and
 * that of the packet have to be right. */
static uint32_t ipv4_in_front(const struct rte_mbuf *packet, uint32_t least, uint32_t end, uint8_t proto)
{
    for (uint32_t len = 20; len <= 60 && least + len <= end; len += 4) {
        const struct rte_ipv4_hdr *ip = (const void *)at(packet, end - len);

        if (ip->version_ihl == (0x40 | len / 4) && ip->next_proto_id == proto &&
            rte_be_to_cpu_16(ip->total_length) == packet->pkt_len - (end - len) &&
            (ip->fragment_offset & RTE_BE16(0x3fff)) == 0 && rte_raw_cksum(ip, len) == 0xffff)
            return len;
    }
    return 0;
}

static bool ipv6_in_front(const struct rte_mbuf *packet, uint32_t least, uint32_t end, uint8_t proto)
{
    const struct rte_ipv6_hdr *ip;

    if (least + sizeof *ip > end)
        return false;
    ip = (const void *)at(packet, end - (uint32_t)sizeof *ip);
    return *(const uint8_t *)ip >> 4 == 6 && ip->proto == proto &&
           rte_be_to_cpu_16(ip->payload_len) == packet->pkt_len - end;
}

/* The kernel hands over what a tunnel of its own carries by the inner header's place alone: the IP header is looked for
 * in front of it, as the tunnel may be of a kind that is not known here. Leaves `layers` alone if none is there. */
static void layers_inside(const struct rte_mbuf *packet, uint32_t start, uint32_t csum_offset,
                          struct packet_layers *layers)
{
    const uint8_t proto = csum_offset == offsetof(struct rte_tcp_hdr, cksum) ? IPPROTO_TCP : IPPROTO_UDP;
    const uint32_t least = layers->l3 + (uint32_t)sizeof(struct rte_ipv4_hdr);
    const uint32_t ipv4 = ipv4_in_front(packet, least, start, proto);

    if (ipv4 == 0 && !ipv6_in_front(packet, least, start, proto))
        return;
    *layers = (struct packet_layers){
        .eth_type = ipv4 != 0 ? RTE_ETHER_TYPE_IPV4 : RTE_ETHER_TYPE_IPV6,
        .l3 = (uint16_t)(start - (ipv4 != 0 ? ipv4 : sizeof(struct rte_ipv6_hdr))),
        .l4 = (uint16_t)start,
        .ip_proto = proto,
    };
}

static uint32_t checksum_offset(const struct packet_layers *layers)
{
    return layers->ip_proto == IPPROTO_TCP ? offsetof(struct rte_tcp_hdr, cksum)
                                           : offsetof(struct rte_udp_hdr, dgram_cksum);
}

/* A large packet of a device that checked its segments: the checksum is of no use any more. IPv6 with a routing header
 * has the final destination in the sum: not made by any device. */
static void write_pseudo_sum(struct rte_mbuf *packet, const struct packet_layers *layers)
{
    const uint32_t len = packet->pkt_len - layers->l4;
    uint32_t sum, words[2] = {rte_cpu_to_be_32(len), rte_cpu_to_be_32(layers->ip_proto)};
    uint16_t folded;

    sum = rte_raw_cksum(words, sizeof words);
    if (layers->eth_type == RTE_ETHER_TYPE_IPV4)
        sum += rte_raw_cksum(at(packet, layers->l3 + offsetof(struct rte_ipv4_hdr, src_addr)), 8);
    else
        sum += rte_raw_cksum(at(packet, layers->l3 + offsetof(struct rte_ipv6_hdr, src_addr)), 32);
    folded = (uint16_t)((sum & 0xffff) + (sum >> 16));
    memcpy(at(packet, layers->l4 + checksum_offset(layers)), &folded, sizeof folded);
}

/* Whether the type of segments is what the packet's headers say. */
static bool type_fits(uint8_t type, const struct packet_layers *layers)
{
    switch (type) {
    case VIRTIO_NET_HDR_GSO_TCPV4:
        return layers->ip_proto == IPPROTO_TCP && layers->eth_type == RTE_ETHER_TYPE_IPV4;
    case VIRTIO_NET_HDR_GSO_TCPV6:
        return layers->ip_proto == IPPROTO_TCP && layers->eth_type == RTE_ETHER_TYPE_IPV6;
    case VIRTIO_NET_HDR_GSO_UDP_L4:
        return layers->ip_proto == IPPROTO_UDP;
    default:
        return false;
    }
}

/* Whether the segments are as the kernel makes some: cutting is bounded work. */
static bool segments_fit(const struct rte_mbuf *packet, bool tcp)
{
    if (packet->tso_segsz == 0 || offload_l4(packet) + packet->l4_len >= packet->pkt_len)
        return false;
    return tcp ? packet->tso_segsz >= TCP_SEGMENT_MIN : offload_packets(packet) <= UDP_SEGMENTS_MAX;
}

static bool mark_segments(const struct virtio_net_hdr *header, uint32_t shift, struct rte_mbuf *packet,
                          const struct packet_layers *layers)
{
    const bool tcp = layers->ip_proto == IPPROTO_TCP;

    if (!mark_checksum(packet, layers) || !type_fits(header->gso_type & ~VIRTIO_NET_HDR_GSO_ECN, layers))
        return false;
    if (!(header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM))
        write_pseudo_sum(packet, layers);
    else if (header->csum_start + shift != layers->l4 || header->csum_offset != checksum_offset(layers))
        return false;
    packet->ol_flags |= tcp ? RTE_MBUF_F_TX_TCP_SEG : RTE_MBUF_F_TX_UDP_SEG;
    packet->l4_len =
        tcp ? (*at(packet, layers->l4 + offsetof(struct rte_tcp_hdr, data_off)) >> 4) * 4 : sizeof(struct rte_udp_hdr);
    packet->tso_segsz = header->gso_size;
    return segments_fit(packet, tcp);
}

bool vnet_mark(const struct virtio_net_hdr *header, uint32_t shift, struct rte_mbuf *packet)
{
    const uint32_t start = header->csum_start + shift, field = start + header->csum_offset;
    const bool checksum = header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM;
    struct packet_layers layers;

    if (!checksum && header->gso_type == VIRTIO_NET_HDR_GSO_NONE)
        return true;
    if (checksum && field + 2 > packet->data_len)
        return false;
    packet_layers_find_behind(packet, TAGS_MAX, &layers);
    if (checksum && is_of_inside(packet, start, &layers))
        layers_inside(packet, start, header->csum_offset, &layers);
    if (header->gso_type != VIRTIO_NET_HDR_GSO_NONE)
        return mark_segments(header, shift, packet, &layers);
    if (layers.l4 == start && layers.ip_proto == IPPROTO_SCTP &&
        header->csum_offset == offsetof(struct rte_sctp_hdr, cksum) && field + 4 <= packet->data_len)
        finish_sctp(packet, start);
    else if (layers.l4 != start || header->csum_offset != checksum_offset(&layers) || !mark_checksum(packet, &layers))
        finish_here(packet, start, field);
    return true;
}

void vnet_mark_malformed(struct rte_mbuf *packet)
{
    struct rte_mbuf *rest = packet->next;

    packet->next = NULL;
    packet->nb_segs = 1;
    packet->data_len = 0;
    packet->pkt_len = 0;
    packet->ol_flags = OFFLOAD_MALFORMED;
    rte_pktmbuf_free(rest);
}

void vnet_header(const struct rte_mbuf *packet, struct virtio_net_hdr *header)
{
    const uint32_t l4 = offload_l4(packet);
    const bool tcp = (packet->ol_flags & OFFLOAD_CHECKSUM) == RTE_MBUF_F_TX_TCP_CKSUM;

    memset(header, 0, sizeof *header);
    if (likely(!offload_any(packet)))
        return;
    header->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
    header->csum_start = (uint16_t)l4;
    header->csum_offset = tcp ? offsetof(struct rte_tcp_hdr, cksum) : offsetof(struct rte_udp_hdr, dgram_cksum);
    if (!offload_segmented(packet))
        return;
    header->hdr_len = (uint16_t)(l4 + packet->l4_len);
    header->gso_size = packet->tso_segsz;
    if (!tcp) {
        header->gso_type = VIRTIO_NET_HDR_GSO_UDP_L4;
        return;
    }
    header->gso_type = packet->ol_flags & RTE_MBUF_F_TX_IPV4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6;
    if (*at(packet, l4 + offsetof(struct rte_tcp_hdr, tcp_flags)) & TCP_CWR)
        header->gso_type |= VIRTIO_NET_HDR_GSO_ECN;
}
