#include "pmd/vhost/endpoint.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "pmd/base/clock.h"
#include "pmd/base/log.h"
#include "pmd/base/memory.h"
#include "pmd/base/priority.h"
#include "pmd/vhost/closing.h"
#include "pmd/vhost/socket_file.h"

/* Connections to one socket at once: the guest's, and others that may become it. */
#define CONNECTIONS_MAX 16
/* New connections: so many at once, and then one in so many milliseconds. */
#define ACCEPTS_MAX 32
#define ACCEPT_MS 2
/* Others wait in connect(). No more, or a guest would stand in line behind a thousand that are gone already. */
#define BACKLOG 16
/* Descriptors that wait to be closed (pmd/vhost/closing.h): of more connections there are no new ones meanwhile. */
#define CLOSERS_MAX 16
/* Messages of a connection likewise; a start takes some six a ring. */
#define MESSAGES_FIRST 256
#define MESSAGES_MAX 4096
#define MESSAGES_A_MS 4
/* Descriptors that come with one sendmsg() (the kernel's SCM_MAX_FD). */
#define FDS_AT_ONCE 253
/* How often a socket of a virtual machine is tried: usually, and after one that did what it must not. */
#define CONNECT_MS 100
#define CONNECT_AFTER_FAULT_MS 1000
/* How often threads that wake guests are looked at, and how long no guest may run after one that has held one up. */
#define WATCH_MS 5
#define AFTER_HOLDING_UP_MS 1000

/* What an event of epoll belongs to: the first member of both. */
enum kind { ENDPOINT, CONNECTION };

struct connection {
    enum kind kind;
    bool open; /* false: freed before the next events are asked for */
    int fd;
    struct connection *next;
    struct vhost_endpoint *endpoint;
    struct vhost_device *device;
    uint64_t since_ms;
    uint32_t messages; /* that may still be read, as of `counted_ms` */
    uint64_t counted_ms;
    bool paused; /* until it may be read from again */
    bool spoke;  /* it has sent a message */
    /* The message that is being read. */
    size_t got;
    unsigned n_fds;
    int fds[VHOST_FDS_MAX + FDS_AT_ONCE]; /* a message that is done has no more than VHOST_FDS_MAX */
    struct vhost_message message;
};

struct vhost_endpoint {
    enum kind kind;
    int fd; /* that listens; -1: none */
    struct vhost_endpoint *next;
    bool client;
    uint64_t features;
    struct vhost_ring *rings;
    vhost_changed_fn *changed;
    void *arg;
    struct connection *connections;
    unsigned n_connections;
    struct connection *active; /* has the rings */
    unsigned n_rings;          /* of which none has a higher number that is used */
    struct vhost_closers *closers;
    uint32_t accepts; /* that are allowed, as of `counted_ms` */
    uint64_t counted_ms;
    bool paused;
    uint64_t connect_ms; /* client: not before */
    uint64_t hold_ms;    /* no guest before */
    bool look;           /* set by poll-mode threads: a ring has failed */
    struct vhost_access access;
    struct socket_file file; /* that was made */
    uint64_t faults;
    char name[256];
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
};

/* `lock` guards all of this. The thread holds it for one event at a time. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct vhost_endpoint *endpoints;
/* What is closed: the thread frees it, which may take the kernel long, without the lock. */
static struct connection *closed;
static struct vhost_endpoint *dead;
static int epoll_fd = -1, wake_fd = -1;
static pthread_t thread;
static bool running, ending;

/* --- connections --------------------------------------------------------- */

static void tell(struct vhost_endpoint *endpoint)
{
    struct vhost_guest guest = {.numa_node = -1};

    endpoint->n_rings = 0;
    if (endpoint->active) {
        struct vhost_device *device = endpoint->active->device;

        for (unsigned i = 0; i < VHOST_RINGS_MAX; i++)
            if (endpoint->rings[i].usable)
                endpoint->n_rings = i + 1;
        guest.running = endpoint->n_rings > 0;
        guest.features = vhost_device_negotiated(device);
        guest.mtu = vhost_device_mtu(device);
        guest.numa_node = vhost_device_numa_node(device);
        guest.has_rarp = vhost_device_take_rarp(device, &guest.mac);
    }
    endpoint->changed(endpoint->arg, &guest);
}

static void close_fds(int *fds, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
        fds[i] = -1;
    }
}

/* The guest held up a poll-mode thread: it, or another, does not get to do it again at once. */
static void hold(struct vhost_endpoint *endpoint)
{
    LOG_WARN_RL(LOG_PORT, "%s: the VM on %s held up a poll-mode thread: none may run there for %u ms", endpoint->name,
                endpoint->path, AFTER_HOLDING_UP_MS);
    endpoint->hold_ms = clock_now_ms() + AFTER_HOLDING_UP_MS;
}

/* Without telling the port. free_closed() closes its descriptors. */
static void drop(struct connection *connection)
{
    struct vhost_endpoint *endpoint = connection->endpoint;

    for (struct connection **link = &endpoint->connections; *link; link = &(*link)->next) {
        if (*link == connection) {
            *link = connection->next;
            break;
        }
    }
    endpoint->n_connections--;
    if (endpoint->active == connection) {
        if (vhost_device_detach(connection->device))
            hold(endpoint);
        endpoint->active = NULL;
    }
    epoll_ctl(epoll_fd, EPOLL_CTL_DEL, connection->fd, NULL);
    shutdown(connection->fd, SHUT_RDWR);
    connection->open = false;
    connection->next = closed;
    closed = connection;
}

static void close_connection(struct connection *connection)
{
    struct vhost_endpoint *endpoint = connection->endpoint;
    const bool was_active = endpoint->active == connection;

    drop(connection);
    if (was_active)
        tell(endpoint);
}

static void fault(struct connection *connection, const char *what)
{
    struct vhost_endpoint *endpoint = connection->endpoint;

    LOG_WARN_RL(LOG_PORT, "%s: the connection of %s on %s is closed: it passed %s", endpoint->name,
                endpoint->active == connection ? "the VM" : "one that is not the running VM", endpoint->path, what);
    __atomic_store_n(&endpoint->faults, endpoint->faults + 1, __ATOMIC_RELAXED);
    endpoint->connect_ms = clock_now_ms() + CONNECT_AFTER_FAULT_MS;
    close_connection(connection);
}

static bool add_connection(struct vhost_endpoint *endpoint, int fd)
{
    struct connection *connection = calloc(1, sizeof *connection);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};

    if (!connection)
        out_of_memory("a vhost-user connection", sizeof *connection);
    connection->kind = CONNECTION;
    connection->open = true;
    connection->fd = fd;
    connection->endpoint = endpoint;
    connection->since_ms = connection->counted_ms = clock_now_ms();
    connection->messages = MESSAGES_FIRST;
    connection->device = vhost_device_new(endpoint->features);
    if (!connection->device)
        out_of_memory("a vhost-user device", 0);
    connection->next = endpoint->connections;
    endpoint->connections = connection;
    endpoint->n_connections++;
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0)
        return true;
    drop(connection);
    return false;
}

/* --- messages ------------------------------------------------------------ */

/* Up to `len` bytes of the message, with descriptors. 0: nothing there; -1: the end, or too many descriptors. */
static ssize_t receive(struct connection *connection, size_t len)
{
    char control[CMSG_SPACE(FDS_AT_ONCE * sizeof(int))];
    struct iovec iov = {(char *)&connection->message + connection->got, len};
    struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    const ssize_t got = recvmsg(connection->fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

    if (got < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -1;
    for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(&header); cmsg; cmsg = CMSG_NXTHDR(&header, cmsg)) {
        const unsigned n = (unsigned)((cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int));

        if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
            continue;
        memcpy(connection->fds + connection->n_fds, CMSG_DATA(cmsg), n * sizeof(int));
        connection->n_fds += n;
    }
    return got == 0 || header.msg_flags & MSG_CTRUNC || connection->n_fds > VHOST_FDS_MAX ? -1 : got;
}

static bool reply(struct connection *connection)
{
    const size_t len = VHOST_MESSAGE_HEADER + connection->message.size;

    return send(connection->fd, &connection->message, len, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)len;
}

/* The first connection whose rings can run has the port. */
static bool activate(struct connection *connection, char *error, size_t error_size)
{
    struct vhost_endpoint *endpoint = connection->endpoint;

    if (endpoint->active == connection || !vhost_device_is_ready(connection->device))
        return true;
    if (endpoint->active) {
        snprintf(error, error_size, "rings that are to run while those of another VM do");
        return false;
    }
    if (clock_now_ms() < endpoint->hold_ms) {
        snprintf(error, error_size, "rings that are to run so soon after some that held the switch up");
        return false;
    }
    if (!vhost_device_attach(connection->device, endpoint->rings, error, error_size))
        return false;
    endpoint->active = connection;
    return true;
}

static void unmap_later(struct vhost_memory *memory);

static void handle(struct connection *connection)
{
    struct vhost_endpoint *endpoint = connection->endpoint;
    struct vhost_outcome outcome = {0};
    char error[200];
    const bool was_active = endpoint->active == connection;
    const bool ok = vhost_device_expects(&connection->message, connection->n_fds, error, sizeof error) &&
                    vhost_device_handle(connection->device, &connection->message, connection->fds, connection->n_fds,
                                        &outcome, error, sizeof error);

    if (outcome.old)
        unmap_later(outcome.old);
    if (!ok) {
        fault(connection, error);
        return;
    }
    /* Of eventfds, or of memory that is mapped: the device has looked at them. */
    close_fds(connection->fds, connection->n_fds);
    connection->n_fds = 0;
    connection->got = 0;
    connection->spoke = true;
    if (outcome.reply && !reply(connection)) {
        fault(connection, "a request whose answer it does not read");
        return;
    }
    if (!activate(connection, error, sizeof error)) {
        fault(connection, error);
        return;
    }
    if (endpoint->active == connection && (outcome.changed || !was_active))
        tell(endpoint);
}

/* Reads what is there of one message. The next one is another event. */
static void read_message(struct connection *connection)
{
    const size_t wanted =
        connection->got < VHOST_MESSAGE_HEADER ? VHOST_MESSAGE_HEADER : VHOST_MESSAGE_HEADER + connection->message.size;
    const ssize_t got = receive(connection, wanted - connection->got);
    char error[200];

    if (got < 0) {
        if (connection->n_fds > 0)
            fault(connection, "descriptors without a message, or too many");
        else
            close_connection(connection);
        return;
    }
    connection->got += (size_t)got;
    if (connection->got < wanted)
        return;
    if (wanted == VHOST_MESSAGE_HEADER) {
        if (!vhost_device_expects(&connection->message, connection->n_fds, error, sizeof error)) {
            fault(connection, error);
            return;
        }
        if (connection->message.size > 0)
            return;
    }
    handle(connection);
}

/* That a peer is gone is told even then. */
static void set_paused(int fd, void *of, bool *paused, bool wanted)
{
    struct epoll_event event = {.events = wanted ? 0 : EPOLLIN, .data.ptr = of};

    *paused = wanted;
    epoll_ctl(epoll_fd, EPOLL_CTL_MOD, fd, &event);
}

static void on_connection(struct connection *connection, uint32_t events)
{
    /* What it said last does not count any more, and another guest may be waiting. */
    if (events & (EPOLLHUP | EPOLLERR)) {
        close_connection(connection);
        return;
    }
    if (connection->messages == 0) {
        const uint64_t now = clock_now_ms();

        connection->messages =
            (uint32_t)RTE_MIN((now - connection->counted_ms) * MESSAGES_A_MS, (uint64_t)MESSAGES_MAX);
        connection->counted_ms = now;
        if (connection->messages == 0) {
            set_paused(connection->fd, connection, &connection->paused, true);
            return;
        }
    }
    if (connection->got == 0)
        connection->messages--;
    read_message(connection);
}

/* --- sockets ------------------------------------------------------------- */

/* False: errno. */
static bool listen_at(struct vhost_endpoint *endpoint)
{
    struct sockaddr_un address;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = endpoint};
    const int fd = socket_open(endpoint->path, &address);
    int error;

    if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
        socket_file_prepare(&endpoint->file, endpoint->path, &endpoint->access) && listen(fd, BACKLOG) == 0 &&
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0) {
        endpoint->fd = fd;
        endpoint->paused = false;
        return true;
    }
    error = errno;
    if (fd >= 0)
        close(fd);
    errno = error;
    return false;
}

/* Removes the socket, unless there is another one by now. */
static void stop_listening(struct vhost_endpoint *endpoint)
{
    if (endpoint->fd < 0)
        return;
    socket_file_remove(&endpoint->file, endpoint->path);
    epoll_ctl(epoll_fd, EPOLL_CTL_DEL, endpoint->fd, NULL);
    vhost_close_socket(endpoint->closers, endpoint->fd);
    endpoint->fd = -1;
}

/* The connection that a new one takes the place of: the oldest of those that have not said anything yet; else the
 * oldest that does not have the rings. */
static struct connection *expendable(const struct vhost_endpoint *endpoint)
{
    struct connection *oldest = NULL;
    bool oldest_spoke = false;

    /* The newest is first. */
    for (struct connection *c = endpoint->connections; c; c = c->next) {
        if (c == endpoint->active || (oldest && c->spoke && !oldest_spoke))
            continue;
        oldest = c;
        oldest_spoke = c->spoke;
    }
    return oldest;
}

static bool may_accept(struct vhost_endpoint *endpoint, uint64_t now)
{
    const uint64_t more = (now - endpoint->counted_ms) / ACCEPT_MS;

    if (more > 0) {
        endpoint->accepts = (uint32_t)RTE_MIN(endpoint->accepts + more, (uint64_t)ACCEPTS_MAX);
        endpoint->counted_ms = now;
    }
    return endpoint->accepts > 0 && now >= endpoint->hold_ms && vhost_closers_count(endpoint->closers) < CLOSERS_MAX;
}

static void on_listener(struct vhost_endpoint *endpoint)
{
    int fd;

    if (!may_accept(endpoint, clock_now_ms())) {
        set_paused(endpoint->fd, endpoint, &endpoint->paused, true);
        return;
    }
    fd = accept4(endpoint->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        /* Without descriptors it stays readable. */
        if (errno == EMFILE || errno == ENFILE || errno == ENOMEM)
            endpoint->accepts = 0;
        return;
    }
    endpoint->accepts--;
    if (endpoint->n_connections == CONNECTIONS_MAX) {
        struct connection *old = expendable(endpoint);

        LOG_WARN_RL(LOG_PORT, "%s: %u connections are open on %s: the oldest that no VM runs behind is closed",
                    endpoint->name, CONNECTIONS_MAX, endpoint->path);
        close_connection(old);
    }
    add_connection(endpoint, fd);
}

static void try_connect(struct vhost_endpoint *endpoint, uint64_t now)
{
    struct sockaddr_un address;
    int fd;

    endpoint->connect_ms = now + CONNECT_MS;
    if (now < endpoint->hold_ms || vhost_closers_count(endpoint->closers) >= CLOSERS_MAX)
        return;
    fd = socket_open(endpoint->path, &address);
    if (fd < 0)
        return;
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0) {
        add_connection(endpoint, fd);
        return;
    }
    if (errno == EACCES)
        LOG_WARN_RL(LOG_PORT, "%s: no permission to connect to %s: sluiced runs as uid %d", endpoint->name,
                    endpoint->path, geteuid());
    close(fd);
}

/* --- the thread ---------------------------------------------------------- */

static struct vhost_memory *unmapping[64];
static unsigned n_unmapping;

static void unmap_later(struct vhost_memory *memory)
{
    if (n_unmapping < RTE_DIM(unmapping))
        unmapping[n_unmapping++] = memory;
    else
        vhost_memory_unmap(memory);
}

/* Without the lock, but for taking what there is. */
static void free_closed(void)
{
    struct connection *connections;
    struct vhost_endpoint *old;
    struct vhost_memory *memories[RTE_DIM(unmapping)];
    unsigned n;

    pthread_mutex_lock(&lock);
    connections = closed;
    old = dead;
    n = n_unmapping;
    memcpy(memories, unmapping, sizeof memories);
    closed = NULL;
    dead = NULL;
    n_unmapping = 0;
    pthread_mutex_unlock(&lock);
    for (struct connection *c = connections, *next; c; c = next) {
        next = c->next;
        vhost_close_socket(c->endpoint->closers, c->fd);
        vhost_close(c->endpoint->closers, c->fds, c->n_fds);
        vhost_device_free(c->device);
        free(c);
    }
    for (struct vhost_endpoint *e = old, *next; e; e = next) {
        next = e->next;
        vhost_closers_release(e->closers);
        free(e);
    }
    for (unsigned i = 0; i < n; i++)
        vhost_memory_unmap(memories[i]);
}

/* Ends the guests whose rings have failed. */
static void look_at_rings(void)
{
    for (struct vhost_endpoint *e = endpoints; e; e = e->next) {
        if (!__atomic_exchange_n(&e->look, false, __ATOMIC_ACQUIRE))
            continue;
        for (unsigned i = 0; e->active && i < VHOST_RINGS_MAX; i++) {
            const enum vhost_fault what = __atomic_load_n(&e->rings[i].fault, __ATOMIC_ACQUIRE);

            if (what != VHOST_FINE)
                fault(e->active, vhost_fault_text(what));
        }
    }
}

static void earlier(int *timeout, uint64_t now, uint64_t due)
{
    const int ms = due <= now ? 1 : (int)RTE_MIN(due - now, (uint64_t)1000);

    if (*timeout < 0 || ms < *timeout)
        *timeout = ms;
}

/* Runs what is due of one endpoint; shortens *timeout to the time until it is due again. */
static void run_timers(struct vhost_endpoint *endpoint, uint64_t now, int *timeout)
{
    if (endpoint->client && !endpoint->connections) {
        if (now >= endpoint->connect_ms)
            try_connect(endpoint, now);
        if (!endpoint->connections)
            earlier(timeout, now, endpoint->connect_ms);
    }
    if (endpoint->paused) {
        if (may_accept(endpoint, now))
            set_paused(endpoint->fd, endpoint, &endpoint->paused, false);
        else
            earlier(timeout, now, RTE_MAX(endpoint->counted_ms + ACCEPT_MS, endpoint->hold_ms));
    }
    for (struct connection *c = endpoint->connections; c; c = c->next) {
        if (!c->paused)
            continue;
        if (now - c->counted_ms >= 20)
            set_paused(c->fd, c, &c->paused, false);
        else
            earlier(timeout, now, c->counted_ms + 20);
    }
}

/* Lets no poll-mode thread wait for a guest that it wakes. */
static void watch_rings(uint64_t now, int *timeout)
{
    static uint64_t watched_ms;
    const bool due = now >= watched_ms + WATCH_MS;

    if (due)
        watched_ms = now;
    for (struct vhost_endpoint *e = endpoints; e; e = e->next) {
        for (unsigned i = 0; due && i < e->n_rings; i++)
            vhost_ring_watch(&e->rings[i]);
        if (e->n_rings > 0)
            earlier(timeout, now, watched_ms + WATCH_MS);
    }
}

static int run_all_timers(void)
{
    const uint64_t now = clock_now_ms();
    int timeout = -1;

    pthread_mutex_lock(&lock);
    for (struct vhost_endpoint *e = endpoints; e; e = e->next)
        run_timers(e, now, &timeout);
    watch_rings(now, &timeout);
    pthread_mutex_unlock(&lock);
    return timeout;
}

static void on_event(void *of, uint32_t events)
{
    eventfd_t count;

    if (!of) {
        eventfd_read(wake_fd, &count);
        look_at_rings();
    } else if (*(enum kind *)of == CONNECTION) {
        if (((struct connection *)of)->open)
            on_connection(of, events);
    } else if (((struct vhost_endpoint *)of)->fd >= 0) {
        on_listener(of);
    }
}

static void *serve(void *arg)
{
    struct epoll_event events[16];

    priority_inherit_usual();
    while (!__atomic_load_n(&ending, __ATOMIC_ACQUIRE)) {
        int n;

        free_closed();
        n = epoll_wait(epoll_fd, events, RTE_DIM(events), run_all_timers());
        for (int i = 0; i < n; i++) {
            pthread_mutex_lock(&lock);
            on_event(events[i].data.ptr, events[i].events);
            pthread_mutex_unlock(&lock);
        }
    }
    free_closed();
    return NULL;
}

static void wake(void)
{
    eventfd_write(wake_fd, 1);
}

static bool start_thread(void)
{
    struct epoll_event event = {.events = EPOLLIN};
    sigset_t all, before;

    if (running)
        return true;
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    ending = false;
    if (epoll_fd >= 0 && wake_fd >= 0 && epoll_ctl(epoll_fd, EPOLL_CTL_ADD, wake_fd, &event) == 0) {
        sigfillset(&all);
        sigdelset(&all, SIGBUS); /* a guest's memory that is cut short */
        pthread_sigmask(SIG_SETMASK, &all, &before);
        running = pthread_create(&thread, NULL, serve, NULL) == 0;
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    if (running) {
        pthread_setname_np(thread, "vhost-user");
        return true;
    }
    close_fds((int[]){epoll_fd, wake_fd}, 2);
    return false;
}

/* --- control thread ------------------------------------------------------ */

static const char *hint(int error)
{
    if (error != EPERM)
        return "";
    return ": only root may give a socket to another user, and others to groups that they are in: run sluiced as root, "
           "or change socket_owner and socket_group";
}

struct vhost_endpoint *vhost_endpoint_open(const struct vhost_endpoint_params *params, char *error, size_t error_size)
{
    struct vhost_endpoint *endpoint = calloc(1, sizeof *endpoint);

    if (!endpoint)
        out_of_memory("a vhost-user socket", sizeof *endpoint);
    endpoint->kind = ENDPOINT;
    endpoint->fd = -1;
    endpoint->client = params->client;
    endpoint->access = params->access;
    endpoint->features = params->features;
    endpoint->rings = params->rings;
    endpoint->changed = params->changed;
    endpoint->arg = params->arg;
    endpoint->accepts = ACCEPTS_MAX;
    endpoint->counted_ms = clock_now_ms();
    endpoint->closers = vhost_closers_new();
    snprintf(endpoint->name, sizeof endpoint->name, "%s", params->name);
    snprintf(endpoint->path, sizeof endpoint->path, "%s", params->path);
    for (unsigned i = 0; i < VHOST_RINGS_MAX; i++)
        endpoint->rings[i].call_fd = -1;
    if (!start_thread() || (!endpoint->client && !listen_at(endpoint))) {
        snprintf(error, error_size, "path %s: no socket for virtual machines: %s%s", endpoint->path, strerror(errno),
                 hint(errno));
        vhost_closers_release(endpoint->closers);
        free(endpoint);
        return NULL;
    }
    pthread_mutex_lock(&lock);
    endpoint->next = endpoints;
    endpoints = endpoint;
    pthread_mutex_unlock(&lock);
    wake();
    return endpoint;
}

void vhost_endpoint_close(struct vhost_endpoint *endpoint)
{
    pthread_mutex_lock(&lock);
    while (endpoint->connections)
        close_connection(endpoint->connections);
    stop_listening(endpoint);
    for (struct vhost_endpoint **link = &endpoints; *link; link = &(*link)->next) {
        if (*link == endpoint) {
            *link = endpoint->next;
            break;
        }
    }
    endpoint->next = dead;
    dead = endpoint;
    pthread_mutex_unlock(&lock);
    wake();
}

bool vhost_endpoint_listen_again(struct vhost_endpoint *endpoint)
{
    bool ok;

    pthread_mutex_lock(&lock);
    if (endpoint->fd >= 0) {
        epoll_ctl(epoll_fd, EPOLL_CTL_DEL, endpoint->fd, NULL);
        vhost_close_socket(endpoint->closers, endpoint->fd);
    }
    endpoint->fd = -1;
    ok = listen_at(endpoint);
    pthread_mutex_unlock(&lock);
    return ok;
}

bool vhost_endpoint_set_access(struct vhost_endpoint *endpoint, const struct vhost_access *access, char *error,
                               size_t error_size)
{
    int rc = 0;

    pthread_mutex_lock(&lock);
    if (endpoint->fd >= 0)
        rc = socket_file_set_access(&endpoint->file, endpoint->path, access);
    if (rc == 0)
        endpoint->access = *access;
    pthread_mutex_unlock(&lock);
    if (rc < 0)
        snprintf(error, error_size, "path %s: the socket cannot be given its owner and permissions: %s%s",
                 endpoint->path, strerror(-rc), hint(-rc));
    return rc == 0;
}

bool vhost_endpoint_is_connected(const struct vhost_endpoint *endpoint)
{
    bool connected;

    pthread_mutex_lock(&lock);
    connected = endpoint->n_connections > 0;
    pthread_mutex_unlock(&lock);
    return connected;
}

uint64_t vhost_endpoint_faults(const struct vhost_endpoint *endpoint)
{
    return __atomic_load_n(&endpoint->faults, __ATOMIC_RELAXED);
}

void vhost_endpoint_look(struct vhost_endpoint *endpoint)
{
    __atomic_store_n(&endpoint->look, true, __ATOMIC_RELEASE);
    wake();
}

void vhost_endpoints_stop(void)
{
    if (!running)
        return;
    __atomic_store_n(&ending, true, __ATOMIC_RELEASE);
    wake();
    pthread_join(thread, NULL);
    close_fds((int[]){epoll_fd, wake_fd}, 2);
    running = false;
}
