/* Megaflows as the control side keeps them: misses are translated and installed, statistics flow back to rules, and
 * every change re-translates what it can affect. Control thread only.
 *
 * The promise to barriers: a change is noted by the observer of the bridge's pipeline or by the bridge's listener;
 * after flows_settled(flows, flows_ticket(flows)) returns true no packet is forwarded by what was valid before the
 * change.
 */
#ifndef SRC_UPCALL_FLOWS_H
#define SRC_UPCALL_FLOWS_H

#include <stdbool.h>
#include <stdint.h>

#include "pmd/datapath.h"
#include "src/bridge/bridge.h"
#include "src/xlate/xlate.h"

struct flows;
struct loop;
struct neighbours;
struct next_hops;
struct recirc;
struct tunnels;

struct flows_params {
    struct datapath *dp;
    uint32_t megaflow_limit;
    uint32_t mask_limit; /* tuples; translation's masks are widened (more bits) to stay below */
    uint32_t idle_ms;    /* a megaflow unused for so long is removed; default 10000 */
};

/* Where packets for controllers go (src/openflow). Takes `packet` over. */
struct packet_in {
    struct bridge *bridge;
    struct rte_mbuf *packet;
    struct flow flow; /* metadata of the pipeline at that point */
    uint8_t table_id;
    uint8_t reason; /* enum of_packet_in_reason */
    uint16_t max_len;
    uint16_t controller_id;
    uint16_t full_len;
    uint64_t cookie;
    const uint8_t *userdata; /* of controller(userdata); for the time of the call */
    size_t userdata_len;
    const struct recirc *left; /* controller(pause): what is to be done once it is resumed, for the time of the call */
};
typedef void packet_in_fn(void *arg, struct packet_in *packet_in);

struct flows *flows_create(const struct flows_params *params);
void flows_destroy(struct flows *flows);
void flows_set_packet_in(struct flows *flows, packet_in_fn *fn, void *arg);
/* Who gets PUNT_TO_NEIGHBOURS; NULL: nobody. */
void flows_set_neighbours(struct flows *flows, struct neighbours *neighbours);
/* While it waits, misses are dropped (DROP_FLOW_RESTORE_WAIT) and nothing is installed: the rules are not yet what they
 * were before a restart. Packet-outs are sent. */
void flows_set_waiting(struct flows *flows, bool waiting);
/* Megaflows from now on, and when one is idle, as in struct flows_params, whose megaflow_limit is the most that there
 * is memory for: -1 for a higher `limit`, and nothing is changed. Megaflows above a lower one go as they become idle.
 */
int flows_set_limits(struct flows *flows, uint32_t limit, uint32_t idle_ms);

/* --- what the event loop runs -------------------------------------------- */

/* Has `loop` run all of these as its jobs, until flows_destroy(). Returns 0, or -1 with errno. */
int flows_join_loop(struct flows *flows, struct loop *loop);

/* Gives about `budget` packets at most for protocols that the switch speaks itself to these (src/bridge/port_claim.h).
 * Returns how many there were (>= budget: there may be more). */
unsigned flows_run_protocols(struct flows *flows, unsigned budget);
/* Works off at most `budget` misses and punts. Returns how many there were (== budget: there may be more). */
unsigned flows_run_misses(struct flows *flows, unsigned budget);
/* Re-translates megaflows that changes may have affected, for at most about `budget_us`. True: nothing left. */
bool flows_run_revalidate(struct flows *flows, uint64_t budget_us);
/* Statistics, idle megaflows: a pass over all megaflows in slices of about `budget_us`. Knows when one is due. */
void flows_run_count(struct flows *flows, uint64_t budget_us);
/* Rules that go because what taught them is gone (pipeline_settle_step()). */
void flows_run_settle(struct flows *flows, uint64_t budget_us);
/* After a pass: rules that crossed a threshold of their statistics; rules whose timeout has come. Some of them a call.
 */
void flows_run_triggers(struct flows *flows);
void flows_run_expiry(struct flows *flows);

/* --- changes ------------------------------------------------------------- */

/* Follows the bridge from now on: listens to it and observes its pipeline, until flows_forget_bridge(). Right after
 * the bridge was made, before it has rules and ports. */
void flows_attach(struct flows *flows, struct bridge *bridge);
/* Before a bridge is destroyed, after its ports were removed: looks at `most` megaflows for those of the bridge, and
 * removes them. To be called until it returns true: none is left, nor does the datapath know one. Punts of the bridge
 * that are under way are dropped. */
bool flows_forget_bridge(struct flows *flows, struct bridge *bridge, unsigned most);
/* Sets the listener for flow_removed messages: called once the statistics of a removed rule are final. */
typedef void rule_gone_fn(void *arg, struct bridge *bridge, struct rule *rule, enum rule_removed_reason reason);
void flows_set_rule_gone(struct flows *flows, rule_gone_fn *fn, void *arg);

/* Sets the listener for rules that crossed a threshold of their statistics: called after a pass over all counters. */
typedef void rule_triggered_fn(void *arg, struct bridge *bridge, struct rule *rule);
void flows_set_rule_triggered(struct flows *flows, rule_triggered_fn *fn, void *arg);

/* Sets the listener for changes of rules: called at once. `reason` counts for removals only. */
enum flows_rule_change { FLOWS_RULE_ADDED, FLOWS_RULE_MODIFIED, FLOWS_RULE_REMOVED };
typedef void rule_changed_fn(void *arg, struct bridge *bridge, enum flows_rule_change change, struct rule *rule,
                             enum rule_removed_reason reason);
void flows_set_rule_changed(struct flows *flows, rule_changed_fn *fn, void *arg);

/* A ticket covers every change noted before it was drawn. */
uint64_t flows_ticket(struct flows *flows);
bool flows_settled(struct flows *flows, uint64_t ticket);

/* --- tunnels ------------------------------------------------------------- */

/* What translations know of tunnels from now on, and who else has to hear of it; NULL: there are none. */
void flows_set_tunnels(struct flows *flows, const struct tunnels *tunnels, struct next_hops *hops);
/* What src/tunnel/next_hop.h tells and asks its user: a next hop came out differently; does a megaflow depend on it?
 * And a packet that waited for one: it is sent, or waits again. Takes `packet` over. */
void flows_note_next_hop(struct flows *flows, uint64_t id);
bool flows_wants_next_hop(const struct flows *flows, uint64_t id);
void flows_go_on(struct flows *flows, struct rte_mbuf *packet);
/* The table of tunnel options (src/match/tlv_map.h) changed: the datapath knows the new one, and all is translated
 * again. */
void flows_note_tunnel_options(struct flows *flows);

/* --- for requests -------------------------------------------------------- */

/* Has the counters of all rules brought up to date, unless they are not older than `max_age_ms`, in slices of
 * flows_run_count(). Returns a pass, of which flows_counted() tells the end. */
uint64_t flows_count(struct flows *flows, uint64_t max_age_ms);
bool flows_counted(const struct flows *flows, uint64_t pass);
/* Runs `acts` on a packet (OFPT_PACKET_OUT). Takes `packet` over. `around`: in_port, and what else surrounds the
 * packet: metadata, registers, tunnel, marks; the rest is 0. */
void flows_packet_out(struct flows *flows, struct bridge *bridge, struct rte_mbuf *packet, const struct flow *around,
                      const struct act_list *acts);

/* Sends a packet that the switch made itself, for a protocol, out of a port: past the tables, as far as the port's
 * configuration lets it. Takes `packet` over. Other packets-out do not fill its way. */
void flows_send(struct flows *flows, const struct bridge_port *bp, struct rte_mbuf *packet);

/* Has a packet that the switch made itself come into the bridge of `bp`, as received from it. Takes `packet` over. */
void flows_receive(struct flows *flows, const struct bridge_port *bp, struct rte_mbuf *packet);

/* A packet-out of a bundle that is open: what becomes of it is decided now, by the tables as the bundle has left them
 * so far, and nothing is counted or learned. Takes `packet` over (NULL: there was no buffer for it). */
struct held_packet *flows_packet_out_hold(struct flows *flows, struct bridge *bridge, struct rte_mbuf *packet,
                                          const struct flow *around, const struct act_list *acts);
/* Counts the packet for its rules; to be called when the bundle is about to become visible. */
void flows_held_count(struct held_packet *held);
/* Sends `packet`, the one that was given to flows_packet_out_hold(), once the bundle is visible. Takes both over. */
void flows_held_send(struct flows *flows, struct held_packet *held, struct rte_mbuf *packet);
/* Frees a packet-out whose bundle was given up, instead of sending it. */
void flows_held_free(struct flows *flows, struct held_packet *held);

/* Goes on with a packet that waited for a controller: it is parsed anew, and what is left to do is done with the tables
 * of now. Takes `packet` over. `around` is as above; `left` holds the same metadata, but for pkt_mark. */
void flows_resume(struct flows *flows, struct bridge *bridge, struct rte_mbuf *packet, const struct flow *around,
                  const struct recirc *left);

/* An installed megaflow, for listings. */
struct megaflow_info {
    const struct megaflow *mf;
    const struct bridge *bridge; /* NULL: the port belongs to none */
    uint64_t created_ms;
    struct megaflow_stats stats;
};
/* Goes from megaflow to megaflow (of `bridge`, NULL: all), a few at a time if need be: *position is 0 at first, and
 * those that are there throughout are met once. Looks at no more than `most` places. Returns false at the end; info->mf
 * NULL: there was none in these places. */
bool flows_next_megaflow(struct flows *flows, const struct bridge *bridge, uint32_t *position, unsigned most,
                         struct megaflow_info *info);

/* Programs with one of these operations (bits 1 << enum program_op_type) get no megaflow from now on: the control
 * thread translates each packet that needs one, so what a megaflow does can be compared with that. Megaflows that are
 * there stay until they are translated again, or purged. */
void flows_set_slow_ops(struct flows *flows, uint64_t ops);
uint64_t flows_slow_ops(const struct flows *flows);
bool flows_is_slow(const struct flows *flows, const struct program_builder *program);

/* Removes the megaflows in at most `most` places from *position (0 at first) on. False: that was all. */
bool flows_purge(struct flows *flows, uint32_t *position, unsigned most);

struct flows_stats {
    uint64_t misses, installed, duplicates, punts, packet_ins, packet_outs, protocol_sent;
    uint64_t revalidated, changed, deleted_changed, deleted_idle, evicted, evict_looked, refused_limit, masks_merged;
    uint64_t translations, translate_cycles;
    uint32_t n_megaflows, n_masks, n_programs, pending_changes, n_rule_indexes;
    uint64_t rules_indexed, rule_index_bytes;
    uint32_t n_megaflows_mean, n_megaflows_most; /* at the passes over all counters; the mean of the last few */
    uint32_t pass_ms;                            /* that the last of them took */
};
void flows_get_stats(const struct flows *flows, struct flows_stats *stats);

#endif
