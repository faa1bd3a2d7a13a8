/* What each type of action means for a packet: one row a type, in the file of its family. Private to this folder.
 * Control thread. */
#ifndef SRC_XLATE_ACT_XLATE_IMPL_H
#define SRC_XLATE_ACT_XLATE_IMPL_H

#include "src/xlate/xlate_ctx.h"

/* What an action looks at, or writes to. Behind a header that was popped, or addresses that were translated
 * (xlate_ctx.unparsed), the packet has to be parsed again before an action that looks there. The order counts: of two,
 * the lower one sees all that the other does. */
enum act_sees {
    ACT_SEES_PACKET,   /* anything; so it is for actions that do not say */
    ACT_SEES_HEADERS,  /* nothing that connection tracking translates: IP addresses, ports */
    ACT_SEES_ETHERNET, /* nothing behind the Ethernet addresses */
    ACT_SEES_NOTHING,  /* nothing of the packet itself: it sends it as it is, or has to do with metadata alone */
};

/* A row's function. `last`: no action behind it does anything (for trace only). */
typedef void act_runner(struct xlate_ctx *ctx, const struct act *act, bool last);

struct act_xlate {
    act_runner *run; /* NULL: it does nothing to a packet on its way through a list */
    enum act_sees sees;
    /* Where that depends on its arguments, or on ports (of which it is a dependency then); else NULL. */
    enum act_sees (*sees_of)(struct xlate_ctx *ctx, const struct act *act);
    bool ethernet_only; /* it does nothing to a packet that is no Ethernet packet */
};

/* By type. */
extern const struct act_xlate *const act_xlates[ACT_N_TYPES];

#define ACT_DECLARE(TYPE, name, args) extern const struct act_xlate act_xlate_##name;
ACT_TYPES(ACT_DECLARE)
#undef ACT_DECLARE

/* Ends the packet, whose TTL has expired. Controllers were told. */
void xlate_reject(struct xlate_ctx *ctx);

#endif
