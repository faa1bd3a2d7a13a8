#include "src/openflow/server/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/util.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/log.h"
#include "src/net/acceptor.h"
#include "src/net/target.h"
#include "src/openflow/server/server_impl.h"

#define BACKLOG 64

struct of_listener {
    TAILQ_ENTRY(of_listener) node;
    struct of_server *server;
    struct acceptor *acceptor;
    enum of_connection_kind kind;
    bool tls;
    char *target;
    unsigned n_accepted;
};

static void name_peer(struct of_listener *listener, const struct sockaddr *peer, char *name, size_t size)
{
    char ip[INET6_ADDRSTRLEN] = "";
    static const char *const names[OF_N_KINDS] = {"mgmt", "snoop", "unix"};
    const char *scheme = listener->tls ? "ssl" : "tcp";

    listener->n_accepted++;
    if (peer->sa_family == AF_INET) {
        const struct sockaddr_in *in4 = (const void *)peer;
        inet_ntop(AF_INET, &in4->sin_addr, ip, sizeof ip);
        snprintf(name, size, "%s:%s:%u", scheme, ip, ntohs(in4->sin_port));
    } else if (peer->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const void *)peer;
        inet_ntop(AF_INET6, &in6->sin6_addr, ip, sizeof ip);
        snprintf(name, size, "%s:[%s]:%u", scheme, ip, ntohs(in6->sin6_port));
    } else {
        snprintf(name, size, "%s#%u", names[listener->kind], listener->n_accepted);
    }
}

static void on_accept(void *arg, int fd, const struct sockaddr *peer)
{
    struct of_listener *listener = arg;
    char name[128];

    name_peer(listener, peer, name, sizeof name);
    struct of_connection *conn = of_connection_create(listener->server, listener->kind, fd, listener->tls, name);
    if (!conn) {
        LOG_WARN_RL(LOG_OPENFLOW, "%s: %s: refused, too many connections", listener->server->bridge->name, name);
        evutil_closesocket(fd);
        return;
    }
    conn->listener = listener;
    if (!listener->tls)
        of_connection_start(conn);
}

static const char *advice(int error)
{
    switch (error) {
    case EADDRINUSE:
        return " (something else listens there: choose another, or end it)";
    case EADDRNOTAVAIL:
        return " (no interface of this machine has the address)";
    case EACCES:
        return " (no permission: run as root, or choose a directory or port that this user may use)";
    case ENOENT:
        return " (the directory does not exist)";
    default:
        return "";
    }
}

int of_listener_open(struct of_server *server, const char *target, enum of_connection_kind kind, char *error,
                     size_t error_size)
{
    struct config_target to;
    char why[256];

    if (config_target_parse(target, true, &to, why, sizeof why)) {
        snprintf(error, error_size, "%s: %s", target, why);
        return -1;
    }
    struct of_listener *listener = calloc(1, sizeof *listener);
    if (!listener || !(listener->target = strdup(target))) {
        snprintf(error, error_size, "%s: out of memory", target);
        free(listener);
        return -1;
    }
    listener->server = server;
    listener->kind = kind;
    listener->tls = to.tls;

    char name[320];
    snprintf(name, sizeof name, "%s: %s", server->bridge->name, target);
    const struct acceptor_params params = {
        .base = server->base,
        .address = (const struct sockaddr *)&to.address,
        .address_len = to.address_len,
        .backlog = BACKLOG,
        .name = name,
        .component = LOG_OPENFLOW,
        .accepted = on_accept,
        .arg = listener,
    };
    listener->acceptor = acceptor_open(&params);
    int bind_errno = errno;
    if (!listener->acceptor) {
        snprintf(error, error_size, "%s: cannot listen: %s%s", target, strerror(bind_errno), advice(bind_errno));
        free(listener->target);
        free(listener);
        return -1;
    }
    TAILQ_INSERT_TAIL(&server->listeners, listener, node);
    return 0;
}

static void listener_close(struct of_listener *listener, const char *why)
{
    struct of_server *server = listener->server;
    struct of_connection *conn;

    TAILQ_FOREACH (conn, &server->connections, node)
        if (conn->listener == listener) {
            conn->listener = NULL;
            of_connection_close(conn, why);
        }
    TAILQ_REMOVE(&server->listeners, listener, node);
    acceptor_close(listener->acceptor);
    free(listener->target);
    free(listener);
}

int of_listeners_open_new(struct of_server *server, const char *const *targets, size_t n, char *error,
                          size_t error_size)
{
    for (size_t i = 0; i < n; i++) {
        const struct of_listener *listener;
        TAILQ_FOREACH (listener, &server->listeners, node)
            if (listener->kind == OF_KIND_LISTEN && !strcmp(listener->target, targets[i]))
                break;
        if (!listener && of_listener_open(server, targets[i], OF_KIND_LISTEN, error, error_size))
            return -1;
    }
    return 0;
}

void of_listeners_keep(struct of_server *server, const char *const *targets, size_t n)
{
    struct of_listener *listener, *next;

    for (listener = TAILQ_FIRST(&server->listeners); listener; listener = next) {
        size_t i = 0;
        next = TAILQ_NEXT(listener, node);
        while (i < n && strcmp(listener->target, targets[i]))
            i++;
        if (i == n && listener->kind == OF_KIND_LISTEN)
            listener_close(listener, "where it connected is no longer listened");
    }
}

void of_listeners_close(struct of_server *server)
{
    struct of_listener *listener;

    while ((listener = TAILQ_FIRST(&server->listeners)))
        listener_close(listener, "");
}
