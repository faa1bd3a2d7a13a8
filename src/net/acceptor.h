/* A listening socket that stays usable: when the process is out of descriptors it pauses instead of spinning, and when
 * its file is deleted it is made again. Control thread.
 *
 * Out of descriptors (or of the kernel's memory) accept() fails at once, while the socket stays readable. The acceptor
 * then does not listen for a moment and says so, at most twice a minute for all acceptors; whoever wants to connect
 * waits in the backlog. One with `spare` keeps a descriptor back, with which it accepts one connection more: so the
 * operator can look what goes on.
 */
#ifndef SRC_NET_ACCEPTOR_H
#define SRC_NET_ACCEPTOR_H

#include <stdbool.h>
#include <sys/socket.h>

#include "pmd/base/log.h"

struct acceptor;
struct event_base;

struct acceptor_params {
    struct event_base *base;
    const struct sockaddr *address; /* AF_UNIX, AF_INET or AF_INET6 */
    socklen_t address_len;
    int backlog;
    const char *name; /* for the log; copied */
    enum log_component component;
    bool spare;
    /* Takes over `fd`, which is non-blocking and closed on exec. */
    void (*accepted)(void *arg, int fd, const struct sockaddr *peer);
    /* The spare descriptor is in use: closes a connection that is not needed and returns true, or false. NULL: none. */
    bool (*make_room)(void *arg);
    void *arg;
};

/* Listens. A socket file that nobody listens on is replaced; a new one is for the owner alone. NULL with errno. */
struct acceptor *acceptor_open(const struct acceptor_params *params);
/* Closes it, and removes its file if that is still its own. NULL is allowed. */
void acceptor_close(struct acceptor *acceptor);
/* A connection was closed, or will be in this turn of the event loop: keeps its descriptor as the spare one. */
void acceptor_connection_closed(struct acceptor *acceptor);

/* Makes all socket files again that are gone. Their connections stay. Call it when the directory was made again, and
 * once in a while. */
void acceptors_restore(void);

#endif
