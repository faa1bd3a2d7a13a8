/* Translation: walks the tables for one packet and says what the datapath should do with all packets like it.
 *
 * Pure but for the side effects that are asked for. Control thread only.
 */
#ifndef SRC_XLATE_XLATE_H
#define SRC_XLATE_XLATE_H

#include <stdbool.h>
#include <stdint.h>

#include "pmd/drop.h"
#include "pmd/program.h"
#include "src/actions/act.h"
#include "src/match/flow.h"
#include "src/tables/conjunction.h"
#include "src/tables/pipeline.h"

struct bridge;
struct neighbours;
struct next_hops;
struct recirc;
struct tunnels;

#define XLATE_MAX_DEPTH 64       /* nested resubmits */
#define XLATE_MAX_RESUBMITS 4096 /* in one translation */
#define XLATE_MAX_RULES 4096

/* Told what happens, for ofproto/trace. Depth = nesting of resubmits that something follows: a table that is entered by
 * the last action is at the depth of that action. Texts as OVS's trace has them: print an action at 4 + 8 * depth
 * columns, a note at the same (it brings its " -> " or " >> "), a table ("%2d. " and its match) 8 columns to the left
 * of its actions if it is deeper than what was told before it, else 4. */
struct xlate_trace {
    void *arg;
    /* rule NULL: no match. */
    void (*table)(void *arg, unsigned depth, uint8_t table_id, const struct rule *rule, const struct flow *flow);
    void (*action)(void *arg, unsigned depth, const char *text); /* one action: "output:2", "resubmit(,1)" */
    void (*note)(void *arg, unsigned depth, const char *text);   /* " -> forwarding to learned port" */
    /* The packet goes on into this bridge, at depth 0; its tables follow, and then what follows in the bridges before.
     * NULL: not told. */
    void (*bridge)(void *arg, const struct bridge *bridge);
    /* ct(table=...): a copy of the packet goes on in `bridge` as `flow`, whose recirc_id and ct_zone are set. NULL: not
     * told. */
    void (*fork)(void *arg, struct bridge *bridge, const struct flow *flow);
    void (*action_set)(void *arg); /* "--. Executing action set:"; its actions follow as action() of depth 0 */
};

/* One lookup in a table. */
struct xlate_visit {
    uint8_t table_id;
    bool rewritten; /* packet fields (or the in_port) had been changed before this lookup */
    bool has_rule;
    bool uncounted;    /* a part of the lookup that follows, a conjunction; or done again behind a recirculation */
    uint16_t priority; /* of the rule hit */
    uint16_t bridge;   /* whose table: a place in deps->bridges */
};
_Static_assert(sizeof(struct xlate_visit) == 8, "without padding: paths compare them as bytes");

struct xlate_in {
    struct bridge *bridge;
    struct flow flow;     /* pkt, in_port (OpenFlow) set, the rest 0; a recirc_id brings its own metadata */
    bool side_effects;    /* learn MAC addresses */
    struct act_list acts; /* acts.acts: run these instead of looking up table 0 (packet-out) */
    /* Not NULL: go on with this; of its state, what surrounds the packet is in `flow` as well. */
    const struct recirc *resume;
    const struct xlate_trace *trace;
    const struct tunnels *tunnels;       /* NULL: there are none */
    struct next_hops *hops;              /* NULL: there is no way for outer packets */
    const struct neighbours *neighbours; /* NULL: nobody learns them */
    /* The packet came into another bridge, and was recirculated in this one: flow.in_port is a port of `bridge`, and
     * flow.pkt.in_port is not the port of that number. */
    bool elsewhere;
};

/* What is to be counted on a group that the packet went through. */
struct xlate_group {
    struct group *group;
    uint32_t bucket; /* its index, or one of these */
};
#define XLATE_GROUP_ITSELF UINT32_MAX      /* the packet came to it */
#define XLATE_GROUP_LATER (UINT32_MAX - 1) /* nothing: the bucket is chosen behind a recirculation */

/* What a packet does to rules; done again for the packets that the megaflow took, as long as it lives. */
enum xlate_effect_type {
    EFFECT_LEARN,       /* `rule` is taught: one of its own, in no table */
    EFFECT_FIN_TIMEOUT, /* `rule` gets shorter timeouts */
};
struct xlate_effect {
    struct bridge *bridge; /* whose rules */
    uint8_t type;          /* enum xlate_effect_type */
    bool refused;          /* EFFECT_LEARN: there was no room */
    uint16_t idle_s, hard_s;
    uint32_t limit;
    struct rule *rule; /* referenced */
};

/* What else the decision rests on: {kind, a, b}. When it changes, the megaflow is translated again. */
enum xlate_dep_kind {
    XLATE_DEP_PORT,      /* of bridge a, OpenFlow port b: whether there is one, its configuration, its VLANs */
    XLATE_DEP_LINK,      /* of bridge a, OpenFlow port b: whether there is one that is live */
    XLATE_DEP_LINKS,     /* of bridge a: what XLATE_DEP_LINK says of each of its ports */
    XLATE_DEP_GROUP,     /* of bridge a, group b: whether there is one, and its buckets */
    XLATE_DEP_PORTS,     /* of bridge a: which ports it has, and what XLATE_DEP_PORT says of each of them */
    XLATE_DEP_MAC,       /* of bridge a: where address b is, an xlate_mac_number() */
    XLATE_DEP_BOND,      /* of bridge a: what the bond that is Port b does with packets (src/bridge/bond.h) */
    XLATE_DEP_NEXT_HOP,  /* what the next hop number b of tunnels is (src/tunnel/next_hop.h); a is NULL */
    XLATE_DEP_NO_BRIDGE, /* the port belongs to no bridge; a and b are 0 */
};
struct xlate_dep {
    enum xlate_dep_kind kind;
    const void *a;
    uint64_t b;
};

static inline uint64_t xlate_mac_number(const struct rte_ether_addr *mac, uint16_t vlan)
{
    uint64_t number = vlan;

    for (unsigned i = 0; i < RTE_ETHER_ADDR_LEN; i++)
        number = number << 8 | mac->addr_bytes[i];
    return number;
}

/* NORMAL took the address to be on this Port: a packet that comes when that is no longer so has to be seen, so that it
 * is learned again. */
struct xlate_learned {
    struct bridge *bridge;
    uint32_t lport;
    uint16_t vlan;
    struct rte_ether_addr mac;
};

/* What the packet went through that is counted here alone: a port that has no device, of a patch or a tunnel; a bucket
 * of a bond; a mirror. */
enum xlate_crossed { XLATE_CROSSED_TX, XLATE_CROSSED_RX, XLATE_CROSSED_BOND, XLATE_CROSSED_MIRROR };
struct xlate_crossing {
    uint16_t bridge; /* whose: a place in deps->bridges */
    uint16_t what;   /* enum xlate_crossed */
    /* The port's OpenFlow number, (id of the bond - LPORT_BOND_FIRST) << 8 | bucket, or struct mirror.id. */
    uint32_t id;
};

/* What the decision depended on, beyond the packet's bits in `wc`. The arrays are kept from one translation into the
 * same xlate_out to the next. */
struct xlate_deps {
    struct bridge **bridges; /* that the packet went through; first the one it came to; empty: there is none */
    unsigned n_bridges, bridges_size;
    struct rule **rules; /* that were hit, in order of their first hit, no duplicates; no references taken */
    unsigned n_rules, rules_size;
    /* Clauses of conjunctions that lookups met: they count no packets. As above, but for duplicates. */
    struct rule **clauses;
    unsigned n_clauses, clauses_size;
    struct xlate_visit *visits; /* one for each lookup, in order: for deciding whether a new rule could change it */
    unsigned n_visits, visits_size;
    struct xlate_group *groups; /* in order; no references taken */
    unsigned n_groups, groups_size;
    struct xlate_dep *others; /* no duplicates */
    unsigned n_others, others_size;
    struct xlate_learned *learned; /* no address twice */
    unsigned n_learned, learned_size;
    struct xlate_crossing *crossings; /* in order */
    unsigned n_crossings, crossings_size;
    bool no_news; /* something that it rests on is not there, and nobody tells when it is */
    struct xlate_effect *effects;
    unsigned n_effects, effects_size;
    bool changed_rules; /* the packet taught something new: what was looked up may be different now */
    bool pinned;        /* there is a reference to each of the rules and clauses */
};

struct xlate_out {
    struct flow wc;                 /* consulted bits of the original packet: wc.pkt is the megaflow's mask */
    struct program_builder program; /* in_port and recirc_id are always in wc */
    struct flow final;              /* the flow after all actions, for trace */
    struct xlate_deps deps;
    struct conj_trail trail;      /* of the last lookup */
    enum drop_reason drop_reason; /* why, if the program sends the packet nowhere */
    uint64_t waits_for;           /* not 0: the packet, or a copy, waits for this next hop (src/tunnel/next_hop.h) */
    bool error;                   /* too deep, too long: the packet is to be dropped under drop_reason */
};

/* Once, then any number of translations into it (each starts it anew), then xlate_out_free. */
void xlate_out_init(struct xlate_out *out);
void xlate_out_free(struct xlate_out *out);
/* The packet's port belongs to no bridge: a program that drops it, and what that depends on. */
void xlate_no_bridge(struct xlate_out *out);
void xlate(const struct xlate_in *in, struct xlate_out *out);

#endif
