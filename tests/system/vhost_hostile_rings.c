/* Acts by what rings and headers of packets say, and by how often they change. */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/system/vhost_hostile.h"

static void tell_addresses(struct guest *g, uint32_t ring, const void *desc, const void *used, const void *avail)
{
    struct guest_message m = {.request = GUEST_SET_VRING_ADDR,
                              .addr = {ring, 0, (uintptr_t)desc, (uintptr_t)used, (uintptr_t)avail, 0}};

    guest_say(g->socket, &m, 40, NULL, 0);
}

static void send_some(struct guest *g, int times)
{
    for (int i = 0; i < times; i++) {
        guest_send(g, &g->rings[1], frame, FRAME, 0, 32);
        usleep(1000);
    }
}

/* The parts of a ring in each other, and in those of another ring. */
static void rings_overlap(struct guest *g)
{
    struct guest_ring *to = &g->rings[0], *from = &g->rings[1];

    tell_addresses(g, 1, from->desc, from->desc, from->desc);
    send_some(g, 10);
    tell_addresses(g, 1, from->desc, (uint8_t *)from->desc + 64, from->avail);
    send_some(g, 10);
    tell_addresses(g, 0, from->desc, from->used, from->avail);
    send_some(g, 10);
    tell_addresses(g, 0, to->buffers, to->buffers, to->buffers);
    send_some(g, 10);
}

/* Sizes that cannot be, or that the ring did not have, while it runs. */
static void ring_sizes(struct guest *g)
{
    static const uint32_t sizes[] = {0, 65535, UINT32_MAX, 32769, 3, 1, 2, 512, 32768};
    const size_t first = server ? 0 : packed ? 1 : 4, last = server ? 9 : first + 1;
    const size_t n_wrong = packed ? 4 : 5;

    for (size_t i = first; i < last; i++) {
        guest_send(g, &g->rings[1], frame, FRAME, 0, 64);
        guest_tell_ring(g->socket, GUEST_SET_VRING_NUM, 1, sizes[i]);
        if (i < n_wrong)
            expect_closed(g, "a ring of a size that cannot be is not refused");
        else
            send_some(g, 5);
        if (i + 1 < last) {
            guest_end(g);
            guest_run(g);
        }
    }
}

/* Chains and indirect tables that come back to themselves: packets that cannot be, and the next ones are served. */
static void ring_loops(struct guest *g)
{
    struct guest_ring *r = &g->rings[1];
    const uint16_t first = r->next;
    uint16_t flags = 0xffff;

    for (uint16_t i = 0; i < RING / 2; i++) {
        const uint16_t slot = packed ? r->next : r->next % RING;
        struct vring_desc *table = (void *)guest_buffer(r, slot);
        const bool indirect = packed || i % 2;
        const uint16_t own = packed && r->next == first ? 0 : VRING_DESC_F_INDIRECT;

        guest_offer(g, r, indirect ? 16 * 100 : 64, &flags);
        for (uint16_t j = 0; j < 100; j++)
            table[j] = (struct vring_desc){guest_gpa(g, table), 16, packed ? 0 : VRING_DESC_F_NEXT, 0};
        if (packed && own)
            r->packed_desc[slot].flags |= own;
        else if (!packed)
            r->desc[slot] = (struct vring_desc){guest_gpa(g, table), indirect ? 16 * 100 : 64,
                                                indirect ? VRING_DESC_F_INDIRECT : VRING_DESC_F_NEXT, slot};
    }
    guest_publish(r, first, flags);
    if (!is_served(g, WAIT_MS))
        die("a guest whose packets cannot be is not served any more");
}

/* Buffers of a byte, or of none, for what others send. */
static void buffers_are_crumbs(struct guest *g)
{
    for (uint32_t len = 0; len < 2; len++) {
        struct guest_ring *r = &g->rings[0];
        uint16_t flags = 0xffff;

        guest_end(g);
        guest_new(g);
        while (r->in_use < RING)
            guest_offer(g, r, len, &flags);
        guest_publish(r, 0, flags);
        guest_join(g);
        usleep(150 * 1000);
        if (!is_served(g, WAIT_MS))
            die("a guest with small buffers is not served");
        if (!server)
            break;
    }
}

#define LARGE 61440

/* Packets without a checksum and to be cut, whose headers fit them or say anything. */
static void headers(struct guest *g)
{
    static const uint8_t types[] = {VIRTIO_NET_HDR_GSO_NONE,
                                    VIRTIO_NET_HDR_GSO_TCPV4,
                                    VIRTIO_NET_HDR_GSO_TCPV6,
                                    VIRTIO_NET_HDR_GSO_UDP,
                                    5,
                                    VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_ECN,
                                    0xff};
    static const uint16_t sizes[] = {0, 1, 47, 48, 536, 1448, 40000, 65535};
    static uint8_t packet[LARGE] = {0x02, 0, 0, 0, 0, 2, 0x02, 0, 0, 0, 0, 1, 0x08, 0};
    static const uint8_t ip[] = {0x45, 0, 0xef, 0xf2, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2};
    const uint64_t end = guest_now_us() + 300 * 1000;

    memcpy(packet + 14, ip, sizeof ip);
    packet[14 + 20 + 12] = 0x50;
    guest_end(g);
    if (!guest_make_for(g, 2, 64, packed, GUEST_HEADER + LARGE))
        die("no memory");
    g->features = 1ull << VIRTIO_NET_F_CSUM | 1ull << VIRTIO_NET_F_HOST_TSO4 | 1ull << VIRTIO_NET_F_HOST_TSO6 |
                  1ull << VIRTIO_NET_F_HOST_ECN | 1ull << 56;
    guest_join(g);
    srand(3);
    for (int i = 0; guest_now_us() < end; i++) {
        struct guest_ring *r = &g->rings[1];
        const uint16_t first = r->next;
        uint16_t flags = 0xffff;
        uint32_t ignored;

        while (guest_used(r, &ignored) >= 0)
            ;
        if (r->in_use == r->size) {
            usleep(500);
            continue;
        }
        uint8_t *at = guest_buffer(r, packed ? r->next : r->next % r->size);
        struct virtio_net_hdr header = {VIRTIO_NET_HDR_F_NEEDS_CSUM, VIRTIO_NET_HDR_GSO_TCPV4, 54, 48, 34, 16};

        if (rand() % 4) { /* else right, with the most segments that there can be */
            header.flags = (uint8_t)(rand() % 4);
            header.gso_type = types[(size_t)rand() % sizeof types];
            header.gso_size = sizes[(size_t)rand() % (sizeof sizes / sizeof sizes[0])];
            header.hdr_len = (uint16_t)(rand() % 3 ? 54 : rand());
            header.csum_start = (uint16_t)(rand() % 3 ? 34 : rand());
            header.csum_offset = (uint16_t)(rand() % 3 ? 16 : rand());
        }
        memset(at, 0, GUEST_HEADER);
        memcpy(at, &header, sizeof header);
        memcpy(at + GUEST_HEADER, packet, LARGE);
        if (rand() % 8 == 0)
            at[GUEST_HEADER + rand() % 64] = (uint8_t)rand();
        guest_offer(g, r, GUEST_HEADER + (rand() % 8 ? LARGE : 14 + (uint32_t)rand() % 100), &flags);
        guest_publish(r, first, flags);
    }
    if (!is_served(g, WAIT_MS))
        die("a guest whose headers were wrong is not served any more");
}

/* The link goes up and down as often as messages are read. */
static void flapping(struct guest *g)
{
    const uint64_t end = guest_now_us() + 400 * 1000;

    for (uint32_t i = 0; guest_now_us() < end; i++) {
        guest_tell_ring(g->socket, GUEST_SET_VRING_ENABLE, 0, i / 2 % 2);
        guest_tell_ring(g->socket, GUEST_SET_VRING_ENABLE, 1, i / 2 % 2);
    }
    for (uint32_t i = 0; i < 2; i++)
        guest_tell_ring(g->socket, GUEST_SET_VRING_ENABLE, i, 1);
    if (!is_served(g, WAIT_MS))
        die("a guest that had disabled its rings is not served");
}

/* Many connections, with as many messages each as fit into a socket. */
static void connects_that_talk(struct guest *g)
{
    const uint64_t end = guest_now_us() + 400 * 1000;
    struct guest_message m = {.request = GUEST_SET_OWNER, .flags = GUEST_VERSION};

    close(g->socket);
    while (guest_now_us() < end) {
        const int fd = reach();

        if (fd < 0)
            die("the switch is not to be reached any more");
        for (int i = 0; i < 2000 && send(fd, &m, GUEST_MESSAGE_HEADER, MSG_DONTWAIT | MSG_NOSIGNAL) > 0; i++)
            ;
        close(fd);
    }
    another_is_served();
    g->socket = -1;
}

const struct act ring_acts[] = {
    {"rings_overlap", rings_overlap},
    {"ring_sizes", ring_sizes},
    {"ring_loops", ring_loops},
    {"buffers_are_crumbs", buffers_are_crumbs},
    {"headers", headers},
    {"flapping", flapping},
    {"connects_that_talk", connects_that_talk},
    {NULL, NULL},
};
