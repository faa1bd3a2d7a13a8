/* Provider Backbone Bridges (IEEE 802.1Q, 9.7): the I-TAG with the customer's addresses behind it, so that a backbone
 * header in front of a whole frame is what comes and goes (OpenFlow 1.3.5, 7.2.5). */
#include <rte_ether.h>
#include <string.h>

#include "pmd/action/packet.h"
#include "pmd/checksum.h"

#define ADDRESSES_LEN 12
#define TAG_LEN 4
#define BACKBONE_LEN (ADDRESSES_LEN + 2 + TAG_LEN) /* addresses, EtherType, I-TAG */

enum drop_reason action_push_pbb(struct action_packet *p, const void *operand, uint32_t arg)
{
    const struct op_pbb *op = operand;

    if (p->m->data_len < RTE_ETHER_HDR_LEN)
        return DROP_ACTION_MALFORMED;
    uint8_t *data = action_prepend(p, BACKBONE_LEN);
    if (!data)
        return DROP_ACTION_NO_ROOM;
    memcpy(data, data + BACKBONE_LEN, ADDRESSES_LEN);
    memcpy(data + ADDRESSES_LEN, &op->eth_type, 2);
    memcpy(data + ADDRESSES_LEN + 2, &op->tag, TAG_LEN);
    p->max_tags = 0;
    p->found = false;
    return ACTION_OK;
}

/* VLAN tags in front of the I-TAG stay: they are pop_vlan's to take off. */
enum drop_reason action_pop_pbb(struct action_packet *p, const void *operand, uint32_t arg)
{
    const struct packet_layers *layers = action_layers(p);
    const uint32_t before = p->m->pkt_len;
    uint8_t addresses[ADDRESSES_LEN];

    if (layers->pbb == 0 || layers->pbb + TAG_LEN + ADDRESSES_LEN + 2u > p->m->data_len)
        return DROP_ACTION_MALFORMED;
    uint8_t *data = action_data(p, 0), *customer = data + layers->pbb + TAG_LEN;
    memcpy(addresses, customer, ADDRESSES_LEN);
    memmove(data + BACKBONE_LEN + ADDRESSES_LEN, data + ADDRESSES_LEN, layers->pbb - 2 - ADDRESSES_LEN);
    memcpy(data + BACKBONE_LEN, addresses, ADDRESSES_LEN);
    action_take_off(p, BACKBONE_LEN);
    action_pad(p, before);
    p->found = false;
    return ACTION_OK;
}

enum drop_reason action_set_pbb(struct action_packet *p, const void *operand, uint32_t arg)
{
    const struct op_pbb *op = operand;
    const struct packet_layers *layers = action_layers(p);

    if (layers->pbb == 0)
        return DROP_ACTION_MALFORMED;
    masked_write(action_data(p, layers->pbb), &op->tag, &op->tag_mask, TAG_LEN);
    return ACTION_OK;
}
