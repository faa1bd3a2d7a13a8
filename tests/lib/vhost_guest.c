#include "tests/lib/vhost_guest.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* --- memory and rings ---------------------------------------------------- */

uint64_t guest_gpa(const struct guest *g, const void *p)
{
    return GUEST_GPA + (uint64_t)((const uint8_t *)p - g->memory);
}

bool guest_make_for(struct guest *g, uint16_t n_rings, uint16_t size, bool packed, uint32_t send_buffer)
{
    uint8_t *at;

    memset(g, 0, sizeof *g);
    g->socket = -1;
    g->packed = packed;
    g->n_rings = n_rings;
    g->memory_fd = memfd_create("guest", MFD_CLOEXEC);
    if (g->memory_fd < 0 || ftruncate(g->memory_fd, GUEST_MEMORY) != 0)
        return false;
    g->memory = mmap(NULL, GUEST_MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED, g->memory_fd, 0);
    if (g->memory == MAP_FAILED)
        return false;
    at = g->memory;
    for (uint16_t i = 0; i < n_rings; i++) {
        struct guest_ring *r = &g->rings[i];

        *r = (struct guest_ring){.size = size,
                                 .packed = packed,
                                 .receives = i % 2 == 0,
                                 .next_wrap = true,
                                 .last_wrap = true,
                                 .kick = eventfd(0, EFD_CLOEXEC),
                                 .call = eventfd(0, EFD_CLOEXEC)};
        r->desc = (void *)at;
        r->packed_desc = (void *)at;
        r->avail = (void *)(at + 64 * 1024);
        r->driver_event = (void *)r->avail;
        r->used = (void *)(at + 128 * 1024);
        r->device_event = (void *)r->used;
        r->buffers = at + 192 * 1024;
        r->buffer_size = r->receives ? GUEST_BUFFER : send_buffer;
        at = r->buffers + (size_t)size * r->buffer_size;
        if (packed)
            r->driver_event->flags = VRING_PACKED_EVENT_FLAG_DISABLE;
        else
            r->avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
    }
    return at <= g->memory + GUEST_MEMORY;
}

bool guest_make(struct guest *g, uint16_t n_rings, uint16_t size, bool packed)
{
    return guest_make_for(g, n_rings, size, packed, GUEST_BUFFER);
}

uint8_t *guest_buffer(const struct guest_ring *r, uint16_t slot)
{
    return r->buffers + (size_t)slot * r->buffer_size;
}

void guest_offer(const struct guest *g, struct guest_ring *r, uint32_t len, uint16_t *first_flags)
{
    const uint16_t write = r->receives ? VRING_DESC_F_WRITE : 0;

    if (!r->packed) {
        const uint16_t slot = r->next & (r->size - 1);

        r->desc[slot] = (struct vring_desc){guest_gpa(g, guest_buffer(r, slot)), len, write, 0};
        r->avail->ring[slot] = slot;
        r->next++;
    } else {
        struct vring_packed_desc *d = &r->packed_desc[r->next];
        const uint16_t flags = write | (r->next_wrap ? 1 << VRING_PACKED_DESC_F_AVAIL : 1 << VRING_PACKED_DESC_F_USED);

        d->addr = guest_gpa(g, guest_buffer(r, r->next));
        d->len = len;
        d->id = r->next;
        if (*first_flags == 0xffff)
            *first_flags = flags;
        else
            __atomic_store_n(&d->flags, flags, __ATOMIC_RELEASE);
        if (++r->next == r->size) {
            r->next = 0;
            r->next_wrap = !r->next_wrap;
        }
    }
    r->in_use++;
}

void guest_publish(struct guest_ring *r, uint16_t first, uint16_t first_flags)
{
    if (!r->packed)
        __atomic_store_n(&r->avail->idx, r->next, __ATOMIC_RELEASE);
    else if (first_flags != 0xffff)
        __atomic_store_n(&r->packed_desc[first].flags, first_flags, __ATOMIC_RELEASE);
}

int guest_used(struct guest_ring *r, uint32_t *len)
{
    int slot;

    if (!r->packed) {
        if (r->last == __atomic_load_n(&r->used->idx, __ATOMIC_ACQUIRE))
            return -1;
        slot = (int)r->used->ring[r->last & (r->size - 1)].id;
        *len = r->used->ring[r->last & (r->size - 1)].len;
        r->last++;
    } else {
        const uint16_t flags = __atomic_load_n(&r->packed_desc[r->last].flags, __ATOMIC_ACQUIRE);
        const bool used = flags >> VRING_PACKED_DESC_F_USED & 1;

        if (used != (flags >> VRING_PACKED_DESC_F_AVAIL & 1) || used != r->last_wrap)
            return -1;
        slot = r->packed_desc[r->last].id;
        *len = r->packed_desc[r->last].len;
        if (++r->last == r->size) {
            r->last = 0;
            r->last_wrap = !r->last_wrap;
        }
    }
    r->in_use--;
    return slot;
}

void guest_fill(const struct guest *g, struct guest_ring *r)
{
    const uint16_t first = r->next;
    uint16_t flags = 0xffff;

    while (r->in_use < r->size)
        guest_offer(g, r, GUEST_BUFFER, &flags);
    guest_publish(r, first, flags);
}

unsigned guest_send(const struct guest *g, struct guest_ring *r, const void *frame, uint32_t len, uint32_t seq,
                    unsigned n)
{
    const uint16_t first = r->next;
    uint16_t flags = 0xffff;
    unsigned sent = 0;
    uint32_t ignored;

    while (r->in_use > 0 && guest_used(r, &ignored) >= 0)
        ;
    for (; sent < n && r->in_use < r->size; sent++, seq++) {
        uint8_t *buffer = guest_buffer(r, r->packed ? r->next : r->next & (r->size - 1));

        memset(buffer, 0, GUEST_HEADER);
        memcpy(buffer + GUEST_HEADER, frame, len - sizeof seq);
        memcpy(buffer + GUEST_HEADER + len - sizeof seq, &seq, sizeof seq);
        guest_offer(g, r, GUEST_HEADER + len, &flags);
    }
    guest_publish(r, first, flags);
    return sent;
}

uint32_t guest_receive(struct guest_ring *r, const uint8_t **frame)
{
    uint32_t len;
    const int slot = guest_used(r, &len);

    if (slot < 0 || len < GUEST_HEADER)
        return 0;
    *frame = guest_buffer(r, (uint16_t)slot) + GUEST_HEADER;
    return len - GUEST_HEADER;
}

/* --- messages ------------------------------------------------------------ */

bool guest_say_bytes(int socket, const void *message, size_t len, const int *fds, unsigned n_fds)
{
    char control[CMSG_SPACE(16 * sizeof(int))] = {0};
    struct iovec iov = {(void *)(uintptr_t)message, len};
    struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1};

    if (n_fds > 0) {
        struct cmsghdr *cmsg = (void *)control;

        header.msg_control = control;
        header.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
        cmsg->cmsg_level = SOL_SOCKET;
        cmsg->cmsg_type = SCM_RIGHTS;
        cmsg->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
        memcpy(CMSG_DATA(cmsg), fds, n_fds * sizeof(int));
    }
    return sendmsg(socket, &header, MSG_NOSIGNAL) == (ssize_t)len;
}

bool guest_say(int socket, struct guest_message *message, uint32_t size, const int *fds, unsigned n_fds)
{
    message->flags |= GUEST_VERSION;
    message->size = size;
    return guest_say_bytes(socket, message, GUEST_MESSAGE_HEADER + size, fds, n_fds);
}

bool guest_hear(int socket, struct guest_message *message, int timeout_ms)
{
    struct pollfd wait = {.fd = socket, .events = POLLIN};

    return poll(&wait, 1, timeout_ms) == 1 &&
           recv(socket, message, GUEST_MESSAGE_HEADER, MSG_WAITALL) == GUEST_MESSAGE_HEADER &&
           message->size <= sizeof *message - GUEST_MESSAGE_HEADER &&
           (message->size == 0 ||
            recv(socket, (char *)message + GUEST_MESSAGE_HEADER, message->size, MSG_WAITALL) == (ssize_t)message->size);
}

bool guest_ask(int socket, enum guest_request request, uint64_t *answer)
{
    struct guest_message m = {.request = request};

    if (!guest_say(socket, &m, 0, NULL, 0) || !guest_hear(socket, &m, 20000))
        return false;
    *answer = m.u64;
    return true;
}

bool guest_tell(int socket, enum guest_request request, uint64_t value)
{
    struct guest_message m = {.request = request, .u64 = value};

    return guest_say(socket, &m, 8, NULL, 0);
}

bool guest_tell_ring(int socket, enum guest_request request, uint32_t ring, uint32_t num)
{
    struct guest_message m = {.request = request, .state = {ring, num}};

    return guest_say(socket, &m, 8, NULL, 0);
}

bool guest_give_fd(int socket, enum guest_request request, uint32_t ring, int fd)
{
    struct guest_message m = {.request = request, .u64 = ring};

    return guest_say(socket, &m, 8, &fd, 1);
}

bool guest_tell_memory(const struct guest *g)
{
    struct guest_message m = {.request = GUEST_SET_MEM_TABLE,
                              .memory = {.n = 1, .regions = {{GUEST_GPA, GUEST_MEMORY, (uintptr_t)g->memory, 0}}}};

    return guest_say(g->socket, &m, 8 + 32, &g->memory_fd, 1);
}

bool guest_tell_addresses(const struct guest *g, uint32_t ring)
{
    const struct guest_ring *r = &g->rings[ring];
    struct guest_message m = {.request = GUEST_SET_VRING_ADDR,
                              .addr = {ring, 0, (uintptr_t)r->desc, (uintptr_t)r->used, (uintptr_t)r->avail, 0}};

    return guest_say(g->socket, &m, 40, NULL, 0);
}

uint64_t guest_features(const struct guest *g)
{
    return g->features | 1ull << 32 /* VERSION_1 */ | 1ull << VIRTIO_NET_F_MRG_RXBUF |
           1ull << VIRTIO_RING_F_INDIRECT_DESC | 1ull << 30 /* VHOST_USER_F_PROTOCOL_FEATURES */ |
           1ull << VIRTIO_NET_F_MQ | (g->packed ? 1ull << 34 : 0);
}

bool guest_start(struct guest *g)
{
    const int s = g->socket;
    uint64_t features, protocol;
    bool ok = guest_ask(s, GUEST_GET_FEATURES, &features) && guest_ask(s, GUEST_GET_PROTOCOL_FEATURES, &protocol) &&
              guest_tell(s, GUEST_SET_PROTOCOL_FEATURES, protocol & 1) && guest_tell(s, GUEST_SET_OWNER, 0) &&
              guest_tell(s, GUEST_SET_FEATURES, features & guest_features(g)) && guest_tell_memory(g);

    g->features &= features;
    for (uint32_t i = 0; ok && i < g->n_rings; i++) {
        ok = guest_give_fd(s, GUEST_SET_VRING_CALL, i, g->rings[i].call) &&
             guest_tell_ring(s, GUEST_SET_VRING_NUM, i, g->rings[i].size) &&
             guest_tell_ring(s, GUEST_SET_VRING_BASE, i, g->packed ? 0x80008000u : 0) && guest_tell_addresses(g, i) &&
             guest_give_fd(s, GUEST_SET_VRING_KICK, i, g->rings[i].kick) &&
             guest_tell_ring(s, GUEST_SET_VRING_ENABLE, i, 1);
    }
    return ok;
}

int guest_connect(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    close(fd);
    return -1;
}

int guest_listen(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    unlink(path);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 1) == 0)
        return fd;
    close(fd);
    return -1;
}

/* --- of the programs that play guests ------------------------------------ */

uint64_t guest_now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

void guest_die(int status, const char *what)
{
    fprintf(stderr, "%s: %s (errno: %s)\n", program_invocation_short_name, what, strerror(errno));
    exit(status);
}
