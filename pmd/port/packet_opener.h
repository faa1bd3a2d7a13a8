/* Opens and closes the rings of packet sockets, and asks for what takes the RTNL lock, without waiting for the kernel,
 * which takes long for all of it (pmd/port/worker.h). At the end of the process what is being closed is waited for, as
 * the kernel would close it one by one. Control thread.
 */
#ifndef PMD_PORT_PACKET_OPENER_H
#define PMD_PORT_PACKET_OPENER_H

#include <stdbool.h>
#include <stdint.h>

#include "pmd/port.h"
#include "pmd/port/interface.h"
#include "pmd/port/packet_socket.h"

/* Rings of one interface that are being opened. */
struct packet_opening;

struct packet_opened {
    int error;                    /* 0, or a negative errno: no rings */
    unsigned n;                   /* rings */
    struct interface_facts facts; /* also with an error */
    struct packet_ring rings[PORT_QUEUES_MAX];
};

/* Reads facts of the interface and opens `n` rings, as packet_ring_open(), the first promiscuously, and spreads what
 * comes over them; 0: only facts. port_notify(port) tells that it is done. NULL: out of memory. */
struct packet_opening *packet_opening_start(struct port *port, int ifindex, uint16_t mtu, unsigned n);

/* False: not done yet. Else `opening` is gone, and the rings are the caller's. */
bool packet_opening_finish(struct packet_opening *opening, struct packet_opened *opened);

/* Nobody wants them any more. */
void packet_opening_abandon(struct packet_opening *opening);

/* packet_ring_close(), and close() of a sender, without waiting. */
void packet_ring_close_later(struct packet_ring *ring);
void packet_sender_close_later(int fd);

#endif
