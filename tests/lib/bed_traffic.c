#include "tests/lib/bed_traffic.h"

struct rte_mempool *pool;
struct bed bed;

int bed_setup(void **state)
{
    bed_create(&bed, pool, &(struct bed_params){.start = true});
    return 0;
}

int bed_teardown(void **state)
{
    bed_destroy(&bed);
    return 0;
}

struct rte_mbuf *bed_udp(void)
{
    struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
    uint8_t *p = rte_pktmbuf_mtod(m, uint8_t *);

    m->data_len = m->pkt_len = 60;
    memset(p, 0, 60);
    p[0] = p[6] = 2;
    p[12] = 0x08;
    p[14] = 0x45;
    p[17] = 46;
    p[22] = 64;
    p[23] = 17;
    p[26] = 10;
    p[34] = 1;
    p[39] = 26;
    memset(packet_meta(m), 0, sizeof *packet_meta(m));
    return m;
}

void send_to(uint32_t port, struct rte_mbuf *m)
{
    while (rte_ring_sp_enqueue(bed.fake[port]->in, m) != 0)
        bed_turn(&bed);
}

struct rte_mbuf *receive(uint32_t port, unsigned wait_ms)
{
    uint64_t end = clock_now_ms() + wait_ms;
    struct rte_mbuf *m;

    do {
        bed_turn(&bed);
        if (rte_ring_sc_dequeue(bed.fake[port]->out, (void **)&m) == 0)
            return m;
        usleep(20);
    } while (clock_now_ms() < end);
    return NULL;
}

void expect_out(uint32_t port)
{
    struct rte_mbuf *m = receive(port, 20000);

    assert_non_null(m);
    rte_pktmbuf_free(m);
}

void expect_nothing(uint32_t port)
{
    assert_null(receive(port, 20));
}

struct rte_mbuf *bed_udp_of(uint8_t src, uint8_t dst, uint32_t ip_dst, uint16_t port)
{
    struct rte_mbuf *m = bed_udp();
    uint8_t *p = rte_pktmbuf_mtod(m, uint8_t *);

    p[5] = dst;
    p[11] = p[29] = src;
    for (int i = 0; i < 4; i++)
        p[30 + i] = (uint8_t)(ip_dst >> (24 - 8 * i));
    p[36] = (uint8_t)(port >> 8);
    p[37] = (uint8_t)port;
    return m;
}

void expect_way(uint32_t from, uint16_t tp_dst, uint32_t to)
{
    send_to(from, bed_udp_of(1, 2, 0x0a000002, tp_dst));
    expect_out(to);
}

void expect_way_of(uint32_t from, uint8_t dst, uint16_t tp_dst, uint32_t to)
{
    send_to(from, bed_udp_of(1, dst, 0x0a000002, tp_dst));
    expect_out(to);
}

void expect_ways(uint32_t from, uint8_t dst, unsigned first, unsigned n, uint32_t to)
{
    for (unsigned sent = 0, some; sent < n; sent += some) {
        some = RTE_MIN(n - sent, 32u);
        for (unsigned i = 0; i < some; i++)
            send_to(from, bed_udp_of(1, dst, 0x0a000002, (uint16_t)(first + sent + i)));
        for (unsigned i = 0; i < some; i++)
            expect_out(to);
    }
}

struct flows_stats bed_flows_stats(void)
{
    struct flows_stats s;

    flows_get_stats(bed.flows, &s);
    return s;
}
