#include "pmd/select_hash.h"

#include <netinet/in.h>
#include <rte_common.h>
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

/* Gives the same for (a, b) and (b, a), so that both directions of a flow hash alike. */
static uint64_t either(uint32_t a, uint32_t b)
{
    return (uint64_t)RTE_MIN(a, b) << 32 | RTE_MAX(a, b);
}

/* Are tp_src and tp_dst ports that all packets of the flow have? Of the fragments only the first has them; a request
 * and its reply differ in their ICMP type. */
static bool has_ports(const struct flow_key *key)
{
    return !(key->ip_frag & IP_FRAG_ANY) && key->ip_proto != IPPROTO_ICMP && key->ip_proto != IPPROTO_ICMPV6;
}

static uint32_t hash_ipv4(const struct flow_key *key)
{
    const bool ports = has_ports(key);
    const uint64_t src = (uint64_t)key->ipv4_src << 16 | (ports ? key->tp_src : 0);
    const uint64_t dst = (uint64_t)key->ipv4_dst << 16 | (ports ? key->tp_dst : 0);

    return rte_hash_crc_8byte(either(rte_hash_crc_8byte(src, 0), rte_hash_crc_8byte(dst, 0)), key->ip_proto);
}

static uint32_t hash_ipv6_end(const uint8_t address[16], uint16_t port)
{
    uint64_t words[2];

    memcpy(words, address, sizeof words);
    return rte_hash_crc_8byte(words[1], rte_hash_crc_8byte(words[0], port));
}

static uint32_t hash_ipv6(const struct flow_key *key)
{
    const bool ports = has_ports(key);
    const uint32_t src = hash_ipv6_end(key->ipv6_src, ports ? key->tp_src : 0);
    const uint32_t dst = hash_ipv6_end(key->ipv6_dst, ports ? key->tp_dst : 0);

    /* Later fragments do not tell their protocol. */
    const uint8_t proto = key->ip_frag & IP_FRAG_ANY ? IPPROTO_FRAGMENT : key->ip_proto;

    return rte_hash_crc_8byte(either(src, dst), proto);
}

static uint32_t hash_eth(const struct flow_key *key)
{
    const uint32_t vlans = (uint32_t)(key->vlan_tci[0] & VLAN_ID) << 16 | (key->vlan_tci[1] & VLAN_ID);
    uint64_t dst = 0, src = 0;
    uint32_t hash;

    memcpy(&dst, &key->eth_dst, sizeof key->eth_dst);
    memcpy(&src, &key->eth_src, sizeof key->eth_src);
    dst = rte_hash_crc_8byte(dst, key->eth_type);
    src = rte_hash_crc_8byte(src, key->eth_type);
    hash = rte_hash_crc_8byte(either((uint32_t)src, (uint32_t)dst), vlans);
    if (TYPE_IS(key, RTE_ETHER_TYPE_MPLS) || TYPE_IS(key, RTE_ETHER_TYPE_MPLSM)) {
        /* All of them: an entropy label (RFC 6790) is further down. */
        for (unsigned i = 0; i < 3; i++)
            hash = rte_hash_crc_4byte(key->mpls_lse[i] & MPLS_LABEL, hash);
    } else if (TYPE_IS(key, ETH_TYPE_PBB)) {
        hash = rte_hash_crc_4byte(key->pbb_isid, hash);
    } else if (TYPE_IS(key, RTE_ETHER_TYPE_ARP)) {
        hash = rte_hash_crc_8byte(either(key->ipv4_src, key->ipv4_dst), hash);
    }
    return hash;
}

uint32_t select_hash(const struct flow_key *key, uint32_t basis)
{
    if (TYPE_IS(key, RTE_ETHER_TYPE_IPV4))
        return finish(hash_ipv4(key), basis);
    if (TYPE_IS(key, RTE_ETHER_TYPE_IPV6))
        return finish(hash_ipv6(key), basis);
    return finish(hash_eth(key), basis);
}

uint32_t select_hash_packet(const struct rte_mbuf *m, uint32_t basis)
{
    struct flow_key key;

    return flow_key_parse(m, 0, &key) == 0 ? 0 : select_hash(&key, basis);
}
