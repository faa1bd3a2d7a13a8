#include "pmd/port/interface.h"

#include <ctype.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

bool interface_name_valid(const char *ifname)
{
    if (!ifname || !*ifname || strlen(ifname) >= IFNAMSIZ || !strcmp(ifname, ".") || !strcmp(ifname, ".."))
        return false;
    for (const char *c = ifname; *c; c++)
        if (!isgraph((unsigned char)*c) || strchr("/:%", *c))
            return false;
    return true;
}

int interface_ioctl(const char *ifname, unsigned long request, struct ifreq *ifr)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), rc = 0;

    if (fd < 0)
        return -errno;
    snprintf(ifr->ifr_name, sizeof ifr->ifr_name, "%s", ifname);
    if (ioctl(fd, request, ifr) < 0)
        rc = -errno;
    close(fd);
    return rc;
}

unsigned interface_speed(const char *ifname, bool *full_duplex)
{
    struct ethtool_cmd command = {.cmd = ETHTOOL_GSET};
    struct ifreq ifr = {.ifr_data = (void *)&command};
    unsigned speed;

    *full_duplex = true;
    if (interface_ioctl(ifname, SIOCETHTOOL, &ifr) < 0)
        return 0;
    *full_duplex = command.duplex != DUPLEX_HALF;
    speed = ethtool_cmd_speed(&command);
    return speed == (unsigned)SPEED_UNKNOWN ? 0 : speed;
}
