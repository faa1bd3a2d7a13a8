#include "tests/unit/pmd/tunnel/tunnel_bed.h"

#include <errno.h>

#include "tests/lib/eal.h"

#define POOL_SIZE 2047

struct rte_mempool *pool;
struct program_table *table;
struct tunnel_table *tunnels;
struct tunnel_cache cache;

static struct rcu rcu;

const struct tunnel_option tunnel_options[TUNNEL_N_OPTIONS] = {
    {.class = 0x0102, .type = 0x80, .len = 4, .offset = 0}, {.class = 0xffff, .type = 0x7f, .len = 16, .offset = 64}};

bool tunnel_bed_init(const char *name)
{
    if (test_eal_init(name) != 0)
        return false;
    pool = test_pool(POOL_SIZE);
    table = program_table_create();
    return pool && table;
}

int tunnel_bed_setup(void **state)
{
    rcu_init(&rcu, 1);
    tunnels = tunnel_table_create(&rcu);
    memset(&cache, 0, sizeof cache);
    return tunnels && tunnel_table_set_options(tunnels, tunnel_options, TUNNEL_N_OPTIONS) == 0 ? 0 : -1;
}

int tunnel_bed_teardown(void **state)
{
    rcu_fini(&rcu);
    tunnel_table_destroy(tunnels);
    return rte_mempool_avail_count(pool) == POOL_SIZE ? 0 : -1;
}

struct rte_mbuf *packet_of(const uint8_t *data, uint32_t len)
{
    struct rte_mbuf *m = rte_pktmbuf_alloc(pool);

    memcpy(rte_pktmbuf_append(m, (uint16_t)len), data, len);
    memset(packet_meta(m), 0, sizeof *packet_meta(m));
    return m;
}

struct op_tunnel_push push_of(const struct tunnel_out *out, uint32_t index)
{
    struct op_tunnel_push push;

    assert_true(tunnel_header_write(out, &push));
    push.index = index;
    push.src_first = SRC_PORT;
    push.src_n = 1;
    return push;
}

struct op_tunnel_pop pop_of(const struct tunnel_out *out, bool gpe)
{
    return (struct op_tunnel_pop){.type = (uint8_t)out->type, .gpe = gpe, .udp_port = out->udp_dst};
}

void add_tunnel(const struct tunnel_out *out, uint32_t index)
{
    const struct tunnel_in in = {.type = (uint8_t)out->type,
                                 .payload = TUNNEL_ANY,
                                 .any_key = true,
                                 .any_remote = true,
                                 .any_local = true,
                                 .udp_port = out->udp_dst};
    const int error = tunnel_table_add(tunnels, &in, index);

    assert_true(error == 0 || error == -EEXIST);
}

void run_program(struct rte_mbuf *m, enum program_op_type type, const void *data, size_t len, struct events *events)
{
    static struct program_builder builder;
    struct program *program;

    program_builder_init(&builder);
    program_builder_add(&builder, type, 0, data, len);
    if (type == OP_TUNNEL_PUSH)
        program_builder_add(&builder, OP_OUTPUT, 1, NULL, 0);
    program = program_intern(table, &builder);
    events_init(events, pool);
    program_execute(program, &m, 1, &events->sink);
    if (program_unref(table, program))
        free(program);
}
