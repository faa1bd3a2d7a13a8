/* How many packet buffers a device keeps for itself, to say so when there are too few. Control thread. */
#ifndef PMD_PORT_ETHDEV_BUFFERS_H
#define PMD_PORT_ETHDEV_BUFFERS_H

#include <stdint.h>

/* What the receive queues of the device with these devargs fill when they are set up: one a descriptor; of net_pcap
 * with infinite_rx=1 one a packet in its files. A file that cannot be read, or is no pcap file, counts as none. */
uint64_t ethdev_buffers_wanted(const char *devargs, uint16_t n_rxq, uint16_t n_rxd);

#endif
