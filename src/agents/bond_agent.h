/* Bonds of bridges: which ports are members of which, delays and rebalancing (src/bridge/bond.h) with their timers,
 * LACP on the members (lacp_agent.h), and telling neighbours where stations are when another member becomes active.
 * Control thread only.
 *
 * A bond is there from bond_agent_set() on, with whatever members are; ports that are added later join it. One port
 * alone may speak LACP, too: that is set as a bond of one member, and stays a Port as any other.
 */
#ifndef SRC_AGENTS_BOND_AGENT_H
#define SRC_AGENTS_BOND_AGENT_H

#include <rte_mbuf.h>

#include "src/agents/lacp_agent.h"
#include "src/bridge/bridge.h"
#include "src/loop/loop.h"
#include "src/upcall/flows.h"

struct bond_agent;

struct bond_agent_bond {
    const char *name;
    const char *const *members; /* names of ports of the bridge */
    size_t n_members;
    struct bond_config config; /* of more than one member */
    bool speaks_lacp;
    struct lacp_config lacp; /* if it does */
};

/* `pool` for frames. Ends after the last bridge. */
struct bond_agent *bond_agent_create(struct loop *loop, struct flows *flows, struct rte_mempool *pool);
void bond_agent_destroy(struct bond_agent *agent); /* NULL is allowed */

/* All bonds of the bridge, which replace those before. Without any (n = 0) before the bridge goes. A port that two
 * bonds name is the first one's. */
void bond_agent_set(struct bond_agent *agent, struct bridge *bridge, const struct bond_agent_bond *bonds, size_t n);
/* A port was added to a bridge, or bp->lacp is different: joins the bond that names it. */
void bond_agent_port_added(struct bond_agent *agent, struct bridge_port *bp);

/* Calls `fn` for each bond, in the order in which they were set. */
void bond_agent_for_each(const struct bond_agent *agent, void (*fn)(void *arg, struct lport *lport), void *arg);
/* NULL: there is none of that name. */
struct lport *bond_agent_find(const struct bond_agent *agent, const char *name);
/* The same of those that speak LACP. */
void bond_agent_for_each_lacp(const struct bond_agent *agent,
                              void (*fn)(void *arg, const char *name, const struct lacp *lacp), void *arg);
const struct lacp *bond_agent_find_lacp(const struct bond_agent *agent, const char *name);

#endif
