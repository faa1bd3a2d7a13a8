/* Misses: packets on their way from a poll-mode thread to the control thread and back.
 *
 * Each poll-mode thread has a bounded ring to the control thread (`up`) and one back (`down`). A packet carries its
 * struct packet_meta in the private area of its mbuf, so rings hold bare mbuf pointers. While the first packet of a
 * flow is being resolved, later packets of the same flow are parked with the poll-mode thread and follow it in order.
 */
#ifndef PMD_MISS_H
#define PMD_MISS_H

#include <rte_mbuf.h>
#include <stdint.h>

struct program;

enum packet_origin {
    PACKET_MISS, /* no megaflow: translate, install, return */
    PACKET_PUNT, /* an OP_PUNT: `punt_id` says what to do; the mbuf is the control thread's */
};

#define PACKET_NOT_PENDING UINT16_MAX

/* Written when a packet leaves the poll-mode thread or recirculates, not before. */
struct packet_meta {
    uint32_t in_port;
    uint32_t recirc_id;
    uint32_t hash; /* flow_key_hash of the key that missed */
    uint32_t punt_id;
    uint32_t pkt_mark;
    uint32_t dp_hash;
    uint16_t thread;  /* index of the poll-mode thread it came from */
    uint16_t pending; /* its slot among the thread's unresolved flows, or PACKET_NOT_PENDING */
    uint8_t origin;   /* enum packet_origin */
    uint8_t recirc_depth;
    uint16_t full_len;             /* OP_PUNT behind OP_TRUNCATE: bytes before it was cut */
    uint64_t rx_tsc;               /* when it missed */
    const struct program *program; /* down: what to do with it; NULL: drop, counted as `drop_reason` */
    uint32_t drop_reason;
    uint32_t in_port_ctl; /* free for the control thread */
} __attribute__((aligned(64)));

_Static_assert(sizeof(struct packet_meta) == 64, "one line of the mbuf's private area");

/* The size to give as priv_size for every mempool whose mbufs enter the datapath. */
#define PACKET_PRIV_SIZE sizeof(struct packet_meta)

static inline struct packet_meta *packet_meta(struct rte_mbuf *m)
{
    return (struct packet_meta *)rte_mbuf_to_priv(m);
}

#endif
