/* What the parts of ct_test.c share: the tracker, its model, and random packets and requests that both are given. */
#ifndef TESTS_PROPERTY_CT_WORLD_H
#define TESTS_PROPERTY_CT_WORLD_H

#include "tests/property/ct_model.h"
#include "tests/property/random.h"

extern struct rte_mempool *pool;
extern struct model model;
extern struct ct_bed bed;

static inline uint32_t below(uint32_t n)
{
    return random_below(n);
}

static inline bool one_in(uint32_t n)
{
    return random_one_in(n);
}

/* A packet, mostly of a connection that there is; TCP's numbers are those that the connection in `zone` has now.
 * `error`: it is what an ICMP error quotes. */
void random_spec(struct ct_spec *spec, uint16_t zone, bool error);
void random_request(struct model_request *request);
/* The request as the tracker has it. */
struct ct_nat_request nat_request(const struct model_request *request, bool ipv6);
/* Addresses and ports that a packet of `spec` has now, whose ports are `l4` bytes from its start. */
struct ct_spec seen_ends(const struct ct_spec *spec, const struct rte_mbuf *m, uint32_t l4);
/* What is said of a packet is what the model knows of its connection, NULL: none. */
void check_meta(const struct ct_meta *meta, uint16_t zone, const struct model_connection *connection);

/* --- fragments (ct_fragments.c) ------------------------------------------ */

void fragments_begin(void);
/* One that comes, and what there is to do when it was the last of its datagram. */
void fragments_step(unsigned step);
/* Tracker and model agree on what waits and what was counted. */
void fragments_compare(void);
/* Nothing waits any more once time has passed. */
void fragments_end(void);
/* Asserts that in so many rounds there was enough of everything; one alone may have little of something. */
void fragments_have_happened(unsigned rounds);

#endif
