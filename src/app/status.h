/* What the switch is doing, as snapshots of its objects: ports, bridges, mirrors, OpenFlow connections, poll-mode
 * threads, reasons of drops, tuples, tables. sluicectl's commands are renderers of these; so is what is written to a
 * database. Control thread only.
 *
 * A snapshot is taken when it is asked for and costs what it reads: the counters of a port are summed over the threads.
 * Strings in it are valid until the object changes, at most until the next turn of the event loop.
 */
#ifndef SRC_APP_STATUS_H
#define SRC_APP_STATUS_H

#include <rte_ether.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pmd/datapath.h"
#include "src/app/metric.h"
#include "src/openflow/server/server.h"
#include "src/proto/bfd.h"

struct bridge;
struct bridge_port;
struct sluice;

struct status_bridge {
    const char *name;
    uint64_t datapath_id;
    const char *fail_mode; /* "secure", "standalone" */
    bool learning;         /* acting as a learning switch */
    uint32_t ports, rules;
    uint64_t macs, tls_refused;
};

struct status_port {
    const char *bridge, *name;
    uint32_t ofport;             /* OFPORT_LOCAL, or 1 .. OFPORT_USER_MAX */
    const char *link;            /* "up", "down", "admin-down", "absent": there is no device */
    bool has_device, is_virtual; /* is_virtual: packets are sent to it within the switch: patch ports, tunnels */
    const char *peer;            /* of a patch port: the port at the other end; else NULL */
    const char *error;           /* what is wrong with it; NULL: nothing */
    bool lost;                   /* the kernel's interface is not there */
    bool admin_up, link_up;
    uint64_t link_resets; /* how often the link was seen to change */
    uint32_t speed_mbps;  /* 0: unknown */
    bool full_duplex;
    uint16_t mtu;
    struct rte_ether_addr mac;
    const char *ifname; /* of the kernel; "": none */
    int ifindex;        /* 0: none */
    char driver[32];    /* "": no device; "patch", "vxlan" ... */
    uint32_t index;     /* that keys have of it as in_port; 0: none */
    uint16_t rx_queues, tx_queues;
    int numa_node;
    uint64_t rx_packets, rx_bytes, rx_errors, rx_dropped;
    uint64_t tx_packets, tx_bytes, tx_errors, tx_dropped;
    uint64_t peer_faults;
    uint64_t drops[DROP_N_REASONS]; /* of the datapath */
    bool has_bfd;
    struct bfd_status bfd; /* if has_bfd */
    struct port *device;   /* NULL: none */
};

struct status_mirror {
    const char *bridge, *name;
    const char *output_port; /* NULL: it sends to output_vlan */
    int output_vlan;
    bool has_output; /* false: the bridge has no port of that name */
    uint64_t tx_packets, tx_bytes;
};

struct status_connection {
    const char *bridge;
    struct of_connection_info info;
    const char *kind;  /* "controller": configured; "listen": a controller that connected; "mgmt": a tool */
    bool is_connected; /* a version was agreed on */
    uint64_t seconds;  /* in this state */
};

struct status_thread {
    unsigned thread;
    struct pmd_stats stats;
};

/* Why packets are dropped, by all ports and threads. */
struct status_drop {
    const char *reason, *meaning;
    uint64_t packets;
};

/* Megaflows of one mask, which the classifier probes together. */
struct status_tuple {
    uint32_t tuple; /* its place among them */
    uint32_t megaflows;
    const char *mask; /* parts of the flow key: "in_port,eth_type,ipv4_dst/0xffffff00"; valid during the call */
};

/* What the switch has as a whole. */
struct status_tables {
    uint32_t megaflows, masks;
    uint64_t rules, rule_bytes;
};

/* Connection tracking. */
struct status_conntrack {
    uint32_t connections, max_connections;
    uint64_t made, ended, memory_bytes;
    uint64_t joined; /* datagrams in fragments that went on as one packet */
};

struct status_ct_zone {
    uint32_t zone, connections;
    uint32_t limit; /* 0: none */
};

/* Why packets are invalid, or connections are not made. */
struct status_ct_reason {
    const char *reason, *meaning;
    uint64_t packets;
};

void status_of_bridge(const struct bridge *bridge, struct status_bridge *status);
void status_of_port(const struct bridge_port *bp, struct status_port *status);
void status_of_thread(const struct sluice *sw, unsigned thread, struct status_thread *status);
void status_of_tables(const struct sluice *sw, struct status_tables *status);
void status_of_conntrack(const struct sluice *sw, struct status_conntrack *status);

/* Calls `fn` with a snapshot of each. `bridge` NULL: of all bridges. */
void status_for_each_bridge(const struct sluice *sw, void (*fn)(void *arg, const struct status_bridge *status),
                            void *arg);
void status_for_each_port(const struct sluice *sw, const char *bridge,
                          void (*fn)(void *arg, const struct status_port *status), void *arg);
void status_for_each_mirror(const struct sluice *sw, const char *bridge,
                            void (*fn)(void *arg, const struct status_mirror *status), void *arg);
void status_for_each_connection(const struct sluice *sw, const char *bridge,
                                void (*fn)(void *arg, const struct status_connection *status), void *arg);
void status_for_each_thread(const struct sluice *sw, void (*fn)(void *arg, const struct status_thread *status),
                            void *arg);
void status_for_each_drop(const struct sluice *sw, void (*fn)(void *arg, const struct status_drop *status), void *arg);
void status_for_each_tuple(const struct sluice *sw, void (*fn)(void *arg, const struct status_tuple *status),
                           void *arg);
/* Zones that have connections; each look takes some 50 us. */
void status_for_each_ct_zone(const struct sluice *sw, void (*fn)(void *arg, const struct status_ct_zone *status),
                             void *arg);
void status_for_each_ct_reason(const struct sluice *sw, void (*fn)(void *arg, const struct status_ct_reason *status),
                               void *arg);

/* --- numbers ------------------------------------------------------------- */

/* A kind of object with its numbers, for renderers that know none of them by name. */
struct status_kind {
    const char *name; /* "port" */
    const struct metric *metrics;
    size_t n_metrics;
    /* Each with the snapshot and, in the order of `labels`, what tells the object from others of its kind. */
    const char *labels[3];
    unsigned n_labels; /* 0: there is one object of the kind */
    void (*for_each)(const struct sluice *sw, void (*fn)(void *arg, const void *snapshot, const char *const *labels),
                     void *arg);
};

enum status_kinds {
    STATUS_BRIDGE,
    STATUS_PORT,
    STATUS_MIRROR,
    STATUS_CONNECTION,
    STATUS_THREAD,
    STATUS_DROP,
    STATUS_TUPLE,
    STATUS_TABLES,
    STATUS_CONNTRACK,
    STATUS_CT_ZONE,
    STATUS_CT_REASON,
    STATUS_N_KINDS
};
extern const struct status_kind status_kinds[STATUS_N_KINDS];

/* Calls `fn` for each pair of Open vSwitch's Interface.bfd_status. */
void status_bfd_pairs(const struct bfd_status *status, void (*fn)(void *arg, const char *key, const char *value),
                      void *arg);

/* Calls `fn` for what else the port's device counts, a guest's queues among them, under Open vSwitch's names. */
void status_port_device_counts(const struct status_port *status, port_count_fn *fn, void *arg);

/* Calls `fn` for each number of a port that a database keeps, under Open vSwitch's name, and for each reason for which
 * the datapath dropped packets of it ("sluice_drop_..."). */
void status_port_statistics(const struct status_port *status, void (*fn)(void *arg, const char *name, uint64_t value),
                            void *arg);

#endif
