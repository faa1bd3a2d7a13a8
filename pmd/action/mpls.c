/* MPLS labels (RFC 3032). */
#include <rte_ether.h>
#include <rte_ip.h>
#include <string.h>

#include "pmd/action/packet.h"
#include "pmd/checksum.h"

#define LABEL_LEN 4

enum drop_reason action_push_mpls(struct action_packet *p, const void *operand, uint32_t arg)
{
    const struct op_mpls *op = operand;
    /* OpenFlow 1.3.5, 5.12: immediately after the Ethernet header and before other tags. */
    const uint32_t type = offsetof(struct rte_ether_hdr, ether_type);

    if (action_type_offset(p) == 0)
        return DROP_ACTION_MALFORMED;
    uint8_t *data = action_prepend(p, LABEL_LEN);
    if (!data)
        return DROP_ACTION_NO_ROOM;
    memmove(data, data + LABEL_LEN, type);
    memcpy(data + type, &op->eth_type, 2);
    memcpy(data + type + 2, &op->lse, LABEL_LEN);
    p->max_tags = 0;
    p->found = false;
    return ACTION_OK;
}

enum drop_reason action_pop_mpls(struct action_packet *p, const void *operand, uint32_t arg)
{
    const struct op_mpls *op = operand;
    const uint32_t type = action_type_offset(p), before = p->m->pkt_len;

    if (type == 0 || action_layers(p)->mpls != type + 2)
        return DROP_ACTION_MALFORMED;
    uint8_t *data = action_data(p, 0);
    memcpy(data + type, &op->eth_type, 2);
    memmove(data + LABEL_LEN, data, type + 2);
    action_take_off(p, LABEL_LEN);
    action_pad(p, before);
    p->found = false;
    return ACTION_OK;
}

enum drop_reason action_set_mpls(struct action_packet *p, const void *operand, uint32_t arg)
{
    const struct op_mpls *op = operand;
    const struct packet_layers *layers = action_layers(p);

    if (layers->mpls == 0)
        return DROP_ACTION_MALFORMED;
    masked_write(action_data(p, layers->mpls), &op->lse, &op->lse_mask, LABEL_LEN);
    return ACTION_OK;
}

/* What is below the outermost label (OpenFlow 1.3.5, 5.12): another label, or behind the bottom of the stack an IPv4 or
 * IPv6 header, as its version says. `ip`: where an IPv4 header is, whose checksum covers the TTL; 0 = none. */
struct inner_ttl {
    uint8_t *ttl; /* NULL: nothing with a TTL is there */
    struct rte_ipv4_hdr *ip;
};

static enum drop_reason inner_ttl_find(struct action_packet *p, struct inner_ttl *inner)
{
    const uint32_t label = action_layers(p)->mpls, next = label + LABEL_LEN, len = p->m->data_len;

    *inner = (struct inner_ttl){NULL, NULL};
    if (label == 0)
        return DROP_ACTION_MALFORMED;
    if ((action_data(p, label)[2] & 1) == 0) {
        if (next + LABEL_LEN > len)
            return DROP_ACTION_MALFORMED;
        inner->ttl = action_data(p, next + 3);
    } else if (next + sizeof *inner->ip <= len && *action_data(p, next) >> 4 == 4) {
        inner->ip = (void *)action_data(p, next);
        inner->ttl = &inner->ip->time_to_live;
    } else if (next + sizeof(struct rte_ipv6_hdr) <= len && *action_data(p, next) >> 4 == 6) {
        inner->ttl = action_data(p, next + offsetof(struct rte_ipv6_hdr, hop_limits));
    }
    return ACTION_OK;
}

enum drop_reason action_copy_ttl_in(struct action_packet *p, const void *operand, uint32_t arg)
{
    struct inner_ttl inner;
    const enum drop_reason reason = inner_ttl_find(p, &inner);

    if (!inner.ttl)
        return reason;
    const uint8_t ttl = action_data(p, action_layers(p)->mpls)[3];
    if (inner.ip) {
        const uint32_t delta = checksum_delta16(rte_cpu_to_be_16(*inner.ttl << 8), rte_cpu_to_be_16(ttl << 8));
        inner.ip->hdr_checksum = checksum_update(inner.ip->hdr_checksum, delta);
    }
    *inner.ttl = ttl;
    return ACTION_OK;
}

enum drop_reason action_copy_ttl_out(struct action_packet *p, const void *operand, uint32_t arg)
{
    struct inner_ttl inner;
    const enum drop_reason reason = inner_ttl_find(p, &inner);

    if (inner.ttl)
        action_data(p, action_layers(p)->mpls)[3] = *inner.ttl;
    return reason;
}
