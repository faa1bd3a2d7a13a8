/* Tunnel ports: OpenFlow ports of a bridge (BRIDGE_PORT_TUNNEL) that have no device; what is sent to one goes out in an
 * outer packet, by way of another bridge. Their options are those of Open vSwitch's Interface.options
 * (tunnel_options.h). Control thread only.
 *
 * Each has an index, which packets that come in by it have as in_port (bridge_port_by_index() finds the port). The
 * tunnels of a UDP port, those of GRE and ERSPAN together, and those of SRv6 share a listener; packets that come to an
 * address of this host and to a listener end here.
 */
#ifndef SRC_TUNNEL_TUNNEL_PORT_H
#define SRC_TUNNEL_TUNNEL_PORT_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pmd/tunnel.h"
#include "src/bridge/bridge.h"
#include "src/match/flow.h"

struct datapath;
struct routes;
struct tunnels;

/* Zeroed before it is filled in: it is compared as a whole. */
struct tunnel_config {
    const char *type_name; /* "ip6gre", as Open vSwitch calls it; constant */
    enum tunnel_type type;
    enum tunnel_payload payload;
    bool remote_flow, local_flow;  /* as the packet's tun_dst, tun_src say */
    struct in6_addr remote, local; /* IPv4 mapped; local ::, any */
    bool in_key_flow, in_key_given, out_key_flow, out_key_given;
    rte_be64_t in_key, out_key;
    uint16_t dst_port; /* host order; 0: GRE, ERSPAN, SRv6 */
    bool tos_inherit, ttl_inherit;
    uint8_t tos, ttl;
    bool df, csum, seq, gbp, gpe;
    bool has_egress_mark;
    uint32_t egress_mark;
    bool erspan_ver_flow, erspan_idx_flow, erspan_dir_flow, erspan_hwid_flow;
    uint8_t erspan_ver, erspan_dir, erspan_hwid;
    uint32_t erspan_idx;
    enum tunnel_label label;
    uint8_t n_segments; /* SRv6: 0: `remote` is the only one */
    struct in6_addr segments[TUNNEL_SEGMENTS_MAX];
    bool icmp_too_big; /* tell senders of packets that do not fit (RFC 1191, 8201) */
};

/* `dp` NULL: for tests; no packets come in then. `routes` know the addresses of this host. */
struct tunnels *tunnels_create(struct datapath *dp, struct routes *routes);
/* There are no tunnel ports any more. NULL is allowed. */
void tunnels_destroy(struct tunnels *tunnels);
/* `changed` is called when other packets end here than before: those to one of the host's interfaces, or to any
 * (NULL). It has to have listeners hear BRIDGE_PORT_CLAIMS of the ports concerned. */
typedef void tunnels_changed_fn(void *arg, const char *device);
void tunnels_set_changed(struct tunnels *tunnels, tunnels_changed_fn *changed, void *arg);

/* --- ports --------------------------------------------------------------- */

/* What a port of this name is to be made with (struct bridge_port_params), which it belongs to from then on. NULL with
 * a sentence in `error` if another port has what `config` asks for, or there is no memory. */
struct bridge_tunnel *tunnel_port_create(struct tunnels *tunnels, const char *name, const struct tunnel_config *config,
                                         char *error, size_t error_size);
/* Frees a tunnel whose port was never made. */
void tunnel_port_discard(struct bridge_tunnel *tunnel);
/* Other options, of the same type. Megaflows that they concern are translated again. Returns 0, or -EEXIST
 * or -ENOMEM as above: then nothing has changed. */
int tunnel_port_change(struct bridge_tunnel *tunnel, const struct tunnel_config *config, char *error,
                       size_t error_size);
/* `bp` is a tunnel port. */
const struct tunnel_config *tunnel_port_config(const struct bridge_port *bp);

/* Bytes of outer headers, and of the inner Ethernet header, between the outer packet and the inner one. Geneve: without
 * options, or with the 8 bytes that OVN adds if the key is that of the flow. */
unsigned tunnel_overhead(const struct tunnel_config *config);

/* --- packets that end here ----------------------------------------------- */

/* Whether `flow`, sent to `to`, a port of the host's, is an outer packet for a tunnel here: not a fragment, to an
 * address of that port, of a protocol and UDP port that tunnels listen on. Fills in `pop` then: for GRE and ERSPAN its
 * type is TUNNEL_GRE, as only the header behind tells them apart. Sets in `seen`, which is zeroed, the bits of
 * `flow` that the answer rests on, as few as will do. */
bool tunnel_port_takes(const struct tunnels *tunnels, const struct bridge_port *to, const struct flow *flow,
                       struct flow *seen, struct op_tunnel_pop *pop);

/* --- what there is, for commands ----------------------------------------- */

/* The types of ports that share GRE's listener, in the order of their names in tnl/ports/show. */
enum { GRE_PORTS, IP6GRE_PORTS, ERSPAN_PORTS, IP6ERSPAN_PORTS, N_GRE_PORTS };

struct tunnel_listener {
    enum tunnel_type type;       /* TUNNEL_GRE: ERSPAN, too */
    uint16_t udp_port;           /* host order; 0: GRE, SRv6 */
    bool gbp;                    /* VXLAN: of all its ports, or of none */
    unsigned n_ports, n_gpe;     /* n_gpe: VXLAN's that have next protocols */
    unsigned n_gre[N_GRE_PORTS]; /* of the ports of GRE's */
};

/* In order of UDP ports, those without one first. */
unsigned tunnels_n_listeners(const struct tunnels *tunnels);
const struct tunnel_listener *tunnels_listener(const struct tunnels *tunnels, unsigned i);
/* The first tunnel port whose index is not below `from`, of those there are; NULL: there is none. */
const struct bridge_port *tunnels_next(const struct tunnels *tunnels, uint32_t from);

#endif
