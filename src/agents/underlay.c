#define MEM_WHAT "what tunnels go over"

#include "src/agents/underlay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/log.h"
#include "pmd/base/mem.h"
#include "src/loop/loop.h"
#include "src/net/neighbour_kernel.h"
#include "src/net/route.h"
#include "src/tunnel/neighbour.h"
#include "src/tunnel/next_hop.h"
#include "src/upcall/flows.h"

/* --- neighbours ---------------------------------------------------------- */

static void send_request(void *arg, struct bridge_port *from, struct rte_mbuf *frame)
{
    const struct underlay *underlay = arg;

    flows_receive(underlay->flows, from, frame);
}

static void ask_kernel(void *arg, const struct bridge_port *from, const struct in6_addr *ip)
{
    const struct underlay *underlay = arg;
    struct routes_device device;

    if (underlay->kernel && (routes_find_device(underlay->routes, from->name, &device) ||
                             (from->port && routes_find_device(underlay->routes, from->port->ifname, &device))))
        neighbour_kernel_ask(underlay->kernel, device.ifindex, ip);
}

static void on_kernel(void *arg, int ifindex, const struct in6_addr *ip, const struct rte_ether_addr *mac)
{
    const struct underlay *underlay = arg;
    const char *device = routes_device_name(underlay->routes, ifindex);
    const struct bridge_port *bp = device ? next_hops_port_of(underlay->hops, device) : NULL;

    if (!bp)
        return;
    if (mac)
        neighbours_tell(underlay->neighbours, bp->bridge, ip, mac, NEIGHBOUR_KERNEL);
    else
        neighbours_doubt(underlay->neighbours, bp->bridge, ip);
}

/* --- next hops ----------------------------------------------------------- */

static void next_hop_changed(void *arg, uint64_t id)
{
    const struct underlay *underlay = arg;

    flows_note_next_hop(underlay->flows, id);
}

static void go_on(void *arg, struct rte_mbuf *packet)
{
    const struct underlay *underlay = arg;

    flows_go_on(underlay->flows, packet);
}

static bool is_wanted(void *arg, uint64_t id)
{
    const struct underlay *underlay = arg;

    return flows_wants_next_hop(underlay->flows, id);
}

/* --- as a whole ---------------------------------------------------------- */

struct underlay *underlay_create(struct loop *loop, struct flows *flows, struct routes *routes,
                                 struct rte_mempool *pool)
{
    struct underlay *underlay = mem_calloc(1, sizeof *underlay);
    const struct neighbours_user neighbours = {.arg = underlay, .send = send_request, .ask_kernel = ask_kernel};
    const struct next_hops_user hops = {.arg = underlay, .changed = next_hop_changed, .go = go_on, .wanted = is_wanted};

    underlay->flows = flows;
    underlay->routes = routes;
    underlay->neighbours = neighbours_create(loop, routes, pool, &neighbours);
    underlay->hops = next_hops_create(loop, routes, underlay->neighbours, &hops);
    underlay->kernel = neighbour_kernel_open(loop_base(loop), on_kernel, underlay);
    if (!underlay->kernel)
        LOG_WARN(LOG_MAIN,
                 "the kernel does not tell of its neighbours (rtnetlink: %s): tunnels know those alone that the switch "
                 "asked for itself",
                 strerror(errno));
    flows_set_neighbours(flows, underlay->neighbours);
    return underlay;
}

void underlay_destroy(struct underlay *underlay)
{
    if (!underlay)
        return;
    neighbour_kernel_close(underlay->kernel);
    next_hops_destroy(underlay->hops);
    neighbours_destroy(underlay->neighbours);
    free(underlay);
}

void underlay_attach(struct underlay *underlay, struct bridge *bridge)
{
    next_hops_attach(underlay->hops, bridge);
}

void underlay_detach(struct underlay *underlay, struct bridge *bridge)
{
    next_hops_detach(underlay->hops, bridge);
}
