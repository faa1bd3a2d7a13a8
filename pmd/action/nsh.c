/* The Network Service Header (RFC 8300), and Ethernet headers in front of what has none or is to be carried whole. */
#include <rte_ether.h>
#include <string.h>

#include "pmd/action/packet.h"
#include "pmd/checksum.h"

enum drop_reason action_push_eth(struct action_packet *p, const void *operand, uint32_t arg)
{
    const uint16_t eth_type = (uint16_t)arg;
    uint8_t *data = action_prepend(p, RTE_ETHER_HDR_LEN);

    if (!data)
        return DROP_ACTION_NO_ROOM;
    memset(data, 0, 12);
    data[12] = eth_type >> 8;
    data[13] = (uint8_t)eth_type;
    p->max_tags = 0;
    p->found = false;
    return ACTION_OK;
}

/* Takes the Ethernet header off; a whole Ethernet header has to follow it. */
enum drop_reason action_pop_eth(struct action_packet *p, const void *operand, uint32_t arg)
{
    if (p->m->data_len < 2 * RTE_ETHER_HDR_LEN)
        return DROP_ACTION_MALFORMED;
    action_take_off(p, RTE_ETHER_HDR_LEN);
    p->found = false;
    return ACTION_OK;
}

enum drop_reason action_push_nsh(struct action_packet *p, const void *operand, uint32_t arg)
{
    const struct op_push_nsh *op = operand;
    const uint32_t type = action_type_offset(p);

    if (type == 0)
        return DROP_ACTION_MALFORMED;
    uint8_t *data = action_prepend(p, op->len);
    if (!data)
        return DROP_ACTION_NO_ROOM;
    memmove(data, data + op->len, type);
    data[type] = ETH_TYPE_NSH >> 8;
    data[type + 1] = ETH_TYPE_NSH & 0xff;
    memcpy(data + type + 2, op->header, op->len);
    p->found = false;
    return ACTION_OK;
}

enum drop_reason action_pop_nsh(struct action_packet *p, const void *operand, uint32_t arg)
{
    const uint16_t eth_type = (uint16_t)arg;
    const uint32_t nsh = action_layers(p)->nsh;

    if (nsh == 0)
        return DROP_ACTION_MALFORMED;
    uint8_t *data = action_data(p, 0);
    const uint16_t len = (data[nsh + 1] & 0x3f) * 4;
    data[nsh - 2] = eth_type >> 8;
    data[nsh - 1] = (uint8_t)eth_type;
    memmove(data + len, data, nsh);
    action_take_off(p, len);
    p->found = false;
    return ACTION_OK;
}

enum drop_reason action_set_nsh(struct action_packet *p, const void *operand, uint32_t arg)
{
    const struct op_nsh *op = operand;
    const uint32_t at = action_layers(p)->nsh;

    if (at == 0)
        return DROP_ACTION_MALFORMED;
    uint8_t *nsh = action_data(p, at);
    const uint16_t value = (op->flags & 3) << 12 | (op->ttl & 0x3f) << 6;
    const uint16_t mask = (op->flags_mask & 3) << 12 | (op->ttl_mask & 0x3f) << 6;
    const uint16_t first = masked16(nsh[0] << 8 | nsh[1], value, mask);
    nsh[0] = first >> 8;
    nsh[1] = (uint8_t)first;
    masked_write(nsh + 4, &op->path, &op->path_mask, 4);
    if ((nsh[2] & 0xf) == 1)
        masked_write(nsh + 8, op->context, op->context_mask, sizeof op->context);
    return ACTION_OK;
}
