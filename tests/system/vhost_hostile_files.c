/* Acts by what is passed: descriptors of any kind, some that wait when they are closed or written to, and memory that
 * is none. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "tests/system/vhost_hostile.h"

/* Each is refused on a connection of its own; a switch that connects takes its time after each. */
static void descriptors_of_any_kind(struct guest *g)
{
    static const enum guest_request requests[] = {GUEST_SET_VRING_KICK, GUEST_SET_VRING_CALL, GUEST_SET_VRING_ERR,
                                                  GUEST_SET_LOG_FD};
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        die("no sockets");
    const int fds[] = {
        open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC),
        open("/dev/null", O_RDWR | O_CLOEXEC),
        open("/proc/self/exe", O_RDONLY | O_CLOEXEC),
        open("/", O_PATH | O_CLOEXEC),
        epoll_create1(EPOLL_CLOEXEC),
        timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC),
        g->memory_fd,
        pair[0],
        g->socket,
    };
    const size_t n = sizeof fds / sizeof fds[0];

    if (!server)
        close(g->socket);
    for (size_t i = 0; i < (server ? n * 4 : 2); i++) {
        const int socket = reach();

        if (socket < 0)
            die("the switch is not to be reached any more");
        guest_give_fd(socket, requests[i % 4], 1, fds[i / 4 % n]);
        if (!is_closed(socket, WAIT_MS))
            die("a descriptor that is no eventfd is not refused");
        close(socket);
    }
    for (size_t i = 0; i < n; i++)
        close(fds[i]);
    close(pair[1]);
    g->socket = -1;
}

/* A TCP connection that waits for a minute, when it is closed, for somebody to read what was sent. */
static int lingering(void)
{
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    const struct linger linger = {1, 60};
    static const char bytes[65536];

    if (bind(listener, (struct sockaddr *)&address, len) != 0 || listen(listener, 1) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &len) != 0 ||
        connect(fd, (struct sockaddr *)&address, len) != 0 || accept(listener, NULL, NULL) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger) != 0)
        die("no TCP connection");
    while (send(fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0)
        ;
    close(listener);
    return fd;
}

/* With the first bytes of a message, of which the rest comes when the switch has the only descriptor of it; `more`
 * others come with that. */
static void pass_lingering(int socket, struct guest_message *m, uint32_t size, unsigned more)
{
    const int fd = lingering();
    int others[8];

    for (unsigned i = 0; i < more; i++)
        others[i] = socket;
    m->flags = GUEST_VERSION;
    m->size = size;
    if (!guest_say_bytes(socket, m, 6, &fd, 1))
        die("the switch does not take messages");
    close(fd);
    guest_say_bytes(socket, (const char *)m + 6, GUEST_MESSAGE_HEADER + size - 6, others, more);
}

/* Behind more messages than the switch reads at once. */
static void leave_lingering_unread(int socket)
{
    struct guest_message call = {.request = GUEST_SET_VRING_CALL, .u64 = 1};
    const struct guest_message owner = {.request = GUEST_SET_OWNER, .flags = GUEST_VERSION};
    char bytes[1000 * GUEST_MESSAGE_HEADER];
    const int fd = lingering();

    for (size_t i = 0; i < sizeof bytes; i += GUEST_MESSAGE_HEADER)
        memcpy(bytes + i, &owner, GUEST_MESSAGE_HEADER);
    if (!guest_say_bytes(socket, bytes, sizeof bytes, NULL, 0) || !guest_say(socket, &call, 8, &fd, 1))
        die("the switch does not take messages");
    close(fd);
}

/* With a message that takes none, with one that takes another kind, more of them than any takes, and one that is not
 * read. Guests are served meanwhile. */
static void descriptor_lingers(struct guest *g)
{
    struct guest_message unknown = {.request = 999}, call = {.request = GUEST_SET_VRING_CALL, .u64 = 1};
    struct guest_message table = {.request = GUEST_SET_MEM_TABLE,
                                  .memory = {.n = 1, .regions = {{GUEST_GPA, 4096, 0x1000, 0}}}};

    pass_lingering(g->socket, &unknown, 8, 0);
    expect_closed(g, "a descriptor with a message that takes none is not refused");
    another_is_served();
    g->socket = reach();
    pass_lingering(g->socket, packed ? &table : &call, packed ? 40 : 8, packed ? 0 : 8);
    expect_closed(g, "a socket for an eventfd or for memory is not refused");
    another_is_served();
    g->socket = reach();
    leave_lingering_unread(g->socket);
    close(g->socket);
    another_is_served();
    g->socket = -1;
}

static void more_descriptors_than_any_message_takes(struct guest *g)
{
    struct guest_message m = {.request = GUEST_SET_MEM_TABLE, .flags = GUEST_VERSION, .size = 40, .memory = {.n = 1}};
    char control[CMSG_SPACE(253 * sizeof(int))] = {0};
    struct iovec iov = {&m, GUEST_MESSAGE_HEADER + 40};
    struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *cmsg = (void *)control;

    cmsg->cmsg_level = SOL_SOCKET;
    cmsg->cmsg_type = SCM_RIGHTS;
    cmsg->cmsg_len = CMSG_LEN(253 * sizeof(int));
    for (unsigned i = 0; i < 253; i++)
        memcpy(CMSG_DATA(cmsg) + i * sizeof(int), i % 2 ? &g->memory_fd : &g->socket, sizeof(int));
    sendmsg(g->socket, &header, MSG_NOSIGNAL);
    expect_closed(g, "hundreds of descriptors are not refused");
}

/* Every packet that the switch takes is to wake the guest, by an eventfd that is full and blocks. */
static void block_call(struct guest *g)
{
    const int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    uint64_t ignored;

    guest_give_fd(g->socket, GUEST_SET_VRING_CALL, 1, fd);
    /* Messages are worked off in order: when this is answered, the eventfd is the ring's. */
    if (!guest_ask(g->socket, GUEST_GET_FEATURES, &ignored))
        die("no answer");
    eventfd_read(fd, &ignored);
    if (eventfd_write(fd, UINT64_MAX - 1) != 0 || fcntl(fd, F_SETFL, O_RDWR) != 0)
        die("an eventfd cannot be filled");
    if (packed)
        g->rings[1].driver_event->flags = VRING_PACKED_EVENT_FLAG_ENABLE;
    else
        g->rings[1].avail->flags = 0;
    guest_send(g, &g->rings[1], frame, FRAME, 0, 8);
}

static void call_blocks(struct guest *g)
{
    block_call(g);
    expect_closed(g, "a guest that holds up a poll-mode thread is not noticed");
    another_is_served();
}

/* The ring that is held up is to be changed, too. */
static void call_blocks_in_change(struct guest *g)
{
    block_call(g);
    usleep(3000);
    for (uint32_t i = 0; i < 8; i++)
        guest_tell_ring(g->socket, GUEST_SET_VRING_ENABLE, 1, i % 2);
    guest_send(g, &g->rings[1], frame, FRAME, 0, 8);
    expect_closed(g, "a guest that holds up a poll-mode thread is not noticed");
}

static void call_blocks_and_peer_leaves(struct guest *g)
{
    block_call(g);
    usleep(3000);
    close(g->socket);
    another_is_served();
    g->socket = -1;
}

/* Of terabytes that a file without content says it has: the process has no more addresses than these some times. */
static void memory_vast(struct guest *g)
{
    const int fd = memfd_create("vast", MFD_CLOEXEC);
    const uint64_t size = 60ull << 40;
    struct guest_message m = {.request = GUEST_SET_MEM_TABLE, .memory = {.n = 1, .regions = {{0, size, 0x1000, 0}}}};
    struct guest_message log = {.request = GUEST_SET_LOG_BASE, .log = {size, 0}};

    if (ftruncate(fd, (off_t)size) != 0)
        die("cannot make a large file");
    close(g->socket);
    for (int i = 0; i < (server ? 4 : 2); i++) {
        g->socket = reach();
        if (i % 2 == 0)
            guest_say(g->socket, &m, 40, &fd, 1);
        else
            guest_say(g->socket, &log, 16, &fd, 1);
        expect_closed(g, "memory of more than any machine has is not refused");
        close(g->socket);
    }
    close(fd);
    g->socket = -1;
}

/* Tables that are right, one after the other, while the rings are in use. */
static void table_again(struct guest *g)
{
    for (int i = 0; i < 200; i++) {
        guest_send(g, &g->rings[1], frame, FRAME, 0, 16);
        if (!guest_tell_memory(g))
            die("a table that is right is refused");
    }
    if (!is_served(g, WAIT_MS))
        die("a guest with other tables is not served");
}

/* Marks of dirty pages are written into the rings. */
static void log_over_rings(struct guest *g)
{
    struct guest_message m = {.request = GUEST_SET_LOG_BASE, .log = {GUEST_MEMORY, 0}};
    struct guest_message addr = {.request = GUEST_SET_VRING_ADDR};

    guest_say(g->socket, &m, 16, &g->memory_fd, 1);
    if (!guest_hear(g->socket, &m, WAIT_MS))
        die("no answer to SET_LOG_BASE");
    guest_tell(g->socket, GUEST_SET_FEATURES, guest_features(g) | 1ull << 26);
    for (uint32_t i = 0; i < 2; i++) {
        const struct guest_ring *r = &g->rings[i];

        addr.addr.index = i;
        addr.addr.flags = 1;
        addr.addr.desc = (uintptr_t)r->desc;
        addr.addr.used = (uintptr_t)r->used;
        addr.addr.avail = (uintptr_t)r->avail;
        /* The bit of its page is in this ring, wherever that is. */
        addr.addr.log = (uint64_t)((const uint8_t *)r->desc - g->memory) * 8 * 4096;
        guest_say(g->socket, &addr, 40, NULL, 0);
    }
    for (int i = 0; i < 20; i++) {
        guest_send(g, &g->rings[1], frame, FRAME, 0, 16);
        usleep(2000);
    }
}

const struct act file_acts[] = {
    {"descriptors_of_any_kind", descriptors_of_any_kind},
    {"descriptor_lingers", descriptor_lingers},
    {"more_descriptors_than_any_message_takes", more_descriptors_than_any_message_takes},
    {"call_blocks", call_blocks},
    {"call_blocks_in_change", call_blocks_in_change},
    {"call_blocks_and_peer_leaves", call_blocks_and_peer_leaves},
    {"memory_vast", memory_vast},
    {"table_again", table_again},
    {"log_over_rings", log_over_rings},
    {NULL, NULL},
};
