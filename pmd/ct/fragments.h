/* Fragments that wait for the rest of their datagram.
 *
 * Ports are in the first fragment alone, and a checksum is of the whole, so a datagram is tracked when all of it is
 * there; its fragments go on as they came. Each poll-mode thread has a table of its own, which nobody else writes.
 * What waits is bounded in number by all threads together, and in time. Nothing is copied, unless the packet shares its
 * data with others.
 *
 * Where it is asked for, fragments go on as one packet, a chain of their mbufs (join.c).
 */
#ifndef PMD_CT_FRAGMENTS_H
#define PMD_CT_FRAGMENTS_H

#include <rte_mbuf.h>
#include <stdbool.h>
#include <stdint.h>

#include "pmd/ct.h"
#include "pmd/ct/memory.h"

#define FRAGMENT_SECONDS 15
/* Enough for 64 KB in fragments of the least size that can be set, but for IPv4 options. */
#define FRAGMENTS_OF_DATAGRAM 200
#define FRAGMENT_BUCKETS 1024

/* What makes fragments parts of one datagram, and what keeps those of others out. */
struct datagram_key {
    uint8_t address[2][16]; /* IPv4: the first 4 bytes of each */
    uint32_t id;
    uint32_t in_port, recirc_id;
    uint16_t zone;
    uint8_t proto; /* IPv6: 0, as fragments may differ in it (RFC 8200, 4.5) */
    uint8_t ipv6;
};
_Static_assert(sizeof(struct datagram_key) == 48, "without padding: keys are compared as bytes");

/* One fragment, as its headers have it. */
struct fragment_place {
    struct datagram_key key;
    uint32_t start, len; /* of the datagram that was cut: where this part begins, how long it is */
    uint16_t l3, data;   /* offsets in the packet */
    uint16_t ip_len;     /* of the IP packet */
    bool more;           /* it is not the last one */
};

struct fragment {
    struct rte_mbuf *m; /* NULL: a free one */
    uint16_t start, len;
    uint16_t l3;
    uint16_t next; /* behind it in its datagram, or in another list; 0: none */
};

enum datagram_state { DATAGRAM_WAITS, DATAGRAM_REFUSED, DATAGRAM_WHOLE };

struct datagram {
    struct datagram_key key;
    uint32_t deadline; /* seconds; past it the datagram is none */
    uint32_t have;     /* octets that are there */
    uint32_t total;    /* octets; 0: the last fragment is not there */
    uint32_t sum;      /* of the 16-bit words that are there, not folded */
    uint16_t first, last, n;
    uint16_t chain;        /* next in its bucket */
    uint16_t older, newer; /* by their deadline */
    uint8_t state;
};

struct fragment_counters {
    uint64_t accepted, completed, expired, small, overlapped, evicted, joined;
};

/* A poll-mode thread's. Numbers begin with 1. */
struct fragments {
    struct ct_memory memory;
    struct fragment *fragments;
    struct datagram *datagrams;
    uint16_t *buckets;
    uint16_t fresh_fragment, free_fragment;
    uint16_t fresh_datagram, free_datagram;
    uint16_t oldest, newest;
    uint16_t n_held;
    uint16_t ended[CT_N_FRAGMENT_ENDS]; /* lists of fragments that are to be dropped */
    struct {
        const struct rte_mbuf *by; /* the fragment that was the last to come */
        uint16_t datagram;
        uint8_t reason;
    } whole[CT_BURST + 1];
    unsigned n_whole;
    struct fragment_counters counters[2]; /* IPv4, IPv6 */
};

bool fragments_init(struct fragments *fragments);
void fragments_fini(struct fragments *fragments);

/* Takes a fragment over, if it returns CT_REASON_NONE: then *whole is the datagram that is complete by it, or NULL.
 * Else the fragment stays the caller's, and is invalid. */
enum ct_reason fragments_take(struct ct *ct, struct fragments *fragments, uint32_t now, uint16_t zone,
                              struct rte_mbuf *m, struct datagram **whole);
/* The fragments of a whole datagram, in order: *at is 0 at first. NULL: there are no more. */
const struct fragment *fragments_next(const struct fragments *fragments, const struct datagram *datagram, uint16_t *at);
/* Makes one packet of the fragments of a whole datagram, if that can be; then the first is all that it has. */
void fragments_join(struct ct *ct, struct fragments *fragments, struct datagram *whole);
/* The work of fragments_join(), in join.c: the mbufs of the datagram's fragments, in order, become a chain that begins
 * with the first. False: they are as they were. */
bool fragments_chain(const struct fragment *const *parts, const struct datagram *whole);
/* Has ct_fragment_next() find the datagram, which `by` completed. */
void fragments_hand_over(struct fragments *fragments, const struct datagram *whole, const struct rte_mbuf *by,
                         uint8_t reason);

#endif
