/* What can be said about a vhost-user socket's path before it is opened. Control thread. */
#ifndef PMD_PORT_VHOST_SOCKET_H
#define PMD_PORT_VHOST_SOCKET_H

#include <stdbool.h>
#include <stddef.h>

/* Sluice is to own the socket: the directory must take it, and what a killed process left there is removed. False with
 * a sentence in `error` that says what to do. */
bool vhost_socket_prepare_server(const char *path, char *error, size_t error_size);

/* Whether a server's socket file is gone and can be made again. */
bool vhost_socket_is_missing(const char *path);

/* The VM owns the socket, now or later. False with a sentence in `error` if connecting to it cannot work. */
bool vhost_socket_check_client(const char *path, char *error, size_t error_size);

#endif
