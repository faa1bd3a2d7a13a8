/* Bonds of bridges: which ports are members of which, delays and rebalancing (src/bridge/bond.h) with their timers, and
 * telling neighbours where stations are when another member becomes active. Control thread only.
 *
 * A bond is there from bond_agent_set() on, with whatever members are; ports that are added later join it.
 */
#ifndef SRC_AGENTS_BOND_AGENT_H
#define SRC_AGENTS_BOND_AGENT_H

#include <rte_mbuf.h>

#include "src/bridge/bridge.h"
#include "src/loop/loop.h"
#include "src/upcall/flows.h"

struct bond_agent;

struct bond_agent_bond {
    const char *name;
    const char *const *members; /* names of ports of the bridge */
    size_t n_members;
    struct bond_config config;
};

/* `pool` for frames. Ends after the last bridge. */
struct bond_agent *bond_agent_create(struct loop *loop, struct flows *flows, struct rte_mempool *pool);
void bond_agent_destroy(struct bond_agent *agent); /* NULL is allowed */

/* All bonds of the bridge, which replace those before. Without any (n = 0) before the bridge goes. A port that two
 * bonds name is the first one's. */
void bond_agent_set(struct bond_agent *agent, struct bridge *bridge, const struct bond_agent_bond *bonds, size_t n);
/* A port was added to a bridge: joins the bond that names it. */
void bond_agent_port_added(struct bond_agent *agent, struct bridge_port *bp);

/* Calls `fn` for each bond, in the order in which they were set. */
void bond_agent_for_each(const struct bond_agent *agent, void (*fn)(void *arg, struct lport *lport), void *arg);
/* NULL: there is none of that name. */
struct lport *bond_agent_find(const struct bond_agent *agent, const char *name);

#endif
