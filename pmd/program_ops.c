/* The rows of the operations, and how each is written as text. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <rte_byteorder.h>
#include <rte_ether.h>
#include <string.h>

#include "pmd/metadata.h"
#include "pmd/program_ops.h"
#include "pmd/program_writer.h"
#include "pmd/tunnel.h"

/* --- arguments as text --------------------------------------------------- */

static void put_arg(struct program_writer *w, const struct program_op *op)
{
    writer_put(w, "%u", op->arg);
}

static void put_arg_hex(struct program_writer *w, const struct program_op *op)
{
    writer_put(w, "0x%x", op->arg);
}

static void put_eth_type(struct program_writer *w, const struct program_op *op)
{
    writer_put(w, "0x%04x", op->arg);
}

static void put_port(struct program_writer *w, const struct program_op *op)
{
    writer_port(w, op->arg);
}

static void put_larger(struct program_writer *w, const struct program_op *op)
{
    const struct op_larger *larger = (const void *)op->data;

    writer_put(w, "size=%u,gt(recirc(0x%x)),le(recirc(0x%x))", larger->len, larger->recirc, op->arg);
}

static void put_reason(struct program_writer *w, const struct program_op *op)
{
    if (op->arg != DROP_POLICY)
        writer_put(w, "(%s)", drop_reason_name(op->arg));
}

static void put_clone(struct program_writer *w, const struct program_op *op)
{
    writer_ops(w, (const void *)op->data, program_op_next(op));
}

static void put_vlan_of(struct program_writer *w, const struct op_vlan *op, bool push)
{
    const uint16_t tci = rte_be_to_cpu_16(op->tci), mask = push ? 0xffff : rte_be_to_cpu_16(op->tci_mask);

    if (push && op->tpid != RTE_BE16(RTE_ETHER_TYPE_VLAN))
        writer_number(w, "tpid", HEX, rte_be_to_cpu_16(op->tpid), 0xffff, 0xffff);
    writer_number(w, "vid", DECIMAL, tci & 0xfff, mask & 0xfff, 0xfff);
    writer_number(w, "pcp", DECIMAL, tci >> 13, mask >> 13, 7);
    if (!push || (tci & 0x1000) != 0)
        writer_number(w, "dei", DECIMAL, tci >> 12 & 1, mask >> 12 & 1, 1);
}

static void put_push_vlan(struct program_writer *w, const struct program_op *op)
{
    put_vlan_of(w, (const void *)op->data, true);
}

static void put_set_vlan(struct program_writer *w, const struct program_op *op)
{
    put_vlan_of(w, (const void *)op->data, false);
}

static void put_mpls_of(struct program_writer *w, const struct op_mpls *op, bool push)
{
    const uint32_t lse = rte_be_to_cpu_32(op->lse), mask = push ? UINT32_MAX : rte_be_to_cpu_32(op->lse_mask);

    writer_number(w, "label", DECIMAL, lse >> 12, mask >> 12, 0xfffff);
    writer_number(w, "tc", DECIMAL, lse >> 9 & 7, mask >> 9 & 7, 7);
    writer_number(w, "ttl", DECIMAL, lse & 0xff, mask & 0xff, 0xff);
    writer_number(w, "bos", DECIMAL, lse >> 8 & 1, mask >> 8 & 1, 1);
    if (push)
        writer_number(w, "eth_type", HEX, rte_be_to_cpu_16(op->eth_type), 0xffff, 0xffff);
}

static void put_push_mpls(struct program_writer *w, const struct program_op *op)
{
    put_mpls_of(w, (const void *)op->data, true);
}

static void put_set_mpls(struct program_writer *w, const struct program_op *op)
{
    put_mpls_of(w, (const void *)op->data, false);
}

static void put_pbb_of(struct program_writer *w, const struct op_pbb *op, bool push)
{
    const uint32_t tag = rte_be_to_cpu_32(op->tag), mask = push ? UINT32_MAX : rte_be_to_cpu_32(op->tag_mask);

    writer_number(w, "isid", HEX, tag & 0xffffff, mask & 0xffffff, 0xffffff);
    writer_number(w, "uca", DECIMAL, tag >> 27 & 1, mask >> 27 & 1, 1);
    writer_number(w, "pcp", DECIMAL, tag >> 29, mask >> 29, 7);
}

static void put_push_pbb(struct program_writer *w, const struct program_op *op)
{
    put_pbb_of(w, (const void *)op->data, true);
}

static void put_set_pbb(struct program_writer *w, const struct program_op *op)
{
    put_pbb_of(w, (const void *)op->data, false);
}

static void put_nsh(struct program_writer *w, const struct program_op *op)
{
    const struct op_nsh *nsh = (const void *)op->data;
    static const char *const names[] = {"c1", "c2", "c3", "c4"};
    const uint32_t path = rte_be_to_cpu_32(nsh->path), mask = rte_be_to_cpu_32(nsh->path_mask);

    writer_number(w, "flags", DECIMAL, nsh->flags, nsh->flags_mask & 3, 3);
    writer_number(w, "ttl", DECIMAL, nsh->ttl, nsh->ttl_mask & 0x3f, 0x3f);
    writer_number(w, "spi", HEX, path >> 8, mask >> 8, 0xffffff);
    writer_number(w, "si", DECIMAL, path & 0xff, mask & 0xff, 0xff);
    for (int i = 0; i < 4; i++)
        writer_number(w, names[i], HEX, rte_be_to_cpu_32(nsh->context[i]), rte_be_to_cpu_32(nsh->context_mask[i]),
                      UINT32_MAX);
}

static void put_ipv4(struct program_writer *w, const struct program_op *op)
{
    const struct op_ipv4 *ipv4 = (const void *)op->data;

    writer_address(w, "src", AF_INET, &ipv4->src, &ipv4->src_mask);
    writer_address(w, "dst", AF_INET, &ipv4->dst, &ipv4->dst_mask);
    writer_number(w, "tos", HEX, ipv4->tos, ipv4->tos_mask, 0xff);
    writer_number(w, "ttl", DECIMAL, ipv4->ttl, ipv4->ttl_mask, 0xff);
}

static void put_ipv6(struct program_writer *w, const struct program_op *op)
{
    const struct op_ipv6 *ipv6 = (const void *)op->data;

    writer_address(w, "src", AF_INET6, ipv6->src, ipv6->src_mask);
    writer_address(w, "dst", AF_INET6, ipv6->dst, ipv6->dst_mask);
    writer_number(w, "label", HEX, rte_be_to_cpu_32(ipv6->label), rte_be_to_cpu_32(ipv6->label_mask) & 0xfffff,
                  0xfffff);
    writer_number(w, "tclass", HEX, ipv6->tos, ipv6->tos_mask, 0xff);
    writer_number(w, "hlimit", DECIMAL, ipv6->ttl, ipv6->ttl_mask, 0xff);
}

static void put_arp(struct program_writer *w, const struct program_op *op)
{
    const struct op_arp *arp = (const void *)op->data;

    writer_address(w, "sip", AF_INET, &arp->spa, &arp->spa_mask);
    writer_address(w, "tip", AF_INET, &arp->tpa, &arp->tpa_mask);
    writer_number(w, "op", DECIMAL, rte_be_to_cpu_16(arp->op), rte_be_to_cpu_16(arp->op_mask), 0xffff);
    writer_ether(w, "sha", &arp->sha, &arp->sha_mask);
    writer_ether(w, "tha", &arp->tha, &arp->tha_mask);
}

static void put_punt(struct program_writer *w, const struct program_op *op)
{
    if (op->arg & PUNT_ID_PROTOCOL)
        writer_put(w, "protocol,");
    writer_put(w, "punt_id=%" PRIu32, op->arg & ~PUNT_ID_PROTOCOL);
}

static void put_pop_mpls(struct program_writer *w, const struct program_op *op)
{
    writer_put(w, "eth_type=0x%x", rte_be_to_cpu_16(((const struct op_mpls *)op->data)->eth_type));
}

static void put_push_nsh(struct program_writer *w, const struct program_op *op)
{
    const struct op_push_nsh *nsh = (const void *)op->data;

    writer_put(w, "ttl=63,mdtype=%u,np=%u,spi=0x0,si=255", nsh->header[2] & 0xf, nsh->header[3]);
}

static void put_eth(struct program_writer *w, const struct program_op *op)
{
    const struct op_eth *eth = (const void *)op->data;

    writer_ether(w, "src", &eth->src, &eth->src_mask);
    writer_ether(w, "dst", &eth->dst, &eth->dst_mask);
}

static void put_l4(struct program_writer *w, const struct program_op *op)
{
    const struct op_l4 *l4 = (const void *)op->data;

    writer_number(w, "src", DECIMAL, rte_be_to_cpu_16(l4->src), rte_be_to_cpu_16(l4->src_mask), 0xffff);
    writer_number(w, "dst", DECIMAL, rte_be_to_cpu_16(l4->dst), rte_be_to_cpu_16(l4->dst_mask), 0xffff);
}

static void put_icmp(struct program_writer *w, const struct program_op *op)
{
    const struct op_icmp *icmp = (const void *)op->data;

    writer_number(w, "type", DECIMAL, icmp->type, icmp->type_mask, 0xff);
    writer_number(w, "code", DECIMAL, icmp->code, icmp->code_mask, 0xff);
}

static void put_nd(struct program_writer *w, const struct program_op *op)
{
    const struct op_nd *nd = (const void *)op->data;

    writer_address(w, "target", AF_INET6, nd->target, nd->target_mask);
    writer_ether(w, "sll", &nd->sll, &nd->sll_mask);
    writer_ether(w, "tll", &nd->tll, &nd->tll_mask);
    writer_number(w, "reserved", HEX, rte_be_to_cpu_32(nd->reserved), rte_be_to_cpu_32(nd->reserved_mask), UINT32_MAX);
    writer_number(w, "option", DECIMAL, nd->option, nd->option_mask, UINT8_MAX);
}

static void put_mark(struct program_writer *w, const struct program_op *op)
{
    const struct op_meta *meta = (const void *)op->data;

    writer_put(w, "0x%x", meta->pkt_mark & meta->pkt_mark_mask);
    if (meta->pkt_mark_mask != UINT32_MAX)
        writer_put(w, "/0x%x", meta->pkt_mark_mask);
}

static void put_nat_range(struct program_writer *w, const struct ct_nat_request *nat)
{
    static const uint8_t zeros[16];
    const uint8_t *min = nat->nat.min_address, *max = nat->nat.max_address;
    const bool ipv6 = nat->request.nat & CT_NAT_IPV6, ports = nat->request.nat & CT_NAT_PORTS;
    const int family = ipv6 ? AF_INET6 : AF_INET;
    char text[INET6_ADDRSTRLEN];

    writer_put(w, nat->request.nat & CT_NAT_SRC ? "src" : "dst");
    if (!ports && memcmp(min, zeros, sizeof zeros) == 0)
        return;
    inet_ntop(family, min, text, sizeof text);
    writer_put(w, ipv6 && ports ? "=[%s]" : "=%s", text);
    if (memcmp(min, max, sizeof zeros) != 0) {
        inet_ntop(family, max, text, sizeof text);
        writer_put(w, ipv6 && ports ? "-[%s]" : "-%s", text);
    }
    if (ports)
        writer_put(w, ":%u", nat->nat.min_port);
    if (ports && nat->nat.max_port != nat->nat.min_port)
        writer_put(w, "-%u", nat->nat.max_port);
}

static void put_nat(struct program_writer *w, const struct ct_nat_request *nat)
{
    writer_put(w, "nat");
    if (!(nat->request.nat & (CT_NAT_SRC | CT_NAT_DST)))
        return;
    writer_put(w, "(");
    put_nat_range(w, nat);
    writer_put(w, nat->request.nat & CT_NAT_PERSISTENT ? ",persistent" : "");
    writer_put(w, nat->request.nat & CT_NAT_RANDOM ? ",random)" : ")");
}

/* `nat`: NULL, or what `ct` is the first member of. */
static void put_tracking(struct program_writer *w, const struct ct_request *ct, const struct ct_nat_request *nat)
{
    const char *separator = "(";

    if (ct->commit) {
        writer_put(w, "(%s", ct->force ? "force_commit" : "commit");
        separator = ",";
    }
    if (ct->zone != 0) {
        writer_put(w, "%szone=%u", separator, ct->zone);
        separator = ",";
    }
    if (ct->mark_mask != 0) {
        writer_put(w, "%smark=%#x/%#x", separator, ct->mark, ct->mark_mask);
        separator = ",";
    }
    if (ct->set_label) {
        char label[CT_LABEL_TEXT], mask[CT_LABEL_TEXT];

        writer_put(w, "%slabel=%s/%s", separator, ct_label_format(ct->label, label),
                   ct_label_format(ct->label_mask, mask));
        separator = ",";
    }
    if (ct->helper != CT_HELPER_NONE) {
        writer_put(w, "%shelper=%s", separator, ct_helper_name(ct->helper));
        separator = ",";
    }
    if (nat) {
        writer_put(w, "%s", separator);
        put_nat(w, nat);
        separator = ",";
    }
    writer_put(w, *separator == ',' ? ")" : "");
}

static void put_ct(struct program_writer *w, const struct program_op *op)
{
    put_tracking(w, &((const struct op_ct *)op->data)->request, NULL);
}

static void put_ct_nat(struct program_writer *w, const struct program_op *op)
{
    const struct ct_nat_request *nat = &((const struct op_ct_nat *)op->data)->nat;

    put_tracking(w, &nat->request, nat);
}

/* The headers as Open vSwitch prints them, in program_format_tunnel.c. */
static void put_tunnel_push(struct program_writer *w, const struct program_op *op)
{
    writer_tunnel_push(w, (const void *)op->data);
}

static void put_tunnel_pop(struct program_writer *w, const struct program_op *op)
{
    writer_tunnel_pop(w, (const void *)op->data);
}

/* --- the table ----------------------------------------------------------- */

#define END_OF(type, member) (offsetof(type, member) + sizeof(((type *)NULL)->member))
#define MPLS_LEN END_OF(struct op_mpls, eth_type)
#define PBB_LEN END_OF(struct op_pbb, eth_type)

/* clang-format off */
const struct program_op_info program_ops[OP_N_TYPES] = {
    [OP_OUTPUT]        = {"", "", put_port, .emits = true},
    [OP_PUNT]          = {"userspace(", ")", put_punt, .emits = true, .uses_meta = true},
    [OP_TRUNCATE]      = {"trunc(", ")", put_arg},
    [OP_RECIRC]        = {"recirc(", ")", put_arg_hex, .emits = true, .uses_meta = true},
    [OP_RECIRC_LARGER] = {"check_pkt_len(", ")", put_larger, sizeof(struct op_larger), .emits = true, .uses_meta = true},
    [OP_DROP]          = {"drop", "", put_reason, .emits = true},
    [OP_PUSH_VLAN]     = {"push_vlan(", ")", put_push_vlan, sizeof(struct op_vlan), .changes = true},
    [OP_POP_VLAN]      = {"pop_vlan", "", .changes = true},
    [OP_SET_VLAN]      = {"set(vlan(", "))", put_set_vlan, sizeof(struct op_vlan), .changes = true},
    [OP_PUSH_MPLS]     = {"push_mpls(", ")", put_push_mpls, MPLS_LEN, .changes = true},
    [OP_POP_MPLS]      = {"pop_mpls(", ")", put_pop_mpls, MPLS_LEN, .changes = true},
    [OP_SET_MPLS]      = {"set(mpls(", "))", put_set_mpls, MPLS_LEN, .changes = true},
    [OP_COPY_TTL_IN]   = {"copy_ttl_in", "", .changes = true},
    [OP_COPY_TTL_OUT]  = {"copy_ttl_out", "", .changes = true},
    [OP_PUSH_PBB]      = {"push_pbb(", ")", put_push_pbb, PBB_LEN, .changes = true},
    [OP_POP_PBB]       = {"pop_pbb", "", .changes = true},
    [OP_SET_PBB]       = {"set(pbb(", "))", put_set_pbb, PBB_LEN, .changes = true},
    [OP_PUSH_ETH]      = {"push_eth(src=00:00:00:00:00:00,dst=00:00:00:00:00:00", ")", .changes = true},
    [OP_POP_ETH]       = {"pop_eth", "", .changes = true},
    [OP_PUSH_NSH]      = {"push_nsh(", ")", put_push_nsh, sizeof(struct op_push_nsh), .changes = true},
    [OP_POP_NSH]       = {"pop_nsh", "", .changes = true},
    [OP_SET_NSH]       = {"set(nsh(", "))", put_nsh, sizeof(struct op_nsh), .changes = true},
    [OP_SET_ETH]       = {"set(eth(", "))", put_eth, sizeof(struct op_eth), .changes = true},
    [OP_SET_TYPE]      = {"set(eth_type(", "))", put_eth_type, .changes = true},
    [OP_SET_PROTO]     = {"set(ip_proto(", "))", put_arg, .changes = true},
    [OP_SET_IPV4]      = {"set(ipv4(", "))", put_ipv4, sizeof(struct op_ipv4), .changes = true},
    [OP_SET_IPV6]      = {"set(ipv6(", "))", put_ipv6, sizeof(struct op_ipv6), .changes = true},
    [OP_SET_L4]        = {"set(l4(", "))", put_l4, sizeof(struct op_l4), .changes = true},
    [OP_SET_ICMP]      = {"set(icmp(", "))", put_icmp, sizeof(struct op_icmp), .changes = true},
    [OP_SET_ARP]       = {"set(arp(", "))", put_arp, sizeof(struct op_arp), .changes = true},
    [OP_SET_ND]        = {"set(nd(", "))", put_nd, sizeof(struct op_nd), .changes = true},
    [OP_SET_META]      = {"set(skb_mark(", "))", put_mark, sizeof(struct op_meta), .uses_meta = true},
    [OP_SET_QUEUE]     = {"set(skb_priority(", "))", put_arg_hex},
    /* A meter's band may change the DSCP. */
    [OP_METER]         = {"meter(", ")", put_arg, .emits = true, .changes = true},
    [OP_CT]            = {"ct", "", put_ct, sizeof(struct op_ct), .emits = true, .uses_meta = true},
    [OP_CT_NAT]        = {"ct", "", put_ct_nat, sizeof(struct op_ct_nat), .emits = true, .changes = true, .uses_meta = true},
    [OP_CT_CLEAR]      = {"ct_clear", "", .uses_meta = true},
    [OP_HASH]          = {"hash(l4(", "))", put_arg, .uses_meta = true},
    [OP_TUNNEL_PUSH]   = {"tnl_push(", ")", put_tunnel_push, sizeof(struct op_tunnel_push), .changes = true},
    [OP_TUNNEL_POP]    = {"tnl_pop(", ")", put_tunnel_pop, sizeof(struct op_tunnel_pop), .emits = true, .changes = true, .uses_meta = true},
    [OP_CLONE]         = {"clone(", ")", put_clone, .emits = true},
};
/* clang-format on */
