#include "pmd/select_hash.h"

#include <rte_hash_crc.h>
#include <string.h>

#define TYPE_IS(key, type) ((key)->eth_type == RTE_BE16(type))
#define VLAN_ID RTE_BE16(VLAN_TCI_PRESENT | 0x0fff)
#define MPLS_LABEL RTE_BE32(0xfffff000)

/* CRCs of different start values differ by a constant: this makes them independent. */
static uint32_t finish(uint32_t hash, uint32_t basis)
{
    hash ^= basis * UINT32_C(0x9e3779b1);
    hash = (hash ^ hash >> 16) * UINT32_C(0x85ebca6b);
    hash = (hash ^ hash >> 13) * UINT32_C(0xc2b2ae35);
    return hash ^ hash >> 16;
}

uint32_t select_hash(const struct flow_key *key, uint32_t basis)
{
    uint64_t words[4] = {0};
    uint32_t hash = 0;

    memcpy(words, (const uint8_t *)key + offsetof(struct flow_key, eth_dst),
           2 * RTE_ETHER_ADDR_LEN + sizeof key->eth_type);
    hash = rte_hash_crc_8byte(words[0], hash);
    hash = rte_hash_crc_8byte(words[1], hash);
    hash = rte_hash_crc_4byte((uint32_t)(key->vlan_tci[0] & VLAN_ID) << 16 | (key->vlan_tci[1] & VLAN_ID), hash);
    hash = rte_hash_crc_8byte((uint64_t)key->ipv4_src << 32 | key->ipv4_dst, hash);
    hash = rte_hash_crc_4byte(key->ip_proto, hash);
    /* Only the first fragment has ports. */
    if (!(key->ip_frag & IP_FRAG_ANY))
        hash = rte_hash_crc_4byte((uint32_t)key->tp_src << 16 | key->tp_dst, hash);
    if (TYPE_IS(key, RTE_ETHER_TYPE_IPV6)) {
        memcpy(words, (const uint8_t *)key + offsetof(struct flow_key, ipv6_src), sizeof words);
        for (unsigned i = 0; i < 4; i++)
            hash = rte_hash_crc_8byte(words[i], hash);
        hash = rte_hash_crc_4byte(key->ipv6_label, hash); /* RFC 6437: one for all of a flow */
    } else if (TYPE_IS(key, RTE_ETHER_TYPE_MPLS) || TYPE_IS(key, RTE_ETHER_TYPE_MPLSM)) {
        /* All of them: an entropy label (RFC 6790) is further down. */
        for (unsigned i = 0; i < 3; i++)
            hash = rte_hash_crc_4byte(key->mpls_lse[i] & MPLS_LABEL, hash);
    } else if (TYPE_IS(key, ETH_TYPE_PBB)) {
        hash = rte_hash_crc_4byte(key->pbb_isid, hash);
    }
    return finish(hash, basis);
}

uint32_t select_hash_packet(const struct rte_mbuf *m, uint32_t basis)
{
    struct flow_key key;

    return flow_key_parse(m, 0, &key) == 0 ? 0 : select_hash(&key, basis);
}
