/* flow_mods of every version to and from the model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "src/openflow/codec/msg.h"
#include "src/match/field.h"
#include "tests/lib/flow_text.h"

static size_t from_hex(const char *hex, uint8_t *bytes)
{
    size_t n = 0;
    unsigned x;

    for (; sscanf(hex, "%2x", &x) == 1; hex += 2)
        bytes[n++] = (uint8_t)x;
    return n;
}

static void check_texts(const struct flow_mod *fm, const char *match, const char *actions)
{
    char *text = match_format(&fm->match, NULL, NULL);

    assert_string_equal(text, match);
    free(text);
    text = act_list_format(&fm->acts, NULL, NULL);
    assert_string_equal(text, actions);
    free(text);
}

/* Decodes, compares with what ovs-ofctl prints; writes it back and decodes that. */
static void check_line(char *line)
{
    static uint8_t bytes[4096];
    static struct of_msg msg, again;
    const struct of_decode_options options = {.flow_mod_table_id = true};
    char *version = strsep(&line, "\t"), *match = strsep(&line, "\t"), *actions = strsep(&line, "\t");
    size_t n = from_hex(line, bytes);
    struct of_buf buf = {NULL, 0, 0};
    int error = of_msg_decode(bytes, n, &options, &msg);

    if (error)
        fail_msg("%s %s: %s", match, actions, of_error_name(error));
    assert_int_equal(msg.version, atoi(version));
    assert_int_equal(msg.type, OF_FLOW_MOD);
    assert_int_equal(msg.flow_mod.command, FLOW_ADD);
    check_texts(&msg.flow_mod, match, actions);

    of_msg_encode(&msg, &buf);
    error = of_msg_decode(buf.data, buf.len, &options, &again);
    if (error)
        fail_msg("again, %s %s: %s", match, actions, of_error_name(error));
    check_texts(&again.flow_mod, match, actions);
    assert_true(act_lists_equal(&msg.flow_mod.acts, &again.flow_mod.acts));
    assert_int_equal(msg.flow_mod.priority, again.flow_mod.priority);
    assert_int_equal(msg.flow_mod.table_id, again.flow_mod.table_id);
    of_msg_free(&msg);
    of_msg_free(&again);
    of_buf_free(&buf);
}

static void flow_mods_of_ovs_ofctl_are_understood(void **state)
{
    FILE *file = fopen(SOURCE_TOP "/tests/unit/src/openflow/codec/of_flow_mods.txt", "r");
    static char line[8192];
    unsigned n = 0;

    assert_non_null(file);
    while (fgets(line, sizeof line, file))
        if (*line != '#') {
            check_line(line);
            n++;
        }
    fclose(file);
    assert_true(n > 100);
}

/* --- errors -------------------------------------------------------------- */

static int decode_hex(const char *hex, struct of_msg *msg)
{
    static uint8_t bytes[4096];
    size_t n = from_hex(hex, bytes);
    int error;

    bytes[2] = (uint8_t)(n >> 8);
    bytes[3] = (uint8_t)n;
    error = of_msg_decode(bytes, n, NULL, msg);
    if (!error)
        of_msg_free(msg);
    return error;
}

/* An OpenFlow 1.3 FLOW_MOD, to which match and instructions are added. */
#define MOD13(table, command, flags)                                                                                   \
    "040e000000000001"                                                                                                 \
    "0000000000000000"                                                                                                 \
    "0000000000000000" table command "00000000"                                                                        \
    "8000"                                                                                                             \
    "ffffffff"                                                                                                         \
    "ffffffff"                                                                                                         \
    "ffffffff" flags "0000"
#define ANY "0001000400000000"
#define ADD13 MOD13("00", "00", "0000")
#define APPLY(len) "0004" len "00000000"
#define METADATA                                                                                                       \
    "ffff0020000023200016000000000000" /* NXAST_WRITE_METADATA */                                                      \
    "0000000000000005ffffffffffffffff"

static void refused_flow_mods_get_the_right_error(void **state)
{
    static const struct {
        const char *hex;
        int error;
    } cases[] = {
        {ADD13 ANY, 0},
        /* matches (OpenFlow 1.3.5, 7.4.4.5) */
        {ADD13 "0001000a80000a020800000000000000", 0},
        {ADD13 "0000000a80000a020800000000000000", OFPERR_BMC_BAD_TYPE},
        {ADD13 "0001000200000000", OFPERR_BMC_BAD_LEN},
        {ADD13 "0001001080000a020800000000000000", OFPERR_BMC_BAD_LEN},
        {ADD13 "0001000a80007e020800000000000000", OFPERR_BMC_BAD_FIELD},
        {ADD13 "0001000c80000a040800000000000000", OFPERR_BMC_BAD_LEN},
        {ADD13 "0001000a80000a060800000000000000", OFPERR_BMC_BAD_LEN},
        {ADD13 "0001001080000a02080080000a020800", OFPERR_BMC_DUP_FIELD},
        {ADD13 "0001000c800014040a00000000000000", OFPERR_BMC_BAD_LEN},
        {ADD13 "0001000c800016040a00000000000000", OFPERR_BMC_BAD_PREREQ},
        {ADD13 "0001000c80000b040800ff0000000000", OFPERR_BMC_BAD_MASK},
        {ADD13 "0001000c80000d041fff100000000000", OFPERR_BMC_BAD_WILDCARDS},
        {ADD13 "0001000a80000c022000000000000000", OFPERR_BMC_BAD_VALUE},
        {ADD13 "0001000c800000040000ffff00000000", OFPERR_BMC_BAD_VALUE},
        /* the message itself */
        {MOD13("00", "05", "0000") ANY, OFPERR_FMFC_BAD_COMMAND},
        {MOD13("00", "00", "0020") ANY, OFPERR_FMFC_BAD_FLAGS},
        {MOD13("ff", "00", "0000") ANY, OFPERR_FMFC_BAD_TABLE_ID},
        {MOD13("ff", "03", "0000") ANY, 0},
        /* instructions */
        {ADD13 ANY "0001000805000000", 0},
        {ADD13 ANY "0001000800000000", OFPERR_BIC_BAD_TABLE_ID},
        {ADD13 ANY "00010008ff000000", OFPERR_BIC_BAD_TABLE_ID},
        {ADD13 ANY "0001001005000000", OFPERR_BIC_BAD_LEN},
        {ADD13 ANY "00010008050000000001000805000000", OFPERR_BIC_DUP_INST},
        {ADD13 ANY "0007000800000000", OFPERR_BIC_UNKNOWN_INST},
        {ADD13 ANY "ffff000800000000", OFPERR_BIC_BAD_EXPERIMENTER},
        {ADD13 ANY "0000000800000000", OFPERR_BIC_UNKNOWN_INST},
        /* actions */
        {ADD13 ANY APPLY("0018") "00000010000000010000000000000000", 0},
        {ADD13 ANY APPLY("0018") "00000010ffffffff0000000000000000", OFPERR_BAC_BAD_OUT_PORT},
        {ADD13 ANY APPLY("0018") "00000010000000000000000000000000", OFPERR_BAC_BAD_OUT_PORT},
        {ADD13 ANY APPLY("0018") "0000000c000000010000000000000000", OFPERR_BAC_BAD_LEN},
        {ADD13 ANY APPLY("0018") "00000018000000010000000000000000", OFPERR_BAC_BAD_LEN},
        {ADD13 ANY APPLY("0010") "0001000800000000", OFPERR_BAC_BAD_TYPE},
        {ADD13 ANY APPLY("0010") "0018000800000000", OFPERR_BAC_MATCH_INCONSISTENT},
        {ADD13 ANY APPLY("0010") "0011000808000000", OFPERR_BAC_BAD_ARGUMENT},
        {ADD13 ANY APPLY("0018") "00190010800008060102030405060000", 0},
        {ADD13 ANY APPLY("0018") "00190010800008050102030405060000", OFPERR_BAC_BAD_SET_LEN},
        {ADD13 ANY APPLY("0018") "001900108000c8040102030405060000", OFPERR_BAC_BAD_SET_TYPE},
        {ADD13 ANY APPLY("0018") "0019001080004e020102000000000000", OFPERR_BAC_BAD_SET_TYPE},
        {ADD13 ANY APPLY("0018") "001900108000160401020304ffffffff", OFPERR_BAC_MATCH_INCONSISTENT},
        {ADD13 ANY APPLY("0018") "ffff001000002320ffff000000000000", OFPERR_BAC_BAD_EXP_TYPE},
        {ADD13 ANY APPLY("0018") "ffff00100000232000220102000004d2", 0},
        {ADD13 ANY APPLY("0018") "ffff00100000232000220202000004d2", OFPERR_BAC_BAD_CONJUNCTION},
        {ADD13 ANY APPLY("0018") "ffff00100000232000220001000004d2", OFPERR_BAC_BAD_CONJUNCTION},
        {ADD13 ANY APPLY("0018") "ffff00100000232000220041000004d2", OFPERR_BAC_BAD_CONJUNCTION},
        {ADD13 ANY APPLY("0028") "ffff00100000232000220102000004d2"
                                 "00000010000000010000000000000000",
         OFPERR_BAC_BAD_CONJUNCTION},
        {ADD13 ANY APPLY("0018") "ffff0010000023210010000000000000", OFPERR_BAC_BAD_EXPERIMENTER},
        /* Nicira's write_metadata is the instruction: last but goto_table, and inside of no other action */
        {ADD13 ANY APPLY("0028") METADATA, 0},
        {ADD13 ANY APPLY("0028") METADATA "0001000805000000", 0},
        {ADD13 ANY APPLY("0038") "00000010000000010000000000000000" METADATA, 0},
        {ADD13 ANY APPLY("0038") METADATA "00000010000000010000000000000000", OFPERR_BAC_UNSUPPORTED_ORDER},
        {ADD13 ANY APPLY("0028") METADATA "0003000800000000", OFPERR_BAC_UNSUPPORTED_ORDER},
        {ADD13 ANY APPLY("0038") "ffff003000002320002a000000000000" METADATA, OFPERR_BIC_UNSUP_INST},
    };
    static struct of_msg msg;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int error = decode_hex(cases[i].hex, &msg);

        if (error != cases[i].error)
            fail_msg("case %zu: %s instead of %s", i, of_error_name(error), of_error_name(cases[i].error));
    }
}

/* --- what versions mean differently -------------------------------------- */

static struct flow_mod decode_text(uint8_t version, enum flow_mod_command command, const char *text,
                                   struct of_msg *decoded)
{
    const struct of_decode_options options = {.flow_mod_table_id = true};
    static struct of_msg msg;
    struct of_buf buf = {NULL, 0, 0};

    memset(&msg, 0, sizeof msg);
    assert_null(flow_mod_parse(text, &msg.flow_mod, &msg.acts, NULL, NULL));
    msg.type = OF_FLOW_MOD;
    msg.version = version;
    msg.flow_mod.command = command;
    of_msg_encode(&msg, &buf);
    assert_int_equal(of_msg_decode(buf.data, buf.len, &options, decoded), 0);
    of_msg_free(&msg);
    of_buf_free(&buf);
    return decoded->flow_mod;
}

static void modify_and_cookies_differ_between_versions(void **state)
{
    static struct of_msg msg;
    struct flow_mod fm = decode_text(OF10, FLOW_MODIFY, "cookie=7,actions=output:1", &msg);

    assert_true(fm.modify_adds);
    assert_true(fm.modify_cookie);
    assert_int_equal(fm.cookie, 7);
    assert_int_equal(fm.cookie_mask, 0);
    of_msg_free(&msg);

    fm = decode_text(OF10, FLOW_MODIFY, "cookie=7/0xff,actions=output:1", &msg);
    assert_false(fm.modify_adds);
    assert_false(fm.modify_cookie);
    assert_int_equal(fm.cookie_mask, 0xff);
    of_msg_free(&msg);

    fm = decode_text(OF13, FLOW_MODIFY, "cookie=7/0xff,actions=output:1", &msg);
    assert_false(fm.modify_adds);
    assert_false(fm.modify_cookie);
    assert_int_equal(fm.cookie, 7);
    assert_int_equal(fm.cookie_mask, 0xff);
    of_msg_free(&msg);

    fm = decode_text(OF10, FLOW_ADD, "actions=output:1", &msg);
    assert_int_equal(fm.flags, RULE_RESET_COUNTS);
    of_msg_free(&msg);
    fm = decode_text(OF14, FLOW_ADD, "importance=9,actions=output:1", &msg);
    assert_int_equal(fm.flags, 0);
    assert_int_equal(fm.importance, 9);
    of_msg_free(&msg);
}

/* How a later version says an OpenFlow 1.0 action, and the reverse. */
static void actions_cross_versions(void **state)
{
    static const struct {
        uint8_t version;
        const char *in, *out;
    } cases[] = {
        {OF13, "udp,actions=mod_tp_src:5,mod_nw_tos:32", "set_field:5->udp_src,set_field:8->ip_dscp"},
        {OF13, "actions=mod_vlan_vid:5,mod_vlan_pcp:3",
         "push_vlan:0x8100,set_field:4101->vlan_vid,set_field:3->vlan_pcp"},
        {OF13, "dl_vlan=1,actions=mod_vlan_vid:5", "set_field:4101->vlan_vid"},
        {OF13, "actions=set_tunnel:5", "set_field:0x5->tun_id"},
        {OF13, "actions=enqueue:1:2", "set_queue:2,output:1,pop_queue"},
        {OF13, "actions=load:5->reg0[3..9]", "load:0x5->NXM_NX_REG0[3..9]"},
        {OF15, "actions=load:5->reg0[3..9]", "set_field:0x28/0x3f8->reg0"},
        {OF15, "actions=load:5->NXM_NX_REG0[]", "set_field:0x5->reg0"},
        {OF10, "actions=set_field:5->reg0", "load:0x5->NXM_NX_REG0[]"},
        {OF10, "actions=set_field:5->xxreg0", "set_field:0x5->xxreg0"},
        {OF10, "actions=goto_table:5", "resubmit(,5)"},
        {OF10, "ip,actions=dec_ttl,mod_nw_ttl:5", "dec_ttl,load:0x5->NXM_NX_IP_TTL[]"},
        {OF10, "actions=group:5,write_metadata:5/7", "group:5,write_metadata:0x5/0x7"},
    };
    static struct of_msg msg;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct flow_mod fm = decode_text(cases[i].version, FLOW_ADD, cases[i].in, &msg);
        char *text = act_list_format(&fm.acts, NULL, NULL);

        assert_string_equal(text, cases[i].out);
        free(text);
        of_msg_free(&msg);
    }
}

/* OpenFlow 1.0's own struct ofp_match, by way of FLOW_REMOVED. */
static void matches_survive_the_form_of_openflow_10(void **state)
{
    static const char *const texts[] = {
        "",
        "in_port=LOCAL",
        "tcp,in_port=1,dl_vlan=5,dl_vlan_pcp=2,nw_src=10.0.0.0/8,nw_dst=1.2.3.4,nw_tos=32,tp_src=1,tp_dst=80",
        "udp,dl_src=00:00:00:00:00:01,dl_dst=00:00:00:00:00:02,tp_dst=80",
        "icmp,icmp_type=8,icmp_code=0",
        "arp,arp_spa=1.1.1.1,arp_tpa=2.0.0.0/8,arp_op=1",
        "vlan_tci=0x0000",
        "dl_vlan_pcp=3",
        "dl_type=0x88cc",
    };
    static struct of_msg msg, again;

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct of_buf buf = {NULL, 0, 0};
        char *text;

        memset(&msg, 0, sizeof msg);
        msg.type = OF_FLOW_REMOVED;
        msg.version = OF10;
        assert_null(match_parse(texts[i], &msg.flow_removed.match, NULL, NULL));
        of_msg_encode(&msg, &buf);
        assert_int_equal(buf.len, 88);
        assert_int_equal(of_msg_decode(buf.data, buf.len, NULL, &again), 0);
        text = match_format(&again.flow_removed.match, NULL, NULL);
        assert_string_equal(text, texts[i]);
        free(text);
        of_buf_free(&buf);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flow_mods_of_ovs_ofctl_are_understood),
        cmocka_unit_test(refused_flow_mods_get_the_right_error),
        cmocka_unit_test(modify_and_cookies_differ_between_versions),
        cmocka_unit_test(actions_cross_versions),
        cmocka_unit_test(matches_survive_the_form_of_openflow_10),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
