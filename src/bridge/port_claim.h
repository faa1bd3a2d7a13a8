/* Protocols that the switch speaks itself on a port (BFD, LACP): which packets they take before the tables see them,
 * and whether they let the port be used. The bridge knows none of them. Control thread only.
 *
 * A claim is memory of its owner, zeroed at first; one session of a protocol on one port has one.
 */
#ifndef SRC_BRIDGE_PORT_CLAIM_H
#define SRC_BRIDGE_PORT_CLAIM_H

#include <rte_mbuf.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "src/match/flow.h"

struct bridge_port;
struct port_claim;

enum protocol_id { PROTOCOL_BFD, PROTOCOL_LACP, PROTOCOL_STP, PROTOCOL_N };

/* What a protocol is to bridge, translation and upcalls. Constant. */
struct protocol {
    enum protocol_id id;
    const char *name; /* "BFD" */
    /* Whether the packet is the protocol's. Pure. Sets in `seen` the bits of `flow` that the answer rests on, as few as
     * will do: each narrows the megaflows of all that comes in by the port. */
    bool (*takes)(const struct port_claim *claim, const struct flow *flow, struct flow *seen);
    /* A packet that was taken came. It stays the caller's. False: it is faulty, which the protocol has counted. */
    bool (*receive)(struct port_claim *claim, const struct rte_mbuf *packet);
    /* The port is being removed, and the claim is taken off already: nothing can be sent any more. */
    void (*port_gone)(struct port_claim *claim);
    /* The port's link or configuration may be another. NULL: that does not matter. */
    void (*port_changed)(struct port_claim *claim);
};

struct port_claim {
    const struct protocol *protocol;
    /* The bridge's. */
    struct bridge_port *bp; /* NULL: it claims nothing */
    bool holds;
    LIST_ENTRY(port_claim) node;
};

/* Puts the claim on the port, which has none of this protocol yet. `holds` as in port_claim_hold(). */
void port_claim_add(struct bridge_port *bp, struct port_claim *claim, bool holds);
/* One that claims nothing stays so. */
void port_claim_remove(struct port_claim *claim);
/* Whether the port is not to be used, as far as the protocol knows: then it is not live (PORT_STATE_LIVE), to
 * controllers, groups and rules; what is sent to it is sent nevertheless. */
void port_claim_hold(struct port_claim *claim, bool holds);
/* takes() answers otherwise from now on. */
void port_claim_note(struct port_claim *claim);
/* NULL: the port has none of that protocol. */
struct port_claim *port_claim_find(const struct bridge_port *bp, enum protocol_id id);

/* The port's link or configuration may be another. */
void port_claims_follow(struct bridge_port *bp);

/* For takes(): whether `value`, in network order, is `want`, in host order. Sets all bits in *seen (network order) if
 * it is, else the highest one that differs. */
static inline bool claim_is_16(rte_be16_t value, uint16_t want, rte_be16_t *seen)
{
    uint16_t differs = (uint16_t)(rte_be_to_cpu_16(value) ^ want);

    *seen |= rte_cpu_to_be_16(differs ? (uint16_t)(1u << (31 - __builtin_clz(differs))) : UINT16_MAX);
    return differs == 0;
}
/* As claim_is_16(), for `n` bytes, of which `seen` has no bit set yet. */
static inline bool claim_is_bytes(const uint8_t *value, const uint8_t *want, uint8_t *seen, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned differs = value[i] ^ want[i];

        if (differs) {
            memset(seen, 0, i);
            seen[i] |= (uint8_t)(1u << (31 - __builtin_clz(differs)));
            return false;
        }
        seen[i] = UINT8_MAX;
    }
    return true;
}

#endif
