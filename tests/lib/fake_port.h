/* Ports for tests of the datapath: two rings each, nothing of DPDK's drivers. The test's thread fills `in` and reads
 * `out`. What links this has its port_destroy(), so that the datapath's removal of a port can be watched, and none of
 * the real ports.
 */
#ifndef TESTS_UNIT_FAKE_PORT_H
#define TESTS_UNIT_FAKE_PORT_H

#include <rte_ring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/port.h"

struct fake_port {
    struct port port; /* first */
    struct rte_ring *in, *out;
    uint32_t refuse; /* takes nothing to send while set */
};

extern unsigned fake_ports_destroyed;
extern const struct port_ops fake_ops; /* rx_burst and tx_burst */

struct fake_port *fake_port_create(unsigned room);

void fake_port_free(struct fake_port *fake);

#endif
