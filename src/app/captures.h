/* Captures of ports that an operator started: each with its filter, its counters and, if asked for, a file in pcap
 * format that a thread of its own writes, so that a slow disk holds up nothing else. Control thread.
 */
#ifndef SRC_APP_CAPTURES_H
#define SRC_APP_CAPTURES_H

#include <stdbool.h>
#include <stdint.h>

#include "pmd/capture.h"

struct bridge_port;
struct captures;
struct datapath;
struct loop;

#define CAPTURES_MAX 16

struct capture_request {
    bool ways[CAPTURE_N_WAYS];
    struct flow_key value, mask; /* as in struct capture_params */
    const char *filter;          /* the same as text, for people; "" = every packet */
    const char *file;            /* NULL: only count */
    uint32_t snaplen;            /* bytes of each packet in the file */
    uint64_t most;               /* packets in the file, after which the capture ends; 0: any number */
};

struct capture_info {
    unsigned id;
    const char *bridge, *port, *filter, *file; /* file: "" = none */
    bool ways[CAPTURE_N_WAYS];
    struct capture_counts counts;
    uint64_t written;  /* packets in the file so far */
    const char *state; /* "running", "stopping" or why it ended */
    bool ended;        /* the file is whole and closed */
};

struct captures *captures_create(struct loop *loop, struct datapath *dp);
/* Ends all, and waits for their files. Before the datapath is destroyed. */
void captures_destroy(struct captures *captures);

/* Returns the capture's id, from 1; 0 with a sentence in `error`. It stays listed when it ends by itself: because the
 * port was removed, the file has `most` packets or cannot be written to. */
unsigned captures_start(struct captures *captures, struct bridge_port *bp, const struct capture_request *request,
                        char *error, size_t error_size);
/* Has it end; captures_forget() may follow when it has. False: there is none of that id. */
bool captures_stop(struct captures *captures, unsigned id);
bool captures_find(struct captures *captures, unsigned id, struct capture_info *info); /* false: none */
/* Takes one that has ended off the list. */
void captures_forget(struct captures *captures, unsigned id);
/* The first after `id`, by number; false: none. */
bool captures_next(struct captures *captures, unsigned id, struct capture_info *info);

#endif
