/* The kernel's neighbours: the MAC addresses that it knows of IP addresses, as rtnetlink tells of them. Control thread;
 * fed by libevent. Nothing here waits, nothing is kept: of what is told, whoever listens picks what is of interest.
 */
#ifndef SRC_NET_NEIGHBOUR_KERNEL_H
#define SRC_NET_NEIGHBOUR_KERNEL_H

#include <netinet/in.h>
#include <rte_ether.h>

struct event_base;
struct neighbour_kernel;

/* `ip`: IPv4 mapped. `mac` NULL: the kernel does not know it any more, or nobody answered. */
typedef void neighbour_kernel_fn(void *arg, int ifindex, const struct in6_addr *ip, const struct rte_ether_addr *mac);

/* Calls `fn` for each change, and when changes were lost for each neighbour that there is. NULL with errno. */
struct neighbour_kernel *neighbour_kernel_open(struct event_base *base, neighbour_kernel_fn *fn, void *arg);
void neighbour_kernel_close(struct neighbour_kernel *kernel); /* NULL is allowed */
/* Has `fn` be called, soon, if the kernel knows this one. */
void neighbour_kernel_ask(struct neighbour_kernel *kernel, int ifindex, const struct in6_addr *ip);

#endif
