#include "src/openflow/server/controller.h"

#include <errno.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <rte_common.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/clock.h"
#include "pmd/base/log.h"
#include "src/net/backoff.h"
#include "src/net/target.h"
#include "src/openflow/server/server_impl.h"

struct of_link {
    struct of_controller *controller;
    struct of_connection *conn; /* NULL: waiting for `retry` */
    struct event *retry;
    struct backoff backoff;
    uint8_t auxiliary_id; /* 0 = the main connection */
    uint64_t changed_ms;  /* came up or went down */
    char last_error[128];
    struct of_counts counts; /* of earlier connections */
};

struct of_controller {
    TAILQ_ENTRY(of_controller) node;
    struct of_server *server;
    struct config_target to;
    char *target;
    struct of_limits limits;
    uint32_t max_backoff_ms;
    uint8_t dscp;
    bool quiet;
    unsigned n_links;
    struct of_link links[1 + OF_AUXILIARY_MAX]; /* the main connection comes first */
};

static bool is_main(const struct of_link *link)
{
    return link->auxiliary_id == 0;
}

static bool is_up(const struct of_link *link)
{
    return link->conn && of_connection_is_ready(link->conn);
}

static void wait_and_retry(struct of_link *link)
{
    uint32_t ms = backoff_next(&link->backoff);
    const struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

    evtimer_add(link->retry, &tv);
}

/* Of what is sent from now on; the first packet of a connection goes without. */
static void mark_packets(const struct of_link *link)
{
    const struct of_controller *controller = link->controller;
    const int family = ((const struct sockaddr *)&controller->to.address)->sa_family, tos = controller->dscp << 2;
    const int fd = link->conn ? bufferevent_getfd(link->conn->bev) : -1;

    if (fd >= 0 && family == AF_INET)
        (void)setsockopt(fd, IPPROTO_IP, IP_TOS, &tos, sizeof tos);
    else if (fd >= 0 && family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_TCLASS, &tos, sizeof tos);
}

static void start(struct of_link *link)
{
    struct of_controller *controller = link->controller;
    struct of_connection *conn =
        of_connection_create(controller->server, OF_KIND_CONTROLLER, -1, controller->to.tls, controller->target);

    if (!conn) {
        wait_and_retry(link);
        return;
    }
    conn->link = link;
    conn->auxiliary_id = link->auxiliary_id;
    link->conn = conn;
    /* A refusal that is known at once comes as an event too, so link->conn is right in either case. */
    if (bufferevent_socket_connect(conn->bev, (struct sockaddr *)&controller->to.address,
                                   (int)controller->to.address_len) &&
        link->conn) {
        char why[128];
        snprintf(why, sizeof why, "cannot connect: %s", strerror(errno));
        of_connection_close(conn, why);
    }
    mark_packets(link);
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
    start(arg);
}

static void free_controller(struct of_controller *controller)
{
    for (unsigned i = 0; i < controller->n_links; i++) {
        struct of_link *link = &controller->links[i];
        if (link->conn)
            link->conn->link = NULL;
        if (link->retry)
            event_free(link->retry);
    }
    free(controller->target);
    free(controller);
}

static bool make_links(struct of_controller *controller)
{
    for (unsigned i = 0; i < controller->n_links; i++) {
        struct of_link *link = &controller->links[i];
        link->controller = controller;
        link->auxiliary_id = i;
        link->changed_ms = clock_now_ms();
        backoff_init(&link->backoff, controller->max_backoff_ms);
        link->retry = evtimer_new(controller->server->base, on_retry, link);
        if (!link->retry)
            return false;
    }
    return true;
}

static void set_limits(struct of_controller *controller, const struct of_controller_params *params)
{
    of_limits_set(&controller->limits, params->inactivity_probe_ms, params->packet_in_rate, params->packet_in_burst);
    controller->max_backoff_ms = params->max_backoff_ms;
    controller->quiet = params->quiet;
    controller->dscp = params->dscp;
    for (unsigned i = 0; i < controller->n_links; i++)
        if (controller->links[i].controller) /* else it is being made */
            mark_packets(&controller->links[i]);
}

int of_controller_add(struct of_server *server, const struct of_controller_params *params, char *error,
                      size_t error_size)
{
    struct of_controller *controller = calloc(1, sizeof *controller);
    const char *target = params->target;
    char why[256] = "out of memory";

    if (!controller) {
        snprintf(error, error_size, "%s: %s", target, why);
        return -1;
    }
    controller->server = server;
    set_limits(controller, params);
    controller->n_links = 1 + RTE_MIN(server->auxiliary_connections, (unsigned)OF_AUXILIARY_MAX);
    if (config_target_parse(target, false, &controller->to, why, sizeof why) ||
        !(controller->target = strdup(target)) || !make_links(controller)) {
        snprintf(error, error_size, "%s: %s", target, why);
        free_controller(controller);
        return -1;
    }
    TAILQ_INSERT_TAIL(&server->controllers, controller, node);
    /* From the event loop: nothing of this may run before the switch is whole. */
    const struct timeval now = {0};
    evtimer_add(controller->links[0].retry, &now);
    return 0;
}

int of_controllers_add_new(struct of_server *server, const struct of_controller_params *params, size_t n, char *error,
                           size_t error_size)
{
    for (size_t i = 0; i < n; i++) {
        const struct of_controller *controller;
        TAILQ_FOREACH (controller, &server->controllers, node)
            if (!strcmp(controller->target, params[i].target))
                break;
        if (!controller && of_controller_add(server, &params[i], error, error_size))
            return -1;
    }
    return 0;
}

void of_controllers_keep(struct of_server *server, const struct of_controller_params *params, size_t n)
{
    struct of_controller *controller, *next;

    for (controller = TAILQ_FIRST(&server->controllers); controller; controller = next) {
        size_t i = 0;
        next = TAILQ_NEXT(controller, node);
        while (i < n && strcmp(controller->target, params[i].target))
            i++;
        if (i < n) {
            set_limits(controller, &params[i]);
            continue;
        }
        struct of_connection *conns[1 + OF_AUXILIARY_MAX];
        unsigned n_conns = 0;
        for (unsigned l = 0; l < controller->n_links; l++)
            if (controller->links[l].conn)
                conns[n_conns++] = controller->links[l].conn;
        TAILQ_REMOVE(&server->controllers, controller, node);
        free_controller(controller);
        while (n_conns)
            of_connection_close(conns[--n_conns], "the controller is no longer configured");
    }
}

void of_controllers_free(struct of_server *server)
{
    struct of_controller *controller;

    while ((controller = TAILQ_FIRST(&server->controllers))) {
        TAILQ_REMOVE(&server->controllers, controller, node);
        free_controller(controller);
    }
}

/* --- up and down --------------------------------------------------------- */

void of_link_up(struct of_link *link)
{
    struct of_controller *controller = link->controller;

    backoff_init(&link->backoff, controller->max_backoff_ms);
    link->changed_ms = clock_now_ms();
    link->last_error[0] = '\0';
    if (!is_main(link)) {
        of_channel_share(controller->links[0].conn);
        return;
    }
    /* OpenFlow 1.0 does not know them. */
    for (unsigned i = 1; i < controller->n_links && link->conn->version >= OF13; i++)
        start(&controller->links[i]);
}

static void add_counts(struct of_counts *to, const struct of_counts *from)
{
    to->rx_messages += from->rx_messages;
    to->tx_messages += from->tx_messages;
    to->packet_ins += from->packet_ins;
    to->packet_ins_limited += from->packet_ins_limited;
    to->packet_ins_dropped += from->packet_ins_dropped;
    to->async_dropped += from->async_dropped;
    to->errors_sent += from->errors_sent;
}

void of_link_down(struct of_link *link, const char *why)
{
    struct of_controller *controller = link->controller;
    bool was_up = link->conn->version != 0;

    add_counts(&link->counts, &link->conn->counts);
    link->conn = NULL;
    if (was_up)
        link->changed_ms = clock_now_ms();
    snprintf(link->last_error, sizeof link->last_error, "%s", why);
    if (is_main(link)) {
        wait_and_retry(link);
        for (unsigned i = 1; i < controller->n_links; i++) {
            evtimer_del(controller->links[i].retry);
            if (controller->links[i].conn)
                of_connection_close(controller->links[i].conn, "the main connection is gone");
        }
    } else if (is_up(&controller->links[0])) {
        wait_and_retry(link);
    }
}

const struct of_limits *of_link_limits(const struct of_link *link)
{
    return &link->controller->limits;
}

bool of_link_is_quiet(const struct of_link *link)
{
    return link->controller->quiet;
}

uint32_t of_link_versions(const struct of_link *link)
{
    const struct of_link *main = &link->controller->links[0];

    return is_main(link) || !main->conn ? link->controller->server->versions : 1u << main->conn->version;
}

/* --- the channel --------------------------------------------------------- */

void of_channel_share(const struct of_connection *conn)
{
    if (!conn->link)
        return;
    struct of_controller *controller = conn->link->controller;
    for (unsigned i = 0; i < controller->n_links; i++) {
        struct of_connection *other = controller->links[i].conn;
        if (!other || other == conn)
            continue;
        other->role = conn->role;
        other->packet_in_format = conn->packet_in_format;
        other->controller_id = conn->controller_id;
        other->short_id = conn->short_id;
        other->miss_send_len = conn->miss_send_len;
        other->async = conn->async;
    }
}

bool of_channel_is_same(const struct of_connection *a, const struct of_connection *b)
{
    return a == b || (a->link && b->link && a->link->controller == b->link->controller);
}

struct of_connection *of_channel_for_packet_in(struct of_connection *main, uint32_t hash)
{
    if (!main->link)
        return main;
    struct of_controller *controller = main->link->controller;
    unsigned n = 0;
    for (unsigned i = 1; i < controller->n_links; i++)
        n += is_up(&controller->links[i]);
    if (!n)
        return main;
    unsigned which = hash % n;
    for (unsigned i = 1; i < controller->n_links; i++)
        if (is_up(&controller->links[i]) && which-- == 0)
            return controller->links[i].conn;
    return main;
}

void of_link_describe(const struct of_link *link, struct of_connection_info *info)
{
    info->auxiliary_id = link->auxiliary_id;
    info->changed_ms = link->changed_ms;
    info->last_error = link->last_error;
    add_counts(&info->counts, &link->counts);
}

void of_controllers_for_each_waiting(struct of_server *server,
                                     void (*fn)(void *arg, const char *target, const struct of_link *link), void *arg)
{
    struct of_controller *controller;

    TAILQ_FOREACH (controller, &server->controllers, node)
        for (unsigned i = 0; i < controller->n_links; i++)
            if (!controller->links[i].conn)
                fn(arg, controller->target, &controller->links[i]);
}
