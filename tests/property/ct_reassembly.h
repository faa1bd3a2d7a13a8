/* What is to become of fragments, written for reading: datagrams in the order of their age, each a short list of what
 * is there of it. No sharing of code with pmd/ct/. */
#ifndef TESTS_PROPERTY_CT_REASSEMBLY_H
#define TESTS_PROPERTY_CT_REASSEMBLY_H

#include "tests/property/ct_model.h"

#define MODEL_FRAGMENTS 16 /* of one datagram */
#define MODEL_DATAGRAMS 1200

/* Fragments that agree in all of it are of one datagram. */
struct model_datagram_key {
    uint32_t ipv6, zone, proto; /* proto: IPv6: 0 */
    uint32_t src, dst, id, in_port, recirc_id;
};

struct model_fragment {
    struct model_datagram_key key;
    uint32_t start, len, ip_len;
    bool more;
    bool bad_header;            /* IPv4: the header's checksum is wrong */
    const void *of;             /* the caller's */
    struct model_before before; /* what was found out about it before */
};

struct model_datagram {
    struct model_datagram_key key;
    uint32_t deadline;
    bool refused;
    unsigned n;
    struct model_fragment fragments[MODEL_FRAGMENTS]; /* by `start` */
};

struct model_fragment_counters {
    unsigned accepted, completed, expired, small, overlapped, evicted;
};

struct model_reassembly {
    uint32_t now, max;
    uint32_t min[2]; /* IPv4, IPv6 */
    bool enabled[2];
    struct model_fragment_counters counters[2];
    unsigned ended[CT_N_FRAGMENT_ENDS]; /* fragments that are dropped, since the caller made these 0 */
    unsigned n;
    struct model_datagram datagrams[MODEL_DATAGRAMS]; /* the oldest first */
};

enum model_fate { FRAGMENT_WAITS, FRAGMENT_COMPLETES, FRAGMENT_INVALID };

/* A fragment comes. *why: it is invalid; *whole: what it completes, which is not there any more then. */
enum model_fate model_fragment(struct model_reassembly *model, const struct model_fragment *fragment,
                               enum ct_reason *why, struct model_datagram *whole);
/* What has timed out is dropped. */
void model_fragments_expire(struct model_reassembly *model);
/* How many wait. */
unsigned model_fragments_held(const struct model_reassembly *model);

#endif
