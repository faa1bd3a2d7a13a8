#include "src/bridge/port_claim.h"

#include "src/bridge/bridge.h"

struct port_claim *port_claim_find(const struct bridge_port *bp, enum protocol_id id)
{
    struct port_claim *claim;

    LIST_FOREACH (claim, &bp->claims, node) {
        if (claim->protocol->id == id)
            return claim;
    }
    return NULL;
}

void port_claim_note(struct port_claim *claim)
{
    bridge_note_port(claim->bp, BRIDGE_PORT_CLAIMS);
}

void port_claim_add(struct bridge_port *bp, struct port_claim *claim, bool holds)
{
    claim->bp = bp;
    claim->holds = holds;
    LIST_INSERT_HEAD(&bp->claims, claim, node);
    port_claim_note(claim);
    bridge_port_update(bp);
}

void port_claim_remove(struct port_claim *claim)
{
    struct bridge_port *bp = claim->bp;

    if (!bp)
        return;
    LIST_REMOVE(claim, node);
    claim->bp = NULL;
    bridge_note_port(bp, BRIDGE_PORT_CLAIMS);
    bridge_port_update(bp);
}

void port_claims_follow(struct bridge_port *bp)
{
    struct port_claim *claim;

    LIST_FOREACH (claim, &bp->claims, node) {
        if (claim->protocol->port_changed)
            claim->protocol->port_changed(claim);
    }
}

void port_claim_hold(struct port_claim *claim, bool holds)
{
    if (claim->holds == holds)
        return;
    claim->holds = holds;
    bridge_port_update(claim->bp);
}
