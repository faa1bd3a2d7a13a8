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
    bool ecn; /* there is something to be told inwards */
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

#endif
