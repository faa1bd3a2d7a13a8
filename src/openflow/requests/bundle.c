#include "src/openflow/requests/bundle.h"

#include <rte_cycles.h>
#include <stdlib.h>

#include "pmd/base/clock.h"
#include "src/openflow/requests/bundle_commit.h"
#include "src/openflow/requests/handler.h"
#include "src/openflow/server/bundle_store.h"
#include "src/openflow/server/server_impl.h"

#define BUNDLES_MAX 64 /* of a connection */
#define FLAGS_KNOWN (OF_BUNDLE_ATOMIC | OF_BUNDLE_ORDERED)

struct of_bundle {
    LIST_ENTRY(of_bundle) node;
    uint32_t id;
    uint16_t flags;
    bool closed;
    uint64_t used_ms;
    struct of_bundle_store store;
};

static struct of_bundle *find(struct of_connection *conn, uint32_t id)
{
    struct of_bundle *bundle;

    LIST_FOREACH (bundle, &conn->bundles.list, node)
        if (bundle->id == id)
            return bundle;
    return NULL;
}

static void discard(struct of_connection *conn, struct of_bundle *bundle)
{
    LIST_REMOVE(bundle, node);
    conn->bundles.n--;
    of_bundle_store_bury(&bundle->store, &conn->server->dead_bundles);
    free(bundle);
}

void of_bundles_free(struct of_connection *conn)
{
    while (!LIST_EMPTY(&conn->bundles.list))
        discard(conn, LIST_FIRST(&conn->bundles.list));
}

bool of_bundles_bury(struct of_server *server, uint64_t deadline)
{
    size_t freed;

    do {
        freed = of_bundle_store_free_some(&server->dead_bundles);
        server->bundle_bytes -= freed;
    } while (freed && rte_rdtsc() < deadline);
    return server->dead_bundles.first;
}

static void send_timeout(struct of_connection *conn, const struct of_bundle *bundle)
{
    const struct of_msg request = {.type = OF_BUNDLE_CONTROL,
                                   .version = conn->version,
                                   .bundle_control = {.bundle_id = bundle->id, .flags = bundle->flags}};
    struct of_buf buf = {0};

    of_msg_encode(&request, &buf);
    of_connection_send_error(conn, OFPERR_BFC_TIMEOUT, buf.data, buf.len);
    of_buf_free(&buf);
}

void of_bundles_tick(struct of_connection *conn, uint64_t now_ms)
{
    uint64_t idle_ms = conn->server->bundle_idle_ms; /* then OFPBFC_TIMEOUT */
    struct of_bundle *next;

    /* What the connection still has to say may be about one of them. */
    if (conn->task || now_ms - conn->active_ms < idle_ms)
        return;
    for (struct of_bundle *bundle = LIST_FIRST(&conn->bundles.list); bundle; bundle = next) {
        next = LIST_NEXT(bundle, node);
        if (now_ms - bundle->used_ms < idle_ms)
            continue;
        send_timeout(conn, bundle);
        discard(conn, bundle);
    }
}

static int check_flags(const struct of_connection *conn, uint16_t flags)
{
    /* OpenFlow 1.5.1, 7.3.9.8 */
    if (conn->version >= OF15 && flags & OF_BUNDLE_TIME)
        return OFPERR_BFC_SCHED_NOT_SUPPORTED;
    return flags & ~FLAGS_KNOWN ? OFPERR_BFC_BAD_FLAGS : 0;
}

/* Returns 0 or an enum of_error. */
static int create(struct of_connection *conn, uint32_t id, uint16_t flags, struct of_bundle **bundle)
{
    int error = check_flags(conn, flags);

    if (error)
        return error;
    if (conn->bundles.n >= BUNDLES_MAX || !(*bundle = calloc(1, sizeof **bundle)))
        return OFPERR_BFC_OUT_OF_BUNDLES;
    (*bundle)->id = id;
    (*bundle)->flags = flags;
    LIST_INSERT_HEAD(&conn->bundles.list, *bundle, node);
    conn->bundles.n++;
    return 0;
}

/* OpenFlow 1.4.1, 7.3.9.4: a bundle that is used wrongly is discarded. */
static int refuse(struct of_connection *conn, struct of_bundle *bundle, int error)
{
    discard(conn, bundle);
    return error;
}

static int check_open(const struct of_connection *conn, const struct of_bundle *bundle, uint16_t flags)
{
    if (bundle->closed)
        return OFPERR_BFC_BUNDLE_CLOSED;
    return bundle->flags == flags ? 0 : OFPERR_BFC_BAD_FLAGS;
}

int of_bundle_control(struct of_connection *conn, const struct of_msg *msg)
{
    const struct of_bundle_control *control = &msg->bundle_control;
    struct of_bundle *bundle = find(conn, control->bundle_id);
    int error;

    if (bundle)
        bundle->used_ms = clock_now_ms();
    switch (control->type) {
    case OF_BUNDLE_OPEN_REQUEST:
        if (bundle)
            return refuse(conn, bundle, OFPERR_BFC_BAD_ID);
        if ((error = create(conn, control->bundle_id, control->flags, &bundle)))
            return error;
        bundle->used_ms = clock_now_ms();
        break;
    case OF_BUNDLE_CLOSE_REQUEST:
        if (!bundle)
            return OFPERR_BFC_BAD_ID;
        if ((error = check_open(conn, bundle, control->flags)))
            return refuse(conn, bundle, error);
        bundle->closed = true;
        break;
    case OF_BUNDLE_COMMIT_REQUEST:
        if (!bundle)
            return OFPERR_BFC_BAD_ID;
        if ((error = check_flags(conn, control->flags)))
            return refuse(conn, bundle, error);
        if (bundle->flags != control->flags)
            return refuse(conn, bundle, OFPERR_BFC_BAD_FLAGS);
        of_bundle_commit_start(conn, msg, &bundle->store);
        discard(conn, bundle);
        return 0;
    case OF_BUNDLE_DISCARD_REQUEST:
        if (!bundle)
            return OFPERR_BFC_BAD_ID;
        discard(conn, bundle);
        break;
    default:
        return OFPERR_BFC_BAD_TYPE;
    }
    struct of_msg reply = *msg;
    reply.bundle_control.type = control->type + 1;
    of_connection_send_msg(conn, &reply);
    return 0;
}

/* Refuses now what can be refused without looking at the tables. */
static int check(struct of_connection *conn, const struct of_msg *msg)
{
    int error = 0;

    if (msg->type == OF_FLOW_MOD)
        error = of_check_flow_mod(&msg->flow_mod);
    else if (msg->type == OF_PORT_MOD)
        error = of_check_port_mod(conn, &msg->port_mod);
    else if (msg->type == OF_TABLE_MOD)
        error = of_check_table_mod(&msg->table_mod, conn->version);
    else if (msg->type == OF_PACKET_OUT)
        error = of_check_packet_out(conn, &msg->packet_out);
    else if (msg->type != OF_GROUP_MOD && msg->type != OF_METER_MOD)
        error = OFPERR_BFC_MSG_UNSUP;
    if (error == OFPERR_BAC_BAD_OUT_GROUP || error == OFPERR_BAC_BAD_METER) /* the bundle may make it */
        error = 0;
    return error;
}

static int keep(struct of_connection *conn, struct of_bundle *bundle, const struct of_bundle_add *add)
{
    struct of_server *server = conn->server;
    size_t before = bundle->store.bytes;
    struct of_msg msg;
    int error = of_msg_decode(add->msg, add->msg_len, &conn->decode, &msg);

    if (error)
        return error;
    error = check(conn, &msg);
    if (!error && (server->bundle_bytes + add->msg_len > server->bundle_bytes_max ||
                   !of_bundle_store_add(&bundle->store, add->msg, add->msg_len)))
        error = OFPERR_BFC_MSG_TOO_MANY;
    if (!error)
        of_bundle_store_hold(&bundle->store, &msg);
    server->bundle_bytes += bundle->store.bytes - before;
    of_msg_free(&msg);
    return error;
}

int of_bundle_add(struct of_connection *conn, const struct of_bundle_add *add)
{
    struct of_bundle *bundle = find(conn, add->bundle_id);
    int error;

    if (bundle && (error = check_open(conn, bundle, add->flags)))
        return refuse(conn, bundle, error);
    /* OpenFlow 1.4.1, 7.3.9.6: the first message may open the bundle. */
    if (!bundle && (error = create(conn, add->bundle_id, add->flags, &bundle)))
        return error;
    bundle->used_ms = clock_now_ms();
    return keep(conn, bundle, add);
}
