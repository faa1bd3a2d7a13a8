/* Very many connections at once: the memory that the process has resident for each, and how long a step of each thread
 * takes to make them, look them up, list, flush and expire them. Fails if memory or more than one step in a thousand is
 * over its bound, or a packet does not find its connection.
 *   taskset -c 1 build/tests/bench/ct_scale [CONNECTIONS]     (10 million, for which it takes 1.7 GB)
 * Steps are timed by what the thread itself spent on the core; what a hypervisor takes meanwhile is in that, too. */
#include <rte_cycles.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/lib/ct_bed.h"
#include "tests/lib/eal.h"
#include "tests/lib/own_time.h"

#define BURST 32
#define CONNECTIONS 10000000u
#define BYTES_MOST 192 /* a connection, IPv4, with both directions and its share of the directory */
#define BURST_US 50    /* a burst of a poll-mode thread */
#define STEP_US 10000  /* a step of the control thread */
#define BUDGET_US 100  /* that ct_work() is given: pmd/poll/datapath.c */
#define DUMP_PLACES 1024
#define LOOKUPS (1u << 22)

static struct rte_mempool *pool;
static struct rte_mbuf *packets[BURST];
static struct ct_meta metas[BURST], *to[BURST];
static uint8_t reasons[BURST];
static struct ct *ct;
static bool held = true;

#define US_MOST 20000

/* Steps of one kind. */
struct steps {
    uint64_t n, longest, total; /* us */
    uint64_t start;
    uint32_t by_us[US_MOST];
};

static void step_begin(struct steps *steps)
{
    steps->start = own_us();
}

static void step_end(struct steps *steps)
{
    const uint64_t us = own_us() - steps->start;

    steps->n++;
    steps->total += us;
    steps->longest = RTE_MAX(steps->longest, us);
    steps->by_us[RTE_MIN(us, (uint64_t)US_MOST - 1)]++;
}

/* The time that all but one step in a thousand stay within. */
static uint64_t most_within(const struct steps *steps)
{
    uint64_t more = 0;
    uint64_t us = US_MOST;

    while (us > 0 && (more + steps->by_us[us - 1]) * 1000 <= steps->n)
        more += steps->by_us[--us];
    return us;
}

static void expect(bool holds, const char *what)
{
    if (!holds)
        fprintf(stderr, "does not hold: %s\n", what);
    held &= holds;
}

static void put_steps(const char *what, const struct steps *steps, uint64_t bound)
{
    const uint64_t within = most_within(steps);

    printf("%-28s %9" PRIu64 " steps, %5.2f us each, 99.9 %% within %5" PRIu64 " us (at most %" PRIu64
           "), longest %6" PRIu64 " us\n",
           what, steps->n, (double)steps->total / (double)steps->n, within, bound, steps->longest);
    expect(within <= bound, what);
}

static uint64_t resident(void)
{
    FILE *file = fopen("/proc/self/smaps_rollup", "r");
    unsigned long long kb = 0;
    char line[256];

    while (file && fgets(line, sizeof line, file) && sscanf(line, "Rss: %llu kB", &kb) != 1)
        ;
    if (file)
        fclose(file);
    return kb * 1024;
}

/* Connection `c` of UDP, as its first or its second side sends. */
static void aim(unsigned i, uint32_t c, bool back)
{
    struct ct_spec spec = {.proto = IPPROTO_UDP,
                           .src = 1 + (c >> 15),
                           .dst = 0x10000,
                           .sport = (uint16_t)(1 + (c & 0x7fff)),
                           .dport = 80,
                           .len = 18};

    if (back)
        spec = spec_back(spec);
    spec_to_mbuf(&spec, packets[i]);
    packets[i]->ol_flags = RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD;
}

static void work_all(uint32_t now, struct steps *steps)
{
    bool more = true;

    while (more) {
        step_begin(steps);
        more = ct_work(ct, now, BUDGET_US);
        step_end(steps);
    }
}

static void create(uint32_t n, uint32_t now)
{
    static struct steps bursts, work;

    for (uint32_t c = 0; c < n; c += BURST) {
        const struct ct_request request = {.commit = true, .zone = c < n / 2 ? 1 : 2};

        for (unsigned i = 0; i < BURST; i++)
            aim(i, c + i, false);
        step_begin(&bursts);
        ct_run(ct, 0, now, &request, packets, BURST, to, reasons);
        step_end(&bursts);
        if (c % 8192 == 0)
            work_all(now, &work);
    }
    work_all(now, &work);
    put_steps("made, bursts of 32", &bursts, BURST_US);
    put_steps("made, control thread", &work, STEP_US);
}

/* Packets of random connections from `first` on, of either side: each belongs to one. */
static void look_up(const char *what, uint16_t zone, uint32_t first, uint32_t n, uint32_t now)
{
    const struct ct_request request = {.zone = zone};
    struct steps *bursts = calloc(1, sizeof *bursts);
    uint32_t random = 1, lost = 0;

    for (uint32_t done = 0; done < LOOKUPS; done += BURST) {
        bool back[BURST];

        for (unsigned i = 0; i < BURST; i++) {
            random = random * 1664525 + 1013904223;
            back[i] = random & 0x100;
            aim(i, first + (uint32_t)((uint64_t)random * n >> 32), back[i]);
        }
        step_begin(bursts);
        ct_run(ct, 0, now, &request, packets, BURST, to, reasons);
        step_end(bursts);
        for (unsigned i = 0; i < BURST; i++)
            lost += (metas[i].state & ~(CT_STATE_EST | CT_STATE_NEW)) !=
                    (CT_STATE_TRK | (back[i] ? CT_STATE_RPL : 0)); /* the first side alone is new */
    }
    put_steps(what, bursts, BURST_US);
    free(bursts);
    expect(lost == 0, "every packet belongs to its connection");
}

static void list(uint32_t n, uint32_t now)
{
    static struct steps slices;
    uint32_t cursor = 0, listed = 0;
    struct ct_info info;

    do {
        step_begin(&slices);
        listed += ct_next(ct, now, &cursor, DUMP_PLACES, &info);
        step_end(&slices);
    } while (cursor != 0);
    put_steps("listed", &slices, STEP_US);
    expect(listed == n, "all are listed");
}

static void one_step(const char *what, void (*fn)(void), uint64_t bound)
{
    static struct steps step;

    step_begin(&step);
    fn();
    step_end(&step);
    put_steps(what, &step, bound);
}

static void flush_zone(void)
{
    ct_flush_zone(ct, 1);
}

static void measure(uint32_t n)
{
    static struct steps work;
    const uint64_t before = resident();
    struct ct_bed bed =
        ct_bed_new(pool, n + n / 100, 1); /* the directory of a full table may lack room near a bucket */
    struct ct_stats stats;
    uint32_t now = 1;

    ct = bed.ct;
    work_all(now, &work);
    put_steps("prepared, control thread", &work, STEP_US);
    create(n, now);
    expect(ct_count(ct) == n, "all are made");
    const double bytes = (double)(resident() - before) / n;
    ct_stats(ct, &stats);
    printf("%" PRIu32 " connections: %.1f bytes of resident memory each (at most %d), %.1f as the tracker counts\n",
           ct_count(ct), bytes, BYTES_MOST, (double)stats.memory / n);
    expect(bytes <= BYTES_MOST, "memory of a connection");
    look_up("looked up, bursts of 32", 1, 0, n / 2, now);
    look_up("looked up, the other zone", 2, n / 2, n / 2, now);
    list(n, now);

    one_step("a zone with half is flushed", flush_zone, 1000);
    memset(&work, 0, sizeof work);
    work_all(now, &work);
    put_steps("taken out, control thread", &work, STEP_US);
    expect(ct_count(ct) == n / 2, "a zone is flushed");
    look_up("looked up, the other zone", 2, n / 2, n / 2, now);

    now += 100000; /* the others have timed out, all of them at once */
    memset(&work, 0, sizeof work);
    while (ct_count(ct) != 0)
        work_all(now, &work);
    put_steps("timed out, control thread", &work, STEP_US);
    ct_bed_free(&bed);
}

int main(int argc, char **argv)
{
    const uint32_t n = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 0) : CONNECTIONS;

    if (n < 2 * BURST || n > CT_CONNECTIONS_MAX) {
        fprintf(stderr, "usage: ct_scale [CONNECTIONS], %d to %u\n", 2 * BURST, CT_CONNECTIONS_MAX);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0); /* it takes minutes where the machine has other work */
    if (test_eal_init("ct_scale") != 0 || !(pool = test_pool(255)))
        return 1;
    for (unsigned i = 0; i < BURST; i++) {
        packets[i] = rte_pktmbuf_alloc(pool);
        to[i] = &metas[i];
    }
    measure(RTE_ALIGN_CEIL(n, 2 * BURST));
    return held ? 0 : 1;
}
