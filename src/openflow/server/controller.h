/* The controllers that the switch connects to: a channel is a main connection and, if configured, auxiliary ones beside
 * it, each with its back-off. Control thread.
 *
 * OpenFlow 1.3.5, 6.3 "Auxiliary connections": they are made when the main one is up and end with it, speak its
 * version, answer on the connection of the request, and share role and asynchronous configuration with it. The switch
 * sends packet-ins on them, a flow always on the same, so that a flood of those does not hold up the main one.
 */
#ifndef SRC_OPENFLOW_SERVER_CONTROLLER_H
#define SRC_OPENFLOW_SERVER_CONTROLLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#define OF_AUXILIARY_MAX 7

/* What a controller is allowed. */
struct of_limits {
    uint32_t inactivity_probe_ms;             /* 0 = never */
    uint32_t packet_in_rate, packet_in_burst; /* 0 = no limit */
};

static inline void of_limits_set(struct of_limits *limits, uint32_t inactivity_probe_ms, uint32_t packet_in_rate,
                                 uint32_t packet_in_burst)
{
    limits->inactivity_probe_ms = inactivity_probe_ms;
    limits->packet_in_rate = packet_in_rate;
    limits->packet_in_burst = packet_in_burst ? packet_in_burst : packet_in_rate < 4 ? 1 : packet_in_rate / 4;
}

struct of_connection;
struct of_connection_info;
struct of_controller_params;
struct of_controller;
struct of_link; /* one connection of a channel, made again and again */
struct of_server;
TAILQ_HEAD(of_controllers, of_controller);

/* Starts to connect, for as long as the server lives. Returns 0, or -1 with a sentence in `error`. */
int of_controller_add(struct of_server *server, const struct of_controller_params *params, char *error,
                      size_t error_size);
/* Adds those whose targets are not there yet. Returns 0, or -1 with a sentence in `error` at the first that cannot be.
 */
int of_controllers_add_new(struct of_server *server, const struct of_controller_params *params, size_t n, char *error,
                           size_t error_size);
/* Removes all controllers but these `n` and closes their connections; these have the limits in `params` from now on. */
void of_controllers_keep(struct of_server *server, const struct of_controller_params *params, size_t n);
void of_controllers_free(struct of_server *server);

/* The link's connection says that a version was agreed on, and that it is gone or never came up. */
void of_link_up(struct of_link *link);
void of_link_down(struct of_link *link, const char *why);
const struct of_limits *of_link_limits(const struct of_link *link);
/* Whether the link's connections get no asynchronous messages until they ask for some. */
bool of_link_is_quiet(const struct of_link *link);
/* The versions that the connection may offer, as a bitmap. */
uint32_t of_link_versions(const struct of_link *link);

/* Copies what the peer has set on `conn` to the other connections of its channel. */
void of_channel_share(const struct of_connection *conn);
bool of_channel_is_same(const struct of_connection *a, const struct of_connection *b);
/* Returns the connection of the channel that gets the packet-ins of a flow, chosen by any hash of the flow: `main` if
 * there are no auxiliary connections. */
struct of_connection *of_channel_for_packet_in(struct of_connection *main, uint32_t hash);

/* Adds to `info` the counts of the link's earlier connections, and when the link last changed its state. */
void of_link_describe(const struct of_link *link, struct of_connection_info *info);
/* Calls `fn` for each link without a connection now, which is in the state "backoff". */
void of_controllers_for_each_waiting(struct of_server *server,
                                     void (*fn)(void *arg, const char *target, const struct of_link *link), void *arg);

#endif
