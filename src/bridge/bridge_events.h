/* Who hears what happens in a bridge: megaflows, OpenFlow connections, and whatever else has to follow ports and MAC
 * addresses. The bridge knows none of them. Control thread only.
 *
 * A listener is called at once, from within the change: port_removed while the port is still whole, the others when the
 * change is done. It must not add or remove ports or listeners. Functions that are NULL are not called.
 */
#ifndef SRC_BRIDGE_BRIDGE_EVENTS_H
#define SRC_BRIDGE_BRIDGE_EVENTS_H

#include <rte_ether.h>
#include <stdint.h>
#include <sys/queue.h>

struct bridge;
struct bridge_port;
struct lport;

/* What changed of a port. */
#define BRIDGE_PORT_LINK 1u   /* its state, or its MAC address */
#define BRIDGE_PORT_CONFIG 2u /* its configuration */
#define BRIDGE_PORT_VLAN 4u   /* its VLANs, or how its queues mark packets: nothing that OpenFlow tells of a port */
/* Which packets are taken on it, by protocols (port_claim.h) or by tunnels that end here, or what a tunnel port puts
 * around packets: nothing that OpenFlow tells either. */
#define BRIDGE_PORT_CLAIMS 8u
#define BRIDGE_PORT_MTU 16u /* nor is this */

struct bridge_listener {
    void *arg;
    void (*port_added)(void *arg, struct bridge_port *bp);
    void (*port_removed)(void *arg, struct bridge_port *bp);
    /* `what`: BRIDGE_PORT_*. */
    void (*port_changed)(void *arg, struct bridge_port *bp, unsigned what);
    /* What a bond does with packets (bond.h: "packets"): the Port is one. */
    void (*bond_changed)(void *arg, struct lport *lport);
    /* What the MAC table says of this address on this VLAN: it appeared, moved, aged or had to make room. */
    void (*mac_changed)(void *arg, struct bridge *bridge, const struct rte_ether_addr *mac, uint16_t vlan);
    /* Anything else that may change where packets go: fragment mode, table-miss mode, meters, a MAC table that was
     * flushed or replaced. */
    void (*bridge_changed)(void *arg, struct bridge *bridge);
    TAILQ_ENTRY(bridge_listener) node;
};
TAILQ_HEAD(bridge_listeners, bridge_listener);

/* `listener` stays the caller's, who takes it off before freeing it, or the bridge goes first. Those that listened
 * first are called first. */
void bridge_listen(struct bridge *bridge, struct bridge_listener *listener);
void bridge_unlisten(struct bridge *bridge, struct bridge_listener *listener);

/* For those who change what the bridge itself does not watch. */
void bridge_note_port(struct bridge_port *bp, unsigned what);
void bridge_note_bond(struct lport *lport);
void bridge_note(struct bridge *bridge);

#endif
