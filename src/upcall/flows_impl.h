/* What the files of this folder share. Control thread only. */
#ifndef SRC_UPCALL_FLOWS_IMPL_H
#define SRC_UPCALL_FLOWS_IMPL_H

#include <rte_cycles.h>

#include "src/upcall/change_batch.h"
#include "src/upcall/dep_index.h"
#include "src/upcall/deps.h"
#include "src/upcall/flows.h"
#include "src/upcall/mask_pool.h"
#include "src/upcall/rule_index.h"

/* The control side of one installed megaflow. */
struct mf_record {
    struct megaflow *mf;
    struct path *path;
    TAILQ_ENTRY(mf_record) path_node; /* in path->list[side]; of a removed one in flows->dying */
    struct mask_entry *mask;
    struct record_macs *macs;    /* NULL: NORMAL had no part in it */
    struct effects *effects;     /* NULL: none */
    struct megaflow_stats stats; /* that the path was credited with */
    uint64_t used_ms;            /* installed, if no packet came yet */
    uint64_t created_ms;
    uint64_t changes; /* flows->changes when it was last translated */
    uint64_t token;   /* removed: when it has passed, the counters are final */
    uint32_t id;
    uint16_t in_port_place; /* in_port_place() of what its key has */
    uint8_t side;
    bool untaught; /* packets were counted whose effects are to come */
};

/* Megaflows that misses were last resolved by. */
#define RECENT 8
struct recent {
    struct mf_record *record; /* NULL: unused */
    struct flow_key key;      /* masked */
};

/* A bridge that was attached. */
struct flows_bridge {
    struct bridge_listener listener;
    struct flows *flows;
    struct bridge *bridge;
    LIST_ENTRY(flows_bridge) node;
    /* While it is being forgotten: */
    enum { FORGET_PUNTS, FORGET_RECIRCS, FORGET_MEGAFLOWS } forgetting;
    uint32_t next_id; /* megaflows below are not the bridge's any more */
    uint64_t buried;  /* flows->n_buried when the last of them is; 0: not known yet */
};

enum ticket_phase { TICKET_SWEEP, TICKET_TODO, TICKET_TOKEN };

/* A barrier that waits: for the sweeps that were due, then for the megaflows marked by then, then for the datapath. */
struct ticket {
    STAILQ_ENTRY(ticket) node;
    uint64_t id;
    uint64_t need; /* sweep, todo or token to wait for, as `phase` says */
    enum ticket_phase phase;
};

struct flows {
    struct datapath *dp;
    struct flows_jobs *jobs; /* NULL: no event loop runs them */
    struct flows_params params;
    uint32_t limit; /* megaflows, at most params.megaflow_limit */
    bool waiting;   /* see flows_set_waiting() */
    struct program_table *programs;
    LIST_HEAD(, flows_bridge) bridges;
    packet_in_fn *packet_in;
    void *packet_in_arg;
    rule_gone_fn *rule_gone;
    void *rule_gone_arg;
    rule_triggered_fn *rule_triggered;
    void *rule_triggered_arg;
    rule_changed_fn *rule_changed;
    void *rule_changed_arg;
    uint64_t told_ms;              /* when told_left was last filled */
    uint32_t told_left;            /* messages to senders of packets that are too long, until then */
    struct neighbours *neighbours; /* NULL: nobody learns them */

    /* Megaflows. */
    struct mf_record **records; /* by megaflow id */
    uint32_t id_end;            /* ids from here on were never seen */
    uint32_t n_live, n_dying;
    uint64_t n_removed, n_buried; /* since the start */
    struct mf_records dying;      /* removed: first those with a token, then those without */
    struct mask_pool masks;
    struct dep_index deps;
    uint32_t evict_hand;
    uint64_t slow_ops;                /* of programs without megaflows: flows_set_slow_ops() */
    uint32_t evict_skip, evict_pause; /* refused misses that are left until the next look, and were after the last */
    bool said_full;                   /* that megaflow_limit was reached, and there has been no room since */
    struct recent recent[RECENT];
    unsigned recent_next;

    /* Paths. */
    struct path **paths;
    uint32_t n_path_buckets; /* power of two */
    TAILQ_HEAD(, path) credits;
    struct rule_indexes rule_indexes;

    /* Changes. */
    TAILQ_HEAD(, path) todo;
    uint64_t todo_seq;            /* last one given out */
    uint32_t marks_left;          /* until the next slice: see marks_take() */
    struct change_batch *pending; /* changes that wait for the next sweep */
    struct change_batch *active;  /* the sweep under way; NULL: none */
    uint64_t sweeps_done;         /* serial of the last batch worked off */
    uint32_t sweep_id;
    uint64_t sweep_started_ms, sweep_cycles;
    STAILQ_HEAD(, ticket) tickets;
    uint64_t ticket_last, ticket_settled;
    uint64_t changes; /* noted so far */
    uint64_t changes_at_ticket, changes_at_sweep;

    TAILQ_HEAD(, held_packet) held;                  /* packet-outs of bundles that are being committed, oldest first */
    uint64_t held_last;                              /* serial of the last one */
    TAILQ_HEAD(forgotten_list, forgotten) forgotten; /* numbers to be given back to the datapath */

    /* Counting, and what goes by it. */
    bool counting; /* a pass over all counters is under way */
    uint32_t count_id;
    uint64_t count_pass, count_wanted; /* begun so far; at least so many are to be */
    uint64_t count_started_ms, count_done_ms, count_due_ms, count_cycles;
    uint64_t count_idle_ms; /* of this pass: megaflows unused for so long go */
    bool sweeping_ids;      /* the pass marks the punt and recirculation ids in use, */
    bool freeing_ids;       /* and behind it those that are not go */
    bool triggering, expiring;
    bool settling; /* a pipeline has learned rules to take away */

    struct xlate_in in;
    struct xlate_out out;
    struct flows_stats stats;
};

/* A share of time. */
struct budget {
    uint64_t end_tsc;
};

static inline struct budget budget_start(uint64_t us)
{
    return (struct budget){.end_tsc = rte_rdtsc() + us * (rte_get_tsc_hz() / 1000000)};
}

static inline bool budget_spent(const struct budget *budget)
{
    return (int64_t)(rte_rdtsc() - budget->end_tsc) >= 0;
}

/* --- megaflows.c --------------------------------------------------------- */

/* Translates the packet or megaflow whose key is in flows->in.flow.pkt, into flows->out. Returns its bridge; NULL: the
 * port belongs to none. */
struct bridge *translate(struct flows *flows, bool side_effects);
/* Installs what flows->out says under flows->in.flow.pkt. Takes over one reference to `program` if it succeeds. NULL
 * and *error: -EEXIST, there is such a megaflow; else there is no room. */
struct mf_record *megaflow_add(struct flows *flows, struct program *program, int *error);
void megaflow_remove(struct flows *flows, struct mf_record *record);
/* Gives a reference back; the last one is freed when no thread can see the program. */
void program_put(struct flows *flows, struct program *program);
/* Ends the records of removed megaflows whose counters are final. */
void megaflows_bury(struct flows *flows);
/* Gives the megaflows that were removed since the last call their token. To be called before the datapath may reuse
 * ids. */
void megaflows_seal(struct flows *flows);

/* --- record.c ------------------------------------------------------------ */

/* Links a new megaflow to all that `deps` says it rests on, and takes over the references of its effects. */
void record_attach(struct flows *flows, struct mf_record *record, struct xlate_deps *deps);
/* Links a megaflow that was translated again to `deps` instead of what it rested on before. */
void record_move(struct flows *flows, struct mf_record *record, struct xlate_deps *deps);
/* Unlinks a megaflow that is removed from everything that leads to it. What it still counts goes to its path, until
 * record_end(). */
void record_detach(struct flows *flows, struct mf_record *record);
/* Frees a record whose counters are final. */
void record_end(struct flows *flows, struct mf_record *record);
/* Credits the path with what was counted since the last time, and keeps the MAC addresses it came from. Returns true if
 * there was something. */
bool record_count(struct flows *flows, struct mf_record *record);
/* `dep` is one of dep_is_of_record(). */
bool record_rests_on_mac(const struct mf_record *record, const struct xlate_dep *dep);
/* Are the addresses where the translation took them to be? If not, packets have to be seen, to be learned from. */
bool learned_holds(const struct xlate_deps *deps);

/* --- revalidate.c -------------------------------------------------------- */

bool changes_waiting(const struct flows *flows);
/* The changes that the next sweep will work off. */
struct change_batch *changes_pending(struct flows *flows);
/* May so many paths or megaflows be marked at once? If not, the sweep is to find them, which goes in slices. */
bool marks_take(struct flows *flows, uint32_t n);

/* --- effects.c ----------------------------------------------------------- */

/* Keeps what the translation in `deps` did to rules, so that effects_run() does it again for packets that the megaflow
 * took. Takes over the references of `deps`. */
void effects_keep(struct mf_record *record, struct xlate_deps *deps);
/* Does the effects of packets that were counted since the last time. Leaves a megaflow that is to be translated again
 * to effects_follow(), because what it rests on may be gone. */
void effects_run(struct flows *flows, struct mf_record *record);
/* Does the effects of the packets so far when the megaflow was translated again: those that are in `deps`, too, and of
 * the others those that need no rule to be made. Then keeps those of `deps`, as effects_keep() does. */
void effects_follow(struct flows *flows, struct mf_record *record, struct xlate_deps *deps);
/* Does the effects that need no rule to be made for the last packets of a removed megaflow, which were on their way. */
void effects_end(struct mf_record *record);
void effects_drop(struct mf_record *record);

/* --- ticket.c ------------------------------------------------------------ */

/* A change was noted: the next ticket is a new one. */
void tickets_note_change(struct flows *flows);
void tickets_advance(struct flows *flows);

/* --- forget.c ------------------------------------------------------------ */

typedef void forget_fn(struct datapath *dp, uint32_t number);
/* The port is being removed and the change was noted: its index is given back (datapath_port_forget) when no megaflow
 * and no packet-out that is held back names it. */
void forget_port(struct flows *flows, uint32_t index);
/* As forget_port(), for a meter that is gone with its rules. */
void forget_meter(struct flows *flows, uint32_t index);
/* Tells the datapath of numbers that nothing here names any more. */
void forgotten_advance(struct flows *flows);
void forgotten_free(struct flows *flows);

/* --- punts.c ------------------------------------------------------------- */

/* A packet that a program punted. Takes it over. */
void punt_handle(struct flows *flows, struct rte_mbuf *packet);
/* Writes to the key what the packet had as tunnel fields when it was punted. */
struct punt;
void punt_tunnel(const struct punt *punt, struct rte_mbuf *packet, struct flow_key *key);

/* --- packet_out.c -------------------------------------------------------- */

/* flows_receive() with what surrounds the packet besides its port. */
void packet_receive(struct flows *flows, const struct bridge_port *bp, struct rte_mbuf *packet, struct flow *around);
/* Translates a packet-out into flows->out; *in_port is the datapath's. False: it is no packet. */
bool packet_out_translate(struct flows *flows, struct bridge *bridge, struct rte_mbuf *packet,
                          const struct flow *around, const struct act_list *acts, bool side_effects, uint32_t *in_port);
/* The program of what was translated, with a reference for the caller; the packet counts for its rules. NULL: there is
 * none, and the packet is dropped. */
struct program *packet_out_program(struct flows *flows, struct rte_mbuf *packet);
/* By age, from 1. */
uint64_t held_packet_serial(const struct held_packet *held);
/* A bridge goes away that they may have gone through. */
void held_packets_forget_bridge(struct flows *flows, const struct bridge *bridge);
/* Says for each program that is held back which ids it has in use. */
void held_packets_mark(struct flows *flows, void (*mark)(const struct program *program));

/* --- jobs.c -------------------------------------------------------------- */

void flows_jobs_free(struct flows_jobs *jobs); /* NULL is allowed */

#endif
