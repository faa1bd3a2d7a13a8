/* What tracking a packet costs: TSC cycles and ns of ct_run() per packet, bursts of 32, over so many connections. The
 * median of the bursts counts, as the machine has other work.
 *   taskset -c 1 build/tests/bench/ct_bench [CONNECTIONS...]
 * "checked": the checksums of 64-byte packets are verified, as the device did not; else the device did. */
#include <rte_cycles.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/lib/ct_bed.h"
#include "tests/lib/eal.h"

#define BURST 32
#define PACKETS (1u << 21)

static struct rte_mempool *pool;
static struct rte_mbuf *packets[BURST];
static struct ct_meta metas[BURST], *to[BURST];
static uint8_t reasons[BURST];

/* Bursts by the cycles they took. */
#define CYCLES_MOST 100000
static uint32_t histogram[CYCLES_MOST];

static void note_burst(uint64_t cycles)
{
    histogram[RTE_MIN(cycles, (uint64_t)CYCLES_MOST - 1)]++;
}

/* Of a packet; and the histogram is empty again. */
static double median(void)
{
    uint64_t all = 0, n = 0;
    uint32_t i;

    for (i = 0; i < CYCLES_MOST; i++)
        all += histogram[i];
    for (i = 0; i < CYCLES_MOST - 1 && (n += histogram[i]) < all / 2; i++)
        ;
    memset(histogram, 0, sizeof histogram);
    return (double)i / BURST;
}

enum traffic { UDP, TCP, N_TRAFFICS };

/* Packet `n` as the sender or the receiver of connection `c` sends it. */
static void aim(struct rte_mbuf *m, enum traffic traffic, uint32_t c, bool back)
{
    struct ct_spec spec = {.proto = traffic == UDP ? IPPROTO_UDP : IPPROTO_TCP,
                           .src = 1 + (c >> 16),
                           .dst = 0x10000,
                           .sport = (uint16_t)c,
                           .dport = 80,
                           .len = 18,
                           .flags = ACK,
                           .window = 60000,
                           .seq = 1,
                           .ack = 1};

    if (back)
        spec = spec_back(spec);
    spec_to_mbuf(&spec, m);
}

static void work_all(struct ct *ct, uint32_t now)
{
    while (ct_work(ct, now, 10000))
        ;
}

/* ns for each connection that is made, the control thread's share apart. */
static double create(struct ct *ct, enum traffic traffic, uint32_t n, double *control)
{
    const struct ct_request request = {.commit = true};
    uint64_t control_cycles = 0;

    for (uint32_t c = 0; c < n; c += BURST) {
        for (unsigned i = 0; i < BURST; i++) {
            aim(packets[i], traffic, c + i, false);
            packets[i]->ol_flags = RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD;
        }
        uint64_t start = rte_rdtsc_precise();
        ct_run(ct, 0, 1, &request, packets, BURST, to, reasons);
        note_burst(rte_rdtsc_precise() - start);
        if (c % 8192 == 0) {
            start = rte_rdtsc();
            work_all(ct, 1);
            control_cycles += rte_rdtsc() - start;
        }
    }
    work_all(ct, 1);
    *control = (double)control_cycles / n;
    return median();
}

static double look_up(struct ct *ct, enum traffic traffic, uint32_t n, bool checked)
{
    const struct ct_request request = {0};
    uint32_t random = 1;

    for (uint32_t done = 0; done < PACKETS; done += BURST) {
        for (unsigned i = 0; i < BURST; i++) {
            random = random * 1664525 + 1013904223;
            aim(packets[i], traffic, (uint32_t)((uint64_t)random * n >> 32), random & 0x100);
            if (!checked)
                packets[i]->ol_flags = RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD;
        }
        const uint64_t start = rte_rdtsc_precise();
        ct_run(ct, 0, 1, &request, packets, BURST, to, reasons);
        note_burst(rte_rdtsc_precise() - start);
        if (metas[0].state & CT_STATE_INV) {
            fprintf(stderr, "a packet of no connection: state 0x%x\n", metas[0].state);
            exit(1);
        }
    }
    return median();
}

static void one_size(uint32_t n)
{
    static const char *const names[N_TRAFFICS] = {"udp", "tcp"};
    const double ns = 1e9 / (double)rte_get_tsc_hz();

    for (enum traffic traffic = 0; traffic < N_TRAFFICS; traffic++) {
        struct ct_bed bed = ct_bed_new(pool, n + 1024, 1);
        struct ct_stats stats;
        double control, made, warm, plain, checked, end;
        uint64_t start;

        work_all(bed.ct, 1);
        made = create(bed.ct, traffic, n, &control);
        if (ct_count(bed.ct) != n) {
            fprintf(stderr, "%u connections, not %u\n", ct_count(bed.ct), n);
            exit(1);
        }
        warm = look_up(bed.ct, traffic, n, false); /* both sides have sent */
        plain = RTE_MIN(warm, look_up(bed.ct, traffic, n, false));
        checked = look_up(bed.ct, traffic, n, true);
        ct_stats(bed.ct, &stats);
        start = rte_rdtsc();
        ct_flush_zone(bed.ct, 0);
        work_all(bed.ct, 1);
        end = (double)(rte_rdtsc() - start) / n;
        printf("%9u %-4s %10.0f %8.1f %10.0f %8.1f %9.1f %8.1f %9.1f %8.1f %8.0f\n", n, names[traffic], plain,
               plain * ns, checked, checked * ns, made * ns, control * ns, 1e3 / (made * ns), end * ns,
               (double)stats.memory / n);
        ct_bed_free(&bed);
    }
}

int main(int argc, char **argv)
{
    static const uint32_t sizes[] = {1024, 102400, 1048576};

    if (test_eal_init("ct_bench") != 0 || !(pool = test_pool(255)))
        return 1;
    for (unsigned i = 0; i < BURST; i++) {
        packets[i] = rte_pktmbuf_alloc(pool);
        to[i] = &metas[i];
    }
    printf("%9s %-4s %10s %8s %10s %8s %9s %8s %9s %8s %8s\n", "conns", "", "cycles", "ns", "checked", "ns", "made ns",
           "ctrl ns", "M made/s", "end ns", "B/conn");
    for (int i = 1; i < argc; i++)
        one_size((uint32_t)RTE_ALIGN_CEIL((uint32_t)strtoul(argv[i], NULL, 0), BURST));
    for (unsigned i = 0; argc == 1 && i < RTE_DIM(sizes); i++)
        one_size(sizes[i]);
    return 0;
}
