/* Ethernet addresses. */
#include <rte_ether.h>

#include "pmd/action/checksum.h"
#include "pmd/action/packet.h"

enum drop_reason action_set_eth(struct action_packet *p, const struct op_eth *op)
{
    if (p->m->data_len < RTE_ETHER_HDR_LEN)
        return DROP_ACTION_MALFORMED;
    masked_write(action_data(p, 0), &op->dst, &op->dst_mask, 6);
    masked_write(action_data(p, 6), &op->src, &op->src_mask, 6);
    return ACTION_OK;
}
