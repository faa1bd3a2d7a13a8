/* What a meter's DSCP band does to a packet. */
#include "pmd/action/packet.h"

#define DROP_PRECEDENCE_MAX 3

/* RFC 2597, 6: AFxy is 8x + 2y for the classes 1 to 4; y, 1 to 3, is the drop precedence. Other code points have none,
 * and stay as they are (OpenFlow 1.3.5, 7.3.4.5). `tos` is DSCP and ECN. */
static uint8_t remarked(uint8_t tos, unsigned levels)
{
    unsigned class = tos >> 5, precedence = tos >> 3 & 3;

    if (class < 1 || class > 4 || precedence == 0 || (tos & 4) != 0)
        return tos;
    precedence = RTE_MIN(precedence + levels, (unsigned)DROP_PRECEDENCE_MAX);
    return (uint8_t)((tos & ~0x18) | precedence << 3);
}

enum drop_reason action_remark(struct action_packet *p, unsigned levels)
{
    const struct packet_layers *layers = action_layers(p);
    const uint8_t *l3;

    if (layers->l3 == 0)
        return ACTION_OK;
    l3 = action_data(p, layers->l3);
    if (layers->eth_type == RTE_ETHER_TYPE_IPV4) {
        const struct op_ipv4 op = {.tos = remarked(l3[1], levels), .tos_mask = 0xfc};

        return action_set_ipv4(p, &op, 0);
    }
    if (layers->eth_type == RTE_ETHER_TYPE_IPV6) {
        const struct op_ipv6 op = {.tos = remarked((uint8_t)(l3[0] << 4 | l3[1] >> 4), levels), .tos_mask = 0xfc};

        return action_set_ipv6(p, &op, 0);
    }
    return ACTION_OK;
}
