/* The MTU of internal ports that were given none: what the host sends by one is to fit the other ports of its bridge,
 * and the links that tunnels of the bridge leave by, with the outer headers. Control thread only.
 *
 * It is the smallest MTU of the bridge's devices, as with Open vSwitch, and of its tunnels whose other end is known: of
 * each the MTU of the interface that the route leads to, less the headers. An interface is set to it when that changes,
 * so that what an operator sets in between stays until then. One in another network namespace is left alone.
 */
#ifndef SRC_TUNNEL_PORT_MTU_H
#define SRC_TUNNEL_PORT_MTU_H

struct bridge;
struct loop;
struct port_mtu;
struct routes;

/* Looks after the bridge's ports from now on. Routes and loop outlive it. */
struct port_mtu *port_mtu_create(struct loop *loop, struct routes *routes, struct bridge *bridge);
/* Before the bridge is destroyed. NULL is allowed. */
void port_mtu_destroy(struct port_mtu *mtu);

#endif
