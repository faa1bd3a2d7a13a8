/* The controllers that the switch connects to, each with its back-off. Control thread. */
#ifndef SRC_OPENFLOW_CONTROLLER_H
#define SRC_OPENFLOW_CONTROLLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct of_server;
struct of_controller;
TAILQ_HEAD(of_controllers, of_controller);

/* Starts to connect to `target` ("tcp:127.0.0.1:6653", "unix:/path"), for as long as the server lives. Returns 0, or -1
 * with a sentence in `error`. */
int of_controller_add(struct of_server *server, const char *target, char *error, size_t error_size);
void of_controllers_free(struct of_server *server);

/* From the connection: a version was agreed on; it is gone (or never came up). */
void of_controller_up(struct of_controller *controller);
void of_controller_down(struct of_controller *controller);
/* For each one that has no connection now: "connecting" is a connection's state, "backoff" is the rest. */
void of_controllers_for_each_waiting(struct of_server *server, void (*fn)(void *arg, const char *target), void *arg);

#endif
