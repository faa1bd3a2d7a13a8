/* Patch ports: two ports, mostly of two bridges, joined as by a cable. What is sent to one comes in by the other, all
 * within translation (src/xlate/xlate_patch.c): there is no device, and the datapath knows nothing of them. Control
 * thread only.
 *
 * A pair finds itself by name whenever one of the two is added, and ends when one is removed. Each has to name the
 * other. A port whose peer is not there has no link, and drops what is sent to it.
 */
#ifndef SRC_BRIDGE_PATCH_H
#define SRC_BRIDGE_PATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct bridge_port;

/* The part of a bridge port that only those of kind BRIDGE_PORT_PATCH use. */
struct patch {
    char *peer_name;
    struct bridge_port *peer; /* NULL: there is none that names this one */
    LIST_ENTRY(bridge_port) node;
};

/* `bp` has its name. Afterwards, once it is in its bridge, patch_tell_peer(). */
void patch_attach(struct bridge_port *bp, const char *peer_name);
/* The listeners of the peer's bridge hear that it has a link now, or lost it. */
void patch_tell_peer(struct bridge_port *peer);
/* Ends the pair. Returns the port that was the peer, to be told; NULL: none. */
struct bridge_port *patch_detach(struct bridge_port *bp);

#endif
