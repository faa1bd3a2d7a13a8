/* Two threads that track at once, and the control thread beside them: no connection twice, none lost, every number
 * comes back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>

#include "tests/lib/ct_bed.h"
#include "tests/lib/ct_fragments.h"
#include "tests/lib/eal.h"

#define THREADS 2
#define BURST 16
#define TUPLES 512
#define FLOWS 64

static struct rte_mempool *pool;
static struct ct_bed bed;
static uint32_t now;

struct worker {
    unsigned thread;
    unsigned rounds;
    pthread_t id;
    uint64_t seen;
    uint64_t n[CT_N_REASONS]; /* reasons */
    uint64_t invalid;
    uint64_t related, wrong, whole;
    struct rte_mbuf *packets[BURST];
    struct ct_meta metas[BURST], *to[BURST];
    uint8_t reasons[BURST];
};

/* Between bursts the thread holds nothing, and says so. */
static void burst(struct worker *w, const struct ct_request *request, unsigned n)
{
    const uint64_t observed = rcu_observe(bed.rcu);

    memset(w->reasons, 0, n); /* not tracked yet */
    ct_run(bed.ct, w->thread, __atomic_load_n(&now, __ATOMIC_RELAXED), request, w->packets, n, w->to, w->reasons);
    for (unsigned i = 0; i < n; i++) {
        w->n[w->reasons[i]]++;
        w->invalid += (w->metas[i].state & CT_STATE_INV) != 0;
    }
    rcu_publish(bed.rcu, w->thread, observed);
}

static struct ct_spec tuple(unsigned i, bool back)
{
    const struct ct_spec spec = {
        .ipv6 = i & 1, .proto = IPPROTO_UDP, .src = 1, .dst = 2, .sport = (uint16_t)(1 + i), .dport = 7};

    return back ? spec_back(spec) : spec;
}

/* Those that a thread did not make because the other was about to. */
static bool raced[THREADS][TUPLES];

/* Both make the same connections at the same time, one of them the other way round. */
static void *race(void *arg)
{
    const struct ct_request request = {.zone = 1, .commit = true};
    struct worker *w = arg;

    rcu_online(bed.rcu, w->thread, rcu_observe(bed.rcu));
    for (unsigned round = 0; round < w->rounds; round++) {
        for (unsigned i = 0; i < TUPLES; i += BURST) {
            for (unsigned k = 0; k < BURST; k++) {
                const struct ct_spec spec = tuple((i + k) % TUPLES, w->thread);

                spec_to_mbuf(&spec, w->packets[k]);
            }
            burst(w, &request, BURST);
            for (unsigned k = 0; k < BURST; k++)
                raced[w->thread][(i + k) % TUPLES] = w->reasons[k] == CT_REASON_RACE;
        }
    }
    rcu_offline(bed.rcu, w->thread);
    return NULL;
}

/* Each sends one direction of the same TCP connections, as fast as it can. */
static void *talk(void *arg)
{
    const struct ct_request request = {.zone = 2};
    struct worker *w = arg;
    uint32_t seq = 0;

    rcu_online(bed.rcu, w->thread, rcu_observe(bed.rcu));
    for (unsigned round = 0; round < w->rounds; round++, seq++) {
        for (unsigned i = 0; i < FLOWS; i += BURST) {
            for (unsigned k = 0; k < BURST; k++) {
                struct ct_spec spec = {.src = 1,
                                       .dst = 2,
                                       .sport = (uint16_t)(1 + i + k),
                                       .dport = 80,
                                       .flags = ACK,
                                       .window = 60000,
                                       .seq = 1001 + seq,
                                       .len = 1,
                                       .ack = 1001};

                if (w->thread == 1)
                    spec = spec_back(spec);
                spec_to_mbuf(&spec, w->packets[k]);
            }
            burst(w, &request, BURST);
        }
    }
    rcu_offline(bed.rcu, w->thread);
    return NULL;
}

/* Commits, forces, lets time out: any of the tuples, either way. */
static void *churn(void *arg)
{
    struct worker *w = arg;
    unsigned random = w->thread + 1;

    rcu_online(bed.rcu, w->thread, rcu_observe(bed.rcu));
    for (unsigned round = 0; round < w->rounds; round++) {
        const struct ct_request request = {
            .zone = (uint16_t)(round % 3), .commit = round % 2, .force = round % 4 == 3, .mark = 1, .mark_mask = 1};

        for (unsigned k = 0; k < BURST; k++) {
            random = random * 1103515245 + 12345;
            const struct ct_spec spec = tuple((random >> 16) % TUPLES, random >> 28 & 1);

            spec_to_mbuf(&spec, w->packets[k]);
        }
        burst(w, &request, BURST);
    }
    rcu_offline(bed.rcu, w->thread);
    return NULL;
}

#define NAT_PORTS 64
#define NAT_SOURCES 96 /* more than there are ports */

/* Both translate sources of their own to the same few ports. */
static void *translate(void *arg)
{
    const struct ct_nat_request request = {
        .request = {.zone = 1, .commit = true, .nat = CT_NAT | CT_NAT_SRC | CT_NAT_PORTS},
        .nat = {.min_address = {10, 0, 0, 9}, .max_address = {10, 0, 0, 9}, .min_port = 1, .max_port = NAT_PORTS}};
    struct worker *w = arg;

    rcu_online(bed.rcu, w->thread, rcu_observe(bed.rcu));
    for (unsigned round = 0; round < w->rounds; round++) {
        for (unsigned i = 0; i < NAT_SOURCES; i += BURST) {
            for (unsigned k = 0; k < BURST; k++) {
                const struct ct_spec spec = {.proto = IPPROTO_UDP,
                                             .src = 1 + w->thread,
                                             .dst = 3,
                                             .sport = (uint16_t)(1000 + i + k),
                                             .dport = 7};

                spec_to_mbuf(&spec, w->packets[k]);
            }
            burst(w, &request.request, BURST);
        }
    }
    rcu_offline(bed.rcu, w->thread);
    return NULL;
}

/* --- FTP: one thread announces connections, the other one makes them ----- */

#define DATA_PORT 10000
#define ANNOUNCED 2048 /* ports from there on; as many behind them never are */

static struct ct_spec control_packet(unsigned flow, uint8_t flags)
{
    return (struct ct_spec){.src = 1,
                            .dst = 2,
                            .sport = (uint16_t)(3000 + flow),
                            .dport = 21,
                            .flags = flags,
                            .window = 60000,
                            .seq = 1000,
                            .ack = flags & ACK ? 1001 : 0};
}

/* What the first round announces is, before anybody connects there. */
static bool announced;

static void *announce(void *arg)
{
    const struct ct_request request = {.commit = true, .helper = CT_HELPER_FTP};
    struct worker *w = arg;
    uint32_t sent[FLOWS] = {0};

    rcu_online(bed.rcu, w->thread, rcu_observe(bed.rcu));
    for (unsigned round = 0; round < w->rounds; round++) {
        for (unsigned i = 0; i < FLOWS; i += BURST) {
            for (unsigned k = 0; k < BURST; k++) {
                const unsigned port = DATA_PORT + (round * FLOWS + i + k) % ANNOUNCED;
                struct ct_spec spec = control_packet(i + k, ACK | PSH);
                char text[40];

                spec.seq = 1001 + sent[i + k];
                spec.len = (uint32_t)snprintf(text, sizeof text, "PORT 10,0,0,1,%u,%u\r\n", port >> 8, port & 255);
                spec.text = text;
                sent[i + k] += spec.len;
                spec_to_mbuf(&spec, w->packets[k]);
            }
            burst(w, &request, BURST);
        }
        __atomic_store_n(&announced, true, __ATOMIC_RELEASE);
    }
    rcu_offline(bed.rcu, w->thread);
    return NULL;
}

static void *connect_back(void *arg)
{
    const struct ct_request request = {.commit = true};
    unsigned random = 1, ports[BURST];
    struct worker *w = arg;

    while (!__atomic_load_n(&announced, __ATOMIC_ACQUIRE))
        sched_yield();
    rcu_online(bed.rcu, w->thread, rcu_observe(bed.rcu));
    for (unsigned round = 0; round < w->rounds * FLOWS / BURST; round++) {
        for (unsigned k = 0; k < BURST; k++) {
            random = random * 1103515245 + 12345;
            ports[k] = (random >> 12) % (2 * ANNOUNCED);
            const struct ct_spec spec = {.src = 2,
                                         .dst = 1,
                                         .sport = 20,
                                         .dport = (uint16_t)(DATA_PORT + ports[k]),
                                         .flags = SYN,
                                         .window = 60000,
                                         .seq = 1};

            spec_to_mbuf(&spec, w->packets[k]);
        }
        burst(w, &request, BURST);
        for (unsigned k = 0; k < BURST; k++) {
            w->related += (w->metas[k].state & CT_STATE_REL) != 0;
            w->wrong += w->metas[k].state & CT_STATE_REL && ports[k] >= ANNOUNCED;
        }
    }
    rcu_offline(bed.rcu, w->thread);
    return NULL;
}

static void *ftp(void *arg)
{
    return ((struct worker *)arg)->thread == 0 ? announce(arg) : connect_back(arg);
}

/* --- fragments: of the same connections on both threads ------------------ */

#define PARTS 3
#define HELD_MOST 64

static uint64_t free_ended(unsigned thread)
{
    enum ct_fragment_end end;
    struct rte_mbuf *m;
    uint64_t n = 0;

    for (; (m = ct_fragment_ended(bed.ct, thread, now, &end)); n++)
        rte_pktmbuf_free(m);
    return n;
}

/* Of eight datagrams one lacks its last fragment. */
static void datagram(struct worker *w, uint32_t id)
{
    static const struct part parts[PARTS] = {{0, 456}, {456, 456}, {912, 496}};
    const struct ct_request request = {.commit = true};
    const struct ct_spec spec = {.ipv6 = id & 1,
                                 .proto = IPPROTO_UDP,
                                 .src = 1,
                                 .dst = 2,
                                 .sport = (uint16_t)(1 + id % FLOWS),
                                 .dport = 7,
                                 .len = 1400};
    const unsigned n = id % 8 == 0 ? PARTS - 1 : PARTS;
    uint8_t reason = 0, each;
    struct rte_mbuf *m = NULL, *part;

    spec_to_mbuf(&spec, w->packets[0]);
    for (unsigned i = 0; i < n; i++) {
        struct ct_meta *meta;

        m = cut(pool, w->packets[0], spec.ipv6, parts[i], w->thread << 24 | id, i < PARTS - 1);
        meta = &packet_meta(m)->ct;
        reason = 0;
        ct_run(bed.ct, w->thread, now, &request, &m, 1, &meta, &reason);
        w->wrong += reason != (i < PARTS - 1 ? CT_HELD : CT_WHOLE);
    }
    unsigned came = 0;
    while (reason == CT_WHOLE && (part = ct_fragment_next(bed.ct, w->thread, m, &each))) {
        /* The other thread may be making the same connection. */
        w->wrong += (each != CT_REASON_NONE && each != CT_REASON_RACE) || packet_meta(part)->ct.state & CT_STATE_INV;
        rte_pktmbuf_free(part);
        came++;
    }
    w->wrong += reason == CT_WHOLE && came != PARTS;
    w->whole += reason == CT_WHOLE;
}

static void *fragmented(void *arg)
{
    struct worker *w = arg;

    rcu_online(bed.rcu, w->thread, rcu_observe(bed.rcu));
    for (uint32_t round = 0; round < w->rounds; round++) {
        const uint64_t observed = rcu_observe(bed.rcu);

        datagram(w, round);
        w->related += free_ended(w->thread); /* those that made way */
        rcu_publish(bed.rcu, w->thread, observed);
    }
    rcu_offline(bed.rcu, w->thread);
    return NULL;
}

static void run(void *(*work)(void *), struct worker workers[THREADS], unsigned rounds, bool time_passes)
{
    uint32_t flush = 0;

    for (unsigned t = 0; t < THREADS; t++) {
        struct worker *w = &workers[t];

        memset(w, 0, sizeof *w);
        w->thread = t;
        w->rounds = rounds;
        for (unsigned i = 0; i < BURST; i++) {
            w->packets[i] = rte_pktmbuf_alloc(pool);
            w->to[i] = &w->metas[i];
        }
        assert_int_equal(pthread_create(&w->id, NULL, work, w), 0);
    }
    for (unsigned t = 0; t < THREADS; t++) {
        while (pthread_tryjoin_np(workers[t].id, NULL) != 0) {
            ct_work(bed.ct, now, 50);
            if (time_passes && ++flush % 64 == 0)
                ct_flush_zone(bed.ct, (uint16_t)(flush / 64 % 3));
            if (time_passes)
                __atomic_store_n(&now, now + (flush % 8 == 0), __ATOMIC_RELAXED);
        }
    }
    for (unsigned t = 0; t < THREADS; t++)
        rte_pktmbuf_free_bulk(workers[t].packets, BURST);
    while (ct_work(bed.ct, now, 1000))
        ;
}

static uint8_t seen[3][TUPLES];

/* Every connection is there once, under either of its tuples. */
static unsigned count_distinct(void)
{
    struct ct_info info;
    uint32_t cursor = 0;
    unsigned n = 0;

    memset(seen, 0, sizeof seen);
    while (ct_next(bed.ct, now, &cursor, UINT32_MAX, &info)) {
        const uint16_t port = rte_be_to_cpu_16(info.orig.sport) == 7 ? rte_be_to_cpu_16(info.orig.dport)
                                                                     : rte_be_to_cpu_16(info.orig.sport);

        assert_in_range(port, 1, TUPLES);
        assert_int_equal(seen[info.zone][port - 1], 0);
        seen[info.zone][port - 1] = 1;
        n++;
    }
    return n;
}

static int setup(void **state)
{
    bed = ct_bed_new(pool, 4000, THREADS);
    now = 1000;
    return bed.ct ? 0 : -1;
}

static int teardown(void **state)
{
    ct_bed_free(&bed);
    return 0;
}

static void no_connection_twice(void **state)
{
    struct worker workers[THREADS];

    for (unsigned i = 0; i < 40; i++) {
        run(race, workers, 1, false);
        const unsigned n = count_distinct();

        assert_int_equal(ct_count(bed.ct), n);
        assert_int_equal(ct_zone_count(bed.ct, 1), n);
        /* A thread that loses its processor while it gives way may have the other give way, too: the next packet makes
         * the connection then. Nothing else is missing. */
        for (unsigned t = 0; t < TUPLES; t++)
            assert_true(seen[1][t] || (raced[0][t] && raced[1][t]));
        assert_true(n > TUPLES * 9 / 10);
        assert_int_equal(workers[0].n[CT_REASON_TABLE_FULL] + workers[1].n[CT_REASON_TABLE_FULL], 0);
        ct_flush_zone(bed.ct, 1);
        while (ct_work(bed.ct, now, 1000))
            ;
        assert_int_equal(ct_count(bed.ct), 0);
    }
}

static void no_translation_twice(void **state)
{
    struct worker workers[THREADS];

    for (unsigned i = 0; i < 40; i++) {
        bool seen[NAT_PORTS + 1] = {false};
        struct ct_info info;
        uint32_t cursor = 0;

        run(translate, workers, 3, false);
        while (ct_next(bed.ct, now, &cursor, UINT32_MAX, &info)) {
            const uint16_t port = rte_be_to_cpu_16(info.reply.dport);

            assert_int_equal(info.reply.dst[3], 9);
            assert_in_range(port, 1, NAT_PORTS);
            assert_false(seen[port]);
            seen[port] = true;
        }
        assert_int_equal(ct_count(bed.ct), NAT_PORTS);
        assert_true(workers[0].n[CT_REASON_NAT_EXHAUSTED] + workers[1].n[CT_REASON_NAT_EXHAUSTED] >=
                    3 * (2 * NAT_SOURCES - NAT_PORTS));
        ct_flush_zone(bed.ct, 1);
        while (ct_work(bed.ct, now, 1000))
            ;
    }
}

static void both_directions_at_once(void **state)
{
    struct worker workers[THREADS];

    for (unsigned i = 0; i < FLOWS; i++) {
        struct ct_spec spec = {
            .src = 1, .dst = 2, .sport = (uint16_t)(1 + i), .dport = 80, .flags = SYN, .window = 60000, .seq = 1000};

        ct_bed_commit(&bed, 2, spec);
        spec.flags = SYN | ACK;
        spec.ack = 1001;
        assert_int_equal(ct_bed_look(&bed, 2, spec_back(spec)), CT_STATE_TRK | CT_STATE_EST | CT_STATE_RPL);
    }
    /* Neither side acknowledges more than the SYN: all that is sent has to fit the window. */
    run(talk, workers, 10000, false);
    assert_int_equal(workers[0].invalid + workers[1].invalid, 0);
    /* And nothing of it was lost: what comes next has to be next. */
    struct ct_spec spec = {
        .src = 1, .dst = 2, .sport = 1, .dport = 80, .flags = RST, .window = 1, .seq = 1001 + 10000, .ack = 1001};
    assert_int_equal(ct_bed_look(&bed, 2, spec), CT_STATE_TRK | CT_STATE_EST);
}

static void announced_connections_alone_are_related(void **state)
{
    struct worker workers[THREADS];
    struct ct_stats stats;

    for (unsigned i = 0; i < FLOWS; i++) {
        const struct ct_request request = {.commit = true, .helper = CT_HELPER_FTP};
        const struct ct_spec syn = control_packet(i, SYN);
        struct ct_spec answer = spec_back(control_packet(i, SYN | ACK));

        ct_bed_request(&bed, &request, &syn);
        assert_int_equal(ct_bed_look(&bed, 0, answer), CT_STATE_TRK | CT_STATE_EST | CT_STATE_RPL);
    }
    announced = false;
    run(ftp, workers, 1000, false);
    assert_int_equal(workers[1].wrong, 0);
    assert_true(workers[1].related > 0);
    ct_flush_all(bed.ct);
    while (ct_work(bed.ct, now, 1000))
        ;
    ct_stats(bed.ct, &stats);
    assert_int_equal(stats.created, stats.removed);
    assert_int_equal(ct_count(bed.ct), 0);
}

static void fragments_of_both_threads_come_back(void **state)
{
    const unsigned in_use = rte_mempool_in_use_count(pool);
    struct worker workers[THREADS];
    enum { ROUNDS = 8000 };
    uint64_t ended = 0;

    for (unsigned v = 0; v < 2; v++)
        ct_set_fragment_min(bed.ct, v, CT_FRAGMENT_MIN_LEAST);
    ct_set_fragments_max(bed.ct, HELD_MOST);
    run(fragmented, workers, ROUNDS, false);
    for (unsigned t = 0; t < THREADS; t++) {
        assert_int_equal(workers[t].wrong, 0);
        assert_int_equal(workers[t].whole, ROUNDS - ROUNDS / 8);
        ended += workers[t].related;
    }
    now += 60;
    for (unsigned t = 0; t < THREADS; t++)
        ended += free_ended(t);
    assert_int_equal(ended, THREADS * ROUNDS / 8 * (PARTS - 1));
    assert_int_equal(rte_mempool_in_use_count(pool), in_use);
    assert_int_equal(ct_count(bed.ct), FLOWS - FLOWS / 8); /* of the others no datagram was whole */
}

static void everything_comes_back(void **state)
{
    struct worker workers[THREADS];
    struct ct_stats stats;

    run(churn, workers, 20000, true);
    assert_int_equal(count_distinct(), ct_count(bed.ct));
    ct_flush_all(bed.ct);
    while (ct_work(bed.ct, now, 1000))
        ;
    assert_int_equal(ct_count(bed.ct), 0);
    for (uint16_t zone = 0; zone < 3; zone++)
        assert_int_equal(ct_zone_count(bed.ct, zone), 0);
    ct_stats(bed.ct, &stats);
    assert_int_equal(stats.created, stats.removed);
    assert_true(stats.created > 1000);
    /* All numbers and entries are free: the table can be filled again and again. */
    for (unsigned round = 0; round < 30; round++) {
        for (uint16_t i = 0; i < 4000; i++) {
            ct_bed_commit(&bed, 0,
                          (struct ct_spec){.proto = IPPROTO_UDP, .ipv6 = i & 1, .src = 1, .dst = 2, .sport = i});
            assert_int_equal(bed.reason, CT_REASON_NONE);
        }
        ct_flush_zone(bed.ct, 0);
        ct_bed_work(&bed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(no_connection_twice, setup, teardown),
        cmocka_unit_test_setup_teardown(no_translation_twice, setup, teardown),
        cmocka_unit_test_setup_teardown(both_directions_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(announced_connections_alone_are_related, setup, teardown),
        cmocka_unit_test_setup_teardown(fragments_of_both_threads_come_back, setup, teardown),
        cmocka_unit_test_setup_teardown(everything_comes_back, setup, teardown)};

    if (test_eal_init("ct_threads") != 0 || !(pool = test_pool(255)))
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
