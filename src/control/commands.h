/* The commands of the control socket, one file a subject. Each registers its own with the switch as argument.
 * Control thread. */
#ifndef SRC_CONTROL_COMMANDS_H
#define SRC_CONTROL_COMMANDS_H

#include "src/app/switch.h"
#include "src/net/control.h"

/* All of them; once the switch has its control socket and before its loop runs. */
void commands_register(struct sluice *sw);

void commands_register_ports(struct control *control, struct sluice *sw);       /* ports, bridges */
void commands_register_controllers(struct control *control, struct sluice *sw); /* controllers */
void commands_register_pmd(struct control *control, struct sluice *sw);         /* pmd, drops, caches */
void commands_register_flows(struct control *control, struct sluice *sw);       /* flows */
void commands_register_trace(struct control *control, struct sluice *sw);       /* ofproto/trace */
void commands_register_capture(struct control *control, struct sluice *sw);     /* capture/start, show, stop */
void commands_register_conntrack(struct control *control, struct sluice *sw);   /* conntrack, dpctl/ct-... */
void commands_register_fdb(struct control *control, struct sluice *sw);         /* fdb/ */
void commands_register_daemon(struct control *control, struct sluice *sw);      /* exit, reload, version, vlog/ */
void commands_register_dpctl(struct control *control, struct sluice *sw);       /* dpctl/, dpif/ */
void commands_register_dpif_netdev(struct control *control, struct sluice *sw); /* dpif-netdev/ */
void commands_register_upcall(struct control *control, struct sluice *sw);      /* revalidator/, upcall/ */
void commands_register_ofproto(struct control *control, struct sluice *sw);     /* bridge/, ofproto/list */
void commands_register_ct_flush(struct control *control, struct sluice *sw);    /* dpctl/flush-conntrack */
void commands_register_ct_limits(struct control *control, struct sluice *sw);   /* dpctl/ct-*-limits */
void commands_register_ct_timeouts(struct control *control, struct sluice *sw); /* dpctl/ct-*-default-timeout-policy */
void commands_register_ct_stats(struct control *control, struct sluice *sw);    /* dpctl/ct-stats-show, ct-bkts */
void commands_register_ipf(struct control *control, struct sluice *sw);         /* dpctl/ipf-* */
void commands_register_dpdk(struct control *control, struct sluice *sw);        /* dpdk/, netdev-dpdk/ */
void commands_register_bfd(struct control *control, struct sluice *sw);         /* bfd/ */
void commands_register_bond(struct control *control, struct sluice *sw);        /* bond/ */
void commands_register_lacp(struct control *control, struct sluice *sw);        /* lacp/ */
void commands_register_stp(struct control *control, struct sluice *sw);         /* stp/ */
void commands_register_memory(struct control *control, struct sluice *sw);      /* memory/, coverage/ */
void commands_register_metrics(struct control *control, struct sluice *sw);     /* metrics */
void commands_register_route(struct control *control, struct sluice *sw);       /* ovs/route/ */
void commands_register_neighbour(struct control *control, struct sluice *sw); /* tnl/neigh/, tnl/arp/, tnl/next-hops */
void commands_register_tunnel(struct control *control, struct sluice *sw);    /* tnl/ports/show, ofproto/list-tunnels */
void commands_register_qos(struct control *control, struct sluice *sw);       /* qos/show, qos/show-types */

/* The bridge that argv[i] names; with no such word, the only one. NULL: failed, and `reply` says why. */
struct bridge *command_bridge(struct sluice *sw, int argc, const char *const *argv, int i, struct control_reply *reply);

/* The datapath, by the name that Open vSwitch's has and tools know. */
#define COMMAND_DATAPATH "netdev@ovs-netdev"
bool command_is_datapath(const char *word);
/* Whether argv[i] is it, or is not given. Else `reply` says so. */
bool command_check_datapath(int argc, const char *const *argv, int i, struct control_reply *reply);
/* As command_check_datapath() of argv[1], with the words that scripts and tests know of Open vSwitch's dpctl/ct-*. */
bool command_check_tracker(int argc, const char *const *argv, struct control_reply *reply);

/* Takes a word that says which connections are meant into *match: zone=N, mark=X[/M], labels=X[/M], a tuple of the
 * packets that began them or, as the second one of *n_tuples, of their replies. False: failed, and `reply` says why. */
struct ct_match;
bool command_ct_match(const char *word, unsigned *n_tuples, struct ct_match *match, struct control_reply *reply);

/* What became of packets that were looked up, since the counters of the threads were cleared: found by a poll-mode
 * thread, sent to the control thread, lost on that way. */
struct command_lookups {
    uint64_t hit, missed, lost;
};
void command_lookups(const struct sluice *sw, struct command_lookups *sum);

/* The index of a port of the datapath, by its name or that number; false: not a port. `switch_` is the struct sluice: a
 * parser of ports for src/match/. */
bool command_port_index(void *switch_, const char *text, uint32_t *index);

/* A session of BFD; a new reference. */
struct bfd_status;
json_t *command_bfd_json(const struct bfd_status *status);

/* A bond; a new reference. */
json_t *command_bond_json(const struct lport *lport);

/* The number of a port, LOCAL as OpenFlow 1.0 numbers it: 65534. */
uint32_t command_ofport(const struct bridge_port *bp);

/* Removes all megaflows; `reply` comes when no packet is forwarded by them. */
void command_purge(struct sluice *sw, struct control_reply *reply);

#endif
