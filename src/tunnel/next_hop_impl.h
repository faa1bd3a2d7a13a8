/* What the files of next hops share. Control thread only. */
#ifndef SRC_TUNNEL_NEXT_HOP_IMPL_H
#define SRC_TUNNEL_NEXT_HOP_IMPL_H

#include "pmd/base/open_hash.h"
#include "src/bridge/bridge.h"
#include "src/loop/loop.h"
#include "src/tunnel/neighbour.h"
#include "src/tunnel/next_hop.h"

#define NEXT_HOP_CHANGES 64
#define NEXT_HOP_PORTS_CACHED 16

struct hop {
    struct next_hop pub; /* first */
    struct next_hop_query query;
    struct neighbour_watch watch;
    struct outlet *outlet;   /* that it leaves by; NULL: none */
    LIST_ENTRY(hop) here;    /* of those that leave by the same bridge */
    TAILQ_ENTRY(hop) node;   /* of all, the newest last */
    TAILQ_ENTRY(hop) recent; /* of all, that was asked for last is last */
    TAILQ_ENTRY(hop) todo;
    uint64_t found_ms;
    bool in_todo;
    bool doubtful; /* to be decided again */
    bool untold;   /* it has come out differently since the user was told last */
    uint16_t n_waiting;
    struct rte_mbuf **waiting; /* NULL: there are none */
};

/* A bridge that next hops may leave by. */
struct outlet {
    struct bridge_listener listener;
    struct next_hops *hops;
    struct bridge *bridge;
    LIST_HEAD(, hop) leaving;
    TAILQ_ENTRY(outlet) node;
};

/* What changed: an address within the prefix, or whatever has the device. */
struct next_hop_change {
    struct in6_addr prefix;
    uint8_t length;
    char device[IFNAMSIZ];
};

struct next_hop_changes {
    struct next_hop_change change[NEXT_HOP_CHANGES];
    unsigned n;
    bool all; /* there are too many to tell them apart */
};

/* The port of a device, as of the ports of then. */
struct cached {
    char device[IFNAMSIZ];
    uint64_t ports_changed;
    struct bridge_port *egress;
};

struct next_hops {
    struct routes *routes;
    struct neighbours *neighbours;
    struct next_hops_user user;
    struct routes_listener listener;
    struct loop_job job;
    struct open_hash by_query, by_id;
    TAILQ_HEAD(, hop) all, recent, todo;
    TAILQ_HEAD(, outlet) outlets;
    struct next_hop_changes noted, walked; /* since the walk began; that it is about */
    struct hop *walk;                      /* the next to look at; NULL: no walk */
    struct hop lost;                       /* has the packets whose next hop was forgotten */
    struct cached cached[NEXT_HOP_PORTS_CACHED];
    uint64_t ports_changed, last_id;
    uint16_t udp_first, udp_last;
    struct next_hops_stats stats;
};

/* --- next_hop_decide.c --------------------------------------------------- */

/* Decides the next hop, and watches the neighbour that it needs. */
void next_hop_decide(struct next_hops *hops, struct hop *hop);
/* As next_hop_decide(); tells the user if the next hop came out differently. */
void next_hop_decide_again(struct next_hops *hops, struct hop *hop);
void next_hop_end_watch(struct next_hops *hops, struct hop *hop);
void next_hop_leave_by(struct hop *hop, struct outlet *outlet);                             /* NULL: by none */
struct outlet *next_hops_outlet(const struct next_hops *hops, const struct bridge *bridge); /* NULL: not attached */

/* --- next_hop_changes.c -------------------------------------------------- */

void next_hops_note_route(void *hops, const struct routes_change *change);
bool next_hops_have_changes(const struct next_hop_changes *changes);
/* Goes through all next hops for the changes that were noted. False: there are none, of either. */
bool next_hops_begin_walk(struct next_hops *hops);
/* Looks at the next one, of a walk under way. */
void next_hops_walk_on(struct next_hops *hops);

/* --- next_hop.c ---------------------------------------------------------- */

/* Has the loop look at it. */
void next_hop_todo(struct next_hops *hops, struct hop *hop);
/* It is to be decided again. */
void next_hop_doubt(struct next_hops *hops, struct hop *hop);

#endif
