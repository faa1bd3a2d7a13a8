/* What of a packet tells its connection: tuple, segment, and for an ICMP error those of the packet it is about. Any
 * thread.
 */
#ifndef PMD_CT_EXTRACT_H
#define PMD_CT_EXTRACT_H

#include <rte_mbuf.h>
#include <stdbool.h>
#include <stdint.h>

#include "pmd/ct.h"
#include "pmd/ct/conn.h"
#include "pmd/ct/fragments.h"
#include "pmd/ct/protocols.h"
#include "pmd/ct/tcp.h"

struct ct_packet {
    struct conn_key key; /* zone included. Of an ICMP error: as if it was a packet of the connection that it is about */
    uint64_t hash;
    uint8_t reason; /* enum ct_reason: not CT_REASON_NONE, and the rest means nothing */
    bool related;   /* an ICMP error */
    bool routed;    /* IPv6: the destination is not the final one, which is in the pseudo-header */
    uint8_t icmp_code;
    uint8_t proto;                 /* of the packet itself */
    uint16_t l3, l4;               /* offsets; l4 means nothing for protocols that are followed by addresses */
    uint16_t quoted_l3, quoted_l4; /* of an ICMP error */
    uint32_t end;                  /* of the IP packet */
    union {
        struct tcp_segment tcp;
        struct sctp_packet sctp;
    };
};

void ct_extract(struct rte_mbuf *m, uint16_t zone, uint64_t seed, struct ct_packet *packet);
/* The hash that ct_extract() finds, of most packets: without looking whether they are in order. 0: it is none of them.
 */
uint64_t ct_extract_hash(const struct rte_mbuf *m, uint16_t zone, uint64_t seed);
/* As ct_extract(), for a datagram whose first fragment is `first`, and of which `len` octets were cut into fragments;
 * `sum` is the sum of their 16-bit words. */
void ct_extract_datagram(struct rte_mbuf *first, uint32_t len, uint32_t sum, uint16_t zone, uint64_t seed,
                         struct ct_packet *packet);
/* Where a fragment belongs; of the key, what its headers say. */
enum ct_reason fragment_find(const struct rte_mbuf *m, struct fragment_place *place);
/* The key that packets of the other direction have. */
void conn_key_reverse(const struct conn_key *key, struct conn_key *reverse);
uint64_t conn_key_hash(const struct conn_key *key, uint64_t seed);

#endif
