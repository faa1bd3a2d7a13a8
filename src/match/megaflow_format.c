/* Megaflows as text in the datapath's syntax, "recirc_id(0),in_port(1),eth(...)", as Open vSwitch's dpctl/dump-flows
 * prints them. Control thread. */
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/memory.h"
#include "src/match/field_text.h"
#include "src/match/tlv_map.h"

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

/* "=0x5", "/0xf" behind it if the mask says so; `ones` is the mask of the whole. */
static void put_masked(struct printer *p, const char *format, uint32_t value, uint32_t mask, uint32_t ones)
{
    fprintf(p->out, format, value & mask);
    if (mask != ones)
        fprintf(p->out, "/%#x", mask);
}

/* A part of the open item that has parts of its own: "name(". */
static void group_open(struct printer *p, const char *name)
{
    item_open(p);
    fprintf(p->out, "%s%s(", p->any_part ? "," : "", name);
    p->any_part = false;
}

static void group_close(struct printer *p, const char *end)
{
    fputs(end, p->out);
    p->any_part = true;
}

static void group_part(struct printer *p, const char *name, const char *format, uint32_t value, uint32_t mask,
                       uint32_t ones)
{
    if (mask == 0)
        return;
    fprintf(p->out, "%s%s=", p->any_part ? "," : "", name);
    p->any_part = true;
    put_masked(p, format, value, mask, ones);
}

static void tunnel_part(struct printer *p, const char *name, const char *format, uint32_t value, uint32_t mask,
                        uint32_t ones)
{
    if (mask != 0)
        item_open(p);
    group_part(p, name, format, value, mask, ones);
}

static void print_gbp(struct printer *p, const struct flow_key *value, const struct flow_key *mask)
{
    if (!(mask->tun_gbp_id | mask->tun_gbp_flags))
        return;
    group_open(p, "vxlan(gbp");
    group_part(p, "id", "%u", value->tun_gbp_id, mask->tun_gbp_id, UINT16_MAX);
    group_part(p, "flags", "%#x", value->tun_gbp_flags, mask->tun_gbp_flags, UINT8_MAX);
    group_close(p, "))");
}

static void put_hex(struct printer *p, const uint8_t *bytes, unsigned n)
{
    while (n > 1 && *bytes == 0) {
        bytes++;
        n--;
    }
    fprintf(p->out, "0x%x", *bytes);
    while (--n > 0)
        fprintf(p->out, "%02x", *++bytes);
}

static bool any_bit(const uint8_t *bytes, unsigned n, uint8_t other)
{
    for (unsigned i = 0; i < n; i++) {
        if (bytes[i] != other)
            return true;
    }
    return false;
}

static void print_option(struct printer *p, const struct tlv_map *map, const struct tunnel_option *option)
{
    const uint8_t *value = p->match.value.pkt.tun_metadata + option->offset;
    const uint8_t *mask = p->match.mask.pkt.tun_metadata + option->offset;
    uint8_t bits[TLV_OPTION_LEN_MAX];

    for (unsigned i = 0; i < map->len; i++)
        bits[i] = value[i] & mask[i];
    fprintf(p->out, "{class=%#x,type=%#x,len=%u,", map->class, map->type, map->len);
    put_hex(p, bits, map->len);
    if (any_bit(mask, map->len, 0xff)) {
        fputc('/', p->out);
        put_hex(p, mask, map->len);
    }
    fputc('}', p->out);
}

static void print_options(struct printer *p)
{
    struct tunnel_option options[TLV_MAPS_MAX];
    struct tlv_map maps[TLV_MAPS_MAX];
    const unsigned n = tlv_map_list(maps);
    bool open = false;

    tlv_map_datapath(options);
    for (unsigned i = 0; i < n; i++) {
        if (!any_bit(p->match.mask.pkt.tun_metadata + options[i].offset, maps[i].len, 0))
            continue;
        if (!open)
            group_open(p, "geneve");
        open = true;
        print_option(p, &maps[i], &options[i]);
    }
    if (open)
        group_close(p, ")");
}

static void print_erspan(struct printer *p, uint32_t value, uint32_t mask)
{
    if (mask == 0)
        return;
    group_open(p, "erspan");
    group_part(p, "ver", "%u", value >> TUN_ERSPAN_VER_SHIFT & 0xf, mask >> TUN_ERSPAN_VER_SHIFT & 0xf, 0xf);
    group_part(p, "idx", "%#x", value & TUN_ERSPAN_IDX_MASK, mask & TUN_ERSPAN_IDX_MASK, TUN_ERSPAN_IDX_MASK);
    group_part(p, "dir", "%u", value >> TUN_ERSPAN_DIR_SHIFT & 1, mask >> TUN_ERSPAN_DIR_SHIFT & 1, 1);
    group_part(p, "hwid", "%#x", value >> TUN_ERSPAN_HWID_SHIFT & 0x3f, mask >> TUN_ERSPAN_HWID_SHIFT & 0x3f, 0x3f);
    group_close(p, ")");
}

static void print_gtpu(struct printer *p, const struct flow_key *value, const struct flow_key *mask)
{
    if (!(mask->tun_gtpu_flags | mask->tun_gtpu_msgtype))
        return;
    group_open(p, "gtpu");
    group_part(p, "flags", "%#x", value->tun_gtpu_flags, mask->tun_gtpu_flags, UINT8_MAX);
    group_part(p, "msgtype", "%u", value->tun_gtpu_msgtype, mask->tun_gtpu_msgtype, UINT8_MAX);
    group_close(p, ")");
}

static void print_tunnel_flags(struct printer *p, uint8_t value, uint8_t mask)
{
    if (mask & TUN_FLAG_OAM) {
        group_open(p, "flags");
        group_close(p, value & TUN_FLAG_OAM ? "+oam)" : "-oam)");
    }
}

static void print_tunnel(struct printer *p)
{
    const struct flow_key *value = &p->match.value.pkt, *mask = &p->match.mask.pkt;

    item_begin(p, "tunnel");
    part(p, "tun_id", FIELD_TUN_ID);
    part(p, "src", FIELD_TUN_SRC);
    part(p, "dst", FIELD_TUN_DST);
    part(p, "ipv6_src", FIELD_TUN_IPV6_SRC);
    part(p, "ipv6_dst", FIELD_TUN_IPV6_DST);
    tunnel_part(p, "tos", "%#x", value->tun_tos, mask->tun_tos, UINT8_MAX);
    tunnel_part(p, "ttl", "%u", value->tun_ttl, mask->tun_ttl, UINT8_MAX);
    tunnel_part(p, "tp_src", "%u", rte_be_to_cpu_16(value->tun_tp_src), rte_be_to_cpu_16(mask->tun_tp_src), UINT16_MAX);
    tunnel_part(p, "tp_dst", "%u", rte_be_to_cpu_16(value->tun_tp_dst), rte_be_to_cpu_16(mask->tun_tp_dst), UINT16_MAX);
    print_gbp(p, value, mask);
    print_options(p);
    print_erspan(p, rte_be_to_cpu_32(value->tun_erspan), rte_be_to_cpu_32(mask->tun_erspan));
    print_gtpu(p, value, mask);
    print_tunnel_flags(p, value->tun_flags, mask->tun_flags);
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

/* Only where a tunnel port has packets of both kinds. */
static void print_packet_type(struct printer *p)
{
    if (!(p->match.mask.pkt.tun_flags & TUN_FLAG_NO_ETHERNET))
        return;
    item_begin(p, "packet_type");
    item_open(p);
    if (p->match.value.pkt.tun_flags & TUN_FLAG_NO_ETHERNET)
        fprintf(p->out, "ns=1,id=%#x", rte_be_to_cpu_16(p->match.value.pkt.eth_type));
    else
        fputs("ns=0,id=0", p->out);
    item_end(p);
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
    print_packet_type(p);
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
