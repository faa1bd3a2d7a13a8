#include "src/net/acceptor.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define PAUSE_MS 500       /* without descriptors */
#define PAUSE_SPARE_MS 100 /* of one with a spare: an operator waits */

struct acceptor {
    TAILQ_ENTRY(acceptor) node;
    struct acceptor_params params; /* `address` points to the copy */
    struct sockaddr_storage address;
    char name[256];
    struct evconnlistener *evl;
    struct event *resume; /* after a pause, and to take a spare descriptor */
    int spare;            /* -1: none, or in use */
    dev_t dev;            /* the socket file; 0 and 0: it has none */
    ino_t ino;
};

static TAILQ_HEAD(, acceptor) acceptors = TAILQ_HEAD_INITIALIZER(acceptors);

/* --- out of descriptors -------------------------------------------------- */

static void take_spare(struct acceptor *acceptor)
{
    if (acceptor->params.spare && acceptor->spare < 0)
        acceptor->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
    struct acceptor *acceptor = arg, *other;

    /* Whoever resumes: those who need a spare one come first. */
    TAILQ_FOREACH (other, &acceptors, node)
        take_spare(other);
    if (acceptor->evl)
        evconnlistener_enable(acceptor->evl);
}

static void set_timer(struct acceptor *acceptor, long ms)
{
    const struct timeval tv = {.tv_usec = ms * 1000};

    evtimer_add(acceptor->resume, &tv);
}

void acceptor_connection_closed(struct acceptor *acceptor)
{
    if (acceptor->params.spare && acceptor->spare < 0)
        set_timer(acceptor, 0);
}

/* Accepts one connection with the descriptor kept back for that, if there is one. */
static bool accept_with_spare(struct acceptor *acceptor)
{
    struct sockaddr_storage peer = {0};
    socklen_t len = sizeof peer;

    if (acceptor->spare < 0)
        return false;
    close(acceptor->spare);
    acceptor->spare = -1;
    int fd =
        accept4(evconnlistener_get_fd(acceptor->evl), (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        take_spare(acceptor);
    else
        acceptor->params.accepted(acceptor->params.arg, fd, (const struct sockaddr *)&peer);
    return fd >= 0;
}

static void on_error(struct evconnlistener *evl, void *arg)
{
    static struct log_limit limit = LOG_LIMIT_INIT(2, 2);
    struct acceptor *acceptor = arg;
    int error = errno;

    log_write_limited(acceptor->params.component, RTE_LOG_WARNING, &limit,
                      "%s: cannot accept: %s: who connects has to wait until others close theirs; raise the limit on "
                      "descriptors (LimitNOFILE= of the service, ulimit -n) or find out who keeps so many connections",
                      acceptor->name, strerror(error));
    if (accept_with_spare(acceptor))
        return;
    bool room = acceptor->params.make_room && acceptor->params.make_room(acceptor->params.arg);
    evconnlistener_disable(evl);
    /* A descriptor that was given up is free when the event loop has unwound. */
    set_timer(acceptor, room ? 0 : acceptor->params.spare ? PAUSE_SPARE_MS : PAUSE_MS);
}

static void on_accept(struct evconnlistener *evl, evutil_socket_t fd, struct sockaddr *peer, int len, void *arg)
{
    struct acceptor *acceptor = arg;

    acceptor->params.accepted(acceptor->params.arg, fd, peer);
}

/* --- the socket ---------------------------------------------------------- */

/* NULL: it is no Unix socket. */
static const char *file_of(const struct acceptor *acceptor)
{
    const struct sockaddr_un *sun = (const void *)&acceptor->address;

    return sun->sun_family == AF_UNIX ? sun->sun_path : NULL;
}

/* A socket file that nobody listens on is left over from a process that died. */
static bool is_stale(const struct acceptor *acceptor)
{
    struct stat st;

    if (lstat(file_of(acceptor), &st) || !S_ISSOCK(st.st_mode))
        return false;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool stale =
        fd >= 0 && connect(fd, acceptor->params.address, acceptor->params.address_len) && errno == ECONNREFUSED;
    if (fd >= 0)
        close(fd);
    return stale;
}

/* Returns false with errno. */
static bool listen_on(struct acceptor *acceptor)
{
    const struct acceptor_params *params = &acceptor->params;
    const char *file = file_of(acceptor);
    unsigned flags = LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | (file ? 0 : LEV_OPT_REUSEABLE);

    if (file && is_stale(acceptor))
        unlink(file);
    mode_t mask = umask(0077);
    acceptor->evl = evconnlistener_new_bind(params->base, on_accept, acceptor, flags, params->backlog, params->address,
                                            (int)params->address_len);
    int error = errno;
    umask(mask);
    struct stat st = {0};
    if (!acceptor->evl) {
        errno = error;
        return false;
    }
    evconnlistener_set_error_cb(acceptor->evl, on_error);
    if (file && lstat(file, &st) == 0) {
        acceptor->dev = st.st_dev;
        acceptor->ino = st.st_ino;
    }
    return true;
}

struct acceptor *acceptor_open(const struct acceptor_params *params)
{
    struct acceptor *acceptor = calloc(1, sizeof *acceptor);

    if (!acceptor)
        return NULL;
    acceptor->params = *params;
    acceptor->spare = -1;
    memcpy(&acceptor->address, params->address, params->address_len);
    acceptor->params.address = (const struct sockaddr *)&acceptor->address;
    snprintf(acceptor->name, sizeof acceptor->name, "%s", params->name);
    acceptor->resume = evtimer_new(params->base, on_resume, acceptor);
    if (!acceptor->resume || !listen_on(acceptor)) {
        int error = acceptor->resume ? errno : ENOMEM;
        if (acceptor->resume)
            event_free(acceptor->resume);
        free(acceptor);
        errno = error;
        return NULL;
    }
    take_spare(acceptor);
    TAILQ_INSERT_TAIL(&acceptors, acceptor, node);
    return acceptor;
}

static bool has_its_file(const struct acceptor *acceptor)
{
    struct stat st;

    return lstat(file_of(acceptor), &st) == 0 && st.st_dev == acceptor->dev && st.st_ino == acceptor->ino;
}

static void stop_listening(struct acceptor *acceptor)
{
    if (!acceptor->evl)
        return;
    evconnlistener_free(acceptor->evl);
    acceptor->evl = NULL;
}

void acceptor_close(struct acceptor *acceptor)
{
    if (!acceptor)
        return;
    TAILQ_REMOVE(&acceptors, acceptor, node);
    stop_listening(acceptor);
    if (file_of(acceptor) && has_its_file(acceptor))
        unlink(file_of(acceptor));
    event_free(acceptor->resume);
    if (acceptor->spare >= 0)
        close(acceptor->spare);
    free(acceptor);
}

/* The old socket has no name any more: nobody can connect to it. Its descriptor is what the new one needs. */
static void restore(struct acceptor *acceptor)
{
    static struct log_limit limit = LOG_LIMIT_INIT(10, 4);

    stop_listening(acceptor);
    if (listen_on(acceptor))
        LOG_WARN(acceptor->params.component, "%s: the socket's file was removed: made again", acceptor->name);
    else
        log_write_limited(acceptor->params.component, RTE_LOG_ERR, &limit,
                          "%s: the socket's file was removed and cannot be made again: %s", acceptor->name,
                          strerror(errno));
}

void acceptors_restore(void)
{
    struct acceptor *acceptor;

    TAILQ_FOREACH (acceptor, &acceptors, node)
        if (file_of(acceptor) && !has_its_file(acceptor))
            restore(acceptor);
}
