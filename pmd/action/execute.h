/* Runs an action program over packets: the interpreter for PROGRAM_GENERAL (and correct for every kind).
 *
 * Poll-mode threads call it, through a sink that knows where packets go; tests and the control thread's trace bring
 * sinks of their own. No state, no allocation but copies of packets from sink->pool.
 */
#ifndef PMD_ACTION_EXECUTE_H
#define PMD_ACTION_EXECUTE_H

#include <rte_mbuf.h>

#include "pmd/drop.h"
#include "pmd/program.h"

struct op_tunnel_pop;

struct action_sink {
    struct rte_mempool *pool; /* for copies; empty pool: DROP_NO_MBUF */
    void *arg;
    /* Each takes the packet over. */
    void (*output)(void *arg, uint32_t port, struct rte_mbuf *packet);
    void (*punt)(void *arg, uint32_t punt_id, struct rte_mbuf *packet, uint16_t full_len);
    void (*recirc)(void *arg, uint32_t recirc_id, struct rte_mbuf *const *packets, unsigned n);
    /* Takes the outer headers off, which are the packet's own and in its first segment, and looks up what is inside. */
    void (*tunnel_pop)(void *arg, const struct op_tunnel_pop *pop, struct rte_mbuf *packet);
    /* Measures packets, which stay the caller's; verdicts as meter_run() has them. */
    void (*meter)(void *arg, uint32_t meter, struct rte_mbuf *const *packets, unsigned n, uint8_t *verdicts);
    /* Tracks packets, which stay the caller's and get packet_meta()'s ct; results[i] is ACTION_OK, or why packet i is
     * to be dropped. Fragments it takes over: ACTION_HELD, and ACTION_WHOLE for the one that completes a datagram. */
    void (*ct)(void *arg, const struct ct_request *request, struct rte_mbuf *const *packets, unsigned n,
               uint8_t *results);
    /* Gives the fragments of that datagram back, one by one, each with its result; NULL: there are no more. Called
     * until then before anything else is made of the packets behind `by`, the one that completed it. */
    struct rte_mbuf *(*fragment)(void *arg, const struct rte_mbuf *by, uint8_t *result);
    /* `packet` NULL: it is freed already. */
    void (*drop)(void *arg, enum drop_reason reason, struct rte_mbuf *packet);
};

/* Runs `program` on each of `n` packets, in order. Takes the packets over. If program->uses_meta, the caller has set
 * packet_meta() of each. Outputs may share one mbuf (refcnt > 1): a sink does not write to a packet it sends. When a
 * copy is needed and the pool is empty, the packet ends there under DROP_NO_MBUF. An operation that needs a header
 * which the packet does not have (whole) drops the packet under DROP_ACTION_MALFORMED. A packet that no operation sent
 * anywhere is dropped under DROP_POLICY. */
void program_execute(const struct program *program, struct rte_mbuf **packets, unsigned n,
                     const struct action_sink *sink);

#endif
