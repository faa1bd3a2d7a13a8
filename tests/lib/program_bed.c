#include "tests/lib/program_bed.h"

#include "tests/lib/eal.h"

struct rte_mempool *pool;
struct program_table *table;
struct program_builder builder;
struct events events;

static unsigned size;

bool program_bed_init(const char *name, unsigned n_mbufs)
{
    if (test_eal_init(name) != 0)
        return false;
    size = n_mbufs;
    pool = test_pool(n_mbufs);
    table = program_table_create();
    return pool && table;
}

int program_bed_setup(void **state)
{
    program_builder_init(&builder);
    events_init(&events, pool);
    return 0;
}

int program_bed_teardown(void **state)
{
    events_clear(&events);
    return rte_mempool_avail_count(pool) == size ? 0 : -1;
}

void run(struct rte_mbuf *m)
{
    struct program *program = program_intern(table, &builder);

    assert_false(builder.overflow);
    program_execute(program, &m, 1, &events.sink);
    if (program_unref(table, program))
        free(program);
}
