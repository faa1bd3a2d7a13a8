/* The socket of a connection, plain or TLS, as a libevent bufferevent. Control thread only.
 *
 * The callbacks of one that speaks TLS are deferred to the event loop: OpenSSL may find out that the peer is gone in
 * the middle of anything.
 */
#ifndef SRC_NET_TRANSPORT_H
#define SRC_NET_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>

struct bufferevent;
struct event_base;
struct tls;

/* Takes the socket `fd` over, unless it fails; -1: bufferevent_socket_connect comes next. `tls` NULL is plain; else the
 * handshake ends with BEV_EVENT_CONNECTED on either side. NULL: out of memory. */
struct bufferevent *transport_create(struct event_base *base, int fd, struct tls *tls);
/* Has what is written from now on wait for transport_flush(). The socket is connected; with TLS this does nothing. */
void transport_hold(struct bufferevent *bev);
/* Sends what was held back, without the event loop's four system calls for it; what the socket has no room for the
 * event loop sends, and the caller holds again when it is done. Returns the bytes sent. */
size_t transport_flush(struct bufferevent *bev);
/* Reads up to `most` bytes more, if libevent has just read the 4 KB that it reads at a time. With TLS this does
 * nothing. */
void transport_read_on(struct bufferevent *bev, size_t most);
/* Sends what the socket has room for of that which is left, and closes. */
void transport_close(struct bufferevent *bev, bool connected);
/* Says why, after BEV_EVENT_ERROR or, in a handshake, BEV_EVENT_EOF. True: TLS is the reason. */
bool transport_explain(struct bufferevent *bev, char *text, size_t size);

#endif
