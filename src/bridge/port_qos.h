/* Quality of service on an OpenFlow port: how fast it may send, and by which queues. Control thread only.
 *
 * Who does it depends on the type and on the port. Of an interface of the kernel's its scheduler does (tc(8)), which
 * delays packets and gives queues what they are guaranteed. For other ports, and where the kernel lacks the scheduler,
 * the datapath drops what is above the limits of port and queues: guarantees and priorities mean nothing then.
 */
#ifndef SRC_BRIDGE_PORT_QOS_H
#define SRC_BRIDGE_PORT_QOS_H

#include <stdbool.h>
#include <stdint.h>

struct bridge_port;

/* Open vSwitch's QoS.type, without "linux-" for the kernel's. */
enum qos_type {
    QOS_NONE,
    QOS_NOOP, /* nothing is changed */
    QOS_HTB,
    QOS_HFSC,
    QOS_SFQ,
    QOS_CODEL,
    QOS_FQ_CODEL,
    QOS_EGRESS_POLICER,
    QOS_N_TYPES
};

/* Bits a second, and bits; 0: not given. */
struct qos_queue {
    uint32_t id, priority;
    uint64_t min_rate, max_rate, burst;
    int8_t dscp; /* that packets get; -1: they keep theirs */
};

struct port_qos {
    enum qos_type type;
    uint64_t max_rate, burst; /* QOS_EGRESS_POLICER: of what is behind Ethernet headers */
    unsigned n_queues;
    struct qos_queue *queues; /* by ascending id; QOS_HTB, QOS_HFSC: the first is 0 */
};

/* What a port has of it. */
struct bridge_port_qos {
    struct port_qos wanted;
    bool by_kernel; /* the kernel's scheduler is asked for */
    bool pending;   /* whether it has it is not known yet */
};

const char *qos_type_name(enum qos_type type); /* "linux-htb" */
/* Whether the port can do more than limit: then it is the kernel's scheduler that does it. */
bool port_qos_is_kernels(const struct bridge_port *bp, enum qos_type type);
/* Copies what it needs. A queue 0 is added where there must be one. Ports without a device have no queues. */
void port_qos_set(struct bridge_port *bp, const struct port_qos *wanted);
/* Looks what became of a `pending` one. True: it is known by now. */
bool port_qos_settle(struct bridge_port *bp);
/* The port is going. */
void port_qos_free(struct bridge_port *bp);

/* The DSCP of IP packets that a rule sends by this queue of the port; -1: as they have it. A queue that the port does
 * not have is its queue 0, which is that of packets without one, and marks none. */
int port_qos_dscp(const struct bridge_port *bp, uint32_t queue);
/* Whether any queue does. */
bool port_qos_marks(const struct bridge_port *bp);

struct qos_queue_stats {
    uint64_t packets, bytes, dropped;
    uint64_t duration_ms;
};
/* Queues of the port, which OpenFlow names by their ids. */
unsigned port_qos_n_queues(const struct bridge_port *bp);
const struct qos_queue *port_qos_queue(const struct bridge_port *bp, unsigned i);
void port_qos_stats(const struct bridge_port *bp, const struct qos_queue *queue, struct qos_queue_stats *stats);

#endif
