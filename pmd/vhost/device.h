/* The network device that one vhost-user connection sets up: what its messages said, and the rings of the port that
 * come of it. Thread of vhost-user sockets.
 *
 * Several connections may set up a device for the same port; the first whose rings can run gets the port's rings
 * (vhost_device_attach()). A message that cannot be is the end of its connection.
 */
#ifndef PMD_VHOST_DEVICE_H
#define PMD_VHOST_DEVICE_H

#include <rte_ether.h>
#include <stdbool.h>
#include <stdint.h>

#include "pmd/vhost/message.h"
#include "pmd/vhost/ring.h"

#define VHOST_PAIRS_MAX 128
#define VHOST_RINGS_MAX (2 * VHOST_PAIRS_MAX)

struct vhost_device;

/* `features`: offered to the peer. NULL: out of memory. */
struct vhost_device *vhost_device_new(uint64_t features);
/* A detached one. Takes as long as the kernel takes to unmap the memory. */
void vhost_device_free(struct vhost_device *device);

/* Both features by which a guest takes datagrams that are to be cut (VIRTIO_NET_F_GUEST_USO4, _USO6). */
#define VHOST_GUEST_USO (3ull << 54)

/* The features that a network device can offer: all that pmd/vhost/ can do. */
uint64_t vhost_device_features(bool offloads);

/* The size of the payload of a message with this header. False: there can be no such message, which is said in `error`.
 */
bool vhost_device_expects(const struct vhost_message *header, unsigned n_fds, char *error, size_t error_size);

/* Does what a whole message asks. Descriptors that the device keeps become -1 in `fds`; the others are the caller's to
 * close. False: it asks what cannot be, said in `error`: the connection is to be closed. *reply: `message` has become
 * an answer, to be sent. *changed: rings of the port were changed. *old: NULL or memory to unmap. */
struct vhost_outcome {
    bool reply, changed;
    struct vhost_memory *old;
};
bool vhost_device_handle(struct vhost_device *device, struct vhost_message *message, int *fds, unsigned n_fds,
                         struct vhost_outcome *outcome, char *error, size_t error_size);

/* Some ring could run. */
bool vhost_device_is_ready(const struct vhost_device *device);

/* `rings`, VHOST_RINGS_MAX of them, are this device's from now on. False: said in `error`. */
bool vhost_device_attach(struct vhost_device *device, struct vhost_ring *rings, char *error, size_t error_size);
/* They are nobody's any more, and no poll-mode thread has any of the device's memory. Returns whether the guest held
 * one up (VHOST_HELD_UP). */
bool vhost_device_detach(struct vhost_device *device);

/* As of the last message. */
uint16_t vhost_device_mtu(const struct vhost_device *device); /* 0: not told */
int vhost_device_numa_node(const struct vhost_device *device);
uint64_t vhost_device_negotiated(const struct vhost_device *device);
/* A migrated guest's address, of which the switch is to tell by RARP: once. */
bool vhost_device_take_rarp(struct vhost_device *device, struct rte_ether_addr *mac);

#endif
