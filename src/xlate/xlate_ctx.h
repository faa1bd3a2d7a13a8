/* The state of one xlate() call, which the files of this folder share; private to them.
 * Control thread.
 *
 * Three views of the packet are kept. `flow` is what the actions so far made of it. `base` is what the program so far
 * makes of it: the difference is written to the program before each output. `written` marks the bits of `flow` that no
 * longer come from the packet but from constants, or from bits that are in out->wc already: looking at them again makes
 * the megaflow no narrower.
 */
#ifndef SRC_XLATE_XLATE_CTX_H
#define SRC_XLATE_XLATE_CTX_H

#include "pmd/tunnel.h"
#include "src/bridge/bridge.h"
#include "src/match/field.h"
#include "src/xlate/recirc.h"
#include "src/xlate/xlate.h"

#define XLATE_STACK_MAX 64
#define XLATE_ACTION_SET_MAX 256
#define XLATE_TUNNELS_MAX 4 /* tunnels in tunnels */
#define XLATE_VLANS_MAX 6   /* tags that translation keeps track of; the key knows two */

/* A VLAN tag. Those that came with the packet have the ids 1 (outer) and 2, pushed ones have higher ids. */
struct xlate_vlan {
    uint32_t id;
    uint8_t src;        /* where bits that are not `written` come from: the packet's tag 1 or 2; 0 = nowhere */
    uint16_t tpid;      /* host order; 0 = as it came */
    rte_be16_t tci;     /* with VLAN_TCI_PRESENT */
    rte_be16_t written; /* as in xlate_ctx */
    rte_be16_t dirty;   /* written and not in the program yet */
};

struct xlate_vlans {
    unsigned n;
    unsigned n_taken;                       /* of the packet's own tags, how many were popped */
    struct xlate_vlan tag[XLATE_VLANS_MAX]; /* tag[n - 1] is the outermost */
};

/* A header was popped: what came to light is not known before the packet is parsed again. */
#define XLATE_UNPARSED_INNER 1 /* what is behind the VLAN tags, or more tags */
#define XLATE_UNPARSED_ETH 2   /* the Ethernet addresses, too */
/* ct(nat): what the datapath has made of IP addresses and ports is not known before the packet is parsed again. */
#define XLATE_UNPARSED_ADDRESSES 4

struct xlate_ctx {
    const struct xlate_in *in;
    struct xlate_out *out;
    struct bridge *bridge;
    bool entered;                      /* a table of `bridge` was looked up */
    uint16_t bridge_place;             /* in out->deps.bridges */
    bool elsewhere;                    /* the packet's datapath port is none of `bridge`'s, or not `entry` */
    uint32_t entry;                    /* OpenFlow port by which the packet came into `bridge` */
    const struct bridge *all_ports_of; /* out->deps has XLATE_DEP_PORTS of this bridge */

    struct flow flow;
    struct flow written;
    struct flow dirty; /* bits written since the last commit; VLAN tags apart */
    struct flow_key base;
    struct flow_key committed; /* bits of `base` that the program has set: known whatever the packet was */
    bool any_written, any_dirty;
    struct xlate_vlans vlans, base_vlans;
    uint32_t next_vlan_id;

    struct rule *rule; /* whose actions run; NULL: none's */
    uint64_t cookie;
    uint8_t table_id;
    unsigned depth, trace_depth, n_lookups;
    bool table_miss;    /* rule NULL: the actions, of before a recirculation, are those of the table-miss flow entry */
    bool exit;          /* no further actions; the action set still runs */
    bool no_set;        /* nor does that */
    bool in_set;        /* the action set runs */
    bool in_group;      /* a bucket's actions run */
    bool packet_out;    /* a controller's actions run, or what they led to */
    bool hashed;        /* dp_hash of the flow is what the next select group asked for */
    bool freeze_larger; /* freezing: the bit `larger_dst` of what returns says whether it is of more than larger_len
                           bytes */
    uint16_t larger_len;
    struct subfield larger_dst;
    bool freeze_hash; /* freezing: what returns is to have the hash of this basis */
    uint32_t freeze_basis;
    unsigned n_buckets_run, n_links; /* n_links: whose liveness was asked for */
    uint8_t unparsed;                /* XLATE_UNPARSED_* */
    uint32_t freeze_bond;            /* freezing: what returns is sent by a member of this bond; 0: it is not */
    uint32_t freeze_max_len;         /* ... or its first bytes, 0: all of it */
    bool freeze_entry;               /* freezing: what returns enters the bridge, as received by flow.in_port */
    bool freezing;                   /* the rest is done after recirculation: what returns appends itself to `frozen` */
    int goto_table;                  /* -1: none */

    const struct act *set[XLATE_ACTION_SET_MAX];
    unsigned n_set;
    union field_value stack[XLATE_STACK_MAX];
    unsigned n_stack;
    struct act_buffer frozen; /* actions still to be done, in segments: recirc.h */
    struct act_buffer paused; /* freezing: the controller action that the packet waits for; else empty */
    uint64_t paused_cookie;
    uint8_t paused_table_id;

    const struct bridge_port *tunnels[XLATE_TUNNELS_MAX]; /* whose outer packet `flow` is, innermost first */
    unsigned n_tunnels;

    uint32_t mirrored; /* mirrors of `bridge` that the packet went to, or another one that sends to the same place: none
                        * takes a packet twice, whatever becomes of it */

    bool untracked;  /* the packet's metadata may say that it is tracked, `flow` says it is not */
    bool ct_resumes; /* freezing: behind ct(table=...) */
    uint16_t ct_zone;

    uint32_t queue, base_queue; /* that the packet is sent by, and that the program so far has given it */

    uint32_t keep_len; /* of the program, up to the last operation that sends the packet somewhere */
    uint16_t keep_ops;
};

/* --- xlate.c ------------------------------------------------------------- */

/* Looks a table up and runs what it finds. `last`: nothing follows in the caller (for trace only). */
void xlate_table(struct xlate_ctx *ctx, uint8_t table_id, uint32_t in_port, bool last);
/* As xlate_table(), and the table sees the addresses, the protocol and the ports of the packet's connection, of the
 * direction that began it, in the place of its own. */
void xlate_table_by_connection(struct xlate_ctx *ctx, uint8_t table_id, uint32_t in_port, bool last);
/* All that a bridge does with a packet that has come into it: its tables from the first one on, and the action set. */
void xlate_bridge(struct xlate_ctx *ctx);
/* Stops; the packet is dropped under `reason`, whatever was decided before. */
void xlate_fail(struct xlate_ctx *ctx, enum drop_reason reason, const char *text);
/* Why the packet is dropped, if nothing else sends it anywhere: the first reason given counts. */
void xlate_why(struct xlate_ctx *ctx, enum drop_reason reason);
/* For trace; printf. The text brings its " -> " or " >> ". MAC addresses are written as Open vSwitch writes them. */
#define XLATE_MAC_FMT "%02x:%02x:%02x:%02x:%02x:%02x"
void xlate_note(struct xlate_ctx *ctx, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Did the packet come out of a tunnel? If not it has fields of one only where actions wrote them. */
static inline bool xlate_from_tunnel(const struct xlate_in *in)
{
    return in->flow.pkt.in_port >= TUNNEL_INDEX_FIRST;
}

/* The packet's mark, which counts from then on. */
uint32_t xlate_pkt_mark(struct xlate_ctx *ctx);
/* The port by which the packet came into the bridge; NULL: there is none. Its configuration counts from then on. */
const struct bridge_port *xlate_entry_port(struct xlate_ctx *ctx);
/* The port that actions have for the packet's in_port; as above. */
const struct bridge_port *xlate_in_port(struct xlate_ctx *ctx);

/* --- xlate_deps.c -------------------------------------------------------- */

void xlate_deps_reset(struct xlate_deps *deps);
/* Its place in deps->bridges. */
uint16_t xlate_deps_add_bridge(struct xlate_deps *deps, struct bridge *bridge);
/* `rule` NULL: none was hit. `trail`: what the search met. */
void xlate_deps_add_lookup(struct xlate_deps *deps, struct xlate_visit visit, struct rule *rule,
                           const struct conj_trail *trail);
void xlate_deps_add(struct xlate_deps *deps, const struct xlate_dep *dep);
void xlate_deps_add_crossing(struct xlate_deps *deps, uint16_t bridge, enum xlate_crossed what, uint32_t id);
void xlate_deps_add_group(struct xlate_deps *deps, struct group *group, uint32_t bucket);
/* The decision rests on {kind, the bridge that the packet is in, b}. */
void xlate_dep(struct xlate_ctx *ctx, enum xlate_dep_kind kind, uint64_t b);
void xlate_note_learned(struct xlate_ctx *ctx, const struct rte_ether_addr *mac, uint16_t vlan, uint32_t lport);
/* Rules may go while their actions run: holds on to all that this translation saw and will see. */
void xlate_pin_rules(struct xlate_ctx *ctx);
/* Takes over the reference to the effect's rule; its bridge is the one that the packet is in. */
/* How much there was at a point; what came behind it stays what the decision rests on, but no packet is counted there,
 * and nothing is taught. */
struct xlate_deps_point {
    unsigned n_rules, n_visits, n_groups, n_crossings, n_effects;
};
struct xlate_deps_point xlate_deps_point(const struct xlate_deps *deps);
void xlate_deps_uncount(struct xlate_deps *deps, const struct xlate_deps_point *point);
void xlate_add_effect(struct xlate_ctx *ctx, const struct xlate_effect *effect);

/* --- xlate_act.c --------------------------------------------------------- */

/* Runs a list. A goto_table in it ends up in ctx->goto_table. */
void xlate_acts(struct xlate_ctx *ctx, const struct act_list *list, bool last);

/* --- xlate_action_set.c -------------------------------------------------- */

/* Runs the packet's action set, and empties it. */
void xlate_action_set(struct xlate_ctx *ctx);
/* Brings the flow's actset_output, which lookups see, to the action set. */
void xlate_show_action_set(struct xlate_ctx *ctx);
/* Appends the `n` actions to `list` as an action set runs them: in the order of OpenFlow 1.3.5, 5.10, of one kind only
 * the last, and nothing at all if nothing of it sends the packet anywhere. */
void xlate_order_set(const struct act *const *set, unsigned n, struct act_buffer *list);

/* --- xlate_field.c ------------------------------------------------------- */

/* `bits` of the current flow were looked at. */
void xlate_consult(struct xlate_ctx *ctx, const struct flow *bits);
#define XLATE_CONSULT(ctx, member, bits) ((ctx)->out->wc.pkt.member |= (bits) & ~(ctx)->written.pkt.member)
void xlate_consult_bytes(struct xlate_ctx *ctx, size_t offset, size_t n); /* of struct flow_key */
/* Does the packet have the field, in a header that an operation can change? What that depends on is consulted. */
bool xlate_has_field(struct xlate_ctx *ctx, const struct field *field);
/* Writes `value` under `mask`, if the packet has the field. */
void xlate_set_field(struct xlate_ctx *ctx, const struct field *field, const union field_value *value,
                     const union field_value *mask);
/* Reads bits of the current packet, right-aligned, and notes them as consulted. */
void xlate_read_value(struct xlate_ctx *ctx, const struct subfield *src, union field_value *value);
/* Writes bits that are right-aligned in `value`; and a number. */
void xlate_write_value(struct xlate_ctx *ctx, const struct subfield *dst, const union field_value *value);
void xlate_write_number(struct xlate_ctx *ctx, const struct subfield *dst, uint32_t number);
/* The value of a subfield as a number (its low 32 bits); consulted. */
uint32_t xlate_read(struct xlate_ctx *ctx, const struct subfield *src);

/* --- xlate_vlan.c -------------------------------------------------------- */

void xlate_vlan_init(struct xlate_ctx *ctx);
/* Is there a tag? */
bool xlate_vlan_present(struct xlate_ctx *ctx);
/* VLAN id of the outermost tag, 0 if there is none; consulted. */
uint16_t xlate_vlan_vid(struct xlate_ctx *ctx);
void xlate_vlan_push(struct xlate_ctx *ctx, uint16_t tpid, rte_be16_t tci);
void xlate_vlan_pop(struct xlate_ctx *ctx);
/* Writes bits of the outermost tag, which must be there. */
void xlate_vlan_set(struct xlate_ctx *ctx, rte_be16_t tci, rte_be16_t mask);
/* As a write to NXM_OF_VLAN_TCI: setting or clearing VLAN_TCI_PRESENT adds or removes the tag. */
void xlate_vlan_set_tci(struct xlate_ctx *ctx, rte_be16_t tci, rte_be16_t mask);
/* Restores ctx->vlans from a copy. */
void xlate_vlan_restore(struct xlate_ctx *ctx, const struct xlate_vlans *saved);
void xlate_vlan_commit(struct xlate_ctx *ctx);
/* Puts the tags out of reach, because a new header hides them. */
void xlate_vlan_hide(struct xlate_ctx *ctx);

/* --- xlate_mpls.c -------------------------------------------------------- */

/* `ttl`: the label's if the packet has none to copy. */
void xlate_mpls_push(struct xlate_ctx *ctx, uint16_t eth_type, uint8_t ttl);
void xlate_mpls_pop(struct xlate_ctx *ctx, uint16_t eth_type);
/* `n` bytes of struct flow_key are in the packet as `flow` has them. */
void xlate_known(struct xlate_ctx *ctx, size_t offset, size_t n);
/* Everything behind the Ethernet type, labels and PBB tag apart, reads as 0, as the parser has it. */
void xlate_hide_inner(struct xlate_ctx *ctx);

/* --- xlate_commit.c ------------------------------------------------------ */

/* Brings the packet, as the program leaves it, to `flow`. */
void xlate_commit(struct xlate_ctx *ctx);
/* Adds an operation that sends the packet somewhere: the program is kept up to here. */
void xlate_emit(struct xlate_ctx *ctx, enum program_op_type type, uint32_t arg);

/* --- xlate_output.c ------------------------------------------------------ */

void xlate_output(struct xlate_ctx *ctx, uint32_t ofport, uint16_t max_len, bool last);
/* To one port, if it takes packets, or its first `max_len` bytes (0: all of it). Nothing else in the program sends a
 * packet to a port. */
void xlate_output_port(struct xlate_ctx *ctx, const struct bridge_port *bp, uint32_t max_len);
/* May a packet be sent to the port, as far as its configuration goes? */
bool xlate_port_sends(const struct bridge_port *bp);
/* Do the actions of a table-miss flow entry run? */
bool xlate_in_table_miss(const struct xlate_ctx *ctx);
void xlate_controller(struct xlate_ctx *ctx, uint8_t reason, uint16_t controller_id, uint16_t max_len);
/* controller(...): with its userdata, from the rule or bucket that runs. */
void xlate_controller_action(struct xlate_ctx *ctx, const struct act_controller *act);
/* As xlate_controller_action(), for any rule; `recirc_id`: the state to go on with once it resumes, 0: none. */
void xlate_punt(struct xlate_ctx *ctx, const struct act_controller *act, uint64_t cookie, uint8_t table_id,
                uint32_t recirc_id);

/* --- xlate_bond.c -------------------------------------------------------- */

/* Sends the packet, or its first `max_len` bytes (0: all of it), to a Port. VLAN tags are as they are to leave; `vlan`:
 * that the packet is in. */
void xlate_output_lport(struct xlate_ctx *ctx, const struct lport *to, uint16_t vlan, uint32_t max_len);
/* Goes on with a packet that was to have a hash first. */
void xlate_bond_resume(struct xlate_ctx *ctx, const struct recirc_state *state);
/* Could the Port send a packet, as far as its configuration goes, and its members' links if it is a bond? */
bool xlate_lport_sends(const struct lport *to);
/* The decision rests on all bonds of the bridge. */
void xlate_dep_bonds(struct xlate_ctx *ctx);
/* Whether the packet, which came by `bp`, is taken, as far as the port's bond is concerned, if it has one. */
bool xlate_bond_admits(struct xlate_ctx *ctx, const struct bridge_port *bp, uint16_t vlan);
/* Whether the packet, which came by the Port `in`, may come back over a bond and look as if its sender had moved there:
 * its address is not to move for a while. */
bool xlate_bond_may_return(struct xlate_ctx *ctx, const struct lport *in);

/* --- xlate_protocol.c ---------------------------------------------------- */

/* Whether a protocol that the switch speaks on the entry port takes the packet, before any table sees it. Then the
 * program sends the packet there. */
bool xlate_protocol(struct xlate_ctx *ctx);

/* --- xlate_queue.c ------------------------------------------------------- */

/* Brings the packet's queue to what actions made it. */
void xlate_queue_commit(struct xlate_ctx *ctx);
/* Gives an IP packet, which is about to be sent by the port, the DSCP of its queue there. True: it had another, which
 * is in *before, and gets that back by xlate_queue_unmark(). */
bool xlate_queue_mark(struct xlate_ctx *ctx, const struct bridge_port *bp, uint32_t *before);
void xlate_queue_unmark(struct xlate_ctx *ctx, uint32_t before);

/* --- xlate_mirror.c ------------------------------------------------------ */

/* The packet, as it is, came into the bridge by its entry port, or went out by `bp`: mirrors that want it get it. */
void xlate_mirror_received(struct xlate_ctx *ctx);
void xlate_mirror_sent(struct xlate_ctx *ctx, const struct bridge_port *bp);
/* Whether outputs of the bridge may be mirrored, so that what they look at is not only the port's matter. */
static inline bool xlate_has_mirrors(const struct xlate_ctx *ctx)
{
    return ctx->bridge->mirrors != NULL;
}

/* --- xlate_patch.c ------------------------------------------------------- */

/* What belongs to the bridge that the packet is in, and not to the packet. */
struct xlate_left {
    struct bridge *bridge;
    uint16_t bridge_place;
    bool elsewhere, entered, table_miss, in_set, packet_out, hashed;
    uint32_t entry;
    const struct bridge *all_ports_of;
    struct rule *rule;
    uint64_t cookie;
    uint8_t table_id;
    unsigned depth, trace_depth;
    uint32_t mirrored;
};

/* Goes on in the bridge of the port's peer. */
void xlate_patch(struct xlate_ctx *ctx, const struct bridge_port *from);
/* The steps of xlate_patch(): save what belongs to this bridge; within a clone, go on as received by `to`, without
 * registers, metadata, tunnel and action set; after the clone, restore what was saved. */
void xlate_leave_bridge(struct xlate_ctx *ctx, struct xlate_left *left);
void xlate_enter_bridge(struct xlate_ctx *ctx, const struct bridge_port *to);
void xlate_return_to_bridge(struct xlate_ctx *ctx, const struct xlate_left *left);

/* --- xlate_tunnel.c ------------------------------------------------------ */

/* Sends the packet, or its first `max_len` bytes (0: all of it), out by a tunnel port: on in the bridge that the outer
 * packet leaves by. */
void xlate_tunnel(struct xlate_ctx *ctx, const struct bridge_port *bp, uint32_t max_len);
/* The packet came in by a tunnel port. That of a port for both is a frame, or is seen as a packet without Ethernet
 * header.
 */
void xlate_tunnel_entered(struct xlate_ctx *ctx);
/* Whether the packet, sent to this port of the host's, ends here as a tunnel's outer packet. Then the program has the
 * inner one looked up. */
bool xlate_tunnel_ends(struct xlate_ctx *ctx, const struct bridge_port *bp);
/* A copy of the packet, which is sent to this port, goes to who learns where neighbours are, if it may say so. */
void xlate_tell_neighbours(struct xlate_ctx *ctx, const struct bridge_port *bp);

/* --- xlate_clone.c ------------------------------------------------------- */

struct xlate_clone {
    struct flow flow, written, dirty;
    struct flow_key base, committed;
    bool any_written, any_dirty, in_group, untracked;
    uint32_t queue, base_queue;
    uint8_t unparsed;
    struct xlate_vlans vlans, base_vlans;
    const struct act *set[XLATE_ACTION_SET_MAX];
    unsigned n_set;
    union field_value stack[XLATE_STACK_MAX];
    unsigned n_stack;
    struct act_buffer frozen;
    uint32_t at; /* where its operations begin in the program */
    uint16_t n_ops;
    uint32_t keep_len;
    uint16_t keep_ops;
};

/* Operations made between these two work on a copy of the packet; the copy's action set is empty. */
void xlate_clone_begin(struct xlate_ctx *ctx, struct xlate_clone *clone);
void xlate_clone_end(struct xlate_ctx *ctx, const struct xlate_clone *clone);

/* --- xlate_ct.c ---------------------------------------------------------- */

/* For trace: what goes on behind ct(table=...), as recirculation `id`. */
void xlate_ct_tell(struct xlate_ctx *ctx, uint32_t id);
/* The packet goes on in another bridge, which knows nothing of its connection. */
void xlate_ct_leave(struct xlate_ctx *ctx);
/* Brings the packet's metadata to what `flow` says of tracking, before they leave the program. */
void xlate_ct_settle(struct xlate_ctx *ctx);

/* --- xlate_freeze.c ------------------------------------------------------ */

/* Keeps what is left of a list, from `act` on, for after the recirculation. */
void xlate_freeze(struct xlate_ctx *ctx, const struct act *act, const struct act_list *list);
/* Keeps a select group, which is to be done behind the recirculation with the flow's hash of this basis. The caller
 * keeps what follows it. */
void xlate_freeze_group(struct xlate_ctx *ctx, const struct act *act, uint32_t basis);
/* controller(pause). */
void xlate_freeze_pause(struct xlate_ctx *ctx, const struct act_controller *act);
/* Keeps nothing but that the packet comes into the bridge, by the flow's in_port. */
void xlate_freeze_entry(struct xlate_ctx *ctx);
/* Brings the packet's mark to the flow's, before it leaves the program. */
void xlate_mark_settle(struct xlate_ctx *ctx);
/* What is known of the flow's tunnel: bits `set` of `tun`. The rest is what the packet has brought along. */
void xlate_save_tunnel(const struct xlate_ctx *ctx, uint8_t tun[RECIRC_TUN_LEN], uint8_t set[RECIRC_TUN_LEN]);
/* Ends the program with the recirculation, or with the way to the controller. */
void xlate_freeze_finish(struct xlate_ctx *ctx);
/* Goes on with a packet that was recirculated, or resumed by a controller. */
void xlate_thaw(struct xlate_ctx *ctx);

/* --- src/xlate/normal.c -------------------------------------------------- */

/* OFPP_NORMAL: a learning switch with VLANs. */
void xlate_normal(struct xlate_ctx *ctx);
/* Sends the packet, or its first `max_len` bytes (0: all of it), as one of VLAN `vlan` by a Port, or by all Ports that
 * `takes` is true of: with the tag that it has on each. The packet is as it was afterwards. */
void xlate_send_in_vlan(struct xlate_ctx *ctx, const struct lport *to, uint16_t vlan, uint32_t max_len);
typedef bool xlate_takes(const struct xlate_ctx *ctx, const struct lport *lport, uint16_t vlan);
void xlate_flood_in_vlan(struct xlate_ctx *ctx, uint16_t vlan, xlate_takes *takes, uint32_t max_len);
/* 01-80-C2-00-00-00 to -0F are not forwarded by a bridge (IEEE 802.1Q, 8.6.3). */
bool xlate_is_reserved(const struct rte_ether_addr *mac);

#endif
