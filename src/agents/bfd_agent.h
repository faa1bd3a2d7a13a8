/* BFD on ports: sessions (src/proto/bfd.h) with their timers, their claims on packets, and their frames. A port of any
 * kind has one session at most, from bfd_agent_set() until that says otherwise or the port is removed. Control thread
 * only.
 */
#ifndef SRC_AGENTS_BFD_AGENT_H
#define SRC_AGENTS_BFD_AGENT_H

#include <rte_ether.h>
#include <rte_mbuf.h>

#include "src/bridge/bridge.h"
#include "src/loop/loop.h"
#include "src/proto/bfd.h"
#include "src/upcall/flows.h"

struct bfd_agent;

/* All that does not concern the session itself. Addresses of zeros: as told behind them. */
struct bfd_agent_config {
    bool enable;
    struct bfd_config session;
    struct rte_ether_addr local_src;  /* of frames sent; the port's */
    struct rte_ether_addr local_dst;  /* of frames sent; 00:23:20:00:00:01, as Open vSwitch has it */
    struct rte_ether_addr remote_dst; /* frames for the session have it; any */
    rte_be32_t ip_src, ip_dst;        /* 169.254.1.1, to which come packets for any address; 169.254.1.0 */
    bool check_tnl_key;               /* takes packets with tunnel key 0 only */
};

/* `pool` for frames. Ends after the last port of all bridges. */
struct bfd_agent *bfd_agent_create(struct loop *loop, struct flows *flows, struct rte_mempool *pool);
void bfd_agent_destroy(struct bfd_agent *agent); /* NULL is allowed */

/* Begins, changes or ends the session of the port. One that ends tells the other end so. */
void bfd_agent_set(struct bfd_agent *agent, struct bridge_port *bp, const struct bfd_agent_config *config);

/* False: there is no session on the port. */
bool bfd_agent_status(const struct bridge_port *bp, struct bfd_status *status);
void bfd_agent_for_each(const struct bfd_agent *agent,
                        void (*fn)(void *arg, const struct bridge_port *bp, const struct bfd_status *status),
                        void *arg);
/* As bfd_override_forwarding(), of the ports of that name; NULL: of all. Returns how many there are. */
unsigned bfd_agent_override(struct bfd_agent *agent, const char *port, int value);

#endif
