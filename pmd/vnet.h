/* The header that the kernel puts in front of packets, and takes in front of packets, on a packet socket or a TAP that
 * asked for it (struct virtio_net_hdr; VIRTIO 1.2, 5.1.6): to and from the marks of pmd/offload.h. No state.
 */
#ifndef PMD_VNET_H
#define PMD_VNET_H

#include <linux/virtio_net.h>
#include <rte_mbuf.h>
#include <stdbool.h>
#include <stdint.h>

/* Marks a packet that was received with `header`, and `shift` bytes put in front of its EtherType since. The marks may
 * be of TCP or UDP inside of a tunnel. What they cannot say, a checksum of another protocol, is made here. False:
 * header and packet do not fit together, or it is a kind of segments that is not known; the packet is no use. */
bool vnet_mark(const struct virtio_net_hdr *header, uint32_t shift, struct rte_mbuf *packet);

/* Empties a packet for which vnet_mark() returned false, so that it is dropped and counted as what it is. */
void vnet_mark_malformed(struct rte_mbuf *packet);

/* The header for a packet, which may be marked; if it is, offload_is_plain(). */
void vnet_header(const struct rte_mbuf *packet, struct virtio_net_hdr *header);

#endif
