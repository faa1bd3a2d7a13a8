/* Spanning trees of bridges: the protocol (src/proto/stp.h) with its timer, ports' claims on BPDUs, and their frames.
 * What it says of a port is in the port's state: PORT_STATE_BLOCKED, PORT_STATE_STP_*. Control thread only.
 *
 * Ports that are interfaces of the host's own, members of bonds, or excepted, do not take part, as in Open vSwitch:
 * they forward always.
 */
#ifndef SRC_AGENTS_STP_AGENT_H
#define SRC_AGENTS_STP_AGENT_H

#include <rte_mbuf.h>

#include "src/bridge/bridge.h"
#include "src/loop/loop.h"
#include "src/proto/stp.h"
#include "src/upcall/flows.h"

struct stp_agent;

/* `pool` for frames. Ends after the last bridge. */
struct stp_agent *stp_agent_create(struct loop *loop, struct flows *flows, struct rte_mempool *pool);
void stp_agent_destroy(struct stp_agent *agent); /* NULL is allowed */

/* Begins or changes the bridge's tree; `config` NULL: it has none from now on. Without one before the bridge goes. */
void stp_agent_set(struct stp_agent *agent, struct bridge *bridge, const struct stp_config *config);
/* A port was added to a bridge, bp->stp is different, or it joined or left a bond. */
void stp_agent_port_changed(struct stp_agent *agent, struct bridge_port *bp);

/* NULL: the bridge has no tree; the port takes no part. */
const struct stp *stp_agent_tree(const struct stp_agent *agent, const struct bridge *bridge);
const struct stp_port *stp_agent_port(const struct bridge_port *bp, const struct stp **tree);
/* Has the tree take itself for changed. */
void stp_agent_detect_change(struct stp_agent *agent, const struct bridge *bridge);

#endif
