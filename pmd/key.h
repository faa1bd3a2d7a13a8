/* The flow key: everything of a packet that a rule could ever look at, flat, in whole cache lines.
 *
 * Line 0 holds all that an untunnelled IPv4 packet can have, so that the common lookup is one 64-byte masked compare.
 * A key uses `n_lines` of its lines (1 to FLOW_KEY_LINES); lines past that are all zero. A mask has the same layout.
 * Parsing is done by poll-mode threads and by the control thread (misses, packet-out, trace); it has no state.
 * All fields are in network byte order unless said otherwise.
 *
 * Where fields share their place, the Ethernet type tells which it is: whoever looks at one has to know the type. NSH
 * is where IPv6 addresses are, the IPv6 addresses of connection tracking where labels, PBB and the IPv4 ones are; so
 * neither costs a line. Tunnel options cannot be so modest. 128 bytes of them, in lines of their own, is what a mask of
 * words in 64 bits (src/match/minimatch.h) leaves room for; packets without options pay nothing, as parsing neither
 * clears nor looks at these lines.
 */
#ifndef PMD_KEY_H
#define PMD_KEY_H

#include <rte_byteorder.h>
#include <rte_ether.h>
#include <rte_mbuf.h>
#include <stdbool.h>
#include <stdint.h>

#define FLOW_KEY_LINE 64
#define FLOW_KEY_LINES 6
#define FLOW_KEY_PACKET_LINES 3             /* those that parsing can fill; the others are a tunnel's */
#define FLOW_KEY_WORDS (FLOW_KEY_LINES * 8) /* as uint64_t */

/* eth_type of a frame that has a length where the type would be and no SNAP header with OUI 0 (what OpenFlow 1.0 calls
 * OFP_DL_TYPE_NOT_ETH_TYPE). */
#define ETH_TYPE_NONE 0x05ff

/* Set in vlan_tci of a tag that is present (the place of CFI/DEI, as OXM_OF_VLAN_VID's OFPVID_PRESENT). */
#define VLAN_TCI_PRESENT 0x1000

/* ip_frag. A later fragment has no L4 header: tp_src, tp_dst, tcp_flags are 0. */
#define IP_FRAG_ANY 1   /* is a fragment */
#define IP_FRAG_LATER 2 /* with a non-zero offset */

/* ct_state. */
#define CT_STATE_NEW 0x01
#define CT_STATE_EST 0x02
#define CT_STATE_REL 0x04
#define CT_STATE_RPL 0x08
#define CT_STATE_INV 0x10
#define CT_STATE_TRK 0x20
#define CT_STATE_SNAT 0x40
#define CT_STATE_DNAT 0x80

#define ETH_TYPE_PBB 0x88e7
#define ETH_TYPE_NSH 0x894f
#define NSH_NP_IPV4 1
#define NSH_NP_IPV6 2
#define NSH_NP_ETHERNET 3
#define NSH_NP_NSH 4
#define NSH_NP_MPLS 5

/* ipv6_exthdr, host order: OpenFlow 1.3.5, 7.2.3.8 (ofp_ipv6exthdr_flags). */
#define IPV6_EH_NONEXT 0x001
#define IPV6_EH_ESP 0x002
#define IPV6_EH_AUTH 0x004
#define IPV6_EH_DEST 0x008
#define IPV6_EH_FRAG 0x010
#define IPV6_EH_ROUTER 0x020
#define IPV6_EH_HOP 0x040
#define IPV6_EH_UNREP 0x080
#define IPV6_EH_UNSEQ 0x100

/* tun_flags: the header says that it is of operations, administration and maintenance. */
#define TUN_FLAG_OAM 1
/* tun_flags: the packet came without an Ethernet header, and got one of zeros. Rules do not see it. */
#define TUN_FLAG_NO_ETHERNET 2

/* Where fields are in tun_erspan, once that is turned into host order. */
#define TUN_ERSPAN_IDX_MASK 0x000fffff
#define TUN_ERSPAN_VER_SHIFT 20
#define TUN_ERSPAN_DIR_SHIFT 24
#define TUN_ERSPAN_HWID_SHIFT 25

/* Bytes of all tunnel options that a key can have. */
#define TUN_METADATA_LEN 128

/* The Network Service Header (RFC 8300, 2). */
struct flow_key_nsh {
    uint8_t flags;   /* 2 bits: O and U */
    uint8_t ttl;     /* 6 bits */
    uint8_t mdtype;  /* 1: context[] are there */
    uint8_t np;      /* NSH_NP_* */
    rte_be32_t path; /* service path identifier, 24 bits, and service index */
    rte_be32_t context[4];
};

struct flow_key {
    /* line 0 */
    uint32_t in_port;              /* 0  index of the datapath port, host order */
    uint32_t recirc_id;            /* 4  0 = as received, host order */
    struct rte_ether_addr eth_dst; /* 8 */
    struct rte_ether_addr eth_src; /* 14 */
    rte_be16_t eth_type;           /* 20 type of the payload behind the VLAN tags, or ETH_TYPE_NONE */
    rte_be16_t vlan_tci[2];        /* 22 outer, inner; 0 = no tag, else PCP, VLAN_TCI_PRESENT, VID */
    rte_be16_t tcp_flags;          /* 26 12 bits */
    rte_be32_t ipv4_src;           /* 28 also ARP/RARP sender protocol address */
    rte_be32_t ipv4_dst;           /* 32 also ARP/RARP target protocol address */
    rte_be16_t tp_src;             /* 36 TCP/UDP/SCTP source port; ICMP(v6) type */
    rte_be16_t tp_dst;             /* 38 destination port; ICMP(v6) code */
    uint8_t ip_proto;              /* 40 the last header's protocol; ARP opcode if it is below 256, else 0;
                                         44 of a later fragment in IPv6 (ovs-fields(7)) */
    uint8_t ip_tos;                /* 41 DSCP and ECN; IPv6 traffic class */
    uint8_t ip_ttl;                /* 42 TTL; IPv6 hop limit */
    uint8_t ip_frag;               /* 43 IP_FRAG_* */
    uint8_t ct_state;              /* 44 filled by connection tracking; 0 = not tracked */
    uint8_t zero0;                 /* 45 */
    uint16_t ct_zone;              /* 46 host order */
    uint32_t ct_mark;              /* 48 host order */
    uint32_t pkt_mark;             /* 52 host order */
    uint32_t dp_hash;              /* 56 host order */
    uint32_t zero1;                /* 60 */

    /* line 1: IPv6, ARP, ND, NSH */
    union {
        struct {
            uint8_t ipv6_src[16]; /* 64 */
            uint8_t ipv6_dst[16]; /* 80 */
        };
        struct flow_key_nsh nsh; /* 64 */
    };
    uint8_t nd_target[16];         /* 96 ICMPv6 135, 136 with code 0 */
    struct rte_ether_addr arp_sha; /* 112 also ND source link-layer address option (135) */
    struct rte_ether_addr arp_tha; /* 118 also ND target link-layer address option (136) */
    rte_be32_t ipv6_label;         /* 124 20 bits */

    /* line 2: MPLS, PBB, connection tracking's wide fields */
    union {
        struct {
            rte_be32_t mpls_lse[3]; /* 128 outermost first; 0 behind the bottom of stack */
            rte_be32_t pbb_isid;    /* 140 24 bits; with PBB, eth_* are those of the backbone header */
            uint8_t pbb_uca;        /* 144 */
            uint8_t zero2[3];       /* 145 */
            rte_be32_t ct_ipv4_src; /* 148 */
            rte_be32_t ct_ipv4_dst; /* 152 */
            uint8_t zero3[4];       /* 156 */
        };
        struct {
            uint8_t ct_ipv6_src[16]; /* 128 of IPv6 packets */
            uint8_t ct_ipv6_dst[16]; /* 144 */
        };
    };
    rte_be32_t nd_reserved;  /* 160 */
    uint16_t ipv6_exthdr;    /* 164 IPV6_EH_*, host order */
    uint8_t nd_options_type; /* 166 1 = SLLA, 2 = TLLA seen */
    uint8_t ct_ip_proto;     /* 167 original direction */
    uint8_t ct_label[16];    /* 168 */
    rte_be16_t ct_tp_src;    /* 184 */
    rte_be16_t ct_tp_dst;    /* 186 */
    uint8_t zero4[4];        /* 188 */

    /* line 3: the outer header of a packet that came out of a tunnel */
    rte_be64_t tun_id;        /* 192 */
    uint8_t tun_ipv6_src[16]; /* 200 */
    uint8_t tun_ipv6_dst[16]; /* 216 */
    rte_be32_t tun_ipv4_src;  /* 232 */
    rte_be32_t tun_ipv4_dst;  /* 236 */
    rte_be16_t tun_tp_src;    /* 240 */
    rte_be16_t tun_tp_dst;    /* 242 */
    uint8_t tun_flags;        /* 244 */
    uint8_t tun_gtpu_flags;   /* 245 */
    uint16_t tun_gbp_id;      /* 246 host order */
    uint8_t tun_gbp_flags;    /* 248 */
    uint8_t tun_tos;          /* 249 */
    uint8_t tun_ttl;          /* 250 */
    uint8_t tun_gtpu_msgtype; /* 251 */
    rte_be32_t tun_erspan;    /* 252 TUN_ERSPAN_* */

    /* lines 4 and 5: options of the tunnel header, where src/match/tlv_map.c put them */
    uint8_t tun_metadata[TUN_METADATA_LEN]; /* 256 */
} __attribute__((aligned(64)));

_Static_assert(sizeof(struct flow_key) == FLOW_KEY_LINES * FLOW_KEY_LINE, "the flow key is whole lines");
_Static_assert(offsetof(struct flow_key, ipv6_src) == 64, "line 1");
_Static_assert(offsetof(struct flow_key, mpls_lse) == 128, "line 2");
_Static_assert(offsetof(struct flow_key, tun_id) == 192, "line 3");
_Static_assert(offsetof(struct flow_key, tun_metadata) == 256, "line 4");

/* Where the headers of a packet are, for code that changes it. Offsets in bytes from the start of the packet; 0 = the
 * packet has no such header, or it is cut short. A header is reported only if it is whole. */
struct packet_layers {
    uint16_t eth_type; /* host order, behind the VLAN tags */
    uint8_t vlan;      /* first VLAN tag (its TPID) */
    uint8_t naming;    /* the byte that says ip_proto, in the last IPv6 extension header; 0 = it is in the IP header */
    uint16_t mpls;     /* first label */
    uint16_t pbb;      /* I-TAG, behind its EtherType */
    uint16_t nsh;
    uint16_t l3;      /* IPv4, IPv6 or ARP */
    uint16_t l4;      /* TCP, UDP, SCTP, ICMP or ICMPv6; not for later fragments */
    uint8_t ip_proto; /* of l4; as in the key */
    bool fragment : 1;
    bool later_fragment : 1;
    bool routed : 1; /* IPv6: a routing header has segments left, so the destination is not the final one */
    bool cut : 1;    /* IPv6: the extension headers do not end where the parser sees it: ip_proto names one of them */
};
_Static_assert(sizeof(struct packet_layers) == 16, "cleared for each packet that is changed");

/* Parses `m` into `key`, of which all lines are written. Never reads past the data of the packet, segmented mbufs
 * included. A header that is cut short, or whose lengths disagree, leaves the fields of that layer and above it 0 (the
 * field that names the layer, eth_type or ip_proto, stays). Metadata but in_port is 0. Returns the number of lines
 * used, 1 to FLOW_KEY_LINES; 0 if the packet is shorter than an Ethernet header. */
unsigned flow_key_parse(const struct rte_mbuf *m, uint32_t in_port, struct flow_key *key);

/* flow_key_parse() for `n` packets, prefetching; its result for m[i] is n_lines[i]. keys[] need not be cleared. */
void flow_key_parse_burst(struct rte_mbuf *const *m, unsigned n, uint32_t in_port, struct flow_key *keys,
                          uint8_t *n_lines);

/* Hash over the first `n_lines` lines: equal keys give equal hashes on every CPU variant. Not cryptographic. */
uint32_t flow_key_hash(const struct flow_key *key, unsigned n_lines);

/* Tags that the key has; a third is what it calls the type. */
#define FLOW_KEY_TAGS 2

/* Finds the headers of `m`, behind at most `max_tags` VLAN tags. Needs the headers in the first segment: what lies
 * behind it counts as cut short. */
void packet_layers_find_behind(const struct rte_mbuf *m, unsigned max_tags, struct packet_layers *layers);
static inline void packet_layers_find(const struct rte_mbuf *m, struct packet_layers *layers)
{
    packet_layers_find_behind(m, FLOW_KEY_TAGS, layers);
}

/* How many lines of `key` (or of a mask) hold a non-zero bit, at least 1. */
unsigned flow_key_lines_used(const struct flow_key *key);

#endif
