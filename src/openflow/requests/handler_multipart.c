/* Multipart requests: answers those that are short, and starts tasks for those that go through many rules, ports,
 * groups, meters or tables. Control thread. */
#include <errno.h>
#include <stdlib.h>

#include "pmd/base/memory.h"
#include "src/openflow/requests/barrier.h"
#include "src/openflow/requests/dump.h"
#include "src/openflow/requests/handler.h"
#include "src/openflow/requests/queues.h"
#include "src/openflow/server/describe.h"
#include "src/openflow/server/server_impl.h"
#include "src/tables/meter.h"

#define BUNDLE_TIME_SET_SCHED 2u /* OFPBF_TIME_SET_SCHED */

struct reply {
    struct of_multipart mp;
    struct of_buf out;
};

static void reply_desc(struct of_connection *conn, struct reply *reply)
{
    const struct bridge *bridge = conn->server->bridge;
    const struct of_desc desc = {
        .mfr_desc = "Sluice",
        .hw_desc = "DPDK",
        .sw_desc = SLUICE_VERSION,
        .serial_num = bridge->serial_num[0] ? bridge->serial_num : "None",
        .dp_desc = bridge->dp_desc[0] ? bridge->dp_desc : bridge->name,
    };

    of_multipart_add_desc(&reply->mp, &reply->out, &desc);
}

/* Connections to controllers, the one that asks among them (OpenFlow 1.5.1, 7.3.5.22). */
static void reply_controllers(struct of_connection *conn, struct reply *reply)
{
    const struct of_connection *other;

    TAILQ_FOREACH (other, &conn->server->connections, node) {
        struct of_controller_status status;
        if (of_connection_is_tool(other) || other->auxiliary_id)
            continue;
        of_controller_describe(other, OF_CSR_REQUEST, &status);
        of_multipart_add_controller(&reply->mp, &reply->out, &status);
    }
}

static void add_port_stats(struct of_multipart *mp, struct of_buf *out, const struct bridge_port *bp)
{
    struct bridge_port_stats counted;

    bridge_port_stats(bp, &counted);
    const struct of_port_stats stats = {
        .port_no = bp->ofport,
        .rx_packets = counted.rx_packets,
        .tx_packets = counted.tx_packets,
        .rx_bytes = counted.rx_bytes,
        .tx_bytes = counted.tx_bytes,
        .rx_dropped = counted.rx_dropped,
        .tx_dropped = counted.tx_dropped,
        .rx_errors = counted.rx_errors,
        .tx_errors = counted.tx_errors,
        .rx_frame_err = UINT64_MAX,
        .rx_over_err = UINT64_MAX,
        .rx_crc_err = UINT64_MAX,
        .collisions = UINT64_MAX,
        .duration_s = counted.duration_ms / 1000,
        .duration_ns = counted.duration_ms % 1000 * 1000000,
    };
    of_multipart_add_port(mp, out, &stats);
}

static void add_port(struct of_multipart *mp, struct of_buf *out, const struct bridge_port *bp)
{
    struct of_port port;

    if (mp->type == OF_MP_PORT) {
        add_port_stats(mp, out, bp);
        return;
    }
    of_port_describe(bp, &port);
    of_multipart_add_port_desc(mp, out, &port);
}

/* The numbers of the ports that are to be listed. Ports may come and go meanwhile. */
struct port_list {
    size_t n, next;
    uint32_t numbers[];
};

static void *open_ports(struct of_connection *conn)
{
    const struct bridge_port *bp;
    struct port_list *list;
    size_t n = 0;

    TAILQ_FOREACH (bp, &conn->server->bridge->ports, node)
        n++;
    list = malloc(sizeof *list + n * sizeof list->numbers[0]);
    if (!list)
        out_of_memory("an OpenFlow request", n * sizeof list->numbers[0]);
    list->n = list->next = 0;
    TAILQ_FOREACH (bp, &conn->server->bridge->ports, node)
        list->numbers[list->n++] = bp->ofport;
    return list;
}

static bool add_next_port(struct of_connection *conn, void *cursor, struct of_multipart *mp, struct of_buf *out)
{
    struct port_list *list = cursor;
    const struct bridge_port *bp;

    if (list->next == list->n)
        return false;
    bp = bridge_port_by_ofport(conn->server->bridge, list->numbers[list->next++]);
    if (bp)
        add_port(mp, out, bp);
    return true;
}

static const struct of_listing_kind list_ports = {open_ports, add_next_port, free};

static int reply_port(struct of_connection *conn, const struct of_multipart_request *request, struct reply *reply)
{
    const struct bridge_port *bp = bridge_port_by_ofport(conn->server->bridge, request->port_no);

    if (!bp)
        return OFPERR_BRC_BAD_PORT;
    add_port(&reply->mp, &reply->out, bp);
    return 0;
}

/* What answers a request for all of a kind. NULL: it is for one, or for something else. */
static const struct of_listing_kind *listing_of(const struct of_multipart_request *request)
{
    switch (request->type) {
    case OF_MP_TABLE:
    case OF_MP_TABLE_FEATURES:
        return &of_list_tables;
    case OF_MP_TABLE_DESC:
        return &of_list_table_descs;
    case OF_MP_PORT:
    case OF_MP_PORT_DESC:
        return request->port_no == OFPORT_ANY ? &list_ports : NULL;
    case OF_MP_GROUP:
    case OF_MP_GROUP_DESC:
        return request->group_id == OFGROUP_ALL ? &of_list_groups : NULL;
    case OF_MP_METER:
    case OF_MP_METER_CONFIG:
        return request->meter_id == OFMETER_ALL ? &of_list_meters : NULL;
    default:
        return NULL;
    }
}

static int fill(struct of_connection *conn, const struct of_multipart_request *request, struct reply *reply)
{
    switch (request->type) {
    case OF_MP_DESC:
        reply_desc(conn, reply);
        return 0;
    case OF_MP_CONTROLLER_STATUS:
        reply_controllers(conn, reply);
        return 0;
    case OF_MP_BUNDLE_FEATURES:
        if (request->bundle_flags & BUNDLE_TIME_SET_SCHED)
            return OFPERR_BRC_MULTIPART_BAD_SCHED;
        of_multipart_add_bundle_features(&reply->mp, &reply->out);
        return 0;
    case OF_MP_PORT:
    case OF_MP_PORT_DESC:
        return reply_port(conn, request, reply);
    case OF_MP_QUEUE:
    case OF_MP_QUEUE_DESC:
        return of_reply_queues(conn, request, &reply->mp, &reply->out);
    case OF_MP_GROUP:
    case OF_MP_GROUP_DESC:
    case OF_MP_GROUP_FEATURES:
        of_reply_group(conn, request, &reply->mp, &reply->out);
        return 0;
    case OF_MP_METER:
    case OF_MP_METER_CONFIG:
    case OF_MP_METER_FEATURES:
        return of_reply_meters(conn, request, &reply->mp, &reply->out);
    case OF_MP_TABLE:
    case OF_MP_TABLE_FEATURES:
    case OF_MP_TABLE_DESC:
    case OF_MP_FLOW:
    case OF_MP_FLOW_STATS:
    case OF_MP_FLOW_MONITOR:
    case OF_MP_AGGREGATE:
    case OF_N_MP_TYPES:
        break;
    }
    return OFPERR_BRC_BAD_MULTIPART;
}

int of_handle_multipart(struct of_connection *conn, const struct of_msg *msg)
{
    const struct of_multipart_request *request = &msg->request;

    if (request->type == OF_MP_TABLE_FEATURES) {
        bool whole;
        int error = of_table_features_request(conn, msg, &whole);
        if (error || !whole)
            return error;
    } else if (request->more) {
        return OFPERR_BRC_MULTIPART_BUFFER_OVERFLOW;
    }
    bool flows = request->type == OF_MP_FLOW || request->type == OF_MP_FLOW_STATS || request->type == OF_MP_AGGREGATE;
    if ((flows || request->type == OF_MP_GROUP) && of_wait_for_counters(conn))
        return -EAGAIN;
    if (flows) {
        of_dump_start(conn, msg);
        return 0;
    }
    if (listing_of(request)) {
        of_listing_start(conn, msg, listing_of(request));
        return 0;
    }
    if (request->type == OF_MP_FLOW_MONITOR)
        return of_monitor_handle(conn, msg);
    struct reply reply = {0};
    of_multipart_begin(&reply.mp, conn->version, msg->xid, request->type, request->nx);
    int error = fill(conn, request, &reply);
    if (error) {
        of_multipart_abort(&reply.mp);
    } else {
        of_multipart_end(&reply.mp, &reply.out);
        of_connection_send(conn, &reply.out);
    }
    of_buf_free(&reply.out);
    return error;
}
