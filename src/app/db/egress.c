/* Which interface of the kernel's a tunnel's packets leave by, for Interface.status. */
#include "src/app/db/egress.h"

#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pmd/base/clock.h"
#include "src/net/route.h"
#include "src/tunnel/tunnel_port.h"

#define FRESH_MS 100

/* The interface that was asked for last: most tunnels leave by one. */
static struct {
    char name[IFNAMSIZ];
    bool up;
    uint64_t at_ms;
} last;

static bool has_carrier(const char *name)
{
    uint64_t now_ms = clock_now_ms();
    struct ifreq ifr = {0};
    int fd;

    if (last.at_ms + FRESH_MS > now_ms && strcmp(last.name, name) == 0)
        return last.up;
    snprintf(ifr.ifr_name, sizeof ifr.ifr_name, "%s", name);
    fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    last.up = fd >= 0 && ioctl(fd, SIOCGIFFLAGS, &ifr) == 0 && ifr.ifr_flags & IFF_RUNNING;
    if (fd >= 0)
        close(fd);
    snprintf(last.name, sizeof last.name, "%s", name);
    last.at_ms = now_ms;
    return last.up;
}

void egress_of(const struct routes *routes, const struct bridge_port *bp, struct egress *egress)
{
    const struct tunnel_config *config;
    struct route route;

    *egress = (struct egress){.up = false};
    if (!bp->tunnel)
        return;
    config = tunnel_port_config(bp);
    const struct route_query query = {.to = config->remote, .from = config->local, .mark = config->egress_mark};
    if (config->remote_flow || !routes_lookup(routes, &query, &route))
        return;
    snprintf(egress->device, sizeof egress->device, "%s", route.device);
    egress->up = has_carrier(route.device);
}
