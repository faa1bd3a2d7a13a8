/* Puts outer headers in front of packets: what OP_TUNNEL_PUSH does. Poll-mode threads. */
#ifndef PMD_TUNNEL_PUSH_H
#define PMD_TUNNEL_PUSH_H

#include <rte_mbuf.h>
#include <stdbool.h>

#include "pmd/drop.h"
#include "pmd/offload.h"
#include "pmd/tunnel.h"

/* Whether the packet can stay unfinished (pmd/offload.h) behind the headers; else it has to be finished before. */
bool tunnel_push_keeps(const struct rte_mbuf *m, const struct op_tunnel_push *push);

/* Pushes on a packet whose first segment is the caller's alone, has all headers in it, and has room for push->len bytes
 * in front. `payload`: where what is carried begins; 0 but for TUNNEL_PUSH_NO_ETH. Returns DROP_N_REASONS, or why the
 * packet, which stays as it is, has to be dropped: DROP_TUNNEL_MTU. */
enum drop_reason tunnel_push(struct rte_mbuf *m, const struct op_tunnel_push *push, uint32_t payload);

/* Whether tunnel_push_line() takes the packet: it is alone in its mbuf, has the room, and fits the link. */
static inline bool tunnel_push_is_simple(const struct rte_mbuf *m, const struct op_tunnel_push *push)
{
    const uint32_t most = push->mtu != 0 ? push->mtu : UINT16_MAX;

    return rte_mbuf_refcnt_read(m) == 1 && RTE_MBUF_DIRECT(m) && m->nb_segs == 1 && !offload_any(m) &&
           m->data_off >= push->len && m->pkt_len + push->len - push->l3 <= most;
}

/* The headers of a packet behind which only lengths, the UDP source port and checksums differ: push->flags says
 * nothing but TUNNEL_PUSH_IPV6 and TUNNEL_PUSH_CSUM, and the type is TUNNEL_VXLAN, _GENEVE or _GRE. Else tunnel_push().
 * With TUNNEL_PUSH_CSUM tunnel_push_checksum() has to come after it. */
void tunnel_push_line(struct rte_mbuf *m, const struct op_tunnel_push *push);
void tunnel_push_checksum(struct rte_mbuf *m, const struct op_tunnel_push *push);
static inline bool tunnel_push_has_line(const struct op_tunnel_push *push)
{
    return (push->flags & ~(TUNNEL_PUSH_IPV6 | TUNNEL_PUSH_CSUM)) == 0 && push->type <= TUNNEL_GRE;
}

#endif
