/* Translation of addresses and ports: what a new connection is translated to, and packets rewritten to it.
 *
 * A packet of one direction leaves as the other direction's packets answer it: with the addresses and ports of the
 * other direction's tuple, source and destination exchanged. So a connection needs no more than its two tuples. Any
 * thread.
 */
#ifndef PMD_CT_NAT_H
#define PMD_CT_NAT_H

#include <rte_mbuf.h>
#include <stdbool.h>
#include <stdint.h>

#include "pmd/ct/conn.h"
#include "pmd/ct/extract.h"

#define NAT_PROBES 64 /* combinations of the range that are tried for a connection at most */

struct nat_ports {
    uint16_t first; /* host order */
    uint32_t n;
    uint32_t at; /* which comes first; below n */
};

/* Goes through the tuples that a new connection's replies may have; through all of the range if it has no more than
 * NAT_PROBES combinations. */
struct nat_search {
    const struct ct_nat *range;
    bool source; /* is what is translated; else the destination */
    bool keeps_address;
    uint32_t n_addresses, address; /* the number, and which comes first */
    struct nat_ports ports;        /* of what is translated; of ICMP the identifier */
    struct nat_ports others;       /* destination translated: the source's, which gives way if all else is taken */
    uint32_t probe;
    uint64_t random;
};

/* `key`: of the packet that begins the connection. `random`: any number, another one each time. */
void nat_search_begin(struct nat_search *search, const struct ct_nat_request *request, const struct conn_key *key,
                      uint64_t seed, uint64_t random);
/* The next tuple. `reply` is at first what it would be without translation, then what this made of it. False: there is
 * none. */
bool nat_search_next(struct nat_search *search, struct conn_key *reply);

/* Rewrites a packet, checksums included, to one whose replies have the tuple `reply`. Of an ICMP error it rewrites the
 * source (if `src`), the destination (if `dst`), and what it quotes, to what the sender of that had sent. */
void nat_rewrite(struct rte_mbuf *m, const struct ct_packet *packet, const struct conn_key *reply, bool src, bool dst);

/* Gives the IP packet at `l3` of a later fragment the addresses that the first fragment, at `first`, has. */
void nat_follow(struct rte_mbuf *m, uint32_t l3, const uint8_t *first, bool ipv6);

#endif
