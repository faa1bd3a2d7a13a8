/* MPLS labels (RFC 3032). They lie behind the VLAN tags (OpenFlow 1.3.5, 5.12.1), of which the parser knows two. */
#include <rte_ether.h>
#include <string.h>

#include "pmd/action/checksum.h"
#include "pmd/action/packet.h"

#define LABEL_LEN 4

/* Where the EtherType behind the tags is; 0 for a frame with a length there. */
static uint32_t type_offset(struct action_packet *p)
{
    uint32_t offset = 12;

    for (unsigned i = 0;; i++, offset += 4) {
        if (offset + 2 > p->m->data_len)
            return 0;
        const uint8_t *at = action_data(p, offset);
        const uint16_t type = at[0] << 8 | at[1];
        if (i == 2 || offset + 6 > p->m->data_len || (type != RTE_ETHER_TYPE_VLAN && type != RTE_ETHER_TYPE_QINQ))
            return type < 0x0600 ? 0 : offset;
    }
}

enum drop_reason action_push_mpls(struct action_packet *p, const struct op_mpls *op)
{
    const uint32_t type = type_offset(p);

    if (type == 0)
        return DROP_ACTION_MALFORMED;
    uint8_t *data = (uint8_t *)rte_pktmbuf_prepend(p->m, LABEL_LEN);
    if (data == NULL)
        return DROP_ACTION_NO_ROOM;
    memmove(data, data + LABEL_LEN, type);
    memcpy(data + type, &op->eth_type, 2);
    memcpy(data + type + 2, &op->lse, LABEL_LEN);
    p->found = false;
    return ACTION_OK;
}

enum drop_reason action_pop_mpls(struct action_packet *p, const struct op_mpls *op)
{
    const uint32_t type = type_offset(p);

    if (type == 0 || action_layers(p)->mpls != type + 2)
        return DROP_ACTION_MALFORMED;
    uint8_t *data = action_data(p, 0);
    memcpy(data + type, &op->eth_type, 2);
    memmove(data + LABEL_LEN, data, type + 2);
    rte_pktmbuf_adj(p->m, LABEL_LEN);
    p->found = false;
    return ACTION_OK;
}

enum drop_reason action_set_mpls(struct action_packet *p, const struct op_mpls *op)
{
    const struct packet_layers *layers = action_layers(p);

    if (layers->mpls == 0)
        return DROP_ACTION_MALFORMED;
    masked_write(action_data(p, layers->mpls), &op->lse, &op->lse_mask, LABEL_LEN);
    return ACTION_OK;
}
