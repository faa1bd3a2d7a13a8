/* Matches, flows and subfields as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "src/match/tlv_map.h"
#include "src/match/field.h"
#include "tests/lib/flow_text.h"
#include "tests/lib/match_sets.h"

/* What "ovs-ofctl parse-flow" makes of them. An expectation of NULL: the text itself. */
static const struct {
    const char *in, *out;
} formats[] = {
    {"", NULL},
    {"tcp,in_port=1,dl_vlan=5,nw_src=10.0.0.0/8,tp_dst=80", NULL},
    {"in_port=LOCAL", NULL},
    {"in_port=65533", "in_port=CONTROLLER"},
    {"vlan_tci=0x1005/0x1fff", "dl_vlan=5"},
    {"vlan_tci=0x1005", "dl_vlan=5,dl_vlan_pcp=0"},
    {"vlan_tci=0", "vlan_tci=0x0000"},
    {"vlan_tci=0x1000/0x1000", NULL},
    {"vlan_tci=0xb000/0xf000", "dl_vlan_pcp=5"},
    {"vlan_tci=0xb005/0xffff", "dl_vlan=5,dl_vlan_pcp=5"},
    {"vlan_tci=0x0005/0x0fff", NULL},
    {"vlan_vid=0x1005/0x1fff", "dl_vlan=5"},
    {"vlan_vid=0x1000/0x1000", "vlan_tci=0x1000/0x1000"},
    {"vlan_vid=0", "vlan_tci=0x0000/0x1fff"},
    {"vlan_vid=5", "vlan_tci=0x0005/0x1fff"},
    {"vlan_vid=0x1001/0x1001", "vlan_tci=0x1001/0x1001"},
    {"dl_vlan=0xffff", "vlan_tci=0x0000/0x1fff"},
    {"dl_vlan_pcp=3", NULL},
    {"dl_vlan=7,dl_vlan_pcp=3", NULL},
    {"dl_vlan_pcp=3,dl_vlan=7", "dl_vlan=7,dl_vlan_pcp=3"},
    {"vlan_vid=5,vlan_pcp=2", "dl_vlan=5,dl_vlan_pcp=2"},
    {"ip,ip_frag=later", "ip,nw_frag=later"},
    {"ip,nw_frag=no", NULL},
    {"ip,nw_frag=yes", NULL},
    {"ip,nw_frag=first", NULL},
    {"ip,nw_frag=not_later", NULL},
    {"tcp,tcp_flags=+syn-ack", NULL},
    {"tcp,tcp_flags=0x12", "tcp,tcp_flags=syn|ack"},
    {"tcp,tcp_flags=0x12/0xfff", "tcp,tcp_flags=syn|ack"},
    {"tcp,tcp_flags=+fin-[200]", NULL},
    {"tcp,tcp_flags=0x212/0x3ff", "tcp,tcp_flags=-fin+syn-rst-psh+ack-urg-ece-cwr-ns+[200]"},
    {"tcp,tcp_flags=0", NULL},
    {"tcp,tp_src=0x10/0xfff0", NULL},
    {"ct_state=+trk+est", "ct_state=+est+trk"},
    {"ct_state=trk|est", "ct_state=est|trk"},
    {"ct_state=0x21/0xff", "ct_state=new|trk"},
    {"ct_state=-new+trk,ct_zone=5,ct_mark=0x7/0xf,ct_label=0x5/0xff", NULL},
    {"arp,arp_op=1,arp_spa=1.2.3.4,arp_tpa=1.2.0.0/16,arp_sha=00:01:02:03:04:05,arp_tha=00:01:02:03:04:05/"
     "ff:ff:ff:00:00:00",
     "arp,arp_spa=1.2.3.4,arp_tpa=1.2.0.0/16,arp_op=1,arp_sha=00:01:02:03:04:05,arp_tha=00:01:02:00:00:00/"
     "ff:ff:ff:00:00:00"},
    {"arp,nw_proto=1,nw_src=1.1.1.1", "arp,arp_spa=1.1.1.1,arp_op=1"},
    {"rarp,arp_op=3", NULL},
    {"ipv6,ipv6_src=2001:db8::/32,ipv6_dst=::1,ipv6_label=0x12345", NULL},
    {"ipv6,ipv6_src=::ffff:0:0/::ffff:0:0", "ipv6,ipv6_src=::ffff:0.0.0.0/::ffff:0.0.0.0"},
    {"ipv6,ipv6_src=1::2/64", "ipv6,ipv6_src=1::/64"},
    {"icmp,icmp_type=8,icmp_code=0", NULL},
    {"icmp6,icmp_type=135,nd_target=fe80::1,nd_sll=00:00:00:00:00:01", NULL},
    {"icmp6,icmp_type=136,icmp_code=0,nd_target=fe80::1,nd_tll=00:00:00:00:00:01", NULL},
    {"icmp6,nd_reserved=5,icmp_type=135,nd_options_type=1", "icmp6,icmp_type=135,nd_reserved=5,nd_options_type=1"},
    {"tcp6,tcp_dst=80", "tcp6,tp_dst=80"},
    {"udp6,udp_src=80", "udp6,tp_src=80"},
    {"sctp,sctp_src=80", "sctp,tp_src=80"},
    {"sctp6,tp_src=80", NULL},
    {"mpls,mpls_label=5,mpls_tc=1,mpls_bos=1,mpls_ttl=64", "mpls,mpls_label=5,mpls_tc=1,mpls_ttl=64,mpls_bos=1"},
    {"mplsm", NULL},
    {"dl_type=0x88cc", NULL},
    {"dl_type=0x0800,nw_proto=1", "icmp"},
    {"nw_proto=6,ip", "tcp"},
    {"dl_type=0x86dd,nw_proto=89", "ipv6,nw_proto=89"},
    {"ip,nw_proto=89,nw_tos=32,nw_ecn=1,nw_ttl=5", NULL},
    {"ip,ip_dscp=5", "ip,nw_tos=20"},
    {"ip,nw_src=10.0.0.0/255.0.255.0", NULL},
    {"ip,nw_src=1.2.3.4/0", "ip"},
    {"dl_src=01:02:03:04:05:06,dl_dst=01:00:00:00:00:00/01:00:00:00:00:00", NULL},
    {"metadata=5", "metadata=0x5"},
    {"metadata=0/1", "metadata=0/0x1"},
    {"reg0=0x5,reg15=0x7/0xff", NULL},
    {"xreg0=5", "reg0=0,reg1=0x5"},
    {"xxreg0=0x123456789abcdef0123456789abcdef0", "reg0=0x12345678,reg1=0x9abcdef0,reg2=0x12345678,reg3=0x9abcdef0"},
    {"xxreg1=0x1/0x1", "reg7=0x1/0x1"},
    {"tun_id=5,tun_src=1.1.1.1,tun_dst=2.2.2.2/16,tun_flags=oam,tun_gbp_id=5,tun_gbp_flags=8",
     "tun_id=0x5,tun_src=1.1.1.1,tun_dst=2.2.0.0/16,tun_gbp_id=5,tun_gbp_flags=0x8,tun_flags=+oam"},
    {"tun_ipv6_src=::1,tun_ipv6_dst=fe80::/10", NULL},
    {"conj_id=5,ip,dl_vlan=1", NULL},
    {"dl_type=0x88e7,pbb_isid=0x10/0xff,pbb_uca=1", "dl_type=0x88e7,pbb_isid=0x10/0xff,pbb_uca=1"},
    {"dl_type=0x894f,nsp=5,nsi=7,nshc1=1,nsh_c4=0x10/0xf0,nsh_flags=1,nsh_ttl=3,nsh_mdtype=1,nsh_np=3",
     "dl_type=0x894f,nsh_flags=1,nsh_ttl=3,nsh_mdtype=1,nsh_np=3,nsh_spi=0x5,nsh_si=7,nsh_c1=0x1,nsh_c4=0x10/0xf0"},
    {"packet_type=(1,0x894f),nsh_spi=5", "packet_type=(1,0x894f),nsh_spi=0x5"},
    {"ct_state=+new+trk,ct_nw_src=10.0.0.0/8,ct_nw_proto=6,ct_tp_dst=80,ip",
     "ct_state=+new+trk,ct_nw_src=10.0.0.0/8,ct_nw_proto=6,ct_tp_dst=80,ip"},
    {"ct_state=-inv+trk,ct_ipv6_src=::1,ct_ipv6_dst=fe80::/10,ipv6",
     "ct_state=-inv+trk,ct_ipv6_src=::1,ct_ipv6_dst=fe80::/10,ipv6"},
    {"tun_erspan_ver=2,tun_erspan_idx=0x3,tun_erspan_dir=1,tun_erspan_hwid=0x7/0x7",
     "tun_erspan_ver=2,tun_erspan_idx=0x3,tun_erspan_dir=1,tun_erspan_hwid=0x7/0x7"},
    {"tun_gtpu_flags=0x30,tun_gtpu_msgtype=255", NULL},
    {"in_port=1,in_phy_port=2", NULL},
    {"actset_output=1", NULL},
    {"packet_type=(1,0x800)", NULL},
    {"tp_src=5/7,udp", "udp,tp_src=0x5/0x7"},
    {"udp,tp_dst=80,dl_src=00:00:00:00:00:01", "udp,dl_src=00:00:00:00:00:01,tp_dst=80"},
    {"ct_state=-trk,tcp,reg0=1,tun_id=5,metadata=5,in_port=1,conj_id=1,pkt_mark=1,dl_dst=1:1:1:1:1:1",
     "pkt_mark=0x1,conj_id=1,ct_state=-trk,tcp,reg0=0x1,tun_id=0x5,metadata=0x5,in_port=1,dl_dst=01:01:01:01:01:01"},
};

static void texts_are_formatted_as_ovs_ofctl_does(void **state)
{
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        struct match m, again;
        char *error = match_parse(formats[i].in, &m, NULL, NULL), *text;

        if (error)
            fail_msg("%s: %s", formats[i].in, error);
        text = match_format(&m, NULL, NULL);
        assert_string_equal(text, formats[i].out ? formats[i].out : formats[i].in);
        assert_null(match_parse(text, &again, NULL, NULL));
        assert_true(match_equal(&m, &again));
        free(text);
    }
}

static void nonsense_is_refused(void **state)
{
    static const char *const bad[] = {
        "foo=1",
        "in_port=foo",
        "in_port=5000000",
        "nw_src=1.1.1.1",
        "tp_dst=80",
        "ip,tp_dst=80",
        "tcp,udp_src=1",
        "ip,nw_src=1.2.3",
        "ip,nw_src=1.2.3.4/33",
        "ip,nw_frag=3",
        "udp,nw_frag=later,tp_dst=5", /* has no ports */
        "tcp6,nw_frag=later,tcp_flags=+syn",
        "sctp,nw_frag=later,tp_src=5",
        "icmp,nw_frag=later,icmp_type=8",
        "icmp6,nw_frag=later,icmp_code=0",
        "tcp,tcp_flags=+foo",
        "tcp,tcp_flags=+syn+syn",
        "tcp,tcp_flags=syn|",
        "dl_vlan=4096",
        "dl_vlan_pcp=8",
        "reg0=0x10000000f/1",
        "reg0=-1",
        "reg0=",
        "reg0",
        "dl_src=1:2:3:4:5",
        "dl_src=1:2:3:4:5:6:7",
        "arp,arp_op=256",
        "ip,nw_tos=33",
        "icmp6,icmp_type=136,nd_sll=1:1:1:1:1:1",
        "ipv6,ipv6_src=1.2.3.4",
        "packet_type=(1",
        "ct_label=0x1ffffffffffffffffffffffffffffffff",
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct match m;
        char *error = match_parse(bad[i], &m, NULL, NULL);

        if (!error)
            fail_msg("%s is accepted", bad[i]);
        free(error);
    }
}

/* The Flow and Megaflow lines of a real ofproto/trace. */
static void flows_are_formatted_as_trace_does(void **state)
{
    static const struct {
        const char *in, *out;
    } flows[] = {
        {"in_port=1,dl_vlan=5,dl_vlan_pcp=0,udp,nw_dst=10.0.0.5,nw_frag=no",
         "udp,in_port=1,dl_vlan=5,dl_vlan_pcp=0,vlan_tci1=0x0000,dl_src=00:00:00:00:00:00,dl_dst=00:00:00:00:00:00,"
         "nw_src=0.0.0.0,nw_dst=10.0.0.5,nw_tos=0,nw_ecn=0,nw_ttl=0,nw_frag=no,tp_src=0,tp_dst=0"},
        {"in_port=1,arp,arp_op=1",
         "arp,in_port=1,vlan_tci=0x0000,dl_src=00:00:00:00:00:00,dl_dst=00:00:00:00:00:00,arp_spa=0.0.0.0,"
         "arp_tpa=0.0.0.0,arp_op=1,arp_sha=00:00:00:00:00:00,arp_tha=00:00:00:00:00:00"},
        {"in_port=1,tcp6,ipv6_src=::1,tp_dst=80",
         "tcp6,in_port=1,vlan_tci=0x0000,dl_src=00:00:00:00:00:00,dl_dst=00:00:00:00:00:00,ipv6_src=::1,ipv6_dst=::,"
         "ipv6_label=0x00000,nw_tos=0,nw_ecn=0,nw_ttl=0,nw_frag=no,tp_src=0,tp_dst=80,tcp_flags=0"},
        {"in_port=1,mpls,mpls_label=5,mpls_bos=1",
         "mpls,in_port=1,vlan_tci=0x0000,dl_src=00:00:00:00:00:00,dl_dst=00:00:00:00:00:00,mpls_label=5,mpls_tc=0,"
         "mpls_ttl=0,mpls_bos=1"},
        {"in_port=1", "in_port=1,vlan_tci=0x0000,dl_src=00:00:00:00:00:00,dl_dst=00:00:00:00:00:00,dl_type=0x0000"},
        {"in_port=1,tcp,tcp_flags=syn",
         "tcp,in_port=1,vlan_tci=0x0000,dl_src=00:00:00:00:00:00,dl_dst=00:00:00:00:00:00,nw_src=0.0.0.0,"
         "nw_dst=0.0.0.0,nw_tos=0,nw_ecn=0,nw_ttl=0,nw_frag=no,tp_src=0,tp_dst=0,tcp_flags=syn"},
        {"in_port=1,udp,ip_frag=later,nw_dst=10.0.0.1",
         "udp,in_port=1,vlan_tci=0x0000,dl_src=00:00:00:00:00:00,dl_dst=00:00:00:00:00:00,nw_src=0.0.0.0,"
         "nw_dst=10.0.0.1,nw_tos=0,nw_ecn=0,nw_ttl=0,nw_frag=later"},
    };

    for (size_t i = 0; i < sizeof flows / sizeof flows[0]; i++) {
        struct match m;
        char *text;

        assert_null(match_parse(flows[i].in, &m, NULL, NULL));
        text = flow_format(&m.value, NULL, NULL);
        assert_string_equal(text, flows[i].out);
        free(text);
    }
}

static void megaflows(void **state)
{
    struct match m;
    char *text;

    assert_null(match_parse("recirc_id=0,udp,in_port=1,nw_dst=10.0.0.0/8,nw_frag=no", &m, NULL, NULL));
    text = match_format_megaflow(&m, NULL, NULL);
    assert_string_equal(text, "recirc_id=0,eth,udp,in_port=1,nw_dst=10.0.0.0/8,nw_frag=no");
    free(text);

    m.value.pkt.in_port = 2;
    m.mask.pkt.in_port = UINT32_MAX;
    text = megaflow_format(&m.value.pkt, &m.mask.pkt, NULL, NULL);
    assert_string_equal(text, "recirc_id(0),in_port(2),eth_type(0x0800),ipv4(dst=10.0.0.0/8,proto=17,frag=no)");
    free(text);

    assert_null(match_parse("recirc_id=0,dl_vlan=5,tcp,nw_tos=32,tp_dst=80,tcp_flags=+syn", &m, NULL, NULL));
    text = megaflow_format(&m.value.pkt, &m.mask.pkt, NULL, NULL);
    assert_string_equal(text, "recirc_id(0),eth_type(0x8100),vlan(vid=5,pcp=0/0),encap(eth_type(0x0800),"
                              "ipv4(proto=6,tos=0x20/0xfc),tcp(dst=80),tcp_flags(+syn))");
    free(text);
}

/* Ports "p1" to "p9" have these indices. */
static bool port_index(void *arg, const char *text, uint32_t *index)
{
    char *end;

    *index = strtoul(text + (*text == 'p'), &end, 10);
    return end != text && !*end && *index < 10;
}

static void flows_of_the_datapath_are_read_as_they_are_printed(void **state)
{
    static const char *const texts[] = {
        "recirc_id(0),dp_hash(0),in_port(2),eth(src=00:01:02:03:04:05,dst=10:11:12:13:14:15),eth_type(0x0800),"
        "ipv4(src=10.0.0.1,dst=10.0.0.9,proto=17,tos=0x20,ttl=64,frag=no),udp(src=1,dst=53)",
        "in_port(9),eth(src=00:01:02:03:04:05,dst=10:11:12:13:14:15),eth_type(0x8100),vlan(vid=5,pcp=3),encap("
        "eth_type(0x86dd),ipv6(src=::1,dst=fe80::2,proto=58,tclass=0x4,hlimit=255,frag=no),"
        "icmpv6(type=135,code=0),nd(target=fe80::3,sll=00:01:02:03:04:06,tll=00:00:00:00:00:00))",
        "in_port(1),eth_type(0x0806),arp(sip=1.2.3.4,tip=5.6.7.8,op=1,sha=00:01:02:03:04:05,tha=00:00:00:00:00:00)",
        "skb_mark(0x7),in_port(1),eth_type(0x0800),ipv4(proto=6,frag=no),tcp(src=80,dst=81),tcp_flags(+syn)",
        "tunnel(tun_id=0x5,src=192.0.2.2,dst=192.0.2.1,tos=0x3,ttl=64,tp_src=40000,tp_dst=6081,geneve({class=0x102,"
        "type=0x80,len=4,0xa0001}{class=0xffff,type=0x1,len=8,0x10000000f}),flags(+oam)),in_port(1),eth_type(0x0800),"
        "ipv4(tos=0x4)",
        "tunnel(ipv6_src=2001:db8::2,ipv6_dst=2001:db8::1,vxlan(gbp(id=5,flags=0x8)),flags(-df-csum+key)),in_port(1)",
        "tunnel(tun_id=0,erspan(ver=2,idx=0,dir=1,hwid=0x3f)),in_port(1)",
        "tunnel(gtpu(flags=0x30,msgtype=255)),in_port(1)",
    };
    const struct tlv_map maps[] = {{.class = 0x102, .type = 0x80, .len = 4, .index = 3},
                                   {.class = 0xffff, .type = 1, .len = 8, .index = 4}};

    assert_int_equal(tlv_map_mod(TLV_ADD, maps, 2), 0);

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct flow flow, again;
        struct match m;
        char *error = megaflow_parse(texts[i], port_index, NULL, &flow), *text;

        if (error)
            fail_msg("%s: %s", texts[i], error);
        /* Printed in full it is the same flow. */
        match_init_all(&m);
        m.value = flow;
        memset(&m.mask.pkt, 0xff, sizeof m.mask.pkt);
        text = megaflow_format(&m.value.pkt, &m.mask.pkt, NULL, NULL);
        error = megaflow_parse(text, port_index, NULL, &again);
        if (error || memcmp(&flow, &again, sizeof flow))
            fail_msg("%s: printed as %s: %s", texts[i], text, error ? error : "another flow");
        free(text);
    }
    assert_int_equal(tlv_map_mod(TLV_CLEAR, NULL, 0), 0);
}

static void tunnels_are_printed_as_open_vswitch_does(void **state)
{
    const struct tlv_map map = {.class = 0x102, .type = 0x80, .len = 4, .index = 3};
    struct match m;
    char *text;

    assert_int_equal(tlv_map_mod(TLV_ADD, &map, 1), 0);
    match_init_all(&m);
    assert_null(match_parse("tun_id=7,tun_src=192.0.2.2,tun_flags=-oam,tun_metadata3=0xa0001/0xf000f,tun_gbp_id=9,"
                            "tun_erspan_ver=2,tun_erspan_dir=1,tun_gtpu_msgtype=255",
                            &m, NULL, NULL));
    m.value.pkt.tun_tos = 2;
    m.mask.pkt.tun_tos = 3;
    text = megaflow_format(&m.value.pkt, &m.mask.pkt, NULL, NULL);
    assert_string_equal(text, "tunnel(tun_id=0x7,src=192.0.2.2,tos=0x2/0x3,vxlan(gbp(id=9)),"
                              "geneve({class=0x102,type=0x80,len=4,0xa0001/0xf000f}),erspan(ver=2,dir=1),"
                              "gtpu(msgtype=255),flags(-oam))");
    free(text);
    assert_int_equal(tlv_map_mod(TLV_CLEAR, NULL, 0), 0);
}

static void flows_of_the_datapath_that_are_none_are_refused(void **state)
{
    static const char *const texts[] = {"in_port",
                                        "in_port(",
                                        "in_port(77)",
                                        "in_port(1),eth(src=zz)",
                                        "nonsense(1)",
                                        "eth(nonsense=1)",
                                        "eth(src)",
                                        "vlan(vid=4096)",
                                        "udp=5",
                                        "in_port(1),(",
                                        "ipv4(tos=256)",
                                        "vlan(nonsense=1)",
                                        "encap(eth(",
                                        "))",
                                        "in_port(1)),udp(",
                                        "eth_type()",
                                        "tunnel(nonsense=1)",
                                        "tunnel(nonsense(1))",
                                        "tunnel(tp_src=65536)",
                                        "tunnel(vxlan(gbp(id=5)",
                                        "tunnel(vxlan(gbp))",
                                        "tunnel(geneve({class=1,type=1,len=4,0x1}))", /* nothing stands for it */
                                        "tunnel(geneve({class=1))",
                                        "tunnel(geneve(5))"};
    struct flow flow;

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char *error = megaflow_parse(texts[i], port_index, NULL, &flow);

        if (!error)
            fail_msg("%s: taken", texts[i]);
        free(error);
    }
    /* Masks, as dumps have them, are left out; so is what packets here do not have. */
    assert_null(megaflow_parse("skb_priority(0),packet_type(ns=0,id=0),in_port(p1),eth_type(0x0800),"
                               "ipv4(dst=10.0.0.0/255.0.0.0,tos=0/0x3)",
                               port_index, NULL, &flow));
    assert_int_equal(flow.pkt.in_port, 1);
    assert_int_equal(flow.pkt.ipv4_dst, rte_cpu_to_be_32(10 << 24));
}

static void subfields_parse(void **state)
{
    struct subfield sf;
    char *error;

    assert_null(subfield_parse("NXM_NX_REG0[0..15]", &sf));
    assert_int_equal(sf.field->id, FIELD_REG0);
    assert_int_equal(sf.n_bits, 16);
    assert_null(subfield_parse("reg3[7]", &sf));
    assert_int_equal(sf.ofs, 7);
    assert_int_equal(sf.n_bits, 1);
    assert_null(subfield_parse("eth_src", &sf));
    assert_int_equal(sf.n_bits, 48);
    assert_null(subfield_parse("OXM_OF_VLAN_VID[]", &sf));
    assert_int_equal(sf.n_bits, 12);
    for (const char *const *bad = (const char *const[]){"foo[]", "reg0[32]", "reg0[3..1]", "reg0[", "reg0[1", NULL};
         *bad; bad++) {
        error = subfield_parse(*bad, &sf);
        assert_non_null(error);
        free(error);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_formatted_as_ovs_ofctl_does),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(flows_are_formatted_as_trace_does),
        cmocka_unit_test(megaflows),
        cmocka_unit_test(flows_of_the_datapath_are_read_as_they_are_printed),
        cmocka_unit_test(tunnels_are_printed_as_open_vswitch_does),
        cmocka_unit_test(flows_of_the_datapath_that_are_none_are_refused),
        cmocka_unit_test(subfields_parse),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
