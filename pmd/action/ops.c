/* The functions that run operations; all else that is known of these is in pmd/program_ops.c. */
#include "pmd/action/packet.h"

/* clang-format off */
action_run *const action_runs[OP_N_TYPES] = {
    [OP_PUSH_VLAN]    = action_push_vlan,
    [OP_POP_VLAN]     = action_pop_vlan,
    [OP_SET_VLAN]     = action_set_vlan,
    [OP_PUSH_MPLS]    = action_push_mpls,
    [OP_POP_MPLS]     = action_pop_mpls,
    [OP_SET_MPLS]     = action_set_mpls,
    [OP_COPY_TTL_IN]  = action_copy_ttl_in,
    [OP_COPY_TTL_OUT] = action_copy_ttl_out,
    [OP_PUSH_PBB]     = action_push_pbb,
    [OP_POP_PBB]      = action_pop_pbb,
    [OP_SET_PBB]      = action_set_pbb,
    [OP_PUSH_ETH]     = action_push_eth,
    [OP_POP_ETH]      = action_pop_eth,
    [OP_PUSH_NSH]     = action_push_nsh,
    [OP_POP_NSH]      = action_pop_nsh,
    [OP_SET_NSH]      = action_set_nsh,
    [OP_SET_ETH]      = action_set_eth,
    [OP_SET_TYPE]     = action_set_type,
    [OP_SET_PROTO]    = action_set_proto,
    [OP_SET_IPV4]     = action_set_ipv4,
    [OP_SET_IPV6]     = action_set_ipv6,
    [OP_SET_L4]       = action_set_l4,
    [OP_SET_ICMP]     = action_set_icmp,
    [OP_SET_ARP]      = action_set_arp,
    [OP_SET_ND]       = action_set_nd,
    [OP_SET_QUEUE]    = action_set_queue,
    [OP_HASH]         = action_hash,
};
/* clang-format on */
