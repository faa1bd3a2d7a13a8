#include "src/openflow/requests/queues.h"

#include <stdlib.h>

#include "pmd/base/memory.h"
#include "src/openflow/server/server_impl.h"

#define QUEUE_ALL 0xffffffffu
#define RATE_WHOLE 1000 /* tenths of a percent */

/* Of what the port may send; where that is not said there is nothing to compare with. */
static uint16_t rate_of(const struct bridge_port *bp, uint64_t rate)
{
    const uint64_t most = bp->qos->wanted.max_rate;

    if (rate == 0 || most == 0)
        return OF_QUEUE_RATE_NONE;
    return (uint16_t)RTE_MIN(rate * RATE_WHOLE / most, (uint64_t)RATE_WHOLE);
}

static struct of_queue describe(const struct bridge_port *bp, const struct qos_queue *queue)
{
    struct qos_queue_stats stats;

    port_qos_stats(bp, queue, &stats);
    return (struct of_queue){
        .port_no = bp->ofport,
        .queue_id = queue->id,
        .min_rate = rate_of(bp, queue->min_rate),
        .max_rate = rate_of(bp, queue->max_rate),
        .tx_bytes = stats.bytes,
        .tx_packets = stats.packets,
        .tx_errors = stats.dropped,
        .duration_s = (uint32_t)(stats.duration_ms / 1000),
        .duration_ns = (uint32_t)(stats.duration_ms % 1000 * 1000000),
    };
}

/* Returns how many of the port's queues were added. */
static unsigned add_queues(const struct bridge_port *bp, uint32_t id, struct of_multipart *mp, struct of_buf *out)
{
    unsigned n = 0;

    for (unsigned i = 0; i < port_qos_n_queues(bp); i++) {
        const struct qos_queue *queue = port_qos_queue(bp, i);

        if (id != QUEUE_ALL && queue->id != id)
            continue;
        const struct of_queue entry = describe(bp, queue);
        if (mp->type == OF_MP_QUEUE)
            of_multipart_add_queue(mp, out, &entry);
        else
            of_multipart_add_queue_desc(mp, out, &entry);
        n++;
    }
    return n;
}

int of_reply_queues(const struct of_connection *conn, const struct of_multipart_request *request,
                    struct of_multipart *mp, struct of_buf *out)
{
    /* OpenFlow 1.0.2, 5.3.5 says OFPP_ALL for all ports, later versions OFPP_ANY. */
    const bool all = request->port_no == OFPORT_ANY || (request->port_no == OFPORT_ALL && conn->version == OF10);
    const struct bridge *bridge = conn->server->bridge;
    const struct bridge_port *bp = all ? NULL : bridge_port_by_ofport(bridge, request->port_no);
    unsigned n = 0;

    if (!all && !bp)
        return OFPERR_QOFC_BAD_PORT;
    if (bp) {
        n = add_queues(bp, request->queue_id, mp, out);
    } else {
        TAILQ_FOREACH (bp, &bridge->ports, node)
            n += add_queues(bp, request->queue_id, mp, out);
    }
    return n > 0 || request->queue_id == QUEUE_ALL ? 0 : OFPERR_QOFC_BAD_QUEUE;
}

/* As many as a message of 64 KB can name. */
#define CONFIG_QUEUES_MAX 1024

static void list_queues(const struct bridge_port *bp, struct of_queue_config *config, struct of_queue *queues)
{
    for (unsigned i = 0; i < port_qos_n_queues(bp) && config->n < CONFIG_QUEUES_MAX; i++)
        queues[config->n++] = describe(bp, port_qos_queue(bp, i));
}

int of_handle_queue_get_config(struct of_connection *conn, const struct of_msg *msg)
{
    const struct bridge *bridge = conn->server->bridge;
    const struct bridge_port *bp = bridge_port_by_ofport(bridge, msg->port_no);
    struct of_queue *queues;

    if (msg->port_no != OFPORT_ANY && !bp)
        return OFPERR_QOFC_BAD_PORT;
    queues = calloc(CONFIG_QUEUES_MAX, sizeof *queues);
    if (!queues)
        out_of_memory("an OpenFlow request", CONFIG_QUEUES_MAX * sizeof *queues);
    struct of_msg reply = {.type = OF_QUEUE_GET_CONFIG_REPLY, .version = conn->version, .xid = msg->xid};
    reply.queue_config = (struct of_queue_config){.port_no = msg->port_no, .queues = queues};
    if (bp) {
        list_queues(bp, &reply.queue_config, queues);
    } else {
        TAILQ_FOREACH (bp, &bridge->ports, node)
            list_queues(bp, &reply.queue_config, queues);
    }
    of_connection_send_msg(conn, &reply);
    free(queues);
    return 0;
}
