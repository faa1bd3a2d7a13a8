#include "src/net/transport.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <event2/util.h>
#include <openssl/err.h>
#include <stdio.h>
#include <unistd.h>

#include "src/net/tls.h"

#define LIBEVENT_READ 4096 /* bytes: of any version so far */

static struct bufferevent *create_tls(struct event_base *base, int fd, struct tls *tls)
{
    SSL *ssl = tls_session(tls);
    if (!ssl)
        return NULL;
    struct bufferevent *bev =
        bufferevent_openssl_socket_new(base, fd, ssl, fd < 0 ? BUFFEREVENT_SSL_CONNECTING : BUFFEREVENT_SSL_ACCEPTING,
                                       BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
    if (bev)
        bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
    else
        SSL_free(ssl);
    return bev;
}

struct bufferevent *transport_create(struct event_base *base, int fd, struct tls *tls)
{
    if (fd >= 0)
        evutil_make_socket_nonblocking(fd);
    return tls ? create_tls(base, fd, tls) : bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
}

void transport_hold(struct bufferevent *bev)
{
    if (!bufferevent_openssl_get_ssl(bev))
        bufferevent_disable(bev, EV_WRITE);
}

size_t transport_flush(struct bufferevent *bev)
{
    struct evbuffer *out = bufferevent_get_output(bev);
    size_t before = evbuffer_get_length(out);

    if (!before || bufferevent_get_enabled(bev) & EV_WRITE)
        return 0;
    evbuffer_unfreeze(out, 1); /* a bufferevent keeps others from taking from it */
    evbuffer_write(out, bufferevent_getfd(bev));
    evbuffer_freeze(out, 1);
    size_t left = evbuffer_get_length(out);
    if (left) /* an error, too, is the event loop's to find */
        bufferevent_enable(bev, EV_WRITE);
    return before - left;
}

void transport_read_on(struct bufferevent *bev, size_t most)
{
    struct evbuffer *in = bufferevent_get_input(bev);
    struct evbuffer_iovec room;

    if (evbuffer_get_length(in) < LIBEVENT_READ || bufferevent_openssl_get_ssl(bev))
        return;
    evbuffer_unfreeze(in, 0); /* a bufferevent keeps others from adding to it */
    if (evbuffer_reserve_space(in, (ev_ssize_t)most, &room, 1) == 1) {
        ssize_t n = read(bufferevent_getfd(bev), room.iov_base, most);
        room.iov_len = n > 0 ? (size_t)n : 0; /* the end, or an error, libevent finds, too */
        evbuffer_commit_space(in, &room, 1);
    }
    evbuffer_freeze(in, 0);
}

void transport_close(struct bufferevent *bev, bool connected)
{
    SSL *ssl = bufferevent_openssl_get_ssl(bev);
    struct evbuffer *out = bufferevent_get_output(bev);
    if (ssl && connected) { /* what there was room for has been written already */
        SSL_set_shutdown(ssl, SSL_RECEIVED_SHUTDOWN);
        SSL_shutdown(ssl);
    } else if (connected && evbuffer_get_length(out)) {
        evbuffer_unfreeze(out, 1);
        evbuffer_write(out, bufferevent_getfd(bev));
    }
    bufferevent_free(bev);
    ERR_clear_error();
}

bool transport_explain(struct bufferevent *bev, char *text, size_t size)
{
    int error = EVUTIL_SOCKET_ERROR();

    SSL *ssl = bufferevent_openssl_get_ssl(bev);
    unsigned long tls_error = ssl ? bufferevent_get_openssl_error(bev) : 0;
    if (tls_error || (ssl && SSL_get_verify_result(ssl) != X509_V_OK)) {
        tls_explain(ssl, tls_error, text, size);
        return true;
    }
    snprintf(text, size, "%s", error ? evutil_socket_error_to_string(error) : "connection lost");
    return false;
}
