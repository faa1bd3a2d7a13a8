/* Puts outer headers in front of packets: what OP_TUNNEL_PUSH does. Poll-mode threads. */
#ifndef PMD_TUNNEL_PUSH_H
#define PMD_TUNNEL_PUSH_H

#include <rte_mbuf.h>
#include <stdbool.h>

#include "pmd/drop.h"
#include "pmd/tunnel.h"

/* Whether the packet can stay unfinished (pmd/offload.h) behind the headers; else it has to be finished before. */
bool tunnel_push_keeps(const struct rte_mbuf *m, const struct op_tunnel_push *push);

/* Pushes on a packet whose first segment is the caller's alone, has all headers in it, and has room for push->len bytes
 * in front. `payload`: where what is carried begins; 0 but for TUNNEL_PUSH_NO_ETH. Returns DROP_N_REASONS, or why the
 * packet, which stays as it is, has to be dropped: DROP_TUNNEL_MTU. */
enum drop_reason tunnel_push(struct rte_mbuf *m, const struct op_tunnel_push *push, uint32_t payload);

/* A hash of the packet's addresses, protocol and ports: the same for all packets of a flow, fragments apart. */
uint32_t tunnel_flow_hash(const struct rte_mbuf *m);

#endif
