/* TSC cycles per packet from one guest to another: taken from one's ring and put into the other's, without a switch
 * between them, by pmd/vhost/ and by DPDK's librte_vhost in turn.
 *   taskset -c 1 build/tests/bench/vhost_bench [ROUNDS [BYTES [CORE]]]
 * With CORE the guests run there on a thread of their own, as real ones do, and their rings and packets come from its
 * caches; without they run on the same core between the bursts, which are all that is timed. The best of ROUNDS counts.
 */
#include <pthread.h>
#include <rte_cycles.h>
#include <rte_vhost.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include "pmd/vhost/ring.h"
#include "tests/lib/eal.h"
#include "tests/lib/packets.h"
#include "tests/lib/vhost_guest.h"

#define BURST 32
#define PACKETS_A_ROUND (1 << 13)
#define RING 256

enum backend { SLUICE, LIBRTE, N_BACKENDS };

struct bed {
    struct guest from, to;
    struct vhost_ring *from_ring, *to_ring; /* SLUICE */
    int from_vid, to_vid;                   /* LIBRTE */
    enum backend backend;
};

static struct rte_mempool *pool;
static uint8_t frame[2000];
static uint32_t frame_len = 60;
static volatile int last_vid = -1;
static volatile bool guests_stop;

static int on_ready(int vid)
{
    last_vid = vid;
    return 0;
}

static void on_gone(int vid)
{
}

static const struct rte_vhost_device_ops callbacks = {.new_device = on_ready, .destroy_device = on_gone};

static int librte_start(struct guest *guest, const char *path)
{
    if (rte_vhost_driver_register(path, RTE_VHOST_USER_NET_COMPLIANT_OL_FLAGS) != 0 ||
        rte_vhost_driver_callback_register(path, &callbacks) != 0 || rte_vhost_driver_start(path) != 0)
        return -1;
    last_vid = -1;
    guest->socket = guest_connect(path);
    if (guest->socket < 0 || !guest_start(guest))
        return -1;
    for (unsigned i = 0; i < 2000 && last_vid < 0; i++)
        usleep(1000);
    return last_vid;
}

static struct vhost_ring *sluice_start(struct guest *guest, unsigned ring)
{
    const struct vhost_region_wanted region = {GUEST_GPA, GUEST_MEMORY, (uintptr_t)guest->memory, 0};
    const struct guest_ring *r = &guest->rings[ring];
    struct vhost_ring *v = aligned_alloc(64, sizeof *v);
    char error[200];
    struct vhost_memory *memory = vhost_memory_map(&region, &guest->memory_fd, 1, error, sizeof error);

    if (!memory) {
        printf("%s\n", error);
        exit(1);
    }
    const struct vhost_map *map = vhost_memory_get(memory);
    memset(v, 0, sizeof *v);
    v->usable = true;
    v->packed = guest->packed;
    v->mergeable = true;
    v->header_len = GUEST_HEADER;
    v->avail_wrap = true;
    v->size = r->size;
    v->call_fd = -1;
    v->map = map;
    v->desc = (void *)vhost_translate_uva(map, (uintptr_t)r->desc, 1);
    v->avail = (void *)vhost_translate_uva(map, (uintptr_t)r->avail, 1);
    v->used = (void *)vhost_translate_uva(map, (uintptr_t)r->used, 1);
    return v;
}

static uint16_t forward(struct bed *bed)
{
    struct rte_mbuf *packets[BURST];
    uint16_t got, sent = 0;

    if (bed->backend == LIBRTE) {
        got = rte_vhost_dequeue_burst(bed->from_vid, 1, pool, packets, BURST);
        if (got > 0)
            sent = rte_vhost_enqueue_burst(bed->to_vid, 0, packets, got);
    } else {
        vhost_ring_enter(bed->from_ring);
        got = vhost_ring_take(bed->from_ring, pool, packets, BURST);
        vhost_ring_leave(bed->from_ring);
        if (got > 0) {
            vhost_ring_enter(bed->to_ring);
            sent = vhost_ring_put(bed->to_ring, packets, got);
            vhost_ring_leave(bed->to_ring);
        }
    }
    rte_pktmbuf_free_bulk(packets, got);
    return sent;
}

static unsigned drain(struct bed *bed)
{
    const uint8_t *received;
    unsigned n = 0;

    while (guest_receive(&bed->to.rings[0], &received))
        n++;
    guest_fill(&bed->to, &bed->to.rings[0]);
    return n;
}

static void *guests_run(void *arg)
{
    struct bed *bed = arg;
    uint32_t seq = 0;

    while (!guests_stop) {
        seq += guest_send(&bed->from, &bed->from.rings[1], frame, frame_len, seq, BURST);
        drain(bed);
    }
    return NULL;
}

static double round_alone(struct bed *bed)
{
    uint64_t cycles = 0;
    unsigned done = 0, received = 0;

    while (done < PACKETS_A_ROUND) {
        guest_send(&bed->from, &bed->from.rings[1], frame, frame_len, done, BURST);
        const uint64_t start = rte_rdtsc_precise();
        const uint16_t sent = forward(bed);
        cycles += rte_rdtsc_precise() - start;
        done += sent;
        received += drain(bed);
    }
    if (received != done)
        printf("%u sent, %u received\n", done, received);
    return (double)cycles / done;
}

static double round_beside(struct bed *bed, int core)
{
    pthread_t thread;
    cpu_set_t cpus;
    uint64_t cycles = 0;
    unsigned done = 0;

    guests_stop = false;
    CPU_ZERO(&cpus);
    CPU_SET(core, &cpus);
    pthread_create(&thread, NULL, guests_run, bed);
    pthread_setaffinity_np(thread, sizeof cpus, &cpus);
    while (done < PACKETS_A_ROUND) {
        const uint64_t start = rte_rdtsc_precise();
        const uint16_t sent = forward(bed);
        if (sent > 0)
            cycles += rte_rdtsc_precise() - start;
        done += sent;
    }
    guests_stop = true;
    pthread_join(thread, NULL);
    while (forward(bed) > 0)
        ;
    drain(bed);
    return (double)cycles / done;
}

static void make_bed(struct bed *bed, enum backend backend, bool packed, const char *directory)
{
    char path[108];

    bed->backend = backend;
    if (!guest_make(&bed->from, 2, RING, packed) || !guest_make(&bed->to, 2, RING, packed)) {
        printf("no memory\n");
        exit(1);
    }
    guest_fill(&bed->to, &bed->to.rings[0]);
    if (backend == LIBRTE) {
        snprintf(path, sizeof path, "%s/%d-from", directory, packed);
        bed->from_vid = librte_start(&bed->from, path);
        snprintf(path, sizeof path, "%s/%d-to", directory, packed);
        bed->to_vid = librte_start(&bed->to, path);
        if (bed->from_vid < 0 || bed->to_vid < 0) {
            printf("librte_vhost does not run\n");
            exit(1);
        }
    } else {
        bed->from_ring = sluice_start(&bed->from, 1);
        bed->to_ring = sluice_start(&bed->to, 0);
    }
}

int main(int argc, char **argv)
{
    const unsigned rounds = argc > 1 ? (unsigned)atoi(argv[1]) : 300;
    const int core = argc > 3 ? atoi(argv[3]) : -1;
    char directory[] = "/tmp/vhost-bench.XXXXXX";
    static struct bed beds[2][N_BACKENDS];

    if (argc > 2)
        frame_len = (uint32_t)atoi(argv[2]);
    if (frame_len < 60 || frame_len > sizeof frame || test_eal_init("vhost_bench") != 0 || !mkdtemp(directory))
        return 1;
    pool = test_pool(8191);
    if (!pool)
        return 1;
    printf("%u bytes\n%-8s %12s %12s\n", frame_len, "ring", "pmd/vhost", "librte_vhost");
    for (int packed = 0; packed < 2; packed++) {
        double best[N_BACKENDS] = {1e9, 1e9};

        for (int b = 0; b < N_BACKENDS; b++)
            make_bed(&beds[packed][b], b, packed, directory);
        for (unsigned i = 0; i < rounds * N_BACKENDS; i++) {
            struct bed *bed = &beds[packed][i % N_BACKENDS];
            const double cycles = core < 0 ? round_alone(bed) : round_beside(bed, core);

            best[i % N_BACKENDS] = RTE_MIN(best[i % N_BACKENDS], cycles);
        }
        printf("%-8s %12.1f %12.1f\n", packed ? "packed" : "split", best[SLUICE], best[LIBRTE]);
    }
    for (int packed = 0; packed < 2; packed++) {
        char path[128];

        for (int to = 0; to < 2; to++) {
            snprintf(path, sizeof path, "%s/%d-%s", directory, packed, to ? "to" : "from");
            rte_vhost_driver_unregister(path);
        }
    }
    rmdir(directory);
    return 0;
}
