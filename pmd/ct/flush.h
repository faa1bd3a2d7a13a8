/* Flushes of connections by what they are, that go on while traffic does. Control thread. */
#ifndef PMD_CT_FLUSH_H
#define PMD_CT_FLUSH_H

#include <stdbool.h>
#include <stdint.h>

struct ct;

/* A step, of some 10 us at most. True: there is more to do. */
bool flush_step(struct ct *ct, uint32_t now);
void flush_fini(struct ct *ct);

#endif
