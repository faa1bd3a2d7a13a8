/* The packet_outs of a bundle that is being committed. Control thread. */
#ifndef SRC_OPENFLOW_REQUESTS_BUNDLE_PACKETS_H
#define SRC_OPENFLOW_REQUESTS_BUNDLE_PACKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "src/openflow/codec/msg.h"

struct held_packet;
struct of_server;

struct of_bundle_packet {
    struct held_packet *held;
    const uint8_t *data; /* in the bundle's store */
    size_t len;
};

/* All zero = none. */
struct of_bundle_packets {
    struct of_bundle_packet *packets;
    size_t n, size, n_sent;
};

/* Frees the list; packets that were not sent are given up. */
void of_bundle_packets_free(struct of_bundle_packets *packets, struct of_server *server);
/* Decides what becomes of the packet. `out`, checked, points into what stays until it is sent. */
void of_bundle_packets_add(struct of_bundle_packets *packets, struct of_server *server,
                           const struct of_packet_out *out);
/* Counts the packets for their rules; to be called when the bundle is about to become visible. */
void of_bundle_packets_count(const struct of_bundle_packets *packets);
/* Sends the next packet, once the bundle is visible. False: there is none. */
bool of_bundle_packets_send(struct of_bundle_packets *packets, struct of_server *server);

#endif
