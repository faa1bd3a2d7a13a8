/* A datapath with three fake ports to test, and packets that say which flow they are of and carry a number. */
#ifndef TESTS_UNIT_DATAPATH_BED_H
#define TESTS_UNIT_DATAPATH_BED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <unistd.h>

#include "pmd/datapath.h"
#include "tests/lib/eal.h"
#include "tests/lib/fake_port.h"

#define N_PORTS 3
#define PATIENCE_US 5000000
#define PACKET_LEN 60

extern struct rte_mempool *pool; /* the test makes it */
extern struct datapath *dp;
extern struct fake_port *ports[N_PORTS];
extern struct program_table *programs;

/* --- the frame around each test ------------------------------------------ */

void start_with(unsigned n_threads, uint32_t emc_entries, uint32_t miss_ring, uint32_t max_sleep_us);

/* datapath_set_cores() may make more of them: three. */
void start_with_room(unsigned n_threads, unsigned max_threads, uint32_t emc_entries, uint32_t miss_ring,
                     uint32_t max_sleep_us);

/* With short sleeps, so that the tests get on where CPUs are few. */
void start(void);

void stop(void);

/* Waits until `condition` holds, with the datapath's housekeeping. */
#define WAIT_FOR(condition)                                                                                            \
    do {                                                                                                               \
        unsigned waited_ = 0;                                                                                          \
        while (!(condition)) {                                                                                         \
            assert_true(waited_ < PATIENCE_US);                                                                        \
            datapath_reclaim(dp);                                                                                      \
            usleep(50);                                                                                                \
            waited_ += 50;                                                                                             \
        }                                                                                                              \
    } while (0)

/* --- packets ------------------------------------------------------------- */

/* UDP from `flow` (its source address), numbered by `number` behind the headers. */
struct rte_mbuf *packet_make(uint32_t flow, uint32_t number);

uint32_t packet_number(const struct rte_mbuf *m);

void send_packet(unsigned port, struct rte_mbuf *m);

bool receive(unsigned port, uint32_t *number);

struct program *program_output(uint32_t port);

struct program *program_drop(enum drop_reason reason);

struct program *program_two(enum program_op_type a, uint32_t a_arg, enum program_op_type b, uint32_t b_arg);

void program_gone(struct program *program);

struct rte_mbuf *next_miss(void);

void key_of(struct rte_mbuf *m, struct flow_key *key);

/* Matches in_port, recirc_id and the IPv4 source under `src_mask`. */
struct flow_key mask_src(uint32_t src_mask);

struct megaflow *install(uint32_t in_port, uint32_t src, uint32_t src_mask, struct program *program);

uint64_t drops(enum drop_reason reason);

#endif
