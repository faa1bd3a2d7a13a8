/* A tracker with packets that are described by a few numbers, for its tests and its benchmark. */
#ifndef TESTS_LIB_CT_BED_H
#define TESTS_LIB_CT_BED_H

#include <netinet/in.h>
#include <rte_hash_crc.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <string.h>

#include "pmd/ct.h"
#include "pmd/key.h"
#include "pmd/rcu.h"

#define FIN 0x01
#define SYN 0x02
#define RST 0x04
#define PSH 0x08
#define ACK 0x10

/* What is 0 is left as it is. Addresses are the last byte of 10.0.0.x or 2001:db8::x, and two more in front of it. */
struct ct_spec {
    bool ipv6;
    uint8_t proto;     /* 0: TCP */
    uint8_t extension; /* IPv6: an extension header of this protocol in front of it */
    uint32_t src, dst;
    uint16_t sport, dport; /* SCTP too; ICMP: identifier in sport */
    uint32_t seq, ack, len;
    const char *text; /* all but SCTP: the data, `len` octets long */
    uint16_t window;
    uint8_t flags;
    uint8_t scale; /* option of a SYN: scale + 1 */
    uint8_t icmp_type, icmp_code;
    uint32_t tag, init_tag;
    uint8_t chunk, chunk_flags;
    const struct ct_spec *quoted; /* of an ICMP error */
};

void put16(uint8_t *p, uint16_t v);

void put32(uint8_t *p, uint32_t v);

uint8_t spec_proto(const struct ct_spec *spec);

/* An IP packet of `spec`, checksums included. Returns its length. */
size_t spec_build(const struct ct_spec *spec, uint8_t *ip);

void spec_to_mbuf(const struct ct_spec *spec, struct rte_mbuf *m);

/* The same packet the other way. */
struct ct_spec spec_back(struct ct_spec spec);

/* --- a tracker, and one packet at a time --------------------------------- */

struct ct_bed {
    struct ct *ct;
    struct rcu *rcu;
    struct rte_mbuf *m;
    uint32_t now;
    struct ct_meta meta; /* of the last packet */
    uint8_t reason;
};

struct ct_bed ct_bed_new(struct rte_mempool *pool, uint32_t max, unsigned n_threads);

void ct_bed_free(struct ct_bed *bed);

/* Tracks one packet as `request` has it. Returns its ct_state. */
uint8_t ct_bed_request(struct ct_bed *bed, const struct ct_request *request, const struct ct_spec *spec);

uint8_t ct_bed_look(struct ct_bed *bed, uint16_t zone, struct ct_spec spec);

uint8_t ct_bed_commit(struct ct_bed *bed, uint16_t zone, struct ct_spec spec);

void ct_bed_work(struct ct_bed *bed);

#endif
