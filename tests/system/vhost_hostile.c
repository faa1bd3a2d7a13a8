/* Guests that mean harm, and two that only talk to each other meanwhile.
 *
 *   vhost-hostile stream FROM TO SECONDS
 *       Guests on the sockets FROM and TO: numbered frames from one to the other. Prints how many were sent, how many
 *       came, and the longest time that one took.
 *   vhost-hostile play SOCKET server|client split|packed ACT
 *       Does ACT to the port on SOCKET, which the switch owns (server) or connects to (client). Fails if the switch
 *       does not do what is right.
 *   vhost-hostile acts
 *       The names of all acts.
 *
 * Who plays is a single process of the guest's side of the protocol (tests/lib/vhost_guest.h), without a virtual
 * machine.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/system/vhost_hostile.h"

#define REPEATS (server ? 40 : 4) /* a switch that connects takes its time after each */

bool server, packed;
static const char *socket_path;
static int listener = -1;

_Noreturn void die(const char *what)
{
    guest_die(1, what);
}

/* --- connections --------------------------------------------------------- */

int reach(void)
{
    struct pollfd wait;

    if (server) {
        for (int i = 0; i < 500; i++) {
            const int fd = guest_connect(socket_path);

            if (fd >= 0)
                return fd;
            usleep(10 * 1000);
        }
        return -1;
    }
    if (listener < 0) {
        listener = guest_listen(socket_path);
        if (listener < 0)
            die("cannot listen");
    }
    wait = (struct pollfd){.fd = listener, .events = POLLIN};
    return poll(&wait, 1, WAIT_MS) == 1 ? accept(listener, NULL, NULL) : -1;
}

bool is_closed(int socket, int timeout_ms)
{
    const uint64_t end = guest_now_us() + (uint64_t)timeout_ms * 1000;
    char byte[256];

    while (guest_now_us() < end) {
        struct pollfd wait = {.fd = socket, .events = POLLIN};
        ssize_t got;

        if (poll(&wait, 1, 20) != 1)
            continue;
        got = recv(socket, byte, sizeof byte, MSG_DONTWAIT);
        if (got == 0 || (got < 0 && errno != EAGAIN))
            return true;
    }
    return false;
}

void expect_closed(struct guest *g, const char *what)
{
    if (!is_closed(g->socket, WAIT_MS))
        die(what);
}

void guest_new(struct guest *g)
{
    if (!guest_make(g, 2, RING, packed))
        die("no memory");
}

void guest_end(struct guest *g)
{
    for (uint16_t i = 0; i < g->n_rings; i++) {
        close(g->rings[i].kick);
        close(g->rings[i].call);
    }
    close(g->memory_fd);
    munmap(g->memory, GUEST_MEMORY);
    close(g->socket);
}

const uint8_t frame[FRAME] = {0x02, 0, 0, 0, 0, 2, 0x02, 0, 0, 0, 0, 1, 0x88, 0xb5};

bool is_served(struct guest *g, int timeout_ms)
{
    const uint64_t end = guest_now_us() + (uint64_t)timeout_ms * 1000;

    guest_send(g, &g->rings[1], frame, FRAME, 0, 8);
    while (guest_now_us() < end) {
        uint32_t len;

        while (guest_used(&g->rings[1], &len) >= 0)
            ;
        if (g->rings[1].in_use == 0)
            return true;
        usleep(500);
    }
    return false;
}

void guest_run(struct guest *g)
{
    guest_new(g);
    guest_fill(g, &g->rings[0]);
    guest_join(g);
}

void guest_join(struct guest *g)
{
    g->socket = reach();
    if (g->socket < 0 || !guest_start(g))
        die("the switch does not take a guest");
    if (!is_served(g, WAIT_MS))
        die("a guest that did nothing wrong is not served");
}

void another_is_served(void)
{
    struct guest other;

    guest_run(&other);
    guest_end(&other);
}

/* --- acts: each has a guest that runs ------------------------------------ */

static void request(struct guest *g, uint32_t number, uint32_t size)
{
    struct guest_message m = {.request = number};

    guest_say(g->socket, &m, size, NULL, 0);
}

static void postcopy_advise(struct guest *g)
{
    request(g, GUEST_POSTCOPY_ADVISE, 0);
    request(g, GUEST_POSTCOPY_LISTEN, 0);
    expect_closed(g, "postcopy is not refused");
}

static void postcopy_listen(struct guest *g)
{
    request(g, GUEST_POSTCOPY_LISTEN, 0);
    expect_closed(g, "postcopy is not refused");
}

static void table(struct guest *g, uint64_t gpa, uint64_t size, uint64_t offset, int fd, unsigned n)
{
    struct guest_message m = {.request = GUEST_SET_MEM_TABLE, .memory = {.n = n}};
    int fds[8];

    for (unsigned i = 0; i < n && i < 8; i++) {
        m.memory.regions[i].gpa = gpa;
        m.memory.regions[i].size = size;
        m.memory.regions[i].uva = (uintptr_t)g->memory;
        m.memory.regions[i].offset = offset;
        fds[i] = fd;
    }
    guest_send(g, &g->rings[1], frame, FRAME, 0, 64);
    guest_say(g->socket, &m, 8 + 32 * (n < 8 ? n : 8), fds, n < 8 ? n : 8);
    expect_closed(g, "a table that cannot be is not refused");
}

/* With a table that is right, which librte_vhost then maps through userfaultfd. */
static void postcopy_table(struct guest *g)
{
    request(g, GUEST_POSTCOPY_ADVISE, 0);
    table(g, GUEST_GPA, GUEST_MEMORY, 0, g->memory_fd, 1);
}

static void table_empty_region(struct guest *g)
{
    table(g, GUEST_GPA, 0, 0, g->memory_fd, 1);
}

static void table_unmappable(struct guest *g)
{
    int pipes[2];

    if (pipe2(pipes, O_CLOEXEC) != 0)
        die("no pipe");
    table(g, GUEST_GPA, GUEST_MEMORY, 0, pipes[0], 1);
    close(pipes[0]);
    close(pipes[1]);
}

static void table_read_only(struct guest *g)
{
    char path[64];
    int fd;

    snprintf(path, sizeof path, "/proc/self/fd/%d", g->memory_fd);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    table(g, GUEST_GPA, GUEST_MEMORY, 0, fd, 1);
    close(fd);
}

static void table_of_a_disk(struct guest *g)
{
    const int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

    table(g, GUEST_GPA, 4096, 0, fd, 1);
    close(fd);
}

static void table_overlap(struct guest *g)
{
    table(g, GUEST_GPA, GUEST_MEMORY, 0, g->memory_fd, 2);
}

static void table_round_the_end(struct guest *g)
{
    table(g, UINT64_MAX - 4096, GUEST_MEMORY, 0, g->memory_fd, 1);
}

static void table_long_offset(struct guest *g)
{
    table(g, GUEST_GPA, GUEST_MEMORY, UINT64_MAX - 4095, g->memory_fd, 1);
}

static void table_longer_than_file(struct guest *g)
{
    table(g, GUEST_GPA, 2ull * GUEST_MEMORY, 0, g->memory_fd, 1);
}

static void table_too_many(struct guest *g)
{
    table(g, GUEST_GPA, 4096, 0, g->memory_fd, 200);
}

static void table_elsewhere(struct guest *g)
{
    struct guest_message m = {.request = GUEST_SET_MEM_TABLE,
                              .memory = {.n = 1, .regions = {{GUEST_GPA, 65536, 0x1000, 0}}}};

    guest_say(g->socket, &m, 8 + 32, &g->memory_fd, 1);
    expect_closed(g, "a table without the rings is not refused");
}

static void memory_cut(struct guest *g)
{
    guest_send(g, &g->rings[1], frame, FRAME, 0, RING);
    if (ftruncate(g->memory_fd, 0) != 0)
        die("cannot truncate");
    expect_closed(g, "memory that is cut short is not noticed");
}

/* The rings stay, the packets go. */
static void memory_cut_behind_rings(struct guest *g)
{
    const uint64_t keep = (uint64_t)(g->rings[1].buffers - g->memory) & ~4095ull;
    uint16_t flags = 0xffff;
    uint16_t first;

    is_served(g, WAIT_MS);
    first = g->rings[1].next;
    guest_offer(g, &g->rings[1], GUEST_HEADER + FRAME, &flags);
    if (ftruncate(g->memory_fd, (off_t)keep) != 0)
        die("cannot truncate");
    guest_publish(&g->rings[1], first, flags);
    expect_closed(g, "memory that is cut short is not noticed");
}

static void log_base(struct guest *g, uint64_t size, off_t file_size, off_t later)
{
    const int fd = memfd_create("log", MFD_CLOEXEC);
    struct guest_message m = {.request = GUEST_SET_LOG_BASE, .log = {size, 0}};
    struct guest_message addr = {.request = GUEST_SET_VRING_ADDR};
    const struct guest_ring *r = &g->rings[1];
    uint64_t ignored;

    if (ftruncate(fd, file_size) != 0)
        die("cannot make a log");
    guest_say(g->socket, &m, 16, &fd, 1);
    if (later >= 0) {
        if (!guest_hear(g->socket, &m, WAIT_MS))
            die("no answer to SET_LOG_BASE");
        guest_tell(g->socket, GUEST_SET_FEATURES, guest_features(g) | 1ull << 26);
        addr.addr.index = 1;
        addr.addr.flags = 1;
        addr.addr.desc = (uintptr_t)r->desc;
        addr.addr.used = (uintptr_t)r->used;
        addr.addr.avail = (uintptr_t)r->avail;
        addr.addr.log = guest_gpa(g, r->packed ? (void *)r->desc : (void *)r->used);
        guest_say(g->socket, &addr, 40, NULL, 0);
        /* Messages are worked off in order: once this is answered, what the switch writes is logged. */
        if (!guest_ask(g->socket, GUEST_GET_FEATURES, &ignored) || !is_served(g, WAIT_MS))
            die("a guest that is being moved is not served");
        if (ftruncate(fd, later) != 0)
            die("cannot truncate");
        guest_send(g, &g->rings[1], frame, FRAME, 0, 32);
    }
    close(fd);
    expect_closed(g, "a log that is too short is not noticed");
}

static void log_longer_than_file(struct guest *g)
{
    log_base(g, 1 << 20, 4096, -1);
}

static void log_cut(struct guest *g)
{
    log_base(g, 1 << 20, 1 << 20, 0);
}

/* Half of a message on this connection, which stays open, while another guest comes and goes on the same port. */
static void half_header(struct guest *g)
{
    const uint32_t half[2] = {GUEST_GET_FEATURES, GUEST_VERSION};

    guest_say_bytes(g->socket, half, 6, NULL, 0);
    if (!is_served(g, WAIT_MS))
        die("half a message stops the guest's own rings");
    close(g->socket);
    g->socket = reach();
    guest_say_bytes(g->socket, half, 6, NULL, 0);
    if (server)
        another_is_served();
}

static void half_payload(struct guest *g)
{
    struct guest_message m = {.request = GUEST_SET_MEM_TABLE, .flags = GUEST_VERSION, .size = 40};

    guest_say_bytes(g->socket, &m, 20, &g->memory_fd, 1);
    close(g->socket);
    g->socket = reach();
    guest_say_bytes(g->socket, &m, 20, &g->memory_fd, 1);
    if (server)
        another_is_served();
}

static void inflight(struct guest *g)
{
    struct guest_message m = {.request = GUEST_GET_INFLIGHT_FD, .inflight = {.queues = 0xffff, .queue_size = 0xffff}};

    guest_say(g->socket, &m, 24, NULL, 0);
    expect_closed(g, "tracking of what is in flight is not refused");
}

/* An IOMMU, whose translations the switch would have to ask for; of the protocol, a channel to ask by. */
static void features_not_offered(struct guest *g)
{
    if (packed)
        guest_tell(g->socket, GUEST_SET_PROTOCOL_FEATURES, 1 | 1 << 5);
    else
        guest_tell(g->socket, GUEST_SET_FEATURES, guest_features(g) | 1ull << 33);
    expect_closed(g, "features that were not offered are not refused");
}

static void unknown_with_descriptors(struct guest *g)
{
    for (int i = 0; i < REPEATS; i++) {
        struct guest_message m = {.request = 999 + i % 2 * (GUEST_SET_VRING_KICK - 999)};
        int fds[8];

        for (int j = 0; j < 8; j++)
            fds[j] = g->memory_fd;
        guest_say(g->socket, &m, 8, fds, 8);
        expect_closed(g, "descriptors with a message that takes none are not refused");
        close(g->socket);
        g->socket = reach();
        if (g->socket < 0)
            die("the switch is not to be reached any more");
    }
}

static void no_eventfd(struct guest *g)
{
    int pipes[2];

    if (pipe2(pipes, O_CLOEXEC) != 0)
        die("no pipe");
    guest_give_fd(g->socket, GUEST_SET_VRING_CALL, 1, pipes[1]);
    expect_closed(g, "a pipe to wake the guest by is not refused");
    close(pipes[0]);
    close(pipes[1]);
}

/* An eventfd that is full and blocks who writes to it. */
static void full_eventfd(struct guest *g)
{
    const int fd = eventfd(0, EFD_CLOEXEC);

    eventfd_write(fd, UINT64_MAX - 1);
    if (packed)
        g->rings[1].driver_event->flags = VRING_PACKED_EVENT_FLAG_ENABLE;
    else
        g->rings[1].avail->flags = 0;
    guest_give_fd(g->socket, GUEST_SET_VRING_CALL, 1, fd);
    usleep(20 * 1000);
    if (!is_served(g, WAIT_MS))
        die("a guest that cannot be woken is not served");
    close(fd);
}

/* Every slot a chain of two descriptors of 15 MB each. */
static void long_chains(struct guest *g)
{
    struct guest_ring *r = &g->rings[1];
    const uint32_t len = 15u << 20;
    const uint16_t base = r->next;

    for (uint16_t i = 0; i < RING; i++) {
        const uint16_t slot = (base + i) % RING;
        const bool next = i % 2 == 0;

        if (packed) {
            struct vring_packed_desc *d = &r->packed_desc[slot];
            const bool wrap = slot >= base ? r->next_wrap : !r->next_wrap;

            *d = (struct vring_packed_desc){
                guest_gpa(g, g->memory), len, slot,
                (uint16_t)((next ? VRING_DESC_F_NEXT : 0) |
                           (wrap ? 1 << VRING_PACKED_DESC_F_AVAIL : 1 << VRING_PACKED_DESC_F_USED))};
        } else {
            r->desc[slot] = (struct vring_desc){guest_gpa(g, g->memory), len, next ? VRING_DESC_F_NEXT : 0,
                                                (uint16_t)((slot + 1) % RING)};
            r->avail->ring[(uint16_t)(base + i) % RING] = (uint16_t)((base + i / 2 * 2) % RING);
        }
    }
    if (!packed)
        __atomic_store_n(&r->avail->idx, (uint16_t)(base + RING), __ATOMIC_RELEASE);
    usleep(300 * 1000);
}

static void spoil_ring(struct guest *g, void (*spoil)(struct guest *g, struct guest_ring *r))
{
    spoil(g, &g->rings[1]);
    expect_closed(g, "a ring that breaks the rules is not noticed");
}

static void spoil_index(struct guest *g, struct guest_ring *r)
{
    if (packed) { /* a chain without an end */
        for (uint16_t i = 0; i < RING; i++)
            r->packed_desc[i] = (struct vring_packed_desc){
                GUEST_GPA, 64, i,
                VRING_DESC_F_NEXT | 1 << (r->next_wrap ? VRING_PACKED_DESC_F_AVAIL : VRING_PACKED_DESC_F_USED)};
    } else {
        __atomic_store_n(&r->avail->idx, (uint16_t)(r->next + 0x8000), __ATOMIC_RELEASE);
    }
}

static void spoil_address(struct guest *g, struct guest_ring *r)
{
    const uint16_t first = r->next;
    uint16_t flags = 0xffff;

    guest_offer(g, r, GUEST_HEADER + FRAME, &flags);
    if (packed)
        r->packed_desc[first].addr = UINT64_MAX - 10;
    else
        r->desc[first % RING].addr = UINT64_MAX - 10;
    guest_publish(r, first, flags);
}

static void spoil_indirect(struct guest *g, struct guest_ring *r)
{
    const uint16_t first = r->next;
    uint16_t flags = 0xffff;
    uint64_t *at = (void *)guest_buffer(r, packed ? first : first % RING);

    guest_offer(g, r, 32, &flags);
    at[0] = GUEST_GPA; /* a table that names another */
    at[1] = packed ? (uint64_t)VRING_DESC_F_INDIRECT << 48 | 32 : (uint64_t)VRING_DESC_F_INDIRECT << 32 | 32;
    if (packed)
        flags |= VRING_DESC_F_INDIRECT;
    else
        r->desc[first % RING].flags = VRING_DESC_F_INDIRECT;
    guest_publish(r, first, flags);
}

static void ring_index(struct guest *g)
{
    spoil_ring(g, spoil_index);
}

static void ring_address(struct guest *g)
{
    spoil_ring(g, spoil_address);
}

static void ring_indirect(struct guest *g)
{
    spoil_ring(g, spoil_indirect);
}

/* What is in the rings changes all the time, at random. The guest may lose its connection, or not. */
static void random_rings(struct guest *g)
{
    srand(1);
    for (int i = 0; i < REPEATS; i++) {
        if (is_closed(g->socket, 1)) {
            guest_end(g);
            guest_run(g);
        }
        for (int j = 0; j < 20000; j++) {
            struct guest_ring *r = &g->rings[rand() % 2];
            uint8_t *at = (uint8_t *)(rand() % 3 == 0 ? (void *)r->desc
                                      : rand() % 2    ? (void *)r->avail
                                                      : (void *)r->used);

            at[rand() % (16 * RING)] = (uint8_t)rand();
        }
    }
}

static void random_messages(struct guest *g)
{
    srand(2);
    for (int i = 0; i < REPEATS; i++) {
        struct guest_message m;
        int fds[8];

        for (int j = 0; j < 20; j++) {
            for (size_t k = 0; k < sizeof m; k++)
                ((uint8_t *)&m)[k] = (uint8_t)(rand() % 4 == 0 ? rand() : 0);
            m.request = (uint32_t)(1 + rand() % 45);
            m.flags = 0;
            for (int k = 0; k < 8; k++)
                fds[k] = rand() % 2 ? g->memory_fd : g->rings[0].kick;
            guest_say(g->socket, &m,
                      (uint32_t)(rand() % 5 == 0 ? rand() % (int)(sizeof m - GUEST_MESSAGE_HEADER + 1)
                                 : rand() % 2    ? 8
                                                 : 40),
                      fds, (unsigned)(rand() % 3 == 0 ? rand() % 9 : 0));
        }
        close(g->socket);
        g->socket = reach();
        if (g->socket < 0)
            die("the switch is not to be reached any more");
    }
}

/* Connections that say nothing. In server mode they are many, and the guest has to get in beside them. */
static void idle_connections(struct guest *g)
{
    int idle[30];

    close(g->socket);
    for (int i = 0; i < (server ? 30 : 1); i++) {
        idle[i] = reach();
        if (idle[i] < 0)
            die("the switch is not to be reached any more");
    }
    if (server)
        another_is_served();
    for (int i = 0; i < (server ? 30 : 1); i++)
        close(idle[i]);
    g->socket = reach();
}

static void many_connects(struct guest *g)
{
    const uint64_t end = guest_now_us() + 500 * 1000;

    close(g->socket);
    while (guest_now_us() < end) {
        const int fd = server ? guest_connect(socket_path) : reach();

        if (fd < 0)
            die("the switch is not to be reached any more");
        close(fd);
    }
    g->socket = reach();
}

/* No more messages than the switch wants to read, without end. */
static void many_messages(struct guest *g)
{
    const uint64_t end = guest_now_us() + 500 * 1000;
    struct guest_message m = {.request = GUEST_SET_OWNER, .flags = GUEST_VERSION};

    while (guest_now_us() < end)
        send(g->socket, &m, GUEST_MESSAGE_HEADER, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void answers_not_read(struct guest *g)
{
    struct guest_message m = {.request = GUEST_GET_FEATURES, .flags = GUEST_VERSION};
    const uint64_t end = guest_now_us() + 500 * 1000;

    while (guest_now_us() < end)
        send(g->socket, &m, GUEST_MESSAGE_HEADER, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static const struct act acts[] = {
    {"postcopy_advise", postcopy_advise},
    {"postcopy_listen", postcopy_listen},
    {"postcopy_table", postcopy_table},
    {"table_empty_region", table_empty_region},
    {"table_unmappable", table_unmappable},
    {"table_read_only", table_read_only},
    {"table_of_a_disk", table_of_a_disk},
    {"table_overlap", table_overlap},
    {"table_round_the_end", table_round_the_end},
    {"table_long_offset", table_long_offset},
    {"table_longer_than_file", table_longer_than_file},
    {"table_too_many", table_too_many},
    {"table_elsewhere", table_elsewhere},
    {"memory_cut", memory_cut},
    {"memory_cut_behind_rings", memory_cut_behind_rings},
    {"log_longer_than_file", log_longer_than_file},
    {"log_cut", log_cut},
    {"half_header", half_header},
    {"half_payload", half_payload},
    {"inflight", inflight},
    {"features_not_offered", features_not_offered},
    {"unknown_with_descriptors", unknown_with_descriptors},
    {"no_eventfd", no_eventfd},
    {"full_eventfd", full_eventfd},
    {"long_chains", long_chains},
    {"ring_index", ring_index},
    {"ring_address", ring_address},
    {"ring_indirect", ring_indirect},
    {"random_rings", random_rings},
    {"random_messages", random_messages},
    {"idle_connections", idle_connections},
    {"many_connects", many_connects},
    {"many_messages", many_messages},
    {"answers_not_read", answers_not_read},
    {NULL, NULL},
};
static const struct act *const all[] = {acts, ring_acts, file_acts};

static int play(const char *name)
{
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        for (const struct act *act = all[i]; act->name; act++) {
            struct guest g;

            if (strcmp(act->name, name) != 0)
                continue;
            guest_run(&g);
            act->play(&g);
            close(g.socket);
            return 0;
        }
    }
    fprintf(stderr, "vhost-hostile: no act %s\n", name);
    return 2;
}

/* --- the others ---------------------------------------------------------- */

struct stream {
    struct guest from, to;
    uint64_t sent, received, longest_us;
    uint32_t next;             /* expected */
    uint64_t sent_us[1 << 16]; /* by the low bits of the number */
};

static void hear(struct stream *s)
{
    const uint8_t *got;
    uint32_t len;

    while ((len = guest_receive(&s->to.rings[0], &got)) > 0) {
        uint32_t seq;

        if (len != FRAME)
            continue;
        memcpy(&seq, got + FRAME - sizeof seq, sizeof seq);
        if (seq < s->next)
            die("a frame came twice, or late");
        s->next = seq + 1;
        s->received++;
        const uint64_t took = guest_now_us() - s->sent_us[seq % (1 << 16)];
        if (took > s->longest_us)
            s->longest_us = took;
    }
    guest_fill(&s->to, &s->to.rings[0]);
}

static int stream(const char *from, const char *to, unsigned seconds)
{
    static struct stream s;
    const uint64_t end = guest_now_us() + (uint64_t)seconds * 1000000;

    if (!guest_make(&s.from, 2, RING, false) || !guest_make(&s.to, 2, RING, true))
        die("no memory");
    guest_fill(&s.from, &s.from.rings[0]);
    guest_fill(&s.to, &s.to.rings[0]);
    s.from.socket = guest_connect(from);
    s.to.socket = guest_connect(to);
    if (s.from.socket < 0 || s.to.socket < 0 || !guest_start(&s.to) || !guest_start(&s.from))
        die("the switch does not take the two guests");
    usleep(200 * 1000);
    while (guest_now_us() < end && access("/proc/self/fd/0", F_OK) == 0) {
        struct pollfd wait = {.fd = 0, .events = POLLIN};

        /* The first one alone: until its flow is set up the switch keeps only some of those that follow. */
        if (s.sent - s.received < (s.received > 0 ? RING : 1)) {
            s.sent_us[s.sent % (1 << 16)] = guest_now_us();
            s.sent += guest_send(&s.from, &s.from.rings[1], frame, FRAME, (uint32_t)s.sent, 1);
        }
        hear(&s);
        if (poll(&wait, 1, 0) == 1) /* whoever started it has seen enough */
            break;
        usleep(300);
    }
    for (int i = 0; i < 2000 && s.received < s.sent; i++) {
        usleep(1000);
        hear(&s);
    }
    printf("sent %lu received %lu longest_ms %lu\n", s.sent, s.received, s.longest_us / 1000);
    return s.received == s.sent ? 0 : 1;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "acts") == 0) {
        for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
            for (const struct act *act = all[i]; act->name; act++)
                puts(act->name);
        return 0;
    }
    if (argc == 5 && strcmp(argv[1], "stream") == 0)
        return stream(argv[2], argv[3], (unsigned)atoi(argv[4]));
    if (argc == 6 && strcmp(argv[1], "play") == 0) {
        socket_path = argv[2];
        server = strcmp(argv[3], "server") == 0;
        packed = strcmp(argv[4], "packed") == 0;
        return play(argv[5]);
    }
    fprintf(stderr, "usage: %s stream FROM TO SECONDS | play SOCKET server|client split|packed ACT | acts\n", argv[0]);
    return 2;
}
