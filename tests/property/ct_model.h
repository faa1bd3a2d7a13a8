/* What connection tracking and address translation are to do, written for reading: a list of connections, numbers that
 * do not wrap, no sharing of code with pmd/ct/. */
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
    struct ct_spec reply; /* addresses and ports that packets of the other direction come with */
    uint8_t nat;          /* ct_state of the first direction's packets, translated: CT_STATE_SNAT, _DNAT or 0 */
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

/* A request in the units of struct ct_spec. */
struct model_request {
    struct ct_request base;
    uint32_t min_address, max_address; /* 0: it stays */
    uint16_t min_port, max_port;
};

/* What was found out about a packet before. */
struct model_before {
    uint8_t state;
    uint16_t zone;
    struct ct_spec first; /* of its connection */
};

/* Tracks a packet. Returns its ct_state; *connection: what it belongs to, or NULL. The packet, and what it quotes,
 * becomes what it is translated to. `seen`: what the tracker has made of it, or NULL if it found nothing free: where
 * the model has a choice it takes that. *fault: why it could not be right. */
uint8_t model_track(struct model *model, const struct model_request *request, struct ct_spec *packet,
                    const struct model_before *before, const struct ct_spec *seen, struct model_connection **connection,
                    const char **fault);
/* Which connection, and in which direction, a packet would be of. NULL: none. */
struct model_connection *model_find(struct model *model, uint16_t zone, const struct ct_spec *packet, int *direction);
void model_flush(struct model *model, uint16_t zone);
/* Forgets what has timed out. */
void model_expire(struct model *model);

#endif
