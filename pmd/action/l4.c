/* TCP, UDP, SCTP ports; ICMP and ICMPv6 type and code. */
#include <netinet/in.h>
#include <rte_icmp.h>
#include <rte_sctp.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include "pmd/action/packet.h"
#include "pmd/checksum.h"
#include "pmd/crc32c.h"

/* Where the checksum is in the L4 header; 0 for a protocol without a pseudo-header. */
static uint32_t checksum_offset(const struct packet_layers *layers)
{
    switch (layers->ip_proto) {
    case IPPROTO_TCP:
        return offsetof(struct rte_tcp_hdr, cksum);
    case IPPROTO_UDP:
        return offsetof(struct rte_udp_hdr, dgram_cksum);
    case IPPROTO_ICMPV6:
        return layers->eth_type == RTE_ETHER_TYPE_IPV6 ? offsetof(struct rte_icmp_hdr, icmp_cksum) : 0;
    default:
        return 0;
    }
}

enum drop_reason action_l4_checksum(struct action_packet *p, uint32_t delta)
{
    const struct packet_layers *layers = action_layers(p);
    const uint32_t offset = checksum_offset(layers);
    uint16_t checksum;

    if (layers->later_fragment)
        return ACTION_OK;
    if (layers->l4 == 0)
        return offset != 0 || layers->cut ? DROP_ACTION_MALFORMED : ACTION_OK;
    if (offset == 0)
        return ACTION_OK;
    uint8_t *field = action_data(p, layers->l4 + offset);
    memcpy(&checksum, field, 2);
    if (!action_checksum_complete(p)) {
        checksum = checksum_fold(checksum + checksum_fold(delta));
        memcpy(field, &checksum, 2);
        return ACTION_OK;
    }
    if (layers->ip_proto == IPPROTO_UDP && checksum == 0) /* RFC 768: the sender made none */
        return ACTION_OK;
    checksum = checksum_update(checksum, delta);
    if (layers->ip_proto == IPPROTO_UDP && checksum == 0)
        checksum = 0xffff;
    memcpy(field, &checksum, 2);
    return ACTION_OK;
}

static enum drop_reason set_sctp(struct action_packet *p, struct rte_sctp_hdr *sctp, rte_be16_t src, rte_be16_t dst)
{
    uint32_t old, new, checksum;

    /* The CRC covers the whole datagram, whose length only the last fragment knows. */
    if (action_layers(p)->fragment)
        return DROP_ACTION_MALFORMED;
    memcpy(&old, sctp, 4);
    sctp->src_port = src;
    sctp->dst_port = dst;
    memcpy(&new, sctp, 4);
    const uint32_t len = action_ip_end(p) - action_layers(p)->l4;
    memcpy(&checksum, &sctp->cksum, 4);
    checksum ^= rte_cpu_to_le_32(crc32c_difference(old ^ new, len));
    memcpy(&sctp->cksum, &checksum, 4);
    return ACTION_OK;
}

enum drop_reason action_set_l4(struct action_packet *p, const void *operand, uint32_t arg)
{
    const struct op_l4 *op = operand;
    const struct packet_layers *layers = action_layers(p);

    if (layers->l4 == 0 ||
        (layers->ip_proto != IPPROTO_TCP && layers->ip_proto != IPPROTO_UDP && layers->ip_proto != IPPROTO_SCTP))
        return DROP_ACTION_MALFORMED;
    /* All three begin with the two ports. */
    struct rte_udp_hdr *l4 = (void *)action_data(p, layers->l4);
    const rte_be16_t src = masked16(l4->src_port, op->src, op->src_mask);
    const rte_be16_t dst = masked16(l4->dst_port, op->dst, op->dst_mask);
    if (layers->ip_proto == IPPROTO_SCTP)
        return set_sctp(p, (void *)l4, src, dst);
    const uint32_t delta = checksum_delta16(l4->src_port, src) + checksum_delta16(l4->dst_port, dst);
    l4->src_port = src;
    l4->dst_port = dst;
    return action_checksum_complete(p) ? action_l4_checksum(p, delta) : ACTION_OK;
}

enum drop_reason action_set_icmp(struct action_packet *p, const void *operand, uint32_t arg)
{
    const struct op_icmp *op = operand;
    const struct packet_layers *layers = action_layers(p);

    if (layers->l4 == 0 || (layers->ip_proto != IPPROTO_ICMP && layers->ip_proto != IPPROTO_ICMPV6))
        return DROP_ACTION_MALFORMED;
    const uint8_t value[2] = {op->type, op->code}, mask[2] = {op->type_mask, op->code_mask};
    struct rte_icmp_hdr *icmp = (void *)action_data(p, layers->l4);
    const uint32_t delta = masked_write(icmp, value, mask, 2);
    icmp->icmp_cksum = checksum_update(icmp->icmp_cksum, delta);
    /* Without a pseudo-header all that is summed may be zero, and then only all ones are right. Where 0 would be right
     * as well, receivers cannot tell the two apart (RFC 1071, 2). */
    if (icmp->icmp_cksum == 0 && icmp->icmp_type == 0 && icmp->icmp_code == 0)
        icmp->icmp_cksum = 0xffff;
    return ACTION_OK;
}
