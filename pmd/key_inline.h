/* The straight line of flow_key_parse and flow_key_hash, for poll-mode threads to inline: IPv4 with TCP, UDP or GRE,
 * without options or fragments, behind at most one VLAN tag. Everything else goes to flow_key_parse_slow. The two
 * agree: the fast path takes a packet only if it would give the same key.
 */
#ifndef PMD_KEY_INLINE_H
#define PMD_KEY_INLINE_H

#include <netinet/in.h>
#include <rte_branch_prediction.h>
#include <rte_byteorder.h>
#ifdef __SSE4_2__
#include <nmmintrin.h>
#else
#include <rte_hash_crc.h>
#endif
#include <string.h>

#include "pmd/key.h"

/* Bytes from the start of a packet that the parser looks at. */
#define FLOW_KEY_WINDOW 256

/* As flow_key_parse, but lines past the returned number may be left as they were (they count as zero). _slow: IPv6 with
 * TCP or UDP in a straight line too, else _general, which takes every packet. */
unsigned flow_key_parse_general(const struct rte_mbuf *m, uint32_t in_port, struct flow_key *key);
unsigned flow_key_parse_slow(const struct rte_mbuf *m, uint32_t in_port, struct flow_key *key);

/* For flow_key_parse_inline: a packet that is checked, with GRE behind `ip`, of which the key has nothing. `tag_type`:
 * Ethernet type and tag as in the key. */
unsigned flow_key_store_gre(const uint8_t *eth, const uint8_t *ip, uint32_t in_port, uint64_t tag_type,
                            struct flow_key *key);

static inline uint16_t flow_key_load16(const uint8_t *p)
{
    uint16_t v;

    memcpy(&v, p, sizeof v);
    return v;
}

static inline uint32_t flow_key_load32(const uint8_t *p)
{
    uint32_t v;

    memcpy(&v, p, sizeof v);
    return v;
}

static inline uint64_t flow_key_load64(const uint8_t *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof v);
    return v;
}

static inline unsigned flow_key_parse_inline(const struct rte_mbuf *m, uint32_t in_port, struct flow_key *key)
{
#if RTE_BYTE_ORDER == RTE_LITTLE_ENDIAN
    const uint8_t *eth = rte_pktmbuf_mtod(m, const uint8_t *);
    const uint8_t *ip = eth + 14;
    uint32_t l2_len = 14;
    uint16_t tci = 0;

    if (unlikely(m->data_len < 14 + 20 + 8))
        goto slow;
    uint16_t eth_type = flow_key_load16(eth + 12);
    if (unlikely(eth_type == RTE_BE16(RTE_ETHER_TYPE_VLAN) || eth_type == RTE_BE16(RTE_ETHER_TYPE_QINQ))) {
        if (m->data_len < 18 + 20 + 8)
            goto slow;
        tci = flow_key_load16(eth + 14) | RTE_BE16(VLAN_TCI_PRESENT);
        eth_type = flow_key_load16(eth + 16);
        ip = eth + 18;
        l2_len = 18;
    }
    if (unlikely(eth_type != RTE_BE16(RTE_ETHER_TYPE_IPV4) || ip[0] != 0x45 ||
                 (flow_key_load16(ip + 6) & RTE_BE16(0x3fff)) != 0))
        goto slow;

    uint32_t total_len = rte_be_to_cpu_16(flow_key_load16(ip + 2));
    uint32_t l4_len = 8;
    uint64_t tcp_flags = 0;
    uint32_t proto = ip[9];
    if (proto == IPPROTO_TCP) {
        if (unlikely(m->data_len < l2_len + 20 + 20))
            goto slow;
        uint16_t offset_flags = flow_key_load16(ip + 32);
        l4_len = (offset_flags & RTE_BE16(0xf000)) >> 2;
        tcp_flags = offset_flags & RTE_BE16(0x0fff);
        if (unlikely(l4_len < 20))
            goto slow;
    } else if (unlikely(proto != IPPROTO_UDP)) {
        if (proto != IPPROTO_GRE || total_len < 20 || total_len + l2_len > m->pkt_len)
            goto slow;
        return flow_key_store_gre(eth, ip, in_port, (uint64_t)eth_type << 32 | (uint64_t)tci << 48, key);
    }
    if (unlikely(total_len < 20 + l4_len || total_len + l2_len > m->pkt_len))
        goto slow;

    uint64_t *words = (uint64_t *)key;
    words[0] = in_port;
    words[1] = flow_key_load64(eth);
    words[2] = flow_key_load32(eth + 8) | (uint64_t)eth_type << 32 | (uint64_t)tci << 48;
    words[3] = tcp_flags << 16 | (uint64_t)flow_key_load32(ip + 12) << 32;
    words[4] = flow_key_load64(ip + 16);
    words[5] = proto | (uint32_t)ip[1] << 8 | (uint32_t)ip[8] << 16;
    words[6] = 0;
    words[7] = 0;
    return 1;
slow:
#endif
    return flow_key_parse_slow(m, in_port, key);
}

#define FLOW_KEY_HASH_SEED 0x9e3779b9u

static inline uint32_t flow_key_crc(uint32_t crc, uint64_t word)
{
#ifdef __SSE4_2__
    return (uint32_t)_mm_crc32_u64(crc, word);
#else
    return rte_hash_crc_8byte(word, crc);
#endif
}

static inline uint32_t flow_key_hash_inline(const struct flow_key *key, unsigned n_lines)
{
    const uint64_t *words = (const uint64_t *)key;
    uint32_t crc = FLOW_KEY_HASH_SEED;

    for (unsigned i = 0; i < 6; i++)
        crc = flow_key_crc(crc, words[i]);
    /* Conntrack state, marks and dp_hash: zero in packets as they were received. */
    if (unlikely((words[6] | words[7]) != 0)) {
        crc = flow_key_crc(crc, words[6]);
        crc = flow_key_crc(crc, words[7]);
    }
    for (unsigned i = 8; unlikely(i < n_lines * 8); i++)
        crc = flow_key_crc(crc, words[i]);
    return crc;
}

#endif
