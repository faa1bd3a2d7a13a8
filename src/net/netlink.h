/* The kernel's network interfaces, as rtnetlink reports them: appeared, changed, gone. Control thread; fed by libevent.
 *
 * Interfaces of the process's own network namespace are kept in a table, so that each change is told once, with the
 * whole state. Of other namespaces that the kernel has given an id (it does so when an interface is moved there) only
 * that something changed is told. When messages were lost, all interfaces are read again a moment later, and what is
 * gone since is told as gone. Nothing here waits; one call of the event loop takes a bounded number of messages. What
 * is not a message as it should be is passed over.
 */
#ifndef SRC_NET_NETLINK_H
#define SRC_NET_NETLINK_H

#include <net/if.h>
#include <stdbool.h>

struct event_base;
struct netlink;

struct netlink_link {
    int ifindex;
    char name[IFNAMSIZ];
    bool up;        /* administratively and, as the kernel says, operationally (IFF_UP, IFF_RUNNING) */
    bool gone;      /* deleted, or moved to another namespace */
    bool elsewhere; /* in another namespace, which may use the same ifindex and name for something else */
};

/* Must not call netlink_close(). */
typedef void netlink_link_fn(void *arg, const struct netlink_link *link);

/* A socket that hears of changes of interfaces from now on, to be given to netlink_open(). -1 with errno. */
int netlink_socket(void);
/* Calls `fn` for every interface there is, soon from the event loop, and then for each change. `fd` is netlink's from
 * then on, also on failure: NULL with errno. */
struct netlink *netlink_open(struct event_base *base, int fd, netlink_link_fn *fn, void *arg);
/* NULL is allowed. */
void netlink_close(struct netlink *netlink);

#endif
