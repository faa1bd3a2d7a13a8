#include "src/openflow/server/async.h"

#include <rte_common.h>
#include <string.h>

#include "pmd/base/clock.h"
#include "src/openflow/server/describe.h"
#include "src/openflow/server/server_impl.h"

/* Bytes unsent above which a connection gets no more of these messages. Far above what a controller that reads is ever
 * behind: it counts on each of them. */
#define ASYNC_BACKLOG (16u << 20)

#define BIT(n) (1u << (n))
#define ALL_PORT_REASONS (BIT(OF_PORT_ADD) | BIT(OF_PORT_DELETE) | BIT(OF_PORT_MODIFY))
#define ROLE_MASTER_REQUEST 0                  /* OFPCRR_ */
enum { FORWARD_GROUP_MOD, FORWARD_METER_MOD }; /* OFPRFR_* */
#define TABLE_REASONS (BIT(3) | BIT(4))        /* OFPTR_VACANCY_DOWN, UP */

/* OpenFlow 1.3.5, 7.3.10 leaves the defaults to the switch; these are Open vSwitch's. */
struct of_async of_async_default(uint8_t version)
{
    struct of_async async = {
        .packet_in = {BIT(OF_REASON_NO_MATCH) | BIT(OF_REASON_ACTION)},
        .port_status = {ALL_PORT_REASONS, ALL_PORT_REASONS},
        .flow_removed = {BIT(RULE_IDLE_TIMEOUT) | BIT(RULE_HARD_TIMEOUT) | BIT(RULE_DELETED)},
    };

    if (version >= OF13)
        async.flow_removed[0] |= BIT(RULE_GROUP_DELETED);
    if (version >= OF14) {
        async.packet_in[0] |= BIT(OF_REASON_ACTION_SET) | BIT(OF_REASON_GROUP) | BIT(OF_REASON_PACKET_OUT);
        async.flow_removed[0] |= BIT(RULE_METER_DELETED) | BIT(RULE_EVICTED);
        async.role_status[0] = async.role_status[1] = BIT(ROLE_MASTER_REQUEST);
        async.table_status[0] = TABLE_REASONS;
    }
    if (version >= OF15)
        async.flow_stats[0] = BIT(OF_STATS_TRIGGER);
    return async;
}

void of_async_set_invalid_ttl(struct of_connection *conn, bool wanted)
{
    uint32_t *mask = &conn->async.packet_in[0];

    *mask = wanted ? *mask | BIT(OF_REASON_INVALID_TTL) : *mask & ~BIT(OF_REASON_INVALID_TTL);
}

bool of_async_invalid_ttl(const struct of_connection *conn)
{
    return conn->async.packet_in[0] & BIT(OF_REASON_INVALID_TTL);
}

/* The property types of OpenFlow 1.4.1, 7.3.10: even numbers are for slaves, odd ones for master and equal. */
enum {
    PROP_PACKET_IN = 0,
    PROP_PORT_STATUS = 2,
    PROP_FLOW_REMOVED = 4,
    PROP_ROLE = 6,
    PROP_TABLE = 8,
    PROP_REQUEST = 10,
    PROP_FLOW_STATS = 12,
    PROP_CONTROLLER = 14
};

static void set_masks(uint32_t to[2], const uint32_t from[2], const struct of_async *async, int property)
{
    for (int slave = 0; slave < 2; slave++)
        if (!async->partial || async->present & BIT(property + !slave))
            to[slave] = from[slave];
}

void of_async_set(struct of_connection *conn, const struct of_async *async)
{
    struct of_async *to = &conn->async;

    set_masks(to->packet_in, async->packet_in, async, PROP_PACKET_IN);
    set_masks(to->port_status, async->port_status, async, PROP_PORT_STATUS);
    set_masks(to->flow_removed, async->flow_removed, async, PROP_FLOW_REMOVED);
    if (conn->version < OF14)
        return;
    set_masks(to->role_status, async->role_status, async, PROP_ROLE);
    set_masks(to->table_status, async->table_status, async, PROP_TABLE);
    set_masks(to->requestforward, async->requestforward, async, PROP_REQUEST);
    if (conn->version < OF15)
        return;
    set_masks(to->flow_stats, async->flow_stats, async, PROP_FLOW_STATS);
    set_masks(to->controller_status, async->controller_status, async, PROP_CONTROLLER);
}

bool of_async_takes(const struct of_connection *conn, const uint32_t masks[2], unsigned reason)
{
    return of_connection_is_ready(conn) && !conn->auxiliary_id &&
           (conn->kind == OF_KIND_CONTROLLER || conn->miss_send_len) &&
           masks[conn->role == OF_ROLE_SLAVE] & BIT(reason);
}

bool of_async_wants_misses(const struct of_connection *conn)
{
    return conn->version < OF13 && conn->controller_id == 0 &&
           of_async_takes(conn, conn->async.packet_in, OF_REASON_NO_MATCH);
}

static void send(struct of_connection *conn, const struct of_msg *msg)
{
    if (of_connection_backlog(conn) > ASYNC_BACKLOG)
        conn->counts.async_dropped++;
    else
        of_connection_send_msg(conn, msg);
}

void of_async_role_status(struct of_connection *conn)
{
    if (conn->version < OF14 || !of_async_takes(conn, conn->async.role_status, ROLE_MASTER_REQUEST))
        return;
    const struct of_msg msg = {.type = OF_ROLE_STATUS,
                               .version = conn->version,
                               .role = {.role = conn->role,
                                        .reason = ROLE_MASTER_REQUEST,
                                        .has_generation_id = conn->server->generation_known,
                                        .generation_id = conn->server->generation_id}};
    send(conn, &msg);
}

/* OpenFlow 1.4 has no commands on single buckets: there the group is modified to what it has become. False: it is gone
 * again. */
static bool as_modify(const struct of_server *server, struct group_mod *mod)
{
    const struct group *group = group_table_find(pipeline_groups(server->bridge->pipeline), mod->group_id);

    if (!group)
        return false;
    *mod = (struct group_mod){.command = GROUP_MODIFY,
                              .type = group->type,
                              .group_id = group->id,
                              .buckets = group->buckets,
                              .n_buckets = group->n_buckets};
    return true;
}

static void forward(struct of_connection *to, const struct of_msg *request)
{
    struct of_msg inner = *request;
    struct of_buf buf = {0};

    inner.version = to->version;
    if (inner.type == OF_GROUP_MOD && to->version < OF15 &&
        (inner.group_mod.command == GROUP_INSERT_BUCKET || inner.group_mod.command == GROUP_REMOVE_BUCKET) &&
        !as_modify(to->server, &inner.group_mod))
        return;
    of_msg_encode(&inner, &buf);
    if (!buf.len)
        return;
    const struct of_msg msg = {
        .type = OF_REQUESTFORWARD, .version = to->version, .requestforward = {buf.data, buf.len}};
    send(to, &msg);
    of_buf_free(&buf);
}

void of_async_requestforward(struct of_connection *conn, const struct of_msg *request)
{
    struct of_connection *other;
    unsigned reason = request->type == OF_GROUP_MOD ? FORWARD_GROUP_MOD : FORWARD_METER_MOD;

    TAILQ_FOREACH (other, &conn->server->connections, node)
        if (!of_channel_is_same(other, conn) && other->version >= OF14 &&
            of_async_takes(other, other->async.requestforward, reason))
            forward(other, request);
}

void of_async_table_status(struct of_server *server, const struct of_table_status *status)
{
    struct of_connection *conn;
    struct of_msg msg = {.type = OF_TABLE_STATUS, .table_status = *status};

    TAILQ_FOREACH (conn, &server->connections, node) {
        if (conn->version < OF14 || !of_async_takes(conn, conn->async.table_status, status->reason))
            continue;
        msg.version = conn->version;
        send(conn, &msg);
    }
}

void of_controller_describe(const struct of_connection *conn, enum of_controller_status_reason reason,
                            struct of_controller_status *status)
{
    *status = (struct of_controller_status){.short_id = conn->short_id,
                                            .role = conn->role,
                                            .reason = reason,
                                            .is_down = !of_connection_is_ready(conn),
                                            .uri = conn->name,
                                            .uri_len = strlen(conn->name)};
}

void of_async_controller_status(struct of_connection *conn, enum of_controller_status_reason reason)
{
    struct of_connection *other;
    struct of_msg msg = {.type = OF_CONTROLLER_STATUS};

    if (of_connection_is_tool(conn) || conn->auxiliary_id)
        return;
    of_controller_describe(conn, reason, &msg.controller_status);
    TAILQ_FOREACH (other, &conn->server->connections, node) {
        if (of_channel_is_same(other, conn) || other->version < OF15 ||
            !of_async_takes(other, other->async.controller_status, reason))
            continue;
        msg.version = other->version;
        send(other, &msg);
    }
}

/* --- the others ---------------------------------------------------------- */

void of_server_rule_gone(struct of_server *server, struct rule *rule, enum rule_removed_reason reason)
{
    struct of_connection *conn;
    bool filled = false;
    struct of_msg msg;

    if (!(rule->flags & RULE_SEND_FLOW_REM) || rule->flags & RULE_HIDDEN)
        return;
    TAILQ_FOREACH (conn, &server->connections, node) {
        /* Below OpenFlow 1.4 the later reasons are a plain deletion, as the message says. */
        if (!of_async_takes(conn, conn->async.flow_removed,
                            conn->version < OF14 && reason > RULE_GROUP_DELETED ? RULE_DELETED : reason))
            continue;
        if (!filled) {
            filled = true;
            uint64_t age_ms = clock_now_ms() - rule->created_ms;
            msg = (struct of_msg){.type = OF_FLOW_REMOVED,
                                  .flow_removed = {.table_id = rule->table_id,
                                                   .priority = rule->priority,
                                                   .reason = reason,
                                                   .cookie = rule->cookie,
                                                   .duration_s = age_ms / 1000,
                                                   .duration_ns = age_ms % 1000 * 1000000,
                                                   .idle_timeout_s = rule->idle_timeout_s,
                                                   .hard_timeout_s = rule->hard_timeout_s,
                                                   .packets = rule->packets,
                                                   .bytes = rule->bytes}};
            rule_match(rule, &msg.flow_removed.match);
        }
        msg.version = conn->version;
        msg.flow_removed.nxm = conn->decode.nxm_flow_mod;
        send(conn, &msg);
    }
}

/* OpenFlow 1.5.1, 7.3.5.3: a reply of flow statistics that nobody asked for. */
void of_server_rule_triggered(struct of_server *server, struct rule *rule)
{
    struct of_connection *conn;

    TAILQ_FOREACH (conn, &server->connections, node) {
        if (conn->version < OF15 || !of_async_takes(conn, conn->async.flow_stats, OF_STATS_TRIGGER))
            continue;
        if (of_connection_backlog(conn) > ASYNC_BACKLOG) {
            conn->counts.async_dropped++;
            continue;
        }
        struct of_multipart mp;
        struct of_buf buf = {0};
        struct of_flow_stats stats;
        struct match match;
        of_rule_describe(rule, clock_now_ms(), &match, &stats);
        stats.reason = OF_STATS_TRIGGER;
        of_multipart_begin(&mp, conn->version, 0, OF_MP_FLOW_STATS, false);
        of_multipart_add_flow(&mp, &buf, &stats);
        of_multipart_end(&mp, &buf);
        of_connection_send(conn, &buf);
        of_buf_free(&buf);
    }
}

void of_async_port_status(struct of_server *server, struct bridge_port *bp, enum of_port_reason reason)
{
    struct of_connection *conn;
    struct of_msg msg = {.type = OF_PORT_STATUS, .port_status = {.reason = reason}};

    of_port_describe(bp, &msg.port_status.port);
    TAILQ_FOREACH (conn, &server->connections, node) {
        if (!of_async_takes(conn, conn->async.port_status, reason))
            continue;
        msg.version = conn->version;
        send(conn, &msg);
    }
}
