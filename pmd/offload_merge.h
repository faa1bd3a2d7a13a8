/* Receive coalescing: TCP segments that follow each other in a burst become one unfinished packet (pmd/offload.h),
 * which a guest takes whole. What its stack gets is what it would have made of the segments itself.
 *
 * DPDK's librte_gro is not used: it believes checksums without looking at them, knows no IPv6 (22.11), and wants to be
 * told what the packets are. Poll-mode threads; no state from one burst to the next, so nothing waits for more.
 */
#ifndef PMD_OFFLOAD_MERGE_H
#define PMD_OFFLOAD_MERGE_H

#include <rte_mbuf.h>
#include <stdint.h>

/* Merges what can be merged of a burst for a port that takes `takes` (OFFLOAD_TAKES_*), and returns how many packets
 * there are then, in `packets`. Those of one connection stay in their order; a merged packet is where its first was.
 *
 * Merged are finished packets of the same headers, with ACK and perhaps PSH as their only flags, of which each begins
 * where the one before ends and is as long as the first; the last may be shorter, or have PSH. Their checksums are
 * verified. Only packets of one mbuf that nobody else has are touched. */
unsigned offload_merge(struct rte_mbuf **packets, unsigned n, uint8_t takes);

#endif
