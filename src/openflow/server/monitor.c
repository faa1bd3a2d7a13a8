#include "src/openflow/server/monitor.h"

#include <rte_cycles.h>
#include <stdlib.h>

#include "pmd/base/clock.h"
#include "pmd/base/log.h"
#include "pmd/base/memory.h"
#include "src/openflow/codec/msg_monitor.h"
#include "src/openflow/server/server_impl.h"
#include "src/tables/select.h"
#include "src/tables/table.h"

#define MONITORS_MAX 1024           /* a connection */
#define PAUSE_BACKLOG (1024u << 10) /* bytes unread above which it is paused ... */
#define RESUME_BACKLOG (64u << 10)  /* ... until they are fewer than this */
#define RULES_A_LOOK 32             /* rules between looks at the clock */

struct of_monitor {
    LIST_ENTRY(of_monitor) node;
    uint32_t id;
    uint16_t flags;
    uint8_t table_id;
    struct match match;
    struct rule_filter filter; /* points to `match` */
    struct selector selector;
};

static struct of_monitor *find(struct of_connection *conn, uint32_t id)
{
    struct of_monitor *monitor;

    LIST_FOREACH (monitor, &conn->monitors.list, node)
        if (monitor->id == id)
            return monitor;
    return NULL;
}

static void destroy(struct of_connection *conn, struct of_monitor *monitor)
{
    LIST_REMOVE(monitor, node);
    selector_free(&monitor->selector);
    free(monitor);
    conn->monitors.n--;
}

static struct of_monitor *create(struct of_connection *conn, const struct of_monitor_request *request)
{
    struct of_monitor *monitor = calloc(1, sizeof *monitor);

    if (!monitor)
        out_of_memory("an OpenFlow request", 0);
    monitor->id = request->id;
    monitor->flags = request->flags;
    monitor->match = request->match;
    monitor->table_id = request->table_id;
    monitor->filter = (struct rule_filter){.table_id = request->table_id,
                                           .match = &monitor->match,
                                           .out_port = request->out_port,
                                           .out_group = request->out_group};
    selector_init(&monitor->selector, &monitor->filter, false);
    LIST_INSERT_HEAD(&conn->monitors.list, monitor, node);
    conn->monitors.n++;
    return monitor;
}

void of_monitors_free(struct of_connection *conn)
{
    while (!LIST_EMPTY(&conn->monitors.list))
        destroy(conn, LIST_FIRST(&conn->monitors.list));
    if (conn->monitors.cursor)
        rule_cursor_close(conn->monitors.cursor);
    conn->monitors.cursor = NULL;
}

static bool takes(const struct of_monitor *monitor, const struct rule *rule)
{
    return (monitor->table_id == TABLE_ALL || monitor->table_id == rule->table_id) &&
           selector_takes_mask(&monitor->selector, rule->match->mask) && selector_takes(&monitor->selector, rule);
}

/* --- the initial rules --------------------------------------------------- */

struct initial {
    struct of_task task;
    struct of_multipart mp;
    struct of_buf out;
    uint32_t *ids; /* monitors whose rules are still to come */
    unsigned n, at;
    struct rule_cursor *cursor; /* of ids[at]; NULL: not begun */
};

static void initial_free(struct of_task *task)
{
    struct initial *initial = (struct initial *)task;

    if (initial->cursor)
        rule_cursor_close(initial->cursor);
    of_multipart_abort(&initial->mp);
    of_buf_free(&initial->out);
    free(initial->ids);
    free(initial);
}

/* False: that was the last. */
static bool initial_step(struct initial *initial, struct of_connection *conn)
{
    if (initial->at == initial->n)
        return false;
    const struct of_monitor *monitor = find(conn, initial->ids[initial->at]);
    if (monitor && !initial->cursor)
        initial->cursor = rule_cursor_open(conn->server->bridge->pipeline, &monitor->filter);
    const struct rule *rule = monitor ? rule_cursor_next(initial->cursor) : NULL;
    if (rule) {
        of_multipart_add_monitor_rule(&initial->mp, &initial->out,
                                      conn->version >= OF14 ? OF_MONITOR_EV_INITIAL : OF_MONITOR_EV_ADDED, rule,
                                      RULE_DELETED, monitor->flags & OF_MONITOR_INSTRUCTIONS);
        return true;
    }
    if (initial->cursor)
        rule_cursor_close(initial->cursor);
    initial->cursor = NULL;
    initial->at++;
    return true;
}

static enum of_task_state initial_run(struct of_task *task, struct of_connection *conn, uint64_t deadline)
{
    struct initial *initial = (struct initial *)task;

    do {
        for (int i = 0; i < RULES_A_LOOK; i++)
            if (!initial_step(initial, conn)) {
                of_multipart_end(&initial->mp, &initial->out);
                of_connection_send(conn, &initial->out);
                return OF_TASK_DONE;
            }
        of_connection_send(conn, &initial->out);
        if (of_connection_is_behind(conn))
            return OF_TASK_BLOCKED;
    } while (rte_rdtsc() < deadline);
    return OF_TASK_MORE;
}

/* --- requests ------------------------------------------------------------ */

static int check(struct of_connection *conn, const struct of_monitor_request *request)
{
    bool exists = find(conn, request->id);

    if (request->command == OF_MONITOR_CMD_ADD && exists)
        return OFPERR_MOFC_MONITOR_EXISTS;
    if (request->command != OF_MONITOR_CMD_ADD && !exists)
        return OFPERR_MOFC_UNKNOWN_MONITOR;
    if (request->table_id != TABLE_ALL && request->table_id >= PIPELINE_TABLES)
        return OFPERR_MOFC_BAD_TABLE_ID;
    return request->command == OF_MONITOR_CMD_ADD && conn->monitors.n >= MONITORS_MAX ? OFPERR_MOFC_UNKNOWN : 0;
}

/* Whatever was done of a request that turns out to be wrong is undone: the ids that it added. */
static void fail(struct of_connection *conn, struct initial *initial, const uint32_t *added, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        destroy(conn, find(conn, added[i]));
    initial_free(&initial->task);
}

static void apply(struct of_connection *conn, const struct of_monitor_request *request)
{
    if (request->command != OF_MONITOR_CMD_ADD)
        destroy(conn, find(conn, request->id));
    if (request->command != OF_MONITOR_CMD_DELETE)
        create(conn, request);
}

/* Several requests in one message are all additions; from OpenFlow 1.4 on there is one a message. */
static int check_body(uint8_t version, struct of_bytes body)
{
    struct of_monitor_request request;
    unsigned n = 0;
    int more;

    while ((more = of_monitor_request_next(version, &body, &request)) > 0)
        n++;
    if (more < 0)
        return -more;
    return n == 0 || (n > 1 && version >= OF14) ? OFPERR_BRC_BAD_LEN : 0;
}

int of_monitor_handle(struct of_connection *conn, const struct of_msg *msg)
{
    struct of_bytes body = msg->request.body;
    struct of_monitor_request request;
    int error = check_body(conn->version, body);

    if (error)
        return error;
    uint32_t *added = calloc(MONITORS_MAX + 1, sizeof *added);
    struct initial *initial = calloc(1, sizeof *initial);
    unsigned n_added = 0;
    if (!added || !initial || !(initial->ids = calloc(MONITORS_MAX + 1, sizeof *initial->ids)))
        out_of_memory("an OpenFlow request", 0);
    initial->task = (struct of_task){.run = initial_run, .free = initial_free};
    of_multipart_begin(&initial->mp, conn->version, msg->xid, OF_MP_FLOW_MONITOR, msg->request.nx);
    while (!error && of_monitor_request_next(conn->version, &body, &request) > 0) {
        error = check(conn, &request);
        if (error)
            break;
        apply(conn, &request);
        if (request.command == OF_MONITOR_CMD_ADD)
            added[n_added++] = request.id;
        if (request.command != OF_MONITOR_CMD_DELETE && request.flags & OF_MONITOR_INITIAL)
            initial->ids[initial->n++] = request.id;
    }
    if (error)
        fail(conn, initial, added, n_added);
    else
        of_connection_set_task(conn, &initial->task);
    free(added);
    return error;
}

int of_monitor_cancel(struct of_connection *conn, uint32_t id)
{
    struct of_monitor *monitor = find(conn, id);

    if (!monitor)
        return OFPERR_MOFC_UNKNOWN_MONITOR;
    destroy(conn, monitor);
    return 0;
}

/* --- changes ------------------------------------------------------------- */

static void send_pause(struct of_connection *conn, enum of_monitor_event event)
{
    struct of_buf buf = {0};

    of_monitor_pause_encode(&buf, conn->version, event);
    of_connection_send(conn, &buf);
    of_buf_free(&buf);
}

/* Through all monitors of the connection that take the rule: those that ask most decide how it is told. */
struct wish {
    bool any, acts, in_full;
};

static struct wish wish_of(const struct of_connection *conn, const struct rule *rule, uint16_t flag, bool own)
{
    const struct of_monitor *monitor;
    struct wish wish = {0};

    LIST_FOREACH (monitor, &conn->monitors.list, node) {
        bool no_abbrev = monitor->flags & OF_MONITOR_NO_ABBREV, only_own = monitor->flags & OF_MONITOR_ONLY_OWN;
        /* Open vSwitch has ONLY_OWN alone mean what NO_ABBREV does, and ovs-ofctl asks so (docs/openflow.md). */
        if (!(monitor->flags & flag) || (only_own && no_abbrev && !own) || !takes(monitor, rule))
            continue;
        wish.any = true;
        wish.acts |= (monitor->flags & OF_MONITOR_INSTRUCTIONS) != 0;
        wish.in_full |= !own || no_abbrev || only_own;
    }
    return wish;
}

static void send_rule(struct of_connection *conn, enum of_monitor_event event, const struct rule *rule,
                      enum rule_removed_reason reason, const struct wish *wish)
{
    struct of_multipart mp;
    struct of_buf out = {0};

    of_multipart_begin(&mp, conn->version, 0, OF_MP_FLOW_MONITOR, conn->version < OF14);
    if (wish->in_full)
        of_multipart_add_monitor_rule(&mp, &out, event, rule, reason, wish->acts);
    else
        of_multipart_add_monitor_abbrev(&mp, &out, conn->server->changing_xid);
    of_multipart_end(&mp, &out);
    of_connection_send(conn, &out);
    of_buf_free(&out);
}

/* Abbreviated: the one message stands for all that the request changed. */
static bool was_abbreviated(struct of_connection *conn)
{
    struct of_server *server = conn->server;
    bool was = server->abbreviated;

    server->abbreviated = true;
    return was;
}

static void notify(struct of_connection *conn, enum flows_rule_change change, const struct rule *rule,
                   enum rule_removed_reason reason)
{
    static const struct {
        uint16_t flag;
        enum of_monitor_event event;
    } kinds[] = {
        [FLOWS_RULE_ADDED] = {OF_MONITOR_ADD, OF_MONITOR_EV_ADDED},
        [FLOWS_RULE_MODIFIED] = {OF_MONITOR_MODIFY, OF_MONITOR_EV_MODIFIED},
        [FLOWS_RULE_REMOVED] = {OF_MONITOR_REMOVED, OF_MONITOR_EV_REMOVED},
    };
    struct of_monitors *monitors = &conn->monitors;
    bool own = conn->server->changing == conn;
    enum of_monitor_event event = kinds[change].event;
    struct wish wish = wish_of(conn, rule, kinds[change].flag, own);
    if (!wish.any)
        return;
    if (!monitors->paused_ms && of_connection_backlog(conn) > PAUSE_BACKLOG) {
        monitors->paused_ms = clock_now_ms();
        monitors->paused_version = conn->server->bridge->pipeline->version;
        send_pause(conn, OF_MONITOR_EV_PAUSED);
    }
    if (monitors->paused_ms) {
        bool known = rule->add_version <= monitors->paused_version;
        if (!monitors->cursor && (change != FLOWS_RULE_REMOVED || !known))
            return;
        /* The cursor may have passed it: what the peer does not know yet must come as new. */
        if (change == FLOWS_RULE_MODIFIED && !known)
            event = OF_MONITOR_EV_ADDED;
        wish.in_full = true;
    }
    if (wish.in_full || !was_abbreviated(conn))
        send_rule(conn, event, rule, reason, &wish);
}

void of_server_rule_changed(struct of_server *server, enum flows_rule_change change, struct rule *rule,
                            enum rule_removed_reason reason)
{
    struct of_connection *conn;

    if (rule->flags & RULE_HIDDEN)
        return;
    TAILQ_FOREACH (conn, &server->connections, node)
        if (conn->monitors.n && of_connection_is_ready(conn))
            notify(conn, change, rule, reason);
}

/* --- going on after a pause ---------------------------------------------- */

static void resume_rule(struct of_connection *conn, const struct rule *rule)
{
    const struct of_monitors *monitors = &conn->monitors;
    bool is_new = rule->add_version >= monitors->paused_version;

    if (!is_new && rule->modified_ms < monitors->paused_ms)
        return;
    struct wish wish = wish_of(conn, rule, is_new ? OF_MONITOR_ADD : OF_MONITOR_MODIFY, false);
    if (wish.any)
        send_rule(conn, is_new ? OF_MONITOR_EV_ADDED : OF_MONITOR_EV_MODIFIED, rule, RULE_DELETED, &wish);
}

bool of_monitors_run(struct of_connection *conn, uint64_t deadline)
{
    static const struct rule_filter all = {.table_id = TABLE_ALL, .out_port = OFPORT_ANY, .out_group = OFGROUP_ANY};
    struct of_monitors *monitors = &conn->monitors;

    if (!monitors->paused_ms || of_connection_backlog(conn) > (monitors->cursor ? PAUSE_BACKLOG : RESUME_BACKLOG))
        return false;
    if (!monitors->cursor)
        monitors->cursor = rule_cursor_open(conn->server->bridge->pipeline, &all);
    do {
        for (int i = 0; i < RULES_A_LOOK; i++) {
            const struct rule *rule = rule_cursor_next(monitors->cursor);
            if (rule) {
                resume_rule(conn, rule);
                continue;
            }
            rule_cursor_close(monitors->cursor);
            monitors->cursor = NULL;
            monitors->paused_ms = 0;
            send_pause(conn, OF_MONITOR_EV_RESUMED);
            return false;
        }
        if (of_connection_backlog(conn) > PAUSE_BACKLOG)
            return false;
    } while (rte_rdtsc() < deadline);
    return true;
}
