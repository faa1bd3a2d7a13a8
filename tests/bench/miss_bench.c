/* Flow set-ups per second of the control thread: miss, translation, megaflow. Usage: miss_bench [FLOWS] (200 000).
 *
 * No poll-mode thread runs: the packets are put into its ring and taken from the ring back by hand, and only
 * flows_run_misses is timed. Run it pinned (taskset -c 1).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pmd/poll/poll_thread.h"
#include "src/upcall/flows.h"
#include "tests/lib/bed.h"

#define CHUNK 512

static struct rte_mempool *pool;
static struct bed bed;
static uint64_t rng = 3;

static uint32_t random_below(uint32_t n)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return (uint32_t)((rng >> 16) % n);
}

/* Of this process: others on the core do not count. */
static uint64_t cpu_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static void fill_udp(struct rte_mbuf *m, uint32_t src, uint32_t dst, uint16_t tp_src, uint16_t tp_dst)
{
    static const uint8_t head[] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17};
    uint8_t *p = rte_pktmbuf_mtod(m, uint8_t *);

    m->data_len = 60;
    m->pkt_len = 60;
    memset(p, 0, 60);
    memcpy(p, head, sizeof head);
    src = rte_cpu_to_be_32(src);
    dst = rte_cpu_to_be_32(dst);
    tp_src = rte_cpu_to_be_16(tp_src);
    tp_dst = rte_cpu_to_be_16(tp_dst);
    memcpy(p + 26, &src, 4);
    memcpy(p + 30, &dst, 4);
    memcpy(p + 34, &tp_src, 2);
    memcpy(p + 36, &tp_dst, 2);
    p[39] = 26;
}

/* Longer prefixes first, as people write them. */
static void add_acl(void)
{
    bed_add(&bed, "priority=1,in_port=1,actions=output:2");
    for (unsigned src = 8; src <= 32; src += 8) {
        for (unsigned dst = 8; dst <= 32; dst += 8) {
            for (unsigned i = 0; i < 60; i++) {
                char port[32] = "";

                if (i >= 30)
                    snprintf(port, sizeof port, ",tp_dst=%u", 1 + random_below(1000));
                bed_add(&bed, "priority=%u,in_port=1,udp,nw_src=10.0.%u.%u/%u,nw_dst=11.0.%u.%u/%u%s,actions=output:2",
                        (src + dst) * 900 + random_below(900), random_below(256), random_below(256), src,
                        random_below(256), random_below(256), dst, port);
            }
        }
    }
}

static void put_chunk(uint32_t first, uint32_t n)
{
    struct rte_ring *up = bed.dp->threads[0]->up;

    for (uint32_t i = first; i < first + n; i++) {
        struct rte_mbuf *m = rte_pktmbuf_alloc(pool);

        fill_udp(m, 10u << 24 | random_below(65536), 11u << 24 | random_below(65536), (uint16_t)i,
                 (uint16_t)(1 + random_below(1000)));
        *packet_meta(m) = (struct packet_meta){.md.in_port = 1, .pending = PACKET_NOT_PENDING, .origin = PACKET_MISS};
        if (rte_ring_enqueue(up, m) != 0)
            abort();
    }
}

static void take_chunk(void)
{
    void *m = NULL;

    while (rte_ring_dequeue(bed.dp->threads[0]->down, &m) == 0)
        rte_pktmbuf_free(m);
}

static void measure(const char *name, uint32_t n_flows)
{
    uint64_t ns = 0;
    struct flows_stats stats;

    bed_settle(&bed);

    for (uint32_t i = 0; i < n_flows; i += CHUNK) {
        uint64_t start;

        put_chunk(i, CHUNK);
        start = cpu_ns();
        while (flows_run_misses(bed.flows, 256) > 0)
            ;
        ns += cpu_ns() - start;
        take_chunk();
        datapath_reclaim(bed.dp);
    }
    flows_get_stats(bed.flows, &stats);
    printf("%-24s %6.0f ns a miss, %5.0fk/s; %lu installed, %lu duplicates, %u masks\n", name,
           (double)ns / (double)stats.misses, (double)stats.misses * 1e6 / (double)ns, stats.installed,
           stats.duplicates, stats.n_masks);
}

/* Rules that come one by one while the megaflows are there; a turn of the event loop after each hundred. */
static void measure_adds(uint32_t n_rules)
{
    uint64_t adds = 0, revalidation = 0, start, ticket;
    struct flows_stats before, after;

    flows_get_stats(bed.flows, &before);
    for (uint32_t i = 0; i < n_rules; i++) {
        char text[128];

        snprintf(text, sizeof text, "priority=40000,in_port=1,udp,nw_src=10.1.%u.%u,tp_dst=%u,actions=output:3",
                 i >> 8 & 0xff, i & 0xff, 1 + (i >> 16));
        start = cpu_ns();
        bed_add(&bed, "%s", text);
        adds += cpu_ns() - start;
        if (i % 100 == 99) {
            start = cpu_ns();
            flows_run_revalidate(bed.flows, 1000);
            revalidation += cpu_ns() - start;
            datapath_reclaim(bed.dp);
        }
    }
    start = cpu_ns();
    ticket = flows_ticket(bed.flows);
    while (!flows_settled(bed.flows, ticket)) {
        flows_run_revalidate(bed.flows, 1000);
        datapath_reclaim(bed.dp);
    }
    revalidation += cpu_ns() - start;
    flows_get_stats(bed.flows, &after);
    printf("%u adds with %u megaflows: %.2f s adding, %.2f s revalidating (%lu translated again)\n", n_rules,
           before.n_megaflows, (double)adds / 1e9, (double)revalidation / 1e9, after.revalidated - before.revalidated);
}

static void bed_up(uint32_t n_flows)
{
    bed_create(&bed, pool, &(struct bed_params){.megaflow_limit = n_flows + 65536});
    bed_settle(&bed);
}

int main(int argc, char **argv)
{
    uint32_t n_flows = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 0) : 200000;

    if (rte_eal_init(
            7, (char *[]){"miss_bench", "--no-huge", "--no-shconf", "--no-pci", "-m", "512", "--log-level=3"}) < 0)
        return 1;
    pool = test_pool(2047);
    bed_up(n_flows);
    bed_add(&bed, "in_port=1,udp,actions=output:2");
    measure("one rule", n_flows);
    bed_destroy(&bed);
    bed_up(n_flows);
    bed_add(&bed, "in_port=1,udp,actions=move:NXM_OF_UDP_SRC[]->NXM_NX_REG0[0..15],"
                  "move:NXM_OF_UDP_DST[]->NXM_NX_REG0[16..31],move:NXM_OF_IP_SRC[]->NXM_NX_REG1[],"
                  "move:NXM_OF_IP_DST[]->NXM_NX_REG2[],output:2");
    measure("a megaflow each", n_flows);
    measure_adds(n_flows);
    bed_destroy(&bed);
    bed_up(n_flows);
    add_acl();
    measure("960 rules over 32 masks", n_flows);
    bed_destroy(&bed);
    return 0;
}
