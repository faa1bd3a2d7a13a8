/* Tunnels as the poll-mode threads have them: whole packets behind outer headers, over IPv4 and IPv6. VXLAN (RFC 7348,
 * with its drafts GBP and GPE), Geneve (RFC 8926), GRE (RFC 2784, 2890), ERSPAN types I to III
 * (draft-foschiano-erspan-03), GTP-U (3GPP TS 29.281); over IPv6 alone, SRv6 (RFC 8754, 8986).
 *
 * Way out: translation writes the outer headers once for all packets of a megaflow, tunnel_header_write().
 * OP_TUNNEL_PUSH puts them in front of each packet and writes what differs from one to the next: lengths, the UDP
 * source port, the identification of IPv4, SRv6's flow label, checksums, sequence numbers. The operations behind it
 * work on the outer packet.
 *
 * Way in: translation knows that a packet ends at an address of this host. OP_TUNNEL_POP checks the outer headers,
 * takes them off, finds the tunnel that they belong to among those that the control thread told of, keeps what they
 * said in the packet's private area (struct tunnel_meta), and has the inner packet looked up as received by that
 * tunnel: in_port is its index. Indexes of tunnels begin where those of ports end, and are never given out twice, so
 * nothing has to wait until one may be used again.
 */
#ifndef PMD_TUNNEL_H
#define PMD_TUNNEL_H

#include <rte_byteorder.h>
#include <rte_ether.h>
#include <stdbool.h>
#include <stdint.h>

#include "pmd/key.h"
#include "pmd/port.h"

struct datapath;

enum tunnel_type { TUNNEL_VXLAN, TUNNEL_GENEVE, TUNNEL_GRE, TUNNEL_ERSPAN, TUNNEL_GTPU, TUNNEL_SRV6, TUNNEL_N_TYPES };

/* Whether UDP is behind the outer IP header. */
static inline bool tunnel_is_udp(uint8_t type)
{
    return type == TUNNEL_VXLAN || type == TUNNEL_GENEVE || type == TUNNEL_GTPU;
}

/* The payload: frames; packets without an Ethernet header; either, as the packet is. */
enum tunnel_payload { TUNNEL_L2, TUNNEL_L3, TUNNEL_ANY };

/* The flow label of SRv6's outer header: that of the packet inside, 0 for IPv4; 0; a hash of the packet inside. */
enum tunnel_label { TUNNEL_LABEL_COPY, TUNNEL_LABEL_ZERO, TUNNEL_LABEL_HASH };

/* The longest list of segments that SRv6 writes, as in Open vSwitch. */
#define TUNNEL_SEGMENTS_MAX 6

#define TUNNEL_INDEX_FIRST PORT_MAX

/* Bytes of the longest outer headers: Ethernet, IPv6, UDP, Geneve with as many options as its length can say. */
#define TUNNEL_HEADER_MAX (14 + 40 + 8 + 8 + 252)

/* --- way out ------------------------------------------------------------- */

/* What translation decided about the outer headers. Addresses of IPv4 are mapped (::ffff:a.b.c.d). */
struct tunnel_out {
    enum tunnel_type type;
    bool csum; /* of UDP, GRE: fill in the checksum; over IPv6 without it UDP goes with 0 (RFC 6935, 6936) */
    bool df;   /* IPv4: don't fragment */
    bool has_key, seq, gbp, gpe, oam;
    struct rte_ether_addr eth_dst, eth_src;
    uint8_t src[16], dst[16];
    uint8_t tos, ttl;
    rte_be16_t udp_dst;
    rte_be64_t key; /* VNI, GRE key, TEID */
    uint16_t gbp_id;
    uint8_t gbp_flags;
    uint8_t gtpu_flags, gtpu_msgtype;
    uint8_t erspan_ver;     /* 1 (type II), 2 (type III) */
    uint32_t erspan;        /* as flow_key.tun_erspan, but in host order */
    rte_be16_t eth_type;    /* of the payload: 0x6558 for whole frames; else the packet without its Ethernet header */
    const uint8_t *options; /* Geneve: as they go out, host's task to have them whole */
    uint8_t options_len;    /* a multiple of 4 */
    uint8_t n_segments;     /* SRv6: 0: `dst` is the only one */
    enum tunnel_label label;
    const uint8_t (*segments)[16]; /* in the order of the way; the first is `dst` */
};

/* What OP_TUNNEL_PUSH has behind it, of which only `len` bytes of header[] are there. */
struct op_tunnel_push {
    uint8_t type;  /* enum tunnel_type */
    uint8_t flags; /* TUNNEL_PUSH_* */
    uint16_t len;  /* bytes of header[] */
    uint8_t l3;    /* where the outer IP header is, */
    uint8_t l4;    /* UDP, GRE or the routing header, */
    uint8_t own;   /* and what is behind UDP, or behind GRE: ERSPAN's header */
    uint8_t zero;
    uint16_t mtu;              /* of the link that it leaves by: the most bytes from l3 on; 0: not known */
    uint16_t src_first, src_n; /* the range of UDP source ports, host order */
    uint8_t zero2[2];
    uint32_t index;   /* of the tunnel */
    uint32_t too_big; /* punt id for packets that do not fit `mtu`; 0: dropped, DROP_TUNNEL_MTU */
    /* IPv4: the checksum's place holds the sum of the header, lengths and identification counted as 0. */
    uint8_t header[TUNNEL_HEADER_MAX];
    uint8_t zero3[2];
};
#define TUNNEL_PUSH_CSUM 1   /* UDP or GRE checksum */
#define TUNNEL_PUSH_SEQ 2    /* GRE, ERSPAN: the next sequence number of the tunnel */
#define TUNNEL_PUSH_NO_ETH 4 /* the payload is what is behind the inner Ethernet header and its tags */
#define TUNNEL_PUSH_IPV6 8   /* outside */
#define TUNNEL_PUSH_LABEL_COPY 16
#define TUNNEL_PUSH_LABEL_HASH 32

/* Fills in the operation but for mtu, index, too_big and the range of source ports, which become 0: no MTU, no punt,
 * and any source port. False: the options do not fit, or the type does not carry such a payload. */
bool tunnel_header_write(const struct tunnel_out *out, struct op_tunnel_push *push);

/* --- way in -------------------------------------------------------------- */

/* What OP_TUNNEL_POP has behind it: what the listener that the packet came to expects. Always last. */
struct op_tunnel_pop {
    uint8_t type; /* enum tunnel_type; TUNNEL_GRE: ERSPAN, too */
    uint8_t gpe;  /* VXLAN: headers with a next protocol come, too, and say so */
    uint8_t zero[2];
    rte_be16_t udp_port; /* that it came to; 0 for GRE, ERSPAN and SRv6 */
    uint8_t zero2[2];
};

/* What a listener is called in texts, where Open vSwitch has the number of a port of the datapath: its UDP port (host
 * order), else the protocol number of GRE or of IPv6's routing header. */
static inline unsigned tunnel_listener_number(uint8_t type, uint16_t udp_port)
{
    return udp_port != 0 ? udp_port : type == TUNNEL_SRV6 ? 43 : 47;
}

/* Packets that come in by a tunnel. The most specific one that fits takes a packet, as in Open vSwitch: an exact key
 * before any, then an exact remote address before any, an exact address of this host before any and that before one of
 * the flow's, and a tunnel for this payload before one for either. */
struct tunnel_in {
    uint8_t type;    /* enum tunnel_type */
    uint8_t payload; /* enum tunnel_payload */
    bool any_key, any_remote, any_local;
    bool local_flow;     /* with any_local: others go before it */
    bool has_key;        /* any_key false: packets that carry `key`; false: packets without a key (GRE), or with 0 */
    rte_be16_t udp_port; /* 0 for GRE, ERSPAN and SRv6 */
    rte_be64_t key;
    uint8_t remote[16], local[16]; /* mapped */
};

/* Has packets come in as `index` from now on. Returns 0, -EEXIST (another tunnel takes exactly these packets) or
 * -ENOMEM. Control thread. */
int datapath_tunnel_add(struct datapath *dp, const struct tunnel_in *in, uint32_t index);
/* No packet gets the index any more once a token has passed that was taken after the call. Unknown indexes are
 * nothing. Control thread. */
void datapath_tunnel_remove(struct datapath *dp, uint32_t index);

/* Where an option's value goes in a key (src/match/tlv_map.h). */
struct tunnel_option {
    uint16_t class; /* host order */
    uint8_t type;   /* with the bit that says critical, 0x80: it is part of the type (RFC 8926, 3.5) */
    uint8_t len;    /* bytes of the value, a multiple of 4; options of another length are passed over */
    uint8_t offset; /* in flow_key.tun_metadata */
};
/* Replaces the table of options: packets with a critical option that is not in it are dropped
 * (DROP_TUNNEL_OPTION). Returns 0 or -ENOMEM. Control thread. */
int datapath_tunnel_options_set(struct datapath *dp, const struct tunnel_option *options, unsigned n);

#endif
