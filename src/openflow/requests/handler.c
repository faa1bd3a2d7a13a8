#include "src/openflow/requests/handler.h"

#include <errno.h>
#include <stdlib.h>

#include "pmd/base/log.h"
#include "pmd/base/memory.h"
#include "src/openflow/requests/barrier.h"
#include "src/openflow/requests/bundle.h"
#include "src/openflow/requests/bundle_commit.h"
#include "src/openflow/requests/flow_delete.h"
#include "src/openflow/requests/queues.h"
#include "src/openflow/server/describe.h"
#include "src/openflow/server/server_impl.h"

#define FLOW_FORMAT_OPENFLOW10 0 /* NXFF_ */
#define FLOW_FORMAT_NXM 2
#define FRAG_REASSEMBLE 2 /* OFPC_ */

static int ignore(struct of_connection *conn, const struct of_msg *msg)
{
    return 0;
}

static int handle_error(struct of_connection *conn, const struct of_msg *msg)
{
    LOG_INFO_RL(LOG_OPENFLOW, "%s: %s: the peer sent error type %u code %u", conn->server->bridge->name, conn->name,
                msg->error.type, msg->error.code);
    return 0;
}

static int handle_echo(struct of_connection *conn, const struct of_msg *msg)
{
    struct of_msg reply = *msg;

    reply.type = OF_ECHO_REPLY;
    of_connection_send_msg(conn, &reply);
    return 0;
}

static int handle_features(struct of_connection *conn, const struct of_msg *msg)
{
    const struct bridge *bridge = conn->server->bridge;
    struct of_port *ports = NULL;
    size_t n = 0;

    if (conn->version == OF10 && bridge->n_ports) {
        const struct bridge_port *bp;
        ports = calloc(bridge->n_ports, sizeof *ports);
        if (!ports)
            out_of_memory("an OpenFlow request", 0);
        TAILQ_FOREACH (bp, &bridge->ports, node)
            of_port_describe(bp, &ports[n++]);
    }
    const struct of_msg reply = {
        .type = OF_FEATURES_REPLY,
        .version = conn->version,
        .xid = msg->xid,
        .features = {.datapath_id = bridge->datapath_id,
                     .n_tables = PIPELINE_TABLES,
                     .auxiliary_id = conn->auxiliary_id,
                     .capabilities = OF_CAP_FLOW_STATS | OF_CAP_TABLE_STATS | OF_CAP_PORT_STATS | OF_CAP_GROUP_STATS |
                                     OF_CAP_ARP_MATCH_IP | OF_CAP_BUNDLES | OF_CAP_FLOW_MONITORING,
                     .ports = ports,
                     .n_ports = n},
    };
    of_connection_send_msg(conn, &reply);
    free(ports);
    return 0;
}

static int handle_get_config(struct of_connection *conn, const struct of_msg *msg)
{
    const struct of_msg reply = {
        .type = OF_GET_CONFIG_REPLY,
        .version = conn->version,
        .xid = msg->xid,
        .config = {.frag = conn->server->bridge->frag_mode,
                   .invalid_ttl = conn->version < OF13 && of_async_invalid_ttl(conn),
                   .miss_send_len = conn->miss_send_len},
    };

    of_connection_send_msg(conn, &reply);
    return 0;
}

/* A slave may say what it wants to receive, but not how packets are handled (OpenFlow 1.3.5, 6.3.4). Whether it gets
 * packets with an invalid TTL is, as of OpenFlow 1.3, said by set-async alone. */
static int handle_set_config(struct of_connection *conn, const struct of_msg *msg)
{
    struct bridge *bridge = conn->server->bridge;

    if (msg->config.frag == FRAG_REASSEMBLE) /* for switches with OFPC_IP_REASM */
        return OFPERR_SCFC_BAD_FLAGS;
    if (conn->role != OF_ROLE_SLAVE && bridge->frag_mode != msg->config.frag) {
        bridge->frag_mode = msg->config.frag;
        bridge_note(bridge);
    }
    if (conn->version < OF13)
        of_async_set_invalid_ttl(conn, msg->config.invalid_ttl);
    conn->miss_send_len = msg->config.miss_send_len;
    of_server_connections_changed(conn->server);
    return 0;
}

int of_check_flow_mod(const struct flow_mod *fm)
{
    if (fm->command == FLOW_DELETE || fm->command == FLOW_DELETE_STRICT)
        return 0;
    return fm->buffer_id != OF_NO_BUFFER ? OFPERR_BRC_BUFFER_UNKNOWN : 0;
}

static int handle_flow_mod(struct of_connection *conn, const struct of_msg *msg)
{
    int error = of_check_flow_mod(&msg->flow_mod);

    if (!error && of_flow_delete_start(conn, &msg->flow_mod))
        return 0;
    return error ? error : pipeline_flow_mod(conn->server->bridge->pipeline, &msg->flow_mod);
}

static int handle_barrier(struct of_connection *conn, const struct of_msg *msg)
{
    of_barrier_start(conn, msg->xid);
    return 0;
}

static int handle_get_async(struct of_connection *conn, const struct of_msg *msg)
{
    const struct of_msg reply = {
        .type = OF_GET_ASYNC_REPLY, .version = conn->version, .xid = msg->xid, .async = conn->async};

    of_connection_send_msg(conn, &reply);
    return 0;
}

static int handle_set_async(struct of_connection *conn, const struct of_msg *msg)
{
    of_async_set(conn, &msg->async);
    of_server_connections_changed(conn->server);
    return 0;
}

static int handle_set_flow_format(struct of_connection *conn, const struct of_msg *msg)
{
    if (msg->u32 != FLOW_FORMAT_OPENFLOW10 && msg->u32 != FLOW_FORMAT_NXM)
        return OFPERR_BRC_EPERM;
    conn->decode.nxm_flow_mod = msg->u32 == FLOW_FORMAT_NXM;
    return 0;
}

static int handle_flow_mod_table_id(struct of_connection *conn, const struct of_msg *msg)
{
    conn->decode.flow_mod_table_id = msg->u32;
    return 0;
}

static int handle_set_packet_in_format(struct of_connection *conn, const struct of_msg *msg)
{
    if (msg->u32 > OF_PACKET_IN_NXT2)
        return OFPERR_BRC_EPERM;
    conn->packet_in_format = msg->u32;
    return 0;
}

static int handle_set_controller_id(struct of_connection *conn, const struct of_msg *msg)
{
    conn->controller_id = msg->u32;
    of_server_connections_changed(conn->server);
    return 0;
}

static int handle_bundle_control(struct of_connection *conn, const struct of_msg *msg)
{
    return of_bundle_control(conn, msg);
}

static int handle_bundle_add(struct of_connection *conn, const struct of_msg *msg)
{
    return of_bundle_add(conn, &msg->bundle_add);
}

static int handle_monitor_cancel(struct of_connection *conn, const struct of_msg *msg)
{
    return of_monitor_cancel(conn, msg->u32);
}

struct handler {
    int (*fn)(struct of_connection *conn, const struct of_msg *msg);
    bool changes; /* not for slaves (OpenFlow 1.3.5, 6.3.4) */
    bool rules;   /* waits while a bundle is being committed */
};

/* What has no entry is for controllers alone to receive. */
static const struct handler handlers[OF_N_MSG_TYPES] = {
    [OF_HELLO] = {ignore},
    [OF_ERROR] = {handle_error},
    [OF_ECHO_REQUEST] = {handle_echo},
    [OF_ECHO_REPLY] = {ignore},
    [OF_FEATURES_REQUEST] = {handle_features},
    [OF_GET_CONFIG_REQUEST] = {handle_get_config},
    [OF_SET_CONFIG] = {handle_set_config},
    [OF_PACKET_OUT] = {of_handle_packet_out, .changes = true},
    [OF_FLOW_MOD] = {handle_flow_mod, .changes = true, .rules = true},
    [OF_GROUP_MOD] = {of_handle_group_mod, .changes = true, .rules = true},
    [OF_METER_MOD] = {of_handle_meter_mod, .changes = true, .rules = true},
    [OF_PORT_MOD] = {of_handle_port_mod, .changes = true},
    [OF_TABLE_MOD] = {of_handle_table_mod, .changes = true, .rules = true},
    [OF_MULTIPART_REQUEST] = {of_handle_multipart},
    [OF_BARRIER_REQUEST] = {handle_barrier},
    [OF_QUEUE_GET_CONFIG_REQUEST] = {of_handle_queue_get_config},
    [OF_ROLE_REQUEST] = {of_handle_role},
    [OF_GET_ASYNC_REQUEST] = {handle_get_async},
    [OF_SET_ASYNC] = {handle_set_async},
    [OF_BUNDLE_CONTROL] = {handle_bundle_control, .changes = true},
    [OF_BUNDLE_ADD] = {handle_bundle_add, .changes = true},
    [OF_SET_FLOW_FORMAT] = {handle_set_flow_format},
    [OF_FLOW_MOD_TABLE_ID] = {handle_flow_mod_table_id},
    [OF_SET_PACKET_IN_FORMAT] = {handle_set_packet_in_format},
    [OF_SET_CONTROLLER_ID] = {handle_set_controller_id},
    [OF_RESUME] = {of_handle_resume, .changes = true},
    [OF_CT_FLUSH_ZONE] = {of_handle_ct_flush_zone, .changes = true},
    [OF_CT_FLUSH] = {of_handle_ct_flush, .changes = true},
    [OF_TLV_TABLE_MOD] = {of_handle_tlv_mod, .changes = true, .rules = true},
    [OF_TLV_TABLE_REQUEST] = {of_handle_tlv_request},
    [OF_FLOW_MONITOR_CANCEL] = {handle_monitor_cancel},
};

static int handle(struct of_connection *conn, const uint8_t *data, size_t len)
{
    struct of_msg msg;
    int error = of_msg_decode(data, len, &conn->decode, &msg);

    if (error)
        return error;
    const struct handler *handler = &handlers[msg.type];
    if (!handler->fn) {
        error = OFPERR_BRC_BAD_TYPE;
    } else if (handler->changes && conn->role == OF_ROLE_SLAVE) {
        error = OFPERR_BRC_IS_SLAVE;
    } else if (handler->rules && of_server_is_changing(conn->server)) {
        of_wait_for_commit(conn);
        error = -EAGAIN;
    } else {
        conn->server->changing = conn;
        conn->server->changing_xid = msg.xid;
        conn->server->abbreviated = false;
        error = handler->rules && of_bundle_commit_single(conn, &msg, data, len) ? 0 : handler->fn(conn, &msg);
        conn->server->changing = NULL;
        of_channel_share(conn);
        if (handler->rules)
            of_vacancy_run(conn->server);
    }
    if (error > 0)
        LOG_DBG(LOG_OPENFLOW, "%s: %s: refused a message %s", conn->server->bridge->name, conn->name,
                of_msg_type_name(msg.type));
    of_msg_free(&msg);
    return error;
}

static void forget(struct of_connection *conn)
{
    of_bundles_free(conn);
    of_buf_free(&conn->features);
}

const struct of_request_ops of_requests = {
    .handle = handle, .tick = of_bundles_tick, .run = of_bundles_bury, .forget = forget};
