/* What is known of a packet besides its bytes, and how that travels with it.
 *
 * struct metadata are the members of the flow key that no parser finds, and how often the packet went round. A
 * poll-mode thread has them in its context while a program runs, a packet in the private area of its mbuf once it
 * leaves the thread or recirculates, and packet_meta_to_key() puts them into a key. So a new one is a member here, a
 * line in metadata_to_key() and an operation that writes it. What connection tracking found out is longer: it stays in
 * the private area, and ct_state says whether it counts.
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
    uint32_t depth;    /* recirculations so far; not in the key */
    uint32_t ct_state; /* CT_STATE_*; 0: not tracked, and packet_meta.ct means nothing */
};

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
} __attribute__((aligned(64)));

_Static_assert(offsetof(struct packet_meta, ct) == 64, "most packets need one line of the private area");
_Static_assert(sizeof(struct packet_meta) == 128, "two lines of the mbuf's private area");
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

/* Writes the label as hexadecimal without leading zeros ("0x1f"; "0") and returns `text`. */
const char *ct_label_format(const uint8_t label[CT_LABEL_LEN], char text[CT_LABEL_TEXT]);

/* Writes what connection tracking found out to a key that has room for all lines. IPv6 addresses are written only to
 * keys of IPv6 packets: in others MPLS labels have their place. */
void ct_meta_to_key(const struct ct_meta *ct, struct flow_key *key);

/* Writes the packet's metadata to a key with room for all lines, which flow_key_parse() has filled in and of which it
 * used `n_lines`. Returns how many lines are used now. */
static inline unsigned packet_meta_to_key(const struct packet_meta *meta, struct flow_key *key, unsigned n_lines)
{
    metadata_to_key(&meta->md, key);
    if (likely(meta->md.ct_state == 0))
        return n_lines;
    ct_meta_to_key(&meta->ct, key);
    return RTE_MAX(n_lines, (unsigned)FLOW_KEY_PACKET_LINES);
}

static inline void packet_meta_copy(struct packet_meta *to, const struct packet_meta *from)
{
    memcpy(to, from, offsetof(struct packet_meta, ct));
    if (unlikely(from->md.ct_state != 0))
        to->ct = from->ct;
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
