/* Network interfaces of the kernel's by ioctl, for the backends that work on one. Control thread, and those that make
 * TAPs and open sockets. All are of the network namespace that the process was started in. */
#ifndef PMD_PORT_INTERFACE_H
#define PMD_PORT_INTERFACE_H

#include <net/if.h>
#include <stdbool.h>

#include "pmd/port.h"

/* Whether the kernel takes it as a name (dev_valid_name), and it has no '%', which the kernel would make a number of.
 */
bool interface_name_valid(const char *ifname);

/* The ioctl `request` on the interface of that name, which is written into `ifr`. 0 or a negative errno. */
int interface_ioctl(const char *ifname, unsigned long request, struct ifreq *ifr);

/* As if_nametoindex() and if_indextoname() (0, false: there is none), without a socket of their own for each call. */
int interface_index(const char *ifname);
bool interface_name(int ifindex, char ifname[IFNAMSIZ]);

/* What hardly changes. */
struct interface_facts {
    unsigned speed_mbps; /* 0 = unknown */
    bool full_duplex;
    char driver[32], version[32], firmware[32]; /* of the kernel's driver; driver "": unknown */
};
/* Waits for other changes of interfaces (the kernel's RTNL lock), which may take long: not for the control thread. */
void interface_read_facts(const char *ifname, struct interface_facts *facts);
/* For port_ops.describe(). */
void interface_describe(const struct interface_facts *facts, port_describe_fn *put, void *arg);
/* For port_ops.count(): what the kernel counts of the interface of that index. */
void interface_count(int ifindex, port_count_fn *put, void *arg);

#endif
