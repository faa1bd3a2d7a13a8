/* A guest whose kernel leaves checksums and segments to its network device, without a virtual machine: a TAP in the
 * namespace it is started in, whose packets go into the rings of a vhost-user socket with the headers that the kernel
 * gives them, and back.
 *
 *   vhost-tap SOCKET server|client split|packed TAP [plain]
 *
 * As the mode of the switch's port says, the switch owns the socket (server) or connects to it (client). plain: the
 * guest wants no offloads. Ends with SIGTERM.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/lib/vhost_guest.h"

#define RING 128
#define PACKET_MAX (GUEST_HEADER + 14 + 8 + 65535)
#define BIT(n) (1ull << (n))
/* Checksums and segments of TCP, of both sides. */
#define OFFLOADS                                                                                                       \
    (BIT(VIRTIO_NET_F_CSUM) | BIT(VIRTIO_NET_F_GUEST_CSUM) | BIT(VIRTIO_NET_F_GUEST_TSO4) |                            \
     BIT(VIRTIO_NET_F_GUEST_TSO6) | BIT(VIRTIO_NET_F_GUEST_ECN) | BIT(VIRTIO_NET_F_HOST_TSO4) |                        \
     BIT(VIRTIO_NET_F_HOST_TSO6) | BIT(VIRTIO_NET_F_HOST_ECN))

static volatile sig_atomic_t stop;

static void on_signal(int sig)
{
    stop = 1;
}

static _Noreturn void die(const char *what)
{
    guest_die(1, what);
}

static int open_tap(const char *name)
{
    struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
    const int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    const int header = GUEST_HEADER;

    snprintf(ifr.ifr_name, sizeof ifr.ifr_name, "%s", name);
    if (fd < 0 || ioctl(fd, TUNSETIFF, &ifr) < 0 || ioctl(fd, TUNSETVNETHDRSZ, &header) < 0)
        die(name);
    return fd;
}

/* The kernel leaves no more to the device than that offers to do. */
static void set_offloads(int tap, uint64_t features)
{
    unsigned flags = 0;

    if (features & BIT(VIRTIO_NET_F_CSUM))
        flags = TUN_F_CSUM | (features & BIT(VIRTIO_NET_F_HOST_TSO4) ? TUN_F_TSO4 : 0) |
                (features & BIT(VIRTIO_NET_F_HOST_TSO6) ? TUN_F_TSO6 : 0) |
                (features & BIT(VIRTIO_NET_F_HOST_ECN) ? TUN_F_TSO_ECN : 0);
    if (ioctl(tap, TUNSETOFFLOAD, flags) < 0)
        die("offloads");
}

/* One packet to the TAP, of as many buffers as its header says. False: there is none. */
static bool to_tap(struct guest_ring *r, int tap)
{
    struct iovec parts[GUEST_RING_MAX];
    uint32_t len;
    int n = 0, wanted = 1;

    do {
        const int slot = guest_used(r, &len);

        if (slot < 0) {
            if (n > 0)
                die("a packet ends in the middle");
            return false;
        }
        parts[n].iov_base = guest_buffer(r, (uint16_t)slot);
        parts[n].iov_len = len;
        if (n == 0)
            wanted = ((struct virtio_net_hdr_mrg_rxbuf *)parts[0].iov_base)->num_buffers;
    } while (++n < wanted && n < GUEST_RING_MAX);
    /* What the TAP does not take is lost, as with any device. */
    if (writev(tap, parts, n) < 0 && errno != EAGAIN && errno != EIO)
        fprintf(stderr, "vhost-tap: a packet of %d buffers: %s\n", n, strerror(errno));
    return true;
}

/* One packet from the TAP. */
static bool from_tap(const struct guest *g, struct guest_ring *r, int tap)
{
    const uint16_t first = r->next;
    uint16_t flags = 0xffff;
    uint32_t ignored;
    ssize_t len;

    while (r->in_use > 0 && guest_used(r, &ignored) >= 0)
        ;
    if (r->in_use == r->size)
        return false;
    len = read(tap, guest_buffer(r, r->packed ? first : first & (r->size - 1)), r->buffer_size);
    if (len <= GUEST_HEADER)
        return false;
    guest_offer(g, r, (uint32_t)len, &flags);
    guest_publish(r, first, flags);
    return true;
}

static bool move(struct guest *g, int tap)
{
    bool any = false;

    for (int i = 0; i < 32 && from_tap(g, &g->rings[1], tap); i++)
        any = true;
    for (int i = 0; i < 32 && to_tap(&g->rings[0], tap); i++)
        any = true;
    guest_fill(g, &g->rings[0]);
    return any;
}

/* Asks to be woken, or not, when the switch has put a packet into the ring. */
static void want_calls(struct guest_ring *r, bool wanted)
{
    if (r->packed)
        r->driver_event->flags = wanted ? VRING_PACKED_EVENT_FLAG_ENABLE : VRING_PACKED_EVENT_FLAG_DISABLE;
    else
        r->avail->flags = wanted ? 0 : VRING_AVAIL_F_NO_INTERRUPT;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static int reach(const char *path, bool server)
{
    int fd = -1, listener;

    if (server) {
        while (!stop && (fd = guest_connect(path)) < 0)
            usleep(20 * 1000);
        return fd;
    }
    listener = guest_listen(path);
    if (listener < 0)
        die(path);
    fd = accept(listener, NULL, NULL);
    close(listener);
    return fd;
}

int main(int argc, char **argv)
{
    static struct guest g;
    const bool plain = argc == 6 && strcmp(argv[5], "plain") == 0;
    int tap;

    if (argc < 5) {
        fprintf(stderr, "usage: %s SOCKET server|client split|packed TAP [plain]\n", argv[0]);
        return 2;
    }
    signal(SIGTERM, on_signal);
    if (!guest_make_for(&g, 2, RING, strcmp(argv[3], "packed") == 0, PACKET_MAX))
        die("memory");
    g.features = plain ? 0 : OFFLOADS;
    tap = open_tap(argv[4]);
    guest_fill(&g, &g.rings[0]);
    g.socket = reach(argv[1], strcmp(argv[2], "server") == 0);
    if (g.socket < 0 || !guest_start(&g))
        die("the switch does not take the guest");
    set_offloads(tap, g.features);
    puts("ready");
    fflush(stdout);
    while (!stop) {
        struct pollfd wait[] = {{.fd = tap, .events = POLLIN}, {.fd = g.rings[0].call, .events = POLLIN}};
        eventfd_t count;

        if (move(&g, tap))
            continue;
        want_calls(&g.rings[0], true);
        if (!move(&g, tap) && poll(wait, 2, 100) > 0 && wait[1].revents)
            eventfd_read(g.rings[0].call, &count);
        want_calls(&g.rings[0], false);
    }
    return 0;
}
