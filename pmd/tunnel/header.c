/* Outer headers as translation has them written: what is the same for all packets of a megaflow. */
#include <netinet/in.h>
#include <rte_ip.h>
#include <rte_udp.h>
#include <string.h>

#include "pmd/checksum.h"
#include "pmd/tunnel.h"
#include "pmd/tunnel/wire.h"

static void put16(uint8_t *p, uint32_t value)
{
    p[0] = (uint8_t)(value >> 8);
    p[1] = (uint8_t)value;
}

static void put32(uint8_t *p, uint32_t value)
{
    put16(p, value >> 16);
    put16(p + 2, value & 0xffff);
}

static bool mapped(const uint8_t address[16])
{
    static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};

    return memcmp(address, prefix, sizeof prefix) == 0;
}

/* The next protocol of VXLAN-GPE; 0: there is none for it. */
static uint8_t gpe_protocol(uint16_t eth_type)
{
    switch (eth_type) {
    case RTE_ETHER_TYPE_IPV4:
        return GPE_IPV4;
    case RTE_ETHER_TYPE_IPV6:
        return GPE_IPV6;
    case ETH_TYPE_TEB:
        return GPE_ETHERNET;
    case ETH_TYPE_NSH:
        return GPE_NSH;
    case RTE_ETHER_TYPE_MPLS:
        return GPE_MPLS;
    default:
        return 0;
    }
}

/* Each writes its header to zeros and returns its length; 0: not possible. */

static uint32_t write_vxlan(const struct tunnel_out *out, uint16_t eth_type, uint8_t *p)
{
    p[0] = VXLAN_VNI;
    put32(p + 4, (uint32_t)rte_be_to_cpu_64(out->key) << 8);
    if (out->gpe) {
        p[0] |= VXLAN_GPE | (out->oam ? VXLAN_OAM : 0);
        p[3] = gpe_protocol(eth_type);
        return p[3] != 0 ? VXLAN_LEN : 0;
    }
    if (out->gbp) {
        p[0] |= VXLAN_GBP;
        p[1] = out->gbp_flags & VXLAN_GBP_FLAGS;
        put16(p + 2, out->gbp_id);
    }
    return eth_type == ETH_TYPE_TEB ? VXLAN_LEN : 0;
}

/* Options are whole; one of them critical makes the header so. */
static bool has_critical(const uint8_t *options, uint32_t len)
{
    for (uint32_t at = 0; at + GENEVE_OPTION_LEN <= len; at += GENEVE_OPTION_LEN + (options[at + 3] & 0x1f) * 4) {
        if (options[at + 2] & GENEVE_OPTION_CRITICAL)
            return true;
    }
    return false;
}

static uint32_t write_geneve(const struct tunnel_out *out, uint16_t eth_type, uint8_t *p)
{
    if (out->options_len % 4 != 0 || out->options_len / 4 > GENEVE_OPTIONS)
        return 0;
    p[0] = out->options_len / 4;
    p[1] = out->oam ? GENEVE_OAM : 0;
    put16(p + 2, eth_type);
    put32(p + 4, (uint32_t)rte_be_to_cpu_64(out->key) << 8);
    if (out->options_len > 0) {
        memcpy(p + GENEVE_LEN, out->options, out->options_len);
        p[1] |= has_critical(out->options, out->options_len) ? GENEVE_CRITICAL : 0;
    }
    return GENEVE_LEN + out->options_len;
}

static uint32_t write_gre(const struct tunnel_out *out, uint16_t eth_type, uint8_t *p)
{
    uint32_t len = GRE_LEN;
    uint16_t flags = 0;

    if (out->csum) {
        flags |= GRE_CHECKSUM;
        len += 4;
    }
    if (out->has_key) {
        flags |= GRE_KEY;
        put32(p + len, (uint32_t)rte_be_to_cpu_64(out->key));
        len += 4;
    }
    if (out->seq) {
        flags |= GRE_SEQUENCE;
        len += 4;
    }
    put16(p, flags);
    put16(p + 2, eth_type);
    return len;
}

static uint32_t write_erspan(const struct tunnel_out *out, uint16_t eth_type, uint8_t *p)
{
    const uint16_t session = rte_be_to_cpu_64(out->key) & ERSPAN_SESSION;
    uint8_t *erspan = p + GRE_LEN + 4;

    if (eth_type != ETH_TYPE_TEB || out->erspan_ver > 2)
        return 0;
    put16(p, out->erspan_ver == 0 ? 0 : GRE_SEQUENCE);
    put16(p + 2, out->erspan_ver == 2 ? ETH_TYPE_ERSPAN3 : ETH_TYPE_ERSPAN);
    if (out->erspan_ver == 0)
        return GRE_LEN;
    erspan[0] = (uint8_t)(out->erspan_ver << 4);
    put16(erspan + 2, session);
    if (out->erspan_ver == 1) {
        put32(erspan + 4, out->erspan & TUN_ERSPAN_IDX_MASK);
        return GRE_LEN + 4 + ERSPAN2_LEN;
    }
    /* A frame (P, and FT 0), the hardware's id, the direction, and time stamps of 100 us. */
    put16(erspan + 10,
          0x8000 | (out->erspan >> TUN_ERSPAN_HWID_SHIFT & 0x3f) << 4 | (out->erspan >> TUN_ERSPAN_DIR_SHIFT & 1) << 3);
    return GRE_LEN + 4 + ERSPAN3_LEN;
}

static uint32_t write_gtpu(const struct tunnel_out *out, uint16_t eth_type, uint8_t *p)
{
    /* Only the first bits of the payload tell what it is (3GPP TS 29.281, 5.1): they do for IP. */
    if (eth_type != RTE_ETHER_TYPE_IPV4 && eth_type != RTE_ETHER_TYPE_IPV6)
        return 0;
    p[0] = GTPU_VERSION | (out->seq ? GTPU_SEQUENCE : 0);
    p[1] = out->gtpu_msgtype != 0 ? out->gtpu_msgtype : GTPU_TPDU;
    put32(p + 4, (uint32_t)rte_be_to_cpu_64(out->key));
    return GTPU_LEN + (out->seq ? GTPU_MORE_LEN : 0);
}

/* The list is there even if it is of one segment, which RFC 8986, 5.1 would allow to leave out: Open vSwitch takes no
 * packets without one. */
static uint32_t write_srv6(const struct tunnel_out *out, uint16_t eth_type, uint8_t *p)
{
    const uint32_t n = out->n_segments != 0 ? out->n_segments : 1;
    const uint8_t(*segments)[16] = out->n_segments != 0 ? out->segments : &out->dst;

    if (mapped(out->dst) || n > TUNNEL_SEGMENTS_MAX || memcmp(segments[0], out->dst, sizeof out->dst) != 0 ||
        (eth_type != RTE_ETHER_TYPE_IPV4 && eth_type != RTE_ETHER_TYPE_IPV6))
        return 0;
    p[0] = eth_type == RTE_ETHER_TYPE_IPV4 ? IPPROTO_IPIP : IPPROTO_IPV6;
    p[1] = (uint8_t)(n * SRV6_SEGMENT_LEN / 8);
    p[2] = SRV6_ROUTING_TYPE;
    p[3] = p[4] = (uint8_t)(n - 1);
    for (uint32_t i = 0; i < n; i++)
        memcpy(p + SRV6_LEN + (n - 1 - i) * SRV6_SEGMENT_LEN, segments[i], SRV6_SEGMENT_LEN);
    return SRV6_LEN + n * SRV6_SEGMENT_LEN;
}

static uint32_t write_own(const struct tunnel_out *out, uint16_t eth_type, uint8_t *p)
{
    switch (out->type) {
    case TUNNEL_VXLAN:
        return write_vxlan(out, eth_type, p);
    case TUNNEL_GENEVE:
        return write_geneve(out, eth_type, p);
    case TUNNEL_GRE:
        return write_gre(out, eth_type, p);
    case TUNNEL_ERSPAN:
        return write_erspan(out, eth_type, p);
    case TUNNEL_GTPU:
        return write_gtpu(out, eth_type, p);
    case TUNNEL_SRV6:
        return write_srv6(out, eth_type, p);
    case TUNNEL_N_TYPES:
        break;
    }
    return 0;
}

static uint32_t write_ipv4(const struct tunnel_out *out, uint8_t proto, uint8_t *p)
{
    struct rte_ipv4_hdr ip = {.version_ihl = 0x45,
                              .type_of_service = out->tos,
                              .fragment_offset = out->df ? RTE_BE16(0x4000) : 0,
                              .time_to_live = out->ttl,
                              .next_proto_id = proto};

    memcpy(&ip.src_addr, out->src + 12, sizeof ip.src_addr);
    memcpy(&ip.dst_addr, out->dst + 12, sizeof ip.dst_addr);
    ip.hdr_checksum = rte_raw_cksum(&ip, sizeof ip);
    memcpy(p, &ip, sizeof ip);
    return sizeof ip;
}

static uint32_t write_ipv6(const struct tunnel_out *out, uint8_t proto, uint8_t *p)
{
    put32(p, UINT32_C(6) << 28 | (uint32_t)out->tos << 20);
    p[6] = proto;
    p[7] = out->ttl;
    memcpy(p + 8, out->src, sizeof out->src);
    memcpy(p + 24, out->dst, sizeof out->dst);
    return sizeof(struct rte_ipv6_hdr);
}

static uint8_t proto_of(enum tunnel_type type)
{
    if (tunnel_is_udp((uint8_t)type))
        return IPPROTO_UDP;
    return type == TUNNEL_SRV6 ? IPPROTO_ROUTING : IPPROTO_GRE;
}

/* TUNNEL_PUSH_* */
static uint8_t flags_of(const struct tunnel_out *out, bool ipv4)
{
    const bool csum = out->csum && out->type != TUNNEL_ERSPAN && out->type != TUNNEL_SRV6;
    const bool seq = out->type == TUNNEL_ERSPAN ? out->erspan_ver != 0
                                                : out->seq && (out->type == TUNNEL_GRE || out->type == TUNNEL_GTPU);
    uint8_t flags = (csum ? TUNNEL_PUSH_CSUM : 0) | (seq ? TUNNEL_PUSH_SEQ : 0) |
                    (out->eth_type != RTE_BE16(ETH_TYPE_TEB) ? TUNNEL_PUSH_NO_ETH : 0) | (ipv4 ? 0 : TUNNEL_PUSH_IPV6);

    if (out->type == TUNNEL_SRV6 && out->label != TUNNEL_LABEL_ZERO)
        flags |= out->label == TUNNEL_LABEL_COPY ? TUNNEL_PUSH_LABEL_COPY : TUNNEL_PUSH_LABEL_HASH;
    return flags;
}

bool tunnel_header_write(const struct tunnel_out *out, struct op_tunnel_push *push)
{
    const uint16_t eth_type = rte_be_to_cpu_16(out->eth_type);
    const bool ipv4 = mapped(out->dst);
    const uint8_t proto = proto_of(out->type);
    uint8_t *p = push->header;
    uint32_t at;

    memset(push, 0, sizeof *push);
    push->type = (uint8_t)out->type;
    push->flags = flags_of(out, ipv4);
    memcpy(p, &out->eth_dst, 6);
    memcpy(p + 6, &out->eth_src, 6);
    put16(p + 12, ipv4 ? RTE_ETHER_TYPE_IPV4 : RTE_ETHER_TYPE_IPV6);
    push->l3 = RTE_ETHER_HDR_LEN;
    push->l4 = push->l3 + (uint8_t)(ipv4 ? write_ipv4(out, proto, p + push->l3) : write_ipv6(out, proto, p + push->l3));
    at = push->l4;
    if (proto == IPPROTO_UDP) {
        memcpy(p + at + 2, &out->udp_dst, sizeof out->udp_dst);
        at += sizeof(struct rte_udp_hdr);
    }
    const uint32_t own = write_own(out, eth_type, p + at);
    push->own = (uint8_t)(out->type == TUNNEL_ERSPAN ? at + GRE_LEN + 4 : at);
    push->len = (uint16_t)(at + own);
    return own != 0;
}
