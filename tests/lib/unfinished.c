#include "tests/lib/unfinished.h"

#include <rte_debug.h>
#include <rte_ip.h>
#include <rte_udp.h>
#include <string.h>

#include "pmd/key.h"
#include "pmd/metadata.h"
#include "pmd/offload.h"
#include "tests/lib/packets.h"

uint8_t unfinished_byte(uint32_t i)
{
    return (uint8_t)(i * 7 + i / 251);
}

struct rte_mbuf *unfinished_packet(struct rte_mempool *pool, const char *hex, uint32_t payload, uint16_t gso_size,
                                   struct virtio_net_hdr *header)
{
    static uint8_t data[66000];
    uint32_t headers = (uint32_t)packet_from_hex(hex, data), len = headers + payload;
    struct rte_mbuf probe = {.buf_addr = data, .data_len = (uint16_t)RTE_MIN(len, 2000u), .pkt_len = len, .nb_segs = 1};
    struct packet_layers layers;
    struct rte_mbuf *m;
    uint32_t at = 0, sum;

    for (uint32_t i = 0; i < payload; i++)
        data[headers + i] = unfinished_byte(i);
    for (int pass = 0; pass < 2; pass++) { /* the parser finds L4 once lengths are right */
        uint32_t l3 = 12;
        while (data[l3] == 0x81 || data[l3] == 0x88)
            l3 += 4;
        l3 += 2;
        if (data[l3] >> 4 == 4) {
            struct rte_ipv4_hdr *ip = (void *)(data + l3);
            ip->total_length = rte_cpu_to_be_16((uint16_t)(len - l3));
            ip->hdr_checksum = 0;
            ip->hdr_checksum = rte_ipv4_cksum(ip);
        } else {
            ((struct rte_ipv6_hdr *)(void *)(data + l3))->payload_len = rte_cpu_to_be_16((uint16_t)(len - l3 - 40));
        }
        packet_layers_find(&probe, &layers);
    }
    RTE_VERIFY(layers.l4 > 0);
    if (layers.ip_proto == IPPROTO_UDP)
        ((struct rte_udp_hdr *)(void *)(data + layers.l4))->dgram_len = rte_cpu_to_be_16((uint16_t)(len - layers.l4));
    const bool v6 = layers.eth_type == RTE_ETHER_TYPE_IPV6;
    sum = packet_sum(layers.ip_proto + (len - layers.l4), data + layers.l3 + (v6 ? 8 : 12), v6 ? 32 : 8);
    const uint32_t field = layers.l4 + (layers.ip_proto == IPPROTO_TCP ? 16 : 6);
    data[field] = sum >> 8;
    data[field + 1] = (uint8_t)sum;

    m = packet_alloc(pool, len, 64);
    RTE_VERIFY(m);
    for (struct rte_mbuf *part = m; part; part = part->next) {
        memcpy(rte_pktmbuf_mtod(part, void *), data + at, part->data_len);
        at += part->data_len;
    }
    memset(packet_meta(m), 0, sizeof *packet_meta(m));
    *header = (struct virtio_net_hdr){
        .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
        .csum_start = layers.l4,
        .csum_offset = (uint16_t)(field - layers.l4),
        .gso_size = gso_size,
        .hdr_len = (uint16_t)headers,
    };
    if (gso_size)
        header->gso_type = layers.ip_proto == IPPROTO_UDP ? 5
                           : v6                           ? VIRTIO_NET_HDR_GSO_TCPV6
                                                          : VIRTIO_NET_HDR_GSO_TCPV4;
    return m;
}
