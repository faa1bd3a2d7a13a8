/* Which interface of the kernel's a tunnel's packets leave by, for Interface.status of Open vSwitch's database. Control
 * thread. */
#ifndef SRC_APP_DB_EGRESS_H
#define SRC_APP_DB_EGRESS_H

#include <net/if.h>
#include <stdbool.h>

struct bridge_port;
struct routes;

struct egress {
    char device[IFNAMSIZ]; /* empty: it is no tunnel, its other end differs from packet to packet, or no route leads
                              there */
    bool up;               /* it has a carrier */
};

/* Costs a look at the routes, and now and then a system call. */
void egress_of(const struct routes *routes, const struct bridge_port *bp, struct egress *egress);

#endif
