/* Cuts packets of tests/lib/ct_bed.h into fragments. */
#ifndef TESTS_LIB_CT_FRAGMENTS_H
#define TESTS_LIB_CT_FRAGMENTS_H

#include "pmd/metadata.h"
#include "tests/lib/ct_bed.h"

/* Octets behind the IP header. */
struct part {
    uint32_t start, len;
};

static inline uint32_t header_len(bool ipv6)
{
    return 14 + (ipv6 ? 40 : 20);
}

/* A part of the packet as a fragment. */
static inline struct rte_mbuf *cut(struct rte_mempool *pool, const struct rte_mbuf *whole, bool ipv6, struct part part,
                                   uint32_t id, bool more)
{
    const uint32_t header = header_len(ipv6), extra = ipv6 ? 8 : 0;
    struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
    static const struct metadata md;
    uint8_t *data;

    assert_non_null(m);
    data = (uint8_t *)rte_pktmbuf_append(m, (uint16_t)(header + extra + part.len));
    memcpy(data, rte_pktmbuf_mtod(whole, uint8_t *), header);
    memcpy(data + header + extra, rte_pktmbuf_mtod_offset(whole, uint8_t *, header + part.start), part.len);
    if (ipv6) {
        put16(data + 18, (uint16_t)(8 + part.len));
        data[54] = data[20];
        data[55] = 0;
        data[20] = IPPROTO_FRAGMENT;
        put16(data + 56, (uint16_t)(part.start | more));
        put32(data + 58, id);
    } else {
        struct rte_ipv4_hdr *ip = (void *)(data + 14);

        put16(data + 16, (uint16_t)(20 + part.len));
        put16(data + 18, (uint16_t)id);
        put16(data + 20, (uint16_t)(part.start / 8 | (more ? 0x2000 : 0)));
        ip->hdr_checksum = 0;
        ip->hdr_checksum = rte_ipv4_cksum(ip);
    }
    packet_meta(m)->md = md;
    return m;
}

#endif
