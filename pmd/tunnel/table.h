/* Which tunnel a packet belongs to that came in, and where its options go: what the control thread told of.
 *
 * Tunnels that leave the same open of key, remote and local address and payload are a class with a hash table of its
 * own; only classes that have a tunnel are looked into, the most specific first. The control thread writes, poll-mode
 * threads read under RCU.
 */
#ifndef PMD_TUNNEL_TABLE_H
#define PMD_TUNNEL_TABLE_H

#include <stdint.h>

#include "pmd/rcu.h"
#include "pmd/tunnel.h"

struct tunnel_table;

/* What a packet says. All bytes count. */
struct tunnel_claim {
    rte_be64_t key; /* 0: none */
    uint8_t remote[16], local[16];
    rte_be16_t udp_port;
    uint8_t type;
    uint8_t payload; /* TUNNEL_L2, TUNNEL_L3 */
    uint8_t zero[4];
};

/* The last answer, of one thread. All zero: none. */
struct tunnel_memo {
    struct tunnel_claim claim;
    uint32_t generation; /* of the table that gave it */
    uint32_t index;
};

/* A number that every change of the table makes another one, never 0. Poll-mode threads, and before they ask. */
uint32_t tunnel_table_generation(const struct tunnel_table *table);

struct tunnel_table *tunnel_table_create(struct rcu *rcu); /* NULL: out of memory */
void tunnel_table_destroy(struct tunnel_table *table);     /* no reader is left */
/* As datapath_tunnel_add() and its siblings. Control thread. */
int tunnel_table_add(struct tunnel_table *table, const struct tunnel_in *in, uint32_t index);
void tunnel_table_remove(struct tunnel_table *table, uint32_t index);
int tunnel_table_set_options(struct tunnel_table *table, const struct tunnel_option *options, unsigned n);

/* The index of the tunnel that takes the packet; 0: none does. Poll-mode threads. */
uint32_t tunnel_table_find(const struct tunnel_table *table, struct tunnel_memo *memo,
                           const struct tunnel_claim *claim);

/* The options that have a place, by class and type. */
struct tunnel_options;
const struct tunnel_options *tunnel_table_options(const struct tunnel_table *table); /* NULL: none */
const struct tunnel_option *tunnel_options_find(const struct tunnel_options *options, uint16_t class, uint8_t type);

#endif
