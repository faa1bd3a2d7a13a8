/* NXT_CT_FLUSH_ZONE and NXT_CT_FLUSH: their bytes, there and back, and what is refused. */
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

/* As ovs-ofctl ct-flush br0 zone=5 "ct_nw_src=10.1.1.1,ct_nw_proto=17,ct_tp_dst=2" sends it. */
static const uint8_t flush13[] = {
    4,
    4,
    0,
    80,
    0,
    0,
    0,
    7, /* header */
    0,
    0,
    0x23,
    0x20,
    0,
    0,
    0,
    32, /* Nicira, NXT_CT_FLUSH */
    17,
    0,
    0,
    0,
    0,
    0,
    0,
    0, /* UDP */
    0,
    0,
    0,
    40,
    0,
    0,
    0,
    0, /* the original tuple */
    0,
    0,
    0,
    20,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0xff,
    0xff,
    10,
    1,
    1,
    1,
    0,
    0,
    0,
    0, /* source */
    0,
    3,
    0,
    6,
    0,
    2,
    0,
    0, /* destination port */
    0,
    2,
    0,
    6,
    0,
    5,
    0,
    0, /* zone */
    /* and a mark */
    0,
    3,
    0,
    8,
    0,
    0,
    0,
    9,
};

static void a_tuple_is_read(void **state)
{
    struct of_msg msg;

    assert_int_equal(of_msg_decode(flush13, sizeof flush13, NULL, &msg), 0);
    assert_int_equal(msg.type, OF_CT_FLUSH);
    assert_int_equal(msg.ct_flush.proto, 17);
    assert_int_equal(msg.ct_flush.ip_version, 4);
    assert_memory_equal(msg.ct_flush.orig.src, "\x0a\x01\x01\x01", 4);
    assert_int_equal(msg.ct_flush.orig.sport, 0);
    assert_int_equal(msg.ct_flush.orig.dport, RTE_BE16(2));
    assert_true(msg.ct_flush.in_zone);
    assert_int_equal(msg.ct_flush.zone, 5);
    assert_int_equal(msg.ct_flush.mark, 9);
    assert_int_equal(msg.ct_flush.mark_mask, UINT32_MAX);
}

static void flushes_survive_the_wire(void **state)
{
    struct of_msg back;
    struct ct_match matches[3];

    memset(matches, 0, sizeof matches);
    matches[1] = (struct ct_match){.ip_version = 6,
                                   .proto = 58,
                                   .in_zone = true,
                                   .zone = 7,
                                   .reply = {.src = {0xfd, [15] = 1}, .sport = RTE_BE16(77), .icmp_type = 129}};
    matches[2] = (struct ct_match){.ip_version = 4,
                                   .proto = 6,
                                   .orig = {.src = {1, 2, 3, 4}, .dst = {5, 6, 7, 8}, .sport = 1, .dport = 2},
                                   .reply = {.dport = 3},
                                   .mark = 5,
                                   .mark_mask = 0xff,
                                   .label = {[15] = 1},
                                   .label_mask = {[15] = 3}};
    for (unsigned i = 0; i < 3; i++) {
        struct of_msg msg = {.type = OF_CT_FLUSH, .version = 4, .xid = 7, .ct_flush = matches[i]};
        struct of_buf buf = {NULL, 0, 0};

        of_msg_encode(&msg, &buf);
        assert_int_equal(of_msg_decode(buf.data, buf.len, NULL, &back), 0);
        assert_memory_equal(&back.ct_flush, &matches[i], sizeof matches[i]);
        of_buf_free(&buf);
    }
}

/* Every byte of the message changed: an error or another flush, and nothing is read behind it. */
static void bad_flushes_are_refused(void **state)
{
    struct of_msg msg;
    uint8_t *bytes = malloc(sizeof flush13);

    for (size_t i = 8; i < sizeof flush13; i++) {
        memcpy(bytes, flush13, sizeof flush13);
        bytes[i] ^= 0xff;
        if (of_msg_decode(bytes, sizeof flush13, NULL, &msg) == 0)
            of_msg_free(&msg);
    }
    memcpy(bytes, flush13, sizeof flush13);
    bytes[17] = 1;
    assert_int_equal(of_msg_decode(bytes, sizeof flush13, NULL, &msg), OFPERR_NXBRC_MUST_BE_ZERO);
    bytes[17] = 0;
    bytes[27] = 200;
    assert_int_equal(of_msg_decode(bytes, sizeof flush13, NULL, &msg), OFPERR_BPC_BAD_LEN);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_zone_survives_the_wire), cmocka_unit_test(zeros_are_zeros),
        cmocka_unit_test(a_short_one_is_refused),   cmocka_unit_test(a_tuple_is_read),
        cmocka_unit_test(flushes_survive_the_wire), cmocka_unit_test(bad_flushes_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
