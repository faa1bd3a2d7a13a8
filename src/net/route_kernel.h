/* Keeps a table of routes (src/net/route.h) true to the kernel's: interfaces, addresses, rules and routes are read when
 * it begins, and again soon after rtnetlink tells that any of them changed. Control thread; fed by libevent.
 *
 * Reading all again is right whatever got lost on the way, and the kernel does not tell of each route that a link takes
 * with it. So that many changes of a large table do not keep the thread busy, the pause before the next reading is ten
 * times as long as the thread worked on the last one. Nothing here waits.
 */
#ifndef SRC_NET_ROUTE_KERNEL_H
#define SRC_NET_ROUTE_KERNEL_H

#include <stdbool.h>

struct event_base;
struct route_kernel;
struct routes;

/* `routes` stays the caller's, and outlives it. `with_routes` false: only interfaces and addresses are read, which
 * operators' routes need. NULL with errno. */
struct route_kernel *route_kernel_open(struct event_base *base, struct routes *routes, bool with_routes);
/* Reads all again, soon. */
void route_kernel_read(struct route_kernel *kernel);
/* NULL is allowed. */
void route_kernel_close(struct route_kernel *kernel);

#endif
