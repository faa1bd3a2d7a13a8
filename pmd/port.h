/* Datapath ports: one face over DPDK Ethernet devices (PCI or vdev), network interfaces and TAPs of the kernel's, and
 * vhost-user sockets.
 *
 * The control thread creates, starts and destroys ports. Poll-mode threads receive from the queues that were given to
 * them and send to any port. A port that was removed from the datapath is destroyed only after a grace period.
 */
#ifndef PMD_PORT_H
#define PMD_PORT_H

#include <rte_ether.h>
#include <rte_mbuf.h>
#include <rte_spinlock.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define PORT_MAX 1024
#define PORT_NAME_MAX 256 /* bytes, with the end */
#define PORT_QUEUES_MAX 64
#define PORT_IFNAME_SIZE 16 /* IFNAMSIZ, whose header brings along more than is wanted here */

enum port_type { PORT_DPDK, PORT_VHOST_USER, PORT_TAP, PORT_SYSTEM };

/* Who may connect to a socket. */
struct port_access {
    mode_t mode;       /* permissions, 0: those that new files get */
    const char *owner; /* a name or a number, NULL: the user of this process */
    const char *group; /* likewise */
};

struct port_params {
    enum port_type type;
    const char *name;
    const char *devargs;       /* PORT_DPDK: "0000:3b:00.0" or "net_pcap0,rx_pcap=..." */
    const char *path;          /* PORT_VHOST_USER: the socket */
    bool vhost_client;         /* PORT_VHOST_USER: connect to a socket of the VM's (else own it) */
    bool vhost_offloads;       /* PORT_VHOST_USER: offer the VM to leave checksums and segments to others */
    bool vhost_gro;            /* PORT_VHOST_USER: merge TCP segments for the VM */
    struct port_access access; /* PORT_VHOST_USER that owns its socket */
    const char *ifname;        /* PORT_TAP, PORT_SYSTEM */
    bool persistent;    /* PORT_TAP: the interface stays when the process ends, and is taken over when it is there */
    const char *label;  /* of a persistent one, a secret: with it the interface is found again in another network
                         * namespace; NULL: it is not looked for there. Begins with "sluice:" */
    uint16_t rx_queues; /* wanted; fewer if the device has fewer (said in the log) */
    uint16_t rx_descriptors, tx_descriptors; /* PORT_DPDK: of a queue, wanted; 0: the default */
    uint16_t tx_queues; /* wanted: one a poll-mode thread; with fewer, queues are shared under a lock */
    uint16_t mtu;       /* bytes of L3 payload; PORT_SYSTEM: 0 = the interface's own */
    bool has_mac;
    struct rte_ether_addr mac;
    struct rte_mempool *pool; /* receives into it; private area PACKET_PRIV_SIZE */
};

/* The device's own counters, since the port was created. */
struct port_stats {
    uint64_t rx_packets, rx_bytes, rx_errors, rx_missed; /* missed: dropped by the device, no descriptor or mbuf */
    uint64_t tx_packets, tx_bytes, tx_errors;
    uint64_t peer_faults; /* vhost-user: connections that were closed for what the VM did wrong */
};

struct port_status {
    bool link_up;        /* vhost-user: a VM is connected and its driver runs */
    uint32_t speed_mbps; /* 0 = unknown */
    bool full_duplex;
    uint16_t mtu;
    struct rte_ether_addr mac;
    uint16_t rx_queues, tx_queues;
    int numa_node;   /* -1 = unknown */
    bool described;  /* of a port that learns later what describe() tells: it has */
    char driver[32]; /* "net_pcap", "vhost-user (server)" ... */
};

struct port;
struct capture;
struct policer;
struct port_queues;
struct port_scheduler_state;

/* What poll-mode threads do with a port's packets besides receiving and sending them (struct port.asides): a port
 * without any costs them one comparison a burst. */
#define PORT_ASIDE_CAPTURES 1u  /* both ways: pmd/capture.h */
#define PORT_ASIDE_POLICE_IN 2u /* pmd/policer.h */
#define PORT_ASIDE_POLICE_OUT 4u
#define PORT_ASIDE_QUEUES 8u /* on the way out: pmd/port_queues.h */

enum port_way { PORT_IN, PORT_OUT, PORT_N_WAYS };

/* One more thing that is known of a device. Strings are valid during the call. */
typedef void port_describe_fn(void *arg, const char *key, const char *value);
typedef void port_count_fn(void *arg, const char *name, uint64_t value);

/* How the kernel sends what it is given by a port that is an interface of its. */
enum port_scheduler {
    PORT_SCHEDULER_NONE, /* the kernel's own */
    PORT_SCHEDULER_HTB,
    PORT_SCHEDULER_HFSC,
    PORT_SCHEDULER_SFQ,
    PORT_SCHEDULER_CODEL,
    PORT_SCHEDULER_FQ_CODEL,
    PORT_SCHEDULER_OTHERS, /* whatever somebody else gives the interface, which stays: it may have classes for queues */
    PORT_N_SCHEDULERS
};

/* What a queue's packets get. Bits a second, and bits; 0: as much as there is, or as little as there need be. */
struct port_class {
    uint32_t queue; /* 0 .. PORT_CLASS_QUEUE_MAX */
    uint32_t priority;
    uint64_t min_rate, max_rate, burst;
};
#define PORT_CLASS_QUEUE_MAX 61439u

struct port_scheduling {
    enum port_scheduler scheduler;
    uint64_t max_rate; /* of all together, bits a second; HTB and HFSC */
    unsigned n_classes;
    struct port_class *classes; /* HTB and HFSC; queue 0 among them */
};

/* A packet's queue is told to the kernel as the class `queue` + 1 of this qdisc (socket(7), SO_PRIORITY). */
#define PORT_SCHEDULER_MAJOR (UINT32_C(1) << 16)

struct port_ops {
    /* Poll-mode threads. Up to `n` packets of `queue`; returns how many. */
    uint16_t (*rx_burst)(struct port *port, uint16_t queue, struct rte_mbuf **packets, uint16_t n);
    /* Poll-mode threads. Takes a prefix of `packets`, which are the port's from then on (sent, or copied and freed);
     * returns how many; the caller frees the rest. The caller holds
     * tx_lock[queue] if the port has fewer queues than there are threads. */
    uint16_t (*tx_burst)(struct port *port, uint16_t queue, struct rte_mbuf **packets, uint16_t n);
    /* Control thread. 0 or a negative errno. set_mtu: -EBUSY if the device can only do it stopped (destroy and create
     * the port again), -ENOTSUP, -EINVAL outside of what the device can do. */
    int (*set_admin_up)(struct port *port, bool up);
    int (*set_mtu)(struct port *port, uint16_t mtu);
    void (*get_status)(struct port *port, struct port_status *status);
    void (*get_stats)(struct port *port, struct port_stats *stats);
    /* Calls `put` for what else is known, by Open vSwitch's keys of Interface.status. NULL: nothing. */
    void (*describe)(struct port *port, port_describe_fn *put, void *arg);
    /* Calls `put` for what else the device counts, by Open vSwitch's keys of Interface.statistics. NULL: nothing. */
    void (*count)(struct port *port, port_count_fn *put, void *arg);
    /* Has the kernel send by this scheduler, in the place of whatever the interface has; PORT_SCHEDULER_NONE: by its
     * own again. Takes its time; an interface that comes later gets it then. NULL: the kernel does not schedule the
     * port. Of a TAP it is what the host sends into the switch. */
    void (*schedule)(struct port *port, const struct port_scheduling *wanted);
    /* What came of it: 0, -EINPROGRESS, or another negative errno; -ENOENT: the kernel has no such scheduler. */
    int (*scheduled)(struct port *port);
    void (*destroy)(struct port *port);
};

/* A receive queue, in the datapath. */
struct port_rx {
    uint64_t cycles; /* of the poll-mode threads' TSC for what it received, from one burst in some: whoever polls it */
    uint64_t marks[2]; /* the same as of the last two calls of datapath_rx_mark() */
    int core;          /* that was asked for; -1: any */
    int planned;       /* the thread by datapath_rebalance(); -1: any */
};

struct port {
    /* Read by poll-mode threads. */
    const struct port_ops *ops;
    void *priv;
    uint16_t ethdev_id; /* PORT_DPDK: then rx and tx may bypass ops; else UINT16_MAX */
    uint16_t n_rxq, n_txq;
    bool offloads;  /* may bring packets that are not finished (pmd/offload.h) */
    uint8_t takes;  /* OFFLOAD_TAKES_*: which of them it takes if offload_is_plain(), and packets of several mbufs; of a
                     * VM it is what its driver takes */
    bool merges;    /* segments of TCP are merged for it (pmd/offload_merge.h) as far as it takes that */
    bool tx_shared; /* fewer tx queues than poll-mode threads: take tx_lock[queue] */
    bool admin_up;  /* OFPPC_PORT_DOWN clears it; change it with ops->set_admin_up */
    bool link_up;   /* carrier; of an Ethernet device as of the last port_poll_events() or port_interface_changed(),
                     * of a vhost-user port at once, of a TAP that went down at the first packet sent. Tells a packet
                     * that was not taken for DROP_TX_PORT_DOWN from a full queue */
    uint32_t max_len;         /* longest frame to send, bytes, without FCS and VLAN tags */
    uint32_t index;           /* in the datapath; set by datapath_port_add */
    uint8_t asides;           /* PORT_ASIDE_*; what one of them is about is set before it, and taken away after it */
    rte_spinlock_t *tx_lock;  /* n_txq of them */
    struct port_rx *rx;       /* n_rxq of them, from datapath_port_add() on */
    struct capture *captures; /* the first, NULL: none (pmd/capture.h); RCU */
    struct policer *policers[PORT_N_WAYS]; /* NULL: none; RCU */
    struct port_queues *queues;            /* NULL: one for all packets; RCU */
    bool classful;                         /* the kernel sends by a packet's queue: tell it */

    /* Control thread only. */
    struct port_scheduler_state *scheduler; /* NULL: the kernel's own, if any */
    enum port_type type;
    char name[PORT_NAME_MAX];
    int numa_node; /* -1 = unknown */
    void *user;    /* the bridge's port */
    /* For a TAP, a system port, and a device that works on an interface of the kernel's (net_af_packet, net_af_xdp,
     * net_pcap). */
    char ifname[PORT_IFNAME_SIZE]; /* as it was when the port was made; empty: there is none */
    int ifindex;                   /* 0: there is none, or a system port's has not been there yet */
    bool if_down;                  /* a system port: whoever owns the interface has not set it up */
    bool kernel_down; /* the kernel says that the interface is down, or lacks a carrier; not set for a TAP */
    bool moved;       /* a TAP: its interface is in another network namespace */
    bool discard;     /* of a persistent TAP: the interface is deleted with the port */
    bool lost;        /* the interface was deleted; a system port finds it again, others are made again */
} __attribute__((aligned(64)));

/* Creates and starts a port in two steps, between which the control thread goes on with other things: the kernel makes
 * a TAP only when it is done with interfaces that somebody deletes. port_create_begin() copies what it needs of
 * `params`. port_create_end() returns false while the port is being made; true: *port is the port, or NULL with a
 * sentence in `error` that says what to do, and `opening` is freed. Control thread, EAL up. */
struct port_opening;
struct port_opening *port_create_begin(const struct port_params *params);
bool port_create_end(struct port_opening *opening, struct port **port, char *error, size_t error_size);
void port_destroy(struct port *port);

/* Whether the kernel has AF_XDP, without which DPDK's net_af_xdp is no use. */
bool port_has_xdp(void);

/* Whether the kernel is not done yet with the device of a port of that name that was destroyed. */
bool port_is_closing(const char *name);
/* Waits for all such devices. For the end of the process. */
void port_wait_closed(void);

/* Called on the control thread from the functions below when link state, MTU or the number of queues of a port changed.
 * It must not destroy ports (it may take them out of the datapath, which destroys them later). */
typedef void port_event_fn(void *arg, struct port *port);

/* Becomes readable when some port has an event to report (written by DPDK's interrupt and vhost threads). */
int port_event_fd(void);
/* Drains the descriptor and reports the ports that have an event. Call it when the descriptor is readable. */
void port_poll_events(port_event_fn *fn, void *arg);
/* Looks at the next `n` ports, whose devices may be such that tell of nothing, and reports those that changed. A look
 * takes some system calls. False: that was the last of a round. Begin one about twice a second. */
bool port_poll_some(unsigned n, port_event_fn *fn, void *arg);
/* The status of a port as of the last of these looks; `link_up` is false before the first. */
const struct port_status *port_last_status(const struct port *port);

/* Makes the socket files of vhost-user servers again that somebody deleted. A port that a VM is connected to needs none
 * until that is gone. Call it once in a while. Control thread. */
void port_restore_sockets(void);

/* Changes who may connect to the socket of a vhost-user port that owns it; who is connected stays. False with a
 * sentence in `error`: all is as before. Control thread. */
bool port_set_access(struct port *port, const struct port_access *access, char *error, size_t error_size);

/* What the kernel says of a network interface of this namespace. */
struct port_interface {
    int ifindex;
    const char *name;
    bool up;   /* with a carrier */
    bool gone; /* deleted, or moved to another namespace */
};
/* Reports the ports of that interface as port_poll_events() does; looks at no others. True: a port has just lost its
 * interface, or lost one of that name before: look whether there is one again. Control thread. */
bool port_interface_changed(const struct port_interface *interface, port_event_fn *fn, void *arg);
/* Has the next port_poll_events(), for which the descriptor becomes readable, report all ports whose interfaces were
 * moved to other namespaces: which of them changed is not known. Control thread. */
void port_interfaces_elsewhere_changed(void);

#endif
