#include "src/openflow/controller.h"

#include <event2/bufferevent.h>
#include <event2/event.h>
#include <rte_common.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/log.h"
#include "src/config/target.h"
#include "src/openflow/backoff.h"
#include "src/openflow/server_impl.h"

struct of_controller {
    TAILQ_ENTRY(of_controller) node;
    struct of_server *server;
    struct config_target to;
    char *target;
    struct of_connection *conn; /* NULL: waiting for `retry` */
    struct event *retry;
    struct of_backoff backoff;
};

static void wait_and_retry(struct of_controller *controller)
{
    uint32_t ms = of_backoff_next(&controller->backoff);
    const struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    evtimer_add(controller->retry, &tv);
}

static void start(struct of_controller *controller)
{
    struct of_server *server = controller->server;
    struct of_connection *conn =
        of_connection_create(server, OF_KIND_CONTROLLER, -1, controller->to.tls, controller->target);
    if (!conn) {
        wait_and_retry(controller);
        return;
    }
    conn->controller = controller;
    controller->conn = conn;
    /* A refusal that is known at once comes as an event too, so controller->conn is right in either case. */
    if (bufferevent_socket_connect(conn->bev, (struct sockaddr *)&controller->to.address,
                                   (int)controller->to.address_len) &&
        controller->conn)
        of_connection_close(conn, "cannot connect");
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
    start(arg);
}

int of_controller_add(struct of_server *server, const char *target, char *error, size_t error_size)
{
    struct of_controller *controller = calloc(1, sizeof *controller);
    char why[256] = "out of memory";
    if (!controller || config_target_parse(target, false, &controller->to, why, sizeof why) ||
        !(controller->target = strdup(target)) ||
        !(controller->retry = evtimer_new(server->base, on_retry, controller))) {
        snprintf(error, error_size, "%s: %s", target, why);
        if (controller)
            free(controller->target);
        free(controller);
        return -1;
    }
    controller->server = server;
    of_backoff_init(&controller->backoff, server->max_backoff_ms);
    TAILQ_INSERT_TAIL(&server->controllers, controller, node);
    /* From the event loop: nothing of this may run before the switch is whole. */
    const struct timeval now = {0};
    evtimer_add(controller->retry, &now);
    return 0;
}

void of_controllers_free(struct of_server *server)
{
    struct of_controller *controller;
    while ((controller = TAILQ_FIRST(&server->controllers))) {
        TAILQ_REMOVE(&server->controllers, controller, node);
        if (controller->conn)
            controller->conn->controller = NULL;
        event_free(controller->retry);
        free(controller->target);
        free(controller);
    }
}

void of_controller_up(struct of_controller *controller)
{
    of_backoff_init(&controller->backoff, controller->server->max_backoff_ms);
}

void of_controller_down(struct of_controller *controller)
{
    controller->conn = NULL;
    wait_and_retry(controller);
}

void of_controllers_for_each_waiting(struct of_server *server, void (*fn)(void *arg, const char *target), void *arg)
{
    struct of_controller *controller;
    TAILQ_FOREACH (controller, &server->controllers, node)
        if (!controller->conn)
            fn(arg, controller->target);
}
