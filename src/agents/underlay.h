/* What tunnels' outer packets go over: neighbours and next hops (src/tunnel/), joined with the kernel, the bridges and
 * translation. Control thread only. */
#ifndef SRC_AGENTS_UNDERLAY_H
#define SRC_AGENTS_UNDERLAY_H

#include <rte_mempool.h>

struct bridge;
struct flows;
struct loop;
struct neighbour_kernel;
struct neighbours;
struct next_hops;
struct routes;

struct underlay {
    struct neighbours *neighbours;
    struct next_hops *hops;
    struct flows *flows;
    struct routes *routes;
    struct neighbour_kernel *kernel; /* NULL: it does not tell of its neighbours */
};

/* All of these outlive it, as bridges do. `pool`: for requests. */
struct underlay *underlay_create(struct loop *loop, struct flows *flows, struct routes *routes,
                                 struct rte_mempool *pool);
/* NULL is allowed. */
void underlay_destroy(struct underlay *underlay);

/* Right after a bridge was made; before it is destroyed, after its ports were removed. */
void underlay_attach(struct underlay *underlay, struct bridge *bridge);
void underlay_detach(struct underlay *underlay, struct bridge *bridge);

#endif
