/* How connections end. Control thread alone.
 *
 * Each connection is in the wheel, in the list of a second at which it is looked at: when it times out if nothing comes
 * any more, or WHEEL_SECONDS later if that is sooner. A packet that puts the deadline off touches nothing here; one
 * that brings it forward tells (struct ct_thread, news).
 */
#ifndef PMD_CT_EXPIRE_H
#define PMD_CT_EXPIRE_H

#include <stdbool.h>
#include <stdint.h>

struct ct;

/* A step, of some 10 us at most. True: there is more to do. */
bool expire_news(struct ct *ct, uint32_t now);
bool expire_wheel(struct ct *ct, uint32_t now);
/* Goes on through all connections for those of zones that were flushed; from the start if `ct->sweep_at` is 1. */
bool expire_sweep(struct ct *ct);
/* A connection that the control thread itself made comes into the wheel. */
void expire_begin(struct ct *ct, uint32_t id, uint32_t now);
/* Ends a connection, if it is alive. */
void expire_end(struct ct *ct, uint32_t id);
/* Numbers whose grace period is over are free again. */
bool expire_free(struct ct *ct);
void expire_fini(struct ct *ct);

#endif
