/* One OpenFlow connection: bytes in, messages out, version negotiation, probes, and the request that is under way.
 *
 * Control thread only. Messages stay in the input buffer until their turn: nothing is read ahead of a request that
 * waits, so that what a peer can make the switch hold is one message plus a bounded backlog each way. A connection is
 * closed at once but freed later (of_connections_reap), so that closing is safe from anywhere.
 */
#ifndef SRC_OPENFLOW_SERVER_CONNECTION_H
#define SRC_OPENFLOW_SERVER_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "src/openflow/codec/msg.h"
#include "src/openflow/server/async.h"
#include "src/openflow/server/monitor.h"
#include "src/openflow/server/rate_limit.h"
#include "src/openflow/server/server.h"

struct bufferevent;
struct of_bundle;
struct of_connection;
struct of_link;
struct of_listener;
struct of_server;

enum of_connection_kind {
    OF_KIND_MGMT,       /* accepted on <bridge>.mgmt */
    OF_KIND_SNOOP,      /* accepted on <bridge>.snoop: is shown what others say, and not listened to */
    OF_KIND_LISTEN,     /* accepted on a `listen` socket */
    OF_KIND_CONTROLLER, /* made by the switch to a configured controller */
    OF_N_KINDS
};

enum of_task_state {
    OF_TASK_DONE,    /* finished: the next message may be looked at */
    OF_TASK_MORE,    /* out of time: call again as soon as may be */
    OF_TASK_WAIT,    /* something outside (the datapath) has to happen: look again soon */
    OF_TASK_BLOCKED, /* the peer must read first: call again once it has */
};

/* A request that takes longer than one step. `run` works until about `deadline` (rte_rdtsc) and appends what it has to
 * say with of_connection_send; `free` releases it, finished or not. If the connection goes before the task is finished
 * `end`, where there is one, does what must not be left undone: until about `deadline` a time, and true if that was
 * all. */
struct of_task {
    enum of_task_state (*run)(struct of_task *task, struct of_connection *conn, uint64_t deadline);
    bool (*end)(struct of_task *task, struct of_connection *conn, uint64_t deadline);
    void (*free)(struct of_task *task);
};

struct of_bundles {
    LIST_HEAD(, of_bundle) list;
    unsigned n;
};

/* What is done with the messages of a connection, above all connections: src/openflow/requests/handler.h has it. */
struct of_request_ops {
    /* One whole message after the hello. Returns 0, an enum of_error for the caller to send (then nothing was changed),
     * or -EAGAIN: leave the message where it is, the task that was set has to be done first. */
    int (*handle)(struct of_connection *conn, const uint8_t *message, size_t len);
    /* Now and then, once the version is agreed on. May close the connection. */
    void (*tick)(struct of_connection *conn, uint64_t now_ms);
    /* Goes on with what belongs to no connection any more, until about the deadline (rte_rdtsc). True: there is more.
     */
    bool (*run)(struct of_server *server, uint64_t deadline);
    /* The connection is closed and about to be freed: what requests keep with it goes. */
    void (*forget)(struct of_connection *conn);
};

struct of_connection {
    TAILQ_ENTRY(of_connection) node;
    struct of_server *server;
    struct of_link *link;         /* NULL: accepted */
    struct of_listener *listener; /* that accepted it; NULL: a controller's, or that is closed */
    struct bufferevent *bev;      /* NULL: closed */
    enum of_connection_kind kind;
    uint8_t auxiliary_id; /* 0 = a main connection (controller.h) */
    char name[128];       /* the target or the peer */

    bool tls;
    bool connected;  /* the socket is, and the TLS handshake made; false while connecting */
    uint8_t version; /* negotiated wire version; 0 = no hello yet */
    bool shown;      /* the next message in the input, to those who snoop */
    bool eof;        /* the peer sends no more: close when all was answered */
    struct of_task *task;

    /* Silence: OpenFlow 1.3.5, 6.4 leaves the how to the switch. */
    uint64_t changed_ms; /* when it was made, or the version agreed on */
    uint64_t active_ms;  /* last byte in either direction */
    bool probing;        /* an echo request is out */

    /* What the peer asked for; the connections of a channel share all but `decode`, `bundles` and `monitors`. */
    enum of_role role;
    enum of_packet_in_format packet_in_format;
    struct of_decode_options decode; /* NXT_FLOW_MOD_TABLE_ID, NXT_SET_FLOW_FORMAT */
    uint16_t controller_id;
    uint16_t short_id; /* OpenFlow 1.5's role request; 0 = none */
    uint16_t miss_send_len;
    struct of_async async;
    struct of_buf features; /* parts of a table features request; of features_xid */
    uint32_t features_xid;
    struct of_bundles bundles;
    struct of_monitors monitors;

    struct of_rate_limit packet_in_rate[2]; /* of misses, of the rest */
    struct of_counts counts;
    uint64_t backlog_max; /* bytes */
};

TAILQ_HEAD(of_connections, of_connection);

/* Takes the socket `fd` over (-1: bufferevent_socket_connect comes next), unless it fails. With `tls` the connection
 * starts by itself after the handshake. NULL: out of memory or too many. */
struct of_connection *of_connection_create(struct of_server *server, enum of_connection_kind kind, int fd, bool tls,
                                           const char *name);
/* Closes the socket after trying to send what is left; `why` goes to the log ("" = say nothing). */
void of_connection_close(struct of_connection *conn, const char *why);
/* Frees what was closed, as far as it gets until about the deadline (rte_rdtsc). True: there is more. Not from within
 * a handler. */
bool of_connections_reap(struct of_server *server, uint64_t deadline);
/* Sends our hello; the socket is connected. */
void of_connection_start(struct of_connection *conn);

/* Works off messages and the task until the deadline (rte_rdtsc). */
enum of_task_state of_connection_run(struct of_connection *conn, uint64_t deadline);
/* Timeouts and probes; now and then. */
void of_connection_tick(struct of_connection *conn, uint64_t now_ms);

/* Sends the whole messages in `buf` and empties it: at the end of of_server_run(), which is called soon. */
void of_connection_send(struct of_connection *conn, struct of_buf *buf);
/* Encodes and sends one. */
void of_connection_send_msg(struct of_connection *conn, const struct of_msg *msg);
/* Sends an OFPT_ERROR about `message` (whole, as received). */
void of_connection_send_error(struct of_connection *conn, enum of_error error, const void *message, size_t len);
/* Sends at once what the socket has room for. */
void of_connection_flush(struct of_connection *conn);
/* The peer is behind: replies that can wait should. */
bool of_connection_is_behind(const struct of_connection *conn);
/* Bytes that wait to be sent, those that the socket has taken not counted. */
size_t of_connection_backlog(const struct of_connection *conn);
/* Makes `task` the request under way. */
void of_connection_set_task(struct of_connection *conn, struct of_task *task);
/* Neither a controller nor one who wants to become one: accepted on a socket for tools. */
static inline bool of_connection_is_tool(const struct of_connection *conn)
{
    return conn->kind == OF_KIND_MGMT || conn->kind == OF_KIND_SNOOP;
}
const struct of_limits *of_connection_limits(const struct of_connection *conn);
const char *of_version_name(uint8_t version);                  /* "OpenFlow 1.3" */
bool of_connection_is_ready(const struct of_connection *conn); /* open, version negotiated */

#endif
