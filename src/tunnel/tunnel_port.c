#define MEM_WHAT "tunnels"

#include "src/tunnel/tunnel_port.h"

#include <errno.h>
#include <netinet/in.h>
#include <rte_ip.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/hash.h"
#include "pmd/base/log.h"
#include "pmd/base/mem.h"
#include "src/net/route.h"

#define BUCKETS 4096

/* Which packets come in by a port: no two have the same. */
struct takes {
    enum tunnel_type type;
    uint16_t udp_port;
    enum tunnel_payload payload;
    bool any_key, any_remote, any_local, local_flow;
    rte_be64_t key;
    struct in6_addr remote, local;
};

struct tunnel_port {
    struct bridge_tunnel tunnel; /* first */
    struct tunnels *tunnels;
    struct tunnel_config config;
    struct takes takes;
    char name[PORT_NAME_MAX];
    LIST_ENTRY(tunnel_port) bucket;
    TAILQ_ENTRY(tunnel_port) node;
};
_Static_assert(offsetof(struct tunnel_port, tunnel) == 0, "struct bridge_tunnel is cast to it");

struct tunnels {
    struct datapath *dp;
    struct routes *routes;
    struct routes_listener addresses;
    uint32_t next_index;
    TAILQ_HEAD(, tunnel_port) all; /* by index */
    LIST_HEAD(, tunnel_port) buckets[BUCKETS];
    struct tunnel_listener *listeners; /* by listener_key() */
    unsigned n_listeners;
    tunnels_changed_fn *changed;
    void *changed_arg;
};

static struct tunnel_port *port_of(struct bridge_tunnel *tunnel)
{
    return (struct tunnel_port *)tunnel;
}

static void tell_change(const struct tunnels *tunnels, const char *device)
{
    if (tunnels->changed)
        tunnels->changed(tunnels->changed_arg, device);
}

/* An address without a device is one whose device went before it, which was told then. */
static void on_route(void *arg, const struct routes_change *change)
{
    const struct tunnels *tunnels = arg;

    if (change->what != ROUTES_ROUTE && change->device[0] && tunnels->n_listeners > 0)
        tell_change(tunnels, change->device);
}

struct tunnels *tunnels_create(struct datapath *dp, struct routes *routes)
{
    struct tunnels *tunnels = mem_calloc(1, sizeof *tunnels);

    tunnels->dp = dp;
    tunnels->routes = routes;
    tunnels->addresses = (struct routes_listener){.arg = tunnels, .changed = on_route};
    routes_listen(routes, &tunnels->addresses);
    tunnels->next_index = TUNNEL_INDEX_FIRST;
    TAILQ_INIT(&tunnels->all);
    return tunnels;
}

void tunnels_destroy(struct tunnels *tunnels)
{
    if (!tunnels)
        return;
    routes_unlisten(tunnels->routes, &tunnels->addresses);
    free(tunnels->listeners);
    free(tunnels);
}

void tunnels_set_changed(struct tunnels *tunnels, tunnels_changed_fn *changed, void *arg)
{
    tunnels->changed = changed;
    tunnels->changed_arg = arg;
}

const struct tunnel_config *tunnel_port_config(const struct bridge_port *bp)
{
    return &port_of(bp->tunnel)->config;
}

#define UDP_LEN 8
#define VXLAN_LEN 8
#define GENEVE_LEN 8
#define GTPU_LEN 8
#define OVN_OPTION_LEN 8
#define GRE_LEN 4
#define GRE_WORD 4 /* checksum, key and sequence number have one each */
#define SRV6_LEN 8
#define SRV6_SEGMENT_LEN 16

static unsigned own_headers(const struct tunnel_config *config)
{
    bool has_key = config->out_key_given || config->out_key_flow;

    switch (config->type) {
    case TUNNEL_VXLAN:
        return UDP_LEN + VXLAN_LEN;
    case TUNNEL_GENEVE:
        return UDP_LEN + GENEVE_LEN + (config->out_key_flow ? OVN_OPTION_LEN : 0);
    case TUNNEL_GRE:
        return GRE_LEN + GRE_WORD * ((unsigned)has_key + config->csum + config->seq);
    case TUNNEL_ERSPAN: /* with a sequence number; type III has 12 bytes of its own, type II 8 */
        return GRE_LEN + GRE_WORD + (config->erspan_ver == 1 && !config->erspan_ver_flow ? 8 : 12);
    case TUNNEL_GTPU:
        return UDP_LEN + GTPU_LEN;
    case TUNNEL_SRV6:
        return SRV6_LEN + SRV6_SEGMENT_LEN * RTE_MAX(config->n_segments, 1u);
    default:
        return 0;
    }
}

unsigned tunnel_overhead(const struct tunnel_config *config)
{
    bool v4 = IN6_IS_ADDR_V4MAPPED(&config->remote);

    return (v4 ? sizeof(struct rte_ipv4_hdr) : sizeof(struct rte_ipv6_hdr)) + own_headers(config) +
           (config->payload == TUNNEL_L3 ? 0 : RTE_ETHER_HDR_LEN);
}

/* --- which packets come in by which port --------------------------------- */

static struct takes takes_of(const struct tunnel_config *config)
{
    struct takes takes;

    memset(&takes, 0, sizeof takes); /* it is compared as a whole */
    takes.type = config->type;
    takes.udp_port = config->dst_port;
    takes.payload = config->payload;
    takes.any_key = config->in_key_flow;
    takes.any_remote = config->remote_flow;
    takes.any_local = config->local_flow || IN6_IS_ADDR_UNSPECIFIED(&config->local);
    takes.local_flow = config->local_flow;
    if (!takes.any_key)
        takes.key = config->in_key;
    if (!takes.any_remote)
        takes.remote = config->remote;
    if (!takes.any_local)
        takes.local = config->local;
    return takes;
}

static unsigned bucket_of(const struct takes *takes)
{
    uint64_t words[4], hash = HASH_BASIS;

    memcpy(words, &takes->remote, 16);
    memcpy(words + 2, &takes->local, 16);
    for (unsigned i = 0; i < RTE_DIM(words); i++)
        hash = hash_add(hash, words[i]);
    hash = hash_add(hash, takes->key);
    hash = hash_add(hash, (uint64_t)takes->type << 32 | (uint64_t)takes->payload << 16 | takes->udp_port);
    return hash_finish(hash) % BUCKETS;
}

static struct tunnel_port *find(struct tunnels *tunnels, const struct takes *takes)
{
    struct tunnel_port *port;

    LIST_FOREACH (port, &tunnels->buckets[bucket_of(takes)], bucket) {
        if (memcmp(&port->takes, takes, sizeof *takes) == 0)
            return port;
    }
    return NULL;
}

/* --- listeners ----------------------------------------------------------- */

/* ERSPAN listens with GRE. */
static enum tunnel_type listener_type(const struct tunnel_config *config)
{
    return config->type == TUNNEL_ERSPAN ? TUNNEL_GRE : config->type;
}

/* What packets tell listeners apart by: the UDP port, or the protocol, which the type stands for. */
static uint32_t listener_key(enum tunnel_type type, uint16_t udp_port)
{
    return udp_port != 0 ? (uint32_t)TUNNEL_N_TYPES + udp_port : (uint32_t)type;
}

static uint32_t key_of(const struct tunnel_config *config)
{
    return listener_key(listener_type(config), config->dst_port);
}

/* The place of the first listener whose key is not below. */
static unsigned place_of(const struct tunnels *tunnels, uint32_t key)
{
    unsigned low = 0, high = tunnels->n_listeners;

    while (low < high) {
        unsigned middle = (low + high) / 2;
        const struct tunnel_listener *listener = &tunnels->listeners[middle];

        if (listener_key(listener->type, listener->udp_port) < key)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct tunnel_listener *find_listener(const struct tunnels *tunnels, uint32_t key)
{
    unsigned place = place_of(tunnels, key);
    struct tunnel_listener *listener = place < tunnels->n_listeners ? &tunnels->listeners[place] : NULL;

    return listener && listener_key(listener->type, listener->udp_port) == key ? listener : NULL;
}

/* Counts a port of the listener's, or one less of them. */
static void count_port(struct tunnel_listener *listener, const struct tunnel_config *config, int delta)
{
    const bool ip6 = strncmp(config->type_name, "ip6", 3) == 0;

    listener->n_ports += (unsigned)delta;
    listener->n_gpe += config->gpe ? (unsigned)delta : 0;
    if (listener->type == TUNNEL_GRE)
        listener->n_gre[(config->type == TUNNEL_ERSPAN ? ERSPAN_PORTS : GRE_PORTS) + ip6] += (unsigned)delta;
}

/* With this port alone. */
static struct tunnel_listener listener_for(const struct tunnel_config *config)
{
    struct tunnel_listener listener = {.type = listener_type(config), .udp_port = config->dst_port, .gbp = config->gbp};

    count_port(&listener, config, 1);
    return listener;
}

static void listen_for(struct tunnels *tunnels, const struct tunnel_config *config)
{
    struct tunnel_listener *listener = find_listener(tunnels, key_of(config));
    unsigned place = place_of(tunnels, key_of(config));

    if (listener) {
        count_port(listener, config, 1);
        if (config->gpe && listener->n_gpe == 1)
            tell_change(tunnels, NULL);
        return;
    }
    tunnels->listeners = mem_realloc(tunnels->listeners, tunnels->n_listeners + 1, sizeof *tunnels->listeners);
    listener = &tunnels->listeners[place];
    memmove(listener + 1, listener, (tunnels->n_listeners - place) * sizeof *listener);
    *listener = listener_for(config);
    tunnels->n_listeners++;
    tell_change(tunnels, NULL);
}

static void stop_listening(struct tunnels *tunnels, const struct tunnel_config *config)
{
    struct tunnel_listener *listener = find_listener(tunnels, key_of(config));

    count_port(listener, config, -1);
    if (listener->n_ports > 0) {
        if (config->gpe && listener->n_gpe == 0)
            tell_change(tunnels, NULL);
        return;
    }
    tunnels->n_listeners--;
    memmove(listener, listener + 1, (size_t)(&tunnels->listeners[tunnels->n_listeners] - listener) * sizeof *listener);
    tell_change(tunnels, NULL);
}

unsigned tunnels_n_listeners(const struct tunnels *tunnels)
{
    return tunnels->n_listeners;
}

const struct tunnel_listener *tunnels_listener(const struct tunnels *tunnels, unsigned i)
{
    return &tunnels->listeners[i];
}

/* --- ports --------------------------------------------------------------- */

/* Another port that listens on the same UDP port. */
static const struct tunnel_port *other_on(const struct tunnels *tunnels, uint16_t udp_port,
                                          const struct tunnel_port *self)
{
    const struct tunnel_port *port;

    TAILQ_FOREACH (port, &tunnels->all, node) {
        if (port != self && port->config.dst_port == udp_port)
            return port;
    }
    return NULL;
}

/* Whether nothing that others have stands in the way of `config`. `self` has its place already; NULL: it is new. The
 * sentences begin as Open vSwitch's. */
static bool check(struct tunnels *tunnels, const char *name, const struct tunnel_config *config,
                  const struct tunnel_port *self, char *error, size_t error_size)
{
    const struct tunnel_listener *listener = find_listener(tunnels, key_of(config)), wanted = listener_for(config);
    const struct takes takes = takes_of(config);
    const struct tunnel_port *same = find(tunnels, &takes), *other;
    unsigned others = listener ? listener->n_ports - (self && key_of(&self->config) == key_of(config)) : 0;

    if (others && listener->type != wanted.type) {
        other = other_on(tunnels, config->dst_port, self);
        snprintf(error, error_size, "%s: UDP port %u is that of port %s, which is of type %s: choose another dst_port",
                 name, config->dst_port, other->name, other->config.type_name);
        return false;
    }
    if (others && listener->gbp != wanted.gbp) {
        snprintf(error, error_size, "%s: VXLAN-GBP, and non-VXLAN-GBP tunnels can't be configured on the same dst_port",
                 name);
        return false;
    }
    if (same && same != self) {
        snprintf(error, error_size,
                 "could not add network device %s to ofproto (File exists): port %s takes the same packets: choose "
                 "another key, remote_ip or local_ip",
                 name, same->name);
        return false;
    }
    return true;
}

/* Has packets come in by the port. False: there is no memory for that. */
static bool publish(const struct tunnel_port *port)
{
    const struct takes *takes = &port->takes;
    struct tunnel_in in = {
        .type = (uint8_t)takes->type,
        .payload = (uint8_t)takes->payload,
        .any_key = takes->any_key,
        .any_remote = takes->any_remote,
        .any_local = takes->any_local,
        .local_flow = takes->local_flow,
        .has_key = takes->key != 0, /* packets without one count as those with 0 */
        .udp_port = rte_cpu_to_be_16(takes->udp_port),
        .key = takes->key,
    };

    if (!port->tunnels->dp)
        return true;
    memcpy(in.remote, &takes->remote, sizeof in.remote);
    memcpy(in.local, &takes->local, sizeof in.local);
    return datapath_tunnel_add(port->tunnels->dp, &in, port->tunnel.index) == 0;
}

/* Gives the port its configuration. False: no packets will come in by it, for lack of memory. */
static bool take_place(struct tunnel_port *port, const struct tunnel_config *config)
{
    memcpy(&port->config, config, sizeof *config); /* with what is between the members */
    port->takes = takes_of(config);
    LIST_INSERT_HEAD(&port->tunnels->buckets[bucket_of(&port->takes)], port, bucket);
    listen_for(port->tunnels, config);
    return publish(port);
}

static void leave_place(struct tunnel_port *port)
{
    if (port->tunnels->dp)
        datapath_tunnel_remove(port->tunnels->dp, port->tunnel.index);
    LIST_REMOVE(port, bucket);
    stop_listening(port->tunnels, &port->config);
}

static void port_gone(struct bridge_tunnel *tunnel)
{
    struct tunnel_port *port = port_of(tunnel);

    leave_place(port);
    TAILQ_REMOVE(&port->tunnels->all, port, node);
    free(port);
}

struct bridge_tunnel *tunnel_port_create(struct tunnels *tunnels, const char *name, const struct tunnel_config *config,
                                         char *error, size_t error_size)
{
    struct tunnel_port *port;

    if (!check(tunnels, name, config, NULL, error, error_size))
        return NULL;
    port = mem_calloc(1, sizeof *port);
    port->tunnel =
        (struct bridge_tunnel){.index = tunnels->next_index++, .type = config->type_name, .port_gone = port_gone};
    port->tunnels = tunnels;
    snprintf(port->name, sizeof port->name, "%s", name);
    TAILQ_INSERT_TAIL(&tunnels->all, port, node);
    if (take_place(port, config))
        return &port->tunnel;
    port_gone(&port->tunnel);
    snprintf(error, error_size, "%s: out of memory for one more tunnel", name);
    return NULL;
}

void tunnel_port_discard(struct bridge_tunnel *tunnel)
{
    port_gone(tunnel);
}

int tunnel_port_change(struct bridge_tunnel *tunnel, const struct tunnel_config *config, char *error, size_t error_size)
{
    struct tunnel_port *port = port_of(tunnel);
    struct tunnel_config before;
    bool done;

    if (memcmp(config, &port->config, sizeof *config) == 0)
        return 0;
    if (!check(port->tunnels, port->name, config, port, error, error_size))
        return -EEXIST;
    memcpy(&before, &port->config, sizeof before);
    leave_place(port);
    done = take_place(port, config);
    if (!done) {
        leave_place(port);
        take_place(port, &before);
        snprintf(error, error_size, "%s: out of memory for other options", port->name);
    }
    if (tunnel->bp)
        bridge_note_port(tunnel->bp, BRIDGE_PORT_CLAIMS);
    return done ? 0 : -ENOMEM;
}

const struct bridge_port *tunnels_next(const struct tunnels *tunnels, uint32_t from)
{
    const struct bridge_port *before = bridge_tunnel_find(from - 1);
    const struct tunnel_port *port = before ? TAILQ_NEXT(port_of(before->tunnel), node) : TAILQ_FIRST(&tunnels->all);

    while (port && (port->tunnel.index < from || !port->tunnel.bp))
        port = TAILQ_NEXT(port, node);
    return port ? port->tunnel.bp : NULL;
}

/* --- packets that end here ----------------------------------------------- */

/* The first bits of a UDP port that tell it from all listeners; all of them if it is one. */
static uint16_t telling_bits(const struct tunnels *tunnels, uint16_t udp_port)
{
    unsigned place = place_of(tunnels, listener_key(TUNNEL_N_TYPES, udp_port)), same = 0;

    for (unsigned i = place > 0 ? place - 1 : 0; i <= place && i < tunnels->n_listeners; i++) {
        uint16_t other = tunnels->listeners[i].udp_port, differs = other ^ udp_port;

        if (other != 0)
            same = RTE_MAX(same, differs ? (unsigned)__builtin_clz(differs) - 16 : 15);
    }
    return (uint16_t)(0xffff0000u >> (same + 1));
}

/* The type of tunnels that the packet's protocol is of, whatever else is in it; TUNNEL_N_TYPES: none. */
static enum tunnel_type type_of_protocol(const struct flow_key *key)
{
    switch (key->ip_proto) {
    case IPPROTO_GRE:
        return TUNNEL_GRE;
    case IPPROTO_IPIP:
    case IPPROTO_IPV6: /* with a list of segments, which is an extension header, or without */
        return key->eth_type == RTE_BE16(RTE_ETHER_TYPE_IPV6) ? TUNNEL_SRV6 : TUNNEL_N_TYPES;
    default:
        return TUNNEL_N_TYPES;
    }
}

static const struct tunnel_listener *find_for(const struct tunnels *tunnels, const struct flow_key *key,
                                              struct flow_key *seen)
{
    uint16_t udp_port = rte_be_to_cpu_16(key->tp_dst);

    seen->eth_type = UINT16_MAX;
    if (key->eth_type != RTE_BE16(RTE_ETHER_TYPE_IPV4) && key->eth_type != RTE_BE16(RTE_ETHER_TYPE_IPV6))
        return NULL;
    seen->ip_proto = UINT8_MAX;
    const bool udp = key->ip_proto == IPPROTO_UDP;
    const enum tunnel_type type = type_of_protocol(key);
    if (!udp && type == TUNNEL_N_TYPES)
        return NULL;
    seen->ip_frag = UINT8_MAX;
    if (key->ip_frag)
        return NULL;
    if (!udp)
        return find_listener(tunnels, listener_key(type, 0));
    seen->tp_dst |= rte_cpu_to_be_16(telling_bits(tunnels, udp_port));
    return udp_port ? find_listener(tunnels, listener_key(TUNNEL_N_TYPES, udp_port)) : NULL;
}

/* Whether the port's interface takes it: without a tag, to its MAC address, to an address that it has. */
static bool is_for(const struct tunnels *tunnels, const struct bridge_port *to, const struct flow_key *key,
                   struct flow_key *seen)
{
    struct in6_addr address = {.s6_addr = {[10] = 0xff, [11] = 0xff}};

    seen->vlan_tci[0] |= RTE_BE16(VLAN_TCI_PRESENT);
    if (key->vlan_tci[0] & RTE_BE16(VLAN_TCI_PRESENT))
        return false;
    if (!rte_is_same_ether_addr(&key->eth_dst, &to->mac)) {
        claim_is_bytes(key->eth_dst.addr_bytes, to->mac.addr_bytes, seen->eth_dst.addr_bytes, RTE_ETHER_ADDR_LEN);
        return false;
    }
    memset(&seen->eth_dst, 0xff, sizeof seen->eth_dst);
    if (key->eth_type == RTE_BE16(RTE_ETHER_TYPE_IPV4)) {
        memcpy(&address.s6_addr[12], &key->ipv4_dst, sizeof key->ipv4_dst);
        seen->ipv4_dst = UINT32_MAX;
    } else {
        memcpy(&address, key->ipv6_dst, sizeof address);
        memset(seen->ipv6_dst, 0xff, sizeof seen->ipv6_dst);
    }
    return routes_has_address(tunnels->routes, to->port->ifname, &address);
}

bool tunnel_port_takes(const struct tunnels *tunnels, const struct bridge_port *to, const struct flow *flow,
                       struct flow *seen, struct op_tunnel_pop *pop)
{
    const struct tunnel_listener *listener;

    if (tunnels->n_listeners == 0 || !to->port || !to->port->ifname[0])
        return false;
    listener = find_for(tunnels, &flow->pkt, &seen->pkt);
    if (!listener || !is_for(tunnels, to, &flow->pkt, &seen->pkt))
        return false;
    *pop = (struct op_tunnel_pop){
        .type = (uint8_t)listener->type,
        .gpe = listener->n_gpe > 0,
        .udp_port = rte_cpu_to_be_16(listener->udp_port),
    };
    return true;
}
