/* Tunnels that there are and what they listen on, as Open vSwitch's commands print it: tnl/ports/show,
 * ofproto/list-tunnels. Control thread. */
#define MEM_WHAT "a command"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/mem.h"
#include "src/control/commands.h"
#include "src/net/route.h"
#include "src/tunnel/tunnel_text.h"

/* --- tnl/ports/show ------------------------------------------------------ */

/* Open vSwitch's name of the port of the datapath that receives for the listener. `which`: of GRE's several. */
static void listener_name(const struct tunnel_listener *listener, unsigned which, char *name, size_t size)
{
    static const char *const names[TUNNEL_N_TYPES] = {[TUNNEL_VXLAN] = "vxlan_sys",
                                                      [TUNNEL_GENEVE] = "genev_sys",
                                                      [TUNNEL_GTPU] = "gtpu_sys",
                                                      [TUNNEL_SRV6] = "srv6_sys"};
    static const char *const gre[N_GRE_PORTS] = {"gre_sys", "ip6gre_sys", "erspan_sys", "ip6erspan_sys"};

    if (listener->udp_port)
        snprintf(name, size, "%s_%u", names[listener->type], listener->udp_port);
    else
        snprintf(name, size, "%s", listener->type == TUNNEL_GRE ? gre[which] : names[listener->type]);
}

/* Shows what packets of the protocol look like that end at this address and listener. */
static void show_protocol(struct control_reply *reply, const char *name, const struct tunnel_listener *listener,
                          const struct in6_addr *address, const struct routes_device *device, unsigned proto)
{
    bool v4 = IN6_IS_ADDR_V4MAPPED(address);
    const uint8_t *m = device->mac.addr_bytes;
    char text[INET6_ADDRSTRLEN];

    inet_ntop(v4 ? AF_INET : AF_INET6, &address->s6_addr[v4 ? 12 : 0], text, sizeof text);
    control_printf(reply,
                   "%s (%u) : eth(dst=%02x:%02x:%02x:%02x:%02x:%02x),eth_type(0x%04x),%s(dst=%s,proto=%u,frag=no)",
                   name, tunnel_listener_number(listener->type, listener->udp_port), m[0], m[1], m[2], m[3], m[4], m[5],
                   v4 ? RTE_ETHER_TYPE_IPV4 : RTE_ETHER_TYPE_IPV6, v4 ? "ipv4" : "ipv6", text, proto);
    if (listener->udp_port)
        control_printf(reply, ",udp(dst=%u)", listener->udp_port);
    control_printf(reply, "\n");
}

static void show_address(struct control_reply *reply, const char *name, const struct tunnel_listener *listener,
                         const struct in6_addr *address, const struct routes_device *device)
{
    if (listener->type != TUNNEL_SRV6) {
        show_protocol(reply, name, listener, address, device, listener->udp_port ? IPPROTO_UDP : IPPROTO_GRE);
    } else if (!IN6_IS_ADDR_V4MAPPED(address)) {
        show_protocol(reply, name, listener, address, device, IPPROTO_IPIP);
        show_protocol(reply, name, listener, address, device, IPPROTO_IPV6);
    }
}

/* The port that packets to the interface are sent to. */
static const struct bridge_port *port_of_device(const struct sluice *sw, const char *device)
{
    const struct bridge_port *bp;
    const struct bridge *br;

    TAILQ_FOREACH (br, &sw->bridges, node)
        TAILQ_FOREACH (bp, &br->ports, node)
            if (bp->port && strcmp(bp->port->ifname, device) == 0)
                return bp;
    return NULL;
}

static void show_addresses(const struct sluice *sw, const struct tunnel_listener *listener, const char *name,
                           struct control_reply *reply)
{
    char device_name[IFNAMSIZ];
    struct routes_device device;
    struct in6_addr address;
    size_t position = 0;

    while (routes_next_address(sw->routes, &position, &address, device_name))
        if (port_of_device(sw, device_name) && routes_find_device(sw->routes, device_name, &device))
            show_address(reply, name, listener, &address, &device);
}

/* Shows the ports of a listener that have one name. */
static void show_listener(const struct sluice *sw, const struct tunnel_listener *listener, unsigned which,
                          unsigned n_ports, bool verbose, struct control_reply *reply)
{
    char name[32];

    listener_name(listener, which, name, sizeof name);
    if (verbose)
        show_addresses(sw, listener, name, reply);
    else
        control_printf(reply, "%s (%u) ref_cnt=%u\n", name, tunnel_listener_number(listener->type, listener->udp_port),
                       n_ports);
    json_array_append_new(reply->json,
                          json_pack("{s:s,s:i,s:b,s:b,s:i}", "name", name, "udp_port", (int)listener->udp_port, "gbp",
                                    listener->gbp, "gpe", listener->n_gpe > 0, "ports", (int)n_ports));
}

static void cmd_ports_show(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    bool verbose = argc > 1 && strcmp(argv[1], "-v") == 0;
    const struct sluice *sw = arg;

    reply->json = json_array();
    control_printf(reply, "Listening ports:\n");
    for (unsigned i = 0; i < tunnels_n_listeners(sw->tunnels); i++) {
        const struct tunnel_listener *listener = tunnels_listener(sw->tunnels, i);

        if (listener->type != TUNNEL_GRE)
            show_listener(sw, listener, 0, listener->n_ports, verbose, reply);
        for (unsigned which = 0; which < N_GRE_PORTS; which++) {
            if (listener->n_gre[which] > 0)
                show_listener(sw, listener, which, listener->n_gre[which], verbose, reply);
        }
    }
}

/* --- ofproto/list-tunnels ------------------------------------------------ */

/* A listing under way. */
struct list {
    struct sluice *sw;
    uint32_t next; /* the index to go on with */
};

static bool list_more(void *arg, struct control_reply *reply)
{
    struct list *list = arg;
    char text[TUNNEL_TEXT_MAX];
    const struct bridge_port *bp = tunnels_next(list->sw->tunnels, list->next);

    if (!bp)
        return false;
    list->next = bp->tunnel->index + 1;
    tunnel_port_text(tunnel_port_config(bp), bp->tunnel->index, text, sizeof text);
    if (reply->as_json)
        control_element(reply, json_pack("{s:s,s:s,s:s,s:I,s:s}", "bridge", bp->bridge->name, "name", bp->name, "type",
                                         bp->tunnel->type, "index", (json_int_t)bp->tunnel->index, "tunnel", text));
    else
        control_printf(reply, "port %" PRIu32 ": %s (%s: %s)\n", bp->tunnel->index, bp->name, bp->tunnel->type, text);
    return true;
}

static void cmd_list(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    struct list *list = mem_calloc(1, sizeof *list);

    list->sw = arg;
    reply->stream = (struct control_stream){.more = list_more, .end = free, .arg = list};
}

void commands_register_tunnel(struct control *control, struct sluice *sw)
{
    control_register(control, "tnl/ports/show", "-v", 0, 1, cmd_ports_show, sw);
    control_register(control, "ofproto/list-tunnels", "", 0, 0, cmd_list, sw);
}
