/* Packet pools of the tests, and so of the product, carry the metadata. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <rte_lcore.h>

#include "tests/lib/eal.h"

static void pools_carry_the_private_area(void **state)
{
    struct rte_mempool *pool = test_pool(63), *other = test_pool(63);

    assert_non_null(pool);
    assert_non_null(other);
    assert_int_equal(rte_lcore_count(), 4);
    struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
    assert_non_null(m);
    assert_int_equal((uintptr_t)packet_meta(m) % 64, 0);
    assert_true((uint8_t *)(packet_meta(m) + 1) <= (uint8_t *)m->buf_addr);
    rte_pktmbuf_free(m);
    rte_mempool_free(pool);
    rte_mempool_free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pools_carry_the_private_area),
    };

    if (test_eal_init("eal_test") != 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
