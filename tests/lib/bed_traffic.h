/* A bed that forwards, and packets in and out of it. */
#ifndef TESTS_UNIT_BED_TRAFFIC_H
#define TESTS_UNIT_BED_TRAFFIC_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <unistd.h>

#include "pmd/base/clock.h"
#include "tests/lib/bed.h"

extern struct rte_mempool *pool; /* the test makes it */
extern struct bed bed;

int bed_setup(void **state);

int bed_teardown(void **state);

/* 60 bytes of UDP over IPv4, from 10.0.0.0:256 to 0.0.0.0:0, between two Ethernet addresses 02:00:00:00:00:00. */
struct rte_mbuf *bed_udp(void);

void send_to(uint32_t port, struct rte_mbuf *m);

/* Waits until a packet leaves `port`. NULL: none did. */
struct rte_mbuf *receive(uint32_t port, unsigned wait_ms);

void expect_out(uint32_t port);

void expect_nothing(uint32_t port);

#endif
