/* Between pop.c, which takes off headers like those of a packet before, and pop_parse.c, which reads all others.
 * Poll-mode threads. */
#ifndef PMD_TUNNEL_POP_IMPL_H
#define PMD_TUNNEL_POP_IMPL_H

#include "pmd/key_inline.h"
#include "pmd/tunnel/pop.h"

#define OK DROP_N_REASONS
#define ECN_MASK 3

/* A packet that came for a tunnel, while its outer headers are parsed. */
struct outer {
    struct rte_mbuf *m;
    const uint8_t *data;
    uint32_t avail; /* bytes of data[] */
    uint32_t at;    /* of what is parsed next */
    uint32_t end;   /* of the packet, padding not counted */
    bool ipv6;
    uint8_t proto;
    uint32_t l3, l4;
    uint16_t payload; /* EtherType of what is carried, ETH_TYPE_TEB: a whole frame; 0: a message of GTP-U's own */
    struct tunnel_claim claim;
    struct tunnel_meta *meta;
    uint16_t n_lines; /* of meta */
};

static inline uint16_t be16(const uint8_t *p)
{
    return rte_be_to_cpu_16(flow_key_load16(p));
}

static inline uint32_t be32(const uint8_t *p)
{
    return rte_be_to_cpu_32(flow_key_load32(p));
}

/* As tunnel_pop(), for any headers; has those remembered that pop_remember() takes. */
enum drop_reason pop_parse(const struct tunnel_table *table, struct tunnel_cache *cache,
                           const struct op_tunnel_pop *pop, struct rte_mbuf *m);

/* RFC 6040, 4.2, for a packet that came out, and whose outer header said `outer`, ECT(1) or CE. */
enum drop_reason pop_combine_ecn(struct rte_mbuf *m, uint8_t outer);

/* Remembers headers that were parsed and found right, if they are of a common kind. The packet still has them. */
void pop_remember(const struct outer *o, struct tunnel_cache *cache, const struct op_tunnel_pop *pop,
                  uint32_t generation, uint32_t index);

#endif
