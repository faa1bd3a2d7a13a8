/* What is known of a packet besides its bytes, and how that travels with it.
 *
 * struct metadata are the members of the flow key that no parser finds, and how often the packet went round. A
 * poll-mode thread has them in its context while a program runs, a packet in the private area of its mbuf once it
 * leaves the thread or recirculates, and packet_meta_to_key() puts them into a key. So a new one is a member here, a
 * line in metadata_to_key() and an operation that writes it. What connection tracking found out is longer: it stays in
 * the private area, and ct_state says whether it counts. So is what the outer headers said of a packet that came out of
 * a tunnel: tun_lines says how much of it there is, 0 for all other packets, which never touch it.
 *
 * Misses: each poll-mode thread has a bounded ring to the control thread (`up`) and one back (`down`). A packet carries
 * its struct packet_meta, so rings hold bare mbuf pointers. While the first packet of a flow is being resolved, later
 * packets of the same flow are parked with the poll-mode thread and follow it in order.
 *
 * DPDK's copies of mbufs leave the private area behind: those of packets are made here alone (scripts/check-layers).
 */
#ifndef PMD_METADATA_H
#define PMD_METADATA_H

#include <rte_mbuf.h>
#include <stdint.h>
#include <string.h>

#include "pmd/ct.h"
#include "pmd/key.h"

struct program;

enum packet_origin {
    PACKET_MISS, /* no megaflow: translate, install, return */
    PACKET_PUNT, /* an OP_PUNT: `punt_id` says what to do; the mbuf is the control thread's */
};

#define PACKET_NOT_PENDING UINT16_MAX

struct metadata {
    uint32_t in_port;   /* index of the datapath port */
    uint32_t recirc_id; /* 0 = as received */
    uint32_t pkt_mark;
    uint32_t dp_hash;
    uint32_t depth;     /* recirculations so far; not in the key */
    uint16_t ct_state;  /* CT_STATE_*; 0: not tracked, and packet_meta.ct means nothing */
    uint16_t tun_lines; /* lines of packet_meta.tun that count; 0: the packet came out of no tunnel */
};

/* Lines 3 to 5 of the key (pmd/key.h). */
struct tunnel_meta {
    rte_be64_t id;
    uint8_t ipv6_src[16], ipv6_dst[16];
    rte_be32_t ipv4_src, ipv4_dst;
    rte_be16_t tp_src, tp_dst;
    uint8_t flags;
    uint8_t gtpu_flags;
    uint16_t gbp_id;
    uint8_t gbp_flags;
    uint8_t tos, ttl;
    uint8_t gtpu_msgtype;
    rte_be32_t erspan;
    uint8_t options[TUN_METADATA_LEN]; /* line 4 if tun_lines > 1, line 5 if it is 3 */
} __attribute__((aligned(FLOW_KEY_LINE)));

#define TUNNEL_META_IS(member, key_member)                                                                             \
    _Static_assert(offsetof(struct tunnel_meta, member) ==                                                             \
                       offsetof(struct flow_key, key_member) - offsetof(struct flow_key, tun_id),                      \
                   "as in the key")
TUNNEL_META_IS(ipv6_src, tun_ipv6_src);
TUNNEL_META_IS(ipv4_src, tun_ipv4_src);
TUNNEL_META_IS(tp_src, tun_tp_src);
TUNNEL_META_IS(gbp_id, tun_gbp_id);
TUNNEL_META_IS(tos, tun_tos);
TUNNEL_META_IS(erspan, tun_erspan);
TUNNEL_META_IS(options, tun_metadata);
#undef TUNNEL_META_IS

/* Written when a packet leaves the poll-mode thread, or before a program that uses metadata runs; not before. */
struct packet_meta {
    struct metadata md;
    uint32_t hash; /* flow_key_hash of the key that missed */
    uint32_t punt_id;
    uint16_t thread;   /* index of the poll-mode thread it came from */
    uint16_t pending;  /* its slot among the thread's unresolved flows, or PACKET_NOT_PENDING */
    uint16_t full_len; /* OP_PUNT behind OP_TRUNCATE: bytes before it was cut */
    uint8_t origin;    /* enum packet_origin */
    uint32_t drop_reason;
    uint64_t rx_tsc;               /* when it missed */
    const struct program *program; /* down: what to do with it; NULL: drop, counted as `drop_reason` */
    struct ct_meta ct;             /* a line of its own */
    struct tunnel_meta tun;        /* md.tun_lines lines of it */
} __attribute__((aligned(64)));

_Static_assert(offsetof(struct packet_meta, ct) == 64, "most packets need one line of the private area");
_Static_assert(offsetof(struct packet_meta, tun) == 128, "tracked ones two, those out of tunnels more");
_Static_assert(sizeof(struct packet_meta) == 320, "five lines of the mbuf's private area");
_Static_assert(sizeof(struct rte_mbuf) % __alignof__(struct packet_meta) == 0, "the private area is behind the mbuf");
_Static_assert(sizeof(struct packet_meta) % RTE_MBUF_PRIV_ALIGN == 0, "DPDK takes no other size");

/* The size to give as priv_size for every mempool whose mbufs enter the datapath. */
#define PACKET_PRIV_SIZE sizeof(struct packet_meta)

static inline struct packet_meta *packet_meta(struct rte_mbuf *m)
{
    return (struct packet_meta *)rte_mbuf_to_priv(m);
}

/* Writes the metadata to a key that flow_key_parse() has filled in. */
static inline void metadata_to_key(const struct metadata *md, struct flow_key *key)
{
    key->in_port = md->in_port;
    key->recirc_id = md->recirc_id;
    key->pkt_mark = md->pkt_mark;
    key->dp_hash = md->dp_hash;
}

/* Not 0: the private area has more of it. */
static inline uint32_t metadata_more(const struct metadata *md)
{
    uint32_t more;

    _Static_assert(offsetof(struct metadata, tun_lines) == offsetof(struct metadata, ct_state) + 2, "one word");
    memcpy(&more, &md->ct_state, sizeof more);
    return more;
}

/* Writes the label as hexadecimal without leading zeros ("0x1f"; "0") and returns `text`. */
const char *ct_label_format(const uint8_t label[CT_LABEL_LEN], char text[CT_LABEL_TEXT]);

/* Writes what connection tracking found out to a key that has room for all lines. IPv6 addresses are written only to
 * keys of IPv6 packets: in others MPLS labels have their place. */
void ct_meta_to_key(const struct ct_meta *ct, struct flow_key *key);
/* The same, of the key's first line alone. */
static inline void ct_meta_to_key_line(const struct ct_meta *ct, struct flow_key *key)
{
    key->ct_state = ct->state;
    key->ct_zone = ct->zone;
    key->ct_mark = ct->mark;
}

static inline void ct_meta_to_key_inline(const struct ct_meta *ct, struct flow_key *key)
{
    ct_meta_to_key_line(ct, key);
    memcpy(key->ct_label, ct->label, sizeof key->ct_label);
    key->ct_ip_proto = ct->proto;
    key->ct_tp_src = ct->tp_src;
    key->ct_tp_dst = ct->tp_dst;
    if (!ct->ipv6) {
        key->ct_ipv4_src = ct->src;
        key->ct_ipv4_dst = ct->dst;
    } else if (key->eth_type == RTE_BE16(RTE_ETHER_TYPE_IPV6)) {
        memcpy(key->ct_ipv6_src, ct->src6, sizeof key->ct_ipv6_src);
        memcpy(key->ct_ipv6_dst, ct->dst6, sizeof key->ct_ipv6_dst);
    }
}

/* Writes the packet's metadata to a key with room for all lines, which flow_key_parse() has filled in and of which it
 * used `n_lines`. Returns how many lines are used now. */
static inline unsigned packet_meta_to_key(const struct packet_meta *meta, struct flow_key *key, unsigned n_lines)
{
    metadata_to_key(&meta->md, key);
    if (likely(metadata_more(&meta->md) == 0))
        return n_lines;
    if (meta->md.ct_state != 0) {
        ct_meta_to_key(&meta->ct, key);
        n_lines = RTE_MAX(n_lines, (unsigned)FLOW_KEY_PACKET_LINES);
    }
    if (meta->md.tun_lines != 0) {
        memcpy(&key->tun_id, &meta->tun, meta->md.tun_lines * FLOW_KEY_LINE);
        n_lines = FLOW_KEY_PACKET_LINES + meta->md.tun_lines;
    }
    return n_lines;
}

static inline void packet_meta_copy(struct packet_meta *to, const struct packet_meta *from)
{
    memcpy(to, from, offsetof(struct packet_meta, ct));
    if (likely(metadata_more(&from->md) == 0))
        return;
    if (from->md.ct_state != 0)
        to->ct = from->ct;
    memcpy(&to->tun, &from->tun, from->md.tun_lines * FLOW_KEY_LINE);
}

/* A copy of the first `len` bytes, with the private area. NULL: the pool is empty. */
static inline struct rte_mbuf *packet_copy(struct rte_mbuf *m, struct rte_mempool *pool, uint32_t len)
{
    struct rte_mbuf *copy = rte_pktmbuf_copy(m, pool, 0, len);

    if (copy && m->priv_size >= PACKET_PRIV_SIZE && copy->priv_size >= PACKET_PRIV_SIZE)
        packet_meta_copy(packet_meta(copy), packet_meta(m));
    return copy;
}

/* Another mbuf with the same data, for a port to send: without the private area, which ports do not read. NULL: the
 * pool is empty. */
static inline struct rte_mbuf *packet_clone_to_send(struct rte_mbuf *m, struct rte_mempool *pool)
{
    return rte_pktmbuf_clone(m, pool);
}

#endif
