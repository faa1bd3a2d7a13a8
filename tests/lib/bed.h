/* A switch to test: a datapath with fake ports, one bridge, flows. The poll-mode thread runs only if asked for. */
#ifndef TESTS_UNIT_BED_H
#define TESTS_UNIT_BED_H

#include <rte_common.h>
#include <stdarg.h>
#include <stdlib.h>

#include "src/bridge/bridge.h"
#include "src/upcall/flows.h"
#include "tests/lib/flow_text.h"
#include "tests/lib/eal.h"
#include "tests/lib/fake_port.h"

#define BED_PORTS 5 /* OpenFlow ports 1 .. 5; datapath indices as well */

struct bed {
    struct datapath *dp;
    struct flows *flows;
    struct bridge *bridge;
    struct fake_port *fake[BED_PORTS + 1]; /* by OpenFlow port */
};

const struct port_ops *bed_ops(void);

struct bed_params {
    bool start;
    uint32_t megaflow_limit, mask_limit, idle_ms;
};

void bed_create(struct bed *bed, struct rte_mempool *pool, const struct bed_params *params);

/* All of it at once. */
void bed_forget_bridge(struct bed *bed, struct bridge *bridge);

void bed_destroy(struct bed *bed);

/* One flow_mod as ovs-ofctl writes it. Returns 0 or an enum of_error. */
int bed_mod(struct bed *bed, enum flow_mod_command command, const char *text);

/* A rule as ovs-ofctl writes it, which has to be taken. */
__rte_format_printf(2, 3) void bed_add(struct bed *bed, const char *format, ...);

/* A rule that matches everything, with actions that need not fit. */
void bed_add_unchecked(struct bed *bed, const char *actions);

/* One turn of an event loop. */
void bed_turn(struct bed *bed);

/* Brings the counters of all rules up to date. */
void bed_count(struct bed *bed);
/* As a barrier: until all changes are in the datapath. */
void bed_settle(struct bed *bed);

#endif
