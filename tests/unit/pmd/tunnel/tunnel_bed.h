/* Tunnels to test: a table of them with options, packets of bytes, programs of one operation on tunnels. */
#ifndef TESTS_UNIT_TUNNEL_BED_H
#define TESTS_UNIT_TUNNEL_BED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/action/execute.h"
#include "pmd/metadata.h"
#include "pmd/tunnel/pop.h"
#include "pmd/tunnel/push.h"
#include "tests/lib/packets.h"

#define TUNNEL 4000     /* from here on are indices of tunnels */
#define SRC_PORT 50001u /* of what is pushed */

#define TUNNEL_N_OPTIONS 2

extern struct rte_mempool *pool;
extern struct program_table *table;
extern struct tunnel_table *tunnels;
extern struct tunnel_cache cache; /* what a thread remembers */

/* The options of Geneve that the table knows: those that golden.py's packets have, but for one. */
extern const struct tunnel_option tunnel_options[TUNNEL_N_OPTIONS];

/* At the start of the program: DPDK, the pool. False: there is no memory. */
bool tunnel_bed_init(const char *name);

/* A table of tunnels without one, for each test. No test leaves an mbuf behind. */
int tunnel_bed_setup(void **state);
int tunnel_bed_teardown(void **state);

/* Metadata is 0. */
struct rte_mbuf *packet_of(const uint8_t *data, uint32_t len);

/* The operations by which packets with the headers `out` are made, by a tunnel with the index, and taken apart again.
 */
struct op_tunnel_push push_of(const struct tunnel_out *out, uint32_t index);
struct op_tunnel_pop pop_of(const struct tunnel_out *out, bool gpe);

/* A tunnel that takes all packets of out's type and port; it may be there already. */
void add_tunnel(const struct tunnel_out *out, uint32_t index);

/* Runs a program of one operation, and of an output behind a push. What came of `m` is in `events`. */
void run_program(struct rte_mbuf *m, enum program_op_type type, const void *data, size_t len, struct events *events);

#endif
