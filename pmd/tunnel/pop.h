/* Takes outer headers off packets: what OP_TUNNEL_POP does. Poll-mode threads. */
#ifndef PMD_TUNNEL_POP_H
#define PMD_TUNNEL_POP_H

#include <rte_mbuf.h>

#include "pmd/drop.h"
#include "pmd/metadata.h"
#include "pmd/tunnel/table.h"

/* Bytes that outer headers can have, which tunnel_pop() wants in the first segment: two tags, options of IPv4. Longer
 * ones, which extension headers of IPv6 would make, count as cut short, whatever segments the packet is in. */
#define TUNNEL_POP_WINDOW (TUNNEL_HEADER_MAX + 8 + 40 + 14)

/* What a device said of the outer checksums is not said of those inside. */
#define TUNNEL_POP_CHECKED (RTE_MBUF_F_RX_IP_CKSUM_MASK | RTE_MBUF_F_RX_L4_CKSUM_MASK)

/* Outer headers that were checked: others that differ from these only in lengths, identification, checksums, source
 * port, flow label and sequence number need no more than those looked at. */
#define TUNNEL_RECENT_WORDS 10 /* from the IP header on: IPv6, UDP, and Geneve with 24 bytes of options */
struct tunnel_recent {
    uint64_t value[TUNNEL_RECENT_WORDS], mask[TUNNEL_RECENT_WORDS];
    struct op_tunnel_pop pop;
    uint32_t generation; /* of the table; 0: none */
    uint32_t index;
    rte_be16_t eth_type;
    uint8_t len;     /* bytes of them */
    uint8_t l4;      /* where UDP or GRE is */
    uint8_t n_words; /* of value[] and mask[]; the first five always count */
    uint8_t lines;   /* of `meta` */
    bool ipv6, udp, checksum;
    bool ecn;     /* there is something to be told inwards */
    bool simple;  /* see struct tunnel_cache */
    uint32_t sum; /* IPv4: of the words of its header but length, identification and checksum */
    struct tunnel_meta meta;
};

/* One thread's cache of tunnels, by remote address and key. Simple headers are those over IPv4 with no more than the
 * first words, one line, no checksum but IP's, and nothing of ECN to be told inwards. All zero at first. */
#define TUNNEL_RECENTS 32
struct tunnel_cache {
    struct tunnel_memo memo;
    struct tunnel_recent recent[TUNNEL_RECENTS]; /* simple ones */
    struct tunnel_recent other[TUNNEL_RECENTS];
};

/* Takes the outer headers off a packet whose first segment is the caller's alone and has the first TUNNEL_POP_WINDOW
 * bytes, if there are so many. What is left is a frame: a payload without an Ethernet header gets one with addresses of
 * zeros. Writes packet_meta() tun and md.in_port, md.tun_lines; the rest of it is the caller's. Returns DROP_N_REASONS,
 * or why the packet has to be dropped. */
enum drop_reason tunnel_pop(const struct tunnel_table *table, struct tunnel_cache *cache,
                            const struct op_tunnel_pop *pop, struct rte_mbuf *m);

/* --- bursts of one tunnel ------------------------------------------------ */

/* The remembered headers that those of `m` may be like, with no ECN to be told inwards; NULL: they are like none. */
const struct tunnel_recent *tunnel_recent_find(const struct tunnel_table *table, const struct tunnel_cache *cache,
                                               const struct op_tunnel_pop *pop, const struct rte_mbuf *m);
/* Whether all of the packets have headers like `recent`, and right, and are such as tunnel_pop() takes; ends[i] is
 * where a packet ends, without padding, in bytes from its start. Changes nothing. */
bool tunnel_recent_fits(const struct tunnel_recent *recent, const struct op_tunnel_pop *pop,
                        struct rte_mbuf *const *packets, unsigned n, uint16_t *ends);
/* Takes them off. The packet's private area is left alone: recent->meta says what the headers said, but for the UDP
 * source port. */
static inline void tunnel_recent_take_off(const struct tunnel_recent *recent, struct rte_mbuf *m, uint32_t end)
{
    m->ol_flags &= ~(uint64_t)TUNNEL_POP_CHECKED;
    m->data_off = (uint16_t)(m->data_off + recent->len);
    m->data_len = (uint16_t)(end - recent->len);
    m->pkt_len = m->data_len;
}
/* The UDP source port of headers that were taken off. */
static inline rte_be16_t tunnel_recent_source(const struct tunnel_recent *recent, const struct rte_mbuf *m)
{
    rte_be16_t port;

    memcpy(&port, rte_pktmbuf_mtod(m, const uint8_t *) - recent->len + recent->l4, sizeof port);
    return port;
}
/* Writes to the private area of a packet that had them taken off what tunnel_pop() writes. */
static inline void tunnel_recent_write_meta(const struct tunnel_recent *recent, struct rte_mbuf *m)
{
    struct packet_meta *packet = packet_meta(m);

    memcpy(&packet->tun, &recent->meta, recent->lines * FLOW_KEY_LINE);
    if (recent->udp)
        packet->tun.tp_src = tunnel_recent_source(recent, m);
    packet->md.in_port = recent->index;
    packet->md.tun_lines = recent->lines;
}

#endif
