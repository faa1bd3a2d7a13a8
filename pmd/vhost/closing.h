/* Descriptors that peers pass: what they are of, and how they are closed.
 *
 * close() may wait for whoever passed a descriptor: for a TCP connection that is to linger until its peer has read, for
 * a file system in user space that is told of it. So what is neither an eventfd nor memory is closed by a thread of its
 * own. How many there are for one endpoint is told, so that it can stop taking more. endpoint.c calls it, on the
 * thread of all sockets, and on the control thread when a port comes or goes; vhost_closers_release() any thread.
 */
#ifndef PMD_VHOST_CLOSING_H
#define PMD_VHOST_CLOSING_H

#include <stdbool.h>

/* Asks the kernel, not the file. Any thread. */
bool vhost_is_eventfd(int fd);

/* The threads that close what came to one endpoint; freed with the last of them. */
struct vhost_closers;
struct vhost_closers *vhost_closers_new(void);
unsigned vhost_closers_count(const struct vhost_closers *closers);
void vhost_closers_release(struct vhost_closers *closers);

/* Closes the first `n` of `fds`, which become -1. Does not wait for anybody, but for the kernel to free memory. */
void vhost_close(struct vhost_closers *closers, int *fds, unsigned n);

/* Closes a connection or a socket that is listened at, with what is in it unread: descriptors, maybe. */
void vhost_close_socket(struct vhost_closers *closers, int fd);

#endif
