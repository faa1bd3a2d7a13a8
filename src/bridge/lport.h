/* Ports as operators know them: what NORMAL learns addresses on and floods to, with its VLANs. Mirrors and queues are
 * properties of Ports, too. A Port is one OpenFlow port, whose number and name it has; or it is a bond (bond.h), with a
 * name of its own and OpenFlow ports as members. Control thread only.
 */
#ifndef SRC_BRIDGE_LPORT_H
#define SRC_BRIDGE_LPORT_H

#include <stdint.h>
#include <sys/queue.h>

#include "src/bridge/mirror.h"
#include "src/bridge/port_vlan.h"

struct bond;
struct bridge;
struct bridge_port;

#define LPORT_BOND_FIRST UINT32_C(0x10000) /* ids of bonds are from here on, each given once */

struct lport {
    struct bridge *bridge;
    uint32_t id;                /* names it in the MAC table: its OpenFlow number, or that of a bond */
    struct bridge_port *member; /* NULL: it is a bond, which knows its members */
    struct bond *bond;          /* NULL: it is none */
    struct port_vlan vlan;
    struct lport_mirrors mirrors;
    TAILQ_ENTRY(lport) node;
};

const char *lport_name(const struct lport *lport);

/* The Port of a new OpenFlow port, a trunk of all VLANs. */
struct lport *lport_create(struct bridge_port *bp);
/* A bond without members; `bond` stays the caller's. To be freed by lport_free_bond() before the bridge goes. */
struct lport *lport_create_bond(struct bridge *bridge, struct bond *bond);
/* Its members leave it. */
void lport_free_bond(struct lport *lport);
/* The OpenFlow port becomes a member of the bond. Listeners hear of it as of other VLANs. A bond without members gets
 * the VLANs of its first one. */
void lport_join(struct lport *lport, struct bridge_port *bp);
/* It is a Port of its own again, with the bond's VLANs. */
void lport_leave(struct bridge_port *bp);
/* The OpenFlow port goes, and its own Port with it; it leaves its bond. */
void lport_forget(struct bridge_port *bp);

/* The Port that the MAC table has under this id; NULL: it is gone. */
struct lport *bridge_lport_by_id(const struct bridge *bridge, uint32_t id);
/* The last of the bridge's bonds, and the one before; NULL: there is none. */
struct lport *bridge_last_bond(const struct bridge *bridge);
struct lport *lport_previous_bond(const struct lport *lport);

#endif
