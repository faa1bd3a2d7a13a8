/* Programs to test: a builder, and what came of the packets that a program was run on. For one test program each. */
#ifndef TESTS_LIB_PROGRAM_BED_H
#define TESTS_LIB_PROGRAM_BED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>

#include "pmd/program_ops.h"
#include "tests/lib/packets.h"

extern struct rte_mempool *pool;
extern struct program_table *table;
extern struct program_builder builder;
extern struct events events;

/* At the start of the program: DPDK and a pool of `n_mbufs`. False: there is no memory. */
bool program_bed_init(const char *name, unsigned n_mbufs);

/* For each test: an empty builder, no events. No test leaves an mbuf behind. */
int program_bed_setup(void **state);
int program_bed_teardown(void **state);

/* Runs the program of `builder`. What comes of `m` is added to `events`. */
void run(struct rte_mbuf *m);

#endif
