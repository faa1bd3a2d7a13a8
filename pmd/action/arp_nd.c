/* ARP and RARP; IPv6 Neighbor Discovery (RFC 4861, 4.3 and 4.4). */
#include <netinet/in.h>
#include <rte_arp.h>

#include "pmd/action/packet.h"
#include "pmd/checksum.h"

#define ND_SOLICIT 135
#define ND_ADVERT 136
#define ND_RESERVED 4
#define ND_TARGET 8
#define ND_OPTIONS 24u

enum drop_reason action_set_arp(struct action_packet *p, const void *operand, uint32_t arg)
{
    const struct op_arp *op = operand;
    const struct packet_layers *layers = action_layers(p);

    if (layers->l3 == 0 || layers->eth_type == RTE_ETHER_TYPE_IPV4 || layers->eth_type == RTE_ETHER_TYPE_IPV6)
        return DROP_ACTION_MALFORMED;
    struct rte_arp_hdr *arp = (void *)action_data(p, layers->l3);
    struct rte_arp_ipv4 *data = &arp->arp_data;
    masked_write(&arp->arp_opcode, &op->op, &op->op_mask, 2);
    masked_write(&data->arp_sha, &op->sha, &op->sha_mask, 6);
    masked_write(&data->arp_sip, &op->spa, &op->spa_mask, 4);
    masked_write(&data->arp_tha, &op->tha, &op->tha_mask, 6);
    masked_write(&data->arp_tip, &op->tpa, &op->tpa_mask, 4);
    return ACTION_OK;
}

/* The option of `type` with a link-layer address; a message without it stays without. */
static uint8_t *find_option(uint8_t *options, uint32_t len, uint8_t type)
{
    while (len >= 8) {
        const uint32_t option_len = options[1] * 8;
        if (option_len == 0 || option_len > len)
            return NULL;
        if (options[0] == type && option_len == 8)
            return options;
        options += option_len;
        len -= option_len;
    }
    return NULL;
}

enum drop_reason action_set_nd(struct action_packet *p, const void *operand, uint32_t arg)
{
    const struct op_nd *op = operand;
    const struct packet_layers *layers = action_layers(p);

    if (layers->l4 == 0 || layers->ip_proto != IPPROTO_ICMPV6)
        return DROP_ACTION_MALFORMED;
    const uint32_t end = RTE_MIN(action_ip_end(p), (uint32_t)p->m->data_len);
    uint8_t *nd = action_data(p, layers->l4);
    if (layers->l4 + ND_OPTIONS > end || (nd[0] != ND_SOLICIT && nd[0] != ND_ADVERT) || nd[1] != 0)
        return DROP_ACTION_MALFORMED;

    const uint32_t len = end - layers->l4 - ND_OPTIONS;
    uint32_t delta = masked_write(nd + ND_TARGET, op->target, op->target_mask, 16);
    delta += masked_write(nd + ND_RESERVED, &op->reserved, &op->reserved_mask, 4);
    uint8_t *option = find_option(nd + ND_OPTIONS, len, nd[0] == ND_SOLICIT ? 1 : 2);
    if (option) {
        const uint8_t type[2] = {op->option, 0}, type_mask[2] = {op->option_mask, 0};
        delta += nd[0] == ND_SOLICIT ? masked_write(option + 2, &op->sll, &op->sll_mask, 6)
                                     : masked_write(option + 2, &op->tll, &op->tll_mask, 6);
        delta += masked_write(option, type, type_mask, 2);
    }
    return delta != 0 ? action_l4_checksum(p, delta) : ACTION_OK;
}
