#define MEM_WHAT "tunnels"

#include "src/tunnel/port_mtu.h"

#include <stdlib.h>
#include <string.h>

#include "pmd/base/log.h"
#include "pmd/base/mem.h"
#include "src/bridge/bridge.h"
#include "src/loop/loop.h"
#include "src/net/route.h"
#include "src/tunnel/tunnel_port.h"

#define PAUSE_MS 100 /* changes mostly come several at a time */
#define MTU_DEFAULT 1500
#define MTU_LEAST 68 /* RFC 791 */
#define STEP 256     /* numbers of ports that a step looks at */

struct port_mtu {
    struct routes *routes;
    struct bridge *bridge;
    struct bridge_listener ports;
    struct routes_listener changes;
    struct loop_timer timer;
    enum { MEASURE, SET } phase;
    uint32_t next;     /* the number to go on with; 0: nothing is under way */
    uint16_t smallest; /* so far; 0: of none */
    uint16_t target;
    bool again; /* something changed since the walk began */
};

/* --- measuring ----------------------------------------------------------- */

static uint16_t link_mtu(const struct port_mtu *mtu, const struct tunnel_config *config)
{
    const struct route_query query = {.to = config->remote, .from = config->local, .mark = config->egress_mark};
    struct routes_device device;
    struct route route;

    if (config->remote_flow || !routes_lookup(mtu->routes, &query, &route) ||
        !routes_find_device(mtu->routes, route.device, &device))
        return 0;
    return device.mtu;
}

/* The longest packet that fits through the port; 0: not known. */
static uint16_t mtu_of(const struct port_mtu *mtu, const struct bridge_port *bp)
{
    const struct tunnel_config *config;
    uint16_t outside;

    if (bp->kind == BRIDGE_PORT_DEVICE)
        return bp->mtu;
    if (bp->kind != BRIDGE_PORT_TUNNEL)
        return 0;
    config = tunnel_port_config(bp);
    outside = link_mtu(mtu, config);
    if (outside == 0)
        return 0;
    return (uint16_t)RTE_MAX(MTU_LEAST, outside - (int)tunnel_overhead(config));
}

static void measure(struct port_mtu *mtu, const struct bridge_port *bp)
{
    uint16_t fits = mtu_of(mtu, bp);

    if (fits && (!mtu->smallest || fits < mtu->smallest))
        mtu->smallest = fits;
}

/* --- setting ------------------------------------------------------------- */

static void set(const struct port_mtu *mtu, struct bridge_port *bp)
{
    struct port *port = bp->port;
    int rc;

    if (!bp->default_mtu || !port || port->moved || port->lost || bp->mtu_set == mtu->target)
        return;
    bp->mtu_set = mtu->target;
    if (bp->mtu == mtu->target)
        return;
    rc = port->ops->set_mtu(port, mtu->target);
    if (rc < 0)
        LOG_WARN_RL(LOG_PORT, "%s: the MTU cannot be set to %u, which fits the other ports of %s: %s", bp->name,
                    mtu->target, mtu->bridge->name, strerror(-rc));
}

/* --- the walk ------------------------------------------------------------ */

static void look_again(struct port_mtu *mtu)
{
    if (mtu->next != 0)
        mtu->again = true;
    else if (!loop_timer_is_set(&mtu->timer))
        loop_timer_in(&mtu->timer, PAUSE_MS * 1000);
}

/* Over the ports from mtu->next on. True: that was the last; LOCAL comes then. */
static bool walk_on(struct port_mtu *mtu)
{
    const struct bridge *bridge = mtu->bridge;
    uint32_t end = mtu->next + STEP;

    for (; mtu->next < bridge->by_ofport_size && mtu->next < end; mtu->next++) {
        struct bridge_port *bp = bridge->by_ofport[mtu->next];

        if (bp && mtu->phase == MEASURE)
            measure(mtu, bp);
        else if (bp)
            set(mtu, bp);
    }
    return mtu->next >= bridge->by_ofport_size;
}

static void on_timer(void *arg)
{
    struct port_mtu *mtu = arg;

    mtu->next = RTE_MAX(mtu->next, 1u);
    if (walk_on(mtu) && mtu->phase == MEASURE) {
        mtu->target = mtu->smallest ? mtu->smallest : MTU_DEFAULT;
        mtu->phase = SET;
        mtu->next = 1;
    } else if (mtu->phase == SET && mtu->next >= mtu->bridge->by_ofport_size) {
        if (mtu->bridge->local)
            set(mtu, mtu->bridge->local);
        mtu->phase = MEASURE;
        mtu->next = mtu->smallest = 0;
        if (mtu->again)
            loop_timer_in(&mtu->timer, PAUSE_MS * 1000);
        mtu->again = false;
        return;
    }
    loop_timer_in(&mtu->timer, 0);
}

/* --- what may change it -------------------------------------------------- */

static void on_port(void *arg, struct bridge_port *bp)
{
    look_again(arg);
}

static void on_port_changed(void *arg, struct bridge_port *bp, unsigned what)
{
    if (what & (BRIDGE_PORT_MTU | BRIDGE_PORT_CLAIMS))
        look_again(arg);
}

static void on_route(void *arg, const struct routes_change *change)
{
    look_again(arg);
}

struct port_mtu *port_mtu_create(struct loop *loop, struct routes *routes, struct bridge *bridge)
{
    struct port_mtu *mtu = mem_calloc(1, sizeof *mtu);

    mtu->routes = routes;
    mtu->bridge = bridge;
    loop_timer_init(&mtu->timer, loop, "MTU of internal ports", on_timer, mtu);
    mtu->ports = (struct bridge_listener){
        .arg = mtu, .port_added = on_port, .port_removed = on_port, .port_changed = on_port_changed};
    bridge_listen(bridge, &mtu->ports);
    mtu->changes = (struct routes_listener){.arg = mtu, .changed = on_route};
    routes_listen(routes, &mtu->changes);
    return mtu;
}

void port_mtu_destroy(struct port_mtu *mtu)
{
    if (!mtu)
        return;
    loop_timer_cancel(&mtu->timer);
    bridge_unlisten(mtu->bridge, &mtu->ports);
    routes_unlisten(mtu->routes, &mtu->changes);
    free(mtu);
}
