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
#include "pmd/program.h"

#define ACTION_OK DROP_N_REASONS

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

/* After a header was taken out of a frame of `before` bytes: the frame does not fall below the least length of Ethernet
 * (IEEE 802.3, 3.2.8, without the FCS) by that. One that came in shorter stays as short as the pop makes it. */
static inline void action_pad(struct action_packet *p, uint32_t before)
{
    const uint32_t least = RTE_ETHER_MIN_LEN - RTE_ETHER_CRC_LEN, n = least - p->m->pkt_len;
    char *padding;

    if (likely(p->m->pkt_len >= least) || before < least || p->m->nb_segs != 1)
        return;
    padding = rte_pktmbuf_append(p->m, (uint16_t)n);
    if (padding)
        memset(padding, 0, n);
}

/* Where the IP payload ends (padding is behind it). The packet has an IP header. */
uint32_t action_ip_end(struct action_packet *p);
/* Brings the checksum of TCP, UDP or ICMPv6 up to date (see checksum.h). Later fragments and other protocols have none;
 * a packet that should have one out of the parser's sight is DROP_ACTION_MALFORMED, as it would go out broken. */
enum drop_reason action_l4_checksum(struct action_packet *p, uint32_t delta);

enum drop_reason action_push_vlan(struct action_packet *p, const struct op_vlan *op);
enum drop_reason action_pop_vlan(struct action_packet *p);
enum drop_reason action_set_vlan(struct action_packet *p, const struct op_vlan *op);
enum drop_reason action_push_mpls(struct action_packet *p, const struct op_mpls *op);
enum drop_reason action_pop_mpls(struct action_packet *p, const struct op_mpls *op);
enum drop_reason action_set_mpls(struct action_packet *p, const struct op_mpls *op);
enum drop_reason action_copy_ttl_in(struct action_packet *p);
enum drop_reason action_copy_ttl_out(struct action_packet *p);
enum drop_reason action_push_pbb(struct action_packet *p, const struct op_pbb *op);
enum drop_reason action_pop_pbb(struct action_packet *p);
enum drop_reason action_set_pbb(struct action_packet *p, const struct op_pbb *op);
enum drop_reason action_push_eth(struct action_packet *p, uint16_t eth_type);
enum drop_reason action_pop_eth(struct action_packet *p);
enum drop_reason action_push_nsh(struct action_packet *p, const struct op_push_nsh *op);
enum drop_reason action_pop_nsh(struct action_packet *p, uint16_t eth_type);
enum drop_reason action_set_nsh(struct action_packet *p, const struct op_nsh *op);
enum drop_reason action_set_eth(struct action_packet *p, const struct op_eth *op);
enum drop_reason action_set_type(struct action_packet *p, uint16_t eth_type);
enum drop_reason action_set_proto(struct action_packet *p, uint8_t proto);
enum drop_reason action_set_ipv4(struct action_packet *p, const struct op_ipv4 *op);
enum drop_reason action_set_ipv6(struct action_packet *p, const struct op_ipv6 *op);
enum drop_reason action_set_l4(struct action_packet *p, const struct op_l4 *op);
enum drop_reason action_set_icmp(struct action_packet *p, const struct op_icmp *op);
enum drop_reason action_set_arp(struct action_packet *p, const struct op_arp *op);
/* A DSCP band: adds levels of drop precedence. */
enum drop_reason action_remark(struct action_packet *p, unsigned levels);
enum drop_reason action_set_nd(struct action_packet *p, const struct op_nd *op);

#endif
