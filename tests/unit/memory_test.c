/* What docs/performance.md says of memory, so that it stays true. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "pmd/emc.h"
#include "pmd/megaflow.h"
#include "src/pipeline/pipeline.h"

#define ENTRIES 65536
#define RULES 20000

static void an_emc_entry_takes_4_bytes(void **state)
{
    struct emc emc;

    assert_int_equal(emc_init(&emc, ENTRIES, -1), 0);
    assert_in_range(emc.capacity, ENTRIES, ENTRIES + EMC_WAYS - 1);
    assert_in_range(emc.memory.size, ENTRIES * 4, ENTRIES * 4.3);
    emc_fini(&emc);
}

static void a_megaflow_takes_128_bytes(void **state)
{
    struct megaflow_table table;

    assert_int_equal(megaflow_table_init(&table, ENTRIES), 0);
    assert_int_equal(table.slots_memory.size, (size_t)ENTRIES * 64);
    assert_int_equal(table.memory.size, (size_t)ENTRIES * 64);
    assert_int_equal(sizeof(struct megaflow_counters) + sizeof(struct megaflow_rare), 16);
    megaflow_table_fini(&table);
}

static void a_rule_takes_at_most_400_bytes(void **state)
{
    struct pipeline *pipeline = pipeline_create(NULL);
    struct act_output output = {.h = {.type = ACT_OUTPUT, .len = sizeof output}, .port = 2};
    struct flow_mod fm = {.priority = 100,
                          .out_port = OFPORT_ANY,
                          .out_group = OFGROUP_ANY,
                          .acts = {.acts = &output.h, .len = sizeof output}};

    fm.match.value.in_port = 1;
    fm.match.mask.in_port = UINT32_MAX;
    fm.match.value.pkt.eth_type = RTE_BE16(0x0800);
    fm.match.mask.pkt.eth_type = UINT16_MAX;
    fm.match.mask.pkt.ipv4_dst = UINT32_MAX;
    for (uint32_t i = 0; i < RULES; i++) {
        fm.match.value.pkt.ipv4_dst = rte_cpu_to_be_32(0x0a000000 + i);
        assert_int_equal(pipeline_flow_mod(pipeline, &fm), 0);
    }
    assert_int_equal(pipeline_n_rules(pipeline, TABLE_ALL), RULES);
    assert_true(pipeline_memory(pipeline) / RULES <= 400);
    pipeline_destroy(pipeline);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_emc_entry_takes_4_bytes),
        cmocka_unit_test(a_megaflow_takes_128_bytes),
        cmocka_unit_test(a_rule_takes_at_most_400_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
