/* qos/: how fast ports may send and by which queues, with Open vSwitch's names and text. Control thread. */
#include <inttypes.h>
#include <string.h>

#include "src/control/commands.h"

static struct bridge_port *find_port(const struct sluice *sw, const char *name)
{
    struct bridge_port *bp;
    struct bridge *br;

    TAILQ_FOREACH (br, &sw->bridges, node) {
        bp = bridge_port_by_name(br, name);
        if (bp)
            return bp;
    }
    return NULL;
}

static void put_number(struct control_reply *reply, json_t *object, const char *indent, const char *key, uint64_t value)
{
    control_printf(reply, "%s%s: %" PRIu64 "\n", indent, key, value);
    json_object_set_new(object, key, json_integer((json_int_t)value));
}

static void put_queue(struct control_reply *reply, const struct bridge_port *bp, const struct qos_queue *queue)
{
    json_t *object = json_pack("{s:I}", "queue", (json_int_t)queue->id);
    struct qos_queue_stats stats;

    if (queue->id)
        control_printf(reply, "\nQueue %" PRIu32 ":\n", queue->id);
    else
        control_printf(reply, "\nDefault:\n");
    if (queue->burst)
        put_number(reply, object, "  ", "burst", queue->burst);
    if (queue->priority)
        put_number(reply, object, "  ", "priority", queue->priority);
    if (queue->max_rate)
        put_number(reply, object, "  ", "max-rate", queue->max_rate);
    if (queue->min_rate)
        put_number(reply, object, "  ", "min-rate", queue->min_rate);
    port_qos_stats(bp, queue, &stats);
    put_number(reply, object, "  ", "tx_packets", stats.packets);
    put_number(reply, object, "  ", "tx_bytes", stats.bytes);
    put_number(reply, object, "  ", "tx_errors", stats.dropped);
    json_array_append_new(json_object_get(reply->json, "queues"), object);
}

/* In Open vSwitch's words for a policer these are bytes. */
static void put_port(struct control_reply *reply, const struct port_qos *qos)
{
    const bool polices = qos->type == QOS_EGRESS_POLICER;

    if (qos->max_rate)
        put_number(reply, reply->json, "", polices ? "cir" : "max-rate", polices ? qos->max_rate / 8 : qos->max_rate);
    if (qos->burst)
        put_number(reply, reply->json, "", polices ? "cbs" : "burst", polices ? qos->burst / 8 : qos->burst);
}

static void cmd_show(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    const struct bridge_port *bp = find_port(arg, argv[1]);

    if (!bp) {
        control_fail(reply, "no such interface");
        return;
    }
    if (!bp->qos) {
        reply->json = json_object();
        control_printf(reply, "QoS not configured on %s\n", bp->name);
        return;
    }
    reply->json = json_pack("{s:s,s:s,s:b,s:[]}", "port", bp->name, "type", qos_type_name(bp->qos->wanted.type),
                            "kernel", (int)bp->qos->by_kernel, "queues");
    control_printf(reply, "QoS: %s %s\n", bp->name, qos_type_name(bp->qos->wanted.type));
    put_port(reply, &bp->qos->wanted);
    for (unsigned i = 0; i < port_qos_n_queues(bp); i++)
        put_queue(reply, bp, port_qos_queue(bp, i));
}

/* Limits of the kernel's schedulers are kept on every port that has a device, by the switch itself if need be. */
static bool has_type(const struct bridge_port *bp, enum qos_type type)
{
    if (!bp->port)
        return false;
    return type == QOS_HTB || type == QOS_HFSC || type == QOS_EGRESS_POLICER || type == QOS_NOOP ||
           port_qos_is_kernels(bp, type);
}

static void cmd_show_types(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    const struct bridge_port *bp = find_port(arg, argv[1]);

    if (!bp) {
        control_fail(reply, "no such interface");
        return;
    }
    reply->json = json_array();
    for (enum qos_type type = QOS_NONE + 1; type < QOS_N_TYPES; type++) {
        if (!has_type(bp, type))
            continue;
        control_printf(reply, "QoS type: %s\n", qos_type_name(type));
        json_array_append_new(reply->json, json_string(qos_type_name(type)));
    }
    if (!bp->port)
        control_printf(reply, "No QoS types supported for interface: %s\n", bp->name);
}

void commands_register_qos(struct control *control, struct sluice *sw)
{
    control_register(control, "qos/show", "interface", 1, 1, cmd_show, sw);
    control_register(control, "qos/show-types", "interface", 1, 1, cmd_show_types, sw);
}
