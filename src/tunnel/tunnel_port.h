/* Tunnel ports: OpenFlow ports of a bridge (BRIDGE_PORT_TUNNEL) that have no device; what is sent to one goes out in an
 * outer packet, by way of another bridge. Their options are those of Open vSwitch's Interface.options. Control thread
 * only.
 */
#ifndef SRC_TUNNEL_TUNNEL_PORT_H
#define SRC_TUNNEL_TUNNEL_PORT_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "pmd/tunnel.h"
#include "src/match/flow.h"

struct bridge_port;
struct tunnels;

/* The payload: frames; packets without an Ethernet header; either, as the packet is. */
enum tunnel_payload { TUNNEL_L2, TUNNEL_L3, TUNNEL_ANY };

struct tunnel_config {
    enum tunnel_type type;
    enum tunnel_payload payload;
    bool remote_flow, local_flow;  /* as the packet's tun_dst, tun_src say */
    struct in6_addr remote, local; /* IPv4 mapped; local ::, any */
    bool in_key_flow, in_key_given, out_key_flow, out_key_given;
    rte_be64_t in_key, out_key;
    uint16_t dst_port; /* host order */
    bool tos_inherit, ttl_inherit;
    uint8_t tos, ttl;
    bool df, csum, seq, gbp, gpe;
    bool has_egress_mark;
    uint32_t egress_mark;
    bool erspan_ver_flow, erspan_idx_flow, erspan_dir_flow, erspan_hwid_flow;
    uint8_t erspan_ver, erspan_dir, erspan_hwid;
    uint32_t erspan_idx;
    bool icmp_too_big; /* tell senders of packets that do not fit (RFC 1191, 8201) */
};

/* The tunnel port that has this index (pmd/tunnel.h); NULL: it is gone. */
struct bridge_port *tunnel_port_by_index(const struct tunnels *tunnels, uint32_t index);

/* Whether `flow`, sent to `to`, a port of the host's, is an outer packet for a tunnel here: not a fragment, to an
 * address of that port, of a protocol and UDP port that tunnels listen on. Fills in `pop` then. Sets in `seen` the bits
 * of `flow` that the answer rests on, as few as will do. */
bool tunnel_port_takes(const struct tunnels *tunnels, const struct bridge_port *to, const struct flow *flow,
                       struct flow *seen, struct op_tunnel_pop *pop);

#endif
