/* An OpenFlow server to test: over Unix sockets, in front of a real pipeline; datapath and flows are stand-ins. */
#ifndef TESTS_UNIT_OF_BED_H
#define TESTS_UNIT_OF_BED_H

#include "pmd/base/clock.h"
#include "tests/lib/of_client.h"

#include <event2/event.h>

#include "src/xlate/recirc.h"
#include "src/openflow/server/server.h"

/* --- stand-ins ----------------------------------------------------------- */

extern uint64_t now_ms;       /* the clock stands until a test moves it; each turn is a millisecond */
extern bool counted, settled; /* what flows_counted() and flows_settled() say */
extern unsigned n_packet_outs, n_limit_drops;
extern uint32_t packet_out_port, packet_out_len; /* of the last packet-out */
extern unsigned n_held, n_held_sent;             /* packet-outs of bundles that wait, and that were sent */
extern uint32_t held_config;                     /* of port 1, as the last one saw it */
extern uint32_t meters_left;                     /* how many meters there can be */
extern const struct port_ops ops;

/* --- the server under test ----------------------------------------------- */

extern struct rte_mempool *pool;
extern struct loop *loop;
extern struct event_base *base;
extern struct bridge *bridge;
extern struct of_server *server;
extern struct port ports[2];
extern char mgmt[108], listening[128];
extern struct client a, b; /* for tests; not connected */

/* One turn of the event loop. */
void turn(void);

/* A bridge with two ports and its server, which listens at `mgmt` and `listening` and connects to `controller` (NULL:
 * to none). */
void start(enum fail_mode fail_mode, const char *controller, uint32_t probe_ms);
void stop(void);

/* Of a group of tests. */
int of_bed_setup(void **state);
int of_bed_teardown(void **state);

/* "in_port=N,priority=N actions=output:1", in table 0. */
void make_flow_mod(struct of_msg *msg, enum flow_mod_command command, uint32_t n, struct act_buffer *acts);

void send_flow_mod(struct client *client, enum flow_mod_command command, uint32_t n);

uint32_t n_rules(void);

#endif
