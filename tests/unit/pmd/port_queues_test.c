/* Queues of a port: packets are counted by theirs, and kept to its limit; another set of queues goes on counting. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <rte_common.h>
#include <stdlib.h>

#include "pmd/port_queues.h"
#include "pmd/queue.h"
#include "tests/lib/eal.h"

#define HZ UINT64_C(1000000000)

static struct rte_mbuf all[64];

/* Sends packets of these queues at `now`; returns how many go on. */
static unsigned run(struct port_queues *queues, const uint32_t *of, unsigned n, uint64_t now)
{
    struct rte_mbuf *packets[64];

    for (unsigned i = 0; i < n; i++) {
        all[i] = (struct rte_mbuf){.pkt_len = 100, .data_len = (uint16_t)i};
        packet_queue_set(&all[i], of[i]);
        packets[i] = &all[i];
    }
    unsigned kept = port_queues_run(queues, 0, now, packets, n);
    for (unsigned i = 1; i < n; i++)
        assert_true(i == kept || packets[i]->data_len > packets[i - 1]->data_len);
    return kept;
}

static void expect(const struct port_queues *queues, unsigned i, uint64_t packets, uint64_t dropped)
{
    struct port_queue_counts counts;

    port_queues_sum(queues, i, &counts);
    assert_int_equal(counts.packets, packets);
    assert_int_equal(counts.bytes, 100 * packets);
    assert_int_equal(counts.dropped, dropped);
}

static void packets_are_counted_by_queue(void **state)
{
    const struct port_queue_config configs[] = {{.id = 0}, {.id = 3}, {.id = 70000}};
    const uint32_t of[] = {0, 3, 3, 70000, 5, 0, UINT32_MAX};
    struct port_queues *queues = port_queues_create(configs, 3, 2, NULL, HZ, 0), *after;

    assert_int_equal(run(queues, of, RTE_DIM(of), 1), RTE_DIM(of));
    expect(queues, 0, 4, 0); /* those of no queue of its own, too */
    expect(queues, 1, 2, 0);
    expect(queues, 2, 1, 0);
    /* One goes, one comes. */
    const struct port_queue_config others[] = {{.id = 0}, {.id = 3}, {.id = 5}};
    after = port_queues_create(others, 3, 2, queues, HZ, 7);
    port_queues_free(queues);
    assert_int_equal(run(after, of, RTE_DIM(of), 8), RTE_DIM(of));
    expect(after, 0, 4 + 4, 0);
    expect(after, 1, 4, 0);
    expect(after, 2, 1, 0);
    assert_int_equal(port_queues_since(after, 1), 0);
    assert_int_equal(port_queues_since(after, 2), 7);
    port_queues_free(after);
}

static void limits_are_of_a_queue(void **state)
{
    const struct port_queue_config configs[] = {{.id = 0}, {.id = 1, .limit = {.packets = 1000, .burst_packets = 6}}};
    const uint32_t of[] = {1, 1, 0, 1, 1, 1, 1, 0, 1, 1, 0};
    struct port_queues *queues = port_queues_create(configs, 2, 1, NULL, HZ, 0);

    assert_int_equal(run(queues, of, RTE_DIM(of), 0), 9);
    expect(queues, 0, 3, 0);
    expect(queues, 1, 6, 2);
    /* 2.5 ms later there is room for two or three. */
    assert_in_range(run(queues, of, 2, HZ / 400), 2, 2);
    port_queues_free(queues);
}

static void a_queue_goes_with_the_packet(void **state)
{
    struct rte_mempool *pool = test_pool(63);
    struct rte_mbuf *m = rte_pktmbuf_alloc(pool), *clone, *copy;

    rte_pktmbuf_append(m, 60);
    assert_int_equal(packet_queue(m), 0);
    m->hash.rss = 77; /* as drivers leave it */
    assert_int_equal(packet_queue(m), 0);
    packet_queue_set(m, 5);
    clone = rte_pktmbuf_clone(m, pool);
    copy = rte_pktmbuf_copy(m, pool, 0, UINT32_MAX);
    assert_int_equal(packet_queue(clone), 5);
    assert_int_equal(packet_queue(copy), 5);
    packet_queue_set(m, 0);
    assert_int_equal(packet_queue(m), 0);
    assert_int_equal(packet_queue(clone), 5);
    rte_pktmbuf_free(clone);
    rte_pktmbuf_free(copy);
    rte_pktmbuf_free(m);
    /* Whoever gets the mbuf next. */
    m = rte_pktmbuf_alloc(pool);
    assert_int_equal(packet_queue(m), 0);
    rte_pktmbuf_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packets_are_counted_by_queue),
        cmocka_unit_test(limits_are_of_a_queue),
        cmocka_unit_test(a_queue_goes_with_the_packet),
    };

    if (test_eal_init("port_queues_test") != 0)
        return 77;
    assert_int_equal(packet_queue_init(), 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
