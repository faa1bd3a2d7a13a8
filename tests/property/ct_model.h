/* What connection tracking is to do, written for reading: a list of connections, numbers that do not wrap, no sharing
 * of code with pmd/ct/. */
#ifndef TESTS_PROPERTY_CT_MODEL_H
#define TESTS_PROPERTY_CT_MODEL_H

#include "tests/lib/ct_bed.h"

#define MODEL_CONNECTIONS 4096
#define MODEL_ZONES 4

struct model_side {
    int phase; /* 0 silent, 1 sent, 2 established, 3 closing, 4 closed, 5 reset */
    int scale; /* -1: none, -2: unknown */
    int64_t next, limit, window;
    bool limited; /* limit is known */
};

struct model_connection {
    uint16_t zone;
    struct ct_spec first; /* the packet that began it */
    uint32_t deadline;
    uint32_t mark;
    uint8_t label[CT_LABEL_LEN];
    struct model_side side[2]; /* TCP */
    bool answered, twice;      /* others: a packet came back; a second one came */
    bool ended;                /* SCTP */
    uint32_t tag[2];           /* SCTP: of packets of each direction; 0: not known */
};

struct model {
    uint32_t now;
    unsigned n;
    uint32_t limit[MODEL_ZONES];
    struct model_connection connections[MODEL_CONNECTIONS];
};

/* Tracks a packet. Returns its ct_state; *connection: what it belongs to, or NULL. */
uint8_t model_track(struct model *model, const struct ct_request *request, const struct ct_spec *packet,
                    struct model_connection **connection);
/* Which connection, and in which direction, a packet would be of. NULL: none. */
struct model_connection *model_find(struct model *model, uint16_t zone, const struct ct_spec *packet, int *direction);
void model_flush(struct model *model, uint16_t zone);
/* Forgets what has timed out. */
void model_expire(struct model *model);

#endif
