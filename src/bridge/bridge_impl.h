/* What the files of this folder share. Control thread only. */
#ifndef SRC_BRIDGE_BRIDGE_IMPL_H
#define SRC_BRIDGE_BRIDGE_IMPL_H

#include "src/bridge/bridge.h"

/* Calls `event` of each listener that has it. */
#define TELL(bridge, event, ...)                                                                                       \
    do {                                                                                                               \
        const struct bridge_listener *l;                                                                               \
        TAILQ_FOREACH (l, &(bridge)->listeners, node) {                                                                \
            if (l->event)                                                                                              \
                l->event(l->arg, __VA_ARGS__);                                                                         \
        }                                                                                                              \
    } while (0)

/* Re-reads what is behind the port. True if anything is different. */
bool bridge_port_read_status(struct bridge_port *bp);
/* Takes a port out of the bridge and frees it. Its index in the datapath stays taken, see datapath_port_forget(). */
void bridge_port_free(struct bridge_port *bp);
/* The port's state or address changed: its bond hears of it. */
void lport_follow_link(struct bridge_port *bp);

#endif
