#include "src/openflow/server/connection.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/util.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <rte_common.h>
#include <rte_cycles.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/clock.h"
#include "pmd/base/log.h"
#include "src/net/transport.h"
#include "src/openflow/server/server_impl.h"
#include "src/openflow/server/snoop.h"

#define ACCEPTED_MAX 128       /* connections of each kind of listening socket: one cannot fill up the other */
#define INPUT_MAX (128u << 10) /* bytes read ahead (twice that at most): always room for a whole message */
#define READ_ON (32u << 10)
#define OUTPUT_HIGH (256u << 10)  /* requests wait above it ... */
#define OUTPUT_LOW (64u << 10)    /* ... until it is below this */
#define OUTPUT_INSANE (64u << 20) /* asynchronous messages that nobody reads: the connection is closed */
#define TYPE_HELLO 0              /* in all versions */
#define TYPE_ERROR 1
#define SETUP_TIMEOUT_MS 5000 /* to connect, and to say hello */

static bool is_primary(const struct of_connection *conn)
{
    return conn->kind == OF_KIND_CONTROLLER && !conn->auxiliary_id;
}

static void log_down(const struct of_connection *conn, const char *why)
{
    const char *bridge = conn->server->bridge->name;

    if (!why[0])
        return;
    if (!is_primary(conn))
        LOG_DBG(LOG_OPENFLOW, "%s: %s: closed: %s", bridge, conn->name, why);
    else if (conn->version)
        LOG_INFO(LOG_OPENFLOW, "%s: controller %s: disconnected: %s", bridge, conn->name, why);
    else
        LOG_INFO_RL(LOG_OPENFLOW, "%s: controller %s: not connected: %s", bridge, conn->name, why);
}

static void close_without_log(struct of_connection *conn, const char *why)
{
    /* What was answered last, an error mostly, still reaches the peer if the socket has room. */
    transport_close(conn->bev, conn->connected);
    conn->bev = NULL;
    if (conn->link) {
        of_link_down(conn->link, why);
        conn->link = NULL;
    }
    if (conn->version)
        of_async_controller_status(conn, OF_CSR_CHANNEL);
    of_server_connections_changed(conn->server);
    of_server_kick(conn->server);
}

void of_connection_close(struct of_connection *conn, const char *why)
{
    if (!conn->bev)
        return;
    log_down(conn, why);
    close_without_log(conn, why);
}

/* True: nothing is left of the request that was under way. */
static bool end_task(struct of_connection *conn, uint64_t deadline)
{
    struct of_task *task = conn->task;

    if (!task)
        return true;
    if (task->end && !task->end(task, conn, deadline))
        return false;
    task->free(task);
    conn->task = NULL;
    return true;
}

bool of_connections_reap(struct of_server *server, uint64_t deadline)
{
    struct of_connection *next;
    bool more = false;

    for (struct of_connection *conn = TAILQ_FIRST(&server->connections); conn; conn = next) {
        next = TAILQ_NEXT(conn, node);
        if (conn->bev)
            continue;
        if (!end_task(conn, deadline)) {
            more = true;
            continue;
        }
        conn->server->requests->forget(conn);
        of_monitors_free(conn);
        TAILQ_REMOVE(&server->connections, conn, node);
        server->n_connections[conn->kind]--;
        free(conn);
    }
    return more;
}

/* --- events of the socket ------------------------------------------------ */

static void note_activity(struct of_connection *conn)
{
    conn->active_ms = clock_now_ms();
}

/* Reads on as long as there is room. Not by a high watermark: libevent calls the read callback again and again while
 * the input is above it, and does nothing else. */
static void pace_input(struct of_connection *conn)
{
    bool reads = bufferevent_get_enabled(conn->bev) & EV_READ;
    bool room = evbuffer_get_length(bufferevent_get_input(conn->bev)) < INPUT_MAX;

    if (reads && !room)
        bufferevent_disable(conn->bev, EV_READ);
    else if (!reads && room && !conn->eof)
        bufferevent_enable(conn->bev, EV_READ);
}

static void on_read(struct bufferevent *bev, void *arg)
{
    struct of_connection *conn = arg;

    note_activity(conn);
    transport_read_on(bev, READ_ON);
    pace_input(conn);
    conn->probing = false;
    of_server_kick(conn->server);
}

static void on_write(struct bufferevent *bev, void *arg)
{
    struct of_connection *conn = arg;

    if (!conn->probing)
        note_activity(conn);
    if (!evbuffer_get_length(bufferevent_get_output(bev)))
        transport_hold(bev);
    if (conn->task || conn->eof || evbuffer_get_length(bufferevent_get_input(bev)))
        of_server_kick(conn->server);
}

/* TLS came to nothing, which is for the operator to know whoever connected. A controller that is tried every second
 * must not take the lines of those that connect. */
static void refuse_tls(struct of_connection *conn, const char *why)
{
    static struct log_limit accepted = LOG_LIMIT_INIT(10, 12), made = LOG_LIMIT_INIT(10, 12);

    conn->server->tls_refused++;
    log_write_limited(LOG_OPENFLOW, RTE_LOG_WARNING, conn->link ? &made : &accepted, "%s: %s: no TLS connection: %s",
                      conn->server->bridge->name, conn->name, why);
    close_without_log(conn, why);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    struct of_connection *conn = arg;
    char why[256];

    if (what & BEV_EVENT_CONNECTED) {
        of_connection_start(conn);
    } else if (what & BEV_EVENT_EOF && conn->connected) {
        conn->eof = true; /* what it has sent is still answered */
        of_server_kick(conn->server);
    } else if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR)) {
        if (transport_explain(bev, why, sizeof why) && !conn->version)
            refuse_tls(conn, why);
        else
            of_connection_close(conn, why);
    }
}

struct of_connection *of_connection_create(struct of_server *server, enum of_connection_kind kind, int fd, bool tls,
                                           const char *name)
{
    bool full = kind != OF_KIND_CONTROLLER && server->n_connections[kind] >= ACCEPTED_MAX;
    struct of_connection *conn = full ? NULL : calloc(1, sizeof *conn);

    if (!conn)
        return NULL;
    conn->bev = transport_create(server->base, fd, tls ? server->tls : NULL);
    if (!conn->bev) {
        free(conn);
        return NULL;
    }
    conn->server = server;
    conn->kind = kind;
    conn->tls = tls;
    conn->role = OF_ROLE_EQUAL;
    conn->active_ms = conn->changed_ms = clock_now_ms();
    for (int i = 0; i < 2; i++)
        of_rate_limit_init(&conn->packet_in_rate[i], UINT32_MAX, conn->active_ms); /* full, whatever the burst */
    snprintf(conn->name, sizeof conn->name, "%s", name);
    /* As ovs-vswitchd: who connects to a listening socket gets no asynchronous messages before it has set a length. */
    conn->miss_send_len = kind == OF_KIND_CONTROLLER ? OF_DEFAULT_MISS_SEND_LEN : 0;
    bufferevent_setcb(conn->bev, on_read, on_write, on_event, conn);
    bufferevent_setwatermark(conn->bev, EV_WRITE, OUTPUT_LOW, 0);
    bufferevent_set_max_single_read(conn->bev, INPUT_MAX);
    bufferevent_set_max_single_write(conn->bev, OUTPUT_HIGH);
    bufferevent_enable(conn->bev, EV_READ | EV_WRITE);
    TAILQ_INSERT_TAIL(&server->connections, conn, node);
    server->n_connections[kind]++;
    return conn;
}

static uint32_t versions_of(const struct of_connection *conn)
{
    return conn->link ? of_link_versions(conn->link) : conn->server->versions;
}

void of_connection_start(struct of_connection *conn)
{
    struct of_buf hello = {0};
    int one = 1;

    conn->connected = true;
    note_activity(conn);
    transport_hold(conn->bev);
    /* Fails on a Unix socket, which has no such delay. */
    (void)setsockopt(bufferevent_getfd(conn->bev), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    of_hello_encode(versions_of(conn), 0, &hello);
    of_connection_send(conn, &hello);
    of_buf_free(&hello);
}

void of_connection_tick(struct of_connection *conn, uint64_t now_ms)
{
    if (!conn->bev)
        return;
    uint64_t silent = now_ms > conn->active_ms ? now_ms - conn->active_ms : 0;
    uint32_t probe = of_connection_is_tool(conn) ? 0 : of_connection_limits(conn)->inactivity_probe_ms;
    if (!conn->version) {
        if (silent > SETUP_TIMEOUT_MS && conn->tls && !conn->connected && conn->kind != OF_KIND_CONTROLLER)
            refuse_tls(conn, "no handshake in 5 s");
        else if (silent > SETUP_TIMEOUT_MS)
            of_connection_close(conn, conn->connected ? "no hello in 5 s" : "no answer in 5 s");
        return;
    }
    conn->server->requests->tick(conn, now_ms);
    if (!probe || !conn->bev)
        return;
    if (conn->probing && silent >= 2 * (uint64_t)probe) {
        of_connection_close(conn, "no answer to an echo request");
    } else if (!conn->probing && silent >= probe) {
        const struct of_msg echo = {.type = OF_ECHO_REQUEST, .version = conn->version};
        conn->probing = true;
        if (!of_connection_is_behind(conn)) /* then what is under way is probe enough */
            of_connection_send_msg(conn, &echo);
    }
}

const struct of_limits *of_connection_limits(const struct of_connection *conn)
{
    return conn->link ? of_link_limits(conn->link) : &conn->server->limits;
}

const char *of_version_name(uint8_t version)
{
    switch (version) {
    case OF10:
        return "OpenFlow 1.0";
    case OF13:
        return "OpenFlow 1.3";
    case OF14:
        return "OpenFlow 1.4";
    case OF15:
        return "OpenFlow 1.5";
    default:
        return "no version yet";
    }
}

/* --- output -------------------------------------------------------------- */

/* -1: they are not whole messages, one behind the other. */
static int count_messages(const struct of_buf *buf)
{
    int n = 0;

    for (size_t at = 0; at < buf->len; n++) {
        struct of_header header;
        if (buf->len - at < OF_HEADER_LEN || of_header_parse(buf->data + at, &header) || header.length > buf->len - at)
            return -1;
        at += header.length;
    }
    return n;
}

void of_connection_send(struct of_connection *conn, struct of_buf *buf)
{
    int n = conn->bev ? count_messages(buf) : 0;

    if (conn->bev && of_connection_backlog(conn) > OUTPUT_INSANE) {
        of_connection_close(conn, "64 MB of messages unread");
    } else if (n < 0) { /* the peer could not find the next message either */
        LOG_ERR(LOG_OPENFLOW, "%s: %s: closed: an encoder made a malformed message; please report this",
                conn->server->bridge->name, conn->name);
        of_connection_close(conn, "a malformed message was to be sent");
    } else if (conn->bev && buf->len) {
        conn->counts.tx_messages += n;
        bufferevent_write(conn->bev, buf->data, buf->len);
        of_snoop(conn, buf->data, buf->len);
        conn->backlog_max = RTE_MAX(conn->backlog_max, of_connection_backlog(conn));
        if (!conn->server->running) /* whose end flushes */
            of_server_kick(conn->server);
    }
    buf->len = 0;
}

void of_connection_send_msg(struct of_connection *conn, const struct of_msg *msg)
{
    struct of_buf buf = {0};

    of_msg_encode(msg, &buf);
    of_connection_send(conn, &buf);
    of_buf_free(&buf);
}

void of_connection_send_error(struct of_connection *conn, enum of_error error, const void *message, size_t len)
{
    struct of_buf buf = {0};

    LOG_DBG(LOG_OPENFLOW, "%s: %s: sent error %s (%s)", conn->server->bridge->name, conn->name, of_error_name(error),
            of_error_text(error));
    of_error_encode(error, conn->version, message, len, &buf);
    of_connection_send(conn, &buf);
    of_buf_free(&buf);
    conn->counts.errors_sent++;
}

void of_connection_flush(struct of_connection *conn)
{
    if (conn->bev && conn->connected && transport_flush(conn->bev) && !conn->probing)
        note_activity(conn);
}

size_t of_connection_backlog(const struct of_connection *conn)
{
    return conn->bev ? evbuffer_get_length(bufferevent_get_output(conn->bev)) : 0;
}

bool of_connection_is_behind(const struct of_connection *conn)
{
    return of_connection_backlog(conn) > OUTPUT_HIGH;
}

bool of_connection_is_ready(const struct of_connection *conn)
{
    return conn->bev && conn->version;
}

void of_connection_set_task(struct of_connection *conn, struct of_task *task)
{
    conn->task = task;
}

/* --- input --------------------------------------------------------------- */

/* OpenFlow 1.3.5, 7.5.1 and 6.3.1: the highest version that both have, or HELLO_FAILED with a text. */
static void handle_hello(struct of_connection *conn, const uint8_t *message, size_t len)
{
    struct of_msg hello;
    char why[128];

    if (of_msg_decode(message, len, NULL, &hello)) {
        of_connection_close(conn, "a malformed hello");
        return;
    }
    conn->version = of_hello_negotiate(versions_of(conn), &hello);
    if (!conn->version) {
        snprintf(why, sizeof why, "no common version: the peer offers none of OpenFlow 1.0, 1.3, 1.4 and 1.5");
        const struct of_msg failed = {
            .type = OF_ERROR,
            .version = RTE_MIN(message[0], (uint8_t)OF15),
            .xid = hello.xid,
            .error = {.error = OFPERR_HFC_INCOMPATIBLE, .data = (const uint8_t *)why, .data_len = strlen(why)}};
        of_connection_send_msg(conn, &failed);
        conn->counts.errors_sent++;
        of_connection_close(conn, why);
    } else {
        if (!conn->link || !of_link_is_quiet(conn->link))
            conn->async = of_async_default(conn->version);
        if (is_primary(conn))
            LOG_INFO(LOG_OPENFLOW, "%s: controller %s: connected, %s", conn->server->bridge->name, conn->name,
                     of_version_name(conn->version));
        conn->changed_ms = clock_now_ms();
        if (conn->link)
            of_link_up(conn->link);
        of_async_controller_status(conn, OF_CSR_CHANNEL);
        of_server_connections_changed(conn->server);
    }
    of_msg_free(&hello);
}

/* Copies the next whole message into the server's scratch buffer. Returns its length, 0 if there is none (yet), after
 * an error in the framing too. */
static size_t next_message(struct of_connection *conn)
{
    struct evbuffer *in = bufferevent_get_input(conn->bev);
    uint8_t *message = conn->server->scratch;
    char why[96];
    struct of_header header;

    if (evbuffer_copyout(in, message, OF_HEADER_LEN) < (ssize_t)OF_HEADER_LEN)
        return 0;
    if (of_header_parse(message, &header)) {
        snprintf(why, sizeof why, "a message of length %u, less than its header", header.length);
        of_connection_close(conn, why);
        return 0;
    }
    if (evbuffer_get_length(in) < header.length)
        return 0;
    evbuffer_copyout(in, message, header.length);
    return header.length;
}

/* True: taken, go on. False: closed, or left where it is. */
static bool take_message(struct of_connection *conn, const uint8_t *message, size_t len)
{
    char why[96];

    if (!conn->shown) { /* it may come here again */
        conn->shown = true;
        of_snoop(conn, message, len);
    }
    if (!conn->version) {
        if (message[1] != TYPE_HELLO) {
            snprintf(why, sizeof why, "the first message is of type %u, not a hello", message[1]);
            of_connection_close(conn, why);
            return false;
        }
        handle_hello(conn, message, len);
    } else if (conn->kind == OF_KIND_SNOOP) {
        LOG_DBG(LOG_OPENFLOW, "%s: %s: passed over a message of type %u", conn->server->bridge->name, conn->name,
                message[1]);
    } else if (message[0] != conn->version) {
        LOG_INFO_RL(LOG_OPENFLOW, "%s: %s: refused a message of version 0x%02x on a connection of version 0x%02x",
                    conn->server->bridge->name, conn->name, message[0], conn->version);
        if (message[1] != TYPE_ERROR) /* two that answer errors would never end */
            of_connection_send_error(conn, OFPERR_BRC_BAD_VERSION, message, len);
    } else {
        int error = conn->server->requests->handle(conn, message, len);
        if (error == -EAGAIN)
            return false;
        if (error > 0)
            of_connection_send_error(conn, error, message, len);
    }
    conn->counts.rx_messages++;
    conn->server->served = true;
    conn->shown = false;
    if (!conn->bev)
        return false;
    evbuffer_drain(bufferevent_get_input(conn->bev), len);
    pace_input(conn);
    return true;
}

static enum of_task_state run_task(struct of_connection *conn, uint64_t deadline)
{
    struct of_task *task = conn->task;
    enum of_task_state state = task->run(task, conn, deadline);

    if (state == OF_TASK_DONE) {
        conn->task = NULL;
        task->free(task);
        conn->server->served = true;
    }
    return state;
}

enum of_task_state of_connection_run(struct of_connection *conn, uint64_t deadline)
{
    while (conn->bev && conn->connected) {
        if (of_connection_is_behind(conn)) {
            of_connection_flush(conn);
            if (of_connection_is_behind(conn))
                return OF_TASK_BLOCKED;
        }
        if (conn->task) {
            enum of_task_state state = run_task(conn, deadline);
            if (state == OF_TASK_WAIT || state == OF_TASK_BLOCKED)
                return state;
        } else {
            size_t len = next_message(conn);
            if (!len)
                break;
            if (!take_message(conn, conn->server->scratch, len))
                return conn->bev ? OF_TASK_WAIT : OF_TASK_DONE;
        }
        if (rte_rdtsc() >= deadline)
            return OF_TASK_MORE;
    }
    of_connection_flush(conn);
    if (conn->bev && conn->eof && !of_connection_backlog(conn))
        of_connection_close(conn, "by the peer");
    return OF_TASK_DONE;
}
