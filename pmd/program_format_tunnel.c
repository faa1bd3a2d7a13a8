/* Outer headers of tunnels as text, as Open vSwitch prints them. */
#include <arpa/inet.h>
#include <rte_ip.h>
#include <string.h>

#include "pmd/key.h"
#include "pmd/program_writer.h"
#include "pmd/tunnel.h"

static uint32_t be16(const uint8_t *p)
{
    return (uint32_t)p[0] << 8 | p[1];
}

static uint32_t be32(const uint8_t *p)
{
    return be16(p) << 16 | be16(p + 2);
}

static void put_address(struct program_writer *w, int family, const uint8_t *address)
{
    char text[INET6_ADDRSTRLEN];

    writer_put(w, "%s", inet_ntop(family, address, text, sizeof text));
}

static void put_ether(struct program_writer *w, const uint8_t *address)
{
    for (int i = 0; i < 6; i++)
        writer_put(w, "%s%02x", i ? ":" : "", address[i]);
}

static void put_eth(struct program_writer *w, const uint8_t *eth)
{
    writer_put(w, "eth(dst=");
    put_ether(w, eth);
    writer_put(w, ",src=");
    put_ether(w, eth + 6);
    writer_put(w, ",dl_type=0x%04x),", be16(eth + 12));
}

static void put_ip(struct program_writer *w, const uint8_t *ip, bool ipv6)
{
    writer_put(w, ipv6 ? "ipv6(src=" : "ipv4(src=");
    put_address(w, ipv6 ? AF_INET6 : AF_INET, ip + (ipv6 ? 8 : 12));
    writer_put(w, ",dst=");
    put_address(w, ipv6 ? AF_INET6 : AF_INET, ip + (ipv6 ? 24 : 16));
    if (ipv6)
        writer_put(w, ",label=%u,proto=%u,tclass=0x%x,hlimit=%u),", be32(ip) & 0xfffff, ip[6], be32(ip) >> 20 & 0xff,
                   ip[7]);
    else
        writer_put(w, ",proto=%u,tos=%#x,ttl=%u,frag=0x%x),", ip[9], ip[1], ip[8], be16(ip + 6));
}

/* The value of an option as one number, without zeros in front. */
static void put_value(struct program_writer *w, const uint8_t *p, uint32_t len)
{
    uint32_t at = 0;

    if (len == 0)
        return;
    while (at < len - 1 && p[at] == 0)
        at++;
    writer_put(w, ",0x%x", p[at]);
    while (++at < len)
        writer_put(w, "%02x", p[at]);
}

/* `len`: of the options. */
static void put_geneve(struct program_writer *w, const uint8_t *p, uint32_t len)
{
    writer_put(w, "geneve(%s%svni=0x%x", p[1] & 0x80 ? "oam," : "", p[1] & 0x40 ? "crit," : "", be32(p + 4) >> 8);
    if (len > 0)
        writer_put(w, ",options(");
    for (uint32_t at = 8; at + 4 <= 8 + len;) {
        const uint32_t value_len = (p[at + 3] & 0x1fu) * 4;

        writer_put(w, "{class=0x%x,type=%#x,len=%u", be16(p + at), p[at + 2], value_len);
        put_value(w, p + at + 4, RTE_MIN(value_len, 8 + len - at - 4));
        writer_put(w, "}");
        at += 4 + value_len;
    }
    writer_put(w, len > 0 ? "))" : ")");
}

static void put_vxlan(struct program_writer *w, const uint8_t *p)
{
    writer_put(w, "vxlan(flags=0x%x,vni=0x%x)", be32(p), be32(p + 4) >> 8);
}

static void put_gre(struct program_writer *w, const uint8_t *p)
{
    const uint32_t flags = be16(p);
    uint32_t at = 4;

    writer_put(w, "gre((flags=0x%x,proto=0x%x)", flags, be16(p + 2));
    if (flags & 0x8000) {
        writer_put(w, ",csum=0x0");
        at += 4;
    }
    if (flags & 0x2000)
        writer_put(w, ",key=0x%x", be32(p + at));
    if (flags & 0x1000)
        writer_put(w, ",seq=0x0");
    writer_put(w, ")");
}

static void put_erspan(struct program_writer *w, const uint8_t *gre, const uint8_t *p)
{
    if (be16(gre) == 0)
        writer_put(w, "erspan(ver=0)");
    else if (p[0] >> 4 == 1)
        writer_put(w, "erspan(ver=1,sid=0x%x,idx=0x%x)", be16(p + 2) & 0x3ff, be32(p + 4) & TUN_ERSPAN_IDX_MASK);
    else
        writer_put(w, "erspan(ver=2,sid=0x%x,dir=%u,hwid=0x%x)", be16(p + 2) & 0x3ff, be16(p + 10) >> 3 & 1,
                   be16(p + 10) >> 4 & 0x3f);
}

/* `p`: the routing header; its list is the last segment first, and printed in the order of the way. */
static void put_srv6(struct program_writer *w, const uint8_t *p)
{
    writer_put(w, "srv6(segments_left=%u,segs(", p[3]);
    for (unsigned i = p[4] + 1u; i > 0; i--) {
        put_address(w, AF_INET6, p + 8 + (i - 1) * 16);
        writer_put(w, i > 1 ? "," : "))");
    }
}

/* Open vSwitch's number of the type of port. */
static unsigned type_number(const struct op_tunnel_push *push)
{
    const bool ipv6 = push->flags & TUNNEL_PUSH_IPV6;

    switch ((enum tunnel_type)push->type) {
    case TUNNEL_VXLAN:
        return 4;
    case TUNNEL_GENEVE:
        return 5;
    case TUNNEL_GRE:
        return ipv6 ? 109 : 3;
    case TUNNEL_ERSPAN:
        return ipv6 ? 108 : 107;
    case TUNNEL_GTPU:
        return 110;
    case TUNNEL_SRV6:
        return 112;
    case TUNNEL_N_TYPES:
        break;
    }
    return 0;
}

void writer_tunnel_push(struct program_writer *w, const struct op_tunnel_push *push)
{
    const uint8_t *l4 = push->header + push->l4, *own = push->header + push->own;
    const bool udp = tunnel_is_udp(push->type);

    writer_put(w, "tnl_port(");
    writer_port(w, push->index);
    writer_put(w, "),header(size=%u,type=%u,", push->len, type_number(push));
    put_eth(w, push->header);
    put_ip(w, push->header + push->l3, push->flags & TUNNEL_PUSH_IPV6);
    if (udp)
        writer_put(w, "udp(src=0,dst=%u,csum=0x%x),", be16(l4 + 2), push->flags & TUNNEL_PUSH_CSUM ? 0xffff : 0);
    if (push->type == TUNNEL_VXLAN)
        put_vxlan(w, own);
    else if (push->type == TUNNEL_GENEVE)
        put_geneve(w, own, push->len - push->own - 8u);
    else if (push->type == TUNNEL_GRE)
        put_gre(w, l4);
    else if (push->type == TUNNEL_ERSPAN)
        put_erspan(w, l4, own);
    else if (push->type == TUNNEL_SRV6)
        put_srv6(w, own);
    else
        writer_put(w, "gtpu(flags=0x%x,msgtype=%u,teid=0x%x)", own[0], own[1], be32(own + 4));
    writer_put(w, ")");
    if (push->flags & (TUNNEL_PUSH_LABEL_COPY | TUNNEL_PUSH_LABEL_HASH))
        writer_put(w, push->flags & TUNNEL_PUSH_LABEL_COPY ? ",label(copy)" : ",label(compute)");
    if (push->mtu != 0)
        writer_put(w, ",mtu(%u)", push->mtu);
}

void writer_tunnel_pop(struct program_writer *w, const struct op_tunnel_pop *pop)
{
    writer_put(w, "%u", tunnel_listener_number(pop->type, rte_be_to_cpu_16(pop->udp_port)));
}
