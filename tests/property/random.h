/* Random rules and packets out of few values, so that they meet often. */
#ifndef TESTS_PROPERTY_RANDOM_H
#define TESTS_PROPERTY_RANDOM_H

#include <rte_mbuf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void random_seed(uint64_t seed);
uint32_t random_below(uint32_t n);
/* Whether matches and actions name fields of tunnels from now on. */
void random_with_tunnels(bool tunnels);
static inline bool random_one_in(uint32_t n)
{
    return random_below(n) == 0;
}

#define RANDOM_TABLES 5

/* A match and actions as ovs-ofctl writes them. `mpls`: MPLS actions, too. */
void random_match(char *text, size_t size);
void random_actions(uint8_t table_id, bool mpls, uint32_t n_groups, char *text, size_t size);

/* A bucket of group `group_id`; it may send to groups of higher numbers, up to `n_groups`. */
void random_bucket(uint32_t group_id, uint32_t n_groups, char *text, size_t size);

/* Clauses of conjunctions 1 to `n_ids`; `whole`: all clauses of one. */
void random_clauses(uint32_t n_ids, bool whole, char *text, size_t size);

/* A learn action that makes rules of any table behind this one. */
void random_learn(uint8_t table_id, char *text, size_t size);

struct random_packet {
    uint8_t data[1024];
    size_t len;
    unsigned n_tags;
    bool whole; /* no header is cut short or says wrong lengths */
};

void random_packet(struct random_packet *packet);

#endif
