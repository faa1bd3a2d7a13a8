/* Matches and flows as text, in the syntax of ovs-fields(7): a table of which field stands where. The inverse of
 * match_parse.c. Control thread. */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/memory.h"
#include "src/match/field_text.h"

struct printer {
    FILE *out;
    const struct match *match;
    port_namer *port_name;
    void *arg;
    bool any; /* something has been written: a comma is due */
};

static void item(struct printer *p, const char *text)
{
    fprintf(p->out, "%s%s", p->any ? "," : "", text);
    p->any = true;
}

static void print_as(struct printer *p, enum field_id id, const char *name)
{
    const struct field *f = field_by_id(id);
    union field_value value, mask;

    if (field_is_wild(f, &p->match->mask))
        return;
    field_get(f, &p->match->value, &value);
    if (field_is_exact(f, &p->match->mask)) /* the mask of a port is no port number */
        memset(mask.b, 0xff, sizeof mask.b);
    else
        field_get(f, &p->match->mask, &mask);
    item(p, name);
    fputc('=', p->out);
    field_value_print(p->out, f, &value, &mask, p->port_name, p->arg);
}

/* The one number that matches show with leading zeroes. */
static void print_label(struct printer *p)
{
    uint32_t value = rte_be_to_cpu_32(p->match->value.pkt.ipv6_label);
    uint32_t mask = rte_be_to_cpu_32(p->match->mask.pkt.ipv6_label);

    if (!mask)
        return;
    item(p, "ipv6_label=");
    fprintf(p->out, "0x%05x", value);
    if (mask != 0xfffff)
        fprintf(p->out, "/0x%05x", mask);
}

static void print_field(struct printer *p, enum field_id id)
{
    print_as(p, id, field_by_id(id)->print_name);
}

/* The type of packet as far as it is matched exactly: what the shorthands stand for. */
struct kind {
    uint16_t eth_type; /* 0 = not matched */
    int ip_proto;      /* -1 = not matched */
};

static const char *shorthand(struct kind *k, bool *proto_done)
{
    bool v6 = k->eth_type == RTE_ETHER_TYPE_IPV6;

    *proto_done = true;
    if (k->eth_type == RTE_ETHER_TYPE_IPV4 || v6) {
        switch (k->ip_proto) {
        case IPPROTO_TCP:
            return v6 ? "tcp6" : "tcp";
        case IPPROTO_UDP:
            return v6 ? "udp6" : "udp";
        case IPPROTO_SCTP:
            return v6 ? "sctp6" : "sctp";
        case IPPROTO_ICMP:
            if (!v6)
                return "icmp";
            break;
        case IPPROTO_ICMPV6:
            if (v6)
                return "icmp6";
            break;
        }
        *proto_done = false;
        return v6 ? "ipv6" : "ip";
    }
    *proto_done = false;
    switch (k->eth_type) {
    case RTE_ETHER_TYPE_ARP:
        return "arp";
    case RTE_ETHER_TYPE_RARP:
        return "rarp";
    case RTE_ETHER_TYPE_MPLS:
        return "mpls";
    case RTE_ETHER_TYPE_MPLSM:
        return "mplsm";
    }
    return NULL;
}

static void print_vlan(struct printer *p, int tag)
{
    uint16_t value = rte_be_to_cpu_16(p->match->value.pkt.vlan_tci[tag]);
    uint16_t mask = rte_be_to_cpu_16(p->match->mask.pkt.vlan_tci[tag]);
    uint16_t vid = mask & 0xfff, pcp = mask & 0xe000;
    const char *n = tag ? "1" : "";

    if (!mask)
        return;
    if (p->any)
        fputc(',', p->out);
    p->any = true;
    if (value & mask & VLAN_TCI_PRESENT && (vid || pcp) && (!vid || vid == 0xfff) && (!pcp || pcp == 0xe000)) {
        if (vid)
            fprintf(p->out, "dl_vlan%s=%u%s", n, value & 0xfff, pcp ? "," : "");
        if (pcp)
            fprintf(p->out, "dl_vlan_pcp%s=%u", n, value >> 13);
    } else if (mask == 0xffff) {
        fprintf(p->out, "vlan_tci%s=0x%04x", n, value);
    } else {
        fprintf(p->out, "vlan_tci%s=0x%04x/0x%04x", n, value, mask);
    }
}

static void print_run(struct printer *p, const enum field_id *ids, size_t n)
{
    for (size_t i = 0; i < n; i++)
        print_field(p, ids[i]);
}
#define PRINT_RUN(p, ...)                                                                                              \
    do {                                                                                                               \
        static const enum field_id ids_[] = {__VA_ARGS__};                                                             \
        print_run(p, ids_, sizeof ids_ / sizeof ids_[0]);                                                              \
    } while (0)

static void print_l4(struct printer *p, const struct kind *k)
{
    const struct match *m = p->match;

    if (k->eth_type == RTE_ETHER_TYPE_IPV4 && k->ip_proto == IPPROTO_ICMP) {
        PRINT_RUN(p, FIELD_ICMPV4_TYPE, FIELD_ICMPV4_CODE);
    } else if (k->eth_type == RTE_ETHER_TYPE_IPV6 && k->ip_proto == IPPROTO_ICMPV6) {
        uint16_t type = m->mask.pkt.tp_src ? rte_be_to_cpu_16(m->value.pkt.tp_src) : 0;

        PRINT_RUN(p, FIELD_ICMPV6_TYPE, FIELD_ICMPV6_CODE, FIELD_ND_TARGET);
        if (type == 135)
            print_field(p, FIELD_ND_SLL);
        if (type == 136)
            print_field(p, FIELD_ND_TLL);
        if (type == 135 || type == 136)
            PRINT_RUN(p, FIELD_ND_RESERVED, FIELD_ND_OPTIONS_TYPE);
    } else {
        PRINT_RUN(p, FIELD_TCP_SRC, FIELD_TCP_DST);
    }
    if (k->ip_proto == IPPROTO_TCP)
        print_field(p, FIELD_TCP_FLAGS);
}

static void print_network(struct printer *p, const struct kind *k, bool proto_done)
{
    if (k->eth_type == RTE_ETHER_TYPE_ARP || k->eth_type == RTE_ETHER_TYPE_RARP) {
        PRINT_RUN(p, FIELD_ARP_SPA, FIELD_ARP_TPA, FIELD_ARP_OP, FIELD_ARP_SHA, FIELD_ARP_THA);
        return;
    }
    if (k->eth_type == ETH_TYPE_NSH) {
        PRINT_RUN(p, FIELD_NSH_FLAGS, FIELD_NSH_TTL, FIELD_NSH_MDTYPE, FIELD_NSH_NP, FIELD_NSH_SPI, FIELD_NSH_SI,
                  FIELD_NSH_C1, FIELD_NSH_C2, FIELD_NSH_C3, FIELD_NSH_C4);
        return;
    }
    if (k->eth_type == ETH_TYPE_PBB) {
        PRINT_RUN(p, FIELD_PBB_ISID, FIELD_PBB_UCA);
        return;
    }
    if (k->eth_type == RTE_ETHER_TYPE_MPLS || k->eth_type == RTE_ETHER_TYPE_MPLSM) {
        PRINT_RUN(p, FIELD_MPLS_LABEL, FIELD_MPLS_TC, FIELD_MPLS_TTL, FIELD_MPLS_BOS);
        return;
    }
    if (k->eth_type == RTE_ETHER_TYPE_IPV6) {
        PRINT_RUN(p, FIELD_IPV6_SRC, FIELD_IPV6_DST);
        print_label(p);
        print_field(p, FIELD_IPV6_EXTHDR);
    } else {
        PRINT_RUN(p, FIELD_IPV4_SRC, FIELD_IPV4_DST);
    }
    if (!proto_done)
        print_field(p, FIELD_IP_PROTO);
    PRINT_RUN(p, FIELD_IP_TOS, FIELD_IP_ECN, FIELD_IP_TTL, FIELD_IP_FRAG);
    print_l4(p, k);
}

/* The order of ovs-ofctl's dumps. `eth`: "eth" stands in front, as in the megaflow of ofproto/trace. */
static void print_match(struct printer *p, bool eth)
{
    const struct match *m = p->match;
    struct kind k = {m->mask.pkt.eth_type == 0xffff ? rte_be_to_cpu_16(m->value.pkt.eth_type) : 0,
                     m->mask.pkt.ip_proto == 0xff ? m->value.pkt.ip_proto : -1};
    bool proto_done;
    const char *kind = shorthand(&k, &proto_done);

    PRINT_RUN(p, FIELD_PKT_MARK, FIELD_RECIRC_ID, FIELD_DP_HASH, FIELD_CONJ_ID, FIELD_ACTSET_OUTPUT, FIELD_CT_STATE,
              FIELD_CT_ZONE, FIELD_CT_MARK, FIELD_CT_LABEL);
    if (k.eth_type == RTE_ETHER_TYPE_IPV6)
        PRINT_RUN(p, FIELD_CT_IPV6_SRC, FIELD_CT_IPV6_DST);
    else if (k.eth_type == RTE_ETHER_TYPE_IPV4)
        PRINT_RUN(p, FIELD_CT_NW_SRC, FIELD_CT_NW_DST);
    PRINT_RUN(p, FIELD_CT_NW_PROTO, FIELD_CT_TP_SRC, FIELD_CT_TP_DST, FIELD_PACKET_TYPE);
    if (eth)
        item(p, "eth");
    if (kind && !m->value.packet_type)
        item(p, kind);
    for (int i = 0; i < FLOW_N_REGS; i++)
        print_field(p, FIELD_REG0 + i);
    PRINT_RUN(p, FIELD_TUN_ID, FIELD_TUN_SRC, FIELD_TUN_DST, FIELD_TUN_IPV6_SRC, FIELD_TUN_IPV6_DST, FIELD_TUN_GBP_ID,
              FIELD_TUN_GBP_FLAGS, FIELD_TUN_TOS, FIELD_TUN_TTL, FIELD_TUN_ERSPAN_VER, FIELD_TUN_ERSPAN_IDX,
              FIELD_TUN_ERSPAN_DIR, FIELD_TUN_ERSPAN_HWID, FIELD_TUN_GTPU_FLAGS, FIELD_TUN_GTPU_MSGTYPE,
              FIELD_TUN_FLAGS);
    for (int i = 0; i < FIELD_N_TUN_METADATA; i++)
        print_field(p, FIELD_TUN_METADATA0 + i);
    PRINT_RUN(p, FIELD_METADATA, FIELD_IN_PORT_OXM, FIELD_IN_PHY_PORT);
    print_vlan(p, 0);
    print_vlan(p, 1);
    PRINT_RUN(p, FIELD_ETH_SRC, FIELD_ETH_DST);
    if (!kind && !m->value.packet_type)
        print_field(p, FIELD_ETH_TYPE);
    print_network(p, &k, proto_done);
}

static char *format(const struct match *match, bool eth, port_namer *port_name, void *arg)
{
    char *text = NULL;
    size_t len;
    struct printer p = {.out = open_memstream(&text, &len), .match = match, .port_name = port_name, .arg = arg};

    if (!p.out)
        out_of_memory("rules, groups and meters", 0);
    print_match(&p, eth);
    if (fclose(p.out))
        out_of_memory("rules, groups and meters", 0);
    return text;
}

char *match_format(const struct match *match, port_namer *port_name, void *arg)
{
    return format(match, false, port_name, arg);
}

char *match_format_megaflow(const struct match *match, port_namer *port_name, void *arg)
{
    return format(match, true, port_name, arg);
}

static void mask_fields(struct match *m, const enum field_id *ids, size_t n)
{
    for (size_t i = 0; i < n; i++)
        field_mask_all(field_by_id(ids[i]), &m->mask);
}
#define MASK_FIELDS(m, ...)                                                                                            \
    do {                                                                                                               \
        static const enum field_id ids_[] = {__VA_ARGS__};                                                             \
        mask_fields(m, ids_, sizeof ids_ / sizeof ids_[0]);                                                            \
    } while (0)

/* Shows metadata only where it is not 0. */
static void mask_metadata(struct match *m)
{
    for (int i = 0; i < FIELD_N; i++) {
        const struct field *f = field_by_id(i);
        bool of_packet = i >= FIELD_ETH_DST && i <= FIELD_ND_OPTIONS_TYPE;

        if (!of_packet && !field_is_wild(f, &m->value))
            field_mask_all(f, &m->mask);
    }
}

static void mask_packet(struct match *m)
{
    const struct flow_key *key = &m->value.pkt;
    uint16_t type = rte_be_to_cpu_16(key->eth_type);

    MASK_FIELDS(m, FIELD_ETH_SRC, FIELD_ETH_DST, FIELD_ETH_TYPE, FIELD_VLAN_TCI);
    if (key->vlan_tci[0])
        m->mask.pkt.vlan_tci[1] = 0xffff;
    switch (type) {
    case RTE_ETHER_TYPE_ARP:
    case RTE_ETHER_TYPE_RARP:
        MASK_FIELDS(m, FIELD_ARP_OP, FIELD_ARP_SPA, FIELD_ARP_TPA, FIELD_ARP_SHA, FIELD_ARP_THA);
        return;
    case RTE_ETHER_TYPE_MPLS:
    case RTE_ETHER_TYPE_MPLSM:
        MASK_FIELDS(m, FIELD_MPLS_LABEL, FIELD_MPLS_TC, FIELD_MPLS_BOS, FIELD_MPLS_TTL);
        return;
    case ETH_TYPE_PBB:
        MASK_FIELDS(m, FIELD_PBB_ISID, FIELD_PBB_UCA);
        return;
    case ETH_TYPE_NSH:
        MASK_FIELDS(m, FIELD_NSH_FLAGS, FIELD_NSH_TTL, FIELD_NSH_MDTYPE, FIELD_NSH_NP, FIELD_NSH_SPI, FIELD_NSH_SI);
        if (key->nsh.mdtype == 1)
            MASK_FIELDS(m, FIELD_NSH_C1, FIELD_NSH_C2, FIELD_NSH_C3, FIELD_NSH_C4);
        return;
    case RTE_ETHER_TYPE_IPV4:
        MASK_FIELDS(m, FIELD_IPV4_SRC, FIELD_IPV4_DST);
        break;
    case RTE_ETHER_TYPE_IPV6:
        MASK_FIELDS(m, FIELD_IPV6_SRC, FIELD_IPV6_DST, FIELD_IPV6_LABEL);
        break;
    default:
        return;
    }
    MASK_FIELDS(m, FIELD_IP_PROTO, FIELD_IP_TOS, FIELD_IP_ECN, FIELD_IP_TTL, FIELD_IP_FRAG);
    if (key->ip_frag & IP_FRAG_LATER)
        return;
    switch (key->ip_proto) {
    case IPPROTO_TCP:
        MASK_FIELDS(m, FIELD_TCP_SRC, FIELD_TCP_DST, FIELD_TCP_FLAGS);
        break;
    case IPPROTO_UDP:
    case IPPROTO_SCTP:
        MASK_FIELDS(m, FIELD_UDP_SRC, FIELD_UDP_DST);
        break;
    case IPPROTO_ICMP:
        if (type == RTE_ETHER_TYPE_IPV4)
            MASK_FIELDS(m, FIELD_ICMPV4_TYPE, FIELD_ICMPV4_CODE);
        break;
    case IPPROTO_ICMPV6:
        if (type != RTE_ETHER_TYPE_IPV6)
            break;
        MASK_FIELDS(m, FIELD_ICMPV6_TYPE, FIELD_ICMPV6_CODE);
        if (field_prereq_holds(field_by_id(FIELD_ND_TARGET), &m->value, NULL))
            MASK_FIELDS(m, FIELD_ND_TARGET);
        if (field_prereq_holds(field_by_id(FIELD_ND_SLL), &m->value, NULL))
            MASK_FIELDS(m, FIELD_ND_SLL);
        if (field_prereq_holds(field_by_id(FIELD_ND_TLL), &m->value, NULL))
            MASK_FIELDS(m, FIELD_ND_TLL);
        break;
    }
}

char *flow_format(const struct flow *flow, port_namer *port_name, void *arg)
{
    struct match m;

    match_init_all(&m);
    m.value = *flow;
    mask_metadata(&m);
    mask_packet(&m);
    return match_format(&m, port_name, arg);
}
