/* What the two halves of the plain interpreter (oracle.h) have of each other: oracle.c runs rules and their actions,
 * oracle_output.c sends packets.
 */
#ifndef TESTS_PROPERTY_ORACLE_IMPL_H
#define TESTS_PROPERTY_ORACLE_IMPL_H

#include "tests/property/oracle.h"

/* --- oracle.c ------------------------------------------------------------ */

/* The outermost tags into the flow that rules see. */
void oracle_show_tags(struct oracle *o);
void oracle_push_tag(struct oracle *o, rte_be16_t tci);
void oracle_pop_tag(struct oracle *o);
/* What a bridge does with the packet that came in by one of its ports. */
void oracle_bridge_run(struct oracle *o, uint32_t in_port);

/* --- oracle_output.c ----------------------------------------------------- */

/* As it is: to a port of the datapath, or to a controller for that reason. */
void oracle_send(struct oracle *o, uint32_t port, uint8_t reason);
/* The action: to a port of the bridge, or a reserved one. */
void oracle_output(struct oracle *o, uint32_t ofport);
/* The packet came in by `at`, or goes out by it. */
void oracle_mirrors_run(struct oracle *o, const struct bridge_port *at, bool sent);
/* Is the port there for a mirror? */
bool oracle_is_output(const struct oracle *o, const struct bridge_port *bp);

#endif
