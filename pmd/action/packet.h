/* A packet while a program runs on it, and the operations that change it. For pmd/action/ alone.
 *
 * The interpreter makes the first segment its own, with all headers in it, before it calls an operation. An operation
 * returns ACTION_OK, or why the packet has to be dropped.
 */
#ifndef PMD_ACTION_PACKET_H
#define PMD_ACTION_PACKET_H

#include <rte_branch_prediction.h>
#include <rte_ether.h>
#include <rte_mbuf.h>
#include <string.h>

#include "pmd/drop.h"
#include "pmd/key.h"
#include "pmd/offload.h"
#include "pmd/program.h"

/* No reasons to drop it: */
#define ACTION_OK DROP_N_REASONS
#define ACTION_HELD (DROP_N_REASONS + 1)  /* a fragment: the sink has it now */
#define ACTION_WHOLE (DROP_N_REASONS + 2) /* a fragment, too, and its datagram is complete: action_sink.fragment */

struct action_packet {
    struct rte_mbuf *m;
    bool writable;
    bool found;       /* layers holds; cleared when a header comes or goes */
    uint8_t max_tags; /* the headers are behind so many VLAN tags at most: those of the key, and those pushed since */
    struct packet_layers layers;
};

static inline const struct packet_layers *action_layers(struct action_packet *p)
{
    if (!p->found) {
        packet_layers_find_behind(p->m, p->max_tags, &p->layers);
        p->found = true;
    }
    return &p->layers;
}

static inline uint8_t *action_data(struct action_packet *p, uint32_t offset)
{
    return rte_pktmbuf_mtod_offset(p->m, uint8_t *, offset);
}

/* Where the EtherType behind the tags is; 0 for a frame with a length there. */
uint32_t action_type_offset(struct action_packet *p);

/* Room for `len` bytes in front of the packet: where they begin, or NULL. */
static inline uint8_t *action_prepend(struct action_packet *p, uint16_t len)
{
    struct rte_mbuf *m = p->m;

    if (unlikely(offload_any(m))) {
        if (m->l2_len + len > OFFLOAD_L2_MAX)
            return NULL;
        m->l2_len += len;
    }
    return (uint8_t *)rte_pktmbuf_prepend(m, len);
}

/* Takes the first `len` bytes off, which are there. */
static inline void action_take_off(struct action_packet *p, uint16_t len)
{
    struct rte_mbuf *m = p->m;

    if (unlikely(offload_any(m))) {
        if (m->l2_len < len) /* more than was there: nothing after this finds the headers again */
            offload_finish(m);
        else
            m->l2_len -= len;
    }
    rte_pktmbuf_adj(m, len);
}

/* After a header was taken out of a frame of `before` bytes: the frame does not fall below the least length of Ethernet
 * (IEEE 802.3, 3.2.8, without the FCS) by that. One that came in shorter stays as short as the pop makes it. What is
 * behind the payload of a packet that is to be cut would become payload: it is not padded. */
static inline void action_pad(struct action_packet *p, uint32_t before)
{
    const uint32_t least = RTE_ETHER_MIN_LEN - RTE_ETHER_CRC_LEN, n = least - p->m->pkt_len;
    char *padding;

    if (likely(p->m->pkt_len >= least) || before < least || p->m->nb_segs != 1 || offload_segmented(p->m))
        return;
    padding = rte_pktmbuf_append(p->m, (uint16_t)n);
    if (padding)
        memset(padding, 0, n);
}

/* Where the IP payload ends (padding is behind it). The packet has an IP header. */
uint32_t action_ip_end(struct action_packet *p);
/* Brings the checksum of TCP, UDP or ICMPv6 up to date (see checksum.h) with a change of the pseudo-header, or of what
 * is behind it if the packet's checksum is complete (action_checksum_complete). Later fragments and other protocols
 * have none; a packet that should have one out of the parser's sight is DROP_ACTION_MALFORMED, as it would go out
 * broken. */
enum drop_reason action_l4_checksum(struct action_packet *p, uint32_t delta);

/* The marks of an unfinished packet may be of headers further in. */
static inline bool action_checksum_complete(struct action_packet *p)
{
    return likely((p->m->ol_flags & OFFLOAD_CHECKSUM) == 0) || action_layers(p)->l4 != offload_l4(p->m);
}

/* A DSCP band: adds levels of drop precedence. */
enum drop_reason action_remark(struct action_packet *p, unsigned levels);

struct op_tunnel_push;

/* Puts outer headers in front, of a packet that is finished or tunnel_push_keeps(); one without the room becomes a copy
 * out of `pool`. */
enum drop_reason action_tunnel_push(struct action_packet *p, const struct op_tunnel_push *push,
                                    struct rte_mempool *pool);

/* Runs one operation: `operand` is the data[] of its struct program_op, `arg` its arg. */
typedef enum drop_reason action_run(struct action_packet *p, const void *operand, uint32_t arg);

action_run action_push_vlan, action_pop_vlan, action_set_vlan;
action_run action_push_mpls, action_pop_mpls, action_set_mpls, action_copy_ttl_in, action_copy_ttl_out;
action_run action_push_pbb, action_pop_pbb, action_set_pbb;
action_run action_push_eth, action_pop_eth, action_set_eth, action_set_type;
action_run action_push_nsh, action_pop_nsh, action_set_nsh;
action_run action_set_proto, action_set_ipv4, action_set_ipv6, action_set_l4, action_set_icmp;
action_run action_set_arp, action_set_nd;
action_run action_hash, action_set_queue;

/* By enum program_op_type. NULL: program_execute() runs the operation itself. Those send, end, measure or cut the
 * packet, which depends on the operations around them; and OP_SET_META is a single store, where the call would cost
 * more. */
extern action_run *const action_runs[OP_N_TYPES];

#endif
