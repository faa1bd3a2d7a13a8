#include "src/bridge/bridge_tunnel.h"

#include <stddef.h>

#define BUCKETS 4096

/* The tunnel ports of all bridges, by their indexes, which are given out one after the other. */
static LIST_HEAD(, bridge_tunnel) tunnels[BUCKETS];

void bridge_tunnel_attach(struct bridge_tunnel *tunnel, struct bridge_port *bp)
{
    tunnel->bp = bp;
    LIST_INSERT_HEAD(&tunnels[tunnel->index % BUCKETS], tunnel, node);
}

void bridge_tunnel_detach(struct bridge_tunnel *tunnel)
{
    LIST_REMOVE(tunnel, node);
    tunnel->bp = NULL;
    tunnel->port_gone(tunnel);
}

struct bridge_port *bridge_tunnel_find(uint32_t index)
{
    const struct bridge_tunnel *tunnel;

    LIST_FOREACH (tunnel, &tunnels[index % BUCKETS], node) {
        if (tunnel->index == index)
            return tunnel->bp;
    }
    return NULL;
}
