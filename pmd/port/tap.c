/* PORT_TAP: a network interface of the kernel's whose other end is a port; DPDK's tap driver does the work. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <rte_ether.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pmd/log.h"
#include "pmd/port/backend.h"

/* The kernel's rules (dev_valid_name), and no ',' or '=', which end a device argument. */
static bool ifname_valid(const char *ifname)
{
    if (!ifname || !*ifname || strlen(ifname) >= IFNAMSIZ || !strcmp(ifname, ".") || !strcmp(ifname, ".."))
        return false;
    for (const char *c = ifname; *c; c++)
        if (!isgraph((unsigned char)*c) || strchr("/:,=\"'[]", *c))
            return false;
    return true;
}

/* By hand: the driver refuses more than 1500 although its queues carry any frame. */
static int set_kernel_mtu(const char *ifname, uint16_t mtu)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), rc = 0;
    struct ifreq ifr = {.ifr_mtu = mtu};

    if (fd < 0)
        return -errno;
    snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", ifname);
    if (ioctl(fd, SIOCSIFMTU, &ifr) < 0)
        rc = -errno;
    close(fd);
    return rc;
}

static int tap_set_mtu(struct port *port, uint16_t mtu)
{
    char ifname[IF_NAMESIZE];
    int rc;

    if (!ethdev_takes_mtu(port, mtu))
        return -EBUSY;
    rc = ethdev_ifname(port, ifname);
    if (rc == 0)
        rc = set_kernel_mtu(ifname, mtu);
    if (rc == 0)
        ethdev_note_mtu(port, mtu);
    return rc;
}

static bool tun_accessible(char *error, size_t error_size)
{
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

    if (fd < 0) {
        port_error(error, error_size, "/dev/net/tun: %s: %s", strerror(errno),
                   errno == EACCES || errno == EPERM ? "a TAP port needs CAP_NET_ADMIN and access to that file"
                                                     : "load it with \"modprobe tun\"");
        return false;
    }
    close(fd);
    return true;
}

struct port *tap_create(const struct port_params *params, char *error, size_t error_size)
{
    static struct port_ops tap_ops;
    struct port_params ethdev_params = *params;
    char devargs[128], mac[RTE_ETHER_ADDR_FMT_SIZE + 8] = "";
    struct port *port;
    int rc;

    if (!ifname_valid(params->ifname))
        return port_error(error, error_size,
                          "ifname \"%s\": an interface name has 1 to %d characters, none of them a blank or one of "
                          "/:,=\"'[]",
                          params->ifname ? params->ifname : "", IFNAMSIZ - 1);
    if (!tun_accessible(error, error_size))
        return NULL;
    if (if_nametoindex(params->ifname))
        return port_error(error, error_size,
                          "an interface \"%s\" exists already: choose another ifname or \"ip link delete %s\"",
                          params->ifname, params->ifname);
    if (params->has_mac)
        snprintf(mac, sizeof(mac), ",mac=" RTE_ETHER_ADDR_PRT_FMT, RTE_ETHER_ADDR_BYTES(&params->mac));
    snprintf(devargs, sizeof(devargs), "net_tap_%s,iface=%s%s", params->ifname, params->ifname, mac);
    ethdev_params.devargs = devargs;
    ethdev_params.has_mac = false;
    port = ethdev_create(&ethdev_params, error, error_size);
    if (!port)
        return NULL;
    tap_ops = *port->ops;
    tap_ops.set_mtu = tap_set_mtu;
    port->ops = &tap_ops;
    rc = set_kernel_mtu(params->ifname, params->mtu);
    if (rc < 0)
        LOG_WARN(LOG_PORT, "%s: the kernel does not take mtu %u for %s: %s", params->name, params->mtu, params->ifname,
                 strerror(-rc));
    return port;
}
