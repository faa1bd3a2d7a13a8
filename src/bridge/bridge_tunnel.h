/* Tunnel ports, as far as bridges know them: src/tunnel/tunnel_port.h has the rest. Control thread only.
 *
 * A tunnel port has no device. What is sent to it goes on within translation, in an outer packet; what comes out of a
 * tunnel has an index as in_port of its key (pmd/tunnel.h), by which the port is found here.
 */
#ifndef SRC_BRIDGE_BRIDGE_TUNNEL_H
#define SRC_BRIDGE_BRIDGE_TUNNEL_H

#include <stdint.h>
#include <sys/queue.h>

struct bridge_port;

/* It is made before the port, to which it belongs from bridge_port_add() on. */
struct bridge_tunnel {
    uint32_t index;   /* never given to another port */
    const char *type; /* "vxlan", as Open vSwitch calls it; constant */
    /* The port is being freed, and nothing of it may be named any more. */
    void (*port_gone)(struct bridge_tunnel *tunnel);
    /* The bridge's. */
    struct bridge_port *bp; /* NULL: there is no port yet */
    LIST_ENTRY(bridge_tunnel) node;
};

void bridge_tunnel_attach(struct bridge_tunnel *tunnel, struct bridge_port *bp);
/* Calls port_gone. */
void bridge_tunnel_detach(struct bridge_tunnel *tunnel);
/* NULL: no tunnel port has this index (any more). */
struct bridge_port *bridge_tunnel_find(uint32_t index);

#endif
