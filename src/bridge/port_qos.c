#define MEM_WHAT "the queues of a port"

#include "src/bridge/port_qos.h"

#include <errno.h>
#include <rte_cycles.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/log.h"
#include "pmd/base/mem.h"
#include "pmd/base/memory.h"
#include "src/bridge/bridge.h"

/* As Open vSwitch has it where the speed of the link is not known. */
#define RATE_DEFAULT UINT64_C(10000000000)
/* A policer's bucket, where none is given: a tenth of a second. */
#define BURST_PART 10

const char *qos_type_name(enum qos_type type)
{
    static const char *const names[QOS_N_TYPES] = {
        [QOS_NONE] = "",
        [QOS_NOOP] = "linux-noop",
        [QOS_HTB] = "linux-htb",
        [QOS_HFSC] = "linux-hfsc",
        [QOS_SFQ] = "linux-sfq",
        [QOS_CODEL] = "linux-codel",
        [QOS_FQ_CODEL] = "linux-fq_codel",
        [QOS_EGRESS_POLICER] = "egress-policer",
    };

    return names[type];
}

static bool has_classes(enum qos_type type)
{
    return type == QOS_HTB || type == QOS_HFSC;
}

bool port_qos_is_kernels(const struct bridge_port *bp, enum qos_type type)
{
    return bp->port && bp->port->ops->schedule && type != QOS_NONE && type != QOS_NOOP && type != QOS_EGRESS_POLICER;
}

/* --- what is wanted ------------------------------------------------------ */

static uint64_t rate_of_port(const struct bridge_port *bp, uint64_t max_rate)
{
    struct port_status status = {0};

    if (max_rate)
        return max_rate;
    bridge_port_ops(bp)->get_status(bp, &status);
    return status.speed_mbps ? (uint64_t)status.speed_mbps * 1000000 : RATE_DEFAULT;
}

static void copy_wanted(struct bridge_port *bp, const struct port_qos *wanted)
{
    struct port_qos *qos = &bp->qos->wanted;
    const bool add_default = has_classes(wanted->type) && (wanted->n_queues == 0 || wanted->queues[0].id != 0);

    *qos = *wanted;
    qos->n_queues = has_classes(wanted->type) ? wanted->n_queues + add_default : 0;
    qos->queues = mem_calloc(qos->n_queues + 1, sizeof *qos->queues);
    if (add_default && has_classes(wanted->type))
        qos->queues[0].dscp = -1;
    if (has_classes(wanted->type) && wanted->n_queues)
        memcpy(qos->queues + add_default, wanted->queues, wanted->n_queues * sizeof *qos->queues);
}

/* --- the datapath's part ------------------------------------------------- */

static struct policer_config limit_of(uint64_t rate, uint64_t burst, uint32_t header)
{
    return (struct policer_config){.bits = rate, .burst_bits = burst ? burst : rate / BURST_PART, .header = header};
}

/* `limits`: the datapath keeps to them, not the kernel. */
static void set_datapath(struct bridge_port *bp, bool limits)
{
    const struct port_qos *qos = &bp->qos->wanted;
    struct port_queue_config *configs = mem_calloc(qos->n_queues + 1, sizeof *configs);
    const uint32_t header = qos->type == QOS_EGRESS_POLICER ? RTE_ETHER_HDR_LEN : 0;
    const bool polices = qos->type == QOS_EGRESS_POLICER || has_classes(qos->type);
    struct policer_config port = {0};

    if (limits && polices)
        port = limit_of(qos->max_rate, qos->burst, header);
    for (unsigned i = 0; i < qos->n_queues; i++) {
        configs[i].id = qos->queues[i].id;
        if (limits)
            configs[i].limit = limit_of(qos->queues[i].max_rate, qos->queues[i].burst, 0);
    }
    if (datapath_port_police(bp->bridge->dp, bp->port, PORT_OUT, &port) != 0 ||
        datapath_port_set_queues(bp->bridge->dp, bp->port, configs, qos->n_queues) != 0)
        out_of_memory("the queues of a port", 0);
    free(configs);
}

/* --- the kernel's -------------------------------------------------------- */

static void set_kernel(struct bridge_port *bp)
{
    static const enum port_scheduler schedulers[QOS_N_TYPES] = {
        [QOS_HTB] = PORT_SCHEDULER_HTB,           [QOS_HFSC] = PORT_SCHEDULER_HFSC,
        [QOS_SFQ] = PORT_SCHEDULER_SFQ,           [QOS_CODEL] = PORT_SCHEDULER_CODEL,
        [QOS_FQ_CODEL] = PORT_SCHEDULER_FQ_CODEL, [QOS_NOOP] = PORT_SCHEDULER_OTHERS,
    };
    const struct port_qos *qos = &bp->qos->wanted;
    struct port_scheduling wanted = {
        .scheduler = bp->qos->by_kernel || qos->type == QOS_NOOP ? schedulers[qos->type] : PORT_SCHEDULER_NONE,
        .max_rate = rate_of_port(bp, qos->max_rate),
        .n_classes = bp->qos->by_kernel ? qos->n_queues : 0,
        .classes = mem_calloc(qos->n_queues + 1, sizeof *wanted.classes),
    };

    for (unsigned i = 0; i < wanted.n_classes; i++) {
        const struct qos_queue *queue = &qos->queues[i];

        wanted.classes[i] = (struct port_class){.queue = queue->id,
                                                .priority = queue->priority,
                                                .min_rate = queue->min_rate,
                                                .max_rate = queue->max_rate,
                                                .burst = queue->burst};
    }
    bp->port->ops->schedule(bp->port, &wanted);
    free(wanted.classes);
}

static void tell_limits(const struct bridge_port *bp)
{
    const struct port_qos *qos = &bp->qos->wanted;

    if (has_classes(qos->type))
        LOG_INFO(LOG_CONFIG,
                 "%s: port %s: %s on a port of this type: what is above a max-rate is dropped; min-rate and priority "
                 "have no effect",
                 bp->bridge->name, bp->name, qos_type_name(qos->type));
    else if (qos->type != QOS_NONE && qos->type != QOS_NOOP && qos->type != QOS_EGRESS_POLICER)
        LOG_WARN(LOG_CONFIG, "%s: port %s: %s is for network interfaces of the kernel's: it has no effect here",
                 bp->bridge->name, bp->name, qos_type_name(qos->type));
}

static void tell_kernel_fails(const struct bridge_port *bp, int error)
{
    const char *name = qos_type_name(bp->qos->wanted.type);

    if (error == -ENOENT)
        LOG_WARN(LOG_CONFIG, "%s: port %s: the kernel does not have the scheduler of %s (try \"modprobe sch_%s\"): %s",
                 bp->bridge->name, bp->name, name, name + strlen("linux-"),
                 has_classes(bp->qos->wanted.type) ? "what is above a max-rate is dropped meanwhile"
                                                   : "it has no effect");
    else
        LOG_WARN(LOG_CONFIG, "%s: port %s: %s: %s: %s", bp->bridge->name, bp->name, name, strerror(-error),
                 error == -EPERM ? "it takes CAP_NET_ADMIN" : "what is above a max-rate is dropped meanwhile");
}

/* --- both ---------------------------------------------------------------- */

void port_qos_set(struct bridge_port *bp, const struct port_qos *wanted)
{
    const bool marked = port_qos_marks(bp);

    if (!bp->port || (!bp->qos && wanted->type == QOS_NONE))
        return;
    if (!bp->qos)
        bp->qos = mem_calloc(1, sizeof *bp->qos);
    free(bp->qos->wanted.queues);
    copy_wanted(bp, wanted);
    bp->qos->by_kernel = port_qos_is_kernels(bp, wanted->type);
    bp->qos->pending = bp->qos->by_kernel;
    set_datapath(bp, !bp->qos->by_kernel);
    if (bp->port->ops->schedule)
        set_kernel(bp);
    if (wanted->type == QOS_NONE)
        port_qos_free(bp);
    else if (!bp->qos->by_kernel)
        tell_limits(bp);
    if (marked || port_qos_marks(bp))
        bridge_note_port(bp, BRIDGE_PORT_VLAN);
}

bool port_qos_settle(struct bridge_port *bp)
{
    int result;

    if (!bp->qos || !bp->qos->pending)
        return true;
    result = bp->port->ops->scheduled(bp->port);
    if (result == -EINPROGRESS)
        return false;
    bp->qos->pending = false;
    if (result == 0)
        return true;
    tell_kernel_fails(bp, result);
    bp->qos->by_kernel = false;
    set_datapath(bp, true);
    return true;
}

void port_qos_free(struct bridge_port *bp)
{
    if (!bp->qos)
        return;
    free(bp->qos->wanted.queues);
    free(bp->qos);
    bp->qos = NULL;
}

/* --- queues -------------------------------------------------------------- */

unsigned port_qos_n_queues(const struct bridge_port *bp)
{
    return bp->qos ? bp->qos->wanted.n_queues : 0;
}

const struct qos_queue *port_qos_queue(const struct bridge_port *bp, unsigned i)
{
    return &bp->qos->wanted.queues[i];
}

int port_qos_dscp(const struct bridge_port *bp, uint32_t queue)
{
    for (unsigned i = 0; queue != 0 && i < port_qos_n_queues(bp); i++)
        if (port_qos_queue(bp, i)->id == queue)
            return port_qos_queue(bp, i)->dscp;
    return -1;
}

bool port_qos_marks(const struct bridge_port *bp)
{
    for (unsigned i = 0; i < port_qos_n_queues(bp); i++)
        if (port_qos_queue(bp, i)->id != 0 && port_qos_queue(bp, i)->dscp >= 0)
            return true;
    return false;
}

void port_qos_stats(const struct bridge_port *bp, const struct qos_queue *queue, struct qos_queue_stats *stats)
{
    const struct port_queues *queues = bp->port->queues;
    const unsigned i = (unsigned)(queue - bp->qos->wanted.queues);
    struct port_queue_counts counts;

    port_queues_sum(queues, i, &counts);
    *stats = (struct qos_queue_stats){
        .packets = counts.packets,
        .bytes = counts.bytes,
        .dropped = counts.dropped,
        .duration_ms = (rte_rdtsc() - port_queues_since(queues, i)) / (rte_get_tsc_hz() / 1000),
    };
}
