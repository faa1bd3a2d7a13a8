/* The match of OpenFlow 1.0: a struct of fixed fields with a bit map of wildcards. Control thread. */
#include <netinet/in.h>

#include "src/match/of_error.h"
#include "src/openflow/wire/oxm.h"

/* ofp_flow_wildcards (OpenFlow 1.0.2, 5.2.3). */
#define FW_IN_PORT (1u << 0)
#define FW_DL_VLAN (1u << 1)
#define FW_DL_SRC (1u << 2)
#define FW_DL_DST (1u << 3)
#define FW_DL_TYPE (1u << 4)
#define FW_NW_PROTO (1u << 5)
#define FW_TP_SRC (1u << 6)
#define FW_TP_DST (1u << 7)
#define FW_NW_SRC_SHIFT 8
#define FW_NW_DST_SHIFT 14
#define FW_DL_VLAN_PCP (1u << 20)
#define FW_NW_TOS (1u << 21)
#define FW_ALL 0x3fffffu

#define VLAN_NONE 0xffff

struct ofp10_match {
    uint32_t wildcards;
    uint16_t in_port;
    uint8_t dl_src[6], dl_dst[6];
    uint16_t dl_vlan;
    uint8_t dl_vlan_pcp;
    uint16_t dl_type;
    uint8_t nw_tos, nw_proto;
    uint32_t nw_src, nw_dst;
    uint16_t tp_src, tp_dst;
};

static void set(struct match *m, enum field_id id, uint32_t number, uint32_t mask)
{
    const struct field *f = field_by_id(id);
    union field_value v, k;

    for (unsigned i = f->n_bytes; i-- > 0; number >>= 8, mask >>= 8) {
        v.b[i] = (uint8_t)number;
        k.b[i] = (uint8_t)mask;
    }
    match_set_masked(m, f, &v, &k);
}

static void set_ether(struct match *m, enum field_id id, const uint8_t *addr)
{
    union field_value v;

    memcpy(v.b, addr, 6);
    match_set_exact(m, field_by_id(id), &v);
}

/* The number of wildcarded low bits is the low five bits; 32 and more: all. */
static uint32_t nw_mask(uint32_t wildcards, unsigned shift)
{
    uint32_t n = wildcards >> shift & 63;

    return n >= 32 ? 0 : ~UINT32_C(0) << n;
}

static void decode_vlan(const struct ofp10_match *w, struct match *m)
{
    bool vid = !(w->wildcards & FW_DL_VLAN), pcp = !(w->wildcards & FW_DL_VLAN_PCP);
    uint16_t value = 0, mask = 0;

    if (vid && w->dl_vlan == VLAN_NONE) { /* packets without a tag; a PCP means nothing then */
        m->mask.pkt.vlan_tci[0] = 0xffff;
        return;
    }
    if (vid) {
        value |= w->dl_vlan & 0xfff;
        mask |= 0xfff;
    }
    if (pcp) {
        value |= (uint16_t)((w->dl_vlan_pcp & 7) << 13);
        mask |= 0xe000;
    }
    if (vid || pcp) {
        m->value.pkt.vlan_tci[0] = rte_cpu_to_be_16(value | VLAN_TCI_PRESENT);
        m->mask.pkt.vlan_tci[0] = rte_cpu_to_be_16(mask | VLAN_TCI_PRESENT);
    }
}

static void decode_l4(const struct ofp10_match *w, struct match *m)
{
    bool src = !(w->wildcards & FW_TP_SRC), dst = !(w->wildcards & FW_TP_DST);
    enum field_id src_id, dst_id;

    switch (w->nw_proto) {
    case IPPROTO_TCP:
    case IPPROTO_UDP:
    case IPPROTO_SCTP:
        src_id = FIELD_TCP_SRC; /* all three keep their ports in one place */
        dst_id = FIELD_TCP_DST;
        break;
    case IPPROTO_ICMP:
    case IPPROTO_ICMPV6:
        if ((w->nw_proto == IPPROTO_ICMPV6) != (w->dl_type == 0x86dd))
            return;
        src_id = w->dl_type == 0x86dd ? FIELD_ICMPV6_TYPE : FIELD_ICMPV4_TYPE;
        dst_id = w->dl_type == 0x86dd ? FIELD_ICMPV6_CODE : FIELD_ICMPV4_CODE;
        break;
    default:
        return;
    }
    if (src)
        set(m, src_id, w->tp_src, 0xffff);
    if (dst)
        set(m, dst_id, w->tp_dst, 0xffff);
}

/* Fields without their prerequisites are ignored, not refused (OpenFlow 1.0.2, 3.4). That says nothing of IPv6, which
 * has all of IPv4's but the addresses: those fields count, as in Open vSwitch. */
static void decode_network(const struct ofp10_match *w, struct match *m)
{
    bool arp = w->dl_type == 0x0806 || w->dl_type == 0x8035, proto = !(w->wildcards & FW_NW_PROTO);
    bool ipv6 = w->dl_type == 0x86dd;

    if (w->dl_type != 0x0800 && !arp && !ipv6)
        return;
    if (!ipv6) {
        set(m, arp ? FIELD_ARP_SPA : FIELD_IPV4_SRC, w->nw_src, nw_mask(w->wildcards, FW_NW_SRC_SHIFT));
        set(m, arp ? FIELD_ARP_TPA : FIELD_IPV4_DST, w->nw_dst, nw_mask(w->wildcards, FW_NW_DST_SHIFT));
    }
    if (proto)
        set(m, FIELD_IP_PROTO, w->nw_proto, 0xff); /* also the ARP opcode */
    if (arp)
        return;
    if (!(w->wildcards & FW_NW_TOS))
        set(m, FIELD_IP_TOS, w->nw_tos & 0xfc, 0xff);
    if (proto)
        decode_l4(w, m);
}

int match10_decode(struct reader *r, struct match *m, bool *exact)
{
    struct ofp10_match w;

    match_init_all(m);
    w.wildcards = read_u32(r);
    w.in_port = read_u16(r);
    read_copy(r, w.dl_src, 6);
    read_copy(r, w.dl_dst, 6);
    w.dl_vlan = read_u16(r);
    w.dl_vlan_pcp = read_u8(r);
    read_skip(r, 1);
    w.dl_type = read_u16(r);
    w.nw_tos = read_u8(r);
    w.nw_proto = read_u8(r);
    read_skip(r, 2);
    w.nw_src = read_u32(r);
    w.nw_dst = read_u32(r);
    w.tp_src = read_u16(r);
    w.tp_dst = read_u16(r);
    if (r->bad)
        return OFPERR_BRC_BAD_LEN;

    if (exact)
        *exact = !(w.wildcards & FW_ALL);
    if (!(w.wildcards & FW_IN_PORT))
        set(m, FIELD_IN_PORT, w.in_port, 0xffff);
    if (!(w.wildcards & FW_DL_SRC))
        set_ether(m, FIELD_ETH_SRC, w.dl_src);
    if (!(w.wildcards & FW_DL_DST))
        set_ether(m, FIELD_ETH_DST, w.dl_dst);
    decode_vlan(&w, m);
    if (!(w.wildcards & FW_DL_TYPE)) {
        set(m, FIELD_ETH_TYPE, w.dl_type, 0xffff);
        decode_network(&w, m);
    }
    return 0;
}

static uint32_t nw_wildcards(rte_be32_t mask_be)
{
    uint32_t mask = rte_be_to_cpu_32(mask_be);

    return mask == 0 ? 32 : (uint32_t)__builtin_ctz(mask); /* with holes: more is matched than was meant */
}

static uint32_t get(const struct match *m, enum field_id id, uint32_t *wildcards, uint32_t bit)
{
    const struct field *f = field_by_id(id);
    union field_value v;
    uint32_t n = 0;

    if (!field_is_exact(f, &m->mask) || !field_prereq_implied(f, m))
        return 0;
    *wildcards &= ~bit;
    field_get(f, &m->value, &v);
    for (unsigned i = 0; i < f->n_bytes; i++)
        n = n << 8 | v.b[i];
    return n;
}

static void encode_vlan(const struct match *m, struct ofp10_match *w)
{
    uint16_t mask = rte_be_to_cpu_16(m->mask.pkt.vlan_tci[0]), value = rte_be_to_cpu_16(m->value.pkt.vlan_tci[0]);

    if (!(mask & VLAN_TCI_PRESENT))
        return;
    if (!(value & VLAN_TCI_PRESENT)) {
        w->wildcards &= ~(FW_DL_VLAN | FW_DL_VLAN_PCP);
        w->dl_vlan = VLAN_NONE;
        return;
    }
    if ((mask & 0xfff) == 0xfff) {
        w->wildcards &= ~FW_DL_VLAN;
        w->dl_vlan = value & 0xfff;
    }
    if ((mask & 0xe000) == 0xe000) {
        w->wildcards &= ~FW_DL_VLAN_PCP;
        w->dl_vlan_pcp = value >> 13;
    }
}

void match10_encode(struct of_buf *buf, const struct match *m)
{
    const struct flow_key *key = &m->value.pkt, *mask = &m->mask.pkt;
    struct ofp10_match w = {.wildcards = FW_ALL & ~(63u << FW_NW_SRC_SHIFT) & ~(63u << FW_NW_DST_SHIFT)};
    bool arp = field_prereq_implied(field_by_id(FIELD_ARP_OP), m),
         ipv6 = mask->eth_type == 0xffff && key->eth_type == RTE_BE16(0x86dd),
         ip = mask->eth_type == 0xffff && key->eth_type == RTE_BE16(0x0800);

    w.in_port = (uint16_t)get(m, FIELD_IN_PORT, &w.wildcards, FW_IN_PORT);
    if (field_is_exact(field_by_id(FIELD_ETH_SRC), &m->mask)) {
        w.wildcards &= ~FW_DL_SRC;
        memcpy(w.dl_src, &key->eth_src, 6);
    }
    if (field_is_exact(field_by_id(FIELD_ETH_DST), &m->mask)) {
        w.wildcards &= ~FW_DL_DST;
        memcpy(w.dl_dst, &key->eth_dst, 6);
    }
    encode_vlan(m, &w);
    w.dl_type = (uint16_t)get(m, FIELD_ETH_TYPE, &w.wildcards, FW_DL_TYPE);
    w.wildcards |= (ip || arp ? nw_wildcards(mask->ipv4_src) : 32) << FW_NW_SRC_SHIFT;
    w.wildcards |= (ip || arp ? nw_wildcards(mask->ipv4_dst) : 32) << FW_NW_DST_SHIFT;
    if (ip || arp) {
        w.nw_src = rte_be_to_cpu_32(key->ipv4_src);
        w.nw_dst = rte_be_to_cpu_32(key->ipv4_dst);
    }
    if (ip || ipv6 || arp)
        w.nw_proto = (uint8_t)get(m, arp ? FIELD_ARP_OP : FIELD_IP_PROTO, &w.wildcards, FW_NW_PROTO);
    if (ip || ipv6) {
        w.nw_tos = (uint8_t)get(m, FIELD_IP_TOS, &w.wildcards, FW_NW_TOS);
        for (int l4 = 0; l4 < 5; l4++) { /* at most one has its prerequisite */
            static const enum field_id src[] = {FIELD_TCP_SRC, FIELD_UDP_SRC, FIELD_SCTP_SRC, FIELD_ICMPV4_TYPE,
                                                FIELD_ICMPV6_TYPE};
            static const enum field_id dst[] = {FIELD_TCP_DST, FIELD_UDP_DST, FIELD_SCTP_DST, FIELD_ICMPV4_CODE,
                                                FIELD_ICMPV6_CODE};

            w.tp_src |= (uint16_t)get(m, src[l4], &w.wildcards, FW_TP_SRC);
            w.tp_dst |= (uint16_t)get(m, dst[l4], &w.wildcards, FW_TP_DST);
        }
    }

    of_buf_add_u32(buf, w.wildcards);
    of_buf_add_u16(buf, w.in_port);
    of_buf_add_bytes(buf, w.dl_src, 6);
    of_buf_add_bytes(buf, w.dl_dst, 6);
    of_buf_add_u16(buf, w.dl_vlan);
    of_buf_add_u8(buf, w.dl_vlan_pcp);
    of_buf_add_u8(buf, 0);
    of_buf_add_u16(buf, w.dl_type);
    of_buf_add_u8(buf, w.nw_tos);
    of_buf_add_u8(buf, w.nw_proto);
    of_buf_add_u16(buf, 0);
    of_buf_add_u32(buf, w.nw_src);
    of_buf_add_u32(buf, w.nw_dst);
    of_buf_add_u16(buf, w.tp_src);
    of_buf_add_u16(buf, w.tp_dst);
}
