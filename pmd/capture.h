/* Captures: what comes in or goes out of a port, counted, and copied for whoever looks at it.
 *
 * A capture belongs to one port. Poll-mode threads walk the port's captures once a burst, after receiving and before
 * sending (struct port.asides). Packets that a filter lets through are counted, and their
 * first bytes are copied to a ring of slots of the thread's own, which one reader (any thread) empties. A full ring
 * loses copies, which is counted; nothing waits for the reader.
 *
 * On the way in a packet is seen as it was received, on the way out as it is handed to the port: also if the port then
 * drops it because its queue is full.
 */
#ifndef PMD_CAPTURE_H
#define PMD_CAPTURE_H

#include <rte_mbuf.h>
#include <stdbool.h>
#include <stdint.h>

#include "pmd/key.h"
#include "pmd/port.h"

enum capture_way { CAPTURE_IN, CAPTURE_OUT, CAPTURE_N_WAYS };

/* Longest part of a packet that is copied, bytes. */
#define CAPTURE_SNAPLEN_MAX 65535

struct capture_params {
    bool ways[CAPTURE_N_WAYS];
    struct flow_key value, mask; /* what parsing finds in a packet (FLOW_KEY_PACKET_LINES); mask all 0: every packet */
    uint32_t snaplen;            /* bytes copied of each packet, 0: packets are only counted */
    unsigned n_threads;          /* datapath_n_threads() */
};

struct capture_counts {
    struct {
        uint64_t packets, bytes; /* that passed the filter */
    } ways[CAPTURE_N_WAYS];
    uint64_t copied, lost; /* lost: no slot was free */
};

/* A copy, valid until capture_done(). */
struct captured {
    uint64_t tsc; /* when its burst was received, or handed to the port */
    enum capture_way way;
    uint32_t len;      /* bytes in data[] */
    uint32_t full_len; /* of the packet */
    const uint8_t *data;
};

struct capture;

/* Control thread. NULL: out of memory, or `snaplen` above CAPTURE_SNAPLEN_MAX. */
struct capture *capture_create(const struct capture_params *params);
/* No poll-mode thread can see it any more, no reader uses it. */
void capture_destroy(struct capture *capture);

/* Control thread. Between the two the port's packets are looked at; after the second, as soon as a token taken then has
 * passed, none is any more. */
void capture_attach(struct capture *capture, struct port *port);
void capture_detach(struct capture *capture);
/* False: it was detached, or its port removed from the datapath. Control thread. */
bool capture_attached(const struct capture *capture);
/* For who removes the port. Control thread. */
void capture_detach_all(struct port *port);

void capture_counts(const struct capture *capture, struct capture_counts *counts); /* any thread */

/* Gets memory for the slots before poll-mode threads need it, which would cost them time; takes a millisecond a thread.
 * Any thread but theirs, also while they fill slots. */
void capture_prefault(struct capture *capture);
/* The one reader: the oldest copy of `thread` that it has not taken. False: there is none. */
bool capture_next(struct capture *capture, unsigned thread, struct captured *copy);
void capture_done(struct capture *capture, unsigned thread);

/* Poll-mode threads. */
void capture_packets(const struct port *port, enum capture_way way, unsigned thread, struct rte_mbuf *const *packets,
                     unsigned n);

#endif
