#include "pmd/port/interface.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
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

/* For all calls: making one costs several times what it is used for. */
static int any_socket(void)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static int fd = -1;
    int rc;

    pthread_mutex_lock(&lock);
    if (fd < 0)
        fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    rc = fd < 0 ? -errno : fd;
    pthread_mutex_unlock(&lock);
    return rc;
}

int interface_ioctl(const char *ifname, unsigned long request, struct ifreq *ifr)
{
    int fd = any_socket();

    if (fd < 0)
        return fd;
    snprintf(ifr->ifr_name, sizeof ifr->ifr_name, "%s", ifname);
    return ioctl(fd, request, ifr) < 0 ? -errno : 0;
}

int interface_index(const char *ifname)
{
    struct ifreq ifr = {0};

    return interface_ioctl(ifname, SIOCGIFINDEX, &ifr) < 0 ? 0 : ifr.ifr_ifindex;
}

bool interface_name(int ifindex, char ifname[IFNAMSIZ])
{
    struct ifreq ifr = {.ifr_ifindex = ifindex};
    int fd = any_socket();

    if (fd < 0 || ioctl(fd, SIOCGIFNAME, &ifr) < 0)
        return false;
    snprintf(ifname, IFNAMSIZ, "%s", ifr.ifr_name);
    return true;
}

static void read_speed(const char *ifname, struct interface_facts *facts)
{
    struct ethtool_cmd command = {.cmd = ETHTOOL_GSET};
    struct ifreq ifr = {.ifr_data = (void *)&command};
    unsigned speed;

    if (interface_ioctl(ifname, SIOCETHTOOL, &ifr) < 0)
        return;
    facts->full_duplex = command.duplex != DUPLEX_HALF;
    speed = ethtool_cmd_speed(&command);
    facts->speed_mbps = speed == (unsigned)SPEED_UNKNOWN ? 0 : speed;
}

void interface_read_facts(const char *ifname, struct interface_facts *facts)
{
    struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
    struct ifreq ifr = {.ifr_data = (void *)&info};

    *facts = (struct interface_facts){.full_duplex = true};
    read_speed(ifname, facts);
    if (interface_ioctl(ifname, SIOCETHTOOL, &ifr) < 0)
        return;
    snprintf(facts->driver, sizeof facts->driver, "%s", info.driver);
    snprintf(facts->version, sizeof facts->version, "%s", info.version);
    snprintf(facts->firmware, sizeof facts->firmware, "%s", info.fw_version);
}

void interface_describe(const struct interface_facts *facts, port_describe_fn *put, void *arg)
{
    if (!facts->driver[0])
        return;
    put(arg, "driver_name", facts->driver);
    put(arg, "driver_version", facts->version);
    put(arg, "firmware_version", facts->firmware);
}

/* A file of an interface in sysfs that holds a number. False: there is none. */
static bool read_number(const char *ifname, const char *file, uint64_t *number)
{
    char path[128], text[32];
    ssize_t n;
    int fd;

    snprintf(path, sizeof path, "/sys/class/net/%s/%s", ifname, file);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n <= 0)
        return false;
    text[n] = '\0';
    *number = strtoull(text, NULL, 10);
    return true;
}

void interface_count(int ifindex, port_count_fn *put, void *arg)
{
    static const char *const counters[][2] = {
        {"statistics/collisions", "collisions"},
        {"statistics/multicast", "rx_multicast_packets"},
        {"statistics/rx_crc_errors", "rx_crc_err"},
        {"statistics/rx_frame_errors", "rx_frame_err"},
        {"statistics/rx_missed_errors", "rx_missed_errors"},
        {"statistics/rx_over_errors", "rx_over_err"},
    };
    char ifname[IFNAMSIZ];
    uint64_t number;

    if (!interface_name(ifindex, ifname))
        return;
    /* What is mounted there may be of another network namespace than this process is in. */
    if (!read_number(ifname, "ifindex", &number) || number != (uint64_t)ifindex)
        return;
    for (size_t i = 0; i < sizeof counters / sizeof *counters; i++)
        if (read_number(ifname, counters[i][0], &number))
            put(arg, counters[i][1], number);
}
