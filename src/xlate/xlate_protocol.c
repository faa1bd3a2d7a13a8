/* Translation: packets for protocols that the switch speaks itself on a port. */
#include <string.h>

#include "src/xlate/punt.h"
#include "src/xlate/xlate_ctx.h"

static void punt_to(struct xlate_ctx *ctx, const struct bridge_port *bp, const struct protocol *protocol)
{
    struct punt punt;
    uint32_t id;

    memset(&punt, 0, sizeof punt);
    punt.bridge = ctx->bridge;
    punt.in_port = bp->ofport;
    punt.kind = PUNT_TO_PROTOCOL;
    punt.protocol = (uint8_t)protocol->id;
    id = punt_intern(&punt, NULL);
    xlate_note(ctx, " >> the packet is for %s, which the switch speaks on %s", protocol->name, bp->name);
    if (id == UINT32_MAX)
        xlate_fail(ctx, DROP_XLATE_ERROR, "too many ways to the control thread");
    else
        xlate_emit(ctx, OP_PUNT, id);
}

bool xlate_protocol(struct xlate_ctx *ctx)
{
    const struct bridge_port *bp = xlate_entry_port(ctx);
    const struct port_claim *claim;

    if (!bp)
        return false;
    LIST_FOREACH (claim, &bp->claims, node) {
        struct flow seen;
        bool takes;

        memset(&seen, 0, sizeof seen);
        takes = claim->protocol->takes(claim, &ctx->flow, &seen);
        xlate_consult(ctx, &seen);
        if (takes) {
            punt_to(ctx, bp, claim->protocol);
            return true;
        }
    }
    return false;
}
