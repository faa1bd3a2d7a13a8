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

/* As bed_udp(), between the Ethernet addresses 02:00:00:00:00:src and ..:dst, with `src` in the source address, too, to
 * an address and a port in host order. */
struct rte_mbuf *bed_udp_of(uint8_t src, uint8_t dst, uint32_t ip_dst, uint16_t port);

/* A packet of one flow, from 02:00:00:00:00:01 to ..:02, 10.0.0.2 and `tp_dst`, leaves by port `to`. */
void expect_way(uint32_t from, uint16_t tp_dst, uint32_t to);

/* As above, to another Ethernet address. */
void expect_way_of(uint32_t from, uint8_t dst, uint16_t tp_dst, uint32_t to);

/* Packets to `n` ports from `first` on leave by port `to`. */
void expect_ways(uint32_t from, uint8_t dst, unsigned first, unsigned n, uint32_t to);

struct flows_stats bed_flows_stats(void);

#endif
