/* Rings of guests: packets of every shape arrive as they were sent, and whatever a ring says, nothing breaks and no
 * packet buffer is lost. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <rte_ether.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "pmd/vhost/device.h"
#include "pmd/vhost/ring.h"
#include "tests/lib/eal.h"
#include "tests/lib/vhost_guest.h"

#define RING 64
#define PACKETS_MAX VHOST_BATCH

static struct rte_mempool *pool;
static struct guest guest;
static struct vhost_memory *memory;
static struct vhost_ring ring;

/* The device's side of a ring of the guest's. */
static void open_ring(bool packed, bool receives, bool mergeable)
{
    struct vhost_region_wanted region;
    const struct guest_ring *r;
    char error[200];

    assert_true(guest_make(&guest, 2, RING, packed));
    region = (struct vhost_region_wanted){GUEST_GPA, GUEST_MEMORY, (uintptr_t)guest.memory, 0};
    memory = vhost_memory_map(&region, &guest.memory_fd, 1, error, sizeof error);
    assert_non_null(memory);
    r = &guest.rings[receives ? 0 : 1];
    const struct vhost_map *map = vhost_memory_get(memory);
    memset(&ring, 0, sizeof ring);
    ring.usable = true;
    ring.packed = packed;
    ring.mergeable = mergeable;
    ring.header_len = GUEST_HEADER;
    ring.avail_wrap = true;
    ring.size = RING;
    ring.call_fd = -1;
    ring.map = map;
    ring.offloads = true;
    ring.desc = (void *)vhost_translate_uva(map, (uintptr_t)r->desc, 1);
    ring.avail = (void *)vhost_translate_uva(map, (uintptr_t)r->avail, 1);
    ring.used = (void *)vhost_translate_uva(map, (uintptr_t)r->used, 1);
}

static void close_ring(void)
{
    vhost_memory_unmap(memory);
    for (uint16_t i = 0; i < guest.n_rings; i++) {
        close(guest.rings[i].kick);
        close(guest.rings[i].call);
    }
    munmap(guest.memory, GUEST_MEMORY);
    close(guest.memory_fd);
}

/* Makes one packet available, cut into `n` descriptors, in a table of their own or in the ring. */
static void send_pieces(const uint8_t *bytes, uint32_t len, unsigned n, bool indirect)
{
    struct guest_ring *r = &guest.rings[1];
    struct vring_desc *table = (void *)(r->buffers + RING * GUEST_BUFFER);
    uint8_t *data = (uint8_t *)(table + 256);
    const uint16_t slot = r->packed ? r->next : r->next % RING;
    uint16_t first_flags = 0xffff;
    uint32_t at = 0;

    memcpy(data, bytes, len);
    for (unsigned i = 0; i < n; i++) {
        const uint32_t part = i + 1 == n ? len - at : len / n;
        const bool last = i + 1 == n;
        const uint16_t next = last ? 0 : VRING_DESC_F_NEXT;
        const uint16_t here = (uint16_t)((slot + i) % RING);

        if (indirect && r->packed)
            ((struct vring_packed_desc *)table)[i] =
                (struct vring_packed_desc){guest_gpa(&guest, data + at), part, 0, 0};
        else if (indirect)
            table[i] = (struct vring_desc){guest_gpa(&guest, data + at), part, next, (uint16_t)(i + 1)};
        else if (!r->packed)
            r->desc[here] =
                (struct vring_desc){guest_gpa(&guest, data + at), part, next, (uint16_t)((here + 1) % RING)};
        else {
            const bool wrap = here >= slot ? r->next_wrap : !r->next_wrap;
            const uint16_t flags = next | (wrap ? 1 << VRING_PACKED_DESC_F_AVAIL : 1 << VRING_PACKED_DESC_F_USED);

            r->packed_desc[here] = (struct vring_packed_desc){guest_gpa(&guest, data + at), part, slot, i ? flags : 0};
            if (i == 0)
                first_flags = flags;
        }
        at += part;
    }
    if (indirect && r->packed) {
        first_flags =
            VRING_DESC_F_INDIRECT | (r->next_wrap ? 1 << VRING_PACKED_DESC_F_AVAIL : 1 << VRING_PACKED_DESC_F_USED);
        r->packed_desc[slot] = (struct vring_packed_desc){guest_gpa(&guest, table), n * 16, slot, 0};
    } else if (indirect) {
        r->desc[slot] = (struct vring_desc){guest_gpa(&guest, table), n * 16, VRING_DESC_F_INDIRECT, 0};
    }
    if (!r->packed) {
        r->avail->ring[r->next % RING] = slot;
        r->next++;
    } else {
        r->next += indirect ? 1 : n;
        if (r->next >= RING) {
            r->next -= RING;
            r->next_wrap = !r->next_wrap;
        }
    }
    guest_publish(r, slot, first_flags);
}

static void random_bytes(uint8_t *to, uint32_t len)
{
    for (uint32_t i = 0; i < len; i++)
        to[i] = (uint8_t)rand();
}

static void assert_packet(struct rte_mbuf *packet, const uint8_t *bytes, uint32_t len)
{
    uint8_t got[70000];

    assert_int_equal(packet->pkt_len, len);
    assert_memory_equal(rte_pktmbuf_read(packet, 0, len, got), bytes, len);
    rte_pktmbuf_free(packet);
}

static void packets_of_any_shape_are_taken(void **state)
{
    static uint8_t bytes[70000];
    struct rte_mbuf *packets[PACKETS_MAX];

    for (int packed = 0; packed < 2; packed++) {
        open_ring(packed, false, true);
        for (int i = 0; i < 2000; i++) {
            const uint32_t len = RTE_ETHER_HDR_LEN + (uint32_t)(rand() % 3 ? rand() % 1500 : rand() % 65535);
            const unsigned n = 1 + (unsigned)rand() % 12;

            random_bytes(bytes, GUEST_HEADER + len);
            memset(bytes, 0, GUEST_HEADER);
            send_pieces(bytes, GUEST_HEADER + len, n, n > 1 && rand() % 2);
            assert_int_equal(vhost_ring_take(&ring, pool, packets, PACKETS_MAX), 1);
            assert_packet(packets[0], bytes + GUEST_HEADER, len);
        }
        assert_int_equal(ring.counters.packets, 2000);
        close_ring();
    }
    assert_int_equal(rte_mempool_in_use_count(pool), 0);
}

/* A packet of `len` bytes in mbufs of any lengths. */
static struct rte_mbuf *packet_of(const uint8_t *bytes, uint32_t len)
{
    struct rte_mbuf *packet = NULL, *last = NULL;
    uint32_t at = 0;

    while (at < len) {
        const uint16_t part = (uint16_t)RTE_MIN(len - at, rand() % 2 ? 2000u : 1u + (uint32_t)rand() % 2000);
        struct rte_mbuf *m = rte_pktmbuf_alloc(pool);

        assert_non_null(m);
        memcpy(rte_pktmbuf_append(m, part), bytes + at, part);
        at += part;
        if (!packet) {
            packet = m;
        } else {
            last->next = m;
            packet->nb_segs++;
            packet->pkt_len += part;
        }
        last = m;
    }
    return packet;
}

static void packets_of_any_shape_are_put(void **state)
{
    static uint8_t bytes[70000], got[80000];

    for (int packed = 0; packed < 2; packed++) {
        struct guest_ring *r = &guest.rings[0];

        open_ring(packed, true, true);
        guest_fill(&guest, r);
        for (int i = 0; i < 2000; i++) {
            const uint32_t len = RTE_ETHER_HDR_LEN + (uint32_t)(rand() % 3 ? rand() % 1500 : rand() % 65535);
            struct rte_mbuf *packet;
            uint32_t at = 0, part;
            int slot, n = 0;

            random_bytes(bytes, len);
            packet = packet_of(bytes, len);
            assert_int_equal(vhost_ring_put(&ring, &packet, 1), 1);
            rte_pktmbuf_free(packet);
            while ((slot = guest_used(r, &part)) >= 0) {
                memcpy(got + at, guest_buffer(r, (uint16_t)slot), part);
                at += part;
                n++;
            }
            assert_int_equal(at, GUEST_HEADER + len);
            assert_int_equal(((struct virtio_net_hdr_mrg_rxbuf *)got)->num_buffers, n);
            assert_memory_equal(got + GUEST_HEADER, bytes, len);
            guest_fill(&guest, r);
        }
        assert_int_equal(ring.counters.errors, 0);
        close_ring();
    }
    assert_int_equal(rte_mempool_in_use_count(pool), 0);
}

#define PAGE 4096
#define LOG_BYTES ((GUEST_GPA + GUEST_MEMORY) / PAGE / 8)

/* Each page of the guest's that is not as it was has its bit in the log, which begins anew. */
static unsigned assert_changes_are_logged(const uint8_t *before, uint8_t *log)
{
    unsigned changed = 0;

    for (uint64_t at = 0; at < GUEST_MEMORY; at += PAGE) {
        const uint64_t page = (GUEST_GPA + at) / PAGE;

        if (memcmp(before + at, guest.memory + at, PAGE) == 0)
            continue;
        assert_true(log[page / 8] & 1 << page % 8);
        changed++;
    }
    memset(log, 0, LOG_BYTES);
    return changed;
}

/* What a machine that is being moved would miss otherwise. */
static void every_page_that_is_written_is_logged(void **state)
{
    static uint8_t bytes[70000];
    uint8_t *before = malloc(GUEST_MEMORY);

    for (int way = 0; way < 4; way++) {
        const bool packed = way & 1, receives = way & 2;
        const int file = memfd_create("log", MFD_CLOEXEC);
        struct guest_ring *r = &guest.rings[receives ? 0 : 1];
        struct vhost_memory *logged;
        unsigned changed = 0;
        char error[200];
        uint8_t *log;

        assert_int_equal(ftruncate(file, LOG_BYTES), 0);
        log = mmap(NULL, LOG_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        assert_true(log != MAP_FAILED);
        logged = vhost_log_map(file, 0, LOG_BYTES, error, sizeof error);
        assert_non_null(logged);
        open_ring(packed, receives, true);
        ring.log = vhost_memory_get(logged);
        ring.log_used = true;
        ring.used_gpa = guest_gpa(&guest, packed ? (void *)r->desc : (void *)r->used);
        for (int i = 0; i < 40; i++) {
            const uint32_t len = RTE_ETHER_HDR_LEN + (uint32_t)(rand() % 3 ? rand() % 1500 : rand() % 65535);
            struct rte_mbuf *packet;
            uint32_t part;

            random_bytes(bytes, GUEST_HEADER + len);
            if (receives) {
                guest_fill(&guest, r);
                packet = packet_of(bytes, len);
                memcpy(before, guest.memory, GUEST_MEMORY);
                assert_int_equal(vhost_ring_put(&ring, &packet, 1), 1);
                while (guest_used(r, &part) >= 0)
                    ;
            } else {
                memset(bytes, 0, GUEST_HEADER);
                send_pieces(bytes, GUEST_HEADER + len, 1, false);
                memcpy(before, guest.memory, GUEST_MEMORY);
                assert_int_equal(vhost_ring_take(&ring, pool, &packet, 1), 1);
            }
            rte_pktmbuf_free(packet);
            changed += assert_changes_are_logged(before, log);
        }
        assert_true(changed >= 40);
        close_ring();
        vhost_memory_unmap(logged);
        munmap(log, LOG_BYTES);
        close(file);
    }
    free(before);
    assert_int_equal(rte_mempool_in_use_count(pool), 0);
}

static void a_packet_that_never_fits_is_lost_alone(void **state)
{
    static uint8_t bytes[9000];

    for (int packed = 0; packed < 2; packed++) {
        struct rte_mbuf *packets[2];

        open_ring(packed, true, false);
        guest_fill(&guest, &guest.rings[0]);
        packets[0] = packet_of(bytes, 9000);
        packets[1] = packet_of(bytes, 100);
        assert_int_equal(vhost_ring_put(&ring, packets, 2), 2);
        assert_int_equal(ring.counters.errors, 1);
        assert_int_equal(ring.counters.packets, 1);
        rte_pktmbuf_free_bulk(packets, 2);
        close_ring();
    }
}

static void packets_that_cannot_be_are_counted_and_dropped(void **state)
{
    static const uint8_t bytes[70000];
    struct rte_mbuf *packets[PACKETS_MAX];

    for (int packed = 0; packed < 2; packed++) {
        open_ring(packed, false, true);
        send_pieces(bytes, GUEST_HEADER + 5, 1, false);
        assert_int_equal(vhost_ring_take(&ring, pool, packets, PACKETS_MAX), 0);
        send_pieces(bytes, GUEST_HEADER + VHOST_PACKET_MAX + 1, 3, true);
        assert_int_equal(vhost_ring_take(&ring, pool, packets, PACKETS_MAX), 0);
        assert_int_equal(ring.counters.errors, 2);
        assert_true(ring.usable);
        send_pieces(bytes, GUEST_HEADER + 60, 1, false);
        assert_int_equal(vhost_ring_take(&ring, pool, packets, PACKETS_MAX), 1);
        rte_pktmbuf_free(packets[0]);
        close_ring();
    }
    assert_int_equal(rte_mempool_in_use_count(pool), 0);
}

/* A descriptor that may be right, or nearly. */
static void random_descriptor(struct guest_ring *r)
{
    const uint64_t addr = rand() % 8 ? GUEST_GPA + (uint64_t)rand() % (GUEST_MEMORY + 64) : (uint64_t)rand() << 33;
    const uint32_t len = rand() % 4 ? (uint32_t)rand() % 3000 : (uint32_t)rand() << 2;
    const uint16_t slot = (uint16_t)(rand() % RING);

    if (r->packed)
        r->packed_desc[slot] = (struct vring_packed_desc){addr, len, (uint16_t)rand(), (uint16_t)(rand() & 0x8087)};
    else
        r->desc[slot] = (struct vring_desc){addr, len & (rand() % 2 ? ~15u : ~0u), (uint16_t)(rand() % 8),
                                            (uint16_t)(rand() % (RING + 1))};
}

static void whatever_a_ring_says_is_survived(void **state)
{
    for (int i = 0; i < 800; i++) {
        const bool receives = i & 1, packed = i & 2;
        struct guest_ring *r = &guest.rings[receives ? 0 : 1];
        struct rte_mbuf *packets[PACKETS_MAX];

        open_ring(packed, receives, i & 4);
        for (int j = 0; j < 20 && ring.usable; j++) {
            uint16_t n;

            for (int k = 0; k < RING; k++)
                random_descriptor(r);
            for (int k = 0; !packed && k < RING; k++)
                r->avail->ring[k] = (uint16_t)(rand() % (RING + (rand() % 64 == 0)));
            if (!packed)
                r->avail->idx += (uint16_t)(rand() % 20);
            if (receives) {
                static const uint8_t bytes[20000];
                struct rte_mbuf *packet = packet_of(bytes, 64 + (uint32_t)rand() % 15000);

                vhost_ring_put(&ring, &packet, 1);
                rte_pktmbuf_free(packet);
            } else {
                n = vhost_ring_take(&ring, pool, packets, PACKETS_MAX);
                rte_pktmbuf_free_bulk(packets, n);
            }
        }
        assert_true(ring.usable == (ring.fault == VHOST_FINE));
        close_ring();
    }
    assert_int_equal(rte_mempool_in_use_count(pool), 0);
}

static int n_descriptors(void)
{
    int n = 0;

    for (int fd = 0; fd < 512; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

static void whatever_messages_say_is_survived(void **state)
{
    static struct vhost_ring rings[VHOST_RINGS_MAX];
    const int before = n_descriptors();

    assert_true(guest_make(&guest, 2, RING, false));
    for (int i = 0; i < 300; i++) {
        struct vhost_device *device = vhost_device_new(vhost_device_features(true));
        bool ok = true, attached = false;

        assert_non_null(device);
        for (int j = 0; j < 60 && ok; j++) {
            struct vhost_message message = {.request = 1 + (uint32_t)rand() % 20, .flags = VHOST_VERSION};
            int fds[VHOST_FDS_MAX];
            const unsigned n = (unsigned)rand() % 3;
            struct vhost_outcome outcome = {0};
            char error[200];

            for (size_t k = 0; k < VHOST_PAYLOAD_MAX; k++)
                ((uint8_t *)&message)[VHOST_MESSAGE_HEADER + k] = (uint8_t)(rand() % 6 ? 0 : rand() % 5);
            if (message.request == VHOST_SET_MEM_TABLE && rand() % 2)
                message.memory.n = 1, message.memory.regions[0].gpa = GUEST_GPA,
                message.memory.regions[0].size = GUEST_MEMORY, message.memory.regions[0].uva = 0x100000,
                message.memory.regions[0].offset = 0;
            if (message.request == VHOST_SET_VRING_ADDR && rand() % 2)
                message.addr.desc = 0x100000, message.addr.avail = 0x110000, message.addr.used = 0x120000;
            message.size = (uint32_t[]){0, 8, 8, 8, 40, 40, 16, VHOST_PAYLOAD_MAX}[rand() % 8];
            for (unsigned k = 0; k < n; k++)
                fds[k] = dup(rand() % 2 ? guest.memory_fd : guest.rings[0].call);
            ok = vhost_device_expects(&message, n, error, sizeof error);
            if (ok)
                ok = vhost_device_handle(device, &message, fds, n, &outcome, error, sizeof error);
            vhost_memory_unmap(outcome.old);
            for (unsigned k = 0; k < n; k++)
                if (fds[k] >= 0)
                    close(fds[k]);
            if (ok && !attached && vhost_device_is_ready(device))
                attached = ok = vhost_device_attach(device, rings, error, sizeof error);
            /* One fault in a while is enough to end a connection, and too many to get anywhere. */
            ok = rand() % 8 != 0 || ok;
        }
        vhost_device_detach(device);
        vhost_device_free(device);
    }
    close(guest.memory_fd);
    for (int i = 0; i < 2; i++) {
        close(guest.rings[i].kick);
        close(guest.rings[i].call);
    }
    munmap(guest.memory, GUEST_MEMORY);
    assert_int_equal(n_descriptors(), before);
}

/* Buffers of a byte or none: so many of them are looked at, and no more, for all packets of a burst. */
static void crumbs_are_not_gone_through_without_end(void **state)
{
    static const uint8_t bytes[1500];

    for (int way = 0; way < 4; way++) {
        const bool packed = way & 1;
        struct guest_ring *r = &guest.rings[0];
        struct rte_mbuf *packets[PACKETS_MAX];
        uint16_t flags = 0xffff, n;

        open_ring(packed, true, true);
        while (r->in_use < RING)
            guest_offer(&guest, r, way & 2 ? 24 : 0, &flags);
        guest_publish(r, 0, flags);
        for (int i = 0; i < PACKETS_MAX; i++)
            packets[i] = packet_of(bytes, 1500);
        n = vhost_ring_put(&ring, packets, PACKETS_MAX);
        assert_true(ring.pieces > 0 && ring.pieces <= VHOST_BATCH_PIECES + VHOST_PIECES_MAX);
        assert_true(ring.usable && n < PACKETS_MAX);
        rte_pktmbuf_free_bulk(packets, PACKETS_MAX);
        close_ring();
    }
    assert_int_equal(rte_mempool_in_use_count(pool), 0);
}

/* 128 empty descriptors in each table, and a table in each slot. */
static void empty_descriptors_count_as_any(void **state)
{
    static const uint8_t bytes[1500];

    for (int packed = 0; packed < 2; packed++) {
        struct guest_ring *r = &guest.rings[0];
        struct rte_mbuf *packets[PACKETS_MAX];
        struct vring_desc *table;
        uint16_t flags = 0xffff;

        open_ring(packed, true, true);
        table = (void *)(guest.memory + GUEST_MEMORY - 65536);
        for (uint16_t i = 0; i < 127; i++)
            table[i] =
                (struct vring_desc){GUEST_GPA, 0, packed ? 0 : VRING_DESC_F_WRITE | (i < 126 ? VRING_DESC_F_NEXT : 0),
                                    packed ? VRING_DESC_F_WRITE : (uint16_t)(i + 1)};
        while (r->in_use < RING) {
            const uint16_t slot = r->next % RING;

            guest_offer(&guest, r, 127 * 16, &flags);
            if (packed) {
                r->packed_desc[slot].addr = guest_gpa(&guest, table);
                r->packed_desc[slot].flags |= VRING_DESC_F_INDIRECT;
            } else {
                r->desc[slot] = (struct vring_desc){guest_gpa(&guest, table), 127 * 16, VRING_DESC_F_INDIRECT, 0};
            }
        }
        guest_publish(r, 0, packed ? flags | VRING_DESC_F_INDIRECT : flags);
        for (int i = 0; i < PACKETS_MAX; i++)
            packets[i] = packet_of(bytes, 1500);
        vhost_ring_put(&ring, packets, PACKETS_MAX);
        assert_true(ring.pieces > 0 && ring.pieces <= VHOST_BATCH_PIECES + VHOST_PIECES_MAX);
        assert_true(ring.usable);
        rte_pktmbuf_free_bulk(packets, PACKETS_MAX);
        close_ring();
    }
    assert_int_equal(rte_mempool_in_use_count(pool), 0);
}

/* A guest that is woken by an eventfd that blocks keeps nobody: whoever wakes it is interrupted. */
static void *take_ring(void *arg)
{
    struct rte_mbuf *packets[PACKETS_MAX];

    assert_true(vhost_ring_enter(&ring));
    rte_pktmbuf_free_bulk(packets, vhost_ring_take(&ring, pool, packets, PACKETS_MAX));
    vhost_ring_leave(&ring);
    return NULL;
}

static void whoever_wakes_a_guest_does_not_wait_for_it(void **state)
{
    static const uint8_t bytes[100];

    for (int way = 0; way < 2; way++) {
        pthread_t thread;

        open_ring(false, false, true);
        ring.call_fd = eventfd(UINT32_MAX, EFD_CLOEXEC);
        assert_int_equal(eventfd_write(ring.call_fd, UINT64_MAX - 1 - UINT32_MAX), 0);
        guest.rings[1].avail->flags = 0;
        send_pieces(bytes, sizeof bytes, 1, false);
        assert_int_equal(pthread_create(&thread, NULL, take_ring, NULL), 0);
        while (__atomic_load_n(&ring.calling, __ATOMIC_ACQUIRE) % 2 == 0)
            usleep(100);
        if (way == 0) {
            vhost_ring_stop(&ring);
            assert_int_equal(ring.fault, VHOST_HELD_UP);
            vhost_ring_go(&ring);
        } else {
            for (int i = 0; i < 10000 && __atomic_load_n(&ring.calling, __ATOMIC_ACQUIRE) % 2 == 1; i++) {
                usleep(1000);
                vhost_ring_watch(&ring);
            }
        }
        pthread_join(thread, NULL);
        assert_int_equal(ring.fault, VHOST_HELD_UP);
        assert_false(ring.usable);
        close(ring.call_fd);
        close_ring();
    }
    assert_int_equal(rte_mempool_in_use_count(pool), 0);
}

static void assert_refused(const struct vhost_region_wanted *table, const int *files, unsigned n, const char *why)
{
    char error[200] = "";

    assert_null(vhost_memory_map(table, files, n, error, sizeof error));
    assert_non_null(strstr(error, why));
}

/* What a guest says it has is bounded, or it would take the addresses that all others need. */
static void memory_of_many_machines_is_refused(void **state)
{
    const int vast = memfd_create("vast", MFD_CLOEXEC), null = open("/dev/null", O_RDWR | O_CLOEXEC);
    const uint64_t tib = 1ull << 40;
    struct vhost_region_wanted table[8];
    int files[8];
    char error[200];

    assert_int_equal(ftruncate(vast, (off_t)(100 * tib)), 0);
    for (unsigned i = 0; i < 8; i++) {
        table[i] = (struct vhost_region_wanted){(i + 1) * 16 * tib, 15 * tib, (i + 1) * 16 * tib, 0};
        files[i] = vast;
    }
    assert_refused(table, files, 8, "twice what this machine has");
    assert_null(vhost_log_map(vast, 0, 100 * tib, error, sizeof error));
    table[0].size = 4096;
    assert_refused(table, &null, 1, "neither a memfd nor");
    close(vast);
    close(null);
}

/* A file that is cut short while it is mapped: zeros, and a mark. */
static void memory_that_is_cut_short_reads_as_zeros(void **state)
{
    struct rte_mbuf *packets[PACKETS_MAX];
    static const uint8_t bytes[100] = {[GUEST_HEADER] = 1};

    open_ring(false, false, true);
    send_pieces(bytes, sizeof bytes, 1, false);
    assert_int_equal(ftruncate(guest.memory_fd, guest.rings[1].buffers - guest.memory), 0);
    if (vhost_ring_take(&ring, pool, packets, PACKETS_MAX) == 1)
        rte_pktmbuf_free(packets[0]);
    assert_true(vhost_memory_get(memory)->broken);
    assert_int_equal(vhost_ring_take(&ring, pool, packets, PACKETS_MAX), 0);
    assert_int_equal(ring.fault, VHOST_MEMORY_CUT);
    close_ring();
}

static int setup(void **state)
{
    pool = test_pool(1023);
    srand(1);
    return pool ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        /* First: cmocka has handlers of its own for as long as a test runs, and this one installs one above them. */
        cmocka_unit_test(memory_that_is_cut_short_reads_as_zeros),
        cmocka_unit_test(packets_of_any_shape_are_taken),
        cmocka_unit_test(packets_of_any_shape_are_put),
        cmocka_unit_test(every_page_that_is_written_is_logged),
        cmocka_unit_test(a_packet_that_never_fits_is_lost_alone),
        cmocka_unit_test(packets_that_cannot_be_are_counted_and_dropped),
        cmocka_unit_test(crumbs_are_not_gone_through_without_end),
        cmocka_unit_test(empty_descriptors_count_as_any),
        cmocka_unit_test(whoever_wakes_a_guest_does_not_wait_for_it),
        cmocka_unit_test(memory_of_many_machines_is_refused),
        cmocka_unit_test(whatever_a_ring_says_is_survived),
        cmocka_unit_test(whatever_messages_say_is_survived),
    };

    if (test_eal_init("guest_rings_test") != 0)
        return 1;
    return cmocka_run_group_tests(tests, setup, NULL);
}
