/* Drop reasons: the one table that names every way a packet can end without being sent.
 *
 * A poll-mode thread counts a drop in its own drop_counters (pmd/datapath.h); readers sum over the threads. The control
 * thread has a drop_counters of its own. A reason is never removed or reused for something else: scripts rely on the
 * names.
 */
#ifndef PMD_DROP_H
#define PMD_DROP_H

#include <stdint.h>

/* X(symbol, "name", "what happened and what to do about it") */
#define DROP_REASONS(X)                                                                                                \
    X(DROP_POLICY, "policy", "a rule without an output action matched: dropped as the rules say")                      \
    X(DROP_MISS_RING_FULL, "miss_ring_full",                                                                           \
      "the ring to the control thread was full: more new flows than it resolves")                                      \
    X(DROP_MISS_PORT_QUOTA, "miss_port_quota", "this port already has its share of the miss ring in use")              \
    X(DROP_MISS_PENDING_FULL, "miss_pending_full", "too many packets wait for the same unresolved flow")               \
    X(DROP_MISS_PENDING_STALE, "miss_pending_stale", "waited for a resolution that did not come in time")              \
    X(DROP_TX_QUEUE_FULL, "tx_queue_full", "the output port took no more packets: receiver slower than sender")        \
    X(DROP_TX_PORT_DOWN, "tx_port_down", "the output port is down or its VM is not connected")                         \
    X(DROP_TX_NO_PORT, "tx_no_port", "the output port does not exist (any more)")                                      \
    X(DROP_TX_OVERSIZE, "tx_oversize", "the packet is longer than the MTU of the output port")                         \
    X(DROP_RX_RUNT, "rx_runt", "shorter than an Ethernet header")                                                      \
    X(DROP_RX_POLICED, "rx_policed", "above the port's ingress_policing_rate or ingress_policing_kpkts_rate")          \
    X(DROP_TX_POLICED, "tx_policed", "above the rate of the output port's egress policer (Port.qos)")                  \
    X(DROP_NO_MBUF, "no_mbuf", "the packet pool was empty when a copy was needed: raise dpdk.mbufs")                   \
    X(DROP_ACTION_TTL, "action_ttl", "TTL or hop limit expired at a TTL-decrement action")                             \
    X(DROP_ACTION_MALFORMED, "action_malformed", "an action needs a header that the packet is too short to have")      \
    X(DROP_ACTION_NO_ROOM, "action_no_room", "no head or tail room to push a header")                                  \
    X(DROP_RECIRC_LIMIT, "recirc_limit", "a packet went through the datapath too often")                               \
    X(DROP_METER, "meter", "a meter band dropped it")                                                                  \
    X(DROP_XLATE_LOOP, "xlate_loop", "resubmits or gotos went deeper than the limit")                                  \
    X(DROP_XLATE_ERROR, "xlate_error", "the pipeline could not process it (see the log)")                              \
    X(DROP_BRIDGE_UNKNOWN, "bridge_unknown", "received on a port that belongs to no bridge")                           \
    X(DROP_CONTROL_BACKLOG, "control_backlog", "the control thread had no room to return it")                          \
    X(DROP_PACKET_IN_LIMIT, "packet_in_limit", "a packet for a controller, above its queue or rate limit")             \
    X(DROP_NO_CONTROLLER, "no_controller", "a packet for a controller, and none is connected that wants it")           \
    X(DROP_NO_RULE, "no_rule", "no rule of a table matched, and there is no table-miss rule")                          \
    X(DROP_INPUT_REFUSED, "input_refused", "a controller set its port to receive nothing, or fragments to be dropped") \
    X(DROP_OUTPUT_DOWN, "output_down", "the rules send it to a port that a controller set down or not to forward")     \
    X(DROP_OUTPUT_UNKNOWN, "output_unknown", "the rules send it to a port number that no port has")                    \
    X(DROP_OUTPUT_INPUT, "output_input", "it would go out where it came in, which only the action IN_PORT does")       \
    X(DROP_FLOOD_NOWHERE, "flood_nowhere", "to be flooded, but no other port takes it (down, NO_FLOOD, VLAN)")         \
    X(DROP_NORMAL_VLAN, "normal_vlan", "NORMAL: the port does not take this VLAN; see its vlan_mode, tag, trunks")     \
    X(DROP_NORMAL_RESERVED, "normal_reserved", "NORMAL: bridges do not forward to 01:80:c2:00:00:00 to :0f")           \
    X(DROP_MIRROR_PORT, "mirror_port", "came in by, or would go to, a port that is there for a mirror alone")          \
    X(DROP_PAUSED_TOO_LONG, "paused_too_long",                                                                         \
      "controller(pause): packet, userdata and what is left to do are too long for a message")                         \
    X(DROP_RX_OFFLOAD, "rx_offload",                                                                                   \
      "the kernel's header for checksum and segments does not fit the packet, or is of a kind that is not known")      \
    X(DROP_PATCH_NO_PEER, "patch_no_peer", "sent to a patch port whose peer does not exist or names another one")      \
    X(DROP_PATCH_LOOP, "patch_loop", "bridges send it round through their patch ports: break the loop")                \
    X(DROP_CT_TABLE_FULL, "ct_table_full",                                                                             \
      "ct(commit) of a new connection, and there are as many as conntrack.max_connections allows")                     \
    X(DROP_CT_ZONE_LIMIT, "ct_zone_limit", "ct(commit) of a new connection, and its zone has as many as it may have")  \
    X(DROP_NAT_EXHAUSTED, "nat_exhausted",                                                                             \
      "ct(nat) of a new connection, and no address and port of the range was found free: give it more")                \
    X(DROP_FRAG_TIMEOUT, "frag_timeout", "ct(): a fragment, and the rest of its datagram did not come in 15 seconds")  \
    X(DROP_FRAG_OVERLAP, "frag_overlap", "ct(): a fragment of a datagram that has parts which overlap")                \
    X(DROP_FRAG_LIMIT, "frag_limit", "ct(): the oldest fragment, as more waited than dpctl/ipf-set-max-nfrags allows") \
    X(DROP_FLOW_RESTORE_WAIT, "flow_restore_wait",                                                                     \
      "other_config:flow-restore-wait: rules of before a restart are being restored, nothing is forwarded yet")        \
    X(DROP_PROTOCOL_LIMIT, "protocol_limit",                                                                           \
      "for a protocol that the switch speaks itself (BFD, LACP), and more than a port may receive of these")           \
    X(DROP_PROTOCOL_FAULTY, "protocol_faulty",                                                                         \
      "for a protocol that the switch speaks itself, and not as that has to be: bfd/show, lacp/show-stats --json")     \
    X(DROP_TUNNEL_UNKNOWN, "tunnel_unknown",                                                                           \
      "came for a tunnel, and no tunnel port has its addresses and key: see remote_ip, local_ip, key of the ports")    \
    X(DROP_TUNNEL_TRUNCATED, "tunnel_truncated", "a tunnel's outer headers are longer than the packet")                \
    X(DROP_TUNNEL_LENGTH, "tunnel_length", "the lengths in a tunnel's outer headers contradict each other")            \
    X(DROP_TUNNEL_FRAGMENT, "tunnel_fragment",                                                                         \
      "a tunnel's outer packet is a fragment: lower the MTU of what it carries")                                       \
    X(DROP_TUNNEL_CHECKSUM, "tunnel_checksum", "a checksum of a tunnel's outer headers is wrong")                      \
    X(DROP_TUNNEL_VERSION, "tunnel_version",                                                                           \
      "a tunnel's header has a version or flags that are not known, or extensions that the port does not have")        \
    X(DROP_TUNNEL_OPTION, "tunnel_option",                                                                             \
      "a Geneve option that is marked as critical is not in the bridge's table of options, or options do not fit")     \
    X(DROP_TUNNEL_SEGMENTS, "tunnel_segments",                                                                         \
      "came for an SRv6 tunnel with segments left: the list of its sender goes on behind this host")                   \
    X(DROP_TUNNEL_PAYLOAD, "tunnel_payload", "a tunnel's header announces a payload of a kind that it cannot carry")   \
    X(DROP_TUNNEL_ECN, "tunnel_ecn",                                                                                   \
      "congestion was marked on a tunnel's outer header, and the packet inside cannot be told (RFC 6040)")             \
    X(DROP_TUNNEL_MTU, "tunnel_mtu",                                                                                   \
      "too long for the link once it has a tunnel's headers: lower the MTU of what the tunnel carries")                \
    X(DROP_TUNNEL_NO_REMOTE, "tunnel_no_remote",                                                                       \
      "sent to a tunnel port with remote_ip=flow, and no action set tun_dst")                                          \
    X(DROP_TUNNEL_NO_ROUTE, "tunnel_no_route",                                                                         \
      "sent into a tunnel whose other end no route leads to: see route/lookup")                                        \
    X(DROP_TUNNEL_NOT_OURS, "tunnel_not_ours", "sent into a tunnel whose local_ip is no address of this host")         \
    X(DROP_TUNNEL_NO_BRIDGE, "tunnel_no_bridge",                                                                       \
      "sent into a tunnel, and the device of the route to its other end is no port of a bridge")                       \
    X(DROP_TUNNEL_UNREACHABLE, "tunnel_unreachable",                                                                   \
      "sent into a tunnel whose next hop does not answer ARP or neighbour solicitations: see tnl/neigh/show")          \
    X(DROP_TUNNEL_WAIT_FULL, "tunnel_wait_full",                                                                       \
      "sent into a tunnel whose next hop is being asked for its address, and enough packets wait for that already")    \
    X(DROP_TUNNEL_LOOP, "tunnel_loop", "sent into the tunnel that it is an outer packet of, or that it came out of")   \
    X(DROP_TUNNEL_HEADER, "tunnel_header", "a tunnel's outer header cannot say what this packet needs")                \
    X(DROP_BOND_NO_MEMBER, "bond_no_member",                                                                           \
      "sent to a bond none of whose members may be used: see bond/show, and lacp/show if it has LACP")                 \
    X(DROP_BOND_REFUSED, "bond_refused",                                                                               \
      "NORMAL: came by a member of a bond that is not to receive it, or was sent by the bond itself and came back")    \
    X(DROP_STP_STATE, "stp_state", "the spanning tree does not let it in, or out, by this port: see stp/show")

enum drop_reason {
#define X(symbol, name, doc) symbol,
    DROP_REASONS(X)
#undef X
        DROP_N_REASONS
};

/* One per thread; written by that thread alone, with relaxed stores, so that a reader never sees a torn value. */
struct drop_counters {
    uint64_t packets[DROP_N_REASONS];
} __attribute__((aligned(64)));

/* The name of `reason` in commands and JSON, e.g. "tx_queue_full". Never NULL. */
const char *drop_reason_name(enum drop_reason reason);

/* A sentence for people. Never NULL. */
const char *drop_reason_doc(enum drop_reason reason);

#endif
