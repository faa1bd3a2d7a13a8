/* Which OpenFlow port number a port of a bridge gets. Control thread only.
 *
 * A number that was asked for is given if nobody else asked for it; who has it without having asked has to move. Others
 * get the number that they had last, if it is free, else the next one counting upward in 1 .. OFPORTS_AUTO_MAX; the
 * numbers above are for those who ask. A number that was given back is not given to somebody else for an hour, because
 * rules and controllers may still mean the port that had it. If none is left otherwise, the one that was given back
 * longest ago is. These are the rules of Open vSwitch.
 */
#ifndef SRC_BRIDGE_OFPORTS_H
#define SRC_BRIDGE_OFPORTS_H

#include <stdbool.h>
#include <stdint.h>

#define OFPORTS_AUTO_MAX 32767 /* the highest number given to who asked for none */
#define OFPORTS_REST_MS (UINT64_C(3600) * 1000)

struct ofports;

struct ofports *ofports_create(void);
void ofports_free(struct ofports *ofports);

/* A number for `holder`, who has none: `request` (1 .. OFPORT_USER_MAX, or OFPORT_LOCAL; OFPORT_NONE: it asks for none)
 * if possible, else `last`, which it had before (OFPORT_NONE: none), else another. Returns OFPORT_NONE if there is
 * none: all are taken, or LOCAL is. *displaced is who had the number without having asked for it, and has none any
 * more; NULL: nobody. */
uint32_t ofports_take(struct ofports *ofports, void *holder, uint32_t request, uint32_t last, uint64_t now_ms,
                      void **displaced);
/* The holder of the number asked for it, or asks for it no longer. */
void ofports_set_requested(struct ofports *ofports, uint32_t number, bool requested);
/* The number is free again. `used`: others may have seen it, so that it has to rest. */
void ofports_give_back(struct ofports *ofports, uint32_t number, bool used, uint64_t now_ms);

#endif
