/* Programs as text, in the style of OVS's datapath actions. */
#include <arpa/inet.h>
#include <rte_common.h>
#include <rte_ether.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "pmd/program.h"

struct writer {
    char *buffer;
    size_t size;
    size_t len;    /* that would have been written */
    bool separate; /* a comma before the next field */
};

static void put(struct writer *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(struct writer *w, const char *format, ...)
{
    const size_t left = w->len < w->size ? w->size - w->len : 0;
    va_list args;

    va_start(args, format);
    const int n = vsnprintf(left != 0 ? w->buffer + w->len : NULL, left, format, args);
    va_end(args);
    if (n > 0)
        w->len += n;
}

static void put_open(struct writer *w, const char *name)
{
    put(w, "%s(", name);
    w->separate = false;
}

static void put_name(struct writer *w, const char *name)
{
    put(w, "%s%s=", w->separate ? "," : "", name);
    w->separate = true;
}

/* Each of these writes nothing if the mask is zero, and the mask only if it is not all of the field. */

enum base { DECIMAL, HEX };

static void put_number(struct writer *w, const char *name, enum base base, uint32_t value, uint32_t mask, uint32_t all)
{
    if (mask == 0)
        return;
    put_name(w, name);
    if (mask != all)
        put(w, "0x%x/0x%x", value & mask, mask);
    else
        put(w, base == HEX ? "0x%x" : "%u", value & mask);
}

static void put_ether(struct writer *w, const char *name, const struct rte_ether_addr *value,
                      const struct rte_ether_addr *mask)
{
    if (rte_is_zero_ether_addr(mask))
        return;
    put_name(w, name);
    for (int i = 0; i < 6; i++)
        put(w, "%s%02x", i ? ":" : "", value->addr_bytes[i] & mask->addr_bytes[i]);
    if (rte_is_broadcast_ether_addr(mask))
        return;
    for (int i = 0; i < 6; i++)
        put(w, "%s%02x", i ? ":" : "/", mask->addr_bytes[i]);
}

static void put_address(struct writer *w, const char *name, int family, const void *value, const void *mask)
{
    const size_t len = family == AF_INET ? 4 : 16;
    uint8_t bytes[16], any = 0, all = 0xff;
    char text[INET6_ADDRSTRLEN];

    for (size_t i = 0; i < len; i++) {
        const uint8_t m = ((const uint8_t *)mask)[i];
        bytes[i] = ((const uint8_t *)value)[i] & m;
        any |= m;
        all &= m;
    }
    if (any == 0)
        return;
    put_name(w, name);
    put(w, "%s", inet_ntop(family, bytes, text, sizeof text));
    if (all != 0xff)
        put(w, "/%s", inet_ntop(family, mask, text, sizeof text));
}

static void put_vlan(struct writer *w, const struct op_vlan *op, bool push)
{
    const uint16_t tci = rte_be_to_cpu_16(op->tci), mask = push ? 0xffff : rte_be_to_cpu_16(op->tci_mask);

    if (push && op->tpid != RTE_BE16(RTE_ETHER_TYPE_VLAN))
        put_number(w, "tpid", HEX, rte_be_to_cpu_16(op->tpid), 0xffff, 0xffff);
    put_number(w, "vid", DECIMAL, tci & 0xfff, mask & 0xfff, 0xfff);
    put_number(w, "pcp", DECIMAL, tci >> 13, mask >> 13, 7);
    if (!push || (tci & 0x1000) != 0)
        put_number(w, "dei", DECIMAL, tci >> 12 & 1, mask >> 12 & 1, 1);
}

static void put_mpls(struct writer *w, const struct op_mpls *op, bool push)
{
    const uint32_t lse = rte_be_to_cpu_32(op->lse), mask = push ? UINT32_MAX : rte_be_to_cpu_32(op->lse_mask);

    put_number(w, "label", DECIMAL, lse >> 12, mask >> 12, 0xfffff);
    put_number(w, "tc", DECIMAL, lse >> 9 & 7, mask >> 9 & 7, 7);
    put_number(w, "ttl", DECIMAL, lse & 0xff, mask & 0xff, 0xff);
    put_number(w, "bos", DECIMAL, lse >> 8 & 1, mask >> 8 & 1, 1);
    if (push)
        put_number(w, "eth_type", HEX, rte_be_to_cpu_16(op->eth_type), 0xffff, 0xffff);
}

static void put_pbb(struct writer *w, const struct op_pbb *op, bool push)
{
    const uint32_t tag = rte_be_to_cpu_32(op->tag), mask = push ? UINT32_MAX : rte_be_to_cpu_32(op->tag_mask);

    put_number(w, "isid", HEX, tag & 0xffffff, mask & 0xffffff, 0xffffff);
    put_number(w, "uca", DECIMAL, tag >> 27 & 1, mask >> 27 & 1, 1);
    put_number(w, "pcp", DECIMAL, tag >> 29, mask >> 29, 7);
}

static void put_nsh(struct writer *w, const struct op_nsh *op)
{
    static const char *const names[] = {"c1", "c2", "c3", "c4"};
    const uint32_t path = rte_be_to_cpu_32(op->path), mask = rte_be_to_cpu_32(op->path_mask);

    put_number(w, "flags", DECIMAL, op->flags, op->flags_mask & 3, 3);
    put_number(w, "ttl", DECIMAL, op->ttl, op->ttl_mask & 0x3f, 0x3f);
    put_number(w, "spi", HEX, path >> 8, mask >> 8, 0xffffff);
    put_number(w, "si", DECIMAL, path & 0xff, mask & 0xff, 0xff);
    for (int i = 0; i < 4; i++)
        put_number(w, names[i], HEX, rte_be_to_cpu_32(op->context[i]), rte_be_to_cpu_32(op->context_mask[i]),
                   UINT32_MAX);
}

static void put_ipv4(struct writer *w, const struct op_ipv4 *op)
{
    put_address(w, "src", AF_INET, &op->src, &op->src_mask);
    put_address(w, "dst", AF_INET, &op->dst, &op->dst_mask);
    put_number(w, "tos", HEX, op->tos, op->tos_mask, 0xff);
    put_number(w, "ttl", DECIMAL, op->ttl, op->ttl_mask, 0xff);
}

static void put_ipv6(struct writer *w, const struct op_ipv6 *op)
{
    put_address(w, "src", AF_INET6, op->src, op->src_mask);
    put_address(w, "dst", AF_INET6, op->dst, op->dst_mask);
    put_number(w, "label", HEX, rte_be_to_cpu_32(op->label), rte_be_to_cpu_32(op->label_mask) & 0xfffff, 0xfffff);
    put_number(w, "tclass", HEX, op->tos, op->tos_mask, 0xff);
    put_number(w, "hlimit", DECIMAL, op->ttl, op->ttl_mask, 0xff);
}

static void put_arp(struct writer *w, const struct op_arp *op)
{
    put_address(w, "sip", AF_INET, &op->spa, &op->spa_mask);
    put_address(w, "tip", AF_INET, &op->tpa, &op->tpa_mask);
    put_number(w, "op", DECIMAL, rte_be_to_cpu_16(op->op), rte_be_to_cpu_16(op->op_mask), 0xffff);
    put_ether(w, "sha", &op->sha, &op->sha_mask);
    put_ether(w, "tha", &op->tha, &op->tha_mask);
}

static void put_set(struct writer *w, const struct program_op *op)
{
    const void *data = op->data;

    switch ((enum program_op_type)op->type) {
    case OP_SET_VLAN:
        put_open(w, "set(vlan");
        put_vlan(w, data, false);
        break;
    case OP_SET_MPLS:
        put_open(w, "set(mpls");
        put_mpls(w, data, false);
        break;
    case OP_SET_PBB:
        put_open(w, "set(pbb");
        put_pbb(w, data, false);
        break;
    case OP_SET_NSH:
        put_open(w, "set(nsh");
        put_nsh(w, data);
        break;
    case OP_SET_ETH: {
        const struct op_eth *eth = data;
        put_open(w, "set(eth");
        put_ether(w, "src", &eth->src, &eth->src_mask);
        put_ether(w, "dst", &eth->dst, &eth->dst_mask);
        break;
    }
    case OP_SET_IPV4:
        put_open(w, "set(ipv4");
        put_ipv4(w, data);
        break;
    case OP_SET_IPV6:
        put_open(w, "set(ipv6");
        put_ipv6(w, data);
        break;
    case OP_SET_L4: {
        const struct op_l4 *l4 = data;
        put_open(w, "set(l4");
        put_number(w, "src", DECIMAL, rte_be_to_cpu_16(l4->src), rte_be_to_cpu_16(l4->src_mask), 0xffff);
        put_number(w, "dst", DECIMAL, rte_be_to_cpu_16(l4->dst), rte_be_to_cpu_16(l4->dst_mask), 0xffff);
        break;
    }
    case OP_SET_ICMP: {
        const struct op_icmp *icmp = data;
        put_open(w, "set(icmp");
        put_number(w, "type", DECIMAL, icmp->type, icmp->type_mask, 0xff);
        put_number(w, "code", DECIMAL, icmp->code, icmp->code_mask, 0xff);
        break;
    }
    case OP_SET_ARP:
        put_open(w, "set(arp");
        put_arp(w, data);
        break;
    case OP_SET_ND: {
        const struct op_nd *nd = data;
        put_open(w, "set(nd");
        put_address(w, "target", AF_INET6, nd->target, nd->target_mask);
        put_ether(w, "sll", &nd->sll, &nd->sll_mask);
        put_ether(w, "tll", &nd->tll, &nd->tll_mask);
        put_number(w, "reserved", HEX, rte_be_to_cpu_32(nd->reserved), rte_be_to_cpu_32(nd->reserved_mask), UINT32_MAX);
        put_number(w, "option", DECIMAL, nd->option, nd->option_mask, UINT8_MAX);
        break;
    }
    default:
        return;
    }
    put(w, "))");
}

static void put_op(struct writer *w, const struct program_op *op, const char *(*port_name)(void *, uint32_t), void *arg)
{
    const void *data = op->data;

    switch ((enum program_op_type)op->type) {
    case OP_OUTPUT:
        if (port_name)
            put(w, "%s", port_name(arg, op->arg));
        else
            put(w, "%u", op->arg);
        break;
    case OP_PUNT:
        put(w, "userspace(punt_id=%u)", op->arg);
        break;
    case OP_TRUNCATE:
        put(w, "trunc(%u)", op->arg);
        break;
    case OP_RECIRC:
        put(w, "recirc(0x%x)", op->arg);
        break;
    case OP_RECIRC_LARGER:
        put(w, "check_pkt_len(size=%u,gt(recirc(0x%x)),le(recirc(0x%x)))", ((const struct op_larger *)op->data)->len,
            ((const struct op_larger *)op->data)->recirc, op->arg);
        break;
    case OP_DROP:
        put(w, "drop");
        if (op->arg != DROP_POLICY)
            put(w, "(%s)", drop_reason_name(op->arg));
        break;
    case OP_PUSH_VLAN:
        put_open(w, "push_vlan");
        put_vlan(w, data, true);
        put(w, ")");
        break;
    case OP_POP_VLAN:
        put(w, "pop_vlan");
        break;
    case OP_PUSH_MPLS:
        put_open(w, "push_mpls");
        put_mpls(w, data, true);
        put(w, ")");
        break;
    case OP_POP_MPLS:
        put(w, "pop_mpls(eth_type=0x%x)", rte_be_to_cpu_16(((const struct op_mpls *)data)->eth_type));
        break;
    case OP_PUSH_ETH:
        put(w, "push_eth(src=00:00:00:00:00:00,dst=00:00:00:00:00:00)");
        break;
    case OP_SET_TYPE:
        put(w, "set(eth_type(0x%04x))", op->arg);
        break;
    case OP_SET_PROTO:
        put(w, "set(ip_proto(%u))", op->arg);
        break;
    case OP_POP_ETH:
        put(w, "pop_eth");
        break;
    case OP_PUSH_NSH: {
        const struct op_push_nsh *nsh = data;

        put(w, "push_nsh(ttl=63,mdtype=%u,np=%u,spi=0x0,si=255)", nsh->header[2] & 0xf, nsh->header[3]);
        break;
    }
    case OP_POP_NSH:
        put(w, "pop_nsh");
        break;
    case OP_COPY_TTL_IN:
        put(w, "copy_ttl_in");
        break;
    case OP_COPY_TTL_OUT:
        put(w, "copy_ttl_out");
        break;
    case OP_PUSH_PBB:
        put_open(w, "push_pbb");
        put_pbb(w, data, true);
        put(w, ")");
        break;
    case OP_POP_PBB:
        put(w, "pop_pbb");
        break;
    case OP_SET_META: {
        const struct op_meta *meta = data;
        put(w, "set(skb_mark(0x%x", meta->pkt_mark & meta->pkt_mark_mask);
        if (meta->pkt_mark_mask != UINT32_MAX)
            put(w, "/0x%x", meta->pkt_mark_mask);
        put(w, "))");
        break;
    }
    case OP_METER:
        put(w, "meter(%u)", op->arg);
        break;
    case OP_HASH:
        put(w, "hash(l4(%u))", op->arg);
        break;
    case OP_SET_VLAN:
    case OP_SET_MPLS:
    case OP_SET_PBB:
    case OP_SET_NSH:
    case OP_SET_ETH:
    case OP_SET_IPV4:
    case OP_SET_IPV6:
    case OP_SET_L4:
    case OP_SET_ICMP:
    case OP_SET_ARP:
    case OP_SET_ND:
        put_set(w, op);
        break;
    case OP_CLONE:
    case OP_N_TYPES:
        break;
    }
}

static void put_ops(struct writer *w, const struct program_op *op, const struct program_op *end,
                    const char *(*port_name)(void *, uint32_t), void *arg)
{
    for (const char *comma = ""; op < end; op = program_op_next(op), comma = ",") {
        put(w, "%s", comma);
        if (op->type == OP_CLONE) {
            put(w, "clone(");
            put_ops(w, (const void *)(op->data), program_op_next(op), port_name, arg);
            put(w, ")");
        } else {
            put_op(w, op, port_name, arg);
        }
    }
}

int program_format(const struct program *program, const char *(*port_name)(void *arg, uint32_t port), void *arg,
                   char *buffer, size_t size)
{
    struct writer w = {.buffer = buffer, .size = size};

    if (size > 0)
        buffer[0] = '\0';
    if (program->n_ops == 0)
        put(&w, "drop");
    put_ops(&w, (const void *)program->ops, (const void *)(program->ops + program->len), port_name, arg);
    return w.len;
}
