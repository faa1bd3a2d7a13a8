/* The sockets of vhost-user ports, and the thread that serves them.
 *
 * An endpoint is the socket of one port: it listens for virtual machines, or connects to a socket of one. The thread
 * reads whole messages without ever waiting for one, has them done (pmd/vhost/device.h), and owns every descriptor that
 * comes with them. One guest at a time has the port's rings; other connections may be set up beside it, but not run.
 *
 * Who speaks wrongly loses its connection and nothing else. How often an endpoint takes or makes connections, how many
 * it has, and how many messages of one are read in a second is bounded, so that nobody keeps the thread from others.
 */
#ifndef PMD_VHOST_ENDPOINT_H
#define PMD_VHOST_ENDPOINT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "pmd/vhost/device.h"
#include "pmd/vhost/socket_file.h"

struct vhost_endpoint;

/* What became of the guest, for the port. Called by the thread of vhost-user sockets, and by vhost_endpoint_close() on
 * its caller's, one at a time. */
struct vhost_guest {
    bool running;      /* some ring can be used */
    uint64_t features; /* negotiated */
    uint16_t mtu;      /* that it was told, 0: none */
    int numa_node;     /* of its memory, -1 = unknown */
    bool has_rarp;     /* it has moved here: tell of `mac` */
    struct rte_ether_addr mac;
};
typedef void vhost_changed_fn(void *arg, const struct vhost_guest *guest);

struct vhost_endpoint_params {
    const char *name; /* in log lines; the port's */
    const char *path;
    bool client; /* connect to the path, again and again, instead of listening there */
    struct vhost_access access;
    uint64_t features;
    struct vhost_ring *rings; /* VHOST_RINGS_MAX, zeroed; poll-mode threads use them from the start */
    vhost_changed_fn *changed;
    void *arg;
};

/* Opens it. NULL: a sentence in `error` that says what to do. Control thread, like all but vhost_endpoint_look(). */
struct vhost_endpoint *vhost_endpoint_open(const struct vhost_endpoint_params *params, char *error, size_t error_size);
/* Closes the connections, takes the rings from the guest and removes the socket. Nothing of the port is used after. */
void vhost_endpoint_close(struct vhost_endpoint *endpoint);
/* Listens at a socket of the same path that is made anew, if there is no connection. False: it cannot. */
bool vhost_endpoint_listen_again(struct vhost_endpoint *endpoint);
/* Changes who may connect from now on. False with a sentence in `error`: all is as before. */
bool vhost_endpoint_set_access(struct vhost_endpoint *endpoint, const struct vhost_access *access, char *error,
                               size_t error_size);
bool vhost_endpoint_is_connected(const struct vhost_endpoint *endpoint);

/* Guests whose connection was closed for what they did. Any thread. */
uint64_t vhost_endpoint_faults(const struct vhost_endpoint *endpoint);

/* A ring of the endpoint's has failed: its guest is to go. A poll-mode thread, once a failure. */
void vhost_endpoint_look(struct vhost_endpoint *endpoint);

/* Ends the thread, for the end of the process. All endpoints are closed. */
void vhost_endpoints_stop(void);

#endif
