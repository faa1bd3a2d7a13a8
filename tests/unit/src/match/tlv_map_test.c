/* The table of tunnel options, its messages, and the tun_metadata fields that come and go with it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "src/match/of_error.h"
#include "src/openflow/codec/msg.h"
#include "src/openflow/wire/oxm.h"
#include "src/tables/group.h"
#include "src/match/tlv_map.h"
#include "tests/lib/bed.h"
#include "tests/lib/bundles.h"
#include "tests/lib/packets.h"

static struct rte_mempool *pool;
static struct bed bed;

static int setup(void **state)
{
    bed_create(&bed, pool, &(struct bed_params){0});
    return 0;
}

static int teardown(void **state)
{
    bed_mod(&bed, FLOW_DELETE, "");
    assert_int_equal(tlv_map_mod(TLV_CLEAR, NULL, 0), 0);
    bed_destroy(&bed);
    return 0;
}

static int add(uint16_t class, uint8_t type, uint8_t len, uint16_t index)
{
    const struct tlv_map map = {class, type, len, index};

    return tlv_map_mod(TLV_ADD, &map, 1);
}

static void options_are_bound_and_freed(void **state)
{
    struct tlv_map list[TLV_MAPS_MAX];
    const struct tlv_map two[] = {{1, 1, 4, 5}, {1, 1, 8, 6}};

    assert_int_equal(add(0xffff, 0, 4, 0), 0);
    assert_int_equal(add(0xffff, 1, 16, 63), 0);
    assert_int_equal(add(0xffff, 2, 4, 0), OFPERR_NXTTMFC_ALREADY_MAPPED);
    assert_int_equal(add(0xffff, 1, 4, 1), OFPERR_NXTTMFC_DUP_ENTRY);
    assert_int_equal(add(0xffff, 3, 6, 1), OFPERR_NXTTMFC_BAD_OPT_LEN);
    assert_int_equal(add(0xffff, 3, 0, 1), OFPERR_NXTTMFC_BAD_OPT_LEN);
    assert_int_equal(add(0xffff, 3, 4, 64), OFPERR_NXTTMFC_BAD_FIELD_IDX);
    assert_int_equal(add(0xffff, 3, 124, 1), OFPERR_NXTTMFC_TABLE_FULL);
    /* All or nothing. */
    assert_int_equal(tlv_map_mod(TLV_ADD, two, 2), OFPERR_NXTTMFC_DUP_ENTRY);
    assert_int_equal(tlv_map_list(list), 2);
    assert_int_equal(list[1].index, 63);
    assert_int_equal(list[1].len, 16);
    /* 20 of 128 bytes are used: 6 more of 16, and 3 of 4. */
    for (unsigned i = 1; i <= 6; i++)
        assert_int_equal(add(1, (uint8_t)i, 16, (uint16_t)i), 0);
    for (unsigned i = 7; i <= 9; i++)
        assert_int_equal(add(1, (uint8_t)i, 4, (uint16_t)i), 0);
    assert_int_equal(add(1, 10, 4, 10), OFPERR_NXTTMFC_TABLE_FULL);
    assert_int_equal(tlv_map_mod(TLV_DELETE, &list[0], 1), 0);
    assert_int_equal(add(1, 10, 4, 10), 0);
}

static void fields_are_of_the_option_s_width(void **state)
{
    struct match match;
    char *error = match_parse("tun_metadata3=5", &match, NULL, NULL), *text;

    assert_non_null(error);
    free(error);
    assert_int_equal(add(1, 1, 4, 0), 0);
    assert_int_equal(add(1, 2, 8, 3), 0);
    assert_null(match_parse("tun_metadata3=0x1234567890/0xffffffff00,tun_metadata0=5", &match, NULL, NULL));
    text = match_format(&match, NULL, NULL);
    assert_string_equal(text, "tun_metadata0=0x5,tun_metadata3=0x1234567800/0xffffffff00");
    free(text);
    assert_int_equal(match.value.pkt.tun_metadata[3], 5);
    error = match_parse("tun_metadata0=0x123456789", &match, NULL, NULL);
    assert_non_null(error);
    free(error);
    bed_add(&bed, "tun_metadata0=5,actions=set_field:7->tun_metadata3,load:1->NXM_NX_TUN_METADATA0[3],"
                  "move:tun_metadata3[0..15]->reg0[0..15],delete_field:tun_metadata0,output:2");
}

/* What ovs-ofctl sends: a value has as many bytes as its text needs. */
static void values_on_the_wire_are_right_aligned(void **state)
{
    static const uint8_t entries[] = {0x00, 0x01, 0x50, 0x02, 0x04, 0xd2, 0x00, 0x01, 0x53, 0x0a,
                                      1,    2,    3,    4,    5,    0xff, 0xff, 0xff, 0xff, 0xff};
    struct reader r = {entries, sizeof entries, false};
    struct match match;

    assert_int_equal(oxm_decode(&r, &match, NULL, NULL), OFPERR_NXFMFC_INVALID_TLV_FIELD);
    assert_int_equal(add(1, 1, 4, 0), 0);
    assert_int_equal(add(1, 2, 8, 1), 0);
    r = (struct reader){entries, sizeof entries, false};
    assert_int_equal(oxm_decode(&r, &match, NULL, NULL), 0);
    assert_memory_equal(match.value.pkt.tun_metadata, "\0\0\x04\xd2\0\0\0\1\2\3\4\5", 12);
    assert_memory_equal(match.mask.pkt.tun_metadata, "\xff\xff\xff\xff\0\0\0\xff\xff\xff\xff\xff", 12);
}

static int delete_map(uint16_t index)
{
    const struct tlv_map map = {.index = index};

    return tlv_map_mod(TLV_DELETE, &map, 1);
}

static void what_is_in_use_stays(void **state)
{
    static const char *const rules[] = {
        "tun_metadata0=5,actions=output:2",
        "actions=set_field:5->tun_metadata0",
        "actions=write_actions(set_field:5->tun_metadata0,output:2)",
        "actions=clone(move:tun_metadata0[0..15]->reg0[0..15])",
        "actions=move:reg0[0..15]->tun_metadata0[0..15]",
        "actions=push:tun_metadata0",
        "actions=output:tun_metadata0[0..15]",
        "actions=delete_field:tun_metadata0",
        "actions=multipath(eth_src,0,hrw,4,0,tun_metadata0)",
        "actions=bundle_load(eth_src,0,hrw,ofport,tun_metadata0,members:2,3)",
        "actions=learn(table=1,tun_metadata0=reg0)",
        "actions=learn(table=1,load:tun_metadata0->reg0)",
        "actions=learn(table=1,limit=1,result_dst=tun_metadata0[0],eth_src)",
    };

    assert_int_equal(add(1, 1, 4, 0), 0);
    assert_int_equal(add(1, 2, 4, 1), 0);
    for (unsigned i = 0; i < RTE_DIM(rules); i++) {
        bed_add(&bed, "%s", rules[i]);
        if (delete_map(0) != OFPERR_NXTTMFC_INVALID_TLV_DEL)
            fail_msg("%s", rules[i]);
        assert_int_equal(tlv_map_mod(TLV_CLEAR, NULL, 0), OFPERR_NXTTMFC_INVALID_TLV_DEL);
        bed_mod(&bed, FLOW_DELETE, "");
    }
    /* So does what goes through rules by it: a dump, a delete, a monitor. */
    struct match match;
    const struct rule_filter filter = {
        .table_id = TABLE_ALL, .match = &match, .out_port = OFPORT_ANY, .out_group = OFGROUP_ANY};

    assert_null(match_parse("tun_metadata0=5", &match, NULL, NULL));
    struct rule_cursor *cursor = rule_cursor_open(bed.bridge->pipeline, &filter);
    assert_int_equal(delete_map(0), OFPERR_NXTTMFC_INVALID_TLV_DEL);
    rule_cursor_close(cursor);

    bed_add(&bed, "tun_metadata0=5,actions=set_field:5->tun_metadata0");
    bed_mod(&bed, FLOW_MODIFY, "actions=drop");
    assert_int_equal(delete_map(1), 0);
    assert_int_equal(delete_map(0), OFPERR_NXTTMFC_INVALID_TLV_DEL);
    bed_mod(&bed, FLOW_DELETE, "");
    assert_int_equal(delete_map(0), 0);
}

/* The table is the switch's, not the bridge's. */
static void another_bridge_may_use_it(void **state)
{
    struct bridge *other = bridge_create("br1", 2, bed.dp), *first = bed.bridge;

    flows_attach(bed.flows, other);
    assert_int_equal(add(1, 1, 4, 0), 0);
    bed.bridge = other;
    bed_add(&bed, "tun_metadata0=5,actions=output:2");
    bed.bridge = first;
    assert_int_equal(delete_map(0), OFPERR_NXTTMFC_INVALID_TLV_DEL);
    bed_forget_bridge(&bed, other);
    bridge_destroy(other);
    assert_int_equal(delete_map(0), 0);
}

static void groups_use_options(void **state)
{
    struct group_table *groups = pipeline_groups(bed.bridge->pipeline);
    struct bucket bucket = {.watch_port = OFPORT_ANY, .watch_group = OFGROUP_ANY, .weight = 1};
    struct group_mod gm = {
        .command = GROUP_ADD, .group_id = 1, .type = GROUP_SELECT, .buckets = &bucket, .n_buckets = 1};
    struct act_buffer acts;

    assert_int_equal(add(1, 1, 4, 0), 0);
    assert_int_equal(add(1, 2, 4, 1), 0);
    act_buffer_init(&acts);
    assert_null(actions_parse("set_field:5->tun_metadata0", &acts, NULL, NULL));
    bucket.acts = act_buffer_list(&acts);
    strcpy(gm.selection.method, "hash");
    gm.selection.fields[gm.selection.n_fields++] = field_by_name("tun_metadata1");
    memset(&gm.selection.masks[0], 0xff, 4);
    assert_int_equal(group_table_mod(groups, &gm), 0);
    assert_int_equal(delete_map(0), OFPERR_NXTTMFC_INVALID_TLV_DEL);
    assert_int_equal(delete_map(1), OFPERR_NXTTMFC_INVALID_TLV_DEL);
    gm.command = GROUP_MODIFY;
    gm.selection.n_fields = 0;
    assert_int_equal(group_table_mod(groups, &gm), 0);
    assert_int_equal(delete_map(1), 0);
    assert_int_equal(delete_map(0), OFPERR_NXTTMFC_INVALID_TLV_DEL);
    gm.command = GROUP_DELETE;
    assert_int_equal(group_table_mod(groups, &gm), 0);
    assert_int_equal(delete_map(0), 0);
    act_buffer_free(&acts);
}

static void modify_in_bundle(const char *text)
{
    struct act_buffer acts;
    struct flow_mod fm;

    act_buffer_init(&acts);
    assert_null(flow_mod_parse(text, &fm, &acts, NULL, NULL));
    fm.command = FLOW_MODIFY;
    assert_int_equal(pipeline_bundle_begin(bed.bridge->pipeline), 0);
    assert_int_equal(bundle_mod(bed.bridge->pipeline, &fm), 0);
    act_buffer_free(&acts);
}

static void bundles_count_like_others(void **state)
{
    static const char uses[] = "actions=set_field:5->tun_metadata0";

    bed_add(&bed, "in_port=1,actions=drop");
    assert_int_equal(add(1, 1, 4, 0), 0);
    modify_in_bundle(uses);
    assert_int_equal(delete_map(0), OFPERR_NXTTMFC_INVALID_TLV_DEL);
    bundle_abort(bed.bridge->pipeline);
    assert_int_equal(delete_map(0), 0);
    assert_int_equal(add(1, 1, 4, 0), 0);
    modify_in_bundle(uses);
    bundle_commit(bed.bridge->pipeline);
    assert_int_equal(delete_map(0), OFPERR_NXTTMFC_INVALID_TLV_DEL);
    modify_in_bundle("actions=drop");
    bundle_commit(bed.bridge->pipeline);
    assert_int_equal(delete_map(0), 0);
}

static void expect_same(const char *hex, enum of_msg_type type)
{
    uint8_t data[256];
    const size_t len = packet_from_hex(hex, data);
    const struct of_decode_options options = {0};
    struct of_msg msg;
    struct of_buf buf = {0};

    assert_int_equal(of_msg_decode(data, len, &options, &msg), 0);
    assert_int_equal(msg.type, type);
    of_msg_encode(&msg, &buf);
    assert_int_equal(buf.len, len);
    assert_memory_equal(buf.data, data, len);
    of_buf_free(&buf);
    of_msg_free(&msg);
}

static void messages_round_trip(void **state)
{
    expect_same("0404002800000002000023200000001800000000 00000000 ffff000400000000 0001020800010000",
                OF_TLV_TABLE_MOD);
    expect_same("040400180000000200002320000000180002000000000000", OF_TLV_TABLE_MOD);
    expect_same("04040010000000020000232000000019", OF_TLV_TABLE_REQUEST);
    expect_same("010400280000000200002320 0000001a 00000080 0040 00000000000000000000 0001020800010000",
                OF_TLV_TABLE_REPLY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(options_are_bound_and_freed, setup, teardown),
        cmocka_unit_test_setup_teardown(fields_are_of_the_option_s_width, setup, teardown),
        cmocka_unit_test_setup_teardown(values_on_the_wire_are_right_aligned, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_in_use_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(another_bridge_may_use_it, setup, teardown),
        cmocka_unit_test_setup_teardown(groups_use_options, setup, teardown),
        cmocka_unit_test_setup_teardown(bundles_count_like_others, setup, teardown),
        cmocka_unit_test_setup_teardown(messages_round_trip, setup, teardown),
    };

    if (test_eal_init("tlv_map_test") != 0)
        return 77;
    pool = test_pool(1023);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
