/* A bridge: its ports, its MAC table, its pipeline. Control thread only.
 *
 * The bridge owns its ports' control side; the datapath owns the struct port once added. OpenFlow connections of a
 * bridge, misses and megaflows know of it by its events (bridge_events.h); it knows of none of them.
 */
#ifndef SRC_BRIDGE_BRIDGE_H
#define SRC_BRIDGE_BRIDGE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "pmd/datapath.h"
#include "pmd/port.h"
#include "src/bridge/bond.h"
#include "src/bridge/bridge_events.h"
#include "src/bridge/bridge_tunnel.h"
#include "src/bridge/lport.h"
#include "src/bridge/mac_table.h"
#include "src/bridge/mirror.h"
#include "src/bridge/patch.h"
#include "src/bridge/port_claim.h"
#include "src/bridge/port_kind.h"
#include "src/bridge/port_qos.h"
#include "src/bridge/port_vlan.h"
#include "src/loop/loop.h"
#include "src/tables/pipeline.h"

/* OFPPC_ and OFPPS_ bits as OpenFlow 1.3.5, 7.2.1. */
#define PORT_CONFIG_DOWN 0x01
#define PORT_CONFIG_NO_RECV 0x04
#define PORT_CONFIG_NO_FWD 0x20
#define PORT_CONFIG_NO_PACKET_IN 0x40
#define PORT_CONFIG_NO_FLOOD 0x80 /* OpenFlow 1.0 only, kept for all */
#define PORT_STATE_LINK_DOWN 0x01
#define PORT_STATE_BLOCKED 0x02
#define PORT_STATE_LIVE 0x04
/* OpenFlow 1.0.2, 5.2.1: OFPPS_STP_*. */
#define PORT_STATE_STP_LEARN 0x100
#define PORT_STATE_STP_FORWARD 0x200
#define PORT_STATE_STP_BLOCK 0x300
#define PORT_STATE_STP_MASK 0x300

/* What a port says of itself in LACP, if it is in an aggregation (src/agents/lacp_agent.h); 0: the default. */
struct bridge_port_lacp {
    uint16_t port_id, priority, key;
};

/* What a port is in its bridge's spanning tree (src/agents/stp_agent.h). */
struct bridge_port_stp {
    bool off;       /* it takes no part */
    uint8_t number; /* 0: any */
    uint8_t priority;
    uint16_t path_cost; /* 0: as its speed has it */
    uint32_t state;     /* bits of bp->state; 0: it takes no part */
};

/* An OpenFlow port. What is behind it, if anything, is a port of the datapath. */
struct bridge_port {
    struct bridge *bridge;
    struct lport *lport;
    enum bridge_port_kind kind;
    struct port *port; /* the device; NULL: could not be opened (yet), or the kind has none; number and name are kept */
    char name[PORT_NAME_MAX];
    uint32_t ofport; /* 1 .. OFPORT_USER_MAX, or OFPORT_LOCAL */
    uint32_t config; /* PORT_CONFIG_* */
    uint32_t state;  /* PORT_STATE_* */
    struct rte_ether_addr mac;
    uint64_t created_ms;
    uint64_t link_resets;         /* how often its link went up or down since */
    struct patch patch;           /* BRIDGE_PORT_PATCH */
    struct bridge_tunnel *tunnel; /* BRIDGE_PORT_TUNNEL */
    uint16_t mtu;                 /* as the device says; 0: it does not */
    uint16_t mtu_set;             /* by src/tunnel/port_mtu.h; 0: not yet */
    bool default_mtu;             /* it was given none */
    struct bridge_port_lacp lacp; /* what it is in LACP */
    struct bridge_port_stp stp;
    struct bridge_port_crossed crossed; /* bridge_port_is_virtual() */
    struct bridge_port_qos *qos;        /* NULL: none */
    LIST_HEAD(, port_claim) claims;
    TAILQ_ENTRY(bridge_port) node;
};

enum fail_mode { FAIL_SECURE, FAIL_STANDALONE };

/* What is done with IP fragments: OFPC_FRAG_* (OpenFlow 1.3.5, 7.3.2) and Nicira's OFPC_FRAG_NX_MATCH. */
#define BRIDGE_FRAG_NORMAL 0 /* tables see them without ports and ICMP type */
#define BRIDGE_FRAG_DROP 1
#define BRIDGE_FRAG_MATCH 3 /* tables see what the fragment has */

struct bridge {
    char name[PORT_NAME_MAX];
    uint64_t datapath_id;
    enum fail_mode fail_mode;
    struct datapath *dp;
    struct pipeline *pipeline;
    struct mac_table *macs;
    struct mac_table *buried_macs;               /* earlier ones, see mac_table_bury() */
    TAILQ_HEAD(bridge_ports, bridge_port) ports; /* by ascending ofport */
    TAILQ_HEAD(bridge_lports, lport) lports;     /* by ascending id */
    uint32_t n_ports, n_patches;
    uint32_t n_bonds_made;          /* since the bridge was made: lport_create_bond() */
    struct bridge_port **by_ofport; /* the ports but LOCAL, by number */
    uint32_t by_ofport_size;
    struct bridge_port *local;
    struct mirrors *mirrors; /* NULL: none */
    struct bridge_listeners listeners;
    struct loop_timer ageing; /* of addresses */
    struct loop_job reclaim;  /* of those that were flushed */
    void *owner;              /* whoever made the bridge: what belongs to it in that part of the program */
    struct port_mtu *mtus;    /* the same: what looks after MTUs; NULL: nothing does */
    bool of10_table_miss;     /* OpenFlow 1.0 (and ovs): packets that miss table 0 go to the controller; 1.3: dropped */
    uint16_t miss_send_len;
    uint16_t frag_mode;                /* BRIDGE_FRAG_*, get/set-config */
    bool forward_bpdu;                 /* NORMAL sends on what is for bridges: bridge_set_forward_bpdu() */
    char dp_desc[256], serial_num[32]; /* of OFPMP_DESC; "": the name, and "None" */
    TAILQ_ENTRY(bridge) node;
};

/* `dp` NULL: for tests; it has no meters then. */
struct bridge *bridge_create(const char *name, uint64_t datapath_id, struct datapath *dp);
/* Has `loop` age the bridge's addresses and free those that were flushed, until bridge_destroy(). */
void bridge_join_loop(struct bridge *bridge, struct loop *loop);
/* Removes its ports from the datapath and frees it. Nobody listens by then. Takes as long as it has rules and
 * addresses: while the switch runs, bridge_clear() comes first. */
void bridge_destroy(struct bridge *bridge);
/* Takes out about `most` rules, groups or addresses of a bridge whose pipeline nobody observes any more. True: nothing
 * is left. */
bool bridge_clear(struct bridge *bridge, unsigned most);
/* Frees about `most` addresses that were flushed. True: nothing is left to be freed. */
bool bridge_reclaim(struct bridge *bridge, unsigned most);
/* The MAC address of a LOCAL port without a device follows. */
void bridge_set_datapath_id(struct bridge *bridge, uint64_t datapath_id);
/* The address in the bridge's datapath ID. */
struct rte_ether_addr bridge_mac(const struct bridge *bridge);
/* Whether NORMAL sends on frames to the addresses that are reserved for bridges (IEEE 802.1Q-2018, table 8-1). */
void bridge_set_forward_bpdu(struct bridge *bridge, bool forward);
/* Another MAC table: an empty one of that size. */
void bridge_set_mac_table(struct bridge *bridge, uint32_t max_entries, uint32_t aging_s);

struct bridge_port_params {
    enum bridge_port_kind kind;
    const char *name;
    uint32_t ofport;
    struct port *port;            /* in the datapath already (port->index is set); NULL: see struct bridge_port */
    const char *peer;             /* BRIDGE_PORT_PATCH: the name of the other port */
    struct bridge_tunnel *tunnel; /* BRIDGE_PORT_TUNNEL; stays the caller's if the port is not added */
};
/* Adds a port, and a Port of its own; port->user points to the bridge_port from now on. Returns NULL and an error
 * sentence (static) in *error if the number or the name is taken. */
struct bridge_port *bridge_port_add(struct bridge *bridge, const struct bridge_port_params *params, const char **error);
/* Out of the bridge and the datapath; what was learned on it is forgotten. Frees `bp`. Its name, number and device may
 * be used again after a grace period; its index in the datapath only when nothing names it: who has megaflows of the
 * bridge calls datapath_port_forget(). */
void bridge_port_remove(struct bridge_port *bp);

struct bridge_port *bridge_port_by_ofport(const struct bridge *bridge, uint32_t ofport);
struct bridge_port *bridge_port_by_name(const struct bridge *bridge, const char *name);
/* Returns the bridge port, of whatever bridge, that keys have this index of as in_port; NULL: none. */
struct bridge_port *bridge_port_by_index(const struct datapath *dp, uint32_t index);
/* The inverse: of a device in the datapath, or of a tunnel; 0: no packet comes in by it. */
uint32_t bridge_port_index(const struct bridge_port *bp);

/* Reads the port's link and address again, and tells listeners if something changed. */
void bridge_port_update(struct bridge_port *bp);
/* Sets the bits `mask` of the port's configuration as in `config` (OFPT_PORT_MOD). */
void bridge_port_set_config(struct bridge_port *bp, uint32_t config, uint32_t mask);

/* Whether it has a link and nobody has switched it off; what protocols that speak on it go by. */
static inline bool bridge_port_is_up(const struct bridge_port *bp)
{
    return !(bp->state & PORT_STATE_LINK_DOWN) && !(bp->config & PORT_CONFIG_DOWN);
}

/* What the spanning tree says of the port: PORT_STATE_BLOCKED and PORT_STATE_STP_*. */
void bridge_port_set_stp(struct bridge_port *bp, uint32_t state);
/* May packets come in by it; or teach addresses at least? */
static inline bool bridge_port_forwards(const struct bridge_port *bp)
{
    return !(bp->state & PORT_STATE_BLOCKED);
}
static inline bool bridge_port_learns(const struct bridge_port *bp)
{
    return bridge_port_forwards(bp) || (bp->state & PORT_STATE_STP_MASK) == PORT_STATE_STP_LEARN;
}

/* Counters as OpenFlow wants them: device and datapath together. */
struct bridge_port_stats {
    uint64_t rx_packets, tx_packets, rx_bytes, tx_bytes, rx_dropped, tx_dropped, rx_errors, tx_errors;
    uint64_t peer_faults; /* connections of virtual machines that were closed for what they did wrong */
    uint64_t duration_ms;
};
void bridge_port_stats(const struct bridge_port *bp, struct bridge_port_stats *stats);

/* The number of a port that is given by name ("p1", "LOCAL", "NORMAL" ...) or number. False: it is neither. */
bool bridge_ofport_parse(void *bridge, const char *text, uint32_t *ofport);

#endif
