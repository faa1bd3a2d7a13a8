/* Action programs: the flat, ready-to-run list of what to do with a packet.
 *
 * Built and interned by the control thread (equal programs are one object), read by poll-mode threads, never changed
 * after it was interned. The control thread counts references; the last one gone, the program is freed after a grace
 * period. An operation works on the packet as the operations before it left it. Values are in network byte order.
 */
#ifndef PMD_PROGRAM_H
#define PMD_PROGRAM_H

#include <rte_byteorder.h>
#include <rte_ether.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pmd/ct.h"
#include "pmd/drop.h"

enum program_op_type {
    OP_OUTPUT,        /* arg = port index: send a copy (the packet itself if nothing follows) */
    OP_PUNT,          /* arg = punt id (see src/xlate/punt.h): send a copy to the control thread */
    OP_TRUNCATE,      /* arg = bytes: the next OP_OUTPUT or OP_PUNT sends at most that much */
    OP_RECIRC,        /* arg = recirculation id: parse and look up again; always last, in a clone or at all */
    OP_RECIRC_LARGER, /* struct op_larger; arg = recirculation id of packets that are not larger; as OP_RECIRC */
    OP_DROP,          /* arg = enum drop_reason: end here, counted; always last */
    OP_PUSH_VLAN,     /* struct op_vlan */
    OP_POP_VLAN,      /* outermost tag; nothing if there is none */
    OP_SET_VLAN,      /* struct op_vlan, tci and tci_mask used: outermost tag */
    OP_PUSH_MPLS,     /* struct op_mpls: eth_type and lse; in front of the VLAN tags */
    OP_POP_MPLS,      /* struct op_mpls: eth_type becomes the packet's type */
    OP_SET_MPLS,      /* struct op_mpls: lse, lse_mask */
    OP_COPY_TTL_IN,   /* from the outermost MPLS label to the header below it; nothing if that has no TTL */
    OP_COPY_TTL_OUT,  /* the other way */
    OP_PUSH_PBB,      /* struct op_pbb: eth_type and tag; the addresses become the customer's, too */
    OP_POP_PBB,       /* the customer's addresses become the packet's */
    OP_SET_PBB,       /* struct op_pbb: tag, tag_mask */
    OP_PUSH_ETH,      /* arg = Ethernet type: a header with addresses of zeros in front of the packet */
    OP_POP_ETH,       /* what is behind the first 14 bytes is a packet of its own */
    OP_PUSH_NSH,      /* struct op_push_nsh: behind the Ethernet header, whose type changes */
    OP_POP_NSH,       /* arg = Ethernet type of what is behind it */
    OP_SET_NSH,       /* struct op_nsh */
    OP_SET_ETH,       /* struct op_eth */
    OP_SET_TYPE,      /* arg = Ethernet type, behind the VLAN tags; what it says there is, is there */
    OP_SET_PROTO,     /* arg = protocol of IPv4 or IPv6; checksums follow */
    OP_SET_IPV4,      /* struct op_ipv4; the header and TCP/UDP checksums follow (RFC 1624) */
    OP_SET_IPV6,      /* struct op_ipv6 */
    OP_SET_L4,        /* struct op_l4: ports of TCP, UDP, SCTP (CRC32c) */
    OP_SET_ICMP,      /* struct op_icmp: ICMP and ICMPv6 */
    OP_SET_ARP,       /* struct op_arp */
    OP_SET_ND,        /* struct op_nd */
    OP_SET_META,      /* struct op_meta: metadata that survives a recirculation */
    OP_SET_QUEUE,     /* arg = queue of the output port, 0: none in particular (pmd/queue.h) */
    OP_METER,         /* arg = meter index */
    OP_CT,            /* struct op_ct: tracks the packet; what is found out is metadata */
    OP_CT_NAT,        /* struct op_ct_nat: the same, and translates addresses and ports */
    OP_CT_CLEAR,      /* the packet is not tracked any more */
    OP_HASH,          /* arg = basis: dp_hash of the key becomes select_hash() of the packet as it is */
    OP_TUNNEL_PUSH,   /* struct op_tunnel_push (pmd/tunnel.h): outer headers; what follows works on the outer packet */
    OP_TUNNEL_POP,    /* struct op_tunnel_pop: outer headers off, look up what is inside; as OP_RECIRC */
    OP_CLONE,         /* arg = bytes of the operations behind it that work on a copy of the packet */
    OP_N_TYPES
};

/* The longest NSH that can be pushed: with an Ethernet header it fits the room in front of packets. */
#define NSH_PUSH_MAX 104

/* In the id of an OP_PUNT: the packet is for a protocol that the switch speaks itself. It has a ring of its own, which
 * the control thread works off before everything else, so that no flood of misses delays it. */
#define PUNT_ID_PROTOCOL UINT32_C(0x80000000)

/* The masks: only bits that are 1 are written. */
struct op_vlan {
    rte_be16_t tpid; /* 0x8100 or 0x88a8; OP_PUSH_VLAN */
    rte_be16_t tci;  /* PCP, DEI, VID as on the wire: no VLAN_TCI_PRESENT */
    rte_be16_t tci_mask;
};
struct op_mpls {
    rte_be32_t lse;
    rte_be32_t lse_mask;
    rte_be16_t eth_type;
};
struct op_pbb {
    rte_be32_t tag; /* I-PCP, I-DEI, UCA, I-SID */
    rte_be32_t tag_mask;
    rte_be16_t eth_type;
};
struct op_push_nsh {
    uint8_t len; /* bytes of header[], a multiple of 4 */
    uint8_t header[NSH_PUSH_MAX];
};
struct op_nsh {
    uint8_t flags, flags_mask, ttl, ttl_mask;
    rte_be32_t path, path_mask;
    rte_be32_t context[4], context_mask[4];
};
struct op_eth {
    struct rte_ether_addr dst, src, dst_mask, src_mask;
};
struct op_ipv4 {
    rte_be32_t src, dst, src_mask, dst_mask;
    uint8_t tos, tos_mask, ttl, ttl_mask;
};
struct op_ipv6 {
    uint8_t src[16], dst[16], src_mask[16], dst_mask[16];
    rte_be32_t label, label_mask;
    uint8_t tos, tos_mask, ttl, ttl_mask;
};
struct op_l4 {
    rte_be16_t src, dst, src_mask, dst_mask;
};
struct op_icmp {
    uint8_t type, type_mask, code, code_mask;
};
struct op_arp {
    rte_be16_t op, op_mask;
    rte_be32_t spa, spa_mask, tpa, tpa_mask;
    struct rte_ether_addr sha, sha_mask, tha, tha_mask;
};
struct op_nd {
    uint8_t target[16], target_mask[16];
    struct rte_ether_addr sll, sll_mask, tll, tll_mask;
    rte_be32_t reserved, reserved_mask;
    uint8_t option, option_mask; /* type of the option with a link-layer address */
    uint8_t zero[2];
};
struct op_larger {
    uint32_t len;    /* bytes, the outermost VLAN tag not counted */
    uint32_t recirc; /* id of larger packets */
};
struct op_meta {
    uint32_t pkt_mark, pkt_mark_mask;
};

struct op_ct {
    struct ct_request request;
};
struct op_ct_nat {
    struct ct_nat_request nat;
};

/* In ops[], one behind the other, each a multiple of 8 bytes. */
struct program_op {
    uint16_t type; /* enum program_op_type */
    uint16_t len;  /* bytes, this header included */
    uint32_t arg;
    uint8_t data[]; /* one of the structs above */
};

/* Common shapes that the poll-mode thread runs without the interpreter. */
enum program_kind {
    PROGRAM_DROP,        /* no operation, or only OP_DROP */
    PROGRAM_OUTPUT,      /* a single OP_OUTPUT */
    PROGRAM_OUTPUTS,     /* several OP_OUTPUT and nothing that changes the packet */
    PROGRAM_TUNNEL_PUSH, /* OP_TUNNEL_PUSH, OP_OUTPUT */
    PROGRAM_TUNNEL_POP,  /* a single OP_TUNNEL_POP */
    PROGRAM_TRACK,       /* OP_CT, OP_RECIRC */
    PROGRAM_GENERAL
};

struct program {
    uint8_t kind; /* enum program_kind */
    uint8_t n_outputs;
    uint16_t n_ops;
    uint32_t len;    /* bytes of ops[] */
    uint32_t output; /* PROGRAM_OUTPUT, _TUNNEL_PUSH: the port index; PROGRAM_DROP: the enum drop_reason */
    uint32_t hash;   /* control thread only, as refs */
    uint32_t refs;
    bool uses_meta; /* one of the operations does (see program_ops.h): who runs it fills packet_meta() in before */
    bool comes_back_as_is; /* packets may recirculate, and with the bytes that they came with */
    uint8_t ops[] __attribute__((aligned(8)));
};

/* All of them, those in clones included. */
#define PROGRAM_FOR_EACH(op, program)                                                                                  \
    for (const struct program_op *op = (const void *)(program)->ops;                                                   \
         (const uint8_t *)op < (program)->ops + (program)->len; op = (const void *)((const uint8_t *)op + op->len))

/* The operation behind `op`, and behind what a clone encloses. */
static inline const struct program_op *program_op_next(const struct program_op *op)
{
    return (const void *)((const uint8_t *)op + op->len + (op->type == OP_CLONE ? op->arg : 0));
}

#define PROGRAM_MAX_LEN 16384

/* Collects operations; on the control thread's stack or in a struct of its own. */
struct program_builder {
    uint32_t len;
    uint16_t n_ops;
    bool overflow; /* more than PROGRAM_MAX_LEN was asked for; the program is of no use */
    uint8_t ops[PROGRAM_MAX_LEN] __attribute__((aligned(8)));
};

void program_builder_init(struct program_builder *builder);
/* Appends an operation with `data`, the struct of its type and its size (NULL, 0: zeros, or the type has none). Aborts
 * if that is not the size of the type's struct. */
void program_builder_add(struct program_builder *builder, enum program_op_type type, uint32_t arg, const void *data,
                         size_t len);

/* Control thread. The table of interned programs. */
struct program_table;
struct program_table *program_table_create(void);
void program_table_destroy(struct program_table *table);
size_t program_table_size(const struct program_table *table);

/* The interned program with these operations, with one more reference. NULL: out of memory. */
struct program *program_intern(struct program_table *table, const struct program_builder *builder);
struct program *program_ref(struct program *program);
/* Gives a reference back. Returns true if it was the last one: the program is out of the table and the caller frees it
 * with free() once no poll-mode thread can see it (datapath_defer_free). */
bool program_unref(struct program_table *table, struct program *program);

/* Writes `program` as OVS prints datapath actions: "set(ipv4(ttl=63)),3" or "drop". Ports are written by `port_name`
 * (or as numbers if NULL). Returns the length that would have been written, as snprintf. */
int program_format(const struct program *program, const char *(*port_name)(void *arg, uint32_t port), void *arg,
                   char *buffer, size_t size);

#endif
