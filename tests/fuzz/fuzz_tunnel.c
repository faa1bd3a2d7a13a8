/* The outer headers of tunnels, on any bytes. Input: type of the listener (1 byte), how to cut the packet into segments
 * (1 byte), the packet. Buffers are exactly as long as their data, so that ASan sees every byte too far. */
#include <stdlib.h>

#include "pmd/action/execute.h"
#include "pmd/tunnel/pop.h"
#include "pmd/tunnel/push.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/segment.h"
#include "tests/lib/eal.h"
#include "tests/lib/packets.h"

#define POOL_SIZE 1023
#define TUNNEL 5000

static struct rte_mempool *pool;
static struct program_table *programs;
static struct rcu rcu;
static struct tunnel_table *tunnels;
static struct tunnel_cache seen; /* of all packets so far */
static struct events events;

/* Of each type one for keys that are even, and one for all others. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const struct tunnel_option options[] = {{.class = 0x0102, .type = 0x80, .len = 4, .offset = 0},
                                                   {.class = 0x0102, .type = 0x01, .len = 4, .offset = 4},
                                                   {.class = 0xffff, .type = 0x7f, .len = 16, .offset = 112}};

    CHECK(test_eal_init("fuzz_tunnel") == 0);
    pool = test_pool(POOL_SIZE);
    programs = program_table_create();
    rcu_init(&rcu, 1);
    tunnels = tunnel_table_create(&rcu);
    CHECK(pool && programs && tunnels);
    CHECK(tunnel_table_set_options(tunnels, options, RTE_DIM(options)) == 0);
    for (uint8_t type = 0; type < TUNNEL_N_TYPES; type++) {
        struct tunnel_in in = {
            .type = type, .payload = TUNNEL_ANY, .any_key = true, .any_remote = true, .any_local = true};

        in.udp_port = tunnel_is_udp(type) ? RTE_BE16(4789) : 0;
        CHECK(tunnel_table_add(tunnels, &in, TUNNEL + type) == 0);
        in.any_key = false;
        for (uint64_t key = 0; key < 4; key++) {
            in.has_key = true;
            in.key = rte_cpu_to_be_64(key);
            CHECK(tunnel_table_add(tunnels, &in, TUNNEL + 100 + type * 4u + (uint32_t)key) == 0);
        }
    }
    return 0;
}

static struct rte_mbuf *packet_of(const uint8_t *data, size_t len, size_t cut)
{
    struct rte_mbuf *m;

    cut = RTE_MIN(cut, len);
    m = segment_new(pool, data, cut == 0 ? len : cut, 0);
    if (cut > 0 && cut < len)
        CHECK(rte_pktmbuf_chain(m, segment_new(pool, data + cut, len - cut, 0)) == 0);
    return m;
}

/* What came out of it is part of the packet, or it is as it was. */
static void check(enum drop_reason reason, struct rte_mbuf *m, size_t len)
{
    rte_mbuf_sanity_check(m, 1);
    if (reason != DROP_N_REASONS && reason != DROP_TUNNEL_ECN) {
        CHECK(m->pkt_len == len && reason < DROP_N_REASONS);
        return;
    }
    CHECK(m->pkt_len >= 14 && m->pkt_len <= len - 14 - 20 - 4 + 14);
    CHECK(packet_meta(m)->md.in_port >= TUNNEL && packet_meta(m)->md.in_port < TUNNEL + 200);
    CHECK(packet_meta(m)->md.tun_lines >= 1 && packet_meta(m)->md.tun_lines <= 3);
}

static bool same_bytes(const struct rte_mbuf *a, const struct rte_mbuf *b)
{
    static uint8_t x[UINT16_MAX], y[UINT16_MAX];

    return a->pkt_len == b->pkt_len &&
           memcmp(rte_pktmbuf_read(a, 0, a->pkt_len, x), rte_pktmbuf_read(b, 0, b->pkt_len, y), a->pkt_len) == 0;
}

/* Headers that are remembered, and packets in segments as an interpreter hands them on, make no difference. */
static void check_same(enum drop_reason a, struct rte_mbuf *m, enum drop_reason b, struct rte_mbuf *n)
{
    const struct packet_meta *x = packet_meta(m), *y = packet_meta(n);

    CHECK(a == b && same_bytes(m, n));
    if (a != DROP_N_REASONS)
        return;
    CHECK(x->md.in_port == y->md.in_port && x->md.tun_lines == y->md.tun_lines);
    CHECK(memcmp(&x->tun, &y->tun, x->md.tun_lines * FLOW_KEY_LINE) == 0);
}

/* As the interpreter hands it on. */
static struct rte_mbuf *through_program(struct rte_mbuf *m, const struct op_tunnel_pop *pop)
{
    static struct program_builder builder;
    struct program *program;

    program_builder_init(&builder);
    program_builder_add(&builder, OP_TUNNEL_POP, 0, pop, sizeof *pop);
    program = program_intern(programs, &builder);
    events_init(&events, pool);
    program_execute(program, &m, 1, &events.sink);
    CHECK(events.n == 1 && events.list[0].type == EVENT_TUNNEL_POP);
    if (program_unref(programs, program))
        free(program);
    return events.list[0].m;
}

/* Headers that a burst takes off by those remembered come off one by one, too, as the packet `a` did. */
static void check_burst(enum drop_reason alone, struct rte_mbuf *a, const struct op_tunnel_pop *pop, struct rte_mbuf *m)
{
    const struct tunnel_recent *recent = tunnel_recent_find(tunnels, &seen, pop, m);
    uint16_t end;

    if (recent && tunnel_recent_fits(recent, pop, &m, 1, &end)) {
        tunnel_recent_take_off(recent, m, end);
        tunnel_recent_write_meta(recent, m);
        check_same(alone, a, DROP_N_REASONS, m);
    }
    rte_pktmbuf_free(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t types[] = {TUNNEL_VXLAN, TUNNEL_GENEVE, TUNNEL_GRE, TUNNEL_ERSPAN,
                                    TUNNEL_GTPU,  TUNNEL_VXLAN,  TUNNEL_SRV6};
    struct tunnel_cache fresh = {0};
    struct op_tunnel_pop pop = {0};
    const struct op_tunnel_push push = {
        .type = TUNNEL_VXLAN, .len = 50, .l3 = 14, .l4 = 34, .own = 42, .src_first = 32768, .src_n = 28232};
    const struct op_tunnel_push labelled = {.type = TUNNEL_SRV6,
                                            .flags = TUNNEL_PUSH_IPV6 | TUNNEL_PUSH_NO_ETH | TUNNEL_PUSH_LABEL_HASH,
                                            .len = 78,
                                            .l3 = 14,
                                            .l4 = 54,
                                            .own = 54};

    if (size < 2)
        return 0;
    pop.type = types[data[0] % RTE_DIM(types)];
    pop.gpe = data[0] % RTE_DIM(types) == 5;
    pop.udp_port = tunnel_is_udp(pop.type) ? RTE_BE16(4789) : 0;
    const size_t len = RTE_MIN(size - 2, (size_t)16384);
    struct rte_mbuf *a = packet_of(data + 2, len, 0), *b = packet_of(data + 2, len, 0),
                    *c = through_program(packet_of(data + 2, len, data[1]), &pop);

    const enum drop_reason alone = tunnel_pop(tunnels, &fresh, &pop, a);
    check(alone, a, len);
    for (unsigned again = 0; again < 2; again++) {
        check_burst(alone, a, &pop, packet_of(data + 2, len, 0));
        if (again == 1) {
            rte_pktmbuf_free(b);
            b = packet_of(data + 2, len, 0);
        }
        check_same(alone, a, tunnel_pop(tunnels, &seen, &pop, b), b);
    }
    check_same(alone, a, tunnel_pop(tunnels, &seen, &pop, c), c);
    if (a->pkt_len >= 14 && rte_pktmbuf_headroom(a) >= push.len)
        tunnel_push(a, &push, 0); /* whose source port depends on what the packet is */
    if (b->data_len >= 14 && rte_pktmbuf_headroom(b) + 14u >= labelled.len)
        tunnel_push(b, &labelled, 14); /* as its flow label does */
    rte_pktmbuf_free(a);
    rte_pktmbuf_free(b);
    rte_pktmbuf_free(c);
    CHECK(rte_mempool_avail_count(pool) == POOL_SIZE);
    return 0;
}
