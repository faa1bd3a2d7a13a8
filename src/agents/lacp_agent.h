/* LACP on ports of a bridge: an aggregation (src/proto/lacp.h) with its timer, its members' claims on packets, and
 * their frames. A member whose link may not be used is not live. Control thread only.
 */
#ifndef SRC_AGENTS_LACP_AGENT_H
#define SRC_AGENTS_LACP_AGENT_H

#include <rte_mbuf.h>

#include "src/bridge/bridge.h"
#include "src/loop/loop.h"
#include "src/proto/lacp.h"
#include "src/upcall/flows.h"

struct aggregation;

struct aggregation_params {
    struct loop *loop;
    struct flows *flows;
    struct rte_mempool *pool; /* for frames */
    /* Whether there is a neighbour to aggregate with may be different. */
    void (*changed)(void *arg, bool negotiated);
    void *arg;
};

/* One without members. */
struct aggregation *aggregation_create(const struct aggregation_params *params, const struct lacp_config *config);
/* Its members leave it. */
void aggregation_destroy(struct aggregation *aggregation);
void aggregation_configure(struct aggregation *aggregation, const struct lacp_config *config);
const struct lacp *aggregation_lacp(const struct aggregation *aggregation);

/* The port becomes a member; of one that is, bp->lacp may be another. Without numbers of its own it has its OpenFlow
 * number and the priority 65535. A port that is removed leaves by itself. */
void aggregation_join(struct aggregation *aggregation, struct bridge_port *bp);
/* One that is in none stays so. */
void aggregation_leave(struct bridge_port *bp);
/* NULL: the port is in no aggregation. */
const struct lacp_member *aggregation_member(const struct bridge_port *bp);

#endif
