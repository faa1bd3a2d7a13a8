/* Packets as a kernel hands them over: without a checksum, or to be cut into segments. */
#ifndef TESTS_LIB_UNFINISHED_H
#define TESTS_LIB_UNFINISHED_H

#include <linux/virtio_net.h>
#include <rte_mbuf.h>
#include <stdint.h>

#include "tests/lib/packets.h"

/* Headers for unfinished_packet(). */
#define UNFINISHED_TCP4                                                                                                \
    MACS "0800" IP4("0000", "4000", "06") "1234 0050 00000001 00000002 5099 ffff 0000 0000" /* CWR ACK PSH FIN */
#define UNFINISHED_TCP6                                                                                                \
    MACS "86dd" IP6("0000", "06") "1234 0050 fffffff0 00000002 8018 ffff 0000 0000 0101080a 00000001 00000002"
#define UNFINISHED_UDP4 MACS "0800" IP4("0000", "0000", "11") "0035 1f90 0000 0000"
#define UNFINISHED_UDP4_TAGGED MACS "88a8 0064 8100 e0c8 0800" IP4("0000", "0000", "11") "0035 1f90 0000 0000"
#define UNFINISHED_UDP6 MACS "86dd" IP6("0000", "00") "1100010400000000 0035 1f90 0000 0000"

/* Byte `i` of their payload. */
uint8_t unfinished_byte(uint32_t i);

/* The frame with `payload` bytes behind it, lengths right, the pseudo-header's sum in place of the checksum, in mbufs
 * of the pool; and the header that the kernel sends along: it is not marked yet. `gso_size` 0: not to be cut. */
struct rte_mbuf *unfinished_packet(struct rte_mempool *pool, const char *hex, uint32_t payload, uint16_t gso_size,
                                   struct virtio_net_hdr *header);

#endif
