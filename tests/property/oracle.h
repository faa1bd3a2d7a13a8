/* What the rules say a packet should become, worked out the plain way: no masks, no programs, no caches.
 *
 * It shares nothing with translation but the table of fields (field_get, field_set, prerequisites) and match_hits().
 */
#ifndef TESTS_PROPERTY_ORACLE_H
#define TESTS_PROPERTY_ORACLE_H

#include "src/bridge/bridge.h"
#include "src/actions/act.h"
#include "src/match/field.h"

#define ORACLE_RULES 256
#define ORACLE_TAGS 8
#define ORACLE_SENT 64
#define ORACLE_CONJUNCTIONS 3 /* ids 1 to that */
#define ORACLE_HIDDEN 4
#define ORACLE_BRIDGES 3

struct oracle_rule {
    bool used;
    const struct bridge *bridge;
    uint8_t table_id;
    uint16_t priority;
    uint64_t cookie;
    struct match match;
    struct act_buffer acts;
};

/* A frame that a PBB header hides: the key is only what is in the frame. */
struct oracle_frame {
    struct flow_key key;
    rte_be16_t tags[ORACLE_TAGS];
    unsigned n_tags;
};

/* A packet as the actions see it: its tags apart, outermost first. */
struct oracle_packet {
    struct flow flow;
    rte_be16_t tags[ORACLE_TAGS];
    unsigned n_tags;
    struct oracle_frame hidden[ORACLE_HIDDEN]; /* hidden[n_hidden - 1] is the next to come to light */
    unsigned n_hidden;
};

struct oracle_sent {
    uint32_t port; /* index in the datapath; OFPORT_CONTROLLER: a packet-in */
    const struct bridge *bridge;
    uint8_t reason, table_id;
    uint64_t cookie;
    struct oracle_packet packet;
};

/* Groups 1 to ORACLE_GROUPS, of the first bridge; type as struct group has it. */
#define ORACLE_GROUPS 5
#define ORACLE_BUCKETS 3
struct oracle_group {
    uint8_t type;
    unsigned n_buckets;
    uint32_t watch_port[ORACLE_BUCKETS];
    struct act_buffer acts[ORACLE_BUCKETS];
};

/* Mirrors of each bridge, in the order in which they take a packet. Bits of OpenFlow ports below 32. */
#define ORACLE_MIRRORS 3
struct oracle_mirror {
    bool all;
    uint32_t src, dst;
    int vlan;     /* -1: any */
    uint32_t out; /* OpenFlow port; 0: out_vlan */
    uint16_t out_vlan;
};

struct oracle_mac {
    const struct bridge *bridge;
    struct rte_ether_addr mac;
    uint16_t vlan;
    uint32_t ofport;
};

struct oracle {
    const struct bridge *bridges[ORACLE_BRIDGES]; /* for their ports */
    unsigned n_bridges;
    struct oracle_rule rules[ORACLE_RULES];
    struct oracle_group groups[ORACLE_GROUPS + 1];
    struct oracle_mac macs[1024];
    unsigned n_macs;
    struct oracle_mirror mirrors[ORACLE_BRIDGES][ORACLE_MIRRORS];
    /* Of the packet in hand. */
    const struct bridge *bridge; /* that it is in */
    unsigned depth, n_patched;   /* patch ports that it came through, that it went through at all */
    struct oracle_packet p;
    uint32_t mirrored;   /* mirrors of `bridge` that took it */
    unsigned n_mirrored; /* that took it at all */
    const struct act *set[64];
    unsigned n_set;
    union field_value stack[64];
    unsigned n_stack;
    bool exit, no_set;
    uint8_t table_id;
    uint64_t cookie;
    bool table_miss_rule;
    struct oracle_sent sent[ORACLE_SENT];
    unsigned n_sent;
    bool in_group;
    bool overflow; /* more was sent, tags pushed, bridges gone through than there is room for: no verdict */
    bool selected; /* a select group was to choose: no verdict */
};

/* A key without what surrounds the packet, and without tags. */
struct flow_key oracle_bare_key(const struct flow_key *key);
/* Runs the packet through table 0 of the bridge; afterwards sent[] says where it went. */
void oracle_run(struct oracle *oracle, const struct bridge *bridge, const struct oracle_packet *packet);

#endif
