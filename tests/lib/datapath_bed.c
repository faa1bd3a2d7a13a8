#include "tests/lib/datapath_bed.h"

struct rte_mempool *pool;
struct datapath *dp;
struct fake_port *ports[N_PORTS];
struct program_table *programs;

void start_with(unsigned n_threads, uint32_t emc_entries, uint32_t miss_ring, uint32_t max_sleep_us)
{
    start_with_room(n_threads, n_threads, emc_entries, miss_ring, max_sleep_us);
}

void start_with_room(unsigned n_threads, unsigned max_threads, uint32_t emc_entries, uint32_t miss_ring,
                     uint32_t max_sleep_us)
{
    const unsigned lcores[] = {1, 2, 3};
    const struct datapath_params params = {
        .n_threads = n_threads,
        .max_threads = max_threads,
        .lcores = lcores,
        .emc_entries = emc_entries,
        .megaflow_limit = 1000,
        .mask_limit = 16,
        .max_connections = 1000,
        .miss_ring = miss_ring,
        .max_sleep_us = max_sleep_us,
        .pool = pool,
    };
    char error[200];

    dp = datapath_create(&params, error, sizeof error);
    assert_non_null(dp);
    programs = program_table_create();
    for (unsigned i = 0; i < N_PORTS; i++) {
        ports[i] = fake_port_create(4096);
        assert_int_equal(datapath_port_add(dp, &ports[i]->port), 0);
        assert_int_equal(ports[i]->port.index, i + 1);
    }
    assert_int_equal(datapath_start(dp), 0);
}

void start(void)
{
    start_with(1, 1024, 256, 20);
}

void stop(void)
{
    datapath_destroy(dp);
    for (unsigned i = 0; i < N_PORTS; i++) {
        if (ports[i])
            fake_port_free(ports[i]);
    }
    program_table_destroy(programs);
    assert_int_equal(rte_mempool_in_use_count(pool), 0);
}

struct rte_mbuf *packet_make(uint32_t flow, uint32_t number)
{
    struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
    uint8_t *p;

    assert_non_null(m);
    p = (uint8_t *)rte_pktmbuf_append(m, PACKET_LEN);
    memset(p, 0, PACKET_LEN);
    p[12] = 0x08; /* IPv4 */
    p[14] = 0x45;
    p[17] = PACKET_LEN - 14;
    p[22] = 64;
    p[23] = 17; /* UDP */
    p[26] = (uint8_t)(flow >> 24);
    p[27] = (uint8_t)(flow >> 16);
    p[28] = (uint8_t)(flow >> 8);
    p[29] = (uint8_t)flow;
    p[37] = 53;
    p[39] = PACKET_LEN - 34;
    memcpy(p + 42, &number, sizeof number);
    return m;
}

uint32_t packet_number(const struct rte_mbuf *m)
{
    uint32_t number;

    memcpy(&number, rte_pktmbuf_mtod_offset(m, const uint8_t *, 42), sizeof number);
    return number;
}

void send_packet(unsigned port, struct rte_mbuf *m)
{
    assert_int_equal(rte_ring_sp_enqueue(ports[port - 1]->in, m), 0);
}

bool receive(unsigned port, uint32_t *number)
{
    struct rte_mbuf *m;

    if (rte_ring_sc_dequeue(ports[port - 1]->out, (void **)&m) != 0)
        return false;
    *number = packet_number(m);
    rte_pktmbuf_free(m);
    return true;
}

struct program *program_output(uint32_t port)
{
    struct program_builder builder;

    program_builder_init(&builder);
    program_builder_add(&builder, OP_OUTPUT, port, NULL, 0);
    return program_intern(programs, &builder);
}

struct program *program_drop(enum drop_reason reason)
{
    struct program_builder builder;

    program_builder_init(&builder);
    program_builder_add(&builder, OP_DROP, reason, NULL, 0);
    return program_intern(programs, &builder);
}

struct program *program_two(enum program_op_type a, uint32_t a_arg, enum program_op_type b, uint32_t b_arg)
{
    struct program_builder builder;

    program_builder_init(&builder);
    program_builder_add(&builder, a, a_arg, NULL, 0);
    program_builder_add(&builder, b, b_arg, NULL, 0);
    return program_intern(programs, &builder);
}

void program_gone(struct program *program)
{
    if (program_unref(programs, program))
        datapath_defer(dp, free, program);
}

struct rte_mbuf *next_miss(void)
{
    struct rte_mbuf *m;

    WAIT_FOR(datapath_miss_dequeue(dp, &m, 1) == 1);
    return m;
}

void key_of(struct rte_mbuf *m, struct flow_key *key)
{
    assert_true(flow_key_parse(m, packet_meta(m)->md.in_port, key) >= 1);
    key->recirc_id = packet_meta(m)->md.recirc_id;
}

struct flow_key mask_src(uint32_t src_mask)
{
    struct flow_key mask = {.in_port = UINT32_MAX, .recirc_id = UINT32_MAX, .ipv4_src = rte_cpu_to_be_32(src_mask)};

    mask.eth_type = src_mask != 0 ? UINT16_MAX : 0;
    return mask;
}

struct megaflow *install(uint32_t in_port, uint32_t src, uint32_t src_mask, struct program *program)
{
    struct flow_key mask = mask_src(src_mask);
    struct flow_key key = {
        .in_port = in_port, .eth_type = RTE_BE16(RTE_ETHER_TYPE_IPV4), .ipv4_src = rte_cpu_to_be_32(src)};
    int error = 0;
    struct megaflow *mf = datapath_megaflow_install(dp, &key, &mask, program, &error);

    assert_non_null(mf);
    return mf;
}

uint64_t drops(enum drop_reason reason)
{
    struct drop_counters sum;

    datapath_drops(dp, &sum);
    return sum.packets[reason];
}
