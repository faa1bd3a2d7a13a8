/* VLAN tags: IEEE 802.1Q; OpenFlow 1.3.5, 5.12. */
#include <rte_ether.h>
#include <string.h>

#include "pmd/action/packet.h"
#include "pmd/checksum.h"

#define TAG_LEN 4
#define ADDRESSES_LEN 12

uint32_t action_type_offset(struct action_packet *p)
{
    uint32_t offset = ADDRESSES_LEN;

    for (unsigned i = 0;; i++, offset += TAG_LEN) {
        if (offset + 2 > p->m->data_len)
            return 0;
        const uint8_t *at = action_data(p, offset);
        const uint16_t type = at[0] << 8 | at[1];
        if (i == p->max_tags || offset + 6 > p->m->data_len ||
            (type != RTE_ETHER_TYPE_VLAN && type != RTE_ETHER_TYPE_QINQ))
            return type < 0x0600 ? 0 : offset;
    }
}

enum drop_reason action_push_vlan(struct action_packet *p, const void *operand, uint32_t arg)
{
    const struct op_vlan *op = operand;

    if (p->m->data_len < RTE_ETHER_HDR_LEN)
        return DROP_ACTION_MALFORMED;
    uint8_t *data = action_prepend(p, TAG_LEN);
    if (!data)
        return DROP_ACTION_NO_ROOM;
    memmove(data, data + TAG_LEN, ADDRESSES_LEN);
    memcpy(data + 12, &op->tpid, 2);
    memcpy(data + 14, &op->tci, 2);
    p->max_tags++;
    p->found = false;
    return ACTION_OK;
}

enum drop_reason action_pop_vlan(struct action_packet *p, const void *operand, uint32_t arg)
{
    const uint32_t before = p->m->pkt_len;

    if (action_layers(p)->vlan == 0)
        return ACTION_OK;
    uint8_t *data = action_data(p, 0);
    memmove(data + TAG_LEN, data, ADDRESSES_LEN);
    action_take_off(p, TAG_LEN);
    p->max_tags--;
    action_pad(p, before);
    p->found = false;
    return ACTION_OK;
}

enum drop_reason action_set_vlan(struct action_packet *p, const void *operand, uint32_t arg)
{
    const struct op_vlan *op = operand;
    const struct packet_layers *layers = action_layers(p);

    if (layers->vlan == 0)
        return DROP_ACTION_MALFORMED;
    masked_write(action_data(p, layers->vlan + 2), &op->tci, &op->tci_mask, 2);
    return ACTION_OK;
}
