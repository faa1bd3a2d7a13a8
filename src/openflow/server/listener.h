/* Sockets on which OpenFlow peers connect: ptcp:PORT[:IP], pssl:PORT[:IP], punix:PATH and <run_dir>/<bridge>.mgmt.
 * Control thread. */
#ifndef SRC_OPENFLOW_SERVER_LISTENER_H
#define SRC_OPENFLOW_SERVER_LISTENER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

#include "src/openflow/server/connection.h"

struct of_listener;
TAILQ_HEAD(of_listeners, of_listener);

/* Listens on `target` ("ptcp:6654", "punix:/path") and adds itself to the server's listeners. A socket file that nobody
 * listens on any more is replaced; a new one is for the owner alone. Returns 0, or -1 with a sentence in `error`. */
int of_listener_open(struct of_server *server, const char *target, enum of_connection_kind kind, char *error,
                     size_t error_size);
/* Opens those of kind OF_KIND_LISTEN that are not open yet. Returns 0, or -1 with a sentence in `error` at the first
 * that cannot be. */
int of_listeners_open_new(struct of_server *server, const char *const *targets, size_t n, char *error,
                          size_t error_size);
/* Closes all others of kind OF_KIND_LISTEN, and the connections that came by them. */
void of_listeners_keep(struct of_server *server, const char *const *targets, size_t n);
/* Closes all and removes the socket files. */
void of_listeners_close(struct of_server *server);

#endif
