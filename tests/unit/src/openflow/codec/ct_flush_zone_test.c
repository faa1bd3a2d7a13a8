/* NXT_CT_FLUSH_ZONE: its bytes, there and back, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "src/match/of_error.h"
#include "src/openflow/codec/msg.h"

static const uint8_t version13[] = {
    4, 4, 0,    24,   0, 0, 0, 7,  /* header: OpenFlow 1.3, an experimenter's, 24 bytes, xid 7 */
    0, 0, 0x23, 0x20, 0, 0, 0, 29, /* Nicira, NXT_CT_FLUSH_ZONE */
    0, 0, 0,    0,    0, 0, 0, 9,  /* the zone */
};

static void a_zone_survives_the_wire(void **state)
{
    struct of_msg msg = {.type = OF_CT_FLUSH_ZONE, .version = 4, .xid = 7, .u32 = 9}, back;
    struct of_buf buf = {NULL, 0, 0};

    of_msg_encode(&msg, &buf);
    assert_int_equal(buf.len, sizeof version13);
    assert_memory_equal(buf.data, version13, sizeof version13);
    assert_int_equal(of_msg_decode(buf.data, buf.len, NULL, &back), 0);
    assert_int_equal(back.type, OF_CT_FLUSH_ZONE);
    assert_int_equal(back.u32, 9);
    of_buf_free(&buf);
}

static void zeros_are_zeros(void **state)
{
    uint8_t bytes[sizeof version13];
    struct of_msg back;

    memcpy(bytes, version13, sizeof bytes);
    bytes[21] = 1;
    assert_int_equal(of_msg_decode(bytes, sizeof bytes, NULL, &back), OFPERR_NXBRC_MUST_BE_ZERO);
}

static void a_short_one_is_refused(void **state)
{
    uint8_t bytes[16];
    struct of_msg back;

    memcpy(bytes, version13, sizeof bytes);
    bytes[3] = sizeof bytes;
    assert_int_equal(of_msg_decode(bytes, sizeof bytes, NULL, &back), OFPERR_BRC_BAD_LEN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_zone_survives_the_wire),
        cmocka_unit_test(zeros_are_zeros),
        cmocka_unit_test(a_short_one_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
