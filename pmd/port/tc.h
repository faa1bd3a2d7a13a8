/* The kernel's schedulers of an interface (tc(8)), over rtnetlink. Each call waits for the kernel's RTNL lock, which
 * may take long: on a thread of the pool alone (worker.h). */
#ifndef PMD_PORT_TC_H
#define PMD_PORT_TC_H

#include "pmd/port.h"

/* Replaces what the interface has by what is wanted; PORT_SCHEDULER_NONE: by the kernel's own. 0 or a negative errno:
 * -ENOENT if the kernel does not have the scheduler. Then the interface has the kernel's own. */
int tc_set(int ifindex, uint32_t mtu, const struct port_scheduling *wanted);

#endif
