/* Megaflows as text in the datapath's syntax, "recirc_id(0),in_port(1),eth(...)", as Open vSwitch's dpctl/dump-flows
 * prints them. Control thread. */
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/memory.h"
#include "src/match/field_text.h"

/* Items are "name(part=value,part=value)"; an item without a part is not written at all. */
struct printer {
    FILE *out;
    struct match match;
    bool any, open, any_part;
    const char *name;
};

static void item_begin(struct printer *p, const char *name)
{
    p->name = name;
    p->open = false;
    p->any_part = false;
}

static void item_open(struct printer *p)
{
    if (!p->open)
        fprintf(p->out, "%s%s(", p->any ? "," : "", p->name);
    p->open = p->any = true;
}

static void item_end(struct printer *p)
{
    if (p->open)
        fputc(')', p->out);
    p->open = false;
}

/* `part` NULL: the value alone. */
static void part(struct printer *p, const char *name, enum field_id id)
{
    const struct field *f = field_by_id(id);
    union field_value value, mask;

    if (field_is_wild(f, &p->match.mask))
        return;
    item_open(p);
    field_get(f, &p->match.value, &value);
    if (field_is_exact(f, &p->match.mask))
        memset(mask.b, 0xff, sizeof mask.b);
    else
        field_get(f, &p->match.mask, &mask);
    if (name)
        fprintf(p->out, "%s%s=", p->any_part ? "," : "", name);
    p->any_part = true;
    field_value_print(p->out, f, &value, &mask, NULL, NULL);
}

static void single(struct printer *p, const char *name, enum field_id id)
{
    item_begin(p, name);
    part(p, NULL, id);
    item_end(p);
}

/* Zones are hexadecimal here, and decimal in rules. */
static void print_ct_zone(struct printer *p)
{
    uint16_t mask = p->match.mask.pkt.ct_zone;

    if (!mask)
        return;
    item_begin(p, "ct_zone");
    item_open(p);
    fprintf(p->out, "%#x", p->match.value.pkt.ct_zone & mask);
    if (mask != 0xffff)
        fprintf(p->out, "/%#x", mask);
    item_end(p);
}

static void print_tunnel(struct printer *p)
{
    item_begin(p, "tunnel");
    part(p, "tun_id", FIELD_TUN_ID);
    part(p, "src", FIELD_TUN_SRC);
    part(p, "dst", FIELD_TUN_DST);
    part(p, "ipv6_src", FIELD_TUN_IPV6_SRC);
    part(p, "ipv6_dst", FIELD_TUN_IPV6_DST);
    part(p, "tos", FIELD_TUN_TOS);
    part(p, "ttl", FIELD_TUN_TTL);
    part(p, "gbp_id", FIELD_TUN_GBP_ID);
    part(p, "gbp_flags", FIELD_TUN_GBP_FLAGS);
    part(p, "flags", FIELD_TUN_FLAGS);
    item_end(p);
}

static void print_tos(struct printer *p, const char *name)
{
    uint8_t mask = p->match.mask.pkt.ip_tos, value = p->match.value.pkt.ip_tos & mask;

    if (!mask)
        return;
    item_open(p);
    fprintf(p->out, "%s%s=%#x", p->any_part ? "," : "", name, value);
    p->any_part = true;
    if (mask != 0xff)
        fprintf(p->out, "/%#x", mask);
}

static void print_ip_tail(struct printer *p, bool v6)
{
    part(p, "proto", FIELD_IP_PROTO);
    print_tos(p, v6 ? "tclass" : "tos");
    part(p, v6 ? "hlimit" : "ttl", FIELD_IP_TTL);
    part(p, "frag", FIELD_IP_FRAG);
    item_end(p);
}

static void print_l4(struct printer *p, bool v6, uint8_t proto)
{
    const char *name = proto == IPPROTO_TCP    ? "tcp"
                       : proto == IPPROTO_UDP  ? "udp"
                       : proto == IPPROTO_SCTP ? "sctp"
                                               : NULL;
    bool icmp = proto == (v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);

    if (name || icmp) {
        item_begin(p, name ? name : v6 ? "icmpv6" : "icmp");
        part(p, name ? "src" : "type", name ? FIELD_UDP_SRC : FIELD_ICMPV4_TYPE);
        part(p, name ? "dst" : "code", name ? FIELD_UDP_DST : FIELD_ICMPV4_CODE);
        item_end(p);
    }
    if (proto == IPPROTO_TCP)
        single(p, "tcp_flags", FIELD_TCP_FLAGS);
    if (v6 && icmp) {
        item_begin(p, "nd");
        part(p, "target", FIELD_ND_TARGET);
        part(p, "sll", FIELD_ND_SLL);
        part(p, "tll", FIELD_ND_TLL);
        item_end(p);
    }
}

static void print_ip(struct printer *p, bool v6)
{
    bool proto = p->match.mask.pkt.ip_proto == 0xff;

    item_begin(p, v6 ? "ipv6" : "ipv4");
    part(p, "src", v6 ? FIELD_IPV6_SRC : FIELD_IPV4_SRC);
    part(p, "dst", v6 ? FIELD_IPV6_DST : FIELD_IPV4_DST);
    if (v6) {
        part(p, "label", FIELD_IPV6_LABEL);
        part(p, "exthdr", FIELD_IPV6_EXTHDR);
    }
    print_ip_tail(p, v6);
    if (proto)
        print_l4(p, v6, p->match.value.pkt.ip_proto);
}

static void print_payload(struct printer *p)
{
    uint16_t type = p->match.mask.pkt.eth_type == 0xffff ? rte_be_to_cpu_16(p->match.value.pkt.eth_type) : 0;

    single(p, "eth_type", FIELD_ETH_TYPE);
    switch (type) {
    case RTE_ETHER_TYPE_IPV4:
    case RTE_ETHER_TYPE_IPV6:
        print_ip(p, type == RTE_ETHER_TYPE_IPV6);
        break;
    case RTE_ETHER_TYPE_ARP:
    case RTE_ETHER_TYPE_RARP:
        item_begin(p, "arp");
        part(p, "sip", FIELD_ARP_SPA);
        part(p, "tip", FIELD_ARP_TPA);
        part(p, "op", FIELD_ARP_OP);
        part(p, "sha", FIELD_ARP_SHA);
        part(p, "tha", FIELD_ARP_THA);
        item_end(p);
        break;
    case RTE_ETHER_TYPE_MPLS:
    case RTE_ETHER_TYPE_MPLSM:
        item_begin(p, "mpls");
        part(p, "label", FIELD_MPLS_LABEL);
        part(p, "tc", FIELD_MPLS_TC);
        part(p, "ttl", FIELD_MPLS_TTL);
        part(p, "bos", FIELD_MPLS_BOS);
        item_end(p);
        break;
    case ETH_TYPE_PBB:
        item_begin(p, "pbb");
        part(p, "isid", FIELD_PBB_ISID);
        part(p, "uca", FIELD_PBB_UCA);
        item_end(p);
        break;
    }
}

static void print_tag(struct printer *p, uint16_t value, uint16_t mask)
{
    fprintf(p->out, "%seth_type(0x8100),vlan(vid=%u", p->any ? "," : "", value & 0xfff);
    if ((mask & 0xfff) != 0xfff)
        fprintf(p->out, "/%#x", mask & 0xfff);
    fprintf(p->out, ",pcp=%u", value >> 13);
    if (mask >> 13 != 7)
        fprintf(p->out, "/%#x", mask >> 13);
    fputs("),encap(", p->out);
    p->any = false;
}

static void print_megaflow(struct printer *p, const char *port)
{
    unsigned tags = 0;

    print_tunnel(p);
    single(p, "skb_mark", FIELD_PKT_MARK);
    single(p, "ct_state", FIELD_CT_STATE);
    print_ct_zone(p);
    single(p, "ct_mark", FIELD_CT_MARK);
    single(p, "ct_label", FIELD_CT_LABEL);
    single(p, "recirc_id", FIELD_RECIRC_ID);
    single(p, "dp_hash", FIELD_DP_HASH);
    if (port) {
        item_begin(p, "in_port");
        item_open(p);
        fputs(port, p->out);
        item_end(p);
    }
    item_begin(p, "eth");
    part(p, "src", FIELD_ETH_SRC);
    part(p, "dst", FIELD_ETH_DST);
    item_end(p);
    for (; tags < 2; tags++) {
        uint16_t mask = rte_be_to_cpu_16(p->match.mask.pkt.vlan_tci[tags]);
        uint16_t value = rte_be_to_cpu_16(p->match.value.pkt.vlan_tci[tags]) & mask;

        if (!(value & VLAN_TCI_PRESENT))
            break;
        print_tag(p, value, mask);
    }
    print_payload(p);
    while (tags-- > 0)
        fputc(')', p->out);
}

char *megaflow_format(const struct flow_key *key, const struct flow_key *mask,
                      const char *(*port_name)(void *arg, uint32_t port_index), void *arg)
{
    char *text = NULL, number[16];
    size_t len;
    struct printer p = {.out = open_memstream(&text, &len)};
    const char *port = NULL;

    if (!p.out)
        out_of_memory("rules, groups and meters", 0);
    match_init_all(&p.match);
    p.match.value.pkt = *key;
    p.match.mask.pkt = *mask;
    if (mask->in_port) {
        port = port_name ? port_name(arg, key->in_port) : NULL;
        snprintf(number, sizeof number, "%" PRIu32, key->in_port);
        port = port ? port : number;
    }
    print_megaflow(&p, port);
    if (fclose(p.out))
        out_of_memory("rules, groups and meters", 0);
    return text;
}
