/* What is refused of messages other than flow_mods, with which error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "src/match/of_error.h"
#include "src/openflow/codec/msg.h"
#include "tests/lib/packets.h"

#define PORT_MOD13(mask) "0410002800000001 0000000100000000 020000000001 0000 00000000" mask "00000000 00000000"
#define PORT_MOD14(len, property) "051000" len "00000001 0000000100000000 020000000001 0000 00000000 00000000" property
#define GROUP_MOD15(len, buckets, rest) "060f00" len "00000001 0000 00 00 00000001" buckets "0000 ffffffff" rest

static void messages_get_the_right_error(void **state)
{
    static const struct {
        const char *hex;
        int error;
    } cases[] = {
        /* Bits of a port's configuration: OpenFlow 1.3.5, 7.2.1; those that only 1.0 has it ignores. */
        {PORT_MOD13("00000065"), 0},
        {PORT_MOD13("00000010"), OFPERR_PMFC_BAD_CONFIG},
        {PORT_MOD13("80000000"), OFPERR_PMFC_BAD_CONFIG},
        {"010f002000000001 0001 020000000001 0000000a 0000000a 00000000 00000000", 0},
        /* Properties: OpenFlow 1.4.1, 7.5.4.15. */
        {PORT_MOD14("28", "0000000800000000"), 0},
        {PORT_MOD14("28", "0007000800000000"), OFPERR_BPC_BAD_TYPE},
        {PORT_MOD14("30", "ffff000c000023200000000100000000"), OFPERR_BPC_BAD_EXPERIMENTER},
        {PORT_MOD14("28", "0000000400000000"), OFPERR_BPC_BAD_LEN},
        {PORT_MOD14("28", "0000001000000000"), OFPERR_BPC_BAD_LEN},
        {GROUP_MOD15("18", "0000", ""), 0},
        {GROUP_MOD15("20", "0000", "0009000800000000"), OFPERR_BPC_BAD_TYPE},
        {GROUP_MOD15("28", "0000", "ffff0010000023200000000100000000"), OFPERR_BPC_BAD_EXPERIMENTER},
        {GROUP_MOD15("28", "0010", "0010000000000005 0001000800000001"), 0},
        {GROUP_MOD15("28", "0010", "0010000000000005 0009000800000001"), OFPERR_BPC_BAD_TYPE},
        {GROUP_MOD15("28", "0010", "0010000000000005 ffff000800002320"), OFPERR_BPC_BAD_EXPERIMENTER},
        {GROUP_MOD15("28", "0010", "0010000000000005 0001000400000000"), OFPERR_BPC_BAD_LEN},
        {"0521001000000001 00000001 00000000", 0},
        {"0521001800000001 00000001 00000000 0001000800000000", OFPERR_BPC_BAD_TYPE},
        {"0621001800000001 00000001 00000000 0001000800000000", 0},
        {"0621001800000001 00000001 00000000 0007000800000000", OFPERR_BPC_BAD_TYPE},
        {"0621001800000001 00000001 00000000 ffff000800002320", OFPERR_BPC_BAD_EXPERIMENTER},
        {"0621001800000001 00000001 00000000 0001000200000000", OFPERR_BPC_BAD_LEN},
        /* Reasons that there are none of: OpenFlow 1.4.1, 7.5.4.16; before 1.4 nobody looks. */
        {"051c001000000001 000000080000003f", 0},
        {"051c001000000001 0000000800000040", OFPERR_ACFC_INVALID},
        {"051c001000000001 0008000800000001", OFPERR_ACFC_INVALID},
        {"061c001000000001 000f00080000007f", 0},
        {"061c001000000001 000f000800000080", OFPERR_ACFC_INVALID},
        {"041c002000000001 ffffffff ffffffff ffffffff ffffffff ffffffff ffffffff", 0},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t data[256];
        const size_t len = packet_from_hex(cases[i].hex, data);
        struct of_msg msg;
        int error = of_msg_decode(data, len, NULL, &msg);

        if (error != cases[i].error)
            fail_msg("case %zu: %s instead of %s", i, of_error_name(error), of_error_name(cases[i].error));
        if (!error)
            of_msg_free(&msg);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_get_the_right_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
