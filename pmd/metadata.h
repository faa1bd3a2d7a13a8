/* What is known of a packet besides its bytes, and how that travels with it.
 *
 * struct metadata are the members of the flow key that no parser finds, and how often the packet went round. A
 * poll-mode thread has them in its context while a program runs, a packet in the private area of its mbuf once it
 * leaves the thread or recirculates, and metadata_to_key() puts them into a key. So a new one (connection tracking has
 * its members in struct flow_key already) is a member here, a line in metadata_to_key() and an operation that writes
 * it.
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
    uint32_t depth; /* recirculations so far; not in the key */
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
} __attribute__((aligned(64)));

_Static_assert(sizeof(struct packet_meta) == 64, "one line of the mbuf's private area");
_Static_assert(sizeof(struct rte_mbuf) % __alignof__(struct packet_meta) == 0, "the private area is behind the mbuf");
_Static_assert(sizeof(struct packet_meta) % RTE_MBUF_PRIV_ALIGN == 0, "DPDK takes no other size");

/* The size to give as priv_size for every mempool whose mbufs enter the datapath. */
#define PACKET_PRIV_SIZE sizeof(struct packet_meta)

static inline struct packet_meta *packet_meta(struct rte_mbuf *m)
{
    return (struct packet_meta *)rte_mbuf_to_priv(m);
}

/* Into a key that flow_key_parse() has filled in. */
static inline void metadata_to_key(const struct metadata *md, struct flow_key *key)
{
    key->in_port = md->in_port;
    key->recirc_id = md->recirc_id;
    key->pkt_mark = md->pkt_mark;
    key->dp_hash = md->dp_hash;
}

/* A copy of the first `len` bytes, with the private area. NULL: the pool is empty. */
static inline struct rte_mbuf *packet_copy(struct rte_mbuf *m, struct rte_mempool *pool, uint32_t len)
{
    struct rte_mbuf *copy = rte_pktmbuf_copy(m, pool, 0, len);

    if (copy && m->priv_size >= PACKET_PRIV_SIZE && copy->priv_size >= PACKET_PRIV_SIZE)
        *packet_meta(copy) = *packet_meta(m);
    return copy;
}

/* Another mbuf with the same data, for a port to send: without the private area, which ports do not read. NULL: the
 * pool is empty. */
static inline struct rte_mbuf *packet_clone_to_send(struct rte_mbuf *m, struct rte_mempool *pool)
{
    return rte_pktmbuf_clone(m, pool);
}

#endif
