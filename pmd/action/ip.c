/* IPv4 and IPv6 headers. Addresses are in the pseudo-header of TCP, UDP and ICMPv6 (RFC 9293 3.1, RFC 768, RFC
 * 8200 8.1), whose checksums follow; later fragments have none to follow. */
#include <netinet/in.h>
#include <rte_ip.h>

#include "pmd/action/packet.h"
#include "pmd/checksum.h"

uint32_t action_ip_end(struct action_packet *p)
{
    const struct packet_layers *layers = action_layers(p);

    if (layers->eth_type == RTE_ETHER_TYPE_IPV4) {
        const struct rte_ipv4_hdr *ip = (const void *)action_data(p, layers->l3);
        return layers->l3 + rte_be_to_cpu_16(ip->total_length);
    }
    const struct rte_ipv6_hdr *ip = (const void *)action_data(p, layers->l3);
    return layers->l3 + sizeof *ip + rte_be_to_cpu_16(ip->payload_len);
}

enum drop_reason action_set_ipv4(struct action_packet *p, const void *operand, uint32_t arg)
{
    const struct op_ipv4 *op = operand;
    const struct packet_layers *layers = action_layers(p);

    if (layers->eth_type != RTE_ETHER_TYPE_IPV4 || layers->l3 == 0)
        return DROP_ACTION_MALFORMED;
    struct rte_ipv4_hdr *ip = (void *)action_data(p, layers->l3);
    uint32_t delta = 0;

    if ((op->src_mask | op->dst_mask) != 0) {
        const uint32_t src = masked32(ip->src_addr, op->src, op->src_mask);
        const uint32_t dst = masked32(ip->dst_addr, op->dst, op->dst_mask);
        delta = checksum_delta32(ip->src_addr, src) + checksum_delta32(ip->dst_addr, dst);
        ip->src_addr = src;
        ip->dst_addr = dst;
        const enum drop_reason reason = action_l4_checksum(p, delta);
        if (reason != ACTION_OK)
            return reason;
    }
    if (op->tos_mask != 0) {
        const uint8_t tos = masked8(ip->type_of_service, op->tos, op->tos_mask);
        delta += checksum_delta16(rte_cpu_to_be_16(ip->type_of_service), rte_cpu_to_be_16(tos));
        ip->type_of_service = tos;
    }
    if (op->ttl_mask != 0) {
        const uint8_t ttl = masked8(ip->time_to_live, op->ttl, op->ttl_mask);
        delta += checksum_delta16(rte_cpu_to_be_16(ip->time_to_live << 8), rte_cpu_to_be_16(ttl << 8));
        ip->time_to_live = ttl;
    }
    ip->hdr_checksum = checksum_update(ip->hdr_checksum, delta);
    return ACTION_OK;
}

enum drop_reason action_set_ipv6(struct action_packet *p, const void *operand, uint32_t arg)
{
    const struct op_ipv6 *op = operand;
    const struct packet_layers *layers = action_layers(p);

    if (layers->eth_type != RTE_ETHER_TYPE_IPV6 || layers->l3 == 0)
        return DROP_ACTION_MALFORMED;
    struct rte_ipv6_hdr *ip = (void *)action_data(p, layers->l3);
    uint32_t delta = masked_write(&ip->src_addr, op->src, op->src_mask, 16);
    const uint32_t dst_delta = masked_write(&ip->dst_addr, op->dst, op->dst_mask, 16);

    /* RFC 8200, 8.1: with segments left the final destination, not this one, is in the pseudo-header. */
    if (!layers->routed)
        delta += dst_delta;
    if (delta != 0) {
        const enum drop_reason reason = action_l4_checksum(p, delta);
        if (reason != ACTION_OK)
            return reason;
    }

    const uint32_t mask = (rte_be_to_cpu_32(op->label_mask) & 0xfffff) | (uint32_t)op->tos_mask << 20;
    const uint32_t value = (rte_be_to_cpu_32(op->label) & 0xfffff) | (uint32_t)op->tos << 20;
    ip->vtc_flow = masked32(ip->vtc_flow, rte_cpu_to_be_32(value), rte_cpu_to_be_32(mask));
    ip->hop_limits = masked8(ip->hop_limits, op->ttl, op->ttl_mask);
    return ACTION_OK;
}

/* Where the number of the protocol is: in IPv6 in the last extension header. NULL: out of the parser's sight, or in
 * another fragment of the packet (a later one says 44 in the key, but its fragment header has to stay). */
static uint8_t *find_proto(struct action_packet *p)
{
    const struct packet_layers *layers = action_layers(p);
    struct rte_ipv6_hdr *ip = (void *)action_data(p, layers->l3);

    if (layers->cut || layers->later_fragment)
        return NULL;
    return layers->naming == 0 ? &ip->proto : action_data(p, layers->naming);
}

enum drop_reason action_set_proto(struct action_packet *p, const void *operand, uint32_t arg)
{
    const uint8_t proto = (uint8_t)arg;
    const struct packet_layers *layers = action_layers(p);
    const bool v4 = layers->eth_type == RTE_ETHER_TYPE_IPV4;
    struct rte_ipv4_hdr *ip;
    uint8_t *field;

    if ((!v4 && layers->eth_type != RTE_ETHER_TYPE_IPV6) || layers->l3 == 0)
        return DROP_ACTION_MALFORMED;
    ip = (void *)action_data(p, layers->l3);
    field = v4 ? &ip->next_proto_id : find_proto(p);
    if (!field || (offload_segmented(p->m) && !offload_datagram(p->m)))
        return DROP_ACTION_MALFORMED;
    if (!action_checksum_complete(p)) /* which the other protocol has elsewhere, if it has any */
        offload_finish(p->m);
    const uint32_t delta = checksum_delta16(rte_cpu_to_be_16(*field), rte_cpu_to_be_16(proto));
    const enum drop_reason reason = action_l4_checksum(p, delta);
    if (reason != ACTION_OK)
        return reason;
    *field = proto;
    if (v4)
        ip->hdr_checksum = checksum_update(ip->hdr_checksum, delta);
    p->found = false;
    return ACTION_OK;
}
