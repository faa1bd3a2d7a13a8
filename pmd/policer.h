/* A policer: drops what comes above a rate, of bits, of packets, or of both. It queues nothing and changes nothing.
 *
 * A port has one for each way at most (struct port), which all of its queues and all poll-mode threads share. Made by
 * the control thread, which replaces it as a whole; freed after a grace period.
 */
#ifndef PMD_POLICER_H
#define PMD_POLICER_H

#include <rte_mbuf.h>
#include <stdint.h>

struct policer_config {
    uint64_t bits, burst_bits;       /* a second, and at once after a pause; bits 0: any number */
    uint64_t packets, burst_packets; /* the same of packets */
    uint32_t header;                 /* bytes of each packet that are not among these bits */
};

struct policer;

/* `tsc_hz` is the clock of policer_run(), `now` the time of its making: its buckets are full. NULL: out of memory. To
 * be freed with free(). */
struct policer *policer_create(const struct policer_config *config, uint64_t tsc_hz, uint64_t now);

/* Moves those of `n` packets that are in bounds at `now` (TSC cycles) to the front and the others behind them, both in
 * order, and returns how many are in bounds. n <= 64. A packet that is not cut into segments yet (pmd/offload.h) counts
 * as all of them, and passes or not as a whole. Poll-mode threads. */
unsigned policer_run(struct policer *policer, uint64_t now, struct rte_mbuf **packets, unsigned n);

#endif
