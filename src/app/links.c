#include "src/app/links.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/log.h"
#include "pmd/base/memory.h"
#include "src/app/apply.h"
#include "src/app/switch.h"
#include "src/net/netlink.h"

/* Who creates an interface sets it up in several steps; each is a message. */
#define RETURN_PAUSE_MS 20

struct links {
    struct sluice *sw;
    struct netlink *netlink;
    struct loop_timer returned;
};

void links_port_changed(void *arg, struct port *port)
{
    struct bridge_port *bp = port->user;

    if (bp)
        bridge_port_update(bp);
}

static void on_returned(void *arg)
{
    struct links *links = arg;

    apply_interfaces_appeared(links->sw->apply);
}

static void on_link(void *arg, const struct netlink_link *link)
{
    const struct port_interface interface = {
        .ifindex = link->ifindex,
        .name = link->name,
        .up = link->up,
        .gone = link->gone,
    };
    struct links *links = arg;

    if (link->elsewhere)
        port_interfaces_elsewhere_changed();
    else if (port_interface_changed(&interface, links_port_changed, NULL))
        loop_timer_in(&links->returned, RETURN_PAUSE_MS * 1000);
}

struct links *links_create(struct sluice *sw)
{
    struct links *links = calloc(1, sizeof *links);
    int fd = netlink_socket();

    if (!links)
        out_of_memory("the kernel's network interfaces", sizeof *links);
    links->sw = sw;
    loop_timer_init(&links->returned, sw->loop, "returned interfaces", on_returned, links);
    if (fd >= 0)
        links->netlink = netlink_open(loop_base(sw->loop), fd, on_link, links);
    if (links->netlink)
        return links;
    LOG_WARN(
        LOG_PORT,
        "the kernel does not tell of network interfaces (rtnetlink: %s): a link that goes down is seen within half "
        "a second, an interface that is deleted and created again not at all",
        strerror(errno));
    links_destroy(links);
    return NULL;
}

void links_destroy(struct links *links)
{
    if (!links)
        return;
    netlink_close(links->netlink);
    loop_timer_cancel(&links->returned);
    free(links);
}
