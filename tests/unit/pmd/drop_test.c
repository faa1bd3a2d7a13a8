/* The table of drop reasons. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "pmd/drop.h"

static void every_reason_has_a_distinct_name_and_a_doc(void **state)
{
    for (int i = 0; i < DROP_N_REASONS; i++) {
        assert_true(strlen(drop_reason_doc(i)) > 10);
        assert_string_not_equal(drop_reason_name(i), "unknown");
        for (int j = 0; j < i; j++)
            assert_string_not_equal(drop_reason_name(i), drop_reason_name(j));
    }
    assert_string_equal(drop_reason_name(DROP_N_REASONS), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_reason_has_a_distinct_name_and_a_doc),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
