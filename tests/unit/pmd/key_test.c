/* Keys of packets of all protocols, whole, cut and damaged, by every way that makes them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/key.h"
#include "pmd/key_inline.h"
#include "tests/lib/packets.h"

#define IN_PORT 7

#define UDP "0035 1f90 0008 0000 "
#define TCP(offset_flags) "1234 0050 00000001 00000002 " offset_flags " ffff 0000 0000 "
#define SCTP "1234 0050 deadbeef 00000000 "
#define ICMP "08 00 0000 1234 0001 "

#define K_ETH .eth_dst = {{2, 0, 0, 0, 0, 2}}, .eth_src = {{2, 0, 0, 0, 0, 1}}
#define K_TYPE(type) K_ETH, .eth_type = RTE_BE16(type)
#define K_IP4                                                                                                          \
    K_TYPE(0x0800), .ipv4_src = RTE_BE32(0x0a000001), .ipv4_dst = RTE_BE32(0x0a000002), .ip_tos = 0xb8, .ip_ttl = 0x40
#define K_IP6                                                                                                          \
    K_TYPE(0x86dd), .ipv6_src = {0x20, 0x01, 0x0d, 0xb8, [15] = 1}, .ipv6_dst = {0x20, 0x01, 0x0d, 0xb8, [15] = 2},    \
                    .ip_tos = 0xb8, .ip_ttl = 0x40, .ipv6_label = RTE_BE32(0x12345)
#define K_PORTS(src, dst) .tp_src = RTE_BE16(src), .tp_dst = RTE_BE16(dst)
#define K_UDP .ip_proto = 17, K_PORTS(0x35, 0x1f90)
#define K_TCP(flags) .ip_proto = 6, K_PORTS(0x1234, 0x50), .tcp_flags = RTE_BE16(flags)
#define K_TARGET                                                                                                       \
    {                                                                                                                  \
        0xfe, 0x80, [15] = 9                                                                                           \
    }
#define K_ARP                                                                                                          \
    .ipv4_src = RTE_BE32(0x0a000001), .ipv4_dst = RTE_BE32(0x0a000002), .arp_sha = {{2, 0, 0, 0, 0, 1}},               \
    .arp_tha = {{0, 0, 0, 0, 0, 3}}

static const struct packet_case {
    const char *name;
    const char *hex;
    unsigned n_lines;
    struct flow_key key; /* but for in_port */
    struct packet_layers layers;
} cases[] = {
    {"unknown type", MACS "9000 0102", 1, {K_TYPE(0x9000)}, {.eth_type = 0x9000}},
    {"bare header", MACS "0800", 1, {K_TYPE(0x0800)}, {.eth_type = 0x0800}},
    {"udp", MACS "0800" IP4("001c", "0000", "11") UDP, 1, {K_IP4, K_UDP}, {0x0800, .l3 = 14, .l4 = 34, .ip_proto = 17}},
    {"udp, DF, padding",
     MACS "0800" IP4("001c", "4000", "11") UDP "0000000000000000",
     1,
     {K_IP4, K_UDP},
     {0x0800, .l3 = 14, .l4 = 34, .ip_proto = 17}},
    {"tcp",
     MACS "0800" IP4("0028", "0000", "06") TCP("5012"),
     1,
     {K_IP4, K_TCP(0x012)},
     {0x0800, .l3 = 14, .l4 = 34, .ip_proto = 6}},
    {"tcp, 12 flag bits and options",
     MACS "0800" IP4("002c", "0000", "06") TCP("6fff") "01010100",
     1,
     {K_IP4, K_TCP(0xfff)},
     {0x0800, .l3 = 14, .l4 = 34, .ip_proto = 6}},
    {"tcp, offset 4",
     MACS "0800" IP4("0028", "0000", "06") TCP("4012"),
     1,
     {K_IP4, .ip_proto = 6},
     {0x0800, .l3 = 14, .ip_proto = 6}},
    {"tcp, offset past the payload",
     MACS "0800" IP4("0028", "0000", "06") TCP("6012") "00000000",
     1,
     {K_IP4, .ip_proto = 6},
     {0x0800, .l3 = 14, .ip_proto = 6}},
    {"sctp",
     MACS "0800" IP4("0020", "0000", "84") SCTP,
     1,
     {K_IP4, .ip_proto = 132, K_PORTS(0x1234, 0x50)},
     {0x0800, .l3 = 14, .l4 = 34, .ip_proto = 132}},
    {"icmp",
     MACS "0800" IP4("001c", "0000", "01") ICMP,
     1,
     {K_IP4, .ip_proto = 1, K_PORTS(8, 0)},
     {0x0800, .l3 = 14, .l4 = 34, .ip_proto = 1}},
    {"icmpv6 in ipv4",
     MACS "0800" IP4("001c", "0000", "3a") ICMP,
     1,
     {K_IP4, .ip_proto = 58},
     {0x0800, .l3 = 14, .ip_proto = 58}},
    {"unknown protocol",
     MACS "0800" IP4("001c", "0000", "fd") UDP,
     1,
     {K_IP4, .ip_proto = 0xfd},
     {0x0800, .l3 = 14, .ip_proto = 0xfd}},
    {"ip options",
     MACS "0800" IP4_FULL("46", "0020", "0000", "11") "01010100" UDP,
     1,
     {K_IP4, K_UDP},
     {0x0800, .l3 = 14, .l4 = 38, .ip_proto = 17}},
    {"first fragment",
     MACS "0800" IP4("001c", "2000", "11") UDP,
     1,
     {K_IP4, K_UDP, .ip_frag = IP_FRAG_ANY},
     {0x0800, .l3 = 14, .l4 = 34, .ip_proto = 17}},
    {"later fragment",
     MACS "0800" IP4("001c", "2001", "11") UDP,
     1,
     {K_IP4, .ip_proto = 17, .ip_frag = IP_FRAG_ANY | IP_FRAG_LATER},
     {0x0800, .l3 = 14, .ip_proto = 17, .later_fragment = true}},
    {"last fragment",
     MACS "0800" IP4("001c", "0001", "11") UDP,
     1,
     {K_IP4, .ip_proto = 17, .ip_frag = IP_FRAG_ANY | IP_FRAG_LATER},
     {0x0800, .l3 = 14, .ip_proto = 17, .later_fragment = true}},
    {"ip version 6 in 0x0800", MACS "0800" IP4_FULL("65", "001c", "0000", "11") UDP, 1, {K_TYPE(0x0800)}, {0x0800}},
    {"ihl 4", MACS "0800" IP4_FULL("44", "001c", "0000", "11") UDP, 1, {K_TYPE(0x0800)}, {0x0800}},
    {"ihl past the total length", MACS "0800" IP4_FULL("4f", "001c", "0000", "11") UDP, 1, {K_TYPE(0x0800)}, {0x0800}},
    {"total length below the header", MACS "0800" IP4("0013", "0000", "11") UDP, 1, {K_TYPE(0x0800)}, {0x0800}},
    {"total length past the data", MACS "0800" IP4("001d", "0000", "11") UDP, 1, {K_TYPE(0x0800)}, {0x0800}},
    {"total length 0", MACS "0800" IP4("0000", "0000", "11") UDP, 1, {K_TYPE(0x0800)}, {0x0800}},
    {"udp header in the padding",
     MACS "0800" IP4("001b", "0000", "11") UDP,
     1,
     {K_IP4, .ip_proto = 17},
     {0x0800, .l3 = 14, .ip_proto = 17}},

    {"vlan",
     MACS "8100 a005 0800" IP4("001c", "0000", "11") UDP,
     1,
     {K_IP4, K_UDP, .vlan_tci = {RTE_BE16(0xb005)}},
     {0x0800, .vlan = 12, .l3 = 18, .l4 = 38, .ip_proto = 17}},
    {"vlan, tcp",
     MACS "8100 0005 0800" IP4("0028", "0000", "06") TCP("5002"),
     1,
     {K_IP4, K_TCP(2), .vlan_tci = {RTE_BE16(0x1005)}},
     {0x0800, .vlan = 12, .l3 = 18, .l4 = 38, .ip_proto = 6}},
    {"priority tag",
     MACS "8100 0000 0800" IP4("001c", "0000", "11") UDP,
     1,
     {K_IP4, K_UDP, .vlan_tci = {RTE_BE16(0x1000)}},
     {0x0800, .vlan = 12, .l3 = 18, .l4 = 38, .ip_proto = 17}},
    {"two tags",
     MACS "88a8 0064 8100 e0c8 0800" IP4("001c", "0000", "11") UDP,
     1,
     {K_IP4, K_UDP, .vlan_tci = {RTE_BE16(0x1064), RTE_BE16(0xf0c8)}},
     {0x0800, .vlan = 12, .l3 = 22, .l4 = 42, .ip_proto = 17}},
    {"three tags",
     MACS "8100 0001 8100 0002 8100 0003 0800",
     1,
     {K_TYPE(0x8100), .vlan_tci = {RTE_BE16(0x1001), RTE_BE16(0x1002)}},
     {0x8100, .vlan = 12}},
    {"tag without a type", MACS "8100 0005", 1, {K_TYPE(0x8100)}, {0x8100}},
    {"not a tag here", MACS "9100 0005 0800", 1, {K_TYPE(0x9100)}, {0x9100}},

    {"802.3, llc", MACS "0026 424203 0000000000", 1, {K_TYPE(ETH_TYPE_NONE)}, {ETH_TYPE_NONE}},
    {"802.3, no llc", MACS "0002 4242", 1, {K_TYPE(ETH_TYPE_NONE)}, {ETH_TYPE_NONE}},
    {"snap",
     MACS "0024 aaaa03000000 0800" IP4("001c", "0000", "11") UDP,
     1,
     {K_IP4, K_UDP},
     {0x0800, .l3 = 22, .l4 = 42, .ip_proto = 17}},
    {"snap behind a tag",
     MACS "8100 0005 0024 aaaa03000000 0800" IP4("001c", "0000", "11") UDP,
     1,
     {K_IP4, K_UDP, .vlan_tci = {RTE_BE16(0x1005)}},
     {0x0800, .vlan = 12, .l3 = 26, .l4 = 46, .ip_proto = 17}},
    {"snap of another OUI", MACS "0024 aaaa0300000c 2000 0000", 1, {K_TYPE(ETH_TYPE_NONE)}, {ETH_TYPE_NONE}},
    {"snap with a length in it", MACS "0024 aaaa03000000 05ff 0000", 1, {K_TYPE(ETH_TYPE_NONE)}, {ETH_TYPE_NONE}},

    {"arp", MACS "0806" ARP("0001"), 2, {K_TYPE(0x0806), K_ARP, .ip_proto = 1}, {0x0806, .l3 = 14}},
    {"rarp", MACS "8035" ARP("0003"), 2, {K_TYPE(0x8035), K_ARP, .ip_proto = 3}, {0x8035, .l3 = 14}},
    {"arp opcode above 255", MACS "0806" ARP("0101"), 2, {K_TYPE(0x0806), K_ARP}, {0x0806, .l3 = 14}},
    {"arp of another network",
     MACS "0806 0006 0800 06 04 0001 020000000001 0a000001 000000000000 0a000002",
     1,
     {K_TYPE(0x0806)},
     {0x0806}},
    {"arp for another protocol",
     MACS "0806 0001 86dd 06 04 0001 020000000001 0a000001 000000000000 0a000002",
     1,
     {K_TYPE(0x0806)},
     {0x0806}},

    {"one label",
     MACS "8847 00064140 45",
     3,
     {K_TYPE(0x8847), .mpls_lse = {RTE_BE32(0x00064140)}},
     {0x8847, .mpls = 14}},
    {"four labels",
     MACS "8848 00001040 00002040 00003040 00004140",
     3,
     {K_TYPE(0x8848), .mpls_lse = {RTE_BE32(0x1040), RTE_BE32(0x2040), RTE_BE32(0x3040)}},
     {0x8848, .mpls = 14}},
    {"labels behind a tag",
     MACS "8100 0005 8847 00001040 00002140 00003040",
     3,
     {K_TYPE(0x8847), .vlan_tci = {RTE_BE16(0x1005)}, .mpls_lse = {RTE_BE32(0x1040), RTE_BE32(0x2140)}},
     {0x8847, .vlan = 12, .mpls = 18}},

    {"pbb",
     MACS "88e7 0f123456 020000000004 020000000003 0800",
     3,
     {K_TYPE(0x88e7), .pbb_isid = RTE_BE32(0x123456), .pbb_uca = 1},
     {0x88e7}},
    {"pbb, uca clear",
     MACS "88e7 f7123456 020000000004 020000000003 0800",
     3,
     {K_TYPE(0x88e7), .pbb_isid = RTE_BE32(0x123456)},
     {0x88e7}},

    {"ipv6 udp",
     MACS "86dd" IP6("0008", "11") UDP "0000",
     2,
     {K_IP6, K_UDP},
     {0x86dd, .l3 = 14, .l4 = 54, .ip_proto = 17}},
    {"ipv6 tcp",
     MACS "86dd" IP6("0014", "06") TCP("5010"),
     2,
     {K_IP6, K_TCP(0x10)},
     {0x86dd, .l3 = 14, .l4 = 54, .ip_proto = 6}},
    {"ipv6 icmp of ipv4",
     MACS "86dd" IP6("0008", "01") ICMP,
     2,
     {K_IP6, .ip_proto = 1},
     {0x86dd, .l3 = 14, .ip_proto = 1}},
    {"icmpv6 echo",
     MACS "86dd" IP6("0008", "3a") "80 00 0000 00010001",
     2,
     {K_IP6, .ip_proto = 58, K_PORTS(128, 0)},
     {0x86dd, .l3 = 14, .l4 = 54, .ip_proto = 58}},
    {"ipv6 all zero",
     MACS "86dd 60000000 0000 00 00"
          "00000000000000000000000000000000 00000000000000000000000000000000",
     1,
     {K_TYPE(0x86dd)},
     {0x86dd, .l3 = 14, .cut = true}},
    {"ipv6 version 4", MACS "86dd" IP6_FULL("4b812345", "0008", "11") UDP, 1, {K_TYPE(0x86dd)}, {0x86dd}},
    {"ipv6 payload past the data", MACS "86dd" IP6("0009", "11") UDP, 1, {K_TYPE(0x86dd)}, {0x86dd}},
    {"ipv6 payload length 0",
     MACS "86dd" IP6("0000", "11") UDP,
     2,
     {K_IP6, .ip_proto = 17},
     {0x86dd, .l3 = 14, .ip_proto = 17}},
    {"ipv6 no next header",
     MACS "86dd" IP6("0000", "3b"),
     3,
     {K_IP6, .ip_proto = 59, .ipv6_exthdr = IPV6_EH_NONEXT},
     {0x86dd, .l3 = 14, .ip_proto = 59}},
    {"ipv6 esp",
     MACS "86dd" IP6("0008", "32") UDP,
     3,
     {K_IP6, .ip_proto = 50, .ipv6_exthdr = IPV6_EH_ESP},
     {0x86dd, .l3 = 14, .ip_proto = 50}},
    {"every header in order",
     MACS
     "86dd" IP6("004c", "00") "3c00000000000000 2b00000000000000 2c00000000000000"
                              "3300000000000001 3c04000000000000 0000000000000000 0000000000000000 1100000000000000" UDP
                              "00000000",
     3,
     {K_IP6, K_UDP, .ipv6_exthdr = IPV6_EH_HOP | IPV6_EH_DEST | IPV6_EH_ROUTER | IPV6_EH_FRAG | IPV6_EH_AUTH},
     {0x86dd, .l3 = 14, .l4 = 118, .ip_proto = 17, .naming = 110}},
    {"hop-by-hop twice",
     MACS "86dd" IP6("0018", "00") "0000000000000000 1100000000000000" UDP,
     3,
     {K_IP6, K_UDP, .ipv6_exthdr = IPV6_EH_HOP | IPV6_EH_UNREP},
     {0x86dd, .l3 = 14, .l4 = 70, .ip_proto = 17, .naming = 62}},
    {"hop-by-hop not first",
     MACS "86dd" IP6("0018", "3c") "0000000000000000 1100000000000000" UDP,
     3,
     {K_IP6, K_UDP, .ipv6_exthdr = IPV6_EH_DEST | IPV6_EH_UNSEQ},
     {0x86dd, .l3 = 14, .l4 = 70, .ip_proto = 17, .naming = 62}},
    {"destination options twice",
     MACS "86dd" IP6("0018", "3c") "3c00000000000000 1100000000000000" UDP,
     3,
     {K_IP6, K_UDP, .ipv6_exthdr = IPV6_EH_DEST},
     {0x86dd, .l3 = 14, .l4 = 70, .ip_proto = 17, .naming = 62}},
    {"destination options three times",
     MACS "86dd" IP6("0020", "3c") "3c00000000000000 3c00000000000000 1100000000000000" UDP,
     3,
     {K_IP6, K_UDP, .ipv6_exthdr = IPV6_EH_DEST | IPV6_EH_UNREP},
     {0x86dd, .l3 = 14, .l4 = 78, .ip_proto = 17, .naming = 70}},
    {"routing behind a fragment",
     MACS "86dd" IP6("0018", "2c") "2b00000000000000 1100000000000000" UDP,
     3,
     {K_IP6, K_UDP, .ipv6_exthdr = IPV6_EH_FRAG | IPV6_EH_ROUTER | IPV6_EH_UNSEQ},
     {0x86dd, .l3 = 14, .l4 = 70, .ip_proto = 17, .naming = 62}},
    {"ipv6 first fragment",
     MACS "86dd" IP6("0010", "2c") "1100000100000001" UDP,
     3,
     {K_IP6, K_UDP, .ip_frag = IP_FRAG_ANY, .ipv6_exthdr = IPV6_EH_FRAG},
     {0x86dd, .l3 = 14, .l4 = 62, .ip_proto = 17, .naming = 54}},
    {"ipv6 later fragment",
     MACS "86dd" IP6("0010", "2c") "1100000800000001" UDP,
     3,
     {K_IP6, .ip_proto = 44, .ip_frag = IP_FRAG_ANY | IP_FRAG_LATER, .ipv6_exthdr = IPV6_EH_FRAG},
     {0x86dd, .l3 = 14, .ip_proto = 44, .later_fragment = true, .naming = 54}},
    {"ipv6 atomic fragment",
     MACS "86dd" IP6("0010", "2c") "1100000000000001" UDP,
     3,
     {K_IP6, K_UDP, .ipv6_exthdr = IPV6_EH_FRAG},
     {0x86dd, .l3 = 14, .l4 = 62, .ip_proto = 17, .naming = 54}},
    {"ipv6 later fragment behind hop-by-hop options, to other destinations first",
     MACS "86dd" IP6("0020", "00") "2b00000000000000 2c00000100000000 1100000800000001" UDP,
     3,
     {K_IP6, .ip_proto = 44, .ip_frag = IP_FRAG_ANY | IP_FRAG_LATER,
      .ipv6_exthdr = IPV6_EH_HOP | IPV6_EH_ROUTER | IPV6_EH_FRAG},
     {0x86dd, .l3 = 14, .ip_proto = 44, .later_fragment = true, .naming = 70, .routed = true}},
    {"mobility header", /* RFC 6275: not looked behind */
     MACS "86dd" IP6("0010", "87") "1100000000000000" UDP,
     2,
     {K_IP6, .ip_proto = 135},
     {0x86dd, .l3 = 14, .ip_proto = 135}},
    {"extension header cut short by the payload",
     MACS "86dd" IP6("0008", "3c") "1101000000000000" UDP,
     2,
     {K_IP6, .ip_proto = 60},
     {0x86dd, .l3 = 14, .ip_proto = 60, .cut = true}},
    {"second extension header cut short",
     MACS "86dd" IP6("000c", "00") "3c00000000000000 11000000",
     3,
     {K_IP6, .ip_proto = 60, .ipv6_exthdr = IPV6_EH_HOP},
     {0x86dd, .l3 = 14, .ip_proto = 60, .naming = 54, .cut = true}},

    {"gre over ipv4",
     MACS "0800" IP4("002e", "4000", "2f") "2000 6558 0000002a 020000000002 020000000001 0806 00000000",
     1,
     {K_IP4, .ip_proto = 47},
     {0x0800, .l3 = 14, .ip_proto = 47}},
    {"gre over ipv4, of nothing",
     MACS "0800" IP4("0014", "0000", "2f"),
     1,
     {K_IP4, .ip_proto = 47},
     {0x0800, .l3 = 14, .ip_proto = 47}},
    {"gre over ipv6",
     MACS "86dd" IP6("001c", "2f") "2000 6558 0000002a 020000000002 020000000001 0806 00000000 0000",
     2,
     {K_IP6, .ip_proto = 47},
     {0x86dd, .l3 = 14, .ip_proto = 47}},

    {"neighbor solicitation",
     MACS "86dd" IP6("0020", "3a") "87 00 0000 00000000" TARGET "0101 020000000005",
     3,
     {K_IP6, .ip_proto = 58, K_PORTS(135, 0), .nd_target = K_TARGET, .arp_sha = {{2, 0, 0, 0, 0, 5}},
      .nd_options_type = 1},
     {0x86dd, .l3 = 14, .l4 = 54, .ip_proto = 58}},
    {"neighbor advertisement",
     MACS "86dd" IP6("0028", "3a") "88 00 0000 60000000" TARGET "0e01 000000000000 0201 020000000005",
     3,
     {K_IP6, .ip_proto = 58, K_PORTS(136, 0), .nd_target = K_TARGET, .arp_tha = {{2, 0, 0, 0, 0, 5}},
      .nd_options_type = 2, .nd_reserved = RTE_BE32(0x60000000)},
     {0x86dd, .l3 = 14, .l4 = 54, .ip_proto = 58}},
    {"solicitation with a target address option",
     MACS "86dd" IP6("0020", "3a") "87 00 0000 00000000" TARGET "0201 020000000005",
     2,
     {K_IP6, .ip_proto = 58, K_PORTS(135, 0), .nd_target = K_TARGET},
     {0x86dd, .l3 = 14, .l4 = 54, .ip_proto = 58}},
    {"solicitation, code 1",
     MACS "86dd" IP6("0020", "3a") "87 01 0000 00000000" TARGET "0101 020000000005",
     2,
     {K_IP6, .ip_proto = 58, K_PORTS(135, 1)},
     {0x86dd, .l3 = 14, .l4 = 54, .ip_proto = 58}},
    {"solicitation without a target",
     MACS "86dd" IP6("0010", "3a") "87 00 0000 00000000 fe80000000000000",
     2,
     {K_IP6, .ip_proto = 58, K_PORTS(135, 0)},
     {0x86dd, .l3 = 14, .l4 = 54, .ip_proto = 58}},
    {"option twice",
     MACS "86dd" IP6("0028", "3a") "87 00 0000 00000000" TARGET "0101 020000000005 0101 020000000006",
     2,
     {K_IP6, .ip_proto = 58, K_PORTS(135, 0), .nd_target = K_TARGET},
     {0x86dd, .l3 = 14, .l4 = 54, .ip_proto = 58}},
    {"option of length 0",
     MACS "86dd" IP6("0028", "3a") "87 00 0000 00000000" TARGET "0101 020000000005 0100 000000000000",
     2,
     {K_IP6, .ip_proto = 58, K_PORTS(135, 0), .nd_target = K_TARGET},
     {0x86dd, .l3 = 14, .l4 = 54, .ip_proto = 58}},
    {"option past the end",
     MACS "86dd" IP6("0028", "3a") "87 00 0000 00000000" TARGET "0101 020000000005 0e02 000000000000",
     2,
     {K_IP6, .ip_proto = 58, K_PORTS(135, 0), .nd_target = K_TARGET},
     {0x86dd, .l3 = 14, .l4 = 54, .ip_proto = 58}},
};

/* A packet in heap buffers of exactly the size of each segment, so that ASan sees every byte too far. `split` is the
 * length of each segment but the last (0: one segment). */
static struct rte_mbuf *packet_make(const uint8_t *data, size_t len, size_t split)
{
    struct rte_mbuf *head = NULL, **link = &head;
    uint16_t n = 0;
    size_t at = 0;

    do {
        const size_t seg = split == 0 || len - at < split ? len - at : split;
        struct rte_mbuf *m = aligned_alloc(64, sizeof *m);
        memset(m, 0, sizeof *m);
        m->buf_addr = malloc(seg);
        memcpy(m->buf_addr, data + at, seg);
        m->data_len = seg;
        *link = m;
        link = &m->next;
        at += seg;
        n++;
    } while (at < len);
    head->pkt_len = len;
    head->nb_segs = n;
    return head;
}

static struct rte_mbuf *packet_make_two(const uint8_t *data, size_t len, size_t first)
{
    struct rte_mbuf *head = packet_make(data, first, 0);

    head->next = packet_make(data + first, len - first, 0);
    head->nb_segs = 2;
    head->pkt_len = len;
    return head;
}

static void packet_free(struct rte_mbuf *m)
{
    for (struct rte_mbuf *next; m; m = next) {
        next = m->next;
        free(m->buf_addr);
        free(m);
    }
}

static unsigned parse(const struct rte_mbuf *m, struct flow_key *key)
{
    memset(key, 0xa5, sizeof *key);
    return flow_key_parse(m, IN_PORT, key);
}

static void every_case_gives_its_key(void **state)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct packet_case *c = &cases[i];
        struct flow_key key, expected = c->key, slow;
        struct packet_layers layers;
        uint8_t data[512];
        struct rte_mbuf *m = packet_make(data, packet_from_hex(c->hex, data), 0);

        print_message("%s\n", c->name);
        expected.in_port = IN_PORT;
        assert_int_equal(parse(m, &key), c->n_lines);
        assert_memory_equal(&key, &expected, sizeof key);
        memset(&slow, 0, sizeof slow);
        assert_int_equal(flow_key_parse_general(m, IN_PORT, &slow), c->n_lines);
        assert_memory_equal(&slow, &key, sizeof key);

        memset(&layers, 0xa5, sizeof layers);
        packet_layers_find(m, &layers);
        assert_int_equal(layers.eth_type, c->layers.eth_type);
        assert_int_equal(layers.vlan, c->layers.vlan);
        assert_int_equal(layers.mpls, c->layers.mpls);
        assert_int_equal(layers.nsh, c->layers.nsh);
        assert_int_equal(layers.l3, c->layers.l3);
        assert_int_equal(layers.l4, c->layers.l4);
        assert_int_equal(layers.ip_proto, c->layers.ip_proto);
        assert_int_equal(layers.later_fragment, c->layers.later_fragment);
        assert_int_equal(layers.fragment, key.ip_frag != 0);
        assert_int_equal(layers.routed, c->layers.routed);
        assert_int_equal(layers.cut, c->layers.cut);
        assert_int_equal(layers.naming, c->layers.naming);
        packet_free(m);
    }
}

/* Every byte of `part` is zero or as in `whole`, but for the fields that name a layer. */
static void assert_no_half_fields(const struct flow_key *part, const struct flow_key *whole)
{
    struct flow_key a = *part, b = *whole;

    a.eth_type = b.eth_type = 0;
    a.ip_proto = b.ip_proto = 0;
    assert_int_equal(a.ipv6_exthdr & ~b.ipv6_exthdr, 0);
    a.ipv6_exthdr = b.ipv6_exthdr = 0;
    for (size_t i = 0; i < sizeof a; i++)
        assert_true(((uint8_t *)&a)[i] == 0 || ((uint8_t *)&a)[i] == ((uint8_t *)&b)[i]);
}

static void packets_cut_at_every_length(void **state)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t data[512];
        const size_t len = packet_from_hex(cases[i].hex, data);
        struct flow_key whole = cases[i].key;

        whole.in_port = IN_PORT;
        for (size_t cut = 0; cut <= len; cut++) {
            struct rte_mbuf *m = packet_make(data, cut, 0);
            struct flow_key key, slow;
            struct packet_layers layers;
            const unsigned n = parse(m, &key);

            memset(&slow, 0, sizeof slow);
            assert_int_equal(flow_key_parse_general(m, IN_PORT, &slow), n);
            assert_memory_equal(&slow, &key, sizeof key);
            packet_layers_find(m, &layers);
            if (cut < 14) {
                assert_int_equal(n, 0);
                assert_int_equal(layers.eth_type, 0);
            } else {
                assert_int_equal(n, flow_key_lines_used(&key));
                assert_no_half_fields(&key, &whole);
            }
            packet_free(m);
        }
    }
}

static void segmentation_does_not_show(void **state)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t data[512];
        const size_t len = packet_from_hex(cases[i].hex, data);
        struct rte_mbuf *linear = packet_make(data, len, 0);
        struct flow_key expected, key;
        const unsigned n = parse(linear, &expected);

        for (size_t first = 0; first <= len; first++) {
            struct rte_mbuf *m = packet_make_two(data, len, first);
            struct packet_layers layers;
            assert_int_equal(parse(m, &key), n);
            assert_memory_equal(&key, &expected, sizeof key);
            packet_layers_find(m, &layers); /* within the first segment */
            assert_true(layers.l4 < first || layers.l4 == 0);
            packet_free(m);
        }
        for (size_t split = 1; split < 8; split++) {
            struct rte_mbuf *m = packet_make(data, len, split);
            assert_int_equal(parse(m, &key), n);
            assert_memory_equal(&key, &expected, sizeof key);
            packet_free(m);
        }
        packet_free(linear);
    }
}

static uint64_t random_next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Bytes changed at random: the straight line and the general parser agree, also when the packet is in pieces. */
static void fast_and_slow_agree_on_damaged_packets(void **state)
{
    uint64_t seed = 88172645463325252ull;

    for (unsigned round = 0; round < 60000; round++) {
        uint8_t data[512];
        const struct packet_case *c = &cases[random_next(&seed) % (sizeof cases / sizeof cases[0])];
        size_t len = packet_from_hex(c->hex, data);
        struct flow_key key, slow, split;

        for (unsigned n = random_next(&seed) % 4; n > 0; n--)
            data[12 + random_next(&seed) % (len - 12)] = random_next(&seed);
        len -= random_next(&seed) % 4 == 0 ? random_next(&seed) % (len - 13) : 0;
        struct rte_mbuf *m = packet_make(data, len, 0);
        struct rte_mbuf *pieces = packet_make(data, len, 1 + random_next(&seed) % 60);
        const unsigned n = parse(m, &key);
        memset(&slow, 0, sizeof slow);
        assert_int_equal(flow_key_parse_general(m, IN_PORT, &slow), n);
        assert_memory_equal(&slow, &key, sizeof key);
        assert_int_equal(parse(pieces, &split), n);
        assert_memory_equal(&split, &key, sizeof key);
        assert_int_equal(flow_key_lines_used(&key), n);
        packet_free(m);
        packet_free(pieces);
    }
}

/* 256 bytes in, nothing more is parsed: 60 bytes of headers, 24 extension headers of 8, then TCP. */
static void what_lies_behind_the_window_is_not_parsed(void **state)
{
    uint8_t data[512] = {0};
    struct flow_key key;

    size_t len = packet_from_hex(MACS "86dd" IP6("00e0", "3c"), data);

    for (unsigned i = 0; i < 25; i++, len += 8)
        data[len] = i == 24 ? 6 : 60;
    data[len + 12] = 0x50;
    struct rte_mbuf *m = packet_make(data, 54 + 0xe0, 0);
    assert_int_equal(parse(m, &key), 3);
    assert_int_equal(key.ip_proto, 6);
    assert_int_equal(key.tcp_flags, 0);
    struct rte_mbuf *pieces = packet_make(data, 54 + 0xe0, 100);
    struct flow_key split;
    assert_int_equal(parse(pieces, &split), 3);
    assert_memory_equal(&key, &split, sizeof key);
    packet_free(m);
    packet_free(pieces);
}

static void a_burst_gives_the_keys_of_its_packets(void **state)
{
    enum { N = sizeof cases / sizeof cases[0] };
    static struct flow_key keys[N];
    struct rte_mbuf *packets[N];
    uint8_t n_lines[N];

    memset(keys, 0xa5, sizeof keys);
    for (size_t i = 0; i < N; i++) {
        uint8_t data[512];
        packets[i] = packet_make(data, packet_from_hex(cases[i].hex, data), 0);
    }
    flow_key_parse_burst(packets, N, IN_PORT, keys, n_lines);
    for (size_t i = 0; i < N; i++) {
        struct flow_key key;
        assert_int_equal(n_lines[i], parse(packets[i], &key));
        assert_memory_equal(&keys[i], &key, n_lines[i] * FLOW_KEY_LINE);
        packet_free(packets[i]);
    }
}

static void every_bit_of_the_used_lines_is_in_the_hash(void **state)
{
    struct flow_key key;
    uint8_t *bytes = (uint8_t *)&key;

    for (unsigned fill = 0; fill < 2; fill++) {
        for (unsigned n = 1; n <= FLOW_KEY_LINES; n++) {
            for (size_t i = 0; i < sizeof key; i++)
                bytes[i] = fill ? i * 37 + 11 : 0;
            const uint32_t hash = flow_key_hash(&key, n);
            assert_int_equal(hash, flow_key_hash(&key, n));
            for (size_t bit = 0; bit < sizeof key * 8; bit++) {
                bytes[bit / 8] ^= 1 << bit % 8;
                if (bit < n * FLOW_KEY_LINE * 8)
                    assert_int_not_equal(flow_key_hash(&key, n), hash);
                else
                    assert_int_equal(flow_key_hash(&key, n), hash);
                bytes[bit / 8] ^= 1 << bit % 8;
            }
        }
    }
}

static void lines_used_counts_to_the_last_bit(void **state)
{
    struct flow_key key = {0};

    assert_int_equal(flow_key_lines_used(&key), 1);
    for (size_t i = 0; i < sizeof key; i++) {
        ((uint8_t *)&key)[i] = 1;
        assert_int_equal(flow_key_lines_used(&key), i / FLOW_KEY_LINE + 1);
        ((uint8_t *)&key)[i] = 0;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_case_gives_its_key),
        cmocka_unit_test(packets_cut_at_every_length),
        cmocka_unit_test(segmentation_does_not_show),
        cmocka_unit_test(fast_and_slow_agree_on_damaged_packets),
        cmocka_unit_test(what_lies_behind_the_window_is_not_parsed),
        cmocka_unit_test(a_burst_gives_the_keys_of_its_packets),
        cmocka_unit_test(every_bit_of_the_used_lines_is_in_the_hash),
        cmocka_unit_test(lines_used_counts_to_the_last_bit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
