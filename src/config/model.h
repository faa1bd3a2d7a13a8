/* The configuration model: what the operator wants the switch to be, independent of where that was written down.
 *
 * A source (src/config/json.h today) fills a model; config_verify() (src/config/verify.h) checks it as a whole; whoever
 * applies it compares it with what runs and changes only the difference. Control thread only. A model owns everything
 * it points to; config_free() releases all of it. Ranges and defaults are in the key table (src/config/keys.c) and
 * nowhere else.
 */
#ifndef SRC_CONFIG_MODEL_H
#define SRC_CONFIG_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pmd/ct_timeouts.h"

enum {
    CONFIG_UNUSABLE = -2,  /* while a source is read: given, but not usable (and reported); never in a finished model */
    CONFIG_CORE_NONE = -1, /* control.core: not pinned */
    CONFIG_TAG_NONE = -1,  /* port tag: not given */
    CONFIG_INHERIT = -1,   /* a controller's limits: the bridge's */
    CONFIG_CONTROLLERS_MAX = 64, /* of a bridge */
    CONFIG_MIRRORS_MAX = 32,     /* likewise */
    CONFIG_QUEUE_MAX = 61439,    /* highest number of a queue */
    CONFIG_OFPORT_MAX = 0xfeff,  /* highest number an operator may give (OpenFlow 1.0 has 16-bit port numbers) */
    CONFIG_OFPORT_LOCAL = 65534, /* "LOCAL", as OpenFlow 1.0 numbers it (OFPP_LOCAL = 0xfffe) */
};

enum config_log_level {
    CONFIG_LOG_ERR,
    CONFIG_LOG_WARN,
    CONFIG_LOG_INFO,
    CONFIG_LOG_DBG,
};

const char *config_log_level_name(enum config_log_level level); /* "info", as pmd/base/log.h takes it */

enum config_fail_mode {
    CONFIG_FAIL_STANDALONE, /* learning switch while no controller is connected */
    CONFIG_FAIL_SECURE,     /* no rules until a controller sends some */
};

/* The _UNSET values are not found in a model that has been verified and completed. */
enum config_port_type {
    CONFIG_PORT_UNSET,
    CONFIG_PORT_DPDK,
    CONFIG_PORT_VHOST_USER,
    CONFIG_PORT_TAP,
    CONFIG_PORT_SYSTEM,
    CONFIG_PORT_PATCH,
    CONFIG_PORT_INTERNAL,
    /* Tunnels, the last ones. */
    CONFIG_PORT_VXLAN,
    CONFIG_PORT_GENEVE,
    CONFIG_PORT_GRE,
    CONFIG_PORT_IP6GRE,
    CONFIG_PORT_ERSPAN,
    CONFIG_PORT_IP6ERSPAN,
    CONFIG_PORT_GTPU,
    CONFIG_PORT_SRV6,
};

enum config_vhost_mode {
    CONFIG_VHOST_CLIENT, /* the VM owns the socket, Sluice connects (and connects again) */
    CONFIG_VHOST_SERVER, /* Sluice owns the socket */
};

/* How NORMAL treats VLANs on a port; names and meaning as in OVS. */
enum config_vlan_mode {
    CONFIG_VLAN_UNSET,
    CONFIG_VLAN_ACCESS,
    CONFIG_VLAN_TRUNK,
    CONFIG_VLAN_NATIVE_TAGGED,
    CONFIG_VLAN_NATIVE_UNTAGGED,
};

/* Interface.bfd of Open vSwitch's database. */
struct config_bfd {
    bool enable;
    int min_rx, min_tx; /* milliseconds */
    int decay_min_rx;   /* milliseconds, 0: never */
    int mult;
    bool forwarding_if_rx, cpath_down, check_tnl_key, oam;
    uint8_t local_src_mac[6], local_dst_mac[6], remote_dst_mac[6]; /* all zero: not given */
    char *src_ip, *dst_ip;                                         /* IPv4 */
};

/* The options of a tunnel port, of the names and meaning of Open vSwitch's Interface.options; NULL: not given. */
struct config_tunnel {
    char *remote_ip, *local_ip;
    char *key, *in_key, *out_key;
    int dst_port; /* 0: that of the type */
    char *tos, *ttl;
    bool df_default, csum, seq;
    char *exts, *packet_type;
    char *egress_pkt_mark;
    char *erspan_ver, *erspan_idx, *erspan_dir, *erspan_hwid;
    char *srv6_segs, *srv6_flowlabel;
    bool icmp_too_big; /* no option of Open vSwitch's */
};

/* A bridge's spanning tree, and a port in it; names as in Open vSwitch's other_config. */
struct config_stp {
    bool enable;
    uint8_t system_id[6]; /* all zero: not given */
    int priority;
    int hello_time, max_age, forward_delay; /* seconds */
};
struct config_port_stp {
    bool enable;
    int number; /* 0: any */
    int priority;
    int path_cost; /* 0: as the link's speed has it */
};

/* What comes in above these rates is dropped; 0: any number. Bursts of 0 are the defaults. */
struct config_policing {
    int rate, burst;             /* kbit/s, kbit */
    int kpkts_rate, kpkts_burst; /* 1000 packets a second, 1000 packets */
};

/* Names and meaning of Open vSwitch's QoS.type. */
enum config_qos_type {
    CONFIG_QOS_NONE,
    CONFIG_QOS_NOOP,
    CONFIG_QOS_HTB,
    CONFIG_QOS_HFSC,
    CONFIG_QOS_SFQ,
    CONFIG_QOS_CODEL,
    CONFIG_QOS_FQ_CODEL,
    CONFIG_QOS_EGRESS_POLICER,
};

#define CONFIG_DSCP_NONE -1

/* kbit/s, kbit; 0: not given. */
struct config_queue {
    int queue;
    int min_rate, max_rate, burst;
    int priority;
    int dscp; /* 0 to 63, or CONFIG_DSCP_NONE */
};

struct config_qos {
    enum config_qos_type type;
    int max_rate, burst;
    struct config_queue *queues;
    size_t n_queues;
};

struct config_port {
    char *name;
    uint32_t ofport;      /* that is asked for: 1..CONFIG_OFPORT_MAX, or CONFIG_OFPORT_LOCAL; 0: any */
    uint32_t ofport_last; /* no key: the number that the port had when it was last there; 0: not known */
    enum config_port_type type;
    char *devargs;               /* dpdk: what EAL probes, PCI address or vdev; else NULL */
    char *path;                  /* vhost-user: absolute path of the socket; else NULL */
    enum config_vhost_mode mode; /* vhost-user */
    bool offloads, gro;          /* vhost-user */
    /* vhost-user in mode server: who may connect; NULL: not given. Octal digits; names or numbers. */
    char *socket_mode, *socket_owner, *socket_group;
    char *ifname; /* tap, system: the kernel interface; else NULL */
    char *peer;   /* patch: the name of the other port; else NULL */
    int rx_queues;
    int rx_descriptors, tx_descriptors; /* CONFIG_PORT_DPDK: of a queue */
    int *rx_cores; /* by queue: the core whose poll-mode thread polls it, CONFIG_CORE_NONE: any; fewer: the rest any */
    size_t n_rx_cores;
    int mtu; /* bytes of the L3 packet, Ethernet header and VLAN tags not counted; 0: system, as it is; internal, as the
              * bridge's other ports have it */
    uint8_t mac[6]; /* all zero: keep the device's own */
    enum config_vlan_mode vlan_mode;
    int tag;     /* VLAN of an access or native port, CONFIG_TAG_NONE otherwise */
    int *trunks; /* VLANs a trunk carries; none listed: all */
    size_t n_trunks;
    int lacp_port_id, lacp_port_priority, lacp_aggregation_key; /* 0: not given */
    bool flood;                                                 /* FLOOD and NORMAL's flooding send out of this port */
    struct config_policing policing;                            /* of what comes in */
    struct config_qos qos;                                      /* of what goes out */
    struct config_bfd bfd;
    struct config_port_stp stp;
    struct config_tunnel tunnel; /* types of tunnels */
};

/* An active OpenFlow connection. CONFIG_INHERIT: as the key of the same meaning of the bridge. */
struct config_controller {
    char *target;         /* src/net/target.h parses it */
    int inactivity_probe; /* milliseconds, 0: never probe */
    int max_backoff;      /* milliseconds between two attempts to connect, at most */
    int rate_limit;       /* packet-ins a second, 0: no limit */
    int burst_limit;      /* packet-ins, 0: a quarter of the rate */
    bool enable_async;    /* asynchronous messages without being asked for them */
    int dscp;             /* of packets to the controller */
};

enum config_bond_mode {
    CONFIG_BOND_ACTIVE_BACKUP,
    CONFIG_BOND_BALANCE_SLB,
    CONFIG_BOND_BALANCE_TCP,
};

enum config_lacp {
    CONFIG_LACP_OFF,
    CONFIG_LACP_ACTIVE,
    CONFIG_LACP_PASSIVE,
};
enum config_lacp_time {
    CONFIG_LACP_SLOW,
    CONFIG_LACP_FAST,
};

/* Ports that are one link; names and meaning as in Open vSwitch's table Port. */
struct config_bond {
    char *name;
    char **members; /* names of ports of the bridge */
    size_t n_members;
    enum config_bond_mode mode;
    int updelay, downdelay; /* milliseconds */
    char *primary;          /* NULL: none */
    int rebalance_interval; /* milliseconds, 0: never */
    int hash_basis;
    bool all_members_active;
    enum config_lacp lacp;
    enum config_lacp_time lacp_time;
    uint8_t lacp_system_id[6]; /* all zero: not given */
    int lacp_system_priority;  /* 0: not given */
    bool lacp_fallback_ab;
};

/* What an OpenFlow table starts with; controllers may change it. */
struct config_table {
    int table;
    int max_entries; /* rules, 0: any number */
    bool eviction;   /* a full table gives up a rule for a new one */
};

/* Packets that are sent to another port, or VLAN, of their bridge, too. */
struct config_mirror {
    char *name;
    bool select_all;
    char **select_src_port, **select_dst_port;
    size_t n_select_src_port, n_select_dst_port;
    int *select_vlan; /* none listed: all */
    size_t n_select_vlan;
    char *output_port; /* NULL: it is output_vlan */
    int output_vlan;   /* CONFIG_TAG_NONE: it is output_port */
    int snaplen;       /* bytes, 0: whole packets */
};

struct config_bridge {
    char *name;
    uint64_t datapath_id;
    enum config_fail_mode fail_mode;
    struct config_controller *controllers;
    size_t n_controllers;
    char **listen; /* passive ones, besides <run_dir>/<name>.mgmt */
    size_t n_listen;
    char **protocols; /* versions of OpenFlow that are spoken, "OpenFlow13"; none listed: all */
    size_t n_protocols;
    int auxiliary_connections;  /* to each controller */
    int controller_rate_limit;  /* packet-ins a second to each controller, 0: no limit */
    int controller_burst_limit; /* packet-ins, 0: a quarter of the rate */
    int inactivity_probe;       /* milliseconds of silence before an echo request, 0: never probe */
    bool forward_bpdu;          /* NORMAL sends frames on that are for bridges */
    char *dp_desc, *dp_sn;      /* what controllers are told; NULL: the bridge's name, nothing */
    int max_rules;              /* in all tables */
    bool keep_rules;            /* over the death of the process, if fail_mode is secure */
    bool restoring;             /* no key: controllers are left out until somebody has restored the rules of before */
    int bundle_memory;          /* MiB that open bundles may hold */
    int bundle_idle_timeout;    /* seconds after which an open bundle is discarded that nothing came for */
    int mac_table_size;         /* learned addresses */
    int mac_aging_time;         /* seconds */
    struct config_table *tables;
    size_t n_tables;
    struct config_bond *bonds;
    size_t n_bonds;
    struct config_stp stp;
    struct config_mirror *mirrors;
    size_t n_mirrors;
    struct config_port *ports;
    size_t n_ports;
};

struct config_dpdk {
    char **eal_args;
    size_t n_eal_args;
    bool hugepages; /* false: never ask for them; true: use them where the machine has them */
    bool telemetry; /* DPDK\'s own socket for tools */
    int mbufs;      /* packets in the pool of each NUMA node, 0: computed from ports, queues and threads */
    int mbuf_size;  /* bytes of packet data in one mbuf, headroom not counted, 0: from the largest port MTU */
};

struct config_pmd {
    int *cores; /* one poll-mode thread on each */
    size_t n_cores;
    bool cores_change; /* no key: they may, while the switch runs; else they are those of the file */
    int max_sleep_us;
    bool isolate;       /* cores that ports ask for get no other queues */
    int emc_entries;    /* per poll-mode thread, a power of two */
    int megaflow_limit; /* for the whole switch */
    int max_idle_ms;    /* a megaflow unused for so long is removed */
    int max_masks;      /* distinct masks, which is tuples in the classifier */
    int miss_ring;      /* packets in the ring of one poll-mode thread to the control thread, a power of two */
};

struct config_ct_timeouts {
    int seconds[CT_N_TIMEOUTS];
};

/* Connection tracking. */
struct config_conntrack {
    int max_connections;
    int zone_limit; /* connections of a zone without a limit of its own; 0: as many as there is room for */
    bool send_whole;
    struct config_ct_timeouts timeouts;
};

struct config_control {
    int core; /* CONFIG_CORE_NONE: not pinned */
};

/* PEM files of TLS; all given or none. */
struct config_tls {
    char *private_key;
    char *certificate;
    char *ca_certificate;
    /* No keys; as in struct tls_files. */
    const char *peer_ca; /* of the command line, and not the model's */
    bool bootstrap;
};

/* Where bridges come from if not from the file. */
struct config_ovsdb {
    char *remote; /* of an OVSDB server; src/net/target.h parses it. NULL: from the file */
};

struct config_log {
    enum config_log_level level;
};

struct config {
    char *run_dir; /* absolute, without a slash at the end */
    struct config_dpdk dpdk;
    struct config_pmd pmd;
    struct config_conntrack conntrack;
    struct config_control control;
    struct config_log log;
    struct config_tls tls;
    struct config_ovsdb ovsdb;
    struct config_bridge *bridges;
    size_t n_bridges;
};

/* A model with every default set and neither cores nor bridges. Never NULL; the caller frees it. */
struct config *config_default(void);

/* Appends an element with every default set. What is returned stays valid until the next append to the same list.
 * Strings put into it are owned by the model, which frees them with free(). */
struct config_bridge *config_add_bridge(struct config *config);
struct config_port *config_add_port(struct config_bridge *bridge);

/* Fills in what follows from other values: ifname of a tap, vlan_mode, datapath_id. A source calls it once, after
 * config_verify() found nothing. `identity` is a text that no other switch has, and this one after a restart: datapath
 * ids and addresses of bridges are made of it and the bridge's name. */
void config_complete(struct config *config, const char *identity);

/* Whether packets are sent to it within the switch: patch ports, tunnels. */
bool config_port_is_virtual(const struct config_port *port);
bool config_port_is_tunnel(const struct config_port *port);

/* Whether it is an interface of the kernel's, which has the port's name unless it says another. */
bool config_port_has_interface(const struct config_port *port);

/* The largest MTU of all ports in bytes, 1500 if there is none. */
int config_largest_mtu(const struct config *config);

/* Frees the model and all it owns. NULL is allowed. */
void config_free(struct config *config);

#endif
