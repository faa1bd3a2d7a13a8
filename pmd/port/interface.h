/* Network interfaces of the kernel's by ioctl, for the backends that work on one. Control thread.
 */
#ifndef PMD_PORT_INTERFACE_H
#define PMD_PORT_INTERFACE_H

#include <net/if.h>
#include <stdbool.h>

/* Whether the kernel takes it as a name (dev_valid_name), and it has no '%', which the kernel would make a number of.
 */
bool interface_name_valid(const char *ifname);

/* The ioctl `request` on the interface of that name, which is written into `ifr`. 0 or a negative errno. */
int interface_ioctl(const char *ifname, unsigned long request, struct ifreq *ifr);

/* Mbit/s, 0 = unknown, and whether it is full duplex. Waits for other changes of interfaces (the kernel's RTNL lock):
 * ask when the link changed, not in rounds. */
unsigned interface_speed(const char *ifname, bool *full_duplex);

#endif
