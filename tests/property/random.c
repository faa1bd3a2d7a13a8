/* Random rules and groups of a small universe, so that they meet often. */
#include "tests/property/random_impl.h"

#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static uint64_t state;

void random_seed(uint64_t seed)
{
    state = seed * 0x9e3779b97f4a7c15 + 1;
}

static bool with_tunnels;

void random_with_tunnels(bool tunnels)
{
    with_tunnels = tunnels;
}

uint32_t random_below(uint32_t n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)((state >> 24) % n);
}

static void add(char *text, size_t size, const char *format, ...)
{
    size_t len = strlen(text);
    va_list args;

    if (len > 0 && len + 1 < size)
        text[len++] = ',';
    va_start(args, format);
    vsnprintf(text + len, size - len, format, args);
    va_end(args);
}

static const char *mac_text(void)
{
    static char text[4][32];
    static int i;
    const uint8_t *m = PICK(macs);

    i = (i + 1) % 4;
    snprintf(text[i], sizeof text[i], "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5]);
    return text[i];
}

static const char *ip_text(void)
{
    static char text[4][32];
    static int i;
    const uint8_t *a = PICK(ips);

    i = (i + 1) % 4;
    snprintf(text[i], sizeof text[i], "%u.%u.%u.%u", a[0], a[1], a[2], a[3]);
    return text[i];
}

static const char *ip6_text(void)
{
    static const char *const all[] = {"2001:db8::1", "2001:db8::2", "2001:db8:1::1", "fe80::1"};

    return PICK(all);
}

/* --- matches ------------------------------------------------------------- */

static void match_ip(char *t, size_t n)
{
    static const char *const frag[] = {"no", "yes", "first", "later", "not_later"};

    if (random_one_in(4))
        add(t, n, "nw_tos=%u", PICK(tos) & 0xfc);
    if (random_one_in(8))
        add(t, n, "nw_ecn=%u", random_below(4));
    if (random_one_in(6))
        add(t, n, "nw_ttl=%u", PICK(ttls));
    if (random_one_in(6))
        add(t, n, "ip_frag=%s", PICK(frag));
}

static void match_ports(char *t, size_t n, const char *proto)
{
    if (random_one_in(2))
        add(t, n, "%s_dst=%u", proto, PICK(l4_ports));
    else if (random_one_in(3))
        add(t, n, "%s_dst=0x%x/0x%x", proto, PICK(l4_ports) & 0xfff0, 0xfff0);
    if (random_one_in(3))
        add(t, n, "%s_src=%u", proto, PICK(l4_ports));
}

static void match_l4(char *t, size_t n, bool v6)
{
    switch (random_below(6)) {
    case 0:
        add(t, n, v6 ? "tcp6" : "tcp");
        match_ports(t, n, "tcp");
        if (random_one_in(4))
            add(t, n, "tcp_flags=+syn");
        break;
    case 1:
        add(t, n, v6 ? "udp6" : "udp");
        match_ports(t, n, "udp");
        break;
    case 2:
        add(t, n, v6 ? "sctp6" : "sctp");
        match_ports(t, n, "sctp");
        break;
    case 3:
        add(t, n, v6 ? "icmp6,icmpv6_type=135" : "icmp");
        if (random_one_in(2)) {
            if (v6)
                add(t, n, "icmpv6_code=0,nd_target=%s", ip6_text());
            else
                add(t, n, "icmp_type=%u", random_below(2) * 8);
        }
        break;
    default:
        add(t, n, v6 ? "ipv6" : "ip");
    }
}

static void match_l3(char *t, size_t n)
{
    switch (random_below(10)) {
    case 0:
    case 1:
    case 2:
        match_l4(t, n, false);
        match_ip(t, n);
        if (random_one_in(2))
            add(t, n, "nw_dst=%s/%u", ip_text(), 1 + random_below(32));
        if (random_one_in(4))
            add(t, n, "nw_src=%s/0.0.255.255", ip_text());
        break;
    case 3:
    case 4:
        match_l4(t, n, true);
        match_ip(t, n);
        if (random_one_in(2))
            add(t, n, "ipv6_dst=%s/%u", ip6_text(), 1 + random_below(128));
        if (random_one_in(4))
            add(t, n, "ipv6_src=%s", ip6_text());
        break;
    case 5:
        add(t, n, "arp");
        if (random_one_in(2))
            add(t, n, "arp_op=%u", 1 + random_below(2));
        if (random_one_in(2))
            add(t, n, "arp_spa=%s/%u", ip_text(), 1 + random_below(32));
        if (random_one_in(3))
            add(t, n, "arp_sha=%s", mac_text());
        break;
    case 6:
        add(t, n, "mpls");
        if (random_one_in(2))
            add(t, n, "mpls_label=%u", random_below(3));
        break;
    case 8:
        add(t, n, "dl_type=0x894f");
        if (random_one_in(2))
            add(t, n, "nsh_spi=%u", random_below(3));
        if (random_one_in(3))
            add(t, n, "nsh_c1=0x%x/0x%x", random_below(4) & 2, random_one_in(2) ? 2 : 3);
        if (random_one_in(6))
            add(t, n, "nsh_ttl=%u", PICK(ttls) & 63);
        break;
    case 7:
        add(t, n, "dl_type=0x88e7");
        if (random_one_in(2))
            add(t, n, "pbb_isid=0x%x/0x%x", random_below(3), random_one_in(2) ? 0xffffff : 2);
        if (random_one_in(4))
            add(t, n, "pbb_uca=%u", random_below(2));
        break;
    default:
        add(t, n, "dl_type=0x%x", 0x88b5);
    }
}

static void match_ct(char *t, size_t n)
{
    static const char *const states[] = {"+trk", "-trk", "+new", "+est", "-new+trk", "+est-rpl+trk", "+inv+trk"};

    add(t, n, "ct_state=%s", PICK(states));
    if (random_one_in(3))
        add(t, n, "ct_zone=%u", random_below(4));
    if (random_one_in(3))
        add(t, n, "ct_mark=0x%x/0x%x", random_below(4) & 2, random_one_in(2) ? 2 : 3);
    if (random_one_in(4))
        add(t, n, "ct_label=0x%x", random_below(2));
}

static void match_tunnel(char *t, size_t n)
{
    static const char *const others[] = {"tun_flags=+oam",   "tun_flags=-oam",        "tun_gbp_id=1",
                                         "tun_metadata0=1",  "tun_metadata0=0x2/0x3", "tun_metadata1=0",
                                         "tun_dst=192.0.2.1"};

    if (random_one_in(2))
        add(t, n, "tun_id=%u", random_below(3));
    if (random_one_in(3))
        add(t, n, "tun_src=192.0.2.%u", 2 + random_below(2));
    if (random_one_in(2))
        add(t, n, "%s", PICK(others));
}

void random_match(char *t, size_t n)
{
    t[0] = '\0';
    if (with_tunnels && random_one_in(3))
        match_tunnel(t, n);
    if (random_one_in(6))
        match_ct(t, n);
    if (random_one_in(2))
        add(t, n, "in_port=%u", 1 + random_below(5));
    if (random_one_in(4))
        add(t, n, "dl_dst=%s", mac_text());
    if (random_one_in(8))
        add(t, n, "dl_dst=%s/%s", random_one_in(2) ? "01:00:00:00:00:00" : "00:00:00:00:00:00", "01:00:00:00:00:00");
    if (random_one_in(5))
        add(t, n, "dl_src=%s/ff:00:00:00:ff:0f", mac_text());
    switch (random_below(8)) {
    case 0:
        add(t, n, "dl_vlan=%u", PICK(vids));
        break;
    case 1:
        add(t, n, "vlan_tci=0x0000");
        break;
    case 2:
        add(t, n, "vlan_tci=0x1000/0x1000");
        if (random_one_in(2))
            add(t, n, "dl_vlan_pcp=%u", random_below(8));
        break;
    }
    if (random_one_in(5))
        add(t, n, "reg0=%u", random_below(3));
    if (random_one_in(20))
        add(t, n, random_one_in(2) ? "ct_state=-trk" : "tun_id=0/1,tun_src=0.0.0.0");
    if (random_one_in(6))
        add(t, n, "metadata=%u", random_below(3));
    if (random_one_in(6))
        add(t, n, "reg1=0x%x/0x%x", 1 << 16, 0xff << 16);
    if (random_one_in(8))
        add(t, n, "conj_id=%u", 1 + random_below(3));
    if (random_one_in(2))
        match_l3(t, n);
}

/* --- actions ------------------------------------------------------------- */

static void act_tunnel(char *t, size_t n)
{
    static const char *const acts[] = {"set_field:192.0.2.2->tun_dst",
                                       "set_field:192.0.2.3->tun_dst",
                                       "set_field:0.0.0.0->tun_dst,set_field:2001:db8::2->tun_ipv6_dst",
                                       "set_field:203.0.113.1->tun_dst",
                                       "set_field:1->tun_id",
                                       "set_field:0x1000002->tun_id",
                                       "set_field:2->tun_metadata0",
                                       "delete_field:tun_metadata0",
                                       "set_field:1->tun_metadata1",
                                       "set_field:1->tun_flags",
                                       "set_field:1->tun_gbp_id",
                                       "move:NXM_NX_TUN_IPV4_SRC[]->NXM_NX_TUN_IPV4_DST[]",
                                       "move:NXM_NX_TUN_ID[0..15]->NXM_NX_REG0[0..15]",
                                       "move:NXM_NX_REG0[0..7]->NXM_NX_TUN_ID[0..7]",
                                       "move:NXM_NX_TUN_METADATA0[0..7]->NXM_NX_REG1[16..23]",
                                       "push:NXM_NX_TUN_ID[]",
                                       "pop:NXM_NX_TUN_ID[0..31]"};

    add(t, n, "%s", PICK(acts));
}

static void act_set(char *t, size_t n)
{
    if (with_tunnels && random_one_in(3)) {
        act_tunnel(t, n);
        return;
    }
    switch (random_below(22)) {
    case 0:
        add(t, n, "set_field:%s->eth_dst", mac_text());
        break;
    case 1:
        add(t, n, "set_field:%s->eth_src", mac_text());
        break;
    case 2:
        add(t, n, "set_field:00:00:00:00:00:07/00:00:00:00:00:0f->eth_dst");
        break;
    case 3:
        add(t, n, "set_field:%s->ip_dst", ip_text());
        break;
    case 4:
        add(t, n, "load:0x%x->NXM_OF_IP_SRC[8..15]", random_below(3));
        break;
    case 5:
        add(t, n, "set_field:%u->tcp_dst", PICK(l4_ports));
        break;
    case 6:
        add(t, n, "set_field:%u->udp_src", PICK(l4_ports));
        break;
    case 7:
        add(t, n, "load:%u->NXM_NX_REG0[]", random_below(3));
        break;
    case 8:
        add(t, n, "load:%u->NXM_NX_REG1[16..23]", random_below(3));
        break;
    case 9:
        add(t, n, "set_field:%s->ipv6_src", ip6_text());
        break;
    case 10:
        add(t, n, "set_field:%u->ip_dscp", PICK(tos) >> 2);
        break;
    case 11:
        add(t, n, "load:%u->NXM_OF_ARP_OP[]", 1 + random_below(2));
        break;
    case 12:
        add(t, n, "load:0x%x->NXM_OF_VLAN_TCI[]", random_one_in(2) ? 0 : 0x1000 | PICK(vids));
        break;
    case 13:
        add(t, n, "set_field:%u->vlan_pcp", random_below(8));
        break;
    case 14:
        add(t, n, "set_field:%u->vlan_vid", 0x1000 | PICK(vids));
        break;
    case 15:
        add(t, n, "load:%u->NXM_OF_IN_PORT[]", random_below(6));
        break;
    case 16:
        add(t, n, "set_field:%s->nd_target", ip6_text());
        break;
    case 19:
        add(t, n, "set_field:%u->nsh_spi", random_below(3));
        break;
    case 20:
        add(t, n, random_one_in(2) ? "load:%u->NXOXM_NSH_C1[1..3]" : "set_field:%u->nsh_ttl", random_below(3));
        break;
    case 17:
        add(t, n, "set_field:%u->pbb_isid", random_below(3));
        break;
    case 18:
        add(t, n, "set_field:%u->pbb_uca", random_below(2));
        break;
    default:
        add(t, n, "set_field:%u->sctp_dst", PICK(l4_ports));
    }
}

static void act_move(char *t, size_t n)
{
    static const char *const moves[] = {
        "NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[]",         "NXM_OF_ETH_DST[0..7]->NXM_OF_ETH_SRC[40..47]",
        "NXM_OF_IP_SRC[]->NXM_OF_IP_DST[]",           "NXM_OF_IP_DST[0..7]->NXM_NX_REG0[0..7]",
        "NXM_OF_UDP_DST[]->NXM_NX_REG1[0..15]",       "NXM_OF_TCP_SRC[]->NXM_OF_TCP_DST[]",
        "NXM_OF_VLAN_TCI[0..11]->NXM_NX_REG0[0..11]", "NXM_NX_REG0[0..11]->NXM_OF_VLAN_TCI[0..11]",
        "NXM_NX_REG1[16..23]->NXM_OF_ETH_SRC[0..7]",  "NXM_OF_ARP_SPA[]->NXM_OF_ARP_TPA[]",
        "NXM_NX_ARP_SHA[]->NXM_NX_ARP_THA[]",         "NXM_NX_IPV6_SRC[0..63]->NXM_NX_IPV6_DST[0..63]",
        "NXM_OF_IP_TOS[2..7]->NXM_NX_REG0[0..5]",     "NXM_OF_IN_PORT[]->NXM_NX_REG0[0..15]",
        "NXM_OF_ETH_TYPE[]->NXM_NX_REG1[0..15]",
    };

    add(t, n, "move:%s", PICK(moves));
}

static void act_output(char *t, size_t n)
{
    static const char *const special[] = {"in_port", "ALL", "FLOOD", "controller", "output:NXM_NX_REG0[0..7]",
                                          "output:9"};

    if (random_one_in(4))
        add(t, n, "%s", PICK(special));
    else if (random_one_in(5))
        add(t, n, "NORMAL");
    else
        add(t, n, "output:%u", 1 + random_below(5));
}

static void act_other(uint8_t table_id, bool mpls, char *t, size_t n)
{
    static const char *const vlan[] = {"push_vlan:0x8100", "push_vlan:0x88a8", "pop_vlan", "strip_vlan",
                                       "mod_vlan_vid:11"};
    static const char *const stack[] = {"push:NXM_OF_ETH_SRC[]",     "push:NXM_NX_REG0[]",     "pop:NXM_NX_REG1[]",
                                        "pop:NXM_OF_ETH_DST[0..31]", "push:NXM_OF_VLAN_TCI[]", "pop:NXM_OF_VLAN_TCI[]"};
    static const char *const labels[] = {"push_mpls:0x8847",
                                         "pop_mpls:0x0800",
                                         "pop_mpls:0x8847",
                                         "dec_mpls_ttl",
                                         "controller(pause)",
                                         "controller(pause,userdata=01)",
                                         "set_field:2->mpls_label",
                                         "set_field:0->mpls_bos",
                                         "set_field:1->mpls_bos",
                                         "set_field:0x0800->eth_type",
                                         "set_field:0x8100->eth_type",
                                         "set_field:17->nw_proto",
                                         "copy_ttl_in",
                                         "copy_ttl_out",
                                         "encap(nsh)",
                                         "encap(nsh(md_type=2,tlv(0x1000,10,0x12345678)))",
                                         "encap(ethernet)",
                                         "decap()",
                                         "encap(mpls)",
                                         "decap(packet_type(ns=0,type=0))",
                                         "dec_nsh_ttl"};
    static const char *const chosen[] = {"multipath(symmetric_l4,0,modulo_n,3,0,NXM_NX_REG0[0..7])",
                                         "multipath(symmetric_l3l4+udp,1,hrw,3,0,NXM_NX_REG0[0..7])",
                                         "bundle(nw_src,0,hrw,ofport,members:1,2,3)",
                                         "bundle_load(eth_src,0,active_backup,ofport,NXM_NX_REG0[0..15],members:4,5)",
                                         "check_pkt_larger(90)->NXM_NX_REG0[0]",
                                         "output(port=2,max_len=40)"};
    static const char *const pbb[] = {"push_pbb:0x88e7", "pop_pbb", "pop_pbb"};
    static const char *const ct[] = {"ct()",
                                     "ct(commit)",
                                     "ct(commit,force,zone=3)",
                                     "ct(commit,zone=2,exec(set_field:2->ct_mark))",
                                     "ct(commit,zone=NXM_NX_REG0[0..15],exec(set_field:1/3->ct_mark))",
                                     "ct(commit,exec(move:NXM_NX_REG0[0..1]->NXM_NX_CT_MARK[0..1]))",
                                     "ct_clear"};

    if (random_one_in(16)) {
        add(t, n, "%s", PICK(chosen));
        return;
    }
    if (random_one_in(12)) {
        const unsigned later = RANDOM_TABLES - table_id - 1;

        if (later > 0 && !random_one_in(3))
            add(t, n, "ct(%szone=%u,table=%u)", random_one_in(2) ? "commit," : "", random_below(3),
                table_id + 1 + random_below(later));
        else
            add(t, n, "%s", PICK(ct));
        return;
    }
    switch (random_below(mpls ? 8 : 7)) {
    case 0:
    case 1:
        add(t, n, "%s", PICK(vlan));
        break;
    case 2:
        add(t, n, random_one_in(3) ? "dec_ttl(1,2)" : "dec_ttl");
        break;
    case 3:
        add(t, n, "%s", PICK(stack));
        break;
    case 4:
        if (random_one_in(6))
            add(t, n, "exit");
        break;
    case 5:
        if (table_id + 1 < RANDOM_TABLES) {
            unsigned next = table_id + 1 + random_below(RANDOM_TABLES - table_id - 1);

            if (random_one_in(5))
                add(t, n, "resubmit(%u,%u)", 1 + random_below(5), next);
            else
                add(t, n, "resubmit(,%u%s)", next, random_one_in(3) ? ",ct" : "");
        }
        break;
    case 6:
        if (random_one_in(2))
            add(t, n, "%s", PICK(pbb));
        break;
    default:
        add(t, n, "%s", PICK(labels));
    }
}

void random_clauses(uint32_t n_ids, bool whole, char *t, size_t n)
{
    t[0] = '\0';
    if (whole) {
        uint32_t id = 1 + random_below(n_ids);

        add(t, n, "conjunction(%u,1/2),conjunction(%u,2/2)", id, id);
        return;
    }
    for (uint32_t i = 1 + random_below(3); i > 0; i--)
        add(t, n, "conjunction(%u,%u/2)", 1 + random_below(n_ids), 1 + random_below(2));
    if (random_one_in(4))
        add(t, n, "note:01.02");
}

void random_learn(uint8_t table_id, char *t, size_t n)
{
    static const char *const specs[] = {
        "NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[]",
        "NXM_OF_ETH_SRC[0..7],load:NXM_OF_ETH_DST[0..1]->NXM_NX_REG0[0..1]",
        "NXM_OF_VLAN_TCI[0..11],load:2->NXM_NX_REG1[16..23]",
        "in_port=2,NXM_NX_REG0[],output:NXM_NX_REG0[0..7]",
        "eth_type=0x800,NXM_OF_IP_DST[]=NXM_OF_IP_SRC[],load:0x0a000001->NXM_OF_IP_DST[]",
        "eth_type=0x86dd,nw_proto=17,udp_dst=0x50,output:NXM_OF_IN_PORT[]",
    };
    static const char *const attributes[] = {"", ",limit=3", ",limit=2,result_dst=NXM_NX_REG0[0]", ",delete_learned",
                                             ",cookie=1,limit=2"};

    t[0] = '\0';
    add(t, n, "learn(table=%u,priority=%u,cookie=77%s,%s)", table_id + random_below(RANDOM_TABLES - table_id),
        random_below(8) * 256 + 200, PICK(attributes), PICK(specs));
}

void random_bucket(uint32_t group_id, uint32_t n_groups, char *t, size_t n)
{
    static const char *const buckets[] = {"output:1",
                                          "output:2",
                                          "output:3",
                                          "output:4,dec_ttl",
                                          "set_field:02:00:00:00:00:03->eth_dst,output:2",
                                          "push_vlan:0x8100,output:5",
                                          "pop_vlan,output:3",
                                          "set_field:10.0.0.1->ip_dst,set_field:2->udp_dst,output:1",
                                          "set_field:10.0.0.3->ip_src,output:in_port",
                                          "controller",
                                          "output:1,output:2",
                                          "dec_ttl",
                                          "set_field:3->ip_dscp,output:all"};

    t[0] = '\0';
    if (group_id < n_groups && random_one_in(4))
        add(t, n, "%sgroup:%u", random_one_in(2) ? "set_field:02:00:00:00:00:04->eth_src," : "",
            group_id + 1 + random_below(n_groups - group_id));
    else
        add(t, n, "%s", PICK(buckets));
}

static void act_clone(uint8_t table_id, bool mpls, char *t, size_t n)
{
    char inner[256] = "";

    for (unsigned i = 1 + random_below(3); i > 0; i--) {
        if (random_one_in(2))
            act_set(inner, sizeof inner);
        else if (random_one_in(2))
            act_output(inner, sizeof inner);
        else
            act_other(table_id, mpls, inner, sizeof inner);
    }
    if (*inner && strlen(inner) < sizeof inner - 1)
        add(t, n, "clone(%s)", inner);
}

void random_actions(uint8_t table_id, bool mpls, uint32_t n_groups, char *t, size_t n)
{
    static const char *const sets[] = {"output:1",
                                       "output:2",
                                       "output:4",
                                       "dec_ttl,output:3",
                                       "set_field:02:00:00:00:00:01->eth_dst",
                                       "push_vlan:0x8100,output:5",
                                       "pop_vlan",
                                       "push_pbb:0x88e7,output:1",
                                       "pop_pbb,output:2",
                                       "set_field:10.0.0.2->ip_dst,output:in_port"};

    t[0] = '\0';
    for (unsigned i = random_below(6); i > 0; i--) {
        switch (random_below(4)) {
        case 0:
            act_set(t, n);
            break;
        case 1:
            if (random_one_in(2))
                act_move(t, n);
            else
                act_other(table_id, mpls, t, n);
            break;
        case 2:
            act_other(table_id, mpls, t, n);
            break;
        default:
            if (random_one_in(6))
                act_clone(table_id, mpls, t, n);
            else if (n_groups > 0 && random_one_in(4))
                add(t, n, "group:%u", 1 + random_below(n_groups));
            else
                act_output(t, n);
        }
    }
    if (random_one_in(12))
        add(t, n, "clear_actions");
    if (random_one_in(5))
        add(t, n, "write_actions(%s)", PICK(sets));
    if (n_groups > 0 && random_one_in(12))
        add(t, n, "write_actions(group:%u)", 1 + random_below(n_groups));
    if (random_one_in(6))
        add(t, n, "write_metadata:%u/3", random_below(3));
    if (table_id + 1 < RANDOM_TABLES && random_one_in(3))
        add(t, n, "goto_table:%u", table_id + 1 + random_below(RANDOM_TABLES - table_id - 1));
}
