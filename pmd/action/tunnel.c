/* Outer headers of tunnels. Taking them off is the sink's business: it ends in a lookup. */
#include "pmd/action/packet.h"
#include "pmd/tunnel/push.h"

enum drop_reason action_tunnel_push(struct action_packet *p, const struct op_tunnel_push *push,
                                    struct rte_mempool *pool)
{
    uint32_t payload = 0;

    p->found = false;
    if (likely(tunnel_push_has_line(push) && tunnel_push_is_simple(p->m, push))) {
        p->max_tags = 0;
        tunnel_push_line(p->m, push);
        if (push->flags & TUNNEL_PUSH_CSUM)
            tunnel_push_checksum(p->m, push);
        return ACTION_OK;
    }
    if (unlikely(push->flags & TUNNEL_PUSH_NO_ETH)) {
        payload = action_type_offset(p) + 2;
        if (payload == 2)
            return DROP_ACTION_MALFORMED;
    }
    if (unlikely(rte_pktmbuf_headroom(p->m) + payload < push->len)) {
        struct rte_mbuf *copy = packet_copy_behind(p->m, pool, push->len);

        if (!copy)
            return DROP_NO_MBUF;
        rte_pktmbuf_free(p->m);
        p->m = copy;
    }
    p->found = false; /* the payload's place was looked for */
    p->max_tags = 0;
    return tunnel_push(p->m, push, payload);
}
