/* Ethernet addresses. */
#include <rte_ether.h>

#include "pmd/action/packet.h"
#include "pmd/checksum.h"

_Static_assert(offsetof(struct op_eth, src) == 6 && offsetof(struct op_eth, src_mask) == 18, "dst, src; masks alike");

enum drop_reason action_set_eth(struct action_packet *p, const void *operand, uint32_t arg)
{
    const struct op_eth *op = operand;

    if (p->m->data_len < RTE_ETHER_HDR_LEN)
        return DROP_ACTION_MALFORMED;
    /* Both addresses at once: they lie in the packet as in the operation. */
    uint8_t *addresses = action_data(p, 0);
    masked_copy(addresses, &op->dst, &op->dst_mask, 8);
    masked_copy(addresses + 8, op->src.addr_bytes + 2, op->src_mask.addr_bytes + 2, 4);
    return ACTION_OK;
}

enum drop_reason action_set_type(struct action_packet *p, const void *operand, uint32_t arg)
{
    const uint16_t eth_type = (uint16_t)arg;
    const uint32_t offset = action_type_offset(p);
    const rte_be16_t type = rte_cpu_to_be_16(eth_type);

    if (offset == 0)
        return DROP_ACTION_MALFORMED;
    memcpy(action_data(p, offset), &type, sizeof type);
    p->found = false;
    return ACTION_OK;
}
